#include "weir/plan/search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "weir/job/checkpoint_advice.hpp"
#include "weir/plan/model_counts.hpp"
#include "weir/plan/space.hpp"

namespace weir::plan {
namespace {

constexpr std::array<std::string_view, 4> objective_names{"time", "cost", "energy", "goodput"};

// Sums of rounded numbers need not keep the order of their terms to the last bit.
constexpr double rounding = 1 - 1e-9;

bool better(const Plan& one, const Plan& other) {
    if (one.value != other.value) return one.value < other.value;
    return simpler(one.strategy, other.strategy);
}

bool same_layout(const Strategy& a, const Strategy& b) {
    return a.tp == b.tp && a.cp == b.cp && a.pp == b.pp && a.dp == b.dp && a.ep == b.ep &&
           a.etp == b.etp;
}

// The list so far, best first, and what a plan must reach to enter it.
class Best {
public:
    explicit Best(const SearchOptions& options) : options_(options) {}

    // Whether a branch may hold something for the list, where all in it is at least so much.
    [[nodiscard]] bool open(const Strategy& layout, double at_least) const {
        if (!(at_least * rounding < options_.better_than)) return false;
        if (full() && at_least * rounding > plans_.back().value) return false;
        if (!options_.one_per_layout) return true;
        const auto own = of_layout(layout);
        return own == plans_.end() || at_least * rounding <= own->value;
    }

    void offer(Plan plan) {
        if (!(plan.value < options_.better_than)) return;
        if (options_.one_per_layout) {
            const auto own = of_layout(plan.strategy);
            if (own != plans_.end()) {
                if (!better(plan, *own)) return;
                plans_.erase(own);
            }
        }
        if (full() && !better(plan, plans_.back())) return;
        plans_.insert(std::upper_bound(plans_.begin(), plans_.end(), plan, better), plan);
        if (plans_.size() > options_.top_k) plans_.pop_back();
    }

    std::vector<Plan> take() { return std::move(plans_); }

private:
    [[nodiscard]] bool full() const { return plans_.size() >= options_.top_k; }
    [[nodiscard]] std::vector<Plan>::const_iterator of_layout(const Strategy& layout) const {
        return std::find_if(plans_.begin(), plans_.end(), [&](const Plan& plan) {
            return same_layout(plan.strategy, layout);
        });
    }

    const SearchOptions& options_;
    std::vector<Plan> plans_;
};

// The degrees, micro-batch and precision: what decides most of a plan's time and memory.
struct Node {
    Strategy strategy{};      // its most favourable member
    double at_least = 0;      // what every plan in it is worth at least
    double memory_bytes = 0;  // the same of memory
};

// By what a second of a plan on so many chips counts.
double weight_of(const TrainingModel& model, const SearchOptions& options, std::uint64_t chips) {
    const Machine& machine = model.machine();
    const auto held = static_cast<double>(chips);
    constexpr double seconds_per_hour = 3600;
    switch (options.objective) {
        case Objective::time:
            return 1;
        case Objective::cost: {
            const double price = machine.price_per_chip_hour > 0 ? machine.price_per_chip_hour : 1;
            return held * price / seconds_per_hour;
        }
        case Objective::energy:
            return held * (machine.chip_watts > 0 ? machine.chip_watts : 1);
        case Objective::goodput:
            return 1 / useful_share(model.job(), machine, chips, options.failures);
    }
    return 1;
}

double sum_of(const Memory& memory) {
    double sum = 0;
    for (const double part : memory)
        sum += part;
    return sum;
}

class Search {
public:
    Search(const TrainingModel& model, const SearchOptions& options)
        : model_(model),
          job_(model.job()),
          options_(options),
          limit_bytes_(memory_limit_bytes(model.machine(), options)),
          best_(options) {}

    SearchResult run() {
        list_nodes();
        std::sort(nodes_.begin(), nodes_.end(), [](const Node& one, const Node& other) {
            return one.at_least < other.at_least;
        });
        for (const Node& node : nodes_) {
            if (best_.open(node.strategy, node.at_least)) visit(node);
        }
        result_.plans = best_.take();
        if (!fits_ && std::isinf(options_.better_than)) find_nearest();
        return std::move(result_);
    }

private:
    double value(const Strategy& s, const Prediction& prediction) {
        if (s.chips() != weighed_chips_) {
            weighed_chips_ = s.chips();
            weight_ = weight_of(model_, options_, weighed_chips_);
        }
        return prediction.step_s * weight_;
    }

    [[nodiscard]] Prediction predict(const Strategy& s, const TrainingModel::Layers& layers) const {
        return model_.predict(s, layers);
    }

    // No strategy that differs from `s` by less overlap or more recomputation takes less. All
    // such changes lengthen what they touch, and longer computation hides less than it adds, with
    // one exception: sends between stages that are longer than the computation beside them. Then
    // they are left out of the bound, twice for what stragglers add.
    double at_least(const Strategy& s, const Prediction& prediction) {
        const double sends_s = prediction.at(Term::pipeline);
        const double beside_s = prediction.at(Term::products) + prediction.at(Term::attention) +
                                prediction.at(Term::memory_bound);
        const bool hidden = sends_s <= model_.machine().chip.overlap_slowdown * beside_s;
        if (!s.overlap.pipeline || hidden) return value(s, prediction);
        Prediction without = prediction;
        without.step_s -= 2 * sends_s;
        return value(s, without);
    }

    void list_nodes() {
        for (const Precision precision : options_.precisions) {
            if (model_.machine().peak(precision) > 0) list_nodes(precision);
        }
    }

    void list_nodes(Precision precision) {
        Strategy s = options_.base;
        s.precision = precision;
        for (s.tp = 1; s.tp <= job_.model.heads; ++s.tp) {
            if (!options_.tp.has(s.tp) || s.tp > options_.chips || !tp_fits(s, job_)) continue;
            for (const std::uint32_t cp : divisors(job_.sequence, options_.cp)) {
                s.cp = cp;
                if (std::uint64_t{s.tp} * cp <= options_.chips && cp_fits(s, job_)) list_nodes(s);
            }
        }
    }

    // All nodes of one tp and cp.
    void list_nodes(Strategy s) {
        struct Rest {
            std::uint32_t pp;
            std::uint32_t dp;
        };
        std::vector<Rest> rests;
        const std::uint64_t left = options_.chips / (std::uint64_t{s.tp} * s.cp);
        const bool exact = options_.chips % (std::uint64_t{s.tp} * s.cp) == 0;
        if (!exact && !options_.fewer_chips) return;
        for (const std::uint32_t dp : divisors(job_.global_batch, options_.dp)) {
            if (dp > left) break;
            const auto add = [&](std::uint64_t pp) {
                if (pp > job_.model.layers + 2 || !options_.pp.has(static_cast<std::uint32_t>(pp)))
                    return;
                s.pp = static_cast<std::uint32_t>(pp);
                if (pp_fits(s, job_)) rests.push_back({s.pp, dp});
            };
            if (!options_.fewer_chips) {
                if (left % dp == 0) add(left / dp);
                continue;
            }
            for (std::uint64_t pp = 1; pp <= left / dp && pp <= job_.model.layers + 2; ++pp)
                add(pp);
        }
        if (rests.empty()) return;

        const bool moe = job_.model.is_moe();
        const auto eps =
            divisors(moe ? job_.model.experts->count : 1, moe ? options_.ep : Range{1, 1});
        if (!moe && !options_.ep.has(1)) return;
        std::vector<std::uint32_t> etps{options_.base.etp};
        if (moe && s.tp > 1 && options_.expert_tensor) etps = {0, 1};
        std::vector<bool> parallels{false};
        if (s.tp > 1) {
            parallels.clear();
            if (options_.sequence_parallel != Choice::on) parallels.push_back(false);
            if (options_.sequence_parallel != Choice::off && job_.sequence / s.cp % s.tp == 0)
                parallels.push_back(true);
        }
        for (s.micro_batch = 1; s.micro_batch <= job_.global_batch; ++s.micro_batch) {
            if (job_.global_batch % s.micro_batch != 0 || !options_.micro_batch.has(s.micro_batch))
                continue;
            for (const bool parallel : parallels) {
                s.sequence_parallel = parallel;
                for (const std::uint32_t etp : etps) {
                    s.etp = etp;
                    for (const std::uint32_t ep : eps) {
                        s.ep = ep;
                        std::optional<TrainingModel::Layers> layers;
                        for (const Rest& rest : rests) {
                            s.pp = rest.pp;
                            s.dp = rest.dp;
                            if (job_.global_batch % (std::uint64_t{s.micro_batch} * s.dp) != 0 ||
                                !ep_fits(s, job_))
                                continue;
                            if (!layers) layers = model_.layers(s);
                            add_node(s, *layers);
                        }
                    }
                }
            }
        }
    }

    void add_node(Strategy s, const TrainingModel::Layers& layers) {
        const std::vector<Depth> depths = depths_of(s, job_, options_);
        const std::vector<std::uint32_t> zeros = zeros_of(s, options_);
        const std::vector<Again> agains = recomputes_of(s, job_, options_);
        if (depths.empty() || zeros.empty() || agains.empty()) return;
        Node node;
        node.memory_bytes = least_memory(s, layers, depths, zeros);
        if (by_memory_) {
            node.strategy = s;
            nodes_.push_back(node);
            return;
        }
        result_.considered += count(s, depths, zeros) * static_cast<double>(agains.size());
        if (node.memory_bytes > limit_bytes_) return;
        node.at_least = std::numeric_limits<double>::infinity();
        // The deepest of the pipeline's ways has the smallest bubble; what it sends more than
        // others is left out.
        s.vpp = 1;
        for (const Depth& depth : depths) {
            s.vpp = std::max(s.vpp, depth.vpp);
            s.schedule = std::max(s.schedule, depth.schedule);
        }
        for (const std::uint32_t zero : zeros) {
            s.zero = zero;
            s.overlap = usable(s, options_);
            s.overlap.pipeline = false;
            Prediction prediction = predict(s, layers);
            prediction.step_s -= 2 * prediction.at(Term::pipeline);
            const double least = value(s, prediction);
            if (least < node.at_least) {
                node.at_least = least;
                node.strategy = s;
            }
        }
        nodes_.push_back(node);
    }

    // Strategies of a node, for one way to recompute.
    double count(Strategy s,
                 const std::vector<Depth>& depths,
                 const std::vector<std::uint32_t>& zeros) const {
        double sum = 0;
        for (const std::uint32_t zero : zeros) {
            s.zero = zero;
            for (const Depth& depth : depths) {
                s.vpp = depth.vpp;
                const Overlap able = usable(s, options_);
                double ways = options_.offload_optimizer ? 2 : 1;
                for (const auto member : overlaps)
                    ways *= able.*member && options_.overlap_off ? 2 : 1;
                sum += ways;
            }
        }
        return sum;
    }

    // What the fullest chip keeps at least. Weights, gradients and optimiser depend on sharding
    // and offload, activations on recomputation, each smallest by itself. The shallowest pipeline
    // holds the fewest activations.
    double least_memory(Strategy s,
                        const TrainingModel::Layers& layers,
                        const std::vector<Depth>& depths,
                        const std::vector<std::uint32_t>& zeros) const {
        s.vpp = depths.front().vpp;
        for (const Depth& depth : depths)
            s.vpp = std::min(s.vpp, depth.vpp);
        s.offload_optimizer = options_.offload_optimizer;
        double fullest = 0;
        for (const std::uint32_t stage : {std::uint32_t{0}, s.pp - 1}) {
            double least = std::numeric_limits<double>::infinity();
            std::uint32_t least_zero = zeros.front();
            s.recompute = Recompute::full;
            for (const std::uint32_t zero : zeros) {
                s.zero = zero;
                const double bytes = sum_of(model_.memory(s, layers, stage));
                if (bytes < least) {
                    least = bytes;
                    least_zero = zero;
                }
            }
            s.zero = least_zero;
            s.recompute = Recompute::selective;
            s.parts = parts_of(job_, s);
            least = std::min(least, sum_of(model_.memory(s, layers, stage)));
            s.parts = {};
            fullest = std::max(fullest, least);
            if (s.pp == 1) break;
        }
        return fullest;
    }

    void visit(const Node& node) {
        Strategy s = node.strategy;
        const TrainingModel::Layers layers = model_.layers(s);
        const std::vector<Depth> depths = depths_of(s, job_, options_);
        const std::vector<std::uint32_t> zeros = zeros_of(s, options_);
        const std::vector<Again> agains = recomputes_of(s, job_, options_);
        for (const Depth& depth : depths) {
            s.schedule = depth.schedule;
            s.vpp = depth.vpp;
            for (const std::uint32_t zero : zeros) {
                s.zero = zero;
                s.overlap = usable(s, options_);
                for (const bool offload : {false, true}) {
                    if (offload && !options_.offload_optimizer) continue;
                    s.offload_optimizer = offload;
                    s.recompute = Recompute::none;
                    s.recompute_layers = 0;
                    s.parts = {};
                    if (!best_.open(s, at_least(s, predict(s, layers)))) continue;
                    for (const Again& again : agains) {
                        s.recompute = again.recompute;
                        s.recompute_layers = again.layers;
                        s.parts = again.parts;
                        visit_leaf(s, layers);
                    }
                }
            }
        }
    }

    // Everything but overlap is chosen, which memory does not depend on.
    void visit_leaf(const Strategy& s, const TrainingModel::Layers& layers) {
        const Prediction prediction = predict(s, layers);
        if (prediction.memory_total_bytes() > limit_bytes_) return;
        fits_ = true;
        if (best_.open(s, at_least(s, prediction))) visit_overlaps(s, layers, prediction, 0);
    }

    // All subsets of the overlaps of `s` from the `next` on.
    void visit_overlaps(Strategy s,
                        const TrainingModel::Layers& layers,
                        const Prediction& prediction,
                        std::size_t next) {
        if (next == 0 || !options_.overlap_off) result_.predicted += 1;
        if (!options_.overlap_off) {
            best_.offer({s, prediction, value(s, prediction)});
            return;
        }
        while (next < overlaps.size() && !(s.overlap.*overlaps[next]))
            ++next;
        if (next == overlaps.size()) {
            best_.offer({s, prediction, value(s, prediction)});
            return;
        }
        visit_overlaps(s, layers, prediction, next + 1);
        s.overlap.*overlaps[next] = false;
        const Prediction without = predict(s, layers);
        result_.predicted += 1;
        if (best_.open(s, at_least(s, without))) visit_overlaps(s, layers, without, next + 1);
    }

    // Nothing fits: the plan that comes nearest, by memory alone and among equals by value.
    void find_nearest() {
        by_memory_ = true;
        nodes_.clear();
        list_nodes();
        std::sort(nodes_.begin(), nodes_.end(), [](const Node& one, const Node& other) {
            return one.memory_bytes < other.memory_bytes;
        });
        double least = std::numeric_limits<double>::infinity();
        for (const Node& node : nodes_) {
            if (node.memory_bytes * rounding > least) break;
            Strategy s = node.strategy;
            const TrainingModel::Layers layers = model_.layers(s);
            for (const Depth& depth : depths_of(s, job_, options_)) {
                s.schedule = depth.schedule;
                s.vpp = depth.vpp;
                for (const std::uint32_t zero : zeros_of(s, options_)) {
                    s.zero = zero;
                    s.overlap = usable(s, options_);
                    for (const bool offload : {false, true}) {
                        if (offload && !options_.offload_optimizer) continue;
                        s.offload_optimizer = offload;
                        for (const Again& again : recomputes_of(s, job_, options_)) {
                            s.recompute = again.recompute;
                            s.recompute_layers = again.layers;
                            s.parts = again.parts;
                            const Prediction prediction = predict(s, layers);
                            const double bytes = prediction.memory_total_bytes();
                            if (bytes > least) continue;
                            const Plan plan{s, prediction, value(s, prediction)};
                            if (bytes < least || better(plan, *result_.nearest))
                                result_.nearest = plan;
                            least = bytes;
                        }
                    }
                }
            }
        }
        if (result_.nearest) result_.missing_bytes = least - limit_bytes_;
    }

    const TrainingModel& model_;
    const TrainingJob& job_;
    const SearchOptions& options_;
    double limit_bytes_;
    bool fits_ = false;       // something does
    bool by_memory_ = false;  // nodes are listed for what they keep, not for their time
    std::uint64_t weighed_chips_ = 0;
    double weight_ = 1;
    Best best_;
    std::vector<Node> nodes_;
    SearchResult result_;
};

}  // namespace

std::string_view name_of(Objective objective) {
    return objective_names[static_cast<std::size_t>(objective)];
}

double memory_limit_bytes(const Machine& machine, const SearchOptions& options) {
    return machine.memory_bytes * (1 - options.memory_margin);
}

double useful_share(const TrainingJob& job,
                    const Machine& machine,
                    std::uint64_t chips,
                    const Failures& failures) {
    if (failures.node_mtbf_s <= 0) return 1;
    const auto duration = [](double seconds) {
        return Duration{std::max<std::int64_t>(1, std::llround(seconds * 1000))};
    };
    const std::uint64_t each = std::max<std::uint32_t>(1, machine.chips_per_node);
    const std::uint64_t nodes = (chips + each - 1) / each;
    constexpr double checkpoint_bytes_per_parameter = 14;
    const double bytes = checkpoint_bytes_per_parameter * count_parameters(job.model).total;
    job::CheckpointCosts costs;
    costs.mtbf = job::mtbf_of_gang(duration(failures.node_mtbf_s), nodes);
    costs.cost = duration(bytes / (failures.write_bytes_per_s * static_cast<double>(nodes)));
    costs.restart = duration(failures.restart_s);
    return job::useful_share(job::daly_interval(costs.cost, costs.mtbf), costs);
}

double value_of(const TrainingModel& model,
                const SearchOptions& options,
                const Strategy& strategy,
                const Prediction& prediction) {
    return prediction.step_s * weight_of(model, options, strategy.chips());
}

namespace {

// Whether tp x cp x pp x dp can make so many chips at all.
bool divides(const TrainingJob& job, const SearchOptions& options, std::uint64_t chips) {
    Strategy s = options.base;
    for (const std::uint32_t dp : divisors(job.global_batch, options.dp)) {
        s.dp = dp;
        if (chips % dp != 0) continue;
        for (const std::uint32_t cp : divisors(job.sequence, options.cp)) {
            s.cp = cp;
            if (chips / dp % cp != 0) continue;
            const std::uint64_t left = chips / dp / cp;
            for (s.pp = 1; s.pp <= job.model.layers + 2 && s.pp <= left; ++s.pp) {
                if (left % s.pp != 0 || left / s.pp > job.model.heads) continue;
                s.tp = static_cast<std::uint32_t>(left / s.pp);
                if (options.pp.has(s.pp) && options.tp.has(s.tp) && tp_fits(s, job) &&
                    cp_fits(s, job) && pp_fits(s, job))
                    return true;
            }
        }
    }
    return false;
}

tl::unexpected<Error> nothing_to_search(const TrainingModel& model, const SearchOptions& options) {
    const TrainingJob& job = model.job();
    std::string formats;
    bool able = false;
    for (const Precision precision : options.precisions) {
        formats += (formats.empty() ? "" : ", ") + std::string(name_of(precision));
        able = able || model.machine().peak(precision) > 0;
    }
    if (!able) {
        return fail(Code::invalid,
                    fmt::format("precision {}: {} has no products of matrices in it",
                                formats.empty() ? "(none)" : formats,
                                model.machine().chip_name));
    }
    const auto refuse = [&](std::string_view advice) {
        return fail(Code::invalid,
                    fmt::format("chips {}: tp x cp x pp x dp cannot make this, where tp divides "
                                "the {} heads, cp the sequence of {}, dp the global batch of {} "
                                "and pp is at most the {} layers{}",
                                options.chips,
                                job.model.heads,
                                job.sequence,
                                job.global_batch,
                                job.model.layers,
                                advice));
    };
    if (!divides(job, options, options.chips)) {
        for (std::uint64_t fewer = options.chips; fewer > 1;) {
            if (divides(job, options, --fewer))
                return refuse(fmt::format("; {} chips would do", fewer));
        }
        return refuse("");
    }
    return fail(Code::invalid,
                fmt::format("chips {}: no micro-batch, ep, vpp, zero and recompute that the "
                            "options leave open go together here; open one of them",
                            options.chips));
}

}  // namespace

Result<SearchResult> search(const TrainingModel& model, const SearchOptions& options) {
    if (options.chips == 0) return fail(Code::invalid, "chips 0: must be at least 1");
    if (options.top_k == 0) return fail(Code::invalid, "top 0: must be at least 1");
    SearchResult result = Search(model, options).run();
    if (result.considered == 0) return nothing_to_search(model, options);
    return result;
}

}  // namespace weir::plan
