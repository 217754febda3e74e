// The worked numbers of docs/concepts/organisations.md, read from the page and compared with the
// code: a reader who follows them by hand and the program agree.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "weir/tenancy/organisations_file.hpp"

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

OrganisationsFile file_in(const Page& page, const std::string& heading) {
    const auto parsed = read_organisations_text(page.block(heading, "yaml"), "page");
    EXPECT_TRUE(parsed.has_value()) << parsed.error().message;
    return parsed ? parsed->file : OrganisationsFile{};
}

constexpr const char* quota_heading = "Quota: what is yours, what you lend, what you borrow";

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
        if (parts(id).empty()) return leaf_use_.at(all_.tenants[id].path);
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
    const OrganisationsFile file = file_in(page, quota_heading);
    const std::vector<Cells> rows = page.table("quota");
    ASSERT_EQ(rows.size(), file.organisations.tenants.size());
    std::map<std::string, std::int64_t> use;
    for (const Cells& row : rows)
        use[row.at("organisation")] = std::stoll(row.at("used"));
    const Formulas formulas(file.organisations, use);
    const auto text = [](std::optional<std::int64_t> limit) {
        return limit ? std::to_string(*limit) : "–";
    };
    for (std::uint32_t id = 0; id < rows.size(); ++id) {
        const Tenant& tenant = file.organisations.tenants[id];
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

}  // namespace
}  // namespace weir::tenancy
