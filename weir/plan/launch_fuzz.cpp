// Any bytes as `--read` takes them: refused with their source, or a plan that can be checked, and
// written again reads back as the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "weir/base/assert.hpp"
#include "weir/plan/launch.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto read = plan::read_launch(text, "fuzz", {.chips = 64});
    if (!read.has_value()) {
        WEIR_ASSERT(read.error().message.rfind("fuzz", 0) == 0);
        return 0;
    }
    const plan::Launch& launch = read->launch;
    WEIR_ASSERT(plan::check(launch.strategy, launch.job, read->chips).has_value());
    const auto written = plan::launch_text(launch, read->framework);
    if (!written.has_value()) return 0;
    const auto again = plan::read_launch(*written, "written");
    WEIR_ASSERT(again.has_value());
    WEIR_ASSERT(again->framework == read->framework);
    WEIR_ASSERT(again->chips == read->chips);
    WEIR_ASSERT(again->launch.strategy ==
                plan::as_launched(launch.strategy, launch.job, read->framework));
    return 0;
}
