#include "weir/plan/serving.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "weir/catalog/catalog.hpp"

namespace weir::plan {
namespace {

using ::testing::HasSubstr;

Machine machine_named(std::string_view chip) {
    const catalog::ChipRecord* record = catalog::Catalog::built_in().find(chip);
    EXPECT_NE(record, nullptr) << chip;
    auto machine = machine_of(*record);
    EXPECT_TRUE(machine.has_value());
    return *machine;
}

ServingJob job_of(std::string_view model, double isl, double osl) {
    const catalog::Model* found = catalog::find_model(model);
    EXPECT_NE(found, nullptr) << model;
    ServingJob job;
    job.model = *found;
    job.isl = isl;
    job.osl = osl;
    return job;
}

ServingPlan plan_of(std::uint32_t tp, std::uint32_t batch, Numbers numbers, Engine engine) {
    ServingPlan plan;
    plan.degrees.tp = tp;
    plan.batch = batch;
    plan.weights = numbers;
    plan.cache = bytes_of(numbers) < 2 ? Numbers::fp8 : numbers;
    plan.engine = engine;
    return plan;
}

TEST(Serving, WeightsAndCacheAreThoseOfTheShape) {
    const ServingModel model(job_of("llama-3.1-70b", 1024, 1024), machine_named("h100-sxm-80g"));
    const auto p = model.predict(plan_of(4, 8, Numbers::bf16, Engine::vllm));
    // 70.55e9 parameters (model card) of 2 bytes over 4 chips.
    EXPECT_NEAR(p.memory.weights_bytes, 70.55e9 * 2 / 4, 0.01 * 70.55e9 * 2 / 4);
    // 80 layers x 8 heads x 128 x keys and values x 2 bytes = 327,680 bytes a token.
    EXPECT_DOUBLE_EQ(p.memory.cache_token_bytes, 327680.0 / 4);

    // DeepSeek-V3 keeps 512 + 64 numbers a token and layer, on every chip (section 2.1.1).
    const ServingModel latent(job_of("deepseek-v3", 1024, 1024), machine_named("h200"));
    const auto l = latent.predict(plan_of(8, 8, Numbers::fp8, Engine::sglang));
    EXPECT_DOUBLE_EQ(l.memory.cache_token_bytes, 61.0 * 576);
    EXPECT_NEAR(l.memory.weights_bytes, 671e9 / 8, 0.04 * 671e9 / 8);
}

TEST(Serving, TermsSumToTheTimeOfAToken) {
    const ServingModel model(job_of("qwen3-30b-a3b", 2000, 500), machine_named("h200"));
    ServingPlan plan = plan_of(2, 64, Numbers::fp8, Engine::tensorrt_llm);
    plan.degrees.attention_dp = 2;
    plan.degrees.ep = 4;
    plan.degrees.pp = 2;
    const auto p = model.predict(plan);
    double sum = 0;
    for (const double term : p.term_s) {
        EXPECT_GE(term, 0);
        sum += term;
    }
    EXPECT_NEAR(sum, p.tpot_s, 1e-12);
    EXPECT_GT(p.at(ServingTerm::exchange), 0);
    EXPECT_GT(p.at(ServingTerm::pipeline), 0);
}

TEST(Serving, OneRequestIsBoundByReadingTheWeights) {
    const Machine machine = machine_named("h100-sxm-80g");
    const ServingModel model(job_of("llama-3.1-8b", 128, 128), machine);
    const auto p = model.predict(plan_of(1, 1, Numbers::bf16, Engine::tensorrt_llm));
    // Without the table of the input, of which a token reads one row.
    const double least_s = (8.03e9 - 128256.0 * 4096) * 2 / machine.memory_bytes_per_s;
    EXPECT_GT(p.tpot_s, least_s);
    EXPECT_LT(p.tpot_s, 2 * least_s);
}

TEST(Serving, ClientsThatWaitForAnswersObeyLittlesLaw) {
    const ServingModel model(job_of("llama-3.1-70b", 8192, 1024), machine_named("h100-sxm-80g"));
    for (const std::uint32_t batch : {1U, 8U, 64U, 512U}) {
        const auto p = model.predict(plan_of(4, batch, Numbers::fp8, Engine::vllm));
        const double in_system = p.requests_per_s * (p.ttft_s + p.tpot_s * 1023);
        EXPECT_NEAR(in_system, batch, 1e-6 * batch);
        EXPECT_NEAR(p.batch + p.waiting + p.in_front, batch, 1e-9);
    }
}

TEST(Serving, MoreClientsMakeTokensSlowerAndTheChipBusier) {
    const ServingModel model(job_of("llama-3.1-70b", 1024, 1024), machine_named("b200"));
    double slower = 0;
    double busier = 0;
    for (std::uint32_t batch = 1; batch <= 256; batch *= 2) {
        const auto p = model.predict(plan_of(2, batch, Numbers::fp8, Engine::tensorrt_llm));
        EXPECT_GT(p.tpot_s, slower);
        EXPECT_GT(p.output_tokens_per_s, busier);
        EXPECT_EQ(p.waiting, 0);
        slower = p.tpot_s;
        busier = p.output_tokens_per_s;
    }
}

TEST(Serving, WhatDoesNotFitSaysSo) {
    const ServingModel model(job_of("llama-3.1-405b", 1024, 128), machine_named("h100-sxm-80g"));
    EXPECT_FALSE(model.predict(plan_of(1, 1, Numbers::bf16, Engine::vllm)).fits);
    EXPECT_FALSE(model.predict(plan_of(8, 1, Numbers::bf16, Engine::vllm)).fits);
    EXPECT_TRUE(model.predict(plan_of(8, 1, Numbers::fp8, Engine::vllm)).fits);
}

TEST(Serving, RequestsNeedReplicasAndReplicasCost) {
    ServingJob job = job_of("llama-3.1-8b", 1000, 1000);
    Machine machine = machine_named("h200");
    machine.price_per_chip_hour = 3.6;
    const auto one = ServingModel(job, machine).predict(plan_of(1, 32, Numbers::fp8, Engine::vllm));
    EXPECT_EQ(one.replicas, 1U);
    // 3.6 an hour is 0.001 a second.
    EXPECT_NEAR(one.cost_per_million_tokens, 1e6 * 0.001 / one.output_tokens_per_s, 1e-9);
    job.requests_per_s = 2.5 * one.requests_per_s;
    const auto many =
        ServingModel(job, machine).predict(plan_of(1, 32, Numbers::fp8, Engine::vllm));
    EXPECT_EQ(many.replicas, 3U);
    EXPECT_EQ(many.chips, 3U);
    EXPECT_NEAR(many.cost_per_million_tokens, one.cost_per_million_tokens * 3 / 2.5, 1e-9);
}

TEST(Serving, PromptsApartDoNotDisturbTokens) {
    const ServingModel model(job_of("llama-3.1-70b", 8192, 512), machine_named("h200"));
    ServingPlan plan = plan_of(4, 32, Numbers::fp8, Engine::vllm);
    const auto together = model.predict(plan);
    plan.prefill = Degrees{.tp = 4};
    plan.prefillers = 4;
    const auto apart = model.predict(plan);
    EXPECT_EQ(apart.at(ServingTerm::prompts), 0);
    EXPECT_LT(apart.tpot_s, together.tpot_s);
    EXPECT_EQ(plan.chips(), 20U);
    // One taker of prompts feeds fewer tokens than four.
    plan.prefillers = 1;
    EXPECT_LT(model.predict(plan).output_tokens_per_s, apart.output_tokens_per_s);
}

TEST(Serving, ClientsOfPromptsApartObeyLittlesLaw) {
    const ServingModel model(job_of("deepseek-v3", 1024, 1024), machine_named("gb200"));
    ServingPlan plan;
    plan.degrees = {1, 1, 16, 16};
    plan.weights = Numbers::nvfp4;
    plan.cache = Numbers::fp8;
    plan.engine = Engine::tensorrt_llm;
    plan.prefill = Degrees{1, 1, 4, 4};
    for (const std::uint32_t takers : {1U, 4U}) {
        for (const std::uint32_t decoders : {1U, 3U}) {
            for (const std::uint32_t batch : {1U, 16U, 256U, 4096U}) {
                plan.prefillers = takers;
                plan.decoders = decoders;
                plan.batch = batch;
                const auto p = model.predict(plan);
                EXPECT_NEAR(
                    std::accumulate(p.term_s.begin(), p.term_s.end(), 0.0), p.tpot_s, 1e-12);
                const double clients = static_cast<double>(batch) * decoders;
                EXPECT_NEAR(
                    p.requests_per_s * (p.ttft_s + p.tpot_s * 1024), clients, 0.01 * clients)
                    << takers << " " << decoders << " " << batch;
            }
        }
    }
}

TEST(Serving, PromptsThatTheCacheKnowsCostLittle) {
    ServingJob job = job_of("llama-3.1-8b", 8000, 100);
    const Machine machine = machine_named("h200");
    const auto plan = plan_of(1, 16, Numbers::fp8, Engine::vllm);
    const auto fresh = ServingModel(job, machine).predict(plan);
    job.cached_share = 0.5;
    const auto half = ServingModel(job, machine).predict(plan);
    job.cached_share = 1;
    const auto known = ServingModel(job, machine).predict(plan);
    EXPECT_LT(known.at(ServingTerm::prompts), 0.1 * fresh.at(ServingTerm::prompts));
    EXPECT_GT(half.at(ServingTerm::prompts), known.at(ServingTerm::prompts));
    // The second half of a prompt looks at more keys than the first.
    EXPECT_GT(half.at(ServingTerm::prompts), 0.5 * fresh.at(ServingTerm::prompts));
    EXPECT_LT(known.ttft_s, half.ttft_s);
    // What is kept is read all the same.
    EXPECT_DOUBLE_EQ(known.at(ServingTerm::attention), fresh.at(ServingTerm::attention));
}

TEST(Serving, PromptsThatWaitToBeBatchedAreLaterByAsManySteps) {
    const ServingModel model(job_of("llama-3.1-70b", 1024, 1024), machine_named("b200"));
    ServingPlan plan = plan_of(4, 4, Numbers::fp8, Engine::vllm);
    const auto soon = model.predict(plan);
    plan.start.wait_steps = 20;
    const auto late = model.predict(plan);
    const double step_s = soon.tpot_s - soon.at(ServingTerm::prompts);
    EXPECT_NEAR(late.ttft_s - soon.ttft_s, 20 * step_s, 1e-9);
    EXPECT_DOUBLE_EQ(late.tpot_s, soon.tpot_s);
}

TEST(Serving, AFrontThatIsTooSlowBoundsTheTokens) {
    const ServingModel model(job_of("llama-3.1-8b", 1024, 512), machine_named("h100-sxm-80g"));
    ServingEngine engine = serving_engine("tensorrt-llm");
    engine.request_s = 0;
    engine.stream_s = 1e-4;
    ServingPlan plan = plan_of(8, 128, Numbers::bf16, Engine::tensorrt_llm);
    const auto flooded = model.predict(plan, engine);
    EXPECT_LT(flooded.output_tokens_per_s, 1e4);
    EXPECT_GT(flooded.output_tokens_per_s, 0.9e4);
    EXPECT_GT(flooded.in_front, 1);
    EXPECT_EQ(flooded.waiting, 0);  // for memory nobody waits
    plan.start.stream_interval = 10;
    const auto free = model.predict(plan, engine);
    EXPECT_GT(free.output_tokens_per_s, 1.2e4);
    EXPECT_LT(free.ttft_s, flooded.ttft_s);
}

// Published rows, within three of the spreads that the predictions state.
TEST(Serving, PublishedMeasurementsLieInTheIntervals) {
    struct Case {
        std::string_view source;
        std::string_view model;
        std::string_view chip;
        Engine engine;
        Numbers numbers;
        std::uint32_t tp;
        double isl;
        double osl;
        std::uint32_t batch;  // 0: a queue
        double tokens_per_s;
    };
    const Case cases[] = {
        {"TensorRT-LLM 1.0 performance overview",
         "llama-3.1-70b",
         "h100-sxm-80g",
         Engine::tensorrt_llm,
         Numbers::fp8,
         2,
         1000,
         1000,
         0,
         4205},
        {"TensorRT-LLM 1.0 performance overview",
         "llama-3.1-405b",
         "h200",
         Engine::tensorrt_llm,
         Numbers::fp8,
         8,
         128,
         2048,
         0,
         5348},
        {"TensorRT-LLM 1.0 performance overview",
         "llama-3.1-8b",
         "h100-sxm-80g",
         Engine::tensorrt_llm,
         Numbers::fp8,
         1,
         2048,
         2048,
         0,
         9305},
        {"aiconfigurator silicon_sample.csv",
         "llama-3.1-70b",
         "b200",
         Engine::tensorrt_llm,
         Numbers::fp8,
         4,
         1024,
         1024,
         64,
         6370.65},
        {"aiconfigurator silicon_sample.csv",
         "llama-3.1-70b",
         "b200",
         Engine::vllm,
         Numbers::nvfp4,
         2,
         8192,
         1024,
         16,
         1042.6},
    };
    for (const Case& one : cases) {
        ServingJob job = job_of(one.model, one.isl, one.osl);
        job.rounds = 10;
        ServingPlan plan = plan_of(one.tp, one.batch, one.numbers, one.engine);
        if (one.batch == 0) plan.traffic = Traffic::queue;
        const auto p = ServingModel(job, machine_named(one.chip)).predict(plan);
        EXPECT_LT(std::abs(std::log(p.output_tokens_per_s / one.tokens_per_s)), 3 * p.spread)
            << one.model << " on " << one.chip << ": " << p.output_tokens_per_s << " instead of "
            << one.tokens_per_s << " (" << one.source << ")";
        EXPECT_LT(p.low(p.output_tokens_per_s), p.output_tokens_per_s);
    }
}

TEST(Serving, AChipKnownFromItsDatasheetHasAWiderInterval) {
    const ServingJob job = job_of("llama-3.1-8b", 1024, 1024);
    const auto plan = plan_of(1, 8, Numbers::bf16, Engine::vllm);
    const auto known = ServingModel(job, machine_named("h200")).predict(plan);
    const auto other = ServingModel(job, machine_named("mi300x")).predict(plan);
    EXPECT_FALSE(known.estimated);
    EXPECT_TRUE(other.estimated);
    EXPECT_GT(other.spread, known.spread);
}

TEST(Serving, WhatDividesNothingIsRefusedByName) {
    const Machine machine = machine_named("h200");
    const ServingJob dense = job_of("llama-3.1-8b", 1024, 128);
    const auto refusal = [&](ServingPlan plan, const ServingJob& job) {
        const auto checked = check(plan, job, machine);
        EXPECT_FALSE(checked.has_value());
        return checked ? std::string() : checked.error().message;
    };
    ServingPlan plan;
    plan.degrees.tp = 3;
    EXPECT_THAT(refusal(plan, dense), HasSubstr("tp 3: must divide the 32 heads"));
    plan.degrees = {.tp = 1, .pp = 33};
    EXPECT_THAT(refusal(plan, dense), HasSubstr("pp 33: more than the 32 layers"));
    plan.degrees = {.tp = 2, .ep = 2};
    EXPECT_THAT(refusal(plan, dense), HasSubstr("has no experts"));
    plan.degrees = {.attention_dp = 2};
    EXPECT_THAT(refusal(plan, dense), HasSubstr("attention dp 2"));
    plan.degrees = {.tp = 4, .ep = 3};
    EXPECT_THAT(refusal(plan, job_of("qwen3-30b-a3b", 1024, 128)), HasSubstr("ep 3: must divide"));
    plan.degrees = {};
    plan.cache = Numbers::int4;
    EXPECT_THAT(refusal(plan, dense), HasSubstr("cache int4"));

    ServingJob absurd = dense;
    absurd.osl = 0;
    const auto checked = check(absurd);
    ASSERT_FALSE(checked.has_value());
    EXPECT_THAT(checked.error().message, HasSubstr("osl 0: must be 1 to"));
}

TEST(Serving, EveryEngineHasConstantsWithTheirSource) {
    for (const Engine engine : {Engine::tensorrt_llm,
                                Engine::vllm,
                                Engine::sglang,
                                Engine::lmdeploy,
                                Engine::faster_transformer}) {
        const ServingEngine& one = serving_engine(name_of(engine));
        EXPECT_TRUE(one.fitted) << name_of(engine);
        EXPECT_FALSE(one.source.empty());
        for (const auto& constant : serving_engine_constants()) {
            EXPECT_GE(one.*constant.member, constant.low) << constant.name;
            EXPECT_LE(one.*constant.member, constant.high) << constant.name;
        }
    }
    EXPECT_FALSE(serving_engine("unheard-of").fitted);
    EXPECT_FALSE(serving_chip("unheard-of").fitted);
}

}  // namespace
}  // namespace weir::plan
