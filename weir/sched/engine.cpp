// The pass in one sentence: start jobs from the front of the queue while they fit; give the first
// that does not fit the earliest time at which it will (reservation.hpp); then start whoever is
// behind it and fits now, if it ends by that time or leaves room for the reserved job.
//
// What the sentence leaves out: members of an array that already runs as many as it may are passed
// over and hold nobody up; jobs of equal shape share what was found out about one of them: what did
// not fit will not until more becomes free (`gains`), and what was in the way of the reserved job
// still is until anything changes (`step`). Jobs whose dependency came out wrong leave first.
#include "weir/sched/engine.hpp"

#include <algorithm>
#include <utility>

#include "weir/base/assert.hpp"
#include "weir/sched/engine_state.hpp"
#include "weir/sched/sentence.hpp"

namespace weir::sched {
namespace {

Time end_by(const Job& job, Time start) {
    return job.limit >= forever ? never : start + job.limit;
}

}  // namespace

bool satisfies(Outcome outcome, Needs needs) {
    switch (needs) {
        case Needs::success:
            return outcome == Outcome::succeeded;
        case Needs::failure:
            return outcome == Outcome::failed || outcome == Outcome::lost;
        case Needs::end:
            return true;
    }
    return false;
}

// ---------------------------------------------------------------------------------------------
// What happened

void Engine::State::advance(Time to) {
    WEIR_ASSERT(to >= told_at);
    told_at = to;
}

void Engine::State::on(const JobSubmitted& event) {
    const Request& request = event.request;
    Job& job = jobs.add(request.job);
    job.priority = request.priority;
    job.shape = shape_for(request.demand);
    job.limit = request.limit;
    job.order = submissions++;
    job.unmet = 0;
    job.array = request.array_at_once_max > 0 ? request.array : JobId::none();
    if (job.array.valid()) {
        Array& array = arrays[job.array];
        array.at_once_max = request.array_at_once_max;
        ++array.alive;
    }
    jobs.set_phase(job, Phase::held);
    ++counts.held;

    for (const Dependency& dependency : request.after) {
        const JobTable::Mark mark = jobs.mark(dependency.job);
        WEIR_ASSERT(mark.phase != Phase::unknown && dependency.job != request.job);
        if (mark.phase == Phase::ended) {
            if (!satisfies(mark.outcome, dependency.needs)) {
                doomed.push_back({request.job, dependency.job});
            }
            continue;
        }
        dependents[dependency.job].push_back({request.job, dependency.needs});
        dependencies[request.job].push_back(dependency);
        ++job.unmet;
    }
    const bool dropped = !doomed.empty() && doomed.back().job == request.job;
    if (job.unmet == 0 && !dropped) {
        jobs.set_phase(job, Phase::pending);
        --counts.held;
        ++counts.pending;
        queue.join(jobs.slot_of(request.job));
    }
}

void Engine::State::on(const JobEnded& event) {
    const std::uint32_t slot = jobs.slot_of(event.job);
    WEIR_ASSERT(slot != no_slot && jobs.at(slot).phase == Phase::running);
    Job& job = jobs.at(slot);
    const fleet::Shape& shape = shapes[job.shape].shape;
    free.give(shape, job.placement);
    if (policy.backfill) reservation.ended(slot, job, shape);
    ++gains;
    ++step;
    --counts.running;
    if (job.array.valid()) --arrays[job.array].running;
    if (event.requeue) {
        job.placement.ranges.clear();
        jobs.set_phase(job, Phase::pending);
        ++counts.pending;
        queue.join(slot);
    } else {
        finish(event.job, event.outcome);
    }
}

void Engine::State::on(const JobCancelled& event) {
    const std::uint32_t slot = jobs.slot_of(event.job);
    WEIR_ASSERT(slot != no_slot);
    const Phase phase = jobs.at(slot).phase;
    WEIR_ASSERT(phase == Phase::pending || phase == Phase::held);
    if (phase == Phase::pending) {
        queue.leave(slot);
        --counts.pending;
    } else {
        --counts.held;
    }
    finish(event.job, Outcome::cancelled);
}

void Engine::State::on(const NodeChanged& event) {
    NodeHealth& known = health.at(event.pool.value).at(event.node);
    if (known == event.health) return;
    known = event.health;
    const bool in_service = event.health == NodeHealth::up;
    free.set_in_service(event.pool, event.node, in_service);
    reservation.set_in_service(event.pool, event.node, in_service);
    ++gains;
    ++step;
}

// The job is over: it leaves the table, and those that waited for it learn how it came out.
void Engine::State::finish(JobId id, Outcome outcome) {
    Job& job = jobs.at(jobs.slot_of(id));
    if (job.array.valid()) {
        const auto array = arrays.find(job.array);
        if (--array->second.alive == 0) arrays.erase(array);
    }
    jobs.end(job, outcome);
    dependencies.erase(id);

    const auto waiting = dependents.find(id);
    if (waiting == dependents.end()) return;
    const std::vector<Dependent> released = std::move(waiting->second);
    dependents.erase(waiting);
    for (const Dependent& dependent : released) {
        const std::uint32_t slot = jobs.slot_of(dependent.job);
        if (slot == no_slot) continue;  // it was cancelled meanwhile
        Job& waiter = jobs.at(slot);
        if (!satisfies(outcome, dependent.needs)) {
            doomed.push_back({dependent.job, id});
            continue;
        }
        if (--waiter.unmet > 0) continue;
        const bool dropped = std::any_of(doomed.begin(), doomed.end(), [&](const Doomed& other) {
            return other.job == dependent.job;
        });
        if (dropped) continue;
        dependencies.erase(dependent.job);
        jobs.set_phase(waiter, Phase::pending);
        --counts.held;
        ++counts.pending;
        queue.join(slot);
    }
}

// ---------------------------------------------------------------------------------------------
// What happens next

std::uint32_t Engine::State::shape_for(const fleet::Demand& demand) {
    const auto [entry, added] =
        shape_of_demand.try_emplace(demand, static_cast<std::uint32_t>(shapes.size()));
    if (added) shapes.push_back({.shape = {demand, fleet::FreeIndex::domains_of(fleet, demand)}});
    return entry->second;
}

bool Engine::State::held_back_by_array(const Job& job) const {
    if (!job.array.valid()) return false;
    const Array& array = arrays.at(job.array);
    return array.running >= array.at_once_max;
}

// Leaves the placement in `found`.
bool Engine::State::find_now(ShapeInfo& shape) {
    if (shape.blocked_at_gain == gains) return false;
    if (free.find(shape.shape, found)) return true;
    shape.blocked_at_gain = gains;
    return false;
}

void Engine::State::announce(std::vector<Decision>& decisions, Decision decision) {
    ++counts.decisions;
    decisions.push_back(std::move(decision));
}

// Starts the job on the placement in `found`.
void Engine::State::start(
    std::uint32_t slot, Time at, Cause cause, bool counted, std::vector<Decision>& decisions) {
    Job& job = jobs.at(slot);
    free.take(shapes[job.shape].shape, found);
    job.placement = found;
    started(slot, at, cause, counted);
    announce(decisions, {Start{job.id, job.placement}, {.cause = cause}});
}

// The job has its placement, which is taken.
void Engine::State::started(std::uint32_t slot, Time at, Cause cause, bool counted) {
    Job& job = jobs.at(slot);
    const fleet::Shape& shape = shapes[job.shape].shape;
    queue.leave(slot);
    job.cause = cause;
    job.end_by = end_by(job, at);
    jobs.set_phase(job, Phase::running);
    --counts.pending;
    ++counts.running;
    if (job.array.valid()) ++arrays[job.array].running;
    if (policy.backfill) reservation.started(slot, job, shape, counted);
    ++step;
    if (reserved == job.id) reserved = JobId::none();

    digest.add(job.id.value);
    digest.add(at.time_since_epoch().count());
    digest.add(static_cast<std::uint32_t>(cause));
    for (const fleet::NodeRange& range : job.placement.ranges) {
        digest.add(std::uint64_t{range.pool.value} << 32 | range.first);
        digest.add(std::uint64_t{range.count} << 32 | range.replicas);
        digest.add(range.chip_mask);
    }
}

void Engine::State::reserve(const Job& job, Time at, std::vector<Decision>& decisions) {
    if (reserved == job.id && reserved_at == at) return;
    reserved_for(job.id, at);
    announce(decisions, {Reserve{job.id, at, {}}, {.cause = Cause::reserved, .until = at}});
}

void Engine::State::reserved_for(JobId job, Time at) {
    reserved = job;
    reserved_at = at;
    ++step;
    digest.add(~job.value);
    digest.add(at.time_since_epoch().count());
}

// A held job that can never start.
void Engine::State::drop(std::uint32_t slot) {
    const JobId id = jobs.at(slot).id;
    --counts.held;
    finish(id, Outcome::cancelled);
    digest.add(id.value ^ (std::uint64_t{1} << 63));
}

void Engine::State::drop_doomed(std::vector<Decision>& decisions) {
    // Dropping one may doom those that depend on it: the list grows while we walk it.
    for (std::size_t i = 0; i < doomed.size(); ++i) {
        const Doomed next = doomed[i];
        const std::uint32_t slot = jobs.slot_of(next.job);
        if (slot == no_slot) continue;  // cancelled, or dropped for another dependency
        WEIR_ASSERT(jobs.at(slot).phase == Phase::held);
        drop(slot);
        announce(decisions,
                 {Drop{next.job}, {.cause = Cause::dependency_failed, .other = next.because_of}});
    }
    doomed.clear();
}

void Engine::State::backfill(std::uint32_t reserved_slot,
                             Time now,
                             std::vector<Decision>& decisions) {
    const Job& first = jobs.at(reserved_slot);
    const fleet::Shape& reserved_shape = shapes[first.shape].shape;
    const Time at = reservation.move_for(reserved_shape, jobs, shapes);
    reserve(first, at, decisions);

    std::uint32_t next = no_slot;
    for (std::uint32_t slot = queue.after(reserved_slot); slot != no_slot; slot = next) {
        next = queue.after(slot);
        const Job& job = jobs.at(slot);
        ShapeInfo& shape = shapes[job.shape];
        if (shape.blocked_at_gain == gains) continue;
        const bool ends_in_time = end_by(job, now) <= reservation.at();
        if (!ends_in_time && shape.beside_at_step == step) continue;
        if (held_back_by_array(job) || !find_now(shape)) continue;
        if (ends_in_time) {
            start(slot, now, Cause::backfilled, false, decisions);
        } else if (reservation.fits_beside(reserved_shape, shape.shape, found)) {
            start(slot, now, Cause::backfilled_beside, true, decisions);
        } else {
            shape.beside_at_step = step;
        }
    }
}

// ---------------------------------------------------------------------------------------------
// What was decided before

// The reserved time itself is not taken over: it follows from what runs (reservation.hpp), so the
// next pass finds it.
Result<void> Engine::State::follow(const Start& start, Cause cause, Time at) {
    const std::uint32_t slot = jobs.slot_of(start.job);
    if (slot == no_slot || jobs.at(slot).phase != Phase::pending) {
        return fail(Code::conflict,
                    "job " + std::to_string(start.job.value) +
                        " is started, but it does not wait for room");
    }
    Job& job = jobs.at(slot);
    if (!free.take_given(shapes[job.shape].shape, start.placement)) {
        return fail(Code::conflict,
                    "job " + std::to_string(start.job.value) +
                        " is placed where it is not free, or not as it asks");
    }
    job.placement = start.placement;
    started(slot, at, cause, false);
    return {};
}

Result<void> Engine::State::follow(const Reserve& reserve, Cause, Time) {
    if (jobs.mark(reserve.job).phase != Phase::pending) {
        return fail(Code::conflict,
                    "there is a reservation for job " + std::to_string(reserve.job.value) +
                        ", but it does not wait for room");
    }
    reserved_for(reserve.job, reserve.at);
    return {};
}

Result<void> Engine::State::follow(const Drop& dropped, Cause, Time) {
    const std::uint32_t slot = jobs.slot_of(dropped.job);
    if (slot == no_slot || jobs.at(slot).phase != Phase::held) {
        return fail(Code::conflict,
                    "job " + std::to_string(dropped.job.value) +
                        " is dropped, but it does not wait for others");
    }
    drop(slot);
    const auto gone = [this](const Doomed& other) { return jobs.slot_of(other.job) == no_slot; };
    doomed.erase(std::remove_if(doomed.begin(), doomed.end(), gone), doomed.end());
    return {};
}

// ---------------------------------------------------------------------------------------------

Engine::Engine(fleet::Fleet fleet, Policy policy)
    : state_(std::make_unique<State>(std::move(fleet), policy)) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

void Engine::apply(const Event& event, Time now) {
    state_->advance(now);
    std::visit([this](const auto& what) { state_->on(what); }, event);
}

void Engine::decide(Time now, std::vector<Decision>& decisions) {
    State& state = *state_;
    state.advance(now);
    if (!state.doomed.empty()) state.drop_doomed(decisions);

    std::uint32_t next = no_slot;
    for (std::uint32_t slot = state.queue.front(); slot != no_slot; slot = next) {
        next = state.queue.after(slot);
        const Job& job = state.jobs.at(slot);
        if (state.held_back_by_array(job)) continue;
        if (state.find_now(state.shapes[job.shape])) {
            state.start(slot, now, Cause::fits_now, false, decisions);
            continue;
        }
        if (state.policy.backfill) state.backfill(slot, now, decisions);
        break;
    }
}

Result<void> Engine::follow(const Decision& decision, Time at) {
    WEIR_CHECK(
        std::visit([&](const auto& what) { return state_->follow(what, decision.why.cause, at); },
                   decision.what));
    ++state_->counts.decisions;
    return {};
}

void Engine::resume_digest(std::uint64_t digest) {
    state_->digest = Digest::resumed_at(digest);
}

Result<void> Engine::can_ever_fit(const fleet::Demand& demand) const {
    return sched::can_ever_fit(state_->fleet, demand);
}

Time Engine::wakes_at() const {
    return never;
}
Result<std::vector<Advance::Nodes>> Engine::find_advance(
    PoolId, std::uint32_t, Time, Time, Time) const {
    return fail(Code::unsupported, "advance reservations are not there yet");
}
Result<void> Engine::can_meet_deadline(const Request&, Time) const {
    return {};
}
Engine::Estimate Engine::estimate(JobId, Time) const {
    return {};
}

bool Engine::fits_now(JobId job) const {
    const std::uint32_t slot = state_->jobs.slot_of(job);
    if (slot == no_slot) return false;
    return state_->free.fits(state_->shapes[state_->jobs.at(slot).shape].shape);
}

Phase Engine::phase(JobId job) const {
    return state_->jobs.mark(job).phase;
}

const fleet::Placement* Engine::placement(JobId job) const {
    const std::uint32_t slot = state_->jobs.slot_of(job);
    if (slot == no_slot || state_->jobs.at(slot).phase != Phase::running) return nullptr;
    return &state_->jobs.at(slot).placement;
}

Counts Engine::counts() const {
    return state_->counts;
}
const fleet::Fleet& Engine::fleet() const {
    return state_->fleet;
}
std::uint64_t Engine::digest() const {
    return state_->digest.value();
}

NodeHealth Engine::health(PoolId pool, std::uint32_t node) const {
    return state_->health.at(pool.value).at(node);
}

Engine::PoolFree Engine::free_of(PoolId pool) const {
    const fleet::FreeIndex::PoolTotals totals = state_->free.totals(pool);
    return {.nodes_up = totals.nodes_in_service,
            .nodes_idle = totals.nodes_idle,
            .chips_milli = totals.chips_milli,
            .cpus_milli = totals.cpus_milli,
            .memory = totals.memory};
}

}  // namespace weir::sched
