// Launches as they are written: golden files, option names, and what frameworks cannot do.
#include "weir/plan/launch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "weir/base/text_file.hpp"
#include "weir/plan/launch_options.hpp"
#include "weir/plan/launch_test_models.hpp"

namespace weir::plan {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

Launch launch_of(std::string_view model, std::uint32_t sequence, std::uint32_t batch) {
    Launch launch;
    launch.job.model = launch_test_model(model);
    launch.job.sequence = sequence;
    launch.job.global_batch = batch;
    return launch;
}

struct Golden {
    std::string file;
    Framework framework;
    Launch launch;
};

Launch gpt3() {
    Launch launch = launch_of("gpt3-175b", 2048, 1536);
    Strategy& s = launch.strategy;
    s.tp = 8;
    s.pp = 16;
    s.vpp = 3;
    s.dp = 8;
    s.sequence_parallel = true;
    s.zero = 1;
    s.overlap = {true, true, true, true, false};
    s.recompute = Recompute::selective;
    s.parts.attention = true;
    launch.job.tokens = 300e9;
    return launch;
}

Launch deepseek() {
    Launch launch = launch_of("deepseek-v3", 4096, 15360);
    Strategy& s = launch.strategy;
    s.tp = 1;
    s.pp = 16;
    s.dp = 128;
    s.ep = 64;
    s.deepep = true;
    s.zero = 1;
    s.precision = Precision::fp8;
    s.overlap.grad_reduce = s.overlap.param_gather = true;
    s.recompute = Recompute::selective;
    s.parts.norms = s.parts.latent_up = s.parts.activation = true;
    return launch;
}

Launch llama8() {
    Launch launch = launch_of("llama-3.1-8b", 8192, 1024);
    Strategy& s = launch.strategy;
    s.tp = 2;
    s.cp = 2;
    s.dp = 16;
    s.sequence_parallel = true;
    s.zero = 1;
    s.micro_batch = 2;
    s.overlap.grad_reduce = s.overlap.param_gather = true;
    s.recompute = Recompute::full;
    return launch;
}

std::vector<Golden> goldens() {
    std::vector<Golden> all;
    all.push_back({"gpt3-175b.megatron-lm.sh", Framework::megatron_lm, gpt3()});
    all.push_back({"deepseek-v3.megatron-lm.sh", Framework::megatron_lm, deepseek()});
    all.push_back({"llama-3.1-8b.megatron-lm.sh", Framework::megatron_lm, llama8()});

    Launch sharded = llama8();
    sharded.strategy.zero = 3;
    all.push_back({"llama-3.1-8b.megatron-lm-fsdp.sh", Framework::megatron_lm, sharded});

    all.push_back({"llama-3.1-8b.mindspeed.sh", Framework::mindspeed, llama8()});
    Launch dual = deepseek();
    dual.strategy.precision = Precision::bf16;
    dual.strategy.schedule = Schedule::dualpipe;
    dual.strategy.overlap = {};
    dual.strategy.tp = 2;
    dual.strategy.etp = 1;
    dual.strategy.dp = 32;
    dual.strategy.pp = 8;
    dual.strategy.ep = 32;
    dual.strategy.sequence_parallel = true;
    dual.strategy.recompute = Recompute::full;
    dual.strategy.parts = {};
    dual.strategy.recompute_layers = 4;
    dual.strategy.offload_optimizer = true;
    all.push_back({"deepseek-v3.mindspeed.sh", Framework::mindspeed, dual});

    Launch zero3 = launch_of("llama-2-7b", 4096, 512);
    zero3.strategy.dp = 64;
    zero3.strategy.zero = 3;
    zero3.strategy.micro_batch = 2;
    zero3.strategy.overlap.grad_reduce = zero3.strategy.overlap.param_gather = true;
    zero3.strategy.recompute = Recompute::full;
    all.push_back({"llama-2-7b.deepspeed.sh", Framework::deepspeed, zero3});
    Launch piped = gpt3();
    piped.strategy.vpp = 1;
    piped.strategy.overlap = {true, false, false, false, false};
    piped.strategy.precision = Precision::fp16;
    all.push_back({"gpt3-175b.deepspeed.sh", Framework::deepspeed, piped});

    Launch titan = launch_of("llama-3.1-405b", 8192, 512);
    titan.strategy.tp = 8;
    titan.strategy.pp = 8;
    titan.strategy.vpp = 2;
    titan.strategy.dp = 8;
    titan.strategy.zero = 2;
    titan.strategy.precision = Precision::fp8;
    titan.strategy.overlap = {true, true, true, true, false};
    titan.strategy.recompute = Recompute::full;
    all.push_back({"llama-3.1-405b.torchtitan.toml", Framework::torchtitan, titan});
    Launch moe = launch_of("qwen3-30b-a3b", 4096, 256);
    moe.strategy.dp = 32;
    moe.strategy.ep = 8;
    moe.strategy.zero = 3;
    moe.strategy.zero_group = 16;
    moe.strategy.recompute = Recompute::selective;
    moe.strategy.parts = {.norms = true, .activation = true, .every_other_product = true};
    all.push_back({"qwen3-30b-a3b.torchtitan.toml", Framework::torchtitan, moe});
    return all;
}

TEST(Launch, IsWrittenAsInTheGoldenFiles) {
    for (const Golden& golden : goldens()) {
        SCOPED_TRACE(golden.file);
        const auto text = launch_text(golden.launch, golden.framework);
        ASSERT_TRUE(text.has_value()) << text.error().message;
        const std::string path =
            std::string(WEIR_SOURCE_DIR) + "/weir/plan/testdata/launch/" + golden.file;
        // WEIR_WRITE_GOLDEN=1 writes them anew; what changed is for people to read.
        if (std::getenv("WEIR_WRITE_GOLDEN") != nullptr) std::ofstream(path) << *text;
        const auto wanted = read_text_file(path, 1 << 20);
        ASSERT_TRUE(wanted.has_value()) << wanted.error().message;
        EXPECT_EQ(*text, *wanted);
    }
}

TEST(Launch, OfTheGoldenFilesReadsBack) {
    for (const Golden& golden : goldens()) {
        SCOPED_TRACE(golden.file);
        const auto text = launch_text(golden.launch, golden.framework);
        ASSERT_TRUE(text.has_value()) << text.error().message;
        const auto back = read_launch(*text, golden.file);
        ASSERT_TRUE(back.has_value()) << back.error().message;
        EXPECT_EQ(back->framework, golden.framework);
        EXPECT_EQ(back->chips, golden.launch.strategy.chips());
        EXPECT_EQ(back->launch.strategy,
                  as_launched(golden.launch.strategy, golden.launch.job, golden.framework));
        EXPECT_THAT(back->not_understood, IsEmpty());
        EXPECT_THAT(back->not_modelled, IsEmpty());
    }
}

TEST(Launch, WritesOnlyOptionsThatTheFrameworkKnows) {
    for (const Golden& golden : goldens()) {
        SCOPED_TRACE(golden.file);
        const auto words = launch_arguments(golden.launch, golden.framework);
        ASSERT_TRUE(words.has_value()) << words.error().message;
        for (const std::string& word : *words) {
            if (word.substr(0, 2) != "--") continue;
            std::string name = word.substr(0, word.find('='));
            if (golden.framework == Framework::torchtitan) {
                name = name.substr(2);
                if (const auto no = name.find(".no_"); no != std::string::npos)
                    name.erase(no + 1, 3);
            }
            EXPECT_NE(rank_of(name, golden.framework), OptionRank::unknown) << name;
        }
    }
}

TEST(Launch, ListsNoOptionInTwoRanks) {
    for (const OptionList* list : {&megatron_options,
                                   &mindspeed_options,
                                   &deepspeed_options,
                                   &deepspeed_json_options,
                                   &torchtitan_options}) {
        EXPECT_FALSE(list->version.empty());
        EXPECT_THAT(std::string(list->source), HasSubstr(" at "));
        std::map<std::string, int> seen;
        for (const std::string_view names : {list->plan, list->weight, list->neither}) {
            std::istringstream words{std::string(names)};
            for (std::string word; words >> word;)
                EXPECT_EQ(seen[word]++, 0) << word;
        }
        EXPECT_GT(seen.size(), 40u);
    }
}

std::string why_not(const Launch& launch, Framework framework) {
    const auto text = launch_text(launch, framework);
    return text.has_value() ? std::string("it can") : text.error().message;
}

TEST(Launch, SaysWhatMegatronCannotDo) {
    Launch launch = llama8();
    launch.strategy.schedule = Schedule::zero_bubble;
    launch.strategy.pp = 2;
    EXPECT_EQ(
        why_not(launch, Framework::megatron_lm),
        "megatron-lm cannot launch schedule zero-bubble: it has 1f1b, interleaved where vpp is "
        "above 1");
    launch = gpt3();
    launch.job.global_batch = 8 * 24;
    EXPECT_EQ(why_not(launch, Framework::megatron_lm),
              "megatron-lm cannot launch vpp 3: with vpp above 1 the 24 micro-batches of a step "
              "must be a "
              "multiple of pp 16");
    launch = deepseek();
    launch.strategy.precision = Precision::fp16;
    EXPECT_THAT(why_not(launch, Framework::megatron_lm), HasSubstr("experts in fp16"));
    launch = gpt3();
    launch.job.sequence = 4096;
    EXPECT_EQ(
        why_not(launch, Framework::megatron_lm),
        "megatron-lm cannot launch sequences of 4096 tokens: the model has 2048 learned positions; "
        "take sequences of at most so many");
}

TEST(Launch, SendsTokensToExpertsAsThePlanSays) {
    Launch launch = deepseek();
    const auto written = [&](Framework framework) {
        const auto words = launch_arguments(launch, framework);
        EXPECT_TRUE(words.has_value()) << words.error().message;
        std::string text;
        for (const std::string& word : words.value_or(std::vector<std::string>{}))
            text += word + ' ';
        return text;
    };
    constexpr std::string_view deepep =
        "--moe-token-dispatcher-type flex --moe-flex-dispatcher-backend deepep --moe-router-dtype "
        "fp32 ";
    EXPECT_THAT(written(Framework::megatron_lm), HasSubstr(std::string(deepep)));
    EXPECT_THAT(written(Framework::megatron_lm),
                HasSubstr("--moe-router-num-groups 8 --moe-router-group-topk 4 "));
    launch.chips_per_node = 64;
    EXPECT_THAT(written(Framework::megatron_lm),
                HasSubstr("--moe-flex-dispatcher-backend hybridep "));
    // Of other frameworks none has it, and what is predicted for them goes without.
    EXPECT_FALSE(as_launched(launch.strategy, launch.job, Framework::mindspeed).deepep);
    launch.strategy.precision = Precision::bf16;
    launch.strategy.recompute = Recompute::none;
    EXPECT_THAT(written(Framework::mindspeed), HasSubstr("--moe-token-dispatcher-type alltoall"));
    EXPECT_THAT(written(Framework::mindspeed),
                HasSubstr("--moe-router-num-groups 8 --moe-router-group-topk 4 "));
    launch.strategy.deepep = false;
    EXPECT_THAT(written(Framework::megatron_lm),
                HasSubstr("--moe-token-dispatcher-type alltoall "));
    launch.strategy.deepep = true;
    launch.strategy.ep = 256;
    launch.strategy.dp = 256;
    EXPECT_EQ(why_not(launch, Framework::megatron_lm),
              "megatron-lm cannot launch expert_dispatch deepep with ep 256 x etp 1: DeepEP is set "
              "up for 2, 4, 8, 16, 24, 32, 64, 128, 144 or 160 chips; write expert_dispatch "
              "all-to-all");
}

TEST(Launch, GivesStagesToTheEmbeddingAndTheLoss) {
    Launch launch = deepseek();
    launch.strategy.pp = 2;
    launch.strategy.vpp = 31;
    launch.strategy.overlap.pipeline = true;
    for (const Framework framework : {Framework::megatron_lm, Framework::mindspeed}) {
        if (framework == Framework::mindspeed) {
            launch.strategy.precision = Precision::bf16;
            launch.strategy.recompute = Recompute::none;
        }
        const auto text = launch_text(launch, framework);
        ASSERT_TRUE(text.has_value()) << text.error().message;
        EXPECT_THAT(*text,
                    HasSubstr(framework == Framework::mindspeed
                                  ? "--num-layers 62\n"
                                  : "--pipeline-model-parallel-layout 'E,|t|t|"));
        const auto back = read_launch(*text, "launch");
        ASSERT_TRUE(back.has_value()) << back.error().message;
        EXPECT_EQ(back->launch.strategy.vpp, 31u);
        EXPECT_EQ(back->launch.job.model.layers, 61u);
    }
}

TEST(Launch, SplitsWhatTensorParallelismSplitsEvenly) {
    Launch launch = llama8();
    launch.strategy.tp = 16;
    launch.strategy.dp = 2;
    EXPECT_EQ(why_not(launch, Framework::megatron_lm), "it can");
    EXPECT_EQ(why_not(launch, Framework::mindspeed),
              "mindspeed cannot launch tp 16: tp must divide the 8 heads of keys and values");
    launch.job.model.ffn = 14340;
    EXPECT_EQ(why_not(launch, Framework::megatron_lm),
              "megatron-lm cannot launch tp 16: tp must divide the inner width of the feed-forward "
              "(14340)");
}

TEST(Launch, SaysWhatDeepSpeedCannotDo) {
    Launch launch = gpt3();
    launch.strategy.zero = 3;
    launch.strategy.vpp = 1;
    EXPECT_EQ(
        why_not(launch, Framework::deepspeed),
        "deepspeed cannot launch zero_stage 3 with pp 16: gradients that a pipeline sums over "
        "micro-batches stay whole; write zero_stage 0 or 1");
    EXPECT_EQ(why_not(gpt3(), Framework::deepspeed),
              "deepspeed cannot launch vpp 3: its pipeline is not interleaved; write vpp 1");
    EXPECT_EQ(
        why_not(deepseek(), Framework::deepspeed),
        "deepspeed cannot launch this model: the model has latent attention (MLA), and deepspeed "
        "has no option for that");
}

TEST(Launch, SaysWhatMindSpeedAndTorchtitanCannotDo) {
    Launch launch = llama8();
    launch.strategy.zero = 3;
    EXPECT_THAT(why_not(launch, Framework::mindspeed),
                HasSubstr("mindspeed cannot launch zero_stage 3: "));
    launch = llama8();
    EXPECT_THAT(why_not(launch, Framework::torchtitan),
                HasSubstr("torchtitan cannot launch zero_stage 1: "));
    EXPECT_THAT(why_not(gpt3(), Framework::torchtitan),
                HasSubstr("torchtitan cannot launch model gpt3-175b: it has shapes by name, and "
                          "this is none of them: "
                          "llama3 8B"));
    EXPECT_THAT(why_not(launch, Framework::jax), HasSubstr("no launch is written for jax"));
}

TEST(Launch, SpreadsExpertsOnlyAsFrameworksTakeThem) {
    Launch launch = launch_of("qwen3-30b-a3b", 4096, 256);
    launch.strategy.dp = 16;
    launch.strategy.cp = 4;
    launch.strategy.ep = 2;
    launch.strategy.zero = 3;
    EXPECT_EQ(why_not(launch, Framework::torchtitan),
              "torchtitan cannot launch ep 2: ep must be a multiple of cp 4");
    launch.strategy.tp = 2;
    launch.strategy.etp = 1;
    launch.strategy.ep = 4;
    EXPECT_EQ(why_not(launch, Framework::torchtitan),
              "torchtitan cannot launch ep 4: ep must be a multiple of cp 4 x tp 2");
    launch.strategy.ep = 8;
    EXPECT_EQ(why_not(launch, Framework::torchtitan), "it can");
    launch.job.sequence = 4104;
    EXPECT_EQ(why_not(launch, Framework::torchtitan),
              "torchtitan cannot launch sequences of 4104 tokens: they must be a multiple of 2 x "
              "cp 4 x tp 2");

    Launch biased = launch_of("mixtral-8x7b", 4096, 256);
    biased.job.model.biases = true;
    biased.strategy.tp = 2;
    biased.strategy.sequence_parallel = true;
    EXPECT_EQ(
        why_not(biased, Framework::megatron_lm),
        "megatron-lm cannot launch etp 2: it does not split experts that have biases; write etp 1");
    biased.strategy.etp = 1;
    EXPECT_EQ(why_not(biased, Framework::megatron_lm), "it can");
    EXPECT_EQ(
        why_not(biased, Framework::mindspeed),
        "mindspeed cannot launch tp 2: it does not split experts that have biases; write tp 1");

    Launch sharded = launch_of("mixtral-8x7b", 4096, 256);
    sharded.strategy.dp = 8;
    sharded.strategy.zero = 3;
    EXPECT_EQ(why_not(sharded, Framework::deepspeed),
              "deepspeed cannot launch zero_stage 3 with experts: with experts write zero_stage 0, "
              "1 or 2");

    Launch grouped = launch_of("llama-2-7b", 4096, 256);
    grouped.strategy.dp = 8;
    grouped.strategy.zero = 3;
    grouped.strategy.zero_group = 4;
    EXPECT_EQ(
        why_not(grouped, Framework::deepspeed),
        "deepspeed cannot launch zero_group 4: its pretrain_gpt.py splits over all copies; leave "
        "zero_group out");
    Launch half = launch_of("llama-2-7b", 4096, 256);
    half.strategy.dp = 8;
    EXPECT_EQ(why_not(half, Framework::deepspeed), "it can");
    half.strategy.fp32_gradients = false;
    EXPECT_EQ(why_not(half, Framework::deepspeed),
              "deepspeed cannot launch BF16 gradients with zero_stage 0 and pp 1: write zero_stage "
              "1, 2 or "
              "3, or fp32_gradients y");
    half.strategy.precision = Precision::fp16;
    EXPECT_EQ(why_not(half, Framework::deepspeed), "it can");
    half.strategy.fp32_gradients = true;
    EXPECT_EQ(why_not(half, Framework::deepspeed),
              "deepspeed cannot launch FP32 gradients in fp16 with zero_stage 0: write zero_stage "
              "1, 2 or "
              "3, or fp32_gradients n");
}

TEST(Launch, WeighsTheOnlyExpertOfATokenBeforeItIsChosen) {
    for (const std::string_view model : {"interleaved", "mixtral-8x7b"}) {
        for (const Framework framework : {Framework::megatron_lm, Framework::mindspeed}) {
            const auto words = launch_arguments(launch_of(model, 2048, 8), framework);
            ASSERT_TRUE(words.has_value()) << words.error().message;
            EXPECT_EQ(std::count(words->begin(), words->end(), "--moe-router-pre-softmax"),
                      model == "interleaved" ? 1 : 0);
        }
    }
}

TEST(Launch, RefusesNodesThatDoNotFit) {
    Launch launch = llama8();
    launch.chips_per_node = 12;
    EXPECT_EQ(why_not(launch, Framework::megatron_lm),
              "chips_per_node 12: must divide the 64 chips of the plan");
}

TEST(Launch, RunsStrategiesAsTheFrameworkDoes) {
    Launch launch = llama8();
    launch.strategy.tp = 1;
    launch.strategy.ulysses = true;
    launch.strategy.cp = 1;
    const Strategy made = as_launched(launch.strategy, launch.job, Framework::megatron_lm);
    EXPECT_FALSE(made.sequence_parallel);
    EXPECT_FALSE(made.ulysses);
    for (const Framework framework : {Framework::megatron_lm,
                                      Framework::mindspeed,
                                      Framework::deepspeed,
                                      Framework::torchtitan}) {
        const Strategy once = as_launched(gpt3().strategy, gpt3().job, framework);
        EXPECT_EQ(as_launched(once, gpt3().job, framework), once);
    }
}

}  // namespace
}  // namespace weir::plan
