#include "weir/plan/plan_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "weir/base/units.hpp"
#include "weir/catalog/hf_config.hpp"
#include "weir/catalog/only_chip.hpp"
#include "weir/plan/stack.hpp"

namespace weir::plan {
namespace {

using schema::boolean;
using schema::choice;
using schema::Field;
using schema::integer;
using schema::list_or_one;
using schema::number;
using schema::text;
using schema::word;

constexpr std::int64_t many = 100'000'000;

std::optional<std::string> test_recompute(std::string_view given) {
    Strategy strategy;
    if (recompute_from_text(given, strategy)) return std::nullopt;
    return "is not a way to recompute: write none, selective, selective:PART,PART with attention, "
           "norms, activation, mlp, latent_up or every_other_product, full, or full:block:N for N "
           "layers of each stage";
}

// "none", "optimizer", "activations:20": the last of so many layers of each stage.
bool offload_from_text(std::string_view given, Strategy& strategy) {
    if (given == "none") return true;
    if (given == "optimizer") {
        strategy.offload_optimizer = true;
        return true;
    }
    constexpr std::string_view activations = "activations:";
    if (given.substr(0, activations.size()) != activations) return false;
    given.remove_prefix(activations.size());
    const char* const end = given.data() + given.size();
    const auto parsed = std::from_chars(given.data(), end, strategy.offload_layers);
    return parsed.ec == std::errc{} && parsed.ptr == end && strategy.offload_layers > 0;
}

std::optional<std::string> test_offload(std::string_view given) {
    Strategy strategy;
    if (offload_from_text(given, strategy)) return std::nullopt;
    return "is not what can lie on the host: write none, optimizer, or activations:N for those of "
           "N layers of each stage";
}

schema::Value yes() {
    return choice({"y", "n", "true", "false"});
}
bool is_yes(std::string_view word) {
    return word == "y" || word == "true";
}

// Words of one of the enumerations, by their names.
template <class Enum>
std::vector<std::string_view> names_of(std::initializer_list<Enum> all) {
    std::vector<std::string_view> names;
    for (const Enum one : all)
        names.push_back(name_of(one));
    return names;
}
template <class Enum>
Enum from_name(std::string_view name, std::initializer_list<Enum> all) {
    for (const Enum one : all)
        if (name_of(one) == name) return one;
    return *all.begin();
}
constexpr std::initializer_list<Precision> precisions{
    Precision::bf16, Precision::fp16, Precision::fp32, Precision::fp8, Precision::mxfp8};
constexpr std::initializer_list<Framework> frameworks{Framework::megatron_lm,
                                                      Framework::deepspeed,
                                                      Framework::mindspeed,
                                                      Framework::torchtitan,
                                                      Framework::composer,
                                                      Framework::jax};
constexpr std::initializer_list<Schedule> schedules{
    Schedule::one_f_one_b, Schedule::zero_bubble, Schedule::dualpipe};

struct NamedOverlap {
    std::string_view name;
    bool Overlap::*member;
};
constexpr std::array<NamedOverlap, 5> overlaps{{{"grad_reduce", &Overlap::grad_reduce},
                                                {"param_gather", &Overlap::param_gather},
                                                {"tensor", &Overlap::tensor},
                                                {"pipeline", &Overlap::pipeline},
                                                {"experts", &Overlap::experts}}};

struct NamedPart {
    std::string_view name;
    std::string_view also;  // as Megatron-LM calls it
    bool RecomputeParts::*member;
};
constexpr std::array<NamedPart, 6> parts{
    {{"attention", "core_attn", &RecomputeParts::attention},
     {"norms", "layernorm", &RecomputeParts::norms},
     {"activation", "moe_act", &RecomputeParts::activation},
     {"mlp", "mlp", &RecomputeParts::mlp},
     {"latent_up", "mla_up_proj", &RecomputeParts::latent_up},
     {"every_other_product", "op", &RecomputeParts::every_other_product}}};

// Shape keys and where they go in a model.
struct ShapeKey {
    std::string_view key;
    std::uint32_t catalog::Model::*member;
};
constexpr std::array<ShapeKey, 7> shape_keys{{{"layers", &catalog::Model::layers},
                                              {"hidden", &catalog::Model::hidden},
                                              {"heads", &catalog::Model::heads},
                                              {"kv_heads", &catalog::Model::kv_heads},
                                              {"head_dim", &catalog::Model::head_dim},
                                              {"ffn", &catalog::Model::ffn},
                                              {"vocab", &catalog::Model::vocab}}};

std::uint32_t count_of(const schema::View& view, std::string_view key, std::uint32_t otherwise) {
    return static_cast<std::uint32_t>(view.integer(key).value_or(otherwise));
}

// `given`: as on the command line, "" = there is none.
Result<catalog::Model> model_of_file(const schema::View& view,
                                     std::string_view given,
                                     std::vector<std::string>& notes) {
    const std::string name = view.text("model").value_or(std::string(given));
    if (!given.empty() && name != given) {
        return fail(Code::invalid,
                    fmt::format("model: {}, and the command line says {}; give one", name, given));
    }
    catalog::Model model;
    const bool shaped = view.integer("layers") && view.integer("hidden") && view.integer("heads");
    if (const catalog::Model* known = catalog::find_model(name)) {
        model = *known;
    } else if (name.empty() && !shaped) {
        return fail(Code::invalid,
                    "model: say which, or its shape with layers, hidden, heads, ffn and vocab");
    } else if (!shaped) {
        auto read = catalog::model_of(name);
        if (!read) {
            return fail(read.error().code,
                        read.error().message +
                            ", or give its shape beside it (layers, hidden, heads, ffn, vocab)");
        }
        model = std::move(*read);
    } else {
        model.name = name.empty() ? "unnamed" : name;
    }
    const bool known = model.layers > 0;
    for (const ShapeKey& one : shape_keys) {
        if (const auto value = view.integer(one.key))
            model.*one.member = static_cast<std::uint32_t>(*value);
    }
    if (const auto gated = view.text("gated_mlp")) model.gated = is_yes(*gated);
    if (const auto tied = view.text("tied_emb")) model.tied = is_yes(*tied);
    if (!known) {
        if (!view.integer("kv_heads")) model.kv_heads = model.heads;
        if (!view.integer("head_dim") && model.heads > 0)
            model.head_dim = model.hidden / model.heads;
        if (!model.gated) {
            // A plain feed-forward is that of GPT, and so is the rest.
            model.layer_norm = model.biases = true;
            model.learned_positions = count_of(view, "seq", 4096);
            notes.push_back(
                "gated_mlp: n, so LayerNorm, biases and learned positions are taken as in GPT");
        }
    }
    if (view.text("arch").value_or("").find("mla") != std::string::npos && !model.latent)
        model.latent = catalog::LatentAttention{1536};
    const std::uint32_t experts = count_of(view, "experts", 0);
    if (experts > 0) {
        catalog::Experts moe = model.experts.value_or(catalog::Experts{});
        if (moe.count != experts) moe.groups = moe.groups_per_token = 1;
        moe.count = experts;
        moe.per_token = count_of(view, "topk", moe.per_token > 0 ? moe.per_token : 1);
        moe.ffn = count_of(view, "moe_ffn", moe.ffn > 0 ? moe.ffn : model.ffn);
        moe.first_dense = count_of(view, "first_dense_layers", moe.first_dense);
        if (const auto shared = view.integer("shared_experts"))
            moe.shared_ffn = static_cast<std::uint32_t>(
                std::min<std::uint64_t>(static_cast<std::uint64_t>(*shared) * moe.ffn, UINT32_MAX));
        model.experts = moe;
    }
    // What only a model with experts has, said of one without.
    for (const std::string_view key : {"topk", "moe_ffn", "shared_experts", "first_dense_layers"}) {
        const auto said = view.integer(key);
        if (model.experts || said.value_or(0) == 0) continue;
        return fail(
            Code::invalid,
            fmt::format("{} {}: model {} has no experts; say in experts how many it has, or "
                        "leave {} out",
                        key,
                        *said,
                        model.name,
                        key));
    }
    WEIR_CHECK(catalog::check(model));
    return model;
}

Result<Machine> machine_of_file(const schema::View& view, const catalog::Catalog& catalog) {
    const std::string name = view.text("chip").value_or("");
    catalog::ChipRecord chip;
    const auto known = catalog::only_chip(catalog, name);
    if (known) {
        chip = **known;
    } else if (known.error().code == Code::invalid) {
        return fail(known.error().at("chip"));
    } else if (const auto peak = view.number("chip_peak_bf16_tflops");
               peak && view.number("chip_mem_gb")) {
        // Known only from what is said here.
        chip.name = catalog::small_letters(name);
        for (const std::string_view format : {"bf16", "fp16"}) {
            catalog::Rate rate;
            rate.op = "gemm";
            rate.format = format;
            rate.value = *peak * 1e12;
            rate.basis = catalog::Basis::vendor_peak;
            chip.rates.push_back(rate);
        }
    } else {
        return fail(Code::not_found,
                    fmt::format("chip: {}; give chip_mem_gb and chip_peak_bf16_tflops beside it, "
                                "or one of `weir chips`",
                                known.error().message));
    }
    if (const auto memory = view.number("chip_mem_gb"))
        chip.memory = Bytes{static_cast<std::int64_t>(*memory * (1 << 30))};
    MachineOptions options;
    options.chips_per_node = count_of(view, "chips_per_node", 0);
    options.inside_bytes_per_s = view.number("intra_GBps_per_chip").value_or(0) * 1e9;
    options.between_bytes_per_s = view.number("inter_Gbps_per_chip").value_or(0) * 1e9 / 8;
    options.inside_kind = view.text("intra_link").value_or("");
    options.between_kind = view.text("inter_link").value_or("");
    return machine_of(chip, options);
}

Result<void> check_deepep(const Strategy& s, const Machine& machine) {
    const auto refuse = [](const std::string& why) {
        return fail(Code::invalid,
                    fmt::format("expert_dispatch deepep: {}; write all-to-all", why));
    };
    if (!stack_of(s.framework).deepep)
        return refuse(fmt::format("{} has it not", name_of(s.framework)));
    if (!machine.deepep) {
        return refuse(
            fmt::format("it runs on chips of NVIDIA from Ampere on that NVLink joins, and "
                        "{} over {} are none",
                        machine.chip_name,
                        machine.inside.kind));
    }
    if (!deepep_fits(s)) {
        return refuse(fmt::format("it is set up for ep x etp of {}, and this is {} x {}",
                                  deepep_sizes(),
                                  s.ep,
                                  s.etp == 0 ? s.tp : s.etp));
    }
    return {};
}

Result<Strategy> strategy_of_file(const schema::View& view,
                                  const TrainingJob& job,
                                  const Machine& machine,
                                  std::vector<std::string>& notes) {
    Strategy s;
    s.tp = count_of(view, "tp", 1);
    s.pp = count_of(view, "pp", 1);
    s.cp = count_of(view, "cp", 1);
    s.ep = count_of(view, "ep", 1);
    s.etp = count_of(view, "etp", 0);
    s.vpp = count_of(view, "vpp", 1);
    s.micro_batch = count_of(view, "micro_batch", 1);
    // In 64 bits the product of what is read may be nothing.
    const double held = static_cast<double>(s.tp) * s.pp * s.cp;
    const auto chips = view.integer("n_chips");
    if (const auto dp = view.integer("dp")) {
        s.dp = static_cast<std::uint32_t>(*dp);
    } else if (chips) {
        if (std::fmod(static_cast<double>(*chips), held) != 0)
            return fail(
                Code::invalid,
                fmt::format("n_chips {}: must be a multiple of tp {} x pp {} x cp {} = {:.0f}",
                            *chips,
                            s.tp,
                            s.pp,
                            s.cp,
                            held));
        s.dp = static_cast<std::uint32_t>(static_cast<double>(*chips) / held);
        notes.push_back(fmt::format("dp is {}: what n_chips leaves", s.dp));
    }
    WEIR_CHECK(recompute_from_text(view.text("recompute").value_or("none"), s));
    for (const std::string& what : view.texts("offload"))
        offload_from_text(what, s);
    s.sequence_parallel = is_yes(view.text("seq_parallel").value_or("n"));
    s.zero = count_of(view, "zero_stage", 0);
    s.zero_group = count_of(view, "zero_group", 0);
    s.precision = from_name(view.text("precision").value_or("bf16"), precisions);
    s.framework = from_name(view.text("framework").value_or("megatron-lm"), frameworks);
    s.schedule = from_name(view.text("schedule").value_or("1f1b"), schedules);
    for (const std::string& what : view.texts("overlap")) {
        for (const NamedOverlap& one : overlaps) {
            if (one.name == what) s.overlap.*one.member = true;
        }
    }
    const auto flag = [&view](std::string_view key, bool otherwise) {
        const auto word = view.text(key);
        return word ? is_yes(*word) : otherwise;
    };
    s.ulysses = view.text("cp_algorithm").value_or("ring") == "all-to-all";
    const auto dispatch = view.text("expert_dispatch");
    s.deepep = dispatch ? *dispatch == "deepep" : machine.deepep && deepep_fits(s);
    if (s.deepep) WEIR_CHECK(check_deepep(s, machine));
    s.flash_attention = flag("flash_attention", true);
    s.cuda_graphs = flag("cuda_graphs", false);
    s.fp32_gradients = flag("fp32_gradients", true);
    WEIR_CHECK(check(s, job, chips ? static_cast<std::uint64_t>(*chips) : s.chips()));
    if (s.zero_group > 0 && s.dp % s.zero_group != 0)
        return fail(Code::invalid,
                    fmt::format("zero_group {}: must divide dp {}", s.zero_group, s.dp));
    const std::uint64_t micro_batches = job.global_batch / (std::uint64_t{s.micro_batch} * s.dp);
    if (const auto said = view.integer("n_microbatches");
        said && static_cast<std::uint64_t>(*said) != micro_batches) {
        return fail(Code::invalid,
                    fmt::format("n_microbatches {}: global_batch {} / (micro_batch {} x dp {}) is "
                                "{}",
                                *said,
                                job.global_batch,
                                s.micro_batch,
                                s.dp,
                                micro_batches));
    }
    return s;
}

// Columns that say where a row comes from; nothing follows from them.
void add_labels(std::vector<Field>& fields) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 15> labels{{
        {"id", "Its name in a table"},
        {"source", "Who published it"},
        {"source_file", "Where exactly"},
        {"source_date", "When"},
        {"params_b", "Parameters in thousands of millions; counted from the shape instead"},
        {"active_params_b", "Of them used by one token; counted from the shape instead"},
        {"step_time_from", "How the step time was found"},
        {"tokens_per_s_per_chip", "Follows from the step time"},
        {"tflops_per_chip", "Follows from the step time"},
        {"tflops_kind", "What tflops_per_chip counts"},
        {"mfu_pct", "Follows from the step time"},
        {"primary_metric", "What the source measured"},
        {"verified", "Whether the row was read from its source"},
        {"config_complete", "Whether the source says everything"},
        {"notes", "For people"},
    }};
    for (const auto& [key, doc] : labels)
        fields.push_back({key, text(), doc});
}

std::vector<Field> fields_of_plan() {
    const auto size = [] { return integer(1, many); };
    std::vector<Field> fields{
        {"model",
         text(),
         "Name in the catalogue, path of a config.json, or a label of the shape below",
         "llama-3.1-8b"},
        {"arch", choice({"dense", "moe", "moe-mla", "dense-mla"}), "Kind of layers", "moe-mla"},
        {"layers", size(), "Layers", "32", "that of the model"},
        {"hidden", size(), "Width of the model", "4096", "that of the model"},
        {"heads", size(), "Heads of attention", "32", "that of the model"},
        {"kv_heads", size(), "Heads of keys and values", "8", "that of the model, else as heads"},
        {"head_dim", size(), "Width of a head", "128", "that of the model, else hidden / heads"},
        {"ffn", size(), "Inner width of the feed-forward", "14336", "that of the model"},
        {"gated_mlp", yes(), "Three matrices instead of two (SwiGLU)", "y", "that of the model"},
        {"vocab", size(), "Words of the vocabulary", "128256", "that of the model"},
        {"tied_emb", yes(), "The output uses the matrix of the input", "n", "that of the model"},
        {"seq", size(), "Tokens of a sequence", "8192", "4096"},
        {"experts", integer(0, many), "Routed experts of a layer", "256", "that of the model"},
        {"topk", integer(0, many), "Experts that a token uses", "8", "that of the model"},
        {"moe_ffn", integer(0, many), "Inner width of an expert", "2048", "that of the model"},
        {"shared_experts",
         integer(0, many),
         "Experts that every token uses, each as wide as a routed one",
         "1",
         "that of the model"},
        {"first_dense_layers",
         integer(0, many),
         "Layers at the start without experts",
         "3",
         "that of the model"},
        {"chip", text(), "Name in the catalogue", "h100-sxm-80g", "", true},
        {"chip_mem_gb", number(0.1, 1e5), "Memory of a chip in GiB", "80", "that of the chip"},
        {"chip_peak_bf16_tflops",
         number(0.1, 1e6),
         "Dense BF16 peak of a chip that the catalogue does not know",
         "989.4"},
        {"n_chips", integer(1, many), "Chips in all", "64", "tp x pp x dp x cp"},
        {"chips_per_node", integer(1, 100'000), "Chips that the fast link joins", "8", "as usual"},
        {"intra_link", text(), "Link inside a node", "nvlink4", "usual for the chip"},
        {"intra_GBps_per_chip",
         number(0.1, 1e5),
         "GB/s of a chip inside its node, one direction",
         "450",
         "half of the chip's link"},
        {"inter_link", text(), "Link between nodes", "infiniband", "usual for the chip"},
        {"inter_Gbps_per_chip",
         number(0.1, 1e6),
         "Gbit/s of a chip between nodes, one direction",
         "400",
         "usual for the chip"},
        {"global_batch", size(), "Sequences of a step", "128", "256"},
        {"micro_batch", size(), "Sequences of a micro-batch", "1", "1"},
        {"n_microbatches", size(), "Must be global_batch / (micro_batch x dp)", "16"},
        {"tp", size(), "Tensor parallel degree", "8", "1"},
        {"pp", size(), "Pipeline stages", "4", "1"},
        {"dp", size(), "Data parallel degree", "16", "n_chips / (tp x pp x cp), else 1"},
        {"ep", size(), "Expert parallel degree", "8", "1"},
        {"etp", integer(0, many), "Tensor parallel degree of experts; 0 = as tp", "1", "0"},
        {"cp", size(), "Context parallel degree", "2", "1"},
        {"vpp", size(), "Virtual stages of a pipeline stage", "2", "1"},
        {"schedule", choice(names_of(schedules)), "Of the pipeline", "zero-bubble", "1f1b"},
        {"recompute",
         word("way", test_recompute, ""),
         "What is computed again: none, selective[:parts], full[:block:N]",
         "selective:norms,activation",
         "none"},
        {"offload",
         list_or_one(word("what", test_offload, "")),
         "What lies on the host: none, optimizer, activations:N",
         "[optimizer]",
         "none"},
        {"seq_parallel", yes(), "Norms and residuals are split over tp too", "y", "n"},
        {"zero_stage", integer(0, 3), "1 = distributed optimiser, 3 = FSDP", "1", "0"},
        {"zero_group", integer(0, many), "Sharded over so many chips; 0 = all of dp", "128", "0"},
        {"precision", choice(names_of(precisions)), "Of the matrix products", "bf16", "bf16"},
        {"framework",
         choice(names_of(frameworks)),
         "Whose kernels run",
         "megatron-lm",
         "megatron-lm"},
        {"overlap",
         list_or_one(
             choice({"none", "grad_reduce", "param_gather", "tensor", "pipeline", "experts"})),
         "What runs beside the computation",
         "[grad_reduce, param_gather]",
         "none"},
        {"cp_algorithm", choice({"ring", "all-to-all"}), "Of context parallelism", "ring", "ring"},
        {"expert_dispatch",
         choice({"all-to-all", "deepep"}),
         "How tokens go to experts: a copy for each expert, or for each chip and node (DeepEP, "
         "HybridEP)",
         "deepep",
         "deepep where framework, chip and ep allow it"},
        {"flash_attention", yes(), "Attention keeps no scores", "y", "y"},
        {"cuda_graphs", yes(), "Kernels are issued as recorded graphs", "n", "n"},
        {"fp32_gradients", yes(), "Gradients are summed and sent in FP32", "y", "y"},
        {"step_time_s", number(1e-3, 1e6), "Measured: seconds of a step, held against", "4.2"},
        {"peak_mem_gib",
         number(1e-3, 1e5),
         "Measured: peak of a chip in GiB, held against",
         "61.5"},
    };
    add_labels(fields);
    return fields;
}

}  // namespace

Result<void> recompute_from_text(std::string_view given, Strategy& strategy) {
    const auto refuse = [given] {
        return fail(Code::invalid, fmt::format("recompute: '{}' is not known", given));
    };
    const auto colon = given.find(':');
    const std::string_view kind = given.substr(0, colon);
    std::string_view rest = colon == std::string_view::npos ? "" : given.substr(colon + 1);
    if (kind == "none" && rest.empty()) {
        strategy.recompute = Recompute::none;
        return {};
    }
    if (kind == "full") {
        strategy.recompute = Recompute::full;
        strategy.recompute_layers = 0;
        if (rest.empty() || rest == "uniform" || rest == "uniform:1") return {};
        constexpr std::string_view block = "block:";
        if (rest.substr(0, block.size()) != block) return refuse();
        rest.remove_prefix(block.size());
        const char* const end = rest.data() + rest.size();
        const auto parsed = std::from_chars(rest.data(), end, strategy.recompute_layers);
        if (parsed.ec != std::errc{} || parsed.ptr != end || strategy.recompute_layers == 0)
            return refuse();
        return {};
    }
    if (kind != "selective") return refuse();
    strategy.recompute = Recompute::selective;
    strategy.parts = {};
    if (rest.empty()) {
        strategy.parts.attention = true;
        return {};
    }
    while (!rest.empty()) {
        const auto comma = rest.find_first_of(",+");
        const std::string_view one = rest.substr(0, comma);
        const auto part = std::find_if(parts.begin(), parts.end(), [one](const NamedPart& named) {
            return named.name == one || named.also == one;
        });
        if (part == parts.end()) return refuse();
        strategy.parts.*part->member = true;
        if (comma == std::string_view::npos) break;
        rest.remove_prefix(comma + 1);
    }
    return {};
}

std::string recompute_text(const Strategy& strategy) {
    if (strategy.recompute == Recompute::full) {
        return strategy.recompute_layers == 0
                   ? "full"
                   : fmt::format("full:block:{}", strategy.recompute_layers);
    }
    if (strategy.recompute == Recompute::none) return "none";
    std::string names;
    for (const NamedPart& part : parts) {
        if (strategy.parts.*part.member)
            names += (names.empty() ? "" : ",") + std::string(part.name);
    }
    return names == "attention" || names.empty() ? "selective" : "selective:" + names;
}

const schema::Object& plan_schema() {
    static const schema::Object table{"plan",
                                      "One training configuration.",
                                      fields_of_plan(),
                                      {{"tensor_parallel", "write tp"},
                                       {"pipeline_parallel", "write pp"},
                                       {"data_parallel", "write dp"},
                                       {"sequence", "write seq"},
                                       {"sequence_length", "write seq"},
                                       {"chips", "write chip (which) and n_chips (how many)"},
                                       {"gpus", "write n_chips"},
                                       {"world_size", "write n_chips"},
                                       {"zero", "write zero_stage"},
                                       {"batch", "write global_batch"},
                                       {"micro_batch_size", "write micro_batch"}}};
    return table;
}

Result<PlanFile> read_plan_text(std::string_view text,
                                std::string_view source,
                                const catalog::Catalog& catalog,
                                std::string_view model) {
    WEIR_TRY(const yaml::Node node, yaml::parse(text, source));
    WEIR_CHECK(schema::check(plan_schema(), node, source));
    const schema::View view(node);
    PlanFile file;
    const auto read = [&]() -> Result<void> {
        WEIR_TRY(file.job.model, model_of_file(view, model, file.notes));
        file.job.sequence = count_of(view, "seq", 4096);
        file.job.global_batch = count_of(view, "global_batch", 256);
        if (!view.integer("seq")) file.notes.push_back("seq is 4096, as nothing else is said");
        if (!view.integer("global_batch"))
            file.notes.push_back("global_batch is 256, as nothing else is said");
        WEIR_TRY(file.machine, machine_of_file(view, catalog));
        WEIR_TRY(file.strategy, strategy_of_file(view, file.job, file.machine, file.notes));
        if (file.machine.peak(file.strategy.precision) <= 0) {
            return fail(Code::invalid,
                        fmt::format("precision: {} has no {} units",
                                    file.machine.chip_name,
                                    name_of(file.strategy.precision)));
        }
        return {};
    };
    if (const auto done = read(); !done) return fail(done.error().at(source));
    file.measured.step_s = view.number("step_time_s").value_or(0);
    file.measured.memory_bytes = view.number("peak_mem_gib").value_or(0) * (1 << 30);
    return file;
}

std::string plan_reference() {
    return R"(# Plan file

One training configuration, to be predicted: `weir plan --check FILE`. YAML or JSON, at most 1 MiB. The keys are the columns of tables of
measured runs, so that a published row can be checked as it is; `step_time_s` and `peak_mem_gib` say what was measured, and the answer
holds its prediction against them. This page is generated: `weir schema plan --markdown`.

```yaml
model: llama-3.1-8b
chip: h100-sxm-80g
n_chips: 64
seq: 8192
global_batch: 128
tp: 2
micro_batch: 1
zero_stage: 1
seq_parallel: y
recompute: none
precision: bf16
overlap: [grad_reduce, param_gather]
```

A model that the catalogue does not know is told by its shape, a chip by `chip_mem_gb` and `chip_peak_bf16_tflops`. A shape key beside a
known model replaces what the catalogue says.

)" + schema::markdown(plan_schema());
}

}  // namespace weir::plan
