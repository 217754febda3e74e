// Sites as centres of their own, on fleets small enough to be worked out by hand.
#include "weir/sim/each_site.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "weir/base/random.hpp"

namespace weir::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

fleet::Pool pool_of(std::string name, std::string site, std::string chip, std::uint32_t nodes) {
    fleet::Pool pool;
    pool.name = std::move(name);
    pool.site = std::move(site);
    pool.chip = std::move(chip);
    pool.nodes = nodes;
    pool.chips_per_node = 1;
    pool.cpus_milli = 4000;
    pool.node_idle_watts = 100;
    pool.node_busy_watts = 500;
    return pool;
}

// east: two x; west: one x and one y. The log knows a and b.
Trace two_sites() {
    Trace trace;
    trace.name = "two";
    trace.names = {"a", "b"};
    trace.chip_sets = {{"x"}, {"x", "y"}};
    trace.fleet.sites = {{.name = "east"}, {.name = "west"}};
    trace.fleet.pools = {pool_of("east-x", "east", "x", 2),
                         pool_of("west-x", "west", "x", 1),
                         pool_of("west-y", "west", "y", 1)};
    return trace;
}

void add(Trace& trace, std::uint32_t who, int submit, int run, std::uint32_t accepts) {
    TraceJob job;
    job.id = std::to_string(trace.jobs.size() + 1);
    job.group = who;
    job.submitted_at = at_seconds(submit);
    job.run = seconds(run);
    job.limit = seconds(run);
    job.chips = 1;
    job.accepts = accepts;
    trace.jobs.push_back(job);
}

// Of three x, a owns one and b two; the only y is b's.
SimulationOptions with_rights(tenancy::Amount x_of_a = 1000) {
    SimulationOptions options{.each_site = true};
    options.organisations.resources = {{tenancy::Resource::Kind::chips, "x"},
                                       {tenancy::Resource::Kind::chips, "y"}};
    options.organisations.tenants = {
        {},
        {.path = "a", .parent = TenantId{0}, .quota = {{0, x_of_a}}},
        {.path = "b", .parent = TenantId{0}, .quota = {{0, 2000}, {1, 1000}}},
    };
    return options;
}

TEST(EachSite, HasItsShareOfEveryQuotaInWholeChips) {
    const Trace trace = two_sites();
    const auto sites = sites_alone(trace.fleet, with_rights(2000).organisations, {});
    ASSERT_EQ(sites.size(), 2U);
    EXPECT_EQ(sites[0].name, "east");
    EXPECT_THAT(sites[1].pools, ElementsAre(PoolId{1}, PoolId{2}));
    const auto quotas = [&](std::size_t site, std::size_t tenant) {
        std::vector<tenancy::Amount> amounts;
        for (const tenancy::Allowance& each : sites[site].organisations.tenants[tenant].quota)
            amounts.push_back(each.amount);
        return amounts;
    };
    // Two x, two thirds of which stand in the east: one there, and the rest in the west.
    EXPECT_THAT(quotas(0, 1), ElementsAre(1000));
    EXPECT_THAT(quotas(1, 1), ElementsAre(1000));
    EXPECT_THAT(quotas(0, 2), ElementsAre(1000));
    EXPECT_THAT(quotas(1, 2), ElementsAre(1000, 1000));
}

TEST(EachSite, GetsTheJobsOfThoseWhoOwnMostOfWhatTheyNeedThere) {
    Trace trace = two_sites();
    trace.fleet.pools[1].nodes = 2;  // four x now: b has one in each site, a one in the east
    add(trace, 0, 0, 100, 0);
    add(trace, 1, 0, 100, 1);
    SimulationOptions options = with_rights();
    options.organisations.tenants[1].quota = {};
    options.organisations.tenants[1].borrow = {};
    options.organisations.tenants[2].quota = {{1, 1000}};
    const auto sites = sites_alone(trace.fleet, options.organisations, {});
    SiteChoice choice(trace, sites, options);
    EXPECT_EQ(choice.of(trace.jobs[0], TenantId{1}).site, 0U);  // owns nothing: the first
    EXPECT_EQ(choice.of(trace.jobs[1], TenantId{2}).site, 1U);  // its y stands there
    trace.jobs[0].chips = 7;
    EXPECT_FALSE(choice.of(trace.jobs[0], TenantId{1}).fits);
}

TEST(EachSite, QueuesForItselfWhileAnotherOneIsIdle) {
    Trace trace = two_sites();
    // b owns as much x in the east as in the west, so all go to the first that they accept.
    for (int i = 0; i < 3; ++i)
        add(trace, 1, 0, 100, 0);
    SimulationOptions options = with_rights();
    const Simulation apart = simulate(trace, options).value();
    EXPECT_EQ(apart.metrics.makespan_s, 200);
    options.each_site = false;
    const Simulation together = simulate(trace, options).value();
    EXPECT_EQ(together.metrics.makespan_s, 100);
    // The west was there all the time: 4 chips for 200 s, and its watts.
    EXPECT_EQ(apart.books.total.total(), tenancy::ChipTime{4'000} * 200'000);
    EXPECT_EQ(apart.books.sites.at(1).losses[tenancy::Loss::not_demanded],
              tenancy::ChipTime{2'000} * 200'000);
    EXPECT_EQ(apart.racks.size(), 3U);  // one a pool
    EXPECT_NEAR(apart.metrics.energy_kwh, (4 * 100 * 200 + 3 * 400 * 100) / 3.6e6, 1e-9);
    EXPECT_EQ(apart.notes.back(), "no job goes to west");
}

TEST(EachSite, IsCountedLikeOneFleetWhereEverySiteHasItsOwnKindOfChip) {
    // Then nothing is shared, and whoever replays them together decides the same.
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(seed);
        Random random(seed);
        Trace trace = two_sites();
        trace.chip_sets = {{"x"}, {"y"}};
        trace.fleet.pools.erase(trace.fleet.pools.begin() + 1);
        trace.fleet.pools[1].nodes = 3;
        int at = 0;
        for (int i = 0; i < 60; ++i) {
            at += static_cast<int>(random.between(1, 60));
            const auto who = static_cast<std::uint32_t>(random.between(0, 1));
            add(trace, who, at, static_cast<int>(random.between(1, 200)), who);
        }
        SimulationOptions options{.each_site = true};
        options.organisations.resources = {{tenancy::Resource::Kind::chips, "x"},
                                           {tenancy::Resource::Kind::chips, "y"}};
        options.organisations.tenants = {
            {},
            {.path = "a", .parent = TenantId{0}, .quota = {{0, 2000}}},
            {.path = "b", .parent = TenantId{0}, .quota = {{1, 3000}}},
        };
        const Simulation apart = simulate(trace, options).value();
        options.each_site = false;
        const Simulation together = simulate(trace, options).value();
        ASSERT_EQ(apart.jobs.size(), together.jobs.size());
        for (std::size_t i = 0; i < apart.jobs.size(); ++i) {
            ASSERT_EQ(apart.jobs[i].start, together.jobs[i].start) << i;
            ASSERT_EQ(apart.jobs[i].pool, together.jobs[i].pool) << i;
        }
        EXPECT_EQ(apart.books.total, together.books.total);
        EXPECT_EQ(apart.books.pools, together.books.pools);
        EXPECT_EQ(apart.books.sites, together.books.sites);
        EXPECT_EQ(apart.books.over_time, together.books.over_time);
        EXPECT_NEAR(apart.metrics.energy_kwh, together.metrics.energy_kwh, 1e-9);
        EXPECT_NEAR(apart.metrics.power_max_watts, together.metrics.power_max_watts, 1e-6);
        EXPECT_EQ(apart.attempts.size(), together.attempts.size());
    }
}

TEST(EachSite, SaysWhatDoesNotGoWithIt) {
    Trace trace = two_sites();
    add(trace, 0, 0, 100, 0);
    SimulationOptions options = with_rights();
    options.log = [](std::string_view) {};
    EXPECT_THAT(simulate(trace, options).error().message,
                HasSubstr("--each-site: an event log is of one scheduler"));
    options.log = {};
    options.failures.faults = Faults::log;
    EXPECT_THAT(simulate(trace, options).error().message, HasSubstr("--faults reliability"));
}

}  // namespace
}  // namespace weir::sim
