// The machine at hand, as a hub offers it: what there is, how fast it is, what is wrong with it.
//
// Rates are measured once and kept in the data folder for as long as the machine is the same. A
// fleet file instead of discovery offers what the operator wants offered (half of a machine, say)
// and claims no rates.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "weir/api/json_views.hpp"
#include "weir/base/result.hpp"
#include "weir/exec/cgroup.hpp"
#include "weir/exec/discover.hpp"
#include "weir/exec/probe.hpp"
#include "weir/fleet/fleet.hpp"

namespace weir::cli {

struct Machine {
    fleet::Fleet fleet;  // what is offered
    exec::CgroupDelegation delegation;
    std::optional<exec::DiscoveryReport> discovery;  // none with a fleet file
    std::optional<exec::ProbeRecord> probe;          // none with one, or when it failed
};

// fleet_file "" = discovery. quiet = no progress.
Result<Machine> look_at_machine(const std::string& data, const std::string& fleet_file, bool quiet);

// Of one chip of the pool, best evidence first; empty when nothing was measured.
std::vector<api::Rate> rates_of(const Machine& machine, const fleet::Pool& pool);

// What a hub can say about its machine, and what anybody can without a hub.
std::vector<api::Check> checks_of(const Machine& machine, const std::string& data);
std::vector<api::Check> checks_of_this_machine();

}  // namespace weir::cli
