// What is written reads back: random strategies of many models, all frameworks.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "weir/base/random.hpp"
#include "weir/plan/launch.hpp"
#include "weir/plan/launch_options.hpp"
#include "weir/plan/launch_test_models.hpp"

namespace weir::plan {
namespace {

std::uint32_t one_of(Random& random, std::initializer_list<std::uint32_t> values) {
    return *(values.begin() + random.between(0, static_cast<std::int64_t>(values.size()) - 1));
}

Strategy random_strategy(Random& random) {
    Strategy s;
    s.tp = one_of(random, {1, 1, 2, 4, 8});
    s.pp = one_of(random, {1, 1, 1, 2, 3, 4, 8});
    s.dp = one_of(random, {1, 2, 4, 6, 8, 16});
    s.cp = one_of(random, {1, 1, 1, 2, 4});
    s.ep = one_of(random, {1, 1, 2, 4, 8});
    s.etp = one_of(random, {0, 0, 1});
    s.vpp = s.pp > 1 ? one_of(random, {1, 1, 2, 3}) : 1;
    s.micro_batch = one_of(random, {1, 2, 4});
    s.recompute = static_cast<Recompute>(random.between(0, 2));
    s.parts.attention = random.chance(0.4);
    s.parts.norms = random.chance(0.4);
    s.parts.activation = random.chance(0.4);
    s.parts.mlp = random.chance(0.1);
    s.parts.latent_up = random.chance(0.2);
    s.parts.every_other_product = s.parts.norms && s.parts.activation && random.chance(0.5);
    s.recompute_layers = random.chance(0.7) ? 0 : one_of(random, {1, 2, 3, 4});
    s.offload_layers = random.chance(0.95) ? 0 : 2;
    s.offload_optimizer = random.chance(0.1);
    s.sequence_parallel = random.chance(0.7);
    s.zero = one_of(random, {0, 1, 1, 2, 3, 3});
    s.zero_group = random.chance(0.8) ? 0 : 2;
    s.ulysses = random.chance(0.5);
    s.deepep = random.chance(0.5);
    s.flash_attention = random.chance(0.9);
    s.fp32_gradients = random.chance(0.8);
    s.schedule =
        random.chance(0.8) ? Schedule::one_f_one_b : static_cast<Schedule>(random.between(1, 2));
    s.overlap.grad_reduce = random.chance(0.6);
    s.overlap.param_gather = s.overlap.grad_reduce && random.chance(0.6);
    s.overlap.tensor = random.chance(0.2);
    s.overlap.pipeline = s.vpp > 1 && random.chance(0.8);
    s.overlap.experts = random.chance(0.2);
    s.precision =
        random.chance(0.6) ? Precision::bf16 : static_cast<Precision>(random.between(0, 4));
    return s;
}

// What costs: names, sources and the longest sequence aside.
catalog::Model shape_of(catalog::Model model) {
    model.name.clear();
    model.aliases.clear();
    model.source.clear();
    model.sequence = 0;
    return model;
}

void expect_known(const Launch& launch, Framework framework) {
    const auto words = launch_arguments(launch, framework);
    ASSERT_TRUE(words.has_value()) << words.error().message;
    for (const std::string& word : *words) {
        if (word.substr(0, 2) != "--") continue;
        std::string name = word.substr(0, word.find('='));
        if (framework == Framework::torchtitan) {
            name = name.substr(2);
            if (const auto no = name.find(".no_"); no != std::string::npos) name.erase(no + 1, 3);
        }
        EXPECT_NE(rank_of(name, framework), OptionRank::unknown) << name;
    }
}

// What a job gets as WEIR_LAUNCH_ARGS says as much as the script.
void expect_same_from_arguments(const Launch& launch, Framework framework) {
    const auto words = launch_arguments(launch, framework);
    ASSERT_TRUE(words.has_value()) << words.error().message;
    std::string text;
    for (const std::string& word : *words)
        text += word.substr(0, 2) == "--" ? word + ' ' : '\'' + word + "' ";
    const auto back =
        read_launch(text,
                    "arguments",
                    {.chips = launch.strategy.chips(), .chips_per_node = launch.chips_per_node});
    ASSERT_TRUE(back.has_value()) << back.error().message << '\n' << text;
    EXPECT_EQ(back->launch.strategy, as_launched(launch.strategy, launch.job, framework)) << text;
}

class RoundTrip : public ::testing::TestWithParam<Framework> {};

TEST_P(RoundTrip, GivesTheStrategyAndTheShapeBack) {
    const Framework framework = GetParam();
    Random random(20'261'126);
    std::vector<catalog::Model> models = launch_test_models();
    models.insert(models.end(), catalog::models().begin(), catalog::models().end());
    int launched = 0;
    for (int i = 0; i < 40'000 && launched < 1'500; ++i) {
        Launch launch;
        launch.job.model = models[static_cast<std::size_t>(
            random.between(0, static_cast<std::int64_t>(models.size()) - 1))];
        launch.job.sequence = one_of(random, {1024, 2048, 4096});
        launch.job.global_batch = one_of(random, {48, 96, 192, 384});
        launch.strategy = random_strategy(random);
        launch.chips_per_node = one_of(random, {1, 2, 4, 8, 16});
        const auto text = launch_text(launch, framework);
        if (!text.has_value()) {
            // Whose launch it is that cannot say it, what that is, and what goes instead.
            const std::string& why = text.error().message;
            ASSERT_FALSE(why.empty());
            if (text.error().code == Code::unsupported) {
                EXPECT_EQ(why.rfind(fmt::format("{} cannot launch ", name_of(framework)), 0), 0U)
                    << why;
                EXPECT_NE(why.find(": "), std::string::npos) << why;
            }
            continue;
        }
        ++launched;
        if (launched % 10 == 0) expect_known(launch, framework);
        // A JSON goes beside DeepSpeed's; MindSpeed's may have nothing that Megatron-LM's has not.
        if (framework == Framework::megatron_lm || framework == Framework::torchtitan)
            expect_same_from_arguments(launch, framework);
        const auto back = read_launch(*text, "launch");
        ASSERT_TRUE(back.has_value()) << back.error().message << '\n' << *text;
        EXPECT_EQ(back->framework, framework);
        EXPECT_EQ(back->chips, launch.strategy.chips());
        EXPECT_EQ(back->launch.job.sequence, launch.job.sequence);
        EXPECT_EQ(back->launch.job.global_batch, launch.job.global_batch);
        const Strategy wanted = as_launched(launch.strategy, launch.job, framework);
        ASSERT_EQ(back->launch.strategy, wanted)
            << *text << "\nread: " << text_of(back->launch.strategy)
            << "\nwrote: " << text_of(wanted);
        catalog::Model shape = shape_of(back->launch.job.model);
        catalog::Model written = shape_of(launch.job.model);
        // torchtitan names a shape; where every layer has experts it says no width of others.
        if (framework == Framework::torchtitan) written.ffn = shape.ffn;
        // Groups of experts change nothing where tokens go to each of their experts by themselves.
        const bool groups =
            framework == Framework::megatron_lm || framework == Framework::mindspeed;
        if (written.experts && !groups)
            written.experts->groups = written.experts->groups_per_token = 1;
        ASSERT_EQ(shape, written) << launch.job.model.name << '\n' << *text;
        EXPECT_TRUE(back->not_understood.empty()) << back->not_understood.front() << '\n' << *text;
        EXPECT_TRUE(back->not_modelled.empty()) << back->not_modelled.front() << '\n' << *text;
    }
    // Most random strategies are beyond a framework; many must not be.
    EXPECT_GT(launched, framework == Framework::torchtitan ? 50 : 200);
}

INSTANTIATE_TEST_SUITE_P(Frameworks,
                         RoundTrip,
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
