#include "weir/plan/training.hpp"

#include <algorithm>
#include <cmath>

#include "weir/plan/collective_time.hpp"
#include "weir/plan/kernel_time.hpp"
#include "weir/plan/model_counts.hpp"
#include "weir/plan/stack.hpp"
#include "weir/plan/usual.hpp"

namespace weir::plan {
namespace {

constexpr std::array<std::string_view, term_count> term_names{"matrix products",
                                                              "attention",
                                                              "memory-bound work",
                                                              "recompute",
                                                              "tensor parallel",
                                                              "context parallel",
                                                              "expert parallel",
                                                              "pipeline sends",
                                                              "data parallel",
                                                              "bubble",
                                                              "optimizer",
                                                              "overhead"};
constexpr std::array<std::string_view, memory_part_count> part_names{
    "weights", "gradients", "optimizer", "activations", "buffers", "reserve"};

constexpr double half = 2;
constexpr double full = 4;

// Terms of one pass, or of a stage's micro-batch, by Term.
struct Terms {
    std::array<double, term_count> s{};
    std::array<double, term_count> hidden_s{};

    double& at(Term term) { return s[static_cast<std::size_t>(term)]; }
    double& hidden_at(Term term) { return hidden_s[static_cast<std::size_t>(term)]; }
    [[nodiscard]] double total_s() const {
        double sum = 0;
        for (const double one : s)
            sum += one;
        return sum;
    }
    void add(const Terms& other, double times = 1) {
        for (std::size_t i = 0; i < s.size(); ++i) {
            s[i] += other.s[i] * times;
            hidden_s[i] += other.hidden_s[i] * times;
        }
    }
};

// How the pieces of a strategy turn into seconds, without what depends on the pipeline.
class Step {
public:
    Step(const Machine& machine, const Strategy& strategy)
        : machine_(machine), strategy_(strategy), stack_(stack_of(strategy.framework)) {}

    // Communication beside `beside_s` of computation: what remains to be waited for.
    double exposed(double talk_s, double beside_s, double& hidden_s) const {
        const double hidden = std::min(talk_s, beside_s);
        hidden_s += hidden;
        return talk_s - hidden + hidden * machine_.chip.overlap_slowdown;
    }

    // One pass over one layer. `again`: it is done once more in the backward pass.
    Terms pass(const PassCost& cost, bool again) const {
        Terms terms;
        if (again) {
            terms.at(Term::recompute) = cost.work_s();
        } else {
            terms.at(Term::products) = cost.products_s;
            terms.at(Term::attention) = cost.attention_s;
            terms.at(Term::memory_bound) = cost.memory_s;
        }
        terms.at(Term::tensor) = strategy_.overlap.tensor
                                     ? exposed(cost.tensor_s,
                                               usual_.tensor_beside * cost.tensor_base_s,
                                               terms.hidden_at(Term::tensor))
                                     : cost.tensor_s;
        terms.at(Term::context) = cost.context_s;
        terms.at(Term::experts) = strategy_.overlap.experts
                                      ? exposed(cost.experts_s,
                                                usual_.experts_beside * cost.work_s(),
                                                terms.hidden_at(Term::experts))
                                      : cost.experts_s;
        const double host_s = strategy_.cuda_graphs || stack_.compiled
                                  ? 0
                                  : cost.kernels * machine_.chip.host_s * stack_.host_share;
        const double started_s = cost.kernels * machine_.chip.kernel_s;
        const double device_s = terms.total_s() + started_s;
        terms.at(Term::overhead) =
            started_s + together(device_s, host_s, cost.tensor_s > 0) - device_s;
        return terms;
    }

private:
    // The host issues kernels while the chip works. Where one of them is much slower, the other one
    // hides behind it; where they are alike, the queue runs dry behind short kernels and is full
    // behind long ones, so that a pass takes longer than either. Chips that wait for each other
    // inside a layer wait for the slowest of their hosts each time, and none can run far ahead
    // (`in_step`: fits the layers of VIA-Research/vTrain, the grid of one node, best).
    static double together(double device_s, double host_s, bool in_step) {
        const double device = device_s * device_s;
        const double host = host_s * host_s;
        if (in_step) return std::sqrt(device + host);
        return std::sqrt(std::sqrt(device * device + host * host));
    }

    const Machine& machine_;
    const Strategy& strategy_;
    const Stack& stack_;
    const UsualSoftware& usual_ = usual_software();
};

// Chips over which weights of this kind are replicated, and where those chips lie.
struct Replicas {
    double size = 1;
    std::uint64_t stride = 1;
};
Replicas dense_replicas(const Strategy& s) {
    return {static_cast<double>(s.dp) * s.cp, s.tp};
}
Replicas expert_replicas(const Strategy& s) {
    const double etp = s.etp == 0 ? s.tp : s.etp;
    const double room = static_cast<double>(s.dp) * s.cp * s.tp;
    return {std::max(room / (s.ep * etp), 1.0), static_cast<std::uint64_t>(etp) * s.ep};
}

// DualPipe has each stage on two chips, for micro-batches from both ends of the pipeline; folded
// into a V (DualPipeV) it lies on one (README of deepseek-ai/DualPipe).
bool is_folded(const Strategy& s) {
    return s.schedule == Schedule::dualpipe && stack_of(s.framework).folds_dualpipe;
}
bool is_twice(const Strategy& s) {
    return s.schedule == Schedule::dualpipe && !stack_of(s.framework).folds_dualpipe;
}

double shards_of(const Strategy& s, const Replicas& replicas) {
    if (s.zero == 0) return 1;
    return s.zero_group == 0 ? replicas.size
                             : std::min(replicas.size, static_cast<double>(s.zero_group));
}

}  // namespace

std::string_view name_of(Term term) {
    return term_names[static_cast<std::size_t>(term)];
}
std::string_view name_of(MemoryPart part) {
    return part_names[static_cast<std::size_t>(part)];
}

double Prediction::hidden_total_s() const {
    double sum = 0;
    for (const double one : hidden_s)
        sum += one;
    return sum;
}

double sum_of(const Memory& memory) {
    double sum = 0;
    for (const double part : memory)
        sum += part;
    return sum;
}

double Prediction::memory_total_bytes() const {
    return sum_of(memory_bytes);
}

TrainingModel::TrainingModel(const TrainingJob& job, const Machine& machine)
    : job_(job), machine_(machine) {
    moe_layers_ = catalog::Model(job_.model).is_moe() ? plan::moe_layers(job_.model) : 0;
    model_flops_ = 3 * forward_flops(job_.model, job_.sequence, false).total() * job_.global_batch;
}

TrainingModel::Layers TrainingModel::layers(const Strategy& strategy) const {
    Layers layers;
    if (moe_layers_ < job_.model.layers) layers.dense = layer_cost(job_, machine_, strategy, false);
    if (moe_layers_ > 0) layers.moe = layer_cost(job_, machine_, strategy, true);
    layers.end = end_cost(job_, machine_, strategy);
    return layers;
}

Prediction TrainingModel::predict(const Strategy& strategy) const {
    return predict(strategy, layers(strategy));
}

Prediction TrainingModel::predict(const Strategy& s, const Layers& layers) const {
    const Step step(machine_, s);
    const UsualSoftware& usual = usual_software();
    const double depth = job_.model.layers + job_.model.mtp_layers;
    const double per_stage = std::ceil(depth / s.pp);
    const double moe_share =
        moe_layers_ / job_.model.layers;  // of the layers of a stage, on average
    const double micro_batches = std::max(
        1.0, static_cast<double>(job_.global_batch) / (static_cast<double>(s.micro_batch) * s.dp));
    const Replicas dense = dense_replicas(s);
    const Replicas expert = expert_replicas(s);

    // One micro-batch on a stage of the middle.
    Terms forward;
    Terms backward;
    const double again_layers = s.recompute != Recompute::full ? 0
                                : s.recompute_layers == 0
                                    ? per_stage
                                    : std::min<double>(s.recompute_layers, per_stage);
    const auto add_layers = [&](const LayerCost& layer, double count) {
        if (count <= 0) return;
        Terms one_forward = step.pass(layer.forward, false);
        Terms one_backward = step.pass(layer.backward, false);
        const double again = again_layers / per_stage;
        if (again > 0) one_backward.add(step.pass(layer.forward, true), again);
        if (s.recompute == Recompute::selective) {
            // The share of the forward work that the named parts are.
            PassCost part;
            if (s.parts.norms || s.parts.activation)
                part.memory_s = usual.small_again * layer.forward.memory_s;
            if (s.parts.attention && !s.flash_attention) {
                part.attention_s = layer.forward.attention_s;
                part.memory_s += usual.scores_again * layer.forward.memory_s;
            }
            if (s.parts.mlp || s.parts.every_other_product)
                part.products_s += usual.feed_forward_again * layer.forward.products_s;
            if (s.parts.latent_up) part.products_s += usual.latent_again * layer.forward.products_s;
            one_backward.add(step.pass(part, true));
        }
        if (s.zero == 3) {
            // Weights come before each pass and gradients leave after the backward one.
            const auto group = [&](const Replicas& replicas) {
                return group_of(
                    machine_, replicas.stride, static_cast<std::uint64_t>(shards_of(s, replicas)));
            };
            const double bytes = s.fp32_gradients ? full : half;
            const double gather =
                all_gather_s(machine_, group(dense), layer.parameters * half) +
                all_gather_s(machine_, group(expert), layer.expert_parameters * half);
            const double scatter =
                reduce_scatter_s(machine_, group(dense), layer.parameters * bytes) +
                reduce_scatter_s(machine_, group(expert), layer.expert_parameters * bytes);
            const double beside_forward = one_forward.total_s();
            const double beside_backward = one_backward.total_s();
            one_forward.at(Term::data) +=
                step.exposed(gather, beside_forward, one_forward.hidden_at(Term::data));
            one_backward.at(Term::data) +=
                step.exposed(gather + scatter, beside_backward, one_backward.hidden_at(Term::data));
        }
        forward.add(one_forward, count);
        backward.add(one_backward, count);
    };
    add_layers(layers.dense, per_stage * (1 - moe_share));
    add_layers(layers.moe, per_stage * moe_share);

    // A micro-batch of all but the ends, and with them on the fullest stage.
    Terms middle = forward;
    middle.add(backward);
    Terms ends;
    {
        Terms head = step.pass(layers.end.head_forward, false);
        head.add(step.pass(layers.end.head_backward, false));
        if (job_.model.mtp_layers > 0) head.add(head, job_.model.mtp_layers);
        Terms embedding = step.pass(layers.end.embedding_forward, false);
        embedding.add(step.pass(layers.end.embedding_backward, false));
        if (s.pp == 1) {
            ends = head;
            ends.add(embedding);
        } else {
            // Stages with fewer layers because they do not divide evenly take the ends.
            double spare = std::min(per_stage * s.pp - depth, 1.0);
            if (is_twice(s)) {
                // Both ends lie on the same chips, which have the one of half of the micro-batches
                // and the other of the rest.
                ends.add(head, 0.5);
                ends.add(embedding, 0.5);
                spare = std::min(per_stage * s.pp - depth, 2.0) / 2;
            } else {
                ends = head.total_s() > embedding.total_s() ? head : embedding;
            }
            if (spare > 0) {
                const double saved = middle.total_s() / per_stage * spare;
                const double left = std::max(0.0, ends.total_s() - saved) / ends.total_s();
                Terms less;
                less.add(ends, left);
                ends = less;
            }
        }
    }
    Terms stage = middle;
    stage.add(ends);

    Terms total;
    total.add(stage, micro_batches);

    if (s.pp > 1) {
        const double split = s.tp;
        const double bytes = static_cast<double>(s.micro_batch) * job_.sequence / s.cp *
                             job_.model.hidden * half / split;
        const std::uint64_t stride = static_cast<std::uint64_t>(s.tp) * s.cp * s.dp;
        const double send = slowest_send_s(machine_, stride, s.pp, bytes);
        const double sends = 2 * s.vpp * micro_batches * send;
        const double fill = 2 * (s.pp - 1) * send;
        if (s.overlap.pipeline)
            total.at(Term::pipeline) +=
                step.exposed(sends, total.total_s(), total.hidden_at(Term::pipeline)) + fill;
        else
            total.at(Term::pipeline) += sends + fill;
        // Fill and drain: the other stages wait for one micro-batch to come through. Zero-bubble
        // schedules put weight gradients, a third of the work, into two thirds of it.
        double bubble = (s.pp - 1.0) / s.vpp * middle.total_s();
        if (s.schedule == Schedule::zero_bubble) bubble *= usual.zero_bubble;
        if (s.schedule == Schedule::dualpipe) bubble *= usual.dualpipe_bubble;
        total.at(Term::bubble) += bubble;
    }

    // Data parallelism at the end of the step.
    const double chip_layers = per_stage;
    const double dense_parameters =
        chip_layers *
            ((1 - moe_share) * layers.dense.parameters + moe_share * layers.moe.parameters) +
        layers.end.embedding_parameters * (s.pp == 1 && !job_.model.tied ? 2 : 1);
    const double expert_parameters = chip_layers * moe_share * layers.moe.expert_parameters;
    const double gradient = s.fp32_gradients ? full : half;
    if (s.zero < 3) {
        // Gradients and weights travel in buckets of 40 million parameters, larger ones in large
        // groups (Megatron-Core, distributed_data_parallel_config.py).
        const auto buckets = [](double parameters, double members) {
            return std::ceil(parameters / std::max(40e6, 1e6 * members));
        };
        const auto group = [&](const Replicas& replicas, double size) {
            return group_of(machine_, replicas.stride, static_cast<std::uint64_t>(size));
        };
        const auto reduce_of = [&](const Replicas& replicas, double parameters) {
            if (replicas.size <= 1) return 0.0;
            const double bytes = parameters * gradient;
            const double pieces = buckets(parameters, replicas.size);
            return s.zero == 0
                       ? all_reduce_s(machine_, group(replicas, replicas.size), bytes, pieces)
                       : reduce_scatter_s(machine_, group(replicas, replicas.size), bytes, pieces);
        };
        // Only those who share the optimiser's state have to tell each other.
        const auto gather_of = [&](const Replicas& replicas, double parameters) {
            const double shards = shards_of(s, replicas);
            if (shards <= 1) return 0.0;
            return all_gather_s(
                machine_, group(replicas, shards), parameters * half, buckets(parameters, shards));
        };
        // ZeRO-2 keeps only its share of the gradients, so each micro-batch sends its own.
        const double times = s.zero == 2 ? micro_batches : 1;
        const double reduce =
            times * (reduce_of(dense, dense_parameters) + reduce_of(expert, expert_parameters));
        const double gather =
            gather_of(dense, dense_parameters) + gather_of(expert, expert_parameters);
        total.at(Term::data) += s.overlap.grad_reduce
                                    ? step.exposed(reduce,
                                                   times * usual.reduce_beside * backward.total_s(),
                                                   total.hidden_at(Term::data))
                                    : reduce;
        total.at(Term::data) +=
            s.overlap.param_gather
                ? step.exposed(
                      gather, usual.gather_beside * forward.total_s(), total.hidden_at(Term::data))
                : gather;
    } else if (s.zero_group > 0 && dense.size > s.zero_group) {
        // Sharded inside a group, summed over the groups.
        const auto sum_of = [&](const Replicas& replicas, double parameters) {
            const double shards = shards_of(s, replicas);
            const Group group{1, std::max(replicas.size / shards, 1.0)};
            return all_reduce_s(machine_, group, parameters / shards * gradient);
        };
        total.at(Term::data) += sum_of(dense, dense_parameters) + sum_of(expert, expert_parameters);
    }
    // Adam reads gradient, weight and two moments in FP32, writes three of them and the BF16
    // weight; the norm of the gradients reads them once more and they are set to zero.
    const double sharded =
        dense_parameters / shards_of(s, dense) + expert_parameters / shards_of(s, expert);
    const double optimizer_bytes =
        30 * sharded + 8 * (s.zero == 3 ? sharded : dense_parameters + expert_parameters);
    total.at(Term::optimizer) += memory_s(machine_, optimizer_bytes);
    if (s.offload_optimizer) {
        // Gradients go to the host and weights come back.
        total.at(Term::optimizer) += sharded * (full + half) / machine_.host_bytes_per_s;
    }
    if (s.offload_layers > 0) {
        // What layers keep goes to the host beside the forward pass and comes back beside the
        // backward one.
        const double kept =
            (1 - moe_share) * layers.dense.kept.all + moe_share * layers.moe.kept.all;
        const double moved =
            std::min<double>(s.offload_layers, per_stage) * kept / machine_.host_bytes_per_s;
        total.at(Term::overhead) +=
            micro_batches *
            (step.exposed(moved, forward.total_s(), total.hidden_at(Term::overhead)) +
             step.exposed(moved, backward.total_s(), total.hidden_at(Term::overhead)));
    }

    const double chips = static_cast<double>(s.chips());
    const double nodes = std::max(1.0, chips / machine_.chips_per_node);
    total.at(Term::overhead) += machine_.chip.step_s * stack_of(s.framework).step_share;
    total.at(Term::overhead) += total.total_s() * machine_.chip.straggle * std::log2(nodes);

    Prediction result;
    result.term_s = total.s;
    result.step_s = total.total_s();
    result.hidden_s = total.hidden_s;
    result.model_flops = model_flops_;
    const double peak = machine_.peak(s.precision);
    result.mfu = model_flops_ / (result.step_s * chips * peak);
    result.tokens_per_s = static_cast<double>(job_.global_batch) * job_.sequence / result.step_s;
    result.memory_bytes = memory(s, layers, 0);
    if (s.pp > 1) {
        const Memory last = memory(s, layers, s.pp - 1);
        if (sum_of(last) > sum_of(result.memory_bytes)) result.memory_bytes = last;
    }
    return result;
}

Memory TrainingModel::memory(const Strategy& s, const Layers& layers, std::uint32_t stage) const {
    Memory memory{};
    const auto at = [&](MemoryPart part) -> double& {
        return memory[static_cast<std::size_t>(part)];
    };
    const double depth = job_.model.layers;
    const double per_stage = std::ceil(depth / s.pp);
    const double moe_share = moe_layers_ / job_.model.layers;
    const bool first = stage == 0;
    const bool folded = is_folded(s);
    const bool last = folded ? first : stage + 1 == s.pp;
    const Replicas dense_copies = dense_replicas(s);
    const Replicas expert_copies = expert_replicas(s);

    double dense =
        per_stage * ((1 - moe_share) * layers.dense.parameters + moe_share * layers.moe.parameters);
    double experts = per_stage * moe_share * layers.moe.expert_parameters;
    if (first) dense += layers.end.embedding_parameters;
    if (last && (!job_.model.tied || s.pp > 1)) dense += layers.end.head_parameters;
    // Modules that predict further tokens are layers of the last kind, on the last stage.
    const double mtp = last ? job_.model.mtp_layers : 0;
    dense += mtp * (moe_layers_ > 0 ? layers.moe.parameters : layers.dense.parameters);
    experts += mtp * layers.moe.expert_parameters;
    if (is_twice(s)) {
        // Both directions have weights of their own on each chip.
        dense *= 2;
        experts *= 2;
    }

    const bool fp32 = s.precision == Precision::fp32;
    const double weight = fp32 ? full : half;
    const double dense_shards = shards_of(s, dense_copies);
    const double expert_shards = shards_of(s, expert_copies);
    if (s.zero == 3) {
        // Sharded master weights in FP32 are the weights; whole layers are gathered in BF16.
        at(MemoryPart::weights) = (dense / dense_shards + experts / expert_shards) * full;
        at(MemoryPart::gradients) = (dense / dense_shards + experts / expert_shards) * full;
        at(MemoryPart::optimizer) = (dense / dense_shards + experts / expert_shards) * 2 * full;
        const double largest =
            std::max(layers.dense.parameters, layers.moe.parameters + layers.moe.expert_parameters);
        at(MemoryPart::buffers) += 2 * largest * (half + half);
        if (stack_of(s.framework).root_stays_gathered) {
            at(MemoryPart::buffers) += half * ((first ? layers.end.embedding_parameters : 0) +
                                               (last ? layers.end.head_parameters : 0));
        }
    } else {
        at(MemoryPart::weights) = (dense + experts) * weight;
        // In FP8 a weight is kept twice, once transposed: two bytes, too (fp8-param-gather).
        const double kept_gradients =
            s.zero == 2 ? dense / dense_shards + experts / expert_shards : dense + experts;
        at(MemoryPart::gradients) = kept_gradients * (s.fp32_gradients ? full : half);
        at(MemoryPart::optimizer) =
            (dense / dense_shards + experts / expert_shards) * (fp32 ? 2 * full : 3 * full);
    }
    if (s.offload_optimizer) at(MemoryPart::optimizer) = 0;

    // Micro-batches whose activations this stage holds at once, in layers of one micro-batch.
    const double micro_batches = std::max(
        1.0, static_cast<double>(job_.global_batch) / (static_cast<double>(s.micro_batch) * s.dp));
    double held_layers = 0;
    if (s.vpp <= 1) {
        held_layers = std::min<double>(micro_batches, s.pp - stage) * per_stage;
    } else {
        const double chunks = 2.0 * (s.pp - stage - 1) + (s.vpp - 1.0) * s.pp + 1;
        held_layers = std::min(chunks, micro_batches * s.vpp) * per_stage / s.vpp;
    }
    if (s.schedule == Schedule::dualpipe)
        held_layers = std::min<double>(micro_batches, s.pp + (folded ? 0.5 : 1)) * per_stage;
    held_layers += mtp;
    const auto kept_of = [&](const KeptBytes& kept) {
        double bytes = kept.all;
        if (s.recompute == Recompute::selective) {
            if (s.parts.attention) bytes -= s.flash_attention ? 0 : kept.attention;
            if (s.parts.norms) bytes -= kept.norms;
            if (s.parts.norms || s.parts.every_other_product) bytes -= kept.gathered;
            if (s.parts.activation) bytes -= kept.activation;
            if (s.parts.mlp) bytes -= kept.mlp;
            if (s.parts.every_other_product) bytes -= 0.5 * kept.mlp;
            if (s.parts.latent_up) bytes -= kept.latent_up;
        }
        return bytes;
    };
    const auto layer_bytes = [&](const KeptBytes& kept) {
        if (s.recompute != Recompute::full) return kept_of(kept);
        const double share =
            s.recompute_layers == 0 ? 1 : std::min(1.0, s.recompute_layers / per_stage);
        return share * kept.input + (1 - share) * kept.all;
    };
    const double one_layer =
        (1 - moe_share) * layer_bytes(layers.dense.kept) + moe_share * layer_bytes(layers.moe.kept);
    double activations = held_layers * one_layer;
    if (s.recompute == Recompute::full)
        activations += std::max(layers.dense.kept.all, layers.moe.kept.all);
    if (s.offload_layers > 0) activations *= std::max(0.0, 1 - s.offload_layers / per_stage);
    at(MemoryPart::activations) = activations;
    // The peak is where the loss is taken, or where the widest gradients are: of a layer, or of the
    // whole table of embeddings.
    const double table = s.zero == 3 ? 0 : layers.end.embedding_parameters * half;
    at(MemoryPart::buffers) += std::max({last ? layers.end.logits_bytes * (1 + mtp) : 0.0,
                                         first ? table : 0.0,
                                         layers.dense.kept.transient,
                                         layers.moe.kept.transient});
    at(MemoryPart::buffers) += machine_.workspace_bytes;

    at(MemoryPart::reserve) =
        usual_software().reserve_share * sum_of(memory) + usual_software().reserve_bytes;
    return memory;
}

}  // namespace weir::plan
