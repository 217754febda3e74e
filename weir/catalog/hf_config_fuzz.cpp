// Any bytes as a config.json: refused with a place, or a shape that is sound.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "weir/base/assert.hpp"
#include "weir/catalog/hf_config.hpp"

namespace weir::catalog {

// For tests of this room, whose program holds another fuzzer's entry already.
void try_hf_config(std::string_view json);
void try_hf_config(std::string_view json) {
    const auto model = model_from_hf_config(json, "fuzzed", "fuzz");
    if (!model.has_value()) {
        WEIR_ASSERT(model.error().message.rfind("fuzz:", 0) == 0);
        return;
    }
    WEIR_ASSERT(check(*model).has_value());
    WEIR_ASSERT(!model->name.empty());
}

}  // namespace weir::catalog

#ifdef WEIR_FUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    weir::catalog::try_hf_config({reinterpret_cast<const char*>(data), size});
    return 0;
}
#endif
