// Loans: what a hub knows of quota that organisations leave to each other.
//
// A loan has a name. Those of the tenants file are agreed on from the moment at which the file is
// in force, and over when the file no longer has them; others are offered and accepted while the
// hub runs, which the journal records. Parties and resources are kept by what they are called, so a
// loan goes on under another file; whose party is gone, or whose lender no longer has so much, is
// over then.
//
// Nothing here looks at jobs: what a loan means for them is the core's (sched/), and what it costs
// the accounts'.
//
// Threads: one at a time.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/tenancy/loan.hpp"
#include "weir/tenancy/organisations_file.hpp"
#include "weir/tenancy/quota_tree.hpp"

namespace weir::hub {

// The terms, in words that outlive a tenants file.
struct LoanTerms {
    std::string name;
    std::string lender;  // paths
    std::string borrower;
    std::vector<std::pair<tenancy::Resource, tenancy::Amount>> amounts;
    tenancy::Span window;
    Duration notice{};
    Price price;
    Money early_recall;
    Money penalty;

    friend bool operator==(const LoanTerms&, const LoanTerms&) = default;
};

struct KnownLoan {
    LoanTerms terms;
    bool of_file = false;
    tenancy::Loan loan;    // in terms of the file in force; its id is its place in the list
    std::string reason{};  // why the hub or a party broke it, or the hub called it back; or ""
};

class Loans {
public:
    // Another tenants file is in force.
    void set(const tenancy::OrganisationsFile& file, Time at);

    // The error says what is wrong with the terms: a name that is taken, a party that is not there,
    // more than the lender has beside what it has lent, a window that is over.
    [[nodiscard]] Result<void> may_offer(const LoanTerms& terms, Time at) const;
    // The lender still has so much beside what was agreed on meanwhile.
    [[nodiscard]] Result<void> may_accept(const KnownLoan& known) const;

    // Requires: may_offer().
    void offer(const LoanTerms& terms, Time at);
    // Codes: not_found, conflict. Time alone is an event, too.
    Result<tenancy::LoanStep> move(std::string_view name,
                                   tenancy::LoanEvent event,
                                   Time at,
                                   const std::string& reason = "");

    [[nodiscard]] const KnownLoan* find(std::string_view name) const;
    // Every loan there ever was, as its last event left it.
    [[nodiscard]] const std::vector<KnownLoan>& all() const { return all_; }
    // As they stand at this time.
    [[nodiscard]] std::vector<KnownLoan> at(Time time) const;
    // Those that have begun, or are over, by time alone since they were last moved.
    [[nodiscard]] std::vector<std::string> moved_by_time(Time at) const;
    // When the next one begins or ends by time alone, after this.
    [[nodiscard]] Time next_change(Time after) const;

private:
    [[nodiscard]] Result<tenancy::LoanContract> contract_of(const LoanTerms& terms) const;
    [[nodiscard]] Result<void> lender_has(const LoanTerms& terms,
                                          const tenancy::LoanContract& contract) const;

    tenancy::Organisations organisations_;
    Currency currency_;
    std::vector<KnownLoan> all_;
};

// "4 a100, 2 h200".
std::string amounts_in_words(const LoanTerms& terms);

}  // namespace weir::hub
