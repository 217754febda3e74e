#include "weir/store/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace weir::store {
namespace {

constexpr int tries_max = 20;
constexpr std::chrono::milliseconds between_tries{50};

std::string owner_of(int descriptor) {
    char text[32] = {};
    const ssize_t size = pread(descriptor, text, sizeof text - 1, 0);
    std::string owner(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    while (!owner.empty() && owner.back() == '\n')
        owner.pop_back();
    return owner.empty() ? "another process" : "process " + owner;
}

}  // namespace

Result<FileLock> FileLock::take(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) {
        return fail(Code::io,
                    "cannot open the lock file " + path + ": " + std::strerror(errno) +
                        "; check that its folder exists and that you may write there");
    }
    FileLock lock(descriptor);
    // A process that was just killed, or a child of it on its way to exec, may hold the lock for a
    // moment longer than its owner lives.
    for (int tried = 0; flock(descriptor, LOCK_EX | LOCK_NB) != 0; ++tried) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return fail(Code::io, "cannot lock " + path + ": " + std::strerror(errno));
        }
        if (tried >= tries_max) {
            return fail(Code::conflict,
                        path + " is locked by " + owner_of(descriptor) +
                            ": another hub uses this data folder; stop it or choose another "
                            "folder");
        }
        std::this_thread::sleep_for(between_tries);
    }
    const std::string owner = std::to_string(getpid()) + "\n";
    if (ftruncate(descriptor, 0) != 0 ||
        pwrite(descriptor, owner.data(), owner.size(), 0) != static_cast<ssize_t>(owner.size())) {
        return fail(Code::io, "cannot write to " + path + ": " + std::strerror(errno));
    }
    return lock;
}

FileLock::~FileLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace weir::store
