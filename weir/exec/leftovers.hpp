// Leftovers: processes of an attempt whose shepherd was killed.
//
// The tasks themselves die with their shepherd; what they had started does not. Such a process is
// recognised by the WEIR_RUN_DIR in its environment, or, while the loss is fresh, by the session
// of its task: an environment can be wiped, and a session number can be used again one day.
#pragma once

#include <optional>
#include <string>

namespace weir::exec {

// Sends SIGKILL until none is found any more. How many processes it reached; none when it could
// not look (too many files are open, say), so that nobody knows whether something still runs.
std::optional<int> kill_leftovers(const std::string& run_folder, bool loss_is_fresh);

}  // namespace weir::exec
