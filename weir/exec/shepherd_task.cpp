#include "weir/exec/shepherd_task.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace weir::exec::shepherd {
namespace {

// Why an errno that execve and chdir give is what the user sees, said in the user's words.
[[noreturn]] void give_up(const TaskSetting& setting,
                          int index,
                          const char* what,
                          const char* name,
                          bool machine_failed = false) {
    const int reason = errno;
    StartError error;
    error.task = index;
    error.machine_failed = machine_failed || is_of_machine(reason);
    snprintf(error.sentence, sizeof error.sentence, "%s %.300s: %s", what, name, strerror(reason));
    const ssize_t ignored = write(setting.error_pipe, &error, sizeof error);
    (void)ignored;
    _exit(127);
}

void default_signals() {
    // By the bare system call: the C library hides two signals, which may be inherited as ignored.
    struct {
        void* handler;
        unsigned long flags;
        void* restorer;
        uint64_t mask;
    } plain{};
    for (int number = 1; number <= 64; ++number) {
        syscall(SYS_rt_sigaction, number, &plain, nullptr, sizeof plain.mask);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The hub raises its own limit, which is no concern of the task: programs that still use select()
// break on descriptors above 1023, and others close every number up to the limit.
void give_descriptors(int64_t open_files) {
    rlimit limit{};
    if (open_files < 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const auto wanted = static_cast<rlim_t>(open_files);
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

[[noreturn]] void become(const TaskSetting& setting,
                         const Interpreter& interpreter,
                         const LaunchPlan& plan,
                         int index,
                         int stdout_fd,
                         int stderr_fd,
                         pid_t shepherd) {
    // Without its shepherd nobody would hold the task to its limits: it goes with it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(setting.state_file);
    if (getppid() != shepherd) _exit(127);
    setsid();
    if (setting.cgroup_procs >= 0 && write(setting.cgroup_procs, "0", 1) != 1) {
        give_up(setting, index, "the memory limit cannot be set in cgroup", plan.cgroup, true);
    }
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(stdout_fd, 1) < 0 || dup2(stderr_fd, 2) < 0) {
        give_up(setting, index, "input and output cannot be set up:", "/dev/null", true);
    }
    if (chdir(plan.workdir) != 0) {
        give_up(setting, index, "the working directory cannot be entered:", plan.workdir);
    }
    default_signals();
    give_descriptors(plan.open_files);

    static char script_path[4096];
    snprintf(script_path, sizeof script_path, "%s/%s", setting.run_path, setting.script);
    const char* arguments[4] = {interpreter.path, nullptr, nullptr, nullptr};
    int count = 1;
    if (interpreter.argument[0] != '\0') arguments[count++] = interpreter.argument;
    arguments[count] = script_path;
    // Every other descriptor is close-on-exec; the rule is made certain here.
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    execve(interpreter.path,
           const_cast<char* const*>(arguments),
           const_cast<char* const*>(plan.tasks[index].env));
    give_up(setting,
            index,
            interpreter.named ? "the script names an interpreter that cannot be started:"
                              : "the shell cannot be started:",
            interpreter.path);
}

bool blank(char c) {
    return c == ' ' || c == '\t';
}

}  // namespace

bool is_of_machine(int reason) {
    switch (reason) {
        case EAGAIN:
        case EIO:
        case EMFILE:
        case ENFILE:
        case ENOMEM:
        case ENOSPC:
        case ESTALE:
        case ETIMEDOUT:
            return true;
        default:
            return false;
    }
}

bool read_interpreter(const char* script, Interpreter& interpreter) {
    const int fd = open(script, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    char line[512];
    const ssize_t size = read(fd, line, sizeof line - 1);
    close(fd);
    if (size < 0) return false;
    line[size] = '\0';
    if (size < 2 || line[0] != '#' || line[1] != '!') return true;
    line[strcspn(line, "\r\n")] = '\0';
    const char* name = line + 2;
    while (blank(*name))
        ++name;
    size_t length = strcspn(name, " \t");
    if (length == 0) return true;
    interpreter.named = true;
    if (length >= sizeof interpreter.path) length = sizeof interpreter.path - 1;
    memcpy(interpreter.path, name, length);
    interpreter.path[length] = '\0';
    const char* argument = name + length;
    while (blank(*argument))
        ++argument;
    size_t rest = strlen(argument);
    while (rest > 0 && blank(argument[rest - 1]))
        --rest;
    if (rest >= sizeof interpreter.argument) rest = sizeof interpreter.argument - 1;
    memcpy(interpreter.argument, argument, rest);
    interpreter.argument[rest] = '\0';
    return true;
}

pid_t start_task(const TaskSetting& setting,
                 const Interpreter& interpreter,
                 const LaunchPlan& plan,
                 int index,
                 int stdout_fd,
                 int stderr_fd) {
    const pid_t shepherd = getpid();
    const pid_t child = fork();
    if (child == 0) become(setting, interpreter, plan, index, stdout_fd, stderr_fd, shepherd);
    return child;
}

}  // namespace weir::exec::shepherd
