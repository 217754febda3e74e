// PowerMeter: what the nodes of a fleet draw while a run goes on, rack by rack and all together.
//
// The model: a node draws what it draws idle; of the difference to busy it adds the share of its
// chips that somebody holds (a fraction of a chip counts as that fraction), and where nodes have
// no chips, the share of its CPUs. Only pools that say what a busy node draws are measured. The
// meter is told what starts and ends and looks at nothing else, so it agrees with whatever
// scheduler placed the jobs, or convicts it.
//
// What is held is counted in whole thousandths and integrated in whole milliseconds: means and
// energy are exact, whatever the order of events at one instant. A state that lasted no time has
// drawn nothing: it counts neither for a maximum nor for time over a cap.
//
// Threads: one at a time. Cost: O(ranges of the placement and racks they touch), nothing where no
// pool says what it draws; the memory does not grow with the length of the run.
#pragma once

#include <cstdint>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/base/time.hpp"
#include "weir/fleet/demand.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/sim/simulator.hpp"

namespace weir::sim {

struct PowerRecord {
    std::vector<RackPower> racks;   // by pool, then number
    std::vector<PowerPoint> power;  // each holds until the next; the last one is the end
    double energy_kwh = 0;
    double power_max_watts = 0;  // of all nodes together, at any moment
};

class PowerMeter {
public:
    // Measures from `from`; caps are those of the fleet until set_rack_cap() changes one.
    PowerMeter(const fleet::Fleet& fleet, Time from);

    // Requires: times never go back; what ends has started with the same demand and placement.
    void on_start(const fleet::Demand& demand, const fleet::Placement& placement, Time now);
    void on_end(const fleet::Demand& demand, const fleet::Placement& placement, Time now);
    void set_rack_cap(PoolId pool, std::uint32_t rack, double watts, Time now);  // 0 = no cap

    // Closes the books. Ensures: nothing is left out up to `end`.
    [[nodiscard]] PowerRecord finish(Time end);

private:
    using Wide = unsigned __int128;

    struct Rack {
        std::uint32_t nodes = 0;
        double cap_watts = 0;
        std::int64_t units_cap = 0;  // more than so many are over the cap; -1: idle is, too
        Time since{};                // `units` holds since then
        std::uint64_t units = 0;
        std::uint64_t units_max = 0;
        Wide unit_ms = 0;
        Duration over_cap{};
    };
    // Units are thousandths of a chip, or of a CPU where nodes have no chips.
    struct PoolMeter {
        PoolId id;
        std::uint32_t rack_nodes = 0;
        bool by_chips = true;
        double node_idle_watts = 0;
        double idle_watts = 0;  // of all its nodes
        double units_per_node = 0;
        double unit_watts = 0;
        std::uint64_t units = 0;
        std::vector<Rack> racks;
    };

    void change(const fleet::Demand& demand,
                const fleet::Placement& placement,
                Time now,
                bool starts);
    void advance(Time now);
    void add_to_bins(Time begin, Time end, double watts);
    static void settle(Rack& rack, Time now);
    static void set_cap(const PoolMeter& pool, Rack& rack, double watts);
    [[nodiscard]] double total_watts() const;

    std::vector<PoolMeter> pools_;
    std::vector<std::uint32_t> meter_of_;  // pool -> position in pools_, or none
    Time from_{};
    Time now_{};
    double power_max_watts_ = 0;
    std::vector<PowerPoint> changes_;  // as long as they are few
    bool changes_kept_ = true;
    Duration bin_{1000};
    std::vector<double> bins_;  // watt-milliseconds
};

}  // namespace weir::sim
