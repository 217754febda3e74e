#include "weir/sim/power_meter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "weir/base/assert.hpp"

namespace weir::sim {
namespace {

constexpr std::uint32_t no_meter = std::numeric_limits<std::uint32_t>::max();
constexpr std::int64_t points_max = 2000;
constexpr double watt_ms_per_kwh = 3.6e9;

}  // namespace

PowerMeter::PowerMeter(const fleet::Fleet& fleet, Time from) : from_(from), now_(from) {
    for (std::uint32_t number = 0; number < fleet.pools.size(); ++number) {
        const fleet::Pool& pool = fleet.pools[number];
        meter_of_.push_back(no_meter);
        if (pool.node_busy_watts <= 0 || pool.nodes == 0) continue;
        meter_of_.back() = static_cast<std::uint32_t>(pools_.size());
        PoolMeter& meter = pools_.emplace_back();
        meter.id = PoolId{number};
        meter.rack_nodes = pool.rack_nodes();
        meter.by_chips = pool.chips_per_node > 0;
        meter.node_idle_watts = pool.node_idle_watts;
        // A pool that counts neither chips nor CPUs has no measure of how busy a node is.
        const double units_per_node =
            meter.by_chips ? pool.chips_per_node * 1000.0 : static_cast<double>(pool.cpus_milli);
        meter.units_per_node = units_per_node;
        if (units_per_node > 0) {
            meter.unit_watts = (pool.node_busy_watts - pool.node_idle_watts) / units_per_node;
        }
        meter.idle_watts = meter.node_idle_watts * pool.nodes;
        for (std::uint32_t first = 0; first < pool.nodes; first += meter.rack_nodes) {
            Rack& rack = meter.racks.emplace_back();
            rack.nodes = std::min(meter.rack_nodes, pool.nodes - first);
            rack.since = from;
            set_cap(meter, rack, pool.rack_power_watts);
        }
    }
    if (!pools_.empty()) changes_.push_back({from, total_watts()});
}

void PowerMeter::set_cap(const PoolMeter& pool, Rack& rack, double watts) {
    rack.cap_watts = watts;
    const double idle = pool.node_idle_watts * rack.nodes;
    // A cap that is used to the last watt is kept: schedulers may round a unit to a microwatt.
    const double room = watts * (1 + 1e-9) + 1e-6 * pool.units_per_node * rack.nodes - idle;
    if (watts <= 0) {
        rack.units_cap = std::numeric_limits<std::int64_t>::max();
    } else if (room < 0) {
        rack.units_cap = -1;
    } else if (pool.unit_watts <= 0) {
        rack.units_cap = std::numeric_limits<std::int64_t>::max();
    } else {
        rack.units_cap = static_cast<std::int64_t>(std::min(room / pool.unit_watts, 9e18));
    }
}

void PowerMeter::settle(Rack& rack, Time now) {
    const Duration passed = now - rack.since;
    if (passed.count() == 0) return;
    rack.unit_ms += Wide{rack.units} * static_cast<std::uint64_t>(passed.count());
    rack.units_max = std::max(rack.units_max, rack.units);
    if (static_cast<std::int64_t>(rack.units) > rack.units_cap) rack.over_cap += passed;
    rack.since = now;
}

double PowerMeter::total_watts() const {
    double watts = 0;
    for (const PoolMeter& pool : pools_)
        watts += pool.idle_watts + pool.unit_watts * static_cast<double>(pool.units);
    return watts;
}

// What all nodes drew since the last event goes into the books.
void PowerMeter::advance(Time now) {
    WEIR_ASSERT(now >= now_);
    if (now == now_) return;
    const double watts = total_watts();
    power_max_watts_ = std::max(power_max_watts_, watts);
    add_to_bins(now_, now, watts);
    if (changes_kept_ && watts != changes_.back().watts) {
        if (changes_.back().at == now_) {
            changes_.back().watts = watts;
        } else if (changes_.size() + 1 < static_cast<std::size_t>(points_max)) {
            changes_.push_back({now_, watts});
        } else {
            changes_kept_ = false;
            changes_ = {};
        }
    }
    now_ = now;
}

void PowerMeter::add_to_bins(Time begin, Time end, double watts) {
    while (end - from_ > bin_ * (points_max - 1)) {
        // Twice as wide, half as many.
        for (std::size_t i = 0; i < bins_.size(); i += 2)
            bins_[i / 2] = bins_[i] + (i + 1 < bins_.size() ? bins_[i + 1] : 0.0);
        bins_.resize((bins_.size() + 1) / 2);
        bin_ *= 2;
    }
    while (begin < end) {
        const std::int64_t number = (begin - from_) / bin_;
        const Time upto = std::min(end, from_ + bin_ * (number + 1));
        const auto bin = static_cast<std::size_t>(number);
        if (bins_.size() <= bin) bins_.resize(bin + 1, 0.0);
        bins_[bin] += watts * static_cast<double>((upto - begin).count());
        begin = upto;
    }
}

void PowerMeter::change(const fleet::Demand& demand,
                        const fleet::Placement& placement,
                        Time now,
                        bool starts) {
    if (pools_.empty()) return;
    advance(now);
    for (const fleet::NodeRange& range : placement.ranges) {
        const std::uint32_t position = meter_of_.at(range.pool.value);
        if (position == no_meter) continue;
        PoolMeter& pool = pools_[position];
        const fleet::ReplicaDemand& each = demand.parts.at(range.part).each;
        const std::uint64_t of_replica = pool.by_chips
                                             ? std::uint64_t{each.chips} * 1000 + each.chip_permille
                                             : std::uint64_t{each.cpus_milli};
        const std::uint64_t of_node = of_replica * range.replicas;
        if (of_node == 0) continue;
        const std::uint32_t end = range.first + range.count;
        for (std::uint32_t first = range.first; first < end;) {
            const std::uint32_t number = first / pool.rack_nodes;
            const std::uint64_t rack_end = (std::uint64_t{number} + 1) * pool.rack_nodes;
            const auto upto = static_cast<std::uint32_t>(std::min<std::uint64_t>(end, rack_end));
            const std::uint64_t units = of_node * (upto - first);
            Rack& rack = pool.racks.at(number);
            settle(rack, now);
            WEIR_ASSERT(starts || rack.units >= units);
            rack.units = starts ? rack.units + units : rack.units - units;
            pool.units = starts ? pool.units + units : pool.units - units;
            first = upto;
        }
    }
}

void PowerMeter::on_start(const fleet::Demand& demand,
                          const fleet::Placement& placement,
                          Time now) {
    change(demand, placement, now, true);
}

void PowerMeter::on_end(const fleet::Demand& demand, const fleet::Placement& placement, Time now) {
    change(demand, placement, now, false);
}

void PowerMeter::set_rack_cap(PoolId id, std::uint32_t rack, double watts, Time now) {
    const std::uint32_t position = meter_of_.at(id.value);
    if (position == no_meter) return;
    PoolMeter& pool = pools_[position];
    settle(pool.racks.at(rack), now);
    set_cap(pool, pool.racks[rack], watts);
}

PowerRecord PowerMeter::finish(Time end) {
    PowerRecord record;
    if (pools_.empty()) return record;
    advance(end);
    const auto span_ms = static_cast<double>((end - from_).count());
    double watt_ms = 0;
    for (PoolMeter& pool : pools_) {
        std::uint32_t number = 0;
        for (Rack& rack : pool.racks) {
            settle(rack, end);
            const double idle = pool.node_idle_watts * rack.nodes;
            const double busy_watt_ms = pool.unit_watts * static_cast<double>(rack.unit_ms);
            watt_ms += idle * span_ms + busy_watt_ms;
            record.racks.push_back(
                {.pool = pool.id,
                 .rack = number++,
                 .cap_watts = rack.cap_watts,
                 .mean_watts = idle + (span_ms > 0 ? busy_watt_ms / span_ms : 0),
                 .max_watts = idle + pool.unit_watts * static_cast<double>(rack.units_max),
                 .over_cap_s = as_seconds(rack.over_cap)});
        }
    }
    record.energy_kwh = watt_ms / watt_ms_per_kwh;
    record.power_max_watts = power_max_watts_;
    if (changes_kept_) {
        record.power = std::move(changes_);
    } else {
        for (std::size_t i = 0; i < bins_.size(); ++i) {
            const Time begin = from_ + bin_ * static_cast<std::int64_t>(i);
            const Duration width = std::min<Duration>(bin_, end - begin);
            record.power.push_back({begin, bins_[i] / static_cast<double>(width.count())});
        }
    }
    if (record.power.back().at < end) record.power.push_back({end, record.power.back().watts});
    return record;
}

}  // namespace weir::sim
