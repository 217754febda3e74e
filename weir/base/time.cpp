#include "weir/base/time.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>

namespace weir {
namespace {

struct DurationUnit {
    std::string_view name;
    std::int64_t milliseconds;
};

// clang-format off
constexpr std::array<DurationUnit, 11> duration_units{{
    {"ms", 1}, {"s", 1'000}, {"sec", 1'000},
    {"m", 60'000}, {"min", 60'000}, {"h", 3'600'000}, {"hour", 3'600'000},
    {"d", 86'400'000}, {"day", 86'400'000}, {"w", 604'800'000},
    {"y", 31'536'000'000},  // 365 days: for the mean times between failures of hardware
}};
// clang-format on

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// number x unit in milliseconds, rounded; none when it would reach `forever`.
std::optional<std::int64_t> milliseconds_of(std::string_view number, std::int64_t unit) {
    using Wide = unsigned __int128;
    Wide value = 0;
    Wide divisor = 1;
    bool fraction = false;
    for (const char c : number) {
        if (c == '.') {
            fraction = true;
            continue;
        }
        if (fraction && divisor >= 1'000'000U) continue;  // keeps the product below in 128 bits
        value = value * 10 + static_cast<unsigned>(c - '0');
        if (fraction) divisor *= 10;
        if (value / divisor > Wide{1} << 60) return std::nullopt;
    }
    const Wide result = (value * static_cast<Wide>(unit) + divisor / 2) / divisor;
    if (result >= static_cast<Wide>(forever.count())) return std::nullopt;
    return static_cast<std::int64_t>(result);
}

// Reads exactly `count` digits; advances `text`.
std::optional<int> digits(std::string_view& text, std::size_t count) {
    if (text.size() < count) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (!is_digit(text[i])) return std::nullopt;
        value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return value;
}

bool take(std::string_view& text, char c) {
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
}

std::optional<Time> time_of(std::string_view text) {
    const auto year = digits(text, 4);
    if (!year || !take(text, '-')) return std::nullopt;
    const auto month = digits(text, 2);
    if (!month || !take(text, '-')) return std::nullopt;
    const auto day = digits(text, 2);
    if (!day) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year{*year},
                                           std::chrono::month{static_cast<unsigned>(*month)},
                                           std::chrono::day{static_cast<unsigned>(*day)}};
    if (!date.ok()) return std::nullopt;
    std::int64_t ms =
        std::int64_t{std::chrono::sys_days{date}.time_since_epoch().count()} * 86'400'000;
    if (text.empty()) return Time{Duration{ms}};
    if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return std::nullopt;
    const auto hour = digits(text, 2);
    if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
    const auto minute = digits(text, 2);
    if (!minute || *minute > 59) return std::nullopt;
    ms += *hour * 3'600'000 + *minute * 60'000;
    if (take(text, ':')) {
        const auto second = digits(text, 2);
        if (!second || *second > 59) return std::nullopt;
        ms += *second * 1'000;
        if (take(text, '.')) {
            int scale = 100;
            bool some = false;
            while (!text.empty() && is_digit(text.front())) {
                ms += (text.front() - '0') * scale;
                scale /= 10;
                some = true;
                text.remove_prefix(1);
            }
            if (!some) return std::nullopt;
        }
    }
    if (text.empty() || text == "Z" || text == "z") return Time{Duration{ms}};
    const bool east = text.front() == '+';
    if (!east && text.front() != '-') return std::nullopt;
    text.remove_prefix(1);
    const auto zone_hour = digits(text, 2);
    if (!zone_hour || *zone_hour > 14) return std::nullopt;
    take(text, ':');
    const auto zone_minute = text.empty() ? std::optional<int>(0) : digits(text, 2);
    if (!zone_minute || *zone_minute > 59 || !text.empty()) return std::nullopt;
    const std::int64_t offset = *zone_hour * 3'600'000 + *zone_minute * 60'000;
    return Time{Duration{east ? ms - offset : ms + offset}};
}

}  // namespace

std::string format_duration(Duration duration) {
    std::int64_t ms = duration.count();
    if (duration >= forever) return "unlimited";
    if (ms < 0) return "-" + format_duration(Duration{-ms});
    if (ms == 0) return "0s";
    if (ms < 1'000) return fmt::format("{}ms", ms);
    const std::int64_t s = ms / 1'000;
    if (s < 10 && ms % 1'000 != 0) return fmt::format("{}.{}s", s, ms % 1'000 / 100);
    if (s < 60) return fmt::format("{}s", s);
    if (s < 3'600) return fmt::format("{}m {:02}s", s / 60, s % 60);
    if (s < 86'400) return fmt::format("{}h {:02}m", s / 3'600, s % 3'600 / 60);
    return fmt::format("{}d {:02}h", s / 86'400, s % 86'400 / 3'600);
}

std::string format_time(Time time) {
    const std::int64_t ms = time.time_since_epoch().count();
    if (time >= never) return "never";
    const std::int64_t day = ms >= 0 ? ms / 86'400'000 : -((-ms + 86'399'999) / 86'400'000);
    const std::int64_t rest = ms - day * 86'400'000;
    // std::chrono::year ends at 32767; a time beyond is a simulated one that ran away.
    if (day < -12'000'000 || day > 11'000'000) return fmt::format("@{}s", ms / 1'000);
    const std::chrono::year_month_day date{
        std::chrono::sys_days{std::chrono::days{static_cast<int>(day)}}};
    std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
                                   static_cast<int>(date.year()),
                                   static_cast<unsigned>(date.month()),
                                   static_cast<unsigned>(date.day()),
                                   rest / 3'600'000,
                                   rest / 60'000 % 60,
                                   rest / 1'000 % 60);
    if (rest % 1'000 != 0) text += fmt::format(".{:03}", rest % 1'000);
    return text + "Z";
}

Result<Duration> parse_duration(std::string_view text) {
    const auto wrong = [&] {
        return fail(Code::invalid,
                    fmt::format("'{}' is not a duration: write a number and a unit (ms, s, min, h, "
                                "d, w, y), such as 90s, 30min, 1h30m or 2d",
                                text));
    };
    std::string_view rest = text;
    std::int64_t total = 0;
    std::int64_t unit_before = 0;
    bool some = false;
    for (;;) {
        while (!rest.empty() && rest.front() == ' ')
            rest.remove_prefix(1);
        if (rest.empty()) break;
        std::size_t end = 0;
        bool digit = false;
        bool point = false;
        while (end < rest.size() && (is_digit(rest[end]) || (rest[end] == '.' && !point))) {
            (rest[end] == '.' ? point : digit) = true;
            ++end;
        }
        if (!digit) return wrong();
        const std::string_view number = rest.substr(0, end);
        rest.remove_prefix(end);
        while (!rest.empty() && rest.front() == ' ')
            rest.remove_prefix(1);
        end = 0;
        while (end < rest.size() && is_letter(rest[end]))
            ++end;
        const std::string_view name = rest.substr(0, end);
        rest.remove_prefix(end);
        if (name.empty()) {
            if (some || !rest.empty()) return wrong();
            return fail(Code::invalid,
                        fmt::format("'{0}' has no unit: write {0}s, {0}min or {0}h", number));
        }
        const DurationUnit* unit = nullptr;
        for (const DurationUnit& known : duration_units) {
            if (known.name == name) unit = &known;
        }
        // "1h30m" counts down; "30m1h" or "1h1h" is a slip of the pen.
        if (unit == nullptr || (some && unit->milliseconds >= unit_before)) return wrong();
        const auto part = milliseconds_of(number, unit->milliseconds);
        if (!part || *part >= forever.count() - total) {
            return fail(Code::invalid, fmt::format("'{}' is longer than weir can count", text));
        }
        total += *part;
        unit_before = unit->milliseconds;
        some = true;
    }
    if (!some) return wrong();
    return Duration{total};
}

Result<Time> parse_time(std::string_view text) {
    const auto time = time_of(text);
    if (!time) {
        return fail(Code::invalid,
                    fmt::format("'{}' is not a time: write it as 2026-12-01T08:00:00Z, with an "
                                "offset as 2026-12-01T08:00:00+08:00, or as a date 2026-12-01",
                                text));
    }
    return *time;
}

}  // namespace weir
