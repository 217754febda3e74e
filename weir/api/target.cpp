#include "weir/api/target.hpp"

#include <fmt/core.h>

#include <charconv>

namespace weir::api {
namespace {

constexpr std::size_t target_bytes_max = 8192;
constexpr std::size_t parameters_max = 64;

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool is_control(unsigned char c) {
    return c < 0x20 || c == 0x7F;
}

// For error texts: what was sent, without what would break a terminal or a log line.
std::string shown(std::string_view text) {
    std::string safe;
    for (const char c : text.substr(0, 80)) {
        safe += is_control(static_cast<unsigned char>(c)) ? '?' : c;
    }
    if (text.size() > 80) safe += "...";
    return safe;
}

Result<std::string> decode(std::string_view text, bool plus_is_space) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            const bool whole = i + 2 < text.size();
            const int high = whole ? hex_value(text[i + 1]) : -1;
            const int low = whole ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return fail(Code::invalid,
                            fmt::format("request target: \"{}\" has a \"%\" without two "
                                        "hexadecimal digits; write \"%25\" for a percent sign",
                                        shown(text)));
            }
            c = static_cast<char>(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (is_control(static_cast<unsigned char>(c))) {
            return fail(Code::invalid,
                        fmt::format("request target: \"{}\" contains a control character; names "
                                    "and values are printable text",
                                    shown(text)));
        }
        decoded += c;
    }
    return decoded;
}

Result<void> add_parameters(std::string_view text, Target& target) {
    while (!text.empty()) {
        const std::size_t end = text.find('&');
        const std::string_view item = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        if (item.empty()) continue;
        if (target.query.size() == parameters_max) {
            return fail(Code::too_large,
                        fmt::format("request target: more than {} parameters", parameters_max));
        }
        const std::size_t equals = item.find('=');
        WEIR_TRY(std::string name, decode(item.substr(0, equals), true));
        std::string value;
        if (equals != std::string_view::npos) {
            WEIR_TRY(std::string decoded, decode(item.substr(equals + 1), true));
            value = std::move(decoded);
        }
        target.query.emplace_back(std::move(name), std::move(value));
    }
    return {};
}

}  // namespace

const std::string* Target::find(std::string_view name) const {
    for (const auto& [key, value] : query) {
        if (key == name) return &value;
    }
    return nullptr;
}

Result<std::optional<std::uint64_t>> Target::number(std::string_view name,
                                                    std::uint64_t low,
                                                    std::uint64_t high) const {
    const std::string* text = find(name);
    if (text == nullptr) return std::optional<std::uint64_t>{};
    std::uint64_t value = 0;
    const char* end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data(), end, value);
    if (error != std::errc{} || stop != end || value < low || value > high) {
        return fail(Code::invalid,
                    fmt::format("parameter {}: \"{}\" is not a whole number from {} "
                                "to {}",
                                name,
                                shown(*text),
                                low,
                                high));
    }
    return std::optional<std::uint64_t>{value};
}

Result<void> Target::expect_only(std::initializer_list<std::string_view> known) const {
    for (std::size_t i = 0; i < query.size(); ++i) {
        const std::string& name = query[i].first;
        bool found = false;
        std::string list;
        for (const std::string_view candidate : known) {
            found = found || candidate == name;
            list += (list.empty() ? "" : ", ") + std::string(candidate);
        }
        if (!found) {
            return fail(Code::invalid,
                        fmt::format("parameter \"{}\" is not known here; {}",
                                    shown(name),
                                    list.empty() ? "this address takes none" : "valid: " + list));
        }
        for (std::size_t j = 0; j < i; ++j) {
            if (query[j].first == name) {
                return fail(Code::invalid,
                            fmt::format("parameter \"{}\" is given twice", shown(name)));
            }
        }
    }
    return {};
}

Result<Target> parse_target(std::string_view text) {
    if (text.size() > target_bytes_max) {
        return fail(
            Code::too_large,
            fmt::format(
                "request target: {} bytes, at most {} are read", text.size(), target_bytes_max));
    }
    // The absolute form ("GET http://host/path") is what proxies send.
    if (const std::size_t scheme = text.find("://");
        scheme != std::string_view::npos && scheme < text.find('/')) {
        const std::size_t path = text.find('/', scheme + 3);
        text = path == std::string_view::npos ? std::string_view("/") : text.substr(path);
    }
    if (text.empty() || text.front() != '/') {
        return fail(Code::invalid,
                    fmt::format("request target: \"{}\" does not begin with \"/\"", shown(text)));
    }
    text = text.substr(0, text.find('#'));
    Target target;
    const std::size_t question = text.find('?');
    std::string_view path =
        text.substr(1, question == std::string_view::npos ? question : question - 1);
    while (!path.empty()) {
        const std::size_t slash = path.find('/');
        WEIR_TRY(std::string segment, decode(path.substr(0, slash), false));
        target.segments.push_back(std::move(segment));
        if (slash == std::string_view::npos) break;
        path = path.substr(slash + 1);
    }
    if (question != std::string_view::npos) {
        WEIR_CHECK(add_parameters(text.substr(question + 1), target));
    }
    return target;
}

std::string encode_component(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            encoded += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            encoded += '%';
            encoded += digits[byte >> 4];
            encoded += digits[byte & 15];
        }
    }
    return encoded;
}

std::string text_of(const Target& target) {
    std::string text;
    for (const std::string& segment : target.segments)
        text += "/" + encode_component(segment);
    // A last empty segment needs a slash of its own: "/a/" parses as one segment.
    if (target.segments.empty() || target.segments.back().empty()) text += "/";
    char before = '?';
    for (const auto& [name, value] : target.query) {
        text += before + encode_component(name) + "=" + encode_component(value);
        before = '&';
    }
    return text;
}

}  // namespace weir::api
