#include "weir/exec/machine_checks.hpp"

#include <fcntl.h>
#include <glob.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "weir/exec/local_executor.hpp"
#include "weir/exec/run_files.hpp"
#include "weir/exec/wall_clock.hpp"

namespace weir::exec {
namespace {

std::string milliseconds(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f ms", value);
    return text;
}

MachineCheck check_shepherd(const MachineCheckOptions& options) {
    const std::string path = options.shepherd.empty() ? default_shepherd_path() : options.shepherd;
    if (::access(path.c_str(), X_OK) == 0) {
        return {"shepherd", Health::ok, path + " keeps running jobs when the hub stops"};
    }
    return {"shepherd",
            Health::fail,
            path + " cannot be executed (" + std::strerror(errno) + "), so no job can be started"};
}

// The type of the file system, from the longest mount point that leads to the folder.
std::string file_system_of(const std::string& folder) {
    char resolved[4096];
    if (::realpath(folder.c_str(), resolved) == nullptr) return "unknown";
    const std::string path = std::string(resolved) + "/";
    const auto mounts = read_whole("/proc/self/mountinfo");
    std::string type = "unknown";
    std::size_t longest = 0;
    std::istringstream lines(mounts ? *mounts : std::string{});
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string point;
        for (int i = 0; i < 5; ++i)
            words >> point;
        const std::string prefix = point == "/" ? "/" : point + "/";
        const std::size_t dash = line.find(" - ");
        if (dash == std::string::npos || path.compare(0, prefix.size(), prefix) != 0) continue;
        if (prefix.size() < longest) continue;
        longest = prefix.size();
        type = line.substr(dash + 3, line.find(' ', dash + 3) - dash - 3);
    }
    return type;
}

// The median time of small durable writes; negative when it cannot be done.
double fsync_ms(const std::string& folder) {
    const std::string path = folder + "/.doctor-" + std::to_string(::getpid());
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return -1;
    std::vector<double> times;
    const char bytes[512] = {};
    for (int i = 0; i < 9; ++i) {
        const auto before = std::chrono::steady_clock::now();
        const bool written = ::write(fd, bytes, sizeof bytes) == sizeof bytes && ::fsync(fd) == 0;
        if (!written) break;
        times.push_back(
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - before)
                .count());
    }
    ::close(fd);
    ::unlink(path.c_str());
    if (times.size() < 9) return -1;
    std::sort(times.begin(), times.end());
    return times[4];
}

void check_data_folder(const MachineCheckOptions& options, std::vector<MachineCheck>& checks) {
    const std::string& folder = options.data_dir;
    const double latency = fsync_ms(folder);
    if (latency < 0) {
        checks.push_back(
            {"data folder", Health::fail, folder + " cannot be written: " + std::strerror(errno)});
        return;
    }
    const std::string type = file_system_of(folder);
    const bool volatile_memory = type == "tmpfs" || type == "ramfs";
    const bool network = type.compare(0, 3, "nfs") == 0 || type == "cifs" || type == "fuse.sshfs";
    std::string detail =
        folder + " on " + type + ", a durable write takes " + milliseconds(latency);
    Health health = Health::ok;
    if (volatile_memory) {
        health = Health::warn;
        detail += "; it is in memory, so nothing survives a restart of the machine";
    } else if (network) {
        health = Health::warn;
        detail += "; on a network file system locks and durable writes depend on its server";
    } else if (latency > 20) {
        health = Health::warn;
        detail += "; that slow a disk limits how many submissions a second are durable";
    }
    checks.push_back({"data folder", health, std::move(detail)});

    struct statvfs room {};
    if (::statvfs(folder.c_str(), &room) != 0) return;
    const Bytes left{static_cast<std::int64_t>(room.f_bavail) *
                     static_cast<std::int64_t>(room.f_frsize)};
    const bool scarce = left < gibibytes(1) || (room.f_files > 0 && room.f_favail < 100000);
    checks.push_back({"disk room",
                      scarce ? Health::warn : Health::ok,
                      format_bytes(left) + " and " + format_count(room.f_favail) +
                          " files left; each job keeps about five files and its output"});
}

std::string find_library(const std::vector<std::string>& candidates) {
    for (const std::string& name : candidates) {
        for (const char* const pattern :
             {"/usr/lib/*-linux-gnu/", "/usr/lib64/", "/usr/lib/", "/usr/local/lib/"}) {
            glob_t found{};
            std::string path;
            if (::glob((pattern + name).c_str(), 0, nullptr, &found) == 0 && found.gl_pathc > 0) {
                path = found.gl_pathv[0];
            }
            ::globfree(&found);
            if (!path.empty()) return path;
        }
    }
    return {};
}

MachineCheck check_library(const char* name,
                           const std::vector<std::string>& candidates,
                           const char* without) {
    const std::string path = find_library(candidates);
    if (!path.empty()) return {name, Health::ok, path};
    return {name,
            Health::warn,
            (candidates.empty() ? std::string(name) : candidates.front()) + " is not installed; " +
                without};
}

std::string find_program(const std::string& name, const std::vector<std::string>& folders) {
    std::vector<std::string> places = folders;
    if (places.empty()) {
        const char* const path = std::getenv("PATH");
        std::istringstream parts(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
        for (std::string part; std::getline(parts, part, ':');)
            places.push_back(part);
    }
    for (const std::string& place : places) {
        const std::string candidate = place + "/" + name;
        if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    }
    return {};
}

MachineCheck check_program(const char* name,
                           const char* without,
                           const MachineCheckOptions& options) {
    const std::string path = find_program(name, options.program_folders);
    if (!path.empty()) return {name, Health::ok, path};
    return {name, Health::warn, std::string(name) + " is not found; " + without};
}

MachineCheck check_torch() {
    for (const char* const pattern : {"/usr/lib/python3/dist-packages/torch/__init__.py",
                                      "/usr/local/lib/python3*/dist-packages/torch/__init__.py",
                                      "/usr/local/lib/python3*/site-packages/torch/__init__.py",
                                      "/usr/lib/python3*/site-packages/torch/__init__.py"}) {
        glob_t found{};
        std::string path;
        if (::glob(pattern, 0, nullptr, &found) == 0 && found.gl_pathc > 0) {
            path = found.gl_pathv[0];
        }
        ::globfree(&found);
        if (!path.empty()) return {"python3-torch", Health::ok, path};
    }
    return {"python3-torch",
            Health::warn,
            "PyTorch is not installed for the system's Python; training jobs bring their own"};
}

std::string limit_text(rlim_t limit) {
    return limit == RLIM_INFINITY ? "unlimited" : format_count(limit);
}

MachineCheck check_limit(const char* name,
                         __rlimit_resource_t what,
                         rlim_t least,
                         const char* why) {
    rlimit limit{};
    if (::getrlimit(what, &limit) != 0) {
        return {name, Health::warn, std::string("cannot be asked: ") + std::strerror(errno)};
    }
    const bool enough = limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= least;
    std::string detail =
        limit_text(limit.rlim_cur) + " (at most " + limit_text(limit.rlim_max) + ")";
    if (!enough) detail += "; " + format_count(least) + " or more are better: " + why;
    return {name, enough ? Health::ok : Health::warn, std::move(detail)};
}

MachineCheck check_clock() {
    const Time now = wall_now();
    constexpr Time first_release = at_seconds(1'764'000'000);  // November 2025
    if (now < first_release) {
        return {"clock",
                Health::fail,
                "it says " + format_time(now) +
                    ", which is in the past; deadlines and time limits would be wrong"};
    }
    timex state{};
    const bool synchronised = ::adjtimex(&state) != TIME_ERROR;
    if (synchronised) return {"clock", Health::ok, "kept right by a time service"};
    return {"clock",
            Health::warn,
            "no time service keeps it right (chrony or systemd-timesyncd would); times of "
            "different machines may not agree"};
}

MachineCheck check_overcommit(const Machine& machine) {
    const auto text = read_whole("/proc/sys/vm/overcommit_memory");
    const int mode = text ? std::atoi(text->c_str()) : 0;
    if (mode == 2) {
        return {"memory overcommit",
                Health::warn,
                "forbidden (vm.overcommit_memory = 2): programs that reserve much and use little "
                "will fail to start"};
    }
    return {"memory overcommit",
            Health::ok,
            std::string(mode == 1 ? "always allowed" : "by the kernel's judgement") + ", " +
                format_bytes(machine.memory) + " of memory"};
}

}  // namespace

std::string_view name_of(Health health) {
    switch (health) {
        case Health::ok:
            return "ok";
        case Health::warn:
            return "warn";
        case Health::fail:
            return "fail";
    }
    return "fail";
}

std::vector<MachineCheck> machine_checks(const MachineCheckOptions& options) {
    std::vector<MachineCheck> checks;
    checks.push_back(check_shepherd(options));
    check_data_folder(options, checks);
    checks.push_back(
        options.delegation.usable()
            ? MachineCheck{"memory limits", Health::ok, "enforced: " + options.delegation.detail}
            : MachineCheck{"memory limits",
                           Health::warn,
                           "reserved, but not enforced: " + options.delegation.detail});
    for (const Fact& fact : options.discovery.facts) {
        // Most machines have no accelerator, and none has those of every vendor.
        const bool harmless = fact.found || fact.detail.find("not installed") != std::string::npos;
        checks.push_back({fact.name, harmless ? Health::ok : Health::warn, fact.detail});
    }
    checks.push_back(check_library("openblas",
                                   options.libraries.openblas,
                                   "FP64 and FP32 rates are those of weir's own kernels"));
    checks.push_back(check_library(
        "onednn", options.libraries.onednn, "BF16 and INT8 rates are those of weir's own kernels"));
    checks.push_back(check_program("mpirun", "MPI jobs bring their own launcher", options));
    checks.push_back(check_program("python3", "jobs in Python bring their own", options));
    checks.push_back(check_torch());
    checks.push_back(check_limit(
        "open files", RLIMIT_NOFILE, 4096, "every client and every running job needs a few"));
    checks.push_back(check_limit(
        "processes", RLIMIT_NPROC, 4096, "jobs, their ranks and their threads all count"));
    checks.push_back(check_clock());
    checks.push_back(check_overcommit(options.discovery.machine));
    return checks;
}

}  // namespace weir::exec
