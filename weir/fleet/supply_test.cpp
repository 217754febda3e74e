// What a placement costs the tasks to come, against a reference that keeps plain lists of nodes and
// arrivals and works everything out from them again and again.
#include "weir/fleet/supply.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "weir/base/random.hpp"

namespace weir::fleet {
namespace {

using Number = __int128;

Fleet small_fleet() {
    Pool pool;
    pool.site = "here";
    pool.name = "big";
    pool.chip = "one";
    pool.nodes = 3;
    pool.chips_per_node = 8;
    pool.cpus_milli = 64'000;
    pool.memory = gibibytes(256);
    Fleet fleet;
    fleet.sites = {{.name = "here"}};
    fleet.pools.push_back(pool);
    pool.name = "lean";
    pool.chips_per_node = 4;
    pool.cpus_milli = 16'000;
    fleet.pools.push_back(pool);
    pool.name = "other";
    pool.chip = "two";
    pool.memory = {};  // not counted
    fleet.pools.push_back(pool);
    pool.name = "plain";
    pool.chip = "";
    pool.chips_per_node = 0;
    pool.memory = gibibytes(64);
    fleet.pools.push_back(pool);
    return fleet;
}

struct Node {
    PoolId pool;
    std::vector<std::uint32_t> rooms;  // permille free, chip by chip
    std::uint32_t cpus_milli = 0;
    std::int64_t memory = 0;
    bool in_service = true;
};

Node empty_node(const Fleet& fleet, PoolId pool) {
    const Pool& its = fleet.pool(pool);
    return {pool,
            std::vector<std::uint32_t>(its.chips_per_node, 1000),
            its.cpus_milli,
            its.memory.count};
}

std::uint32_t free_milli(const Node& node) {
    std::uint32_t sum = 0;
    for (const std::uint32_t room : node.rooms)
        sum += room;
    return sum;
}

StateId state_of(Supply& supply, const Node& node) {
    std::vector<std::uint16_t> rooms;
    std::uint32_t chips = 0;
    for (const std::uint32_t room : node.rooms) {
        if (room == 1000) {
            ++chips;
        } else if (room > 0) {
            rooms.push_back(static_cast<std::uint16_t>(room));
        }
    }
    std::sort(rooms.begin(), rooms.end());
    return supply.state(node.pool, chips, rooms, node.cpus_milli, {node.memory});
}

// Puts one task there, one after the other, until it does not go any more.
std::uint32_t holds(const Fleet& fleet, Node node, const ReplicaDemand& each) {
    const Pool& pool = fleet.pool(node.pool);
    for (std::uint32_t count = 0;; ++count) {
        if (pool.cpus_milli > 0) {
            if (node.cpus_milli < each.cpus_milli) return count;
            node.cpus_milli -= each.cpus_milli;
        }
        if (pool.memory.count > 0) {
            if (node.memory < each.memory.count) return count;
            node.memory -= each.memory.count;
        }
        const std::uint32_t wanted = each.chip_permille > 0 ? each.chip_permille : 1000;
        for (std::uint32_t i = 0; i < std::max(each.chips, 1U); ++i) {
            const auto room = std::find_if(
                node.rooms.begin(), node.rooms.end(), [&](auto its) { return its >= wanted; });
            if (room == node.rooms.end()) return count;
            *room -= wanted;
        }
    }
}

class Reference {
public:
    explicit Reference(const Fleet& fleet) : fleet_(fleet) {}

    void arrived(const Demand& demand, const std::vector<Node>& nodes) {
        ++arrivals_;
        std::vector<std::string> kinds;
        for (const PoolId pool : demand.pools)
            kinds.push_back(fleet_.pool(pool).chip);
        std::sort(kinds.begin(), kinds.end());
        kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());
        for (const GangPart& part : demand.parts) {
            if (part.each.chips == 0 && part.each.chip_permille == 0) continue;
            ReplicaDemand each = part.each;
            each.cpus_milli = static_cast<std::uint32_t>(stepped(each.cpus_milli, 125));
            each.memory.count = static_cast<std::int64_t>(
                stepped(static_cast<std::uint64_t>(each.memory.count), 1 << 20));
            counts_[{each, kinds}] += part.replicas;
        }
        if (arrivals_ % 4096 == 0) {
            for (auto& [kind, count] : counts_)
                count /= 2;
        }
        const bool doubling = arrivals_ <= 256 && (arrivals_ & (arrivals_ - 1)) == 0;
        if (doubling || arrivals_ % 256 == 0) take_mix();
        if (doubling || arrivals_ % 64 == 0) take_prices(nodes);
    }

    [[nodiscard]] Number value(const Node& node) const {
        Number sum = 0;
        std::vector<std::uint64_t> milli;  // c_m g_m
        for (const Task& task : mix_) {
            const std::uint32_t count = places(node, task);
            sum += Number{task.price} * count;
            milli.push_back(count * task.milli());
        }
        std::uint64_t usable = 0;
        for (const std::uint64_t at_least : milli) {
            std::uint64_t count = 0;
            for (std::size_t m = 0; m < mix_.size(); ++m) {
                if (milli[m] >= at_least) count += mix_[m].count;
            }
            if (count * 100 >= total() * 2) usable = std::max(usable, at_least);
        }
        return sum + Number{2} * 65536 * usable;
    }

    [[nodiscard]] std::size_t shapes() const { return mix_.size(); }

private:
    struct Task {
        ReplicaDemand each;
        std::vector<std::string> kinds;
        std::uint64_t count = 0;
        std::uint64_t price = 0;
        [[nodiscard]] std::uint64_t milli() const { return each.chips * 1000 + each.chip_permille; }
    };

    static std::uint64_t stepped(std::uint64_t amount, std::uint64_t smallest) {
        if (amount == 0) return 0;
        for (std::uint64_t octave = smallest;; octave *= 2) {
            for (std::uint64_t step = 0; step < 8; ++step) {
                if (octave + octave * step / 8 >= amount) return octave + octave * step / 8;
            }
        }
    }

    [[nodiscard]] std::uint32_t places(const Node& node, const Task& task) const {
        const std::string& chip = fleet_.pool(node.pool).chip;
        if (std::find(task.kinds.begin(), task.kinds.end(), chip) == task.kinds.end()) return 0;
        return holds(fleet_, node, task.each);
    }

    [[nodiscard]] std::uint64_t total() const {
        std::uint64_t sum = 0;
        for (const Task& task : mix_)
            sum += task.count;
        return sum;
    }

    void take_mix() {
        std::vector<Task> all;
        for (const auto& [kind, count] : counts_) {
            if (count > 0) all.push_back({kind.first, kind.second, count});
        }
        std::stable_sort(all.begin(), all.end(), [](const Task& a, const Task& b) {
            return a.count * a.milli() > b.count * b.milli();
        });
        if (all.size() > 128) all.resize(128);
        mix_ = all;
    }

    void take_prices(const std::vector<Node>& nodes) {
        static const std::map<std::uint32_t, std::uint64_t> sixteen_roots{
            {0, 16}, {1, 16}, {2, 22}, {3, 27}, {4, 32}, {5, 35}, {6, 39}, {7, 42}, {8, 45}};
        for (Task& task : mix_) {
            std::uint64_t all_places = 0;
            std::uint64_t all_free = 0;
            for (const Node& node : nodes) {
                if (!node.in_service) continue;
                all_places += places(node, task);
                all_free += free_milli(node);
            }
            task.price = 65536 * all_free * task.count / (total() * (all_places + 1)) *
                         sixteen_roots.at(task.each.chips) / 16;
        }
    }

    const Fleet& fleet_;
    std::uint64_t arrivals_ = 0;
    std::map<std::pair<ReplicaDemand, std::vector<std::string>>, std::uint64_t> counts_;
    std::vector<Task> mix_;
};

// Few sizes, or so many that not all of them can be looked at; then all tasks accept the same
// chips, because Supply and the reference sort sets of chips in another order, and that decides
// which of the shapes that ask for equally much are left out.
Demand random_demand(Random& random, bool many_shapes) {
    Demand demand;
    for (int part = random.chance(0.1) ? 2 : 1; part > 0; --part) {
        GangPart its;
        its.replicas = static_cast<std::uint32_t>(random.chance(0.2) ? random.between(2, 4) : 1);
        const std::int64_t kind = random.between(0, 9);
        if (kind < 5) its.each.chips = 1U << random.between(0, 3);
        if (kind >= 5 && kind < 9) {
            its.each.chip_permille = static_cast<std::uint32_t>(
                many_shapes ? random.between(1, 999) : 300 * random.between(1, 2));
        }
        its.each.cpus_milli = static_cast<std::uint32_t>(many_shapes ? random.between(0, 8000)
                                                                     : 3000 * random.between(0, 1));
        its.each.memory =
            mebibytes(many_shapes ? random.between(0, 40'000) : 20'000 * random.between(0, 1));
        demand.parts.push_back(its);
    }
    demand.pools = {PoolId{0}, PoolId{1}, PoolId{2}, PoolId{3}};
    if (!many_shapes && random.chance(0.5)) demand.pools = {PoolId{0}, PoolId{1}};
    if (!many_shapes && random.chance(0.2)) demand.pools = {PoolId{2}};
    return demand;
}

// All ways to put one task there, as (cost, room, node after it).
std::vector<std::tuple<Number, std::uint32_t, Node>> ways(const Fleet& fleet,
                                                          const Reference& reference,
                                                          const Node& node,
                                                          const ReplicaDemand& each) {
    std::vector<std::tuple<Number, std::uint32_t, Node>> found;
    if (holds(fleet, node, each) == 0) return found;
    Node without = node;
    if (fleet.pool(node.pool).cpus_milli > 0) without.cpus_milli -= each.cpus_milli;
    if (fleet.pool(node.pool).memory.count > 0) without.memory -= each.memory.count;
    const auto add = [&](std::uint32_t room, const Node& after) {
        found.emplace_back(reference.value(node) - reference.value(after), room, after);
    };
    if (each.chip_permille == 0) {
        std::uint32_t left = each.chips;
        for (std::uint32_t& room : without.rooms) {
            if (left > 0 && room == 1000) room = 0, --left;
        }
        add(0, without);
        return found;
    }
    for (std::size_t chip = 0; chip < node.rooms.size(); ++chip) {
        if (node.rooms[chip] < each.chip_permille) continue;
        Node after = without;
        after.rooms[chip] -= each.chip_permille;
        add(node.rooms[chip], after);
    }
    return found;
}

TEST(Supply, AgreesWithListsOfNodesAndArrivals) {
    std::size_t shapes_most = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(seed);
        Random random(seed);
        const bool many_shapes = seed % 2 == 0;
        const Fleet fleet = small_fleet();
        Supply supply(fleet);
        Reference reference(fleet);
        std::vector<Node> nodes;
        for (std::uint32_t pool = 0; pool < fleet.pools.size(); ++pool) {
            nodes.resize(nodes.size() + fleet.pools[pool].nodes, empty_node(fleet, PoolId{pool}));
            supply.joined(state_of(supply, nodes.back()), fleet.pools[pool].nodes);
        }
        for (int step = 0; step < 700; ++step) {
            const Demand demand = random_demand(random, many_shapes);
            supply.arrived(demand);
            reference.arrived(demand, nodes);
            // Its first replica goes where it is cheapest.
            const ReplicaDemand& each = demand.parts.front().each;
            Node& node = nodes[static_cast<std::size_t>(
                random.between(0, static_cast<std::int64_t>(nodes.size()) - 1))];
            const StateId from = state_of(supply, node);
            const bool look = step % 8 == 0;
            if (node.in_service && holds(fleet, node, each) > 0) {
                const Supply::Choice choice = supply.best(from, each);
                Node after = node;
                for (const auto& [cost, room, there] : ways(fleet, reference, node, each)) {
                    if (state_of(supply, there) == choice.to) after = there;
                    if (!look) continue;
                    ASSERT_GE(cost, 0);
                    ASSERT_LE(std::tie(choice.cost, choice.room), std::tie(cost, room));
                    ASSERT_TRUE(supply.cost(from, state_of(supply, there)) == cost);
                }
                ASSERT_EQ(state_of(supply, after), choice.to);
                supply.moved(from, choice.to, 1);
                node = after;
            } else if (random.chance(0.1)) {
                node.in_service ? supply.left(from, 1) : supply.joined(from, 1);
                node.in_service = !node.in_service;
            } else if (node.in_service) {
                node = empty_node(fleet, node.pool);
                supply.moved(from, state_of(supply, node), 1);
            }
        }
        shapes_most = std::max(shapes_most, reference.shapes());
    }
    EXPECT_EQ(shapes_most, Supply::shapes_max);
}

TEST(Supply, SeveralReplicasChooseOneAfterTheOther) {
    const Fleet fleet = small_fleet();
    Supply supply(fleet);
    const StateId empty = state_of(supply, empty_node(fleet, PoolId{0}));
    supply.joined(empty, 3);
    Random random(7);
    for (int i = 0; i < 300; ++i)
        supply.arrived(random_demand(random, false));
    const ReplicaDemand each{.chip_permille = 300, .cpus_milli = 2000, .memory = gibibytes(4)};
    StateId state = empty;
    Supply::Cost sum = 0;
    for (std::uint32_t left = 7; left > 0; --left) {
        const Supply::Choice all = supply.best(state, each, left);
        const Supply::Choice first = supply.best(state, each);
        ASSERT_EQ(all.room, first.room);
        ASSERT_EQ(supply.best(empty, each, 8 - left).to, first.to);
        sum += first.cost;
        state = first.to;
    }
    EXPECT_TRUE(supply.best(empty, each, 7).cost == sum);
    EXPECT_TRUE(supply.cost(empty, state) == sum);
}

TEST(Supply, StatesThatNoNodeHasAreForgottenAndCostTheSameAfterwards) {
    const Fleet fleet = small_fleet();
    Supply supply(fleet);
    const StateId empty = state_of(supply, empty_node(fleet, PoolId{0}));
    supply.joined(empty, 3);
    Random random(3);
    for (int i = 0; i < 256; ++i)
        supply.arrived(random_demand(random, true));
    const auto half = [&] { return supply.state(PoolId{0}, 4, {}, 32'000, gibibytes(128)); };
    const Supply::Cost cost = supply.cost(empty, half());
    for (std::uint32_t cpus_milli = 0; cpus_milli < 40'000; ++cpus_milli)
        (void)supply.state(PoolId{0}, 4, {}, cpus_milli, gibibytes(100));
    EXPECT_GT(supply.states_known(), 40'000U);
    Demand nothing{.parts = {GangPart{}}, .pools = {PoolId{3}}};
    supply.arrived(nothing);
    EXPECT_EQ(supply.states_known(), 1U);
    EXPECT_EQ(state_of(supply, empty_node(fleet, PoolId{0})), empty);
    EXPECT_TRUE(supply.cost(empty, half()) == cost);
    for (std::uint32_t cpus_milli = 0; cpus_milli < 40'000; ++cpus_milli)
        (void)supply.state(PoolId{0}, 4, {}, cpus_milli, gibibytes(100));
    EXPECT_TRUE(supply.cost(empty, half()) == cost);
}

TEST(Supply, CpusOfNodesWithoutChipsAreFree) {
    const Fleet fleet = small_fleet();
    Supply supply(fleet);
    const StateId with = state_of(supply, empty_node(fleet, PoolId{0}));
    const StateId without = state_of(supply, empty_node(fleet, PoolId{3}));
    supply.joined(with, 3);
    supply.joined(without, 3);
    const Demand training{.parts = {GangPart{1, {.chips = 1, .cpus_milli = 8000}}},
                          .pools = {PoolId{0}}};
    supply.arrived(training);
    const ReplicaDemand script{.cpus_milli = 4000};
    EXPECT_TRUE(supply.best(without, script).cost == 0);
    EXPECT_TRUE(supply.best(with, script).cost > 0);
    EXPECT_LT(supply.compare(supply.best(without, script), supply.best(with, script)), 0);
}

TEST(TaskMix, OldHabitsFade) {
    const std::vector<PoolId> pools{PoolId{0}};
    const Demand old{.parts = {GangPart{1, {.chips = 8}}}, .pools = pools};
    const Demand now{.parts = {GangPart{3, {.chips = 1}}}, .pools = pools};
    TaskMix mix(4);
    for (int i = 0; i < 3; ++i)
        mix.arrived(old, 1);
    mix.arrived(now, 1);  // and everything is halved
    EXPECT_EQ(mix.most_wanted(8),
              (std::vector<CountedShape>{{TaskMix::shape_of(now.parts[0].each, 1), 1},
                                         {TaskMix::shape_of(old.parts[0].each, 1), 1}}));
    for (int i = 0; i < 4; ++i)
        mix.arrived(now, 1);
    EXPECT_EQ(mix.most_wanted(8),
              (std::vector<CountedShape>{{TaskMix::shape_of(now.parts[0].each, 1), 6}}));
}

TEST(TaskMix, SizesAreRoundedUpToEighthsOfAnOctave) {
    const auto cpus = [](std::uint32_t cpus_milli) {
        return TaskMix::shape_of({.chips = 1, .cpus_milli = cpus_milli}, 1).each.cpus_milli;
    };
    EXPECT_EQ(cpus(0), 0U);
    EXPECT_EQ(cpus(1), 125U);
    EXPECT_EQ(cpus(12'000), 12'000U);
    EXPECT_EQ(cpus(12'001), 13'000U);
    EXPECT_EQ(cpus(31'900), 32'000U);
    EXPECT_EQ(cpus(~0U), ~0U);
    const auto memory = [](std::int64_t bytes) {
        return TaskMix::shape_of({.chips = 1, .memory = {bytes}}, 1).each.memory;
    };
    EXPECT_EQ(memory(1), mebibytes(1));
    EXPECT_EQ(memory(gibibytes(17).count), gibibytes(18));
}

}  // namespace
}  // namespace weir::fleet
