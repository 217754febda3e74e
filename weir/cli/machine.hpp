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
#include "weir/catalog/chip.hpp"
#include "weir/exec/cgroup.hpp"
#include "weir/exec/discover.hpp"
#include "weir/exec/probe.hpp"
#include "weir/fleet/fleet.hpp"

namespace weir::cli {

struct Machine {
    fleet::Fleet fleet;  // what is offered
    exec::DiscoveryReport discovery;
    exec::CgroupDelegation delegation;
    std::optional<exec::ProbeRecord> probe;  // none with a fleet file, or when it failed
    bool by_file = false;                    // the fleet is what a file says
    std::vector<std::string> notes;          // about that file, for the operator
};

// What is here and what of it is offered; changes nothing. fleet_file "" = all of it.
Result<Machine> look_at_machine(const std::string& fleet_file, bool oversubscribe);
// Takes the part of the cgroup tree that jobs get, and measures rates unless the data folder knows
// them. quiet = no progress.
void prepare_machine(Machine& machine, const std::string& data, bool quiet);

// What was measured, of one processor package, as a record for the catalogue; none without a probe.
std::optional<catalog::ChipRecord> measured_record(const Machine& machine);

// Of one chip of the pool, best evidence first; empty when nothing was measured.
std::vector<api::Rate> rates_of(const Machine& machine, const fleet::Pool& pool);

// What a hub can say about its machine, and what anybody can without a hub. data "" = there is
// none yet.
std::vector<api::Check> checks_of(const Machine& machine, const std::string& data);
std::vector<api::Check> checks_of_this_machine();

}  // namespace weir::cli
