// What a run folder says about its attempt, read fresh each time; and a word to its shepherd.
//
// An open folder, a lock and a file can each refuse to answer, for reasons that have nothing to do
// with the attempt: too many open files, a disk that fails for a moment. Then nothing is known, and
// whoever reads must come back later: only a free lock that was really seen to be free says that
// the shepherd is gone.
//
// Threads: free functions; each call reads the files anew and keeps nothing.
#pragma once

#include <string>

#include "weir/exec/executor.hpp"

namespace weir::exec {

struct RunState {
    bool started = false;  // the fence was passed: it must never be started again
    bool ended = false;    // `end` is valid
    bool kept = false;     // its shepherd lives, or may live: no end means no end yet
    AttemptEnd end;
    std::string damage;  // why what stands there cannot be understood; "" = fine
    std::string doubt;   // why nothing is known at the moment; "" = all of the above is so
};

RunState read_run_state(const std::string& folder, AttemptId attempt);

// SIGTERM to the shepherd of the folder, if there is one; never to a stranger with its old pid.
void wake_shepherd(const std::string& folder);

// A descriptor that becomes readable when the shepherd ends; -1 when it cannot be had, be it that
// nobody holds the lock or that it cannot be told who does.
int watch_shepherd(const std::string& folder);

}  // namespace weir::exec
