// The reference page of models says what the program knows.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "weir/catalog/hf_config.hpp"
#include "weir/plan/model_counts.hpp"

namespace weir::plan {
namespace {

std::string amount(double parameters) {
    return parameters < 1e9 ? fmt::format("{:.0f}M", parameters / 1e6)
                            : fmt::format("{:.4g}B", parameters / 1e9);
}

std::string table() {
    std::string text =
        "| name | parameters | of them active | layers | hidden | attention | also |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n";
    for (const catalog::Model& model : catalog::models()) {
        const ParameterCount count = count_parameters(model);
        std::string also;
        for (const std::string& alias : model.aliases)
            also += fmt::format("{}`{}`", also.empty() ? "" : ", ", alias);
        std::string attention = fmt::format("{} heads", model.heads);
        if (model.latent) {
            attention += ", latent";
        } else if (model.kv_heads != model.heads) {
            attention += fmt::format(", {} of keys", model.kv_heads);
        }
        if (model.window != 0) attention += fmt::format(", window {}", model.window);
        text += fmt::format("| `{}` | {} | {} | {} | {} | {} | {} |\n",
                            model.name,
                            amount(count.total),
                            model.is_moe() ? amount(count.active) : "",
                            model.layers,
                            model.hidden,
                            attention,
                            also);
    }
    return text;
}

TEST(ModelPage, ListsTheShippedModelsAndTheModelTypes) {
    std::ifstream stream(std::string(WEIR_SOURCE_DIR) + "/docs/reference/models.md");
    std::stringstream page;
    page << stream.rdbuf();
    EXPECT_NE(page.str().find(table()), std::string::npos) << "it should have\n" << table();
    std::string types;
    for (const std::string_view type : catalog::hf_model_types())
        types += fmt::format("{}`{}`", types.empty() ? "" : " ", type);
    EXPECT_NE(page.str().find(types), std::string::npos) << "it should have\n" << types;
}

}  // namespace
}  // namespace weir::plan
