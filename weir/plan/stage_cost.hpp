// What a stage costs in a pipeline whose stages differ.
//
// A part of a mixed pipeline is looked at as if all stages were like its own: what such a pipeline
// takes for one more micro-batch is what this stage takes, and its bubble, divided by its stages,
// is what it adds while the pipeline fills and drains. So a mixed pipeline of equal parts is
// predicted exactly as the plain one.
//
// Threads: one thread owns the cache.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>

#include "weir/plan/mixed.hpp"
#include "weir/plan/training.hpp"

namespace weir::plan {

struct StageCost {
    double stage_s = 0;   // each micro-batch, of the fullest of the part's stages
    double middle_s = 0;  // while the pipeline fills and drains
    double rest_s = 0;    // at the end of the step
    double send_s = 0;    // to a neighbour of the same kind; part of stage_s, twice
    Prediction prediction{};
};

// Layers that a pipeline has to carry: those that predict further tokens too.
std::uint32_t layers_to_split(const TrainingJob& job);

class StageCosts {
public:
    StageCosts(const TrainingJob& job, const std::vector<MixedPart>& parts)
        : job_(job), parts_(parts) {}

    // A pipeline of `pp` stages that all have so many layers and are of one part.
    struct Uniform {
        TrainingModel once;
        TrainingModel twice;   // of a batch that is twice as large
        double moe_share = 0;  // of its layers, those with experts
    };
    const Uniform& uniform(std::size_t part, std::uint32_t layers_each, std::uint32_t pp);
    // Of such a pipeline, whatever the part and the layers: the least and the most of its layers
    // that have experts.
    std::pair<double, double> moe_shares(std::uint32_t pp);

    // Of a stage of it. `s.pp`: stages of the whole pipeline.
    StageCost cost(const Uniform& uniform,
                   const Strategy& s,
                   const TrainingModel::Layers& layers) const;

private:
    const TrainingJob& job_;
    const std::vector<MixedPart>& parts_;
    std::map<std::tuple<std::size_t, std::uint32_t, std::uint32_t>, Uniform> uniforms_;
    std::map<std::uint32_t, std::pair<double, double>> moe_shares_;  // by pp
};

// What the fuller of two stages keeps.
Memory fuller_stage(const TrainingModel& model,
                    const Strategy& s,
                    const TrainingModel::Layers& layers,
                    std::array<std::uint32_t, 2> stages);

// One pipeline through parts that have these costs, in their order, with so many layers of at most
// so many each. Whoever has less of any cost has no longer a step.
struct StageShare {
    const StageCost* cost = nullptr;
    std::uint32_t layers = 0;
    std::uint32_t layers_each = 0;
};
struct PipelineTime {
    double step_s = 0;
    double between_s = 0;
};
PipelineTime pipeline_time(const std::vector<StageShare>& shares,
                           double micro_batches,
                           double between_s);

// From a part to the next: activations of a micro-batch, or their gradients.
double hop_s(const TrainingJob& job,
             const std::vector<MixedPart>& parts,
             const MixedOptions& options,
             const std::vector<MixedPlan::Share>& shares);

}  // namespace weir::plan
