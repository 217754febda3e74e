// What an engine takes over from the one before it, where fleet or policy became others: promises,
// and what was known of those who run.
#include <algorithm>

#include "weir/sched/engine_state.hpp"

namespace weir::sched {

Reserve Engine::find_promise(JobId id, Time by, Time now) const {
    State& state = *state_;
    Reserve promise{id, never, {}};
    const std::uint32_t slot = state.jobs.slot_of(id);
    if (slot == no_slot || !state.policy.backfill) return promise;
    const Job& job = state.jobs.at(slot);
    const Time ready = state.ready_at(job, now);
    if (ready == never || job.parked) return promise;
    const Plan::Own own{job.id, job.promise.found() ? &job.promise : nullptr};
    const auto ask = [&](Time from, Time not_after) {
        const KindSet allowed = state.allowed_for(job, from);
        if (allowed == 0) return Place{};
        return state.plan.ask(state.shape_in(job.shape, allowed), from, job.limit, own, not_after);
    };
    // What is due is kept when it can start at once.
    const Time last = std::max(by, ready);
    Place place = ask(last, last);
    if (place.found()) {
        place.at = std::max(by, ready > now ? ready : by);
    } else {
        place = ask(ready, last);
    }
    if (!place.found()) place = ask(ready, never);
    promise.at = place.at;
    promise.size = state.chosen_size(id);
    promise.placement = std::move(place.placement);
    return promise;
}

bool Engine::has_right(JobId id, PoolId pool) const {
    const State& state = *state_;
    const std::uint32_t slot = state.jobs.slot_of(id);
    if (slot == no_slot || !state.quotas.any()) return true;
    const Job& job = state.jobs.at(slot);
    const KindSet allowed = state.allowed_for(job);
    if (!pool.valid()) return allowed != 0;
    const ShapeInfo& shape = state.shapes[job.shape];
    return (allowed >> Quotas::kind_of(shape.shape, shape.kinds, pool) & 1) != 0;
}

void Engine::resume_checkpoint(JobId job, Time at) {
    const std::uint32_t slot = state_->jobs.slot_of(job);
    WEIR_ASSERT(slot != no_slot && state_->jobs.at(slot).phase == Phase::running);
    state_->jobs.at(slot).saved_at = at;
}

void Engine::resume_preemption(JobId job, JobId for_job, Time at) {
    State& state = *state_;
    const std::uint32_t slot = state.jobs.slot_of(job);
    if (slot != no_slot && state.jobs.at(slot).phase == Phase::running) {
        WEIR_ASSERT(!state.jobs.at(slot).stopping);
        state.stop(slot, for_job, state.stopped_by(state.jobs.at(slot), at), at);
    } else {
        state.preemptions.push_back(at);
    }
    std::sort(state.preemptions.begin(), state.preemptions.end());
}

}  // namespace weir::sched
