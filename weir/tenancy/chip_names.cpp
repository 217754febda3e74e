#include "weir/tenancy/chip_names.hpp"

#include <algorithm>

namespace weir::tenancy {
namespace {

// What the fleet calls this chip.
std::string name_in(const fleet::Fleet& fleet,
                    const catalog::Catalog& catalog,
                    const std::string& name) {
    const catalog::ChipRecord* const asked = catalog.find(name);
    std::string found = name;
    for (const fleet::Pool& pool : fleet.pools) {
        if (pool.chip == name) return name;
        if (asked != nullptr && catalog.find(pool.chip) == asked) found = pool.chip;
    }
    return found;
}

// As many of these as of two names of the same chip together.
void renumber(std::vector<Allowance>& list, const std::vector<std::uint32_t>& to) {
    std::vector<Allowance> sums;
    for (const Allowance& each : list) {
        const std::uint32_t resource = to[each.resource];
        const auto its = std::find_if(sums.begin(), sums.end(), [resource](const Allowance& sum) {
            return sum.resource == resource;
        });
        if (its == sums.end()) {
            sums.push_back({resource, each.amount});
        } else {
            its->amount += each.amount;
        }
    }
    list = std::move(sums);
}

}  // namespace

void name_chips_as(const fleet::Fleet& fleet,
                   const catalog::Catalog& catalog,
                   OrganisationsFile& file) {
    Organisations& all = file.organisations;
    std::vector<Resource> resources;
    std::vector<std::uint32_t> to;  // by resource as it was
    for (Resource& resource : all.resources) {
        if (resource.kind == Resource::Kind::chips)
            resource.name = name_in(fleet, catalog, resource.name);
        const auto same = std::find(resources.begin(), resources.end(), resource);
        to.push_back(static_cast<std::uint32_t>(same - resources.begin()));
        if (same == resources.end()) resources.push_back(std::move(resource));
    }
    all.resources = std::move(resources);
    for (Tenant& tenant : all.tenants)
        for (std::vector<Allowance>* list : {&tenant.quota, &tenant.lend, &tenant.borrow})
            renumber(*list, to);
    for (LoanContract& loan : file.loans)
        renumber(loan.amounts, to);
    for (Voucher& voucher : file.vouchers)
        for (std::string& chip : voucher.chips.names)
            chip = name_in(fleet, catalog, chip);
}

}  // namespace weir::tenancy
