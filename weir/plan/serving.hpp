// How fast a model answers: what a serving plan gives, and what it costs.
//
// An engine works in steps. A decode step gives each sequence in the batch one token: it reads the
// weights once (of experts, those that some token of the batch chose) and the kept keys and values
// of every sequence. Prompts go through in the same or in other steps and take their time from
// those that decode. From the time of a step with `n` sequences and of a prompt follow, by the sums
// of a closed loop, the time to the first token (TTFT), the time of each further one (TPOT) and the
// tokens a second; how many sequences there can be follows from memory.
//
// A replica has tp x pp x attention_dp chips. Its experts are spread over `ep` of the
// tp x attention_dp chips of a stage, and each is split over what remains. Replicas are
// independent copies.
//
// Everything is closed form; a prediction costs a few microseconds. Constants are those of
// serving_calibration.hpp.
//
// Threads: a ServingModel is immutable; any number of threads may ask it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "weir/base/result.hpp"
#include "weir/catalog/model.hpp"
#include "weir/plan/machine.hpp"
#include "weir/plan/serving_calibration.hpp"

namespace weir::plan {

// In which numbers weights or kept keys and values are stored. Chips without products in a format
// unpack it and compute in 16 bits. Formats of 4 bits are those of published checkpoints: of models
// with experts only the experts are in 4 bits.
enum class Numbers : std::uint8_t { bf16, fp16, fp8, int8, nvfp4, mxfp4, int4 };
double bytes_of(Numbers numbers);  // of one, scales of blocks included

enum class Engine : std::uint8_t {
    tensorrt_llm,
    vllm,
    sglang,
    lmdeploy,
    faster_transformer,
};

// How requests come to a replica.
enum class Traffic : std::uint8_t {
    clients,  // `batch` clients, each sends its next request when it has the answer
    batches,  // all at once, and the next ones when all have their answers
    queue,    // more than it can take, from the start: its greatest throughput
};

std::string_view name_of(Numbers numbers);
std::string_view name_of(Engine engine);
std::string_view name_of(Traffic traffic);
const std::array<Numbers, 7>& all_numbers();

// What is asked: requests of `isl` tokens in and `osl` out, on average.
struct ServingJob {
    catalog::Model model{};
    double isl = 1024;
    double osl = 256;
    double ttft_slo_s = 0;      // 0 = no promise
    double tpot_slo_s = 0;      // 0 = no promise
    double requests_per_s = 0;  // that come in all; 0 = not said
    // Each client sends so many requests one after the other and all clients start at once, as
    // benchmarks do, so the first ones wait for each other; 0 = clients do not know of each other.
    double rounds = 0;
    // Share of the prompts' tokens whose keys and values a prefix cache already has.
    double cached_share = 0;
    // How unequally tokens choose experts: at 0 all alike, as training balances them; at 1 a third
    // of them gets 5/6 of the tokens, which fits what gpt-oss, DeepSeek, Kimi and MiniMax took.
    double expert_skew = 1;
};

struct Degrees {
    std::uint32_t tp = 1;
    std::uint32_t pp = 1;
    std::uint32_t ep = 1;
    std::uint32_t attention_dp = 1;
    [[nodiscard]] std::uint32_t chips() const { return tp * pp * attention_dp; }
    friend bool operator==(const Degrees&, const Degrees&) = default;
};

// How an engine was started, where it differs from what it does by itself.
struct EngineStart {
    std::uint32_t sequences_max = 0;      // at once in a replica; 0 = as memory allows
    std::uint32_t prompt_tokens_max = 0;  // in one step; 0 = what the engine has by itself
    // Decode steps that a prompt waits on average before the engine looks at it: most of
    // TensorRT-LLM's batch_wait_timeout_iters, half of SGLang's --scheduler-recv-interval.
    double wait_steps = 0;
    double stream_interval = 1;  // tokens that go out together
    friend bool operator==(const EngineStart&, const EngineStart&) = default;
};

struct ServingPlan {
    Degrees degrees{};
    std::uint32_t batch = 1;  // requests at once in a replica; 0 = as many as memory allows
    Numbers weights = Numbers::bf16;
    Numbers cache = Numbers::bf16;
    Engine engine = Engine::vllm;
    Traffic traffic = Traffic::clients;
    // Prompts on chips of their own, which send keys and values to those that decode: so many
    // replicas with `prefill` degrees beside `decoders` replicas. Absent: the same chips do both.
    std::optional<Degrees> prefill{};
    std::uint32_t prefillers = 0;
    std::uint32_t decoders = 1;
    EngineStart start{};

    [[nodiscard]] std::uint64_t chips() const {
        return prefill ? std::uint64_t{prefillers} * prefill->chips() +
                             std::uint64_t{decoders} * degrees.chips()
                       : degrees.chips();
    }
    friend bool operator==(const ServingPlan&, const ServingPlan&) = default;
};

// "tp 8, batch 64, fp8, cache fp8".
std::string text_of(const ServingPlan& plan);

// Where the time of a token goes; the terms sum to tpot_s.
enum class ServingTerm : std::uint8_t {
    products,   // of plain matrices, or reading their weights
    experts,    // of experts
    attention,  // over the cache
    moving,     // norms, activations
    tensor,     // all-reduces of tensor parallelism
    exchange,   // of tokens between experts or attention ranks
    pipeline,   // sends between stages
    overhead,   // kernels' starts and the host
    prompts,    // waiting while prompts of others go through
};
inline constexpr std::size_t serving_term_count = 9;
std::string_view name_of(ServingTerm term);

// Of the fullest chip.
struct ServingMemory {
    double weights_bytes = 0;
    double cache_bytes = 0;        // of the sequences in the batch, at their longest
    double activations_bytes = 0;  // of the largest step
    double taken_bytes = 0;        // what the engine may take at most
    double cache_token_bytes = 0;  // of one more token of one sequence

    [[nodiscard]] double total_bytes() const {
        return weights_bytes + cache_bytes + activations_bytes;
    }
};

struct ServingPrediction {
    bool fits = false;     // weights and one request
    double ttft_s = 0;     // mean, queues included
    double tpot_s = 0;     // mean
    double batch = 0;      // sequences at once, as far as memory allows
    double batch_max = 0;  // that memory and the engine allow
    double waiting = 0;    // requests that have to wait for memory
    double in_front = 0;   // that the engine's front works on, or that wait for it
    std::array<double, serving_term_count> term_s{};
    ServingMemory memory{};
    double cache_tokens = 0;             // that a replica can keep
    double requests_per_s = 0;           // of one replica (of one set, where prompts are apart)
    double output_tokens_per_s = 0;      // the same
    double tokens_per_s_per_chip = 0;    // output
    std::uint64_t replicas = 1;          // that the job's requests need
    std::uint64_t chips = 0;             // of all replicas
    double cost_per_million_tokens = 0;  // output tokens, at the load that is asked; 0 = no price
    double spread = 0.2;                 // standard deviation of log(measured / predicted)
    double first_spread = 0.6;           // the same of ttft_s, which is known less well
    bool estimated = false;              // chip, link or engine has no measurements

    [[nodiscard]] double at(ServingTerm term) const {
        return term_s[static_cast<std::size_t>(term)];
    }
    // The interval that holds the truth nine times out of ten: of tokens and times of a token.
    [[nodiscard]] double low(double value) const;
    [[nodiscard]] double high(double value) const;
    [[nodiscard]] double ttft_low_s() const;
    [[nodiscard]] double ttft_high_s() const;
};

// Why a plan cannot serve this job: the degree, its value and what would divide. What does not fit
// into memory is not an error but a prediction with fits = false.
Result<void> check(const ServingPlan& plan, const ServingJob& job, const Machine& machine);
Result<void> check(const ServingJob& job);

struct ServingStep;

class ServingModel {
public:
    ServingModel(const ServingJob& job, const Machine& machine);
    // With other constants than those of the program's tables: for fits and what-if.
    ServingModel(const ServingJob& job,
                 const Machine& machine,
                 const ServingChip& chip,
                 const ServingLink& inside,
                 const ServingLink& between);

    // Requires: check(plan, job, machine) holds. Cost: a few microseconds.
    [[nodiscard]] ServingPrediction predict(const ServingPlan& plan) const;
    [[nodiscard]] ServingPrediction predict(const ServingPlan& plan,
                                            const ServingEngine& engine) const;

    [[nodiscard]] const ServingJob& job() const { return job_; }
    [[nodiscard]] const Machine& machine() const { return machine_; }

private:
    void predict_apart(const ServingPlan& plan,
                       const ServingStep& step,
                       const ServingStep& taker,
                       double asked,
                       ServingPrediction& p) const;

    ServingJob job_;
    Machine machine_;
    ServingChip chip_;
    ServingLink inside_;
    ServingLink between_;
};

}  // namespace weir::plan
