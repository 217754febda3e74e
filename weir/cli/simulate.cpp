#include "weir/cli/simulate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/base/text_table.hpp"
#include "weir/base/time.hpp"
#include "weir/cli/experiment.hpp"
#include "weir/cli/offers_train.hpp"
#include "weir/cli/print.hpp"
#include "weir/cli/progress.hpp"
#include "weir/cli/simulate_table.hpp"
#include "weir/cli/waterfall_text.hpp"
#include "weir/fleet/fleet_file.hpp"
#include "weir/match/match.hpp"
#include "weir/sim/failures.hpp"
#include "weir/sim/output_file.hpp"
#include "weir/sim/report.hpp"
#include "weir/sim/report_compare.hpp"
#include "weir/sim/schedule_file.hpp"
#include "weir/sim/simulator.hpp"
#include "weir/sim/trace.hpp"
#include "weir/tenancy/chip_names.hpp"
#include "weir/tenancy/organisations_file.hpp"

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

constexpr std::string_view vary_tenants = "--vary tenants";

Result<void> put_on(const std::string& fleet_path, sim::Trace& trace) {
    WEIR_TRY(trace.fleet, fleet::read_fleet(fleet_path));
    // What was said about the machine of the trace is beside the point now.
    std::erase_if(trace.notes, [](const std::string& note) {
        return note.find("has to be given as a fleet") != std::string::npos;
    });
    trace.notes.push_back(fmt::format("replayed on {} instead of its own machine", fleet_path));
    return {};
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
    if (!options.fleet.empty()) WEIR_CHECK(put_on(options.fleet, trace));
    return trace;
}

// The loans of the file as if they had been agreed on, on the days of the log.
std::vector<sim::LentQuota> loans_in(const tenancy::OrganisationsFile& file,
                                     const std::string& name,
                                     sim::Trace& trace) {
    std::vector<sim::LentQuota> loans;
    if (file.loans.empty() || trace.jobs.empty()) return loans;
    if (!trace.zero_utc) {
        trace.notes.push_back("the log does not say when its zero was: the days of the loans of " +
                              name + " count as if it had been " + format_time(Time{}));
    }
    const Duration zero = trace.zero_utc.value_or(Time{}) - Time{};
    std::uint32_t outside = 0;
    for (std::uint32_t i = 0; i < file.loans.size(); ++i) {
        tenancy::Loan loan{.id = tenancy::LoanId{i},
                           .contract = file.loans[i],
                           .state = tenancy::LoanState::accepted,
                           .since = Time{},
                           .deadline = std::nullopt};
        loan.contract.window.begins -= zero;
        loan.contract.window.ends -= zero;
        const tenancy::Span& window = loan.contract.window;
        if (window.ends <= trace.jobs.front().submitted_at ||
            window.begins > trace.jobs.back().submitted_at) {
            ++outside;
        } else {
            loans.push_back({.term = sched::term_of(loan, trace.jobs.front().submitted_at),
                             .notice = loan.contract.notice});
        }
    }
    if (outside > 0) {
        trace.notes.push_back(
            fmt::format("{} of {} left out: of other days than the log, which begins {}",
                        format_count(outside, "loan"),
                        name,
                        format_time(trace.zero_utc.value_or(Time{}))));
    }
    return loans;
}

// Whose rights the groups of the log are. A file says it in place of the quotas of the log, so
// these leave no job out any more. `option` is where the path was given.
Result<void> set_organisations(std::string_view option,
                               const std::string& path,
                               sim::Trace& trace,
                               sim::SimulationOptions& how) {
    how.organisations = {};
    how.loans.clear();
    if (path.empty()) return {};
    if (path == "trace") {
        WEIR_TRY(how.organisations, sim::organisations_of(trace));
        return {};
    }
    auto read = tenancy::read_organisations(path);
    if (!read) {
        if (read.error().code != Code::not_found) return fail(read.error().at(option));
        return fail(read.error().code,
                    fmt::format("{}: {}; write a tenants file, or trace for the quotas that come "
                                "with the log",
                                option,
                                read.error().message));
    }
    trace.quotas_chips.clear();
    trace.notes.insert(trace.notes.end(), read->notes.begin(), read->notes.end());
    const catalog::Catalog& catalog = catalog::Catalog::built_in();
    tenancy::name_chips_as(trace.fleet, catalog, read->file);
    for (std::string& slip : tenancy::slips_in_vouchers(trace.fleet, catalog, read->file))
        trace.notes.push_back(std::move(slip));
    how.organisations = read->file.organisations;
    how.loans = loans_in(read->file, path, trace);
    return {};
}

Result<Duration> duration_of(const std::string& text, std::string_view option) {
    const auto duration = parse_duration(text);
    if (!duration) return fail(duration.error().at(option));
    return *duration;
}

// What goes wrong and what is done about it; the same for every run but for the seed.
Result<void> set_failures(const SimulateOptions& options, sim::SimulationOptions& how) {
    sim::FailureOptions& failures = how.failures;
    if (options.faults == "reliability") {
        failures.faults = sim::Faults::reliability;
    } else if (options.faults != "none") {
        failures.faults = sim::Faults::log;
        const auto log = sim::read_fault_log(options.faults);
        if (!log) return fail(log.error().at("--faults"));
        failures.log = *log;
    }
    failures.seed = options.seed;
    failures.retries = options.retries;
    failures.replace = options.replace_nodes;
    sim::CheckpointOptions& save = how.checkpoints;
    if (options.checkpoint == "young") {
        save.rule = sim::CheckpointRule::young;
    } else if (options.checkpoint == "daly") {
        save.rule = sim::CheckpointRule::daly;
    } else if (options.checkpoint != "none") {
        save.rule = sim::CheckpointRule::fixed;
        const auto every = parse_duration(options.checkpoint);
        if (!every || *every <= Duration{}) {
            return fail(Code::invalid,
                        fmt::format("--checkpoint: '{}' is none of none, young, daly, and no "
                                    "interval such as 3h",
                                    options.checkpoint));
        }
        save.every = *every;
    }
    WEIR_TRY(save.cost, duration_of(options.checkpoint_cost, "--checkpoint-cost"));
    WEIR_TRY(save.restart, duration_of(options.restart_cost, "--restart-cost"));
    how.prediction_error_seed = options.prediction_error;
    return {};
}

// Options that were given and change nothing, for want of another.
void note_idle_options(const SimulateOptions& options) {
    const SimulateOptions usual;
    const auto say = [](bool idle, std::string_view option, std::string_view without) {
        if (idle) note(fmt::format("{} changes nothing without {}", option, without));
    };
    const bool no_faults = options.faults == "none";
    const bool no_checkpoints = options.checkpoint == "none";
    say(options.faults != "reliability" && options.seed != usual.seed,
        "--seed",
        "--faults reliability");
    say(no_faults && options.retries != usual.retries, "--retries", "--faults");
    say(no_faults && options.replace_nodes, "--replace-nodes", "--faults");
    say(no_checkpoints && options.checkpoint_cost != usual.checkpoint_cost,
        "--checkpoint-cost",
        "--checkpoint");
    say(no_checkpoints && options.restart_cost != usual.restart_cost,
        "--restart-cost",
        "--checkpoint");
}

Result<void> set_seed(const ExperimentRun& run, sim::SimulationOptions& how) {
    const auto seed = seed_of(run);
    if (!seed) return {};
    if (how.failures.faults != sim::Faults::reliability && !how.prediction_error_seed) {
        return fail(Code::invalid,
                    "--vary seed: nothing is drawn by chance without --faults reliability or "
                    "--prediction-error");
    }
    how.failures.seed = *seed;
    if (how.prediction_error_seed) how.prediction_error_seed = *seed;
    return {};
}

// Lines on their way into a file: of an event log, or of the waterfall of each job.
class LineFile {
public:
    static Result<LineFile> create(const std::string& path) {
        WEIR_TRY(sim::OutputFile file, sim::OutputFile::create(path));
        return LineFile(std::move(file));
    }
    void add(std::string_view line) {
        lines_ += line;
        if (lines_.size() >= block) flush();
    }
    Result<void> close() {
        flush();
        if (!written_) return written_;
        return file_.close();
    }

private:
    static constexpr std::size_t block = std::size_t{1} << 18;
    explicit LineFile(sim::OutputFile file) : file_(std::move(file)) {}
    void flush() {
        if (written_) written_ = file_.write(lines_);
        lines_.clear();
    }
    sim::OutputFile file_;
    std::string lines_;
    Result<void> written_{};
};

// A run with what it was made from; `changed` holds the trace where the run has one of its own.
struct Outcome {
    std::optional<sim::Trace> changed;
    sim::Simulation result;
};

Result<Outcome> replay(const SimulateOptions& options,
                       const ExperimentRun& run,
                       const sim::Trace& read,
                       const sim::SimulationOptions& common,
                       const std::string& title) {
    sim::SimulationOptions how = common;
    how.policy = run.policy;
    how.scale = options.scale;
    how.apart = options.apart;
    how.each_site = each_site_of(run).value_or(options.each_site);
    WEIR_CHECK(set_seed(run, how));
    WEIR_TRY(how.from, parse_edge(options.from, "--from", read.zero_utc));
    WEIR_TRY(how.until, parse_edge(options.until, "--until", read.zero_utc));
    if (how.from && how.until && *how.from > *how.until) {
        return fail(Code::invalid,
                    fmt::format("--from: '{}' is after --until '{}'", options.from, options.until));
    }
    Outcome outcome;
    if (changes_trace(run)) {
        outcome.changed = read;
        if (const std::string path = file_of(run, "fleet"); !path.empty())
            WEIR_CHECK(put_on(path, *outcome.changed));
        if (const std::string path = file_of(run, "tenants"); !path.empty()) {
            WEIR_CHECK(set_organisations(vary_tenants, path, *outcome.changed, how));
        }
        WEIR_CHECK(apply(run, *outcome.changed, how.from, how.until));
    }
    const sim::Trace& trace = outcome.changed ? *outcome.changed : read;
    const std::uint64_t jobs = std::uint64_t{trace.jobs.size()} * options.scale;
    Progress progress(title, jobs, "jobs", options.quiet);
    how.progress = [&](double share) {
        progress.at(static_cast<std::uint64_t>(share * static_cast<double>(jobs)));
    };
    std::optional<LineFile> log;
    if (!options.log.empty()) {
        WEIR_TRY(log, LineFile::create(options.log));
        how.log = [&](std::string_view line) { log->add(line); };
    }
    std::optional<LineFile> waterfall;
    if (!options.waterfall.empty()) {
        WEIR_TRY(waterfall, LineFile::create(options.waterfall));
        waterfall->add(waterfall_csv_titles());
        how.on_settled =
            [&](const sim::TraceJob& job, std::uint32_t copy, const tenancy::Losses& losses) {
                const std::string name = copy == 0 ? job.id : fmt::format("{}#{}", job.id, copy);
                waterfall->add(waterfall_csv_row("job", name, losses));
            };
    }
    WEIR_TRY(outcome.result, sim::simulate(trace, how));
    if (log) WEIR_CHECK(log->close());
    if (waterfall) {
        waterfall->add(waterfall_csv_books(outcome.result.books));
        WEIR_CHECK(waterfall->close());
    }
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
    if (options.each_site) text += " --each-site";
    if (options.apart) text += " --apart";
    add("--tenants", options.tenants);
    const SimulateOptions usual;
    const auto changed =
        [&](std::string_view option, const std::string& value, const std::string& normal) {
            if (value != normal) add(option, value);
        };
    changed("--faults", options.faults, usual.faults);
    changed("--seed", std::to_string(options.seed), std::to_string(usual.seed));
    changed("--retries", std::to_string(options.retries), std::to_string(usual.retries));
    if (options.replace_nodes) text += " --replace-nodes";
    changed("--checkpoint", options.checkpoint, usual.checkpoint);
    changed("--checkpoint-cost", options.checkpoint_cost, usual.checkpoint_cost);
    changed("--restart-cost", options.restart_cost, usual.restart_cost);
    if (options.prediction_error)
        add("--prediction-error", std::to_string(*options.prediction_error));
    return text;
}

// A path that cannot be written should not cost a long simulation first, and what is read is not
// written over.
Result<void> can_write(const SimulateOptions& options) {
    for (const auto& [option, path] : {std::pair{"--schedule", options.schedule},
                                       {"--report", options.report},
                                       {"--log", options.log},
                                       {"--waterfall", options.waterfall}}) {
        if (path.empty()) continue;
        for (const std::string& input : {options.trace, options.fleet, options.tenants}) {
            std::error_code none;
            if (!input.empty() && std::filesystem::equivalent(path, input, none)) {
                return fail(Code::invalid,
                            fmt::format("{}: {} is what is read; name another file", option, path));
            }
        }
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

// A slip in the last file should not cost the runs before it.
Result<void> files_are_good(const std::vector<ExperimentRun>& runs, const sim::Trace& trace) {
    std::set<std::string> seen;
    for (const ExperimentRun& run : runs) {
        sim::Trace trial;
        trial.name = trace.name;
        trial.fleet = trace.fleet;
        trial.quotas_chips = trace.quotas_chips;
        const std::string fleet = file_of(run, "fleet");
        if (!fleet.empty() && seen.insert("fleet=" + fleet).second) {
            const auto good = put_on(fleet, trial);
            if (!good) return fail(good.error().at("--vary fleet"));
        }
        const std::string tenants = file_of(run, "tenants");
        if (!tenants.empty() && seen.insert("tenants=" + tenants).second) {
            sim::SimulationOptions unused;
            WEIR_CHECK(set_organisations(vary_tenants, tenants, trial, unused));
        }
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
    for (const auto& [option, path] : {std::pair{"--schedule", &options.schedule},
                                       {"--log", &options.log},
                                       {"--waterfall", &options.waterfall}}) {
        if (single || path->empty()) continue;
        return fail(Code::invalid,
                    fmt::format("{}: is of one run, and these are {}; give one policy and no list "
                                "of values",
                                option,
                                runs.size()));
    }
    sim::SimulationOptions common;
    WEIR_CHECK(set_failures(options, common));
    note_idle_options(options);
    WEIR_CHECK(can_write(options));
    WEIR_TRY(sim::Trace read_trace, read(options));
    WEIR_CHECK(files_are_good(runs, read_trace));
    WEIR_CHECK(set_organisations("--tenants", options.tenants, read_trace, common));
    common.rate_of = tenancy::rates_in(catalog::Catalog::built_in());
    common.keeps = match::keeps_in(catalog::Catalog::built_in());
    common.sizes = sizes_by_planner(std::filesystem::path(options.trace).parent_path());
    if (options.tenants.empty() && file_of(runs.front(), "tenants").empty()) {
        for (const std::string& sentence : idle_keys(runs, read_trace))
            note(sentence);
    }

    std::vector<sim::RunSummary> summaries;
    std::string json = single ? "" : "[";
    for (const ExperimentRun& run : runs) {
        const std::size_t number = summaries.size() + 1;
        const auto outcome =
            replay(options,
                   run,
                   read_trace,
                   common,
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
    // What a file is written as on standard output has to stay clean.
    if (options.schedule != "-" && options.report != "-" && options.log != "-" &&
        options.waterfall != "-") {
        out(single ? run_table(summaries.front().metrics)
                   : comparison_table(summaries, terminal_width()));
        out("\n");
        out(single ? waterfall_table(summaries.front().books, read_trace.classic)
                   : waterfalls_table(summaries, terminal_width()));
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
