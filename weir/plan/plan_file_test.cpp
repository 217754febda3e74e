#include "weir/plan/plan_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "weir/base/mutation.hpp"
#include "weir/plan/training.hpp"

namespace weir::plan {

void try_plan_file(std::string_view text);

namespace {

using ::testing::HasSubstr;

Result<PlanFile> read(const std::string& text) {
    return read_plan_text(text, "p.yaml", catalog::Catalog::built_in());
}

constexpr const char* small = R"(
model: llama-3-8b
chip: h100-sxm-80g
n_chips: 64
seq: 8192
global_batch: 128
tp: 2
micro_batch: 1
)";

TEST(PlanFile, TakesFromTheChipsWhatDpIs) {
    const auto file = read(small);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    EXPECT_EQ(file->strategy.dp, 32U);
    EXPECT_EQ(file->strategy.chips(), 64U);
    EXPECT_THAT(file->notes, ::testing::Contains(HasSubstr("dp is 32")));
    EXPECT_GT(TrainingModel(file->job, file->machine).predict(file->strategy).step_s, 0);
}

TEST(PlanFile, KnowsAModelByItsShapeAndAChipByItsSheet) {
    const auto file = read(R"(
layers: 32
hidden: 4096
heads: 32
kv_heads: 8
ffn: 14336
gated_mlp: y
vocab: 128256
chip: our-npu
chip_mem_gb: 64
chip_peak_bf16_tflops: 300
tp: 8
seq: 4096
global_batch: 16
step_time_s: 2.5
)");
    ASSERT_TRUE(file.has_value()) << file.error().message;
    EXPECT_EQ(file->job.model.head_dim, 128U);
    EXPECT_FALSE(file->machine.chip.fitted);
    EXPECT_DOUBLE_EQ(file->machine.peak(Precision::bf16), 300e12);
    EXPECT_DOUBLE_EQ(file->measured.step_s, 2.5);
}

// The columns of a table of measured runs are keys, those that say nothing of the plan too.
constexpr const char* row = R"(
id: lf-001
source: mosaicml/llm-foundry
verified: yes
model: llama-2-7b
arch: dense
layers: 32
hidden: 4096
heads: 32
ffn: 11008
gated_mlp: y
vocab: 32000
tied_emb: n
chip: a100-sxm-80g
chip_mem_gb: 80
n_chips: 8
chips_per_node: 8
intra_link: nvlink3
intra_GBps_per_chip: 300
inter_link: infiniband
inter_Gbps_per_chip: 200
seq: 2048
global_batch: 64
micro_batch: 8
n_microbatches: 1
tp: 1
pp: 1
dp: 8
ep: 1
cp: 1
vpp: 1
recompute: full
offload: none
seq_parallel: n
zero_stage: 3
precision: bf16
framework: composer
overlap: [grad_reduce, param_gather]
tokens_per_s_per_chip: 3200
config_complete: y
)";

TEST(PlanFile, TakesARowOfATableAsItIs) {
    const auto file = read(row);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    EXPECT_EQ(file->strategy.zero, 3U);
    EXPECT_EQ(file->strategy.recompute, Recompute::full);
    EXPECT_TRUE(file->strategy.overlap.param_gather);
}

TEST(PlanFile, SpellsRecomputationBothWays) {
    for (const char* text : {"none",
                             "selective",
                             "selective:norms,activation",
                             "selective:latent_up",
                             "full",
                             "full:block:5"}) {
        Strategy strategy;
        ASSERT_TRUE(recompute_from_text(text, strategy).has_value()) << text;
        EXPECT_EQ(recompute_text(strategy), text);
    }
    Strategy strategy;
    ASSERT_TRUE(recompute_from_text("selective:layernorm+moe_act", strategy).has_value());
    EXPECT_EQ(recompute_text(strategy), "selective:norms,activation");
}

TEST(PlanFile, RefusesWhatCannotBeInOneSentence) {
    struct Case {
        std::string change;  // behind the small file
        std::string says;
    };
    const std::string base = small;
    for (const Case& one : {
             Case{"tensor_parallel: 2\n", "write tp"},
             Case{"pp: 0\n", "pp"},
             Case{"cp: 3\n", "n_chips 64: must be a multiple of tp 2 x pp 1 x cp 3 = 6"},
             Case{"dp: 16\n", "makes 32 chips, but there are 64"},
             Case{"n_microbatches: 7\n", "n_microbatches 7: global_batch 128"},
             Case{"ep: 2\n", "needs a model with experts"},
             Case{"vpp: 2\n", "needs pp of at least 2"},
             Case{"precision: fp6\n", "fp6"},
             Case{"recompute: some\n", "write none, selective"},
             Case{"offload: weights\n", "optimizer, or activations:N"},
             Case{"overlap: [everything]\n", "everything"},
             Case{"zero_stage: 4\n", "zero_stage"},
             Case{"head_dim: 0\n", "head_dim"},
             Case{"step_time_s: 1e-300\n", "step_time_s: 1e-300 is out of range"},
             Case{"step_time_s: 0\n", "step_time_s: 0 is out of range"},
             Case{"step_time_s: -0.0\n", "step_time_s: -0.0 is out of range"},
             Case{"step_time_s: .nan\n", "step_time_s: '.nan' is not a number"},
             Case{"step_time_s: inf\n", "step_time_s: 'inf' is not a number"},
             Case{"peak_mem_gib: 1e300\n", "peak_mem_gib: 1e300 is out of range"},
             Case{"peak_mem_gib: 1e-300\n", "peak_mem_gib: 1e-300 is out of range"},
             Case{"topk: 9\n", "topk 9: model llama-3-8b has no experts"},
             Case{"zero_group: 5\n", "zero_group 5: must divide dp 32"},
         }) {
        const auto file = read(base + one.change);
        ASSERT_FALSE(file.has_value()) << one.change;
        EXPECT_THAT(file.error().message, HasSubstr(one.says)) << one.change;
        EXPECT_THAT(file.error().message, HasSubstr("p.yaml")) << one.change;
    }
    EXPECT_THAT(read("model: llama-3-8b\n").error().message, HasSubstr("chip"));
    EXPECT_THAT(read("model: lama-3-8b\nchip: h100-sxm-80g\n").error().message,
                HasSubstr("did you mean llama-3-8b?"));
    EXPECT_THAT(read("model: llama-3-8b\nchip: h100-sxm-80\n").error().message,
                HasSubstr("did you mean h100-sxm-80g?"));
    EXPECT_THAT(read("chip: a100-sxm-80g\n").error().message, HasSubstr("layers, hidden, heads"));
    EXPECT_THAT(read("model: llama-3-8b\nchip: a100-sxm-80g\nprecision: fp8\n").error().message,
                HasSubstr("a100-sxm-80g has no fp8 units"));
}

TEST(PlanFile, SendsTokensByDeepEPOnlyWhereThatRuns) {
    const auto of = [](const std::string& chip, const std::string& more) {
        return read("model: deepseek-v3\nglobal_batch: 512\ntp: 1\ndp: 64\nchip: " + chip + "\n" +
                    more);
    };
    EXPECT_TRUE(of("h100-sxm-80g", "ep: 64\n")->strategy.deepep);
    EXPECT_TRUE(of("a100-sxm-80g", "ep: 8\n")->strategy.deepep);
    EXPECT_FALSE(of("h100-sxm-80g", "ep: 1\n")->strategy.deepep);
    EXPECT_FALSE(of("h100-sxm-80g", "ep: 64\nexpert_dispatch: all-to-all\n")->strategy.deepep);
    EXPECT_FALSE(of("h100-sxm-80g", "ep: 64\nframework: torchtitan\n")->strategy.deepep);
    EXPECT_FALSE(of("ascend-910b2", "ep: 64\n")->strategy.deepep);
    EXPECT_FALSE(of("mi300x", "ep: 8\n")->strategy.deepep);
    EXPECT_THAT(of("ascend-910b2", "ep: 64\nexpert_dispatch: deepep\n").error().message,
                HasSubstr("expert_dispatch deepep: it runs on chips of NVIDIA from Ampere on that "
                          "NVLink joins, and ascend-910b2"));
    EXPECT_THAT(of("h100-sxm-80g", "ep: 1\nexpert_dispatch: deepep\n").error().message,
                HasSubstr("and this is 1 x 1; write all-to-all"));
    EXPECT_THAT(of("h100-sxm-80g", "ep: 8\nframework: deepspeed\nexpert_dispatch: deepep\n")
                    .error()
                    .message,
                HasSubstr("deepspeed has it not"));
    // A copy for each expert is more than one for each chip.
    const auto step_s = [&](const std::string& more) {
        const auto file = of("h100-sxm-80g", "ep: 64\n" + more);
        return TrainingModel(file->job, file->machine).predict(file->strategy).step_s;
    };
    EXPECT_LT(step_s(""), 0.9 * step_s("expert_dispatch: all-to-all\n"));
}

// 2^26 x 2^26 x 2^12 is 0 in 64 bits, 2^16 x 2^16 in 32.
TEST(PlanFile, RefusesDegreesWhoseProductIsNoNumberOfChips) {
    const std::string chip = "model: llama-3-8b\nchip: h100-sxm-80g\n";
    const auto says = [&chip](const std::string& keys) {
        return read(chip + keys).error().message;
    };
    EXPECT_THAT(says("n_chips: 64\ntp: 67108864\npp: 67108864\ncp: 4096\n"),
                HasSubstr("n_chips 64: must be a multiple of tp 67108864 x pp 67108864 x cp 4096"));
    EXPECT_THAT(says("tp: 67108864\npp: 67108864\ncp: 4096\n"),
                HasSubstr("makes 18446744073709551616 chips"));
    EXPECT_THAT(says("experts: 8\nmoe_ffn: 65536\nshared_experts: 65536\n"),
                HasSubstr("experts.shared_ffn"));
}

TEST(PlanFile, SurvivesMutationsAndOddValuesOfEachKey) {
    const std::string moe = std::string(small) +
                            "experts: 8\ntopk: 2\nmoe_ffn: 512\nshared_experts: 1\nep: 4\n"
                            "recompute: full:block:3\noffload: [optimizer, 'activations:2']\n";
    Random random(11);
    for (const std::string& seed : {std::string(small), std::string(row), moe}) {
        try_plan_file(seed);
        for (int round = 0; round < 500; ++round)
            try_plan_file(mutated(seed, "0123456789.-:,=[]{}\"' \n", random));
        // Each key with each of some odd values.
        for (const char* value :
             {"0", "-1", "1", "65536", "67108864", "100000000", "1e300", ".nan", "[]", "''", "y"}) {
            for (std::size_t at = seed.find(": "); at != std::string::npos;
                 at = seed.find(": ", at + 1)) {
                try_plan_file(seed.substr(0, at + 2) + value + seed.substr(seed.find('\n', at)));
            }
        }
    }
}

TEST(PlanFile, HasAReferencePageThatMatchesItsTable) {
    std::ifstream stream(std::string(WEIR_SOURCE_DIR) + "/docs/reference/plan.md");
    std::stringstream page;
    page << stream.rdbuf();
    EXPECT_EQ(page.str(), plan_reference())
        << "regenerate it: weir schema plan --markdown > docs/reference/plan.md";
}

TEST(PlanFile, GivesOnlyExamplesThatAreValid) {
    for (const schema::Field& field : plan_schema().fields) {
        if (field.example.empty()) continue;
        const std::string text = std::string(field.key) + ": " + std::string(field.example);
        const auto tree = yaml::parse(text, "example");
        ASSERT_TRUE(tree.has_value()) << text;
        const schema::Object alone{"plan", "", {field}, {}};
        const auto checked = schema::check(alone, *tree, "example");
        EXPECT_TRUE(checked.has_value()) << text << ": " << checked.error().message;
    }
}

}  // namespace
}  // namespace weir::plan
