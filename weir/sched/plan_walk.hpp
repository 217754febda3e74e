// How searches walk over the runs of nodes; private to plan_search.cpp and plan_budgets.cpp.
#pragma once

#include <algorithm>
#include <array>

#include "weir/sched/plan.hpp"

namespace weir::sched {

// Calls visit(pool, rank, first, count, future) for the runs of nodes in service in the unit that
// may have something for one of the parts by then; with no parts, for all of them. Requires:
// find_powered() was called for this search.
template <class Visit>
void Plan::walk(const Unit& unit, const std::vector<fleet::GangPart>& parts, Time by, Visit visit) {
    const bool need_chips = std::all_of(parts.begin(), parts.end(), [](const auto& part) {
        return part.each.chips > 0 || part.each.chip_permille > 0;
    });
    for (std::uint32_t rank = 0; rank < unit.pools->size(); ++rank) {
        PoolPlan& pool = pools_[(*unit.pools)[rank].value];
        Time Freed::*const needed = parts.empty()                  ? &Freed::anything
                                    : needs_all_chips(pool, parts) ? &Freed::all_chips
                                    : need_chips                   ? &Freed::chip
                                                                   : &Freed::anything;
        // Futures lie scattered, and what they hold lies elsewhere: each run is looked at some runs
        // after it was found, when both have come from memory.
        struct Found {
            std::uint32_t node = 0;
            std::uint32_t count = 0;
            const Future* future = nullptr;
        };
        constexpr std::size_t ahead = 8;
        std::array<Found, ahead> found;
        std::size_t seen = 0;
        const auto look_at = [&](std::size_t number) {
            const Found& its = found[number % ahead];
            visit(pool, rank, its.node, its.count, *its.future);
        };
        for (const Stretch& stretch : powered_[rank]) {
            for (std::uint32_t node = stretch.first; node < stretch.last;) {
                const std::uint32_t next = std::min(pool.runs.end_of(node), stretch.last);
                const std::uint32_t first = pool.runs.first_of(node);
                ++work_;
                const Freed& freed = pool.freed[first];
                if (freed.*needed <= by && freed.anything != never) {
                    if (seen >= ahead) look_at(seen - ahead);
                    if (seen >= ahead / 2)
                        __builtin_prefetch(found[(seen - ahead / 2) % ahead].future->holds.data());
                    found[seen++ % ahead] = {node, next - node, &pool.futures[first]};
                    __builtin_prefetch(&pool.futures[first]);
                }
                node = next;
            }
        }
        for (std::size_t number = seen > ahead ? seen - ahead : 0; number < seen; ++number)
            look_at(number);
    }
}

}  // namespace weir::sched
