// Where a gang goes, said in the plainest way. DO NOT USE IT FOR ANYTHING BUT TESTS.
//
// Nodes are a list, a question is answered by trying it on a copy, replica by replica, and every
// rule of free_index.hpp is one sentence of code. There is no class, no index and nothing kept
// between questions. FreeIndex must give the same placements.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "weir/fleet/free_index.hpp"

namespace weir::fleet {

class ReferencePlacing {
public:
    struct Node {
        PoolId pool;
        std::uint32_t number = 0;
        bool in_service = true;
        bool suspect = false;
        std::uint32_t tag = 0;
        std::optional<Horizon> horizon;
        std::vector<std::uint32_t> chip_room;  // permille free; 1000 = nobody uses it
        std::uint32_t cpus_milli = 0;
        std::int64_t memory = 0;
    };
    // One replica, where it is.
    struct Piece {
        std::size_t node = 0;  // position in `nodes`
        std::uint32_t part = 0;
        std::vector<std::uint32_t> chips;
    };
    using Pieces = std::vector<Piece>;
    // A budget and what is drawn of it.
    struct Watts {
        std::int64_t budget_mw = 0;  // 0 = none
        std::int64_t drawn_mw = 0;
        PowerPromised promised;
    };

    explicit ReferencePlacing(const Fleet& fleet);

    [[nodiscard]] std::optional<Pieces> find(const Demand& demand, Time end = never) const;
    // So many replicas of a part on a node, whatever is promised there.
    struct Wanted {
        std::size_t node = 0;
        std::uint32_t part = 0;
        std::uint32_t replicas = 0;
        friend auto operator<=>(const Wanted&, const Wanted&) = default;
    };
    [[nodiscard]] std::optional<Pieces> find_on(const Demand& demand,
                                                const std::vector<Wanted>& wanted) const;
    void take(const Demand& demand, const Pieces& pieces) { put(demand, pieces, 1); }
    void give(const Demand& demand, const Pieces& pieces) { put(demand, pieces, -1); }

    [[nodiscard]] Node& node(PoolId pool, std::uint32_t number);
    [[nodiscard]] Watts& rack(PoolId pool, std::uint32_t number) {
        return racks_[pool.value][number];
    }
    [[nodiscard]] Watts& pod(PoolId pool, std::uint32_t number) {
        return pods_[pool.value][number];
    }
    [[nodiscard]] Watts& site(PoolId pool) { return sites_[site_of_[pool.value]]; }
    // One range for each replica.
    [[nodiscard]] Placement placement_of(const Pieces& pieces) const;

    std::vector<Node> nodes;

private:
    // Up to which level budgets are looked at: those of a rack alone, ... or all of them.
    struct Ask {
        const Demand& demand;
        std::uint32_t part = 0;
        Time end = never;
        Level budgets = Level::site;
        bool thrifty = false;  // where a replica draws less comes first
    };
    struct Zone {
        std::vector<std::size_t> nodes;  // pools in the order of preference, low numbers first
    };

    [[nodiscard]] std::vector<std::vector<PoolId>> domains(const Demand& demand) const;
    [[nodiscard]] std::vector<Zone> zones(const std::vector<PoolId>& domain,
                                          Level level,
                                          const Demand& demand,
                                          Time end) const;
    bool put_one(std::size_t node, const Ask& ask, std::vector<std::uint32_t>& chips);
    bool put_part(const Zone& zone, const Ask& ask, Pieces& pieces);
    [[nodiscard]] std::uint64_t holds(std::size_t node, const Ask& ask);  // all is as before
    [[nodiscard]] std::uint64_t holds_alone(const Zone& zone, const Ask& ask) const;
    [[nodiscard]] bool better(std::size_t a, std::size_t b, Time end, bool loosest = false) const;
    [[nodiscard]] std::int64_t draw_of(const Node& its, const Ask& ask) const;
    [[nodiscard]] int order_of(const Node& its, Time end) const;
    void put(const Demand& demand, const Pieces& pieces, int sign);
    void promise_less(std::size_t node, const Ask& ask, std::int64_t replicas);
    std::vector<Watts*> around(const Node& its, Level up_to = Level::site);

    std::shared_ptr<const Fleet> fleet_;     // the copies of a trial share it
    std::vector<std::vector<Watts>> racks_;  // by pool
    std::vector<std::vector<Watts>> pods_;
    std::vector<Watts> sites_;
    std::vector<std::size_t> site_of_;  // by pool
};

}  // namespace weir::fleet
