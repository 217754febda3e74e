// In the way: who holds, or was promised, nodes that an operator names for a reservation.
//
// What runs must have ended by its limit before the reservation begins, what was promised must not
// need the nodes while it lasts, and no other reservation may have them. Which nodes to take, when
// only their number is asked for, is a question for the core (Engine::find_advance).
#pragma once

#include <vector>

#include "weir/base/result.hpp"
#include "weir/hub/book.hpp"

namespace weir::hub {

// The jobs that run on one of these nodes, oldest first.
std::vector<JobId> jobs_on(const sched::Advance::Nodes& run, const Book& book);

// The error names the first few of those in the way, each with its time.
Result<void> nobody_in_the_way(const sched::Advance& advance, const Book& book);

}  // namespace weir::hub
