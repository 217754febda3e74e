// What one layer costs for one micro-batch on one chip: time by kind of work, and kept activations.
//
// This is the part of a prediction that depends on few dimensions of a strategy (tp, cp, ep, micro-
// batch, precision, how attention is computed), so a search computes it once for many strategies.
// layer_cost() sums over the kernels that a layer has; backward work follows from forward work by
// the derivatives of each kernel.
//
// Threads: pure functions.
#pragma once

#include "weir/catalog/model.hpp"
#include "weir/plan/machine.hpp"
#include "weir/plan/strategy.hpp"

namespace weir::plan {

// Seconds of one pass over one layer.
struct PassCost {
    double products_s = 0;
    double attention_s = 0;
    double memory_s = 0;
    double kernels = 0;        // how many are started
    double tensor_s = 0;       // communication of tensor parallelism, before overlap
    double tensor_base_s = 0;  // products beside which it may hide
    double context_s = 0;
    double experts_s = 0;

    [[nodiscard]] double work_s() const { return products_s + attention_s + memory_s; }
    PassCost& operator+=(const PassCost& other);
};

// Bytes kept for the backward pass, of one micro-batch.
struct KeptBytes {
    double all = 0;         // without recomputation
    double input = 0;       // of full recomputation: what enters the layer
    double attention = 0;   // part of `all`: inside of attention
    double norms = 0;       // outputs of norms
    double activation = 0;  // output of the activation function
    double mlp = 0;         // feed-forward, of experts as well
    double transient = 0;   // gradients of the widest part, while the layer goes backward
    double latent_up = 0;   // keys and values made from the latent vector
    double gathered = 0;    // what products read, beyond the part that is the chip's own
};

struct LayerCost {
    PassCost forward{};
    PassCost backward{};
    KeptBytes kept{};
    double parameters = 0;         // of one chip, without experts
    double expert_parameters = 0;  // of one chip
};

// A layer with a plain feed-forward, or one with experts.
LayerCost layer_cost(const TrainingJob& job,
                     const Machine& machine,
                     const Strategy& strategy,
                     bool with_experts);

// Embedding at the front, and norm, unembedding and loss at the end of the model.
struct EndCost {
    PassCost embedding_forward{};
    PassCost embedding_backward{};
    PassCost head_forward{};
    PassCost head_backward{};
    double embedding_parameters = 0;  // of one chip
    double head_parameters = 0;       // 0 when tied and on the same chip
    double logits_bytes = 0;          // kept by the loss and for it
};
EndCost end_cost(const TrainingJob& job, const Machine& machine, const Strategy& strategy);

}  // namespace weir::plan
