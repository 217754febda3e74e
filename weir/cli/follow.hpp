// Following: jobs until they end, and what they write meanwhile.
//
// The hub may be restarted while somebody follows: running jobs outlive it, so the follower says
// so once and goes on asking. Only a hub that stays away for longer than `patience` ends it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/cli/hub_link.hpp"

namespace weir::cli {

// How a job ended, as a shell would say it: its exit code, 128 + signal, 124 for the time limit,
// 130 when cancelled, 1 for anything else that is no success.
int exit_status_of(const JobInfo& job);
// "job 12 (train) failed: exit code 3", for people.
std::string ending_of(const JobInfo& job);

// Asks again while the hub is away, up to `patience`; says so on standard error once.
class Patience {
public:
    explicit Patience(std::chrono::seconds patience = std::chrono::seconds(60));
    // True when the question should be asked again (after a pause).
    bool wait_after(const Error& error);
    void answered();

private:
    std::chrono::seconds patience_;
    std::optional<std::chrono::steady_clock::time_point> away_since_;
};

// How long to wait before asking again: quick at first, once a second in the long run.
class Pace {
public:
    void something_happened();
    std::chrono::milliseconds next();

private:
    std::chrono::milliseconds pause_{10};
    std::chrono::steady_clock::time_point quiet_since_ = std::chrono::steady_clock::now();
};

// A job, or all members of an array, looked at again and again. Few members are asked for in full
// each time; of many it is asked how far they have come, and for all of them only when that has
// changed, and more rarely the more they are.
class Watched {
public:
    Watched(HubLink& hub, std::string reference) : hub_(&hub), reference_(std::move(reference)) {}

    Result<void> look();
    // The rest is about the last look that succeeded.
    [[nodiscard]] const std::vector<JobInfo>& jobs() const { return jobs_; }
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] const std::string& reference() const { return reference_; }  // by id

private:
    HubLink* hub_;
    std::string reference_;
    CountsInfo counts_;
    std::vector<JobInfo> jobs_;
    bool ended_ = false;
    std::chrono::steady_clock::time_point asked_at_;
};

// SIGINT and SIGTERM from now on only count; `interrupts()` says how many came.
void count_interrupts();
int interrupts();
// Sleeps up to the given time, less when a signal arrives.
void nap(std::chrono::milliseconds time);

struct FollowOptions {
    bool follow = true;  // false: print what is there and return
    bool with_stdout = true;
    bool with_stderr = true;
    bool stderr_apart = true;   // standard error of the job goes to ours
    std::int64_t rank = -1;     // -1 = every rank
    std::uint32_t attempt = 0;  // 0 = every attempt from the last one on
    bool cancel_on_interrupt = false;
};

struct Followed {
    std::vector<JobInfo> jobs;
    bool interrupted = false;
};

// Prints what the job (all members of an array) writes. Lines carry a label in front when they
// come from several members or ranks.
Result<Followed> follow(HubLink& hub, const std::string& reference, const FollowOptions& options);

// Waits until every job, every member of an array, is final; how they ended, in the order of
// `references`. nullopt: the deadline passed, or a signal came.
Result<std::optional<std::vector<CountsInfo>>> wait_for(
    HubLink& hub,
    const std::vector<std::string>& references,
    std::optional<std::chrono::steady_clock::time_point> deadline);

}  // namespace weir::cli
