// Plan: who holds which nodes until when, what is promised of them later, and the earliest time at
// which a gang will fit.
//
// The one idea: nodes of a pool with the same future are one *run*. A gang on a thousand nodes is
// one run, and "from when on will sixteen of these be free together for four hours?" costs as many
// steps as there are different futures. Ends are by limits, which users promise and executors
// enforce. A promise is a proof: it names nodes (a claim), and on them nothing else may be in its
// way, so it can be kept whatever comes later.
//
//     node 0  ████ running ████│                 │░░ claim ░░│
//     node 1  ██ running ██│                     │░░ claim ░░│
//     node 2                                     │░░ claim ░░│
//             now                                 at         until
//
// What is claimed later may be used until then: Plan tells FreeIndex the horizon of each claimed
// node, and so a decision to start something now never has to look at the plan.
//
// earliest() is exact for what it sees (whole futures of single nodes, domains, watts): it jumps
// from a time to the next at which enough nodes could have become free, never past the first at
// which they are; the first jump is made on counts alone (timeline.hpp).
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "weir/base/time.hpp"
#include "weir/fleet/demand.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/fleet/free_index.hpp"
#include "weir/fleet/power.hpp"
#include "weir/sched/event.hpp"
#include "weir/sched/timeline.hpp"

namespace weir::sched {

// Somebody's place in the future: on these nodes, in [at, until). The chips are counted, not named:
// chip masks are 0.
struct Place {
    Time at = never;
    Time until = never;
    fleet::Placement placement;

    [[nodiscard]] bool found() const { return at != never; }
    friend bool operator==(const Place&, const Place&) = default;
};

class Plan {
public:
    // Tells `free` about horizons. Requires: it outlives the plan.
    Plan(const fleet::Fleet& fleet, fleet::FreeIndex& free);

    // A job holds its placement until end_by; it has ended (with the same arguments).
    void started(JobId job, const fleet::Shape& shape, const fleet::Placement& held, Time end_by);
    void ended(JobId job, const fleet::Shape& shape, const fleet::Placement& held, Time end_by);
    void set_in_service(PoolId pool, std::uint32_t node, bool in_service);

    // Promises a place, and takes the promise back.
    void claim(JobId job, const fleet::Shape& shape, const Place& place);
    void release(JobId job, const fleet::Shape& shape, const Place& place);
    // The same in one step, so that nodes that stay claimed are not touched twice: release(), then
    // earliest(), then claim(), then settle().
    void release_quietly(JobId job, const fleet::Shape& shape, const Place& place);
    void claim_quietly(JobId job, const fleet::Shape& shape, const Place& place);
    void settle(const fleet::Placement& placement);

    // Nodes set apart, whole. `begun`: its time has come.
    void set_apart(const Advance& advance, bool begun);
    void begin(const Advance& advance);
    void give_back(const Advance& advance);

    void set_power(const PowerDomain& domain, double watts);

    // The earliest place for `duration` from `from` on; not found() if there is none (or only after
    // more steps than are worth it). Only domains with a pool that is_wanted are looked at.
    [[nodiscard]] Place earliest(const fleet::Shape& shape,
                                 Time from,
                                 Duration duration,
                                 const std::function<bool(PoolId)>& is_wanted = {});

    // Counts runs looked at, for a budget of work.
    [[nodiscard]] std::uint64_t work() const { return work_; }
    [[nodiscard]] std::uint64_t runs(PoolId pool) const { return pools_[pool.value].runs.size(); }
    // What will be free in a pool, in thousandths of chips (of CPUs where it has no chips).
    [[nodiscard]] const Timeline& free_over_time(PoolId pool) const {
        return pools_[pool.value].free;
    }

    // Who holds something on a node, and until when.
    struct Hold {
        Time end;
        JobId job;
        std::uint64_t chips = 0;  // by bits
        std::uint32_t cpus_milli = 0;
        Bytes memory;
        std::int64_t milliwatts = 0;   // on each node
        std::int64_t chips_milli = 0;  // on each node, shares as shares
        friend bool operator==(const Hold&, const Hold&) = default;
    };
    [[nodiscard]] const std::vector<Hold>& holds(PoolId pool, std::uint32_t node) const;
    // Whether nothing that is held or promised there reaches into [from, until).
    [[nodiscard]] bool is_empty(PoolId pool, std::uint32_t node, Time from, Time until) const;

private:
    // What may be used in common: chips that are wholly free, CPUs, memory.
    struct Amounts {
        std::int64_t chips = 0;
        std::int64_t cpus_milli = 0;
        std::int64_t memory = 0;
        friend bool operator==(const Amounts&, const Amounts&) = default;
    };
    struct Claim {
        Time from;
        Time until;
        JobId job;              // who it is promised to, or none: set apart for
        std::uint32_t tag = 0;  // this advance reservation
        bool begun = false;
        Amounts amounts;
        std::int64_t milliwatts = 0;  // on each node
        friend bool operator==(const Claim&, const Claim&) = default;
    };
    struct Future {
        bool in_service = true;
        std::vector<Hold> holds;
        std::vector<Claim> claims;
        friend bool operator==(const Future&, const Future&) = default;
    };
    struct Run {
        std::uint32_t first = 0;
        std::uint32_t count = 0;
        std::uint32_t future = 0;  // position in futures_
    };
    // Watts of equal domains of a pool, each `span` nodes; of a site, one domain. Nothing is
    // counted until one of them gets a budget.
    struct Watched {
        std::uint32_t span = 1;
        std::vector<std::int64_t> budget_milliwatts;  // by domain; 0 = none
        std::vector<Timeline> drawn;                  // by domain, below 0: what is drawn
        [[nodiscard]] bool any() const { return !drawn.empty(); }
    };
    struct PoolPlan {
        const fleet::Pool* pool = nullptr;
        PoolId id;
        std::vector<Run> runs;  // by first; together all nodes
        Timeline free;
        Watched racks;
        Watched pods;
        std::uint32_t site = 0;  // position in sites_
    };
    // Nodes in a row that offer the same at some time.
    struct Piece {
        std::uint32_t pool = 0;
        std::uint32_t first = 0;
        std::uint32_t count = 0;
        Amounts amounts;
        Time freed_at;               // when the last of it becomes free
        std::uint32_t rank = 0;      // of its pool in the order of preference
        std::uint32_t replicas = 0;  // scratch: that one node can hold
    };
    // Where a gang must stay: nodes [first, last) of each of some pools of one domain.
    struct Unit {
        const std::vector<PoolId>* pools = nullptr;
        std::uint32_t first = 0;
        std::uint32_t last = 0;
    };

    [[nodiscard]] std::size_t run_of(const PoolPlan& pool, std::uint32_t node) const;
    std::size_t split(PoolPlan& pool, std::uint32_t node);
    template <class Change>
    void change(PoolId pool, std::uint32_t first, std::uint32_t count, Change change);
    void refresh(PoolId pool, std::uint32_t first, std::uint32_t count);
    [[nodiscard]] fleet::Horizon horizon_of(const PoolPlan& pool, const Future& future) const;
    void count_free(PoolPlan& pool,
                    std::uint32_t nodes,
                    std::int64_t chips_milli,
                    std::int64_t cpus_milli,
                    Time from,
                    Time until,
                    int sign);
    void count_watts(PoolPlan& pool,
                     std::uint32_t first,
                     std::uint32_t nodes,
                     std::int64_t milliwatts,
                     Time from,
                     Time until,
                     int sign);
    void count_claim(PoolPlan& pool, std::uint32_t nodes, const Claim& claim, int sign);
    static void draw(Watched& watched,
                     std::uint32_t first,
                     std::uint32_t nodes,
                     std::int64_t milliwatts,
                     Time from,
                     Time until,
                     int sign);
    void watch(Watched& watched, PoolPlan& pool, bool whole_site);

    [[nodiscard]] Amounts amounts_of(const PoolPlan& pool,
                                     const fleet::ReplicaDemand& each,
                                     std::uint32_t replicas) const;
    [[nodiscard]] Amounts available(
        const PoolPlan& pool, const Future& future, Time from, Time until, std::uint32_t tag) const;
    [[nodiscard]] std::uint32_t replicas_in(const PoolPlan& pool,
                                            const Amounts& amounts,
                                            const fleet::ReplicaDemand& each) const;
    Time earliest_in(const fleet::Shape& shape,
                     const Unit& unit,
                     Time from,
                     Duration duration,
                     Time before,
                     fleet::Placement& placement,
                     std::uint64_t& spare);
    bool place_part(const fleet::GangPart& part,
                    std::uint32_t number,
                    fleet::Level within,
                    Time at,
                    Time until,
                    fleet::Placement& placement);
    // Takes so many replicas of one node of a piece (all nodes of it where watts do not matter).
    std::uint32_t powered(PoolPlan& pool,
                          std::uint32_t node,
                          std::int64_t milliwatts_each,
                          std::uint32_t replicas,
                          Time at,
                          Time until);
    std::int64_t& room_of(const Watched& watched, std::uint32_t domain, Time at, Time until);

    fleet::FreeIndex& free_;
    std::vector<fleet::Pool> facts_;
    std::vector<PoolPlan> pools_;
    std::vector<Watched> sites_;
    std::vector<Future> futures_;
    std::vector<std::uint32_t> unused_;  // positions in futures_
    std::uint64_t work_ = 0;

    // Scratch of earliest().
    std::vector<Piece> pieces_;
    std::vector<std::vector<std::pair<Time, std::uint64_t>>> gains_;  // for each part of the gang
    std::vector<Time> moments_;
    std::vector<Time> later_;
    std::vector<std::pair<const Timeline*, std::int64_t>> rooms_;  // milliwatts left
};

}  // namespace weir::sched
