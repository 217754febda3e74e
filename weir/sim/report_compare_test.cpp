// Reports with power, failures and several runs, of small runs whose numbers are worked out by
// hand.
#include "weir/sim/report_compare.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "weir/sim/report.hpp"
#include "weir/sim/report_compare_charts.hpp"
#include "weir/sim/report_power.hpp"

namespace weir::sim {
namespace {

using ::testing::AllOf;
using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

fleet::Fleet powered_fleet() {
    fleet::Fleet fleet;
    fleet.sites.push_back({.name = "here"});
    fleet::Pool& pool = fleet.pools.emplace_back();
    pool.name = "ai-a";
    pool.site = "here";
    pool.chip = "chip";
    pool.nodes = 5;
    pool.chips_per_node = 4;
    pool.nodes_per_rack = 2;  // racks of 2, 2 and 1 nodes
    pool.node_idle_watts = 100;
    pool.node_busy_watts = 500;  // 100 W a chip
    return fleet;
}

struct Replayed {
    Trace trace;
    Simulation result;
};

// Three jobs of 4 chips: 0 s to 100 s, and two that wait until 100 s, promised 130 s and 90 s.
Replayed replayed() {
    Replayed run;
    run.trace.name = "small <run>";
    run.result.fleet = powered_fleet();
    for (std::uint32_t i = 0; i < 3; ++i) {
        TraceJob job;
        job.id = "job-" + std::to_string(i);
        job.submitted_at = at_seconds(i);
        job.run = seconds(100);
        job.chips = 4;
        run.trace.jobs.push_back(job);
        const int start = i == 0 ? 0 : 100;
        run.result.jobs.push_back({.trace_job = i,
                                   .start = at_seconds(start),
                                   .end = at_seconds(start + 100),
                                   .nodes = 1,
                                   .chips = 4,
                                   .pool = PoolId{0}});
    }
    run.result.metrics.jobs = 3;
    run.result.metrics.wait_max_s = 99;
    run.result.metrics.makespan_s = 200;
    return run;
}

std::size_t count_of(const std::string& text, std::string_view what) {
    std::size_t count = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
        ++count;
    return count;
}

void expect_whole(const std::string& html) {
    EXPECT_EQ(count_of(html, "<svg"), count_of(html, "</svg>"));
    EXPECT_EQ(count_of(html, "<section"), count_of(html, "</section>"));
    EXPECT_EQ(count_of(html, "<details"), count_of(html, "</details>"));
    EXPECT_THAT(html,
                AllOf(Not(HasSubstr("http")),
                      Not(HasSubstr("<script")),
                      Not(HasSubstr(">nan")),
                      Not(HasSubstr("\"nan")),
                      Not(HasSubstr("small <run>"))));
}

TEST(CapCost, CountsWhatEveryLevelCanFeed) {
    fleet::Fleet fleet = powered_fleet();
    ReportData data;
    data.series.bin_s = 3600;
    data.series.waiting = {0, 3, 100};
    data.waiting_for = {{{}, {0, 3, 100}}};
    EXPECT_EQ(cap_cost(fleet, data).chips_fed, 20U);
    EXPECT_EQ(power_allowed_watts(fleet), 0);
    // 750 W: 550 W over two idle nodes feed 5 chips, and one node has only 4.
    fleet.pools[0].rack_power_watts = 750;
    EXPECT_EQ(cap_cost(fleet, data).chips_fed, 14U);
    EXPECT_THAT(cap_cost(fleet, data).chip_hours_waited, DoubleEq(3 + 6));
    EXPECT_THAT(power_allowed_watts(fleet), DoubleEq(750 + 750 + 500));
    // A pod of two racks may draw 1,000 W: 400 idle, so 6 chips; the other pod is the third rack.
    fleet.pools[0].racks_per_pod = 2;
    fleet.pools[0].pod_power_watts = 1000;
    EXPECT_EQ(cap_cost(fleet, data).chips_fed, 10U);
    EXPECT_THAT(power_allowed_watts(fleet), DoubleEq(1000 + 500));
    fleet.sites[0].power_watts = 800;
    EXPECT_EQ(cap_cost(fleet, data).chips_fed, 3U);
    EXPECT_THAT(power_allowed_watts(fleet), DoubleEq(800));
    fleet.sites[0].power_watts = 400;  // less than they draw idle
    EXPECT_EQ(cap_cost(fleet, data).chips_fed, 0U);
}

TEST(CapCost, CountsOnlyJobsThatAcceptWhatIsDark) {
    fleet::Fleet fleet = powered_fleet();
    fleet.pools[0].rack_power_watts = 750;  // 6 of 20 chips are dark
    fleet::Pool other = fleet.pools[0];
    other.name = "ai-b";
    other.chip = "other";
    other.rack_power_watts = 0;
    fleet.pools.push_back(other);
    ReportData data;
    data.series.bin_s = 3600;
    data.series.waiting = {50, 50};
    data.waiting_for = {{{"other"}, {50, 50}}};
    EXPECT_EQ(cap_cost(fleet, data).chips - cap_cost(fleet, data).chips_fed, 6U);
    EXPECT_EQ(cap_cost(fleet, data).chip_hours_waited, 0);
    // Some of them take the dark ones as well, and so do those that take any.
    data.waiting_for = {{{"other"}, {48, 40}}, {{"chip", "other"}, {2, 5}}, {{}, {0, 5}}};
    EXPECT_THAT(cap_cost(fleet, data).chip_hours_waited, DoubleEq(2 + 6));
}

TEST(Report, KnowsWhatKindsOfChipWereWaitedFor) {
    Replayed run = replayed();
    run.trace.chip_sets = {{"chip", "other"}};
    run.trace.jobs[2].accepts = 0;
    const ReportData data = report_data(run.trace, run.result, 4);
    ASSERT_EQ(data.waiting_for.size(), 2U);
    EXPECT_THAT(data.waiting_for[0].chips, ElementsAre("chip", "other"));
    EXPECT_THAT(data.waiting_for[1].chips, ElementsAre());
    for (std::size_t bin = 0; bin < data.series.waiting.size(); ++bin)
        EXPECT_THAT(data.waiting_for[0].waiting[bin] + data.waiting_for[1].waiting[bin],
                    DoubleEq(data.series.waiting[bin]));
}

TEST(PowerBins, AreExactMeansOfSteps) {
    const std::vector<PowerPoint> power{
        {at_seconds(0), 100}, {at_seconds(15), 300}, {at_seconds(20), 0}};
    EXPECT_THAT(power_bins(power, 0, 10, 3), ElementsAre(100, 200, 0));
}

TEST(Report, TellsPromisesPowerAndFailuresOnlyWhereThereAreAny) {
    Replayed run = replayed();
    const ReportOptions options{.policy = "weir", .command = ""};
    EXPECT_THAT(
        html_report(run.trace, run.result, options),
        AllOf(
            Not(HasSubstr("Promises")), Not(HasSubstr("<h2>Power")), Not(HasSubstr("lost work"))));

    run.result.jobs[1].promised = at_seconds(130);
    run.result.jobs[2].promised = at_seconds(90);
    run.result.jobs[2].attempts = 2;
    run.result.jobs[2].failures = 1;
    Metrics& m = run.result.metrics;
    m.promises = 2;
    m.promises_broken = 1;
    m.promise_late_max_s = 10;
    m.node_failures = 1;
    m.attempts_failed = 1;
    m.useful_share = 0.75;
    m.lost_share = 0.25;
    m.redone_share = 0.1;
    m.checkpoint_share = 0.09;
    m.restart_share = 0.06;
    m.energy_kwh = 12;
    m.power_max_watts = 1300;
    run.result.fleet.pools[0].rack_power_watts = 750;
    run.result.racks = {{PoolId{0}, 0, 750, 400, 700, 0},
                        {PoolId{0}, 1, 750, 300, 800, 30},
                        {PoolId{0}, 2, 750, 100, 100, 0}};
    run.result.power = {{at_seconds(0), 500}, {at_seconds(100), 1300}, {at_seconds(200), 500}};
    const std::string html = html_report(run.trace, run.result, options);
    expect_whole(html);
    EXPECT_EQ(count_of(html, "<svg"), count_of(html, "The numbers as a table"));
    EXPECT_THAT(html,
                AllOf(HasSubstr("2 jobs of 3 were promised a start"),
                      HasSubstr("1 (50.0 %) started by then, on average 30s before it"),
                      HasSubstr("1 started later, by 10s at most"),
                      HasSubstr("1 rack was at some time over the cap"),
                      HasSubstr("the caps allow 2 kW"),
                      HasSubstr("at most 14 of 20 chips"),
                      HasSubstr("useful 75.0 %"),
                      HasSubstr("done again 10.0 %"),
                      HasSubstr("checkpoints: 9.0 %"),
                      HasSubstr("gantt-again"),
                      HasSubstr("2 attempts: 1 ended by a failed node")));
    EXPECT_EQ(html, html_report(run.trace, run.result, options));
}

std::vector<RunSummary> sweep_runs(std::size_t loads) {
    std::vector<RunSummary> runs;
    const Replayed run = replayed();
    for (const char* policy : {"easy", "weir"}) {
        for (std::size_t i = 0; i < loads; ++i) {
            const std::string value = std::to_string(i + 1) + "x";
            runs.push_back(summary_of(run.trace,
                                      run.result,
                                      std::string(policy) + " load=" + value,
                                      policy,
                                      {{"load", value}}));
            runs.back().metrics.wait_mean_s = static_cast<double>(100 * (i + 1));
            runs.back().metrics.wall_s = static_cast<double>(i);
        }
    }
    return runs;
}

TEST(ComparisonReport, HoldsAllRunsInOneFileThatIsEqualForEqualRuns) {
    std::vector<RunSummary> runs = sweep_runs(3);
    runs[4].notes = {"left out & lost"};
    const ComparisonOptions options{.title = "small <run>", .command = "weir simulate x"};
    const std::string html = comparison_report(runs, options);
    expect_whole(html);
    EXPECT_THAT(html,
                AllOf(HasSubstr("6 runs compared"),
                      HasSubstr("What follows from load"),
                      HasSubstr("<b>100 s&nbsp;*</b>"),
                      HasSubstr("<small>+200.0 %</small>"),
                      HasSubstr("weir load=2x: left out &amp; lost"),
                      Not(HasSubstr("<h2>Power"))));
    EXPECT_EQ(count_of(html, "run r5 d1"), 6U);  // a line and its legend in three charts
    runs[2].metrics.wall_s = 99;                 // how fast a run was is not part of it
    EXPECT_EQ(html, comparison_report(runs, options));
}

TEST(ComparisonReport, PutsMoreRunsThanEyesCanFollowIntoTables) {
    const std::vector<RunSummary> runs = sweep_runs(32);
    const std::string html = comparison_report(runs, {.title = "many", .command = ""});
    expect_whole(html);
    EXPECT_LT(html.size(), 2'000'000U);
    EXPECT_THAT(html,
                AllOf(HasSubstr("weir load=32x"),
                      HasSubstr("What follows from load"),
                      Not(HasSubstr("aria-label=\"Mean wait by job size\""))));
}

TEST(Sweep, IsOneKeyWithAllValuesForEveryPolicy) {
    std::vector<RunSummary> runs = sweep_runs(3);
    const auto sweep = sweep_of(runs);
    ASSERT_TRUE(sweep.has_value());
    EXPECT_THAT(sweep->policies, ElementsAre("easy", "weir"));
    EXPECT_THAT(sweep->values, ElementsAre("1x", "2x", "3x"));
    EXPECT_EQ(sweep->runs[1][2], 5U);
    runs.pop_back();
    EXPECT_FALSE(sweep_of(runs).has_value());
    EXPECT_FALSE(sweep_of(sweep_runs(2)).has_value());
}

}  // namespace
}  // namespace weir::sim
