// What every script with Megatron-LM's names says of a model and of batches.
#include <fmt/format.h>

#include <algorithm>

#include "weir/plan/launch_read.hpp"

namespace weir::plan {
namespace {

constexpr std::size_t layers_max = 20'000;

// [0]*3, ([0]*2+[1])*4, joined by +: lists of noughts and ones.
class Pattern {
public:
    explicit Pattern(std::string_view text) : text_(text) {}

    std::optional<std::vector<int>> value() {
        auto list = sum(0);
        if (!list || at_ != text_.size()) return std::nullopt;
        return list;
    }

private:
    bool take(char c) {
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    std::optional<std::size_t> count() {
        std::size_t number = 0;
        const std::size_t begin = at_;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9' && number <= layers_max)
            number = number * 10 + static_cast<std::size_t>(text_[at_++] - '0');
        if (at_ == begin || number > layers_max) return std::nullopt;
        return number;
    }
    std::optional<std::vector<int>> sum(int depth) {
        auto list = product(depth);
        while (list && take('+')) {
            const auto more = product(depth);
            if (!more || list->size() + more->size() > layers_max) return std::nullopt;
            list->insert(list->end(), more->begin(), more->end());
        }
        return list;
    }
    std::optional<std::vector<int>> product(int depth) {
        if (depth > 10) return std::nullopt;
        std::vector<int> list;
        if (take('(')) {
            auto inside = sum(depth + 1);
            if (!inside || !take(')')) return std::nullopt;
            list = std::move(*inside);
        } else if (take('[')) {
            do {
                const auto one = count();
                if (!one || *one > 1) return std::nullopt;
                list.push_back(static_cast<int>(*one));
                if (list.size() > layers_max) return std::nullopt;
            } while (take(','));
            if (!take(']')) return std::nullopt;
        } else {
            return std::nullopt;
        }
        while (take('*')) {
            const auto times = count();
            if (!times || list.size() * *times > layers_max) return std::nullopt;
            std::vector<int> all;
            for (std::size_t i = 0; i < *times; ++i)
                all.insert(all.end(), list.begin(), list.end());
            list = std::move(all);
        }
        return list;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

std::optional<std::vector<int>> expert_layers(std::string_view pattern, std::uint32_t layers) {
    std::string text(pattern);
    std::erase_if(text, [](char c) { return c == ' ' || c == '\'' || c == '"'; });
    if (layers > layers_max || text.empty()) return std::nullopt;
    if (text.find('[') != std::string::npos) {
        auto list = Pattern(text).value();
        if (!list || list->size() != layers) return std::nullopt;
        return list;
    }
    if (text.size() > 5 || text.find_first_not_of("0123456789") != std::string::npos)
        return std::nullopt;
    const unsigned long every = std::stoul(text);
    if (every == 0) return std::nullopt;
    // The first of every so many.
    std::vector<int> list(layers);
    for (std::size_t layer = 0; layer < layers; ++layer)
        list[layer] = layer % every == 0 ? 1 : 0;
    return list;
}

bool set_expert_layers(catalog::Experts& experts, const std::vector<int>& layers) {
    const auto with = static_cast<std::size_t>(std::count(layers.begin(), layers.end(), 1));
    if (with == 0) return false;
    for (std::uint32_t every = 1; every <= 16; ++every) {
        // The last of every so many, behind the dense ones; or the first, which costs as much.
        for (std::size_t dense = 0; dense < layers.size(); ++dense) {
            bool same = true;
            for (std::size_t i = 0; i < layers.size() && same; ++i) {
                const bool expert = i >= dense && (i - dense) % every == every - 1;
                same = expert == (layers[i] == 1);
            }
            if (same) {
                experts.first_dense = static_cast<std::uint32_t>(dense);
                experts.every = every;
                return true;
            }
            if (layers[dense] == 1) break;
        }
        if (layers.size() % every != 0 || with != layers.size() / every) continue;
        bool first = true;
        for (std::size_t i = 0; i < layers.size() && first; ++i)
            first = (i % every == 0) == (layers[i] == 1);
        if (first) {
            experts.first_dense = 0;
            experts.every = every;
            return true;
        }
    }
    return false;
}

std::optional<std::string> plain_layout(std::string_view layout) {
    constexpr std::size_t letters_max = 100'000;
    std::string text;
    std::size_t group = std::string::npos;  // where the open one begins
    std::size_t unit = 0;                   // where what a * repeats begins
    for (std::size_t at = 0; at < layout.size(); ++at) {
        const char c = layout[at];
        if (c == ',' || c == ' ') continue;
        if (c == '(') {
            if (group != std::string::npos) return std::nullopt;
            group = text.size();
        } else if (c == ')') {
            if (group == std::string::npos) return std::nullopt;
            unit = group;
            group = std::string::npos;
        } else if (c == '*') {
            std::size_t times = 0;
            const std::size_t begin = ++at;
            while (at < layout.size() && layout[at] >= '0' && layout[at] <= '9' &&
                   times < letters_max)
                times = times * 10 + static_cast<std::size_t>(layout[at++] - '0');
            const std::string repeated = text.substr(unit);
            if (at == begin || times == 0 || repeated.empty() ||
                times * repeated.size() + text.size() > letters_max)
                return std::nullopt;
            for (std::size_t i = 1; i < times; ++i)
                text += repeated;
            unit = text.size();
            --at;
        } else if (std::string_view("EtmL|").find(c) != std::string_view::npos) {
            unit = text.size();
            text += c;
        } else {
            return std::nullopt;
        }
        if (text.size() > letters_max) return std::nullopt;
    }
    if (group != std::string::npos) return std::nullopt;
    return text;
}

void read_widths(Reader& reader) {
    catalog::Model& model = reader.out.launch.job.model;
    model.name = std::string(reader.source());
    const auto required = [&](std::string_view name, std::string_view other) {
        if (const auto said = reader.number(name)) return *said;
        if (!other.empty()) {
            if (const auto said = reader.number(other)) return *said;
        }
        reader.refuse(fmt::format("{} is not given", name));
        return std::uint32_t{1};
    };
    model.layers = required("--num-layers", "--encoder-num-layers");
    model.hidden = required("--hidden-size", "");
    model.heads = required("--num-attention-heads", "");
    model.kv_heads = model.heads;
    reader.out.launch.job.sequence = required("--seq-length", "--encoder-seq-length");
    if (const auto ffn = reader.number("--ffn-hidden-size")) model.ffn = *ffn;
    if (const auto dim = reader.number("--kv-channels")) {
        model.head_dim = *dim;
    } else if (reader.good()) {
        if (model.hidden % model.heads != 0) {
            reader.refuse(
                fmt::format("--num-attention-heads {}: must divide --hidden-size {}, or "
                            "--kv-channels must be given",
                            model.heads,
                            model.hidden));
        } else {
            model.head_dim = model.hidden / model.heads;
        }
    }
}

void read_vocabulary(Reader& reader) {
    catalog::Model& model = reader.out.launch.job.model;
    const auto said = reader.number("--vocab-size");
    const auto padded = reader.number("--padded-vocab-size");
    const auto kind = reader.word("--tokenizer-type");
    const bool merges =
        reader.word("--merge-file").has_value() && reader.word("--vocab-file").has_value();
    if (said || padded) {
        model.vocab = said ? *said : *padded;
        return;
    }
    if (reader.hints().model && reader.hints().model->vocab > 0) {
        model.vocab = reader.hints().model->vocab;
        reader.assume(
            fmt::format("--vocab-size {}: of {}", model.vocab, reader.hints().model->name));
        return;
    }
    if (kind == "GPT2BPETokenizer" || (!kind && merges)) {
        model.vocab = 50257;
        reader.assume("--vocab-size 50257: that of GPT-2's tokenizer");
        return;
    }
    // A published model of this shape.
    for (const catalog::Model& known : catalog::models()) {
        if (known.layers == model.layers && known.hidden == model.hidden &&
            known.heads == model.heads && known.kv_heads == model.kv_heads &&
            known.ffn == model.ffn) {
            model.vocab = known.vocab;
            reader.assume(fmt::format(
                "--vocab-size {}: of {}, which has this shape", known.vocab, known.name));
            return;
        }
    }
    reader.refuse("--vocab-size is not given, and no tokenizer tells it");
}

void read_batches(Reader& reader) {
    TrainingJob& job = reader.out.launch.job;
    Strategy& s = reader.out.launch.strategy;
    const auto micro = reader.number("--micro-batch-size");
    if (!micro) reader.refuse("--micro-batch-size is not given");
    s.micro_batch = micro.value_or(1);
    if (const auto global = reader.number("--global-batch-size")) {
        job.global_batch = *global;
    } else if (reader.good()) {
        const std::uint64_t one = std::uint64_t{s.micro_batch} * s.dp;
        if (one > 100'000'000) {
            reader.refuse("--global-batch-size is not given, and its default is out of range");
            return;
        }
        job.global_batch = static_cast<std::uint32_t>(one);
        reader.assume(
            fmt::format("--global-batch-size {}: the default, one micro-batch each", one));
    }
    if (!reader.good()) return;
    if (job.global_batch % (std::uint64_t{s.micro_batch} * s.dp) != 0) {
        reader.refuse(
            fmt::format("--global-batch-size {}: must be a multiple of --micro-batch-size {} "
                        "x data parallelism {}",
                        job.global_batch,
                        s.micro_batch,
                        s.dp));
    }
}

void read_tokens(Reader& reader) {
    TrainingJob& job = reader.out.launch.job;
    const auto steps = reader.amount("--train-iters");
    const auto samples = reader.amount("--train-samples");
    if (steps && samples) {
        reader.refuse("--train-iters and --train-samples contradict each other");
        return;
    }
    if (steps) job.tokens = *steps * job.global_batch * job.sequence;
    if (samples) job.tokens = *samples * job.sequence;
}

}  // namespace weir::plan
