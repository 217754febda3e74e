#include "weir/plan/layer_cost.hpp"

#include <algorithm>
#include <cmath>

#include "weir/plan/collective_time.hpp"
#include "weir/plan/kernel_time.hpp"
#include "weir/plan/model_counts.hpp"
#include "weir/plan/stack.hpp"

namespace weir::plan {
namespace {

constexpr double half = 2;  // bytes of a BF16 or FP16 number
constexpr double full = 4;  // of an FP32 number

bool is_eight_bits(Precision precision) {
    return precision == Precision::fp8 || precision == Precision::mxfp8;
}

// Sums up what a layer does, kernel by kernel, for its forward and backward pass.
class Layer {
public:
    Layer(const TrainingJob& job, const Machine& machine, const Strategy& strategy)
        : job_(job),
          model_(job.model),
          machine_(machine),
          strategy_(strategy),
          stack_(stack_of(strategy.framework)),
          fused_(stack_.fused_elementwise && !strategy.eager),
          tp_(strategy.tp),
          number_(strategy.precision == Precision::fp32 ? full : half),
          tokens_(static_cast<double>(strategy.micro_batch) * job.sequence / strategy.cp),
          split_(strategy.sequence_parallel ? tp_ : 1.0),
          tensor_(group_of(machine, 1, strategy.tp)),
          sequence_(job.sequence),
          documents_(job.document_tokens > 0 ? std::min(job.document_tokens, job.sequence)
                                             : job.sequence) {}

    // A product with a weight matrix of this chip: y = x W, and its two derivatives.
    void product(double rows, double columns, double inner, double count, Precision precision) {
        const double in = is_eight_bits(precision) ? 1 : number_;
        const auto time = [&](double m, double n, double k, double out) {
            // Scales of rows or blocks are applied inside of the product, which takes longer:
            // three quarters of the speed of one scale for a tensor.
            const double scaled = is_eight_bits(precision) && strategy_.fine_scales ? 1 / 0.75 : 1;
            return scaled * product_s(machine_, {m, n, k, count}, precision, in, out);
        };
        const double forward = time(rows, columns, inner, number_);
        const double grads =
            time(rows, inner, columns, number_) +
            time(inner, columns, rows, strategy_.fp32_gradients ? 2 * full : number_);
        add_product(forward, grads);
        if (is_eight_bits(precision)) {
            // Inputs, weights and gradients are rounded to eight bits, with a transposed copy for
            // the other derivative: read two bytes, write two. MXFP8 also writes its scales.
            const double cast = (strategy_.fine_scales ? 3 : 1) * (number_ + 2) * count;
            const double scales = precision == Precision::mxfp8 ? 1.125 : 1.0;
            moved(cost_.forward, cast * rows * inner * scales, 1);
            moved(cost_.backward, cast * rows * columns * scales, 1);
        }
    }

    void moved(PassCost& pass, double bytes, double kernels) const {
        pass.memory_s += memory_s(machine_, bytes);
        pass.kernels += kernels;
    }

    // Kernels that read and write `elements` BF16 numbers in all.
    void elementwise(double forward_elements, double backward_elements, double kernels) {
        moved(cost_.forward, forward_elements * number_, kernels);
        moved(cost_.backward, backward_elements * number_, kernels);
    }

    void norm() {
        const double n = tokens_ / split_ * model_.hidden;
        elementwise(2 * n, 4 * n, 1);
    }

    void residual() {
        const double n = tokens_ / split_ * model_.hidden;
        if (fused_) {
            // Dropout draws and keeps a mask of bytes.
            const double mask = job_.dropout ? 0.5 * n : 0;
            elementwise(3 * n + mask, 2 * n + mask, 1);
        } else {
            elementwise(3 * n + (job_.dropout ? 2.5 * n : 0) + (model_.biases ? 2 * n : 0),
                        2 * n + (job_.dropout ? 2.5 * n : 0) + (model_.biases ? n : 0),
                        1 + (job_.dropout ? 1 : 0) + (model_.biases ? 1 : 0));
        }
    }

    void activation(double width, double rows) {
        const double n = rows * width;
        if (model_.gated) {
            elementwise(fused_ ? 3 * n : 5 * n, fused_ ? 5 * n : 8 * n, fused_ ? 1 : 2);
        } else {
            elementwise(
                fused_ ? 2 * n : 2 * n + (model_.biases ? 2 * n : 0), 3 * n, fused_ ? 1 : 2);
        }
    }

    // What chips of a tensor parallel group tell each other around one block of products.
    void tensor_block() {
        if (tp_ <= 1) return;
        const double bytes = tokens_ * model_.hidden * number_;
        if (strategy_.sequence_parallel) {
            const double gather = all_gather_s(machine_, tensor_, bytes);
            const double scatter = reduce_scatter_s(machine_, tensor_, bytes);
            cost_.forward.tensor_s += gather + scatter;
            cost_.backward.tensor_s += 2 * gather + scatter;
        } else {
            const double sum = all_reduce_s(machine_, tensor_, bytes);
            cost_.forward.tensor_s += sum;
            cost_.backward.tensor_s += sum;
        }
        cost_.forward.kernels += 2;
        cost_.backward.kernels += 2;
    }

    void attention_inside(double heads, double kv_heads, double qk_dim, double v_dim) {
        const double reach_all = mean_reach(model_, documents_);
        const double local = static_cast<double>(sequence_) / strategy_.cp;
        AttentionShape shape;
        shape.sequences = strategy_.micro_batch;
        shape.queries = local;
        shape.reach = reach_all;
        shape.heads = heads;
        shape.qk_dim = qk_dim;
        shape.v_dim = v_dim;
        shape.age = stack_.attention_age;
        shape.single_precision = strategy_.precision == Precision::fp32;
        if (strategy_.flash_attention) {
            cost_.forward.attention_s += attention_forward_s(machine_, shape);
            cost_.backward.attention_s += attention_backward_s(machine_, shape);
            cost_.forward.kernels += 1;
            cost_.backward.kernels += 3;
            cost_.kept.attention += tokens_ * heads * full;
        } else {
            // Scores are written out, all of them: two products a head and a soft maximum.
            const double s = local;
            const double all = static_cast<double>(sequence_);
            const double count = strategy_.micro_batch * heads;
            const Precision precision = Precision::fp16;
            const auto two = [&](double m, double n, double k) {
                return product_s(machine_, {m, n, k, count}, precision);
            };
            cost_.forward.attention_s += two(s, all, qk_dim) + two(s, v_dim, all);
            cost_.backward.attention_s +=
                2 * two(s, all, qk_dim) + two(s, qk_dim, all) + two(s, v_dim, all);
            const double scores = count * s * all;
            // Soft maximum reads the half that a query may look at and writes all, and back it
            // reads two halves and writes all; dropout reads, writes and keeps a mask of bytes.
            const double masks = job_.dropout ? 1 : 0;
            moved(cost_.forward, scores * (1.5 * number_ + masks * (2 * number_ + 1)), 2 + masks);
            moved(cost_.backward, scores * (1.5 * number_ + masks * (2 * number_ + 1)), 2 + masks);
            cost_.kept.attention += scores * (number_ + masks * (number_ + 1));
            if (stack_.softmax_by_fours && std::fmod(count, 4) != 0) {
                // Its kernel takes four heads at once; of other numbers each step is a kernel of
                // its own: widened to FP32, scaled, masked, the soft maximum, narrowed.
                moved(cost_.forward, scores * 34, 5);
                moved(cost_.backward, scores * 35, 4);
            }
        }
        if (strategy_.cp > 1) context(heads, kv_heads, qk_dim, v_dim, shape);
    }

    void context(
        double heads, double kv_heads, double qk_dim, double v_dim, const AttentionShape& shape) {
        const Group group = group_of(machine_, strategy_.tp, strategy_.cp);
        if (strategy_.ulysses) {
            const double bytes =
                tokens_ * number_ * (heads * (qk_dim + v_dim) + kv_heads * (qk_dim + v_dim));
            cost_.forward.context_s += all_to_all_s(machine_, group, bytes);
            cost_.backward.context_s += all_to_all_s(machine_, group, bytes);
            return;
        }
        // A ring passes keys and values on while attention works on the last ones.
        const double bytes = tokens_ * kv_heads * (qk_dim + v_dim) * number_;
        const double hop =
            send_s(machine_, group.nodes > 1 ? machine_.chips_per_node : strategy_.tp, bytes);
        const double steps = strategy_.cp - 1;
        const double forward = attention_forward_s(machine_, shape) / strategy_.cp;
        const double backward = attention_backward_s(machine_, shape) / strategy_.cp;
        cost_.forward.context_s += steps * std::max(hop - forward, 0.15 * hop);
        cost_.backward.context_s += steps * std::max(2 * hop - backward, 0.15 * hop);
        cost_.forward.kernels += 3 * steps;
        cost_.backward.kernels += 4 * steps;
    }

    void attention() {
        const Precision precision = strategy_.precision;
        const double h = model_.hidden;
        const double rows = tokens_;
        const double heads = model_.heads / tp_;
        norm();
        cost_.kept.norms += tokens_ * h * number_ / (strategy_.sequence_parallel ? split_ : 1);
        if (model_.latent) {
            latent_attention(heads);
        } else {
            const double d = model_.head_dim;
            const double kv_heads = std::max(model_.kv_heads / tp_, 1.0);
            product(rows, (heads + 2 * kv_heads) * d, h, 1, precision);
            cost_.parameters += (heads + 2 * kv_heads) * d * h + heads * d * h;
            // Positions are turned into queries and keys (rotary), or heads are split apart.
            const double n = rows * (heads + kv_heads) * d;
            if (model_.learned_positions == 0) elementwise(2 * n, 2 * n, 2);
            attention_inside(heads, kv_heads, d, d);
            cost_.kept.attention += rows * (heads + 2 * kv_heads) * d * number_;
            product(rows, h, heads * d, 1, precision);
            cost_.kept.all += rows * heads * d * number_;  // output of attention
        }
        if (model_.biases || model_.layer_norm) cost_.parameters += 2 * h;
        cost_.parameters += h;
        tensor_block();
        residual();
    }

    void latent_attention(double heads) {
        const catalog::LatentAttention& a = *model_.latent;
        const Precision precision = strategy_.precision;
        const double h = model_.hidden;
        const double rows = tokens_;
        const double qk = a.nope_dim + a.rope_dim;
        if (a.q_lora > 0) {
            product(rows / split_, a.q_lora, h, 1, precision);
            product(rows, heads * qk, a.q_lora, 1, precision);
            elementwise(2 * rows * a.q_lora, 4 * rows * a.q_lora, 1);
            cost_.parameters += a.q_lora * h + heads * qk * a.q_lora;
        } else {
            product(rows, heads * qk, h, 1, precision);
            cost_.parameters += heads * qk * h;
        }
        product(rows / split_, a.kv_lora + a.rope_dim, h, 1, precision);
        product(rows, heads * (a.nope_dim + a.v_dim), a.kv_lora, 1, precision);
        elementwise(2 * rows * a.kv_lora, 4 * rows * a.kv_lora, 1);
        cost_.parameters += (a.kv_lora + a.rope_dim) * h +
                            heads * (a.nope_dim + a.v_dim) * a.kv_lora + heads * a.v_dim * h;
        // Parts with and without positions are put together again.
        const double n = rows * heads * qk;
        elementwise(4 * n, 4 * n, 4);
        attention_inside(heads, heads, qk, a.v_dim);
        cost_.kept.latent_up += rows * heads * (2 * qk + a.v_dim) * number_;
        cost_.kept.attention += rows * (a.q_lora + a.kv_lora + a.rope_dim) * number_;
        product(rows, h, heads * a.v_dim, 1, precision);
        cost_.kept.all += rows * heads * a.v_dim * number_;
    }

    void mlp(double width) {
        const double h = model_.hidden;
        const double inner = width / tp_;
        const double up = model_.gated ? 2 : 1;
        product(tokens_, up * inner, h, 1, strategy_.precision);
        activation(inner, tokens_);
        product(tokens_, h, inner, 1, strategy_.precision);
        cost_.parameters += (up + 1) * inner * h;
        cost_.kept.mlp += tokens_ * inner * up * number_;
        cost_.kept.transient += tokens_ * inner * (up + 1) * number_;
        cost_.kept.activation += tokens_ * inner * number_;
    }

    void feed_forward() {
        norm();
        cost_.parameters += model_.hidden;
        cost_.kept.norms +=
            tokens_ * model_.hidden * number_ / (strategy_.sequence_parallel ? split_ : 1);
        mlp(model_.ffn);
        tensor_block();
        residual();
    }

    void experts() {
        const catalog::Experts& e = *model_.experts;
        const double h = model_.hidden;
        const double etp = strategy_.etp == 0 ? tp_ : strategy_.etp;
        const double ep = strategy_.ep;
        norm();
        cost_.kept.norms += tokens_ * h * number_ / split_;
        // Router, in FP32 or BF16, for the tokens of this chip.
        const double mine = tokens_ / (strategy_.sequence_parallel || etp < tp_ ? tp_ : 1);
        product(mine, e.count, h, 1, Precision::bf16);
        elementwise(6 * mine * e.count, 4 * mine * e.count, 6);
        cost_.parameters += e.count * h + h;
        // Tokens that the experts of this chip work on: those of all chips that share their
        // tensors.
        const double routed =
            mine * e.per_token * (strategy_.sequence_parallel || etp < tp_ ? etp : 1.0);
        const double local = e.count / ep;
        const double inner = e.ffn / etp;
        const double up = model_.gated ? 2 : 1;
        const double rows = routed / local;
        product(rows, up * inner, h, local, strategy_.precision);
        activation(inner, routed);
        product(rows, h, inner, local, strategy_.precision);
        cost_.expert_parameters += local * (up + 1) * inner * h;
        // Sorting by expert and back, before and after; probabilities are multiplied in.
        elementwise(4 * routed * h, 4 * routed * h, 6);
        elementwise(4 * routed * h, 6 * routed * h, 4);
        // Both halves inside, what experts read (as it went into products, in FP8 as well), and
        // what they give, where weights of experts are multiplied in behind them.
        const double read = is_eight_bits(strategy_.precision) ? 1 : number_;
        const double given = stack_.keeps_expert_outputs ? number_ : 0;
        cost_.kept.mlp += routed * inner * up * number_ + routed * h * (read + given);
        cost_.kept.transient += routed * (inner * (up + 1) + 2 * h) * number_;
        cost_.kept.activation += routed * inner * number_;
        if (ep > 1) {
            const Group group = group_of(machine_, static_cast<std::uint64_t>(etp), strategy_.ep);
            const double bytes = mine * e.per_token * h * number_;
            const double to_chips = sent_to(ep);
            const double each =
                all_to_all_s(machine_, group, bytes * to_chips, sent_to(group.nodes) / to_chips);
            cost_.forward.experts_s += 2 * each;
            cost_.backward.experts_s += 2 * each;
        }
        if (etp > 1) {
            const double bytes = routed * h * number_;
            const Group group = group_of(machine_, 1, static_cast<std::uint64_t>(etp));
            cost_.forward.tensor_s += 2 * all_gather_s(machine_, group, bytes);
            cost_.backward.tensor_s += 2 * all_gather_s(machine_, group, bytes);
        }
        if (e.shared_ffn > 0) {
            mlp(e.shared_ffn);
            tensor_block();
        }
        residual();
    }

    // Of the copies of a token, one for each of its experts, the share that is sent, where those
    // for the same of `places` go once (DeepSeek-V3, section 3.2.2; DeepEP): k experts by chance
    // in n places are in n (1 - (1 - 1/n)^k) of them. Groups of experts, of which a token uses
    // few, limit the places.
    double sent_to(double places) const {
        if (!strategy_.deepep) return 1;
        const catalog::Experts& e = *model_.experts;
        const double k = e.per_token;
        const double reached = std::max(
            1.0, places * std::min(1.0, static_cast<double>(e.groups_per_token) / e.groups));
        return std::min(1.0, reached * (1 - std::pow(1 - 1 / reached, k)) / k);
    }

    LayerCost done() {
        const double h = model_.hidden;
        cost_.kept.input = tokens_ * h * number_ / split_;
        if (is_eight_bits(strategy_.precision)) {
            // What products read is kept as it went into them, in eight bits.
            cost_.kept.norms /= 2;
            cost_.kept.activation /= 2;
        }
        // Both residual streams, and what the two blocks of products read.
        if (stack_.keeps_gathered)
            cost_.kept.gathered = 2 * tokens_ * h * number_ * (1 - 1 / split_);
        cost_.kept.all += 2 * cost_.kept.input + cost_.kept.attention + cost_.kept.norms +
                          cost_.kept.activation + cost_.kept.mlp + cost_.kept.latent_up +
                          cost_.kept.gathered;
        if (job_.dropout) cost_.kept.all += 2 * tokens_ * h / split_;
        for (PassCost* pass : {&cost_.forward, &cost_.backward}) {
            pass->kernels += stack_.extra_kernels;
            pass->tensor_base_s = pass->products_s;
        }
        return cost_;
    }

private:
    void add_product(double forward, double grads) {
        cost_.forward.products_s += forward;
        cost_.forward.kernels += 1;
        cost_.backward.products_s += grads;
        cost_.backward.kernels += 2;
    }

    const TrainingJob& job_;
    const catalog::Model& model_;
    const Machine& machine_;
    const Strategy& strategy_;
    const Stack& stack_;
    bool fused_;
    double tp_;
    double number_;  // bytes of a number that is kept or sent
    double tokens_;
    double split_;
    Group tensor_;
    std::uint32_t sequence_;
    std::uint32_t documents_;  // tokens of one document; attention ends with it
    LayerCost cost_{};
};

}  // namespace

PassCost& PassCost::operator+=(const PassCost& other) {
    products_s += other.products_s;
    attention_s += other.attention_s;
    memory_s += other.memory_s;
    kernels += other.kernels;
    tensor_s += other.tensor_s;
    tensor_base_s += other.tensor_base_s;
    context_s += other.context_s;
    experts_s += other.experts_s;
    return *this;
}

LayerCost layer_cost(const TrainingJob& job,
                     const Machine& machine,
                     const Strategy& strategy,
                     bool with_experts) {
    Layer layer(job, machine, strategy);
    layer.attention();
    if (with_experts)
        layer.experts();
    else
        layer.feed_forward();
    return layer.done();
}

EndCost end_cost(const TrainingJob& job, const Machine& machine, const Strategy& strategy) {
    const catalog::Model& model = job.model;
    const Stack& stack = stack_of(strategy.framework);
    EndCost cost;
    const double tokens = static_cast<double>(strategy.micro_batch) * job.sequence / strategy.cp;
    const double tp = strategy.tp;
    const double split = strategy.sequence_parallel ? tp : 1.0;
    const double h = model.hidden;
    const double vocab = model.vocab / tp;
    const bool padded = stack.pads_vocabulary && !job.bare_vocabulary;
    const double aligned = padded ? 1 : alignment_share(model.vocab / strategy.tp);
    const Precision precision =
        is_eight_bits(strategy.precision) ? Precision::bf16 : strategy.precision;
    const Group tensor = group_of(machine, 1, strategy.tp);
    const double number = strategy.precision == Precision::fp32 ? full : half;
    const double stream = tokens * h * number;

    cost.embedding_forward.memory_s = memory_s(machine, 3 * stream);
    cost.embedding_forward.kernels = 3;
    // Gradients are added to the rows of the table, in FP32.
    cost.embedding_backward.memory_s = memory_s(machine, tokens * h * (number + 2 * full));
    cost.embedding_backward.kernels = 3;
    if (tp > 1) {
        cost.embedding_forward.tensor_s = strategy.sequence_parallel
                                              ? reduce_scatter_s(machine, tensor, stream)
                                              : all_reduce_s(machine, tensor, stream);
    }
    cost.embedding_parameters = vocab * h + model.learned_positions * h;

    const auto product = [&](double m, double n, double k) {
        return product_s(machine, {m, n, k, 1}, precision) / aligned;
    };
    cost.head_forward.products_s = product(tokens, vocab, h);
    cost.head_backward.products_s = product(tokens, h, vocab) + product(h, vocab, tokens);
    // The loss in FP32: scores are widened, exponents taken, summed and compared; backward writes
    // their gradients.
    const double scores = tokens * vocab;
    cost.head_forward.memory_s = memory_s(machine, scores * stack.loss_forward_bytes) +
                                 memory_s(machine, 2 * stream / split);
    cost.head_backward.memory_s = memory_s(machine, scores * stack.loss_backward_bytes) +
                                  memory_s(machine, 4 * stream / split);
    cost.head_forward.kernels = 10;
    cost.head_backward.kernels = 8;
    if (tp > 1) {
        const double gather = all_gather_s(machine, tensor, stream);
        cost.head_forward.tensor_s = strategy.sequence_parallel ? gather : 0;
        cost.head_forward.tensor_s += 3 * all_reduce_s(machine, tensor, tokens * full);
        cost.head_backward.tensor_s =
            strategy.sequence_parallel ? 2 * gather : all_reduce_s(machine, tensor, stream);
    }
    cost.head_parameters = vocab * h + h;
    const bool eager = strategy.eager || strategy.eager_loss;
    cost.logits_bytes = scores * (!eager   ? stack.loss_kept_bytes
                                  : tp > 1 ? stack.eager_split_loss_kept_bytes
                                           : stack.eager_loss_kept_bytes);
    if (stack.keeps_gathered && strategy.sequence_parallel) cost.logits_bytes += stream;
    return cost;
}

}  // namespace weir::plan
