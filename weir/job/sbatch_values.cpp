#include "weir/job/sbatch_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "weir/base/schema.hpp"

namespace weir::job {
namespace {

std::optional<std::uint32_t> digits(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::vector<std::string_view> split(std::string_view text, char by) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto at = text.find(by);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

bool same_word(std::string_view text, std::string_view upper) {
    return std::equal(text.begin(), text.end(), upper.begin(), upper.end(), [](char a, char b) {
        return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 'a' + 'A') : a) == b;
    });
}

}  // namespace

Result<std::optional<Duration>> parse_slurm_time(std::string_view text) {
    if (same_word(text, "UNLIMITED") || same_word(text, "INFINITE")) {
        return std::optional<Duration>();
    }
    const auto wrong = [&] {
        return fail(Code::invalid,
                    fmt::format("'{}' is not a time of Slurm: write minutes, mm:ss, hh:mm:ss, "
                                "d-hh, d-hh:mm or d-hh:mm:ss",
                                text));
    };
    std::string_view rest = text;
    std::uint64_t days = 0;
    const auto dash = rest.find('-');
    const bool with_days = dash != std::string_view::npos;
    if (with_days) {
        const auto count = digits(rest.substr(0, dash));
        if (!count) return wrong();
        days = *count;
        rest.remove_prefix(dash + 1);
    }
    std::vector<std::uint64_t> parts;
    for (const std::string_view part : split(rest, ':')) {
        const auto count = digits(part);
        if (!count || parts.size() == 3) return wrong();
        parts.push_back(*count);
    }
    // With days the first part is hours, without them one part is minutes and two are mm:ss.
    std::uint64_t hours = 0;
    std::uint64_t minutes = 0;
    std::uint64_t secs = 0;
    if (with_days || parts.size() == 3) {
        hours = parts[0];
        minutes = parts.size() > 1 ? parts[1] : 0;
        secs = parts.size() > 2 ? parts[2] : 0;
    } else {
        minutes = parts[0];
        secs = parts.size() > 1 ? parts[1] : 0;
    }
    const std::uint64_t total = ((days * 24 + hours) * 60 + minutes) * 60 + secs;
    if (total == 0) return std::optional<Duration>();  // as Slurm has it
    if (total > std::uint64_t{10} * 365 * 86'400) {
        return fail(Code::invalid, fmt::format("'{}' is more than ten years", text));
    }
    return std::optional<Duration>(seconds(static_cast<std::int64_t>(total)));
}

Result<Time> parse_slurm_deadline(std::string_view text) {
    constexpr std::size_t without_seconds = std::string_view("2026-12-01T08:00").size();
    std::string whole(text);
    if (whole.size() == without_seconds) whole += ":00";
    if (auto at = parse_time(whole)) return at;
    return fail(Code::invalid,
                fmt::format("'{}' is not a moment: write 2026-12-01, 2026-12-01T08:00 or "
                            "2026-12-01T08:00:00",
                            text));
}

Result<Bytes> parse_slurm_memory(std::string_view text) {
    std::string_view number = text;
    if (!number.empty() && (number.back() == 'B' || number.back() == 'b')) number.remove_suffix(1);
    std::string_view unit = "MiB";
    if (!number.empty()) {
        switch (number.back()) {
            case 'k':
            case 'K':
                unit = "KiB";
                break;
            case 'm':
            case 'M':
                unit = "MiB";
                break;
            case 'g':
            case 'G':
                unit = "GiB";
                break;
            case 't':
            case 'T':
                unit = "TiB";
                break;
            default:
                unit = "";
        }
        if (unit.empty()) {
            unit = "MiB";
        } else {
            number.remove_suffix(1);
        }
    }
    const auto bytes = parse_bytes(fmt::format("{}{}", number, unit));
    if (number.empty() || !bytes.has_value()) {
        return fail(Code::invalid,
                    fmt::format("'{}' is not an amount of memory: write a number "
                                "and K, M, G or T, such as 4G",
                                text));
    }
    return *bytes;
}

Result<NodeRange> parse_slurm_nodes(std::string_view text) {
    const auto dash = text.find('-');
    const auto low = digits(text.substr(0, dash));
    const auto high = dash == std::string_view::npos ? low : digits(text.substr(dash + 1));
    if (!low || !high || *low == 0 || *low > *high) {
        return fail(Code::invalid,
                    fmt::format("'{}' is not a number of nodes: write 4, or 2-4", text));
    }
    return NodeRange{*low, *high};
}

Result<std::uint32_t> parse_slurm_count(std::string_view text) {
    const auto count = digits(text);
    if (!count || *count == 0 || *count > 1'000'000) {
        return fail(Code::invalid, fmt::format("'{}' is not a number from 1 to 1000000", text));
    }
    return *count;
}

Result<ChipCount> parse_slurm_gres(std::string_view text) {
    if (same_word(text, "NONE")) return ChipCount{};
    ChipCount sum;
    for (std::string_view item : split(text, ',')) {
        if (item.substr(0, 5) == "gres:") item.remove_prefix(5);
        const auto colon = item.find(':');
        if (item.substr(0, colon) != "gpu") {
            return fail(Code::unsupported,
                        fmt::format("'{}' is not a resource that weir gives; it gives chips: "
                                    "gpu:4 or gpu:KIND:4",
                                    item));
        }
        ChipCount one{"", 1};
        if (colon != std::string_view::npos) {
            const std::string_view what = item.substr(colon + 1);
            const auto with_count = parse_slurm_gpus(what);
            if (with_count.has_value()) {
                one = *with_count;
            } else if (what.find(':') == std::string_view::npos && !schema::test_name(what)) {
                one.kind = std::string(what);
            } else {
                return fail(with_count.error());
            }
        }
        if (sum.count > 0) {
            return fail(Code::unsupported,
                        fmt::format("'{}' asks for two kinds of chip; a job has one", text));
        }
        sum = one;
    }
    return sum;
}

Result<ChipCount> parse_slurm_gpus(std::string_view text) {
    const auto colon = text.rfind(':');
    ChipCount chips;
    if (colon != std::string_view::npos) chips.kind = std::string(text.substr(0, colon));
    const auto count = digits(colon == std::string_view::npos ? text : text.substr(colon + 1));
    const bool named = colon != std::string_view::npos;
    if (!count || *count > 10'000'000 || (named && schema::test_name(chips.kind))) {
        return fail(Code::invalid,
                    fmt::format("'{}' is not a number of chips: write 4, or KIND:4", text));
    }
    chips.count = *count;
    return chips;
}

Result<Dependencies> parse_slurm_dependency(std::string_view text) {
    Dependencies found;
    if (text.find('?') != std::string_view::npos) {
        return fail(Code::unsupported,
                    fmt::format("'{}': weir waits for all conditions, not for any; write them "
                                "with ','",
                                text));
    }
    for (const std::string_view item : split(text, ',')) {
        const std::vector<std::string_view> parts = split(item, ':');
        std::vector<std::string>* into = nullptr;
        if (parts[0] == "afterok") into = &found.after;
        if (parts[0] == "afterany") into = &found.after_any;
        if (parts[0] == "afternotok") into = &found.after_failure;
        if (into == nullptr) {
            return fail(Code::unsupported,
                        fmt::format("'{}' is not a condition that weir can keep; it keeps afterok, "
                                    "afterany and afternotok, as in afterok:12:13",
                                    parts[0]));
        }
        if (parts.size() < 2) {
            return fail(Code::invalid, fmt::format("'{0}' names no job: write {0}:JOB", parts[0]));
        }
        for (std::size_t i = 1; i < parts.size(); ++i) {
            // afterok:35+5, five minutes after job 35; a name may well hold a '+', as in c++11.
            const auto plus = parts[i].find('+');
            if (plus != std::string_view::npos && plus > 0 && digits(parts[i].substr(plus + 1)) &&
                parts[i].substr(0, plus).find_first_not_of("0123456789_") ==
                    std::string_view::npos) {
                return fail(Code::unsupported,
                            fmt::format("'{}' asks for minutes after the end of job {}; weir waits "
                                        "for the end alone: write {}:{}",
                                        parts[i],
                                        parts[i].substr(0, plus),
                                        parts[0],
                                        parts[i].substr(0, plus)));
            }
            if (const auto wrong = schema::test_name(parts[i])) {
                return fail(Code::invalid,
                            fmt::format("'{}' in '{}' is no job: it {}", parts[i], item, *wrong));
            }
            into->emplace_back(parts[i]);
        }
    }
    return found;
}

}  // namespace weir::job
