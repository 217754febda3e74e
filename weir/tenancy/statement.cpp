#include "weir/tenancy/statement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "weir/base/text_table.hpp"

namespace weir::tenancy {
namespace {

using Kind = PostingKey::Kind;

// Rows of one organisation stand together, uses before what paid for them before what came in.
enum class Place : std::uint8_t { use, voucher, income, compensation };
using RowKey = std::tuple<TenantId, Place, std::string, std::string, std::string>;

class Collector {
public:
    Collector(const Ledger& ledger, const LoanNames& loan_names)
        : ledger_(ledger), loan_names_(loan_names) {}

    // What a line is to those that the statement is about.
    template <class IsPart>
    void add(const LineKey& key, const Line& line, IsPart is_part) {
        if (key.is_use()) {
            if (is_part(key.tenant)) add_use(key, line);
            if (is_part(key.payee) && !line.moved.empty()) add_income(key, line);
        } else if (key.kind != Kind::voucher) {
            add_compensation(key, line, is_part);
        }
    }

    std::vector<StatementRow> rows() && {
        std::vector<StatementRow> list;
        for (auto& [key, row] : rows_)
            list.push_back(std::move(row));
        return list;
    }

private:
    [[nodiscard]] const std::string& path(TenantId id) const {
        return ledger_.organisations().tenant(id).path;
    }
    [[nodiscard]] std::string name_of_loan(std::uint32_t number) const {
        const auto name = loan_names_.find(LoanId{number});
        return "loan " + (name == loan_names_.end() ? std::to_string(number + 1) : name->second);
    }

    StatementRow& row(TenantId id,
                      Place place,
                      const std::string& what,
                      const std::string& job_class = "",
                      const std::string& chip = "") {
        StatementRow& its = rows_[{id, place, what, job_class, chip}];
        its.organisation = path(id);
        its.what = what;
        its.job_class = job_class;
        its.chip = chip;
        return its;
    }

    void add_use(const LineKey& key, const Line& line) {
        const std::string from =
            key.kind == Kind::loan
                ? fmt::format("{} from {}", name_of_loan(key.number), path(key.payee))
                : std::string(name_of(static_cast<Source>(key.kind)));
        StatementRow& use = row(key.tenant, Place::use, from, key.job_class, key.chip);
        use.chip_ms_milli += line.chip_ms_milli;
        for (const auto& [accounts, micros] : line.moved) {
            const Account& payer = accounts.first;
            use.cost += micros;
            if (payer.book != Book::voucher) {
                use.paid += micros;
                continue;
            }
            row(key.tenant,
                Place::voucher,
                fmt::format("voucher {}", payer.voucher.value + 1),
                key.job_class,
                key.chip)
                .covered += micros;
        }
    }

    void add_income(const LineKey& key, const Line& line) {
        StatementRow& income =
            row(key.payee,
                Place::income,
                fmt::format("{} to {}",
                            key.kind == Kind::loan ? name_of_loan(key.number) : "sold",
                            path(key.tenant)),
                key.job_class,
                key.chip);
        income.lent_ms_milli += line.paid_ms_milli;
        for (const auto& [accounts, micros] : line.moved)
            income.received += micros;
    }

    template <class IsPart>
    void add_compensation(const LineKey& key, const Line& line, IsPart is_part) {
        const std::string what = fmt::format("{} {}",
                                             key.kind == Kind::penalty ? "penalty of" : "recall of",
                                             name_of_loan(key.number));
        for (const auto& [accounts, micros] : line.moved) {
            const auto& [from, to] = accounts;
            if (is_part(from.owner)) row(from.owner, Place::compensation, what).paid += micros;
            if (is_part(to.owner)) row(to.owner, Place::compensation, what).received += micros;
        }
    }

    const Ledger& ledger_;
    const LoanNames& loan_names_;
    std::map<RowKey, StatementRow> rows_;
};

std::vector<StatementVoucher> vouchers_of(const Ledger& ledger, TenantId whole, const Span& month) {
    std::map<VoucherId, StatementVoucher> list;
    for (const auto& [account, balance] : ledger.balances()) {
        if (account.book != Book::voucher || account.owner == the_centre ||
            !ledger.is_within(account.owner, whole))
            continue;
        StatementVoucher voucher{
            account.voucher, ledger.organisations().tenant(account.owner).path, 0, 0};
        for (const auto& [begins, lines] : ledger.months()) {
            if (begins >= month.ends) break;
            for (const auto& [key, line] : lines) {
                for (const auto& [accounts, micros] : line.moved) {
                    if (accounts.second == account) voucher.left += micros;
                    if (accounts.first != account) continue;
                    voucher.left -= micros;
                    if (begins == month.begins) voucher.spent += micros;
                }
            }
        }
        if (voucher.left > 0 || voucher.spent > 0) list.emplace(account.voucher, voucher);
    }
    std::vector<StatementVoucher> sorted;
    for (auto& [id, voucher] : list)
        sorted.push_back(std::move(voucher));
    return sorted;
}

std::string csv_cell(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + '"';
}

// A chip-second is a million of these; all six digits behind the point, so nothing is lost.
std::string chip_seconds_text(std::uint64_t chip_ms_milli) {
    return fmt::format("{}.{:06}", chip_ms_milli / 1'000'000, chip_ms_milli % 1'000'000);
}

std::string or_nothing(std::int64_t micros) {
    return micros == 0 ? "" : amount_text(micros);
}

}  // namespace

StatementRow Statement::total() const {
    StatementRow sum;
    for (const StatementRow& row : rows) {
        sum.chip_ms_milli += row.chip_ms_milli;
        sum.lent_ms_milli += row.lent_ms_milli;
        sum.cost += row.cost;
        sum.covered += row.covered;
        sum.paid += row.paid;
        sum.received += row.received;
    }
    return sum;
}

Statement statement_of(const Ledger& ledger,
                       TenantId tenant,
                       Time at,
                       Currency currency,
                       const LoanNames& loan_names) {
    Statement statement{ledger.organisations().tenant(tenant).path,
                        period_around(Period::month, at),
                        currency,
                        {},
                        {},
                        ledger.sum()};
    Collector collector(ledger, loan_names);
    const auto is_part = [&](TenantId id) { return ledger.is_within(id, tenant); };
    if (const auto its = ledger.months().find(statement.month.begins);
        its != ledger.months().end()) {
        for (const auto& [key, line] : its->second)
            collector.add(key, line, is_part);
    }
    statement.rows = std::move(collector).rows();
    statement.vouchers = vouchers_of(ledger, tenant, statement.month);
    return statement;
}

std::string month_text(const Statement& statement) {
    return format_time(statement.month.begins).substr(0, 7);
}

std::string amount_text(std::int64_t micros) {
    std::string text = format_money({micros, {}});
    return text.substr(0, text.find(' '));
}

std::string chip_hours_text(std::uint64_t chip_ms_milli) {
    constexpr std::uint64_t milli_hour = 3'600'000;  // thousandths of an hour, of a chip
    const std::uint64_t milli =
        chip_ms_milli / milli_hour + (chip_ms_milli % milli_hour >= milli_hour / 2 ? 1 : 0);
    return fmt::format("{}.{:03}", milli / 1000, milli % 1000);
}

std::string statement_text(const Statement& statement, std::size_t width) {
    const std::string_view whose =
        statement.organisation.empty() ? "the centre" : std::string_view(statement.organisation);
    std::string text = fmt::format("Statement of {} for {}, in {}\n\n",
                                   whose,
                                   month_text(statement),
                                   statement.currency.text());
    TextTable table({{"organisation", false, true},
                     {"what", false, true},
                     {"class"},
                     {"chip"},
                     {"chip-hours", true},
                     {"cost", true},
                     {"covered", true},
                     {"paid", true},
                     {"received", true}});
    const auto add = [&table](const StatementRow& row, bool sum) {
        const std::uint64_t used = row.chip_ms_milli + (sum ? 0 : row.lent_ms_milli);
        table.row({row.organisation,
                   row.what,
                   row.job_class,
                   row.chip,
                   used == 0 ? "" : chip_hours_text(used),
                   or_nothing(row.cost),
                   or_nothing(row.covered),
                   or_nothing(row.paid),
                   or_nothing(row.received)});
    };
    for (const StatementRow& row : statement.rows)
        add(row, false);
    StatementRow total = statement.total();
    total.organisation = "in all";
    add(total, true);
    text += table.text(width);
    if (!statement.vouchers.empty()) text += '\n';
    for (const StatementVoucher& voucher : statement.vouchers) {
        text += fmt::format("voucher {} of {}: {} spent, {} left\n",
                            voucher.id.value + 1,
                            voucher.holder,
                            amount_text(voucher.spent),
                            amount_text(voucher.left));
    }
    if (statement.out_of_balance != 0) {
        text += fmt::format(
            "\nThe ledger does not close: all balances together are {}, not 0. Do "
            "not use this statement.\n",
            amount_text(statement.out_of_balance));
    }
    return text;
}

std::string statement_csv(const Statement& statement) {
    std::string text =
        "month,organisation,what,job_class,chip,chip_seconds,lent_chip_seconds,cost,covered,paid,"
        "received,currency\n";
    for (const StatementRow& row : statement.rows) {
        text += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{}\n",
                            month_text(statement),
                            csv_cell(row.organisation),
                            csv_cell(row.what),
                            csv_cell(row.job_class),
                            csv_cell(row.chip),
                            chip_seconds_text(row.chip_ms_milli),
                            chip_seconds_text(row.lent_ms_milli),
                            amount_text(row.cost),
                            amount_text(row.covered),
                            amount_text(row.paid),
                            amount_text(row.received),
                            statement.currency.text());
    }
    return text;
}

}  // namespace weir::tenancy
