// What operators do to a running hub, and what becomes of jobs that are stopped for others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "weir/hub/hub_world.hpp"
#include "weir/hub/power.hpp"

namespace weir::hub {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

fleet::Fleet racks_of_two() {
    fleet::Fleet fleet = small_fleet(4);
    fleet::Pool& pool = fleet.pools[0];
    pool.nodes_per_rack = 2;
    pool.rack_power_watts = 10'000;
    pool.node_idle_watts = 1000;
    pool.node_busy_watts = 5000;
    return fleet;
}

class OperatorStory : public HubStory {
protected:
    OperatorStory() : HubStory(racks_of_two()) { open(); }
    std::string done(Operation operation) {
        const auto answer = world.operate(std::move(operation));
        EXPECT_TRUE(answer) << answer.error().message;
        return answer.value_or("");
    }
    Error refused(Operation operation) {
        const auto before = world.keeper->status().journal_entries;
        const auto answer = world.operate(std::move(operation));
        EXPECT_FALSE(answer) << *answer;
        EXPECT_EQ(world.keeper->status().journal_entries, before) << "something changed";
        return answer ? Error{} : answer.error();
    }
    Result<Accepted> submit_inside(const std::string& name,
                                   const std::string& reservation,
                                   Duration limit = seconds(3600)) {
        Submission submission = submission_of(name);
        submission.spec.reservation = reservation;
        submission.spec.limit = limit;
        return world.submit(std::move(submission));
    }
    static MakeReservation four_hours(const std::string& name, const std::string& node) {
        MakeReservation wish;
        wish.name = name;
        wish.node_names = {node};
        wish.duration = seconds(4 * 3600);
        return wish;
    }
};

TEST_F(OperatorStory, ADrainedNodeTakesNoMoreJobsAcrossRestartsAndFleets) {
    ASSERT_TRUE(world.submit(submission_of("a")));
    EXPECT_THAT(done(DrainNode{"main-0", "new fans"}),
                HasSubstr("1 job runs on it and is left to end: job 1 (a)"));
    const auto entries = world.keeper->status().journal_entries;
    done(DrainNode{"main-0", "new fans"});
    EXPECT_EQ(world.keeper->status().journal_entries, entries) << "asking twice changes nothing";
    EXPECT_EQ(world.state("a"), "running");
    world.end("a");
    const auto nobody_starts_there = [this](const std::string& name) {
        ASSERT_TRUE(world.submit(submission_of(name, 4, 4)));
        EXPECT_EQ(world.state(name), "pending");
        ASSERT_TRUE(world.cancel(name));
    };
    nobody_starts_there("before");
    open();
    nobody_starts_there("after");
    world.fleet.pools[0].memory = gibibytes(128);
    open();
    nobody_starts_there("otherwise");
    const std::vector<PoolView> pools = world.keeper->pools();
    ASSERT_EQ(pools.at(0).drained.size(), 1U);
    EXPECT_EQ(pools[0].drained[0].node, "main-0");
    EXPECT_EQ(pools[0].drained[0].reason, "new fans");
    EXPECT_EQ(done(RestoreNode{"main-0"}), "main-0 is in service again");
    EXPECT_EQ(done(RestoreNode{"main-0"}), "main-0 is in service");
    ASSERT_TRUE(world.submit(submission_of("last", 4, 4)));
    EXPECT_EQ(world.state("last"), "running");
    EXPECT_THAT(refused(DrainNode{"main-4", ""}).message, HasSubstr("main-0 to main-3"));
}

TEST_F(OperatorStory, AReservationOfNamedNodesNamesWhoIsInItsWay) {
    ASSERT_TRUE(world.submit(submission_of("long", 4)));  // an hour, on all nodes
    MakeReservation fans = four_hours("fans", "main-2");
    fans.maintenance = true;
    const Error now = refused(fans);
    EXPECT_EQ(now.code, Code::conflict);
    EXPECT_THAT(now.message, HasSubstr("job 1 (long) runs there, by its limit until"));
    fans.from = world.now + seconds(3700);
    EXPECT_THAT(done(fans), HasSubstr("reservation fans: 1 node (main-2) from"));
    EXPECT_EQ(refused(fans).code, Code::conflict) << "the name is taken";
    MakeReservation other = four_hours("other", "main-2");
    other.from = world.now + seconds(7200);
    EXPECT_THAT(refused(other).message, HasSubstr("reservation fans has some of them"));
    other.from = world.now + seconds(3700 + 4 * 3600);
    done(other);
    // Kept across a restart, in the order in which they begin, and across another fleet.
    open();
    world.options.policy = sched::Policy::fcfs;
    open();
    const auto known = world.keeper->reservations();
    ASSERT_EQ(known.size(), 2U);
    EXPECT_EQ(known[0].name, "fans");
    EXPECT_TRUE(known[0].maintenance);
    EXPECT_EQ(known[0].nodes.at(0).first, "main-2");
    EXPECT_EQ(known[1].name, "other");
    EXPECT_EQ(world.keeper->book().next_advance(), AdvanceId{3});
}

TEST_F(OperatorStory, OnlyThoseAReservationIsForMayUseIt) {
    MakeReservation night = four_hours("night", "main-1");
    night.tenant = "lab";
    done(night);
    MakeReservation fans = four_hours("fans", "main-2");
    fans.maintenance = true;
    done(fans);
    ASSERT_TRUE(submit_inside("inside", "night"));
    Submission below = submission_of("below");
    below.spec.tenant = "lab/wet";
    below.spec.reservation = "night";
    EXPECT_TRUE(world.submit(below));
    below.spec.tenant = "labour";
    EXPECT_THAT(
        world.submit(below).error().message,
        HasSubstr("night is for jobs of lab and of tenants below it; this one is of labour"));
    EXPECT_THAT(submit_inside("x", "fans").error().message, HasSubstr("for maintenance"));
    EXPECT_THAT(submit_inside("x", "day").error().message, HasSubstr("there are: night, fans"));
    EXPECT_THAT(submit_inside("x", "night", seconds(5 * 3600)).error().message,
                HasSubstr("give it a time limit of at most 3h 59m"));
}

TEST_F(OperatorStory, AReservationThatANewFleetHasNoNodeForIsToldOnceAndNotWithEveryStart) {
    MakeReservation night = four_hours("night", "main-3");
    night.from = world.now + seconds(3600);
    done(night);
    ASSERT_TRUE(submit_inside("inside", "night"));
    world.fleet.pools[0].nodes = 2;
    open();
    EXPECT_EQ(world.state("inside"), "held");
    EXPECT_THAT(world.view("inside").reason, HasSubstr("its reservation night had no node"));
    const auto entries = world.keeper->status().journal_entries;
    open();
    open();
    EXPECT_EQ(world.state("inside"), "held");
    EXPECT_LE(world.keeper->status().journal_entries, entries + 2) << "nothing but a pass each";
}

TEST_F(OperatorStory, WhatWaitsForAReservationThatEndsIsCancelledAndWhatRunsRunsOn) {
    done(four_hours("night", "main-1"));
    ASSERT_TRUE(submit_inside("runs", "night"));
    Submission later = submission_of("later");
    later.spec.reservation = "night";
    later.spec.after = {"runs"};
    ASSERT_TRUE(world.submit(later));
    done(EndReservation{"night"});
    EXPECT_EQ(world.state("runs"), "running");
    EXPECT_EQ(world.state("later"), "cancelled");
    EXPECT_EQ(world.view("later").reason, "its reservation night was deleted");

    // By itself at its end, for which the hub wakes.
    done(four_hours("day", "main-3"));
    later.spec.name = "too-late";
    later.spec.reservation = "day";
    ASSERT_TRUE(world.submit(later));
    const Duration left = world.keeper->wakes_in(world.moment());
    EXPECT_LE(left, seconds(4 * 3600));
    world.pass(seconds(4 * 3600));
    EXPECT_EQ(world.keeper->wakes_in(world.moment()), Duration{0});
    world.keeper->wake(world.moment());
    EXPECT_EQ(world.view("too-late").reason, "its reservation day has ended");
    EXPECT_TRUE(world.keeper->reservations().empty());
    world.end("runs");
}

TEST_F(OperatorStory, ShowsWhatIsDrawnAgainstItsBudgetAndSetsOthers) {
    ASSERT_TRUE(world.submit(submission_of("half", 1, 2)));  // 2 of 4 chips of one node
    const auto racks = [this](const std::string& of) {
        std::string text;
        const auto views = world.keeper->power(of);
        EXPECT_TRUE(views);
        for (const PowerView& view : *views) {
            text += view.domain + " " + std::to_string(std::lround(view.draw_watts.value_or(-1))) +
                    "/" + std::to_string(std::lround(view.budget_watts)) + "; ";
        }
        return text;
    };
    EXPECT_EQ(racks(""), "local 6000/0; main/rack/0 4000/10000; main/rack/1 2000/10000; ");
    EXPECT_EQ(done(SetPowerCap{"main/rack/1", 2500}), "main/rack/1 may draw 2.5 kW; it draws 2 kW");
    EXPECT_EQ(done(SetPowerCap{"local", 20'000}), "local may draw 20 kW; it draws 6 kW");
    open();
    world.fleet.pools[0].memory = gibibytes(128);
    open();
    EXPECT_EQ(racks("local"), "local 6000/20000; main/rack/0 4000/10000; main/rack/1 2000/2500; ");
    EXPECT_EQ(racks("main"), "main/rack/0 4000/10000; main/rack/1 2000/2500; ");
    EXPECT_THAT(refused(SetPowerCap{"main/rack/2", 1}).message, HasSubstr("there is no rack 2"));
    EXPECT_THAT(refused(SetPowerCap{"main", 1}).message, HasSubstr("POOL/rack/NUMBER"));
    EXPECT_FALSE(world.keeper->power("nowhere"));
}

TEST_F(OperatorStory, NoBudgetOfAnOperatorMeansTheOneOfTheFleetFileAgain) {
    const auto budget = [this] { return world.keeper->power("main/rack/0")->front().budget_watts; };
    done(SetPowerCap{"main/rack/0", 20'000});
    EXPECT_EQ(budget(), 20'000);
    EXPECT_EQ(done(SetPowerCap{"main/rack/0", 0}),
              "main/rack/0 may draw 10 kW, as the fleet file says; it draws 2 kW");
    EXPECT_EQ(budget(), 10'000);
    EXPECT_EQ(done(SetPowerCap{"local", 0}), "local may draw what it can, as the fleet file says");
    world.fleet.pools[0].rack_power_watts = 9000;
    open();
    EXPECT_EQ(budget(), 9000) << "nothing is set that another file would not change";
}

TEST_F(OperatorStory, SaysWhenABudgetIsBelowWhatIdleNodesDraw) {
    EXPECT_EQ(done(SetPowerCap{"main/rack/0", 1500}),
              "main/rack/0 may draw 1.5 kW; it draws 2 kW; idle alone draws 2 kW; nothing that "
              "draws will start there");
    EXPECT_EQ(world.keeper->power("main/rack/0")->front().note,
              "idle alone draws 2 kW; nothing that draws will start there");
    EXPECT_EQ(world.keeper->power("main/rack/1")->front().note, "");
}

TEST_F(OperatorStory, TellsDrawAndBudgetWhereNothingMayBeStopped) {
    EXPECT_EQ(sentence_of({{fleet::Level::rack, PoolId{0}, 1}, 200}, world.keeper->book()),
              "main/rack/1 draws 10.2 kW and may draw 10 kW; nothing that may be stopped is left "
              "there");
}

TEST_F(OperatorStory, RefusesABudgetWhereNothingSaysWhatNodesDraw) {
    world.fleet.pools[0].node_idle_watts = world.fleet.pools[0].node_busy_watts = 0;
    open();
    EXPECT_THAT(refused(SetPowerCap{"main/rack/1", 2500}).message,
                HasSubstr("write node_power in the fleet file"));
    const PowerView rack = world.keeper->power("main/rack/1")->front();
    EXPECT_FALSE(rack.draw_watts);
    EXPECT_THAT(rack.note, HasSubstr("binds nothing"));
    EXPECT_THAT(done(SetPowerCap{"main/rack/1", 0}),
                HasSubstr("main/rack/1 may draw 10 kW, as the fleet file says"));
}

TEST_F(OperatorStory, KeepsTheReasonOfADrainedNodeUnlessAnotherIsGiven) {
    const auto reason = [this] { return world.keeper->book().drained().begin()->second.reason; };
    done(DrainNode{"main-1", "new fans"});
    done(DrainNode{"main-1", ""});
    EXPECT_EQ(reason(), "new fans");
    done(DrainNode{"main-1", "new board"});
    EXPECT_EQ(reason(), "new board");
}

TEST_F(OperatorStory, ARunningJobMaySayThatItHasSaved) {
    ASSERT_TRUE(world.submit(submission_of("a")));
    EXPECT_EQ(done(NoteCheckpoint{"a"}), "noted: job 1 (a) has saved what it did so far");
    world.end("a");
    EXPECT_EQ(refused(NoteCheckpoint{"a"}).code, Code::conflict);
    EXPECT_EQ(refused(NoteCheckpoint{"b"}).code, Code::not_found);
}

TEST_F(OperatorStory, RefusesTimesThatAreYearsAndYearsAhead) {
    const Duration years = seconds(std::int64_t{10} * 365 * 86'400);
    MakeReservation wish = four_hours("far", "main-2");
    wish.from = world.now + years + seconds(60);
    const Error error = refused(wish);
    EXPECT_EQ(error.code, Code::invalid);
    EXPECT_THAT(error.message, HasSubstr("from: 1980-01-10T13:47:40"));
    EXPECT_THAT(error.message, HasSubstr("is more than 10y from now; valid are times up to 1980"));
    wish.from = Time{Duration{std::numeric_limits<std::int64_t>::max()}};
    EXPECT_EQ(refused(wish).code, Code::invalid);
    wish.from = world.now + years;
    done(wish);
    Submission late = submission_of("late");
    late.spec.deadline = world.now + years + seconds(60);
    const auto answer = world.submit(late);
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().message, HasSubstr("deadline: 1980-01-10T13:47:40"));
}

TEST_F(OperatorStory, RefusesADeadlineThatHasPassed) {
    Submission late = submission_of("late");
    late.spec.deadline = world.now - seconds(1);
    const auto answer = world.submit(late);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::never_fits);
    EXPECT_THAT(answer.error().message, HasSubstr("deadline: 1970-01-12T13:46:39Z has passed"));
    late.spec.deadline = world.now + seconds(60);
    const auto hopeless = world.submit(late);
    ASSERT_FALSE(hopeless);
    EXPECT_THAT(hopeless.error().message, HasSubstr("deadline: with a limit of 1h 00m it"));
    EXPECT_THAT(hopeless.error().message, Not(HasSubstr("deadline: deadline")));
    late.spec.deadline = world.now + seconds(90'000);
    EXPECT_TRUE(world.submit(late));
}

TEST_F(OperatorStory, TellsThatADeadlineCanNoLongerBeMet) {
    Submission gang = submission_of("gang", 4);
    gang.spec.limit = seconds(600);
    ASSERT_TRUE(world.submit(gang));
    gang.spec.name = "urgent";
    gang.spec.deadline = world.now + seconds(1500);
    ASSERT_TRUE(world.submit(gang));
    EXPECT_EQ(world.view("urgent").reason, "has a promise");
    done(DrainNode{"main-3", "smoke"});
    EXPECT_EQ(world.view("urgent").reason, "may miss its deadline");
    const auto told = world.keeper->explain("urgent");
    ASSERT_TRUE(told);
    EXPECT_THAT(told->details,
                testing::Contains(HasSubstr("no start that lets it end by its deadline")));
    done(RestoreNode{"main-3"});
    EXPECT_EQ(world.view("urgent").reason, "has a promise");
}

// The decision to stop a job is put into the journal of a hub that has died, as if it had died
// right after it.
class PreemptionStory : public testing::Test {
protected:
    PreemptionStory() {
        EXPECT_TRUE(world.open());
        Submission model = submission_of("model");
        model.spec.checkpoint =
            job::Checkpoint{.every = seconds(600), .cost = seconds(90), .signal = 12};
        EXPECT_TRUE(world.submit(model));
        Submission flood = submission_of("flood");
        flood.spec.priority = job::Priority::urgent;
        EXPECT_TRUE(world.submit(flood));
        EXPECT_TRUE(world.cancel("flood")) << "it only lends its name";
        journal::Step step;
        step.preempted.push_back({JobId{1}, JobId{2}, sched::Cause::preempted});
        step.digest = world.keeper->status().digest;
        store::Batch batch{{journal::encode(step, world.now)}, {}};
        EXPECT_TRUE(world.memory.append(batch));
        EXPECT_TRUE(world.open());
    }
    void TearDown() override {
        EXPECT_TRUE(world.executor.breaches.empty()) << world.executor.breaches.front();
    }
    [[nodiscard]] const FakeExecutor::Attempt& attempt(std::uint32_t number) const {
        return world.executor.attempts.at({JobId{1}, number});
    }

    HubWorld world{small_fleet(1)};
};

TEST_F(PreemptionStory, AsksItToSaveStopsItAndLetsItWaitAgain) {
    EXPECT_TRUE(attempt(1).stop_asked);
    EXPECT_EQ(attempt(1).stop.save_signal, 12);
    EXPECT_EQ(attempt(1).stop.save_time, seconds(90));
    EXPECT_EQ(world.state("model"), "stopping");
    EXPECT_EQ(world.view("model").reason, "stopped for job 2 (flood)");
    EXPECT_THAT(world.keeper->explain("model")->sentence,
                HasSubstr("stopped for job 2 (flood), and goes back to its old place"));
    // The hub dies once more, and asks once more.
    world.executor.attempts.at({JobId{1}, 1}).stop_asked = false;
    ASSERT_TRUE(world.open());
    EXPECT_TRUE(attempt(1).stop_asked);

    world.end("model");
    const JobView view = world.view("model");
    EXPECT_EQ(name_of(view.state), "running") << "there is room, so it runs again";
    ASSERT_EQ(view.attempts.size(), 2U);
    EXPECT_EQ(view.attempts[0].stopped_for, "stopped for job 2 (flood)");
    EXPECT_EQ(view.attempts[0].end->kind, exec::EndKind::stopped);
    EXPECT_EQ(view.attempts[1].stopped_for, "");
    world.end("model");
    EXPECT_EQ(world.state("model"), "succeeded");
    EXPECT_EQ(world.view("model").attempts.at(0).stopped_for, "stopped for job 2 (flood)")
        << "in its document too";
}

TEST_F(PreemptionStory, AnAttemptThatIsLostMeanwhileIsNoFailureEither) {
    world.report(world.executor.lose(world.alive("model"), world.now));
    EXPECT_EQ(world.started(), "1.1 1.2") << "although it has no retries";
    // The second one is, and nothing of its retries was used up: it has none.
    world.report(world.executor.lose(world.alive("model"), world.now));
    EXPECT_EQ(world.state("model"), "lost");
}

TEST_F(PreemptionStory, WhatHasEndedByItselfHasEnded) {
    world.executor.attempts.at({JobId{1}, 1}).stop_asked = false;  // it was faster
    world.end("model");
    EXPECT_EQ(world.state("model"), "succeeded");
    EXPECT_EQ(world.view("model").attempts.at(0).stopped_for, "");
}

TEST_F(PreemptionStory, ItsUserMayCancelItMeanwhile) {
    ASSERT_TRUE(world.cancel("model"));
    EXPECT_EQ(attempt(1).stop.save_signal, 0) << "nobody wants it saved";
    world.end("model");
    EXPECT_EQ(world.state("model"), "cancelled");
}

}  // namespace
}  // namespace weir::hub
