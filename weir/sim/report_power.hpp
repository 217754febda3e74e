// The part of a report about power: what all nodes drew, each rack against its cap, and what the
// caps cost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "weir/fleet/fleet.hpp"
#include "weir/sim/report_data.hpp"
#include "weir/sim/report_page.hpp"
#include "weir/sim/simulator.hpp"
#include "weir/sim/trace.hpp"

namespace weir::sim {

// What the nodes may draw together by the caps of racks, pods and sites, each counted only as far
// as what hangs below could draw; 0 where no cap limits anything.
double power_allowed_watts(const fleet::Fleet& fleet);

// What caps cost, from what is known without asking the scheduler: how many chips the caps can feed
// at the same time, and how much of what jobs waited for the others would have been: of those that
// accept a kind of chip of which some are dark, and at most as many as are dark of the kinds that
// they accept.
struct CapCost {
    std::uint64_t chips = 0;
    std::uint64_t chips_fed = 0;   // at once, at most
    double chip_hours_waited = 0;  // integral of what was waited for of chips - chips_fed
};
CapCost cap_cost(const fleet::Fleet& fleet, const ReportData& data);

// Means of a power record over equal bins of time; the last point holds to the end.
std::vector<double> power_bins(const std::vector<PowerPoint>& power,
                               double from_s,
                               double bin_s,
                               std::size_t bins);

// The unit in which axes tell this many watts: "kW" and 0.001.
struct WattUnit {
    std::string name;
    double scale = 1;
};
WattUnit watt_unit(double watts_max);
std::string watts_text(double watts);  // "14.6 kW"

// Fullest first: to its mean, with a mark at its maximum, against the cap where all have one.
std::string racks_chart(const std::vector<RackPower>& racks);

// Nothing where no pool says what it draws.
void power_section(HtmlPage& page,
                   const Trace& trace,
                   const Simulation& result,
                   const ReportData& data);

}  // namespace weir::sim
