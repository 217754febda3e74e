// PowerRoom: how much of what is idle in one pool the budgets of its racks and pods can feed.
//
// A node draws what it draws idle, and each thousandth of a chip (or of a CPU) that somebody holds
// adds an equal part of the difference to busy. So a budget feeds a fixed number of thousandths,
//
//     (budget - idle nodes) / (busy - idle) x thousandths of a node,        rounded down,
//
// and of what is idle in a domain as much can run as this number leaves beside what is held. What a
// pod can feed is also no more than its racks can. Which chips stay dark is not said, only how
// many.
//
// Threads: one at a time. Cost: O(1) for each node that changes.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "weir/fleet/fleet.hpp"

namespace weir::tenancy {

class PowerRoom {
public:
    // Nothing is held and nothing idle until told. Requires: busy nodes of the pool draw more than
    // idle ones, and `node_units`, the thousandths of one node, are not 0.
    PowerRoom(const fleet::Pool& pool, std::uint64_t node_units);

    // Of a rack or pod of the pool; 0 watts = no budget.
    void set_budget(fleet::Level level, std::uint32_t number, double watts);
    // What is held on a node and what is idle there (and in service) become so much more or less.
    void change(std::uint32_t node, std::int64_t held, std::int64_t idle);

    // Thousandths that are idle and can be fed, by the budgets of racks and pods.
    [[nodiscard]] std::uint64_t room() const { return room_; }

private:
    static constexpr std::uint64_t no_budget = std::numeric_limits<std::uint64_t>::max();
    struct Domain {
        std::uint64_t fed = no_budget;  // thousandths that its budget feeds
        std::uint64_t held = 0;
        std::uint64_t idle = 0;  // of a pod: what its racks can feed of it
        [[nodiscard]] std::uint64_t room() const {
            if (fed == no_budget) return idle;
            const std::uint64_t left = fed > held ? fed - held : 0;
            return left < idle ? left : idle;
        }
    };
    [[nodiscard]] std::uint64_t fed_by(double watts, std::uint32_t nodes) const;
    void room_of_pod_became(std::uint64_t before, std::uint64_t after);

    std::uint32_t nodes_ = 0;
    std::uint32_t rack_nodes_ = 1;
    std::uint32_t pod_nodes_ = 1;
    std::int64_t idle_mw_ = 0;
    std::uint64_t span_mw_ = 1;  // busy - idle, of a node
    std::uint64_t node_units_ = 0;
    std::vector<Domain> racks_;
    std::vector<Domain> pods_;
    std::uint64_t room_ = 0;
};

// Thousandths that draw no more than so many milliwatts beside idle nodes, and the other way round
// (rounded up).
std::uint64_t units_fed(std::int64_t milliwatts, std::uint64_t node_units, std::uint64_t span_mw);
std::int64_t milliwatts_of(std::uint64_t units, std::uint64_t node_units, std::uint64_t span_mw);

}  // namespace weir::tenancy
