#include "weir/tenancy/organisations.hpp"

#include <algorithm>

namespace weir::tenancy {

TenantId Organisations::find(std::string_view path) const {
    const auto its = std::find_if(
        tenants.begin(), tenants.end(), [path](const Tenant& each) { return each.path == path; });
    if (its == tenants.end()) return TenantId::none();
    return TenantId{static_cast<std::uint32_t>(its - tenants.begin())};
}

TenantId Organisations::house_of(std::string_view path) const {
    while (!path.empty()) {
        if (const TenantId its = find(path); its.valid()) return its;
        const auto slash = path.rfind('/');
        path = slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
    }
    return TenantId::none();
}

}  // namespace weir::tenancy
