#include "weir/tenancy/ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/base/random.hpp"
#include "weir/tenancy/charge.hpp"

namespace weir::tenancy {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr TenantId uni{1};
constexpr TenantId park{2};
constexpr TenantId startup{3};
constexpr TenantId vision{4};

Organisations a_centre() {
    Organisations all;
    all.resources = {{Resource::Kind::chips, "ascend-910b3"}};
    all.tenants = {{"", TenantId::none(), 1000, {}, {}, {}},
                   {"uni", the_centre, 1000, {{0, 24'000}}, {}, {}},
                   {"sme-park", the_centre, 1000, {}, {}, {}},
                   {"sme-park/startup", park, 1000, {}, {}, {}},
                   {"sme-park/vision-lab", park, 1000, {}, {}, {}}};
    return all;
}

Money yuan(std::int64_t amount) {
    return {amount * 1'000'000, {}};
}

Time at(std::string_view text) {
    return *parse_time(text);
}

// 4 chips for 8 yuan an hour each, from 10:00 on.
Usage some_use(TenantId tenant, std::uint64_t job, std::int64_t hours) {
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

Voucher a_voucher(std::int64_t amount) {
    Voucher voucher;
    voucher.tenant = park;
    voucher.amount = yuan(amount);
    voucher.valid = {at("2026-12-01"), at("2027-06-01")};
    voucher.chips.domestic = true;
    voucher.share_ppm = 300'000;
    return voucher;
}

std::int64_t cash(const Ledger& ledger, TenantId tenant) {
    return ledger.balance({tenant, Book::cash, {}});
}

std::int64_t total(const Ledger& ledger) {
    std::int64_t sum = 0;
    for (const auto& [account, balance] : ledger.balances())
        sum += balance;
    return sum;
}

TEST(Ledger, TakesFromOneWhatItGivesToAnother) {
    Ledger ledger(a_centre());
    const auto charged = charge(ledger, {}, some_use(startup, 1, 5));
    ASSERT_TRUE(charged.has_value());
    EXPECT_EQ(charged->cost, yuan(160));
    EXPECT_EQ(cash(ledger, startup), -yuan(160).micros);
    EXPECT_EQ(cash(ledger, the_centre), yuan(160).micros);
    EXPECT_EQ(total(ledger), 0);
}

TEST(Ledger, CountsAReportThatArrivesTwiceOnce) {
    Ledger ledger(a_centre());
    ASSERT_TRUE(charge(ledger, {}, some_use(startup, 1, 30)).has_value());
    const auto again = charge(ledger, {}, some_use(startup, 1, 30));
    EXPECT_EQ(again->pieces, 0U);
    EXPECT_EQ(again->cost, yuan(0));
    EXPECT_EQ(cash(ledger, startup), -yuan(960).micros);
    // Another attempt of the same job is another matter.
    Usage retry = some_use(startup, 1, 30);
    retry.attempt = 2;
    EXPECT_EQ(charge(ledger, {}, retry)->pieces, 2U);
}

TEST(Ledger, RefusesTheSameUseWithOtherContentAndChangesNothing) {
    Ledger ledger(a_centre());
    ASSERT_TRUE(charge(ledger, {}, some_use(startup, 1, 5)).has_value());
    const auto longer = charge(ledger, {}, some_use(startup, 1, 30));
    ASSERT_FALSE(longer.has_value());
    EXPECT_EQ(longer.error().code, Code::conflict);
    EXPECT_EQ(
        longer.error().message,
        "the use of ascend-910b3 by attempt 1.1 from 2026-12-10T10:00:00Z on is in the ledger "
        "with other content");
    Usage shifted = some_use(startup, 1, 5);
    shifted.span.begins += seconds(60);
    EXPECT_THAT(charge(ledger, {}, shifted).error().message, HasSubstr("overlaps a piece"));
    shifted.span = {some_use(startup, 1, 5).span.begins - seconds(60),
                    some_use(startup, 1, 5).span.begins + seconds(1)};
    EXPECT_THAT(charge(ledger, {}, shifted).error().message, HasSubstr("overlaps a piece"));
    shifted.span.ends = some_use(startup, 1, 5).span.begins;
    EXPECT_TRUE(charge(ledger, {}, shifted).has_value());
    EXPECT_EQ(ledger.postings().size(), 2U);
}

TEST(Ledger, CutsAUseAtMidnightSoThatPeriodsAreExact) {
    Ledger ledger(a_centre());
    Usage usage = some_use(startup, 1, 48);
    usage.span = {at("2026-12-30T22:00:00Z"), at("2027-01-01T01:00:00Z")};
    EXPECT_EQ(charge(ledger, {}, usage)->pieces, 3U);
    const auto spent = [&](Period period, std::string_view when) {
        return ledger.spent(startup, period_around(period, at(when))) / 1'000'000;
    };
    EXPECT_EQ(spent(Period::day, "2026-12-30"), 2 * 32);
    EXPECT_EQ(spent(Period::month, "2026-12-30"), 26 * 32);
    EXPECT_EQ(spent(Period::year, "2027-01-01"), 1 * 32);
    EXPECT_EQ(spent(Period::week, "2026-12-30"), 27 * 32);
    EXPECT_EQ(ledger.postings_of(startup, period_around(Period::month, at("2026-12-30"))).size(),
              2U);
}

TEST(Ledger, CountsOwnQuotaWithoutAPriceToo) {
    Ledger ledger(a_centre());
    Usage usage = some_use(uni, 1, 5);
    usage.source = Source::own;
    usage.price = {};
    EXPECT_EQ(charge(ledger, {}, usage)->pieces, 1U);
    EXPECT_THAT(ledger.balances(), IsEmpty());
    ASSERT_EQ(ledger.postings_of(uni, usage.span).size(), 1U);
    EXPECT_EQ(ledger.postings_of(uni, usage.span)[0]->usage->chip_ms_milli(),
              std::uint64_t{4000} * 5 * 3'600'000);
}

TEST(Ledger, PaysTheLenderOfALoanAtThePriceOfItsContract) {
    Ledger ledger(a_centre());
    Loan loan{LoanId{7}, {}, LoanState::active, Time{}, {}};
    loan.contract.lender = uni;
    loan.contract.borrower = startup;
    loan.contract.price = *parse_price("5 CNY/chip-hour");
    ASSERT_TRUE(charge(ledger, {}, on_loan(some_use(startup, 1, 5), loan)).has_value());
    EXPECT_EQ(ledger.balance({startup, Book::loan_paid, {}}), -yuan(100).micros);
    EXPECT_EQ(ledger.balance({uni, Book::loan_earned, {}}), yuan(100).micros);
    EXPECT_EQ(cash(ledger, the_centre), 0);
    EXPECT_EQ(ledger.spent(park, some_use(startup, 1, 24).span), 0) << "not a whole day";
    EXPECT_EQ(ledger.spent(park, period_around(Period::day, at("2026-12-10"))), yuan(100).micros);
}

TEST(Ledger, PaysForARecallOnce) {
    Ledger ledger(a_centre());
    Loan loan{LoanId{0}, {}, LoanState::active, Time{}, {}};
    loan.contract.lender = uni;
    loan.contract.borrower = startup;
    loan.contract.window = {at("2026-12-01"), at("2027-03-01")};
    loan.contract.early_recall = yuan(20'000);
    loan.contract.notice = seconds(7200);
    const auto next = step(loan, LoanEvent::recall, at("2027-01-15"));
    ASSERT_TRUE(next.has_value());
    EXPECT_TRUE(*settle(ledger, next->loan, next->changes[0]));
    EXPECT_FALSE(*settle(ledger, next->loan, next->changes[0]));
    EXPECT_EQ(ledger.balance({uni, Book::compensation, {}}), -yuan(20'000).micros);
    EXPECT_EQ(ledger.balance({startup, Book::compensation, {}}), yuan(20'000).micros);
}

TEST(Ledger, LetsAVoucherPayItsShareAndNothingElse) {
    const std::vector<Voucher> vouchers{a_voucher(50)};
    Ledger ledger(a_centre());
    // Nothing before it was given.
    EXPECT_EQ(charge(ledger, vouchers, some_use(startup, 1, 5))->by_vouchers, 0);
    EXPECT_TRUE(*issue(ledger, vouchers, VoucherId{0}));
    EXPECT_FALSE(*issue(ledger, vouchers, VoucherId{0}));
    const auto pays = [&](Usage usage) {
        return charge(ledger, vouchers, usage)->by_vouchers / 1'000'000;
    };
    EXPECT_EQ(pays(some_use(uni, 2, 5)), 0) << "not of its house";
    Usage usage = some_use(startup, 3, 5);
    usage.is_domestic = false;
    EXPECT_EQ(pays(usage), 0) << "not a chip that it admits";
    usage = some_use(startup, 4, 5);
    usage.span = {at("2026-11-30T19:00:00Z"), at("2026-12-01T01:00:00Z")};
    EXPECT_EQ(pays(usage), 9) << "30 % of the one hour in which it is valid";
    EXPECT_EQ(pays(some_use(vision, 5, 4)), 38) << "30 % of 128";
    EXPECT_EQ(pays(some_use(startup, 6, 5)), 2) << "what is left";
    EXPECT_EQ(ledger.balance({park, Book::voucher, VoucherId{0}}), 0);
    EXPECT_EQ(ledger.balance({the_centre, Book::voucher, VoucherId{0}}), -yuan(50).micros);
    EXPECT_EQ(total(ledger), 0);
}

TEST(Ledger, SpendsVouchersThatEndEarlierFirstAndNeverMoreThanTheBill) {
    std::vector<Voucher> vouchers{a_voucher(1000), a_voucher(1000)};
    vouchers[0].share_ppm = 800'000;
    vouchers[1].share_ppm = 800'000;
    vouchers[1].valid.ends = at("2027-01-01");
    Ledger ledger(a_centre());
    ASSERT_TRUE(issue(ledger, vouchers, VoucherId{0}).has_value());
    ASSERT_TRUE(issue(ledger, vouchers, VoucherId{1}).has_value());
    EXPECT_EQ(charge(ledger, vouchers, some_use(startup, 1, 5))->by_vouchers, yuan(160).micros);
    EXPECT_EQ(ledger.balance({park, Book::voucher, VoucherId{1}}), yuan(1000 - 128).micros);
    EXPECT_EQ(ledger.balance({park, Book::voucher, VoucherId{0}}), yuan(1000 - 32).micros);
    EXPECT_EQ(cash(ledger, startup), 0);
}

TEST(Ledger, RefusesWhatItCannotCount) {
    Ledger ledger(a_centre());
    Usage usage = some_use(startup, 1, 5);
    usage.span.ends = usage.span.begins;
    EXPECT_THAT(charge(ledger, {}, usage).error().message, HasSubstr("ended before it began"));
    usage = some_use(startup, 1, 24 * 365);
    usage.chips_milli = 1'000'000'000;
    usage.price = *parse_price("1000000000 CNY/chip-hour");
    EXPECT_THAT(charge(ledger, {}, usage).error().message, HasSubstr("than the ledger can count"));
    EXPECT_THAT(ledger.postings(), IsEmpty());
}

TEST(Budgets, AreFullAgainWithEveryPeriodOfTheCalendar) {
    using P = Period;
    const auto around = [](P period, std::string_view when) {
        const Span span = period_around(period, at(when));
        return format_time(span.begins).substr(0, 10) + " " + format_time(span.ends).substr(0, 10);
    };
    EXPECT_EQ(around(P::day, "2028-02-29T23:59:59Z"), "2028-02-29 2028-03-01");
    EXPECT_EQ(around(P::week, "2026-11-26"), "2026-11-23 2026-11-30");
    EXPECT_EQ(around(P::week, "2026-11-23"), "2026-11-23 2026-11-30");
    EXPECT_EQ(around(P::week, "2026-11-29T23:59:59Z"), "2026-11-23 2026-11-30");
    EXPECT_EQ(around(P::month, "2026-12-31"), "2026-12-01 2027-01-01");
    EXPECT_EQ(around(P::quarter, "2026-11-26"), "2026-10-01 2027-01-01");
    EXPECT_EQ(around(P::quarter, "2026-04-01"), "2026-04-01 2026-07-01");
    EXPECT_EQ(around(P::year, "2026-11-26"), "2026-01-01 2027-01-01");
    EXPECT_EQ(around(P::month, "1969-12-31"), "1969-12-01 1970-01-01");
    for (const P period : {P::day, P::week, P::month, P::quarter, P::year})
        EXPECT_EQ(period_from_name(name_of(period)), period);
    EXPECT_EQ(period_from_name("decade"), std::nullopt);
}

TEST(Budgets, OfAllHousesAboveAllowAJobTogether) {
    Ledger ledger(a_centre());
    const std::vector<Budget> budgets{{startup, yuan(200), Period::day},
                                      {park, yuan(1000), Period::month}};
    ASSERT_TRUE(charge(ledger, {}, some_use(startup, 1, 5)).has_value());
    ASSERT_TRUE(charge(ledger, {}, some_use(vision, 2, 13)).has_value());
    const Time now = at("2026-12-10T20:00:00Z");
    const auto left = budgets_left(ledger, budgets, {}, startup, now);
    ASSERT_EQ(left.size(), 2U);
    EXPECT_EQ(left[0].left, yuan(200 - 160).micros);
    EXPECT_EQ(left[0].ends, at("2026-12-11"));
    EXPECT_EQ(left[1].left, yuan(1000 - 160 - 416).micros);
    EXPECT_TRUE(may_spend(ledger, budgets, {}, startup, now, yuan(40)).has_value());
    const auto refused = may_spend(ledger, budgets, {}, startup, now, yuan(41));
    EXPECT_EQ(refused.error().code, Code::denied);
    EXPECT_EQ(refused.error().message,
              "the job costs up to 41 CNY, and of the budget of sme-park/startup there is 40 CNY "
              "left until 2026-12-11T00:00:00Z");
    // Tomorrow the day is full again, and the month is not.
    const Time tomorrow = at("2026-12-11T08:00:00Z");
    EXPECT_TRUE(may_spend(ledger, budgets, {}, startup, tomorrow, yuan(200)).has_value());
    EXPECT_THAT(may_spend(ledger, budgets, {}, vision, tomorrow, yuan(425)).error().message,
                HasSubstr("of the budget of sme-park there is 424 CNY left"));
    // Jobs that were accepted and have not been paid for are on their way.
    const std::vector<Commitment> running{{vision, yuan(400).micros}};
    EXPECT_FALSE(may_spend(ledger, budgets, running, startup, tomorrow, yuan(25)).has_value());
    EXPECT_TRUE(may_spend(ledger, budgets, running, startup, tomorrow, yuan(24)).has_value());
    EXPECT_EQ(may_spend(ledger, {}, {}, startup, now, yuan(41), yuan(40)).error().message,
              "the job costs up to 41 CNY, and its own budget is 40 CNY");
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
    }

    void something_happens() {
        switch (random_.between(0, 3)) {
            case 0:
                ASSERT_TRUE(issue(ledger_, vouchers_, VoucherId{number(0, 2)}).has_value());
                return;
            case 1: {
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
    std::vector<Voucher> vouchers_;
    std::vector<Usage> uses_;
};

TEST(Ledger, BalancesWhateverHappens) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE(seed);
        AnyYear year(seed);
        for (int i = 0; i < 60; ++i) {
            year.something_happens();
            year.check();
            if (HasFailure()) return;
        }
        EXPECT_GT(year.postings(), 30U);
    }
}

}  // namespace
}  // namespace weir::tenancy
