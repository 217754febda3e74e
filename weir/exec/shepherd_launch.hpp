// The launch description as the shepherd reads it: pointers into one buffer. C++ without library.
#pragma once

#include <stdint.h>

namespace weir::exec::shepherd {

struct LaunchTask {
    int rank = 0;
    const char* stdout_path = nullptr;
    const char* stderr_path = nullptr;
    const char** env = nullptr;  // ended by a null pointer
    int env_count = 0;
};

struct LaunchPlan {
    const char* attempt = "";
    const char* workdir = "/";
    int64_t limit_ms = -1;
    int64_t grace_ms = 10000;
    int64_t output_limit = 0;
    const char* cgroup = "";
    int64_t memory_asked = 0;  // where nothing enforces it; 0 = none
    int64_t open_files = -1;   // soft limit of each task's descriptors; -1 = as it is
    LaunchTask* tasks = nullptr;
    int task_count = 0;
};

// Reads `bytes` (kept alive and unchanged by the caller as long as the plan). Null when it is
// whole and well-formed, else what is wrong with it. What it allocates is never freed: the
// shepherd reads one launch in its life.
const char* read_launch(const char* bytes, uint64_t count, LaunchPlan& plan);

}  // namespace weir::exec::shepherd
