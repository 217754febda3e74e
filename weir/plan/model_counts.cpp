#include "weir/plan/model_counts.hpp"

#include <algorithm>

namespace weir::plan {
namespace {

using catalog::Model;

// Matrices of one layer's attention, without biases and norms.
double attention_matrices(const Model& model) {
    const double hidden = model.hidden;
    const double heads = model.heads;
    if (model.latent) {
        const catalog::LatentAttention& latent = *model.latent;
        const double query = heads * (double{1} * latent.nope_dim + latent.rope_dim);
        const double queries =
            latent.q_lora == 0 ? hidden * query : latent.q_lora * (hidden + query);
        const double down = hidden * (double{1} * latent.kv_lora + latent.rope_dim);
        const double up = latent.kv_lora * heads * (double{1} * latent.nope_dim + latent.v_dim);
        return queries + down + up + heads * latent.v_dim * hidden;
    }
    const double query = heads * model.head_dim;
    const double key = double{1} * model.kv_heads * model.head_dim;
    return hidden * (2 * query + 2 * key);
}

double attention_biases(const Model& model) {
    if (!model.biases && !model.qkv_biases) return 0;
    const double qkv = (double{1} * model.heads + 2.0 * model.kv_heads) * model.head_dim;
    return qkv + (model.biases ? model.hidden : 0);
}

double mlp_matrices(const Model& model, double width) {
    return (model.gated ? 3 : 2) * model.hidden * width;
}

double mlp_biases(const Model& model, double width) {
    if (!model.biases || width == 0) return 0;
    return (model.gated ? 2 : 1) * width + model.hidden;
}

double norm_width(const Model& model) {
    return (model.layer_norm ? 2 : 1) * static_cast<double>(model.hidden);
}

double norms(const Model& model) {
    double count = model.norms * norm_width(model);
    if (model.qk_norm) count += 2.0 * model.head_dim;
    if (model.latent) count += double{1} * model.latent->q_lora + model.latent->kv_lora;
    return count;
}

// Layers whose attention has a window.
std::uint32_t windowed_layers(const Model& model) {
    if (model.window == 0) return 0;
    return model.window_every == 1 ? model.layers
                                   : model.layers - model.layers / model.window_every;
}

// Keys that a query sees on average where a window bounds its sight; `causal` as in forward_flops.
double reach(double sequence, double window, bool chunked, bool causal) {
    const double seen = std::min(sequence, window);
    if (!causal) return seen;
    if (sequence <= window) return (sequence + 1) / 2;
    if (chunked) {
        // Whole chunks, and the rest of one.
        const double chunks = static_cast<double>(static_cast<std::uint64_t>(sequence / window));
        const double rest = sequence - chunks * window;
        return (chunks * window * (window + 1) / 2 + rest * (rest + 1) / 2) / sequence;
    }
    // The first `window` queries see 1, 2, …, window keys, the others window.
    return window - window * (window - 1) / (2 * sequence);
}

double reach_over_layers(const Model& model, std::uint32_t sequence, bool causal) {
    if (sequence == 0) return 0;
    const double tokens = sequence;
    const double windowed = windowed_layers(model);
    const double full = model.layers - windowed;
    double sum = full * reach(tokens, tokens, false, causal);
    if (windowed > 0) sum += windowed * reach(tokens, model.window, model.chunked, causal);
    return sum / model.layers;
}

}  // namespace

std::uint32_t moe_layers(const catalog::Model& model) {
    if (!model.experts) return 0;
    return (model.layers - model.experts->first_dense) / model.experts->every;
}

ParameterCount count_parameters(const catalog::Model& model) {
    ParameterCount count;
    const double hidden = model.hidden;
    count.attention_per_layer = attention_matrices(model) + attention_biases(model);
    count.mlp_per_layer = mlp_matrices(model, model.ffn) + mlp_biases(model, model.ffn);
    count.norms_per_layer = norms(model);
    count.embedding = hidden * (double{1} * model.vocab + model.learned_positions);
    count.output = model.tied ? 0 : hidden * model.vocab;

    const double with_experts = moe_layers(model);
    const double plain = model.layers - with_experts;
    double unused = 0;  // by one token, in a layer with experts
    if (model.experts) {
        const catalog::Experts& experts = *model.experts;
        const double one = mlp_matrices(model, experts.ffn) + mlp_biases(model, experts.ffn);
        count.experts_per_layer = experts.count * one;
        count.shared_per_layer = mlp_matrices(model, experts.shared_ffn) +
                                 mlp_biases(model, experts.shared_ffn) + hidden * experts.count +
                                 (model.biases ? experts.count : 0);
        unused = (experts.count - experts.per_token) * one;
    }
    const double moe_layer = count.experts_per_layer + count.shared_per_layer;
    count.total = model.layers * (count.attention_per_layer + count.norms_per_layer) +
                  plain * count.mlp_per_layer + with_experts * moe_layer + norm_width(model) +
                  count.embedding + count.output;
    count.active = count.total - with_experts * unused;
    // DeepSeek-V3, section 2.2: a layer, a projection of the embedding beside what came in, two
    // norms before it and one behind the layer.
    const double mlp = model.experts ? moe_layer : count.mlp_per_layer;
    count.mtp = model.mtp_layers * (count.attention_per_layer + count.norms_per_layer + mlp +
                                    2 * hidden * hidden + 3 * norm_width(model));
    return count;
}

double mean_reach(const catalog::Model& model, std::uint32_t sequence) {
    return reach_over_layers(model, sequence, true);
}

ForwardFlops forward_flops(const catalog::Model& model, std::uint32_t sequence, bool causal) {
    const double tokens = sequence;
    const double with_experts = moe_layers(model);
    double matrices = model.layers * attention_matrices(model) +
                      (model.layers - with_experts) * mlp_matrices(model, model.ffn);
    if (model.experts) {
        const catalog::Experts& experts = *model.experts;
        const double width = double{1} * experts.per_token * experts.ffn + experts.shared_ffn;
        matrices +=
            with_experts * (mlp_matrices(model, width) + double{1} * model.hidden * experts.count);
    }
    const double qk_dim =
        model.latent ? double{1} * model.latent->nope_dim + model.latent->rope_dim : model.head_dim;
    const double v_dim = model.latent ? model.latent->v_dim : model.head_dim;
    ForwardFlops flops;
    flops.products = 2 * tokens * matrices;
    flops.attention = 2 * tokens * reach_over_layers(model, sequence, causal) * model.heads *
                      (qk_dim + v_dim) * model.layers;
    flops.output = 2 * tokens * model.hidden * model.vocab;
    return flops;
}

}  // namespace weir::plan
