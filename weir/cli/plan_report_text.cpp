// `weir plan` on a terminal.
#include <fmt/format.h>

#include <cmath>

#include "weir/base/text_table.hpp"
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
    std::vector<Column> columns{
        {"chips", true}, {"step", true}, {"tokens/s", true}, {"of linear", true}, {"MFU", true}};
    columns.push_back({goal ? "to the goal" : "", true});
    columns.push_back(
        {goal ? machine.currency.empty() ? "chip-hours" : "cost" : "chip-hours for 1e9 tokens",
         true});
    columns.push_back({"plan", false, true});
    TextTable table(columns);
    double first = 0;  // tokens a second of one chip, at the smallest number that works
    for (const ScalePoint& point : answer.scale) {
        if (!point.best) {
            table.row({format_count(point.chips), "-", "-", "-", "-", "-", "-", "nothing fits"});
            continue;
        }
        const Prediction& p = point.best->prediction;
        const auto used = static_cast<double>(point.best->strategy.chips());
        const auto chips = static_cast<double>(point.chips);
        if (first == 0) first = p.tokens_per_s / chips;
        const double seconds = (goal ? job.tokens : 1e9) / p.tokens_per_s;
        std::string cost = cost_text(machine, used, seconds);
        if (cost.empty() || !goal) {
            const double hours = seconds * used / 3600;
            cost = hours < 100 ? fmt::format("{:.1f}", hours)
                               : format_count(static_cast<std::uint64_t>(std::llround(hours)));
        }
        table.row({format_count(point.chips),
                   step_text(p.step_s),
                   format_count(static_cast<std::uint64_t>(std::llround(p.tokens_per_s))),
                   format_percent(p.tokens_per_s / chips / first),
                   format_percent(p.mfu),
                   goal ? long_time_text(seconds) : "",
                   cost,
                   text_of(point.best->strategy)});
    }
    return table.text(width);
}

std::string nothing_fits(const PoolAnswer& answer, std::size_t width) {
    const plan::SearchResult& found = answer.found;
    std::string text;
    if (found.nearest) {
        text += line(fmt::format("nothing fits: of {} strategies the leanest ({}) needs {} of the "
                                 "{} of a chip, {} too much",
                                 format_count(static_cast<std::uint64_t>(found.considered)),
                                 text_of(found.nearest->strategy),
                                 gib_text(found.nearest->prediction.memory_total_bytes()),
                                 gib_text(answer.pool.machine.memory_bytes),
                                 gib_text(found.missing_bytes)),
                     width);
        text += "\n" + memory_table(found.nearest->prediction, answer.pool.machine, width);
    }
    if (!answer.would_fit.empty()) {
        text += "\n" + paint("what would make it fit, each tried", Tone::strong) + "\n";
        text += changes_table(answer.would_fit, width);
    }
    return text;
}

std::string pool_text(const PoolAnswer& answer,
                      const plan::TrainingJob& job,
                      plan::Precision asked,
                      std::size_t width) {
    const plan::Machine& machine = answer.pool.machine;
    std::string text = line(machine_line(machine, answer.pool.chips), width) + "\n";
    if (answer.found.plans.empty()) return text + nothing_fits(answer, width);
    const plan::Plan& best = answer.found.plans.front();
    text += plans_table(answer.found.plans, job, machine, asked, width) + "\n";
    text += details(job, machine, best.strategy, best.prediction, width);
    text += line(risk_sentence(plan::out_of_memory_probability(best.prediction, machine)), width);
    text += line(fmt::format("{} strategies, {} of them predicted one by one, {}",
                             format_count(static_cast<std::uint64_t>(answer.found.considered)),
                             format_count(static_cast<std::uint64_t>(answer.found.predicted)),
                             step_text(answer.search_s)),
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
    std::string text = paint(job_line(job, answer.question.precision), Tone::strong) + "\n";
    bool first = true;
    for (const PoolAnswer& one : answer.pools) {
        if (!first) text += "\n";
        first = false;
        if (!answer.over_chips) {
            text += pool_text(one, job, answer.question.precision, width);
        } else {
            const std::string& chip = one.pool.machine.chip_name;
            text +=
                line(one.pool.name == chip ? chip : fmt::format("{}, pool {}", chip, one.pool.name),
                     width);
            text += "\n" + scale_table(one, job, width);
        }
    }
    if (!answer.verdict.empty()) text += "\n" + mixed_text(answer, width);
    return text;
}

std::string check_report_text(const CheckAnswer& answer, std::size_t width) {
    const plan::PlanFile& file = answer.file;
    const Prediction& p = answer.prediction;
    std::string text = paint(job_line(file.job, file.strategy.precision), Tone::strong) + "\n";
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
        text += line(
            measured_line(
                "a step took", step_text(file.measured.step_s), p.step_s / file.measured.step_s),
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
