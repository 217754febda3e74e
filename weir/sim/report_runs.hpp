// Runs of one trace, made small enough to be kept and compared.
//
// A run is kept as a summary that does not grow with the number of jobs, so that many runs of a
// large trace fit into memory, one after the other. The figures by which runs are compared, on the
// terminal and in the report, are one table. The first run is the baseline: differences are in per
// cent of it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "weir/sim/report_data.hpp"
#include "weir/sim/report_power.hpp"
#include "weir/sim/simulator.hpp"
#include "weir/sim/trace.hpp"

namespace weir::sim {

struct RunSummary {
    std::string name;    // what sets it apart from the others: "weir", "easy load=0.9"
    std::string policy;  // as given
    std::vector<std::pair<std::string, std::string>> varied;  // key and value, in the order given
    Metrics metrics;
    tenancy::Books books;  // without what was so over time
    HouseHoursTable houses;
    ReportData data;
    std::vector<PowerPoint> power;
    double power_allowed_watts = 0;  // 0 = no cap
    CapCost cap_cost;
    std::uint64_t racks_over_cap = 0;
    double over_cap_s = 0;  // of all racks together
    std::string machine;
    std::vector<std::string> notes;
};

// Requires: result.jobs is not empty.
RunSummary summary_of(const Trace& trace,
                      const Simulation& result,
                      std::string name,
                      std::string policy,
                      std::vector<std::pair<std::string, std::string>> varied);

// What was left out and why: once what all runs say, the rest with the run that says it.
std::vector<std::string> notes_of(const std::vector<RunSummary>& runs);

// One number that runs are compared by.
struct Figure {
    enum class Better : std::uint8_t { lower, higher, neither };
    std::string name;
    Better better = Better::neither;
    double (*value)(const RunSummary&);
    std::string (*text)(double);
    bool (*applies)(const RunSummary&) = nullptr;  // whether a run has it at all; null = every one
    bool headline = false;                         // shown where there is room for few
};
const std::vector<Figure>& figures();
// Those of them that say something about these runs.
std::vector<Figure> figures_of(const std::vector<RunSummary>& runs);
// Its name; behind it how many jobs it left out, where others left out fewer or more.
std::string title_of(const std::vector<RunSummary>& runs, std::size_t run);
// Whether the run has the best value of those that left out fewest jobs: what others gain by
// leaving work undone is no merit. Nobody has where all are equal.
bool is_best(const Figure& figure, const std::vector<RunSummary>& runs, std::size_t run);
// "-23.8 %" against the first run; "" for it, where it is 0, and where nothing is better or worse.
std::string difference_text(const Figure& figure,
                            const std::vector<RunSummary>& runs,
                            std::size_t run);

}  // namespace weir::sim
