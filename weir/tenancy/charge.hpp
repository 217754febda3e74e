// Charge: from what was used to who pays how much, and whether a budget allows it.
//
// Chips are charged by time used, at the price that the usage carries: the list price of the fleet
// for own quota and for borrowed chips (0 where a centre does not charge own quota), the price of
// the contract for a loan. The centre gets the former, the lender the latter. A usage is cut at
// midnight (UTC) into pieces; each is priced to the nearest millionth of the currency.
//
// Of every piece vouchers pay first, those that end earlier before the others: each at most its
// share of the whole bill, only for chips and times that it admits (a piece counts by its
// beginning), and only what is left of it. The organisation that ran the job pays the rest.
//
// Threads: as Ledger.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "weir/base/money.hpp"
#include "weir/base/result.hpp"
#include "weir/tenancy/ledger.hpp"

namespace weir::tenancy {

// The same usage on a loan: its lender is paid, at its price.
Usage on_loan(Usage usage, const Loan& loan);

// Cut at every midnight within it. Requires: a span that is not empty.
std::vector<Usage> pieces_of(const Usage& usage);

struct Charged {
    Money cost;                    // of what was new
    std::int64_t by_vouchers = 0;  // of it, in millionths
    std::uint32_t pieces = 0;      // that were new
};

// Posts every piece that is not in the ledger yet, all or nothing. Codes: invalid (an empty span,
// or a cost that no amount can hold), and those of Ledger::post.
Result<Charged> charge(Ledger& ledger, std::span<const Voucher> vouchers, const Usage& usage);

// Gives a voucher to its holder, once.
Result<bool> issue(Ledger& ledger, std::span<const Voucher> vouchers, VoucherId id);

// Its holder has it with another amount from `at` on: more is given, or what is left is taken back
// as far as it goes.
Result<bool> reissue(Ledger& ledger, VoucherId id, Money was, const Voucher& voucher, Time at);

// Pays what a change of a loan made due, once; nothing is due for most changes.
Result<bool> settle(Ledger& ledger, const Loan& loan, const LoanChange& change);

// What a budget still allows.
struct BudgetLeft {
    TenantId tenant;        // whose budget: the organisation or one above it
    std::int64_t left = 0;  // in millionths; below 0: more was spent than it had
    Time ends;              // when it is full again
};

// A job that was accepted and has not been charged in full.
struct Commitment {
    TenantId tenant;
    std::int64_t micros = 0;  // still to come
};

// All budgets that this organisation spends of, its own first.
std::vector<BudgetLeft> budgets_left(const Ledger& ledger,
                                     std::span<const Budget> budgets,
                                     std::span<const Commitment> commitments,
                                     TenantId tenant,
                                     Time at);

// Whether a job that costs so much at most may be accepted: within its own budget if it has one,
// and within what is left of every budget. All of its cost counts for the period of `at`.
Result<void> may_spend(const Ledger& ledger,
                       std::span<const Budget> budgets,
                       std::span<const Commitment> commitments,
                       TenantId tenant,
                       Time at,
                       Money cost,
                       std::optional<Money> budget_of_job = {});

}  // namespace weir::tenancy
