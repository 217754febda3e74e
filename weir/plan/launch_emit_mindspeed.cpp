// Arguments of MindSpeed-LLM's pretrain_gpt.py: Megatron-LM's, with its own for fused kernels,
// context parallelism, recompute and schedules. What it cannot do is what the validate_args() of
// its features refuse (the source in launch_options_mindspeed.cpp).
#include <fmt/format.h>

#include <algorithm>

#include "weir/plan/launch_emit.hpp"

namespace weir::plan {
namespace {

constexpr Framework me = Framework::mindspeed;

// Stages that layers must fill evenly: those of dualpipe are two to a rank, folded into a V.
std::uint32_t parts_of(const Strategy& s) {
    return s.pp * (s.schedule == Schedule::dualpipe ? 2 : s.vpp);
}

// Whether layers are padded with empty ones, so that every virtual stage has as many.
bool is_padded(const Launch& launch) {
    const Strategy& s = launch.strategy;
    const bool by_list = s.vpp == 1 && s.schedule == Schedule::one_f_one_b;
    return launch.job.model.layers % parts_of(s) != 0 && !by_list;
}

Result<void> shape_is_possible(const Launch& launch) {
    const catalog::Model& model = launch.job.model;
    const Strategy& s = launch.strategy;
    if (model.norms != 2 && model.norms != 4)
        return cannot(me, "model", fmt::format("a layer has 2 or 4 norms, not {}", model.norms));
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
    if (model.window > 0 && s.cp > 1)
        return cannot(me, fmt::format("cp {}", s.cp), "goes without a sliding window only");
    if (model.window > 0 && model.window_every > 2) {
        return cannot(me, "model", "a sliding window is in every layer or in every second");
    }
    if (model.experts) {
        if (s.precision == Precision::fp16 || s.precision == Precision::fp32) {
            return cannot(me,
                          fmt::format("precision {}", name_of(s.precision)),
                          "grouped products of experts are in bf16 or, beyond it, fp8");
        }
        if (model.biases && s.tp > 1)
            return cannot(me, fmt::format("tp {}", s.tp), "experts with biases are not split");
        if (s.tp > 1 && !s.sequence_parallel)
            return cannot(me, "sequence_parallel false", "experts with tp > 1 need it");
        if (s.etp > 1) {
            return cannot(me,
                          fmt::format("etp {}", s.etp),
                          "experts are split over tp as everything else, or not at all (etp 1)");
        }
        if (s.tp > 1 && s.etp == 1 && s.ep % s.tp != 0 && s.schedule != Schedule::dualpipe) {
            return cannot(me,
                          fmt::format("ep {}", s.ep),
                          fmt::format("with etp 1 must be a multiple of tp {}", s.tp));
        }
    }
    return {};
}

Result<void> dualpipe_is_possible(const Launch& launch) {
    const Strategy& s = launch.strategy;
    const catalog::Model& model = launch.job.model;
    const auto refuse = [](std::string_view field, std::string_view why) {
        return cannot(me, field, why);
    };
    if (!model.is_moe()) return refuse("schedule dualpipe", "is for models with experts");
    if (s.ep < 2) return refuse("schedule dualpipe", "needs ep of at least 2");
    if (s.overlap.grad_reduce) return refuse("overlap.grad_reduce", "does not go with dualpipe");
    if (model.tied) return refuse("schedule dualpipe", "needs an output of its own (not tied)");
    if (s.cp > 1) return refuse(fmt::format("cp {}", s.cp), "does not go with dualpipe");
    if (s.tp > 1 && s.etp != 1)
        return refuse("schedule dualpipe", "with tp > 1 needs experts that are not split (etp 1)");
    if (s.vpp > 1) return refuse(fmt::format("vpp {}", s.vpp), "does not go with dualpipe");
    if (model.layers < 2 * s.pp)
        return refuse("schedule dualpipe", "needs two layers for each of pp");
    if (micro_batches_of(launch) < 2 * std::uint64_t{s.pp} - 1) {
        return refuse("schedule dualpipe",
                      fmt::format("needs {} micro-batches, and there are {}",
                                  2 * std::uint64_t{s.pp} - 1,
                                  micro_batches_of(launch)));
    }
    return {};
}

Result<void> schedule_is_possible(const Launch& launch) {
    const Strategy& s = launch.strategy;
    const std::uint32_t layers = launch.job.model.layers;
    if (s.schedule == Schedule::zero_bubble)
        return cannot(
            me, "schedule zero-bubble", "it has 1f1b, interleaved when vpp > 1, and dualpipe");
    if (s.schedule == Schedule::dualpipe) WEIR_CHECK(dualpipe_is_possible(launch));
    if (s.pp > layers) {
        return cannot(
            me, fmt::format("pp {}", s.pp), fmt::format("each needs one of the {} layers", layers));
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
    if (s.cp > 1) {
        if (launch.job.sequence % (2 * std::uint64_t{s.cp}) != 0) {
            return cannot(
                me,
                fmt::format("cp {}", s.cp),
                fmt::format("twice it must divide the sequence of {}", launch.job.sequence));
        }
        if (s.ulysses && launch.job.model.heads % (std::uint64_t{s.cp} * s.tp) != 0) {
            return cannot(
                me,
                fmt::format("cp {}", s.cp),
                fmt::format("by all-to-all of heads, times tp {} must divide the {} heads",
                            s.tp,
                            launch.job.model.heads));
        }
        if (!s.flash_attention)
            return cannot(me, fmt::format("cp {}", s.cp), "needs flash attention");
    }
    return {};
}

Result<void> recompute_is_possible(const Launch& launch) {
    const Strategy& s = launch.strategy;
    if (s.recompute == Recompute::selective) {
        if (s.parts == RecomputeParts{})
            return cannot(me, "recompute selective", "names no part that this model has");
        if (s.parts.mlp)
            return cannot(me, "recompute of mlp", "it has attention, norms, activation, latent_up");
        if (s.parts.every_other_product)
            return cannot(me, "recompute of every_other_product", "is torchtitan's alone");
        RecomputeParts rest = s.parts;
        rest.attention = false;
        if (s.parts.attention && rest != RecomputeParts{}) {
            return cannot(me,
                          "recompute of attention",
                          "does not go with that of norms, activation functions or up-projections");
        }
        if (s.parts.latent_up && !s.sequence_parallel)
            return cannot(me, "recompute of latent_up", "needs sequence parallelism and tp > 1");
    }
    if (s.offload_layers > 0) {
        return cannot(me,
                      "offload_layers",
                      "activations go to the host by kind (--swap-attention), not by layer");
    }
    return {};
}

Result<void> data_parallelism_is_possible(const Strategy& s, bool moe) {
    if (s.zero >= 2) {
        return cannot(me,
                      fmt::format("zero {}", s.zero),
                      "its arguments have the distributed optimizer (zero 1); FSDP2 is set up in a "
                      "file of its own");
    }
    if (s.zero_group > 0 && s.dp % s.zero_group != 0) {
        return cannot(
            me, fmt::format("zero_group {}", s.zero_group), fmt::format("must divide dp {}", s.dp));
    }
    if (s.overlap.param_gather && !s.overlap.grad_reduce)
        return cannot(me, "overlap.param_gather", "goes with overlap.grad_reduce only");
    if (s.offload_optimizer && s.zero == 0)
        return cannot(me, "offload_optimizer", "needs the distributed optimizer (zero 1)");
    if (s.overlap.tensor && moe) return cannot(me, "overlap.tensor", "does not go with experts");
    if (s.overlap.tensor && !s.sequence_parallel)
        return cannot(me, "overlap.tensor", "needs sequence parallelism");
    if (s.overlap.experts && s.schedule != Schedule::dualpipe && s.tp > 1 && s.etp != 1)
        return cannot(me, "overlap.experts", "with tp > 1 needs etp 1");
    return {};
}

void add_experts(OptionGroups& out, const Launch& launch) {
    const Strategy& s = launch.strategy;
    const catalog::Model& model = launch.job.model;
    const catalog::Experts& experts = *model.experts;
    out.value("--num-experts", experts.count);
    out.value("--moe-router-topk", experts.per_token);
    // Of a single expert the weight after the choice is always 1, and nothing learns.
    out.flag_if(experts.per_token == 1, "--moe-router-pre-softmax");
    out.value("--moe-ffn-hidden-size", experts.ffn);
    if (experts.shared_ffn > 0)
        out.value("--moe-shared-expert-intermediate-size", experts.shared_ffn);
    if (experts.first_dense > 0) out.value("--first-k-dense-replace", experts.first_dense);
    if (experts.first_dense > 0 || experts.every > 1) out.value("--moe-layer-freq", experts.every);
    out.flag("--moe-grouped-gemm");
    out.flag("--moe-permutation-async-comm");
    // Forward and backward passes that overlap (dualpipe) send tokens by alltoall only.
    const bool sequential = s.schedule != Schedule::dualpipe && (s.etp == 1 || s.overlap.experts);
    out.value("--moe-token-dispatcher-type", sequential ? "alltoall_seq" : "alltoall");
}

void add_recompute(OptionGroups& out, const Strategy& s) {
    if (s.recompute == Recompute::selective) {
        if (s.parts.attention) out.value("--recompute-granularity", "selective");
        out.flag_if(s.parts.norms, "--recompute-norm");
        out.flag_if(s.parts.activation, "--recompute-activation-function");
        if (s.parts.latent_up) {
            out.flag("--recompute-mla-up-proj");
            out.flag("--mla-up-proj-tp-overlap");
            out.flag("--mla-mm-split");
        }
    }
    if (s.recompute == Recompute::full) {
        out.value("--recompute-granularity", "full");
        out.value("--recompute-method", s.recompute_layers == 0 ? "uniform" : "block");
        out.value("--recompute-num-layers", s.recompute_layers == 0 ? 1 : s.recompute_layers);
        out.flag_if(s.recompute_layers > 0 && s.vpp > 1, "--enable-recompute-layers-per-pp-rank");
    }
}

void add_pipeline(OptionGroups& out, const Launch& launch) {
    const Strategy& s = launch.strategy;
    const std::uint32_t layers = launch.job.model.layers;
    const std::uint32_t parts = parts_of(s);
    out.value("--pipeline-model-parallel-size", s.pp);
    if (s.pp == 1) return;
    if (is_padded(launch)) {
        std::string empty;
        for (std::uint32_t layer = layers; layer % parts != 0; ++layer)
            empty += fmt::format("{}{}", empty.empty() ? "" : ",", layer);
        out.value("--noop-layers", empty);
    } else if (layers % parts != 0) {
        std::string list;
        for (const std::uint32_t count : layers_by_stage(layers, s.pp))
            list += fmt::format("{}{}", list.empty() ? "" : ",", count);
        out.value("--num-layer-list", list);
    }
    if (s.vpp > 1)
        out.value("--num-layers-per-virtual-pipeline-stage", (layers + parts - 1) / parts);
    if (s.schedule == Schedule::dualpipe) {
        out.value("--schedules-method", "dualpipev");
        out.flag("--moe-fb-overlap");
    }
    out.flag_if(s.vpp > 1 && !s.overlap.pipeline, "--no-overlap-p2p-communication");
}

void add_precision(OptionGroups& out, const Strategy& s) {
    if (s.precision == Precision::fp32) return;
    if (s.precision == Precision::fp16) {
        out.flag("--fp16");
        out.flag_if(s.fp32_gradients, "--accumulate-allreduce-grads-in-fp32");
        return;
    }
    out.flag("--bf16");
    out.flag_if(!s.fp32_gradients, "--grad-reduce-in-bf16");
    if (s.precision == Precision::bf16) return;
    out.value("--fp8-format", s.precision == Precision::fp8 ? "hybrid" : "e4m3");
    out.value("--fp8-recipe", s.precision == Precision::fp8 ? "tensorwise" : "mxfp8");
}

}  // namespace

Result<OptionGroups> mindspeed_arguments(const Launch& launch) {
    const Strategy& s = launch.strategy;
    const catalog::Model& model = launch.job.model;
    WEIR_CHECK(shape_is_possible(launch));
    WEIR_CHECK(schedule_is_possible(launch));
    WEIR_CHECK(recompute_is_possible(launch));
    WEIR_CHECK(data_parallelism_is_possible(s, model.is_moe()));

    OptionGroups out;
    out.group("MODEL_ARGS");
    out.flag("--use-mcore-models");
    const std::uint32_t parts = parts_of(s);
    out.value("--num-layers",
              is_padded(launch) ? (model.layers + parts - 1) / parts * parts : model.layers);
    megatron_shape(out, model, model.latent.has_value());
    out.flag_if(model.norms == 4, "--post-norm");
    out.value("--make-vocab-size-divisible-by", 1);
    out.value("--position-embedding-type",
              model.learned_positions > 0 ? "learned_absolute" : "rope");
    out.flag_if(model.learned_positions == 0, "--use-fused-rotary-pos-emb");
    out.flag_if(!model.layer_norm, "--use-fused-rmsnorm");
    out.flag_if(model.gated, "--use-fused-swiglu");
    out.flag_if(s.flash_attention, "--use-flash-attn");
    if (model.window > 0) {
        out.value(model.window_every == 2 ? "--interleave-sliding-window" : "--sliding-window",
                  model.window);
    }
    if (model.experts) add_experts(out, launch);

    out.group("TRAINING_ARGS");
    megatron_batches(out, launch);
    const bool fp8 = s.precision == Precision::fp8 || s.precision == Precision::mxfp8;
    out.value("--transformer-impl", fp8 ? "transformer_engine" : "local");
    add_precision(out, s);
    add_recompute(out, s);
    out.value("--distributed-backend", "nccl");

    out.group("PARALLEL_ARGS");
    out.value("--tensor-model-parallel-size", s.tp);
    out.flag_if(s.sequence_parallel, "--sequence-parallel");
    out.flag_if(s.overlap.tensor, "--use-ascend-mc2");
    add_pipeline(out, launch);
    out.value("--context-parallel-size", s.cp);
    if (s.cp > 1)
        out.value("--context-parallel-algo", s.ulysses ? "ulysses_cp_algo" : "megatron_cp_algo");
    if (model.experts) {
        // Experts that are not split over tp lie on its chips, too: with a switch of MindSpeed's
        // own, or, as dualpipe wants it, with Megatron-LM's.
        const bool dual = s.schedule == Schedule::dualpipe;
        const bool extended = s.tp > 1 && s.etp == 1 && !dual;
        out.value("--expert-model-parallel-size", extended ? s.ep / s.tp : s.ep);
        if (dual) out.value("--expert-tensor-parallel-size", 1);
        out.flag_if(extended, "--moe-tp-extend-ep");
        out.flag_if(s.overlap.experts && s.schedule != Schedule::dualpipe,
                    "--moe-alltoall-overlap-comm");
    }
    out.flag_if(s.zero >= 1, "--use-distributed-optimizer");
    if (s.zero_group > 0) out.value("--num-distributed-optimizer-instances", s.dp / s.zero_group);
    out.flag_if(s.overlap.grad_reduce, "--overlap-grad-reduce");
    out.flag_if(s.overlap.param_gather, "--overlap-param-gather");
    out.flag_if(s.offload_optimizer, "--swap-optimizer");
    return out;
}

}  // namespace weir::plan
