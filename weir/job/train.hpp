// What a training job says instead of how many chips it wants: what to train.
//
// The model, its batch and how many tokens are facts of the job; on which chips and on how many it
// runs is decided where it is served. Train is what the user wrote; a TrainSize is one answer to
// it, made by the planner (plan/sizes.hpp) and kept with the job, so that what was said of it can
// be said again, and what starts finds the parallel plan that it was started for.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/time.hpp"

namespace weir::job {

struct ChipRange {
    std::uint32_t low = 1;
    std::uint32_t high = 1;  // as low: rigid
    friend bool operator==(const ChipRange&, const ChipRange&) = default;
};

struct Train {
    std::string model;               // name in the catalogue, or the path of a config.json
    std::string config;              // what is in that file; "" = the catalogue's
    std::uint32_t sequence = 0;      // tokens
    std::uint32_t global_batch = 0;  // sequences of a step
    double tokens = 0;               // to train in all
    std::string precision = "bf16";
    ChipRange chips;
    std::string framework = "megatron-lm";

    friend bool operator==(const Train&, const Train&) = default;
};

// A number of chips for which there is a plan, in one or more pools where it is the same plan at
// the same speed. The replicas of the gang are nodes of it, with equal numbers of chips.
struct TrainSize {
    std::vector<std::string> pools;
    std::string chip;
    std::uint32_t replicas = 1;
    std::uint32_t chips = 1;  // of each replica
    Duration takes{};         // all tokens, as it is predicted
    Duration limit{};  // what it may take, by the margin of the prediction or as its user said
    double step_s = 0;
    double step_low_s = 0;  // of ten such steps nine take between these
    double step_high_s = 0;
    double mfu = 0;
    std::string plan;                        // "tp 8, pp 2, dp 4, micro-batch 1"
    std::map<std::string, std::string> env;  // WEIR_TP, ..., WEIR_LAUNCH_ARGS

    [[nodiscard]] std::uint32_t chips_in_all() const { return replicas * chips; }
    friend bool operator==(const TrainSize&, const TrainSize&) = default;
};

inline constexpr std::uint32_t train_chips_max = 10'000'000;

// "16..256", or "64", which is rigid. The error says what would be valid.
Result<ChipRange> chip_range_from_text(std::string_view text);
std::string text_of(const ChipRange& range);

// Whether a model is meant by a path and not by its name.
bool is_path(std::string_view model);

struct JobSpec;
// Fills in Train::config where the model is the path of a config.json, or of a folder that holds
// one, seen from `folder`. Nothing where it is a name.
Result<void> read_train_config(JobSpec& spec, const std::string& folder);

}  // namespace weir::job
