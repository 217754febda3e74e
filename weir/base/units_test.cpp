#include "weir/base/units.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "weir/base/seconds.hpp"
#include "weir/base/time.hpp"

namespace weir {
namespace {

using ::testing::HasSubstr;

template <class T>
std::string refusal(const Result<T>& result) {
    return result.has_value() ? "accepted" : result.error().message;
}

TEST(Units, ReadBytesExactly) {
    EXPECT_EQ(parse_bytes("128GiB")->count, std::int64_t{128} << 30);
    EXPECT_EQ(parse_bytes("1.5TB")->count, 1'500'000'000'000);
    EXPECT_EQ(parse_bytes(" 512 MiB ")->count, 512 << 20);
    EXPECT_EQ(parse_bytes("0B")->count, 0);
    EXPECT_EQ(parse_bytes("0.1GiB")->count, 107'374'182);                       // rounded to a byte
    EXPECT_EQ(parse_bytes("9007199254740993B")->count, 9'007'199'254'740'993);  // no double between
}

TEST(Units, RefuseABareNumberAndShowTheRightSpelling) {
    EXPECT_EQ(refusal(parse_bytes("128")), "'128' has no unit: write 128GiB or 128MiB");
    EXPECT_EQ(refusal(parse_power_watts("15")), "'15' has no unit: write 15W or 15kW");
    EXPECT_THAT(refusal(parse_bandwidth_bytes_per_s("400")), HasSubstr("400GB/s"));
    EXPECT_EQ(refusal(parse_duration("30")), "'30' has no unit: write 30s, 30min or 30h");
}

TEST(Units, RefuseWhatIsNoQuantity) {
    for (const char* text : {"",
                             "GiB",
                             "-1GiB",
                             "1e3GiB",
                             "1..5GiB",
                             "1GiB/s",
                             "8EiB",
                             "1 G iB",
                             "99999999999999999999B"}) {
        EXPECT_NE(refusal(parse_bytes(text)), "accepted") << text;
    }
    for (const char* text : {"", "kW", "-5W", "5kB", "5kWh", "5KW"}) {
        EXPECT_NE(refusal(parse_power_watts(text)), "accepted") << text;
    }
    for (const char* text : {"", "400Gb", "400G/s", "400Gb/s x", "400Gb/s x 0", "400Gb/s x 1.5"}) {
        EXPECT_NE(refusal(parse_bandwidth_bytes_per_s(text)), "accepted") << text;
    }
}

TEST(Units, TellBitsFromBytes) {
    EXPECT_DOUBLE_EQ(*parse_bandwidth_bytes_per_s("400Gb/s"), 50e9);
    EXPECT_DOUBLE_EQ(*parse_bandwidth_bytes_per_s("400Gb/s x 8"), 400e9);
    EXPECT_DOUBLE_EQ(*parse_bandwidth_bytes_per_s("10GB/s"), 10e9);
    EXPECT_DOUBLE_EQ(*parse_power_watts("12MW"), 12e6);
    EXPECT_DOUBLE_EQ(*parse_power_watts("1.1kW"), 1100);
}

TEST(Units, SpellSecondsWithThreeDigits) {
    EXPECT_EQ(format_seconds(0), "0 s");
    EXPECT_EQ(format_seconds(0.00004), "0.04 ms");
    EXPECT_EQ(format_seconds(0.0057), "5.70 ms");
    EXPECT_EQ(format_seconds(0.0207), "20.7 ms");
    EXPECT_EQ(format_seconds(0.9994), "999 ms");
    EXPECT_EQ(format_seconds(0.9996), "1.00 s");
    EXPECT_EQ(format_seconds(9.996), "10.0 s");
    EXPECT_EQ(format_seconds(537.6), "538 s");
    EXPECT_EQ(format_seconds(12345.6), "12,346 s");
    EXPECT_EQ(format_seconds(-2), "-2.00 s");
}

TEST(Units, PrintForPeople) {
    EXPECT_EQ(format_bytes(gibibytes(128)), "128GiB");
    EXPECT_EQ(format_bytes(Bytes{std::int64_t{3} << 39}), "1.5TiB");
    EXPECT_EQ(format_bytes(Bytes{(1 << 20) - 1}), "1MiB");
    EXPECT_EQ(format_bytes(Bytes{0}), "0B");
    EXPECT_EQ(format_rate(1234567.0, "FLOP/s"), "1.23 MFLOP/s");
    EXPECT_EQ(format_rate(999.6, "FLOP/s"), "1 kFLOP/s");
    EXPECT_EQ(format_rate(0, "B/s"), "0 B/s");
    EXPECT_EQ(format_count(82247), "82,247");
    EXPECT_EQ(format_count(999), "999");
    EXPECT_EQ(format_count(1'000'000), "1,000,000");
    EXPECT_EQ(format_count(0, "job") + ", " + format_count(1, "job"), "0 jobs, 1 job");
    EXPECT_EQ(format_count(82247, "job"), "82,247 jobs");
    EXPECT_EQ(format_percent(0.6856), "68.6 %");
}

RC_GTEST_PROP(Units, WholeGibibytesReadBackAsPrinted, ()) {
    const auto count = *rc::gen::inRange<std::int64_t>(1, 999);
    RC_ASSERT(parse_bytes(format_bytes(gibibytes(count)))->count == count << 30);
}

TEST(Time, ReadsDurations) {
    EXPECT_EQ(*parse_duration("90s"), seconds(90));
    EXPECT_EQ(*parse_duration("1.5h"), seconds(5400));
    EXPECT_EQ(*parse_duration("1h30m"), seconds(5400));
    EXPECT_EQ(*parse_duration("1h 30min"), seconds(5400));
    EXPECT_EQ(*parse_duration("2d"), seconds(172'800));
    EXPECT_EQ(*parse_duration("12ms"), Duration{12});
    EXPECT_EQ(*parse_duration("0s"), Duration{0});
    for (const char* text :
         {"", "h", "1h30", "30m1h", "1h1h", "-1h", "1x", "1 year", "1h,30m", "99999999999y"}) {
        EXPECT_NE(refusal(parse_duration(text)), "accepted") << text;
    }
}

TEST(Time, ReadsTimesWithTheirZones) {
    EXPECT_EQ(parse_time("1970-01-01T00:00:00Z")->time_since_epoch().count(), 0);
    EXPECT_EQ(parse_time("2026-11-24")->time_since_epoch().count(), 1'795'478'400'000);
    EXPECT_EQ(*parse_time("2026-11-24T08:00:00+08:00"), *parse_time("2026-11-24"));
    EXPECT_EQ(*parse_time("2026-11-23 19:00-05:00"), *parse_time("2026-11-24T00:00Z"));
    EXPECT_EQ(parse_time("1970-01-01T00:00:00.25Z")->time_since_epoch().count(), 250);
    for (const char* text : {"",
                             "2026-13-01",
                             "2026-02-30",
                             "2026-11-24T25:00:00",
                             "24.11.2026",
                             "2026-11-24T08:00:00+0",
                             "2026-11-24T08",
                             "2026-11-24T08:00:00."}) {
        EXPECT_NE(refusal(parse_time(text)), "accepted") << text;
    }
}

TEST(Time, PrintsShortDurations) {
    EXPECT_EQ(format_duration(Duration{350}), "350ms");
    EXPECT_EQ(format_duration(Duration{1500}), "1.5s");
    EXPECT_EQ(format_duration(seconds(42)), "42s");
    EXPECT_EQ(format_duration(seconds(725)), "12m 05s");
    EXPECT_EQ(format_duration(seconds(11'400)), "3h 10m");
    EXPECT_EQ(format_duration(seconds(187'200)), "2d 04h");
    EXPECT_EQ(format_duration(forever), "unlimited");
    EXPECT_EQ(format_duration(seconds(-5)), "-5s");
}

RC_GTEST_PROP(Time, EveryPrintedTimeReadsBack, ()) {
    // Years 1 to 9999.
    const auto ms = *rc::gen::inRange<std::int64_t>(-62'135'596'800'000, 253'402'300'800'000);
    const Time time{Duration{ms}};
    const auto again = parse_time(format_time(time));
    RC_ASSERT(again.has_value());
    RC_ASSERT(*again == time);
}

}  // namespace
}  // namespace weir
