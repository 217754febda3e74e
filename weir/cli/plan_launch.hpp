// Plans as launches of frameworks, and launches that exist as plans.
#pragma once

#include <vector>

#include "weir/base/result.hpp"
#include "weir/cli/plan.hpp"
#include "weir/cli/plan_question.hpp"
#include "weir/plan/search.hpp"

namespace weir::cli {

// Prints what starts a plan in the framework of --emit, and announces what it takes there, whatever
// framework the plan was made for. True when it fits.
Result<bool> emit_launch(const plan::TrainingJob& job,
                         const plan::Machine& machine,
                         const plan::Strategy& chosen,
                         const PlanOptions& options);

// Predicts the launch in the file of --read, and says what would make it faster. True when it fits.
Result<bool> read_and_improve(const PlanOptions& options);

}  // namespace weir::cli
