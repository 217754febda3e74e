// The part of a report about the waterfall: where the compute of the fleet went, from what its
// nodes could have given to what jobs ran on, as pictures and as tables.
//
// On the terminal, in programs' output and here the waterfall has the same lines: a *level* is what
// is left, the lines between two levels are what is lost between them; a class in which nothing is
// has no line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/time.hpp"
#include "weir/sim/report_page.hpp"
#include "weir/sim/report_runs.hpp"
#include "weir/tenancy/waterfall.hpp"

namespace weir::sim {

struct WaterfallLine {
    std::string name;
    tenancy::ChipTime amount = 0;
    bool level = false;
};
std::vector<WaterfallLine> lines_of(const tenancy::Losses& losses);

// "chip-hours", "processor-hours", "CPU-hours".
std::string hours_name(tenancy::Unit unit, bool classic);

// One bar a line: levels from the left, losses where the level above ends.
std::string waterfall_chart(const tenancy::Losses& losses, std::string_view hours);
// All classes of what is idle over what is held, over time, of the whole fleet.
std::string waterfall_over_time(const tenancy::Books& books, const std::optional<Time>& zero_utc);

// Nothing where a run keeps no books.
void waterfall_section(HtmlPage& page, const Trace& trace, const Simulation& result);
// Runs below one another; the widest table that they have in common is shares of the peak.
void waterfalls_section(HtmlPage& page, const std::vector<RunSummary>& runs);

// What each tenant held, of all that was held, as one bar each; most first, and at most so many.
std::string tenants_chart(const tenancy::Books& books, std::size_t rows_max);

}  // namespace weir::sim
