// What is taken and given back always sums to what there is, chip by chip, against a plain list.
#include "weir/fleet/free_index.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "weir/base/random.hpp"

namespace weir::fleet {
namespace {

Fleet two_pools() {
    Pool big;
    big.name = "big";
    big.site = "here";
    big.chip = "chip";
    big.nodes = 130;  // more than two words of a bitmap
    big.chips_per_node = 8;
    big.cpus_milli = 32'000;
    big.memory = gibibytes(64);
    big.nodes_per_rack = 7;
    big.racks_per_pod = 3;
    Pool plain = big;
    plain.name = "plain";
    plain.chip = "";
    plain.chips_per_node = 0;
    plain.nodes = 5;
    Fleet fleet;
    fleet.sites = {{.name = "here"}};
    fleet.pools = {big, plain};
    return fleet;
}

Shape shape_of(const Fleet& fleet, Demand demand) {
    Shape shape{std::move(demand), {}};
    shape.domains = FreeIndex::domains_of(fleet, shape.demand);
    return shape;
}

TEST(FreeIndex, SumsToWhatThereIsWhateverComesAndGoes) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SCOPED_TRACE(seed);
        Random random(seed);
        const Fleet fleet = two_pools();
        FreeIndex index(fleet);
        const FreeIndex::PoolTotals whole = index.totals(PoolId{0});
        std::vector<std::pair<Shape, Placement>> held;
        // Thousandths of every chip that are in use, by (node, chip).
        std::vector<std::uint32_t> used(std::size_t{130} * 8, 0);
        const auto mark = [&](const Shape& shape, const Placement& placement, bool taking) {
            for (const NodeRange& range : placement.ranges) {
                const ReplicaDemand& each = shape.demand.parts[range.part].each;
                const std::uint32_t amount = each.chip_permille > 0 ? each.chip_permille : 1000;
                for (std::uint32_t node = range.first; node < range.first + range.count; ++node) {
                    for (std::uint32_t chip = 0; chip < 8; ++chip) {
                        if (((range.chip_mask >> chip) & 1) == 0) continue;
                        std::uint32_t& in_use = used[std::size_t{node} * 8 + chip];
                        taking ? in_use += amount : in_use -= amount;
                        ASSERT_LE(in_use, 1000U) << "node " << node << " chip " << chip;
                    }
                }
            }
        };
        for (int step = 0; step < 600; ++step) {
            if (!held.empty() && random.chance(0.45)) {
                const auto which = static_cast<std::size_t>(
                    random.between(0, static_cast<std::int64_t>(held.size()) - 1));
                mark(held[which].first, held[which].second, false);
                index.give(held[which].first, held[which].second);
                std::swap(held[which], held.back());
                held.pop_back();
                continue;
            }
            GangPart part;
            part.replicas = static_cast<std::uint32_t>(random.between(1, 40));
            part.each.chips = static_cast<std::uint32_t>(random.between(1, 8));
            part.each.cpus_milli = static_cast<std::uint32_t>(random.between(0, 4000));
            part.each.memory = gibibytes(random.between(0, 8));
            if (random.chance(0.3)) {
                part.each.chips = 0;
                part.each.chip_permille = static_cast<std::uint32_t>(random.between(1, 9)) * 100;
            }
            const Shape shape = shape_of(fleet,
                                         {.parts = {part},
                                          .within = static_cast<Level>(random.between(0, 4)),
                                          .pools = {PoolId{0}}});
            Placement placement;
            const bool fits = index.fits(shape);
            ASSERT_EQ(index.find(shape, placement), fits);
            if (!fits) continue;
            std::uint64_t replicas = 0;
            std::uint64_t chips = 0;
            for (const NodeRange& range : placement.ranges) {
                replicas += std::uint64_t{range.replicas} * range.count;
                chips += static_cast<std::uint64_t>(std::popcount(range.chip_mask)) * range.count;
            }
            ASSERT_EQ(replicas, part.replicas);  // the gang is whole
            ASSERT_EQ(chips,
                      part.each.chips > 0 ? std::uint64_t{replicas} * part.each.chips : replicas);
            const std::uint64_t racks = 7;
            if (shape.demand.within == Level::rack || shape.demand.within == Level::node) {
                for (const NodeRange& range : placement.ranges) {
                    ASSERT_EQ(range.first / racks, placement.ranges.front().first / racks);
                    ASSERT_EQ((range.first + range.count - 1) / racks,
                              placement.ranges.front().first / racks);
                }
            }
            if (shape.demand.within == Level::node) {
                ASSERT_EQ(placement.nodes(), 1U);
            }
            index.take(shape, placement);
            mark(shape, placement, true);
            held.emplace_back(shape, placement);
            std::uint64_t in_use = 0;
            for (const std::uint32_t amount : used)
                in_use += amount;
            ASSERT_EQ(index.totals(PoolId{0}).chips_milli + in_use, whole.chips_milli);
        }
        for (const auto& [shape, placement] : held)
            index.give(shape, placement);
        const FreeIndex::PoolTotals after = index.totals(PoolId{0});
        EXPECT_EQ(after.chips_milli, whole.chips_milli);
        EXPECT_EQ(after.cpus_milli, whole.cpus_milli);
        EXPECT_EQ(after.memory, whole.memory);
        EXPECT_EQ(after.nodes_idle, 130U);
    }
}

TEST(FreeIndex, KeepsCountOfFractionsWhenManyThousandSizesComeAndGo) {
    // Enough different lists of rooms that those which no node has any more are forgotten.
    Random random(7);
    const Fleet fleet = two_pools();
    FreeIndex index(fleet);
    std::vector<std::pair<Shape, Placement>> held;
    std::uint64_t taken = 0;
    const std::uint64_t whole = index.totals(PoolId{0}).chips_milli;
    for (int step = 0; step < 30'000; ++step) {
        if (held.size() > 500) {
            const auto which = static_cast<std::size_t>(random.between(0, 500));
            taken -= held[which].first.demand.chips_milli();
            index.give(held[which].first, held[which].second);
            std::swap(held[which], held.back());
            held.pop_back();
        }
        GangPart part;
        part.each.chip_permille = static_cast<std::uint32_t>(random.between(1, 999));
        const Shape shape = shape_of(fleet, {.parts = {part}, .pools = {PoolId{0}}});
        Placement placement;
        ASSERT_TRUE(index.find(shape, placement));
        index.take(shape, placement);
        held.emplace_back(shape, placement);
        taken += shape.demand.chips_milli();
        ASSERT_EQ(index.totals(PoolId{0}).chips_milli + taken, whole);
    }
    for (const auto& [shape, placement] : held)
        index.give(shape, placement);
    EXPECT_EQ(index.totals(PoolId{0}).nodes_idle, 130U);
}

TEST(FreeIndex, GivesALoneReplicaTheTightestNodeAndTheLowestNumber) {
    const Fleet fleet = two_pools();
    FreeIndex index(fleet);
    const Shape six = shape_of(fleet,
                               {.parts = {{.replicas = 1, .each = {.chips = 6}}},
                                .within = Level::site,
                                .pools = {PoolId{0}}});
    const Shape two = shape_of(fleet,
                               {.parts = {{.replicas = 1, .each = {.chips = 2}}},
                                .within = Level::site,
                                .pools = {PoolId{0}}});
    Placement placement;
    ASSERT_TRUE(index.find(six, placement));
    EXPECT_EQ(placement.ranges.front().first, 0U);
    index.take(six, placement);
    ASSERT_TRUE(index.find(two, placement));
    EXPECT_EQ(placement.ranges.front().first, 0U);  // fills what the first one left
    EXPECT_EQ(placement.ranges.front().chip_mask, 0b11000000U);
    index.take(two, placement);
    ASSERT_TRUE(index.find(two, placement));
    EXPECT_EQ(placement.ranges.front().first, 1U);
}

TEST(FreeIndex, TakesNothingFromNodesOutOfService) {
    const Fleet fleet = two_pools();
    FreeIndex index(fleet);
    for (std::uint32_t node = 0; node < 130; ++node)
        index.set_in_service(PoolId{0}, node, node == 99);
    const Shape all = shape_of(fleet,
                               {.parts = {{.replicas = 2, .each = {.chips = 5}}},
                                .within = Level::site,
                                .pools = {PoolId{0}}});
    EXPECT_FALSE(index.fits(all));
    index.set_in_service(PoolId{0}, 3, true);
    Placement placement;
    ASSERT_TRUE(index.find(all, placement));
    EXPECT_EQ(placement.nodes(), 2U);
    EXPECT_EQ(index.totals(PoolId{0}).nodes_in_service, 2U);
}

}  // namespace
}  // namespace weir::fleet
