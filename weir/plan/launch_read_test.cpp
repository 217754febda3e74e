// Launches as people have them: scripts, configurations, and what is wrong with some.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/base/random.hpp"
#include "weir/base/text_file.hpp"
#include "weir/plan/launch.hpp"
#include "weir/plan/launch_test_models.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace weir::plan {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ReadLaunch read(std::string_view text, const LaunchHints& hints = {}) {
    auto result = read_launch(text, "launch", hints);
    EXPECT_TRUE(result.has_value()) << result.error().message;
    return result.has_value() ? std::move(*result) : ReadLaunch{};
}

std::string file(std::string_view name) {
    const auto text = read_text_file(
        std::string(WEIR_SOURCE_DIR) + "/weir/plan/testdata/launch/" + std::string(name), 1 << 20);
    EXPECT_TRUE(text.has_value()) << text.error().message;
    return text.value_or("");
}

std::string refused(std::string_view text, const LaunchHints& hints = {}) {
    const auto result = read_launch(text, "launch", hints);
    return result.has_value() ? "it was read" : result.error().message;
}

TEST(ReadLaunch, TakesAScriptOfMegatron) {
    const ReadLaunch launch = read(file("people.megatron-lm.sh"));
    EXPECT_EQ(launch.framework, Framework::megatron_lm);
    EXPECT_EQ(launch.chips, 32u);
    EXPECT_EQ(launch.launch.chips_per_node, 8u);
    const TrainingJob& job = launch.launch.job;
    EXPECT_EQ(job.model.layers, 32u);
    EXPECT_EQ(job.model.kv_heads, 8u);
    EXPECT_EQ(job.model.head_dim, 128u);
    EXPECT_EQ(job.model.vocab, 128256u);
    EXPECT_TRUE(job.model.gated);
    EXPECT_FALSE(job.model.tied);
    EXPECT_EQ(job.sequence, 8192u);
    EXPECT_EQ(job.global_batch, 128u);
    EXPECT_DOUBLE_EQ(job.tokens, 8192e6);
    const Strategy& s = launch.launch.strategy;
    EXPECT_EQ(s.tp, 2u);
    EXPECT_EQ(s.cp, 2u);
    EXPECT_EQ(s.pp, 1u);
    EXPECT_EQ(s.dp, 8u);
    EXPECT_EQ(s.zero, 1u);
    EXPECT_EQ(s.precision, Precision::fp8);
    EXPECT_FALSE(s.fp32_gradients);
    EXPECT_TRUE(s.sequence_parallel);
    EXPECT_TRUE(s.overlap.param_gather);
    EXPECT_EQ(s.recompute, Recompute::selective);
    EXPECT_TRUE(s.parts.attention);
    EXPECT_THAT(launch.not_understood, IsEmpty());
    EXPECT_THAT(launch.not_modelled, Contains(HasSubstr("--cross-entropy-loss-fusion")));
    EXPECT_THAT(launch.not_modelled, Not(Contains(HasSubstr("--lr"))));
    EXPECT_THAT(launch.assumed,
                Contains(HasSubstr("--pipeline-model-parallel-size 1: the default")));
    EXPECT_THAT(launch.assumed, Contains(HasSubstr("depends on the machine")));
}

TEST(ReadLaunch, TakesAScriptOfMindSpeedWithItsOlderNames) {
    const ReadLaunch launch = read(file("people.mindspeed.sh"));
    EXPECT_EQ(launch.framework, Framework::mindspeed);
    EXPECT_EQ(launch.chips, 512u);
    EXPECT_EQ(launch.launch.chips_per_node, 16u);
    const catalog::Model& model = launch.launch.job.model;
    const catalog::Model known = launch_test_model("deepseek-v3");
    EXPECT_EQ(model.layers, 61u);
    EXPECT_EQ(model.latent, known.latent);
    EXPECT_EQ(model.experts, known.experts);
    EXPECT_EQ(model.mtp_layers, 1u);
    const Strategy& s = launch.launch.strategy;
    EXPECT_EQ(s.dp, 32u);
    EXPECT_EQ(s.ep, 32u);
    EXPECT_EQ(s.etp, 1u);
    EXPECT_EQ(s.schedule, Schedule::dualpipe);
    EXPECT_TRUE(s.overlap.experts);
    EXPECT_TRUE(s.offload_optimizer);
    EXPECT_EQ(s.recompute, Recompute::full);
    EXPECT_THAT(launch.not_understood, IsEmpty());
    EXPECT_THAT(launch.not_modelled, IsEmpty());
}

TEST(ReadLaunch, TakesAScriptOfDeepSpeedWithItsJson) {
    const ReadLaunch launch = read(file("people.deepspeed.sh"));
    EXPECT_EQ(launch.framework, Framework::deepspeed);
    EXPECT_EQ(launch.chips, 16u);
    const Strategy& s = launch.launch.strategy;
    EXPECT_EQ(s.tp, 2u);
    EXPECT_EQ(s.pp, 2u);
    EXPECT_EQ(s.dp, 4u);
    EXPECT_EQ(s.zero, 1u);
    EXPECT_EQ(s.precision, Precision::bf16);
    EXPECT_EQ(s.recompute, Recompute::full);
    EXPECT_FALSE(s.flash_attention);
    EXPECT_EQ(launch.launch.job.global_batch, 128u);
    EXPECT_EQ(launch.launch.job.model.vocab, 50257u);
    EXPECT_EQ(launch.launch.job.model.learned_positions, 1024u);
    EXPECT_THAT(launch.not_understood, Contains(HasSubstr("surprise 1")));
    EXPECT_THAT(launch.not_understood, Contains(HasSubstr("a loop (while)")));
    EXPECT_THAT(launch.not_modelled, Contains(HasSubstr("reduce_bucket_size 5e8")));
}

TEST(ReadLaunch, RefusesAJsonThatContradictsTheArguments) {
    std::string text = file("people.deepspeed.sh");
    const std::string batch = "\"train_batch_size\" : $GLOBAL_BATCH";
    text.replace(text.find(batch), batch.size(), "\"train_batch_size\" : 64");
    EXPECT_EQ(refused(text),
              "launch: train_batch_size 64 and --global-batch-size 128 contradict each other");
}

constexpr std::string_view json = R"({
  "train_batch_size": 256,
  "train_micro_batch_size_per_gpu": 2,
  "gradient_accumulation_steps": 4,
  "zero_optimization": {"stage": 3, "offload_optimizer": {"device": "cpu"}},
  "bf16": {"enabled": true},
  "optimizer": {"type": "AdamW", "params": {"lr": 3e-4}}
})";

TEST(ReadLaunch, TakesAJsonOfDeepSpeedWhereTheModelIsSaid) {
    LaunchHints hints;
    hints.model = launch_test_model("llama-2-7b");
    hints.sequence = 4096;
    const ReadLaunch launch = read(json, hints);
    EXPECT_EQ(launch.framework, Framework::deepspeed);
    EXPECT_EQ(launch.chips, 32u);
    EXPECT_EQ(launch.launch.strategy.dp, 32u);
    EXPECT_EQ(launch.launch.strategy.zero, 3u);
    EXPECT_TRUE(launch.launch.strategy.offload_optimizer);
    EXPECT_TRUE(launch.launch.strategy.overlap.param_gather);
    EXPECT_THAT(launch.not_understood, IsEmpty());
    EXPECT_EQ(refused(json),
              "launch: a DeepSpeed configuration does not say which model is trained; say so");
    hints.chips = 64;
    EXPECT_EQ(refused(json, hints), "launch: its batches are those of 32 chips, and there are 64");
}

TEST(ReadLaunch, TakesATomlOfTorchtitan) {
    const ReadLaunch launch = read(file("people.torchtitan.toml"), {.chips = 64});
    EXPECT_EQ(launch.framework, Framework::torchtitan);
    const Strategy& s = launch.launch.strategy;
    EXPECT_EQ(s.tp, 8u);
    EXPECT_EQ(s.dp, 8u);
    EXPECT_EQ(s.zero, 3u);
    EXPECT_EQ(s.micro_batch, 8u);
    EXPECT_EQ(s.precision, Precision::fp8);
    EXPECT_TRUE(s.overlap.tensor);
    EXPECT_TRUE(s.sequence_parallel);
    EXPECT_EQ(s.recompute, Recompute::full);
    EXPECT_EQ(launch.launch.job.global_batch, 64u);
    EXPECT_EQ(launch.launch.job.model.layers, 80u);
    EXPECT_DOUBLE_EQ(launch.launch.job.tokens, 1000.0 * 64 * 8192);
    EXPECT_THAT(launch.not_understood,
                Contains("parallelsim.context_parallel_degree 2: torchtitan does not know it; "
                         "parallelism.context_parallel_degree?"));
    EXPECT_THAT(launch.assumed,
                Contains(HasSubstr("data_parallel_shard_degree 8: all chips that are left")));
    EXPECT_EQ(refused(file("people.torchtitan.toml")),
              "launch: does not say on how many chips it runs; say so");
}

TEST(ReadLaunch, TakesOlderNamesOfTorchtitanAndSaysSo) {
    const ReadLaunch launch = read(
        "[model]\nname = \"llama3\"\nflavor = \"8B\"\n[training]\nbatch_size = 2\ncompile = true\n"
        "[parallelism]\ndata_parallel_shard_degree = 8\n[activation_checkpoint]\n"
        "mode = \"selective\"\n[float8]\nfilter_fqns = [\"output\"]\n");
    EXPECT_EQ(launch.launch.strategy.micro_batch, 2u);
    EXPECT_EQ(launch.launch.strategy.recompute_layers, 16u);
    EXPECT_THAT(launch.not_understood, IsEmpty());
    EXPECT_THAT(launch.not_modelled, IsEmpty());
    EXPECT_THAT(launch.assumed,
                Contains("training.batch_size is an older name of training.local_batch_size"));
}

TEST(ReadLaunch, TakesTheConfigurationsInPythonThatTorchtitanNames) {
    const ReadLaunch launch = read(
        "NGPU=8\ntorchrun --nproc_per_node=${NGPU} --nnodes 2 -m torchtitan.train --module qwen3 "
        "--config qwen3_30b_a3b --parallelism.expert_parallel_degree 8 --training.seq_len=4096");
    EXPECT_EQ(launch.launch.job.model.experts, launch_test_model("qwen3-30b-a3b").experts);
    EXPECT_EQ(launch.launch.strategy.ep, 8u);
    EXPECT_EQ(launch.launch.strategy.dp, 16u);
    EXPECT_THAT(launch.assumed, Contains(HasSubstr("settings of qwen3_30b_a3b are not known")));
}

TEST(ReadLaunch, TakesArgumentsOfTorchtitan) {
    const ReadLaunch launch = read(
        "torchrun --nnodes 2 --nproc_per_node 8 -m torchtitan.train --model.name llama3 "
        "--model.flavor=8B --parallelism.data_parallel_shard_degree=4 "
        "--parallelism.pipeline_parallel_degree 4 "
        "--parallelism.pipeline_parallel_schedule Interleaved1F1B --training.local_batch_size 8 "
        "--activation_checkpoint.mode none --compile.enable");
    EXPECT_EQ(launch.chips, 16u);
    EXPECT_EQ(launch.launch.strategy.vpp, 2u);
    EXPECT_EQ(launch.launch.strategy.pp, 4u);
    EXPECT_EQ(launch.launch.strategy.zero, 2u);
    EXPECT_EQ(refused("torchrun -m torchtitan.train --job.config_file llama.toml"),
              "launch: its settings are in llama.toml: read that file");
}

// The smallest launch, with something added.
std::string small(std::string_view more, std::string_view chips = "--nproc_per_node 8 --nnodes 1") {
    return "torchrun " + std::string(chips) +
           " pretrain_gpt.py --num-layers 32 --hidden-size 4096 --num-attention-heads 32 "
           "--seq-length 2048 --max-position-embeddings 2048 --vocab-size 50257 "
           "--micro-batch-size 1 --global-batch-size 64 --bf16 " +
           std::string(more);
}

TEST(ReadLaunch, ListsWhatNobodyKnows) {
    const ReadLaunch launch =
        read(small("--tensor-model-paralel-size 2 --our-own-thing a b --use-sharp stray $EXTRA"));
    EXPECT_THAT(launch.not_understood,
                Contains("--tensor-model-paralel-size 2: megatron-lm does not know it; "
                         "--tensor-model-parallel-size?"));
    EXPECT_THAT(launch.not_understood,
                Contains("--our-own-thing a b: megatron-lm does not know it"));
    EXPECT_THAT(launch.not_modelled, Contains(HasSubstr("--use-sharp")));
    EXPECT_EQ(launch.launch.strategy.tp, 1u);
}

TEST(ReadLaunch, SaysWhichVariableIsMissing) {
    EXPECT_EQ(
        refused(small("", "--nproc_per_node 8 --nnodes $SLURM_NNODES")),
        "launch: does not say on how many chips it runs (--nnodes is $SLURM_NNODES, which the "
        "script does not set); say so");
    EXPECT_EQ(read(small("", "--nproc_per_node 8 --nnodes $SLURM_NNODES"), {.chips = 32}).chips,
              32u);
    EXPECT_EQ(refused(small("--tensor-model-parallel-size $TP")),
              "launch: --tensor-model-parallel-size is $TP, which the script does not set");
}

TEST(ReadLaunch, RefusesContradictionsWithBothSides) {
    EXPECT_EQ(refused(small("--fp16")), "launch: --bf16 and --fp16 contradict each other");
    EXPECT_EQ(refused(small("--tensor-model-parallel-size 3")),
              "launch: tp 3 x pp 1 x cp 1 = 3 must divide the 8 chips");
    // Their product is 0 in 64 bits.
    EXPECT_THAT(
        refused(small("--tensor-model-parallel-size 67108864 --pipeline-model-parallel-size "
                      "67108864 --context-parallel-size 4096")),
        HasSubstr("must divide the 8 chips"));
    const std::string titan =
        "torchrun --nproc_per_node 8 -m torchtitan.train --model.name llama3 --model.flavor 8B "
        "--parallelism.tensor_parallel_degree 67108864 --parallelism.pipeline_parallel_degree "
        "67108864 --parallelism.context_parallel_degree 4096";
    EXPECT_THAT(refused(titan), HasSubstr("must divide them"));
    EXPECT_THAT(refused(titan + " --parallelism.data_parallel_shard_degree 2"),
                HasSubstr("at most 100000000"));
    EXPECT_EQ(
        refused(small("--pipeline-model-parallel-size 8 "
                      "--num-layers-per-virtual-pipeline-stage 3")),
        "launch: --num-layers-per-virtual-pipeline-stage 3: must divide the 4 layers of a stage");
    EXPECT_EQ(refused(small("--global-batch-size 60")),
              "launch: --global-batch-size 60: must be a multiple of --micro-batch-size 1 x data "
              "parallelism 8");
    EXPECT_EQ(refused(small("--expert-model-parallel-size 2")),
              "launch: ep 2: needs a model with experts");
    EXPECT_EQ(refused(small("--num-layers 0")),
              "launch: --num-layers 0: must be a whole number from 1 to 100000000");
    EXPECT_EQ(refused(small("--recompute-granularity some")),
              "launch: --recompute-granularity some: must be one of full, selective");
    EXPECT_THAT(refused(small("--fp4-format e2m1")), HasSubstr("--fp4-format"));
}

TEST(ReadLaunch, KnowsHowTokensGoToExperts) {
    const std::string moe =
        "--num-experts 64 --moe-router-topk 6 --moe-ffn-hidden-size 1024 "
        "--expert-model-parallel-size 8 ";
    const auto with = [&](std::string_view more) { return read(small(moe + std::string(more))); };
    EXPECT_FALSE(with("--moe-token-dispatcher-type alltoall").launch.strategy.deepep);
    for (const std::string_view flex : {"--moe-flex-dispatcher-backend deepep",
                                        "--moe-flex-dispatcher-backend hybridep",
                                        "--moe-enable-deepep"}) {
        const ReadLaunch launch = with("--moe-token-dispatcher-type flex " + std::string(flex));
        EXPECT_TRUE(launch.launch.strategy.deepep);
        EXPECT_THAT(launch.not_modelled, IsEmpty());
    }
    EXPECT_THAT(with("--moe-token-dispatcher-type flex").assumed,
                Contains("--moe-flex-dispatcher-backend deepep: the default"));
    EXPECT_THAT(with("").assumed,
                Contains("--moe-token-dispatcher-type allgather: the default, taken as alltoall"));
    EXPECT_THAT(with("--moe-token-dispatcher-type allgather").not_modelled,
                Contains("--moe-token-dispatcher-type allgather: taken as alltoall"));
    EXPECT_EQ(refused(small(moe + "--moe-enable-deepep")),
              "launch: --moe-enable-deepep: --moe-token-dispatcher-type must be flex");
}

TEST(ReadLaunch, KnowsGroupsOfExperts) {
    const std::string moe = "--num-experts 64 --moe-router-topk 6 --moe-ffn-hidden-size 1024 ";
    const auto groups = [&](std::string_view more) {
        const auto experts = read(small(moe + std::string(more))).launch.job.model.experts;
        return std::make_pair(experts->groups, experts->groups_per_token);
    };
    EXPECT_EQ(groups("--moe-router-num-groups 8 --moe-router-group-topk 3"),
              std::make_pair(8U, 3U));
    EXPECT_EQ(groups("--moe-router-num-groups 4 --moe-router-group-topk 4"),
              std::make_pair(1U, 1U));
    EXPECT_EQ(groups("--moe-router-num-groups 8"), std::make_pair(1U, 1U));
    EXPECT_EQ(refused(small(moe + "--moe-router-group-topk 3")),
              "launch: --moe-router-group-topk 3: --moe-router-num-groups is not given");
    EXPECT_THAT(refused(small(moe + "--moe-router-num-groups 5 --moe-router-group-topk 3")),
                HasSubstr("experts.groups: 5 does not divide 64"));
}

TEST(ReadLaunch, TakesLayoutsOfStages) {
    const std::string by_layout =
        "--pipeline-model-parallel-size 8 --pipeline-model-parallel-layout ";
    EXPECT_EQ(read(small(by_layout + "'Ett|(tt|)*14,tt,L'")).launch.strategy.vpp, 2u);
    EXPECT_EQ(read(small(by_layout + "'E,t*4|(t*4|)*6t*4L'")).launch.strategy.vpp, 1u);
    EXPECT_THAT(refused(small(by_layout + "'Ett|(tt|)*13,tt,L'")), HasSubstr("multiple of pp 8"));
    EXPECT_THAT(refused(small(by_layout + "'Et|(tt|)*14,tt,L'")), HasSubstr("has 31 layers"));
    EXPECT_THAT(refused(small(by_layout + "'Ett|(tt|*14'")), HasSubstr("must be of E, t, m, L"));
    EXPECT_THAT(refused(small(by_layout + "'t*99999999999'")), HasSubstr("must be of E, t, m, L"));
}

TEST(ReadLaunch, RefusesWhatStartsNothing) {
    EXPECT_EQ(refused(""), "launch: is empty");
    EXPECT_THAT(refused("echo hello"), HasSubstr("launch: starts no training that is known"));
    EXPECT_THAT(refused("{\"a\": 1"), HasSubstr("launch"));
    EXPECT_THAT(refused("python train.py --epochs 3"), HasSubstr("starts no training"));
}

TEST(ReadLaunch, TakesBareArguments) {
    const std::string text = small("--pipeline-model-parallel-size 2");
    const ReadLaunch launch = read(text.substr(text.find("--num-layers")), {.chips = 16});
    EXPECT_EQ(launch.chips, 16u);
    EXPECT_EQ(launch.launch.strategy.pp, 2u);
}

TEST(ReadLaunch, TakesTheLastOfEqualOptionsAndSaysSo) {
    const ReadLaunch launch = read(small("--global-batch-size 128"));
    EXPECT_EQ(launch.launch.job.global_batch, 128u);
    EXPECT_THAT(launch.assumed,
                Contains("--global-batch-size 128 is given more than once; the last counts"));
}

TEST(ReadLaunch, HoldsForDamagedTexts) {
    Random random(7);
    for (const std::string& text : {file("people.megatron-lm.sh"),
                                    file("people.mindspeed.sh"),
                                    file("people.deepspeed.sh"),
                                    file("people.torchtitan.toml"),
                                    std::string(json)}) {
        for (int i = 0; i < 400; ++i) {
            std::string damaged(text);
            const auto edits = random.between(0, 6);
            for (std::int64_t edit = 0; edit < edits; ++edit) {
                const auto at = static_cast<std::size_t>(
                    random.between(0, static_cast<std::int64_t>(damaged.size()) - 1));
                constexpr std::string_view letters = "\"'$(){}[]\\\n#;&|<>=01 -*";
                switch (random.between(0, 2)) {
                    case 0:
                        damaged.erase(at, static_cast<std::size_t>(random.between(1, 20)));
                        break;
                    case 1:
                        damaged[at] = letters[static_cast<std::size_t>(
                            random.between(0, static_cast<std::int64_t>(letters.size()) - 1))];
                        break;
                    default:
                        damaged.insert(at, damaged.substr(at / 2, 15));
                        break;
                }
                if (damaged.empty()) damaged = "x";
            }
            LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(damaged.data()),
                                   damaged.size());
        }
    }
}

}  // namespace
}  // namespace weir::plan
