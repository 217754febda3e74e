// See free_index.hpp for the idea. What the sentences there leave out: chips are named by bits,
// `used_mask` has a bit for every chip that is not wholly free, and only pools in which somebody
// shares a chip carry a room for each chip. Which key a node has is decided here; where a gang
// goes, in placing.cpp.
#include "weir/fleet/free_index.hpp"

#include <algorithm>
#include <bit>

#include "weir/base/assert.hpp"

namespace weir::fleet {

FreeIndex::FreeIndex(const Fleet& fleet) {
    std::vector<std::string> names;
    for (const Site& site : fleet.sites) {
        names.push_back(site.name);
        sites_.push_back(
            {.budget_mw = milliwatts(site.power_watts), .drawn_mw = 0, .promised = {}});
    }
    pools_.reserve(fleet.pools.size());
    for (const Pool& pool : fleet.pools) {
        const auto name = std::find(names.begin(), names.end(), pool.site);
        const auto site = static_cast<std::uint32_t>(name - names.begin());
        if (name == names.end()) {
            names.push_back(pool.site);
            sites_.push_back({});
        }
        const PoolId id{static_cast<std::uint32_t>(pools_.size())};
        PoolIndex& its = pools_.emplace_back(pool, id, site);
        sites_[site].drawn_mw += idle_milliwatts(pool) * pool.nodes;
        for (std::uint32_t rack = 0; pool.rack_power_watts > 0 && rack < pool.racks(); ++rack)
            set_budget(its, its.rack_power, rack, pool.rack_power_watts);
        for (std::uint32_t pod = 0; pool.pod_power_watts > 0 && pod < pool.pods(); ++pod)
            set_budget(its, its.pod_power, pod, pool.pod_power_watts);
    }
}

FreeIndex::Domains FreeIndex::domains_of(const Fleet& fleet, const Demand& demand) {
    Domains domains;
    std::vector<bool> placed(demand.pools.size(), false);
    for (std::size_t i = 0; i < demand.pools.size(); ++i) {
        if (placed[i]) continue;
        std::vector<PoolId> domain{demand.pools[i]};
        if (demand.within == Level::site) {
            const Pool& first = fleet.pool(demand.pools[i]);
            for (std::size_t j = i + 1; j < demand.pools.size(); ++j) {
                const Pool& other = fleet.pool(demand.pools[j]);
                if (!placed[j] && other.site == first.site && other.chip == first.chip) {
                    domain.push_back(demand.pools[j]);
                    placed[j] = true;
                }
            }
        }
        domains.push_back(std::move(domain));
    }
    return domains;
}

std::uint64_t FreeIndex::replicas_per_empty_node(const Pool& pool, const ReplicaDemand& each) {
    std::uint64_t count = std::numeric_limits<std::uint32_t>::max();
    if (each.chips > 0) count = std::min<std::uint64_t>(count, pool.chips_per_node / each.chips);
    if (each.chip_permille > 0) {
        count = std::min<std::uint64_t>(
            count, std::uint64_t{pool.chips_per_node} * (1000 / each.chip_permille));
    }
    if (each.cpus_milli > 0 && pool.cpus_milli > 0) {
        count = std::min<std::uint64_t>(count, pool.cpus_milli / each.cpus_milli);
    }
    if (each.memory.count > 0 && pool.memory.count > 0) {
        count = std::min(count, static_cast<std::uint64_t>(pool.memory.count / each.memory.count));
    }
    return count;
}

// ---------------------------------------------------------------------------------------------
// Taking and giving

void FreeIndex::take(const Shape& shape, const Placement& placement) {
    for (const NodeRange& range : placement.ranges)
        apply(shape, range, true);
}

bool FreeIndex::take_given(const Shape& shape, const Placement& placement) {
    std::vector<std::uint64_t> missing;
    for (const GangPart& part : shape.demand.parts)
        missing.push_back(part.replicas);
    for (std::size_t i = 0; i < placement.ranges.size(); ++i) {
        const NodeRange& range = placement.ranges[i];
        const std::uint64_t replicas = std::uint64_t{range.count} * range.replicas;
        if (is_free(shape.demand, range) && replicas <= missing[range.part]) {
            missing[range.part] -= replicas;
            apply(shape, range, true);
            continue;
        }
        while (i-- > 0)
            apply(shape, placement.ranges[i], false);
        return false;
    }
    if (std::all_of(missing.begin(), missing.end(), [](std::uint64_t left) { return left == 0; })) {
        return true;
    }
    give(shape, placement);
    return false;
}

bool FreeIndex::is_free(const Demand& demand, const NodeRange& range) const {
    const auto accepted = std::find(demand.pools.begin(), demand.pools.end(), range.pool);
    if (accepted == demand.pools.end() || range.pool.value >= pools_.size()) return false;
    if (range.part >= demand.parts.size() || range.count == 0 || range.replicas == 0) return false;
    const PoolIndex& pool = pools_[range.pool.value];
    if (std::uint64_t{range.first} + range.count > pool.pool.nodes) return false;

    const ReplicaDemand& each = demand.parts[range.part].each;
    const std::uint32_t chips = pool.pool.chips_per_node;
    const std::uint64_t replicas = range.replicas;
    const auto named = static_cast<std::uint64_t>(std::popcount(range.chip_mask));
    if (chips < chips_per_node_max && range.chip_mask >> chips != 0) return false;
    if (each.chip_permille > 0) {
        if (range.count != 1 || replicas != 1 || named != 1) return false;
        const auto chip = static_cast<std::size_t>(std::countr_zero(range.chip_mask));
        const bool used = (pool.used_mask[range.first] & range.chip_mask) != 0;
        const std::uint32_t left =
            pool.room.empty() ? 1000U : pool.room[std::size_t{range.first} * chips + chip];
        if (left < each.chip_permille || (used && left == 1000)) return false;
    } else if (named != replicas * each.chips) {
        return false;
    }
    for (std::uint32_t node = range.first; node < range.first + range.count; ++node) {
        const NodeKey& key = pool.class_of_node(node).key;
        if (each.chip_permille == 0 && (pool.used_mask[node] & range.chip_mask) != 0) return false;
        if (pool.pool.cpus_milli > 0 && replicas * each.cpus_milli > key.cpus_milli) return false;
        if (pool.pool.memory.count > 0 && each.memory.count > 0 &&
            static_cast<std::int64_t>(replicas) > key.memory.count / each.memory.count) {
            return false;
        }
    }
    return true;
}

void FreeIndex::place_by_supply(const Fleet& fleet) {
    supply_.emplace(fleet);
    for (PoolIndex& pool : pools_) {
        for (const std::uint32_t cls : pool.active) {
            NodeClass& its = pool.classes[cls];
            its.state = state_of(pool, its.key);
            supply_->joined(its.state, its.nodes.size());
        }
    }
}

void FreeIndex::arrived(const Demand& demand) {
    if (supply_) supply_->arrived(demand);
}

StateId FreeIndex::state_of(const PoolIndex& pool, const NodeKey& key) {
    return supply_->state(pool.id, key.chips, rooms_[key.rooms], key.cpus_milli, key.memory);
}

void FreeIndex::move_run(PoolIndex& pool,
                         std::uint32_t first,
                         std::uint32_t count,
                         std::uint32_t from,
                         std::uint32_t to) {
    if (supply_) {
        const NodeClass& before = pool.classes[from];
        NodeClass& after = pool.classes[to];
        if (after.key.in_service) after.state = state_of(pool, after.key);
        if (before.key.in_service && after.key.in_service) {
            supply_->moved(before.state, after.state, count);
        } else if (before.key.in_service) {
            supply_->left(before.state, count);
        } else if (after.key.in_service) {
            supply_->joined(after.state, count);
        }
    }
    pool.move_run(first, count, from, to, rooms_);
}

void FreeIndex::give(const Shape& shape, const Placement& placement) {
    for (const NodeRange& range : placement.ranges)
        apply(shape, range, false);
}

void FreeIndex::apply(const Shape& shape, const NodeRange& range, bool taking) {
    PoolIndex& pool = pools_[range.pool.value];
    const ReplicaDemand& each = shape.demand.parts[range.part].each;
    const bool shared = each.chip_permille > 0;
    WEIR_ASSERT(!shared || range.count == 1);
    // Nodes of a range nearly always come from one class and go to one class, so they move by runs.
    const std::uint32_t end = range.first + range.count;
    for (std::uint32_t first = range.first; first < end;) {
        const std::uint32_t from = pool.class_of[first];
        std::uint32_t next = first + 1;
        while (next < end && pool.class_of[next] == from)
            ++next;
        const NodeKey after = key_after(pool, first, pool.classes[from].key, range, each, taking);
        const std::uint32_t to = pool.class_for(after, rooms_);
        if (!shared && range.chip_mask != 0) {
            const std::uint64_t expected = taking ? 0 : range.chip_mask;
            std::uint64_t wrong = 0;
            for (std::uint32_t node = first; node < next; ++node) {
                wrong |= (pool.used_mask[node] & range.chip_mask) ^ expected;
                pool.used_mask[node] ^= range.chip_mask;
            }
            WEIR_ASSERT(wrong == 0);
        }
        if (from != to) move_run(pool, first, next - first, from, to);
        first = next;
    }
    const std::int64_t node_mw = pool.each_mw(each) * range.replicas;
    if (node_mw > 0) draw(pool, range.first, range.count, taking ? node_mw : -node_mw);
}

NodeKey FreeIndex::key_after(PoolIndex& pool,
                             std::uint32_t node,
                             const NodeKey& before,
                             const NodeRange& range,
                             const ReplicaDemand& each,
                             bool taking) {
    NodeKey key = before;
    const auto change = [taking](auto& free, auto amount) {
        if (taking) {
            WEIR_ASSERT(free >= amount);
            free -= amount;
        } else {
            free += amount;
        }
    };
    if (pool.pool.cpus_milli > 0) change(key.cpus_milli, range.replicas * each.cpus_milli);
    if (pool.pool.memory.count > 0) change(key.memory.count, range.replicas * each.memory.count);
    if (each.chip_permille == 0) {
        change(key.chips, static_cast<std::uint32_t>(std::popcount(range.chip_mask)));
        return key;
    }

    const std::uint32_t chips = pool.pool.chips_per_node;
    if (pool.room.empty()) pool.room.assign(std::size_t{pool.pool.nodes} * chips, 1000);
    const auto chip = static_cast<std::uint32_t>(std::countr_zero(range.chip_mask));
    std::uint16_t& room = pool.room[std::size_t{node} * chips + chip];
    const bool was_whole = room == 1000;
    change(room, static_cast<std::uint16_t>(range.replicas * each.chip_permille));
    WEIR_ASSERT(room <= 1000);
    const bool is_whole = room == 1000;
    if (was_whole) {
        WEIR_ASSERT((pool.used_mask[node] & range.chip_mask) == 0);
        pool.used_mask[node] |= range.chip_mask;
        --key.chips;
    }
    if (is_whole) {
        pool.used_mask[node] &= ~range.chip_mask;
        ++key.chips;
    }
    new_rooms_.clear();
    for (std::uint32_t i = 0; i < chips; ++i) {
        const std::uint16_t left = pool.room[std::size_t{node} * chips + i];
        if (left > 0 && left < 1000) new_rooms_.push_back(left);
    }
    std::sort(new_rooms_.begin(), new_rooms_.end());
    if (rooms_.is_full()) sweep();
    key.rooms = rooms_.position_of(new_rooms_);
    return key;
}

// Forgets the rooms and horizons that no node has: where many sizes of fractions come and go,
// nearly every list is seen only once.
void FreeIndex::sweep() {
    std::vector<bool> rooms(rooms_.size(), false);
    std::vector<bool> horizons(horizons_.size(), false);
    std::vector<bool> promised(power_promised_.size(), false);
    rooms[0] = horizons[0] = promised[0] = true;
    for (const PoolIndex& pool : pools_) {
        for (const NodeClass& each : pool.classes) {
            if (each.nodes.size() == 0) continue;
            rooms[each.key.rooms] = true;
            horizons[each.key.horizon] = true;
            promised[each.key.power_promised] = true;
        }
    }
    for (PoolIndex& pool : pools_)
        pool.forget_keys(rooms, horizons, promised);
    rooms_.keep(rooms);
    horizons_.keep(horizons);
    power_promised_.keep(promised);
}

// ---------------------------------------------------------------------------------------------
// What else is told of nodes

// Calls change(key, class) for each run of equal nodes and moves it to the class of the new key.
template <class Change>
void FreeIndex::change_keys(PoolIndex& pool,
                            std::uint32_t first,
                            std::uint32_t count,
                            Change change) {
    WEIR_ASSERT(std::uint64_t{first} + count <= pool.pool.nodes);
    const std::uint32_t end = first + count;
    while (first < end) {
        const std::uint32_t from = pool.class_of[first];
        std::uint32_t next = first + 1;
        while (next < end && pool.class_of[next] == from)
            ++next;
        NodeKey key = pool.classes[from].key;
        change(key, pool.classes[from]);
        if (!(key == pool.classes[from].key)) {
            const std::uint32_t to = pool.class_for(key, rooms_);
            move_run(pool, first, next - first, from, to);
        }
        first = next;
    }
}

void FreeIndex::set_in_service(PoolId id, std::uint32_t node, bool in_service) {
    change_keys(pools_.at(id.value), node, 1, [in_service](NodeKey& key, const NodeClass&) {
        key.in_service = in_service;
    });
}

void FreeIndex::set_horizon(PoolId id,
                            std::uint32_t first,
                            std::uint32_t count,
                            const Horizon& horizon) {
    if (horizons_.is_full()) sweep();
    const std::uint32_t position = horizons_.position_of(horizon);
    change_keys(pools_.at(id.value), first, count, [position](NodeKey& key, const NodeClass&) {
        key.horizon = position;
    });
}

void FreeIndex::set_tag(PoolId id, std::uint32_t node, std::uint32_t tag) {
    change_keys(
        pools_.at(id.value), node, 1, [tag](NodeKey& key, const NodeClass&) { key.tag = tag; });
}

void FreeIndex::set_suspect(PoolId id, std::uint32_t node, bool suspect) {
    change_keys(pools_.at(id.value), node, 1, [suspect](NodeKey& key, const NodeClass&) {
        key.suspect = suspect;
    });
}

bool FreeIndex::in_service(PoolId id, std::uint32_t node) const {
    const PoolIndex& pool = pools_.at(id.value);
    return pool.classes[pool.class_of.at(node)].key.in_service;
}

std::optional<FreeIndex::NodeFree> FreeIndex::free_on(PoolId id,
                                                      std::uint32_t node,
                                                      std::uint32_t tag) const {
    const PoolIndex& pool = pools_[id.value];
    const NodeKey& key = pool.class_of_node(node).key;
    if (!key.in_service || key.tag != tag) return std::nullopt;
    const std::size_t chips_before = std::size_t{node} * pool.pool.chips_per_node;
    return NodeFree{.chips = key.chips,
                    .cpus_milli = key.cpus_milli,
                    .memory = key.memory,
                    .rooms = pool.room.empty() ? nullptr : &pool.room[chips_before]};
}

FreeIndex::PoolTotals FreeIndex::totals(PoolId id) const {
    return pools_.at(id.value).totals;
}

// ---------------------------------------------------------------------------------------------
// Watts

// Each of the nodes draws so much more (or, negative, less) in the sums of all that is around it.
void FreeIndex::count_power(PoolIndex& pool,
                            std::uint32_t first,
                            std::uint32_t count,
                            std::int64_t node_mw) {
    sites_[pool.site].drawn_mw += node_mw * count;
    const std::uint32_t end = first + count;
    for (PowerBudgets* budgets : {&pool.rack_power, &pool.pod_power}) {
        if (!budgets->any()) continue;
        for (std::uint32_t node = first; node < end;) {
            const std::uint32_t domain = node / budgets->span;
            const auto next = static_cast<std::uint32_t>(
                std::min<std::uint64_t>(end, (std::uint64_t{domain} + 1) * budgets->span));
            budgets->drawn_mw[domain] += node_mw * (next - node);
            node = next;
        }
    }
}

// The same for good, and the keys of all nodes whose budget is near say what it leaves.
void FreeIndex::draw(PoolIndex& pool,
                     std::uint32_t first,
                     std::uint32_t count,
                     std::int64_t node_mw) {
    for (std::uint32_t node = first; node < first + count; ++node)
        pool.drawn_mw[node] += node_mw;
    near_.clear();
    const auto note_near = [&](const PowerBudgets& budgets) {
        if (!budgets.any_inside()) return;
        const std::uint32_t last = (first + count - 1) / budgets.span;
        for (std::uint32_t domain = first / budgets.span; domain <= last; ++domain) {
            if (budgets.left_mw(domain) >= pool.more_max_mw) continue;
            near_.emplace_back(domain * budgets.span,
                               std::min(budgets.span, pool.pool.nodes - domain * budgets.span));
        }
    };
    note_near(pool.pod_power);
    note_near(pool.rack_power);
    count_power(pool, first, count, node_mw);
    note_near(pool.pod_power);
    note_near(pool.rack_power);
    for (const auto& [from, nodes] : near_)
        refresh_power(pool, from, nodes);
}

void FreeIndex::refresh_power(PoolIndex& pool, std::uint32_t first, std::uint32_t count) {
    const std::uint32_t end = first + count;
    const std::uint32_t step =
        pool.rack_power.any_inside() ? pool.rack_power.span : pool.pod_power.span;
    while (first < end) {
        const auto next = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(end, (std::uint64_t{first} / step + 1) * step));
        std::int64_t left = unlimited_mw;
        NodePowerPromised promised;
        const auto look_at = [&](const PowerBudgets& budgets, PowerPromised& its) {
            if (!budgets.any_inside()) return;
            const std::uint32_t domain = first / budgets.span;
            left = std::min(left, budgets.left_mw(domain));
            const PowerPromised here = budgets.promised_in(domain);
            if (here.left_mw < pool.more_max_mw) its = here;
        };
        look_at(pool.rack_power, promised.rack);
        look_at(pool.pod_power, promised.pod);
        if (power_promised_.is_full()) sweep();
        const std::uint32_t position = power_promised_.position_of(promised);
        change_keys(pool, first, next - first, [&](NodeKey& key, const NodeClass& its) {
            key.power_promised = position;
            if (left < 0) {
                key.power = 0;
            } else if (left >= pool.more_mw(its)) {
                key.power = NodeKey::no_limit;
            } else {
                // Nobody builds nodes of four megawatts; whoever describes one may use so much.
                key.power =
                    1 + static_cast<std::uint32_t>(std::min<std::int64_t>(left, 4'000'000'000));
            }
        });
        first = next;
    }
}

// What the nodes of a domain draw, idle ones included.
std::int64_t FreeIndex::drawn_mw(const PoolIndex& pool,
                                 const PowerBudgets& budgets,
                                 std::uint32_t domain) const {
    const std::uint32_t first = domain * budgets.span;
    const std::uint32_t count = std::min(budgets.span, pool.pool.nodes - first);
    std::int64_t sum = idle_milliwatts(pool.pool) * count;
    for (std::uint32_t node = first; node < first + count && !pool.drawn_mw.empty(); ++node)
        sum += pool.drawn_mw[node];
    return sum;
}

void FreeIndex::set_budget(PoolIndex& pool,
                           PowerBudgets& budgets,
                           std::uint32_t domain,
                           double watts) {
    WEIR_ASSERT(domain < budgets.domains);
    const std::int64_t budget_mw = watts > 0 ? std::max<std::int64_t>(1, milliwatts(watts)) : 0;
    if (!budgets.any()) {
        if (budget_mw == 0) return;
        budgets.budget_mw.assign(budgets.domains, 0);
        budgets.drawn_mw.clear();
        for (std::uint32_t i = 0; i < budgets.domains; ++i)
            budgets.drawn_mw.push_back(drawn_mw(pool, budgets, i));
    }
    budgets.budget_mw[domain] = budget_mw;
    if (budget_mw == 0 && std::all_of(budgets.budget_mw.begin(),
                                      budgets.budget_mw.end(),
                                      [](std::int64_t budget) { return budget == 0; })) {
        budgets.budget_mw.clear();
        budgets.drawn_mw.clear();
        budgets.promised.clear();
    }
    const std::uint32_t first = domain * budgets.span;
    const std::uint32_t count = std::min(budgets.span, pool.pool.nodes - first);
    refresh_power(pool, first, count);
    pool.racks.changed(first, count);
    pool.pods.changed(first, count);
}

PowerPromised& FreeIndex::promised_of(PoolIndex& pool, Level level, std::uint32_t number) {
    if (level == Level::site) return sites_[pool.site].promised;
    return (level == Level::rack ? pool.rack_power : pool.pod_power).promised[number];
}

void FreeIndex::set_power_promised(PoolId id,
                                   Level level,
                                   std::uint32_t number,
                                   const PowerPromised& promised) {
    PoolIndex& pool = pools_.at(id.value);
    if (level == Level::site) {
        sites_[pool.site].promised = promised;
        return;
    }
    PowerBudgets& budgets = level == Level::rack ? pool.rack_power : pool.pod_power;
    if (!budgets.any()) return;
    if (budgets.promised.empty()) {
        if (promised == PowerPromised{}) return;
        budgets.promised.resize(budgets.domains);
    }
    if (budgets.promised[number] == promised) return;
    const std::int64_t before_mw = std::exchange(budgets.promised[number], promised).left_mw;
    const std::uint32_t first = number * budgets.span;
    const std::uint32_t count = std::min(budgets.span, pool.pool.nodes - first);
    if (std::min(before_mw, promised.left_mw) < pool.more_max_mw) refresh_power(pool, first, count);
    pool.racks.changed(first, count);
    pool.pods.changed(first, count);
}

FreeIndex::PowerUse FreeIndex::use_of(const PoolIndex& pool,
                                      const PowerBudgets& budgets,
                                      std::uint32_t domain) const {
    WEIR_ASSERT(domain < budgets.domains);
    const std::int64_t drawn = drawn_mw(pool, budgets, domain);
    WEIR_ASSERT(!budgets.any() || budgets.drawn_mw[domain] == drawn);
    return {
        .drawn_watts = static_cast<double>(drawn) / 1000,
        .budget_watts = budgets.any() ? static_cast<double>(budgets.budget_mw[domain]) / 1000 : 0};
}

void FreeIndex::set_rack_power(PoolId id, std::uint32_t rack, double watts) {
    PoolIndex& pool = pools_.at(id.value);
    set_budget(pool, pool.rack_power, rack, watts);
}

void FreeIndex::set_pod_power(PoolId id, std::uint32_t pod, double watts) {
    PoolIndex& pool = pools_.at(id.value);
    set_budget(pool, pool.pod_power, pod, watts);
}

void FreeIndex::set_site_power(PoolId of_a_pool_of_the_site, double watts) {
    sites_[pools_.at(of_a_pool_of_the_site.value).site].budget_mw =
        watts > 0 ? std::max<std::int64_t>(1, milliwatts(watts)) : 0;
}

FreeIndex::PowerUse FreeIndex::rack_power(PoolId id, std::uint32_t rack) const {
    const PoolIndex& pool = pools_.at(id.value);
    return use_of(pool, pool.rack_power, rack);
}

FreeIndex::PowerUse FreeIndex::pod_power(PoolId id, std::uint32_t pod) const {
    const PoolIndex& pool = pools_.at(id.value);
    return use_of(pool, pool.pod_power, pod);
}

FreeIndex::PowerUse FreeIndex::site_power(PoolId of_a_pool_of_the_site) const {
    const SitePower& site = sites_[pools_.at(of_a_pool_of_the_site.value).site];
    return {.drawn_watts = static_cast<double>(site.drawn_mw) / 1000,
            .budget_watts = static_cast<double>(site.budget_mw) / 1000};
}

}  // namespace weir::fleet
