// The best way to serve a model on so many chips of one kind, within promises of latency.
//
// The search asks every plan of the space: each division of up to `chips` chips into tensor,
// pipeline, attention-data and expert parallelism that check() takes and a launcher would
// (in_serving_space()), each allowed format, each
// batch of a fixed ladder and the largest that memory holds, and, if wanted, prompts on chips of
// their own (up to 4 replicas of each kind, without pipelines). A prediction costs microseconds and
// the space has some ten thousand plans, so nothing has to be left out by a bound.
//
// Where no plan keeps the promises the nearest one is named, with what it misses by how much; where
// none fits into memory, what the one that needs least lacks.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "weir/plan/serving.hpp"

namespace weir::plan {

enum class ServingObjective : std::uint8_t {
    throughput,  // most output tokens a second of each chip
    chips,       // fewest chips for the job's requests a second; then as throughput
    latency,     // least time of a token
};
std::string_view name_of(ServingObjective objective);

struct ServingOptions {
    std::uint32_t chips = 8;                      // of one replica, at most
    std::vector<Numbers> weights{Numbers::bf16};  // that the job allows
    std::vector<Numbers> cache{Numbers::bf16};
    Engine engine = Engine::vllm;
    bool prompts_apart = true;  // also plans with prompts on chips of their own
    std::uint32_t batch = 0;    // this batch only; 0 = all
    ServingObjective objective = ServingObjective::throughput;
    std::size_t top_k = 10;
    // One plan for each division of chips and format: its best batch.
    bool one_per_layout = true;
};

struct ServingChoice {
    ServingPlan plan{};
    ServingPrediction prediction{};
};

struct ServingAnswer {
    std::vector<ServingChoice> best{};  // keep the promises, best first
    // Where none does: the plan that comes nearest, and what it misses in a sentence.
    std::optional<ServingChoice> nearest{};
    std::string missing{};
    std::uint64_t tried = 0;
    std::uint64_t fitting = 0;  // of them into memory
};

// Fails where the job or the options make no sense.
Result<ServingAnswer> search_serving(const ServingJob& job,
                                     const Machine& machine,
                                     const ServingOptions& options = {});

// Beyond check(): what launchers and nodes demand. A replica is a power of two of chips inside a
// node or whole nodes, and experts divide over their ranks.
bool in_serving_space(const Degrees& degrees, const ServingJob& job, const Machine& machine);

// The space, in a fixed order: what the search asks. Batches stop at the first of the ladder that
// memory does not hold; `batch` 0 of a plan stands for as many as it does.
std::vector<ServingPlan> serving_space(const ServingJob& job,
                                       const Machine& machine,
                                       const ServingOptions& options);
// 1, 2, 3, 4, 6, 8, 12, ... 4096.
const std::vector<std::uint32_t>& serving_batches();

// How much a plan misses the job's promises: the larger of ttft / promised and tpot / promised;
// at most 1 where both are kept.
double promise_ratio(const ServingJob& job, const ServingPrediction& prediction);

}  // namespace weir::plan
