#include "weir/sim/virtual_books.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "weir/base/assert.hpp"

namespace weir::sim {
namespace {

using tenancy::Books;
using tenancy::ChipTime;
using tenancy::Loss;
using tenancy::Losses;

Losses& row(std::vector<Books::Row>& rows, const std::string& name) {
    const auto its = std::find_if(
        rows.begin(), rows.end(), [&](const Books::Row& row) { return row.name == name; });
    return its == rows.end() ? rows.emplace_back(Books::Row{name, {}}).losses : its->losses;
}

ChipTime ms(Duration time) {
    return static_cast<std::uint64_t>(time.count());
}

}  // namespace

Result<Books> one_of_all(const fleet::Fleet& fleet,
                         tenancy::Unit unit,
                         const std::vector<Books>& clusters) {
    WEIR_ASSERT(!clusters.empty());
    Books all;
    all.unit = unit;
    all.from = clusters.front().from;
    all.until = clusters.front().until;
    for (const Books& cluster : clusters) {
        all.from = std::min(all.from, cluster.from);
        all.until = std::max(all.until, cluster.until);
    }
    for (const fleet::Site& site : fleet.sites)
        all.sites.push_back({site.name, {}});
    const ChipTime whole_ms = ms(all.until - all.from);
    for (const fleet::Pool& pool : fleet.pools) {
        Losses& its = row(all.pools, pool.name);
        for (const Books& cluster : clusters) {
            const auto part = std::find_if(cluster.pools.begin(),
                                           cluster.pools.end(),
                                           [&](const auto& one) { return one.name == pool.name; });
            if (part == cluster.pools.end()) continue;
            its += part->losses;
            const ChipTime own_ms = ms(cluster.until - cluster.from);
            if (own_ms > 0) {
                its[Loss::not_demanded] += part->losses.total() / own_ms * (whole_ms - own_ms);
            }
        }
        const std::uint64_t node_units = unit == tenancy::Unit::chips
                                             ? std::uint64_t{pool.chips_per_node} * 1000
                                             : pool.cpus_milli;
        const ChipTime peak = ChipTime{node_units} * pool.nodes * whole_ms;
        if (its.total() > peak) {
            return fail(Code::invalid,
                        fmt::format("no waterfall: the virtual clusters together have more nodes "
                                    "than pool {}",
                                    pool.name));
        }
        its[Loss::over_quota] += peak - its.total();
        row(all.sites, pool.site) += its;
        all.total += its;
    }
    for (const Books& cluster : clusters) {
        for (const Books::Row& tenant : cluster.tenants)
            row(all.tenants, tenant.name) += tenant.losses;
    }
    return all;
}

}  // namespace weir::sim
