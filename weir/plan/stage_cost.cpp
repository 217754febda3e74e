#include "weir/plan/stage_cost.hpp"

#include <algorithm>

#include "weir/plan/collective_time.hpp"
#include "weir/plan/model_counts.hpp"

namespace weir::plan {
namespace {

constexpr double bytes_per_number = 2;  // activations travel in BF16

double sent_bytes(const TrainingJob& job, const Strategy& s) {
    return static_cast<double>(s.micro_batch) * job.sequence / s.cp * job.model.hidden *
           bytes_per_number / s.tp;
}

// The model as a pipeline of `pp` stages that have so many layers each.
catalog::Model uniform_model(const catalog::Model& model, std::uint32_t each, std::uint32_t pp) {
    catalog::Model made = model;
    made.layers = std::max(each * pp, model.mtp_layers + 1) - model.mtp_layers;
    if (made.experts) made.experts->first_dense = std::min(made.experts->first_dense, made.layers);
    return made;
}

double moe_share(const catalog::Model& model) {
    return moe_layers(model) / double{1} / model.layers;
}

}  // namespace

std::uint32_t layers_to_split(const TrainingJob& job) {
    return job.model.layers + job.model.mtp_layers;
}

const StageCosts::Uniform& StageCosts::uniform(std::size_t part,
                                               std::uint32_t layers_each,
                                               std::uint32_t pp) {
    const std::tuple key{part, layers_each, pp};
    if (const auto known = uniforms_.find(key); known != uniforms_.end()) return known->second;
    TrainingJob job = job_;
    job.model = uniform_model(job_.model, layers_each, pp);
    TrainingJob twice = job;
    twice.global_batch *= 2;
    const Machine& machine = parts_[part].machine;
    const double share = moe_share(job.model);
    return uniforms_.emplace(key, Uniform{{job, machine}, {twice, machine}, share}).first->second;
}

std::pair<double, double> StageCosts::moe_shares(std::uint32_t pp) {
    const auto [known, is_new] = moe_shares_.try_emplace(pp, 1, 0);
    auto& [least, most] = known->second;
    for (std::uint32_t each = 1; is_new && each <= layers_to_split(job_); ++each) {
        const double share = moe_share(uniform_model(job_.model, each, pp));
        least = std::min(least, share);
        most = std::max(most, share);
    }
    return known->second;
}

StageCost StageCosts::cost(const Uniform& uniform,
                           const Strategy& s,
                           const TrainingModel::Layers& layers) const {
    const double micro_batches =
        static_cast<double>(job_.global_batch) / (static_cast<double>(s.micro_batch) * s.dp);
    StageCost cost;
    cost.prediction = uniform.once.predict(s, layers);
    const Prediction& one = cost.prediction;
    cost.stage_s = (uniform.twice.predict(s, layers).step_s - one.step_s) / micro_batches;
    cost.middle_s = one.at(Term::bubble) / (s.pp - 1);
    cost.rest_s = one.step_s - micro_batches * cost.stage_s - one.at(Term::bubble);
    const std::uint64_t stride = std::uint64_t{s.tp} * s.cp * s.dp;
    cost.send_s = plan::slowest_send_s(uniform.once.machine(), stride, s.pp, sent_bytes(job_, s));
    return cost;
}

Memory fuller_stage(const TrainingModel& model,
                    const Strategy& s,
                    const TrainingModel::Layers& layers,
                    std::array<std::uint32_t, 2> stages) {
    const Memory first = model.memory(s, layers, stages[0]);
    if (stages[0] == stages[1]) return first;
    const Memory last = model.memory(s, layers, stages[1]);
    return sum_of(last) > sum_of(first) ? last : first;
}

PipelineTime pipeline_time(const std::vector<StageShare>& shares,
                           double micro_batches,
                           double between_s) {
    double slowest = 0;
    double slowest_inside = 0;
    double fill = 0;
    double longest_middle = 0;
    double rest = 0;
    double quickest_send = between_s;
    for (const StageShare& share : shares) {
        const StageCost& cost = *share.cost;
        // A stage at the border sends over the slower link, forward and backward.
        const double more = 2 * std::max(0.0, between_s - cost.send_s);
        slowest = std::max(slowest, cost.stage_s + more);
        slowest_inside = std::max(slowest_inside, cost.stage_s);
        fill += cost.middle_s * share.layers / share.layers_each;
        longest_middle = std::max(longest_middle, cost.middle_s);
        rest = std::max(rest, cost.rest_s);
        quickest_send = std::min(quickest_send, cost.send_s);
    }
    // Sends within a part fill the pipeline as well, and are part of its rest.
    const double crossing =
        2 * std::max(0.0, between_s - quickest_send) * static_cast<double>(shares.size() - 1);
    PipelineTime time;
    time.between_s = micro_batches * (slowest - slowest_inside) + crossing;
    time.step_s = micro_batches * slowest + fill - longest_middle + rest + crossing;
    return time;
}

double hop_s(const TrainingJob& job,
             const std::vector<MixedPart>& parts,
             const MixedOptions& options,
             const std::vector<MixedPlan::Share>& shares) {
    double slowest = 0;
    for (std::size_t i = 0; i + 1 < shares.size(); ++i) {
        const MixedPlan::Share& from = shares[i];
        const MixedPlan::Share& to = shares[i + 1];
        const Link& out = parts[from.part].machine.between;
        const Link& in = parts[to.part].machine.between;
        const double rate = options.between_bytes_per_s > 0
                                ? options.between_bytes_per_s
                                : std::min(out.reached_bytes_per_s(), in.reached_bytes_per_s());
        // The side with fewer chips for a replica is the narrow one.
        const Strategy& narrow = from.strategy.tp < to.strategy.tp ? from.strategy : to.strategy;
        slowest = std::max(slowest,
                           sent_bytes(job, narrow) / rate +
                               std::max(out.calibration.latency_s, in.calibration.latency_s));
    }
    return slowest;
}

}  // namespace weir::plan
