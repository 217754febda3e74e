#include "weir/plan/kernel_time.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "weir/catalog/catalog.hpp"

namespace weir::plan {
namespace {

const Machine& h100() {
    static const Machine machine = *machine_of(*catalog::Catalog::built_in().find("h100-sxm-80g"));
    return machine;
}

RC_GTEST_PROP(KernelTime, MoreWorkNeverTakesLess, ()) {
    const double m = *rc::gen::inRange(1, 20000);
    const double n = *rc::gen::inRange(1, 20000);
    const double k = *rc::gen::inRange(1, 20000);
    const Product small{m, n, k, 1};
    const double more = *rc::gen::inRange(1, 5000);
    RC_ASSERT(product_s(h100(), {m + more, n, k, 1}, Precision::bf16) >=
              product_s(h100(), small, Precision::bf16));
    RC_ASSERT(product_s(h100(), {m, n, k + more, 1}, Precision::bf16) >=
              product_s(h100(), small, Precision::bf16));
    RC_ASSERT(product_s(h100(), {m, n, k, 2}, Precision::bf16) >
              product_s(h100(), small, Precision::bf16));
}

TEST(KernelTime, NoProductBeatsThePeak) {
    for (const double size : {64.0, 512.0, 4096.0, 16384.0}) {
        const Product product{size, size, size, 1};
        const double rate = product.flops() / product_s(h100(), product, Precision::bf16);
        EXPECT_LT(rate, h100().peak(Precision::bf16));
    }
}

TEST(KernelTime, LargeProductsReachTheShareOfTheCalibration) {
    const Product product{65536, 65536, 65536, 1};
    const double rate = product.flops() / product_s(h100(), product, Precision::bf16);
    EXPECT_NEAR(rate / (h100().peak(Precision::bf16) * h100().chip.gemm_share), 1, 0.01);
}

TEST(KernelTime, CrookedSizesPayForWholeTiles) {
    const double straight = product_s(h100(), {4096, 4096, 4096, 1}, Precision::bf16);
    const double crooked = product_s(h100(), {4096, 4097, 4096, 1}, Precision::bf16);
    const double next = product_s(h100(), {4096, 4224, 4096, 1}, Precision::bf16);
    EXPECT_GT(crooked, straight);
    EXPECT_DOUBLE_EQ(crooked, next);
}

TEST(KernelTime, RowsThatAreNoWholePiecesOfSixteenBytesAreSlow) {
    EXPECT_EQ(alignment_share(50304), 1);  // GPT-2's vocabulary, padded
    EXPECT_LT(alignment_share(50258), 1);
    EXPECT_LT(alignment_share(50257), alignment_share(50258));
}

TEST(KernelTime, AttentionThatIsBehindItsChipIsSlower) {
    AttentionShape shape{1, 8192, 4096, 32, 128, 128};
    const double latest = attention_forward_s(h100(), shape);
    shape.age = 0.5;
    const double tuned = attention_forward_s(h100(), shape);
    shape.age = 1;
    const double older = attention_forward_s(h100(), shape);
    EXPECT_LT(latest, tuned);
    EXPECT_LT(tuned, older);
    EXPECT_NEAR(latest / older, h100().chip.attention_older, 1e-9);
}

TEST(KernelTime, ThinProductsAreBoundByMemory) {
    // One row against a matrix: it has to be read once, whatever the arithmetic costs.
    const Product product{1, 8192, 8192, 1};
    EXPECT_NEAR(product_s(h100(), product, Precision::bf16),
                memory_s(h100(), 2 * (8192.0 * 8192 + 8192 + 8192)),
                1e-9);
}

TEST(KernelTime, AttentionGoesWithTheSquareOfLongSequences) {
    AttentionShape shape{1, 16384, 8192, 32, 128, 128};
    const double one = attention_forward_s(h100(), shape);
    shape.queries *= 2;
    shape.reach *= 2;
    EXPECT_NEAR(attention_forward_s(h100(), shape) / one, 4, 0.15);
    EXPECT_GT(attention_backward_s(h100(), shape), attention_forward_s(h100(), shape));
}

}  // namespace
}  // namespace weir::plan
