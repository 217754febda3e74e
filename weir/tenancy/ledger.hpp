// Ledger: who used what, and who owes whom, by double entry.
//
// Money is never made or lost here: every entry takes from one account what it gives to another, in
// whole millionths, so the sum of all balances is zero at every moment. An organisation has a few
// accounts, and so has the centre (tenant 0), which sells what nobody lends: see Book.
//
// A posting is what happened once: a piece of an attempt, a voucher that was given, a recall. It
// has a key, and a posting whose key is known changes nothing, so a report that arrives twice is
// counted once. The same key with other content is refused, and so is a piece that overlaps one
// that was already counted.
//
// Pieces never cross midnight (UTC), so sums over days, months and all other periods of the
// calendar are exact. charge.hpp cuts and prices them.
//
// A ledger lives for years, and does not keep what happened but what it comes to: balances, what
// was spent on each day, and for each month the sums that statements are made of, one Line for all
// postings that differ only in when, how much and by which attempt. A posting itself is kept until
// its month is closed; of a closed one 16 bytes stay, by which its key is known again.
//
// Threads: one at a time. Nothing here reads a clock.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/base/money.hpp"
#include "weir/base/result.hpp"
#include "weir/tenancy/budget.hpp"
#include "weir/tenancy/loan.hpp"
#include "weir/tenancy/organisations.hpp"
#include "weir/tenancy/voucher.hpp"

namespace weir::tenancy {

inline constexpr TenantId the_centre{0};

enum class Book : std::uint8_t {
    cash,          // to the centre for chips of own quota and borrowed ones
    loan_paid,     // to lenders for chips on loan
    loan_earned,   // from borrowers
    compensation,  // for recalls and broken loans, either way
    voucher,       // what is left of one voucher; the centre's is what it gave
};
std::string_view name_of(Book book);

struct Account {
    TenantId owner;
    Book book = Book::cash;
    VoucherId voucher;  // of Book::voucher

    friend auto operator<=>(const Account&, const Account&) = default;
};

struct Entry {
    Account from;
    Account to;
    std::int64_t micros = 0;  // above 0

    friend bool operator==(const Entry&, const Entry&) = default;
};

// By which right chips were used.
enum class Source : std::uint8_t { own, borrowed, loan };
std::string_view name_of(Source source);

// What one attempt used, without a change, for a while.
struct Usage {
    JobId job;
    std::uint32_t attempt = 1;
    TenantId tenant;
    std::string job_class;  // "normal", "training": as statements shall group it
    std::string chip;
    bool is_domestic = false;  // the chip, as the catalogue says
    std::uint64_t chips_milli = 0;
    Span span;
    Source source = Source::own;
    LoanId loan;                  // of Source::loan
    TenantId payee = the_centre;  // the lender of a loan
    Price price;                  // of the list for own and borrowed, of the contract for a loan

    [[nodiscard]] std::uint64_t chip_ms_milli() const;  // thousandths of a chip x milliseconds
    friend bool operator==(const Usage&, const Usage&) = default;
};

struct PostingKey {
    enum class Kind : std::uint8_t { own, borrowed, loan, voucher, early_recall, penalty };

    Kind kind = Kind::own;
    std::uint32_t number = 0;  // of the loan or the voucher
    JobId job;
    std::uint32_t attempt = 0;
    std::string chip;
    Time begins;  // of a piece

    friend auto operator<=>(const PostingKey&, const PostingKey&) = default;
};

struct Posting {
    PostingKey key;
    Time at;
    std::optional<Usage> usage;  // of a piece of an attempt
    std::vector<Entry> entries;  // none where chips cost nothing
};

// What the postings of a month come to that have all of this in common.
struct LineKey {
    PostingKey::Kind kind = PostingKey::Kind::own;
    std::uint32_t number = 0;  // of the loan or the voucher
    TenantId tenant;           // of uses: whose, and who gets what they cost
    TenantId payee;
    std::string job_class;
    std::string chip;

    [[nodiscard]] bool is_use() const { return tenant.valid(); }
    friend auto operator<=>(const LineKey&, const LineKey&) = default;
};

struct Line {
    std::uint64_t chip_ms_milli = 0;
    std::uint64_t paid_ms_milli = 0;                            // of it, what cost something
    std::map<std::pair<Account, Account>, std::int64_t> moved;  // from, to
};
using Lines = std::map<LineKey, Line>;

class Ledger {
public:
    explicit Ledger(const Organisations& organisations);

    // Others come behind those that are known, which stay as they are.
    void extend(const Organisations& organisations);

    // True if it is new, false if it was known and nothing changed. Codes: conflict (the key is
    // known with other content, or pieces overlap), too_large (see has_room). A month that is
    // closed takes what is new to it as any other; but of what it knows only the key is compared.
    Result<bool> post(Posting posting);

    // Forgets the postings of all months that ended at that time or before. No balance, line or
    // sum changes by it. Cost: where there is such a month, O(postings), closed ones as well.
    void close(Time until);

    // What post() would say of the key and content, without doing it.
    [[nodiscard]] Result<bool> is_new(const Posting& posting) const;
    // Everything ever moved stays below 4.6 * 10^12 of the currency, so no balance can overflow.
    [[nodiscard]] bool has_room(std::int64_t micros) const;

    [[nodiscard]] std::int64_t balance(const Account& account) const;  // received - given
    [[nodiscard]] const std::map<Account, std::int64_t>& balances() const { return balances_; }
    // The sum of all balances: 0, or money was made or lost.
    [[nodiscard]] std::int64_t sum() const;

    // What an organisation, with everybody below it, gave to the centre and to lenders in these
    // whole days (UTC). Vouchers and compensations are not spent.
    // Cost: O(days of the span).
    [[nodiscard]] std::int64_t spent(TenantId tenant, const Span& days) const;

    // Of the months that are not closed, in the order of posting.
    [[nodiscard]] const std::vector<Posting>& postings() const { return postings_; }
    // By the beginning of the month.
    [[nodiscard]] const std::map<Time, Lines>& months() const { return months_; }

    [[nodiscard]] const Organisations& organisations() const { return organisations_; }
    // The same organisation, or one below it.
    [[nodiscard]] bool is_within(TenantId part, TenantId whole) const;

private:
    Organisations organisations_;
    using Mark = std::array<std::uint64_t, 2>;
    [[nodiscard]] static Mark mark_of(const PostingKey& key);
    [[nodiscard]] bool is_closed(const PostingKey& key) const;

    std::vector<Posting> postings_;
    std::map<PostingKey, std::size_t> by_key_;
    Time closed_until_ = Time::min();  // the beginning of a month
    std::vector<Mark> closed_;         // postings that were forgotten, sorted
    std::map<Time, Lines> months_;
    std::map<Account, std::int64_t> balances_;
    std::map<TenantId, std::map<Time, std::int64_t>> spent_;  // by midnight, with all below
    std::int64_t moved_ = 0;                                  // all entries ever
};

}  // namespace weir::tenancy
