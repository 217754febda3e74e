// The event loop. What happens at one instant is ordered as the trace's kind asks:
//
//   classic (SWF)  the rules of the reference schedules of the archive logs: a job whose limit has
//                  come counts as gone; then submissions in file order, each followed by a pass if
//                  the new job fits; then terminations in the order of starts, each with a pass.
//   accelerator    all terminations, then all submissions, then one pass.
//
// The core is the same for both: only when it is asked differs.
#include "weir/sim/simulator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <queue>
#include <unordered_map>

#include "weir/base/assert.hpp"
#include "weir/base/digest.hpp"
#include "weir/sim/demand_of.hpp"

namespace weir::sim {
namespace {

struct End {
    Time at;
    std::uint64_t started;  // counts starts: breaks ties
    std::uint32_t job;      // position in Replay::jobs_
    friend bool operator>(const End& a, const End& b) {
        return a.at != b.at ? a.at > b.at : a.started > b.started;
    }
};

// One replay: one engine, one queue, one list of jobs.
class Replay {
public:
    Replay(const Trace& trace,
           fleet::Fleet fleet,
           sched::Policy policy,
           std::vector<ScheduledJob>& jobs)
        : trace_(trace), engine_(fleet, policy), demands_(trace, std::move(fleet)), jobs_(jobs) {}

    // `on_ended` is called with the number of jobs that ended so far, every few thousand.
    template <class OnEnded>
    void run(OnEnded on_ended);

    [[nodiscard]] const sched::Engine& engine() const { return engine_; }

private:
    const TraceJob& job(std::uint32_t index) const { return trace_.jobs[jobs_[index].trace_job]; }
    void submit(std::uint32_t index, Time now);
    void end(std::uint32_t index, Time now);
    void decide(Time now);
    void classic_instant(Time now);
    void batched_instant(Time now);
    void collect_ends(Time now);

    const Trace& trace_;
    sched::Engine engine_;
    DemandsOf demands_;
    std::vector<ScheduledJob>& jobs_;  // in order of submission
    std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
    std::vector<End> ending_;  // of this instant, in order
    std::vector<sched::Decision> decisions_;
    std::uint32_t next_ = 0;  // to be submitted
    std::uint64_t starts_ = 0;
    std::uint64_t ended_ = 0;
};

void Replay::submit(std::uint32_t index, Time now) {
    const TraceJob& its = job(index);
    sched::JobSubmitted event;
    event.request.job = JobId{index};
    event.request.limit = its.limit;
    event.request.demand = demands_.of(its);
    engine_.apply(event, now);
}

void Replay::end(std::uint32_t index, Time now) {
    engine_.apply(sched::JobEnded{JobId{index}, sched::Outcome::succeeded, false}, now);
    ++ended_;
}

void Replay::decide(Time now) {
    decisions_.clear();
    engine_.decide(now, decisions_);
    for (const sched::Decision& decision : decisions_) {
        const auto* const start = std::get_if<sched::Start>(&decision.what);
        if (start == nullptr) continue;
        const auto index = static_cast<std::uint32_t>(start->job.value);
        ScheduledJob& scheduled = jobs_[index];
        scheduled.start = now;
        scheduled.end = now + job(index).run;
        scheduled.nodes = static_cast<std::uint32_t>(start->placement.nodes());
        scheduled.pool = start->placement.ranges.front().pool;
        ends_.push({scheduled.end, starts_++, index});
    }
}

void Replay::collect_ends(Time now) {
    ending_.clear();
    while (!ends_.empty() && ends_.top().at == now) {
        ending_.push_back(ends_.top());
        ends_.pop();
    }
}

void Replay::classic_instant(Time now) {
    collect_ends(now);
    const auto at_its_limit = [&](const End& one) {
        return job(one.job).run >= job(one.job).limit;
    };
    for (const End& one : ending_) {
        if (at_its_limit(one)) end(one.job, now);
    }
    while (next_ < jobs_.size() && job(next_).submitted_at == now) {
        const std::uint32_t index = next_++;
        submit(index, now);
        if (engine_.fits_now(JobId{index})) decide(now);
    }
    for (const End& one : ending_) {
        if (!at_its_limit(one)) end(one.job, now);
        decide(now);
    }
}

void Replay::batched_instant(Time now) {
    collect_ends(now);
    for (const End& one : ending_)
        end(one.job, now);
    while (next_ < jobs_.size() && job(next_).submitted_at == now)
        submit(next_++, now);
    decide(now);
}

template <class OnEnded>
void Replay::run(OnEnded on_ended) {
    std::uint32_t instants = 0;
    while (next_ < jobs_.size() || !ends_.empty()) {
        Time now = Time::max();
        if (next_ < jobs_.size()) now = job(next_).submitted_at;
        if (!ends_.empty()) now = std::min(now, ends_.top().at);
        trace_.classic ? classic_instant(now) : batched_instant(now);
        if ((++instants & 0xFFF) == 0) on_ended(ended_);
    }
}

Result<fleet::Fleet> scaled(fleet::Fleet fleet, std::uint32_t scale) {
    for (fleet::Pool& pool : fleet.pools) {
        if (std::uint64_t{pool.nodes} * scale > fleet::nodes_per_pool_max) {
            return fail(Code::too_large,
                        fmt::format("scale: {} times {} of pool {}; a pool has at most {}",
                                    scale,
                                    format_count(pool.nodes, "node"),
                                    pool.name,
                                    format_count(fleet::nodes_per_pool_max)));
        }
        pool.nodes *= scale;
        if (scale > 1) pool.node_names.clear();
    }
    return fleet;
}

// The nodes of a group with a quota, taken from the front of the pools.
fleet::Fleet part_of(const fleet::Fleet& fleet, std::uint64_t chips) {
    fleet::Fleet part{.sites = fleet.sites, .pools = {}};
    for (const fleet::Pool& pool : fleet.pools) {
        if (chips == 0) break;
        if (pool.chips_per_node == 0) continue;
        fleet::Pool mine = pool;
        mine.nodes = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(pool.nodes, chips / pool.chips_per_node));
        mine.node_names.clear();
        chips -= std::uint64_t{mine.nodes} * mine.chips_per_node;
        if (mine.nodes > 0) part.pools.push_back(std::move(mine));
    }
    return part;
}

void measure(const Trace& trace, Simulation& simulation) {
    Metrics& metrics = simulation.metrics;
    metrics.jobs = simulation.jobs.size();
    if (simulation.jobs.empty()) return;
    std::vector<std::int64_t> waits;
    waits.reserve(simulation.jobs.size());
    Time first = Time::max();
    Time last = Time::min();
    double slowdown_sum = 0;
    double completion_sum = 0;
    double wait_sum = 0;
    double busy = 0;
    const bool by_chips = counted_in_chips(simulation);
    for (const ScheduledJob& job : simulation.jobs) {
        const TraceJob& its = trace.jobs[job.trace_job];
        const Duration wait = job.start - its.submitted_at;
        const double run_s = as_seconds(its.run);
        waits.push_back(wait.count());
        wait_sum += as_seconds(wait);
        slowdown_sum += std::max(1.0, (as_seconds(wait) + run_s) / std::max(run_s, 10.0));
        completion_sum += as_seconds(job.end - its.submitted_at);
        busy += run_s * (by_chips ? job.chips : static_cast<double>(its.cpus_milli) / 1000.0);
        first = std::min(first, its.submitted_at);
        last = std::max(last, job.end);
    }
    const std::size_t n = waits.size();
    const auto jobs = static_cast<double>(n);
    std::sort(waits.begin(), waits.end());
    const auto wait_at = [&](double share) {
        return static_cast<double>(
                   waits[static_cast<std::size_t>(share * static_cast<double>(n - 1))]) /
               1000.0;
    };
    metrics.makespan_s = as_seconds(last - first);
    metrics.wait_mean_s = wait_sum / jobs;
    metrics.wait_median_s = static_cast<double>(waits[n / 2]) / 1000.0;
    metrics.wait_p95_s = wait_at(0.95);
    metrics.wait_p99_s = wait_at(0.99);
    metrics.wait_max_s = static_cast<double>(waits.back()) / 1000.0;
    metrics.bounded_slowdown_mean = slowdown_sum / jobs;
    metrics.completion_mean_s = completion_sum / jobs;
    const double capacity = by_chips
                                ? static_cast<double>(simulation.fleet.chips_total())
                                : static_cast<double>(simulation.fleet.cpus_milli_total()) / 1000.0;
    if (capacity > 0 && metrics.makespan_s > 0) {
        metrics.utilisation = busy / capacity / metrics.makespan_s;
    }
}

}  // namespace

bool counted_in_chips(const Simulation& simulation) {
    const auto with_chips = std::count_if(simulation.jobs.begin(),
                                          simulation.jobs.end(),
                                          [](const ScheduledJob& job) { return job.chips > 0; });
    return simulation.fleet.chips_total() > 0 &&
           2 * static_cast<std::size_t>(with_chips) >= simulation.jobs.size();
}

Result<Simulation> simulate(const Trace& trace, const SimulationOptions& options) {
    WEIR_ASSERT(options.scale >= 1);
    if (trace.fleet.pools.empty()) {
        return fail(Code::invalid,
                    trace.name +
                        ": the trace does not say what machine it ran on; give one "
                        "with --fleet FILE");
    }
    if (options.apart && trace.quotas_chips.empty()) {
        return fail(Code::invalid,
                    trace.name +
                        ": virtual clusters cannot be kept apart, because the sidecar "
                        "of the trace gives no quotas (quotas_devices)");
    }
    WEIR_TRY(fleet::Fleet machine, scaled(trace.fleet, options.scale));
    Simulation simulation{
        .fleet = std::move(machine), .jobs = {}, .metrics = {}, .notes = trace.notes};

    // Who is replayed, and in which queue: one, or one for each group with a quota.
    std::uint64_t outside = 0;
    std::uint64_t without_quota = 0;
    std::uint64_t wider_than_quota = 0;
    std::uint64_t never_fits = 0;
    std::map<std::string, std::vector<ScheduledJob>> queues;
    DemandsOf demands(trace, simulation.fleet);
    const sched::Engine empty(simulation.fleet, options.policy);
    for (std::uint32_t index = 0; index < trace.jobs.size(); ++index) {
        const TraceJob& job = trace.jobs[index];
        if ((options.from && job.submitted_at < *options.from) ||
            (options.until && job.submitted_at > *options.until)) {
            ++outside;
            continue;
        }
        std::string queue;
        if (!trace.quotas_chips.empty()) {
            const auto quota = job.group == unknown_name
                                   ? trace.quotas_chips.end()
                                   : trace.quotas_chips.find(trace.names[job.group]);
            if (quota == trace.quotas_chips.end()) {
                ++without_quota;
                continue;
            }
            if (job.chips > quota->second) {
                ++wider_than_quota;
                continue;
            }
            if (options.apart) queue = quota->first;
        }
        if (!demands.can_ever_fit(empty, job)) {
            ++never_fits;
            continue;
        }
        for (std::uint32_t copy = 0; copy < options.scale; ++copy) {
            queues[queue].push_back(
                {.trace_job = index,
                 .copy = copy,
                 .chips = job.chips * static_cast<double>(job.chip_permille) / 1000.0});
        }
    }
    const auto note = [&](std::uint64_t count, const char* what) {
        if (count > 0) simulation.notes.push_back(format_count(count, "job") + what);
    };
    note(outside, " left out: submitted outside the window");
    note(without_quota, " left out: of a group without a quota");
    note(wider_than_quota, " left out: wider than the quota of the group");
    note(never_fits, " left out: too large for this fleet");
    simulation.metrics.jobs_skipped = outside + without_quota + wider_than_quota + never_fits;
    if (queues.empty()) {
        return fail(Code::invalid,
                    fmt::format("{}: no job is left to replay ({} jobs in the trace: {} outside "
                                "the window, {} without quota, {} wider than their quota, {} too "
                                "large for the fleet)",
                                trace.name,
                                trace.jobs.size(),
                                outside,
                                without_quota,
                                wider_than_quota,
                                never_fits));
    }
    std::uint64_t total = 0;
    for (const auto& queue : queues)
        total += queue.second.size();

    const auto began = std::chrono::steady_clock::now();
    Digest digest;
    std::uint64_t done = 0;
    auto reported = began;
    for (auto& [group, jobs] : queues) {
        fleet::Fleet fleet =
            options.apart ? part_of(simulation.fleet,
                                    std::uint64_t{trace.quotas_chips.at(group)} * options.scale)
                          : simulation.fleet;
        Replay replay(trace, std::move(fleet), options.policy, jobs);
        replay.run([&](std::uint64_t ended) {
            if (!options.progress) return;
            const auto now = std::chrono::steady_clock::now();
            if (now - reported < std::chrono::milliseconds(100)) return;
            reported = now;
            options.progress(static_cast<double>(done + ended) / static_cast<double>(total));
        });
        const sched::Counts counts = replay.engine().counts();
        if (counts.pending + counts.held + counts.running > 0) {
            return fail(Code::internal,
                        fmt::format("{}: {} jobs were never started", trace.name, counts.pending));
        }
        done += jobs.size();
        simulation.metrics.decisions += counts.decisions;
        digest.add(replay.engine().digest());
        simulation.jobs.insert(simulation.jobs.end(), jobs.begin(), jobs.end());
        if (queues.size() == 1) break;
        jobs = {};
    }
    simulation.metrics.wall_s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    simulation.metrics.digest = digest.value();
    if (queues.size() > 1) {
        std::sort(simulation.jobs.begin(),
                  simulation.jobs.end(),
                  [](const ScheduledJob& a, const ScheduledJob& b) {
                      return std::pair(a.trace_job, a.copy) < std::pair(b.trace_job, b.copy);
                  });
    }
    measure(trace, simulation);
    if (options.progress) options.progress(1.0);
    return simulation;
}

}  // namespace weir::sim
