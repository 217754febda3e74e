#include "weir/cli/plan_serve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <nlohmann/json.hpp>

#include "weir/base/seconds.hpp"
#include "weir/base/text_table.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/plan_question.hpp"
#include "weir/cli/plan_text.hpp"
#include "weir/cli/print.hpp"
#include "weir/cli/progress.hpp"
#include "weir/plan/serving_search.hpp"

namespace weir::cli {
namespace {

using Json = nlohmann::ordered_json;
using plan::ServingChoice;
using plan::ServingPrediction;

// A replica of more chips than this is no longer one: its steps are all communication.
constexpr std::uint64_t replica_chips_max = 64;

// Promises are between these: no engine answers sooner, and nobody waits longer.
constexpr double slo_s_min = 1e-4;
constexpr double slo_s_max = 86'400;

// "40ms", "1.5s", in seconds.
std::optional<double> seconds_from(std::string_view text) {
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, value);
    const std::string_view unit(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
    const double factor = unit == "s" ? 1 : unit == "ms" ? 1e-3 : 0;
    const double seconds = value * factor;
    if (parsed.ec != std::errc{} || !(seconds >= slo_s_min && seconds <= slo_s_max))
        return std::nullopt;
    return seconds;
}

Result<void> add_promises(const std::vector<std::string>& slo, plan::ServingJob& job) {
    for (const std::string& one : slo) {
        const auto equals = one.find('=');
        const std::string_view name = std::string_view(one).substr(0, equals);
        const auto value = equals == std::string::npos
                               ? std::nullopt
                               : seconds_from(std::string_view(one).substr(equals + 1));
        if (!value || (name != "ttft" && name != "tpot")) {
            return fail(Code::invalid,
                        fmt::format("--slo: '{}' is no promise; write ttft=1s (to the first token) "
                                    "or tpot=40ms (of each further one), from 0.1ms to 86400s",
                                    one));
        }
        double& promised = name == "ttft" ? job.ttft_slo_s : job.tpot_slo_s;
        if (promised > 0) {
            return fail(Code::invalid,
                        fmt::format("--slo: {} stands there twice, with {} and {}; give it once",
                                    name,
                                    format_seconds(promised),
                                    format_seconds(*value)));
        }
        promised = *value;
    }
    return {};
}

// Of `all` those that are named, each once.
Result<std::vector<plan::Numbers>> numbers_named(std::string_view option,
                                                 const std::vector<std::string>& names,
                                                 const std::vector<plan::Numbers>& all) {
    std::vector<plan::Numbers> list;
    std::string valid;
    for (const plan::Numbers one : all)
        valid += (valid.empty() ? "" : ", ") + std::string(name_of(one));
    for (const std::string& name : names) {
        const auto found = std::find_if(
            all.begin(), all.end(), [&](plan::Numbers one) { return name_of(one) == name; });
        if (found == all.end())
            return fail(Code::invalid, fmt::format("{}: '{}' is none of {}", option, name, valid));
        if (std::find(list.begin(), list.end(), *found) != list.end())
            return fail(Code::invalid, fmt::format("{}: {} stands there twice", option, name));
        list.push_back(*found);
    }
    return list;
}

Result<plan::Engine> engine_named(const std::string& name) {
    std::string valid;
    for (const auto engine : {plan::Engine::vllm,
                              plan::Engine::sglang,
                              plan::Engine::tensorrt_llm,
                              plan::Engine::lmdeploy,
                              plan::Engine::faster_transformer}) {
        if (name_of(engine) == name) return engine;
        valid += (valid.empty() ? "" : ", ") + std::string(name_of(engine));
    }
    return fail(Code::invalid, fmt::format("--engine: '{}' is none of {}", name, valid));
}

// What a question about training says and one about serving has no use for. An option with its
// default cannot be told from one that was left out, and asks for nothing else.
Result<void> check_applies(const PlanOptions& options) {
    const PlanOptions none;
    const std::pair<std::string_view, bool> given[] = {
        {"--sequence", options.sequence != none.sequence},
        {"--global-batch", options.global_batch != none.global_batch},
        {"--tokens", options.tokens != none.tokens},
        {"--precision", options.precision != none.precision},
        {"--framework", options.framework != none.framework},
        {"--objective", options.objective != none.objective},
        {"--margin", options.margin != none.margin},
        {"--risk", options.risk != none.risk},
        {"--mtbf", options.mtbf != none.mtbf}};
    std::string names;
    std::size_t count = 0;
    for (const auto& [name, is_given] : given) {
        if (!is_given) continue;
        names += (names.empty() ? "" : ", ") + std::string(name);
        ++count;
    }
    if (count == 0) return {};
    return fail(
        Code::invalid,
        fmt::format("--serve: {} {} of training; of serving are --isl, --osl, --slo, --qps, "
                    "--engine, --weights, --cache, --cached-share, --chips, --price and --top",
                    names,
                    count == 1 ? "is" : "are"));
}

// Of a token, in the words of somebody who watches an engine.
constexpr std::array<std::string_view, plan::serving_term_count> term_meanings{
    "plain matrices: their weights are read once a step",
    "those of the experts that some token of a step chose",
    "reading the kept keys and values of all requests",
    "norms, activations: bound by bandwidth",
    "all-reduces of tensor parallelism",
    "tokens that go to their experts and come back",
    "activations sent between stages",
    "starting kernels, and the engine between steps",
    "waiting while prompts of others go through",
};

// Requests that a replica, or each of its decoders, has at once.
std::uint64_t requests_at_once(const ServingChoice& one) {
    return one.plan.batch > 0 ? one.plan.batch
                              : static_cast<std::uint64_t>(one.prediction.batch_max);
}

std::string choices_table(const std::vector<ServingChoice>& choices,
                          const plan::ServingJob& job,
                          const plan::Machine& machine,
                          std::size_t width) {
    const bool load = job.requests_per_s > 0;
    std::vector<Column> columns{{"", true},
                                {"first token", true},
                                {"each token", true},
                                {"tokens/s of a chip", true},
                                {load ? "chips" : "chips of a replica", true},
                                {"memory", true}};
    const bool priced = machine.price_per_chip_hour > 0;
    if (priced) columns.push_back({"cost of 1 M tokens", true});
    PlanRows table(std::move(columns), 1, "plan");
    std::size_t rank = 0;
    for (const ServingChoice& one : choices) {
        const ServingPrediction& p = one.prediction;
        std::vector<std::string> row{std::to_string(++rank),
                                     format_seconds(p.ttft_s),
                                     format_seconds(p.tpot_s),
                                     number_text(p.tokens_per_s_per_chip),
                                     format_count(load ? p.chips : one.plan.chips()),
                                     gib_text(p.memory.total_bytes())};
        if (priced) row.push_back(money_text(p.cost_per_million_tokens, machine.currency));
        table.row(std::move(row), text_of(one.plan));
    }
    return table.text(width);
}

std::string details(const ServingChoice& chosen,
                    const plan::ServingJob& job,
                    const plan::Machine& machine,
                    std::size_t width) {
    const ServingPrediction& p = chosen.prediction;
    TextTable terms(
        {{"time of a token"}, {"", true}, {"share", true}, {"what it is", false, true}});
    for (std::size_t i = 0; i < plan::serving_term_count; ++i) {
        if (p.term_s[i] <= p.tpot_s * 5e-4) continue;
        terms.row({std::string(name_of(static_cast<plan::ServingTerm>(i))),
                   format_seconds(p.term_s[i]),
                   format_percent(p.term_s[i] / p.tpot_s),
                   std::string(term_meanings[i])});
    }
    terms.row({"each token", format_seconds(p.tpot_s), "100 %", ""});
    std::string text = terms.text(width) + "\n";
    TextTable memory({{"memory of the fullest chip"}, {"", true}, {"of what it has", true}});
    const auto row = [&](std::string_view name, double bytes) {
        memory.row(
            {std::string(name), gib_text(bytes), format_percent(bytes / machine.memory_bytes)});
    };
    row("weights", p.memory.weights_bytes);
    row("keys and values", p.memory.cache_bytes);
    row("activations", p.memory.activations_bytes);
    row("all", p.memory.total_bytes());
    row("what the engine may take", p.memory.taken_bytes);
    text += memory.text(width) + "\n";
    const auto line = [&](const std::string& sentence) {
        text += wrapped(sentence, 0, width) + "\n";
    };
    line(
        fmt::format("{} has room for the keys and values of {} tokens and has {} requests at "
                    "once, of which {} decode on average; a replica answers {} requests and {} "
                    "tokens a second",
                    chosen.plan.prefill ? "a decoder" : "a replica",
                    number_text(p.cache_tokens),
                    format_count(requests_at_once(chosen)),
                    number_text(p.batch),
                    number_text(p.requests_per_s),
                    number_text(p.output_tokens_per_s)));
    if (job.requests_per_s > 0) {
        line(fmt::format("{} requests a second need {} with {} in all",
                         number_text(job.requests_per_s),
                         format_count(p.replicas, "replica"),
                         format_count(p.chips, "chip")));
    }
    line(fmt::format(
        "90 % of such runs: first token {} to {}, each token {} to {}, {} to {} tokens a second{}",
        format_seconds(p.ttft_low_s()),
        format_seconds(p.ttft_high_s()),
        format_seconds(p.low(p.tpot_s)),
        format_seconds(p.high(p.tpot_s)),
        number_text(p.low(p.output_tokens_per_s)),
        number_text(p.high(p.output_tokens_per_s)),
        p.estimated ? "; wider, as no published run on this chip, link or engine was fitted" : ""));
    return text;
}

Json positive(double value) {
    return value > 0 ? Json(value) : Json(nullptr);
}

Json json_of(const plan::Degrees& d) {
    return {{"tp", d.tp}, {"pp", d.pp}, {"ep", d.ep}, {"attention_dp", d.attention_dp}};
}

Json json_of(const ServingChoice& chosen) {
    const ServingPrediction& p = chosen.prediction;
    Json terms = Json::object();
    for (std::size_t i = 0; i < plan::serving_term_count; ++i)
        terms[std::string(name_of(static_cast<plan::ServingTerm>(i)))] = p.term_s[i];
    Json json{{"text", text_of(chosen.plan)},
              {"degrees", json_of(chosen.plan.degrees)},
              {"batch", requests_at_once(chosen)},
              {"decoding_on_average", p.batch},
              {"weights", name_of(chosen.plan.weights)},
              {"cache", name_of(chosen.plan.cache)},
              {"engine", name_of(chosen.plan.engine)},
              {"chips_of_replica", chosen.plan.chips()},
              {"ttft_s", p.ttft_s},
              {"ttft_s_low", p.ttft_low_s()},
              {"ttft_s_high", p.ttft_high_s()},
              {"tpot_s", p.tpot_s},
              {"tpot_s_low", p.low(p.tpot_s)},
              {"tpot_s_high", p.high(p.tpot_s)},
              {"terms_s", std::move(terms)},
              {"tokens_per_s_per_chip", p.tokens_per_s_per_chip},
              {"output_tokens_per_s", p.output_tokens_per_s},
              {"output_tokens_per_s_low", p.low(p.output_tokens_per_s)},
              {"output_tokens_per_s_high", p.high(p.output_tokens_per_s)},
              {"requests_per_s", p.requests_per_s},
              {"replicas", p.replicas},
              {"chips", p.chips},
              {"memory_bytes", p.memory.total_bytes()},
              {"weights_bytes", p.memory.weights_bytes},
              {"cache_bytes", p.memory.cache_bytes},
              {"cache_tokens", p.cache_tokens},
              {"estimated", p.estimated}};
    json["cost_per_million_tokens"] = positive(p.cost_per_million_tokens);
    json["prefill"] = chosen.plan.prefill ? json_of(*chosen.plan.prefill) : Json(nullptr);
    if (chosen.plan.prefill) {
        json["prefillers"] = chosen.plan.prefillers;
        json["decoders"] = chosen.plan.decoders;
    }
    return json;
}

std::string job_text(const plan::ServingJob& job) {
    std::string text = fmt::format("{} ({}), {} tokens in, {} out",
                                   job.model.name,
                                   parameters_text(job.model),
                                   number_text(job.isl),
                                   number_text(job.osl));
    if (job.ttft_slo_s > 0) text += ", first token within " + format_seconds(job.ttft_slo_s);
    if (job.tpot_slo_s > 0) text += ", each token within " + format_seconds(job.tpot_slo_s);
    if (job.requests_per_s > 0)
        text += fmt::format(", {} requests a second", number_text(job.requests_per_s));
    if (job.cached_share > 0)
        text += fmt::format(", {} of the prompts in the prefix cache",
                            format_percent(job.cached_share));
    return text;
}

}  // namespace

Result<bool> plan_serving(const PlanOptions& options) {
    WEIR_CHECK(check_applies(options));
    WEIR_TRY(const std::vector<PlanPool> pools, plan_pools(options));
    plan::ServingJob job;
    WEIR_TRY(job.model, plan_model(options.model));
    job.isl = options.isl;
    job.osl = options.osl;
    job.requests_per_s = options.qps;
    job.cached_share = options.cached_share;
    WEIR_CHECK(add_promises(options.slo, job));
    plan::ServingOptions search;
    const auto& all = plan::all_numbers();
    WEIR_TRY(search.weights, numbers_named("--weights", options.weights, {all.begin(), all.end()}));
    using plan::Numbers;
    WEIR_TRY(
        search.cache,
        numbers_named(
            "--cache", options.cache, {Numbers::bf16, Numbers::fp16, Numbers::fp8, Numbers::int8}));
    WEIR_TRY(search.engine, engine_named(options.engine));
    search.top_k = options.top;
    search.objective =
        job.requests_per_s > 0 ? plan::ServingObjective::chips : plan::ServingObjective::throughput;
    bool kept = false;
    Json list = Json::array();
    const std::size_t width = output_width();
    std::string text = paint(wrapped(job_text(job), 0, width), Tone::strong) + "\n";
    for (const PlanPool& pool : pools) {
        const Progress progress("planning on " + pool.name, 0, "plans", options.json);
        const std::uint64_t chips = pool.chips > 0 ? pool.chips : pool.machine.chips_per_node;
        search.chips = static_cast<std::uint32_t>(std::min(chips, replica_chips_max));
        auto answer = plan::search_serving(job, pool.machine, search);
        if (!answer) return fail(answer.error().at(pool.name));
        // A plan that needs more chips than there are keeps no promise.
        kept = kept ||
               std::any_of(answer->best.begin(), answer->best.end(), [&](const ServingChoice& one) {
                   return pool.chips == 0 || one.prediction.chips <= pool.chips;
               });
        text += fmt::format("up to {} {} for a replica, {} of which {} fit\n\n",
                            search.chips,
                            pool.name,
                            format_count(answer->tried, "plan"),
                            format_count(answer->fitting));
        Json json{{"pool", pool.name},
                  {"chip", pool.machine.chip_name},
                  {"tried", answer->tried},
                  {"fitting", answer->fitting}};
        Json plans = Json::array();
        for (const ServingChoice& one : answer->best)
            plans.push_back(json_of(one));
        json["plans"] = std::move(plans);
        if (!answer->best.empty()) {
            const ServingChoice& best = answer->best.front();
            text += choices_table(answer->best, job, pool.machine, width) + "\n";
            text += details(best, job, pool.machine, width);
            if (pool.chips > 0 && best.prediction.chips > pool.chips) {
                text += wrapped(fmt::format("that is more than the {} there are",
                                            format_count(pool.chips, "chip")),
                                0,
                                width) +
                        "\n";
            }
        } else if (answer->nearest) {
            text += wrapped(answer->missing, 0, width) + "\n\n";
            text += choices_table({*answer->nearest}, job, pool.machine, width);
            json["missing"] = answer->missing;
            json["nearest"] = json_of(*answer->nearest);
        } else {
            text += wrapped("nothing fits: " + answer->missing, 0, width) + "\n";
            json["missing"] = answer->missing;
        }
        text += "\n";
        list.push_back(std::move(json));
    }
    if (options.json) {
        out_json(Json{{"model", job.model.name},
                      {"isl", job.isl},
                      {"osl", job.osl},
                      {"cached_share", job.cached_share},
                      {"ttft_slo_s", positive(job.ttft_slo_s)},
                      {"tpot_slo_s", positive(job.tpot_slo_s)},
                      {"requests_per_s", positive(job.requests_per_s)},
                      {"pools", std::move(list)}}
                     .dump(2, ' ', false, Json::error_handler_t::replace));
    } else {
        text.pop_back();
        out(text);
    }
    return kept;
}

}  // namespace weir::cli
