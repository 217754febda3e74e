#include "bench/truth/inference_launch.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace weir::bench {
namespace {

using plan::Engine;
using plan::Numbers;

// The name that the source gives the row: "dsr1_b200_trtllm_fp4_agg_1024x1024_c32_cfg91".
std::string_view tag_of(const Record& record) {
    const std::string_view file = record.text("source_file");
    const auto open = file.find('[');
    return open == std::string_view::npos ? std::string_view{} : file.substr(open + 1);
}

// Runs of InferenceMAX (SemiAnalysisAI/InferenceX), as the table of aiconfigurator names them.
bool is_inferencemax(const Record& record) {
    for (const std::string_view start : {"dsr1_", "minimaxm2_5_", "2026_03_25_", "2026_04_06_"}) {
        if (tag_of(record).substr(0, start.size()) == start) return true;
    }
    return false;
}

bool lengths(const InferenceRow& row, double isl, double osl) {
    return row.job.isl == isl && row.job.osl == osl;
}

// All chips hold whole attention for sequences of their own, and experts are spread over them.
plan::Degrees ranks(std::uint32_t chips) {
    return {1, 1, chips, chips};
}
plan::Degrees tensor(std::uint32_t chips, bool spread_experts) {
    return {chips, 1, spread_experts ? chips : 1, 1};
}

// Steps that a prompt waits where the first one waits so many, and all that come meanwhile go
// through with it: these on average half as long.
double mean_wait(double steps, double clients, double osl) {
    const double more = steps * clients / osl;
    return steps * (1 + more / 2) / (1 + more);
}

// benchmarks/dsr1_fp4_b200_trt_slurm.sh, dsr1_fp8_h200_trt_slurm.sh, gptoss_fp4_*_trt_slurm.sh and
// the search spaces of .github/configs/nvidia-master.yaml.
void start_tensorrt_llm(InferenceRow& row) {
    plan::ServingPlan& plan = row.plan;
    const std::uint32_t clients = plan.batch;
    const std::uint32_t chips = plan.degrees.tp;
    const bool hopper = has(row.chip, "H200");
    plan.start.stream_interval = 10;
    if (has(row.job.model.name, "llama")) {
        plan.start.prompt_tokens_max = 16384;
        // batch_wait_timeout_iters, batch_wait_max_tokens_ratio 0.9.
        if (lengths(row, 1024, 1024) && chips < 8) {
            plan.start.wait_steps = mean_wait(20, clients, row.job.osl);
        }
    } else if (has(row.job.model.name, "gpt-oss")) {
        plan.start.prompt_tokens_max = 20000;
        plan.start.stream_interval = 20;
        if (hopper) {
            plan.degrees = tensor(chips, true);
            plan.cache = Numbers::bf16;  // kv_cache_config.dtype auto
        } else if (chips == 2 && clients >= 64) {
            plan.degrees = {1, 1, 1, chips};
        }
    } else if (has(row.job.model.name, "deepseek")) {
        plan.start.prompt_tokens_max = clients + static_cast<std::uint32_t>(row.job.isl) + 64;
        if (hopper) {
            const bool apart = lengths(row, 8192, 1024) && clients >= 64;
            plan.degrees = apart ? ranks(chips) : tensor(chips, true);
        } else if (lengths(row, 8192, 1024)) {
            plan.degrees = clients >= 64 ? ranks(chips) : tensor(chips, false);
        } else {
            const std::uint32_t spread_from = lengths(row, 1024, 1024) ? 16 : 32;
            plan.degrees = clients >= 256 ? ranks(chips) : tensor(chips, clients >= spread_from);
        }
        // attention_dp_config.timeout_iters: until all ranks have a prompt, at most.
        if (plan.degrees.attention_dp > 1)
            plan.start.wait_steps = mean_wait(60, clients, row.job.osl);
    }
}

// benchmarks/dsr1_fp8_h200.sh, dsr1_fp8_b200.sh.
void start_sglang(InferenceRow& row) {
    plan::EngineStart& start = row.plan.start;
    const bool whole = row.plan.degrees.tp == 8;
    start.prompt_tokens_max = whole ? 32768 : 8192;
    start.stream_interval = 10;
    if (has(row.chip, "B200")) {
        start.stream_interval = 30;
        // --scheduler-recv-interval: so many steps between two looks at what has come.
        start.wait_steps = (whole && row.plan.batch >= 16 ? 30 : 10) / 2.0;
    }
}

// Racks run prompts and tokens on chips of their own, which their rows do not say: they name all
// chips as tensor degree. .github/configs/nvidia-master.yaml of November 2025, by chips and load.
// Absent: such a load is only there with speculative decoding.
struct Rack {
    std::uint32_t prefillers;
    plan::Degrees prefill;
    std::uint32_t decoders;
    plan::Degrees decode;
};
std::optional<Rack> rack_of(const InferenceRow& row) {
    const std::uint32_t chips = row.plan.degrees.chips();
    const std::uint32_t clients = row.plan.batch;
    if (row.plan.engine == Engine::sglang)
        return row.job.isl > 4096 ? Rack{5, ranks(8), 1, ranks(32)}
                                  : Rack{3, ranks(8), 1, ranks(48)};
    if (chips == 36) {
        // Four times 1, 2, 4, 8, 16 and 141, for four decoders.
        if (clients <= 64 || clients == 4 * 141)
            return Rack{1, tensor(4, true), 4, tensor(8, true)};
        if (clients == 1075) return Rack{1, ranks(4), 1, ranks(32)};
    }
    if (chips == 20 && clients == 1075) return Rack{1, ranks(4), 1, ranks(16)};
    return std::nullopt;
}

// src/aiconfigurator/generator/config/backend_templates of ai-dynamo/aiconfigurator: TensorRT-LLM
// 1.0 is started for as many sequences as there are clients (extra_engine_args.1.0.0rc3.yaml.j2),
// vLLM with its prefix cache, as it is by default (cli_args.0.12.0.j2). AIPerf makes 100 prompts
// and sends them again and again, the first of them as twice as many requests as there are clients
// before it measures (bench_run.sh.j2): what these do not bring is missed once.
void start_aiconfigurator(const Record& record, InferenceRow& row) {
    const double clients = row.plan.batch;
    if (row.plan.engine == Engine::tensorrt_llm && has(record.text("engine_version"), "1.0."))
        row.plan.start.sequences_max = row.plan.batch;
    if (row.plan.engine == Engine::vllm) {
        constexpr double prompts = 100;
        const double missed = std::max(0.0, prompts - 2 * clients);
        row.job.cached_share = std::max(0.0, 1 - missed / (row.job.rounds * clients));
    }
}

}  // namespace

void apply_launch(const Record& record, InferenceRow& row) {
    if (!is_inferencemax(record)) {
        if (row.group == "aic") start_aiconfigurator(record, row);
        return;
    }
    if (has(row.chip, "GB200")) {
        if (const auto rack = rack_of(row)) {
            row.plan.prefill = rack->prefill;
            row.plan.prefillers = rack->prefillers;
            row.plan.degrees = rack->decode;
            row.plan.decoders = rack->decoders;
            row.plan.batch = static_cast<std::uint32_t>(
                std::ceil(static_cast<double>(row.plan.batch) / rack->decoders));
        } else {
            row.doubtful = true;
        }
        row.plan.start.stream_interval = 10;
    } else if (row.plan.engine == Engine::tensorrt_llm) {
        start_tensorrt_llm(row);
    } else if (row.plan.engine == Engine::sglang) {
        start_sglang(row);
    }
    // --random-range-ratio 0.8: lengths are uniform between 0.8 and 1 of what is said.
    row.job.isl *= 0.9;
    row.job.osl *= 0.9;
}

}  // namespace weir::bench
