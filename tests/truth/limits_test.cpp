// What limits of prediction are computed from, with a slow, plain reference.
#include "bench/truth/limits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace weir::bench {
namespace {

using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;

// Along a chain the nearest ascending values are known in closed form: each is the largest, over
// where a run of values begins, of the smallest mean over where it ends.
std::vector<double> nearest_ascending(const std::vector<double>& values) {
    std::vector<double> nearest;
    for (std::size_t i = 0; i < values.size(); ++i) {
        double largest = -INFINITY;
        for (std::size_t begin = 0; begin <= i; ++begin) {
            double smallest = INFINITY;
            for (std::size_t end = i; end < values.size(); ++end) {
                double sum = 0;
                for (std::size_t k = begin; k <= end; ++k)
                    sum += values[k];
                smallest = std::min(smallest, sum / static_cast<double>(end - begin + 1));
            }
            largest = std::max(largest, smallest);
        }
        nearest.push_back(largest);
    }
    return nearest;
}

TEST(Limits, NearestInOrderAgreesWithTheClosedFormOfAChain) {
    std::mt19937 random(7);
    std::uniform_real_distribution<double> value(0, 1);
    for (int world = 0; world < 50; ++world) {
        std::vector<double> values(1 + world % 9);
        std::generate(values.begin(), values.end(), [&] { return value(random); });
        Pairs chain;
        for (std::size_t i = 0; i + 1 < values.size(); ++i)
            chain.emplace_back(i, i + 1);
        const std::vector<double> known = nearest_ascending(values);
        const std::vector<double> found = nearest_in_order(values, chain);
        for (std::size_t i = 0; i < values.size(); ++i)
            EXPECT_NEAR(found[i], known[i], 1e-6) << "world " << world << ", value " << i;
    }
}

TEST(Limits, ValuesThatAreInOrderStayAsTheyAre) {
    EXPECT_EQ(nearest_in_order({1, 2, 2}, {{0, 1}, {0, 2}, {1, 2}}),
              (std::vector<double>{1, 2, 2}));
}

TEST(Limits, APlanMeasuredTwiceSaysHowFarOffOnePredictionMustBe) {
    TrainingRow quick;
    quick.id = "x-1";
    quick.group = "x";
    TrainingRow slow = quick;
    slow.id = "x-2";
    const auto repeated = repeated_of({{&quick, 1.0, 1.2, 0}, {&slow, 2.0, 1.2, 0}});
    ASSERT_EQ(repeated.size(), 1U);
    EXPECT_EQ(repeated[0].pairs, 1U);
    EXPECT_DOUBLE_EQ(repeated[0].differ_most, 1.0);
    // With 1 for both, one error is 0 and the other one a half; any other answer is worse.
    EXPECT_DOUBLE_EQ(repeated[0].least_mape, 0.25);
}

}  // namespace
}  // namespace weir::bench
