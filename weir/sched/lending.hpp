// Lending: what whoever drives the core has to know of a loan when it begins, while it lasts and
// when it is over.
//
// A loan is agreed on beforehand, and what was recoverable then may not be so any more: so when it
// is to begin, can_begin() asks again whether every gang of the lender that waits for what it has
// left of its own could be had at once by evicting borrowers only (tenancy/recoverable.hpp). If
// not, the loan is refused, and nobody owes anything.
//
// While it lasts, it is asked at every step, by stand_in_the_way(). A loan is never the reason why
// its lender has to do without what it did not lend: where the lender's gangs that wait for what it
// has left could not be had by evicting borrowers only, and could be if those who use its loans
// went as well, the lender's guarantee comes before the contract, at the price that the contract
// names: the loan is called back. Not for a gang that is promised a start by then anyway. Nodes
// that fail can bring this about, and gangs that come when the jobs of the loan lie scattered.
//
// When it is over, what its borrower still uses is in somebody's way or not. are_back() says
// whether a job of the lender that owns what it asks for finds no room while the borrower uses more
// than is its own: then the chips are not back, and the loan is broken by the borrower. Where the
// policy has others stopped for owners, stopping is the pool's part and not the borrower's: if its
// own rules keep it from that (whoever runs for less than `min_run` is not stopped, nor are more
// than so many an hour), nobody has broken anything, and the lender waits until they allow it.
//
// Threads: pure functions of what they are given. Cost: of the jobs that are given once, and for
// each loan that may be called back of the organisations, the jobs that run and the nodes of its
// pools.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "weir/sched/engine.hpp"

namespace weir::sched {

// A job that waits for room or runs.
struct JobSeen {
    JobId job;
    TenantId tenant;
    const fleet::Demand* demand = nullptr;
    const fleet::Placement* placement = nullptr;  // null: it waits
    bool stopping = false;                        // and is on its way out
    bool ready = true;                            // it waits for nothing but room and rights
    Time promised = never;                        // a start by then
    Time started{};                               // if it runs
};

struct LastingLoan {
    LoanTerm term;
    Duration notice{};  // from a recall until it takes effect
};

// Requires: `loan` is in `in_force`, which holds the loans that last at this moment; the jobs are
// in the order of their numbers.
Result<void> can_begin(const Engine& engine,
                       const LoanTerm& loan,
                       std::span<const LoanTerm> in_force,
                       std::span<const JobSeen> jobs);

// The numbers of the loans that have to be called back now so that none stands in its lender's
// way: the fewest, from the last one on. Requires: `in_force` and the jobs are as for can_begin(),
// and everything of this moment is decided.
std::vector<std::uint32_t> stand_in_the_way(const Engine& engine,
                                            std::span<const LastingLoan> in_force,
                                            std::span<const JobSeen> jobs,
                                            Time now);

// Whom the pool's rules let it stop for others at this moment.
struct StopRules {
    bool stops_others = false;  // anybody, ever
    bool are_used_up = false;   // as many were stopped in an hour as may be
    Time started_by = never;    // whoever started later has not run for long enough

    static StopRules of(const Policy& policy, std::uint64_t stopped_in_the_hour, Time now);
};

// The error says who keeps what from whom. Requires: `loan` is not in `in_force`.
Result<void> are_back(const Engine& engine,
                      const LoanTerm& loan,
                      std::span<const LoanTerm> in_force,
                      std::span<const JobSeen> jobs,
                      const StopRules& rules);

}  // namespace weir::sched
