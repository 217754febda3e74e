// PoolNodes: what is idle in one pool, and what is said of the nodes on which it is.
//
// A node is out of service (failed, else drained), or it is set apart, or it is promised, or
// nothing is said of it; the first of these that holds counts. What is idle is summed by that, and
// what is left of shared chips where nothing is said. Where there are budgets of watts,
// power_room.hpp is kept as well.
//
// Threads: one at a time. Cost: of a run of nodes that begins or ends to be held or promised, the
// logarithm of the pool and a step for 64 nodes (and for each that is out of service, for each rack
// where there are budgets, and for each promise that stands in the pool when one goes); else O(1) a
// node.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weir/fleet/fleet.hpp"
#include "weir/tenancy/node_sums.hpp"
#include "weir/tenancy/power_room.hpp"

namespace weir::tenancy {

class PoolNodes {
public:
    enum class Health : std::uint8_t { up, drained, failed };
    using Run = std::pair<std::uint32_t, std::uint32_t>;  // first node, and the one behind the last

    // Nothing is held on nodes of so many thousandths.
    PoolNodes(const fleet::Pool& pool, std::uint64_t node_units);

    // So much of each node of the run. Requires: what is taken is there, what is given was taken.
    void hold(const Run& run, std::uint64_t units, bool taking);
    // The same of one of their chips, which shares of chips are taken from, in thousandths.
    void hold_share(const Run& run, std::uint32_t chip, std::uint32_t permille, bool taking);
    void set_health(std::uint32_t node, Health health);
    // One more, or one less, sets them apart or maintains them.
    void set_apart(const Run& run, bool maintenance, bool begins);
    // The promise is of these nodes from now on; whether that changes anything.
    bool promise(std::uint64_t id, std::vector<Run> runs);
    void forget(std::uint64_t id);  // a promise that stands
    // Of a rack or pod. Requires: busy nodes draw more than idle ones.
    void set_budget(fleet::Level level, std::uint32_t number, double watts);

    struct Sums {  // thousandths
        std::uint64_t held = 0;
        std::uint64_t failed = 0;  // idle, from here on
        std::uint64_t drained = 0;
        std::uint64_t apart = 0;
        std::uint64_t promised = 0;
        std::uint64_t shared_rest = 0;
    };
    [[nodiscard]] const Sums& sums() const { return sums_; }
    // Idle and in service, as far as budgets of racks and pods can feed it.
    [[nodiscard]] std::uint64_t fed() const {
        const std::uint64_t idle = units_ - sums_.held - sums_.failed - sums_.drained;
        return power_ && power_->room() < idle ? power_->room() : idle;
    }

private:
    struct Said {
        Health health = Health::up;
        std::uint16_t apart = 0;
        std::uint16_t maintained = 0;
        [[nodiscard]] bool serves() const { return health == Health::up && maintained == 0; }
    };
    struct Promise {
        std::uint64_t id;
        std::vector<Run> runs;
    };

    [[nodiscard]] std::uint64_t idle_on(const Run& run) const;
    [[nodiscard]] std::uint64_t rest_on(const Run& run) const;
    void count(std::uint32_t node, bool more);
    template <class Change>
    void change(std::uint32_t node, Change change);
    void await(const Run& run, bool begins);
    void set_promised(const std::vector<Run>& runs, bool to);
    void measure_power();
    template <class Each>
    void each_rack(const Run& run, Each each) const;

    fleet::Pool pool_;
    std::uint64_t node_units_ = 0;
    std::uint64_t units_ = 0;
    Sums sums_;
    NodeSums held_;
    std::vector<Said> said_;
    NodeBits out_;       // of service
    NodeBits aside_;     // set apart, and in service
    NodeBits promised_;  // whatever else is said
    NodeBits awaited_;   // promised, and nothing else is said
    std::vector<Promise> promises_;
    std::unordered_map<std::uint64_t, std::uint16_t> shares_;  // node x chip -> thousandths
    std::vector<std::uint16_t> rests_;                         // by node, where there are shares
    std::optional<PowerRoom> power_;                           // where there was a budget
};

}  // namespace weir::tenancy
