#include "weir/plan/toml_subset.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::plan {
namespace {

using ::testing::ElementsAre;

std::string refused(std::string_view text) {
    const auto entries = parse_toml_subset(text, "job.toml");
    return entries.has_value() ? "read" : entries.error().message;
}

TEST(Toml, ReadsTablesScalarsAndLists) {
    const auto entries = parse_toml_subset(
        "# a job\n[model]\nname = \"llama3\"  # which\nflavor='8B'\n\n[a.b.c]\nsteps = 10_000\n"
        "lr = 3e-4\non = true\nlist = [\"x\", 'y',\n  \"z\", # more\n]\nlists = [[1, 2], [3]]\n",
        "job.toml");
    ASSERT_TRUE(entries.has_value()) << entries.error().message;
    ASSERT_EQ(entries->size(), 7u);
    EXPECT_EQ(entries->at(0).key, "model.name");
    EXPECT_EQ(entries->at(0).text, "llama3");
    EXPECT_EQ(entries->at(1).text, "8B");
    EXPECT_EQ(entries->at(2).key, "a.b.c.steps");
    EXPECT_EQ(entries->at(2).text, "10000");
    EXPECT_EQ(entries->at(3).text, "3e-4");
    EXPECT_EQ(entries->at(4).kind, TomlKind::boolean);
    EXPECT_THAT(entries->at(5).items, ElementsAre("x", "y", "z"));
    EXPECT_THAT(entries->at(6).items, ElementsAre("1", "2", "3"));
}

TEST(Toml, RefusesWhatItDoesNotKnow) {
    EXPECT_EQ(refused("[a]\nx = 1\nx = 2"), "job.toml:3: a.x is there twice");
    EXPECT_EQ(refused("[a]\n[a]"), "job.toml:2: the table [a] is there twice");
    EXPECT_EQ(refused("[[a]]\n"), "job.toml:1: arrays of tables are not read here");
    EXPECT_EQ(refused("x = {y = 1}"), "job.toml:1: inline tables are not read here");
    EXPECT_EQ(refused("x = \"\"\"a\"\"\""),
              "job.toml:1: strings of several lines are not read here");
    EXPECT_EQ(refused("x = yes"), "job.toml:1: yes is no value that is read here");
    EXPECT_EQ(refused("x = 1 2"), "job.toml:1: more stands behind the value");
    EXPECT_EQ(refused("x ="), "job.toml:1: a value is missing");
    EXPECT_EQ(refused("x = [1"), "job.toml:1: a list needs , or ]");
    EXPECT_EQ(refused("x = \"a"), "job.toml:1: a string does not end");
}

}  // namespace
}  // namespace weir::plan
