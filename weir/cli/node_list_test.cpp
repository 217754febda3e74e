#include "weir/cli/node_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> names(const std::vector<std::string>& words) {
    const auto found = names_of_nodes(words);
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(std::vector<std::string>{});
}

TEST(NodeList, IsNamesWithCommasAndNumbersInBrackets) {
    EXPECT_THAT(names({"box-3"}), ElementsAre("box-3"));
    EXPECT_THAT(names({"a,b", "c"}), ElementsAre("a", "b", "c"));
    EXPECT_THAT(names({"n[1-3,7],x"}), ElementsAre("n1", "n2", "n3", "n7", "x"));
    EXPECT_THAT(names({"r[0-1]n[08-10]"}),
                ElementsAre("r0n08", "r0n09", "r0n10", "r1n08", "r1n09", "r1n10"));
    EXPECT_THAT(names({"n[9-11]-ib"}), ElementsAre("n9-ib", "n10-ib", "n11-ib"));
    EXPECT_THAT(names({"b,a", "a"}), ElementsAre("b", "a")) << "each once";
}

TEST(NodeList, SaysWhatIsWrongBeforeAnythingIsDone) {
    for (const char* word : {"n[1-4",
                             "n1-4]",
                             "n[[1]]",
                             "n[]",
                             "n[4-1]",
                             "n[a-c]",
                             "n[1-]",
                             "a,,b",
                             "",
                             "n[0-999999999]",
                             "n[0-999][0-999]"}) {
        const auto found = names_of_nodes({"good", word});
        ASSERT_FALSE(found) << word;
        EXPECT_THAT(found.error().message, HasSubstr(std::string("'") + word + "' is no list"));
    }
}

}  // namespace
}  // namespace weir::cli
