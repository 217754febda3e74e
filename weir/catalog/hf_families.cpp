#include "weir/catalog/hf_families.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "weir/catalog/catalog.hpp"

namespace weir::catalog {
namespace {

using Limits = ModelLimits;

// --- Experts -------------------------------------------------------------------------------------

struct ExpertKeys {
    HfNames count;
    HfNames per_token{"num_experts_per_tok"};
    HfNames ffn{"moe_intermediate_size"};
};

// `width`: of an expert where no key says it; 0 = it must be there.
void experts(HfReader& reader, Model& model, const ExpertKeys& keys, std::uint32_t width = 0) {
    Experts found;
    found.count = reader.needed(keys.count, Limits::experts);
    found.per_token = reader.needed(keys.per_token, Limits::experts);
    found.ffn = width != 0 ? width : reader.needed(keys.ffn, Limits::width);
    if (reader.sound() && found.per_token > found.count) {
        reader.say(keys.per_token.first,
                   fmt::format("{} is more than the {} experts of {}",
                               found.per_token,
                               found.count,
                               keys.count.first));
    }
    model.experts = found;
}

void shared_experts(HfReader& reader,
                    Model& model,
                    const HfNames& number,
                    std::uint32_t otherwise) {
    const std::uint32_t count = reader.given_or(number, 0, Limits::experts, otherwise);
    const std::uint64_t width = std::uint64_t{count} * model.experts->ffn;
    if (width > Limits::width) {
        reader.say(number.first,
                   fmt::format("{} shared experts of {} are wider than {} together",
                               count,
                               model.experts->ffn,
                               Limits::width));
        return;
    }
    model.experts->shared_ffn = static_cast<std::uint32_t>(width);
}

void dense_start(HfReader& reader, Model& model, const HfNames& key) {
    const std::uint32_t count = reader.given_or(key, 0, Limits::layers, 0);
    if (reader.sound() && count >= model.layers) {
        reader.say(key.first,
                   fmt::format("{} leaves none of {} layers for experts; valid are 0 to {}",
                               count,
                               model.layers,
                               model.layers - 1));
    }
    model.experts->first_dense = count;
}

// Groups of experts, of which a token uses those of some (DeepSeek-V2, section 2.2.2).
void expert_groups(HfReader& reader, Model& model) {
    if (!reader.sound() || reader.raw("topk_method") == "\"greedy\"") return;
    Experts& moe = *model.experts;
    const std::uint32_t groups = reader.given_or({"n_group"}, 1, Limits::experts, 1);
    const std::uint32_t taken = reader.given_or({"topk_group"}, 1, Limits::experts, groups);
    // All of them are no choice.
    if (!reader.sound() || taken == groups) return;
    if (moe.count % groups != 0) {
        reader.say("n_group", fmt::format("{} does not divide the {} experts", groups, moe.count));
    } else if (taken > groups || std::uint64_t{taken} * (moe.count / groups) < moe.per_token) {
        reader.say("topk_group",
                   fmt::format("{} of {} groups of {} experts; valid are up to {}, with at least "
                               "the {} experts of a token",
                               taken,
                               groups,
                               moe.count / groups,
                               groups,
                               moe.per_token));
    } else {
        moe.groups = groups;
        moe.groups_per_token = taken;
    }
}

void experts_every(HfReader& reader, Model& model, const HfNames& key) {
    const std::uint32_t every = reader.given_or(key, 1, Limits::layers, 1);
    if (reader.sound() && every > model.layers - model.experts->first_dense) {
        reader.say(key.first,
                   fmt::format("{} leaves no layer with experts; valid are 1 to {}",
                               every,
                               model.layers - model.experts->first_dense));
    }
    model.experts->every = every;
}

void predicted_tokens(HfReader& reader, Model& model, const HfNames& key) {
    model.mtp_layers = reader.given_or(key, 0, Limits::mtp_layers, 0);
}

void mixtral(HfReader& reader, Model& model) {
    experts(reader, model, {.count = {"num_local_experts"}}, model.ffn);
}

void qwen_experts(HfReader& reader, Model& model) {
    experts(reader, model, {.count = {"num_experts", "num_local_experts"}});
    if (!reader.sound()) return;
    model.experts->shared_ffn =
        reader.given_or({"shared_expert_intermediate_size"}, 0, Limits::width, 0);
    if (const auto plain = reader.numbers("mlp_only_layers"); plain && !plain->empty()) {
        // Only the layers at the start can be said to be plain.
        for (std::uint32_t i = 0; i < plain->size(); ++i) {
            if ((*plain)[i] == i) continue;
            reader.say("mlp_only_layers",
                       fmt::format("layer {} has a plain feed-forward, but not those before it; "
                                   "valid are the first layers: 0, 1, 2, …",
                                   (*plain)[i]));
            return;
        }
        if (plain->size() >= model.layers) {
            reader.say("mlp_only_layers", "leaves no layer with experts");
            return;
        }
        model.experts->first_dense = static_cast<std::uint32_t>(plain->size());
    }
    experts_every(reader, model, {"decoder_sparse_step"});
    if (model.experts->every > 1 && model.experts->first_dense > 0) {
        reader.say("mlp_only_layers", "cannot be said beside decoder_sparse_step; valid is one");
    }
}

// The routed experts of DeepSeek and those who follow it.
void deepseek_experts(HfReader& reader, Model& model) {
    if (!reader.has("n_routed_experts")) return;
    experts(reader, model, {.count = {"n_routed_experts"}});
    if (!reader.sound()) return;
    expert_groups(reader, model);
    shared_experts(reader, model, {"n_shared_experts"}, 0);
    dense_start(reader, model, {"first_k_dense_replace"});
    experts_every(reader, model, {"moe_layer_freq"});
    predicted_tokens(reader, model, {"num_nextn_predict_layers"});
}

void latent(HfReader& reader, Model& model, const std::array<std::string_view, 5>& keys) {
    LatentAttention found;
    found.q_lora = reader.given_or({keys[0]}, 0, Limits::width, 0);
    found.kv_lora = reader.needed({keys[1]}, Limits::width);
    found.rope_dim = reader.needed({keys[2]}, Limits::width);
    found.nope_dim = reader.needed({keys[3]}, Limits::width);
    found.v_dim = reader.needed({keys[4]}, Limits::width);
    model.latent = found;
    // Each head has keys of its own, made of what is kept; a head has both parts.
    model.kv_heads = model.heads;
    model.head_dim = found.rope_dim + found.nope_dim;
}

void deepseek(HfReader& reader, Model& model) {
    latent(reader,
           model,
           {"q_lora_rank", "kv_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim"});
    deepseek_experts(reader, model);
}

void pangu_ultra_moe(HfReader& reader, Model& model) {
    latent(reader,
           model,
           {"attention_q_lora_dim",
            "attention_kv_lora_dim",
            "attention_qk_rope_dim",
            "attention_qk_dim",
            "attention_v_dim"});
    experts(reader, model, {.count = {"num_routed_experts"}});
    if (!reader.sound()) return;
    expert_groups(reader, model);
    shared_experts(reader, model, {"num_shared_experts"}, 0);
    dense_start(reader, model, {"num_dense_layers"});
    predicted_tokens(reader, model, {"num_mtp_layers"});
}

void pangu_pro_moe(HfReader& reader, Model& model) {
    experts(reader, model, {.count = {"num_experts"}});
    model.experts->shared_ffn =
        reader.given_or({"shared_expert_intermediate_size"}, 0, Limits::width, 0);
}

void glm4_moe(HfReader& reader, Model& model) {
    model.qk_norm = reader.flag("use_qk_norm", false);
    deepseek_experts(reader, model);
}

void bailing_moe(HfReader& reader, Model& model) {
    model.qk_norm = reader.flag("use_qk_norm", false);
    experts(reader, model, {.count = {"num_experts"}});
    if (!reader.sound()) return;
    expert_groups(reader, model);
    shared_experts(reader, model, {"num_shared_experts"}, 0);
    dense_start(reader, model, {"first_k_dense_replace"});
    predicted_tokens(reader, model, {"num_nextn_predict_layers"});
}

void mimo(HfReader& reader, Model& model) {
    predicted_tokens(reader, model, {"num_nextn_predict_layers"});
}

void ernie_moe(HfReader& reader, Model& model) {
    experts(reader, model, {.count = {"moe_num_experts"}, .per_token = {"moe_k"}});
    if (!reader.sound()) return;
    shared_experts(reader, model, {"moe_num_shared_experts"}, 0);
    dense_start(reader, model, {"moe_layer_start_index"});
    if (reader.sound()) experts_every(reader, model, {"moe_layer_interval"});
}

void minimax_m2(HfReader& reader, Model& model) {
    model.qk_norm = reader.flag("use_qk_norm", false);
    experts(reader, model, {.count = {"num_local_experts"}}, model.ffn);
}

void gpt_oss(HfReader& reader, Model& model) {
    experts(reader,
            model,
            {.count = {"num_local_experts", "num_experts"},
             .per_token = {"num_experts_per_tok", "experts_per_token"}},
            model.ffn);
}

void olmoe(HfReader& reader, Model& model) {
    experts(reader, model, {.count = {"num_experts"}}, model.ffn);
}

void grok(HfReader& reader, Model& model) {
    experts(reader,
            model,
            {.count = {"num_experts", "num_local_experts"},
             .per_token = {"num_experts_per_tok", "num_selected_experts"}},
            model.ffn);
}

void granite_moe(HfReader& reader, Model& model) {
    mixtral(reader, model);
    model.experts->shared_ffn = reader.given_or({"shared_intermediate_size"}, 0, Limits::width, 0);
}

void llama4(HfReader& reader, Model& model) {
    // intermediate_size is that of an expert, also of the shared one.
    const std::uint32_t width = model.ffn;
    model.ffn = reader.given_or({"intermediate_size_mlp"}, 1, Limits::width, width);
    experts(reader, model, {.count = {"num_local_experts"}}, width);
    model.experts->shared_ffn = width;
    const auto listed = reader.numbers("moe_layers");
    if (!reader.sound()) return;
    if (!listed) {
        experts_every(reader, model, {"interleave_moe_layer_step"});
        return;
    }
    // A list says the same again: each so-manieth layer.
    const auto number = static_cast<std::uint32_t>(listed->size());
    const std::uint32_t every = number == 0 ? 0 : model.layers / number;
    bool regular = every > 0;
    for (std::uint32_t i = 0; regular && i < number; ++i)
        regular = (*listed)[i] == (i + 1) * every - 1;
    if (!regular || model.layers / every != number) {
        reader.say("moe_layers", "is not each so-manieth layer, counted from the first");
        return;
    }
    model.experts->every = every;
}

// --- Families with words of their own ------------------------------------------------------------

void qwen1(HfReader& /*reader*/, Model& model) {
    // Of both matrices that read together.
    model.ffn = std::max(1U, model.ffn / 2);
}

void chatglm(HfReader& reader, Model& model) {
    model.layer_norm = !reader.flag("rmsnorm", true);
    if (!reader.flag("multi_query_attention", false)) return;
    model.kv_heads = reader.needed({"multi_query_group_num"}, Limits::heads);
}

void gpt_bigcode(HfReader& reader, Model& model) {
    if (reader.flag("multi_query", true)) model.kv_heads = 1;
}

void gpt_neo(HfReader& reader, Model& model) {
    // "attention_types": [[["global", "local"], 12]]: half of the layers have a window.
    if (reader.raw("attention_types").find("local") == std::string::npos) return;
    model.window = reader.given_or({"window_size"}, 1, Limits::tokens, 256);
    model.window_every = 2;
}

void gpt_neox(HfReader& reader, Model& model) {
    model.parallel_block = reader.flag("use_parallel_residual", true);
}

void stablelm(HfReader& reader, Model& model) {
    model.parallel_block = reader.flag("use_parallel_residual", false);
    if (model.parallel_block) model.norms = 1;
    model.qk_norm = reader.flag("qk_layernorm", false);
}

void cohere(HfReader& reader, Model& model) {
    model.qk_norm = reader.flag("use_qk_norm", false);
}

void opt(HfReader& reader, Model& model) {
    const auto projected = reader.given({"word_embed_proj_dim"}, 1, Limits::hidden);
    if (projected && *projected != model.hidden) {
        reader.say("word_embed_proj_dim",
                   fmt::format("{} is not hidden_size: {}, and an embedding of another width than "
                               "the layers is not understood",
                               *projected,
                               model.hidden));
    }
}

void mpt(HfReader& reader, Model& model) {
    model.biases = !reader.flag("no_bias", false);
    HfReader attention = reader.inside("attn_config");
    const std::string kind = attention.raw("attn_type");
    if (kind == "\"multiquery_attention\"") {
        model.kv_heads = 1;
    } else if (kind == "\"grouped_query_attention\"") {
        model.kv_heads = attention.needed({"kv_n_heads"}, Limits::heads);
    } else if (!kind.empty() && kind != "\"multihead_attention\"") {
        attention.say("attn_type",
                      fmt::format("{} is not one of multihead_attention, multiquery_attention, "
                                  "grouped_query_attention",
                                  kind));
    }
    const bool other = attention.flag("alibi", false) || attention.flag("rope", false);
    if (!other && reader.flag("learned_pos_emb", true)) model.learned_positions = model.sequence;
    if (attention.has("sliding_window_size") && attention.raw("sliding_window_size") != "-1") {
        model.window = attention.needed({"sliding_window_size"}, Limits::tokens);
    }
    reader.take(attention);

    HfReader feed = reader.inside("ffn_config");
    if (feed.raw("ffn_type") == "\"mptglu\"") model.gated = true;
    if (const auto ratio = reader.given({"expansion_ratio"}, 1, 1024)) {
        model.ffn = *ratio * model.hidden;
    }
    model.ffn = feed.given_or({"ffn_hidden_size"}, 1, Limits::width, model.ffn);
    reader.take(feed);
}

void falcon(HfReader& reader, Model& model) {
    const bool grouped = reader.flag("new_decoder_architecture", false);
    if (!grouped) model.kv_heads = reader.flag("multi_query", true) ? 1 : model.heads;
    model.parallel_block = reader.flag("parallel_attn", true);
    model.norms = model.parallel_block && !grouped ? 1 : 2;
    if (grouped) {
        model.norms = reader.given_or({"num_ln_in_parallel_attn"}, 1, 2, 2);
    }
}

void dbrx(HfReader& reader, Model& model) {
    HfReader attention = reader.inside("attn_config");
    model.kv_heads = attention.needed({"kv_n_heads"}, Limits::heads);
    reader.take(attention);
    HfReader feed = reader.inside("ffn_config");
    model.ffn = feed.needed({"ffn_hidden_size"}, Limits::width);
    experts(feed,
            model,
            {.count = {"moe_num_experts"}, .per_token = {"moe_top_k"}},
            std::max(1U, model.ffn));
    reader.take(feed);
}

// --- The families --------------------------------------------------------------------------------

constexpr HfKeys gpt2_keys{.layers = {"n_layer", "num_hidden_layers"},
                           .hidden = {"n_embd", "hidden_size"},
                           .heads = {"n_head", "num_attention_heads"},
                           .ffn = {"n_inner"},
                           .sequence = {"n_positions"}};
constexpr HfTraits gpt2{.keys = gpt2_keys,
                        .gated = false,
                        .tied = true,
                        .layer_norm = true,
                        .biases = true,
                        .ffn_times = 4,
                        .positions = HfPositions::learned};
constexpr HfTraits gptj{.keys = gpt2_keys,
                        .gated = false,
                        .layer_norm = true,
                        .parallel = true,
                        .norms = 1,
                        .biases = true,
                        .ffn_times = 4};
constexpr HfKeys falcon_keys{.layers = {"num_hidden_layers", "n_layer"},
                             .heads = {"num_attention_heads", "n_head"},
                             .kv_heads = {"num_kv_heads", "n_head_kv"},
                             .ffn = {"ffn_hidden_size"}};
constexpr HfTraits falcon_traits{.keys = falcon_keys,
                                 .gated = false,
                                 .tied = true,
                                 .layer_norm = true,
                                 .bias_key = "bias",
                                 .ffn_times = 4,
                                 .more = falcon};
constexpr HfTraits qwen2{.qkv_key = {}, .qkv_biases = true, .window = HfWindow::qwen};
constexpr HfTraits qwen2_moe{
    .qkv_key = {}, .qkv_biases = true, .window = HfWindow::qwen, .more = qwen_experts};
constexpr HfTraits qwen3{.qk_norm = true, .head_dim = 128, .window = HfWindow::qwen};
constexpr HfTraits qwen3_moe{
    .qk_norm = true, .head_dim = 128, .window = HfWindow::qwen, .more = qwen_experts};
constexpr HfTraits latent_moe{.more = deepseek};
constexpr HfTraits llama4_traits{.window = HfWindow::chunked, .more = llama4};

const HfFamily families[] = {
    {"llama", "LlamaForCausalLM", {}},
    {"mistral", "MistralForCausalLM", {.window = HfWindow::sliding}},
    {"mixtral", "MixtralForCausalLM", {.window = HfWindow::sliding, .more = mixtral}},
    {"llama4_text", "Llama4ForCausalLM", llama4_traits},
    {"qwen",
     "QWenLMHeadModel",
     {.keys = {.head_dim = {"kv_channels"}, .sequence = {"seq_length"}},
      .qkv_key = {},
      .qkv_biases = true,
      .more = qwen1}},
    {"qwen2", "Qwen2ForCausalLM", qwen2},
    {"qwen2_vl", "Qwen2VLForConditionalGeneration", qwen2},
    {"qwen2_vl_text", "", qwen2},
    {"qwen2_5_vl", "Qwen2_5_VLForConditionalGeneration", qwen2},
    {"qwen2_5_vl_text", "", qwen2},
    {"qwen2_moe", "Qwen2MoeForCausalLM", qwen2_moe},
    {"qwen3", "Qwen3ForCausalLM", qwen3},
    {"qwen3_vl_text", "", qwen3},
    {"qwen3_moe", "Qwen3MoeForCausalLM", qwen3_moe},
    {"qwen3_vl_moe_text", "", qwen3_moe},
    {"deepseek", "DeepseekForCausalLM", {.more = deepseek_experts}},
    {"deepseek_v2", "DeepseekV2ForCausalLM", latent_moe},
    {"deepseek_v3", "DeepseekV3ForCausalLM", latent_moe},
    {"kimi_k2", "", latent_moe},
    {"kimi_k25", "KimiK25ForConditionalGeneration", latent_moe},
    {"glm4_moe_lite", "Glm4MoeLiteForCausalLM", latent_moe},
    {"pangu_ultra_moe", "PanguUltraMoEForCausalLM", {.norms = 4, .more = pangu_ultra_moe}},
    {"PanguProMoE",
     "PanguProMoEForCausalLM",
     {.keys = {.ffn = {"moe_intermediate_size"}},
      .qkv_key = {},
      .qkv_biases = true,
      .more = pangu_pro_moe}},
    {"PanguEmbedded", "PanguEmbeddedForCausalLM", {.qkv_key = "bias", .qkv_biases = true}},
    {"chatglm",
     "ChatGLMModel",
     {.keys = {.layers = {"num_layers"},
               .head_dim = {"kv_channels"},
               .ffn = {"ffn_hidden_size"},
               .vocab = {"padded_vocab_size"},
               .sequence = {"seq_length"}},
      .qkv_key = "add_qkv_bias",
      .bias_key = "add_bias_linear",
      .more = chatglm}},
    {"glm", "GlmForCausalLM", {.head_dim = 128}},
    {"glm4", "Glm4ForCausalLM", {.norms = 4, .head_dim = 128}},
    {"glm4_moe", "Glm4MoeForCausalLM", {.more = glm4_moe}},
    {"dots1", "Dots1ForCausalLM", {.qk_norm = true, .more = deepseek_experts}},
    {"minimax_m2", "MiniMaxM2ForCausalLM", {.more = minimax_m2}},
    {"bailing_moe", "BailingMoeForCausalLM", {.qkv_key = "use_qkv_bias", .more = bailing_moe}},
    {"bailing_moe_v2", "BailingMoeV2ForCausalLM", {.qkv_key = "use_qkv_bias", .more = bailing_moe}},
    {"mimo", "MiMoForCausalLM", {.qkv_biases = true, .window = HfWindow::qwen, .more = mimo}},
    {"arcee", "ArceeForCausalLM", {.gated = false}},
    {"gpt_oss",
     "GptOssForCausalLM",
     {.bias_key = "attention_bias",
      .biases = true,
      .head_dim = 64,
      .window = HfWindow::sliding,
      .window_every = 2,
      .more = gpt_oss}},
    {"gpt2", "GPT2LMHeadModel", gpt2},
    {"gpt_bigcode",
     "GPTBigCodeForCausalLM",
     {.keys = gpt2_keys,
      .gated = false,
      .tied = true,
      .layer_norm = true,
      .biases = true,
      .ffn_times = 4,
      .positions = HfPositions::learned,
      .more = gpt_bigcode}},
    {"gpt_neo",
     "GPTNeoForCausalLM",
     {.keys = {.layers = {"num_layers"}, .heads = {"num_heads"}},
      .gated = false,
      .tied = true,
      .layer_norm = true,
      .biases = true,
      .ffn_times = 4,
      .positions = HfPositions::learned,
      .more = gpt_neo}},
    {"gpt_neox",
     "GPTNeoXForCausalLM",
     {.gated = false,
      .layer_norm = true,
      .bias_key = "attention_bias",
      .biases = true,
      .more = gpt_neox}},
    {"gptj", "GPTJForCausalLM", gptj},
    {"codegen", "CodeGenForCausalLM", gptj},
    {"opt",
     "OPTForCausalLM",
     {.keys = {.ffn = {"ffn_dim"}},
      .gated = false,
      .tied = true,
      .layer_norm = true,
      .bias_key = "enable_bias",
      .biases = true,
      .positions = HfPositions::offset,
      .more = opt}},
    {"bloom",
     "BloomForCausalLM",
     {.keys = {.layers = {"n_layer", "num_hidden_layers"},
               .hidden = {"hidden_size", "n_embed"},
               .heads = {"n_head", "num_attention_heads"},
               .ffn = {"n_inner"},
               .sequence = {"seq_length"}},
      .gated = false,
      .tied = true,
      .layer_norm = true,
      .biases = true,
      .ffn_times = 4}},
    {"mpt",
     "MPTForCausalLM",
     {.keys = {.layers = {"n_layers"},
               .hidden = {"d_model"},
               .heads = {"n_heads"},
               .ffn = {},
               .sequence = {"max_seq_len"}},
      .gated = false,
      .tied = true,
      .layer_norm = true,
      .ffn_times = 4,
      .more = mpt}},
    {"falcon", "FalconForCausalLM", falcon_traits},
    {"RefinedWeb", "RWForCausalLM", falcon_traits},
    {"RefinedWebModel", "", falcon_traits},
    {"gemma", "GemmaForCausalLM", {.tied = true, .head_dim = 256}},
    {"gemma2",
     "Gemma2ForCausalLM",
     {.tied = true,
      .norms = 4,
      .head_dim = 256,
      .window = HfWindow::sliding,
      .window_tokens = 4096,
      .window_every = 2}},
    // What is absent in its nested form is what its class says.
    {"gemma3_text",
     "Gemma3ForCausalLM",
     {.tied = true,
      .norms = 4,
      .qk_norm = true,
      .heads = 8,
      .kv_heads = 4,
      .head_dim = 256,
      .vocab = 262208,
      .window = HfWindow::sliding,
      .window_tokens = 4096,
      .window_every = 6}},
    {"phi",
     "PhiForCausalLM",
     {.gated = false, .layer_norm = true, .parallel = true, .norms = 1, .biases = true}},
    {"phi3", "Phi3ForCausalLM", {.window = HfWindow::sliding}},
    {"phimoe",
     "PhimoeForCausalLM",
     {.layer_norm = true, .window = HfWindow::sliding, .more = mixtral}},
    {"internlm", "InternLMForCausalLM", {.qkv_key = "bias", .qkv_biases = true}},
    {"internlm2", "InternLM2ForCausalLM", {.qkv_key = "bias"}},
    {"internlm3", "InternLM3ForCausalLM", {.qkv_key = "qkv_bias"}},
    {"baichuan", "BaichuanForCausalLM", {}},
    {"Yi", "YiForCausalLM", {}},
    {"aquila", "AquilaForCausalLM", {}},
    {"skywork", "SkyworkForCausalLM", {}},
    {"xverse", "XverseForCausalLM", {}},
    {"minicpm", "MiniCPMForCausalLM", {.tied = true}},
    {"seed_oss", "SeedOssForCausalLM", {.qkv_biases = true}},
    {"smollm3", "SmolLM3ForCausalLM", {.tied = true, .window = HfWindow::qwen}},
    {"exaone", "ExaoneForCausalLM", {.keys = {.layers = {"num_layers"}}}},
    {"exaone4",
     "Exaone4ForCausalLM",
     {.qk_norm = true, .window = HfWindow::sliding, .window_every = 4}},
    {"ernie4_5", "Ernie4_5ForCausalLM", {.tied = true, .bias_key = "use_bias"}},
    {"ernie4_5_moe",
     "Ernie4_5_MoeForCausalLM",
     {.tied = true, .bias_key = "use_bias", .more = ernie_moe}},
    {"granite", "GraniteForCausalLM", {}},
    {"granitemoe", "GraniteMoeForCausalLM", {.more = granite_moe}},
    {"granitemoeshared", "GraniteMoeSharedForCausalLM", {.more = granite_moe}},
    {"olmo", "OlmoForCausalLM", {.layer_norm = true}},
    {"olmo2", "Olmo2ForCausalLM", {.qk_norm = true}},
    {"olmo3",
     "Olmo3ForCausalLM",
     {.qk_norm = true, .window = HfWindow::sliding, .window_every = 4}},
    {"olmoe", "OlmoeForCausalLM", {.qk_norm = true, .more = olmoe}},
    {"cohere",
     "CohereForCausalLM",
     {.tied = true, .layer_norm = true, .parallel = true, .norms = 1, .more = cohere}},
    {"cohere2",
     "Cohere2ForCausalLM",
     {.tied = true,
      .layer_norm = true,
      .parallel = true,
      .norms = 1,
      .window = HfWindow::sliding,
      .window_every = 4,
      .more = cohere}},
    {"starcoder2",
     "Starcoder2ForCausalLM",
     {.gated = false,
      .tied = true,
      .layer_norm = true,
      .bias_key = "use_bias",
      .biases = true,
      .window = HfWindow::sliding}},
    {"stablelm",
     "StableLmForCausalLM",
     {.layer_norm = true, .qkv_key = "use_qkv_bias", .more = stablelm}},
    {"nemotron", "NemotronForCausalLM", {.gated = false, .layer_norm = true}},
    {"grok-1", "Grok1ModelForCausalLM", {.norms = 4, .more = grok}},
    {"dbrx",
     "DbrxForCausalLM",
     {.keys = {.layers = {"n_layers"},
               .hidden = {"d_model"},
               .heads = {"n_heads"},
               .ffn = {},
               .sequence = {"max_seq_len"}},
      .layer_norm = true,
      .ffn_times = 4,
      .more = dbrx}},
};

// What people try, and why it is none.
struct Stranger {
    std::string_view types;  // between spaces
    std::string_view reason;
};
constexpr Stranger strangers[] = {
    {" bert roberta xlm-roberta distilbert albert electra deberta deberta-v2 modernbert mpnet "
     "camembert ernie nomic_bert xlnet ",
     "is an encoder"},
    {" t5 mt5 umt5 longt5 bart mbart pegasus marian whisper blenderbot m2m_100 led prophetnet "
     "switch_transformers nllb-moe speech_to_text ",
     "has an encoder beside its decoder"},
    {" mamba mamba2 falcon_mamba rwkv rwkv5 rwkv6 rwkv7 xlstm retnet recurrent_gemma ",
     "has no attention over all tokens"},
    {" jamba zamba zamba2 bamba nemotron_h falcon_h1 granitemoehybrid qwen3_next qwen3_5 "
     "qwen3_5_text qwen3_5_moe qwen3_5_moe_text minimax minimax_text_01 kimi_linear lfm2 "
     "lfm2_moe plamo2 ",
     "mixes attention with layers of another kind"},
    {" deepseek_v32 deepseek_v4 glm_moe_dsa ", "picks the keys that it attends to by an index"},
    {" vit clip clip_text_model siglip swin dinov2 detr resnet convnext wav2vec2 hubert ",
     "reads images or sound"},
};

}  // namespace

std::span<const HfFamily> hf_families() {
    return families;
}

const HfFamily* hf_family_of(std::string_view type) {
    for (const HfFamily& family : families) {
        if (family.type == type) return &family;
    }
    return nullptr;
}

const HfFamily* hf_family_of_architecture(std::string_view name) {
    // "BaiChuanForCausalLM" is "BaichuanForCausalLM".
    for (const HfFamily& family : families) {
        if (!name.empty() && small_letters(family.architecture) == small_letters(name)) {
            return &family;
        }
    }
    return nullptr;
}

std::string_view hf_refusal_of(std::string_view type) {
    const std::string word = fmt::format(" {} ", type);
    for (const Stranger& stranger : strangers) {
        if (stranger.types.find(word) != std::string_view::npos) return stranger.reason;
    }
    return "";
}

}  // namespace weir::catalog
