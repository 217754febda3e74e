#include "weir/cli/job_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace weir::cli {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::Not;
using testing::Pair;
using testing::UnorderedElementsAre;

TEST(JobText, TellsAScriptFromYaml) {
    EXPECT_EQ(format_of("#!/bin/sh\necho\n"), "sbatch");
    EXPECT_EQ(format_of("# comment\n#SBATCH -N 2\n"), "sbatch");
    EXPECT_EQ(format_of("run: echo '#SBATCH'\n"), "yaml");
    EXPECT_EQ(format_of("{\"run\": \"x\"}"), "yaml");
}

TEST(JobText, RefusesAFileThatIsTooLargeWithoutReadingIt) {
    const std::string path = testing::TempDir() + "weir_huge.yaml";
    std::ofstream(path).seekp(std::streamoff{200} << 20).put('x');
    const auto answer = read_job_text_file(path);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::too_large);
    EXPECT_THAT(answer.error().message, HasSubstr(path));
    std::remove(path.c_str());
}

TEST(JobText, SaysWhichFileIsMissingOrEmpty) {
    const auto missing = read_job_text_file("/no/such/job.yaml");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Code::not_found);
    EXPECT_THAT(missing.error().message, HasSubstr("/no/such/job.yaml"));
    const auto empty = read_job_text_file("/dev/null");
    ASSERT_FALSE(empty);
    EXPECT_EQ(empty.error().code, Code::invalid);
}

TEST(Environment, TakesWhatWasChosenAndNeverTheTerminals) {
    setenv("WEIR_TEST_SECRET", "s", 1);
    setenv("SSH_AUTH_SOCK", "/tmp/agent", 1);
    setenv("LC_TEST", "C", 1);
    EXPECT_THAT(*chosen_environment("none"), IsEmpty());
    const auto all = *chosen_environment("all");
    EXPECT_THAT(all, Contains(Pair("WEIR_TEST_SECRET", "s")));
    EXPECT_THAT(all, Not(Contains(Key("SSH_AUTH_SOCK"))));
    const auto basic = *chosen_environment("basic");
    EXPECT_THAT(basic, Contains(Key("PATH")));
    EXPECT_THAT(basic, Contains(Key("LC_TEST")));
    EXPECT_THAT(basic, Not(Contains(Key("WEIR_TEST_SECRET"))));
    EXPECT_THAT(*chosen_environment("WEIR_TEST_SECRET,ABSENT_ONE"),
                UnorderedElementsAre(Pair("WEIR_TEST_SECRET", "s")));
    EXPECT_FALSE(chosen_environment("A=1"));
}

}  // namespace
}  // namespace weir::cli
