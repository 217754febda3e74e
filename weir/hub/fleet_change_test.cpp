// What another fleet or another policy leaves as it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/base/random.hpp"
#include "weir/hub/hub_world.hpp"
#include "weir/hub/replay.hpp"

namespace weir::hub {
namespace {

using testing::Contains;
using testing::HasSubstr;

// `weir` without slack; the number is of what does not happen in most of these stories.
sched::Policy weir_with(std::uint32_t preemptions_per_hour) {
    sched::Policy policy = sched::Policy::weir;
    policy.slack = Duration{};
    policy.slack_percent = 0;
    policy.preemptions_per_hour_max = preemptions_per_hour;
    return policy;
}

class FleetChange : public HubStory {
protected:
    FleetChange() : HubStory(small_fleet(2)) { world.options.policy = weir_with(100); }
    JobId accepted(const std::string& name, std::uint32_t replicas, Duration limit) {
        Submission submission = submission_of(name, replicas);
        submission.spec.limit = limit;
        const auto answer = world.submit(submission);
        EXPECT_TRUE(answer) << (answer ? "" : answer.error().message);
        return answer ? answer->first : JobId::none();
    }
    // A gang waits for both nodes with a promise, and then somebody comes who would be before it in
    // the queue, fits now and would be in its way.
    void let_big_wait() {
        accepted("runs", 1, seconds(600));
        accepted("big", 2, seconds(86'400));
        promised = world.keeper->book().promise(world.view("big").job)->at;
        accepted("late", 1, seconds(3600));
        EXPECT_EQ(world.started(), "1.1");
    }
    [[nodiscard]] bool has_promise(const std::string& reference) {
        return world.keeper->book().promise(world.view(reference).job) != nullptr;
    }

    Time promised = never;
};

TEST_F(FleetChange, KeepsAPromiseAcrossAnotherPolicyAndGivesItsPlaceToNobodyElse) {
    open();
    let_big_wait();
    const fleet::Placement nodes = world.keeper->book().promise(JobId{2})->placement;
    world.options.policy = weir_with(101);
    open();
    ASSERT_TRUE(has_promise("big"));
    EXPECT_EQ(world.view("big").starts_at, promised);
    EXPECT_EQ(world.keeper->book().promise(JobId{2})->placement, nodes);
    EXPECT_FALSE(has_promise("late"));
    EXPECT_EQ(world.state("late"), "pending");
    EXPECT_EQ(world.keeper->book().lost_promise(JobId{2}), nullptr);
    open();
    EXPECT_EQ(world.view("big").starts_at, promised) << "the journal has it";
    world.end("runs");
    EXPECT_EQ(world.started(), "1.1 2.1");
}

TEST_F(FleetChange, KeepsAPromiseWhenAJournalOfAnOlderFormatIsTakenOver) {
    open();
    let_big_wait();
    store::Batch older;
    ASSERT_TRUE(world.memory.replay(1, [&](const store::Entry& entry) -> Result<void> {
        auto record = *journal::decode(entry);
        if (auto* fleet = std::get_if<journal::FleetSet>(&record)) fleet->written_as = 3;
        older.entries.push_back(journal::encode(record, entry.at));
        return {};
    }));
    world.memory = store::MemoryStore();
    ASSERT_TRUE(world.memory.append(older));
    open();
    EXPECT_EQ(world.keeper->book().written_as(), journal::format);
    EXPECT_EQ(world.view("big").starts_at, promised);
}

TEST_F(FleetChange, KeepsAPromiseOnOtherNodesWhereItsOwnAreGone) {
    world.fleet.pools[0].node_names = {"red", "blue"};
    open();
    let_big_wait();
    // The other node of the two was replaced.
    const bool on_red = world.view("runs").nodes.front() == "red";
    world.fleet.pools[0].node_names[on_red ? 1 : 0] = "green";
    open();
    ASSERT_TRUE(has_promise("big"));
    EXPECT_LE(world.view("big").starts_at, promised);
    EXPECT_FALSE(has_promise("late"));
    EXPECT_EQ(world.state("late"), "pending");
    EXPECT_EQ(world.keeper->book().lost_promise(JobId{2}), nullptr);
}

TEST_F(FleetChange, SaysWhyAPromiseIsNotKeptAndPromisesAnewBeforeAnybodyElse) {
    world.fleet = small_fleet(3);
    open();
    accepted("runs", 1, seconds(600));
    accepted("also", 1, seconds(6000));
    accepted("big", 2, seconds(86'400));
    ASSERT_TRUE(has_promise("big"));
    promised = world.view("big").starts_at.value();
    accepted("late", 1, seconds(3600));
    world.fleet = small_fleet(2);
    open();
    ASSERT_FALSE(world.keeper->status().pending_change);
    ASSERT_TRUE(has_promise("big"));
    EXPECT_EQ(world.view("big").starts_at, world.view("also").started_at.value() + seconds(6000));
    EXPECT_FALSE(has_promise("late"));
    const auto told = world.keeper->explain("big");
    ASSERT_TRUE(told);
    EXPECT_THAT(
        told->details,
        Contains(
            "it had been promised to start by " + format_time(promised) +
            ", before another fleet, policy or tenants file came into force: main-2 is not in the "
            "new fleet"));
    for (const char* const name : {"also", "runs", "late"}) {
        if (world.state(name) == "running") world.end(name);
    }
    EXPECT_EQ(world.state("big"), "running");
    EXPECT_EQ(world.keeper->book().lost_promise(world.view("big").job), nullptr);
}

TEST_F(FleetChange, SaysThatStrictOrderPromisesNothing) {
    open();
    let_big_wait();
    world.options.policy = sched::Policy::fcfs;
    open();
    EXPECT_FALSE(has_promise("big"));
    const auto told = world.keeper->explain("big");
    ASSERT_TRUE(told);
    EXPECT_THAT(told->details, Contains(HasSubstr("strict order promises nobody a start")));
    world.end("runs");
    EXPECT_EQ(world.state("big"), "running");
}

TEST_F(FleetChange, LeavesEverybodyHisDateInTheQueue) {
    open();
    accepted("runs", 2, seconds(100'000));
    accepted("first", 2, seconds(3600));
    accepted("patient", 2, seconds(3600));  // dated twelve hours after now
    world.pass(seconds(13 * 3600));
    accepted("late", 2, seconds(60));
    EXPECT_EQ(world.keeper->explain("late")->ahead, 2U);
    world.options.policy = weir_with(7);
    open();
    EXPECT_EQ(world.keeper->explain("patient")->ahead, 1U);
    EXPECT_EQ(world.keeper->explain("late")->ahead, 2U);
}

class PreemptionAcrossAChange : public FleetChange {
protected:
    void submit(const std::string& name, job::Priority priority) {
        Submission submission = submission_of(name);
        submission.spec.priority = priority;
        submission.spec.limit = seconds(36'000);
        submission.spec.checkpoint =
            job::Checkpoint{.every = seconds(600), .cost = seconds(60), .signal = 12};
        EXPECT_TRUE(world.submit(submission));
    }
};

TEST_F(PreemptionAcrossAChange, CountsWhoWasStoppedInTheLastHour) {
    world.options.policy = weir_with(1);
    open();
    submit("a", job::Priority::low);
    submit("b", job::Priority::low);
    world.pass(seconds(1000));
    submit("urgent", job::Priority::urgent);
    const auto stopping = [&] {
        return (world.state("a") == "stopping" ? 1 : 0) + (world.state("b") == "stopping" ? 1 : 0);
    };
    ASSERT_EQ(stopping(), 1);
    world.options.policy.slack_percent = 26;
    open();
    ASSERT_EQ(stopping(), 1);
    submit("more", job::Priority::urgent);
    EXPECT_EQ(stopping(), 1) << "two were stopped within an hour";
    // The same when the one who was stopped has left.
    world.report(world.executor.finish(
        world.alive(world.state("a") == "stopping" ? "a" : "b"), 0, world.now));
    EXPECT_EQ(world.state("urgent"), "running");
    world.options.policy.slack_percent = 27;
    open();
    EXPECT_EQ(stopping(), 0) << "two were stopped within an hour";
    world.pass(seconds(3600));
    world.keeper->wake(world.moment());
    EXPECT_EQ(stopping(), 1);
}

TEST_F(PreemptionAcrossAChange, StopsWhoHasSavedItsWorkAlsoIfThatWasBefore) {
    open();
    submit("a", job::Priority::low);
    submit("b", job::Priority::low);
    world.pass(seconds(20'000));
    ASSERT_TRUE(world.operate(NoteCheckpoint{"b"}));
    world.options.policy = weir_with(7);
    open();
    submit("urgent", job::Priority::urgent);
    EXPECT_EQ(world.state("b"), "stopping");
    EXPECT_EQ(world.state("a"), "running");
}

// Two hubs hear the same; one of them is opened over and over with a policy that differs in a
// number that never matters. Whatever was promised stays promised.
TEST(FleetChanges, BreakNoPromiseWhileTheFleetStaysAsItIs) {
    std::size_t kept = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        HubWorld world(small_fleet(4));
        world.options.policy =
            random.chance(0.5) ? sched::Policy::weir : sched::Policy::conservative;
        world.options.policy.preempt = false;
        ASSERT_TRUE(world.open());
        for (int i = 0; i < 60; ++i) {
            Submission submission = submission_of("job-" + std::to_string(i),
                                                  static_cast<std::uint32_t>(random.between(1, 4)),
                                                  static_cast<std::uint32_t>(random.between(0, 4)));
            submission.spec.limit = seconds(random.between(1, 4000));
            submission.spec.priority = static_cast<job::Priority>(random.between(0, 3));
            if (random.chance(0.2)) {
                submission.spec.array = job::Array{.indices = {1, 2, 5}, .at_once_max = 2};
            }
            ASSERT_TRUE(world.submit(submission));
            std::vector<exec::AttemptId> alive = world.executor.alive();
            alive.resize(std::min(alive.size(), static_cast<std::size_t>(random.between(0, 2))));
            for (const exec::AttemptId id : alive)
                world.report(world.executor.finish(id, 0, world.now));
            if (!random.chance(0.3)) continue;
            const auto before = world.keeper->book().promises();
            world.options.policy.preemptions_per_hour_max ^= 1U;
            ASSERT_TRUE(world.open());
            for (const auto& [id, promise] : before) {
                const Job* const job = world.keeper->book().find(id);
                if (job == nullptr || job->runs()) continue;
                const Book::Promise* const now = world.keeper->book().promise(id);
                ASSERT_NE(now, nullptr) << "the promise to job " << id.value << " is gone";
                ASSERT_LE(now->at, promise.at) << "the promise to job " << id.value;
                ++kept;
            }
        }
        const auto report = replay(world.memory, nullptr);
        ASSERT_TRUE(report && !report->difference) << report->difference->sentence;
    }
    EXPECT_GT(kept, 200U) << "worlds in which nothing waits prove nothing";
}

Submission of_full_precision(const std::string& name) {
    Submission job = fp64_submission_of(name);
    job.spec.precision = job::Precision{};
    job.spec.precision->range_bits = 20;
    job.spec.precision->accept = {{}, {catalog::Way::emulated, catalog::Grade::certified}};
    return job;
}

TEST_F(FleetChange, SaysWhatIsPlannedOnTheNewChips) {
    world.fleet = small_fleet(1);
    world.fleet.pools[0].chip = "mi300x";
    open();
    ASSERT_TRUE(world.submit(of_full_precision("runs")));
    ASSERT_TRUE(world.submit(of_full_precision("waits")));
    EXPECT_EQ(world.view("waits").spec.planned.at(0).how, "native");
    world.end("runs");
    world.end("waits");
    ASSERT_TRUE(world.submit(of_full_precision("first")));
    Submission array = of_full_precision("array");
    array.spec.array = job::Array{.indices = {1, 2}, .at_once_max = 0};
    ASSERT_TRUE(world.submit(array));
    world.end("first");
    world.fleet.pools.push_back(world.fleet.pools[0]);
    world.fleet.pools[1].name = "new";
    world.fleet.pools[1].chip = "b200";
    open();
    for (int i = 0; i < 2; ++i) {
        const auto planned = world.view("array").spec.planned;
        ASSERT_EQ(planned.size(), 2U);
        const job::Planned& new_one = planned[planned[0].chip == "b200" ? 0 : 1];
        EXPECT_EQ(new_one.chip, "b200");
        EXPECT_EQ(new_one.how, "emulated oz2-int8-15 (certified)");
        const std::uint64_t entries = world.keeper->status().journal_entries;
        open();
        EXPECT_EQ(world.keeper->status().journal_entries, entries) << "nothing is new";
    }
}

TEST_F(FleetChange, AJobWhoseContractNoChipKeepsWaitsForAFleetThatDoes) {
    fleet::Fleet without = small_fleet(1);
    without.pools[0].chip = "ascend-910b3";
    fleet::Fleet with = small_fleet(1);
    with.pools[0].chip = "mi300x";
    world.fleet = without;
    open();
    const auto taken = world.submit(of_full_precision("science"));
    ASSERT_TRUE(taken) << taken.error().message;
    EXPECT_THAT(taken->notes, Contains(HasSubstr("it waits until there is one")));
    Submission after = submission_of("after");
    after.spec.after = {"science"};
    ASSERT_TRUE(world.submit(after));
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(world.state("science"), "held");
        EXPECT_THAT(world.view("science").reason,
                    HasSubstr("no chip of this fleet keeps its contract: ascend-910b3: update"));
        EXPECT_EQ(world.keeper->explain("science")->cause, "no_chip");
        open();
    }
    world.fleet = with;
    open();
    EXPECT_EQ(world.state("science"), "running");
    EXPECT_EQ(world.view("science").spec.planned.at(0).how, "native");
    world.end("science");
    EXPECT_EQ(world.started(), "1.1 2.1") << "who waited for it goes on";
    ASSERT_TRUE(world.submit(of_full_precision("next")));
    world.end("after");
    world.end("next");
    ASSERT_TRUE(world.submit(submission_of("fills")));
    ASSERT_TRUE(world.submit(of_full_precision("waits")));
    world.end("fills");
    world.end("waits");

    // The other way: what waits when its chips go is held, and may be cancelled.
    ASSERT_TRUE(world.submit(of_full_precision("on it")));
    ASSERT_TRUE(world.submit(of_full_precision("behind")));
    EXPECT_EQ(world.state("behind"), "pending");
    world.fleet = without;
    open();
    EXPECT_TRUE(world.keeper->status().pending_change);
    world.end("on it");
    EXPECT_EQ(world.state("behind"), "held");
    EXPECT_TRUE(world.view("behind").spec.planned.empty());
    ASSERT_TRUE(world.cancel("behind"));
    EXPECT_EQ(world.state("behind"), "cancelled");
}

TEST_F(FleetChange, ACatalogueThatKnowsAChipBetterServesWhoWaitsForIt) {
    world.fleet.pools[0].chip = "home-made";
    open();
    ASSERT_TRUE(world.submit(of_full_precision("science")));
    EXPECT_EQ(world.state("science"), "held");
    catalog::ChipRecord record{.name = "home-made"};
    record.rates = {{.format = "fp64", .op = "gemm", .value = 1e13}};
    auto catalog = std::make_shared<catalog::Catalog>();
    ASSERT_TRUE(catalog->add({record}, "test"));
    world.options.catalog = catalog;
    open();
    EXPECT_EQ(world.state("science"), "running");
}

}  // namespace
}  // namespace weir::hub
