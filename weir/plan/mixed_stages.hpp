// The best pipeline through several kinds of chip; see mixed.hpp.
//
// Threads: pure functions.
#pragma once

#include <optional>

#include "weir/plan/mixed.hpp"

namespace weir::plan {

// nullopt: none fits, or none takes less than `better_than_s`.
std::optional<MixedPlan> best_pipeline(const TrainingJob& job,
                                       const std::vector<MixedPart>& parts,
                                       const MixedOptions& options,
                                       double better_than_s);

}  // namespace weir::plan
