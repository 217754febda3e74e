// What the measurements themselves allow: how well anybody could predict and order them.
//
// A table has runs that contradict one another: a plan that was measured twice, layers that take
// less time when they are wider, tensor parallelism that makes one model faster and a like one
// slower. No model that treats like plans alike gets below what they differ by. Here predictions
// are made that know the measured times, and are held back only by being consistent; each in the
// weakest sense that can be computed:
//
//   - in order: as near to the measured times as they can be while no layer takes less time for
//     being wider or having a larger micro-batch (the grid), and no share of the work less for more
//     tensor parallelism, more stages or a smaller micro-batch (runs on many nodes);
//   - one factor: arbitrary time for each degree of a dimension, that of a pair being the product.
//
// Threads: pure functions.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bench/truth/report.hpp"

namespace weir::bench {

// The values nearest to these (by squares of differences) of which the first of each pair is no
// larger than the second.
std::vector<double> nearest_in_order(std::vector<double> values,
                                     const std::vector<std::pair<std::size_t, std::size_t>>& pairs);

// Scores of such predictions of runs of the grid ("vts") and on many nodes ("vtm"), beside those of
// the planner.
std::vector<Score> limits_of(const std::vector<Predicted>& times);

// Plans of one job on as many chips that were measured more than once. With one prediction for both
// of a pair, the mean of their two errors is at least (1 - shorter / longer) / 2.
struct Repeated {
    std::string group{};
    std::size_t pairs = 0;
    double differ_most = 0;  // longer / shorter - 1
    std::string ids{};       // of those
    double least_mape = 0;   // over all rows of the group
};
std::vector<Repeated> repeated_of(const std::vector<Predicted>& times);

// A layer of the grid, out of the steps that are put together from it.
struct GridLayer {
    std::uint32_t hidden = 0;
    std::uint32_t tp = 0;
    std::uint32_t micro_batch = 0;
    double measured_s = 0;  // forward and backward, of one micro-batch
    double predicted_s = 0;
};
std::vector<GridLayer> grid_layers(const std::vector<Predicted>& times);

}  // namespace weir::bench
