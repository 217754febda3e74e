#include "weir/plan/stack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace weir::plan {

const Stack& stack_of(Framework framework) {
    static const std::array<Stack, 6> stacks{{
        // Megatron-Core with Transformer Engine: fused bias, activation, dropout, residual, loss.
        // Weights of experts are multiplied in behind their activation function since 0.13 (its
        // README, "memory efficient token permutation").
        // Conditions of its soft maximum: fused_kernels/scaled_upper_triang_masked_softmax and
        // FusedScaleMaskSoftmax of Megatron-LM 2, which Megatron-DeepSpeed has as well.
        {.softmax_by_fours = true,
         .extra_kernels = 4,
         .loss_forward_bytes = 22,
         .loss_backward_bytes = 14,
         .keeps_expert_outputs = false,
         .deepep = true},
        // Megatron-DeepSpeed: the loss of Megatron-LM 2 in single kernels: widened, maximum,
        // difference, exponents, sum, quotient, and the same way back. Small layers wait for its
        // host: 3 ms for the some sixty kernels of one, both ways, and hardly anything in between
        // steps (VIA-Research/vTrain, the grid of one node).
        {.attention_age = 1,
         .softmax_by_fours = true,
         .extra_kernels = 6,
         .host_share = 2.5,
         .step_share = 0.05,
         .loss_forward_bytes = 38,
         .loss_backward_bytes = 14},
        // MindSpeed: fused norm, rotary positions and activation; the loss of Megatron-LM.
        {.extra_kernels = 4,
         .loss_forward_bytes = 40,
         .loss_backward_bytes = 24,
         .folds_dualpipe = true},
        // torchtitan: torch.compile for each block and the loss, which keeps scores and their
        // gradient in BF16; attention of PyTorch (FlashAttention-2, which came after Hopper and
        // does
        // without its asynchronous products). Products of DTensors gather what they read; FSDP2
        // does
        // not give away what its root has.
        {.attention_age = 0.5,
         .extra_kernels = 6,
         .loss_forward_bytes = 18,
         .loss_backward_bytes = 14,
         .loss_kept_bytes = 4,
         .keeps_gathered = true,
         .root_stays_gathered = true,
         .folds_dualpipe = true},
        // Composer with MPT: eager PyTorch around flash attention 1 and 2.
        {.fused_elementwise = false,
         .attention_age = 1,
         .extra_kernels = 10,
         .pads_vocabulary = false,
         .loss_forward_bytes = 18,
         .loss_backward_bytes = 14,
         .loss_kept_bytes = 8},
        // XLA compiles the whole step; cuDNN's attention.
        {.compiled = true, .loss_forward_bytes = 14, .loss_backward_bytes = 10},
    }};
    return stacks[static_cast<std::size_t>(framework)];
}

namespace {

// Buffer.get_dispatch_config() of DeepEP (deepseek-ai/DeepEP, deep_ep/buffer.py) knows these sizes
// of a group; the same are taken for HybridEP, which is of its repository.
constexpr std::array<std::uint32_t, 10> group_sizes{2, 4, 8, 16, 24, 32, 64, 128, 144, 160};

}  // namespace

bool deepep_fits(const Strategy& s) {
    const std::uint64_t group = std::uint64_t{s.ep} * (s.etp == 0 ? s.tp : s.etp);
    return s.ep > 1 && stack_of(s.framework).deepep &&
           std::find(group_sizes.begin(), group_sizes.end(), group) != group_sizes.end();
}

std::string deepep_sizes() {
    return fmt::format("{} or {}",
                       fmt::join(group_sizes.begin(), group_sizes.end() - 1, ", "),
                       group_sizes.back());
}

}  // namespace weir::plan
