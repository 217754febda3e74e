#include "weir/base/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace weir {
namespace {

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

// "1.5 TB" in two halves. The number keeps its digits as text, so that bytes need no rounding
// through a double.
struct Quantity {
    std::string_view number;
    std::string_view unit;
};

// A number here is digits with at most one point, or, for rates, an exponent as well. Signs are
// not accepted: nothing that weir measures may be negative.
std::optional<Quantity> split(std::string_view text) {
    text = trimmed(text);
    std::size_t end = 0;
    bool digits = false;
    bool point = false;
    while (end < text.size()) {
        const char c = text[end];
        if (c >= '0' && c <= '9') {
            digits = true;
        } else if (c == '.' && !point) {
            point = true;
        } else {
            break;
        }
        ++end;
    }
    if (!digits) return std::nullopt;
    return Quantity{text.substr(0, end), trimmed(text.substr(end))};
}

struct ByteUnit {
    std::string_view name;
    std::int64_t bytes;
};

// clang-format off
constexpr std::array<ByteUnit, 17> byte_units{{
    {"B", 1},
    {"KiB", std::int64_t{1} << 10}, {"MiB", std::int64_t{1} << 20}, {"GiB", std::int64_t{1} << 30},
    {"TiB", std::int64_t{1} << 40}, {"PiB", std::int64_t{1} << 50}, {"EiB", std::int64_t{1} << 60},
    {"Ki", std::int64_t{1} << 10}, {"Mi", std::int64_t{1} << 20}, {"Gi", std::int64_t{1} << 30},
    {"Ti", std::int64_t{1} << 40},
    {"kB", 1'000}, {"KB", 1'000}, {"MB", 1'000'000}, {"GB", 1'000'000'000},
    {"TB", 1'000'000'000'000}, {"PB", 1'000'000'000'000'000},
}};
// clang-format on

// number x multiplier, rounded to the nearest integer; none when it does not fit 63 bits.
std::optional<std::int64_t> scaled(std::string_view number, std::int64_t multiplier) {
    using Wide = unsigned __int128;
    Wide value = 0;
    Wide divisor = 1;
    bool fraction = false;
    int fraction_digits = 0;
    for (const char c : number) {
        if (c == '.') {
            fraction = true;
            continue;
        }
        // Twelve digits behind the point are far below one byte of a pebibyte's user.
        if (fraction && fraction_digits == 12) continue;
        value = value * 10 + static_cast<unsigned>(c - '0');
        if (fraction) {
            divisor *= 10;
            ++fraction_digits;
        }
        if (value / divisor > Wide{1} << 63) return std::nullopt;
    }
    // value < 2^63 * 10^12 < 2^103 and the multiplier reaches 2^60, so divide first.
    const auto factor = static_cast<Wide>(multiplier);
    const Wide whole = value / divisor;
    const Wide rest = value % divisor;
    const Wide result = whole * factor + (rest * factor + divisor / 2) / divisor;
    if (result >= Wide{1} << 62) return std::nullopt;
    return static_cast<std::int64_t>(result);
}

std::optional<double> as_double(std::string_view number) {
    double value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
    return value;
}

// The factor of an SI (or binary) prefix that is followed by nothing else.
std::optional<double> prefix_factor(std::string_view prefix) {
    if (prefix.empty()) return 1.0;
    struct Named {
        std::string_view name;
        double factor;
    };
    static constexpr std::array<Named, 11> table{{{"k", 1e3},
                                                  {"K", 1e3},
                                                  {"M", 1e6},
                                                  {"G", 1e9},
                                                  {"T", 1e12},
                                                  {"P", 1e15},
                                                  {"Ki", 1024.0},
                                                  {"Mi", 1048576.0},
                                                  {"Gi", 1073741824.0},
                                                  {"Ti", 1099511627776.0},
                                                  {"E", 1e18}}};
    for (const Named& named : table) {
        if (named.name == prefix) return named.factor;
    }
    return std::nullopt;
}

// Three significant digits without trailing zeros: 1.5, 12, 312.
std::string three_digits(double value) {
    std::string text;
    if (value >= 99.95) {
        text = fmt::format("{:.0f}", value);
    } else if (value >= 9.995) {
        text = fmt::format("{:.1f}", value);
    } else {
        text = fmt::format("{:.2f}", value);
    }
    if (text.find('.') != std::string::npos) {
        while (text.back() == '0')
            text.pop_back();
        if (text.back() == '.') text.pop_back();
    }
    return text;
}

}  // namespace

Result<Bytes> parse_bytes(std::string_view text) {
    const auto quantity = split(text);
    if (!quantity) {
        return fail(Code::invalid,
                    fmt::format("'{}' is not an amount of memory: write a number and a unit, "
                                "such as 128GiB or 512MiB",
                                text));
    }
    if (quantity->unit.empty()) {
        return fail(Code::invalid,
                    fmt::format("'{0}' has no unit: write {0}GiB or {0}MiB", quantity->number));
    }
    for (const ByteUnit& unit : byte_units) {
        if (unit.name != quantity->unit) continue;
        const auto count = scaled(quantity->number, unit.bytes);
        if (!count) {
            return fail(Code::invalid, fmt::format("'{}' is more than 4EiB", text));
        }
        return Bytes{*count};
    }
    return fail(Code::invalid,
                fmt::format("'{}' is no unit of memory: use B, KiB, MiB, GiB, TiB, PiB or kB, MB, "
                            "GB, TB, PB, as in {}GiB",
                            quantity->unit,
                            quantity->number));
}

std::string format_bytes(Bytes bytes) {
    static constexpr std::array<std::string_view, 7> names{
        "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes.count < 0) return "-" + format_bytes(Bytes{-bytes.count});
    std::size_t unit = 0;
    auto value = static_cast<double>(bytes.count);
    // 1023.6 KiB would print as 1024KiB, so the next unit starts a little earlier.
    while (value >= 1023.5 && unit + 1 < names.size()) {
        value /= 1024.0;
        ++unit;
    }
    return three_digits(value) + std::string(names.at(unit));
}

Result<double> parse_power_watts(std::string_view text) {
    const auto quantity = split(text);
    if (!quantity) {
        return fail(Code::invalid,
                    fmt::format("'{}' is not a power: write a number and a unit, "
                                "such as 15kW or 350W",
                                text));
    }
    if (quantity->unit.empty()) {
        return fail(Code::invalid,
                    fmt::format("'{0}' has no unit: write {0}W or {0}kW", quantity->number));
    }
    std::string_view prefix = quantity->unit;
    if (prefix.back() == 'W') {
        prefix.remove_suffix(1);
        const auto value = as_double(quantity->number);
        const auto factor = prefix_factor(prefix);
        if (value && factor && prefix.size() <= 1 && prefix != "K") return *value * *factor;
    }
    return fail(Code::invalid,
                fmt::format("'{}' is no unit of power: use W, kW, MW or GW, as in "
                            "{}kW",
                            quantity->unit,
                            quantity->number));
}

Result<double> parse_bandwidth_bytes_per_s(std::string_view text) {
    // "400Gb/s x 8": the number of parallel links stands behind an x.
    std::string_view one = trimmed(text);
    double links = 1;
    if (const auto times = one.rfind('x'); times != std::string_view::npos) {
        const auto count = as_double(trimmed(one.substr(times + 1)));
        if (!count || *count < 1 || *count != std::floor(*count)) {
            return fail(Code::invalid,
                        fmt::format("'{}' is not a bandwidth: behind the x stands the number of "
                                    "links, as in 400Gb/s x 8",
                                    text));
        }
        links = *count;
        one = trimmed(one.substr(0, times));
    }
    const auto quantity = split(one);
    if (!quantity) {
        return fail(Code::invalid,
                    fmt::format("'{}' is not a bandwidth: write a number and a unit, such as "
                                "400Gb/s (bits) or 200GB/s (bytes)",
                                text));
    }
    if (quantity->unit.empty()) {
        return fail(Code::invalid,
                    fmt::format("'{0}' has no unit: write {0}GB/s (bytes) or {0}Gb/s (bits)",
                                quantity->number));
    }
    std::string_view unit = quantity->unit;
    if (unit.size() >= 3 && unit.substr(unit.size() - 2) == "/s") {
        unit.remove_suffix(2);
        const char kind = unit.back();
        const auto factor = prefix_factor(unit.substr(0, unit.size() - 1));
        const auto value = as_double(quantity->number);
        if ((kind == 'b' || kind == 'B') && factor && value) {
            return *value * *factor * links / (kind == 'b' ? 8.0 : 1.0);
        }
    }
    return fail(Code::invalid,
                fmt::format("'{}' is no unit of bandwidth: use MB/s, GB/s, TB/s (bytes) or Mb/s, "
                            "Gb/s, Tb/s (bits), as in {}GB/s",
                            quantity->unit,
                            quantity->number));
}

std::string format_rate(double value, std::string_view unit) {
    static constexpr std::array<std::string_view, 8> prefixes{
        "", "k", "M", "G", "T", "P", "E", "Z"};
    if (!std::isfinite(value)) return fmt::format("- {}", unit);
    if (value < 0) return "-" + format_rate(-value, unit);
    std::size_t prefix = 0;
    while (value >= 999.5 && prefix + 1 < prefixes.size()) {
        value /= 1000.0;
        ++prefix;
    }
    return fmt::format("{} {}{}", three_digits(value), prefixes.at(prefix), unit);
}

std::string format_count(std::uint64_t value) {
    std::string digits = std::to_string(value);
    for (auto place = static_cast<std::ptrdiff_t>(digits.size()) - 3; place > 0; place -= 3) {
        digits.insert(static_cast<std::size_t>(place), 1, ',');
    }
    return digits;
}

std::string format_count(std::uint64_t value, std::string_view what) {
    return fmt::format("{} {}{}", format_count(value), what, value == 1 ? "" : "s");
}

std::string format_percent(double fraction) {
    if (!std::isfinite(fraction)) return "- %";
    return fmt::format("{:.1f} %", fraction * 100.0);
}

}  // namespace weir
