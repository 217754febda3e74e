// See plan.hpp. This file keeps the futures of nodes; plan_search.cpp looks for a place in them.
//
// Invariants: the runs of a pool cover its nodes without a gap, and neighbours differ; a node has a
// horizon in FreeIndex exactly when something is claimed of it; `free` and the rooms of watts hold
// every hold and claim on nodes in service, so as counts they are never below the truth.
#include "weir/sched/plan.hpp"

#include <algorithm>
#include <bit>

#include "weir/base/assert.hpp"
#include "weir/fleet/power.hpp"

namespace weir::sched {

namespace {

// What `free` counts of a node: thousandths of chips, of CPUs where it has none.
std::int64_t whole_node(const fleet::Pool& pool) {
    return pool.chips_per_node > 0 ? std::int64_t{pool.chips_per_node} * 1000
                                   : std::int64_t{pool.cpus_milli};
}

// Shares of chips as they are, not rounded up to whole ones.
std::int64_t chips_milli(const fleet::ReplicaDemand& each, std::uint32_t replicas) {
    return std::int64_t{replicas} * (std::int64_t{each.chips} * 1000 + each.chip_permille);
}

void hold(Timeline& timeline, std::int64_t amount, Time from, Time until, int sign) {
    if (amount == 0) return;
    if (from == Time::min()) {
        timeline.raise(-sign * amount);
    } else {
        timeline.add(from, -sign * amount);
    }
    if (until != never) timeline.add(until, sign * amount);
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
            sites_.push_back(
                {.span = fleet::nodes_per_pool_max, .budget_milliwatts = {0}, .drawn = {}});
        }
        futures_.emplace_back();
        if (pool.nodes > 0) {
            plan.runs.push_back({0, pool.nodes, static_cast<std::uint32_t>(futures_.size() - 1)});
        }
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

std::size_t Plan::run_of(const PoolPlan& pool, std::uint32_t node) const {
    const auto after = std::upper_bound(
        pool.runs.begin(), pool.runs.end(), node, [](std::uint32_t n, const Run& run) {
            return n < run.first;
        });
    return static_cast<std::size_t>(after - pool.runs.begin()) - 1;
}

// Makes a run begin at `node`; gives its position.
std::size_t Plan::split(PoolPlan& pool, std::uint32_t node) {
    if (node >= pool.pool->nodes) return pool.runs.size();
    const std::size_t position = run_of(pool, node);
    Run& run = pool.runs[position];
    if (run.first == node) return position;
    std::uint32_t copy = static_cast<std::uint32_t>(futures_.size());
    if (unused_.empty()) {
        futures_.push_back(futures_[run.future]);
    } else {
        copy = unused_.back();
        unused_.pop_back();
        futures_[copy] = futures_[run.future];
    }
    const Run second{node, run.first + run.count - node, copy};
    run.count = node - run.first;
    pool.runs.insert(pool.runs.begin() + static_cast<std::ptrdiff_t>(position) + 1, second);
    return position + 1;
}

// Changes the future of nodes, run by run, and joins neighbours that became alike.
template <class Change>
void Plan::change(PoolId id, std::uint32_t first, std::uint32_t count, Change change) {
    PoolPlan& pool = pools_[id.value];
    const std::size_t begin = split(pool, first);
    std::size_t end = split(pool, first + count);
    for (std::size_t i = begin; i < end; ++i)
        change(pool.runs[i], futures_[pool.runs[i].future]);

    // [begin - 1, end] may have become alike, pair by pair.
    std::size_t kept = begin == 0 ? 0 : begin - 1;
    const std::size_t last = std::min(end, pool.runs.size() - 1);
    for (std::size_t i = kept + 1; i <= last; ++i) {
        if (futures_[pool.runs[kept].future] == futures_[pool.runs[i].future]) {
            pool.runs[kept].count += pool.runs[i].count;
            Future& gone = futures_[pool.runs[i].future];
            gone.holds.clear();
            gone.claims.clear();
            unused_.push_back(pool.runs[i].future);
        } else {
            pool.runs[++kept] = pool.runs[i];
        }
    }
    pool.runs.erase(pool.runs.begin() + static_cast<std::ptrdiff_t>(kept) + 1,
                    pool.runs.begin() + static_cast<std::ptrdiff_t>(last) + 1);
}

const std::vector<Plan::Hold>& Plan::holds(PoolId id, std::uint32_t node) const {
    const PoolPlan& pool = pools_[id.value];
    return futures_[pool.runs[run_of(pool, node)].future].holds;
}

bool Plan::is_empty(PoolId id, std::uint32_t node, Time from, Time until) const {
    const PoolPlan& pool = pools_[id.value];
    const Future& future = futures_[pool.runs[run_of(pool, node)].future];
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

// So much of each of some nodes is held in [from, until); from == Time::min(): from now on.
void Plan::count_free(PoolPlan& pool,
                      std::uint32_t nodes,
                      std::int64_t chips_milli,
                      std::int64_t cpus_milli,
                      Time from,
                      Time until,
                      int sign) {
    hold(pool.free,
         (pool.pool->chips_per_node > 0 ? chips_milli : cpus_milli) * nodes,
         from,
         until,
         sign);
}

void Plan::count_claim(PoolPlan& pool, std::uint32_t nodes, const Claim& claim, int sign) {
    count_free(pool,
               nodes,
               claim.amounts.chips * 1000,
               claim.amounts.cpus_milli,
               claim.from,
               claim.until,
               sign);
}

void Plan::draw(Watched& watched,
                std::uint32_t first,
                std::uint32_t nodes,
                std::int64_t milliwatts,
                Time from,
                Time until,
                int sign) {
    for (std::uint32_t node = first; node < first + nodes;) {
        const std::uint32_t domain = node / watched.span;
        const std::uint32_t inside = std::min(first + nodes, (domain + 1) * watched.span) - node;
        hold(watched.drawn[domain], milliwatts * inside, from, until, sign);
        node += inside;
    }
}

void Plan::count_watts(PoolPlan& pool,
                       std::uint32_t first,
                       std::uint32_t nodes,
                       std::int64_t milliwatts,
                       Time from,
                       Time until,
                       int sign) {
    if (milliwatts == 0) return;
    if (pool.racks.any()) draw(pool.racks, first, nodes, milliwatts, from, until, sign);
    if (pool.pods.any()) draw(pool.pods, first, nodes, milliwatts, from, until, sign);
    if (sites_[pool.site].any()) {
        hold(sites_[pool.site].drawn[0], milliwatts * nodes, from, until, sign);
    }
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
    for (const Run& run : pool.runs) {
        const std::uint32_t first = whole_site ? 0 : run.first;
        for (const Hold& its : futures_[run.future].holds) {
            draw(watched, first, run.count, its.milliwatts, Time::min(), its.end, 1);
        }
        for (const Claim& claim : futures_[run.future].claims) {
            draw(watched, first, run.count, claim.milliwatts, claim.from, claim.until, 1);
        }
    }
}

void Plan::set_power(const PowerDomain& domain, double watts) {
    PoolPlan& pool = pools_[domain.pool.value];
    const bool of_site = domain.level == fleet::Level::site;
    Watched& watched = of_site                              ? sites_[pool.site]
                       : domain.level == fleet::Level::rack ? pool.racks
                                                            : pool.pods;
    watched.budget_milliwatts.at(of_site ? 0 : domain.number) = fleet::milliwatts(watts);
    if (watts <= 0 || watched.any()) return;
    if (!of_site) {
        watch(watched, pool, false);
        return;
    }
    for (PoolPlan& other : pools_)
        if (other.site == pool.site) watch(watched, other, true);
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
                       .chips_milli = chips_milli(each, range.replicas)};
        bool claimed = false;
        change(range.pool, range.first, range.count, [&](const Run& run, Future& future) {
            future.holds.push_back(its);
            claimed = claimed || !future.claims.empty();
            if (future.in_service) {
                count_free(
                    pool, run.count, its.chips_milli, its.cpus_milli, Time::min(), end_by, 1);
            }
        });
        count_watts(pool, range.first, range.count, its.milliwatts, Time::min(), end_by, 1);
        if (claimed) refresh(range.pool, range.first, range.count);
    }
}

void Plan::ended(JobId job, const fleet::Shape& shape, const fleet::Placement& held, Time end_by) {
    for (const fleet::NodeRange& range : held.ranges) {
        const fleet::ReplicaDemand& each = shape.demand.parts[range.part].each;
        PoolPlan& pool = pools_[range.pool.value];
        const std::int64_t milliwatts = fleet::active_milliwatts(*pool.pool, each) * range.replicas;
        bool claimed = false;
        change(range.pool, range.first, range.count, [&](const Run& run, Future& future) {
            const auto its =
                std::find_if(future.holds.begin(), future.holds.end(), [&](const Hold& one) {
                    return one.job == job && one.chips == range.chip_mask;
                });
            WEIR_ASSERT(its != future.holds.end());
            if (future.in_service) {
                count_free(
                    pool, run.count, its->chips_milli, its->cpus_milli, Time::min(), end_by, -1);
            }
            future.holds.erase(its);
            claimed = claimed || !future.claims.empty();
        });
        count_watts(pool, range.first, range.count, milliwatts, Time::min(), end_by, -1);
        if (claimed) refresh(range.pool, range.first, range.count);
    }
}

// A node out of service offers nothing and counts nothing; what it holds comes back with it. Its
// watts stay counted: they are not given to others.
void Plan::set_in_service(PoolId id, std::uint32_t node, bool in_service) {
    PoolPlan& pool = pools_[id.value];
    change(id, node, 1, [&](const Run&, Future& future) {
        if (future.in_service == in_service) return;
        future.in_service = in_service;
        const int sign = in_service ? 1 : -1;
        pool.free.raise(sign * whole_node(*pool.pool));
        for (const Hold& its : future.holds) {
            count_free(pool, 1, its.chips_milli, its.cpus_milli, Time::min(), its.end, sign);
        }
        for (const Claim& claim : future.claims) {
            if (claim.tag != 0) continue;
            count_claim(pool, 1, claim, sign);
        }
    });
}

// ---------------------------------------------------------------------------------------------
// What is promised

void Plan::claim_quietly(JobId job, const fleet::Shape& shape, const Place& place) {
    for (const fleet::NodeRange& range : place.placement.ranges) {
        const fleet::ReplicaDemand& each = shape.demand.parts[range.part].each;
        PoolPlan& pool = pools_[range.pool.value];
        const Claim claim{
            .from = place.at,
            .until = place.until,
            .job = job,
            .tag = 0,
            .begun = false,
            .amounts = amounts_of(pool, each, range.replicas),
            .milliwatts = fleet::active_milliwatts(*pool.pool, each) * range.replicas};
        change(range.pool, range.first, range.count, [&](const Run& run, Future& future) {
            future.claims.push_back(claim);
            if (future.in_service) count_claim(pool, run.count, claim, 1);
        });
        count_watts(pool, range.first, range.count, claim.milliwatts, place.at, place.until, 1);
    }
}

void Plan::release_quietly(JobId job, const fleet::Shape& shape, const Place& place) {
    for (const fleet::NodeRange& range : place.placement.ranges) {
        const fleet::ReplicaDemand& each = shape.demand.parts[range.part].each;
        PoolPlan& pool = pools_[range.pool.value];
        const Amounts amounts = amounts_of(pool, each, range.replicas);
        change(range.pool, range.first, range.count, [&](const Run& run, Future& future) {
            const auto its =
                std::find_if(future.claims.begin(), future.claims.end(), [&](const Claim& claim) {
                    return claim.job == job && claim.amounts == amounts;
                });
            WEIR_ASSERT(its != future.claims.end());
            if (future.in_service) count_claim(pool, run.count, *its, -1);
            future.claims.erase(its);
        });
        count_watts(pool,
                    range.first,
                    range.count,
                    fleet::active_milliwatts(*pool.pool, each) * range.replicas,
                    place.at,
                    place.until,
                    -1);
    }
}

void Plan::settle(const fleet::Placement& placement) {
    for (const fleet::NodeRange& range : placement.ranges)
        refresh(range.pool, range.first, range.count);
}

void Plan::claim(JobId job, const fleet::Shape& shape, const Place& place) {
    claim_quietly(job, shape, place);
    settle(place.placement);
}

void Plan::release(JobId job, const fleet::Shape& shape, const Place& place) {
    release_quietly(job, shape, place);
    settle(place.placement);
}

void Plan::refresh(PoolId id, std::uint32_t first, std::uint32_t count) {
    const PoolPlan& pool = pools_[id.value];
    for (std::size_t i = run_of(pool, first); i < pool.runs.size(); ++i) {
        const Run& run = pool.runs[i];
        if (run.first >= first + count) break;
        const std::uint32_t from = std::max(run.first, first);
        const std::uint32_t to = std::min(run.first + run.count, first + count);
        free_.set_horizon(id, from, to - from, horizon_of(pool, futures_[run.future]));
    }
}

// Who stays beyond the first claim may use what is left over at every time at which a claim begins.
fleet::Horizon Plan::horizon_of(const PoolPlan& pool, const Future& future) const {
    if (future.claims.empty()) return {};
    Time until = never;
    Amounts least{.chips = pool.pool->chips_per_node,
                  .cpus_milli = pool.pool->cpus_milli,
                  .memory = pool.pool->memory.count};
    for (const Claim& each : future.claims) {
        // While nodes are set apart, those who may use them have to be gone at the end of it.
        until = std::min(until, each.begun ? each.until : each.from);
        const Amounts left =
            available(pool, future, each.begun ? each.until : each.from, each.from, 0);
        least.chips = std::min(least.chips, left.chips);
        least.cpus_milli = std::min(least.cpus_milli, left.cpus_milli);
        least.memory = std::min(least.memory, left.memory);
        if (each.begun) least = {};
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
        const Claim claim{.from = advance.from,
                          .until = advance.until,
                          .job = JobId::none(),
                          .tag = advance.id.value,
                          .begun = begun,
                          .amounts = {.chips = facts.chips_per_node,
                                      .cpus_milli = facts.cpus_milli,
                                      .memory = facts.memory.count}};
        change(nodes.pool, nodes.first, nodes.count, [&](const Run&, Future& future) {
            future.claims.push_back(claim);
        });
        refresh(nodes.pool, nodes.first, nodes.count);
    }
}

void Plan::begin(const Advance& advance) {
    for (const Advance::Nodes& nodes : advance.nodes) {
        change(nodes.pool, nodes.first, nodes.count, [&](const Run&, Future& future) {
            for (Claim& claim : future.claims)
                if (claim.tag == advance.id.value) claim.begun = true;
        });
        refresh(nodes.pool, nodes.first, nodes.count);
    }
}

void Plan::give_back(const Advance& advance) {
    for (const Advance::Nodes& nodes : advance.nodes) {
        change(nodes.pool, nodes.first, nodes.count, [&](const Run&, Future& future) {
            std::erase_if(future.claims,
                          [&](const Claim& claim) { return claim.tag == advance.id.value; });
        });
        refresh(nodes.pool, nodes.first, nodes.count);
    }
}

}  // namespace weir::sched
