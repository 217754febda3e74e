// The schedule of a simulation as CSV: job_id,submit_s,start_s,end_s,nodes,chips.
//
// One row for each job that ran, in the order of the trace; whole seconds from the zero of the
// trace; chips of the whole job, with a fraction only where a chip is shared. With --scale the
// copies of a job are rows of their own, "ID#1", "ID#2" and so on behind the plain "ID".
#pragma once

#include <string>

#include "weir/base/result.hpp"
#include "weir/sim/simulator.hpp"
#include "weir/sim/trace.hpp"

namespace weir::sim {

// A path that ends in ".gz" is compressed; "-" is standard output.
Result<void> write_schedule(const std::string& path, const Trace& trace, const Simulation& result);

}  // namespace weir::sim
