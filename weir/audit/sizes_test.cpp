// What the checker says of jobs that may run in several sizes.
#include <gtest/gtest.h>

#include "weir/audit/small_log.hpp"
#include "weir/audit/tampering.hpp"

namespace weir::audit {
namespace {

const std::vector<Tampering> tamperings = {
    {"a size that was not offered", Rule::sizes, [](Log& log) { the<Started>(log, 602).size = 2; }},
    {"a size of a job that has one",
     Rule::sizes,
     [](Log& log) { the<Started>(log, 601).size = 1; }},
    {"another size than the first time",
     Rule::sizes,
     [](Log& log) {
         the<Started>(log, 602, 2).size = 0;
         the<Started>(log, 602, 2).on = on({nodes(0, 1, 0xF)});
     }},
    {"a promise in a size that was not offered",
     Rule::sizes,
     [](Log& log) { the<Promised>(log, 602).size = 7; }},
    {"fewer nodes than the size has",
     Rule::gang,
     [](Log& log) { the<Started>(log, 602).on = on({nodes(0, 1, 0xF)}); }},
    {"longer than its size may take",
     Rule::limits,
     [](Log& log) { the<Submitted>(log, 602).sizes[0].limit = seconds(58); }},
    {"a pool that another size accepts",
     Rule::gang,
     [](Log& log) { the<Submitted>(log, 602).sizes[0].demand.pools = {PoolId{1}}; }},
    {"a promise is broken in whatever size",
     Rule::promises,
     [](Log& log) { the<Promised>(log, 602).by = at_seconds(20); }},
};

TEST(SizesChecker, FindsAndNamesEveryTampering) {
    expect_each_is_found(sized_log(), tamperings);
}

// Nothing that concerns only a size that it did not take binds it.
TEST(SizesChecker, JudgesBySizeThatWasTaken) {
    Log log = sized_log();
    the<Submitted>(log, 602).limit = seconds(1);
    the<Submitted>(log, 602).demand.pools = {PoolId{1}};
    EXPECT_EQ(words_of(judge(log)), "");
    // What it waits for is in the pools of all its sizes: a node that is lost there excuses.
    the<Promised>(log, 602).by = at_seconds(20);
    insert_before(
        log, find<Ended>(log, 601), {at_seconds(10), NodeHealth{PoolId{0}, 3, Health::drained}});
    insert_before(
        log, find<Ended>(log, 601), {at_seconds(11), NodeHealth{PoolId{0}, 3, Health::up}});
    EXPECT_EQ(words_of(judge(log)), "");
}

}  // namespace
}  // namespace weir::audit
