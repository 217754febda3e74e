#include "weir/plan/serving.hpp"

#include <fmt/format.h>

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
struct Layers {
    double all = 0;
    double dense = 0;
    double moe = 0;
};
Layers layers_of(const catalog::Model& model, std::uint32_t pp) {
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

// Of the keys of a context that long, those that a layer looks at on average over the layers.
double seen(const catalog::Model& model, double context) {
    if (model.window == 0 || context <= model.window) return context;
    const double windowed = model.window_every <= 1   ? 1.0
                            : model.window_every == 2 ? 0.5
                                                      : 1.0 - 1.0 / model.window_every;
    return windowed * model.window + (1 - windowed) * context;
}

// Mean keys of a query of a causal prompt, over layers with and without a window.
double prompt_reach(const catalog::Model& model, double length) {
    const double full = (length + 1) / 2;
    if (model.window == 0 || length <= model.window) return full;
    const double w = model.window;
    const double in_window = w - w * (w - 1) / (2 * length);
    const double windowed = model.window_every <= 1   ? 1.0
                            : model.window_every == 2 ? 0.5
                                                      : 1.0 - 1.0 / model.window_every;
    return windowed * in_window + (1 - windowed) * full;
}

// What the plan makes of the model, once for all steps.
struct Spread {
    double tp = 1;
    double pp = 1;
    double dp = 1;
    double ep = 1;
    double moe_tp = 1;
    Layers layers{};
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

bool is_four_bits(Numbers numbers) {
    return numbers == Numbers::nvfp4 || numbers == Numbers::mxfp4 || numbers == Numbers::int4;
}

Spread spread_of(const catalog::Model& model, const Degrees& degrees, const ServingPlan& plan) {
    Spread s;
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

// Tokens that go through a stage in one step, and where their time goes.
using Terms = std::array<double, serving_term_count>;
double& at(Terms& terms, ServingTerm term) {
    return terms[static_cast<std::size_t>(term)];
}
double sum(const Terms& terms) {
    double total = 0;
    for (const double term : terms)
        total += term;
    return total;
}

struct World {
    const catalog::Model& model;
    const Machine& machine;
    const ServingChip& chip;
    const ServingLink& inside;
    const ServingLink& between;
    const ServingEngine& engine;
    double skew;
    Spread s;

    double bandwidth() const { return machine.memory_bytes_per_s; }
    double peak16() const {
        const double bf16 = machine.peak(Precision::bf16);
        const double fp16 = machine.peak(Precision::fp16);
        const double any = std::max(bf16, fp16);
        return any > 0 ? any : machine.peak(Precision::fp32);
    }
    // FLOP/s that large products reach.
    double reached(Numbers numbers) const {
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

    double product_s(double m, double n, double k, double count, Numbers numbers) const {
        const double compute =
            2 * padded_rows(m) * n * k * count / reached(numbers) * engine.product_slowdown;
        const double share = is_four_bits(numbers) ? chip.weights_fp4_share : chip.weights_share;
        const double bytes = count * (n * k * bytes_of(numbers) + 2 * m * (n + k));
        return both(compute, bytes / (bandwidth() * share)) + chip.product_s;
    }

    // The plain products of a stage for `m` tokens of an attention rank; `absorbed`: a decode step
    // of latent attention works on the compressed vectors.
    double products_s(double m, double head_rows, bool absorbed) const {
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
    double experts_s(double tokens) const {
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

    double attention_decode_s(double sequences, double context) const {
        const double keys = sequences * seen(model, context);
        const double read = keys * s.cache_token_layer_bytes / (bandwidth() * chip.cache_share) *
                            engine.attention_slowdown;
        const double width = model.latent ? 2.0 * model.latent->kv_lora + model.latent->rope_dim
                                          : 2.0 * model.head_dim;
        const double compute = 2 * keys * s.heads * width / (peak16() * chip.attention_share);
        // Plain attention shares keys among few queries and never meets the peak.
        return s.layers.all * (model.latent ? both(read, compute) : read);
    }

    double attention_prompt_s(double tokens, double length) const {
        const double width =
            model.latent ? model.latent->nope_dim + model.latent->rope_dim + model.latent->v_dim
                         : 2.0 * model.head_dim;
        return s.layers.all * 2 * tokens * prompt_reach(model, length) * s.heads * width /
               (peak16() * chip.attention_share) * engine.attention_slowdown;
    }

    double moving_s(double m, double all_tokens) const {
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
    double slowest_bytes_per_s(double ranks) const {
        const double near = machine.inside.bytes_per_s * inside.bandwidth_share;
        if (ranks <= machine.chips_per_node || machine.between.bytes_per_s <= 0) return near;
        return std::min(near, machine.between.bytes_per_s * between.bandwidth_share);
    }
    double reduce_latency_s(double ranks) const {
        const double near = std::min<double>(ranks, machine.chips_per_node);
        double s_ = near > 1 ? inside.reduce_s + inside.reduce_hop_s * (std::log2(near) - 1) : 0;
        if (ranks > machine.chips_per_node) {
            s_ +=
                between.reduce_s +
                between.reduce_hop_s * std::max(0.0, std::log2(ranks / machine.chips_per_node) - 1);
        }
        return s_;
    }
    // Of tensor parallelism: one all-reduce after attention, one after the feed-forward.
    double reduces() const {
        const double attention = s.tp > 1 ? s.layers.all : 0;
        const double ffn = s.tp > 1 ? s.layers.dense : 0;
        const double moe = s.tp * s.dp > 1 && s.dp <= 1 ? s.layers.moe : 0;
        return attention + ffn + moe;
    }
    double tensor_bytes_s(double m) const {
        if (s.tp <= 1) return 0;
        return reduces() * 2 * (s.tp - 1) / s.tp * m * s.hidden * 2 / slowest_bytes_per_s(s.tp);
    }
    double tensor_latency_s() const {
        return reduces() * reduce_latency_s(s.tp) * engine.reduce_slowdown;
    }
    double exchange_bytes_s(double m) const {
        if (s.dp <= 1 || s.layers.moe <= 0) return 0;
        // Out in 8 bits, back in 16, to each of the ranks that hold a chosen expert.
        const double ranks = s.dp * s.tp;
        const double copies =
            std::min<double>(model.experts->per_token, ranks) * (ranks - 1) / ranks;
        return s.layers.moe * m * copies * s.hidden * 3 / slowest_bytes_per_s(ranks);
    }
    double exchange_latency_s() const {
        if (s.dp <= 1 || s.layers.moe <= 0) return 0;
        const ServingLink& link = s.dp * s.tp > machine.chips_per_node ? between : inside;
        return s.layers.moe * 2 * link.exchange_s * engine.exchange_slowdown;
    }

    double kernels() const {
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
    Terms decode(double n, double active, double context) const {
        Terms t{};
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
    double pipeline_s(double tokens) const {
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
    double prompt_s(double n, double decode_s, double tokens, double length) const {
        double more = products_s(n + tokens, n + tokens / std::max(1.0, length), false) +
                      experts_s((n + tokens) * s.dp) + attention_prompt_s(tokens, length) +
                      moving_s(tokens, tokens * s.dp) + tensor_bytes_s(tokens) +
                      exchange_bytes_s(tokens) + pipeline_s(tokens);
        if (n > 0)
            more -= products_s(n, n, true) + experts_s(n * s.dp);
        else
            more += tensor_latency_s() + exchange_latency_s() + engine.step_s;
        // Such steps have no captured graph: the host issues their kernels one by one.
        const double issued = s.layers.all * engine.eager_layer_s;
        return std::max(decode_s + std::max(0.0, more), issued) - decode_s;
    }
};

ServingMemory memory_of(const World& w, const ServingJob& job) {
    const catalog::Model& m = w.model;
    const Spread& s = w.s;
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
    const double tokens = w.engine.chunk_tokens;
    const double inner =
        m.experts ? std::max<double>(s.ffn, m.experts->per_token * m.experts->ffn / s.moe_tp)
                  : s.ffn;
    memory.activations_bytes =
        2 * tokens * (4 * h + s.qkv + 3 * inner) + 6 * 256.0 * m.vocab / s.tp + 1.5e9;
    memory.taken_bytes = w.machine.memory_bytes * w.engine.memory_share;
    return memory;
}

struct Loop {
    double tpot_s = 0;
    double ttft_s = 0;
    double decode_s = 0;  // of a token, without prompts
    double prompt_s = 0;  // that one request takes from the others
    double cycle_s = 0;   // from one request of a client to its next
};

// N sequences at once on an attention rank.
Loop loop_of(
    const World& w, const ServingJob& job, Traffic traffic, double sequences, Terms& terms) {
    const double groups = std::clamp(sequences, 1.0, w.s.pp);
    const double n = sequences / groups;
    terms = w.decode(n, sequences, job.isl + job.osl / 2);
    for (double& term : terms)
        term *= w.s.pp;
    Loop loop;
    loop.decode_s = sum(terms);
    const bool alone = traffic == Traffic::batches;
    // As many prompts in a step as come while it runs.
    const double coming = alone ? sequences * job.isl : n * job.isl / std::max(job.osl, 1.0);
    const double chunk = std::min(std::max(coming, job.isl), w.engine.chunk_tokens);
    loop.prompt_s = w.prompt_s(alone ? 0 : n, alone ? 0 : loop.decode_s / w.s.pp, chunk, job.isl) *
                    job.isl / chunk;
    const double through = loop.prompt_s * (w.s.pp - 1);
    const double others = (sequences - 1) * loop.prompt_s;
    loop.cycle_s = sequences * loop.prompt_s + through + job.osl * loop.decode_s;
    if (alone) {
        loop.ttft_s = sequences * loop.prompt_s + through + w.engine.first_s;
        loop.tpot_s = loop.decode_s;
        return loop;
    }
    double ahead = 0;  // share of the others' prompts that a request waits for
    if (job.rounds > 0) {
        ahead = 1 / (2 * job.rounds);
    } else {
        // Prompts that come by chance at a server that works on them one by one (M/D/1).
        const double busy = std::min(0.98, sequences * loop.prompt_s / loop.cycle_s);
        if (others > 0) {
            const double wait = busy / (2 * (1 - busy)) * loop.prompt_s;
            ahead = std::min(0.5, wait / others);
        }
    }
    loop.ttft_s = w.engine.first_s + loop.prompt_s + through + loop.decode_s + ahead * others;
    terms[static_cast<std::size_t>(ServingTerm::prompts)] =
        (1 - ahead) * others / std::max(job.osl, 1.0);
    loop.tpot_s = sum(terms);
    return loop;
}

constexpr double z_90 = 1.645;  // of a normal distribution, both sides together 10 %

}  // namespace

double bytes_of(Numbers numbers) {
    switch (numbers) {
        case Numbers::bf16:
        case Numbers::fp16:
            return 2;
        case Numbers::fp8:
        case Numbers::int8:
            return 1;
        case Numbers::nvfp4:
            return 0.5 + 1.0 / 16;  // a scale in 8 bits for 16 numbers
        case Numbers::mxfp4:
            return 0.5 + 1.0 / 32;  // the same for 32
        case Numbers::int4:
            return 0.5 + 2.0 / 32;  // a scale in 16 bits for 32
    }
    return 2;
}

std::string_view name_of(Numbers numbers) {
    constexpr std::array<std::string_view, 7> names{
        "bf16", "fp16", "fp8", "int8", "nvfp4", "mxfp4", "int4"};
    return names[static_cast<std::size_t>(numbers)];
}
std::string_view name_of(Engine engine) {
    constexpr std::array<std::string_view, 5> names{
        "tensorrt-llm", "vllm", "sglang", "lmdeploy", "faster-transformer"};
    return names[static_cast<std::size_t>(engine)];
}
std::string_view name_of(Traffic traffic) {
    constexpr std::array<std::string_view, 3> names{"clients", "batches", "queue"};
    return names[static_cast<std::size_t>(traffic)];
}
std::string_view name_of(ServingTerm term) {
    constexpr std::array<std::string_view, serving_term_count> names{"products",
                                                                     "experts",
                                                                     "attention",
                                                                     "moving",
                                                                     "tensor",
                                                                     "exchange",
                                                                     "pipeline",
                                                                     "overhead",
                                                                     "prompts"};
    return names[static_cast<std::size_t>(term)];
}
const std::array<Numbers, 7>& all_numbers() {
    static constexpr std::array<Numbers, 7> all{Numbers::bf16,
                                                Numbers::fp16,
                                                Numbers::fp8,
                                                Numbers::int8,
                                                Numbers::nvfp4,
                                                Numbers::mxfp4,
                                                Numbers::int4};
    return all;
}

std::string text_of(const ServingPlan& plan) {
    const auto degrees = [](const Degrees& d) {
        std::string text = fmt::format("tp {}", d.tp);
        if (d.pp > 1) text += fmt::format(", pp {}", d.pp);
        if (d.attention_dp > 1) text += fmt::format(", attention dp {}", d.attention_dp);
        if (d.ep > 1) text += fmt::format(", ep {}", d.ep);
        return text;
    };
    std::string text = degrees(plan.degrees);
    if (plan.prefill) {
        text = fmt::format("{} x prefill ({}) + {} x decode ({})",
                           plan.prefillers,
                           degrees(*plan.prefill),
                           plan.decoders,
                           text);
    }
    if (plan.batch > 0) text += fmt::format(", batch {}", plan.batch);
    text += fmt::format(", {}, cache {}", name_of(plan.weights), name_of(plan.cache));
    return text;
}

double ServingPrediction::low(double value) const {
    return value * std::exp(-z_90 * spread);
}
double ServingPrediction::high(double value) const {
    return value * std::exp(z_90 * spread);
}
double ServingPrediction::ttft_low_s() const {
    return ttft_s * std::exp(-z_90 * first_spread);
}
double ServingPrediction::ttft_high_s() const {
    return ttft_s * std::exp(z_90 * first_spread);
}

Result<void> check(const ServingJob& job) {
    WEIR_CHECK(catalog::check(job.model));
    constexpr double tokens_max = 1e8;
    const auto within = [](std::string_view name, double value, double low, double high) {
        if (value >= low && value <= high) return Result<void>{};
        return Result<void>(
            fail(Code::invalid, fmt::format("{} {}: must be {} to {}", name, value, low, high)));
    };
    WEIR_CHECK(within("isl", job.isl, 1, tokens_max));
    WEIR_CHECK(within("osl", job.osl, 1, tokens_max));
    WEIR_CHECK(within("slo ttft", job.ttft_slo_s, 0, 1e6));
    WEIR_CHECK(within("slo tpot", job.tpot_slo_s, 0, 1e6));
    WEIR_CHECK(within("qps", job.requests_per_s, 0, 1e9));
    WEIR_CHECK(within("expert skew", job.expert_skew, 0, 1));
    return within("rounds", job.rounds, 0, 1e9);
}

namespace {
Result<void> check(const Degrees& d, const catalog::Model& model, const Machine& machine) {
    const auto refuse = [](std::string text) { return fail(Code::invalid, std::move(text)); };
    if (d.tp == 0 || d.pp == 0 || d.ep == 0 || d.attention_dp == 0)
        return refuse("tp, pp, ep and attention dp must be at least 1");
    if (model.heads % d.tp != 0)
        return refuse(fmt::format("tp {}: must divide the {} heads", d.tp, model.heads));
    if (!model.latent && model.kv_heads % d.tp != 0 && d.tp % model.kv_heads != 0) {
        return refuse(fmt::format(
            "tp {}: must divide the {} heads of keys, or be a multiple", d.tp, model.kv_heads));
    }
    if (d.pp > model.layers)
        return refuse(fmt::format("pp {}: more than the {} layers", d.pp, model.layers));
    if (d.ep > 1 && !model.experts)
        return refuse(fmt::format("ep {}: model {} has no experts", d.ep, model.name));
    if (model.experts) {
        if (d.tp * d.attention_dp % d.ep != 0) {
            return refuse(fmt::format(
                "ep {}: must divide tp x attention dp = {}", d.ep, d.tp * d.attention_dp));
        }
        if (d.ep > model.experts->count)
            return refuse(fmt::format("ep {}: more than {} experts", d.ep, model.experts->count));
    } else if (d.attention_dp > 1) {
        return refuse(
            fmt::format("attention dp {}: only pays where there are experts; model {} "
                        "has none, use more replicas",
                        d.attention_dp,
                        model.name));
    }
    if (d.tp > machine.chips_per_node && machine.between.bytes_per_s <= 0)
        return refuse(fmt::format("tp {}: there is no link between nodes", d.tp));
    return {};
}
}  // namespace

Result<void> check(const ServingPlan& plan, const ServingJob& job, const Machine& machine) {
    WEIR_CHECK(check(plan.degrees, job.model, machine));
    if (plan.prefill) {
        WEIR_CHECK(check(*plan.prefill, job.model, machine));
        if (plan.prefillers == 0 || plan.decoders == 0)
            return fail(Code::invalid, "prompts apart need at least one replica of each kind");
    }
    if (is_four_bits(plan.cache)) {
        return fail(Code::invalid,
                    fmt::format("cache {}: must be bf16, fp16, fp8 or int8", name_of(plan.cache)));
    }
    return {};
}

ServingModel::ServingModel(const ServingJob& job, const Machine& machine)
    : ServingModel(job,
                   machine,
                   serving_chip(machine.chip_name),
                   serving_link(machine.inside.kind),
                   serving_link(machine.between.kind)) {}

ServingModel::ServingModel(const ServingJob& job,
                           const Machine& machine,
                           const ServingChip& chip,
                           const ServingLink& inside,
                           const ServingLink& between)
    : job_(job), machine_(machine), chip_(chip), inside_(inside), between_(between) {}

ServingPrediction ServingModel::predict(const ServingPlan& plan) const {
    return predict(plan, serving_engine(name_of(plan.engine)));
}

ServingPrediction ServingModel::predict(const ServingPlan& plan,
                                        const ServingEngine& engine) const {
    const World world{job_.model,
                      machine_,
                      chip_,
                      inside_,
                      between_,
                      engine,
                      job_.expert_skew,
                      spread_of(job_.model, plan.degrees, plan)};
    ServingPrediction p;
    p.spread = std::max(chip_.spread, engine.spread);
    p.first_spread = std::max(p.spread, engine.first_spread);
    p.estimated = !chip_.fitted || !engine.fitted ||
                  (plan.degrees.chips() > 1 && !inside_.fitted) || machine_.memory_bytes_per_s <= 0;
    p.memory = memory_of(world, job_);
    const double room = p.memory.taken_bytes - p.memory.weights_bytes - p.memory.activations_bytes;
    const double longest = job_.isl + job_.osl;
    const double admitted = job_.isl + job_.osl * (0.5 + 0.5 * engine.keeps_whole);
    p.cache_tokens = world.s.dp * std::max(0.0, room) / p.memory.cache_token_bytes;
    p.fits = p.cache_tokens >= longest * world.s.dp;
    const double most =
        std::min(engine.batch_max * world.s.dp, std::floor(p.cache_tokens / admitted));
    // A queue always fills what memory and the engine, and a limit where one is given, allow.
    const double limit = plan.batch == 0 ? most : plan.batch;
    const double asked =
        std::max(1.0, plan.traffic == Traffic::queue ? std::min(limit, most) : limit);
    p.batch = std::max(1.0, std::min(asked, most));
    p.waiting = asked - p.batch;

    // Sequences of one attention rank; the fullest of them where they do not divide.
    const auto rank = [&](double batch) { return std::max(1.0, batch / world.s.dp); };
    const double mean_held = std::min(longest, admitted);
    p.memory.cache_bytes =
        std::min(std::max(0.0, room), rank(p.batch) * mean_held * p.memory.cache_token_bytes);

    if (!plan.prefill) {
        const Loop loop = loop_of(world, job_, plan.traffic, rank(p.batch), p.term_s);
        p.ttft_s = loop.ttft_s + p.waiting / p.batch * loop.cycle_s;
        p.tpot_s = loop.tpot_s;
        const double total_s = plan.traffic == Traffic::queue
                                   ? loop.cycle_s
                                   : p.ttft_s + p.tpot_s * std::max(0.0, job_.osl - 1);
        p.requests_per_s = (plan.traffic == Traffic::queue ? p.batch : asked) / total_s;
    } else {
        // Prompts apart: decoding is not disturbed, and a request waits for one of `prefillers`
        // and for its keys and values to be sent.
        const World prompts{job_.model,
                            machine_,
                            chip_,
                            inside_,
                            between_,
                            engine,
                            job_.expert_skew,
                            spread_of(job_.model, *plan.prefill, plan)};
        const double chunk = std::min(std::max(job_.isl, 1.0), engine.chunk_tokens);
        const double one_s = prompts.prompt_s(0, 0, chunk, job_.isl) * job_.isl / chunk;
        const double prompts_per_s = plan.prefillers * prompts.s.dp / one_s;
        // The batch is what comes in while an answer is written: found by repeating, as the time
        // of a step grows slowly with it.
        double batch = p.batch;
        double token_s = 0;
        for (int i = 0; i < 4; ++i) {
            const double groups = std::clamp(rank(batch), 1.0, world.s.pp);
            p.term_s = world.decode(rank(batch) / groups, rank(batch), job_.isl + job_.osl / 2);
            for (double& term : p.term_s)
                term *= world.s.pp;
            token_s = sum(p.term_s);
            const double fed = 0.9 * prompts_per_s * job_.osl * token_s / plan.decoders;
            batch = std::max(1.0, std::min(p.batch, fed));
        }
        p.batch = batch;
        p.tpot_s = token_s;
        p.requests_per_s = plan.decoders * batch / (job_.osl * token_s);
        const double busy = std::min(0.98, p.requests_per_s / prompts_per_s);
        const double sent = job_.isl * p.memory.cache_token_bytes /
                            std::max(1.0, machine_.between.bytes_per_s * between_.bandwidth_share);
        p.ttft_s = engine.first_s + one_s * prompts.s.pp + busy / (2 * (1 - busy)) * one_s + sent +
                   token_s;
        p.waiting = 0;
        const ServingMemory other = memory_of(prompts, job_);
        if (other.weights_bytes + other.activations_bytes + job_.isl * other.cache_token_bytes >
            other.taken_bytes)
            p.fits = false;
    }
    p.output_tokens_per_s = p.requests_per_s * job_.osl;
    const double chips = static_cast<double>(plan.chips());
    p.tokens_per_s_per_chip = p.output_tokens_per_s / chips;
    if (job_.requests_per_s > 0 && p.requests_per_s > 0) {
        p.replicas = static_cast<std::uint64_t>(
            std::max(1.0, std::ceil(job_.requests_per_s / p.requests_per_s)));
    }
    p.chips = p.replicas * plan.chips();
    if (machine_.price_per_chip_hour > 0 && p.requests_per_s > 0) {
        const double served = job_.requests_per_s > 0
                                  ? job_.requests_per_s * job_.osl
                                  : p.output_tokens_per_s * static_cast<double>(p.replicas);
        p.cost_per_million_tokens =
            machine_.price_per_chip_hour * static_cast<double>(p.chips) / 3600 / served * 1e6;
    }
    return p;
}

}  // namespace weir::plan
