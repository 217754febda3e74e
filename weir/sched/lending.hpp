// Lending: what whoever drives the core has to know of a loan when it begins and when it is over.
//
// A loan is agreed on beforehand, and what was recoverable then may not be so any more: so when it
// is to begin, can_begin() asks again whether every gang of the lender that waits for what it has
// left of its own could be had at once by evicting borrowers only (tenancy/recoverable.hpp). If
// not, the loan is refused, and nobody owes anything.
//
// When it is over, what its borrower still uses is in somebody's way or not. are_back() says
// whether a job of the lender that owns what it asks for finds no room while the borrower uses more
// than is its own: then the chips are not back, and the loan is broken by the borrower. (Rules come
// first: whoever runs for less than `min_run` is not stopped, nor are more than so many an hour.)
//
// Threads: pure functions of what they are given. Cost: jobs + nodes of the pools that are lent.
#pragma once

#include <span>

#include "weir/sched/engine.hpp"

namespace weir::sched {

// A job that waits for room or runs.
struct JobSeen {
    JobId job;
    TenantId tenant;
    const fleet::Demand* demand = nullptr;
    const fleet::Placement* placement = nullptr;  // null: it waits
    bool stopping = false;                        // and is on its way out
};

// Requires: `loan` is in `in_force`, which holds the loans that last at this moment; the jobs are
// in the order of their numbers.
Result<void> can_begin(const Engine& engine,
                       const LoanTerm& loan,
                       std::span<const LoanTerm> in_force,
                       std::span<const JobSeen> jobs);

// The error says who keeps what from whom. Requires: `loan` is not in `in_force`.
Result<void> are_back(const Engine& engine,
                      const LoanTerm& loan,
                      std::span<const LoanTerm> in_force,
                      std::span<const JobSeen> jobs);

}  // namespace weir::sched
