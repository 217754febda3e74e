#include "weir/tenancy/statement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "weir/tenancy/ledger_world.hpp"

namespace weir::tenancy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// December of the park: a borrowed job with a voucher, a job on a loan of the university, a recall.
Ledger december() {
    Ledger ledger(a_centre());
    const std::vector<Voucher> vouchers{a_voucher(50)};
    EXPECT_TRUE(issue(ledger, vouchers, VoucherId{0}).has_value());
    EXPECT_TRUE(charge(ledger, vouchers, some_use(startup, 1, 5)).has_value());

    Loan loan{LoanId{0}, {}, LoanState::active, Time{}, {}};
    loan.contract.lender = uni;
    loan.contract.borrower = startup;
    loan.contract.window = {at("2026-12-01"), at("2027-03-01")};
    loan.contract.price = *parse_price("5 CNY/chip-hour");
    loan.contract.early_recall = yuan(20'000);
    Usage training = on_loan(some_use(startup, 2, 2), loan);
    training.job_class = "training";
    training.is_domestic = false;  // or the voucher would pay
    EXPECT_TRUE(charge(ledger, vouchers, training).has_value());
    const auto recalled = step(loan, LoanEvent::recall, at("2026-12-20"));
    EXPECT_TRUE(settle(ledger, recalled->loan, recalled->changes[0]).has_value());
    // Not of this month.
    Usage later = some_use(startup, 3, 5);
    later.span = {at("2027-01-01"), at("2027-01-02")};
    EXPECT_TRUE(charge(ledger, vouchers, later).has_value());
    return ledger;
}

Statement of(TenantId tenant) {
    return statement_of(december(), tenant, at("2026-12-31"), {});
}

TEST(Statement, SaysWhatEachRightCostAndWhoPaid) {
    EXPECT_EQ(statement_csv(of(park)),
              "month,organisation,what,job_class,chip,chip_seconds,lent_chip_seconds,cost,covered,"
              "paid,received,currency\n"
              "2026-12,sme-park/startup,borrowed,normal,ascend-910b3,72000.000000,0.000000,160,0,"
              "112,0,CNY\n"
              "2026-12,sme-park/startup,loan 1 from uni,training,ascend-910b3,28800.000000,"
              "0.000000,40,0,40,0,CNY\n"
              "2026-12,sme-park/startup,voucher 1,normal,ascend-910b3,0.000000,0.000000,0,48,0,0,"
              "CNY\n"
              "2026-12,sme-park/startup,recall of loan 1,,,0.000000,0.000000,0,0,0,20000,CNY\n");
    const StatementRow total = of(park).total();
    EXPECT_EQ(total.cost, total.covered + total.paid);
    EXPECT_EQ(of(park).vouchers,
              (std::vector<StatementVoucher>{
                  {VoucherId{0}, "sme-park", yuan(48).micros, yuan(2).micros}}));
    EXPECT_EQ(statement_of(december(), park, at("2027-01-01"), {}).vouchers,
              (std::vector<StatementVoucher>{{VoucherId{0}, "sme-park", yuan(2).micros, 0}}));
}

TEST(Statement, OfALenderSaysWhatWasLentAndEarned) {
    EXPECT_EQ(statement_text(of(uni)),
              "Statement of uni for 2026-12, in CNY\n"
              "\n"
              "organisation  what                        class     chip          chip-hours  cost  "
              "covered   paid  received\n"
              "uni           loan 1 to sme-park/startup  training  ascend-910b3       8.000        "
              "                      40\n"
              "uni           recall of loan 1                                                      "
              "         20000\n"
              "in all                                                                              "
              "         20000        40\n");
}

TEST(Statement, CallsALoanByItsNameWhereItHasOne) {
    const Statement named =
        statement_of(december(), park, at("2026-12-31"), {}, {{LoanId{0}, "spring"}});
    EXPECT_EQ(named.rows.at(1).what, "loan spring from uni");
    EXPECT_EQ(named.rows.at(3).what, "recall of loan spring");
    EXPECT_EQ(statement_of(december(), uni, at("2026-12-31"), {}, {{LoanId{0}, "spring"}})
                  .rows.at(0)
                  .what,
              "loan spring to sme-park/startup");
}

TEST(Statement, OfTheCentreHoldsEverybodyAndCancelsOut) {
    const Statement all = of(the_centre);
    EXPECT_EQ(all.total().paid + all.total().covered, all.total().received);
    EXPECT_THAT(statement_text(all), HasSubstr("sold to sme-park/startup"));
    EXPECT_THAT(statement_text(all, 80), HasSubstr("…"));
}

TEST(Statement, IsAPageOfItsOwnThatTrustsNoName) {
    Organisations organisations = a_centre();
    organisations.tenants[startup.value].path = "sme-park/<b>&startup";
    Ledger ledger(organisations);
    Usage usage = some_use(startup, 1, 5);
    usage.job_class = "<script>, \"x\"";
    ASSERT_TRUE(charge(ledger, {}, usage).has_value());
    const Statement statement = statement_of(ledger, startup, usage.span.begins, {});
    const std::string page = statement_html(statement);
    EXPECT_THAT(page, HasSubstr("<h1>sme-park/&lt;b&gt;&amp;startup</h1>"));
    EXPECT_THAT(page, HasSubstr("<td>&lt;script&gt;, &quot;x&quot;</td>"));
    EXPECT_THAT(page, Not(HasSubstr("<script>")));
    EXPECT_THAT(page, Not(HasSubstr("http")));
    EXPECT_THAT(page, HasSubstr("<b>20.000</b><span>chip-hours used</span>"));
    EXPECT_THAT(statement_csv(statement), HasSubstr(",\"<script>, \"\"x\"\"\","));
}

TEST(Statement, OfTheCentreSaysNothingOfWhatCostNothing) {
    Ledger ledger(a_centre());
    Usage usage = some_use(uni, 1, 5);
    usage.source = Source::own;
    usage.price = {};
    ASSERT_TRUE(charge(ledger, {}, usage).has_value());
    const Statement all = statement_of(ledger, the_centre, at("2026-12-01"), {});
    ASSERT_EQ(all.rows.size(), 1U) << "it sold nothing";
    EXPECT_EQ(all.rows[0].organisation, "uni");
}

TEST(Statement, SaysSoWhenNothingHappened) {
    const Statement quiet = statement_of(Ledger(a_centre()), park, at("2026-12-01"), {});
    EXPECT_TRUE(quiet.rows.empty());
    EXPECT_THAT(statement_text(quiet), HasSubstr("in all"));
}

TEST(Statement, AddsUpToTheChangeOfTheBalancesInEveryYear) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        AnyYear year(seed);
        for (int i = 0; i < 60; ++i)
            year.something_happens();
        const Ledger& ledger = year.ledger();
        for (const TenantId tenant : {the_centre, uni, park, startup, vision}) {
            const Span december = period_around(Period::month, at("2026-12-01"));
            std::int64_t change = 0;
            std::int64_t by_vouchers = 0;
            std::uint64_t chip_ms_milli = 0;
            for (const Posting& posting : ledger.postings()) {
                if (!december.holds(posting.at)) continue;
                for (const Entry& entry : posting.entries) {
                    const bool gives = ledger.is_within(entry.from.owner, tenant);
                    const bool voucher = entry.from.book == Book::voucher;
                    if (gives && !voucher) change -= entry.micros;
                    if (ledger.is_within(entry.to.owner, tenant) && entry.to.book != Book::voucher)
                        change += entry.micros;
                    if (voucher && posting.usage && ledger.is_within(posting.usage->tenant, tenant))
                        by_vouchers += entry.micros;
                }
                if (posting.usage && ledger.is_within(posting.usage->tenant, tenant))
                    chip_ms_milli += posting.usage->chip_ms_milli();
            }
            const StatementRow total = statement_of(ledger, tenant, december.begins, {}).total();
            ASSERT_EQ(total.received - total.paid, change) << seed;
            ASSERT_EQ(total.covered, by_vouchers) << seed;
            ASSERT_EQ(total.chip_ms_milli, chip_ms_milli) << seed;
        }
    }
}

TEST(Statement, SaysWhereTheLedgerDoesNotClose) {
    Ledger ledger(a_centre());
    ASSERT_TRUE(charge(ledger, {}, some_use(startup, 1, 5)).has_value());
    Statement statement = statement_of(ledger, park, at("2026-12-01"), {});
    EXPECT_EQ(statement.out_of_balance, 0);
    EXPECT_THAT(statement_text(statement), Not(HasSubstr("does not close")));
    statement.out_of_balance = -2'500'000;
    EXPECT_THAT(statement_text(statement),
                HasSubstr("The ledger does not close: all balances together are -2.5, not 0."));
}

}  // namespace
}  // namespace weir::tenancy
