// Any bytes as a fleet file: refused, or a fleet that print_fleet() writes and reads back the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "weir/base/assert.hpp"
#include "weir/fleet/fleet_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parsed = fleet::read_fleet_text(text, "fuzz");
    if (!parsed.has_value()) {
        WEIR_ASSERT(parsed.error().message.rfind("fuzz", 0) == 0);
        return 0;
    }
    WEIR_ASSERT(parsed->fleet.nodes_total() > 0);
    // Watts are printed to a microwatt, so texts are compared and not the doubles.
    const std::string printed = fleet::print_fleet(parsed->fleet);
    const auto again = fleet::read_fleet_text(printed, "printed");
    WEIR_ASSERT(again.has_value());
    WEIR_ASSERT(fleet::print_fleet(again->fleet) == printed);
    return 0;
}
