// Training jobs in the hub: what is accepted, with what they are started, and that a hub that comes
// back knows what it knew.
#include "weir/hub/training.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/hub/hub_world.hpp"

namespace weir::hub {
namespace {

using testing::Contains;
using testing::HasSubstr;

fleet::Fleet of_h100s(std::uint32_t nodes) {
    fleet::Fleet fleet = small_fleet(nodes);
    fleet.pools[0].chip = "h100-sxm-80g";
    fleet.pools[0].chips_per_node = 8;
    fleet.sites[0].price["h100-sxm-80g"] = *parse_price("20 CNY/chip-hour");
    return fleet;
}

// Of a model of 8 billion parameters, in steps of a million tokens.
Submission training_of(const std::string& name, job::ChipRange chips, double tokens = 5e9) {
    Submission job = submission_of(name);
    job.spec.gang = {};
    job.spec.limit.reset();
    job.spec.train = job::Train{.model = "llama-3-8b",
                                .config = "",
                                .sequence = 4096,
                                .global_batch = 256,
                                .tokens = tokens,
                                .chips = chips};
    return job;
}

// A rigid job on so many nodes, for so long.
Submission filler_of(const std::string& name, std::uint32_t nodes, Duration limit) {
    Submission job = submission_of(name, nodes, 8);
    job.spec.limit = limit;
    return job;
}

class Training : public HubStory {
protected:
    Training() : HubStory(of_h100s(8)) { world.options.policy = sched::Policy::weir; }

    const exec::Launch& launch_of(const std::string& name) {
        return world.executor.attempts.at(world.alive(name)).launch;
    }
    void comes_back() {
        const std::uint64_t digest = world.keeper->status().digest;
        open();
        EXPECT_EQ(world.keeper->status().digest, digest);
    }
};

TEST_F(Training, StartsWithTheSizeThatEndsFirstAndFindsItsPlanInTheEnvironment) {
    open();
    const auto taken = world.submit(training_of("pretrain", {8, 64}));
    ASSERT_TRUE(taken) << taken.error().message;
    EXPECT_THAT(taken->notes, Contains(HasSubstr("it may run on 8 to 64 chips in")));
    const JobView view = world.view("pretrain");
    EXPECT_EQ(view.state, JobState::running);
    EXPECT_EQ(view.nodes.size(), 8U) << "all were free";
    EXPECT_EQ(view.spec.gang.chips, 8U);
    const job::TrainSize& size = view.spec.sizes.back();
    EXPECT_EQ(view.limit, size.limit);
    const exec::Launch& launch = launch_of("pretrain");
    EXPECT_EQ(launch.tasks.size(), 8U);
    EXPECT_EQ(launch.limit, size.limit);
    EXPECT_EQ(launch.env.at("WEIR_CHIPS"), "64");
    EXPECT_EQ(launch.env.at("WEIR_LAUNCH_ARGS"), size.env.at("WEIR_LAUNCH_ARGS"));
    EXPECT_THAT(launch.env.at("WEIR_LAUNCH_ARGS"), HasSubstr("--tensor-model-parallel-size"));
}

TEST_F(Training, TakesFewChipsNowRatherThanManyMuchLater) {
    open();
    ASSERT_TRUE(world.submit(filler_of("other", 6, seconds(std::int64_t{9} * 86'400))));
    ASSERT_TRUE(world.submit(training_of("pretrain", {8, 64})));
    EXPECT_EQ(world.view("pretrain").nodes.size(), 2U);
    EXPECT_EQ(launch_of("pretrain").env.at("WEIR_CHIPS"), "16");
    const auto why = world.keeper->explain("pretrain");
    ASSERT_TRUE(why);
    EXPECT_THAT(why->details, Contains(HasSubstr("its plan: ")));
    EXPECT_THAT(why->details,
                Contains(HasSubstr("when it started: with 16 chips, which could start now, it "
                                   "would end in ")));
    // The words are in the journal, too.
    comes_back();
    const auto again = world.keeper->explain("pretrain");
    ASSERT_TRUE(again);
    EXPECT_EQ(again->details, why->details);
}

TEST_F(Training, WaitsForManyWhereThatEndsEarlierAndSaysSo) {
    open();
    ASSERT_TRUE(world.submit(filler_of("other", 7, seconds(1200))));
    ASSERT_TRUE(world.submit(training_of("pretrain", {8, 64}, 2e11)));
    EXPECT_EQ(world.state("pretrain"), "pending");
    EXPECT_EQ(world.view("pretrain").spec.gang.replicas, 8U);
    const auto why = world.keeper->explain("pretrain");
    ASSERT_TRUE(why);
    EXPECT_THAT(why->details,
                Contains(HasSubstr("of its sizes: with 64 chips, which could start")));
    comes_back();
    world.turn({});
    world.end("other");
    EXPECT_EQ(world.view("pretrain").nodes.size(), 8U);
}

TEST_F(Training, KeepsItsSizeForLaterAttempts) {
    open();
    ASSERT_TRUE(world.submit(filler_of("other", 6, seconds(std::int64_t{9} * 86'400))));
    Submission job = training_of("pretrain", {8, 64});
    job.spec.retries = 1;
    ASSERT_TRUE(world.submit(job));
    EXPECT_EQ(world.view("pretrain").nodes.size(), 2U);
    world.end("other");
    world.report(world.executor.lose(world.alive("pretrain"), world.now));
    EXPECT_EQ(world.state("pretrain"), "running");
    EXPECT_EQ(world.view("pretrain").attempts.size(), 2U);
    EXPECT_EQ(world.view("pretrain").nodes.size(), 2U) << "though all are free now";
    EXPECT_EQ(launch_of("pretrain").env.at("WEIR_CHIPS"), "16");
    comes_back();
    EXPECT_EQ(world.view("pretrain").limit, launch_of("pretrain").limit);
}

TEST_F(Training, GoesOnInAnotherFleetAsItWasPlanned) {
    open();
    ASSERT_TRUE(world.submit(filler_of("other", 6, seconds(std::int64_t{9} * 86'400))));
    ASSERT_TRUE(world.submit(training_of("pretrain", {8, 64})));
    ASSERT_TRUE(world.submit(training_of("second", {64, 64})));
    EXPECT_EQ(world.state("second"), "pending");
    world.fleet.pools[0].nodes = 16;
    world.fleet.pools[0].node_names.clear();
    open();
    world.turn({});
    EXPECT_EQ(world.view("pretrain").nodes.size(), 2U);
    EXPECT_EQ(world.view("pretrain").spec.gang.replicas, 2U);
    EXPECT_EQ(world.view("second").nodes.size(), 8U) << "there is room for it now";
    comes_back();
}

TEST_F(Training, IsLimitedByRightsAndBudgets) {
    open_with(
        "tenants:\n"
        "  - {name: lab, quota: {h100-sxm-80g: 32}, borrow: {h100-sxm-80g: 0}}\n"
        "  - {name: shop, quota: {h100-sxm-80g: 32}, lend: {h100-sxm-80g: 0}}\n");
    const auto taken = world.submit(training_of("pretrain", {8, 64}));
    ASSERT_TRUE(taken) << taken.error().message;
    EXPECT_EQ(launch_of("pretrain").env.at("WEIR_CHIPS"), "32");
    EXPECT_THAT(taken->notes,
                Contains(HasSubstr("2 other sizes would never start; 48 chips: quota")));
    // All sizes would cost more than it may.
    Submission poor = training_of("poor", {8, 32});
    poor.spec.budget = *parse_money("1 CNY");
    EXPECT_TRUE(world.submit(poor)) << "what is its own costs nothing";
}

TEST_F(Training, IsRefusedWithTheReasonOfEachPoolWhereNoneHasAPlan) {
    open();
    Submission large = training_of("large", {8, 16});
    large.spec.train->model = "llama-3.1-405b";
    const auto refused = world.submit(large);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::never_fits);
    EXPECT_THAT(refused.error().message,
                HasSubstr("train: no pool has a plan for llama-3.1-405b on 8..16 chips"));
    EXPECT_THAT(refused.error().message,
                HasSubstr("main: 8 to 16 chips: with 16, the leanest plan needs"));
    Submission unknown = training_of("unknown", {8, 16});
    unknown.spec.train->model = "lama-3-8b";
    const auto no = world.submit(unknown);
    ASSERT_FALSE(no);
    EXPECT_THAT(no.error().message, HasSubstr("did you mean llama-3-8b?"));
    Submission many = training_of("many", {8, 8});
    many.spec.array = job::Array{{1, 2}, 0};
    EXPECT_FALSE(world.submit(many));
}

TEST_F(Training, IsPlannedByWhoTakesItWhateverItBringsAlong) {
    open();
    Submission job = training_of("pretrain", {8, 8});
    job::TrainSize mine;
    mine.pools = {"main"};
    mine.chip = "h100-sxm-80g";
    mine.replicas = mine.chips = 8;
    job.spec.sizes = {mine};
    ASSERT_TRUE(world.submit(job));
    EXPECT_EQ(world.view("pretrain").nodes.size(), 1U);
    EXPECT_EQ(world.view("pretrain").spec.sizes.size(), 1U);
}

}  // namespace
}  // namespace weir::hub
