// What is expected: when those who wait will start, whether a deadline can be met, which nodes can
// be set apart, and when the engine wants to be asked again. Nothing here changes a decision.
#include <fmt/format.h>

#include <algorithm>

#include "weir/sched/engine_state.hpp"
#include "weir/sched/sentence.hpp"

namespace weir::sched {
namespace {

// So many of the queue are looked at; who is behind them learns nothing.
constexpr std::size_t estimates_max = 20'000;
// So many runs of nodes are looked at for them; behind that, counts have to do.
constexpr std::uint64_t look_ahead_work_max = 1'000'000;

}  // namespace

// When the plan has room for one like it beside what runs and is promised, by its rights;
// Time::min() if that would be too much work.
Time Engine::State::earliest_alone(const Job& job, Chance chance) {
    const auto [known, is_new] =
        outlook.alone.try_emplace({job.shape, job.limit, chance.from, chance.allowed}, Time::min());
    if (!is_new || outlook.work_left == 0) return known->second;
    const std::uint64_t work_before = plan.work();
    known->second =
        plan.ask(shape_in(job.shape, chance.allowed), chance.from, job.limit, {}, never).at;
    outlook.work_left -= std::min(outlook.work_left, plan.work() - work_before);
    return known->second;
}

// From when on those of the queue have a right who have none now, by the limits of what runs and is
// promised. Who is behind others of its organisation is not counted in: no promise is made here.
void Engine::State::look_ahead_for_rights(Time now) {
    outlook.rights.clear();
    if (!quotas.any()) return;
    std::vector<Quotas::Hope> hopes;
    std::vector<Outlook::Asks> who;
    std::size_t seen = 0;
    queue.walk([&](const Queued& one) {
        if (++seen > estimates_max) return false;
        const Job& job = jobs.at(one.slot);
        if (job.promise.found() || job.parked || allowed_for(job, now) != 0) return true;
        const Outlook::Asks asks{job.tenant, job.shape, job.limit};
        if (!outlook.rights.try_emplace(asks, Chance{never, 0}).second) return true;
        hopes.push_back({job.tenant, &shapes[job.shape].kinds, job.limit});
        who.push_back(asks);
        return true;
    });
    if (hopes.empty()) return;
    std::vector<Quotas::Held> held;
    for (const std::uint32_t slot : running.slots())
        if (const auto its = held_by(jobs.at(slot))) held.push_back(*its);
    for (const auto& [rank, slot] : promised)
        if (const auto its = held_by(jobs.at(slot))) held.push_back(*its);
    quotas.find_first_rights(hopes, std::move(held), now, outlook.work_left);
    for (std::size_t i = 0; i < hopes.size(); ++i)
        outlook.rights[who[i]] = {hopes[i].from, hopes[i].where};
}

// Those who wait, in the order of the queue, each at the earliest time at which the counts of one
// of its pools allow: the plan without nodes. Promises are in it already. And not before the plan
// with nodes, watts and reservations has room for one like it beside what runs and is promised.
void Engine::State::look_ahead(Time now) {
    if (outlook.step == step && outlook.at == now) return;
    outlook.step = step;
    outlook.at = now;
    outlook.starts.clear();
    outlook.alone.clear();
    outlook.work_left = look_ahead_work_max;
    look_ahead_for_rights(now);
    std::vector<Timeline> free_in;
    for (std::uint32_t i = 0; i < fleet.pools.size(); ++i)
        free_in.push_back(plan.free_over_time(PoolId{i}));
    queue.walk([&](const Queued& one) {
        if (outlook.starts.size() >= estimates_max) return false;
        const Job& job = jobs.at(one.slot);
        if (job.promise.found() || job.parked) return true;
        Chance chance{now, allowed_for(job, now)};
        if (chance.allowed == 0) {
            const auto its = outlook.rights.find({job.tenant, job.shape, job.limit});
            if (its == outlook.rights.end() || its->second.allowed == 0) return true;
            chance = its->second;
        }
        const fleet::Shape& shape = shape_in(job.shape, chance.allowed);
        const fleet::Demand& demand = shape.demand;
        Time best = never;
        PoolId best_pool;
        std::int64_t best_need = 0;
        const bool on_one_pool = shape.domains.size() == demand.pools.size();
        for (const PoolId pool : demand.pools) {
            std::int64_t need = 0;
            for (const fleet::GangPart& part : demand.parts) {
                need += std::int64_t{part.replicas} *
                        (fleet.pool(pool).chips_per_node > 0
                             ? std::int64_t{part.each.chips} * 1000 + part.each.chip_permille
                             : std::int64_t{part.each.cpus_milli});
            }
            const Time at = free_in[pool.value].earliest(chance.from, job.limit, need);
            if (at >= best) continue;
            best = at;
            best_pool = pool;
            best_need = need;
        }
        // Over several pools: beside what runs and is promised, whoever else is before it.
        if (best != never || !on_one_pool) {
            const Time alone = earliest_alone(job, chance);
            if (best != never) {
                best = std::max(best, alone);
            } else if (alone != Time::min()) {
                best = alone;
            }
        }
        outlook.starts[job.id] = best;
        if (best == never || best_need == 0) return true;
        free_in[best_pool.value].add(best, -best_need);
        if (job.limit < forever) free_in[best_pool.value].add(best + job.limit, best_need);
        return true;
    });
}

Engine::Estimate Engine::estimate(JobId id, Time now) const {
    State& state = *state_;
    const std::uint32_t slot = state.jobs.slot_of(id);
    if (slot == no_slot) return {};
    const Job& job = state.jobs.at(slot);
    if (job.phase == Phase::running) return {.at = job.started_at, .promised = true};
    if (job.promise.found()) return {.at = job.promise.at, .promised = true};
    if (job.phase == Phase::held) {
        const Time ready = state.ready_at(job, now);
        const KindSet allowed = state.allowed_for(job);
        if (ready == never || allowed == 0) return {};
        const fleet::Shape& shape = state.shape_in(job.shape, allowed);
        return {.at = state.plan.ask(shape, ready, job.limit, {}, never).at, .promised = false};
    }
    if (job.phase != Phase::pending) return {};
    state.look_ahead(now);
    const auto known = state.outlook.starts.find(id);
    if (known == state.outlook.starts.end()) return {};
    return {.at = known->second, .promised = false};
}

Result<void> Engine::can_meet_deadline(const Request& request, Time now) const {
    if (request.deadline == never) return {};
    // In any of its sizes.
    for (std::uint32_t size = 0; size < request.sizes.size(); ++size) {
        const auto its = can_meet_deadline(settled(request, size), now);
        if (its || size + 1 == request.sizes.size()) return its;
    }
    State& state = *state_;
    const fleet::Shape shape{request.demand,
                             fleet::FreeIndex::domains_of(state.fleet, request.demand)};
    if (request.limit >= forever) {
        return fail(Code::never_fits,
                    "deadline: nobody knows when a job without a time limit ends; give one");
    }
    if (now + request.limit > request.deadline) {
        return fail(Code::never_fits,
                    fmt::format("deadline: with a limit of {} it would have to start by {}, which "
                                "is over",
                                format_duration(request.limit),
                                format_time(request.deadline - request.limit)));
    }
    if (!request.after.empty()) return {};  // when the others end is not known
    if (!request.data.empty()) {
        std::vector<DatasetId> datasets;
        for (const std::string& name : request.data) {
            const auto known = state.staging.find(name);
            // When it is made is not known.
            if (!known || !state.staging.is_anywhere(*known)) return {};
            datasets.push_back(*known);
        }
        const Size alone{.demand = request.demand, .limit = request.limit};
        const State::Home home =
            state.best_home(std::span<const Size>(&alone, 1), request.tenant, datasets, now);
        const bool in_sight = home.site.valid() && home.starts != never;
        if (in_sight && home.starts + request.limit <= request.deadline) return {};
        return fail(Code::never_fits,
                    in_sight
                        ? fmt::format("deadline: with its data it is expected to start at {}, and "
                                      "with its limit of {} to end at {}; {} is needed",
                                      format_time(home.starts),
                                      format_duration(request.limit),
                                      format_time(home.starts + request.limit),
                                      format_time(request.deadline))
                        : std::string("deadline: no room beside its data is in sight"));
    }
    const Place place = state.plan.ask(shape, now, request.limit, {}, never);
    if (place.found() && place.at + request.limit <= request.deadline) return {};
    return fail(
        Code::never_fits,
        place.found()
            ? fmt::format("deadline: beside what runs and what is promised it can start at {} at "
                          "the earliest, and with its limit of {} end at {}; {} is needed",
                          format_time(place.at),
                          format_duration(request.limit),
                          format_time(place.at + request.limit),
                          format_time(request.deadline))
            : std::string("deadline: no room for it is in sight"));
}

Result<std::vector<Advance::Nodes>> Engine::find_advance(
    PoolId pool, std::uint32_t count, Time from, Time until, Time now) const {
    (void)now;
    const State& state = *state_;
    std::vector<Advance::Nodes> nodes;
    std::uint32_t found = 0;
    for (std::uint32_t node = 0; node < state.fleet.pool(pool).nodes && found < count; ++node) {
        if (!state.plan.is_empty(pool, node, from, until)) continue;
        ++found;
        if (!nodes.empty() && nodes.back().first + nodes.back().count == node) {
            ++nodes.back().count;
        } else {
            nodes.push_back({.pool = pool, .first = node, .count = 1});
        }
    }
    if (found == count && count > 0) return nodes;
    const std::uint32_t there = state.fleet.pool(pool).nodes;
    if (count > there) {
        return fail(Code::never_fits,
                    fmt::format("pool {} has {}; {} cannot be set apart",
                                state.fleet.pool(pool).name,
                                format_count(there, "node"),
                                count));
    }
    return fail(Code::conflict,
                fmt::format("pool {} has {} that nobody holds or was promised in that time, of {} "
                            "asked for",
                            state.fleet.pool(pool).name,
                            format_count(found, "node"),
                            count));
}

Time Engine::wakes_at() const {
    const State& state = *state_;
    Time next = never;
    const auto consider = [&](Time at) {
        if (at > state.told_at) next = std::min(next, at);
    };
    for (const auto& [id, apart] : state.set_apart) {
        consider(apart.advance.from);
        consider(apart.advance.until);
    }
    for (const auto& [node, until] : state.suspects)
        consider(until);
    for (const auto& [rank, slot] : state.promised) {
        const Job& job = state.jobs.at(slot);
        consider(job.promise.at);
        if (job.phase == Phase::held) consider(state.with_data.at(job.id).late_at);
    }
    const bool high_promised =
        !state.promised.empty() && state.promised.begin()->first.lane <= State::high_lane;
    if (high_promised) consider(state.next_stop_rule(state.told_at));
    consider(state.reclaims_at);
    consider(state.quotas.next_change());
    if (state.quotas.any()) {
        for (const auto& [rank, slot] : state.promised)
            consider(state.next_stop_rule(state.jobs.at(slot)));
    }
    return next;
}

}  // namespace weir::sched
