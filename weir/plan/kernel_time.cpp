#include "weir/plan/kernel_time.hpp"

#include <algorithm>
#include <cmath>

namespace weir::plan {
namespace {

// Matrix units work on whole tiles: a result is padded to these rows and columns, an inner size to
// this depth (the instruction shapes of NVIDIA's and Huawei's matrix units; a tile of 128 x 128 is
// the smallest that keeps them busy).
constexpr double tile = 128;
constexpr double tile_depth = 64;

double padded(double size, double unit) {
    // Small sizes use small tiles: they are padded to a power of two, from 16 on.
    if (size >= unit) return std::ceil(size / unit) * unit;
    double small = 16;
    while (small < size)
        small *= 2;
    return small;
}

double share_of(const ChipCalibration& chip, Precision precision) {
    const bool eight_bits = precision == Precision::fp8 || precision == Precision::mxfp8;
    return eight_bits ? chip.gemm_fp8_share : chip.gemm_share;
}

}  // namespace

double product_s(const Machine& machine,
                 const Product& product,
                 Precision precision,
                 double bytes_in,
                 double bytes_out) {
    if (product.m <= 0 || product.n <= 0 || product.k <= 0 || product.count <= 0) return 0;
    const ChipCalibration& chip = machine.chip;
    const double m = padded(product.m, tile);
    const double n = padded(product.n, tile);
    const double k = std::ceil(product.k / tile_depth) * tile_depth;
    const double results = m * n * product.count;
    // A tile writes its results before the next one computes: what is written, and read again where
    // gradients are summed up in place, costs time beside the arithmetic.
    const double compute_s = (results + chip.gemm_area) *
                             (2 * k / (machine.peak(precision) * share_of(chip, precision)) +
                              bytes_out / (machine.memory_bytes_per_s * chip.gemm_store_share));
    const double bytes = product.count * ((product.m + product.n) * product.k * bytes_in +
                                          product.m * product.n * bytes_out);
    return std::max(compute_s, memory_s(machine, bytes));
}

double alignment_share(std::uint64_t row) {
    // Logits of 25,128, 12,564, 6,282 and 50,257 columns on A100: 226, 139, 146 and 80 TFLOP/s
    // (VIA-Research/vTrain, the grid of one node).
    if (row % 8 == 0) return 1;
    return row % 2 == 0 ? 0.63 : 0.36;
}

namespace {
double attention_s(const Machine& machine,
                   const AttentionShape& shape,
                   double flops,
                   double share) {
    const double lost = 1 + machine.chip.attention_length / std::max(shape.reach, 1.0);
    // A head narrower than 128 leaves part of the matrix units idle.
    const double narrow = shape.qk_dim < 128 ? 0.5 + 0.5 * shape.qk_dim / 128 : 1.0;
    const double peak =
        shape.single_precision ? machine.peak(Precision::fp32) : machine.sixteen_bit_flops;
    // Flash attention 2 was written for chips without FP8 units: on those it is no older.
    const bool older_than_chip = shape.age > 0 && machine.peak(Precision::fp8) > 0;
    const double older = older_than_chip ? std::pow(machine.chip.attention_older, shape.age) : 1.0;
    return flops * lost / (peak * share * narrow * older);
}
}  // namespace

double attention_forward_s(const Machine& machine, const AttentionShape& shape) {
    return attention_s(machine, shape, shape.flops(), machine.chip.attention_share);
}

double attention_backward_s(const Machine& machine, const AttentionShape& shape) {
    // Five products instead of two: scores again, and gradients of values, scores, queries, keys
    // (Dao 2023, section 3.2).
    return attention_s(machine, shape, 2.5 * shape.flops(), machine.chip.attention_back_share);
}

double memory_s(const Machine& machine, double bytes) {
    return bytes / (machine.memory_bytes_per_s * machine.chip.memory_share);
}

}  // namespace weir::plan
