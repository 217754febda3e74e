#include "weir/catalog/hf_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include <nlohmann/json.hpp>

#include "weir/base/schema.hpp"
#include "weir/base/text_file.hpp"
#include "weir/catalog/hf_families.hpp"

namespace weir::catalog {
namespace {

using Json = nlohmann::json;
using Limits = ModelLimits;

// Far above every published file: long ones list each layer's quantisation.
constexpr std::size_t bytes_max = std::size_t{8} << 20;
constexpr int depth_max = 64;

std::string understood() {
    std::string list;
    for (const HfFamily& family : hf_families())
        list += fmt::format("{}{}", list.empty() ? "" : ", ", family.type);
    return list;
}

std::string type_of(const Json& object) {
    const auto found = object.find("model_type");
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string architecture_of(const Json& object) {
    const auto list = object.find("architectures");
    if (list == object.end() || !list->is_array() || list->empty()) return "";
    return list->front().is_string() ? list->front().get<std::string>() : std::string();
}

// "layer_types": what each layer attends to. How many have a window is what matters, and a shape
// can say it of all but each n-th.
bool layer_types(HfReader& reader, Model& model, const HfNames& size) {
    const auto list = reader.texts("layer_types");
    if (!list) return !reader.sound();
    std::uint32_t full = 0;
    std::uint32_t windowed = 0;
    for (const std::string& type : *list) {
        if (type == "full_attention") {
            ++full;
        } else if (type == "sliding_attention" || type == "chunked_attention") {
            ++windowed;
        } else {
            reader.say("layer_types",
                       fmt::format("{} is not one of \"full_attention\", \"sliding_attention\", "
                                   "\"chunked_attention\"",
                                   shown(type)));
            return true;
        }
    }
    if (full + windowed != model.layers) {
        reader.say(
            "layer_types",
            fmt::format("names {} layers, but the model has {}", full + windowed, model.layers));
        return true;
    }
    if (windowed == 0) return true;
    model.window = reader.needed(size, Limits::tokens);
    model.window_every = 1;
    if (full == 0) return true;
    for (std::uint32_t every = 2; every <= model.layers; ++every) {
        if (model.layers / every != full) continue;
        model.window_every = every;
        return true;
    }
    // More than half of the layers have none: no period says that.
    reader.say("layer_types",
               fmt::format("{} of {} layers have no window; understood are windows in every layer, "
                           "in none, or in all but each n-th",
                           full,
                           model.layers));
    return true;
}

void qwen_window(HfReader& reader, Model& model) {
    if (!reader.flag("use_sliding_window", false)) return;
    const std::uint32_t from = reader.given_or({"max_window_layers"}, 0, Limits::layers, 0);
    const auto size = reader.given({"sliding_window"}, 1, Limits::tokens);
    if (!size || from >= model.layers) return;
    if (from > 0) {
        reader.say(
            "max_window_layers",
            fmt::format("{} of {} layers have no window; understood are 0 (all have one) and "
                        "{} (none)",
                        from,
                        model.layers,
                        model.layers));
        return;
    }
    model.window = *size;
}

void chunked_window(HfReader& reader, Model& model) {
    const auto size = reader.given({"attention_chunk_size"}, 1, Limits::tokens);
    if (!size) return;
    model.window = *size;
    model.chunked = true;
    model.window_every = reader.given_or({"no_rope_layer_interval"}, 1, Limits::layers, 4);
    // 0 = without positions, and without chunks.
    if (const auto rope = reader.numbers("no_rope_layers"); rope && !rope->empty()) {
        const auto full = static_cast<std::uint32_t>(std::count(rope->begin(), rope->end(), 0U));
        if (rope->size() != model.layers) {
            reader.say(
                "no_rope_layers",
                fmt::format("names {} layers, but the model has {}", rope->size(), model.layers));
        }
        model.window_every = full == 0 ? 1 : std::max(2U, model.layers / full);
    }
}

void windows(HfReader& reader, const HfTraits& traits, Model& model) {
    const bool chunked = traits.window == HfWindow::chunked;
    if (layer_types(reader, model, {chunked ? "attention_chunk_size" : "sliding_window"})) {
        model.chunked = chunked && model.window != 0;
    } else if (traits.window == HfWindow::qwen) {
        qwen_window(reader, model);
    } else if (chunked) {
        chunked_window(reader, model);
    } else if (traits.window == HfWindow::sliding) {
        model.window = reader.given_or({"sliding_window"}, 1, Limits::tokens, traits.window_tokens);
        // "LLLG" says what the family's period says already.
        const std::string pattern = reader.raw("sliding_window_pattern");
        const bool number = !pattern.empty() && pattern.front() != '"';
        model.window_every = number ? reader.needed({"sliding_window_pattern"}, Limits::layers)
                                    : traits.window_every;
    }
    // One that no sequence reaches is none.
    if (model.window == 0 || (model.sequence != 0 && model.window >= model.sequence)) {
        model.window = 0;
        model.window_every = 1;
        model.chunked = false;
    }
}

void heads(HfReader& reader, const HfTraits& traits, Model& model) {
    const HfKeys& keys = traits.keys;
    model.heads = traits.heads == 0 ? reader.needed(keys.heads, Limits::heads)
                                    : reader.given_or(keys.heads, 1, Limits::heads, traits.heads);
    if (const auto said = reader.given(keys.kv_heads, 1, Limits::heads)) {
        model.kv_heads = *said;
    } else {
        model.kv_heads = traits.kv_heads != 0 ? traits.kv_heads : model.heads;
    }
    if (const auto said = reader.given(keys.head_dim, 1, Limits::width)) {
        model.head_dim = *said;
    } else if (traits.head_dim != 0) {
        model.head_dim = traits.head_dim;
    } else if (reader.sound()) {
        model.head_dim = model.hidden / model.heads;
    }
}

// After the family has had its say.
void check_heads(HfReader& reader, const HfTraits& traits, const Model& model) {
    const HfKeys& keys = traits.keys;
    if (!reader.sound()) return;
    const bool said = reader.has(keys.head_dim.first) || traits.head_dim != 0;
    if (!model.latent && !said && model.hidden % model.heads != 0) {
        reader.say(
            keys.hidden.first,
            fmt::format("{} is no multiple of {}: {}, and {} does not say how wide a head is",
                        model.hidden,
                        keys.heads.first,
                        model.heads,
                        keys.head_dim.first));
    }
    if (model.kv_heads > model.heads || model.heads % model.kv_heads != 0) {
        reader.say(keys.kv_heads.first,
                   fmt::format("{} does not divide {}: {} into whole groups",
                               model.kv_heads,
                               keys.heads.first,
                               model.heads));
    }
}

Model read(HfReader& reader, const HfTraits& traits) {
    Model model;
    const HfKeys& keys = traits.keys;
    model.layers = reader.needed(keys.layers, Limits::layers);
    model.hidden = reader.needed(keys.hidden, Limits::hidden);
    heads(reader, traits, model);
    if (const auto said = reader.given(keys.ffn, 1, Limits::width)) {
        model.ffn = *said;
    } else if (traits.ffn_times != 0) {
        model.ffn = traits.ffn_times * model.hidden;
    } else {
        model.ffn = reader.needed(keys.ffn, Limits::width);
    }
    if (const auto said = reader.given(keys.vocab, 1, Limits::width)) {
        model.vocab = *said;
    } else {
        model.vocab =
            traits.vocab != 0 ? traits.vocab : reader.needed({"vocab_size"}, Limits::width);
    }
    model.sequence = reader.given_or(keys.sequence, 1, Limits::tokens, 0);
    if (model.sequence == 0) {
        model.sequence = reader.given_or({"model_max_length"}, 1, Limits::tokens, 0);
    }
    model.gated = traits.gated;
    model.tied = reader.outer_flag("tie_word_embeddings", traits.tied);
    model.layer_norm = traits.layer_norm;
    model.parallel_block = traits.parallel;
    model.norms = traits.norms;
    model.qk_norm = traits.qk_norm;
    model.biases =
        traits.bias_key.empty() ? traits.biases : reader.flag(traits.bias_key, traits.biases);
    model.qkv_biases =
        traits.qkv_key.empty() ? traits.qkv_biases : reader.flag(traits.qkv_key, traits.qkv_biases);
    if (model.qkv_biases && reader.flag("mlp_bias", false)) model.biases = true;
    if (model.biases) model.qkv_biases = false;
    if (traits.positions != HfPositions::none) {
        model.learned_positions = reader.needed(keys.sequence, Limits::tokens) +
                                  (traits.positions == HfPositions::offset ? 2 : 0);
    }
    if (reader.sound()) windows(reader, traits, model);
    if (reader.sound() && traits.more != nullptr) traits.more(reader, model);
    check_heads(reader, traits, model);
    return model;
}

// The part of the file that is the language model, and its family.
struct Part {
    const Json* object = nullptr;
    const Json* outer = nullptr;
    std::string prefix;
    const HfFamily* family = nullptr;
};

tl::unexpected<Error> refusal(std::string_view place, const std::string& type) {
    const std::string_view reason = hf_refusal_of(type);
    return fail(Code::invalid,
                fmt::format("{}model_type: {} {}; understood are these decoder transformers: {}",
                            place,
                            shown(Json(type)),
                            reason.empty() ? "is not understood" : reason,
                            understood()));
}

Result<Part> part_of(const Json& file, std::string_view source) {
    const std::string type = type_of(file);
    // Of a model that also sees or hears, the language model is an object inside.
    for (const char* key : {"text_config", "llm_config", "language_config"}) {
        const auto inside = file.find(key);
        if (inside == file.end() || !inside->is_object()) continue;
        if (file.find("num_hidden_layers") != file.end()) break;  // said twice: the outer one
        const std::string inner = type_of(*inside);
        Part part{&*inside, &file, fmt::format("{}.", key), hf_family_of(inner)};
        if (part.family == nullptr && inner.empty()) {
            part.family = hf_family_of(type + "_text");
            if (part.family == nullptr) part.family = hf_family_of(type);
        }
        if (part.family == nullptr)
            part.family = hf_family_of_architecture(architecture_of(*inside));
        if (part.family != nullptr) return part;
        return refusal(fmt::format("{}: {}.", source, key), inner);
    }
    Part part{&file, nullptr, "", hf_family_of(type)};
    // A type that is known to be something else is that, whatever the architectures say.
    if (part.family == nullptr && !hf_refusal_of(type).empty())
        return refusal(fmt::format("{}: ", source), type);
    // The language part on its own, by the name of the whole.
    if (part.family == nullptr) part.family = hf_family_of(type + "_text");
    if (part.family == nullptr) part.family = hf_family_of_architecture(architecture_of(file));
    if (part.family != nullptr) return part;
    if (type.empty()) {
        const bool said = file.find("model_type") != file.end();
        return fail(Code::invalid,
                    fmt::format("{}: model_type {}; understood are: {}",
                                source,
                                said ? "is no text"
                                     : "is missing, and architectures names no "
                                       "family that is understood",
                                understood()));
    }
    return refusal(fmt::format("{}: ", source), type);
}

// How the file calls itself, if that can be a name.
std::string own_name(const Json& file) {
    const auto found = file.find("_name_or_path");
    if (found == file.end() || !found->is_string()) return "";
    std::string name = found->get<std::string>();
    while (!name.empty() && name.back() == '/')
        name.pop_back();
    name = name.substr(name.rfind('/') + 1);
    return schema::test_name(name) ? "" : name;
}

std::string place_of(std::string_view text, std::size_t byte) {
    const std::string_view before = text.substr(0, std::min(text.size(), byte == 0 ? 0 : byte - 1));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t begin = before.rfind('\n') + 1;  // npos + 1 = 0
    return fmt::format("{}:{}", line, before.size() - begin + 1);
}

}  // namespace

const std::vector<std::string_view>& hf_model_types() {
    static const std::vector<std::string_view> types = [] {
        std::vector<std::string_view> list;
        for (const HfFamily& family : hf_families())
            list.push_back(family.type);
        return list;
    }();
    return types;
}

Result<Model> model_from_hf_config(std::string_view json,
                                   std::string_view name,
                                   std::string_view source) {
    if (json.size() > bytes_max) {
        return fail(
            Code::too_large,
            fmt::format(
                "{}: {} bytes; a config.json has at most {}", source, json.size(), bytes_max));
    }
    Json file;
    bool deep = false;
    try {
        // What nests deeper is cut off, and printing a value never goes deeper.
        file = Json::parse(json, [&deep](int depth, Json::parse_event_t, Json&) {
            deep = deep || depth > depth_max;
            return depth <= depth_max;
        });
    } catch (const Json::parse_error& error) {
        return fail(Code::invalid,
                    fmt::format("{}:{}: is not JSON from here on; a config.json is one JSON object",
                                source,
                                place_of(json, error.byte)));
    } catch (const Json::exception&) {
        // A number that no double holds, for instance.
        return fail(
            Code::invalid,
            fmt::format("{}: is not JSON that can be read: a number is out of range", source));
    }
    if (deep) {
        return fail(
            Code::invalid,
            fmt::format(
                "{}: nests deeper than {} levels, as no config.json does", source, depth_max));
    }
    if (!file.is_object()) {
        return fail(
            Code::invalid,
            fmt::format("{}: {} is no JSON object, as a config.json is", source, shown(file)));
    }
    WEIR_TRY(const Part part, part_of(file, source));
    HfReader reader(*part.object, part.outer, part.prefix, part.family->type);
    if (reader.outer_flag("is_encoder_decoder", false)) {
        reader.say("is_encoder_decoder", "true: only decoder transformers can be planned");
    }
    Model model = read(reader, part.family->traits);
    if (!reader.sound()) {
        return fail(Code::invalid, fmt::format("{}: {}", source, reader.problem()));
    }
    model.name = own_name(file);
    if (model.name.empty()) model.name = name;
    model.source = source;
    if (const auto valid = check(model); !valid) return fail(valid.error().at(source));
    return model;
}

Result<Model> read_hf_config(const std::string& path) {
    std::error_code ignored;
    const std::filesystem::path given(path);
    const bool folder = std::filesystem::is_directory(given, ignored);
    const std::filesystem::path file = folder ? given / "config.json" : given;
    WEIR_TRY(const std::string text, read_text_file(file.string(), bytes_max));
    // "models/our-7b/config.json" is best called by its folder.
    std::string name = file.stem().string();
    if (file.filename() == "config.json" && file.has_parent_path()) {
        const std::string parent =
            std::filesystem::absolute(file, ignored).lexically_normal().parent_path().filename();
        if (!schema::test_name(parent)) name = parent;
    }
    return model_from_hf_config(text, name, path == "-" ? "standard input" : file.string());
}

Result<Model> model_of(const std::string& name_or_path) {
    if (const Model* model = find_model(name_or_path)) return *model;
    std::error_code ignored;
    if (name_or_path == "-" || std::filesystem::exists(name_or_path, ignored)) {
        return read_hf_config(name_or_path);
    }
    const auto slash = name_or_path.rfind('/');
    if (slash != std::string::npos) {
        // As Hugging Face writes it: "meta-llama/Llama-3.1-8B".
        if (const Model* model = find_model(name_or_path.substr(slash + 1))) return *model;
    }
    const bool path = slash != std::string::npos || name_or_path.ends_with(".json");
    const std::string nearest = nearest_model(name_or_path);
    return fail(Code::not_found,
                fmt::format("model '{}': {}; write a model of the catalogue{} or the path of a "
                            "config.json",
                            name_or_path,
                            path ? "there is no such file, and the catalogue has no such model"
                                 : "the catalogue has no such model, and there is no such file",
                            nearest.empty() ? std::string(", such as llama-3.1-8b,")
                                            : fmt::format(" (did you mean {}?)", nearest)));
}

}  // namespace weir::catalog
