#include "weir/plan/collective_time.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "weir/catalog/catalog.hpp"

namespace weir::plan {
namespace {

const Machine& a100() {
    static const Machine machine = *machine_of(*catalog::Catalog::built_in().find("a100-sxm-80g"));
    return machine;
}

TEST(CollectiveTime, OneChipHasNobodyToTalkTo) {
    const Group alone = group_of(a100(), 1, 1);
    EXPECT_EQ(all_reduce_s(a100(), alone, 1e9), 0);
    EXPECT_EQ(all_to_all_s(a100(), alone, 1e9), 0);
}

TEST(CollectiveTime, NeighboursShareANodeUntilItIsFull) {
    EXPECT_EQ(group_of(a100(), 1, 8).nodes, 1);
    EXPECT_EQ(group_of(a100(), 1, 16).nodes, 2);
    EXPECT_EQ(group_of(a100(), 1, 16).inside, 8);
    // With four chips between neighbours two of them share a node.
    EXPECT_EQ(group_of(a100(), 4, 16).inside, 2);
    EXPECT_EQ(group_of(a100(), 4, 16).nodes, 8);
    // With eight none does.
    EXPECT_EQ(group_of(a100(), 8, 16).inside, 1);
    EXPECT_EQ(group_of(a100(), 8, 16).nodes, 16);
}

TEST(CollectiveTime, OfAFullMeshFewChipsHaveFewLinks) {
    const Machine mesh = *machine_of(*catalog::Catalog::built_in().find("ascend-910b2"));
    ASSERT_EQ(mesh.inside.mesh_peers, 7);
    Machine switched = mesh;
    switched.inside.mesh_peers = 0;
    const double bytes = 1e12;  // beside which latency is nothing
    const Group pair = group_of(mesh, 1, 2);
    const Group all = group_of(mesh, 1, 8);
    EXPECT_NEAR(all_gather_s(mesh, pair, bytes) / all_gather_s(switched, pair, bytes), 7, 0.01);
    EXPECT_NEAR(all_to_all_s(mesh, pair, bytes) / all_to_all_s(switched, pair, bytes), 7, 0.01);
    EXPECT_NEAR(send_s(mesh, 1, bytes) / send_s(switched, 1, bytes), 7, 0.01);
    EXPECT_EQ(all_gather_s(mesh, all, bytes), all_gather_s(switched, all, bytes));
}

RC_GTEST_PROP(CollectiveTime, ASumIsAScatterAndAGatherInsideANode, ()) {
    const Group group = group_of(a100(), 1, *rc::gen::element(2U, 4U, 8U));
    const double bytes = *rc::gen::inRange(1, 1 << 30);
    RC_ASSERT(std::abs(all_reduce_s(a100(), group, bytes) - reduce_scatter_s(a100(), group, bytes) -
                       all_gather_s(a100(), group, bytes)) < 1e-12);
}

TEST(CollectiveTime, ShortSumsTakeLongerInLargerGroups) {
    // Measured by VIA-Research/vTrain (trace/a100, 1 MiB): 44, 51 and 93 us.
    double last = 0;
    for (const std::uint32_t size : {2U, 4U, 8U}) {
        const double seconds = all_reduce_s(a100(), group_of(a100(), 1, size), 1 << 20);
        EXPECT_GT(seconds, last);
        EXPECT_GT(seconds, 25e-6);
        EXPECT_LT(seconds, 130e-6);
        last = seconds;
    }
}

RC_GTEST_PROP(CollectiveTime, LinksAreNeverFasterThanTheirDatasheet, ()) {
    const std::uint32_t size = *rc::gen::element(2U, 8U, 16U, 256U);
    const double bytes = *rc::gen::inRange(1 << 20, 1 << 30);
    const Group group = group_of(a100(), 1, size);
    const double bound = bytes * (size - 1) / size / a100().inside.bytes_per_s;
    RC_ASSERT(all_gather_s(a100(), group, bytes) >= bound * 0.99);
}

RC_GTEST_PROP(CollectiveTime, LeavingTheNodeIsSlower, ()) {
    const double bytes = *rc::gen::inRange(1 << 20, 1 << 30);
    RC_ASSERT(all_gather_s(a100(), group_of(a100(), 1, 16), bytes) >
              all_gather_s(a100(), group_of(a100(), 1, 8), bytes));
    RC_ASSERT(all_to_all_s(a100(), group_of(a100(), 1, 16), bytes) >
              all_to_all_s(a100(), group_of(a100(), 1, 8), bytes));
    RC_ASSERT(send_s(a100(), 8, bytes) > send_s(a100(), 1, bytes));
}

}  // namespace
}  // namespace weir::plan
