// How searches walk over the runs of nodes; private to plan_search.cpp and plan_budgets.cpp.
#pragma once

#include <algorithm>

#include "weir/sched/plan.hpp"

namespace weir::sched {

// Calls visit(pool, rank, first, count, future) for the runs of nodes in service in the unit that
// may have something for one of the parts by then; with no parts, for all of them.
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
        const std::uint32_t last = std::min(unit.last, pool.pool->nodes);
        for (std::uint32_t node = unit.first; node < last;) {
            const std::uint32_t next = std::min(pool.runs.end_of(node), last);
            const std::uint32_t first = pool.runs.first_of(node);
            ++work_;
            const Freed& freed = pool.freed[first];
            // Futures lie scattered: the next one is asked for while this one is looked at.
            if (next < last && pool.freed[next].*needed <= by)
                __builtin_prefetch(&pool.futures[next]);
            if (freed.*needed <= by && freed.anything != never)
                visit(pool, rank, node, next - node, pool.futures[first]);
            node = next;
        }
    }
}

}  // namespace weir::sched
