// Why a plan is the best one, what limits it, and what would help most: each tried, not guessed.
//
// Everything that is said here was asked of the planner again with one thing changed: the machine
// (memory, links), the job (batch) or what the search may use (recomputation, offload). Of a
// configuration that somebody has, each single step away from it is predicted.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "weir/cli/plan_question.hpp"
#include "weir/plan/search.hpp"

namespace weir::cli {

// One thing changed.
struct PlanChange {
    std::string what;                        // "twice the memory of a chip"
    std::optional<plan::Strategy> strategy;  // the best then; none when nothing fits
    double step_s = 0;
    double gain = 0;           // of work done at the same objective; 0.1 = a tenth more
    double missing_bytes = 0;  // when nothing fits
};

struct Explanation {
    std::vector<std::string> why;      // sentences
    std::vector<std::string> limits;   // what keeps it from the peak, the largest first
    std::vector<PlanChange> tried;     // the largest gain first
    std::vector<std::string> assumed;  // what no measurement and no source backs
};

// Of the best plan of a search on a pool, which found at least one.
Explanation explain(const PlanQuestion& question,
                    const PlanPool& pool,
                    const plan::SearchResult& found);

// Of a search that found nothing: what would make it fit, each tried.
std::vector<PlanChange> what_would_fit(const PlanQuestion& question, const PlanPool& pool);

// What keeps a step from the peak, in sentences, the largest first.
std::vector<std::string> limits_of(const plan::Prediction& prediction,
                                   const plan::Machine& machine,
                                   const plan::Strategy& strategy);

// Every single step away from a strategy that its framework can launch, the largest gain first;
// those that need more than so much memory stand last. Where it cannot launch the strategy itself,
// all that the machine could run.
std::vector<PlanChange> single_changes(const plan::TrainingModel& model,
                                       const plan::Strategy& base,
                                       double memory_max_bytes);

// What predictions on a machine count on without a measurement or a source, in sentences.
std::vector<std::string> assumptions_of(const plan::Machine& machine);

std::string explanation_text(const Explanation& explanation, std::size_t width);
std::string changes_table(const std::vector<PlanChange>& changes, std::size_t width);

}  // namespace weir::cli
