// weir-shepherd RUN_FOLDER: owns the processes of one attempt on this machine.
//
// The idea: whoever holds the lock of the state file and finds it empty runs the attempt; nobody
// can do that twice, so an attempt runs at most once however often it is asked for. The
// shepherd then waits for output, for ends of processes and for the clock in one loop, and says
// how it all ended in one file. It belongs to no hub: the hub may die, come back and find it.
//
//     running --a task fails, the limit passes, stop--> ending (SIGTERM to the whole tree)
//        \--all tasks ended--> sweeping <--grace is over--/
//                              (SIGKILL to whatever is left)
//
// Ending lasts until nothing is left below, not until the tasks are gone: a shell dies of SIGTERM
// at once, while the program that it started is still writing its checkpoint. Before an end that
// was asked for there may be another state, saving, in which that signal alone was sent.
//
// It links nothing but libc, so that it starts in a millisecond and stays small.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "weir/exec/shepherd_launch.hpp"
#include "weir/exec/shepherd_output.hpp"
#include "weir/exec/shepherd_protocol.hpp"
#include "weir/exec/shepherd_task.hpp"
#include "weir/exec/shepherd_tree.hpp"

namespace weir::exec::shepherd {
namespace {

constexpr int64_t never_ms = INT64_MAX;
constexpr int64_t sweep_every_ms = 20;
constexpr int64_t sweep_patience_ms = 60000;  // processes stuck in the kernel cannot be killed

enum class Phase { running, saving, ending, sweeping };

struct Shepherd {
    const char* run_path = "";
    int run_folder = -1;
    int state_file = -1;
    LaunchPlan plan;
    Output output;
    Task* tasks = nullptr;
    int alive = 0;
    int signals = -1;
    int error_pipe[2] = {-1, -1};

    Phase phase = Phase::running;
    bool signalled = false;  // the tree was asked politely
    int64_t started_at_ms = 0;
    int64_t limit_at = never_ms;
    int64_t stop_at = never_ms;  // when saving is to be over
    int64_t stop_grace_ms = 0;   // for the end that follows
    int64_t kill_at = never_ms;
    int64_t sweeping_since = never_ms;

    const char* kind = "exited";
    bool machine_failed = false;  // not_started for no fault of the job
    int failed = -1;              // the first task that failed
    char detail[512] = "";
};

int64_t clock_ms(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1000000;
}
int64_t now_ms() {
    return clock_ms(CLOCK_MONOTONIC);
}

int64_t later(int64_t from, int64_t wait) {
    return wait >= never_ms - from ? never_ms : from + (wait < 0 ? 0 : wait);
}

char* read_all(int fd, uint64_t& size) {
    uint64_t room = 16384;
    auto* bytes = static_cast<char*>(malloc(room));
    size = 0;
    while (bytes != nullptr) {
        const ssize_t got = read(fd, bytes + size, room - size - 1);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        size += static_cast<uint64_t>(got);
        if (room - size > 1) continue;
        room *= 2;
        bytes = static_cast<char*>(realloc(bytes, room));
    }
    return bytes;
}

char* read_file(const char* path, uint64_t& size) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return nullptr;
    char* const bytes = read_all(fd, size);
    close(fd);
    return bytes;
}

// ---- Before the first task -------------------------------------------------------------------

void leave_the_hub_behind() {
    setsid();
    close_range(3, ~0U, 0);
    const int nothing = open("/dev/null", O_RDWR);
    if (nothing >= 0) {
        for (int fd = 0; fd < 3; ++fd)
            dup2(nothing, fd);
        if (nothing > 2) close(nothing);
    }
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

bool take_lock(Shepherd& shepherd) {
    // Kept open for life. The lock belongs to this open file and not to the process, which would
    // lose it by closing any other descriptor of the file.
    shepherd.state_file = open(protocol::state_file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (shepherd.state_file < 0) _exit(protocol::exit_lock);
    struct flock wish {};
    wish.l_type = F_WRLCK;
    wish.l_whence = SEEK_SET;
    int taken = fcntl(shepherd.state_file, F_OFD_SETLK, &wish);
    // Some kernels that only look like Linux know the older kind of lock alone.
    if (taken != 0 && errno == EINVAL) taken = fcntl(shepherd.state_file, F_SETLK, &wish);
    if (taken == 0) return true;
    if (errno == EACCES || errno == EAGAIN) return false;
    _exit(protocol::exit_lock);
}

// Some file systems have nothing to synchronise for a folder and say so.
bool on_disk(int fd) {
    return fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP;
}

// Nothing has had an effect yet, so the attempt may as well count as never started.
[[noreturn]] void give_up_the_fence(const Shepherd& shepherd) {
    const int ignored = ftruncate(shepherd.state_file, 0);
    (void)ignored;
    _exit(protocol::exit_fence);
}

bool pass_fence(Shepherd& shepherd) {
    struct stat facts {};
    if (fstat(shepherd.state_file, &facts) != 0) _exit(protocol::exit_fence);
    if (facts.st_size != 0) return false;
    shepherd.started_at_ms = clock_ms(CLOCK_REALTIME);
    ProcessEntry self;
    read_process(getpid(), self);
    char text[128];
    const int length = snprintf(text,
                                sizeof text,
                                "shepherd %d %llu\nstarted_ms %lld\n",
                                static_cast<int>(getpid()),
                                static_cast<unsigned long long>(self.start_ticks),
                                static_cast<long long>(shepherd.started_at_ms));
    if (write(shepherd.state_file, text, static_cast<size_t>(length)) != length) {
        give_up_the_fence(shepherd);
    }
    // The fence must also hold across a power cut: on disk before anything has an effect.
    const int runs = open("..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (runs < 0 || !on_disk(shepherd.state_file) || !on_disk(shepherd.run_folder) ||
        !on_disk(runs)) {
        give_up_the_fence(shepherd);
    }
    close(runs);
    return true;
}

// ---- The end ---------------------------------------------------------------------------------

void tell_the_hub(const Shepherd& shepherd) {
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    // Relative to the run folder: a path of any depth fits into an address.
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path, sizeof address.sun_path, "../%s", protocol::hub_socket);
    const char* const attempt = shepherd.plan.attempt;
    sendto(fd,
           attempt,
           strlen(attempt),
           MSG_DONTWAIT | MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address),
           sizeof address);
    close(fd);
}

bool memory_was_hit(const Shepherd& shepherd) {
    if (shepherd.plan.cgroup[0] == '\0') return false;
    char path[4096];
    snprintf(path, sizeof path, "%s/memory.events", shepherd.plan.cgroup);
    uint64_t size = 0;
    char* const text = read_file(path, size);
    if (text == nullptr) return false;
    text[size] = '\0';
    const char* const line = strstr(text, "oom_kill ");
    const bool hit = line != nullptr && atoll(line + 9) > 0;
    free(text);
    return hit;
}

void write_end(Shepherd& shepherd) {
    // Readers see the end whole or not at all: until its last line is there, its sum is wrong.
    const size_t room = 4096 + static_cast<size_t>(shepherd.plan.task_count) * 128;
    char* const text = static_cast<char*>(malloc(room));
    if (text == nullptr) _exit(protocol::exit_fence);
    rusage all{};
    getrusage(RUSAGE_CHILDREN, &all);
    const int64_t cpu_ms = (all.ru_utime.tv_sec + all.ru_stime.tv_sec) * 1000 +
                           (all.ru_utime.tv_usec + all.ru_stime.tv_usec) / 1000;
    Task none;
    const bool has_failed = shepherd.failed >= 0 && shepherd.tasks != nullptr;
    const Task& failed = has_failed ? shepherd.tasks[shepherd.failed] : none;
    const int rank = has_failed ? shepherd.plan.tasks[shepherd.failed].rank : 0;
    for (char* c = shepherd.detail; *c != '\0'; ++c) {
        if (*c == '\n') *c = ' ';
    }
    size_t length = static_cast<size_t>(
        snprintf(text,
                 room,
                 "%s\nkind %s\nexit_code %d\nsignal %d\nrank %d\nstarted_ms %lld\nended_ms %lld\n"
                 "max_rss_bytes %lld\ncpu_ms %lld\noutput_cut %d\ndetail %s\n",
                 protocol::end_magic,
                 shepherd.kind,
                 failed.exit_code,
                 failed.signal,
                 rank,
                 static_cast<long long>(shepherd.started_at_ms),
                 static_cast<long long>(clock_ms(CLOCK_REALTIME)),
                 static_cast<long long>(all.ru_maxrss) * 1024,
                 static_cast<long long>(cpu_ms),
                 any_cut(shepherd.output) ? 1 : 0,
                 shepherd.detail));
    if (shepherd.machine_failed) {
        length += static_cast<size_t>(snprintf(text + length, room - length, "machine_failed 1\n"));
    }
    for (int i = 0; shepherd.tasks != nullptr && i < shepherd.plan.task_count; ++i) {
        const Task& task = shepherd.tasks[i];
        length += static_cast<size_t>(snprintf(text + length,
                                               room - length,
                                               "task %d %d %d %lld %lld\n",
                                               shepherd.plan.tasks[i].rank,
                                               task.exit_code,
                                               task.signal,
                                               static_cast<long long>(task.max_rss_bytes),
                                               static_cast<long long>(task.cpu_ms)));
    }
    length += static_cast<size_t>(
        snprintf(text + length,
                 room - length,
                 "sum %016llx\n",
                 static_cast<unsigned long long>(protocol::checksum(text, length))));

    struct stat before {};
    fstat(shepherd.state_file, &before);
    // A full disk must not turn a finished attempt into a lost one at once: try for a minute.
    for (int patience = 30; patience > 0; --patience) {
        if (write(shepherd.state_file, text, length) == static_cast<ssize_t>(length)) break;
        if (ftruncate(shepherd.state_file, before.st_size) != 0) break;
        sleep(2);
    }
    tell_the_hub(shepherd);
    fdatasync(shepherd.state_file);
    if (shepherd.plan.cgroup[0] != '\0') rmdir(shepherd.plan.cgroup);
}

// The largest process is what the kernel counts when nobody set a limit: less than all together,
// so what is said is certain.
void tell_of_memory(Shepherd& shepherd) {
    rusage all{};
    getrusage(RUSAGE_CHILDREN, &all);
    const int64_t used = static_cast<int64_t>(all.ru_maxrss) * 1024;
    const int64_t asked = shepherd.plan.memory_asked;
    if (asked <= 0 || used <= asked || shepherd.detail[0] != '\0') return;
    constexpr int64_t mebibyte = 1 << 20;
    snprintf(shepherd.detail,
             sizeof shepherd.detail,
             "one process used %lldMiB where %lldMiB were asked for in all; memory limits are not "
             "enforced here (weir doctor)",
             static_cast<long long>((used + mebibyte - 1) / mebibyte),
             static_cast<long long>((asked + mebibyte - 1) / mebibyte));
}

enum class Fault { job, machine };

[[noreturn]] void end_not_started(Shepherd& shepherd,
                                  Fault fault,
                                  const char* sentence,
                                  const char* name) {
    shepherd.kind = "not_started";
    shepherd.machine_failed = fault == Fault::machine;
    snprintf(shepherd.detail,
             sizeof shepherd.detail,
             "%s%s%s",
             sentence,
             name[0] == '\0' ? "" : " ",
             name);
    write_end(shepherd);
    _exit(0);
}

// ---- While tasks run -------------------------------------------------------------------------

void kill_everything(Shepherd& shepherd) {
    if (shepherd.plan.cgroup[0] != '\0') {
        char path[4096];
        snprintf(path, sizeof path, "%s/cgroup.kill", shepherd.plan.cgroup);
        const int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0) {
            const ssize_t ignored = write(fd, "1", 1);
            (void)ignored;
            close(fd);
        }
    }
    freeze_below(getpid());
    signal_below(getpid(), SIGKILL);
}

// A child that was forked while we look would miss the signal and outlast its parent until the
// grace is over; sent twice, it would disturb a program that is already saving.
void signal_everything(int signal) {
    freeze_below(getpid());
    signal_below(getpid(), signal);
    signal_below(getpid(), SIGCONT);
}

void begin_ending(Shepherd& shepherd, const char* kind, int64_t grace_ms) {
    const int64_t kill_at = later(now_ms(), grace_ms);
    if (shepherd.phase == Phase::running || shepherd.phase == Phase::saving) {
        shepherd.phase = Phase::ending;
        shepherd.kind = kind;
        shepherd.kill_at = kill_at;
    } else if (shepherd.phase == Phase::ending && kill_at < shepherd.kill_at) {
        shepherd.kill_at = kill_at;
    }
    if (!shepherd.signalled) {
        shepherd.signalled = true;
        signal_everything(SIGTERM);
    }
}

// Asks the attempt to save what it has done. Whatever ends from now on was stopped.
void begin_saving(Shepherd& shepherd, int signal, int64_t save_ms, int64_t grace_ms) {
    if (shepherd.phase != Phase::running) return;
    shepherd.phase = Phase::saving;
    shepherd.kind = "stopped";
    shepherd.stop_at = later(now_ms(), save_ms);
    shepherd.stop_grace_ms = grace_ms;
    signal_everything(signal);
}

// SIGTERM means: look whether somebody asked for the end.
void look_for_stop(Shepherd& shepherd, bool signalled) {
    uint64_t size = 0;
    char* const text = read_file(protocol::stop_file, size);
    if (text != nullptr) {
        text[size] = '\0';
        long long grace_ms = 0;
        int signal = 0;
        long long save_ms = 0;
        const int read = sscanf(text, "%lld %d %lld", &grace_ms, &signal, &save_ms);
        if (read == 3 && signal > 0) {
            begin_saving(shepherd, signal, save_ms, grace_ms);
        } else {
            begin_ending(shepherd, "stopped", grace_ms);
        }
        free(text);
    } else if (signalled && shepherd.phase == Phase::running) {
        snprintf(shepherd.detail,
                 sizeof shepherd.detail,
                 "the shepherd got SIGTERM from outside weir; the machine may be shutting down");
        begin_ending(shepherd, "lost", shepherd.plan.grace_ms);
    }
}

void read_start_errors(Shepherd& shepherd) {
    StartError error;
    while (read(shepherd.error_pipe[0], &error, sizeof error) == sizeof error) {
        if (strcmp(shepherd.kind, "not_started") == 0) continue;
        if (shepherd.phase != Phase::running) continue;
        error.sentence[sizeof error.sentence - 1] = '\0';
        snprintf(shepherd.detail, sizeof shepherd.detail, "%s", error.sentence);
        shepherd.failed = -1;
        shepherd.machine_failed = error.machine_failed;
        begin_ending(shepherd, "not_started", 0);
    }
}

void task_ended(Shepherd& shepherd, int index, int status, const rusage& usage) {
    Task& task = shepherd.tasks[index];
    task.alive = false;
    --shepherd.alive;
    if (WIFEXITED(status)) task.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) task.signal = WTERMSIG(status);
    task.max_rss_bytes = static_cast<int64_t>(usage.ru_maxrss) * 1024;
    task.cpu_ms = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                  (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
    if (task.exit_code == 0 && task.signal == 0) return;
    read_start_errors(shepherd);
    if (shepherd.failed < 0 && strcmp(shepherd.kind, "not_started") != 0) shepherd.failed = index;
    if (shepherd.phase == Phase::running && shepherd.alive > 0) {
        snprintf(shepherd.detail,
                 sizeof shepherd.detail,
                 "rank %d failed, so the other %d of the gang were ended",
                 shepherd.plan.tasks[index].rank,
                 shepherd.alive);
        begin_ending(shepherd, "exited", shepherd.plan.grace_ms);
    }
}

// Collects whoever died. False when no process is left below.
bool reap(Shepherd& shepherd) {
    while (true) {
        int status = 0;
        rusage usage{};
        const pid_t pid = wait4(-1, &status, WNOHANG, &usage);
        if (pid == 0) return true;
        if (pid < 0) {
            if (errno == EINTR) continue;
            return false;
        }
        for (int i = 0; i < shepherd.plan.task_count; ++i) {
            if (shepherd.tasks[i].alive && shepherd.tasks[i].pid == pid) {
                task_ended(shepherd, i, status, usage);
                break;
            }
        }
    }
}

void start_tasks(Shepherd& shepherd) {
    const LaunchPlan& plan = shepherd.plan;
    Interpreter interpreter;
    if (!read_interpreter(protocol::script_file, interpreter)) {
        end_not_started(shepherd, Fault::machine, "the script cannot be read:", strerror(errno));
    }
    shepherd.output.limit = plan.output_limit;
    TaskSetting setting;
    setting.run_path = shepherd.run_path;
    setting.error_pipe = shepherd.error_pipe[1];
    setting.state_file = shepherd.state_file;
    if (plan.cgroup[0] != '\0') {
        char path[4096];
        snprintf(path, sizeof path, "%s/cgroup.procs", plan.cgroup);
        setting.cgroup_procs = open(path, O_WRONLY | O_CLOEXEC);
        if (setting.cgroup_procs < 0) {
            end_not_started(shepherd,
                            Fault::machine,
                            "the cgroup of the attempt cannot be used:",
                            strerror(errno));
        }
    }
    shepherd.tasks = static_cast<Task*>(calloc(static_cast<size_t>(plan.task_count), sizeof(Task)));
    int* const stream_of =
        static_cast<int*>(calloc(static_cast<size_t>(plan.task_count) * 2, sizeof(int)));
    if (shepherd.tasks == nullptr || stream_of == nullptr) {
        end_not_started(shepherd, Fault::machine, "out of memory", "");
    }
    for (int i = 0; i < plan.task_count * 2; ++i) {
        const LaunchTask& task = plan.tasks[i / 2];
        const char* const path = i % 2 == 0 ? task.stdout_path : task.stderr_path;
        if (is_own_file(path)) {
            end_not_started(shepherd,
                            Fault::job,
                            "the output file is one in which weir itself keeps account of the "
                            "attempt; choose another name than",
                            path);
        }
        stream_of[i] = open_stream(shepherd.output, path);
        if (stream_of[i] < 0) {
            const Fault fault = is_of_machine(errno) ? Fault::machine : Fault::job;
            char name[400];
            snprintf(name, sizeof name, "%.300s: %s", path, strerror(errno));
            end_not_started(shepherd, fault, "the output file cannot be opened:", name);
        }
    }
    for (int i = 0; i < plan.task_count; ++i) {
        const Stream* const streams = shepherd.output.streams;
        const pid_t pid = start_task(setting,
                                     interpreter,
                                     plan,
                                     i,
                                     streams[stream_of[2 * i]].write_end,
                                     streams[stream_of[2 * i + 1]].write_end);
        if (pid < 0) {
            snprintf(shepherd.detail,
                     sizeof shepherd.detail,
                     "rank %d cannot be started, the machine refuses another process: %s",
                     plan.tasks[i].rank,
                     strerror(errno));
            shepherd.machine_failed = true;
            begin_ending(shepherd, "not_started", 0);
            break;
        }
        shepherd.tasks[i].pid = pid;
        shepherd.tasks[i].alive = true;
        ++shepherd.alive;
        // For whoever has to clean up after a shepherd that was killed.
        dprintf(shepherd.state_file, "task %d %d\n", plan.tasks[i].rank, static_cast<int>(pid));
    }
    close_write_ends(shepherd.output);
    if (setting.cgroup_procs >= 0) close(setting.cgroup_procs);
    free(stream_of);
}

int wait_ms(const Shepherd& shepherd) {
    int64_t at = never_ms;
    if (shepherd.phase == Phase::running) at = shepherd.limit_at;
    if (shepherd.phase == Phase::saving) at = shepherd.stop_at;
    if (shepherd.phase == Phase::ending) at = shepherd.kill_at;
    if (shepherd.phase == Phase::sweeping) return static_cast<int>(sweep_every_ms);
    if (at == never_ms) return -1;
    const int64_t wait = at - now_ms();
    if (wait <= 0) return 0;
    return wait > 86400000 ? 86400000 : static_cast<int>(wait);
}

void wait_for_something(Shepherd& shepherd, pollfd* polled) {
    Output& output = shepherd.output;
    nfds_t count = 0;
    polled[count++] = pollfd{shepherd.signals, POLLIN, 0};
    for (int i = 0; i < output.count; ++i) {
        polled[count++] = pollfd{output.streams[i].read_end, POLLIN, 0};  // -1 is passed over
    }
    if (poll(polled, count, wait_ms(shepherd)) <= 0) return;
    for (int i = 0; i < output.count; ++i) {
        if (polled[i + 1].revents != 0) copy_some(output, output.streams[i]);
    }
    signalfd_siginfo news{};
    while (polled[0].revents != 0 && read(shepherd.signals, &news, sizeof news) == sizeof news) {
        if (news.ssi_signo == SIGTERM) look_for_stop(shepherd, true);
    }
}

void watch(Shepherd& shepherd) {
    auto* const polled = static_cast<pollfd*>(
        calloc(static_cast<size_t>(shepherd.output.count) + 1, sizeof(pollfd)));
    if (polled == nullptr) _exit(protocol::exit_launch);
    while (reap(shepherd)) {
        const int64_t now = now_ms();
        if (shepherd.alive == 0 && shepherd.phase == Phase::running) {
            shepherd.phase = Phase::sweeping;
        }
        if (shepherd.phase == Phase::running && now >= shepherd.limit_at) {
            begin_ending(shepherd, "time_limit", shepherd.plan.grace_ms);
        }
        // What is left below a shell that died of the signal is still saving.
        if (shepherd.phase == Phase::saving && now >= shepherd.stop_at) {
            begin_ending(shepherd, "stopped", shepherd.stop_grace_ms);
        }
        if (shepherd.phase == Phase::ending && now >= shepherd.kill_at) {
            shepherd.phase = Phase::sweeping;
        }
        if (shepherd.phase == Phase::sweeping) {
            if (shepherd.sweeping_since == never_ms) shepherd.sweeping_since = now;
            if (now - shepherd.sweeping_since > sweep_patience_ms) {
                snprintf(shepherd.detail,
                         sizeof shepherd.detail,
                         "%d processes did not die of SIGKILL within a minute and were left behind",
                         signal_below(getpid(), 0));
                return;
            }
            kill_everything(shepherd);
        }
        wait_for_something(shepherd, polled);
    }
}

[[noreturn]] void run(const char* run_path) {
    Shepherd shepherd;
    shepherd.run_path = run_path;
    uint64_t size = 0;
    const char* const launch = read_all(0, size);
    leave_the_hub_behind();
    if (chdir(run_path) != 0) _exit(protocol::exit_folder);
    shepherd.run_folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (shepherd.run_folder < 0) _exit(protocol::exit_folder);
    if (!take_lock(shepherd)) _exit(0);
    if (launch == nullptr) _exit(protocol::exit_launch);
    const char* const wrong = read_launch(launch, size, shepherd.plan);
    if (!pass_fence(shepherd)) _exit(0);
    if (wrong != nullptr) end_not_started(shepherd, Fault::machine, wrong, "");

    sigset_t heard;
    sigemptyset(&heard);
    sigaddset(&heard, SIGCHLD);
    sigaddset(&heard, SIGTERM);
    shepherd.signals = signalfd(-1, &heard, SFD_NONBLOCK | SFD_CLOEXEC);
    if (shepherd.signals < 0 || pipe2(shepherd.error_pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        end_not_started(
            shepherd, Fault::machine, "the shepherd cannot set itself up:", strerror(errno));
    }
    if (access(protocol::stop_file, F_OK) == 0) {
        shepherd.kind = "stopped";
        snprintf(shepherd.detail, sizeof shepherd.detail, "it was stopped before it began");
        write_end(shepherd);
        _exit(0);
    }
    start_tasks(shepherd);
    if (shepherd.plan.limit_ms >= 0) {
        shepherd.limit_at = later(now_ms(), shepherd.plan.limit_ms);
    }
    watch(shepherd);
    read_start_errors(shepherd);
    drain(shepherd.output);
    for (int i = 0; i < shepherd.output.count; ++i) {
        if (shepherd.output.streams[i].write_error != 0 && shepherd.detail[0] == '\0') {
            snprintf(shepherd.detail,
                     sizeof shepherd.detail,
                     "output was lost: %.300s: %s",
                     shepherd.output.streams[i].path,
                     strerror(shepherd.output.streams[i].write_error));
        }
    }
    if (strcmp(shepherd.kind, "exited") == 0 && shepherd.failed >= 0 && memory_was_hit(shepherd)) {
        shepherd.kind = "memory";
        snprintf(shepherd.detail,
                 sizeof shepherd.detail,
                 "the memory limit of the job was reached and the kernel ended a process");
    }
    tell_of_memory(shepherd);
    write_end(shepherd);
    _exit(0);
}

}  // namespace
}  // namespace weir::exec::shepherd

int main(int count, char** arguments) {
    if (count != 2 || arguments[1][0] != '/') {
        static const char usage[] =
            "usage: weir-shepherd RUN_FOLDER\n"
            "Started by the hub for every attempt. RUN_FOLDER is absolute; the launch description\n"
            "comes on standard input.\n";
        const ssize_t ignored = write(2, usage, sizeof usage - 1);
        (void)ignored;
        return weir::exec::protocol::exit_usage;
    }
    weir::exec::shepherd::run(arguments[1]);
}
