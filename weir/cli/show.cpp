// `weir show` and `weir explain`: everything about one job, and why it is where it is.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "weir/base/seconds.hpp"
#include "weir/base/text_table.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/hub_link.hpp"
#include "weir/cli/offers.hpp"
#include "weir/cli/print.hpp"

namespace weir::cli {
namespace {

std::string line(std::string_view name, const std::string& value) {
    return value.empty()
               ? ""
               : fmt::format("{}  {}\n", paint(fmt::format("{:>10}", name), Tone::quiet), value);
}

// "1 cpu", "0.5 cpus".
std::string counted(double value, std::string_view what) {
    return fmt::format("{} {}{}", number_cell(value), what, value == 1 ? "" : "s");
}

std::string joined(const std::vector<std::string>& words) {
    std::string all;
    for (const std::string& word : words)
        all += (all.empty() ? "" : ", ") + word;
    return all;
}

std::string ending(const AttemptInfo& attempt) {
    if (attempt.kind.empty()) return "running";
    if (attempt.kind != "exited") return attempt.kind;
    if (attempt.signal > 0) return fmt::format("signal {}", attempt.signal);
    return fmt::format("exit {}", attempt.exit_code);
}

// "b200: emulated oz2-int8-15 (certified), 2h 10m published".
std::string planned_text(const JobInfo::Planned& planned) {
    const catalog::Basis basis =
        catalog::basis_from_name(planned.basis).value_or(catalog::Basis::assumed);
    const std::string time = planned.time_ms
                                 ? founded(format_duration(Duration{*planned.time_ms}), basis)
                                 : fmt::format("rates {}", catalog::name_of(basis));
    std::string text = fmt::format("{}: {}{}, {}",
                                   planned.chip,
                                   planned.degraded ? "below its contract, " : "",
                                   planned.how,
                                   time);
    for (const auto& [name, value] : planned.env)
        text += fmt::format(
            "{}{}={}", name == planned.env.begin()->first ? "; sets " : " ", name, value);
    return text;
}

// Of a training job: what it is told, and how long that is expected to take.
std::string size_lines(const JobInfo& job) {
    const job::TrainSize& size = *job.size;
    std::string chips = fmt::format("{} on {} of {}",
                                    counted(size.chips_in_all(), "chip"),
                                    format_count(size.replicas, "node"),
                                    joined(size.pools));
    if (job.sizes > 1) {
        chips += fmt::format("; {} one of {} sizes",
                             job.started_at_ms ? "it took" : "for now it asks for",
                             job.sizes);
    }
    const std::string step = fmt::format("{} predicted; of ten such runs nine take {} to {}",
                                         format_seconds(size.step_s),
                                         format_seconds(size.step_low_s),
                                         format_seconds(size.step_high_s));
    return line("size", chips) + line("plan", size.plan) + line("step", step) +
           line("goal",
                fmt::format("all tokens in ~{}, at {:.1f} % MFU, as is predicted",
                            format_duration(size.takes),
                            size.mfu * 100));
}

void print_job(const JobInfo& job) {
    std::string text;
    text += paint(fmt::format("{}  {}", job.id, job.name), Tone::strong) + "\n";
    text += line(
        "state",
        paint(job.state, tone_of_state(job.state)) + (job.reason.empty() ? "" : "  " + job.reason));
    text += line("tenant",
                 job.organisation.empty() || job.organisation == job.tenant
                     ? job.tenant
                     : fmt::format("{}, of {}", job.tenant, job.organisation));
    text += line("user", job.user);
    text += line("priority", job.priority);
    std::string asks = format_count(job.replicas, "replica");
    asks += fmt::format("; in all {}", counted(job.cpus, "cpu"));
    if (job.chips > 0) asks += ", " + counted(job.chips, "chip");
    if (job.memory_bytes > 0) asks += ", " + format_bytes({job.memory_bytes}) + " memory";
    text += line("asks", asks);
    if (job.limit_ms) text += line("limit", format_duration(Duration{*job.limit_ms}));
    if (job.deadline_at_ms) text += line("deadline", time_cell(job.deadline_at_ms));
    text += line("inside", job.reservation.empty() ? "" : "reservation " + job.reservation);
    text += line("submitted", time_cell(job.submitted_at_ms));
    const std::optional<std::int64_t> now = now_ms();
    if (job.started_at_ms) {
        text += line("started",
                     fmt::format("{}  after {}",
                                 time_cell(job.started_at_ms),
                                 duration_cell(job.submitted_at_ms, job.started_at_ms)));
    } else if (job.starts_at_ms) {
        text += line(
            "starts",
            fmt::format("{}  {}",
                        time_cell(job.starts_at_ms),
                        job.starts_promised ? "at the latest: it is promised" : "as it looks now"));
    }
    if (job.ended_at_ms) {
        text += line("ended",
                     fmt::format("{}  after {}",
                                 time_cell(job.ended_at_ms),
                                 duration_cell(job.started_at_ms, job.ended_at_ms)));
    } else if (job.started_at_ms) {
        text += line("running", duration_cell(job.started_at_ms, now));
    }
    for (const JobInfo::Planned& planned : job.planned)
        text += line("planned", planned_text(planned));
    if (job.size) text += size_lines(job);
    text += line("nodes", joined(job.nodes));
    if (job.max_rss_bytes && *job.max_rss_bytes > 0) {
        text += line("memory", format_bytes({*job.max_rss_bytes}) + " resident at most");
    }
    if (job.cpu_ms) text += line("cpu time", format_duration(Duration{*job.cpu_ms}));
    text += line("folder", job.workdir);
    out(text);

    if (!job.attempts.empty()) {
        TextTable table({{"attempt", true},
                         {"rank", true},
                         {"node", false, true},
                         {"ended"},
                         {"run", true},
                         {"output"}});  // never cut: a path is there to be copied
        for (const AttemptInfo& attempt : job.attempts) {
            for (const TaskInfo& task : attempt.tasks) {
                table.row({std::to_string(attempt.number),
                           std::to_string(task.rank),
                           task.node,
                           ending(attempt),
                           duration_cell(attempt.started_at_ms,
                                         attempt.ended_at_ms ? attempt.ended_at_ms : now),
                           task.stdout_path});
            }
        }
        out("\n" + table.text(output_width()));
        for (const AttemptInfo& attempt : job.attempts) {
            if (!attempt.stopped_for.empty()) {
                out(fmt::format("attempt {}: {}\n", attempt.number, attempt.stopped_for));
            }
            if (!attempt.detail.empty()) {
                out(fmt::format("attempt {}: {}\n", attempt.number, attempt.detail));
            }
            if (attempt.output_cut) {
                out(fmt::format("attempt {}: output was cut at its limit\n", attempt.number));
            }
        }
    }
}

void print_members(const std::vector<JobInfo>& jobs) {
    TextTable table({{"job"}, {"state"}, {"wait", true}, {"run", true}, {"why", false, true}});
    const std::optional<std::int64_t> now = now_ms();
    for (const JobInfo& job : jobs) {
        table.row({job.id,
                   job.state,
                   duration_cell(job.submitted_at_ms, job.started_at_ms ? job.started_at_ms : now),
                   duration_cell(job.started_at_ms, job.ended_at_ms ? job.ended_at_ms : now),
                   job.state == "succeeded" ? "" : job.reason});
    }
    out(paint(fmt::format("{}: array of {}", jobs.front().name, jobs.size()), Tone::strong) + "\n");
    out(paint_column(table.text(output_width()), "state", tone_of_state));
}

}  // namespace

int show(const ShowOptions& options) {
    HubLink hub(hub_url(options.common.hub));
    const auto answer = hub.job(options.job);
    if (!answer) return report(answer.error());
    if (options.common.json) {
        out_json(answer->json);
    } else if (answer->value.size() == 1) {
        print_job(answer->value.front());
    } else if (!answer->value.empty()) {
        print_members(answer->value);
    }
    return status_ok;
}

int explain(const ShowOptions& options) {
    HubLink hub(hub_url(options.common.hub));
    const auto answer = hub.explain(options.job);
    if (!answer) return report(answer.error());
    if (options.common.json) {
        out_json(answer->json);
        return status_ok;
    }
    const ExplainInfo& info = answer->value;
    const std::size_t width = output_width();
    // The sentence is about "It"; what has ended needs no more, what has not is named with its
    // state.
    const bool ended = info.sentence.rfind("It ended", 0) == 0;
    const std::string head = ended ? info.id : fmt::format("{} is {}. ", info.id, info.state);
    const std::string rest = ended ? info.sentence.substr(2) : info.sentence;
    // Broken as it is seen, and coloured afterwards: the codes take no columns.
    std::string text = wrapped(head + rest, 0, width) + "\n";
    text.replace(0, info.id.size(), paint(info.id, Tone::strong));
    const auto item = [&text, width](const std::string& sentence) {
        text += "  - " + wrapped(sentence, 4, width) + "\n";
    };
    for (const std::string& detail : info.details)
        item(detail);
    if (info.ahead > 0) {
        item(fmt::format("{} {} before it in the queue",
                         format_count(info.ahead, "job"),
                         info.ahead == 1 ? "stands" : "stand"));
    }
    if (info.starts_at_ms) {
        const std::string when = fmt::format(
            "{} (in {})", time_cell(info.starts_at_ms), duration_cell(now_ms(), info.starts_at_ms));
        item(info.starts_promised
                 ? fmt::format("it is promised to start by {}", when)
                 : fmt::format("as it looks now it starts at {}; that is no promise", when));
    }
    if (!info.would_help.empty()) text += "What would help, as tried just now:\n";
    for (const std::string& help : info.would_help)
        item(help);
    out(text);
    return status_ok;
}

}  // namespace weir::cli
