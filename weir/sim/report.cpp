#include "weir/sim/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/base/digest.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/sim/report_charts.hpp"
#include "weir/sim/report_data.hpp"
#include "weir/sim/svg.hpp"

namespace weir::sim {
namespace {

constexpr std::size_t bins = 300;
constexpr std::size_t table_rows = 32;
constexpr std::size_t gantt_jobs_max = 300;

// Water: deep where work is done, sand where it waits. Contrast of text is at least 4.5 : 1 on
// both grounds.
constexpr std::string_view style = R"css(
:root{color-scheme:light dark;--ground:#f3f8fa;--card:#fff;--ink:#12303f;--soft:#4d6b7a;--line:#d9e6ec;
--grid:#e6eff3;--busy:#1f7fae;--busy-fill:#a9d4e8;--wait:#b3762a;--wait-fill:#f0d7b0;--deep:#0b4f73;--accent:#c2571a}
@media (prefers-color-scheme:dark){:root{--ground:#0b171e;--card:#11222c;--ink:#e0eef4;--soft:#93b1bf;--line:#213945;
--grid:#1b313c;--busy:#5db8e0;--busy-fill:#1d4c64;--wait:#e0ac62;--wait-fill:#57431f;--deep:#a5dcf4;--accent:#f0935a}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif}
main{max-width:1060px;margin:0 auto;padding:36px 20px 60px}
header p{margin:0;color:var(--soft)}
h1{margin:2px 0 4px;font-size:30px;line-height:1.2;font-weight:650;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{margin:0 0 2px;font-size:18px;font-weight:650}
.brand{font-size:13px;letter-spacing:.08em;text-transform:uppercase;color:var(--busy)!important;font-weight:650}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:26px 0 22px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px}
.card b{display:block;font-size:22px;white-space:nowrap;line-height:1.2;font-weight:650;color:var(--deep);font-variant-numeric:tabular-nums}
.card span{font-size:13px;color:var(--soft)}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px 14px;margin:0 0 18px;break-inside:avoid}
section{overflow-x:auto}section>p{margin:0 0 10px;color:var(--soft);max-width:78ch}
svg{display:block;width:100%;min-width:640px;height:auto;font:12.5px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif}
.grid{stroke:var(--grid);stroke-width:1}.base{stroke:var(--soft);stroke-width:1}
.label{fill:var(--soft);font-variant-numeric:tabular-nums}.faint{fill:var(--soft);opacity:.75;font-size:11.5px}
.note{fill:var(--ink);paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}
.end{text-anchor:end}.middle{text-anchor:middle}
.fill-busy{fill:var(--busy-fill)}.line-busy{fill:none;stroke:var(--busy);stroke-width:1.5}
.fill-wait{fill:var(--wait-fill)}.line-wait{fill:none;stroke:var(--wait);stroke-width:1.5}
.mean{stroke:var(--ink);stroke-width:1.2;stroke-dasharray:5 4;opacity:.75}
.box{fill:var(--busy-fill);stroke:var(--busy);stroke-width:1}.median{stroke:var(--deep);stroke-width:2.5}
.whisker{stroke:var(--busy);stroke-width:1.2}.p95{fill:var(--accent)}
.hover{fill:var(--ink);opacity:0}.hover:hover{opacity:.07}
.gantt-wait{stroke:var(--wait);stroke-width:1.3;opacity:.8}.gantt-run{fill:var(--busy)}.gantt-run:hover{fill:var(--accent)}
.key{display:flex;flex-wrap:wrap;gap:4px 18px;margin:0 0 6px;font-size:13px;color:var(--soft)}
.key i{display:inline-block;width:13px;height:11px;border-radius:2px;margin-right:6px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{padding:5px 12px 5px 0;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap}
th{font-weight:600;color:var(--soft);border-bottom-color:var(--line)}
th:first-child,td:first-child{text-align:left}
details{margin-top:8px;font-size:14px}summary{cursor:pointer;color:var(--soft)}summary:hover{color:var(--busy)}
ul{margin:6px 0;padding-left:20px}code{font:13px ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
footer{color:var(--soft);font-size:13px;margin-top:26px}footer p{margin:4px 0;max-width:92ch}
@media print{:root{--ground:#fff;--card:#fff;--ink:#12303f;--soft:#4d6b7a;--line:#d9e6ec;--grid:#e6eff3;--busy:#1f7fae;
--busy-fill:#a9d4e8;--wait:#b3762a;--wait-fill:#f0d7b0;--deep:#0b4f73;--accent:#c2571a}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}main{padding:0;max-width:none}details:not([open]){display:none}
section,.card{border-color:#ccd9df}}
)css";

using Row = std::vector<std::string>;

std::string duration_text(double value_s) {
    return format_duration(seconds(std::llround(value_s)));
}

// Seconds where they are few, else as people say it.
std::string wait_text(double value_s) {
    return value_s > 0 && value_s < 10 ? fmt::format("{:.1f}s", value_s) : duration_text(value_s);
}

std::string policy_title(const std::string& policy) {
    if (policy == "easy") return "EASY backfill";
    if (policy == "fcfs") return "strict first come, first served";
    return policy;
}

// "2,064 nodes without chips + 50 nodes with 2 V100M16 each": pools of one kind together.
std::string machine_text(const fleet::Fleet& fleet, bool classic) {
    if (classic)
        return format_count(std::max(fleet.chips_total(), fleet.nodes_total())) + " processors";
    std::map<std::pair<std::string, std::uint32_t>, std::uint64_t> kinds;
    for (const fleet::Pool& pool : fleet.pools)
        kinds[{pool.chip, pool.chips_per_node}] += pool.nodes;
    std::string text;
    for (const auto& [kind, nodes] : kinds) {
        if (!text.empty()) text += " + ";
        if (text.size() > 200)
            return text + fmt::format("others, {} pools in all", fleet.pools.size());
        text +=
            kind.second > 0
                ? fmt::format(
                      "{} with {} {} each", format_count(nodes, "node"), kind.second, kind.first)
                : format_count(nodes, "node") + " without chips";
    }
    return text;
}

class Page {
public:
    Page(const Trace& trace, const Simulation& result, const ReportOptions& options)
        : trace_(trace),
          result_(result),
          options_(options),
          data_(report_data(trace, result, bins)) {}

    std::string text() {
        head();
        cards();
        over_time();
        waits();
        slowdowns();
        if (result_.jobs.size() <= gantt_jobs_max) gantt();
        groups();
        notes();
        foot();
        return std::move(html_);
    }

private:
    template <class... Args>
    void add(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(html_), format, std::forward<Args>(args)...);
    }
    [[nodiscard]] std::string_view unit() const { return data_.by_chips ? chips_name() : "CPUs"; }
    [[nodiscard]] std::string_view chips_name() const {
        return trace_.classic ? "processors" : "chips";
    }
    void table(const Row& titles, const std::vector<Row>& rows);
    void twin(const Row& titles, const std::vector<Row>& rows);
    void head();
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
    void notes();
    void foot();

    const Trace& trace_;
    const Simulation& result_;
    const ReportOptions& options_;
    const ReportData data_;
    std::string html_;
};

void Page::table(const Row& titles, const std::vector<Row>& rows) {
    html_ += "<div class=\"scroll\"><table><thead><tr>";
    for (const std::string& title : titles)
        add("<th>{}</th>", escaped(title));
    html_ += "</tr></thead><tbody>\n";
    for (const Row& row : rows) {
        html_ += "<tr>";
        for (const std::string& cell : row)
            add("<td>{}</td>", escaped(cell));
        html_ += "</tr>\n";
    }
    html_ += "</tbody></table></div>\n";
}

// The numbers behind a chart, for those who read tables or cannot see the picture.
void Page::twin(const Row& titles, const std::vector<Row>& rows) {
    html_ += "<details><summary>The numbers as a table</summary>\n";
    table(titles, rows);
    html_ += "</details>\n";
}

void Page::head() {
    const std::string title = escaped(trace_.name);
    add("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
        "<title>{} \u2013 weir simulation</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n",
        title,
        style);
    const std::string machine = machine_text(result_.fleet, trace_.classic);
    std::string when;
    if (trace_.zero_utc) {
        const Time first = *trace_.zero_utc + seconds(std::llround(data_.series.from_s));
        when = fmt::format(" from {}", format_time(first).substr(0, 10));
    }
    add("<header>\n<p class=\"brand\">weir simulation</p>\n<h1>{}</h1>\n"
        "<p>{} under {} on {}; {}{}</p>\n</header>\n",
        title,
        format_count(result_.metrics.jobs, "job"),
        escaped(policy_title(options_.policy)),
        escaped(machine),
        duration_text(result_.metrics.makespan_s),
        when);
}

void Page::cards() {
    const Metrics& m = result_.metrics;
    html_ += "<div class=\"cards\">\n";
    const auto card = [&](const std::string& value, std::string_view what) {
        add("<div class=\"card\"><b>{}</b><span>{}</span></div>\n", escaped(value), what);
    };
    card(format_percent(m.utilisation), "utilisation");
    card(wait_text(m.wait_mean_s), "mean wait");
    card(wait_text(m.wait_median_s), "median wait");
    card(wait_text(m.wait_p95_s), "95 % wait at most");
    card(number_text(m.bounded_slowdown_mean), "bounded slowdown");
    card(m.makespan_s < 1000 * 86400.0
             ? duration_text(m.makespan_s)
             : format_count(static_cast<std::uint64_t>(m.makespan_s / 86400)) + " d",
         "makespan");
    html_ += "</div>\n";
}

void Page::series(std::string_view title,
                  std::string_view what,
                  const std::vector<double>& values,
                  const SeriesChart& chart) {
    add("<section>\n<h2>{}</h2>\n<p>{}</p>\n", title, what);
    if (std::all_of(values.begin(), values.end(), [](double value) { return value == 0; })) {
        html_ += "<p>Never above 0: there is nothing to draw.</p>\n</section>\n";
        return;
    }
    html_ += series_chart(data_.series, values, chart, trace_.zero_utc);
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
    twin({"from",
          fmt::format("mean of the next {}",
                      duration_text(data_.series.bin_s * static_cast<double>(each)))},
         rows);
    html_ += "</section>\n";
}

void Page::over_time() {
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
    if (result_.metrics.wait_max_s == 0) return;
    series("Waiting jobs over time",
           "Jobs that were submitted and had not started.",
           s.waiting_jobs,
           {.title = "Waiting jobs over time", .unit = "", .css = "wait", .mean = {}});
    series(fmt::format("Waiting {} over time", unit()),
           fmt::format("What those jobs asked for; {} are the whole machine.",
                       number_text(s.capacity)),
           s.waiting,
           {.title = "Waiting chips over time", .unit = "", .css = "wait", .mean = {}});
}

void Page::waits() {
    if (result_.metrics.wait_max_s == 0) {
        html_ += "<section>\n<h2>Waiting</h2>\n<p>No job waited.</p>\n</section>\n";
        return;
    }
    add("<section>\n<h2>Wait by job size</h2>\n<p>How long jobs of each size waited, by the {} of "
        "the whole job. The scale is logarithmic above a second.</p>\n"
        "<div class=\"key\"><span><i style=\"background:var(--busy-fill);border:1px solid "
        "var(--busy)\"></i>half of the jobs</span><span><i style=\"height:3px;"
        "background:var(--deep);vertical-align:middle\"></i>median</span><span><i "
        "style=\"width:9px;height:9px;border-radius:50%;background:var(--accent)\"></i>95 % waited "
        "at most this long</span></div>\n",
        unit());
    html_ += waits_chart(data_.sizes, unit());
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
    twin({std::string(unit()),
          "jobs",
          "share of work",
          "mean wait",
          "25 %",
          "median",
          "75 %",
          "95 %"},
         rows);
    html_ += "</section>\n";
}

void Page::slowdowns() {
    html_ +=
        "<section>\n<h2>Bounded slowdown</h2>\n<p>(wait + run) / run, with runs below 10 s "
        "counted as 10 s and never below 1. The curve says which share of the jobs had at "
        "most this slowdown.</p>\n";
    if (data_.slowdowns.front().share >= 1) {
        html_ += "<p>It is 1 for every job: nobody waited noticeably.</p>\n</section>\n";
        return;
    }
    html_ += slowdown_chart(data_.slowdowns, result_.metrics.bounded_slowdown_mean);
    std::vector<Row> rows;
    std::size_t k = 0;
    for (const double share : {0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0}) {
        while (k + 1 < data_.slowdowns.size() && data_.slowdowns[k].share < share)
            ++k;
        rows.push_back(
            {fmt::format("{:.0f} %", share * 100), number_text(data_.slowdowns[k].slowdown)});
    }
    twin({"share of jobs", "bounded slowdown at most"}, rows);
    html_ += "</section>\n";
}

void Page::gantt() {
    html_ +=
        "<section>\n<h2>Every job</h2>\n<p>One line a job, in order of submission: thin while "
        "it waited, thick while it ran.</p>\n";
    html_ += gantt_chart(trace_, result_);
    std::vector<Row> rows;
    for (const ScheduledJob& job : result_.jobs) {
        const TraceJob& logged = trace_.jobs[job.trace_job];
        rows.push_back({job.copy == 0 ? logged.id : fmt::format("{}#{}", logged.id, job.copy),
                        number_text(job.chips),
                        std::to_string(job.nodes),
                        duration_text(as_seconds(logged.submitted_at.time_since_epoch())),
                        format_duration(job.start - logged.submitted_at),
                        format_duration(job.end - job.start)});
    }
    twin({"job", std::string(chips_name()), "nodes", "submitted at", "waited", "ran"}, rows);
    html_ += "</section>\n";
}

void Page::groups() {
    if (data_.groups.empty()) return;  // the log names neither groups nor users
    html_ += "<section>\n<h2>Who got what</h2>\n";
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
    add("<p>By {}, most work first.</p>\n", data_.group_kind);
    const std::string hours =
        data_.by_chips ? (trace_.classic ? "processor-hours" : "chip-hours") : "CPU-hours";
    table({data_.group_kind,
           "jobs",
           hours,
           "share",
           "mean wait",
           "95 % wait at most",
           "mean bounded slowdown"},
          rows);
    html_ += "</section>\n";
}

void Page::notes() {
    html_ += "<section>\n<h2>What was cleaned and left out</h2>\n";
    if (result_.notes.empty()) {
        html_ += "<p>Nothing: every job of the log was replayed as it stands.</p>\n";
    } else {
        html_ += "<ul>\n";
        for (const std::string& note : result_.notes)
            add("<li>{}</li>\n", escaped(note));
        html_ += "</ul>\n";
    }
    html_ += "</section>\n";
}

void Page::foot() {
    html_ += "<footer>\n";
    if (!options_.command.empty()) {
        add("<p>Made by <code>{}</code></p>\n", escaped(options_.command));
    }
    add("<p>{} decisions, digest <code>{}</code>: a replay that prints the same digest took the "
        "same decisions. Wait is start minus submission; utilisation is the work of all jobs over "
        "the capacity between the first submission and the last end.</p>\n"
        "</footer>\n</main>\n</body>\n</html>\n",
        format_count(result_.metrics.decisions),
        hex_of(result_.metrics.digest));
}

}  // namespace

std::string html_report(const Trace& trace,
                        const Simulation& result,
                        const ReportOptions& options) {
    return Page(trace, result, options).text();
}

}  // namespace weir::sim
