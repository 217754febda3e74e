#include "weir/cli/offers.hpp"

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

}  // namespace
}  // namespace weir::cli
