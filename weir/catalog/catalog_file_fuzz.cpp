// Any bytes as a catalogue file: refused with a place, or chips that survive both of their written
// forms.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "weir/base/assert.hpp"
#include "weir/catalog/catalog_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto chips = catalog::read_catalog_text(text, "fuzz");
    if (!chips.has_value()) {
        WEIR_ASSERT(chips.error().message.rfind("fuzz", 0) == 0);
        return 0;
    }
    const auto again = catalog::read_catalog_text(catalog::print_catalog(*chips), "printed");
    WEIR_ASSERT(again.has_value());
    WEIR_ASSERT(*again == *chips);
    for (const catalog::ChipRecord& chip : *chips) {
        const auto record = catalog::chip_from_json(catalog::chip_to_json(chip));
        WEIR_ASSERT(record.has_value());
        WEIR_ASSERT(*record == chip);
    }
    return 0;
}
