#include "weir/plan/calibration.hpp"

#include <gtest/gtest.h>

#include "weir/catalog/catalog.hpp"
#include "weir/plan/machine.hpp"

namespace weir::plan {
namespace {

// As machine_of asks for it.
ChipCalibration of(const Calibrations& known, std::string_view chip) {
    return known.chip(chip, machine_of(*catalog::Catalog::built_in().find(chip))->datasheet());
}

TEST(Calibration, EveryConstantOfEveryChipIsWithinItsBounds) {
    for (const catalog::ChipRecord& chip : catalog::Catalog::built_in().chips()) {
        const auto machine = machine_of(chip);
        if (!machine) continue;
        for (const ChipConstant& constant : chip_constants()) {
            EXPECT_GE(machine->chip.*constant.member, constant.low)
                << chip.name << ' ' << constant.name;
            EXPECT_LE(machine->chip.*constant.member, constant.high)
                << chip.name << ' ' << constant.name;
        }
        EXPECT_FALSE(machine->chip.source.empty()) << chip.name;
    }
}

TEST(Calibration, AChipSaysWhatItsRunsToldAndHasTheRestOfItsFamily) {
    Calibrations known;
    known.any_chip.host_s = 1e-5;
    known.families = {{"kin", {"h100-sxm-80g", "h200"}, known.any_chip}};
    known.families[0].constants.kernel_s = 7e-6;
    known.families[0].constants.family_fitted = true;
    known.chips = {{{"h100-sxm-80g"}, "runs", {{&ChipCalibration::gemm_share, 0.5}}}};
    const ChipCalibration measured = of(known, "h100-sxm-80g");
    EXPECT_TRUE(measured.fitted);
    EXPECT_EQ(measured.gemm_share, 0.5);
    EXPECT_EQ(measured.kernel_s, 7e-6);
    EXPECT_EQ(measured.host_s, 1e-5);
    const ChipCalibration kin = of(known, "h200");
    EXPECT_FALSE(kin.fitted);
    EXPECT_TRUE(kin.family_fitted);
    EXPECT_EQ(kin.kernel_s, 7e-6);
    const ChipCalibration stranger = of(known, "mi300x");
    EXPECT_FALSE(stranger.fitted || stranger.family_fitted);
    EXPECT_EQ(stranger.kernel_s, known.any_chip.kernel_s);
}

TEST(Calibration, WhatNobodyFittedSaysSo) {
    const Calibrations& known = built_in_calibrations();
    EXPECT_TRUE(of(known, "h100-sxm-80g").fitted);
    EXPECT_FALSE(of(known, "mi300x").fitted);
    EXPECT_TRUE(of(known, "h20").family_fitted);
    EXPECT_FALSE(known.link("xgmi").fitted);
    // A link over which no experts were spread has the ratio of the others.
    for (const auto& [name, link] : known.links) {
        if (link.alltoall_fitted) continue;
        EXPECT_NEAR(link.alltoall_share / link.bandwidth_share,
                    known.any_link.alltoall_share / known.any_link.bandwidth_share,
                    1e-3)
            << name;
    }
}

TEST(Calibration, PowerLimitsTheClockOfLargeProducts) {
    const Laws laws;
    // Far below the limit nothing does; far above it, the share goes with the power of the chip.
    EXPECT_NEAR(power_factor(laws, {0.2e12, 0, 0}), 1, 0.01);
    EXPECT_NEAR(power_factor(laws, {8e12, 0, 0}) / power_factor(laws, {4e12, 0, 0}), 0.5, 0.01);
    // H20 has the power of H100 for a seventh of its peak.
    const Calibrations& known = built_in_calibrations();
    EXPECT_GT(of(known, "h20").gemm_share, of(known, "h100-sxm-80g").gemm_share);
    EXPECT_LT(of(known, "h100-sxm-96g-500w").gemm_share, of(known, "h100-sxm-80g").gemm_share);
}

TEST(Machine, EveryChipWithMatrixUnitsAndMemoryCanBePlannedFor) {
    std::size_t planned = 0;
    for (const catalog::ChipRecord& chip : catalog::Catalog::built_in().chips()) {
        const auto machine = machine_of(chip);
        if (!machine) {
            EXPECT_NE(machine.error().message.find(chip.name), std::string::npos);
            continue;
        }
        ++planned;
        EXPECT_GT(machine->memory_bytes_per_s, 0) << chip.name;
        EXPECT_GT(machine->inside.bytes_per_s, 0) << chip.name;
        EXPECT_GT(machine->between.bytes_per_s, 0) << chip.name;
    }
    EXPECT_GT(planned, 60U);
}

TEST(Machine, SharesAreOfThePeakThatTheVendorStates) {
    const auto machine = machine_of(*catalog::Catalog::built_in().find("h100-sxm-80g"));
    EXPECT_EQ(machine->peak(Precision::bf16), 989e12);
    EXPECT_EQ(machine->peak(Precision::fp8), 1979e12);
    EXPECT_EQ(machine->inside.bytes_per_s, 450e9);
}

}  // namespace
}  // namespace weir::plan
