// Real logs, where they are: counts that their publishers and an independent reader state.
//
// The folder is $WEIR_TRACES, or shared/traces beside the source folder. The repository carries no
// third-party log; without the folder these tests are skipped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

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

}  // namespace
}  // namespace weir::sim
