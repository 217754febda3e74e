// How published serving benchmarks were started: what their scripts say and their rows do not.
//
// A table of results names model, chips, lengths and load. The scripts beside it say the rest: that
// lengths are drawn between 0.8 and 1 of the nominal one, that experts are spread over all chips
// from a certain load on, that prompts wait to be batched, that prompts have chips of their own. A
// prediction that does not know them predicts another run. Only inputs of a row are looked at,
// never its results.
//
// Threads: pure functions.
#pragma once

#include "bench/truth/inference.hpp"
#include "bench/truth/record.hpp"

namespace weir::bench {

// Fills in `row.job` and `row.plan`, and sets `row.doubtful` where the scripts contradict the row.
void apply_launch(const Record& record, InferenceRow& row);

}  // namespace weir::bench
