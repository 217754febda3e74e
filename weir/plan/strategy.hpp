// How a training job is spread over chips: what a launcher is told.
//
// The degrees multiply to the chips: chips = tp x cp x dp x pp. Experts are spread over ep of the
// cp x dp (x tp, where etp < tp) chips that hold the same layers; they take no chips of their own.
// The number of micro-batches is global_batch / (micro_batch x dp).
//
// Words are those of Megatron-LM, whose options most frameworks borrow.
//
// Threads: values.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/catalog/model.hpp"

namespace weir::plan {

// Numbers in which the large matrix products are computed. FP8 parts keep weights, norms and
// attention in BF16.
enum class Precision : std::uint8_t { fp32, fp16, bf16, fp8, mxfp8 };

// What is thrown away in the forward pass and computed again in the backward pass.
enum class Recompute : std::uint8_t {
    none,
    selective,  // the parts named by RecomputeParts
    full,       // whole layers; only their inputs are kept
};
struct RecomputeParts {
    bool attention = false;            // the inside of attention (scores, softmax)
    bool norms = false;                // layer norms
    bool activation = false;           // of the feed-forward, also of experts
    bool mlp = false;                  // the whole feed-forward, of experts as well
    bool latent_up = false;            // up-projections of latent attention
    bool every_other_product = false;  // half of the other products (torchtitan, selective "op")
    friend bool operator==(const RecomputeParts&, const RecomputeParts&) = default;
};

// Which framework runs it: how its kernels are fused, what it overlaps and keeps. See stack.hpp.
enum class Framework : std::uint8_t {
    megatron_lm,
    deepspeed,
    mindspeed,
    torchtitan,
    composer,
    jax
};

enum class Schedule : std::uint8_t {
    one_f_one_b,  // interleaved when vpp > 1
    zero_bubble,  // ZB-H1: weight gradients fill the bubble (Qi et al. 2023)
    dualpipe,     // DeepSeek-V3, section 3.2.1
};

// What runs beside the computation instead of after it.
struct Overlap {
    bool grad_reduce = false;   // gradients of data parallelism
    bool param_gather = false;  // weights of sharded optimisers, of ZeRO-3 always
    bool tensor = false;        // all-gather and reduce-scatter inside tensor parallel products
    bool pipeline = false;      // sends between stages
    bool experts = false;       // all-to-all of experts
    friend bool operator==(const Overlap&, const Overlap&) = default;
};

struct Strategy {
    std::uint32_t tp = 1;
    std::uint32_t pp = 1;
    std::uint32_t dp = 1;
    std::uint32_t cp = 1;
    std::uint32_t ep = 1;
    std::uint32_t etp = 0;          // tensor parallel of experts; 0 = as tp
    std::uint32_t vpp = 1;          // virtual stages of each pipeline stage
    std::uint32_t micro_batch = 1;  // sequences
    Recompute recompute = Recompute::none;
    RecomputeParts parts{};              // of selective
    std::uint32_t recompute_layers = 0;  // of full: so many layers of each stage; 0 = all
    std::uint32_t offload_layers = 0;  // activations of so many layers of each stage go to the host
    bool offload_optimizer = false;    // optimiser state lives on the host
    bool sequence_parallel = false;    // norms and residuals are split over tp too
    std::uint32_t zero = 0;            // ZeRO stage; 1 = distributed optimiser, 3 = FSDP
    std::uint32_t zero_group = 0;      // optimiser state is split over so many of dp; 0 = all
    bool ulysses = false;              // cp by all-to-all of heads instead of a ring of keys
    // A token goes to other chips once for each chip and node that has any of its experts (DeepEP,
    // HybridEP), not once for each of its experts.
    bool deepep = false;
    bool flash_attention = true;
    bool fine_scales = false;    // of FP8: for rows or blocks, in software, not for tensors
    bool eager = false;          // kernel by kernel where the framework would compile or fuse
    bool eager_loss = false;     // the same of the loss alone
    bool cuda_graphs = false;    // kernels are issued as recorded graphs: no host time
    bool fp32_gradients = true;  // gradients are summed and sent in FP32
    Schedule schedule = Schedule::one_f_one_b;
    Overlap overlap{};
    Precision precision = Precision::bf16;
    Framework framework = Framework::megatron_lm;

    [[nodiscard]] std::uint64_t chips() const { return std::uint64_t{tp} * pp * dp * cp; }
    friend bool operator==(const Strategy&, const Strategy&) = default;
};

// What is trained, and how much of it at once.
struct TrainingJob {
    catalog::Model model{};
    std::uint32_t sequence = 4096;
    std::uint32_t global_batch = 256;  // sequences of one step
    double tokens = 0;                 // to train in all; 0 = not said
    // Documents packed into a sequence are so long on average, and do not see each other;
    // 0 = each fills its sequence, or sees the others.
    std::uint32_t document_tokens = 0;
    bool dropout = false;          // of attention and residuals: masks are drawn and kept
    bool bare_vocabulary = false;  // not padded, though the framework would
};

std::string_view name_of(Precision precision);
std::string_view name_of(Recompute recompute);
std::string_view name_of(Framework framework);
std::string_view name_of(Schedule schedule);

// Why a strategy cannot run this job on so many chips: the degree, its value and what would divide.
Result<void> check(const Strategy& strategy, const TrainingJob& job, std::uint64_t chips);

// "tp 8, pp 4, dp 16, micro-batch 2, full recompute": what differs from one chip alone.
std::string text_of(const Strategy& strategy);

}  // namespace weir::plan
