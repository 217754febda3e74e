#include "weir/tenancy/recoverable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <map>

#include "weir/base/assert.hpp"

namespace weir::tenancy {
namespace {

using fleet::Level;

// How many units a full domain of each level has.
struct Shape {
    std::uint32_t chips;  // of a node
    std::uint32_t nodes;  // of a rack
    std::uint32_t racks;  // of a pod
};

Shape shape_of(const fleet::Pool& pool) {
    const std::uint32_t nodes = pool.rack_nodes();
    return {pool.chips_per_node, nodes, (pool.pod_nodes() + nodes - 1) / nodes};
}

// The smallest power of two from `units` on.
std::uint32_t buddies(std::uint32_t units) {
    std::uint32_t size = 1;
    while (size < units)
        size *= 2;
    return size;
}

// How many cells of size `small` a free cell of size `large` gives up. Requires: small < large.
std::uint64_t inside(const Cell& small, const Cell& large, const Shape& shape) {
    if (small.within == large.within) return large.units / small.units;
    std::uint64_t count = large.units;
    switch (small.within) {
        case Level::node:
            count *= shape.chips / small.units;
            if (large.within == Level::rack) return count;
            count *= shape.nodes;
            return large.within == Level::pod ? count : count * shape.racks;
        case Level::rack:
            count *= shape.nodes / small.units;
            return large.within == Level::pod ? count : count * shape.racks;
        case Level::pod:
            return count * (shape.racks / small.units);
        case Level::pool:
        case Level::site:
            break;
    }
    WEIR_ASSERT(false);
    return 0;
}

// The cells of all guarantees that cannot wait longer, large ones first.
using Wanted = std::map<Cell, std::uint64_t, std::greater<>>;

std::optional<Shortage> shortage_at(const Ground& ground,
                                    const Wanted& wanted,
                                    Duration within,
                                    std::uint64_t spoilt) {
    const Shape shape = shape_of(ground.pool);
    std::vector<std::uint32_t> free(ground.pool.nodes, ground.pool.chips_per_node);
    for (std::size_t i = 0; i < ground.kept_chips.size(); ++i)
        free.at(i) -= ground.kept_chips[i];
    for (const Lent& lent : ground.lent) {
        if (lent.notice > within) free.at(lent.node) -= lent.chips;
    }
    // Large sizes first: when a small one is counted, all that is larger is known to be there.
    for (const auto& [cell, count] : wanted) {
        std::uint64_t taken = spoilt;
        for (const auto& [larger, number] : wanted) {
            if (larger > cell) taken += number * inside(cell, larger, shape);
        }
        const std::uint64_t all = cells_in(cell, ground.pool, free);
        const std::uint64_t there = all - std::min(all, taken);
        if (count > there) return Shortage{{cell, count}, there, within};
    }
    return std::nullopt;
}

std::optional<Shortage> first_shortage(const Ground& ground,
                                       std::span<const Guarantee> guarantees,
                                       std::uint64_t chips,
                                       Duration notice) {
    std::vector<Duration> moments;
    for (const Guarantee& each : guarantees)
        moments.push_back(each.waits);
    std::sort(moments.begin(), moments.end());
    moments.erase(std::unique(moments.begin(), moments.end()), moments.end());
    for (const Duration moment : moments) {
        Wanted wanted;
        for (const Guarantee& each : guarantees) {
            if (each.waits > moment || each.count == 0) continue;
            const CellDemand cells = cells_for(each.gang, ground.pool);
            wanted[cells.cell] += cells.count * each.count;
        }
        const std::uint64_t spoilt = notice > moment ? chips : 0;
        if (auto found = shortage_at(ground, wanted, moment, spoilt)) return found;
    }
    return std::nullopt;
}

}  // namespace

std::string text_of(const Cell& cell) {
    static constexpr std::string_view units[] = {"chip", "node", "rack", "pod"};
    static constexpr std::string_view domains[] = {"node", "rack", "pod", "pool"};
    const auto level = static_cast<std::size_t>(cell.within);
    WEIR_ASSERT(level < 4);
    return fmt::format(
        "{} {}{} of a {}", cell.units, units[level], cell.units == 1 ? "" : "s", domains[level]);
}

CellDemand cells_for(const GangShape& gang, const fleet::Pool& pool) {
    const Shape shape = shape_of(pool);
    WEIR_ASSERT(gang.replicas > 0 && gang.chips > 0);
    // A power of two of units, or the next larger domain whole. More than a domain has is a cell
    // that no pool of this shape holds.
    const auto cell = [](Level within, std::uint64_t units, std::uint32_t domain) {
        if (units > domain) {
            constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
            return Cell{within, static_cast<std::uint32_t>(std::min(units, most))};
        }
        const std::uint32_t size = buddies(static_cast<std::uint32_t>(units));
        if (size < domain) return Cell{within, size};
        return Cell{static_cast<Level>(static_cast<int>(within) + 1), 1};
    };
    if (gang.within >= Level::pool || gang.chips > shape.chips) {
        return {cell(Level::node, gang.chips, shape.chips), gang.replicas};
    }
    const std::uint64_t chips = std::uint64_t{gang.replicas} * gang.chips;
    if (chips <= shape.chips || gang.within == Level::node) {
        return {cell(Level::node, chips, shape.chips), 1};
    }
    const std::uint32_t nodes = (gang.replicas - 1) / (shape.chips / gang.chips) + 1;
    if (nodes <= shape.nodes || gang.within == Level::rack) {
        return {cell(Level::rack, nodes, shape.nodes), 1};
    }
    return {cell(Level::pod, (nodes - 1) / shape.nodes + 1, shape.racks), 1};
}

std::uint64_t cells_in(const Cell& cell,
                       const fleet::Pool& pool,
                       const std::vector<std::uint32_t>& free_chips) {
    const Shape shape = shape_of(pool);
    std::uint64_t cells = 0;
    std::uint32_t nodes = 0;  // free ones of this rack
    std::uint32_t racks = 0;  // free ones of this pod, and only of full size
    std::uint32_t pods = 0;
    const auto end_rack = [&] {
        if (cell.within == Level::rack) cells += nodes / cell.units;
        racks += nodes == shape.nodes ? 1 : 0;
        nodes = 0;
    };
    const auto end_pod = [&] {
        if (cell.within == Level::pod) cells += racks / cell.units;
        pods += racks == shape.racks ? 1 : 0;
        racks = 0;
    };
    const std::uint32_t pod_nodes = pool.pod_nodes();
    for (std::uint32_t i = 0; i < pool.nodes; ++i) {
        const std::uint32_t in_pod = i % pod_nodes;
        if (i > 0 && in_pod % shape.nodes == 0) end_rack();
        if (i > 0 && in_pod == 0) end_pod();
        if (cell.within == Level::node) cells += free_chips.at(i) / cell.units;
        nodes += free_chips[i] == shape.chips ? 1 : 0;
    }
    end_rack();
    end_pod();
    return cell.within == Level::pool ? pods / cell.units : cells;
}

std::optional<Shortage> shortage(const Ground& ground, std::span<const Guarantee> guarantees) {
    return first_shortage(ground, guarantees, 0, Duration{});
}

Result<void> may_lend(const Ground& ground,
                      std::span<const Guarantee> guarantees,
                      std::uint64_t chips,
                      Duration notice) {
    std::uint64_t idle = std::uint64_t{ground.pool.nodes} * ground.pool.chips_per_node;
    for (const std::uint32_t kept : ground.kept_chips)
        idle -= kept;
    for (const Lent& lent : ground.lent)
        idle -= lent.chips;
    if (chips > idle) {
        return fail(Code::conflict,
                    fmt::format("{} chips cannot be lent from pool {}: {} are not in use",
                                chips,
                                ground.pool.name,
                                idle));
    }
    if (const auto found = first_shortage(ground, guarantees, chips, notice)) {
        return fail(
            Code::conflict,
            fmt::format("{} chips cannot be lent from pool {}: of {}, {} are guaranteed and "
                        "{} could be had by evicting borrowers{}",
                        chips,
                        ground.pool.name,
                        text_of(found->wanted.cell),
                        found->wanted.count,
                        found->there,
                        found->within == forever
                            ? ""
                            : fmt::format(" with a notice of {}", format_duration(found->within))));
    }
    return {};
}

}  // namespace weir::tenancy
