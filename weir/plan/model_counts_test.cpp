#include "weir/plan/model_counts.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>

namespace weir::plan {
namespace {

using catalog::Model;

// What a published figure counts, beside the layers.
enum class Counts : std::uint8_t {
    all,
    no_input,   // the table of the output, not that of the input
    no_tables,  // neither table
};

struct Published {
    const char* name;
    const char* total;   // "671B", or all digits: the parameters that the published weights hold
    const char* active;  // "" = not published
    Counts counts_active;
    const char* source;
    double outside = 0;    // in the figure, but not in the language model
    double within = 0.01;  // of the figure
};

constexpr const char* weights = "parameters of the weights on Hugging Face";
constexpr Counts all = Counts::all;

const Published published[] = {
    {"gpt3-125m", "125M", "", all, "arXiv 2005.14165, table 2.1"},
    // The paper rounds: its shape has 356M.
    {"gpt3-350m", "350M", "", all, "arXiv 2005.14165, table 2.1", 0, 0.02},
    {"gpt3-760m", "760M", "", all, "arXiv 2005.14165, table 2.1"},
    {"gpt3-1.3b", "1.3B", "", all, "arXiv 2005.14165, table 2.1"},
    {"gpt3-2.7b", "2.7B", "", all, "arXiv 2005.14165, table 2.1"},
    {"gpt3-6.7b", "6.7B", "", all, "arXiv 2005.14165, table 2.1"},
    // The paper's width of 5140 gives 12.95B.
    {"gpt3-13b", "13.0B", "", all, "arXiv 2005.14165, table 2.1", 0, 0.02},
    {"gpt3-175b", "175.0B", "", all, "arXiv 2005.14165, table 2.1"},
    {"llama-7b", "6.7B", "", all, "arXiv 2302.13971, table 2"},
    {"llama-13b", "13.0B", "", all, "arXiv 2302.13971, table 2"},
    {"llama-33b", "32.5B", "", all, "arXiv 2302.13971, table 2"},
    {"llama-65b", "65.2B", "", all, "arXiv 2302.13971, table 2"},
    {"llama-2-7b", "6738415616", "", all, weights},
    {"llama-2-13b", "13015864320", "", all, weights},
    {"llama-2-70b", "68976648192", "", all, weights},
    {"codellama-34b", "33743970304", "", all, weights},
    {"llama-3-8b", "8030261248", "", all, weights},
    {"llama-3-70b", "70553706496", "", all, weights},
    {"llama-3.1-8b", "8030261248", "", all, weights},
    {"llama-3.1-70b", "70553706496", "", all, weights},
    {"llama-3.1-405b", "405853388800", "", all, weights},
    {"llama-3.2-1b", "1235814400", "", all, weights},
    {"llama-3.2-3b", "3212749824", "", all, weights},
    // The vision part: 34 layers of 1408, its adapter and projection.
    {"llama-4-scout", "109B", "17B", all, "model card of Llama 4", 0.87e9},
    {"llama-4-maverick", "400B", "17B", all, "model card of Llama 4", 0.87e9},
    {"qwen1.5-0.5b", "463987712", "", all, weights},
    {"qwen1.5-1.8b", "1836828672", "", all, weights},
    {"qwen1.5-4b", "3950369280", "", all, weights},
    {"qwen1.5-7b", "7721324544", "", all, weights},
    {"qwen1.5-14b", "14167290880", "", all, weights},
    {"qwen1.5-32b", "32512218112", "", all, weights},
    {"qwen1.5-72b", "72287920128", "", all, weights},
    {"qwen1.5-110b", "111209914368", "", all, weights},
    {"qwen2.5-0.5b", "494032768", "", all, weights},
    {"qwen2.5-1.5b", "1543714304", "", all, weights},
    {"qwen2.5-3b", "3085938688", "", all, weights},
    {"qwen2.5-7b", "7615616512", "", all, weights},
    {"qwen2.5-14b", "14770033664", "", all, weights},
    {"qwen2.5-32b", "32763876352", "", all, weights},
    {"qwen2.5-72b", "72706203648", "", all, weights},
    {"qwen3-0.6b", "0.6B", "", all, "model card of Qwen3-0.6B"},
    {"qwen3-1.7b", "1.7B", "", all, "model card of Qwen3-1.7B"},
    {"qwen3-4b", "4022468096", "", all, weights},
    {"qwen3-8b", "8190735360", "", all, weights},
    {"qwen3-14b", "14768307200", "", all, weights},
    {"qwen3-32b", "32762123264", "", all, weights},
    // Its card cuts 3.35B off.
    {"qwen3-30b-a3b", "30532122624", "3.3B", all, weights, 0, 0.02},
    {"qwen3-235b-a22b", "235093634560", "22B", all, weights},
    {"qwen3-coder-480b-a35b", "480B", "35B", all, "model card of Qwen3-Coder"},
    {"mistral-7b", "7241732096", "", all, weights},
    {"mistral-large-2", "122610069504", "", all, weights},
    {"mixtral-8x7b", "46702792704", "12.9B", all, weights},
    {"mixtral-8x22b", "141B", "39B", all, "announcement of Mixtral 8x22B"},
    {"deepseek-v2-lite", "15706484224", "", all, weights},
    {"deepseek-v2", "236B", "21B", Counts::no_input, "arXiv 2405.04434"},
    {"deepseek-v3", "671B", "37B", Counts::no_input, "arXiv 2412.19437"},
    {"kimi-k2", "1T", "32.6B", all, "arXiv 2507.20534, table 2; model card"},
    {"glm-4.5", "355B", "32B", Counts::no_tables, "arXiv 2508.06471, table 1"},
    {"glm-4.5-air", "106B", "12B", Counts::no_tables, "arXiv 2508.06471, table 1"},
    {"glm-4-9b", "9399951360", "", all, weights},
    {"chatglm3-6b", "6243584000", "", all, weights},
    {"gpt-oss-20b", "20.91B", "3.61B", Counts::no_input, "arXiv 2508.10925, table 1"},
    {"gpt-oss-120b", "116.83B", "5.13B", Counts::no_input, "arXiv 2508.10925, table 1"},
    {"minimax-m2", "230B", "10B", Counts::no_input, "model card of MiniMax-M2"},
    {"pangu-alpha-200b", "207.0B", "", all, "arXiv 2104.12369, table 1"},
    {"pangu-ultra-135b", "135B", "", all, "arXiv 2504.07866"},
    {"pangu-pro-moe-72b-a16b", "71.99B", "16.50B", all, "arXiv 2505.21411, table 2"},
    {"pangu-ultra-moe-718b", "718B", "39B", Counts::no_input, "arXiv 2505.04519"},
    {"bloom-7b1", "7069016064", "", all, weights},
    {"bloom-176b", "176247271424", "", all, weights},
    // llm-foundry names its shapes and counts none; see EveryGptIsWhatItsFormulaSays.
    {"mpt-125m", "125M", "", all, "llm-foundry, its name"},
    {"mpt-350m", "0.4B", "", all, "llm-foundry, its name"},
    {"mpt-760m", "760M", "", all, "llm-foundry, its name"},
    {"mpt-1b", "1B", "", all, "llm-foundry, its name"},
    {"mpt-3b", "3B", "", all, "llm-foundry, its name"},
    {"mpt-7b", "6.65B", "", all, "weights on Hugging Face, without a table of positions"},
    {"mpt-13b", "13B", "", all, "llm-foundry, its name"},
    {"mpt-30b", "30B", "", all, "llm-foundry, its name"},
    {"mpt-70b", "65B", "", all, "llm-foundry, train/benchmarking: N of its TFLOP/s"},
    {"nemotron-4-15b", "15.7B", "", all, "arXiv 2402.16819: 3.2B of tables, 12.5B others"},
    {"nemotron-4-340b", "341.0B", "", all, "arXiv 2406.11704: 9.4B of tables, 331.6B others"},
    {"grok-1", "314B", "", all, "README of xai-org/grok-1"},
    {"baichuan2-7b", "7505973248", "", all, weights},
    {"baichuan2-13b", "13896668160", "", all, weights},
    {"internlm-7b", "7B", "", all, "model card of InternLM-7B"},
    {"internlm-20b", "20B", "", all, "model card of InternLM-20B"},
    {"yi-34b", "34388917248", "", all, weights},
    {"gemma-2b", "2506172416", "", all, weights},
    {"gemma-7b", "8537680896", "", all, weights},
};

struct Figure {
    double value;
    double half_unit;  // of its last digit
};

Figure figure_of(const std::string& text) {
    const double factor = text.back() == 'T'   ? 1e12
                          : text.back() == 'B' ? 1e9
                          : text.back() == 'M' ? 1e6
                                               : 1;
    const auto point = text.find('.');
    const std::string digits = factor == 1 ? text : text.substr(0, text.size() - 1);
    const auto places = point == std::string::npos ? 0 : digits.size() - point - 1;
    return {std::stod(digits) * factor, 0.5 * factor * std::pow(10, -static_cast<double>(places))};
}

double counted(const ParameterCount& count, double what, Counts counts) {
    switch (counts) {
        case Counts::all:
            return what;
        case Counts::no_input:
            return what - count.embedding;
        case Counts::no_tables:
            break;
    }
    return what - count.embedding - count.output;
}

TEST(ModelCounts, AgreeWithPublishedFiguresOfEveryShippedModel) {
    std::map<std::string, const Published*> rows;
    for (const Published& row : published) {
        EXPECT_NE(catalog::find_model(row.name), nullptr) << row.name;
        rows.emplace(row.name, &row);
    }
    for (const Model& model : catalog::models()) {
        const auto found = rows.find(model.name);
        ASSERT_NE(found, rows.end()) << model.name << " has no published figure in this table";
        const Published& row = *found->second;
        const ParameterCount count = count_parameters(model);
        const Figure total = figure_of(row.total);
        // All digits are compared as such; a rounded figure within 1 %, or as it is rounded.
        const double within = total.half_unit == 0.5
                                  ? 1e-5 * total.value
                                  : std::max(row.within * total.value, total.half_unit);
        EXPECT_NEAR(counted(count, count.total, Counts::all) + row.outside, total.value, within)
            << model.name << ": " << row.source;
        if (std::string(row.active).empty()) {
            if (!model.is_moe()) {
                EXPECT_EQ(count.active, count.total) << model.name;
            }
            continue;
        }
        const Figure active = figure_of(row.active);
        EXPECT_NEAR(counted(count, count.active, row.counts_active),
                    active.value,
                    std::max(row.within * active.value, active.half_unit))
            << model.name << ": " << row.source;
    }
}

// Narayanan et al. 2021, equations 2 and 3.
bool is_gpt(const Model& model) {
    return model.biases && model.layer_norm && model.tied && !model.gated && !model.is_moe() &&
           model.kv_heads == model.heads && model.ffn == 4 * model.hidden;
}

TEST(ModelCounts, OfEveryGptAreWhatItsFormulaSays) {
    int count = 0;
    for (const Model& model : catalog::models()) {
        if (!is_gpt(model)) continue;
        ++count;
        const double l = model.layers;
        const double h = model.hidden;
        const double tables = double{1} * model.vocab + model.learned_positions;
        const double formula = 12 * l * h * h * (1 + 13 / (12 * h) + tables / (12 * l * h));
        EXPECT_EQ(count_parameters(model).total, std::round(formula) + 2 * h) << model.name;
        // Forward and backward of one sequence: 72 s l h^2 (1 + s / 6h + V / 12lh).
        const double s = 2048;
        const double flops = 72 * s * l * h * h * (1 + s / (6 * h) + model.vocab / (12 * l * h));
        EXPECT_NEAR(3 * forward_flops(model, 2048, false).total(), flops, 1e-12 * flops)
            << model.name;
    }
    EXPECT_GE(count, 18);
}

TEST(ModelCounts, PutTwoOperationsOnEveryParameterThatATokenUses) {
    for (const Model& model : catalog::models()) {
        const ParameterCount count = count_parameters(model);
        const ForwardFlops flops = forward_flops(model, 4096, true);
        // Looking up a table costs nothing; norms and biases are too small to matter.
        const double used = count.active - count.embedding + (model.tied ? flops.output / 8192 : 0);
        EXPECT_NEAR((flops.products + flops.output) / 4096, 2 * used, 0.002 * 2 * used)
            << model.name;
    }
    // Llama 3.1 405B: 3.8e25 operations for 15.6e12 tokens (arXiv 2407.21783, section 1).
    const ForwardFlops llama = forward_flops(*catalog::find_model("llama-3.1-405b"), 8192, true);
    EXPECT_NEAR(3 * (llama.products + llama.output) / 8192 * 15.6e12, 3.8e25, 0.05e25);
}

TEST(ModelCounts, CountTheMatricesOfLatentAttention) {
    const ParameterCount count = count_parameters(*catalog::find_model("deepseek-v3"));
    EXPECT_EQ(count.attention_per_layer,
              7168.0 * 1536 + 1536.0 * 128 * 192 + 7168.0 * (512 + 64) + 512.0 * 128 * 256 +
                  128.0 * 128 * 7168);
    EXPECT_EQ(count.experts_per_layer, 256 * 3 * 7168.0 * 2048);
    EXPECT_EQ(count.shared_per_layer, 3 * 7168.0 * 2048 + 256 * 7168.0);
    EXPECT_EQ(count.norms_per_layer, 2 * 7168 + 1536 + 512);
}

// The weights carry each module's own copy of both tables and, for every layer with experts, a bias
// of the router that is not trained by gradients.
TEST(ModelCounts, CountTheModulesThatPredictFurtherTokens) {
    const auto held = [](const char* name) {
        const Model& model = *catalog::find_model(name);
        const ParameterCount count = count_parameters(model);
        return count.total + count.mtp + model.mtp_layers * (count.embedding + count.output) +
               (double{1} * moe_layers(model) + model.mtp_layers) * model.experts->count;
    };
    EXPECT_EQ(held("glm-4.5"), 358337791296.0);
    EXPECT_EQ(held("glm-4.5-air"), 110468824832.0);
    EXPECT_NEAR(held("deepseek-v3"), 685e9, 0.01 * 685e9);
}

TEST(ModelCounts, KnowWhichLayersHaveExperts) {
    const auto with = [](const char* name) { return moe_layers(*catalog::find_model(name)); };
    EXPECT_EQ(with("llama-3-8b"), 0U);
    EXPECT_EQ(with("mixtral-8x7b"), 32U);
    EXPECT_EQ(with("deepseek-v3"), 58U);
    EXPECT_EQ(with("llama-4-maverick"), 24U);
}

// Every query of every layer, and the keys before it that it may see.
TEST(ModelCounts, ReachIsWhatCountingKeysGives) {
    Model model = *catalog::find_model("llama-3-8b");
    for (const std::uint32_t layers : {1U, 4U, 26U}) {
        for (const std::uint32_t window : {0U, 1U, 7U, 64U}) {
            for (const std::uint32_t every : {1U, 2U, 6U}) {
                for (const bool chunked : {false, true}) {
                    if (window == 0 && (every != 1 || chunked)) continue;
                    model.layers = layers;
                    model.window = window;
                    model.window_every = every;
                    model.chunked = chunked;
                    for (const std::uint32_t sequence : {1U, 7U, 50U, 128U}) {
                        std::uint64_t keys = 0;
                        for (std::uint32_t layer = 0; layer < layers; ++layer) {
                            const bool full =
                                window == 0 || (every > 1 && (layer + 1) % every == 0);
                            for (std::uint32_t query = 0; query < sequence; ++query) {
                                const std::uint32_t seen = chunked
                                                               ? query % std::max(window, 1U) + 1
                                                               : std::min(query + 1, window);
                                keys += full ? query + 1 : seen;
                            }
                        }
                        EXPECT_NEAR(mean_reach(model, sequence),
                                    static_cast<double>(keys) / layers / sequence,
                                    1e-9)
                            << layers << ' ' << window << ' ' << every << ' ' << chunked << ' '
                            << sequence;
                    }
                }
            }
        }
    }
    EXPECT_EQ(mean_reach(model, 0), 0);
}

}  // namespace
}  // namespace weir::plan
