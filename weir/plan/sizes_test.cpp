// In which sizes a training job may run: what is asked, what falls away and why, and what is told
// to the one that starts.
#include "weir/plan/sizes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace weir::plan {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Pair;

fleet::Pool pool_of(std::string name, std::string chip, std::uint32_t nodes, std::uint32_t chips) {
    fleet::Pool pool;
    pool.name = std::move(name);
    pool.site = "here";
    pool.chip = std::move(chip);
    pool.nodes = nodes;
    pool.chips_per_node = chips;
    return pool;
}

fleet::Fleet fleet_of(std::vector<fleet::Pool> pools) {
    fleet::Fleet fleet;
    fleet.sites = {{.name = "here"}};
    fleet.pools = std::move(pools);
    return fleet;
}

job::JobSpec training(std::string model, job::ChipRange chips, double tokens = 1e9) {
    job::JobSpec spec;
    spec.script = "./pretrain.sh";
    spec.train = job::Train{.model = std::move(model),
                            .config = "",
                            .sequence = 4096,
                            .global_batch = 256,
                            .tokens = tokens,
                            .chips = chips};
    return spec;
}

Sizes planned(const job::JobSpec& spec, const fleet::Fleet& fleet) {
    std::vector<PoolId> pools;
    for (std::uint32_t i = 0; i < fleet.pools.size(); ++i)
        pools.push_back(PoolId{i});
    auto sizes = sizes_of(spec, fleet, pools, catalog::Catalog::built_in());
    EXPECT_TRUE(sizes.has_value()) << sizes.error().message;
    return sizes ? *std::move(sizes) : Sizes{};
}

std::vector<std::uint32_t> numbers_of(const Sizes& sizes) {
    std::vector<std::uint32_t> numbers;
    for (const job::TrainSize& size : sizes.sizes)
        numbers.push_back(size.chips_in_all());
    return numbers;
}

std::string refusal(const job::JobSpec& spec, const fleet::Fleet& fleet) {
    const auto sizes = sizes_of(spec, fleet, {PoolId{0}}, catalog::Catalog::built_in());
    return sizes ? "" : sizes.error().message;
}

TEST(TrainSizes, AreWholeNodesBetweenTheEndsAndEachIsFasterThanTheSmallerOnes) {
    const Sizes sizes =
        planned(training("llama-3-8b", {16, 256}), fleet_of({pool_of("a", "h100-sxm-80g", 64, 8)}));
    ASSERT_GE(sizes.sizes.size(), 5U);
    EXPECT_EQ(sizes.sizes.front().chips_in_all(), 16U);
    EXPECT_EQ(sizes.sizes.back().chips_in_all(), 256U);
    for (std::size_t i = 0; i < sizes.sizes.size(); ++i) {
        const job::TrainSize& size = sizes.sizes[i];
        EXPECT_EQ(size.chips, 8U);
        EXPECT_LT(size.step_low_s, size.step_s);
        EXPECT_GT(size.step_high_s, size.step_s);
        EXPECT_GT(size.mfu, 0.1);
        EXPECT_LT(size.mfu, 0.8);
        // 1e9 tokens in steps of 256 x 4096, to the second.
        EXPECT_NEAR(as_seconds(size.takes), std::ceil(1e9 / (256 * 4096)) * size.step_s, 1.0);
        EXPECT_GT(as_seconds(size.limit), as_seconds(size.takes) * size.step_high_s / size.step_s);
        if (i > 0) {
            EXPECT_LT(size.takes, sizes.sizes[i - 1].takes);
        }
    }
}

TEST(TrainSizes, OneNumberIsOneSize) {
    const fleet::Fleet fleet = fleet_of({pool_of("a", "h100-sxm-80g", 8, 8)});
    EXPECT_THAT(numbers_of(planned(training("llama-3-8b", {32, 32}), fleet)), ElementsAre(32U));
    // Not in whole nodes: as many on each as can be.
    const Sizes odd = planned(training("llama-3-8b", {12, 12}), fleet);
    for (const job::TrainSize& size : odd.sizes) {
        EXPECT_EQ(size.replicas, 2U);
        EXPECT_EQ(size.chips, 6U);
    }
}

// 16-bit weights and optimiser of 70 billion parameters: 1.1 TB, and 16 chips have 1.28 TB of which
// activations and what is kept free want a part.
TEST(TrainSizes, WhatDoesNotFitIntoMemoryIsLeftOutWithTheReason) {
    const Sizes sizes =
        planned(training("llama-3-70b", {8, 128}), fleet_of({pool_of("a", "a100-sxm-80g", 64, 8)}));
    ASSERT_FALSE(sizes.sizes.empty());
    EXPECT_GT(sizes.sizes.front().chips_in_all(), 8U);
    ASSERT_FALSE(sizes.without.empty());
    EXPECT_THAT(sizes.without.front().why, HasSubstr("the leanest plan needs"));
}

TEST(TrainSizes, OfPoolsThatAreAlikeAreOneSizeOfBoth) {
    const Sizes sizes = planned(training("llama-3-8b", {16, 16}),
                                fleet_of({pool_of("a", "h100-sxm-80g", 8, 8),
                                          pool_of("b", "h100-sxm-80g", 4, 8),
                                          pool_of("c", "a100-sxm-80g", 8, 8)}));
    ASSERT_EQ(sizes.sizes.size(), 2U);
    EXPECT_THAT(sizes.sizes[0].pools, ElementsAre("a", "b"));
    EXPECT_THAT(sizes.sizes[1].pools, ElementsAre("c"));
    EXPECT_GT(sizes.sizes[1].takes, sizes.sizes[0].takes);
}

TEST(TrainSizes, SayWhyAPoolHasNone) {
    const Sizes sizes = planned(training("llama-3-8b", {64, 256}),
                                fleet_of({pool_of("small", "h100-sxm-80g", 2, 8),
                                          pool_of("hosts", "", 9, 0),
                                          pool_of("odd", "nobody-knows", 99, 8)}));
    EXPECT_TRUE(sizes.sizes.empty());
    ASSERT_EQ(sizes.without.size(), 3U);
    EXPECT_EQ(sizes.without[0].why, "it has 16 chips, and the job wants at least 64");
    EXPECT_EQ(sizes.without[1].why, "it has no chips");
    EXPECT_EQ(sizes.without[2].why, "the catalogue does not know nobody-knows");
}

TEST(TrainSizes, EndWithinTheTimeLimitOfTheJobAndHaveNoOther) {
    const fleet::Fleet fleet = fleet_of({pool_of("a", "h100-sxm-80g", 64, 8)});
    job::JobSpec spec = training("llama-3-8b", {8, 128}, 2e9);
    const Sizes all = planned(spec, fleet);
    spec.limit = all.sizes[all.sizes.size() / 2].takes + seconds(1);
    const Sizes some = planned(spec, fleet);
    EXPECT_LT(some.sizes.size(), all.sizes.size());
    EXPECT_THAT(some.without.front().why, HasSubstr(" it would take"));
    for (const job::TrainSize& size : some.sizes)
        EXPECT_EQ(size.limit, *spec.limit);
}

TEST(TrainSizes, TellTheProgramItsPlan) {
    for (const char* framework : {"megatron-lm", "deepspeed", "mindspeed", "torchtitan"}) {
        SCOPED_TRACE(framework);
        const bool npu = std::string(framework) == "mindspeed";
        job::JobSpec spec = training("llama-3-8b", {16, 64});
        spec.train->framework = framework;
        const Sizes sizes =
            planned(spec, fleet_of({pool_of("a", npu ? "ascend-910b3" : "h100-sxm-80g", 64, 8)}));
        ASSERT_FALSE(sizes.sizes.empty());
        for (const job::TrainSize& size : sizes.sizes) {
            const auto& env = size.env;
            std::uint64_t product = 1;
            for (const char* degree : {"WEIR_TP", "WEIR_PP", "WEIR_DP", "WEIR_CP"})
                product *= std::stoull(env.at(degree));
            EXPECT_EQ(product, size.chips_in_all());
            EXPECT_THAT(env,
                        AllOf(Contains(Key("WEIR_EP")),
                              Contains(Key("WEIR_MICRO_BATCH")),
                              Contains(Pair("WEIR_GLOBAL_BATCH", "256")),
                              Contains(Pair("WEIR_PRECISION", "bf16"))));
            EXPECT_EQ(env.count("WEIR_DEEPSPEED_CONFIG"),
                      std::string(framework) == "deepspeed" ? 1U : 0U);
            // An unquoted $WEIR_LAUNCH_ARGS is taken apart at its spaces, and nowhere else.
            const std::string& words = env.at("WEIR_LAUNCH_ARGS");
            EXPECT_GT(words.size(), 40U);
            EXPECT_EQ(words.find_first_of("'\"\n$`\\"), std::string::npos) << words;
        }
    }
}

TEST(TrainSizes, RefuseWhatNobodyKnowsOrCouldRun) {
    const fleet::Fleet fleet = fleet_of({pool_of("a", "h100-sxm-80g", 8, 8)});
    EXPECT_THAT(refusal(training("lama-3-8b", {8, 64}), fleet),
                HasSubstr("train.model: the catalogue does not know 'lama-3-8b' (did you mean "
                          "llama-3-8b?)"));
    job::JobSpec far = training("llama-3-8b", {8, 64});
    far.train->sequence = 100'000'000;
    EXPECT_THAT(refusal(far, fleet), HasSubstr("train: sequence 100,000,000: published runs"));
    job::JobSpec broken = training("x/config.json", {8, 64});
    broken.train->config = "{}";
    EXPECT_THAT(refusal(broken, fleet), HasSubstr("train.model: x/config.json"));
    EXPECT_TRUE(sizes_of(training("meta-llama/Llama-3-8B", {8, 8}),
                         fleet,
                         {PoolId{0}},
                         catalog::Catalog::built_in())
                    .has_value());
    // Long runs are as long as they are, but not longer than jobs may be.
    const Sizes sizes = planned(training("llama-3-8b", {8, 8}, 1e17), fleet);
    ASSERT_EQ(sizes.without.size(), 1U);
    EXPECT_THAT(sizes.without.front().why, HasSubstr("more than 10y"));
}

TEST(TrainSizes, AreThePureAnswerToTheirQuestion) {
    const fleet::Fleet fleet = fleet_of({pool_of("a", "h100-sxm-80g", 64, 8)});
    const job::JobSpec spec = training("llama-3-8b", {16, 512});
    EXPECT_EQ(planned(spec, fleet).sizes, planned(spec, fleet).sizes);
}

}  // namespace
}  // namespace weir::plan
