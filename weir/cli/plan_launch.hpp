// Plans as launches of frameworks, and launches that exist as plans.
#pragma once

#include <vector>

#include "weir/base/result.hpp"
#include "weir/cli/plan.hpp"
#include "weir/cli/plan_question.hpp"
#include "weir/plan/search.hpp"

namespace weir::cli {

// Prints what starts the first of `plans` that the framework of --emit can run. True when there is
// one that fits.
Result<bool> emit_launch(const plan::TrainingJob& job,
                         const plan::Machine& machine,
                         const std::vector<plan::Plan>& plans,
                         const PlanOptions& options);

// The same for the best plan on a pool. A framework may be unable to run what a search holds best,
// so plans with less choice of recomputation stand behind those that were found.
Result<bool> emit_best(const PlanQuestion& question,
                       const PlanPool& pool,
                       const plan::SearchResult& found,
                       const PlanOptions& options);

// Predicts the launch in the file of --read, and says what would make it faster. True when it fits.
Result<bool> read_and_improve(const PlanOptions& options);

}  // namespace weir::cli
