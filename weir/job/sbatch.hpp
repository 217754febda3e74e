// #SBATCH scripts, unchanged: the directives become the same description as a job file's.
//
// What Slurm means and weir can do is mapped; what changes nothing that matters here becomes a
// note; an unknown directive becomes a note that names it with its line; what weir would have to
// break (a fixed node, a start time) is an error. The whole script is run once, as Slurm does, on
// the first node of the gang. One table (sbatch_options.cpp) says which is which and makes
// docs/reference/sbatch.md.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/job/job_file.hpp"

namespace weir::job {

// `args` are the arguments of the script ($1, $2 …), which only shells can be given.
// The spec's environment has SLURM_NTASKS (and SLURM_CPUS_PER_TASK, SLURM_NTASKS_PER_NODE where
// they were asked for); who starts the job adds the rest, to what is marked as a batch_script.
Result<ParsedJob> read_sbatch_text(std::string_view text,
                                   std::string_view source,
                                   const std::vector<std::string>& args = {});

// Begins with "#!": a script, with or without #SBATCH lines, and no job file.
bool looks_like_script(std::string_view text);

// The reference page, docs/reference/sbatch.md.
std::string sbatch_reference();

}  // namespace weir::job
