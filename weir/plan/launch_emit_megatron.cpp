// Arguments of Megatron-LM's pretrain_gpt.py. What it cannot do is what its validate_args() and
// TransformerConfig refuse (the source in launch_options_megatron.cpp).
#include <fmt/format.h>

#include <algorithm>

#include "weir/plan/launch_emit.hpp"
#include "weir/plan/stack.hpp"

namespace weir::plan {
namespace {

constexpr Framework me = Framework::megatron_lm;

Result<void> shape_is_possible(const Launch& launch) {
    const catalog::Model& model = launch.job.model;
    if (model.norms != 2) {
        return cannot_model(
            me, fmt::format("has {} norms in a layer", model.norms), "has 2 in each");
    }
    WEIR_CHECK(layer_is_plain(launch, me));
    if (model.mtp_layers > 0 && model.learned_positions > 0) {
        return cannot_model(me,
                            "predicts further tokens and has learned positions",
                            "predicts them with rotary positions only");
    }
    return {};
}

Result<void> precision_is_possible(const Launch& launch) {
    const Strategy& s = launch.strategy;
    if (!launch.job.model.is_moe()) return {};
    if (s.precision == Precision::fp16 || s.precision == Precision::fp32) {
        return cannot(me,
                      fmt::format("experts in {}", name_of(s.precision)),
                      "its grouped products of experts are in bf16 or fp8");
    }
    if (s.tp > 1 && !s.sequence_parallel)
        return cannot(me,
                      fmt::format("experts with tp {} and without sequence parallelism", s.tp),
                      "write seq_parallel y");
    if (launch.job.model.biases && s.tp > 1 && s.etp != 1) {
        return cannot(me,
                      fmt::format("etp {}", s.etp == 0 ? s.tp : s.etp),
                      "it does not split experts that have biases; write etp 1");
    }
    if (s.deepep && !deepep_fits(s)) {
        return cannot(
            me,
            fmt::format(
                "expert_dispatch deepep with ep {} x etp {}", s.ep, s.etp == 0 ? s.tp : s.etp),
            fmt::format("DeepEP is set up for {} chips; write expert_dispatch all-to-all",
                        deepep_sizes()));
    }
    return {};
}

Result<void> schedule_is_possible(const Launch& launch) {
    const Strategy& s = launch.strategy;
    if (s.schedule != Schedule::one_f_one_b) {
        return cannot(me,
                      fmt::format("schedule {}", name_of(s.schedule)),
                      "it has 1f1b, interleaved where vpp is above 1");
    }
    if (s.vpp > 1 && micro_batches_of(launch) % s.pp != 0) {
        return cannot(me,
                      fmt::format("vpp {}", s.vpp),
                      fmt::format("with vpp above 1 the {} micro-batches of a step must be a "
                                  "multiple of pp {}",
                                  micro_batches_of(launch),
                                  s.pp));
    }
    if (s.vpp > 1 && !s.overlap.pipeline && s.pp <= 2)
        return cannot(
            me,
            fmt::format("vpp {} with pp {}", s.vpp, s.pp),
            "without overlap of the pipeline it interleaves from pp 3 on; add pipeline to "
            "overlap");
    if (s.vpp == 1 && s.overlap.pipeline)
        return cannot(me,
                      "overlap of the pipeline with vpp 1",
                      "sends run beside computation only where stages are interleaved; take "
                      "pipeline out of overlap, or vpp above 1");
    if (s.cp > 1 && launch.job.sequence % (2 * std::uint64_t{s.cp}) != 0) {
        return cannot(me,
                      fmt::format("cp {}", s.cp),
                      fmt::format("2 x cp must divide the sequence of {}", launch.job.sequence));
    }
    return {};
}

Result<void> recompute_is_possible(const Launch& launch) {
    const Strategy& s = launch.strategy;
    const catalog::Model& model = launch.job.model;
    if (s.recompute == Recompute::selective) {
        if (s.parts == RecomputeParts{})
            return cannot(me,
                          "selective recompute of nothing",
                          "none of the parts that are named is one of this model; name another, as "
                          "selective:norms");
        if (s.parts.every_other_product)
            return cannot(me,
                          "recompute of every other product",
                          "torchtitan alone has that; name attention, norms, activation or "
                          "latent_up");
        if (s.parts.activation && !model.is_moe())
            return cannot(me,
                          "recompute of the activation function",
                          "it has that of experts alone, and this model has none; name mlp, the "
                          "whole feed-forward");
    }
    if (s.recompute_layers > 0 && s.recompute_layers % s.vpp != 0) {
        return cannot(me,
                      fmt::format("recompute of {} layers of each stage", s.recompute_layers),
                      fmt::format("each of the {} virtual stages recomputes as many, so that the "
                                  "layers must be a multiple of vpp {}",
                                  s.vpp,
                                  s.vpp));
    }
    if (s.offload_layers > 0) {
        if (s.pp > 1)
            return cannot(me, "offload of activations with pp above 1", "it goes with pp 1 only");
        if (s.recompute != Recompute::none)
            return cannot(me,
                          "offload of activations beside recompute",
                          "they go to the host or are computed again; write recompute none");
        if (s.offload_layers >= model.layers) {
            return cannot(
                me,
                fmt::format("offload of the activations of {} layers", s.offload_layers),
                fmt::format("it takes less than the {} that the model has", model.layers));
        }
    }
    return {};
}

Result<void> data_parallelism_is_possible(const Launch& launch) {
    const Strategy& s = launch.strategy;
    if (s.overlap.param_gather && !s.overlap.grad_reduce)
        return cannot(
            me,
            "overlap of param_gather alone",
            "weights come in beside computation only where gradients leave beside it; add "
            "grad_reduce to overlap");
    if (s.zero_group > 0 && s.dp % s.zero_group != 0) {
        return cannot(me,
                      fmt::format("zero_group {}", s.zero_group),
                      fmt::format("zero_group must divide dp {}", s.dp));
    }
    if (s.zero >= 2 && s.pp > 1) {
        return cannot(me,
                      fmt::format("zero_stage {} with pp {}", s.zero, s.pp),
                      "its FSDP goes with tp, cp and ep; with pp above 1 write zero_stage 0 or 1");
    }
    if (s.offload_optimizer && s.zero == 0)
        return cannot(me,
                      "offload of the optimizer with zero_stage 0",
                      "only its distributed optimizer lies on the host; write zero_stage 1");
    if (s.overlap.tensor && !s.sequence_parallel)
        return cannot(me,
                      "overlap of tensor parallel communication without sequence parallelism",
                      "write seq_parallel y, or take tensor out of overlap");
    if (s.overlap.experts) {
        if (s.pp > 1 && s.vpp == 1)
            return cannot(me,
                          "overlap of experts with pp above 1 and vpp 1",
                          "it goes with interleaved stages only; take vpp above 1, or experts out "
                          "of overlap");
        if (s.recompute == Recompute::full)
            return cannot(me,
                          "overlap of experts beside full recompute",
                          "write another recompute, or take experts out of overlap");
    }
    return {};
}

void add_pipeline(OptionGroups& out, const Launch& launch) {
    const Strategy& s = launch.strategy;
    const catalog::Model& model = launch.job.model;
    out.value("--pipeline-model-parallel-size", s.pp);
    if (s.pp == 1) return;
    const std::uint32_t stages = s.pp * s.vpp;
    if (model.layers % stages == 0) {
        if (s.vpp > 1) out.value("--num-layers-per-virtual-pipeline-stage", model.layers / stages);
    } else {
        // Embedding, layers, modules that predict further tokens, loss: stages are split by |.
        std::string layout = "E";
        const auto by_stage = layers_by_stage(model.layers, stages);
        for (std::uint32_t stage = 0; stage < stages; ++stage) {
            layout += stage == 0 ? ',' : '|';
            // A stage may have the embedding or the loss alone.
            if (by_stage[stage] > 0)
                layout += by_stage[stage] == 1 ? "t" : fmt::format("t*{}", by_stage[stage]);
        }
        for (std::uint32_t i = 0; i < model.mtp_layers; ++i)
            layout += ",m";
        layout += ",L";
        out.value("--pipeline-model-parallel-layout", layout);
    }
    out.flag_if(s.vpp > 1 && !s.overlap.pipeline, "--no-overlap-p2p-communication");
}

void add_data(OptionGroups& out, const Strategy& s) {
    if (s.zero >= 1) out.flag("--use-distributed-optimizer");
    if (s.zero >= 2) {
        out.flag("--use-megatron-fsdp");
        out.value("--data-parallel-sharding-strategy",
                  s.zero == 2 ? "optim_grads" : "optim_grads_params");
        out.flag("--no-gradient-accumulation-fusion");
        out.value("--ckpt-format", "fsdp_dtensor");
    }
    if (s.zero_group > 0) out.value("--num-distributed-optimizer-instances", s.dp / s.zero_group);
    out.flag_if(s.overlap.grad_reduce, "--overlap-grad-reduce");
    out.flag_if(s.overlap.param_gather, "--overlap-param-gather");
    if (s.offload_optimizer) {
        out.flag("--optimizer-cpu-offload");
        out.flag("--use-precision-aware-optimizer");
    }
}

void add_recompute(OptionGroups& out, const Strategy& s) {
    if (s.recompute == Recompute::selective) {
        std::vector<std::string> modules;
        if (s.parts.attention) modules.emplace_back("core_attn");
        if (s.parts.norms) modules.emplace_back("layernorm");
        if (s.parts.activation) modules.emplace_back("moe_act");
        if (s.parts.mlp) modules.emplace_back("mlp");
        if (s.parts.latent_up) modules.emplace_back("mla_up_proj");
        out.value("--recompute-granularity", "selective");
        out.values("--recompute-modules", modules);
    }
    if (s.recompute == Recompute::full) {
        out.value("--recompute-granularity", "full");
        out.value("--recompute-method", s.recompute_layers == 0 ? "uniform" : "block");
        out.value("--recompute-num-layers",
                  s.recompute_layers == 0 ? 1 : s.recompute_layers / s.vpp);
    }
    if (s.offload_layers > 0) out.value("--cpu-offloading-num-layers", s.offload_layers);
}

void add_precision(OptionGroups& out, const Strategy& s) {
    if (s.precision == Precision::fp16) {
        out.flag("--fp16");
        out.flag_if(s.fp32_gradients, "--accumulate-allreduce-grads-in-fp32");
        return;
    }
    if (s.precision == Precision::fp32) return;
    out.flag("--bf16");
    out.flag_if(!s.fp32_gradients, "--grad-reduce-in-bf16");
    if (s.precision == Precision::fp8) {
        out.value("--fp8-format", "hybrid");
        out.value("--fp8-recipe", "tensorwise");
    }
    if (s.precision == Precision::mxfp8) {
        out.value("--fp8-format", "e4m3");
        out.value("--fp8-recipe", "mxfp8");
    }
}

void add_dispatch(OptionGroups& out, const Launch& launch) {
    const Strategy& s = launch.strategy;
    if (!s.deepep) {
        out.value("--moe-token-dispatcher-type", "alltoall");
        return;
    }
    out.value("--moe-token-dispatcher-type", "flex");
    // Across nodes DeepEP wants eight chips to each; HybridEP takes racks of 72 and others.
    constexpr std::uint32_t node = 8;
    const std::uint64_t group = std::uint64_t{s.ep} * (s.etp == 0 ? s.tp : s.etp);
    const bool inside = group <= std::min(node, launch.chips_per_node);
    out.value("--moe-flex-dispatcher-backend",
              inside || launch.chips_per_node == node ? "deepep" : "hybridep");
    // Both want probabilities in FP32.
    out.value("--moe-router-dtype", "fp32");
}

}  // namespace

void megatron_router_groups(OptionGroups& out, const catalog::Experts& experts) {
    if (experts.groups == experts.groups_per_token) return;
    out.value("--moe-router-num-groups", experts.groups);
    out.value("--moe-router-group-topk", experts.groups_per_token);
}

void megatron_shape(OptionGroups& out, const catalog::Model& model, bool latent) {
    out.value("--hidden-size", model.hidden);
    out.value("--ffn-hidden-size", model.ffn);
    out.value("--num-attention-heads", model.heads);
    if (latent) {
        out.flag("--multi-latent-attention");
        if (model.latent->q_lora > 0) out.value("--q-lora-rank", model.latent->q_lora);
        out.value("--kv-lora-rank", model.latent->kv_lora);
        out.value("--qk-head-dim", model.latent->nope_dim);
        out.value("--qk-pos-emb-head-dim", model.latent->rope_dim);
        out.value("--v-head-dim", model.latent->v_dim);
    } else {
        out.value("--kv-channels", model.head_dim);
        if (model.kv_heads != model.heads) {
            out.flag("--group-query-attention");
            out.value("--num-query-groups", model.kv_heads);
        }
    }
    out.flag_if(model.gated, "--swiglu");
    if (!model.layer_norm) out.value("--normalization", "RMSNorm");
    out.flag_if(!model.biases, "--disable-bias-linear");
    out.flag_if(model.qkv_biases, "--add-qkv-bias");
    out.flag_if(model.qk_norm, "--qk-layernorm");
    out.flag_if(!model.tied, "--untie-embeddings-and-output-weights");
    out.value("--vocab-size", model.vocab);
    if (model.mtp_layers > 0) out.value("--mtp-num-layers", model.mtp_layers);
}

void megatron_batches(OptionGroups& out, const Launch& launch) {
    const catalog::Model& model = launch.job.model;
    out.value("--seq-length", launch.job.sequence);
    if (model.learned_positions > 0) {
        out.value("--max-position-embeddings", model.learned_positions);
    } else {
        out.value("--max-position-embeddings", std::max(model.sequence, launch.job.sequence));
    }
    out.value("--micro-batch-size", launch.strategy.micro_batch);
    out.value("--global-batch-size", launch.job.global_batch);
    if (const std::uint64_t steps = steps_of(launch.job)) out.value("--train-iters", steps);
}

Result<OptionGroups> megatron_arguments(const Launch& launch) {
    WEIR_CHECK(shape_is_possible(launch));
    WEIR_CHECK(precision_is_possible(launch));
    WEIR_CHECK(schedule_is_possible(launch));
    WEIR_CHECK(recompute_is_possible(launch));
    WEIR_CHECK(data_parallelism_is_possible(launch));
    const Strategy& s = launch.strategy;
    const catalog::Model& model = launch.job.model;

    OptionGroups out;
    out.group("MODEL_ARGS");
    out.value("--num-layers", model.layers);
    megatron_shape(out, model, model.latent.has_value());
    out.value("--position-embedding-type",
              model.learned_positions > 0 ? "learned_absolute" : "rope");
    if (model.window > 0) {
        // Keys before a query and behind it; the query's own is of the window, too.
        out.value("--window-size", fmt::format("{},0", model.window - 1));
        if (model.window_every > 1) out.value("--window-attn-skip-freq", model.window_every);
    }
    out.value("--attention-backend", s.flash_attention ? "auto" : "unfused");
    if (model.experts) {
        const catalog::Experts& experts = *model.experts;
        out.value("--num-experts", experts.count);
        out.value("--moe-router-topk", experts.per_token);
        // Of a single expert the weight after the choice is always 1, and nothing learns.
        out.flag_if(experts.per_token == 1, "--moe-router-pre-softmax");
        out.value("--moe-ffn-hidden-size", experts.ffn);
        if (experts.shared_ffn > 0)
            out.value("--moe-shared-expert-intermediate-size", experts.shared_ffn);
        if (const std::string pattern = expert_pattern(model); pattern != "1")
            out.value("--moe-layer-freq", pattern);
        out.flag("--moe-grouped-gemm");
        megatron_router_groups(out, experts);
        add_dispatch(out, launch);
    }

    out.group("TRAINING_ARGS");
    megatron_batches(out, launch);
    add_precision(out, s);
    add_recompute(out, s);

    out.group("PARALLEL_ARGS");
    out.value("--tensor-model-parallel-size", s.tp);
    out.flag_if(s.sequence_parallel, "--sequence-parallel");
    out.flag_if(s.overlap.tensor, "--tp-comm-overlap");
    add_pipeline(out, launch);
    out.value("--context-parallel-size", s.cp);
    if (s.cp > 1) out.value("--cp-comm-type", s.ulysses ? "a2a" : "p2p");
    if (model.experts) {
        out.value("--expert-model-parallel-size", s.ep);
        if (s.etp > 0) out.value("--expert-tensor-parallel-size", s.etp);
        out.flag_if(s.overlap.experts, "--overlap-moe-expert-parallel-comm");
    }
    add_data(out, s);
    return out;
}

}  // namespace weir::plan
