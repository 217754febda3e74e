#include "weir/tenancy/charge.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "weir/base/assert.hpp"

namespace weir::tenancy {
namespace {

PostingKey key_of(const Usage& usage) {
    PostingKey key;
    key.kind = static_cast<PostingKey::Kind>(usage.source);
    key.number = usage.source == Source::loan ? usage.loan.value : 0;
    key.job = usage.job;
    key.attempt = usage.attempt;
    key.chip = usage.chip;
    key.begins = usage.span.begins;
    return key;
}

// Those that may pay for a piece, in the order in which they do.
std::vector<VoucherId> that_pay(const Ledger& ledger,
                                std::span<const Voucher> vouchers,
                                const Usage& piece) {
    std::vector<VoucherId> list;
    for (std::uint32_t i = 0; i < vouchers.size(); ++i) {
        const Voucher& voucher = vouchers[i];
        if (voucher.valid.holds(piece.span.begins) &&
            voucher.chips.admits(piece.chip, piece.is_domestic) &&
            ledger.is_within(piece.tenant, voucher.tenant))
            list.emplace_back(i);
    }
    std::stable_sort(list.begin(), list.end(), [&](VoucherId a, VoucherId b) {
        return vouchers[a.value].valid.ends < vouchers[b.value].valid.ends;
    });
    return list;
}

Posting posting_of(const Usage& piece) {
    return {key_of(piece), piece.span.begins, piece, {}};
}

// Who pays what of a piece; gives what vouchers paid.
std::int64_t divide(const Ledger& ledger,
                    std::span<const Voucher> vouchers,
                    std::int64_t cost,
                    Posting& posting) {
    const Usage& piece = *posting.usage;
    const bool lent = piece.source == Source::loan;
    const Account payee{piece.payee, lent ? Book::loan_earned : Book::cash, {}};
    std::int64_t open = cost;
    for (const VoucherId id : that_pay(ledger, vouchers, piece)) {
        const Voucher& voucher = vouchers[id.value];
        const Account account{voucher.tenant, Book::voucher, id};
        const std::int64_t part = std::min(open, voucher.part_of(cost, ledger.balance(account)));
        if (part == 0) continue;
        posting.entries.push_back({account, payee, part});
        open -= part;
    }
    if (open > 0) {
        const Account payer{piece.tenant, lent ? Book::loan_paid : Book::cash, {}};
        posting.entries.push_back({payer, payee, open});
    }
    return cost - open;
}

}  // namespace

Usage on_loan(Usage usage, const Loan& loan) {
    usage.source = Source::loan;
    usage.loan = loan.id;
    usage.payee = loan.contract.lender;
    usage.price = loan.contract.price;
    return usage;
}

std::vector<Usage> pieces_of(const Usage& usage) {
    WEIR_ASSERT(usage.span.begins < usage.span.ends);
    std::vector<Usage> pieces;
    for (Time begins = usage.span.begins; begins < usage.span.ends;) {
        Usage& piece = pieces.emplace_back(usage);
        piece.span.begins = begins;
        piece.span.ends = std::min(usage.span.ends, period_around(Period::day, begins).ends);
        begins = piece.span.ends;
    }
    return pieces;
}

Result<Charged> charge(Ledger& ledger, std::span<const Voucher> vouchers, const Usage& usage) {
    const auto wrong = [&usage](std::string_view why) {
        return fail(
            Code::invalid,
            fmt::format(
                "attempt {}.{} cannot be charged: {}", usage.job.value, usage.attempt, why));
    };
    if (usage.span.begins >= usage.span.ends) return wrong("it ended before it began");
    // All pieces are looked at before the first one is posted.
    struct Priced {
        Posting posting;
        std::int64_t cost;
    };
    std::vector<Priced> fresh;
    Charged charged{{0, usage.price.of_chip_hour.currency}, 0, 0};
    for (const Usage& piece : pieces_of(usage)) {
        Posting posting = posting_of(piece);
        WEIR_TRY(const bool is_new, ledger.is_new(posting));
        if (!is_new) continue;
        const auto cost =
            cost_of(piece.price, piece.chips_milli, piece.span.ends - piece.span.begins);
        if (!cost || !ledger.has_room(charged.cost.micros) ||
            !ledger.has_room(charged.cost.micros + cost->micros))
            return wrong("it costs more than the ledger can count");
        charged.cost.micros += cost->micros;
        fresh.push_back({std::move(posting), cost->micros});
    }
    for (Priced& piece : fresh) {
        charged.by_vouchers += divide(ledger, vouchers, piece.cost, piece.posting);
        ++charged.pieces;
        const auto posted = ledger.post(std::move(piece.posting));
        WEIR_ASSERT(posted.has_value() && *posted);
    }
    return charged;
}

Result<bool> issue(Ledger& ledger, std::span<const Voucher> vouchers, VoucherId id) {
    const Voucher& voucher = vouchers[id.value];
    Posting posting;
    posting.key.kind = PostingKey::Kind::voucher;
    posting.key.number = id.value;
    posting.at = voucher.valid.begins;
    posting.entries = {{{the_centre, Book::voucher, id},
                        {voucher.tenant, Book::voucher, id},
                        voucher.amount.micros}};
    return ledger.post(std::move(posting));
}

Result<bool> reissue(Ledger& ledger, VoucherId id, Money was, const Voucher& voucher, Time at) {
    const Account centre{the_centre, Book::voucher, id};
    const Account holder{voucher.tenant, Book::voucher, id};
    const std::int64_t more = voucher.amount.micros - was.micros;
    Posting posting;
    posting.key.kind = PostingKey::Kind::voucher;
    posting.key.number = id.value;
    posting.key.attempt = 1;  // not what was given first
    posting.key.begins = at;
    posting.at = at;
    if (more > 0) {
        posting.entries = {{centre, holder, more}};
    } else if (const auto back = std::min(-more, ledger.balance(holder)); back > 0) {
        posting.entries = {{holder, centre, back}};
    } else {
        return false;
    }
    return ledger.post(std::move(posting));
}

Result<bool> settle(Ledger& ledger, const Loan& loan, const LoanChange& change) {
    using Debt = LoanChange::Debt;
    if (change.debt == Debt::none || change.amount.micros == 0) return false;
    Posting posting;
    posting.key.kind =
        change.debt == Debt::penalty ? PostingKey::Kind::penalty : PostingKey::Kind::early_recall;
    posting.key.number = loan.id.value;
    posting.at = change.at;
    posting.entries = {{{change.payer, Book::compensation, {}},
                        {change.payee, Book::compensation, {}},
                        change.amount.micros}};
    return ledger.post(std::move(posting));
}

std::vector<BudgetLeft> budgets_left(const Ledger& ledger,
                                     std::span<const Budget> budgets,
                                     std::span<const Commitment> commitments,
                                     TenantId tenant,
                                     Time at) {
    std::vector<BudgetLeft> list;
    for (TenantId id = tenant; id.valid(); id = ledger.organisations().tenant(id).parent) {
        for (const Budget& budget : budgets) {
            if (budget.tenant != id) continue;
            const Span period = period_around(budget.period, at);
            std::int64_t left = budget.amount.micros - ledger.spent(id, period);
            for (const Commitment& each : commitments) {
                if (ledger.is_within(each.tenant, id)) left -= each.micros;
            }
            list.push_back({id, left, period.ends});
        }
    }
    return list;
}

Result<void> may_spend(const Ledger& ledger,
                       std::span<const Budget> budgets,
                       std::span<const Commitment> commitments,
                       TenantId tenant,
                       Time at,
                       Money cost,
                       std::optional<Money> budget_of_job) {
    if (budget_of_job && cost.micros > budget_of_job->micros) {
        return fail(Code::denied,
                    fmt::format("the job costs up to {}, and its own budget is {}",
                                format_money(cost),
                                format_money(*budget_of_job)));
    }
    for (const BudgetLeft& budget : budgets_left(ledger, budgets, commitments, tenant, at)) {
        if (cost.micros <= budget.left) continue;
        const std::string& whose = ledger.organisations().tenant(budget.tenant).path;
        const std::string until = format_time(budget.ends);
        const auto money = [&cost](std::int64_t micros) {
            return format_money({micros, cost.currency});
        };
        if (budget.left < 0) {
            return fail(Code::denied,
                        fmt::format("the job costs up to {}, and {} has already spent or set aside "
                                    "{} more than its budget until {}",
                                    money(cost.micros),
                                    whose,
                                    money(-budget.left),
                                    until));
        }
        return fail(Code::denied,
                    fmt::format("the job costs up to {}, and of the budget of {} there is {} left "
                                "until {}",
                                money(cost.micros),
                                whose,
                                money(budget.left),
                                until));
    }
    return {};
}

}  // namespace weir::tenancy
