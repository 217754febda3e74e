// A scheduler that is slow and obviously right. DO NOT USE IT FOR ANYTHING BUT TESTS.
//
// It says in the plainest way what engine.hpp and pass.cpp promise: nodes are a list, the queue is
// a list, the future of a node is worked out anew from who runs and what is promised for every
// question, the earliest time is found by trying every moment at which something changes. There is
// no index and nothing shared. The fast engine must take the same decisions, placement for
// placement. It knows neither watts in the plan, nor preemption, nor prediction: for these there
// are properties and the checker of event logs.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "weir/fleet/placing_reference.hpp"
#include "weir/sched/engine.hpp"
#include "weir/sched/waiting.hpp"

namespace weir::sched {

class ReferenceEngine {
public:
    ReferenceEngine(fleet::Fleet fleet, Policy policy);
    void apply(const Event& event, Time now);
    void decide(Time now, std::vector<Decision>& decisions);

private:
    using Pieces = fleet::ReferencePlacing::Pieces;
    using Claimed = fleet::ReferencePlacing::Wanted;
    struct Promise {
        Time at = never;
        Time until = never;
        std::vector<Claimed> claimed;
        friend bool operator==(const Promise&, const Promise&) = default;
    };
    struct Job {
        Request request;
        Rank rank;
        Time submitted_at{};
        Phase phase = Phase::held;
        Outcome outcome = Outcome::succeeded;
        Time end_by{};
        Pieces pieces;
        std::optional<Promise> promise;
    };
    struct Amounts {
        std::int64_t chips = 0;
        std::int64_t cpus_milli = 0;
        std::int64_t memory = 0;
    };

    [[nodiscard]] bool throttled(const Job& job) const;
    [[nodiscard]] std::vector<Job*> waiting();  // for room, in order; not those that are throttled
    [[nodiscard]] bool has_room_for_promise(const Job& job, PoolId pool) const;

    [[nodiscard]] Amounts whole(std::size_t node) const;
    [[nodiscard]] Amounts claim_of(std::size_t node,
                                   const fleet::ReplicaDemand& each,
                                   std::uint32_t replicas) const;
    [[nodiscard]] Amounts free_at(std::size_t node, Time moment, bool less_claims) const;
    [[nodiscard]] Amounts available(std::size_t node, Time from, Time until) const;
    [[nodiscard]] Time freed_at(std::size_t node, Time at) const;
    [[nodiscard]] std::int64_t replicas_in(std::size_t node,
                                           const Amounts& amounts,
                                           const fleet::ReplicaDemand& each) const;
    void set_horizons();
    [[nodiscard]] std::optional<Promise> earliest(
        const Job& job, Time from, const std::function<bool(PoolId)>& is_wanted) const;
    [[nodiscard]] std::optional<std::vector<Claimed>> place(const Job& job,
                                                            const std::vector<std::size_t>& unit,
                                                            Time at,
                                                            Time until) const;
    [[nodiscard]] std::optional<Promise> place_for(const Job& job, Time now) const;

    bool try_to_start(Job& job,
                      Time now,
                      std::optional<Cause> cause,
                      std::vector<Decision>& decisions);
    bool start_on(Job& job,
                  const Promise& place,
                  Time now,
                  std::optional<Cause> cause,
                  std::vector<Decision>& decisions);
    void start(Job& job,
               Pieces pieces,
               Time now,
               std::optional<Cause> cause,
               std::vector<Decision>& decisions);
    void drop_doomed(std::vector<Decision>& decisions);

    fleet::Fleet fleet_;
    Policy policy_;
    fleet::ReferencePlacing placing_;  // now
    std::map<JobId, Job> jobs_;
    std::uint64_t submissions_ = 0;
};

}  // namespace weir::sched
