#include "weir/base/money.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir {
namespace {

constexpr std::int64_t micros_of_one = 1'000'000;
constexpr std::int64_t micros_max = 1'000'000'000'000 * micros_of_one;
constexpr std::string_view per_chip_hour = "/chip-hour";

struct Parts {
    std::string_view amount;
    std::string_view currency;
};

Parts split(std::string_view text) {
    std::size_t end = 0;
    while (end < text.size() &&
           ((text[end] >= '0' && text[end] <= '9') || (text[end] == '.' && end > 0)))
        ++end;
    std::string_view currency = text.substr(end);
    while (!currency.empty() && currency.front() == ' ')
        currency.remove_prefix(1);
    return {text.substr(0, end), currency};
}

// None when it is no amount, has more than six digits behind the point or is over the limit.
std::optional<std::int64_t> micros_of(std::string_view amount) {
    if (amount.empty() || amount.back() == '.') return std::nullopt;
    std::int64_t micros = 0;
    int behind_point = -1;
    for (const char c : amount) {
        if (c == '.') {
            if (behind_point >= 0) return std::nullopt;
            behind_point = 0;
            continue;
        }
        if (behind_point >= 6 || micros > micros_max / 10) return std::nullopt;
        micros = micros * 10 + (c - '0');
        if (behind_point >= 0) ++behind_point;
    }
    for (int digits = std::max(behind_point, 0); digits < 6; ++digits) {
        if (micros > micros_max / 10) return std::nullopt;
        micros *= 10;
    }
    if (micros > micros_max) return std::nullopt;
    return micros;
}

std::string shown(std::string_view text) {
    return std::string(text.substr(0, 60));
}

}  // namespace

Result<Money> parse_money(std::string_view text) {
    const Parts parts = split(text);
    const auto micros = micros_of(parts.amount);
    if (micros && parts.currency.empty()) {
        return fail(Code::invalid, fmt::format("'{0}' has no currency: write {0} CNY", text));
    }
    const bool letters = parts.currency.size() == 3 &&
                         std::all_of(parts.currency.begin(), parts.currency.end(), [](char c) {
                             return c >= 'A' && c <= 'Z';
                         });
    if (!micros || !letters) {
        return fail(Code::invalid,
                    fmt::format("'{}' is not an amount of money: write a number with at most six "
                                "digits behind the point and a currency, such as 500 CNY",
                                shown(text)));
    }
    Money money{*micros, {}};
    std::copy(parts.currency.begin(), parts.currency.end(), money.currency.letters.begin());
    return money;
}

std::string format_money(Money money) {
    const std::uint64_t all = money.micros < 0 ? 0 - static_cast<std::uint64_t>(money.micros)
                                               : static_cast<std::uint64_t>(money.micros);
    std::string text = fmt::format("{}{}", money.micros < 0 ? "-" : "", all / micros_of_one);
    if (const std::uint64_t rest = all % micros_of_one; rest > 0) {
        text += fmt::format(".{:06}", rest);
        while (text.back() == '0')
            text.pop_back();
    }
    return fmt::format("{} {}", text, money.currency.text());
}

Result<Price> parse_price(std::string_view text) {
    const bool has_unit = text.size() > per_chip_hour.size() &&
                          text.substr(text.size() - per_chip_hour.size()) == per_chip_hour;
    if (has_unit) {
        if (auto money = parse_money(text.substr(0, text.size() - per_chip_hour.size()))) {
            return Price{*money};
        }
    }
    return fail(Code::invalid,
                fmt::format("'{}' is not a price: write an amount, a currency and a unit, such as "
                            "8 CNY/chip-hour",
                            shown(text)));
}

std::string format_price(Price price) {
    return format_money(price.of_chip_hour) + std::string(per_chip_hour);
}

std::optional<Money> cost_of(Price price, std::uint64_t chips_milli, Duration time) {
    __extension__ using Wide = __int128;
    constexpr Wide unit = Wide{1000} * 3'600'000;  // thousandths of a chip x milliseconds an hour
    const Wide chip_time = static_cast<Wide>(chips_milli) * time.count();
    // Far above any bill, and still far below what the product may be.
    if (chip_time < 0 || chip_time > (Wide{1} << 64)) return std::nullopt;
    const Wide micros = (chip_time * price.of_chip_hour.micros + unit / 2) / unit;
    if (micros > micros_max) return std::nullopt;
    return Money{static_cast<std::int64_t>(micros), price.of_chip_hour.currency};
}

}  // namespace weir
