#include "weir/hub/verdict.hpp"

#include <gtest/gtest.h>

namespace weir::hub {
namespace {

exec::AttemptEnd end_of(exec::EndKind kind, std::uint32_t attempt) {
    exec::AttemptEnd end;
    end.attempt = {JobId{12}, attempt};
    end.kind = kind;
    return end;
}

Circumstances of(std::uint32_t retries, std::uint32_t tries) {
    Circumstances circumstances;
    circumstances.retries = retries;
    circumstances.tries = tries;
    return circumstances;
}

TEST(Verdict, TriesAgainWhatTheMachineCouldNotStartAndNotWhatTheJobHasWrong) {
    exec::AttemptEnd end = end_of(exec::EndKind::not_started, 1);
    end.detail = "no such workdir";
    Verdict verdict = verdict_of(end, of(2, end.attempt.number));
    EXPECT_FALSE(verdict.requeue);
    EXPECT_EQ(verdict.state, JobState::failed);

    end.machine_failed = true;
    end.detail = "the machine refuses another process";
    verdict = verdict_of(end, of(2, end.attempt.number));
    EXPECT_TRUE(verdict.requeue);
    EXPECT_EQ(verdict.outcome, sched::Outcome::lost);
    EXPECT_EQ(verdict.state, JobState::pending);
    EXPECT_EQ(verdict.reason,
              "attempt 1 could not be started: the machine refuses another process");

    end.attempt.number = 3;
    verdict = verdict_of(end, of(2, end.attempt.number));
    EXPECT_FALSE(verdict.requeue) << "two retries are used up";
    EXPECT_EQ(verdict.state, JobState::failed);
    EXPECT_EQ(verdict.reason, "could not be started: the machine refuses another process");
}

TEST(Verdict, CancelsWhatWasAskedToStopHoweverItEnded) {
    Circumstances circumstances = of(2, 1);
    circumstances.stop_asked = true;
    const Verdict verdict = verdict_of(end_of(exec::EndKind::lost, 1), circumstances);
    EXPECT_EQ(verdict.state, JobState::cancelled);
    EXPECT_FALSE(verdict.requeue);
}

TEST(Verdict, SendsBackToTheQueueWhatWasStoppedForOthersAndCountsItAsNoFailure) {
    Circumstances circumstances;
    circumstances.stopped_for = "stopped for job 7 (flood)";
    for (const exec::EndKind kind : {exec::EndKind::stopped, exec::EndKind::lost}) {
        const Verdict verdict = verdict_of(end_of(kind, 1), circumstances);
        EXPECT_TRUE(verdict.requeue);
        EXPECT_EQ(verdict.state, JobState::pending);
        EXPECT_EQ(verdict.reason, "stopped for job 7 (flood)");
    }
    // What had ended before it was stopped has ended.
    EXPECT_EQ(verdict_of(end_of(exec::EndKind::exited, 1), circumstances).state,
              JobState::succeeded);
    EXPECT_EQ(verdict_of(end_of(exec::EndKind::time_limit, 1), circumstances).state,
              JobState::time_limit);
    // Its user's word counts for more.
    Circumstances cancelled = circumstances;
    cancelled.stop_asked = true;
    EXPECT_EQ(verdict_of(end_of(exec::EndKind::stopped, 1), cancelled).state, JobState::cancelled);
}

TEST(Verdict, DoesNotCountAttemptsThatWereStoppedForOthersAsTries) {
    const exec::AttemptEnd fourth = end_of(exec::EndKind::lost, 4);
    EXPECT_TRUE(verdict_of(fourth, of(1, 1)).requeue);
    EXPECT_FALSE(verdict_of(fourth, of(1, 2)).requeue);
}

}  // namespace
}  // namespace weir::hub
