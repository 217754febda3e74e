#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "weir/catalog/chip.hpp"
#include "weir/catalog/vendor.hpp"

namespace weir::catalog {
namespace {

using ::testing::HasSubstr;

TEST(Vendor, IsFoundByTheNameOfTheChip) {
    const auto variable = [](std::string_view chip) {
        const Family* family = family_of(chip);
        return family == nullptr ? std::string_view() : family->visible_devices;
    };
    EXPECT_EQ(variable("h200"), "CUDA_VISIBLE_DEVICES");
    EXPECT_EQ(variable("a100-sxm-80g"), "CUDA_VISIBLE_DEVICES");
    EXPECT_EQ(variable("mi300x"), "ROCR_VISIBLE_DEVICES");
    EXPECT_EQ(variable("ascend-910b3"), "ASCEND_RT_VISIBLE_DEVICES");
    EXPECT_EQ(variable("k100-ai"), "HIP_VISIBLE_DEVICES");
    EXPECT_EQ(variable("mlu370-x8"), "MLU_VISIBLE_DEVICES");
    EXPECT_EQ(variable("mtt-s4000"), "MUSA_VISIBLE_DEVICES");
    EXPECT_EQ(variable("cpu"), "");
    EXPECT_EQ(variable("milan"), "");
    EXPECT_EQ(variable(""), "");
}

TEST(Vendor, HasNoBeginningTwice) {
    for (const Family& one : families()) {
        EXPECT_EQ(family_of(one.begins), &one) << one.begins;
    }
}

TEST(Chip, PrefersTheBestFoundedAndThenTheNewestRate) {
    ChipRecord chip{.name = "h200", .vendor = "NVIDIA", .memory = gibibytes(141)};
    EXPECT_EQ(chip.rate("fp64", "gemm"), nullptr);
    chip.rates = {{.format = "fp64", .op = "gemm", .value = 67e12, .basis = Basis::vendor_peak},
                  {.format = "fp64",
                   .op = "gemm",
                   .value = 51e12,
                   .basis = Basis::measured,
                   .date = at_seconds(10)},
                  {.format = "fp64",
                   .op = "gemm",
                   .value = 52e12,
                   .basis = Basis::measured,
                   .date = at_seconds(20)},
                  {.format = "bf16", .op = "gemm", .value = 790e12, .basis = Basis::published}};
    EXPECT_EQ(chip.rate("fp64", "gemm")->value, 52e12);
    EXPECT_EQ(chip.rate("bf16", "gemm")->basis, Basis::published);
    EXPECT_EQ(chip.rate("fp64", "vector"), nullptr);
}

TEST(Chip, ReadsRatesBetweenSizesAndPromisesLessBelowTheSmallest) {
    Rate rate{.format = "fp64", .op = "gemm", .value = 36e12};
    EXPECT_EQ(rate_at(rate, 7), 36e12);
    rate.by_dim = {{1024, 4e12}, {4096, 60e12}, {16384, 140e12}};
    EXPECT_EQ(rate_at(rate, 4096), 60e12);
    EXPECT_DOUBLE_EQ(rate_at(rate, 8192), 100e12);  // half way between them, by their logarithms
    EXPECT_EQ(rate_at(rate, 1 << 20), 140e12);
    EXPECT_EQ(rate_at(rate, 256), 1e12);
}

TEST(Chip, RefusesRecordsThatAreNone) {
    const auto refusal = [](std::string_view json) {
        const auto chip = chip_from_json(json);
        return chip.has_value() ? "accepted" : chip.error().message;
    };
    EXPECT_THAT(refusal("{"), HasSubstr("no JSON object"));
    EXPECT_THAT(refusal(R"({"name":"a"})"), HasSubstr("vendor must be a text"));
    EXPECT_THAT(refusal(R"({"name":"a","vendor":"b","memory_bytes":-1,"rates":[]})"),
                HasSubstr("memory_bytes"));
    EXPECT_THAT(refusal(R"({"name":"a","vendor":"b","memory_bytes":0,"rates":[{"format":"fp64",)"
                        R"("op":"gemm","basis":"hearsay","value":1}]})"),
                HasSubstr("'hearsay' is not one of measured"));
    EXPECT_THAT(refusal(R"({"name":"a","vendor":"b","memory_bytes":0,"rates":[{"format":"fp64",)"
                        R"("op":"gemm","basis":"measured","value":-1}]})"),
                HasSubstr("a number from 0"));
}

RC_GTEST_PROP(Chip, EveryRecordReadsBackAsItWasWritten, ()) {
    ChipRecord chip;
    chip.name = *rc::gen::element<std::string>("h200", "堰-1", "a \"b\"");
    chip.vendor = *rc::gen::element<std::string>("", "NVIDIA");
    chip.memory = Bytes{*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 50)};
    if (*rc::gen::arbitrary<bool>()) chip.aliases = {"h200-sxm"};
    if (*rc::gen::arbitrary<bool>()) chip.stacks = {"cuda", "tops"};
    chip.domestic = *rc::gen::arbitrary<bool>();
    chip.year = *rc::gen::element(0U, 2024U);
    chip.tdp_watts = *rc::gen::element(0.0, 700.0);
    chip.devices = *rc::gen::inRange(1U, 3U);
    const auto count = *rc::gen::inRange(0, 5);
    for (int i = 0; i < count; ++i) {
        Rate rate;
        rate.format = *rc::gen::element<std::string>("fp64", "bf16", "");
        rate.op = *rc::gen::element<std::string>("gemm", "memory");
        rate.value = static_cast<double>(*rc::gen::inRange<std::int64_t>(0, 1 << 30)) * 1.1e6;
        rate.basis = static_cast<Basis>(*rc::gen::inRange(0, 5));
        if (*rc::gen::arbitrary<bool>()) rate.date = at_seconds(*rc::gen::inRange(0, 1 << 30));
        rate.way = static_cast<Way>(*rc::gen::inRange(0, 6));
        rate.grade = static_cast<Grade>(*rc::gen::inRange(0, 4));
        rate.method = *rc::gen::element<std::string>("", "oz2-int8-15");
        rate.memory_factor = *rc::gen::inRange(1, 4);
        if (*rc::gen::arbitrary<bool>()) rate.exact = *rc::gen::arbitrary<bool>();
        for (int size = *rc::gen::inRange(0, 3); size > 0; --size)
            rate.by_dim.emplace_back(1024U * (4U - static_cast<unsigned>(size)), size * 1e9);
        chip.rates.push_back(rate);
    }
    const auto again = chip_from_json(chip_to_json(chip));
    RC_ASSERT(again.has_value());
    RC_ASSERT(*again == chip);
}

}  // namespace
}  // namespace weir::catalog
