#include "weir/sched/engine_reference.hpp"

#include <algorithm>
#include <tuple>

#include "weir/base/assert.hpp"

namespace weir::sched {
namespace {

Time after(Time at, Duration duration) {
    return duration >= forever ? never : at + duration;
}

}  // namespace

ReferenceEngine::ReferenceEngine(fleet::Fleet fleet, Policy policy)
    : fleet_(std::move(fleet)), policy_(std::move(policy)), placing_(fleet_) {}

// ---------------------------------------------------------------------------------------------
// The future of one node

ReferenceEngine::Amounts ReferenceEngine::whole(std::size_t node) const {
    const fleet::Pool& pool = fleet_.pool(placing_.nodes[node].pool);
    return {pool.chips_per_node, pool.cpus_milli, pool.memory.count};
}

// Shares of a chip claim whole chips.
ReferenceEngine::Amounts ReferenceEngine::claim_of(std::size_t node,
                                                   const fleet::ReplicaDemand& each,
                                                   std::uint32_t replicas) const {
    const fleet::Pool& pool = fleet_.pool(placing_.nodes[node].pool);
    Amounts amounts;
    amounts.chips = std::int64_t{each.chips} * replicas;
    if (each.chip_permille > 0) {
        const std::uint32_t on_one = 1000 / each.chip_permille;
        amounts.chips = (replicas + on_one - 1) / on_one;
    }
    if (pool.cpus_milli > 0) amounts.cpus_milli = std::int64_t{each.cpus_milli} * replicas;
    if (pool.memory.count > 0) amounts.memory = each.memory.count * replicas;
    return amounts;
}

ReferenceEngine::Amounts ReferenceEngine::free_at(std::size_t node,
                                                  Time moment,
                                                  bool less_claims) const {
    Amounts left = whole(node);
    std::set<std::uint32_t> busy;
    for (const auto& [id, job] : jobs_) {
        if (job.phase == Phase::running && job.end_by > moment) {
            for (const auto& piece : job.pieces) {
                if (piece.node != node) continue;
                busy.insert(piece.chips.begin(), piece.chips.end());
                const Amounts its = claim_of(node, job.request.demand.parts[piece.part].each, 1);
                left.cpus_milli -= its.cpus_milli;
                left.memory -= its.memory;
            }
        }
        if (less_claims && job.promise && job.promise->at <= moment &&
            job.promise->until > moment) {
            for (const Claimed& claimed : job.promise->claimed) {
                if (claimed.node != node) continue;
                const Amounts its =
                    claim_of(node, job.request.demand.parts[claimed.part].each, claimed.replicas);
                left.chips -= its.chips;
                left.cpus_milli -= its.cpus_milli;
                left.memory -= its.memory;
            }
        }
    }
    left.chips -= static_cast<std::int64_t>(busy.size());
    return left;
}

ReferenceEngine::Amounts ReferenceEngine::available(std::size_t node, Time from, Time until) const {
    Amounts least = free_at(node, from, true);
    for (const auto& [id, job] : jobs_) {
        if (!job.promise || job.promise->at <= from || job.promise->at >= until) continue;
        const Amounts then = free_at(node, job.promise->at, true);
        least.chips = std::min(least.chips, then.chips);
        least.cpus_milli = std::min(least.cpus_milli, then.cpus_milli);
        least.memory = std::min(least.memory, then.memory);
    }
    return least;
}

// When the last of what is free there at `at` becomes free.
Time ReferenceEngine::freed_at(std::size_t node, Time at) const {
    Time freed = Time::min();
    for (const auto& [id, job] : jobs_) {
        if (job.phase != Phase::running || job.end_by > at) continue;
        for (const auto& piece : job.pieces)
            if (piece.node == node) freed = std::max(freed, job.end_by);
    }
    return freed;
}

std::int64_t ReferenceEngine::replicas_in(std::size_t node,
                                          const Amounts& amounts,
                                          const fleet::ReplicaDemand& each) const {
    const fleet::Pool& pool = fleet_.pool(placing_.nodes[node].pool);
    if (!placing_.nodes[node].in_service) return 0;
    if (amounts.chips < 0 || amounts.cpus_milli < 0 || amounts.memory < 0) return 0;
    std::int64_t count = 0xFFFFFFFF;
    if (each.chips > 0) count = amounts.chips / each.chips;
    if (each.chip_permille > 0) count = amounts.chips * (1000 / each.chip_permille);
    if (each.cpus_milli > 0 && pool.cpus_milli > 0) {
        count = std::min(count, amounts.cpus_milli / each.cpus_milli);
    }
    if (each.memory.count > 0 && pool.memory.count > 0) {
        count = std::min(count, amounts.memory / each.memory.count);
    }
    return count;
}

// What of each node may be used by those who stay beyond the first promise on it.
void ReferenceEngine::set_horizons() {
    for (std::size_t node = 0; node < placing_.nodes.size(); ++node) {
        std::optional<fleet::Horizon> horizon;
        Amounts least = whole(node);
        for (const auto& [id, job] : jobs_) {
            if (!job.promise) continue;
            const bool here = std::any_of(job.promise->claimed.begin(),
                                          job.promise->claimed.end(),
                                          [&](const Claimed& each) { return each.node == node; });
            if (!here) continue;
            if (!horizon) horizon.emplace();
            horizon->until = std::min(horizon->until, job.promise->at);
            const Amounts then = free_at(node, job.promise->at, true);
            least.chips = std::min(least.chips, then.chips);
            least.cpus_milli = std::min(least.cpus_milli, then.cpus_milli);
            least.memory = std::min(least.memory, then.memory);
        }
        if (horizon) {
            horizon->chips = static_cast<std::uint32_t>(std::max<std::int64_t>(least.chips, 0));
            horizon->cpus_milli =
                static_cast<std::uint32_t>(std::max<std::int64_t>(least.cpus_milli, 0));
            horizon->memory = Bytes{std::max<std::int64_t>(least.memory, 0)};
        }
        placing_.nodes[node].horizon = horizon;
    }
}

// ---------------------------------------------------------------------------------------------
// The earliest place

std::optional<std::vector<ReferenceEngine::Claimed>> ReferenceEngine::place(
    const Job& job, const std::vector<std::size_t>& unit, Time at, Time until) const {
    const fleet::Demand& demand = job.request.demand;
    std::map<std::size_t, Amounts> left;
    for (const std::size_t node : unit)
        left[node] = available(node, at, until);
    std::vector<Claimed> claimed;
    for (std::uint32_t part = 0; part < demand.parts.size(); ++part) {
        const fleet::ReplicaDemand& each = demand.parts[part].each;
        std::int64_t remaining = demand.parts[part].replicas;
        std::set<std::size_t> used;  // by this part
        const auto take = [&](std::size_t node, std::int64_t replicas) {
            claimed.push_back({node, part, static_cast<std::uint32_t>(replicas)});
            const Amounts its = claim_of(node, each, static_cast<std::uint32_t>(replicas));
            left[node].chips -= its.chips;
            left[node].cpus_milli -= its.cpus_milli;
            left[node].memory -= its.memory;
            used.insert(node);
            remaining -= replicas;
        };
        const auto holds = [&](std::size_t node) {
            return used.count(node) > 0 ? 0 : replicas_in(node, left[node], each);
        };
        // That holds least of those that suffice; then the one that becomes free last.
        const auto smallest_for = [&](std::int64_t replicas) {
            std::optional<std::size_t> best;
            for (const std::size_t node : unit) {
                if (holds(node) < replicas) continue;
                if (!best || holds(node) < holds(*best) ||
                    (holds(node) == holds(*best) && freed_at(node, at) > freed_at(*best, at))) {
                    best = node;
                }
            }
            return best;
        };
        if (const auto one = smallest_for(remaining)) {
            take(*one, remaining);
            continue;
        }
        if (demand.within == fleet::Level::node) return std::nullopt;
        while (remaining > 0) {
            std::optional<std::size_t> best;  // that holds most; then that becomes free last
            for (const std::size_t node : unit) {
                if (holds(node) == 0) continue;
                if (!best || holds(node) > holds(*best) ||
                    (holds(node) == holds(*best) && freed_at(node, at) > freed_at(*best, at))) {
                    best = node;
                }
            }
            if (!best) return std::nullopt;
            if (holds(*best) > remaining) {
                take(*smallest_for(remaining), remaining);
            } else {
                take(*best, holds(*best));
            }
        }
    }
    std::sort(claimed.begin(), claimed.end());
    return claimed;
}

std::optional<ReferenceEngine::Promise> ReferenceEngine::earliest(
    const Job& job, Time from, const std::function<bool(PoolId)>& is_wanted) const {
    std::set<Time> moments{from};
    for (const auto& [id, other] : jobs_) {
        if (other.phase == Phase::running && other.end_by > from && other.end_by != never) {
            moments.insert(other.end_by);
        }
        if (other.promise && other.promise->until > from && other.promise->until != never) {
            moments.insert(other.promise->until);
        }
    }
    const fleet::Demand& demand = job.request.demand;
    std::optional<Promise> best;
    for (const std::vector<PoolId>& domain : fleet::FreeIndex::domains_of(fleet_, demand)) {
        if (is_wanted && std::none_of(domain.begin(), domain.end(), is_wanted)) continue;
        std::vector<std::vector<std::size_t>> units(1);
        const fleet::Pool& first_pool = fleet_.pool(domain.front());
        std::uint32_t span = first_pool.nodes;
        if (demand.within == fleet::Level::rack) span = first_pool.rack_nodes();
        if (demand.within == fleet::Level::pod) span = first_pool.pod_nodes();
        for (const PoolId pool : domain) {
            std::uint32_t count = 0;
            for (std::size_t node = 0; node < placing_.nodes.size(); ++node) {
                if (placing_.nodes[node].pool != pool) continue;
                if (demand.within != fleet::Level::site && count > 0 && count % span == 0) {
                    units.emplace_back();
                }
                units.back().push_back(node);
                ++count;
            }
        }
        std::optional<Promise> of_domain;
        std::int64_t least_spare = 0;
        for (const std::vector<std::size_t>& unit : units) {
            for (const Time at : moments) {
                const Time until = after(at, job.request.limit);
                auto claimed = place(job, unit, at, until);
                if (!claimed) continue;
                std::int64_t spare = 0;
                if (demand.parts.size() == 1) {
                    for (const std::size_t node : unit) {
                        spare += replicas_in(
                            node, available(node, at, until), demand.parts.front().each);
                    }
                }
                if (!of_domain || at < of_domain->at ||
                    (at == of_domain->at && spare < least_spare)) {
                    of_domain = Promise{at, until, std::move(*claimed)};
                    least_spare = spare;
                }
                break;
            }
        }
        if (of_domain && (!best || of_domain->at < best->at)) best = of_domain;
    }
    return best;
}

std::optional<ReferenceEngine::Promise> ReferenceEngine::place_for(const Job& job, Time now) const {
    if (job.promise) {
        const PoolId its = placing_.nodes[job.promise->claimed.front().node].pool;
        const auto same = [its](PoolId pool) { return pool == its; };
        if (job.promise->at > now && now - job.submitted_at <= policy_.tighten_after) {
            const auto kept = earliest(job, job.promise->at, same);
            if (kept && kept->at == job.promise->at) return kept;
        }
        const auto shadow = earliest(job, now, same);
        if (shadow && shadow->at <= std::max(job.promise->at, now)) return shadow;
        return earliest(job, now, nullptr);
    }
    const auto is_wanted = [&](PoolId pool) { return has_room_for_promise(job, pool); };
    const auto shadow = earliest(job, now, is_wanted);
    if (!shadow) return shadow;
    Duration slack = policy_.slack;
    if (job.request.limit < forever) {
        slack += Duration{job.request.limit.count() / 100 * policy_.slack_percent};
    }
    Time at = std::min(shadow->at + slack, job.submitted_at + policy_.slack_until);
    if (at <= shadow->at) return shadow;
    const auto later = earliest(job, at, is_wanted);
    return later && later->at == at ? later : shadow;
}

// ---------------------------------------------------------------------------------------------
// Events

void ReferenceEngine::apply(const Event& event, Time now) {
    if (const auto* submitted = std::get_if<JobSubmitted>(&event)) {
        Job job;
        job.request = submitted->request;
        job.submitted_at = now;
        job.rank.lane =
            static_cast<std::uint8_t>(3 - static_cast<int>(submitted->request.priority));
        job.rank.order = submissions_++;
        if (policy_.order == Order::date) {
            const Duration limit = job.request.limit;
            const Duration most = policy_.date_cap;
            job.rank.date =
                now +
                (limit >= most ? most : std::min<Duration>(most, limit * policy_.date_factor));
        }
        jobs_[submitted->request.job] = job;
    } else if (const auto* ended = std::get_if<JobEnded>(&event)) {
        Job& job = jobs_.at(ended->job);
        placing_.give(job.request.demand, job.pieces);
        job.pieces.clear();
        job.phase = ended->requeue ? Phase::held : Phase::ended;
        job.outcome = ended->outcome;
    } else if (const auto* cancelled = std::get_if<JobCancelled>(&event)) {
        Job& job = jobs_.at(cancelled->job);
        job.promise.reset();
        job.phase = Phase::ended;
        job.outcome = Outcome::cancelled;
    } else if (const auto* changed = std::get_if<NodeChanged>(&event)) {
        placing_.node(changed->pool, changed->node).in_service = changed->health == NodeHealth::up;
    }
}

bool ReferenceEngine::throttled(const Job& job) const {
    if (job.request.array_at_once_max == 0 || job.promise) return false;
    // Those that run or were promised a start, and those before it in the queue.
    std::uint32_t taken = 0;
    for (const auto& [id, other] : jobs_) {
        if (other.request.array_at_once_max == 0 || other.request.array != job.request.array) {
            continue;
        }
        const bool waits = other.phase == Phase::held;
        if (other.phase == Phase::running || (waits && other.promise)) ++taken;
        if (waits && !other.promise && other.rank < job.rank) ++taken;
    }
    return taken >= job.request.array_at_once_max;
}

// ---------------------------------------------------------------------------------------------
// A pass

std::vector<ReferenceEngine::Job*> ReferenceEngine::waiting() {
    std::vector<Job*> list;
    for (auto& [id, job] : jobs_) {
        if (job.phase != Phase::held || throttled(job)) continue;
        bool met = true;
        for (const Dependency& dependency : job.request.after)
            met = met && jobs_.at(dependency.job).phase == Phase::ended;
        if (met) list.push_back(&job);
    }
    std::sort(
        list.begin(), list.end(), [](const Job* a, const Job* b) { return a->rank < b->rank; });
    return list;
}

bool ReferenceEngine::has_room_for_promise(const Job& job, PoolId pool) const {
    std::uint32_t count = 0;
    for (const auto& [id, other] : jobs_) {
        if (!other.promise || other.rank.lane > job.rank.lane) continue;
        count +=
            std::any_of(other.promise->claimed.begin(),
                        other.promise->claimed.end(),
                        [&](const Claimed& each) { return placing_.nodes[each.node].pool == pool; })
                ? 1
                : 0;
    }
    return count < policy_.reservations_max;
}

// `cause`: or, if none is given, how it stands to the promises of others.
bool ReferenceEngine::try_to_start(Job& job,
                                   Time now,
                                   std::optional<Cause> cause,
                                   std::vector<Decision>& decisions) {
    set_horizons();
    std::optional<Pieces> pieces = placing_.find(job.request.demand, after(now, job.request.limit));
    if (pieces) start(job, std::move(*pieces), now, cause, decisions);
    return pieces.has_value();
}

// The same on the nodes of a place in the plan, if that begins now.
bool ReferenceEngine::start_on(Job& job,
                               const Promise& place,
                               Time now,
                               std::optional<Cause> cause,
                               std::vector<Decision>& decisions) {
    if (place.at > now) return false;
    std::optional<Pieces> pieces = placing_.find_on(job.request.demand, place.claimed);
    if (pieces) start(job, std::move(*pieces), now, cause, decisions);
    return pieces.has_value();
}

void ReferenceEngine::start(Job& job,
                            Pieces pieces,
                            Time now,
                            std::optional<Cause> cause,
                            std::vector<Decision>& decisions) {
    const Time end = after(now, job.request.limit);
    if (!cause) {
        cause = Cause::fits_now;
        std::vector<const Job*> holders;
        for (const auto& [id, other] : jobs_)
            if (other.promise) holders.push_back(&other);
        std::sort(holders.begin(), holders.end(), [](const Job* a, const Job* b) {
            return a->rank < b->rank;
        });
        std::set<PoolId> pools;
        for (const auto& piece : pieces)
            pools.insert(placing_.nodes[piece.node].pool);
        for (const Job* holder : holders) {
            const bool near =
                std::any_of(holder->promise->claimed.begin(),
                            holder->promise->claimed.end(),
                            [&](const Claimed& each) {
                                return pools.count(placing_.nodes[each.node].pool) > 0;
                            });
            if (!near) continue;
            cause = end <= holder->promise->at ? Cause::backfilled : Cause::backfilled_beside;
            break;
        }
    }
    placing_.take(job.request.demand, pieces);
    job.phase = Phase::running;
    job.end_by = end;
    decisions.push_back({Start{job.request.job, placing_.placement_of(pieces)}, {.cause = *cause}});
    job.pieces = std::move(pieces);
}

// Who can never start leaves, until nobody else has to.
void ReferenceEngine::drop_doomed(std::vector<Decision>& decisions) {
    for (bool again = true; again;) {
        again = false;
        for (auto& [id, job] : jobs_) {
            if (job.phase != Phase::held) continue;
            for (const Dependency& dependency : job.request.after) {
                const Job& other = jobs_.at(dependency.job);
                if (other.phase != Phase::ended || satisfies(other.outcome, dependency.needs)) {
                    continue;
                }
                job.phase = Phase::ended;
                job.outcome = Outcome::cancelled;
                decisions.push_back({Drop{id}, {.cause = Cause::dependency_failed}});
                again = true;
                break;
            }
        }
    }
}

void ReferenceEngine::decide(Time now, std::vector<Decision>& decisions) {
    drop_doomed(decisions);
    const auto reserve = [&](JobId job, Time at) {
        decisions.push_back({Reserve{job, at, {}}, {.cause = Cause::reserved, .until = at}});
    };
    if (!policy_.backfill) {
        for (Job* job : waiting())
            if (!try_to_start(*job, now, Cause::fits_now, decisions)) break;
        return;
    }
    // Promises are kept, in order: who fits starts, the others look again for their place.
    for (Job* job : waiting()) {
        if (!job->promise) continue;
        const Promise before = *job->promise;
        job->promise.reset();  // its own claims are not in its way
        if (try_to_start(*job, now, Cause::promised, decisions)) continue;
        if (after(now, job->request.limit) <= before.until &&
            start_on(*job, before, now, Cause::promised, decisions)) {
            continue;
        }
        Job asking = *job;
        asking.promise = before;
        std::optional<Promise> place = place_for(asking, now);
        if (!place) {
            reserve(job->request.job, never);
            continue;
        }
        if (start_on(*job, *place, now, Cause::promised, decisions)) continue;
        if (before.at <= now && place->at <= now) {
            place->at = before.at;
            place->until = before.until;
        }
        job->promise = place;
        if (place->at != before.at) reserve(job->request.job, place->at);
    }
    // The front of the queue, as long as there is room for promises.
    std::set<std::pair<fleet::Demand, JobId>> passed_over;
    const auto front = [&]() -> Job* {
        std::set<fleet::Demand> seen;
        for (Job* job : waiting()) {
            const std::vector<PoolId>& pools = job->request.demand.pools;
            const bool room = std::any_of(pools.begin(), pools.end(), [&](PoolId pool) {
                return has_room_for_promise(*job, pool);
            });
            if (job->promise || !room) continue;
            // Equal demands: only the first of them is asked.
            if (!seen.insert(job->request.demand).second) continue;
            if (passed_over.count({job->request.demand, job->request.job}) > 0) continue;
            return job;
        }
        return nullptr;
    };
    while (Job* job = front()) {
        passed_over.insert({job->request.demand, job->request.job});
        if (try_to_start(*job, now, std::nullopt, decisions)) continue;
        const std::optional<Promise> place = place_for(*job, now);
        if (!place || start_on(*job, *place, now, std::nullopt, decisions)) continue;
        job->promise = place;
        reserve(job->request.job, place->at);
    }
    // Whoever else fits.
    for (Job* job : waiting())
        if (!job->promise) try_to_start(*job, now, std::nullopt, decisions);
}

}  // namespace weir::sched
