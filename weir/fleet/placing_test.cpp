// The fast placement agrees with the plain one, placement for placement, in small random worlds.
#include <gtest/gtest.h>

#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "weir/base/random.hpp"
#include "weir/fleet/free_index.hpp"
#include "weir/fleet/placing_reference.hpp"
#include "weir/fleet/power.hpp"

namespace weir::fleet {
namespace {

std::uint32_t pick(Random& random, std::int64_t low, std::int64_t high) {
    return static_cast<std::uint32_t>(random.between(low, high));
}

Fleet any_fleet(Random& random) {
    Fleet fleet;
    fleet.sites = {{.name = "a"}, {.name = "b"}};
    const bool watts = random.chance(0.6);
    const auto pools = random.between(1, 3);
    for (int i = 0; i < pools; ++i) {
        Pool pool;
        pool.name = std::to_string(i);
        pool.site = random.chance(0.75) ? "a" : "b";
        pool.nodes = pick(random, 1, 12);
        pool.chips_per_node = random.chance(0.8) ? pick(random, 1, 4) : 0;
        pool.chip = pool.chips_per_node == 0 ? "" : random.chance(0.7) ? "x" : "y";
        pool.cpus_milli = random.chance(0.7) || pool.chip.empty() ? pick(random, 1, 4) * 1000 : 0;
        pool.memory = gibibytes(random.chance(0.5) ? random.between(2, 6) : 0);
        pool.nodes_per_rack = random.chance(0.8) ? pick(random, 1, 4) : 0;
        if (pool.nodes_per_rack > 0 && random.chance(0.7)) pool.racks_per_pod = pick(random, 1, 3);
        if (watts) {
            pool.node_idle_watts = static_cast<double>(random.between(0, 3)) * 100;
            pool.node_busy_watts =
                pool.node_idle_watts + static_cast<double>(random.between(0, 4)) * 333;
            const auto budget = [&](double nodes) {
                return nodes * (pool.node_idle_watts +
                                random.unit() * (pool.node_busy_watts - pool.node_idle_watts));
            };
            if (random.chance(0.5)) pool.rack_power_watts = budget(pool.rack_nodes());
            if (random.chance(0.4)) pool.pod_power_watts = budget(pool.pod_nodes());
            if (random.chance(0.4)) {
                Site& site = fleet.sites[pool.site == "a" ? 0 : 1];
                site.power_watts += budget(pool.nodes);
            }
        }
        fleet.pools.push_back(pool);
    }
    return fleet;
}

Demand any_demand(Random& random, const Fleet& fleet) {
    Demand demand;
    const auto parts = random.chance(0.2) ? 2 : 1;
    for (int i = 0; i < parts; ++i) {
        GangPart part;
        part.replicas = random.chance(0.4) ? 1 : pick(random, 1, random.chance(0.5) ? 4 : 12);
        if (random.chance(0.25)) {
            part.each.chip_permille = pick(random, 1, 4) * 200;
        } else {
            part.each.chips = pick(random, 0, 3);
        }
        part.each.cpus_milli = random.chance(0.5) ? pick(random, 0, 3) * 500 : 0;
        part.each.memory = gibibytes(random.chance(0.3) ? random.between(0, 2) : 0);
        if (part.each.chips + part.each.chip_permille == 0) {
            part.each.cpus_milli += 500;
        }
        demand.parts.push_back(part);
    }
    demand.within = static_cast<Level>(random.between(0, 4));
    if (random.chance(0.5)) demand.within = Level::site;
    if (random.chance(0.4)) demand.prefer = static_cast<Level>(random.between(0, 4));
    for (std::uint32_t i = 0; i < fleet.pools.size(); ++i) {
        const PoolId pool{i};
        if (random.chance(0.3) && !demand.pools.empty()) continue;
        demand.pools.insert(random.chance(0.5) ? demand.pools.begin() : demand.pools.end(), pool);
    }
    demand.tag = random.chance(0.1) ? 1 : 0;
    return demand;
}

// What is where: (pool, node, part, chip) -> replicas, with chip 64 for the node as a whole.
using Seats =
    std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>, std::uint32_t>;

Seats seats_of(const Placement& placement) {
    Seats seats;
    for (const NodeRange& range : placement.ranges) {
        for (std::uint32_t node = range.first; node < range.first + range.count; ++node) {
            seats[{range.pool.value, node, range.part, 64}] += range.replicas;
            for (std::uint32_t chip = 0; chip < 64; ++chip) {
                if (((range.chip_mask >> chip) & 1) != 0) {
                    ++seats[{range.pool.value, node, range.part, chip}];
                }
            }
        }
    }
    return seats;
}

struct Held {
    Shape shape;
    Placement placement;
    ReferencePlacing::Pieces pieces;
};

// Both worlds, told the same.
struct World {
    World(const Fleet& its_fleet, Random& its_random)
        : fleet(its_fleet), random(its_random), index(fleet), plain(fleet) {}

    std::pair<PoolId, std::uint32_t> any_node() {
        const PoolId pool{pick(random, 0, static_cast<std::int64_t>(fleet.pools.size()) - 1)};
        return {pool, pick(random, 0, fleet.pool(pool).nodes - 1)};
    }

    void change_something() {
        const auto [id, node] = any_node();
        const Pool& pool = fleet.pool(id);
        ReferencePlacing::Node& its = plain.node(id, node);
        switch (random.between(0, 7)) {
            case 0:
                its.in_service = random.chance(0.7);
                index.set_in_service(id, node, its.in_service);
                return;
            case 1:
                its.suspect = random.chance(0.5);
                index.set_suspect(id, node, its.suspect);
                return;
            case 2:
                its.tag = random.chance(0.3) ? 1 : 0;
                index.set_tag(id, node, its.tag);
                return;
            case 3: {
                const double watts = random.chance(0.3) ? 0 : random.unit() * 5000;
                const std::uint32_t rack = node / pool.rack_nodes();
                plain.rack(id, rack).budget_mw = milliwatts(watts);
                promise(id, Level::rack, rack, {});
                index.set_rack_power(id, rack, watts);
                return;
            }
            case 4: {
                const double watts = random.chance(0.3) ? 0 : random.unit() * 12000;
                const std::uint32_t pod = node / pool.pod_nodes();
                plain.pod(id, pod).budget_mw = milliwatts(watts);
                promise(id, Level::pod, pod, {});
                index.set_pod_power(id, pod, watts);
                return;
            }
            case 5: {
                const double watts = random.chance(0.3) ? 0 : random.unit() * 20000;
                plain.site(id).budget_mw = milliwatts(watts);
                index.set_site_power(id, watts);
                return;
            }
            case 6: {
                PowerPromised promised;
                if (random.chance(0.7)) {
                    promised = {.until = at_seconds(random.between(1, 3)),
                                .left_mw = random.between(0, 3'000'000)};
                }
                const std::int64_t level = random.between(0, 2);
                if (level == 0) promise(id, Level::rack, node / pool.rack_nodes(), promised);
                if (level == 1) promise(id, Level::pod, node / pool.pod_nodes(), promised);
                if (level == 2) promise(id, Level::site, 0, promised);
                return;
            }
            default: {
                const std::uint32_t count = pick(random, 1, pool.nodes - node);
                Horizon horizon;
                if (random.chance(0.7)) {
                    horizon = {.until = at_seconds(random.between(1, 3)),
                               .chips = pick(random, 0, 4),
                               .cpus_milli = pick(random, 0, 4) * 1000,
                               .memory = gibibytes(random.between(0, 6))};
                }
                index.set_horizon(id, node, count, horizon);
                for (std::uint32_t i = node; i < node + count; ++i) {
                    std::optional<Horizon>& told = plain.node(id, i).horizon;
                    told.reset();
                    if (horizon != Horizon{}) told = horizon;
                }
            }
        }
    }

    void promise(PoolId id, Level level, std::uint32_t number, const PowerPromised& promised) {
        ReferencePlacing::Watts& told = level == Level::rack  ? plain.rack(id, number)
                                        : level == Level::pod ? plain.pod(id, number)
                                                              : plain.site(id);
        told.promised = promised;
        index.set_power_promised(id, level, number, promised);
    }

    const Fleet& fleet;
    Random& random;
    FreeIndex index;
    ReferencePlacing plain;
};

void expect_equal_sums(World& world) {
    for (std::uint32_t p = 0; p < world.fleet.pools.size(); ++p) {
        const Pool& pool = world.fleet.pools[p];
        FreeIndex::PoolTotals sum;
        for (const ReferencePlacing::Node& node : world.plain.nodes) {
            if (node.pool.value != p || !node.in_service) continue;
            ++sum.nodes_in_service;
            for (const std::uint32_t room : node.chip_room)
                sum.chips_milli += room;
            sum.cpus_milli += node.cpus_milli;
            sum.memory.count += node.memory;
        }
        const FreeIndex::PoolTotals totals = world.index.totals(PoolId{p});
        ASSERT_EQ(totals.nodes_in_service, sum.nodes_in_service);
        ASSERT_EQ(totals.chips_milli, sum.chips_milli);
        ASSERT_EQ(totals.cpus_milli, sum.cpus_milli);
        ASSERT_EQ(totals.memory, sum.memory);
        const auto check = [&](const FreeIndex::PowerUse& use,
                               const ReferencePlacing::Watts& watts) {
            ASSERT_EQ(milliwatts(use.drawn_watts), watts.drawn_mw);
            ASSERT_EQ(milliwatts(use.budget_watts), watts.budget_mw);
        };
        for (std::uint32_t i = 0; i < pool.racks(); ++i)
            check(world.index.rack_power(PoolId{p}, i), world.plain.rack(PoolId{p}, i));
        for (std::uint32_t i = 0; i < pool.pods(); ++i)
            check(world.index.pod_power(PoolId{p}, i), world.plain.pod(PoolId{p}, i));
        check(world.index.site_power(PoolId{p}), world.plain.site(PoolId{p}));
    }
}

FreeIndex without_budgets(FreeIndex index, const Fleet& fleet) {
    for (std::uint32_t p = 0; p < fleet.pools.size(); ++p) {
        for (std::uint32_t rack = 0; rack < fleet.pools[p].racks(); ++rack)
            index.set_rack_power(PoolId{p}, rack, 0);
        for (std::uint32_t pod = 0; pod < fleet.pools[p].pods(); ++pod)
            index.set_pod_power(PoolId{p}, pod, 0);
        index.set_site_power(PoolId{p}, 0);
    }
    return index;
}

TEST(Placing, GivesThePlacementsOfThePlainRules) {
    int found = 0;
    int refused = 0;
    for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
        SCOPED_TRACE(seed);
        Random random(seed);
        const Fleet fleet = any_fleet(random);
        World world(fleet, random);
        std::vector<Held> held;
        for (int step = 0; step < 30; ++step) {
            SCOPED_TRACE(step);
            if (random.chance(0.3)) world.change_something();
            if (!held.empty() && random.chance(0.3)) {
                const std::size_t which =
                    pick(random, 0, static_cast<std::int64_t>(held.size()) - 1);
                world.index.give(held[which].shape, held[which].placement);
                world.plain.give(held[which].shape.demand, held[which].pieces);
                std::swap(held[which], held.back());
                held.pop_back();
            }
            const Demand demand = any_demand(random, fleet);
            const Shape shape{demand, FreeIndex::domains_of(fleet, demand)};
            const Time end = random.chance(0.3) ? never : at_seconds(random.between(0, 4));
            Placement placement;
            const bool fits = world.index.fits(shape, end);
            ASSERT_EQ(world.index.find(shape, placement, end), fits);
            if (random.chance(0.1)) {
                ASSERT_EQ(world.index.fits_without_budgets(shape, end),
                          without_budgets(world.index, fleet).fits(shape, end));
                ASSERT_EQ(world.index.fits(shape, end), fits);
            }
            const auto pieces = world.plain.find(demand, end);
            ASSERT_EQ(fits, pieces.has_value());
            if (!fits) {
                ++refused;
                continue;
            }
            ++found;
            ASSERT_EQ(seats_of(placement), seats_of(world.plain.placement_of(*pieces)));
            world.index.take(shape, placement);
            world.plain.take(demand, *pieces);
            held.push_back({shape, placement, *pieces});
            for (const NodeRange& range : placement.ranges) {
                const Pool& pool = fleet.pool(range.pool);
                if (active_milliwatts(pool, demand.parts[range.part].each) == 0) continue;
                for (const ReferencePlacing::Watts& watts :
                     {world.plain.rack(range.pool, range.first / pool.rack_nodes()),
                      world.plain.pod(range.pool, range.first / pool.pod_nodes()),
                      world.plain.site(range.pool)}) {
                    ASSERT_TRUE(watts.budget_mw == 0 || watts.drawn_mw <= watts.budget_mw);
                }
            }
            expect_equal_sums(world);
            if (testing::Test::HasFatalFailure()) return;
        }
        for (const Held& its : held) {
            world.index.give(its.shape, its.placement);
            world.plain.give(its.shape.demand, its.pieces);
        }
        expect_equal_sums(world);
        if (testing::Test::HasFatalFailure()) return;
    }
    // The worlds are neither empty nor full.
    EXPECT_GT(found, 20'000);
    EXPECT_GT(refused, 10'000);
}

// Against a plain list of nodes, kept from the placements alone, of which every one is tried.
TEST(Placing, BySupplyIsTheCheapestNodeOfAllPools) {
    struct Node {
        PoolId pool;
        std::vector<std::uint32_t> rooms;
        std::uint32_t cpus_milli = 0;
        Bytes memory;
        bool in_service = true;
    };
    Pool one;
    one.name = "one";
    one.site = "here";
    one.chip = "a";
    one.nodes = 7;
    one.chips_per_node = 4;
    one.cpus_milli = 32'000;
    one.memory = gibibytes(64);
    Pool two = one;
    two.name = "two";
    two.chip = "b";
    two.chips_per_node = 8;
    const Fleet fleet{.sites = {{.name = "here"}}, .pools = {one, two}};
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        SCOPED_TRACE(seed);
        Random random(seed);
        FreeIndex index(fleet);
        index.place_by_supply(fleet);
        std::vector<Node> nodes;
        for (std::uint32_t pool = 0; pool < 2; ++pool) {
            const Pool& its = fleet.pools[pool];
            nodes.resize(nodes.size() + its.nodes,
                         {PoolId{pool},
                          std::vector<std::uint32_t>(its.chips_per_node, 1000),
                          its.cpus_milli,
                          its.memory});
        }
        const auto at = [&](PoolId pool, std::uint32_t node) -> Node& {
            return nodes[pool.value * 7 + node];
        };
        const auto state_of = [&](const Node& node) {
            std::vector<std::uint16_t> rooms;
            std::uint32_t chips = 0;
            for (const std::uint32_t room : node.rooms) {
                if (room == 1000) ++chips;
                if (room > 0 && room < 1000) rooms.push_back(static_cast<std::uint16_t>(room));
            }
            std::sort(rooms.begin(), rooms.end());
            return index.supply()->state(node.pool, chips, rooms, node.cpus_milli, node.memory);
        };
        const auto change = [&](const Shape& shape, const Placement& placement, int times) {
            const ReplicaDemand& each = shape.demand.parts.front().each;
            for (const NodeRange& range : placement.ranges) {
                const std::uint32_t milli = each.chip_permille > 0 ? each.chip_permille : 1000;
                for (std::uint32_t i = 0; i < range.count; ++i) {
                    Node& node = at(range.pool, range.first + i);
                    for (std::size_t chip = 0; chip < node.rooms.size(); ++chip) {
                        if (((range.chip_mask >> chip) & 1) != 0) node.rooms[chip] -= times * milli;
                    }
                    node.cpus_milli -= times * range.replicas * each.cpus_milli;
                    node.memory.count -= times * std::int64_t{range.replicas} * each.memory.count;
                }
            }
        };
        std::vector<std::pair<Shape, Placement>> held;
        for (int step = 0; step < 400; ++step) {
            if (!held.empty() && random.chance(0.4)) {
                const auto which = static_cast<std::size_t>(
                    random.between(0, static_cast<std::int64_t>(held.size()) - 1));
                index.give(held[which].first, held[which].second);
                change(held[which].first, held[which].second, -1);
                held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
            }
            if (random.chance(0.05)) {
                const PoolId pool{static_cast<std::uint32_t>(random.between(0, 1))};
                const auto node = static_cast<std::uint32_t>(random.between(0, 6));
                at(pool, node).in_service = !at(pool, node).in_service;
                index.set_in_service(pool, node, at(pool, node).in_service);
            }
            GangPart part;
            part.replicas = static_cast<std::uint32_t>(random.between(1, 2));
            if (random.chance(0.5)) part.each.chips = 1U << random.between(0, 2);
            if (part.each.chips == 0) part.each.chip_permille = 250U << random.between(0, 1);
            part.each.cpus_milli = static_cast<std::uint32_t>(random.between(0, 6) * 1000);
            part.each.memory = gibibytes(random.between(0, 8));
            Shape shape{{.parts = {part}, .pools = {PoolId{0}, PoolId{1}}}, {}};
            shape.domains = FreeIndex::domains_of(fleet, shape.demand);
            index.arrived(shape.demand);
            const Node* best = nullptr;
            Supply::Choice best_choice;
            for (const Node& node : nodes) {
                std::uint64_t places = 0;
                for (const std::uint32_t room : node.rooms) {
                    places += part.each.chips > 0 ? std::uint32_t{room == 1000}
                                                  : room / part.each.chip_permille;
                }
                if (part.each.chips > 0) places /= part.each.chips;
                if (!node.in_service || places < part.replicas ||
                    node.cpus_milli < part.replicas * part.each.cpus_milli ||
                    node.memory.count < part.replicas * part.each.memory.count) {
                    continue;
                }
                const auto choice = index.supply()->best(state_of(node), part.each, part.replicas);
                if (best != nullptr && index.supply()->compare(choice, best_choice) >= 0) continue;
                best = &node;
                best_choice = choice;
            }
            Placement placement;
            const bool found = index.find(shape, placement);
            if (best != nullptr) {
                ASSERT_TRUE(found);
                const Node& got = at(placement.ranges[0].pool, placement.ranges[0].first);
                ASSERT_EQ(&got, best);
            }
            if (!found) continue;
            index.take(shape, placement);
            change(shape, placement, 1);
            if (best != nullptr) {
                ASSERT_EQ(state_of(*best), best_choice.to);
            }
            held.emplace_back(shape, placement);
        }
    }
}

}  // namespace
}  // namespace weir::fleet
