// Options of Megatron-LM and MindSpeed-LLM as a plan. Defaults are those of the argument parsers.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "weir/plan/launch_emit.hpp"
#include "weir/plan/launch_read.hpp"

namespace weir::plan {
namespace {

constexpr std::string_view by_default = "the default";

void read_attention(Reader& reader, bool mindspeed) {
    catalog::Model& model = reader.out.launch.job.model;
    model.kv_heads = model.heads;
    if (reader.flag("--group-query-attention"))
        model.kv_heads = reader.number_or("--num-query-groups", 1, by_default);
    else if (const auto groups = reader.number("--num-query-groups"))
        reader.not_modelled(fmt::format(
            "--num-query-groups {}: has no effect without --group-query-attention", *groups));
    const bool older = mindspeed && reader.flag("--multi-head-latent-attention");
    if (reader.flag("--multi-latent-attention") || older) {
        catalog::LatentAttention latent;
        latent.q_lora = reader.number("--q-lora-rank", 0).value_or(0);
        latent.kv_lora = reader.number_or("--kv-lora-rank", 32, by_default);
        latent.nope_dim = older ? reader.number_or("--qk-nope-head-dim", 128, "not said")
                                : reader.number_or("--qk-head-dim", 128, by_default);
        latent.rope_dim = older ? reader.number_or("--qk-rope-head-dim", 64, "not said")
                                : reader.number_or("--qk-pos-emb-head-dim", 64, by_default);
        latent.v_dim = reader.number_or("--v-head-dim", 128, by_default);
        model.latent = latent;
        model.head_dim = latent.nope_dim + latent.rope_dim;
        model.kv_heads = model.heads;
    }
    if (const auto window = reader.word("--window-size")) {
        // (127,0) or 127,0: keys before a query and behind it.
        std::string first = window->substr(0, window->find(','));
        std::erase(first, '(');
        const bool digits = !first.empty() && first.size() < 9 &&
                            first.find_first_not_of("0123456789") == std::string::npos;
        if (digits)
            model.window = static_cast<std::uint32_t>(std::stoul(first)) + 1;
        else
            reader.refuse(fmt::format("--window-size {}: must be two numbers", *window));
        if (const auto skip = reader.number("--window-attn-skip-freq")) model.window_every = *skip;
    }
    if (!mindspeed) return;
    if (const auto window = reader.number("--sliding-window")) model.window = *window;
    if (const auto window = reader.number("--interleave-sliding-window")) {
        model.window = *window;
        model.window_every = 2;
    }
}

void read_shape(Reader& reader, bool mindspeed) {
    catalog::Model& model = reader.out.launch.job.model;
    read_widths(reader);
    read_attention(reader, mindspeed);
    model.gated = reader.flag("--swiglu") || reader.flag("--quick-geglu") ||
                  (mindspeed && reader.flag("--geglu"));
    if (model.ffn == 0) {
        // As validate_args() does.
        model.ffn = model.gated ? model.hidden * 8 / 3 / 64 * 64 : 4 * model.hidden;
        reader.assume(fmt::format("--ffn-hidden-size {}: the default", model.ffn));
    }
    const auto norm = reader.choice("--normalization", {"LayerNorm", "RMSNorm"});
    model.layer_norm = !norm || *norm == "LayerNorm";
    model.biases = !reader.flag("--disable-bias-linear");
    model.qkv_biases = reader.flag("--add-qkv-bias") && !model.biases;
    model.tied = !reader.flag("--untie-embeddings-and-output-weights");
    model.mtp_layers = reader.number("--mtp-num-layers", 0).value_or(0);
    const auto positions = reader.word("--position-embedding-type");
    const bool rotary = reader.flag("--use-rotary-position-embeddings");
    if (const auto most = reader.number("--max-position-embeddings")) model.sequence = *most;
    if (!rotary && (!positions || *positions == "learned_absolute")) {
        model.learned_positions = std::max(model.sequence, reader.out.launch.job.sequence);
        if (!positions) reader.assume("--position-embedding-type learned_absolute: the default");
    }
    if (mindspeed && reader.flag("--post-norm")) model.norms = 4;
    model.qk_norm = reader.flag("--qk-layernorm");
    // They go with what is read elsewhere, and change no plan.
    for (const std::string_view flag : {"--use-mcore-models",
                                        "--use-fused-rmsnorm",
                                        "--use-fused-swiglu",
                                        "--use-fused-rotary-pos-emb",
                                        "--moe-grouped-gemm",
                                        "--moe-permutation-async-comm",
                                        "--mla-up-proj-tp-overlap",
                                        "--mla-mm-split",
                                        "--no-gradient-accumulation-fusion",
                                        "--use-precision-aware-optimizer"})
        static_cast<void>(reader.flag(flag));
    for (const std::string_view word :
         {"--moe-router-dtype", "--ckpt-format", "--optimizer-offload-fraction"})
        static_cast<void>(reader.word(word));
    read_vocabulary(reader);
}

void read_router_groups(Reader& reader, bool mindspeed, catalog::Experts& experts) {
    const auto either = [&](std::string_view name, std::string_view older) {
        const auto said = reader.number(name);
        const auto before = mindspeed ? reader.number(older) : std::nullopt;
        if (said && before && *said != *before) {
            reader.refuse(
                fmt::format("{} {} and {} {} contradict each other", name, *said, older, *before));
        }
        return said ? said : before;
    };
    const auto groups = either("--moe-router-num-groups", "--n-group");
    const auto taken = either("--moe-router-group-topk", "--topk-group");
    // Megatron-LM looks at groups only where it is told how many to take.
    if (!taken) return;
    if (!groups) {
        reader.refuse(
            fmt::format("--moe-router-group-topk {}: --moe-router-num-groups is not "
                        "given",
                        *taken));
        return;
    }
    // All of them are no choice.
    if (*groups == *taken) return;
    experts.groups = *groups;
    experts.groups_per_token = *taken;
}

void read_experts(Reader& reader, bool mindspeed) {
    catalog::Model& model = reader.out.launch.job.model;
    const std::uint32_t count = reader.number("--num-experts", 0).value_or(0);
    if (count < 2) return;
    catalog::Experts experts;
    experts.count = count;
    experts.per_token = reader.number_or("--moe-router-topk", 2, by_default);
    const auto width = reader.number("--moe-ffn-hidden-size");
    const auto older = mindspeed ? reader.number("--moe-intermediate-size") : std::nullopt;
    if (width && older && *width != *older) {
        reader.refuse(fmt::format(
            "--moe-ffn-hidden-size {} and --moe-intermediate-size {} contradict each other",
            *width,
            *older));
    }
    experts.ffn = width ? *width : older ? *older : model.ffn;
    if (!width && !older)
        reader.assume(fmt::format("--moe-ffn-hidden-size {}: as --ffn-hidden-size", model.ffn));
    experts.shared_ffn = reader.number("--moe-shared-expert-intermediate-size", 0).value_or(0);
    if (mindspeed) {
        if (const auto shared = reader.number("--n-shared-experts", 0)) {
            const std::uint64_t all = std::uint64_t{*shared} * experts.ffn;
            if (experts.shared_ffn > 0 && experts.shared_ffn != all) {
                reader.refuse(
                    fmt::format("--n-shared-experts {} of {} and "
                                "--moe-shared-expert-intermediate-size {} contradict each "
                                "other",
                                *shared,
                                experts.ffn,
                                experts.shared_ffn));
            }
            experts.shared_ffn = static_cast<std::uint32_t>(std::min<std::uint64_t>(all, 1U << 30));
        }
    }
    read_router_groups(reader, mindspeed, experts);
    const auto dense = mindspeed ? reader.number("--first-k-dense-replace", 0) : std::nullopt;
    const std::string pattern = reader.word("--moe-layer-freq").value_or("1");
    if (dense && pattern.find('[') == std::string::npos) {
        experts.first_dense = *dense;
        experts.every = reader.number("--moe-layer-freq").value_or(1);
        if (*dense >= model.layers) {
            reader.refuse(fmt::format(
                "--first-k-dense-replace {}: must be below the {} layers", *dense, model.layers));
        }
    } else if (reader.good()) {
        const auto layers = expert_layers(pattern, model.layers);
        if (!layers || !set_expert_layers(experts, *layers)) {
            reader.refuse(
                fmt::format("--moe-layer-freq {}: must be a number or a list for {} layers, "
                            "dense ones first and then every n-th with experts",
                            pattern,
                            model.layers));
        }
    }
    model.experts = experts;
}

// Empty layers, lists and layouts of stages.
void read_layers_of_stages(Reader& reader, bool mindspeed) {
    catalog::Model& model = reader.out.launch.job.model;
    Strategy& s = reader.out.launch.strategy;
    std::uint32_t stages_layers = model.layers;
    if (mindspeed) {
        if (const auto empty = reader.word("--noop-layers")) {
            const auto count =
                static_cast<std::uint32_t>(std::count(empty->begin(), empty->end(), ',') + 1);
            if (count >= model.layers) {
                reader.refuse(
                    fmt::format("--noop-layers {}: leaves no layer of {}", *empty, model.layers));
                return;
            }
            model.layers -= count;
            reader.assume(
                fmt::format("{} layers: {} are empty (--noop-layers)", model.layers, count));
        }
    }
    const bool listed = mindspeed && reader.word("--num-layer-list").has_value();
    if (const auto said = reader.word("--pipeline-model-parallel-layout")) {
        const auto layout = plain_layout(*said);
        if (!layout) {
            reader.refuse(
                fmt::format("--pipeline-model-parallel-layout {}: must be of E, t, m, L, |, "
                            "with * and parentheses",
                            *said));
            return;
        }
        const auto stages =
            static_cast<std::uint32_t>(std::count(layout->begin(), layout->end(), '|') + 1);
        const auto layers = std::count(layout->begin(), layout->end(), 't');
        if (stages % s.pp != 0) {
            reader.refuse(
                fmt::format("--pipeline-model-parallel-layout {}: its {} stages must be a "
                            "multiple of pp {}",
                            *said,
                            stages,
                            s.pp));
        } else if (layers != static_cast<std::ptrdiff_t>(model.layers)) {
            reader.refuse(
                fmt::format("--pipeline-model-parallel-layout {}: has {} layers, and "
                            "--num-layers is {}",
                            *said,
                            layers,
                            model.layers));
        } else {
            s.vpp = stages / s.pp;
        }
        return;
    }
    stages_layers += reader.flag("--account-for-embedding-in-pipeline-split") ? 1 : 0;
    stages_layers += reader.flag("--account-for-loss-in-pipeline-split") ? 1 : 0;
    if (const auto stages = reader.number("--num-virtual-stages-per-pipeline-rank"))
        s.vpp = *stages;
    const auto each = reader.number("--num-layers-per-virtual-pipeline-stage");
    if (!reader.good() || listed || s.pp == 1) return;
    if (reader.has("--decoder-first-pipeline-num-layers") ||
        reader.has("--decoder-last-pipeline-num-layers"))
        return;
    if (stages_layers % s.pp != 0) {
        reader.refuse(
            fmt::format("--num-layers {}: must be a multiple of pp {}, or a layout must say "
                        "which stage has how many",
                        stages_layers,
                        s.pp));
        return;
    }
    if (!each) return;
    if (stages_layers / s.pp % *each != 0) {
        reader.refuse(
            fmt::format("--num-layers-per-virtual-pipeline-stage {}: must divide the {} layers "
                        "of a stage",
                        *each,
                        stages_layers / s.pp));
        return;
    }
    s.vpp = stages_layers / s.pp / *each;
}

void read_pipeline(Reader& reader, bool mindspeed) {
    Strategy& s = reader.out.launch.strategy;
    read_layers_of_stages(reader, mindspeed);
    s.overlap.pipeline = s.vpp > 1 && !reader.flag("--no-overlap-p2p-communication");
    if (!mindspeed) return;
    if (const auto schedule = reader.choice("--schedules-method", {"dualpipev"}))
        s.schedule = Schedule::dualpipe;
}

void read_context(Reader& reader, bool mindspeed) {
    Strategy& s = reader.out.launch.strategy;
    if (mindspeed) {
        const auto algorithm = reader.word("--context-parallel-algo");
        if (s.cp > 1 && !algorithm)
            reader.assume("--context-parallel-algo megatron_cp_algo: the default of MindSpeed");
        s.ulysses = algorithm && *algorithm == "ulysses_cp_algo";
        if (s.cp > 1 && algorithm && *algorithm != "ulysses_cp_algo" &&
            *algorithm != "megatron_cp_algo")
            reader.not_modelled(
                fmt::format("--context-parallel-algo {}: taken as a ring", *algorithm));
        return;
    }
    const auto kinds = reader.words("--cp-comm-type");
    s.ulysses = !kinds.empty() && std::all_of(kinds.begin(), kinds.end(), [](const auto& kind) {
        return kind == "a2a";
    });
    if (s.cp > 1 && !s.ulysses && !kinds.empty() && kinds != std::vector<std::string>{"p2p"})
        reader.not_modelled("--cp-comm-type: taken as a ring (p2p)");
}

// How tokens go to experts. The names of the backends of flex are all of kernels that send a token
// to a chip and a node once.
void read_dispatch(Reader& reader, bool mindspeed) {
    Strategy& s = reader.out.launch.strategy;
    constexpr std::string_view name = "--moe-token-dispatcher-type";
    const auto type = mindspeed
                          ? reader.choice(name, {"allgather", "alltoall", "flex", "alltoall_seq"})
                          : reader.choice(name, {"allgather", "alltoall", "flex"});
    const auto backend = reader.word("--moe-flex-dispatcher-backend");
    const bool older = reader.flag("--moe-enable-deepep");
    if (s.ep <= 1) return;
    if (older && type != "flex") {
        reader.refuse(fmt::format("--moe-enable-deepep: {} must be flex", name));
        return;
    }
    if (type == "flex" && !mindspeed) {
        s.deepep = true;
        if (!backend && !older) reader.assume("--moe-flex-dispatcher-backend deepep: the default");
    } else if (!type) {
        reader.assume(fmt::format("{} allgather: the default, taken as alltoall", name));
    } else if (type == "allgather" || type == "flex") {
        reader.not_modelled(fmt::format("{} {}: taken as alltoall", name, *type));
    }
}

void read_expert_parallelism(Reader& reader, bool mindspeed) {
    Strategy& s = reader.out.launch.strategy;
    const bool moe = reader.out.launch.job.model.is_moe();
    s.ep = moe ? reader.number_or("--expert-model-parallel-size", 1, by_default)
               : reader.number("--expert-model-parallel-size").value_or(1);
    if (const auto etp = reader.number("--expert-tensor-parallel-size")) s.etp = *etp;
    if (reader.flag("--overlap-moe-expert-parallel-comm")) s.overlap.experts = true;
    read_dispatch(reader, mindspeed);
    if (!mindspeed) return;
    if (reader.flag("--moe-tp-extend-ep") && s.tp > 1) {
        s.etp = 1;
        s.ep *= s.tp;
    }
    for (const std::string_view overlap :
         {"--moe-alltoall-overlap-comm", "--moe-allgather-overlap-comm", "--moe-fb-overlap"}) {
        if (reader.flag(overlap)) s.overlap.experts = true;
    }
}

void read_data_parallelism(Reader& reader, bool mindspeed) {
    Strategy& s = reader.out.launch.strategy;
    s.zero = reader.flag("--use-distributed-optimizer") ? 1 : 0;
    const auto sharding = reader.choice("--data-parallel-sharding-strategy",
                                        {"no_shard", "optim", "optim_grads", "optim_grads_params"});
    if (reader.flag("--use-megatron-fsdp")) {
        constexpr std::array<std::string_view, 4> stages{
            "no_shard", "optim", "optim_grads", "optim_grads_params"};
        if (!sharding) reader.assume("--data-parallel-sharding-strategy no_shard: the default");
        const auto found = std::find(stages.begin(), stages.end(), sharding.value_or("no_shard"));
        s.zero = static_cast<std::uint32_t>(found - stages.begin());
    }
    if (reader.flag("--use-torch-fsdp2"))
        s.zero = reader.flag("--torch-fsdp2-no-reshard-after-forward") ? 2 : 3;
    if (const auto copies = reader.number("--num-distributed-optimizer-instances");
        copies && *copies > 1) {
        if (s.dp % *copies != 0) {
            reader.refuse(fmt::format(
                "--num-distributed-optimizer-instances {}: must divide the data parallelism of {}",
                *copies,
                s.dp));
        } else {
            s.zero_group = s.dp / *copies;
        }
    }
    s.overlap.grad_reduce = reader.flag("--overlap-grad-reduce");
    s.overlap.param_gather = reader.flag("--overlap-param-gather");
    s.overlap.tensor = reader.flag("--tp-comm-overlap") ||
                       (mindspeed && (reader.flag("--use-ascend-mc2") || reader.flag("--use-mc2")));
    s.offload_optimizer =
        reader.flag("--optimizer-cpu-offload") || (mindspeed && reader.flag("--swap-optimizer"));
}

void read_recompute(Reader& reader, bool mindspeed) {
    Strategy& s = reader.out.launch.strategy;
    auto granularity = reader.choice("--recompute-granularity", {"full", "selective"});
    if (reader.flag("--recompute-activations")) granularity = "selective";
    const auto method = reader.choice("--recompute-method", {"uniform", "block"});
    const auto layers = reader.number("--recompute-num-layers");
    const auto modules = reader.words("--recompute-modules");
    if (granularity == "selective") {
        s.recompute = Recompute::selective;
        if (modules.empty()) s.parts.attention = true;
        for (const std::string& module : modules) {
            if (module == "core_attn")
                s.parts.attention = true;
            else if (module == "layernorm")
                s.parts.norms = true;
            else if (module == "moe_act")
                s.parts.activation = true;
            else if (module == "mlp")
                s.parts.mlp = true;
            else if (module == "mla_up_proj")
                s.parts.latent_up = true;
            else if (module == "moe" || module == "shared_experts")
                reader.not_modelled(fmt::format("--recompute-modules {}", module));
            else
                reader.refuse(
                    fmt::format("--recompute-modules {}: must be core_attn, moe_act, "
                                "layernorm, mla_up_proj, mlp, moe or shared_experts",
                                module));
        }
    } else if (granularity == "full") {
        s.recompute = Recompute::full;
        if (!method) reader.assume("--recompute-method uniform: not said");
        if (method == "block") {
            const bool by_rank = mindspeed && reader.flag("--enable-recompute-layers-per-pp-rank");
            s.recompute_layers = layers.value_or(1) * (by_rank ? 1 : s.vpp);
        } else if (layers.value_or(1) > 1) {
            reader.not_modelled(
                fmt::format("--recompute-num-layers {}: chunks of one layer are assumed", *layers));
        }
    }
    if (mindspeed) {
        const bool norms = reader.flag("--recompute-norm");
        const bool activation = reader.flag("--recompute-activation-function");
        const bool latent = reader.flag("--recompute-mla-up-proj");
        if (s.recompute == Recompute::full && (norms || activation || latent)) {
            reader.not_modelled("recompute of single functions beside that of whole layers");
        } else if (norms || activation || latent) {
            s.recompute = Recompute::selective;
            s.parts.norms = s.parts.norms || norms;
            s.parts.activation = s.parts.activation || activation;
            s.parts.latent_up = s.parts.latent_up || latent;
        }
    }
    s.offload_layers = reader.number("--cpu-offloading-num-layers", 0).value_or(0);
}

void read_precision(Reader& reader, bool mindspeed) {
    Strategy& s = reader.out.launch.strategy;
    const bool bf16 = reader.flag("--bf16");
    const bool fp16 = reader.flag("--fp16");
    if (bf16 && fp16) reader.refuse("--bf16 and --fp16 contradict each other");
    s.precision = bf16 ? Precision::bf16 : fp16 ? Precision::fp16 : Precision::fp32;
    if (!bf16 && !fp16) reader.assume("fp32: neither --bf16 nor --fp16 is given");
    const bool summed = reader.flag("--accumulate-allreduce-grads-in-fp32");
    const bool narrow = reader.flag("--grad-reduce-in-bf16");
    s.fp32_gradients = bf16 ? !narrow : fp16 ? summed : true;
    if (summed && narrow && bf16)
        reader.refuse(
            "--grad-reduce-in-bf16 and "
            "--accumulate-allreduce-grads-in-fp32 contradict each other");
    if (reader.word("--fp4-format"))
        reader.refuse(Code::unsupported,
                      "--fp4-format: plans have fp32, fp16, bf16, fp8 and mxfp8");
    const auto format = reader.word("--fp8-format");
    const auto recipe = reader.word("--fp8-recipe");
    if (format) {
        s.precision = recipe == "mxfp8" ? Precision::mxfp8 : Precision::fp8;
        if (!recipe) reader.assume("--fp8-recipe delayed: the default");
    }
    const bool flash = reader.flag("--use-flash-attn");
    const auto implementation = reader.word("--transformer-impl");
    if (mindspeed) {
        s.flash_attention = flash || s.cp > 1;
        return;
    }
    const auto backend =
        reader.choice("--attention-backend", {"flash", "fused", "unfused", "local", "auto"});
    s.flash_attention = backend != "unfused" && backend != "local";
    if (implementation == "local") s.flash_attention = flash;
}

}  // namespace

void read_megatron(Reader& reader, const Started& started) {
    const bool mindspeed = reader.out.framework == Framework::mindspeed;
    Strategy& s = reader.out.launch.strategy;
    reader.settle_chips(started);
    s.tp = reader.number_or("--tensor-model-parallel-size", 1, by_default);
    s.pp = reader.number_or("--pipeline-model-parallel-size", 1, by_default);
    s.cp = reader.number_or("--context-parallel-size", 1, by_default);
    s.sequence_parallel = reader.flag("--sequence-parallel");
    reader.settle_data_parallelism();
    read_shape(reader, mindspeed);
    read_pipeline(reader, mindspeed);
    read_experts(reader, mindspeed);
    read_context(reader, mindspeed);
    read_expert_parallelism(reader, mindspeed);
    read_data_parallelism(reader, mindspeed);
    read_recompute(reader, mindspeed);
    read_precision(reader, mindspeed);
    read_batches(reader);
    read_tokens(reader);
}

}  // namespace weir::plan
