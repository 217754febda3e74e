#include "weir/plan/space.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "weir/plan/stack.hpp"
#include "weir/plan/torchtitan_pipeline.hpp"

namespace weir::plan {
namespace {

unsigned bits_of(const RecomputeParts& parts) {
    return (parts.attention ? 1U : 0U) | (parts.norms ? 2U : 0U) | (parts.activation ? 4U : 0U) |
           (parts.mlp ? 8U : 0U) | (parts.latent_up ? 16U : 0U) |
           (parts.every_other_product ? 32U : 0U);
}
RecomputeParts parts_from(unsigned bits) {
    return {(bits & 1U) != 0,
            (bits & 2U) != 0,
            (bits & 4U) != 0,
            (bits & 8U) != 0,
            (bits & 16U) != 0,
            (bits & 32U) != 0};
}

// torchtitan has one set of parts, "op": all of them, or none.
bool parts_go_alone(Framework framework) {
    return framework != Framework::torchtitan;
}

unsigned bits_of(const Overlap& overlap) {
    unsigned bits = 0;
    for (std::size_t i = 0; i < overlaps.size(); ++i)
        bits |= overlap.*overlaps[i] ? 1U << i : 0U;
    return bits;
}

std::uint64_t micro_batches_of(const Strategy& s, const TrainingJob& job) {
    return job.global_batch / (std::uint64_t{s.micro_batch} * s.dp);
}

bool chosen(Choice choice, bool value) {
    return choice == Choice::both || value == (choice == Choice::on);
}

bool like_megatron(Framework framework) {
    return framework == Framework::megatron_lm || framework == Framework::mindspeed;
}

// Whether launches are written for it (launch.hpp), so that what they cannot say is no plan.
bool is_launched(Framework framework) {
    return framework != Framework::composer && framework != Framework::jax;
}

bool contains(const Overlap& all, const Overlap& some) {
    return std::all_of(overlaps.begin(), overlaps.end(), [&](const auto member) {
        return all.*member || !(some.*member);
    });
}

tl::unexpected<Error> outside(std::string_view field, std::string_view why) {
    return fail(Code::invalid, fmt::format("{}: {}", field, why));
}

}  // namespace

std::vector<std::uint32_t> divisors(std::uint32_t value, const Range& range) {
    std::vector<std::uint32_t> found;
    std::vector<std::uint32_t> high;
    for (std::uint32_t low = 1; std::uint64_t{low} * low <= value; ++low) {
        if (value % low != 0) continue;
        if (range.has(low)) found.push_back(low);
        if (value / low != low && range.has(value / low)) high.push_back(value / low);
    }
    found.insert(found.end(), high.rbegin(), high.rend());
    return found;
}

std::uint32_t layers_per_stage(const TrainingJob& job, std::uint32_t pp) {
    return (job.model.layers + pp - 1) / pp;
}

bool tp_fits(const Strategy& s, const TrainingJob& job) {
    const catalog::Model& model = job.model;
    if (model.heads % s.tp != 0 || model.ffn % s.tp != 0) return false;
    // Heads of keys are split, or each is held by several chips.
    return model.kv_heads == 0 || model.kv_heads % s.tp == 0 || s.tp % model.kv_heads == 0;
}

bool cp_fits(const Strategy& s, const TrainingJob& job) {
    if (s.framework == Framework::torchtitan &&
        job.sequence % (std::uint64_t{2} * s.cp * s.tp) != 0)
        return false;
    if (s.cp == 1) return true;
    if (s.ulysses) {
        return job.sequence % s.cp == 0 && job.model.heads % (std::uint64_t{s.tp} * s.cp) == 0;
    }
    // Each chip has an early and a late part of the sequence, so that a causal mask leaves all
    // with the same work.
    return job.sequence % (std::uint64_t{2} * s.cp) == 0;
}

bool pp_fits(const Strategy& s, const TrainingJob& job) {
    if (s.pp == 1) return true;
    // No stage is empty; embedding and output may stand for a layer each.
    return s.pp <= job.model.layers + 2 &&
           std::uint64_t{layers_per_stage(job, s.pp)} * (s.pp - 1) < job.model.layers + 2;
}

bool ep_fits(const Strategy& s, const TrainingJob& job) {
    if (job.model.is_moe()) {
        if (job.model.experts->ffn % (s.etp == 0 ? s.tp : s.etp) != 0) return false;
        // MindSpeed spreads experts that are not split over the chips of tp, too.
        if (s.framework == Framework::mindspeed && s.tp > 1 && s.etp == 1 && s.ep % s.tp != 0)
            return false;
        // Experts with biases are not split by Megatron-LM, and lie on tp 1 with MindSpeed.
        if (job.model.biases && s.tp > 1 && like_megatron(s.framework) &&
            (s.etp != 1 || s.framework == Framework::mindspeed))
            return false;
    }
    if (s.ep == 1) return true;
    if (s.framework == Framework::torchtitan &&
        s.ep % (std::uint64_t{s.cp} * (s.etp == 1 ? s.tp : 1)) != 0)
        return false;
    if (!job.model.is_moe() || job.model.experts->count % s.ep != 0) return false;
    const std::uint64_t room = std::uint64_t{s.dp} * s.cp * s.tp;
    return room % (std::uint64_t{s.ep} * (s.etp == 0 ? s.tp : s.etp)) == 0;
}

bool vpp_fits(const Strategy& s, const TrainingJob& job) {
    if (layers_per_stage(job, s.pp) % s.vpp != 0 ||
        std::uint64_t{s.pp} * s.vpp > job.model.layers + 2)
        return false;
    return s.framework != Framework::torchtitan ||
           titan_pipeline(job.model.layers, s.pp, s.vpp, Schedule::one_f_one_b).has_value();
}

bool depth_fits(const Strategy& s, const TrainingJob& job) {
    const std::uint64_t micro_batches = micro_batches_of(s, job);
    if (s.pp == 1) return s.vpp == 1 && s.schedule == Schedule::one_f_one_b;
    if (s.vpp > 1) {
        return s.schedule == Schedule::one_f_one_b && micro_batches % s.pp == 0 && vpp_fits(s, job);
    }
    // It sends micro-batches from both ends.
    return s.schedule != Schedule::dualpipe ||
           (micro_batches % 2 == 0 && micro_batches >= std::uint64_t{2} * s.pp);
}

std::vector<Depth> depths_of(const Strategy& s, const TrainingJob& job, const SearchOptions& o) {
    std::vector<Depth> found;
    Strategy one = s;
    for (const Schedule schedule : o.schedules) {
        one.schedule = schedule;
        const std::uint32_t deepest =
            s.pp == 1 || schedule != Schedule::one_f_one_b ? 1 : layers_per_stage(job, s.pp);
        for (one.vpp = 1; one.vpp <= deepest && one.vpp <= o.vpp.high; ++one.vpp) {
            if (o.vpp.has(one.vpp) && depth_fits(one, job)) found.push_back({schedule, one.vpp});
        }
    }
    return found;
}

std::vector<bool> sequence_parallels_of(const Strategy& s,
                                        const TrainingJob& job,
                                        const SearchOptions& options) {
    if (s.tp == 1) return {false};
    std::vector<bool> found;
    if (chosen(options.sequence_parallel, false)) found.push_back(false);
    // Megatron-DeepSpeed has it or context parallelism.
    const bool either = s.framework == Framework::deepspeed && s.cp > 1;
    if (chosen(options.sequence_parallel, true) && job.sequence / s.cp % s.tp == 0 && !either)
        found.push_back(true);
    return found;
}

// Whether DeepSpeed sums gradients as asked without ZeRO: FP16 in itself, BF16 in FP32 where no
// pipeline does it.
bool sums_whole(const Strategy& s) {
    if (s.precision == Precision::fp16) return !s.fp32_gradients;
    return s.precision != Precision::bf16 || s.fp32_gradients || s.pp > 1;
}

std::vector<std::uint32_t> zeros_of(const Strategy& s, const SearchOptions& options) {
    const bool replicated = std::uint64_t{s.dp} * s.cp > 1;
    // FSDP that has nothing to split is off.
    if (s.framework == Framework::torchtitan && !replicated) return {0};
    std::vector<std::uint32_t> found;
    for (const std::uint32_t zero : options.zero) {
        // Pipelines keep gradients of several micro-batches, which stages 2 and 3 would have given
        // away; torchtitan's FSDP gathers them again.
        const bool sharded = s.framework == Framework::deepspeed || like_megatron(s.framework);
        if (sharded && s.pp > 1 && zero > 1) continue;
        if (s.framework == Framework::deepspeed && zero == 0 && !sums_whole(s)) continue;
        found.push_back(zero);
    }
    // Where nothing is replicated there is nothing to split.
    if (!replicated && found.size() > 1) found = {*std::min_element(found.begin(), found.end())};
    return found;
}

bool offload_fits(const Strategy& s) {
    return s.zero > 0 || !is_launched(s.framework);
}

RecomputeParts parts_of(const TrainingJob& job, const Strategy& base) {
    if (base.framework == Framework::torchtitan)
        return {.norms = true, .activation = true, .every_other_product = true};
    return {.attention = !base.flash_attention,
            .norms = true,
            // Megatron-LM recomputes that of experts alone, or a plain feed-forward as a whole;
            // MindSpeed the function alone.
            .activation = base.framework != Framework::megatron_lm || job.model.is_moe(),
            .mlp = !job.model.is_moe() && base.framework != Framework::mindspeed,
            .latent_up = job.model.latent.has_value()};
}

bool recompute_fits(const Strategy& s, const TrainingJob& job) {
    const unsigned bits = bits_of(s.parts);
    if ((s.recompute == Recompute::selective) != (bits != 0)) return false;
    const unsigned all = bits_of(parts_of(job, s));
    if ((bits & ~all) != 0) return false;
    if (!parts_go_alone(s.framework) && bits != 0 && bits != all) return false;
    // MindSpeed's up-projections are recomputed beside the gather of sequence parallelism, and
    // attention goes with no other part.
    if (s.framework == Framework::mindspeed) {
        if (s.parts.latent_up && !s.sequence_parallel) return false;
        if (s.parts.attention && bits != bits_of({.attention = true})) return false;
    }
    if (s.recompute_layers == 0) return true;
    if (s.recompute != Recompute::full || s.recompute_layers >= layers_per_stage(job, s.pp))
        return false;
    // As many of each virtual stage.
    if (s.framework == Framework::megatron_lm) return s.recompute_layers % s.vpp == 0;
    // Every n-th layer of a stage.
    if (s.framework == Framework::torchtitan) {
        return job.model.layers % s.pp == 0 &&
               layers_per_stage(job, s.pp) % s.recompute_layers == 0;
    }
    return true;
}

bool offload_fits(const Strategy& s, const TrainingJob& job, const SearchOptions& o) {
    return o.offload_layers && o.base.offload_layers == 0 && s.pp == 1 &&
           s.recompute == Recompute::none && s.offload_layers > 0 &&
           s.offload_layers < job.model.layers;
}

std::vector<Again> recomputes_of(const Strategy& s,
                                 const TrainingJob& job,
                                 const SearchOptions& o) {
    std::vector<Again> found;
    const std::uint32_t base = o.base.offload_layers;
    const auto add = [&](const Again& again) {
        found.push_back(again);
        found.back().offload_layers = base;
    };
    if (o.recompute_none) {
        add({Recompute::none, {}, 0});
        Strategy one = s;
        one.recompute = Recompute::none;
        for (one.offload_layers = 1; offload_fits(one, job, o); ++one.offload_layers)
            found.push_back({.offload_layers = one.offload_layers});
    }
    if (o.recompute_selective) {
        const unsigned all = bits_of(parts_of(job, s));
        for (unsigned bits = parts_go_alone(s.framework) ? 1 : all; bits <= all; ++bits) {
            if ((bits & ~all) == 0) add({Recompute::selective, parts_from(bits), 0});
        }
    }
    if (o.recompute_full) {
        if (o.recompute_block) {
            for (std::uint32_t layers = 1; layers < layers_per_stage(job, s.pp); ++layers)
                add({Recompute::full, {}, layers});
        }
        add({Recompute::full, {}, 0});
    }
    return found;
}

double least_memory_bytes(const TrainingModel& model,
                          const SearchOptions& options,
                          Strategy s,
                          const TrainingModel::Layers& layers,
                          const std::vector<std::uint32_t>& zeros,
                          std::array<std::uint32_t, 2> stages) {
    // Weights, gradients and optimiser depend on sharding and offload, activations on
    // recomputation, each smallest by itself.
    s.offload_optimizer = options.offload_optimizer;
    const RecomputeParts all = parts_of(model.job(), s);
    double fullest = 0;
    for (const std::uint32_t stage : stages) {
        double least = std::numeric_limits<double>::infinity();
        std::uint32_t least_zero = zeros.front();
        s.recompute = Recompute::full;
        s.recompute_layers = 0;
        s.parts = {};
        for (const std::uint32_t zero : zeros) {
            s.zero = zero;
            const double bytes = sum_of(model.memory(s, layers, stage));
            if (bytes < least) {
                least = bytes;
                least_zero = zero;
            }
        }
        s.zero = least_zero;
        s.recompute = Recompute::selective;
        s.parts = all;
        least = std::min(least, sum_of(model.memory(s, layers, stage)));
        Strategy away = s;
        away.recompute = Recompute::none;
        away.parts = {};
        away.offload_layers = model.job().model.layers - 1;
        if (offload_fits(away, model.job(), options))
            least = std::min(least, sum_of(model.memory(away, layers, stage)));
        fullest = std::max(fullest, least);
        if (stages[0] == stages[1]) break;
    }
    return fullest;
}

Overlap effective(const Strategy& s) {
    const bool replicated = std::uint64_t{s.dp} * s.cp > 1;
    Overlap overlap;
    overlap.grad_reduce = replicated && s.zero < 3;  // ZeRO-3 always does
    if (s.framework == Framework::deepspeed && s.zero == 0) overlap.grad_reduce = false;
    overlap.param_gather = replicated && (s.zero == 1 || s.zero == 2);
    // MindSpeed's products with communication inside (MC2) do not go with experts, and its
    // all-to-all beside computation does not go with experts that are split over tp.
    const bool mindspeed = s.framework == Framework::mindspeed;
    overlap.tensor = s.tp > 1 && s.sequence_parallel && !(mindspeed && s.ep > 1);
    overlap.pipeline = s.vpp > 1;
    // Megatron-LM puts it beside another virtual stage, so a pipeline needs several, and layers
    // that are not done again as a whole.
    const bool alone = s.framework == Framework::megatron_lm &&
                       ((s.pp > 1 && s.vpp == 1) || s.recompute == Recompute::full);
    overlap.experts = s.ep > 1 && !(mindspeed && s.tp > 1 && s.etp != 1) && !alone;
    return overlap;
}

Overlap usable(const Strategy& s, const SearchOptions& options) {
    Overlap overlap = effective(s);
    for (const auto member : overlaps)
        overlap.*member = overlap.*member && options.overlap.*member;
    return overlap;
}

Overlap needed(const Strategy& s) {
    Overlap overlap;
    overlap.pipeline = s.vpp > 1 && ((like_megatron(s.framework) && s.pp <= 2) ||
                                     s.framework == Framework::torchtitan);
    return overlap;
}

bool gather_needs_reduce(Framework framework) {
    return like_megatron(framework);
}

double overlaps_of(const Strategy& s, const SearchOptions& options) {
    const Overlap able = usable(s, options);
    const Overlap must = needed(s);
    if (!contains(able, must)) return 0;
    if (!options.overlap_off) return 1;
    double ways = 1;
    for (const auto member : overlaps)
        ways *= able.*member && !(must.*member) ? 2 : 1;
    // Three of the four choices for gradients and weights.
    if (gather_needs_reduce(s.framework) && able.grad_reduce && able.param_gather) ways *= 0.75;
    return ways;
}

Result<void> in_space(const Strategy& s, const TrainingJob& job, const SearchOptions& options) {
    WEIR_CHECK(check(s, job, s.chips()));
    if (options.fewer_chips ? s.chips() > options.chips : s.chips() != options.chips)
        return outside("chips", fmt::format("{} of {}", s.chips(), options.chips));
    if (std::find(options.precisions.begin(), options.precisions.end(), s.precision) ==
        options.precisions.end())
        return outside("precision", "not allowed");
    struct Degree {
        std::string_view name;
        std::uint32_t value;
        const Range& range;
    };
    for (const Degree& degree : {Degree{"tp", s.tp, options.tp},
                                 Degree{"pp", s.pp, options.pp},
                                 Degree{"dp", s.dp, options.dp},
                                 Degree{"cp", s.cp, options.cp},
                                 Degree{"ep", s.ep, options.ep},
                                 Degree{"vpp", s.vpp, options.vpp},
                                 Degree{"micro_batch", s.micro_batch, options.micro_batch}}) {
        if (!degree.range.has(degree.value)) {
            return outside(degree.name,
                           fmt::format("{} is not within {} to {}",
                                       degree.value,
                                       degree.range.low,
                                       degree.range.high));
        }
    }
    if (!tp_fits(s, job)) {
        return outside("tp", "must divide the width of the feed-forward and fit the heads of keys");
    }
    if (!cp_fits(s, job)) {
        return outside("cp",
                       s.ulysses ? "times tp must divide the heads of the model"
                                 : "twice as many must divide the sequence");
    }
    if (!pp_fits(s, job)) return outside("pp", "leaves a stage without layers");
    if (!ep_fits(s, job)) return outside("ep", "does not fit the experts or the chips of a stage");
    if (!depth_fits(s, job)) {
        return outside("vpp",
                       "must divide the layers of a stage, and pp the micro-batches; other "
                       "schedules than 1f1b need pp and go without");
    }
    if (std::find(options.schedules.begin(), options.schedules.end(), s.schedule) ==
        options.schedules.end())
        return outside("schedule", "not allowed");
    const std::vector<std::uint32_t> zeros = zeros_of(s, options);
    if (std::find(zeros.begin(), zeros.end(), s.zero) == zeros.end())
        return outside("zero", fmt::format("{} is not offered here", s.zero));
    const std::vector<bool> parallels = sequence_parallels_of(s, job, options);
    if (std::find(parallels.begin(), parallels.end(), s.sequence_parallel) == parallels.end())
        return outside("sequence_parallel", "not open, without tp, or beside cp");
    const bool may_split = job.model.is_moe() && s.tp > 1;
    if (may_split && options.expert_tensor ? s.etp > 1 : s.etp != options.base.etp)
        return outside("etp", "is that of tp or 1");
    const bool open = s.recompute == Recompute::none        ? options.recompute_none
                      : s.recompute == Recompute::selective ? options.recompute_selective
                      : s.recompute_layers == 0             ? options.recompute_full
                                                : options.recompute_full && options.recompute_block;
    if (!open || !recompute_fits(s, job)) return outside("recompute", "not offered here");
    if (s.offload_optimizer && !options.offload_optimizer)
        return outside("offload_optimizer", "not open");
    if (s.offload_optimizer && !offload_fits(s))
        return outside("offload_optimizer", "needs zero 1");
    if (s.deepep != (options.base.deepep && deepep_fits(s)))
        return outside("expert_dispatch", "is deepep wherever that goes and is open");
    const Overlap able = usable(s, options);
    for (const auto member : overlaps) {
        if (s.overlap.*member ? !(able.*member) : able.*member && !options.overlap_off)
            return outside("overlap", "does nothing here, or is not open");
    }
    if (!contains(s.overlap, needed(s))) return outside("overlap", "cannot be done without");
    if (gather_needs_reduce(s.framework) && able.grad_reduce && s.overlap.param_gather &&
        !s.overlap.grad_reduce)
        return outside("overlap", "weights only where gradients, too");
    const Strategy& base = options.base;
    if (s.offload_layers != base.offload_layers && !offload_fits(s, job, options))
        return outside("offload_layers", "not open, or beside a pipeline or recomputation");
    if (std::tie(s.zero_group,
                 s.ulysses,
                 s.flash_attention,
                 s.cuda_graphs,
                 s.fp32_gradients,
                 s.framework) != std::tie(base.zero_group,
                                          base.ulysses,
                                          base.flash_attention,
                                          base.cuda_graphs,
                                          base.fp32_gradients,
                                          base.framework))
        return outside("base", "is not varied");
    return {};
}

bool simpler(const Strategy& one, const Strategy& other) {
    const auto key = [](const Strategy& s) {
        return std::make_tuple(s.recompute,
                               s.recompute_layers,
                               bits_of(s.parts),
                               s.offload_optimizer,
                               s.offload_layers,
                               s.zero,
                               s.schedule,
                               s.vpp,
                               s.pp,
                               s.cp,
                               s.tp,
                               s.ep,
                               s.etp,
                               s.micro_batch,
                               s.sequence_parallel,
                               bits_of(s.overlap),
                               s.precision,
                               s.dp);
    };
    return key(one) < key(other);
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

}  // namespace

tl::unexpected<Error> nothing_to_search(const TrainingModel& model, const SearchOptions& options) {
    const TrainingJob& job = model.job();
    std::string formats;
    bool able = false;
    for (const Precision precision : options.precisions) {
        if (!formats.empty()) formats += ", ";
        formats += name_of(precision);
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

SearchOptions options_on(const Machine& machine, SearchOptions options) {
    options.base.deepep = options.base.deepep && machine.deepep;
    return options;
}

SearchOptions options_for(Framework framework) {
    SearchOptions options;
    options.base.framework = framework;
    options.base.deepep = stack_of(framework).deepep;
    const Range one{1, 1};
    switch (framework) {
        case Framework::megatron_lm:
            options.offload_layers = true;
            break;
        case Framework::mindspeed:
            break;
        case Framework::deepspeed:
            options.zero = {0, 1, 2, 3};
            options.vpp = one;
            options.base.ulysses = true;
            options.offload_optimizer = true;
            // Of attention alone, which flash attention does anyway; of whole stages.
            options.recompute_selective = false;
            options.recompute_block = false;
            // Weights come in beside computation only where they are split, and then always.
            options.overlap = {.grad_reduce = true};
            break;
        case Framework::torchtitan:
            options.zero = {3};
            options.sequence_parallel = Choice::on;
            options.overlap = {.tensor = true, .pipeline = true};
            break;
        case Framework::composer:
            options.zero = {0, 2, 3};
            options.tp = options.pp = options.cp = options.ep = options.vpp = one;
            options.recompute_selective = false;
            options.recompute_block = false;
            options.overlap = {.grad_reduce = true, .param_gather = true};
            break;
        case Framework::jax:
            options.zero = {0, 1, 3};
            options.pp = options.vpp = one;
            options.overlap_off = false;
            break;
    }
    return options;
}

SearchOptions options_for(Framework framework, const catalog::Model& model) {
    SearchOptions options = options_for(framework);
    const bool moe = model.is_moe();
    const Range one{1, 1};
    // Megatron-LM gives chips beyond the groups of keys the same ones; the others do not. All of
    // their stages have a layer.
    if (is_launched(framework) && framework != Framework::megatron_lm) {
        options.tp.high = model.kv_heads;
        options.pp.high = model.layers;
    }
    if (moe && like_megatron(framework)) options.sequence_parallel = Choice::on;
    if (framework == Framework::mindspeed) {
        if (moe) options.overlap.tensor = false;
        if (model.window > 0) options.cp = one;
    }
    if (moe && framework == Framework::deepspeed) {
        options.pp = one;
        options.zero = {0, 1, 2};
    }
    return options;
}

}  // namespace weir::plan
