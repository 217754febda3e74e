#include "weir/exec/run_state.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "weir/exec/run_files.hpp"
#include "weir/exec/shepherd_protocol.hpp"
#include "weir/exec/shepherd_tree.hpp"

namespace weir::exec {
namespace {

enum class Lock { free, held, unknown };

Lock ask_lock(int fd) {
    struct flock probe {};
    probe.l_type = F_WRLCK;
    probe.l_whence = SEEK_SET;
    if (::fcntl(fd, F_GETLK, &probe) != 0) return Lock::unknown;
    return probe.l_type == F_UNLCK ? Lock::free : Lock::held;
}

int open_state(const std::string& folder) {
    const std::string path = folder + "/" + protocol::state_file;
    return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

// The lock itself does not tell whose it is: it belongs to an open file, not to a process. Who
// passed the fence wrote down its number and when it began, which together name one process for
// good; a pidfd pins it. Asking for the lock again afterwards proves that it still has it.
int pin_shepherd(const std::string& folder) {
    const int fd = open_state(folder);
    if (fd < 0) return -1;
    char line[96] = {};
    const ssize_t size = ::pread(fd, line, sizeof line - 1, 0);
    int pid = 0;
    unsigned long long began = 0;
    int pinned = -1;
    if (size > 0 && std::sscanf(line, "shepherd %d %llu\n", &pid, &began) == 2 && pid > 1) {
        pinned = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    }
    shepherd::ProcessEntry process;
    const bool right = pinned >= 0 && shepherd::read_process(pid, process) &&
                       process.start_ticks == began && ask_lock(fd) == Lock::held;
    ::close(fd);
    if (right || pinned < 0) return pinned;
    ::close(pinned);
    return -1;
}

RunState in_doubt(std::string why) {
    RunState state;
    state.started = true;  // it cannot be known, so it must not be started
    state.kept = true;
    state.doubt = std::move(why);
    return state;
}

}  // namespace

RunState read_run_state(const std::string& folder, AttemptId attempt) {
    const std::string path = folder + "/" + protocol::state_file;
    RunState state;
    const int fd = open_state(folder);
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR) return state;
        return in_doubt("cannot open " + path + ": " + std::strerror(errno));
    }
    // The lock first: the shepherd writes the end while it holds it, so a free lock and then no
    // end means that there will never be one.
    const Lock lock = ask_lock(fd);
    const int reason = errno;
    const auto text = read_rest(fd, path);
    ::close(fd);
    if (!text && text.error().code == Code::io) return in_doubt(text.error().message);
    if (lock == Lock::unknown) {
        state = in_doubt("cannot ask who holds " + path + ": " + std::strerror(reason));
    }
    state.kept = lock != Lock::free;
    if (!text) {
        state.started = true;
        state.damage = text.error().message;
        return state;
    }
    state.started = state.started || !text->empty();
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
