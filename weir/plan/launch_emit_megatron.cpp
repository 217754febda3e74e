// Arguments of Megatron-LM's pretrain_gpt.py. What it cannot do is what its validate_args() and
// TransformerConfig refuse (the source in launch_options_megatron.cpp).
#include <fmt/format.h>

#include <algorithm>

#include "weir/plan/launch_emit.hpp"

namespace weir::plan {
namespace {

constexpr Framework me = Framework::megatron_lm;

Result<void> shape_is_possible(const Launch& launch) {
    const catalog::Model& model = launch.job.model;
    if (model.norms != 2)
        return cannot(me, "model", fmt::format("a layer has 2 norms, not {}", model.norms));
    if (model.chunked) return cannot(me, "model", "has no attention in chunks");
    if (model.parallel_block) {
        return cannot(
            me,
            "model",
            "attention and feed-forward that read the same input are not among its layers");
    }
    if (model.learned_positions > 0 && launch.job.sequence > model.learned_positions) {
        return cannot(me,
                      fmt::format("sequence {}", launch.job.sequence),
                      fmt::format("the model has {} learned positions", model.learned_positions));
    }
    if (model.mtp_layers > 0 && model.learned_positions > 0)
        return cannot(me, "model", "predicts further tokens only with rotary positions");
    return {};
}

Result<void> precision_is_possible(const Launch& launch) {
    const Strategy& s = launch.strategy;
    if (!launch.job.model.is_moe()) return {};
    if (s.precision == Precision::fp16 || s.precision == Precision::fp32) {
        return cannot(me,
                      fmt::format("precision {}", name_of(s.precision)),
                      "grouped products of experts are in bf16 or, beyond it, fp8");
    }
    if (s.tp > 1 && !s.sequence_parallel)
        return cannot(me, "sequence_parallel false", "experts with tp > 1 need it");
    if (launch.job.model.biases && s.tp > 1 && s.etp != 1) {
        return cannot(me,
                      fmt::format("etp {}", s.etp == 0 ? s.tp : s.etp),
                      "experts with biases are not split (etp 1)");
    }
    return {};
}

Result<void> schedule_is_possible(const Launch& launch) {
    const Strategy& s = launch.strategy;
    if (s.schedule != Schedule::one_f_one_b) {
        return cannot(me,
                      fmt::format("schedule {}", name_of(s.schedule)),
                      "it has 1f1b, interleaved when vpp > 1");
    }
    if (s.vpp > 1 && micro_batches_of(launch) % s.pp != 0) {
        return cannot(me,
                      fmt::format("vpp {}", s.vpp),
                      fmt::format("the {} micro-batches of a step must be a multiple of pp {}",
                                  micro_batches_of(launch),
                                  s.pp));
    }
    if (s.vpp > 1 && !s.overlap.pipeline && s.pp <= 2)
        return cannot(me, "overlap.pipeline false", "with vpp > 1 needs pp > 2");
    if (s.vpp == 1 && s.overlap.pipeline)
        return cannot(me, "overlap.pipeline", "sends run beside computation only with vpp > 1");
    if (s.cp > 1 && launch.job.sequence % (2 * std::uint64_t{s.cp}) != 0) {
        return cannot(me,
                      fmt::format("cp {}", s.cp),
                      fmt::format("twice it must divide the sequence of {}", launch.job.sequence));
    }
    return {};
}

Result<void> recompute_is_possible(const Launch& launch) {
    const Strategy& s = launch.strategy;
    const catalog::Model& model = launch.job.model;
    if (s.recompute == Recompute::selective) {
        if (s.parts == RecomputeParts{})
            return cannot(me, "recompute selective", "names no part that this model has");
        if (s.parts.every_other_product)
            return cannot(me, "recompute of every_other_product", "is torchtitan's alone");
        if (s.parts.activation && !model.is_moe())
            return cannot(
                me,
                "recompute of the activation function",
                "only that of experts; a plain feed-forward is recomputed as a whole (mlp)");
    }
    if (s.recompute_layers > 0 && s.recompute_layers % s.vpp != 0) {
        return cannot(me,
                      fmt::format("recompute_layers {}", s.recompute_layers),
                      fmt::format("must be a multiple of vpp {}: each virtual stage recomputes as "
                                  "many",
                                  s.vpp));
    }
    if (s.offload_layers > 0) {
        if (s.pp > 1) return cannot(me, "offload_layers", "goes with pp 1 only");
        if (s.recompute != Recompute::none)
            return cannot(me, "offload_layers", "goes without recompute only");
        if (s.offload_layers >= model.layers) {
            return cannot(me,
                          fmt::format("offload_layers {}", s.offload_layers),
                          fmt::format("must be below the {} layers", model.layers));
        }
    }
    return {};
}

Result<void> data_parallelism_is_possible(const Launch& launch) {
    const Strategy& s = launch.strategy;
    if (s.overlap.param_gather && !s.overlap.grad_reduce)
        return cannot(me, "overlap.param_gather", "goes with overlap.grad_reduce only");
    if (s.zero_group > 0 && s.dp % s.zero_group != 0) {
        return cannot(
            me, fmt::format("zero_group {}", s.zero_group), fmt::format("must divide dp {}", s.dp));
    }
    if (s.zero >= 2 && s.pp > 1) {
        return cannot(me,
                      fmt::format("zero {}", s.zero),
                      "its FSDP goes with tp, cp and ep; with pp > 1 take zero 0 or 1");
    }
    if (s.offload_optimizer && s.zero == 0)
        return cannot(me, "offload_optimizer", "needs the distributed optimizer (zero 1)");
    if (s.overlap.tensor && !s.sequence_parallel)
        return cannot(me, "overlap.tensor", "needs sequence parallelism");
    if (s.overlap.experts) {
        if (s.pp > 1 && s.vpp == 1)
            return cannot(me, "overlap.experts", "with pp > 1 needs vpp > 1");
        if (s.recompute == Recompute::full)
            return cannot(me, "overlap.experts", "goes without full recompute only");
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

}  // namespace

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
        out.value("--moe-token-dispatcher-type", "alltoall");
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
