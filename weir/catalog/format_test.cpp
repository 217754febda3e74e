#include "weir/catalog/format.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weir::catalog {
namespace {

Format any_format() {
    return *rc::gen::elementOf(all_formats());
}

RC_GTEST_PROP(Formats, HoldThemselves, ()) {
    const Format a = any_format();
    RC_ASSERT(holds(a, a));
}

RC_GTEST_PROP(Formats, HoldEachOtherOnlyIfTheyAreTheSame, ()) {
    const Format a = any_format();
    const Format b = any_format();
    RC_ASSERT(!(holds(a, b) && holds(b, a)) || a == b);
}

RC_GTEST_PROP(Formats, HoldWhatTheirOwnHold, ()) {
    const Format a = any_format();
    const Format b = any_format();
    const Format c = any_format();
    RC_ASSERT(!(holds(a, b) && holds(b, c)) || holds(a, c));
}

TEST(Formats, AreNoLadder) {
    EXPECT_FALSE(holds(Format::bf16, Format::fp16));
    EXPECT_FALSE(holds(Format::fp16, Format::bf16));
    EXPECT_FALSE(holds(Format::fp8e4m3, Format::fp8e5m2));
    EXPECT_FALSE(holds(Format::fp8e5m2, Format::fp8e4m3));
    EXPECT_FALSE(holds(Format::tf32, Format::fp32));
    EXPECT_TRUE(holds(Format::tf32, Format::bf16));
    EXPECT_TRUE(holds(Format::tf32, Format::fp16));
    EXPECT_TRUE(holds(Format::fp64, Format::fp4));
    EXPECT_TRUE(holds(Format::fp8e4m3, Format::fp8));
    EXPECT_FALSE(holds(Format::fp8, Format::fp8e4m3));
    // Floating point has no exact sums of integers, whatever its digits.
    EXPECT_FALSE(holds(Format::fp64, Format::int8));
    EXPECT_TRUE(holds(Format::int8, Format::int4));
}

TEST(Formats, AreFoundByTheirNames) {
    for (const Format format : all_formats())
        EXPECT_EQ(format_from_name(name_of(format)), format);
    EXPECT_EQ(format_from_name("float64"), std::nullopt);
}

}  // namespace
}  // namespace weir::catalog
