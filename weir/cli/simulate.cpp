#include "weir/cli/simulate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/base/text_table.hpp"
#include "weir/base/time.hpp"
#include "weir/cli/experiment.hpp"
#include "weir/cli/print.hpp"
#include "weir/cli/progress.hpp"
#include "weir/cli/simulate_table.hpp"
#include "weir/fleet/fleet_file.hpp"
#include "weir/sim/output_file.hpp"
#include "weir/sim/report.hpp"
#include "weir/sim/report_compare.hpp"
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

// The log on the machine that it is replayed on.
Result<sim::Trace> read(const SimulateOptions& options) {
    constexpr std::uint64_t whole = 1000;  // progress in thousandths
    sim::TraceOptions reading;
    reading.variant = options.variant;
    Progress progress("reading", whole, "", options.quiet);
    reading.progress = [&](double share) {
        progress.at(static_cast<std::uint64_t>(share * static_cast<double>(whole)));
    };
    WEIR_TRY(sim::Trace trace, sim::read_trace(options.trace, reading));
    if (options.fleet.empty()) return trace;
    WEIR_TRY(trace.fleet, fleet::read_fleet(options.fleet));
    // What was said about the machine of the trace is beside the point now.
    std::erase_if(trace.notes, [](const std::string& note) {
        return note.find("has to be given as a fleet") != std::string::npos;
    });
    trace.notes.push_back(fmt::format("replayed on {} instead of its own machine", options.fleet));
    return trace;
}

// A run with what it was made from; `changed` holds the trace where the run has one of its own.
struct Outcome {
    std::optional<sim::Trace> changed;
    sim::Simulation result;
};

Result<Outcome> replay(const SimulateOptions& options,
                       const ExperimentRun& run,
                       const sim::Trace& read,
                       const std::string& title) {
    sim::SimulationOptions how;
    how.policy = run.policy;
    how.scale = options.scale;
    how.apart = options.apart;
    WEIR_TRY(how.from, parse_edge(options.from, "--from", read.zero_utc));
    WEIR_TRY(how.until, parse_edge(options.until, "--until", read.zero_utc));
    if (how.from && how.until && *how.from > *how.until) {
        return fail(Code::invalid,
                    fmt::format("--from: '{}' is after --until '{}'", options.from, options.until));
    }
    Outcome outcome;
    if (changes_trace(run)) {
        outcome.changed = read;
        WEIR_CHECK(apply(run, *outcome.changed, how.from, how.until));
    }
    const sim::Trace& trace = outcome.changed ? *outcome.changed : read;
    const std::uint64_t jobs = std::uint64_t{trace.jobs.size()} * options.scale;
    Progress progress(title, jobs, "jobs", options.quiet);
    how.progress = [&](double share) {
        progress.at(static_cast<std::uint64_t>(share * static_cast<double>(jobs)));
    };
    WEIR_TRY(outcome.result, sim::simulate(trace, how));
    return outcome;
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
    for (const std::string& vary : options.vary)
        add("--vary", vary);
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

Result<void> write_outputs(const SimulateOptions& options,
                           const sim::Trace& trace,
                           const sim::Simulation& result,
                           const ExperimentRun& run) {
    if (!options.schedule.empty()) {
        WEIR_CHECK(sim::write_schedule(options.schedule, trace, result));
    }
    if (!options.report.empty()) {
        std::string policy = run.policy_text;
        for (const auto& [key, value] : run.varied)
            policy += fmt::format(", {}={}", key, value);
        const std::string html =
            sim::html_report(trace, result, {.policy = policy, .command = command_text(options)});
        WEIR_CHECK(sim::write_file(options.report, html));
    }
    return {};
}

Result<void> simulate_all(const SimulateOptions& options) {
    WEIR_TRY(const std::vector<ExperimentRun> runs, runs_of(options.policy, options.vary));
    if (options.scale < 1 || options.scale > 100'000) {
        return fail(Code::invalid,
                    fmt::format("--scale: {}; 1 to 100000 are valid", options.scale));
    }
    const bool single = runs.size() == 1;
    if (!single && !options.schedule.empty()) {
        return fail(Code::invalid,
                    fmt::format("--schedule: is of one run, and these are {}; give one policy and "
                                "no list of values",
                                runs.size()));
    }
    WEIR_CHECK(can_write(options));
    WEIR_TRY(const sim::Trace read_trace, read(options));

    std::vector<sim::RunSummary> summaries;
    std::string json = single ? "" : "[";
    for (const ExperimentRun& run : runs) {
        const std::size_t number = summaries.size() + 1;
        const auto outcome =
            replay(options,
                   run,
                   read_trace,
                   single ? "simulating" : fmt::format("{}/{} {}", number, runs.size(), run.name));
        if (!outcome) return fail(single ? outcome.error() : outcome.error().at(run.name));
        const sim::Trace& trace = outcome->changed ? *outcome->changed : read_trace;
        summaries.push_back(
            sim::summary_of(trace, outcome->result, run.name, run.policy_text, run.varied));
        json += number > 1 ? ",\n" : "";
        json += run_json(options, trace, outcome->result, summaries.back(), !single);
        if (single) WEIR_CHECK(write_outputs(options, trace, outcome->result, run));
    }
    if (!single) {
        json += "]";
        if (!options.report.empty()) {
            const std::string html = sim::comparison_report(summaries,
                                                            {.title = read_trace.name,
                                                             .command = command_text(options),
                                                             .classic = read_trace.classic,
                                                             .zero_utc = read_trace.zero_utc});
            WEIR_CHECK(sim::write_file(options.report, html));
        }
    }
    if (options.json) {
        out_json(json);
        return {};
    }
    for (const std::string& sentence : sim::notes_of(summaries))
        note(sentence);
    // A schedule on standard output has to stay clean CSV.
    if (options.schedule != "-" && options.report != "-") {
        out(single ? run_table(summaries.front().metrics)
                   : comparison_table(summaries, terminal_width()));
    }
    if (!options.report.empty() && options.report != "-")
        note("report written to " + options.report);
    return {};
}

}  // namespace

int simulate(const SimulateOptions& options) {
    const auto done = simulate_all(options);
    return done ? status_ok : report(done.error());
}

}  // namespace weir::cli
