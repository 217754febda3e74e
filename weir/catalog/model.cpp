#include "weir/catalog/model.hpp"

#include <fmt/format.h>

#include <unordered_map>

#include "weir/base/assert.hpp"
#include "weir/base/embedded.hpp"
#include "weir/base/schema.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/catalog/model_file.hpp"

namespace weir::catalog {

// catalog/models.yaml (cmake/embed.cmake makes the table).
namespace model_files {
std::span<const EmbeddedFile> embedded_files();
}

namespace {

using Limits = ModelLimits;

class Checker {
public:
    explicit Checker(const Model& model) : model_(model) {}

    Result<void> check() {
        within("layers", model_.layers, 1, Limits::layers);
        within("hidden", model_.hidden, 1, Limits::hidden);
        within("heads", model_.heads, 1, Limits::heads);
        within("kv_heads", model_.kv_heads, 1, Limits::heads);
        within("head_dim", model_.head_dim, 1, Limits::width);
        within("vocab", model_.vocab, 1, Limits::width);
        within("learned_positions", model_.learned_positions, 0, Limits::tokens);
        within("norms", model_.norms, 0, 8);
        within("window", model_.window, 0, Limits::tokens);
        within("sequence", model_.sequence, 0, Limits::tokens);
        within("mtp_layers", model_.mtp_layers, 0, Limits::mtp_layers);
        if (problem_.empty()) grouping();
        if (problem_.empty()) windows();
        if (problem_.empty() && model_.latent) latent(*model_.latent);
        if (problem_.empty() && model_.experts) experts(*model_.experts);
        if (problem_.empty()) {
            // Where every layer has experts, nothing has this width.
            const bool unused =
                model_.experts && model_.experts->first_dense == 0 && model_.experts->every == 1;
            within("ffn", model_.ffn, unused ? 0 : 1, Limits::width);
        }
        if (problem_.empty()) return {};
        const std::string who =
            model_.name.empty() ? "model" : fmt::format("model {}", model_.name);
        return fail(Code::invalid, fmt::format("{}: {}", who, problem_));
    }

private:
    void say(std::string what) {
        if (problem_.empty()) problem_ = std::move(what);
    }

    void within(std::string_view field,
                std::uint32_t value,
                std::uint32_t low,
                std::uint32_t high) {
        if (value >= low && value <= high) return;
        say(fmt::format("{}: {} is not from {} to {}", field, value, low, high));
    }

    void grouping() {
        if (model_.kv_heads <= model_.heads && model_.heads % model_.kv_heads == 0) return;
        say(fmt::format(
            "kv_heads: {} does not divide the {} heads; valid are 1 (one for all) to {} "
            "(each its own), in whole groups",
            model_.kv_heads,
            model_.heads,
            model_.heads));
    }

    void windows() {
        if (model_.window == 0 && (model_.window_every != 1 || model_.chunked)) {
            say(fmt::format(
                "window: 0 (none) with {}; write the window's tokens, or leave that out",
                model_.chunked ? std::string("chunked: true")
                               : fmt::format("window_every: {}", model_.window_every)));
        }
        within("window_every", model_.window_every, 1, Limits::layers);
    }

    void latent(const LatentAttention& latent) {
        within("latent.q_lora", latent.q_lora, 0, Limits::width);
        within("latent.kv_lora", latent.kv_lora, 1, Limits::width);
        within("latent.rope_dim", latent.rope_dim, 0, Limits::width);
        within("latent.nope_dim", latent.nope_dim, 1, Limits::width);
        within("latent.v_dim", latent.v_dim, 1, Limits::width);
        if (problem_.empty() && model_.kv_heads != model_.heads) {
            say(
                fmt::format("kv_heads: {} is not {}, the heads: with latent attention every head "
                            "has its own keys",
                            model_.kv_heads,
                            model_.heads));
        }
    }

    void experts(const Experts& experts) {
        within("experts.count", experts.count, 1, Limits::experts);
        if (problem_.empty() && (experts.per_token < 1 || experts.per_token > experts.count)) {
            say(fmt::format("experts.per_token: {} is not from 1 to {}, the number of experts",
                            experts.per_token,
                            experts.count));
        }
        within("experts.ffn", experts.ffn, 1, Limits::width);
        within("experts.shared_ffn", experts.shared_ffn, 0, Limits::width);
        if (problem_.empty() && experts.first_dense >= model_.layers) {
            say(
                fmt::format("experts.first_dense: {} leaves none of {} layers for experts; valid "
                            "are 0 to {}",
                            experts.first_dense,
                            model_.layers,
                            model_.layers - 1));
        }
        if (!problem_.empty()) return;
        if (experts.groups < 1 || experts.count % experts.groups != 0) {
            say(fmt::format("experts.groups: {} does not divide {}, the number of experts",
                            experts.groups,
                            experts.count));
            return;
        }
        within("experts.groups_per_token", experts.groups_per_token, 1, experts.groups);
        if (!problem_.empty()) return;
        const std::uint32_t reached = experts.groups_per_token * (experts.count / experts.groups);
        if (reached < experts.per_token) {
            say(fmt::format(
                "experts.groups_per_token: {} groups have {} experts, fewer than the {} "
                "of a token",
                experts.groups_per_token,
                reached,
                experts.per_token));
            return;
        }
        within("experts.every", experts.every, 1, model_.layers - experts.first_dense);
    }

    const Model& model_;
    std::string problem_;
};

struct BuiltIn {
    std::vector<Model> models;
    std::unordered_map<std::string, std::size_t> by_name;  // in small letters
};

const BuiltIn& built_in() {
    static const BuiltIn known = [] {
        BuiltIn made;
        for (const EmbeddedFile& file : model_files::embedded_files()) {
            auto models = read_models_text(file.bytes, fmt::format("catalog/{}", file.path));
            // Our own file; a test reads it, too.
            WEIR_ASSERT(models.has_value());
            for (Model& model : *models) {
                made.by_name.emplace(small_letters(model.name), made.models.size());
                for (const std::string& alias : model.aliases)
                    made.by_name.emplace(small_letters(alias), made.models.size());
                made.models.push_back(std::move(model));
            }
        }
        return made;
    }();
    return known;
}

}  // namespace

Result<void> check(const Model& model) {
    return Checker(model).check();
}

const std::vector<Model>& models() {
    return built_in().models;
}

const Model* find_model(std::string_view name) {
    const BuiltIn& known = built_in();
    const auto found = known.by_name.find(small_letters(name));
    return found == known.by_name.end() ? nullptr : &known.models[found->second];
}

std::string nearest_model(std::string_view name) {
    std::vector<std::string_view> names;
    for (const Model& model : models()) {
        names.push_back(model.name);
        names.insert(names.end(), model.aliases.begin(), model.aliases.end());
    }
    return std::string(schema::nearest(small_letters(name), names).value_or(""));
}

}  // namespace weir::catalog
