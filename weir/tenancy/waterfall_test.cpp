// The waterfall against a reference that looks at every node at every millisecond, and by hand.
#include "weir/tenancy/waterfall.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "weir/base/random.hpp"
#include "weir/tenancy/loan.hpp"
#include "weir/tenancy/waterfall_reference.hpp"

namespace weir::tenancy {
namespace {

using Health = Waterfall::Health;

Time at(std::int64_t ms) {
    return Time{Duration{ms}};
}
ChipTime amount(std::int64_t value) {
    return static_cast<std::uint64_t>(value);
}

fleet::Pool pool_of(std::string name, std::uint32_t nodes, std::uint32_t chips) {
    fleet::Pool pool;
    pool.name = std::move(name);
    pool.site = "here";
    pool.nodes = nodes;
    pool.chips_per_node = chips;
    pool.cpus_milli = 4000;
    return pool;
}

fleet::Fleet fleet_of(std::vector<fleet::Pool> pools) {
    return {.sites = {{.name = "here"}}, .pools = std::move(pools)};
}

fleet::Demand demand_of(std::uint32_t replicas, std::uint32_t chips, std::vector<PoolId> pools) {
    fleet::Demand demand;
    demand.parts = {{.replicas = replicas, .each = {.chips = chips, .cpus_milli = 500}}};
    demand.pools = std::move(pools);
    return demand;
}

fleet::Placement nodes(std::uint32_t first, std::uint32_t count, std::uint32_t pool = 0) {
    return {{{.pool = PoolId{pool}, .first = first, .count = count, .chip_mask = 1}}};
}

// Thousandths x ms of a class in a row, for a table of what is expected.
std::int64_t in(const Losses& losses, Loss loss) {
    return static_cast<std::int64_t>(losses[loss]);
}

TEST(Waterfall, AJobThatRunsAloneLeavesTheRestToNobody) {
    Waterfall waterfall(fleet_of({pool_of("a", 4, 2)}), Unit::chips, at(0));
    Waterfall::Account job;
    job.tenant = waterfall.tenant("lab");
    const fleet::Demand demand = demand_of(2, 2, {PoolId{0}});
    waterfall.waits(job, demand, {}, at(0));
    waterfall.starts(job, demand, nodes(0, 2), at(0));
    waterfall.stops(job, demand, nodes(0, 2), {.kept = Duration{10}}, at(10));
    const Losses row = waterfall.settles(job, true, {}, at(10));
    const Books books = waterfall.books(at(25));
    EXPECT_EQ(in(row, Loss::running), 40'000);
    EXPECT_EQ(row.total(), amount(40'000));
    EXPECT_EQ(in(books.total, Loss::running), 40'000);
    EXPECT_EQ(in(books.total, Loss::not_demanded), 8000 * 25 - 40'000);
    EXPECT_EQ(books.tenants.at(0).name, "lab");
    EXPECT_EQ(books.tenants.at(0).losses, row);
}

TEST(Waterfall, WhatWaitsMakesIdleChipsALossOfSchedulingOnlyAsFarAsItAsks) {
    Waterfall waterfall(fleet_of({pool_of("a", 4, 2), pool_of("b", 4, 2)}), Unit::chips, at(0));
    Waterfall::Account wide, small;
    waterfall.tenant("");
    waterfall.waits(wide, demand_of(5, 1, {PoolId{0}}), {}, at(0));
    waterfall.waits(small, demand_of(2, 1, {PoolId{0}, PoolId{1}}), {}, at(0));
    waterfall.promised(wide, nodes(0, 1), at(0));
    const Books books = waterfall.books(at(1));
    const Losses& a = books.pools.at(0).losses;
    const Losses& b = books.pools.at(1).losses;
    // Pool a: 5 for the wide one (2 of them on the node that it is promised), 2 for the small one.
    EXPECT_EQ(in(a, Loss::promised), 2000);
    EXPECT_EQ(in(a, Loss::fragmented), 5000);
    EXPECT_EQ(in(a, Loss::not_demanded), 1000);
    EXPECT_EQ(in(b, Loss::not_demanded), 8000);
}

TEST(Waterfall, IdleChipsThatAContractForbidsAreAsMuchAsItsJobFindsNowhereElse) {
    Waterfall waterfall(fleet_of({pool_of("a", 4, 2), pool_of("b", 4, 2)}), Unit::chips, at(0));
    Waterfall::Account exact, any;
    waterfall.tenant("");
    waterfall.waits(exact, demand_of(10, 1, {PoolId{0}}), {PoolId{1}}, at(0));
    waterfall.waits(any, demand_of(1, 1, {PoolId{1}}), {}, at(0));
    const Books books = waterfall.books(at(1));
    EXPECT_EQ(in(books.pools.at(0).losses, Loss::fragmented), 8000);
    EXPECT_EQ(in(books.pools.at(1).losses, Loss::fragmented), 1000);
    EXPECT_EQ(in(books.pools.at(1).losses, Loss::wrong_precision), 2000);
    EXPECT_EQ(in(books.pools.at(1).losses, Loss::not_demanded), 5000);
}

TEST(Waterfall, WhoWaitsForDataMakesChipsWaitForItWhereItIsMissingOnly) {
    fleet::Fleet fleet = fleet_of({pool_of("a", 4, 2), pool_of("b", 4, 2)});
    fleet.sites[0].storage.datasets["era5"] = Bytes{1000};
    fleet.sites.push_back({.name = "there"});
    fleet.pools[1].site = "there";
    Waterfall waterfall(fleet, Unit::chips, at(0));
    Waterfall::Account job;
    waterfall.tenant("");
    const fleet::Demand both = demand_of(10, 1, {PoolId{1}, PoolId{0}});
    waterfall.waits(job, both, {}, at(0), {"era5"});
    Books books = waterfall.books(at(1));
    EXPECT_EQ(in(books.pools.at(0).losses, Loss::fragmented), 8000);
    EXPECT_EQ(in(books.pools.at(1).losses, Loss::awaiting_data), 2000);
    EXPECT_EQ(in(books.pools.at(1).losses, Loss::not_demanded), 6000);
    waterfall.set_data("era5", 1, true, at(1));
    books = waterfall.books(at(2));
    EXPECT_EQ(in(books.total, Loss::awaiting_data), 2000);
    EXPECT_EQ(in(books.pools.at(1).losses, Loss::fragmented), 8000);
}

// Two pools with chips of their own kind; a owns 4 of each and lends nothing of the first, b owns
// nothing and may borrow 3 of the second.
Rights rights_of_two(const fleet::Fleet& fleet) {
    Organisations house;
    house.resources = {{Resource::Kind::chips, "x"}, {Resource::Kind::chips, "y"}};
    house.tenants = {
        {},
        {.path = "a", .parent = TenantId{0}, .quota = {{0, 4000}, {1, 4000}}, .lend = {{0, 0}}},
        {.path = "b", .parent = TenantId{0}, .borrow = {{1, 3000}}}};
    return rights_on(fleet, house, {});
}

TEST(Waterfall, WhoHasRoomButNoRightIsStrandedByQuotaUntilTheRightComesBack) {
    fleet::Fleet fleet = fleet_of({pool_of("px", 2, 2), pool_of("py", 2, 2)});
    fleet.pools[0].chip = "x";
    fleet.pools[1].chip = "y";
    Waterfall waterfall(fleet, Unit::chips, at(0), rights_of_two(fleet));
    Waterfall::Account first, second;
    first.house = second.house = TenantId{2};
    const fleet::Demand two = demand_of(2, 1, {PoolId{0}, PoolId{1}});
    waterfall.tenant("");
    waterfall.starts(first, two, nodes(0, 2, 1), at(0));
    // Of pool x nothing is lent, and of y one more may be borrowed, which is too little.
    waterfall.waits(second, two, {}, at(0));
    Books books = waterfall.books(at(1));
    EXPECT_EQ(in(books.pools.at(0).losses, Loss::over_quota), 2000);
    EXPECT_EQ(in(books.pools.at(1).losses, Loss::over_quota), 0);
    EXPECT_EQ(in(books.pools.at(1).losses, Loss::not_demanded), 2000);
    waterfall.stops(first, two, nodes(0, 2, 1), {}, at(1));
    books = waterfall.books(at(2));
    EXPECT_EQ(in(books.total, Loss::over_quota), 2000);
    EXPECT_EQ(in(books.pools.at(1).losses, Loss::fragmented), 2000);
}

TEST(Waterfall, WhoHasALoanHasItsRightWhileItLastsAndItsLenderHasItNot) {
    fleet::Fleet fleet = fleet_of({pool_of("px", 2, 2)});
    fleet.pools[0].chip = "x";
    Rights rights = rights_of_two(fleet);
    Waterfall waterfall(fleet, Unit::chips, at(0), rights);
    Waterfall::Account of_a, of_b;
    of_a.house = TenantId{1};
    of_b.house = TenantId{2};
    waterfall.tenant("");
    const std::vector<Allowance> two{{0, 2000}};
    const fleet::Demand asked = demand_of(1, 2, {PoolId{0}});
    waterfall.waits(of_b, asked, {}, at(0));
    EXPECT_EQ(in(waterfall.books(at(1)).total, Loss::over_quota), 2000);
    waterfall.lend(TenantId{1}, TenantId{2}, two, at(1));
    Books books = waterfall.books(at(2));
    EXPECT_EQ(in(books.total, Loss::over_quota), 2000);
    EXPECT_EQ(in(books.total, Loss::fragmented), 2000);
    // b runs on it; a owns what is left, and no more.
    waterfall.starts(of_b, asked, nodes(0, 1), at(2));
    waterfall.waits(of_a, demand_of(2, 2, {PoolId{0}}), {}, at(2));
    books = waterfall.books(at(3));
    EXPECT_EQ(in(books.total, Loss::over_quota), 4000);
    // It is over while b still runs.
    waterfall.lend(TenantId{2}, TenantId{1}, two, at(3));
    books = waterfall.books(at(4));
    EXPECT_EQ(in(books.total, Loss::over_quota), 4000);
    EXPECT_EQ(in(books.total, Loss::fragmented), 4000);
}

TEST(Waterfall, ABudgetLeavesChipsDarkWhetherAnybodyWaitsOrNot) {
    fleet::Pool pool = pool_of("a", 2, 4);
    pool.nodes_per_rack = 2;
    pool.node_idle_watts = 100;
    pool.node_busy_watts = 500;
    pool.rack_power_watts = 700;  // beside 200 W idle 500 W: five chips
    Waterfall waterfall(fleet_of({pool}), Unit::chips, at(0));
    Waterfall::Account job;
    job.tenant = waterfall.tenant("");
    const fleet::Demand demand = demand_of(1, 4, {PoolId{0}});
    EXPECT_EQ(in(waterfall.books(at(1)).total, Loss::unpowered), 3000);
    waterfall.starts(job, demand, nodes(0, 1), at(1));
    waterfall.waits(job, demand, {}, at(1));
    EXPECT_EQ(in(waterfall.books(at(2)).total, Loss::unpowered), 6000);
    EXPECT_EQ(in(waterfall.books(at(2)).total, Loss::fragmented), 1000);
    // A node that fails is broken first and dark second: of its four chips none is dark any more.
    waterfall.set_health(PoolId{0}, 1, Health::failed, at(2));
    EXPECT_EQ(in(waterfall.books(at(3)).total, Loss::unpowered), 6000);
    EXPECT_EQ(in(waterfall.books(at(3)).total, Loss::failed), 4000);
    waterfall.set_budget(fleet::Level::rack, PoolId{0}, 0, 0, at(3));
    waterfall.set_health(PoolId{0}, 1, Health::up, at(3));
    EXPECT_EQ(in(waterfall.books(at(4)).total, Loss::unpowered), 6000);
}

TEST(Waterfall, WorkIsBookedWhenItIsKnownWhatItWasFor) {
    Waterfall waterfall(fleet_of({pool_of("a", 1, 1)}), Unit::chips, at(0));
    const fleet::Demand demand = demand_of(1, 1, {PoolId{0}});
    Waterfall::Account job;
    job.tenant = waterfall.tenant("t");
    waterfall.starts(job, demand, nodes(0, 1), at(0));
    EXPECT_EQ(in(waterfall.books(at(40)).total, Loss::open), 40'000);
    EXPECT_EQ(in(Waterfall::row(job, at(40)), Loss::open), 40'000);
    // Ten of a hundred went into a checkpoint that holds sixty; thirty are lost at once.
    waterfall.stops(
        job, demand, nodes(0, 1), {.checkpoint = Duration{10}, .kept = Duration{60}}, at(100));
    Books books = waterfall.books(at(100));
    EXPECT_EQ(in(books.total, Loss::lost_work), 30'000);
    EXPECT_EQ(in(books.total, Loss::open), 60'000);
    EXPECT_EQ(books.tenants.at(0).losses[Loss::open], amount(60'000));
    waterfall.starts(job, demand, nodes(0, 1), at(100));
    waterfall.stops(
        job, demand, nodes(0, 1), {.restart = Duration{5}, .kept = Duration{40}}, at(145));
    const Losses row = waterfall.settles(job, true, Efficiency{800'000, 500'000}, at(145));
    EXPECT_EQ(in(row, Loss::plan), 20'000);
    EXPECT_EQ(in(row, Loss::kernel), 40'000);
    EXPECT_EQ(in(row, Loss::useful), 40'000);
    EXPECT_EQ(in(row, Loss::restart), 5000);
    books = waterfall.books(at(145));
    EXPECT_EQ(books.total, row);
    EXPECT_EQ(books.tenants.at(0).losses, row);
}

TEST(Waterfall, SumsPastSixtyFourBitsStayExact) {
    Waterfall waterfall(fleet_of({pool_of("a", 1'000'000, 64)}), Unit::chips, at(0));
    constexpr std::int64_t century_ms = 3'155'760'000'000;
    const Books books = waterfall.books(at(century_ms));
    EXPECT_EQ(text_of(books.total[Loss::not_demanded]), "201968640000000000000000");
    EXPECT_EQ(books.total.total(), ChipTime{64'000'000'000} * std::uint64_t{century_ms});
}

// ---------------------------------------------------------------------------------------------
// A random small world, told to both.

class World {
public:
    World(Random& random, Unit unit)
        : random_(random),
          fleet_(random_fleet(random)),
          unit_(unit),
          rights_(random_rights(random, fleet_)),
          waterfall_(fleet_, unit, at(0), rights_),
          reference_(fleet_, unit, rights_) {}

    void run(std::int64_t until_ms) {
        for (; now_ < until_ms; ++now_) {
            for (std::int64_t n = random_.between(-2, 3); n > 0; --n)
                something_happens();
            reference_.tick(now_);
        }
        while (!reference_.jobs.empty())
            end(reference_.jobs.begin()->first);
    }

    void compare() {
        const Books books = waterfall_.books(at(now_));
        Losses total;
        Losses by_site;
        Losses over_time;
        for (std::size_t p = 0; p < fleet_.pools.size(); ++p) {
            const Losses& its = books.pools[p].losses;
            RC_ASSERT(its == reference_.of_pool[p]);
            RC_ASSERT(its.total() ==
                      amount(reference_.node_units(p) * fleet_.pools[p].nodes * now_));
            total += its;
        }
        for (const Books::Row& row : books.sites)
            by_site += row.losses;
        RC_ASSERT(total == books.total);
        RC_ASSERT(by_site == books.total);
        ChipTime of_tenants = 0;
        for (const Books::Row& row : books.tenants) {
            RC_ASSERT(row.losses == reference_.of_tenant[row.name]);
            of_tenants += row.losses.total();
        }
        RC_ASSERT(of_tenants == books.total.held());
        RC_ASSERT(of_jobs_ == books.total.held());
        for (const Books::Levels& bin : books.over_time) {
            for (std::size_t k = 0; k < Books::levels; ++k)
                over_time.of[k] += bin[k];
        }
        for (std::size_t k = 0; k + 1 < Books::levels; ++k)
            RC_ASSERT(over_time.of[k] == books.total.of[k]);
        RC_ASSERT(over_time.of[Books::levels - 1] == books.total.held());
    }

private:
    static fleet::Fleet random_fleet(Random& random) {
        fleet::Fleet fleet;
        fleet.sites = {{.name = "s0"}, {.name = "s1"}};
        for (const char* name : {"d0", "d1"})
            if (random.chance(0.5)) fleet.sites[0].storage.datasets[name] = Bytes{1000};
        if (random.chance(0.4)) fleet.sites[0].power_watts = 300 + 100.0 * random.unit() * 20;
        const std::int64_t pools = random.between(1, 4);
        for (std::int64_t p = 0; p < pools; ++p) {
            fleet::Pool pool = pool_of("p" + std::to_string(p),
                                       static_cast<std::uint32_t>(random.between(1, 5)),
                                       static_cast<std::uint32_t>(random.between(0, 3)));
            pool.site = random.chance(0.7) ? "s0" : "s1";
            pool.chip = random.chance(0.5) ? "x" : "y";
            if (random.chance(0.1)) pool.cpus_milli = 0;
            pool.nodes_per_rack = static_cast<std::uint32_t>(random.between(0, 2));
            pool.racks_per_pod = static_cast<std::uint32_t>(random.between(0, 2));
            if (random.chance(0.6)) {
                pool.node_idle_watts = 100;
                pool.node_busy_watts = 100 + static_cast<double>(random.between(0, 5)) * 111.1;
                if (random.chance(0.6)) pool.rack_power_watts = 100 + random.unit() * 900;
                if (random.chance(0.4)) pool.pod_power_watts = 100 + random.unit() * 1500;
            }
            fleet.pools.push_back(pool);
        }
        return fleet;
    }

    static Rights random_rights(Random& random, const fleet::Fleet& fleet) {
        if (random.chance(0.4)) return {};
        Organisations house;
        house.resources = {{Resource::Kind::chips, "x"},
                           {Resource::Kind::cpus, ""},
                           {Resource::Kind::capability, "bf16"}};
        house.tenants = {{}};
        const auto some_of_each = [&](double chance) {
            std::vector<Allowance> list;
            for (std::uint32_t r = 0; r < 3; ++r) {
                const std::int64_t most = r == 2 ? 60 : 12'000;
                if (random.chance(chance)) list.push_back({r, random.between(0, most)});
            }
            return list;
        };
        for (std::uint32_t i = 1; i < 5; ++i) {
            const TenantId parent{static_cast<std::uint32_t>(random.between(0, i - 1))};
            house.tenants.push_back({.path = house.tenant(parent).path + "/" + std::to_string(i),
                                     .parent = parent,
                                     .quota = some_of_each(0.6),
                                     .lend = some_of_each(0.3),
                                     .borrow = some_of_each(0.3)});
        }
        return rights_on(fleet, house, [](std::string_view chip, std::string_view) {
            return chip == "x" ? std::optional<double>(7e6) : std::optional<double>(3e6);
        });
    }

    void something_happens() {
        switch (random_.between(0, 15)) {
            case 0:
            case 1:
            case 2:
                submit();
                break;
            case 3:
            case 4:
            case 5:
                start();
                break;
            case 6:
            case 7:
                if (WaterfallReference::Job* job = some_job(); job != nullptr) {
                    job->on.ranges.empty() && random_.chance(0.5) ? rest() : end(chosen_);
                }
                break;
            case 8:
                stop_for_others();
                break;
            case 9:
                promise();
                break;
            case 10:
                change_health();
                break;
            case 11:
                change_budget();
                break;
            case 12:
                set_apart();
                break;
            case 13:
                move_data();
                break;
            case 14:
                lend();
                break;
            default:
                change_contract();
        }
    }

    // A loan begins or, where the other has something of the same, might as well be over.
    void lend() {
        if (rights_.empty()) return;
        const auto some_house = [this] {
            return TenantId{static_cast<std::uint32_t>(random_.between(0, 4))};
        };
        const TenantId lender = some_house();
        const TenantId borrower = some_house();
        const std::vector<Allowance>& owned = reference_.rights.organisations.tenant(lender).quota;
        if (lender == borrower || owned.empty() || owned.back().amount == 0) return;
        const std::vector<Allowance> amounts{
            {owned.back().resource, random_.between(1, owned.back().amount)}};
        move_quota(reference_.rights.organisations, lender, borrower, amounts);
        waterfall_.lend(lender, borrower, amounts, at(now_));
    }

    PoolId some_pool() {
        return PoolId{static_cast<std::uint32_t>(
            random_.between(0, static_cast<std::int64_t>(fleet_.pools.size()) - 1))};
    }
    // What a contract forbids is not among what it accepts.
    std::vector<PoolId> some_barred(const fleet::Demand& demand) {
        std::vector<PoolId> barred;
        for (std::int64_t n = random_.between(0, 2); n > 0; --n) {
            const PoolId pool = some_pool();
            const auto has = [&](const std::vector<PoolId>& pools) {
                return std::find(pools.begin(), pools.end(), pool) != pools.end();
            };
            if (!has(demand.pools) && !has(barred)) barred.push_back(pool);
        }
        return barred;
    }
    WaterfallReference::Job* some_job() {
        if (reference_.jobs.empty()) return nullptr;
        auto its = reference_.jobs.begin();
        std::advance(its,
                     random_.between(0, static_cast<std::int64_t>(reference_.jobs.size()) - 1));
        chosen_ = its->first;
        return &its->second;
    }
    Waterfall::Account& account() { return accounts_[chosen_]; }

    void submit() {
        if (reference_.jobs.size() > 12) return;
        chosen_ = ++jobs_;
        WaterfallReference::Job& job = reference_.jobs[chosen_];
        job.tenant = "t" + std::to_string(random_.between(0, 2));
        std::vector<PoolId> pools{some_pool()};
        for (std::int64_t n = random_.between(0, 2); n > 0; --n) {
            const PoolId more = some_pool();
            if (std::find(pools.begin(), pools.end(), more) == pools.end()) pools.push_back(more);
        }
        job.demand = demand_of(static_cast<std::uint32_t>(random_.between(1, 3)),
                               static_cast<std::uint32_t>(random_.between(0, 2)),
                               pools);
        fleet::ReplicaDemand& each = job.demand.parts[0].each;
        each.cpus_milli = static_cast<std::uint32_t>(random_.between(0, 4)) * 700;
        if (each.chips == 0) {
            each.chip_permille = static_cast<std::uint32_t>(random_.between(0, 3)) * 230;
        }
        account().tenant = waterfall_.tenant(job.tenant);
        if (!rights_.empty())
            job.house = TenantId{static_cast<std::uint32_t>(random_.between(0, 4))};
        account().house = job.house;
        job.waits = true;
        job.barred = some_barred(job.demand);
        for (const char* name : {"d0", "d1"})
            if (random_.chance(0.3)) job.reads.emplace_back(name);
        waterfall_.waits(account(), job.demand, job.barred, at(now_), job.reads);
    }

    // Node by node, chip by chip, wherever there is room.
    bool place(const WaterfallReference::Job& job, fleet::Placement& placement) {
        const fleet::ReplicaDemand& each = job.demand.parts[0].each;
        WaterfallReference::Job& trial = reference_.jobs[0];
        trial.demand = job.demand;
        trial.on.ranges.clear();
        for (std::uint32_t r = 0; r < job.demand.parts[0].replicas; ++r) {
            bool found = false;
            for (const PoolId pool : job.demand.pools) {
                for (std::uint32_t n = 0; n < fleet_.pool(pool).nodes && !found; ++n)
                    found = place_on(pool, n, each, trial.on);
            }
            if (!found) break;
        }
        placement = trial.on;
        reference_.jobs.erase(0);
        return placement.ranges.size() == job.demand.parts[0].replicas;
    }
    bool place_on(PoolId pool,
                  std::uint32_t node,
                  const fleet::ReplicaDemand& each,
                  fleet::Placement& on) {
        const fleet::Pool& its = fleet_.pool(pool);
        std::uint64_t cpus = each.cpus_milli;
        std::uint64_t taken = 0;
        const auto masks_of = [&](const auto& held) {
            for (const fleet::NodeRange& range : held.on.ranges) {
                if (range.pool != pool || range.first != node) continue;
                cpus += held.demand.parts[0].each.cpus_milli;
                if (held.demand.parts[0].each.chip_permille == 0) taken |= range.chip_mask;
            }
        };
        for (const auto& [id, held] : reference_.jobs)
            masks_of(held);
        if (reference_.nodes[pool.value][node].health != Health::up || cpus > its.cpus_milli) {
            return false;
        }
        std::uint64_t mask = 0;
        std::uint32_t wanted = each.chips + (each.chip_permille > 0 ? 1 : 0);
        for (std::uint32_t chip = 0; chip < its.chips_per_node && wanted > 0; ++chip) {
            const std::int64_t shares =
                reference_.shares_of(pool.value, node, static_cast<int>(chip));
            const bool room =
                each.chip_permille > 0 ? shares + each.chip_permille <= 1000 : shares == 0;
            if ((taken >> chip & 1) == 1 || !room) continue;
            mask |= std::uint64_t{1} << chip;
            --wanted;
        }
        if (wanted > 0) return false;
        on.ranges.push_back({.pool = pool, .first = node, .chip_mask = mask});
        return true;
    }

    void start() {
        WaterfallReference::Job* job = some_job();
        if (job == nullptr || !job->on.ranges.empty()) return;
        fleet::Placement placement;
        const std::uint64_t chosen = chosen_;
        if (!place(*job, placement)) return;
        WaterfallReference::Job& its = reference_.jobs.at(chosen);
        its.on = placement;
        its.waits = false;
        its.promised.ranges.clear();
        since_[chosen] = now_;
        waterfall_.starts(account(), its.demand, placement, at(now_));
    }

    Spent some_spent(std::int64_t elapsed) {
        Spent spent;
        for (Duration* part :
             {&spent.staging, &spent.start_up, &spent.restart, &spent.checkpoint, &spent.kept}) {
            if (random_.chance(0.4)) continue;
            *part = Duration{random_.between(0, elapsed)};
            elapsed -= part->count();
        }
        return spent;
    }

    void stop(std::uint64_t id) {
        chosen_ = id;
        WaterfallReference::Job& job = reference_.jobs.at(id);
        if (job.on.ranges.empty()) return;
        const Spent spent = some_spent(now_ - since_[id]);
        waterfall_.stops(account(), job.demand, job.on, spent, at(now_));
        reference_.stops(job, spent);
    }
    void stop_for_others() {
        WaterfallReference::Job* job = some_job();
        if (job == nullptr || job->on.ranges.empty()) return;
        stop(chosen_);
        job->waits = true;
        waterfall_.waits(account(), job->demand, job->barred, at(now_), job->reads);
    }
    void end(std::uint64_t id) {
        stop(id);
        chosen_ = id;
        WaterfallReference::Job& job = reference_.jobs.at(id);
        const bool came_out = random_.chance(0.7);
        std::optional<Efficiency> efficiency;
        if (random_.chance(0.5)) {
            efficiency = Efficiency{static_cast<std::uint32_t>(random_.between(0, 1'000'000)),
                                    static_cast<std::uint32_t>(random_.between(0, 1'000'000))};
        }
        reference_.settles(job, came_out, efficiency);
        const Losses row = waterfall_.settles(account(), came_out, efficiency, at(now_));
        RC_ASSERT(row == job.row);
        of_jobs_ += row.total();
        reference_.jobs.erase(id);
        accounts_.erase(id);
    }
    void rest() {
        WaterfallReference::Job& job = reference_.jobs.at(chosen_);
        job.waits = false;
        job.promised.ranges.clear();
        waterfall_.rests(account(), at(now_));
    }
    void change_contract() {
        WaterfallReference::Job* job = some_job();
        if (job == nullptr || !job->on.ranges.empty()) return;
        job->waits = true;
        job->barred = some_barred(job->demand);
        waterfall_.waits(account(), job->demand, job->barred, at(now_), job->reads);
    }
    void promise() {
        WaterfallReference::Job* job = some_job();
        if (job == nullptr || !job->on.ranges.empty()) return;
        const PoolId pool = job->demand.pools.front();
        const std::uint32_t first = some_node(pool);
        job->promised.ranges.clear();
        if (random_.chance(0.8)) {
            job->promised = nodes(first, fleet_.pool(pool).nodes - first, pool.value);
        }
        waterfall_.promised(account(), job->promised, at(now_));
    }
    std::uint32_t some_node(PoolId pool) {
        return static_cast<std::uint32_t>(random_.between(0, fleet_.pool(pool).nodes - 1));
    }
    void change_health() {
        const PoolId pool = some_pool();
        const std::uint32_t node = some_node(pool);
        const auto health = static_cast<Health>(random_.between(0, 2));
        reference_.nodes[pool.value][node].health = health;
        waterfall_.set_health(pool, node, health, at(now_));
    }
    void change_budget() {
        const PoolId pool = some_pool();
        const fleet::Pool& its = fleet_.pool(pool);
        const double watts = random_.chance(0.3) ? 0 : 50 + random_.unit() * 1500;
        switch (random_.between(0, 2)) {
            case 0: {
                const auto rack = static_cast<std::uint32_t>(random_.between(0, its.racks() - 1));
                reference_.rack_watts[pool.value][rack] = watts;
                waterfall_.set_budget(fleet::Level::rack, pool, rack, watts, at(now_));
                break;
            }
            case 1: {
                const auto pod = static_cast<std::uint32_t>(random_.between(0, its.pods() - 1));
                reference_.pod_watts[pool.value][pod] = watts;
                waterfall_.set_budget(fleet::Level::pod, pool, pod, watts, at(now_));
                break;
            }
            default:
                reference_.site_watts[its.site == "s0" ? 0 : 1] = watts;
                waterfall_.set_budget(fleet::Level::site, pool, 0, watts, at(now_));
        }
    }
    void move_data() {
        const std::string name = random_.chance(0.5) ? "d0" : "d1";
        const auto site = static_cast<std::uint32_t>(random_.between(0, 1));
        const bool lies = random_.chance(0.6);
        if (lies) {
            reference_.data.emplace(name, fleet_.sites[site].name);
        } else {
            reference_.data.erase({name, fleet_.sites[site].name});
        }
        waterfall_.set_data(name, site, lies, at(now_));
    }
    void set_apart() {
        if (!reference_.aparts.empty() && random_.chance(0.3)) {
            const AdvanceId id = reference_.aparts.front().id;
            reference_.aparts.erase(reference_.aparts.begin());
            waterfall_.given_back(id, at(now_));
            return;
        }
        const PoolId pool = some_pool();
        const std::uint32_t first = some_node(pool);
        const std::int64_t from = now_ + random_.between(-3, 9);
        WaterfallReference::Apart apart{.id = AdvanceId{++advances_},
                                        .nodes = {{pool, first, fleet_.pool(pool).nodes - first}},
                                        .maintenance = random_.chance(0.3),
                                        .from_ms = from,
                                        .until_ms = from + random_.between(1, 20)};
        waterfall_.set_apart(apart.id,
                             apart.nodes,
                             apart.maintenance,
                             at(apart.from_ms),
                             at(apart.until_ms),
                             at(now_));
        reference_.aparts.push_back(apart);
    }

    Random& random_;
    fleet::Fleet fleet_;
    Unit unit_;
    Rights rights_;
    Waterfall waterfall_;
    WaterfallReference reference_;
    std::map<std::uint64_t, Waterfall::Account> accounts_;
    std::map<std::uint64_t, std::int64_t> since_;
    std::int64_t now_ = 0;
    std::uint64_t jobs_ = 0;
    std::uint64_t chosen_ = 0;
    std::uint32_t advances_ = 0;
    ChipTime of_jobs_ = 0;
};

RC_GTEST_PROP(Waterfall, ClosesExactlyLikeAReferenceThatLooksAtEveryNodeAtEveryMillisecond, ()) {
    Random random(*rc::gen::arbitrary<std::uint64_t>());
    for (int worlds = 0; worlds < 10; ++worlds) {
        World world(random, random.chance(0.7) ? Unit::chips : Unit::cpus);
        world.run(random.between(1, 120));
        world.compare();
    }
}

}  // namespace
}  // namespace weir::tenancy
