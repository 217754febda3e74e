// What a software stack does with the same layer: how it fuses kernels and what it keeps.
//
// These are facts about frameworks, read from their sources, not fitted numbers: how many kernels a
// layer starts, whether dropout is on in the recipes that were published, and so on.
//
// Threads: constant data.
#pragma once

#include <string>

#include "weir/plan/strategy.hpp"

namespace weir::plan {

struct Stack {
    bool fused_elementwise = true;  // bias, activation, dropout and residual in one kernel
    bool compiled = false;          // a compiler issues the whole step: the host costs nothing
    // Generations of chips that its attention is behind: 0 is written for the chip at hand, 1 for
    // the one before it; 0.5 has its tiles tuned to it, without its new instructions.
    double attention_age = 0;
    // Without flash attention, the fused soft maximum needs a multiple of four heads on a chip,
    // over all sequences of a micro-batch.
    bool softmax_by_fours = false;
    double extra_kernels = 0;  // of a layer and pass, beside those that compute: copies, casts
    double host_share = 1;     // of what the host takes to issue a kernel: Python around each
    double step_share = 1;     // of what a step takes beside its layers: data, callbacks, logging
    bool pads_vocabulary = true;     // to a multiple of 128 on each chip
    double loss_forward_bytes = 14;  // that the loss reads and writes for each score, from BF16 on
    double loss_backward_bytes = 10;
    double loss_kept_bytes = 6;  // that it holds for each score at its peak
    // The same kernel by kernel, with scores on one chip and split over tp. PyTorch: the logarithm
    // of the soft maximum and two gradients, in FP32; split, their sum and exponents as well.
    double eager_loss_kept_bytes = 12;
    double eager_split_loss_kept_bytes = 16;
    // With sequence parallelism the products keep what they read as all chips gathered it; Megatron
    // keeps its own part and gathers once more in the backward pass.
    bool keeps_gathered = false;
    bool root_stays_gathered = false;  // ZeRO-3 has the tables of embeddings whole all the time
    // The weight of an expert is multiplied into what it gives, which is kept for its gradient; or
    // into what it computes inside, which is kept anyway.
    bool keeps_expert_outputs = true;
    bool folds_dualpipe = false;  // its DualPipe is a V: no chip has weights of two stages
    bool deepep = false;          // can send tokens to experts by DeepEP, on chips that it runs on
};
const Stack& stack_of(Framework framework);

// Whether DeepEP may send the tokens of this strategy, on chips that it runs on: the framework can
// use it, and the chips that tokens go between are as many as it is set up for.
bool deepep_fits(const Strategy& strategy);
// "2, 4, 8 or ...": so many chips.
std::string deepep_sizes();

}  // namespace weir::plan
