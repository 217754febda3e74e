// Arguments of Megatron-DeepSpeed's pretrain_gpt.py, and the JSON that DeepSpeed reads.
#include <fmt/format.h>

#include "weir/plan/launch_emit.hpp"

namespace weir::plan {
namespace {

constexpr Framework me = Framework::deepspeed;

Result<void> shape_is_possible(const Launch& launch) {
    const catalog::Model& model = launch.job.model;
    const Strategy& s = launch.strategy;
    if (model.latent) return cannot_model(me, "has latent attention (MLA)");
    if (model.window > 0) return cannot_model(me, "has a sliding window");
    if (model.norms != 2) {
        return cannot_model(
            me, fmt::format("has {} norms in a layer", model.norms), "has 2 in each");
    }
    WEIR_CHECK(layer_is_plain(launch, me));
    if (model.mtp_layers > 0)
        return cannot_model(me, "predicts further tokens (multi-token prediction)");
    if (model.qkv_biases) {
        return cannot_model(me,
                            "has biases on queries, keys and values alone",
                            "has them on all linear layers or on none");
    }
    if (model.qk_norm) return cannot_model(me, "has norms of queries and keys");
    if (!model.experts) return {};
    const catalog::Experts& experts = *model.experts;
    if (experts.shared_ffn > 0) return cannot_model(me, "has shared experts");
    if (experts.first_dense > 0) {
        return cannot_model(
            me,
            fmt::format(
                "has no experts in its first {}",
                experts.first_dense == 1 ? "layer" : fmt::format("{} layers", experts.first_dense)),
            "has them from the first layer on");
    }
    if (experts.ffn != model.ffn) {
        return cannot_model(
            me,
            fmt::format(
                "has experts {} wide beside a feed-forward {} wide", experts.ffn, model.ffn),
            "makes both alike");
    }
    if (s.pp > 1)
        return cannot(me, fmt::format("pp {} with experts", s.pp), "with experts write pp 1");
    if (s.zero == 3)
        return cannot(me, "zero_stage 3 with experts", "with experts write zero_stage 0, 1 or 2");
    if (s.etp > 1) {
        return cannot(me,
                      fmt::format("etp {}", s.etp),
                      "it splits experts over tp as everything else (leave etp out), or not at all "
                      "(etp 1)");
    }
    return {};
}

Result<void> pipeline_is_possible(const Launch& launch) {
    const Strategy& s = launch.strategy;
    if (s.vpp > 1)
        return cannot(
            me, fmt::format("vpp {}", s.vpp), "its pipeline is not interleaved; write vpp 1");
    if (s.schedule == Schedule::dualpipe)
        return cannot(me, "schedule dualpipe", "it has 1f1b and zero-bubble");
    if (s.schedule == Schedule::zero_bubble && s.sequence_parallel)
        return cannot(me,
                      "schedule zero-bubble with sequence parallelism",
                      "write seq_parallel n, or schedule 1f1b");
    if (s.pp > 1 && s.zero >= 2) {
        return cannot(me,
                      fmt::format("zero_stage {} with pp {}", s.zero, s.pp),
                      "gradients that a pipeline sums over micro-batches stay whole; write "
                      "zero_stage 0 or 1");
    }
    if (s.pp > launch.job.model.layers) {
        return cannot(
            me,
            fmt::format("pp {}", s.pp),
            fmt::format("each stage wants a layer, and the model has {}", launch.job.model.layers));
    }
    if (s.cp > 1) {
        if (!s.ulysses) {
            return cannot(me,
                          fmt::format("cp {} as a ring", s.cp),
                          "it passes heads around (Ulysses); write cp_algorithm all-to-all");
        }
        if (s.sequence_parallel) {
            return cannot(me,
                          fmt::format("sequence parallelism of tp with cp {}", s.cp),
                          "write seq_parallel n");
        }
        if (launch.job.model.heads % (std::uint64_t{s.cp} * s.tp) != 0) {
            return cannot(
                me,
                fmt::format("cp {}", s.cp),
                fmt::format("cp x tp {} must divide the {} heads", s.tp, launch.job.model.heads));
        }
    }
    return {};
}

Result<void> memory_is_possible(const Strategy& s) {
    if (s.precision == Precision::fp8 || s.precision == Precision::mxfp8) {
        return cannot(
            me, fmt::format("precision {}", name_of(s.precision)), "it has fp32, fp16 and bf16");
    }
    if (s.recompute == Recompute::selective) {
        RecomputeParts attention{};
        attention.attention = true;
        if (s.parts != attention)
            return cannot(me,
                          "selective recompute of other parts than attention",
                          "it has that of attention alone; write recompute selective");
    }
    if (s.recompute_layers > 0)
        return cannot(me,
                      fmt::format("recompute of {} layers of each stage", s.recompute_layers),
                      "it computes all of a stage again; write recompute full");
    if (s.offload_layers > 0)
        return cannot(me,
                      "offload of activations by layer",
                      "those of all layers go to the host, or of none");
    if (s.offload_optimizer && s.zero == 0)
        return cannot(
            me, "offload of the optimizer with zero_stage 0", "write zero_stage 1, 2 or 3");
    // MiCS, which splits over a part of the copies, needs a model made with its own zero.MiCS_Init.
    if (s.zero_group > 0) {
        return cannot(me,
                      fmt::format("zero_group {}", s.zero_group),
                      "its pretrain_gpt.py splits over all copies; leave zero_group out");
    }
    // Without ZeRO, DeepSpeed's optimizers for 16 bits sum gradients in one precision each.
    if (s.zero == 0 && s.precision == Precision::fp16 && s.fp32_gradients)
        return cannot(me,
                      "FP32 gradients in fp16 with zero_stage 0",
                      "write zero_stage 1, 2 or 3, or fp32_gradients n");
    if (s.zero == 0 && s.precision == Precision::bf16 && !s.fp32_gradients && s.pp == 1)
        return cannot(me,
                      "BF16 gradients with zero_stage 0 and pp 1",
                      "write zero_stage 1, 2 or 3, or fp32_gradients y");
    return {};
}

Result<void> overlap_is_possible(const Strategy& s) {
    const auto no_option = [](std::string_view name) {
        return cannot(me,
                      fmt::format("overlap of {}", name),
                      fmt::format("it has no option for that; take {} out of overlap", name));
    };
    if (s.overlap.tensor) return no_option("tensor");
    if (s.overlap.pipeline) return no_option("pipeline");
    if (s.overlap.experts) return no_option("experts");
    if (s.overlap.grad_reduce && s.zero == 0)
        return cannot(me,
                      "overlap of grad_reduce with zero_stage 0",
                      "write zero_stage 1, 2 or 3, or take grad_reduce out of overlap");
    if (s.overlap.param_gather && s.zero < 3)
        return cannot(me,
                      fmt::format("overlap of param_gather with zero_stage {}", s.zero),
                      "write zero_stage 3, or take param_gather out of overlap");
    return {};
}

std::string_view yes(bool value) {
    return value ? "true" : "false";
}

}  // namespace

std::string deepspeed_json(const Launch& launch) {
    const Strategy& s = launch.strategy;
    std::string text = "{\n";
    text += fmt::format("  \"train_batch_size\": {},\n", launch.job.global_batch);
    text += fmt::format("  \"train_micro_batch_size_per_gpu\": {},\n", s.micro_batch);
    text += fmt::format("  \"gradient_accumulation_steps\": {},\n", micro_batches_of(launch));
    text += "  \"zero_optimization\": {\n";
    if (s.zero > 0) text += fmt::format("    \"overlap_comm\": {},\n", yes(s.overlap.grad_reduce));
    if (s.offload_optimizer)
        text += "    \"offload_optimizer\": {\"device\": \"cpu\", \"pin_memory\": true},\n";
    text += fmt::format("    \"stage\": {}\n  }}", s.zero);
    if (s.precision == Precision::bf16 || s.precision == Precision::fp16) {
        const std::string_view name = name_of(s.precision);
        text += fmt::format(",\n  \"{}\": {{\"enabled\": true}}", name);
        text += fmt::format(",\n  \"data_types\": {{\"grad_accum_dtype\": \"{}\"}}",
                            s.fp32_gradients ? std::string_view("fp32") : name);
    }
    if (s.recompute == Recompute::full) {
        text +=
            ",\n  \"activation_checkpointing\": {\"partition_activations\": false, "
            "\"cpu_checkpointing\": false}";
    }
    return text + "\n}\n";
}

Result<OptionGroups> deepspeed_arguments(const Launch& launch) {
    const Strategy& s = launch.strategy;
    const catalog::Model& model = launch.job.model;
    WEIR_CHECK(shape_is_possible(launch));
    WEIR_CHECK(pipeline_is_possible(launch));
    WEIR_CHECK(memory_is_possible(s));
    WEIR_CHECK(overlap_is_possible(s));

    OptionGroups out;
    out.group("MODEL_ARGS");
    out.value("--num-layers", model.layers);
    out.value("--hidden-size", model.hidden);
    out.value("--ffn-hidden-size", model.ffn);
    out.value("--num-attention-heads", model.heads);
    out.value("--kv-channels", model.head_dim);
    if (model.kv_heads != model.heads) out.value("--num-key-value-heads", model.kv_heads);
    out.flag_if(model.learned_positions == 0, "--use-rotary-position-embeddings");
    out.flag_if(model.gated, "--swiglu");
    if (!model.layer_norm) out.value("--normalization", "rmsnorm");
    out.flag_if(!model.biases, "--disable-bias-linear");
    out.flag_if(!model.tied, "--untie-embeddings-and-output-weights");
    out.value("--vocab-size", model.vocab);
    out.flag_if(s.flash_attention, "--use-flash-attn-v2");
    if (model.experts) {
        out.value("--num-experts", model.experts->count);
        out.value("--topk", model.experts->per_token);
        out.value("--expert-interval", model.experts->every);
        out.flag("--create-moe-param-group");
    }

    out.group("TRAINING_ARGS");
    megatron_batches(out, launch);
    if (s.precision != Precision::fp32)
        out.flag(s.precision == Precision::bf16 ? "--bf16" : "--fp16");
    if (s.recompute == Recompute::selective) out.value("--recompute-granularity", "selective");
    if (s.recompute == Recompute::full) {
        out.flag("--checkpoint-activations");
        out.flag("--deepspeed-activation-checkpointing");
    }
    out.flag_if(s.offload_optimizer, "--cpu-optimizer");

    out.group("PARALLEL_ARGS");
    out.value("--tensor-model-parallel-size", s.tp);
    out.flag_if(s.sequence_parallel, "--sequence-parallel");
    out.value("--pipeline-model-parallel-size", s.pp);
    out.flag_if(s.pp == 1, "--no-pipeline-parallel");
    out.flag_if(s.schedule == Schedule::zero_bubble, "--enable-zbh1-pipeline");
    if (s.cp > 1) out.value("--ds-sequence-parallel-size", s.cp);
    if (model.experts) {
        out.value("--moe-expert-parallel-size", s.ep);
        out.flag_if(s.tp > 1 && s.etp == 0, "--enable-expert-tensor-parallelism");
    }
    out.flag("--deepspeed");
    out.value("--deepspeed_config", "ds_config.json");
    out.value("--zero-stage", s.zero);
    return out;
}

}  // namespace weir::plan
