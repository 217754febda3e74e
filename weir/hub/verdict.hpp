// Verdict: what the end of an attempt means for its job.
//
// The user's own failures are final; only what the infrastructure lost, or could not start, is
// tried again, as often as the job's `retries` says. A job that was asked to stop is cancelled,
// however its attempt ended.
#pragma once

#include <cstdint>
#include <string>

#include "weir/exec/executor.hpp"
#include "weir/hub/hub.hpp"
#include "weir/sched/event.hpp"

namespace weir::hub {

struct Verdict {
    sched::Outcome outcome = sched::Outcome::succeeded;
    JobState state = JobState::succeeded;  // pending when the job goes back to the queue
    bool requeue = false;
    std::string reason;
};

// `refused`: the executor itself could not take the attempt, which is no fault of the job.
Verdict verdict_of(const exec::AttemptEnd& end,
                   bool stop_asked,
                   bool refused,
                   std::uint32_t retries);

// Whether a job that ended in this state is what another one waited for.
bool satisfies(JobState ended, sched::Needs needs);

}  // namespace weir::hub
