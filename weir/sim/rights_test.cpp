// Small random worlds under organisations and precision contracts. The checker, which works out
// quotas and the waterfall by itself, finds nothing wrong with their logs; and it finds what is
// changed in them.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "weir/audit/tampering.hpp"
#include "weir/base/random.hpp"
#include "weir/sim/audited.hpp"

namespace weir::sim {
namespace {

using audit::judge;
using audit::Log;

fleet::Fleet some_fleet(Random& random) {
    fleet::Fleet fleet;
    fleet.sites = {{.name = "east"}, {.name = "west"}};
    for (const char* name : {"x0", "x1", "y0"}) {
        fleet::Pool pool;
        pool.name = name;
        pool.site = random.chance(0.5) ? "east" : "west";
        pool.chip = pool.name.substr(0, 1);
        pool.nodes = static_cast<std::uint32_t>(random.between(2, 6));
        pool.chips_per_node = 4;
        pool.nodes_per_rack = 2;
        fleet.pools.push_back(pool);
    }
    return fleet;
}

// Three houses with two parts each, and limits here and there.
tenancy::Organisations some_organisations(Random& random) {
    using tenancy::Allowance;
    tenancy::Organisations house;
    house.resources = {{tenancy::Resource::Kind::chips, "x"},
                       {tenancy::Resource::Kind::chips, "y"},
                       {tenancy::Resource::Kind::capability, "bf16"}};
    house.tenants = {{}};
    const auto some = [&](double chance) {
        std::vector<Allowance> list;
        for (std::uint32_t r = 0; r < 3; ++r)
            if (random.chance(r == 2 ? chance / 4 : chance))
                list.push_back({r, random.between(0, 10) * 1000});
        return list;
    };
    for (std::uint32_t i = 0; i < 3; ++i) {
        const TenantId top{static_cast<std::uint32_t>(house.tenants.size())};
        const std::string name = "h" + std::to_string(i);
        house.tenants.push_back({.path = name,
                                 .parent = TenantId{0},
                                 .quota = some(0.4),
                                 .lend = some(0.2),
                                 .borrow = some(0.2)});
        for (const char* part : {"/a", "/b"})
            house.tenants.push_back({.path = name + part,
                                     .parent = top,
                                     .quota = some(0.6),
                                     .lend = some(0.3),
                                     .borrow = some(0.3)});
    }
    return house;
}

Trace some_trace(Random& random, const tenancy::Organisations& house) {
    Trace trace;
    trace.name = "some";
    trace.fleet = some_fleet(random);
    for (std::size_t i = 1; i < house.tenants.size(); ++i)
        trace.names.push_back(house.tenants[i].path);
    Time now{};
    for (int i = 0; i < 120; ++i) {
        now += seconds(random.chance(0.5) ? 0 : random.between(1, 60));
        TraceJob job;
        job.id = std::to_string(i);
        job.group = static_cast<std::uint32_t>(
            random.between(0, static_cast<std::int64_t>(trace.names.size()) - 1));
        job.submitted_at = now;
        job.limit = seconds(random.between(1, 10) * 60);
        job.run = job.limit * random.between(1, 10) / 10;
        job.nodes = random.chance(0.7) ? 1 : static_cast<std::uint32_t>(random.between(2, 4));
        job.chips = job.nodes * static_cast<std::uint32_t>(random.between(1, 4));
        if (random.chance(0.5)) {
            job.precision = random.chance(0.5) ? catalog::Format::fp64 : catalog::Format::bf16;
        }
        if (random.chance(0.1)) job.priority = job::Priority::high;
        trace.jobs.push_back(job);
    }
    return trace;
}

struct World {
    Trace trace;
    SimulationOptions options;
};

World some_world(Random& random, const char* policy) {
    World world;
    world.options.organisations = some_organisations(random);
    world.trace = some_trace(random, world.options.organisations);
    world.options.policy = *sched::policy_from_text(policy);
    world.options.rate_of = [](std::string_view chip, std::string_view) {
        return std::optional<double>(chip == "x" ? 1e6 : 3e6);
    };
    world.options.keeps = [](std::string_view chip, catalog::Format format) {
        return chip == "x" || format != catalog::Format::fp64;
    };
    if (random.chance(0.5)) {
        world.options.checkpoints = {.rule = CheckpointRule::fixed, .every = seconds(100)};
    }
    return world;
}

constexpr const char* policies[] = {
    "weir preempt=yes min_run=0s preemptions_per_hour=1000",
    "fcfs preempt=yes min_run=30s preemptions_per_hour=1000",
    "easy",
    "conservative reservations=20",
};

TEST(Rights, AreKeptAndCountedAlikeByTwoWhoShareNoCode) {
    tenancy::Losses all;
    std::uint64_t taken_back = 0;
    std::uint64_t owner_came = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        for (const char* policy : policies) {
            SCOPED_TRACE(std::string(policy) + ", seed " + std::to_string(seed));
            Random random(seed);
            const World world = some_world(random, policy);
            const Audited outcome = audited(world.trace, world.options);
            ASSERT_FALSE(::testing::Test::HasFailure());
            all += outcome.simulation.books.total;
            taken_back += outcome.report.of(audit::Rule::reclaim).checked;
            owner_came +=
                outcome.report.excused[static_cast<std::size_t>(audit::Excuse::owner_came)];
            ASSERT_EQ(outcome.report.waterfalls.size(), 1U);
        }
    }
    // All of it did happen.
    EXPECT_GT(all[tenancy::Loss::over_quota], 0U);
    EXPECT_GT(all[tenancy::Loss::wrong_precision], 0U);
    EXPECT_GT(taken_back, 100U);
    EXPECT_GT(owner_came, 0U);
}

// ---------------------------------------------------------------------------------------------
// Logs that were changed

Log log_of(const World& world) {
    Log log;
    SimulationOptions options = world.options;
    options.log = [&](std::string_view line) {
        line.remove_suffix(1);
        log.push_back(*audit::decode(line, "log"));
    };
    const auto done = simulate(world.trace, options);
    EXPECT_TRUE(done.has_value()) << done.error().message;
    return log;
}

template <class Kind>
std::vector<std::size_t> all_of_kind(const Log& log) {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < log.size(); ++i)
        if (std::holds_alternative<Kind>(log[i].what)) places.push_back(i);
    return places;
}

audit::Submitted& submission_of(Log& log, JobId job) {
    for (audit::Record& record : log) {
        auto* const its = std::get_if<audit::Submitted>(&record.what);
        if (its != nullptr && its->job == job) return *its;
    }
    throw std::logic_error("never submitted");
}

// The most chips of kind x that jobs of one organisation, which has no parts, held at once.
std::int64_t most_used(Log& log, const std::string& path) {
    std::int64_t now = 0;
    std::int64_t most = 0;
    std::map<JobId, std::int64_t> held;
    for (const audit::Record& record : log) {
        if (const auto* start = std::get_if<audit::Started>(&record.what)) {
            const audit::Submitted& job = submission_of(log, start->job);
            if (job.organisation != path || start->on.ranges.front().pool.value == 2) continue;
            held[start->job] = static_cast<std::int64_t>(job.demand.chips_milli());
            now += held[start->job];
            most = std::max(most, now);
        } else if (const auto* end = std::get_if<audit::Ended>(&record.what)) {
            now -= held[end->job];
            held[end->job] = 0;
        }
    }
    return most;
}

TEST(Rights, OfAChangedLogWhatIsBrokenIsFoundAndNamed) {
    int quotas = 0;
    int excused = 0;
    int contracts = 0;
    int stops = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        const World world = some_world(random, policies[seed % 2]);
        const Log log = log_of(world);
        ASSERT_EQ(audit::words_of(judge(log)), "");
        const auto some = [&](const std::vector<std::size_t>& places) {
            return places.at(static_cast<std::size_t>(
                random.between(0, static_cast<std::int64_t>(places.size()) - 1)));
        };
        // A thousandth of a chip less than it used, and no loan.
        for (std::size_t i = 0; i < 9; ++i) {
            Log changed = log;
            auto& header = std::get<audit::Header>(changed.front().what);
            audit::Organisation& house = header.organisations[i];
            const std::int64_t most = most_used(changed, house.path);
            if (house.path.size() < 4 || most == 0) continue;
            ++quotas;
            std::erase_if(house.quota, [](const auto& each) { return each.resource == 0; });
            house.quota.insert(house.quota.begin(), {0, most - 1});
            std::erase_if(house.borrow, [](const auto& each) { return each.resource == 0; });
            house.borrow.insert(house.borrow.begin(), {0, 0});
            const audit::Report report = judge(changed);
            if (report.of(audit::Rule::quota).violated > 0) continue;
            // A job that was promised its place by right, before others of its house came.
            EXPECT_GE(report.excused[static_cast<std::size_t>(audit::Excuse::owner_came)], 1U)
                << house.path;
            ++excused;
        }
        // A contract forbids where a job ran.
        {
            Log changed = log;
            const std::size_t at = some(all_of_kind<audit::Started>(log));
            const auto& start = std::get<audit::Started>(log[at].what);
            submission_of(changed, start.job).barred.push_back(start.on.ranges.front().pool);
            const audit::Verdict verdict = judge(changed).of(audit::Rule::contract);
            ASSERT_GE(verdict.violated, 1U);
            EXPECT_EQ(verdict.first.at(0).sentence.rfind(
                          "job " + std::to_string(start.job.value) + " is put on pool ", 0),
                      0U);
            ++contracts;
        }
        // Whoever was to give back what it borrowed owns it.
        for (const std::size_t at : all_of_kind<audit::Preempted>(log)) {
            const auto& stop = std::get<audit::Preempted>(log[at].what);
            if (stop.cause != "reclaimed") continue;
            Log changed = log;
            audit::Submitted& victim = submission_of(changed, stop.job);
            if (submission_of(changed, stop.for_job).organisation == victim.organisation) continue;
            auto& header = std::get<audit::Header>(changed.front().what);
            for (audit::Organisation& house : header.organisations) {
                if (house.path != victim.organisation) continue;
                house.quota = {{0, 1'000'000}, {1, 1'000'000}, {2, 1'000'000}};
                house.lend.clear();
            }
            const audit::Verdict verdict = judge(changed).of(audit::Rule::reclaim);
            ASSERT_GE(verdict.violated, 1U);
            ++stops;
            break;
        }
    }
    EXPECT_GT(quotas, 100);
    EXPECT_LT(excused, 10);
    EXPECT_EQ(contracts, 40);
    EXPECT_GT(stops, 10);
}

}  // namespace
}  // namespace weir::sim
