#include "weir/sim/house_use_meter.hpp"

#include <algorithm>
#include <limits>

namespace weir::sim {
namespace {

using tenancy::Resource;

constexpr std::uint32_t no_house = std::numeric_limits<std::uint32_t>::max();

}  // namespace

HouseUseMeter::HouseUseMeter(const tenancy::Rights& rights, Time from) : from_(from) {
    const tenancy::Organisations& house = rights.organisations;
    if (house.empty() || house.resources.empty()) return;
    const bool chips =
        std::any_of(house.resources.begin(), house.resources.end(), [](const Resource& resource) {
            return resource.kind == Resource::Kind::chips;
        });
    const Resource& first = house.resources.front();
    for (std::size_t r = 0; r < house.resources.size(); ++r)
        counts_.push_back(chips ? house.resources[r].kind == Resource::Kind::chips : r == 0);
    const bool capability = !chips && first.kind == Resource::Kind::capability;
    hour_ = 3600.0 * (capability ? 1 : 1000);
    counted_in_ = chips        ? "chip-hours"
                  : capability ? "hours of 1 MFLOP/s of " + first.name
                               : "CPU-hours";
    for (std::uint32_t i = 0; i < house.tenants.size(); ++i) {
        const tenancy::Tenant& tenant = house.tenants[i];
        if (!tenant.parent.valid()) {
            tops_.push_back(no_house);
        } else if (tops_[tenant.parent.value] != no_house) {
            tops_.push_back(tops_[tenant.parent.value]);
        } else {
            tops_.push_back(static_cast<std::uint32_t>(names_.size()));
            names_.push_back(tenant.path);
            cells_.resize(cells_.size() + counts_.size(), Cell{.since = from});
        }
        if (tops_.back() == no_house) continue;
        for (const tenancy::Allowance& quota : tenant.quota)
            cells_[tops_.back() * counts_.size() + quota.resource].quota += quota.amount;
    }
}

void HouseUseMeter::close(Cell& cell, Time now) const {
    if (now <= cell.since) return;
    const double seconds = as_seconds(now - cell.since);
    const tenancy::Amount own = std::min(cell.held, cell.quota);
    cell.own += static_cast<double>(own) * seconds;
    cell.borrowed += static_cast<double>(cell.held - own) * seconds;
    cell.since = now;
}

void HouseUseMeter::hold(TenantId house, const tenancy::Charges& charges, bool taking, Time now) {
    if (!house.valid() || house.value >= tops_.size() || tops_[house.value] == no_house) return;
    for (const tenancy::Allowance& each : charges) {
        if (!counts_[each.resource]) continue;
        Cell& cell = cells_[tops_[house.value] * counts_.size() + each.resource];
        close(cell, now);
        cell.held += taking ? each.amount : -each.amount;
    }
}

HouseHoursTable HouseUseMeter::until(Time now) {
    HouseHoursTable table{.counted_in = counted_in_, .houses = {}};
    const double seconds = now > from_ ? as_seconds(now - from_) : 0;
    for (std::size_t house = 0; house < names_.size(); ++house) {
        HouseHours& its = table.houses.emplace_back(HouseHours{.path = names_[house]});
        for (std::size_t r = 0; r < counts_.size(); ++r) {
            if (!counts_[r]) continue;
            Cell& cell = cells_[house * counts_.size() + r];
            close(cell, now);
            its.owned += static_cast<double>(cell.quota) * seconds / hour_;
            its.own += cell.own / hour_;
            its.borrowed += cell.borrowed / hour_;
        }
    }
    return table;
}

}  // namespace weir::sim
