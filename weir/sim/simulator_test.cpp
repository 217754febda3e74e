// The simulator on small logs whose schedule can be checked by hand, and on the real ones, job by
// job, against reference schedules that other simulators made.
#include "weir/sim/simulator.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>

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

TEST(Simulator, RefusesATraceOfWhichNothingIsLeftAndSaysWhy) {
    const Trace trace = classic(4, {{0, 10, 10, 5}});
    const Result<Simulation> simulation = simulate(trace, {});
    ASSERT_FALSE(simulation.has_value());
    EXPECT_EQ(simulation.error().code, Code::invalid);
    EXPECT_NE(simulation.error().message.find("1 too large for the fleet"), std::string::npos)
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

// ---------------------------------------------------------------------------------------------
// Real logs

std::filesystem::path traces_folder() {
    if (const char* const folder = std::getenv("WEIR_TRACES")) return folder;
    return std::filesystem::path(WEIR_SOURCE_DIR) / ".." / "shared" / "traces";
}

#define WEIR_NEEDS_TRACES()                                \
    if (!std::filesystem::exists(traces_folder() / "ref")) \
    GTEST_SKIP() << "no real logs in " << traces_folder()  \
                 << "; set WEIR_TRACES to the folder that has them"

// Column `name` of a gzip-compressed CSV of whole numbers, by its first column.
std::map<std::string, std::int64_t> column(const std::filesystem::path& path,
                                           const std::string& name) {
    std::string text;
    gzFile file = gzopen(path.c_str(), "rb");
    char buffer[1 << 16];
    for (int got = 0; (got = gzread(file, buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<std::size_t>(got));
    gzclose(file);
    std::map<std::string, std::int64_t> values;
    std::istringstream lines(text);
    std::string line;
    std::size_t wanted = 0;
    for (bool first = true; std::getline(lines, line); first = false) {
        std::istringstream cells(line);
        std::string cell;
        std::string id;
        for (std::size_t i = 0; std::getline(cells, cell, ','); ++i) {
            if (first && cell == name) wanted = i;
            if (i == 0) id = cell;
            if (!first && i == wanted) values[id] = std::stoll(cell);
        }
        if (first && wanted == 0) ADD_FAILURE() << path << " has no column " << name;
    }
    return values;
}

void expect_reference_waits(const std::string& name, sched::Policy policy, double slowdown) {
    const Result<Trace> trace = read_trace((traces_folder() / (name + ".swf.gz")).string());
    ASSERT_TRUE(trace.has_value()) << trace.error().message;
    const Result<Simulation> simulation = simulate(*trace, {.policy = policy});
    ASSERT_TRUE(simulation.has_value()) << simulation.error().message;
    EXPECT_NEAR(simulation->metrics.bounded_slowdown_mean, slowdown, 0.00006);
    const std::string wanted = "wait_" + std::string(sched::name_of(policy));
    const auto reference = column(traces_folder() / "ref" / (name + ".waits.csv.gz"), wanted);
    ASSERT_EQ(simulation->jobs.size(), reference.size());
    std::size_t different = 0;
    for (const ScheduledJob& job : simulation->jobs) {
        const TraceJob& its = trace->jobs[job.trace_job];
        const auto known = reference.find(its.id);
        if (known == reference.end() ||
            known->second != whole_seconds(job.start - its.submitted_at)) {
            ++different;
        }
    }
    EXPECT_EQ(different, 0U);
}

TEST(RealLogs, EveryWaitOnKthUnderEasyIsTheReferences) {
    WEIR_NEEDS_TRACES();
    expect_reference_waits("kth-sp2-1996", sched::Policy::easy, 92.5765);
}

TEST(RealLogs, EveryWaitOnSdscUnderEasyIsTheReferences) {
    WEIR_NEEDS_TRACES();
    expect_reference_waits("sdsc-sp2-1998", sched::Policy::easy, 87.8703);
}

TEST(RealLogs, EveryWaitOnThetaUnderEasyAndFcfsIsTheReferences) {
    WEIR_NEEDS_TRACES();
    expect_reference_waits("theta-2022", sched::Policy::easy, 114.7112);
    expect_reference_waits("theta-2022", sched::Policy::fcfs, 385.1785);
}

TEST(RealLogs, FcfsOnKthAndSdscHasTheReferenceMeans) {
    WEIR_NEEDS_TRACES();
    const auto expect_mean = [](const std::string& name, double wait_s, double slowdown) {
        const Result<Trace> trace = read_trace((traces_folder() / (name + ".swf.gz")).string());
        ASSERT_TRUE(trace.has_value()) << trace.error().message;
        const Result<Simulation> simulation = simulate(*trace, {.policy = sched::Policy::fcfs});
        ASSERT_TRUE(simulation.has_value());
        EXPECT_NEAR(simulation->metrics.wait_mean_s, wait_s, 0.06);
        EXPECT_NEAR(simulation->metrics.bounded_slowdown_mean, slowdown, 0.00006);
    };
    expect_mean("kth-sp2-1996", 353'776.4, 6'814.9733);
    expect_mean("sdsc-sp2-1998", 1'535'568.6, 13'823.5339);
}

TEST(RealLogs, FifoOnPhillyHasTheReferenceMetricsApartAndPooled) {
    WEIR_NEEDS_TRACES();
    // October and November 2017, as seconds from the zero of the trace.
    const Time from = at_seconds(2'294'959);
    const Time until = at_seconds(7'565'299);
    struct Row {
        const char* variant;
        bool apart;
        double queue_s, completion_s, utilisation;
    };
    for (const Row& row : {Row{"", true, 104.6, 11'585.3, 0.1365},
                           Row{"", false, 0.0, 11'480.7, 0.1365},
                           Row{"quarter", true, 181'574.3, 193'055.0, 0.3779},
                           Row{"quarter", false, 4'561.4, 16'042.1, 0.5461}}) {
        SCOPED_TRACE(std::string(row.variant) + (row.apart ? " apart" : " pooled"));
        const Result<Trace> trace = read_trace((traces_folder() / "philly-2017.csv.gz").string(),
                                               {.variant = row.variant, .progress = {}});
        ASSERT_TRUE(trace.has_value()) << trace.error().message;
        const Result<Simulation> simulation = simulate(
            *trace,
            {.policy = sched::Policy::fcfs, .from = from, .until = until, .apart = row.apart});
        ASSERT_TRUE(simulation.has_value()) << simulation.error().message;
        EXPECT_EQ(simulation->metrics.jobs, 68'503U);
        EXPECT_NEAR(simulation->metrics.wait_mean_s, row.queue_s, 0.005 * row.queue_s + 0.05);
        EXPECT_NEAR(
            simulation->metrics.completion_mean_s, row.completion_s, 0.005 * row.completion_s);
        EXPECT_NEAR(simulation->metrics.utilisation, row.utilisation, 0.005 * row.utilisation);
    }
}

TEST(RealLogs, SharesOfChipsAndMixedNodesReplayOnOpenb) {
    WEIR_NEEDS_TRACES();
    const Result<Trace> trace = read_trace((traces_folder() / "openb-2023.csv.gz").string());
    ASSERT_TRUE(trace.has_value()) << trace.error().message;
    const Result<Simulation> simulation = simulate(*trace, {});
    ASSERT_TRUE(simulation.has_value()) << simulation.error().message;
    EXPECT_GT(simulation->metrics.jobs, 8'000U);
    EXPECT_EQ(simulation->metrics.wait_max_s, 0.0);  // its load is a five-hundredth
}

}  // namespace
}  // namespace weir::sim
