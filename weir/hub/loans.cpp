#include "weir/hub/loans.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "weir/base/assert.hpp"
#include "weir/base/schema.hpp"
#include "weir/tenancy/rights.hpp"

namespace weir::hub {

using tenancy::Loan;
using tenancy::LoanContract;
using tenancy::LoanEvent;
using tenancy::LoanState;

namespace {

constexpr std::string_view file_prefix = "file-";

bool overlap(const tenancy::Span& a, const tenancy::Span& b) {
    return a.begins < b.ends && b.begins < a.ends;
}

std::string quoted(std::string_view path) {
    return fmt::format("\"{}\"", path);
}

}  // namespace

std::string amounts_in_words(const LoanTerms& terms) {
    std::string words;
    for (const auto& [resource, amount] : terms.amounts)
        words += (words.empty() ? "" : ", ") + tenancy::format_amount(resource, amount);
    return words;
}

Result<LoanContract> Loans::contract_of(const LoanTerms& terms) const {
    LoanContract contract{.lender = organisations_.find(terms.lender),
                          .borrower = organisations_.find(terms.borrower),
                          .amounts = {},
                          .window = terms.window,
                          .notice = terms.notice,
                          .price = terms.price,
                          .early_recall = terms.early_recall,
                          .penalty = terms.penalty};
    const auto party =
        [&](std::string_view key, const std::string& path, TenantId id) -> Result<void> {
        if (id.valid() && id != TenantId{0}) return {};
        return fail(Code::not_found,
                    fmt::format("{}: there is no organisation {}; `weir tenants` shows those there "
                                "are",
                                key,
                                quoted(path)));
    };
    WEIR_CHECK(party("from", terms.lender, contract.lender));
    WEIR_CHECK(party("to", terms.borrower, contract.borrower));
    if (contract.lender == contract.borrower) {
        return fail(Code::invalid, "to: nobody borrows from itself");
    }
    for (const auto& [resource, amount] : terms.amounts) {
        const auto& known = organisations_.resources;
        const auto its = std::find(known.begin(), known.end(), resource);
        if (its == known.end() || resource.kind == tenancy::Resource::Kind::cpus || amount <= 0) {
            return fail(Code::invalid,
                        fmt::format("chips: {} cannot be lent; valid are amounts above 0 of what "
                                    "quotas are written in",
                                    resource.name));
        }
        contract.amounts.push_back({static_cast<std::uint32_t>(its - known.begin()), amount});
    }
    if (contract.amounts.empty()) return fail(Code::invalid, "chips: say what is lent");
    return contract;
}

// Of its own quota, at every moment of the window, beside whatever else it agreed to.
Result<void> Loans::lender_has(const LoanTerms& terms, const LoanContract& contract) const {
    for (const tenancy::Allowance& lent : contract.amounts) {
        tenancy::Amount owns = 0;
        for (const tenancy::Allowance& quota : organisations_.tenant(contract.lender).quota)
            if (quota.resource == lent.resource) owns = quota.amount;
        std::vector<const LoanContract*> others;
        std::vector<Time> moments{contract.window.begins};
        for (const KnownLoan& known : all_) {
            const auto span = tenancy::availability(known.loan);
            if (!span || known.terms.name == terms.name ||
                known.loan.contract.lender != contract.lender || !overlap(*span, contract.window)) {
                continue;
            }
            others.push_back(&known.loan.contract);
            moments.push_back(std::max(span->begins, contract.window.begins));
        }
        for (const Time moment : moments) {
            tenancy::Amount sum = lent.amount;
            for (const LoanContract* other : others) {
                if (!other->window.holds(moment)) continue;
                for (const tenancy::Allowance& each : other->amounts)
                    if (each.resource == lent.resource) sum += each.amount;
            }
            if (sum <= owns) continue;
            const tenancy::Resource& resource = organisations_.resources[lent.resource];
            return fail(
                Code::conflict,
                fmt::format(
                    "chips: {} owns {} itself and would have lent {} at {}; it may lend {} "
                    "then",
                    terms.lender,
                    tenancy::format_amount(resource, owns),
                    tenancy::format_amount(resource, sum),
                    format_time(moment),
                    tenancy::format_amount(
                        resource, std::max<tenancy::Amount>(0, owns - (sum - lent.amount)))));
        }
    }
    return {};
}

Result<void> Loans::may_offer(const LoanTerms& terms, Time at) const {
    if (const auto bad = schema::test_name(terms.name)) {
        return fail(Code::invalid, "name: " + quoted(terms.name) + " " + *bad);
    }
    if (terms.name.rfind(file_prefix, 0) == 0) {
        return fail(Code::invalid, "name: " + quoted(terms.name) + " is for loans of the file");
    }
    if (find(terms.name) != nullptr) {
        return fail(Code::conflict, "name: there was a loan " + terms.name + " already");
    }
    if (terms.window.begins >= terms.window.ends || terms.window.ends <= at ||
        terms.window.ends > never) {
        return fail(Code::invalid,
                    fmt::format("ends: {} is before it starts, or has passed",
                                format_time(terms.window.ends)));
    }
    if (terms.notice < Duration{}) return fail(Code::invalid, "notice: valid are 0s and more");
    for (const Currency used :
         {terms.price.of_chip_hour.currency, terms.early_recall.currency, terms.penalty.currency}) {
        if (used != currency_) {
            return fail(Code::invalid,
                        fmt::format("price: it is in {}, and this hub counts in {}",
                                    used.text(),
                                    currency_.text()));
        }
    }
    WEIR_TRY(const LoanContract contract, contract_of(terms));
    return lender_has(terms, contract);
}

Result<void> Loans::may_accept(const KnownLoan& known) const {
    return lender_has(known.terms, known.loan.contract);
}

void Loans::offer(const LoanTerms& terms, Time at) {
    const auto contract = contract_of(terms);
    WEIR_ASSERT(contract.has_value());
    all_.push_back({.terms = terms,
                    .of_file = false,
                    .loan = {.id = tenancy::LoanId{static_cast<std::uint32_t>(all_.size())},
                             .contract = *contract,
                             .state = LoanState::offered,
                             .since = at,
                             .deadline = std::nullopt}});
}

void Loans::set(const tenancy::OrganisationsFile& file, Time at) {
    organisations_ = file.organisations;
    currency_ = file.currency;
    std::vector<LoanTerms> given;
    for (const LoanContract& contract : file.loans) {
        LoanTerms terms{.name = {},
                        .lender = organisations_.tenant(contract.lender).path,
                        .borrower = organisations_.tenant(contract.borrower).path,
                        .amounts = {},
                        .window = contract.window,
                        .notice = contract.notice,
                        .price = contract.price,
                        .early_recall = contract.early_recall,
                        .penalty = contract.penalty};
        for (const tenancy::Allowance& each : contract.amounts)
            terms.amounts.emplace_back(organisations_.resources[each.resource], each.amount);
        given.push_back(std::move(terms));
    }
    // In the order in which they came.
    std::vector<KnownLoan> before = std::exchange(all_, {});
    for (KnownLoan& known : before) {
        const auto same = std::find_if(given.begin(), given.end(), [&](const LoanTerms& terms) {
            LoanTerms named = terms;
            named.name = known.terms.name;
            return named == known.terms;
        });
        const bool stays = !known.of_file || same != given.end();
        if (known.of_file && same != given.end()) given.erase(same);
        known.loan = step(known.loan, LoanEvent::wait, std::max(at, known.loan.since))->loan;
        if (!is_final(known.loan.state)) {
            auto contract = contract_of(known.terms);
            const bool fits = stays && contract && lender_has(known.terms, *contract);
            if (fits) {
                known.loan.contract = *std::move(contract);
            } else {
                known.loan.state = LoanState::returned;
                known.loan.since = at;
            }
        }
        all_.push_back(std::move(known));
    }
    for (LoanTerms& terms : given) {
        const auto number = static_cast<std::uint32_t>(all_.size());
        terms.name = fmt::format("{}{}", file_prefix, number + 1);
        const auto contract = contract_of(terms);
        if (!contract || !lender_has(terms, *contract)) continue;
        Loan loan{.id = tenancy::LoanId{number},
                  .contract = *contract,
                  .state = LoanState::accepted,
                  .since = at,
                  .deadline = std::nullopt};
        loan = step(loan, LoanEvent::wait, at)->loan;
        all_.push_back({.terms = std::move(terms), .of_file = true, .loan = std::move(loan)});
    }
}

const KnownLoan* Loans::find(std::string_view name) const {
    for (const KnownLoan& known : all_)
        if (known.terms.name == name) return &known;
    return nullptr;
}

Result<tenancy::LoanStep> Loans::move(std::string_view name,
                                      LoanEvent event,
                                      Time at,
                                      const std::string& reason) {
    for (KnownLoan& known : all_) {
        if (known.terms.name != name) continue;
        WEIR_TRY(tenancy::LoanStep next, step(known.loan, event, at));
        known.loan = next.loan;
        if (!reason.empty()) known.reason = reason;
        return next;
    }
    return fail(Code::not_found,
                fmt::format("there is no loan \"{}\"; `weir loan` shows those there are", name));
}

std::vector<KnownLoan> Loans::at(Time time) const {
    std::vector<KnownLoan> now = all_;
    for (KnownLoan& known : now)
        known.loan = step(known.loan, LoanEvent::wait, std::max(time, known.loan.since))->loan;
    return now;
}

std::vector<std::string> Loans::moved_by_time(Time at) const {
    std::vector<std::string> names;
    for (const KnownLoan& known : all_) {
        const LoanState was = known.loan.state;
        if (was == LoanState::offered || is_final(was)) continue;
        const auto now = step(known.loan, LoanEvent::wait, std::max(at, known.loan.since));
        if (now->loan.state != was) names.push_back(known.terms.name);
    }
    return names;
}

Time Loans::next_change(Time after) const {
    Time next = never;
    for (const KnownLoan& known : all_) {
        const auto span = tenancy::availability(known.loan);
        if (!span) continue;
        for (const Time each : {span->begins, span->ends})
            if (each > after) next = std::min(next, each);
    }
    return next;
}

}  // namespace weir::hub
