// What was decided before, by this core or by another: a driver that was away tells it from its
// record.
#include <algorithm>

#include "weir/sched/engine_state.hpp"

namespace weir::sched {

// What was started under other budgets than those of the fleet may draw too much for these: from
// now on they are looked after like budgets that were set.
void Engine::State::watch_budgets(const fleet::Placement& placement) {
    const auto look_at = [this](const PowerDomain& domain) {
        const fleet::FreeIndex::PowerUse use = use_of(domain);
        if (use.budget_watts > 0 && use.drawn_watts > use.budget_watts) {
            caps.emplace(domain, use.budget_watts);
        }
    };
    for (const fleet::NodeRange& range : placement.ranges) {
        const fleet::Pool& pool = fleet.pool(range.pool);
        const auto look_at_all = [&](fleet::Level level, std::uint32_t span) {
            const std::uint32_t last = (range.first + range.count - 1) / span;
            for (std::uint32_t number = range.first / span; number <= last; ++number)
                look_at({level, range.pool, number});
        };
        if (pool.rack_nodes() > 0) look_at_all(fleet::Level::rack, pool.rack_nodes());
        if (pool.pod_nodes() > 0) look_at_all(fleet::Level::pod, pool.pod_nodes());
        look_at({fleet::Level::site, range.pool, 0});
    }
}

namespace {

Error out_of_place(JobId job, std::string_view what) {
    return {Code::conflict, "job " + std::to_string(job.value) + " " + std::string(what)};
}

}  // namespace

// Its data lies where it is started, but this core had chosen another home for it.
void Engine::State::wait_where_its_data_is(std::uint32_t slot, SiteId site) {
    const Job& job = jobs.at(slot);
    const auto its = with_data.find(job.id);
    if (job.phase != Phase::held || job.unmet > 0 || its == with_data.end()) return;
    if (!all_at(its->second.datasets, site)) return;
    if (job.promise.found() && its->second.home != site) withdraw(slot);
    if (its->second.home.valid()) leave_home(its->second);
    homeless.erase(job.id);
    its->second.home = site;
    for (const DatasetId dataset : its->second.datasets)
        staging.hold(dataset, site);
    admit(slot);
}

// It was started, or promised a start, in that size.
Result<void> Engine::State::follow_size(std::uint32_t slot, std::uint32_t size) {
    const JobId id = jobs.at(slot).id;
    const auto known = with_sizes.find(id);
    if (known == with_sizes.end() || known->second.is_settled) return {};
    const WithSizes& its = known->second;
    if (size >= its.sizes.size() || its.shapes[size] == no_shape) {
        return fail(out_of_place(id, "is placed in a size that it does not have there"));
    }
    if (size != its.current) take_size(slot, size);
    return {};
}

Result<void> Engine::State::follow(const Start& start, Cause cause, Time at) {
    const std::uint32_t slot = jobs.slot_of(start.job);
    if (slot != no_slot && !start.placement.ranges.empty()) {
        const PoolId pool = start.placement.ranges.front().pool;
        if (pool.value < fleet.pools.size()) wait_where_its_data_is(slot, staging.site_of(pool));
    }
    if (slot == no_slot || jobs.at(slot).phase != Phase::pending) {
        return fail(out_of_place(start.job, "is started, but it does not wait for room"));
    }
    Job& job = jobs.at(slot);
    const std::uint32_t size_before = chosen_size(job.id);
    if (!sizing.empty()) WEIR_CHECK(follow_size(slot, start.size));
    if (!free.take_given(shapes[job.shape].shape, start.placement)) {
        if (chosen_size(job.id) != size_before) take_size(slot, size_before);
        return fail(out_of_place(start.job, "is placed where it is not free, or not as it asks"));
    }
    job.placement = start.placement;
    started(slot, at, cause);
    watch_budgets(job.placement);
    return {};
}

Result<void> Engine::State::follow(const Reserve& reserve, Cause, Time) {
    const std::uint32_t slot = jobs.slot_of(reserve.job);
    if (reserve.at == never && found_already(reserve)) return {};
    const bool waits = slot != no_slot && (jobs.at(slot).phase == Phase::pending ||
                                           awaiting.count({jobs.at(slot).rank, slot}) > 0);
    if (!waits) {
        return fail(
            out_of_place(reserve.job, "is promised a start, but it does not wait for room"));
    }
    Job& job = jobs.at(slot);
    const bool same_time = job.promise.found() && job.promise.at == reserve.at;
    if (job.promise.found()) {
        withdraw(slot);
        if (job.phase == Phase::pending) make_eligible(slot);
    }
    if (!same_time) note_promise(reserve.job, reserve.at);
    // A record without nodes (of an earlier version) is a promise that the next pass finds again.
    if (reserve.at == never || reserve.placement.ranges.empty() || job.parked) return {};
    if (!sizing.empty()) WEIR_CHECK(follow_size(slot, reserve.size));
    promise(slot,
            {.at = reserve.at,
             .until = job.limit >= forever ? never : reserve.at + job.limit,
             .placement = reserve.placement,
             .kept_free = making_room.count(job.id) > 0});
    job.planned_at = 0;
    job.planned_when = Time::min();
    job.tried_at = 0;
    return {};
}

// What it held may have others order their data, as of the pass that dropped it.
Result<void> Engine::State::follow(const Drop& dropped, Cause, Time at) {
    told_at = std::max(told_at, at);
    const std::uint32_t slot = jobs.slot_of(dropped.job);
    if (slot == no_slot || jobs.at(slot).phase != Phase::held) {
        return fail(out_of_place(dropped.job, "is dropped, but it does not wait for others"));
    }
    drop(slot);
    const auto gone = [this](const Doomed& other) { return jobs.slot_of(other.job) == no_slot; };
    doomed.erase(std::remove_if(doomed.begin(), doomed.end(), gone), doomed.end());
    return {};
}

Result<void> Engine::State::follow(const Preempt& preempt, Cause, Time at) {
    const std::uint32_t slot = jobs.slot_of(preempt.job);
    if (slot == no_slot || jobs.at(slot).phase != Phase::running) {
        return fail(out_of_place(preempt.job, "is stopped for others, but it does not run"));
    }
    if (!jobs.at(slot).stopping) stop(slot, preempt.for_job, stopped_by(jobs.at(slot), at), at);
    return {};
}

Result<void> Engine::State::follow(const Replace& replace, Cause, Time) {
    const std::uint32_t slot = jobs.slot_of(replace.job);
    if (slot == no_slot || jobs.at(slot).phase != Phase::running) {
        return fail(out_of_place(replace.job, "is moved, but it does not run"));
    }
    std::erase_if(lost, [&](const Lost& each) { return each.job == replace.job; });
    if (!replace.placement.ranges.empty()) move(slot, replace.placement);
    return {};
}

Result<void> Engine::State::follow(const OverPower& over, Cause, Time) {
    over_power.insert(over.domain);
    return {};
}

// What is copied and forgotten follows from the events, and was found there already. Another
// version of the core may have found something else: then that is what happens.
template <class What>
bool Engine::State::found_already(const What& what) {
    const auto its_place =
        std::find_if(told_later.begin(), told_later.end(), [&what](const auto& told) {
            const auto* const its = std::get_if<What>(&told.what);
            return its != nullptr && *its == what;
        });
    if (its_place == told_later.end()) return false;
    told_later.erase(its_place);
    return true;
}

Result<void> Engine::State::follow(const Stage& stage, Cause, Time) {
    if (!found_already(stage)) {
        staging.ordered(staging.id_of(stage.dataset), stage.from, stage.to, stage.ends);
    }
    return {};
}

Result<void> Engine::State::follow(const Forget& forget, Cause, Time) {
    if (!found_already(forget)) {
        on(DatasetLost{forget.dataset, forget.site});
    }
    return {};
}

Result<void> Engine::follow(const Decision& decision, Time at) {
    const auto* const reserve = std::get_if<Reserve>(&decision.what);
    if (state_->quotas.next_change() <= at) state_->loans_come_to(at);
    const bool counts = reserve == nullptr || !state_->is_promised(reserve->job, reserve->at);
    WEIR_CHECK(
        std::visit([&](const auto& what) { return state_->follow(what, decision.why.cause, at); },
                   decision.what));
    if (counts) ++state_->counts.decisions;
    return {};
}

void Engine::State::begin_anew() {
    plan_credit = 0;
    plan.begin_anew();
    reclaims_at = never;
    jobs.for_all([](Job& job) {
        job.reclaim_at = Time::min();
        job.reclaim_tries = 0;
        job.planned_at = job.tried_at = job.asked_in = 0;
        job.planned_when = Time::min();
        job.planned_tight = false;
        job.gains_tried.clear();
    });
    begin_sizes_anew();
    for (Line& line : lines)
        line.blocked_in = 0;
    for (std::uint32_t shape = 0; shape < shapes.size(); ++shape) {
        shapes[shape].know_nothing();
        try_again(shape);
    }
}

void Engine::begin_anew() {
    state_->begin_anew();
}

void Engine::follow_pass(Time at) {
    state_->advance(at);
    state_->come_to(at);
    state_->rights_changed = false;  // promises without ground were withdrawn: that is followed
}

void Engine::resume_digest(std::uint64_t digest) {
    state_->digest = Digest::resumed_at(digest);
}

}  // namespace weir::sched
