#include "weir/sim/demand_of.hpp"

#include <algorithm>

namespace weir::sim {

namespace {

DemandsOf::Sizes with_pools_of_all(std::vector<sched::Size> all) {
    DemandsOf::Sizes sizes{.all = std::move(all), .waiting = {}};
    sizes.waiting = sizes.all.front().demand;
    std::vector<PoolId>& pools = sizes.waiting.pools;
    for (const sched::Size& size : sizes.all) {
        for (const PoolId pool : size.demand.pools)
            if (std::find(pools.begin(), pools.end(), pool) == pools.end()) pools.push_back(pool);
    }
    return sizes;
}

}  // namespace

DemandsOf::DemandsOf(const Trace& trace, fleet::Fleet fleet, KeepsOf keeps, SizesOf sizes)
    : trace_(trace), fleet_(std::move(fleet)), keeps_(std::move(keeps)), sizes_(std::move(sizes)) {}

DemandsOf::Known& DemandsOf::known(const TraceJob& job) {
    const Key key{job.chips,
                  job.chip_permille,
                  job.nodes,
                  job.cpus_milli,
                  job.memory.count,
                  job.accepts,
                  job.trains,
                  job.precision};
    const auto [entry, added] = known_.try_emplace(key);
    Known& its = entry->second;
    if (!added) return its;
    if (job.trains != unknown_name) {
        plan(trace_.trainings.at(job.trains), its);
        return its;
    }
    its.demand.pools = pools_for(job);
    if (keeps_ && job.chips > 0 && job.precision) {
        std::vector<PoolId>& pools = its.demand.pools;
        const auto barred = std::stable_partition(pools.begin(), pools.end(), [&](PoolId pool) {
            return keeps_(fleet_.pool(pool).chip, *job.precision);
        });
        its.barred.assign(barred, pools.end());
        pools.erase(barred, pools.end());
    }
    make(job, its.demand);
    return its;
}

const fleet::Demand& DemandsOf::of(const TraceJob& job) {
    return known(job).demand;
}

// Where no size is planned, no pool serves it.
void DemandsOf::plan(const std::string& job_file, Known& its) {
    if (!sizes_) return;
    Result<std::vector<sched::Size>> sizes = sizes_(job_file, fleet_);
    if (!sizes || sizes->empty()) return;
    its.sizes = with_pools_of_all(*std::move(sizes));
    its.demand = its.sizes.all.front().demand;
}

const DemandsOf::Sizes& DemandsOf::sizes_of(const TraceJob& job) {
    return known(job).sizes;
}

const DemandsOf::Sizes& DemandsOf::sizes_of(const TraceJob& job,
                                            const sched::Engine& engine,
                                            TenantId tenant) {
    Known& its = known(job);
    if (its.sizes.all.empty() || engine.rights().empty()) return its.sizes;
    const auto [entry, added] = its.of_tenants.try_emplace(tenant);
    if (!added) return entry->second;
    std::vector<sched::Size> possible;
    for (const sched::Size& size : its.sizes.all)
        if (engine.can_ever_have(tenant, size.demand)) possible.push_back(size);
    if (!possible.empty()) entry->second = with_pools_of_all(std::move(possible));
    return entry->second;
}

const std::vector<PoolId>& DemandsOf::barred_to(const TraceJob& job) {
    return known(job).barred;
}

bool DemandsOf::can_ever_fit(const sched::Engine& engine, const TraceJob& job) {
    Known& its = known(job);
    if (its.demand.pools.empty()) return false;
    if (its.fits < 0) {
        bool fits = its.sizes.all.empty() && engine.can_ever_fit(its.demand);
        for (const sched::Size& size : its.sizes.all)
            fits = fits || engine.can_ever_fit(size.demand);
        its.fits = fits ? 1 : 0;
    }
    return its.fits == 1;
}

bool DemandsOf::can_ever_have(const sched::Engine& engine, const TraceJob& job, TenantId tenant) {
    const Known& its = known(job);
    if (its.sizes.all.empty()) return engine.can_ever_have(tenant, its.demand).has_value();
    return std::any_of(its.sizes.all.begin(), its.sizes.all.end(), [&](const sched::Size& size) {
        return engine.can_ever_have(tenant, size.demand).has_value();
    });
}

bool DemandsOf::can_ever_read(const sched::Engine& engine, const TraceJob& job, TenantId tenant) {
    if (job.reads == unknown_name) return true;
    Known& its = known(job);
    const auto [entry, added] = its.reads.try_emplace({job.reads, tenant}, false);
    if (!added) return entry->second;
    const std::vector<std::string>& datasets = trace_.data_sets.at(job.reads);
    entry->second =
        its.sizes.all.empty()
            ? engine.can_ever_read(tenant, its.demand, datasets)
            : std::any_of(its.sizes.all.begin(), its.sizes.all.end(), [&](const sched::Size& size) {
                  return engine.can_ever_read(tenant, size.demand, datasets);
              });
    return entry->second;
}

std::vector<PoolId> DemandsOf::pools_for(const TraceJob& job) const {
    std::vector<PoolId> pools;
    const auto add_if = [&](auto accepts) {
        for (std::uint32_t i = 0; i < fleet_.pools.size(); ++i) {
            if (accepts(fleet_.pools[i])) pools.push_back(PoolId{i});
        }
    };
    if (job.chips > 0 && job.accepts != unknown_name) {
        for (const std::string& chip : trace_.chip_sets[job.accepts]) {
            add_if([&](const fleet::Pool& pool) {
                return pool.chips_per_node > 0 && pool.chip == chip;
            });
        }
        return pools;
    }
    // Work that needs no chip goes where there is none, as long as there is room.
    if (job.chips == 0) add_if([](const fleet::Pool& pool) { return pool.chips_per_node == 0; });
    add_if([](const fleet::Pool& pool) { return pool.chips_per_node > 0; });
    if (trace_.classic && pools.empty()) add_if([](const fleet::Pool&) { return true; });
    return pools;
}

void DemandsOf::make(const TraceJob& job, fleet::Demand& demand) const {
    if (trace_.classic) {
        const bool by_chips =
            std::any_of(demand.pools.begin(), demand.pools.end(), [&](PoolId pool) {
                return fleet_.pool(pool).chips_per_node > 0;
            });
        demand.parts = {
            {.replicas = job.chips,
             .each = {.chips = by_chips ? 1U : 0U, .cpus_milli = by_chips ? 0U : 1000U}}};
        return;
    }

    const auto part = [&](std::uint32_t replicas, std::uint32_t chips, std::uint64_t of) {
        // The share of one replica in the CPUs and the memory of the job, rounded up.
        const std::uint64_t share = std::max<std::uint32_t>(chips, 1);
        const auto cut = [&](std::uint64_t whole) { return (whole * share + of - 1) / of; };
        demand.parts.push_back(
            {.replicas = replicas,
             .each = {.chips = chips,
                      .cpus_milli = static_cast<std::uint32_t>(cut(job.cpus_milli)),
                      .memory = {static_cast<std::int64_t>(
                          cut(static_cast<std::uint64_t>(job.memory.count)))}}});
    };
    if (job.chips == 0) {
        part(std::max(job.nodes, 1U), 0, std::max(job.nodes, 1U));
        return;
    }
    if (job.chip_permille < 1000) {
        part(1, 0, 1);
        demand.parts.front().each.chip_permille = job.chip_permille;
        return;
    }
    std::uint32_t on_node = 0;
    for (const PoolId pool : demand.pools) {
        on_node = std::max(on_node, fleet_.pool(pool).chips_per_node);
    }
    if (job.nodes > 1 && job.chips % job.nodes == 0) {
        part(job.nodes, job.chips / job.nodes, job.chips);
    } else if (job.chips <= on_node || on_node == 0) {
        part(1, job.chips, job.chips);
    } else {
        part(job.chips / on_node, on_node, job.chips);
        if (job.chips % on_node > 0) part(1, job.chips % on_node, job.chips);
    }
}

}  // namespace weir::sim
