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
                Contains(HasSubstr("when it started: with 16 chips (2 nodes of main), which "
                                   "could start now, it would end in ")));
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
    EXPECT_THAT(
        why->details,
        Contains(HasSubstr("of its sizes: with 64 chips (8 nodes of main), which could start")));
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

TEST_F(Training, SaysInWhichSizeItRunsOrWaits) {
    open();
    ASSERT_TRUE(world.submit(filler_of("other", 7, seconds(1200))));
    ASSERT_TRUE(world.submit(training_of("pretrain", {8, 64}, 2e11)));
    const JobView waits = world.view("pretrain");
    ASSERT_TRUE(waits.size);
    EXPECT_EQ(waits.spec.sizes.at(*waits.size).chips_in_all(), 64U);
    EXPECT_FALSE(world.view("other").size);
    world.end("other");
    world.end("pretrain");
    // It is in the document of who has ended, too.
    open();
    const JobView ended = world.view("pretrain");
    EXPECT_EQ(ended.state, JobState::succeeded);
    EXPECT_EQ(ended.size, waits.size);
    EXPECT_EQ(ended.spec.sizes.at(*ended.size).plan, waits.spec.sizes.at(*waits.size).plan);
}

// A file that somebody got wrong must cost nobody a job: who waits goes on when it is right again.
TEST_F(Training, AFleetFileThatLacksSomethingLosesNobodyWhoWaits) {
    open();
    const fleet::Fleet right = world.fleet;
    for (const auto& [wrong, words] :
         {std::pair{of_h100s(1), "main: it has 8 chips, and the job wants at least 16"},
          std::pair{small_fleet(8), "no pool"}}) {
        ASSERT_TRUE(world.submit(filler_of("hold", 8, seconds(60))));
        Submission waits = training_of("waits", {16, 64});
        waits.spec.chips_any_of = {"h100-sxm-80g"};
        ASSERT_TRUE(world.submit(waits));
        Submission named = filler_of("wide", 2, seconds(60));
        named.spec.chips_any_of = {"h100-sxm-80g"};
        ASSERT_TRUE(world.submit(named));
        Submission behind = filler_of("behind", 1, seconds(60));
        behind.spec.after = {"wide"};
        ASSERT_TRUE(world.submit(behind));
        ASSERT_EQ(world.state("waits"), "pending");
        // It comes into force in the moment in which nothing runs.
        world.fleet = wrong;
        open();
        EXPECT_TRUE(world.keeper->status().pending_change);
        world.end("hold");
        EXPECT_EQ(world.state("waits"), "held");
        EXPECT_THAT(world.view("waits").reason, HasSubstr("in this fleet it can never start: "));
        EXPECT_THAT(world.view("waits").reason, HasSubstr(words));
        EXPECT_EQ(world.keeper->explain("waits")->cause, "no_chip");
        EXPECT_EQ(world.state("wide"), "held");
        EXPECT_THAT(world.view("wide").reason, HasSubstr("in this fleet it can never start: "));
        const std::uint64_t entries = world.keeper->status().journal_entries;
        open();
        EXPECT_EQ(world.keeper->status().journal_entries, entries) << "nothing is new";
        world.fleet = right;
        open();
        world.turn({});
        EXPECT_NE(world.state("waits"), "held");
        EXPECT_GT(world.view("waits").spec.sizes.size(), 1U);
        EXPECT_EQ(world.state("wide"), "running");
        while (!world.executor.alive().empty())
            for (const exec::AttemptId id : world.executor.alive())
                world.report(world.executor.finish(id, 0, world.now));
        EXPECT_EQ(world.state("waits"), "succeeded");
        EXPECT_EQ(world.state("wide"), "succeeded");
        EXPECT_EQ(world.state("behind"), "succeeded");
    }
}

// A promise to many chips is looked for in that size: the first has no room in time.
TEST_F(Training, KeepsThePromiseOfItsSizeInAnotherFleet) {
    open();
    ASSERT_TRUE(world.submit(filler_of("short", 6, seconds(1200))));
    ASSERT_TRUE(world.submit(filler_of("long", 2, seconds(std::int64_t{30} * 86'400))));
    ASSERT_TRUE(world.submit(training_of("pretrain", {8, 48}, 2e11)));
    ASSERT_EQ(world.state("pretrain"), "pending");
    const JobView before = world.view("pretrain");
    ASSERT_TRUE(before.starts_promised);
    ASSERT_EQ(before.spec.sizes.at(*before.size).chips_in_all(), 48U);
    world.fleet.pools[0].nodes = 9;
    world.fleet.pools[0].node_names.clear();
    ASSERT_TRUE(world.submit(filler_of("next", 1, seconds(std::int64_t{30} * 86'400))));
    open();
    const JobView after = world.view("pretrain");
    EXPECT_TRUE(after.starts_promised);
    EXPECT_EQ(after.starts_at, before.starts_at);
    EXPECT_EQ(after.spec.sizes.at(*after.size).chips_in_all(), 48U);
    EXPECT_FALSE(world.keeper->explain("pretrain")->sentence.empty());
    comes_back();
}

// Nobody is told of replicas who did not ask for any.
TEST_F(Training, IsHelpedByOtherPoolsInWordsOfSizes) {
    world.fleet.pools.push_back(world.fleet.pools[0]);
    world.fleet.pools[1].name = "old";
    world.fleet.pools[1].chip = "a100-sxm-80g";
    open();
    Submission filler = filler_of("other", 8, seconds(360'000));
    filler.spec.chips_any_of = {"h100-sxm-80g"};
    ASSERT_TRUE(world.submit(filler));
    Submission job = training_of("pretrain", {16, 64});
    job.spec.chips_any_of = {"h100-sxm-80g"};
    ASSERT_TRUE(world.submit(job));
    ASSERT_EQ(world.state("pretrain"), "pending");
    const auto why = world.keeper->explain("pretrain");
    ASSERT_TRUE(why);
    EXPECT_THAT(why->details, Contains(HasSubstr("the plan of the size that it asks for: ")));
    std::string all;
    for (const ExplainView::Help& help : why->would_help)
        all += help.change + ": " + help.sentence + "\n";
    EXPECT_THAT(all, HasSubstr("other_pool: it would start now and end in "));
    EXPECT_THAT(all, HasSubstr("nodes of old) if a100-sxm-80g were accepted"));
    EXPECT_THAT(all,
                HasSubstr("others_end: as it is there is room for 64 chips (8 nodes of main)"));
    EXPECT_THAT(all, testing::Not(HasSubstr("replica")));
}

}  // namespace
}  // namespace weir::hub
