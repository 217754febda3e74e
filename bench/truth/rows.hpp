// Published measurements of training, as the planner's own words: one row, one prediction to make.
//
// A table has a row for each measured configuration (which model, chip, spread, framework, and how
// long a step took or how much memory it needed). Here a row becomes a job, a machine and a
// strategy; what a column says in words ("DP grad-reduce+param-gather overlap") becomes the
// flags it stands for. Nothing of a row's result is looked at for that.
#pragma once

#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/plan/machine.hpp"
#include "weir/plan/strategy.hpp"

namespace weir::bench {

struct TrainingRow {
    std::string id{};      // "dgxc-017"
    std::string group{};   // "dgxc"
    std::string source{};  // the repository that publishes it: "NVIDIA/dgxc-benchmarking"
    std::string model_name{};
    std::string chip{};       // as the catalogue calls it
    std::string precision{};  // as the row calls it
    bool moe = false;
    plan::TrainingJob job{};
    plan::Machine machine{};
    plan::Strategy strategy{};
    std::uint64_t chips = 0;
    double step_s = 0;        // 0 = not measured
    double memory_bytes = 0;  // 0 = not measured
    bool score_time = false;  // its primary metric is a time, and its configuration is complete
    bool score_memory = false;
    bool last_stage = false;  // memory is that of the last pipeline stage
    bool reserved = false;    // memory is what the allocator took, not what was in use
};

Result<std::vector<TrainingRow>> read_training(const std::string& path);

}  // namespace weir::bench
