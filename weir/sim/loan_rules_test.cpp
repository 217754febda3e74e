// Small random worlds under organisations that lend to each other. The checker, which works out
// rights over time by itself, finds nothing wrong with their logs; and it finds what is changed in
// them.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "weir/sim/house_world.hpp"

namespace weir::sim {
namespace {

using audit::judge;
using audit::Rule;

World some_lending_world(Random& random, const char* policy) {
    World world = some_world(random, policy);
    world.options.loans = some_loans(random, world.options.organisations);
    return world;
}

std::uint64_t count_of(const Log& log, audit::LoanEnd how) {
    return static_cast<std::uint64_t>(std::count_if(log.begin(), log.end(), [&](const auto& each) {
        const auto* ended = std::get_if<audit::LoanEnded>(&each.what);
        return ended != nullptr && ended->how == how;
    }));
}

TEST(LoanRules, AreKeptInRandomWorldsByTwoWhoShareNoCode) {
    std::uint64_t checked = 0;
    std::uint64_t reclaimed = 0;
    std::uint64_t recalled = 0;
    std::uint64_t refused = 0;
    std::uint64_t defaulted = 0;
    for (std::uint64_t seed = 1; seed <= 80; ++seed) {
        for (const char* policy : policies) {
            SCOPED_TRACE(std::string(policy) + ", seed " + std::to_string(seed));
            Random random(seed);
            const World world = some_lending_world(random, policy);
            const Log log = log_of(world);
            const audit::Report report = judge(log);
            ASSERT_EQ(audit::words_of(report), "");
            checked += report.of(Rule::loan).checked;
            reclaimed += report.of(Rule::reclaim).checked;
            recalled += all_of_kind<audit::CalledBack>(log).size();
            refused += count_of(log, audit::LoanEnd::refused);
            defaulted += count_of(log, audit::LoanEnd::defaulted);
        }
    }
    // All of it did happen.
    EXPECT_GT(checked, 1000U);
    EXPECT_GT(reclaimed, 100U);
    EXPECT_GT(recalled, 100U);
    EXPECT_GT(refused, 0U);
    EXPECT_GT(defaulted, 0U);
}

// Loans that stood in the way of their lenders were called back at once. Of a log that is cut off
// right before it says so, the checker says what is missing.
TEST(LoanRules, NoLoanStandsInItsLendersWay) {
    int called_back = 0;
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        for (const char* policy : policies) {
            SCOPED_TRACE(std::string(policy) + ", seed " + std::to_string(seed));
            Random random(seed);
            World world = some_lending_world(random, policy);
            for (LentQuota& loan : world.options.loans)
                loan.recalled_at = never;
            const Log log = log_of(world);
            ASSERT_EQ(audit::words_of(judge(log)), "");
            for (const std::size_t at : all_of_kind<audit::CalledBack>(log)) {
                const Log before(log.begin(), log.begin() + static_cast<std::ptrdiff_t>(at));
                const auto found = judge(before).of(Rule::loan);
                ASSERT_GE(found.violated, 1U);
                EXPECT_NE(found.first.at(0).sentence.find("is not called back"), std::string::npos);
                ++called_back;
            }
        }
    }
    EXPECT_GT(called_back, 20);
}

// Where a loan was refused or broken, a log that does not say so is a wrong one.
TEST(LoanRules, OfAChangedLogWhatIsBrokenIsFoundAndNamed) {
    int changed = 0;
    for (std::uint64_t seed = 1; seed <= 80; ++seed) {
        for (const char* policy : policies) {
            SCOPED_TRACE(std::string(policy) + ", seed " + std::to_string(seed));
            Random random(seed);
            const World world = some_lending_world(random, policy);
            const Log log = log_of(world);
            for (const std::size_t at : all_of_kind<audit::LoanEnded>(log)) {
                Log without = log;
                without.erase(without.begin() + static_cast<std::ptrdiff_t>(at));
                EXPECT_GE(judge(without).of(Rule::loan).violated, 1U);
                ++changed;
            }
            for (const std::size_t at : all_of_kind<audit::CalledBack>(log)) {
                Log sooner = log;
                std::get<audit::CalledBack>(sooner[at].what).until -= Duration{1};
                EXPECT_GE(judge(sooner).of(Rule::loan).violated, 1U);
                ++changed;
            }
        }
    }
    EXPECT_GT(changed, 300);
}

}  // namespace
}  // namespace weir::sim
