#include "weir/hub/admission.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/hub/hub_world.hpp"

namespace weir::hub {
namespace {

using testing::HasSubstr;

fleet::Fleet with_processors_as_chips() {
    fleet::Fleet fleet = small_fleet(1);
    fleet.pools[0].chip = "cpu";
    return fleet;
}

TEST(Admission, GivesNoProcessorToAJobThatAsksForGpus) {
    HubWorld world{with_processors_as_chips()};
    ASSERT_TRUE(world.open());
    EXPECT_TRUE(world.submit(submission_of("any-chip")));

    Submission job = submission_of("script", 1, 2);
    job.spec.gpus = true;
    const auto refused = world.submit(job);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::never_fits);
    EXPECT_THAT(refused.error().message,
                HasSubstr("gpus: no pool of the fleet has the 2 GPUs that each replica asks for; "
                          "its kinds of chip are cpu"));
    job.spec.chips_any_of = {"cpu"};
    EXPECT_FALSE(world.submit(job));
}

TEST(Admission, RefusesMoreTasksThanOneMachineCanStart) {
    HubWorld world{small_fleet(2000)};
    ASSERT_TRUE(world.open());
    Submission job = submission_of("wide", 4096, 0);
    job.spec.gang.cpus_milli = 1000;
    EXPECT_TRUE(world.submit(job));
    job.spec.gang.replicas = 4097;
    const auto refused = world.submit(job);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::too_large);
    EXPECT_THAT(refused.error().message, HasSubstr("gang.replicas: 4,097 tasks on one machine"));
}

TEST(Admission, GivesAnyOtherChipToAJobThatAsksForGpus) {
    fleet::Fleet fleet = with_processors_as_chips();
    fleet.pools.push_back(small_fleet(1).pools[0]);
    fleet.pools[1].name = "accelerated";
    HubWorld world{fleet};
    ASSERT_TRUE(world.open());
    Submission job = submission_of("script");
    job.spec.gpus = true;
    ASSERT_TRUE(world.submit(job));
    EXPECT_EQ(world.view("script").nodes, std::vector<std::string>{"accelerated-0"});
}

fleet::Fleet of_three_kinds() {
    fleet::Fleet fleet = small_fleet(1);
    for (const char* chip : {"ascend-910b3", "mi300x", "b200"}) {
        fleet.pools.push_back(fleet.pools[0]);
        fleet.pools.back().name = fleet.pools.back().chip = chip;
    }
    fleet.pools.erase(fleet.pools.begin());
    return fleet;
}

Submission linpack() {
    return fp64_submission_of("linpack");
}

TEST(Admission, GivesAJobOnlyTheChipsThatKeepItsContractAndInTheOrderOfPreference) {
    HubWorld world{of_three_kinds()};
    ASSERT_TRUE(world.open());
    ASSERT_TRUE(world.submit(linpack()));
    EXPECT_EQ(world.view("linpack").nodes, std::vector<std::string>{"mi300x-0"});
    Submission emulated = linpack();
    emulated.spec.name = "emulated";
    emulated.spec.precision = job::Precision{};
    emulated.spec.precision->accept = {{}, {catalog::Way::emulated, catalog::Grade::certified}};
    emulated.spec.precision->range_bits = 20;
    ASSERT_TRUE(world.submit(emulated));
    EXPECT_EQ(world.view("emulated").nodes, std::vector<std::string>{"b200-0"});
    // What was planned stays with the job.
    const auto& planned = world.view("emulated").spec.planned;
    ASSERT_EQ(planned.size(), 2U);
    EXPECT_EQ(planned[0].chip, "b200");
    EXPECT_EQ(planned[0].how, "emulated oz2-int8-15 (certified)");
    EXPECT_EQ(planned[0].basis, catalog::Basis::published);
    EXPECT_EQ(planned[1].how, "native");
}

TEST(Admission, RefusesAContractThatNoChipKeepsWithAReasonForEachKind) {
    fleet::Fleet fleet = of_three_kinds();
    fleet.pools.resize(1);
    fleet.pools.push_back(fleet.pools[0]);
    fleet.pools[1].name = "other";
    fleet.pools[1].chip = "unheard-of";
    HubWorld world{fleet};
    ASSERT_TRUE(world.open());
    const auto refused = world.submit(linpack());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::never_fits);
    EXPECT_THAT(refused.error().message,
                HasSubstr("no kind of chip of the fleet keeps what the job demands"));
    EXPECT_THAT(refused.error().message,
                HasSubstr("ascend-910b3: update wants fp64 gemm, and it has no such units"));
    EXPECT_THAT(refused.error().message, HasSubstr("unheard-of: the catalogue does not know it"));

    Submission degrading = linpack();
    degrading.spec.precision = job::Precision{};
    degrading.spec.precision->on_unsatisfied = job::Unsatisfied::degrade;
    const auto taken = world.submit(degrading);
    ASSERT_TRUE(taken) << taken.error().message;
    EXPECT_THAT(taken->notes.front(), HasSubstr("no chip of the fleet keeps the contract"));
    EXPECT_TRUE(world.view("linpack").spec.planned.front().degraded);
}

TEST(Admission, WhatIsAcceptedInFewPoolsIsToldWhichOthersWouldHaveStartedIt) {
    fleet::Fleet fleet = small_fleet(1);
    fleet.pools.push_back(fleet.pools[0]);
    fleet.pools[1].name = "second";
    fleet.pools[1].chip = "h100";
    HubWorld world{fleet};
    ASSERT_TRUE(world.open());
    Submission job = submission_of("first");
    job.spec.chips_any_of = {fleet.pools[0].chip};
    ASSERT_TRUE(world.submit(job));
    job.spec.name = "next";
    ASSERT_TRUE(world.submit(job));
    const auto explained = world.keeper->explain("next");
    ASSERT_TRUE(explained);
    ASSERT_FALSE(explained->would_help.empty());
    EXPECT_EQ(explained->would_help.front().change, "other_pool");
    EXPECT_EQ(explained->would_help.front().sentence,
              "it would start now if h100 were accepted (pool second)");
}

TEST(Admission, FindsAChipByAnyOfItsNames) {
    fleet::Fleet fleet = of_three_kinds();
    fleet.pools[1].chip = "h100-pcie-80g";
    HubWorld world{fleet};
    ASSERT_TRUE(world.open());
    Submission job = submission_of("x");
    job.spec.chips_any_of = {"h100"};
    ASSERT_TRUE(world.submit(job));
    EXPECT_EQ(world.view("x").nodes, std::vector<std::string>{"mi300x-0"}) << "the pool's name";
}

}  // namespace
}  // namespace weir::hub
