#include "weir/sim/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/base/digest.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/sim/report_charts.hpp"
#include "weir/sim/report_data.hpp"
#include "weir/sim/report_outcome.hpp"
#include "weir/sim/report_page.hpp"
#include "weir/sim/report_power.hpp"
#include "weir/sim/report_tenants.hpp"
#include "weir/sim/report_waterfall.hpp"
#include "weir/sim/svg.hpp"

namespace weir::sim {
namespace {

constexpr std::size_t bins = 300;
constexpr std::size_t table_rows = 32;
constexpr std::size_t gantt_jobs_max = 300;

std::string subtitle(const Trace& trace,
                     const Simulation& result,
                     const ReportData& data,
                     const std::string& policy) {
    std::string when;
    if (trace.zero_utc) {
        const Time first = *trace.zero_utc + seconds(std::llround(data.series.from_s));
        when = fmt::format(" from {}", format_time(first).substr(0, 10));
    }
    return fmt::format("{} under {} on {}; {}{}",
                       format_count(result.metrics.jobs, "job"),
                       policy_title(policy),
                       machine_text(result.fleet, trace.classic),
                       duration_text(result.metrics.makespan_s),
                       when);
}

class Report {
public:
    Report(const Trace& trace, const Simulation& result, const ReportOptions& options)
        : trace_(trace),
          result_(result),
          options_(options),
          data_(report_data(trace, result, bins)),
          page_(trace.name, subtitle(trace, result, data_, options.policy)) {}

    std::string text() && {
        cards();
        waterfall_section(page_, trace_, result_);
        over_time();
        waits();
        slowdowns();
        promises_section(page_, trace_, result_);
        power_section(page_, trace_, result_, data_);
        interruptions_section(page_, result_);
        if (result_.jobs.size() <= gantt_jobs_max) gantt();
        nodes_section(page_, trace_, result_);
        groups();
        houses_section(page_, result_);
        page_.notes(result_.notes);
        return std::move(page_).finish(foot());
    }

private:
    [[nodiscard]] std::string_view unit() const { return data_.by_chips ? chips_name() : "CPUs"; }
    [[nodiscard]] std::string_view chips_name() const {
        return trace_.classic ? "processors" : "chips";
    }
    void cards();
    void over_time();
    void series(std::string_view title,
                std::string_view what,
                const std::vector<double>& values,
                const SeriesChart& chart);
    void waits();
    void slowdowns();
    void gantt();
    void groups();
    [[nodiscard]] std::string foot() const;

    const Trace& trace_;
    const Simulation& result_;
    const ReportOptions& options_;
    const ReportData data_;
    HtmlPage page_;
};

void Report::cards() {
    const Metrics& m = result_.metrics;
    page_.cards({{format_percent(m.utilisation), "utilisation"},
                 {wait_text(m.wait_mean_s), "mean wait"},
                 {wait_text(m.wait_median_s), "median wait"},
                 {wait_text(m.wait_p95_s), "95 % wait at most"},
                 {number_text(m.bounded_slowdown_mean), "bounded slowdown"},
                 {m.makespan_s < 1000 * 86400.0
                      ? duration_text(m.makespan_s)
                      : format_count(static_cast<std::uint64_t>(m.makespan_s / 86400)) + " d",
                  "makespan"}});
}

void Report::series(std::string_view title,
                    std::string_view what,
                    const std::vector<double>& values,
                    const SeriesChart& chart) {
    page_.section(title, what);
    if (std::all_of(values.begin(), values.end(), [](double value) { return value == 0; })) {
        page_.raw("<p>Never above 0: there is nothing to draw.</p>\n");
        page_.end_section();
        return;
    }
    page_.raw(series_chart(data_.series, values, chart, trace_.zero_utc));
    const std::size_t each = (values.size() + table_rows - 1) / table_rows;
    const std::vector<double> means = coarser(values, each);
    std::vector<Row> rows;
    for (std::size_t i = 0; i < means.size(); ++i) {
        const double begin =
            data_.series.from_s + data_.series.bin_s * static_cast<double>(i * each);
        rows.push_back({trace_.zero_utc
                            ? format_time(*trace_.zero_utc + seconds(std::llround(begin)))
                            : "+" + duration_text(begin),
                        number_text(means[i] * chart.scale) + std::string(chart.unit)});
    }
    page_.twin({"from",
                fmt::format("mean of the next {}",
                            duration_text(data_.series.bin_s * static_cast<double>(each)))},
               rows);
    page_.end_section();
}

void Report::over_time() {
    const TimeSeries& s = data_.series;
    const double percent = s.capacity > 0 ? 100 / s.capacity : 0;
    const double most = *std::max_element(s.busy.begin(), s.busy.end()) * percent;
    series("Utilisation over time",
           fmt::format("Share of the {} {} that ran a job; the dashed line is the mean, {}.",
                       number_text(s.capacity),
                       unit(),
                       format_percent(result_.metrics.utilisation)),
           s.busy,
           {.title = "Utilisation over time",
            .unit = " %",
            .css = "busy",
            .scale = percent,
            .full = most > 20 ? 100.0 : 0.0,
            .mean = s.capacity > 0 ? std::optional(result_.metrics.utilisation * s.capacity)
                                   : std::nullopt});
    if (result_.metrics.wait_max_s == 0 && result_.pauses.empty()) return;
    series("Waiting jobs over time",
           result_.pauses.empty()
               ? "Jobs that were submitted and had not started."
               : "Jobs that were submitted and had not started, or were to begin again.",
           s.waiting_jobs,
           {.title = "Waiting jobs over time", .unit = "", .css = "wait", .mean = {}});
    series(fmt::format("Waiting {} over time", unit()),
           fmt::format("What those jobs asked for; {} are the whole machine.",
                       number_text(s.capacity)),
           s.waiting,
           {.title = "Waiting chips over time", .unit = "", .css = "wait", .mean = {}});
}

void Report::waits() {
    if (result_.metrics.wait_max_s == 0) {
        page_.section("Waiting", "No job waited.");
        page_.end_section();
        return;
    }
    page_.section("Wait by job size",
                  fmt::format("How long jobs of each size waited, by the {} of the whole job. The "
                              "scale is logarithmic above a second.",
                              unit()));
    page_.key({{"background:var(--busy-fill);border:1px solid var(--busy)", "half of the jobs"},
               {"height:3px;background:var(--deep);vertical-align:middle", "median"},
               {"width:9px;height:9px;border-radius:50%;background:var(--accent)",
                "95 % waited at most this long"}});
    page_.raw(waits_chart(data_.sizes, unit()));
    std::vector<Row> rows;
    for (const SizeClass& size : data_.sizes) {
        rows.push_back({size.label,
                        format_count(size.jobs),
                        format_percent(size.work_share),
                        wait_text(size.wait_mean_s),
                        wait_text(size.wait_p25_s),
                        wait_text(size.wait_median_s),
                        wait_text(size.wait_p75_s),
                        wait_text(size.wait_p95_s)});
    }
    page_.twin({std::string(unit()),
                "jobs",
                "share of work",
                "mean wait",
                "25 %",
                "median",
                "75 %",
                "95 %"},
               rows);
    page_.end_section();
}

void Report::slowdowns() {
    page_.section("Bounded slowdown",
                  "(wait + run) / run, with runs below 10 s counted as 10 s and never below 1. The "
                  "curve says which share of the jobs had at most this slowdown.");
    if (data_.slowdowns.front().share >= 1) {
        page_.raw("<p>It is 1 for every job: nobody waited noticeably.</p>\n");
        page_.end_section();
        return;
    }
    page_.raw(slowdown_chart(data_.slowdowns, result_.metrics.bounded_slowdown_mean));
    std::vector<Row> rows;
    std::size_t k = 0;
    for (const double share : {0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0}) {
        while (k + 1 < data_.slowdowns.size() && data_.slowdowns[k].share < share)
            ++k;
        rows.push_back(
            {fmt::format("{:.0f} %", share * 100), number_text(data_.slowdowns[k].slowdown)});
    }
    page_.twin({"share of jobs", "bounded slowdown at most"}, rows);
    page_.end_section();
}

void Report::gantt() {
    const bool again = std::any_of(result_.jobs.begin(),
                                   result_.jobs.end(),
                                   [](const ScheduledJob& job) { return job.attempts > 1; });
    page_.section("Every job",
                  fmt::format("One line a job, in order of submission: thin while it waited, thick "
                              "while it ran{}.",
                              again ? "; of another colour where it had to begin again" : ""));
    if (again) {
        page_.key({{"background:var(--busy)", "one attempt"},
                   {"background:var(--accent)",
                    "from the first to the last of several: ended by a failed node, or stopped "
                    "for others"}});
    }
    page_.raw(gantt_chart(trace_, result_));
    std::vector<Row> rows;
    for (const ScheduledJob& job : result_.jobs) {
        const TraceJob& logged = trace_.jobs[job.trace_job];
        rows.push_back({job.copy == 0 ? logged.id : fmt::format("{}#{}", logged.id, job.copy),
                        number_text(job.chips),
                        std::to_string(job.nodes),
                        duration_text(as_seconds(logged.submitted_at.time_since_epoch())),
                        format_duration(job.start - logged.submitted_at),
                        format_duration(held_by(job, logged).wall),
                        std::to_string(job.attempts)});
    }
    page_.twin(
        {"job", std::string(chips_name()), "nodes", "submitted at", "waited", "ran", "attempts"},
        rows);
    page_.end_section();
}

void Report::groups() {
    if (data_.groups.empty()) return;  // the log names neither groups nor users
    page_.section("Who got what",
                  fmt::format("By {}, most work first{}.",
                              data_.group_kind,
                              result_.books.tenants.size() > 1
                                  ? ": of all that was held, and what of it was not running"
                                  : ""));
    if (result_.books.tenants.size() > 1) page_.raw(tenants_chart(result_.books, 16));
    double work = 0;
    for (const GroupRow& group : data_.groups)
        work += group.chip_hours;
    std::vector<Row> rows;
    for (const GroupRow& group : data_.groups) {
        rows.push_back({group.name,
                        format_count(group.jobs),
                        number_text(group.chip_hours),
                        format_percent(work > 0 ? group.chip_hours / work : 0),
                        wait_text(group.wait_mean_s),
                        wait_text(group.wait_p95_s),
                        number_text(group.slowdown_mean)});
    }
    const std::string hours =
        data_.by_chips ? (trace_.classic ? "processor-hours" : "chip-hours") : "CPU-hours";
    page_.table({data_.group_kind,
                 "jobs",
                 hours,
                 "share",
                 "mean wait",
                 "95 % wait at most",
                 "mean bounded slowdown"},
                rows);
    page_.end_section();
}

std::string Report::foot() const {
    std::string text;
    if (!options_.command.empty()) {
        text = fmt::format("<p>Made by <code>{}</code></p>\n", escaped(options_.command));
    }
    return text +
           fmt::format(
               "<p>{} decisions, digest <code>{}</code>: a replay that prints the same digest took "
               "the same decisions. Wait is first start minus submission; utilisation is what jobs "
               "held over the capacity between the first submission and the last end.</p>\n",
               format_count(result_.metrics.decisions),
               hex_of(result_.metrics.digest));
}

}  // namespace

std::string html_report(const Trace& trace,
                        const Simulation& result,
                        const ReportOptions& options) {
    return Report(trace, result, options).text();
}

}  // namespace weir::sim
