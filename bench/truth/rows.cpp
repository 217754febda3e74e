#include "bench/truth/rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "weir/catalog/catalog.hpp"
#include "weir/sim/csv.hpp"

#include "bench/truth/record.hpp"

namespace weir::bench {
namespace {

using plan::Framework;
using plan::Precision;
using plan::Recompute;

// "H100-SXM-80GB" -> "h100-sxm-80g", where the catalogue knows it.
const catalog::ChipRecord* chip_of(std::string_view name) {
    const catalog::Catalog& known = catalog::Catalog::built_in();
    std::string text = catalog::small_letters(name);
    const auto cut = [&](std::string_view end) {
        if (text.size() > end.size() &&
            std::string_view(text).substr(text.size() - end.size()) == end)
            text.resize(text.size() - end.size());
    };
    if (const auto* chip = known.find(text)) return chip;
    if (has(text, "tpuv5e")) return known.find("tpu-v5e");
    if (has(text, "v100")) return known.find("v100-sxm-32g");
    if (has(text, "rtx6000-pro")) return known.find("rtx-pro-6000");
    if (has(text, "h100-sxm-96gb-hbm2e")) return known.find("h100-sxm-96g-500w");
    // A variant with other memory counts as the chip it is a variant of; the row says its memory.
    if (has(text, "h100-sxm")) return known.find("h100-sxm-80g");
    cut("b");
    if (const auto* chip = known.find(text)) return chip;
    const auto dash = text.rfind('-');
    if (dash != std::string::npos) text.resize(dash);
    if (const auto* chip = known.find(text)) return chip;
    const auto first = text.find('-');
    return first == std::string::npos ? nullptr : known.find(text.substr(0, first));
}

std::string link_kind(std::string_view text, bool inside) {
    const std::string name = catalog::small_letters(text);
    constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kinds{{
        {"nvl72", "nvl72"},
        {"nvlink5", "nvlink5"},
        {"nvlink4", "nvlink4"},
        {"nvlink3", "nvlink3"},
        {"nvlink2", "nvlink2"},
        {"hccs", "hccs"},
        {"ici", "ici"},
        {"roce", "roce"},
        {"infiniband", "infiniband"},
        {"gb/gpu", "infiniband"},
    }};
    for (const auto& [word, kind] : kinds) {
        if (has(name, word)) return std::string(inside || kind != "ici" ? kind : "dcn");
    }
    return "";
}

Framework framework_of(std::string_view text) {
    if (has(text, "DeepSpeed")) return Framework::deepspeed;
    // InternEvo, too, is eager PyTorch around flash attention 2: single kernels for norms, gates
    // and residuals, each projection of its own.
    if (has(text, "Composer") || has(text, "InternEvo")) return Framework::composer;
    if (has(text, "JAX")) return Framework::jax;
    if (has(text, "MindSpeed") || has(text, "ModelLink")) return Framework::mindspeed;
    if (has(text, "torchtitan")) return Framework::torchtitan;
    return Framework::megatron_lm;
}

// The grid of one node of VIA-Research/vTrain. Its configuration asks for full recomputation, but
// it ran without: from hidden size 1,024 to 2,048 each layer takes so little longer that four
// passes over what is more would need 340 TFLOP/s, and an A100 has 312. Nor is its vocabulary
// padded: the time of the loss goes with the alignment of 50257 / tp.
bool is_bare_grid(const Record& row) {
    return has(row.text("source"), "vTrain ground truth (single-node)");
}

// All-to-all of Megatron-Core sends a token once for each of its experts. In the recipes of
// Megatron-Bridge that do not drop tokens, DeepSeek-V3 goes by DeepEP and racks of 72 by HybridEP,
// which send it to each chip and node once.
bool sends_copies(const Record& row) {
    const bool bridge =
        has(row.text("source"), "Megatron-Bridge") && !has(row.text("source_file"), "tokendrop");
    return !(bridge &&
             (has(row.text("model"), "deepseek") || has(row.text("intra_link"), "NVL72")));
}

catalog::Model model_of(const Record& row) {
    catalog::Model model;
    model.name = std::string(row.text("model"));
    model.layers = row.count("layers");
    model.hidden = row.count("hidden");
    model.heads = row.count("heads");
    model.kv_heads = row.count("kv_heads", model.heads);
    model.head_dim = row.count("head_dim", model.heads > 0 ? model.hidden / model.heads : 0);
    model.ffn = row.count("ffn");
    model.gated = row.text("gated_mlp") == "y";
    model.vocab = row.count("vocab");
    model.tied = row.text("tied_emb") == "y";
    const std::string name = catalog::small_letters(model.name);
    if (has(name, "mistral-7b")) model.window = 4096;  // its config.json
    const bool gpt = !model.gated && (has(name, "gpt") || has(name, "mpt"));
    if (gpt) {
        model.learned_positions = row.count("seq");
        model.biases = !has(name, "mpt");
        model.layer_norm = true;
    }
    if (has(std::string(row.text("arch")), "mla")) model.latent = catalog::LatentAttention{1536};
    const std::uint32_t experts = row.count("experts");
    if (experts > 0) {
        catalog::Experts moe;
        moe.count = experts;
        moe.per_token = row.count("topk", 1);
        moe.ffn = row.count("moe_ffn", model.ffn);
        moe.shared_ffn = row.count("shared_experts") * moe.ffn;
        moe.first_dense = row.count("first_dense_layers");
        if (has(name, "deepseek-v3")) {
            moe.groups = 8;
            moe.groups_per_token = 4;  // its config.json
        }
        model.experts = moe;
    }
    // One more layer predicts the token after the next, but where the table says without.
    const std::string_view file = row.text("source_file");
    if (has(file, "DeepSeekV3") && !has(file, "w/o MTP")) model.mtp_layers = 1;
    return model;
}

plan::Strategy strategy_of(const Record& row, const catalog::Model& model) {
    plan::Strategy s;
    s.tp = row.count("tp", 1);
    s.pp = row.count("pp", 1);
    s.dp = row.count("dp", 1);
    s.cp = row.count("cp", 1);
    s.ep = row.count("ep", 1);
    s.vpp = row.count("vpp", 1);
    s.micro_batch = row.count("micro_batch", 1);
    s.zero = row.count("zero_stage", 0);
    s.sequence_parallel = row.text("seq_parallel") == "y" && s.tp > 1;
    const std::string_view framework = row.text("framework");
    const std::string_view notes = row.text("notes");
    const std::string_view overlap = row.text("overlap");
    const std::string_view recompute = row.text("recompute");
    const std::string_view precision = row.text("precision");
    s.framework = framework_of(framework);
    if (s.ep > 1 && s.tp > 1) s.etp = has(notes, "expert-DP (GPUs/(TP*PP*CP*EP))") ? s.tp : 1;

    s.precision = has(precision, "mxfp8")  ? Precision::mxfp8
                  : has(precision, "fp8")  ? Precision::fp8
                  : has(precision, "fp16") ? Precision::fp16
                  : has(precision, "fp32") ? Precision::fp32
                                           : Precision::bf16;
    if (has(recompute, "full") && !is_bare_grid(row)) {
        s.recompute = Recompute::full;
        const auto digit = std::find_if(
            recompute.begin(), recompute.end(), [](char c) { return std::isdigit(c) != 0; });
        if (has(recompute, "block") && digit != recompute.end()) {
            std::uint32_t layers = 0;
            std::from_chars(&*digit, recompute.data() + recompute.size(), layers);
            s.recompute_layers = layers;
        }
    } else if (has(recompute, "selective (0 layers)")) {
        s.recompute = Recompute::none;
    } else if (has(recompute, "selective") || has(recompute, "custom") ||
               has(recompute, "activation-function") || has(recompute, "qkv_proj")) {
        s.recompute = Recompute::selective;
        const bool custom = has(recompute, "custom");
        const bool op = s.framework == Framework::torchtitan;
        s.parts.attention = !custom || op;
        s.parts.every_other_product = op;
        s.parts.norms = has(recompute, "layernorm") || custom || op;
        s.parts.activation = has(recompute, "act") || custom || op;
        s.parts.mlp = has(recompute, "except mlp") || has(recompute, "QKV_OUT_PROJ") ||
                      has(recompute, " mlp") || has(recompute, "+mlp") ||
                      has(recompute, "qkv_proj");
        s.parts.latent_up = has(recompute, "mla_up_proj");
    }
    s.flash_attention = !has(framework, "no FlashAttention") && !has(framework, "v1.x") &&
                        !has(framework, "Megatron-DeepSpeed") && !has(notes, "no flash") &&
                        !has(notes, "backend=unfused") && !has(notes, "impl=local");
    // Megatron-LM sums gradients in FP32 where weights are in BF16; FP16 ones only when told to.
    s.fp32_gradients = !(has(notes, "PURE") || s.precision == Precision::fp16 ||
                         has(framework, "Megatron-DeepSpeed") || has(framework, "InternEvo") ||
                         s.framework == Framework::jax);
    s.ulysses = has(notes, "CP rows use all-to-all") || has(notes, "ulysses");
    s.deepep = !sends_copies(row);
    s.fine_scales = has(precision, "rowwise") || has(precision, "block");
    s.eager = has(notes, "eager");
    // torchtitan compiles the loss since the beginning of 2025.
    s.eager_loss = s.framework == Framework::torchtitan && row.text("source_date") < "2025";
    s.cuda_graphs = has(overlap, "CUDA graphs");

    const bool recipes = has(overlap, "DP/TP/PP overlap") || has(overlap, "DP+TP+PP overlap");
    s.overlap.grad_reduce = recipes || has(overlap, "grad-reduce") || has(overlap, "sync_grad") ||
                            has(overlap, "fused_adam") || has(overlap, "XLA") ||
                            has(overlap, "DDP");
    s.overlap.param_gather = recipes || has(overlap, "param-gather") ||
                             has(overlap, "sync_param") || has(overlap, "fused_adam") ||
                             has(overlap, "XLA");
    if (has(overlap, "none")) s.overlap.grad_reduce = s.overlap.param_gather = false;
    s.overlap.tensor =
        (recipes || has(overlap, "TP userbuffer") || has(overlap, "tp-comm-overlap") ||
         has(overlap, "AsyncTP") || has(notes, "MC2") || has(overlap, "XLA")) &&
        !(has(notes, "MC2 feature on") && !has(notes, "MC2 (fused"));
    s.overlap.pipeline = recipes || has(overlap, "PP p2p");
    const auto group = notes.find("zero1 group size ");
    if (group != std::string_view::npos) {
        std::uint32_t size = 0;
        std::from_chars(notes.data() + group + 17, notes.data() + notes.size(), size);
        s.zero_group = size;
    }
    if (has(notes, "num-distributed-optimizer-instances=2")) s.zero_group = s.dp * s.cp / 2;
    if (s.zero == 3 && s.framework == Framework::jax && row.count("n_chips") >= 512 &&
        has(framework, "FSDP=128"))
        s.zero_group = 128;
    if (has(row.text("offload"), "activations of")) {
        std::uint32_t layers = 0;
        const std::string_view text = row.text("offload");
        const auto at = text.find("of ");
        std::from_chars(text.data() + at + 3, text.data() + text.size(), layers);
        s.offload_layers = layers;
    }
    if (has(row.text("source"), "Megatron-Bridge")) {
        // Its recipes (scripts/performance/configs): on H100 nothing is recorded as graphs, and
        // all-to-all over nodes runs beside the other micro-batch (moe_a2a_overlap) where tokens
        // are not dropped. Elsewhere whole steps are recorded, unless experts take what comes
        // (dropless), or are those of DeepSeek-V3 or Qwen3 235B on B200.
        const bool h100 = has(row.text("chip"), "H100");
        const bool b200 = has(row.text("chip"), "B200-SXM");
        const bool dropped = has(row.text("source_file"), "tokendrop");
        const bool large = has(row.text("model"), "671b") || has(row.text("model"), "235b");
        if (h100 || (b200 && model.is_moe() && (!dropped || large))) s.cuda_graphs = false;
        s.overlap.experts = h100 && !dropped && s.ep > row.count("chips_per_node", 8);
    }
    return s;
}

Result<plan::Machine> machine_of(const Record& row) {
    const catalog::ChipRecord* known = chip_of(row.text("chip"));
    catalog::ChipRecord chip;
    if (known != nullptr) {
        chip = *known;
    } else {
        // Only what its row says of it: a chip by its datasheet.
        chip.name = catalog::small_letters(row.text("chip"));
        chip.memory = gibibytes(static_cast<std::int64_t>(row.number("chip_mem_gb", 80)));
        catalog::Rate rate;
        rate.op = "gemm";
        rate.format = "bf16";
        rate.value = row.number("chip_peak_bf16_tflops", 300) * 1e12;
        rate.basis = catalog::Basis::vendor_peak;
        chip.rates.push_back(rate);
        rate.format = "fp16";
        chip.rates.push_back(rate);
        rate.op = "memory";
        rate.format = "";
        rate.value = row.number("hbm_GBps", 2000) * 1e9;
        chip.rates.push_back(rate);
    }
    plan::MachineOptions options;
    options.chips_per_node = row.count("chips_per_node", 0);
    options.inside_bytes_per_s = row.number("intra_GBps_per_chip", 0) * 1e9;
    options.between_bytes_per_s = row.number("inter_Gbps_per_chip", 0) * 1e9 / 8;
    options.inside_kind = link_kind(row.text("intra_link"), true);
    options.between_kind = link_kind(row.text("inter_link"), false);
    if (options.inside_kind == "nvl72") options.chips_per_node = 72;
    if (options.inside_kind == "ici") options.chips_per_node = 256;
    return plan::machine_of(chip, options);
}

}  // namespace

Result<std::vector<TrainingRow>> read_training(const std::string& path) {
    WEIR_TRY(auto lines, sim::LineReader::open(path));
    sim::CsvReader csv(lines);
    std::vector<std::string_view> fields;
    std::unordered_map<std::string, std::size_t> columns;
    std::vector<TrainingRow> rows;
    while (true) {
        WEIR_TRY(const bool more, csv.next(fields));
        if (!more) break;
        if (columns.empty()) {
            for (std::size_t i = 0; i < fields.size(); ++i)
                columns.emplace(std::string(fields[i]), i);
            continue;
        }
        const Record record(columns, fields);
        TrainingRow row;
        row.id = std::string(record.text("id"));
        row.group = row.id.substr(0, row.id.find('-'));
        const std::string_view file = record.text("source_file");
        row.source = std::string(file.substr(0, file.find_first_of("@:")));
        row.model_name = std::string(record.text("model"));
        row.precision = std::string(record.text("precision"));
        row.chip = std::string(record.text("chip"));
        row.job.model = model_of(record);
        row.moe = row.job.model.is_moe();
        row.job.sequence = record.count("seq");
        row.job.global_batch = record.count("global_batch");
        // Megatron's defaults, which its tests and these papers leave on.
        const std::string_view framework = record.text("framework");
        row.job.dropout =
            !row.job.model.latent &&
            (has(framework, "Megatron-DeepSpeed") || has(framework, "Megatron-LM dev") ||
             has(framework, "no FlashAttention") || has(framework, "v1.x"));
        row.job.bare_vocabulary = is_bare_grid(record);
        // Fine-tuning on short documents (SQuAD) that are packed: some 500 tokens each.
        if (has(record.text("notes"), "SFT packed")) row.job.document_tokens = 512;
        row.chips = record.count("n_chips");
        row.strategy = strategy_of(record, row.job.model);
        auto machine = machine_of(record);
        if (!machine) return fail(machine.error().at(fmt::format("{}: {}", csv.here(), row.id)));
        row.machine = *machine;
        row.step_s = record.number("step_time_s");
        row.memory_bytes = record.number("peak_mem_gib") * 1073741824.0;
        const bool complete =
            record.text("verified") == "yes" && record.text("config_complete") == "y";
        const std::string_view metric = record.text("primary_metric");
        row.score_time = complete && row.step_s > 0 && metric != "peak_mem" && metric != "memory";
        row.score_memory = complete && row.memory_bytes > 0;
        row.last_stage = row.group == "mcore";
        // torchtitan prints what the allocator reserved (max_reserved_gib of its metrics).
        row.reserved = row.strategy.framework == Framework::torchtitan;
        rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace weir::bench
