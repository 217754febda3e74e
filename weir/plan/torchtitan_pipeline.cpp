// Rules: pytorch/torchtitan, torchtitan/distributed/pipeline_parallel.py (pipeline_llm); schedules:
// torch/distributed/pipelining/schedules.py.
#include "weir/plan/torchtitan_pipeline.hpp"

#include <fmt/format.h>

#include <array>

namespace weir::plan {
namespace {

constexpr std::array<TitanSchedule, 7> schedules{{
    {"1F1B", Schedule::one_f_one_b, true},
    {"Interleaved1F1B", Schedule::one_f_one_b, false},
    {"GPipe", Schedule::one_f_one_b, true},
    {"LoopedBFS", Schedule::one_f_one_b, false},
    {"InterleavedZeroBubble", Schedule::zero_bubble, false},
    {"ZBVZeroBubble", Schedule::zero_bubble, false},
    {"DualPipeV", Schedule::dualpipe, false},
}};

}  // namespace

const TitanSchedule* find_titan_schedule(std::string_view name) {
    for (const TitanSchedule& one : schedules) {
        if (one.name == name) return &one;
    }
    return nullptr;
}

Result<TitanPipeline> titan_pipeline(std::uint32_t layers,
                                     std::uint32_t pp,
                                     std::uint32_t vpp,
                                     Schedule schedule) {
    TitanPipeline made;
    const bool folded = schedule == Schedule::dualpipe;  // two stages a rank, in a V
    if (folded && vpp > 1)
        return fail(
            Code::unsupported,
            fmt::format("torchtitan cannot launch schedule dualpipe: it wants vpp 1, not {}", vpp));
    if (schedule == Schedule::zero_bubble && vpp == 1) {
        return fail(Code::unsupported,
                    "torchtitan cannot launch schedule zero-bubble: it wants vpp of at least 2 "
                    "(InterleavedZeroBubble)");
    }
    made.schedule = folded                              ? "DualPipeV"
                    : schedule == Schedule::zero_bubble ? "InterleavedZeroBubble"
                    : vpp > 1                           ? "Interleaved1F1B"
                                                        : "1F1B";
    const std::uint32_t per_rank = folded ? 2 : vpp;
    const std::uint32_t stages = pp * per_rank;
    if (stages > layers) {
        return fail(
            Code::unsupported,
            fmt::format("torchtitan cannot launch pp {} with {} stages each: a stage wants a "
                        "layer, and the model has {}",
                        pp,
                        per_rank,
                        layers));
    }
    if (per_rank == 1 || per_rank == 2) return made;
    for (const std::uint32_t first : {1U, 0U}) {
        for (const std::uint32_t last : {1U, 0U}) {
            const std::uint32_t weight = layers + first + last;
            const std::uint32_t each = (weight + stages - 1) / stages;
            if ((weight + each - 1) / each == stages) {
                made.layers_per_stage = each;
                made.first_less = first;
                made.last_less = last;
                return made;
            }
        }
    }
    return fail(
        Code::unsupported,
        fmt::format(
            "torchtitan cannot launch pp {} with vpp {}: no number of layers for each stage "
            "cuts {} layers into as many",
            pp,
            vpp,
            layers));
}

Result<std::uint32_t> titan_stages_per_rank(std::uint32_t layers,
                                            std::uint32_t pp,
                                            const TitanSchedule& schedule,
                                            const TitanPipeline& settings) {
    if (settings.layers_per_stage == 0) return schedule.single_stage ? 1U : 2U;
    const std::uint64_t weight = std::uint64_t{layers} + settings.first_less + settings.last_less;
    const std::uint64_t stages =
        (weight + settings.layers_per_stage - 1) / settings.layers_per_stage;
    if (stages % pp != 0) {
        return fail(Code::invalid,
                    fmt::format("pipeline_parallel_layers_per_stage {}: cuts {} layers into {} "
                                "stages, which pipeline_parallel_degree {} does not divide",
                                settings.layers_per_stage,
                                layers,
                                stages,
                                pp));
    }
    const std::uint64_t per_rank = stages / pp;
    if (schedule.single_stage != (per_rank == 1)) {
        return fail(
            Code::invalid,
            fmt::format("pipeline_parallel_layers_per_stage {}: gives a rank {} stages, which "
                        "schedule {} cannot have",
                        settings.layers_per_stage,
                        per_rank,
                        schedule.name));
    }
    return static_cast<std::uint32_t>(per_rank);
}

}  // namespace weir::plan
