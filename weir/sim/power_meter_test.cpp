// The meter against a brute-force sum: every node, every second.
#include "weir/sim/power_meter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "weir/base/random.hpp"

namespace weir::sim {
namespace {

using ::testing::IsEmpty;

fleet::Pool pool_of(std::uint32_t nodes, std::uint32_t chips, std::uint32_t rack_nodes) {
    fleet::Pool pool;
    pool.name = "pool-" + std::to_string(nodes) + "-" + std::to_string(chips);
    pool.nodes = nodes;
    pool.chips_per_node = chips;
    pool.cpus_milli = 16'000;
    pool.nodes_per_rack = rack_nodes;
    pool.node_idle_watts = 100;
    pool.node_busy_watts = 900;
    return pool;
}

struct Held {
    fleet::Demand demand;
    fleet::Placement placement;
    int start = 0;
    int end = 0;
};

// Anything goes: the meter does not ask whether it fits.
Held random_job(Random& random, const fleet::Fleet& fleet, int seconds_max) {
    Held held;
    held.start = static_cast<int>(random.between(0, seconds_max));
    held.end = static_cast<int>(random.between(held.start, seconds_max));
    const auto parts = static_cast<std::uint32_t>(random.between(1, 2));
    for (std::uint32_t part = 0; part < parts; ++part) {
        fleet::GangPart& gang = held.demand.parts.emplace_back();
        gang.each.chips = static_cast<std::uint32_t>(random.between(0, 4));
        if (gang.each.chips == 0) gang.each.chip_permille = 250;
        gang.each.cpus_milli = static_cast<std::uint32_t>(random.between(0, 4000));
        fleet::NodeRange& range = held.placement.ranges.emplace_back();
        const auto pools = static_cast<std::int64_t>(fleet.pools.size());
        range.pool = PoolId{static_cast<std::uint32_t>(random.between(0, pools - 1))};
        const std::int64_t nodes = fleet.pool(range.pool).nodes;
        range.first = static_cast<std::uint32_t>(random.between(0, nodes - 1));
        range.count = static_cast<std::uint32_t>(random.between(1, nodes - range.first));
        range.replicas = static_cast<std::uint32_t>(random.between(1, 2));
        range.part = part;
    }
    return held;
}

// Of one node in the second that begins at `second`, as the model says.
double watts_of(const fleet::Pool& pool,
                PoolId id,
                std::uint32_t node,
                const std::vector<Held>& jobs,
                int second) {
    double share = 0;
    for (const Held& job : jobs) {
        if (second < job.start || second >= job.end) continue;
        for (const fleet::NodeRange& range : job.placement.ranges) {
            if (range.pool != id || node < range.first || node >= range.first + range.count)
                continue;
            const fleet::ReplicaDemand& each = job.demand.parts[range.part].each;
            share += range.replicas *
                     (pool.chips_per_node > 0
                          ? (each.chips + each.chip_permille / 1000.0) / pool.chips_per_node
                          : static_cast<double>(each.cpus_milli) / pool.cpus_milli);
        }
    }
    return pool.node_idle_watts + (pool.node_busy_watts - pool.node_idle_watts) * share;
}

bool near(double a, double b) {
    return std::abs(a - b) <= 1e-9 * (1 + std::abs(b));
}

RC_GTEST_PROP(PowerMeter, AgreesWithTheSumOverEveryNodeAndSecond, ()) {
    Random random(*rc::gen::arbitrary<std::uint64_t>());
    fleet::Fleet fleet;
    fleet.pools = {pool_of(5, 4, 2), pool_of(3, 0, 0), pool_of(4, 8, 1)};
    fleet.pools[0].rack_power_watts = 1500;
    fleet.pools[2].node_busy_watts = 0;  // does not say what it draws
    const int end = static_cast<int>(random.between(1, 1500));
    std::vector<Held> jobs;
    for (std::int64_t i = random.between(0, 12); i > 0; --i)
        jobs.push_back(random_job(random, fleet, end));

    struct Change {
        int at;
        bool starts;
        const Held* job;
    };
    std::vector<Change> changes;
    for (const Held& job : jobs) {
        changes.push_back({job.start, true, &job});
        changes.push_back({job.end, false, &job});
    }
    // Starts before ends at one instant: what lasts no time must not show.
    std::stable_sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
        return a.at != b.at ? a.at < b.at : a.starts && !b.starts;
    });
    PowerMeter meter(fleet, at_seconds(0));
    for (const Change& change : changes) {
        const Time at = at_seconds(change.at);
        change.starts ? meter.on_start(change.job->demand, change.job->placement, at)
                      : meter.on_end(change.job->demand, change.job->placement, at);
    }
    const PowerRecord record = meter.finish(at_seconds(end));

    RC_ASSERT(record.racks.size() == 4U);
    std::vector<double> total(static_cast<std::size_t>(end), 0.0);
    for (const RackPower& rack : record.racks) {
        const fleet::Pool& pool = fleet.pool(rack.pool);
        double sum = 0;
        double most = 0;
        int over = 0;
        for (int second = 0; second < end; ++second) {
            double watts = 0;
            const std::uint32_t first = rack.rack * pool.rack_nodes();
            for (std::uint32_t node = first; node < std::min(pool.nodes, first + pool.rack_nodes());
                 ++node)
                watts += watts_of(pool, rack.pool, node, jobs, second);
            sum += watts;
            most = std::max(most, watts);
            over += pool.rack_power_watts > 0 && watts > pool.rack_power_watts + 1e-6 ? 1 : 0;
            total[static_cast<std::size_t>(second)] += watts;
        }
        RC_ASSERT(near(rack.mean_watts, sum / end));
        RC_ASSERT(near(rack.max_watts, most));
        RC_ASSERT(rack.over_cap_s == over);
    }
    double joules = 0;
    for (const double watts : total)
        joules += watts;
    RC_ASSERT(near(record.energy_kwh, joules / 3.6e6));
    RC_ASSERT(near(record.power_max_watts, *std::max_element(total.begin(), total.end())));
    // The area under the points is the same energy, and few changes are told one by one.
    double area = 0;
    for (std::size_t i = 0; i + 1 < record.power.size(); ++i)
        area += record.power[i].watts * as_seconds(record.power[i + 1].at - record.power[i].at);
    RC_ASSERT(near(area, joules));
    RC_ASSERT(record.power.size() <= changes.size() + 2);
}

TEST(PowerMeter, PutsALongRunIntoAtMostTwoThousandPointsOfTheSameEnergy) {
    fleet::Fleet fleet;
    fleet.pools = {pool_of(2, 4, 1)};
    PowerMeter meter(fleet, at_seconds(1000));
    Held job;
    job.demand.parts.push_back({.replicas = 1, .each = {.chips = 4}});
    job.placement.ranges.push_back({.pool = PoolId{0}, .first = 1});
    double joules = 0;
    int at = 1000;
    for (int i = 0; i < 5000; ++i) {
        meter.on_start(job.demand, job.placement, at_seconds(at));
        meter.on_end(job.demand, job.placement, at_seconds(at + i % 97));
        joules += (i % 97) * 800.0;
        at += 1000;
    }
    const PowerRecord record = meter.finish(at_seconds(at));
    joules += 200.0 * (at - 1000);
    EXPECT_NEAR(record.energy_kwh, joules / 3.6e6, 1e-9 * joules);
    EXPECT_LE(record.power.size(), 2000U);
    EXPECT_GE(record.power.size(), 900U);
    EXPECT_EQ(record.power.back().at, at_seconds(at));
    double area = 0;
    for (std::size_t i = 0; i + 1 < record.power.size(); ++i)
        area += record.power[i].watts * as_seconds(record.power[i + 1].at - record.power[i].at);
    EXPECT_NEAR(area, joules, 1e-6 * joules);
    EXPECT_EQ(record.power_max_watts, 1000);  // though a bin of it holds less
}

TEST(PowerMeter, CountsTheTimeOverACapThatWasLoweredMeanwhile) {
    fleet::Fleet fleet;
    fleet.pools = {pool_of(2, 4, 1)};
    PowerMeter meter(fleet, at_seconds(0));
    Held job;
    job.demand.parts.push_back({.replicas = 2, .each = {.chips = 2}});
    job.placement.ranges.push_back({.pool = PoolId{0}, .first = 0, .count = 2});
    meter.on_start(job.demand, job.placement, at_seconds(0));  // 500 W a rack
    meter.set_rack_cap(PoolId{0}, 1, 499, at_seconds(10));
    meter.on_end(job.demand, job.placement, at_seconds(25));
    meter.set_rack_cap(PoolId{0}, 1, 500, at_seconds(40));
    const PowerRecord record = meter.finish(at_seconds(50));
    EXPECT_EQ(record.racks.at(0).over_cap_s, 0);
    EXPECT_EQ(record.racks.at(1).over_cap_s, 15);
    EXPECT_EQ(record.racks.at(1).cap_watts, 500);
    EXPECT_EQ(record.racks.at(1).mean_watts, 300);
}

TEST(PowerMeter, IsSilentWhereNobodySaysWhatANodeDraws) {
    fleet::Fleet fleet;
    fleet.pools = {pool_of(2, 4, 1)};
    fleet.pools[0].node_busy_watts = 0;
    PowerMeter meter(fleet, at_seconds(0));
    const PowerRecord record = meter.finish(at_seconds(50));
    EXPECT_THAT(record.racks, IsEmpty());
    EXPECT_THAT(record.power, IsEmpty());
    EXPECT_EQ(record.energy_kwh, 0);
}

}  // namespace
}  // namespace weir::sim
