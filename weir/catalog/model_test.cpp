#include "weir/catalog/model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "weir/base/schema.hpp"
#include "weir/catalog/model_file.hpp"

namespace weir::catalog {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Models, TravelWithTheProgramByFamily) {
    EXPECT_GE(models().size(), 85U);
    for (const char* name : {"gpt3-175b",       "llama-2-70b",      "llama-3-8b",
                             "llama-3.1-405b",  "llama-4-scout",    "qwen2.5-72b",
                             "qwen3-235b-a22b", "mixtral-8x22b",    "deepseek-v2",
                             "deepseek-v3",     "glm-4.5",          "kimi-k2",
                             "gpt-oss-120b",    "bloom-176b",       "pangu-ultra-135b",
                             "mpt-70b",         "pangu-alpha-200b", "grok-1",
                             "nemotron-4-340b", "baichuan2-13b",    "pangu-pro-moe-72b-a16b"}) {
        EXPECT_NE(find_model(name), nullptr) << name;
    }
    EXPECT_EQ(find_model("DeepSeek-R1"), find_model("deepseek-v3"));
    EXPECT_EQ(find_model("unheard-of"), nullptr);
    EXPECT_EQ(nearest_model("llama-3.1-8B"), "llama-3.1-8b");
    EXPECT_EQ(nearest_model("deepseek-v33"), "deepseek-v3");
    EXPECT_EQ(nearest_model("an entirely different thing"), "");
}

TEST(Models, AreSoundAndSayWhoSaysSo) {
    for (const Model& model : models()) {
        EXPECT_TRUE(check(model).has_value()) << check(model).error().message;
        EXPECT_FALSE(model.source.empty()) << model.name;
        EXPECT_GT(model.sequence, 0U) << model.name;
        EXPECT_EQ(find_model(model.name), &model);
        for (const std::string& alias : model.aliases)
            EXPECT_EQ(find_model(alias), &model) << alias;
        EXPECT_EQ(schema::test_name(model.name), std::nullopt);
    }
}

TEST(Models, AreRefusedWithFieldValueAndWhatIsValid) {
    const Model& dense = *find_model("llama-3-8b");
    const Model& moe = *find_model("deepseek-v3");
    struct Bad {
        const Model& like;
        std::function<void(Model&)> spoil;
        const char* says;
    };
    const Bad table[] = {
        {dense, [](Model& m) { m.layers = 0; }, "layers: 0 is not from 1 to 10000"},
        {dense,
         [](Model& m) { m.hidden = 1U << 30; },
         "hidden: 1073741824 is not from 1 to 1048576"},
        {dense, [](Model& m) { m.heads = 0; }, "heads: 0 is not from 1"},
        {dense, [](Model& m) { m.vocab = 0; }, "vocab: 0 is not from 1"},
        {dense, [](Model& m) { m.ffn = 0; }, "ffn: 0 is not from 1"},
        {dense, [](Model& m) { m.head_dim = 0; }, "head_dim: 0 is not from 1"},
        {dense, [](Model& m) { m.kv_heads = 5; }, "kv_heads: 5 does not divide the 32 heads"},
        {dense, [](Model& m) { m.kv_heads = 64; }, "kv_heads: 64 does not divide the 32 heads"},
        {dense, [](Model& m) { m.window_every = 2; }, "window: 0 (none) with window_every: 2"},
        {dense, [](Model& m) { m.chunked = true; }, "window: 0 (none) with chunked: true"},
        {dense, [](Model& m) { m.mtp_layers = 65; }, "mtp_layers: 65 is not from 0 to 64"},
        {moe, [](Model& m) { m.kv_heads = 8; }, "kv_heads: 8 is not 128, the heads"},
        {moe, [](Model& m) { m.latent->kv_lora = 0; }, "latent.kv_lora: 0 is not from 1"},
        {moe,
         [](Model& m) { m.experts->per_token = 257; },
         "experts.per_token: 257 is not from 1 to 256, the number of experts"},
        {moe, [](Model& m) { m.experts->count = 0; }, "experts.count: 0 is not from 1"},
        {moe,
         [](Model& m) { m.experts->first_dense = 61; },
         "experts.first_dense: 61 leaves none of 61 layers for experts; valid are 0 to 60"},
        {moe, [](Model& m) { m.experts->every = 59; }, "experts.every: 59 is not from 1 to 58"},
        {moe,
         [](Model& m) { m.experts->groups = 7; },
         "experts.groups: 7 does not divide 256, the number of experts"},
        {moe,
         [](Model& m) {
             m.experts->groups = 8;
             m.experts->groups_per_token = 9;
         },
         "experts.groups_per_token: 9 is not from 1 to 8"},
        {moe,
         [](Model& m) {
             m.experts->groups = 64;
             m.experts->groups_per_token = 1;
         },
         "experts.groups_per_token: 1 groups have 4 experts, fewer than the 8 of a token"},
        // Some layers have a plain feed-forward.
        {moe, [](Model& m) { m.ffn = 0; }, "ffn: 0 is not from 1"},
    };
    for (const Bad& bad : table) {
        Model model = bad.like;
        bad.spoil(model);
        const auto result = check(model);
        ASSERT_FALSE(result.has_value()) << bad.says;
        EXPECT_THAT(result.error().message,
                    AllOf(HasSubstr("model " + model.name + ": "), HasSubstr(bad.says)));
    }
    Model only_experts = moe;
    only_experts.experts->first_dense = 0;
    only_experts.ffn = 0;
    EXPECT_TRUE(check(only_experts).has_value());
}

std::string refusal(const std::string& text) {
    const auto read = read_models_text(text, "m.yaml");
    return read.has_value() ? "accepted" : read.error().message;
}

TEST(ModelFile, RefusesWithFileLineKeyValueAndWhatIsValid) {
    const auto with = [](const std::string& more) {
        return "models:\n  - {name: a, layers: 2, hidden: 64, heads: 4, ffn: 128, vocab: 100, "
               "source: us" +
               more + "}\n";
    };
    EXPECT_EQ(refusal(with("")), "accepted");
    EXPECT_EQ(read_models_text(with(""), "m.yaml")->front().head_dim, 16U);
    EXPECT_EQ(read_models_text(with(", kv_heads: 2"), "m.yaml")->front().kv_heads, 2U);
    EXPECT_THAT(refusal(with(", kv_head: 2")),
                AllOf(HasSubstr("m.yaml:2:"), HasSubstr("'kv_head' is not a key of model")));
    EXPECT_THAT(
        refusal(with(", kv_heads: 3")),
        AllOf(HasSubstr("m.yaml:2:"), HasSubstr("kv_heads: 3 does not divide the 4 heads")));
    EXPECT_THAT(refusal(with(", kv_heads: -1")), HasSubstr("models[0].kv_heads"));
    EXPECT_THAT(refusal("models:\n  - {name: a, layers: 2, hidden: 66, heads: 4, ffn: 128, "
                        "vocab: 100, source: us}\n"),
                HasSubstr("models[0].heads: 4 does not divide hidden: 66; write head_dim"));
    EXPECT_THAT(refusal("models:\n  - {name: a, hidden: 64}\n"),
                HasSubstr("the key 'layers' is missing"));
    EXPECT_THAT(refusal(with("") + with("").substr(8)),
                HasSubstr("'a' already names the model in line 2"));
}

}  // namespace
}  // namespace weir::catalog
