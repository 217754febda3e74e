#include "weir/fleet/pool_index.hpp"

#include <algorithm>

#include "weir/base/assert.hpp"

namespace weir::fleet {

std::size_t NodeKeyHash::operator()(const NodeKey& key) const noexcept {
    std::uint64_t mixed = key.chips * 0x9E3779B97F4A7C15ULL + key.rooms;
    mixed = (mixed ^ key.cpus_milli) * 0xD6E8FEB86659FD93ULL;
    mixed = (mixed ^ (mixed >> 32) ^ key.horizon) * 0xD6E8FEB86659FD93ULL;
    mixed = (mixed ^ (mixed >> 32) ^ (std::uint64_t{key.power} << 20) ^
             (std::uint64_t{key.power_promised} << 8) ^ key.tag) *
            0x9E3779B97F4A7C15ULL;
    mixed = (mixed ^ (mixed >> 29) ^ static_cast<std::uint64_t>(key.memory.count)) *
            0x94D049BB133111EBULL;
    return static_cast<std::size_t>(mixed ^ (mixed >> 31) ^ (key.in_service ? 0 : 1) ^
                                    (key.suspect ? 2 : 0));
}

int compare_tightness(const NodeClass& a, const NodeClass& b, const Interner<Rooms>& rooms) {
    const auto order = [](const auto& x, const auto& y) { return x < y ? -1 : x > y ? 1 : 0; };
    if (a.chips_milli != b.chips_milli) return order(a.chips_milli, b.chips_milli);
    if (a.key.cpus_milli != b.key.cpus_milli) return order(a.key.cpus_milli, b.key.cpus_milli);
    if (a.key.memory != b.key.memory) return order(a.key.memory, b.key.memory);
    return a.key.rooms == b.key.rooms ? 0 : order(rooms[a.key.rooms], rooms[b.key.rooms]);
}

PoolIndex::PoolIndex(const Pool& its_pool, PoolId its_id, std::uint32_t its_site)
    : pool(its_pool),
      id(its_id),
      site(its_site),
      class_of(its_pool.nodes, 0),
      used_mask(its_pool.nodes, 0),
      racks(std::max(1U, its_pool.rack_nodes()), its_pool.racks()),
      pods(std::max(1U, its_pool.pod_nodes()), its_pool.pods()) {
    WEIR_ASSERT(pool.chips_per_node <= chips_per_node_max);
    const auto budgets = [](const DomainIndex& domains) {
        PowerBudgets none;
        none.span = domains.span();
        none.domains = domains.domains();
        return none;
    };
    rack_power = budgets(racks);
    pod_power = budgets(pods);
    const Interner<Rooms> no_rooms;
    NodeKey key;
    key.chips = pool.chips_per_node;
    key.cpus_milli = pool.cpus_milli;
    key.memory = pool.memory;
    if (pool.node_busy_watts > pool.node_idle_watts) drawn_mw.assign(pool.nodes, 0);
    const std::uint32_t whole = class_for(key, no_rooms);
    more_max_mw = more_mw(classes[whole]);
    if (pool.nodes == 0) return;
    classes[whole].nodes.add_run(0, pool.nodes);
    active.push_back(whole);
    count(classes[whole], pool.nodes, true);
}

std::int64_t PoolIndex::more_mw(const NodeClass& its) const {
    if (drawn_mw.empty()) return 0;
    // What each replica draws is rounded up, and a replica takes at least one thousandth.
    const bool by_chips = pool.chips_per_node > 0;
    const auto free =
        by_chips ? static_cast<std::int64_t>(its.chips_milli) : std::int64_t{its.key.cpus_milli};
    const std::int64_t all =
        by_chips ? std::int64_t{pool.chips_per_node} * 1000 : std::int64_t{pool.cpus_milli};
    if (all == 0) return 0;
    return milliwatts(pool.node_busy_watts - pool.node_idle_watts) * free / all + free + 1;
}

std::uint32_t PoolIndex::class_for(const NodeKey& key, const Interner<Rooms>& rooms) {
    if (found_lately_.empty()) found_lately_.assign(lately_max, ~std::uint32_t{0});
    std::uint32_t& lately = found_lately_[NodeKeyHash{}(key) % lately_max];
    if (lately < classes.size() && classes[lately].key == key) return lately;
    if (const auto known = class_by_key_.find(key); known != class_by_key_.end()) {
        lately = known->second;
        return lately;
    }
    auto position = static_cast<std::uint32_t>(classes.size());
    if (classes.size() >= reuse_at_ && spare_.empty()) {
        for (std::uint32_t cls = 0; cls < classes.size(); ++cls) {
            if (classes[cls].nodes.size() == 0) spare_.push_back(cls);
        }
        if (spare_.size() < classes.size() / 4) reuse_at_ = 2 * classes.size();
    }
    while (!spare_.empty() && position == classes.size()) {
        const std::uint32_t cls = spare_.back();
        spare_.pop_back();
        if (classes[cls].nodes.size() != 0) continue;
        const auto its = class_by_key_.find(classes[cls].key);
        if (its != class_by_key_.end() && its->second == cls) class_by_key_.erase(its);
        position = cls;
    }
    if (position == classes.size()) {
        classes.push_back({.key = {}, .chips_milli = 0, .state = {}, .nodes = NodeSet(pool.nodes)});
    }
    NodeClass& its = classes[position];
    its.key = key;
    its.chips_milli = std::uint64_t{key.chips} * 1000;
    for (const std::uint16_t left : rooms[key.rooms])
        its.chips_milli += left;
    class_by_key_.emplace(key, position);
    lately = position;
    return position;
}

void PoolIndex::count(const NodeClass& its, std::uint32_t nodes, bool entering) {
    const auto change = [entering](auto& total, auto amount) {
        total = entering ? total + amount : total - amount;
    };
    change(totals.nodes_in_service, nodes);
    change(totals.chips_milli, nodes * its.chips_milli);
    change(totals.cpus_milli, std::uint64_t{nodes} * its.key.cpus_milli);
    change(totals.memory.count, std::int64_t{nodes} * its.key.memory.count);
    if (its.key.chips == pool.chips_per_node && its.key.cpus_milli == pool.cpus_milli &&
        its.key.memory == pool.memory) {
        change(totals.nodes_idle, nodes);
    }
    if (its.key.suspect || its.key.horizon != 0) change(nodes_special, nodes);
}

void PoolIndex::activate(std::uint32_t cls, const Interner<Rooms>& rooms) {
    const auto place =
        std::lower_bound(active.begin(), active.end(), cls, [&](std::uint32_t a, std::uint32_t b) {
            return compare_tightness(classes[a], classes[b], rooms) < 0;
        });
    active.insert(place, cls);
}

void PoolIndex::move_run(std::uint32_t first,
                         std::uint32_t nodes,
                         std::uint32_t from,
                         std::uint32_t to,
                         const Interner<Rooms>& rooms) {
    NodeClass& old_class = classes[from];
    NodeClass& new_class = classes[to];
    old_class.nodes.remove_run(first, nodes);
    if (old_class.key.in_service) {
        count(old_class, nodes, false);
        if (old_class.nodes.size() == 0) {
            active.erase(std::find(active.begin(), active.end(), from));
        }
    }
    if (new_class.key.in_service) {
        count(new_class, nodes, true);
        if (new_class.nodes.size() == 0) activate(to, rooms);
    }
    new_class.nodes.add_run(first, nodes);
    std::fill_n(class_of.begin() + first, nodes, to);
    racks.changed(first, nodes);
    pods.changed(first, nodes);
}

void PoolIndex::forget_keys(const std::vector<bool>& rooms,
                            const std::vector<bool>& horizons,
                            const std::vector<bool>& promised) {
    found_lately_.clear();
    for (auto entry = class_by_key_.begin(); entry != class_by_key_.end();) {
        const NodeKey& key = entry->first;
        const bool known =
            rooms[key.rooms] && horizons[key.horizon] && promised[key.power_promised];
        entry = known ? std::next(entry) : class_by_key_.erase(entry);
    }
}

}  // namespace weir::fleet
