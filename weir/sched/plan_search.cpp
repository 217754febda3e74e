// Plan::earliest(): the first time at which a gang fits, and where.
//
// The idea: ask every run of nodes what it offers at time T for as long as the gang stays, and, if
// that is not enough together, from when on it could offer more. Of these moments the one at which
// enough *could* have come together is the next T; no earlier time is possible, because what a run
// can offer at any time before is at most the highest it has offered until then. A search takes a
// few rounds: what runs only ever ends, and only claims make a run offer less again.
//
// Which nodes: as few as possible; among those that hold equally many replicas the ones that become
// free last, so that a promise leaves alone what is free now (on equal nodes this leaves others
// exactly the room that EASY backfill counts), then the lowest numbers.
#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "weir/base/assert.hpp"
#include "weir/sched/plan.hpp"

namespace weir::sched {
namespace {

// Rounds that have to be made again because watts or several parts of a gang stood in the way.
constexpr int rounds_max = 64;

std::uint64_t all_chips(std::uint32_t count) {
    return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

// The first time by which the gains in order of time sum up to `need`; `never` if they do not.
Time time_of(std::vector<std::pair<Time, std::uint64_t>>& gains, std::uint64_t need) {
    const auto earlier = [](const auto& a, const auto& b) { return a.first < b.first; };
    auto low = gains.begin();
    auto high = gains.end();
    while (high - low > 16) {
        const auto middle = low + (high - low) / 2;
        std::nth_element(low, middle, high, earlier);
        std::uint64_t sum = 0;
        for (auto it = low; it != middle; ++it)
            sum += it->second;
        if (sum >= need) {
            high = middle;
        } else {
            need -= sum;
            low = middle;
        }
    }
    std::sort(low, high, earlier);
    for (; low != gains.end(); ++low) {
        if (low->second >= need) return low->first;
        need -= low->second;
    }
    return never;
}

}  // namespace

// What a node with this future has free during all of [from, until).
Plan::Amounts Plan::available(
    const PoolPlan& pool, const Future& future, Time from, Time until, std::uint32_t tag) const {
    if (!future.in_service) return {};
    const auto free_at = [&](Time time) {
        std::uint64_t busy = 0;
        Amounts left{
            .chips = 0, .cpus_milli = pool.pool->cpus_milli, .memory = pool.pool->memory.count};
        for (const Hold& its : future.holds) {
            if (its.end <= time) continue;
            busy |= its.chips;
            left.cpus_milli -= its.cpus_milli;
            left.memory -= its.memory.count;
        }
        left.chips = std::popcount(all_chips(pool.pool->chips_per_node) & ~busy);
        return left;
    };
    Amounts least = free_at(from);
    bool inside = tag == 0;
    if (future.claims.empty()) return inside ? least : Amounts{};
    // What stays for all of the time is the least at the moments at which a claim begins.
    const auto at_moment = [&](Time moment) {
        Amounts left = moment == from ? least : free_at(moment);
        for (const Claim& claim : future.claims) {
            if (claim.from > moment || claim.until <= moment) continue;
            if (claim.tag != 0 && claim.tag == tag) continue;
            left.chips -= claim.amounts.chips;
            left.cpus_milli -= claim.amounts.cpus_milli;
            left.memory -= claim.amounts.memory;
        }
        least.chips = std::min(least.chips, left.chips);
        least.cpus_milli = std::min(least.cpus_milli, left.cpus_milli);
        least.memory = std::min(least.memory, left.memory);
    };
    at_moment(from);
    for (const Claim& claim : future.claims) {
        if (claim.tag != 0 && claim.tag == tag && claim.from <= from && claim.until >= until) {
            inside = true;
        }
        if (claim.from > from && claim.from < until) at_moment(claim.from);
    }
    return inside ? least : Amounts{};
}

std::uint32_t Plan::replicas_in(const PoolPlan& pool,
                                const Amounts& amounts,
                                const fleet::ReplicaDemand& each) const {
    std::int64_t count = std::numeric_limits<std::uint32_t>::max();
    if (amounts.chips < 0 || amounts.cpus_milli < 0 || amounts.memory < 0) return 0;
    if (each.chips > 0) count = amounts.chips / each.chips;
    if (each.chip_permille > 0) count = amounts.chips * (1000 / each.chip_permille);
    if (each.cpus_milli > 0 && pool.pool->cpus_milli > 0) {
        count = std::min(count, amounts.cpus_milli / each.cpus_milli);
    }
    if (each.memory.count > 0 && pool.pool->memory.count > 0) {
        count = std::min(count, amounts.memory / each.memory.count);
    }
    return static_cast<std::uint32_t>(count);
}

Place Plan::earliest(const fleet::Shape& shape,
                     Time from,
                     Duration duration,
                     const std::function<bool(PoolId)>& is_wanted) {
    Place best;
    std::uint64_t best_spare = 0;
    const auto try_unit = [&](const Unit& unit, Time not_before) {
        fleet::Placement placement;
        std::uint64_t spare = 0;
        const Time at = earliest_in(shape, unit, not_before, duration, best.at, placement, spare);
        if (at == never || at > best.at || (at == best.at && spare >= best_spare)) return;
        best.at = at;
        best.placement = std::move(placement);
        best_spare = spare;
    };
    for (const std::vector<PoolId>& domain : shape.domains) {
        if (is_wanted && std::none_of(domain.begin(), domain.end(), is_wanted)) continue;
        const Time best_before = best.at;
        // Counts say how early it could be at best.
        Time bound = from;
        if (domain.size() == 1) {
            const PoolPlan& pool = pools_[domain.front().value];
            std::int64_t need = 0;
            for (const fleet::GangPart& part : shape.demand.parts) {
                need += pool.pool->chips_per_node > 0
                            ? std::int64_t{part.replicas} *
                                  (std::int64_t{part.each.chips} * 1000 + part.each.chip_permille)
                            : std::int64_t{part.replicas} * part.each.cpus_milli;
            }
            if (shape.demand.tag == 0) bound = pool.free.earliest(from, duration, need);
        }
        if (bound == never || bound >= best.at) continue;
        const PoolPlan& pool = pools_[domain.front().value];
        const std::uint32_t nodes = pool.pool->nodes;
        std::uint32_t span = nodes;
        if (shape.demand.within == fleet::Level::rack) span = pool.pool->rack_nodes();
        if (shape.demand.within == fleet::Level::pod) span = pool.pool->pod_nodes();
        if (shape.demand.within == fleet::Level::site || span >= nodes) {
            try_unit({&domain, 0, std::numeric_limits<std::uint32_t>::max()}, bound);
        } else {
            for (std::uint32_t first = 0; first < nodes; first += span)
                try_unit({&domain, first, std::min(first + span, nodes)}, bound);
        }
        // A later domain in the order of preference has to be really earlier.
        if (best.at < best_before) best_spare = 0;
    }
    if (best.found()) best.until = duration >= forever ? never : best.at + duration;
    return best;
}

// Gives the time, or `never` if it is not before `before` (or as early, for a unit with less
// spare).
Time Plan::earliest_in(const fleet::Shape& shape,
                       const Unit& unit,
                       Time from,
                       Duration duration,
                       Time before,
                       fleet::Placement& placement,
                       std::uint64_t& spare) {
    const std::vector<fleet::GangPart>& parts = shape.demand.parts;
    const bool on_one_node = shape.demand.within == fleet::Level::node;
    if (gains_.size() < parts.size()) gains_.resize(parts.size());
    Time at = from;
    std::size_t stride = 1;
    for (int round = 0; round < rounds_max && at != never && at <= before; ++round) {
        const Time until = duration >= forever ? never : at + duration;
        pieces_.clear();
        later_.clear();
        bool watched = false;
        for (auto& gains : gains_)
            gains.clear();
        std::array<std::uint64_t, 2> held{};
        Time next_moment = never;  // at which something changes
        Time one_node_at = never;  // from which on a single node holds all
        for (std::uint32_t rank = 0; rank < unit.pools->size(); ++rank) {
            const PoolId id = (*unit.pools)[rank];
            const PoolPlan& pool = pools_[id.value];
            const std::uint32_t last = std::min(unit.last, pool.pool->nodes);
            watched = watched || pool.racks.any() || pool.pods.any() || sites_[pool.site].any();
            for (std::size_t i = run_of(pool, unit.first); i < pool.runs.size(); ++i) {
                const Run& run = pool.runs[i];
                if (run.first >= last) break;
                ++work_;
                const std::uint32_t first = std::max(run.first, unit.first);
                const std::uint32_t count = std::min(run.first + run.count, last) - first;
                const Future& future = futures_[run.future];
                if (!future.in_service) continue;
                const Amounts now = available(pool, future, at, until, shape.demand.tag);
                Time freed_at = Time::min();
                moments_.clear();
                for (const Hold& its : future.holds) {
                    if (its.end <= at) {
                        freed_at = std::max(freed_at, its.end);
                    } else if (its.end != never) {
                        moments_.push_back(its.end);
                    }
                }
                for (const Claim& claim : future.claims) {
                    if (claim.until > at && claim.until != never) moments_.push_back(claim.until);
                    if (claim.tag != 0 && claim.tag == shape.demand.tag && claim.from > at) {
                        moments_.push_back(claim.from);
                    }
                }
                if (moments_.size() > 1) std::sort(moments_.begin(), moments_.end());
                if (!moments_.empty()) next_moment = std::min(next_moment, moments_.front());
                if (watched && stride > 1)
                    later_.insert(later_.end(), moments_.begin(), moments_.end());
                pieces_.push_back({.pool = id.value,
                                   .first = first,
                                   .count = count,
                                   .amounts = now,
                                   .freed_at = freed_at,
                                   .rank = rank,
                                   .replicas = 0});
                // A replica that needs every chip has them when the last one is free.
                if (moments_.size() > 1 && parts.size() == 1 && future.claims.empty() &&
                    parts[0].each.chips > 0 && parts[0].each.chips == pool.pool->chips_per_node &&
                    std::all_of(future.holds.begin(), future.holds.end(), [](const Hold& its) {
                        return its.chips != 0;
                    })) {
                    moments_.erase(moments_.begin(), moments_.end() - 1);
                }
                for (std::size_t p = 0; p < parts.size(); ++p) {
                    const fleet::ReplicaDemand& each = parts[p].each;
                    std::uint64_t highest = replicas_in(pool, now, each);
                    const std::uint64_t most =
                        fleet::FreeIndex::replicas_per_empty_node(*pool.pool, each);
                    if (p < held.size()) held[p] += highest * count;
                    if (on_one_node && highest >= parts[p].replicas) one_node_at = at;
                    for (const Time moment : moments_) {
                        if (highest >= most) break;
                        const Time end = duration >= forever ? never : moment + duration;
                        const std::uint64_t then = replicas_in(
                            pool, available(pool, future, moment, end, shape.demand.tag), each);
                        if (then <= highest) continue;
                        gains_[p].emplace_back(moment, (then - highest) * count);
                        highest = then;
                        if (on_one_node && then >= parts[p].replicas) {
                            one_node_at = std::min(one_node_at, moment);
                        }
                    }
                }
            }
        }
        Time next = at;
        if (on_one_node) {
            next = one_node_at;
        } else {
            for (std::size_t p = 0; p < parts.size() && p < held.size(); ++p) {
                if (held[p] >= parts[p].replicas) continue;
                next = std::max(next, time_of(gains_[p], parts[p].replicas - held[p]));
            }
        }
        if (next == at) {
            placement.ranges.clear();
            rooms_.clear();
            bool placed = true;
            spare = parts.size() == 1 ? held[0] : 0;
            for (std::uint32_t p = 0; p < parts.size() && placed; ++p)
                placed = place_part(parts[p], p, shape.demand.within, at, until, placement);
            if (placed) return at;
            next = next_moment;
            // Where watts stand in the way, moments are looked at in doubling strides: the place is
            // then among the earliest rather than the earliest, and the search stays short.
            if (watched && stride > 1 && !later_.empty()) {
                const std::size_t nth = std::min(stride, later_.size()) - 1;
                std::nth_element(later_.begin(),
                                 later_.begin() + static_cast<std::ptrdiff_t>(nth),
                                 later_.end());
                next = std::max(next, later_[nth]);
            }
            if (watched) stride *= 2;
        }
        at = next;
    }
    return never;
}

// Takes a part of the gang out of pieces_, which are what there is at this time.
bool Plan::place_part(const fleet::GangPart& part,
                      std::uint32_t number,
                      fleet::Level within,
                      Time at,
                      Time until,
                      fleet::Placement& placement) {
    if (number > 0) {
        std::sort(pieces_.begin(), pieces_.end(), [](const Piece& a, const Piece& b) {
            return std::pair(a.rank, a.first) < std::pair(b.rank, b.first);
        });
    }
    for (Piece& piece : pieces_)
        piece.replicas = replicas_in(pools_[piece.pool], piece.amounts, part.each);
    const auto better = [](const Piece& a, const Piece& b) { return a.freed_at > b.freed_at; };

    const auto take = [&](std::size_t index, std::uint32_t nodes, std::uint32_t replicas) {
        Piece& piece = pieces_[index];
        placement.ranges.push_back({.pool = PoolId{piece.pool},
                                    .first = piece.first,
                                    .count = nodes,
                                    .replicas = replicas,
                                    .part = number,
                                    .chip_mask = 0});
        Piece used = piece;
        used.count = nodes;
        const Amounts taken = amounts_of(pools_[piece.pool], part.each, replicas);
        used.amounts.chips -= taken.chips;
        used.amounts.cpus_milli -= taken.cpus_milli;
        used.amounts.memory -= taken.memory;
        used.replicas = 0;
        piece.first += nodes;
        piece.count -= nodes;
        if (piece.count == 0) {
            piece = used;
        } else {
            pieces_.push_back(used);
        }
    };
    std::uint32_t remaining = part.replicas;
    // A node that can hold what remains: the one that holds least.
    const auto smallest_for = [&](std::uint32_t replicas) {
        std::size_t best = pieces_.size();
        for (std::size_t i = 0; i < pieces_.size(); ++i) {
            const Piece& piece = pieces_[i];
            if (piece.count == 0 || piece.replicas < replicas) continue;
            if (best == pieces_.size() || piece.replicas < pieces_[best].replicas ||
                (piece.replicas == pieces_[best].replicas && better(piece, pieces_[best]))) {
                best = i;
            }
        }
        return best;
    };
    const auto watts_at = [&](const Piece& piece) {
        PoolPlan& pool = pools_[piece.pool];
        const bool counted = pool.racks.any() || pool.pods.any() || sites_[pool.site].any();
        return counted ? fleet::active_milliwatts(*pool.pool, part.each) : 0;
    };
    if (const std::size_t one = smallest_for(remaining); one < pieces_.size()) {
        const Piece piece = pieces_[one];
        const std::int64_t watts = watts_at(piece);
        const auto rooms = rooms_;
        if (watts == 0 ||
            powered(pools_[piece.pool], piece.first, watts, remaining, at, until) == remaining) {
            take(one, 1, remaining);
            return true;
        }
        rooms_ = rooms;
    }
    if (within == fleet::Level::node && remaining > 0) {
        // Another node than the smallest may have the watts.
        for (std::size_t i = 0; i < pieces_.size(); ++i) {
            const Piece piece = pieces_[i];
            if (piece.count == 0 || piece.replicas < remaining) continue;
            const std::int64_t watts = watts_at(piece);
            for (std::uint32_t n = 0; n < piece.count; ++n) {
                const auto rooms = rooms_;
                if (watts != 0 &&
                    powered(pools_[piece.pool], piece.first + n, watts, remaining, at, until) <
                        remaining) {
                    rooms_ = rooms;
                    continue;
                }
                placement.ranges.push_back({.pool = PoolId{piece.pool},
                                            .first = piece.first + n,
                                            .count = 1,
                                            .replicas = remaining,
                                            .part = number,
                                            .chip_mask = 0});
                return true;
            }
        }
        return false;
    }
    std::stable_sort(pieces_.begin(), pieces_.end(), [&](const Piece& a, const Piece& b) {
        if (a.replicas != b.replicas) return a.replicas > b.replicas;
        return better(a, b);
    });
    const std::size_t pieces = pieces_.size();
    for (std::size_t i = 0; i < pieces && remaining > 0; ++i) {
        const Piece piece = pieces_[i];
        if (piece.replicas == 0) break;
        const std::int64_t watts = watts_at(piece);
        if (watts == 0) {
            const std::uint32_t nodes = std::min(piece.count, remaining / piece.replicas);
            if (nodes > 0) {
                take(i, nodes, piece.replicas);
                remaining -= nodes * piece.replicas;
            }
            if (remaining > 0 && nodes < piece.count) {
                take(smallest_for(remaining), 1, remaining);
                remaining = 0;
            }
            continue;
        }
        for (std::uint32_t n = 0; n < piece.count && remaining > 0; ++n) {
            const std::uint32_t wanted = std::min(piece.replicas, remaining);
            const std::uint32_t got =
                powered(pools_[piece.pool], piece.first + n, watts, wanted, at, until);
            if (got == 0) continue;
            placement.ranges.push_back({.pool = PoolId{piece.pool},
                                        .first = piece.first + n,
                                        .count = 1,
                                        .replicas = got,
                                        .part = number,
                                        .chip_mask = 0});
            remaining -= got;
        }
    }
    return remaining == 0;
}

// How many of the replicas a node may take for its watts; takes their watts.
std::uint32_t Plan::powered(PoolPlan& pool,
                            std::uint32_t node,
                            std::int64_t milliwatts_each,
                            std::uint32_t replicas,
                            Time at,
                            Time until) {
    std::array<std::int64_t*, 3> rooms{};
    std::size_t count = 0;
    const auto limit = [&](const Watched& watched, std::uint32_t domain) {
        if (!watched.any() || watched.budget_milliwatts[domain] == 0) return;
        std::int64_t& room = room_of(watched, domain, at, until);
        replicas = static_cast<std::uint32_t>(
            std::min<std::int64_t>(replicas, std::max<std::int64_t>(room, 0) / milliwatts_each));
    };
    rooms_.reserve(rooms_.size() + 3);  // pointers below stay valid
    limit(pool.racks, node / pool.racks.span);
    limit(pool.pods, node / pool.pods.span);
    limit(sites_[pool.site], 0);
    const auto take = [&](const Watched& watched, std::uint32_t domain) {
        if (!watched.any() || watched.budget_milliwatts[domain] == 0) return;
        rooms[count++] = &room_of(watched, domain, at, until);
    };
    take(pool.racks, node / pool.racks.span);
    take(pool.pods, node / pool.pods.span);
    take(sites_[pool.site], 0);
    for (std::size_t i = 0; i < count; ++i)
        *rooms[i] -= milliwatts_each * replicas;
    return replicas;
}

// What is left of a budget for all of [at, until) beside what this gang has taken of it.
std::int64_t& Plan::room_of(const Watched& watched, std::uint32_t domain, Time at, Time until) {
    const Timeline* const drawn = &watched.drawn[domain];
    for (auto it = rooms_.rbegin(); it != rooms_.rend(); ++it)
        if (it->first == drawn) return it->second;
    rooms_.emplace_back(drawn, watched.budget_milliwatts[domain] + drawn->least(at, until));
    return rooms_.back().second;
}

}  // namespace weir::sched
