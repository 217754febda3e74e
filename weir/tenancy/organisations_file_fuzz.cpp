// Any bytes as an organisations file: refused, or a file that is printed and reads back the same,
// whose quotas can be added up and whose loans can be carried out.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "weir/base/assert.hpp"
#include "weir/tenancy/organisations_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parsed = tenancy::read_organisations_text(text, "fuzz");
    if (!parsed.has_value()) {
        WEIR_ASSERT(parsed.error().message.rfind("fuzz", 0) == 0);
        return 0;
    }
    const tenancy::OrganisationsFile& file = parsed->file;
    const auto again =
        tenancy::read_printed_organisations(tenancy::print_organisations(file), "printed");
    WEIR_ASSERT(again.has_value());
    WEIR_ASSERT(*again == file);

    std::vector<std::int64_t> totals(file.organisations.resources.size(), 0);
    for (const tenancy::Tenant& tenant : file.organisations.tenants) {
        WEIR_ASSERT(!tenant.parent.valid() ||
                    tenant.parent.value < file.organisations.tenants.size());
        for (const tenancy::Allowance& quota : tenant.quota)
            totals.at(quota.resource) += quota.amount;
    }
    for (const std::int64_t total : totals)
        WEIR_ASSERT(total >= 0 && total <= tenancy::amount_total_max);

    std::vector<tenancy::Loan> loans;
    for (const tenancy::LoanContract& contract : file.loans)
        loans.push_back({{}, contract, tenancy::LoanState::accepted, Time{}, {}});
    for (const tenancy::LoanContract& contract : file.loans)
        static_cast<void>(with_loans(file.organisations, loans, contract.window.begins));
    return 0;
}
