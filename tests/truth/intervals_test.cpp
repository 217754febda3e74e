// Whether nine tenths of the published measurements lie in the intervals that are said to hold
// them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "weir/plan/interval.hpp"

#include "bench/truth/fit.hpp"
#include "bench/truth/report.hpp"

namespace weir::bench {
namespace {

std::string folder() {
    const char* const given = std::getenv("WEIR_TRUTH");
    return given != nullptr ? given : "../shared/truth";
}

class Intervals : public ::testing::Test {
protected:
    void SetUp() override {
        const std::string path = folder() + "/training.csv";
        if (!std::filesystem::exists(path)) GTEST_SKIP() << "there is no " << path;
        auto read = read_training(path);
        ASSERT_TRUE(read.has_value()) << read.error().message;
        rows_ = std::move(*read);
    }

    // The share of measured step times inside, if `change` says how well the machine is known.
    template <class Change>
    [[nodiscard]] double covered(Change change) const {
        double inside = 0;
        double all = 0;
        for (const TrainingRow& row : rows_) {
            if (!row.score_time) continue;
            plan::Machine machine = row.machine;
            change(machine);
            const plan::Prediction prediction =
                plan::TrainingModel(row.job, machine).predict(row.strategy);
            const plan::Interval interval =
                plan::interval_of(prediction, row.job, machine, row.strategy);
            all += 1;
            if (row.step_s >= interval.low_s && row.step_s <= interval.high_s) inside += 1;
        }
        return inside / all;
    }

    std::vector<TrainingRow> rows_;
};

// Those that set the spreads lie inside more often than others will.
TEST_F(Intervals, HoldTheStepTimesOfTheFit) {
    EXPECT_GE(covered([](plan::Machine&) {}), 0.90);
}

// As for a chip known from its datasheet alone: what other chips reach stands for what it reaches.
TEST_F(Intervals, HoldThemOfChipsThatCountByTheirDatasheetsToo) {
    const double share = covered([](plan::Machine& machine) {
        const plan::Calibrations& known = plan::built_in_calibrations();
        machine.chip = known.chip("a chip that nobody has", machine.datasheet());
        machine.inside.calibration = known.link("any");
        machine.between.calibration = known.link("any");
    });
    EXPECT_GE(share, 0.86);
}

// What a fit says of sources that it never saw: the nearest thing to what it says of the world.
TEST_F(Intervals, HoldNineTenthsOfSourcesThatWereLeftOutOfTheFit) {
    double inside = 0;
    double all = 0;
    double error = 0;
    const auto sources = sources_of(rows_);
    for (const std::string& source : sources) {
        const auto own = left_out(rows_, source);
        const Score score = score_of(source, predict_times(own));
        EXPECT_GE(score.coverage, 0.75) << source;
        EXPECT_LE(score.mape, 0.22) << source;
        inside += score.coverage * static_cast<double>(score.rows);
        all += static_cast<double>(score.rows);
        error += score.mape / static_cast<double>(sources.size());
    }
    EXPECT_GE(inside / all, 0.86);
    EXPECT_LE(inside / all, 0.97);
    EXPECT_LE(error, 0.12);
}

TEST_F(Intervals, HoldNineTenthsOfTheMemory) {
    double inside = 0;
    double all = 0;
    for (const TrainingRow& row : rows_) {
        if (!row.score_memory || row.memory_bytes < 10.0 * (1 << 30)) continue;
        const plan::Prediction prediction =
            plan::TrainingModel(row.job, row.machine).predict(row.strategy);
        const double error = std::log(row.memory_bytes / prediction.memory_allocated_bytes());
        all += 1;
        if (std::abs(error) <= 1.645 * plan::memory_spread) inside += 1;
    }
    EXPECT_GE(inside / all, 0.86);
}

}  // namespace
}  // namespace weir::bench
