// See plan.hpp. This file keeps the futures of nodes; plan_search.cpp and plan_budgets.cpp look for
// the time at which a gang fits, plan_placing.cpp chooses the nodes.
//
// Invariants: neighbouring runs differ; `freed` of a run is freed_of() its future; a node has a
// horizon in FreeIndex exactly when something is claimed of it; `free` and the rooms of watts hold
// every hold and claim on nodes in service, so as counts they are never below the truth.
#include "weir/sched/plan.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <tuple>

#include "weir/base/assert.hpp"
#include "weir/fleet/power.hpp"

namespace weir::sched {

namespace {

// What `free` counts of a node: thousandths of chips, of CPUs where it has none.
std::int64_t whole_node(const fleet::Pool& pool) {
    return pool.chips_per_node > 0 ? std::int64_t{pool.chips_per_node} * 1000
                                   : std::int64_t{pool.cpus_milli};
}

// What it counts of replicas that run: shares of chips as they are, not rounded up to whole ones.
std::int64_t held_of(const fleet::Pool& pool,
                     const fleet::ReplicaDemand& each,
                     std::uint32_t replicas) {
    return pool.chips_per_node > 0
               ? std::int64_t{replicas} * (std::int64_t{each.chips} * 1000 + each.chip_permille)
               : std::int64_t{replicas} * each.cpus_milli;
}

}  // namespace

Plan::Plan(const fleet::Fleet& fleet, fleet::FreeIndex& free) : free_(free), facts_(fleet.pools) {
    std::vector<std::string> sites;
    for (std::size_t i = 0; i < facts_.size(); ++i) {
        const fleet::Pool& pool = facts_[i];
        const auto known = std::find(sites.begin(), sites.end(), pool.site);
        PoolPlan plan;
        plan.pool = &pool;
        plan.id = PoolId{static_cast<std::uint32_t>(i)};
        plan.site = static_cast<std::uint32_t>(known - sites.begin());
        if (known == sites.end()) {
            sites.push_back(pool.site);
            sites_.push_back({.span = fleet::nodes_per_pool_max,
                              .budget_milliwatts = {0},
                              .drawn = {},
                              .claims = {},
                              .own_milliwatts = {},
                              .rooms = {}});
        }
        plan.runs = Runs(pool.nodes);
        plan.futures.resize(pool.nodes);
        plan.freed.resize(pool.nodes);
        plan.free = Timeline(whole_node(pool) * pool.nodes);
        plan.racks.span = std::max(pool.rack_nodes(), 1U);
        plan.racks.budget_milliwatts.assign(pool.racks(), fleet::milliwatts(pool.rack_power_watts));
        plan.pods.span = std::max(pool.pod_nodes(), 1U);
        plan.pods.budget_milliwatts.assign(pool.pods(), fleet::milliwatts(pool.pod_power_watts));
        pools_.push_back(std::move(plan));
    }
    for (PoolPlan& pool : pools_) {
        if (pool.pool->rack_power_watts > 0) watch(pool.racks, pool, false);
        if (pool.pool->pod_power_watts > 0) watch(pool.pods, pool, false);
    }
    for (const fleet::Site& site : fleet.sites) {
        const auto known = std::find(sites.begin(), sites.end(), site.name);
        if (site.power_watts <= 0 || known == sites.end()) continue;
        const auto number = static_cast<std::uint32_t>(known - sites.begin());
        for (PoolPlan& pool : pools_) {
            if (pool.site != number) continue;
            set_power({fleet::Level::site, pool.id, 0}, site.power_watts);
            break;
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Runs

void Plan::Future::held(const Hold& hold) {
    forget_steps();
    holds.push_back(hold);
    free_at = std::max(free_at, hold.end);
    if (hold.chips != 0) chips_at = std::max(chips_at, hold.end);
}

void Plan::Future::forget(std::vector<Hold>::iterator hold) {
    forget_steps();
    holds.erase(hold);
    free_at = chips_at = Time::min();
    for (const Hold& its : holds) {
        free_at = std::max(free_at, its.end);
        if (its.chips != 0) chips_at = std::max(chips_at, its.end);
    }
}

bool Plan::Future::has_claim_of(JobId job) const {
    const auto its = std::lower_bound(
        claims.begin(), claims.end(), job, [](const Claim& a, JobId b) { return a.job < b; });
    return its != claims.end() && its->job == job;
}

Plan::Freed Plan::freed_of(const PoolPlan& pool, const Future& future) {
    if (!future.in_service) return {never, never, never};
    std::uint64_t busy = 0;
    for (const Hold& its : future.holds)
        busy |= its.chips;
    const std::uint32_t chips = pool.pool->chips_per_node;
    if (static_cast<std::uint32_t>(std::popcount(busy)) < chips || chips == 0)
        return {Time::min(), Time::min(), future.chips_at};
    std::array<Time, fleet::chips_per_node_max> until;
    std::fill_n(until.begin(), chips, Time::min());
    for (const Hold& its : future.holds)
        for (std::uint64_t left = its.chips; left != 0; left &= left - 1) {
            Time& last = until[static_cast<std::size_t>(std::countr_zero(left))];
            last = std::max(last, its.end);
        }
    return {Time::min(), *std::min_element(until.begin(), until.begin() + chips), future.chips_at};
}

// Makes a run begin at `node`.
void Plan::cut(PoolPlan& pool, std::uint32_t node) {
    if (node >= pool.pool->nodes || pool.runs.begins_at(node)) return;
    const std::uint32_t first = pool.runs.first_of(node);
    pool.futures[node] = pool.futures[first];
    pool.freed[node] = pool.freed[first];
    pool.runs.cut(node);
}

// Calls change(nodes, future) for each run of these nodes, and joins neighbours that became alike.
template <class Change>
void Plan::change(PoolId id, std::uint32_t first, std::uint32_t count, Change change) {
    PoolPlan& pool = pools_[id.value];
    const std::uint32_t end = first + count;
    cut(pool, first);
    cut(pool, end);
    for (std::uint32_t node = first; node < end;) {
        const std::uint32_t next = pool.runs.end_of(node);
        change(next - node, pool.futures[node]);
        pool.freed[node] = freed_of(pool, pool.futures[node]);
        node = next;
    }
    std::uint32_t kept = first == 0 ? 0 : pool.runs.first_of(first - 1);
    for (std::uint32_t node = pool.runs.end_of(kept); node <= end && node < pool.pool->nodes;
         node = pool.runs.end_of(node)) {
        if (pool.futures[kept] == pool.futures[node]) {
            pool.futures[node].forget_steps();
            pool.futures[node].holds.clear();
            pool.futures[node].claims.clear();
            pool.runs.join(node);
        } else {
            kept = node;
        }
    }
}

const std::vector<Plan::Hold>& Plan::holds(PoolId id, std::uint32_t node) const {
    const PoolPlan& pool = pools_[id.value];
    return pool.futures[pool.runs.first_of(node)].holds;
}

bool Plan::is_empty(PoolId id, std::uint32_t node, Time from, Time until) const {
    const PoolPlan& pool = pools_[id.value];
    const Future& future = pool.futures[pool.runs.first_of(node)];
    return future.in_service &&
           std::none_of(future.holds.begin(),
                        future.holds.end(),
                        [&](const Hold& hold) { return hold.end > from; }) &&
           std::none_of(future.claims.begin(), future.claims.end(), [&](const Claim& claim) {
               return claim.from < until && claim.until > from;
           });
}

// ---------------------------------------------------------------------------------------------
// Counts over time

// In the measure of `free`.
std::int64_t Plan::counted(const PoolPlan& pool, const Amounts& amounts) const {
    return pool.pool->chips_per_node > 0 ? amounts.chips * 1000 : amounts.cpus_milli;
}

void Plan::draw(Watched& watched,
                std::uint32_t first,
                std::uint32_t nodes,
                std::int64_t milliwatts,
                Held& sum) {
    watched.walk(first, nodes, [&](std::uint32_t domain, std::uint32_t inside) {
        sum.hold(watched.drawn[domain], milliwatts * inside);
    });
}

void Plan::draw_all(PoolPlan& pool,
                    std::uint32_t first,
                    std::uint32_t nodes,
                    std::int64_t milliwatts,
                    Taken& taken) {
    if (milliwatts == 0) return;
    draw(pool.racks, first, nodes, milliwatts, taken.racks);
    draw(pool.pods, first, nodes, milliwatts, taken.pods);
    if (sites_[pool.site].any()) taken.site.hold(sites_[pool.site].drawn[0], milliwatts * nodes);
}

// From now on the draw of these domains is counted; what is held and claimed goes in.
void Plan::watch(Watched& watched, PoolPlan& pool, bool whole_site) {
    if (!whole_site) {
        watched.drawn.clear();
        for (std::uint32_t first = 0; first < pool.pool->nodes; first += watched.span) {
            const std::int64_t nodes = std::min(watched.span, pool.pool->nodes - first);
            watched.drawn.emplace_back(-fleet::idle_milliwatts(*pool.pool) * nodes);
        }
    } else {
        if (watched.drawn.empty()) watched.drawn.emplace_back(0);
        watched.drawn[0].raise(-fleet::idle_milliwatts(*pool.pool) * pool.pool->nodes);
    }
    watched.claims.resize(watched.drawn.size());
    watched.own_milliwatts.assign(watched.drawn.size(), 0);
    watched.rooms.assign(watched.drawn.size(), {});
    for (std::uint32_t node = 0; node < pool.pool->nodes;) {
        const std::uint32_t next = pool.runs.end_of(node);
        const std::uint32_t first = whole_site ? 0 : node;
        for (const Hold& its : pool.futures[node].holds) {
            Held sum(Time::min(), its.end);
            draw(watched, first, next - node, its.milliwatts, sum);
        }
        for (const Claim& claim : pool.futures[node].claims) {
            Held sum(claim.from, claim.until);
            draw(watched, first, next - node, claim.milliwatts, sum);
            note_claims(watched, first, next - node, claim, true);
        }
        node = next;
    }
}

void Plan::set_power(const PowerDomain& domain, double watts) {
    PoolPlan& pool = pools_[domain.pool.value];
    const bool of_site = domain.level == fleet::Level::site;
    Watched& watched = of_site                              ? sites_[pool.site]
                       : domain.level == fleet::Level::rack ? pool.racks
                                                            : pool.pods;
    watched.budget_milliwatts.at(of_site ? 0 : domain.number) = fleet::milliwatts(watts);
    if (watts > 0 && !watched.any()) {
        for (PoolPlan& other : pools_) {
            const bool inside = of_site ? other.site == pool.site : &other == &pool;
            if (inside) watch(watched, other, of_site);
        }
    }
    if (watched.any()) tell_promised(domain.level, pool, of_site ? 0 : domain.number);
}

void Plan::note_claims(
    Watched& watched, std::uint32_t first, std::uint32_t nodes, const Claim& claim, bool made) {
    if (claim.milliwatts == 0) return;
    watched.walk(first, nodes, [&](std::uint32_t domain, std::uint32_t inside) {
        std::vector<Watched::Claims>& list = watched.claims[domain];
        const auto its = std::find_if(list.begin(), list.end(), [&](const auto& one) {
            return one.from == claim.kept_from && one.until == claim.until;
        });
        if (its == list.end()) {
            list.push_back({claim.kept_from, claim.until, inside});
        } else if (made) {
            its->nodes += inside;
        } else if ((its->nodes -= inside) == 0) {
            list.erase(its);
        }
    });
}

// FreeIndex learns what is promised of the watts around these nodes.
void Plan::tell_promised(const fleet::Placement& placement, bool claims_changed) {
    for (const fleet::NodeRange& range : placement.ranges) {
        PoolPlan& pool = pools_[range.pool.value];
        const auto tell = [&](fleet::Level level, const Watched& watched) {
            watched.walk(range.first, range.count, [&](std::uint32_t domain, std::uint32_t) {
                if (claims_changed || !watched.claims[domain].empty()) {
                    tell_promised(level, pool, domain);
                }
            });
        };
        tell(fleet::Level::rack, pool.racks);
        tell(fleet::Level::pod, pool.pods);
        const Watched& site = sites_[pool.site];
        if (site.any() && (claims_changed || !site.claims[0].empty())) {
            tell_promised(fleet::Level::site, pool, 0);
        }
    }
}

// Who stays beyond the first claim may draw what is left over until the last one is gone.
void Plan::tell_promised(fleet::Level level, PoolPlan& pool, std::uint32_t domain) {
    const Watched& watched = level == fleet::Level::site   ? sites_[pool.site]
                             : level == fleet::Level::rack ? pool.racks
                                                           : pool.pods;
    fleet::PowerPromised promised;
    Time until = Time::min();
    for (const Watched::Claims& claims : watched.claims[domain]) {
        promised.until = std::min(promised.until, claims.from);
        until = std::max(until, claims.until);
    }
    if (until != Time::min()) {
        const std::int64_t left =
            watched.budget_milliwatts[domain] + watched.drawn[domain].least(promised.until, until);
        promised.left_mw = std::max<std::int64_t>(left, 0);
    }
    free_.set_power_promised(pool.id, level, domain, promised);
}

// What so many replicas claim on one node; shares of chips claim whole chips.
Plan::Amounts Plan::amounts_of(const PoolPlan& pool,
                               const fleet::ReplicaDemand& each,
                               std::uint32_t replicas) const {
    const std::int64_t n = replicas;
    Amounts amounts;
    amounts.chips = n * each.chips;
    if (each.chip_permille > 0) {
        const std::int64_t on_one = 1000 / each.chip_permille;
        amounts.chips = (n + on_one - 1) / on_one;
    }
    if (pool.pool->cpus_milli > 0) amounts.cpus_milli = n * each.cpus_milli;
    if (pool.pool->memory.count > 0) amounts.memory = n * each.memory.count;
    return amounts;
}

// ---------------------------------------------------------------------------------------------
// What runs

void Plan::started(JobId job,
                   const fleet::Shape& shape,
                   const fleet::Placement& held,
                   Time end_by) {
    Taken taken(Time::min(), end_by);
    for (const fleet::NodeRange& range : held.ranges) {
        const fleet::ReplicaDemand& each = shape.demand.parts[range.part].each;
        PoolPlan& pool = pools_[range.pool.value];
        const Amounts amounts = amounts_of(pool, each, range.replicas);
        const Hold its{.end = end_by,
                       .job = job,
                       .chips = range.chip_mask,
                       .cpus_milli = static_cast<std::uint32_t>(amounts.cpus_milli),
                       .memory = Bytes{amounts.memory},
                       .milliwatts = fleet::active_milliwatts(*pool.pool, each) * range.replicas,
                       .counted = held_of(*pool.pool, each, range.replicas)};
        bool claimed = false;
        change(range.pool, range.first, range.count, [&](std::uint32_t nodes, Future& future) {
            future.held(its);
            claimed = claimed || !future.claims.empty();
            if (future.in_service) taken.free.hold(pool.free, its.counted * nodes);
        });
        draw_all(pool, range.first, range.count, its.milliwatts, taken);
        if (claimed) refresh(range.pool, range.first, range.count);
    }
    taken.tell();
    tell_promised(held, false);
}

void Plan::ended(JobId job, const fleet::Shape& shape, const fleet::Placement& held, Time end_by) {
    Taken taken(Time::min(), end_by);
    for (const fleet::NodeRange& range : held.ranges) {
        const fleet::ReplicaDemand& each = shape.demand.parts[range.part].each;
        PoolPlan& pool = pools_[range.pool.value];
        const std::int64_t milliwatts = fleet::active_milliwatts(*pool.pool, each) * range.replicas;
        bool claimed = false;
        change(range.pool, range.first, range.count, [&](std::uint32_t nodes, Future& future) {
            const auto its =
                std::find_if(future.holds.begin(), future.holds.end(), [&](const Hold& one) {
                    return one.job == job && one.chips == range.chip_mask;
                });
            WEIR_ASSERT(its != future.holds.end());
            if (future.in_service) taken.free.hold(pool.free, -its->counted * nodes);
            future.forget(its);
            claimed = claimed || !future.claims.empty();
        });
        draw_all(pool, range.first, range.count, -milliwatts, taken);
        if (claimed) refresh(range.pool, range.first, range.count);
    }
    taken.tell();
    tell_promised(held, false);
}

// A node out of service offers nothing and counts nothing; what it holds comes back with it. Its
// watts stay counted: they are not given to others.
void Plan::set_in_service(PoolId id, std::uint32_t node, bool in_service) {
    PoolPlan& pool = pools_[id.value];
    change(id, node, 1, [&](std::uint32_t, Future& future) {
        if (future.in_service == in_service) return;
        future.forget_steps();
        future.in_service = in_service;
        pool.out_of_service += in_service ? 0 : 1;
        pool.out_of_service -= in_service ? 1 : 0;
        const int sign = in_service ? 1 : -1;
        pool.free.raise(sign * whole_node(*pool.pool));
        for (const Hold& its : future.holds)
            Held(Time::min(), its.end).hold(pool.free, sign * its.counted);
        for (const Claim& claim : future.claims) {
            if (claim.tag != 0) continue;
            Held(claim.from, claim.until).hold(pool.free, sign * counted(pool, claim.amounts));
        }
    });
    refresh(id, node, 1);
}

// ---------------------------------------------------------------------------------------------
// What is promised

// Walks over both places side by side: on nodes that only one of them has, a claim goes or comes;
// on nodes of both it is changed, or nothing happens where it stays as it is.
void Plan::move_claim(JobId job, const fleet::Shape& shape, const Place& from, const Place& to) {
    if (from == to) return;
    const auto sorted = [](const Place& place, std::vector<fleet::NodeRange>& ranges) {
        ranges = place.placement.ranges;
        std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) {
            return std::tie(a.part, a.pool, a.first) < std::tie(b.part, b.pool, b.first);
        });
    };
    sorted(from, old_ranges_);
    sorted(to, new_ranges_);
    Taken given_back(from.at, from.until);
    Taken taken(to.at, to.until);
    auto old = old_ranges_.begin();
    auto next = new_ranges_.begin();
    while (old != old_ranges_.end() || next != new_ranges_.end()) {
        // The next nodes, as far as they are in the same ranges.
        bool was = old != old_ranges_.end();
        bool will = next != new_ranges_.end();
        if (was && will) {
            const auto before = std::tie(old->part, old->pool, old->first);
            const auto after = std::tie(next->part, next->pool, next->first);
            was = before <= after;
            will = after <= before;
        }
        fleet::NodeRange range = was ? *old : *next;
        if (was && will) {
            range.count = std::min(old->count, next->count);
        } else {
            const bool other_follows = was ? next != new_ranges_.end() : old != old_ranges_.end();
            const fleet::NodeRange* const other = !other_follows ? nullptr : was ? &*next : &*old;
            if (other != nullptr && other->part == range.part && other->pool == range.pool) {
                range.count = std::min(range.count, other->first - range.first);
            }
        }
        const std::uint32_t replicas_before = was ? old->replicas : 0;
        const std::uint32_t replicas_after = will ? next->replicas : 0;
        const auto pass_by = [&](auto& it) {
            it->first += range.count;
            it->count -= range.count;
            if (it->count == 0) ++it;
        };
        if (was) pass_by(old);
        if (will) pass_by(next);
        if (replicas_before == replicas_after && from.at == to.at && from.until == to.until &&
            from.kept_free == to.kept_free) {
            continue;
        }
        const fleet::ReplicaDemand& each = shape.demand.parts[range.part].each;
        PoolPlan& pool = pools_[range.pool.value];
        const std::int64_t milliwatts = fleet::active_milliwatts(*pool.pool, each);
        const std::int64_t counted_before = counted(pool, amounts_of(pool, each, replicas_before));
        const Claim claim{.kept_from = to.kept_from(),
                          .from = to.at,
                          .until = to.until,
                          .job = job,
                          .tag = 0,
                          .part = range.part,
                          .begun = false,
                          .amounts = amounts_of(pool, each, replicas_after),
                          .milliwatts = milliwatts * replicas_after};
        change(range.pool, range.first, range.count, [&](std::uint32_t nodes, Future& future) {
            const auto its =
                std::lower_bound(future.claims.begin(),
                                 future.claims.end(),
                                 claim,
                                 [](const auto& a, const auto& b) {
                                     return std::tie(a.job, a.part) < std::tie(b.job, b.part);
                                 });
            WEIR_ASSERT(!was || (its != future.claims.end() && its->job == job));
            future.is_charged = false;
            if (was && !future.steps.empty()) {
                lift_claim(future.steps, its->kept_from, its->until, its->amounts);
            }
            if (will && !future.steps.empty()) {
                lay_claim(future.steps, claim.kept_from, claim.until, claim.amounts);
            }
            if (was && will) {
                *its = claim;
            } else if (was) {
                future.claims.erase(its);
            } else {
                future.claims.insert(its, claim);
            }
            if (!future.in_service) return;
            given_back.free.hold(pool.free, -counted_before * nodes);
            taken.free.hold(pool.free, counted(pool, claim.amounts) * nodes);
        });
        draw_all(pool, range.first, range.count, -milliwatts * replicas_before, given_back);
        draw_all(pool, range.first, range.count, claim.milliwatts, taken);
        Claim before = claim;
        before.kept_from = from.kept_from();
        before.from = from.at;
        before.until = from.until;
        before.milliwatts = milliwatts * replicas_before;
        for (Watched* watched : {&pool.racks, &pool.pods, &sites_[pool.site]}) {
            if (was) note_claims(*watched, range.first, range.count, before, false);
            if (will) note_claims(*watched, range.first, range.count, claim, true);
        }
        refresh(range.pool, range.first, range.count);
    }
    given_back.tell();
    taken.tell();
    tell_promised(from.placement, true);
    tell_promised(to.placement, true);
}

void Plan::refresh(PoolId id, std::uint32_t first, std::uint32_t count) {
    const PoolPlan& pool = pools_[id.value];
    for (std::uint32_t node = first; node < first + count;) {
        const std::uint32_t next = std::min(pool.runs.end_of(node), first + count);
        const Future& future = pool.futures[pool.runs.first_of(node)];
        free_.set_horizon(id, node, next - node, horizon_of(pool, future));
        node = next;
    }
}

fleet::Horizon Plan::horizon_without_reservations(PoolId id, std::uint32_t node) {
    const PoolPlan& pool = pools_[id.value];
    Future future = pool.futures[pool.runs.first_of(node)];
    std::erase_if(future.claims, [](const Claim& claim) { return claim.tag != 0; });
    future.forget_steps();
    return horizon_of(pool, future);
}

// Who stays beyond the first claim may use what is left over at all times from then on.
fleet::Horizon Plan::horizon_of(const PoolPlan& pool, const Future& future) {
    if (future.claims.empty()) return {};
    Time until = never;
    bool any_begun = false;
    for (const Claim& each : future.claims) {
        // While nodes are set apart, those who may use them have to be gone at the end of it.
        until = std::min(until, each.begun ? each.until : each.kept_from);
        any_begun = any_begun || each.begun;
    }
    Amounts least;
    if (future.in_service && !any_begun) {
        const Steps& steps = steps_of(pool, future, 0);
        auto step = step_at(steps, until);
        least = step->left;
        for (; step != steps.end(); ++step)
            least.lower_to(step->left);
    }
    const auto clamped = [](std::int64_t value) { return std::max<std::int64_t>(value, 0); };
    return {.until = until,
            .chips = static_cast<std::uint32_t>(clamped(least.chips)),
            .cpus_milli = static_cast<std::uint32_t>(clamped(least.cpus_milli)),
            .memory = Bytes{clamped(least.memory)}};
}

// ---------------------------------------------------------------------------------------------
// Nodes set apart

void Plan::set_apart(const Advance& advance, bool begun) {
    for (const Advance::Nodes& nodes : advance.nodes) {
        const fleet::Pool& facts = *pools_[nodes.pool.value].pool;
        const Claim claim{.kept_from = advance.from,
                          .from = advance.from,
                          .until = advance.until,
                          .job = JobId::none(),
                          .tag = advance.id.value,
                          .part = 0,
                          .begun = begun,
                          .amounts = {.chips = facts.chips_per_node,
                                      .cpus_milli = facts.cpus_milli,
                                      .memory = facts.memory.count}};
        change(nodes.pool, nodes.first, nodes.count, [&](std::uint32_t, Future& future) {
            future.forget_steps();
            const auto place =
                std::upper_bound(future.claims.begin(),
                                 future.claims.end(),
                                 claim,
                                 [](const auto& a, const auto& b) {
                                     return std::tie(a.job, a.tag) < std::tie(b.job, b.tag);
                                 });
            future.claims.insert(place, claim);
        });
        refresh(nodes.pool, nodes.first, nodes.count);
    }
}

void Plan::begin(const Advance& advance) {
    for (const Advance::Nodes& nodes : advance.nodes) {
        change(nodes.pool, nodes.first, nodes.count, [&](std::uint32_t, Future& future) {
            future.forget_steps();
            for (Claim& claim : future.claims)
                if (claim.tag == advance.id.value) claim.begun = true;
        });
        refresh(nodes.pool, nodes.first, nodes.count);
    }
}

void Plan::give_back(const Advance& advance) {
    for (const Advance::Nodes& nodes : advance.nodes) {
        change(nodes.pool, nodes.first, nodes.count, [&](std::uint32_t, Future& future) {
            future.forget_steps();
            std::erase_if(future.claims,
                          [&](const Claim& claim) { return claim.tag == advance.id.value; });
        });
        refresh(nodes.pool, nodes.first, nodes.count);
    }
}

void Plan::begin_anew() {
    for (PoolPlan& pool : pools_)
        for (std::uint32_t node = 0; node < pool.pool->nodes; node = pool.runs.end_of(node))
            pool.futures[node].forget_steps();
}

}  // namespace weir::sched
