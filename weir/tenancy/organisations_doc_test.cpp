// The worked numbers of docs/concepts/organisations.md, read from the page and compared with the
// code: a reader who follows them by hand and the program agree.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "weir/tenancy/charge.hpp"
#include "weir/tenancy/ledger.hpp"
#include "weir/tenancy/loan.hpp"
#include "weir/tenancy/organisations_file.hpp"
#include "weir/tenancy/quota_tree.hpp"
#include "weir/tenancy/recoverable.hpp"
#include "weir/tenancy/statement.hpp"

namespace weir::tenancy {
namespace {

// The tables of the page, each row by the titles of its columns.
using Cells = std::map<std::string, std::string>;

class Page {
public:
    Page() {
        std::ifstream file(std::string(WEIR_SOURCE_DIR) + "/docs/concepts/organisations.md");
        std::stringstream all;
        all << file.rdbuf();
        text_ = all.str();
    }

    // The one below the comment "<!-- table: NAME -->".
    [[nodiscard]] std::vector<Cells> table(const std::string& name) const {
        std::istringstream lines(after("<!-- table: " + name + " -->\n"));
        std::vector<Cells> rows;
        std::vector<std::string> titles;
        for (std::string line; std::getline(lines, line) && !line.empty();) {
            const std::vector<std::string> cells = cells_of(line);
            if (titles.empty()) {
                titles = cells;
                std::getline(lines, line);  // the line below the titles
                continue;
            }
            EXPECT_EQ(cells.size(), titles.size()) << line;
            Cells& row = rows.emplace_back();
            for (std::size_t i = 0; i < std::min(cells.size(), titles.size()); ++i)
                row[titles[i]] = cells[i];
        }
        EXPECT_FALSE(rows.empty()) << name;
        return rows;
    }

    // The first block of code of this kind below a heading.
    [[nodiscard]] std::string block(const std::string& heading, const std::string& kind) const {
        const std::string below = after("\n## " + heading + "\n");
        const std::string fence = "```" + kind + "\n";
        const std::size_t begin = below.find(fence) + fence.size();
        return below.substr(begin, below.find("```", begin) - begin);
    }

private:
    [[nodiscard]] std::string after(const std::string& mark) const {
        const std::size_t at = text_.find(mark);
        EXPECT_NE(at, std::string::npos) << mark;
        return at == std::string::npos ? "" : text_.substr(at + mark.size());
    }

    // "| a | b |" without blanks, backquotes and the commas of thousands.
    static std::vector<std::string> cells_of(const std::string& line) {
        std::vector<std::string> cells;
        std::istringstream parts(line.substr(1));
        for (std::string cell; std::getline(parts, cell, '|');) {
            cell.erase(std::remove_if(
                           cell.begin(), cell.end(), [](char c) { return c == '`' || c == ','; }),
                       cell.end());
            const std::size_t begin = cell.find_first_not_of(' ');
            cells.push_back(begin == std::string::npos
                                ? ""
                                : cell.substr(begin, cell.find_last_not_of(' ') - begin + 1));
        }
        return cells;
    }

    std::string text_;
};

// The three parts of the file that the page builds up.
OrganisationsFile file_in(const Page& page) {
    const std::string text =
        page.block("Quota: what is yours, what you lend, what you borrow", "yaml") +
        page.block("Loans: quota with a term, a price and a way back", "yaml") +
        page.block("What it costs, and who pays", "yaml");
    const auto parsed = read_organisations_text(text, "page");
    EXPECT_TRUE(parsed.has_value()) << parsed.error().message;
    return parsed ? parsed->file : OrganisationsFile{};
}

Time time_of(const std::string& cell) {
    return parse_time(cell).value();
}

std::int64_t micros_of(const std::string& cell) {
    const bool owed = cell.front() == '-';
    const std::int64_t micros = parse_money(cell.substr(owed ? 1 : 0) + " CNY").value().micros;
    return owed ? -micros : micros;
}

std::uint32_t count_of(const std::string& cell) {
    return static_cast<std::uint32_t>(std::stoul(cell));
}

Loan offer_in(const OrganisationsFile& file) {
    return {LoanId{0}, file.loans.at(0), LoanState::offered, Time{}, {}};
}

template <class Name>
Name named(const std::string& word, Name last) {
    for (int i = 0; i <= static_cast<int>(last); ++i) {
        if (name_of(static_cast<Name>(i)) == word) return static_cast<Name>(i);
    }
    ADD_FAILURE() << word;
    return last;
}

// The formulas of the page word for word, for one resource, in chips. Slow: each figure is worked
// out anew whenever it is asked for.
class Formulas {
public:
    Formulas(const Organisations& all, std::map<std::string, std::int64_t> leaf_use)
        : all_(all), leaf_use_(std::move(leaf_use)) {}

    [[nodiscard]] std::optional<std::int64_t> limit(const std::vector<Allowance>& list) const {
        for (const Allowance& each : list) {
            if (each.resource == 0) return each.amount / 1000;
        }
        return std::nullopt;
    }
    [[nodiscard]] bool is_lowest(std::uint32_t id) const { return parts(id).empty(); }
    [[nodiscard]] std::int64_t quota(std::uint32_t id) const {
        return limit(all_.tenants[id].quota).value_or(0);
    }
    [[nodiscard]] std::int64_t subtree(std::uint32_t id) const {
        std::int64_t sum = quota(id);
        for (const std::uint32_t part : parts(id))
            sum += subtree(part) - kept(part);
        return sum;
    }
    [[nodiscard]] std::int64_t kept(std::uint32_t id) const {
        const auto lend = limit(all_.tenants[id].lend);
        return lend ? std::max<std::int64_t>(0, subtree(id) - *lend) : 0;
    }
    [[nodiscard]] std::int64_t used(std::uint32_t id) const {
        if (is_lowest(id)) return leaf_use_.at(all_.tenants[id].path);
        std::int64_t sum = 0;
        for (const std::uint32_t part : parts(id))
            sum += std::max<std::int64_t>(0, used(part) - kept(part));
        return sum;
    }
    [[nodiscard]] std::int64_t available(std::uint32_t id) const {
        if (id == 0) return subtree(0) - used(0);
        std::int64_t p = available(all_.tenants[id].parent.value);
        if (const auto borrow = limit(all_.tenants[id].borrow)) {
            p = std::min(
                p,
                subtree(id) - kept(id) - std::max<std::int64_t>(0, used(id) - kept(id)) + *borrow);
        }
        return std::max<std::int64_t>(0, kept(id) - used(id)) + p;
    }

private:
    [[nodiscard]] std::vector<std::uint32_t> parts(std::uint32_t id) const {
        std::vector<std::uint32_t> list;
        for (std::uint32_t i = 0; i < all_.tenants.size(); ++i) {
            if (all_.tenants[i].parent == TenantId{id}) list.push_back(i);
        }
        return list;
    }

    const Organisations& all_;
    std::map<std::string, std::int64_t> leaf_use_;
};

TEST(OrganisationsPage, WorksOutQuotasAsItsFormulasSay) {
    const Page page;
    const OrganisationsFile file = file_in(page);
    const std::vector<Cells> rows = page.table("quota");
    ASSERT_EQ(rows.size(), file.organisations.tenants.size());
    std::map<std::string, std::int64_t> use;
    for (const Cells& row : rows)
        use[row.at("organisation")] = std::stoll(row.at("used"));
    const Formulas formulas(file.organisations, use);
    const auto text = [](std::optional<std::int64_t> limit) {
        return limit ? std::to_string(*limit) : "–";
    };
    QuotaTree tree(file.organisations, {68'000});
    for (std::uint32_t id = 0; id < rows.size(); ++id) {
        if (formulas.is_lowest(id))
            tree.use(TenantId{id}, 0, std::stoll(rows[id].at("used")) * 1000);
    }
    for (std::uint32_t id = 0; id < rows.size(); ++id) {
        const Tenant& tenant = file.organisations.tenants[id];
        EXPECT_EQ(tree.nominal(TenantId{id}, 0), formulas.quota(id) * 1000);
        EXPECT_EQ(tree.subtree(TenantId{id}, 0), formulas.subtree(id) * 1000);
        EXPECT_EQ(tree.local(TenantId{id}, 0), formulas.kept(id) * 1000);
        EXPECT_EQ(tree.usage(TenantId{id}, 0), formulas.used(id) * 1000);
        EXPECT_EQ(tree.available(TenantId{id}, 0), formulas.available(id) * 1000);
        EXPECT_EQ(rows[id],
                  (Cells{{"organisation", id == 0 ? "the centre" : tenant.path},
                         {"quota", std::to_string(formulas.quota(id))},
                         {"lend", text(formulas.limit(tenant.lend))},
                         {"borrow", text(formulas.limit(tenant.borrow))},
                         {"used", std::to_string(formulas.used(id))},
                         {"subtree", std::to_string(formulas.subtree(id))},
                         {"private", std::to_string(formulas.kept(id))},
                         {"available", std::to_string(formulas.available(id))}}));
    }
}

TEST(OrganisationsPage, TellsTheLifeOfALoan) {
    const Page page;
    const OrganisationsFile file = file_in(page);
    Loan loan = offer_in(file);
    for (const Cells& row : page.table("loan")) {
        const auto event = named(row.at("what happens"), LoanEvent::borrower_breaks);
        const auto next = step(loan, event, time_of(row.at("time")));
        ASSERT_TRUE(next.has_value()) << next.error().message;
        loan = next->loan;
        std::int64_t paid = 0;
        for (const LoanChange& change : next->changes)
            paid += change.amount.micros;
        const auto span = availability(loan);
        EXPECT_EQ(row.at("it is then"), name_of(loan.state));
        EXPECT_EQ(row.at("the borrower has it until"), span ? format_time(span->ends) : "–");
        EXPECT_EQ(micros_of(row.at("uni pays")), paid);
    }
}

TEST(OrganisationsPage, ListsEverythingThatAPartyCanDoWithALoan) {
    const Page page;
    const Loan offer = offer_in(file_in(page));
    const Time before = offer.contract.window.begins - seconds(3600);
    std::map<LoanState, Loan> loans{{LoanState::offered, offer}};
    loans[LoanState::accepted] = step(offer, LoanEvent::accept, before)->loan;
    loans[LoanState::active] =
        step(loans[LoanState::accepted], LoanEvent::wait, offer.contract.window.begins)->loan;
    loans[LoanState::recalling] =
        step(loans[LoanState::active], LoanEvent::recall, offer.contract.window.begins)->loan;
    loans[LoanState::withdrawn] = step(offer, LoanEvent::withdraw, before)->loan;
    for (const auto event : {LoanEvent::give_back, LoanEvent::lender_breaks}) {
        const Loan over = step(loans[LoanState::accepted], event, before)->loan;
        loans[over.state] = over;
    }
    loans[LoanState::expired] =
        step(loans[LoanState::active], LoanEvent::wait, offer.contract.window.ends)->loan;
    ASSERT_EQ(loans.size(), 8U);

    std::map<std::pair<std::string, std::string>, Cells> rules;
    for (const Cells& row : page.table("loan-rules")) {
        std::string states = row.at("it is") + " or ";
        for (std::size_t at = 0; (at = states.find(" or ")) != std::string::npos;
             states.erase(0, at + 4))
            rules[{states.substr(0, at), row.at("a party does")}] = row;
    }
    for (const auto& [state, loan] : loans) {
        EXPECT_EQ(loan.state, state);
        for (int i = 1; i <= static_cast<int>(LoanEvent::borrower_breaks); ++i) {
            const auto event = static_cast<LoanEvent>(i);
            const auto next = step(loan, event, loan.since);
            const auto rule =
                rules.find({std::string(name_of(state)), std::string(name_of(event))});
            ASSERT_EQ(next.has_value(), rule != rules.end())
                << name_of(state) << ", " << name_of(event);
            if (!next) continue;
            EXPECT_EQ(rule->second.at("it is then"), name_of(next->loan.state));
            const LoanChange& change = next->changes.back();
            const std::string who =
                change.payer == loan.contract.lender ? "the lender " : "the borrower ";
            EXPECT_EQ(rule->second.at("costs"),
                      change.debt == LoanChange::Debt::none      ? "nothing"
                      : change.debt == LoanChange::Debt::penalty ? who + "penalty"
                                                                 : who + "early_recall");
        }
    }
}

TEST(OrganisationsPage, MovesQuotaWithALoan) {
    const Page page;
    const OrganisationsFile file = file_in(page);
    const std::vector<Loan> loans{
        step(offer_in(file), LoanEvent::accept, time_of("2026-11-20"))->loan};
    const auto quota = [&](std::string_view when, const std::string& path) {
        const Organisations all = with_loans(file.organisations, loans, *parse_time(when));
        return std::to_string(Formulas(all, {}).quota(all.find(path).value));
    };
    for (const Cells& row : page.table("lent-quota")) {
        EXPECT_EQ(row.at("quota in November"), quota("2026-11-30", row.at("organisation")));
        EXPECT_EQ(row.at("quota in December"), quota("2026-12-01", row.at("organisation")));
    }
}

// The pool of the page: 2 nodes in a rack, 8 chips in a node.
Ground ground_in(const Page& page) {
    Ground ground;
    ground.pool.name = "ai";
    ground.pool.chips_per_node = 8;
    ground.pool.nodes_per_rack = 2;
    for (const Cells& row : page.table("ground")) {
        const std::uint32_t node = ground.pool.nodes++;
        EXPECT_EQ(row.at("node"), std::to_string(node));
        EXPECT_EQ(row.at("rack"), std::to_string(node / 2));
        ground.kept_chips.push_back(count_of(row.at("kept by others")));
        ground.lent.push_back({node, count_of(row.at("lent notice 2h")), seconds(7200)});
    }
    return ground;
}

std::vector<Guarantee> guarantees_in(const Page& page, const Organisations& organisations) {
    std::vector<Guarantee> list;
    for (const Cells& row : page.table("guarantees")) {
        list.push_back({organisations.find(row.at("organisation")),
                        {count_of(row.at("replicas")),
                         count_of(row.at("chips of each")),
                         *fleet::level_from_name(row.at("within"))},
                        count_of(row.at("gangs"))});
    }
    return list;
}

TEST(OrganisationsPage, CountsTheCellsThatCanBeHadBack) {
    const Page page;
    const Ground ground = ground_in(page);
    const std::vector<Cells> rows = page.table("guarantees");
    const auto all = guarantees_in(page, file_in(page).organisations);
    EXPECT_EQ(shortage(ground, all), std::nullopt);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const CellDemand cells = cells_for(all[i].gang, ground.pool);
        EXPECT_EQ(rows[i].at("cell of a gang"), text_of(cells.cell));
        // One more than can be had is short by exactly that.
        auto too_many = all;
        too_many[i].count = count_of(rows[i].at("can be had")) + 1;
        const auto found = shortage(ground, too_many);
        ASSERT_TRUE(found.has_value()) << i;
        EXPECT_EQ(found->wanted.cell, cells.cell);
        EXPECT_EQ(std::to_string(found->there), rows[i].at("can be had"));
    }
    auto two_racks = all;
    two_racks[0].count = 2;
    EXPECT_EQ(shortage(ground, two_racks)->wanted, (CellDemand{{fleet::Level::rack, 1}, 3}));
    EXPECT_EQ(shortage(ground, two_racks)->there, 2U);
}

TEST(OrganisationsPage, LendsNoLongerThanAGuaranteeCanWait) {
    const Page page;
    const Ground ground = ground_in(page);
    auto guarantees = guarantees_in(page, file_in(page).organisations);
    guarantees[0].waits = seconds(3600);
    for (const Cells& row : page.table("lending")) {
        const auto lent = may_lend(
            ground, guarantees, count_of(row.at("chips more")), *parse_duration(row.at("notice")));
        EXPECT_EQ(row.at("may be lent"), lent ? "yes" : "no") << row.at("chips more");
    }
}

// The five jobs of the page, and what each of them was charged.
Ledger charged_in(const Page& page, const OrganisationsFile& file) {
    Ledger ledger(file.organisations);
    EXPECT_TRUE(issue(ledger, file.vouchers, VoucherId{0}).has_value());
    for (const Cells& row : page.table("charges")) {
        Usage usage;
        usage.job = JobId{std::stoull(row.at("job"))};
        usage.tenant = file.organisations.find(row.at("organisation"));
        usage.job_class = row.at("class");
        usage.chip = "ascend-910b3";
        usage.is_domestic = true;
        usage.chips_milli = static_cast<std::uint64_t>(
            *parse_amount({Resource::Kind::chips, usage.chip}, row.at("chips")));
        usage.span = {time_of(row.at("from")), time_of(row.at("until"))};
        usage.source = named(row.at("right"), Source::loan);
        usage.price = *parse_price(row.at("price") + " CNY/chip-hour");
        if (usage.source == Source::loan) usage = on_loan(usage, offer_in(file));
        EXPECT_EQ(usage.price.of_chip_hour.micros, micros_of(row.at("price")));
        EXPECT_EQ(
            row.at("to"),
            usage.payee == the_centre ? "the centre" : file.organisations.tenant(usage.payee).path);
        const auto charged = charge(ledger, file.vouchers, usage);
        EXPECT_TRUE(charged.has_value());
        EXPECT_EQ(charged->cost.micros, micros_of(row.at("cost")));
        EXPECT_EQ(charged->by_vouchers, micros_of(row.at("voucher")));
        EXPECT_EQ(charged->cost.micros - charged->by_vouchers, micros_of(row.at("paid")));
    }
    return ledger;
}

TEST(OrganisationsPage, ChargesJobsAndKeepsBudgets) {
    const Page page;
    const OrganisationsFile file = file_in(page);
    const Ledger ledger = charged_in(page, file);
    const TenantId startup = file.organisations.find("sme-park/startup");
    for (const Cells& row : page.table("budget")) {
        const Time at = time_of(row.at("at"));
        const auto left = budgets_left(ledger, file.budgets, {}, startup, at);
        ASSERT_EQ(left.size(), 1U);
        EXPECT_EQ(micros_of(row.at("spent")),
                  ledger.spent(startup, period_around(Period::month, at)));
        EXPECT_EQ(micros_of(row.at("left")), left[0].left);
        EXPECT_EQ(row.at("full again"), format_time(left[0].ends));
        const auto allows = [&](std::int64_t micros) {
            return may_spend(ledger, file.budgets, {}, startup, at, {micros, file.currency})
                .has_value();
        };
        EXPECT_TRUE(allows(left[0].left));
        EXPECT_FALSE(allows(left[0].left + 1));
    }
}

TEST(OrganisationsPage, BalancesItsBooks) {
    const Page page;
    const OrganisationsFile file = file_in(page);
    Ledger ledger = charged_in(page, file);
    Loan loan = offer_in(file);
    for (const Cells& row : page.table("loan")) {
        const auto event = named(row.at("what happens"), LoanEvent::borrower_breaks);
        const auto next = step(loan, event, time_of(row.at("time")));
        loan = next->loan;
        for (const LoanChange& change : next->changes)
            EXPECT_TRUE(settle(ledger, loan, change).has_value());
    }
    std::map<Account, std::int64_t> left = ledger.balances();
    std::map<Book, std::int64_t> sums;
    for (const Cells& row : page.table("balances")) {
        const bool sum = row.at("organisation") == "sum";
        const TenantId owner = row.at("organisation") == "the centre"
                                   ? the_centre
                                   : file.organisations.find(row.at("organisation"));
        for (int i = 0; i <= static_cast<int>(Book::voucher); ++i) {
            const auto book = static_cast<Book>(i);
            const VoucherId voucher = book == Book::voucher ? VoucherId{0} : VoucherId{};
            const std::int64_t shown = micros_of(row.at(std::string(name_of(book))));
            EXPECT_EQ(shown, sum ? sums[book] : ledger.balance({owner, book, voucher}))
                << row.at("organisation") << ", " << name_of(book);
            if (sum) continue;
            sums[book] += shown;
            left.erase({owner, book, voucher});
        }
    }
    EXPECT_TRUE(left.empty()) << "an account that the page does not show";
    std::int64_t total = 0;
    for (const auto& [book, amount] : sums)
        total += amount;
    EXPECT_EQ(total, 0);
}

TEST(OrganisationsPage, PrintsAStatementAsItIs) {
    const Page page;
    const OrganisationsFile file = file_in(page);
    const Ledger ledger = charged_in(page, file);
    const TenantId park = file.organisations.find("sme-park");
    EXPECT_EQ(page.block("The ledger", "text"),
              statement_text(statement_of(
                  ledger, park, time_of("2026-12-31"), file.currency, {{LoanId{0}, "file-1"}})));
}

}  // namespace
}  // namespace weir::tenancy
