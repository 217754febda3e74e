#include "weir/fleet/placing_reference.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "weir/base/assert.hpp"
#include "weir/fleet/power.hpp"

namespace weir::fleet {

ReferencePlacing::ReferencePlacing(const Fleet& fleet)
    : fleet_(std::make_shared<const Fleet>(fleet)) {
    for (const Site& site : fleet.sites)
        sites_.push_back({milliwatts(site.power_watts), 0, {}});
    for (std::uint32_t p = 0; p < fleet.pools.size(); ++p) {
        const Pool& pool = fleet.pools[p];
        std::size_t site = 0;
        while (site < fleet.sites.size() && fleet.sites[site].name != pool.site)
            ++site;
        if (site == sites_.size()) sites_.emplace_back();
        site_of_.push_back(site);
        racks_.emplace_back(pool.racks(), Watts{milliwatts(pool.rack_power_watts), 0, {}});
        pods_.emplace_back(pool.pods(), Watts{milliwatts(pool.pod_power_watts), 0, {}});
        for (std::uint32_t n = 0; n < pool.nodes; ++n) {
            nodes.push_back({.pool = PoolId{p},
                             .number = n,
                             .in_service = true,
                             .suspect = false,
                             .tag = 0,
                             .horizon = {},
                             .chip_room = std::vector<std::uint32_t>(pool.chips_per_node, 1000),
                             .cpus_milli = pool.cpus_milli,
                             .memory = pool.memory.count});
            for (Watts* const watts : around(nodes.back()))
                watts->drawn_mw += idle_milliwatts(pool);
        }
    }
}

ReferencePlacing::Node& ReferencePlacing::node(PoolId pool, std::uint32_t number) {
    for (Node& its : nodes) {
        if (its.pool == pool && its.number == number) return its;
    }
    WEIR_ASSERT(false);
}

// The rack, the pod and the site that a node draws from.
std::vector<ReferencePlacing::Watts*> ReferencePlacing::around(const Node& its, Level up_to) {
    const Pool& pool = fleet_->pool(its.pool);
    std::vector<Watts*> all{&racks_[its.pool.value][its.number / pool.rack_nodes()]};
    if (up_to >= Level::pod) all.push_back(&pods_[its.pool.value][its.number / pool.pod_nodes()]);
    if (up_to >= Level::pool) all.push_back(&sites_[site_of_[its.pool.value]]);
    return all;
}

// Puts one replica on the node, if it has room for as long as the gang stays.
bool ReferencePlacing::put_one(std::size_t at, const Ask& ask, std::vector<std::uint32_t>& chips) {
    Node& its = nodes[at];
    const Pool& pool = fleet_->pool(its.pool);
    const ReplicaDemand& each = ask.demand.parts[ask.part].each;
    if (!its.in_service || its.tag != ask.demand.tag) return false;
    if (pool.cpus_milli > 0 && its.cpus_milli < each.cpus_milli) return false;
    if (pool.memory.count > 0 && its.memory < each.memory.count) return false;
    const std::int64_t draws = active_milliwatts(pool, each);
    for (const Watts* const watts : around(its, ask.budgets)) {
        if (watts->budget_mw == 0 || draws == 0) continue;
        if (watts->drawn_mw + draws > watts->budget_mw) return false;
        if (ask.end > watts->promised.until && draws > watts->promised.left_mw) return false;
    }
    // Beyond its horizon only so much of it is free, and of that no chip is shared.
    const bool beyond = its.horizon && ask.end > its.horizon->until;
    const std::uint32_t whole_chips = each.chip_permille > 0 ? 1 : each.chips;
    if (beyond) {
        if (its.horizon->chips < whole_chips) return false;
        if (pool.cpus_milli > 0 && its.horizon->cpus_milli < each.cpus_milli) return false;
        if (pool.memory.count > 0 && its.horizon->memory < each.memory) return false;
    }
    chips.clear();
    if (each.chip_permille > 0) {
        std::optional<std::uint32_t> best;
        for (std::uint32_t chip = 0; chip < its.chip_room.size(); ++chip) {
            if (its.chip_room[chip] < each.chip_permille) continue;
            if (!best || its.chip_room[chip] < its.chip_room[*best]) best = chip;
        }
        if (!best) return false;
        chips.push_back(*best);
    } else {
        for (std::uint32_t chip = 0; chip < its.chip_room.size(); ++chip) {
            if (chips.size() < each.chips && its.chip_room[chip] == 1000) chips.push_back(chip);
        }
        if (chips.size() < each.chips) return false;
    }
    put(ask.demand, {{at, ask.part, chips}}, 1);
    promise_less(at, ask, 1);
    if (beyond) {
        its.horizon->chips -= whole_chips;
        if (pool.cpus_milli > 0) its.horizon->cpus_milli -= each.cpus_milli;
        if (pool.memory.count > 0) its.horizon->memory.count -= each.memory.count;
    }
    return true;
}

// What replicas draw that stay beyond what is promised of watts, nobody else may.
void ReferencePlacing::promise_less(std::size_t at, const Ask& ask, std::int64_t replicas) {
    const Node& its = nodes[at];
    const ReplicaDemand& each = ask.demand.parts[ask.part].each;
    const std::int64_t draws = active_milliwatts(fleet_->pool(its.pool), each);
    for (Watts* const watts : around(its))
        if (ask.end > watts->promised.until) watts->promised.left_mw -= replicas * draws;
}

std::uint64_t ReferencePlacing::holds(std::size_t at, const Ask& ask) {
    const Pool& pool = fleet_->pool(nodes[at].pool);
    const ReplicaDemand& each = ask.demand.parts[ask.part].each;
    const bool counts_something = each.chips > 0 || each.chip_permille > 0 ||
                                  (each.cpus_milli > 0 && pool.cpus_milli > 0) ||
                                  (each.memory.count > 0 && pool.memory.count > 0);
    const Node before = nodes[at];
    std::vector<std::uint32_t> chips;
    std::uint64_t count = 0;
    while (counts_something && put_one(at, ask, chips))
        ++count;
    const std::int64_t draws = active_milliwatts(pool, each);
    for (Watts* const watts : around(before))
        watts->drawn_mw -= static_cast<std::int64_t>(count) * draws;
    promise_less(at, ask, -static_cast<std::int64_t>(count));
    nodes[at] = before;
    // Who asks for nothing that is counted fits any number of times, or not at all.
    if (!counts_something && put_one(at, ask, chips)) return 0xFFFFFFFFU;
    return count;
}

// What a rack or a pod holds by its own nodes and the budgets inside it.
std::uint64_t ReferencePlacing::holds_alone(const Zone& zone, const Ask& ask) const {
    ReferencePlacing trial = *this;
    std::vector<std::uint32_t> chips;
    std::uint64_t sum = 0;
    for (const std::size_t at : zone.nodes) {
        const std::uint64_t count = trial.holds(at, ask);
        sum += count;
        for (std::uint64_t i = 0; i < count && count < 0xFFFFFFFFU; ++i)
            WEIR_ASSERT(trial.put_one(at, ask, chips));
    }
    return sum;
}

// Nodes in the shadow of a promise that the gang does not touch come first, those where it would
// have to stay beside one last; suspect ones after all others.
int ReferencePlacing::order_of(const Node& its, Time end) const {
    const int shadow = !its.horizon ? 1 : its.horizon->until >= end ? 0 : 2;
    return (its.suspect ? 3 : 0) + shadow;
}

// The pools of `a` and `b` and their numbers decide last: the caller lists nodes in that order.
bool ReferencePlacing::better(std::size_t a, std::size_t b, Time end, bool loosest) const {
    const int order_a = order_of(nodes[a], end);
    const int order_b = order_of(nodes[b], end);
    if (order_a != order_b) return order_a < order_b;
    const auto tightness = [](const Node& its) {
        std::uint64_t chips_milli = 0;
        std::vector<std::uint32_t> rooms;
        for (const std::uint32_t room : its.chip_room) {
            chips_milli += room;
            if (room > 0 && room < 1000) rooms.push_back(room);
        }
        std::sort(rooms.begin(), rooms.end());
        return std::tuple(chips_milli, its.cpus_milli, its.memory, rooms);
    };
    return loosest ? tightness(nodes[b]) < tightness(nodes[a])
                   : tightness(nodes[a]) < tightness(nodes[b]);
}

std::int64_t ReferencePlacing::draw_of(const Node& its, const Ask& ask) const {
    if (!ask.thrifty) return 0;
    return active_milliwatts(fleet_->pool(its.pool), ask.demand.parts[ask.part].each);
}

bool ReferencePlacing::put_part(const Zone& zone, const Ask& ask, Pieces& pieces) {
    // Which node is better is asked of the state before the part: it does not change its order.
    const ReferencePlacing before = *this;
    std::set<std::size_t> used;
    const auto best = [&](std::uint64_t replicas, bool loosest = false) {
        std::optional<std::size_t> found;
        for (const std::size_t at : zone.nodes) {
            if (used.count(at) > 0 || holds(at, ask) < replicas) continue;
            const auto draw = [&](std::size_t node) { return draw_of(nodes[node], ask); };
            if (!found || draw(at) < draw(*found) ||
                (draw(at) == draw(*found) && before.better(at, *found, ask.end, loosest))) {
                found = at;
            }
        }
        return found;
    };
    const auto put_on = [&](std::size_t at, std::uint64_t replicas) {
        used.insert(at);
        for (std::uint64_t i = 0; i < replicas; ++i) {
            Piece piece{.node = at, .part = ask.part, .chips = {}};
            WEIR_ASSERT(put_one(at, ask, piece.chips));
            pieces.push_back(piece);
        }
    };
    std::uint64_t remaining = ask.demand.parts[ask.part].replicas;
    if (ask.part > 0 && remaining == 1) {
        const auto emptiest = best(1, true);
        if (emptiest) put_on(*emptiest, 1);
        return emptiest.has_value();
    }
    if (const auto one = best(remaining)) {
        put_on(*one, remaining);
        return true;
    }
    // As few nodes as possible: the one that holds most, again and again. Where equal nodes are in
    // several pools, the preferred pool comes before tightness.
    while (remaining > 0) {
        std::optional<std::size_t> most;
        std::uint64_t most_held = 0;
        for (const std::size_t at : zone.nodes) {
            if (used.count(at) > 0) continue;
            const std::uint64_t held = holds(at, ask);
            if (held == 0) continue;
            const std::int64_t draw = draw_of(nodes[at], ask);
            const std::int64_t draw_most = most ? draw_of(nodes[*most], ask) : draw;
            if (draw > draw_most || (draw == draw_most && held < most_held)) continue;
            bool first = draw < draw_most || held > most_held;
            if (!first) {
                const int order = order_of(before.nodes[at], ask.end);
                const int order_most = order_of(before.nodes[*most], ask.end);
                first = order != order_most ? order < order_most
                                            : nodes[at].pool == nodes[*most].pool &&
                                                  before.better(at, *most, ask.end);
            }
            if (!first) continue;
            most = at;
            most_held = held;
        }
        if (!most) return false;
        if (most_held > remaining) {
            put_on(*best(remaining), remaining);
            return true;
        }
        put_on(*most, most_held);
        remaining -= most_held;
    }
    return true;
}

// Lists of pools, in the order of preference; at level site, pools of one site with equal chips.
std::vector<std::vector<PoolId>> ReferencePlacing::domains(const Demand& demand) const {
    std::vector<std::vector<PoolId>> all;
    std::set<PoolId> done;
    for (const PoolId first : demand.pools) {
        if (done.count(first) > 0) continue;
        std::vector<PoolId> domain;
        for (const PoolId pool : demand.pools) {
            if (done.count(pool) > 0) continue;
            const bool together = demand.within == Level::site &&
                                  fleet_->pool(pool).site == fleet_->pool(first).site &&
                                  fleet_->pool(pool).chip == fleet_->pool(first).chip;
            if (pool != first && !together) continue;
            done.insert(pool);
            domain.push_back(pool);
        }
        all.push_back(domain);
    }
    return all;
}

// The lists of nodes inside which the gang must stay at this level, the best ones first.
std::vector<ReferencePlacing::Zone> ReferencePlacing::zones(const std::vector<PoolId>& domain,
                                                            Level level,
                                                            const Demand& demand,
                                                            Time end) const {
    std::vector<Zone> all;
    if (level == Level::site) all.emplace_back();
    for (const PoolId pool : domain) {
        const Pool& its = fleet_->pool(pool);
        std::uint32_t span = its.nodes;
        if (level == Level::node) span = 1;
        if (level == Level::rack) span = its.rack_nodes();
        if (level == Level::pod) span = its.pod_nodes();
        std::vector<Zone> here;
        for (std::size_t at = 0; at < nodes.size(); ++at) {
            if (nodes[at].pool != pool) continue;
            if (level == Level::site) {
                all.back().nodes.push_back(at);
                continue;
            }
            if (nodes[at].number % span == 0) here.emplace_back();
            here.back().nodes.push_back(at);
        }
        const Ask first{demand, 0, end, level};
        if (level == Level::node) {
            std::stable_sort(here.begin(), here.end(), [&](const Zone& a, const Zone& b) {
                return better(a.nodes.front(), b.nodes.front(), end);
            });
        } else if (level == Level::rack || level == Level::pod) {
            std::vector<std::pair<std::uint64_t, Zone>> by_held;
            for (const Zone& zone : here)
                by_held.emplace_back(holds_alone(zone, first), zone);
            std::stable_sort(by_held.begin(), by_held.end(), [](const auto& a, const auto& b) {
                return a.first < b.first;
            });
            here.clear();
            for (const auto& [held, zone] : by_held)
                here.push_back(zone);
        }
        all.insert(all.end(), here.begin(), here.end());
    }
    return all;
}

std::optional<ReferencePlacing::Pieces> ReferencePlacing::find(const Demand& demand,
                                                               Time end) const {
    for (const std::vector<PoolId>& domain : domains(demand)) {
        int level = std::min(static_cast<int>(demand.prefer), static_cast<int>(demand.within));
        for (; level <= static_cast<int>(demand.within); ++level) {
            for (const Zone& zone : zones(domain, static_cast<Level>(level), demand, end)) {
                // Only at level site there are pools to choose from, and a budget for all of them.
                for (const bool thrifty : {false, true}) {
                    ReferencePlacing trial = *this;
                    Pieces pieces;
                    bool all = true;
                    for (std::uint32_t part = 0; part < demand.parts.size() && all; ++part) {
                        const Ask ask{demand, part, end, Level::site, thrifty};
                        all = trial.put_part(zone, ask, pieces);
                    }
                    if (all) return pieces;
                    if (static_cast<Level>(level) != Level::site) break;
                    if (sites_[site_of_[domain.front().value]].budget_mw == 0) break;
                }
            }
        }
    }
    return std::nullopt;
}

std::optional<ReferencePlacing::Pieces> ReferencePlacing::find_on(
    const Demand& demand, const std::vector<Wanted>& wanted) const {
    ReferencePlacing trial = *this;
    Pieces pieces;
    for (std::uint32_t part = 0; part < demand.parts.size(); ++part) {
        for (const Wanted& its : wanted) {
            for (std::uint32_t i = 0; its.part == part && i < its.replicas; ++i) {
                Piece piece{.node = its.node, .part = part, .chips = {}};
                if (!trial.put_one(its.node, {demand, part, Time::min()}, piece.chips)) {
                    return std::nullopt;
                }
                pieces.push_back(piece);
            }
        }
    }
    return pieces;
}

void ReferencePlacing::put(const Demand& demand, const Pieces& pieces, int sign) {
    for (const Piece& piece : pieces) {
        Node& its = nodes[piece.node];
        const ReplicaDemand& each = demand.parts[piece.part].each;
        const Pool& pool = fleet_->pool(its.pool);
        const int room = each.chip_permille > 0 ? static_cast<int>(each.chip_permille) : 1000;
        const auto change = [sign](std::uint32_t& free, int amount) {
            free = static_cast<std::uint32_t>(static_cast<int>(free) - sign * amount);
        };
        for (const std::uint32_t chip : piece.chips)
            change(its.chip_room[chip], room);
        if (pool.cpus_milli > 0) change(its.cpus_milli, static_cast<int>(each.cpus_milli));
        if (pool.memory.count > 0) its.memory -= sign * each.memory.count;
        for (Watts* const watts : around(its))
            watts->drawn_mw += sign * active_milliwatts(pool, each);
    }
}

Placement ReferencePlacing::placement_of(const Pieces& pieces) const {
    Placement placement;
    for (const Piece& piece : pieces) {
        std::uint64_t mask = 0;
        for (const std::uint32_t chip : piece.chips)
            mask |= std::uint64_t{1} << chip;
        placement.ranges.push_back({.pool = nodes[piece.node].pool,
                                    .first = nodes[piece.node].number,
                                    .count = 1,
                                    .replicas = 1,
                                    .part = piece.part,
                                    .chip_mask = mask});
    }
    return placement;
}

}  // namespace weir::fleet
