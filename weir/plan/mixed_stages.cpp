#include "weir/plan/mixed_stages.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "weir/plan/space.hpp"
#include "weir/plan/stage_cost.hpp"

namespace weir::plan {
namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();
constexpr double rounding = 1 - 1e-9;

class Pipelines {
public:
    Pipelines(const TrainingJob& job,
              const std::vector<MixedPart>& parts,
              const MixedOptions& options,
              double better_than_s)
        : job_(job),
          parts_(parts),
          options_(options),
          best_s_(better_than_s),
          costs_(job, parts),
          depth_(layers_to_split(job)) {}

    std::optional<MixedPlan> run() {
        const SearchOptions& o = options_.search;
        if (!o.vpp.has(1) || depth_ < parts_.size()) return std::nullopt;
        Strategy s = o.base;
        std::vector<std::size_t> order(parts_.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        do {
            order_ = order;
            for (const Precision precision : o.precisions) {
                s.precision = precision;
                for (const std::uint32_t cp : divisors(job_.sequence, o.cp)) {
                    s.cp = cp;
                    for (const std::uint32_t dp : divisors(job_.global_batch, o.dp)) {
                        s.dp = dp;
                        for (const std::uint32_t micro_batch :
                             divisors(job_.global_batch / dp, o.micro_batch)) {
                            s.micro_batch = micro_batch;
                            if (std::uint64_t{cp} * dp <= parts_.front().chips) choose_tp(s);
                        }
                    }
                }
            }
        } while (std::next_permutation(order.begin(), order.end()));
        std::sort(candidates_.begin(),
                  candidates_.end(),
                  [](const Candidate& one, const Candidate& other) {
                      return one.at_least_s < other.at_least_s;
                  });
        for (const Candidate& candidate : candidates_) {
            if (candidate.at_least_s * rounding >= best_s_) break;
            order_ = candidate.order;
            sections_ = candidate.sections;
            stages_ = candidate.stages;
            micro_batches_ = micro_batches_of(sections_.front().strategy);
            chosen_.assign(sections_.size(), 0);
            split_layers(0, depth_, 0, 0);
        }
        return std::move(best_);
    }

private:
    // One part of the pipeline at hand.
    struct Section {
        Strategy strategy{};  // pp: own stages
        double work_s = 0;    // of one layer, at least
    };
    struct Way {
        Strategy strategy{};  // pp: own stages
        StageCost cost{};
    };

    // All but layers, recomputation and the like.
    struct Candidate {
        std::vector<std::size_t> order;
        std::vector<Section> sections;
        std::uint32_t stages = 0;
        double at_least_s = 0;
    };

    [[nodiscard]] double micro_batches_of(const Strategy& s) const {
        return static_cast<double>(job_.global_batch) / s.micro_batch / s.dp;
    }

    // Every micro-batch but one waits for the slowest stage; that one goes through all.
    [[nodiscard]] double step_at_least_s(double slowest_s, double through_s) const {
        return (micro_batches_ - 1) * slowest_s + through_s;
    }

    void choose_tp(const Strategy& common) {
        sections_.clear();
        micro_batches_ = micro_batches_of(common);
        choose_tp(common, 0);
    }

    void choose_tp(Strategy s, std::uint32_t stages) {
        const std::size_t place = sections_.size();
        if (place == order_.size()) {
            if (options_.search.pp.has(stages)) add_candidate(stages);
            return;
        }
        const std::size_t part = order_[place];
        if (parts_[part].machine.peak(s.precision) <= 0) return;
        const std::uint64_t each = std::uint64_t{s.cp} * s.dp;
        const std::uint64_t chips = parts_[part].chips;
        for (const std::uint32_t tp : divisors(job_.model.heads, options_.search.tp)) {
            s.tp = tp;
            if (each * tp > chips || chips % (each * tp) != 0) continue;
            if (!tp_fits(s, job_) || !cp_fits(s, job_)) continue;
            const std::uint64_t own = chips / (each * tp);
            if (stages + own > depth_) continue;
            s.pp = static_cast<std::uint32_t>(own);
            sections_.push_back({s, least_work_s(part, s)});
            choose_tp(s, stages + s.pp);
            sections_.pop_back();
        }
    }

    // Of one layer, over the ways to split sequences and experts.
    double least_work_s(std::size_t part, Strategy s) {
        const auto key = std::make_tuple(part, s.precision, s.tp, s.cp, s.micro_batch);
        // (clang 14 does not let a lambda keep a structured binding.)
        const auto made = work_.try_emplace(key, unlimited);
        const auto place = made.first;
        if (made.second) {
            const TrainingModel model(job_, parts_[part].machine);
            for_each_spread(s, [&](const Strategy& one) {
                const TrainingModel::Layers layers = model.layers(one);
                place->second = std::min(
                    place->second,
                    layer_at_least_s(
                        parts_[part].machine, layers, usable(one, options_.search), job_.model));
            });
        }
        return place->second;
    }

    // Sequence parallelism and experts, whatever dp is.
    template <class Visit>
    void for_each_spread(Strategy s, const Visit& visit) const {
        const SearchOptions& o = options_.search;
        const bool moe = job_.model.is_moe();
        for (const bool parallel : {false, true}) {
            if (s.tp == 1 ? parallel
                          : o.sequence_parallel != Choice::both &&
                                parallel != (o.sequence_parallel == Choice::on))
                continue;
            if (parallel && job_.sequence / s.cp % s.tp != 0) continue;
            s.sequence_parallel = parallel;
            for (const std::uint32_t ep :
                 divisors(moe ? job_.model.experts->count : 1, moe ? o.ep : Range{})) {
                s.ep = ep;
                for (const std::uint32_t etp : {0U, 1U}) {
                    const bool open = moe && s.tp > 1 && o.expert_tensor;
                    if (open ? false : etp != o.base.etp) continue;
                    s.etp = etp;
                    visit(s);
                }
            }
        }
    }

    void add_candidate(std::uint32_t stages) {
        // If layers could be cut: every stage as long as the others.
        double rate = 0;
        double quickest = unlimited;
        for (const Section& section : sections_) {
            rate += section.strategy.pp / section.work_s;
            quickest = std::min(quickest, section.work_s);
        }
        candidates_.push_back(
            {order_, sections_, stages, step_at_least_s(depth_ / rate, depth_ * quickest)});
    }

    void split_layers(std::size_t place, std::uint32_t left, double slowest_s, double through_s) {
        std::uint32_t others = 0;
        for (std::size_t i = place + 1; i < sections_.size(); ++i)
            others += sections_[i].strategy.pp;
        const Section& section = sections_[place];
        const std::uint32_t own = section.strategy.pp;
        if (left < own + others) return;
        const bool last = place + 1 == sections_.size();
        for (std::uint32_t layers = last ? left : own; layers <= left - others; ++layers) {
            const double each = (layers + own - 1) / own;
            const double slowest = std::max(slowest_s, each * section.work_s);
            const double through = through_s + layers * section.work_s;
            if (step_at_least_s(slowest, through) * rounding >= best_s_) break;
            chosen_[place] = layers;
            if (last)
                choose_ways();
            else
                split_layers(place + 1, left - layers, slowest, through);
        }
    }

    void choose_ways() {
        std::vector<const std::vector<Way>*> ways;
        std::uint32_t first = 0;
        for (std::size_t place = 0; place < sections_.size(); ++place) {
            ways.push_back(&ways_of(place, first));
            if (ways.back()->empty()) return;
            first += sections_[place].strategy.pp;
        }
        std::vector<MixedPlan::Share> shares(sections_.size());
        std::vector<StageShare> costs(sections_.size());
        for (std::size_t place = 0; place < sections_.size(); ++place) {
            shares[place].part = order_[place];
            shares[place].strategy = sections_[place].strategy;
            shares[place].sequences = job_.global_batch;
            shares[place].layers = chosen_[place];
            const std::uint32_t own = sections_[place].strategy.pp;
            costs[place] = {nullptr, chosen_[place], (chosen_[place] + own - 1) / own};
        }
        const double hop = hop_s(job_, parts_, options_, shares);
        choose_way(ways, 0, shares, costs, hop);
    }

    void choose_way(const std::vector<const std::vector<Way>*>& ways,
                    std::size_t place,
                    std::vector<MixedPlan::Share>& shares,
                    std::vector<StageShare>& costs,
                    double hop) {
        if (place < ways.size()) {
            for (const Way& way : *ways[place]) {
                shares[place].strategy = way.strategy;
                shares[place].prediction = way.cost.prediction;
                costs[place].cost = &way.cost;
                choose_way(ways, place + 1, shares, costs, hop);
            }
            return;
        }
        const PipelineTime time = pipeline_time(costs, micro_batches_, hop);
        if (time.step_s >= best_s_) return;
        best_s_ = time.step_s;
        best_ = MixedPlan{.mix = Mix::stages,
                          .shares = shares,
                          .step_s = time.step_s,
                          .between_s = time.between_s};
    }

    // What fits and is not worse than another way in all that counts.
    const std::vector<Way>& ways_of(std::size_t place, std::uint32_t first) {
        const Section& section = sections_[place];
        const std::size_t part = order_[place];
        const Strategy& own = section.strategy;
        const std::uint32_t each = (chosen_[place] + own.pp - 1) / own.pp;
        const auto key = std::make_tuple(
            part, own.precision, own.tp, own.cp, own.dp, own.micro_batch, stages_, first, each);
        const auto [found, is_new] = ways_.try_emplace(key);
        std::vector<Way>& ways = found->second;
        if (!is_new) return ways;
        Strategy s = own;
        s.pp = stages_;
        const std::uint32_t last = first + own.pp - 1;
        const TrainingModel& uniform = costs_.uniform(part, each, stages_);
        const double limit = memory_limit_bytes(parts_[part].machine, options_.search);
        for_each_spread(s, [&](Strategy spread) {
            if (!ep_fits(spread, job_)) return;
            const TrainingModel::Layers layers = uniform.layers(spread);
            const double stage_s = each * layer_at_least_s(parts_[part].machine,
                                                           layers,
                                                           usable(spread, options_.search),
                                                           job_.model);
            if (step_at_least_s(stage_s, 0) * rounding >= best_s_) return;
            for (const std::uint32_t zero : zeros_of(spread, options_.search)) {
                spread.zero = zero;
                spread.overlap = usable(spread, options_.search);
                for (const bool offload : {false, true}) {
                    if (offload && !options_.search.offload_optimizer) continue;
                    spread.offload_optimizer = offload;
                    for (const Again& again :
                         recomputes_of(spread, uniform.job(), options_.search)) {
                        spread.recompute = again.recompute;
                        spread.recompute_layers = again.layers;
                        spread.parts = again.parts;
                        if (costs_.memory_bytes(part, spread, layers, each, first, last) > limit)
                            continue;
                        Way way{spread, costs_.cost(part, spread, layers, each)};
                        way.strategy.pp = own.pp;
                        // What is too slow now stays so.
                        if (step_at_least_s(way.cost.stage_s, 0) * rounding < best_s_)
                            add(ways, way);
                    }
                }
            }
        });
        return ways;
    }

    static void add(std::vector<Way>& ways, const Way& way) {
        const auto no_better = [](const StageCost& one, const StageCost& other) {
            return one.stage_s >= other.stage_s && one.middle_s >= other.middle_s &&
                   one.rest_s >= other.rest_s;
        };
        for (const Way& other : ways) {
            if (no_better(way.cost, other.cost)) return;
        }
        ways.erase(
            std::remove_if(ways.begin(),
                           ways.end(),
                           [&](const Way& other) { return no_better(other.cost, way.cost); }),
            ways.end());
        ways.push_back(way);
    }

    const TrainingJob& job_;
    const std::vector<MixedPart>& parts_;
    const MixedOptions& options_;
    double best_s_;
    StageCosts costs_;
    std::uint32_t depth_;

    std::vector<Candidate> candidates_;
    std::vector<std::size_t> order_;
    std::vector<Section> sections_;
    std::vector<std::uint32_t> chosen_;  // layers
    std::uint32_t stages_ = 0;
    double micro_batches_ = 0;
    std::map<std::tuple<std::size_t, Precision, std::uint32_t, std::uint32_t, std::uint32_t>,
             double>
        work_;
    std::map<std::tuple<std::size_t,
                        Precision,
                        std::uint32_t,
                        std::uint32_t,
                        std::uint32_t,
                        std::uint32_t,
                        std::uint32_t,
                        std::uint32_t,
                        std::uint32_t>,
             std::vector<Way>>
        ways_;
    std::optional<MixedPlan> best_;
};

}  // namespace

std::optional<MixedPlan> best_pipeline(const TrainingJob& job,
                                       const std::vector<MixedPart>& parts,
                                       const MixedOptions& options,
                                       double better_than_s) {
    return Pipelines(job, parts, options, better_than_s).run();
}

std::optional<MixedPlan> pipeline_plan(const TrainingJob& job,
                                       const std::vector<MixedPart>& parts,
                                       const MixedOptions& options,
                                       const std::vector<MixedPlan::Share>& shares) {
    StageCosts stage_costs(job, parts);
    std::uint32_t stages = 0;
    std::uint32_t layers = 0;
    for (const MixedPlan::Share& share : shares) {
        if (share.layers < share.strategy.pp) return std::nullopt;
        stages += share.strategy.pp;
        layers += share.layers;
    }
    if (layers != layers_to_split(job)) return std::nullopt;
    MixedPlan plan{.mix = Mix::stages, .shares = shares};
    std::vector<StageCost> costs(shares.size());
    std::vector<StageShare> list;
    std::uint32_t first = 0;
    for (std::size_t i = 0; i < shares.size(); ++i) {
        MixedPlan::Share& share = plan.shares[i];
        Strategy s = share.strategy;
        const std::uint32_t own = s.pp;
        const std::uint32_t each = (share.layers + own - 1) / own;
        if (s.chips() != parts[share.part].chips || !tp_fits(s, job) || !cp_fits(s, job) ||
            !ep_fits(s, job))
            return std::nullopt;
        s.pp = stages;
        const TrainingModel& uniform = stage_costs.uniform(share.part, each, stages);
        const TrainingModel::Layers costs_of = uniform.layers(s);
        const std::uint32_t last = first + own - 1;
        if (stage_costs.memory_bytes(share.part, s, costs_of, each, first, last) >
            memory_limit_bytes(parts[share.part].machine, options.search))
            return std::nullopt;
        costs[i] = stage_costs.cost(share.part, s, costs_of, each);
        share.sequences = job.global_batch;
        share.prediction = costs[i].prediction;
        list.push_back({&costs[i], share.layers, each});
        first += own;
    }
    const Strategy& common = shares.front().strategy;
    const double micro_batches =
        static_cast<double>(job.global_batch) / common.micro_batch / common.dp;
    const PipelineTime time =
        pipeline_time(list, micro_batches, hop_s(job, parts, options, shares));
    plan.step_s = time.step_s;
    plan.between_s = time.between_s;
    plan.tokens_per_s = static_cast<double>(job.global_batch) * job.sequence / time.step_s;
    return plan;
}

}  // namespace weir::plan
