// How long one kernel takes on one chip: products of matrices, attention, moving data.
//
// The roofline with the corrections that measured runs demand: a product is bound by arithmetic or
// by memory, its efficiency falls for small and for crooked shapes (tiles and waves are whole), and
// every kernel has a price for being started. All functions are pure arithmetic, some tens of
// nanoseconds each; times are seconds, sizes elements.
//
// Threads: pure functions.
#pragma once

#include <cstdint>

#include "weir/plan/machine.hpp"

namespace weir::plan {

// C[m x n] = A[m x k] B[k x n], `count` of them at once (experts, heads).
struct Product {
    double m = 0;
    double n = 0;
    double k = 0;
    double count = 1;
    [[nodiscard]] double flops() const { return 2 * m * n * k * count; }
};

// Without what it costs to start it. `bytes_in`, `bytes_out`: of one element.
double product_s(const Machine& machine,
                 const Product& product,
                 Precision precision,
                 double bytes_in = 2,
                 double bytes_out = 2);

// What a product reaches of its speed where the rows of one of its matrices in memory are so many
// 16-bit numbers: whole pieces of 16 bytes are loaded at once, others number by number.
double alignment_share(std::uint64_t row);

// Flash attention of `tokens` queries, each over `reach` keys on average, for `heads` heads.
struct AttentionShape {
    double sequences = 0;
    double queries = 0;  // tokens of a sequence on this chip
    double reach = 0;    // keys that a query looks at on average; half the sequence if causal
    double heads = 0;    // on this chip
    double qk_dim = 0;   // of one head
    double v_dim = 0;
    bool single_precision = false;  // FP32 instead of sixteen bits
    double age = 0;                 // generations of chips that its kernels are behind
    [[nodiscard]] double flops() const {
        return 2 * sequences * queries * reach * heads * (qk_dim + v_dim);
    }
};
double attention_forward_s(const Machine& machine, const AttentionShape& shape);
double attention_backward_s(const Machine& machine, const AttentionShape& shape);

// Kernels that read and write `bytes` in all.
double memory_s(const Machine& machine, double bytes);

}  // namespace weir::plan
