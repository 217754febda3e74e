// Organisations of a hub: who may submit, who gives way, and what another tenants file leaves.
#include "weir/hub/houses.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/base/random.hpp"
#include "weir/hub/hub_world.hpp"

namespace weir::hub {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

// Two nodes with 4 chips each: lab owns one of them, shop half of the other, and the centre the
// rest.
constexpr const char* two_houses = R"(
tenants:
  - {name: lab, quota: {a100: 4}}
  - {name: shop, quota: {a100: 2}, tenants: [{name: front, borrow: {a100: 2}}]}
)";

class Houses : public HubStory {
protected:
    Houses() : HubStory(small_fleet(2)) {
        set_tenants(two_houses);
        world.options.policy.slack = Duration{};
    }
    Result<Accepted> submit(const std::string& name, const std::string& tenant, unsigned chips) {
        Submission submission = submission_of(name, 1, chips);
        submission.spec.tenant = tenant;
        return world.submit(submission);
    }
    std::string refusal(const std::string& tenant, unsigned chips) {
        const auto answer = submit("refused", tenant, chips);
        EXPECT_FALSE(answer);
        return answer ? "" : answer.error().message;
    }
    // Offered by its lender, and accepted.
    void agree(const LoanTerms& terms, const char* amount) {
        ASSERT_TRUE(world.operate(OfferLoan{terms, {{"a100", amount}}}));
        ASSERT_TRUE(world.operate(MoveLoan{terms.name, tenancy::LoanEvent::accept}));
    }
    struct Long {
        const char* name;
        const char* tenant;
        std::uint32_t chips;
    };
    void run_for_days(const std::vector<Long>& jobs) {
        for (const Long& each : jobs) {
            Submission submission = submission_of(each.name, 1, each.chips);
            submission.spec.tenant = each.tenant;
            submission.spec.limit = seconds(50 * 3600);
            ASSERT_TRUE(world.submit(submission));
            ASSERT_EQ(world.state(each.name), "running") << each.name;
        }
    }
    void wake_after(Duration time) {
        world.pass(time);
        world.keeper->wake(world.moment());
    }
    tenancy::HouseUse use_of(const std::string& path) {
        for (const TenantView& view : world.keeper->tenants())
            if (view.path == path) return view.resources.at(0).use;
        ADD_FAILURE() << "no organisation " << path;
        return {};
    }
};

TEST_F(Houses, AJobBelongsToTheNearestOrganisationOfItsTenant) {
    open();
    ASSERT_TRUE(submit("a", "shop/front", 1));
    ASSERT_TRUE(submit("b", "lab/lena", 1));
    EXPECT_EQ(world.view("a").organisation, "shop/front");
    EXPECT_EQ(world.view("b").organisation, "lab");
    EXPECT_EQ(use_of("shop").uses, 1000);
    EXPECT_EQ(use_of("").uses, 2000);
    world.end("b");
    EXPECT_EQ(world.view("b").organisation, "lab") << "an ended job is a document";
    EXPECT_EQ(use_of("lab").uses, 0);
}

TEST_F(Houses, WhoBelongsToNobodyIsRefusedWithTheNamesThereAre) {
    open();
    EXPECT_THAT(refusal("labs", 1),
                HasSubstr("tenant: \"labs\" belongs to no organisation; did you "
                          "mean lab?; there are: lab, shop, shop/front"));
    // A job without a tenant is its user's.
    Submission nobody = submission_of("nobody");
    nobody.spec.tenant.clear();
    EXPECT_THAT(world.submit(nobody).error().message,
                HasSubstr("tenant, by default the user's login: \"ada\" belongs to no"));
    const auto slip = submit("slip", "shop/frnt", 1);
    ASSERT_TRUE(slip);
    EXPECT_THAT(slip->notes, Contains(HasSubstr("did you mean shop/front?")));
}

TEST_F(Houses, NothingIsSetApartForWhoBelongsToNobody) {
    open();
    MakeReservation wish;
    wish.name = "night";
    wish.pool = "main";
    wish.nodes = 1;
    wish.duration = seconds(3600);
    wish.tenant = "lap";
    const auto refused = world.operate(wish);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message,
                HasSubstr("tenant: \"lap\" belongs to no organisation; did you mean lab?"));
    wish.tenant = "shop/front/desk";
    EXPECT_TRUE(world.operate(wish));
}

TEST_F(Houses, MoreThanAnOrganisationMayEverHaveIsRefusedAndMoreThanItMayHaveNowWaits) {
    open();
    EXPECT_THAT(refusal("shop/front", 3), HasSubstr("shop/front may have 2 a100 at most"));
    ASSERT_TRUE(submit("first", "shop/front", 2));
    ASSERT_TRUE(submit("second", "shop/front", 1));
    EXPECT_EQ(world.state("second"), "pending");
    EXPECT_EQ(world.view("second").reason, "its organisation may not have so much now");
    const ExplainView why = *world.keeper->explain("second");
    EXPECT_EQ(why.cause, "over_quota");
    EXPECT_THAT(why.sentence, HasSubstr("shop/front uses 2 a100 of the 0 a100 it owns"));
    world.end("first");
    EXPECT_EQ(world.state("second"), "running");
}

TEST_F(Houses, AnOwnerGetsBackWhatOthersBorrowed) {
    world.options.policy.min_run = Duration{};
    open();
    for (const char* name : {"s1", "s2"})
        ASSERT_TRUE(submit(name, "shop", 4));
    EXPECT_EQ(use_of("lab").lends, 4000);
    EXPECT_EQ(use_of("shop").borrows, 6000);
    ASSERT_TRUE(submit("own", "lab", 4));
    const std::string stopped = world.state("s1") == "stopping" ? "s1" : "s2";
    EXPECT_EQ(world.state(stopped), "stopping");
    EXPECT_THAT(world.view(stopped).reason, HasSubstr("stopped for job 3 (own)"));
    world.end(stopped);
    EXPECT_EQ(world.state("own"), "running");
    EXPECT_EQ(world.state(stopped), "pending");
}

TEST_F(Houses, AnOwnerIsToldWhoHasItsChipsAndUntilWhenNobodyIsStopped) {
    open();
    for (const char* name : {"s1", "s2"})
        ASSERT_TRUE(submit(name, "shop", 4));
    ASSERT_TRUE(submit("own", "lab", 4));
    EXPECT_EQ(world.state("own"), "pending");
    EXPECT_THAT(world.keeper->explain("own")->details,
                Contains(AllOf(HasSubstr("job 2 (s2) holds 4 chips"),
                               HasSubstr("; for this one it is not stopped before "
                                         "1970-01-12T13:56:40.002Z (min_run 10m 00s)"))));
    ASSERT_TRUE(submit("guest", "shop", 4));
    EXPECT_THAT(world.keeper->explain("guest")->details,
                Not(Contains(HasSubstr("not stopped before"))));
}

TEST_F(Houses, AnOwnerIsToldThatAsManyWereStoppedInThisHourAsMayBe) {
    world.options.policy.min_run = Duration{};
    world.options.policy.preemptions_per_hour_max = 1;
    open();
    for (const char* name : {"s1", "s2", "s3", "s4"})
        ASSERT_TRUE(submit(name, "shop", 2));
    ASSERT_TRUE(submit("first", "lab", 2));
    ASSERT_TRUE(submit("second", "lab", 2));
    EXPECT_THAT(world.keeper->explain("second")->details,
                Contains(HasSubstr("it is not stopped before 1970-01-12T14:46:40.005Z "
                                   "(preemptions_per_hour 1)")));
}

TEST_F(Houses, APathOfATenantIsNamesAndNothingElse) {
    open();
    for (const char* path : {"shop/../lab", "shop//front", "/shop", "shop/", "./shop"}) {
        EXPECT_THAT(refusal(path, 1),
                    HasSubstr("must be names with '/' between, such as university/aero; none of "
                              "them is empty, '.' or '..'"));
        MakeReservation wish;
        wish.name = "night";
        wish.nodes = 1;
        wish.duration = seconds(3600);
        wish.tenant = path;
        const auto refused = world.operate(wish);
        ASSERT_FALSE(refused) << path;
        EXPECT_THAT(refused.error().message, HasSubstr("tenant: \"" + std::string(path) + "\""));
    }
}

TEST_F(Houses, OrganisationsAndWhatTheyUseSurviveARestart) {
    open();
    ASSERT_TRUE(submit("a", "shop/front", 2));
    ASSERT_TRUE(submit("b", "shop/front", 2));
    const std::uint64_t entries = world.keeper->status().journal_entries;
    open();
    EXPECT_EQ(world.keeper->status().journal_entries, entries) << "nothing is new";
    EXPECT_EQ(use_of("shop/front").uses, 2000);
    EXPECT_EQ(world.state("b"), "pending");
    world.end("a");
    EXPECT_EQ(world.state("b"), "running");
}

TEST_F(Houses, AnotherFileStopsNobodyAndIsKeptFromThenOn) {
    open();
    ASSERT_TRUE(submit("runs", "shop/front", 2));
    ASSERT_TRUE(submit("waits", "shop/front", 2));
    ASSERT_TRUE(submit("other", "lab", 4));
    open_with("tenants: [{name: lab, quota: {a100: 8}}, {name: shop, borrow: {a100: 1}}]");
    EXPECT_EQ(world.state("runs"), "running") << "though shop may borrow 1 and uses 2";
    EXPECT_EQ(use_of("shop").uses, 2000);
    EXPECT_EQ(world.state("waits"), "cancelled");
    EXPECT_THAT(world.view("waits").reason,
                HasSubstr("the organisations have changed: quota: shop may have 1 a100 at most"));
    EXPECT_EQ(world.state("other"), "running");
    // Without a file nobody is limited any more.
    world.options.tenants = {};
    open();
    EXPECT_TRUE(world.keeper->tenants().empty());
    ASSERT_TRUE(submit("free", "anybody", 2));
    EXPECT_EQ(world.state("free"), "running");
}

TEST_F(Houses, JobsOfAnOrganisationThatIsGoneRunOnAndDoNotComeBack) {
    open();
    Submission again = submission_of("again", 1, 2);
    again.spec.tenant = "shop";
    again.spec.retries = 3;
    ASSERT_TRUE(world.submit(again));
    ASSERT_TRUE(submit("well", "shop", 1));
    ASSERT_TRUE(submit("full", "lab", 4));
    ASSERT_TRUE(submit("waits", "shop", 4));
    EXPECT_EQ(world.state("waits"), "pending");
    open_with("tenants: [{name: lab, quota: {a100: 8}}]");
    EXPECT_THAT(world.view("waits").reason,
                HasSubstr("its organisation is gone: \"shop\" belongs to no organisation"));
    EXPECT_EQ(world.state("again"), "running");
    EXPECT_EQ(world.view("again").organisation, "");
    EXPECT_EQ(use_of("").uses, 7000);
    world.report(world.executor.lose(world.alive("again"), world.now));
    EXPECT_EQ(world.state("again"), "cancelled");
    EXPECT_THAT(world.view("again").reason, HasSubstr("its organisation is gone"));
    world.end("well");
    EXPECT_EQ(world.state("well"), "succeeded");
}

TEST_F(Houses, APromiseIsKeptUnderOtherRightsWhereTheyAllowIt) {
    open();
    ASSERT_TRUE(submit("one", "shop", 4));
    ASSERT_TRUE(submit("two", "shop", 4));
    ASSERT_TRUE(submit("next", "lab", 4));
    const JobId next = world.view("next").job;
    ASSERT_NE(world.keeper->book().promise(next), nullptr);
    const Time promised = world.keeper->book().promise(next)->at;
    open_with("tenants: [{name: lab, quota: {a100: 5}}, {name: shop, quota: {a100: 2}}]");
    ASSERT_NE(world.keeper->book().promise(next), nullptr);
    EXPECT_EQ(world.keeper->book().promise(next)->at, promised);
    // Of 8 chips shop owns all now, and has them: lab may borrow, but nothing is idle.
    open_with("tenants: [{name: lab}, {name: shop, quota: {a100: 8}}]");
    EXPECT_EQ(world.keeper->book().promise(next), nullptr);
    EXPECT_EQ(world.state("next"), "pending");
    EXPECT_THAT(world.keeper->book().lost_promise(next)->reason,
                HasSubstr("its organisation has no right to so much"));
    world.end("one");
    EXPECT_EQ(world.state("next"), "running");
}

TEST_F(Houses, ACapabilityIsCountedByWhatChipsWereFoundToCompute) {
    catalog::ChipRecord record{.name = "a100"};
    record.rates = {{.format = "bf16", .op = "gemm", .value = 200e12}};
    auto catalog = std::make_shared<catalog::Catalog>();
    ASSERT_TRUE(catalog->add({record}, "test"));
    world.options.catalog = catalog;
    open_with("tenants: [{name: lab, quota: {bf16: 400 TFLOP/s}, borrow: {bf16: 0 TFLOP/s}}]");
    EXPECT_THAT(refusal("lab", 3), HasSubstr("lab may have 400 TFLOP/s of bf16 at most"));
    ASSERT_TRUE(submit("two", "lab", 2));
    EXPECT_EQ(use_of("lab").uses, 400'000'000);
    // What was found stands in the journal: a replay, in the end of every test, needs no catalogue.
    EXPECT_EQ(world.keeper->book().rates().size(), 1U);
}

TEST_F(Houses, WhateverFileComesNextTheJournalDecidesTheSameAgain) {
    Random random(20261126);
    open();
    const std::vector<std::string> houses{"lab", "shop", "shop/front", "shop/front/desk"};
    for (int i = 0; i < 120; ++i) {
        static_cast<void>(submit("j" + std::to_string(i),
                                 houses[static_cast<std::size_t>(random.between(0, 3))],
                                 static_cast<unsigned>(random.between(1, 4))));
        for (const exec::AttemptId id : world.executor.alive())
            if (random.chance(0.3)) world.report(world.executor.finish(id, 0, world.now));
        if (!random.chance(0.15)) continue;
        if (random.chance(0.5)) {
            open();
        } else {
            open_with(
                "tenants: [{name: lab, quota: {a100: " + std::to_string(random.between(0, 6)) +
                "}}, {name: shop, quota: {a100: 2}, tenants: [{name: front}]}]");
        }
        world.pass(seconds(60));
    }
}

// Lab lends three of its four chips to the shop's front.
LoanTerms three_chips(Time now, const std::string& name = "spring") {
    return {.name = name,
            .lender = "lab",
            .borrower = "shop/front",
            .amounts = {},
            .window = {now, now + seconds(100 * 3600)},
            .notice = seconds(2 * 3600),
            .price = *parse_price("5 CNY/chip-hour"),
            .early_recall = *parse_money("20 CNY"),
            .penalty = *parse_money("0 CNY")};
}

TEST_F(Houses, ALoanIsOfferedAcceptedUsedAndCalledBackAcrossRestarts) {
    open();
    EXPECT_THAT(refusal("shop/front", 3), HasSubstr("shop/front may have 2 a100 at most"));
    const auto offered = world.operate(OfferLoan{three_chips(world.now), {{"a100", "3"}}});
    ASSERT_TRUE(offered) << offered.error().message;
    EXPECT_THAT(*offered, HasSubstr("loan spring: 3 a100 from lab to shop/front, offered"));
    EXPECT_THAT(refusal("shop/front", 3), HasSubstr("may have 2 a100 at most")) << "not agreed yet";
    ASSERT_TRUE(world.operate(MoveLoan{"spring", tenancy::LoanEvent::accept}));
    Submission long_job = submission_of("guest", 1, 3);
    long_job.spec.tenant = "shop/front";
    long_job.spec.limit = seconds(50 * 3600);
    ASSERT_TRUE(world.submit(long_job));
    EXPECT_EQ(world.state("guest"), "running");
    EXPECT_EQ(use_of("lab").owns, 1000);
    EXPECT_EQ(use_of("shop/front").owns, 3000);
    open();
    EXPECT_EQ(use_of("shop/front").owns, 3000) << "the journal has it";

    // The lab wants eight chips: its own four, and what the centre leaves idle.
    ASSERT_TRUE(submit("owners", "lab", 4));
    const auto recalled = world.operate(MoveLoan{"spring", tenancy::LoanEvent::recall});
    ASSERT_TRUE(recalled) << recalled.error().message;
    EXPECT_THAT(*recalled, HasSubstr("recalling: back at"));
    const auto entries = world.keeper->status().journal_entries;
    EXPECT_TRUE(world.operate(MoveLoan{"spring", tenancy::LoanEvent::recall}));
    EXPECT_EQ(world.keeper->status().journal_entries, entries) << "asking twice changes nothing";
    ASSERT_TRUE(submit("more", "shop/front", 1));
    EXPECT_EQ(world.state("guest"), "running");
    open();
    wake_after(seconds(2 * 3600));
    EXPECT_EQ(use_of("lab").owns, 4000);
    EXPECT_EQ(use_of("shop/front").owns, 0);
    EXPECT_EQ(world.keeper->loans().at(0).loan.state, tenancy::LoanState::returned);
}

TEST_F(Houses, WhatIsWrongWithALoanIsSaidAndChangesNothing) {
    open();
    const auto entries = world.keeper->status().journal_entries;
    const auto wrong = [&](LoanTerms terms, const char* amount) {
        const auto answer = world.operate(OfferLoan{std::move(terms), {{"a100", amount}}});
        EXPECT_FALSE(answer);
        return answer ? "" : answer.error().message;
    };
    LoanTerms terms = three_chips(world.now);
    EXPECT_THAT(wrong(terms, "5"), HasSubstr("lab owns 4 a100 itself and would have lent 5 a100"));
    terms.lender = "lap";
    EXPECT_THAT(wrong(terms, "1"), HasSubstr("from: there is no organisation \"lap\""));
    terms = three_chips(world.now);
    terms.borrower = "lab";
    EXPECT_THAT(wrong(terms, "1"), HasSubstr("to: nobody borrows from itself"));
    terms.lender = "shop";
    terms.borrower = "shop/front";
    EXPECT_THAT(wrong(terms, "1"), HasSubstr("to: \"shop\" and \"shop/front\" are one house"));
    terms = three_chips(world.now, "two words");
    EXPECT_THAT(wrong(terms, "1"), HasSubstr("name: \"two words\" has a blank"));
    terms = three_chips(world.now);
    terms.notice = seconds(101 * 3600);
    EXPECT_THAT(wrong(terms, "1"), HasSubstr("is longer than the loan lasts; valid are up to"));
    terms = three_chips(world.now - seconds(200 * 3600));
    EXPECT_THAT(wrong(terms, "1"), HasSubstr("has passed"));
    terms = three_chips(world.now, "file-1");
    EXPECT_THAT(wrong(terms, "1"), HasSubstr("is for loans of the file"));
    EXPECT_THAT(world.operate(MoveLoan{"none", tenancy::LoanEvent::accept}).error().message,
                HasSubstr("there is no loan \"none\""));
    EXPECT_EQ(world.keeper->status().journal_entries, entries);

    ASSERT_TRUE(world.operate(OfferLoan{three_chips(world.now), {{"a100", "3"}}}));
    EXPECT_THAT(world.operate(MoveLoan{"spring", tenancy::LoanEvent::recall}).error().message,
                HasSubstr("a loan that is offered cannot be answered with recall"));
    ASSERT_TRUE(world.operate(OfferLoan{three_chips(world.now, "other"), {{"a100", "3"}}}));
    ASSERT_TRUE(world.operate(MoveLoan{"spring", tenancy::LoanEvent::accept}));
    EXPECT_THAT(world.operate(MoveLoan{"other", tenancy::LoanEvent::accept}).error().message,
                HasSubstr("would have lent 6 a100"));
    ASSERT_TRUE(world.operate(MoveLoan{"other", tenancy::LoanEvent::withdraw}));
}

TEST_F(Houses, ALoanThatWouldKeepALenderFromAGangItWaitsForIsRefused) {
    open();
    // Of one node the shop holds a half, of the other the front has borrowed one: a gang of the lab
    // that needs a whole node waits until the front has run for a while.
    ASSERT_TRUE(submit("first", "lab", 2));
    ASSERT_TRUE(submit("half", "shop", 2));
    ASSERT_TRUE(submit("guest", "shop/front", 2));
    world.end("first");
    ASSERT_TRUE(submit("whole", "lab", 4));
    ASSERT_EQ(world.state("whole"), "pending");
    ASSERT_TRUE(world.operate(OfferLoan{three_chips(world.now), {{"a100", "3"}}}));
    const auto answer = world.operate(MoveLoan{"spring", tenancy::LoanEvent::accept});
    ASSERT_FALSE(answer) << *answer;
    EXPECT_THAT(answer.error().message, HasSubstr("would keep lab from gangs that it waits for"));
}

// What one party has paid the other for recalls and broken loans.
std::int64_t compensated(const HubWorld& world, const std::string& path) {
    const tenancy::Ledger& ledger = world.keeper->book().accounts().ledger();
    return ledger.balance({ledger.organisations().find(path), tenancy::Book::compensation, {}}) /
           1'000'000;
}

TEST_F(Houses, ALoanWhoseLenderWouldNotHaveAGangBackWhenItBeginsIsBrokenForIt) {
    open_with("tenants: [{name: lab, quota: {a100: 5}}, {name: shop, quota: {a100: 2}}]");
    LoanTerms later = three_chips(world.now);
    later.borrower = "shop";
    later.window.begins = world.now + seconds(3600);
    later.penalty = *parse_money("7 CNY");
    agree(later, "1");
    // On each node a chip is taken by those who own it, and the lab wants a whole node.
    ASSERT_TRUE(submit("one", "shop", 1));
    ASSERT_TRUE(submit("filler", "lab", 3));
    ASSERT_TRUE(submit("two", "shop", 1));
    world.end("filler");
    ASSERT_TRUE(submit("whole", "lab", 4));
    ASSERT_EQ(world.state("whole"), "pending");
    wake_after(seconds(3600));
    const KnownLoan known = world.keeper->loans().at(0);
    EXPECT_EQ(known.loan.state, tenancy::LoanState::defaulted);
    EXPECT_THAT(known.reason, HasSubstr("it would keep lab from gangs that wait"));
    EXPECT_EQ(use_of("lab").owns, 5000);
    EXPECT_EQ(compensated(world, "lab"), -7);
    EXPECT_EQ(compensated(world, "shop"), 7);
    open();
    EXPECT_EQ(world.keeper->loans().at(0).reason, known.reason) << "the journal has it";
}

TEST_F(Houses, ALoanThatStandsInItsLendersWayIsCalledBackAndTheLenderPaysForThat) {
    open_with("tenants: [{name: lab, quota: {a100: 8}}, {name: shop}]");
    LoanTerms terms = three_chips(world.now);
    terms.borrower = "shop";
    agree(terms, "3");
    // The shop has a chip of the one node and two of the other when the lab wants a whole one.
    run_for_days({{"one", "shop", 1}, {"filler", "lab", 3}, {"two", "shop", 2}});
    EXPECT_EQ(world.keeper->loans().at(0).loan.state, tenancy::LoanState::active);
    world.end("filler");
    ASSERT_TRUE(submit("whole", "lab", 4));
    EXPECT_EQ(world.state("whole"), "pending");
    const tenancy::Loan loan = world.keeper->loans().at(0).loan;
    EXPECT_EQ(loan.state, tenancy::LoanState::recalling);
    EXPECT_EQ(loan.deadline, world.now + terms.notice);
    EXPECT_THAT(world.keeper->loans().at(0).reason,
                HasSubstr("it was called back, for gangs of lab wait"));
    EXPECT_EQ(compensated(world, "lab"), -20);
    open();
    EXPECT_EQ(world.keeper->loans().at(0).loan, loan) << "the journal has it";
}

class LoanThatIsOver : public Houses {
protected:
    // The shop has all that it owns and three chips on loan when the lab wants these back, and
    // keeps them until the notice is over.
    KnownLoan after_the_notice() {
        open();
        LoanTerms terms = three_chips(world.now);
        terms.borrower = "shop";
        terms.penalty = *parse_money("9 CNY");
        agree(terms, "3");
        run_for_days({{"guest", "shop", 4}, {"mine", "lab", 1}, {"small", "shop", 1}});
        EXPECT_TRUE(submit("wants", "lab", 3));
        EXPECT_TRUE(world.operate(MoveLoan{"spring", tenancy::LoanEvent::recall}));
        EXPECT_EQ(world.state("wants"), "pending");
        wake_after(seconds(2 * 3600));
        EXPECT_EQ(world.state("guest"), "running");
        return world.keeper->loans().at(0);
    }
};

TEST_F(LoanThatIsOver, IsBrokenByItsBorrowerWhereTheChipsAreNotBackAndNobodyIsStoppedForOthers) {
    world.options.policy.preempt = false;
    const KnownLoan known = after_the_notice();
    EXPECT_EQ(known.loan.state, tenancy::LoanState::defaulted);
    EXPECT_THAT(known.reason,
                HasSubstr("shop still uses 3 a100 more than is its own, and job 4 of lab has no"));
    EXPECT_EQ(compensated(world, "lab"), 9 - 20) << "the recall cost 20";
}

TEST_F(LoanThatIsOver, IsNobodysFaultWhereTheRulesOfThePoolKeepItsJobsFromBeingStopped) {
    world.options.policy.min_run = seconds(3 * 3600);
    EXPECT_EQ(after_the_notice().loan.state, tenancy::LoanState::returned);
    EXPECT_EQ(compensated(world, "lab"), -20) << "for the recall";
    EXPECT_EQ(world.state("small"), "running");
    world.pass(seconds(3600));
    world.keeper->wake(world.moment());
    EXPECT_EQ(world.state("small"), "stopping") << "it has run for long enough";
}

TEST_F(Houses, ALoanIsOfferedByAnyNameOfItsChips) {
    auto catalog = std::make_shared<catalog::Catalog>();
    ASSERT_TRUE(catalog->add({{.name = "a100", .aliases = {"a100-sxm"}}}, "test"));
    world.options.catalog = catalog;
    open();
    const auto twice =
        world.operate(OfferLoan{three_chips(world.now), {{"a100", "3"}, {"a100-sxm", "3"}}});
    ASSERT_FALSE(twice);
    EXPECT_THAT(twice.error().message, HasSubstr("is named twice, by two names of a100"));
    const auto offered = world.operate(OfferLoan{three_chips(world.now), {{"A100-SXM", "3"}}});
    ASSERT_TRUE(offered) << offered.error().message;
    EXPECT_THAT(*offered, HasSubstr("loan spring: 3 a100 from lab to shop/front, offered"));
}

TEST_F(Houses, WhoeverBreaksALoanPaysThePenaltyAndItIsOverAtOnce) {
    open();
    LoanTerms terms = three_chips(world.now);
    terms.penalty = *parse_money("9 CNY");
    agree(terms, "3");
    for (const TenantView& view : world.keeper->tenants()) {
        EXPECT_EQ(view.loans_given.size(), view.path == "lab" ? 1U : 0U) << view.path;
        EXPECT_EQ(view.loans_taken.size(), view.path == "shop/front" ? 1U : 0U) << view.path;
    }
    const auto broken = world.operate(MoveLoan{"spring", tenancy::LoanEvent::lender_breaks});
    ASSERT_TRUE(broken) << broken.error().message;
    EXPECT_THAT(*broken, HasSubstr("defaulted: its lender took it back without notice"));
    EXPECT_TRUE(world.operate(MoveLoan{"spring", tenancy::LoanEvent::lender_breaks}));
    EXPECT_EQ(compensated(world, "lab"), -9);
    EXPECT_EQ(use_of("lab").owns, 4000);
    EXPECT_TRUE(world.keeper->tenants().at(1).loans_given.empty());
}

TEST_F(Houses, TheLoansOfTheFileAreAgreedOnAndOverWhenItNoLongerHasThem) {
    const std::string loan = R"(
loans:
  - {from: lab, to: shop, chips: {a100: 2}, starts: 1970-01-01, ends: 2100-01-01, notice: 1h,
     price: 5 CNY/chip-hour}
)";
    open_with(two_houses + loan);
    EXPECT_EQ(use_of("lab").owns, 2000);
    EXPECT_EQ(use_of("shop").owns, 4000);
    open();
    ASSERT_EQ(world.keeper->loans().size(), 1U);
    EXPECT_EQ(world.keeper->loans()[0].terms.name, "file-1");
    open_with(two_houses);
    EXPECT_EQ(use_of("lab").owns, 4000);
    EXPECT_EQ(world.keeper->loans().at(0).loan.state, tenancy::LoanState::returned);
}

TEST_F(Houses, TheSameFileWithLoansIsNoChange) {
    const std::string loans = R"(
loans:
  - {from: lab, to: shop, chips: {a100: 2}, starts: 1970-01-01, ends: 2100-01-01, notice: 90min,
     price: 0.333 CNY/chip-hour, early_recall: 20 CNY}
  - {from: lab, to: shop/front, chips: {a100: 0.5}, starts: 2090-01-01, ends: 2100-01-01}
vouchers:
  - {tenant: shop, amount: 50 CNY, valid: 1970-01-01..2100-01-01, chips: domestic, share: 33.3%}
)";
    open_with(two_houses + loans);
    ASSERT_TRUE(submit("guest", "shop/front", 2));
    ASSERT_EQ(world.state("guest"), "running");
    const auto postings = [this] {
        return world.keeper->book().accounts().ledger().postings().size();
    };
    const auto posted = postings();
    const auto entries = world.keeper->status().journal_entries;
    for (int i = 0; i < 2; ++i) {
        world.pass(seconds(60));
        open();
        EXPECT_EQ(postings(), posted) << "nothing is charged for a restart";
    }
    EXPECT_EQ(world.keeper->status().journal_entries, entries);
    EXPECT_EQ(world.keeper->loans().size(), 2U);
}

TEST_F(Houses, WhoCouldOnlyHaveStartedOnALoanIsCancelledWhenItIsOver) {
    using tenancy::LoanEvent;
    open();
    for (const LoanEvent event : {LoanEvent::give_back, LoanEvent::recall}) {
        const std::string name = event == LoanEvent::recall ? "summer" : "spring";
        ASSERT_TRUE(world.operate(OfferLoan{three_chips(world.now, name), {{"a100", "3"}}}));
        ASSERT_TRUE(world.operate(MoveLoan{name, LoanEvent::accept}));
        ASSERT_TRUE(submit("guest", "shop/front", 4));
        ASSERT_TRUE(submit("late", "shop/front", 3));
        ASSERT_TRUE(submit("small", "shop/front", 2));
        ASSERT_EQ(world.state("late"), "pending");
        ASSERT_TRUE(world.operate(MoveLoan{name, event}));
        if (event == LoanEvent::recall) {
            EXPECT_EQ(world.state("late"), "pending") << "what is called back is not yet back";
            wake_after(seconds(2 * 3600));
        }
        EXPECT_EQ(world.state("late"), "cancelled");
        EXPECT_THAT(world.view("late").reason,
                    HasSubstr("the loan " + name + " is over: quota: shop/front may have 2 a100"));
        EXPECT_NE(world.state("small"), "cancelled");
        for (const exec::AttemptId id : world.executor.alive())
            world.report(world.executor.finish(id, 0, world.now));
        for (const exec::AttemptId id : world.executor.alive())
            world.report(world.executor.finish(id, 0, world.now));
    }
}

TEST_F(Houses, APromiseThatCountsOnALoanIsHeldAgainstTheLoansOfTheNextFile) {
    const auto file = [](const std::string& ends) {
        return "tenants: [{name: lab, quota: {a100: 4}}, {name: shop, quota: {a100: 2}}]\n"
               "loans: [{from: lab, to: shop, chips: {a100: 2}, starts: 1970-01-01, ends: " +
               ends + ", notice: 1h, price: 5 CNY/chip-hour}]\n";
    };
    world.options.policy.preempt = false;
    open_with(file("2100-01-01"));
    for (const char* name : {"one", "two"}) {
        Submission fills = submission_of(name, 1, 4);
        fills.spec.tenant = "lab";
        fills.spec.limit = seconds(24 * 3600);
        ASSERT_TRUE(world.submit(fills));
    }
    Submission submission = submission_of("next", 1, 4);
    submission.spec.tenant = "shop";
    submission.spec.limit = seconds(3600);
    ASSERT_TRUE(world.submit(submission));
    const JobId next = world.view("next").job;
    const Book::Promise* promise = world.keeper->book().promise(next);
    ASSERT_NE(promise, nullptr);
    // Of the next file the loan is over before the time that was promised.
    const Time over = *parse_time("1970-01-13");
    ASSERT_LT(over, promise->at);
    open_with(file("1970-01-13"));
    promise = world.keeper->book().promise(next);
    EXPECT_TRUE(promise == nullptr || promise->at + seconds(3600) <= over);
    EXPECT_EQ(world.state("next"), "pending");
    EXPECT_EQ(world.state("one"), "running");
    // While it lasts, the job has its right.
    world.end("one");
    EXPECT_EQ(world.state("next"), "running");
}

}  // namespace
}  // namespace weir::hub
