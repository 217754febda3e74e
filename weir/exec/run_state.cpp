#include "weir/exec/run_state.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "weir/exec/run_files.hpp"
#include "weir/exec/shepherd_protocol.hpp"

namespace weir::exec {
namespace {

pid_t lock_holder(const std::string& folder) {
    const int fd = ::open((folder + "/" + protocol::state_file).c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return 0;
    struct flock probe {};
    probe.l_type = F_WRLCK;
    probe.l_whence = SEEK_SET;
    const bool asked = ::fcntl(fd, F_GETLK, &probe) == 0;
    ::close(fd);
    return asked && probe.l_type != F_UNLCK ? probe.l_pid : 0;
}

// Between the question who holds the lock and the signal, that process may end and its number be
// given away. A pidfd pins the process; asking again afterwards proves that it is the right one.
int pin_shepherd(const std::string& folder) {
    const pid_t holder = lock_holder(folder);
    if (holder <= 0) return -1;
    const int fd = static_cast<int>(::syscall(SYS_pidfd_open, holder, 0));
    if (fd < 0) return -1;
    if (lock_holder(folder) == holder) return fd;
    ::close(fd);
    return -1;
}

}  // namespace

RunState read_run_state(const std::string& folder, AttemptId attempt) {
    RunState state;
    // The lock first: the shepherd writes the end while it holds it, so a free lock and then no
    // end means that there will never be one.
    state.shepherd = lock_holder(folder);
    const auto text = read_whole(folder + "/" + protocol::state_file);
    if (!text) {
        if (text.error().code == Code::not_found) return state;
        state.started = true;  // it cannot be known, so it must not be started
        state.damage = text.error().message;
        return state;
    }
    state.started = !text->empty();
    auto end = parse_end(attempt, *text);
    if (end) {
        state.ended = true;
        state.end = std::move(*end);
    } else if (end.error().code != Code::not_found) {
        state.damage = end.error().message;
    }
    return state;
}

void wake_shepherd(const std::string& folder) {
    const int fd = pin_shepherd(folder);
    if (fd < 0) return;
    ::syscall(SYS_pidfd_send_signal, fd, SIGTERM, nullptr, 0);
    ::close(fd);
}

int watch_shepherd(const std::string& folder) {
    return pin_shepherd(folder);
}

}  // namespace weir::exec
