#include "weir/exec/cgroup.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "weir/exec/run_files.hpp"

namespace weir::exec {
namespace {

bool write_control(const std::string& path, const std::string& value) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_TRUNC);
    if (fd < 0) return false;
    const bool written =
        ::write(fd, value.data(), value.size()) == static_cast<ssize_t>(value.size());
    const int reason = errno;
    ::close(fd);
    errno = reason;
    return written;
}

bool holds_word(const std::string& text, const std::string& wanted) {
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        if (word == wanted) return true;
    }
    return false;
}

std::string text_or_empty(const std::string& path) {
    auto text = read_whole(path);
    return text ? std::move(*text) : std::string{};
}

// Where the v2 tree is mounted; "" when it is not.
std::string find_mount(const std::string& mountinfo) {
    std::istringstream lines(text_or_empty(mountinfo));
    for (std::string line; std::getline(lines, line);) {
        const std::size_t dash = line.find(" - ");
        if (dash == std::string::npos || line.compare(dash + 3, 8, "cgroup2 ") != 0) continue;
        std::istringstream words(line);
        std::string word;
        for (int i = 0; i < 5; ++i)
            words >> word;
        return word;
    }
    return {};
}

std::string find_membership(const std::string& membership) {
    std::istringstream lines(text_or_empty(membership));
    for (std::string line; std::getline(lines, line);) {
        if (line.compare(0, 3, "0::") == 0) return line.substr(3);
    }
    return {};
}

// Whether somebody besides this process is in it. The top of the tree, which has no type, may have
// processes and children alike.
bool shared_with_others(const std::string& folder) {
    if (::access((folder + "/cgroup.type").c_str(), F_OK) != 0) return false;
    std::istringstream pids(text_or_empty(folder + "/cgroup.procs"));
    for (pid_t pid = 0; pids >> pid;) {
        if (pid != ::getpid()) return true;
    }
    return false;
}

CgroupDelegation refuse_shared(const std::string& folder, const std::string& why) {
    return {"",
            "cgroup " + folder +
                " is shared with other processes, so its memory controller cannot be handed on" +
                why + "; start the hub in a service of its own with Delegate=yes KillMode=process"};
}

// The leaf into which the hub moves. One that begins in it, where systemd may put it
// (DelegateSubgroup=), has the cgroup above.
constexpr const char leaf_name[] = "/weir-hub";

std::string without_leaf(std::string own) {
    const std::size_t size = sizeof leaf_name - 1;
    if (own.size() > size && own.compare(own.size() - size, size, leaf_name) == 0) {
        own.resize(own.size() - size);
    }
    return own;
}

}  // namespace

CgroupDelegation look_for_delegation(const std::string& mountinfo, const std::string& membership) {
    const std::string mount = find_mount(mountinfo);
    if (mount.empty()) return {"", "no cgroup v2 tree is mounted"};
    const std::string own = without_leaf(find_membership(membership));
    if (own.empty()) return {"", "this process is in no cgroup v2"};
    // Root may hang a branch of its own under the top, which spares it sharing a cgroup with the
    // shell that started the hub.
    if (own != "/" && ::access((mount + "/cgroup.procs").c_str(), W_OK) == 0 &&
        holds_word(text_or_empty(mount + "/cgroup.subtree_control"), "memory")) {
        return {mount + "/weir", "cgroup v2 memory limits in " + mount + "/weir"};
    }
    const std::string folder = own == "/" ? mount : mount + own;
    if (!holds_word(text_or_empty(folder + "/cgroup.controllers"), "memory")) {
        return {"",
                "the cgroup v2 tree at " + mount +
                    " does not have the memory controller (it may still be bound to cgroup "
                    "v1)"};
    }
    if (::access((folder + "/cgroup.subtree_control").c_str(), W_OK) != 0 ||
        ::access((folder + "/cgroup.procs").c_str(), W_OK) != 0 ||
        ::access(folder.c_str(), W_OK) != 0) {
        return {"",
                "cgroup " + folder +
                    " belongs to somebody else; start the hub in a service with Delegate=yes "
                    "KillMode=process"};
    }
    if (!holds_word(text_or_empty(folder + "/cgroup.subtree_control"), "memory") &&
        shared_with_others(folder)) {
        return refuse_shared(folder, "");
    }
    return {folder, "cgroup v2 memory limits in " + folder};
}

CgroupDelegation take_delegation(const std::string& mountinfo, const std::string& membership) {
    CgroupDelegation found = look_for_delegation(mountinfo, membership);
    if (!found.usable()) return found;
    const std::string control = found.folder + "/cgroup.subtree_control";
    if (holds_word(text_or_empty(control), "memory")) return found;
    // An empty branch of our own: nothing has to move.
    if (::mkdir(found.folder.c_str(), 0755) == 0 ||
        text_or_empty(found.folder + "/cgroup.procs").empty()) {
        if (write_control(control, "+memory")) return found;
        return {"",
                "the memory controller cannot be handed on in cgroup " + found.folder + ": " +
                    std::strerror(errno)};
    }
    const std::string leaf = found.folder + leaf_name;
    ::mkdir(leaf.c_str(), 0755);
    const std::string self = std::to_string(::getpid());
    const bool moved = write_control(leaf + "/cgroup.procs", self);
    if (moved && write_control(control, "+memory")) return found;
    const std::string why = std::strerror(errno);
    if (moved) write_control(found.folder + "/cgroup.procs", self);
    ::rmdir(leaf.c_str());
    return refuse_shared(found.folder, " (" + why + ")");
}

Result<std::string> hub_id(const std::string& data_dir) {
    const std::string path = data_dir + "/hub-id";
    const auto known = read_whole(path);
    if (known) {
        const std::string id = known->substr(0, known->find('\n'));
        const bool sound = id.size() == 16 && id.find_first_not_of("0123456789abcdef") == id.npos;
        if (!sound) return fail(Code::invalid, path + " holds no id of a hub; remove it");
        return id;
    }
    if (known.error().code != Code::not_found) return fail(known.error());
    std::uint64_t drawn = 0;
    if (::getrandom(&drawn, sizeof drawn, 0) != static_cast<ssize_t>(sizeof drawn)) {
        return fail(Code::io, std::string("no random number can be had: ") + std::strerror(errno));
    }
    char id[17];
    std::snprintf(id, sizeof id, "%016llx", static_cast<unsigned long long>(drawn));
    WEIR_CHECK(write_whole(path, std::string(id) + "\n", 0644));
    return std::string(id);
}

CgroupDelegation take_branch(const CgroupDelegation& delegation, const std::string& id) {
    if (!delegation.usable()) return delegation;
    const std::string folder = delegation.folder + "/" + id;
    const std::string control = folder + "/cgroup.subtree_control";
    const bool made = ::mkdir(folder.c_str(), 0755) == 0 || errno == EEXIST;
    if (made && (holds_word(text_or_empty(control), "memory") || write_control(control, "+memory")))
        return {folder, delegation.detail};
    return {"", "cgroup " + folder + " cannot be made: " + std::strerror(errno)};
}

std::string attempt_cgroup(const CgroupDelegation& delegation, AttemptId attempt) {
    return delegation.usable() ? delegation.folder + "/job-" + text_of(attempt) : std::string{};
}

Result<std::string> make_attempt_cgroup(const CgroupDelegation& delegation,
                                        AttemptId attempt,
                                        Bytes memory_limit) {
    const std::string folder = attempt_cgroup(delegation, attempt);
    if (folder.empty()) return fail(Code::unsupported, delegation.detail);
    if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) {
        return fail(Code::io, "cannot make cgroup " + folder + ": " + std::strerror(errno));
    }
    if (!write_control(folder + "/memory.max", std::to_string(memory_limit.count))) {
        return fail(Code::io, "cannot set memory.max of " + folder + ": " + std::strerror(errno));
    }
    // Absent where the kernel counts no swap; then there is nothing to forbid.
    write_control(folder + "/memory.swap.max", "0");
    write_control(folder + "/memory.oom.group", "1");
    return folder;
}

void remove_attempt_cgroup(const std::string& folder) {
    if (folder.empty() || ::access(folder.c_str(), F_OK) != 0) return;
    write_control(folder + "/cgroup.kill", "1");
    for (int round = 0; round < 50 && ::rmdir(folder.c_str()) != 0 && errno == EBUSY; ++round) {
        ::usleep(2000);
    }
}

}  // namespace weir::exec
