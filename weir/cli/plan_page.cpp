// `weir plan --report`: the answer as one HTML page.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "weir/base/html.hpp"
#include "weir/base/seconds.hpp"
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

// Plans are long: that of the last column stands below what the row is about.
void table_of_plans(HtmlPage& page, Row titles, const std::vector<Row>& rows) {
    titles.pop_back();
    std::vector<Row> made;
    for (const Row& row : rows) {
        Row cells;
        for (const std::string& cell : row)
            cells.push_back(escaped(cell));
        if (!cells.back().empty()) cells.front() += "<br><small>" + cells.back() + "</small>";
        cells.pop_back();
        made.push_back(std::move(cells));
    }
    page.html_table(titles, made);
}

void headline(HtmlPage& page, const PoolAnswer& answer, const plan::TrainingJob& job) {
    const Plan& best = answer.found.plans.front();
    const plan::Machine& machine = answer.pool.machine;
    const Prediction& p = best.prediction;
    const plan::Interval interval = plan::interval_of(p, job, machine, best.strategy);
    std::vector<std::pair<std::string, std::string>> cards{
        {format_seconds(p.step_s),
         fmt::format("a step; 90 % between {} and {}",
                     format_seconds(interval.low_s),
                     format_seconds(interval.high_s))},
        {number_text(p.tokens_per_s), "tokens a second"},
        {format_percent(p.mfu), "MFU"},
        {gib_text(p.memory_total_bytes()),
         fmt::format("of {} a chip; risk that it is too little: {}",
                     gib_text(machine.memory_bytes),
                     chance_text(plan::out_of_memory_probability(p, machine)))}};
    if (job.tokens > 0) {
        const double seconds = seconds_to(job.tokens, job, machine, best.strategy, p);
        const std::string cost =
            cost_text(machine, static_cast<double>(best.strategy.chips()), seconds);
        cards.emplace_back(
            long_time_text(seconds),
            fmt::format(
                "for {} tokens{}", large_text(job.tokens), cost.empty() ? "" : ", " + cost));
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
            row.push_back(seconds > 0 ? format_seconds(seconds) : "");
        row.push_back(format_seconds(one.prediction.step_s));
        for (const plan::Term term : plan::communication_terms) {
            const double seconds = one.prediction.hidden_at(term);
            row.push_back(seconds > 0 ? format_seconds(seconds) : "");
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
    page.section(
        "The space of plans",
        fmt::format("MFU and memory of a chip: the best plan of each layout ({} of them, "
                    "out of {} strategies). Large: the best of all; pale: it does not fit.",
                    format_count(answer.space.size()),
                    number_text(answer.found.considered)));
    page.raw(space_chart(answer.space, answer.found.plans.front().strategy, answer.pool.machine));
    std::vector<Row> rows;
    for (const Plan& one : answer.space) {
        rows.push_back({text_of(one.strategy),
                        format_percent(one.prediction.mfu),
                        gib_text(one.prediction.memory_total_bytes()),
                        format_seconds(one.prediction.step_s)});
    }
    page.twin({"plan", "MFU", "memory", "step"}, rows);
    page.end_section();
}

void scale_section(HtmlPage& page, const std::vector<PoolAnswer>& pools) {
    const std::string chart = scale_chart(pools);
    if (chart.empty()) return;
    page.section("Over numbers of chips",
                 "Tokens a second of the best plan for each number of chips; dashed: as many times "
                 "those of the smallest number.");
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
                           {format_seconds(p.step_s),
                            number_text(p.tokens_per_s),
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
                        change.step_s > 0 ? format_seconds(change.step_s) : "",
                        change.strategy ? fmt::format("{:+.1f} %", 100 * change.gain) : "",
                        change.strategy ? text_of(*change.strategy) : "does not fit"});
    }
    table_of_plans(page, {"tried, and the plan then", "step", "gain", "plan"}, rows);
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
            if (table.columns.back().elastic)
                table_of_plans(page, titles, table.rows);
            else
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
    if (const std::string promise = answer.question.memory.text(); !promise.empty())
        foot += fmt::format("<p>Plans {}.</p>\n", escaped(promise));
    for (const std::string& sentence : answer.question.notes)
        foot += fmt::format("<p>{}.</p>\n", escaped(sentence));
    foot += fmt::format("<p>weir {} \u00b7 <code>{}</code></p>\n", version, escaped(command));
    return std::move(page).finish(foot);
}

}  // namespace weir::cli
