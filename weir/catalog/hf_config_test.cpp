#include "weir/catalog/hf_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <tuple>

#include "weir/base/random.hpp"

namespace weir::catalog {

void try_hf_config(std::string_view json);  // hf_config_fuzz.cpp

namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Written with ' for ".
std::string json_of(std::string text) {
    for (char& c : text) {
        if (c == '\'') c = '"';
    }
    return text;
}

Model read(const std::string& text) {
    const auto model = model_from_hf_config(json_of(text), "given", "c.json");
    EXPECT_TRUE(model.has_value()) << model.error().message;
    return model.value_or(Model());
}

std::string refusal(const std::string& text) {
    const auto model = model_from_hf_config(json_of(text), "given", "c.json");
    return model.has_value() ? "accepted" : model.error().message;
}

// Labels aside.
Model shape(Model model) {
    model.name.clear();
    model.aliases.clear();
    model.source.clear();
    return model;
}

// The keys of published files that say something about the shape, and the model of the catalogue
// whose shape it is.
struct Same {
    const char* name;
    const char* json;
};

const Same same[] = {
    {"llama-2-7b",
     "{'architectures':['LlamaForCausalLM'],'hidden_act':'silu','hidden_size':4096,"
     "'intermediate_size':11008,'max_position_embeddings':4096,'model_type':'llama',"
     "'num_attention_heads':32,'num_hidden_layers':32,'num_key_value_heads':32,"
     "'pretraining_tp':1,'rope_scaling':null,'tie_word_embeddings':false,'vocab_size':32000}"},
    // As first published, before there were grouped keys.
    {"llama-13b",
     "{'architectures':['LLaMAForCausalLM'],'hidden_size':5120,'intermediate_size':13824,"
     "'max_position_embeddings':2048,'model_type':'llama','num_attention_heads':40,"
     "'num_hidden_layers':40,'vocab_size':32000}"},
    {"llama-3.1-70b",
     "{'architectures':['LlamaForCausalLM'],'attention_bias':false,'hidden_size':8192,"
     "'intermediate_size':28672,'max_position_embeddings':131072,'mlp_bias':false,"
     "'model_type':'llama','num_attention_heads':64,'num_hidden_layers':80,"
     "'num_key_value_heads':8,'rope_scaling':{'factor':8.0,'rope_type':'llama3'},"
     "'tie_word_embeddings':false,'vocab_size':128256}"},
    {"llama-3.2-1b",
     "{'head_dim':64,'hidden_size':2048,'intermediate_size':8192,"
     "'max_position_embeddings':131072,'model_type':'llama','num_attention_heads':32,"
     "'num_hidden_layers':16,'num_key_value_heads':8,'tie_word_embeddings':true,"
     "'vocab_size':128256}"},
    {"llama-4-scout",
     "{'architectures':['Llama4ForConditionalGeneration'],'model_type':'llama4','text_config':{"
     "'attention_bias':false,'attention_chunk_size':8192,'head_dim':128,'hidden_size':5120,"
     "'interleave_moe_layer_step':1,'intermediate_size':8192,'intermediate_size_mlp':16384,"
     "'max_position_embeddings':10485760,'model_type':'llama4_text','num_attention_heads':40,"
     "'num_experts_per_tok':1,'num_hidden_layers':48,'num_key_value_heads':8,"
     "'num_local_experts':16,'use_qk_norm':true,'vocab_size':202048},"
     "'vision_config':{'hidden_size':1408,'num_hidden_layers':34}}"},
    {"llama-4-maverick",
     "{'architectures':['Llama4ForConditionalGeneration'],'model_type':'llama4','text_config':{"
     "'attention_chunk_size':8192,'head_dim':128,'hidden_size':5120,"
     "'interleave_moe_layer_step':2,'intermediate_size':8192,'intermediate_size_mlp':16384,"
     "'max_position_embeddings':1048576,'model_type':'llama4_text','num_attention_heads':40,"
     "'num_experts_per_tok':1,'num_hidden_layers':48,'num_key_value_heads':8,"
     "'num_local_experts':128,'no_rope_layers':[],'vocab_size':202048}}"},
    {"qwen2.5-7b",
     "{'architectures':['Qwen2ForCausalLM'],'hidden_size':3584,'intermediate_size':18944,"
     "'max_position_embeddings':131072,'max_window_layers':28,'model_type':'qwen2',"
     "'num_attention_heads':28,'num_hidden_layers':28,'num_key_value_heads':4,"
     "'sliding_window':131072,'tie_word_embeddings':false,'use_mrope':false,"
     "'use_sliding_window':false,'vocab_size':152064}"},
    {"qwen2.5-0.5b",
     "{'hidden_size':896,'intermediate_size':4864,'max_position_embeddings':32768,"
     "'max_window_layers':24,'model_type':'qwen2','num_attention_heads':14,"
     "'num_hidden_layers':24,'num_key_value_heads':2,'sliding_window':32768,"
     "'tie_word_embeddings':true,'use_sliding_window':false,'vocab_size':151936}"},
    {"qwen3-32b",
     "{'attention_bias':false,'head_dim':128,'hidden_size':5120,'intermediate_size':25600,"
     "'max_position_embeddings':40960,'max_window_layers':64,'model_type':'qwen3',"
     "'num_attention_heads':64,'num_hidden_layers':64,'num_key_value_heads':8,"
     "'sliding_window':null,'tie_word_embeddings':false,'use_sliding_window':false,"
     "'vocab_size':151936}"},
    {"qwen3-30b-a3b",
     "{'architectures':['Qwen3MoeForCausalLM'],'attention_bias':false,'decoder_sparse_step':1,"
     "'head_dim':128,'hidden_size':2048,'intermediate_size':6144,"
     "'max_position_embeddings':40960,'max_window_layers':48,'mlp_only_layers':[],"
     "'model_type':'qwen3_moe','moe_intermediate_size':768,'num_attention_heads':32,"
     "'num_experts':128,'num_experts_per_tok':8,'num_hidden_layers':48,"
     "'num_key_value_heads':4,'sliding_window':null,'tie_word_embeddings':false,"
     "'use_sliding_window':false,'vocab_size':151936}"},
    {"mistral-7b",
     "{'hidden_size':4096,'intermediate_size':14336,'max_position_embeddings':32768,"
     "'model_type':'mistral','num_attention_heads':32,'num_hidden_layers':32,"
     "'num_key_value_heads':8,'sliding_window':4096,'tie_word_embeddings':false,"
     "'vocab_size':32000}"},
    {"mixtral-8x7b",
     "{'hidden_size':4096,'intermediate_size':14336,'max_position_embeddings':32768,"
     "'model_type':'mixtral','num_attention_heads':32,'num_experts_per_tok':2,"
     "'num_hidden_layers':32,'num_key_value_heads':8,'num_local_experts':8,"
     "'sliding_window':null,'tie_word_embeddings':false,'vocab_size':32000}"},
    {"deepseek-v2-lite",
     "{'architectures':['DeepseekV2ForCausalLM'],'attention_bias':false,"
     "'first_k_dense_replace':1,'hidden_size':2048,'intermediate_size':10944,"
     "'kv_lora_rank':512,'max_position_embeddings':163840,'model_type':'deepseek_v2',"
     "'moe_intermediate_size':1408,'moe_layer_freq':1,'n_routed_experts':64,"
     "'n_shared_experts':2,'num_attention_heads':16,'num_experts_per_tok':6,"
     "'num_hidden_layers':27,'num_key_value_heads':16,'q_lora_rank':null,"
     "'qk_nope_head_dim':128,'qk_rope_head_dim':64,'tie_word_embeddings':false,"
     "'v_head_dim':128,'vocab_size':102400}"},
    {"deepseek-v3",
     "{'architectures':['DeepseekV3ForCausalLM'],'first_k_dense_replace':3,'hidden_size':7168,"
     "'intermediate_size':18432,'kv_lora_rank':512,'max_position_embeddings':163840,"
     "'model_type':'deepseek_v3','moe_intermediate_size':2048,'moe_layer_freq':1,"
     "'n_group':8,'n_routed_experts':256,'n_shared_experts':1,'num_attention_heads':128,"
     "'num_experts_per_tok':8,'num_hidden_layers':61,'num_key_value_heads':128,"
     "'num_nextn_predict_layers':1,'q_lora_rank':1536,'qk_nope_head_dim':128,"
     "'qk_rope_head_dim':64,'quantization_config':{'fmt':'e4m3'},'topk_group':4,'v_head_dim':128,"
     "'vocab_size':129280}"},
    {"kimi-k2",
     "{'architectures':['DeepseekV3ForCausalLM'],'model_type':'kimi_k2','num_hidden_layers':61,"
     "'hidden_size':7168,'num_attention_heads':64,'num_key_value_heads':64,"
     "'intermediate_size':18432,'vocab_size':163840,'max_position_embeddings':131072,"
     "'n_routed_experts':384,'n_shared_experts':1,'num_experts_per_tok':8,"
     "'moe_intermediate_size':2048,'moe_layer_freq':1,'first_k_dense_replace':1,"
     "'kv_lora_rank':512,'q_lora_rank':1536,'qk_nope_head_dim':128,'qk_rope_head_dim':64,"
     "'v_head_dim':128,'tie_word_embeddings':false}"},
    {"glm-4.5",
     "{'architectures':['Glm4MoeForCausalLM'],'attention_bias':true,'first_k_dense_replace':3,"
     "'head_dim':128,'hidden_size':5120,'intermediate_size':12288,"
     "'max_position_embeddings':131072,'model_type':'glm4_moe','moe_intermediate_size':1536,"
     "'n_routed_experts':160,'n_shared_experts':1,'num_attention_heads':96,"
     "'num_experts_per_tok':8,'num_hidden_layers':92,'num_key_value_heads':8,"
     "'num_nextn_predict_layers':1,'tie_word_embeddings':false,'use_qk_norm':true,"
     "'vocab_size':151552}"},
    {"chatglm3-6b",
     "{'add_bias_linear':false,'add_qkv_bias':true,'architectures':['ChatGLMModel'],"
     "'ffn_hidden_size':13696,'hidden_size':4096,'kv_channels':128,'model_type':'chatglm',"
     "'multi_query_attention':true,'multi_query_group_num':2,'num_attention_heads':32,"
     "'num_layers':28,'padded_vocab_size':65024,'rmsnorm':true,'seq_length':8192,"
     "'tie_word_embeddings':false}"},
    {"gpt-oss-20b",
     "{'architectures':['GptOssForCausalLM'],'attention_bias':true,'experts_per_token':4,"
     "'head_dim':64,'hidden_size':2880,'intermediate_size':2880,'layer_types':["
     "'sliding_attention','full_attention','sliding_attention','full_attention',"
     "'sliding_attention','full_attention','sliding_attention','full_attention',"
     "'sliding_attention','full_attention','sliding_attention','full_attention',"
     "'sliding_attention','full_attention','sliding_attention','full_attention',"
     "'sliding_attention','full_attention','sliding_attention','full_attention',"
     "'sliding_attention','full_attention','sliding_attention','full_attention'],"
     "'max_position_embeddings':131072,'model_type':'gpt_oss','num_attention_heads':64,"
     "'num_experts_per_tok':4,'num_hidden_layers':24,'num_key_value_heads':8,"
     "'num_local_experts':32,'sliding_window':128,'tie_word_embeddings':false,"
     "'vocab_size':201088}"},
    {"bloom-176b",
     "{'architectures':['BloomForCausalLM'],'model_type':'bloom','n_embed':14336,'n_layer':70,"
     "'num_attention_heads':112,'pretraining_tp':4,'seq_length':2048,'vocab_size':250880,"
     "'hidden_size':14336}"},
    {"baichuan2-13b",
     "{'architectures':['BaichuanForCausalLM'],'hidden_size':5120,'intermediate_size':13696,"
     "'model_max_length':4096,'model_type':'baichuan','num_attention_heads':40,"
     "'num_hidden_layers':40,'tie_word_embeddings':false,'vocab_size':125696}"},
    {"internlm-7b",
     "{'architectures':['InternLMForCausalLM'],'bias':true,'hidden_size':4096,"
     "'intermediate_size':11008,'max_position_embeddings':2048,'model_type':'internlm',"
     "'num_attention_heads':32,'num_hidden_layers':32,'tie_word_embeddings':false,"
     "'vocab_size':103168}"},
    {"gemma-7b",
     "{'head_dim':256,'hidden_size':3072,'intermediate_size':24576,"
     "'max_position_embeddings':8192,'model_type':'gemma','num_attention_heads':16,"
     "'num_hidden_layers':28,'num_key_value_heads':16,'vocab_size':256000}"},
    {"minimax-m2",
     "{'architectures':['MiniMaxM2ForCausalLM'],'head_dim':128,'hidden_size':3072,"
     "'intermediate_size':1536,'max_position_embeddings':196608,'model_type':'minimax_m2',"
     "'num_attention_heads':48,'num_experts_per_tok':8,'num_hidden_layers':62,"
     "'num_key_value_heads':8,'num_local_experts':256,'tie_word_embeddings':false,"
     "'use_qk_norm':true,'vocab_size':200064}"},
    {"pangu-pro-moe-72b-a16b",
     "{'architectures':['PanguProMoEForCausalLM'],'hidden_size':5120,"
     "'max_position_embeddings':131072,'model_type':'PanguProMoE',"
     "'moe_intermediate_size':1344,'num_attention_heads':40,'num_experts':64,"
     "'num_experts_per_tok':8,'num_hidden_layers':48,'num_key_value_heads':8,"
     "'shared_expert_intermediate_size':5376,'tie_word_embeddings':false,"
     "'vocab_size':153376}"},
    {"pangu-ultra-moe-718b",
     "{'attention_kv_lora_dim':512,'attention_q_lora_dim':1536,'attention_qk_dim':128,"
     "'attention_qk_rope_dim':64,'attention_v_dim':128,'hidden_size':7680,"
     "'intermediate_size':18432,'max_position_embeddings':131072,"
     "'model_type':'pangu_ultra_moe','moe_intermediate_size':2048,'num_attention_heads':128,"
     "'num_dense_layers':3,'num_experts_per_tok':8,'num_hidden_layers':61,"
     "'num_key_value_heads':128,'num_mtp_layers':1,'num_routed_experts':256,"
     "'num_shared_experts':1,'tie_word_embeddings':false,'vocab_size':153600}"},
};

TEST(HfConfig, ReadsPublishedFilesAsTheShapesOfTheCatalogue) {
    for (const Same& one : same) {
        const Model* known = find_model(one.name);
        ASSERT_NE(known, nullptr) << one.name;
        const Model model = read(one.json);
        EXPECT_EQ(shape(model), shape(*known)) << one.name;
        EXPECT_EQ(model.source, "c.json");
    }
}

// A small file that is sound, with some keys said differently.
std::string llama(const std::string& changes) {
    return "{'model_type':'llama','num_hidden_layers':2,'hidden_size':64,'num_attention_heads':4,"
           "'intermediate_size':128,'vocab_size':100" +
           changes + "}";
}

TEST(HfConfig, RefusesWithFileKeyValueAndWhatIsValid) {
    struct Bad {
        std::string json;
        std::vector<std::string> says;
    };
    const std::string moe =
        "{'model_type':'qwen3_moe','num_hidden_layers':2,'hidden_size':64,"
        "'num_attention_heads':4,'num_key_value_heads':2,'intermediate_size':128,"
        "'vocab_size':100,'num_experts':8,'moe_intermediate_size':32";
    const std::string latent =
        "{'model_type':'deepseek_v3','num_hidden_layers':2,'hidden_size':64,"
        "'num_attention_heads':4,'intermediate_size':128,'vocab_size':100,'q_lora_rank':16,"
        "'kv_lora_rank':16,'qk_rope_head_dim':8,'qk_nope_head_dim':8";
    const std::vector<Bad> table = {
        // No JSON, or not an object.
        {"", {"c.json:1:1: is not JSON from here on"}},
        {"{'a': 1,\n 'b': }", {"c.json:2:7: is not JSON from here on"}},
        {"{'model_type':'llama'", {"is not JSON"}},
        {"[1]", {"c.json: [1] is no JSON object"}},
        {"'llama'", {"c.json: \"llama\" is no JSON object"}},
        {"{'model_type':'llama','vocab_size':1e999}", {"a number is out of range"}},
        {"{'a':" + std::string(100, '[') + std::string(100, ']') + "}",
         {"nests deeper than 64 levels"}},
        // No family, or another than a decoder transformer.
        {"{}", {"c.json: model_type is missing", "understood are: llama, mistral"}},
        {"{'model_type':7}", {"model_type is no text"}},
        {"{'model_type':'lama','architectures':['LamaModel']}",
         {"model_type: \"lama\" is not understood", "llama, mistral, mixtral"}},
        {"{'model_type':'bert','hidden_size':768}",
         {"model_type: \"bert\" is an encoder", "decoder transformers: llama"}},
        {"{'model_type':'t5','is_encoder_decoder':true}",
         {"model_type: \"t5\" has an encoder beside its decoder"}},
        {"{'model_type':'mamba'}", {"\"mamba\" has no attention over all tokens"}},
        {"{'model_type':'mamba','architectures':['LlamaForCausalLM']}",
         {"\"mamba\" has no attention over all tokens"}},
        {"{'model_type':'jamba'}", {"\"jamba\" mixes attention with layers of another kind"}},
        {"{'model_type':'llava','text_config':{'model_type':'t5'}}",
         {"c.json: text_config.model_type: \"t5\" has an encoder"}},
        {llama(",'is_encoder_decoder':true"), {"is_encoder_decoder: true: only decoder"}},
        // Missing.
        {"{'model_type':'llama','hidden_size':64}",
         {"c.json: num_hidden_layers: is missing; a config of model_type llama says it, as a whole "
          "number from 1 to 10000"}},
        {"{'model_type':'gpt2','n_layer':2,'n_head':2,'vocab_size':10,'n_positions':8}",
         {"n_embd: is missing"}},
        {"{'model_type':'llama4','text_config':{'num_hidden_layers':2}}",
         {"c.json: text_config.hidden_size: is missing"}},
        {moe + "}", {"num_experts_per_tok: is missing"}},
        {latent + "}", {"v_head_dim: is missing"}},
        {"{'model_type':'dbrx','n_layers':2,'d_model':64,'n_heads':4,'vocab_size':9}",
         {"attn_config.kv_n_heads: is missing"}},
        // Not numbers, zero, negative, absurd.
        {llama(",'head_dim':'16'"), {"head_dim: \"16\" is not a whole number from 1 to"}},
        {llama(",'head_dim':16.0"), {"head_dim: 16.0 is not a whole number"}},
        {llama(",'head_dim':[16,16]"), {"head_dim: [16,16] is not a whole number"}},
        {llama(",'head_dim':0"), {"head_dim: 0 is not from 1 to"}},
        {llama(",'num_key_value_heads':-4"), {"num_key_value_heads: -4 is not from 1 to 65536"}},
        {llama(",'vocab_size':0"), {"vocab_size: 0 is not from 1 to"}},
        {llama(",'hidden_size':4000000000"), {"hidden_size: 4000000000 is not from 1 to 1048576"}},
        {llama(",'num_hidden_layers':1000000"), {"1000000 is not from 1 to 10000"}},
        {llama(",'vocab_size':123456789012345678901234567890"), {"vocab_size: 1.23"}},
        {llama(",'tie_word_embeddings':'yes'"), {"\"yes\" is neither true nor false"}},
        // Contradictions.
        {llama(",'hidden_size':66"),
         {"hidden_size: 66 is no multiple of num_attention_heads: 4, and head_dim does not say"}},
        {llama(",'num_key_value_heads':3"),
         {"num_key_value_heads: 3 does not divide num_attention_heads: 4"}},
        {llama(",'num_key_value_heads':8"), {"num_key_value_heads: 8 does not divide"}},
        {"{'model_type':'bloom','n_layer':2,'hidden_size':64,'n_embed':65,'n_head':4,"
         "'vocab_size':9}",
         {"n_embed: 65 contradicts hidden_size: 64"}},
        {moe + ",'num_experts_per_tok':9}",
         {"num_experts_per_tok: 9 is more than the 8 experts of num_experts"}},
        {moe + ",'num_experts_per_tok':2,'mlp_only_layers':[1]}",
         {"mlp_only_layers: layer 1 has a plain feed-forward, but not those before it"}},
        {moe + ",'num_experts_per_tok':2,'mlp_only_layers':[0,1]}",
         {"mlp_only_layers: leaves no layer"}},
        {moe + ",'num_experts_per_tok':2,'decoder_sparse_step':3}",
         {"decoder_sparse_step: 3 leaves no layer with experts; valid are 1 to 2"}},
        {latent + ",'v_head_dim':8,'n_routed_experts':4,'num_experts_per_tok':2,"
                  "'moe_intermediate_size':8,'first_k_dense_replace':2}",
         {"first_k_dense_replace: 2 leaves none of 2 layers for experts; valid are 0 to 1"}},
        {latent + ",'v_head_dim':8,'n_routed_experts':4,'num_experts_per_tok':2,"
                  "'moe_intermediate_size':16777216,'n_shared_experts':2}",
         {"n_shared_experts: 2 shared experts of 16777216 are wider than"}},
        {latent + ",'v_head_dim':8,'n_routed_experts':4,'num_experts_per_tok':2,"
                  "'moe_intermediate_size':8,'n_group':3,'topk_group':1}",
         {"n_group: 3 does not divide the 4 experts"}},
        {latent + ",'v_head_dim':8,'n_routed_experts':4,'num_experts_per_tok':2,"
                  "'moe_intermediate_size':8,'n_group':4,'topk_group':1}",
         {"topk_group: 1 of 4 groups of 1 experts; valid are up to 4, with at least the 2 experts "
          "of a token"}},
        {llama(",'layer_types':['full_attention']"),
         {"layer_types: names 1 layers, but the model has 2"}},
        {llama(",'layer_types':['linear_attention','full_attention']"),
         {"layer_types: \"linear_attention\" is not one of \"full_attention\""}},
        {llama(",'layer_types':['sliding_attention','full_attention']"),
         {"sliding_window: is missing"}},
        {llama(",'num_hidden_layers':3,'sliding_window':8,'layer_types':['full_attention',"
               "'full_attention','sliding_attention']"),
         {"layer_types: 2 of 3 layers have no window; understood are"}},
        {"{'model_type':'opt','num_hidden_layers':2,'hidden_size':64,'num_attention_heads':4,"
         "'ffn_dim':256,'vocab_size':9,'max_position_embeddings':8,'word_embed_proj_dim':32}",
         {"word_embed_proj_dim: 32 is not hidden_size: 64"}},
        {"{'model_type':'mpt','n_layers':2,'d_model':64,'n_heads':4,'vocab_size':9,"
         "'max_seq_len':8,'attn_config':{'attn_type':'odd'}}",
         {"attn_config.attn_type: \"odd\" is not one of multihead_attention"}},
        {"{'model_type':'mpt','n_layers':2,'d_model':64,'n_heads':4,'vocab_size':9,"
         "'max_seq_len':8,'attn_config':7}",
         {"attn_config: 7 is no object"}},
    };
    for (const Bad& bad : table) {
        const std::string message = refusal(bad.json);
        EXPECT_EQ(message.rfind("c.json:", 0), 0U) << bad.json << '\n' << message;
        EXPECT_EQ(message.find('\n'), std::string::npos) << message;
        for (const std::string& part : bad.says)
            EXPECT_THAT(message, HasSubstr(part)) << bad.json;
    }
}

TEST(HfConfig, FindsTheFamilyByItsArchitectureWhereTheModelTypeIsNew) {
    EXPECT_TRUE(read(llama(",'model_type':'our_own','architectures':['LlamaForCausalLM']")).gated);
    EXPECT_EQ(read(llama(",'model_type':'gemma3'")).norms, 4U);
    EXPECT_THAT(refusal(llama(",'model_type':'our_own','architectures':[]")),
                HasSubstr("\"our_own\" is not understood"));
    EXPECT_GE(hf_model_types().size(), 75U);
}

TEST(HfConfig, ReadsWindowsAsTheFamilyHasThem) {
    const auto window = [](const std::string& json) {
        const Model model = read(json);
        return std::tuple(model.window, model.window_every);
    };
    const std::string mistral = ",'model_type':'mistral','sliding_window':32";
    EXPECT_EQ(window(llama(mistral)), std::tuple(32U, 1U));
    // No sequence reaches it.
    EXPECT_EQ(window(llama(mistral + ",'max_position_embeddings':32")), std::tuple(0U, 1U));
    const std::string qwen = ",'model_type':'qwen2','sliding_window':32,'use_sliding_window':";
    EXPECT_EQ(window(llama(qwen + "false")), std::tuple(0U, 1U));
    EXPECT_EQ(window(llama(qwen + "true,'max_window_layers':2")), std::tuple(0U, 1U));
    EXPECT_EQ(window(llama(qwen + "true,'max_window_layers':0")), std::tuple(32U, 1U));
    EXPECT_THAT(refusal(llama(qwen + "true,'max_window_layers':1")),
                HasSubstr("max_window_layers: 1 of 2 layers have no window"));
    EXPECT_EQ(window(llama(",'model_type':'gemma2','sliding_window':32")), std::tuple(32U, 2U));
    EXPECT_EQ(window(llama(",'model_type':'gemma3_text','sliding_window':32")),
              std::tuple(32U, 6U));
    EXPECT_EQ(window(llama(",'model_type':'gemma3_text'")), std::tuple(4096U, 6U));
    EXPECT_EQ(window(llama(",'model_type':'cohere2','sliding_window':32,"
                           "'sliding_window_pattern':4")),
              std::tuple(32U, 4U));
}

TEST(HfConfig, ReadsBiasesAndSharedKeysAsTheFamilyHasThem) {
    EXPECT_FALSE(read(llama("")).qkv_biases);
    EXPECT_TRUE(read(llama(",'attention_bias':true")).qkv_biases);
    EXPECT_TRUE(read(llama(",'attention_bias':true,'mlp_bias':true")).biases);
    EXPECT_TRUE(read(llama(",'model_type':'qwen2'")).qkv_biases);
    EXPECT_EQ(read(llama(",'model_type':'falcon'")).kv_heads, 1U);
    EXPECT_EQ(read(llama(",'model_type':'falcon','multi_query':false")).kv_heads, 4U);
    EXPECT_EQ(read(llama(",'num_key_value_heads':null")).kv_heads, 4U);
    EXPECT_TRUE(read(llama(",'model_type':'falcon'")).tied);
    EXPECT_FALSE(read(llama("")).tied);
}

TEST(HfConfig, IsCalledByItsOwnNameElseByThatOfItsFolder) {
    EXPECT_EQ(read(llama(",'_name_or_path':'meta-llama/Llama-2-7b-hf'")).name, "Llama-2-7b-hf");
    EXPECT_EQ(read(llama(",'_name_or_path':'./'")).name, "given");
    EXPECT_EQ(read(llama(",'_name_or_path':null")).name, "given");

    const std::filesystem::path folder =
        std::filesystem::path(::testing::TempDir()) / "hf_config_test" / "our-7b";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "config.json") << json_of(llama(""));
    std::ofstream(folder / "other.json") << json_of(llama(""));
    EXPECT_EQ(read_hf_config((folder / "config.json").string()).value().name, "our-7b");
    EXPECT_EQ(model_of(folder.string()).value().name, "our-7b");
    EXPECT_EQ(model_of((folder / "other.json").string()).value().name, "other");
    std::filesystem::remove_all(folder.parent_path());
}

TEST(HfConfig, TakesAModelByNameOfTheCatalogueOrAsHuggingFaceWritesIt) {
    EXPECT_EQ(model_of("GPT3-175B").value().layers, 96U);
    EXPECT_EQ(model_of("meta-llama/Llama-3.1-8B").value().name, "llama-3.1-8b");
    EXPECT_EQ(model_of("deepseek-ai/DeepSeek-V3").value().name, "deepseek-v3");
    const auto unknown = model_of("lama-3.1-8b");
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, Code::not_found);
    EXPECT_THAT(unknown.error().message,
                AllOf(HasSubstr("model 'lama-3.1-8b'"), HasSubstr("did you mean llama-3.1-8b?")));
    EXPECT_THAT(model_of("there/is/none.json").error().message, HasSubstr("there is no such file"));
}

TEST(HfConfig, SurvivesDamage) {
    Random random(11);
    for (const Same& one : same) {
        const std::string json = json_of(one.json);
        for (int round = 0; round < 200; ++round) {
            std::string damaged = json;
            for (std::int64_t i = random.between(1, 3); i > 0 && !damaged.empty(); --i) {
                const auto at = static_cast<std::size_t>(
                    random.between(0, static_cast<std::int64_t>(damaged.size()) - 1));
                const auto kind = random.between(0, 2);
                if (kind == 0) {
                    damaged[at] = static_cast<char>(random.between(0, 255));
                } else if (kind == 1) {
                    damaged.erase(at, static_cast<std::size_t>(random.between(1, 9)));
                } else {
                    damaged.insert(at, std::to_string(random.between(0, 99)));
                }
            }
            try_hf_config(damaged);
        }
    }
    // Each key with each of some odd values.
    for (const char* value :
         {"0", "-1", "1", "1048577", "1e300", "null", "[]", "{}", "true", "''"}) {
        for (const Same& one : same) {
            const std::string json = one.json;
            for (std::size_t at = json.find("':"); at != std::string::npos;
                 at = json.find("':", at + 1)) {
                const std::size_t end = json.find_first_of(",}]", at);
                try_hf_config(json_of(json.substr(0, at + 2) + value + json.substr(end)));
            }
        }
    }
}

}  // namespace
}  // namespace weir::catalog
