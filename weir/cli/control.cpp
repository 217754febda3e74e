// `weir cancel`, `weir wait` and `weir logs`.
#include <fmt/format.h>

#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/follow.hpp"
#include "weir/cli/hub_link.hpp"
#include "weir/cli/print.hpp"

namespace weir::cli {
namespace {

// "succeeded"; of an array "succeeded (10 jobs)", or "failed (2 failed, 8 succeeded; first 12_3)":
// the word comes first, for scripts.
std::string states_text(const CountsInfo& counts) {
    std::string word = "failed";
    std::string all;
    for (const auto& [state, count] : counts.states) {
        if (count == counts.members) word = state;
        all += fmt::format("{}{} {}", all.empty() ? "" : ", ", format_count(count), state);
    }
    const std::string painted = paint(word, tone_of_state(word));
    if (counts.members == 1) return painted;
    if (counts.states.size() == 1) {
        return fmt::format("{} ({})", painted, format_count(counts.members, "job"));
    }
    return fmt::format("{} ({}; first {})", painted, all, counts.first_failed);
}

}  // namespace

int cancel(const JobsOptions& options) {
    HubLink hub(hub_url(options.common.hub));
    int status = status_ok;
    std::uint64_t total = 0;
    for (const std::string& reference : options.jobs) {
        const auto answer = hub.cancel(reference);
        if (!answer) {
            // The others are still cancelled: each was asked for by itself.
            status = report(answer.error());
            if (answer.error().code == Code::unavailable) return status;
            continue;
        }
        total += answer->value;
        if (options.common.json) continue;
        if (answer->value == 0) {
            out(fmt::format("{} has already ended\n", reference));
        } else if (answer->value == 1) {
            out(fmt::format("{} is being cancelled\n", reference));
        } else {
            out(fmt::format("{} is being cancelled ({} jobs)\n", reference, answer->value));
        }
    }
    if (options.common.json) out_json(fmt::format("{{\"cancelled\":{}}}", total));
    return status;
}

int wait(const JobsOptions& options) {
    std::optional<std::chrono::steady_clock::time_point> deadline;
    if (!options.timeout.empty()) {
        const auto timeout = parse_duration(options.timeout);
        if (!timeout) return report(timeout.error().at("--timeout"));
        if (*timeout > seconds(std::int64_t{10} * 365 * 86'400)) {
            return report({Code::invalid,
                           fmt::format("--timeout: '{}' is more than 10y; leave it out to wait as "
                                       "long as it takes",
                                       options.timeout)});
        }
        deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout->count());
    }
    count_interrupts();
    HubLink hub(hub_url(options.common.hub));
    const auto ended = wait_for(hub, options.jobs, deadline);
    if (!ended) return report(ended.error());
    if (!*ended) {
        if (interrupts() > 0) return status_interrupted;
        note(fmt::format("not all had ended after {}", options.timeout));
        return status_timeout;
    }
    if (options.common.json) {
        std::vector<std::string> answers;
        for (const CountsInfo& counts : **ended) {
            const auto job = hub.job(counts.id);
            if (!job) return report(job.error());
            answers.push_back(job->json);
        }
        out_json(joined_jobs_json(answers));
    }
    int status = status_ok;
    for (const CountsInfo& job : **ended) {
        if (!job.has_succeeded()) status = status_failed;
        if (!options.common.json) out(fmt::format("{} {}\n", job.id, states_text(job)));
    }
    return status;
}

int logs(const LogsOptions& options) {
    FollowOptions how;
    how.follow = options.follow;
    how.with_stdout = !options.only_stderr;
    how.with_stderr = !options.only_stdout;
    how.stderr_apart = !options.only_stderr;
    how.rank = options.rank;
    how.attempt = options.attempt;
    HubLink hub(hub_url(options.common.hub));
    if (options.common.json) {
        // Where the files are, for programs that would rather read them themselves.
        const auto answer = hub.job(options.job);
        if (!answer) return report(answer.error());
        out_json(answer->json);
        return status_ok;
    }
    const auto followed = follow(hub, options.job, how);
    if (!followed) return report(followed.error());
    bool any = false;
    bool chosen = false;
    for (const JobInfo& job : followed->jobs) {
        for (const AttemptInfo& attempt : job.attempts) {
            any = true;
            if (options.attempt > 0 && attempt.number != options.attempt) continue;
            for (const TaskInfo& task : attempt.tasks) {
                chosen = chosen || options.rank < 0 || task.rank == options.rank;
            }
        }
    }
    const JobInfo& first = followed->jobs.front();
    if (!any) {
        note(fmt::format("job {} has written nothing: it is {}", first.id, first.state));
        return status_ok;
    }
    if (!chosen) {
        return report(
            {Code::not_found,
             fmt::format(
                 "job {} has no such attempt or rank; it had {} of {}",
                 first.id,
                 format_count(first.attempts.size(), "attempt"),
                 format_count(first.attempts.empty() ? 0 : first.attempts.back().tasks.size(),
                              "rank"))});
    }
    return followed->interrupted ? status_interrupted : status_ok;
}

}  // namespace weir::cli
