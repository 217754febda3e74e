// The tree of processes below the shepherd, and signals to all of it. C++ without library.
//
// The shepherd is a "child subreaper": whoever loses its parent anywhere below becomes its child,
// also after setsid() or a double fork. So the tree is empty exactly when wait() says that there
// are no children, and no process can hide from a signal except by dying.
#pragma once

#include <stdint.h>
#include <sys/types.h>

namespace weir::exec::shepherd {

struct ProcessEntry {
    pid_t pid = 0;
    pid_t parent = 0;
    pid_t session = 0;
    char state = '?';
    uint64_t start_ticks = 0;  // since boot: with the pid, names a process for good
    bool below = false;
};

// One line of /proc/PID/stat. False and errno when there is no such process (ENOENT or ESRCH), or
// when it cannot be read.
bool read_process(pid_t pid, ProcessEntry& entry);

// Reads all of /proc, sorted by pid. The caller frees *entries. *all becomes false when something
// stood in the way, so that processes may be missing.
int read_processes(ProcessEntry** entries, bool* all);

// Sends `signal` to every live process below `root` (not to `root`). How many there were.
int signal_below(pid_t root, int signal);

// Stops every process below `root`, so that a tree that forks faster than we look cannot run ahead
// of the next signal. SIGCONT lets it go on.
void freeze_below(pid_t root);

}  // namespace weir::exec::shepherd
