// Generated workloads as files: SWF for `lublin`, CSV with a sidecar for `gpu_mix`.
//
// The header says which model made the jobs, with what seed and load, so that a file found years
// later explains itself and can be made again byte for byte.
#pragma once

#include <string>

#include "weir/base/result.hpp"
#include "weir/sim/workload_model.hpp"

namespace weir::sim {

// ".gz" compresses; "-" and "" are standard output. A path must end as its format does, for
// read_trace() goes by it.
Result<void> check_swf_path(const std::string& path);
Result<void> write_swf(const std::string& path, const Workload& workload);
Result<void> write_gpu_csv(const std::string& path, const Workload& workload);

// NAME.cluster.json for a CSV trace called `name`: the fleet as node groups, and quotas for the
// groups of the workload in whole nodes where the fleet is one pool of at least four nodes.
std::string sidecar_text(const std::string& name, const Workload& workload);

// Where the sidecar of a CSV trace belongs; an error when the path does not end in .csv or .csv.gz.
Result<std::string> sidecar_path(const std::string& csv_path);

}  // namespace weir::sim
