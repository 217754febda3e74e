#include "weir/cli/plan_launch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "weir/base/seconds.hpp"
#include "weir/base/text_file.hpp"
#include "weir/base/units.hpp"
#include "weir/base/yaml.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/cli/plan_answer.hpp"
#include "weir/cli/plan_question.hpp"
#include "weir/cli/plan_text.hpp"
#include "weir/cli/print.hpp"
#include "weir/plan/interval.hpp"
#include "weir/plan/launch.hpp"

namespace weir::cli {
namespace {

Result<plan::Framework> framework_named(std::string_view name) {
    for (const auto framework : {plan::Framework::megatron_lm,
                                 plan::Framework::deepspeed,
                                 plan::Framework::mindspeed,
                                 plan::Framework::torchtitan}) {
        if (name_of(framework) == name) return framework;
    }
    return fail(Code::invalid, fmt::format("--emit: '{}' is no framework", name));
}

// Everything at once: the best plan of the same framework, precision, job and chips.
std::optional<PlanChange> best_of_all(const plan::TrainingModel& model,
                                      const plan::Strategy& today,
                                      double memory_max_bytes) {
    plan::SearchOptions options = plan::options_for(today.framework, model.job().model);
    options.chips = today.chips();
    options.precisions = {today.precision};
    options.base.flash_attention = today.flash_attention;
    options.base.fp32_gradients = today.fp32_gradients;
    options.base.cuda_graphs = today.cuda_graphs;
    options.memory_margin = 1 - memory_max_bytes / model.machine().memory_bytes;
    options.top_k = 1;
    const auto found = plan::search(model, options);
    if (!found || found->plans.empty()) return std::nullopt;
    const plan::Plan& best = found->plans.front();
    PlanChange change;
    change.what = "everything at once: the best plan there is";
    change.strategy = best.strategy;
    change.step_s = best.prediction.step_s;
    change.gain = model.predict(today).step_s / best.prediction.step_s - 1;
    return change;
}

}  // namespace

Result<bool> emit_launch(const plan::TrainingJob& job,
                         const plan::Machine& machine,
                         const plan::Strategy& chosen,
                         const PlanOptions& options) {
    WEIR_TRY(const plan::Framework framework, framework_named(options.emit));
    auto text = plan::launch_text({job, chosen, machine.chips_per_node}, framework);
    if (!text) {
        // Most refusals begin with the name of the framework.
        const std::string& why = text.error().message;
        return fail(
            text.error().at(why.rfind(options.emit, 0) == 0 ? "--emit" : "--emit " + options.emit));
    }
    // What is announced is what was written: a plan of another framework runs as this one does.
    const plan::Strategy strategy = plan::as_launched(chosen, job, framework);
    const plan::Prediction prediction = plan::TrainingModel(job, machine).predict(strategy);
    if (chosen.framework != framework) {
        note(
            fmt::format("the plan is for {}; this is how it starts in {}, and what it takes there:",
                        name_of(chosen.framework),
                        name_of(framework)));
    }
    const plan::Interval interval = plan::interval_of(prediction, job, machine, strategy);
    note(fmt::format("{}: {} a step (90 % between {} and {}), {} of {} a chip",
                     text_of(strategy),
                     format_seconds(prediction.step_s),
                     format_seconds(interval.low_s),
                     format_seconds(interval.high_s),
                     gib_text(prediction.memory_total_bytes()),
                     gib_text(machine.memory_bytes)));
    if (options.json)
        out_json(launch_json(
            job, machine, {strategy, prediction, prediction.step_s}, options.emit, *text));
    else
        out(*text);
    return prediction.memory_total_bytes() <= machine.memory_bytes;
}

double memory_of_changes(const CheckAnswer& answer, const PlanOptions& options) {
    const double promised = answer.file.machine.memory_bytes * (1 - memory_promise(options).margin);
    return std::max(promised, answer.prediction.memory_total_bytes());
}

Result<bool> read_and_improve(const PlanOptions& options) {
    if (options.chips.size() != 1) {
        return fail(Code::invalid,
                    "--read: say in --chips on which chips it runs, as h100-sxm-80g; how many the "
                    "launch says itself");
    }
    WEIR_TRY(const std::string text, read_text_file(options.read, yaml::job_limits.bytes_max));
    const std::string source = options.read == "-" ? "standard input" : options.read;
    WEIR_TRY(const std::vector<PlanPool> pools, plan_pools(options));
    const PlanPool& pool = pools.front();
    plan::LaunchHints hints;
    hints.chips = pool.chips;
    hints.chips_per_node = pool.machine.chips_per_node;
    hints.sequence = options.sequence;
    if (!options.model.empty()) {
        WEIR_TRY(hints.model, plan_model(options.model));
    }
    WEIR_TRY(plan::ReadLaunch read, plan::read_launch(text, source, hints));
    CheckAnswer answer;
    answer.file.job = read.launch.job;
    answer.file.strategy = read.launch.strategy;
    answer.file.machine = pool.machine;
    catalog::Model& model_read = answer.file.job.model;
    if (model_read.name == source)
        model_read.name = std::filesystem::path(source).filename().string();
    const auto widths = [](const catalog::Model& one) {
        return std::tie(one.layers, one.hidden, one.heads, one.kv_heads, one.ffn);
    };
    if (hints.model && widths(*hints.model) != widths(model_read)) {
        note(fmt::format("{}: the launch says the shape of its model itself, and that counts",
                         options.model));
    }
    answer.file.notes = std::move(read.assumed);
    answer.read_as = std::string(name_of(read.framework));
    answer.not_modelled = std::move(read.not_modelled);
    answer.not_understood = std::move(read.not_understood);
    if (answer.file.strategy.deepep && !pool.machine.deepep) {
        answer.file.strategy.deepep = false;
        answer.not_modelled.push_back(
            fmt::format("--moe-token-dispatcher-type flex: DeepEP does not run on {}; taken as "
                        "alltoall",
                        pool.machine.chip_name));
    }
    const plan::Strategy& strategy = answer.file.strategy;
    if (pool.chips > 0 && strategy.chips() != pool.chips) {
        note(fmt::format("--chips {}: the launch is for {} chips, and is predicted on those",
                         options.chips.front(),
                         format_count(strategy.chips())));
    }
    if (pool.machine.peak(strategy.precision) <= 0) {
        return fail(Code::invalid,
                    fmt::format("{}: it computes in {}, and {} has no units for it",
                                source,
                                name_of(strategy.precision),
                                pool.machine.chip_name));
    }
    if (const auto sound = plan::check(strategy, answer.file.job, strategy.chips()); !sound)
        return fail(sound.error().at(source));
    if (const auto far = plan::check_extrapolation(answer.file.job, strategy); !far)
        return fail(far.error().at(source));
    const plan::TrainingModel model(answer.file.job, answer.file.machine);
    answer.prediction = model.predict(strategy);
    const double memory_max_bytes = memory_of_changes(answer, options);
    answer.changes = single_changes(model, strategy, memory_max_bytes);
    if (auto best = best_of_all(model, strategy, memory_max_bytes))
        answer.changes.insert(answer.changes.begin(), std::move(*best));
    for (const std::string& sentence : answer.file.notes)
        note("assumed: " + sentence);
    for (const std::string& sentence : answer.not_modelled)
        note("not modelled: " + sentence);
    for (const std::string& sentence : answer.not_understood)
        note("not understood: " + sentence);
    if (options.json)
        out_json(check_json(answer));
    else
        out(check_report_text(answer, output_width()));
    return answer.prediction.memory_total_bytes() <= answer.file.machine.memory_bytes;
}

}  // namespace weir::cli
