// TaskMix: which tasks are asked for here, and how often?
//
// The one idea: what will come is like what came. Every replica of a gang that wants chips is one
// task; tasks that want the same are one shape, and a shape has a count. Old habits fade: every
// `halve_every` arrivals all counts are halved, and a shape whose count reaches 0 is forgotten.
//
// CPUs and memory are rounded up to eight steps an octave, so 31.9 and 32 CPUs are one shape and a
// site with thousands of sizes has a few hundred. Tasks without chips leave no trace: it is chips
// that must not be stranded.
//
// A value; equal arrivals give equal mixes. Cost: arrived O(parts x log(shapes) + pools).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "weir/fleet/demand.hpp"
#include "weir/fleet/fleet.hpp"

namespace weir::fleet {

// The chips of a fleet by number, in the order of its pools, and sets of them by bit. Pools without
// chips have one too. The 64th kind and all later ones share the last bit: then a task may seem to
// be served by a chip that it does not accept, which makes a score worse and no placement wrong.
class ChipKinds {
public:
    explicit ChipKinds(const Fleet& fleet);
    [[nodiscard]] std::uint64_t bit_of(PoolId pool) const { return bits_[pool.value]; }
    [[nodiscard]] std::uint64_t bits_of(const std::vector<PoolId>& pools) const;

private:
    std::vector<std::uint64_t> bits_;  // by pool
};

struct TaskShape {
    ReplicaDemand each;       // CPUs and memory rounded up
    std::uint64_t kinds = 0;  // accepted chips, as ChipKinds has them

    friend auto operator<=>(const TaskShape&, const TaskShape&) = default;
};

struct CountedShape {
    TaskShape shape;
    std::uint64_t count = 0;

    friend bool operator==(const CountedShape&, const CountedShape&) = default;
};

// Thousandths of a chip.
constexpr std::uint32_t chips_milli_of(const ReplicaDemand& each) {
    return each.chip_permille > 0 ? each.chip_permille : each.chips * 1000;
}

class TaskMix {
public:
    static constexpr std::uint64_t never_halve = 0;

    // `halve_every` is counted in jobs.
    explicit TaskMix(std::uint64_t halve_every = 4096) : halve_every_(halve_every) {}

    // A job with this demand, which accepts these chips, was submitted.
    void arrived(const Demand& demand, std::uint64_t kinds);

    // The shapes that ask for most chips (count x chips of one), at most `shapes_max`, by shape.
    [[nodiscard]] std::vector<CountedShape> most_wanted(std::size_t shapes_max) const;

    [[nodiscard]] static TaskShape shape_of(const ReplicaDemand& each, std::uint64_t kinds);

private:
    std::uint64_t halve_every_;
    std::uint64_t arrivals_ = 0;
    std::map<TaskShape, std::uint64_t> counts_;
};

}  // namespace weir::fleet
