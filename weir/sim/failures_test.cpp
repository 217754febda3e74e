// Nodes that fail, and what becomes of the jobs that ran on them: on small worlds whose outcome can
// be worked out by hand, and on drawn ones whose logs the checker judges.
#include "weir/sim/failures.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "weir/sim/attempt.hpp"
#include "weir/sim/audited.hpp"
#include "weir/sim/prediction_error.hpp"
#include "weir/sim/report_data.hpp"

namespace weir::sim {
namespace {

using ::testing::ElementsAre;

fleet::Fleet cluster(std::uint32_t nodes, Duration mtbf = {}, Duration repair = {}) {
    fleet::Fleet fleet;
    fleet.sites = {{.name = "here"}};
    fleet::Pool pool;
    pool.name = "a";
    pool.site = "here";
    pool.chip = "chip";
    pool.nodes = nodes;
    pool.chips_per_node = 8;
    pool.node_mtbf = mtbf;
    pool.node_repair = repair;
    fleet.pools = {pool};
    return fleet;
}

struct Asked {
    std::int64_t submit;
    std::int64_t run;
    std::uint32_t nodes;
};
Trace training(std::uint32_t nodes, const std::vector<Asked>& jobs) {
    Trace trace;
    trace.name = "small";
    trace.fleet = cluster(nodes);
    for (const Asked& asked : jobs) {
        TraceJob job;
        job.id = std::to_string(trace.jobs.size());
        job.submitted_at = at_seconds(asked.submit);
        job.run = seconds(asked.run);
        job.limit = seconds(2 * asked.run);
        job.nodes = asked.nodes;
        job.chips = asked.nodes * 8;
        trace.jobs.push_back(job);
    }
    return trace;
}

// "node,from,until" lines on a cluster with as many nodes as the log has.
FaultLog faults(const std::string& lines) {
    LineReader reader = LineReader::over("faults", "node,start_s,end_s\n" + lines);
    auto log = read_fault_log(reader);
    if (!log) {
        ADD_FAILURE() << log.error().message;
        return {};
    }
    return *log;
}

SimulationOptions with_faults(const std::string& lines) {
    SimulationOptions options;
    options.failures.faults = Faults::log;
    options.failures.log = faults(lines);
    return options;
}

SimulationOptions saving(SimulationOptions options, std::int64_t every_s) {
    options.checkpoints = {.rule = CheckpointRule::fixed,
                           .every = seconds(every_s),
                           .cost = seconds(10),
                           .restart = seconds(5)};
    return options;
}

// ---------------------------------------------------------------------------------------------
// What an attempt has done

TEST(Attempt, SavesAfterEachIntervalAndNotAtItsEnd) {
    // 5 s restart, 100 s of work, 10 s to save after each 40 s: 5 + 40 + 10 + 40 + 10 + 20.
    const Attempt attempt{.begin = at_seconds(0),
                          .restart = seconds(5),
                          .work = seconds(100),
                          .every = seconds(40),
                          .cost = seconds(10)};
    EXPECT_EQ(attempt.end(), at_seconds(125));
    const std::array<std::int64_t, 3> at_done_saved[] = {{3, 0, 0},
                                                         {25, 20, 0},
                                                         {50, 40, 0},
                                                         {54, 40, 0},
                                                         {55, 40, 40},
                                                         {65, 50, 40},
                                                         {105, 80, 80},
                                                         {125, 100, 80}};
    for (const auto& [at, done, saved] : at_done_saved) {
        EXPECT_EQ(attempt.done(at_seconds(at)), seconds(done)) << at;
        EXPECT_EQ(attempt.saved(at_seconds(at)), seconds(saved)) << at;
    }
    EXPECT_EQ(attempt.next_checkpoint(at_seconds(0)), at_seconds(55));
    EXPECT_EQ(attempt.next_checkpoint(at_seconds(55)), at_seconds(105));
    EXPECT_EQ(attempt.next_checkpoint(at_seconds(105)), never);
    const Attempt exact{.work = seconds(80), .every = seconds(40), .cost = seconds(10)};
    EXPECT_EQ(exact.end(), at_seconds(90));  // the second would be at its end
}

// ---------------------------------------------------------------------------------------------
// What becomes of jobs

TEST(Failures, WithoutCheckpointsAFailedGangDoesEverythingAgain) {
    // Two nodes; the job has them for 60 of its 100 s when one fails for 40 s.
    const auto outcome = audited(training(2, {{0, 100, 2}}), with_faults("x,60,100\ny,900,901\n"));
    const ScheduledJob& job = outcome.simulation.jobs.at(0);
    EXPECT_EQ(job.start, at_seconds(0));
    EXPECT_EQ(job.end, at_seconds(200));
    EXPECT_EQ(job.attempts, 2U);
    EXPECT_EQ(job.failures, 1U);
    EXPECT_EQ(job.lost, seconds(60));
    EXPECT_NEAR(outcome.simulation.metrics.useful_share, 100.0 / 160.0, 1e-12);
    EXPECT_EQ(outcome.simulation.metrics.node_failures, 1U);
    EXPECT_EQ(outcome.simulation.metrics.attempts_failed, 1U);
}

TEST(Failures, AGangBetweenTwoAttemptsWaitsAndHoldsNothing) {
    // It runs until 60, is back in the queue until 100, and ends at 200: bins of 50 s.
    const Trace trace = training(2, {{0, 100, 2}});
    const auto outcome = audited(trace, with_faults("x,60,100\ny,900,901\n"));
    const ReportData data = report_data(trace, outcome.simulation, 4);
    const auto near = [](double value) { return ::testing::DoubleNear(value, 1e-9); };
    EXPECT_THAT(data.series.busy, ElementsAre(near(16), near(3.2), near(16), near(16)));
    EXPECT_THAT(data.series.waiting, ElementsAre(near(0), near(12.8), near(0), near(0)));
    EXPECT_THAT(data.series.waiting_jobs, ElementsAre(near(0), near(0.8), near(0), near(0)));
    EXPECT_DOUBLE_EQ(outcome.simulation.metrics.bounded_slowdown_mean, 2);
}

// What charts and tables are made of.
double area_busy(const ReportData& data) {
    double area = 0;
    for (const double busy : data.series.busy)
        area += busy * data.series.bin_s;
    return area;
}

TEST(Failures, OfBeforeTheFirstSubmissionAreNotCounted) {
    SimulationOptions options = with_faults("x,10,20\nx,30,120\ny,150,151\ny,900,901\n");
    options.from = at_seconds(100);
    const Trace trace = training(2, {{0, 10, 1}, {100, 100, 2}});
    const auto outcome = audited(trace, options);
    EXPECT_EQ(outcome.simulation.jobs.at(0).start, at_seconds(120));  // x is down until then
    EXPECT_EQ(outcome.simulation.metrics.node_failures, 1U);
}

TEST(Failures, WithCheckpointsOnlyTheWorkSinceTheLastOneIsDoneAgain) {
    // 25 work, 10 save, 25 work at 60: 25 are saved. At 100: 5 restart and 75 with two saves.
    const auto outcome =
        audited(training(2, {{0, 100, 2}}), saving(with_faults("x,60,100\ny,900,901\n"), 25));
    const ScheduledJob& job = outcome.simulation.jobs.at(0);
    EXPECT_EQ(job.end, at_seconds(200));
    EXPECT_EQ(job.lost, seconds(60 + 100 - 100));
    EXPECT_EQ(job.checkpoints, seconds(3 * 10));
    EXPECT_EQ(job.restarts, seconds(5));
    const Metrics& m = outcome.simulation.metrics;
    EXPECT_NEAR(m.redone_share, 25.0 / 160.0, 1e-12);
    EXPECT_NEAR(m.checkpoint_share, 30.0 / 160.0, 1e-12);
    EXPECT_NEAR(m.restart_share, 5.0 / 160.0, 1e-12);
    EXPECT_NEAR(m.lost_share, 60.0 / 160.0, 1e-12);
}

TEST(Failures, AJobThatIsStoppedForWattsLosesNoMoreThanItsCheckpoints) {
    // Asked at 20, it has saved its 20 s of work by 30; then 5 s restart, 80 s, three saves.
    Trace trace = training(1, {{0, 100, 1}});
    trace.fleet.pools[0].node_idle_watts = 100;
    trace.fleet.pools[0].node_busy_watts = 900;
    SimulationOptions options = saving({}, 25);
    options.policy.min_run = {};
    const sched::PowerDomain rack{fleet::Level::rack, PoolId{0}, 0};
    options.caps = {{at_seconds(20), rack, 500}, {at_seconds(100), rack, 0}};
    const auto outcome = audited(trace, options);
    const ScheduledJob& job = outcome.simulation.jobs.at(0);
    EXPECT_EQ(job.preemptions, 1U);
    EXPECT_EQ(job.end, at_seconds(100 + 5 + 80 + 30));
    EXPECT_EQ(job.checkpoints, seconds(10 + 30));
    EXPECT_EQ(job.restarts, seconds(5));
    EXPECT_EQ(job.lost, job.checkpoints + job.restarts);
}

TEST(Failures, AJobThatIsStoppedForAHigherClassGoesOnFromWhatItSaved) {
    // 20 times 25 s of work and a save by 700, which is all saved by 710. The other job takes 130 s
    // with its saves; then 5 s restart, 500 s, 19 saves.
    Trace trace = training(1, {{0, 1000, 1}, {700, 100, 1}});
    trace.jobs[1].priority = job::Priority::high;
    SimulationOptions options = saving({.policy = sched::Policy::weir}, 25);
    const auto outcome = audited(trace, options);
    EXPECT_EQ(outcome.simulation.jobs.at(1).start, at_seconds(710));
    const ScheduledJob& job = outcome.simulation.jobs.at(0);
    EXPECT_EQ(job.preemptions, 1U);
    EXPECT_EQ(job.end, at_seconds(710 + 130 + 5 + 500 + 190));
    EXPECT_EQ(outcome.simulation.metrics.preemptions, 1U);
    options.policy.preempt = false;
    EXPECT_EQ(audited(trace, options).simulation.metrics.preemptions, 0U);
}

TEST(Failures, AJobOnOtherNodesRunsOn) {
    const auto outcome = audited(training(4, {{0, 100, 2}, {0, 100, 2}}),
                                 with_faults("a,900,901\nb,900,901\nc,60,500\nd,900,901\n"));
    EXPECT_EQ(outcome.simulation.jobs.at(0).end, at_seconds(100));
    EXPECT_EQ(outcome.simulation.jobs.at(0).failures, 0U);
    // The other one gets two whole nodes when the first is done.
    EXPECT_EQ(outcome.simulation.jobs.at(1).failures, 1U);
    EXPECT_EQ(outcome.simulation.jobs.at(1).end, at_seconds(200));
}

TEST(Failures, AJobIsGivenUpWhenItsRetriesAreUsedUp) {
    SimulationOptions options = with_faults("x,10,11\nx,30,31\nx,50,51\n");
    options.failures.retries = 2;
    const auto outcome = audited(training(1, {{0, 100, 1}}), options);
    const ScheduledJob& job = outcome.simulation.jobs.at(0);
    EXPECT_EQ(job.attempts, 3U);
    EXPECT_EQ(job.failures, 3U);
    EXPECT_EQ(job.end, at_seconds(50));
    EXPECT_EQ(job.lost, seconds(10 + 19 + 19));
    EXPECT_EQ(outcome.simulation.metrics.useful_share, 0.0);
    EXPECT_EQ(outcome.simulation.notes.back(),
              "1 job given up: failed more often than may be retried");
}

TEST(Failures, AJobThatEndsAtTheMomentItsNodeFailsHasEnded) {
    const auto outcome = audited(training(1, {{0, 100, 1}}), with_faults("x,100,200\n"));
    EXPECT_EQ(outcome.simulation.jobs.at(0).failures, 0U);
}

// Whoever decides, a gang that may replace a node is either gone on with or starts again, from its
// last checkpoint.
TEST(Failures, AGangThatMayReplaceANodeLosesNoMoreThanOneThatMayNot) {
    SimulationOptions options =
        saving(with_faults("a,60,10000\nb,90000,90001\nc,90000,90001\n"), 25);
    const Trace trace = training(3, {{0, 100, 2}});
    const auto requeued = audited(trace, options);
    options.failures.replace = true;
    const auto replaced = audited(trace, options);
    EXPECT_LE(replaced.simulation.jobs.at(0).end, requeued.simulation.jobs.at(0).end);
    EXPECT_EQ(
        replaced.simulation.metrics.nodes_replaced + replaced.simulation.metrics.attempts_failed,
        1U);
    // 60 s, then 5 s restart, the 75 s that are not saved, and two saves.
    EXPECT_EQ(replaced.simulation.jobs.at(0).end, at_seconds(60 + 5 + 75 + 20));
}

TEST(Failures, AGangThatIsAtItsLimitBeforeItsWorkIsDoneIsEndedByIt) {
    // After 60 s all is begun again on another node: 160 s in all, and the limit is 140.
    SimulationOptions options = with_faults("a,60,10000\nb,90000,90001\nc,90000,90001\n");
    options.failures.replace = true;
    Trace trace = training(3, {{0, 100, 2}, {10, 10, 1}});
    trace.jobs[0].limit = seconds(140);
    const auto outcome = audited(trace, options);
    const ScheduledJob& job = outcome.simulation.jobs.at(0);
    EXPECT_EQ(job.end, at_seconds(140));
    EXPECT_EQ(job.attempts, 1U);
    EXPECT_EQ(job.failures, 0U);
    EXPECT_TRUE(job.ended_by_limit);
    EXPECT_EQ(job.lost, seconds(140));
    const Metrics& m = outcome.simulation.metrics;
    EXPECT_EQ(m.nodes_replaced, 1U);
    EXPECT_EQ(m.attempts_failed, 0U);
    EXPECT_EQ(m.ended_by_limit, 1U);
    EXPECT_NEAR(m.useful_share, 10.0 / 290.0, 1e-12);  // two nodes for 140 s, and one for 10
    EXPECT_EQ(outcome.simulation.notes.back().rfind("1 job ended by the limit", 0), 0U);
}

TEST(Failures, AGangThatLosesTwoNodesAtOnceStartsAgain) {
    SimulationOptions options = saving(
        with_faults("a,60,10000\nb,60,10000\nc,90000,90001\nd,90000,90001\ne,90000,90001\n"), 25);
    options.failures.replace = true;
    const auto outcome = audited(training(5, {{0, 100, 3}}), options);
    EXPECT_EQ(outcome.simulation.metrics.nodes_replaced, 0U);
    EXPECT_EQ(outcome.simulation.metrics.attempts_failed, 1U);
    EXPECT_EQ(outcome.simulation.jobs.at(0).attempts, 2U);
    EXPECT_EQ(outcome.simulation.jobs.at(0).end, at_seconds(60 + 5 + 75 + 20));
}

TEST(Failures, SaysSoWhenTooFewNodesEverComeBack) {
    const auto never_back = simulate(training(2, {{0, 100, 2}}), with_faults("x,60,\ny,900,901\n"));
    ASSERT_FALSE(never_back.has_value());
    EXPECT_EQ(never_back.error().code, Code::never_fits);
    EXPECT_EQ(never_back.error().message,
              "small: 1 job never started; too few nodes were up at once");
}

TEST(Failures, AnInvalidCombinationIsOneSentence) {
    SimulationOptions options;
    options.failures.faults = Faults::reliability;
    const auto no_reliability = simulate(training(2, {{0, 100, 2}}), options);
    ASSERT_FALSE(no_reliability.has_value());
    EXPECT_EQ(no_reliability.error().message,
              "failures: no pool of the fleet says how often its nodes fail; write reliability: "
              "{mtbf: 5y/node, repair: 6h} in the fleet file, or give a fault log");
}

TEST(Failures, CheckpointsTakenAllTheTimeAreRefused) {
    const auto refused = [](Duration every, Duration cost) {
        SimulationOptions options;
        options.checkpoints = {.rule = CheckpointRule::fixed, .every = every, .cost = cost};
        const auto outcome = simulate(training(2, {{0, 100, 2}}), options);
        return outcome ? std::string() : outcome.error().message;
    };
    EXPECT_EQ(refused(Duration{1}, Duration{}),
              "--checkpoint: every 1ms is too often; valid is an interval of at least 1s");
    EXPECT_EQ(refused(seconds(30), seconds(45)),
              "--checkpoint: every 30s is too often; valid is an interval of at least 45s, which "
              "is what one checkpoint takes (--checkpoint-cost)");
    EXPECT_EQ(refused(seconds(45), seconds(45)), "");
    EXPECT_EQ(refused(seconds(1), Duration{}), "");
}

// ---------------------------------------------------------------------------------------------
// Which node fails when

TEST(Failures, DrawnOnesHaveTheRatesThatTheFleetStates) {
    const fleet::Fleet fleet = cluster(1000, seconds(50 * 3600), seconds(5 * 3600));
    Failures failures = Failures::by_reliability(fleet, 3, at_seconds(0));
    const Time end = at_seconds(1000 * 3600);
    std::map<std::uint32_t, Time> down;
    std::uint64_t count = 0;
    double down_s = 0;
    Time last{};
    while (failures.next_at() < end) {
        const NodeChange change = failures.take();
        ASSERT_GE(change.at, last);
        last = change.at;
        if (change.up) {
            ASSERT_EQ(down.count(change.node), 1U);
            down_s += as_seconds(change.at - down.at(change.node));
            down.erase(change.node);
        } else {
            ASSERT_TRUE(down.emplace(change.node, change.at).second);
            ++count;
        }
    }
    // 1000 nodes x 1000 h, each with 50 h up and 5 h down in turn: 18,182 failures.
    EXPECT_NEAR(static_cast<double>(count), 18'182, 4 * std::sqrt(18'182));
    EXPECT_NEAR(down_s / static_cast<double>(count), 5 * 3600, 400);
}

TEST(Failures, EqualSeedsGiveEqualRunsAndOthersDoNot) {
    Trace trace = training(16, {});
    for (std::int64_t i = 0; i < 200; ++i) {
        TraceJob job = training(1, {{i * 500, 3'000 + i * 37 % 5'000, 1}}).jobs.front();
        job.nodes = static_cast<std::uint32_t>(1 + i % 5);
        job.chips = job.nodes * 8;
        job.id = std::to_string(i);
        trace.jobs.push_back(job);
    }
    trace.fleet = cluster(16, seconds(40'000), seconds(4'000));
    SimulationOptions options = saving({}, 600);
    options.failures.faults = Faults::reliability;
    std::set<std::uint64_t> digests;
    for (const std::uint64_t seed : {1, 2, 3}) {
        options.failures.seed = seed;
        const auto once = audited(trace, options);
        const auto again = audited(trace, options);
        EXPECT_GT(once.simulation.metrics.attempts_failed, 20U);
        EXPECT_EQ(once.simulation.metrics.digest, again.simulation.metrics.digest);
        EXPECT_GT(once.report.of(audit::Rule::capacity).checked, 200U);
        digests.insert(once.simulation.metrics.digest);
        for (const ScheduledJob& job : once.simulation.jobs)
            EXPECT_LE(job.checkpoints + job.restarts, job.lost);
        // The charts are of the same time as the table.
        const ReportData data = report_data(trace, once.simulation, 100);
        const Metrics& m = once.simulation.metrics;
        const double held = m.utilisation * data.series.capacity * m.makespan_s;
        EXPECT_NEAR(area_busy(data), held, 1e-6 * held);
        double slowdown = 0;
        for (const ScheduledJob& job : once.simulation.jobs)
            slowdown += bounded_slowdown(job, trace.jobs[job.trace_job]);
        EXPECT_DOUBLE_EQ(slowdown / static_cast<double>(m.jobs), m.bounded_slowdown_mean);
    }
    EXPECT_EQ(digests.size(), 3U);
}

TEST(Failures, AFaultLogIsMergedAndSpreadOverTheFleet) {
    const FaultLog log = faults("p,0,10\nq,5,6\np,8,20\np,30,\n");
    EXPECT_EQ(log.names, (std::vector<std::string>{"p", "q"}));
    ASSERT_EQ(log.faults.size(), 3U);
    EXPECT_EQ(log.faults[0], (Fault{0, at_seconds(0), at_seconds(20)}));
    EXPECT_EQ(log.faults[1], (Fault{0, at_seconds(30), never}));
    const auto changes = [&](std::uint32_t nodes) {
        Failures failures = Failures::by_log(cluster(nodes), log);
        std::string text;
        while (failures.next_at() < never) {
            const NodeChange change = failures.take();
            text += std::to_string(whole_seconds(change.at.time_since_epoch())) +
                    (change.up ? "+" : "-") + std::to_string(change.node) + " ";
        }
        return text;
    };
    EXPECT_EQ(changes(10), "0-0 5-5 6+5 20+0 30-0 ");
    EXPECT_EQ(changes(1), "0-0 20+0 30-0 ");  // both are the one node
    EXPECT_NE(log.note_on(cluster(10)).find("names no node of this fleet"), std::string::npos);
}

TEST(Failures, OfALargerMachineEachCopyHasTheFaultsOfTheLog) {
    SimulationOptions options = with_faults("a-1,60,100\n");
    options.scale = 3;
    const auto outcome = audited(training(2, {{0, 100, 2}}), options);
    EXPECT_EQ(outcome.simulation.metrics.node_failures, 3U);
    EXPECT_EQ(outcome.simulation.metrics.attempts_failed, 3U);
    EXPECT_EQ(outcome.simulation.notes.back(),
              "each of the 3 copies of the fleet has the faults of the log, at the same moments");
    Failures failures = Failures::by_log(cluster(2), options.failures.log, 3);
    for (const std::uint32_t node : {1, 3, 5})
        EXPECT_EQ(failures.take(), (NodeChange{at_seconds(60), PoolId{0}, node, false}));
}

TEST(Failures, AFaultLogMeansTheNodesItNames) {
    fleet::Fleet fleet = cluster(3);
    fleet.pools.push_back(fleet.pools[0]);
    fleet.pools[1].name = "named";
    fleet.pools[1].node_names = {"cn1", "cn2", "cn3"};
    const std::string made = fleet.node_name(PoolId{0}, 2);
    const FaultLog log = faults("cn2,0,10\n" + made + ",5,6\n");
    EXPECT_EQ(log.note_on(fleet), "");
    Failures failures = Failures::by_log(fleet, log);
    EXPECT_EQ(failures.take(), (NodeChange{at_seconds(0), PoolId{1}, 1, false}));
    EXPECT_EQ(failures.take(), (NodeChange{at_seconds(5), PoolId{0}, 2, false}));

    const FaultLog wider = faults("cn2,0,\ncn9,1,2\n");
    EXPECT_EQ(wider.note_on(fleet),
              "the fault log names 1 node that this fleet does not have, such as cn9: their faults "
              "are left out");
    Failures of_known = Failures::by_log(fleet, wider);
    of_known.take();
    EXPECT_EQ(of_known.next_at(), never);
    // 2 s of 6 nodes, one of them down, and one fault: the other was of no node of the fleet.
    EXPECT_EQ(wider.node_mtbf(fleet), seconds(10));
}

TEST(Failures, AFaultLogSaysWhatIsWrongWithIt) {
    const std::pair<const char*, const char*> wrong[] = {
        {"", "faults: is empty; a fault log names its columns"},
        {"node,start_s\n",
         "faults:1: has no column end_s; a fault log has node, start_s and end_s"},
        {"node,start_s,end_s\na,1\n", "faults:2: has 2 fields where the first line has 3"},
        {"node,start_s,end_s\na,soon,2\n", "faults:2: start_s: 'soon' is not a number of seconds"},
        {"node,start_s,end_s\na,9,2\n", "faults:2: end_s: '2' lies before start_s '9'"},
    };
    for (const auto& [text, sentence] : wrong) {
        LineReader reader = LineReader::over("faults", text);
        const auto log = read_fault_log(reader);
        ASSERT_FALSE(log.has_value()) << text;
        EXPECT_EQ(log.error().message, sentence);
    }
}

// ---------------------------------------------------------------------------------------------

TEST(PredictionError, IsAsWrongAsTheModelSays) {
    constexpr std::uint64_t jobs = 100'000;
    std::uint64_t within[4] = {};
    std::uint64_t too_short = 0;
    const double bounds[] = {0.1, 0.5, 1.0, 10.0};
    for (std::uint64_t job = 0; job < jobs; ++job) {
        const Duration predicted = predicted_run(seconds(10'000), forever, 5, job);
        const double error = std::abs(as_seconds(predicted) - 10'000) / 10'000;
        for (std::size_t i = 0; i < 4; ++i)
            within[i] += error <= bounds[i] + 1e-9 ? 1 : 0;
        too_short += predicted < seconds(10'000) ? 1 : 0;
    }
    const double shares[] = {0.1, 0.5, 0.7, 0.9};
    for (std::size_t i = 0; i < 4; ++i)
        EXPECT_NEAR(static_cast<double>(within[i]) / jobs, shares[i], 0.006);
    EXPECT_NEAR(static_cast<double>(too_short) / jobs, 0.35, 0.006);
    EXPECT_EQ(predicted_run(seconds(10), seconds(10), 5, 7),
              predicted_run(seconds(10), seconds(10), 5, 7));
    for (std::uint64_t job = 0; job < 1'000; ++job) {
        const Duration predicted = predicted_run(seconds(1), seconds(20), 5, job);
        EXPECT_GE(predicted, seconds(1));
        EXPECT_LE(predicted, seconds(20));
    }
}

}  // namespace
}  // namespace weir::sim
