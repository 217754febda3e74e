#include "weir/cli/offers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::cli {
namespace {

TEST(Offers, ShowEvidenceAndEstimatesInDifferentWords) {
    using catalog::Basis;
    EXPECT_EQ(founded("2h 10m", Basis::measured), "2h 10m measured");
    EXPECT_EQ(founded("2h 10m", Basis::published), "2h 10m published");
    EXPECT_EQ(founded("2h 10m", Basis::derived), "~2h 10m (derived)");
    EXPECT_EQ(founded("2h 10m", Basis::vendor_peak), "~2h 10m (vendor's peak)");
    EXPECT_EQ(founded("2h 10m", Basis::assumed), "~2h 10m (assumed)");
}

TEST(Offers, SayThatTheLimitOfAJobWouldEndItBeforeItIsDone) {
    EXPECT_EQ(over_limit(3601, seconds(3600)), "; its time limit of 1h 00m would end it before");
    EXPECT_EQ(over_limit(3600, seconds(3600)), "");
    EXPECT_EQ(over_limit(1e9, std::nullopt), "") << "the hub's own limit is not known here";
}

TEST(Offers, SayWhichNameWasProbablyMeant) {
    fleet::Fleet fleet;
    fleet.sites = {{.name = "beijing"}};
    fleet.pools.emplace_back().chip = "home-made";
    job::JobSpec job;
    job.chips_any_of = {"h200", "h2O0", "home-made", "zzzzzzzz"};
    job.chips_stack = {"cuda", "cudda"};
    job.sites = {"bejing", "beijing"};
    EXPECT_THAT(slips_in(job, fleet, catalog::Catalog::built_in()),
                ::testing::ElementsAre(
                    "chips.any_of: the catalogue does not know \"h2O0\" (did you mean h200?)",
                    "chips.any_of: the catalogue does not know \"zzzzzzzz\"",
                    "chips.stack: the catalogue does not know \"cudda\" (did you mean cuda?)",
                    "sites: the fleet does not know \"bejing\" (did you mean beijing?)"));
}

TEST(Offers, SayNoForAPoolThatWouldNeverHoldTheGang) {
    fleet::Fleet fleet;
    fleet.sites = {{.name = "here"}, {.name = "there"}};
    fleet::Pool pool;
    pool.name = "small";
    pool.site = "here";
    pool.chip = "npu";
    pool.nodes = 2;
    pool.chips_per_node = 8;
    fleet.pools.push_back(pool);
    pool.name = "large";
    pool.site = "there";
    pool.nodes = 1000;
    fleet.pools.push_back(pool);
    job::JobSpec job;
    job.gang.chips = 8;
    job.gang.cpus_milli = 0;
    const auto serving = [&] {
        match::Offers offers = match::offers_of(job, fleet, catalog::Catalog::built_in());
        rule_out_what_never_fits(job, fleet, offers);
        std::vector<std::string> names;
        for (const match::PoolOffer& offer : offers.pools) {
            if (offer.serves) {
                names.push_back(fleet.pool(offer.pool).name);
            } else {
                EXPECT_THAT(match::sentence_of(offer.against.back()),
                            ::testing::HasSubstr("which no part of the fleet can hold even when "
                                                 "it is empty"));
            }
        }
        return names;
    };
    using ::testing::ElementsAre;
    job.gang.replicas = 2;
    EXPECT_THAT(serving(), ElementsAre("small", "large"));
    job.gang.replicas = 1000;
    EXPECT_THAT(serving(), ElementsAre("large"));
    // The two nodes of one pool and those of another one together.
    pool.name = "beside";
    pool.site = "here";
    pool.nodes = 998;
    fleet.pools.push_back(pool);
    EXPECT_THAT(serving(), ElementsAre("small", "large", "beside"));
    // The racks of the large one are fed enough for six nodes in ten.
    fleet.pools[1].nodes_per_rack = 10;
    fleet.pools[1].node_idle_watts = 1000;
    fleet.pools[1].node_busy_watts = 2000;
    fleet.pools[1].rack_power_watts = 16'000;
    EXPECT_THAT(serving(), ElementsAre("small", "beside"));
}

}  // namespace
}  // namespace weir::cli
