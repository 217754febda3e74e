#include "weir/fleet/task_mix.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

namespace weir::fleet {
namespace {

constexpr std::uint64_t steps_per_octave = 8;

using Wide = unsigned __int128;

// The smallest step that is not less; the octaves are smallest x 1, 2, 4, ... `most` is the last
// number there is.
std::uint64_t rounded_up(std::uint64_t amount, std::uint64_t smallest, std::uint64_t most) {
    if (amount == 0) return 0;
    if (amount <= smallest) return smallest;
    std::uint64_t octave = smallest;
    while (octave <= (amount - 1) / 2)
        octave *= 2;
    const Wide step = (Wide{amount - octave} * steps_per_octave + octave - 1) / octave;
    return static_cast<std::uint64_t>(
        std::min<Wide>(octave + octave * step / steps_per_octave, most));
}

Wide chips_milli_wanted(const CountedShape& counted) {
    return Wide{counted.count} * chips_milli_of(counted.shape.each);
}

}  // namespace

ChipKinds::ChipKinds(const Fleet& fleet) {
    std::vector<std::string_view> names;
    for (const Pool& pool : fleet.pools) {
        auto kind = std::find(names.begin(), names.end(), pool.chip);
        if (kind == names.end()) kind = names.insert(kind, pool.chip);
        const auto number = std::min<std::ptrdiff_t>(kind - names.begin(), 63);
        bits_.push_back(std::uint64_t{1} << number);
    }
}

std::uint64_t ChipKinds::bits_of(const std::vector<PoolId>& pools) const {
    std::uint64_t bits = 0;
    for (const PoolId pool : pools)
        bits |= bit_of(pool);
    return bits;
}

TaskShape TaskMix::shape_of(const ReplicaDemand& each, std::uint64_t kinds) {
    // Eighths of an octave above 125, 250, 500, 1000 thousandths hit whole CPUs.
    constexpr std::uint64_t smallest_cpus_milli = 125;
    constexpr std::uint64_t smallest_memory = std::uint64_t{1} << 20;
    TaskShape shape{each, kinds};
    shape.each.cpus_milli = static_cast<std::uint32_t>(rounded_up(
        each.cpus_milli, smallest_cpus_milli, std::numeric_limits<std::uint32_t>::max()));
    shape.each.memory.count =
        static_cast<std::int64_t>(rounded_up(static_cast<std::uint64_t>(each.memory.count),
                                             smallest_memory,
                                             std::numeric_limits<std::int64_t>::max()));
    return shape;
}

void TaskMix::arrived(const Demand& demand, std::uint64_t kinds) {
    for (const GangPart& part : demand.parts) {
        if (chips_milli_of(part.each) == 0) continue;
        counts_[shape_of(part.each, kinds)] += part.replicas;
    }
    ++arrivals_;
    if (halve_every_ == never_halve || arrivals_ % halve_every_ != 0) return;
    for (auto entry = counts_.begin(); entry != counts_.end();) {
        entry->second /= 2;
        entry = entry->second == 0 ? counts_.erase(entry) : std::next(entry);
    }
}

std::vector<CountedShape> TaskMix::most_wanted(std::size_t shapes_max) const {
    std::vector<CountedShape> chosen;
    chosen.reserve(counts_.size());
    for (const auto& [shape, count] : counts_)
        chosen.push_back({shape, count});
    if (chosen.size() <= shapes_max) return chosen;
    const auto more = [](const CountedShape& a, const CountedShape& b) {
        const Wide wanted_a = chips_milli_wanted(a);
        const Wide wanted_b = chips_milli_wanted(b);
        return wanted_a != wanted_b ? wanted_a > wanted_b : a.shape < b.shape;
    };
    std::nth_element(chosen.begin(),
                     chosen.begin() + static_cast<std::ptrdiff_t>(shapes_max),
                     chosen.end(),
                     more);
    chosen.resize(shapes_max);
    std::sort(chosen.begin(), chosen.end(), [](const CountedShape& a, const CountedShape& b) {
        return a.shape < b.shape;
    });
    return chosen;
}

}  // namespace weir::fleet
