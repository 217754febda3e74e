#include "weir/exec/executor.hpp"

namespace weir::exec {

std::string text_of(AttemptId id) {
    return std::to_string(id.job.value) + "." + std::to_string(id.number);
}

std::string_view name_of(EndKind kind) {
    switch (kind) {
        case EndKind::exited:
            return "exited";
        case EndKind::time_limit:
            return "time_limit";
        case EndKind::memory:
            return "memory";
        case EndKind::stopped:
            return "stopped";
        case EndKind::not_started:
            return "not_started";
        case EndKind::lost:
            return "lost";
    }
    return "lost";
}

}  // namespace weir::exec
