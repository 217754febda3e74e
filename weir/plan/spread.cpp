#include "weir/plan/spread.hpp"

#include <algorithm>

#include "weir/plan/model_counts.hpp"
#include "weir/plan/space.hpp"
#include "weir/plan/stack.hpp"

namespace weir::plan {
namespace {

// Of a pass over one layer, whatever hides: kernels, their starts, and of what chips tell each
// other the part that products lose to it.
double pass_s(const PassCost& cost, const ChipCalibration& chip, const Overlap& overlap) {
    const double tensor = overlap.tensor ? chip.overlap_slowdown : 1;
    const double experts = overlap.experts ? chip.overlap_slowdown : 1;
    return cost.work_s() + cost.kernels * chip.kernel_s + tensor * cost.tensor_s + cost.context_s +
           experts * cost.experts_s;
}

}  // namespace

std::vector<Spread>& Spreads::of(const Strategy& common) {
    const auto made = known_.try_emplace(
        std::make_tuple(common.precision, common.tp, common.cp, common.micro_batch));
    std::vector<Spread>& found = made.first->second;
    if (!made.second) return found;
    const TrainingJob& job = model_.job();
    const Machine& machine = model_.machine();
    const SearchOptions& o = options_;
    const bool moe = job.model.is_moe();
    const double with_experts = moe_layers(job.model);
    const auto both_s =
        [&](const PassCost& forward, const PassCost& backward, const Overlap& overlap) {
            return pass_s(forward, machine.chip, overlap) + pass_s(backward, machine.chip, overlap);
        };
    const auto layer_s = [&](const LayerCost& layer, const Overlap& overlap) {
        return both_s(layer.forward, layer.backward, overlap);
    };
    Strategy s = common;
    for (const bool parallel : {false, true}) {
        if (s.tp == 1 ? parallel
                      : o.sequence_parallel != Choice::both &&
                            parallel != (o.sequence_parallel == Choice::on))
            continue;
        if (parallel && job.sequence / s.cp % s.tp != 0) continue;
        s.sequence_parallel = parallel;
        s.ep = 1;
        s.etp = o.base.etp;
        // Only layers with experts depend on how these are spread.
        const LayerCost dense =
            with_experts < job.model.layers ? layer_cost(job, machine, s, false) : LayerCost{};
        const EndCost end = end_cost(job, machine, s);
        for (const std::uint32_t ep :
             divisors(moe ? job.model.experts->count : 1, moe ? o.ep : Range{})) {
            s.ep = ep;
            for (const std::uint32_t etp : {0U, 1U}) {
                const bool open = moe && s.tp > 1 && o.expert_tensor;
                if (!open && etp != o.base.etp) continue;
                s.etp = etp;
                s.deepep = o.base.deepep && machine.deepep && deepep_fits(s);
                const Overlap overlap = usable(s, o);
                Spread spread{.sequence_parallel = parallel,
                              .ep = ep,
                              .etp = etp,
                              .deepep = s.deepep,
                              .dense_s = layer_s(dense, overlap)};
                // (A pipeline with more layers may have some with experts where the model has
                // none.)
                spread.moe_s =
                    moe ? layer_s(layer_cost(job, machine, s, true), overlap) : spread.dense_s;
                if (with_experts >= job.model.layers) spread.dense_s = spread.moe_s;
                spread.end_s =
                    std::max((1 + job.model.mtp_layers) *
                                 both_s(end.head_forward, end.head_backward, overlap),
                             both_s(end.embedding_forward, end.embedding_backward, overlap));
                found.push_back(std::move(spread));
            }
        }
    }
    std::sort(found.begin(), found.end(), [](const Spread& one, const Spread& other) {
        return one.quicker_s() < other.quicker_s();
    });
    return found;
}

const TrainingModel::Layers& Spreads::layers(const Strategy& s, Spread& spread) const {
    if (spread.layers == nullptr)
        spread.layers = std::make_unique<TrainingModel::Layers>(model_.layers(spread.of(s)));
    return *spread.layers;
}

}  // namespace weir::plan
