#include "weir/exec/local_executor.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "weir/base/log.hpp"
#include "weir/exec/leftovers.hpp"
#include "weir/exec/run_files.hpp"
#include "weir/exec/run_state.hpp"
#include "weir/exec/shepherd_protocol.hpp"
#include "weir/exec/wall_clock.hpp"

namespace weir::exec {
namespace {

// The glibc of Debian 12 does not name it in <sys/wait.h>'s C++ view of idtype_t everywhere.
constexpr auto by_pidfd = static_cast<idtype_t>(3);

constexpr std::uint64_t wake_token = 0;
constexpr std::uint64_t socket_token = 1;
constexpr std::uint64_t first_token = 2;

// What this program was started with, read before anything raises it: a hub needs a descriptor for
// every client and attempt, a task gets what its owner would have given it.
const std::int64_t open_files_at_start = [] {
    rlimit limit{};
    const bool told = ::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    return told ? static_cast<std::int64_t>(limit.rlim_cur) : -1;
}();

Result<void> make_folder(const std::string& path) {
    if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
    return fail(Code::io, "cannot make folder " + path + ": " + std::strerror(errno));
}

// The datagram socket of this hub. Its address goes through the folder's descriptor, because the
// path itself may be longer than an address can hold. -1 when it cannot be had: ends are then
// heard when the shepherd is gone, a disk write later.
int open_socket(const std::string& runs) {
    const int folder = ::open(runs.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return -1;
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ::unlinkat(folder, protocol::hub_socket, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = "/proc/self/fd/" + std::to_string(folder) + "/" + protocol::hub_socket;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const bool bound =
        fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(folder);
    if (bound) return fd;
    if (fd >= 0) ::close(fd);
    return -1;
}

// vfork inside, so its cost does not grow with the hub; the child starts with a clean slate.
Result<pid_t> spawn_shepherd(const std::string& program,
                             const std::string& folder,
                             const std::string& launch) {
    const int input = ::memfd_create("weir-launch", MFD_CLOEXEC);
    if (input < 0 ||
        ::pwrite(input, launch.data(), launch.size(), 0) != static_cast<ssize_t>(launch.size())) {
        Error error{Code::io, std::string("no memory for a launch: ") + std::strerror(errno)};
        if (input >= 0) ::close(input);
        return fail(std::move(error));
    }
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    std::string name = "weir-shepherd";
    std::string argument = folder;
    char* const arguments[] = {name.data(), argument.data(), nullptr};
    char* const environment[] = {nullptr};
    pid_t pid = 0;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, 0);
    const int error =
        ::posix_spawn(&pid, program.c_str(), &actions, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    ::close(input);
    if (error != 0) {
        return fail(Code::io, "cannot start " + program + ": " + std::strerror(error));
    }
    return pid;
}

std::string why_not_begun(int status) {
    if (WIFSIGNALED(status)) {
        return "its shepherd was killed by signal " + std::to_string(WTERMSIG(status)) +
               " before it began";
    }
    switch (WIFEXITED(status) ? WEXITSTATUS(status) : 0) {
        case protocol::exit_folder:
            return "its run folder cannot be entered";
        case protocol::exit_lock:
            return "the state file of its run folder cannot be locked";
        case protocol::exit_launch:
            return "its launch description cannot be read";
        case protocol::exit_fence:
            return "its run folder cannot be written";
        default:
            return "its shepherd ended before it began";
    }
}

}  // namespace

std::string default_shepherd_path() {
    char path[4096];
    const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path - 1);
    const std::string program(path, size > 0 ? static_cast<std::size_t>(size) : 0);
    return program.substr(0, program.rfind('/') + 1) + "weir-shepherd";
}

class LocalExecutor::Impl {
public:
    Impl(Options options, OnEnd on_end)
        : options_(std::move(options)), on_end_(std::move(on_end)) {}
    ~Impl();

    Result<void> open();
    Result<void> start(const Launch& launch);
    Result<void> stop(AttemptId attempt, const Stop& how);
    Found find(AttemptId attempt);
    void forget(AttemptId attempt);

    [[nodiscard]] std::string folder_of(AttemptId attempt) const {
        return run_folder(options_.data_dir, attempt);
    }

private:
    // Whom we wait for, or waited for: it goes when it was forgotten and its shepherd collected, so
    // that a start that is asked again does not give the end again, and an end of which no file
    // tells is there for whoever asks again.
    struct Watch {
        std::uint64_t token = 0;
        int pidfd = -1;
        pid_t child = 0;       // ours to collect; 0 = adopted
        int exit_status = 0;   // of the child, once collected
        bool starting = true;  // start() is still busy with it
        bool spawned = false;  // by this executor, so that its failure to begin is an end
        bool given = false;    // its end was given
        bool forgotten = false;
        bool stopping = false;
        bool doubt_told = false;
        std::optional<AttemptEnd> unwritten;  // the end of one that never began
    };

    Result<void> launch_shepherd(const Launch& launch, const std::string& folder);
    void watch_pidfd(AttemptId attempt, int pidfd, pid_t child);
    void ready(AttemptId attempt);
    void adopt(AttemptId attempt);
    // None when it cannot be told whether the attempt left something running.
    std::optional<AttemptEnd> lost_end(const RunState& state, AttemptId attempt, bool fresh);
    void doubt(AttemptId attempt, const std::string& why);

    void loop();
    void read_datagrams();
    void shepherd_ended(std::uint64_t token);
    void examine(AttemptId attempt);
    void rescan();
    void wake() const;

    const Options options_;
    const OnEnd on_end_;
    CgroupDelegation branch_;  // of options_.delegation; set by open()
    int epoll_ = -1;
    int wake_ = -1;
    int socket_ = -1;
    std::thread thread_;

    std::mutex mutex_;
    // Guarded by mutex_:
    std::map<AttemptId, Watch> watches_;
    std::map<std::uint64_t, AttemptId> by_token_;
    std::vector<AttemptId> look_at_;  // for the thread, as soon as it can
    std::uint64_t next_token_ = first_token;
    bool quit_ = false;
};

Result<void> LocalExecutor::Impl::open() {
    const std::string runs = options_.data_dir + "/runs";
    WEIR_CHECK(make_folder(options_.data_dir));
    WEIR_CHECK(make_folder(runs));
    if (::access(options_.shepherd.c_str(), X_OK) != 0) {
        return fail(Code::unavailable,
                    "the program " + options_.shepherd +
                        ", which keeps running jobs, cannot be executed: " + std::strerror(errno));
    }
    if (options_.delegation.usable()) {
        WEIR_TRY(const std::string id, hub_id(options_.data_dir));
        branch_ = take_branch(options_.delegation, id);
        if (!branch_.usable()) log::warn("memory limits are not enforced: " + branch_.detail);
    }
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    socket_ = open_socket(runs);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = wake_token;
    if (epoll_ < 0 || wake_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) {
        return fail(Code::io, std::string("cannot wait for processes: ") + std::strerror(errno));
    }
    event.data.u64 = socket_token;
    if (socket_ >= 0) ::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket_, &event);
    thread_ = std::thread([this] { loop(); });
    return {};
}

LocalExecutor::Impl::~Impl() {
    if (thread_.joinable()) {
        {
            const std::lock_guard lock(mutex_);
            quit_ = true;
        }
        wake();
        thread_.join();
    }
    for (const auto& [attempt, watch] : watches_) {
        if (watch.pidfd >= 0) ::close(watch.pidfd);
    }
    for (const int fd : {epoll_, wake_, socket_}) {
        if (fd >= 0) ::close(fd);
    }
    // Stays while an attempt runs in it.
    if (branch_.usable()) ::rmdir(branch_.folder.c_str());
}

void LocalExecutor::Impl::wake() const {
    const std::uint64_t one = 1;
    const ssize_t ignored = ::write(wake_, &one, sizeof one);
    (void)ignored;
}

// ---- The port ----------------------------------------------------------------------------------

Result<void> LocalExecutor::Impl::start(const Launch& launch) {
    WEIR_CHECK(check_launch(launch));
    {
        const std::lock_guard lock(mutex_);
        if (!watches_.try_emplace(launch.attempt).second) return {};  // asked before
    }
    const std::string folder = folder_of(launch.attempt);
    Result<void> outcome = make_folder(folder);
    if (outcome) {
        const RunState state = read_run_state(folder, launch.attempt);
        if (!state.doubt.empty()) {
            outcome = fail(Code::io, state.doubt);
        } else if (state.started || state.kept) {
            watch_pidfd(launch.attempt, watch_shepherd(folder), 0);
        } else {
            outcome = launch_shepherd(launch, folder);
        }
    }
    if (!outcome) {
        const std::lock_guard lock(mutex_);
        watches_.erase(launch.attempt);
        return fail(std::move(outcome).error().at("attempt " + text_of(launch.attempt)));
    }
    ready(launch.attempt);
    return {};
}

Result<void> LocalExecutor::Impl::launch_shepherd(const Launch& launch, const std::string& folder) {
    std::string cgroup;
    if (launch.memory_limit.count > 0 && branch_.usable()) {
        WEIR_TRY(cgroup, make_attempt_cgroup(branch_, launch.attempt, launch.memory_limit));
    }
    WEIR_CHECK(make_links(launch));
    // Renamed into place: a shepherd of an earlier, interrupted start may be reading it.
    WEIR_CHECK(write_whole(folder + "/" + protocol::script_file, launch.script, 0700));
    WEIR_TRY(
        const pid_t pid,
        spawn_shepherd(
            options_.shepherd, folder, encode_launch(launch, folder, cgroup, open_files_at_start)));
    watch_pidfd(launch.attempt, static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)), pid);
    return {};
}

// From now on the thread may draw conclusions about the attempt; it looks once, in case that
// something happened before it was told.
void LocalExecutor::Impl::ready(AttemptId attempt) {
    {
        const std::lock_guard lock(mutex_);
        const auto at = watches_.find(attempt);
        if (at == watches_.end()) return;
        at->second.starting = false;
        if (at->second.child != 0 && at->second.pidfd >= 0) return;  // will be heard
        look_at_.push_back(attempt);
    }
    wake();
}

void LocalExecutor::Impl::watch_pidfd(AttemptId attempt, int pidfd, pid_t child) {
    const std::lock_guard lock(mutex_);
    const auto at = watches_.find(attempt);
    if (at == watches_.end()) {  // forgotten while we looked
        if (pidfd >= 0) ::close(pidfd);
        return;
    }
    Watch& watch = at->second;
    if (child != 0) {
        watch.child = child;
        watch.spawned = true;
    }
    if (pidfd < 0) return;  // ended already, or no descriptor is left: the rescan sees to it
    if (watch.pidfd >= 0) ::close(watch.pidfd);
    by_token_.erase(watch.token);
    watch.pidfd = pidfd;
    watch.token = next_token_++;
    by_token_[watch.token] = attempt;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = watch.token;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, pidfd, &event);
}

Result<void> LocalExecutor::Impl::stop(AttemptId attempt, const Stop& how) {
    const std::string folder = folder_of(attempt);
    if (::access(folder.c_str(), F_OK) != 0) {
        return fail(Code::not_found, "attempt " + text_of(attempt) + " was never started here");
    }
    // The file first and the signal second: a shepherd that gets ready in between looks itself.
    std::string wish = std::to_string(std::max<std::int64_t>(how.grace.count(), 0));
    if (how.save_signal > 0) {
        wish += " " + std::to_string(how.save_signal) + " " +
                std::to_string(std::max<std::int64_t>(how.save_time.count(), 0));
    }
    WEIR_CHECK(write_whole(folder + "/" + protocol::stop_file, wish + "\n", 0644));
    {
        const std::lock_guard lock(mutex_);
        const auto at = watches_.find(attempt);
        if (at != watches_.end()) at->second.stopping = true;
    }
    wake_shepherd(folder);
    return {};
}

Found LocalExecutor::Impl::find(AttemptId attempt) {
    const RunState state = read_run_state(folder_of(attempt), attempt);
    Found found;
    found.presence = Presence::running;
    bool fresh = false;
    {
        const std::lock_guard lock(mutex_);
        const auto at = watches_.find(attempt);
        const bool waited_for = at != watches_.end() && !at->second.given;
        if (!state.ended && (state.kept || waited_for)) {
            // Waited for but without a lock: its shepherd has only just been spawned, or is gone
            // and the thread is about to say so.
            if (at == watches_.end()) adopt(attempt);
            return found;
        }
        if (at != watches_.end() && at->second.unwritten) {
            return {.presence = Presence::ended, .end = *at->second.unwritten};
        }
        if (!state.started) return {};
        fresh = at != watches_.end();
        if (state.ended) {
            if (waited_for) at->second.given = true;
            return {.presence = Presence::ended, .end = state.end};
        }
    }
    auto end = lost_end(state, attempt, fresh);
    const std::lock_guard lock(mutex_);
    const auto at = watches_.find(attempt);
    if (end) {
        if (at != watches_.end()) at->second.given = true;
        return {.presence = Presence::lost, .end = *std::move(end)};
    }
    if (at == watches_.end()) adopt(attempt);
    return found;
}

// Requires: mutex_ is held, and nobody waits for the attempt.
void LocalExecutor::Impl::adopt(AttemptId attempt) {
    watches_[attempt].starting = false;
    look_at_.push_back(attempt);
    wake();
}

std::optional<AttemptEnd> LocalExecutor::Impl::lost_end(const RunState& state,
                                                        AttemptId attempt,
                                                        bool fresh) {
    const auto killed = kill_leftovers(folder_of(attempt), fresh);
    if (!killed) {
        doubt(attempt, "the processes of this machine cannot be listed");
        return std::nullopt;
    }
    remove_attempt_cgroup(attempt_cgroup(branch_, attempt));
    AttemptEnd end;
    end.attempt = attempt;
    end.kind = EndKind::lost;
    end.ended_at = wall_now();
    end.started_at = end.ended_at;
    end.detail = state.damage.empty() ? "its shepherd is gone and left no word of how it ended"
                                      : state.damage;
    if (*killed > 0) {
        end.detail += "; " + std::to_string(*killed) + " processes were left and killed";
    }
    return end;
}

// Nothing is concluded from it; a person may want to know why nothing happens.
void LocalExecutor::Impl::doubt(AttemptId attempt, const std::string& why) {
    {
        const std::lock_guard lock(mutex_);
        const auto at = watches_.find(attempt);
        if (at == watches_.end() || std::exchange(at->second.doubt_told, true)) return;
    }
    log::warn("whether attempt " + text_of(attempt) +
              " still runs cannot be told at the moment, so it counts as running: " + why);
}

void LocalExecutor::Impl::forget(AttemptId attempt) {
    const std::lock_guard lock(mutex_);
    const auto at = watches_.find(attempt);
    if (at == watches_.end()) return;
    at->second.given = at->second.forgotten = true;
    if (at->second.pidfd < 0 && at->second.child == 0) watches_.erase(at);
}

// ---- The thread --------------------------------------------------------------------------------

void LocalExecutor::Impl::loop() {
    using SteadyClock = std::chrono::steady_clock;
    const auto pause = std::chrono::milliseconds(options_.rescan.count());
    auto next_scan = SteadyClock::now() + pause;
    std::vector<epoll_event> events(64);
    while (true) {
        const auto wait =
            std::chrono::duration_cast<std::chrono::milliseconds>(next_scan - SteadyClock::now());
        const int timeout = static_cast<int>(std::clamp<std::int64_t>(wait.count(), 0, 60000));
        const int count =
            ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout);
        // Ends first, then collecting: the datagram of a shepherd comes before its death.
        for (int i = 0; i < count; ++i) {
            if (events[static_cast<std::size_t>(i)].data.u64 == socket_token) read_datagrams();
        }
        for (int i = 0; i < count; ++i) {
            const std::uint64_t token = events[static_cast<std::size_t>(i)].data.u64;
            if (token == wake_token) {
                std::uint64_t ignored_count = 0;
                const ssize_t ignored = ::read(wake_, &ignored_count, sizeof ignored_count);
                (void)ignored;
            } else if (token >= first_token) {
                shepherd_ended(token);
            }
        }
        std::vector<AttemptId> look_at;
        {
            const std::lock_guard lock(mutex_);
            if (quit_) return;
            look_at.swap(look_at_);
        }
        for (const AttemptId attempt : look_at)
            examine(attempt);
        if (SteadyClock::now() >= next_scan) {
            const auto began = SteadyClock::now();
            rescan();
            // With thousands of attempts a scan takes time; it never takes more than a tenth.
            const auto took = SteadyClock::now() - began;
            next_scan = SteadyClock::now() + std::max<SteadyClock::duration>(pause, took * 10);
        }
    }
}

void LocalExecutor::Impl::read_datagrams() {
    char text[64];
    while (true) {
        const ssize_t size = ::recv(socket_, text, sizeof text, MSG_DONTWAIT);
        if (size <= 0) return;
        // Anybody may send anything here, so it is a hint to look, never a fact.
        const auto attempt = parse_attempt({text, static_cast<std::size_t>(size)});
        if (attempt) examine(*attempt);
    }
}

void LocalExecutor::Impl::shepherd_ended(std::uint64_t token) {
    AttemptId attempt;
    {
        const std::lock_guard lock(mutex_);
        const auto named = by_token_.find(token);
        if (named == by_token_.end()) return;
        attempt = named->second;
        Watch& watch = watches_[attempt];
        siginfo_t news{};
        // ECHILD for an adopted shepherd: then it is not ours to collect.
        if (watch.child != 0 &&
            ::waitid(by_pidfd, static_cast<id_t>(watch.pidfd), &news, WEXITED | WNOHANG) == 0) {
            watch.exit_status =
                news.si_code == CLD_EXITED ? (news.si_status & 0xff) << 8 : news.si_status & 0x7f;
        } else {
            ::waitid(by_pidfd, static_cast<id_t>(watch.pidfd), &news, WEXITED | WNOHANG);
        }
        ::close(watch.pidfd);
        watch.pidfd = -1;
        watch.child = 0;
        by_token_.erase(named);
        if (watch.forgotten) {
            watches_.erase(attempt);
            return;
        }
        if (watch.given || watch.starting) return;  // start() looks when it is through
    }
    examine(attempt);
}

// Looks at the folder of an attempt that we wait for and gives its end, if it has one.
void LocalExecutor::Impl::examine(AttemptId attempt) {
    const std::string folder = folder_of(attempt);
    bool child_lives = false;
    bool spawned = false;
    int exit_status = 0;
    {
        const std::lock_guard lock(mutex_);
        const auto at = watches_.find(attempt);
        if (at == watches_.end() || at->second.given || at->second.starting) return;
        Watch& watch = at->second;
        if (watch.child != 0 && watch.pidfd < 0) {
            // No descriptor was left to hear of its end.
            int status = 0;
            if (::waitpid(watch.child, &status, WNOHANG) != 0) {
                watch.child = 0;
                watch.exit_status = status;
            }
        }
        child_lives = watch.child != 0;
        spawned = watch.spawned;
        exit_status = watch.exit_status;
    }

    const RunState state = read_run_state(folder, attempt);
    std::optional<AttemptEnd> end;
    bool unwritten = false;
    if (state.ended) {
        end = state.end;
    } else if (!state.doubt.empty()) {
        return doubt(attempt, state.doubt);  // the rescan looks again
    } else if (state.kept) {
        bool needs_watch = false;
        bool stopping = false;
        {
            const std::lock_guard lock(mutex_);
            const auto at = watches_.find(attempt);
            if (at == watches_.end()) return;
            needs_watch = at->second.pidfd < 0;
            stopping = at->second.stopping;
        }
        if (stopping) wake_shepherd(folder);
        if (!needs_watch) return;
        const int pidfd = watch_shepherd(folder);
        if (pidfd >= 0) {
            watch_pidfd(attempt, pidfd, 0);
        } else if (!read_run_state(folder, attempt).kept) {
            examine(attempt);  // it ended while we looked
        }
        return;
    } else if (child_lives) {
        return;  // on its way to the lock
    } else if (state.started) {
        end = lost_end(state, attempt, true);
        if (!end) return;
    } else if (spawned) {
        unwritten = true;
        end.emplace();
        end->attempt = attempt;
        end->kind = EndKind::not_started;
        end->machine_failed = true;
        end->started_at = end->ended_at = wall_now();
        end->detail = why_not_begun(exit_status);
    } else {
        // What was adopted turns out never to have begun: whoever asks may start it.
        const std::lock_guard lock(mutex_);
        const auto at = watches_.find(attempt);
        if (at != watches_.end() && at->second.pidfd < 0) watches_.erase(at);
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        const auto at = watches_.find(attempt);
        if (at == watches_.end() || at->second.given) return;
        at->second.given = true;
        if (unwritten) at->second.unwritten = end;
    }
    on_end_(*end);
}

void LocalExecutor::Impl::rescan() {
    std::vector<AttemptId> waited_for;
    {
        const std::lock_guard lock(mutex_);
        for (auto at = watches_.begin(); at != watches_.end();) {
            Watch& watch = at->second;
            if (!watch.given) waited_for.push_back(at->first);
            // A child without descriptor whose end was given still has to be collected.
            if (watch.given && watch.pidfd < 0 && watch.child != 0 &&
                ::waitpid(watch.child, nullptr, WNOHANG) != 0) {
                watch.child = 0;
            }
            if (watch.forgotten && watch.pidfd < 0 && watch.child == 0) {
                at = watches_.erase(at);
            } else {
                ++at;
            }
        }
    }
    for (const AttemptId attempt : waited_for)
        examine(attempt);
}

// ---- LocalExecutor -----------------------------------------------------------------------------

LocalExecutor::LocalExecutor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalExecutor::~LocalExecutor() = default;

Result<std::unique_ptr<LocalExecutor>> LocalExecutor::open(Options options, OnEnd on_end) {
    if (options.data_dir.empty() || options.data_dir.front() != '/') {
        return fail(Code::invalid, "data folder '" + options.data_dir + "' is not absolute");
    }
    if (options.shepherd.empty()) options.shepherd = default_shepherd_path();
    auto impl = std::make_unique<Impl>(std::move(options), std::move(on_end));
    WEIR_CHECK(impl->open());
    return std::unique_ptr<LocalExecutor>(new LocalExecutor(std::move(impl)));
}

Result<void> LocalExecutor::start(const Launch& launch) {
    return impl_->start(launch);
}
Result<void> LocalExecutor::stop(AttemptId attempt, const Stop& how) {
    return impl_->stop(attempt, how);
}
Found LocalExecutor::find(AttemptId attempt) {
    return impl_->find(attempt);
}
void LocalExecutor::forget(AttemptId attempt) {
    impl_->forget(attempt);
}
std::string LocalExecutor::folder_of(AttemptId attempt) const {
    return impl_->folder_of(attempt);
}

}  // namespace weir::exec
