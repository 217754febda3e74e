// The part of a report about who got what: how much organisations held of their own and of what
// others lent, and where every attempt of a small run was.
#pragma once

#include <string>
#include <vector>

#include "weir/sim/house_use_meter.hpp"
#include "weir/sim/report_page.hpp"
#include "weir/sim/report_runs.hpp"
#include "weir/sim/simulator.hpp"
#include "weir/sim/trace.hpp"

namespace weir::sim {

// Those that held most first; all behind the first `most` as one, "N others".
std::vector<HouseHours> folded(std::vector<HouseHours> houses, std::size_t most);

// A bar each: of its own, then what it borrowed; a mark at what it owns. Requires: some houses.
std::string houses_chart(const std::vector<HouseHours>& houses, std::string_view hours);
// Nothing where nobody has rights.
void houses_section(HtmlPage& page, const Simulation& result);

// A row a node, a bar an attempt, coloured by tenant; attempts that share a node lie beside one
// another in its row.
std::string nodes_chart(const Trace& trace, const Simulation& result);
// Nothing of runs that are not small: too many attempts, or too many nodes.
void nodes_section(HtmlPage& page, const Trace& trace, const Simulation& result);

// Runs side by side: for each tenant a bar a run of what it held, and how long its jobs waited.
// Requires: at least one run names tenants.
std::string tenants_compared_chart(const std::vector<RunSummary>& runs);

}  // namespace weir::sim
