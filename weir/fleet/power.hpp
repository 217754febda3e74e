// The power model: what nodes draw, in whole milliwatts.
//
// A node draws its idle power always, and each of its chips that is in use adds an equal part of
// (busy - idle); of a shared chip the share that is in use counts. On pools without chips the CPUs
// in use count instead. It is a model for budgets, not a measurement: a busy node is taken to draw
// its full power whatever it computes, so a budget that holds by the model holds by the meter where
// `busy` is what the node draws at most.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weir/fleet/demand.hpp"
#include "weir/fleet/fleet.hpp"

namespace weir::fleet {

inline std::int64_t milliwatts(double watts) {  // rounded; asked far too often for llround()
    return static_cast<std::int64_t>(watts * 1000 + (watts < 0 ? -0.5 : 0.5));
}

inline std::int64_t idle_milliwatts(const Pool& pool) {
    return milliwatts(pool.node_idle_watts);
}

// What one replica adds on a node of the pool; rounded up, so that sums never come out below.
inline std::int64_t active_milliwatts(const Pool& pool, const ReplicaDemand& each) {
    const std::int64_t span = milliwatts(pool.node_busy_watts - pool.node_idle_watts);
    if (span <= 0) return 0;
    if (pool.chips_per_node > 0) {
        const std::int64_t permille = std::int64_t{each.chips} * 1000 + each.chip_permille;
        const std::int64_t all = std::int64_t{pool.chips_per_node} * 1000;
        return (span * permille + all - 1) / all;
    }
    if (pool.cpus_milli == 0) return 0;
    return (span * each.cpus_milli + pool.cpus_milli - 1) / pool.cpus_milli;
}

// Sentences about budgets that cannot be meant: idle nodes draw as much already, or nothing says
// what the nodes of the pool draw.
std::vector<std::string> idle_budgets(const Fleet& fleet);

}  // namespace weir::fleet
