// Statement: what an organisation, with everybody below it, used, paid and received in a month.
//
// It is the ledger's lines of the month, added up by organisation, by right (own quota,
// borrowed, a loan, a voucher), by class of job and by kind of chip. A use has one row with what it
// cost and what of that its organisation paid, and one for each voucher that covered a part:
// cost = covered + paid, in every sum. What came in, for chips that were lent and as compensation,
// has rows of its own. received - paid is exactly by how much the balances changed.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "weir/base/money.hpp"
#include "weir/tenancy/budget.hpp"
#include "weir/tenancy/ledger.hpp"

namespace weir::tenancy {

// Amounts in millionths of the currency.
struct StatementRow {
    std::string organisation;  // path; "" is the centre itself
    std::string what;  // "borrowed", "loan spring from uni", "voucher 2", "penalty of loan spring"
    std::string job_class;
    std::string chip;
    std::uint64_t chip_ms_milli = 0;  // of its own jobs, thousandths of a chip x milliseconds
    std::uint64_t lent_ms_milli = 0;  // the same of jobs that ran on what it lent
    std::int64_t cost = 0;
    std::int64_t covered = 0;  // by vouchers
    std::int64_t paid = 0;
    std::int64_t received = 0;

    friend bool operator==(const StatementRow&, const StatementRow&) = default;
};

// A voucher of somebody in the statement, at the end of the month.
struct StatementVoucher {
    VoucherId id;
    std::string holder;
    std::int64_t spent = 0;  // in the month
    std::int64_t left = 0;

    friend bool operator==(const StatementVoucher&, const StatementVoucher&) = default;
};

struct Statement {
    std::string organisation;
    Span month;
    Currency currency;
    std::vector<StatementRow> rows;
    std::vector<StatementVoucher> vouchers;
    // The sum of all balances of the ledger that it is from. Other than 0, the ledger is wrong.
    std::int64_t out_of_balance = 0;

    [[nodiscard]] StatementRow total() const;
};

// What loans are called.
using LoanNames = std::map<LoanId, std::string>;

// Of the month in which `at` lies (UTC). A loan without a name has a number, as every voucher has:
// they count from 1, in the order in which the ledger came to know them, which is that of the
// organisations file, and behind them come those of later ones.
Statement statement_of(const Ledger& ledger,
                       TenantId tenant,
                       Time at,
                       Currency currency,
                       const LoanNames& loan_names = {});

// For a terminal of this width; 0 = as wide as it needs.
std::string statement_text(const Statement& statement, std::size_t width = 0);
// One line for each row, without the total: month, organisation, what, job_class, chip,
// chip_seconds, lent_chip_seconds, cost, covered, paid, received, currency.
std::string statement_csv(const Statement& statement);
// A page that needs nothing else to be read: no script, no network.
std::string statement_html(const Statement& statement);

// "2026-12".
std::string month_text(const Statement& statement);
// 112500000 -> "112.5": exact, as many digits as it takes.
std::string amount_text(std::int64_t micros);
// 72000000000 -> "20.000" chip-hours.
std::string chip_hours_text(std::uint64_t chip_ms_milli);

}  // namespace weir::tenancy
