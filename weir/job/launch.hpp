// Who starts the ranks of a job that does not say so.
//
// A command that is itself a launcher (mpirun, srun, torchrun) would start N times N ranks if weir
// started it on every replica, so it is started once. Everything else is started on every replica.
#pragma once

#include <string_view>

#include "weir/job/job.hpp"

namespace weir::job {

// Looks at the first word of every command line of the script, past variable assignments and
// words like exec, env and time. `launch:` in the job file has precedence over this guess.
LaunchMode launch_mode_for(std::string_view script);

}  // namespace weir::job
