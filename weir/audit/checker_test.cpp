// The checker on a small log that keeps every rule: each rule is broken once, in one line or two,
// and the checker has to say so, with the line.
#include "weir/audit/checker.hpp"

#include <gtest/gtest.h>

#include "weir/audit/small_log.hpp"
#include "weir/audit/tampering.hpp"

namespace weir::audit {
namespace {

TEST(Checker, FindsNothingWrongWithALogThatKeepsEveryRule) {
    Log log = small_log();
    for (const Log& more : {counted_log(), house_log(), data_log(), loan_log(), sized_log()})
        log.insert(log.end(), more.begin(), more.end());
    const Report report = judge(log);
    EXPECT_TRUE(report.clean()) << words_of(report);
    EXPECT_EQ(report.jobs, 31U);
    EXPECT_EQ(report.starts, 35U);
    EXPECT_EQ(report.ends, 35U);
    ASSERT_EQ(report.waterfalls.size(), 1U);
    EXPECT_EQ(text_of(report.waterfalls.at(0).total()), "400000000");
    // And every rule was really asked about.
    for (std::size_t i = 0; i < rules; ++i)
        EXPECT_GT(report.verdicts[i].checked, 0U) << name_of(static_cast<Rule>(i));
}

const std::vector<Tampering> tamperings = {
    {"a chip is given twice",
     Rule::capacity,
     [](Log& log) { the<Started>(log, 4).on.ranges[0].chip_mask = 0x3; }},
    {"two shares of a chip are more than the chip",
     Rule::capacity,
     [](Log& log) {
         Submitted other = small_job(30, 1, 0);
         other.demand.parts[0].each.chip_permille = 501;
         const std::size_t at = find<Started>(log, 4);
         insert_before(log, at, {at_seconds(3), Started{JobId{30}, "x", on({nodes(2, 1, 0x1)})}});
         insert_before(log, at, {at_seconds(3), other});
     }},
    {"a chip that the node does not have",
     Rule::capacity,
     [](Log& log) { the<Started>(log, 7).on.ranges[0].chip_mask = 0x10; }},
    {"more CPUs than the node has",
     Rule::capacity,
     [](Log& log) { the<Submitted>(log, 1).demand.parts[0].each.cpus_milli = 8001; }},
    {"more memory than the node has",
     Rule::capacity,
     [](Log& log) { the<Submitted>(log, 1).demand.parts[0].each.memory = gibibytes(65); }},
    {"a replica is missing",
     Rule::gang,
     [](Log& log) { the<Started>(log, 2).on.ranges[0].count = 3; }},
    {"a replica has a chip too few",
     Rule::gang,
     [](Log& log) { the<Started>(log, 1).on.ranges[0].chip_mask = 0x7; }},
    {"a pool that it does not accept",
     Rule::gang,
     [](Log& log) { the<Submitted>(log, 9).demand.pools = {PoolId{1}}; }},
    {"a gang that needs one rack is in two",
     Rule::domain,
     [](Log& log) { the<Started>(log, 1).on.ranges[0].first = 1; }},
    {"a gang that needs one node is on two",
     Rule::domain,
     [](Log& log) { the<Submitted>(log, 8).demand.within = fleet::Level::node; }},
    {"a job starts a second time while it runs",
     Rule::once,
     [](Log& log) {
         insert_before(log, find<Submitted>(log, 2), {at_seconds(1), the<Started>(log, 1)});
     }},
    {"a job starts after its end",
     Rule::once,
     [](Log& log) {
         log.push_back({at_seconds(490), the<Started>(log, 1)});
     }},
    {"what it waits for has not ended",
     Rule::dependencies,
     [](Log& log) {
         the<Submitted>(log, 6).after = {{JobId{7}, Waits::end}};
     }},
    {"what it waits for has failed",
     Rule::dependencies,
     [](Log& log) { the<Ended>(log, 6).outcome = Came::failed; }},
    {"a node is drained",
     Rule::health,
     [](Log& log) {
         insert_before(log,
                       find<Started>(log, 9),
                       {at_seconds(250), NodeHealth{PoolId{0}, 0, Health::drained}});
     }},
    {"a replacement is down",
     Rule::health,
     [](Log& log) {
         insert_before(log,
                       find<NodeLost>(log, 8),
                       {at_seconds(220), NodeHealth{PoolId{0}, 2, Health::down}});
     }},
    {"somebody without the tag may run into the reservation",
     Rule::reservations,
     [](Log& log) { the<Submitted>(log, 11).limit = seconds(101); }},
    {"the owner of a reservation starts before it begins",
     Rule::reservations,
     [](Log& log) { log[find<Started>(log, 10)].at = at_seconds(399); }},
    {"the owner of a reservation is on other nodes",
     Rule::reservations,
     [](Log& log) { the<Started>(log, 10).on.ranges[0].first = 1; }},
    {"maintenance serves nobody",
     Rule::reservations,
     [](Log& log) { only<SetApart>(log).maintenance = true; }},
    {"a member too many of an array runs",
     Rule::arrays,
     [](Log& log) {
         insert_before(log,
                       find<Ended>(log, 4),
                       {at_seconds(5), Started{JobId{5}, "x", on({nodes(3, 1, 0x6)})}});
         erase<Started>(log, 5, 2);
     }},
    {"a job runs for longer than its limit",
     Rule::limits,
     [](Log& log) { the<Submitted>(log, 3).limit = seconds(76); }},
    {"a job still runs long after its limit when the log ends",
     Rule::limits,
     [](Log& log) { erase<Ended>(log, 9); }},
    {"a promise is broken",
     Rule::promises,
     [](Log& log) { the<Promised>(log, 2).by = at_seconds(88); }},
    {"a later promise is broken",
     Rule::promises,
     [](Log& log) {
         insert_before(
             log, find<Ended>(log, 3), {at_seconds(70), Promised{JobId{2}, at_seconds(75)}});
     }},
    {"a promise is never kept",
     Rule::promises,
     [](Log& log) {
         log.resize(find<Started>(log, 2));
         log.push_back({at_seconds(200), small_job(40, 1, 1)});
     }},
    {"a rack draws more than its cap",
     Rule::power,
     [](Log& log) { only<CapSet>(log).watts = 1199; }},
    {"a site draws more than its budget",
     Rule::power,
     [](Log& log) { only<Header>(log).fleet.sites[0].power_watts = 7999; }},
    {"a pod draws more than its cap",
     Rule::power,
     [](Log& log) { only<Header>(log).fleet.pools[0].pod_power_watts = 3999; }},
    {"somebody starts under a cap that was lowered too far",
     Rule::power,
     [](Log& log) {
         insert_before(log,
                       find<Started>(log, 4),
                       {at_seconds(3), CapSet{{fleet::Level::rack, PoolId{0}, 1}, 900}});
     }},
    {"a victim is of the same class",
     Rule::preemption,
     [](Log& log) { the<Submitted>(log, 2).priority = Class::urgent; }},
    {"a victim has not run long enough",
     Rule::preemption,
     [](Log& log) { only<Header>(log).min_run = seconds(21); }},
    {"a victim does not run",
     Rule::preemption,
     [](Log& log) { the<Preempted>(log, 2).job = JobId{7}; }},
    {"too many are stopped in an hour",
     Rule::preemption,
     [](Log& log) { only<Header>(log).preemptions_per_hour_max = 0; }},
    {"a gang goes on with the node that failed",
     Rule::replacement,
     [](Log& log) { the<Replaced>(log, 8).on = on({nodes(0, 2, 0xF)}); }},
    {"a gang goes on without a node that has not failed",
     Rule::replacement,
     [](Log& log) { the<Replaced>(log, 8).on = on({nodes(2, 2, 0xF)}); }},
    {"a gang gets another node without need",
     Rule::replacement,
     [](Log& log) { erase<NodeLost>(log, 8); }},
    {"a deadline is missed",
     Rule::deadlines,
     [](Log& log) { the<Submitted>(log, 6).deadline = at_seconds(148); }},
    {"time goes back", Rule::sense, [](Log& log) { log[find<Ended>(log, 3)].at = at_seconds(59); }},
    {"a job ends that does not run", Rule::sense, [](Log& log) { erase<Started>(log, 3); }},
    {"a job is submitted twice",
     Rule::sense,
     [](Log& log) {
         log.push_back({at_seconds(490), the<Submitted>(log, 9)});
     }},
    {"a node that does not exist fails",
     Rule::sense,
     [](Log& log) { only<NodeHealth>(log).node = 4; }},
    {"a job is on nodes that do not exist",
     Rule::sense,
     [](Log& log) { the<Started>(log, 10).on.ranges[0].first = 3; }},
    {"the log does not begin with a header", Rule::sense, [](Log& log) { log.erase(log.begin()); }},
};

TEST(Checker, FindsEveryRuleThatIsBrokenOnce) {
    expect_each_is_found(small_log(), tamperings);
}

const std::vector<Tampering> wrong_accounts = {
    {"a pool has other losses",
     Rule::waterfall,
     [](Log& log) { only<Waterfall>(log).pools[0].split[Went::promised] += 1; }},
    {"what one class has too little another has too much",
     Rule::waterfall,
     [](Log& log) {
         Split& split = only<Waterfall>(log).sites[0].split;
         split[Went::promised] -= 1;
         split[Went::fragmented] += 1;
     }},
    {"a tenant held more",
     Rule::waterfall,
     [](Log& log) { only<Waterfall>(log).tenants[0].split[Went::lost_work] += 1; }},
    {"a job is said to be of somebody else",
     Rule::waterfall,
     [](Log& log) { the<Submitted>(log, 102).tenant = "lab"; }},
    {"the total is not the sum",
     Rule::waterfall,
     [](Log& log) { only<Waterfall>(log).total[Went::running] -= 1; }},
    {"a job's account is wrong",
     Rule::waterfall,
     [](Log& log) { the<Account>(log, 101).split[Went::running] += 1; }},
    {"a job has no account", Rule::waterfall, [](Log& log) { erase<Account>(log, 102); }},
    {"counting begins late",
     Rule::waterfall,
     [](Log& log) { only<Waterfall>(log).from = at_seconds(1); }},
    {"more was kept than there was time",
     Rule::waterfall,
     [](Log& log) { the<Ended>(log, 101).spent.kept = seconds(36); }},
    {"a promise names other nodes",
     Rule::waterfall,
     [](Log& log) { the<Promised>(log, 102).nodes[0].count = 1; }},
    {"a node came back earlier",
     Rule::waterfall,
     [](Log& log) {
         for (Record& record : log) {
             if (record.at == at_seconds(60)) record.at = at_seconds(59);
         }
     }},
    {"an account stands elsewhere",
     Rule::sense,
     [](Log& log) {
         const std::size_t at = find<Account>(log, 101);
         std::swap(log[at], log[at + 1]);
     }},
    {"the log ends early", Rule::sense, [](Log& log) { log.pop_back(); }},
    {"the log ends in the middle", Rule::sense, [](Log& log) { log.resize(log.size() / 2); }},
    {"a run goes on behind its waterfall",
     Rule::sense,
     [](Log& log) {
         log.push_back({log.back().at, small_job(999, 1, 1)});
     }},
    {"a run that does not say what it counts in has a waterfall",
     Rule::sense,
     [](Log& log) { only<Header>(log).counted_in = Unit::none; }},
};

TEST(Checker, SaysWhatAnOlderLogDoesNotLetItCheck) {
    Log log = counted_log();
    only<Header>(log).counted_in = Unit::none;
    std::erase_if(log, [](const Record& record) {
        return std::holds_alternative<Account>(record.what) ||
               std::holds_alternative<Waterfall>(record.what);
    });
    const Report older = judge(log);
    EXPECT_TRUE(older.clean()) << words_of(older);
    ASSERT_EQ(older.unsaid.size(), 1U);
    EXPECT_EQ(older.unsaid[0].line, 1U);
    EXPECT_EQ(older.unsaid[0].sentence,
              "its header has no counted_in, as those that were written before runs kept a "
              "waterfall: where its chip-seconds went is not checked");
    EXPECT_EQ(older.of(Rule::waterfall).checked, 0U);
    // Where it accounts for chips nevertheless, that is said once and not of every line.
    log = counted_log();
    only<Header>(log).counted_in = Unit::none;
    const Report half = judge(log);
    EXPECT_EQ(half.of(Rule::sense).violated, 1U) << words_of(half);
    EXPECT_TRUE(judge(counted_log()).unsaid.empty());

    log = data_log();
    only<Header>(log).fleet.links.clear();
    for (Record& record : log)
        if (auto* const copied = std::get_if<Copied>(&record.what)) copied->over.clear();
    const Report without_links = judge(log);
    EXPECT_TRUE(without_links.clean()) << words_of(without_links);
    EXPECT_EQ(without_links.unsaid.size(), 2U) << "once, of two copies, beside counted_in";
}

TEST(Checker, FindsEveryChipSecondThatIsInAnotherClass) {
    EXPECT_TRUE(judge(counted_log()).clean()) << words_of(judge(counted_log()));
    for (const Tampering& tampering : wrong_accounts) {
        Log log = counted_log();
        tampering.change(log);
        const Report report = judge(log);
        EXPECT_GE(report.of(tampering.rule).violated, 1U) << tampering.what << " is not found";
    }
}

TEST(Checker, AcceptsWhatIsJustInsideOfARule) {
    Log log = small_log();
    the<Submitted>(log, 3).limit = seconds(77);         // and a second of tolerance
    the<Promised>(log, 2).by = at_seconds(89);          // likewise
    the<Submitted>(log, 6).deadline = at_seconds(149);  // likewise
    only<Header>(log).min_run = seconds(20);
    only<Header>(log).fleet.sites[0].power_watts = 8000;
    const Report report = judge(log);
    EXPECT_TRUE(report.clean()) << words_of(report);
}

// A broken promise is excused only by what came between the promise and the start.
TEST(Checker, ExcusesAPromiseForWhatIsListedAndCameInBetween) {
    const auto promise_broken_after = [](Record excuse, bool before_the_promise) {
        Log log = small_log();
        the<Promised>(log, 2).by = at_seconds(50);
        excuse.at = before_the_promise ? at_seconds(1) : at_seconds(2);
        insert_before(
            log, before_the_promise ? find<Promised>(log, 2) : find<Submitted>(log, 3), excuse);
        return judge(log);
    };
    Submitted urgent = small_job(50, 1, 1);
    urgent.priority = Class::high;
    const SetApart apart{
        AdvanceId{9}, at_seconds(900), at_seconds(901), false, {{PoolId{0}, 3, 1}}};
    const std::pair<What, Excuse> excuses_that_count[] = {
        {NodeHealth{PoolId{0}, 3, Health::drained}, Excuse::node_lost},
        {CapSet{{fleet::Level::site, PoolId{1}, 0}, 8500}, Excuse::cap_lowered},
        {apart, Excuse::reservation_made},
        {urgent, Excuse::higher_class},
    };
    for (const auto& [what, excuse] : excuses_that_count) {
        const Report in_between = promise_broken_after({{}, what}, false);
        EXPECT_EQ(in_between.of(Rule::promises).violated, 0U) << name_of(excuse);
        EXPECT_EQ(in_between.excused[static_cast<std::size_t>(excuse)], 1U) << name_of(excuse);
        const Report before = promise_broken_after({{}, what}, true);
        EXPECT_EQ(before.of(Rule::promises).violated, 1U) << name_of(excuse);
    }
    const What no_excuses[] = {
        NodeHealth{PoolId{1}, 3, Health::down},            // of another pool
        NodeHealth{PoolId{0}, 3, Health::up},              // comes back
        CapSet{{fleet::Level::site, PoolId{1}, 0}, 9500},  // was raised
        small_job(50, 1, 1),                               // of its own class
    };
    for (const What& what : no_excuses)
        EXPECT_EQ(promise_broken_after({{}, what}, false).of(Rule::promises).violated, 1U);
}

TEST(Checker, ExcusesAMemberOfAnArrayForTheOthers) {
    Log log = small_log();
    insert_before(log, find<Started>(log, 4), {at_seconds(3), Promised{JobId{5}, at_seconds(4)}});
    const Report report = judge(log);
    EXPECT_TRUE(report.clean()) << words_of(report);
    EXPECT_EQ(report.excused[static_cast<std::size_t>(Excuse::own_array)], 1U);
}

TEST(Checker, JudgesEachRunOfALogByItself) {
    Log log = small_log();
    const Log again = small_log();
    log.insert(log.end(), again.begin(), again.end());
    const Report report = judge(log);
    EXPECT_TRUE(report.clean()) << words_of(report);
    EXPECT_EQ(report.runs, 2U);
    EXPECT_EQ(report.jobs, 22U);
}

TEST(Checker, KeepsOnlyTheFirstViolationsButCountsAll) {
    Log log = small_log();
    for (int i = 0; i < 50; ++i)
        log.push_back({at_seconds(600), Ended{JobId{77}, Came::failed, false}});
    const Report report = judge(log);
    EXPECT_EQ(report.of(Rule::sense).violated, 50U);
    EXPECT_EQ(report.of(Rule::sense).first.size(), Checker::violations_shown);
}

}  // namespace
}  // namespace weir::audit
