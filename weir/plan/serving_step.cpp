#include "weir/plan/serving_step.hpp"

#include <algorithm>
#include <cmath>

namespace weir::plan {
namespace {

// Two resources that one kernel needs at once: as long as the busier one, a little more where both
// are busy, since neither is ever kept perfectly full.
double both(double one, double other) {
    const double high = std::max(one, other);
    if (high <= 0) return 0;
    const double ratio = std::min(one, other) / high;
    return high * std::sqrt(std::sqrt(1 + ratio * ratio * ratio * ratio));
}

// Rows of a product are padded: to a power of two of at least 16 up to 64, then to whole tiles of
// 64, the smallest that matrix units are fed with.
double padded_rows(double rows) {
    if (rows > 64) return std::ceil(rows / 64) * 64;
    return rows > 32 ? 64 : rows > 16 ? 32 : 16;
}

// Layers by kind, of the fullest stage.
ServingLayers layers_of(const catalog::Model& model, std::uint32_t pp) {
    const double total = model.layers;
    double moe = 0;
    if (model.experts) {
        const auto& experts = *model.experts;
        const std::uint32_t left = model.layers - std::min(model.layers, experts.first_dense);
        moe = left / std::max(1U, experts.every);
    }
    const double stage = std::ceil(total / pp) / total;
    return {stage * total, stage * (total - moe), stage * moe};
}

// Share of the layers that look no further back than the window.
double windowed_share(const catalog::Model& model) {
    if (model.window_every <= 1) return 1;
    return model.window_every == 2 ? 0.5 : 1 - 1.0 / model.window_every;
}

// Of the keys of a context that long, those that a layer looks at on average over the layers.
double seen(const catalog::Model& model, double context) {
    if (model.window == 0 || context <= model.window) return context;
    const double windowed = windowed_share(model);
    return windowed * model.window + (1 - windowed) * context;
}

// Mean keys of the last `fresh` queries of a causal prompt, over layers with and without a window.
double prompt_reach(const catalog::Model& model, double fresh, double length) {
    const double full = length - (fresh - 1) / 2;
    if (model.window == 0 || length <= model.window) return full;
    const double w = model.window;
    // Queries before the window is full, of those that are fresh, see less.
    const double short_ones = std::max(0.0, w - (length - fresh));
    const double in_window = w - short_ones * (short_ones - 1) / (2 * fresh);
    const double windowed = windowed_share(model);
    return windowed * in_window + (1 - windowed) * full;
}

double& at(ServingTerms& terms, ServingTerm term) {
    return terms[static_cast<std::size_t>(term)];
}

}  // namespace

bool is_four_bits(Numbers numbers) {
    return numbers == Numbers::nvfp4 || numbers == Numbers::mxfp4 || numbers == Numbers::int4;
}

ServingShare share_of(const catalog::Model& model,
                      const Degrees& degrees,
                      const ServingPlan& plan) {
    ServingShare s;
    s.tp = degrees.tp;
    s.pp = degrees.pp;
    s.dp = degrees.attention_dp;
    s.ep = degrees.ep;
    s.moe_tp = std::max(1.0, s.tp * s.dp / s.ep);
    s.layers = layers_of(model, degrees.pp);
    s.hidden = model.hidden;
    s.heads = model.heads / s.tp;
    s.kv_heads = std::max(1.0, model.kv_heads / s.tp);
    s.qkv = (s.heads + 2 * s.kv_heads) * model.head_dim;
    s.ffn = model.ffn / s.tp;
    s.ffn_in = (model.gated ? 2 : 1) * s.ffn;
    s.experts = plan.weights;
    s.plain = plan.weights;
    if (model.is_moe() && is_four_bits(plan.weights)) s.plain = Numbers::bf16;
    const double width = model.latent ? model.latent->kv_lora + model.latent->rope_dim
                                      : 2 * s.kv_heads * model.head_dim;
    s.cache_token_layer_bytes = width * bytes_of(plan.cache);
    return s;
}

double sum(const ServingTerms& terms) {
    double total = 0;
    for (const double term : terms)
        total += term;
    return total;
}

double ServingStep::bandwidth() const {
    return machine.memory_bytes_per_s;
}
double ServingStep::peak16() const {
    const double bf16 = machine.peak(Precision::bf16);
    const double fp16 = machine.peak(Precision::fp16);
    const double any = std::max(bf16, fp16);
    return any > 0 ? any : machine.peak(Precision::fp32);
}
// FLOP/s that large products reach.
double ServingStep::reached(Numbers numbers) const {
    const double sixteen = peak16() * chip.product_share;
    switch (numbers) {
        case Numbers::fp8:
            return std::max(sixteen, machine.peak(Precision::fp8) * chip.product_fp8_share);
        case Numbers::int8:
            return std::max(sixteen, machine.peak_int8_ops * chip.product_fp8_share);
        case Numbers::nvfp4:
        case Numbers::mxfp4:
            return std::max(sixteen, machine.peak_fp4_flops * chip.product_fp4_share);
        case Numbers::bf16:
        case Numbers::fp16:
        case Numbers::int4:
            break;
    }
    return sixteen;
}

double ServingStep::product_s(double m, double n, double k, double count, Numbers numbers) const {
    const double compute =
        2 * padded_rows(m) * n * k * count / reached(numbers) * engine.product_slowdown;
    const double share = is_four_bits(numbers) ? chip.weights_fp4_share : chip.weights_share;
    const double bytes = count * (n * k * bytes_of(numbers) + 2 * m * (n + k));
    return both(compute, bytes / (bandwidth() * share)) + chip.product_s;
}

// The plain products of a stage for `m` tokens of an attention rank; `absorbed`: a decode step
// of latent attention works on the compressed vectors.
double ServingStep::products_s(double m, double head_rows, bool absorbed) const {
    const double h = s.hidden;
    double layer = 0;
    if (model.latent) {
        const auto& a = *model.latent;
        const double qk = a.nope_dim + a.rope_dim;
        if (a.q_lora > 0) {
            layer += product_s(m, a.q_lora + a.kv_lora + a.rope_dim, h, 1, s.plain);
            layer += product_s(m, s.heads * qk, a.q_lora, 1, s.plain);
        } else {
            layer += product_s(m, s.heads * qk + a.kv_lora + a.rope_dim, h, 1, s.plain);
        }
        if (absorbed) {
            layer += product_s(m, a.kv_lora, a.nope_dim, s.heads, Numbers::bf16);
            layer += product_s(m, a.v_dim, a.kv_lora, s.heads, Numbers::bf16);
        } else {
            layer += product_s(m, s.heads * (a.nope_dim + a.v_dim), a.kv_lora, 1, s.plain);
        }
        layer += product_s(m, h, s.heads * a.v_dim, 1, s.plain);
    } else {
        layer += product_s(m, s.qkv, h, 1, s.plain);
        layer += product_s(m, h, s.heads * model.head_dim, 1, s.plain);
    }
    double total = layer * s.layers.all;
    if (s.layers.dense > 0) {
        total += s.layers.dense *
                 (product_s(m, s.ffn_in, h, 1, s.plain) + product_s(m, h, s.ffn, 1, s.plain));
    }
    if (s.layers.moe > 0) {
        const auto& e = *model.experts;
        double moe = product_s(m, e.count, h, 1, Numbers::bf16);
        if (e.shared_ffn > 0) {
            const double inner = e.shared_ffn / s.tp;
            moe += product_s(m, 2 * inner, h, 1, s.plain) + product_s(m, h, inner, 1, s.plain);
        }
        total += s.layers.moe * moe;
    }
    // The last stage is the fullest: it has the output, in 16 bits.
    return total + product_s(head_rows, model.vocab / s.tp, h, 1, Numbers::bf16);
}

// Of the routed experts, for `tokens` of all attention ranks together.
double ServingStep::experts_s(double tokens) const {
    if (s.layers.moe <= 0 || tokens <= 0) return 0;
    const auto& e = *model.experts;
    const double here = e.count / s.ep;
    const double chosen = static_cast<double>(e.per_token) / e.count;
    // An expert that a token chooses with probability p is idle in a step with probability
    // (1 - p)^tokens. Three thirds of the experts are chosen more or less often.
    double active = 0;
    for (const double liked : {1 + 1.5 * skew, 1 - 0.6 * skew, 1 - 0.9 * skew})
        active += here / 3 * (1 - std::pow(1 - std::min(1.0, chosen * liked), tokens));
    const double rows = tokens * e.per_token / s.ep;
    // The fullest of `ep` ranks, as of balls in bins.
    const double fullest =
        s.ep > 1 ? 1 + std::min(1.0, std::sqrt(2 * std::log(s.ep) / std::max(rows, 1.0))) : 1;
    const double inner = e.ffn / s.moe_tp;
    const double each = rows * fullest / std::max(active, 1e-9);
    const double layer = product_s(each, 2 * inner, s.hidden, active, s.experts) +
                         product_s(each, s.hidden, inner, active, s.experts);
    return layer * s.layers.moe * chip.experts_slowdown * engine.experts_slowdown;
}

double ServingStep::attention_decode_s(double sequences, double context) const {
    const double keys = sequences * seen(model, context);
    const double read = keys * s.cache_token_layer_bytes / (bandwidth() * chip.cache_share) *
                        engine.attention_slowdown;
    const double width =
        model.latent ? 2.0 * model.latent->kv_lora + model.latent->rope_dim : 2.0 * model.head_dim;
    const double compute = 2 * keys * s.heads * width / (peak16() * chip.attention_share);
    // Plain attention shares keys among few queries and never meets the peak.
    return s.layers.all * (model.latent ? both(read, compute) : read);
}

double ServingStep::attention_prompt_s(double tokens, double fresh, double length) const {
    const double width = model.latent
                             ? model.latent->nope_dim + model.latent->rope_dim + model.latent->v_dim
                             : 2.0 * model.head_dim;
    return s.layers.all * 2 * tokens * prompt_reach(model, fresh, length) * s.heads * width /
           (peak16() * chip.attention_share) * engine.attention_slowdown;
}

double ServingStep::moving_s(double m, double all_tokens) const {
    // Read and written, in 16 bits: two norms with residuals (8 hidden widths), the inputs of
    // products quantised or copied (4), projections, the activation of the feed-forward.
    const double plain = 12 * s.hidden + 2 * s.qkv;
    double values = m * s.layers.all * plain + m * s.layers.dense * (s.ffn_in + 2 * s.ffn);
    if (s.layers.moe > 0) {
        const auto& e = *model.experts;
        const double rows = all_tokens * e.per_token / s.ep;
        values += s.layers.moe * rows * (2 * s.hidden + 3 * e.ffn / s.moe_tp);
    }
    return 2 * values / (bandwidth() * chip.moving_share);
}

// Bytes and latency of collectives among `ranks` neighbours.
double ServingStep::slowest_bytes_per_s(double ranks) const {
    const double near = machine.inside.bytes_per_s * inside.bandwidth_share;
    if (ranks <= machine.chips_per_node || machine.between.bytes_per_s <= 0) return near;
    return std::min(near, machine.between.bytes_per_s * between.bandwidth_share);
}
double ServingStep::reduce_latency_s(double ranks) const {
    const double near = std::min<double>(ranks, machine.chips_per_node);
    double s_ = near > 1 ? inside.reduce_s + inside.reduce_hop_s * (std::log2(near) - 1) : 0;
    if (ranks > machine.chips_per_node) {
        s_ += between.reduce_s +
              between.reduce_hop_s * std::max(0.0, std::log2(ranks / machine.chips_per_node) - 1);
    }
    return s_;
}
// Of tensor parallelism: one all-reduce after attention, one after the feed-forward.
double ServingStep::reduces() const {
    const double attention = s.tp > 1 ? s.layers.all : 0;
    const double ffn = s.tp > 1 ? s.layers.dense : 0;
    const double moe = s.tp * s.dp > 1 && s.dp <= 1 ? s.layers.moe : 0;
    return attention + ffn + moe;
}
double ServingStep::tensor_bytes_s(double m) const {
    if (s.tp <= 1) return 0;
    return reduces() * 2 * (s.tp - 1) / s.tp * m * s.hidden * 2 / slowest_bytes_per_s(s.tp);
}
double ServingStep::tensor_latency_s() const {
    return reduces() * reduce_latency_s(s.tp) * engine.reduce_slowdown;
}
double ServingStep::exchange_bytes_s(double m) const {
    if (s.dp <= 1 || s.layers.moe <= 0) return 0;
    const double ranks = s.dp * s.tp;
    // Experts that are split and not spread: every rank gets all tokens and returns its part of
    // each, in 16 bits. Else out in 8 bits, back in 16, to each rank that holds a chosen expert.
    const double numbers =
        s.ep <= 1 ? 4 * (ranks - 1)
                  : 3 * std::min<double>(model.experts->per_token, ranks) * (ranks - 1) / ranks;
    return s.layers.moe * m * numbers * s.hidden / slowest_bytes_per_s(ranks);
}
double ServingStep::exchange_latency_s() const {
    if (s.dp <= 1 || s.layers.moe <= 0) return 0;
    if (s.ep <= 1) return s.layers.moe * reduce_latency_s(s.dp * s.tp) * engine.reduce_slowdown;
    const ServingLink& link = s.dp * s.tp > machine.chips_per_node ? between : inside;
    return s.layers.moe * 2 * link.exchange_s * engine.exchange_slowdown;
}

double ServingStep::kernels() const {
    // Of a layer in a captured graph: two norms, four products, attention, its preparation,
    // the activation; the inputs of products in few bits are quantised; routing, sorting and
    // gathering around experts; compressing and its norms.
    const double few_bits = bytes_of(s.plain) < 2 ? 3 : 0;
    const double latent = model.latent ? 6 : 0;
    const double moe = 4;
    return s.layers.all * (9 + few_bits + latent) + s.layers.moe * moe;
}

// A decode step of one stage for `n` sequences of an attention rank with so long contexts; the
// host looks at all `active` ones, of the other groups of a pipeline, too.
ServingTerms ServingStep::decode(double n, double active, double context) const {
    ServingTerms t{};
    const double all_tokens = n * s.dp;
    at(t, ServingTerm::products) = products_s(n, n, true);
    at(t, ServingTerm::experts) = experts_s(all_tokens);
    at(t, ServingTerm::attention) = attention_decode_s(n, context);
    at(t, ServingTerm::moving) = moving_s(n, all_tokens);
    at(t, ServingTerm::tensor) = tensor_bytes_s(n) + tensor_latency_s();
    at(t, ServingTerm::exchange) = exchange_bytes_s(n) + exchange_latency_s();
    at(t, ServingTerm::pipeline) = pipeline_s(n);
    at(t, ServingTerm::overhead) = kernels() * engine.kernel_s +
                                   s.layers.moe * engine.experts_layer_s + engine.step_s +
                                   engine.sequence_s * active;
    return t;
}
double ServingStep::pipeline_s(double tokens) const {
    if (s.pp <= 1) return 0;
    const bool outside =
        s.tp * s.dp * s.pp > machine.chips_per_node && s.tp * s.dp >= machine.chips_per_node;
    const double rate = outside ? machine.between.bytes_per_s * between.bandwidth_share
                                : machine.inside.bytes_per_s * inside.bandwidth_share;
    return tokens * s.hidden * 2 / s.tp / rate + (outside ? between : inside).reduce_s;
}

// `tokens` of prompts of that length in a step of one stage: how much longer it takes than the
// `decode_s` of a step that only gives `n` sequences their next token. n = 0: a step of its
// own.
double ServingStep::prompt_s(
    double n, double decode_s, double tokens, double fresh, double length) const {
    double more = products_s(n + tokens, n + tokens / std::max(1.0, fresh), false) +
                  experts_s((n + tokens) * s.dp) + attention_prompt_s(tokens, fresh, length) +
                  moving_s(tokens, tokens * s.dp) + tensor_bytes_s(tokens) +
                  exchange_bytes_s(tokens) + pipeline_s(tokens);
    if (n > 0)
        more -= products_s(n, n, true) + experts_s(n * s.dp);
    else
        more += tensor_latency_s() + exchange_latency_s() + engine.step_s;
    // Such steps have no captured graph: the host issues their kernels one by one.
    const double issued = kernels() * engine.eager_kernel_s;
    return std::max(decode_s + std::max(0.0, more), issued) - decode_s;
}

ServingMemory memory_of(const ServingStep& w, const ServingJob& job) {
    const catalog::Model& m = w.model;
    const ServingShare& s = w.s;
    ServingMemory memory;
    const double h = s.hidden;
    double attention = 0;
    if (m.latent) {
        const auto& a = *m.latent;
        const double qk = a.nope_dim + a.rope_dim;
        attention = h * (a.kv_lora + a.rope_dim) + s.heads * a.kv_lora * (a.nope_dim + a.v_dim) +
                    s.heads * a.v_dim * h +
                    (a.q_lora > 0 ? h * a.q_lora + a.q_lora * s.heads * qk : h * s.heads * qk);
    } else {
        attention = h * s.qkv + s.heads * m.head_dim * h;
    }
    double plain = s.layers.all * attention + s.layers.dense * h * (s.ffn_in + s.ffn);
    double experts = 0;
    if (m.experts) {
        const auto& e = *m.experts;
        plain += s.layers.moe * 3 * h * e.shared_ffn / s.tp;
        experts = s.layers.moe * (e.count / s.ep) * 3 * h * e.ffn / s.moe_tp;
    }
    const double tables =
        (m.tied ? 1 : 2) * static_cast<double>(m.vocab) * h / s.tp / (s.pp > 1 ? 2 : 1);
    memory.weights_bytes = plain * bytes_of(s.plain) + experts * bytes_of(s.experts) + 2 * tables;
    memory.cache_token_bytes =
        s.layers.all * s.cache_token_layer_bytes *
        (m.window > 0 ? seen(m, job.isl + job.osl) / (job.isl + job.osl) : 1);
    // The largest step: what is alive between two products, and scores of the vocabulary.
    const double tokens = w.chunk_tokens;
    const double inner =
        m.experts ? std::max<double>(s.ffn, m.experts->per_token * m.experts->ffn / s.moe_tp)
                  : s.ffn;
    memory.activations_bytes =
        2 * tokens * (4 * h + s.qkv + 3 * inner) + 6 * 256.0 * m.vocab / s.tp + 1.5e9;
    memory.taken_bytes = w.machine.memory_bytes * w.engine.memory_share;
    return memory;
}

}  // namespace weir::plan
