// Houses: the organisations of a hub on its fleet, whose rights a job uses, and what there is to be
// seen of them.
//
// A job names a tenant, a path such as bigco/search/lena, and belongs to the nearest organisation
// on it. Without organisations there are no houses, and nobody is limited.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/hub/book.hpp"
#include "weir/hub/journal.hpp"
#include "weir/tenancy/rights.hpp"

namespace weir::hub {

// Those of the fleet's chips in which the quotas are written; what is not known is left out.
journal::Rates rates_for(const fleet::Fleet& fleet,
                         const tenancy::Organisations& organisations,
                         const tenancy::RateOf& rate_of);

// Those of the fleet's chips that are of domestic vendors; none where there are no organisations.
journal::Domestic domestic_of(const fleet::Fleet& fleet,
                              const tenancy::Organisations& organisations,
                              const catalog::Catalog& catalog);

tenancy::Rights rights_from(const fleet::Fleet& fleet,
                            tenancy::Organisations organisations,
                            const journal::Rates& rates);

// A path of a tenant has names with '/' between, none of them empty, '.' or '..'.
Result<void> check_tenant(const std::string& tenant);

// Whose rights the jobs of this tenant use; the centre's where there are no organisations. The
// error says which organisations there are.
Result<TenantId> house_of(const tenancy::Organisations& organisations, const std::string& tenant);

// "" where there are no organisations, or the tenant belongs to none.
std::string house_name(const tenancy::Organisations& organisations, const std::string& tenant);

// A sentence where a tenant is none itself, but nearly called like one; else "".
std::string slip_in(const tenancy::Organisations& organisations, const std::string& tenant);

// The centre first, then the organisations as they stand in the file.
std::vector<TenantView> tenants_of(const Book& book);

}  // namespace weir::hub
