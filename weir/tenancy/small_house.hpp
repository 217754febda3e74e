// Small organisations for tests, and the machine that they share.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "weir/tenancy/organisations.hpp"
#include "weir/tenancy/rights.hpp"

namespace weir::tenancy {

inline constexpr Amount no_such_limit = -1;

struct SmallTenant {
    std::string path;
    Amount quota = 0;
    Amount lend = no_such_limit;
    Amount borrow = no_such_limit;
    std::uint32_t weight_milli = 1000;
};

// One node with so many chips of the kind "a".
inline fleet::Fleet small_fleet(std::uint32_t chips) {
    fleet::Fleet fleet;
    fleet.sites = {{.name = "here"}};
    fleet::Pool pool;
    pool.name = "p";
    pool.site = "here";
    pool.chip = "a";
    pool.nodes = 1;
    pool.chips_per_node = chips;
    fleet.pools = {pool};
    return fleet;
}

// One resource, chips of the kind "a"; amounts are whole chips. Parents come before their children;
// the root is added.
inline Organisations small_house(const std::vector<SmallTenant>& tenants) {
    Organisations house{.resources = {{Resource::Kind::chips, "a"}}, .tenants = {{}}};
    for (const SmallTenant& each : tenants) {
        const auto slash = each.path.rfind('/');
        Tenant tenant{
            .path = each.path,
            .parent = house.find(slash == std::string::npos ? "" : each.path.substr(0, slash)),
            .weight_milli = each.weight_milli};
        if (each.quota > 0) tenant.quota = {{0, each.quota * 1000}};
        if (each.lend != no_such_limit) tenant.lend = {{0, each.lend * 1000}};
        if (each.borrow != no_such_limit) tenant.borrow = {{0, each.borrow * 1000}};
        house.tenants.push_back(std::move(tenant));
    }
    return house;
}

}  // namespace weir::tenancy
