// Organisations file: the YAML in which a centre says who there is, who has a right to how much,
// who lent what to whom, and who may spend how much.
//
// The language is the table organisations_schema(). Beyond the table the sense of the whole is
// checked: names are unique among siblings, loans and vouchers belong to organisations of the file,
// dates are in order, nobody lends more than its own quota, and the file has one currency.
//
// Ensures, for a file that was read: tenant 0 is the centre itself (the path ""), parents come
// before their children, and all quotas of one resource add up to at most amount_total_max, as does
// every limit: sums of a few of them stay far inside 64 bits.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/money.hpp"
#include "weir/base/result.hpp"
#include "weir/base/schema.hpp"
#include "weir/tenancy/amount.hpp"
#include "weir/tenancy/budget.hpp"
#include "weir/tenancy/loan.hpp"
#include "weir/tenancy/organisations.hpp"
#include "weir/tenancy/voucher.hpp"

namespace weir::tenancy {

struct OrganisationsFile {
    Organisations organisations;
    Currency currency;  // of every amount in the file
    std::vector<Budget> budgets;
    std::vector<LoanContract> loans;  // a LoanId is a position in here
    std::vector<Voucher> vouchers;    // a VoucherId is a position in here

    friend bool operator==(const OrganisationsFile&, const OrganisationsFile&) = default;
};

const schema::Object& organisations_schema();

struct ParsedOrganisations {
    OrganisationsFile file;
    std::vector<std::string> notes;  // sentences for the operator
};

// `source` stands in front of every error: "tenants.yaml:3:12: tenants[0].quota: ...".
Result<ParsedOrganisations> read_organisations_text(std::string_view text, std::string_view source);
// The file at `path` ("-" = standard input), at most 16 MiB.
Result<ParsedOrganisations> read_organisations(const std::string& path);

// The reference page of the language, docs/reference/tenants.md.
std::string organisations_reference();

// A text that read_printed_organisations() gives back as the same file, not much larger than what
// people wrote.
std::string print_organisations(const OrganisationsFile& file);
// Reads what was printed, of any size: what a file may hold was checked when it was read, and
// printed it may be a little longer than that.
Result<OrganisationsFile> read_printed_organisations(std::string_view text,
                                                     std::string_view source);

}  // namespace weir::tenancy
