// What stops: running jobs that make room for higher classes, that leave a rack whose budget was
// lowered, and gangs that go on with another node. Who must go is found in victims.cpp; here are
// the hard rules: nobody is stopped for others before min_run, nor more than so many in an hour,
// nor for a promise that others would still stand in the way of. Budgets of watts wait for none of
// these.
#include <algorithm>
#include <limits>

#include "weir/sched/engine_state.hpp"

namespace weir::sched {
namespace {

// What stopping takes besides the checkpoint, until the room is free.
constexpr Duration stop_grace = seconds(60);
// Reading a checkpoint and starting again costs a job about as much as this.
constexpr Duration restart_cost = seconds(60);
constexpr Duration an_hour = seconds(3600);
// So many borrowers are looked at to say who may not be stopped yet.
constexpr std::size_t named_max = 64;

// The work that is lost when the job is stopped now, in chip-milliseconds (CPU-milliseconds). A job
// that says how often it saves its work is believed, even if it does not tell of every time.
std::int64_t lost_work(const Job& job, const fleet::Demand& demand, Time now) {
    Time safe = job.saved_at == never ? job.started_at : job.saved_at;
    if (const Duration every = job.checkpoint.every + job.checkpoint.cost;
        job.checkpoint.every > Duration{}) {
        safe = std::max(safe, job.started_at + (now - job.started_at) / every * every);
    }
    const Duration again = now - safe + job.checkpoint.cost + restart_cost;
    const std::uint64_t chips = demand.chips_milli();
    const std::uint64_t size = chips > 0 ? chips : std::max<std::uint64_t>(demand.cpus_milli(), 1);
    return again.count() / 1000 * static_cast<std::int64_t>(size);
}

}  // namespace

Time Engine::State::stopped_by(const Job& job, Time now) const {
    return std::min(job.end_by, now + job.checkpoint.cost + stop_grace);
}

// Whether a hard rule forbids to stop it now.
bool Engine::State::protected_now(const Job& job, Time now) const {
    return job.stopping || now < job.started_at + policy.min_run;
}

// When, after this moment, a hard rule about stopping next lapses for somebody.
Time Engine::State::next_stop_rule(Time after) const {
    if (!policy.preempt) return never;
    Time next = never;
    const Time young = running.next_start(std::max(after, Time{}) - policy.min_run);
    if (young != never) next = young + policy.min_run;
    if (preemptions.size() >= policy.preemptions_per_hour_max && !preemptions.empty() &&
        preemptions.front() + an_hour > after) {
        next = std::min(next, preemptions.front() + an_hour);
    }
    return next;
}

// When it is worth trying again to have others stopped for a job that waits.
Time Engine::State::next_stop_rule(const Job& job) const {
    if (!quotas.any() || job.priority >= job::Priority::high)
        return next_stop_rule(job.planned_when);
    return may_stop_others(job) ? job.reclaim_at : never;
}

std::size_t Engine::State::stops_left(Time now) {
    while (!preemptions.empty() && preemptions.front() + an_hour <= now)
        preemptions.pop_front();
    const std::size_t most = policy.preemptions_per_hour_max;
    return preemptions.size() < most ? most - preemptions.size() : 0;
}

// The first moment at which the limit of an hour lets somebody be stopped.
Time Engine::State::stops_from(Time now) {
    if (stops_left(now) > 0) return now;
    return preemptions.empty() ? never : preemptions.front() + an_hour;
}

Engine::State::Stoppable Engine::State::stoppable_for(const Job& job,
                                                      Time from,
                                                      std::size_t borrowers_max) const {
    if (!quotas.any()) return {running.slots(), 0};
    Stoppable all{borrowers_from(job, from, borrowers_max), 0};
    all.borrowers = all.slots.size();
    if (job.priority >= job::Priority::high && policy.backfill)
        running_of_tenant[job.tenant.value].walk([&](const InOrder& its) {
            all.slots.push_back(its.slot);
            return true;
        });
    return all;
}

// Among whom it is looked for a victim first; nothing: it may not be stopped for this job.
std::optional<std::uint32_t> Engine::State::rank_of(const Stoppable& all,
                                                    std::size_t i,
                                                    const Job& job) const {
    if (i < all.borrowers) return Classes::borrower;
    return classes.of(jobs.at(all.slots[i]).priority, job.priority);
}

std::vector<Explanation::NotYet> Engine::State::not_to_be_stopped_yet(const Job& job, Time now) {
    std::vector<Explanation::NotYet> kept;
    if (!may_stop_others(job)) return kept;
    const Time next_stop = stops_from(now);
    const std::vector<PoolId>& pools = shapes[job.shape].shape.demand.pools;
    const Stoppable all = stoppable_for(job, now, named_max);
    for (std::size_t i = 0; i < all.slots.size(); ++i) {
        const Job& each = jobs.at(all.slots[i]);
        if (each.stopping || !rank_of(all, i, job)) continue;
        if (std::none_of(each.placement.ranges.begin(),
                         each.placement.ranges.end(),
                         [&pools](const fleet::NodeRange& range) {
                             return std::find(pools.begin(), pools.end(), range.pool) !=
                                    pools.end();
                         }))
            continue;
        const Time old_enough = each.started_at + policy.min_run;
        if (std::max(old_enough, next_stop) <= now) continue;
        kept.push_back({.job = each.id,
                        .until = std::max(old_enough, next_stop),
                        .rule = old_enough > next_stop
                                    ? "min_run " + format_duration(policy.min_run)
                                    : "preemptions_per_hour " +
                                          std::to_string(policy.preemptions_per_hour_max)});
    }
    return kept;
}

// The place that those leave who are being stopped for others: often it is enough for it, too, and
// then nobody else has to go.
Place Engine::State::left_by_others(const Job& job,
                                    const fleet::Shape& shape,
                                    Time now,
                                    const Plan::Own& own) {
    if (stopping.empty()) return {};
    std::vector<fleet::NodeRange> around;
    for (const std::uint32_t each : stopping) {
        const std::vector<fleet::NodeRange>& its = jobs.at(each).placement.ranges;
        around.insert(around.end(), its.begin(), its.end());
    }
    Time not_after = now + 2 * stop_grace;
    if (job.promise.found()) not_after = std::min(not_after, std::max(job.promise.at, now));
    return plan.earliest(shape, now, job.limit, own, {}, not_after, around);
}

void Engine::State::charge_for_reclaim(std::uint64_t work) {
    reclaim_credit -= static_cast<std::int64_t>(work);
}

// Nothing if no room is made; else the place that the job gets by it, or one that is not found(),
// if it has to be looked for.
std::optional<Place> Engine::State::make_room(std::uint32_t slot,
                                              Time now,
                                              const Plan::Own& own,
                                              std::vector<Decision>& decisions) {
    Job& job = jobs.at(slot);
    if (!may_stop_others(job)) return std::nullopt;
    const bool high = job.priority >= job::Priority::high;
    if (!high && now < job.reclaim_at) return std::nullopt;
    // A pass does so much for owners and no more: the others are asked in the next one.
    if (!high && policy.plan_work_max > 0 && reclaim_credit < 0) {
        reclaims_at = std::min(reclaims_at, now + seconds(1));
        return std::nullopt;
    }
    const std::size_t most = stops_left(now);
    if (most == 0) {
        job.reclaim_at = stops_from(now);
        return std::nullopt;
    }
    // Whoever owns what it asks for only when a loan is over has others stopped for that time.
    Time from = now;
    if (quotas.lends() && !high) from = ownership_of(job).from;
    const bool is_ahead = from > now;
    const KindSet allowed = allowed_for(job, from);
    if (allowed == 0) return std::nullopt;
    const fleet::Shape& shape = shape_in(job.shape, allowed);
    if (is_ahead && free.fits(shape, Time::min())) return std::nullopt;  // nobody is in its way
    // What is found here it is given, where it may hold a promise. With loans, rights may differ
    // from start to start: then a place is looked for anew.
    const auto given = [&](Place place) -> std::optional<Place> {
        const PoolId pool = place.placement.ranges.front().pool;
        if (quotas.lends()) return std::nullopt;
        if (!job.promise.found() && !has_room_for_promise(pool, grade_of(job))) return std::nullopt;
        return place;
    };
    if (!is_ahead) {
        const bool is_awaited =
            making_room.count(job.id) > 0 &&
            std::any_of(stopping.begin(), stopping.end(), [&](auto each) {
                return jobs.at(each).stopped_for == job.id && jobs.at(each).end_by > now;
            });
        if (is_awaited) {
            const Time then = job.promise.found() ? job.promise.at : now + stop_grace;
            job.reclaim_at = std::max(now + seconds(1), then);
            return std::nullopt;
        }
        // In strict order nothing is promised: what others leave would be counted on by many.
        Place left = policy.backfill ? left_by_others(job, shape, now, own) : Place{};
        if (left.found()) {
            job.reclaim_at = std::max(left.at, now + seconds(1));
            // Nodes for several would go to others one by one; for one there is always another.
            if (shape.demand.replicas() == 1) return std::nullopt;
            return given(std::move(left));
        }
    }
    Stoppable stoppable = stoppable_for(job, from, std::numeric_limits<std::size_t>::max());
    struct Bill {  // however the search ends
        State& state;
        std::uint64_t looked_at;
        std::uint64_t work_before;
        bool is_owners;
        ~Bill() {
            if (is_owners) state.charge_for_reclaim(looked_at + state.plan.work() - work_before);
        }
    };
    const Bill bill{*this, stoppable.slots.size(), plan.work(), !high};
    constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
    std::vector<std::size_t> domain_of_pool(fleet.pools.size(), none);
    for (std::size_t domain = 0; domain < shape.domains.size(); ++domain)
        for (const PoolId pool : shape.domains[domain])
            domain_of_pool[pool.value] = domain;
    if (is_ahead) {
        // Who is gone by then makes room, too.
        for (const std::uint32_t gone : running.slots())
            if (jobs.at(gone).end_by <= from || jobs.at(gone).stopping)
                stoppable.slots.push_back(gone);
    }
    const std::vector<std::uint32_t>& slots = stoppable.slots;
    // A borrower that is too young is old enough then, and so is one that is yet to start.
    Time older = now + policy.min_run;
    std::vector<std::vector<Victim>> candidates(shape.domains.size());
    for (std::vector<Victim>& list : candidates)
        list.reserve(2 * slots.size() / candidates.size());
    for (std::size_t i = 0; i < slots.size(); ++i) {
        constexpr std::size_t ahead = 8;
        if (i + 2 * ahead < slots.size()) fetch(&jobs.at(slots[i + 2 * ahead]));
        if (i + ahead < slots.size()) fetch(jobs.at(slots[i + ahead]).placement.ranges.data());
        const Job& victim = jobs.at(slots[i]);
        const bool is_gone = is_ahead && (victim.end_by <= from || victim.stopping);
        const auto rank = rank_of(stoppable, i, job);
        if (!rank && !is_gone) continue;
        if (!is_gone && protected_now(victim, from)) {
            if (!victim.stopping) older = std::min(older, victim.started_at + policy.min_run);
            continue;
        }
        const std::int64_t work =
            is_gone ? 0 : lost_work(victim, shapes[victim.shape].shape.demand, now);
        for (const fleet::NodeRange& range : victim.placement.ranges) {
            const std::size_t domain = domain_of_pool[range.pool.value];
            if (domain == none) continue;
            std::vector<Victim>& list = candidates[domain];
            if (!list.empty() && list.back().job == &victim) continue;
            list.push_back(
                {.job = &victim, .lost = work, .rank = rank.value_or(Classes::borrower)});
        }
    }
    job.reclaim_at =
        std::max(older, now + policy.min_run / (std::int64_t{16} >> job.reclaim_tries));
    if (job.reclaim_tries < 4) ++job.reclaim_tries;
    if (is_ahead) job.reclaim_at = from;
    std::vector<Victim> set =
        cheapest_set(free, fleet, shapes, shape, candidates, is_ahead ? slots.size() : most);
    std::erase_if(set, [&](const Victim& each) {
        return is_ahead && (each.job->stopping || each.job->end_by <= from);
    });
    // Ahead of time, each is asked to save its work so late that it is gone just in time.
    std::vector<Victim> leaving;
    for (const Victim& each : set) {
        const Time signal = is_ahead ? from - each.job->checkpoint.cost : now;
        if (signal <= now && leaving.size() < most) leaving.push_back(each);
        if (signal > now) job.reclaim_at = std::min(job.reclaim_at, signal);
    }
    if (leaving.empty()) return std::nullopt;
    const auto gone_by = [&](const Job& victim) {
        return std::min(victim.end_by, std::max(stopped_by(victim, now), is_ahead ? from : now));
    };

    // On paper first: with them gone, could it start before it would anyway?
    Time gone = from;
    std::vector<fleet::NodeRange> around;
    for (const Victim& each : set) {
        gone = std::max(gone, gone_by(*each.job));
        const std::vector<fleet::NodeRange>& its = each.job->placement.ranges;
        around.insert(around.end(), its.begin(), its.end());
    }
    const auto on_paper = [&](bool gone_early) {
        for (const Victim& each : set) {
            const Job& victim = *each.job;
            const fleet::Shape& its = shapes[victim.shape].shape;
            const Time early = gone_by(victim);
            plan.ended(victim.id, its, victim.placement, gone_early ? victim.end_by : early);
            plan.started(victim.id, its, victim.placement, gone_early ? early : victim.end_by);
        }
    };
    on_paper(true);
    Place with = plan.earliest(shape, from, job.limit, own, {}, gone, around);
    on_paper(false);
    if (!with.found()) return std::nullopt;
    if (job.promise.found() && job.promise.at > now && job.promise.at <= with.at)
        return std::nullopt;
    Place without = plan.earliest(shape, from, job.limit, own, {}, with.at);
    if (without.found()) return is_ahead ? std::nullopt : given(std::move(without));

    job.reclaim_tries = 0;
    for (const Victim& each : leaving) {
        const std::uint32_t victim = jobs.slot_of(each.job->id);
        stop(victim, job.id, stopped_by(jobs.at(victim), now), now);
        announce(decisions,
                 {Preempt{jobs.at(victim).id, job.id},
                  {.cause = each.rank == Classes::borrower ? Cause::reclaimed : Cause::preempted,
                   .other = job.id,
                   .until = jobs.at(victim).end_by}});
    }
    return quotas.lends() ? Place{} : std::move(with);
}

// ---------------------------------------------------------------------------------------------
// Watts

// What the job adds to the draw of a domain.
std::int64_t Engine::State::draw_in(const Job& job, const PowerDomain& domain) const {
    const fleet::Pool& facts = fleet.pool(domain.pool);
    std::int64_t sum = 0;
    for (const fleet::NodeRange& range : job.placement.ranges) {
        std::uint32_t first = 0;
        std::uint32_t last = fleet.pool(range.pool).nodes;
        if (domain.level == fleet::Level::site) {
            if (fleet.pool(range.pool).site != facts.site) continue;
        } else {
            if (range.pool != domain.pool) continue;
            const std::uint32_t span =
                domain.level == fleet::Level::rack ? facts.rack_nodes() : facts.pod_nodes();
            first = domain.number * span;
            last = first + span;
        }
        const std::uint32_t from = std::max(first, range.first);
        const std::uint32_t to = std::min(last, range.first + range.count);
        if (from >= to) continue;
        const fleet::ReplicaDemand& each = shapes[job.shape].shape.demand.parts[range.part].each;
        sum +=
            fleet::active_milliwatts(fleet.pool(range.pool), each) * range.replicas * (to - from);
    }
    return sum;
}

// A budget that was lowered under the draw: those who lose least for their watts are stopped, until
// what will be drawn when they are gone is within it. What may not be stopped is told.
void Engine::State::keep_budgets(Time now, std::vector<Decision>& decisions) {
    for (const auto& [domain, watts] : caps) {
        if (watts <= 0) continue;
        const fleet::FreeIndex::PowerUse use = use_of(domain);
        std::int64_t over = fleet::milliwatts(use.drawn_watts) - fleet::milliwatts(watts);
        if (over <= 0) {
            over_power.erase(domain);
            continue;
        }
        struct Candidate {
            std::uint32_t slot = 0;
            double price = 0;  // lost work for each milliwatt
            std::int64_t draw = 0;
        };
        std::vector<Candidate> candidates;
        for (const std::uint32_t slot : running.slots()) {
            const Job& job = jobs.at(slot);
            const std::int64_t draw = draw_in(job, domain);
            if (draw == 0) continue;
            if (job.stopping) {
                over -= draw;
                continue;
            }
            // Fuses wait for nobody: the rules of preemption for others do not hold here.
            const std::int64_t work = lost_work(job, shapes[job.shape].shape.demand, now);
            candidates.push_back(
                {slot, static_cast<double>(work) / static_cast<double>(draw), draw});
        }
        std::sort(candidates.begin(), candidates.end(), [&](const auto& a, const auto& b) {
            return a.price != b.price ? a.price < b.price : jobs.at(a.slot).id < jobs.at(b.slot).id;
        });
        std::vector<Candidate> chosen;
        for (const Candidate& candidate : candidates) {
            if (over <= 0) break;
            over -= candidate.draw;
            chosen.push_back(candidate);
        }
        // Put back, the dearest first, whoever is not needed.
        for (auto it = chosen.rbegin(); it != chosen.rend(); ++it) {
            if (over + it->draw > 0) continue;
            over += it->draw;
            it->draw = 0;
        }
        for (const Candidate& each : chosen) {
            if (each.draw == 0) continue;
            stop(each.slot, JobId::none(), stopped_by(jobs.at(each.slot), now), now);
            announce(decisions,
                     {Preempt{jobs.at(each.slot).id, JobId::none()},
                      {.cause = Cause::over_power, .until = jobs.at(each.slot).end_by}});
        }
        if (over > 0 && over_power.insert(domain).second) {
            announce(decisions,
                     {OverPower{domain, static_cast<double>(over) / 1000},
                      {.cause = Cause::over_power}});
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Gangs that lost a node

// Another node for those replicas, in the same domain; the rest of the gang stays where it is.
bool Engine::State::find_other_node(const Job& job, const Lost& each, fleet::Placement& to) {
    to.ranges.clear();
    std::vector<fleet::NodeRange> gone;
    for (fleet::NodeRange range : job.placement.ranges) {
        const bool hit = range.pool == each.pool && range.first <= each.node &&
                         each.node < range.first + range.count;
        if (!hit) {
            to.ranges.push_back(range);
            continue;
        }
        fleet::NodeRange before = range;
        before.count = each.node - range.first;
        fleet::NodeRange after = range;
        after.first = each.node + 1;
        after.count = range.first + range.count - after.first;
        if (before.count > 0) to.ranges.push_back(before);
        if (after.count > 0) to.ranges.push_back(after);
        range.first = each.node;
        range.count = 1;
        gone.push_back(range);
    }
    if (gone.empty()) return false;
    for (const fleet::NodeRange& range : gone) {
        if (!find_instead(job, each, range)) return false;
        for (fleet::NodeRange added : found.ranges) {
            added.part = range.part;
            to.ranges.push_back(added);
        }
        if (gone.size() > 1) return false;  // shares of chips on one node: the gang starts again
    }
    return true;
}

// A node of its rack (or pod) for what is gone, into `found`. The watts of the lost node are there
// for the other one.
bool Engine::State::find_instead(const Job& job, const Lost& each, const fleet::NodeRange& gone) {
    const fleet::Shape& shape = shapes[job.shape].shape;
    const fleet::Pool& facts = fleet.pool(each.pool);
    std::uint32_t span = facts.nodes;
    switch (shape.demand.within) {
        case fleet::Level::node:
            return false;
        case fleet::Level::rack:
            span = facts.rack_nodes();
            break;
        case fleet::Level::pod:
            span = facts.pod_nodes();
            break;
        default:
            break;
    }
    fleet::Demand one;
    one.parts = {{.replicas = gone.replicas, .each = shape.demand.parts[gone.part].each}};
    one.within = fleet::Level::node;
    one.pools = {each.pool};
    one.tag = shape.demand.tag;
    const fleet::Shape alone{one, fleet::FreeIndex::domains_of(fleet, one)};
    const fleet::Placement its{{gone}};
    const std::uint32_t first = each.node / span * span;
    free.give(shape, its);
    const bool is_there = free.find_among(
        alone, each.pool, first, std::min(first + span, facts.nodes), found, job.end_by);
    free.take(shape, its);
    return is_there;
}

void Engine::State::replace_lost(Time now, std::vector<Decision>& decisions) {
    (void)now;
    for (const Lost& each : std::exchange(lost, {})) {
        const std::uint32_t slot = jobs.slot_of(each.job);
        if (slot == no_slot || jobs.at(slot).phase != Phase::running) continue;
        const Job& job = jobs.at(slot);
        fleet::Placement to;
        if (!job.replace_failed || job.stopping || !find_other_node(job, each, to))
            to.ranges.clear();
        if (!to.ranges.empty()) move(slot, to);
        announce(decisions, {Replace{job.id, to}, {.cause = Cause::node_replaced}});
    }
}

}  // namespace weir::sched
