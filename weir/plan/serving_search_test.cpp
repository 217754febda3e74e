#include "weir/plan/serving_search.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "weir/catalog/catalog.hpp"

namespace weir::plan {
namespace {

using ::testing::HasSubstr;

Machine machine_named(std::string_view chip) {
    auto machine = machine_of(*catalog::Catalog::built_in().find(chip));
    EXPECT_TRUE(machine.has_value());
    return *machine;
}

ServingJob job_of(std::string_view model, double isl, double osl) {
    ServingJob job;
    job.model = *catalog::find_model(model);
    job.isl = isl;
    job.osl = osl;
    return job;
}

// Slow and obviously right: every degree from 1 to the chips, every batch of the ladder, whether
// or not it makes sense, and whatever check() does not take is passed over.
double best_by_hand(const ServingJob& job,
                    const Machine& machine,
                    std::uint32_t chips,
                    Numbers numbers,
                    Engine engine) {
    const ServingModel model(job, machine);
    double best = 0;
    std::vector<std::uint32_t> batches = serving_batches();
    batches.push_back(0);
    for (std::uint32_t tp = 1; tp <= chips; ++tp) {
        for (std::uint32_t pp = 1; pp <= chips; ++pp) {
            for (std::uint32_t dp = 1; dp <= chips; ++dp) {
                for (std::uint32_t ep = 1; ep <= chips * chips; ++ep) {
                    for (const std::uint32_t batch : batches) {
                        if (tp * pp * dp > chips) continue;
                        ServingPlan plan;
                        plan.degrees = {tp, pp, ep, dp};
                        plan.batch = batch;
                        plan.weights = numbers;
                        plan.engine = engine;
                        if (!check(plan, job, machine) ||
                            !in_serving_space(plan.degrees, job, machine))
                            continue;
                        const ServingPrediction p = model.predict(plan);
                        if (!p.fits || p.waiting > 0) continue;
                        if (job.ttft_slo_s > 0 && p.ttft_s > job.ttft_slo_s) continue;
                        if (job.tpot_slo_s > 0 && p.tpot_s > job.tpot_slo_s) continue;
                        best = std::max(best, p.tokens_per_s_per_chip);
                    }
                }
            }
        }
    }
    return best;
}

TEST(ServingSearch, FindsWhatAskingEveryPlanByHandFinds) {
    for (const std::string_view name : {"llama-3.1-8b", "qwen3-30b-a3b", "mixtral-8x7b"}) {
        for (const double tpot_ms : {0.0, 12.0, 30.0}) {
            ServingJob job = job_of(name, 1024, 256);
            job.tpot_slo_s = tpot_ms / 1e3;
            job.ttft_slo_s = tpot_ms > 0 ? 1.0 : 0.0;
            const Machine machine = machine_named("h100-sxm-80g");
            ServingOptions options;
            options.chips = 4;
            options.prompts_apart = false;
            const auto answer = search_serving(job, machine, options);
            ASSERT_TRUE(answer.has_value());
            const double by_hand = best_by_hand(job, machine, 4, Numbers::bf16, options.engine);
            if (answer->best.empty()) {
                EXPECT_EQ(by_hand, 0) << name << " " << tpot_ms;
                continue;
            }
            EXPECT_DOUBLE_EQ(answer->best.front().prediction.tokens_per_s_per_chip, by_hand)
                << name << " " << tpot_ms;
        }
    }
}

// The same for prompts on chips of their own: up to four replicas of each kind, in every ratio.
double best_apart_by_hand(const ServingJob& job, const Machine& machine, std::uint32_t chips) {
    const ServingModel model(job, machine);
    double best = 0;
    std::vector<std::uint32_t> batches = serving_batches();
    batches.push_back(0);
    const auto possible = [&](const Degrees& degrees) {
        ServingPlan plan;
        plan.degrees = degrees;
        return check(plan, job, machine) && in_serving_space(degrees, job, machine);
    };
    for (std::uint32_t decode_tp = 1; decode_tp <= chips; ++decode_tp) {
        for (std::uint32_t prompt_tp = 1; prompt_tp <= chips; ++prompt_tp) {
            if (!possible({.tp = decode_tp}) || !possible({.tp = prompt_tp})) continue;
            for (std::uint32_t takers = 1; takers <= 4; ++takers) {
                for (std::uint32_t decoders = 1; decoders <= 4; ++decoders) {
                    if (takers * prompt_tp + decoders * decode_tp > chips) continue;
                    for (const std::uint32_t batch : batches) {
                        ServingPlan plan;
                        plan.degrees.tp = decode_tp;
                        plan.prefill = Degrees{.tp = prompt_tp};
                        plan.prefillers = takers;
                        plan.decoders = decoders;
                        plan.batch = batch;
                        const ServingPrediction p = model.predict(plan);
                        if (!p.fits || p.waiting > 0 || promise_ratio(job, p) > 1) continue;
                        best = std::max(best, p.tokens_per_s_per_chip);
                    }
                }
            }
        }
    }
    return best;
}

TEST(ServingSearch, FindsTheBestSplitOfPromptsAndTokensThatAskingByHandFinds) {
    const Machine machine = machine_named("h100-sxm-80g");
    for (const double isl : {512.0, 4096.0}) {
        for (const double tpot_ms : {9.0, 15.0, 40.0}) {
            ServingJob job = job_of("llama-3.1-8b", isl, 256);
            job.tpot_slo_s = tpot_ms / 1e3;
            job.ttft_slo_s = 1;
            ServingOptions options;
            options.chips = 6;
            options.top_k = 100000;
            const auto answer = search_serving(job, machine, options);
            ASSERT_TRUE(answer.has_value());
            double best = 0;
            for (const ServingChoice& one : answer->best) {
                if (one.plan.prefill) best = std::max(best, one.prediction.tokens_per_s_per_chip);
            }
            EXPECT_DOUBLE_EQ(best, best_apart_by_hand(job, machine, options.chips))
                << isl << " " << tpot_ms;
        }
    }
}

TEST(ServingSearch, WhatIsListedKeepsThePromisesInOrder) {
    ServingJob job = job_of("llama-3.1-70b", 1024, 256);
    job.ttft_slo_s = 1;
    job.tpot_slo_s = 0.04;
    ServingOptions options;
    options.weights = {Numbers::bf16, Numbers::fp8};
    options.cache = {Numbers::bf16, Numbers::fp8};
    const auto answer = search_serving(job, machine_named("h100-sxm-80g"), options);
    ASSERT_TRUE(answer.has_value());
    ASSERT_GT(answer->best.size(), 3U);
    double before = 1e30;
    for (const ServingChoice& choice : answer->best) {
        EXPECT_LE(promise_ratio(job, choice.prediction), 1);
        EXPECT_TRUE(choice.prediction.fits);
        EXPECT_LE(choice.plan.chips(), 8U);
        EXPECT_LE(choice.prediction.tokens_per_s_per_chip, before);
        before = choice.prediction.tokens_per_s_per_chip;
    }
    EXPECT_FALSE(answer->nearest.has_value());
    EXPECT_GT(answer->tried, answer->fitting);
}

TEST(ServingSearch, TheSpaceIsWhatIsAskedAndNothingTwice) {
    const ServingJob job = job_of("qwen3-30b-a3b", 1000, 1000);
    const Machine machine = machine_named("h200");
    ServingOptions options;
    options.chips = 4;
    const auto space = serving_space(job, machine, options);
    const auto answer = search_serving(job, machine, options);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(space.size(), answer->tried);
    for (std::size_t i = 0; i < space.size(); ++i) {
        EXPECT_TRUE(check(space[i], job, machine).has_value()) << text_of(space[i]);
        for (std::size_t j = i + 1; j < std::min(space.size(), i + 400); ++j)
            EXPECT_FALSE(space[i] == space[j]) << text_of(space[i]);
    }
}

TEST(ServingSearch, RequestsAreServedWithTheFewestChips) {
    ServingJob job = job_of("llama-3.1-8b", 1000, 500);
    job.tpot_slo_s = 0.02;
    job.requests_per_s = 100;
    ServingOptions options;
    options.prompts_apart = false;
    options.objective = ServingObjective::chips;
    const auto answer = search_serving(job, machine_named("h100-sxm-80g"), options);
    ASSERT_TRUE(answer.has_value());
    ASSERT_FALSE(answer->best.empty());
    const ServingPrediction& first = answer->best.front().prediction;
    EXPECT_GE(first.requests_per_s * static_cast<double>(first.replicas), 100);
    for (const ServingChoice& choice : answer->best)
        EXPECT_GE(choice.prediction.chips, first.chips);
}

TEST(ServingSearch, APromiseThatNobodyKeepsNamesTheNearestPlan) {
    ServingJob job = job_of("llama-3.1-70b", 1024, 256);
    job.tpot_slo_s = 1e-4;
    const auto answer = search_serving(job, machine_named("h100-sxm-80g"), {});
    ASSERT_TRUE(answer.has_value());
    EXPECT_TRUE(answer->best.empty());
    ASSERT_TRUE(answer->nearest.has_value());
    EXPECT_THAT(answer->missing, HasSubstr("no plan keeps the promises; nearest is"));
    EXPECT_THAT(answer->missing, HasSubstr("times too slow"));
    // Nearest: nothing in the space is faster.
    const ServingModel model(job, machine_named("h100-sxm-80g"));
    for (const ServingPlan& plan : serving_space(job, machine_named("h100-sxm-80g"), {})) {
        const auto p = model.predict(plan);
        if (p.fits && p.waiting <= 0) {
            EXPECT_GE(p.tpot_s, answer->nearest->prediction.tpot_s);
        }
    }
}

TEST(ServingSearch, WhatFitsNowhereSaysByHowMuch) {
    const auto answer =
        search_serving(job_of("deepseek-v3", 1024, 256), machine_named("h100-sxm-80g"), {});
    ASSERT_TRUE(answer.has_value());
    EXPECT_TRUE(answer->best.empty());
    EXPECT_EQ(answer->fitting, 0U);
    EXPECT_THAT(answer->missing, HasSubstr("no plan fits"));
    EXPECT_THAT(answer->missing, HasSubstr("GiB more than"));
}

TEST(ServingSearch, AbsurdQuestionsAreRefused) {
    const Machine machine = machine_named("h200");
    const ServingJob job = job_of("llama-3.1-8b", 1000, 500);
    ServingOptions options;
    options.chips = 0;
    EXPECT_FALSE(search_serving(job, machine, options).has_value());
    options = {};
    options.objective = ServingObjective::chips;
    EXPECT_FALSE(search_serving(job, machine, options).has_value());
    options = {};
    options.cache = {Numbers::nvfp4};
    EXPECT_FALSE(search_serving(job, machine, options).has_value());
    options = {};
    options.weights.clear();
    EXPECT_FALSE(search_serving(job, machine, options).has_value());
}

}  // namespace
}  // namespace weir::plan
