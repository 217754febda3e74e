#include "weir/hub/wall_clock.hpp"

#include <chrono>

namespace weir::hub {

Moment moment_now() {
    using std::chrono::duration_cast;
    return {
        .wall = Time{duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())},
        .steady = duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

std::int64_t monotonic_microseconds() {
    const auto since_boot = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(since_boot).count();
}

}  // namespace weir::hub
