#include "weir/plan/search.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "weir/catalog/catalog.hpp"
#include "weir/plan/launch.hpp"
#include "weir/plan/search_reference.hpp"

namespace weir::plan {
namespace {

using Random = std::mt19937_64;

template <class T>
T one_of(Random& random, std::initializer_list<T> values) {
    return *(values.begin() +
             std::uniform_int_distribution<std::size_t>(0, values.size() - 1)(random));
}

// Small, so that every strategy can be asked, and odd enough that dimensions meet.
TrainingJob small_job(Random& random) {
    TrainingJob job;
    catalog::Model& model = job.model;
    model.name = "small";
    model.layers = one_of(random, {1U, 2U, 3U, 4U});
    model.heads = one_of(random, {2U, 4U, 6U});
    model.kv_heads = one_of(random, {model.heads, 2U, 1U});
    model.head_dim = one_of(random, {64U, 128U, 2048U});
    model.hidden = model.heads * model.head_dim;
    model.ffn = one_of(random, {4U, 3U}) * model.hidden;
    model.gated = one_of(random, {false, true});
    model.vocab = one_of(random, {1024U, 32000U});
    model.tied = one_of(random, {false, true});
    if (one_of(random, {false, true})) {
        model.experts = catalog::Experts{.count = one_of(random, {2U, 4U}),
                                         .per_token = 2,
                                         .ffn = model.hidden,
                                         .shared_ffn = one_of(random, {0U, model.hidden}),
                                         .first_dense = one_of(random, {0U, 1U})};
        if (one_of(random, {false, true})) {
            model.latent = catalog::LatentAttention{.q_lora = one_of(random, {0U, 128U}),
                                                    .kv_lora = 128,
                                                    .rope_dim = 32,
                                                    .nope_dim = 64,
                                                    .v_dim = 64};
        }
    }
    job.sequence = one_of(random, {512U, 1024U, 4096U});
    job.global_batch = one_of(random, {2U, 4U, 6U, 8U});
    return job;
}

Machine small_machine(Random& random) {
    const std::string chip = one_of<std::string>(random, {"a100-sxm-80g", "h100-sxm-80g"});
    Machine machine = *machine_of(*catalog::Catalog::built_in().find(chip));
    machine.chips_per_node = one_of(random, {1U, 2U, 4U, 8U});
    machine.between.bytes_per_s *= one_of(random, {0.01, 1.0, 10.0});
    // Without what small jobs drown in, bounds are tight.
    if (one_of(random, {false, true})) {
        machine.chip.host_s = 0;
        machine.chip.kernel_s = 0;
        machine.chip.step_s = 0;
        machine.chip.straggle = 0;
    }
    machine.chip.overlap_slowdown = one_of(random, {0.0, 0.2, 0.5});
    return machine;
}

SearchOptions small_options(Random& random) {
    SearchOptions options = options_for(one_of(random,
                                               {Framework::megatron_lm,
                                                Framework::deepspeed,
                                                Framework::mindspeed,
                                                Framework::torchtitan,
                                                Framework::composer,
                                                Framework::jax}));
    options.chips = one_of<std::uint64_t>(random, {1, 2, 4, 6, 8});
    options.fewer_chips = one_of(random, {false, false, true});
    options.top_k = one_of<std::size_t>(random, {1, 5, 40});
    options.one_per_layout = one_of(random, {false, true});
    options.objective =
        one_of(random, {Objective::time, Objective::cost, Objective::energy, Objective::goodput});
    options.failures = {.node_mtbf_s = 1e5, .restart_s = 100, .write_bytes_per_s = 1e8};
    options.recompute_block = one_of(random, {false, true});
    options.offload_layers = one_of(random, {false, true});
    options.base.flash_attention = one_of(random, {true, true, false});
    options.overlap_off = one_of(random, {true, true, false});
    if (one_of(random, {false, false, true}))
        options.schedules = {Schedule::one_f_one_b, Schedule::zero_bubble, Schedule::dualpipe};
    if (one_of(random, {false, false, true})) options.zero = {0, 1, 2, 3};
    if (one_of(random, {false, false, true}))
        options.precisions = {Precision::bf16, Precision::fp8};
    if (one_of(random, {false, false, false, true})) options.tp = {2, 4};
    return options;
}

// Memory in which some plans fit and some do not; now and then none or all.
void tighten(Machine& machine, Random& random, const TrainingJob& job, SearchOptions options) {
    machine.memory_bytes = 1e15;
    options.objective = Objective::time;
    options.top_k = 1;
    const Result<SearchResult> fastest = search(TrainingModel(job, machine), options);
    machine.memory_bytes = 1;
    const Result<SearchResult> least = search(TrainingModel(job, machine), options);
    if (!fastest || !least) return;
    const double high = fastest->plans.front().prediction.memory_total_bytes();
    const double low = least->nearest->prediction.memory_total_bytes();
    machine.memory_bytes = low + (high - low) * one_of(random, {-0.1, 0.0, 0.1, 0.3, 0.7, 1.1});
}

void expect_same(const SearchResult& fast, const SearchResult& slow, std::uint64_t seed) {
    EXPECT_EQ(fast.considered, slow.considered) << "seed " << seed;
    EXPECT_LE(fast.predicted, slow.predicted);
    ASSERT_EQ(fast.plans.size(), slow.plans.size()) << "seed " << seed;
    for (std::size_t i = 0; i < fast.plans.size(); ++i) {
        EXPECT_EQ(fast.plans[i].value, slow.plans[i].value) << "seed " << seed << ", place " << i;
        EXPECT_EQ(fast.plans[i].strategy, slow.plans[i].strategy)
            << "seed " << seed << ", place " << i << ": " << text_of(fast.plans[i].strategy)
            << " instead of " << text_of(slow.plans[i].strategy);
    }
    ASSERT_EQ(fast.nearest.has_value(), slow.nearest.has_value()) << "seed " << seed;
    EXPECT_EQ(fast.missing_bytes, slow.missing_bytes) << "seed " << seed;
    if (fast.nearest) {
        EXPECT_EQ(fast.nearest->prediction.memory_total_bytes(),
                  slow.nearest->prediction.memory_total_bytes());
    }
}

TEST(Search, FindsWhatAskingEveryStrategyFinds) {
    int with_plans = 0;
    int without = 0;
    const char* const more = std::getenv("WEIR_SEARCH_SEEDS");
    const std::uint64_t seeds = more != nullptr ? std::strtoull(more, nullptr, 10) : 24;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        Random random(seed);
        const TrainingJob job = small_job(random);
        Machine machine = small_machine(random);
        const SearchOptions options = small_options(random);
        tighten(machine, random, job, options);
        const TrainingModel model(job, machine);
        const Result<SearchResult> fast = search(model, options);
        const SearchResult slow = search_every_one(model, options);
        if (!fast) {
            EXPECT_EQ(slow.considered, 0) << "seed " << seed << ": " << fast.error().message;
            continue;
        }
        expect_same(*fast, slow, seed);
        ++(fast->plans.empty() ? without : with_plans);
        if (::testing::Test::HasFailure()) break;
    }
    EXPECT_GT(with_plans, 8);
    EXPECT_GT(without, 0);
}

TrainingJob llama() {
    return {.model = *catalog::find_model("llama-3-8b"), .sequence = 8192, .global_batch = 128};
}
Machine a100() {
    return *machine_of(*catalog::Catalog::built_in().find("a100-sxm-80g"));
}

TEST(Search, LeavesChipsUnusedWhereThatIsCheaper) {
    SearchOptions options;
    options.chips = 128;
    const TrainingModel model(llama(), a100());
    const auto fastest = search(model, options);
    options.objective = Objective::cost;
    options.fewer_chips = true;
    const auto cheapest = search(model, options);
    const Plan& fast = fastest->plans.front();
    const Plan& cheap = cheapest->plans.front();
    EXPECT_LT(cheap.strategy.chips(), fast.strategy.chips());
    EXPECT_LT(cheap.value, value_of(model, options, fast.strategy, fast.prediction));
    EXPECT_GE(cheap.prediction.step_s, fast.prediction.step_s);
}

TEST(Search, CountsFailuresMoreTheMoreNodesThereAre) {
    const Failures failures{.node_mtbf_s = 30 * 86400.0};
    double before = 1;
    for (const std::uint64_t chips : {64, 1024, 16384}) {
        const double share = useful_share(llama(), a100(), chips, failures);
        EXPECT_LT(share, before);
        EXPECT_GT(share, 0.5);
        before = share;
    }
    EXPECT_EQ(useful_share(llama(), a100(), 1024, {}), 1);
}

TEST(Search, NeverTakesAFormatThatWasNotAllowed) {
    SearchOptions options;
    options.chips = 8;
    const Machine h100 = *machine_of(*catalog::Catalog::built_in().find("h100-sxm-80g"));
    const auto found = search(TrainingModel(llama(), h100), options);
    ASSERT_TRUE(found);
    EXPECT_FALSE(found->plans.empty());
    for (const Plan& plan : found->plans)
        EXPECT_EQ(plan.strategy.precision, Precision::bf16);
    options.precisions = {Precision::fp8};
    const auto none = search(TrainingModel(llama(), a100()), options);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().message,
              "precision fp8: a100-sxm-80g has no products of matrices in it");
}

TEST(Search, SendsTokensAsItsLaunchDoes) {
    const TrainingJob job{
        .model = *catalog::find_model("deepseek-v2-lite"), .sequence = 4096, .global_batch = 256};
    SearchOptions options = options_for(Framework::megatron_lm, job.model);
    options.chips = 16;
    options.ep = {8, 8};
    const auto deepep = [&](std::string_view chip) {
        Machine machine = *machine_of(*catalog::Catalog::built_in().find(chip));
        machine.memory_bytes = 1e15;
        const auto found = search(TrainingModel(job, machine), options);
        EXPECT_TRUE(found && !found->plans.empty());
        const Strategy best = found->plans.front().strategy;
        const auto words = launch_arguments({job, best, 8}, best.framework);
        EXPECT_TRUE(words) << words.error().message;
        EXPECT_EQ(std::count(words->begin(), words->end(), "flex"), best.deepep ? 1 : 0);
        return best.deepep;
    };
    EXPECT_TRUE(deepep("h100-sxm-80g"));
    EXPECT_FALSE(deepep("ascend-910b2"));
    EXPECT_FALSE(options_for(Framework::torchtitan, job.model).base.deepep);
}

TEST(Search, SaysWhatWouldDoWhereNoDegreesMakeTheChips) {
    SearchOptions options;
    options.chips = 37;
    const auto none = search(TrainingModel(llama(), a100()), options);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().message,
              "chips 37: tp x cp x pp x dp cannot make this, where tp divides the 32 heads, cp "
              "the sequence of 8192, dp the global batch of 128 and pp is at most the 32 layers; "
              "36 chips would do");
}

TEST(Search, SaysByHowMuchNothingFits) {
    SearchOptions options;
    options.chips = 1;
    const TrainingModel model(llama(), a100());
    const auto found = search(model, options);
    ASSERT_TRUE(found && found->plans.empty() && found->nearest);
    EXPECT_GT(found->missing_bytes, 0);
    EXPECT_EQ(found->nearest->prediction.memory_total_bytes() - model.machine().memory_bytes,
              found->missing_bytes);
}

}  // namespace
}  // namespace weir::plan
