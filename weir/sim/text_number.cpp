#include "weir/sim/text_number.hpp"

#include <charconv>
#include <cmath>

namespace weir::sim {
namespace {

bool parse_cut_slowly(std::string_view text, std::int64_t& value) {
    double number = 0;
    if (!parse_number(text, number)) return false;
    if (std::abs(number) >= 1e18) return false;
    value = static_cast<std::int64_t>(number);
    return true;
}

}  // namespace

bool parse_cut(std::string_view text, std::int64_t& value) {
    const char* at = text.data();
    const char* const end = at + text.size();
    const bool negative = at != end && *at == '-';
    if (at != end && (*at == '-' || *at == '+')) ++at;
    const char* const digits = at;
    std::int64_t sum = 0;
    while (at != end && *at >= '0' && *at <= '9') {
        if (at - digits == 18) return parse_cut_slowly(text, value);
        sum = sum * 10 + (*at - '0');
        ++at;
    }
    if (at != end || at == digits) return parse_cut_slowly(text, value);
    value = negative ? -sum : sum;
    return true;
}

bool parse_number(std::string_view text, double& value) {
    if (!text.empty() && text.front() == '+') {
        text.remove_prefix(1);
        if (!text.empty() && (text.front() == '-' || text.front() == '+')) return false;
    }
    if (text.empty()) return false;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && std::isfinite(value);
}

std::string shown(std::string_view text) {
    constexpr std::size_t longest = 40;
    std::string out = "'";
    for (const char c : text.substr(0, longest)) {
        out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c);
    }
    // A character of several bytes that was cut in its middle would spoil the whole message.
    if (text.size() > longest) {
        while (out.size() > 1 && (static_cast<unsigned char>(out.back()) & 0xC0) == 0x80) {
            out.pop_back();
        }
        if (static_cast<unsigned char>(out.back()) >= 0xC0) out.pop_back();
        out += "...";
    }
    return out + "'";
}

}  // namespace weir::sim
