#include "weir/sim/each_site.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "weir/base/assert.hpp"
#include "weir/tenancy/rights.hpp"

namespace weir::sim {
namespace {

using tenancy::Amount;
using tenancy::Books;

// The part of `amount` that `part` is of `whole`, in whole chips (or CPUs, or MFLOP/s).
Amount share_of(Amount amount, Amount part, Amount whole, Amount unit) {
    if (whole <= 0) return 0;
    const auto share = static_cast<__int128>(amount) * part / whole / unit * unit;
    return static_cast<Amount>(share);
}

tenancy::Losses& row(std::vector<Books::Row>& rows, const std::string& name) {
    const auto its = std::find_if(
        rows.begin(), rows.end(), [&](const Books::Row& row) { return row.name == name; });
    return its == rows.end() ? rows.emplace_back(Books::Row{name, {}}).losses : its->losses;
}

}  // namespace

std::vector<SiteAlone> sites_alone(const fleet::Fleet& fleet,
                                   const tenancy::Organisations& house,
                                   const tenancy::RateOf& rate_of) {
    std::vector<SiteAlone> sites;
    for (std::uint32_t i = 0; i < fleet.pools.size(); ++i) {
        const fleet::Pool& pool = fleet.pools[i];
        auto its = std::find_if(sites.begin(), sites.end(), [&](const SiteAlone& site) {
            return site.name == pool.site;
        });
        if (its == sites.end()) {
            sites.push_back({.name = pool.site,
                             .fleet = {.sites = fleet.sites, .pools = {}, .links = fleet.links},
                             .pools = {},
                             .organisations = house});
            its = sites.end() - 1;
        }
        its->fleet.pools.push_back(pool);
        its->pools.push_back(PoolId{i});
    }
    if (house.empty()) return sites;
    const std::vector<Amount> whole = tenancy::rights_on(fleet, house, rate_of).capacity;
    std::vector<std::vector<Amount>> parts;
    for (const SiteAlone& site : sites)
        parts.push_back(tenancy::rights_on(site.fleet, house, rate_of).capacity);
    // What rounding leaves over goes to the last site that has any of the resource.
    const auto divide = [&](std::vector<tenancy::Allowance> tenancy::Tenant::*list,
                            std::size_t tenant) {
        for (std::size_t k = 0; k < (house.tenants[tenant].*list).size(); ++k) {
            const tenancy::Allowance& given = (house.tenants[tenant].*list)[k];
            const std::uint32_t r = given.resource;
            const bool counted_in_thousandths =
                house.resources[r].kind != tenancy::Resource::Kind::capability;
            Amount left = given.amount;
            std::optional<std::size_t> last;
            for (std::size_t s = 0; s < sites.size(); ++s) {
                Amount& its = (sites[s].organisations.tenants[tenant].*list)[k].amount;
                its = share_of(
                    given.amount, parts[s][r], whole[r], counted_in_thousandths ? 1000 : 1);
                left -= its;
                if (parts[s][r] > 0) last = s;
            }
            if (last) (sites[*last].organisations.tenants[tenant].*list)[k].amount += left;
        }
    };
    for (std::size_t tenant = 0; tenant < house.tenants.size(); ++tenant) {
        divide(&tenancy::Tenant::quota, tenant);
        divide(&tenancy::Tenant::lend, tenant);
        divide(&tenancy::Tenant::borrow, tenant);
        // A right to nothing is no right: nobody has to be told that the site lacks such chips.
        for (SiteAlone& site : sites)
            std::erase_if(site.organisations.tenants[tenant].quota,
                          [](const tenancy::Allowance& quota) { return quota.amount == 0; });
    }
    return sites;
}

SiteChoice::SiteChoice(const Trace& trace,
                       const std::vector<SiteAlone>& sites,
                       const SimulationOptions& options)
    : sites_(sites), whole_(trace, trace.fleet, options.keeps, options.sizes) {
    for (std::size_t s = 0; s < sites.size(); ++s) {
        const SiteAlone& site = sites[s];
        tenancy::Rights rights =
            tenancy::rights_on(site.fleet, site.organisations, options.rate_of);
        tenancy::QuotaTree owned;
        if (!rights.empty()) owned = tenancy::QuotaTree(rights.organisations, rights.capacity);
        judges_.push_back({DemandsOf(trace, site.fleet, options.keeps, options.sizes),
                           sched::Engine(site.fleet, options.policy, std::move(rights)),
                           std::move(owned)});
        for (const PoolId pool : site.pools) {
            site_of_pool_.resize(std::max<std::size_t>(site_of_pool_.size(), pool.value + 1));
            site_of_pool_[pool.value] = s;
        }
    }
}

// How much of what it needs its organisation owns there, at most all; of the best pool.
double SiteChoice::share_owned(const Judge& judge, const fleet::Demand& demand, TenantId tenant) {
    const tenancy::Rights& rights = judge.engine.rights();
    if (rights.empty()) return 0;
    double best = 0;
    for (const PoolId pool : demand.pools) {
        double share = 1;
        for (const tenancy::Allowance& each : rights.charges(demand, pool)) {
            if (each.amount <= 0) continue;
            const auto owns = static_cast<double>(judge.owned.subtree(tenant, each.resource));
            share = std::min(share, owns / static_cast<double>(each.amount));
        }
        best = std::max(best, share);
    }
    return best;
}

SiteChoice::Answer SiteChoice::of(const TraceJob& job, TenantId tenant) {
    Answer answer;
    double most = -1;
    std::vector<bool> asked(sites_.size(), false);
    const DemandsOf::Sizes& sizes = whole_.sizes_of(job);
    for (const PoolId pool : (sizes.all.empty() ? whole_.of(job) : sizes.waiting).pools) {
        const std::size_t s = site_of_pool_[pool.value];
        if (asked[s]) continue;
        asked[s] = true;
        Judge& judge = judges_[s];
        if (!judge.demands.can_ever_fit(judge.engine, job)) continue;
        answer.fits = true;
        const fleet::Demand& demand = judge.demands.of(job);
        if (!judge.engine.rights().empty() &&
            !judge.demands.can_ever_have(judge.engine, job, tenant))
            continue;
        answer.may = true;
        if (!judge.demands.can_ever_read(judge.engine, job, tenant)) continue;
        const double share = share_owned(judge, demand, tenant);
        if (share <= most) continue;
        most = share;
        answer.site = s;
    }
    return answer;
}

Books books_together(const fleet::Fleet& fleet, const std::vector<Books>& sites) {
    WEIR_ASSERT(!sites.empty());
    Books all = sites.front();
    all.sites.clear();
    all.pools.clear();
    all.tenants.clear();
    all.total = {};
    std::fill(all.over_time.begin(), all.over_time.end(), Books::Levels{});
    for (const fleet::Site& site : fleet.sites)
        all.sites.push_back({site.name, {}});
    for (const fleet::Pool& pool : fleet.pools)
        all.pools.push_back({pool.name, {}});
    for (const Books& its : sites) {
        WEIR_ASSERT(its.from == all.from && its.until == all.until);
        WEIR_ASSERT(its.over_time.size() == all.over_time.size());
        for (const Books::Row& site : its.sites)
            row(all.sites, site.name) += site.losses;
        for (const Books::Row& pool : its.pools)
            row(all.pools, pool.name) += pool.losses;
        for (const Books::Row& tenant : its.tenants)
            row(all.tenants, tenant.name) += tenant.losses;
        all.total += its.total;
        for (std::size_t bin = 0; bin < all.over_time.size(); ++bin)
            for (std::size_t k = 0; k < Books::levels; ++k)
                all.over_time[bin][k] += its.over_time[bin][k];
    }
    return all;
}

HouseHoursTable houses_together(const std::vector<HouseHoursTable>& sites) {
    WEIR_ASSERT(!sites.empty());
    HouseHoursTable all = sites.front();
    for (std::size_t s = 1; s < sites.size(); ++s) {
        WEIR_ASSERT(sites[s].houses.size() == all.houses.size());
        for (std::size_t i = 0; i < all.houses.size(); ++i) {
            all.houses[i].owned += sites[s].houses[i].owned;
            all.houses[i].own += sites[s].houses[i].own;
            all.houses[i].borrowed += sites[s].houses[i].borrowed;
        }
    }
    return all;
}

PowerRecord power_together(std::vector<PowerRecord> sites) {
    PowerRecord all;
    // Changes of each site, put in order of time.
    std::vector<std::pair<Time, double>> changes;
    for (PowerRecord& its : sites) {
        all.racks.insert(all.racks.end(), its.racks.begin(), its.racks.end());
        all.energy_kwh += its.energy_kwh;
        all.power_max_watts = std::max(all.power_max_watts, its.power_max_watts);
        double before = 0;
        for (std::size_t i = 0; i < its.power.size(); ++i) {
            changes.emplace_back(its.power[i].at, its.power[i].watts - before);
            before = its.power[i].watts;
        }
    }
    std::stable_sort(changes.begin(), changes.end(), [](const auto& a, const auto& b) {
        return a.first < b.first;
    });
    double watts = 0;
    for (std::size_t i = 0; i < changes.size(); ++i) {
        watts += changes[i].second;
        if (i + 1 < changes.size() && changes[i + 1].first == changes[i].first) continue;
        all.power.push_back({changes[i].first, watts});
        all.power_max_watts = std::max(all.power_max_watts, watts);
    }
    return all;
}

void move_to_whole(const SiteAlone& site, std::vector<ScheduledJob>& jobs) {
    for (ScheduledJob& job : jobs)
        if (job.attempts > 0) job.pool = site.pools.at(job.pool.value);
}

void move_to_whole(const SiteAlone& site, std::vector<HeldAttempt>& attempts) {
    for (HeldAttempt& attempt : attempts)
        for (fleet::NodeRange& range : attempt.on.ranges)
            range.pool = site.pools.at(range.pool.value);
}

void move_to_whole(const SiteAlone& site, PowerRecord& record) {
    for (RackPower& rack : record.racks)
        rack.pool = site.pools.at(rack.pool.value);
}

}  // namespace weir::sim
