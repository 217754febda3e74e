// FreeIndex: what is free, and where, kept up to date take by take and give by give.
//
// The one idea: nodes of a pool that have the same things free are one *class*, so the question
// "does this gang fit?" costs as many steps as there are different classes (two on a machine that
// is used node by node), however many thousand nodes there are. Nodes move between classes as
// gangs come and go; nothing is ever rescanned or copied for a decision.
//
// Placement rule, the same for equal states everywhere:
//   * a gang goes to the first domain in its order of preference that can hold it;
//   * one node that can hold the whole gang is best: the one with the least free (fewest free
//     chips, then CPUs, then memory), ties to the lowest number;
//   * otherwise as few nodes as possible: those that hold most replicas first, and what remains
//     goes to the tightest node that can hold it;
//   * the last, smaller part of a gang of several parts goes to the emptiest node, where it
//   disturbs
//     the rest of its gang and its neighbours least;
//   * a fraction of a chip goes to the shared chip with the least room that suffices, else to a
//     chip that nobody uses.
//
// Threads: one at a time. Cost: fits O(classes), find O(classes + nodes taken), take and give
// O(nodes taken).
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/fleet/demand.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/fleet/node_set.hpp"

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
    // Where it would go; false (and an empty placement) when it does not fit. Takes nothing.
    [[nodiscard]] bool find(const Shape& shape, Placement& placement, Time end = never);

    // Sets or (with a default one) clears what is promised of a node. Requires: not more than is
    // free there now.
    void set_horizon(PoolId pool, std::uint32_t node, const Horizon& horizon);
    // Nodes with a tag serve only demands with the same tag, and these only such nodes.
    void set_tag(PoolId pool, std::uint32_t node, std::uint32_t tag);
    // A suspect node (it failed not long ago) is chosen only where no other will do.
    void set_suspect(PoolId pool, std::uint32_t node, bool suspect);

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

    struct PoolTotals {
        std::uint32_t nodes_in_service = 0;
        std::uint32_t nodes_idle = 0;   // in service and nothing taken
        std::uint64_t chips_milli = 0;  // free, in service
        std::uint64_t cpus_milli = 0;
        Bytes memory;
    };
    [[nodiscard]] PoolTotals totals(PoolId pool) const;

    // How many replicas the largest empty node of a pool could hold (for "can it ever fit?").
    [[nodiscard]] static std::uint64_t replicas_per_empty_node(const Pool& pool,
                                                               const ReplicaDemand& each);

private:
    // What nodes of one class have free. `rooms` names the sorted rooms of its shared chips.
    struct Key {
        bool in_service = true;
        std::uint32_t chips = 0;  // that nobody uses
        std::uint32_t rooms = 0;  // position in RoomTable; 0 = no shared chip with room
        std::uint32_t cpus_milli = 0;
        Bytes memory;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept;
    };
    struct Class {
        Key key;
        NodeSet nodes;
    };

    // Distinct sorted lists of rooms (permille free) of shared chips, interned; position 0 is the
    // empty list, which is nearly always the only one.
    struct RoomTable {
        std::vector<std::vector<std::uint16_t>> lists{{}};
        std::map<std::vector<std::uint16_t>, std::uint32_t> positions{{{}, 0}};
        std::vector<std::uint32_t> unused;  // positions to give again
        std::size_t sweep_at = 4096;        // lists: time to look which ones no node has any more
        std::uint32_t position_of(const std::vector<std::uint16_t>& rooms);
    };

    struct PoolState {
        Pool pool;
        PoolId id;
        std::vector<std::uint32_t> class_of;   // node -> position in classes
        std::vector<std::uint64_t> used_mask;  // node -> chips that are not wholly free
        std::vector<std::uint16_t> room;       // node x chip -> permille free; empty = never shared
        std::vector<Class> classes;
        std::unordered_map<Key, std::uint32_t, KeyHash> class_by_key;
        std::vector<std::uint32_t> active;  // in service and not empty, by key
    };

    // Nodes of one class in [next, last) of a pool, each of which can hold `each` more replicas.
    struct Bin {
        std::uint64_t each = 0;
        PoolState* pool = nullptr;
        std::uint32_t cls = 0;
        std::uint32_t next = 0;  // lowest node not chosen yet
        std::uint32_t last = 0;
        std::uint32_t left = 0;  // nodes not chosen yet
    };
    using Ranges = std::vector<NodeRange>;

    [[nodiscard]] std::uint64_t capacity(const PoolState& pool,
                                         const Key& key,
                                         const ReplicaDemand& each) const;
    [[nodiscard]] bool tighter(const Key& a, const Key& b) const;
    [[nodiscard]] bool fits_part(const std::vector<PoolId>& domain,
                                 Level within,
                                 const GangPart& part);
    bool collect_bins(const std::vector<PoolId>& domain, Level within, const GangPart& part);
    bool collect_tightest_span(PoolState& pool, std::uint32_t span, const GangPart& part);
    bool find_part(const std::vector<PoolId>& domain,
                   Level within,
                   const Shape& shape,
                   std::uint32_t part,
                   Ranges& ranges);
    bool find_in(const Shape& shape, const std::vector<PoolId>& domain, Ranges& ranges);
    void choose(Bin& bin,
                std::uint32_t nodes,
                std::uint32_t replicas,
                const ReplicaDemand& each,
                std::uint32_t part,
                Ranges& ranges);
    void choose_shared_chips(const PoolState& pool,
                             std::uint32_t node,
                             std::uint32_t replicas,
                             std::uint32_t permille,
                             std::uint32_t part,
                             Ranges& ranges);
    [[nodiscard]] bool is_free(const Demand& demand, const NodeRange& range) const;
    void apply(const Shape& shape, const NodeRange& range, bool taking);
    Key key_after(PoolState& pool,
                  std::uint32_t node,
                  const Key& before,
                  const NodeRange& range,
                  const ReplicaDemand& each,
                  bool taking);
    void move_run(PoolState& pool,
                  std::uint32_t first,
                  std::uint32_t count,
                  std::uint32_t from,
                  std::uint32_t to);
    std::uint32_t class_for(PoolState& pool, const Key& key);
    void sweep_rooms();
    void activate(PoolState& pool, std::uint32_t cls);
    void deactivate(PoolState& pool, std::uint32_t cls);

    std::vector<PoolState> pools_;
    RoomTable rooms_;
    std::vector<Bin> bins_;            // scratch of find
    std::vector<std::uint64_t> held_;  // scratch: capacity by class
    Placement trial_;                  // scratch of fits, for gangs of several parts
};

}  // namespace weir::fleet
