#include "weir/plan/usual.hpp"

#include <gtest/gtest.h>

#include <set>

#include "weir/catalog/catalog.hpp"
#include "weir/plan/calibration.hpp"
#include "weir/plan/machine.hpp"

namespace weir::plan {
namespace {

TEST(Usual, EveryFigureHasItsSource) {
    std::set<std::string> names;
    for (const UsualFigure& figure : usual_figures()) {
        EXPECT_TRUE(names.insert(figure.name).second) << figure.name;
        EXPECT_FALSE(figure.source.empty()) << figure.name;
        EXPECT_EQ(usual_software().*figure.member, figure.value) << figure.name;
        if (figure.name != "reserve_bytes") {
            EXPECT_LE(figure.value, 1) << figure.name;
        }
        EXPECT_GT(figure.value, 0) << figure.name;
    }
}

TEST(Usual, TheLongestBeginningOfANameCounts) {
    EXPECT_EQ(usual_system("h100-sxm-80g").inside, "nvlink4");
    EXPECT_EQ(usual_system("h100-pcie-80g").inside, "pcie");
    EXPECT_EQ(usual_system("gb200").chips_per_node, 72);
    EXPECT_EQ(usual_system("a chip that nobody has").inside, "any");
    EXPECT_FALSE(usual_system("h100-sxm-80g").assumed);
    EXPECT_TRUE(usual_system("h100-pcie-80g").assumed);
}

TEST(Usual, SlotsCarryWhatTheirGenerationDoesAndChipsShareThem) {
    const auto inside = [](std::string_view chip) {
        return machine_of(*catalog::Catalog::built_in().find(chip))->inside;
    };
    EXPECT_EQ(inside("v100-pcie-32g").bytes_per_s, 16e9);
    EXPECT_EQ(inside("a100-pcie-80g").bytes_per_s, 32e9);
    EXPECT_EQ(inside("h100-pcie-80g").bytes_per_s, 64e9);
    // The bridge of two chips is no link of eight.
    EXPECT_EQ(inside("h100-nvl-94g").bytes_per_s, 64e9);
    EXPECT_EQ(inside("h100-sxm-80g").bytes_per_s, 450e9);
    // Eight on two processors reach 28 GB/s each of the 64 of their slots.
    EXPECT_NEAR(inside("rtx-5080").reached_bytes_per_s(), 28e9, 0.5e9);
}

}  // namespace
}  // namespace weir::plan
