#include "weir/tenancy/power_room.hpp"

#include <algorithm>

#include "weir/base/assert.hpp"
#include "weir/fleet/power.hpp"
#include "weir/tenancy/losses.hpp"

namespace weir::tenancy {

std::uint64_t units_fed(std::int64_t milliwatts, std::uint64_t node_units, std::uint64_t span_mw) {
    if (milliwatts <= 0) return 0;
    return static_cast<std::uint64_t>(ChipTime{static_cast<std::uint64_t>(milliwatts)} *
                                      node_units / span_mw);
}

std::int64_t milliwatts_of(std::uint64_t units, std::uint64_t node_units, std::uint64_t span_mw) {
    return static_cast<std::int64_t>((ChipTime{units} * span_mw + node_units - 1) / node_units);
}

PowerRoom::PowerRoom(const fleet::Pool& pool, std::uint64_t node_units)
    : nodes_(pool.nodes),
      rack_nodes_(pool.rack_nodes()),
      pod_nodes_(pool.pod_nodes()),
      idle_mw_(fleet::idle_milliwatts(pool)),
      node_units_(node_units) {
    const std::int64_t span = fleet::milliwatts(pool.node_busy_watts - pool.node_idle_watts);
    WEIR_ASSERT(span > 0 && node_units > 0);
    span_mw_ = static_cast<std::uint64_t>(span);
    racks_.resize(pool.racks());
    pods_.resize(pool.pods());
    for (std::uint32_t rack = 0; rack < racks_.size(); ++rack)
        set_budget(fleet::Level::rack, rack, pool.rack_power_watts);
    for (std::uint32_t pod = 0; pod < pods_.size(); ++pod)
        set_budget(fleet::Level::pod, pod, pool.pod_power_watts);
}

std::uint64_t PowerRoom::fed_by(double watts, std::uint32_t nodes) const {
    const std::int64_t budget_mw = fleet::milliwatts(watts);
    if (budget_mw <= 0) return no_budget;
    return units_fed(budget_mw - idle_mw_ * nodes, node_units_, span_mw_);
}

void PowerRoom::room_of_pod_became(std::uint64_t before, std::uint64_t after) {
    room_ = room_ - before + after;
}

void PowerRoom::set_budget(fleet::Level level, std::uint32_t number, double watts) {
    const bool of_rack = level == fleet::Level::rack;
    const std::uint32_t size = of_rack ? rack_nodes_ : pod_nodes_;
    const std::uint32_t nodes = std::min(size, nodes_ - size * number);
    Domain& pod = pods_.at(of_rack ? size * number / pod_nodes_ : number);
    const std::uint64_t before = pod.room();
    if (of_rack) {
        Domain& rack = racks_.at(number);
        pod.idle -= rack.room();
        rack.fed = fed_by(watts, nodes);
        pod.idle += rack.room();
    } else {
        pod.fed = fed_by(watts, nodes);
    }
    room_of_pod_became(before, pod.room());
}

void PowerRoom::change(std::uint32_t node, std::int64_t held, std::int64_t idle) {
    Domain& rack = racks_[node / rack_nodes_];
    Domain& pod = pods_[node / pod_nodes_];
    const std::uint64_t before = pod.room();
    pod.idle -= rack.room();
    // Modulo 2^64: what is taken away was there.
    rack.held += static_cast<std::uint64_t>(held);
    rack.idle += static_cast<std::uint64_t>(idle);
    pod.held += static_cast<std::uint64_t>(held);
    pod.idle += rack.room();
    room_of_pod_became(before, pod.room());
}

}  // namespace weir::tenancy
