// What a published config.json is read as has as many parameters as the published weights.
#include <gtest/gtest.h>

#include <string>

#include "weir/catalog/hf_config.hpp"
#include "weir/plan/model_counts.hpp"

namespace weir::plan {
namespace {

struct Weights {
    const char* repository;  // on Hugging Face
    double parameters;
    double within;  // of them: what no shape says, such as the bias of an output
    const char* json;
};

// clang-format off
const Weights weights[] = {
    {"openai-community/gpt2", 124439808, 0,
     "{'model_type':'gpt2','n_ctx':1024,'n_embd':768,'n_head':12,'n_layer':12,'n_positions':1024,'vocab_size':50257}"},
    {"EleutherAI/gpt-neox-20b", 20554567680, 1e-5,
     "{'architectures':['GPTNeoXForCausalLM'],'hidden_size':6144,'intermediate_size':24576,'max_position_embeddings':2048,'model_type':'gpt_neox','num_attention_heads':64,'num_hidden_layers':44,'tie_word_embeddings':false,'vocab_size':50432}"},
    {"EleutherAI/gpt-j-6b", 6050882784, 1e-3,
     "{'model_type':'gptj','n_embd':4096,'n_head':16,'n_inner':null,'n_layer':28,'n_positions':2048,'rotary':true,'tie_word_embeddings':false,'vocab_size':50400}"},
    {"facebook/opt-6.7b", 6658473984, 0,
     "{'enable_bias':true,'ffn_dim':16384,'hidden_size':4096,'max_position_embeddings':2048,'model_type':'opt','num_attention_heads':32,'num_hidden_layers':32,'vocab_size':50272,'word_embed_proj_dim':4096}"},
    {"bigscience/bloom-560m", 559214592, 1e-5,
     "{'hidden_size':1024,'model_type':'bloom','n_head':16,'n_inner':null,'n_layer':24,'offset_alibi':100,'seq_length':2048,'vocab_size':250880}"},
    {"mosaicml/mpt-7b", 6649286656, 1e-4,
     "{'architectures':['MPTForCausalLM'],'attn_config':{'alibi':true,'attn_type':'multihead_attention'},'d_model':4096,'expansion_ratio':4,'learned_pos_emb':true,'max_seq_len':2048,'model_type':'mpt','n_heads':32,'n_layers':32,'no_bias':true,'vocab_size':50432}"},
    {"tiiuae/falcon-40b", 41303293952, 1e-4,
     "{'alibi':false,'bias':false,'hidden_size':8192,'model_type':'falcon','multi_query':true,'new_decoder_architecture':true,'num_attention_heads':128,'num_hidden_layers':60,'num_kv_heads':8,'parallel_attn':true,'vocab_size':65024}"},
    {"bigcode/starcoder", 15517456384, 1e-5,
     "{'model_type':'gpt_bigcode','multi_query':true,'n_embd':6144,'n_head':48,'n_inner':24576,'n_layer':40,'n_positions':8192,'vocab_size':49152}"},
    {"bigcode/starcoder2-7b", 7173923840, 1e-5,
     "{'hidden_size':4608,'intermediate_size':18432,'max_position_embeddings':16384,'model_type':'starcoder2','num_attention_heads':36,'num_hidden_layers':32,'num_key_value_heads':4,'sliding_window':4096,'use_bias':true,'vocab_size':49152}"},
    {"DOEJGI/GenomeOcean-4B", 4253174784, 0,
     "{'architectures':['MistralForCausalLM'],'model_type':'mistral','vocab_size':4096,'hidden_size':3072,'num_hidden_layers':24,'num_attention_heads':12,'num_key_value_heads':4,'intermediate_size':16384,'max_position_embeddings':32768,'sliding_window':null,'tie_word_embeddings':false}"},
    {"microsoft/phi-2", 2779683840, 1e-4,
     "{'hidden_size':2560,'intermediate_size':10240,'max_position_embeddings':2048,'model_type':'phi','num_attention_heads':32,'num_hidden_layers':32,'num_key_value_heads':null,'tie_word_embeddings':false,'vocab_size':51200}"},
    {"microsoft/Phi-3-mini-4k-instruct", 3821079552, 0,
     "{'hidden_size':3072,'intermediate_size':8192,'max_position_embeddings':4096,'model_type':'phi3','num_attention_heads':32,'num_hidden_layers':32,'num_key_value_heads':32,'sliding_window':2047,'tie_word_embeddings':false,'vocab_size':32064}"},
    {"microsoft/phi-4", 14659507200, 0,
     "{'hidden_size':5120,'intermediate_size':17920,'max_position_embeddings':16384,'model_type':'phi3','num_attention_heads':40,'num_hidden_layers':40,'num_key_value_heads':10,'sliding_window':null,'tie_word_embeddings':false,'vocab_size':100352}"},
    {"google/gemma-2-9b", 9241705984, 0,
     "{'attention_bias':false,'head_dim':256,'hidden_size':3584,'intermediate_size':14336,'max_position_embeddings':8192,'model_type':'gemma2','num_attention_heads':16,'num_hidden_layers':42,'num_key_value_heads':8,'sliding_window':4096,'vocab_size':256000}"},
    {"google/gemma-3-27b-it, the language part", 27009346304, 0,
     "{'architectures':['Gemma3ForConditionalGeneration'],'model_type':'gemma3','text_config':{'head_dim':128,'hidden_size':5376,'intermediate_size':21504,'model_type':'gemma3_text','num_attention_heads':32,'num_hidden_layers':62,'num_key_value_heads':16,'sliding_window':1024},'vision_config':{'hidden_size':1152}}"},
    {"google/gemma-3-1b-it", 999885952, 0,
     "{'architectures':['Gemma3ForCausalLM'],'head_dim':256,'hidden_size':1152,'intermediate_size':6912,'max_position_embeddings':32768,'model_type':'gemma3_text','num_attention_heads':4,'num_hidden_layers':26,'num_key_value_heads':1,'sliding_window':512,'sliding_window_pattern':6,'vocab_size':262144}"},
    {"ibm-granite/granite-3.1-8b-base", 8170848256, 0,
     "{'attention_bias':false,'hidden_size':4096,'intermediate_size':12800,'max_position_embeddings':131072,'mlp_bias':false,'model_type':'granite','num_attention_heads':32,'num_hidden_layers':40,'num_key_value_heads':8,'tie_word_embeddings':true,'vocab_size':49155}"},
    {"internlm/internlm2-7b", 7737708544, 0,
     "{'bias':false,'hidden_size':4096,'intermediate_size':14336,'max_position_embeddings':32768,'model_type':'internlm2','num_attention_heads':32,'num_hidden_layers':32,'num_key_value_heads':8,'tie_word_embeddings':false,'vocab_size':92544}"},
    {"allenai/OLMo-2-1124-7B", 7298617344, 1e-4,
     "{'attention_bias':false,'hidden_size':4096,'intermediate_size':11008,'max_position_embeddings':4096,'model_type':'olmo2','num_attention_heads':32,'num_hidden_layers':32,'num_key_value_heads':32,'tie_word_embeddings':false,'vocab_size':100352}"},
    {"allenai/OLMoE-1B-7B-0924", 6919161856, 1e-4,
     "{'hidden_size':2048,'intermediate_size':1024,'max_position_embeddings':4096,'model_type':'olmoe','num_attention_heads':16,'num_experts':64,'num_experts_per_tok':8,'num_hidden_layers':16,'num_key_value_heads':16,'tie_word_embeddings':false,'vocab_size':50304}"},
    {"CohereForAI/c4ai-command-r-v01", 34980831232, 1e-4,
     "{'hidden_size':8192,'intermediate_size':22528,'max_position_embeddings':8192,'model_max_length':131072,'model_type':'cohere','num_attention_heads':64,'num_hidden_layers':40,'num_key_value_heads':64,'use_qk_norm':false,'vocab_size':256000}"},
    {"Qwen/Qwen-7B", 7721324544, 0,
     "{'architectures':['QWenLMHeadModel'],'hidden_size':4096,'intermediate_size':22016,'kv_channels':128,'max_position_embeddings':32768,'model_type':'qwen','no_bias':true,'num_attention_heads':32,'num_hidden_layers':32,'seq_length':8192,'tie_word_embeddings':false,'vocab_size':151936}"},
    {"Qwen/Qwen1.5-MoE-A2.7B", 14315784192, 1e-5,
     "{'decoder_sparse_step':1,'hidden_size':2048,'intermediate_size':5632,'max_position_embeddings':8192,'max_window_layers':21,'model_type':'qwen2_moe','moe_intermediate_size':1408,'num_attention_heads':16,'num_experts':60,'num_experts_per_tok':4,'num_hidden_layers':24,'num_key_value_heads':16,'shared_expert_intermediate_size':5632,'sliding_window':32768,'tie_word_embeddings':false,'use_sliding_window':false,'vocab_size':151936}"},
    {"databricks/dbrx-base", 131596523520, 1e-4,
     "{'attn_config':{'clip_qkv':8,'kv_n_heads':8,'rope_theta':500000},'d_model':6144,'ffn_config':{'ffn_hidden_size':10752,'moe_num_experts':16,'moe_top_k':4},'max_seq_len':32768,'model_type':'dbrx','n_heads':48,'n_layers':40,'tie_word_embeddings':false,'vocab_size':100352}"},
    {"microsoft/Phi-3.5-MoE-instruct", 41873153344, 1e-4,
     "{'attention_bias':true,'hidden_size':4096,'intermediate_size':6400,'lm_head_bias':true,'max_position_embeddings':131072,'model_type':'phimoe','num_attention_heads':32,'num_experts_per_tok':2,'num_hidden_layers':32,'num_key_value_heads':8,'num_local_experts':16,'sliding_window':131072,'tie_word_embeddings':false,'vocab_size':32064}"},
    {"deepseek-ai/deepseek-moe-16b-base", 16375728128, 1e-5,
     "{'first_k_dense_replace':1,'hidden_size':2048,'intermediate_size':10944,'max_position_embeddings':4096,'model_type':'deepseek','moe_intermediate_size':1408,'moe_layer_freq':1,'n_routed_experts':64,'n_shared_experts':2,'num_attention_heads':16,'num_experts_per_tok':6,'num_hidden_layers':28,'num_key_value_heads':16,'tie_word_embeddings':false,'vocab_size':102400}"},
    {"baidu/ERNIE-4.5-21B-A3B-PT", 21.8e9, 0.01,
     "{'hidden_size':2560,'intermediate_size':12288,'max_position_embeddings':131072,'model_type':'ernie4_5_moe','moe_intermediate_size':1536,'moe_k':6,'moe_layer_end_index':27,'moe_layer_interval':1,'moe_layer_start_index':1,'moe_num_experts':64,'moe_num_shared_experts':2,'num_attention_heads':20,'num_hidden_layers':28,'num_key_value_heads':4,'tie_word_embeddings':true,'use_bias':false,'vocab_size':103424}"},
    {"inclusionAI/Ling-lite", 16.8e9, 0.01,
     "{'first_k_dense_replace':0,'head_dim':128,'hidden_size':2048,'intermediate_size':5632,'max_position_embeddings':16384,'model_type':'bailing_moe','moe_intermediate_size':1408,'num_attention_heads':16,'num_experts':64,'num_experts_per_tok':6,'num_hidden_layers':28,'num_key_value_heads':4,'num_shared_experts':2,'tie_word_embeddings':false,'use_bias':false,'use_qkv_bias':false,'vocab_size':126464}"},
    {"XiaomiMiMo/MiMo-7B-Base, without the module for further tokens", 7.61e9, 0.01,
     "{'attention_bias':true,'head_dim':128,'hidden_size':4096,'intermediate_size':11008,'max_position_embeddings':32768,'model_type':'mimo','num_attention_heads':32,'num_hidden_layers':36,'num_key_value_heads':8,'num_nextn_predict_layers':1,'tie_word_embeddings':false,'use_sliding_window':false,'vocab_size':151680}"},
    {"stabilityai/stablelm-3b-4e1t", 2795443200, 1e-5,
     "{'hidden_size':2560,'intermediate_size':6912,'max_position_embeddings':4096,'model_type':'stablelm','num_attention_heads':32,'num_hidden_layers':32,'num_key_value_heads':32,'tie_word_embeddings':false,'use_qkv_bias':false,'vocab_size':50304}"},
    {"nvidia/Minitron-4B-Base", 4.19e9, 0.01,
     "{'attention_bias':false,'head_dim':128,'hidden_size':3072,'intermediate_size':9216,'max_position_embeddings':4096,'mlp_bias':false,'model_type':'nemotron','num_attention_heads':24,'num_hidden_layers':32,'num_key_value_heads':8,'tie_word_embeddings':false,'vocab_size':256000}"},
};
// clang-format on

TEST(HfCounts, AreThoseOfThePublishedWeights) {
    for (const Weights& one : weights) {
        std::string json = one.json;
        for (char& c : json) {
            if (c == '\'') c = '"';
        }
        const auto model = catalog::model_from_hf_config(json, "m", one.repository);
        ASSERT_TRUE(model.has_value()) << model.error().message;
        EXPECT_NEAR(
            count_parameters(*model).total, one.parameters, one.within * one.parameters + 0.5)
            << one.repository;
    }
}

}  // namespace
}  // namespace weir::plan
