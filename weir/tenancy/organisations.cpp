#include "weir/tenancy/organisations.hpp"

#include <algorithm>

namespace weir::tenancy {

TenantId Organisations::find(std::string_view path) const {
    const auto its = std::find_if(
        tenants.begin(), tenants.end(), [path](const Tenant& each) { return each.path == path; });
    if (its == tenants.end()) return TenantId::none();
    return TenantId{static_cast<std::uint32_t>(its - tenants.begin())};
}

}  // namespace weir::tenancy
