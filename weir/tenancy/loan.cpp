#include "weir/tenancy/loan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "weir/base/assert.hpp"

namespace weir::tenancy {
namespace {

using State = LoanState;
using Event = LoanEvent;
using Debt = LoanChange::Debt;

struct Rule {
    State from;
    Event event;
    State to;
    Debt debt;
};

// Everything that a party can do. What is not here is not possible.
constexpr std::array rules{
    Rule{State::offered, Event::accept, State::accepted, Debt::none},
    Rule{State::offered, Event::withdraw, State::withdrawn, Debt::none},
    Rule{State::accepted, Event::recall, State::recalling, Debt::early_recall},
    Rule{State::accepted, Event::give_back, State::returned, Debt::none},
    Rule{State::accepted, Event::lender_breaks, State::defaulted, Debt::penalty},
    Rule{State::accepted, Event::borrower_breaks, State::defaulted, Debt::penalty},
    Rule{State::active, Event::recall, State::recalling, Debt::early_recall},
    Rule{State::active, Event::give_back, State::returned, Debt::none},
    Rule{State::active, Event::lender_breaks, State::defaulted, Debt::penalty},
    Rule{State::active, Event::borrower_breaks, State::defaulted, Debt::penalty},
    Rule{State::recalling, Event::give_back, State::returned, Debt::none},
    Rule{State::recalling, Event::lender_breaks, State::defaulted, Debt::penalty},
    Rule{State::recalling, Event::borrower_breaks, State::defaulted, Debt::penalty},
};

// Whether it was agreed on and time alone has ended it: by its window, or by the deadline of a
// recall. An offer ends with its window, too, and what was given back before is back.
bool is_over_by_time(const Loan& loan) {
    if (loan.state == State::returned) return loan.deadline && loan.since == *loan.deadline;
    return loan.state == State::expired && loan.lasted && loan.since == loan.contract.window.ends;
}

// As `weir loan` calls it.
std::string_view command_of(Event event) {
    switch (event) {
        case Event::give_back:
            return "return";
        case Event::lender_breaks:
        case Event::borrower_breaks:
            return "break";
        default:
            return name_of(event);
    }
}

std::string what_is_possible(State state) {
    std::string words;
    for (const Rule& rule : rules) {
        if (rule.from != state) continue;
        const std::string_view command = command_of(rule.event);
        if (words.size() >= command.size() &&
            words.substr(words.size() - command.size()) == command)
            continue;  // either party may break it
        words += (words.empty() ? "" : ", ") + std::string(command);
    }
    return words.empty() ? "nothing is possible any more" : "possible are " + words;
}

void change(LoanStep& step, State to, Time at) {
    step.changes.push_back({step.loan.state, to, at, Debt::none, {}, {}, {}});
    step.loan.state = to;
    step.loan.since = at;
}

// What time alone brings. Each change is dated when it was due, however late it is looked at.
void pass_time(LoanStep& step, Time now) {
    const LoanContract& contract = step.loan.contract;
    for (;;) {
        switch (step.loan.state) {
            case State::offered:
                if (now < contract.window.ends) return;
                change(step, State::expired, contract.window.ends);
                break;
            case State::accepted:
                if (now < contract.window.begins) return;
                change(step, State::active, std::max(step.loan.since, contract.window.begins));
                step.loan.lasted = true;
                break;
            case State::active:
                if (now < contract.window.ends) return;
                change(step, State::expired, contract.window.ends);
                break;
            case State::recalling:
                if (now < *step.loan.deadline) return;
                change(step, State::returned, *step.loan.deadline);
                break;
            case State::withdrawn:
            case State::returned:
            case State::expired:
            case State::defaulted:
                return;
        }
    }
}

}  // namespace

std::string_view name_of(LoanState state) {
    static constexpr std::array<std::string_view, 8> names{"offered",
                                                           "accepted",
                                                           "active",
                                                           "recalling",
                                                           "withdrawn",
                                                           "returned",
                                                           "expired",
                                                           "defaulted"};
    return names.at(static_cast<std::size_t>(state));
}

std::string_view name_of(LoanEvent event) {
    static constexpr std::array<std::string_view, 8> names{"wait",
                                                           "accept",
                                                           "withdraw",
                                                           "recall",
                                                           "give back",
                                                           "break by the lender",
                                                           "break by the borrower",
                                                           "not back"};
    return names.at(static_cast<std::size_t>(event));
}

bool is_final(LoanState state) {
    return state >= State::withdrawn;
}

Result<LoanStep> step(const Loan& loan, LoanEvent event, Time now) {
    WEIR_ASSERT(loan.contract.window.begins < loan.contract.window.ends);
    WEIR_ASSERT(loan.contract.notice >= Duration{0});
    if (now < loan.since) {
        return fail(Code::invalid,
                    fmt::format("the loan is {} since {}; nothing can happen to it at {}",
                                name_of(loan.state),
                                format_time(loan.since),
                                format_time(now)));
    }
    LoanStep next{loan, {}};
    pass_time(next, now);
    if (event == Event::wait) return next;

    const State state = next.loan.state;
    if (event == Event::not_back && is_over_by_time(next.loan)) {
        change(next, State::defaulted, now);
        LoanChange& record = next.changes.back();
        record.debt = Debt::penalty;
        record.payer = loan.contract.borrower;
        record.payee = loan.contract.lender;
        record.amount = loan.contract.penalty;
        return next;
    }
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const Rule& each) {
        return each.from == state && each.event == event;
    });
    if (rule == rules.end()) {
        return fail(Code::conflict,
                    fmt::format("a loan that is {} cannot be answered with {}: {}",
                                name_of(state),
                                command_of(event),
                                what_is_possible(state)));
    }
    const LoanContract& contract = loan.contract;
    if (event == Event::recall) {
        const Time deadline = now + contract.notice;
        if (deadline >= contract.window.ends) {
            return fail(Code::conflict,
                        fmt::format("with a notice of {} a recall takes effect at {}, but the loan "
                                    "ends at {} by itself",
                                    format_duration(contract.notice),
                                    format_time(deadline),
                                    format_time(contract.window.ends)));
        }
        next.loan.deadline = deadline;
    }
    change(next, rule->to, now);
    LoanChange& record = next.changes.back();
    record.debt = rule->debt;
    if (rule->debt != Debt::none) {
        const bool lender_pays = event != Event::borrower_breaks;
        record.payer = lender_pays ? contract.lender : contract.borrower;
        record.payee = lender_pays ? contract.borrower : contract.lender;
        record.amount = rule->debt == Debt::early_recall ? contract.early_recall : contract.penalty;
    }
    // Without notice the chips are back in the same moment.
    pass_time(next, now);
    return next;
}

std::optional<Span> availability(const Loan& loan) {
    const Span& window = loan.contract.window;
    switch (loan.state) {
        case State::accepted:
        case State::active:
            return window;
        case State::recalling:
            if (*loan.deadline <= window.begins) return std::nullopt;
            return Span{window.begins, std::min(*loan.deadline, window.ends)};
        case State::offered:
        case State::withdrawn:
        case State::returned:
        case State::expired:
        case State::defaulted:
            break;
    }
    return std::nullopt;
}

namespace {

// The amount of a resource, which is made when it is not there.
std::int64_t& amount_in(std::vector<Allowance>& list, std::uint32_t resource) {
    const auto at = std::find_if(list.begin(), list.end(), [resource](const Allowance& each) {
        return each.resource == resource;
    });
    return at != list.end() ? at->amount : list.emplace_back(Allowance{resource, 0}).amount;
}

}  // namespace

void move_quota(Organisations& organisations,
                TenantId lender,
                TenantId borrower,
                std::span<const Allowance> amounts) {
    for (const Allowance& lent : amounts) {
        auto& of_lender = organisations.tenants.at(lender.value).quota;
        auto& of_borrower = organisations.tenants.at(borrower.value).quota;
        std::int64_t& left = amount_in(of_lender, lent.resource);
        WEIR_ASSERT(left >= lent.amount);
        left -= lent.amount;
        amount_in(of_borrower, lent.resource) += lent.amount;
    }
}

Organisations with_loans(const Organisations& organisations,
                         std::span<const Loan> loans,
                         Time now) {
    Organisations moved = organisations;
    for (const Loan& loan : loans) {
        const auto span = availability(loan);
        if (!span || !span->holds(now)) continue;
        move_quota(moved, loan.contract.lender, loan.contract.borrower, loan.contract.amounts);
    }
    return moved;
}

}  // namespace weir::tenancy
