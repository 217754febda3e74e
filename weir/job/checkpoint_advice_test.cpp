#include "weir/job/checkpoint_advice.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "weir/base/random.hpp"

namespace weir::job {
namespace {

// The best interval there is, by trying: each step narrows the bracket to a fifth around the best.
Duration best_by_trying(const CheckpointCosts& costs) {
    double low = 0.001;
    double high = 20 * as_seconds(costs.mtbf) + 1;
    for (int step = 0; step < 60; ++step) {
        double best = low;
        double share = -1;
        const double width = (high - low) / 20;
        for (int i = 0; i <= 20; ++i) {
            const double at = low + width * i;
            const double its =
                useful_share(Duration{std::max<std::int64_t>(1, std::llround(at * 1000))}, costs);
            if (its > share) {
                share = its;
                best = at;
            }
        }
        low = std::max(0.001, best - width);
        high = best + width;
    }
    return Duration{std::llround(low * 1000)};
}

TEST(CheckpointAdvice, DalyIsTheBestThatTryingFindsWhereCheckpointsAreCheap) {
    for (const std::int64_t mtbf_s : {600, 3'600, 40'000, 1'000'000}) {
        for (const std::int64_t cost_s : {1, 15, 90, 250}) {
            if (cost_s * 2 > mtbf_s) continue;
            const CheckpointCosts costs{
                .cost = seconds(cost_s), .restart = seconds(300), .mtbf = seconds(mtbf_s)};
            const Duration best = best_by_trying(costs);
            const Duration daly = daly_interval(costs.cost, costs.mtbf);
            // Daly's own figure for the error of his formula at C = M/2 is under 1 %.
            EXPECT_NEAR(as_seconds(daly), as_seconds(best), 0.02 * as_seconds(best) + 0.01)
                << "cost " << cost_s << " s, mtbf " << mtbf_s << " s";
            EXPECT_GE(useful_share(daly, costs), 0.9999 * useful_share(best, costs));
            EXPECT_GE(useful_share(daly, costs) + 1e-12,
                      useful_share(young_interval(costs.cost, costs.mtbf), costs));
        }
    }
}

TEST(CheckpointAdvice, FallsBackToTheMeanTimeBetweenFailuresWhereACheckpointTakesLonger) {
    EXPECT_EQ(daly_interval(seconds(500), seconds(200)), seconds(200));
}

TEST(CheckpointAdvice, YoungIsTheRootOfTwiceCostTimesMean) {
    EXPECT_EQ(young_interval(seconds(50), seconds(10'000)), seconds(1'000));
}

TEST(CheckpointAdvice, AGangFailsAsOftenAsItHasNodes) {
    EXPECT_EQ(mtbf_of_gang(seconds(157'680'000), 1'000), seconds(157'680));
}

// A run, played second by second of failures drawn at random, has the share that the formula says.
TEST(CheckpointAdvice, TheUsefulShareIsWhatPlayedRunsHave) {
    Random random(7);
    for (const auto& [every_s, cost_s, restart_s, mtbf_s] :
         {std::tuple{1'000.0, 50.0, 120.0, 10'000.0}, std::tuple{300.0, 60.0, 30.0, 900.0}}) {
        double wall = 0;
        double failure = random.exponential(mtbf_s);  // at this time
        const int segments = 40'000;
        for (int done = 0; done < segments;) {
            const double end = wall + every_s + cost_s;
            if (failure >= end) {
                wall = end;
                ++done;
                continue;
            }
            // Down until a restart goes through without another failure.
            do {
                wall = failure;
                failure = wall + random.exponential(mtbf_s);
            } while (failure < wall + restart_s);
            wall += restart_s;
        }
        const CheckpointCosts costs{.cost = seconds(static_cast<std::int64_t>(cost_s)),
                                    .restart = seconds(static_cast<std::int64_t>(restart_s)),
                                    .mtbf = seconds(static_cast<std::int64_t>(mtbf_s))};
        EXPECT_NEAR(segments * every_s / wall,
                    useful_share(seconds(static_cast<std::int64_t>(every_s)), costs),
                    0.01);
    }
}

}  // namespace
}  // namespace weir::job
