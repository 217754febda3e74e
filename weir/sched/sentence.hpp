// Sentences: the core's reasons in words, with their numbers.
#pragma once

#include <string>
#include <string_view>

#include "weir/base/result.hpp"
#include "weir/base/time.hpp"
#include "weir/fleet/demand.hpp"
#include "weir/fleet/free_index.hpp"
#include "weir/sched/event.hpp"

namespace weir::sched {

// Whether the demand fits the empty and whole fleet, of which `empty` is the index; the error says
// what is asked and what the pools offer at most.
Result<void> can_ever_fit(const fleet::Fleet& fleet,
                          fleet::FreeIndex& empty,
                          const fleet::Demand& demand);

// "2 replicas with 4 chips, 32 CPUs and 128GiB each, within one rack".
std::string demand_in_words(const fleet::Demand& demand);

// "pool a has 3 of 8 chips and 12 of 96 CPUs free" for the pools that the demand may use.
std::string free_in_words(const fleet::Fleet& fleet,
                          const fleet::FreeIndex& free,
                          const fleet::Demand& demand);

// Why a job was started, after "it runs": "started when its turn came".
std::string_view start_in_words(Cause cause);

// "in 1h 05m", "any moment" when it is due, "at a time not known" for never.
std::string in_words(Time at, Time now);

}  // namespace weir::sched
