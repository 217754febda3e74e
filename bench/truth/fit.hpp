// Finds the constants of chips and links that explain measured step times best.
//
// The model is hierarchical. A constant is what chips in general reach, times what its family
// deviates, times what its chip deviates, each deviation log-normal around 1; shares of products
// and of moving kernels follow the datasheet as well (plan::Laws). So a chip with many runs gets
// constants of its own, one with few is pulled towards its family, and one with none has exactly
// what the product will say of a chip that nobody measured. FP8 is a ratio to the sixteen bits of
// the same chip, backward attention one to forward, all-to-all one to gathers: what is known of one
// tells of the other.
//
// The answer is the mode of the posterior, found by damped Gauss-Newton in the logarithms of all
// constants at once. Errors are weighted between absolute and squared, so that no single run
// decides; runs of one table are near copies of each other, so a table of n runs counts as n^0.5.
//
// Threads: none; a fit owns what it works on.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "bench/truth/rows.hpp"

namespace weir::bench {

// What was found, and how well it explains the rows.
struct Fitted {
    plan::Calibrations constants{};
    double loss = 0;
    int rounds = 0;
};

// Rows without a time to score tell nothing.
Fitted fit_constants(const std::vector<TrainingRow>& rows);

// As catalog/calibration.yaml has them.
std::string yaml_of(const plan::Calibrations& constants);

// The same rows on machines that reach what `constants` say.
std::vector<TrainingRow> with_constants(std::vector<TrainingRow> rows,
                                        const plan::Calibrations& constants);

// The sources that are left out one by one: all that publish times of runs. Megatron-LM's own tests
// (mcore) are no runs; they tell of the host, and stay in every fit.
std::set<std::string> sources_of(const std::vector<TrainingRow>& rows);

// The rows of one source that are scored, on machines as a fit without it knows them: how far a fit
// carries.
std::vector<TrainingRow> left_out(const std::vector<TrainingRow>& rows, const std::string& source);

}  // namespace weir::bench
