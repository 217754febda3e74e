// Formats of numbers, as a partial order and not as a ladder.
//
// A format holds another when every value of the other is one of its own: it has at least as many
// significant bits, as many bits of exponent, and reaches as far. So fp64 holds fp32, fp32 holds
// tf32, bf16 and fp16, but bf16 and fp16 hold each other not: one has the range, the other the
// digits. tf32 is not fp32. Integers are compared with integers only, because an integer product
// promises exact sums and a floating-point one does not.
//
// `fp8` is what a sheet that says no more promises: the digits and range that both OCP formats
// have. Who asks for e4m3 is not served by it.
//
// Threads: constant data.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace weir::catalog {

enum class Format : std::uint8_t {
    fp64,
    fp32,
    tf32,
    bf16,
    fp16,
    fp8e4m3,
    fp8e5m2,
    fp8,
    fp4,
    int8,
    int4,
};

struct FormatFacts {
    std::string_view name;
    bool is_integer = false;
    int significand_bits = 0;  // with the hidden one
    int exponent_bits = 0;
    int exponent_max = 0;  // the largest value is below 2^(exponent_max + 1)
    int bits = 0;          // in memory
};

const FormatFacts& facts_of(Format format);
const std::vector<Format>& all_formats();
const std::vector<std::string_view>& format_names();  // in the same order
std::string_view name_of(Format format);
std::optional<Format> format_from_name(std::string_view name);

// Every value of `narrow` is a value of `wide`. Reflexive, antisymmetric, transitive.
bool holds(Format wide, Format narrow);

}  // namespace weir::catalog
