// The only place of the hub that reads a clock.
//
// Everything else in it takes the time from whoever called it, so that it can be replayed.
#pragma once

#include <cstdint>

#include "weir/base/time.hpp"

namespace weir::hub {

// UTC, since the Unix epoch. May jump back when somebody sets the clock.
Time wall_now();

// Never goes back; only differences mean something. For measuring, not for deciding.
std::int64_t monotonic_microseconds();

}  // namespace weir::hub
