// `weir models`: the shapes of models that are known.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "weir/base/text_table.hpp"
#include "weir/base/units.hpp"
#include "weir/catalog/model.hpp"
#include "weir/cli/plan.hpp"
#include "weir/cli/plan_question.hpp"
#include "weir/cli/plan_text.hpp"
#include "weir/cli/print.hpp"
#include "weir/plan/model_counts.hpp"

namespace weir::cli {
namespace {

using catalog::Model;
using Json = nlohmann::ordered_json;

std::string count_cell(double count) {
    return fmt::format("{:.{}f}", count / 1e9, count < 1e10 ? 2 : count < 1e11 ? 1 : 0);
}

std::string attention_of(const Model& model) {
    if (model.latent) return "MLA";
    if (model.kv_heads == model.heads) return fmt::format("{} heads", model.heads);
    return fmt::format("{} heads, {} of keys", model.heads, model.kv_heads);
}

std::string feed_forward_of(const Model& model) {
    if (!model.experts) return fmt::format("{}{}", model.ffn, model.gated ? ", gated" : "");
    return fmt::format("{} of {} experts x {}",
                       model.experts->per_token,
                       model.experts->count,
                       model.experts->ffn);
}

void list(const std::vector<Model>& models) {
    TextTable table({{"model", false, true},
                     {"B", true},
                     {"active", true},
                     {"layers", true},
                     {"width", true},
                     {"attention", false, true},
                     {"feed-forward", false, true},
                     {"vocabulary", true}});
    for (const Model& model : models) {
        const plan::ParameterCount count = plan::count_parameters(model);
        table.row({model.name,
                   count_cell(count.total),
                   model.is_moe() ? count_cell(count.active) : "",
                   std::to_string(model.layers),
                   format_count(model.hidden),
                   attention_of(model),
                   feed_forward_of(model),
                   format_count(model.vocab)});
    }
    out(table.text(output_width()));
}

void show(const Model& model) {
    std::string text = paint(model.name, Tone::strong) + "\n";
    const auto line = [&text](std::string_view name, const std::string& value) {
        if (value.empty()) return;
        text += fmt::format("{}  {}\n",
                            paint(fmt::format("{:>12}", name), Tone::quiet),
                            wrapped(value, 14, output_width()));
    };
    std::string aliases;
    for (const std::string& alias : model.aliases)
        aliases += (aliases.empty() ? "" : ", ") + alias;
    line("also", aliases);
    line("size", parameters_text(model));
    line("layers", fmt::format("{} x {}", model.layers, format_count(model.hidden)));
    line("attention", fmt::format("{}, {} wide", attention_of(model), model.head_dim));
    line("feed-forward", feed_forward_of(model));
    line("vocabulary", format_count(model.vocab) + (model.tied ? ", tied" : ""));
    if (model.sequence > 0) line("sequence", format_count(model.sequence) + " tokens");
    line("source", model.source);
    out(text);
}

Json json_of(const Model& model) {
    const plan::ParameterCount count = plan::count_parameters(model);
    Json json{{"name", model.name},
              {"aliases", model.aliases},
              {"parameters", count.total},
              {"active_parameters", count.active},
              {"layers", model.layers},
              {"hidden", model.hidden},
              {"heads", model.heads},
              {"kv_heads", model.kv_heads},
              {"head_dim", model.head_dim},
              {"ffn", model.ffn},
              {"gated", model.gated},
              {"vocab", model.vocab},
              {"tied", model.tied},
              {"sequence", model.sequence},
              {"source", model.source}};
    json["experts"] = nullptr;
    if (model.experts) {
        json["experts"] = {{"count", model.experts->count},
                           {"per_token", model.experts->per_token},
                           {"ffn", model.experts->ffn},
                           {"shared_ffn", model.experts->shared_ffn},
                           {"first_dense", model.experts->first_dense}};
    }
    return json;
}

Result<void> show_models(const ModelsOptions& options) {
    if (options.name.empty() && !options.json) {
        list(catalog::models());
        note(
            "B: thousands of millions of parameters, without modules that predict further tokens; "
            "active: of them used by one token. `weir models NAME` says the source");
        return {};
    }
    std::vector<Model> chosen = catalog::models();
    if (!options.name.empty()) {
        WEIR_TRY(Model model, plan_model(options.name));
        chosen = {std::move(model)};
    }
    if (!options.json) {
        show(chosen.front());
        return {};
    }
    Json all = Json::array();
    for (const Model& model : chosen)
        all.push_back(json_of(model));
    out_json(Json{{"models", std::move(all)}}.dump(2, ' ', false, Json::error_handler_t::replace));
    return {};
}

}  // namespace

int models(const ModelsOptions& options) {
    const Result<void> done = show_models(options);
    return done ? status_ok : report(done.error());
}

}  // namespace weir::cli
