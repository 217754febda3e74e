#include "weir/cli/simulate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "weir/base/digest.hpp"
#include "weir/base/text_table.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/print.hpp"
#include "weir/cli/progress.hpp"
#include "weir/fleet/fleet_file.hpp"
#include "weir/sim/output_file.hpp"
#include "weir/sim/report.hpp"
#include "weir/sim/schedule_file.hpp"
#include "weir/sim/simulator.hpp"
#include "weir/sim/trace.hpp"

namespace weir::cli {
namespace {

// --from and --until: "86400" and "30d" count from the zero of the trace; a date needs a trace
// that says when its zero was.
Result<std::optional<Time>> parse_edge(const std::string& text,
                                       std::string_view option,
                                       const std::optional<Time>& zero_utc) {
    if (text.empty()) return std::optional<Time>{};
    const bool digits_only = text.size() <= 12 && std::all_of(text.begin(), text.end(), [](char c) {
                                 return c >= '0' && c <= '9';
                             });
    if (digits_only) return std::optional<Time>{at_seconds(std::stoll(text))};
    if (const auto duration = parse_duration(text)) return std::optional<Time>{Time{*duration}};
    const auto moment = parse_time(text);
    if (!moment) {
        return fail(Code::invalid,
                    fmt::format("{}: '{}' is neither seconds (86400), a duration (30d), nor a time "
                                "(2017-10-01T00:00:00Z)",
                                option,
                                text));
    }
    if (!zero_utc) {
        return fail(Code::invalid,
                    fmt::format("{}: '{}' is a date, and this trace does not say when its zero "
                                "was; seconds (86400) and durations (30d) are valid",
                                option,
                                text));
    }
    return std::optional<Time>{Time{*moment - *zero_utc}};
}

struct Outcome {
    sim::Trace trace;
    sim::Simulation result;
};

Result<Outcome> replay(const SimulateOptions& options) {
    sim::SimulationOptions how;
    const auto policy = sched::policy_from_text(options.policy);
    if (!policy) return fail(policy.error().at("--policy"));
    how.policy = *policy;
    if (options.scale < 1 || options.scale > 100'000) {
        return fail(Code::invalid,
                    fmt::format("--scale: {}; 1 to 100000 are valid", options.scale));
    }
    how.scale = options.scale;
    how.apart = options.apart;

    constexpr std::uint64_t whole = 1000;  // progress in thousandths
    sim::TraceOptions reading;
    reading.variant = options.variant;
    Outcome outcome;
    {
        Progress progress("reading", whole, "", options.quiet);
        reading.progress = [&](double share) {
            progress.at(static_cast<std::uint64_t>(share * static_cast<double>(whole)));
        };
        WEIR_TRY(outcome.trace, sim::read_trace(options.trace, reading));
    }
    sim::Trace& trace = outcome.trace;
    if (!options.fleet.empty()) {
        WEIR_TRY(trace.fleet, fleet::read_fleet(options.fleet));
        // What was said about the machine of the trace is beside the point now.
        std::erase_if(trace.notes, [](const std::string& note) {
            return note.find("has to be given as a fleet") != std::string::npos;
        });
        trace.notes.push_back(
            fmt::format("replayed on {} instead of its own machine", options.fleet));
    }
    WEIR_TRY(how.from, parse_edge(options.from, "--from", trace.zero_utc));
    WEIR_TRY(how.until, parse_edge(options.until, "--until", trace.zero_utc));
    if (how.from && how.until && *how.from > *how.until) {
        return fail(Code::invalid,
                    fmt::format("--from: '{}' is after --until '{}'", options.from, options.until));
    }
    const std::uint64_t jobs = std::uint64_t{trace.jobs.size()} * options.scale;
    Progress progress("simulating", jobs, "jobs", options.quiet);
    how.progress = [&](double share) {
        progress.at(static_cast<std::uint64_t>(share * static_cast<double>(jobs)));
    };
    WEIR_TRY(outcome.result, sim::simulate(trace, how));
    return outcome;
}

std::string seconds_text(double value_s) {
    return fmt::format("{:.1f} s", value_s);
}

// "6836.9 s  1h 53m": the number for comparisons, the rest for people.
std::string both(double value_s) {
    if (value_s < 60) return seconds_text(value_s);
    return fmt::format(
        "{}  ({})", seconds_text(value_s), format_duration(seconds(std::llround(value_s))));
}

double per_second(std::uint64_t count, double wall_s) {
    return wall_s > 0 ? static_cast<double>(count) / wall_s : 0;
}

std::string table_text(const sim::Metrics& m) {
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
    table.row({"wall time", fmt::format("{:.3f} s", m.wall_s)});
    table.row(
        {"jobs a second", format_count(static_cast<std::uint64_t>(per_second(m.jobs, m.wall_s)))});
    table.row({"decisions", format_count(m.decisions)});
    table.row({"decisions a second",
               format_count(static_cast<std::uint64_t>(per_second(m.decisions, m.wall_s)))});
    table.row({"digest", hex_of(m.digest)});
    return table.text();
}

std::string json_text(const SimulateOptions& options, const Outcome& outcome) {
    const sim::Metrics& m = outcome.result.metrics;
    nlohmann::ordered_json json;
    json["trace"] = outcome.trace.name;
    json["policy"] = options.policy;
    json["scale"] = options.scale;
    json["apart"] = options.apart;
    if (!options.variant.empty()) json["variant"] = options.variant;
    json["nodes"] = outcome.result.fleet.nodes_total();
    json["chips"] = outcome.result.fleet.chips_total();
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
    json["wall_s"] = m.wall_s;
    json["jobs_per_s"] = per_second(m.jobs, m.wall_s);
    json["decisions"] = m.decisions;
    json["decisions_per_s"] = per_second(m.decisions, m.wall_s);
    json["digest"] = hex_of(m.digest);
    json["notes"] = outcome.result.notes;
    return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

// What makes the report again. Only what shapes the outcome: where it was written does not.
std::string command_text(const SimulateOptions& options) {
    std::string text = fmt::format("weir simulate {}", shell_quoted(options.trace));
    const auto add = [&](std::string_view option, const std::string& value) {
        if (!value.empty()) {
            fmt::format_to(std::back_inserter(text), " {} {}", option, shell_quoted(value));
        }
    };
    add("--policy", options.policy);
    add("--fleet", options.fleet);
    if (options.scale > 1) add("--scale", std::to_string(options.scale));
    add("--from", options.from);
    add("--until", options.until);
    add("--variant", options.variant);
    if (options.apart) text += " --apart";
    return text;
}

// A path that cannot be written should not cost a long simulation first.
Result<void> can_write(const SimulateOptions& options) {
    for (const std::string& path : {options.schedule, options.report}) {
        if (path.empty()) continue;
        WEIR_TRY([[maybe_unused]] const sim::OutputFile probe, sim::OutputFile::create(path));
    }
    return {};
}

Result<void> write_outputs(const SimulateOptions& options, const Outcome& outcome) {
    if (!options.schedule.empty()) {
        WEIR_CHECK(sim::write_schedule(options.schedule, outcome.trace, outcome.result));
    }
    if (!options.report.empty()) {
        const std::string html =
            sim::html_report(outcome.trace,
                             outcome.result,
                             {.policy = options.policy, .command = command_text(options)});
        WEIR_CHECK(sim::write_file(options.report, html));
    }
    return {};
}

}  // namespace

int simulate(const SimulateOptions& options) {
    if (const auto possible = can_write(options); !possible) return report(possible.error());
    const auto outcome = replay(options);
    if (!outcome) return report(outcome.error());
    if (const auto written = write_outputs(options, *outcome); !written) {
        return report(written.error());
    }
    if (options.json) {
        out_json(json_text(options, *outcome));
        return status_ok;
    }
    for (const std::string& sentence : outcome->result.notes)
        note(sentence);
    // A schedule on standard output has to stay clean CSV.
    if (options.schedule != "-" && options.report != "-") out(table_text(outcome->result.metrics));
    if (!options.report.empty() && options.report != "-")
        note("report written to " + options.report);
    return status_ok;
}

}  // namespace weir::cli
