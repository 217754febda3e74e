#include "weir/plan/interval.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "weir/catalog/catalog.hpp"

namespace weir::plan {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Machine machine_named(std::string_view chip) {
    return *machine_of(*catalog::Catalog::built_in().find(chip));
}

struct Asked {
    TrainingJob job{};
    Machine machine = machine_named("h100-sxm-80g");
    Strategy strategy{};

    Asked() {
        job.model = *catalog::find_model("llama-3-8b");
        job.sequence = 8192;
        job.global_batch = 128;
        strategy.tp = 2;
        strategy.dp = 32;
        strategy.zero = 1;
        machine.between.assumed = false;  // as a fleet file says
    }
    [[nodiscard]] Prediction prediction() const {
        return TrainingModel(job, machine).predict(strategy);
    }
    [[nodiscard]] Interval interval() const {
        return interval_of(prediction(), job, machine, strategy);
    }
};

TEST(Intervals, AreWiderThanTheErrorOfTheCalibration) {
    const Asked asked;
    const Interval interval = asked.interval();
    EXPECT_THAT(interval.causes, IsEmpty());
    EXPECT_FALSE(interval.extrapolated);
    // Somebody else's run is less well known than those that set the spread.
    EXPECT_GT(interval.spread, asked.machine.chip.spread);
    EXPECT_LT(interval.spread, 2 * asked.machine.chip.spread);
    const double middle = std::sqrt(interval.low_s * interval.high_s);
    EXPECT_NEAR(middle, asked.prediction().step_s, 1e-9);
}

TEST(Intervals, AreWiderTheLessIsKnownOfAChip) {
    Asked asked;
    const double known = asked.interval().spread;
    asked.machine.chip.fitted = false;
    const Interval of_kin = asked.interval();
    EXPECT_GT(of_kin.spread, known);
    EXPECT_THAT(of_kin.causes, Contains(HasSubstr("what chips of its design reach")));
    asked.machine.chip = built_in_calibrations().chip("a chip that nobody has", {});
    const Interval of_strangers = asked.interval();
    EXPECT_GT(of_strangers.spread, of_kin.spread);
    EXPECT_THAT(of_strangers.causes, Contains(HasSubstr("no published run on h100-sxm-80g")));
}

TEST(Intervals, AreWiderWhereNobodyStatesTheBandwidthOfALink) {
    Asked asked;
    const double stated = asked.interval().spread;
    asked.machine.between.assumed = true;
    const Interval interval = asked.interval();
    EXPECT_GT(interval.spread, stated);
    EXPECT_THAT(interval.causes, Contains(HasSubstr("the usual 50 GB/s of a chip are taken")));
}

TEST(Intervals, AreWiderWhereAChipWaitsForItsHost) {
    Asked asked;
    Prediction busy = asked.prediction();
    Prediction waiting = busy;
    waiting.step_s += busy.step_s;
    waiting.term_s[static_cast<std::size_t>(Term::overhead)] += busy.step_s;
    EXPECT_GT(interval_of(waiting, asked.job, asked.machine, asked.strategy).spread,
              interval_of(busy, asked.job, asked.machine, asked.strategy).spread + 0.05);
}

TEST(Intervals, OfExpertsAreWiderWhereNobodyMeasuredAllToAll) {
    Asked asked;
    asked.job.model = *catalog::find_model("mixtral-8x7b");
    asked.strategy = {};
    asked.strategy.dp = 64;
    asked.strategy.ep = 8;
    asked.strategy.zero = 1;
    asked.machine.inside.calibration.alltoall_fitted = true;
    asked.machine.between.calibration.alltoall_fitted = true;
    const double known = asked.interval().spread;
    asked.machine.inside.calibration.alltoall_fitted = false;
    const Interval interval = asked.interval();
    EXPECT_GT(interval.spread, known);
    EXPECT_THAT(interval.causes, Contains(HasSubstr("no published all-to-all over nvlink4")));
}

TEST(Intervals, AreWiderOverALinkThatNobodyMeasured) {
    Asked asked;
    const double known = asked.interval().spread;
    asked.machine.between.kind = "pigeon";
    asked.machine.between.calibration = built_in_calibrations().link("pigeon");
    const Interval interval = asked.interval();
    EXPECT_GT(interval.spread, known);
    EXPECT_THAT(interval.causes, Contains(HasSubstr("pigeon between nodes")));
    // Nothing leaves one node.
    asked.strategy.dp = 4;
    EXPECT_THAT(asked.interval().causes, IsEmpty());
}

TEST(Intervals, GrowBeyondWhatWasMeasuredUntilTheAnswerIsNo) {
    Asked asked;
    asked.job.sequence = 1 << 20;
    asked.strategy.cp = 8;
    asked.strategy.dp = 4;
    const Interval interval = asked.interval();
    EXPECT_TRUE(interval.extrapolated);
    EXPECT_THAT(interval.causes, Contains(HasSubstr("1,048,576 tokens")));
    EXPECT_TRUE(check_extrapolation(asked.job, asked.strategy).has_value());
    asked.job.sequence = 1 << 26;
    const auto refused = check_extrapolation(asked.job, asked.strategy);
    ASSERT_FALSE(refused.has_value());
    EXPECT_THAT(refused.error().message, HasSubstr("published runs go from 512 to 131,072"));
}

TEST(Memory, ThatAMarginLeavesFreeHoldsItsRisk) {
    Asked asked;
    EXPECT_NEAR(margin_of_risk(0.5), 0, 1e-9);
    double before = 0;
    for (const double risk : {0.4, 0.1, 0.05, 0.001}) {
        const double margin = margin_of_risk(risk);
        EXPECT_GT(margin, before);
        before = margin;
        asked.machine.memory_bytes = asked.prediction().memory_total_bytes() / (1 - margin);
        EXPECT_NEAR(out_of_memory_probability(asked.prediction(), asked.machine), risk, 1e-9);
    }
}

TEST(Memory, IsTooLittleByAProbabilityAndNotByAYes) {
    Asked asked;
    const Prediction prediction = asked.prediction();
    asked.machine.memory_bytes = prediction.memory_total_bytes();
    EXPECT_NEAR(out_of_memory_probability(prediction, asked.machine), 0.5, 1e-9);
    // Two standard deviations of room.
    asked.machine.memory_bytes *= std::exp(2 * memory_spread);
    EXPECT_NEAR(out_of_memory_probability(prediction, asked.machine), 0.02275, 1e-4);
    asked.machine.memory_bytes /= 2;
    EXPECT_GT(out_of_memory_probability(prediction, asked.machine), 0.999);
}

}  // namespace
}  // namespace weir::plan
