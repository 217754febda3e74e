// Any bytes as a plan file: refused with a place, or a plan whose step and memory are numbers.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "weir/base/assert.hpp"
#include "weir/plan/plan_file.hpp"
#include "weir/plan/training.hpp"

namespace weir::plan {

// For tests of this room, whose program holds another fuzzer's entry already.
void try_plan_file(std::string_view text);
void try_plan_file(std::string_view text) {
    const auto file = read_plan_text(text, "fuzz", catalog::Catalog::built_in());
    if (!file.has_value()) {
        WEIR_ASSERT(file.error().message.rfind("fuzz", 0) == 0);
        return;
    }
    const Strategy& strategy = file->strategy;
    WEIR_ASSERT(check(strategy, file->job, strategy.chips()).has_value());
    Strategy again;
    WEIR_ASSERT(recompute_from_text(recompute_text(strategy), again).has_value());
    WEIR_ASSERT(again.recompute == strategy.recompute);
    WEIR_ASSERT(again.recompute_layers == strategy.recompute_layers);

    const Prediction prediction = TrainingModel(file->job, file->machine).predict(strategy);
    WEIR_ASSERT(std::isfinite(prediction.step_s) && prediction.step_s > 0);
    const double bytes = prediction.memory_total_bytes();
    WEIR_ASSERT(std::isfinite(bytes) && bytes > 0);
}

}  // namespace weir::plan

#ifdef WEIR_FUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    weir::plan::try_plan_file({reinterpret_cast<const char*>(data), size});
    return 0;
}
#endif
