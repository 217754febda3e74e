// How long predictions say that something takes, for people: one spelling for steps, tokens and
// runs. (Durations that people give, "90s" or "3h 10m", are of time.hpp.)
//
// Threads: a pure function.
#pragma once

#include <string>

namespace weir {

// 12.34 -> "12.3 s", 0.0057 -> "5.70 ms", 12345.6 -> "12,346 s": three significant digits.
std::string format_seconds(double seconds);

}  // namespace weir
