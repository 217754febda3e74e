// The report of several runs of one trace: one HTML file that holds them side by side.
//
// Up to eight runs share a chart, each with a colour and a dash of its own; more than that stand in
// tables and small strips. Where exactly one thing was varied, charts show what follows from it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "weir/base/time.hpp"
#include "weir/sim/report_runs.hpp"

namespace weir::sim {

struct ComparisonOptions {
    std::string title;    // the name of the trace
    std::string command;  // that makes the report again; "" = not shown
    bool classic = false;
    std::optional<Time> zero_utc{};
};

// Requires: at least two runs. Equal runs give equal bytes.
std::string comparison_report(const std::vector<RunSummary>& runs,
                              const ComparisonOptions& options);

}  // namespace weir::sim
