// Accounts: what the organisations of a hub used, owe, and may still spend.
//
// The ledger is not stored: it follows from the journal, like everything else that the book knows.
// What it forgets of closed months (ledger.hpp) the journal keeps.
// The book tells who starts where and when that ends, and each piece of an attempt is posted once,
// under its job and attempt, at the price that the fleet in force has for the chip. By which right
// chips are used is decided when an attempt starts: they are own quota, which costs nothing, as far
// as the organisation, or a house that it is part of, runs no more than it owns; the rest is
// on a loan, at the price of its contract, which its lender gets, as far as there is one with so
// much left; and what is neither is borrowed, at the list price. What is lent to others is not own
// quota meanwhile. When a loan begins or ends, when other organisations, prices or rights come into
// force, what runs is charged until then and goes on under the new ones.
//
// Organisations and vouchers are remembered for ever: by its path an organisation is the same one
// in another file, and a voucher by what it says. Who is gone has a ledger that no longer changes.
//
// Without organisations there are no accounts, and only a job's own budget counts. Threads: one at
// a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/hub/loans.hpp"
#include "weir/sched/event.hpp"
#include "weir/tenancy/charge.hpp"
#include "weir/tenancy/ledger.hpp"
#include "weir/tenancy/organisations_file.hpp"
#include "weir/tenancy/quota_tree.hpp"
#include "weir/tenancy/rights.hpp"
#include "weir/tenancy/statement.hpp"

namespace weir::hub {

// In which all amounts of a hub are; nothing where none is written. The error says which two are
// mixed.
Result<std::optional<Currency>> currency_of(const tenancy::OrganisationsFile& file,
                                            const fleet::Fleet& fleet);

class Accounts {
public:
    Accounts();

    // Other organisations, another fleet, or the first. Who runs or waits is told anew after it.
    // Requires: currency_of(file, fleet).
    void set(const tenancy::OrganisationsFile& file,
             const fleet::Fleet& fleet,
             const tenancy::Rights& rights,
             const std::set<std::string>& domestic,
             Time at);
    [[nodiscard]] bool any() const { return !file_.organisations.empty(); }
    // Something is owed, or will be when what runs has ended.
    [[nodiscard]] bool has_amounts() const;

    // What one job may cost at most: as much borrowed, or on the loans in force, as its
    // organisation may ever have, where it is dearest, for as long as it may run. Codes: too_large.
    [[nodiscard]] Result<Money> cost_at_most(const sched::Request& request) const;
    // Whether so much is left in all budgets above this organisation, beside what was accepted
    // before and `more`, of jobs that are about to be; and whether its own budget is large enough.
    [[nodiscard]] Result<void> may_spend(TenantId house,
                                         Money cost,
                                         Time at,
                                         std::span<const tenancy::Commitment> more,
                                         std::optional<Money> budget_of_job) const;

    // So the loans stand from now on; what runs goes on by its new rights.
    void set_loans(const std::vector<KnownLoan>& loans, Time at);
    // What a change of a loan made due.
    void settle(const tenancy::Loan& loan, const tenancy::LoanChange& change);
    // Whether so much is left for another attempt as it may cost at most: in all budgets, without
    // what was set aside for the job itself, and of its own after the attempts before.
    [[nodiscard]] Result<void> may_repeat(JobId job,
                                          const sched::Request& request,
                                          Time at,
                                          std::optional<Money> budget_of_job) const;

    // A job was accepted, and until it is over it may cost what cost_at_most() says.
    void accepted(JobId job, const sched::Request& request);
    void over(JobId job);

    void started(JobId job,
                 const sched::Request& request,
                 const fleet::Placement& placement,
                 std::uint32_t attempt,
                 Time at);
    // The attempt ended, or goes on under other rights.
    void ended(JobId job, Time at);

    [[nodiscard]] const tenancy::Ledger& ledger() const { return ledger_; }
    [[nodiscard]] Currency currency() const { return currency_; }
    // Of the organisation of this path, also one that is gone. Codes: not_found.
    [[nodiscard]] Result<tenancy::Statement> statement(const std::string& path, Time at) const;

private:
    struct Running {
        TenantId house;         // of the file in force
        bool is_guest = false;  // of the centre: only its own budget counts
        tenancy::Charges charges;
        std::vector<tenancy::Usage> usages;               // that go on
        std::map<std::size_t, tenancy::Amount> on_loans;  // by position in loans_
        sched::Request request;
        fleet::Placement placement;
        std::uint32_t attempt = 1;
    };
    struct LoanInForce {
        tenancy::Loan loan;  // in terms of the file in force
        std::uint32_t resource = 0;
        tenancy::Amount all = 0;
        tenancy::Amount left = 0;
    };

    // What is lent now or later.
    struct Agreed {
        TenantId borrower;
        std::uint32_t resource = 0;
        tenancy::Amount amount = 0;
    };

    void remember(const tenancy::OrganisationsFile& file, Time at);
    void count_quotas();
    [[nodiscard]] std::optional<Price> price_of(PoolId pool) const;
    // The house and those that it is part of, without the centre.
    [[nodiscard]] std::vector<TenantId> houses_above(TenantId house) const;
    // Loans that whoever is in this organisation may use.
    [[nodiscard]] std::vector<const LoanInForce*> loans_for(TenantId tenant) const;
    // Whether the organisation may have so much in this pool at any time.
    [[nodiscard]] bool may_ever_have(const sched::Request& request, PoolId pool) const;
    // How much of each chip of this kind may be borrowed, from nothing (0) to all (1).
    [[nodiscard]] long double share_borrowed_at_most(const sched::Request& request,
                                                     PoolId pool) const;
    [[nodiscard]] std::uint64_t borrowed_of(std::uint64_t chips_milli, const Running& its) const;
    // Of chips that are not own quota, what is on a loan: taken from it.
    std::uint64_t take_loan(std::size_t position, std::uint64_t chips_milli, Running& its);

    tenancy::OrganisationsFile file_;  // in force
    fleet::Fleet fleet_;
    tenancy::Rights rights_;
    std::set<std::string> domestic_;  // chips
    Currency currency_;
    std::vector<std::vector<tenancy::Amount>> owns_;  // by tenant of the file, then resource
    std::vector<std::vector<tenancy::Amount>> runs_;  // likewise
    std::vector<LoanInForce> loans_;                  // by loan, then resource
    tenancy::LoanNames loan_names_;
    std::vector<Agreed> agreed_;
    tenancy::QuotaTree quotas_;  // what each may have at most

    tenancy::Ledger ledger_;                   // of all organisations there ever were
    std::map<std::string, TenantId> by_path_;  // in the ledger
    std::vector<TenantId> in_ledger_;          // by tenant of the file
    std::vector<tenancy::Voucher> vouchers_;   // all there ever were, as far as they pay now
    std::vector<tenancy::Voucher> said_;       // the same as their files had them
    std::vector<tenancy::Budget> budgets_;     // of the file, in terms of the ledger
    std::map<JobId, Running> running_;
    std::map<JobId, std::int64_t> cost_so_far_;  // of jobs that are not over
    std::map<JobId, tenancy::Commitment> accepted_;
    std::map<TenantId, std::int64_t> committed_;  // the sum of accepted_, by organisation
};

}  // namespace weir::hub
