// Time in weir: whole milliseconds, and no way to ask what time it is.
//
// CoreClock deliberately defines no now(): code that decides takes the time from the event it
// answers, and reading a clock there does not compile. The live service reads the system clock in
// two places: hub/wall_clock.hpp, for when something arrived, and exec/wall_clock.hpp, for what
// happened on the machine; the simulator has a virtual one. Live times count from the Unix epoch in
// UTC, simulated ones from the zero of the trace.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "weir/base/result.hpp"

namespace weir {

struct CoreClock {
    using duration = std::chrono::duration<std::int64_t, std::milli>;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<CoreClock, duration>;
    static constexpr bool is_steady = false;
};

using Duration = CoreClock::duration;
using Time = CoreClock::time_point;

// Far enough for "no limit", and safe to add a Duration to.
inline constexpr Duration forever{std::int64_t{1} << 60};
inline constexpr Time never{forever};

constexpr Duration seconds(std::int64_t count) {
    return Duration{count * 1000};
}
constexpr Time at_seconds(std::int64_t count) {
    return Time{seconds(count)};
}
constexpr std::int64_t whole_seconds(Duration duration) {
    return duration.count() / 1000;
}
constexpr double as_seconds(Duration duration) {
    return static_cast<double>(duration.count()) / 1000.0;
}

// "350ms", "42s", "12m 05s", "3h 10m", "2d 04h": short enough for a table cell.
std::string format_duration(Duration duration);

// ISO 8601 in UTC, "2026-11-24T08:00:00Z"; milliseconds are shown when not zero.
std::string format_time(Time time);

// "90s", "1.5h", "1h30m", "2d". A bare number is an error that shows the right spelling.
Result<Duration> parse_duration(std::string_view text);

// "2026-11-24T08:00:00Z", "2026-11-24T08:00:00+08:00", "2026-11-24". Without zone: UTC.
Result<Time> parse_time(std::string_view text);

}  // namespace weir
