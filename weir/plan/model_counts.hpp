// What follows from the shape of a model alone: parameters and operations, from first principles.
//
// Each count is the sum over the matrices that the model has, so that it can be read against a
// published figure (model_counts_test.cpp does so, with the figures' sources). Operations count a
// multiply and an add as two; a backward pass costs twice the forward one. "Model FLOPs" never
// contain recomputation.
//
// Threads: pure functions.
#pragma once

#include <cstdint>

#include "weir/catalog/model.hpp"

namespace weir::plan {

struct ParameterCount {
    double attention_per_layer = 0;
    double mlp_per_layer = 0;      // of a layer with a plain feed-forward
    double experts_per_layer = 0;  // of a layer with experts: all routed ones
    double shared_per_layer = 0;   // of a layer with experts: shared experts and router
    double norms_per_layer = 0;
    double embedding = 0;  // input table and learned positions
    double output = 0;     // 0 when tied
    double mtp = 0;        // modules that predict further tokens, without shared tables
    double total = 0;      // without mtp
    double active = 0;     // that one token uses
};
ParameterCount count_parameters(const catalog::Model& model);

// Layers that have experts.
std::uint32_t moe_layers(const catalog::Model& model);

// Keys that a query sees on average in a causal sequence, over layers with and without a window.
double mean_reach(const catalog::Model& model, std::uint32_t sequence);

// Of one sequence, forward pass. `causal` counts only the scores a causal mask leaves; the usual
// convention of published MFU counts the full square.
struct ForwardFlops {
    double products = 0;   // projections and feed-forward, of the experts that are used
    double attention = 0;  // scores and their product with values
    double output = 0;     // unembedding
    [[nodiscard]] double total() const { return products + attention + output; }
};
ForwardFlops forward_flops(const catalog::Model& model, std::uint32_t sequence, bool causal);

}  // namespace weir::plan
