// The simulator: a trace, a virtual clock, and the same decision core that runs live jobs.
//
// Jobs are submitted when the log says, run for as long as the log says, and hold what the core
// gave them; everything else is the core's decision. Equal inputs give equal schedules.
//
// What can go wrong is simulated too, where it is asked for: nodes fail, and gangs that held them
// start again from their last checkpoint, or go on with another node; jobs are stopped for others;
// budgets of watts change; nodes are set apart. A job that saves its work is given a longer limit,
// by what its checkpoints and a restart cost, as its user would ask for it. An attempt that is at
// its limit before its work is done, because a gang that went on with another node did work again,
// is ended by it, and with it the job: that is no failure of a node and nobody tries again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/time.hpp"
#include "weir/sched/engine.hpp"
#include "weir/sim/demand_of.hpp"
#include "weir/sim/failures.hpp"
#include "weir/sim/house_use_meter.hpp"
#include "weir/sim/trace.hpp"
#include "weir/tenancy/rights.hpp"
#include "weir/tenancy/waterfall.hpp"

namespace weir::sim {

enum class Faults : std::uint8_t { none, reliability, log };

struct FailureOptions {
    Faults faults = Faults::none;
    FaultLog log;                 // for Faults::log
    std::uint64_t seed = 1;       // for Faults::reliability
    std::uint32_t retries = 100;  // attempts of one job that may fail before it is given up
    bool replace = false;         // a gang may go on with another node, from its last checkpoint
};

// How often jobs save their work: not at all, at an interval, or as Young or Daly advise for the
// nodes of each job (job/checkpoint_advice.hpp).
enum class CheckpointRule : std::uint8_t { none, fixed, young, daly };

// Nobody saves more often, and each one may be an instant of the replay.
inline constexpr Duration checkpoint_every_min = seconds(1);

struct CheckpointOptions {
    CheckpointRule rule = CheckpointRule::none;
    Duration every{};                // for CheckpointRule::fixed; not below the cost either
    Duration cost = seconds(60);     // of one checkpoint
    Duration restart = seconds(60);  // of going on from one
};

struct CapChange {
    Time at{};
    sched::PowerDomain domain;
    double watts = 0;  // 0 = no cap
};
struct AdvanceRequest {
    Time at{};  // when it is made
    sched::Advance advance;
};

// A loan of the organisations below, in the time of the trace.
struct LentQuota {
    sched::LoanTerm term;
    Duration notice{};         // from a recall until it takes effect
    Time recalled_at = never;  // by its lender
};

// Who watches what the core is told and decides, in order, as a journal would have it.
class Watch {
public:
    using Pass = std::vector<sched::Decision>;
    virtual ~Watch() = default;
    virtual void told(const sched::Event& event, Time now) = 0;
    // Before a pass. True: the core goes on as one does that comes back after a crash
    // (Engine::begin_anew).
    virtual bool comes_back(Time now) = 0;
    virtual void decided(const Pass& decisions, const sched::Engine& engine, Time now) = 0;
};

struct SimulationOptions {
    sched::Policy policy = sched::Policy::easy;
    std::uint32_t scale = 1;      // this many copies of every job, on as many copies of the fleet
    std::optional<Time> from{};   // only jobs submitted from here ...
    std::optional<Time> until{};  // ... to here, both included; they run to their ends
    bool each_site = false;       // every site a centre of its own (each_site.hpp)
    bool apart = false;           // each group with a quota on its own nodes, with its own queue
    // Whose rights the groups of the trace are; without tenants nobody is limited. Of copies each
    // organisation owns as many (scale).
    tenancy::Organisations organisations{};
    std::vector<LentQuota> loans{};
    tenancy::RateOf rate_of{};  // for quotas in what chips compute
    KeepsOf keeps{};            // which chips the contracts of jobs allow
    SizesOf sizes{};            // in which sizes training jobs may run
    FailureOptions failures{};
    CheckpointOptions checkpoints{};
    std::vector<CapChange> caps{};
    std::vector<AdvanceRequest> advances{};
    // The core is told run times with the errors of prediction_error.hpp.
    std::optional<std::uint64_t> prediction_error_seed{};
    // Gets the event log, line by line: docs/reference/event-log.md.
    std::function<void(std::string_view line)> log{};
    // Gets the waterfall of each job (and of which copy of it) when it is over.
    std::function<void(const TraceJob&, std::uint32_t copy, const tenancy::Losses&)> on_settled{};
    Watch* watch = nullptr;
    // Called about ten times a second with the share of jobs that ended, 0..1.
    std::function<void(double)> progress{};
};

// One job of the outcome, in the order of the trace.
struct ScheduledJob {
    std::uint32_t trace_job = 0;  // position in Trace::jobs
    std::uint32_t copy = 0;       // 0 .. scale-1
    Time start{};                 // of its first attempt
    Time end{};                   // of its last
    std::uint32_t nodes = 0;
    double chips = 0;          // a share of a chip counts as that share
    PoolId pool{};             // of its first node; position in the replayed fleet
    Time promised = never;     // the first promise of a start that it got, if any ...
    Time promised_at = never;  // ... and when it got it
    std::uint32_t attempts = 1;
    std::uint32_t failures = 0;     // attempts that a failed node ended
    std::uint32_t preemptions = 0;  // attempts that were stopped for others
    bool ended_by_limit = false;    // before its work was done
    Duration lost{};                // time that brought it nowhere; of it ...
    Duration checkpoints{};         // ... taking checkpoints,
    Duration restarts{};            // going on from them; the rest is work done again
    struct Trained {
        Duration run{};
        double cpus = 0;
    };
    std::optional<Trained> trained{};  // of a training job, by the size that it took
};

// A time between two attempts of a job: it is back in the queue and holds nothing.
struct Pause {
    std::uint32_t trace_job = 0;  // position in Trace::jobs
    double chips = 0;             // that it waited for again
    double cpus = 0;
    Time from{};
    Time until{};
};

// A time in which a job held nodes.
struct HeldAttempt {
    std::uint32_t job = 0;        // position in what was replayed
    std::uint32_t trace_job = 0;  // position in Trace::jobs
    std::uint32_t number = 1;     // of the attempt; the same again where a node was replaced
    fleet::Placement on;
    Time from{};
    Time until{};
};
inline constexpr std::size_t held_attempts_max = 300;

// Power of a rack against its cap over a run; only of pools that say what a node draws.
struct RackPower {
    PoolId pool;
    std::uint32_t rack = 0;
    double cap_watts = 0;  // 0 = none
    double mean_watts = 0;
    double max_watts = 0;
    double over_cap_s = 0;  // for how long it drew more than its cap
};

// All nodes together, whenever it changes (at most some thousand points: then bins of time).
struct PowerPoint {
    Time at{};
    double watts = 0;
};

struct Metrics {
    std::uint64_t jobs = 0;
    std::uint64_t jobs_skipped = 0;  // outside the window, without quota, wider than the fleet
    double makespan_s = 0;           // last end - first submission
    double wait_mean_s = 0;
    double wait_median_s = 0;  // element n/2 of the sorted waits
    double wait_p95_s = 0;     // what 95 % of the jobs stayed at or below: nearest_rank()
    double wait_p99_s = 0;
    double wait_max_s = 0;
    double bounded_slowdown_mean = 0;   // max(1, (wait + run) / max(run, 10 s))
    double completion_mean_s = 0;       // end - submission
    double utilisation = 0;             // held chip-seconds (or CPU-seconds, see below) / capacity
    std::uint64_t promises = 0;         // jobs that were promised a start
    std::uint64_t promises_broken = 0;  // of them started later than first promised
    double promise_late_max_s = 0;      // by how much at most
    std::uint64_t node_failures = 0;    // from the first submission to the last end
    std::uint64_t attempts_failed = 0;  // ended by a failed node
    std::uint64_t nodes_replaced = 0;   // in gangs that went on
    std::uint64_t ended_by_limit = 0;   // jobs, before their work was done
    std::uint64_t preemptions = 0;
    std::uint64_t copies = 0;    // of datasets between sites
    double copied_bytes = 0;     // by them
    double forgotten_bytes = 0;  // of copies that made room for others
    double lost_share = 0;       // of allocated chip-seconds; the sum of the next three
    double redone_share = 0;     // work that no checkpoint held, or of jobs that never came out
    double checkpoint_share = 0;
    double restart_share = 0;
    double useful_share = 1;     // of allocated chip-seconds
    double energy_kwh = 0;       // of all nodes, idle ones included; 0 = no node says what it draws
    double power_max_watts = 0;  // of all nodes together, at any moment
    double wall_s = 0;           // of the replay, without reading the trace
    std::uint64_t decisions = 0;
    std::uint64_t digest = 0;  // of all decisions
};

struct Simulation {
    fleet::Fleet fleet;              // that was replayed on, scaled
    std::vector<ScheduledJob> jobs;  // only those that ran
    std::vector<Pause> pauses;       // of those that began more than once, in no order
    Metrics metrics;
    // From the first submission to the last end, or to when the last job was dropped.
    tenancy::Books books{};
    HouseHoursTable houses{};             // of the same time, where organisations have rights
    std::vector<HeldAttempt> attempts{};  // of a run with few of them, by when they began
    std::vector<RackPower> racks;         // where nodes say what they draw
    std::vector<PowerPoint> power;        // of all nodes together
    std::vector<std::string> notes;       // what was left out and why
};

// Where in a sorted row of `count` values the least one stands that so many per cent of them are at
// or below. Requires: count > 0, percent in 1 .. 100.
constexpr std::size_t nearest_rank(std::size_t count, std::size_t percent) {
    return (count * percent + 99) / 100 - 1;
}

// Whether use is counted in chips, else in CPUs: a log most of whose jobs ask for no chip is about
// CPUs, even where a few nodes have chips.
bool counted_in_chips(const Simulation& simulation);

// How long a job held its nodes, all attempts together, and how much of it was its work.
struct Held {
    Duration wall{};
    Duration useful{};
};
Held held_by(const ScheduledJob& job, const TraceJob& its);

// Its work, and the CPUs that it had: by the log, or by the size of a training job.
Duration run_of(const ScheduledJob& job, const TraceJob& its);
double cpus_of(const ScheduledJob& job, const TraceJob& its, const Trace& trace);

// max(1, (wait + run) / max(run, 10 s)); of a job that ran more than once, or not to the end of
// its work, all of its time until its end counts.
double bounded_slowdown(const ScheduledJob& job, const TraceJob& its);

// The quotas that come with a trace as organisations that lend and borrow without limits. The error
// says why there are none.
Result<tenancy::Organisations> organisations_of(const Trace& trace);
// The organisation that a group of a trace is, or belongs to; none: of none.
std::vector<TenantId> tenants_of_names(const Trace& trace, const tenancy::Organisations& house);

// Requires: trace.fleet is what to replay on (put another one there for --fleet).
Result<Simulation> simulate(const Trace& trace, const SimulationOptions& options);

}  // namespace weir::sim
