// The slow, obviously right search for mixes: every share of the batch and every pipeline.
#pragma once

#include "weir/plan/mixed.hpp"

namespace weir::plan {

// Seconds of a step; infinite where nothing fits. For two parts.
double best_replicas_s(const TrainingJob& job,
                       const std::vector<MixedPart>& parts,
                       const MixedOptions& options);
double best_stages_s(const TrainingJob& job,
                     const std::vector<MixedPart>& parts,
                     const MixedOptions& options);

}  // namespace weir::plan
