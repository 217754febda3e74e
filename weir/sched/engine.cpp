// The engine's state, and how it changes by what happened and by what is decided. What happens next
// is decided in pass.cpp and room_made.cpp.
//
// Invariants between two calls: `free` and `plan` hold exactly the placements of running jobs and
// the claims of promised ones; a pending job is in `queue`, and besides in `promised`, or eligible
// in `waiting`, or parked in its array; a held one whose data comes is in `awaiting`, and may be in
// `promised`; a shape that is not in `to_try` has no eligible job that
// would end before `blocked_from` and fits now.
#include "weir/sched/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "weir/base/assert.hpp"
#include "weir/sched/engine_state.hpp"
#include "weir/sched/sentence.hpp"

namespace weir::sched {
namespace {

Time end_by(const Job& job, Time start) {
    return job.limit >= forever ? never : start + job.limit;
}

// By the description of the fleet; 0 = none.
double budget_watts(const fleet::Fleet& fleet, const PowerDomain& domain) {
    const fleet::Pool& pool = fleet.pool(domain.pool);
    if (domain.level == fleet::Level::rack) return pool.rack_power_watts;
    if (domain.level == fleet::Level::pod) return pool.pod_power_watts;
    for (const fleet::Site& site : fleet.sites)
        if (site.name == pool.site) return site.power_watts;
    return 0;
}

}  // namespace

void set_budget(fleet::FreeIndex& index, const PowerDomain& domain, double watts) {
    switch (domain.level) {
        case fleet::Level::rack:
            return index.set_rack_power(domain.pool, domain.number, watts);
        case fleet::Level::pod:
            return index.set_pod_power(domain.pool, domain.number, watts);
        default:
            return index.set_site_power(domain.pool, watts);
    }
}

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

Engine::State::State(fleet::Fleet its_fleet, Policy its_policy, tenancy::Rights its_rights)
    : fleet(std::move(its_fleet)),
      policy(std::move(its_policy)),
      free(fleet),
      plan(fleet, free),
      quotas(std::move(its_rights), policy),
      staging(fleet),
      backlog(fleet.sites.size(), 0),
      shapes_of_pool(fleet.pools.size()),
      changes(fleet.pools.size(), 1),
      gains(fleet.pools.size(), 1),
      promises_of_pool(fleet.pools.size() * grades, 0) {
    if (quotas.any() && !policy.backfill) {
        queue_of_tenant.resize(quotas.tree().tenants());
    }
    if (quotas.any()) running_of_tenant.resize(quotas.tree().tenants());
    if (policy.placement == PlacementRule::supply) free.place_by_supply(fleet);
    for (const fleet::Site& site : fleet.sites)
        data_matters = data_matters || !site.storage.datasets.empty();
    for (const fleet::Pool& pool : fleet.pools)
        health.emplace_back(pool.nodes, NodeHealth::up);
}

void Engine::State::advance(Time to) {
    WEIR_ASSERT(to >= told_at);
    told_at = to;
    if (quotas.next_change() <= to) loans_come_to(to);
}

fleet::FreeIndex::PowerUse Engine::State::use_of(const PowerDomain& domain) const {
    switch (domain.level) {
        case fleet::Level::rack:
            return free.rack_power(domain.pool, domain.number);
        case fleet::Level::pod:
            return free.pod_power(domain.pool, domain.number);
        default:
            return free.site_power(domain.pool);
    }
}

// The fleet with nothing taken, and with the budgets of its description or those that were set,
// whichever allow more: a budget that was lowered will not last for ever.
fleet::FreeIndex Engine::State::emptied() const {
    fleet::FreeIndex index(fleet);
    for (const auto& [domain, watts] : caps) {
        const double described = budget_watts(fleet, domain);
        if (described > 0 && (watts <= 0 || watts > described)) set_budget(index, domain, watts);
    }
    return index;
}

// ---------------------------------------------------------------------------------------------
// More became free

// Calls visit(pool) for the pool and for those that draw from the same budget of watts.
template <class Visit>
void Engine::State::for_who_shares(PoolId pool, Visit visit) const {
    if (free.site_power(pool).budget_watts == 0) return visit(pool);
    for (std::uint32_t i = 0; i < fleet.pools.size(); ++i)
        if (fleet.pools[i].site == fleet.pool(pool).site) visit(PoolId{i});
}

// Shapes that may use this pool are tried again in the next pass.
void Engine::State::retry(PoolId pool) {
    for_who_shares(pool, [this](PoolId its) {
        ++gains[its.value];
        for (const ShapeOfPool& one : shapes_of_pool[its.value]) {
            shapes[one.shape].gained_in(one.domain);
            try_again(one.shape);
        }
    });
}

void Engine::State::gained(PoolId pool) {
    for_who_shares(pool, [this](PoolId its) { ++changes[its.value]; });
    ++step;
    retry(pool);
}

void Engine::State::gained(const fleet::Placement& placement) {
    PoolId last;
    for (const fleet::NodeRange& range : placement.ranges) {
        if (range.pool != last) gained(range.pool);
        last = range.pool;
    }
}

void Engine::State::try_again(std::uint32_t shape) {
    if (shapes[shape].to_try || shapes[shape].eligible == 0) return;
    shapes[shape].to_try = true;
    to_try.push_back(shape);
}

// ---------------------------------------------------------------------------------------------
// In and out of the queue

std::uint32_t Engine::State::shape_for(const fleet::Demand& demand) {
    std::uint32_t number = 0;
    if (const auto known = shape_of_demand.find(demand); known != shape_of_demand.end()) {
        number = known->second;
    } else {
        if (unused_shapes.empty() && shapes.size() > 2 * std::size_t{shapes_in_use} + 1000) {
            forget_shapes();
        }
        if (unused_shapes.empty()) {
            unused_shapes.push_back(static_cast<std::uint32_t>(shapes.size()));
            shapes.emplace_back();
        }
        number = unused_shapes.back();
        unused_shapes.pop_back();
        shapes[number].shape = {demand, fleet::FreeIndex::domains_of(fleet, demand)};
        shapes[number].kinds = {};
        if (quotas.any()) {
            shapes[number].kinds = quotas.kinds_of(shapes[number].shape);
            shapes[number].line_of_tenant.assign(quotas.tree().tenants(), no_line);
            shapes[number].known_lines.assign(quotas.tree().tenants(), no_line);
        }
        shape_of_demand.emplace(demand, number);
    }
    if (shapes[number].jobs++ == 0) ++shapes_in_use;
    return number;
}

std::uint32_t Engine::State::line_for(std::uint32_t shape, TenantId tenant) {
    std::uint32_t& known = shapes[shape].known_lines[tenant.value];
    if (known == no_line) {
        if (unused_lines.empty()) {
            unused_lines.push_back(static_cast<std::uint32_t>(lines.size()));
            lines.emplace_back();
        }
        known = unused_lines.back();
        unused_lines.pop_back();
        lines[known] = {.shape = shape, .tenant = tenant};
        firsts.forget_line(known);
    }
    ++lines[known].jobs;
    return known;
}

// A hub lives for years, and hears of demands that never come again.
void Engine::State::forget_shapes() {
    for (auto its = shape_of_demand.begin(); its != shape_of_demand.end();) {
        if (shapes[its->second].jobs > 0) {
            ++its;
            continue;
        }
        unused_shapes.push_back(its->second);
        its = shape_of_demand.erase(its);
    }
    for (std::uint32_t number = 0; number < lines.size(); ++number) {
        if (lines[number].jobs > 0) continue;
        std::uint32_t& known = shapes[lines[number].shape].known_lines[lines[number].tenant.value];
        if (known != number) continue;  // it is unused already
        known = no_line;
        unused_lines.push_back(number);
    }
    std::sort(unused_lines.begin(), unused_lines.end(), std::greater<>());
    std::sort(unused_shapes.begin(), unused_shapes.end(), std::greater<>());
}

void Engine::State::make_eligible(std::uint32_t slot) {
    const Job& job = jobs.at(slot);
    ShapeInfo& shape = shapes[job.shape];
    const bool own_order = policy.prediction == Prediction::history;
    waiting.join(job.shape, slot, job.rank, job.limit);
    if (own_order) overtaking.join(job.shape, slot, job.overtaking, job.limit);
    if (quotas.any()) {
        waiting_in_line.join(job.line, slot, job.rank, job.limit);
        if (own_order) overtaking_in_line.join(job.line, slot, job.overtaking, job.limit);
        Line& line = lines[job.line];
        line.nobody_below = std::min(line.nobody_below, job.limit);
        line.joined_or_left();
        if (line.eligible++ == 0) {
            line.nobody_below = job.limit;
            shape.lines.push_back(job.line);
            shape.line_of_tenant[job.tenant.value] = job.line;
        }
        ++shape.joined_or_left;
    }
    if (shape.eligible++ == 0) {
        shape.know_nothing();
        for (const PoolId pool : shape.shape.demand.pools)
            shapes_of_pool[pool.value].push_back({job.shape, domain_of(shape.shape, pool)});
    }
    if (job.rank.lane <= high_lane) ++high_waiting;
    if (job.deadline != never) due.insert(slot);
    if (end_by(job, told_at) < shape.blocked_from) try_again(job.shape);
}

void Engine::State::make_ineligible(std::uint32_t slot) {
    const Job& job = jobs.at(slot);
    ShapeInfo& shape = shapes[job.shape];
    const bool own_order = policy.prediction == Prediction::history;
    waiting.leave(job.shape, job.rank);
    if (own_order) overtaking.leave(job.shape, job.overtaking);
    if (quotas.any()) {
        waiting_in_line.leave(job.line, job.rank);
        if (own_order) overtaking_in_line.leave(job.line, job.overtaking);
        lines[job.line].joined_or_left();
        if (--lines[job.line].eligible == 0) {
            *std::find(shape.lines.begin(), shape.lines.end(), job.line) = shape.lines.back();
            shape.lines.pop_back();
            shape.line_of_tenant[job.tenant.value] = no_line;
        }
        ++shape.joined_or_left;
    }
    if (--shape.eligible == 0) {
        for (const PoolId pool : shape.shape.demand.pools) {
            std::vector<ShapeOfPool>& list = shapes_of_pool[pool.value];
            *std::find_if(list.begin(), list.end(), [&](const ShapeOfPool& its) {
                return its.shape == job.shape;
            }) = list.back();
            list.pop_back();
        }
    }
    if (job.rank.lane <= high_lane) --high_waiting;
    due.erase(slot);
}

void Engine::State::enter(std::uint32_t slot) {
    Job& job = jobs.at(slot);
    jobs.set_phase(job, Phase::pending);
    job.owns_nothing_at = 0;  // it may ask for something else now
    ++counts.pending;
    ++step;
    if (policy.prediction == Prediction::history) {
        job.overtaking = job.rank;
        job.overtaking.date =
            date_of(job, history.predicted(job.owner, job.likeness, job.expected, job.limit));
    }
    queue.insert({job.rank, slot, job.limit});
    if (!with_sizes.empty()) {
        const auto its = with_sizes.find(job.id);
        if (its != with_sizes.end() && !its->second.is_settled) sizing.emplace(job.rank, slot);
    }
    count_backlog(job, true);
    if (!queue_of_tenant.empty()) {
        queue_of_tenant[job.tenant.value].insert({job.rank, slot, job.limit});
    }
    if (job.array.valid()) {
        Array& array = arrays.at(job.array);
        if (array.running + array.eligible >= array.at_once_max) {
            job.parked = true;
            array.parked.emplace(job.rank, slot);
            return;
        }
        ++array.eligible;
    }
    // Who waited for its data may have its promise already.
    job.promise.found() ? grade_anew(slot) : make_eligible(slot);
}

// Out of the queue, wherever it is in it; a promise is given back.
void Engine::State::leave(std::uint32_t slot) {
    Job& job = jobs.at(slot);
    queue.erase(job.rank);
    if (!sizing.empty()) sizing.erase({job.rank, slot});
    count_backlog(job, false);
    if (!queue_of_tenant.empty()) queue_of_tenant[job.tenant.value].erase(job.rank);
    --counts.pending;
    ++step;
    if (job.parked) {
        job.parked = false;
        arrays.at(job.array).parked.erase({job.rank, slot});
        return;
    }
    if (job.promise.found()) {
        withdraw(slot);
    } else {
        make_ineligible(slot);
    }
    if (job.array.valid()) --arrays.at(job.array).eligible;
}

void Engine::State::unpark(JobId id) {
    const auto known = arrays.find(id);
    if (known == arrays.end()) return;
    Array& array = known->second;
    while (!array.parked.empty() && array.running + array.eligible < array.at_once_max) {
        const std::uint32_t slot = array.parked.begin()->second;
        array.parked.erase(array.parked.begin());
        jobs.at(slot).parked = false;
        ++array.eligible;
        make_eligible(slot);
    }
}

// The date that orders the queue (policy.hpp); `takes` is the limit, or what is predicted.
Time Engine::State::date_of(const Job& job, Duration takes) const {
    if (policy.order == Order::submission) return Time{};
    const Duration most = policy.date_cap;
    const std::int64_t factor = policy.date_factor;
    if (factor == 0) return job.submitted_at;
    const Duration later = takes >= most / factor ? most : takes * factor;
    return job.submitted_at + later;
}

// ---------------------------------------------------------------------------------------------
// Rights

// Its organisation uses what it counts there.
void Engine::State::charge(Job& job, PoolId pool, Time until) {
    if (!quotas.any()) return;
    WEIR_ASSERT(job.charged == Job::not_charged);
    const ShapeInfo& shape = shapes[job.shape];
    job.charged = static_cast<std::uint8_t>(Quotas::kind_of(shape.shape, shape.kinds, pool));
    job.charged_until = until;
    quotas.hold(job.tenant, shape.kinds.charges[job.charged], until, told_at);
}

void Engine::State::discharge(Job& job) {
    if (!quotas.any()) return;
    WEIR_ASSERT(job.charged != Job::not_charged);
    const tenancy::Charges& charges = shapes[job.shape].kinds.charges[job.charged];
    job.charged = Job::not_charged;
    quotas.release(job.tenant, charges, job.charged_until, told_at);
    retry_rights(charges);
}

// Somebody may have a right to what is not used any more, wherever it is free.
void Engine::State::retry_rights(const tenancy::Charges& charges) {
    for (const tenancy::Allowance& each : charges)
        for (const PoolId pool : quotas.pools_of(each.resource))
            for (const ShapeOfPool& one : shapes_of_pool[pool.value])
                try_again(one.shape);
}

const fleet::Shape& Engine::State::shape_in(std::uint32_t shape, KindSet allowed) {
    ShapeInfo& info = shapes[shape];
    return quotas.any() ? Quotas::inside(info.shape, info.kinds, allowed) : info.shape;
}

KindSet Engine::State::allowed_for(const Job& job, Time start) const {
    if (!quotas.any()) return every_kind;
    KindSet kinds = 0;
    bool has_its_promise = job.charged != Job::not_charged;
    if (quotas.lends()) {
        const auto own = held_by(job);
        kinds = quotas.allowed(
            job.tenant, shapes[job.shape].kinds, run_of(job, start), own ? &*own : nullptr);
        // A promise is a right to that time, which may begin only then.
        has_its_promise = has_its_promise && start >= job.promise.at;
    } else {
        kinds = quotas.allowed(job.tenant, shapes[job.shape].kinds);
    }
    if (has_its_promise) kinds |= KindSet{1} << job.charged;
    return kinds;
}

std::uint32_t Engine::State::grade_by_rights(const Job& job) const {
    if (job.phase == Phase::held) return job.rank.lane + first_ahead;  // its data is yet to come
    if (!quotas.any()) return job.rank.lane;
    if (!quotas.lends()) {
        const auto own = held_by(job);
        const ShapeKinds& kinds = shapes[job.shape].kinds;
        const bool owns = quotas.owned_then(job.tenant, kinds, told_at, own ? &*own : nullptr) != 0;
        return job.rank.lane + (owns ? 0 : lanes);
    }
    const Ownership its = ownership_of(job);
    if (its.kinds != 0 && its.from <= told_at) return job.rank.lane;
    return job.rank.lane + (allowed_for(job) != 0 ? lanes : first_ahead);
}

// ---------------------------------------------------------------------------------------------
// Promises

// Requires: it is eligible, or held until its data comes. Its claims are made here.
void Engine::State::promise(std::uint32_t slot, Place place) {
    Job& job = jobs.at(slot);
    if (job.phase == Phase::pending) make_ineligible(slot);
    plan.claim(job.id, shapes[job.shape].shape, place);
    job.promise = std::move(place);
    job.grade = static_cast<std::uint8_t>(grade_of(job));
    charge(job, job.promise.placement.ranges.front().pool, job.promise.until);
    promised.emplace(job.rank, slot);
    for_pools_of(job.promise.placement, [&](PoolId pool) {
        ++promises_of_pool[pool.value * grades + job.grade];
        ++changes[pool.value];
    });
    ++step;
}

// Takes the promise out of the plan; the job is in no list then but the queue.
void Engine::State::withdraw(std::uint32_t slot) {
    const Job& job = jobs.at(slot);
    plan.release(job.id, shapes[job.shape].shape, job.promise);
    forget_promise(slot);
}

// Requires: its claims are released.
void Engine::State::forget_promise(std::uint32_t slot) {
    Job& job = jobs.at(slot);
    for_pools_of(job.promise.placement,
                 [&](PoolId pool) { --promises_of_pool[pool.value * grades + job.grade]; });
    discharge(job);
    promised.erase({job.rank, slot});
    const Place gone = std::exchange(job.promise, Place{});
    job.gains_tried.clear();
    for_pools_of(gone.placement, [&](PoolId pool) { gained(pool); });
}

// ---------------------------------------------------------------------------------------------
// What happened

void Engine::State::on(const JobSubmitted& event) {
    const Request& request = event.request;
    Job& job = jobs.add(request.job);
    const bool is_served = !request.demand.pools.empty();
    if (is_served) free.arrived(request.demand);
    job.priority = request.priority;
    job.tenant = quotas.any() ? request.tenant : TenantId{0};
    job.shape = shape_for(request.demand);
    if (quotas.any()) job.line = line_for(job.shape, job.tenant);
    job.limit = request.limit;
    job.submitted_at = told_at;
    job.deadline = request.deadline;
    job.checkpoint = request.checkpoint;
    job.replace_failed = request.replace_failed;
    job.expected = request.predicted > Duration{} ? request.predicted : request.expected;
    if (request.predicted == Duration{}) {
        job.owner = request.owner;
        job.likeness = request.likeness;
    }
    job.rank = {
        .lane = static_cast<std::uint8_t>(lanes - 1 - static_cast<std::uint32_t>(job.priority)),
        .date = {},
        .order = submissions++};
    job.rank.date = date_of(job, job.limit);
    job.overtaking = job.rank;
    job.array = request.array_at_once_max > 0 ? request.array : JobId::none();
    if (job.array.valid()) {
        Array& array = arrays[job.array];
        array.at_once_max = request.array_at_once_max;
        ++array.alive;
    }
    jobs.set_phase(job, Phase::held);
    ++counts.held;
    ++step;
    if (request.sizes.size() > 1) enter_sizes(jobs.slot_of(request.job), request);

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
    if (!request.data.empty()) {
        data_matters = true;
        WithData& its = with_data[request.job];
        its.asked = request.demand;
        for (const Size& size : request.sizes) {
            for (const PoolId pool : size.demand.pools) {
                std::vector<PoolId>& pools = its.asked.pools;
                if (std::find(pools.begin(), pools.end(), pool) == pools.end())
                    pools.push_back(pool);
            }
        }
        for (const std::string& name : request.data)
            its.datasets.push_back(staging.id_of(name));
    }
    // Nothing that happens in this fleet lets it start.
    if (!is_served) ++job.unmet;
    const bool dropped = !doomed.empty() && doomed.back().job == request.job;
    if (job.unmet == 0 && !dropped) may_wait_for_room(jobs.slot_of(request.job));
}

// Nothing but its data holds it any more.
void Engine::State::may_wait_for_room(std::uint32_t slot) {
    if (with_data.count(jobs.at(slot).id) > 0) return want_data(slot);
    --counts.held;
    enter(slot);
}

// What it held is free again.
void Engine::State::give_room(std::uint32_t slot) {
    Job& job = jobs.at(slot);
    const fleet::Shape& shape = shapes[job.shape].shape;
    free.give(shape, job.placement);
    plan.ended(job.id, shape, job.placement, job.end_by);
    discharge(job);
    stop_using_data(job);
    gained(job.placement);
    running.leave(slot, job.started_at, job.end_by);
    if (!running_of_tenant.empty()) running_of_tenant[job.tenant.value].erase(job.rank);
    if (job.stopping) stopping.erase(slot);
    --counts.running;
    if (job.array.valid()) --arrays.at(job.array).running;
}

void Engine::State::on(const JobEnded& event) {
    const std::uint32_t slot = jobs.slot_of(event.job);
    WEIR_ASSERT(slot != no_slot && jobs.at(slot).phase == Phase::running);
    Job& job = jobs.at(slot);
    give_room(slot);
    if (job.stopping && job.stopped_for.valid() && --making_room.at(job.stopped_for) == 0) {
        making_room.erase(job.stopped_for);
    }
    const JobId array = job.array;
    if (event.requeue) {
        job.placement.ranges.clear();
        job.stopping = false;
        job.stopped_for = JobId::none();
        if (with_data.count(event.job) > 0) narrow(slot);
        enter(slot);
    } else {
        if (event.outcome == Outcome::succeeded && policy.prediction == Prediction::history) {
            history.ended(job.owner, job.likeness, told_at - job.started_at);
        }
        finish(event.job, event.outcome);
    }
    if (array.valid()) unpark(array);
}

void Engine::State::on(const JobCancelled& event) {
    const std::uint32_t slot = jobs.slot_of(event.job);
    WEIR_ASSERT(slot != no_slot);
    const Phase phase = jobs.at(slot).phase;
    WEIR_ASSERT(phase == Phase::pending || phase == Phase::held);
    const JobId array = jobs.at(slot).array;
    if (phase == Phase::pending) {
        leave(slot);
    } else {
        if (jobs.at(slot).promise.found()) withdraw(slot);
        --counts.held;
    }
    finish(event.job, Outcome::cancelled);
    if (array.valid()) unpark(array);
}

void Engine::State::on(const NodeChanged& event) {
    NodeHealth& known = health.at(event.pool.value).at(event.node);
    if (known == event.health) return;
    const bool failed = known == NodeHealth::down;
    known = event.health;
    const bool in_service = event.health == NodeHealth::up;
    change_supply(
        [&](fleet::FreeIndex& index) { index.set_in_service(event.pool, event.node, in_service); });
    plan.set_in_service(event.pool, event.node, in_service);
    if (failed && in_service && policy.suspect_for > Duration{}) {
        free.set_suspect(event.pool, event.node, true);
        suspects[{event.pool, event.node}] = told_at + policy.suspect_for;
    }
    gained(event.pool);
}

void Engine::State::on(const Checkpointed& event) {
    const std::uint32_t slot = jobs.slot_of(event.job);
    if (slot != no_slot && jobs.at(slot).phase == Phase::running) jobs.at(slot).saved_at = told_at;
}

void Engine::State::on(const ReplicaLost& event) {
    lost.push_back({event.job, event.pool, event.node});
    ++step;
}

void Engine::State::on(const PowerCapSet& event) {
    const PowerDomain& domain = event.domain;
    change_supply([&](fleet::FreeIndex& index) { set_budget(index, domain, event.watts); });
    plan.set_power(domain, event.watts);
    caps[domain] = event.watts;
    empty.reset();
    over_power.erase(domain);
    const std::string& site = fleet.pool(domain.pool).site;
    for (std::uint32_t i = 0; i < fleet.pools.size(); ++i)
        if (fleet.pools[i].site == site) gained(PoolId{i});
}

void Engine::State::on(const AdvanceMade& event) {
    for (const Advance::Nodes& run : event.advance.nodes)
        WEIR_ASSERT(run.first + run.count <= fleet.pool(run.pool).nodes);
    set_apart[event.advance.id] = {.advance = event.advance, .begun = false};
    plan.set_apart(event.advance, false);
    for (const Advance::Nodes& nodes : event.advance.nodes)
        gained(nodes.pool);
}

void Engine::State::on(const AdvanceEnded& event) {
    const auto known = set_apart.find(event.id);
    if (known == set_apart.end()) return;
    end_advance(known->second);
    set_apart.erase(known);
}

void Engine::State::end_advance(const SetApart& apart) {
    for (const Advance::Nodes& nodes : apart.advance.nodes) {
        for (std::uint32_t n = 0; apart.begun && n < nodes.count; ++n) {
            change_supply(
                [&](fleet::FreeIndex& index) { index.set_tag(nodes.pool, nodes.first + n, 0); });
        }
    }
    plan.give_back(apart.advance);
    for (const Advance::Nodes& nodes : apart.advance.nodes)
        gained(nodes.pool);
}

// The job is over: it leaves the table, and those that waited for it learn how it came out.
void Engine::State::finish(JobId id, Outcome outcome) {
    Job& job = jobs.at(jobs.slot_of(id));
    if (job.array.valid()) {
        const auto array = arrays.find(job.array);
        if (--array->second.alive == 0) arrays.erase(array);
    }
    if (--shapes[job.shape].jobs == 0) --shapes_in_use;
    if (quotas.any()) --lines[job.line].jobs;
    forget_data(id);
    forget_sizes(id);
    jobs.end(job, outcome);
    dependencies.erase(id);

    const auto waiters = dependents.find(id);
    if (waiters == dependents.end()) return;
    const std::vector<Dependent> released = std::move(waiters->second);
    dependents.erase(waiters);
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
        may_wait_for_room(slot);
    }
}

// ---------------------------------------------------------------------------------------------
// What is decided, as changes of the state

// The job has its placement, which is taken in `free`; it waits for room and holds no promise.
void Engine::State::started(std::uint32_t slot, Time at, Cause cause) {
    Job& job = jobs.at(slot);
    const fleet::Shape& shape = shapes[job.shape].shape;
    leave(slot);
    job.cause = cause;
    job.started_at = at;
    job.saved_at = never;
    job.end_by = end_by(job, at);
    jobs.set_phase(job, Phase::running);
    running.join(slot, at, job.end_by);
    if (!running_of_tenant.empty())
        running_of_tenant[job.tenant.value].insert({job.rank, slot, job.shape});
    charge(job, job.placement.ranges.front().pool, job.end_by);
    use_data(job);
    if (!with_sizes.empty()) settle_size(slot, chosen_size(job.id));
    ++counts.running;
    if (job.array.valid()) ++arrays.at(job.array).running;
    plan.started(job.id, shape, job.placement, job.end_by);
    for_pools_of(job.placement, [&](PoolId pool) {
        for_who_shares(pool, [this](PoolId its) { ++changes[its.value]; });
    });
    ++step;

    digest.add(job.id.value);
    digest.add(at.time_since_epoch().count());
    digest.add(static_cast<std::uint32_t>(cause));
    for (const fleet::NodeRange& range : job.placement.ranges) {
        digest.add(std::uint64_t{range.pool.value} << 32 | range.first);
        digest.add(std::uint64_t{range.count} << 32 | range.replicas);
        digest.add(range.chip_mask);
    }
}

bool Engine::State::is_promised(JobId job, Time at) const {
    const std::uint32_t slot = jobs.slot_of(job);
    return slot != no_slot && jobs.at(slot).promise.found() && jobs.at(slot).promise.at == at;
}

void Engine::State::note_promise(JobId job, Time at) {
    digest.add(~job.value);
    digest.add(at.time_since_epoch().count());
}

// A held job that can never start.
void Engine::State::drop(std::uint32_t slot) {
    const JobId id = jobs.at(slot).id;
    --counts.held;
    finish(id, Outcome::cancelled);
    ++step;
    digest.add(id.value ^ (std::uint64_t{1} << 63));
}

// It will be gone earlier than its limit says.
void Engine::State::stop(std::uint32_t slot, JobId for_job, Time by, Time at) {
    Job& job = jobs.at(slot);
    const fleet::Shape& shape = shapes[job.shape].shape;
    job.stopping = true;
    job.stopped_for = for_job;
    stopping.insert(slot);
    if (by < job.end_by) {
        plan.ended(job.id, shape, job.placement, job.end_by);
        running.change_end(job.end_by, by);
        job.end_by = by;
        if (quotas.lends()) {
            quotas.change_end(*held_by(job), by);
            job.charged_until = by;
        }
        plan.started(job.id, shape, job.placement, job.end_by);
    }
    if (for_job.valid()) {
        preemptions.push_back(at);
        ++making_room[for_job];
    }
    for_pools_of(job.placement, [&](PoolId pool) { gained(pool); });
    digest.add(job.id.value ^ (std::uint64_t{1} << 62));
    digest.add(by.time_since_epoch().count());
}

// A running job goes on elsewhere; `to` is free.
void Engine::State::move(std::uint32_t slot, const fleet::Placement& to) {
    Job& job = jobs.at(slot);
    const fleet::Shape& shape = shapes[job.shape].shape;
    free.give(shape, job.placement);
    plan.ended(job.id, shape, job.placement, job.end_by);
    for_pools_of(job.placement, [&](PoolId pool) { gained(pool); });
    job.placement = to;
    free.take(shape, job.placement);
    plan.started(job.id, shape, job.placement, job.end_by);
    digest.add(job.id.value ^ (std::uint64_t{1} << 61));
    for (const fleet::NodeRange& range : to.ranges)
        digest.add(std::uint64_t{range.pool.value} << 32 | range.first);
}

// ---------------------------------------------------------------------------------------------

Engine::Engine(fleet::Fleet fleet, Policy policy, tenancy::Rights rights)
    : state_(std::make_unique<State>(std::move(fleet), std::move(policy), std::move(rights))) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

void Engine::apply(const Event& event, Time now) {
    state_->advance(now);
    std::visit([this](const auto& what) { state_->on(what); }, event);
    if (state_->room_for_data) state_->seek_homes();
}

void Engine::decide(Time now, std::vector<Decision>& decisions) {
    state_->advance(now);
    state_->decide(now, decisions);
}

Result<void> Engine::can_ever_fit(const fleet::Demand& demand) const {
    if (!state_->empty) state_->empty = state_->emptied();
    return sched::can_ever_fit(state_->fleet, *state_->empty, demand);
}

Result<void> Engine::can_ever_have(TenantId tenant, const fleet::Demand& demand) const {
    const Quotas& quotas = state_->quotas;
    if (!quotas.any()) return {};
    const fleet::Shape shape{demand, fleet::FreeIndex::domains_of(state_->fleet, demand)};
    ShapeKinds kinds = quotas.kinds_of(shape);
    const KindSet possible = quotas.possible(tenant, kinds);
    if (possible == 0)
        return fail(Code::never_fits, "quota: " + quotas.limits_in_words(tenant, kinds));
    if (possible == kinds.all()) return {};
    // There has to be room where there is a right.
    const auto fits = can_ever_fit(Quotas::inside(shape, kinds, possible).demand);
    if (fits) return {};
    return fail(Code::never_fits,
                fmt::format("quota: {}, and elsewhere {}",
                            quotas.limits_in_words(tenant, kinds),
                            fits.error().message));
}

bool Engine::fits_now(JobId job) const {
    const std::uint32_t slot = state_->jobs.slot_of(job);
    if (slot == no_slot) return false;
    // Whatever was promised to others: so it ends before any promise.
    return state_->free.fits(state_->shapes[state_->jobs.at(slot).shape].shape, Time::min());
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
const Staging& Engine::staging() const {
    return state_->staging;
}
const tenancy::QuotaTree& Engine::quotas() const {
    return state_->quotas.tree();
}
const tenancy::Rights& Engine::rights() const {
    return state_->quotas.rights();
}
std::uint32_t Engine::fair_value(TenantId tenant) const {
    return state_->quotas.fair_value(tenant);
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

fleet::FreeIndex::PowerUse Engine::power_of(const PowerDomain& domain) const {
    return state_->use_of(domain);
}

}  // namespace weir::sched
