#include "weir/catalog/hf_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

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
     "'kv_lora_rank':512,'max_position_embeddings':32768,'model_type':'deepseek_v2',"
     "'moe_intermediate_size':1408,'moe_layer_freq':1,'n_routed_experts':64,"
     "'n_shared_experts':2,'num_attention_heads':16,'num_experts_per_tok':6,"
     "'num_hidden_layers':27,'num_key_value_heads':16,'q_lora_rank':null,"
     "'qk_nope_head_dim':128,'qk_rope_head_dim':64,'tie_word_embeddings':false,"
     "'v_head_dim':128,'vocab_size':102400}"},
    {"deepseek-v3",
     "{'architectures':['DeepseekV3ForCausalLM'],'first_k_dense_replace':3,'hidden_size':7168,"
     "'intermediate_size':18432,'kv_lora_rank':512,'max_position_embeddings':131072,"
     "'model_type':'deepseek_v3','moe_intermediate_size':2048,'moe_layer_freq':1,"
     "'n_group':8,'n_routed_experts':256,'n_shared_experts':1,'num_attention_heads':128,"
     "'num_experts_per_tok':8,'num_hidden_layers':61,'num_key_value_heads':128,"
     "'num_nextn_predict_layers':1,'q_lora_rank':1536,'qk_nope_head_dim':128,"
     "'qk_rope_head_dim':64,'quantization_config':{'fmt':'e4m3'},'v_head_dim':128,"
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

}  // namespace
}  // namespace weir::catalog
