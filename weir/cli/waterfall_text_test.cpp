#include "weir/cli/waterfall_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace weir::cli {
namespace {

using tenancy::Loss;
using ::testing::HasSubstr;
using ::testing::Not;

// Amounts wider than 64 bits: a million chips for a century.
tenancy::Books wide_books() {
    tenancy::Books books;
    const tenancy::ChipTime whole = tenancy::ChipTime{1'000'000'000} * 3'155'760'000'000U;
    books.total[Loss::not_demanded] = whole / 4;
    books.total[Loss::checkpoint] = whole / 4;
    books.total[Loss::running] = whole / 2;
    books.sites = {{"here", books.total}};
    books.pools = {{"a", books.total}};
    tenancy::Losses held = books.total;
    held[Loss::not_demanded] = 0;
    books.tenants = {{"a \"lab\", ours", held}};
    return books;
}

TEST(WaterfallText, HasALineForEveryLevelAndForEveryClassInWhichAnythingIs) {
    const std::string table = waterfall_table(wide_books(), false);
    EXPECT_THAT(table, HasSubstr("chip-hours"));
    EXPECT_THAT(table, HasSubstr("100.00 %"));
    EXPECT_THAT(table, HasSubstr("- checkpoints"));
    EXPECT_THAT(table, HasSubstr("75.00 %"));
    EXPECT_THAT(table, Not(HasSubstr("failed")));
    EXPECT_EQ(waterfall_table({}, false), "");
}

TEST(WaterfallText, IsExactInJsonAndCsvHoweverWide) {
    const tenancy::Books books = wide_books();
    const std::string json = waterfall_json(books);
    EXPECT_THAT(json, HasSubstr("\"sum\": 3155760000000000000000"));
    EXPECT_THAT(json, HasSubstr("\"running\": 1577880000000000000000"));
    const auto read = nlohmann::json::parse(json);
    EXPECT_EQ(read["tenants"][0]["name"], "a \"lab\", ours");
    EXPECT_EQ(read["classes"].size(), tenancy::loss_count);
    const std::string csv = waterfall_csv_books(books);
    EXPECT_THAT(csv, HasSubstr("tenant,\"a \"\"lab\"\", ours\",2366820000000000000000,"));
    EXPECT_THAT(csv, HasSubstr("total,,3155760000000000000000,"));
}

TEST(WaterfallText, PutsRunsSideBySideWhereTheyFitAndElseBelowOneAnother) {
    std::vector<sim::RunSummary> runs(3);
    for (std::size_t i = 0; i < runs.size(); ++i) {
        runs[i].name = "run" + std::to_string(i);
        runs[i].books = wide_books();
    }
    EXPECT_THAT(waterfalls_table(runs, 80), HasSubstr("  - nobody waits for it"));
    const std::string narrow = waterfalls_table(runs, 50);
    EXPECT_THAT(narrow, HasSubstr("run2"));
    EXPECT_THAT(narrow, HasSubstr("allocated"));
    runs.pop_back();
    runs[1].books = {};
    EXPECT_EQ(waterfalls_table(runs, 80), "");
}

}  // namespace
}  // namespace weir::cli
