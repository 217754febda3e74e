#include "weir/base/money.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "weir/base/schema.hpp"

namespace weir {
namespace {

using ::testing::HasSubstr;

TEST(Money, IsExactToTheMillionth) {
    EXPECT_EQ(parse_money("500 CNY")->micros, 500'000'000);
    EXPECT_EQ(parse_money("0.000001EUR")->micros, 1);
    EXPECT_EQ(format_money(*parse_money("0.10 EUR")), "0.1 EUR");
    EXPECT_EQ(format_money({-1'500'000, {}}), "-1.5 CNY");
}

TEST(Money, RefusesWhatIsNoAmountAndShowsTheRightSpelling) {
    EXPECT_THAT(parse_money("500").error().message, HasSubstr("write 500 CNY"));
    for (const char* wrong : {"",
                              "CNY",
                              "5 yuan",
                              "1.2.3 CNY",
                              "5. CNY",
                              "0.0000001 CNY",
                              "-5 CNY",
                              "9999999999999 CNY"}) {
        EXPECT_THAT(parse_money(wrong).error().message, HasSubstr("not an amount of money"))
            << wrong;
    }
    EXPECT_THAT(parse_price("8 CNY").error().message, HasSubstr("8 CNY/chip-hour"));
    EXPECT_THAT(parse_price("8 CNY/hour").error().message, HasSubstr("8 CNY/chip-hour"));
}

TEST(Money, IsChargedForChipsAndTime) {
    const Price price = *parse_price("8 CNY/chip-hour");
    EXPECT_EQ(format_price(price), "8 CNY/chip-hour");
    EXPECT_EQ(cost_of(price, 16'000, seconds(5400))->micros, 192'000'000);
    EXPECT_EQ(cost_of(price, 500, seconds(1))->micros, 1111);  // 1,111.11: to the nearest
    EXPECT_EQ(cost_of(price, ~std::uint64_t{0}, forever), std::nullopt);
}

RC_GTEST_PROP(Money, ReadsBackAsItWasWritten, ()) {
    Money money;
    money.micros = *rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000'000'000);
    for (char& letter : money.currency.letters)
        letter = *rc::gen::inRange('A', static_cast<char>('Z' + 1));
    RC_ASSERT(*parse_money(format_money(money)) == money);
    RC_ASSERT(schema::check_money(format_money(money)).has_value());
}

}  // namespace
}  // namespace weir
