// Memory limits by cgroup v2, where this user was given a part of the tree.
//
// The kernel enforces limits only in a cgroup that we may create and whose memory controller we
// may hand on; that is so for root on a pure v2 machine, in a systemd service with Delegate=yes
// and in many containers. Everywhere else limits are not enforced, and `weir doctor` says so.
//
// Threads: take_delegation() once at start-up; the others from any thread.
#pragma once

#include <string>

#include "weir/base/result.hpp"
#include "weir/base/units.hpp"
#include "weir/exec/executor.hpp"

namespace weir::exec {

struct CgroupDelegation {
    std::string folder;  // attempts get their cgroups in here; "" = none
    std::string detail;  // one sentence: what was found, or what is missing
    [[nodiscard]] bool usable() const { return !folder.empty(); }
};

// Looks, without changing anything, whether take_delegation() would succeed.
CgroupDelegation look_for_delegation(const std::string& mountinfo = "/proc/self/mountinfo",
                                     const std::string& membership = "/proc/self/cgroup");

// Prepares our own cgroup to have children with limits: moves this process into a leaf of it
// ("weir-hub") and hands the memory controller on, since v2 wants processes only in leaves.
CgroupDelegation take_delegation(const std::string& mountinfo = "/proc/self/mountinfo",
                                 const std::string& membership = "/proc/self/cgroup");

// A cgroup with this limit for the attempt, swap included. Making it again is fine.
Result<std::string> make_attempt_cgroup(const CgroupDelegation& delegation,
                                        AttemptId attempt,
                                        Bytes memory_limit);
std::string attempt_cgroup(const CgroupDelegation& delegation, AttemptId attempt);
// Kills what is in it and removes it; nothing happens when it does not exist.
void remove_attempt_cgroup(const std::string& folder);

}  // namespace weir::exec
