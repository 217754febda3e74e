// What a run folder says about its attempt, read fresh each time; and a word to its shepherd.
//
// Threads: free functions; each call reads the files anew and keeps nothing.
#pragma once

#include <sys/types.h>

#include <string>

#include "weir/exec/executor.hpp"

namespace weir::exec {

struct RunState {
    bool started = false;  // the fence was passed: it must never be started again
    bool ended = false;    // `end` is valid
    pid_t shepherd = 0;    // who holds the lock; 0 = nobody
    AttemptEnd end;
    std::string damage;  // why what stands there cannot be read; "" = fine
};

RunState read_run_state(const std::string& folder, AttemptId attempt);

// SIGTERM to the shepherd of the folder, if there is one; never to a stranger with its old pid.
void wake_shepherd(const std::string& folder);

// A descriptor that becomes readable when the shepherd ends; -1 when nobody holds the lock.
int watch_shepherd(const std::string& folder);

}  // namespace weir::exec
