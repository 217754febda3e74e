#include "weir/plan/search.hpp"

#include <algorithm>
#include <array>

#include "weir/plan/model_counts.hpp"
#include "weir/plan/space.hpp"
#include "weir/plan/stack.hpp"
#include "weir/plan/usual.hpp"

namespace weir::plan {
namespace {

// Sums of rounded numbers need not keep the order of their terms to the last bit.
constexpr double rounding = 1 - 1e-9;

constexpr double unlimited = std::numeric_limits<double>::infinity();

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

class Search {
public:
    Search(const TrainingModel& model, const SearchOptions& options)
        : model_(model),
          job_(model.job()),
          options_(options),
          limit_bytes_(memory_limit_bytes(model.machine(), options)),
          best_(options) {}

    // `enough`: as many plans as are asked for are known to be at least so good.
    SearchResult run(double enough) {
        enough_ = enough;
        list_nodes();
        std::sort(nodes_.begin(), nodes_.end(), [](const Node& one, const Node& other) {
            return one.at_least < other.at_least;
        });
        for (const Node& node : nodes_) {
            if (best_.open(node.strategy, node.at_least)) visit(node);
        }
        result_.plans = best_.take();
        if (!fits_ && options_.better_than == unlimited) find_nearest();
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

    // What pp and dp leave open, for one tp and cp.
    struct Shape {
        std::uint32_t pp = 1;
        std::uint32_t dp = 1;
        std::vector<std::uint32_t> zeros{};
        std::vector<std::uint32_t> deep{};  // vpp above 1, where pp divides the micro-batches
        // Ways to recompute with vpp 1, and with all of `deep`; by sequence parallelism.
        struct Agains {
            double whole = 0;  // layers as a whole
            double part = 0;   // parts of them, or nothing
        };
        std::array<Agains, 2> shallow_agains{};
        std::array<Agains, 2> deep_agains{};
    };
    // What a number of micro-batches makes of it.
    struct Depths {
        double shallow = 0;  // ways with vpp 1
        double deep = 0;     // others
        std::uint32_t vpp_low = 1;
        std::uint32_t vpp_high = 1;
        Schedule fastest = Schedule::one_f_one_b;
    };

    // All nodes of one tp and cp.
    void list_nodes(Strategy s) {
        const std::vector<Shape> shapes = shapes_of(s);
        if (shapes.empty()) return;
        const bool moe = job_.model.is_moe();
        if (!moe && !options_.ep.has(1)) return;
        const auto eps =
            divisors(moe ? job_.model.experts->count : 1, moe ? options_.ep : Range{1, 1});
        std::vector<std::uint32_t> etps{options_.base.etp};
        if (moe && s.tp > 1 && options_.expert_tensor) etps = {0, 1};
        const std::vector<bool> parallels = sequence_parallels_of(s, job_, options_);
        // A micro-batch that is too large for a chip is so whatever the larger ones are.
        std::vector<bool> too_large(shapes.size() * eps.size() * etps.size() * parallels.size());
        for (const std::uint32_t micro_batch : divisors(job_.global_batch, options_.micro_batch)) {
            s.micro_batch = micro_batch;
            std::size_t at = 0;
            for (const bool parallel : parallels) {
                s.sequence_parallel = parallel;
                // Only layers with experts depend on how these are spread.
                std::optional<TrainingModel::Layers> layers;
                for (const std::uint32_t etp : etps) {
                    s.etp = etp;
                    for (const std::uint32_t ep : eps) {
                        s.ep = ep;
                        s.deepep = options_.base.deepep && deepep_fits(s);
                        bool has_experts = moe_layers(job_.model) == 0;
                        for (const Shape& shape : shapes) {
                            const std::size_t mine = at++;
                            s.pp = shape.pp;
                            s.dp = shape.dp;
                            if (job_.global_batch % (std::uint64_t{s.micro_batch} * s.dp) != 0 ||
                                !ep_fits(s, job_))
                                continue;
                            const Depths depths = depths_of_shape(s, shape);
                            if (depths.shallow + depths.deep == 0) continue;
                            if (!by_memory_) result_.considered += count(s, shape, depths);
                            if (too_large[mine]) continue;
                            if (!layers) {
                                layers = model_.layers(s);
                                has_experts = true;
                            }
                            if (!has_experts) {
                                layers->moe = layer_cost(job_, model_.machine(), s, true);
                                has_experts = true;
                            }
                            too_large[mine] = !add_node(s, *layers, shape, depths) && !by_memory_;
                        }
                    }
                }
            }
        }
    }

    [[nodiscard]] std::vector<Shape> shapes_of(Strategy s) const {
        std::vector<Shape> shapes;
        const std::uint64_t left = options_.chips / (std::uint64_t{s.tp} * s.cp);
        const bool exact = options_.chips % (std::uint64_t{s.tp} * s.cp) == 0;
        if (!exact && !options_.fewer_chips) return shapes;
        const auto add = [&](std::uint64_t pp) {
            if (pp > job_.model.layers + 2 || !options_.pp.has(static_cast<std::uint32_t>(pp)))
                return;
            s.pp = static_cast<std::uint32_t>(pp);
            if (!pp_fits(s, job_)) return;
            Shape shape{.pp = s.pp, .dp = s.dp};
            shape.zeros = zeros_of(s, options_);
            if (s.pp > 1) {
                for (s.vpp = 2; s.vpp <= layers_per_stage(job_, s.pp); ++s.vpp)
                    if (options_.vpp.has(s.vpp) && vpp_fits(s, job_)) shape.deep.push_back(s.vpp);
            }
            add_agains(s, shape);
            if (!shape.zeros.empty()) shapes.push_back(std::move(shape));
        };
        for (const std::uint32_t dp : divisors(job_.global_batch, options_.dp)) {
            if (dp > left) break;
            s.dp = dp;
            if (!options_.fewer_chips) {
                if (left % dp == 0) add(left / dp);
                continue;
            }
            for (std::uint64_t pp = 1; pp <= left / dp && pp <= job_.model.layers + 2; ++pp)
                add(pp);
        }
        return shapes;
    }

    // recomputes_of(), counted.
    void add_agains(Strategy s, Shape& shape) const {
        const std::vector<Again> agains = recomputes_of(s, job_, options_);
        const auto add = [&](std::uint32_t vpp, std::array<Shape::Agains, 2>& into) {
            s.vpp = vpp;
            for (const Again& again : agains) {
                s.recompute = again.recompute;
                s.parts = again.parts;
                s.recompute_layers = again.layers;
                for (const bool parallel : {false, true}) {
                    s.sequence_parallel = parallel;
                    if (!recompute_fits(s, job_)) continue;
                    (s.recompute == Recompute::full ? into[parallel].whole : into[parallel].part) +=
                        1;
                }
            }
        };
        add(1, shape.shallow_agains);
        for (const std::uint32_t vpp : shape.deep)
            add(vpp, shape.deep_agains);
    }

    // depths_of(), summed up.
    [[nodiscard]] Depths depths_of_shape(Strategy s, const Shape& shape) const {
        Depths depths;
        s.vpp = 1;
        bool interleaved = false;
        for (const Schedule schedule : options_.schedules) {
            s.schedule = schedule;
            interleaved = interleaved || schedule == Schedule::one_f_one_b;
            if (!options_.vpp.has(1) || !depth_fits(s, job_)) continue;
            depths.shallow += 1;
            depths.fastest = std::max(depths.fastest, schedule);
        }
        const std::uint64_t micro_batches =
            job_.global_batch / (std::uint64_t{s.micro_batch} * s.dp);
        if (interleaved && micro_batches % s.pp == 0 && !shape.deep.empty()) {
            depths.deep = static_cast<double>(shape.deep.size());
            depths.vpp_high = shape.deep.back();
            if (depths.shallow == 0) depths.vpp_low = shape.deep.front();
        }
        return depths;
    }

    // Strategies of a node.
    [[nodiscard]] double count(Strategy s, const Shape& shape, const Depths& depths) const {
        const auto ways = [&](const std::array<Shape::Agains, 2>& agains) {
            const Shape::Agains& own = agains[s.sequence_parallel];
            s.recompute = Recompute::none;
            const double part = own.part * overlaps_of(s, options_);
            s.recompute = Recompute::full;
            return part + own.whole * overlaps_of(s, options_);
        };
        double sum = 0;
        for (const std::uint32_t zero : shape.zeros) {
            s.zero = zero;
            s.vpp = 1;
            double one = depths.shallow * ways(shape.shallow_agains);
            if (depths.deep > 0) {
                s.vpp = shape.deep.front();
                one += ways(shape.deep_agains);
            }
            sum += one * (options_.offload_optimizer && offload_fits(s) ? 2 : 1);
        }
        return sum;
    }

    // False where nothing in it fits.
    bool add_node(Strategy s,
                  const TrainingModel::Layers& layers,
                  const Shape& shape,
                  const Depths& depths) {
        Node node;
        s.vpp = depths.vpp_low;
        // More virtual stages hold more layers of a micro-batch each, but fewer at the front.
        node.memory_bytes = least_memory(s, layers, shape);
        s.vpp = depths.vpp_high;
        node.memory_bytes = std::min(node.memory_bytes, least_memory(s, layers, shape));
        s.vpp = depths.vpp_low;
        if (by_memory_) {
            node.strategy = s;
            nodes_.push_back(node);
            return true;
        }
        if (node.memory_bytes > limit_bytes_) return false;
        const double work = least_work_s(s, layers, depths);
        if (value(s, {.step_s = work}) * rounding > enough_) return true;
        node.at_least = unlimited;
        // The deepest of the pipeline's ways has the smallest bubble; what it sends more than
        // others is left out.
        s.vpp = depths.vpp_high;
        // (DualPipe, whose bubble is the smallest, spreads the ends of the model otherwise.)
        const bool dual = depths.fastest == Schedule::dualpipe;
        for (std::size_t i = 0; i < shape.zeros.size() * (dual ? 2 : 1); ++i) {
            s.zero = shape.zeros[i % shape.zeros.size()];
            s.schedule = i < shape.zeros.size() ? depths.fastest : Schedule::zero_bubble;
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
        if (node.at_least * rounding <= enough_) nodes_.push_back(node);
        return true;
    }

    [[nodiscard]] double least_memory(const Strategy& s,
                                      const TrainingModel::Layers& layers,
                                      const Shape& shape) const {
        return least_memory_bytes(model_, options_, s, layers, shape.zeros, {0, s.pp - 1});
    }

    // What kernels alone take: their work on each micro-batch, and stages that wait for it.
    [[nodiscard]] double least_work_s(const Strategy& s,
                                      const TrainingModel::Layers& layers,
                                      const Depths& depths) const {
        const double stage = layers_per_stage(job_, s.pp);
        const double moe = moe_layers(job_.model) / double{1} / job_.model.layers;
        const auto layer = [](const LayerCost& cost) {
            return cost.forward.work_s() + cost.backward.work_s();
        };
        const double work_s = stage * ((1 - moe) * layer(layers.dense) + moe * layer(layers.moe));
        const double micro_batches =
            static_cast<double>(job_.global_batch) / (static_cast<double>(s.micro_batch) * s.dp);
        // What the schedule that leaves least leaves of the bubble.
        const UsualSoftware& usual = usual_software();
        const double idle = depths.fastest == Schedule::one_f_one_b
                                ? 1
                                : std::min(usual.zero_bubble, usual.dualpipe_bubble);
        return work_s * (micro_batches + idle * (s.pp - 1.0) / depths.vpp_high);
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
                for (const bool offload : {false, true}) {
                    if (offload && !(options_.offload_optimizer && offload_fits(s))) continue;
                    s.offload_optimizer = offload;
                    s.recompute = Recompute::none;
                    s.recompute_layers = 0;
                    s.parts = {};
                    s.overlap = usable(s, options_);
                    if (!best_.open(s, at_least(s, predict(s, layers)))) continue;
                    for (const Again& again : agains) {
                        if (const auto one = chosen(s, again)) visit_leaf(*one, layers);
                    }
                }
            }
        }
    }

    // The last choice but overlap, of which everything is on that may be. Nothing where it does not
    // go with the others.
    std::optional<Strategy> chosen(const Strategy& s, const Again& again) const {
        Strategy one = again.of(s);
        one.overlap = usable(one, options_);
        if (!recompute_fits(one, job_) || overlaps_of(one, options_) == 0) return std::nullopt;
        return one;
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
        const Overlap must = needed(s);
        while (next < overlaps.size() && (!(s.overlap.*overlaps[next]) || must.*overlaps[next]))
            ++next;
        if (next == overlaps.size()) {
            best_.offer({s, prediction, value(s, prediction)});
            return;
        }
        visit_overlaps(s, layers, prediction, next + 1);
        s.overlap.*overlaps[next] = false;
        if (gather_needs_reduce(s.framework) && overlaps[next] == &Overlap::grad_reduce)
            s.overlap.param_gather = false;
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
        double least = unlimited;
        for (const Node& node : nodes_) {
            if (node.memory_bytes * rounding > least) break;
            Strategy s = node.strategy;
            const TrainingModel::Layers layers = model_.layers(s);
            for (const Depth& depth : depths_of(s, job_, options_)) {
                s.schedule = depth.schedule;
                s.vpp = depth.vpp;
                for (const std::uint32_t zero : zeros_of(s, options_)) {
                    s.zero = zero;
                    for (const bool offload : {false, true}) {
                        if (offload && !(options_.offload_optimizer && offload_fits(s))) continue;
                        s.offload_optimizer = offload;
                        for (const Again& again : recomputes_of(s, job_, options_)) {
                            const auto chosen_one = chosen(s, again);
                            if (!chosen_one) continue;
                            const Strategy& one = *chosen_one;
                            const Prediction prediction = predict(one, layers);
                            const double bytes = prediction.memory_total_bytes();
                            if (bytes > least) continue;
                            const Plan plan{one, prediction, value(one, prediction)};
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
    double enough_ = unlimited;
    Best best_;
    std::vector<Node> nodes_;
    SearchResult result_;
};

// What a look at the usual corner of the space finds at once: the value of the last plan of a full
// list. It spares the whole search most of its predictions.
double within_reach(const TrainingModel& model, SearchOptions options) {
    constexpr std::uint64_t few_chips = 4;
    // Who knows what has to be beaten has no need of it.
    if (options.better_than < unlimited) return options.better_than;
    if (options.chips <= few_chips) return unlimited;
    const auto narrow = [](Range& range, std::uint32_t high) {
        range.high = std::min(range.high, std::max(range.low, high));
    };
    narrow(options.micro_batch, 2);
    narrow(options.cp, 2);
    if (options.sequence_parallel == Choice::both) options.sequence_parallel = Choice::on;
    options.recompute_block = false;
    options.overlap_off = false;
    options.fewer_chips = false;
    const SearchResult found = Search(model, options).run(unlimited);
    return found.plans.size() == options.top_k ? found.plans.back().value : unlimited;
}

}  // namespace

Result<SearchResult> search(const TrainingModel& model, const SearchOptions& options) {
    if (options.chips == 0) return fail(Code::invalid, "chips 0: must be at least 1");
    if (options.top_k == 0) return fail(Code::invalid, "top 0: must be at least 1");
    const SearchOptions able = options_on(model.machine(), options);
    SearchResult result = Search(model, able).run(within_reach(model, able));
    if (result.considered == 0) return nothing_to_search(model, able);
    return result;
}

}  // namespace weir::plan
