#include "weir/base/seconds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "weir/base/units.hpp"

namespace weir {

std::string format_seconds(double seconds) {
    if (!std::isfinite(seconds)) return "- s";
    if (seconds < 0) return "-" + format_seconds(-seconds);
    if (seconds == 0) return "0 s";
    const bool short_time = seconds < 0.9995;
    const double value = short_time ? 1000 * seconds : seconds;
    if (value >= 999.5)
        return format_count(static_cast<std::uint64_t>(std::llround(std::min(value, 1e18)))) + " s";
    const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    return fmt::format("{:.{}f} {}", value, decimals, short_time ? "ms" : "s");
}

}  // namespace weir
