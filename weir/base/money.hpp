// Money: an exact amount of one currency, and what a chip costs for an hour.
//
// Amounts are whole millionths of the currency (500 CNY = 500,000,000), so that what is charged and
// paid back always sums to the same number. Amounts of different currencies are never added: weir
// knows no exchange rate. A price is kept for the chip-hour in which it is written, because a
// chip-second of it need not be a whole number of anything.
//
// Threads: values and pure functions.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "weir/base/result.hpp"
#include "weir/base/time.hpp"

namespace weir {

// Three capital letters, as in ISO 4217: CNY, EUR.
struct Currency {
    std::array<char, 3> letters{'C', 'N', 'Y'};

    [[nodiscard]] std::string_view text() const { return {letters.data(), letters.size()}; }
    friend auto operator<=>(const Currency&, const Currency&) = default;
};

struct Money {
    std::int64_t micros = 0;
    Currency currency;

    friend auto operator<=>(const Money&, const Money&) = default;
};

struct Price {
    Money of_chip_hour;

    friend auto operator<=>(const Price&, const Price&) = default;
};

// "500 CNY", "0.75 EUR", "200000CNY": at most 10^12 of a currency, at most six digits behind the
// point.
Result<Money> parse_money(std::string_view text);
// "500 CNY", "0.75 EUR": what parse_money() reads back.
std::string format_money(Money money);

// "8 CNY/chip-hour".
Result<Price> parse_price(std::string_view text);
std::string format_price(Price price);

// What so many thousandths of a chip cost for so long, to the nearest millionth; none when it is
// more than an amount can be.
std::optional<Money> cost_of(Price price, std::uint64_t chips_milli, Duration time);

}  // namespace weir
