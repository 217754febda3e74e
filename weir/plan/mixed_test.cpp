#include "weir/plan/mixed.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

#include "weir/catalog/catalog.hpp"
#include "weir/plan/mixed_reference.hpp"
#include "weir/plan/mixed_stages.hpp"

namespace weir::plan {
namespace {

using Random = std::mt19937_64;

template <class T>
T one_of(Random& random, std::initializer_list<T> values) {
    return *(values.begin() +
             std::uniform_int_distribution<std::size_t>(0, values.size() - 1)(random));
}

Machine machine(const std::string& chip) {
    return *machine_of(*catalog::Catalog::built_in().find(chip));
}

TrainingJob small_job(Random& random) {
    TrainingJob job;
    catalog::Model& model = job.model;
    model.layers = one_of(random, {2U, 3U, 5U});
    model.heads = one_of(random, {2U, 4U});
    model.kv_heads = model.heads;
    model.head_dim = 128;
    model.hidden = model.heads * model.head_dim;
    model.ffn = 4 * model.hidden;
    model.vocab = 8000;
    if (one_of(random, {false, true})) {
        model.experts = catalog::Experts{.count = one_of(random, {2U, 4U, 6U}),
                                         .per_token = one_of(random, {1U, 2U}),
                                         .ffn = one_of(random, {1U, 2U}) * model.hidden,
                                         .shared_ffn = one_of(random, {0U, model.hidden}),
                                         .first_dense = one_of(random, {0U, 1U, 3U})};
        model.mtp_layers = one_of(random, {0U, 1U});
    }
    job.sequence = one_of(random, {1024U, 4096U});
    job.global_batch = one_of(random, {4U, 6U, 8U});
    return job;
}

std::vector<MixedPart> small_parts(Random& random) {
    std::vector<MixedPart> parts{
        {machine("a100-sxm-80g"), one_of<std::uint64_t>(random, {1, 2, 3, 4})},
        {machine("h100-sxm-80g"), one_of<std::uint64_t>(random, {1, 2, 4})}};
    for (MixedPart& part : parts) {
        part.machine.chips_per_node = one_of(random, {1U, 2U, 8U});
        part.machine.memory_bytes = one_of(random, {80e9, 2.5e9, 1.6e9});
    }
    return parts;
}

std::uint64_t seeds() {
    const char* const more = std::getenv("WEIR_SEARCH_SEEDS");
    return more != nullptr ? std::strtoull(more, nullptr, 10) : 16;
}

TEST(Mixed, FindsTheBestOfAllSplits) {
    int replicas = 0;
    int stages = 0;
    int with_experts = 0;
    for (std::uint64_t seed = 0; seed < seeds(); ++seed) {
        Random random(seed);
        const TrainingJob job = small_job(random);
        const std::vector<MixedPart> parts = small_parts(random);
        MixedOptions options;
        options.between_bytes_per_s = one_of(random, {0.0, 1e8, 1e10});
        options.search.recompute_block = one_of(random, {false, true});
        options.search.recompute_selective = one_of(random, {false, true});
        options.search.offload_optimizer = one_of(random, {false, false, true});
        options.search.zero = one_of<std::vector<std::uint32_t>>(random, {{0, 1}, {1}, {0, 2, 3}});
        options.search.expert_tensor = one_of(random, {false, true});
        const auto found = search_mixed(job, parts, options);
        const double best = best_replicas_s(job, parts, options);
        ASSERT_EQ(found && found->replicas, std::isfinite(best)) << "seed " << seed;
        if (std::isfinite(best)) {
            EXPECT_DOUBLE_EQ(found->replicas->step_s, best) << "seed " << seed;
            ++replicas;
        }
        const double best_pipe = best_stages_s(job, parts, options);
        const auto pipe =
            best_pipeline(job, parts, options, std::numeric_limits<double>::infinity());
        ASSERT_EQ(pipe.has_value(), std::isfinite(best_pipe)) << "seed " << seed;
        if (pipe) {
            EXPECT_NEAR(pipe->step_s, best_pipe, 1e-9 * best_pipe) << "seed " << seed;
            ++stages;
            if (job.model.is_moe()) ++with_experts;
        }
        // Told what replicas do, it finds the same or says that it is no better.
        const bool better = best_pipe < best;
        ASSERT_EQ(found && found->stages, better) << "seed " << seed;
        if (better) {
            EXPECT_NEAR(found->stages->step_s, best_pipe, 1e-9 * best_pipe) << "seed " << seed;
        }
    }
    EXPECT_GT(replicas, 3);
    EXPECT_GT(stages, 3);
    EXPECT_GT(with_experts, 1);
}

TEST(Mixed, KeepsTheRiskOfMemoryForTheWholeJob) {
    int replicas = 0;
    int stages = 0;
    int shared = 0;
    for (std::uint64_t seed = 0; seed < seeds(); ++seed) {
        Random random(seed);
        const TrainingJob job = small_job(random);
        const std::vector<MixedPart> parts = small_parts(random);
        MixedOptions options;
        options.risk = one_of(random, {0.02, 0.1, 0.4});
        options.between_bytes_per_s = one_of(random, {0.0, 1e8, 1e10});
        MixedOptions each = options;
        each.search.memory_margin = margin_of_risk(options.risk);
        each.risk = 0;
        const auto found = search_mixed(job, parts, options);
        if (!found) continue;
        for (const auto* way : {&found->alone, &found->replicas, &found->stages}) {
            if (!way->has_value()) continue;
            EXPECT_LE(out_of_memory_probability(**way, parts), options.risk + 1e-9)
                << name_of((*way)->mix) << ", seed " << seed;
        }
        replicas += found->replicas ? 1 : 0;
        stages += found->stages ? 1 : 0;
        // Were each part alone to keep it, some mixes would not.
        const auto loose = search_mixed(job, parts, each);
        if (loose && loose->replicas)
            shared += out_of_memory_probability(*loose->replicas, parts) > options.risk ? 1 : 0;
        // Within its share, each part takes the best.
        MixedOptions own = options;
        own.search = search_of_part(options, parts.size());
        const double best = best_replicas_s(job, parts, own);
        ASSERT_EQ(found->replicas.has_value(), std::isfinite(best)) << "seed " << seed;
        if (found->replicas) {
            EXPECT_DOUBLE_EQ(found->replicas->step_s, best) << "seed " << seed;
        }
    }
    EXPECT_GT(replicas, 3);
    EXPECT_GT(stages, 0);
    EXPECT_GT(shared, 0);
}

TEST(Mixed, PredictsEqualPartsAsThePlainPipeline) {
    const TrainingJob job{
        .model = *catalog::find_model("gpt3-175b"), .sequence = 2048, .global_batch = 512};
    const std::vector<MixedPart> parts{{machine("a100-sxm-80g"), 256},
                                       {machine("a100-sxm-80g"), 256}};
    Strategy s;
    s.tp = 8;
    s.pp = 8;
    s.dp = 8;
    s.sequence_parallel = true;
    s.zero = 1;
    const TrainingModel model(job, parts[0].machine);
    const double plain = model.predict(s).step_s;
    const double first_bytes = sum_of(model.memory(s, model.layers(s), 0));
    const double fifth_bytes = sum_of(model.memory(s, model.layers(s), 4));
    s.pp = 4;
    const auto mixed = pipeline_plan(
        job,
        parts,
        {},
        {{.part = 0, .strategy = s, .layers = 48}, {.part = 1, .strategy = s, .layers = 48}});
    ASSERT_TRUE(mixed);
    EXPECT_NEAR(mixed->step_s, plain, 1e-6 * plain);
    // The earlier half of a pipeline holds more micro-batches.
    EXPECT_DOUBLE_EQ(mixed->shares[0].prediction.memory_total_bytes(), first_bytes);
    EXPECT_DOUBLE_EQ(mixed->shares[1].prediction.memory_total_bytes(), fifth_bytes);
}

TEST(Mixed, WaitsForItsSlowestPart) {
    const TrainingJob job{
        .model = *catalog::find_model("llama-3-8b"), .sequence = 8192, .global_batch = 256};
    const std::vector<MixedPart> parts{{machine("h100-sxm-80g"), 16},
                                       {machine("h100-sxm-80g"), 16}};
    const auto found = search_mixed(job, parts, {});
    ASSERT_TRUE(found && found->alone && found->replicas);
    const MixedPlan::Share& only = found->alone->shares.front();
    const Interval alone = interval_of(*found->alone, job, parts);
    const Interval one = interval_of(only.prediction, job, parts[only.part].machine, only.strategy);
    EXPECT_EQ(alone.low_s, one.low_s);
    EXPECT_EQ(alone.high_s, one.high_s);

    // Of two halves one is often late: the step is seldom much quicker than predicted.
    MixedPlan mix = *found->replicas;
    mix.between_s = 0;
    mix.step_s = mix.shares[0].prediction.step_s;
    mix.shares[1].prediction = mix.shares[0].prediction;
    const Interval both = interval_of(mix, job, parts);
    EXPECT_GT(both.low_s / mix.step_s, alone.low_s / found->alone->step_s);
    EXPECT_GT(both.high_s / mix.step_s, alone.high_s / found->alone->step_s);
    EXPECT_LT(both.low_s, mix.step_s);
    const double own = out_of_memory_probability(mix.shares[0].prediction, parts[0].machine);
    EXPECT_NEAR(out_of_memory_probability(mix, parts), 1 - (1 - own) * (1 - own), 1e-12);
}

TEST(Mixed, GivesTheFasterKindMore) {
    const TrainingJob job{
        .model = *catalog::find_model("llama-3-8b"), .sequence = 8192, .global_batch = 256};
    const std::vector<MixedPart> parts{{machine("a100-sxm-80g"), 16},
                                       {machine("h100-sxm-80g"), 16}};
    const auto found = search_mixed(job, parts, {});
    ASSERT_TRUE(found && found->replicas);
    EXPECT_TRUE(found->pays());
    const auto& shares = found->replicas->shares;
    EXPECT_EQ(shares[0].sequences + shares[1].sequences, job.global_batch);
    EXPECT_GT(shares[1].sequences, shares[0].sequences);
}

TEST(Mixed, SaysWhenMixingDoesNotPay) {
    const TrainingJob job{
        .model = *catalog::find_model("llama-3-8b"), .sequence = 8192, .global_batch = 64};
    const std::vector<MixedPart> parts{{machine("a100-sxm-80g"), 2}, {machine("h100-sxm-80g"), 64}};
    MixedOptions options;
    options.between_bytes_per_s = 1e8;
    const auto found = search_mixed(job, parts, options);
    ASSERT_TRUE(found && found->alone);
    EXPECT_FALSE(found->pays());
    EXPECT_EQ(found->verdict(parts, options.search).substr(0, 19), "mixing does not pay");
    EXPECT_EQ(found->alone->shares.front().part, 1U);
}

}  // namespace
}  // namespace weir::plan
