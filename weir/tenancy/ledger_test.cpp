#include "weir/tenancy/ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/tenancy/charge.hpp"
#include "weir/tenancy/ledger_world.hpp"
#include "weir/tenancy/statement.hpp"

namespace weir::tenancy {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::int64_t cash(const Ledger& ledger, TenantId tenant) {
    return ledger.balance({tenant, Book::cash, {}});
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
    ASSERT_EQ(ledger.months().size(), 2U);
    EXPECT_EQ(ledger.months().at(at("2026-12-01")).begin()->second.chip_ms_milli,
              std::uint64_t{4000} * 26 * 3'600'000);
}

TEST(Ledger, CountsOwnQuotaWithoutAPriceToo) {
    Ledger ledger(a_centre());
    Usage usage = some_use(uni, 1, 5);
    usage.source = Source::own;
    usage.price = {};
    EXPECT_EQ(charge(ledger, {}, usage)->pieces, 1U);
    EXPECT_THAT(ledger.balances(), IsEmpty());
    ASSERT_EQ(ledger.postings().size(), 1U);
    EXPECT_EQ(ledger.postings()[0].usage->chip_ms_milli(), std::uint64_t{4000} * 5 * 3'600'000);
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

TEST(Ledger, KnowsWhatHappenedInAClosedMonthAndTakesWhatComesLate) {
    Ledger ledger(a_centre());
    Usage usage = some_use(startup, 1, 48);
    usage.span = {at("2026-12-30T22:00:00Z"), at("2027-01-01T01:00:00Z")};
    ASSERT_TRUE(charge(ledger, {}, usage).has_value());
    ledger.close(at("2027-01-31T23:00:00Z"));
    EXPECT_EQ(ledger.postings().size(), 1U) << "of January";
    EXPECT_EQ(charge(ledger, {}, usage)->pieces, 0U) << "it is counted once";
    EXPECT_EQ(cash(ledger, startup), -yuan(27 * 32).micros);
    // Who ran on and on is charged at the end, for December too.
    usage.job = JobId{2};
    EXPECT_EQ(charge(ledger, {}, usage)->pieces, 3U);
    EXPECT_EQ(charge(ledger, {}, usage)->pieces, 0U);
    ledger.close(at("2027-02-01"));
    EXPECT_EQ(charge(ledger, {}, usage)->pieces, 0U);
    EXPECT_THAT(ledger.postings(), IsEmpty());
    EXPECT_EQ(ledger.spent(park, period_around(Period::month, at("2026-12-30"))),
              2 * yuan(26 * 32).micros);
    EXPECT_EQ(total(ledger), 0);
    // And another attempt is new, in whatever month.
    usage.attempt = 2;
    EXPECT_EQ(charge(ledger, {}, usage)->pieces, 3U);
}

TEST(Ledger, OfClosedMonthsHasTheSameBalancesLinesAndSums) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SCOPED_TRACE(seed);
        AnyYear year(seed);
        for (int i = 0; i < 60; ++i)
            year.something_happens();
        const Ledger& a = year.ledger();
        Ledger b(a_centre());
        std::size_t posted = 0;
        for (const Posting& posting : a.postings()) {
            ASSERT_TRUE(*b.post(posting));
            if (++posted % 7 == 0) b.close(at("2026-12-01"));
            if (posted % 20 == 0) b.close(at("2027-01-01"));
            EXPECT_FALSE(*b.post(posting)) << "it is counted once";
        }
        EXPECT_LT(b.postings().size(), a.postings().size());
        EXPECT_EQ(a.balances(), b.balances());
        ASSERT_EQ(a.months().size(), b.months().size());
        for (const auto& [month, lines] : a.months()) {
            const Lines& others = b.months().at(month);
            ASSERT_EQ(lines.size(), others.size());
            for (const auto& [key, line] : lines) {
                EXPECT_EQ(others.at(key).chip_ms_milli, line.chip_ms_milli);
                EXPECT_EQ(others.at(key).paid_ms_milli, line.paid_ms_milli);
                EXPECT_EQ(others.at(key).moved, line.moved);
            }
            for (const TenantId tenant : {the_centre, uni, park, startup, vision}) {
                EXPECT_EQ(statement_csv(statement_of(a, tenant, month, {})),
                          statement_csv(statement_of(b, tenant, month, {})));
                EXPECT_EQ(a.spent(tenant, period_around(Period::month, month)),
                          b.spent(tenant, period_around(Period::month, month)));
            }
        }
    }
}

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
