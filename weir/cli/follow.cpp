#include "weir/cli/follow.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <csignal>
#include <deque>

#include "weir/base/time.hpp"
#include "weir/cli/print.hpp"

namespace weir::cli {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

int exit_status_of(const JobInfo& job) {
    if (job.state == "succeeded") return status_ok;
    if (job.state == "time_limit") return status_timeout;
    if (job.state == "cancelled") return status_interrupted;
    if (job.signal.value_or(0) > 0) return 128 + *job.signal;
    if (job.exit_code.value_or(0) > 0) return *job.exit_code;
    return status_failed;
}

std::string ending_of(const JobInfo& job) {
    std::string text = fmt::format("job {} ({}) {}", job.id, job.name, job.state);
    if (job.state == "succeeded") return text;
    if (job.state == "time_limit") {
        text = fmt::format("job {} ({}) reached its time limit", job.id, job.name);
        if (job.limit_ms) text += " of " + format_duration(Duration{*job.limit_ms});
    }
    // A reason that only repeats the state says nothing.
    if (!job.reason.empty() && job.reason != job.state) text += ": " + job.reason;
    return text;
}

Patience::Patience(std::chrono::seconds patience) : patience_(patience) {}

bool Patience::wait_after(const Error& error) {
    if (error.code != Code::unavailable) return false;
    const auto now = Clock::now();
    if (!away_since_) {
        away_since_ = now;
        note(fmt::format("{}; asking again for {}",
                         error.message,
                         format_duration(Duration{milliseconds(patience_).count()})));
    }
    if (now - *away_since_ > patience_ || interrupts() > 0) return false;
    nap(milliseconds(500));
    return true;
}

void Patience::answered() {
    if (away_since_) note("the hub answers again");
    away_since_.reset();
}

namespace {

volatile std::sig_atomic_t interrupt_count = 0;

void count_interrupt(int /*signal*/) {
    interrupt_count = interrupt_count + 1;
}

}  // namespace

void count_interrupts() {
    struct sigaction action = {};
    action.sa_handler = count_interrupt;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

int interrupts() {
    return interrupt_count;
}

void nap(milliseconds time) {
    // poll() comes back early when a signal was handled, which a sleep of the library would not.
    static_cast<void>(::poll(nullptr, 0, static_cast<int>(time.count())));
}

void Pace::something_happened() {
    pause_ = milliseconds(10);
    quiet_since_ = Clock::now();
}

milliseconds Pace::next() {
    constexpr std::chrono::seconds calm_after(5);
    const bool calm = Clock::now() - quiet_since_ > calm_after;
    pause_ = std::min(pause_ * 2, milliseconds(calm ? 1000 : 250));
    return pause_;
}

Result<void> Watched::look() {
    constexpr std::size_t few = 100;
    // Of ten thousand members, then, every ten seconds.
    constexpr milliseconds rest_per_member(1);
    if (jobs_.empty() || jobs_.size() > few) {
        WEIR_TRY(auto counts, hub_->counts(reference_));
        const auto rest = rest_per_member * static_cast<std::int64_t>(jobs_.size());
        const bool due = !(counts.value == counts_) &&
                         (counts.value.has_ended() || Clock::now() - asked_at_ > rest);
        if (!jobs_.empty() && !due) return {};
        reference_ = counts.value.id;  // a name may get a newer owner
        counts_ = std::move(counts.value);
    }
    WEIR_TRY(auto answer, hub_->job(reference_));
    jobs_ = std::move(answer.value);
    asked_at_ = Clock::now();
    ended_ =
        std::all_of(jobs_.begin(), jobs_.end(), [](const JobInfo& job) { return job.is_final(); });
    return {};
}

namespace {

constexpr std::uint64_t chunk_bytes = 1 << 18;

// One stream of one rank of one attempt of one member.
struct Source {
    std::string job;
    std::uint32_t attempt = 1;
    std::uint32_t rank = 0;
    bool is_stderr = false;
    std::uint64_t offset = 0;
    bool done = false;
    std::string partial;  // a line that has not ended, when lines are labelled
};

class Follower {
public:
    Follower(HubLink& hub, std::string reference, FollowOptions options)
        : hub_(hub), watched_(hub, std::move(reference)), options_(options) {
        if (options_.follow) count_interrupts();
    }

    // The loop: see what the job is doing, print what it wrote, and once more after its end, since
    // the last words come before the end but may be fetched after it.
    Result<Followed> run() {
        Followed followed;
        bool cancel_sent = false;
        Pace pace;
        for (;;) {
            auto looked = watched_.look();
            if (!looked) {
                if (options_.follow && patience_.wait_after(looked.error())) continue;
                return fail(std::move(looked).error());
            }
            patience_.answered();
            find_sources(watched_.jobs());
            WEIR_TRY(const bool wrote, print_new());
            const int asked = interrupts();
            const bool leave = asked > 1 || (asked > 0 && !options_.cancel_on_interrupt);
            followed.interrupted = followed.interrupted || asked > 0;
            if (!options_.follow || watched_.ended() || leave) {
                flush_partial_lines();
                followed.jobs = watched_.jobs();
                return followed;
            }
            if (asked > 0 && !cancel_sent) {
                note(
                    fmt::format("cancelling job {} (once more to leave it)", watched_.reference()));
                WEIR_CHECK(hub_.cancel(watched_.reference()));
                cancel_sent = true;
                pace.something_happened();
            }
            if (wrote) pace.something_happened();
            nap(pace.next());
        }
    }

private:
    void find_sources(const std::vector<JobInfo>& jobs) {
        std::uint64_t ranks = 0;
        for (const JobInfo& job : jobs) {
            for (const AttemptInfo& attempt : job.attempts) {
                if (!wanted(job, attempt)) continue;
                for (const TaskInfo& task : attempt.tasks) {
                    if (options_.rank >= 0 && task.rank != options_.rank) continue;
                    ++ranks;
                    add(job.id, attempt.number, task);
                }
            }
        }
        labelled_ = labelled_ || ranks > 1;
        members_ = jobs.size() > 1;
    }

    [[nodiscard]] bool wanted(const JobInfo& job, const AttemptInfo& attempt) const {
        if (options_.attempt > 0) return attempt.number == options_.attempt;
        // Without a choice: the newest, and when following also all that come after the first seen.
        return attempt.number == job.attempts.back().number || seen(job.id, attempt.number);
    }

    [[nodiscard]] bool seen(const std::string& job, std::uint32_t attempt) const {
        return std::any_of(sources_.begin(), sources_.end(), [&](const Source& source) {
            return source.job == job && source.attempt == attempt;
        });
    }

    void add(const std::string& job, std::uint32_t attempt, const TaskInfo& task) {
        const auto known = [&](const Source& source) {
            return source.job == job && source.attempt == attempt && source.rank == task.rank;
        };
        if (std::any_of(sources_.begin(), sources_.end(), known)) return;
        const bool one_file = task.stdout_path == task.stderr_path;
        if (options_.with_stdout || one_file) {
            sources_.push_back({job, attempt, task.rank, false, 0, false, ""});
        }
        if (options_.with_stderr && !one_file) {
            sources_.push_back({job, attempt, task.rank, true, 0, false, ""});
        }
    }

    // True when anything was written.
    Result<bool> print_new() {
        bool wrote = false;
        for (Source& source : sources_) {
            while (!source.done) {
                const LogQuery query{source.is_stderr ? "stderr" : "stdout",
                                     source.rank,
                                     source.attempt,
                                     source.offset,
                                     chunk_bytes};
                auto chunk = hub_.logs(source.job, query);
                if (!chunk) {
                    // The next look at the job finds out whether the hub is away.
                    if (options_.follow && chunk.error().code == Code::unavailable) return wrote;
                    return fail(std::move(chunk).error());
                }
                source.done = chunk->end;
                if (chunk->bytes.empty()) break;
                source.offset = chunk->next;
                print(source, chunk->bytes);
                wrote = true;
            }
        }
        return wrote;
    }

    void print(Source& source, const std::string& bytes) {
        if (!labelled_) return write(source, bytes);
        std::string text = source.partial + bytes;
        source.partial.clear();
        std::string labelled;
        std::size_t begin = 0;
        for (std::size_t end = text.find('\n'); end != std::string::npos;
             end = text.find('\n', begin)) {
            labelled += label(source) + text.substr(begin, end - begin + 1);
            begin = end + 1;
        }
        source.partial = text.substr(begin);
        write(source, labelled);
    }

    void flush_partial_lines() {
        for (Source& source : sources_) {
            if (source.partial.empty()) continue;
            write(source, label(source) + source.partial + "\n");
            source.partial.clear();
        }
    }

    [[nodiscard]] std::string label(const Source& source) const {
        return members_ ? fmt::format("{}.{}: ", source.job, source.rank)
                        : fmt::format("{}: ", source.rank);
    }

    void write(const Source& source, const std::string& text) {
        if (source.is_stderr && options_.stderr_apart) {
            static_cast<void>(write_all(2, text));
            return;
        }
        if (write_all(1, text)) return;
        // Nobody reads any more: what runs for a reader ends with it, as in a pipe of a shell.
        if (options_.cancel_on_interrupt) static_cast<void>(hub_.cancel(watched_.reference()));
        std::_Exit(status_pipe_closed);
    }

    HubLink& hub_;
    Watched watched_;
    FollowOptions options_;
    Patience patience_;
    std::deque<Source> sources_;
    bool labelled_ = false;
    bool members_ = false;
};

}  // namespace

Result<Followed> follow(HubLink& hub, const std::string& reference, const FollowOptions& options) {
    return Follower(hub, reference, options).run();
}

Result<std::optional<std::vector<CountsInfo>>> wait_for(HubLink& hub,
                                                        const std::vector<std::string>& references,
                                                        std::optional<Clock::time_point> deadline) {
    using Ended = std::optional<std::vector<CountsInfo>>;
    Patience patience;
    Pace pace;
    std::vector<std::string> ids = references;
    std::vector<CountsInfo> ended(references.size());
    for (bool first = true;; first = false) {
        // All of them at first, so that a wrong name is told at once and a name stays with the job
        // that has it now. Then one after the other: the last to end decides.
        bool all = true;
        for (std::size_t at = 0; at < ids.size() && (all || first); ++at) {
            if (ended[at].members > 0) continue;
            auto counts = hub.counts(ids[at]);
            while (!counts && patience.wait_after(counts.error())) {
                if (deadline && Clock::now() >= *deadline) return Ended();
                counts = hub.counts(ids[at]);
            }
            if (!counts) return fail(std::move(counts).error());
            patience.answered();
            ids[at] = counts->value.id;
            if (counts->value.has_ended()) {
                ended[at] = std::move(counts->value);
            } else {
                all = false;
            }
        }
        if (all) return Ended(std::move(ended));
        if (interrupts() > 0) return Ended();
        milliseconds pause = pace.next();
        if (deadline) {
            const auto left = std::chrono::ceil<milliseconds>(*deadline - Clock::now());
            if (left <= milliseconds(0)) return Ended();
            pause = std::min(pause, left);
        }
        nap(pause);
    }
}

}  // namespace weir::cli
