// Attempt: what one execution of a job has done at any moment, and what of it is saved.
//
//     begin   restart   every   cost   every   cost   every
//       |────────────|────────|░░░░░░|────────|░░░░░░|────────| end
//                             saved           saved    (nothing to save at the end)
//
// Everything follows from a few numbers, so an attempt costs nothing while it runs.
#pragma once

#include <algorithm>
#include <cstdint>

#include "weir/base/time.hpp"

namespace weir::sim {

struct Attempt {
    Time begin{};
    Duration restart{};  // before the work goes on from a checkpoint
    Duration work{};     // that is left to do
    Duration every{};    // of work between checkpoints; 0 = none are taken
    Duration cost{};     // of a checkpoint

    [[nodiscard]] std::int64_t checkpoints() const {
        return every <= Duration{} || work <= every ? 0 : (work - Duration{1}) / every;
    }
    [[nodiscard]] Time end() const { return begin + restart + work + checkpoints() * cost; }

    // Work that is done by `at`, saved or not. Requires: begin <= at <= end().
    [[nodiscard]] Duration done(Time at) const {
        const Duration worked = at - begin - restart;
        if (worked <= Duration{}) return {};
        const std::int64_t saves = saves_by(worked);
        return saves * every + std::min(worked - saves * (every + cost), step(saves));
    }
    // Work that the last checkpoint before `at` holds.
    [[nodiscard]] Duration saved(Time at) const {
        const Duration worked = at - begin - restart;
        return worked <= Duration{} ? Duration{} : saves_by(worked) * every;
    }
    // When the first checkpoint after `at` is done; `never` when there is none any more.
    [[nodiscard]] Time next_checkpoint(Time at) const {
        const Duration worked = std::max(Duration{}, at - begin - restart);
        const std::int64_t next = saves_by(worked) + 1;
        return next > checkpoints() ? never : begin + restart + next * (every + cost);
    }

private:
    [[nodiscard]] std::int64_t saves_by(Duration worked) const {
        return every <= Duration{} ? 0 : std::min(checkpoints(), worked / (every + cost));
    }
    // How much is worked after so many checkpoints until the next one, or the end.
    [[nodiscard]] Duration step(std::int64_t saves) const {
        return saves < checkpoints() ? every : work - saves * every;
    }
};

}  // namespace weir::sim
