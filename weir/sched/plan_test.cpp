// The earliest place, against asking at every moment at which anything changes.
#include "weir/sched/plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "weir/base/random.hpp"

namespace weir::sched {
namespace {

// A site with its own budget and pools with racks, pods and budgets of theirs; nodes of different
// pools draw differently, and some have chips that others do not accept.
fleet::Fleet any_fleet(Random& random) {
    fleet::Fleet fleet;
    fleet.sites = {{.name = "here"}};
    const bool budgets = random.chance(0.8);
    for (std::int64_t i = random.between(1, 3); i > 0; --i) {
        fleet::Pool pool;
        pool.name = std::to_string(i);
        pool.site = "here";
        pool.chip = random.chance(0.7) ? "chip" : "other";
        pool.nodes = static_cast<std::uint32_t>(random.between(2, 8));
        pool.chips_per_node = 4;
        pool.cpus_milli = 8000;
        pool.nodes_per_rack = static_cast<std::uint32_t>(random.between(0, 4));
        if (pool.nodes_per_rack > 0) {
            pool.racks_per_pod = static_cast<std::uint32_t>(random.between(0, 2));
        }
        pool.node_idle_watts = 100;
        pool.node_busy_watts = static_cast<double>(100 * random.between(3, 9));
        const auto budget = [&](std::uint32_t nodes) {
            return nodes * (200 + (pool.node_busy_watts - 100) * random.unit());
        };
        if (budgets && random.chance(0.6)) pool.rack_power_watts = budget(pool.rack_nodes());
        if (budgets && random.chance(0.3)) pool.pod_power_watts = budget(pool.pod_nodes());
        if (budgets && random.chance(0.5)) fleet.sites[0].power_watts += budget(pool.nodes);
        fleet.pools.push_back(pool);
    }
    return fleet;
}

fleet::Shape any_shape(Random& random, const fleet::Fleet& fleet) {
    fleet::Demand demand;
    fleet::GangPart part{.replicas = static_cast<std::uint32_t>(random.between(1, 6)), .each = {}};
    part.each.chips = static_cast<std::uint32_t>(random.between(1, 4));
    part.each.cpus_milli = static_cast<std::uint32_t>(random.between(0, 3) * 1000);
    demand.parts = {part};
    demand.within = static_cast<fleet::Level>(random.between(0, 4));
    const std::string& chip = fleet.pools[random.chance(0.5) ? 0 : fleet.pools.size() - 1].chip;
    for (std::uint32_t pool = 0; pool < fleet.pools.size(); ++pool)
        if (fleet.pools[pool].chip == chip) demand.pools.push_back(PoolId{pool});
    return {demand, fleet::FreeIndex::domains_of(fleet, demand)};
}

// What runs and what is promised, and every moment at which something of it changes.
struct World {
    explicit World(std::uint64_t seed) : random(seed), fleet(any_fleet(random)) {
        for (std::uint32_t job = 0; job < 12; ++job) {
            const fleet::Shape shape = any_shape(random, fleet);
            const Duration limit = seconds(60 * random.between(1, 20));
            fleet::Placement placement;
            if (random.chance(0.6) && free.find(shape, placement, now + limit)) {
                free.take(shape, placement);
                plan.started(JobId{job}, shape, placement, now + limit);
                moments.push_back(now + limit);
                continue;
            }
            const Place place = plan.earliest(shape, now, limit, {});
            if (!place.found()) continue;
            plan.claim(JobId{job}, shape, place);
            moments.insert(moments.end(), {place.at, place.until});
        }
        moments.push_back(now);
        std::sort(moments.begin(), moments.end());
    }

    Random random;
    fleet::Fleet fleet;
    Time now = at_seconds(1000);
    fleet::FreeIndex free{fleet};
    Plan plan{fleet, free};
    std::vector<Time> moments;
};

TEST(Plan, FindsTheEarliestMomentAtWhichAGangFits) {
    int later = 0;
    for (std::uint64_t seed = 1; seed <= 400; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed);
        for (int question = 0; question < 10; ++question) {
            const fleet::Shape shape = any_shape(world.random, world.fleet);
            const Duration limit = seconds(60 * world.random.between(1, 20));
            Place expected;
            for (const Time moment : world.moments) {
                expected = world.plan.earliest(shape, moment, limit, {}, {}, moment);
                if (expected.found()) break;
            }
            const Place found = world.plan.earliest(shape, world.now, limit, {});
            EXPECT_EQ(found, expected);
            later += expected.found() && expected.at > world.now ? 1 : 0;
        }
    }
    EXPECT_GT(later, 1000);
}

// The one that fits only if the pool whose nodes draw less gives more than its share.
TEST(Plan, LetsAGangUseThePoolThatDrawsLessWhereASiteHasABudget) {
    fleet::Fleet fleet;
    fleet.sites = {{.name = "here", .executor = "simulated", .power_watts = 3500}};
    for (const double busy : {1000.0, 500.0}) {
        fleet::Pool pool;
        pool.name = busy > 500 ? "hungry" : "modest";
        pool.site = "here";
        pool.chip = "chip";
        pool.nodes = 4;
        pool.chips_per_node = 4;
        pool.node_idle_watts = 0;
        pool.node_busy_watts = busy;
        fleet.pools.push_back(pool);
    }
    fleet::Demand demand;
    demand.parts = {{.replicas = 5, .each = {.chips = 4}}};
    demand.within = fleet::Level::site;
    demand.pools = {PoolId{0}, PoolId{1}};
    const fleet::Shape shape{demand, fleet::FreeIndex::domains_of(fleet, demand)};
    fleet::FreeIndex free(fleet);
    Plan plan(fleet, free);

    fleet::Placement now;
    ASSERT_TRUE(free.fits(shape));
    ASSERT_TRUE(free.find(shape, now));
    const Place place = plan.earliest(shape, at_seconds(0), seconds(60), {});
    EXPECT_EQ(place.at, at_seconds(0));
    std::uint32_t in_modest = 0;
    for (const fleet::NodeRange& range : place.placement.ranges)
        in_modest += range.pool == PoolId{1} ? range.count : 0;
    EXPECT_EQ(in_modest, 4U);
}

}  // namespace
}  // namespace weir::sched
