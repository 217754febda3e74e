// Victims: the cheapest set of running jobs whose end makes room for a gang.
//
// The price of a job is the work that stopping it loses: (time since its last checkpoint + the cost
// of taking one and of starting again) x chips. Age does not matter. The search prices every node:
// what must go from it until it holds so many replicas, each victim's price shared among its nodes.
// Then it buys the cheapest nodes, stops on paper, and puts back, the dearest first, whoever is not
// needed. So the set is minimal: without any one of them the gang would not fit.
//
// Who may be stopped for whom, and who goes first, is not decided here: each candidate carries a
// class (Classes), and a higher class is touched only when the lower ones together do not suffice.
//
// Threads: pure functions on a FreeIndex, which is as before after each call. Cost: O(candidates x
// their nodes + the nodes of the gang x log).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "weir/fleet/free_index.hpp"
#include "weir/job/job.hpp"

namespace weir::sched {

struct Victim {
    std::uint32_t slot = 0;
    std::uint32_t rank = 0;  // its class: the lowest goes first
    std::int64_t lost = 0;   // chip-milliseconds (CPU-milliseconds without chips)
    const fleet::Shape* shape = nullptr;
    const fleet::Placement* placement = nullptr;
};

// Who may be stopped for whom. The rule today: jobs of priority high and urgent may stop those of
// any lower priority, the lowest first.
struct Classes {
    // The class of a victim for this beneficiary; nothing = it may not be touched.
    [[nodiscard]] std::optional<std::uint32_t> of(job::Priority victim,
                                                  job::Priority beneficiary) const {
        if (beneficiary < job::Priority::high || victim >= beneficiary) return std::nullopt;
        return static_cast<std::uint32_t>(victim);
    }
};

// Positions in `candidates` of the set, the cheapest first; empty when all together are not enough,
// or when it would take more than `count_max`. What is promised to others is not looked at: that is
// for the plan to say. Requires: the gang does not fit now.
std::vector<std::size_t> cheapest_set(fleet::FreeIndex& free,
                                      const fleet::Fleet& fleet,
                                      const fleet::Shape& shape,
                                      const std::vector<Victim>& candidates,
                                      std::size_t count_max);

}  // namespace weir::sched
