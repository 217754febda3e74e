// `weir plan`: which of its questions was asked, and the answer to it.
#include "weir/cli/plan.hpp"

#include <fmt/format.h>

#include <chrono>

#include "weir/base/text_file.hpp"
#include "weir/base/units.hpp"
#include "weir/base/yaml.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/cli/plan_answer.hpp"
#include "weir/cli/plan_launch.hpp"
#include "weir/cli/plan_question.hpp"
#include "weir/cli/plan_serve.hpp"
#include "weir/cli/print.hpp"
#include "weir/cli/progress.hpp"
#include "weir/plan/interval.hpp"
#include "weir/plan/launch.hpp"
#include "weir/plan/plan_file.hpp"
#include "weir/sim/output_file.hpp"

namespace weir::cli {
namespace {

// --- one configuration ------------------------------------------------------------------------

Result<bool> check_one(const PlanOptions& options) {
    if ((options.risk || options.margin) && !options.explain) {
        return fail(Code::invalid,
                    fmt::format("{}: with --check it is for the changes that --explain tries; give "
                                "that, too",
                                options.risk ? "--risk" : "--margin"));
    }
    WEIR_TRY(const catalog::Catalog catalog, catalog::catalog_with(options.catalogs));
    WEIR_TRY(const std::string text, read_text_file(options.check, yaml::job_limits.bytes_max));
    const std::string source = options.check == "-" ? "standard input" : options.check;
    CheckAnswer answer;
    WEIR_TRY(answer.file, plan::read_plan_text(text, source, catalog, options.model));
    if (const auto far = plan::check_extrapolation(answer.file.job, answer.file.strategy); !far)
        return fail(far.error().at(source));
    const plan::TrainingModel model(answer.file.job, answer.file.machine);
    answer.prediction = model.predict(answer.file.strategy);
    if (options.explain) {
        const plan::Strategy& strategy = answer.file.strategy;
        answer.changes = single_changes(model, strategy, memory_of_changes(answer, options));
        const auto launched =
            plan::launch_arguments({answer.file.job, strategy, 1}, strategy.framework);
        if (!launched)
            answer.file.notes.push_back("no launch says this: " + launched.error().message);
    }
    for (const std::string& sentence : answer.file.notes)
        note(sentence);
    if (!options.emit.empty())
        return emit_launch(answer.file.job, answer.file.machine, answer.file.strategy, options);
    if (options.json)
        out_json(check_json(answer));
    else
        out(check_report_text(answer, output_width()));
    return answer.prediction.memory_total_bytes() <= answer.file.machine.memory_bytes;
}

// --- ranked plans -----------------------------------------------------------------------------

// The best of the plans that the promise about memory leaves out; none where they are no better.
std::optional<plan::Plan> left_out(const plan::TrainingModel& model,
                                   plan::SearchOptions options,
                                   const std::vector<plan::Plan>& kept) {
    if (options.memory_margin <= 0) return std::nullopt;
    options.memory_margin = 0;
    options.top_k = 1;
    if (!kept.empty()) options.better_than = kept.front().value;
    auto found = plan::search(model, options);
    if (!found || found->plans.empty()) return std::nullopt;
    return found->plans.front();
}

Result<void> rank(PoolAnswer& answer, const PlanQuestion& question, bool explained) {
    const plan::TrainingModel model(question.job, answer.pool.machine);
    const auto began = std::chrono::steady_clock::now();
    auto found = plan::search(model, question.search_on(answer.pool));
    if (!found) return fail(found.error().at(answer.pool.name));
    answer.found = std::move(*found);
    answer.left_out = left_out(model, question.search_on(answer.pool), answer.found.plans);
    answer.search_s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    for (const plan::Plan& best : answer.found.plans)
        WEIR_CHECK(plan::check_extrapolation(question.job, best.strategy));
    if (!explained) return {};
    if (answer.found.plans.empty())
        answer.would_fit = what_would_fit(question, answer.pool);
    else
        answer.explanation = explain(question, answer.pool, answer.found);
    return {};
}

// What the pictures of a page need beside the answer.
void picture(PoolAnswer& answer, const PlanQuestion& question) {
    if (answer.found.plans.empty()) return;
    plan::SearchOptions options = question.search_on(answer.pool);
    options.top_k = 400;
    if (auto found = plan::search(plan::TrainingModel(question.job, answer.pool.machine), options))
        answer.space = std::move(found->plans);
    plan::Machine roomy = answer.pool.machine;
    roomy.memory_bytes *= 2.5;
    const auto found = plan::search(plan::TrainingModel(question.job, roomy), options);
    if (!found) return;
    for (const plan::Plan& one : found->plans) {
        if (one.prediction.memory_total_bytes() > answer.pool.machine.memory_bytes)
            answer.space.push_back(one);
    }
}

Result<void> scale(PoolAnswer& answer,
                   const PlanQuestion& question,
                   const std::vector<std::uint64_t>& counts,
                   bool quiet) {
    const plan::TrainingModel model(question.job, answer.pool.machine);
    Progress progress("planning on " + answer.pool.name, counts.size(), "sizes", quiet);
    for (const std::uint64_t chips : counts) {
        plan::SearchOptions options = question.search_on(answer.pool);
        options.chips = chips;
        options.top_k = 1;
        ScalePoint point{chips, std::nullopt};
        // A number of chips that no plan divides is a point without one, and no error.
        if (auto found = plan::search(model, options); found && !found->plans.empty()) {
            point.best = found->plans.front();
            WEIR_CHECK(plan::check_extrapolation(question.job, point.best->strategy));
        }
        answer.scale.push_back(point);
        progress.at(answer.scale.size());
    }
    return {};
}

// From an eighth of the chips to eight times as many.
std::vector<std::uint64_t> counts_around(std::uint64_t chips) {
    std::vector<std::uint64_t> counts;
    for (std::uint64_t part = 8; part >= 2; part /= 2) {
        if (chips % part == 0) counts.push_back(chips / part);
    }
    for (std::uint64_t times = 1; times <= 8; times *= 2)
        counts.push_back(chips * times);
    return counts;
}

// What makes the answer again.
std::string command_of(const PlanOptions& options) {
    std::string command = "weir plan " + shell_quoted(options.model);
    const auto add = [&command](std::string_view option, const std::string& value) {
        if (!value.empty()) command += fmt::format(" {} {}", option, shell_quoted(value));
    };
    std::string chips;
    for (const std::string& one : options.chips)
        chips += (chips.empty() ? "" : ",") + one;
    add("--chips", chips);
    add("--fleet", options.fleet);
    for (const std::string& file : options.catalogs)
        add("--catalog", file);
    if (options.sequence > 0) add("--sequence", std::to_string(options.sequence));
    if (options.global_batch > 0) add("--global-batch", std::to_string(options.global_batch));
    add("--tokens", options.tokens);
    if (options.precision != "bf16") add("--precision", options.precision);
    add("--framework", options.framework);
    if (options.objective != "time") add("--objective", options.objective);
    add("--price", options.price);
    add("--mtbf", options.mtbf);
    if (options.risk) add("--risk", fmt::format("{}", *options.risk));
    if (options.margin) add("--margin", fmt::format("{}", *options.margin));
    add("--scale", options.scale);
    if (options.top != PlanOptions{}.top) add("--top", std::to_string(options.top));
    if (options.explain) command += " --explain";
    return command;
}

Result<bool> answer_plan(const PlanOptions& options) {
    PlanAnswer answer;
    std::vector<std::uint64_t> counts;
    if (!options.scale.empty()) {
        WEIR_TRY(counts, chip_counts(options.scale));
    }
    WEIR_TRY(answer.question, plan_question(options));
    answer.over_chips = !counts.empty();
    if (options.report == "-" && options.json)
        return fail(Code::invalid,
                    "--report -: the page and --json would both be standard output; name a file");
    if (!options.emit.empty() && answer.question.pools.size() > 1)
        return fail(Code::invalid,
                    "--emit: a launch is for one kind of chips; name one in --chips");
    bool fits = false;
    for (const PlanPool& pool : answer.question.pools) {
        PoolAnswer one;
        one.pool = pool;
        if (answer.over_chips) {
            WEIR_CHECK(scale(one, answer.question, counts, options.json));
            for (const ScalePoint& point : one.scale)
                fits = fits || point.best.has_value();
        } else {
            Progress progress("planning on " + pool.name, 0, "plans", options.json);
            WEIR_CHECK(rank(one, answer.question, options.explain));
            fits = fits || !one.found.plans.empty();
            if (!options.report.empty()) {
                picture(one, answer.question);
                WEIR_CHECK(scale(one, answer.question, counts_around(pool.chips), options.json));
            }
        }
        answer.pools.push_back(std::move(one));
    }
    if (answer.pools.size() > 1 && !answer.over_chips) {
        const Progress progress("planning on all together", 0, "plans", options.json);
        WEIR_CHECK(mix(answer));
        fits = fits || (answer.mixed && answer.mixed->best() != nullptr);
    }
    for (const std::string& sentence : answer.question.notes)
        note(sentence);
    if (!options.emit.empty()) {
        const PoolAnswer& one = answer.pools.front();
        if (fits) {
            const plan::Strategy& best = one.found.plans.front().strategy;
            return emit_launch(answer.question.job, one.pool.machine, best, options);
        }
    }
    if (!options.report.empty())
        WEIR_CHECK(sim::write_file(options.report, plan_page(answer, command_of(options))));
    if (options.report != "-") {
        if (options.json)
            out_json(plan_json(answer));
        else
            out(plan_report_text(answer, output_width()));
    }
    if (!options.report.empty() && options.report != "-")
        note("report written to " + options.report);
    return fits;
}

}  // namespace

int plan(const PlanOptions& options) {
    const Result<bool> fits = !options.check.empty()  ? check_one(options)
                              : !options.read.empty() ? read_and_improve(options)
                              : options.serve         ? plan_serving(options)
                                                      : answer_plan(options);
    if (!fits) return report(fits.error());
    return *fits ? status_ok : status_failed;
}

}  // namespace weir::cli
