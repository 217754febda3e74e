// Sources: pytorch/torchtitan, torchtitan/models/llama3/__init__.py at
// 00f555e1114a8286eb1d4e379cae67d56156b61d; qwen3/flavors.py and deepseek_v3/flavors.py at
// 0276e6ed0bed9be143631e007342964c03a09b96. The inner widths of llama3 follow from its rule: two
// thirds of four times the width, times a multiplier, up to the next multiple.
#include "weir/plan/torchtitan_flavors.hpp"

#include <array>

namespace weir::plan {
namespace {

constexpr std::uint32_t qwen_vocab = 151936;

const std::array<TitanFlavor, 14> all{{
    {"llama3", "8B", 32, 4096, 32, 8, 128, 14336, 128256, false, {}, 0, false},
    {"llama3", "70B", 80, 8192, 64, 8, 128, 28672, 128256, false, {}, 0, false},
    {"llama3", "405B", 126, 16384, 128, 8, 128, 53248, 128256, false, {}, 0, false},
    {"qwen3", "0.6B", 28, 1024, 16, 8, 128, 3072, qwen_vocab, true, {}, 0, false},
    {"qwen3", "1.7B", 28, 2048, 16, 8, 128, 6144, qwen_vocab, true, {}, 0, false},
    {"qwen3", "4B", 36, 2560, 32, 8, 128, 9728, qwen_vocab, true, {}, 0, false},
    {"qwen3", "8B", 36, 4096, 32, 8, 128, 12288, qwen_vocab, false, {}, 0, false},
    {"qwen3", "14B", 40, 5120, 40, 8, 128, 17408, qwen_vocab, false, {}, 0, false},
    {"qwen3", "32B", 64, 5120, 64, 8, 128, 25600, qwen_vocab, false, {}, 0, false},
    {"qwen3",
     "30B-A3B",
     48,
     2048,
     32,
     4,
     128,
     0,
     qwen_vocab,
     false,
     {128, 8, 768, 0, 0, 1},
     0,
     false},
    {"qwen3",
     "235B-A22B",
     94,
     4096,
     64,
     4,
     128,
     0,
     qwen_vocab,
     false,
     {128, 8, 1536, 0, 0, 1},
     0,
     false},
    {"deepseek_v3",
     "16B",
     27,
     2048,
     16,
     16,
     192,
     10944,
     102400,
     false,
     {64, 6, 1408, 2816, 1, 1},
     0,
     true},
    {"deepseek_v3",
     "236B",
     60,
     5120,
     128,
     128,
     192,
     12288,
     102400,
     false,
     {160, 6, 1536, 3072, 1, 1},
     1536,
     true},
    {"deepseek_v3",
     "671B",
     61,
     7168,
     128,
     128,
     192,
     18432,
     129280,
     false,
     {256, 8, 2048, 2048, 3, 1},
     1536,
     true},
}};

// A choice of groups is of the loss alone where tokens go to each of their experts by themselves.
std::optional<catalog::Experts> without_groups(std::optional<catalog::Experts> experts) {
    if (experts) experts->groups = experts->groups_per_token = 1;
    return experts;
}

}  // namespace

std::span<const TitanFlavor> titan_flavors() {
    return all;
}

const TitanFlavor* find_titan_flavor(std::string_view model, std::string_view flavor) {
    for (const TitanFlavor& one : all) {
        if (one.model == model && one.flavor == flavor) return &one;
    }
    return nullptr;
}

catalog::Model model_of(const TitanFlavor& flavor) {
    catalog::Model model;
    model.name = std::string(flavor.model) + " " + std::string(flavor.flavor);
    model.layers = flavor.layers;
    model.hidden = flavor.hidden;
    model.heads = flavor.heads;
    model.kv_heads = flavor.kv_heads;
    model.head_dim = flavor.head_dim;
    // Where no layer has one, it is as wide as what a token sees of the experts.
    model.ffn = flavor.ffn > 0 ? flavor.ffn : flavor.experts.ffn * flavor.experts.per_token;
    model.gated = true;
    model.qk_norm = flavor.model == "qwen3";
    model.vocab = flavor.vocab;
    model.tied = flavor.tied;
    if (flavor.experts.count > 0) model.experts = flavor.experts;
    if (flavor.latent) model.latent = catalog::LatentAttention{.q_lora = flavor.q_lora};
    model.source = "torchtitan";
    return model;
}

const TitanFlavor* titan_flavor_of(const catalog::Model& model) {
    for (const TitanFlavor& one : all) {
        const catalog::Model shape = model_of(one);
        const bool plain = !model.biases && !model.qkv_biases && !model.layer_norm &&
                           !model.parallel_block && model.window == 0 && model.norms == 2 &&
                           model.learned_positions == 0 && model.gated;
        const bool dense_same = one.ffn == 0 || model.ffn == shape.ffn;
        if (plain && dense_same && model.layers == shape.layers && model.hidden == shape.hidden &&
            model.heads == shape.heads && model.kv_heads == shape.kv_heads &&
            model.head_dim == shape.head_dim && model.vocab == shape.vocab &&
            model.tied == shape.tied && model.qk_norm == shape.qk_norm &&
            model.latent == shape.latent && without_groups(model.experts) == shape.experts) {
            return &one;
        }
    }
    return nullptr;
}

}  // namespace weir::plan
