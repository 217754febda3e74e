#include "weir/plan/mixed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "weir/plan/mixed_stages.hpp"
#include "weir/plan/model_counts.hpp"
#include "weir/plan/space.hpp"
#include "weir/plan/stage_cost.hpp"

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

// The share of a batch that each part takes, where each has whole copies of the model.
class Replicas {
public:
    Replicas(const TrainingJob& job,
             const std::vector<MixedPart>& parts,
             const MixedOptions& options)
        : job_(job), parts_(parts), options_(options), known_(parts.size()) {
        for (const MixedPart& part : parts) {
            least_.push_back(least_of(part));
            double least = unlimited;
            for (const Least& one : least_.back())
                least = std::min(least, one.layer_s * one.tp * one.cp);
            sequence_s_.push_back(least * job.model.layers / static_cast<double>(part.chips));
        }
    }

    // The fastest step below `better_than_s`, without what the parts tell each other.
    std::optional<MixedPlan> run(double better_than_s) {
        best_s_ = better_than_s;
        shares_.resize(parts_.size());
        split(0, job_.global_batch, 0);
        return std::move(best_);
    }

    [[nodiscard]] std::uint64_t searches() const { return searches_; }

private:
    // What a layer takes for each sequence, at least, of one tp and cp: that of a very large
    // micro-batch, where nothing is lost to small shapes and latencies.
    struct Least {
        std::uint32_t tp = 1;
        std::uint32_t cp = 1;
        double layer_s = 0;
    };
    [[nodiscard]] std::vector<Least> least_of(const MixedPart& part) const {
        constexpr std::uint32_t very_many = 1U << 16U;
        const SearchOptions& options = options_.search;
        const bool moe = job_.model.is_moe();
        const TrainingModel model(job_, part.machine);
        std::vector<Least> found;
        Strategy s = options.base;
        s.micro_batch = very_many;
        for (const std::uint32_t tp : divisors(job_.model.heads, options.tp)) {
            s.tp = tp;
            for (const std::uint32_t cp : divisors(job_.sequence, options.cp)) {
                s.cp = cp;
                if (std::uint64_t{tp} * cp > part.chips || !tp_fits(s, job_) || !cp_fits(s, job_))
                    continue;
                Least least{tp, cp, unlimited};
                for (const Precision precision : options.precisions) {
                    if (part.machine.peak(precision) <= 0) continue;
                    s.precision = precision;
                    for (const bool parallel : {false, true}) {
                        s.sequence_parallel = parallel && tp > 1;
                        for (const std::uint32_t ep :
                             divisors(moe ? job_.model.experts->count : 1, {})) {
                            s.ep = ep;
                            for (const std::uint32_t etp : {0U, 1U}) {
                                s.etp = etp;
                                const double layer_s = layer_at_least_s(
                                    part.machine, model.layers(s), usable(s, options), job_.model);
                                least.layer_s = std::min(least.layer_s, layer_s / very_many);
                            }
                        }
                    }
                }
                if (least.layer_s < unlimited) found.push_back(least);
            }
        }
        return found;
    }

    // Of a step: every chip has its layers and sequences, and a pipeline fills and drains. Only
    // some degrees divide the sequences; `open` learns those that may come below best_s_.
    double at_least(std::size_t part, std::uint32_t sequences, SearchOptions* open = nullptr) {
        const std::vector<std::uint32_t> dps = divisors(sequences, options_.search.dp);
        const bool fewer = options_.search.fewer_chips;
        const bool plain = options_.search.schedules == std::vector{Schedule::one_f_one_b};
        double least_s = unlimited;
        const Range nothing{std::numeric_limits<std::uint32_t>::max(), 0};
        Range tp = nothing;
        Range cp = nothing;
        Range dp_range = nothing;
        const auto extend = [](Range& range, std::uint32_t value) {
            range.low = std::min(range.low, value);
            range.high = std::max(range.high, value);
        };
        for (const Least& one : least_[part]) {
            const std::uint64_t taken = std::uint64_t{one.tp} * one.cp;
            if (!fewer && parts_[part].chips % taken != 0) continue;
            const std::uint64_t left = parts_[part].chips / taken;
            for (const std::uint32_t dp : dps) {
                if (dp > left) break;
                if (!fewer && left % dp != 0) continue;
                const std::uint64_t pp = left / dp;
                const std::uint64_t most = job_.model.layers + 2;
                if (!fewer && pp > most) continue;
                const auto stages = static_cast<double>(std::min(pp, most));
                const double each = std::ceil(job_.model.layers / stages);
                // Of one micro-batch, which is a sequence at least. Interleaved stages want the
                // micro-batches to be a multiple of them, other schedules leave a quarter.
                const bool interleaved = sequences / dp % pp == 0;
                double idle = interleaved ? 1 : each;
                if (!plain) idle = std::min(idle, each / 4);
                const double fill = fewer ? 0 : (stages - 1) * idle;
                const double step_s = rounding * one.layer_s * (sequences / dp * each + fill);
                least_s = std::min(least_s, step_s);
                if (step_s >= best_s_) continue;
                extend(tp, one.tp);
                extend(cp, one.cp);
                extend(dp_range, dp);
            }
        }
        if (open != nullptr) {
            open->tp = tp;
            open->cp = cp;
            open->dp = dp_range;
        }
        return least_s;
    }

    // Gives the parts from `part` on `left` sequences; those before take `so_far_s` at most.
    void split(std::size_t part, std::uint32_t left, double so_far_s) {
        const auto others = static_cast<std::uint32_t>(parts_.size() - part - 1);
        if (left < others + 1) return;
        if (others == 0) {
            take(part, left, so_far_s);
            return;
        }
        // What would be right if all were as good as their bounds; then away from it.
        double rates = 0;
        for (std::size_t i = part; i < parts_.size(); ++i)
            rates += 1 / sequence_s_[i];
        if (!(rates > 0)) return;  // no part has room for the model
        const auto middle = static_cast<std::int64_t>(left / sequence_s_[part] / rates);
        const std::int64_t most = left - others;
        for (std::int64_t away = 0; away <= most; ++away) {
            for (const std::int64_t sequences : {middle + away, middle - away}) {
                if (sequences < 1 || sequences > most || (away == 0 && sequences != middle))
                    continue;
                const auto mine = static_cast<std::uint32_t>(sequences);
                if (sequence_s_[part] * mine * rounding >= best_s_ ||
                    (left - mine) * rounding / (rates - 1 / sequence_s_[part]) >= best_s_ ||
                    at_least(part, mine) >= best_s_ ||
                    (others == 1 && at_least(part + 1, left - mine) >= best_s_))
                    continue;
                take(part, mine, so_far_s, left - mine);
                if (away == 0) break;
            }
        }
    }

    void take(std::size_t part, std::uint32_t sequences, double so_far_s, std::uint32_t rest = 0) {
        const Plan* const plan = fastest(part, sequences);
        if (plan == nullptr || plan->prediction.step_s >= best_s_) return;
        shares_[part] = {part, plan->strategy, sequences, job_.model.layers, plan->prediction};
        const double step_s = std::max(so_far_s, plan->prediction.step_s);
        if (part + 1 < parts_.size()) {
            split(part + 1, rest, step_s);
            return;
        }
        best_s_ = step_s;
        best_ = MixedPlan{.mix = Mix::replicas, .shares = shares_, .step_s = step_s};
    }

    // nullptr: it does not fit, or takes best_s_ or longer.
    const Plan* fastest(std::size_t part, std::uint32_t sequences) {
        const auto [place, is_new] = known_[part].try_emplace(sequences);
        if (is_new) {
            TrainingJob job = job_;
            job.global_batch = sequences;
            SearchOptions options = options_.search;
            options.chips = parts_[part].chips;
            options.objective = Objective::time;
            options.top_k = 1;
            options.better_than = best_s_;
            options.overlap_off = false;
            if (!(at_least(part, sequences, &options) < best_s_)) return nullptr;
            ++searches_;
            const auto found = search(TrainingModel(job, parts_[part].machine), options);
            if (found && !found->plans.empty()) place->second = found->plans.front();
        }
        return place->second ? &*place->second : nullptr;
    }

    const TrainingJob& job_;
    const std::vector<MixedPart>& parts_;
    const MixedOptions& options_;
    std::vector<std::vector<Least>> least_;
    std::vector<double> sequence_s_;                                   // of a part, at least
    std::vector<std::map<std::uint32_t, std::optional<Plan>>> known_;  // of a part, by sequences
    std::vector<MixedPlan::Share> shares_;
    double best_s_ = unlimited;
    std::optional<MixedPlan> best_;
    std::uint64_t searches_ = 0;
};

std::string text_of_part(const MixedPart& part) {
    return fmt::format("{} {}", part.chips, part.machine.chip_name);
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
    return fmt::format(
        "mixing {}: {} takes {:.1f} % {} {} than {} alone",
        pays() ? "pays" : "does not pay",
        mixed->mix == Mix::stages ? "one pipeline through all" : "copies of the model on each",
        100 * std::abs(gain),
        gain > 0 ? "less" : "more",
        options.objective == Objective::goodput ? "time" : name_of(options.objective),
        text_of_part(parts[alone->shares.front().part]));
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
        SearchOptions alone = options.search;
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
    Replicas replicas(job, parts, options);
    result.replicas = replicas.run(unlimited);
    result.searches += replicas.searches();
    if (result.replicas) {
        result.replicas->between_s = exchange_s(job, parts, options);
        result.replicas->step_s += result.replicas->between_s;
        finish(*result.replicas, weight);
    }
    result.stages =
        best_pipeline(job, parts, options, result.replicas ? result.replicas->step_s : unlimited);
    if (result.stages) finish(*result.stages, weight);
    if (result.best() == nullptr && error) return fail(*error);
    return result;
}

}  // namespace weir::plan
