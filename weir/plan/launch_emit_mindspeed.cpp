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
    if (model.norms != 2 && model.norms != 4) {
        return cannot_model(
            me, fmt::format("has {} norms in a layer", model.norms), "has 2 or 4 in each");
    }
    WEIR_CHECK(layer_is_plain(launch, me));
    if (model.mtp_layers > 0 && model.learned_positions > 0) {
        return cannot_model(me,
                            "predicts further tokens and has learned positions",
                            "predicts them with rotary positions only");
    }
    if (model.window > 0 && s.cp > 1)
        return cannot(me,
                      fmt::format("cp {} with a sliding window", s.cp),
                      "the model has one, and its context parallelism does not; write cp 1");
    if (model.window > 0 && model.window_every > 2) {
        return cannot_model(
            me,
            fmt::format("has a sliding window in all but every {}th layer", model.window_every),
            "has one in every layer or in every second");
    }
    if (model.experts) {
        if (s.precision == Precision::fp16 || s.precision == Precision::fp32) {
            return cannot(me,
                          fmt::format("experts in {}", name_of(s.precision)),
                          "its grouped products of experts are in bf16 or fp8");
        }
        if (model.biases && s.tp > 1)
            return cannot(me,
                          fmt::format("tp {}", s.tp),
                          "it does not split experts that have biases; write tp 1");
        if (s.tp > 1 && !s.sequence_parallel)
            return cannot(me,
                          fmt::format("experts with tp {} and without sequence parallelism", s.tp),
                          "write seq_parallel y");
        if (s.etp > 1) {
            return cannot(me,
                          fmt::format("etp {}", s.etp),
                          "it splits experts over tp as everything else (leave etp out), or not at "
                          "all (etp 1)");
        }
        if (s.tp > 1 && s.etp == 1 && s.ep % s.tp != 0 && s.schedule != Schedule::dualpipe) {
            return cannot(me,
                          fmt::format("ep {} with etp 1", s.ep),
                          fmt::format("ep must be a multiple of tp {}", s.tp));
        }
    }
    return {};
}

Result<void> dualpipe_is_possible(const Launch& launch) {
    const Strategy& s = launch.strategy;
    const catalog::Model& model = launch.job.model;
    const auto refuse = [](std::string_view why) { return cannot(me, "schedule dualpipe", why); };
    if (!model.is_moe()) return refuse("it is for models with experts");
    if (s.ep < 2) return refuse(fmt::format("it wants ep of at least 2, not {}", s.ep));
    if (s.overlap.grad_reduce)
        return refuse("it does not go with overlap of grad_reduce; take that out");
    if (model.tied)
        return refuse("it wants an output of its own, and that of this model is tied to the input");
    if (s.cp > 1) return refuse(fmt::format("it wants cp 1, not {}", s.cp));
    if (s.tp > 1 && s.etp != 1)
        return refuse("with tp above 1 it wants experts that are not split; write etp 1");
    if (s.vpp > 1) return refuse(fmt::format("it wants vpp 1, not {}", s.vpp));
    if (model.layers < 2 * s.pp) {
        return refuse(fmt::format(
            "it wants two layers for each of pp {}, and the model has {}", s.pp, model.layers));
    }
    if (micro_batches_of(launch) < 2 * std::uint64_t{s.pp} - 1) {
        return refuse(fmt::format("with pp {} it wants {} micro-batches, and there are {}",
                                  s.pp,
                                  2 * std::uint64_t{s.pp} - 1,
                                  micro_batches_of(launch)));
    }
    return {};
}

Result<void> schedule_is_possible(const Launch& launch) {
    const Strategy& s = launch.strategy;
    const std::uint32_t layers = launch.job.model.layers;
    if (s.schedule == Schedule::zero_bubble)
        return cannot(me,
                      "schedule zero-bubble",
                      "it has 1f1b, interleaved where vpp is above 1, and dualpipe");
    if (s.schedule == Schedule::dualpipe) WEIR_CHECK(dualpipe_is_possible(launch));
    if (s.pp > layers) {
        return cannot(me,
                      fmt::format("pp {}", s.pp),
                      fmt::format("each stage wants a layer, and the model has {}", layers));
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
    if (s.cp > 1) {
        if (launch.job.sequence % (2 * std::uint64_t{s.cp}) != 0) {
            return cannot(
                me,
                fmt::format("cp {}", s.cp),
                fmt::format("2 x cp must divide the sequence of {}", launch.job.sequence));
        }
        if (s.ulysses && launch.job.model.heads % (std::uint64_t{s.cp} * s.tp) != 0) {
            return cannot(me,
                          fmt::format("cp {}", s.cp),
                          fmt::format("by all-to-all of heads cp x tp {} must divide the {} heads",
                                      s.tp,
                                      launch.job.model.heads));
        }
        if (!s.flash_attention)
            return cannot(
                me, fmt::format("cp {} without flash attention", s.cp), "write flash_attention y");
    }
    return {};
}

Result<void> recompute_is_possible(const Launch& launch) {
    const Strategy& s = launch.strategy;
    if (s.recompute == Recompute::selective) {
        if (s.parts == RecomputeParts{})
            return cannot(me,
                          "selective recompute of nothing",
                          "none of the parts that are named is one of this model; name another, as "
                          "selective:norms");
        if (s.parts.mlp)
            return cannot(me,
                          "recompute of mlp",
                          "it has that of attention, norms, activation and latent_up");
        if (s.parts.every_other_product)
            return cannot(me,
                          "recompute of every other product",
                          "torchtitan alone has that; name attention, norms, activation or "
                          "latent_up");
        RecomputeParts rest = s.parts;
        rest.attention = false;
        if (s.parts.attention && rest != RecomputeParts{}) {
            return cannot(me,
                          "recompute of attention together with other parts",
                          "it has attention alone, or norms, activation and latent_up");
        }
        if (s.parts.latent_up && !s.sequence_parallel)
            return cannot(me,
                          "recompute of latent_up without sequence parallelism",
                          "write seq_parallel y and tp above 1");
    }
    if (s.offload_layers > 0) {
        return cannot(me,
                      "offload of activations by layer",
                      "it sends them to the host by kind (--swap-attention)");
    }
    return {};
}

Result<void> data_parallelism_is_possible(const Strategy& s, bool moe) {
    if (s.zero >= 2) {
        return cannot(
            me,
            fmt::format("zero_stage {}", s.zero),
            "its options have the distributed optimizer (zero_stage 1); FSDP2 is set up in "
            "a file of its own");
    }
    if (s.zero_group > 0 && s.dp % s.zero_group != 0) {
        return cannot(me,
                      fmt::format("zero_group {}", s.zero_group),
                      fmt::format("zero_group must divide dp {}", s.dp));
    }
    if (s.overlap.param_gather && !s.overlap.grad_reduce)
        return cannot(
            me,
            "overlap of param_gather alone",
            "weights come in beside computation only where gradients leave beside it; add "
            "grad_reduce to overlap");
    if (s.offload_optimizer && s.zero == 0)
        return cannot(me,
                      "offload of the optimizer with zero_stage 0",
                      "only its distributed optimizer lies on the host; write zero_stage 1");
    if (s.overlap.tensor && moe) {
        return cannot(me,
                      "overlap of tensor parallel communication in a model with experts",
                      "take tensor out of overlap");
    }
    if (s.overlap.tensor && !s.sequence_parallel)
        return cannot(me,
                      "overlap of tensor parallel communication without sequence parallelism",
                      "write seq_parallel y, or take tensor out of overlap");
    if (s.overlap.experts && s.schedule != Schedule::dualpipe && s.tp > 1 && s.etp != 1)
        return cannot(me,
                      "overlap of experts that are split over tp",
                      "write etp 1, or take experts out of overlap");
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
    megatron_router_groups(out, experts);
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
