// What a decoder transformer is made of, as far as its cost depends on it.
//
// A model is its shape: how wide, how deep, which attention, which feed-forward. Two models of one
// shape cost the same, whatever they were trained on, so names are only labels. The shapes that
// travel with the program are in catalog/models.yaml; hf_config.hpp reads a Hugging Face
// `config.json` into the same struct.
//
// Counts of parameters and operations that follow from a shape alone are in plan/model_counts.hpp.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "weir/base/result.hpp"

namespace weir::catalog {

// Far above every published model, and low enough that counts of parameters and operations stay
// far from what a double can hold.
struct ModelLimits {
    static constexpr std::uint32_t layers = 10'000;
    static constexpr std::uint32_t hidden = 1U << 20;
    static constexpr std::uint32_t heads = 1U << 16;
    static constexpr std::uint32_t width = 1U << 24;  // of a head, a feed-forward, a vocabulary
    static constexpr std::uint32_t experts = 1U << 16;
    static constexpr std::uint32_t tokens = 1U << 30;  // of a sequence, a window
    static constexpr std::uint32_t mtp_layers = 64;
};

// Multi-head latent attention (DeepSeek-V2, section 2.1): keys and values are kept as one
// compressed vector a token, and each head has a part with rotary positions and one without.
struct LatentAttention {
    std::uint32_t q_lora = 0;  // width of compressed queries; 0 = queries are not compressed
    std::uint32_t kv_lora = 512;
    std::uint32_t rope_dim = 64;   // of each head, with rotary positions
    std::uint32_t nope_dim = 128;  // of each head, without
    std::uint32_t v_dim = 128;     // of each head's values

    friend bool operator==(const LatentAttention&, const LatentAttention&) = default;
};

// A feed-forward of many experts, of which each token uses a few.
struct Experts {
    std::uint32_t count = 0;        // routed experts
    std::uint32_t per_token = 0;    // of them, used by one token (top-k)
    std::uint32_t ffn = 0;          // inner width of one routed expert
    std::uint32_t shared_ffn = 0;   // inner width of all shared experts together; 0 = none
    std::uint32_t first_dense = 0;  // so many layers at the start have a plain feed-forward
    std::uint32_t every = 1;        // of the others, each so-manieth has experts (Llama 4: 2)
    std::uint32_t groups = 1;  // experts lie in so many groups of equal size, one after another
    std::uint32_t groups_per_token = 1;  // of them, a token uses the experts of so many

    friend bool operator==(const Experts&, const Experts&) = default;
};

struct Model {
    std::string name{};  // "llama-3.1-8b"
    std::vector<std::string> aliases{};
    std::uint32_t layers = 0;
    std::uint32_t hidden = 0;
    std::uint32_t heads = 0;
    std::uint32_t kv_heads = 0;  // = heads: every head has its own keys (MHA); 1: one for all (MQA)
    std::uint32_t head_dim = 0;
    std::uint32_t ffn = 0;  // inner width of a plain feed-forward
    bool gated = false;     // three matrices (SwiGLU, GeGLU) instead of two
    std::uint32_t vocab = 0;
    bool tied = false;                    // the output uses the matrix of the input embedding
    std::uint32_t learned_positions = 0;  // rows of a table of learned positions; 0 = none
    bool biases = false;                  // linear layers have biases (GPT-2, GPT-3)
    bool qkv_biases = false;              // only those of queries, keys and values (Qwen 2)
    bool layer_norm = false;              // LayerNorm with bias instead of RMSNorm
    bool parallel_block = false;          // attention and feed-forward read the same input
    std::uint32_t norms =
        2;                 // of a layer, as wide as the model; 4: also behind each part (Gemma 2)
    bool qk_norm = false;  // queries and keys are normalised, head by head (Qwen 3)
    std::uint32_t window = 0;        // sliding window of attention, in tokens; 0 = none
    std::uint32_t window_every = 1;  // 1: in every layer; 2: in every second; n: all but each n-th
    bool chunked = false;            // windows do not slide: they are chunks (Llama 4)
    std::uint32_t mtp_layers = 0;    // layers that predict further tokens (DeepSeek-V3: 1)
    std::uint32_t sequence = 0;      // longest sequence it was made for; 0 = not said
    std::optional<LatentAttention> latent{};
    std::optional<Experts> experts{};
    std::string source{};

    [[nodiscard]] bool is_moe() const { return experts.has_value(); }
    friend bool operator==(const Model&, const Model&) = default;
};

// Why a shape cannot be one: the field, its value and what would be valid.
Result<void> check(const Model& model);

// The models that travel with the program, in the order of the file; by name or alias, whatever the
// case of its letters. nullptr = not known.
const std::vector<Model>& models();
const Model* find_model(std::string_view name);
std::string nearest_model(std::string_view name);  // "" when none is near

}  // namespace weir::catalog
