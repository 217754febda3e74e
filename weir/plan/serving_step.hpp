// What one step of a serving engine costs the chips of one stage, and what a plan keeps in memory.
//
// A step gives each sequence of a batch one token, or takes prompts in, or both. Its time is a sum
// of products, experts, attention, moving, collectives and the software around them, each bound by
// what binds it: arithmetic, bandwidth, latency or the host. Nothing here knows how requests come:
// serving.cpp makes loops of steps.
//
// Threads: values that borrow the model, the machine and the constants, which have to live as long.
#pragma once

#include <array>

#include "weir/catalog/model.hpp"
#include "weir/plan/machine.hpp"
#include "weir/plan/serving.hpp"
#include "weir/plan/serving_calibration.hpp"

namespace weir::plan {

// Layers by kind, of the fullest stage.
struct ServingLayers {
    double all = 0;
    double dense = 0;
    double moe = 0;
};

// What a plan leaves of the model to one chip, once for all steps.
struct ServingShare {
    double tp = 1;
    double pp = 1;
    double dp = 1;
    double ep = 1;
    double moe_tp = 1;
    ServingLayers layers{};
    double hidden = 0;
    double heads = 0;               // on a chip
    double kv_heads = 0;            // on a chip
    double qkv = 0;                 // width of the projections of a plain attention, on a chip
    double ffn_in = 0;              // width of gate and up together, on a chip
    double ffn = 0;                 // on a chip
    Numbers plain = Numbers::bf16;  // of attention and plain feed-forward
    Numbers experts = Numbers::bf16;
    double cache_token_layer_bytes = 0;  // of one token, in one layer, on a chip
};
ServingShare share_of(const catalog::Model& model, const Degrees& degrees, const ServingPlan& plan);

bool is_four_bits(Numbers numbers);

// Where the time of a step goes, by ServingTerm.
using ServingTerms = std::array<double, serving_term_count>;
double sum(const ServingTerms& terms);

struct ServingStep {
    const catalog::Model& model;
    const Machine& machine;
    const ServingChip& chip;
    const ServingLink& inside;
    const ServingLink& between;
    const ServingEngine& engine;
    double skew;
    double chunk_tokens;  // of prompts in a step, at most
    ServingShare s;

    // A decode step of one stage for `n` sequences of an attention rank with so long contexts; the
    // host looks at all `active` ones, of the other groups of a pipeline, too.
    [[nodiscard]] ServingTerms decode(double n, double active, double context) const;
    // `tokens` of prompts in a step of one stage, of each the last `fresh` of `length`: how much
    // longer it takes than the `decode_s` of a step that only gives `n` sequences their next token.
    // n = 0: a step of its own.
    [[nodiscard]] double prompt_s(
        double n, double decode_s, double tokens, double fresh, double length) const;

    // The parts of both, in seconds.
    [[nodiscard]] double products_s(double m, double head_rows, bool absorbed) const;
    [[nodiscard]] double experts_s(double tokens) const;
    [[nodiscard]] double attention_decode_s(double sequences, double context) const;
    [[nodiscard]] double attention_prompt_s(double tokens, double fresh, double length) const;
    [[nodiscard]] double moving_s(double m, double all_tokens) const;
    [[nodiscard]] double tensor_bytes_s(double m) const;
    [[nodiscard]] double tensor_latency_s() const;
    [[nodiscard]] double exchange_bytes_s(double m) const;
    [[nodiscard]] double exchange_latency_s() const;
    [[nodiscard]] double pipeline_s(double tokens) const;

    // What they are made of.
    [[nodiscard]] double product_s(double m, double n, double k, double count, Numbers of) const;
    [[nodiscard]] double bandwidth() const;
    [[nodiscard]] double peak16() const;
    [[nodiscard]] double reached(Numbers numbers) const;  // FLOP/s of large products
    [[nodiscard]] double slowest_bytes_per_s(double ranks) const;
    [[nodiscard]] double reduce_latency_s(double ranks) const;
    [[nodiscard]] double reduces() const;  // all-reduces of a step
    [[nodiscard]] double kernels() const;  // of a captured decode step
};

// Of the fullest chip, without sequences.
ServingMemory memory_of(const ServingStep& step, const ServingJob& job);

}  // namespace weir::plan
