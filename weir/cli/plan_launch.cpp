#include "weir/cli/plan_launch.hpp"

#include <fmt/format.h>

#include <algorithm>

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
                                      const plan::Strategy& today) {
    plan::SearchOptions options = plan::options_for(today.framework);
    options.chips = today.chips();
    options.precisions = {today.precision};
    options.base.flash_attention = today.flash_attention;
    options.base.fp32_gradients = today.fp32_gradients;
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
                         const std::vector<plan::Plan>& plans,
                         const PlanOptions& options) {
    WEIR_TRY(const plan::Framework framework, framework_named(options.emit));
    Error first;
    for (const plan::Plan& one : plans) {
        const plan::Launch launch{job, one.strategy, machine.chips_per_node};
        auto text = plan::launch_text(launch, framework);
        if (!text) {
            if (&one == &plans.front()) first = text.error().at("--emit " + options.emit);
            continue;
        }
        if (&one != &plans.front())
            note(fmt::format("not the best plan ({}), which {} cannot run: {}",
                             text_of(plans.front().strategy),
                             options.emit,
                             first.message));
        const plan::Interval interval =
            plan::interval_of(one.prediction, job, machine, one.strategy);
        note(fmt::format("{}: {} a step (90 % between {} and {}), {} of {} a chip",
                         text_of(one.strategy),
                         step_text(one.prediction.step_s),
                         step_text(interval.low_s),
                         step_text(interval.high_s),
                         gib_text(one.prediction.memory_total_bytes()),
                         gib_text(machine.memory_bytes)));
        if (options.json)
            out_json(launch_json(job, machine, one, options.emit, *text));
        else
            out(*text);
        return one.prediction.memory_total_bytes() <= machine.memory_bytes;
    }
    return fail(std::move(first));
}

Result<bool> emit_best(const PlanQuestion& question,
                       const PlanPool& pool,
                       const plan::SearchResult& found,
                       const PlanOptions& options) {
    std::vector<plan::Plan> plans = found.plans;
    const plan::TrainingModel model(question.job, pool.machine);
    plan::SearchOptions search = question.search_on(pool);
    search.top_k = 20;
    const auto more = [&](const plan::SearchOptions& narrower) {
        if (const auto result = plan::search(model, narrower))
            plans.insert(plans.end(), result->plans.begin(), result->plans.end());
    };
    // What frameworks most often lack, taken away step by step.
    search.recompute_selective = false;
    more(search);
    search.recompute_block = false;
    more(search);
    search.cp = {1, 1};
    plan::SearchOptions sharded = search;
    sharded.zero = {3};
    more(sharded);
    search.overlap.param_gather = false;
    more(search);
    std::stable_sort(plans.begin(), plans.end(), [](const plan::Plan& a, const plan::Plan& b) {
        return a.value < b.value;
    });
    return emit_launch(question.job, pool.machine, plans, options);
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
    answer.file.notes = std::move(read.assumed);
    answer.read_as = std::string(name_of(read.framework));
    answer.not_modelled = std::move(read.not_modelled);
    answer.not_understood = std::move(read.not_understood);
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
    answer.changes = single_changes(model, strategy);
    if (auto best = best_of_all(model, strategy))
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
