// `weir ps` and `weir fleet`: tables of jobs and of what there is to run them on.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "weir/base/text_table.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/follow.hpp"
#include "weir/cli/hub_link.hpp"
#include "weir/cli/print.hpp"
#include "weir/hub/hub.hpp"

namespace weir::cli {
namespace {

// "2 chips", "4 cpus": what a job takes, in the words of what is scarce.
std::string size_of(const JobInfo& job) {
    std::string size;
    if (job.chips > 0) size = number_cell(job.chips) + (job.chips == 1 ? " chip" : " chips");
    if (job.chips == 0) size = number_cell(job.cpus) + (job.cpus == 1 ? " cpu" : " cpus");
    if (job.replicas > 1) size += fmt::format(" on {}", job.replicas);
    return size;
}

std::string where_or_why(const JobInfo& job) {
    if (job.state == "running" || job.state == "stopping") {
        std::string nodes;
        for (const std::string& node : job.nodes)
            nodes += (nodes.empty() ? "" : ",") + node;
        return nodes;
    }
    return job.state == "succeeded" ? "" : job.reason;
}

// Members of an array that differ in nothing but their index make one line: how many follow
// jobs[first] in it.
std::size_t alike(const std::vector<JobInfo>& jobs, std::size_t first) {
    const auto array_of = [](const JobInfo& job) { return job.id.substr(0, job.id.find('_')); };
    std::size_t next = first + 1;
    for (; next < jobs.size(); ++next) {
        const JobInfo& one = jobs[next - 1];
        const JobInfo& two = jobs[next];
        // Listings are newest first, so indices fall.
        const bool neighbours = one.array_index && two.array_index &&
                                *one.array_index == *two.array_index + 1 &&
                                array_of(one) == array_of(two);
        if (!neighbours || one.started_at_ms || two.started_at_ms || one.state != two.state ||
            one.reason != two.reason) {
            break;
        }
    }
    return next - first - 1;
}

std::string table_of(const std::vector<JobInfo>& jobs, std::size_t width, bool members) {
    // On a narrow terminal who and how much give way to what happens and why; on a very narrow one
    // the times too.
    const bool narrow = width > 0 && width < 80;
    const bool times = width == 0 || width >= 60;
    std::vector<Column> columns = {{"job"}, {"name", false, true}};
    if (!narrow) columns.push_back({"tenant", false, true});
    columns.push_back({"state"});
    if (!narrow) columns.push_back({"size"});
    if (times) columns.push_back({"wait", true});
    if (times) columns.push_back({"run", true});
    if (!narrow) columns.push_back({"starts"});
    columns.push_back({"where or why", false, true});
    TextTable table(std::move(columns));
    const std::optional<std::int64_t> now = now_ms();
    for (std::size_t at = 0; at < jobs.size(); ++at) {
        const JobInfo& job = jobs[at];
        std::string id = job.id;
        if (const std::size_t more = members ? 0 : alike(jobs, at); more > 0) {
            at += more;
            id = fmt::format("{}_[{}-{}]",
                             job.id.substr(0, job.id.find('_')),
                             *jobs[at].array_index,
                             *job.array_index);
        }
        const bool waits = job.state == "pending" || job.state == "held";
        std::vector<std::string> cells = {id, job.name};
        if (!narrow) cells.push_back(job.tenant);
        cells.push_back(job.state);
        if (!narrow) cells.push_back(size_of(job));
        const auto waited_until = job.started_at_ms ? job.started_at_ms : job.ended_at_ms;
        if (times) {
            cells.push_back(duration_cell(job.submitted_at_ms, waits ? now : waited_until));
            cells.push_back(
                duration_cell(job.started_at_ms, job.ended_at_ms ? job.ended_at_ms : now));
        }
        if (!narrow)
            cells.push_back(waits ? start_cell(job.starts_at_ms, job.starts_promised) : "");
        cells.push_back(where_or_why(job));
        table.row(std::move(cells));
    }
    return paint_column(table.text(width), "state", tone_of_state);
}

Result<std::vector<std::string>> states_of(const PsOptions& options) {
    const std::vector<std::string> active = {"held", "pending", "running", "stopping"};
    if (options.states.empty()) return options.all ? std::vector<std::string>() : active;
    for (const std::string& state : options.states) {
        if (hub::job_state_from_name(state)) continue;
        std::vector<std::string> names;
        std::string valid;
        for (int number = 0; number <= static_cast<int>(hub::JobState::lost); ++number) {
            names.emplace_back(hub::name_of(static_cast<hub::JobState>(number)));
            valid += (valid.empty() ? "" : ", ") + names.back();
        }
        const std::string near = nearest(state, names);
        return fail(Code::invalid,
                    fmt::format("--state {}: is no state{}; valid are {}",
                                state,
                                near.empty() ? "" : ", did you mean \"" + near + "\"",
                                valid));
    }
    return options.states;
}

}  // namespace

int ps(const PsOptions& options) {
    JobQuery query;
    auto states = states_of(options);
    if (!states) return report(states.error());
    query.states = std::move(*states);
    query.name = options.name;
    query.tenant = options.tenant;
    query.user = options.user;
    query.limit = options.limit;
    HubLink hub(hub_url(options.common.hub));
    if (options.watch) count_interrupts();
    const bool redraw = options.watch && ::isatty(1) == 1 && !options.common.json;
    Patience patience;
    for (;;) {
        const auto answer = hub.jobs(query);
        if (!answer) {
            if (options.watch && patience.wait_after(answer.error())) continue;
            return report(answer.error());
        }
        patience.answered();
        std::string text;
        if (redraw) text = "\x1b[H\x1b[2J";
        if (options.common.json) {
            out_json(answer->json);
        } else if (options.ids) {
            for (const JobInfo& job : answer->value)
                text += job.id + "\n";
        } else if (answer->value.empty()) {
            // Said on standard error: a script that counts lines must count none.
            if (redraw) {
                text += "no jobs\n";
            } else {
                note(options.all || !options.states.empty()
                         ? "no jobs"
                         : "no job waits or runs; `weir ps -a` shows those that ended");
            }
        } else {
            // Without a terminal a line is never cut: whoever reads it may want all of it.
            text += table_of(answer->value, output_width(), options.members);
        }
        out(text);
        if (!options.watch) return status_ok;
        nap(std::chrono::milliseconds(1000));
        if (interrupts() > 0) return status_ok;
    }
}

int fleet(const Common& common) {
    HubLink hub(hub_url(common.hub));
    const auto answer = hub.fleet();
    if (!answer) return report(answer.error());
    if (common.json) {
        out_json(answer->json);
        return status_ok;
    }
    // On a narrow terminal what changes stays.
    const std::size_t width = output_width();
    const bool narrow = width > 0 && width < 80;
    const bool very_narrow = width > 0 && width < 60;
    std::vector<Column> columns;
    if (!narrow) columns.push_back({"site"});
    columns.push_back({"pool", false, true});
    if (!narrow) columns.push_back({"chip"});
    columns.push_back({"nodes up", true});
    columns.push_back({"chips free", true});
    columns.push_back({"cpus free", true});
    if (!very_narrow) columns.push_back({"memory free", true});
    if (!very_narrow) columns.push_back({"jobs", true});
    TextTable table(std::move(columns));
    TextTable drained({{"node", false, true}, {"service"}, {"reason", false, true}});
    TextTable rates({{"pool", false, true}, {"rate"}, {"per chip", true}, {"basis"}});
    for (const PoolInfo& pool : answer->value) {
        std::vector<std::string> cells;
        if (!narrow) cells.push_back(pool.site);
        cells.push_back(pool.name);
        if (!narrow) cells.push_back(pool.chip.empty() ? "-" : pool.chip);
        cells.push_back(fmt::format("{}/{}", pool.nodes_up, pool.nodes));
        cells.push_back(
            fmt::format("{}/{}", number_cell(pool.chips_free), number_cell(pool.chips_total)));
        cells.push_back(
            fmt::format("{}/{}", number_cell(pool.cpus_free), number_cell(pool.cpus_total)));
        if (!very_narrow) {
            cells.push_back(fmt::format("{}/{}",
                                        format_bytes({pool.memory_free_bytes}),
                                        format_bytes({pool.memory_total_bytes})));
            cells.push_back(std::to_string(pool.jobs_running));
        }
        table.row(std::move(cells));
        for (const auto& [node, reason] : pool.drained)
            drained.row({node, "drained", reason});
        for (const RateInfo& rate : pool.rates) {
            rates.row({pool.name, rate.name, format_rate(rate.value, rate.unit), rate.basis});
        }
    }
    out(table.text(width));
    if (!rates.empty()) out("\n" + rates.text(width));
    if (!drained.empty()) out("\n" + drained.text(width));
    const auto reservations = hub.reservations();
    if (!reservations) return report(reservations.error());
    if (!reservations->value.empty()) out("\n" + reservation_table(reservations->value));
    const auto status = hub.status();
    if (!status) return report(status.error());
    if (!status->value.pending_change.empty()) note(status->value.pending_change);
    for (const std::string& sentence : status->value.over_power)
        note(sentence);
    return status_ok;
}

}  // namespace weir::cli
