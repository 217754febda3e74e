// Victims: the cheapest set of running jobs whose end makes room for a gang.
//
// The price of a job is the work that stopping it loses: (time since its last checkpoint + the cost
// of taking one and of starting again) x chips. Age does not matter. Classes come first: nothing of
// a higher class is lost where lower ones will do, whatever they lose.
//
// A gang lives in one domain, so victims are looked for domain by domain, the one first whose
// cheapest nodes cost least (offers.hpp). There nodes are bought, the cheapest first, until the
// gang fits; then whoever turned out not to be needed is put back, the dearest first. The cheapest
// set is taken. Where all candidates together are few, combinations of them are tried in the end,
// those without the dearest first.
//
// Promised: the gang fits without the set, and no longer if any one of it stays (it is minimal).
// There is a set whenever all candidates together are enough, unless it is larger than allowed.
// Among ten candidates or fewer no set is cheaper; among more, none that was seen. What is not
// foreseen: how the shares of large jobs add up, which of several things a node is short of
// decides, and the watts of pods and sites. (All but the first holds where more room never makes a
// gang fit worse: not for gangs of several parts, nor in several pools under the budget of a site.)
//
// Who may be stopped for whom, and who goes first, is not decided here: each candidate carries a
// class (Classes).
//
// Threads: pure functions on a FreeIndex, which is as before after each call. Cost: all candidates
// and nodes are looked at once or twice; then, in each domain searched, O(log) for each node bought
// and one test whether the gang fits for each victim.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "weir/fleet/free_index.hpp"
#include "weir/job/job.hpp"
#include "weir/sched/job_table.hpp"

namespace weir::sched {

struct Victim {
    const Job* job = nullptr;
    std::int64_t lost = 0;   // chip-milliseconds (CPU-milliseconds without chips)
    std::uint32_t rank = 0;  // its class, below Classes::count: the lowest goes first
};

// Who may be stopped for whom: whoever runs on what others own and want back, before all others.
// And jobs of priority high and urgent may stop those of any lower priority, the lowest first;
// where there are organisations, only those of their own.
struct Classes {
    static constexpr std::uint32_t count = 4;  // of victims: borrowers; low, normal, high
    static constexpr std::uint32_t borrower = 0;

    // The class of a victim for this beneficiary; nothing = it may not be touched.
    [[nodiscard]] std::optional<std::uint32_t> of(job::Priority victim,
                                                  job::Priority beneficiary) const {
        if (beneficiary < job::Priority::high || victim >= beneficiary) return std::nullopt;
        return 1 + static_cast<std::uint32_t>(victim);
    }
};

// Combinations of so few candidates are tried (not all of them, from eleven on).
constexpr std::size_t few_victims = 64;

// The set, the cheapest first; empty when all together are not enough, or when it would take more
// than `count_max`. `victims`: the candidates, by domain of the gang's shape; who runs in several
// of them is listed in each. What is promised to others is not looked at: that is for the plan to
// say. Requires: the gang does not fit now; jobs stay where they are in memory.
std::vector<Victim> cheapest_set(fleet::FreeIndex& free,
                                 const fleet::Fleet& fleet,
                                 const Shapes& shapes,
                                 const fleet::Shape& gang,
                                 const std::vector<std::vector<Victim>>& victims,
                                 std::size_t count_max,
                                 std::size_t few = few_victims);

}  // namespace weir::sched
