#include "weir/plan/serving_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <tuple>

#include "weir/base/seconds.hpp"

namespace weir::plan {
namespace {

constexpr double gib = 1024.0 * 1024 * 1024;

// What is better: of two plans that keep the promises the one with the smaller key; ties go to
// fewer chips, then to the simpler plan.
using Key = std::tuple<double, double, std::uint64_t, std::uint32_t, std::uint32_t, std::uint32_t>;
Key key_of(const ServingChoice& choice, ServingObjective objective) {
    const ServingPrediction& p = choice.prediction;
    const Degrees& d = choice.plan.degrees;
    double first = -p.tokens_per_s_per_chip;
    double second = p.tpot_s;
    if (objective == ServingObjective::chips) {
        first = static_cast<double>(p.chips);
        second = -p.tokens_per_s_per_chip;
    } else if (objective == ServingObjective::latency) {
        first = p.tpot_s;
        second = -p.tokens_per_s_per_chip;
    }
    return {first, second, choice.plan.chips(), d.pp, d.ep, d.attention_dp};
}

bool same_layout(const ServingPlan& a, const ServingPlan& b) {
    return a.degrees == b.degrees && a.prefill == b.prefill && a.weights == b.weights &&
           a.cache == b.cache && a.prefillers == b.prefillers && a.decoders == b.decoders;
}

std::vector<Degrees> all_degrees(const ServingJob& job,
                                 const Machine& machine,
                                 std::uint32_t chips) {
    std::vector<Degrees> all;
    const auto& model = job.model;
    for (std::uint32_t tp = 1; tp <= std::min(chips, model.heads); ++tp) {
        if (model.heads % tp != 0) continue;
        for (std::uint32_t pp = 1; tp * pp <= chips && pp <= model.layers; ++pp) {
            const std::uint32_t dp_max = model.experts ? chips / (tp * pp) : 1;
            for (std::uint32_t dp = 1; dp <= dp_max; ++dp) {
                const std::uint32_t ep_max = model.experts ? tp * dp : 1;
                for (std::uint32_t ep = 1; ep <= ep_max; ++ep) {
                    ServingPlan plan;
                    plan.degrees = {tp, pp, ep, dp};
                    if (in_serving_space(plan.degrees, job, machine) && check(plan, job, machine))
                        all.push_back(plan.degrees);
                }
            }
        }
    }
    return all;
}

// Adds `plan` with each batch of the ladder up to the largest that memory holds, and that one.
template <class Ask>
void with_batches(const ServingModel& model,
                  ServingPlan plan,
                  const ServingOptions& options,
                  const Ask& ask) {
    if (options.batch > 0) {
        plan.batch = options.batch;
        ask(plan);
        return;
    }
    plan.batch = 0;
    const ServingPrediction whole = model.predict(plan);
    ask(plan);
    if (!whole.fits) return;
    for (const std::uint32_t batch : serving_batches()) {
        if (batch >= whole.batch_max) break;
        plan.batch = batch;
        ask(plan);
    }
}

template <class Ask>
void each_plan(const ServingJob& job,
               const Machine& machine,
               const ServingOptions& options,
               const Ask& ask) {
    const ServingModel model(job, machine);
    const std::vector<Degrees> all = all_degrees(job, machine, options.chips);
    // Those that take prompts: one replica each, without a pipeline or ranks of attention.
    std::vector<Degrees> takers;
    for (const Degrees& d : all) {
        if (d.pp == 1 && d.attention_dp == 1 && (d.ep == 1 || d.ep == d.tp)) takers.push_back(d);
    }
    constexpr std::uint32_t replicas_max = 4;
    for (const Numbers weights : options.weights) {
        for (const Numbers cache : options.cache) {
            for (const Degrees& degrees : all) {
                ServingPlan plan;
                plan.degrees = degrees;
                plan.weights = weights;
                plan.cache = cache;
                plan.engine = options.engine;
                with_batches(model, plan, options, ask);
                if (!options.prompts_apart || degrees.pp > 1) continue;
                for (const Degrees& taker : takers) {
                    plan.prefill = taker;
                    for (plan.prefillers = 1; plan.prefillers <= replicas_max; ++plan.prefillers) {
                        for (plan.decoders = 1; plan.decoders <= replicas_max; ++plan.decoders) {
                            if (plan.chips() > options.chips) break;
                            with_batches(model, plan, options, ask);
                        }
                    }
                }
            }
        }
    }
}

std::string missing_promise(const ServingJob& job, const ServingChoice& nearest) {
    const ServingPrediction& p = nearest.prediction;
    std::string text =
        fmt::format("no plan keeps the promises; nearest is {}:", text_of(nearest.plan));
    const auto add = [&](std::string_view name, double value, double promised) {
        if (promised <= 0) return;
        text +=
            fmt::format(" {} {} of {}{}",
                        name,
                        format_seconds(value),
                        format_seconds(promised),
                        value > promised ? fmt::format(" ({:.2f} times too slow)", value / promised)
                                         : std::string(" (kept)"));
    };
    add("TTFT", p.ttft_s, job.ttft_slo_s);
    if (job.ttft_slo_s > 0 && job.tpot_slo_s > 0) text += ",";
    add("TPOT", p.tpot_s, job.tpot_slo_s);
    return text;
}

std::string missing_memory(const ServingJob& job, const ServingChoice& nearest) {
    const ServingMemory& m = nearest.prediction.memory;
    const double needed =
        m.weights_bytes + m.activations_bytes + (job.isl + job.osl) * m.cache_token_bytes;
    return fmt::format(
        "no plan fits: of {} the fullest chip needs {:.1f} GiB for weights, {:.1f} GiB for one "
        "request and {:.1f} GiB for a step, {:.1f} GiB more than the {:.1f} GiB that the engine "
        "may take; more chips, or weights in fewer bits, would",
        text_of(nearest.plan),
        m.weights_bytes / gib,
        (job.isl + job.osl) * m.cache_token_bytes / gib,
        m.activations_bytes / gib,
        std::max(0.0, needed - m.taken_bytes) / gib,
        m.taken_bytes / gib);
}

}  // namespace

std::string_view name_of(ServingObjective objective) {
    switch (objective) {
        case ServingObjective::throughput:
            return "throughput";
        case ServingObjective::chips:
            return "chips";
        case ServingObjective::latency:
            return "latency";
    }
    return "";
}

const std::vector<std::uint32_t>& serving_batches() {
    static const std::vector<std::uint32_t> batches = [] {
        std::vector<std::uint32_t> all{1};
        for (std::uint32_t power = 2; power <= 4096; power *= 2) {
            all.push_back(power);
            if (power < 4096) all.push_back(power / 2 * 3);
        }
        return all;
    }();
    return batches;
}

double promise_ratio(const ServingJob& job, const ServingPrediction& prediction) {
    double ratio = 0;
    if (job.ttft_slo_s > 0) ratio = std::max(ratio, prediction.ttft_s / job.ttft_slo_s);
    if (job.tpot_slo_s > 0) ratio = std::max(ratio, prediction.tpot_s / job.tpot_slo_s);
    return ratio;
}

bool in_serving_space(const Degrees& degrees, const ServingJob& job, const Machine& machine) {
    const std::uint32_t chips = degrees.chips();
    const std::uint32_t node = std::max(1U, machine.chips_per_node);
    const bool places =
        chips <= node ? std::has_single_bit(chips) || chips == node : chips % node == 0;
    return places && (!job.model.experts || job.model.experts->count % degrees.ep == 0);
}

std::vector<ServingPlan> serving_space(const ServingJob& job,
                                       const Machine& machine,
                                       const ServingOptions& options) {
    std::vector<ServingPlan> plans;
    each_plan(job, machine, options, [&](const ServingPlan& plan) { plans.push_back(plan); });
    return plans;
}

Result<ServingAnswer> search_serving(const ServingJob& job,
                                     const Machine& machine,
                                     const ServingOptions& options) {
    WEIR_CHECK(check(job));
    constexpr std::uint32_t chips_max = 1024;
    if (options.chips == 0 || options.chips > chips_max) {
        return fail(Code::invalid,
                    fmt::format("chips {}: a replica has 1 to {}", options.chips, chips_max));
    }
    if (options.weights.empty() || options.cache.empty())
        return fail(Code::invalid, "no format is allowed for weights, or none for the cache");
    for (const Numbers cache : options.cache) {
        ServingPlan plan;
        plan.cache = cache;
        WEIR_CHECK(check(plan, job, machine));
    }
    if (options.objective == ServingObjective::chips && job.requests_per_s <= 0)
        return fail(Code::invalid, "objective chips: needs the requests a second (qps)");

    const ServingModel model(job, machine);
    ServingAnswer answer;
    std::vector<ServingChoice> kept;
    double nearest_ratio = 0;
    double least_lack = 0;
    std::optional<ServingChoice> least;
    each_plan(job, machine, options, [&](const ServingPlan& plan) {
        ++answer.tried;
        ServingChoice choice{plan, model.predict(plan)};
        const ServingPrediction& p = choice.prediction;
        if (!p.fits || p.waiting > 0) {
            const double lack = p.memory.weights_bytes + p.memory.activations_bytes +
                                (job.isl + job.osl) * p.memory.cache_token_bytes -
                                p.memory.taken_bytes;
            if (!p.fits && !plan.prefill && (!least || lack < least_lack)) {
                least_lack = lack;
                least = choice;
            }
            return;
        }
        ++answer.fitting;
        const double ratio = promise_ratio(job, p);
        if (ratio > 1) {
            if (!answer.nearest || ratio < nearest_ratio) {
                nearest_ratio = ratio;
                answer.nearest = choice;
            }
            return;
        }
        if (plan.batch == 0) choice.plan.batch = static_cast<std::uint32_t>(p.batch_max);
        if (options.one_per_layout) {
            // Plans of one layout come one after the other.
            if (!kept.empty() && same_layout(kept.back().plan, choice.plan)) {
                if (key_of(choice, options.objective) < key_of(kept.back(), options.objective))
                    kept.back() = choice;
                return;
            }
        }
        kept.push_back(choice);
    });
    std::stable_sort(kept.begin(), kept.end(), [&](const auto& a, const auto& b) {
        return key_of(a, options.objective) < key_of(b, options.objective);
    });
    if (kept.size() > options.top_k) kept.resize(options.top_k);
    answer.best = std::move(kept);
    if (!answer.best.empty()) {
        answer.nearest.reset();
    } else if (answer.nearest) {
        answer.missing = missing_promise(job, *answer.nearest);
    } else if (least) {
        answer.nearest = least;
        answer.missing = missing_memory(job, *least);
    } else {
        answer.missing = "no plan divides the model over so many chips";
    }
    return answer;
}

}  // namespace weir::plan
