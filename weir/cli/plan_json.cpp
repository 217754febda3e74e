// `weir plan --json`.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "weir/catalog/model.hpp"
#include "weir/cli/plan_answer.hpp"
#include "weir/cli/plan_text.hpp"
#include "weir/plan/interval.hpp"
#include "weir/plan/model_counts.hpp"
#include "weir/plan/search.hpp"

namespace weir::cli {
namespace {

using Json = nlohmann::ordered_json;

// "matrix products" -> "matrix_products".
std::string key_of(std::string_view name) {
    std::string key(name);
    for (char& letter : key)
        if (letter == ' ' || letter == '-') letter = '_';
    return key;
}

Json positive(double value) {
    return value > 0 ? Json(value) : Json(nullptr);
}

// The keys of a plan file.
Json json_of(const plan::Strategy& s) {
    Json overlap = Json::array();
    const auto on = [&overlap](bool is_on, std::string_view name) {
        if (is_on) overlap.push_back(name);
    };
    on(s.overlap.grad_reduce, "grad_reduce");
    on(s.overlap.param_gather, "param_gather");
    on(s.overlap.tensor, "tensor");
    on(s.overlap.pipeline, "pipeline");
    on(s.overlap.experts, "experts");
    Json offload = Json::array();
    if (s.offload_optimizer) offload.push_back("optimizer");
    if (s.offload_layers > 0) offload.push_back(fmt::format("activations:{}", s.offload_layers));
    const auto yes = [](bool is_on) { return is_on ? "y" : "n"; };
    return {{"n_chips", s.chips()},
            {"tp", s.tp},
            {"pp", s.pp},
            {"dp", s.dp},
            {"cp", s.cp},
            {"ep", s.ep},
            {"etp", s.etp},
            {"vpp", s.vpp},
            {"micro_batch", s.micro_batch},
            {"schedule", name_of(s.schedule)},
            {"recompute", plan::recompute_text(s)},
            {"offload", offload},
            {"seq_parallel", yes(s.sequence_parallel)},
            {"zero_stage", s.zero},
            {"zero_group", s.zero_group},
            {"precision", name_of(s.precision)},
            {"framework", name_of(s.framework)},
            {"overlap", overlap},
            {"cp_algorithm", s.ulysses ? "all-to-all" : "ring"},
            {"expert_dispatch", s.deepep ? "deepep" : "all-to-all"},
            {"flash_attention", yes(s.flash_attention)},
            {"cuda_graphs", yes(s.cuda_graphs)},
            {"fp32_gradients", yes(s.fp32_gradients)}};
}

Json json_of(const plan::TrainingJob& job) {
    const plan::ParameterCount count = plan::count_parameters(job.model);
    return {{"model", job.model.name},
            {"parameters", count.total},
            {"active_parameters", count.active},
            {"seq", job.sequence},
            {"global_batch", job.global_batch},
            {"tokens", positive(job.tokens)}};
}

Json json_of(const plan::Machine& machine) {
    return {{"chip", machine.chip_name},
            {"memory_bytes", machine.memory_bytes},
            {"chips_per_node", machine.chips_per_node},
            {"inside",
             {{"link", machine.inside.kind},
              {"bytes_per_s", machine.inside.bytes_per_s},
              {"fitted", machine.inside.calibration.fitted}}},
            {"between",
             {{"link", machine.between.kind},
              {"bytes_per_s", machine.between.bytes_per_s},
              {"fitted", machine.between.calibration.fitted}}},
            {"fitted", machine.chip.fitted},
            {"source", machine.chip.source}};
}

Json json_of(const plan::Strategy& strategy,
             const plan::Prediction& p,
             const plan::TrainingJob& job,
             const plan::Machine& machine) {
    const plan::Interval interval = plan::interval_of(p, job, machine, strategy);
    Json terms = Json::object();
    for (std::size_t i = 0; i < plan::term_count; ++i)
        terms[key_of(name_of(static_cast<plan::Term>(i)))] = p.term_s[i];
    Json hidden = Json::object();
    for (const plan::Term term : plan::communication_terms)
        hidden[key_of(name_of(term))] = p.hidden_at(term);
    Json memory = Json::object();
    for (std::size_t i = 0; i < plan::memory_part_count; ++i)
        memory[key_of(name_of(static_cast<plan::MemoryPart>(i)))] = p.memory_bytes[i];
    Json json{{"text", text_of(strategy)},
              {"strategy", json_of(strategy)},
              {"step_s", p.step_s},
              {"step_s_low", interval.low_s},
              {"step_s_high", interval.high_s},
              {"interval_causes", interval.causes},
              {"extrapolated", interval.extrapolated},
              {"tokens_per_s", p.tokens_per_s},
              {"mfu", p.mfu},
              {"mfu_flops_per_step", p.model_flops},
              {"mfu_peak_flops", machine.peak(strategy.precision)},
              {"terms_s", std::move(terms)},
              {"hidden_s", p.hidden_total_s()},
              {"hidden_terms_s", std::move(hidden)},
              {"memory_parts_bytes", std::move(memory)},
              {"memory_bytes", p.memory_total_bytes()},
              {"out_of_memory_probability", plan::out_of_memory_probability(p, machine)}};
    const double useful = useful_share_of(job, machine, strategy);
    json["useful_share"] = useful;
    const double goal_s = job.tokens / p.tokens_per_s / useful;
    json["goal_s"] = positive(goal_s);
    const double hours = goal_s * static_cast<double>(strategy.chips()) / 3600;
    json["goal_chip_hours"] = positive(hours);
    json["goal_cost"] = positive(hours * machine.price_per_chip_hour);
    json["currency"] = machine.currency.empty() ? Json(nullptr) : Json(machine.currency);
    return json;
}

Json json_of(const std::vector<PlanChange>& changes) {
    Json list = Json::array();
    for (const PlanChange& change : changes) {
        Json json{{"what", change.what},
                  {"fits", change.strategy.has_value()},
                  {"step_s", positive(change.step_s)},
                  {"gain", change.strategy ? Json(change.gain) : Json(nullptr)},
                  {"missing_bytes", positive(change.missing_bytes)}};
        json["strategy"] = change.strategy ? json_of(*change.strategy) : Json(nullptr);
        list.push_back(std::move(json));
    }
    return list;
}

Json json_of(const plan::MixedPlan& mixed, const PlanAnswer& answer) {
    Json shares = Json::array();
    for (const plan::MixedPlan::Share& share : mixed.shares) {
        const plan::MixedPart& part = answer.parts[share.part];
        const plan::Prediction& p = share.prediction;
        Json memory = Json::object();
        for (std::size_t i = 0; i < plan::memory_part_count; ++i)
            memory[key_of(name_of(static_cast<plan::MemoryPart>(i)))] = p.memory_bytes[i];
        shares.push_back(
            {{"pool", answer.question.pools[share.part].name},
             {"chips", part.chips},
             {"sequences", share.sequences},
             {"micro_batches", share.micro_batches()},
             {"layers", share.layers},
             {"memory_parts_bytes", std::move(memory)},
             {"memory_bytes", p.memory_total_bytes()},
             {"chip_memory_bytes", part.machine.memory_bytes},
             {"out_of_memory_probability", plan::out_of_memory_probability(p, part.machine)},
             {"text", text_of(share.strategy)},
             {"strategy", json_of(share.strategy)}});
    }
    const plan::Interval interval = plan::interval_of(mixed, answer.question.job, answer.parts);
    return {{"way", name_of(mixed.mix)},
            {"step_s", mixed.step_s},
            {"step_s_low", interval.low_s},
            {"step_s_high", interval.high_s},
            {"interval_causes", interval.causes},
            {"extrapolated", interval.extrapolated},
            {"between_s", mixed.between_s},
            {"tokens_per_s", mixed.tokens_per_s},
            {"out_of_memory_probability", plan::out_of_memory_probability(mixed, answer.parts)},
            {"shares", std::move(shares)}};
}

std::string text_of(const Json& json) {
    return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string plan_json(const PlanAnswer& answer) {
    Json pools = Json::array();
    for (const PoolAnswer& one : answer.pools) {
        const plan::Machine& machine = one.pool.machine;
        const plan::TrainingJob& job = answer.question.job;
        Json json{
            {"pool", one.pool.name}, {"chips", one.pool.chips}, {"machine", json_of(machine)}};
        Json plans = Json::array();
        for (const plan::Plan& best : one.found.plans)
            plans.push_back(json_of(best.strategy, best.prediction, job, machine));
        json["plans"] = std::move(plans);
        json["considered"] = one.found.considered;
        json["predicted"] = one.found.predicted;
        json["search_s"] = one.search_s;
        if (one.left_out) {
            json["left_out"] =
                json_of(one.left_out->strategy, one.left_out->prediction, job, machine);
            if (!one.found.plans.empty())
                json["left_out_gain"] = one.found.plans.front().value / one.left_out->value - 1;
        }
        if (one.found.nearest) {
            const plan::Plan& nearest = *one.found.nearest;
            json["nearest"] = json_of(nearest.strategy, nearest.prediction, job, machine);
            json["missing_bytes"] = one.found.missing_bytes;
        }
        if (one.explanation) {
            json["explanation"] = {{"why", one.explanation->why},
                                   {"limits", one.explanation->limits},
                                   {"tried", json_of(one.explanation->tried)},
                                   {"assumed", one.explanation->assumed}};
        }
        if (!one.would_fit.empty()) json["would_fit"] = json_of(one.would_fit);
        if (!one.scale.empty()) {
            Json scale = Json::array();
            for (const ScalePoint& point : one.scale) {
                Json row{{"chips", point.chips}};
                row["plan"] =
                    point.best ? json_of(point.best->strategy, point.best->prediction, job, machine)
                               : Json(nullptr);
                scale.push_back(std::move(row));
            }
            json["scale"] = std::move(scale);
        }
        pools.push_back(std::move(json));
    }
    Json all{{"job", json_of(answer.question.job)},
             {"objective", name_of(answer.question.search.objective)},
             {"framework", name_of(answer.question.search.base.framework)},
             {"memory_margin", answer.question.search.memory_margin},
             {"notes", answer.question.notes},
             {"pools", std::move(pools)}};
    if (!answer.verdict.empty()) {
        all["mixed"] = {{"verdict", answer.verdict},
                        {"pays", answer.mixed && answer.mixed->pays()},
                        {"ways", Json::array()}};
        if (answer.mixed) {
            for (const auto* way :
                 {&answer.mixed->alone, &answer.mixed->replicas, &answer.mixed->stages}) {
                if (way->has_value()) all["mixed"]["ways"].push_back(json_of(**way, answer));
            }
        }
    }
    return text_of(all);
}

std::string check_json(const CheckAnswer& answer) {
    const plan::PlanFile& file = answer.file;
    Json json{{"job", json_of(file.job)}, {"machine", json_of(file.machine)}};
    json["plan"] = json_of(file.strategy, answer.prediction, file.job, file.machine);
    json["measured_step_s"] = positive(file.measured.step_s);
    json["measured_memory_bytes"] = positive(file.measured.memory_bytes);
    json["notes"] = file.notes;
    if (!answer.read_as.empty()) {
        json["read_as"] = answer.read_as;
        json["not_modelled"] = answer.not_modelled;
        json["not_understood"] = answer.not_understood;
    }
    if (!answer.changes.empty()) json["changes"] = json_of(answer.changes);
    return text_of(json);
}

std::string launch_json(const plan::TrainingJob& job,
                        const plan::Machine& machine,
                        const plan::Plan& chosen,
                        std::string_view framework,
                        const std::string& text) {
    return text_of(Json{{"framework", framework},
                        {"plan", json_of(chosen.strategy, chosen.prediction, job, machine)},
                        {"launch", text}});
}

}  // namespace weir::cli
