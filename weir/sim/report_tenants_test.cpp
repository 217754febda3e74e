// Who got what, in reports of small runs whose numbers can be worked out by hand.
#include "weir/sim/report_tenants.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "weir/sim/report.hpp"
#include "weir/sim/report_compare.hpp"
#include "weir/sim/report_power.hpp"

namespace weir::sim {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::size_t count_of(const std::string& text, std::string_view what) {
    std::size_t count = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
        ++count;
    return count;
}

// Four nodes of two chips: a half is uni's (a part of it uni/a's), a half nobody's; firm owns
// nothing.
Trace small_trace() {
    Trace trace;
    trace.name = "small";
    trace.names = {"uni/a", "firm"};
    trace.fleet.sites.push_back({.name = "here"});
    fleet::Pool& pool = trace.fleet.pools.emplace_back();
    pool.name = "x";
    pool.site = "here";
    pool.chip = "x";
    pool.nodes = 4;
    pool.chips_per_node = 2;
    pool.cpus_milli = 8000;
    const auto add = [&](std::uint32_t who, int submit, int run, std::uint32_t chips) {
        TraceJob job;
        job.id = std::to_string(trace.jobs.size() + 1);
        job.group = who;
        job.submitted_at = at_seconds(submit);
        job.run = seconds(run);
        job.limit = seconds(run);
        job.chips = chips;
        trace.jobs.push_back(job);
    };
    add(0, 0, 3600, 6);     // of its own 4, borrowed 2
    add(1, 0, 1800, 1);     // borrowed
    add(1, 1800, 1800, 1);  // borrowed, beside the next one
    add(1, 1800, 900, 1);
    return trace;
}

SimulationOptions with_rights() {
    SimulationOptions options;
    options.organisations.resources = {{tenancy::Resource::Kind::chips, "x"}};
    options.organisations.tenants = {
        {},
        {.path = "uni", .parent = TenantId{0}, .quota = {{0, 3000}}},
        {.path = "uni/a", .parent = TenantId{1}, .quota = {{0, 1000}}},
        {.path = "firm", .parent = TenantId{0}},
    };
    return options;
}

TEST(HouseHours, AreOwnAsFarAsTheQuotasOfTheHouseReachAndBorrowedBeyond) {
    const Simulation run = simulate(small_trace(), with_rights()).value();
    EXPECT_EQ(run.houses.counted_in, "chip-hours");
    ASSERT_EQ(run.houses.houses.size(), 2U);  // uni with uni/a
    EXPECT_EQ(run.houses.houses[0].path, "uni");
    EXPECT_DOUBLE_EQ(run.houses.houses[0].owned, 4);
    EXPECT_DOUBLE_EQ(run.houses.houses[0].own, 4);
    EXPECT_DOUBLE_EQ(run.houses.houses[0].borrowed, 2);
    EXPECT_DOUBLE_EQ(run.houses.houses[1].owned, 0);
    EXPECT_DOUBLE_EQ(run.houses.houses[1].own, 0);
    EXPECT_DOUBLE_EQ(run.houses.houses[1].borrowed, 1.25);
    // Every chip of this fleet is named by a quota: together it is what the waterfall says.
    EXPECT_DOUBLE_EQ(tenancy::hours_of(run.books.total.held()), 7.25);
}

TEST(HouseHours, BehindTheMostImportantAreFolded) {
    std::vector<HouseHours> houses;
    for (int i = 0; i < 6; ++i)
        houses.push_back({.path = std::to_string(i), .owned = 1, .own = 1.0 * i, .borrowed = 1});
    const std::vector<HouseHours> shown = folded(houses, 3);
    ASSERT_EQ(shown.size(), 4U);
    EXPECT_EQ(shown[0].path, "5");
    EXPECT_EQ(shown[3].path, "3 others");
    EXPECT_DOUBLE_EQ(shown[3].own, 0 + 1 + 2);
    EXPECT_DOUBLE_EQ(shown[3].borrowed, 3);
    EXPECT_EQ(folded(houses, 5).size(), 6U);  // one of them alone is no "others"
}

TEST(TenantsReport, ShowsWhatWasBorrowedAndWhereEveryAttemptWas) {
    const Trace trace = small_trace();
    const Simulation run = simulate(trace, with_rights()).value();
    const std::string html = html_report(trace, run, {"weir", ""});
    EXPECT_THAT(html,
                AllOf(HasSubstr("Own rights and what was borrowed"),
                      HasSubstr("uni: 4 chip-hours of its own, 2 borrowed; it owns 4"),
                      HasSubstr("44.8 % of all that was held was borrowed"),
                      HasSubstr("Every node"),
                      HasSubstr("job 1 of uni/a: on 3 nodes for 1h"),
                      Not(HasSubstr("http"))));
    EXPECT_EQ(count_of(html, "<svg"), count_of(html, "</svg>"));
    // One rectangle for three neighbours; the two that share a node lie beside one another.
    const std::string nodes = nodes_chart(trace, run);
    EXPECT_EQ(count_of(nodes, "<title>job"), 4U);
    EXPECT_EQ(count_of(nodes, "class=\"f0\""), 1U);
    EXPECT_EQ(count_of(nodes, "class=\"f1\""), 3U);
}

TEST(TenantsReport, SaysNothingOfRightsWhereThereAreNoneNorOfNodesWhereThereAreTooMany) {
    Trace trace = small_trace();
    const std::string plain = html_report(trace, simulate(trace, {}).value(), {"weir", ""});
    EXPECT_THAT(plain, AllOf(Not(HasSubstr("Own rights")), HasSubstr("Every node")));
    trace.fleet.pools[0].nodes = 1000;
    trace.jobs[0].chips = 2000;
    const std::string wide = html_report(trace, simulate(trace, {}).value(), {"weir", ""});
    EXPECT_THAT(wide, Not(HasSubstr("Every node")));
    while (trace.jobs.size() <= held_attempts_max)
        trace.jobs.push_back(trace.jobs.back());
    EXPECT_TRUE(simulate(trace, {}).value().attempts.empty());
}

TEST(ComparisonReport, HasTenantsSideBySide) {
    const Trace trace = small_trace();
    std::vector<RunSummary> runs;
    runs.push_back(summary_of(trace, simulate(trace, with_rights()).value(), "lent", "weir", {}));
    runs.push_back(summary_of(trace, simulate(trace, {}).value(), "free", "weir", {}));
    const std::string html = comparison_report(runs, {.title = "small", .command = ""});
    EXPECT_THAT(html,
                AllOf(HasSubstr("Who got what"),
                      HasSubstr("lent: of it borrowed"),
                      HasSubstr("lent, firm: 1.25, mean wait"),
                      HasSubstr("free, uni/a: 6, mean wait")));
    EXPECT_EQ(count_of(html, "<details"), count_of(html, "</details>"));
}

TEST(RacksChart, ShowsEachCapWhereOtherRacksHaveNone) {
    const std::string chart =
        racks_chart({{.pool = PoolId{0}, .cap_watts = 900, .mean_watts = 400, .max_watts = 800},
                     {.pool = PoolId{1}, .cap_watts = 0, .mean_watts = 300, .max_watts = 500}});
    EXPECT_EQ(count_of(chart, "class=\"cap\""), 1U);
}

}  // namespace
}  // namespace weir::sim
