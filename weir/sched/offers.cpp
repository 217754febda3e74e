// See offers.hpp. Nodes of one class of freeness differ in who runs there, so this looks at nodes
// one by one: a million chips have a hundred thousand of them, and as many jobs. Nodes and
// candidates are numbers here, and everything is a flat list, of one domain at a time.
#include "weir/sched/offers.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

#include "weir/fleet/power.hpp"

namespace weir::sched {
namespace {

// Watts are priced in racks up to so many nodes: each offer taken looks at its rack again.
constexpr std::uint32_t rack_nodes_max = 64;

// What a node has free, while jobs on it are taken away on paper.
class Room {
public:
    Room(const fleet::Pool& pool, const fleet::FreeIndex::NodeFree& free)
        : pool_(pool),
          chips_(free.chips),
          cpus_milli_(free.cpus_milli),
          memory_(free.memory.count),
          has_shared_(free.rooms != nullptr) {
        if (has_shared_) std::copy_n(free.rooms, pool.chips_per_node, shared_.begin());
    }
    // So many replicas of somebody go.
    void gain(const fleet::ReplicaDemand& each, std::uint32_t replicas, std::uint32_t chip) {
        chips_ += std::int64_t{replicas} * each.chips;
        cpus_milli_ += std::int64_t{replicas} * each.cpus_milli;
        memory_ += replicas * each.memory.count;
        if (each.chip_permille == 0) return;
        shared_[chip] = static_cast<std::uint16_t>(shared_[chip] + each.chip_permille);
        chips_ += shared_[chip] == 1000 ? 1 : 0;
    }
    [[nodiscard]] std::uint32_t holds(const fleet::ReplicaDemand& each, std::uint32_t most) const {
        // Nearly all nodes hold none, and a division takes longer than all else here.
        if (chips_ < each.chips || (pool_.cpus_milli > 0 && cpus_milli_ < each.cpus_milli) ||
            (pool_.memory.count > 0 && memory_ < each.memory.count)) {
            return 0;
        }
        std::int64_t count = most;
        if (each.chips > 0) count = std::min(count, chips_ / each.chips);
        if (each.chip_permille > 0) {
            std::int64_t on_chips = chips_ * (1000 / each.chip_permille);
            for (std::uint32_t chip = 0; has_shared_ && chip < pool_.chips_per_node; ++chip)
                if (shared_[chip] < 1000) on_chips += shared_[chip] / each.chip_permille;
            count = std::min(count, on_chips);
        }
        if (each.cpus_milli > 0 && pool_.cpus_milli > 0) {
            count = std::min(count, cpus_milli_ / each.cpus_milli);
        }
        if (each.memory.count > 0 && pool_.memory.count > 0) {
            count = std::min(count, memory_ / each.memory.count);
        }
        return static_cast<std::uint32_t>(std::max<std::int64_t>(count, 0));
    }

private:
    const fleet::Pool& pool_;
    std::int64_t chips_;  // wholly free
    std::int64_t cpus_milli_;
    std::int64_t memory_;
    bool has_shared_;
    std::array<std::uint16_t, fleet::chips_per_node_max>
        shared_;  // permille free; 1000: not shared
};

}  // namespace

Offers::Offers(const fleet::FreeIndex& free, const fleet::Fleet& fleet, const fleet::Shape& gang)
    : free_(free), fleet_(fleet), gang_(gang), part_(gang.demand.parts.front()) {}

// What is not in the pools that are loaded is passed over.
template <class What>
void Offers::for_ranges_of(const Candidate& candidate, What what) const {
    for (const fleet::NodeRange& range : candidate.placement->ranges) {
        for (const Nodes& nodes : nodes_) {
            if (nodes.id != range.pool) continue;
            const std::uint32_t first = nodes.first + range.first;
            what(nodes, range, first, first + range.count);
        }
    }
}

template <class What>
void Offers::for_racks_of(const Place& place, What what) const {
    for (const Nodes& nodes : nodes_) {
        const std::uint32_t last = std::min(nodes.last, place.last);
        const std::uint32_t span = nodes.by_rack ? nodes.pool->rack_nodes() : 1;
        std::uint32_t first = std::max(nodes.first, place.first);
        for (; first < last; first += std::min(span, last - first))
            what(Rack{
                .nodes = &nodes, .first = first, .last = first + std::min(span, last - first)});
    }
}

// ---------------------------------------------------------------------------------------------
// Who runs where

void Offers::load(const std::vector<PoolId>& pools, std::vector<Candidate>& candidates) {
    candidates_ = &candidates;
    nodes_.clear();
    on_one_node_ = 1;
    std::uint32_t count = 0;
    for (const PoolId id : pools) {
        const fleet::Pool& pool = fleet_.pool(id);
        const std::uint64_t most = fleet::FreeIndex::replicas_per_empty_node(pool, part_.each);
        on_one_node_ = std::max(on_one_node_, most);
        bool watts = false;
        for (std::uint32_t rack = 0; rack < pool.racks() && !watts; ++rack)
            watts = free_.rack_power(id, rack).budget_watts > 0;
        nodes_.push_back({.id = id,
                          .pool = &pool,
                          .first = count,
                          .last = count + pool.nodes,
                          .most = static_cast<std::uint32_t>(most),
                          .milliwatts = fleet::active_milliwatts(pool, part_.each),
                          .by_rack = watts && pool.rack_nodes() <= rack_nodes_max});
        count += pool.nodes;
    }
    start_.assign(count + 1, 0);
    used_.assign(count, 0);
    rack_of_.assign(count, none);
    list_pieces();
}

void Offers::list_pieces() {
    found_.clear();
    const std::vector<Candidate>& all = *candidates_;
    for (std::uint32_t i = 0; i < all.size(); ++i) {
        constexpr std::size_t ahead = 8;
        if (i + 2 * ahead < all.size()) fetch(all[i + 2 * ahead].placement);
        if (i + ahead < all.size()) fetch(all[i + ahead].placement->ranges.data());
        Candidate& candidate = (*candidates_)[i];
        const std::size_t before = found_.size();
        for_ranges_of(candidate, [&](const Nodes& nodes, const auto& range, auto first, auto last) {
            const fleet::ReplicaDemand& each = candidate.shape->demand.parts[range.part].each;
            const Piece piece{
                .candidate = i,
                .replicas = range.replicas,
                .part = range.part,
                .chip = static_cast<std::uint32_t>(std::countr_zero(range.chip_mask)),
                .milliwatts = fleet::active_milliwatts(*nodes.pool, each) * range.replicas};
            for (std::uint32_t node = first; node < last; ++node) {
                found_.emplace_back(node, piece);
                ++start_[node];
            }
        });
        candidate.nodes =
            static_cast<std::uint32_t>(std::max<std::size_t>(found_.size() - before, 1));
    }
    std::uint32_t sum = 0;
    for (std::uint32_t& start : start_)
        start = sum += start;  // the end of its pieces, for now
    pieces_.resize(sum);
    by_rack_.resize(sum);
    for (const auto& [node, piece] : found_)
        pieces_[--start_[node]] = piece;
    for (std::size_t node = 0; node + 1 < start_.size(); ++node) {
        if (start_[node + 1] - start_[node] < 2) continue;
        std::sort(pieces_.begin() + start_[node],
                  pieces_.begin() + start_[node + 1],
                  [&](const Piece& a, const Piece& b) {
                      if (a.candidate != b.candidate) return is_cheaper(a.candidate, b.candidate);
                      return a.part != b.part ? a.part < b.part : a.chip < b.chip;
                  });
    }
}

// For as much of what the gang needs.
bool Offers::is_cheaper(std::uint32_t a, std::uint32_t b) const {
    const Candidate& x = (*candidates_)[a];
    const Candidate& y = (*candidates_)[b];
    if (x.victim.rank != y.victim.rank) return x.victim.rank < y.victim.rank;
    return x.dearness != y.dearness ? x.dearness < y.dearness : x.job < y.job;
}

void Offers::add_share(Price& price, const Piece& piece) const {
    const Candidate& its = (*candidates_)[piece.candidate];
    const std::int64_t nodes = std::min<std::int64_t>(its.nodes, nodes_left_);
    price.add(its.victim.rank, nodes == 1 ? its.victim.lost : its.victim.lost / nodes);
}

void Offers::need(std::uint64_t replicas) {
    nodes_left_ = static_cast<std::int64_t>(
        std::max<std::uint64_t>((replicas + on_one_node_ - 1) / on_one_node_, 1));
}

// ---------------------------------------------------------------------------------------------
// What a node costs

// Who must go from it for it to hold more than it is to hold already, at the best price for each
// replica; watts apart.
Offers::Offer Offers::offer_of(const Nodes& nodes, std::uint32_t node) {
    Offer best;
    best.node = node;
    chosen_.clear();
    const auto unused = free_.free_on(nodes.id, node - nodes.first, gang_.demand.tag);
    if (!unused) return best;
    // Nobody may go from most nodes, and they are full.
    if (start_[node] == start_[node + 1] && unused->chips < part_.each.chips) return best;
    Room room(*nodes.pool, *unused);
    const std::uint32_t used = used_[node];
    const std::uint32_t least = gang_.demand.within == fleet::Level::node ? part_.replicas : 1;
    const std::uint32_t most = std::min(nodes.most, used + part_.replicas);
    Price price;
    std::size_t count = 0;
    for (std::uint32_t i = start_[node];; ++i) {
        const std::uint32_t holds = room.holds(part_.each, most);
        if (holds >= used + least && holds - used > best.replicas_max) {
            best.replicas_max = holds - used;
            const Price each = price.over(best.replicas_max);
            if (best.replicas == 0 || each < best.each) {
                best.each = each;
                best.replicas = best.replicas_max;
                count = chosen_.size();
            }
        }
        if (holds >= most || i == start_[node + 1]) break;
        const Piece& piece = pieces_[i];
        const Candidate& its = (*candidates_)[piece.candidate];
        if (its.is_stopped) continue;
        room.gain(its.shape->demand.parts[piece.part].each, piece.replicas, piece.chip);
        add_share(price, piece);
        chosen_.push_back(i);
    }
    chosen_.resize(count);
    return best;
}

// What a rack draws too much, with what the gang is to draw there.
std::int64_t Offers::missing_milliwatts(const Rack& rack) const {
    const Nodes& nodes = *rack.nodes;
    const fleet::FreeIndex::PowerUse use =
        free_.rack_power(nodes.id, (rack.first - nodes.first) / nodes.pool->rack_nodes());
    if (use.budget_watts <= 0) return std::numeric_limits<std::int64_t>::min() / 2;
    std::int64_t missing = fleet::milliwatts(use.drawn_watts) - fleet::milliwatts(use.budget_watts);
    for (std::uint32_t node = rack.first; node < rack.last; ++node)
        missing += nodes.milliwatts * used_[node];
    return missing;
}

// Nobody may go from it, and not one replica more has the watts: so it is with nearly all racks.
bool Offers::is_full(const Rack& rack, std::int64_t missing) const {
    return start_[rack.first] == start_[rack.last] && missing + rack.nodes->milliwatts > 0;
}

// The same with what is offered, when those in chosen_ are gone.
std::int64_t Offers::missing_for(const Offer& offer, const Rack& rack, std::int64_t missing) const {
    missing += rack.nodes->milliwatts * offer.replicas;
    for (const std::uint32_t i : chosen_)
        missing -= pieces_[i].milliwatts;
    return missing;
}

// So many replicas fewer that no watts are missing.
void Offers::cut(Offer& offer, const Rack& rack, std::int64_t missing) const {
    const std::int64_t each = rack.nodes->milliwatts;
    const bool all = gang_.demand.within == fleet::Level::node || each == 0;
    const std::int64_t fewer = all ? offer.replicas : (missing + each - 1) / each;
    offer.replicas -= static_cast<std::uint32_t>(std::min<std::int64_t>(fewer, offer.replicas));
}

// Who must go from the rack besides, for the watts that are missing; the cheapest go.
void Offers::add_watts(Offer& offer, const Rack& rack, std::int64_t missing) {
    missing = missing_for(offer, rack, missing);
    if (missing <= 0) return;
    Price price;
    for (const std::uint32_t i : chosen_)
        add_share(price, pieces_[i]);
    for (std::uint32_t k = start_[rack.first]; k < start_[rack.last] && missing > 0; ++k) {
        const std::uint32_t i = by_rack_[k];
        if ((*candidates_)[pieces_[i].candidate].is_stopped || pieces_[i].milliwatts == 0) continue;
        if (std::find(chosen_.begin(), chosen_.end(), i) != chosen_.end()) continue;
        missing -= pieces_[i].milliwatts;
        add_share(price, pieces_[i]);
        chosen_.push_back(i);
    }
    if (missing > 0) cut(offer, rack, missing);
    if (offer.replicas > 0) offer.each = price.over(offer.replicas);
}

// ---------------------------------------------------------------------------------------------
// Places

std::vector<Offers::Place> Offers::places() {
    const std::uint32_t count = nodes_.back().last;
    std::uint32_t span = count;
    if (gang_.demand.within == fleet::Level::rack) span = nodes_.front().pool->rack_nodes();
    if (gang_.demand.within == fleet::Level::pod) span = nodes_.front().pool->pod_nodes();
    need(part_.replicas);
    std::vector<Place> list;
    for (std::uint32_t first = 0; first < count; first += std::min(span, count - first)) {
        Place place{first, first + std::min(span, count - first), std::nullopt};
        std::uint64_t replicas_max = 0;
        estimate(place, replicas_max);
        if (replicas_max >= part_.replicas) list.push_back(place);
    }
    return list;
}

void Offers::estimate(Place& place, std::uint64_t& replicas_max) {
    offers_.clear();
    for_racks_of(place, [&](const Rack& rack) {
        Price all;
        std::int64_t drawn = 0;
        std::int64_t missing = 0;
        if (rack.nodes->by_rack) {
            for (std::uint32_t i = start_[rack.first]; i < start_[rack.last]; ++i) {
                add_share(all, pieces_[i]);
                drawn += pieces_[i].milliwatts;
            }
            missing = missing_milliwatts(rack);
            if (is_full(rack, missing)) return;
        }
        for (std::uint32_t node = rack.first; node < rack.last; ++node) {
            Offer offer = offer_of(*rack.nodes, node);
            replicas_max += offer.replicas_max;
            if (offer.replicas > 0 && rack.nodes->by_rack) {
                const std::int64_t its = missing_for(offer, rack, missing);
                if (its > drawn) cut(offer, rack, its - drawn);
                if (its > 0 && offer.replicas > 0) {
                    constexpr std::int64_t unit = 64;  // milliwatts
                    offer.each.add(all.over(drawn / unit + 1),
                                   std::min(its, drawn) / unit / offer.replicas);
                }
            }
            if (offer.replicas > 0) offers_.push_back(offer);
        }
    });
    // Each holds one replica at least.
    const auto cheaper = [](const Offer& a, const Offer& b) { return b < a; };
    const auto last = offers_.begin() + static_cast<std::ptrdiff_t>(
                                            std::min<std::size_t>(offers_.size(), part_.replicas));
    std::nth_element(offers_.begin(), last, offers_.end(), cheaper);
    std::sort(offers_.begin(), last, cheaper);
    Price sum;
    std::uint32_t missing = part_.replicas;
    for (auto offer = offers_.begin(); offer != last && missing > 0; ++offer) {
        const std::uint32_t replicas = std::min(missing, offer->replicas);
        sum.add(offer->each, replicas);
        missing -= replicas;
    }
    if (missing == 0) place.estimate = sum;
}

void Offers::open(const Place& place) {
    held_ = 0;
    need(part_.replicas);
    racks_.clear();
    offers_.clear();
    for_racks_of(place, [&](const Rack& rack) {
        std::fill(rack_of_.begin() + rack.first,
                  rack_of_.begin() + rack.last,
                  static_cast<std::uint32_t>(racks_.size()));
        racks_.push_back(rack);
        if (!rack.nodes->by_rack) return;
        const auto pieces = by_rack_.begin() + start_[rack.first];
        const auto pieces_end = by_rack_.begin() + start_[rack.last];
        std::iota(pieces, pieces_end, start_[rack.first]);
        std::sort(pieces, pieces_end, [&](std::uint32_t a, std::uint32_t b) {
            const std::uint32_t x = pieces_[a].candidate;
            const std::uint32_t y = pieces_[b].candidate;
            return x != y ? is_cheaper(x, y) : a < b;
        });
    });
    for (std::uint32_t rack = 0; rack < racks_.size(); ++rack)
        look_at(rack);
}

void Offers::close(const Place& place) {
    std::fill(used_.begin() + place.first, used_.begin() + place.last, 0);
    std::fill(rack_of_.begin() + place.first, rack_of_.begin() + place.last, none);
}

// ---------------------------------------------------------------------------------------------
// The market

// Makes the best offer of a rack as it is now, instead of the one before.
void Offers::look_at(std::uint32_t number) {
    ++looks_;
    Rack& rack = racks_[number];
    rack.changed = false;
    ++rack.looks;
    const bool by_rack = rack.nodes->by_rack;
    const std::int64_t missing = by_rack ? missing_milliwatts(rack) : 0;
    if (by_rack && is_full(rack, missing)) return;
    Offer best;
    for (std::uint32_t node = rack.first; node < rack.last; ++node) {
        Offer offer = offer_of(*rack.nodes, node);
        if (offer.replicas > 0 && by_rack) add_watts(offer, rack, missing);
        if (offer.replicas > 0 && (best.replicas == 0 || best < offer)) best = offer;
    }
    if (best.replicas == 0) return;
    best.rack = number;
    best.look = rack.looks;
    best.nodes_left = nodes_left_;
    offers_.push_back(best);
    std::push_heap(offers_.begin(), offers_.end());
}

std::optional<Offers::Offer> Offers::next() {
    while (!offers_.empty()) {
        const Offer offer = offers_.front();
        std::pop_heap(offers_.begin(), offers_.end());
        offers_.pop_back();
        if (offer.look != racks_[offer.rack].looks) continue;
        if (offer.nodes_left == nodes_left_) return offer;
        look_at(offer.rack);  // shares have only grown since
    }
    return std::nullopt;
}

const std::vector<std::uint32_t>& Offers::take(const Offer& offer) {
    Rack& rack = racks_[offer.rack];
    Offer again = offer_of(*rack.nodes, offer.node);  // for chosen_
    if (rack.nodes->by_rack) add_watts(again, rack, missing_milliwatts(rack));
    used_[offer.node] += offer.replicas;
    held_ += offer.replicas;
    need(part_.replicas - std::min<std::uint64_t>(held_, part_.replicas));
    rack.changed = true;
    to_look_ = {offer.rack};
    to_stop_.clear();
    for (const std::uint32_t i : chosen_)
        to_stop_.push_back(pieces_[i].candidate);
    std::sort(to_stop_.begin(), to_stop_.end());
    to_stop_.erase(std::unique(to_stop_.begin(), to_stop_.end()), to_stop_.end());
    return to_stop_;
}

void Offers::look_again(const std::vector<std::uint32_t>& stopped) {
    for (const std::uint32_t i : stopped) {
        for_ranges_of((*candidates_)[i], [&](const Nodes&, const auto&, auto first, auto last) {
            for (std::uint32_t node = first; node < last; ++node) {
                const std::uint32_t rack = rack_of_[node];
                if (rack == none || racks_[rack].changed) continue;
                racks_[rack].changed = true;
                to_look_.push_back(rack);
            }
        });
    }
    for (const std::uint32_t rack : to_look_)
        look_at(rack);
}

}  // namespace weir::sched
