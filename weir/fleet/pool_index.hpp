// PoolIndex: the nodes of one pool, those that have the same things free in one class.
//
// Private to FreeIndex, which decides what a node's key is; here is only how nodes move between
// classes, and what follows from a move: the totals of the pool, the order of its classes, and the
// log of racks and pods that changed.
//
// Invariants: a node is in the set of exactly one class, the one whose key says what it has free;
// `active` lists exactly the classes in service that have a node, the tightest first. A class that
// has become empty stays in the table (it will be needed again in a moment), until there are many.
#pragma once

#include <cstdint>
#include <limits>
#include <unordered_map>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/fleet/domain_index.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/fleet/interner.hpp"
#include "weir/fleet/node_set.hpp"
#include "weir/fleet/power.hpp"
#include "weir/fleet/power_budget.hpp"
#include "weir/fleet/supply.hpp"

namespace weir::fleet {

// The rooms (permille free) of the shared chips of a node, ascending; those of most nodes are none.
using Rooms = std::vector<std::uint16_t>;

// What a node has free, and all else that a placement looks at.
struct NodeKey {
    static constexpr std::uint32_t no_limit = std::numeric_limits<std::uint32_t>::max();

    bool in_service = true;
    bool suspect = false;
    std::uint32_t chips = 0;    // that nobody uses
    std::uint32_t rooms = 0;    // position among the interned Rooms
    std::uint32_t horizon = 0;  // position among the interned Horizons
    std::uint32_t tag = 0;
    // What the budgets of its rack and its pod leave: no_limit = all it has free, 0 = they are
    // exceeded, else 1 + milliwatts.
    std::uint32_t power = no_limit;
    std::uint32_t power_promised = 0;  // position among the interned NodePowerPromised
    std::uint32_t cpus_milli = 0;
    Bytes memory;
    friend bool operator==(const NodeKey&, const NodeKey&) = default;
};

// What is promised of the budgets of its rack and its pod, where that may limit a single node.
struct NodePowerPromised {
    PowerPromised rack;
    PowerPromised pod;
    friend auto operator<=>(const NodePowerPromised&, const NodePowerPromised&) = default;
};

struct NodeKeyHash {
    std::size_t operator()(const NodeKey& key) const noexcept;
};

struct NodeClass {
    NodeKey key;
    std::uint64_t chips_milli = 0;  // free, whole and shared
    StateId state;                  // of Supply, where placements are scored and a node is in it
    NodeSet nodes;
};

struct PoolTotals {
    std::uint32_t nodes_in_service = 0;
    std::uint32_t nodes_idle = 0;   // in service and nothing taken
    std::uint64_t chips_milli = 0;  // free, in service
    std::uint64_t cpus_milli = 0;
    Bytes memory;
};

class PoolIndex {
public:
    PoolIndex(const Pool& pool, PoolId id, std::uint32_t site);

    // The class of nodes with this key; `rooms` are those the key names.
    std::uint32_t class_for(const NodeKey& key, const Interner<Rooms>& rooms);
    // Requires: the nodes of the run are all in class `from`.
    void move_run(std::uint32_t first,
                  std::uint32_t count,
                  std::uint32_t from,
                  std::uint32_t to,
                  const Interner<Rooms>& rooms);
    // Keys that name what is interned no more may not be found again.
    void forget_keys(const std::vector<bool>& rooms,
                     const std::vector<bool>& horizons,
                     const std::vector<bool>& promised);

    [[nodiscard]] const NodeClass& class_of_node(std::uint32_t node) const {
        return classes[class_of[node]];
    }
    // What one replica draws on a node beyond idle.
    [[nodiscard]] std::int64_t each_mw(const ReplicaDemand& each) const {
        return drawn_mw.empty() ? 0 : active_milliwatts(pool, each);
    }
    // What a node has free at least that holds one replica: classes are in this order.
    [[nodiscard]] static std::uint64_t chips_milli_needed(const ReplicaDemand& each) {
        return std::uint64_t{each.chips} * 1000 + each.chip_permille;
    }
    // More than a node with so much free could ever draw beyond what it draws.
    [[nodiscard]] std::int64_t more_mw(const NodeClass& its) const;

    Pool pool;
    PoolId id;
    std::uint32_t site = 0;                // position in Fleet::sites
    std::vector<std::uint32_t> class_of;   // node -> position in classes
    std::vector<std::uint64_t> used_mask;  // node -> chips that are not wholly free
    std::vector<std::uint16_t> room;       // node x chip -> permille free; empty = never shared
    std::vector<NodeClass> classes;
    std::vector<std::uint32_t> active;
    PoolTotals totals;
    std::uint32_t nodes_special = 0;  // in service with a horizon, or suspect

    DomainIndex racks;
    DomainIndex pods;
    PowerBudgets rack_power;
    PowerBudgets pod_power;
    std::vector<std::int64_t> drawn_mw;  // node -> beyond idle; empty = nodes draw nothing by model
    std::int64_t more_max_mw = 0;        // more_mw() of an empty node

private:
    void count(const NodeClass& its, std::uint32_t nodes, bool entering);
    void activate(std::uint32_t cls, const Interner<Rooms>& rooms);

    std::unordered_map<NodeKey, std::uint32_t, NodeKeyHash> class_by_key_;
    // What was found in it lately, by a part of the hash: nodes go back and forth among few keys.
    static constexpr std::size_t lately_max = 1024;
    std::vector<std::uint32_t> found_lately_;
    std::vector<std::uint32_t> spare_;  // classes that were empty when last looked at
    std::size_t reuse_at_ = 256;        // classes: time to look which ones are empty
};

// Fewest free chips, then CPUs, then memory, then the smallest rooms: <0 when `a` is tighter, 0
// when there is nothing to choose between them.
int compare_tightness(const NodeClass& a, const NodeClass& b, const Interner<Rooms>& rooms);

}  // namespace weir::fleet
