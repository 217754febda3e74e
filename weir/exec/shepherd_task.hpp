// One task of the attempt, from the shepherd's side. C++ without library.
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "weir/exec/shepherd_launch.hpp"

namespace weir::exec::shepherd {

struct Task {
    pid_t pid = 0;
    bool alive = false;
    int exit_code = 0;
    int signal = 0;
    int64_t max_rss_bytes = 0;
    int64_t cpu_ms = 0;  // of the task and of the children it waited for
};

// What a child that could not become its task writes into the error pipe before it exits: at most
// PIPE_BUF bytes, so whole or absent.
struct StartError {
    int task = 0;
    bool machine_failed = false;
    char sentence[400] = {};
};

struct TaskSetting {
    const char* script = "script";  // in the run folder, which is the current one
    const char* run_path = "";      // its absolute path
    int error_pipe = -1;
    int state_file = -1;    // whose lock the task must not hold with the shepherd
    int cgroup_procs = -1;  // -1 = no cgroup
};

// Whether this errno is the machine's fault: it ran out of something, or a disk failed. The others
// are what the job itself has wrong, and another try would meet them again.
bool is_of_machine(int reason);

// The #! line of a script, taken apart as the kernel does it: interpreter and one argument.
// "/bin/sh" when there is none. False when the script cannot be read.
struct Interpreter {
    char path[256] = "/bin/sh";
    char argument[256] = "";
    bool named = false;  // by a #! line
};
bool read_interpreter(const char* script, Interpreter& interpreter);

// Forks the task: own session, default signals, no descriptor but 0, 1 and 2. The pid, or -1.
pid_t start_task(const TaskSetting& setting,
                 const Interpreter& interpreter,
                 const LaunchPlan& plan,
                 int index,
                 int stdout_fd,
                 int stderr_fd);

}  // namespace weir::exec::shepherd
