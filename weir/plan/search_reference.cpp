#include "weir/plan/search_reference.hpp"

#include <algorithm>

#include "weir/plan/space.hpp"
#include "weir/plan/stack.hpp"

namespace weir::plan {
namespace {

class Everything {
public:
    Everything(const TrainingModel& model, const SearchOptions& options)
        : model_(model), options_(options), without_overlap_(options) {
        without_overlap_.overlap_off = true;
    }

    SearchResult run() {
        const TrainingJob& job = model_.job();
        const auto chips = static_cast<std::uint32_t>(options_.chips);
        const auto experts = job.model.is_moe() ? job.model.experts->count : 1;
        Strategy s = options_.base;
        for (const Precision precision : options_.precisions) {
            s.precision = precision;
            if (model_.machine().peak(precision) <= 0) continue;
            for (s.tp = 1; s.tp <= chips; ++s.tp)
                for (s.cp = 1; s.tp * s.cp <= chips; ++s.cp)
                    for (s.pp = 1; s.tp * s.cp * s.pp <= chips; ++s.pp)
                        for (s.dp = 1; s.tp * s.cp * s.pp * s.dp <= chips; ++s.dp)
                            for (s.micro_batch = 1; s.micro_batch <= job.global_batch;
                                 ++s.micro_batch)
                                for (s.ep = 1; s.ep <= experts; ++s.ep)
                                    for (s.etp = 0; s.etp < 3; ++s.etp)
                                        for (const bool parallel : {false, true}) {
                                            s.sequence_parallel = parallel;
                                            s.deepep = options_.base.deepep && deepep_fits(s);
                                            if (may_belong(s)) with_layout(s);
                                        }
        }
        finish();
        return std::move(result_);
    }

private:
    // Saves time only: what no choice of the other dimensions mends.
    [[nodiscard]] bool may_belong(const Strategy& s) const {
        return check(s, model_.job(), s.chips()).has_value() &&
               (options_.fewer_chips || s.chips() == options_.chips);
    }

    void with_layout(Strategy s) {
        constexpr unsigned part_sets = 64;
        const std::uint32_t deepest = model_.job().model.layers + 2;
        for (const Schedule schedule :
             {Schedule::one_f_one_b, Schedule::zero_bubble, Schedule::dualpipe})
            for (s.vpp = 1; s.vpp <= deepest; ++s.vpp)
                for (s.zero = 0; s.zero < 4; ++s.zero)
                    for (const bool offload : {false, true})
                        for (const Recompute recompute :
                             {Recompute::none, Recompute::selective, Recompute::full})
                            for (unsigned parts = 0; parts < part_sets; ++parts)
                                for (s.recompute_layers = 0; s.recompute_layers < deepest;
                                     ++s.recompute_layers) {
                                    s.schedule = schedule;
                                    s.offload_optimizer = offload;
                                    s.recompute = recompute;
                                    s.parts = {(parts & 1U) != 0,
                                               (parts & 2U) != 0,
                                               (parts & 4U) != 0,
                                               (parts & 8U) != 0,
                                               (parts & 16U) != 0,
                                               (parts & 32U) != 0};
                                    if ((parts != 0) != (recompute == Recompute::selective) ||
                                        (s.recompute_layers != 0 && recompute != Recompute::full))
                                        continue;
                                    // (Nothing else goes with activations on the host.)
                                    const std::uint32_t most =
                                        recompute == Recompute::none ? deepest : 0;
                                    for (s.offload_layers = 0; s.offload_layers <= most;
                                         ++s.offload_layers) {
                                        s.overlap = needed(s);
                                        with_overlaps(s);
                                    }
                                }
    }

    void with_overlaps(Strategy s) {
        constexpr unsigned overlap_sets = 32;
        if (!in_space(s, model_.job(), without_overlap_)) return;
        for (unsigned bits = 0; bits < overlap_sets; ++bits) {
            s.overlap = {(bits & 1U) != 0,
                         (bits & 2U) != 0,
                         (bits & 4U) != 0,
                         (bits & 8U) != 0,
                         (bits & 16U) != 0};
            if (in_space(s, model_.job(), options_)) ask(s);
        }
    }

    void ask(const Strategy& s) {
        result_.considered += 1;
        const Prediction prediction = model_.predict(s);
        const Plan plan{s, prediction, value_of(model_, options_, s, prediction)};
        const double bytes = prediction.memory_total_bytes();
        if (bytes <= memory_limit_bytes(model_.machine(), options_)) {
            if (plan.value < options_.better_than) fitting_.push_back(plan);
            fits_ = true;
            return;
        }
        if (fits_) return;
        const bool nearer = !result_.nearest ||
                            bytes < result_.nearest->prediction.memory_total_bytes() ||
                            (bytes == result_.nearest->prediction.memory_total_bytes() &&
                             better(plan, *result_.nearest));
        if (nearer) result_.nearest = plan;
    }

    static bool better(const Plan& one, const Plan& other) {
        if (one.value != other.value) return one.value < other.value;
        return simpler(one.strategy, other.strategy);
    }

    void finish() {
        result_.predicted = result_.considered;
        if (fits_) {
            result_.nearest.reset();
        } else if (result_.nearest) {
            result_.missing_bytes = result_.nearest->prediction.memory_total_bytes() -
                                    memory_limit_bytes(model_.machine(), options_);
        }
        std::sort(fitting_.begin(), fitting_.end(), better);
        for (const Plan& plan : fitting_) {
            if (result_.plans.size() == options_.top_k) break;
            const auto same = [&](const Plan& other) {
                const Strategy& a = plan.strategy;
                const Strategy& b = other.strategy;
                return a.tp == b.tp && a.cp == b.cp && a.pp == b.pp && a.dp == b.dp &&
                       a.ep == b.ep && a.etp == b.etp;
            };
            if (options_.one_per_layout &&
                std::any_of(result_.plans.begin(), result_.plans.end(), same))
                continue;
            result_.plans.push_back(plan);
        }
    }

    const TrainingModel& model_;
    const SearchOptions& options_;
    SearchOptions without_overlap_;  // the least overlap is a plan, whatever the options say
    bool fits_ = false;
    std::vector<Plan> fitting_;
    SearchResult result_;
};

}  // namespace

SearchResult search_every_one(const TrainingModel& model, const SearchOptions& options) {
    const SearchOptions able = options_on(model.machine(), options);
    return Everything(model, able).run();
}

}  // namespace weir::plan
