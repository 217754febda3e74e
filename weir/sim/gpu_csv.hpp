// The CSV of accelerator clusters: one job a line, columns found by the names of the first line.
//
// Needed: job_id, submit_s, duration_s. Used where present: user, group, req_time_s, nodes,
// devices, device_share, cpus, mem_gb, chip ("a|b": accepted devices), datasets ("a|b": that it
// reads), train (the job file of a training job, which then needs no duration), priority, state.
// Other columns are ignored, with a note where one of these
// was probably meant; an empty field is "not known". Seconds may carry fractions, which are cut.
// Two jobs may have the same id, with a note that names their lines. A job that never started
// (state PENDING without a duration) is dropped, and a run above its limit is cut to it; both with
// a note.
#pragma once

#include <functional>
#include <string>

#include "weir/base/result.hpp"
#include "weir/sim/line_reader.hpp"
#include "weir/sim/trace.hpp"

namespace weir::sim {

// Everything but the fleet, the quotas and the time of zero, which are the sidecar's.
Result<Trace> read_gpu_csv(LineReader& reader,
                           const std::string& name,
                           const std::function<void(double)>& progress);

}  // namespace weir::sim
