#include "weir/plan/mixed_stages.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "weir/plan/model_counts.hpp"
#include "weir/plan/space.hpp"
#include "weir/plan/spread.hpp"
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
          depth_(layers_to_split(job)) {
        for (const MixedPart& part : parts)
            spreads_.emplace_back(job, part.machine, options.search);
    }

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
            visit(candidate);
        }
        return std::move(best_);
    }

private:
    // What a stage of a part takes and keeps at one place of the pipeline.
    struct Way {
        Strategy strategy{};  // pp: own stages
        StageCost cost{};
    };
    // One way to spread the work of a stage over its chips, and how many layers it has room for.
    struct Sharing {
        Spread* spread = nullptr;
        std::uint32_t room = 0;  // at least
        std::uint32_t too_many = std::numeric_limits<std::uint32_t>::max();
    };
    struct Quickest {
        bool known = false;
        double layer_s = unlimited;  // at least, on average
        Sharing* sharing = nullptr;
    };
    struct Place {
        bool listed = false;
        std::vector<Sharing> sharings{};
        // By layers of a stage, as is all from here on: the quickest way that has room, and what
        // the stage takes at least (below 0 = not known yet).
        std::vector<Quickest> quickest{};
        std::vector<double> stage_at_least_s{};
        std::map<std::uint32_t, std::vector<Way>> ways{};
    };

    // One part of the pipeline at hand.
    struct Section {
        Strategy strategy{};  // pp: own stages
        double work_s = 0;    // of one layer on average, at least
        double end_s = 0;     // beside the layers, of the fullest stage, at least
        std::size_t part = 0;
        std::uint32_t first = 0;  // stage
        Place* place = nullptr;
    };

    // The sections from `place` on, if layers could be cut: every stage as long as the others.
    struct Evenly {
        Evenly(const std::vector<Section>& sections, std::size_t place) {
            for (; place < sections.size(); ++place) {
                const Section& section = sections[place];
                stages += section.strategy.pp;
                rate += section.strategy.pp / section.work_s;
                ends += section.strategy.pp / section.work_s * section.end_s;
                quickest_s = std::min(quickest_s, section.work_s);
            }
        }
        [[nodiscard]] double slowest_s(double layers) const {
            return rate > 0 ? (layers + ends) / rate : 0;
        }
        [[nodiscard]] double through_s(double layers) const {
            return layers > 0 ? layers * quickest_s : 0;
        }
        std::uint32_t stages = 0;
        double rate = 0;  // layers a second
        double ends = 0;  // as many layers as would take as long
        double quickest_s = unlimited;
    };

    // All but layers, recomputation and the like.
    struct Candidate {
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
    [[nodiscard]] bool too_slow(double slowest_s, double through_s) const {
        return step_at_least_s(slowest_s, through_s) * rounding >= best_s_;
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
            // Over the ways to spread that the chips of a stage can be divided by.
            double work_s = unlimited;
            double end_s = unlimited;
            for (const Spread& spread : spreads_[part].of(s)) {
                if (!ep_fits(spread.of(s), job_)) continue;
                work_s = std::min(work_s, spread.quicker_s());
                end_s = std::min(end_s, spread.end_s);
            }
            if (work_s == unlimited) continue;
            sections_.push_back({s, work_s, end_s, part, stages});
            choose_tp(s, stages + s.pp);
            sections_.pop_back();
        }
    }

    void add_candidate(std::uint32_t stages) {
        const auto at_least_s = [&](const std::vector<Section>& sections) {
            const Evenly all(sections, 0);
            return step_at_least_s(all.slowest_s(depth_), all.through_s(depth_));
        };
        if (at_least_s(sections_) * rounding >= best_s_) return;
        // Once the stages are counted, so are the layers with experts.
        std::vector<Section> sections = sections_;
        stages_ = stages;
        for (Section& section : sections) {
            section.work_s = unlimited;
            for (const Spread& spread : spreads_[section.part].of(section.strategy)) {
                if (ep_fits(spread.of(section.strategy), job_))
                    section.work_s = std::min(section.work_s, average_s(spread));
            }
        }
        const double least_s = at_least_s(sections);
        if (least_s * rounding < best_s_)
            candidates_.push_back({std::move(sections), stages, least_s});
    }

    // Of a layer on average, however many a stage has.
    double average_s(const Spread& spread) {
        const auto [least, most] = costs_.moe_shares(stages_);
        return std::min(spread.layer_s(least), spread.layer_s(most));
    }

    void visit(const Candidate& candidate) {
        sections_ = candidate.sections;
        stages_ = candidate.stages;
        micro_batches_ = micro_batches_of(sections_.front().strategy);
        chosen_.assign(sections_.size(), 0);
        for (Section& section : sections_) {
            const Strategy& s = section.strategy;
            section.place = &places_[std::make_tuple(section.part,
                                                     s.precision,
                                                     s.tp,
                                                     s.cp,
                                                     s.dp,
                                                     s.micro_batch,
                                                     stages_,
                                                     section.first)];
            list_sharings(section);
            section.work_s = unlimited;
            for (const Sharing& sharing : section.place->sharings)
                section.work_s = std::min(section.work_s, average_s(*sharing.spread));
            if (section.work_s == unlimited) return;
        }
        split_layers(0, depth_, 0, 0);
    }

    // Those that the chips of a stage can be divided by and that have room for a layer.
    void list_sharings(const Section& section) {
        if (std::exchange(section.place->listed, true)) return;
        const StageCosts::Uniform& least = costs_.uniform(section.part, 1, stages_);
        for (Spread& spread : spreads_[section.part].of(section.strategy)) {
            if (!ep_fits(spread.of(whole(section.strategy)), job_)) continue;
            Sharing sharing{&spread};
            if (has_room(section, least, sharing, 1)) section.place->sharings.push_back(sharing);
        }
    }

    // Of the quickest way to spread `each` layers that a stage has room for.
    double layer_at_least_s(const Section& section, std::uint32_t each) {
        Place& place = *section.place;
        if (place.quickest.size() <= each) place.quickest.resize(each + 1);
        Quickest& quickest = place.quickest[each];
        if (quickest.known) return quickest.layer_s;
        quickest.known = true;
        const StageCosts::Uniform& uniform = costs_.uniform(section.part, each, stages_);
        for (Sharing& sharing : place.sharings) {
            const double layer_s = sharing.spread->layer_s(uniform.moe_share);
            if (layer_s >= quickest.layer_s || !has_room(section, uniform, sharing, each)) continue;
            quickest.layer_s = layer_s;
            quickest.sharing = &sharing;
        }
        return quickest.layer_s;
    }

    // Of a stage that computes nothing again: no other takes less. By predictions, and so closer
    // than a sum over layers.
    double stage_at_least_s(const Section& section, std::uint32_t each) {
        Place& place = *section.place;
        std::vector<double>& known = place.stage_at_least_s;
        if (known.size() <= each) known.resize(each + 1, -1);
        double& least_s = known[each];
        if (least_s >= 0) return least_s;
        least_s = unlimited;
        const StageCosts::Uniform& uniform = costs_.uniform(section.part, each, stages_);
        const std::vector<std::uint32_t> zeros = zeros_of(whole(section.strategy), options_.search);
        const auto ask = [&](Sharing& sharing) {
            const Spread& spread = *sharing.spread;
            if (each * spread.layer_s(uniform.moe_share) + spread.end_s >= least_s) return;
            if (!has_room(section, uniform, sharing, each)) return;
            Strategy s = spread.of(whole(section.strategy));
            const TrainingModel::Layers layers = layers_of(uniform.once, section, *sharing.spread);
            for (const std::uint32_t zero : zeros) {
                s.zero = zero;
                s.overlap = usable(s, options_.search);
                least_s = std::min(least_s, costs_.cost(uniform, s, layers).stage_s);
            }
        };
        // What is asked first leaves little to ask.
        if (layer_at_least_s(section, each) == unlimited) return least_s;
        Sharing* const first = place.quickest[each].sharing;
        ask(*first);
        for (Sharing& sharing : place.sharings) {
            if (&sharing != first) ask(sharing);
        }
        return least_s;
    }

    // More layers never need less.
    bool has_room(const Section& section,
                  const StageCosts::Uniform& uniform,
                  Sharing& sharing,
                  std::uint32_t each) {
        if (each <= sharing.room) return true;
        if (each >= sharing.too_many) return false;
        const Strategy s = sharing.spread->of(whole(section.strategy));
        const TrainingModel::Layers layers = layers_of(uniform.once, section, *sharing.spread);
        const bool room = fits(section, uniform.once, s, layers, zeros_of(s, options_.search));
        if (room)
            sharing.room = each;
        else
            sharing.too_many = each;
        return room;
    }

    // Whether anything that is left open brings both ends of the section below what chips have.
    [[nodiscard]] bool fits(const Section& section,
                            const TrainingModel& model,
                            const Strategy& s,
                            const TrainingModel::Layers& layers,
                            const std::vector<std::uint32_t>& zeros) const {
        const MixedPart& part = parts_[section.part];
        return least_memory_bytes(model, options_.search, s, layers, zeros, stages_of(section)) <=
               memory_limit_bytes(part.machine, options_.search);
    }

    static std::array<std::uint32_t, 2> stages_of(const Section& section) {
        return {section.first, section.first + section.strategy.pp - 1};
    }

    TrainingModel::Layers layers_of(const TrainingModel& model,
                                    const Section& section,
                                    Spread& spread) {
        // Nearly always both have layers of the same kinds.
        const auto kinds = [](const catalog::Model& one) {
            const std::uint32_t with_experts = moe_layers(one);
            return std::pair{with_experts > 0, with_experts < one.layers};
        };
        if (kinds(model.job().model) != kinds(job_.model))
            return model.layers(spread.of(section.strategy));
        return spreads_[section.part].layers(section.strategy, spread);
    }

    [[nodiscard]] Strategy whole(Strategy s) const {
        s.pp = stages_;
        return s;
    }

    // Gives the sections from `place` on `left` layers; those before take `slowest_s` and
    // `through_s` at least.
    void split_layers(std::size_t place, std::uint32_t left, double slowest_s, double through_s) {
        const Evenly behind(sections_, place + 1);
        const Section& section = sections_[place];
        const std::uint32_t own = section.strategy.pp;
        if (left < own + behind.stages) return;
        const bool last = place + 1 == sections_.size();
        for (std::uint32_t layers = last ? left : own; layers <= left - behind.stages; ++layers) {
            const std::uint32_t each = (layers + own - 1) / own;
            const double layer_s = layer_at_least_s(section, each);
            double slowest = std::max(slowest_s, each * layer_s + section.end_s);
            const double through = through_s + layers * layer_s;
            if (too_slow(each * section.work_s, 0)) break;
            if (too_slow(slowest, through)) continue;
            const std::uint32_t rest = left - layers;
            slowest = std::max(slowest, behind.slowest_s(rest));
            if (too_slow(slowest, through + behind.through_s(rest))) continue;
            slowest = std::max(slowest, stage_at_least_s(section, each));
            if (too_slow(slowest, through + behind.through_s(rest))) continue;
            chosen_[place] = layers;
            if (last)
                choose_ways();
            else
                split_layers(place + 1, rest, slowest, through);
        }
    }

    void choose_ways() {
        std::vector<const std::vector<Way>*> ways;
        std::vector<MixedPlan::Share> shares;
        std::vector<StageShare> costs;
        for (std::size_t place = 0; place < sections_.size(); ++place) {
            const Section& section = sections_[place];
            const std::uint32_t own = section.strategy.pp;
            const std::uint32_t each = (chosen_[place] + own - 1) / own;
            ways.push_back(&ways_of(section, each));
            if (ways.back()->empty()) return;
            shares.push_back({.part = section.part,
                              .strategy = section.strategy,
                              .sequences = job_.global_batch,
                              .layers = chosen_[place]});
            costs.push_back({nullptr, chosen_[place], each});
        }
        choose_way(ways, 0, shares, costs, hop_s(job_, parts_, options_, shares));
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
    const std::vector<Way>& ways_of(const Section& section, std::uint32_t each) {
        const auto [found, is_new] = section.place->ways.try_emplace(each);
        std::vector<Way>& ways = found->second;
        if (!is_new) return ways;
        const MixedPart& part = parts_[section.part];
        const Strategy& own = section.strategy;
        const std::array stages = stages_of(section);
        const StageCosts::Uniform& uniform = costs_.uniform(section.part, each, stages_);
        const double limit = memory_limit_bytes(part.machine, options_.search);
        const std::vector<std::uint32_t> zeros = zeros_of(whole(own), options_.search);
        const std::vector<Again> agains =
            recomputes_of(whole(own), uniform.once.job(), options_.search);
        for (Sharing& sharing : section.place->sharings) {
            Spread& spread = *sharing.spread;
            if (too_slow(each * spread.layer_s(uniform.moe_share) + spread.end_s, 0)) continue;
            if (!has_room(section, uniform, sharing, each)) continue;
            Strategy s = spread.of(whole(own));
            const TrainingModel::Layers layers = layers_of(uniform.once, section, spread);
            for (const std::uint32_t zero : zeros) {
                s.zero = zero;
                s.overlap = usable(s, options_.search);
                for (const bool offload : {false, true}) {
                    if (offload && !options_.search.offload_optimizer) continue;
                    s.offload_optimizer = offload;
                    // No stage takes less because it computes something again.
                    if (too_slow(costs_.cost(uniform, s, layers).stage_s, 0)) continue;
                    for (const Again& again : agains) {
                        const Strategy one = again.of(s);
                        const Memory memory = fuller_stage(uniform.once, one, layers, stages);
                        if (sum_of(memory) > limit) continue;
                        Way way{one, costs_.cost(uniform, one, layers)};
                        way.strategy.pp = own.pp;
                        way.cost.prediction.memory_bytes = memory;
                        // What is too slow now stays so.
                        if (!too_slow(way.cost.stage_s, 0)) add(ways, way);
                    }
                }
            }
        }
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
    std::vector<Spreads> spreads_;  // of a part

    std::vector<Candidate> candidates_;
    std::vector<std::size_t> order_;
    std::vector<Section> sections_;
    std::vector<std::uint32_t> chosen_;  // layers
    std::uint32_t stages_ = 0;
    double micro_batches_ = 0;
    // Of a part, precision, tp, cp, dp, micro-batch, all stages and the first own one.
    std::map<std::tuple<std::size_t,
                        Precision,
                        std::uint32_t,
                        std::uint32_t,
                        std::uint32_t,
                        std::uint32_t,
                        std::uint32_t,
                        std::uint32_t>,
             Place>
        places_;
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
        const StageCosts::Uniform& uniform = stage_costs.uniform(share.part, each, stages);
        const TrainingModel::Layers layers_of = uniform.once.layers(s);
        const Memory memory = fuller_stage(uniform.once, s, layers_of, {first, first + own - 1});
        if (sum_of(memory) > memory_limit_bytes(parts[share.part].machine, options.search))
            return std::nullopt;
        costs[i] = stage_costs.cost(uniform, s, layers_of);
        costs[i].prediction.memory_bytes = memory;
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
