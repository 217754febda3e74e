#include "weir/exec/probe.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "weir/exec/probe_measure.hpp"
#include "weir/exec/run_files.hpp"

namespace weir::exec {
namespace {

// A value of /proc/cpuinfo, the same for every processor.
std::string cpu_fact(const std::string& info, const std::string& name) {
    std::istringstream lines(info);
    for (std::string line; std::getline(lines, line);) {
        if (line.compare(0, name.size(), name) != 0) continue;
        const std::size_t colon = line.find(": ");
        if (colon != std::string::npos) return line.substr(colon + 2);
    }
    return {};
}

// Where the dynamic linker would find the library, with what tells one build from another; the
// library itself is not loaded into the hub.
std::string library_mark(const std::vector<std::string>& candidates) {
    for (const std::string& name : candidates) {
        for (const char* const folder : {"/usr/lib/x86_64-linux-gnu/",
                                         "/usr/lib/aarch64-linux-gnu/",
                                         "/usr/lib64/",
                                         "/usr/lib/",
                                         "/usr/local/lib/",
                                         ""}) {
            char path[4096];
            if (::realpath((folder + name).c_str(), path) != nullptr) return path;
        }
    }
    return "none";
}

void write_all(int fd, const std::string& bytes) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        const ssize_t count = ::write(fd, bytes.data() + at, bytes.size() - at);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return;
        at += static_cast<std::size_t>(count);
    }
}

// All that comes until the other end closes; false when it takes longer than `patience`.
bool read_until_closed(int fd, Duration patience, std::string& bytes) {
    using SteadyClock = std::chrono::steady_clock;
    const auto deadline = SteadyClock::now() + std::chrono::milliseconds(patience.count());
    char buffer[4096];
    while (true) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
        if (left.count() <= 0) return false;
        pollfd waited{fd, POLLIN, 0};
        if (::poll(&waited, 1, static_cast<int>(left.count())) <= 0) continue;
        const ssize_t count = ::read(fd, buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return true;
        bytes.append(buffer, static_cast<std::size_t>(count));
    }
}

}  // namespace

const MeasuredRate* ProbeRecord::rate(const std::string& name) const {
    for (const MeasuredRate& one : rates) {
        if (one.name == name) return &one;
    }
    return nullptr;
}

std::map<std::string, std::string> machine_identity(const ProbeOptions& options) {
    const auto info = read_whole("/proc/cpuinfo");
    const std::string text = info ? *info : std::string{};
    return {{"cpu", cpu_fact(text, "model name")},
            {"cpu_family",
             cpu_fact(text, "cpu family") + "/" + cpu_fact(text, "model") + "/" +
                 cpu_fact(text, "stepping")},
            {"cpus", std::to_string(options.threads != 0 ? options.threads : usable_cpus())},
            {"memory_pages", std::to_string(::sysconf(_SC_PHYS_PAGES))},
            {"openblas", library_mark(options.openblas)},
            {"onednn", library_mark(options.onednn)},
            {"probe", "1"}};
}

Result<ProbeRecord> measure(const ProbeOptions& options) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return fail(Code::io, std::string("probe: cannot make a pipe: ") + std::strerror(errno));
    }
    const pid_t child = ::fork();
    if (child < 0) {
        ::close(ends[0]);
        ::close(ends[1]);
        return fail(Code::io, std::string("probe: cannot fork: ") + std::strerror(errno));
    }
    if (child == 0) {
        ::close(ends[0]);
        ::signal(SIGPIPE, SIG_IGN);
        write_all(ends[1], probe_to_json(measure_here(options)));
        ::_exit(0);  // without the libraries' own leave-taking
    }
    ::close(ends[1]);
    std::string text;
    const bool in_time = read_until_closed(ends[0], options.patience, text);
    ::close(ends[0]);
    if (!in_time) ::kill(child, SIGKILL);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!in_time) {
        return fail(Code::unavailable,
                    "probe: not done within " + format_duration(options.patience) +
                        "; the machine may be overloaded");
    }
    if (WIFSIGNALED(status)) {
        return fail(Code::internal,
                    "probe: ended by signal " + std::to_string(WTERMSIG(status)) +
                        "; a mathematical library may be broken");
    }
    WEIR_TRY(ProbeRecord record, probe_from_json(text));
    record.identity = machine_identity(options);
    return record;
}

Result<Rates> measured_rates(const std::string& data_dir, const ProbeOptions& options) {
    const std::string path = data_dir + "/probe.json";
    // A record that cannot be read is no reason to stop: it is measured anew.
    if (const auto text = read_whole(path)) {
        auto stored = probe_from_json(*text);
        if (stored && stored->identity == machine_identity(options)) {
            return Rates{std::move(*stored), true};
        }
    }
    WEIR_TRY(ProbeRecord record, measure(options));
    WEIR_CHECK(write_whole(path, probe_to_json(record), 0644));
    return Rates{std::move(record), false};
}

}  // namespace weir::exec
