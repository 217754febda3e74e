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

}  // namespace
}  // namespace weir::cli
