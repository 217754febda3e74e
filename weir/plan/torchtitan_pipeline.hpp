// How torchtitan cuts a model into stages: by a number of layers for each, in which the embedding
// and the output count as layers, rounded up.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "weir/base/result.hpp"
#include "weir/plan/strategy.hpp"

namespace weir::plan {

struct TitanPipeline {
    std::string_view schedule;           // "Interleaved1F1B"
    std::uint32_t layers_per_stage = 0;  // 0 = not said: one stage a rank, two where interleaved
    std::uint32_t first_less = 1;        // that the embedding counts for
    std::uint32_t last_less = 1;
};

// The settings that give these stages; fails where none do.
Result<TitanPipeline> titan_pipeline(std::uint32_t layers,
                                     std::uint32_t pp,
                                     std::uint32_t vpp,
                                     Schedule schedule);

// What a schedule's name means: the schedule, and whether a rank has one stage; nullptr = unknown.
struct TitanSchedule {
    std::string_view name;
    Schedule schedule;
    bool single_stage;
};
const TitanSchedule* find_titan_schedule(std::string_view name);

// Stages of a rank that these settings give; fails where ranks would have unequal numbers.
Result<std::uint32_t> titan_stages_per_rank(std::uint32_t layers,
                                            std::uint32_t pp,
                                            const TitanSchedule& schedule,
                                            const TitanPipeline& settings);

}  // namespace weir::plan
