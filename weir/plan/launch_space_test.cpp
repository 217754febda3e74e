// What a search may find for a framework, the framework can be told: every strategy of the space of
// options_for() launches, and what is launched is what was predicted.
#include <gtest/gtest.h>

#include <algorithm>

#include "weir/base/random.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/plan/launch.hpp"
#include "weir/plan/launch_test_models.hpp"
#include "weir/plan/search.hpp"

namespace weir::plan {
namespace {

template <class T>
T one_of(Random& random, const std::vector<T>& values) {
    return values[static_cast<std::size_t>(
        random.between(0, static_cast<std::int64_t>(values.size()) - 1))];
}

// Near enough to the space that many belong to it.
Strategy random_strategy(Random& random, const SearchOptions& options, std::uint32_t layers) {
    const std::vector<std::uint32_t> degrees{1, 1, 1, 2, 2, 4, 3};
    Strategy s = options.base;
    s.tp = one_of(random, degrees);
    s.pp = one_of(random, degrees);
    s.dp = one_of(random, degrees);
    s.cp = one_of<std::uint32_t>(random, {1, 1, 2});
    s.ep = one_of(random, degrees);
    s.etp = one_of<std::uint32_t>(random, {0, 1});
    s.vpp = s.pp > 1 ? one_of(random, degrees) : 1;
    s.micro_batch = one_of<std::uint32_t>(random, {1, 2});
    s.zero = one_of(random, options.zero);
    if (std::uint64_t{s.dp} * s.cp == 1) s.zero = one_of<std::uint32_t>(random, {0, s.zero});
    s.offload_optimizer = random.chance(0.2);
    s.sequence_parallel = s.tp > 1 && random.chance(0.8);
    s.recompute = static_cast<Recompute>(random.between(0, 2));
    if (s.recompute == Recompute::full && random.chance(0.7))
        s.recompute_layers = static_cast<std::uint32_t>(random.between(1, layers / s.pp + 1));
    if (s.recompute == Recompute::selective) {
        s.parts = {.attention = random.chance(0.1),
                   .norms = random.chance(0.5),
                   .activation = random.chance(0.5),
                   .mlp = random.chance(0.2),
                   .latent_up = random.chance(0.3)};
    }
    s.overlap = {.grad_reduce = random.chance(0.5),
                 .param_gather = random.chance(0.4),
                 .tensor = random.chance(0.3),
                 .pipeline = s.vpp > 1 && random.chance(0.6),
                 .experts = random.chance(0.3)};
    s.precision = one_of(random, options.precisions);
    return s;
}

class LaunchSpace : public ::testing::TestWithParam<Framework> {};

TEST_P(LaunchSpace, HasOnlyWhatLaunchesAndRunsAsPredicted) {
    const Framework framework = GetParam();
    const Machine machine = *machine_of(*catalog::Catalog::built_in().find("h100-sxm-80g"));
    Random random(20'261'127);
    int launched = 0;
    for (const catalog::Model& shape : launch_test_models()) {
        const TrainingJob job{.model = shape, .sequence = 2048, .global_batch = 24};
        if (!launches_model(job, Precision::bf16, framework)) continue;
        SearchOptions options = options_for(framework, shape);
        options.offload_optimizer = true;
        if (launches_model(job, Precision::fp16, framework))
            options.precisions.push_back(Precision::fp16);
        if (framework == Framework::deepspeed) options.base.fp32_gradients = random.chance(0.5);
        const TrainingModel model(job, machine);
        for (int i = 0; i < 30'000; ++i) {
            const Strategy s = random_strategy(random, options, shape.layers);
            options.chips = s.chips();
            if (!in_space(s, job, options)) continue;
            ++launched;
            // A node of one chip, so that every number of chips is one of nodes.
            const auto words = launch_arguments({job, s, 1}, framework);
            ASSERT_TRUE(words) << shape.name << ": " << text_of(s) << ": " << words.error().message;
            const Strategy made = as_launched(s, job, framework);
            const Prediction is = model.predict(made);
            const Prediction said = model.predict(s);
            EXPECT_EQ(is.step_s, said.step_s) << shape.name << ": " << text_of(s);
            EXPECT_EQ(is.memory_bytes, said.memory_bytes) << shape.name << ": " << text_of(s);
            if (::testing::Test::HasFailure()) return;
        }
    }
    EXPECT_GT(launched, 1000);
}

TEST(LaunchesModel, KnowsOfAModelWhatNoStrategyMends) {
    TrainingJob job{.model = launch_test_model("deepseek-v3"), .sequence = 2048};
    EXPECT_TRUE(launches_model(job, Precision::fp8, Framework::megatron_lm));
    // In 16 bits DeepSpeed sums gradients in FP32 only where the optimizer's state is split.
    const TrainingJob plain{.model = launch_test_model("llama-2-7b"), .sequence = 2048};
    EXPECT_TRUE(launches_model(plain, Precision::fp16, Framework::deepspeed));
    EXPECT_FALSE(launches_model(plain, Precision::fp8, Framework::deepspeed));
    const auto latent = launches_model(job, Precision::bf16, Framework::deepspeed);
    ASSERT_FALSE(latent);
    EXPECT_EQ(
        latent.error().message,
        "deepspeed cannot launch this model: the model has latent attention (MLA), and deepspeed "
        "has no option for that");
    EXPECT_FALSE(launches_model(job, Precision::bf16, Framework::jax));
    job.model = launch_test_model("mixtral-8x7b");
    EXPECT_TRUE(launches_model(job, Precision::bf16, Framework::deepspeed));
    EXPECT_FALSE(launches_model(job, Precision::fp8, Framework::deepspeed));
}

INSTANTIATE_TEST_SUITE_P(Frameworks,
                         LaunchSpace,
                         ::testing::Values(Framework::megatron_lm,
                                           Framework::mindspeed,
                                           Framework::deepspeed,
                                           Framework::torchtitan),
                         [](const auto& framework) {
                             std::string name(name_of(framework.param));
                             name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
                             return name;
                         });

}  // namespace
}  // namespace weir::plan
