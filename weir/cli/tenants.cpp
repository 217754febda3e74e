// `weir tenants` and `weir statement`: who owns how much, uses it, borrows and lends, and may have
// now; and what an organisation used and paid in a month.
#include <fmt/format.h>

#include "weir/base/text_table.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/hub_link.hpp"
#include "weir/cli/print.hpp"
#include "weir/sim/output_file.hpp"
#include "weir/tenancy/statement.hpp"

namespace weir::cli {
namespace {

std::string amount_cell(const TenantAmountInfo& of, double value) {
    if (of.unit == "chips" || of.unit == "cpus") return number_cell(value);
    return value == 0 ? "0" : format_rate(value, of.unit);
}

std::string share_cell(const TenantInfo& tenant) {
    if (tenant.share) return format_percent(*tenant.share);
    return tenant.rank ? fmt::format("place {}", *tenant.rank) : "-";
}

// Of what it has to do with; of a resource in which it can never have anything there is no row.
bool is_of_interest(const TenantAmountInfo& of) {
    return of.owns > 0 || of.uses > 0 || of.may_have > 0;
}

std::string table_of(const std::vector<TenantInfo>& tenants, std::size_t width) {
    // On a narrow terminal the numbers stay that decide what may start.
    const bool narrow = width > 0 && width < 80;
    const bool very_narrow = width > 0 && width < 60;
    std::vector<Column> columns = {{"organisation", false, true}};
    if (!narrow) columns.push_back({"weight", true});
    if (!narrow) columns.push_back({"share", true});
    if (!narrow) columns.push_back({"jobs", true});
    columns.push_back({"of"});
    for (const char* title : {"owns", "uses"})
        columns.push_back({title, true});
    if (!very_narrow) columns.push_back({"borrows", true});
    if (!very_narrow) columns.push_back({"lends", true});
    columns.push_back({"may have", true});
    TextTable table(std::move(columns));
    for (const TenantInfo& tenant : tenants) {
        bool is_first = true;
        const auto row = [&](const TenantAmountInfo* of) {
            std::vector<std::string> cells = {!is_first             ? ""
                                              : tenant.path.empty() ? "(the centre)"
                                                                    : tenant.path};
            if (!narrow) {
                const bool is_house = is_first && !tenant.path.empty();
                cells.push_back(is_house ? number_cell(tenant.weight) : "");
                cells.push_back(is_house ? share_cell(tenant) : "");
                cells.push_back(is_first ? fmt::format("{}+{}", tenant.running, tenant.waiting)
                                         : "");
            }
            is_first = false;
            cells.push_back(of == nullptr ? "-" : of->resource);
            const auto add = [&](double TenantAmountInfo::*member) {
                cells.push_back(of == nullptr ? "-" : amount_cell(*of, of->*member));
            };
            add(&TenantAmountInfo::owns);
            add(&TenantAmountInfo::uses);
            if (!very_narrow) add(&TenantAmountInfo::borrows);
            if (!very_narrow) add(&TenantAmountInfo::lends);
            add(&TenantAmountInfo::may_have);
            table.row(std::move(cells));
        };
        for (const TenantAmountInfo& of : tenant.resources)
            if (is_of_interest(of)) row(&of);
        if (is_first) row(nullptr);
    }
    // Loans in force are quota of their borrowers in the table: who lends what is said below it.
    std::string loans;
    for (const TenantInfo& tenant : tenants) {
        for (const auto& [names, how] : {std::pair{&tenant.loans_given, "has lent"},
                                         std::pair{&tenant.loans_taken, "has on loan"}}) {
            if (!names->empty())
                loans += fmt::format("{} {} {}\n", tenant.path, how, fmt::join(*names, ", "));
        }
    }
    if (!loans.empty()) loans = "\n" + loans + "`weir loan` shows these loans.\n";
    return table.text(width) + loans;
}

}  // namespace

int tenants(const Common& common) {
    HubLink hub(hub_url(common.hub));
    const auto answer = hub.tenants();
    if (!answer) return report(answer.error());
    if (common.json) {
        out_json(answer->json);
    } else if (answer->value.empty()) {
        note(
            "there are no organisations here, so nobody is limited; `weir up --tenants FILE` says "
            "who there is");
    } else {
        out(table_of(answer->value, output_width()));
    }
    return status_ok;
}

int statement(const StatementOptions& options) {
    HubLink hub(hub_url(options.common.hub));
    const auto answer = hub.statement(options.tenant, options.month);
    if (!answer) return report(answer.error());
    if (options.common.json) {
        out_json(answer->json);
    } else if (options.csv) {
        out(tenancy::statement_csv(answer->value));
    } else if (!options.html.empty()) {
        const auto written = sim::write_file(options.html, tenancy::statement_html(answer->value));
        if (!written) return report(written.error());
    } else {
        out(tenancy::statement_text(answer->value, output_width()));
    }
    return status_ok;
}

}  // namespace weir::cli
