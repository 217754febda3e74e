#include "weir/tenancy/house_use.hpp"

#include <algorithm>
#include <cmath>

namespace weir::tenancy {
namespace {

// What a part puts into the pool that it shares with its siblings, beyond what it takes out.
Amount idle_of(const QuotaTree& tree, TenantId x, std::uint32_t r) {
    const Amount local = tree.local(x, r);
    return tree.subtree(x, r) - local - std::max<Amount>(0, tree.usage(x, r) - local);
}

}  // namespace

std::vector<HouseUse> uses_of(const QuotaTree& tree, std::uint32_t r) {
    const auto tenants = static_cast<std::uint32_t>(tree.tenants());
    std::vector<HouseUse> houses(tenants);
    std::vector<Amount> own(tenants, 0);  // of its own jobs
    std::vector<std::vector<TenantId>> parts(tenants);
    for (std::uint32_t i = 0; i < tenants; ++i) {
        const TenantId x{i};
        own[i] += tree.usage(x, r);
        const TenantId parent = tree.parent(x);
        if (!parent.valid()) continue;
        own[parent.value] -= std::max<Amount>(0, tree.usage(x, r) - tree.local(x, r));
        parts[parent.value].push_back(x);
    }
    for (std::uint32_t i = tenants; i-- > 0;) {
        const TenantId x{i};
        HouseUse& its = houses[i];
        its.owns += tree.nominal(x, r);
        its.uses += own[i];
        its.borrows = tree.borrowed(x, r);
        its.may_have =
            std::max({Amount{0}, tree.available(x, r), tree.subtree(x, r) - tree.usage(x, r)});
        if (const TenantId parent = tree.parent(x); parent.valid()) {
            houses[parent.value].owns += its.owns;
            houses[parent.value].uses += its.uses;
        }
    }
    // From the top: what goes out of a house comes from its parts, and what they borrow too.
    for (std::uint32_t i = 0; i < tenants; ++i) {
        const Amount of_itself = tree.nominal(TenantId{i}, r) - own[i];
        Amount idle = std::max<Amount>(0, of_itself);
        Amount taken = std::max<Amount>(0, -of_itself);
        for (const TenantId part : parts[i]) {
            idle += std::max<Amount>(0, idle_of(tree, part, r));
            taken += tree.borrowed(part, r);
        }
        if (idle == 0) continue;
        const Amount given = std::min(idle, taken + houses[i].lends);
        const auto share = static_cast<long double>(given) / static_cast<long double>(idle);
        Amount before = std::max<Amount>(0, of_itself);
        for (const TenantId part : parts[i]) {
            const Amount after = before + std::max<Amount>(0, idle_of(tree, part, r));
            // Rounded along the whole, so that the parts add up.
            houses[part.value].lends = std::llround(share * static_cast<long double>(after)) -
                                       std::llround(share * static_cast<long double>(before));
            before = after;
        }
    }
    return houses;
}

}  // namespace weir::tenancy
