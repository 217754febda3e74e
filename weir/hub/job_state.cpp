#include <array>
#include <utility>

#include "weir/hub/hub.hpp"

namespace weir::hub {
namespace {

constexpr std::array<std::pair<JobState, std::string_view>, 9> names{
    {{JobState::held, "held"},
     {JobState::pending, "pending"},
     {JobState::running, "running"},
     {JobState::stopping, "stopping"},
     {JobState::succeeded, "succeeded"},
     {JobState::failed, "failed"},
     {JobState::time_limit, "time_limit"},
     {JobState::cancelled, "cancelled"},
     {JobState::lost, "lost"}}};

}  // namespace

std::string_view name_of(JobState state) {
    for (const auto& known : names) {
        if (known.first == state) return known.second;
    }
    return "unknown";
}

std::optional<JobState> job_state_from_name(std::string_view name) {
    for (const auto& known : names) {
        if (known.second == name) return known.first;
    }
    return std::nullopt;
}

bool is_final(JobState state) {
    switch (state) {
        case JobState::held:
        case JobState::pending:
        case JobState::running:
        case JobState::stopping:
            return false;
        case JobState::succeeded:
        case JobState::failed:
        case JobState::time_limit:
        case JobState::cancelled:
        case JobState::lost:
            return true;
    }
    return true;
}

}  // namespace weir::hub
