// Losses: where the compute of a fleet went, class by class, from what its nodes could have given
// to what was computed.
//
// The classes stand in the order of the waterfall. Each belongs to a *step*: what a step loses is
// the sum of its classes, and what is left after it is the peak without all that was lost so far.
//
//     peak > powered > healthy > demanded > admissible > placeable = allocated
//          > running > plan efficiency > kernel efficiency > useful
//
// Amounts are whole numbers: thousandths of a chip (or of a CPU) times milliseconds, 128 bits wide,
// so that a million chips over a century add up without rounding.
//
// Threads: values and pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::tenancy {

// New ones go where they belong in the waterfall: books and logs know them by name.
enum class Loss : std::uint8_t {
    unpowered,        // idle, and the budget of its rack, pod or site cannot feed it
    failed,           // idle on a node that is down
    drained,          // idle on a node that takes no new jobs, or is maintained
    not_demanded,     // idle, and nobody waits who could use it
    over_quota,       // idle, and who could use it is held back by quotas
    wrong_precision,  // idle, and who could use it is held back by its precision contract
    awaiting_data,    // idle, and who could use it waits for its datasets to come to this site
    set_apart,        // idle while somebody waits, on nodes reserved for others
    promised,         // idle while somebody waits, on nodes that are promised to a job
    shared_rest,      // idle while somebody waits: what is left of a chip that jobs share
    fragmented,  // idle while somebody waits: in pieces or places that fit nobody who may start
    staging,     // held while data is fetched
    start_up,    // held until the program computes
    checkpoint,  // held while work is saved
    restart,     // held while a job goes on from a checkpoint
    lost_work,   // held for work that was done again, or of jobs that never came out
    open,        // held by attempts, or for work, of which it is not known yet what it was for
    plan,        // running: lost by how the job is spread over its chips
    kernel,      // running: lost by what its programs make of a chip
    running,     // running, and nobody said how efficiently
    useful       // what was computed
};
inline constexpr std::size_t loss_count = 21;
inline constexpr Loss first_held = Loss::staging;  // from here on somebody held it

std::string_view name_of(Loss loss);   // "not_demanded": for programs
std::string_view title_of(Loss loss);  // "nobody waits": for people

using ChipTime = unsigned __int128;  // thousandths of a chip (or CPU) x milliseconds
std::string text_of(ChipTime amount);
// In chip-hours (or CPU-hours); rounded, so not to be added up.
double hours_of(ChipTime amount);
// of / whole; 0 where there is no whole.
double share_of(ChipTime of, ChipTime whole);

struct Losses {
    std::array<ChipTime, loss_count> of{};

    [[nodiscard]] ChipTime& operator[](Loss loss) { return of[static_cast<std::size_t>(loss)]; }
    [[nodiscard]] ChipTime operator[](Loss loss) const {
        return of[static_cast<std::size_t>(loss)];
    }
    [[nodiscard]] ChipTime sum(Loss first, Loss last) const;  // both included
    [[nodiscard]] ChipTime total() const { return sum(Loss::unpowered, Loss::useful); }
    [[nodiscard]] ChipTime held() const { return sum(first_held, Loss::useful); }
    Losses& operator+=(const Losses& other);
    friend bool operator==(const Losses&, const Losses&) = default;
};

// Of what a chip could compute, in millionths: what is left after the plan, and of that what
// programs reach on the chip.
struct Efficiency {
    std::uint32_t plan_ppm = 1'000'000;
    std::uint32_t kernel_ppm = 1'000'000;
    friend bool operator==(const Efficiency&, const Efficiency&) = default;
};

// What is lost between two levels of the waterfall.
struct Step {
    std::string_view from;  // the level above
    std::string_view to;    // what is left below
    Loss first;
    Loss last;
};
inline constexpr std::size_t step_count = 8;
const std::array<Step, step_count>& steps();

}  // namespace weir::tenancy
