#include "weir/sim/report_compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "weir/base/assert.hpp"
#include "weir/base/digest.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/sim/report_charts.hpp"
#include "weir/sim/report_compare_charts.hpp"
#include "weir/sim/report_page.hpp"
#include "weir/sim/report_tenants.hpp"
#include "weir/sim/report_waterfall.hpp"
#include "weir/sim/svg.hpp"

namespace weir::sim {
namespace {

constexpr std::size_t table_rows = 24;

class Comparison {
public:
    Comparison(const std::vector<RunSummary>& runs, const ComparisonOptions& options)
        : runs_(runs), options_(options), page_(options.title, subtitle(runs)) {}

    std::string text() && {
        headline();
        sweep();
        waterfalls_section(page_, runs_);
        utilisation();
        over_time("Waiting jobs over time",
                  "Jobs that were submitted and had not started, or were to begin again.",
                  &TimeSeries::waiting_jobs,
                  "");
        sizes();
        slowdowns();
        tenants();
        power();
        notes();
        return std::move(page_).finish(foot());
    }

private:
    static std::string subtitle(const std::vector<RunSummary>& runs);
    [[nodiscard]] bool overlaid() const { return runs_.size() <= overlaid_max; }
    [[nodiscard]] std::string_view unit() const {
        if (!runs_.front().data.by_chips) return "CPUs";
        return options_.classic ? "processors" : "chips";
    }
    void legend(const std::vector<std::string>& names);
    void legend_of_runs();
    void headline();
    void sweep();
    void utilisation();
    void over_time(std::string_view title,
                   std::string_view what,
                   std::vector<double> TimeSeries::*member,
                   std::string_view behind);
    void time_table(const std::vector<std::vector<double>>& values,
                    double scale,
                    std::string_view behind);
    void sizes();
    void slowdowns();
    void tenants();
    void power();
    void notes();
    [[nodiscard]] std::string foot() const;

    const std::vector<RunSummary>& runs_;
    const ComparisonOptions& options_;
    HtmlPage page_;
};

std::string Comparison::subtitle(const std::vector<RunSummary>& runs) {
    const bool one_machine = std::all_of(runs.begin(), runs.end(), [&](const RunSummary& run) {
        return run.machine == runs.front().machine;
    });
    return fmt::format("{} compared{}",
                       format_count(runs.size(), "run"),
                       one_machine ? " on " + runs.front().machine : " on different machines");
}

void Comparison::legend(const std::vector<std::string>& names) {
    page_.raw("<div class=\"key\">");
    for (std::size_t i = 0; i < names.size(); ++i) {
        page_.add(
            "<span><svg viewBox=\"0 0 30 9\" aria-hidden=\"true\"><path class=\"{}\" "
            "d=\"M0 4.5L30 4.5\"/></svg>{}</span>",
            run_css(i),
            escaped(names[i]));
    }
    page_.raw("</div>\n");
}

void Comparison::legend_of_runs() {
    std::vector<std::string> names;
    for (const RunSummary& run : runs_)
        names.push_back(run.name);
    legend(names);
}

void Comparison::headline() {
    page_.section("All runs",
                  fmt::format("The first one, <b>{}</b>, is the baseline: small figures are "
                              "differences from it in per cent. The best of each column is in bold "
                              "and marked *.",
                              escaped(runs_.front().name)));
    const std::vector<Figure> all = figures_of(runs_);
    const auto rows_of = [&](bool headline) {
        std::vector<Row> rows;
        for (std::size_t i = 0; i < runs_.size(); ++i) {
            Row row{escaped(title_of(runs_, i))};
            for (const Figure& figure : all) {
                if (headline && !figure.headline) continue;
                const std::string text = escaped(figure.text(figure.value(runs_[i])));
                const std::string difference = difference_text(figure, runs_, i);
                row.push_back((is_best(figure, runs_, i) ? "<b>" + text + "&nbsp;*</b>" : text) +
                              (difference.empty() ? "" : "<small>" + difference + "</small>"));
            }
            if (!headline) row.push_back("<code>" + hex_of(runs_[i].metrics.digest) + "</code>");
            rows.push_back(std::move(row));
        }
        return rows;
    };
    Row short_titles{"run"};
    Row titles{"run"};
    for (const Figure& figure : all) {
        titles.push_back(figure.name);
        if (figure.headline) short_titles.push_back(figure.name);
    }
    titles.emplace_back("digest");
    page_.html_table(short_titles, rows_of(true));
    page_.raw("<details><summary>Every figure</summary>\n");
    page_.html_table(titles, rows_of(false));
    page_.raw("</details>\n");
    page_.end_section();
}

void Comparison::sweep() {
    const std::optional<Sweep> sweep = sweep_of(runs_);
    if (!sweep) return;
    page_.section("What follows from " + sweep->key,
                  "One point a run; the numbers are those of the table above.");
    std::vector<Figure> shown;
    for (const Figure& figure : figures_of(runs_)) {
        const bool differs = std::any_of(runs_.begin(), runs_.end(), [&](const RunSummary& run) {
            return figure.value(run) != figure.value(runs_.front());
        });
        if (figure.headline && differs) shown.push_back(figure);
    }
    if (shown.empty()) {
        page_.raw("<p>Nothing: every run came to the same figures.</p>\n");
        page_.end_section();
        return;
    }
    if (sweep->policies.size() > 1) legend(sweep->policies);
    page_.raw(sweep_chart(runs_, *sweep, shown));
    Row titles{sweep->key};
    for (const std::string& policy : sweep->policies) {
        for (const Figure& figure : shown)
            titles.push_back(sweep->policies.size() > 1 ? policy + ": " + figure.name
                                                        : figure.name);
    }
    std::vector<Row> rows;
    for (std::size_t v = 0; v < sweep->values.size(); ++v) {
        Row row{sweep->values[v]};
        for (const std::vector<std::size_t>& of_policy : sweep->runs) {
            for (const Figure& figure : shown)
                row.push_back(figure.text(figure.value(runs_[of_policy[v]])));
        }
        rows.push_back(std::move(row));
    }
    page_.twin(titles, rows);
    page_.end_section();
}

// A row for each part of the common time, a column for each run.
void Comparison::time_table(const std::vector<std::vector<double>>& values,
                            double scale,
                            std::string_view behind) {
    const CommonTime time = common_time(runs_);
    const double step = (time.to_s - time.from_s) / static_cast<double>(table_rows);
    Row titles{"from"};
    for (const RunSummary& run : runs_)
        titles.push_back(run.name);
    std::vector<Row> rows;
    for (std::size_t r = 0; r < table_rows; ++r) {
        const double begin = time.from_s + step * static_cast<double>(r);
        Row row{moment_text(begin, options_.zero_utc)};
        for (std::size_t i = 0; i < runs_.size(); ++i) {
            const TimeSeries& s = runs_[i].data.series;
            double sum = 0;
            std::size_t count = 0;
            for (std::size_t b = 0; b < values[i].size(); ++b) {
                const double middle = s.from_s + s.bin_s * (static_cast<double>(b) + 0.5);
                if (middle < begin || middle >= begin + step) continue;
                sum += values[i][b];
                ++count;
            }
            row.push_back(count == 0 ? "-"
                                     : number_text(sum / static_cast<double>(count) * scale) +
                                           std::string(behind));
        }
        rows.push_back(std::move(row));
    }
    page_.twin(titles, rows);
}

void Comparison::utilisation() {
    page_.section(
        "Utilisation over time",
        fmt::format("Share of all {} that ran a job, from 0 to 100 %, one strip a run.", unit()));
    page_.raw(strips_chart(runs_, options_.zero_utc));
    std::vector<std::vector<double>> values;
    for (const RunSummary& run : runs_) {
        const TimeSeries& s = run.data.series;
        std::vector<double>& shares = values.emplace_back(s.busy);
        for (double& share : shares)
            share = s.capacity > 0 ? share / s.capacity : 0;
    }
    time_table(values, 100, " %");
    page_.end_section();
}

void Comparison::over_time(std::string_view title,
                           std::string_view what,
                           std::vector<double> TimeSeries::*member,
                           std::string_view behind) {
    std::vector<std::vector<double>> values;
    bool any = false;
    for (const RunSummary& run : runs_) {
        values.push_back(run.data.series.*member);
        any = any || std::any_of(values.back().begin(), values.back().end(), [](double value) {
                  return value > 0;
              });
    }
    page_.section(title, what);
    if (!any) {
        page_.raw("<p>Never above 0 in any run: there is nothing to draw.</p>\n");
    } else {
        if (overlaid()) {
            legend_of_runs();
            page_.raw(
                overlaid_chart(runs_,
                               {.title = title, .unit = std::string(behind), .values = values},
                               options_.zero_utc));
        }
        time_table(values, 1, behind);
    }
    page_.end_section();
}

void Comparison::sizes() {
    page_.section("Wait by job size",
                  fmt::format("Mean wait of the jobs of each size, by the {} of the whole job. The "
                              "scale is logarithmic above a second.",
                              unit()));
    if (overlaid()) {
        legend_of_runs();
        page_.raw(sizes_chart(runs_, unit()));
    }
    std::map<int, std::string> classes;
    for (const RunSummary& run : runs_) {
        for (const SizeClass& size : run.data.sizes)
            classes[size.number] = size.label;
    }
    Row titles{"run"};
    for (const auto& [number, label] : classes)
        titles.push_back(label);
    std::vector<Row> rows;
    for (const RunSummary& run : runs_) {
        Row row{run.name};
        for (const auto& [number, label] : classes) {
            const auto found = std::find_if(
                run.data.sizes.begin(),
                run.data.sizes.end(),
                [number = number](const SizeClass& size) { return size.number == number; });
            row.push_back(found == run.data.sizes.end() ? "-" : wait_text(found->wait_mean_s));
        }
        rows.push_back(std::move(row));
    }
    page_.twin(titles, rows);
    page_.end_section();
}

void Comparison::slowdowns() {
    page_.section("Bounded slowdown",
                  "(wait + run) / run, with runs below 10 s counted as 10 s and never below 1. A "
                  "curve says which share of the jobs had at most this slowdown: the higher, the "
                  "better.");
    if (overlaid()) {
        legend_of_runs();
        page_.raw(slowdowns_chart(runs_));
    }
    constexpr std::array<double, 6> shares{0.25, 0.5, 0.75, 0.9, 0.95, 0.99};
    Row titles{"run"};
    for (const double share : shares)
        titles.push_back(fmt::format("{:.0f} % of the jobs at most", share * 100));
    titles.emplace_back("mean");
    std::vector<Row> rows;
    for (const RunSummary& run : runs_) {
        Row row{run.name};
        const std::vector<SlowdownPoint>& points = run.data.slowdowns;
        for (const double share : shares) {
            const auto found =
                std::find_if(points.begin(), points.end(), [share](const SlowdownPoint& point) {
                    return point.share >= share;
                });
            row.push_back(
                number_text(found == points.end() ? points.back().slowdown : found->slowdown));
        }
        row.push_back(number_text(run.metrics.bounded_slowdown_mean));
        rows.push_back(std::move(row));
    }
    page_.twin(titles, rows);
    page_.end_section();
}

void Comparison::tenants() {
    const auto named = std::find_if(
        runs_.begin(), runs_.end(), [](const RunSummary& run) { return !run.data.groups.empty(); });
    if (named == runs_.end()) return;
    page_.section("Who got what",
                  fmt::format("By {}, most work in the first run first: what each held, and the "
                              "mean wait of its jobs. The scale of waits is logarithmic above a "
                              "second.",
                              named->data.group_kind));
    if (overlaid()) {
        legend_of_runs();
        page_.raw(tenants_compared_chart(runs_));
    }
    const auto borrowed_by = [](const RunSummary& run, const std::string& name) -> std::string {
        for (const HouseHours& house : run.houses.houses)
            if (house.path == name && house.held() > 0)
                return format_percent(house.borrowed / house.held());
        return "-";
    };
    const bool houses = std::any_of(runs_.begin(), runs_.end(), [](const RunSummary& run) {
        return !run.houses.houses.empty();
    });
    std::vector<std::string> names;
    for (const RunSummary& run : runs_) {
        for (const GroupRow& group : run.data.groups)
            if (std::find(names.begin(), names.end(), group.name) == names.end())
                names.push_back(group.name);
    }
    Row titles{named->data.group_kind};
    for (const RunSummary& run : runs_) {
        titles.push_back(run.name + ": share");
        if (houses) titles.push_back(run.name + ": of it borrowed");
        titles.push_back(run.name + ": mean wait");
    }
    std::vector<Row> rows;
    for (const std::string& name : names) {
        Row row{name};
        for (const RunSummary& run : runs_) {
            double work = 0;
            const GroupRow* its = nullptr;
            for (const GroupRow& group : run.data.groups) {
                work += group.chip_hours;
                if (group.name == name) its = &group;
            }
            row.push_back(its == nullptr || work <= 0 ? "-"
                                                      : format_percent(its->chip_hours / work));
            if (houses) row.push_back(borrowed_by(run, name));
            row.push_back(its == nullptr ? "-" : wait_text(its->wait_mean_s));
        }
        rows.push_back(std::move(row));
    }
    page_.twin(titles, rows);
    page_.end_section();
}

void Comparison::power() {
    double most = 0;
    for (const RunSummary& run : runs_)
        most = std::max({most, run.metrics.power_max_watts, run.power_allowed_watts});
    if (std::all_of(
            runs_.begin(), runs_.end(), [](const RunSummary& run) { return run.power.empty(); }))
        return;
    page_.section(
        "Power",
        "What all nodes drew together, idle ones included. A dashed line is what the caps "
        "of a run allow.");
    const WattUnit unit_of = watt_unit(most);
    OverlaidChart chart{.title = "Power of all nodes over time",
                        .unit = " " + unit_of.name,
                        .scale = unit_of.scale,
                        .values = {}};
    for (const RunSummary& run : runs_) {
        const TimeSeries& s = run.data.series;
        chart.values.push_back(power_bins(run.power, s.from_s, s.bin_s, s.busy.size()));
        chart.levels.push_back(run.power_allowed_watts);
    }
    if (overlaid()) {
        legend_of_runs();
        page_.raw(overlaid_chart(runs_, chart, options_.zero_utc));
    }
    std::vector<Row> rows;
    for (const RunSummary& run : runs_) {
        rows.push_back(
            {run.name,
             number_text(run.metrics.energy_kwh),
             watts_text(run.metrics.power_max_watts),
             run.power_allowed_watts > 0 ? watts_text(run.power_allowed_watts) : "no budget",
             format_count(run.racks_over_cap),
             duration_text(run.over_cap_s),
             format_count(run.cap_cost.chips - run.cap_cost.chips_fed),
             number_text(run.cap_cost.chip_hours_waited)});
    }
    page_.twin({"run",
                "kWh",
                "highest",
                "allowed",
                "racks ever over",
                "together for",
                "chips kept dark",
                "chip-hours of them that jobs waited for"},
               rows);
    page_.end_section();
}

void Comparison::notes() {
    page_.notes(notes_of(runs_));
}

std::string Comparison::foot() const {
    std::string text;
    if (!options_.command.empty()) {
        text = fmt::format("<p>Made by <code>{}</code></p>\n", escaped(options_.command));
    }
    return text +
           "<p>Wait is first start minus submission; utilisation is what jobs held over the "
           "capacity between the first submission and the last end. Equal digests are equal "
           "decisions.</p>\n";
}

}  // namespace

std::string comparison_report(const std::vector<RunSummary>& runs,
                              const ComparisonOptions& options) {
    WEIR_ASSERT(runs.size() >= 2);
    return Comparison(runs, options).text();
}

}  // namespace weir::sim
