// The life of jobs in the hub, told as stories over a fake executor and a virtual clock.
#include "weir/hub/keeper.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>

#include "weir/base/random.hpp"
#include "weir/hub/admission.hpp"
#include "weir/hub/hub_world.hpp"
#include "weir/hub/replay.hpp"

namespace weir::hub {
namespace {

using testing::Contains;
using testing::HasSubstr;

class KeeperStory : public HubStory {
protected:
    KeeperStory() : HubStory(small_fleet(2)) { open(); }
    JobId accepted(Submission submission) {
        const auto answer = world.submit(std::move(submission));
        EXPECT_TRUE(answer) << (answer ? "" : answer.error().message);
        return answer ? answer->first : JobId::none();
    }
    Error refused(Submission submission) {
        const auto before = world.keeper->status().journal_entries;
        const auto answer = world.submit(std::move(submission));
        EXPECT_FALSE(answer) << "it was accepted";
        EXPECT_EQ(world.keeper->status().journal_entries, before) << "something changed";
        return answer ? Error{} : answer.error();
    }
};

TEST_F(KeeperStory, StartsAJobThatFitsAndRecordsHowItEnded) {
    accepted(submission_of("a"));
    EXPECT_EQ(world.started(), "1.1");
    EXPECT_EQ(world.state("a"), "running");
    EXPECT_EQ(world.view("a").nodes, std::vector<std::string>{"main-0"});
    world.end("a", 3);
    const JobView view = world.view("1");
    EXPECT_EQ(name_of(view.state), "failed");
    EXPECT_EQ(view.reason, "exit status 3");
    ASSERT_EQ(view.attempts.size(), 1U);
    EXPECT_EQ(view.attempts[0].end->exit_code, 3);
    EXPECT_TRUE(world.executor.attempts.at({JobId{1}, 1}).forgotten);
    EXPECT_TRUE(world.keeper->book().jobs().empty()) << "an ended job is still in memory";
}

TEST_F(KeeperStory, StartsAGangWholeAndGivesEachRankItsPlaceAndItsFiles) {
    accepted(submission_of("gang", 2));
    const auto& tasks = world.executor.attempts.at({JobId{1}, 1}).launch.tasks;
    ASSERT_EQ(tasks.size(), 2U);
    EXPECT_EQ(tasks[0].node, "main-0");
    EXPECT_EQ(tasks[1].node, "main-1");
    EXPECT_EQ(tasks[0].stdout_path, "/data/runs/1.1/stdout.0");
    EXPECT_EQ(tasks[1].stderr_path, "/data/runs/1.1/stderr.1");
    EXPECT_EQ(tasks[1].env.at("RANK"), "1");
    const exec::Launch& launch = world.executor.attempts.at({JobId{1}, 1}).launch;
    EXPECT_EQ(launch.env.at("WORLD_SIZE"), "2");
    EXPECT_EQ(launch.env.at("WEIR_JOB_ID"), "1");
    EXPECT_EQ(launch.workdir, "/scratch");
    EXPECT_EQ(launch.limit, seconds(3600));
}

TEST_F(KeeperStory, KeepsTheNextJobWaitingAndExplainsWhoHoldsTheRoomUntilWhen) {
    accepted(submission_of("long", 2));
    accepted(submission_of("next", 2));
    EXPECT_EQ(world.state("next"), "pending");
    EXPECT_EQ(world.view("next").reason, "has a promise");
    const auto explained = world.keeper->explain("next");
    ASSERT_TRUE(explained);
    EXPECT_EQ(explained->cause, "reserved");
    // A promise has some slack: an hour and a quarter of the limit, here an hour.
    EXPECT_EQ(explained->starts_at, world.view("long").started_at.value() + seconds(8100));
    std::string details;
    for (const std::string& detail : explained->details)
        details += detail + "\n";
    EXPECT_THAT(explained->sentence, HasSubstr("2 replicas with 4 chips, 1 CPU each"));
    EXPECT_THAT(explained->sentence, HasSubstr("pool main has 0 of 8 chips, 30 of 32 CPUs free"));
    EXPECT_THAT(details, HasSubstr("job 1 (long) holds 8 chips and 2 CPUs, by its limit until"));
    world.end("long");
    EXPECT_EQ(world.started(), "1.1 2.1");
}

TEST_F(KeeperStory, SaysWhatWouldHelpAndNamesTheJobThatHasToEnd) {
    accepted(submission_of("long"));
    accepted(submission_of("next", 2));
    const auto explained = world.keeper->explain("next");
    ASSERT_TRUE(explained);
    std::string would_help;
    for (const ExplainView::Help& help : explained->would_help)
        would_help += help.change + ": " + help.sentence + "\n";
    EXPECT_THAT(would_help, HasSubstr("it would start now with 1 replica fewer (1 of 2)"));
    EXPECT_THAT(would_help, HasSubstr("others_end: "));
    EXPECT_THAT(would_help, HasSubstr(", when job 1 (long) ends"));
}

TEST_F(KeeperStory, GivesTheSameAnswerForTheSameKeyAlsoAfterARestart) {
    Submission keyed = submission_of("a");
    keyed.key = "k";
    keyed.body_digest = "d1";
    EXPECT_FALSE(world.submit(keyed)->repeated);
    EXPECT_TRUE(world.submit(keyed)->repeated);
    open();
    const auto again = world.submit(keyed);
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->repeated);
    EXPECT_EQ(again->id, "1");
    keyed.body_digest = "d2";
    const Error conflict = refused(keyed);
    EXPECT_EQ(conflict.code, Code::conflict);
    EXPECT_THAT(conflict.message, HasSubstr("\"k\" stands for job 1"));
    keyed.spec.tenant = "other";
    EXPECT_EQ(world.submit(keyed)->id, "2") << "keys of another tenant are other keys";
}

TEST_F(KeeperStory, AnswersARepeatedKeyInsideOneTurn) {
    Submission keyed = submission_of("a");
    keyed.key = "k";
    std::vector<std::string> ids;
    const auto note = [&ids](Result<std::vector<Accepted>> answer) {
        ids.push_back(answer ? answer->front().id + (answer->front().repeated ? " again" : "")
                             : answer.error().message);
    };
    world.turn({SubmitMessage{{keyed}, note}, SubmitMessage{{keyed}, note}});
    EXPECT_EQ(ids, (std::vector<std::string>{"1", "1 again"}));
}

TEST_F(KeeperStory, AcceptsABatchWholeOrNotAtAllAndAKeyOfARefusedBatchStaysFree) {
    Submission good = submission_of("good");
    good.key = "k";
    Submission bad = submission_of("bad", 3);
    const auto answer = world.submit_all({good, bad});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::never_fits);
    EXPECT_THAT(answer.error().message, HasSubstr("job \"bad\""));
    EXPECT_EQ(world.started(), "");
    EXPECT_FALSE(world.submit(good)->repeated);
}

TEST_F(KeeperStory, RefusesWhatCanNeverRunAndSaysWhatThereIs) {
    Submission job = submission_of("x");
    job.spec.chips_any_of = {"h200", "tpu"};
    EXPECT_THAT(refused(job).message, HasSubstr("its kinds of chip are a100"));
    job = submission_of("x");
    job.spec.sites = {"mars"};
    EXPECT_THAT(refused(job).message, HasSubstr("no site \"mars\"; its sites are local"));
    job = submission_of("x");
    job.spec.gang.memory = gibibytes(65);
    EXPECT_EQ(refused(job).code, Code::never_fits);
    job = submission_of("x");
    job.spec.after = {"nobody"};
    EXPECT_THAT(refused(job).message, HasSubstr("after: no job with the name \"nobody\""));
    job = submission_of("x");
    job.spec.after_any = {"77"};
    EXPECT_THAT(refused(job).message, HasSubstr("after_any: no job with the id \"77\""));
    job = submission_of("x");
    job.spec.not_honoured = {"data", "budget"};
    const Error unsupported = refused(job);
    EXPECT_EQ(unsupported.code, Code::unsupported);
    EXPECT_THAT(unsupported.message, HasSubstr("data, budget: checked but not honoured"));
    job = submission_of("x");
    job.spec.comment = "\xff\xfe";
    EXPECT_EQ(refused(job).code, Code::invalid);
    job = submission_of("x", 1, 0);
    job.spec.array = job::Array{};
    for (std::uint32_t i = 0; i < members_max; ++i)
        job.spec.array->indices.push_back(i);
    const auto too_many = world.submit_all({submission_of("first"), job});
    ASSERT_FALSE(too_many);
    EXPECT_EQ(too_many.error().code, Code::too_large);
}

TEST_F(KeeperStory, TellsInNotesWhatItFilledIn) {
    Submission job = submission_of("x");
    job.spec.limit.reset();
    const auto answer = world.submit(job);
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->notes.size(), 1U);
    EXPECT_THAT(answer->notes[0], HasSubstr("no time limit was given"));
    EXPECT_EQ(world.view("x").limit, seconds(24 * 3600));
    job.spec.tenant.clear();
    job.spec.name = "mine";
    ASSERT_TRUE(world.submit(job));
    EXPECT_EQ(world.view("mine").spec.tenant, "ada");
}

TEST_F(KeeperStory, HoldsAJobUntilItsDependenciesSucceededAndPrefersItsOwnSubmission) {
    accepted(submission_of("mesh"));
    Submission solve = submission_of("solve");
    solve.spec.after = {"mesh"};
    ASSERT_TRUE(world.submit_all({submission_of("mesh"), solve}));
    EXPECT_EQ(world.state("solve"), "held");
    EXPECT_EQ(world.view("solve").reason, "waits for job 2 (mesh)");
    EXPECT_THAT(world.keeper->explain("solve")->sentence, HasSubstr("job 2 (mesh) to succeed"));
    world.end("1");
    EXPECT_EQ(world.state("solve"), "held") << "it waited for the mesh of another submission";
    world.end("2");
    EXPECT_EQ(world.state("solve"), "running");
}

TEST_F(KeeperStory, CancelsWhatDependsOnAFailureAndRunsWhatWaitsForOne) {
    accepted(submission_of("mesh"));
    Submission solve = submission_of("solve");
    solve.spec.after = {"mesh"};
    accepted(solve);
    Submission draw = submission_of("draw");
    draw.spec.after = {"solve"};
    accepted(draw);
    Submission rescue = submission_of("rescue");
    rescue.spec.after_failure = {"mesh"};
    accepted(rescue);
    Submission clean = submission_of("clean");
    clean.spec.after_any = {"mesh", "solve"};
    accepted(clean);
    world.end("mesh", 1);
    EXPECT_EQ(world.state("solve"), "cancelled");
    EXPECT_EQ(world.view("solve").reason, "dependency failed: job 1 (mesh) is failed");
    EXPECT_EQ(world.state("draw"), "cancelled");
    EXPECT_EQ(world.state("rescue"), "running");
    EXPECT_EQ(world.state("clean"), "running");
    // Too late is answered like in time: accepted, and at once cancelled with the reason.
    Submission late = submission_of("late");
    late.spec.after = {"mesh"};
    accepted(late);
    EXPECT_EQ(world.state("late"), "cancelled");
}

TEST_F(KeeperStory, FindsADependencyOfAnotherTenantWhenItsOwnHasNoneAndSaysSo) {
    Submission other = submission_of("sweep");
    other.spec.tenant = "startup";
    accepted(other);
    Submission post = submission_of("post");
    post.spec.after = {"sweep"};
    const auto answer = world.submit(post);
    ASSERT_TRUE(answer);
    EXPECT_THAT(answer->notes.at(0), HasSubstr("job 1 (sweep) of tenant startup"));
}

TEST_F(KeeperStory, RunsAnArrayNoFasterThanItAsksAndNamesItsMembers) {
    Submission array = submission_of("sweep", 1, 1);
    array.spec.array = job::Array{.indices = {0, 5, 7}, .at_once_max = 2};
    const auto answer = world.submit(array);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->count, 3U);
    EXPECT_EQ(answer->id, "1");
    EXPECT_EQ(world.started(), "1.1 2.1");
    EXPECT_EQ(world.view("1_7").job, JobId{3});
    EXPECT_EQ(world.view("3").id, "1_7");
    EXPECT_EQ(world.view("1_7").reason, "as many of its array run as may");
    EXPECT_EQ(world.keeper->job("sweep")->jobs.size(), 3U);
    EXPECT_FALSE(world.keeper->job("1_3"));
    Submission after = submission_of("after");
    after.spec.after = {"1"};
    accepted(after);
    world.end("1_0");
    EXPECT_EQ(world.started(), "1.1 2.1 3.1");
    world.end("1_5");
    EXPECT_EQ(world.state("after"), "held");
    world.end("1_7");
    EXPECT_EQ(world.state("after"), "running");
}

TEST_F(KeeperStory, ShowsTheMembersOfAnArrayPageByPageAndCountsThemWithoutTheDisk) {
    Submission array = submission_of("sweep", 1, 1);
    array.spec.array = job::Array{.indices = {}, .at_once_max = 4};
    for (std::uint32_t i = 0; i < 20; ++i)
        array.spec.array->indices.push_back(i);
    accepted(array);
    accepted(submission_of("alone", 1, 0));
    world.end("1_0");
    world.end("1_1", 7);
    world.end("1_2", 3);

    const auto running =
        world.keeper->job("sweep", {.states = {JobState::running}, .offset = 1, .limit = 2});
    ASSERT_TRUE(running) << running.error().message;
    EXPECT_EQ(running->total, 4U);
    ASSERT_EQ(running->jobs.size(), 2U);
    EXPECT_EQ(running->jobs[0].id, "1_4");
    EXPECT_EQ(world.keeper->job("sweep", {.states = {}, .offset = 19, .limit = 5})->jobs.size(),
              1U);
    EXPECT_TRUE(world.keeper->job("sweep", {.states = {}, .offset = 20, .limit = 5})->jobs.empty());

    world.store.unreadable = true;
    const auto counts = world.keeper->counts("sweep");
    ASSERT_TRUE(counts) << counts.error().message;
    EXPECT_EQ(counts->id, "1");
    EXPECT_EQ(counts->members, 20U);
    EXPECT_EQ(counts->ended, 3U);
    EXPECT_EQ(counts->first_failed, "1_1");
    EXPECT_EQ(counts->states,
              (std::vector<std::pair<JobState, std::uint64_t>>{{JobState::pending, 13},
                                                               {JobState::running, 4},
                                                               {JobState::succeeded, 1},
                                                               {JobState::failed, 2}}));
    EXPECT_EQ(world.keeper->counts("1_3")->id, "1_3");
    EXPECT_EQ(world.keeper->counts("alone")->members, 1U);
    EXPECT_EQ(world.keeper->counts("nobody").error().code, Code::not_found);
    world.store.unreadable = false;
}

TEST_F(KeeperStory, CancelsWaitingJobsAtOnceAndRunningOnesWhenTheirEndArrives) {
    accepted(submission_of("runs", 2));
    accepted(submission_of("waits", 2));
    EXPECT_EQ(*world.cancel("waits"), 1U);
    EXPECT_EQ(world.state("waits"), "cancelled");
    EXPECT_EQ(*world.cancel("runs"), 1U);
    EXPECT_EQ(world.state("runs"), "stopping");
    EXPECT_TRUE(world.executor.attempts.at({JobId{1}, 1}).stop_asked);
    world.end("runs");
    EXPECT_EQ(world.state("runs"), "cancelled");
    EXPECT_EQ(*world.cancel("runs"), 0U);
    EXPECT_EQ(world.cancel("nobody").error().code, Code::not_found);
    EXPECT_EQ(world.started(), "1.1");
}

TEST_F(KeeperStory, TriesAgainWhatWasLostAsOftenAsTheJobAllowsAndNoUserFailure) {
    Submission job = submission_of("a");
    job.spec.retries = 1;
    accepted(job);
    world.report(world.executor.lose({JobId{1}, 1}, world.now));
    EXPECT_EQ(world.started(), "1.1 1.2");
    world.report(world.executor.lose({JobId{1}, 2}, world.now));
    EXPECT_EQ(world.state("a"), "lost");
    EXPECT_EQ(world.view("a").attempts.size(), 2U);
    job.spec.name = "b";
    accepted(job);
    world.end("b", 1);
    EXPECT_EQ(world.state("b"), "failed");
    EXPECT_EQ(world.started(), "1.1 1.2 2.1");
}

TEST_F(KeeperStory, IgnoresReportsThatComeTwiceOrLate) {
    Submission job = submission_of("a");
    job.spec.retries = 1;
    accepted(job);
    const exec::AttemptEnd first = world.executor.lose({JobId{1}, 1}, world.now);
    world.report(first);
    world.report(first);
    EXPECT_EQ(world.state("a"), "running") << "the second attempt runs";
    world.end("a");
    world.report(first);
    EXPECT_EQ(world.state("a"), "succeeded");
}

TEST_F(KeeperStory, HearsOfALostReportByAsking) {
    accepted(submission_of("a"));
    world.executor.finish({JobId{1}, 1}, 0, world.now);
    EXPECT_EQ(world.state("a"), "running");
    world.housekeep();
    EXPECT_EQ(world.state("a"), "succeeded");
}

TEST_F(KeeperStory, SaysWhenAJobEndedAndNotWhenTheHubHeardOfIt) {
    accepted(submission_of("a"));
    world.pass(seconds(3));
    world.executor.finish({JobId{1}, 1}, 0, world.now);
    const Time ended = world.now;
    world.pass(seconds(600));
    world.housekeep();
    EXPECT_EQ(world.state("a"), "succeeded");
    EXPECT_EQ(world.view("a").ended_at, ended);
}

TEST_F(KeeperStory, OffersAnAttemptAgainToAnExecutorThatFailsAndGivesUpInTheEnd) {
    world.executor.refuse_starts = Error{Code::io, "no space left"};
    accepted(submission_of("a"));
    world.housekeep();
    EXPECT_EQ(world.state("a"), "running");
    world.executor.refuse_starts.reset();
    world.housekeep();
    EXPECT_EQ(world.started(), "1.1");
    world.end("a");
    world.executor.refuse_starts = Error{Code::io, "no space left"};
    accepted(submission_of("b"));
    for (int i = 0; i < 10; ++i)
        world.housekeep();
    EXPECT_EQ(world.state("b"), "failed");
    EXPECT_EQ(world.view("b").reason, "could not be started: no space left");
    world.executor.refuse_starts = Error{Code::too_large, "too many tasks"};
    accepted(submission_of("c"));
    EXPECT_EQ(world.state("c"), "failed") << "what cannot work is not tried again";
}

TEST_F(KeeperStory, TellsListenersEveryChangeInOrderAndGoesOnCountingAfterARestart) {
    accepted(submission_of("a"));
    world.end("a");
    open();
    accepted(submission_of("b"));
    std::string told;
    std::uint64_t expected = 1;
    for (const Change& change : world.changes) {
        EXPECT_EQ(change.sequence, expected++);
        told += change.id + " " + std::string(name_of(change.state)) + "; ";
    }
    EXPECT_EQ(told, "1 pending; 1 running; 1 succeeded; 2 pending; 2 running; ");
}

TEST_F(KeeperStory, ListsNewestFirstFromMemoryAndDocumentsAndFilters) {
    for (const char* name : {"a", "b", "a", "c"})
        accepted(submission_of(name));
    world.end("1");
    world.end("2");
    const auto listed = [this](const std::function<void(JobFilter&)>& narrow) {
        JobFilter filter;
        narrow(filter);
        std::string ids;
        const auto views = world.keeper->jobs(filter);
        EXPECT_TRUE(views) << (views ? "" : views.error().message);
        for (const JobView& view : *views)
            ids += view.id + " ";
        return ids;
    };
    EXPECT_EQ(listed([](JobFilter&) {}), "4 3 2 1 ");
    EXPECT_EQ(listed([](JobFilter& filter) { filter.limit = 2; }), "4 3 ");
    EXPECT_EQ(listed([](JobFilter& filter) { filter.name = "a"; }), "3 1 ");
    EXPECT_EQ(listed([](JobFilter& filter) { filter.states = {JobState::succeeded}; }), "2 1 ");
    EXPECT_EQ(listed([](JobFilter& filter) {
                  filter.states = {JobState::pending, JobState::running};
                  filter.tenant = "lab";
              }),
              "4 3 ");
    EXPECT_EQ(listed([](JobFilter& filter) { filter.user = "nobody"; }), "");
}

// ------------------------------------------------------------------------------ recovery

TEST_F(KeeperStory, AdoptsWhatRunsAndStartsNothingTwiceAfterARestart) {
    accepted(submission_of("runs"));
    accepted(submission_of("ended-meanwhile"));
    accepted(submission_of("waits"));
    world.executor.finish({JobId{2}, 1}, 0, world.now);
    open();
    EXPECT_EQ(world.state("runs"), "running");
    EXPECT_EQ(world.state("2"), "succeeded");
    EXPECT_EQ(world.state("waits"), "running");
    EXPECT_EQ(world.started(), "1.1 2.1 3.1");
    const JobView view = world.view("runs");
    EXPECT_EQ(view.spec.script, "./runs");
    EXPECT_EQ(view.nodes, std::vector<std::string>{"main-0"});
}

TEST_F(KeeperStory, StartsUnderTheSameNumberWhatAnEarlierHubOnlyJournalled) {
    world.executor.at_boundary = [](const char* where) {
        if (std::string(where) == "start") throw std::runtime_error("the process dies here");
    };
    EXPECT_THROW(accepted(submission_of("a")), std::runtime_error);
    world.executor.at_boundary = nullptr;
    open();
    EXPECT_EQ(world.started(), "1.1");
    EXPECT_EQ(world.view("a").attempts.size(), 1U);
}

TEST_F(KeeperStory, KeepsOnStoppingWhatWasAskedToStopBeforeARestart) {
    accepted(submission_of("a"));
    world.executor.at_boundary = [](const char* where) {
        if (std::string(where) == "stop") throw std::runtime_error("the process dies here");
    };
    EXPECT_THROW((void)world.cancel("a"), std::runtime_error);
    world.executor.at_boundary = nullptr;
    open();
    EXPECT_EQ(world.state("a"), "stopping");
    EXPECT_TRUE(world.executor.attempts.at({JobId{1}, 1}).stop_asked);
}

TEST_F(KeeperStory, RefusesTheWholeTurnWhenTheJournalFailsAndGoesOnFromTheDisk) {
    accepted(submission_of("before"));
    for (const auto fault : {FaultyStore::Fault::refuse, FaultyStore::Fault::keep_and_refuse}) {
        int fails_left = 1;
        world.store.fault_of_append = [&] {
            return fails_left-- > 0 ? fault : FaultyStore::Fault::none;
        };
        Submission keyed = submission_of("during");
        keyed.key = fault == FaultyStore::Fault::refuse ? "refused" : "kept";
        const auto answer = world.submit(keyed);
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code, Code::unavailable);
        EXPECT_THAT(answer.error().message, HasSubstr("the disk is"));
        world.store.fault_of_append = nullptr;
        const auto again = world.submit(keyed);
        ASSERT_TRUE(again) << again.error().message;
        EXPECT_EQ(again->repeated, fault == FaultyStore::Fault::keep_and_refuse);
    }
    EXPECT_EQ(world.state("before"), "running");
    EXPECT_EQ(world.started(), "1.1 2.1");
    EXPECT_EQ(world.keeper->status().jobs_accepted, 3U);
}

TEST_F(KeeperStory, DoesNotLoseAnEndThatCameWhileTheJournalFailed) {
    accepted(submission_of("a"));
    int fails_left = 1;
    world.store.fault_of_append = [&] {
        return fails_left-- > 0 ? FaultyStore::Fault::refuse : FaultyStore::Fault::none;
    };
    world.end("a");
    EXPECT_EQ(world.state("a"), "succeeded");
}

TEST_F(KeeperStory, RefusesEverythingWhileTheDiskIsGoneAndComesBackWithIt) {
    accepted(submission_of("a"));
    world.store.fault_of_append = [] { return FaultyStore::Fault::refuse; };
    world.store.unreadable = true;
    EXPECT_EQ(world.submit(submission_of("b")).error().code, Code::unavailable);
    EXPECT_EQ(world.cancel("a").error().code, Code::unavailable);
    ASSERT_TRUE(world.keeper->broken());
    world.housekeep();
    EXPECT_TRUE(world.keeper->broken());
    world.store.unreadable = false;
    world.executor.finish({JobId{1}, 1}, 0, world.now);
    world.housekeep();
    EXPECT_TRUE(world.keeper->broken()) << "the end of job 1 cannot be written yet";
    world.store.fault_of_append = nullptr;
    world.housekeep();
    EXPECT_FALSE(world.keeper->broken());
    EXPECT_EQ(world.state("a"), "succeeded");
}

TEST_F(KeeperStory, AnswersQuestionsButTakesNothingForAWhileWhenALongJournalFails) {
    store::Batch filler;
    for (int i = 0; i < 11'000; ++i) {
        filler.entries.push_back(journal::encode(journal::SpecGiven{"{}"}, world.now));
    }
    ASSERT_TRUE(world.memory.append(filler));
    open();
    int appends = 0;
    world.store.fault_of_append = [&appends] {
        ++appends;
        return FaultyStore::Fault::refuse;
    };
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(world.submit(submission_of("a")).error().code, Code::unavailable);
    }
    EXPECT_EQ(appends, 1) << "every refusal cost a reading of the journal";
    bool answered = false;
    world.turn({QueryMessage{[&answered](Keeper&) { answered = true; }, [](const Error&) {}}});
    EXPECT_TRUE(answered);
    world.store.fault_of_append = nullptr;
    world.housekeep();
    EXPECT_TRUE(world.submit(submission_of("a")));
}

TEST_F(KeeperStory, StartsNothingWhileAJobIsInTheWayOfANewFleetAndThenCancelsWhatNoLongerFits) {
    accepted(submission_of("runs", 2));
    accepted(submission_of("large", 2));
    accepted(submission_of("small", 1));
    Submission after = submission_of("after-large");
    after.spec.after = {"large"};
    accepted(after);
    Submission whatever = submission_of("whatever", 1);
    whatever.spec.after_any = {"large"};
    whatever.spec.after = {"small"};
    accepted(whatever);
    world.fleet = small_fleet(1);
    open();
    EXPECT_EQ(world.keeper->pools().at(0).pool.nodes, 2U) << "job 1 still runs on two nodes";
    const auto pending = world.keeper->status().pending_change;
    ASSERT_TRUE(pending);
    EXPECT_EQ(pending->waits_for, std::vector<std::string>{"1"});
    const ExplainView small = *world.keeper->explain("small");
    EXPECT_THAT(small.sentence, HasSubstr("job 1 (runs) runs where"));
    EXPECT_EQ(small.cause, "fleet_change");
    EXPECT_TRUE(small.details.empty() && small.would_help.empty() && !small.starts_at)
        << "nothing of the fleet that goes is told beside it";
    EXPECT_FALSE(world.view("small").starts_at);
    EXPECT_THAT(world.keeper->explain("after-large")->details,
                Contains("It waits for job 2 (large) to succeed."));
    accepted(submission_of("tiny", 1, 0));
    EXPECT_EQ(world.state("tiny"), "pending") << "there would be CPUs, by the old fleet";
    world.end("runs");
    EXPECT_EQ(world.keeper->pools().at(0).pool.nodes, 1U);
    EXPECT_FALSE(world.keeper->status().pending_change);
    EXPECT_EQ(world.state("tiny"), "running");
    EXPECT_EQ(world.state("large"), "held") << "another fleet may have room for it again";
    EXPECT_THAT(world.view("large").reason, HasSubstr("in this fleet it can never start: "));
    EXPECT_THAT(world.keeper->explain("large")->sentence, HasSubstr("It waits for another fleet"));
    EXPECT_EQ(world.state("after-large"), "held");
    ASSERT_TRUE(world.cancel("large"));
    EXPECT_EQ(world.state("after-large"), "cancelled");
    EXPECT_EQ(world.state("small"), "running");
    EXPECT_EQ(world.state("whatever"), "held");
    open();
    EXPECT_EQ(world.state("small"), "running");
    world.end("small");
    EXPECT_EQ(world.state("whatever"), "running");
}

TEST_F(KeeperStory, TakesUpANewPolicyAtOnceAndLetsRunWhatRuns) {
    world.options.policy = sched::Policy::fcfs;
    open();
    Submission small = submission_of("small");
    small.spec.limit = seconds(60);
    accepted(submission_of("long"));
    accepted(submission_of("wide", 2));
    accepted(small);
    EXPECT_EQ(world.started(), "1.1");
    world.options.policy = sched::Policy::easy;
    open();
    EXPECT_EQ(world.keeper->status().policy, sched::Policy::easy);
    EXPECT_EQ(world.started(), "1.1 3.1");
    EXPECT_EQ(world.view("wide").starts_at, world.view("long").started_at.value() + seconds(3600));
    world.end("long");
    world.end("small");
    EXPECT_EQ(world.state("wide"), "running");
}

TEST_F(KeeperStory, TakesUpANewFleetAtOnceWhenAllThatRunsHasItsPlaceInItUnderAnyNumber) {
    fleet::Fleet named = small_fleet(2);
    named.pools[0].node_names = {"red", "blue"};
    world.fleet = named;
    open();
    Submission first = submission_of("first");
    first.spec.retries = 1;
    accepted(first);
    accepted(submission_of("second"));
    accepted(submission_of("third"));
    accepted(submission_of("gang", 2));
    EXPECT_EQ(world.view("second").nodes, std::vector<std::string>{"blue"});
    world.end("first");
    EXPECT_EQ(world.view("third").nodes, std::vector<std::string>{"red"});
    // A pool before it, the nodes in another order, and one more.
    fleet::Pool other = named.pools[0];
    other.name = "other";
    other.chip = "h200";
    other.node_names = {"green"};
    other.nodes = 1;
    named.pools[0].node_names = {"blue", "white", "red"};
    named.pools[0].nodes = 3;
    named.pools.insert(named.pools.begin(), other);
    world.fleet = named;
    open();
    EXPECT_FALSE(world.keeper->status().pending_change);
    EXPECT_EQ(world.keeper->status().nodes, 4U);
    EXPECT_EQ(world.view("second").nodes, std::vector<std::string>{"blue"});
    EXPECT_EQ(world.view("third").nodes, std::vector<std::string>{"red"});
    EXPECT_EQ(world.keeper->pools().at(1).jobs_running, 2U);
    EXPECT_EQ(world.state("gang"), "pending");
    open();
    world.end("third");
    EXPECT_EQ(world.state("gang"), "running");
    EXPECT_EQ(world.view("gang").nodes, (std::vector<std::string>{"white", "red"}));
}

TEST_F(KeeperStory, KeepsLimitsAndReservationsRightAfterAClockThatWasYearsAhead) {
    world.options.policy = sched::Policy::easy;
    open();
    const Duration years = seconds(4 * 365 * 24 * 3600);
    world.now += years;
    accepted(submission_of("long"));     // one of two nodes, for an hour
    accepted(submission_of("wide", 2));  // both nodes, when the hour is over
    world.now -= years;
    world.pass(seconds(1000));
    open();
    world.pass(seconds(1000));
    Submission late = submission_of("late");
    late.spec.limit = seconds(3000);
    accepted(late);
    EXPECT_EQ(world.state("late"), "pending") << "it would delay the wide one by half an hour";
    late.spec.limit = seconds(1500);
    late.spec.name = "in time";
    accepted(late);
    EXPECT_EQ(world.state("in time"), "running");
}

// The journal of another core: strict order wrote it, and this program would backfill; its
// fingerprints are made otherwise, too.
TEST(Keeper, TakesOverWhatAnotherCoreDecidedWhileAReplayNamesTheFirstDifference) {
    HubWorld world(small_fleet(2));
    world.options.policy = sched::Policy::fcfs;
    ASSERT_TRUE(world.open());
    Submission small = submission_of("small");
    small.spec.limit = seconds(60);
    for (const Submission& submission : {submission_of("long"), submission_of("wide", 2), small}) {
        ASSERT_TRUE(world.submit(submission));
    }
    EXPECT_EQ(world.started(), "1.1") << "strict order lets nobody pass";

    store::Batch rewritten;
    std::uint64_t first_step = 0;
    std::uint64_t last_digest = 0;
    ASSERT_TRUE(world.memory.replay(1, [&](const store::Entry& entry) -> Result<void> {
        auto record = *journal::decode(entry);
        if (auto* fleet = std::get_if<journal::FleetSet>(&record)) {
            fleet->policy = sched::Policy::easy;
        }
        if (auto* step = std::get_if<journal::Step>(&record)) {
            if (first_step == 0) first_step = entry.sequence;
            last_digest = step->digest ^= 0xABCDEF;
        }
        rewritten.entries.push_back(journal::encode(record, entry.at));
        return {};
    }));
    world.memory = store::MemoryStore();
    ASSERT_TRUE(world.memory.append(rewritten));

    world.options.policy = sched::Policy::easy;
    const auto opened = world.open();
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(world.keeper->status().digest, last_digest);
    EXPECT_EQ(world.state("long"), "running");
    EXPECT_EQ(world.state("small"), "pending");
    ASSERT_TRUE(world.submit(submission_of("later")));
    EXPECT_EQ(world.started(), "1.1 3.1") << "from here on this core decides";
    EXPECT_EQ(world.view("small").attempts.at(0).cause, "backfilled");
    EXPECT_EQ(world.view("long").attempts.at(0).cause, "in_order");
    const auto report = replay(world.memory, nullptr);
    ASSERT_TRUE(report) << report.error().message;
    ASSERT_TRUE(report->difference);
    EXPECT_EQ(report->difference->sequence, first_step);
    EXPECT_THAT(report->difference->sentence, HasSubstr("digest"));
}

// Two hubs hear the same; one of them is stopped and opened again, over and over.
TEST(Keeper, KnowsAndDecidesTheSameAfterARestartAsIfItHadNeverStopped) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        HubWorld steady(small_fleet(3));
        HubWorld restarted(small_fleet(3));
        const auto both = [&](const auto& what) {
            what(steady);
            what(restarted);
        };
        both([&](HubWorld& world) { ASSERT_TRUE(world.open()); });
        for (int i = 0; i < 50; ++i) {
            Submission submission = submission_of("job-" + std::to_string(i),
                                                  static_cast<std::uint32_t>(random.between(1, 3)),
                                                  static_cast<std::uint32_t>(random.between(0, 4)));
            submission.spec.limit = seconds(random.between(1, 4000));
            submission.spec.retries = 2;
            submission.spec.priority = static_cast<job::Priority>(random.between(0, 3));
            if (random.chance(0.2)) {
                submission.spec.array = job::Array{.indices = {1, 2, 5}, .at_once_max = 2};
            }
            if (i > 3 && random.chance(0.3)) {
                submission.spec.after = {"job-" + std::to_string(random.between(0, i - 1))};
            }
            const std::int64_t ends = random.between(0, 3);
            const bool lost = random.chance(0.1);
            const int status = random.chance(0.2) ? 1 : 0;
            const std::int64_t cancelled = random.chance(0.1) ? random.between(1, i + 1) : 0;
            const Duration pause = seconds(random.between(0, 600));
            if (random.chance(0.3)) {
                ASSERT_TRUE(restarted.open());
            }
            both([&](HubWorld& world) {
                world.pass(pause);
                ASSERT_TRUE(world.submit(submission));
                if (cancelled > 0) (void)world.cancel(std::to_string(cancelled));
                std::vector<exec::AttemptId> alive = world.executor.alive();
                alive.resize(std::min(alive.size(), static_cast<std::size_t>(ends)));
                for (const exec::AttemptId id : alive) {
                    world.report(lost ? world.executor.lose(id, world.now)
                                      : world.executor.finish(id, status, world.now));
                }
            });
            ASSERT_EQ(restarted.keeper->status().digest, steady.keeper->status().digest);
            ASSERT_EQ(restarted.started(), steady.started());
        }
        for (const auto& [id, job] : steady.keeper->book().jobs()) {
            const std::string reference = std::to_string(id.value);
            ASSERT_EQ(restarted.state(reference), steady.state(reference));
            ASSERT_EQ(restarted.keeper->explain(reference)->sentence,
                      steady.keeper->explain(reference)->sentence);
        }
        const auto report = replay(restarted.memory, nullptr);
        ASSERT_TRUE(report && !report->difference) << report->difference->sentence;
    }
}

}  // namespace
}  // namespace weir::hub
