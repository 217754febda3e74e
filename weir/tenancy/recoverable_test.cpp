#include "weir/tenancy/recoverable.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "weir/base/random.hpp"

namespace weir::tenancy {
namespace {

using fleet::Level;
using ::testing::HasSubstr;

fleet::Pool pool_of(std::uint32_t nodes,
                    std::uint32_t chips,
                    std::uint32_t rack = 0,
                    std::uint32_t pod = 0) {
    fleet::Pool pool;
    pool.name = "ai";
    pool.nodes = nodes;
    pool.chips_per_node = chips;
    pool.nodes_per_rack = rack;
    pool.racks_per_pod = pod;
    return pool;
}

CellDemand demand(Level within, std::uint32_t units, std::uint64_t count) {
    return {Cell{within, units}, count};
}

TEST(Recoverable, GivesAGangTheSmallestCellThatHoldsIt) {
    const fleet::Pool pool = pool_of(64, 8, 8, 4);
    EXPECT_EQ(cells_for({1, 1, Level::rack}, pool), demand(Level::node, 1, 1));
    EXPECT_EQ(cells_for({3, 1, Level::node}, pool), demand(Level::node, 4, 1));
    EXPECT_EQ(cells_for({1, 8, Level::node}, pool), demand(Level::rack, 1, 1));
    EXPECT_EQ(cells_for({3, 8, Level::rack}, pool), demand(Level::rack, 4, 1));
    EXPECT_EQ(cells_for({5, 8, Level::rack}, pool), demand(Level::pod, 1, 1));
    EXPECT_EQ(cells_for({16, 8, Level::pod}, pool), demand(Level::pod, 2, 1));
    EXPECT_EQ(cells_for({32, 8, Level::pod}, pool), demand(Level::pool, 1, 1));
    // Replicas of 3 chips: two on a node, six of its chips in use.
    EXPECT_EQ(cells_for({4, 3, Level::rack}, pool), demand(Level::rack, 2, 1));
    // Where any nodes will do, each replica is on its own.
    EXPECT_EQ(cells_for({20, 8, Level::pool}, pool), demand(Level::rack, 1, 20));
    EXPECT_EQ(cells_for({20, 2, Level::site}, pool), demand(Level::node, 2, 20));
}

TEST(Recoverable, SeesThatScatteredChipsAreNoRack) {
    // Four racks of two nodes with 8 chips; someone keeps one chip in each rack but the last.
    Ground ground{pool_of(8, 8, 2), {1, 0, 1, 0, 1, 0}, {}};
    const std::vector<Guarantee> racks{{TenantId{1}, {2, 8, Level::rack}, 1}};
    EXPECT_FALSE(shortage(ground, racks).has_value());
    ground.kept_chips = {1, 0, 1, 0, 1, 0, 0, 1};
    EXPECT_EQ(shortage(ground, racks), (Shortage{demand(Level::pod, 1, 1), 0, forever}));
    // Sixty chips are free, and four whole nodes.
    EXPECT_FALSE(shortage(ground, std::vector<Guarantee>{{TenantId{1}, {1, 8, Level::node}, 4}})
                     .has_value());
}

TEST(Recoverable, EvictsBorrowersAndNobodyElse) {
    Ground ground{pool_of(4, 8, 2), {8, 8, 0, 0}, {{2, 8, seconds(60)}, {3, 4, seconds(7200)}}};
    const std::vector<Guarantee> rack{{TenantId{1}, {2, 8, Level::rack}, 1}};
    EXPECT_FALSE(shortage(ground, rack).has_value());
    ground.kept_chips = {8, 8, 1, 0};
    ground.lent = {{2, 7, {}}, {3, 8, {}}};
    EXPECT_TRUE(shortage(ground, rack).has_value());
}

TEST(Recoverable, WaitsForANoticeOnlyAsLongAsTheGuaranteeCan) {
    const Ground ground{pool_of(2, 8), {}, {{0, 8, seconds(7200)}}};
    std::vector<Guarantee> both{{TenantId{1}, {1, 8, Level::node}, 2, seconds(7200)}};
    EXPECT_FALSE(shortage(ground, both).has_value());
    both[0].waits = seconds(7199);
    EXPECT_EQ(shortage(ground, both)->there, 1U);
}

TEST(Recoverable, RefusesALoanWhoseNoticeIsTooLongForAGuarantee) {
    const Ground ground{pool_of(8, 8, 2), {}, {}};
    // One rack within the hour, and the loan takes two hours to come back. Three chips may spoil
    // three racks of the four.
    const std::vector<Guarantee> hasty{{TenantId{1}, {2, 8, Level::rack}, 1, seconds(3600)}};
    EXPECT_TRUE(may_lend(ground, hasty, 3, seconds(7200)).has_value());
    const auto refused = may_lend(ground, hasty, 4, seconds(7200));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().message,
              "4 chips cannot be lent from pool ai: of 1 rack of a pod, 1 are guaranteed and 0 "
              "could be had by evicting borrowers with a notice of 1h 00m");
    EXPECT_TRUE(may_lend(ground, hasty, 64, seconds(3600)).has_value());
    EXPECT_THAT(may_lend(ground, hasty, 65, seconds(3600)).error().message,
                HasSubstr("64 are not in use"));
}

// The slow, obvious way: tries every choice of places for every gang, one after the other.
class BruteForce {
public:
    BruteForce(fleet::Pool pool, std::vector<std::uint32_t> free)
        : pool_(std::move(pool)), free_(std::move(free)) {}

    bool fits(std::vector<GangShape> gangs) {
        gangs_ = std::move(gangs);
        return gang(0);
    }

private:
    std::uint32_t domain(std::uint32_t node, Level level) const {
        switch (level) {
            case Level::node:
                return node;
            case Level::rack:
                return node / pool_.pod_nodes() * 1000 +
                       node % pool_.pod_nodes() / pool_.rack_nodes();
            case Level::pod:
                return node / pool_.pod_nodes();
            default:
                return 0;
        }
    }
    bool gang(std::size_t number) { return number == gangs_.size() || replica(number, 0, 0, 0); }
    // Replicas are alike: the next one never goes to an earlier node.
    bool replica(std::size_t number, std::uint32_t index, std::uint32_t from, std::uint32_t home) {
        const GangShape& shape = gangs_[number];
        if (index == shape.replicas) return gang(number + 1);
        for (std::uint32_t node = from; node < pool_.nodes; ++node) {
            if (free_[node] < shape.chips) continue;
            if (index > 0 && domain(node, shape.within) != home) continue;
            free_[node] -= shape.chips;
            const bool works = replica(number, index + 1, node, domain(node, shape.within));
            free_[node] += shape.chips;
            if (works) return true;
        }
        return false;
    }

    fleet::Pool pool_;
    std::vector<std::uint32_t> free_;
    std::vector<GangShape> gangs_;
};

struct TinyWorld {
    Ground ground;
    std::vector<std::uint32_t> freed;  // chips of each node when all borrowers are gone
};

TinyWorld tiny_world(Random& random, const fleet::Pool& pool) {
    TinyWorld world{Ground{pool, {}, {}}, {}};
    for (std::uint32_t node = 0; node < pool.nodes; ++node) {
        const std::uint32_t kept =
            random.chance(0.5) ? 0
                               : static_cast<std::uint32_t>(random.between(0, pool.chips_per_node));
        const auto lent = static_cast<std::uint32_t>(random.between(0, pool.chips_per_node - kept));
        world.ground.kept_chips.push_back(kept);
        if (lent > 0) world.ground.lent.push_back({node, lent, seconds(60)});
        world.freed.push_back(pool.chips_per_node - kept);
    }
    return world;
}

TEST(Recoverable, CountsCellsAsBruteForcePlacesThem) {
    // 8 nodes of 2 chips, 2 nodes in a rack, 2 racks in a pod: every gang below is a cell itself.
    const fleet::Pool pool = pool_of(8, 2, 2, 2);
    const std::vector<GangShape> shapes{{1, 1, Level::node},
                                        {1, 2, Level::node},
                                        {2, 2, Level::rack},
                                        {4, 2, Level::pod},
                                        {3, 1, Level::pool}};
    Random random(71);
    int yes = 0;
    for (int round = 0; round < 3000; ++round) {
        const TinyWorld world = tiny_world(random, pool);
        std::vector<Guarantee> guarantees;
        std::vector<GangShape> gangs;
        for (const GangShape& shape : shapes) {
            const auto count = static_cast<std::uint32_t>(random.between(0, 2));
            guarantees.push_back({TenantId{1}, shape, count});
            gangs.insert(gangs.end(), count, shape);
        }
        // Large ones first, or brute force would search for hours.
        std::reverse(gangs.begin(), gangs.end());
        const bool found = BruteForce(pool, world.freed).fits(gangs);
        ASSERT_EQ(!shortage(world.ground, guarantees).has_value(), found) << "round " << round;
        yes += found ? 1 : 0;
    }
    EXPECT_GT(yes, 300);
    EXPECT_LT(yes, 2700);
}

TEST(Recoverable, NeverPromisesAGangOfAnyShapeThatBruteForceCannotPlace) {
    Random random(72);
    int yes = 0;
    for (int round = 0; round < 3000; ++round) {
        const auto pool = pool_of(static_cast<std::uint32_t>(random.between(1, 9)),
                                  static_cast<std::uint32_t>(random.between(1, 4)),
                                  static_cast<std::uint32_t>(random.between(1, 4)),
                                  static_cast<std::uint32_t>(random.between(1, 3)));
        const TinyWorld world = tiny_world(random, pool);
        std::vector<Guarantee> guarantees;
        std::vector<GangShape> gangs;
        for (int i = 0; i < 3; ++i) {
            const GangShape shape{static_cast<std::uint32_t>(random.between(1, 4)),
                                  static_cast<std::uint32_t>(random.between(1, 3)),
                                  static_cast<Level>(random.between(0, 4))};
            guarantees.push_back({TenantId{1}, shape, 1});
            gangs.push_back(shape);
        }
        if (shortage(world.ground, guarantees).has_value()) continue;
        ++yes;
        ASSERT_TRUE(BruteForce(pool, world.freed).fits(gangs)) << "round " << round;
    }
    EXPECT_GT(yes, 100);
}

// All ways in which `chips` more can be taken by a borrower.
void each_taking(std::vector<std::uint32_t>& idle,
                 std::size_t node,
                 std::uint32_t chips,
                 const std::function<void(const std::vector<std::uint32_t>&)>& visit) {
    if (chips == 0) return visit(idle);
    if (node == idle.size()) return;
    for (std::uint32_t taken = 0; taken <= std::min(chips, idle[node]); ++taken) {
        idle[node] -= taken;
        each_taking(idle, node + 1, chips - taken, visit);
        idle[node] += taken;
    }
}

TEST(Recoverable, GrantsALoanOnlyIfNoPlaceOfTheBorrowerCanHurt) {
    const fleet::Pool pool = pool_of(4, 2, 2);
    Random random(73);
    int granted = 0;
    for (int round = 0; round < 400; ++round) {
        TinyWorld world = tiny_world(random, pool);
        world.ground.lent.clear();
        const std::vector<Guarantee> guarantees{
            {TenantId{1}, {2, 2, Level::rack}, static_cast<std::uint32_t>(random.between(0, 1))},
            {TenantId{2}, {1, 1, Level::node}, static_cast<std::uint32_t>(random.between(0, 3))}};
        const auto chips = static_cast<std::uint32_t>(random.between(1, 3));
        if (!may_lend(world.ground, guarantees, chips, forever + seconds(1))) continue;
        ++granted;
        std::vector<std::uint32_t> idle = world.freed;
        each_taking(idle, 0, chips, [&](const std::vector<std::uint32_t>& left) {
            std::vector<GangShape> gangs(guarantees[0].count, guarantees[0].gang);
            gangs.insert(gangs.end(), guarantees[1].count, guarantees[1].gang);
            EXPECT_TRUE(BruteForce(pool, left).fits(gangs)) << "round " << round;
        });
    }
    EXPECT_GT(granted, 40);
}

}  // namespace
}  // namespace weir::tenancy
