// FreeIndex: what is free, and where, kept up to date take by take and give by give.
//
// The one idea: nodes of a pool that have the same things free are one *class*, so the question
// "does this gang fit?" costs as many steps as there are different classes (two on a machine that
// is used node by node), however many thousand nodes there are. Nodes move between classes as
// gangs come and go; nothing is ever rescanned or copied for a decision.
//
// Placement rule, the same for equal states everywhere (placing_reference.hpp says it plainly):
//   * a gang goes to the first domain in its order of preference that can hold it; inside that,
//     the smallest level from the one it wishes to the one it requires; among the racks (pods) of
//     a pool the one that holds it with the least to spare, ties to the lowest number;
//   * one node that can hold the whole gang is best: one that is not suspect, then one where
//     something is promised and the gang has ended by then, then one where nothing is promised,
//     then the one with the least free (fewest free chips, then CPUs, then memory), ties to the
//     lowest number;
//   * otherwise as few nodes as possible: those that hold most replicas first (then in the order
//     above), and what remains goes to the first node in that order that can hold it;
//   * the last, smaller part of a gang of several parts goes to the emptiest node, where it
//     disturbs the rest of its gang and its neighbours least;
//   * a fraction of a chip goes to the shared chip with the least room that suffices, else to a
//     chip that nobody uses;
//   * a node holds no more replicas than the watts of its rack, its pod and its site allow beside
//     what the gang itself already draws there, now and (if it stays so long) when watts that are
//     promised to others are needed; so a gang spreads over racks where they are capped. Where a
//     gang over several pools of a site does not fit so under the budget of the site, the pools
//     come first in which a replica draws less.
//
// What a rack holds is counted by its own nodes and its own budget (a pod: also those of its
// racks); the budgets around it must suffice, but do not make it tighter.
//
// Threads: one at a time. Cost: fits O(classes), find O(classes + nodes taken), take and give
// O(nodes taken); with racks or pods, see domain_index.hpp; with budgets of racks or pods, also the
// nodes of those that come near their budget, and fits counts what has changed in racks and pods
// since it was last asked; only beside promises, or in several pools under the budget of a site, it
// costs a find.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/fleet/demand.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/fleet/interner.hpp"
#include "weir/fleet/pool_index.hpp"
#include "weir/fleet/supply.hpp"

namespace weir::fleet {

// A demand with what follows from it and the fleet, worked out once: the domains (lists of pools)
// inside which the gang must stay, in order of preference. At level site a gang may spread over
// pools of one site that have the same chip; at every other level it stays inside one pool.
struct Shape {
    Demand demand;
    std::vector<std::vector<PoolId>> domains;
};

// What of a node's free things is promised to somebody: who stays beyond `until` may use only so
// much of what is free now. Worked out by who plans (sched/); `none` where nothing is promised.
struct Horizon {
    Time until = never;
    std::uint32_t chips = 0;  // wholly free ones
    std::uint32_t cpus_milli = 0;
    Bytes memory;
    friend auto operator<=>(const Horizon&, const Horizon&) = default;
};

class FreeIndex {
public:
    using Domains = std::vector<std::vector<PoolId>>;

    explicit FreeIndex(const Fleet& fleet);

    [[nodiscard]] static Domains domains_of(const Fleet& fleet, const Demand& demand);

    // Whether the gang fits into what is free, if it stays until `end` at most.
    [[nodiscard]] bool fits(const Shape& shape, Time end = never);
    // The same for one of the domains of the shape, by number.
    [[nodiscard]] bool fits_in(const Shape& shape, std::uint32_t domain, Time end = never);
    // The same if nobody had a budget of watts. Cost: where the gang must stay in a rack or a pod,
    // that of looking at every node.
    [[nodiscard]] bool fits_without_budgets(const Shape& shape, Time end = never);
    [[nodiscard]] bool has_budgets(PoolId pool) const { return has_budgets(pools_[pool.value]); }
    // Where it would go; false (and an empty placement) when it does not fit. Takes nothing.
    [[nodiscard]] bool find(const Shape& shape, Placement& placement, Time end = never);

    // The gang on the nodes that `nodes` names, so many replicas of each part on each (which chips
    // is found out), whatever is promised there; false if that is not free, or watts do not
    // suffice. Takes nothing.
    [[nodiscard]] bool find_on(const Shape& shape, const Placement& nodes, Placement& placement);
    // find() for a gang that fits on one node, among [first, last) of one pool.
    [[nodiscard]] bool find_among(const Shape& shape,
                                  PoolId pool,
                                  std::uint32_t first,
                                  std::uint32_t last,
                                  Placement& placement,
                                  Time end);

    // From now on, among the nodes that hold a gang alone the one goes first where it costs the
    // tasks to come least (supply.hpp), instead of the tightest; of all its pools, not only of the
    // first domain that holds it. The mix is learnt from the arrivals that are told.
    void place_by_supply(const Fleet& fleet);
    void arrived(const Demand& demand);
    [[nodiscard]] Supply* supply() { return supply_ ? &*supply_ : nullptr; }

    // Sets or (with a default one) clears what of the nodes of a run may still be used by those who
    // stay beyond `until`. The amounts may exceed what is free; taking and giving leave them as
    // they are. Cost: that of one node for each run of equal ones.
    void set_horizon(PoolId pool, std::uint32_t first, std::uint32_t count, const Horizon& horizon);
    [[nodiscard]] const Horizon& horizon(PoolId pool, std::uint32_t node) const {
        return horizons_[pools_[pool.value].class_of_node(node).key.horizon];
    }
    // Sets or (with a default one) clears what is promised of the watts of a rack, a pod or a site.
    // Nothing is where there is no budget.
    void set_power_promised(PoolId pool,
                            Level level,
                            std::uint32_t number,
                            const PowerPromised& promised);
    // Nodes with a tag serve only demands with the same tag, and these only such nodes.
    void set_tag(PoolId pool, std::uint32_t node, std::uint32_t tag);
    // A suspect node (it failed not long ago) is chosen only where no other will do.
    void set_suspect(PoolId pool, std::uint32_t node, bool suspect);

    // False only if the pools together have too little free, however it is spread.
    [[nodiscard]] bool could_hold(const std::vector<PoolId>& domain, const Demand& demand) const;

    // What nobody uses on a node; nothing where demands with this tag may not go.
    struct NodeFree {
        std::uint32_t chips = 0;  // wholly free ones
        std::uint32_t cpus_milli = 0;
        Bytes memory;
        // By chip, the permille that are free of those that are shared (of all others: 1000); null
        // where no chip ever was. Valid until something changes.
        const std::uint16_t* rooms = nullptr;
    };
    [[nodiscard]] std::optional<NodeFree> free_on(PoolId pool,
                                                  std::uint32_t node,
                                                  std::uint32_t tag) const;

    // Watts. A budget limits what may start; lowering it under what is drawn is allowed, and then
    // nothing starts there. 0 = no budget.
    void set_rack_power(PoolId pool, std::uint32_t rack, double watts);
    void set_pod_power(PoolId pool, std::uint32_t pod, double watts);
    void set_site_power(PoolId of_a_pool_of_the_site, double watts);
    struct PowerUse {
        double drawn_watts = 0;   // by the model of power.hpp, idle nodes included
        double budget_watts = 0;  // 0 = none
    };
    [[nodiscard]] PowerUse rack_power(PoolId pool, std::uint32_t rack) const;
    [[nodiscard]] PowerUse pod_power(PoolId pool, std::uint32_t pod) const;
    [[nodiscard]] PowerUse site_power(PoolId of_a_pool_of_the_site) const;

    // Requires: the placement came from find() for this shape and nothing it uses was taken since.
    void take(const Shape& shape, const Placement& placement);
    // The same for a placement that comes from elsewhere. False, and takes nothing, unless it is
    // the whole gang in pools of its demand and all of it is free; where the gang must stay
    // together is not looked at.
    [[nodiscard]] bool take_given(const Shape& shape, const Placement& placement);
    // Requires: it was taken before.
    void give(const Shape& shape, const Placement& placement);

    // A node out of service keeps what its jobs hold but offers nothing.
    void set_in_service(PoolId pool, std::uint32_t node, bool in_service);
    [[nodiscard]] bool in_service(PoolId pool, std::uint32_t node) const;

    using PoolTotals = weir::fleet::PoolTotals;
    [[nodiscard]] PoolTotals totals(PoolId pool) const;

    // How many replicas the largest empty node of a pool could hold (for "can it ever fit?").
    [[nodiscard]] static std::uint64_t replicas_per_empty_node(const Pool& pool,
                                                               const ReplicaDemand& each);

private:
    using Ranges = std::vector<NodeRange>;

    // One part of a gang that looks for a place.
    struct Ask {
        const ReplicaDemand& each;
        std::uint32_t replicas = 0;
        std::uint32_t number = 0;  // of the part
        std::uint32_t tag = 0;
        Time end = never;
    };
    // Where all of it must lie: in these pools, and where there is but one, among these nodes of
    // it.
    struct Zone {
        const PoolId* begin = nullptr;
        const PoolId* end = nullptr;
        std::uint32_t first = 0;
        std::uint32_t last = std::numeric_limits<std::uint32_t>::max();
        bool one_node = false;
    };
    // The nodes of one class in the zone, each of which can hold `each` replicas.
    struct Option {
        std::uint64_t each = 0;
        std::int64_t draw_mw = 0;  // of a replica, where that comes first; else 0
        PoolIndex* pool = nullptr;
        std::uint32_t pool_rank = 0;  // in the order of preference
        std::uint32_t cls = 0;
        std::uint32_t nodes = 0;
        std::uint32_t next = 0;  // lowest node not looked at yet
        std::uint32_t last = 0;
        std::uint8_t order = 0;  // suspect nodes last, then by the shadow of a promise
        bool used_up = false;
    };
    // Options between which there is nothing to choose but the number of the node.
    struct Group {
        std::size_t begin = 0;
        std::size_t end = 0;
    };
    // A node that can hold less than its group says, because of what its neighbours of the same
    // gang draw.
    struct Deferred {
        std::uint64_t holds = 0;
        std::size_t group = 0;
        std::uint32_t node = 0;
    };
    // What the gang draws where it has chosen already.
    struct Drawn {
        PoolIndex* pool = nullptr;
        std::uint32_t node = 0;
        std::int64_t mw = 0;
    };
    struct Spot {
        PoolIndex* pool = nullptr;
        std::uint32_t node = 0;
    };
    struct SitePower {
        std::int64_t budget_mw = 0;
        std::int64_t drawn_mw = 0;
        PowerPromised promised;
        [[nodiscard]] std::int64_t left_mw(Time end) const {
            const std::int64_t left = power_left_mw(budget_mw, drawn_mw);
            return budget_mw != 0 && end > promised.until ? std::min(left, promised.left_mw) : left;
        }
    };
    struct Lifted {
        PoolId pool;
        std::uint32_t node = 0;
        Horizon horizon;
    };
    struct LiftedPower {
        PoolId pool;
        Level level = Level::rack;
        std::uint32_t number = 0;
        PowerPromised promised;
    };
    struct DomainHeld {
        std::uint64_t held = 0;
        std::uint32_t domain = 0;
        friend auto operator<=>(const DomainHeld&, const DomainHeld&) = default;
    };

    // holding.cpp: how much there is room for.
    [[nodiscard]] bool has_budgets_inside(const PowerBudgets& budgets) const {
        return !budgets_lifted_ && budgets.any_inside();
    }
    [[nodiscard]] std::uint64_t holds(const PoolIndex& pool,
                                      const NodeKey& key,
                                      const Ask& ask) const;
    [[nodiscard]] std::uint64_t holds_by_power(const NodeKey& key,
                                               const Ask& ask,
                                               std::int64_t each_mw) const;
    [[nodiscard]] std::uint64_t around(const PoolIndex& pool, const Ask& ask) const;
    [[nodiscard]] std::uint64_t powered(const PoolIndex& pool,
                                        std::uint32_t node,
                                        const Ask& ask) const;
    [[nodiscard]] bool has_budgets(const PoolIndex& pool) const;
    [[nodiscard]] const DomainCounts& domain_counts(PoolIndex& pool, Level level, const Ask& ask);
    [[nodiscard]] std::uint64_t domain_holds(const PoolIndex& pool,
                                             Level level,
                                             std::uint32_t domain,
                                             const Ask& ask,
                                             const std::vector<std::uint64_t>* by_class) const;
    std::optional<std::uint32_t> tightest_domain(PoolIndex& pool,
                                                 Level level,
                                                 const Ask& ask,
                                                 bool any_will_do = false);
    void list_domains(PoolIndex& pool, Level level, const Ask& ask);
    [[nodiscard]] std::uint64_t hold_by_domains(const Ask& ask, const Zone& zone);

    // placing.cpp: where a gang goes.
    bool fits_one_part(const Shape& shape, const std::vector<PoolId>& domain, Time end);
    bool find_in(const Shape& shape, const std::vector<PoolId>& domain, Ranges& ranges, Time end);
    [[nodiscard]] bool draws_unlike(const Demand& demand, const std::vector<PoolId>& domain) const;
    bool find_cheapest(const Shape& shape, Ranges& ranges, Time end);
    bool find_at(const Shape& shape, const PoolId& pool, Level level, Ranges& ranges, Time end);
    bool find_on_one_node(const Shape& shape, const PoolId& pool, Ranges& ranges, Time end);
    bool find_parts(const Shape& shape, const Zone& zone, Ranges& ranges, Time end);
    bool find_part(const Ask& ask, const Zone& zone, Ranges& ranges);
    bool collect(const Ask& ask, const Zone& zone, bool best_is_enough);
    [[nodiscard]] int compare(const Option& a, const Option& b) const;
    [[nodiscard]] std::optional<Spot> best_spot(std::uint64_t replicas, bool loosest = false) const;
    [[nodiscard]] std::optional<Spot> cheapest_spot(const Ask& ask, std::uint64_t replicas);
    void choose_shared_chips(const Spot& spot,
                             std::uint64_t replicas,
                             const Ask& ask,
                             Ranges& ranges);
    void group_options();
    void spread(const Ask& ask, Ranges& ranges);
    bool spread_under_budgets(const Ask& ask, const Zone& zone, Ranges& ranges);
    [[nodiscard]] Spot best_spot_under_budgets(const Ask& ask, std::uint64_t replicas) const;
    const std::vector<const NodeSet*>& sets_of(const Group& group);
    void choose(const Spot& spot, std::uint64_t replicas, const Ask& ask, Ranges& ranges);
    static void append(const NodeRange& range, Ranges& ranges);
    void lower_horizons(const NodeRange& range, const Ask& ask);
    void lower_power_promised(const NodeRange& range, const Ask& ask);
    void count_promised(PoolIndex& pool, std::uint32_t node, std::int64_t mw, Time end);

    // free_index.cpp: what changes.
    [[nodiscard]] bool is_free(const Demand& demand, const NodeRange& range) const;
    void apply(const Shape& shape, const NodeRange& range, bool taking);
    NodeKey key_after(PoolIndex& pool,
                      std::uint32_t node,
                      const NodeKey& before,
                      const NodeRange& range,
                      const ReplicaDemand& each,
                      bool taking);
    [[nodiscard]] StateId state_of(const PoolIndex& pool, const NodeKey& key);
    void move_run(PoolIndex& pool,
                  std::uint32_t first,
                  std::uint32_t count,
                  std::uint32_t from,
                  std::uint32_t to);
    template <class Change>
    void change_keys(PoolIndex& pool, std::uint32_t first, std::uint32_t count, Change change);
    void count_power(PoolIndex& pool,
                     std::uint32_t first,
                     std::uint32_t count,
                     std::int64_t node_mw);
    void draw(PoolIndex& pool, std::uint32_t first, std::uint32_t count, std::int64_t node_mw);
    void refresh_power(PoolIndex& pool, std::uint32_t first, std::uint32_t count);
    [[nodiscard]] PowerPromised& promised_of(PoolIndex& pool, Level level, std::uint32_t number);
    void set_budget(PoolIndex& pool, PowerBudgets& budgets, std::uint32_t domain, double watts);
    [[nodiscard]] std::int64_t drawn_mw(const PoolIndex& pool,
                                        const PowerBudgets& budgets,
                                        std::uint32_t domain) const;
    [[nodiscard]] PowerUse use_of(const PoolIndex& pool,
                                  const PowerBudgets& budgets,
                                  std::uint32_t domain) const;
    void sweep();

    std::vector<PoolIndex> pools_;
    std::vector<SitePower> sites_;
    Interner<Rooms> rooms_;
    Interner<Horizon> horizons_;
    Interner<NodePowerPromised> power_promised_;
    std::optional<Supply> supply_;

    // Scratch, so that a question allocates nothing once it was asked a few times.
    std::vector<Option> options_;
    std::vector<Group> groups_;
    std::vector<Deferred> deferred_;
    std::vector<Drawn> drawn_;
    bool budgets_lifted_ = false;  // for one question
    bool thrifty_ = false;         // pools in which a replica draws less come first
    std::vector<const NodeSet*> sets_;
    std::vector<std::uint64_t> by_class_;
    std::vector<std::uint32_t> option_of_class_;
    std::vector<DomainHeld> domains_;
    std::vector<Lifted> lifted_;
    std::vector<LiftedPower> lifted_power_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> near_;  // first node, count
    Rooms new_rooms_;
    Placement trial_;
};

}  // namespace weir::fleet
