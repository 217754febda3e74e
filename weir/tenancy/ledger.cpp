#include "weir/tenancy/ledger.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <set>

#include "weir/base/assert.hpp"

namespace weir::tenancy {
namespace {

constexpr std::int64_t moved_max = std::int64_t{1} << 62;

std::string what(const Posting& posting) {
    if (!posting.usage) return "this payment";
    return fmt::format("the use of {} by attempt {}.{} from {} on",
                       posting.usage->chip,
                       posting.usage->job.value,
                       posting.usage->attempt,
                       format_time(posting.usage->span.begins));
}

bool same_run(const PostingKey& a, const PostingKey& b) {
    return a.kind == b.kind && a.number == b.number && a.job == b.job && a.attempt == b.attempt &&
           a.chip == b.chip;
}

}  // namespace

std::string_view name_of(Book book) {
    static constexpr std::array<std::string_view, 5> names{
        "cash", "loans paid", "loans earned", "compensation", "voucher"};
    return names.at(static_cast<std::size_t>(book));
}

std::string_view name_of(Source source) {
    static constexpr std::array<std::string_view, 3> names{"own quota", "borrowed", "loan"};
    return names.at(static_cast<std::size_t>(source));
}

std::uint64_t Usage::chip_ms_milli() const {
    return chips_milli * static_cast<std::uint64_t>((span.ends - span.begins).count());
}

Ledger::Ledger(const Organisations& organisations) : organisations_(organisations) {}

Result<bool> Ledger::is_new(const Posting& posting) const {
    const auto at = by_key_.lower_bound(posting.key);
    if (at != by_key_.end() && at->first == posting.key) {
        const Posting& known = postings_[at->second];
        // What vouchers paid of a piece depends on the moment of its posting, not on the piece.
        const bool same = posting.usage
                              ? known.usage == posting.usage
                              : known.at == posting.at && known.entries == posting.entries;
        if (same) return false;
        return fail(Code::conflict,
                    fmt::format("{} is in the ledger with other content", what(posting)));
    }
    if (!posting.usage) return true;
    const bool next = at != by_key_.end() && same_run(at->first, posting.key) &&
                      at->first.begins < posting.usage->span.ends;
    const bool last = at != by_key_.begin() && same_run(std::prev(at)->first, posting.key) &&
                      postings_[std::prev(at)->second].usage->span.ends > posting.key.begins;
    if (next || last) {
        return fail(
            Code::conflict,
            fmt::format("{} overlaps a piece that is in the ledger already", what(posting)));
    }
    return true;
}

bool Ledger::has_room(std::int64_t micros) const {
    return micros <= moved_max - moved_;
}

Result<bool> Ledger::post(Posting posting) {
    WEIR_TRY(const bool fresh, is_new(posting));
    if (!fresh) return false;
    std::int64_t sum = 0;
    for (const Entry& entry : posting.entries) {
        WEIR_ASSERT(entry.micros > 0);
        if (!has_room(entry.micros) || !has_room(sum + entry.micros)) {
            return fail(
                Code::too_large,
                fmt::format("{} would move more money than the ledger can count", what(posting)));
        }
        sum += entry.micros;
    }
    moved_ += sum;
    std::set<TenantId> touched;
    if (posting.usage) touched.insert(posting.usage->tenant);
    for (const Entry& entry : posting.entries) {
        balances_[entry.from] -= entry.micros;
        balances_[entry.to] += entry.micros;
        touched.insert(entry.from.owner);
        touched.insert(entry.to.owner);
        if (entry.from.book != Book::cash && entry.from.book != Book::loan_paid) continue;
        const Time midnight = period_around(Period::day, posting.at).begins;
        for (TenantId id = entry.from.owner; id.valid(); id = organisations_.tenant(id).parent)
            spent_[id][midnight] += entry.micros;
    }
    by_key_.emplace(posting.key, postings_.size());
    for (const TenantId id : touched)
        by_tenant_[id].emplace(posting.at, postings_.size());
    postings_.push_back(std::move(posting));
    return true;
}

std::int64_t Ledger::balance(const Account& account) const {
    const auto at = balances_.find(account);
    return at == balances_.end() ? 0 : at->second;
}

std::int64_t Ledger::sum() const {
    std::int64_t sum = 0;
    for (const auto& [account, balance] : balances_)
        sum += balance;
    return sum;
}

std::int64_t Ledger::spent(TenantId tenant, const Span& days) const {
    const auto its = spent_.find(tenant);
    if (its == spent_.end()) return 0;
    std::int64_t sum = 0;
    for (auto at = its->second.lower_bound(days.begins);
         at != its->second.end() && at->first < days.ends;
         ++at)
        sum += at->second;
    return sum;
}

std::vector<const Posting*> Ledger::postings_of(TenantId tenant, const Span& span) const {
    std::vector<const Posting*> list;
    const auto its = by_tenant_.find(tenant);
    if (its == by_tenant_.end()) return list;
    const auto end = its->second.lower_bound(span.ends);
    for (auto at = its->second.lower_bound(span.begins); at != end; ++at)
        list.push_back(&postings_[at->second]);
    return list;
}

bool Ledger::is_within(TenantId part, TenantId whole) const {
    for (; part.valid(); part = organisations_.tenant(part).parent) {
        if (part == whole) return true;
    }
    return false;
}

}  // namespace weir::tenancy
