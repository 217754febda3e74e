#include "weir/plan/mixed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "weir/base/seconds.hpp"
#include "weir/base/units.hpp"
#include "weir/plan/mixed_stages.hpp"
#include "weir/plan/model_counts.hpp"
#include "weir/plan/space.hpp"
#include "weir/plan/spread.hpp"

namespace weir::plan {
namespace {

constexpr std::array<std::string_view, 3> mix_names{"alone", "replicas", "stages"};
constexpr double unlimited = std::numeric_limits<double>::infinity();
constexpr double rounding = 1 - 1e-9;

// By what a second counts, with all chips of these parts held.
double weight_of_parts(const TrainingJob& job,
                       const std::vector<MixedPart>& parts,
                       const SearchOptions& options) {
    double weight =
        options.objective == Objective::cost || options.objective == Objective::energy ? 0 : 1;
    for (const MixedPart& part : parts) {
        const double one = weight_of(TrainingModel(job, part.machine), options, part.chips);
        if (options.objective == Objective::goodput)
            weight *= one;  // failures of one part stop all
        else if (options.objective != Objective::time)
            weight += one;
    }
    return weight;
}

// The share of a batch that each part takes, where each has whole copies of the model. Shares are
// looked at by what they take at least, the least first, so that the search ends where that passes
// the best.
class Replicas {
public:
    Replicas(const TrainingJob& job,
             const std::vector<MixedPart>& parts,
             const MixedOptions& options)
        : job_(job),
          options_(options),
          moe_share_(moe_layers(job.model) / double{1} / job.model.layers) {
        for (const MixedPart& part : parts) {
            sides_.emplace_back(job, part, options.search);
            list_least(sides_.back());
        }
    }

    // The fastest step below `better_than_s`, without what the parts tell each other.
    std::optional<MixedPlan> run(double better_than_s) {
        best_s_ = better_than_s;
        shares_.resize(sides_.size());
        split(0, job_.global_batch, 0);
        return std::move(best_);
    }

    [[nodiscard]] std::uint64_t searches() const { return searches_; }

private:
    // Of one tp and cp, what a layer takes for each sequence, at least: that of a very large
    // micro-batch, where nothing is lost to small shapes and latencies.
    struct Least {
        std::uint32_t tp = 1;
        std::uint32_t cp = 1;
        double layer_s = 0;
    };
    // What is known of a part that works on so many sequences.
    struct Known {
        double at_least_s = 0;
        // Degrees outside of which nothing is below the best.
        Range tp{}, cp{}, dp{}, micro_batch{};
        bool bounded = false;
        bool searched = false;
        std::optional<Plan> plan{};  // none: it does not fit, or is not better than the best
    };
    struct Side {
        Side(const TrainingJob& job, const MixedPart& own, const SearchOptions& options)
            : part(own), spreads(job, own.machine, options) {}
        const MixedPart& part;
        Spreads spreads;
        std::vector<Least> least{};
        double sequence_s = unlimited;           // at least
        std::vector<double> step_s{};            // at least, by sequences; below 0 = not known yet
        std::map<std::uint32_t, Known> known{};  // by sequences
    };
    // One division of a part's chips.
    struct Cut {
        std::uint64_t pp = 1;
        double each = 0;    // layers of a stage
        double stages = 1;  // that have layers
    };

    void list_least(Side& side) const {
        constexpr std::uint32_t very_many = 1U << 16U;
        const SearchOptions& options = options_.search;
        Strategy s = options.base;
        s.micro_batch = very_many;
        for (const std::uint32_t tp : divisors(job_.model.heads, options.tp)) {
            s.tp = tp;
            for (const std::uint32_t cp : divisors(job_.sequence, options.cp)) {
                s.cp = cp;
                if (std::uint64_t{tp} * cp > side.part.chips || !tp_fits(s, job_) ||
                    !cp_fits(s, job_))
                    continue;
                Least least{tp, cp, unlimited};
                for (const Precision precision : options.precisions) {
                    if (side.part.machine.peak(precision) <= 0) continue;
                    s.precision = precision;
                    for (const Spread& spread : side.spreads.of(s))
                        least.layer_s =
                            std::min(least.layer_s, spread.layer_s(moe_share_) / very_many);
                }
                if (least.layer_s == unlimited) continue;
                side.least.push_back(least);
                side.sequence_s = std::min(side.sequence_s, least.layer_s * tp * cp);
            }
        }
        side.sequence_s *= job_.model.layers / static_cast<double>(side.part.chips);
    }

    // How tp, cp and dp leave the chips of a part; nullopt where they do not go together.
    [[nodiscard]] std::optional<Cut> cut(const Side& side,
                                         std::uint64_t taken,
                                         std::uint32_t dp) const {
        const bool fewer = options_.search.fewer_chips;
        const std::uint64_t left = side.part.chips / taken;
        if (!fewer && (side.part.chips % taken != 0 || left % dp != 0)) return std::nullopt;
        const std::uint64_t most = job_.model.layers + 2;
        Cut cut{.pp = left / dp};
        if (cut.pp < 1 || (!fewer && cut.pp > most)) return std::nullopt;
        cut.stages = static_cast<double>(std::min(cut.pp, most));
        cut.each = std::ceil(job_.model.layers / cut.stages);
        return cut;
    }

    // Every chip has its layers for so many micro-batches, and a pipeline fills and drains: with
    // interleaved stages a layer at a time, which want the micro-batches to be a multiple of them;
    // other schedules leave a quarter.
    [[nodiscard]] double layers_waited_for(const Cut& cut, std::uint64_t micro_batches) const {
        const SearchOptions& options = options_.search;
        double idle = micro_batches % cut.pp == 0 ? 1 : cut.each;
        if (options.schedules != std::vector{Schedule::one_f_one_b})
            idle = std::min(idle, cut.each / 4);
        const double fill = options.fewer_chips ? 0 : (cut.stages - 1) * idle;
        return static_cast<double>(micro_batches) * cut.each + fill;
    }

    // Of a step of a part with so many sequences, at least. Only some degrees divide them.
    double at_least_s(Side& side, std::uint32_t sequences) const {
        if (side.step_s.size() <= sequences) side.step_s.resize(job_.global_batch + 1, -1);
        double& known = side.step_s[sequences];
        if (known >= 0) return known;
        known = unlimited;
        const std::vector<std::uint32_t> dps = divisors(sequences, options_.search.dp);
        for (const Least& one : side.least) {
            for (const std::uint32_t dp : dps) {
                // (A micro-batch is a sequence at least.)
                if (const auto found = cut(side, std::uint64_t{one.tp} * one.cp, dp))
                    known = std::min(
                        known, rounding * one.layer_s * layers_waited_for(*found, sequences / dp));
            }
        }
        return known;
    }

    // The same, with the micro-batch and with ways to spread it that fit the chips.
    Known& bounded(Side& side, std::uint32_t sequences) {
        Known& known = side.known[sequences];
        if (known.bounded) return known;
        known.bounded = true;
        known.at_least_s = unlimited;
        const SearchOptions& options = options_.search;
        TrainingJob job = job_;
        job.global_batch = sequences;
        const TrainingModel model(job, side.part.machine);
        const double limit = memory_limit_bytes(side.part.machine, options);
        const Range nothing{std::numeric_limits<std::uint32_t>::max(), 0};
        known.tp = known.cp = known.dp = known.micro_batch = nothing;
        const auto extend = [](Range& range, std::uint32_t value) {
            range.low = std::min(range.low, value);
            range.high = std::max(range.high, value);
        };
        const std::vector<std::uint32_t> dps = divisors(sequences, options.dp);
        Strategy s = options.base;
        for (const Least& one : side.least) {
            s.tp = one.tp;
            s.cp = one.cp;
            for (const std::uint32_t dp : dps) {
                const auto found = cut(side, std::uint64_t{one.tp} * one.cp, dp);
                if (!found) continue;
                const Cut& cut = *found;
                s.dp = dp;
                s.pp = static_cast<std::uint32_t>(cut.pp);
                if (rounding * one.layer_s * layers_waited_for(cut, sequences / dp) >= best_s_)
                    continue;
                for (const std::uint32_t micro_batch :
                     divisors(sequences / dp, options.micro_batch)) {
                    s.micro_batch = micro_batch;
                    const double layers =
                        rounding * layers_waited_for(cut, sequences / dp / micro_batch);
                    if (one.layer_s * micro_batch * layers >= best_s_) continue;
                    const std::optional<double> step_s = least_s(side, model, s, layers, limit);
                    if (!step_s) break;  // larger ones do not fit either
                    known.at_least_s = std::min(known.at_least_s, *step_s);
                    if (*step_s >= best_s_) continue;
                    extend(known.tp, s.tp);
                    extend(known.cp, s.cp);
                    extend(known.dp, dp);
                    extend(known.micro_batch, micro_batch);
                }
            }
        }
        return known;
    }

    // Of so many layers, spread in the quickest way that fits (of those below the best); nullopt
    // where none fits. Where fewer chips may do, pp is open, and so is what fits.
    std::optional<double> least_s(
        Side& side, const TrainingModel& model, Strategy s, double layers, double limit) const {
        const SearchOptions& options = options_.search;
        std::optional<double> least;
        for (const Precision precision : options.precisions) {
            if (side.part.machine.peak(precision) <= 0) continue;
            s.precision = precision;
            for (Spread& spread : side.spreads.of(s)) {
                const double step_s = layers * spread.layer_s(moe_share_);
                if (step_s < std::min(best_s_, least.value_or(unlimited))) {
                    const Strategy one = spread.of(s);
                    if (!options.fewer_chips &&
                        (!ep_fits(one, model.job()) ||
                         !fits(model, one, side.spreads.layers(s, spread), limit)))
                        continue;
                }
                least = std::min(step_s, least.value_or(unlimited));
            }
        }
        return least;
    }

    // Whether anything that is left open brings it below the limit.
    [[nodiscard]] bool fits(const TrainingModel& model,
                            Strategy s,
                            const TrainingModel::Layers& layers,
                            double limit) const {
        const std::vector<std::uint32_t> zeros = zeros_of(s, options_.search);
        // More virtual stages hold more layers of a micro-batch each, but fewer at the front.
        for (const std::uint32_t vpp : {1U, layers_per_stage(job_, s.pp)}) {
            s.vpp = s.pp > 1 ? vpp : 1;
            const double bytes =
                least_memory_bytes(model, options_.search, s, layers, zeros, {0, s.pp - 1});
            if (bytes <= limit) return true;
        }
        return false;
    }

    // Gives the parts from `part` on `left` sequences; those before take `so_far_s` at most.
    void split(std::size_t part, std::uint32_t left, double so_far_s) {
        const auto others = static_cast<std::uint32_t>(sides_.size() - part - 1);
        if (left < others + 1) return;
        if (others == 0) {
            take(part, left, so_far_s);
            return;
        }
        double rates = 0;  // of the parts behind this one, at most
        for (std::size_t i = part + 1; i < sides_.size(); ++i)
            rates += 1 / sides_[i].sequence_s;
        struct Share {
            double at_least_s = 0;
            std::uint32_t sequences = 0;
        };
        std::vector<Share> shares;
        for (std::uint32_t mine = 1; mine <= left - others; ++mine) {
            if (sides_[part].sequence_s * mine * rounding >= best_s_) break;
            double least = (left - mine) / rates * rounding;
            if (least >= best_s_) continue;
            least = std::max(least, at_least_s(sides_[part], mine));
            if (others == 1 && least < best_s_)
                least = std::max(least, at_least_s(sides_[part + 1], left - mine));
            if (least < best_s_) shares.push_back({least, mine});
        }
        std::sort(shares.begin(), shares.end(), [](const Share& one, const Share& other) {
            return one.at_least_s < other.at_least_s;
        });
        for (const Share& share : shares) {
            if (share.at_least_s >= best_s_) break;
            if (bounded(sides_[part], share.sequences).at_least_s >= best_s_) continue;
            const std::uint32_t rest = left - share.sequences;
            if (others == 1 && bounded(sides_[part + 1], rest).at_least_s >= best_s_) continue;
            take(part, share.sequences, so_far_s, rest);
        }
    }

    void take(std::size_t part, std::uint32_t sequences, double so_far_s, std::uint32_t rest = 0) {
        const Plan* const plan = fastest(sides_[part], sequences);
        if (plan == nullptr || plan->prediction.step_s >= best_s_) return;
        shares_[part] = {part, plan->strategy, sequences, job_.model.layers, plan->prediction};
        const double step_s = std::max(so_far_s, plan->prediction.step_s);
        if (part + 1 < sides_.size()) {
            split(part + 1, rest, step_s);
            return;
        }
        best_s_ = step_s;
        best_ = MixedPlan{.mix = Mix::replicas, .shares = shares_, .step_s = step_s};
    }

    // nullptr: it does not fit, or takes best_s_ or longer.
    const Plan* fastest(Side& side, std::uint32_t sequences) {
        Known& known = bounded(side, sequences);
        if (!known.searched && known.at_least_s < best_s_) {
            known.searched = true;
            TrainingJob job = job_;
            job.global_batch = sequences;
            SearchOptions options = options_.search;
            options.chips = side.part.chips;
            options.objective = Objective::time;
            options.top_k = 1;
            options.better_than = best_s_;
            options.overlap_off = false;
            options.tp = known.tp;
            options.cp = known.cp;
            options.dp = known.dp;
            options.micro_batch = known.micro_batch;
            ++searches_;
            const auto found = search(TrainingModel(job, side.part.machine), options);
            if (found && !found->plans.empty()) known.plan = found->plans.front();
        }
        return known.plan ? &*known.plan : nullptr;
    }

    const TrainingJob& job_;
    const MixedOptions& options_;
    double moe_share_;
    std::vector<Side> sides_;
    std::vector<MixedPlan::Share> shares_;
    double best_s_ = unlimited;
    std::optional<MixedPlan> best_;
    std::uint64_t searches_ = 0;
};

std::string text_of_part(const MixedPart& part) {
    return fmt::format("{} {}", format_count(part.chips), part.machine.chip_name);
}

}  // namespace

std::string_view name_of(Mix mix) {
    return mix_names[static_cast<std::size_t>(mix)];
}

const MixedPlan* MixedResult::best() const {
    const MixedPlan* best = nullptr;
    for (const auto* const plan : {&alone, &replicas, &stages}) {
        if (plan->has_value() && (best == nullptr || (*plan)->value < best->value)) best = &**plan;
    }
    return best;
}

bool MixedResult::pays() const {
    const MixedPlan* const plan = best();
    return plan != nullptr && plan->mix != Mix::alone;
}

std::string MixedResult::verdict(const std::vector<MixedPart>& parts,
                                 const SearchOptions& options) const {
    const MixedPlan* const plan = best();
    if (plan == nullptr) return "nothing fits, neither alone nor mixed";
    const MixedPlan* mixed = replicas ? &*replicas : nullptr;
    if (stages && (mixed == nullptr || stages->value < mixed->value)) mixed = &*stages;
    if (mixed == nullptr) {
        return fmt::format("mixing does not pay: no mix fits; {} alone do the job",
                           text_of_part(parts[alone->shares.front().part]));
    }
    if (!alone) return "mixing pays: no kind of chip can do the job alone";
    const double gain = 1 - mixed->value / alone->value;
    std::string steps = fmt::format(
        "{} a step instead of {}", format_seconds(mixed->step_s), format_seconds(alone->step_s));
    if (mixed->between_s > 0.01 * mixed->step_s)
        steps += fmt::format(", {} of it for what the kinds tell each other",
                             format_seconds(mixed->between_s));
    return fmt::format(
        "mixing {}: {} {} {} {} than {} alone ({})",
        pays() ? "pays" : "does not pay",
        mixed->mix == Mix::stages ? "one pipeline through all takes"
                                  : "copies of the model on each take",
        format_percent(std::abs(gain)),
        gain > 0 ? "less" : "more",
        options.objective == Objective::goodput ? "time" : name_of(options.objective),
        text_of_part(parts[alone->shares.front().part]),
        steps);
}

double exchange_s(const TrainingJob& job,
                  const std::vector<MixedPart>& parts,
                  const MixedOptions& options) {
    // Each part has summed its gradients, and its chips hold a piece each. The pieces go around
    // between parts as in a ring; the part with the fewest chips has the fewest ways out.
    std::uint64_t fewest = parts.front().chips;
    double rate = unlimited;
    double latency_s = 0;
    for (const MixedPart& part : parts) {
        fewest = std::min(fewest, part.chips);
        rate = std::min(rate, part.machine.between.reached_bytes_per_s());
        latency_s = std::max(latency_s, part.machine.between.calibration.latency_s);
    }
    if (options.between_bytes_per_s > 0) rate = options.between_bytes_per_s;
    const double gradient_bytes = options.search.base.fp32_gradients ? 4 : 2;
    const double bytes =
        count_parameters(job.model).total * gradient_bytes / static_cast<double>(fewest);
    const auto others = static_cast<double>(parts.size() - 1);
    return 2 * others * (bytes / static_cast<double>(parts.size()) / rate + latency_s);
}

SearchOptions search_of_part(const MixedOptions& options, std::size_t parts) {
    SearchOptions own = options.search;
    if (options.risk <= 0) return own;
    const double risk = 1 - std::pow(1 - options.risk, 1 / static_cast<double>(parts));
    own.memory_margin = std::max(own.memory_margin, margin_of_risk(risk));
    return own;
}

Result<MixedResult> search_mixed(const TrainingJob& job,
                                 const std::vector<MixedPart>& parts,
                                 const MixedOptions& options) {
    if (parts.size() < 2) {
        return fail(Code::invalid,
                    fmt::format("parts {}: a mix has at least two kinds of chip", parts.size()));
    }
    MixedResult result;
    const auto finish = [&](MixedPlan& plan, double weight) {
        plan.tokens_per_s = static_cast<double>(job.global_batch) * job.sequence / plan.step_s;
        plan.value = plan.step_s * weight;
    };
    std::optional<Error> error;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        SearchOptions alone = search_of_part(options, 1);
        alone.chips = parts[i].chips;
        alone.top_k = 1;
        const auto found = search(TrainingModel(job, parts[i].machine), alone);
        ++result.searches;
        if (!found) error = found.error();
        if (!found || found->plans.empty()) continue;
        const Plan& plan = found->plans.front();
        if (result.alone && result.alone->value <= plan.value) continue;
        result.alone = MixedPlan{.mix = Mix::alone,
                                 .shares = {{.part = i,
                                             .strategy = plan.strategy,
                                             .sequences = job.global_batch,
                                             .layers = job.model.layers,
                                             .prediction = plan.prediction}},
                                 .step_s = plan.prediction.step_s,
                                 .tokens_per_s = plan.prediction.tokens_per_s,
                                 .value = plan.value};
    }
    const double weight = weight_of_parts(job, parts, options.search);
    MixedOptions together = options;
    together.search = search_of_part(options, parts.size());
    Replicas replicas(job, parts, together);
    result.replicas = replicas.run(unlimited);
    result.searches += replicas.searches();
    if (result.replicas) {
        result.replicas->between_s = exchange_s(job, parts, options);
        result.replicas->step_s += result.replicas->between_s;
        finish(*result.replicas, weight);
    }
    result.stages =
        best_pipeline(job, parts, together, result.replicas ? result.replicas->step_s : unlimited);
    if (result.stages) finish(*result.stages, weight);
    if (result.best() == nullptr && error) return fail(*error);
    return result;
}

}  // namespace weir::plan
