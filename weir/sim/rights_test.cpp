// Small random worlds under organisations and precision contracts. The checker, which works out
// quotas and the waterfall by itself, finds nothing wrong with their logs; and it finds what is
// changed in them.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "weir/sim/house_world.hpp"

namespace weir::sim {
namespace {

using audit::judge;

TEST(Rights, AreKeptAndCountedAlikeByTwoWhoShareNoCode) {
    tenancy::Losses all;
    std::uint64_t taken_back = 0;
    std::uint64_t owner_came = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        for (const char* policy : policies) {
            SCOPED_TRACE(std::string(policy) + ", seed " + std::to_string(seed));
            Random random(seed);
            const World world = some_world(random, policy);
            const Audited outcome = audited(world.trace, world.options);
            ASSERT_FALSE(::testing::Test::HasFailure());
            all += outcome.simulation.books.total;
            taken_back += outcome.report.of(audit::Rule::reclaim).checked;
            owner_came +=
                outcome.report.excused[static_cast<std::size_t>(audit::Excuse::owner_came)];
            ASSERT_EQ(outcome.report.waterfalls.size(), 1U);
        }
    }
    // All of it did happen.
    EXPECT_GT(all[tenancy::Loss::over_quota], 0U);
    EXPECT_GT(all[tenancy::Loss::wrong_precision], 0U);
    EXPECT_GT(taken_back, 100U);
    EXPECT_GT(owner_came, 0U);
}

// ---------------------------------------------------------------------------------------------
// Logs that were changed

audit::Submitted& submission_of(Log& log, JobId job) {
    for (audit::Record& record : log) {
        auto* const its = std::get_if<audit::Submitted>(&record.what);
        if (its != nullptr && its->job == job) return *its;
    }
    throw std::logic_error("never submitted");
}

// The most chips of kind x that jobs of one organisation, which has no parts, held at once.
std::int64_t most_used(Log& log, const std::string& path) {
    std::int64_t now = 0;
    std::int64_t most = 0;
    std::map<JobId, std::int64_t> held;
    for (const audit::Record& record : log) {
        if (const auto* start = std::get_if<audit::Started>(&record.what)) {
            const audit::Submitted& job = submission_of(log, start->job);
            if (job.organisation != path || start->on.ranges.front().pool.value == 2) continue;
            held[start->job] = static_cast<std::int64_t>(job.demand.chips_milli());
            now += held[start->job];
            most = std::max(most, now);
        } else if (const auto* end = std::get_if<audit::Ended>(&record.what)) {
            now -= held[end->job];
            held[end->job] = 0;
        }
    }
    return most;
}

TEST(Rights, OfAChangedLogWhatIsBrokenIsFoundAndNamed) {
    int quotas = 0;
    int excused = 0;
    int contracts = 0;
    int stops = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        const World world = some_world(random, policies[seed % 2]);
        const Log log = log_of(world);
        ASSERT_EQ(audit::words_of(judge(log)), "");
        const auto some = [&](const std::vector<std::size_t>& places) {
            return places.at(static_cast<std::size_t>(
                random.between(0, static_cast<std::int64_t>(places.size()) - 1)));
        };
        // A thousandth of a chip less than it used, and no loan.
        for (std::size_t i = 0; i < 9; ++i) {
            Log changed = log;
            auto& header = std::get<audit::Header>(changed.front().what);
            audit::Organisation& house = header.organisations[i];
            const std::int64_t most = most_used(changed, house.path);
            if (house.path.size() < 4 || most == 0) continue;
            ++quotas;
            std::erase_if(house.quota, [](const auto& each) { return each.resource == 0; });
            house.quota.insert(house.quota.begin(), {0, most - 1});
            std::erase_if(house.borrow, [](const auto& each) { return each.resource == 0; });
            house.borrow.insert(house.borrow.begin(), {0, 0});
            const audit::Report report = judge(changed);
            if (report.of(audit::Rule::quota).violated > 0) continue;
            // A job that was promised its place by right, before others of its house came.
            EXPECT_GE(report.excused[static_cast<std::size_t>(audit::Excuse::owner_came)], 1U)
                << house.path;
            ++excused;
        }
        // A contract forbids where a job ran.
        {
            Log changed = log;
            const std::size_t at = some(all_of_kind<audit::Started>(log));
            const auto& start = std::get<audit::Started>(log[at].what);
            submission_of(changed, start.job).barred.push_back(start.on.ranges.front().pool);
            const audit::Verdict verdict = judge(changed).of(audit::Rule::contract);
            ASSERT_GE(verdict.violated, 1U);
            EXPECT_EQ(verdict.first.at(0).sentence.rfind(
                          "job " + std::to_string(start.job.value) + " is put on pool ", 0),
                      0U);
            ++contracts;
        }
        // Whoever was to give back what it borrowed owns it.
        for (const std::size_t at : all_of_kind<audit::Preempted>(log)) {
            const auto& stop = std::get<audit::Preempted>(log[at].what);
            if (stop.cause != "reclaimed") continue;
            Log changed = log;
            audit::Submitted& victim = submission_of(changed, stop.job);
            if (submission_of(changed, stop.for_job).organisation == victim.organisation) continue;
            auto& header = std::get<audit::Header>(changed.front().what);
            for (audit::Organisation& house : header.organisations) {
                if (house.path != victim.organisation) continue;
                house.quota = {{0, 1'000'000}, {1, 1'000'000}, {2, 1'000'000}};
                house.lend.clear();
            }
            const audit::Verdict verdict = judge(changed).of(audit::Rule::reclaim);
            ASSERT_GE(verdict.violated, 1U);
            ++stops;
            break;
        }
    }
    EXPECT_GT(quotas, 100);
    EXPECT_LT(excused, 10);
    EXPECT_EQ(contracts, 40);
    EXPECT_GT(stops, 10);
}

}  // namespace
}  // namespace weir::sim
