// The settings of a torchtitan job.
#include <fmt/format.h>

#include <array>

#include "weir/plan/launch_emit.hpp"
#include "weir/plan/torchtitan_flavors.hpp"
#include "weir/plan/torchtitan_pipeline.hpp"

namespace weir::plan {
namespace {

constexpr Framework me = Framework::torchtitan;

Result<void> parallelism_is_possible(const Launch& launch) {
    const Strategy& s = launch.strategy;
    if (s.ulysses)
        return cannot(me,
                      fmt::format("cp {} by all-to-all of heads", s.cp),
                      "it passes keys and values around; write cp_algorithm ring");
    if (s.zero == 1)
        return cannot(me,
                      "zero_stage 1",
                      "it splits weights and optimizer state together; write zero_stage 2 or 3");
    if (s.zero == 0 && s.cp > 1)
        return cannot(me,
                      fmt::format("zero_stage 0 with cp {}", s.cp),
                      "it splits weights over cp; write zero_stage 2 or 3");
    if (s.zero == 0 && s.dp > 1 && (s.tp > 1 || s.pp > 1))
        return cannot(me,
                      "zero_stage 0 with tp or pp above 1",
                      "copies of the whole model go with dp alone; write zero_stage 2 or 3");
    if (s.zero_group > 0 && s.dp % s.zero_group != 0) {
        return cannot(me,
                      fmt::format("zero_group {}", s.zero_group),
                      fmt::format("zero_group must divide dp {}", s.dp));
    }
    if (launch.job.sequence % (std::uint64_t{2} * s.cp * s.tp) != 0) {
        return cannot(me,
                      fmt::format("sequences of {} tokens", launch.job.sequence),
                      fmt::format("they must be a multiple of 2 x cp {} x tp {}", s.cp, s.tp));
    }
    if (s.etp > 1) {
        return cannot(
            me, fmt::format("etp {}", s.etp), fmt::format("etp is 1, or as tp ({})", s.tp));
    }
    // Experts take all chips of cp, those of tp where they are not split over them, and then some
    // that share weights.
    const std::uint64_t inner = std::uint64_t{s.cp} * (s.etp == 1 ? s.tp : 1);
    if (s.ep > 1 && s.ep % inner != 0) {
        return cannot(me,
                      fmt::format("ep {}", s.ep),
                      s.etp == 1 ? fmt::format("ep must be a multiple of cp {} x tp {}", s.cp, s.tp)
                                 : fmt::format("ep must be a multiple of cp {}", s.cp));
    }
    if (s.ep > 1 && s.zero_group > 0 &&
        (std::uint64_t{s.zero_group} * s.cp * (s.etp == 1 ? s.tp : 1)) % s.ep != 0) {
        return cannot(me,
                      fmt::format("ep {}", s.ep),
                      fmt::format("ep must divide the chips that share weights (zero_group {})",
                                  s.zero_group));
    }
    return {};
}

Result<void> rest_is_possible(const Strategy& s) {
    if (s.precision == Precision::fp16)
        return cannot(me, "precision fp16", "it has fp32, bf16, fp8 and mxfp8");
    if (!s.fp32_gradients)
        return cannot(me, "BF16 gradients", "it reduces gradients in FP32; write fp32_gradients y");
    if (s.offload_layers > 0) return cannot(me, "offload of activations", "they stay on the chip");
    if (s.overlap.experts && s.schedule != Schedule::dualpipe)
        return cannot(me,
                      fmt::format("overlap of experts with schedule {}", name_of(s.schedule)),
                      "write schedule dualpipe, or take experts out of overlap");
    if (s.recompute == Recompute::selective) {
        RecomputeParts ops{};
        ops.norms = ops.activation = ops.every_other_product = true;
        if (s.parts != ops) {
            return cannot(me,
                          "selective recompute of these parts",
                          "it computes norms, activation functions and every other product again, "
                          "all three and no more; write "
                          "selective:norms,activation,every_other_product");
        }
    }
    return {};
}

std::string quoted(std::string_view text) {
    return fmt::format("\"{}\"", text);
}
std::string_view yes(bool value) {
    return value ? "true" : "false";
}

class Settings {
public:
    void add(std::string_view key, std::string value) {
        pairs_.push_back({std::string(key), std::move(value)});
    }
    void add(std::string_view key, std::uint64_t value) { add(key, std::to_string(value)); }
    [[nodiscard]] std::vector<TomlPair> take() { return std::move(pairs_); }

private:
    std::vector<TomlPair> pairs_;
};

void add_training(Settings& out, const Launch& launch) {
    const Strategy& s = launch.strategy;
    // A pipeline takes its whole share of a step at once and cuts it into micro-batches itself.
    out.add("training.local_batch_size", s.pp > 1 ? launch.job.global_batch / s.dp : s.micro_batch);
    out.add("training.global_batch_size", launch.job.global_batch);
    out.add("training.seq_len", launch.job.sequence);
    if (const std::uint64_t steps = steps_of(launch.job)) out.add("training.steps", steps);
    out.add("training.mixed_precision_param",
            quoted(s.precision == Precision::fp32 ? "float32" : "bfloat16"));
    out.add("training.enable_cpu_offload", std::string(yes(s.offload_optimizer)));
}

Result<void> add_parallelism(Settings& out, const Launch& launch) {
    const Strategy& s = launch.strategy;
    const std::uint32_t shard = s.zero == 0 ? 1 : s.zero_group > 0 ? s.zero_group : s.dp;
    out.add("parallelism.data_parallel_replicate_degree", s.dp / shard);
    out.add("parallelism.data_parallel_shard_degree", shard);
    if (s.zero > 0)
        out.add("parallelism.fsdp_reshard_after_forward", quoted(s.zero == 2 ? "never" : "always"));
    out.add("parallelism.tensor_parallel_degree", s.tp);
    out.add("parallelism.enable_async_tensor_parallel", std::string(yes(s.overlap.tensor)));
    out.add("parallelism.pipeline_parallel_degree", s.pp);
    if (s.pp > 1) {
        WEIR_TRY(const TitanPipeline pipeline,
                 titan_pipeline(launch.job.model.layers, s.pp, s.vpp, s.schedule));
        out.add("parallelism.pipeline_parallel_schedule", quoted(pipeline.schedule));
        if (pipeline.layers_per_stage > 0) {
            out.add("parallelism.pipeline_parallel_layers_per_stage", pipeline.layers_per_stage);
            out.add("parallelism.pipeline_parallel_first_stage_less_layers", pipeline.first_less);
            out.add("parallelism.pipeline_parallel_last_stage_less_layers", pipeline.last_less);
        }
        out.add("parallelism.pipeline_parallel_microbatch_size", s.micro_batch);
        if (s.schedule == Schedule::dualpipe && s.recompute != Recompute::none)
            return cannot(me, "schedule dualpipe with recompute", "write recompute none");
    }
    out.add("parallelism.context_parallel_degree", s.cp);
    if (s.cp > 1) out.add("parallelism.context_parallel_rotate_method", quoted("alltoall"));
    out.add("parallelism.expert_parallel_degree", s.ep);
    if (launch.job.model.is_moe()) {
        out.add("parallelism.expert_tensor_parallel_degree", s.etp == 0 ? s.tp : s.etp);
    }
    return {};
}

Result<void> add_recompute(Settings& out, const Launch& launch) {
    const Strategy& s = launch.strategy;
    if (s.recompute == Recompute::full && s.recompute_layers > 0) {
        // "3": every third layer.
        const std::uint32_t layers = launch.job.model.layers / s.pp;
        if (launch.job.model.layers % s.pp != 0 || layers % s.recompute_layers != 0) {
            return cannot(
                me,
                fmt::format("recompute of {} layers of each stage", s.recompute_layers),
                fmt::format("it computes every n-th layer again, so that they must divide "
                            "the layers of a stage ({} / pp {})",
                            launch.job.model.layers,
                            s.pp));
        }
        out.add("activation_checkpoint.mode", quoted("selective"));
        out.add("activation_checkpoint.selective_ac_option",
                quoted(std::to_string(layers / s.recompute_layers)));
        return {};
    }
    out.add("activation_checkpoint.mode", quoted(name_of(s.recompute)));
    if (s.recompute == Recompute::selective)
        out.add("activation_checkpoint.selective_ac_option", quoted("op"));
    return {};
}

void add_precision(Settings& out, const Strategy& s, bool moe) {
    const bool mx = s.precision == Precision::mxfp8;
    if (!mx && s.precision != Precision::fp8) return;
    if (mx) {
        out.add("quantize.linear.mx.recipe_name", quoted("mxfp8_cublas"));
        out.add("quantize.linear.mx.filter_fqns", "[\"output\"]");
        if (moe) out.add("quantize.grouped_mm.mx.fqns", "[\"experts\"]");
        return;
    }
    out.add("quantize.linear.float8.enable_fsdp_float8_all_gather", std::string(yes(s.zero > 0)));
    out.add("quantize.linear.float8.precompute_float8_dynamic_scale_for_fsdp",
            std::string(yes(s.zero > 0)));
    out.add("quantize.linear.float8.filter_fqns", "[\"output\"]");
    if (moe) out.add("quantize.grouped_mm.float8.fqns", "[\"experts\"]");
}

}  // namespace

Result<std::vector<TomlPair>> torchtitan_settings(const Launch& launch) {
    const Strategy& s = launch.strategy;
    const catalog::Model& model = launch.job.model;
    if (model.mtp_layers > 0)
        return cannot_model(me, "predicts further tokens (multi-token prediction)");
    const TitanFlavor* flavor = titan_flavor_of(model);
    if (flavor == nullptr) {
        std::string known;
        for (const TitanFlavor& one : titan_flavors())
            known += fmt::format("{}{} {}", known.empty() ? "" : ", ", one.model, one.flavor);
        return cannot(me,
                      fmt::format("model {}", model.name),
                      fmt::format("it has shapes by name, and this is none of them: {}", known));
    }
    WEIR_CHECK(parallelism_is_possible(launch));
    WEIR_CHECK(rest_is_possible(s));

    Settings out;
    out.add("model.name", quoted(flavor->model));
    out.add("model.flavor", quoted(flavor->flavor));
    if (s.precision == Precision::fp8 || s.precision == Precision::mxfp8) {
        const std::string_view kind = s.precision == Precision::fp8 ? "float8" : "mx";
        std::string converters = fmt::format("[\"quantize.linear.{}\"", kind);
        if (model.is_moe()) converters += fmt::format(", \"quantize.grouped_mm.{}\"", kind);
        out.add("model.converters", converters + "]");
    }
    add_training(out, launch);
    WEIR_CHECK(add_parallelism(out, launch));
    WEIR_CHECK(add_recompute(out, launch));
    out.add("compile.enable", "true");
    add_precision(out, s, model.is_moe());
    return out.take();
}

}  // namespace weir::plan
