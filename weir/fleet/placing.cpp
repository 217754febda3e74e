// Where a gang goes: the placement rule of free_index.hpp over classes of equal nodes. How much
// these hold is answered by holding.cpp.
//
// A zone is the part of the fleet that is looked at. Its classes that hold at least one replica are
// the options; options between which only the number of the node decides are a group. A gang that
// fits on one node takes the best option; any other one takes group after group. Which node is
// better than another is said in one place, compare().
//
// Budgets: what one node can draw is part of its class, so a gang on one node needs nothing else.
// A gang on several nodes shares the budgets of their racks: then what it has chosen is counted as
// drawn while it chooses on, and a node that turns out to hold less than its group says is put
// aside until its turn comes (what a node holds only falls, so nothing is overlooked).
#include <algorithm>

#include "weir/base/assert.hpp"
#include "weir/fleet/free_index.hpp"

namespace weir::fleet {
namespace {

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

// ---------------------------------------------------------------------------------------------
// Does it fit?

bool FreeIndex::fits(const Shape& shape, Time end) {
    for (std::uint32_t domain = 0; domain < shape.domains.size(); ++domain)
        if (fits_in(shape, domain, end)) return true;
    return false;
}

bool FreeIndex::fits_without_budgets(const Shape& shape, Time end) {
    budgets_lifted_ = true;
    const bool fits_so = fits(shape, end);
    budgets_lifted_ = false;
    return fits_so;
}

bool FreeIndex::fits_in(const Shape& shape, std::uint32_t number, Time end) {
    const std::vector<PoolId>& domain = shape.domains[number];
    if (!could_hold(domain, shape.demand)) return false;
    if (shape.demand.parts.size() == 1) return fits_one_part(shape, domain, end);
    trial_.ranges.clear();
    return find_in(shape, domain, trial_.ranges, end);
}

// A gang of one part that fits at the level it wishes also fits at the one it requires.
bool FreeIndex::fits_one_part(const Shape& shape, const std::vector<PoolId>& domain, Time end) {
    const GangPart& part = shape.demand.parts.front();
    const Ask ask{part.each, part.replicas, 0, shape.demand.tag, end};
    const Level within = shape.demand.within;
    bool budgets = false;
    std::uint64_t held = 0;
    for (const PoolId id : domain) {
        PoolIndex& pool = pools_[id.value];
        if ((within == Level::rack && pool.racks.domains() > 1) ||
            (within == Level::pod && pool.pods.domains() > 1)) {
            if (tightest_domain(pool, within, ask, true)) return true;
            continue;
        }
        const std::uint64_t limit = around(pool, ask);
        const std::int64_t each_mw = pool.each_mw(part.each);
        budgets = budgets || has_budgets(pool);
        // The emptiest classes come last and hold most.
        const std::uint64_t least = pool.chips_milli_needed(part.each);
        for (auto cls = pool.active.rbegin(); cls != pool.active.rend(); ++cls) {
            if (pool.classes[*cls].chips_milli < least) break;
            const NodeKey& key = pool.classes[*cls].key;
            // On a full fleet it is nearly always watts that are missing where chips are free.
            std::uint64_t each = std::min(holds_by_power(key, ask, each_mw), limit);
            if (each == 0) continue;
            each = std::min(each, holds(pool, key, ask));
            if (each >= part.replicas) return true;
            if (within == Level::node) continue;
            held += each * pool.classes[*cls].nodes.size();
            if (held >= part.replicas && !budgets) return true;
        }
    }
    if (held < part.replicas) return false;
    if (!budgets) return true;
    const Zone all{.begin = domain.data(), .end = domain.data() + domain.size()};
    if (hold_by_domains(ask, all) < part.replicas) return false;
    const bool counts_suffice = std::all_of(domain.begin(), domain.end(), [&](PoolId id) {
        const PoolIndex& pool = pools_[id.value];
        const bool promised = pool.nodes_special > 0 || !pool.rack_power.promised.empty() ||
                              !pool.pod_power.promised.empty();
        return (end == Time::min() || !promised) &&
               (domain.size() == 1 || sites_[pool.site].budget_mw == 0);
    });
    if (counts_suffice) return true;
    trial_.ranges.clear();
    return find_in(shape, domain, trial_.ranges, end);
}

// ---------------------------------------------------------------------------------------------
// Where would it go?

bool FreeIndex::find(const Shape& shape, Placement& placement, Time end) {
    placement.ranges.clear();
    if (supply_ && find_cheapest(shape, placement.ranges, end)) return true;
    for (const std::vector<PoolId>& domain : shape.domains) {
        if (could_hold(domain, shape.demand) && find_in(shape, domain, placement.ranges, end)) {
            return true;
        }
    }
    return false;
}

bool FreeIndex::find_on(const Shape& shape, const Placement& nodes, Placement& placement) {
    placement.ranges.clear();
    Ranges taken;
    const auto put = [&](const NodeRange& wanted, std::uint32_t node) {
        PoolIndex& pool = pools_[wanted.pool.value];
        const Ask ask{shape.demand.parts[wanted.part].each,
                      wanted.replicas,
                      wanted.part,
                      shape.demand.tag,
                      Time::min()};
        const NodeKey& key = pool.class_of_node(node).key;
        if (!key.in_service || holds(pool, key, ask) < wanted.replicas ||
            powered(pool, node, ask) < wanted.replicas) {
            return false;
        }
        std::size_t next = taken.size();
        Ranges chosen;
        choose({&pool, node}, wanted.replicas, ask, chosen);
        taken.insert(taken.end(), chosen.begin(), chosen.end());
        for (; next < taken.size(); ++next)
            apply(shape, taken[next], true);
        return true;
    };
    bool free = true;
    for (const NodeRange& wanted : nodes.ranges)
        for (std::uint32_t n = 0; n < wanted.count && free; ++n)
            free = put(wanted, wanted.first + n);
    for (auto range = taken.rbegin(); range != taken.rend(); ++range)
        apply(shape, *range, false);
    for (const NodeRange& range : taken) {
        if (!free) break;
        if (shape.demand.parts[range.part].each.chip_permille > 0) {
            placement.ranges.push_back(range);
        } else {
            append(range, placement.ranges);
        }
    }
    return free;
}

bool FreeIndex::find_among(const Shape& shape,
                           PoolId pool,
                           std::uint32_t first,
                           std::uint32_t last,
                           Placement& placement,
                           Time end) {
    placement.ranges.clear();
    const Zone zone{
        .begin = &pool, .end = &pool + 1, .first = first, .last = last, .one_node = true};
    return find_parts(shape, zone, placement.ranges, end);
}

bool FreeIndex::find_in(const Shape& shape,
                        const std::vector<PoolId>& domain,
                        Ranges& ranges,
                        Time end) {
    const Level within = shape.demand.within;
    Level level = std::min(shape.demand.prefer, within);
    for (;; level = static_cast<Level>(static_cast<int>(level) + 1)) {
        if (level == Level::site) {
            const Zone zone{.begin = domain.data(), .end = domain.data() + domain.size()};
            if (find_parts(shape, zone, ranges, end)) return true;
            if (!draws_unlike(shape.demand, domain)) return false;
            thrifty_ = true;
            const bool found = find_parts(shape, zone, ranges, end);
            thrifty_ = false;
            return found;
        }
        for (const PoolId& pool : domain) {
            if (find_at(shape, pool, level, ranges, end)) return true;
        }
        if (level == within) return false;
    }
}

// Whether it matters to the budget of their site which of the pools the gang is in.
bool FreeIndex::draws_unlike(const Demand& demand, const std::vector<PoolId>& domain) const {
    const PoolIndex& first = pools_[domain.front().value];
    if (sites_[first.site].budget_mw == 0) return false;
    return std::any_of(domain.begin(), domain.end(), [&](PoolId id) {
        return std::any_of(demand.parts.begin(), demand.parts.end(), [&](const GangPart& part) {
            return pools_[id.value].each_mw(part.each) != first.each_mw(part.each);
        });
    });
}

// A gang of one part on the one node where it costs least, wherever that is.
bool FreeIndex::find_cheapest(const Shape& shape, Ranges& ranges, Time end) {
    const Demand& demand = shape.demand;
    if (demand.parts.size() > 1) return false;
    const Ask ask{demand.parts[0].each, demand.parts[0].replicas, 0, demand.tag, end};
    const PoolId* pools = demand.pools.data();
    const Zone all{.begin = pools, .end = pools + demand.pools.size(), .one_node = true};
    return find_part(ask, all, ranges);
}

// Inside one pool, at a level below the site.
bool FreeIndex::find_at(
    const Shape& shape, const PoolId& id, Level level, Ranges& ranges, Time end) {
    if (level == Level::node) return find_on_one_node(shape, id, ranges, end);
    PoolIndex& pool = pools_[id.value];
    Zone zone{.begin = &id, .end = &id + 1};
    const DomainIndex& index = level == Level::rack ? pool.racks : pool.pods;
    if (level == Level::pool || index.domains() <= 1) {
        return find_parts(shape, zone, ranges, end);
    }
    const auto narrow_to = [&](std::uint32_t domain) {
        zone.first = domain * index.span();
        zone.last = zone.first + std::min(index.span(), pool.pool.nodes - zone.first);
    };
    const GangPart& part = shape.demand.parts.front();
    const Ask ask{part.each, part.replicas, 0, shape.demand.tag, end};
    if (shape.demand.parts.size() == 1) {
        const std::optional<std::uint32_t> domain = tightest_domain(pool, level, ask);
        if (!domain) return false;
        narrow_to(*domain);
        const bool found = find_parts(shape, zone, ranges, end);
        WEIR_ASSERT(found);  // it was counted
        return true;
    }
    list_domains(pool, level, ask);
    for (const DomainHeld& its : domains_) {
        narrow_to(its.domain);
        if (find_parts(shape, zone, ranges, end)) return true;
    }
    return false;
}

bool FreeIndex::find_on_one_node(const Shape& shape, const PoolId& id, Ranges& ranges, Time end) {
    const Zone pool{.begin = &id, .end = &id + 1, .one_node = true};
    if (shape.demand.parts.size() == 1) return find_parts(shape, pool, ranges, end);
    // Equal nodes hold the same, so the lowest one of each class is tried, the best ones first.
    const GangPart& part = shape.demand.parts.front();
    if (!collect({part.each, part.replicas, 0, shape.demand.tag, end}, pool, false)) return false;
    for (Option& option : options_)
        option.next = option.pool->classes[option.cls].nodes.first_in(option.next, option.last);
    std::sort(options_.begin(), options_.end(), [this](const Option& a, const Option& b) {
        const int order = compare(a, b);
        return order != 0 ? order < 0 : a.next < b.next;
    });
    const std::vector<Option> options = options_;
    for (const Option& option : options) {
        const Zone node{.begin = &id,
                        .end = &id + 1,
                        .first = option.next,
                        .last = option.next + 1,
                        .one_node = true};
        if (find_parts(shape, node, ranges, end)) return true;
    }
    return false;
}

// Several parts: each is found in what the earlier ones leave, and then everything is put back.
bool FreeIndex::find_parts(const Shape& shape, const Zone& zone, Ranges& ranges, Time end) {
    const Demand& demand = shape.demand;
    const auto ask_for = [&](std::uint32_t part) {
        const GangPart& its = demand.parts[part];
        return Ask{its.each, its.replicas, part, demand.tag, end};
    };
    if (demand.parts.size() == 1) return find_part(ask_for(0), zone, ranges);
    std::size_t taken = 0;
    bool found = true;
    lifted_.clear();
    lifted_power_.clear();
    for (std::uint32_t part = 0; part < demand.parts.size() && found; ++part) {
        const Ask ask = ask_for(part);
        found = find_part(ask, zone, ranges);
        for (; found && taken < ranges.size(); ++taken) {
            apply(shape, ranges[taken], true);
            lower_horizons(ranges[taken], ask);
            lower_power_promised(ranges[taken], ask);
        }
    }
    for (auto its = lifted_.rbegin(); its != lifted_.rend(); ++its)
        set_horizon(its->pool, its->node, 1, its->horizon);
    for (auto its = lifted_power_.rbegin(); its != lifted_power_.rend(); ++its)
        set_power_promised(its->pool, its->level, its->number, its->promised);
    while (taken > 0)
        apply(shape, ranges[--taken], false);
    if (!found) ranges.clear();
    return found;
}

// What one part of a gang uses beyond a horizon, the next part has no more.
void FreeIndex::lower_horizons(const NodeRange& range, const Ask& ask) {
    const PoolIndex& pool = pools_[range.pool.value];
    if (pool.nodes_special == 0) return;
    for (std::uint32_t node = range.first; node < range.first + range.count; ++node) {
        const std::uint32_t position = pool.class_of_node(node).key.horizon;
        if (position == 0 || ask.end <= horizons_[position].until) continue;
        const Horizon before = horizons_[position];
        Horizon after = before;
        const std::uint32_t chips = ask.each.chip_permille > 0 ? 1 : ask.each.chips;
        after.chips -= range.replicas * chips;
        if (pool.pool.cpus_milli > 0) after.cpus_milli -= range.replicas * ask.each.cpus_milli;
        if (pool.pool.memory.count > 0) {
            after.memory.count -= range.replicas * ask.each.memory.count;
        }
        lifted_.push_back({range.pool, node, before});
        set_horizon(range.pool, node, 1, after);
    }
}

// The same for watts.
void FreeIndex::lower_power_promised(const NodeRange& range, const Ask& ask) {
    PoolIndex& pool = pools_[range.pool.value];
    const std::int64_t node_mw = pool.each_mw(ask.each) * range.replicas;
    const auto lower = [&](Level level, std::uint32_t number) {
        PowerPromised after = promised_of(pool, level, number);
        if (ask.end <= after.until) return;
        lifted_power_.push_back({range.pool, level, number, after});
        after.left_mw -= node_mw;
        set_power_promised(range.pool, level, number, after);
    };
    for (std::uint32_t node = range.first; node < range.first + range.count && node_mw > 0;
         ++node) {
        if (!pool.rack_power.promised.empty()) lower(Level::rack, node / pool.rack_power.span);
        if (!pool.pod_power.promised.empty()) lower(Level::pod, node / pool.pod_power.span);
        lower(Level::site, 0);
    }
}

// The same while a part looks for more nodes: the keys of nodes stay as they are.
void FreeIndex::count_promised(PoolIndex& pool, std::uint32_t node, std::int64_t mw, Time end) {
    const auto count = [&](PowerPromised& promised) {
        if (end > promised.until) promised.left_mw -= mw;
    };
    for (PowerBudgets* budgets : {&pool.rack_power, &pool.pod_power})
        if (!budgets->promised.empty()) count(budgets->promised[node / budgets->span]);
    count(sites_[pool.site].promised);
}

bool FreeIndex::find_part(const Ask& ask, const Zone& zone, Ranges& ranges) {
    const bool beside_the_rest = ask.number > 0 && ask.replicas == 1;
    if (!collect(ask, zone, !beside_the_rest)) return false;
    if (const auto spot = supply_ && !beside_the_rest ? cheapest_spot(ask, ask.replicas)
                                                      : best_spot(ask.replicas, beside_the_rest)) {
        choose(*spot, ask.replicas, ask, ranges);
        return true;
    }
    group_options();
    bool budgets = false;
    for (const PoolId* id = zone.begin; id != zone.end; ++id)
        budgets = budgets || has_budgets(pools_[id->value]);
    if (budgets) return spread_under_budgets(ask, zone, ranges);
    spread(ask, ranges);
    return true;
}

// ---------------------------------------------------------------------------------------------
// Options

// Fills options_; false when together they do not hold the part. Where one node holds it and the
// caller looks for no more than the best one, options that are certainly worse are left out.
bool FreeIndex::collect(const Ask& ask, const Zone& zone, bool best_is_enough) {
    options_.clear();
    std::uint64_t held = 0;
    std::uint32_t rank = 0;
    for (const PoolId* id = zone.begin; id != zone.end; ++id, ++rank) {
        PoolIndex& pool = pools_[id->value];
        const std::uint64_t limit = around(pool, ask);
        const std::int64_t each_mw = pool.each_mw(ask.each);
        const bool whole_pool = zone.last - zone.first >= pool.pool.nodes;
        const auto each_in = [&](std::uint32_t cls) {
            const NodeKey& key = pool.classes[cls].key;
            std::uint64_t each = std::min(holds_by_power(key, ask, each_mw), limit);
            if (each > 0) each = std::min(each, holds(pool, key, ask));
            return zone.one_node && each < ask.replicas ? 0 : each;
        };
        const auto offer = [&](std::uint32_t cls, std::uint64_t each, std::uint32_t nodes) {
            const NodeKey& key = pool.classes[cls].key;
            std::uint8_t order = 1;  // nothing is promised
            if (key.horizon != 0) order = horizons_[key.horizon].until >= ask.end ? 0 : 2;
            if (key.suspect) order = static_cast<std::uint8_t>(order + 3);
            options_.push_back({.each = each,
                                .draw_mw = thrifty_ ? pool.each_mw(ask.each) : 0,
                                .pool = &pool,
                                .pool_rank = rank,
                                .cls = cls,
                                .nodes = nodes,
                                .next = zone.first,
                                .last = std::min(zone.last, pool.pool.nodes),
                                .order = order,
                                .used_up = false});
        };
        if (whole_pool) {
            const NodeClass* whole = nullptr;  // the tightest that holds all
            const std::uint64_t least = pool.chips_milli_needed(ask.each);
            const auto first = std::partition_point(
                pool.active.begin(), pool.active.end(), [&](std::uint32_t cls) {
                    return pool.classes[cls].chips_milli < least;
                });
            for (auto active = first; active != pool.active.end(); ++active) {
                const std::uint32_t cls = *active;
                const NodeClass& its = pool.classes[cls];
                if (whole != nullptr && compare_tightness(*whole, its, rooms_) != 0) break;
                const std::uint64_t each = each_in(cls);
                if (each == 0) continue;
                offer(cls, each, its.nodes.size());
                held += each * its.nodes.size();
                if (best_is_enough && !supply_ && each >= ask.replicas && pool.nodes_special == 0) {
                    whole = &its;
                }
            }
            continue;
        }
        // Part of a pool: its nodes are few.
        constexpr std::uint32_t unknown = std::numeric_limits<std::uint32_t>::max();
        if (option_of_class_.size() < pool.classes.size()) {
            option_of_class_.resize(pool.classes.size(), unknown);
        }
        const std::size_t begin = options_.size();
        for (std::uint32_t node = zone.first; node < zone.last; ++node) {
            const std::uint32_t cls = pool.class_of[node];
            if (!pool.classes[cls].key.in_service) continue;
            std::uint32_t& option = option_of_class_[cls];
            if (option == unknown) {
                option = static_cast<std::uint32_t>(options_.size());
                offer(cls, each_in(cls), 0);
            }
            ++options_[option].nodes;
            held += options_[option].each;
        }
        for (std::size_t i = begin; i < options_.size(); ++i)
            option_of_class_[options_[i].cls] = unknown;
        options_.erase(std::remove_if(options_.begin() + static_cast<std::ptrdiff_t>(begin),
                                      options_.end(),
                                      [](const Option& its) { return its.each == 0; }),
                       options_.end());
    }
    return held >= ask.replicas && !options_.empty();
}

// Which node is the better one, all being equal that they hold: <0 for `a`, 0 when only their
// numbers are left to decide. (A score of classes other than tightness belongs here.)
int FreeIndex::compare(const Option& a, const Option& b) const {
    if (a.draw_mw != b.draw_mw) return a.draw_mw < b.draw_mw ? -1 : 1;
    if (a.order != b.order) return a.order < b.order ? -1 : 1;
    const int tighter = compare_tightness(a.pool->classes[a.cls], b.pool->classes[b.cls], rooms_);
    if (tighter != 0) return tighter;
    return a.pool_rank == b.pool_rank ? 0 : a.pool_rank < b.pool_rank ? -1 : 1;
}

// The best node that holds `replicas`, or (`loosest`) the emptiest one of the best order.
std::optional<FreeIndex::Spot> FreeIndex::best_spot(std::uint64_t replicas, bool loosest) const {
    const auto order = [&](const Option& a, const Option& b) {
        if (!loosest) return compare(a, b);
        if (a.draw_mw != b.draw_mw) return a.draw_mw < b.draw_mw ? -1 : 1;
        if (a.order != b.order) return a.order < b.order ? -1 : 1;
        const int tighter =
            compare_tightness(a.pool->classes[a.cls], b.pool->classes[b.cls], rooms_);
        if (tighter != 0) return -tighter;
        return a.pool_rank == b.pool_rank ? 0 : a.pool_rank < b.pool_rank ? -1 : 1;
    };
    const Option* best = nullptr;
    for (const Option& option : options_) {
        if (option.used_up || option.each < replicas) continue;
        if (best == nullptr || order(option, *best) < 0) best = &option;
    }
    if (best == nullptr) return std::nullopt;
    Spot spot{best->pool, best->last};
    for (const Option& option : options_) {
        if (option.used_up || option.each < replicas) continue;
        if (&option != best && order(option, *best) != 0) continue;
        const NodeSet& nodes = option.pool->classes[option.cls].nodes;
        spot.node = std::min(spot.node, nodes.first_in(option.next, option.last));
    }
    WEIR_ASSERT(spot.node < best->last);
    return spot;
}

// best_spot() by what it costs the tasks to come.
std::optional<FreeIndex::Spot> FreeIndex::cheapest_spot(const Ask& ask, std::uint64_t replicas) {
    const Option* best = nullptr;
    Supply::Choice best_choice;
    Spot spot;
    for (const Option& option : options_) {
        if (option.used_up || option.each < replicas) continue;
        if (best != nullptr && option.order > best->order) continue;
        const NodeClass& its = option.pool->classes[option.cls];
        const Supply::Choice choice =
            supply_->best(its.state, ask.each, static_cast<std::uint32_t>(replicas));
        const std::uint32_t node = its.nodes.first_in(option.next, option.last);
        if (best != nullptr && option.order == best->order) {
            const int order = supply_->compare(choice, best_choice);
            if (order > 0) continue;
            if (order == 0 &&
                std::pair(option.pool_rank, node) > std::pair(best->pool_rank, spot.node)) {
                continue;
            }
        }
        best = &option;
        best_choice = choice;
        spot = {option.pool, node};
    }
    if (best == nullptr) return std::nullopt;
    return spot;
}

// Sorts options_, those that hold most first, and notes which ones are equal but for the numbers
// of their nodes.
void FreeIndex::group_options() {
    const auto order = [this](const Option& a, const Option& b) {
        if (a.draw_mw != b.draw_mw) return a.draw_mw < b.draw_mw ? -1 : 1;
        if (a.each != b.each) return a.each > b.each ? -1 : 1;
        if (a.order != b.order) return a.order < b.order ? -1 : 1;
        if (a.pool_rank != b.pool_rank) return a.pool_rank < b.pool_rank ? -1 : 1;
        return compare_tightness(a.pool->classes[a.cls], b.pool->classes[b.cls], rooms_);
    };
    std::sort(options_.begin(), options_.end(), [&](const Option& a, const Option& b) {
        return order(a, b) < 0;
    });
    groups_.clear();
    for (std::size_t i = 0; i < options_.size(); ++i) {
        if (i > 0 && order(options_[i - 1], options_[i]) == 0) {
            groups_.back().end = i + 1;
        } else {
            groups_.push_back({i, i + 1});
        }
    }
}

const std::vector<const NodeSet*>& FreeIndex::sets_of(const Group& group) {
    sets_.clear();
    for (std::size_t i = group.begin; i < group.end; ++i)
        sets_.push_back(&options_[i].pool->classes[options_[i].cls].nodes);
    return sets_;
}

// ---------------------------------------------------------------------------------------------
// Choosing nodes

// No node holds them all: fewest nodes, so those that hold most first. Requires: group_options(),
// and together they hold enough.
void FreeIndex::spread(const Ask& ask, Ranges& ranges) {
    std::uint64_t remaining = ask.replicas;
    for (const Group& group : groups_) {
        Option& option = options_[group.begin];
        std::uint64_t nodes = 0;
        for (std::size_t i = group.begin; i < group.end; ++i)
            nodes += options_[i].nodes;
        const std::uint64_t chosen = std::min(nodes, remaining / option.each);
        std::uint32_t next = option.next;
        if (chosen > 0) {
            std::uint64_t left = chosen;
            NodeSet::walk_all(sets_of(group), next, option.last, [&](std::uint32_t node) {
                choose({option.pool, node}, option.each, ask, ranges);
                next = node + 1;
                return --left > 0;
            });
            WEIR_ASSERT(left == 0);
            remaining -= chosen * option.each;
        }
        for (std::size_t i = group.begin; i < group.end; ++i) {
            options_[i].next = next;
            options_[i].used_up = chosen == nodes;
        }
        // Options of which no node is left, although their group has some, are none either.
        for (std::size_t i = group.begin; i < group.end && chosen > 0 && chosen < nodes; ++i) {
            const NodeSet& its = option.pool->classes[options_[i].cls].nodes;
            options_[i].used_up = its.first_in(next, option.last) == option.last;
        }
        if (remaining == 0) return;
        if (remaining < option.each && chosen < nodes) {
            choose(*(supply_ ? cheapest_spot(ask, remaining) : best_spot(remaining)),
                   remaining,
                   ask,
                   ranges);
            return;
        }
    }
    WEIR_ASSERT(remaining == 0);  // collect counted enough
}

// The same while the gang's own watts are counted. False when the budgets do not suffice.
bool FreeIndex::spread_under_budgets(const Ask& ask, const Zone& zone, Ranges& ranges) {
    // Walking over thousands of nodes in vain is what a large gang at the head of a queue would do
    // at every event.
    if (ask.replicas > 8 && hold_by_domains(ask, zone) < ask.replicas) return false;
    const std::size_t begin = ranges.size();
    std::uint64_t remaining = ask.replicas;
    std::size_t group = 0;
    deferred_.clear();
    drawn_.clear();
    // Whether node `a` comes before node `b`; group numbers are in order for equal holdings.
    const auto before = [this](const Deferred& a, const Deferred& b) {
        const Option& x = options_[groups_[a.group].begin];
        const Option& y = options_[groups_[b.group].begin];
        if (x.draw_mw != y.draw_mw) return x.draw_mw < y.draw_mw;
        if (a.holds != b.holds) return a.holds > b.holds;
        if (x.order != y.order) return x.order < y.order;
        if (x.pool_rank != y.pool_rank) return x.pool_rank < y.pool_rank;
        const int tighter =
            compare_tightness(x.pool->classes[x.cls], y.pool->classes[y.cls], rooms_);
        return tighter != 0 ? tighter < 0 : a.node < b.node;
    };
    const auto after = [&](const Deferred& a, const Deferred& b) { return before(b, a); };
    const auto next_of = [this](const Group& its) {
        const Option& option = options_[its.begin];
        std::uint32_t node = option.last;
        for (std::size_t i = its.begin; i < its.end; ++i) {
            node = std::min(
                node,
                option.pool->classes[options_[i].cls].nodes.first_in(option.next, option.last));
        }
        return node;
    };
    while (remaining > 0) {
        std::optional<Deferred> head;
        for (; group < groups_.size(); ++group) {
            const Option& option = options_[groups_[group].begin];
            const std::uint32_t node = next_of(groups_[group]);
            if (node < option.last) {
                head = Deferred{option.each, group, node};
                break;
            }
        }
        const bool aside = !deferred_.empty() && (!head || before(deferred_.front(), *head));
        if (!aside && !head) break;
        const Deferred its = aside ? deferred_.front() : *head;
        PoolIndex& pool = *options_[groups_[its.group].begin].pool;
        const std::int64_t each_mw = pool.each_mw(ask.each);
        const std::uint64_t holds = std::min(its.holds, powered(pool, its.node, ask));
        if (holds == its.holds && holds > remaining) {
            choose(best_spot_under_budgets(ask, remaining), remaining, ask, ranges);
            remaining = 0;
            break;
        }
        if (aside) {
            std::pop_heap(deferred_.begin(), deferred_.end(), after);
            deferred_.pop_back();
        } else {
            for (std::size_t i = groups_[group].begin; i < groups_[group].end; ++i)
                options_[i].next = its.node + 1;
        }
        if (holds < its.holds) {
            if (holds == 0) continue;
            deferred_.push_back({holds, its.group, its.node});
            std::push_heap(deferred_.begin(), deferred_.end(), after);
            continue;
        }
        choose({&pool, its.node}, holds, ask, ranges);
        count_power(pool, its.node, 1, static_cast<std::int64_t>(holds) * each_mw);
        count_promised(pool, its.node, static_cast<std::int64_t>(holds) * each_mw, ask.end);
        drawn_.push_back({&pool, its.node, static_cast<std::int64_t>(holds) * each_mw});
        remaining -= holds;
    }
    for (const Drawn& its : drawn_) {
        count_power(*its.pool, its.node, 1, -its.mw);
        count_promised(*its.pool, its.node, -its.mw, ask.end);
    }
    if (remaining == 0) return true;
    ranges.resize(begin);
    return false;
}

// best_spot() where a node may hold less than its class says. Requires: one node does hold it.
FreeIndex::Spot FreeIndex::best_spot_under_budgets(const Ask& ask, std::uint64_t replicas) const {
    const Option* best = nullptr;
    Spot spot;
    const auto offer = [&](const Option& option, std::uint32_t node) {
        const int order = best == nullptr ? -1 : compare(option, *best);
        if (order > 0 || (order == 0 && node > spot.node)) return;
        best = &option;
        spot = {option.pool, node};
    };
    const auto holds_it = [&](const PoolIndex& pool, std::uint32_t node) {
        return powered(pool, node, ask) >= replicas;
    };
    for (const Option& option : options_) {
        if (option.each < replicas) continue;
        if (best != nullptr && compare(option, *best) > 0) continue;
        const NodeSet& nodes = option.pool->classes[option.cls].nodes;
        nodes.walk(option.next, option.last, [&](std::uint32_t node) {
            if (!holds_it(*option.pool, node)) return true;
            offer(option, node);
            return false;
        });
    }
    for (const Deferred& its : deferred_) {
        const Option& option = options_[groups_[its.group].begin];
        if (its.holds >= replicas && holds_it(*option.pool, its.node)) offer(option, its.node);
    }
    WEIR_ASSERT(best != nullptr);
    return spot;
}

// One range for each replica with a fraction of a chip: the shared chip with the least room that
// suffices, else one that nobody uses; or where it costs least.
void FreeIndex::choose_shared_chips(const Spot& spot,
                                    std::uint64_t replicas,
                                    const Ask& ask,
                                    Ranges& ranges) {
    const PoolIndex& pool = *spot.pool;
    const std::uint32_t chips = pool.pool.chips_per_node;
    const std::uint32_t permille = ask.each.chip_permille;
    std::uint32_t rooms[chips_per_node_max];
    for (std::uint32_t chip = 0; chip < chips; ++chip) {
        const bool used = (pool.used_mask[spot.node] >> chip) & 1;
        const std::uint32_t left =
            pool.room.empty() ? 1000U : pool.room[std::size_t{spot.node} * chips + chip];
        // A used chip that nobody shares belongs to one job as a whole.
        rooms[chip] = used && left == 1000 ? 0 : left;
    }
    StateId state = pool.class_of_node(spot.node).state;
    for (std::uint64_t replica = 0; replica < replicas; ++replica) {
        std::uint32_t least = permille;
        if (supply_) {
            const Supply::Choice choice = supply_->best(state, ask.each);
            least = choice.room;
            state = choice.to;
        }
        std::uint32_t best = chips;
        for (std::uint32_t chip = 0; chip < chips; ++chip) {
            if (rooms[chip] >= least && (best == chips || rooms[chip] < rooms[best])) best = chip;
        }
        WEIR_ASSERT(best < chips);
        rooms[best] -= permille;
        ranges.push_back({.pool = pool.id,
                          .first = spot.node,
                          .count = 1,
                          .replicas = 1,
                          .part = ask.number,
                          .chip_mask = std::uint64_t{1} << best});
    }
}

// So many replicas on this node; a run of equal nodes becomes one range.
void FreeIndex::choose(const Spot& spot, std::uint64_t replicas, const Ask& ask, Ranges& ranges) {
    const PoolIndex& pool = *spot.pool;
    if (ask.each.chip_permille > 0) {
        return choose_shared_chips(spot, replicas, ask, ranges);
    }
    const auto count = static_cast<std::uint32_t>(replicas);
    const std::uint32_t chips = count * ask.each.chips;
    const std::uint64_t free = all_chips(pool.pool.chips_per_node) & ~pool.used_mask[spot.node];
    const std::uint64_t mask = chips == 0 ? 0 : lowest(free, chips);
    append({.pool = pool.id,
            .first = spot.node,
            .count = 1,
            .replicas = count,
            .part = ask.number,
            .chip_mask = mask},
           ranges);
}

// Neighbours that hold the same become one range. Shared chips have ranges of their own.
void FreeIndex::append(const NodeRange& range, Ranges& ranges) {
    if (!ranges.empty()) {
        NodeRange& last = ranges.back();
        if (last.pool == range.pool && last.first + last.count == range.first &&
            last.replicas == range.replicas && last.part == range.part &&
            last.chip_mask == range.chip_mask) {
            last.count += range.count;
            return;
        }
    }
    ranges.push_back(range);
}

}  // namespace weir::fleet
