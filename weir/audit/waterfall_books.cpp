#include "weir/audit/waterfall_books.hpp"

#include <algorithm>
#include <bit>

#include "weir/fleet/power.hpp"

namespace weir::audit {
namespace {

using Wide = __int128;

Amount over(std::uint64_t units, Duration time) {
    return Amount{units} * static_cast<std::uint64_t>(time.count());
}

std::uint64_t above_zero(std::uint64_t sum) {
    return static_cast<std::int64_t>(sum) < 0 ? 0 : sum;
}

// Thousandths that draw at most so many milliwatts, and what thousandths draw, rounded up.
std::uint64_t units_for(Wide milliwatts, std::uint64_t node_units, std::int64_t span_mw) {
    return milliwatts <= 0 ? 0 : static_cast<std::uint64_t>(milliwatts * node_units / span_mw);
}
Wide milliwatts_for(std::uint64_t units, std::uint64_t node_units, std::int64_t span_mw) {
    return (Wide{units} * span_mw + node_units - 1) / node_units;
}

}  // namespace

WaterfallBooks::WaterfallBooks(const Header& header) : unit_(header.counted_in), quotas_(header) {
    const fleet::Fleet& fleet = header.fleet;
    const Unit unit = unit_;
    for (const fleet::Site& site : fleet.sites) {
        for (const auto& [name, size] : site.storage.datasets)
            data_.emplace(name, sites_.size());
        sites_.emplace_back(site.name, site.power_watts);
    }
    for (const fleet::Pool& facts : fleet.pools) {
        PoolBook& pool = pools_.emplace_back();
        pool.facts = facts;
        pool.node_units =
            unit == Unit::chips ? std::uint64_t{facts.chips_per_node} * 1000 : facts.cpus_milli;
        while (pool.site < sites_.size() && sites_[pool.site].first != facts.site)
            ++pool.site;
        if (pool.site == sites_.size()) sites_.emplace_back(facts.site, 0);
        const bool watts_follow = unit == Unit::chips || facts.chips_per_node == 0;
        if (pool.node_units > 0 && facts.node_busy_watts > 0 && watts_follow) {
            pool.span_mw = std::max<std::int64_t>(
                0, fleet::milliwatts(facts.node_busy_watts - facts.node_idle_watts));
        }
        if (facts.rack_power_watts > 0 || facts.pod_power_watts > 0) {
            pool.rack_watts.assign(facts.racks(), facts.rack_power_watts);
            pool.pod_watts.assign(facts.pods(), facts.pod_power_watts);
        }
        pool.nodes.resize(facts.nodes);
        pool.idle[in_service] = pool.node_units * facts.nodes;
    }
}

// ---------------------------------------------------------------------------------------------
// What changes

void WaterfallBooks::count(PoolBook& pool, const Node& node, bool more) {
    const std::uint64_t idle = pool.node_units - node.held;
    const auto add = [&](Kind kind, std::uint64_t units) {
        pool.idle[kind] += more ? units : -units;
    };
    if (node.health == Health::down) {
        add(failed, idle);
    } else if (node.health == Health::drained || node.maintained > 0) {
        add(drained, idle);
    } else {
        add(in_service, idle);
        if (node.apart > 0) {
            add(apart, idle);
        } else if (node.promises > 0) {
            add(promised_to, idle);
        } else {
            add(rest, node.shared_rest);
        }
    }
}

template <class Change>
void WaterfallBooks::change(PoolBook& pool,
                            std::uint32_t first,
                            std::uint32_t nodes,
                            Change change) {
    for (std::uint32_t i = first; i < first + nodes; ++i) {
        count(pool, pool.nodes[i], false);
        change(pool.nodes[i]);
        count(pool, pool.nodes[i], true);
    }
    changed_ = true;
}

std::uint64_t WaterfallBooks::units_of(const PoolBook& pool,
                                       const fleet::ReplicaDemand& each) const {
    if (pool.node_units == 0) return 0;
    return unit_ == Unit::chips ? std::uint64_t{each.chips} * 1000 + each.chip_permille
                                : each.cpus_milli;
}

std::map<std::size_t, std::uint64_t> WaterfallBooks::units_by_pool(const JobBook& job) const {
    std::map<std::size_t, std::uint64_t> units;
    for (const fleet::NodeRange& range : job.on.ranges) {
        const fleet::ReplicaDemand& each = job.demand.parts[range.part].each;
        units[range.pool.value] +=
            units_of(pools_[range.pool.value], each) * range.replicas * range.count;
    }
    return units;
}

void WaterfallBooks::hold(const JobBook& job, bool taking) {
    for (const fleet::NodeRange& range : job.on.ranges) {
        PoolBook& pool = pools_[range.pool.value];
        const fleet::ReplicaDemand& each = job.demand.parts[range.part].each;
        const std::uint64_t units = units_of(pool, each) * range.replicas;
        if (units == 0) continue;
        pool.held += taking ? units * range.count : -(units * range.count);
        const bool shares = unit_ == Unit::chips && each.chip_permille > 0;
        const int chip = std::countr_zero(range.chip_mask);
        std::uint32_t number = range.first;
        change(pool, range.first, range.count, [&](Node& node) {
            node.held += taking ? units : -units;
            if (!shares) return;
            std::uint64_t& share = pool.shares[{number++, chip}];
            const auto left = [&] { return share == 0 ? 0 : 1000 - share; };
            node.shared_rest -= left();
            share += taking ? units : -units;
            node.shared_rest += left();
        });
    }
}

std::vector<PoolId> pools_of_all_sizes(const Submitted& job) {
    std::vector<PoolId> pools = job.demand.pools;
    for (const Size& size : job.sizes) {
        for (const PoolId pool : size.demand.pools)
            if (std::find(pools.begin(), pools.end(), pool) == pools.end()) pools.push_back(pool);
    }
    return pools;
}

void WaterfallBooks::submitted(const Submitted& what, bool asks_now, Time now) {
    come_to(now);
    if (!counting_) {
        counting_ = true;
        from_ = now;
    }
    JobBook& job = jobs_[what.job];
    // In whichever of its sizes, it asks for the first.
    job.demand = what.demand;
    job.demand.pools = pools_of_all_sizes(what);
    job.barred = what.barred;
    job.reads = what.data;
    job.tenant = what.tenant;
    job.house = quotas_.find(what.organisation).value_or(0);
    of_tenant(job.tenant);
    asks(what.job, asks_now, now);
}

void WaterfallBooks::asks(JobId id, bool asks_now, Time now) {
    come_to(now);
    JobBook& job = jobs_.at(id);
    if (job.asks == asks_now) return;
    job.asks = asks_now;
    const std::uint64_t units =
        unit_ == Unit::chips ? job.demand.chips_milli() : job.demand.cpus_milli();
    Alike alike{.length = job.demand.pools.size(),
                .pools = job.demand.pools,
                .house = job.house,
                .barred = job.barred,
                .reads = job.reads};
    if (quotas_.any()) {
        alike.chips_milli = job.demand.chips_milli();
        alike.cpus_milli = job.demand.cpus_milli();
    }
    std::uint64_t& asked = asked_[alike];
    asked += asks_now ? units : -units;
    if (asked == 0) asked_.erase(alike);
    changed_ = true;
}

void WaterfallBooks::promised(JobId id, const std::vector<NodeRun>& nodes, Time now) {
    come_to(now);
    JobBook& job = jobs_.at(id);
    for (const NodeRun& run : job.promised)
        change(pools_[run.pool.value], run.first, run.count, [](Node& node) { --node.promises; });
    job.promised = nodes;
    for (const NodeRun& run : job.promised)
        change(pools_[run.pool.value], run.first, run.count, [](Node& node) { ++node.promises; });
}

void WaterfallBooks::takes(JobId id, const fleet::Demand& demand, Time now) {
    asks(id, false, now);
    jobs_.at(id).demand = demand;
}

void WaterfallBooks::started(JobId id, const fleet::Placement& on, Time now) {
    asks(id, false, now);
    promised(id, {}, now);
    JobBook& job = jobs_.at(id);
    job.on = on;
    job.since = now;
    hold(job, true);
    if (on.ranges.empty()) return;
    job.charged =
        quotas_.charges(job.demand.chips_milli(), job.demand.cpus_milli(), on.ranges.front().pool);
    quotas_.use(job.house, job.charged, true);
    changed_ = true;
}

void WaterfallBooks::lend(
    std::size_t lender, std::size_t borrower, const Allowances& amounts, bool back, Time now) {
    come_to(now);
    quotas_.lend(lender, borrower, amounts, back);
    changed_ = true;
}

void WaterfallBooks::book(JobBook& job, std::size_t pool, Went way, Amount amount) {
    job.split[way] += amount;
    pools_[pool].split[way] += amount;
    of_tenant(job.tenant)[way] += amount;
}

bool WaterfallBooks::stopped(JobId id, const Spent& spent, bool all_kept, Time now) {
    come_to(now);
    JobBook& job = jobs_.at(id);
    Duration left = now - job.since;
    bool possible = true;
    const auto part = [&](Duration time) {
        possible = possible && time >= Duration{} && time <= left;
        const Duration some = std::clamp(time, Duration{}, left);
        left -= some;
        return some;
    };
    const std::pair<Went, Duration> parts[] = {{Went::staging, part(spent.staging)},
                                               {Went::start_up, part(spent.start_up)},
                                               {Went::restart, part(spent.restart)},
                                               {Went::checkpoint, part(spent.checkpoint)}};
    const Duration kept = part(all_kept ? left : spent.kept);
    for (const auto& [pool, units] : units_by_pool(job)) {
        for (const auto& [way, time] : parts)
            book(job, pool, way, over(units, time));
        book(job, pool, Went::lost_work, over(units, left));
        job.kept[pool] += over(units, kept);
    }
    hold(job, false);
    job.on.ranges.clear();
    quotas_.use(job.house, job.charged, false);
    job.charged.clear();
    changed_ = true;
    return possible;
}

Split WaterfallBooks::settled(JobId id, const Ended* came_out, Time now) {
    asks(id, false, now);
    promised(id, {}, now);
    JobBook& job = jobs_.at(id);
    for (const auto& [pool, work] : job.kept) {
        if (came_out == nullptr) {
            book(job, pool, Went::lost_work, work);
        } else if (!came_out->measured) {
            book(job, pool, Went::running, work);
        } else {
            constexpr std::uint32_t whole = 1'000'000;
            const Amount plan = work * (whole - came_out->plan_ppm) / whole;
            const Amount kernel = (work - plan) * (whole - came_out->kernel_ppm) / whole;
            book(job, pool, Went::plan, plan);
            book(job, pool, Went::kernel, kernel);
            book(job, pool, Went::useful, work - plan - kernel);
        }
    }
    const Split split = job.split;
    of_settled_ += split.total();
    jobs_.erase(id);
    return split;
}

void WaterfallBooks::set_health(PoolId pool, std::uint32_t node, Health health, Time now) {
    come_to(now);
    change(pools_[pool.value], node, 1, [&](Node& its) { its.health = health; });
}

void WaterfallBooks::set_cap(const Domain& domain, double watts, Time now) {
    come_to(now);
    PoolBook& pool = pools_[domain.pool.value];
    changed_ = true;
    if (domain.level == fleet::Level::site) {
        sites_[pool.site].second = watts;
        return;
    }
    pool.rack_watts.resize(pool.facts.racks());
    pool.pod_watts.resize(pool.facts.pods());
    (domain.level == fleet::Level::rack ? pool.rack_watts : pool.pod_watts)[domain.number] = watts;
}

void WaterfallBooks::set_data(const std::string& dataset, std::size_t site, bool lies, Time now) {
    come_to(now);
    changed_ = true;
    if (lies) {
        data_.emplace(dataset, site);
    } else {
        data_.erase({dataset, site});
    }
}

bool WaterfallBooks::has_data(const Alike& alike, PoolId pool) const {
    return std::all_of(alike.reads.begin(), alike.reads.end(), [&](const std::string& name) {
        return data_.count({name, pools_[pool.value].site}) > 0;
    });
}

void WaterfallBooks::change_apart(const SetApart& what, bool begins) {
    for (const NodeRun& run : what.nodes) {
        change(pools_[run.pool.value], run.first, run.count, [&](Node& node) {
            std::uint32_t& count = what.maintenance ? node.maintained : node.apart;
            count += begins ? 1U : -1U;
        });
    }
}

void WaterfallBooks::set_apart(const SetApart& what, Time now) {
    come_to(now);
    if (what.until <= now) return;
    const bool begun = what.from <= now;
    aparts_.emplace_back(what, begun);
    if (begun) change_apart(what, true);
}

void WaterfallBooks::given_back(AdvanceId id, Time now) {
    come_to(now);
    std::erase_if(aparts_, [&](const auto& one) {
        if (one.first.id == id && one.second) change_apart(one.first, false);
        return one.first.id == id;
    });
}

// ---------------------------------------------------------------------------------------------
// Time

void WaterfallBooks::come_to(Time now) {
    // Reservations begin and end by themselves.
    for (;;) {
        Time next = never;
        for (const auto& [what, begun] : aparts_)
            next = std::min(next, begun ? what.until : what.from);
        if (next > now || next >= never) break;
        if (next > now_) {
            spend(next - now_);
            now_ = next;
        }
        for (auto& [what, begun] : aparts_) {
            if (!begun && what.from <= next && what.until > next) {
                begun = true;
                change_apart(what, true);
            } else if (begun && what.until <= next) {
                change_apart(what, false);
            }
        }
        std::erase_if(aparts_, [next](const auto& one) { return one.first.until <= next; });
    }
    if (now > now_) spend(now - now_);
    now_ = now;
}

void WaterfallBooks::spend(Duration time) {
    if (!counting_) return;
    if (changed_) judge();
    changed_ = false;
    for (PoolBook& pool : pools_) {
        for (std::size_t way = 0; way < static_cast<std::size_t>(Went::staging); ++way)
            pool.split.of[way] += over(pool.rate[way], time);
        pool.held_sum += over(pool.held, time);
    }
}

// What of the idle nodes in service the budgets of racks and pods can feed.
std::uint64_t WaterfallBooks::fed_in(const PoolBook& pool) const {
    const fleet::Pool& facts = pool.facts;
    if (pool.span_mw == 0 || pool.rack_watts.empty()) return above_zero(pool.idle[in_service]);
    struct Sums {
        std::uint64_t held = 0;
        std::uint64_t idle = 0;
        std::uint32_t nodes = 0;
        std::uint64_t room = 0;
    };
    const auto within = [&](const Sums& sums, double watts, std::uint64_t wanted) {
        if (fleet::milliwatts(watts) <= 0) return wanted;
        const Wide beside_idle =
            Wide{fleet::milliwatts(watts)} - Wide{fleet::idle_milliwatts(facts)} * sums.nodes;
        const std::uint64_t all = units_for(beside_idle, pool.node_units, pool.span_mw);
        return std::min(wanted, all > sums.held ? all - sums.held : 0);
    };
    std::uint64_t room = 0;
    Sums rack;
    Sums pod;
    for (std::uint32_t i = 0; i < pool.nodes.size(); ++i) {
        const Node& node = pool.nodes[i];
        const bool serves = node.health == Health::up && node.maintained == 0;
        rack.held += node.held;
        rack.idle += serves ? above_zero(pool.node_units - node.held) : 0;
        ++rack.nodes;
        const bool last = i + 1 == pool.nodes.size();
        if (last || (i + 1) % facts.rack_nodes() == 0) {
            pod.held += rack.held;
            pod.nodes += rack.nodes;
            pod.room += within(rack, pool.rack_watts[i / facts.rack_nodes()], rack.idle);
            rack = {};
        }
        if (last || (i + 1) % facts.pod_nodes() == 0) {
            room += within(pod, pool.pod_watts[i / facts.pod_nodes()], pod.room);
            pod = {};
        }
    }
    return room;
}

std::vector<std::uint64_t> WaterfallBooks::fed() const {
    std::vector<std::uint64_t> room;
    for (const PoolBook& pool : pools_)
        room.push_back(fed_in(pool));
    for (std::size_t site = 0; site < sites_.size(); ++site) {
        Wide left_mw = fleet::milliwatts(sites_[site].second);
        if (left_mw <= 0) continue;
        std::vector<std::size_t> its;
        for (std::size_t i = 0; i < pools_.size(); ++i) {
            const PoolBook& pool = pools_[i];
            if (pool.site != site || pool.span_mw == 0) continue;
            its.push_back(i);
            left_mw -= Wide{fleet::idle_milliwatts(pool.facts)} * pool.facts.nodes;
            left_mw -= milliwatts_for(pool.held, pool.node_units, pool.span_mw);
        }
        // Those that draw least first.
        std::stable_sort(its.begin(), its.end(), [this](std::size_t a, std::size_t b) {
            return Wide{pools_[a].span_mw} * pools_[b].node_units <
                   Wide{pools_[b].span_mw} * pools_[a].node_units;
        });
        for (const std::size_t i : its) {
            const PoolBook& pool = pools_[i];
            room[i] = std::min(room[i], units_for(left_mw, pool.node_units, pool.span_mw));
            left_mw -= milliwatts_for(room[i], pool.node_units, pool.span_mw);
        }
    }
    return room;
}

// What is idle, pool by pool: why.
void WaterfallBooks::judge() {
    std::vector<std::uint64_t> left = fed();
    // Four rounds: where jobs have a right and their data, where only the data is missing, where
    // they accept but have no right, where their contract forbids.
    std::vector<std::uint64_t> wanted(pools_.size(), 0);
    std::vector<std::uint64_t> awaiting(pools_.size(), 0);
    std::vector<std::uint64_t> stranded(pools_.size(), 0);
    std::vector<std::uint64_t> mismatched(pools_.size(), 0);
    std::vector<std::uint64_t> asked;
    for (const auto& [alike, units] : asked_)
        asked.push_back(units);
    const auto round = [&](std::vector<std::uint64_t>& found, auto pools_of, auto admits) {
        std::size_t at = 0;
        for (const auto& [alike, units] : asked_) {
            std::uint64_t& open = asked[at++];
            for (const PoolId pool : pools_of(alike)) {
                if (open == 0) break;
                if (left[pool.value] == 0 || !admits(alike, pool)) continue;
                const std::uint64_t got = std::min(open, left[pool.value]);
                found[pool.value] += got;
                left[pool.value] -= got;
                open -= got;
            }
        }
    };
    const auto accepted = [](const Alike& alike) { return alike.pools; };
    const auto righted = [&](const Alike& alike, PoolId pool) {
        return quotas_.has_right(alike.house,
                                 quotas_.charges(alike.chips_milli, alike.cpus_milli, pool));
    };
    round(wanted, accepted, [&](const Alike& alike, PoolId pool) {
        return has_data(alike, pool) && righted(alike, pool);
    });
    round(awaiting, accepted, [&](const Alike& alike, PoolId pool) {
        return !has_data(alike, pool) && righted(alike, pool);
    });
    round(
        stranded, accepted, [&](const Alike& alike, PoolId pool) { return !righted(alike, pool); });
    round(
        mismatched,
        [](const Alike& alike) { return alike.barred; },
        [](const Alike&, PoolId) { return true; });
    for (std::size_t i = 0; i < pools_.size(); ++i) {
        PoolBook& pool = pools_[i];
        const auto rate = [&](Went way) -> std::uint64_t& {
            return pool.rate[static_cast<std::size_t>(way)];
        };
        const auto explained = [&](std::uint64_t units) {
            const std::uint64_t part = std::min(above_zero(units), wanted[i]);
            wanted[i] -= part;
            return part;
        };
        rate(Went::failed) = pool.idle[failed];
        rate(Went::drained) = pool.idle[drained];
        rate(Went::unpowered) =
            pool.idle[in_service] - left[i] - wanted[i] - awaiting[i] - stranded[i] - mismatched[i];
        rate(Went::not_demanded) = left[i];
        rate(Went::awaiting_data) = awaiting[i];
        rate(Went::over_quota) = stranded[i];
        rate(Went::wrong_precision) = mismatched[i];
        rate(Went::promised) = explained(pool.idle[promised_to]);
        rate(Went::set_apart) = explained(pool.idle[apart]);
        rate(Went::shared_rest) = explained(pool.idle[rest]);
        rate(Went::fragmented) = wanted[i];
    }
}

Amount WaterfallBooks::peak(PoolId pool, Time now) const {
    const PoolBook& its = pools_[pool.value];
    return over(its.node_units * its.facts.nodes, now - from_);
}

Split& WaterfallBooks::of_tenant(const std::string& name) {
    const auto [its, added] = tenant_at_.try_emplace(name, tenants_.size());
    if (added) tenants_.push_back({name, {}});
    return tenants_[its->second].split;
}

Waterfall WaterfallBooks::until(Time now) {
    come_to(now);
    Waterfall waterfall{.from = from_, .sites = {}, .pools = {}, .tenants = tenants_, .total = {}};
    for (const auto& [name, watts] : sites_)
        waterfall.sites.push_back({name, {}});
    const auto add = [](Split& to, const Split& split) {
        for (std::size_t way = 0; way < ways; ++way)
            to.of[way] += split.of[way];
    };
    for (const PoolBook& pool : pools_) {
        Split split = pool.split;
        split[Went::open] = pool.held_sum - split.held();
        waterfall.pools.push_back({pool.facts.name, split});
        add(waterfall.sites[pool.site].split, split);
        add(waterfall.total, split);
    }
    for (const auto& [id, job] : jobs_)
        waterfall.tenants[tenant_at_.at(job.tenant)].split[Went::open] += open_of(job);
    return waterfall;
}

Amount WaterfallBooks::open_of(const JobBook& job) const {
    Amount open = 0;
    for (const auto& [pool, work] : job.kept)
        open += work;
    for (const auto& [pool, units] : units_by_pool(job))
        open += over(units, now_ - job.since);
    return open;
}

Amount WaterfallBooks::of_jobs() const {
    Amount sum = of_settled_;
    for (const auto& [id, job] : jobs_)
        sum += job.split.total() + open_of(job);
    return sum;
}

}  // namespace weir::audit
