// Small random worlds in which jobs read datasets: three sites, slow links, storages that cannot
// keep everything. The checker, which shares no code with the core, follows every copy.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "weir/base/random.hpp"
#include "weir/sim/audited.hpp"

namespace weir::sim {
namespace {

constexpr std::int64_t gigabyte = 1'000'000'000;

fleet::Fleet some_sites(Random& random) {
    fleet::Fleet fleet;
    for (const char* name : {"north", "south", "west"}) {
        fleet::Site site{.name = name};
        if (random.chance(0.7)) site.storage.capacity = Bytes{random.between(120, 300) * gigabyte};
        fleet.sites.push_back(site);
        fleet::Pool pool;
        pool.name = std::string(name) + "-x";
        pool.site = name;
        pool.chip = "x";
        pool.nodes = static_cast<std::uint32_t>(random.between(1, 4));
        pool.chips_per_node = 4;
        pool.nodes_per_rack = 2;
        fleet.pools.push_back(pool);
    }
    for (const char* name : {"a", "b", "c", "d", "e"}) {
        fleet::Storage& at = fleet.sites[static_cast<std::size_t>(random.between(0, 2))].storage;
        at.datasets[name] = Bytes{random.between(10, 40) * gigabyte};
    }
    for (const auto& [one, other] : {std::pair{"north", "south"}, std::pair{"south", "west"}})
        fleet.links.push_back(
            {.between = {one, other}, .bytes_per_s = static_cast<double>(gigabyte) / 4});
    if (random.chance(0.5)) {
        fleet.links.push_back(
            {.between = {"north", "west"}, .bytes_per_s = static_cast<double>(gigabyte) / 16});
    }
    return fleet;
}

Trace some_readers(Random& random) {
    Trace trace;
    trace.name = "some";
    trace.fleet = some_sites(random);
    trace.data_sets = {{"a"}, {"b"}, {"c"}, {"d"}, {"e"}, {"a", "b"}, {"c", "d"}};
    for (int i = 0; i < 60; ++i) {
        TraceJob job = next_job(trace, 120, random);
        job.chips = static_cast<std::uint32_t>(random.between(1, 4));
        if (random.chance(0.7)) job.reads = static_cast<std::uint32_t>(random.between(0, 6));
        if (random.chance(0.1)) job.priority = job::Priority::high;
        trace.jobs.push_back(job);
    }
    return trace;
}

TEST(DataRules, AreKeptByWhateverPolicyInRandomWorlds) {
    std::uint64_t checked = 0;
    std::uint64_t started = 0;
    std::uint64_t copied = 0;
    tenancy::Losses all;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        for (const char* policy : {"weir preempt=yes min_run=0s preemptions_per_hour=1000",
                                   "fcfs",
                                   "easy",
                                   "conservative reservations=20"}) {
            SCOPED_TRACE(std::string(policy) + ", seed " + std::to_string(seed));
            Random random(seed);
            const Trace trace = some_readers(random);
            const Audited outcome = audited(trace, {.policy = *sched::policy_from_text(policy)});
            ASSERT_FALSE(::testing::Test::HasFailure());
            checked += outcome.report.of(audit::Rule::data).checked;
            started += outcome.report.starts;
            copied += outcome.simulation.metrics.copies;
            all += outcome.simulation.books.total;
        }
    }
    EXPECT_GT(started, std::uint64_t{60 * 4 * 50});
    EXPECT_GT(checked, started / 2);
    EXPECT_GT(copied, 0U);
    EXPECT_GT(all[tenancy::Loss::awaiting_data], 0U);
}

}  // namespace
}  // namespace weir::sim
