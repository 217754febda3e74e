// One job on several kinds of chip at once: whether that pays, and how to split it.
//
// Two ways to mix are looked at.
//   replicas  Each kind holds whole copies of the model and works on its part of every batch, as
//             much as it can do in the time the others need; gradients are summed between kinds.
//   stages    One pipeline runs through all kinds. Each kind has stages of its own with as many
//             layers as suit its speed and memory, its own tp, experts and recomputation; dp, cp
//             and micro-batch are common.
// Beside them stands the best plan on one kind alone. What joins the kinds is slower than what
// joins chips of a kind, and mixing pays only if it beats the best that one kind does alone.
//
// The answer is the optimum over all splits of this model: bounds leave out what cannot win, and
// the tests compare with a search without bounds (mixed_reference.hpp). A risk of running out of
// memory is shared alike by the parts. Within a kind replicas take
// any plan of search.hpp; stages are not interleaved, and overlap that may be used is used.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/plan/interval.hpp"
#include "weir/plan/search.hpp"

namespace weir::plan {

struct MixedPart {
    Machine machine{};
    std::uint64_t chips = 0;
};

struct MixedOptions {
    SearchOptions search{};  // for each part; chips are those of the part
    // The probability of running out of memory that the whole job may have, up to 0.5: each of its
    // parts keeps less. 0 = nothing is promised but what `search` leaves free of each chip.
    double risk = 0;
    // Between parts, of one chip, one direction; 0 = the slower of what leads out of their nodes.
    double between_bytes_per_s = 0;
};

enum class Mix : std::uint8_t { alone, replicas, stages };
std::string_view name_of(Mix mix);

struct MixedPlan {
    struct Share {
        std::size_t part = 0;
        Strategy strategy{};
        std::uint32_t sequences = 0;  // of each batch
        std::uint32_t layers = 0;
        // Of stages: the step of a pipeline as long as the whole one, all of it of this kind, and
        // the memory of the fullest of its own stages.
        Prediction prediction{};
        [[nodiscard]] std::uint32_t micro_batches() const {
            return sequences / (strategy.micro_batch * strategy.dp);
        }
    };
    Mix mix = Mix::alone;
    std::vector<Share> shares{};  // of stages: in the order of the pipeline
    double step_s = 0;
    double between_s = 0;  // of it, for what the kinds tell each other
    double tokens_per_s = 0;
    double value = 0;  // of the objective
};

struct MixedResult {
    std::optional<MixedPlan> alone{};
    std::optional<MixedPlan> replicas{};
    std::optional<MixedPlan> stages{};  // only where it beats replicas
    std::uint64_t searches = 0;         // of one part and one share of the batch

    // nullptr where nothing fits.
    [[nodiscard]] const MixedPlan* best() const;
    [[nodiscard]] bool pays() const;
    // "mixing pays: 23 % less time than 512 a100-sxm-80g alone", or why not.
    [[nodiscard]] std::string verdict(const std::vector<MixedPart>& parts,
                                      const SearchOptions& options) const;
};

// What each of so many parts of one job keeps. Kinds of chip run out of memory independently of
// each other, so that the whole keeps its risk where each has the same share of it.
SearchOptions search_of_part(const MixedOptions& options, std::size_t parts);

// Requires: at least two parts. Each mix uses all of them, and all their chips.
Result<MixedResult> search_mixed(const TrainingJob& job,
                                 const std::vector<MixedPart>& parts,
                                 const MixedOptions& options);

// How far off the step of a mix may be: it waits for its slowest part, and the errors of kinds of
// chip are independent of each other. For a mix of one part that is the interval of its prediction.
Interval interval_of(const MixedPlan& plan,
                     const TrainingJob& job,
                     const std::vector<MixedPart>& parts);
// That some chip of some part needs more than it has.
double out_of_memory_probability(const MixedPlan& plan, const std::vector<MixedPart>& parts);

// What the parts of a mix tell each other in a step where each has whole copies of the model.
double exchange_s(const TrainingJob& job,
                  const std::vector<MixedPart>& parts,
                  const MixedOptions& options);

// What a given pipeline does: parts in their order, with strategy (pp: own stages) and layers of
// each set. nullopt = it does not fit or does not divide.
std::optional<MixedPlan> pipeline_plan(const TrainingJob& job,
                                       const std::vector<MixedPart>& parts,
                                       const MixedOptions& options,
                                       const std::vector<MixedPlan::Share>& shares);

}  // namespace weir::plan
