// What was asked of `weir plan`, as the planner takes it: a job, chips, and how to search.
//
// Everything a command line can get wrong is refused here, with the option, its value and what
// would be valid.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/cli/plan.hpp"
#include "weir/plan/interval.hpp"
#include "weir/plan/machine.hpp"
#include "weir/plan/search.hpp"
#include "weir/plan/strategy.hpp"

namespace weir::cli {

// So many chips of one kind.
struct PlanPool {
    std::string name;         // as it was asked for
    std::uint64_t chips = 0;  // 0 = not said, which --scale allows
    plan::Machine machine{};
    double node_mtbf_s = 0;  // 0 = not said
};

// How full plans may make a chip.
struct MemoryPromise {
    double risk = plan::usual_risk;  // probability that the memory is too little; 0 = by `margin`
    double margin = plan::margin_of_risk(plan::usual_risk);  // share of the memory that stays free

    // "keep the risk of running out of memory at 10 %"; "" where a chip may be full.
    [[nodiscard]] std::string text() const;
    // The option that would just allow this: "--risk 0.28".
    [[nodiscard]] std::string option_for(const plan::Prediction& prediction,
                                         const plan::Machine& machine) const;
};
MemoryPromise memory_promise(const PlanOptions& options);

struct PlanQuestion {
    plan::TrainingJob job{};
    std::vector<PlanPool> pools{};
    plan::Precision precision = plan::Precision::bf16;  // that was asked for
    plan::SearchOptions search{};  // without chips and failures: those are of a pool
    MemoryPromise memory{};
    std::vector<std::string> notes{};

    // Of the precisions that keep what was asked, those that the pool has.
    [[nodiscard]] plan::SearchOptions search_on(const PlanPool& pool) const;
};

Result<PlanQuestion> plan_question(const PlanOptions& options);

// --chips alone; their numbers may be left open where a launch says them, or a replica is sized.
Result<std::vector<PlanPool>> plan_pools(const PlanOptions& options);

// "15e12", "15T", "300B", "20000000000".
Result<double> tokens_from_text(const std::string& text);

// A name of the catalogue, or a file of a model.
Result<catalog::Model> plan_model(const std::string& name);

// "8..4096": the numbers of chips from low to high, each twice the one before, and high.
Result<std::vector<std::uint64_t>> chip_counts(const std::string& range);

// A number of chips and seconds in money; "" where nobody says the price.
std::string cost_text(const plan::Machine& machine, double chips, double seconds);

}  // namespace weir::cli
