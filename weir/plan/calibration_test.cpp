#include "weir/plan/calibration.hpp"

#include <gtest/gtest.h>

#include "weir/catalog/catalog.hpp"
#include "weir/plan/machine.hpp"

namespace weir::plan {
namespace {

TEST(Calibration, EveryConstantOfTheFileIsWithinItsBounds) {
    for (const catalog::ChipRecord& chip : catalog::Catalog::built_in().chips()) {
        const ChipCalibration& known = chip_calibration(chip.name);
        for (const ChipConstant& constant : chip_constants()) {
            EXPECT_GE(known.*constant.member, constant.low) << chip.name << ' ' << constant.name;
            EXPECT_LE(known.*constant.member, constant.high) << chip.name << ' ' << constant.name;
        }
        EXPECT_FALSE(known.source.empty()) << chip.name;
    }
}

TEST(Calibration, WhatNobodyFittedHasTheUsualConstantsAndSaysSo) {
    EXPECT_TRUE(chip_calibration("h100-sxm-80g").fitted);
    EXPECT_FALSE(chip_calibration("mi300x").fitted);
    EXPECT_EQ(chip_calibration("mi300x").gemm_share, chip_calibration("any").gemm_share);
    EXPECT_FALSE(link_calibration("xgmi").fitted);
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
