// Output of tasks: pipes that are copied to files, up to a limit. C++ without library.
//
// A task never sees the limit: when it is reached, one line in the file says so, and the rest is
// read and dropped, so the task neither blocks nor dies of SIGPIPE. Tasks that name the same file
// share one pipe, so their lines keep their order and the limit counts for the file.
#pragma once

#include <stdint.h>

namespace weir::exec::shepherd {

struct Stream {
    const char* path = nullptr;
    int file = -1;
    int read_end = -1;   // -1 once the last writer is gone
    int write_end = -1;  // for the tasks; closed here after they were started
    int64_t kept = 0;
    bool cut = false;
    int write_error = 0;  // errno of the first write that failed
};

struct Output {
    Stream* streams = nullptr;
    int count = 0;
    int64_t limit = 0;  // 0 = none
};

// Whether `path` is, by whatever name, one of the files of the run folder that only weir writes.
// Requires: the run folder is the current one.
bool is_own_file(const char* path);

// The stream that appends to `path`; opened at the first call. -1 and errno on failure.
int open_stream(Output& output, const char* path);
void close_write_ends(Output& output);

// Copies what is there, at most a megabyte, without blocking on the pipe. False at its end.
bool copy_some(Output& output, Stream& stream);
// Copies until the pipe is empty or ended: for when no task is left.
void drain(Output& output);

bool any_cut(const Output& output);

}  // namespace weir::exec::shepherd
