// The report of a simulation: one HTML file that needs nothing else.
//
// Headline numbers, utilisation and queue over time, waits by size, the distribution of the
// slowdown, who got what and of whose rights, where the jobs and attempts of small runs were, and
// what was left out of the log. Charts are SVG with a table behind each, for light and dark screens
// and for paper; there is no script and no network. It says nothing about when or how fast it was
// made: equal inputs give equal bytes.
#pragma once

#include <string>

#include "weir/sim/simulator.hpp"
#include "weir/sim/trace.hpp"

namespace weir::sim {

struct ReportOptions {
    std::string policy;   // "easy"
    std::string command;  // that makes the report again; "" = not shown
};

// Requires: result.jobs is not empty.
std::string html_report(const Trace& trace, const Simulation& result, const ReportOptions& options);

}  // namespace weir::sim
