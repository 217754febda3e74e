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

TEST(Verdict, TriesAgainWhatTheMachineCouldNotStartAndNotWhatTheJobHasWrong) {
    exec::AttemptEnd end = end_of(exec::EndKind::not_started, 1);
    end.detail = "no such workdir";
    Verdict verdict = verdict_of(end, false, false, 2);
    EXPECT_FALSE(verdict.requeue);
    EXPECT_EQ(verdict.state, JobState::failed);

    end.machine_failed = true;
    end.detail = "the machine refuses another process";
    verdict = verdict_of(end, false, false, 2);
    EXPECT_TRUE(verdict.requeue);
    EXPECT_EQ(verdict.outcome, sched::Outcome::lost);
    EXPECT_EQ(verdict.state, JobState::pending);
    EXPECT_EQ(verdict.reason,
              "attempt 1 could not be started: the machine refuses another process");

    end.attempt.number = 3;
    verdict = verdict_of(end, false, false, 2);
    EXPECT_FALSE(verdict.requeue) << "two retries are used up";
    EXPECT_EQ(verdict.state, JobState::failed);
    EXPECT_EQ(verdict.reason, "could not be started: the machine refuses another process");
}

TEST(Verdict, CancelsWhatWasAskedToStopHoweverItEnded) {
    const Verdict verdict = verdict_of(end_of(exec::EndKind::lost, 1), true, false, 2);
    EXPECT_EQ(verdict.state, JobState::cancelled);
    EXPECT_FALSE(verdict.requeue);
}

}  // namespace
}  // namespace weir::hub
