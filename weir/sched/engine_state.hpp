// The state of the engine, and what can be done to it; private to engine.cpp and explain.cpp.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "weir/base/digest.hpp"
#include "weir/sched/engine.hpp"
#include "weir/sched/job_table.hpp"
#include "weir/sched/queue.hpp"
#include "weir/sched/reservation.hpp"

namespace weir::sched {

struct DemandHash {
    std::size_t operator()(const fleet::Demand& demand) const noexcept {
        Digest digest;
        digest.add(static_cast<std::uint32_t>(demand.within));
        for (const fleet::GangPart& part : demand.parts) {
            digest.add(std::uint64_t{part.replicas} << 32 | part.each.chips);
            digest.add(std::uint64_t{part.each.chip_permille} << 32 | part.each.cpus_milli);
            digest.add(part.each.memory.count);
        }
        for (const PoolId pool : demand.pools)
            digest.add(pool.value);
        return static_cast<std::size_t>(digest.value());
    }
};

struct Engine::State {
    struct Array {
        std::uint32_t alive = 0;  // members that wait or run
        std::uint32_t running = 0;
        std::uint32_t at_once_max = 0;
    };
    struct Dependent {
        JobId job;
        Needs needs = Needs::success;
    };
    struct Doomed {
        JobId job;
        JobId because_of;
    };

    State(fleet::Fleet its_fleet, Policy its_policy)
        : fleet(std::move(its_fleet)),
          policy(its_policy),
          free(fleet),
          reservation(fleet),
          queue(jobs) {
        health.resize(fleet.pools.size());
        for (std::size_t i = 0; i < fleet.pools.size(); ++i) {
            health[i].assign(fleet.pools[i].nodes, NodeHealth::up);
        }
    }

    fleet::Fleet fleet;
    Policy policy;
    fleet::FreeIndex free;    // now
    Reservation reservation;  // at the reserved time; not kept up under fcfs
    JobTable jobs;
    Queue queue;
    Shapes shapes;
    std::unordered_map<fleet::Demand, std::uint32_t, DemandHash> shape_of_demand;
    std::unordered_map<JobId, Array> arrays;  // only throttled ones
    std::unordered_map<JobId, std::vector<Dependent>> dependents;
    std::unordered_map<JobId, std::vector<Dependency>> dependencies;  // of held jobs
    std::vector<Doomed> doomed;  // their dependency failed; dropped in the next pass
    std::vector<std::vector<NodeHealth>> health;
    JobId reserved;  // who has the reservation, as last announced
    Time reserved_at = never;
    std::uint64_t gains = 1;  // counts times at which more became free
    std::uint64_t step = 1;   // counts changes of what is free, or of the reservation
    std::uint64_t submissions = 0;
    Counts counts;
    Digest digest;
    fleet::Placement found;      // scratch
    Time told_at = Time::min();  // of the last event or pass

    void on(const JobSubmitted& event);
    void on(const JobEnded& event);
    void on(const JobCancelled& event);
    void on(const NodeChanged& event);
    void on(const Checkpointed&) {}
    void on(const ReplicaLost&) {}
    void on(const PowerCapSet&) {}
    void on(const AdvanceMade&) {}
    void on(const AdvanceEnded&) {}
    template <class Other>
    Result<void> follow(const Other&, Cause, Time) { return {}; }

    std::uint32_t shape_for(const fleet::Demand& demand);
    bool held_back_by_array(const Job& job) const;
    bool find_now(ShapeInfo& shape);
    void advance(Time to);
    void start(
        std::uint32_t slot, Time at, Cause cause, bool counted, std::vector<Decision>& decisions);
    void started(std::uint32_t slot, Time at, Cause cause, bool counted);
    void reserve(const Job& job, Time at, std::vector<Decision>& decisions);
    void reserved_for(JobId job, Time at);
    void drop(std::uint32_t slot);
    Result<void> follow(const Start& start, Cause cause, Time at);
    Result<void> follow(const Reserve& reserve, Cause cause, Time at);
    Result<void> follow(const Drop& drop, Cause cause, Time at);
    void drop_doomed(std::vector<Decision>& decisions);
    void finish(JobId id, Outcome outcome);
    void backfill(std::uint32_t reserved_slot, Time now, std::vector<Decision>& decisions);
    void announce(std::vector<Decision>& decisions, Decision decision);
};

}  // namespace weir::sched
