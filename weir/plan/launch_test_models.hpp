// Shapes that the tests of launches use, written out: they hold whatever the catalogue has.
//
// Threads: pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "weir/catalog/model.hpp"

namespace weir::plan {

inline std::vector<catalog::Model> launch_test_models() {
    using catalog::Experts;
    using catalog::Model;
    std::vector<Model> all;
    const auto llama = [&](std::string_view name,
                           std::uint32_t layers,
                           std::uint32_t hidden,
                           std::uint32_t heads,
                           std::uint32_t kv_heads,
                           std::uint32_t ffn,
                           std::uint32_t vocab) -> Model& {
        Model model;
        model.name = name;
        model.layers = layers;
        model.hidden = hidden;
        model.heads = heads;
        model.kv_heads = kv_heads;
        model.head_dim = hidden / heads;
        model.ffn = ffn;
        model.gated = true;
        model.vocab = vocab;
        all.push_back(model);
        return all.back();
    };
    llama("llama-3.1-8b", 32, 4096, 32, 8, 14336, 128256);
    llama("llama-3.1-405b", 126, 16384, 128, 8, 53248, 128256);
    llama("llama-2-7b", 32, 4096, 32, 32, 11008, 32000);
    llama("qwen2.5-7b", 28, 3584, 28, 4, 18944, 152064).qkv_biases = true;
    Model& mistral = llama("mistral-7b", 32, 4096, 32, 8, 14336, 32000);
    mistral.window = 4096;
    Model& gemma = llama("every-second-window", 26, 2304, 8, 4, 9216, 256000);
    gemma.window = 4096;
    gemma.window_every = 2;
    gemma.tied = true;
    llama("mixtral-8x7b", 32, 4096, 32, 8, 14336, 32000).experts = Experts{8, 2, 14336, 0, 0, 1};
    Model& qwen = llama("qwen3-30b-a3b", 48, 2048, 32, 4, 6144, 151936);
    qwen.head_dim = 128;
    qwen.qk_norm = true;
    qwen.experts = Experts{128, 8, 768, 0, 0, 1};
    // Every second layer has experts, behind two that have none.
    llama("interleaved", 34, 2048, 16, 8, 8192, 202048).experts = Experts{16, 1, 4096, 4096, 2, 2};
    Model& deepseek = llama("deepseek-v3", 61, 7168, 128, 128, 18432, 129280);
    deepseek.latent = catalog::LatentAttention{1536, 512, 64, 128, 128};
    deepseek.head_dim = 192;
    deepseek.mtp_layers = 1;
    deepseek.experts = Experts{256, 8, 2048, 2048, 3, 1, 8, 4};
    Model& lite = llama("deepseek-v2-lite", 27, 2048, 16, 16, 10944, 102400);
    lite.latent = catalog::LatentAttention{0, 512, 64, 128, 128};
    lite.head_dim = 192;
    lite.experts = Experts{64, 6, 1408, 2816, 1, 1};
    Model& gpt = llama("gpt3-175b", 96, 12288, 96, 96, 49152, 50257);
    gpt.gated = false;
    gpt.biases = gpt.layer_norm = gpt.tied = true;
    gpt.learned_positions = 2048;
    return all;
}

inline catalog::Model launch_test_model(std::string_view name) {
    for (const catalog::Model& model : launch_test_models()) {
        if (model.name == name) return model;
    }
    return {};
}

}  // namespace weir::plan
