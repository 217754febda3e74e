#include "weir/job/job.hpp"

#include <array>

namespace weir::job {
namespace {

constexpr std::array<std::string_view, 4> priority_names{"low", "normal", "high", "urgent"};
constexpr std::array<std::string_view, 2> launch_names{"replicas", "once"};

template <class Enum, std::size_t n>
std::optional<Enum> from_name(const std::array<std::string_view, n>& names, std::string_view name) {
    for (std::size_t i = 0; i < n; ++i) {
        if (names.at(i) == name) return static_cast<Enum>(i);
    }
    return std::nullopt;
}

}  // namespace

std::string_view name_of(Priority priority) {
    return priority_names.at(static_cast<std::size_t>(priority));
}
std::optional<Priority> priority_from_name(std::string_view name) {
    return from_name<Priority>(priority_names, name);
}

std::string_view name_of(LaunchMode mode) {
    return launch_names.at(static_cast<std::size_t>(mode));
}
std::optional<LaunchMode> launch_mode_from_name(std::string_view name) {
    return from_name<LaunchMode>(launch_names, name);
}

}  // namespace weir::job
