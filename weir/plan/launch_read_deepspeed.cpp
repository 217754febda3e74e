// DeepSpeed: arguments of Megatron-DeepSpeed with the JSON that their script writes, or a JSON
// alone.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "weir/base/yaml.hpp"
#include "weir/plan/launch_options.hpp"
#include "weir/plan/launch_read.hpp"

namespace weir::plan {
namespace {

// The JSON as a flat list of keys with dots.
class Settings {
public:
    Settings(Reader& reader, const yaml::Node& root, std::string_view source)
        : reader_(reader), source_(source) {
        flatten(root, "", 0);
    }

    // "auto" is what a trainer fills in: as if it were not there.
    [[nodiscard]] std::optional<std::string> text(std::string_view key) {
        for (auto& entry : entries_) {
            if (entry.key != key) continue;
            entry.asked = true;
            if (entry.text == "auto") return std::nullopt;
            return entry.text;
        }
        return std::nullopt;
    }
    [[nodiscard]] std::optional<std::uint32_t> number(std::string_view key, std::uint32_t low) {
        const auto said = text(key);
        if (!said) return std::nullopt;
        std::uint32_t value = 0;
        const auto [end, error] = std::from_chars(said->data(), said->data() + said->size(), value);
        if (error != std::errc() || end != said->data() + said->size() || value < low ||
            value > 100'000'000) {
            reader_.refuse(fmt::format(
                "{}: {} {}: must be a whole number from {} on", source_, key, *said, low));
            return std::nullopt;
        }
        return value;
    }
    [[nodiscard]] std::optional<bool> truth(std::string_view key) {
        const auto said = text(key);
        if (!said) return std::nullopt;
        if (*said == "true" || *said == "false") return *said == "true";
        reader_.refuse(fmt::format("{}: {} {}: must be true or false", source_, key, *said));
        return std::nullopt;
    }

    void leftovers() {
        for (const Entry& entry : entries_) {
            if (entry.asked) continue;
            OptionRank rank = rank_of_json(entry.key);
            // What is inside a key of no weight has none: optimizer.params.lr.
            std::string outer = entry.key;
            while (rank == OptionRank::unknown && outer.find('.') != std::string::npos) {
                outer.resize(outer.rfind('.'));
                const OptionRank of = rank_of_json(outer);
                if (of == OptionRank::neither || of == OptionRank::weight) rank = of;
            }
            const std::string shown = fmt::format("{} {}", entry.key, entry.text.substr(0, 60));
            if (rank == OptionRank::unknown)
                reader_.out.not_understood.push_back(
                    fmt::format("{}: {}: deepspeed does not know it", source_, shown));
            else if (rank != OptionRank::neither && entry.text != "auto")
                reader_.not_modelled(fmt::format("{}: {}", source_, shown));
        }
    }

private:
    struct Entry {
        std::string key;
        std::string text;
        bool asked = false;
    };
    void flatten(const yaml::Node& node, const std::string& key, int depth) {
        if (node.kind == yaml::Kind::map && depth < 20) {
            for (std::size_t i = 0; i < node.keys.size(); ++i)
                flatten(node.items[i],
                        key.empty() ? node.keys[i].text : key + "." + node.keys[i].text,
                        depth + 1);
            return;
        }
        entries_.push_back({key, node.kind == yaml::Kind::scalar ? node.text : "[…]"});
    }

    Reader& reader_;
    std::string source_;
    std::vector<Entry> entries_;
};

struct Batches {
    std::optional<std::uint32_t> global;
    std::optional<std::uint32_t> micro;
    std::optional<std::uint32_t> accumulated;
};

// Everything of the JSON but batches: those are compared by the caller.
Batches read_settings(Reader& reader, Settings& json) {
    Strategy& s = reader.out.launch.strategy;
    Batches batches{json.number("train_batch_size", 1),
                    json.number("train_micro_batch_size_per_gpu", 1),
                    json.number("gradient_accumulation_steps", 1)};
    if (const auto stage = json.number("zero_optimization.stage", 0)) {
        if (*stage > 3)
            reader.refuse(fmt::format("zero_optimization.stage {}: must be 0 to 3", *stage));
        s.zero = *stage;
    }
    const auto overlap = json.truth("zero_optimization.overlap_comm");
    s.overlap.grad_reduce = overlap.value_or(s.zero == 3) && s.zero > 0;
    if (!overlap && s.zero > 0)
        reader.assume(fmt::format("zero_optimization.overlap_comm {}: the default", s.zero == 3));
    if (const auto shard = json.number("zero_optimization.mics_shard_size", 1))
        s.zero_group = *shard;
    const auto device = json.text("zero_optimization.offload_optimizer.device");
    static_cast<void>(json.truth("zero_optimization.offload_optimizer.pin_memory"));
    s.offload_optimizer = device && *device != "none";
    const bool bf16 = json.truth("bf16.enabled").value_or(false);
    const bool fp16 = json.truth("fp16.enabled").value_or(false);
    if (bf16 && fp16) reader.refuse("bf16.enabled and fp16.enabled contradict each other");
    s.precision = bf16 ? Precision::bf16 : fp16 ? Precision::fp16 : Precision::fp32;
    const auto summed = json.text("data_types.grad_accum_dtype");
    if (!summed && s.precision != Precision::fp32) {
        s.fp32_gradients = bf16 && s.zero <= 1;
        reader.assume(
            fmt::format("data_types.grad_accum_dtype {}: the default",
                        s.fp32_gradients ? std::string_view("fp32") : name_of(s.precision)));
    } else {
        s.fp32_gradients = !summed || *summed == "fp32";
    }
    for (const std::string_view known : {"activation_checkpointing.partition_activations",
                                         "activation_checkpointing.cpu_checkpointing"}) {
        if (json.truth(known).value_or(false)) reader.not_modelled(fmt::format("{}: true", known));
    }
    static_cast<void>(json.text("activation_checkpointing.number_checkpoints"));
    return batches;
}

void contradiction(Reader& reader,
                   std::string_view one,
                   std::uint64_t first,
                   std::string_view other,
                   std::uint64_t second) {
    if (first != second)
        reader.refuse(
            fmt::format("{} {} and {} {} contradict each other", one, first, other, second));
}

void compare(Reader& reader, const Batches& batches) {
    if (!reader.good()) return;
    const Launch& launch = reader.out.launch;
    if (batches.global)
        contradiction(reader,
                      "train_batch_size",
                      *batches.global,
                      "--global-batch-size",
                      launch.job.global_batch);
    if (batches.micro)
        contradiction(reader,
                      "train_micro_batch_size_per_gpu",
                      *batches.micro,
                      "--micro-batch-size",
                      launch.strategy.micro_batch);
    if (batches.accumulated)
        contradiction(reader,
                      "gradient_accumulation_steps",
                      *batches.accumulated,
                      "the micro-batches of a step,",
                      launch.job.global_batch /
                          (std::uint64_t{launch.strategy.micro_batch} * launch.strategy.dp));
}

void read_shape(Reader& reader) {
    catalog::Model& model = reader.out.launch.job.model;
    Strategy& s = reader.out.launch.strategy;
    read_widths(reader);
    if (const auto groups = reader.number("--num-key-value-heads")) model.kv_heads = *groups;
    model.gated = reader.flag("--swiglu");
    if (model.ffn == 0) {
        model.ffn = model.gated ? model.hidden * 8 / 3 / 64 * 64 : 4 * model.hidden;
        reader.assume(fmt::format("--ffn-hidden-size {}: the default", model.ffn));
    }
    const auto norm = reader.choice("--normalization", {"layernorm", "rmsnorm"});
    model.layer_norm = !norm || *norm == "layernorm";
    model.biases = !reader.flag("--disable-bias-linear");
    model.tied = !reader.flag("--untie-embeddings-and-output-weights");
    if (const auto most = reader.number("--max-position-embeddings")) model.sequence = *most;
    if (!reader.flag("--use-rotary-position-embeddings"))
        model.learned_positions = std::max(model.sequence, reader.out.launch.job.sequence);
    read_vocabulary(reader);
    const std::uint32_t count = reader.number("--num-experts", 0).value_or(1);
    if (count > 1) {
        catalog::Experts experts;
        experts.count = count;
        experts.per_token = reader.number_or("--topk", 1, "the default");
        experts.every = reader.number_or("--expert-interval", 2, "the default");
        experts.ffn = model.ffn;
        model.experts = experts;
        s.ep = reader.number_or("--moe-expert-parallel-size", 1, "the default");
        if (s.tp > 1) s.etp = reader.flag("--enable-expert-tensor-parallelism") ? 0 : 1;
        static_cast<void>(reader.flag("--create-moe-param-group"));
        static_cast<void>(reader.word("--mlp-type"));
    }
}

void read_memory(Reader& reader) {
    Strategy& s = reader.out.launch.strategy;
    const auto granularity = reader.choice("--recompute-granularity", {"full", "selective"});
    static_cast<void>(reader.word("--recompute-method"));
    static_cast<void>(reader.number("--recompute-num-layers"));
    static_cast<void>(reader.flag("--deepspeed-activation-checkpointing"));
    const auto chunk = reader.number("--checkpoint-num-layers");
    if (chunk && *chunk > 1)
        reader.not_modelled(
            fmt::format("--checkpoint-num-layers {}: chunks of one layer are assumed", *chunk));
    if (reader.flag("--checkpoint-activations") || granularity == "full") {
        s.recompute = Recompute::full;
    } else if (granularity == "selective" || reader.flag("--recompute-activations")) {
        s.recompute = Recompute::selective;
        s.parts.attention = true;
    }
    s.flash_attention = false;
    for (const std::string_view flash : {"--use-flash-attn",
                                         "--use-flash-attn-v1",
                                         "--use-flash-attn-v2",
                                         "--use-flash-attn-triton",
                                         "--use-flash-attn-builder"})
        s.flash_attention = reader.flag(flash) || s.flash_attention;
    const bool bf16 = reader.flag("--bf16");
    const bool fp16 = reader.flag("--fp16");
    if (bf16 && fp16) reader.refuse("--bf16 and --fp16 contradict each other");
    s.precision = bf16 ? Precision::bf16 : fp16 ? Precision::fp16 : Precision::fp32;
    s.fp32_gradients = reader.flag("--accumulate-allreduce-grads-in-fp32") || !fp16;
    if (reader.flag("--cpu-optimizer")) s.offload_optimizer = true;
}

}  // namespace

void read_deepspeed(Reader& reader, const Started& started, const ShellScript& script) {
    Launch& launch = reader.out.launch;
    Strategy& s = launch.strategy;
    reader.settle_chips(started);
    s.tp = reader.number_or("--tensor-model-parallel-size", 1, "the default");
    s.pp = reader.number_or("--pipeline-model-parallel-size", 1, "the default");
    s.cp = reader.number("--ds-sequence-parallel-size").value_or(1);
    s.ulysses = s.cp > 1;
    s.sequence_parallel = reader.flag("--sequence-parallel");
    if (reader.flag("--no-pipeline-parallel") && s.pp > 1)
        reader.refuse(
            fmt::format("--no-pipeline-parallel and --pipeline-model-parallel-size {} "
                        "contradict each other",
                        s.pp));
    if (reader.flag("--enable-zbh1-pipeline")) s.schedule = Schedule::zero_bubble;
    reader.settle_data_parallelism();
    read_shape(reader);
    read_memory(reader);
    read_batches(reader);
    read_tokens(reader);
    if (const auto tokens = reader.amount("--train-tokens")) launch.job.tokens = *tokens;
    static_cast<void>(reader.flag("--deepspeed"));
    const std::string path = reader.word("--deepspeed_config").value_or("");
    const auto stage = reader.number("--zero-stage", 0);
    const Precision precision = s.precision;
    const bool host = s.offload_optimizer;
    s.zero = stage.value_or(1);
    // The file that the script itself writes.
    const auto base = [](std::string_view name) { return name.substr(name.rfind('/') + 1); };
    const ShellFile* file = nullptr;
    for (const ShellFile& one : script.files) {
        if (!path.empty() && base(one.path) == base(path)) file = &one;
    }
    if (file == nullptr) {
        if (!stage) reader.assume("--zero-stage 1: the default");
        reader.assume(
            fmt::format("{} is not written by this script: zero, precision and batches are those "
                        "of its arguments",
                        path.empty() ? "the JSON of DeepSpeed" : path));
        s.overlap.grad_reduce = s.zero == 3;
        return;
    }
    const auto root = yaml::parse(file->text, file->path);
    if (!root) {
        reader.refuse(root.error().message);
        return;
    }
    Settings json(reader, *root, base(file->path));
    s.zero = 0;
    const Batches batches = read_settings(reader, json);
    if (stage) contradiction(reader, "--zero-stage", *stage, "zero_optimization.stage", s.zero);
    if (precision != s.precision) {
        reader.refuse(fmt::format(
            "the arguments say {} and the JSON says {}", name_of(precision), name_of(s.precision)));
    }
    s.offload_optimizer = s.offload_optimizer || host;
    compare(reader, batches);
    json.leftovers();
}

void read_deepspeed_json(Reader& reader, std::string_view text, std::string_view source) {
    const auto root = yaml::parse(text, source);
    if (!root) {
        // The place is in it already.
        reader.refuse(root.error().code, root.error().message);
        return;
    }
    Launch& launch = reader.out.launch;
    Strategy& s = launch.strategy;
    Settings json(reader, *root, source);
    const Batches batches = read_settings(reader, json);
    s.tp = json.number("tensor_parallel.autotp_size", 0).value_or(1);
    s.tp = std::max<std::uint32_t>(s.tp, 1);
    s.cp = json.number("sequence_parallel_size", 1).value_or(1);
    s.ulysses = s.cp > 1;
    json.leftovers();
    if (!reader.good()) return;
    const LaunchHints& hints = reader.hints();
    if (!hints.model || hints.sequence == 0) {
        reader.refuse(
            fmt::format("a DeepSpeed configuration does not say {}; say so",
                        hints.model ? "how long sequences are" : "which model is trained"));
        return;
    }
    launch.job.model = *hints.model;
    launch.job.sequence = hints.sequence;
    if (!batches.micro) {
        reader.refuse("train_micro_batch_size_per_gpu is not given");
        return;
    }
    s.micro_batch = *batches.micro;
    // train_batch_size = micro x accumulated x data parallelism: two of them tell the third.
    const std::uint64_t inner = std::uint64_t{s.tp} * s.cp;
    Started started;
    if (batches.global && batches.accumulated) {
        const std::uint64_t one = std::uint64_t{*batches.micro} * *batches.accumulated;
        if (*batches.global % one != 0) {
            reader.refuse(
                fmt::format("train_batch_size {}: must be a multiple of "
                            "train_micro_batch_size_per_gpu {} x gradient_accumulation_steps {}",
                            *batches.global,
                            *batches.micro,
                            *batches.accumulated));
            return;
        }
        started.chips = *batches.global / one * inner;
        if (hints.chips > 0 && hints.chips != started.chips) {
            reader.refuse(fmt::format(
                "its batches are those of {} chips, and there are {}", started.chips, hints.chips));
            return;
        }
    }
    reader.settle_chips(started);
    reader.settle_data_parallelism();
    if (!reader.good()) return;
    const std::uint64_t global =
        batches.global ? *batches.global
                       : std::uint64_t{s.micro_batch} * s.dp * batches.accumulated.value_or(1);
    if (!batches.global && !batches.accumulated)
        reader.assume("gradient_accumulation_steps 1: not said");
    if (global > 100'000'000) {
        reader.refuse("its batch is out of range");
        return;
    }
    launch.job.global_batch = static_cast<std::uint32_t>(global);
}

}  // namespace weir::plan
