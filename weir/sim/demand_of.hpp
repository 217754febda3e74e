// What a job of a trace asks for on the fleet that it is replayed on.
//
// Logs say "12 devices" where a scheduler needs "one node with 8 chips and one with 4". The rule:
//   * classic logs: every processor is a replica of its own, wherever there is room;
//   * a share of a device, or devices that fit on one node: one replica;
//   * the log says on how many nodes it ran, and that divides the devices: one replica a node;
//   * more devices than a node has: as many whole nodes as they fill, and one part for the rest;
//   * no devices: one replica with the CPUs and the memory, or one a node if the log says how many.
// CPUs and memory are split in proportion to the chips.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "weir/fleet/demand.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/sched/engine.hpp"
#include "weir/sim/trace.hpp"

namespace weir::sim {

class DemandsOf {
public:
    DemandsOf(const Trace& trace, fleet::Fleet fleet);

    const fleet::Demand& of(const TraceJob& job);
    [[nodiscard]] bool can_ever_fit(const sched::Engine& engine, const TraceJob& job);

private:
    struct Known {
        fleet::Demand demand;
        int fits = -1;  // -1 = not asked yet
    };
    using Key = std::tuple<std::uint32_t,
                           std::uint32_t,
                           std::uint32_t,
                           std::uint64_t,
                           std::int64_t,
                           std::uint32_t>;

    Known& known(const TraceJob& job);
    [[nodiscard]] fleet::Demand make(const TraceJob& job) const;
    [[nodiscard]] std::vector<PoolId> pools_for(const TraceJob& job) const;

    const Trace& trace_;
    fleet::Fleet fleet_;
    std::map<Key, Known> known_;
};

}  // namespace weir::sim
