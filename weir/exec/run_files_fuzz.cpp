// Everything that is read back from a run folder: a state file, a launch description (as the
// shepherd reads it) and the name of an attempt. Nothing may crash; what is accepted is sane.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "weir/base/assert.hpp"
#include "weir/exec/run_files.hpp"
#include "weir/exec/shepherd_launch.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto end = weir::exec::parse_end({weir::JobId{1}, 1}, text);
    if (end) WEIR_ASSERT(end->detail.find('\n') == std::string::npos);

    const auto attempt = weir::exec::parse_attempt(text);
    if (attempt) WEIR_ASSERT(weir::exec::parse_attempt(text_of(*attempt)).value() == *attempt);

    weir::exec::shepherd::LaunchPlan plan;
    const char* const wrong = weir::exec::shepherd::read_launch(text.data(), text.size(), plan);
    if (wrong == nullptr) WEIR_ASSERT(plan.task_count > 0);
    for (int i = 0; i < plan.task_count; ++i)
        std::free(plan.tasks[i].env);
    std::free(plan.tasks);
    return 0;
}
