// Prediction error: run times as a predictor would say them, wrong as often as real ones are.
//
// The model is the one used with the Philly log: 10 % of predictions within 10 % of the truth, 50 %
// within 50 %, 70 % within 100 %, 90 % within 1000 %, and the rest beyond, here up to 10,000 %.
// Inside each band every error is equally likely. An error below 100 % may be to either side; a
// larger one can only be too long.
//
// Threads: the functions keep no state.
#pragma once

#include <cstdint>

#include "weir/base/time.hpp"

namespace weir::sim {

// A prediction for a job, the same for equal `seed` and `job`, whatever is asked in between.
// Ensures: from 1 s to the limit.
Duration predicted_run(Duration run, Duration limit, std::uint64_t seed, std::uint64_t job);

}  // namespace weir::sim
