// `weir plan` on a terminal.
#include <fmt/format.h>

#include <cmath>

#include "weir/base/seconds.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/plan_answer.hpp"
#include "weir/cli/plan_text.hpp"
#include "weir/cli/print.hpp"
#include "weir/plan/interval.hpp"

namespace weir::cli {
namespace {

using plan::Interval;
using plan::Prediction;

std::string line(const std::string& text, std::size_t width) {
    return text.empty() ? "" : wrapped(text, 0, width) + "\n";
}

// Everything about one prediction, below its headline.
std::string details(const plan::TrainingJob& job,
                    const plan::Machine& machine,
                    const plan::Strategy& strategy,
                    const Prediction& prediction,
                    std::size_t width) {
    std::string text = line(whole_text(strategy), width) + "\n";
    text += time_table(prediction, width) + "\n";
    text += memory_table(prediction, machine, width) + "\n";
    text += line(goal_sentence(job, machine, strategy, prediction), width);
    text += line(mfu_sentence(prediction, machine, strategy), width);
    const Interval interval = plan::interval_of(prediction, job, machine, strategy);
    text +=
        line(machine.chip.fitted
                 ? fmt::format("90 % of such runs take so long; errors are {:.0f} % (standard "
                               "deviation) on {}",
                               100 * interval.spread,
                               machine.chip.source)
                 : fmt::format("90 % of such runs take so long, if errors are {:.0f} % (standard "
                               "deviation)",
                               100 * interval.spread),
             width);
    for (const std::string& cause : interval.causes)
        text += line("the interval is wider: " + cause, width);
    return text;
}

std::string scale_table(const PoolAnswer& answer, const plan::TrainingJob& job, std::size_t width) {
    const plan::Machine& machine = answer.pool.machine;
    const bool goal = job.tokens > 0;
    const bool priced = machine.price_per_chip_hour > 0;
    std::vector<Column> columns{
        {"chips", true}, {"step", true}, {"tokens/s", true}, {"of linear", true}, {"MFU", true}};
    if (goal) columns.push_back({"to the goal", true});
    columns.push_back(
        {fmt::format("{}{}", priced ? "cost" : "chip-hours", goal ? "" : " of 1 B tokens"), true});
    const std::size_t plan_at = columns.size();
    PlanRows table(std::move(columns), plan_at, "plan");
    double first = 0;  // tokens a second of one chip, at the smallest number that works
    for (const ScalePoint& point : answer.scale) {
        if (!point.best) {
            std::vector<std::string> cells(plan_at, "-");
            cells.front() = format_count(point.chips);
            table.row(std::move(cells), "nothing fits");
            continue;
        }
        const Prediction& p = point.best->prediction;
        const auto used = static_cast<double>(point.best->strategy.chips());
        const auto chips = static_cast<double>(point.chips);
        if (first == 0) first = p.tokens_per_s / chips;
        const double seconds =
            seconds_to(goal ? job.tokens : 1e9, job, machine, point.best->strategy, p);
        std::string cost = cost_text(machine, used, seconds);
        if (cost.empty()) cost = number_text(seconds * used / 3600);
        std::vector<std::string> cells{format_count(point.chips),
                                       format_seconds(p.step_s),
                                       number_text(p.tokens_per_s),
                                       format_percent(p.tokens_per_s / chips / first),
                                       format_percent(p.mfu)};
        if (goal) cells.push_back(long_time_text(seconds));
        cells.push_back(std::move(cost));
        table.row(std::move(cells), text_of(point.best->strategy));
    }
    return table.text(width);
}

// What the promise about memory cost, and how to have it.
std::string left_out_text(const PoolAnswer& answer,
                          const PlanQuestion& question,
                          std::size_t width) {
    if (!answer.left_out) return "";
    const plan::Machine& machine = answer.pool.machine;
    const plan::Plan& out = *answer.left_out;
    const std::string gain =
        answer.found.plans.empty()
            ? fmt::format("would take {}", format_seconds(out.prediction.step_s))
            : fmt::format("would gain {} of {}",
                          format_percent(1 - out.value / answer.found.plans.front().value),
                          name_of(question.search.objective));
    return line(fmt::format("left out, to {}: {} {} at a risk of {}; {} takes it",
                            question.memory.text(),
                            text_of(out.strategy),
                            gain,
                            chance_text(plan::out_of_memory_probability(out.prediction, machine)),
                            question.memory.option_for(out.prediction, machine)),
                width);
}

std::string nothing_fits(const PoolAnswer& answer,
                         const PlanQuestion& question,
                         std::size_t width) {
    const plan::SearchResult& found = answer.found;
    std::string text;
    if (found.nearest) {
        const std::string promise = question.memory.text();
        text += line(
            fmt::format("nothing fits: the leanest strategy ({}), of {} in all, needs {} of the "
                        "{} of a chip, {} too much{}",
                        text_of(found.nearest->strategy),
                        format_count(static_cast<std::uint64_t>(found.considered)),
                        gib_text(found.nearest->prediction.memory_total_bytes()),
                        gib_text(answer.pool.machine.memory_bytes),
                        gib_text(found.missing_bytes),
                        promise.empty() ? "" : " to " + promise),
            width);
        text += left_out_text(answer, question, width);
        text += "\n" + memory_table(found.nearest->prediction, answer.pool.machine, width);
    }
    if (!answer.would_fit.empty()) {
        text += "\n" + paint("what would make it fit, each tried", Tone::strong) + "\n";
        text += changes_table(answer.would_fit, width);
    } else {
        text += "\n" + line("--explain tries what would make it fit", width);
    }
    return text;
}

std::string pool_text(const PoolAnswer& answer, const PlanQuestion& question, std::size_t width) {
    const plan::TrainingJob& job = question.job;
    const plan::Machine& machine = answer.pool.machine;
    std::string text = line(machine_line(machine, answer.pool.chips), width) + "\n";
    if (answer.found.plans.empty()) return text + nothing_fits(answer, question, width);
    const plan::Plan& best = answer.found.plans.front();
    text += plans_table(answer.found.plans, job, machine, question.precision, width) + "\n";
    text += details(job, machine, best.strategy, best.prediction, width);
    text += left_out_text(answer, question, width);
    text += line(fmt::format("strategies in the space of {}: {}; predicted one by one: {}; in {}",
                             name_of(question.search.base.framework),
                             format_count(static_cast<std::uint64_t>(answer.found.considered)),
                             format_count(static_cast<std::uint64_t>(answer.found.predicted)),
                             format_seconds(answer.search_s)),
                 width);
    if (answer.explanation) text += "\n" + explanation_text(*answer.explanation, width);
    return text;
}

std::string measured_line(std::string_view what,
                          const std::string& measured,
                          double predicted_over_measured) {
    return fmt::format("measured: {} {}; the prediction is {:.1f} % {}",
                       what,
                       measured,
                       100 * std::abs(predicted_over_measured - 1),
                       predicted_over_measured >= 1 ? "above" : "below");
}

}  // namespace

std::string plan_report_text(const PlanAnswer& answer, std::size_t width) {
    const plan::TrainingJob& job = answer.question.job;
    std::string text =
        paint(wrapped(job_line(job, answer.question.precision), 0, width), Tone::strong) + "\n";
    bool first = true;
    for (const PoolAnswer& one : answer.pools) {
        if (!first) text += "\n";
        first = false;
        if (!answer.over_chips) {
            text += pool_text(one, answer.question, width);
        } else {
            const std::string& chip = one.pool.machine.chip_name;
            text +=
                line(one.pool.name == chip ? chip : fmt::format("{}, pool {}", chip, one.pool.name),
                     width);
            text += "\n" + scale_table(one, job, width);
            if (const std::string promise = answer.question.memory.text(); !promise.empty())
                text += "\n" + line("plans " + promise, width);
        }
    }
    if (!answer.verdict.empty()) text += "\n" + mixed_text(answer, width);
    return text;
}

std::string check_report_text(const CheckAnswer& answer, std::size_t width) {
    const plan::PlanFile& file = answer.file;
    const Prediction& p = answer.prediction;
    std::string text =
        paint(wrapped(job_line(file.job, file.strategy.precision), 0, width), Tone::strong) + "\n";
    if (!answer.read_as.empty()) text += line("a launch of " + answer.read_as, width);
    text += line(machine_line(file.machine, file.strategy.chips()), width) + "\n";
    text += plans_table({{file.strategy, p, p.step_s}},
                        file.job,
                        file.machine,
                        file.strategy.precision,
                        width) +
            "\n";
    text += details(file.job, file.machine, file.strategy, p, width);
    if (file.measured.step_s > 0) {
        text += line(measured_line("a step took",
                                   format_seconds(file.measured.step_s),
                                   p.step_s / file.measured.step_s),
                     width);
    }
    if (file.measured.memory_bytes > 0) {
        text += line(measured_line("a chip held",
                                   gib_text(file.measured.memory_bytes),
                                   p.memory_allocated_bytes() / file.measured.memory_bytes) +
                         ", without the reserve",
                     width);
    }
    if (!answer.changes.empty()) {
        text += "\n" + paint("changes, each tried, the best first", Tone::strong) + "\n";
        text += changes_table(answer.changes, width);
    }
    return text;
}

}  // namespace weir::cli
