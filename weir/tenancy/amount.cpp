#include "weir/tenancy/amount.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace weir::tenancy {
namespace {

constexpr std::array<std::string_view, 11> formats{
    "fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "fp8e4m3", "fp8e5m2", "fp4", "int8", "int4"};

constexpr std::int64_t counted_milli_max = 1'000'000'000'000;  // of one entry: 10^9 chips or CPUs

std::string_view operations(const Resource& resource) {
    return resource.name.substr(0, 3) == "int" ? "OP/s" : "FLOP/s";
}

struct Prefix {
    std::string_view letter;
    int exponent;  // of ten, against the M in which rates are counted
};
constexpr std::array prefixes{Prefix{"Z", 15},
                              Prefix{"E", 12},
                              Prefix{"P", 9},
                              Prefix{"T", 6},
                              Prefix{"G", 3},
                              Prefix{"M", 0}};

// number x 10^exponent as a whole number from 0 to `most`; none when it is no number, when digits
// would be lost, or when it is larger.
std::optional<std::int64_t> scaled(std::string_view number, int exponent, std::int64_t most) {
    std::int64_t value = 0;
    int behind_point = -1;
    bool digits = false;
    for (const char c : number) {
        if (c == '.' && behind_point < 0) {
            behind_point = 0;
            continue;
        }
        if (c < '0' || c > '9') return std::nullopt;
        digits = true;
        if (behind_point >= exponent) {
            if (c != '0') return std::nullopt;  // finer than what is counted
            continue;
        }
        value = value * 10 + (c - '0');
        if (value > most) return std::nullopt;
        if (behind_point >= 0) ++behind_point;
    }
    if (!digits) return std::nullopt;
    for (int digit = std::max(behind_point, 0); digit < exponent; ++digit) {
        value *= 10;
        if (value > most) return std::nullopt;
    }
    return value;
}

// value x 10^-exponent without zeros at the end.
std::string unscaled(std::int64_t value, int exponent) {
    std::int64_t one = 1;
    for (int digit = 0; digit < exponent; ++digit)
        one *= 10;
    std::string text = std::to_string(value / one);
    if (const std::int64_t rest = value % one; rest > 0) {
        text += fmt::format(".{:0{}}", rest, exponent);
        while (text.back() == '0')
            text.pop_back();
    }
    return text;
}

tl::unexpected<Error> no_rate(const Resource& resource, std::string_view text) {
    return fail(Code::invalid,
                fmt::format("'{}' is no capability of {}: write a number and a unit from M{} to "
                            "Z{}, such as 3.2 E{}, at most 100 Z{}",
                            text.substr(0, 60),
                            resource.name,
                            operations(resource),
                            operations(resource),
                            operations(resource),
                            operations(resource)));
}

}  // namespace

Resource resource_of(std::string_view key) {
    if (key == "cpus") return {Resource::Kind::cpus, ""};
    const bool format = std::find(formats.begin(), formats.end(), key) != formats.end();
    return {format ? Resource::Kind::capability : Resource::Kind::chips, std::string(key)};
}

Result<std::int64_t> parse_amount(const Resource& resource, std::string_view text) {
    if (resource.kind != Resource::Kind::capability) {
        if (const auto milli = scaled(text, 3, counted_milli_max)) return *milli;
        return fail(Code::invalid,
                    fmt::format("'{}' is no number of {}: write one from 0 to 1000000000, with at "
                                "most three digits behind the point",
                                text.substr(0, 60),
                                resource.kind == Resource::Kind::cpus ? "CPUs" : "chips"));
    }
    const std::string_view unit = operations(resource);
    if (text.size() <= unit.size() || text.substr(text.size() - unit.size()) != unit) {
        return no_rate(resource, text);
    }
    std::string_view number = text.substr(0, text.size() - unit.size());
    for (const Prefix& prefix : prefixes) {
        if (number.empty() || number.substr(number.size() - 1) != prefix.letter) continue;
        number.remove_suffix(1);
        while (!number.empty() && number.back() == ' ')
            number.remove_suffix(1);
        const auto rate = scaled(number, prefix.exponent, amount_total_max);
        if (!rate) break;
        return *rate;
    }
    return no_rate(resource, text);
}

std::string text_of(const Resource& resource, std::int64_t amount) {
    if (resource.kind != Resource::Kind::capability) return unscaled(amount, 3);
    // The largest prefix of which it is at least one.
    const Prefix* best = &prefixes.back();
    for (const Prefix& prefix : prefixes) {
        std::int64_t one = 1;
        for (int digit = 0; digit < prefix.exponent; ++digit)
            one *= 10;
        if (amount < one) continue;
        best = &prefix;
        break;
    }
    return fmt::format(
        "{} {}{}", unscaled(amount, best->exponent), best->letter, operations(resource));
}

std::string named_text_of(const Resource& resource, std::int64_t amount) {
    switch (resource.kind) {
        case Resource::Kind::chips:
            break;
        case Resource::Kind::cpus:
            return text_of(resource, amount) + " CPUs";
        case Resource::Kind::capability:
            return text_of(resource, amount) + " of " + resource.name;
    }
    return text_of(resource, amount) + " " + resource.name;
}

}  // namespace weir::tenancy
