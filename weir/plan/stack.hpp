// What a software stack does with the same layer: how it fuses kernels and what it keeps.
//
// These are facts about frameworks, read from their sources, not fitted numbers: how many kernels a
// layer starts, whether dropout is on in the recipes that were published, and so on.
//
// Threads: constant data.
#pragma once

#include "weir/plan/strategy.hpp"

namespace weir::plan {

struct Stack {
    bool fused_elementwise = true;  // bias, activation, dropout and residual in one kernel
    double host_share = 1;     // of the host's time for a kernel: 0 where a compiler issues all
    double extra_kernels = 0;  // of one layer and pass, beside those that compute
    bool dropout = false;      // masks are kept
    bool gather_each_micro_batch = true;  // ZeRO-3 gathers weights for every micro-batch
};
const Stack& stack_of(Framework framework);

}  // namespace weir::plan
