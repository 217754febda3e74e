// One pass: what starts now, and who is promised a start.
//
//   1. time      advance reservations begin and end, suspicions lapse, who cannot start is dropped
//   2. budgets   watts over a budget: who loses least is stopped; failed nodes are replaced
//   3. promises  in the order of the queue: who holds one starts if there is room, else its place
//                is looked for again where something changed; a promise never becomes later by it
//   4. the front of the queue: who fits starts, the first who does not is promised a start, until
//                each pool has as many promises as the policy says; high classes make room
//   5. overtaking in order: whoever fits and is in the way of no promise starts
//
// Step 5 does not look at jobs but at shapes that something changed for, and in each only at those
// who would end early enough; that is why a pass costs little whatever the length of the queue, and
// more only where thousands wait that all ask for something else.
#include <algorithm>
#include <limits>

#include "weir/base/assert.hpp"
#include "weir/sched/engine_state.hpp"

namespace weir::sched {
namespace {

// Passes whose allowance for planning may be saved up for one costly search.
constexpr std::int64_t passes_saved_max = 256;
// So many passes pay for one that was costlier than it looked.
constexpr std::int64_t passes_owed_max = 4096;

Time end_by(const Job& job, Time start) {
    return job.limit >= forever ? never : start + job.limit;
}

PoolId pool_of_promise(const Job& job) {
    return job.promise.placement.ranges.front().pool;
}

}  // namespace

void Engine::State::announce(std::vector<Decision>& decisions, Decision decision) {
    ++counts.decisions;
    decisions.push_back(std::move(decision));
}

void Engine::State::decide(Time now, std::vector<Decision>& decisions) {
    if (policy.plan_work_max > 0) {
        const auto allowance = static_cast<std::int64_t>(policy.plan_work_max);
        plan_credit = std::min(plan_credit + allowance, allowance * passes_saved_max);
        reclaim_credit = allowance * passes_owed_max;
    }
    ++passes;
    reclaims_at = never;
    come_to(now);
    if (rights_changed) withdraw_unfounded(decisions);
    if (!doomed.empty()) drop_doomed(decisions);
    for (Decision& told : told_later)
        announce(decisions, std::move(told));
    told_later.clear();
    if (!caps.empty()) keep_budgets(now, decisions);
    if (!lost.empty()) replace_lost(now, decisions);
    if (!sizing.empty()) choose_sizes(now, decisions);
    if (!policy.backfill) {
        quotas.any() ? in_strict_orders(now, decisions) : in_strict_order(now, decisions);
        return;
    }
    keep_promises(now, decisions);
    make_promises(now, decisions);
    overtake(now, decisions);
}

// ---------------------------------------------------------------------------------------------
// Time

void Engine::State::come_to(Time now) {
    quotas.refresh(now);
    for (auto it = suspects.begin(); it != suspects.end();) {
        if (it->second > now) {
            ++it;
            continue;
        }
        free.set_suspect(it->first.first, it->first.second, false);
        it = suspects.erase(it);
    }
    for (auto it = set_apart.begin(); it != set_apart.end();) {
        SetApart& apart = it->second;
        if (apart.advance.until <= now) {
            end_advance(apart);
            it = set_apart.erase(it);
            continue;
        }
        if (!apart.begun && apart.advance.from <= now) {
            apart.begun = true;
            plan.begin(apart.advance);
            for (const Advance::Nodes& nodes : apart.advance.nodes) {
                for (std::uint32_t n = 0; n < nodes.count; ++n) {
                    change_supply([&](fleet::FreeIndex& index) {
                        index.set_tag(nodes.pool, nodes.first + n, apart.advance.id.value);
                    });
                }
                gained(nodes.pool);
            }
        }
        ++it;
    }
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

// ---------------------------------------------------------------------------------------------
// Starting

// Leaves the placement in `found`. Not for who holds a promise: its own claims are in its way.
bool Engine::State::find_now(std::uint32_t slot, Time now, KindSet allowed) {
    const Job& job = jobs.at(slot);
    ShapeInfo& shape = shapes[job.shape];
    const Time end = end_by(job, now);
    if (end >= shape.blocked_from || allowed == 0) return false;
    if (quotas.any() && allowed != shape.kinds.all()) {
        if (free.find(shape_in(job.shape, allowed), found, end)) return true;
        Line& line = lines[job.line];
        line.blocked_from = line.blocked_in == passes ? std::min(line.blocked_from, end) : end;
        line.blocked_in = passes;
        return false;
    }
    bool may_fit = end < shape.blocked_elsewhere;
    for (std::uint32_t domain = 0; domain < shape.shape.domains.size() && !may_fit; ++domain)
        may_fit = shape.may_fit_in(domain) && free.fits_in(shape.shape, domain, end);
    if (may_fit && free.find(shape.shape, found, end)) return true;
    // Nearly always there is no room however early one ends: then nobody else is tried.
    shape.blocked_from = fits_at_all(shape) ? end : Time::min();
    return false;
}

// Whether somebody of the shape fits now who ends before anything that is promised.
bool Engine::State::fits_at_all(const ShapeInfo& shape) {
    if (shape.blocked_from == Time::min()) return false;
    for (std::uint32_t domain = 0; domain < shape.shape.domains.size(); ++domain) {
        const bool untried = shape.blocked_elsewhere > Time::min() || shape.may_fit_in(domain);
        if (untried && free.fits_in(shape.shape, domain, Time::min())) return true;
    }
    return false;
}

// Starts the job on the placement in `found`.
void Engine::State::start(std::uint32_t slot,
                          Time now,
                          Cause cause,
                          std::vector<Decision>& decisions) {
    Job& job = jobs.at(slot);
    if (!sizing.empty()) note_other_sizes(slot, now);
    free.take(shapes[job.shape].shape, found);
    job.placement = found;
    started(slot, now, cause);
    announce(decisions, {Start{job.id, job.placement, chosen_size(job.id)}, {.cause = cause}});
}

// The number of the domain of the shape in which the pool is.
std::uint32_t Engine::State::domain_of(const fleet::Shape& shape, PoolId pool) {
    std::uint32_t number = 0;
    for (const std::vector<PoolId>& domain : shape.domains) {
        if (std::find(domain.begin(), domain.end(), pool) != domain.end()) return number;
        ++number;
    }
    return 0;
}

std::uint64_t Engine::State::changes_around(const Job& job) const {
    const fleet::Shape& shape = shapes[job.shape].shape;
    std::uint64_t sum = 0;
    for (const PoolId pool : shape.domains[domain_of(shape, pool_of_promise(job))])
        sum += changes[pool.value];
    return sum;
}

std::uint64_t Engine::State::gains_in(const std::vector<PoolId>& pools) const {
    std::uint64_t sum = 0;
    for (const PoolId pool : pools)
        sum += gains[pool.value];
    return sum;
}

std::uint64_t Engine::State::changes_of(const fleet::Shape& shape) const {
    std::uint64_t sum = 0;
    for (const PoolId pool : shape.demand.pools)
        sum += changes[pool.value];
    return sum;
}

// ---------------------------------------------------------------------------------------------
// Promises

// Where the job gets its promise: see policy.hpp for slack. What it holds in the plan is its `own`.
Place Engine::State::place_for(std::uint32_t slot, Time now, const Plan::Own& own) {
    const Job& job = jobs.at(slot);
    const std::uint32_t grade = grade_of(job);
    const Time ready = ready_at(job, now);
    if (job.promise.found()) {
        // A promise stays where it was made, unless it cannot be kept there.
        const PoolId its = pool_of_promise(job);
        const auto same = [its](PoolId pool) { return pool == its; };
        const auto at_its_time = [&] {
            const Time at = job.promise.at;
            return at > now && at >= ready ? earliest_by_rights(job, at, own, same, at) : Place{};
        };
        const bool tight = now - job.submitted_at > policy.tighten_after;
        if (!tight) {
            // The room is held to the promise, not to the earliest possible time.
            Place kept = at_its_time();
            if (kept.found()) return kept;
        }
        Place earliest = earliest_by_rights(job, ready, own, same, std::max(job.promise.at, ready));
        if (earliest.found()) return earliest;
        if (tight) {
            // Where watts stand in the way, a search may pass over the time it was promised.
            Place kept = at_its_time();
            if (kept.found()) return kept;
        }
        return earliest_by_rights(job, ready, own);
    }
    const auto has_room = [&](PoolId pool) {
        return has_room_for_promise(pool, grade) &&
               (job.rank.lane <= high_lane || may_plan(plan.runs(pool)));
    };
    const std::function<bool(PoolId)> is_wanted =
        job.deadline == never ? std::function<bool(PoolId)>(has_room) : nullptr;
    Place earliest = earliest_by_rights(job, ready, own, is_wanted);
    if (!earliest.found()) return earliest;

    Duration slack = policy.slack;
    if (job.limit < forever) {
        slack += Duration{job.limit.count() / 100 * policy.slack_percent};
    }
    Time at = std::min(earliest.at + slack, job.submitted_at + policy.slack_until);
    if (job.deadline != never) at = std::min(at, job.deadline - job.limit);
    if (at <= earliest.at) return earliest;
    Place later = earliest_by_rights(job, at, own, is_wanted, at);
    return later.found() ? later : earliest;
}

// The same where room may have been made for it.
Place Engine::State::place_with(std::optional<Place> made_room,
                                std::uint32_t slot,
                                Time now,
                                const Plan::Own& own) {
    if (!made_room) return place_for(slot, now, own);
    return made_room->found() ? *std::move(made_room) : earliest_by_rights(jobs.at(slot), now, own);
}

// Whether somebody who holds a promise may fit now, for all that can be said without giving the
// promise back: where it is, as if nothing were promised to anybody.
bool Engine::State::may_start(std::uint32_t slot, Time now) {
    Job& job = jobs.at(slot);
    const fleet::Shape& shape = shapes[job.shape].shape;
    const Time end = end_by(job, now);
    job.gains_tried.resize(shape.domains.size(), 0);
    const std::uint32_t its = domain_of(shape, pool_of_promise(job));
    for (std::uint32_t domain = 0; domain < shape.domains.size(); ++domain) {
        const std::uint64_t its_gains = gains_in(shape.domains[domain]);
        if (job.gains_tried[domain] == its_gains) continue;
        if (free.fits_in(shape, domain, domain == its ? Time::min() : end)) return true;
        job.gains_tried[domain] = its_gains;
    }
    return false;
}

void Engine::State::cannot_start(std::uint32_t slot) {
    Job& job = jobs.at(slot);
    const fleet::Shape& shape = shapes[job.shape].shape;
    job.gains_tried.clear();
    for (const std::vector<PoolId>& domain : shape.domains)
        job.gains_tried.push_back(gains_in(domain));
}

void Engine::State::keep_promises(Time now, std::vector<Decision>& decisions) {
    // Where many are promised something, half of the work is for those who wait for a first
    // promise.
    const std::int64_t kept_for_others =
        policy.reservations_max > 1 ? plan_credit / 2 : std::numeric_limits<std::int64_t>::min();
    std::vector<std::uint32_t> slots;
    slots.reserve(promised.size());
    for (const auto& [rank, slot] : promised)
        slots.push_back(slot);
    // Whose data is late is promised another time, or none, before the others: they may need that
    // room now, and nobody may come later who has them asked again.
    std::stable_partition(slots.begin(), slots.end(), [&](std::uint32_t slot) {
        const Job& job = jobs.at(slot);
        return job.phase == Phase::held && is_late_for_promise(job, now);
    });
    for (const std::uint32_t slot : slots) {
        Job& job = jobs.at(slot);
        const fleet::Shape& shape = shapes[job.shape].shape;
        const bool due_now = job.promise.at <= now;
        const bool tight = now - job.submitted_at > policy.tighten_after;
        const std::uint64_t all_changes = changes_of(shape);
        const std::uint64_t its_changes = changes_around(job);
        // A rule of time that stood in the way of making room may have lapsed.
        // Somebody who outlives his limit since then counts as gone any moment.
        const bool outlived = running.outlived(job.planned_when, now);
        // Nobody is stopped for somebody whose data is still to come.
        const bool ready = job.phase == Phase::pending;
        const bool is_put_off = !ready && is_late_for_promise(job, now);
        const bool reclaims = ready && reclaims_now(job, now);
        const bool may_stop = reclaims || (ready && job.priority >= job::Priority::high &&
                                           next_stop_rule(job) <= now);
        if (due_now && !ready && !is_put_off) continue;  // its data is a little late
        if (!is_put_off && !due_now && !outlived && !may_stop && tight == job.planned_tight &&
            all_changes == job.tried_at && its_changes == job.planned_at) {
            continue;
        }
        job.tried_at = all_changes;
        const bool changed = due_now || outlived || may_stop || is_put_off ||
                             tight != job.planned_tight || its_changes != job.planned_at;

        const bool try_now = ready && may_start(slot, now);
        // Who may have others stopped is not made to wait for the budget of work.
        // Nor is a search needed for whom nothing can be kept.
        const bool is_over = is_put_off && ready_at(job, now) == never;
        const bool afford =
            changed && (is_over || job.rank.lane <= high_lane || policy.plan_work_max == 0 ||
                        (plan_credit > kept_for_others && may_plan(job)));
        const Place before = job.promise;
        Place claimed = before;
        const auto release = [&] {
            if (claimed.found()) plan.release(job.id, shape, claimed);
            claimed = {};
        };
        const auto start_it = [&] {
            release();
            forget_promise(slot);
            make_eligible(slot);
            start(slot, now, Cause::promised, decisions);
        };
        if (try_now) {
            release();           // what is promised to it is in its way, too
            cannot_start(slot);  // unless it does
            const KindSet allowed = allowed_for(job);
            if (allowed != 0 && free.find(shape_in(job.shape, allowed), found, end_by(job, now))) {
                start_it();
                continue;
            }
        }
        // FreeIndex knows less of the promises to others than the plan, which keeps the very nodes.
        if (ready && due_now && end_by(job, now) <= before.until &&
            free.find_on(shape, before.placement, found)) {
            start_it();
            continue;
        }
        const Plan::Own own{job.id, claimed.found() ? &claimed : nullptr};
        std::optional<Place> made_room;
        if (ready && (afford || reclaims)) made_room = make_room(slot, now, own, decisions);
        if (!afford && !made_room) {
            if (!claimed.found()) plan.claim(job.id, shape, before);
            continue;
        }
        const std::uint64_t work_before = plan.work();
        Place place;
        if (ready_at(job, now) < never) place = place_with(std::move(made_room), slot, now, own);
        charge_for_planning(work_before);
        if (!place.found()) {
            // Nodes, watts or its data are gone: nothing can be promised for now.
            plan.move_claim(job.id, shape, claimed, {});
            forget_promise(slot);
            if (ready) make_eligible(slot);
            job.tried_at = changes_of(shape);
            note_promise(job.id, never);
            announce(decisions, {Reserve{job.id, never, {}}, {.cause = Cause::reserved}});
            continue;
        }
        if (ready && place.at <= now && free.find_on(shape, place.placement, found)) {
            start_it();
            continue;
        }
        if (due_now && place.at <= now) {
            // Somebody outlives his limit: it is due, and not promised anew with every moment.
            place.at = before.at;
            place.until = before.until;
        }
        place.kept_free = making_room.count(job.id) > 0;
        plan.move_claim(job.id, shape, claimed, place);
        if (place != before) {
            for_pools_of(before.placement, [&](PoolId pool) {
                --promises_of_pool[pool.value * grades + job.grade];
                ++changes[pool.value];
                retry(pool);
            });
            job.promise = place;
            discharge(job);
            job.grade = static_cast<std::uint8_t>(grade_of(job));  // at its new time
            charge(job, place.placement.ranges.front().pool, place.until);
            for_pools_of(place.placement, [&](PoolId pool) {
                ++promises_of_pool[pool.value * grades + job.grade];
                ++changes[pool.value];
            });
            Decision decision{Reserve{job.id, place.at, place.placement, chosen_size(job.id)},
                              {.cause = Cause::reserved, .until = place.at}};
            if (place.at != before.at) {
                note_promise(job.id, place.at);
                announce(decisions, std::move(decision));
            } else {
                decisions.push_back(std::move(decision));  // the same promise, on other nodes
            }
        }
        job.planned_at = changes_around(job);
        job.tried_at = changes_of(shape);
        job.planned_tight = tight;
        job.planned_when = now;
    }
}

// A search costs about as many steps as its pools have runs; long ones are saved up for.
bool Engine::State::may_plan(std::uint64_t runs) const {
    const std::uint64_t allowance = policy.plan_work_max;
    if (allowance == 0) return true;
    if (runs <= allowance) return plan_credit >= 0;
    return plan_credit >=
           static_cast<std::int64_t>(std::min<std::uint64_t>(runs, allowance * passes_saved_max));
}

// A search may turn out longer than its pools have runs; what it took too much is paid back later.
void Engine::State::charge_for_planning(std::uint64_t work_before) {
    const auto allowance = static_cast<std::int64_t>(policy.plan_work_max);
    plan_credit -= static_cast<std::int64_t>(plan.work() - work_before);
    plan_credit = std::max(plan_credit, -allowance * passes_owed_max);
}

bool Engine::State::may_plan(const Job& job) const {
    const fleet::Shape& shape = shapes[job.shape].shape;
    std::uint64_t runs = 0;
    for (const PoolId pool : shape.domains[domain_of(shape, pool_of_promise(job))])
        runs += plan.runs(pool);
    return may_plan(runs);
}

std::uint32_t Engine::State::grade_of(const Job& job) const {
    return job.charged != Job::not_charged ? job.grade : grade_by_rights(job);
}

// Promises to lower classes do not count against it.
bool Engine::State::has_room_for_promise(PoolId pool, std::uint32_t grade) const {
    std::uint32_t count = 0;
    for (std::uint32_t above = grade < first_ahead ? 0 : first_ahead; above <= grade; ++above)
        count += promises_of_pool[pool.value * grades + above];
    return count < policy.reservations_max;
}

void Engine::State::reserve(std::uint32_t slot, Place place, std::vector<Decision>& decisions) {
    Job& job = jobs.at(slot);
    place.kept_free = making_room.count(job.id) > 0;
    job.planned_when = told_at;
    job.planned_tight = told_at - job.submitted_at > policy.tighten_after;
    note_promise(job.id, place.at);
    announce(decisions,
             {Reserve{job.id, place.at, place.placement, chosen_size(job.id)},
              {.cause = Cause::reserved, .until = place.at}});
    promise(slot, std::move(place));
    job.planned_at = changes_around(job);
    job.tried_at = changes_of(shapes[job.shape].shape);
}

void Engine::State::make_promises(Time now, std::vector<Decision>& decisions) {
    bool has_other_size = false;
    const auto settle = [&](std::uint32_t slot, bool afford) {
        Job& job = jobs.at(slot);
        const KindSet allowed = allowed_for(job);
        if (allowed == 0 && !quotas.lends()) return;
        // Rights that are yet to come may be in other kinds.
        const fleet::Shape& shape =
            quotas.lends() ? shapes[job.shape].shape : shape_in(job.shape, allowed);
        if (find_now(slot, now, allowed)) {
            start(slot, now, cause_of_overtaking(found, end_by(job, now)), decisions);
            return;
        }
        const std::uint64_t its_changes = changes_of(shape);
        const bool changed = job.tried_at != its_changes;
        if (!changed && next_stop_rule(job) > now) return;
        // What was free for it when its size was chosen is another's by now.
        if (!sizing.empty() && choose_size_of_waiting(slot, now)) {
            jobs.at(slot).asked_in = 0;  // it is asked again, with the other one
            has_other_size = true;
            return;
        }
        std::optional<Place> made_room = make_room(slot, now, {}, decisions);
        job.planned_when = now;
        if (!made_room && (!changed || !afford)) return;  // nothing changed since it failed
        const std::uint64_t work_before = plan.work();
        Place place = place_with(std::move(made_room), slot, now, {});
        charge_for_planning(work_before);
        if (!place.found()) {
            job.tried_at = its_changes;
            return;
        }
        if (place.at <= now && free.find_on(shape, place.placement, found)) {
            start(slot, now, cause_of_overtaking(found, end_by(job, now)), decisions);
            return;
        }
        reserve(slot, std::move(place), decisions);
    };
    // A deadline was accepted because it could be met: it is promised whatever the depth.
    std::vector<std::uint32_t> with_deadline(due.begin(), due.end());
    std::sort(with_deadline.begin(), with_deadline.end(), [&](std::uint32_t a, std::uint32_t b) {
        return jobs.at(a).rank < jobs.at(b).rank;
    });
    for (const std::uint32_t slot : with_deadline) {
        do {
            has_other_size = false;
            settle(slot, true);
        } while (has_other_size);
    }

    // Who could not be promised anything is not asked again in this pass.
    const bool may_reclaim = quotas.any() && policy.preempt && stops_left(now) > 0;
    const std::uint32_t best_grade = high_waiting > 0 ? 0 : high_lane + 1;  // of all who wait
    std::vector<bool> affords(shapes_of_pool.size());
    while (true) {
        Front best;
        bool best_afford = true;
        // Who may have others stopped is not made to wait for the budget.
        for (std::uint32_t pool = 0; pool < affords.size(); ++pool)
            affords[pool] = may_plan(plan.runs(PoolId{pool}));
        const bool none_affords = std::find(affords.begin(), affords.end(), true) == affords.end();
        ++choices;
        for (std::uint32_t pool = 0; pool < shapes_of_pool.size(); ++pool) {
            const bool afford = affords[pool];
            if ((!afford && high_waiting == 0 && !may_reclaim) ||
                !has_room_for_promise(PoolId{pool}, best_grade)) {
                continue;
            }
            for (const auto& [number, domain] : shapes_of_pool[pool]) {
                ShapeInfo& shape = shapes[number];
                if (shape.passed_over_in == choices) continue;  // as in another pool
                const Front its = front_of(number);
                const auto pass_over = [&] { shape.passed_over_in = choices; };
                if (!its.found() || its.slot == best.slot || (best.found() && !its.before(best))) {
                    pass_over();
                    continue;
                }
                const Job& job = jobs.at(its.slot);
                if (job.asked_in == passes) {
                    pass_over();
                    continue;
                }
                if (!afford && job.rank.lane > high_lane && !reclaims_now(job, now)) {
                    if (none_affords) pass_over();
                    continue;
                }
                if (!has_room_for_promise(PoolId{pool}, grade_of(job))) continue;
                if (job.tried_at != 0 && !shape.to_try && job.tried_at == changes_of(shape.shape)) {
                    pass_over();  // it can be promised nothing, and nothing changed
                    continue;
                }
                best = its;
                best_afford = afford || job.rank.lane <= high_lane;
            }
        }
        promise_ahead(now, best.found() ? &best : nullptr, decisions);
        if (!best.found()) return;
        jobs.at(best.slot).asked_in = passes;
        settle(best.slot, best_afford);
    }
}

// ---------------------------------------------------------------------------------------------
// Overtaking

Cause Engine::State::cause_of_overtaking(const fleet::Placement& placement, Time end) const {
    std::vector<PoolId> pools;
    for_pools_of(placement, [&](PoolId pool) {
        const auto first = promises_of_pool.begin() + pool.value * grades;
        if (std::any_of(first, first + grades, [](std::uint32_t count) { return count > 0; })) {
            pools.push_back(pool);
        }
    });
    if (pools.empty()) return Cause::fits_now;
    for (const auto& [rank, slot] : promised) {
        const Job& job = jobs.at(slot);
        for (const fleet::NodeRange& range : job.promise.placement.ranges) {
            if (std::find(pools.begin(), pools.end(), range.pool) == pools.end()) continue;
            return end <= job.promise.at ? Cause::backfilled : Cause::backfilled_beside;
        }
    }
    return Cause::fits_now;
}

void Engine::State::overtake(Time now, std::vector<Decision>& decisions) {
    struct Candidate {
        Front front;
        std::uint32_t shape = 0;
        std::uint64_t version = 0;  // of the rights by which it is first; 0: whoever it is, not
                                    // before this
        bool operator<(const Candidate& other) const { return other.front.before(front); }
    };
    std::vector<Candidate> candidates;  // a heap
    const auto first_of = [&](std::uint32_t shape) {
        return Candidate{first_untried(shape, now), shape, 0};
    };
    // Starting only takes room, so no shape joins while we walk.
    for (const std::uint32_t shape : to_try) {
        shapes[shape].to_try = false;
        if (!could_hold(shape)) continue;
        if (const Candidate its = first_of(shape); its.front.found()) candidates.push_back(its);
    }
    to_try.clear();
    std::make_heap(candidates.begin(), candidates.end());
    while (!candidates.empty()) {
        std::pop_heap(candidates.begin(), candidates.end());
        Candidate next = candidates.back();
        candidates.pop_back();
        const std::uint32_t shape = next.shape;
        const std::uint64_t version = quotas.any() ? quotas.version_of(shapes[shape].kinds) : 0;
        if (next.version != version) {
            // Who it is is not looked for where nobody fits. And what started meanwhile may have
            // moved it back.
            if (next.version == 0 && !fits_at_all(shapes[shape])) {
                shapes[shape].blocked_from = Time::min();
                continue;
            }
            next = {front_of_untried(shape, now), shape, version};
            if (!next.front.found()) continue;
            if (!candidates.empty() && candidates.front().front.before(next.front)) {
                candidates.push_back(next);
                std::push_heap(candidates.begin(), candidates.end());
                continue;
            }
        }
        const std::uint32_t slot = next.front.slot;
        if (find_now(slot, now, next.front.allowed)) {
            const Cause cause = cause_of_overtaking(found, end_by(jobs.at(slot), now));
            start(slot, now, cause, decisions);
            // Where very many ask for different things, most of them ask for more than is left.
            if (candidates.size() > 64) {
                std::erase_if(candidates,
                              [&](const Candidate& its) { return !could_hold(its.shape); });
                std::make_heap(candidates.begin(), candidates.end());
            }
        }
        if (const Candidate its = first_of(shape); its.front.found()) {
            candidates.push_back(its);
            std::push_heap(candidates.begin(), candidates.end());
        }
    }
}

// By counts alone.
bool Engine::State::could_hold(std::uint32_t shape) const {
    const fleet::Shape& its = shapes[shape].shape;
    return std::any_of(its.domains.begin(), its.domains.end(), [&](const auto& domain) {
        return free.could_hold(domain, its.demand);
    });
}

}  // namespace weir::sched
