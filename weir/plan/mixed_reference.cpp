#include "weir/plan/mixed_reference.hpp"

#include <algorithm>

#include "weir/plan/space.hpp"
#include "weir/plan/stack.hpp"
#include "weir/plan/stage_cost.hpp"

namespace weir::plan {
namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();

double alone_s(const TrainingJob& job,
               const MixedPart& part,
               std::uint32_t sequences,
               SearchOptions options) {
    TrainingJob mine = job;
    mine.global_batch = sequences;
    options.chips = part.chips;
    options.objective = Objective::time;
    const auto found = search(TrainingModel(mine, part.machine), options);
    return found && !found->plans.empty() ? found->plans.front().prediction.step_s : unlimited;
}

// All strategies that a part may have in a pipeline of so many stages.
std::vector<Strategy> ways_of(const TrainingJob& job,
                              const MixedPart& part,
                              const MixedOptions& options,
                              const Strategy& common) {
    std::vector<Strategy> ways;
    const SearchOptions& o = options.search;
    Strategy s = common;
    const auto chips = static_cast<std::uint32_t>(part.chips);
    for (s.tp = 1; s.tp <= chips; ++s.tp) {
        if (chips % (s.tp * s.cp * s.dp) != 0) continue;
        s.pp = chips / (s.tp * s.cp * s.dp);
        for (const bool parallel : {false, true}) {
            s.sequence_parallel = parallel;
            if (parallel && (s.tp == 1 || job.sequence / s.cp % s.tp != 0)) continue;
            for (s.ep = 1; s.ep <= (job.model.is_moe() ? job.model.experts->count : 1); ++s.ep)
                for (const std::uint32_t etp : {0U, 1U}) {
                    s.etp = etp;
                    s.deepep = o.base.deepep && part.machine.deepep && deepep_fits(s);
                    if (etp == 1 && (s.tp == 1 || !job.model.is_moe() || !o.expert_tensor))
                        continue;
                    if (!tp_fits(s, job) || !cp_fits(s, job) || !ep_fits(s, job)) continue;
                    // Both ask whether there is a pipeline, and here there is one.
                    Strategy whole = s;
                    whole.pp = std::max(2U, s.pp);
                    for (const std::uint32_t zero : zeros_of(whole, o)) {
                        s.zero = whole.zero = zero;
                        s.overlap = usable(whole, o);
                        for (const bool offload : {false, true}) {
                            if (offload && !o.offload_optimizer) continue;
                            s.offload_optimizer = offload;
                            ways.push_back(s);
                        }
                    }
                }
        }
    }
    return ways;
}

}  // namespace

double best_replicas_s(const TrainingJob& job,
                       const std::vector<MixedPart>& parts,
                       const MixedOptions& options) {
    double best = unlimited;
    for (std::uint32_t mine = 1; mine < job.global_batch; ++mine) {
        best = std::min(best,
                        std::max(alone_s(job, parts[0], mine, options.search),
                                 alone_s(job, parts[1], job.global_batch - mine, options.search)));
    }
    return best + exchange_s(job, parts, options);
}

double best_stages_s(const TrainingJob& job,
                     const std::vector<MixedPart>& parts,
                     const MixedOptions& options) {
    double best = unlimited;
    const std::uint32_t depth = layers_to_split(job);
    Strategy s = options.search.base;
    for (s.cp = 1; s.cp <= parts[0].chips; ++s.cp)
        for (s.dp = 1; s.dp <= parts[0].chips; ++s.dp)
            for (s.micro_batch = 1; s.micro_batch <= job.global_batch; ++s.micro_batch) {
                if (job.global_batch % (s.dp * s.micro_batch) != 0) continue;
                for (const std::size_t first : {std::size_t{0}, std::size_t{1}})
                    for (const Strategy& one : ways_of(job, parts[first], options, s))
                        for (const Strategy& two : ways_of(job, parts[1 - first], options, s))
                            for (std::uint32_t layers = 1; layers < depth; ++layers) {
                                if (layers < one.pp || depth - layers < two.pp) continue;
                                std::vector<MixedPlan::Share> shares{
                                    {.part = first, .strategy = one, .layers = layers},
                                    {.part = 1 - first, .strategy = two, .layers = depth - layers}};
                                const auto agains = [&](const MixedPlan::Share& share) {
                                    TrainingJob own = job;
                                    own.model.layers =
                                        (share.layers + share.strategy.pp - 1) / share.strategy.pp;
                                    Strategy flat = share.strategy;
                                    flat.pp = 1;
                                    SearchOptions piped = options.search;
                                    piped.offload_layers = false;  // not of a pipeline
                                    return recomputes_of(flat, own, piped);
                                };
                                for (const Again& a : agains(shares[0]))
                                    for (const Again& b : agains(shares[1])) {
                                        std::vector<MixedPlan::Share> both = shares;
                                        both[0].strategy = a.of(both[0].strategy);
                                        both[1].strategy = b.of(both[1].strategy);
                                        const auto plan = pipeline_plan(job, parts, options, both);
                                        if (plan) best = std::min(best, plan->step_s);
                                    }
                            }
            }
    return best;
}

}  // namespace weir::plan
