// See free_index.hpp for the idea and the placement rule. What the sentences there leave out:
//
// A class that has become empty stays in the table (it will be needed again in a moment), until
// there are many of them. Chips are named by bits: `used_mask` has a bit for every chip that is
// not wholly free, and only pools in which somebody shares a chip carry a room for each chip.
//
// Invariants: a node is in the set of exactly one class, the one whose key says what it has free;
// `active` lists exactly the classes in service that have a node, the tightest first.
#include "weir/fleet/free_index.hpp"

#include <algorithm>
#include <limits>

#include "weir/base/assert.hpp"

namespace weir::fleet {
namespace {

constexpr std::uint64_t unbounded = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t classes_before_sweep = 4096;

std::uint64_t all_chips(std::uint32_t count) {
    return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

// The lowest `count` bits that are set in `bits`.
std::uint64_t lowest(std::uint64_t bits, std::uint32_t count) {
    std::uint64_t chosen = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint64_t bit = bits & (~bits + 1);
        chosen |= bit;
        bits ^= bit;
    }
    return chosen;
}

}  // namespace

std::size_t FreeIndex::KeyHash::operator()(const Key& key) const noexcept {
    std::uint64_t mixed = key.chips * 0x9E3779B97F4A7C15ULL + key.rooms;
    mixed = (mixed ^ key.cpus_milli) * 0xD6E8FEB86659FD93ULL;
    mixed = (mixed ^ (mixed >> 29) ^ static_cast<std::uint64_t>(key.memory.count)) *
            0x94D049BB133111EBULL;
    return static_cast<std::size_t>(mixed ^ (mixed >> 31) ^ (key.in_service ? 0 : 1));
}

std::uint32_t FreeIndex::RoomTable::position_of(const std::vector<std::uint16_t>& rooms) {
    const auto next = unused.empty() ? static_cast<std::uint32_t>(lists.size()) : unused.back();
    const auto [entry, added] = positions.try_emplace(rooms, next);
    if (!added) return entry->second;
    if (unused.empty()) {
        lists.push_back(rooms);
    } else {
        lists[next] = rooms;
        unused.pop_back();
    }
    return next;
}

FreeIndex::FreeIndex(const Fleet& fleet) {
    pools_.reserve(fleet.pools.size());
    for (const Pool& pool : fleet.pools) {
        WEIR_ASSERT(pool.chips_per_node <= chips_per_node_max);
        PoolState state;
        state.pool = pool;
        state.id = PoolId{static_cast<std::uint32_t>(pools_.size())};
        state.used_mask.assign(pool.nodes, 0);
        const Key key{
            .chips = pool.chips_per_node, .cpus_milli = pool.cpus_milli, .memory = pool.memory};
        const std::uint32_t whole = class_for(state, key);
        state.class_of.assign(pool.nodes, whole);
        state.classes[whole].nodes.add_run(0, pool.nodes);
        if (pool.nodes > 0) activate(state, whole);
        pools_.push_back(std::move(state));
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

// ---------------------------------------------------------------------------------------------
// Does it fit?

std::uint64_t FreeIndex::replicas_per_empty_node(const Pool& pool, const ReplicaDemand& each) {
    std::uint64_t count = unbounded;
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

std::uint64_t FreeIndex::capacity(const PoolState& pool,
                                  const Key& key,
                                  const ReplicaDemand& each) const {
    std::uint64_t count = unbounded;
    if (each.chips > 0) count = key.chips / each.chips;
    if (each.chip_permille > 0) {
        count = std::uint64_t{key.chips} * (1000 / each.chip_permille);
        for (const std::uint16_t room : rooms_.lists[key.rooms])
            count += room / each.chip_permille;
    }
    if (each.cpus_milli > 0 && pool.pool.cpus_milli > 0) {
        count = std::min<std::uint64_t>(count, key.cpus_milli / each.cpus_milli);
    }
    if (each.memory.count > 0 && pool.pool.memory.count > 0) {
        count = std::min(count, static_cast<std::uint64_t>(key.memory.count / each.memory.count));
    }
    return count;
}

bool FreeIndex::tighter(const Key& a, const Key& b) const {
    const auto chips_milli = [this](const Key& key) {
        std::uint64_t sum = std::uint64_t{key.chips} * 1000;
        for (const std::uint16_t room : rooms_.lists[key.rooms])
            sum += room;
        return sum;
    };
    const std::uint64_t chips_a = chips_milli(a);
    const std::uint64_t chips_b = chips_milli(b);
    if (chips_a != chips_b) return chips_a < chips_b;
    if (a.cpus_milli != b.cpus_milli) return a.cpus_milli < b.cpus_milli;
    if (a.memory != b.memory) return a.memory < b.memory;
    return rooms_.lists[a.rooms] < rooms_.lists[b.rooms];
}

bool FreeIndex::fits_part(const std::vector<PoolId>& domain, Level within, const GangPart& part) {
    if (within == Level::rack || within == Level::pod) return collect_bins(domain, within, part);
    std::uint64_t held = 0;
    for (const PoolId id : domain) {
        const PoolState& pool = pools_[id.value];
        // The emptiest classes come last and hold most.
        for (auto cls = pool.active.rbegin(); cls != pool.active.rend(); ++cls) {
            const std::uint64_t each = capacity(pool, pool.classes[*cls].key, part.each);
            if (within == Level::node) {
                if (each >= part.replicas) return true;
                continue;
            }
            held += each * pool.classes[*cls].nodes.size();
            if (held >= part.replicas) return true;
        }
    }
    return false;
}

bool FreeIndex::fits(const Shape& shape, Time) {
    if (shape.demand.parts.size() > 1) return find(shape, trial_);
    for (const std::vector<PoolId>& domain : shape.domains) {
        if (fits_part(domain, shape.demand.within, shape.demand.parts.front())) return true;
    }
    return false;
}

// ---------------------------------------------------------------------------------------------
// Where would it go?

// Fills bins_ with the classes that can hold a replica, those that hold most first and the
// tightest first among equals; false when together they do not hold the part.
bool FreeIndex::collect_bins(const std::vector<PoolId>& domain,
                             Level within,
                             const GangPart& part) {
    bins_.clear();
    if (within == Level::rack || within == Level::pod) {
        PoolState& pool = pools_[domain.front().value];
        std::uint64_t span = pool.pool.nodes_per_rack;
        if (within == Level::pod) span *= pool.pool.racks_per_pod;
        if (span > 0 && span < pool.pool.nodes) {
            return collect_tightest_span(pool, static_cast<std::uint32_t>(span), part);
        }
    }
    std::uint64_t held = 0;
    for (const PoolId id : domain) {
        PoolState& pool = pools_[id.value];
        for (const std::uint32_t cls : pool.active) {
            const std::uint64_t each = capacity(pool, pool.classes[cls].key, part.each);
            if (each == 0 || (within == Level::node && each < part.replicas)) continue;
            const std::uint32_t nodes = pool.classes[cls].nodes.size();
            held += each * nodes;
            bins_.push_back({.each = each,
                             .pool = &pool,
                             .cls = cls,
                             .next = 0,
                             .last = pool.pool.nodes,
                             .left = nodes});
        }
    }
    return held >= part.replicas;
}

// The rack (or pod) that holds the part with the least to spare, ties to the lowest number.
bool FreeIndex::collect_tightest_span(PoolState& pool, std::uint32_t span, const GangPart& part) {
    held_.assign(pool.classes.size(), 0);
    for (const std::uint32_t cls : pool.active) {
        held_[cls] = capacity(pool, pool.classes[cls].key, part.each);
    }
    std::uint64_t best_held = std::numeric_limits<std::uint64_t>::max();
    std::uint32_t best_first = 0;
    for (std::uint32_t first = 0; first < pool.pool.nodes; first += span) {
        const std::uint32_t last = std::min(first + span, pool.pool.nodes);
        std::uint64_t held = 0;
        for (std::uint32_t node = first; node < last; ++node)
            held += held_[pool.class_of[node]];
        if (held >= part.replicas && held < best_held) {
            best_held = held;
            best_first = first;
        }
    }
    if (best_held == std::numeric_limits<std::uint64_t>::max()) return false;
    const std::uint32_t best_last = std::min(best_first + span, pool.pool.nodes);
    for (const std::uint32_t cls : pool.active) {
        if (held_[cls] == 0) continue;
        std::uint32_t inside = 0;
        for (std::uint32_t node = best_first; node < best_last; ++node) {
            inside += pool.class_of[node] == cls ? 1 : 0;
        }
        if (inside == 0) continue;
        bins_.push_back({.each = held_[cls],
                         .pool = &pool,
                         .cls = cls,
                         .next = best_first,
                         .last = best_last,
                         .left = inside});
    }
    return true;
}

bool FreeIndex::find_part(const std::vector<PoolId>& domain,
                          Level within,
                          const Shape& shape,
                          std::uint32_t part_number,
                          Ranges& ranges) {
    const GangPart& part = shape.demand.parts[part_number];
    if (!collect_bins(domain, within, part)) return false;

    const auto tightest_for = [this](std::uint32_t replicas) {
        Bin* best = nullptr;
        for (Bin& bin : bins_) {
            if (bin.left == 0 || bin.each < replicas) continue;
            if (best == nullptr ||
                tighter(bin.pool->classes[bin.cls].key, best->pool->classes[best->cls].key)) {
                best = &bin;
            }
        }
        return best;
    };

    std::uint32_t remaining = part.replicas;
    if (part_number > 0 && remaining == 1) {
        Bin* loosest = &bins_.front();
        for (Bin& bin : bins_) {
            if (tighter(loosest->pool->classes[loosest->cls].key, bin.pool->classes[bin.cls].key)) {
                loosest = &bin;
            }
        }
        choose(*loosest, 1, remaining, part.each, part_number, ranges);
        return true;
    }
    if (Bin* const whole = tightest_for(remaining)) {
        choose(*whole, 1, remaining, part.each, part_number, ranges);
        return true;
    }
    // No node holds them all: fewest nodes, so those that hold most first. Bins of equal capacity
    // keep their order, the tightest first.
    std::stable_sort(
        bins_.begin(), bins_.end(), [](const Bin& a, const Bin& b) { return a.each > b.each; });
    for (Bin& bin : bins_) {
        const auto nodes =
            static_cast<std::uint32_t>(std::min<std::uint64_t>(bin.left, remaining / bin.each));
        if (nodes > 0) {
            choose(
                bin, nodes, static_cast<std::uint32_t>(bin.each), part.each, part_number, ranges);
            remaining -= nodes * static_cast<std::uint32_t>(bin.each);
        }
        if (remaining == 0) return true;
        if (remaining < bin.each && bin.left > 0) {
            choose(*tightest_for(remaining), 1, remaining, part.each, part_number, ranges);
            return true;
        }
    }
    WEIR_ASSERT(remaining == 0);  // collect_bins counted enough
    return true;
}

// Several parts: each is found in what the earlier ones leave, and then everything is put back.
bool FreeIndex::find_in(const Shape& shape, const std::vector<PoolId>& domain, Ranges& ranges) {
    if (shape.demand.parts.size() == 1)
        return find_part(domain, shape.demand.within, shape, 0, ranges);
    std::size_t taken = 0;
    bool found = true;
    for (std::uint32_t part = 0; part < shape.demand.parts.size() && found; ++part) {
        found = find_part(domain, shape.demand.within, shape, part, ranges);
        if (!found) break;
        for (; taken < ranges.size(); ++taken)
            apply(shape, ranges[taken], true);
    }
    while (taken > 0)
        apply(shape, ranges[--taken], false);
    if (!found) ranges.clear();
    return found;
}

bool FreeIndex::find(const Shape& shape, Placement& placement, Time) {
    placement.ranges.clear();
    for (const std::vector<PoolId>& domain : shape.domains) {
        if (find_in(shape, domain, placement.ranges)) return true;
    }
    return false;
}

void FreeIndex::choose(Bin& bin,
                       std::uint32_t nodes,
                       std::uint32_t replicas,
                       const ReplicaDemand& each,
                       std::uint32_t part,
                       Ranges& ranges) {
    PoolState& pool = *bin.pool;
    const std::uint64_t all = all_chips(pool.pool.chips_per_node);
    const std::uint32_t chips = replicas * each.chips;
    bin.left -= nodes;
    bin.pool->classes[bin.cls].nodes.walk(bin.next, bin.last, [&](std::uint32_t node) {
        bin.next = node + 1;
        if (each.chip_permille > 0) {
            choose_shared_chips(pool, node, replicas, each.chip_permille, part, ranges);
        } else {
            const std::uint64_t mask = chips == 0 ? 0 : lowest(all & ~pool.used_mask[node], chips);
            if (!ranges.empty() && ranges.back().pool == pool.id &&
                ranges.back().first + ranges.back().count == node &&
                ranges.back().replicas == replicas && ranges.back().part == part &&
                ranges.back().chip_mask == mask) {
                ++ranges.back().count;
            } else {
                ranges.push_back({.pool = pool.id,
                                  .first = node,
                                  .count = 1,
                                  .replicas = replicas,
                                  .part = part,
                                  .chip_mask = mask});
            }
        }
        return --nodes > 0;
    });
    WEIR_ASSERT(nodes == 0);
}

void FreeIndex::choose_shared_chips(const PoolState& pool,
                                    std::uint32_t node,
                                    std::uint32_t replicas,
                                    std::uint32_t permille,
                                    std::uint32_t part,
                                    Ranges& ranges) {
    const std::uint32_t chips = pool.pool.chips_per_node;
    std::uint32_t rooms[chips_per_node_max];
    for (std::uint32_t chip = 0; chip < chips; ++chip) {
        const bool used = (pool.used_mask[node] >> chip) & 1;
        const std::uint32_t left =
            pool.room.empty() ? 1000U : pool.room[std::size_t{node} * chips + chip];
        // A used chip that nobody shares belongs to one job as a whole.
        rooms[chip] = used && left == 1000 ? 0 : left;
    }
    for (std::uint32_t replica = 0; replica < replicas; ++replica) {
        std::uint32_t best = chips;
        for (std::uint32_t chip = 0; chip < chips; ++chip) {
            if (rooms[chip] >= permille && (best == chips || rooms[chip] < rooms[best]))
                best = chip;
        }
        WEIR_ASSERT(best < chips);
        rooms[best] -= permille;
        ranges.push_back({.pool = pool.id,
                          .first = node,
                          .count = 1,
                          .replicas = 1,
                          .part = part,
                          .chip_mask = std::uint64_t{1} << best});
    }
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
    const PoolState& pool = pools_[range.pool.value];
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
        const Key& key = pool.classes[pool.class_of[node]].key;
        if (each.chip_permille == 0 && (pool.used_mask[node] & range.chip_mask) != 0) return false;
        if (pool.pool.cpus_milli > 0 && replicas * each.cpus_milli > key.cpus_milli) return false;
        if (pool.pool.memory.count > 0 && each.memory.count > 0 &&
            static_cast<std::int64_t>(replicas) > key.memory.count / each.memory.count) {
            return false;
        }
    }
    return true;
}

void FreeIndex::give(const Shape& shape, const Placement& placement) {
    for (const NodeRange& range : placement.ranges)
        apply(shape, range, false);
}

void FreeIndex::apply(const Shape& shape, const NodeRange& range, bool taking) {
    PoolState& pool = pools_[range.pool.value];
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
        const Key after = key_after(pool, first, pool.classes[from].key, range, each, taking);
        const std::uint32_t to = class_for(pool, after);
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
}

FreeIndex::Key FreeIndex::key_after(PoolState& pool,
                                    std::uint32_t node,
                                    const Key& before,
                                    const NodeRange& range,
                                    const ReplicaDemand& each,
                                    bool taking) {
    Key key = before;
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
    std::vector<std::uint16_t> rooms;
    for (std::uint32_t i = 0; i < chips; ++i) {
        const std::uint16_t left = pool.room[std::size_t{node} * chips + i];
        if (left > 0 && left < 1000) rooms.push_back(left);
    }
    std::sort(rooms.begin(), rooms.end());
    if (rooms_.positions.size() >= rooms_.sweep_at) sweep_rooms();
    key.rooms = rooms_.position_of(rooms);
    return key;
}

void FreeIndex::move_run(PoolState& pool,
                         std::uint32_t first,
                         std::uint32_t count,
                         std::uint32_t from,
                         std::uint32_t to) {
    pool.classes[from].nodes.remove_run(first, count);
    if (pool.classes[from].nodes.size() == 0) deactivate(pool, from);
    if (pool.classes[to].nodes.size() == 0) activate(pool, to);
    pool.classes[to].nodes.add_run(first, count);
    std::fill_n(pool.class_of.begin() + first, count, to);
}

void FreeIndex::activate(PoolState& pool, std::uint32_t cls) {
    if (!pool.classes[cls].key.in_service) return;
    const auto place = std::lower_bound(
        pool.active.begin(), pool.active.end(), cls, [&](std::uint32_t a, std::uint32_t b) {
            return tighter(pool.classes[a].key, pool.classes[b].key);
        });
    pool.active.insert(place, cls);
}

void FreeIndex::deactivate(PoolState& pool, std::uint32_t cls) {
    if (!pool.classes[cls].key.in_service) return;
    pool.active.erase(std::find(pool.active.begin(), pool.active.end(), cls));
}

std::uint32_t FreeIndex::class_for(PoolState& pool, const Key& key) {
    if (const auto known = pool.class_by_key.find(key); known != pool.class_by_key.end()) {
        return known->second;
    }
    std::uint32_t position = static_cast<std::uint32_t>(pool.classes.size());
    if (pool.classes.size() >= classes_before_sweep) {
        // Reuse a class that nobody is in; its key will be made again when it is needed.
        for (std::uint32_t cls = 0; cls < pool.classes.size(); ++cls) {
            if (pool.classes[cls].nodes.size() == 0) {
                const auto its = pool.class_by_key.find(pool.classes[cls].key);
                if (its != pool.class_by_key.end() && its->second == cls) {
                    pool.class_by_key.erase(its);
                }
                position = cls;
                break;
            }
        }
    }
    if (position == pool.classes.size()) {
        pool.classes.push_back({.key = key, .nodes = NodeSet(pool.pool.nodes)});
    } else {
        pool.classes[position].key = key;
    }
    pool.class_by_key.emplace(key, position);
    return position;
}

// Forgets the lists of rooms that no node has: where many sizes of fractions come and go, nearly
// every list is seen only once.
void FreeIndex::sweep_rooms() {
    std::vector<bool> used(rooms_.lists.size(), false);
    used[0] = true;
    for (const PoolState& pool : pools_) {
        for (const Class& each : pool.classes) {
            if (each.nodes.size() > 0) used[each.key.rooms] = true;
        }
    }
    for (PoolState& pool : pools_) {
        for (auto entry = pool.class_by_key.begin(); entry != pool.class_by_key.end();) {
            entry = used[entry->first.rooms] ? std::next(entry) : pool.class_by_key.erase(entry);
        }
    }
    for (auto entry = rooms_.positions.begin(); entry != rooms_.positions.end();) {
        if (used[entry->second]) {
            ++entry;
            continue;
        }
        rooms_.lists[entry->second].clear();
        rooms_.unused.push_back(entry->second);
        entry = rooms_.positions.erase(entry);
    }
    rooms_.sweep_at = std::max<std::size_t>(4096, 2 * rooms_.positions.size());
}

// ---------------------------------------------------------------------------------------------
// Health and totals

void FreeIndex::set_in_service(PoolId id, std::uint32_t node, bool in_service) {
    PoolState& pool = pools_.at(id.value);
    Key key = pool.classes[pool.class_of.at(node)].key;
    if (key.in_service == in_service) return;
    key.in_service = in_service;
    const std::uint32_t from = pool.class_of[node];
    move_run(pool, node, 1, from, class_for(pool, key));
}

void FreeIndex::set_horizon(PoolId, std::uint32_t, const Horizon&) {}
void FreeIndex::set_tag(PoolId, std::uint32_t, std::uint32_t) {}
void FreeIndex::set_suspect(PoolId, std::uint32_t, bool) {}
void FreeIndex::set_rack_power(PoolId, std::uint32_t, double) {}
void FreeIndex::set_pod_power(PoolId, std::uint32_t, double) {}
void FreeIndex::set_site_power(PoolId, double) {}
FreeIndex::PowerUse FreeIndex::rack_power(PoolId, std::uint32_t) const {
    return {};
}
FreeIndex::PowerUse FreeIndex::pod_power(PoolId, std::uint32_t) const {
    return {};
}
FreeIndex::PowerUse FreeIndex::site_power(PoolId) const {
    return {};
}

bool FreeIndex::in_service(PoolId id, std::uint32_t node) const {
    const PoolState& pool = pools_.at(id.value);
    return pool.classes[pool.class_of.at(node)].key.in_service;
}

FreeIndex::PoolTotals FreeIndex::totals(PoolId id) const {
    const PoolState& pool = pools_.at(id.value);
    PoolTotals sum;
    for (const std::uint32_t cls : pool.active) {
        const Key& key = pool.classes[cls].key;
        const std::uint64_t nodes = pool.classes[cls].nodes.size();
        std::uint64_t chips_milli = std::uint64_t{key.chips} * 1000;
        for (const std::uint16_t room : rooms_.lists[key.rooms])
            chips_milli += room;
        sum.nodes_in_service += static_cast<std::uint32_t>(nodes);
        sum.chips_milli += nodes * chips_milli;
        sum.cpus_milli += nodes * key.cpus_milli;
        sum.memory.count += static_cast<std::int64_t>(nodes) * key.memory.count;
        if (key.chips == pool.pool.chips_per_node && key.cpus_milli == pool.pool.cpus_milli &&
            key.memory == pool.pool.memory) {
            sum.nodes_idle += static_cast<std::uint32_t>(nodes);
        }
    }
    return sum;
}

}  // namespace weir::fleet
