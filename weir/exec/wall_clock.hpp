// The only place of this room that reads the system clock: to stamp what happened on the machine
// and was seen by nobody else, such as a shepherd that is gone. Nothing here decides by it.
#pragma once

#include "weir/base/time.hpp"

namespace weir::exec {

// UTC, since the Unix epoch. May jump back when somebody sets the clock.
Time wall_now();

}  // namespace weir::exec
