// The charts of a comparison: runs over one another, or one below the other.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/time.hpp"
#include "weir/sim/report_runs.hpp"

namespace weir::sim {

// More runs than this do not share a chart: nobody could tell the lines apart.
inline constexpr std::size_t overlaid_max = 8;

// Colour and dash of a run: "run r2 d2".
std::string run_css(std::size_t run);

// The first submission and the last end of all runs: their common axis of time.
struct CommonTime {
    double from_s = 0;
    double to_s = 1;
};
CommonTime common_time(const std::vector<RunSummary>& runs);

// One series of each run over time, over one another. `values[i]` are bins like those of run i's
// series. `levels[i]` > 0 draws a dashed line in the run's colour.
struct OverlaidChart {
    std::string_view title;
    std::string unit;
    double scale = 1;
    std::vector<std::vector<double>> values;
    std::vector<double> levels{};
};
std::string overlaid_chart(const std::vector<RunSummary>& runs,
                           const OverlaidChart& chart,
                           const std::optional<Time>& zero_utc);

// Utilisation, a strip for each run below one another.
std::string strips_chart(const std::vector<RunSummary>& runs, const std::optional<Time>& zero_utc);
// Mean wait by size of the job, a line for each run.
std::string sizes_chart(const std::vector<RunSummary>& runs, std::string_view unit);
// Share of the jobs that have at most a slowdown, a line for each run.
std::string slowdowns_chart(const std::vector<RunSummary>& runs);

// What follows from the one thing that was varied: a small chart for each figure, a line for each
// policy; values stand at equal distances, in the order in which they were given.
struct Sweep {
    std::string key;
    std::vector<std::string> values;
    std::vector<std::string> policies;
    std::vector<std::vector<std::size_t>> runs;  // [policy][value] -> position of the run
};
std::optional<Sweep> sweep_of(const std::vector<RunSummary>& runs);
std::string sweep_chart(const std::vector<RunSummary>& runs,
                        const Sweep& sweep,
                        const std::vector<Figure>& shown);

}  // namespace weir::sim
