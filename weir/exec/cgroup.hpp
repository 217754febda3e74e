// Memory limits by cgroup v2, where this user was given a part of the tree.
//
// The kernel enforces limits only in a cgroup that we may create and whose memory controller we
// may hand on; that is so for root on a pure v2 machine, in a systemd service with Delegate=yes
// (docs/guides/service.md) and in many containers. Everywhere else limits are not enforced, and
// `weir doctor` says so.
//
// Several hubs may share the place, root's above all, so each has a branch of its own in it, named
// by an id that lies in its data folder: weir/<id>/job-12.1. Without it the second hub's job 12
// would be put into the cgroup of the first one's, and killed with it.
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

// The id of the hub that has this data folder: sixteen letters and digits, drawn at random by the
// first call and kept in the folder from then on.
Result<std::string> hub_id(const std::string& data_dir);

// The branch of the delegated tree in which the hub with this id has its attempts. Not usable, with
// the reason, when it cannot be made.
CgroupDelegation take_branch(const CgroupDelegation& delegation, const std::string& id);

// A cgroup with this limit for the attempt, swap included. Making it again is fine.
Result<std::string> make_attempt_cgroup(const CgroupDelegation& delegation,
                                        AttemptId attempt,
                                        Bytes memory_limit);
std::string attempt_cgroup(const CgroupDelegation& delegation, AttemptId attempt);
// Kills what is in it and removes it; nothing happens when it does not exist.
void remove_attempt_cgroup(const std::string& folder);

}  // namespace weir::exec
