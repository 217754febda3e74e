// Verdict: what the end of an attempt means for its job.
//
// The user's own failures are final; only what the infrastructure lost, or could not start, is
// tried again, as often as the job's `retries` says. A job that was asked to stop is cancelled,
// however its attempt ended. What was stopped for others goes back to the queue and uses up none of
// its retries, unless it had ended by itself before.
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

// What the hub knows beside the end itself.
struct Circumstances {
    bool stop_asked = false;  // by its user
    bool refused = false;     // the executor itself could not take the attempt: no fault of the job
    std::uint32_t retries = 0;
    std::uint32_t tries = 1;  // attempts so far, without those that were stopped for others
    std::string stopped_for;  // by the core: "stopped for job 12 (mesh)"; "" = it was not
};

Verdict verdict_of(const exec::AttemptEnd& end, const Circumstances& circumstances);

// Whether a job that ended in this state is what another one waited for.
bool satisfies(JobState ended, sched::Needs needs);

}  // namespace weir::hub
