#include "weir/plan/training.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <numeric>

#include "weir/catalog/catalog.hpp"

namespace weir::plan {
namespace {

Machine machine(std::string_view chip, std::uint32_t chips_per_node = 8) {
    MachineOptions options;
    options.chips_per_node = chips_per_node;
    return *machine_of(*catalog::Catalog::built_in().find(chip), options);
}

// GPT of Narayanan et al. 2021, table 1: four times as wide inside, 51,200 words.
catalog::Model gpt(std::uint32_t layers, std::uint32_t hidden, std::uint32_t heads) {
    catalog::Model model;
    model.name = "gpt";
    model.layers = layers;
    model.hidden = hidden;
    model.heads = heads;
    model.kv_heads = heads;
    model.head_dim = hidden / heads;
    model.ffn = 4 * hidden;
    model.vocab = 51200;
    model.tied = true;
    model.learned_positions = 2048;
    model.biases = true;
    model.layer_norm = true;
    return model;
}

catalog::Model llama_8b() {
    catalog::Model model;
    model.name = "llama-3.1-8b";
    model.layers = 32;
    model.hidden = 4096;
    model.heads = 32;
    model.kv_heads = 8;
    model.head_dim = 128;
    model.ffn = 14336;
    model.gated = true;
    model.vocab = 128256;
    return model;
}

TrainingJob job_of(catalog::Model model, std::uint32_t sequence, std::uint32_t batch) {
    TrainingJob job;
    job.model = std::move(model);
    job.sequence = sequence;
    job.global_batch = batch;
    return job;
}

Strategy random_strategy() {
    Strategy s;
    s.tp = *rc::gen::element(1U, 2U, 4U, 8U);
    s.pp = *rc::gen::element(1U, 2U, 4U);
    s.cp = *rc::gen::element(1U, 2U);
    s.dp = *rc::gen::element(1U, 2U, 8U);
    s.vpp = s.pp > 1 ? *rc::gen::element(1U, 2U) : 1;
    s.micro_batch = *rc::gen::element(1U, 2U, 4U);
    s.recompute = *rc::gen::element(Recompute::none, Recompute::full);
    s.zero = *rc::gen::inRange(0U, 4U);
    s.sequence_parallel = s.tp > 1 && *rc::gen::arbitrary<bool>();
    s.overlap.grad_reduce = *rc::gen::arbitrary<bool>();
    s.overlap.param_gather = *rc::gen::arbitrary<bool>();
    s.overlap.tensor = *rc::gen::arbitrary<bool>();
    s.overlap.pipeline = *rc::gen::arbitrary<bool>();
    return s;
}

RC_GTEST_PROP(Training, TermsAreNeverNegativeAndSumToTheStep, ()) {
    const TrainingModel model(job_of(llama_8b(), 4096, 256), machine("h100-sxm-80g"));
    const Strategy strategy = random_strategy();
    RC_PRE(check(strategy, model.job(), strategy.chips()).has_value());
    const Prediction predicted = model.predict(strategy);
    double sum = 0;
    for (const double term : predicted.term_s) {
        RC_ASSERT(term >= 0);
        sum += term;
    }
    RC_ASSERT(std::abs(sum - predicted.step_s) <= 1e-9 * predicted.step_s);
    for (const double part : predicted.memory_bytes)
        RC_ASSERT(part >= 0);
}

RC_GTEST_PROP(Training, NoPlanIsFasterThanThePeakAllows, ()) {
    const TrainingModel model(job_of(llama_8b(), 4096, 256), machine("h100-sxm-80g"));
    const Strategy strategy = random_strategy();
    RC_PRE(check(strategy, model.job(), strategy.chips()).has_value());
    const double mfu = model.predict(strategy).mfu;
    RC_ASSERT(mfu > 0);
    RC_ASSERT(mfu < 1);
}

RC_GTEST_PROP(Training, RecomputationTakesTimeAndSavesMemory, ()) {
    const TrainingModel model(job_of(llama_8b(), 4096, 256), machine("h100-sxm-80g"));
    Strategy strategy = random_strategy();
    RC_PRE(check(strategy, model.job(), strategy.chips()).has_value());
    strategy.recompute = Recompute::none;
    const Prediction kept = model.predict(strategy);
    strategy.recompute = Recompute::full;
    const Prediction again = model.predict(strategy);
    // What communication hides behind grows with the work, so that the step may grow by less.
    RC_ASSERT(again.step_s > 0.99 * kept.step_s);
    RC_ASSERT(again.at(Term::recompute) > 0);
    RC_ASSERT(again.at(MemoryPart::activations) <= kept.at(MemoryPart::activations));
}

RC_GTEST_PROP(Training, WhatIsHiddenIsNotWaitedFor, ()) {
    const TrainingModel model(job_of(llama_8b(), 4096, 256), machine("h100-sxm-80g"));
    Strategy strategy = random_strategy();
    RC_PRE(check(strategy, model.job(), strategy.chips()).has_value());
    // Each kind of communication takes as long as it does: waited for, or hidden but for what it
    // slows the computation down.
    const auto talk_s = [&](const Prediction& predicted, Term term) {
        return predicted.at(term) +
               predicted.hidden_at(term) * (1 - model.machine().chip.overlap_slowdown);
    };
    strategy.overlap = {};
    const Prediction without = model.predict(strategy);
    strategy.overlap = {true, true, true, strategy.vpp > 1, false};
    const Prediction with = model.predict(strategy);
    double hidden_s = 0;
    for (const Term term : communication_terms) {
        RC_ASSERT(std::abs(talk_s(with, term) - talk_s(without, term)) <= 1e-9 * without.step_s);
        hidden_s += with.hidden_at(term);
    }
    RC_ASSERT(std::abs(hidden_s - with.hidden_total_s()) <= 1e-9 * with.step_s);
    RC_ASSERT((strategy.tp > 1) == (with.hidden_at(Term::tensor) > 0));
    if (strategy.zero < 3) RC_ASSERT(without.hidden_total_s() == 0);
}

// torchtitan, by what PyTorch keeps: the loss in FP32 or compiled, and DTensors that were gathered.
TEST(Training, CountsWhatTorchtitanKeepsForTheLossAndGathers) {
    constexpr double half = 2;
    const TrainingJob job = job_of(llama_8b(), 8192, 16);
    const TrainingModel model(job, machine("h100-sxm-80g"));
    Strategy s;
    s.framework = Framework::torchtitan;
    s.zero = 3;
    s.dp = 8;
    s.micro_batch = 2;
    const double tokens = 2.0 * job.sequence;
    const double scores = tokens * job.model.vocab;
    const double compiled = model.predict(s).at(MemoryPart::buffers);
    s.eager_loss = true;
    const double eager = model.predict(s).at(MemoryPart::buffers);
    EXPECT_NEAR(eager - compiled, (12 - 4) * scores, 1);
    // Both tables stay whole, beside the two layers that are gathered.
    const TrainingModel::Layers layers = model.layers(s);
    EXPECT_NEAR(eager,
                12 * scores + 2 * half * job.model.vocab * job.model.hidden +
                    half * job.model.hidden + 2 * 2 * half * layers.dense.parameters +
                    model.machine().workspace_bytes,
                1);

    // With sequence parallelism each of the two blocks keeps what all chips have gathered.
    s.tp = 4;
    s.dp = 2;
    s.sequence_parallel = true;
    const double stream = tokens * job.model.hidden * half;
    const double gathered = model.layers(s).dense.kept.all;
    s.framework = Framework::megatron_lm;
    EXPECT_NEAR(gathered - model.layers(s).dense.kept.all, 2 * stream * 3 / 4, 1);
}

RC_GTEST_PROP(Training, OverlapNeverMakesAStepSlower, ()) {
    const TrainingModel model(job_of(llama_8b(), 4096, 256), machine("h100-sxm-80g"));
    Strategy strategy = random_strategy();
    RC_PRE(check(strategy, model.job(), strategy.chips()).has_value());
    strategy.overlap = {};
    const double apart = model.predict(strategy).step_s;
    strategy.overlap = {true, true, true, true, true};
    RC_ASSERT(model.predict(strategy).step_s <= apart * (1 + 1e-12));
}

RC_GTEST_PROP(Training, PredictingLayersFirstChangesNothing, ()) {
    const TrainingModel model(job_of(llama_8b(), 4096, 256), machine("h100-sxm-80g"));
    const Strategy strategy = random_strategy();
    RC_PRE(check(strategy, model.job(), strategy.chips()).has_value());
    RC_ASSERT(model.predict(strategy).step_s ==
              model.predict(strategy, model.layers(strategy)).step_s);
}

TEST(Training, HostAndChipWaitForEachOtherMostWhereBothAreBusy) {
    const TrainingJob job = job_of(gpt(24, 1024, 16), 1024, 8);
    const auto step_s = [&](double host_s, std::uint32_t tp) {
        Machine one = machine("a100-sxm-80g");
        one.chip.host_s = host_s;
        Strategy s;
        s.tp = tp;
        return TrainingModel(job, one).predict(s).step_s;
    };
    const double chip_s = step_s(0, 1);
    const double host_s =
        step_s(1e-3, 1);  // a thousandth of a second for each kernel: nothing else
    double last = chip_s;
    for (const double each : {1e-6, 5e-6, 20e-6, 50e-6, 200e-6}) {
        const double both = step_s(each, 1);
        EXPECT_GE(both, last);
        // Whoever waits for the other does at most a fifth more than the slower of them.
        EXPECT_LT(both, 1.2 * (std::max(chip_s, host_s * each / 1e-3) + chip_s * 0.1));
        last = both;
    }
    // Sums over a tensor parallel group keep hosts from running ahead.
    const double alone = step_s(5e-6, 1) / chip_s;
    EXPECT_GT(step_s(5e-6, 2) / step_s(0, 2), alone);
}

TEST(Training, ABareVocabularyIsSlowerThanAPaddedOne) {
    TrainingJob job = job_of(gpt(2, 1024, 16), 1024, 8);
    job.model.vocab = 50257;
    const Machine one = machine("a100-sxm-80g");
    const double padded = TrainingModel(job, one).predict({}).step_s;
    job.bare_vocabulary = true;
    const double bare = TrainingModel(job, one).predict({}).step_s;
    EXPECT_GT(bare, 1.2 * padded);
    job.model.vocab = 50304;
    EXPECT_LT(TrainingModel(job, one).predict({}).step_s, 1.01 * padded);
}

TEST(Training, ALayerKeepsWhatItsExpertsReadAndSeldomWhatTheyGive) {
    const TrainingJob job = job_of(*catalog::find_model("mixtral-8x7b"), 4096, 8);
    const Machine h100 = machine("h100-sxm-80g");
    const auto kept = [&](Framework framework, Precision precision) {
        Strategy s;
        s.framework = framework;
        s.precision = precision;
        return layer_cost(job, h100, s, true).kept.mlp;
    };
    // Of each of the two experts of a token, a number for each of the 4096 of its width.
    const double numbers = 4096.0 * 2 * 4096;
    const double megatron = kept(Framework::megatron_lm, Precision::bf16);
    EXPECT_DOUBLE_EQ(kept(Framework::mindspeed, Precision::bf16) - megatron, 2 * numbers);
    // In FP8 it is kept as it went into products.
    EXPECT_DOUBLE_EQ(megatron - kept(Framework::megatron_lm, Precision::fp8), numbers);
}

TEST(Training, DualPipeSharesTheLossAndHasWeightsTwiceUnlessItIsFolded) {
    catalog::Model model = llama_8b();
    model.vocab = 2'000'000;
    const TrainingModel planner(job_of(model, 4096, 64), machine("h100-sxm-80g"));
    const auto predicted = [&](Framework framework, Schedule schedule) {
        Strategy s;
        s.pp = 4;
        s.framework = framework;
        s.schedule = schedule;
        return planner.predict(s);
    };
    const Prediction once = predicted(Framework::megatron_lm, Schedule::one_f_one_b);
    const Prediction twice = predicted(Framework::megatron_lm, Schedule::dualpipe);
    // The loss is most of the work of the chip that has it; with DualPipe two chips have it.
    EXPECT_LT(twice.at(Term::products), 0.7 * once.at(Term::products));
    EXPECT_DOUBLE_EQ(twice.at(MemoryPart::weights), 2 * once.at(MemoryPart::weights));
    // Folded, the first chips have both ends, and the layers of one stage.
    const Prediction folded = predicted(Framework::mindspeed, Schedule::dualpipe);
    EXPECT_GT(folded.at(MemoryPart::weights), once.at(MemoryPart::weights));
    EXPECT_LT(folded.at(MemoryPart::weights), twice.at(MemoryPart::weights));
}

TEST(Training, ShardsOfTheOptimizerAddUpToOne) {
    const TrainingModel model(job_of(llama_8b(), 4096, 256), machine("h100-sxm-80g"));
    Strategy strategy;
    strategy.dp = 16;
    const Prediction whole = model.predict(strategy);
    strategy.zero = 1;
    const Prediction sharded = model.predict(strategy);
    EXPECT_NEAR(sharded.at(MemoryPart::optimizer) * 16,
                whole.at(MemoryPart::optimizer),
                1e-6 * whole.at(MemoryPart::optimizer));
    EXPECT_EQ(sharded.at(MemoryPart::weights), whole.at(MemoryPart::weights));
}

TEST(Training, AChipHoldsEighteenBytesAParameterWithoutSharding) {
    // BF16 weight 2, FP32 gradient 4, FP32 master weight and two moments 12.
    const TrainingModel model(job_of(llama_8b(), 4096, 8), machine("h100-sxm-80g"));
    const Prediction predicted = model.predict(Strategy{});
    const double states = predicted.at(MemoryPart::weights) + predicted.at(MemoryPart::gradients) +
                          predicted.at(MemoryPart::optimizer);
    EXPECT_NEAR(states / 8.03e9, 18, 0.05);  // 8.03 billion parameters (Llama 3 paper)
}

// Steps that Narayanan et al. 2021 (table 1, TFLOP/s a chip) measured on A100s: within 15 %.
struct Published {
    std::uint32_t layers, hidden, heads, tp, pp, vpp, chips, batch, micro_batch;
    double teraflops;  // of one chip, with recomputation, by the formula of the paper
};
class Narayanan : public ::testing::TestWithParam<Published> {};

TEST_P(Narayanan, StepsArePredicted) {
    const Published& row = GetParam();
    Strategy strategy;
    strategy.tp = row.tp;
    strategy.pp = row.pp;
    strategy.vpp = row.vpp;
    strategy.dp = row.chips / (row.tp * row.pp);
    strategy.micro_batch = row.micro_batch;
    strategy.recompute = Recompute::full;
    strategy.flash_attention = false;
    strategy.precision = Precision::fp16;
    TrainingJob job = job_of(gpt(row.layers, row.hidden, row.heads), 2048, row.batch);
    job.dropout = true;
    const Prediction predicted = TrainingModel(job, machine("a100-sxm-80g")).predict(strategy);
    // 96 B s l h^2 (1 + s / 6h + V / 16lh), the paper's equation 3.
    const double h = row.hidden;
    const double l = row.layers;
    const double flops =
        96.0 * row.batch * 2048 * l * h * h * (1 + 2048 / (6 * h) + 51200 / (16 * l * h));
    const double measured_s = flops / (row.teraflops * 1e12 * row.chips);
    EXPECT_NEAR(predicted.step_s / measured_s, 1, 0.15);
}

INSTANTIATE_TEST_SUITE_P(Table1,
                         Narayanan,
                         ::testing::Values(Published{36, 4096, 32, 4, 1, 1, 128, 512, 16, 142},
                                           Published{48, 8192, 64, 8, 2, 1, 512, 1536, 4, 138},
                                           Published{96, 16384, 128, 8, 16, 2, 1920, 2160, 1, 155},
                                           Published{
                                               128, 25600, 160, 8, 64, 1, 3072, 3072, 1, 163}));

}  // namespace
}  // namespace weir::plan
