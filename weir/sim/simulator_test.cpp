// The simulator on small logs whose schedule can be checked by hand; real ones are in
// real_logs_test.cpp.
#include "weir/sim/simulator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::sim {
namespace {

// "submit run limit processors" for each job, on a machine of `processors`.
Trace classic(std::uint32_t processors, const std::vector<std::array<std::int64_t, 4>>& jobs) {
    Trace trace;
    trace.name = "small";
    trace.classic = true;
    fleet::Pool pool;
    pool.name = "processors";
    pool.site = "machine";
    pool.chip = "processor";
    pool.nodes = processors;
    pool.chips_per_node = 1;
    trace.fleet.sites = {{.name = "machine"}};
    trace.fleet.pools = {pool};
    for (const auto& [submit, run, limit, width] : jobs) {
        TraceJob job;
        job.id = std::to_string(trace.jobs.size() + 1);
        job.submitted_at = at_seconds(submit);
        job.run = seconds(run);
        job.limit = seconds(limit);
        job.chips = static_cast<std::uint32_t>(width);
        trace.jobs.push_back(job);
    }
    return trace;
}

std::vector<std::int64_t> starts(const Trace& trace, sched::Policy policy) {
    const Result<Simulation> simulation = simulate(trace, {.policy = policy});
    std::vector<std::int64_t> list;
    if (!simulation) {
        ADD_FAILURE() << simulation.error().message;
        return list;
    }
    for (const ScheduledJob& job : simulation->jobs) {
        list.push_back(whole_seconds(job.start.time_since_epoch()));
    }
    return list;
}

TEST(Simulator, StartsAShortJobInTheHoleBeforeAReservedOne) {
    // 4 processors: job 1 holds 3; job 2 wants all 4 and is reserved for 100; job 3 fits the hole.
    const Trace trace = classic(4, {{0, 100, 100, 3}, {1, 50, 50, 4}, {2, 60, 90, 1}});
    EXPECT_EQ(starts(trace, sched::Policy::easy), (std::vector<std::int64_t>{0, 100, 2}));
    EXPECT_EQ(starts(trace, sched::Policy::fcfs), (std::vector<std::int64_t>{0, 100, 150}));
}

TEST(Simulator, DoesNotStartALongJobThatWouldDelayTheReservedOne) {
    const Trace trace = classic(4, {{0, 100, 100, 3}, {1, 50, 50, 4}, {2, 60, 99, 1}});
    EXPECT_EQ(starts(trace, sched::Policy::easy), (std::vector<std::int64_t>{0, 100, 150}));
}

TEST(Simulator, StartsALongJobBesideTheReservedOneWhenBothFit) {
    // The reserved job leaves one processor at 100, so a job without an end in sight may use it.
    const Trace trace = classic(4, {{0, 100, 100, 2}, {1, 50, 50, 3}, {2, 900, 900, 1}});
    EXPECT_EQ(starts(trace, sched::Policy::easy), (std::vector<std::int64_t>{0, 100, 2}));
}

TEST(Simulator, CountsAJobAtItsLimitAsGoneForSubmissionsOfThatSecond) {
    const Trace trace = classic(1, {{0, 10, 10, 1}, {10, 5, 5, 1}});
    EXPECT_EQ(starts(trace, sched::Policy::easy), (std::vector<std::int64_t>{0, 10}));
}

// Two sites of one processor each, an hour apart for what lies at the second one.
Trace with_data(const std::vector<std::array<std::int64_t, 4>>& jobs) {
    Trace trace = classic(1, jobs);
    trace.classic = false;
    trace.fleet.sites.push_back({.name = "far"});
    trace.fleet.sites.back().storage.datasets["era5"] = Bytes{3'600'000'000'000};
    trace.fleet.links = {{.between = {"machine", "far"}, .bytes_per_s = 1e9}};
    fleet::Pool far = trace.fleet.pools.front();
    far.name = "far";
    far.site = "far";
    trace.fleet.pools.push_back(far);
    trace.data_sets = {{"era5"}};
    for (TraceJob& job : trace.jobs)
        job.reads = 0;
    return trace;
}

TEST(Simulator, CopiesDataWhereThatLetsAJobStartSooner) {
    // The second one could start at its data after 10,000 s, and beside a copy after 3,600 s.
    const Trace trace = with_data({{0, 10'000, 10'000, 1}, {0, 100, 100, 1}});
    EXPECT_EQ(starts(trace, sched::Policy::easy), (std::vector<std::int64_t>{0, 3600}));
    const Result<Simulation> simulation = simulate(trace, {.policy = sched::Policy::easy});
    ASSERT_TRUE(simulation.has_value());
    EXPECT_EQ(simulation->jobs[0].pool, PoolId{1});
    EXPECT_EQ(simulation->jobs[1].pool, PoolId{0});
}

TEST(Simulator, SaysWhichDatasetNoSiteHas) {
    Trace trace = with_data({{0, 100, 100, 1}});
    trace.data_sets = {{"era"}};
    const Result<Simulation> simulation = simulate(trace, {.policy = sched::Policy::easy});
    ASSERT_FALSE(simulation.has_value());
    EXPECT_EQ(
        simulation.error().message,
        "small: datasets: no site of the fleet has 'era' (did you mean 'era5'?); write it under "
        "storage: {datasets: {era: 40TiB}} in the fleet file");
}

TEST(Simulator, LeavesOutWhoseDataNoLinkOrStorageLetsCome) {
    // A third site has a link to nobody, a storage too small, and the only chips of kind b.
    Trace trace = with_data({{0, 100, 100, 1}, {0, 100, 100, 1}, {0, 100, 100, 1}});
    trace.fleet.sites.push_back({.name = "island"});
    fleet::Pool island = trace.fleet.pools.front();
    island.name = island.site = "island";
    island.chip = "b";
    trace.fleet.pools.push_back(island);
    trace.chip_sets = {{"b"}};
    trace.jobs[1].accepts = trace.jobs[2].accepts = 0;
    trace.jobs[2].reads = unknown_name;
    const auto run = [&trace](bool each_site) {
        const auto simulation =
            simulate(trace, {.policy = sched::Policy::easy, .each_site = each_site});
        EXPECT_TRUE(simulation.has_value()) << simulation.error().message;
        return simulation ? *simulation : Simulation{};
    };
    const std::string sentence =
        "1 job left out: no site where they may run can have all that they read, because no link "
        "leads there or its storage is too small";
    for (const bool each_site : {false, true}) {
        const Simulation unjoined = run(each_site);
        EXPECT_EQ(unjoined.metrics.jobs, 2U);
        EXPECT_EQ(unjoined.metrics.jobs_skipped, 1U);
        EXPECT_THAT(unjoined.notes, ::testing::Contains(sentence));
    }
    trace.fleet.links.push_back({.between = {"far", "island"}, .bytes_per_s = 1e9});
    EXPECT_EQ(run(false).metrics.jobs, 3U);
    EXPECT_EQ(run(true).metrics.jobs, 3U);
    trace.fleet.sites.back().storage.capacity = Bytes{1'000'000'000'000};
    EXPECT_THAT(run(false).notes, ::testing::Contains(sentence));
    trace.jobs.erase(trace.jobs.begin(), trace.jobs.begin() + 1);
    trace.jobs.pop_back();
    const auto nobody = simulate(trace, {.policy = sched::Policy::easy});
    ASSERT_FALSE(nobody.has_value());
    EXPECT_THAT(nobody.error().message, ::testing::HasSubstr("1 read what cannot be brought"));
}

TEST(Simulator, BringsDataOverTwoLinksWhereNoneLeadsThereAlone) {
    Trace trace = with_data({{0, 100, 100, 1}, {5, 100, 100, 1}});
    trace.fleet.sites.push_back({.name = "island"});
    fleet::Pool island = trace.fleet.pools.front();
    island.name = island.site = "island";
    island.chip = "b";
    trace.fleet.pools.push_back(island);
    trace.fleet.links.push_back({.between = {"machine", "island"}, .bytes_per_s = 1e9});
    trace.chip_sets = {{"b"}};
    trace.jobs[1].accepts = 0;
    for (const bool each_site : {false, true}) {
        const auto simulation =
            simulate(trace, {.policy = sched::Policy::easy, .each_site = each_site});
        ASSERT_TRUE(simulation.has_value()) << simulation.error().message;
        EXPECT_EQ(simulation->metrics.jobs, 2U);
        EXPECT_EQ(simulation->metrics.jobs_skipped, 0U);
        EXPECT_GT(simulation->metrics.copies, 0U);
    }
}

TEST(Simulator, MeasuresWhatItSays) {
    const Trace trace = classic(2, {{0, 100, 100, 2}, {0, 100, 100, 1}, {50, 5, 10, 1}});
    const Result<Simulation> simulation = simulate(trace, {.policy = sched::Policy::easy});
    ASSERT_TRUE(simulation.has_value());
    const Metrics& metrics = simulation->metrics;
    // Waits 0, 100, 50; ends 100, 200, 105; (50 + 5) / 10 is the slowdown of the short one.
    EXPECT_EQ(metrics.jobs, 3U);
    EXPECT_DOUBLE_EQ(metrics.wait_mean_s, 50.0);
    EXPECT_DOUBLE_EQ(metrics.wait_median_s, 50.0);
    EXPECT_DOUBLE_EQ(metrics.wait_max_s, 100.0);
    EXPECT_DOUBLE_EQ(metrics.makespan_s, 200.0);
    EXPECT_DOUBLE_EQ(metrics.bounded_slowdown_mean, (1.0 + 2.0 + 5.5) / 3.0);
    EXPECT_DOUBLE_EQ(metrics.utilisation, (200.0 + 100.0 + 5.0) / 2.0 / 200.0);
}

TEST(Simulator, SaysWhatNinetyFivePerCentOfAFewJobsWaitedAtMost) {
    const Trace trace = classic(1, {{0, 100, 100, 1}, {0, 100, 100, 1}});
    const Result<Simulation> two = simulate(trace, {.policy = sched::Policy::easy});
    ASSERT_TRUE(two.has_value());
    EXPECT_DOUBLE_EQ(two->metrics.wait_median_s, 100.0);
    EXPECT_DOUBLE_EQ(two->metrics.wait_p95_s, 100.0);
    EXPECT_DOUBLE_EQ(two->metrics.wait_p99_s, 100.0);
    for (std::size_t n = 1; n <= 1000; ++n) {
        for (const std::size_t percent : {1, 25, 50, 75, 95, 99, 100}) {
            // So many are at or below it, and one fewer would be too few.
            const std::size_t rank = nearest_rank(n, percent);
            ASSERT_LT(rank, n);
            ASSERT_GE((rank + 1) * 100, n * percent);
            ASSERT_LT(rank * 100, n * percent);
        }
        ASSERT_GE(nearest_rank(n, 95), n / 2);
    }
}

TEST(Simulator, RepeatsItselfBitForBitAndScalesWithoutChangingTheWaits) {
    const Trace trace =
        classic(8, {{0, 30, 60, 5}, {1, 20, 40, 4}, {2, 10, 20, 3}, {3, 40, 50, 8}, {9, 5, 9, 1}});
    const Result<Simulation> once = simulate(trace, {});
    const Result<Simulation> again = simulate(trace, {});
    const Result<Simulation> tenfold = simulate(trace, {.scale = 10});
    ASSERT_TRUE(once.has_value() && again.has_value() && tenfold.has_value());
    EXPECT_EQ(once->metrics.digest, again->metrics.digest);
    EXPECT_EQ(tenfold->metrics.jobs, 50U);
    EXPECT_EQ(tenfold->fleet.chips_total(), 80U);
    EXPECT_LE(tenfold->metrics.wait_mean_s, once->metrics.wait_mean_s);
}

TEST(Simulator, DoesNotSplitBudgetsAndFaultsBetweenVirtualClusters) {
    Trace trace = classic(4, {{0, 100, 100, 2}});
    trace.names = {"vision"};
    trace.jobs[0].group = 0;
    trace.quotas_chips = {{"vision", 2}};
    trace.fleet.pools[0].node_mtbf = seconds(1000);
    SimulationOptions options{.apart = true};
    EXPECT_TRUE(simulate(trace, options).has_value());
    options.failures.faults = Faults::reliability;
    const auto faults = simulate(trace, options);
    ASSERT_FALSE(faults.has_value());
    EXPECT_EQ(faults.error().message,
              "--apart: nodes fail with --faults, and nobody says which of them belong to which "
              "virtual cluster; replay without --apart, or with --faults none");
    options.failures.faults = Faults::none;
    trace.fleet.sites[0].power_watts = 1000;
    EXPECT_TRUE(simulate(trace, options).has_value());  // nobody says what a node draws
    trace.fleet.pools[0].node_busy_watts = 100;
    trace.fleet.sites[0].power_watts = 0;
    const auto unmeasured = simulate(trace, options);
    ASSERT_TRUE(unmeasured.has_value());
    EXPECT_EQ(unmeasured->notes.back(),
              "with --apart no power is measured: which nodes of a rack are whose is not said");
    trace.fleet.sites[0].power_watts = 1000;
    const auto budget = simulate(trace, options);
    ASSERT_FALSE(budget.has_value());
    EXPECT_EQ(budget.error().message.rfind("--apart: the fleet has power budgets", 0), 0U);
}

TEST(Simulator, CountsProcessorsOfALogAsCpusWhereTheFleetHasNoChips) {
    Trace trace = classic(4, {{0, 100, 100, 2}, {0, 100, 100, 1}});
    fleet::Pool& pool = trace.fleet.pools.at(0);
    pool.chip.clear();
    pool.chips_per_node = 0;
    pool.nodes = 2;
    pool.cpus_milli = 2000;
    const Result<Simulation> simulation = simulate(trace, {});
    ASSERT_TRUE(simulation.has_value());
    EXPECT_DOUBLE_EQ(simulation->metrics.utilisation, 0.75);
}

TEST(Simulator, SaysThatABudgetLeavesNothingBesideIdleNodes) {
    Trace trace = classic(4, {{0, 100, 100, 1}});
    fleet::Pool& pool = trace.fleet.pools.at(0);
    pool.node_idle_watts = 100;
    pool.node_busy_watts = 200;
    pool.rack_power_watts = 400;
    const Result<Simulation> simulation = simulate(trace, {});
    ASSERT_FALSE(simulation.has_value());
    EXPECT_NE(simulation.error().message.find("an idle rack alone draws 400 W"), std::string::npos)
        << simulation.error().message;
}

TEST(Simulator, RefusesATraceOfWhichNothingIsLeftAndSaysWhy) {
    const Trace trace = classic(4, {{0, 10, 10, 5}});
    const Result<Simulation> simulation = simulate(trace, {});
    ASSERT_FALSE(simulation.has_value());
    EXPECT_EQ(simulation.error().code, Code::invalid);
    EXPECT_NE(simulation.error().message.find("1 more than the fleet could ever hold"),
              std::string::npos)
        << simulation.error().message;
}

TEST(Simulator, RefusesAScaleThatNoMachineCouldHave) {
    Trace trace = classic(4, {{0, 10, 10, 1}});
    trace.fleet.pools.at(0).nodes = 2'000'000;
    const Result<Simulation> simulation = simulate(trace, {.scale = 3000});
    ASSERT_FALSE(simulation.has_value());
    EXPECT_EQ(simulation.error().code, Code::too_large);
    EXPECT_NE(simulation.error().message.find("3000 times 2,000,000 nodes"), std::string::npos)
        << simulation.error().message;
}

}  // namespace
}  // namespace weir::sim
