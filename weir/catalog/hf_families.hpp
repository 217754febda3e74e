// The families of decoder transformers whose config.json is understood.
//
// A family is a row of one table: what its keys are called, what holds where they are absent, and a
// function for what no table can say (experts, latent attention, words of its own). A new family is
// a new row.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "weir/catalog/hf_reader.hpp"
#include "weir/catalog/model.hpp"

namespace weir::catalog {

struct HfKeys {
    HfNames layers{"num_hidden_layers"};
    HfNames hidden{"hidden_size"};
    HfNames heads{"num_attention_heads"};
    HfNames kv_heads{"num_key_value_heads"};
    HfNames head_dim{"head_dim"};
    HfNames ffn{"intermediate_size"};
    HfNames vocab{"vocab_size"};
    HfNames sequence{"max_position_embeddings"};
};

enum class HfWindow : std::uint8_t {
    none,
    sliding,  // sliding_window, where it is not null
    qwen,     // only if use_sliding_window, from max_window_layers on
    chunked,  // attention_chunk_size, in all but each fourth layer (Llama 4)
};

enum class HfPositions : std::uint8_t {
    none,     // rotary, ALiBi
    learned,  // a table as long as the sequence
    offset,   // and two rows more (OPT)
};

// What holds for a family, and where its keys are absent.
struct HfTraits {
    HfKeys keys{};
    bool gated = true;
    bool tied = false;
    bool layer_norm = false;
    bool parallel = false;
    std::uint32_t norms = 2;
    bool qk_norm = false;
    std::string_view qkv_key = "attention_bias";  // says whether queries, keys, values have biases
    bool qkv_biases = false;
    std::string_view bias_key{};  // says whether everything has
    bool biases = false;
    std::uint32_t heads = 0;      // 0 = must be there
    std::uint32_t kv_heads = 0;   // 0 = heads
    std::uint32_t head_dim = 0;   // 0 = hidden / heads
    std::uint32_t ffn_times = 0;  // of hidden; 0 = must be there
    std::uint32_t vocab = 0;      // 0 = must be there
    HfWindow window = HfWindow::none;
    std::uint32_t window_tokens = 0;  // where sliding_window is absent; 0 = no window then
    std::uint32_t window_every = 1;
    HfPositions positions = HfPositions::none;
    // Called when everything else has been read and is sound.
    void (*more)(HfReader&, Model&) = nullptr;
};

struct HfFamily {
    std::string_view type;          // model_type
    std::string_view architecture;  // of `architectures`; "" = that of another row
    HfTraits traits;
};

std::span<const HfFamily> hf_families();
// nullptr = not understood.
const HfFamily* hf_family_of(std::string_view type);
const HfFamily* hf_family_of_architecture(std::string_view name);
// Why a model type that people try is none: "is an encoder"; "" = never heard of.
std::string_view hf_refusal_of(std::string_view type);

}  // namespace weir::catalog
