#include "weir/base/text_table.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weir {
namespace {

TEST(TextTable, AlignsColumnsAndLeavesNoTrailingSpaces) {
    TextTable table({{"job"}, {"name", false, true}, {"wait", true}});
    table.row({"12", "wing-flutter", "3m 10s"});
    table.row({"7", "mesh"});
    EXPECT_EQ(table.text(),
              "job  name            wait\n"
              "12   wing-flutter  3m 10s\n"
              "7    mesh\n");
}

TEST(TextTable, ShortensOnlyElasticColumns) {
    TextTable table({{"job"}, {"name", false, true}, {"wait", true}});
    table.row({"12", "a-name-that-never-ends", "3m 10s"});
    EXPECT_EQ(table.text(22),
              "job  name         wait\n"
              "12   a-name-t…  3m 10s\n");
    // Nothing is left to give: wider than asked, but whole.
    EXPECT_NE(table.text(5).find("3m 10s"), std::string::npos);
}

TEST(TextTable, KeepsARowOnOneLine) {
    TextTable table({{"name"}});
    table.row({"a\nb\tc"});
    EXPECT_EQ(table.text(), "name\na b c\n");
}

TEST(TextTable, CountsColumnsOfTheTerminal) {
    EXPECT_EQ(display_width("abc"), 3U);
    EXPECT_EQ(display_width("堰"), 2U);
    EXPECT_EQ(display_width("e\xCC\x81"), 1U);          // e and a combining accent
    EXPECT_EQ(display_width("\x1b[32mok\x1b[0m"), 2U);  // colours take no place
    EXPECT_EQ(display_width("\xff\xfe"), 2U);           // broken bytes, one each
    EXPECT_EQ(shorten("堰堰堰", 5), "堰堰…");
    EXPECT_EQ(shorten("堰堰堰", 4), "堰…");
    EXPECT_EQ(shorten("abc", 3), "abc");
    EXPECT_EQ(shorten("abc", 0), "");
}

RC_GTEST_PROP(TextTable,
              NeverExceedsAWidthThatElasticColumnsCanGive,
              (const std::vector<std::string>& names)) {
    TextTable table({{"job"}, {"name", false, true}});
    for (const std::string& name : names) {
        std::string printable;
        for (const char c : name)
            printable += c >= ' ' && c <= '~' ? c : '?';
        table.row({"1", printable});
    }
    const std::string text = table.text(20);
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = text.find('\n', begin);
        RC_ASSERT(display_width(std::string_view(text).substr(begin, end - begin)) <= 20U);
        begin = end + 1;
    }
}

}  // namespace
}  // namespace weir
