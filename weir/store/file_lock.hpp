// FileLock: this process, and no other, owns what the file stands for.
//
// An advisory flock, so the kernel gives it back when the process dies, also by SIGKILL or power
// loss; a stale file is no lock. The file holds the owner's process id for the error of the next
// one who tries. Children do not inherit it: the descriptor closes at exec.
#pragma once

#include <string>

#include "weir/base/result.hpp"

namespace weir::store {

class FileLock {
public:
    // Waits up to a second for an owner that is about to end; then Code::conflict with its pid.
    static Result<FileLock> take(const std::string& path);
    ~FileLock();
    FileLock(FileLock&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
    FileLock& operator=(FileLock&&) = delete;

private:
    explicit FileLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

}  // namespace weir::store
