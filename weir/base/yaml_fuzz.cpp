// Any bytes: parse() refuses or gives a tree, and what print() makes of the tree reads back equal.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "weir/base/assert.hpp"
#include "weir/base/yaml.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto tree = yaml::parse(text, "fuzz", {1 << 16, 20'000, 64});
    if (!tree.has_value()) {
        WEIR_ASSERT(tree.error().message.rfind("fuzz", 0) == 0);
        return 0;
    }
    const std::string printed = yaml::print(*tree);
    const auto again = yaml::parse(printed, "printed");
    WEIR_ASSERT(again.has_value());
    WEIR_ASSERT(yaml::same(*tree, *again));
    WEIR_ASSERT(yaml::print(*again) == printed);
    return 0;
}
