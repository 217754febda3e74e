#include "weir/tenancy/ledger.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "weir/base/assert.hpp"
#include "weir/base/digest.hpp"

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

void Ledger::extend(const Organisations& organisations) {
    const std::vector<Tenant>& known = organisations_.tenants;
    WEIR_ASSERT(organisations.tenants.size() >= known.size());
    for (std::size_t i = 0; i < known.size(); ++i)
        WEIR_ASSERT(organisations.tenants[i].parent == known[i].parent);
    organisations_ = organisations;
}

Ledger::Mark Ledger::mark_of(const PostingKey& key) {
    Mark mark{};
    for (std::size_t half = 0; half < mark.size(); ++half) {
        Digest digest;
        digest.add(std::uint64_t{half});  // so that both halves mix the words differently
        digest.add(std::uint64_t{key.number} << 8 | static_cast<std::uint64_t>(key.kind));
        digest.add(key.job.value);
        digest.add(key.attempt);
        digest.add(key.begins.time_since_epoch().count());
        digest.add(key.chip);
        mark[half] = digest.value();
    }
    return mark;
}

bool Ledger::is_closed(const PostingKey& key) const {
    return std::binary_search(closed_.begin(), closed_.end(), mark_of(key));
}

void Ledger::close(Time until) {
    const Time month = period_around(Period::month, until).begins;
    if (month <= closed_until_) return;
    closed_until_ = month;
    std::vector<Posting> open;
    const auto sorted = static_cast<std::ptrdiff_t>(closed_.size());
    for (Posting& posting : postings_) {
        if (posting.at < month) {
            closed_.push_back(mark_of(posting.key));
        } else {
            open.push_back(std::move(posting));
        }
    }
    std::sort(closed_.begin() + sorted, closed_.end());
    std::inplace_merge(closed_.begin(), closed_.begin() + sorted, closed_.end());
    closed_.shrink_to_fit();
    postings_ = std::move(open);
    by_key_.clear();
    for (std::size_t i = 0; i < postings_.size(); ++i)
        by_key_.emplace(postings_[i].key, i);
}

Result<bool> Ledger::is_new(const Posting& posting) const {
    if (posting.at < closed_until_ && is_closed(posting.key)) return false;
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
    LineKey key;
    key.kind = posting.key.kind;
    key.number = posting.key.number;
    if (posting.usage) {
        key.tenant = posting.usage->tenant;
        key.payee = posting.usage->payee;
        key.job_class = posting.usage->job_class;
        key.chip = posting.usage->chip;
    }
    Line& line = months_[period_around(Period::month, posting.at).begins][std::move(key)];
    if (posting.usage) {
        line.chip_ms_milli += posting.usage->chip_ms_milli();
        if (!posting.entries.empty()) line.paid_ms_milli += posting.usage->chip_ms_milli();
    }
    for (const Entry& entry : posting.entries) {
        balances_[entry.from] -= entry.micros;
        balances_[entry.to] += entry.micros;
        line.moved[{entry.from, entry.to}] += entry.micros;
        if (entry.from.book != Book::cash && entry.from.book != Book::loan_paid) continue;
        const Time midnight = period_around(Period::day, posting.at).begins;
        for (TenantId id = entry.from.owner; id.valid(); id = organisations_.tenant(id).parent)
            spent_[id][midnight] += entry.micros;
    }
    by_key_.emplace(posting.key, postings_.size());
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

bool Ledger::is_within(TenantId part, TenantId whole) const {
    for (; part.valid(); part = organisations_.tenant(part).parent) {
        if (part == whole) return true;
    }
    return false;
}

}  // namespace weir::tenancy
