#include "weir/catalog/format.hpp"

#include <algorithm>
#include <array>

namespace weir::catalog {
namespace {

// Sources: IEEE 754-2019; OCP "8-bit Floating Point Specification" 1.0 (e4m3 ends at 448, e5m2 at
// 57,344) and "Microscaling Formats" 1.0 (fp4 is e2m1 and ends at 6); NVIDIA A100 white paper for
// tf32, which lies in memory as fp32 does.
// clang-format off
constexpr std::array<FormatFacts, 11> table{{
    {"fp64",    false, 53, 11, 1023, 64},
    {"fp32",    false, 24,  8,  127, 32},
    {"tf32",    false, 11,  8,  127, 32},
    {"bf16",    false,  8,  8,  127, 16},
    {"fp16",    false, 11,  5,   15, 16},
    {"fp8e4m3", false,  4,  4,    8,  8},
    {"fp8e5m2", false,  3,  5,   15,  8},
    {"fp8",     false,  3,  4,    8,  8},
    {"fp4",     false,  2,  2,    2,  4},
    {"int8",    true,   8,  0,    7,  8},
    {"int4",    true,   4,  0,    3,  4},
}};
// clang-format on

}  // namespace

const FormatFacts& facts_of(Format format) {
    return table.at(static_cast<std::size_t>(format));
}

const std::vector<Format>& all_formats() {
    static const std::vector<Format> formats = [] {
        std::vector<Format> all;
        for (std::size_t i = 0; i < table.size(); ++i)
            all.push_back(static_cast<Format>(i));
        return all;
    }();
    return formats;
}

const std::vector<std::string_view>& format_names() {
    static const std::vector<std::string_view> names = [] {
        std::vector<std::string_view> all;
        for (const FormatFacts& facts : table)
            all.push_back(facts.name);
        return all;
    }();
    return names;
}

std::string_view name_of(Format format) {
    return facts_of(format).name;
}

std::optional<Format> format_from_name(std::string_view name) {
    const auto found = std::find_if(table.begin(), table.end(), [name](const FormatFacts& facts) {
        return facts.name == name;
    });
    if (found == table.end()) return std::nullopt;
    return static_cast<Format>(found - table.begin());
}

bool holds(Format wide, Format narrow) {
    const FormatFacts& w = facts_of(wide);
    const FormatFacts& n = facts_of(narrow);
    return w.is_integer == n.is_integer && w.significand_bits >= n.significand_bits &&
           w.exponent_bits >= n.exponent_bits && w.exponent_max >= n.exponent_max;
}

}  // namespace weir::catalog
