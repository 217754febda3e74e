// The sidecar of a CSV trace, NAME.cluster.json: the machine, its quotas, and when zero was.
//
// Read are node_groups (name, count, chip or null, devices, cpus and mem_gb of one node),
// quotas_devices (group: chips), variants (NAME: {node_groups, quotas_devices}; what a variant
// gives replaces the full machine's) and time.t0. Every other key is for people and is ignored.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "weir/base/result.hpp"
#include "weir/base/time.hpp"
#include "weir/fleet/fleet.hpp"

namespace weir::sim {

struct Sidecar {
    fleet::Fleet fleet;  // one site, one pool for each node group
    std::map<std::string, std::uint32_t> quotas_chips;
    std::optional<Time> zero_utc;

    friend bool operator==(const Sidecar&, const Sidecar&) = default;
};

// `path` stands in errors, `site` names the site. variant "" = the full machine.
Result<Sidecar> parse_sidecar(std::string_view json,
                              const std::string& path,
                              const std::string& site,
                              const std::string& variant);

Result<Sidecar> read_sidecar(const std::string& path,
                             const std::string& site,
                             const std::string& variant);

}  // namespace weir::sim
