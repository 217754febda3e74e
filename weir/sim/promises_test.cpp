// Small random worlds with everything that can stand in the way of a promise at once: budgets of
// racks, pods and sites, budgets that change, nodes that are set apart, wrong predictions. The
// checker of event logs, which knows no scheduler, looks at every step.
#include <gtest/gtest.h>

#include <string>

#include "weir/base/random.hpp"
#include "weir/sim/audited.hpp"

namespace weir::sim {
namespace {

fleet::Fleet some_fleet(Random& random) {
    fleet::Fleet fleet;
    const bool budgets = random.chance(0.8);
    for (const char* name : {"east", "west"}) {
        fleet::Site site{.name = name, .executor = "simulated", .power_watts = 0};
        const std::int64_t pools = random.between(1, 2);
        double most_watts = 0;
        for (std::int64_t p = 0; p < pools; ++p) {
            fleet::Pool pool;
            pool.name = site.name + std::to_string(p);
            pool.site = site.name;
            pool.chip = "chip";
            pool.nodes = static_cast<std::uint32_t>(random.between(2, 12));
            pool.chips_per_node = 4;
            pool.nodes_per_rack = static_cast<std::uint32_t>(random.between(0, 4));
            pool.racks_per_pod = static_cast<std::uint32_t>(random.between(0, 3));
            pool.node_idle_watts = 100;
            pool.node_busy_watts = 500;
            // Between one busy node and all of them.
            const auto budget = [&](std::uint32_t nodes) {
                return 100.0 * nodes + 400 * (1 + random.unit() * nodes);
            };
            if (budgets && random.chance(0.6)) pool.rack_power_watts = budget(pool.rack_nodes());
            if (budgets && random.chance(0.3)) pool.pod_power_watts = budget(pool.pod_nodes());
            most_watts += budget(pool.nodes);
            fleet.pools.push_back(pool);
        }
        if (budgets && random.chance(0.4)) site.power_watts = most_watts;
        fleet.sites.push_back(site);
    }
    return fleet;
}

Trace some_trace(Random& random) {
    Trace trace;
    trace.name = "some";
    trace.fleet = some_fleet(random);
    for (int i = 0; i < 120; ++i) {
        TraceJob job = next_job(trace, 60, random);
        job.nodes = random.chance(0.7) ? 1 : static_cast<std::uint32_t>(random.between(2, 6));
        job.chips = job.nodes * static_cast<std::uint32_t>(random.between(1, 4));
        trace.jobs.push_back(job);
    }
    return trace;
}

TEST(Promises, AreKeptUnderBudgetsOfWattsWhateverComes) {
    std::uint64_t made = 0;
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        const Trace trace = some_trace(random);
        for (const char* policy :
             {"easy", "weir", "weir reservations=3 slack=0s", "conservative reservations=20"}) {
            SCOPED_TRACE(policy);
            SimulationOptions options;
            options.policy = *sched::policy_from_text(policy);
            if (random.chance(0.3)) options.prediction_error_seed = seed;
            const Audited outcome = audited(trace, options);
            ASSERT_FALSE(::testing::Test::HasFailure());
            made += outcome.simulation.metrics.promises;
        }
    }
    EXPECT_GT(made, 10'000U);
}

// A budget that is lowered is a reason to break a promise, but to nothing else.
TEST(Promises, OutliveBudgetsThatChangeAndNodesThatAreSetApart) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        const Trace trace = some_trace(random);
        SimulationOptions options;
        options.policy = *sched::policy_from_text(seed % 2 == 0 ? "weir" : "conservative");
        for (int i = 0; i < 4; ++i) {
            const PoolId pool{static_cast<std::uint32_t>(
                random.between(0, static_cast<std::int64_t>(trace.fleet.pools.size()) - 1))};
            const fleet::Pool& facts = trace.fleet.pool(pool);
            const std::uint32_t nodes = facts.rack_nodes();
            const sched::PowerDomain rack{
                fleet::Level::rack,
                pool,
                static_cast<std::uint32_t>(random.between(0, facts.racks() - 1))};
            const double watts = 100.0 * nodes + 400 * random.unit() * nodes;
            options.caps.push_back({.at = at_seconds(random.between(0, 3000)),
                                    .domain = rack,
                                    .watts = random.chance(0.3) ? 0 : watts});
            options.caps.push_back(
                {.at = at_seconds(4000), .domain = rack, .watts = facts.rack_power_watts});
        }
        (void)audited(trace, options);
        ASSERT_FALSE(::testing::Test::HasFailure());
    }
}

// The same decisions on every machine and with every compiler: the numbers are from the first run.
TEST(Promises, AreTheSameOnEveryMachine) {
    const auto digest_of = [](std::uint64_t seed, const char* policy) {
        Random random(seed);
        SimulationOptions options;
        options.policy = *sched::policy_from_text(policy);
        return audited(some_trace(random), options).simulation.metrics.digest;
    };
    EXPECT_EQ(digest_of(1, "weir"), 0x83e5cab6ac2ca291U);
    EXPECT_EQ(digest_of(2, "easy"), 0xd7faad544bfedaf4U);
    EXPECT_EQ(digest_of(3, "conservative"), 0x6178443cbe33ede1U);
}

}  // namespace
}  // namespace weir::sim
