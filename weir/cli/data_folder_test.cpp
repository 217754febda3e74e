#include "weir/cli/data_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace weir::cli {
namespace {

using testing::HasSubstr;

unsigned mode_of(const std::string& path) {
    struct stat found = {};
    return ::stat(path.c_str(), &found) == 0 ? found.st_mode & 07777U : 0U;
}

class DataFolder : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "weir-data-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        here_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(here_); }
    std::string here_;
};

TEST_F(DataFolder, IsMadeForItsOwnerAlone) {
    const auto made = made_data_folder(here_ + "/a/b/../data/", "--data");
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_EQ(*made, here_ + "/a/data");
    EXPECT_EQ(mode_of(*made), 0700U);
    EXPECT_EQ(mode_of(*made + "/runs"), 0700U);
    EXPECT_EQ(seen_by_others(*made), "");
}

TEST_F(DataFolder, KeepsTheModeThatSomebodyChoseAndSaysWhatItMeans) {
    ASSERT_EQ(::chmod(here_.c_str(), 0755), 0);
    const auto made = made_data_folder(here_, "--data");
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_EQ(mode_of(here_), 0755U);
    EXPECT_EQ(mode_of(here_ + "/runs"), 0700U);
    EXPECT_THAT(seen_by_others(here_), HasSubstr("chmod 700 " + here_));
}

TEST_F(DataFolder, NamesWhatStandsInItsWay) {
    std::ofstream(here_ + "/file") << "x";
    for (const std::string& wrong : {here_ + "/file", here_ + "/file/below", std::string()}) {
        const auto made = made_data_folder(wrong, "--data");
        ASSERT_FALSE(made.has_value()) << wrong;
        EXPECT_THAT(made.error().message, HasSubstr("--data " + wrong + ": cannot be made"));
    }
}

}  // namespace
}  // namespace weir::cli
