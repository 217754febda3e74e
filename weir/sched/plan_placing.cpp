// Which nodes a gang gets at a time at which enough of them are free: as few as possible; among
// those that hold equally many replicas the ones that become free last, so that a promise leaves
// alone what is free now (on equal nodes this leaves others exactly the room that EASY backfill
// counts), then the lowest numbers; and no more on each than the watts around it allow for all of
// the time. Here pieces_ are what there is, and shrink as nodes are chosen.
#include <algorithm>
#include <limits>

#include "weir/sched/plan.hpp"

namespace weir::sched {

// What a replica draws there; nobody asks for watts where there is no budget.
std::int64_t Plan::draw_of(const Piece& piece, const fleet::ReplicaDemand& each) const {
    const PoolPlan& pool = pools_[piece.pool];
    const bool watched = pool.racks.any() || pool.pods.any() || sites_[pool.site].any();
    return watched ? fleet::active_milliwatts(*pool.pool, each) : 0;
}

// Where the pools that draw less come first, they do; <0 for `a`, 0 for alike.
int Plan::compare_draw(const Piece& a, const Piece& b, const fleet::ReplicaDemand& each) const {
    if (!thrifty_) return 0;
    const std::int64_t more = draw_of(a, each) - draw_of(b, each);
    return more < 0 ? -1 : more > 0 ? 1 : 0;
}

void Plan::append(const Choice& choice,
                  PoolId pool,
                  std::uint32_t first,
                  std::uint32_t nodes,
                  std::uint32_t replicas) {
    std::vector<fleet::NodeRange>& ranges = choice.placement.ranges;
    if (!ranges.empty()) {
        fleet::NodeRange& last = ranges.back();
        if (last.pool == pool && last.first + last.count == first && last.replicas == replicas &&
            last.part == choice.number) {
            last.count += nodes;
            return;
        }
    }
    ranges.push_back({.pool = pool,
                      .first = first,
                      .count = nodes,
                      .replicas = replicas,
                      .part = choice.number,
                      .chip_mask = 0});
}

// So many replicas on each of the first nodes of a piece; 0 passes them by.
void Plan::take(const Choice& choice,
                std::size_t index,
                std::uint32_t nodes,
                std::uint32_t replicas) {
    Piece& piece = pieces_[index];
    if (replicas > 0) append(choice, PoolId{piece.pool}, piece.first, nodes, replicas);
    const std::int64_t milliwatts = draw_of(piece, choice.part.each) * replicas;
    for (std::uint32_t n = 0; n < nodes && milliwatts > 0; ++n)
        draw_scratch(pools_[piece.pool], piece.first + n, milliwatts);
    Piece used = piece;
    used.count = nodes;
    used.amounts += -amounts_of(pools_[piece.pool], choice.part.each, replicas);
    used.replicas = 0;
    piece.first += nodes;
    piece.count -= nodes;
    if (piece.count == 0) {
        piece = used;
    } else {
        pieces_.push_back(used);
    }
}

// Of the pieces whose nodes hold so many replicas, the one whose nodes hold least; the number of
// pieces if there is none whose first node has the watts.
std::size_t Plan::smallest_for(const Choice& choice, std::uint32_t replicas) {
    const fleet::ReplicaDemand& each = choice.part.each;
    const auto is_better = [&](const Piece& a, const Piece& b) {
        if (const int order = compare_draw(a, b, each); order != 0) return order < 0;
        if (a.replicas != b.replicas) return a.replicas < b.replicas;
        return a.freed_at > b.freed_at;
    };
    std::size_t best = pieces_.size();
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
        const Piece& piece = pieces_[i];
        if (piece.count == 0 || piece.replicas < replicas) continue;
        if (best < pieces_.size() && !is_better(piece, pieces_[best])) continue;
        if (powered(choice, piece, piece.first, replicas) == replicas) best = i;
    }
    return best;
}

// All of the part on one node, whichever has the room and the watts.
bool Plan::place_on_any(const Choice& choice) {
    const std::uint32_t replicas = choice.part.replicas;
    for (const Piece& piece : pieces_) {
        if (piece.count == 0 || piece.replicas < replicas) continue;
        for (std::uint32_t node = piece.first; node < piece.first + piece.count; ++node) {
            if (powered(choice, piece, node, replicas) < replicas) continue;
            draw_scratch(pools_[piece.pool], node, draw_of(piece, choice.part.each) * replicas);
            append(choice, PoolId{piece.pool}, node, 1, replicas);
            return true;
        }
    }
    return false;
}

// Over as few nodes as possible.
bool Plan::spread(const Choice& choice) {
    const fleet::ReplicaDemand& each = choice.part.each;
    std::stable_sort(pieces_.begin(), pieces_.end(), [&](const Piece& a, const Piece& b) {
        if (const int order = compare_draw(a, b, each); order != 0) return order < 0;
        if (a.replicas != b.replicas) return a.replicas > b.replicas;
        return a.freed_at > b.freed_at;
    });
    std::uint32_t remaining = choice.part.replicas;
    const std::size_t pieces = pieces_.size();
    for (std::size_t i = 0; i < pieces && remaining > 0; ++i) {
        const Piece piece = pieces_[i];
        if (piece.replicas == 0) continue;
        if (draw_of(piece, each) == 0) {
            const std::uint32_t nodes = std::min(piece.count, remaining / piece.replicas);
            if (nodes > 0) {
                take(choice, i, nodes, piece.replicas);
                remaining -= nodes * piece.replicas;
            }
            if (remaining > 0 && nodes < piece.count) {
                take(choice, smallest_for(choice, remaining), 1, remaining);
                remaining = 0;
            }
            continue;
        }
        for (std::uint32_t n = 0; n < piece.count && remaining > 0; ++n) {
            const std::uint32_t wanted = std::min(piece.replicas, remaining);
            const std::uint32_t got = powered(choice, piece, piece.first + n, wanted);
            take(choice, i, 1, got);
            remaining -= got;
        }
    }
    return remaining == 0;
}

bool Plan::place_part(const Choice& choice, fleet::Level within) {
    if (choice.number > 0) {
        std::sort(pieces_.begin(), pieces_.end(), [](const Piece& a, const Piece& b) {
            return std::pair(a.rank, a.first) < std::pair(b.rank, b.first);
        });
    }
    for (Piece& piece : pieces_)
        piece.replicas = replicas_in(pools_[piece.pool], piece.amounts, choice.part.each);
    const std::uint32_t replicas = choice.part.replicas;
    if (const std::size_t one = smallest_for(choice, replicas); one < pieces_.size()) {
        take(choice, one, 1, replicas);
        return true;
    }
    return within == fleet::Level::node ? place_on_any(choice) : spread(choice);
}

// How many of the replicas a node may take for its watts, beside what this gang has taken already.
std::uint32_t Plan::powered(const Choice& choice,
                            const Piece& piece,
                            std::uint32_t node,
                            std::uint32_t replicas) {
    const std::int64_t milliwatts_each = draw_of(piece, choice.part.each);
    if (milliwatts_each == 0) return replicas;
    std::int64_t least = milliwatts_each * replicas;
    for_budgets(pools_[piece.pool], node, [&](Watched& watched, std::uint32_t domain) {
        Watched::Room& room = watched.rooms[domain];
        if (room.attempt != attempt_) {
            // Most racks that are full are so from the first moment on.
            if (most_left(watched, domain, choice.at) < milliwatts_each) {
                least = 0;
                return;
            }
            room = {attempt_,
                    watched.budget_milliwatts[domain] +
                        least_drawn(watched, domain, choice.at, choice.until)};
        }
        least = std::min(least, room.milliwatts);
    });
    return static_cast<std::uint32_t>(std::max<std::int64_t>(least, 0) / milliwatts_each);
}

// Requires: powered() was asked for this node.
void Plan::draw_scratch(PoolPlan& pool, std::uint32_t node, std::int64_t milliwatts) {
    if (milliwatts == 0) return;
    for_budgets(pool, node, [&](Watched& watched, std::uint32_t domain) {
        watched.rooms[domain].milliwatts -= milliwatts;
    });
}

// Calls visit(watched, domain) for each budget that the node is under.
template <class Visit>
void Plan::for_budgets(PoolPlan& pool, std::uint32_t node, Visit visit) {
    const auto one = [&](Watched& watched, std::uint32_t domain) {
        if (watched.any() && watched.budget_milliwatts[domain] != 0) visit(watched, domain);
    };
    one(pool.racks, node / pool.racks.span);
    one(pool.pods, node / pool.pods.span);
    one(sites_[pool.site], 0);
}

// No more than this is left of the watts in any time from `at` on.
std::int64_t Plan::most_left(const Watched& watched, std::uint32_t domain, Time at) const {
    const std::int64_t own = watched.own_milliwatts[domain];
    return watched.budget_milliwatts[domain] + watched.drawn[domain].at(at) +
           std::max<std::int64_t>(own, 0);
}

// The lowest level of what is drawn in [at, until), without what the asker has claimed itself.
std::int64_t Plan::least_drawn(const Watched& watched,
                               std::uint32_t domain,
                               Time at,
                               Time until) const {
    const Timeline& drawn = watched.drawn[domain];
    const std::int64_t own = watched.own_milliwatts[domain];
    if (own == 0) return drawn.least(at, until);
    const Time from = std::clamp(own_.place->at, at, until);
    const Time to = std::clamp(own_.place->until, at, until);
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    if (at < from) least = std::min(least, drawn.least(at, from));
    if (from < to) least = std::min(least, drawn.least(from, to) + own);
    if (to < until) least = std::min(least, drawn.least(to, until));
    return least;
}

}  // namespace weir::sched
