// A small centre for the tests of ledger and statements: a university that lends, a park of two
// small firms, and years in which anything may happen.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "weir/base/random.hpp"
#include "weir/tenancy/charge.hpp"
#include "weir/tenancy/ledger.hpp"

namespace weir::tenancy {

inline constexpr TenantId uni{1};
inline constexpr TenantId park{2};
inline constexpr TenantId startup{3};
inline constexpr TenantId vision{4};

inline Organisations a_centre() {
    Organisations all;
    all.resources = {{Resource::Kind::chips, "ascend-910b3"}};
    all.tenants = {{"", TenantId::none(), 1000, {}, {}, {}},
                   {"uni", the_centre, 1000, {{0, 24'000}}, {}, {}},
                   {"sme-park", the_centre, 1000, {}, {}, {}},
                   {"sme-park/startup", park, 1000, {}, {}, {}},
                   {"sme-park/vision-lab", park, 1000, {}, {}, {}}};
    return all;
}

inline Money yuan(std::int64_t amount) {
    return {amount * 1'000'000, {}};
}

inline Time at(std::string_view text) {
    return *parse_time(text);
}

// 4 chips for 8 yuan an hour each, from 10:00 on.
inline Usage some_use(TenantId tenant, std::uint64_t job, std::int64_t hours) {
    Usage usage;
    usage.job = JobId{job};
    usage.tenant = tenant;
    usage.job_class = "normal";
    usage.chip = "ascend-910b3";
    usage.is_domestic = true;
    usage.chips_milli = 4000;
    usage.span.begins = at("2026-12-10T10:00:00Z");
    usage.span.ends = usage.span.begins + seconds(hours * 3600);
    usage.source = Source::borrowed;
    usage.price = *parse_price("8 CNY/chip-hour");
    return usage;
}

inline Voucher a_voucher(std::int64_t amount) {
    Voucher voucher;
    voucher.tenant = park;
    voucher.amount = yuan(amount);
    voucher.valid = {at("2026-12-01"), at("2027-06-01")};
    voucher.chips.domestic = true;
    voucher.share_ppm = 300'000;
    return voucher;
}

inline std::int64_t total(const Ledger& ledger) {
    std::int64_t sum = 0;
    for (const auto& [account, balance] : ledger.balances())
        sum += balance;
    return sum;
}

// Anything that may happen, in any order: the books always balance, and what the ledger says at
// once is what adding everything up again says.
class AnyYear {
public:
    explicit AnyYear(std::uint64_t seed) : random_(seed), ledger_(a_centre()) {
        for (int i = 0; i < 3; ++i) {
            Voucher voucher = a_voucher(random_.between(1, 500));
            voucher.tenant = any_tenant();
            voucher.share_ppm = static_cast<std::uint32_t>(random_.between(1, whole_ppm));
            voucher.chips.domestic = random_.chance(0.5);
            vouchers_.push_back(voucher);
        }
        given_ = vouchers_;
    }

    void something_happens() {
        switch (random_.between(0, 4)) {
            case 0: {
                const VoucherId id{number(0, 2)};
                ASSERT_TRUE(issue(ledger_, given_, id).has_value());
                issued_.insert(id);
                return;
            }
            case 1: {
                // Its amount is another one from now on.
                const VoucherId id{number(0, 2)};
                if (!issued_.contains(id)) return;
                Voucher& voucher = vouchers_[id.value];
                const Money was = voucher.amount;
                voucher.amount = yuan(random_.between(1, 500));
                if (reissue(ledger_, id, was, voucher, any_time())) return;
                voucher.amount = was;
                return;
            }
            case 2: {
                LoanChange change;
                change.at = any_time();
                change.debt = static_cast<LoanChange::Debt>(random_.between(0, 2));
                change.payer = any_tenant();
                change.payee = any_tenant();
                change.amount = yuan(random_.between(0, 100));
                static_cast<void>(settle(ledger_, any_loan(), change).has_value());
                return;
            }
            default:
                use();
        }
    }

    void check() const {
        std::map<Account, std::int64_t> balances;
        std::map<std::uint32_t, std::int64_t> spent;  // by tenant, in December, with all below
        const Span december = period_around(Period::month, at("2026-12-01"));
        for (const Posting& posting : ledger_.postings()) {
            std::int64_t cost = 0;
            for (const Entry& entry : posting.entries) {
                balances[entry.from] -= entry.micros;
                balances[entry.to] += entry.micros;
                cost += entry.micros;
                const bool spends =
                    entry.from.book == Book::cash || entry.from.book == Book::loan_paid;
                for (std::uint32_t id = 0; id < 5 && spends && december.holds(posting.at); ++id) {
                    if (ledger_.is_within(entry.from.owner, TenantId{id}))
                        spent[id] += entry.micros;
                }
            }
            if (!posting.usage) continue;
            const Usage& usage = *posting.usage;
            ASSERT_EQ(cost,
                      cost_of(usage.price, usage.chips_milli, usage.span.ends - usage.span.begins)
                          ->micros);
            for (const Entry& entry : posting.entries) {
                if (entry.from.book != Book::voucher) continue;
                const Voucher& voucher = vouchers_[entry.from.voucher.value];
                ASSERT_LE(entry.micros, voucher.part_of(cost, cost));
                ASSERT_TRUE(voucher.valid.holds(usage.span.begins));
            }
        }
        std::int64_t sum = 0;
        for (const auto& [account, balance] : balances) {
            ASSERT_EQ(ledger_.balance(account), balance);
            if (account.book == Book::voucher && account.owner != the_centre) {
                ASSERT_GE(balance, 0);
            }
            sum += balance;
        }
        ASSERT_EQ(sum, 0);
        ASSERT_EQ(total(ledger_), 0);
        for (std::uint32_t id = 0; id < 5; ++id)
            ASSERT_EQ(ledger_.spent(TenantId{id}, december), spent[id]);
    }

    [[nodiscard]] const Ledger& ledger() const { return ledger_; }
    [[nodiscard]] std::size_t postings() const { return ledger_.postings().size(); }

private:
    std::uint32_t number(std::int64_t low, std::int64_t high) {
        return static_cast<std::uint32_t>(random_.between(low, high));
    }
    TenantId any_tenant() { return TenantId{number(1, 4)}; }
    Time any_time() { return at("2026-11-28") + seconds(random_.between(0, 40 * 86'400)); }
    Loan any_loan() {
        Loan loan{LoanId{number(0, 2)}, {}, LoanState::active, Time{}, {}};
        loan.contract.lender = uni;
        loan.contract.price = {yuan(static_cast<std::int64_t>(loan.id.value) + 3)};
        return loan;
    }

    void use() {
        if (!uses_.empty() && random_.chance(0.3)) {
            // A report that is repeated changes nothing.
            const auto before = ledger_.balances();
            const auto again =
                charge(ledger_, vouchers_, uses_[number(0, std::int64_t(uses_.size()) - 1)]);
            ASSERT_TRUE(again.has_value());
            ASSERT_EQ(again->pieces, 0U);
            ASSERT_EQ(ledger_.balances(), before);
            return;
        }
        Usage usage = some_use(any_tenant(), static_cast<std::uint64_t>(random_.between(1, 20)), 1);
        usage.span.begins = any_time();
        usage.span.ends = usage.span.begins + Duration{random_.between(1, 200'000'000)};
        usage.chips_milli = static_cast<std::uint64_t>(random_.between(1, 9000));
        usage.is_domestic = random_.chance(0.5);
        usage.source = random_.chance(0.5) ? Source::own : Source::borrowed;
        if (random_.chance(0.3)) usage = on_loan(usage, any_loan());
        const auto before = ledger_.balances();
        const std::size_t posted = ledger_.postings().size();
        if (charge(ledger_, vouchers_, usage)) {
            uses_.push_back(usage);
        } else {
            ASSERT_EQ(ledger_.balances(), before);
            ASSERT_EQ(ledger_.postings().size(), posted);
        }
    }

    Random random_;
    Ledger ledger_;
    std::vector<Voucher> vouchers_;  // as they are now
    std::vector<Voucher> given_;     // as they were given
    std::set<VoucherId> issued_;
    std::vector<Usage> uses_;
};

}  // namespace weir::tenancy
