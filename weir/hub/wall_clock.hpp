// The only place of the hub that reads a clock.
//
// Everything else in it takes the time from whoever called it, so that it can be replayed.
#pragma once

#include <cstdint>

#include "weir/hub/book_clock.hpp"

namespace weir::hub {

Moment moment_now();

// Never goes back; only differences mean something. For measuring, not for deciding.
std::int64_t monotonic_microseconds();

}  // namespace weir::hub
