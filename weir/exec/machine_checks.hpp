// What `weir doctor` says of this machine: whether it can keep weir's promises, and what is
// missing. Each check is one sentence with its numbers, for the person who has to mend it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weir/exec/cgroup.hpp"
#include "weir/exec/discover.hpp"
#include "weir/exec/probe.hpp"

namespace weir::exec {

enum class Health : std::uint8_t { ok, warn, fail };
std::string_view name_of(Health health);  // "ok", "warn", "fail"

struct MachineCheck {
    std::string name;  // "data folder", "memory limits", "openblas"
    Health health = Health::ok;
    std::string detail;
};

struct MachineCheckOptions {
    std::string data_dir;
    std::string shepherd;  // "" = beside the running program
    CgroupDelegation delegation;
    DiscoveryReport discovery;
    ProbeOptions libraries;
    std::vector<std::string> program_folders;  // where programs are looked for; empty = $PATH
};

// Writes and removes a small file in data_dir to time the disk; changes nothing else.
std::vector<MachineCheck> machine_checks(const MachineCheckOptions& options);

}  // namespace weir::exec
