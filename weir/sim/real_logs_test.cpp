// Real logs, where they are: counts that their publishers and an independent reader state, and
// replays, job by job, against reference schedules.
//
// The folder is $WEIR_TRACES, or shared/traces beside the source folder. The repository carries no
// third-party log; without the folder these tests are skipped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>

#include "weir/sim/audited.hpp"
#include "weir/sim/failures.hpp"
#include "weir/sim/simulator.hpp"
#include "weir/sim/trace.hpp"

namespace weir::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string folder() {
    if (const char* given = std::getenv("WEIR_TRACES"); given != nullptr && *given != '\0') {
        return given;
    }
    return std::string(WEIR_SOURCE_DIR) + "/../shared/traces";
}

#define NEEDS(path)                                                                           \
    if (!std::filesystem::exists(path)) {                                                     \
        GTEST_SKIP() << (path) << " is not there; WEIR_TRACES names the folder of real logs"; \
    }

TraceOptions variant(std::string name) {
    TraceOptions options;
    options.variant = std::move(name);
    return options;
}

struct Sums {
    double work = 0;  // seconds x processors or devices
    Time last{};
};

Sums sums_of(const Trace& trace) {
    Sums sums;
    for (const TraceJob& job : trace.jobs) {
        sums.work += as_seconds(job.run) * job.chips * job.chip_permille / 1000.0;
        sums.last = job.submitted_at;
    }
    return sums;
}

// Work over capacity and the span of the submissions: the published load of each log.
double load_of(const Trace& trace) {
    const Sums sums = sums_of(trace);
    return sums.work / static_cast<double>(trace.fleet.chips_total()) /
           as_seconds(sums.last - trace.jobs.front().submitted_at);
}

TEST(RealLogs, KthHas28481JobsAfterCleaning) {
    const std::string path = folder() + "/kth-sp2-1996.swf.gz";
    NEEDS(path);
    const auto trace = read_trace(path);
    ASSERT_TRUE(trace.has_value()) << trace.error().message;
    EXPECT_EQ(trace->name, "kth-sp2-1996");
    EXPECT_EQ(trace->jobs.size(), 28481U);
    EXPECT_EQ(trace->fleet.pools.at(0).nodes, 100U);
    EXPECT_EQ(trace->zero_utc, at_seconds(843480031));
    EXPECT_THAT(trace->notes, ElementsAre(HasSubstr("R3: 8 jobs"), HasSubstr("R5: 475 jobs")));
    EXPECT_NEAR(load_of(*trace), 0.6856, 0.00005);
}

TEST(RealLogs, SdscAndThetaLoseNoJob) {
    const std::string sdsc_path = folder() + "/sdsc-sp2-1998.swf.gz";
    const std::string theta_path = folder() + "/theta-2022.swf.gz";
    NEEDS(sdsc_path);
    NEEDS(theta_path);
    const auto sdsc = read_trace(sdsc_path);
    ASSERT_TRUE(sdsc.has_value()) << sdsc.error().message;
    EXPECT_EQ(sdsc->jobs.size(), 54006U);
    EXPECT_EQ(sdsc->fleet.pools.at(0).nodes, 128U);
    EXPECT_NEAR(load_of(*sdsc), 0.8230, 0.00005);
    const auto theta = read_trace(theta_path);
    ASSERT_TRUE(theta.has_value()) << theta.error().message;
    EXPECT_EQ(theta->jobs.size(), 23909U);
    EXPECT_THAT(theta->notes, ElementsAre(HasSubstr("R5: 6,264 jobs")));
    EXPECT_NEAR(load_of(*theta), 0.7528, 0.00005);
}

TEST(RealLogs, PhillyHasAMachineQuotasAndAQuarterVariant) {
    const std::string path = folder() + "/philly-2017.csv.gz";
    NEEDS(path);
    const auto full = read_trace(path);
    ASSERT_TRUE(full.has_value()) << full.error().message;
    EXPECT_EQ(full->jobs.size(), 82247U);
    EXPECT_EQ(full->fleet.chips_total(), 2816U);
    EXPECT_EQ(full->quotas_chips.size(), 11U);
    EXPECT_EQ(full->zero_utc, parse_time("2017-09-04T10:30:41Z").value());
    const auto quarter = read_trace(path, variant("quarter"));
    ASSERT_TRUE(quarter.has_value()) << quarter.error().message;
    EXPECT_EQ(quarter->fleet.chips_total(), 704U);
    EXPECT_EQ(quarter->quotas_chips.at("vc-ee9e8c"), 128U);
}

TEST(RealLogs, OpenbHasSharesTypesAndAllItsPods) {
    const std::string path = folder() + "/openb-2023.csv.gz";
    NEEDS(path);
    const auto trace = read_trace(path);
    ASSERT_TRUE(trace.has_value()) << trace.error().message;
    EXPECT_EQ(trace->jobs.size(), 8152U);
    EXPECT_EQ(trace->fleet.chips_total(), 6212U);
    EXPECT_EQ(trace->fleet.nodes_total(), 1523U);
    std::size_t shared = 0;
    std::size_t with_chips = 0;
    std::size_t constrained = 0;
    for (const TraceJob& job : trace->jobs) {
        if (job.chips > 0) ++with_chips;
        if (job.chip_permille < 1000) ++shared;
        if (job.accepts != unknown_name) ++constrained;
    }
    EXPECT_EQ(with_chips, 7064U);
    EXPECT_NEAR(static_cast<double>(shared) / static_cast<double>(with_chips), 0.44, 0.005);
    EXPECT_GT(constrained, 1000U);
}

TEST(RealLogs, EagleHasUsersAccountsAndLimits) {
    const std::string path = folder() + "/eagle-2019-sample.csv.gz";
    NEEDS(path);
    const auto trace = read_trace(path);
    ASSERT_TRUE(trace.has_value()) << trace.error().message;
    EXPECT_EQ(trace->jobs.size(), 1000U);
    EXPECT_EQ(trace->fleet.nodes_total(), 2114U);
    EXPECT_EQ(trace->jobs[0].id, "532207");
    EXPECT_EQ(trace->jobs[0].nodes, 10U);
    EXPECT_EQ(trace->jobs[0].limit, seconds(172800));
    EXPECT_EQ(trace->names.at(trace->jobs[0].user), "user0014");
}

// ---------------------------------------------------------------------------------------------
// Replayed, against reference schedules that other simulators made

// Column `name` of a gzip-compressed CSV of whole numbers, by its first column.
std::map<std::string, std::int64_t> column(const std::string& path, const std::string& name) {
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
    const Result<Trace> trace = read_trace(folder() + "/" + name + ".swf.gz");
    ASSERT_TRUE(trace.has_value()) << trace.error().message;
    const Result<Simulation> simulation = simulate(*trace, {.policy = policy});
    ASSERT_TRUE(simulation.has_value()) << simulation.error().message;
    EXPECT_NEAR(simulation->metrics.bounded_slowdown_mean, slowdown, 0.00006);
    const std::string wanted = "wait_" + std::string(sched::text_of(policy));
    const auto reference = column(folder() + "/ref/" + name + ".waits.csv.gz", wanted);
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
    NEEDS(folder() + "/ref");
    expect_reference_waits("kth-sp2-1996", sched::Policy::easy, 92.5765);
}

TEST(RealLogs, EveryWaitOnSdscUnderEasyIsTheReferences) {
    NEEDS(folder() + "/ref");
    expect_reference_waits("sdsc-sp2-1998", sched::Policy::easy, 87.8703);
}

TEST(RealLogs, EveryWaitOnThetaUnderEasyAndFcfsIsTheReferences) {
    NEEDS(folder() + "/ref");
    expect_reference_waits("theta-2022", sched::Policy::easy, 114.7112);
    expect_reference_waits("theta-2022", sched::Policy::fcfs, 385.1785);
}

TEST(RealLogs, FcfsOnKthAndSdscHasTheReferenceMeans) {
    NEEDS(folder() + "/ref");
    const auto expect_mean = [](const std::string& name, double wait_s, double slowdown) {
        const Result<Trace> trace = read_trace(folder() + "/" + name + ".swf.gz");
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
    NEEDS(folder() + "/ref");
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
        const Result<Trace> trace =
            read_trace(folder() + "/philly-2017.csv.gz", {.variant = row.variant, .progress = {}});
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
    NEEDS(folder() + "/ref");
    const Result<Trace> trace = read_trace(folder() + "/openb-2023.csv.gz");
    ASSERT_TRUE(trace.has_value()) << trace.error().message;
    const Result<Simulation> simulation = simulate(*trace, {});
    ASSERT_TRUE(simulation.has_value()) << simulation.error().message;
    EXPECT_GT(simulation->metrics.jobs, 8'000U);
    EXPECT_EQ(simulation->metrics.wait_max_s, 0.0);  // its load is a five-hundredth
}

// ---------------------------------------------------------------------------------------------
// Judged by who knows only their event logs

TEST(RealLogs, TheCheckerFindsNothingWrongWithTheirReplays) {
    for (const char* name : {"kth-sp2-1996.swf.gz", "philly-2017.csv.gz", "openb-2023.csv.gz"}) {
        NEEDS(folder() + "/" + name);
        SCOPED_TRACE(name);
        const Result<Trace> trace = read_trace(folder() + "/" + name);
        ASSERT_TRUE(trace.has_value()) << trace.error().message;
        for (const sched::Policy& policy : {sched::Policy::fcfs, sched::Policy::easy}) {
            const Audited outcome = audited(*trace, {.policy = policy});
            const Result<Simulation> plain = simulate(*trace, {.policy = policy});
            ASSERT_TRUE(plain.has_value());
            EXPECT_EQ(outcome.report.starts, outcome.simulation.jobs.size());
            EXPECT_EQ(outcome.simulation.metrics.digest, plain->metrics.digest);
        }
    }
}

// 1,024-chip training jobs of three weeks on 400 nodes that fail as those of a real cluster did.
TEST(RealLogs, AdvisedCheckpointsLoseLessWorkAndReplacedNodesKeepAGangGoing) {
    const std::string path = folder() + "/side/infinitehbd-2024.faults.csv.gz";
    NEEDS(path);
    const Result<FaultLog> faults = read_fault_log(path);
    ASSERT_TRUE(faults.has_value()) << faults.error().message;
    EXPECT_EQ(faults->names.size(), 231U);
    Trace trace;
    trace.name = "training";
    trace.fleet.sites = {{.name = "here"}};
    fleet::Pool pool;
    pool.name = "a";
    pool.site = "here";
    pool.chip = "chip";
    pool.nodes = 400;
    pool.chips_per_node = 8;
    trace.fleet.pools = {pool};
    for (std::int64_t i = 0; i < 36; ++i) {
        TraceJob job;
        job.id = std::to_string(i);
        job.submitted_at = at_seconds(i * 86'400);
        job.run = seconds(21 * 86'400);
        job.limit = seconds(30 * 86'400);
        job.nodes = 128;
        job.chips = 1024;
        trace.jobs.push_back(job);
    }
    SimulationOptions options{.policy = sched::Policy::weir};
    options.failures.faults = Faults::log;
    options.failures.log = *faults;
    options.checkpoints = {.rule = CheckpointRule::fixed,
                           .every = seconds(3 * 3600),
                           .cost = seconds(90),
                           .restart = seconds(600)};
    const Metrics fixed = audited(trace, options).simulation.metrics;
    options.checkpoints.rule = CheckpointRule::daly;
    const Metrics advised = audited(trace, options).simulation.metrics;
    EXPECT_GT(fixed.attempts_failed, 100U);
    EXPECT_GT(advised.useful_share, fixed.useful_share);
    EXPECT_LT(advised.redone_share, fixed.redone_share);

    options.failures.replace = true;
    const Metrics replaced = audited(trace, options).simulation.metrics;
    EXPECT_GT(replaced.nodes_replaced, 100U);
    EXPECT_GT(replaced.useful_share, 0.965);
    const auto from_start_to_end_s = [](const Metrics& m) {
        return m.completion_mean_s - m.wait_mean_s;
    };
    EXPECT_LT(from_start_to_end_s(replaced), 0.9 * from_start_to_end_s(advised));
    for (const Metrics& m : {fixed, advised, replaced}) {
        EXPECT_NEAR(m.lost_share, m.redone_share + m.checkpoint_share + m.restart_share, 1e-9);
    }
}

}  // namespace
}  // namespace weir::sim
