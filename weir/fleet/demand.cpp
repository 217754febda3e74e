#include "weir/fleet/demand.hpp"

#include <algorithm>
#include <utility>

namespace weir::fleet {

std::uint64_t Demand::chips_milli() const {
    std::uint64_t sum = 0;
    for (const GangPart& part : parts) {
        sum += std::uint64_t{part.replicas} *
               (std::uint64_t{part.each.chips} * 1000 + part.each.chip_permille);
    }
    return sum;
}

std::uint64_t Demand::cpus_milli() const {
    std::uint64_t sum = 0;
    for (const GangPart& part : parts)
        sum += std::uint64_t{part.replicas} * part.each.cpus_milli;
    return sum;
}

std::uint64_t Demand::replicas() const {
    std::uint64_t sum = 0;
    for (const GangPart& part : parts)
        sum += part.replicas;
    return sum;
}

std::uint64_t Placement::nodes() const {
    if (ranges.size() == 1) return ranges.front().count;
    std::vector<NodeRange> sorted = ranges;
    std::sort(sorted.begin(), sorted.end(), [](const NodeRange& a, const NodeRange& b) {
        return std::pair(a.pool, a.first) < std::pair(b.pool, b.first);
    });
    std::uint64_t sum = 0;
    PoolId pool;
    std::uint64_t next = 0;  // first node of `pool` that is not counted yet
    for (const NodeRange& range : sorted) {
        if (range.pool != pool) {
            pool = range.pool;
            next = 0;
        }
        const std::uint64_t end = std::uint64_t{range.first} + range.count;
        const std::uint64_t begin = std::max<std::uint64_t>(range.first, next);
        if (end > begin) sum += end - begin;
        next = std::max(next, end);
    }
    return sum;
}

}  // namespace weir::fleet
