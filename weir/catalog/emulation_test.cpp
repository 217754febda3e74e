// The rule for FP64 on INT8 units, held to every public measurement of which the delivered INT8
// rate is known too.
#include "weir/catalog/emulation.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "weir/catalog/catalog.hpp"

namespace weir::catalog {
namespace {

struct Row {
    std::string chip;
    double int8;  // TOP/s, delivered
    double fp64;  // TFLOP/s, 15 moduli, accurate mode
};

// GEMMul8_numerical_results, files of 2025-11 to 2026-06 (GH200 gave 1,216 and 1,590 in two of
// them); hipBLASLt's model for the MI355X; one core of a Zen 4 with oneDNN, n = 2,048.
const Row table[] = {{"B200", 3240, 138},
                     {"GH200, least", 1216, 82},
                     {"GH200, most", 1590, 82},
                     {"A100", 431, 21.6},
                     {"MI300X", 1176, 45.4},
                     {"RTX 5080", 450, 17.5},
                     {"MI355X", 3301, 134},
                     {"Zen 4", 0.420, 0.0163}};

TEST(Emulation, IsPredictedWithinFortyPercentForEveryMeasurement) {
    for (const Row& row : table) {
        const double off = emulated_fp64(row.int8) / row.fp64 - 1;
        EXPECT_LE(std::abs(off), 0.40) << row.chip << " off by " << 100 * off << " %";
    }
}

TEST(Emulation, IsPredictedWithinFortyPercentForTheChipsOfTheCatalogue) {
    std::size_t compared = 0;
    for (const ChipRecord& chip : Catalog::built_in().chips()) {
        const Rate* published = nullptr;
        for (const Rate& rate : chip.rates) {
            if (rate.method == "oz2-int8-15") published = &rate;
        }
        const auto derived = derived_emulation(chip);
        if (published == nullptr || !derived || derived->basis != Basis::derived) continue;
        const double off = rate_at(*derived, 16384) / rate_at(*published, 16384) - 1;
        EXPECT_LE(std::abs(off), 0.40) << chip.name << " off by " << 100 * off << " %";
        ++compared;
    }
    EXPECT_EQ(compared, 6U);  // B200, GH200, RTX 5080, MI300X, A100 with 40 and 80 GB
}

TEST(Emulation, LosesOnSmallMatricesAsMuchAsMeasured) {
    const ChipRecord& b200 = *Catalog::built_in().find("b200");
    const Rate* measured = nullptr;
    for (const Rate& rate : b200.rates) {
        if (rate.method == "oz2-int8-15") measured = &rate;
    }
    ASSERT_NE(measured, nullptr);
    ASSERT_EQ(measured->by_dim.size(), 5U);
    const Rate derived = derived_emulation(b200).value();
    for (const auto& [dim, rate] : measured->by_dim) {
        const double off = rate_at(derived, dim) / rate - 1;
        EXPECT_LE(std::abs(off), 0.20) << "n = " << dim << " off by " << 100 * off << " %";
    }
    // Products of 1,024 are eight times slower than native ones: 3.4 against 27.9 TFLOP/s.
    EXPECT_NEAR(rate_at(derived, 1024) / 27.9e12, 1.0 / 8, 0.02);
    // And it never gets slower with the size, nor faster than the rule for large ones.
    for (std::uint64_t dim = 1; dim < 100'000; dim += dim / 3 + 1) {
        EXPECT_LE(rate_at(derived, dim), rate_at(derived, dim + dim / 3 + 1));
        EXPECT_LE(rate_at(derived, dim), emulated_fp64(3240e12));
    }
}

TEST(Emulation, IsWorthItOnlyWhereInt8IsTwentyFiveTimesFp64) {
    EXPECT_NEAR(emulated_fp64(25), 1, 0.02);
    // As measured: 3.8 times on a B200, 21 on an RTX 5080, a loss on an MI300X.
    EXPECT_GT(emulated_fp64(3240) / 36.1, 3);
    EXPECT_GT(emulated_fp64(450) / 0.845, 20);
    EXPECT_LT(emulated_fp64(1176) / 65.8, 1);
}

TEST(Emulation, NeedsMoreModuliForAWiderSpreadOfExponents) {
    EXPECT_EQ(moduli_for(0), 15U);
    EXPECT_EQ(moduli_for(20), 15U);
    EXPECT_EQ(moduli_for(21), 16U);
    EXPECT_EQ(moduli_for(38), 20U);
    EXPECT_EQ(moduli_for(39), std::nullopt);
    EXPECT_LT(emulated_fp64(400, 20), emulated_fp64(400, 15));
}

TEST(Emulation, IsNotDerivedFromUnitsThatAreAbsentUnknownOrInexact) {
    ChipRecord chip{.name = "npu"};
    EXPECT_FALSE(derived_emulation(chip));
    chip.rates = {{.format = "int8", .op = "gemm", .value = 0, .basis = Basis::published}};
    EXPECT_FALSE(derived_emulation(chip));
    chip.rates[0].value = 400e12;
    const auto rate = derived_emulation(chip);
    ASSERT_TRUE(rate);
    EXPECT_NEAR(rate->value, 16.25e12, 0.01e12);
    EXPECT_EQ(rate->basis, Basis::derived);
    EXPECT_EQ(rate->grade, Grade::bounded);
    EXPECT_EQ(rate->memory_factor, 3);
    EXPECT_EQ(rate->range_bits, 20U);
    EXPECT_EQ(derived_emulation(chip, 20)->range_bits, 38U);
    EXPECT_NEAR(rate_at(*rate, 4096), rate->value / 2, 0.5e12);
    chip.rates[0].exact = false;
    EXPECT_FALSE(derived_emulation(chip));
    // A later rate that says nothing about it does not take back what was found.
    chip.rates.push_back({.format = "int8", .op = "gemm", .value = 1, .basis = Basis::measured});
    EXPECT_FALSE(derived_emulation(chip));
    chip.rates.pop_back();
    chip.rates[0] = {.format = "int8", .op = "gemm", .value = 1, .basis = Basis::vendor_peak};
    EXPECT_EQ(derived_emulation(chip)->basis, Basis::vendor_peak);
}

}  // namespace
}  // namespace weir::catalog
