#include "weir/tenancy/chip_names.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "weir/base/schema.hpp"

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

std::vector<std::string> slips_in_vouchers(const fleet::Fleet& fleet,
                                           const catalog::Catalog& catalog,
                                           const OrganisationsFile& file) {
    std::vector<std::string_view> chips;
    for (const fleet::Pool& pool : fleet.pools)
        chips.push_back(pool.chip);
    std::vector<std::string> slips;
    for (std::size_t i = 0; i < file.vouchers.size(); ++i) {
        const Voucher& voucher = file.vouchers[i];
        for (const std::string& name : voucher.chips.names) {
            if (std::find(chips.begin(), chips.end(), name) != chips.end()) continue;
            if (catalog.find(name) != nullptr) continue;
            std::string near(schema::nearest(name, chips).value_or(""));
            if (near.empty()) near = catalog.nearest(name);
            slips.push_back(fmt::format(
                "vouchers[{}].chips of {}: neither the fleet nor the catalogue knows '{}', so it "
                "pays for nothing there{}",
                i,
                file.organisations.tenant(voucher.tenant).path,
                name,
                near.empty() ? "" : fmt::format("; did you mean {}?", near)));
        }
    }
    return slips;
}

}  // namespace weir::tenancy
