#include "weir/plan/stack.hpp"

#include <array>

namespace weir::plan {

const Stack& stack_of(Framework framework) {
    static const std::array<Stack, 6> stacks{{
        // Megatron-Core with Transformer Engine: fused bias, activation, dropout and residual.
        {.fused_elementwise = true, .host_share = 1, .extra_kernels = 4, .dropout = false},
        // Megatron-DeepSpeed: fused bias and activation, scores with dropout.
        {.fused_elementwise = true, .host_share = 1, .extra_kernels = 6, .dropout = true},
        // MindSpeed: fused norm, rotary positions and activation.
        {.fused_elementwise = true, .host_share = 1, .extra_kernels = 4, .dropout = false},
        // torchtitan: eager or torch.compile for each block.
        {.fused_elementwise = true, .host_share = 1, .extra_kernels = 6, .dropout = false},
        // Composer with MPT: eager PyTorch around flash attention.
        {.fused_elementwise = false, .host_share = 1, .extra_kernels = 10, .dropout = false},
        // XLA compiles the whole step.
        {.fused_elementwise = true, .host_share = 0, .extra_kernels = 0, .dropout = false},
    }};
    return stacks[static_cast<std::size_t>(framework)];
}

}  // namespace weir::plan
