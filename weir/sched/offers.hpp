// Offers: what it costs, in running jobs, that the nodes of a domain hold one replica of a gang
// more.
//
// A node costs the jobs on it that must go, the cheapest for what they hold first, and the jobs in
// its rack that must go besides for their watts. Of a job that runs on many nodes each of them
// costs a share: its price over as many of them as the gang still has use for. Who is stopped
// already costs nothing, so a large job that had to go makes its other nodes cheap.
//
// Offers are made rack by rack: the best one of each waits in a heap, and what is taken somewhere
// only makes racks be looked at again whose nodes it concerns.
//
// Threads: one at a time. Cost: load() and places() O(candidates x their nodes); an offer taken,
// one look at each rack that it concerns.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/fleet/free_index.hpp"
#include "weir/sched/victims.hpp"

namespace weir::sched {

// Lost work by class, the highest first: prices compare like words.
struct Price {
    std::array<std::int64_t, Classes::count> lost{};

    void add(std::uint32_t rank, std::int64_t amount) { lost[Classes::count - 1 - rank] += amount; }
    void add(const Price& each, std::int64_t times) {
        for (std::size_t i = 0; i < lost.size(); ++i)
            lost[i] += each.lost[i] * times;
    }
    [[nodiscard]] Price over(std::int64_t parts) const {
        Price each = *this;
        if (parts == 1) return each;
        for (std::int64_t& its : each.lost)
            its /= parts;
        return each;
    }
    friend auto operator<=>(const Price&, const Price&) = default;
};

// A victim, with what is asked of it all the time.
struct Candidate {
    Victim victim;
    JobId job;
    const fleet::Shape* shape = nullptr;
    const fleet::Placement* placement = nullptr;
    std::int64_t dearness = 0;  // its price for what it holds of what the gang needs
    std::uint32_t nodes = 1;    // of the domain, that it is on
    bool is_stopped = false;    // on paper: FreeIndex has what it held
};

class Offers {
public:
    // They outlive it.
    Offers(const fleet::FreeIndex& free, const fleet::Fleet& fleet, const fleet::Shape& gang);

    // From now on it is about these pools, and these are all who may go from them. They stay where
    // they are in memory.
    void load(const std::vector<PoolId>& pools, std::vector<Candidate>& candidates);

    // Where all of the gang must be: the nodes of the domain, or of one rack or pod of it.
    struct Place {
        std::uint32_t first = 0;
        std::uint32_t last = 0;
        // What its cheapest nodes cost, where missing watts cost what they do on average in their
        // rack; nothing if these nodes do not suffice.
        std::optional<Price> estimate;
    };
    // Those that can hold the gang if everybody goes, watts apart.
    [[nodiscard]] std::vector<Place> places();

    // A node that can hold so many replicas more.
    struct Offer {
        Price each;  // of them
        std::uint32_t replicas = 0;
        std::uint32_t replicas_max = 0;  // if everybody went
        std::uint32_t node = 0;
        std::uint32_t rack = 0;
        std::uint32_t look = 0;       // another look at the rack makes the offer void,
        std::int64_t nodes_left = 0;  // other shares make it be looked at again
        friend bool operator<(const Offer& a, const Offer& b) {  // the cheapest is the greatest
            const auto order = a.each <=> b.each;
            return order != 0 ? order > 0 : a.node > b.node;
        }
    };
    // Makes offers in this place, until it is closed.
    void open(const Place& place);
    void close(const Place& place);
    // The cheapest; nothing when there is none any more.
    [[nodiscard]] std::optional<Offer> next();
    // Takes it: candidates that must be stopped for it (by position), before anything else is
    // asked.
    [[nodiscard]] const std::vector<std::uint32_t>& take(const Offer& offer);
    // They have been.
    void look_again(const std::vector<std::uint32_t>& stopped);

    // Replicas that the offers taken hold together, for all that is known of their nodes.
    [[nodiscard]] std::uint64_t held() const { return held_; }
    [[nodiscard]] std::size_t looks() const { return looks_; }

private:
    // Of one pool of the domain; their numbers are [first, last).
    struct Nodes {
        PoolId id;
        const fleet::Pool* pool = nullptr;
        std::uint32_t first = 0;
        std::uint32_t last = 0;
        std::uint32_t most = 0;       // replicas on an empty one
        std::int64_t milliwatts = 0;  // of one replica
        bool by_rack = false;         // watts are priced
    };
    struct Piece {  // of a candidate on one node
        std::uint32_t candidate = 0;
        std::uint32_t replicas = 0;
        std::uint32_t part = 0;
        std::uint32_t chip = 0;  // that it shares
        std::int64_t milliwatts = 0;
    };
    // Nodes that share a budget of watts, or one node.
    struct Rack {
        const Nodes* nodes = nullptr;
        std::uint32_t first = 0;
        std::uint32_t last = 0;
        std::uint32_t looks = 0;
        bool changed = false;
    };

    void list_pieces();
    void estimate(Place& place, std::uint64_t& replicas_max);
    Offer offer_of(const Nodes& nodes, std::uint32_t node);
    [[nodiscard]] std::int64_t missing_milliwatts(const Rack& rack) const;
    [[nodiscard]] bool is_full(const Rack& rack, std::int64_t missing) const;
    [[nodiscard]] std::int64_t missing_for(const Offer& offer,
                                           const Rack& rack,
                                           std::int64_t missing) const;
    void cut(Offer& offer, const Rack& rack, std::int64_t missing) const;
    void add_watts(Offer& offer, const Rack& rack, std::int64_t missing);
    void look_at(std::uint32_t rack);
    void need(std::uint64_t replicas);
    void add_share(Price& price, const Piece& piece) const;
    [[nodiscard]] bool is_cheaper(std::uint32_t a, std::uint32_t b) const;

    template <class What>
    void for_ranges_of(const Candidate& candidate, What what) const;
    template <class What>
    void for_racks_of(const Place& place, What what) const;

    const fleet::FreeIndex& free_;
    const fleet::Fleet& fleet_;
    const fleet::Shape& gang_;
    const fleet::GangPart& part_;  // that nodes are priced for

    // What is loaded: the nodes of a domain, and who runs where.
    std::vector<Candidate>* candidates_ = nullptr;
    std::vector<Nodes> nodes_;
    std::vector<std::uint32_t> start_;                    // node -> its first piece
    std::vector<Piece> pieces_;                           // by node, the cheapest first
    std::vector<std::pair<std::uint32_t, Piece>> found_;  // the same in no order, with their nodes
    std::uint64_t on_one_node_ = 1;                       // replicas, at most

    // The place that is open.
    std::vector<Rack> racks_;
    std::vector<std::uint32_t> rack_of_;  // node -> position in racks_, or `none`
    std::vector<std::uint32_t> used_;     // node -> replicas that it is to hold
    std::vector<std::uint32_t> by_rack_;  // pieces of each rack, the cheapest first
    std::vector<Offer> offers_;           // a heap
    std::vector<std::uint32_t> chosen_;   // pieces that the offer made last would stop
    std::vector<std::uint32_t> to_stop_;  // candidates
    std::vector<std::uint32_t> to_look_;  // racks
    std::int64_t nodes_left_ = 1;         // that the gang still has use for, at most
    std::uint64_t held_ = 0;
    std::size_t looks_ = 0;
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
};

}  // namespace weir::sched
