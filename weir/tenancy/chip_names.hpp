// Chip names: one chip has several, and a tenants file may use any of them.
//
// The catalogue knows that h100 is h100-sxm-80g. Quotas are counted in the chips of pools, whose
// names are those of the fleet; so before a file is used on a fleet its chips are called as they
// are there. Two names of one chip in one file are one resource, and their amounts one amount.
//
// Threads: pure.
#pragma once

#include <string>
#include <vector>

#include "weir/catalog/catalog.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/tenancy/organisations_file.hpp"

namespace weir::tenancy {

// Names that neither the fleet nor the catalogue knows stay, and rights_on() has a note on them.
void name_chips_as(const fleet::Fleet& fleet,
                   const catalog::Catalog& catalog,
                   OrganisationsFile& file);

// A sentence for each chip that a voucher names and neither the fleet nor the catalogue knows:
// there it pays nothing.
std::vector<std::string> slips_in_vouchers(const fleet::Fleet& fleet,
                                           const catalog::Catalog& catalog,
                                           const OrganisationsFile& file);

}  // namespace weir::tenancy
