#include "weir/exec/wall_clock.hpp"

#include <chrono>

namespace weir::exec {

Time wall_now() {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    return Time{std::chrono::duration_cast<Duration>(since_epoch)};
}

}  // namespace weir::exec
