// Loan: quota that one organisation leaves to another for a time, and may call back.
//
//     offered ──► accepted ──► active ──► expired
//        │            └───┬────────┤
//        ▼                │        ▼
//     withdrawn           └──► recalling ──► returned
//
// Beside that, an offer expires with the time it was for; whatever was agreed can be given back
// early (returned) and can be broken (defaulted). Whose chips are not back when it is over by time
// has broken it, too.
//
// The contract is fixed; its state changes by what the parties do and by time. A recall takes
// effect when the notice is over, and costs the lender what the contract says. A party that breaks
// the contract pays the penalty: the lender takes its chips back without notice, or the borrower no
// longer pays. Whoever plans asks availability(): while a loan is being recalled, the deadline is
// the end of what its borrower has, and nothing may be promised on it beyond.
//
// step() is the whole life cycle as a function: (loan, what happens, when) gives the loan after it
// and the payments that follow, and changes nothing itself. A step out of turn is an error that
// says the state and what is possible in it.
//
// Threads: values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/base/money.hpp"
#include "weir/base/result.hpp"
#include "weir/tenancy/budget.hpp"
#include "weir/tenancy/organisations.hpp"

namespace weir::tenancy {

using LoanId = Id<struct LoanTag>;  // position in the list of loans

struct LoanContract {
    TenantId lender;
    TenantId borrower;
    std::vector<Allowance> amounts;  // chips or capability; of the lender's own quota
    Span window;
    Duration notice{};   // from a recall until it takes effect
    Price price;         // of a chip-hour that the borrower uses
    Money early_recall;  // what the lender pays for recalling
    Money penalty;       // what a party pays that breaks the contract

    friend bool operator==(const LoanContract&, const LoanContract&) = default;
};

enum class LoanState : std::uint8_t {
    offered,
    accepted,
    active,
    recalling,
    withdrawn,
    returned,
    expired,
    defaulted,
};
std::string_view name_of(LoanState state);
// Nothing can happen to it any more.
bool is_final(LoanState state);

struct Loan {
    LoanId id;
    LoanContract contract;
    LoanState state = LoanState::offered;
    Time since;                    // when it came into this state
    std::optional<Time> deadline;  // when a recall takes effect
    bool lasted = false;           // it was active

    friend bool operator==(const Loan&, const Loan&) = default;
};

// What a party does; `wait` is time alone.
enum class LoanEvent : std::uint8_t {
    wait,
    accept,           // the borrower takes the offer
    withdraw,         // the lender takes the offer back
    recall,           // the lender wants its chips back after the notice
    give_back,        // the borrower has no use for them any more
    lender_breaks,    // the lender takes its chips at once
    borrower_breaks,  // the borrower does not pay
    not_back,         // it is over by time, and the borrower still uses the chips
};
std::string_view name_of(LoanEvent event);

// One change of state, for the record. What it costs is owed at `at` by one party to the other.
struct LoanChange {
    enum class Debt : std::uint8_t { none, early_recall, penalty };

    LoanState from = LoanState::offered;
    LoanState to = LoanState::offered;
    Time at;
    Debt debt = Debt::none;
    TenantId payer;
    TenantId payee;
    Money amount;  // 0: nothing is owed

    friend bool operator==(const LoanChange&, const LoanChange&) = default;
};

struct LoanStep {
    Loan loan;
    std::vector<LoanChange> changes;  // in the order of time; also those that time alone brought
};

// Time passes until `now`, then the event happens. Whatever falls on the same moment as the end of
// a state comes after it: a loan that ends now has ended.
// Requires: the contract's window is not empty and its notice not negative.
Result<LoanStep> step(const Loan& loan, LoanEvent event, Time now);

// When the borrower may use it, as far as is known; none: not agreed, or over.
std::optional<Span> availability(const Loan& loan);

// So much of the lender's own quota counts as the borrower's. Requires: the lender has it.
void move_quota(Organisations& organisations,
                TenantId lender,
                TenantId borrower,
                std::span<const Allowance> amounts);

// The organisations as they stand at `now`: what is lent at this moment counts as the borrower's
// quota and no longer as the lender's. For the order of reclaim and for fair shares; who uses a
// loan neither borrows nor owns. Requires: no lender lends more than it has.
Organisations with_loans(const Organisations& organisations, std::span<const Loan> loans, Time now);

}  // namespace weir::tenancy
