// The Standard Workload Format of the Parallel Workloads Archive (Chapin et al., JSSPP 1999).
//
// Lines that start with ';' are header ("; Key: value"); a job is 18 blank-separated numbers, -1
// where unknown; more fields at the end of a line are ignored. The machine is MaxProcs alike
// processors. Some logs carry fractions: they are cut toward zero.
//
// Reading cleans, in this order, and notes how many jobs each rule touched:
//   R1  used (5) or requested (8) processors above the machine: the job is dropped
//   R2  one of the two missing (<= 0): the other counts; both missing: dropped
//   R3  run time (4) <= 0: dropped
//   R4  requested time (9) <= 0: dropped
//       submission (2) < 0: dropped
//   R5  run time above the requested time: cut to it
#pragma once

#include <functional>
#include <string>

#include "weir/base/result.hpp"
#include "weir/sim/line_reader.hpp"
#include "weir/sim/trace.hpp"

namespace weir::sim {

// `name` becomes Trace::name. `progress` may be empty.
Result<Trace> read_swf(LineReader& reader,
                       const std::string& name,
                       const std::function<void(double)>& progress);

}  // namespace weir::sim
