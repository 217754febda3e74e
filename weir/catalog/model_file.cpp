#include "weir/catalog/model_file.hpp"

#include <fmt/format.h>

#include <map>

#include "weir/catalog/catalog.hpp"

namespace weir::catalog {
namespace {

using schema::Problems;
using schema::View;

// Wide enough for anything; what is sound is said by check() of model.hpp.
schema::Value count() {
    return schema::integer(0, 1 << 30);
}
schema::Value name() {
    return schema::word("name", schema::test_name, "");
}

const schema::Object& latent_schema() {
    static const schema::Object table{
        "latent",
        "Multi-head latent attention: keys and values are kept as one compressed vector a token.",
        {
            {"q_lora", count(), "Width of compressed queries", "1536", "0: not compressed"},
            {"kv_lora", count(), "Width of compressed keys and values", "512", "", true},
            {"rope_dim", count(), "Of each head, with rotary positions", "64", "", true},
            {"nope_dim", count(), "Of each head, without", "128", "", true},
            {"v_dim", count(), "Of each head's values", "128", "", true},
        }};
    return table;
}

const schema::Object& experts_schema() {
    static const schema::Object table{
        "experts",
        "A feed-forward of many experts, of which each token uses a few.",
        {
            {"count", count(), "Routed experts", "256", "", true},
            {"per_token", count(), "Of them, used by one token", "8", "", true},
            {"ffn", count(), "Inner width of one", "2048", "", true},
            {"shared_ffn", count(), "Inner width of all shared experts together", "2048", "0"},
            {"first_dense", count(), "So many layers at the start have none", "3", "0"},
            {"every", count(), "Of the others, each so-manieth has them", "2", "1"},
            {"groups",
             count(),
             "Groups that the experts are divided into: for predictions, launches do not say it",
             "8",
             "1"},
            {"groups_per_token", count(), "Of them, used by one token", "4", "1"},
        }};
    return table;
}

const schema::Object& model_schema() {
    static const schema::Object table{
        "model",
        "The shape of a decoder transformer.",
        {
            {"name", name(), "As plans call it", "llama-3.1-8b", "", true},
            {"aliases", schema::list_or_one(name()), "Further names", "[llama3.1-8b]"},
            {"layers", count(), "Blocks of attention and feed-forward", "32", "", true},
            {"hidden", count(), "Width of what goes from layer to layer", "4096", "", true},
            {"heads", count(), "Heads of attention", "32", "", true},
            {"kv_heads", count(), "Heads of keys and values", "8", "heads"},
            {"head_dim", count(), "Width of a head", "128", "hidden / heads"},
            {"ffn", count(), "Inner width of a plain feed-forward", "14336", "0"},
            {"gated", schema::boolean(), "Three matrices (SwiGLU) instead of two", "true", "false"},
            {"vocab", count(), "Rows of the embedding, as published", "128256", "", true},
            {"tied", schema::boolean(), "The output uses the embedding", "true", "false"},
            {"learned_positions", count(), "Rows of a table of positions", "2048", "0"},
            {"biases", schema::boolean(), "Linear layers have biases", "true", "false"},
            {"qkv_biases", schema::boolean(), "Only queries, keys, values do", "true", "false"},
            {"layer_norm", schema::boolean(), "LayerNorm instead of RMSNorm", "true", "false"},
            {"parallel_block",
             schema::boolean(),
             "Attention and feed-forward read the same input",
             "true",
             "false"},
            {"norms", count(), "Norms of a layer as wide as the model", "4", "2"},
            {"qk_norm", schema::boolean(), "Queries and keys are normalised", "true", "false"},
            {"window", count(), "Sliding window of attention, in tokens", "4096", "0: none"},
            {"window_every", count(), "1: in every layer; n: in all but each n-th", "4", "1"},
            {"chunked",
             schema::boolean(),
             "Windows are chunks, they do not slide",
             "true",
             "false"},
            {"mtp_layers", count(), "Layers that predict further tokens", "1", "0"},
            {"sequence", count(), "Longest sequence it was made for", "131072", "not said"},
            {"latent", schema::object(latent_schema()), "Latent attention", "", "none"},
            {"experts", schema::object(experts_schema()), "Experts", "", "none"},
            {"source", schema::text(), "Who says so", "arXiv 2407.21783, table 3", "", true},
        }};
    return table;
}

class Reader {
public:
    explicit Reader(Problems& problems) : problems_(problems) {}

    std::vector<Model> read(const View& file) {
        const std::vector<View> models = file.objects("models");
        for (std::size_t i = 0; i < models.size(); ++i)
            model(models[i], fmt::format("models[{}]", i));
        return std::move(models_);
    }

private:
    static void number(const View& view, std::string_view key, std::uint32_t& value) {
        if (const auto said = view.integer(key)) value = static_cast<std::uint32_t>(*said);
    }
    static void flag(const View& view, std::string_view key, bool& value) {
        if (const auto said = view.text(key)) value = *said == "true";
    }

    void model(const View& view, const std::string& path) {
        Model model;
        model.name = *view.text("name");
        named(model.name, view, "name", path);
        model.aliases = view.texts("aliases");
        for (const std::string& alias : model.aliases)
            named(alias, view, "aliases", path);
        number(view, "layers", model.layers);
        number(view, "hidden", model.hidden);
        number(view, "heads", model.heads);
        model.kv_heads = model.heads;
        number(view, "kv_heads", model.kv_heads);
        if (!head_dim(view, path, model)) return;
        number(view, "ffn", model.ffn);
        flag(view, "gated", model.gated);
        number(view, "vocab", model.vocab);
        flag(view, "tied", model.tied);
        number(view, "learned_positions", model.learned_positions);
        flag(view, "biases", model.biases);
        flag(view, "qkv_biases", model.qkv_biases);
        flag(view, "layer_norm", model.layer_norm);
        flag(view, "parallel_block", model.parallel_block);
        number(view, "norms", model.norms);
        flag(view, "qk_norm", model.qk_norm);
        number(view, "window", model.window);
        number(view, "window_every", model.window_every);
        flag(view, "chunked", model.chunked);
        number(view, "mtp_layers", model.mtp_layers);
        number(view, "sequence", model.sequence);
        if (const auto latent = view.object("latent")) {
            LatentAttention& said = model.latent.emplace();
            number(*latent, "q_lora", said.q_lora);
            number(*latent, "kv_lora", said.kv_lora);
            number(*latent, "rope_dim", said.rope_dim);
            number(*latent, "nope_dim", said.nope_dim);
            number(*latent, "v_dim", said.v_dim);
        }
        if (const auto experts = view.object("experts")) {
            Experts& said = model.experts.emplace();
            number(*experts, "count", said.count);
            number(*experts, "per_token", said.per_token);
            number(*experts, "ffn", said.ffn);
            number(*experts, "shared_ffn", said.shared_ffn);
            number(*experts, "first_dense", said.first_dense);
            number(*experts, "every", said.every);
            number(*experts, "groups", said.groups);
            number(*experts, "groups_per_token", said.groups_per_token);
        }
        model.source = *view.text("source");
        if (const auto sound = check(model); !sound) {
            problems_.add(view.place("name"), path, sound.error().message);
            return;
        }
        models_.push_back(std::move(model));
    }

    bool head_dim(const View& view, const std::string& path, Model& model) {
        number(view, "head_dim", model.head_dim);
        if (model.head_dim != 0) return true;
        // With latent attention a query has both parts.
        if (const auto latent = view.object("latent")) {
            number(*latent, "rope_dim", model.head_dim);
            std::uint32_t without = 0;
            number(*latent, "nope_dim", without);
            model.head_dim += without;
            return true;
        }
        if (model.heads != 0 && model.hidden % model.heads == 0) {
            model.head_dim = model.hidden / model.heads;
            return true;
        }
        problems_.add(
            view.place("heads"),
            path + ".heads",
            fmt::format(
                "{} does not divide hidden: {}; write head_dim", model.heads, model.hidden));
        return false;
    }

    void named(const std::string& word,
               const View& view,
               std::string_view key,
               const std::string& path) {
        const auto line = view.place(key).line;
        if (const auto [at, added] = names_.emplace(small_letters(word), line); !added) {
            problems_.add(view.place(key),
                          fmt::format("{}.{}", path, key),
                          fmt::format("'{}' already names the model in line {}", word, at->second));
        }
    }

    Problems& problems_;
    std::vector<Model> models_;
    std::map<std::string, std::uint32_t> names_;  // and their lines
};

}  // namespace

const schema::Object& models_schema() {
    static const schema::Object table{
        "models",
        "Shapes of models.",
        {{"models", schema::list_of(schema::object(model_schema())), "The models", "", "", true}}};
    return table;
}

Result<std::vector<Model>> read_models_text(std::string_view text, std::string_view source) {
    WEIR_TRY(const yaml::Node tree, yaml::parse(text, source, yaml::fleet_limits));
    WEIR_CHECK(schema::check(models_schema(), tree, source));
    Problems problems(source);
    std::vector<Model> models = Reader(problems).read(View(tree));
    WEIR_CHECK(problems.result());
    return models;
}

}  // namespace weir::catalog
