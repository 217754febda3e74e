// See victims.hpp. The price of a node for a demand of c chips a replica: stop its jobs, those with
// the least price per chip first, until it holds `wanted` replicas. Nodes of one class of freeness
// differ in who runs there, so this looks at nodes one by one, but only at those where a candidate
// runs.
#include "weir/sched/victims.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <set>

namespace weir::sched {
namespace {

using NodeKey = std::pair<PoolId, std::uint32_t>;

struct Piece {  // of a candidate on one node
    std::size_t candidate = 0;
    std::uint32_t chips = 0;
    double price = 0;  // its share of the candidate's
};

}  // namespace

std::vector<std::size_t> cheapest_set(fleet::FreeIndex& free,
                                      const fleet::Fleet& fleet,
                                      const fleet::Shape& shape,
                                      const std::vector<Victim>& candidates,
                                      std::size_t count_max) {
    std::vector<std::size_t> order(candidates.size());
    for (std::size_t i = 0; i < order.size(); ++i)
        order[i] = i;

    // Nodes and what runs there, of the pools that the gang may use.
    std::vector<bool> wanted_pool(fleet.pools.size(), false);
    for (const PoolId pool : shape.demand.pools)
        wanted_pool[pool.value] = true;
    std::map<NodeKey, std::vector<Piece>> nodes;
    std::vector<std::uint64_t> nodes_of(candidates.size(), 0);
    for (std::size_t i = 0; i < candidates.size(); ++i)
        nodes_of[i] = std::max<std::uint64_t>(candidates[i].placement->nodes(), 1);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        for (const fleet::NodeRange& range : candidates[i].placement->ranges) {
            if (!wanted_pool[range.pool.value]) continue;
            const auto chips = static_cast<std::uint32_t>(std::popcount(range.chip_mask));
            for (std::uint32_t n = 0; n < range.count; ++n) {
                nodes[{range.pool, range.first + n}].push_back(
                    {i,
                     chips,
                     static_cast<double>(candidates[i].lost) / static_cast<double>(nodes_of[i])});
            }
        }
    }

    // What a node costs until it can hold what one node of the gang would.
    const fleet::ReplicaDemand& each = shape.demand.parts.front().each;
    struct Offer {
        std::uint32_t rank = 0;
        double price = 0;
        NodeKey node;
        std::vector<std::size_t> victims;
    };
    std::vector<Offer> offers;
    offers.reserve(nodes.size());
    for (auto& [node, pieces] : nodes) {
        std::sort(pieces.begin(), pieces.end(), [&](const Piece& a, const Piece& b) {
            const std::uint32_t rank_a = candidates[a.candidate].rank;
            const std::uint32_t rank_b = candidates[b.candidate].rank;
            if (rank_a != rank_b) return rank_a < rank_b;
            const double left = a.price * std::max(b.chips, 1U);
            const double right = b.price * std::max(a.chips, 1U);
            if (left != right) return left < right;
            return a.candidate < b.candidate;
        });
        const std::uint64_t most =
            fleet::FreeIndex::replicas_per_empty_node(fleet.pool(node.first), each);
        const std::uint64_t chips_wanted =
            std::min<std::uint64_t>(most, shape.demand.parts.front().replicas) * each.chips;
        Offer offer{.rank = 0, .price = 0, .node = node, .victims = {}};
        std::uint64_t chips = free.free_chips(node.first, node.second);
        for (const Piece& piece : pieces) {
            if (chips_wanted > 0 && chips >= chips_wanted) break;
            chips += piece.chips;
            offer.price += piece.price;
            offer.rank = std::max(offer.rank, candidates[piece.candidate].rank);
            offer.victims.push_back(piece.candidate);
        }
        offers.push_back(std::move(offer));
    }
    std::stable_sort(offers.begin(), offers.end(), [](const Offer& a, const Offer& b) {
        return a.rank != b.rank ? a.rank < b.rank : a.price < b.price;
    });

    // Buy until it fits. A test costs more than a purchase, so it is made at doubling distances and
    // then between the last two.
    std::vector<std::size_t> stopped;  // candidates, in the order of purchase
    std::vector<bool> is_stopped(candidates.size(), false);
    std::vector<std::size_t> bought_at;  // victims after each offer
    const auto give = [&](std::size_t candidate) {
        free.give(*candidates[candidate].shape, *candidates[candidate].placement);
    };
    const auto take = [&](std::size_t candidate) {
        free.take(*candidates[candidate].shape, *candidates[candidate].placement);
    };
    bool fits = false;
    std::size_t next = 0;
    std::size_t step = 1;
    std::size_t last_too_few = 0;  // victims with which it did not fit
    while (!fits && next < offers.size()) {
        const std::size_t until = std::min(offers.size(), next + step);
        for (; next < until; ++next) {
            for (const std::size_t victim : offers[next].victims) {
                if (is_stopped[victim]) continue;
                is_stopped[victim] = true;
                stopped.push_back(victim);
                give(victim);
            }
        }
        fits = free.fits(shape, Time::min());
        if (!fits) last_too_few = stopped.size();
        step *= 2;
    }
    if (fits) {
        // Back, one by one in halves, to the first purchases with which it fits.
        std::size_t low = last_too_few;
        std::size_t high = stopped.size();
        std::size_t given = high;
        const auto come_to = [&](std::size_t count) {
            for (; given > count; --given)
                take(stopped[given - 1]);
            for (; given < count; ++given)
                give(stopped[given]);
        };
        while (low + 1 < high) {
            const std::size_t middle = low + (high - low) / 2;
            come_to(middle);
            (free.fits(shape, Time::min()) ? high : low) = middle;
        }
        come_to(high);
        stopped.resize(high);
        // Put back whoever is not needed, the highest class and the dearest first.
        std::vector<std::size_t> dearest = stopped;
        std::stable_sort(dearest.begin(), dearest.end(), [&](std::size_t a, std::size_t b) {
            if (candidates[a].rank != candidates[b].rank) {
                return candidates[a].rank > candidates[b].rank;
            }
            return candidates[a].lost > candidates[b].lost;
        });
        std::set<std::size_t> needed(stopped.begin(), stopped.end());
        for (const std::size_t victim : dearest) {
            take(victim);
            if (free.fits(shape, Time::min())) {
                needed.erase(victim);
            } else {
                give(victim);
            }
        }
        for (const std::size_t victim : needed)
            take(victim);
        stopped.assign(needed.begin(), needed.end());
        std::stable_sort(stopped.begin(), stopped.end(), [&](std::size_t a, std::size_t b) {
            return candidates[a].lost < candidates[b].lost;
        });
    } else {
        for (const std::size_t victim : stopped)
            take(victim);
        stopped.clear();
    }
    if (stopped.size() > count_max) stopped.clear();
    return stopped;
}

}  // namespace weir::sched
