// Who pays for what runs: the ledger as it follows from the journal.
#include "weir/hub/accounts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/hub/hub_world.hpp"

namespace weir::hub {
namespace {

using testing::HasSubstr;

constexpr std::int64_t unit = 1'000'000;
const Duration hour = seconds(3600);

// Two nodes with 4 chips for 8 CNY an hour: lab owns 4 chips, shop none.
constexpr const char* two_houses = R"(
tenants:
  - {name: lab, quota: {a100: 4}}
  - name: shop
    budget: {amount: 100 CNY, period: month}
    tenants: [{name: front}]
)";

class AccountsOfAHub : public HubStory {
protected:
    AccountsOfAHub() : HubStory(small_fleet(2)) {
        world.fleet.sites[0].price["a100"] = *parse_price("8 CNY/chip-hour");
        world.options.policy.slack = Duration{};
        open_with(two_houses);
    }
    void TearDown() override {
        std::int64_t sum = 0;
        for (const auto& [account, balance] : ledger().balances())
            sum += balance;
        EXPECT_EQ(sum, 0);
        HubStory::TearDown();
    }
    Result<Accepted> submit(const std::string& name,
                            const std::string& tenant,
                            unsigned chips,
                            Duration limit = hour) {
        Submission submission = submission_of(name, 1, chips);
        submission.spec.tenant = tenant;
        submission.spec.limit = limit;
        return world.submit(submission);
    }
    const tenancy::Ledger& ledger() { return world.keeper->book().accounts().ledger(); }
    tenancy::Statement statement(const std::string& of) {
        const auto made = world.keeper->statement(of, world.now);
        EXPECT_TRUE(made) << (made ? "" : made.error().message);
        return made ? *made : tenancy::Statement{};
    }
    // In whole units of the currency; what is left over of one is an error.
    std::int64_t paid_by(const std::string& of) {
        const std::int64_t paid = statement(of).total().paid;
        EXPECT_EQ(paid % unit, 0) << paid;
        return paid / unit;
    }
    // The job's attempt has run for so long.
    void end_after(const std::string& name, Duration time) {
        const Time started_at = world.view(name).attempts.back().started_at;
        world.pass(started_at + time - world.now);
        world.end(name);
    }
};

TEST_F(AccountsOfAHub, WhatIsBorrowedCostsTheListPriceAndOwnQuotaNothing) {
    ASSERT_TRUE(submit("own", "lab", 3));
    ASSERT_TRUE(submit("more", "lab", 3));
    end_after("own", hour);
    EXPECT_EQ(paid_by("lab"), 0);
    end_after("more", hour);
    // One of its three chips is the fourth that lab owns.
    EXPECT_EQ(paid_by("lab"), 2 * 8);
    EXPECT_EQ(statement("lab").total().chip_ms_milli, std::uint64_t{6'000} * 3'600'000);
    EXPECT_EQ(statement("").total().received, 16 * unit);
}

TEST_F(AccountsOfAHub, WhoBelongsToAHouseSpendsOfItsBudgetAndAJobThatMayCostMoreIsRefused) {
    ASSERT_TRUE(submit("first", "shop/front/desk", 4, 2 * hour));
    const auto refused = submit("second", "shop", 4, 2 * hour);
    ASSERT_FALSE(refused);
    EXPECT_THAT(
        refused.error().message,
        HasSubstr("the job costs up to 64 CNY, and of the budget of shop there is 36 CNY left"));
    ASSERT_TRUE(submit("small", "shop", 4, hour));
    // What ended early costs less than it might have, and the rest may be spent again.
    end_after("first", hour);
    EXPECT_EQ(paid_by("shop"), 32);
    ASSERT_TRUE(world.cancel("small"));
    world.end("small");
    ASSERT_TRUE(submit("second", "shop", 4, hour));
}

TEST_F(AccountsOfAHub, MembersOfAnArrayAndJobsOfOneSubmissionCostTogether) {
    Submission array = submission_of("array", 1, 1);
    array.spec.tenant = "shop";
    array.spec.array = job::Array{.indices = {1, 2, 3}, .at_once_max = 0};
    Submission large = submission_of("large", 1, 4);
    large.spec.tenant = "shop";
    large.spec.limit = 3 * hour;
    const auto refused = world.submit_all({array, large});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message,
                HasSubstr("up to 96 CNY, and of the budget of shop there is "
                          "76 CNY left"));
    ASSERT_TRUE(world.submit(array));
}

TEST_F(AccountsOfAHub, AJobKeepsItsOwnBudgetAlsoWhereThereAreNoOrganisations) {
    Submission careful = submission_of("careful", 1, 4);
    careful.spec.tenant = "lab";
    careful.spec.budget = *parse_money("31 CNY");
    for (int i = 0; i < 2; ++i) {
        EXPECT_THAT(world.submit(careful).error().message,
                    HasSubstr("the job costs up to 32 CNY, and its own budget is 31 CNY"));
        Submission foreign = careful;
        foreign.spec.budget = *parse_money("500 EUR");
        EXPECT_THAT(world.submit(foreign).error().message, HasSubstr("this hub counts in CNY"));
        Submission enough = careful;
        enough.spec.limit = hour / 2;
        EXPECT_TRUE(world.submit(enough));
        world.options.tenants = {};
        open();
    }
}

TEST_F(AccountsOfAHub, OfMonthsThatAreOverKeepsTheStatementsAndNotTheDetail) {
    const Time then = world.now;
    ASSERT_TRUE(submit("old", "shop", 2));
    end_after("old", hour / 2);
    EXPECT_EQ(paid_by("shop"), 8);
    EXPECT_EQ(ledger().postings().size(), 1U);
    world.pass(seconds(std::int64_t{70} * 86'400));
    ASSERT_TRUE(submit("new", "shop", 2));
    end_after("new", hour);
    EXPECT_EQ(ledger().postings().size(), 1U) << "of the new one";
    EXPECT_EQ(paid_by("shop"), 16);
    const auto old = world.keeper->statement("shop", then);
    ASSERT_TRUE(old);
    EXPECT_EQ(old->total().paid, 8 * unit);
    EXPECT_EQ(ledger().balance({TenantId{2}, tenancy::Book::cash, {}}), -24 * unit);
    open();
    EXPECT_EQ(ledger().postings().size(), 1U)
        << "a restart follows the journal, and forgets as well";
    EXPECT_EQ(world.keeper->statement("shop", then)->total().paid, 8 * unit);
}

TEST_F(AccountsOfAHub, ARestartGivesTheSameLedger) {
    ASSERT_TRUE(submit("ends", "shop", 2));
    ASSERT_TRUE(submit("runs", "shop", 1));
    end_after("ends", hour / 2);
    EXPECT_EQ(paid_by("shop"), 8);
    open();
    EXPECT_EQ(paid_by("shop"), 8);
    EXPECT_EQ(ledger().postings().size(), 1U);
    const auto refused = submit("much", "shop", 4, 3 * hour);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("there is 84 CNY left"));
    end_after("runs", hour);
    EXPECT_EQ(paid_by("shop"), 16);
}

TEST_F(AccountsOfAHub, AVoucherPaysItsShareAndOnlyWhileItIsInTheFile) {
    const std::string voucher = std::string(two_houses) +
                                "vouchers: [{tenant: shop, amount: 20 CNY, valid: "
                                "1970-01-01..1971-01-01, share: 50%}]\n";
    open_with(voucher);
    ASSERT_TRUE(submit("half", "shop/front", 1));
    end_after("half", hour);
    EXPECT_EQ(paid_by("shop"), 4);
    open_with(two_houses);
    ASSERT_TRUE(submit("whole", "shop/front", 1));
    end_after("whole", hour);
    EXPECT_EQ(paid_by("shop"), 4 + 8);
    open_with(voucher);
    ASSERT_TRUE(submit("again", "shop/front", 1));
    end_after("again", hour);
    EXPECT_EQ(paid_by("shop"), 4 + 8 + 4);
    EXPECT_EQ(statement("shop").vouchers.at(0).left, 12 * unit) << "it is the same one";
}

TEST_F(AccountsOfAHub, WhatRunsIsCutWhereRightsChangeAndNobodyPaysTwice) {
    ASSERT_TRUE(submit("long", "lab", 4, 4 * hour));
    const Time started_at = world.view("long").attempts.back().started_at;
    world.pass(started_at + hour - world.now);
    open_with("tenants: [{name: shop}, {name: lab, quota: {a100: 1}}]");
    end_after("long", 2 * hour);
    // An hour of four own chips, then one of its own and three borrowed.
    EXPECT_EQ(paid_by("lab"), 3 * 8);
    EXPECT_EQ(statement("lab").total().chip_ms_milli, std::uint64_t{8'000} * 3'600'000);
    // An organisation that is gone keeps its ledger.
    open_with("tenants: [{name: other}]");
    EXPECT_EQ(paid_by("lab"), 3 * 8);
    EXPECT_THAT(world.keeper->statement("lob", world.now).error().message,
                HasSubstr("did you mean lab?"));
}

TEST_F(AccountsOfAHub, NobodyPaysForWhatWasNeverStartedNorBeyondTheLimitOfWhatGotLost) {
    ASSERT_TRUE(submit("lost", "shop", 1));
    const exec::AttemptId id = world.alive("lost");
    world.pass(5 * hour);
    world.report(world.executor.lose(id, world.now));
    EXPECT_EQ(paid_by("shop"), 8);
    world.executor.refuse_starts = Error{Code::invalid, "no such folder"};
    ASSERT_TRUE(submit("never", "shop", 1));
    EXPECT_EQ(world.state("never"), "failed");
    EXPECT_EQ(paid_by("shop"), 8);
}

TEST_F(AccountsOfAHub, OneHubHasOneCurrency) {
    world.fleet.sites[0].price["a100"] = *parse_price("1 EUR/chip-hour");
    const auto mixed = world.open();
    ASSERT_FALSE(mixed);
    EXPECT_THAT(mixed.error().message,
                HasSubstr("the price of a100 at local is in EUR, and other "
                          "amounts are in CNY"));
    world.fleet.sites[0].price["a100"] = *parse_price("8 CNY/chip-hour");
    open();
    ASSERT_TRUE(submit("a", "shop", 1));
    end_after("a", hour);
    world.fleet.sites[0].price["a100"] = *parse_price("1 EUR/chip-hour");
    world.options.tenants = tenancy::read_organisations_text("tenants: [{name: lab}]", "t")->file;
    EXPECT_THAT(world.open().error().message, HasSubstr("the ledger of this hub is in CNY"));
    world.options.tenants = {};
    EXPECT_THAT(world.open().error().message, HasSubstr("the ledger of this hub is in CNY"));
    world.fleet.sites[0].price["a100"] = *parse_price("8 CNY/chip-hour");
    open();
}

TEST_F(AccountsOfAHub, WhatRunsOnALoanIsPaidToTheLenderAtItsPriceUntilItEndsAndARecallCosts) {
    OfferLoan offer;
    offer.terms = {.name = "spring",
                   .lender = "lab",
                   .borrower = "shop",
                   .amounts = {},
                   .window = {world.now, world.now + 100 * hour},
                   .notice = hour,
                   .price = *parse_price("5 CNY/chip-hour"),
                   .early_recall = *parse_money("20 CNY"),
                   .penalty = *parse_money("0 CNY")};
    offer.chips = {{"a100", "3"}};
    ASSERT_TRUE(world.operate(offer));
    ASSERT_TRUE(world.operate(MoveLoan{"spring", tenancy::LoanEvent::accept}));
    ASSERT_TRUE(submit("guest", "shop/front", 4, 3 * hour));
    const Time started = world.now;
    world.pass(hour - Duration{1});
    ASSERT_TRUE(world.operate(MoveLoan{"spring", tenancy::LoanEvent::recall}));
    EXPECT_EQ(world.now, started + hour);
    world.pass(hour - Duration{1});
    world.housekeep();
    end_after("guest", 3 * hour);
    // Three chips on the loan for two hours and one borrowed; then, for an hour, four borrowed.
    EXPECT_EQ(paid_by("shop"), 3 * 2 * 5 + 1 * 2 * 8 + 4 * 8);
    const TenantId lab = ledger().organisations().find("lab");
    EXPECT_EQ(ledger().balance({lab, tenancy::Book::loan_earned, {}}), 30 * unit);
    EXPECT_EQ(ledger().balance({lab, tenancy::Book::compensation, {}}), -20 * unit);
    EXPECT_EQ(statement("lab").total().received, 30 * unit);
    EXPECT_EQ(statement("lab").rows.at(0).what, "loan spring to shop/front");
    EXPECT_EQ(statement("lab").rows.at(1).what, "recall of loan spring");
}

TEST_F(AccountsOfAHub, WhoIsStoppedForAnOwnerPaysForThatTimeAndStartsAgainOnlyWithinItsBudget) {
    world.options.policy.min_run = Duration{};
    open();
    for (const char* const budget : {"40 CNY", "49 CNY"}) {
        Submission submission = submission_of("guest", 1, 4);
        submission.spec.tenant = "shop";
        submission.spec.budget = *parse_money(budget);
        ASSERT_TRUE(world.submit(submission));
        ASSERT_TRUE(submit("full", "lab", 4));
        world.pass(hour / 2);
        // Now all eight chips are lab's.
        open_with("tenants: [{name: lab, quota: {a100: 8}}, {name: shop}]");
        ASSERT_TRUE(submit("own", "lab", 4));
        ASSERT_EQ(world.state("guest"), "stopping");
        world.end("guest");
        if (std::string(budget) == "40 CNY") {
            EXPECT_EQ(world.state("guest"), "cancelled");
            EXPECT_THAT(world.view("guest").reason,
                        HasSubstr("no further attempt: another attempt may cost up to 32 CNY, and "
                                  "its attempts have cost 16"));
            EXPECT_THAT(world.view("guest").reason, HasSubstr("CNY of its own budget of 40 CNY"));
        } else {
            EXPECT_EQ(world.state("guest"), "pending");
            ASSERT_TRUE(world.cancel("guest"));
        }
        for (const char* const name : {"full", "own"})
            world.end(name);
        open_with(two_houses);
    }
}

TEST_F(AccountsOfAHub, ABudgetIsNoLimitForWhatNeverBorrows) {
    open_with(
        "tenants: [{name: lab, quota: {a100: 4}, borrow: {a100: 0}, budget: {amount: 1 CNY, "
        "period: month}}, {name: shop, quota: {a100: 2}, borrow: {a100: 1}, budget: {amount: 15 "
        "CNY, period: month}}]");
    EXPECT_TRUE(submit("own", "lab", 4));
    EXPECT_TRUE(submit("partly", "shop", 3)) << "at most one of the three is borrowed";
    EXPECT_THAT(submit("more", "shop", 3).error().message, HasSubstr("costs up to 8 CNY"));
}

TEST_F(AccountsOfAHub, AnotherAmountOfAVoucherDoesNotGiveBackWhatItPaid) {
    const auto voucher = [](const std::string& amount) {
        return std::string(two_houses) + "vouchers: [{tenant: shop, amount: " + amount +
               ", valid: 1970-01-01..1971-01-01}]\n";
    };
    open_with(voucher("20 CNY"));
    ASSERT_TRUE(submit("a", "shop", 1));
    end_after("a", hour);
    const auto left = [this] {
        const auto vouchers = statement("shop").vouchers;
        EXPECT_EQ(vouchers.size(), 1U);
        return vouchers.empty() ? -1 : vouchers[0].left / unit;
    };
    EXPECT_EQ(left(), 12);
    open_with(voucher("30 CNY"));
    EXPECT_EQ(left(), 22);
    open();
    EXPECT_EQ(left(), 22);
    world.pass(seconds(60));
    open_with(voucher("2 CNY"));
    EXPECT_EQ(left(), 0);
    ASSERT_TRUE(submit("b", "shop", 1));
    end_after("b", hour);
    EXPECT_EQ(paid_by("shop"), 8);
}

// The journal says which chips are domestic: what the catalogue says later changes no statement.
TEST_F(AccountsOfAHub, APastStatementDoesNotChangeWithTheCatalogue) {
    const auto catalog_where = [](bool domestic) {
        catalog::ChipRecord record{.name = "a100"};
        record.domestic = domestic;
        auto catalog = std::make_shared<catalog::Catalog>();
        EXPECT_TRUE(catalog->add({record}, "test"));
        return catalog;
    };
    const std::string voucher = std::string(two_houses) +
                                "vouchers: [{tenant: shop, amount: 20 CNY, valid: "
                                "1970-01-01..1971-01-01, chips: domestic}]\n";
    world.options.catalog = catalog_where(true);
    open_with(voucher);
    ASSERT_TRUE(submit("first", "shop", 1));
    end_after("first", hour);
    EXPECT_EQ(paid_by("shop"), 0) << "the voucher paid it";
    world.options.catalog = catalog_where(false);
    open();
    EXPECT_EQ(paid_by("shop"), 0);
    ASSERT_TRUE(submit("second", "shop", 1));
    end_after("second", hour);
    EXPECT_EQ(paid_by("shop"), 8) << "from now on it is not domestic";
}

TEST_F(AccountsOfAHub, AJobIsNotHeldToThePriceOfChipsThatItsOrganisationCanNeverHave) {
    fleet::Pool dear = world.fleet.pools[0];
    dear.name = "dear";
    dear.chip = "h100";
    world.fleet.pools.push_back(dear);
    world.fleet.sites[0].price["h100"] = *parse_price("30 CNY/chip-hour");
    open_with(R"(
tenants:
  - {name: lab, quota: {a100: 8, h100: 8}}
  - {name: shop, borrow: {a100: 8, h100: 4}, budget: {amount: 100 CNY, period: month}}
)");
    Submission submission = submission_of("either", 2, 4);
    submission.spec.tenant = "shop";
    submission.spec.chips_any_of = {"a100", "h100"};
    const auto accepted = world.submit(submission);
    EXPECT_TRUE(accepted) << "8 a100 for an hour are 64 CNY, and 8 h100 it may never have";
}

}  // namespace
}  // namespace weir::hub
