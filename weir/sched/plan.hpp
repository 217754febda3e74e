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
// node, and what of the watts around it is promised; so a decision to start something now never has
// to look at the plan.
//
// earliest() is exact for what it sees (whole futures of single nodes, domains, watts): it jumps
// from a time to the next at which enough nodes could have become free, never past the first at
// which they are; the first jump is made on counts alone (timeline.hpp). Only where nodes and watts
// (or the parts of a gang) are each enough, but for many moments not together, are some moments
// passed over; the place is then one before which the last moment tried did not do.
//
// Threads: one at a time.
#pragma once

#include <algorithm>
#include <array>
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
#include "weir/sched/runs.hpp"
#include "weir/sched/timeline.hpp"

namespace weir::sched {

// Somebody's place in the future: on these nodes, in [at, until). The chips are counted, not named:
// chip masks are 0.
struct Place {
    Time at = never;
    Time until = never;
    fleet::Placement placement;
    bool kept_free = false;  // others are stopped for it: nobody else uses the nodes before `at`

    [[nodiscard]] bool found() const { return at != never; }
    // From then on others have to be gone.
    [[nodiscard]] Time kept_from() const { return kept_free ? Time::min() : at; }
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

    // Promises a place, takes the promise back, or puts another in its place; what is the same in
    // both is not touched.
    void claim(JobId job, const fleet::Shape& shape, const Place& place) {
        move_claim(job, shape, {}, place);
    }
    void release(JobId job, const fleet::Shape& shape, const Place& place) {
        move_claim(job, shape, place, {});
    }
    void move_claim(JobId job, const fleet::Shape& shape, const Place& from, const Place& to);

    // Nodes set apart, whole. `begun`: its time has come.
    void set_apart(const Advance& advance, bool begun);
    void begin(const Advance& advance);
    void give_back(const Advance& advance);

    void set_power(const PowerDomain& domain, double watts);

    // The earliest place for `duration` from `from` on; not found() if there is none (or only after
    // more steps than are worth it). Only domains with a pool that is_wanted are looked at, only
    // times up to `not_after`, and, where there are nodes `around`, only the racks (pods, domains:
    // what the gang stays within) that have more when something is gone from these; of a gang of
    // one replica only such nodes. What `own` has claimed is not in the way of the one who asks.
    struct Own {
        JobId job;
        const Place* place = nullptr;  // null = nothing
    };
    [[nodiscard]] Place earliest(const fleet::Shape& shape,
                                 Time from,
                                 Duration duration,
                                 const Own& own,
                                 const std::function<bool(PoolId)>& is_wanted = {},
                                 Time not_after = never,
                                 const std::vector<fleet::NodeRange>& around = {});

    // The same as a question from outside, which a replay does not ask: what later searches cost is
    // as if it had not been asked.
    [[nodiscard]] Place ask(
        const fleet::Shape& shape, Time from, Duration duration, const Own& own, Time not_after) {
        asked_ = true;
        Place place = earliest(shape, from, duration, own, {}, not_after);
        asked_ = false;
        return place;
    }

    // What is known of futures is worked out again, and counts as work again.
    void begin_anew();
    // Counts runs looked at, for a budget of work.
    [[nodiscard]] std::uint64_t work() const { return work_; }
    [[nodiscard]] std::uint64_t runs(PoolId pool) const { return pools_[pool.value].runs.count(); }
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
        std::int64_t milliwatts = 0;  // on each node
        std::int64_t counted = 0;     // on each node, in the measure of free_over_time
        friend bool operator==(const Hold&, const Hold&) = default;
    };
    [[nodiscard]] const std::vector<Hold>& holds(PoolId pool, std::uint32_t node) const;
    // What FreeIndex would know of a node if none were set apart.
    [[nodiscard]] fleet::Horizon horizon_without_reservations(PoolId pool, std::uint32_t node);
    // Whether nothing that is held or promised there reaches into [from, until).
    [[nodiscard]] bool is_empty(PoolId pool, std::uint32_t node, Time from, Time until) const;

private:
    // What may be used in common: chips that are wholly free, CPUs, memory.
    struct Amounts {
        std::int64_t chips = 0;
        std::int64_t cpus_milli = 0;
        std::int64_t memory = 0;
        Amounts& operator+=(const Amounts& other) {
            chips += other.chips;
            cpus_milli += other.cpus_milli;
            memory += other.memory;
            return *this;
        }
        void lower_to(const Amounts& other) {
            chips = std::min(chips, other.chips);
            cpus_milli = std::min(cpus_milli, other.cpus_milli);
            memory = std::min(memory, other.memory);
        }
        // In anything.
        [[nodiscard]] bool exceeds(const Amounts& other) const {
            return chips > other.chips || cpus_milli > other.cpus_milli || memory > other.memory;
        }
        friend Amounts operator+(Amounts a, const Amounts& b) { return a += b; }
        friend Amounts operator-(const Amounts& a) { return {-a.chips, -a.cpus_milli, -a.memory}; }
        friend bool operator==(const Amounts&, const Amounts&) = default;
    };
    struct Claim {
        Time kept_from;  // whoever else uses it has to be gone by then ...
        Time from;       // ... and from then on it counts as used
        Time until;
        JobId job;              // who it is promised to, or none: set apart for
        std::uint32_t tag = 0;  // this advance reservation
        std::uint32_t part = 0;
        bool begun = false;
        Amounts amounts;
        std::int64_t milliwatts = 0;  // on each node
        friend bool operator==(const Claim&, const Claim&) = default;
    };
    struct Step {  // from then on so much is free
        Time from;
        Amounts left;
        std::uint32_t borders = 1;  // holds and claims that begin or end then
    };
    using Steps = std::vector<Step>;
    struct Future {
        bool in_service = true;
        Time free_at = Time::min();   // when the last hold ends
        Time chips_at = Time::min();  // when the last hold of chips ends
        std::vector<Hold> holds;
        std::vector<Claim> claims;  // by job and part
        // What follows from both, without what the asker has claimed while earliest() looks for a
        // place. Empty: not worked out yet.
        mutable Steps steps;
        mutable bool is_charged = false;  // the work of working them out

        void held(const Hold& hold);
        void forget(std::vector<Hold>::iterator hold);
        void forget_steps() const {
            steps.clear();
            is_charged = false;
        }
        [[nodiscard]] bool has_claim_of(JobId job) const;
        friend bool operator==(const Future& a, const Future& b) {
            return a.in_service == b.in_service && a.holds == b.holds && a.claims == b.claims;
        }
    };
    // When something of a node with some future is free first, whatever is claimed of it. Beside
    // the futures and small, because searches ask it of very many nodes that are of no use to them.
    struct Freed {
        Time anything = Time::min();  // never: out of service
        Time chip = Time::min();
        Time all_chips = Time::min();
    };
    // Watts of equal domains of a pool, each `span` nodes; of a site, one domain. Nothing is
    // counted until one of them gets a budget.
    struct Watched {
        std::uint32_t span = 1;
        std::vector<std::int64_t> budget_milliwatts;  // by domain; 0 = none
        std::vector<Timeline> drawn;                  // by domain, below 0: what is drawn
        struct Claims {  // on so many nodes of a domain, for the same time
            Time from;
            Time until;
            std::uint32_t nodes = 0;
        };
        std::vector<std::vector<Claims>> claims;  // by domain
        // Scratch of earliest(): what the asker has claimed itself, and what is left for him.
        struct Room {
            std::uint64_t attempt = 0;  // for which one it was worked out
            std::int64_t milliwatts = 0;
        };
        std::vector<std::int64_t> own_milliwatts;
        std::vector<Room> rooms;
        [[nodiscard]] bool any() const { return !drawn.empty(); }
        // Calls visit(domain, nodes) for each domain that these nodes are in.
        template <class Visit>
        void walk(std::uint32_t first, std::uint32_t nodes, Visit visit) const {
            for (std::uint32_t node = first; node < first + nodes && any();) {
                const std::uint32_t domain = node / span;
                const std::uint32_t inside = std::min(first + nodes, (domain + 1) * span) - node;
                visit(domain, inside);
                node += inside;
            }
        }
    };
    struct PoolPlan {
        const fleet::Pool* pool = nullptr;
        PoolId id;
        Runs runs;
        std::vector<Future> futures;  // by the first node of a run
        std::vector<Freed> freed;     // beside them
        std::uint32_t out_of_service = 0;
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
    struct Stretch {  // nodes [first, last) of a pool
        std::uint32_t first = 0;
        std::uint32_t last = 0;
    };
    // Where a gang must stay: nodes [first, last) of each of some pools of one domain.
    struct Unit {
        const std::vector<PoolId>* pools = nullptr;
        std::uint32_t first = 0;
        std::uint32_t last = 0;
    };

    static void cut(PoolPlan& pool, std::uint32_t node);
    template <class Change>
    void change(PoolId pool, std::uint32_t first, std::uint32_t count, Change change);
    void refresh(PoolId pool, std::uint32_t first, std::uint32_t count);
    [[nodiscard]] fleet::Horizon horizon_of(const PoolPlan& pool, const Future& future);
    static void draw(Watched& watched,
                     std::uint32_t first,
                     std::uint32_t nodes,
                     std::int64_t milliwatts,
                     Held& sum);
    // What somebody takes in [from, until), in all counts over time.
    struct Taken {
        Held free, racks, pods, site;

        Taken(Time from, Time until)
            : free(from, until), racks(from, until), pods(from, until), site(from, until) {}
        // What was not told yet: before anybody asks.
        void tell() {
            for (Held* const its : {&free, &racks, &pods, &site})
                its->tell();
        }
    };
    void draw_all(PoolPlan& pool,
                  std::uint32_t first,
                  std::uint32_t nodes,
                  std::int64_t milliwatts,
                  Taken& taken);
    void watch(Watched& watched, PoolPlan& pool, bool whole_site);
    static void note_claims(
        Watched& watched, std::uint32_t first, std::uint32_t nodes, const Claim& claim, bool made);
    void tell_promised(const fleet::Placement& placement, bool claims_changed);
    void tell_promised(fleet::Level level, PoolPlan& pool, std::uint32_t domain);

    [[nodiscard]] Amounts amounts_of(const PoolPlan& pool,
                                     const fleet::ReplicaDemand& each,
                                     std::uint32_t replicas) const;
    [[nodiscard]] std::int64_t counted(const PoolPlan& pool, const Amounts& amounts) const;
    void note_own(const fleet::Shape& shape, int sign);
    [[nodiscard]] bool is_own(const Claim& claim) const {
        return own_.place != nullptr && claim.job == own_.job;
    }
    [[nodiscard]] bool has_own(const Future& future) const {
        return own_.place != nullptr && future.has_claim_of(own_.job);
    }
    [[nodiscard]] std::int64_t most_left(const Watched& watched,
                                         std::uint32_t domain,
                                         Time at) const;
    [[nodiscard]] std::int64_t least_drawn(const Watched& watched,
                                           std::uint32_t domain,
                                           Time at,
                                           Time until) const;
    const Steps& steps_of(const PoolPlan& pool, const Future& future, std::uint32_t tag);
    void work_out_steps(const PoolPlan& pool, const Future& future);
    [[nodiscard]] static Steps::const_iterator step_at(const Steps& steps, Time at);
    static void lay_claim(Steps& steps, Time from, Time until, const Amounts& amounts);
    static void lift_claim(Steps& steps, Time from, Time until, const Amounts& amounts);
    [[nodiscard]] static bool is_inside(const Future& future,
                                        Time from,
                                        Time until,
                                        std::uint32_t tag);
    [[nodiscard]] Amounts available(
        const PoolPlan& pool, const Future& future, Time from, Time until, std::uint32_t tag);
    [[nodiscard]] std::uint32_t replicas_in(const PoolPlan& pool,
                                            const Amounts& amounts,
                                            const fleet::ReplicaDemand& each) const;
    [[nodiscard]] static Freed freed_of(const PoolPlan& pool, const Future& future);
    void find_powered(const std::vector<fleet::GangPart>& parts,
                      const Unit& unit,
                      Time from,
                      Time not_after);
    template <class Visit>
    void walk(const Unit& unit, const std::vector<fleet::GangPart>& parts, Time by, Visit visit);
    bool collect(const fleet::Shape& shape,
                 const Unit& unit,
                 Time at,
                 Time until,
                 std::array<std::uint64_t, 2>& held);
    // For a replica that begins in [at, not_after] and stays so long.
    struct Asked {
        const fleet::ReplicaDemand& each;
        std::uint32_t tag = 0;
        Time at;
        Time not_after;
        Duration duration{};
    };
    struct Rise {
        Time at;
        std::uint64_t replicas = 0;  // more than before
    };
    const std::vector<Rise>& rises_of(const PoolPlan& pool,
                                      const Future& future,
                                      const Asked& asked);
    void find_helped(const std::vector<fleet::NodeRange>& nodes);
    [[nodiscard]] bool is_helped(const Unit& unit) const;
    [[nodiscard]] static bool needs_all_chips(const PoolPlan& pool,
                                              const std::vector<fleet::GangPart>& parts);
    Time next_chance(const fleet::Shape& shape,
                     const Unit& unit,
                     Time at,
                     Time not_after,
                     Duration duration,
                     const std::array<std::uint64_t, 2>& held);
    Time next_powered(  // plan_budgets.cpp
        const fleet::Shape& shape,
        const Unit& unit,
        Time at,
        Time not_after,
        Duration duration);
    class Together;
    Time next_change(
        const Unit& unit, Time at, Time not_after, std::uint32_t tag, std::size_t stride);
    Time earliest_in(const fleet::Shape& shape,
                     const Unit& unit,
                     Time from,
                     Duration duration,
                     Time before,
                     fleet::Placement& placement,
                     std::uint64_t& spare);
    // One part of a gang while nodes are chosen for it (plan_placing.cpp).
    struct Choice {
        const fleet::GangPart& part;
        std::uint32_t number = 0;  // of the part
        Time at;
        Time until;
        fleet::Placement& placement;
    };
    bool place_part(const Choice& choice, fleet::Level within);
    bool place_on_any(const Choice& choice);
    bool spread(const Choice& choice);
    std::size_t smallest_for(const Choice& choice, std::uint32_t replicas);
    void take(const Choice& choice, std::size_t index, std::uint32_t nodes, std::uint32_t replicas);
    static void append(const Choice& choice,
                       PoolId pool,
                       std::uint32_t first,
                       std::uint32_t nodes,
                       std::uint32_t replicas);
    [[nodiscard]] std::int64_t draw_of(const Piece& piece, const fleet::ReplicaDemand& each) const;
    [[nodiscard]] int compare_draw(const Piece& a,
                                   const Piece& b,
                                   const fleet::ReplicaDemand& each) const;
    std::uint32_t powered(const Choice& choice,
                          const Piece& piece,
                          std::uint32_t node,
                          std::uint32_t replicas);
    void draw_scratch(PoolPlan& pool, std::uint32_t node, std::int64_t milliwatts);
    template <class Visit>
    void for_budgets(PoolPlan& pool, std::uint32_t node, Visit visit);

    fleet::FreeIndex& free_;
    std::vector<fleet::Pool> facts_;
    std::vector<PoolPlan> pools_;
    std::vector<Watched> sites_;
    std::uint64_t work_ = 0;

    // Scratch of steps_of().
    Steps steps_;
    std::vector<const Hold*> latest_first_;

    // Scratch of move_claim().
    std::vector<fleet::NodeRange> old_ranges_;
    std::vector<fleet::NodeRange> new_ranges_;

    // Scratch of earliest().
    Own own_;
    bool asked_ = false;  // it is only a question
    std::vector<Piece> pieces_;
    std::vector<std::vector<std::pair<Time, std::uint64_t>>> gains_;  // for each part of the gang
    std::vector<Time> later_;
    std::vector<Rise> rises_;
    // By position of the pool in the unit: nodes whose racks may have the watts for a replica.
    std::vector<std::vector<Stretch>> powered_;
    std::vector<std::vector<Stretch>> helped_;  // by pool
    std::uint64_t steps_seen_ = 0;
    std::uint64_t attempt_ = 0;  // counts attempts to place a gang
    bool thrifty_ = false;       // pools in which a replica draws less come first
};

}  // namespace weir::sched
