// `weir plan --report`: the answer as one HTML page.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "weir/base/html.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/plan_answer.hpp"
#include "weir/cli/plan_charts.hpp"
#include "weir/cli/plan_text.hpp"
#include "weir/plan/interval.hpp"
#include "weir/sim/report_page.hpp"

namespace weir::cli {
namespace {

using plan::Plan;
using plan::Prediction;
using sim::HtmlPage;
using sim::Row;

std::string count_text(double value) {
    return format_count(static_cast<std::uint64_t>(std::llround(value)));
}

void headline(HtmlPage& page, const PoolAnswer& answer, const plan::TrainingJob& job) {
    const Plan& best = answer.found.plans.front();
    const plan::Machine& machine = answer.pool.machine;
    const Prediction& p = best.prediction;
    const plan::Interval interval = plan::interval_of(p, job, machine, best.strategy);
    std::vector<std::pair<std::string, std::string>> cards{
        {step_text(p.step_s),
         fmt::format("a step; 90 % between {} and {}",
                     step_text(interval.low_s),
                     step_text(interval.high_s))},
        {count_text(p.tokens_per_s), "tokens a second"},
        {format_percent(p.mfu), "MFU"},
        {gib_text(p.memory_total_bytes()),
         fmt::format("of {} a chip; risk that it is too little: {}",
                     gib_text(machine.memory_bytes),
                     chance_text(plan::out_of_memory_probability(p, machine)))}};
    if (job.tokens > 0) {
        const double seconds = job.tokens / p.tokens_per_s;
        const std::string cost =
            cost_text(machine, static_cast<double>(best.strategy.chips()), seconds);
        cards.emplace_back(
            long_time_text(seconds),
            fmt::format(
                "for {} tokens{}", format_rate(job.tokens, ""), cost.empty() ? "" : ", " + cost));
    }
    page.cards(cards);
}

void time_section(HtmlPage& page, const PoolAnswer& answer) {
    const std::vector<Plan>& plans = answer.found.plans;
    page.section("Where the time of a step goes",
                 "One bar for each plan, the best first. Communication counts as far as it is "
                 "waited for.");
    page.key(term_key(plans));
    page.raw(time_bars(plans));
    Row titles{"plan"};
    for (std::size_t term = 0; term < plan::term_count; ++term)
        titles.emplace_back(name_of(static_cast<plan::Term>(term)));
    titles.emplace_back("step");
    for (const plan::Term term : plan::communication_terms)
        titles.push_back(fmt::format("{}, hidden", name_of(term)));
    std::vector<Row> rows;
    for (const Plan& one : plans) {
        Row row{text_of(one.strategy)};
        for (const double seconds : one.prediction.term_s)
            row.push_back(seconds > 0 ? step_text(seconds) : "");
        row.push_back(step_text(one.prediction.step_s));
        for (const plan::Term term : plan::communication_terms) {
            const double seconds = one.prediction.hidden_at(term);
            row.push_back(seconds > 0 ? step_text(seconds) : "");
        }
        rows.push_back(std::move(row));
    }
    page.twin(titles, rows);
    page.end_section();
}

void memory_section(HtmlPage& page, const PoolAnswer& answer) {
    const std::vector<Plan>& plans = answer.found.plans;
    page.section("What fills the memory",
                 "Of the fullest chip of each plan; the dashed line is what a chip has.");
    page.key(part_key());
    page.raw(memory_bars(plans, answer.pool.machine));
    Row titles{"plan"};
    for (std::size_t part = 0; part < plan::memory_part_count; ++part)
        titles.emplace_back(name_of(static_cast<plan::MemoryPart>(part)));
    titles.emplace_back("all");
    titles.emplace_back("risk");
    std::vector<Row> rows;
    for (const Plan& one : plans) {
        Row row{text_of(one.strategy)};
        for (const double bytes : one.prediction.memory_bytes)
            row.push_back(bytes > 0 ? gib_text(bytes) : "");
        row.push_back(gib_text(one.prediction.memory_total_bytes()));
        row.push_back(
            chance_text(plan::out_of_memory_probability(one.prediction, answer.pool.machine)));
        rows.push_back(std::move(row));
    }
    page.twin(titles, rows);
    page.end_section();
}

void space_section(HtmlPage& page, const PoolAnswer& answer) {
    if (answer.space.size() < 2) return;
    page.section("The space of plans",
                 fmt::format("The best plan of each layout ({} of them, out of {} strategies). "
                             "Large: the best that fits; pale: it does not fit.",
                             format_count(answer.space.size()),
                             count_text(answer.found.considered)));
    page.raw(space_chart(answer.space, answer.found.plans.front().strategy, answer.pool.machine));
    std::vector<Row> rows;
    for (const Plan& one : answer.space) {
        rows.push_back({text_of(one.strategy),
                        format_percent(one.prediction.mfu),
                        gib_text(one.prediction.memory_total_bytes()),
                        step_text(one.prediction.step_s)});
    }
    page.twin({"plan", "MFU", "memory", "step"}, rows);
    page.end_section();
}

void scale_section(HtmlPage& page, const std::vector<PoolAnswer>& pools) {
    const std::string chart = scale_chart(pools);
    if (chart.empty()) return;
    page.section("Over numbers of chips",
                 "The best plan for each number of chips; dashed: as many times the tokens as the "
                 "smallest number would promise.");
    std::vector<std::pair<std::string, std::string>> key;
    for (std::size_t i = 0; i < pools.size(); ++i)
        key.emplace_back(line_colour(i), pools[i].pool.name);
    page.key(key);
    page.raw(chart);
    std::vector<Row> rows;
    for (const PoolAnswer& pool : pools) {
        for (const ScalePoint& point : pool.scale) {
            Row row{fmt::format("{} {}", format_count(point.chips), pool.pool.name)};
            if (point.best) {
                const Prediction& p = point.best->prediction;
                row.insert(row.end(),
                           {step_text(p.step_s),
                            count_text(p.tokens_per_s),
                            format_percent(p.mfu),
                            text_of(point.best->strategy)});
            } else {
                row.insert(row.end(), {"", "", "", "nothing fits"});
            }
            rows.push_back(std::move(row));
        }
    }
    page.twin({"chips", "step", "tokens/s", "MFU", "plan"}, rows);
    page.end_section();
}

void explanation_section(HtmlPage& page, const Explanation& explanation) {
    page.section("Why, and what would help", "Each change was asked of the planner again.");
    page.raw("<ul>\n");
    for (const auto* list : {&explanation.why, &explanation.limits}) {
        for (const std::string& sentence : *list)
            page.add("<li>{}</li>\n", escaped(sentence));
    }
    page.raw("</ul>\n");
    std::vector<Row> rows;
    for (const PlanChange& change : explanation.tried) {
        rows.push_back({change.what,
                        change.step_s > 0 ? step_text(change.step_s) : "",
                        change.strategy ? fmt::format("{:+.1f} %", 100 * change.gain) : "",
                        change.strategy ? text_of(*change.strategy) : "does not fit"});
    }
    page.table({"tried", "step", "gain", "plan then"}, rows);
    page.end_section();
}

}  // namespace

std::string plan_page(const PlanAnswer& answer, const std::string& command) {
    const plan::TrainingJob& job = answer.question.job;
    const plan::Precision precision = answer.question.precision;
    HtmlPage page(job.model.name, job_line(job, precision), "weir plan");
    for (const PoolAnswer& pool : answer.pools) {
        if (pool.found.plans.empty()) continue;
        const Plan& best = pool.found.plans.front();
        page.add("<h2>{}</h2>\n<p>{}</p>\n",
                 escaped(text_of(best.strategy)),
                 escaped(machine_line(pool.pool.machine, pool.pool.chips)));
        headline(page, pool, job);
        time_section(page, pool);
        memory_section(page, pool);
        space_section(page, pool);
        if (pool.explanation) explanation_section(page, *pool.explanation);
    }
    if (!answer.verdict.empty()) {
        page.section("All together", escaped(answer.verdict) + ".");
        for (const MixedTable& table : mixed_tables(answer)) {
            Row titles;
            for (const Column& column : table.columns)
                titles.push_back(column.title);
            page.table(titles, table.rows);
        }
        page.end_section();
    }
    scale_section(page, answer.pools);
    std::string foot;
    for (const PoolAnswer& pool : answer.pools) {
        if (pool.found.plans.empty()) continue;
        const Plan& best = pool.found.plans.front();
        foot +=
            fmt::format("<p>{}.</p>\n",
                        escaped(mfu_sentence(best.prediction, pool.pool.machine, best.strategy)));
        const plan::Interval interval =
            plan::interval_of(best.prediction, job, pool.pool.machine, best.strategy);
        for (const std::string& cause : interval.causes)
            foot += fmt::format("<p>The interval is wider: {}.</p>\n", escaped(cause));
    }
    foot += fmt::format("<p>weir {} \u00b7 <code>{}</code></p>\n", version, escaped(command));
    return std::move(page).finish(foot);
}

}  // namespace weir::cli
