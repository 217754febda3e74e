// `weir plan MODEL --serve`: how a model is best served on chips, within promises of latency.
#pragma once

#include "weir/base/result.hpp"
#include "weir/cli/plan.hpp"

namespace weir::cli {

// True when some plan keeps the promises.
Result<bool> plan_serving(const PlanOptions& options);

}  // namespace weir::cli
