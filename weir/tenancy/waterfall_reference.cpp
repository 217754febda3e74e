#include "weir/tenancy/waterfall_reference.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "weir/fleet/power.hpp"

namespace weir::tenancy {
namespace {

bool holds(const fleet::NodeRange& range, std::size_t pool, std::uint32_t node) {
    return range.pool.value == pool && node >= range.first && node < range.first + range.count;
}

}  // namespace

WaterfallReference::WaterfallReference(const fleet::Fleet& fleet, Unit unit, Rights its_rights)
    : rights(std::move(its_rights)), fleet_(fleet), unit_(unit) {
    for (const fleet::Pool& pool : fleet.pools) {
        nodes.emplace_back(pool.nodes);
        rack_watts.emplace_back(pool.racks(), pool.rack_power_watts);
        pod_watts.emplace_back(pool.pods(), pool.pod_power_watts);
    }
    for (const fleet::Site& site : fleet.sites) {
        site_watts.push_back(site.power_watts);
        for (const auto& [name, size] : site.storage.datasets)
            data.emplace(name, site.name);
    }
    of_pool.resize(fleet.pools.size());
}

std::int64_t WaterfallReference::node_units(std::size_t pool) const {
    const fleet::Pool& its = fleet_.pools[pool];
    return unit_ == Unit::chips ? std::int64_t{its.chips_per_node} * 1000 : its.cpus_milli;
}

std::int64_t WaterfallReference::held_on(std::size_t pool, std::uint32_t node) const {
    std::int64_t sum = 0;
    for (const auto& [id, job] : jobs) {
        for (const fleet::NodeRange& range : job.on.ranges) {
            if (!holds(range, pool, node)) continue;
            const fleet::ReplicaDemand& each = job.demand.parts[range.part].each;
            sum += unit_ == Unit::chips
                       ? (std::int64_t{each.chips} * 1000 + each.chip_permille) * range.replicas
                       : std::int64_t{each.cpus_milli} * range.replicas;
        }
    }
    return node_units(pool) == 0 ? 0 : sum;
}

std::int64_t WaterfallReference::shares_of(std::size_t pool, std::uint32_t node, int chip) const {
    std::int64_t sum = 0;
    for (const auto& [id, job] : jobs) {
        for (const fleet::NodeRange& range : job.on.ranges) {
            const bool here = holds(range, pool, node) && (range.chip_mask >> chip & 1) == 1;
            const std::uint32_t permille = job.demand.parts[range.part].each.chip_permille;
            if (here) sum += std::int64_t{permille} * range.replicas;
        }
    }
    return sum;
}

// How much of what is idle and in service its budgets could feed, pool by pool.
std::vector<std::int64_t> WaterfallReference::fed(
    const std::vector<std::vector<std::int64_t>>& idle) {
    const auto span = [&](std::size_t p) -> std::int64_t {
        const fleet::Pool& pool = fleet_.pools[p];
        const bool follow = unit_ == Unit::chips || pool.chips_per_node == 0;
        if (pool.node_busy_watts <= 0 || !follow || node_units(p) == 0) return 0;
        return std::max<std::int64_t>(
            0, fleet::milliwatts(pool.node_busy_watts - pool.node_idle_watts));
    };
    std::vector<std::int64_t> rooms;
    for (std::size_t p = 0; p < nodes.size(); ++p) {
        const fleet::Pool& pool = fleet_.pools[p];
        // So many more of `most` that the budget is not exceeded, one by one.
        const auto more =
            [&](double watts, std::uint32_t first, std::uint32_t size, std::int64_t most) {
                if (watts <= 0 || span(p) == 0) return most;
                std::int64_t held = 0;
                std::int64_t count = 0;
                for (std::uint32_t n = first; n < std::min(pool.nodes, first + size); ++n) {
                    held += held_on(p, n);
                    ++count;
                }
                const std::int64_t beside_idle =
                    fleet::milliwatts(watts) - fleet::idle_milliwatts(pool) * count;
                std::int64_t x = 0;
                while (x < most && (held + x + 1) * span(p) <= beside_idle * node_units(p))
                    ++x;
                return x;
            };
        std::int64_t in_pool = 0;
        for (std::uint32_t pod = 0; pod < pool.pods(); ++pod) {
            std::int64_t in_pod = 0;
            for (std::uint32_t rack = 0; rack < pool.racks(); ++rack) {
                const std::uint32_t first = rack * pool.rack_nodes();
                if (first / pool.pod_nodes() != pod) continue;
                std::int64_t in_rack = 0;
                for (std::uint32_t n = first; n < std::min(pool.nodes, first + pool.rack_nodes());
                     ++n)
                    in_rack += idle[p][n];
                in_pod += more(rack_watts[p][rack], first, pool.rack_nodes(), in_rack);
            }
            in_pool += more(pod_watts[p][pod], pod * pool.pod_nodes(), pool.pod_nodes(), in_pod);
        }
        rooms.push_back(in_pool);
    }
    for (std::size_t s = 0; s < fleet_.sites.size(); ++s) {
        if (site_watts[s] <= 0) continue;
        std::vector<std::size_t> its;
        std::int64_t left_mw = fleet::milliwatts(site_watts[s]);
        const auto drawn = [&](std::size_t p, std::int64_t units) {  // rounded up
            return (units * span(p) + node_units(p) - 1) / node_units(p);
        };
        for (std::size_t p = 0; p < nodes.size(); ++p) {
            if (fleet_.pools[p].site != fleet_.sites[s].name || span(p) == 0) continue;
            its.push_back(p);
            std::int64_t held = 0;
            for (std::uint32_t n = 0; n < nodes[p].size(); ++n)
                held += held_on(p, n);
            left_mw -= fleet::idle_milliwatts(fleet_.pools[p]) * fleet_.pools[p].nodes;
            left_mw -= drawn(p, held);
        }
        std::stable_sort(its.begin(), its.end(), [&](std::size_t a, std::size_t b) {
            return span(a) * node_units(b) < span(b) * node_units(a);
        });
        for (const std::size_t p : its) {
            std::int64_t x = 0;
            while (x < rooms[p] && left_mw > 0 && (x + 1) * span(p) <= left_mw * node_units(p))
                ++x;
            rooms[p] = x;
            left_mw -= drawn(p, x);
        }
    }
    return rooms;
}

std::int64_t WaterfallReference::units_in(const Job& job, std::size_t pool) const {
    if (node_units(pool) == 0) return 0;
    std::int64_t sum = 0;
    for (const fleet::NodeRange& range : job.on.ranges) {
        if (range.pool.value != pool) continue;
        const fleet::ReplicaDemand& each = job.demand.parts[range.part].each;
        sum += (unit_ == Unit::chips ? std::int64_t{each.chips} * 1000 + each.chip_permille
                                     : std::int64_t{each.cpus_milli}) *
               range.replicas * range.count;
    }
    return sum;
}

bool WaterfallReference::has_right(const Job& job, PoolId pool) const {
    if (rights.empty()) return true;
    QuotaTree tree(rights.organisations, rights.capacity);
    for (const auto& [id, other] : jobs) {
        if (other.on.ranges.empty()) continue;
        for (const Allowance& each : rights.charges(other.demand, other.on.ranges.front().pool))
            tree.use(other.house, each.resource, each.amount);
    }
    for (const Allowance& each : rights.charges(job.demand, pool)) {
        if (each.amount > tree.available(job.house, each.resource) &&
            !tree.owns(job.house, each.resource, each.amount)) {
            return false;
        }
    }
    return true;
}

bool WaterfallReference::has_data(const Job& job, PoolId pool) const {
    return std::all_of(job.reads.begin(), job.reads.end(), [&](const std::string& name) {
        return data.count({name, fleet_.pools[pool.value].site}) > 0;
    });
}

void WaterfallReference::tick(std::int64_t now_ms) {
    const std::size_t pools = nodes.size();
    std::vector<std::vector<std::int64_t>> idle(pools);  // and in service
    std::vector<std::int64_t> promised(pools), apart(pools), shared(pools);
    for (std::size_t p = 0; p < pools; ++p) {
        for (std::uint32_t n = 0; n < nodes[p].size(); ++n) {
            const std::int64_t here = node_units(p) - held_on(p, n);
            bool is_apart = false;
            bool maintained = false;
            for (const Apart& one : aparts) {
                if (now_ms < one.from_ms || now_ms >= one.until_ms) continue;
                for (const Waterfall::Run& run : one.nodes) {
                    if (run.pool.value != p || n < run.first || n >= run.first + run.count)
                        continue;
                    (one.maintenance ? maintained : is_apart) = true;
                }
            }
            idle[p].push_back(0);
            if (nodes[p][n].health == Waterfall::Health::failed) {
                of_pool[p][Loss::failed] += static_cast<std::uint64_t>(here);
                continue;
            }
            if (nodes[p][n].health == Waterfall::Health::drained || maintained) {
                of_pool[p][Loss::drained] += static_cast<std::uint64_t>(here);
                continue;
            }
            idle[p][n] = here;
            bool is_promised = false;
            for (const auto& [id, job] : jobs) {
                for (const fleet::NodeRange& range : job.promised.ranges)
                    is_promised = is_promised || holds(range, p, n);
            }
            if (is_apart) {
                apart[p] += here;
            } else if (is_promised) {
                promised[p] += here;
            } else if (unit_ == Unit::chips) {
                for (std::uint32_t chip = 0; chip < fleet_.pools[p].chips_per_node; ++chip) {
                    const std::int64_t shares = shares_of(p, n, static_cast<int>(chip));
                    if (shares > 0) shared[p] += 1000 - shares;
                }
            }
        }
    }
    std::vector<std::int64_t> left = fed(idle);
    for (std::size_t p = 0; p < pools; ++p) {
        const std::int64_t all = std::accumulate(idle[p].begin(), idle[p].end(), std::int64_t{0});
        of_pool[p][Loss::unpowered] += static_cast<std::uint64_t>(all - left[p]);
    }
    std::vector<std::int64_t> wanted(pools);
    // Who asks, in order, with what each has not found yet.
    using Asks = std::tuple<std::size_t,
                            std::vector<PoolId>,
                            TenantId,
                            std::uint64_t,
                            std::uint64_t,
                            std::vector<PoolId>,
                            std::vector<std::string>>;
    std::map<Asks, std::pair<const Job*, std::int64_t>> asked;
    for (const auto& [id, job] : jobs) {
        if (!job.waits) continue;
        const std::uint64_t chips = job.demand.chips_milli();
        const std::uint64_t cpus = job.demand.cpus_milli();
        const Asks alike{job.demand.pools.size(),
                         job.demand.pools,
                         job.house,
                         rights.empty() ? 0 : chips,
                         rights.empty() ? 0 : cpus,
                         job.barred,
                         job.reads};
        auto& [one_of_them, units] = asked[alike];
        one_of_them = &job;
        units += static_cast<std::int64_t>(unit_ == Unit::chips ? chips : cpus);
    }
    for (const Loss loss :
         {Loss::fragmented, Loss::awaiting_data, Loss::over_quota, Loss::wrong_precision}) {
        for (auto& [alike, who] : asked) {
            auto& [job, units] = who;
            const bool barred = loss == Loss::wrong_precision;
            for (const PoolId pool : barred ? job->barred : job->demand.pools) {
                const Loss why = !has_right(*job, pool)  ? Loss::over_quota
                                 : !has_data(*job, pool) ? Loss::awaiting_data
                                                         : Loss::fragmented;
                if (!barred && why != loss) continue;
                const std::int64_t got = std::min(units, left[pool.value]);
                units -= got;
                left[pool.value] -= got;
                if (loss == Loss::fragmented) {
                    wanted[pool.value] += got;
                } else {
                    of_pool[pool.value][loss] += static_cast<std::uint64_t>(got);
                }
            }
        }
    }
    for (std::size_t p = 0; p < pools; ++p) {
        of_pool[p][Loss::not_demanded] += static_cast<std::uint64_t>(left[p]);
        const auto explain = [&](Loss loss, std::int64_t units) {
            const std::int64_t part = std::min(units, wanted[p]);
            of_pool[p][loss] += static_cast<std::uint64_t>(part);
            wanted[p] -= part;
        };
        explain(Loss::promised, promised[p]);
        explain(Loss::set_apart, apart[p]);
        explain(Loss::shared_rest, shared[p]);
        explain(Loss::fragmented, wanted[p]);
    }
    for (auto& [id, job] : jobs) {
        job.ms_in_pool.resize(pools);
        job.work_kept_in_pool.resize(pools);
        for (std::size_t p = 0; p < pools; ++p)
            job.ms_in_pool[p] += units_in(job, p);
    }
}

void WaterfallReference::book(Job& job, std::size_t pool, Loss loss, std::int64_t amount) {
    of_pool[pool][loss] += static_cast<std::uint64_t>(amount);
    of_tenant[job.tenant][loss] += static_cast<std::uint64_t>(amount);
    job.row[loss] += static_cast<std::uint64_t>(amount);
}

void WaterfallReference::stops(Job& job, const Spent& spent) {
    job.ms_in_pool.resize(nodes.size());
    job.work_kept_in_pool.resize(nodes.size());
    for (std::size_t p = 0; p < nodes.size(); ++p) {
        const std::int64_t units = units_in(job, p);
        std::int64_t rest = job.ms_in_pool[p];
        const auto part = [&](Duration time) {
            rest -= units * time.count();
            return units * time.count();
        };
        book(job, p, Loss::staging, part(spent.staging));
        book(job, p, Loss::start_up, part(spent.start_up));
        book(job, p, Loss::restart, part(spent.restart));
        book(job, p, Loss::checkpoint, part(spent.checkpoint));
        job.work_kept_in_pool[p] += part(spent.kept);
        book(job, p, Loss::lost_work, rest);
        job.ms_in_pool[p] = 0;
    }
    job.on.ranges.clear();
}

void WaterfallReference::settles(Job& job,
                                 bool came_out,
                                 const std::optional<Efficiency>& efficiency) {
    job.work_kept_in_pool.resize(nodes.size());
    for (std::size_t p = 0; p < nodes.size(); ++p) {
        const std::int64_t work = job.work_kept_in_pool[p];
        if (!came_out) {
            book(job, p, Loss::lost_work, work);
        } else if (!efficiency) {
            book(job, p, Loss::running, work);
        } else {
            const std::int64_t plan = work * (1'000'000 - efficiency->plan_ppm) / 1'000'000;
            const std::int64_t kernel =
                (work - plan) * (1'000'000 - efficiency->kernel_ppm) / 1'000'000;
            book(job, p, Loss::plan, plan);
            book(job, p, Loss::kernel, kernel);
            book(job, p, Loss::useful, work - plan - kernel);
        }
        job.work_kept_in_pool[p] = 0;
    }
}

}  // namespace weir::tenancy
