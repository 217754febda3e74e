#include "weir/plan/strategy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::plan {
namespace {

using ::testing::HasSubstr;

TrainingJob job() {
    TrainingJob job;
    job.model.layers = 32;
    job.model.hidden = 4096;
    job.model.heads = 32;
    job.model.kv_heads = 8;
    job.model.head_dim = 128;
    job.model.ffn = 14336;
    job.model.vocab = 32000;
    job.sequence = 4096;
    job.global_batch = 256;
    return job;
}

struct Refused {
    std::string_view what;
    void (*change)(Strategy&);
    std::string_view because;
};

class Refusals : public ::testing::TestWithParam<Refused> {};

TEST_P(Refusals, NameFieldValueAndWhatIsValid) {
    Strategy strategy;
    strategy.tp = 8;
    strategy.pp = 4;
    strategy.dp = 2;
    ASSERT_TRUE(check(strategy, job(), 64).has_value());
    GetParam().change(strategy);
    const auto checked = check(strategy, job(), strategy.chips());
    ASSERT_FALSE(checked.has_value()) << GetParam().what;
    EXPECT_THAT(checked.error().message, HasSubstr(std::string(GetParam().because)));
}

INSTANTIATE_TEST_SUITE_P(
    Table,
    Refusals,
    ::testing::Values(
        Refused{"heads", [](Strategy& s) { s.tp = 3; }, "tp 3: must divide the 32 attention heads"},
        Refused{"zero", [](Strategy& s) { s.dp = 0; }, "dp 0: must be at least 1"},
        Refused{"stages", [](Strategy& s) { s.pp = 64; }, "64 stages, but the model has 32 layers"},
        Refused{"vpp alone", [](Strategy& s) { s.pp = 1, s.vpp = 2; }, "vpp 2: needs pp"},
        Refused{
            "batch", [](Strategy& s) { s.micro_batch = 3; }, "must divide the global batch of 256"},
        Refused{"cp", [](Strategy& s) { s.cp = 3; }, "cp 3: must divide the sequence of 4096"},
        Refused{"ep", [](Strategy& s) { s.ep = 2; }, "needs a model with experts"},
        Refused{"stage of zero", [](Strategy& s) { s.zero = 4; }, "must be 0, 1, 2 or 3"}));

TEST(Strategy, DegreesMustMakeTheChips) {
    Strategy strategy;
    strategy.tp = 8;
    strategy.dp = 2;
    const auto checked = check(strategy, job(), 32);
    ASSERT_FALSE(checked.has_value());
    EXPECT_THAT(checked.error().message, HasSubstr("makes 16 chips, but there are 32"));
}

TEST(Strategy, IsSaidInOneLine) {
    Strategy strategy;
    strategy.tp = 8;
    strategy.pp = 4;
    strategy.dp = 16;
    strategy.micro_batch = 2;
    strategy.zero = 1;
    strategy.recompute = Recompute::full;
    EXPECT_EQ(text_of(strategy), "tp 8, pp 4, dp 16, micro-batch 2, zero 1, full recompute");
}

}  // namespace
}  // namespace weir::plan
