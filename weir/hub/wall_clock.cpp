#include "weir/hub/wall_clock.hpp"

#include <chrono>

namespace weir::hub {

Time wall_now() {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    return Time{std::chrono::duration_cast<Duration>(since_epoch)};
}

std::int64_t monotonic_microseconds() {
    const auto since_boot = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(since_boot).count();
}

}  // namespace weir::hub
