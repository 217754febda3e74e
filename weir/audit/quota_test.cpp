// What the checker says of organisations and contracts: on a small log that keeps the rules, and on
// what comes of it by one change.
#include <gtest/gtest.h>

#include "weir/audit/quota_books.hpp"
#include "weir/audit/small_log.hpp"
#include "weir/audit/tampering.hpp"

namespace weir::audit {
namespace {

const std::vector<Tampering> tamperings = {
    {"who may borrow less borrows as much",
     Rule::quota,
     [](Log& log) {
         only<Header>(log).organisations[2].borrow = {{0, 7999}};
     }},
    {"the house of a borrower may not borrow",
     Rule::quota,
     [](Log& log) {
         only<Header>(log).organisations[1].borrow = {{0, 3000}};
     }},
    {"the owner lends nothing",
     Rule::quota,
     [](Log& log) {
         only<Header>(log).organisations[0].lend = {{0, 0}};
     }},
    {"somebody else of a closed house runs",
     Rule::quota,
     [](Log& log) {
         only<Header>(log).organisations[3].borrow = {{0, 0}};
         only<Header>(log).organisations[3].quota = {{0, 3000}};
     }},
    {"a chip counts more",
     Rule::quota,
     [](Log& log) {
         only<Header>(log).measures[0].per_chip = {{0, 1001}};
     }},
    {"a job is dropped for a quota that it fits in",
     Rule::quota,
     [](Log& log) {
         log[find<Cancelled>(log, 203)].what = Dropped{JobId{203}, "over_quota"};
     }},
    {"a job runs on chips that its contract forbids",
     Rule::contract,
     [](Log& log) {
         the<Submitted>(log, 206).barred = {PoolId{1}, PoolId{0}};
     }},
    {"an owner is stopped in place of the borrower",
     Rule::reclaim,
     [](Log& log) { the<Preempted>(log, 202).job = JobId{205}; }},
    {"somebody takes back who owns nothing",
     Rule::reclaim,
     [](Log& log) { the<Submitted>(log, 204).organisation = "park"; }},
    {"somebody takes back from its own house what came before it",
     Rule::reclaim,
     [](Log& log) { the<Submitted>(log, 204).organisation = "park/one"; }},
    {"a job of another organisation makes room for a higher class",
     Rule::reclaim,
     [](Log& log) {
         the<Submitted>(log, 204).priority = Class::high;
         the<Preempted>(log, 202).cause = "preempted";
     }},
    {"a job of the same class is stopped, and not to take back",
     Rule::preemption,
     [](Log& log) { the<Preempted>(log, 202).cause = "preempted"; }},
    {"a borrower is stopped too early",
     Rule::preemption,
     [](Log& log) { only<Header>(log).min_run = seconds(21); }},
    {"a job is of an organisation that is not there",
     Rule::sense,
     [](Log& log) { the<Submitted>(log, 203).organisation = "park/three"; }},
    {"an organisation is there twice",
     Rule::sense,
     [](Log& log) { only<Header>(log).organisations[3].path = "park/one"; }},
    {"a contract forbids a pool that does not exist",
     Rule::sense,
     [](Log& log) { the<Submitted>(log, 206).barred = {PoolId{2}}; }},
};

TEST(CheckerOfQuotas, FindsEveryRuleThatIsBrokenOnce) {
    expect_each_is_found(house_log(), tamperings);
}

TEST(CheckerOfQuotas, SaysWhoUsesWhatOfWhose) {
    Log log = house_log();
    only<Header>(log).organisations[2].borrow = {{0, 7500}};
    const Report report = judge(log);
    ASSERT_GE(report.of(Rule::quota).violated, 1U);
    EXPECT_EQ(report.of(Rule::quota).first.at(0).sentence,
              "job 202 starts, and park/one uses 0 of its 0 chip and may have 7.500 more");
}

TEST(CheckerOfQuotas, WhatIsStrandedByQuotaAndByContractIsCountedAgain) {
    Log log = house_log();
    only<Header>(log).counted_in = Unit::chips;
    const Report report = judge(log);
    ASSERT_EQ(report.waterfalls.size(), 1U);
    const Split& split = report.waterfalls.at(0);
    // Thousandths x ms. From 25 s to 60 s a node is idle to which nobody who waits has a right;
    // from 30 s on eight chips are idle that the contract of job 206 forbids.
    EXPECT_EQ(text_of(split[Went::over_quota]), "140000000");
    EXPECT_EQ(text_of(split[Went::wrong_precision]), "240000000");
    EXPECT_EQ(text_of(split[Went::not_demanded]), "480000000");
    EXPECT_EQ(split[Went::fragmented], 0U);
    EXPECT_EQ(text_of(split.total()), "2160000000");
}

// The house may not borrow. One of it borrows what the other owns; when the other comes, it takes
// what is its own at once, and for a time the house is over its limit.
TEST(CheckerOfQuotas, ExcusesAHouseOverItsLimitForOneOfItsOwnWhoOwns) {
    Log log = house_log();
    Header& header = only<Header>(log);
    header.organisations[1].borrow = {{0, 0}};
    header.organisations[1].quota = {{0, 4000}};
    header.organisations[3].quota = {{0, 4000}};
    const std::size_t first = find<Started>(log, 205);
    const std::size_t second = find<Started>(log, 202);
    std::swap(log[first], log[second]);  // the borrower is there first
    std::swap(log[first - 1], log[second - 1]);
    erase<Started>(log, 206);
    erase<Ended>(log, 206);
    const Report report = judge(log);
    EXPECT_TRUE(report.clean()) << words_of(report);
    EXPECT_EQ(report.excused[static_cast<std::size_t>(Excuse::owner_came)], 1U);
}

TEST(QuotaBooks, WorkOutTheMomentOfTheDocumentation) {
    Header header;
    fleet::Pool pool;
    pool.nodes = 68;
    pool.chips_per_node = 1;
    header.fleet.pools = {pool};
    header.measures = {{.per_chip = {{0, 1}}, .per_cpu = {}}};
    header.resources = {"ascend-910b3"};
    header.organisations = {
        {.path = "bigco", .quota = {{0, 8}}, .lend = {{0, 16}}, .borrow = {{0, 0}}},
        {.path = "bigco/search", .quota = {{0, 24}}, .lend = {{0, 12}}, .borrow = {}},
        {.path = "bigco/ads", .quota = {{0, 8}}, .lend = {}, .borrow = {{0, 4}}},
        {.path = "uni", .quota = {{0, 24}}, .lend = {{0, 8}}, .borrow = {}},
        {.path = "sme-park", .quota = {}, .lend = {}, .borrow = {}},
        {.path = "sme-park/startup", .quota = {}, .lend = {}, .borrow = {{0, 12}}},
        {.path = "sme-park/vision-lab", .quota = {{0, 4}}, .lend = {}, .borrow = {}}};
    QuotaBooks books(header);
    const auto use = [&](const char* path, int units) {
        books.use(*books.find(path), {{0, units}}, true);
    };
    use("bigco/search", 20);
    use("bigco/ads", 6);
    use("uni", 10);
    use("sme-park/startup", 9);
    const std::pair<const char*, int> available[] = {{"", 17},
                                                     {"bigco", 14},
                                                     {"bigco/search", 14},
                                                     {"bigco/ads", 6},
                                                     {"uni", 23},
                                                     {"sme-park", 17},
                                                     {"sme-park/startup", 3},
                                                     {"sme-park/vision-lab", 17}};
    for (const auto& [path, units] : available) {
        const std::size_t house = *books.find(path);
        EXPECT_TRUE(books.has_right(house, {{0, units}})) << path;
        EXPECT_FALSE(books.has_right(house, {{0, units + 1}})) << path;
        EXPECT_FALSE(books.exceeded(house, 0)) << path;
    }
    EXPECT_TRUE(books.borrows_below(*books.find("sme-park/startup"), 0, 0));
    EXPECT_FALSE(books.borrows_below(*books.find("bigco/search"), 0, 0));
}

}  // namespace
}  // namespace weir::audit
