// What `weir simulate` prints: the table of one run, of several side by side, and JSON.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "weir/cli/simulate.hpp"
#include "weir/sim/report_runs.hpp"
#include "weir/sim/simulator.hpp"
#include "weir/sim/trace.hpp"

namespace weir::cli {

std::string run_table(const sim::Metrics& metrics);
// A column a run where `width` has room for that, else a row a run with the most important figures.
// The best of each figure is marked *; differences are in per cent of the first run.
std::string comparison_table(const std::vector<sim::RunSummary>& runs, std::size_t width);

// One run as a JSON object, as text. `named` adds what sets it apart from others.
std::string run_json(const SimulateOptions& options,
                     const sim::Trace& trace,
                     const sim::Simulation& result,
                     const sim::RunSummary& run,
                     bool named);

}  // namespace weir::cli
