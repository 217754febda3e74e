// What an engine takes over from the one before it, where fleet or policy became others: promises,
// and what was known of those who run.
#include <algorithm>
#include <numeric>
#include <utility>

#include "weir/sched/engine_state.hpp"

namespace weir::sched {

Reserve Engine::find_promise(JobId id, Time by, Time now, std::uint32_t size) const {
    State& state = *state_;
    Reserve promise{id, never, {}};
    const std::uint32_t slot = state.jobs.slot_of(id);
    if (slot == no_slot || !state.policy.backfill) return promise;
    const Job& job = state.jobs.at(slot);
    const Time ready = state.ready_at(job, now);
    if (ready == never || job.parked) return promise;
    // What is due is kept when it can start at once.
    const Time last = std::max(by, ready);
    const auto best_of = [&](const Job& its) {
        const Plan::Own own{job.id, job.promise.found() ? &job.promise : nullptr};
        const auto ask = [&](Time from, Time not_after) {
            const KindSet allowed = state.allowed_for(its, from);
            if (allowed == 0) return Place{};
            return state.plan.ask(
                state.shape_in(its.shape, allowed), from, its.limit, own, not_after);
        };
        Place place = ask(last, last);
        if (place.found()) {
            place.at = std::max(by, ready > now ? ready : by);
        } else {
            place = ask(ready, last);
        }
        if (!place.found()) place = ask(ready, never);
        return place;
    };
    const auto take = [&promise](Place place, std::uint32_t its) {
        promise.at = place.at;
        promise.placement = std::move(place.placement);
        promise.size = its;
    };
    const auto sized = state.with_sizes.find(id);
    if (sized == state.with_sizes.end() || sized->second.is_settled) {
        take(best_of(job), state.chosen_size(id));
        return promise;
    }
    const State::WithSizes& its = sized->second;
    std::vector<std::uint32_t> order(its.sizes.size());
    std::iota(order.begin(), order.end(), std::uint32_t{0});
    if (size < order.size())
        std::rotate(order.begin(), order.begin() + size, order.begin() + size + 1);
    bool in_time = false;
    Time ends = never;
    for (const std::uint32_t one : order) {
        if (its.shapes[one] == State::no_shape) continue;
        Place place = best_of(state.in_size(job, its, one));
        if (!place.found()) continue;
        const bool by_then = place.at <= last;
        const Time done = State::end_of(place.at, its.sizes[one].takes);
        if (std::pair(!by_then, done) >= std::pair(!in_time, ends) && promise.at != never) continue;
        in_time = by_then;
        ends = done;
        take(std::move(place), one);
        if (by_then && one == size) break;
    }
    if (promise.at == never) promise.size = state.chosen_size(id);
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
