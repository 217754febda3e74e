#include "weir/cli/print.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cstdio>

#include "weir/cli/progress.hpp"

namespace weir::cli {
namespace {

TEST(Nearest, OffersAWordThatIsOneSlipAway) {
    const std::vector<std::string> words = {"submit", "show", "cancel", "simulate"};
    EXPECT_EQ(nearest("sumbit", words), "submit");
    EXPECT_EQ(nearest("cansel", words), "cancel");
    EXPECT_EQ(nearest("simulat", words), "simulate");
    EXPECT_EQ(nearest("completely-different", words), "");
}

// A shell is the judge: what it reads back is what was quoted.
RC_GTEST_PROP(ShellQuoted, IsReadBackByAShellUnchanged, ()) {
    auto word = *rc::gen::container<std::string>(rc::gen::oneOf(
        rc::gen::inRange<char>(1, 127), rc::gen::element(' ', '\'', '"', '$', '\\')));
    const std::string command = "printf %sE " + shell_quoted(word);
    FILE* shell = popen(command.c_str(), "r");
    RC_ASSERT(shell != nullptr);
    std::string back;
    std::array<char, 256> buffer{};
    for (std::size_t got = 0; (got = fread(buffer.data(), 1, buffer.size(), shell)) > 0;) {
        back.append(buffer.data(), got);
    }
    pclose(shell);
    RC_ASSERT(back == word + "E");
}

TEST(Cells, AreShortAndSayNothingWhereThereIsNothing) {
    EXPECT_EQ(duration_cell(std::nullopt, 5), "-");
    EXPECT_EQ(duration_cell(1000, 13482), "12s");
    EXPECT_EQ(duration_cell(1000, 1350), "350ms");
    EXPECT_EQ(duration_cell(5000, 1000), "0s");  // clocks of two machines may disagree
    EXPECT_EQ(number_cell(8), "8");
    EXPECT_EQ(number_cell(0.5), "0.5");
    EXPECT_EQ(time_cell(1796112000123), "2026-12-01T08:00:00Z");
}

TEST(Wrapped, BreaksBetweenWordsAndLeavesLongOnesWhole) {
    EXPECT_EQ(wrapped("one two three", 0, 8), "one two\nthree");
    EXPECT_EQ(wrapped("one two three", 4, 11), "one two\n    three");
    EXPECT_EQ(wrapped("a-word-of-its-own and", 2, 8), "a-word-of-its-own\n  and");
    EXPECT_EQ(wrapped("as long as it likes", 4, 0), "as long as it likes");
    EXPECT_EQ(wrapped("", 4, 10), "");
}

TEST(Colour, IsLeftOutWhereNoTerminalReads) {
    // Tests run in pipes, so nothing may be added to what they print.
    if (colour_on(1)) GTEST_SKIP() << "standard output is a terminal";
    EXPECT_EQ(paint("text", Tone::bad), "text");
    EXPECT_EQ(paint_column("state\nfailed\n", "state", tone_of_state), "state\nfailed\n");
}

TEST(Bar, FillsFromEmptyToFullAndNeverBeyond) {
    EXPECT_EQ(bar(0, 4), "[....]");
    EXPECT_EQ(bar(0.5, 4), "[##..]");
    EXPECT_EQ(bar(1, 4), "[####]");
    EXPECT_EQ(bar(7, 4), "[####]");
    EXPECT_EQ(bar(-1, 4), "[....]");
}

}  // namespace
}  // namespace weir::cli
