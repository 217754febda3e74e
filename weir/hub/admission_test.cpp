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

}  // namespace
}  // namespace weir::hub
