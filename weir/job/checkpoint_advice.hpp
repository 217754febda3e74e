// Checkpoint advice: how often a job should save its work, and what that costs.
//
// Saving costs time, and so does doing again what was not saved; in between lies the best interval.
// With C the cost of a checkpoint and M the mean time between failures of the whole gang (that of a
// node divided by its nodes):
//
//   Young (CACM 17(9), 1974)        sqrt(2 C M): the first-order optimum
//   Daly  (FGCS 22(3), 2006, (37))  sqrt(2 C M) (1 + sqrt(C / 2M) / 3 + (C / 2M) / 9) - C
//                                   for C < 2 M, else M: also right where M is short
//
// An interval here is the time of work between the end of one checkpoint and the begin of the next.
// The share of time that is useful at any interval is Daly's closed form (20) for failures that
// come at random (exponential), during work, checkpoints and restarts alike, with R the time of a
// restart: every / (M exp(R/M) (exp((every + C)/M) - 1)).
//
// Threads: the functions keep no state.
#pragma once

#include <cstdint>

#include "weir/base/time.hpp"

namespace weir::job {

struct CheckpointCosts {
    Duration cost{};     // of one checkpoint
    Duration restart{};  // from the failure until the work goes on from the last checkpoint
    Duration mtbf{};     // mean time between failures of the gang
};

// Requires: nodes > 0.
Duration mtbf_of_gang(Duration node_mtbf, std::uint64_t nodes);

// Requires: cost and mtbf are positive. At least one millisecond.
Duration young_interval(Duration cost, Duration mtbf);
Duration daly_interval(Duration cost, Duration mtbf);

// The expected share of a long run that is work done once, 0..1. Requires: every and mtbf are
// positive.
double useful_share(Duration every, const CheckpointCosts& costs);

}  // namespace weir::job
