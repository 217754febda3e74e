// Launching: from a job and its placement to what the executor is asked to start.
//
// Ranks are numbered over the placement's ranges in order, node by node. The environment of each
// rank is exec's (environment.hpp); here are the hub's parts of it: who the job is, where its
// folder is, and to which files its output goes.
#pragma once

#include <string>
#include <vector>

#include "weir/exec/executor.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/hub/book.hpp"
#include "weir/hub/hub.hpp"

namespace weir::hub {

// What replaces the patterns in the path of an output file.
struct OutputName {
    std::string job;          // %j: the number of the job
    std::string array;        // %A: the number of the array's first member
    std::string array_index;  // %a: the index, "4294967294" where there is none, as in Slurm
    std::string name;         // %x
    std::string user;         // %u
    std::string node;         // %N
    std::uint32_t rank = 0;   // %r and %t
};
// Patterns as in Slurm: %j %J %A %a %x %u %N %t and weir's %r, %% for a percent sign, and a width
// that fills numbers with zeros ("%4j"). An unknown pattern stays as it is.
std::string expand_output_path(const std::string& pattern, const OutputName& name);

// The working folder: where the job was submitted, or its run folder.
std::string workdir_of(const job::JobSpec& spec, const std::string& run_folder);

// Where each rank runs and writes.
std::vector<TaskView> tasks_of(const Job& job,
                               const Attempt& attempt,
                               const Register& everybody,
                               const fleet::Fleet& fleet,
                               const std::string& data_dir);

exec::Launch launch_of(const Job& job,
                       const Attempt& attempt,
                       const Register& everybody,
                       const fleet::Fleet& fleet,
                       const Options& options);

}  // namespace weir::hub
