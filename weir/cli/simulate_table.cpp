#include "weir/cli/simulate_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include <nlohmann/json.hpp>

#include "weir/base/digest.hpp"
#include "weir/base/text_table.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/print.hpp"
#include "weir/cli/waterfall_text.hpp"

namespace weir::cli {
namespace {

// "6836.9 s  1h 53m": the number for comparisons, the rest for people.
std::string both(double value_s) {
    if (value_s < 60) return fmt::format("{:.1f} s", value_s);
    return fmt::format("{:.1f} s  ({})", value_s, format_duration(seconds(std::llround(value_s))));
}

double per_second(std::uint64_t count, double wall_s) {
    return wall_s > 0 ? static_cast<double>(count) / wall_s : 0;
}

std::string rate_text(std::uint64_t count, double wall_s) {
    return format_count(static_cast<std::uint64_t>(per_second(count, wall_s)));
}

std::string value_cell(const sim::Figure& figure,
                       const std::vector<sim::RunSummary>& runs,
                       std::size_t run) {
    const std::string text = figure.text(figure.value(runs[run]));
    if (!sim::is_best(figure, runs, run)) return text + "  ";
    return paint(text + " *", Tone::good);
}

std::string columns_table(const std::vector<sim::RunSummary>& runs) {
    std::vector<Column> columns{{"metric"}};
    for (std::size_t i = 0; i < runs.size(); ++i) {
        columns.push_back({sim::title_of(runs, i) + (i > 0 ? "" : "  "), true});
        if (i > 0) columns.push_back({"", true});
    }
    TextTable table(std::move(columns));
    for (const sim::Figure& figure : sim::figures_of(runs)) {
        std::vector<std::string> row{figure.name};
        for (std::size_t i = 0; i < runs.size(); ++i) {
            row.push_back(value_cell(figure, runs, i));
            if (i > 0) row.push_back(sim::difference_text(figure, runs, i));
        }
        table.row(std::move(row));
    }
    std::vector<std::string> wall{"wall time"};
    std::vector<std::string> digest{"digest"};
    for (std::size_t i = 0; i < runs.size(); ++i) {
        wall.push_back(fmt::format("{:.2f} s  ", runs[i].metrics.wall_s));
        // Enough to see whether two are equal; JSON has all of it.
        digest.push_back(hex_of(runs[i].metrics.digest).substr(0, 8) + "  ");
        if (i > 0) {
            wall.emplace_back();
            digest.emplace_back();
        }
    }
    table.row(std::move(wall));
    table.row(std::move(digest));
    return table.text();
}

std::string rows_table(const std::vector<sim::RunSummary>& runs, std::size_t width) {
    // The figures that matter most, unless all runs agree on them.
    std::vector<sim::Figure> shown;
    std::vector<sim::Figure> differing;
    for (const sim::Figure& figure : sim::figures_of(runs)) {
        if (!figure.headline) continue;
        shown.push_back(figure);
        const double first = figure.value(runs.front());
        const auto differs = [&](const sim::RunSummary& run) { return figure.value(run) != first; };
        if (std::any_of(runs.begin(), runs.end(), differs)) differing.push_back(figure);
    }
    if (differing.size() >= 2) shown = differing;
    const auto made = [&](std::size_t figures, bool differences) {
        std::vector<Column> columns{{"run"}};
        for (std::size_t f = 0; f < figures; ++f) {
            columns.push_back({shown[f].name, true});
            if (differences) columns.push_back({"", true});
        }
        TextTable table(std::move(columns));
        for (std::size_t i = 0; i < runs.size(); ++i) {
            std::vector<std::string> row{sim::title_of(runs, i)};
            for (std::size_t f = 0; f < figures; ++f) {
                row.push_back(value_cell(shown[f], runs, i));
                if (differences) row.push_back(sim::difference_text(shown[f], runs, i));
            }
            table.row(std::move(row));
        }
        return table.text();
    };
    // As many figures as fit; but rather three with differences than four without.
    for (std::size_t figures = shown.size(); figures >= 3; --figures) {
        if (const auto table = made(figures, true); widest_line(table) <= width) return table;
    }
    for (std::size_t figures = shown.size(); figures > 2; --figures) {
        if (const auto table = made(figures, false); widest_line(table) <= width) return table;
    }
    return made(2, false);
}

}  // namespace

std::string run_table(const sim::Metrics& m) {
    TextTable table({{"metric"}, {"value"}});
    table.row({"jobs", format_count(m.jobs)});
    if (m.jobs_skipped > 0) table.row({"left out", format_count(m.jobs_skipped)});
    table.row({"makespan", both(m.makespan_s)});
    table.row({"wait, mean", both(m.wait_mean_s)});
    table.row({"wait, median", both(m.wait_median_s)});
    table.row({"wait, 95 %", both(m.wait_p95_s)});
    table.row({"wait, 99 %", both(m.wait_p99_s)});
    table.row({"bounded slowdown, mean", fmt::format("{:.4f}", m.bounded_slowdown_mean)});
    table.row({"utilisation", fmt::format("{:.2f} %", m.utilisation * 100)});
    if (m.promises > 0) {
        table.row({"promises", format_count(m.promises)});
        table.row({"promises broken",
                   m.promises_broken == 0 ? "0"
                                          : fmt::format("{}  (latest by {})",
                                                        format_count(m.promises_broken),
                                                        both(m.promise_late_max_s))});
    }
    if (m.node_failures > 0 || m.attempts_failed > 0) {
        table.row({"node failures", format_count(m.node_failures)});
        table.row({"attempts failed", format_count(m.attempts_failed)});
        table.row({"nodes replaced", format_count(m.nodes_replaced)});
    }
    if (m.ended_by_limit > 0) table.row({"ended by their limit", format_count(m.ended_by_limit)});
    if (m.preemptions > 0) table.row({"preemptions", format_count(m.preemptions)});
    if (m.lost_share > 0) {
        const auto percent = [](double share) { return fmt::format("{:.2f} %", share * 100); };
        table.row({"useful share", percent(m.useful_share)});
        table.row({"lost share", percent(m.lost_share)});
        table.row({"  done again", percent(m.redone_share)});
        table.row({"  checkpoints", percent(m.checkpoint_share)});
        table.row({"  restarts", percent(m.restart_share)});
    }
    if (m.copies > 0 || m.forgotten_bytes > 0) {
        table.row({"datasets copied", format_count(m.copies)});
        table.row({"data moved", format_bytes(Bytes{std::llround(m.copied_bytes)})});
        table.row({"data forgotten", format_bytes(Bytes{std::llround(m.forgotten_bytes)})});
    }
    if (m.energy_kwh > 0) {
        table.row({"energy", fmt::format("{:.1f} kWh", m.energy_kwh)});
        table.row({"power, highest", format_rate(m.power_max_watts, "W")});
    }
    table.row({"wall time", fmt::format("{:.3f} s", m.wall_s)});
    table.row({"jobs a second", rate_text(m.jobs, m.wall_s)});
    table.row({"decisions", format_count(m.decisions)});
    table.row({"decisions a second", rate_text(m.decisions, m.wall_s)});
    table.row({"digest", hex_of(m.digest)});
    return table.text();
}

std::string comparison_table(const std::vector<sim::RunSummary>& runs, std::size_t width) {
    const std::string columns = columns_table(runs);
    if (widest_line(columns) <= width) return columns;
    return rows_table(runs, width);
}

std::string run_json(const SimulateOptions& options,
                     const sim::Trace& trace,
                     const sim::Simulation& result,
                     const sim::RunSummary& run,
                     bool named) {
    const sim::Metrics& m = result.metrics;
    nlohmann::ordered_json json;
    if (named) json["run"] = run.name;
    json["trace"] = trace.name;
    json["policy"] = run.policy;
    if (!run.varied.empty()) {
        nlohmann::ordered_json& vary = json["vary"];
        for (const auto& [key, value] : run.varied)
            vary[key] = value;
    }
    json["scale"] = options.scale;
    json["apart"] = options.apart;
    json["each_site"] = options.each_site;
    json["tenants"] = options.tenants;
    if (!options.variant.empty()) json["variant"] = options.variant;
    json["nodes"] = result.fleet.nodes_total();
    json["chips"] = result.fleet.chips_total();
    json["jobs"] = m.jobs;
    json["jobs_skipped"] = m.jobs_skipped;
    json["makespan_s"] = m.makespan_s;
    json["wait_mean_s"] = m.wait_mean_s;
    json["wait_median_s"] = m.wait_median_s;
    json["wait_p95_s"] = m.wait_p95_s;
    json["wait_p99_s"] = m.wait_p99_s;
    json["wait_max_s"] = m.wait_max_s;
    json["bounded_slowdown_mean"] = m.bounded_slowdown_mean;
    json["completion_mean_s"] = m.completion_mean_s;
    json["utilisation"] = m.utilisation;
    json["promises"] = m.promises;
    json["promises_broken"] = m.promises_broken;
    json["promise_late_max_s"] = m.promise_late_max_s;
    json["node_failures"] = m.node_failures;
    json["attempts_failed"] = m.attempts_failed;
    json["nodes_replaced"] = m.nodes_replaced;
    json["ended_by_limit"] = m.ended_by_limit;
    json["preemptions"] = m.preemptions;
    json["lost_share"] = m.lost_share;
    json["redone_share"] = m.redone_share;
    json["checkpoint_share"] = m.checkpoint_share;
    json["restart_share"] = m.restart_share;
    json["useful_share"] = m.useful_share;
    json["datasets_copied"] = m.copies;
    json["data_moved_bytes"] = static_cast<std::uint64_t>(std::llround(m.copied_bytes));
    json["data_forgotten_bytes"] = static_cast<std::uint64_t>(std::llround(m.forgotten_bytes));
    json["energy_kwh"] = m.energy_kwh;
    json["power_max_watts"] = m.power_max_watts;
    json["power_allowed_watts"] = run.power_allowed_watts;
    json["racks_over_cap"] = run.racks_over_cap;
    json["over_cap_s"] = run.over_cap_s;
    json["chips_kept_dark"] = run.cap_cost.chips - run.cap_cost.chips_fed;
    json["dark_chip_hours_waited_for"] = run.cap_cost.chip_hours_waited;
    json["wall_s"] = m.wall_s;
    json["jobs_per_s"] = per_second(m.jobs, m.wall_s);
    json["decisions"] = m.decisions;
    json["decisions_per_s"] = per_second(m.decisions, m.wall_s);
    json["digest"] = hex_of(m.digest);
    json["notes"] = result.notes;
    std::string text = json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    // Its amounts may be wider than any number of the library.
    text.erase(text.rfind('}'));
    text.erase(text.find_last_not_of('\n') + 1);
    return text + ",\n  \"waterfall\": " + waterfall_json(result.books) + "\n}";
}

}  // namespace weir::cli
