// For tests: small random worlds under organisations and precision contracts, and their logs.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "weir/audit/tampering.hpp"
#include "weir/base/random.hpp"
#include "weir/sim/audited.hpp"

namespace weir::sim {

using audit::Log;

inline fleet::Fleet some_fleet(Random& random) {
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
inline tenancy::Organisations some_organisations(Random& random) {
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

inline Trace some_trace(Random& random, const tenancy::Organisations& house) {
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

inline World some_world(Random& random, const char* policy) {
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

// Up to four loans; no lender lends the same twice.
inline std::vector<LentQuota> some_loans(Random& random, const tenancy::Organisations& house) {
    std::vector<LentQuota> loans;
    const auto tenants = static_cast<std::int64_t>(house.tenants.size());
    for (int i = 0; i < 12 && loans.size() < 4; ++i) {
        const TenantId lender{static_cast<std::uint32_t>(random.between(1, tenants - 1))};
        const TenantId borrower{static_cast<std::uint32_t>(random.between(1, tenants - 1))};
        const auto& quota = house.tenant(lender).quota;
        if (lender == borrower || quota.empty() || quota.front().amount == 0) continue;
        if (std::any_of(loans.begin(), loans.end(), [&](const LentQuota& each) {
                return each.term.lender == lender;
            })) {
            continue;
        }
        const Time begins = Time{} + seconds(random.between(0, 1200));
        LentQuota loan;
        loan.term = {.loan = static_cast<std::uint32_t>(loans.size()),
                     .lender = lender,
                     .borrower = borrower,
                     .amounts = {{quota.front().resource,
                                  random.between(1, quota.front().amount / 1000) * 1000}},
                     .from = begins,
                     .until = begins + seconds(random.between(60, 3000))};
        loan.notice = seconds(random.between(1, 300));
        if (random.chance(0.6)) loan.recalled_at = begins + seconds(random.between(-200, 900));
        loans.push_back(loan);
    }
    return loans;
}

inline constexpr const char* policies[] = {
    "weir preempt=yes min_run=0s preemptions_per_hour=1000",
    "fcfs preempt=yes min_run=30s preemptions_per_hour=1000",
    "easy",
    "conservative reservations=20",
};

inline Log log_of(const World& world) {
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

}  // namespace weir::sim
