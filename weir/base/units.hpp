// Quantities with units, as users write them and as people read them.
//
// Counted things are integers (bytes, milli-CPUs, permille of a chip), so that what is taken and
// given back always sums to the same number. Rates are doubles. Every parser refuses a bare
// number where a unit is needed and shows the spelling that would be right.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "weir/base/result.hpp"

namespace weir {

struct Bytes {
    std::int64_t count = 0;
    friend constexpr auto operator<=>(const Bytes&, const Bytes&) = default;
    friend constexpr Bytes operator+(Bytes a, Bytes b) { return {a.count + b.count}; }
    friend constexpr Bytes operator-(Bytes a, Bytes b) { return {a.count - b.count}; }
};

constexpr Bytes kibibytes(std::int64_t count) {
    return {count << 10};
}
constexpr Bytes mebibytes(std::int64_t count) {
    return {count << 20};
}
constexpr Bytes gibibytes(std::int64_t count) {
    return {count << 30};
}

// "128GiB", "1.5TB", "512 MiB", "0B". Binary (KiB MiB GiB TiB PiB) and decimal (kB MB GB TB PB).
Result<Bytes> parse_bytes(std::string_view text);
std::string format_bytes(Bytes bytes);  // "128GiB", "1.5TiB", "312MiB"

// "15kW", "12MW", "350W"; in watts.
Result<double> parse_power_watts(std::string_view text);
// "400Gb/s", "10GB/s", "400Gb/s x 8"; in bytes per second.
Result<double> parse_bandwidth_bytes_per_s(std::string_view text);

// 1234567.0, "FLOP/s" -> "1.23 MFLOP/s"; three significant digits, SI prefixes.
std::string format_rate(double value, std::string_view unit);
// 82247 -> "82,247".
std::string format_count(std::uint64_t value);
// (1, "job") -> "1 job", (82247, "job") -> "82,247 jobs": words that take an s.
std::string format_count(std::uint64_t value, std::string_view what);
// 0.6856 -> "68.6 %".
std::string format_percent(double fraction);

}  // namespace weir
