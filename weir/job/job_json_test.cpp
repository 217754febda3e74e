#include "weir/job/job_json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "weir/job/array_text.hpp"
#include "weir/job/check_spec.hpp"
#include "weir/job/job_file.hpp"

namespace weir::job {
namespace {

using ::testing::HasSubstr;

std::string any_word() {
    return *rc::gen::element<std::string>("a", "wing-flutter", "b c", "堰", "x_1", "A.b", "h200");
}

std::vector<std::string> any_words() {
    std::vector<std::string> words;
    const auto count = *rc::gen::inRange(0, 4);
    for (int i = 0; i < count; ++i)
        words.push_back(any_word());
    return words;
}

std::optional<Duration> any_duration() {
    if (*rc::gen::arbitrary<bool>()) return std::nullopt;
    return Duration{*rc::gen::inRange<std::int64_t>(1, 1'000'000'000)};
}

// Every field that may differ, differs.
Precision any_precision() {
    Precision precision;
    precision.format = *rc::gen::elementOf(catalog::all_formats());
    if (*rc::gen::arbitrary<bool>()) {
        precision.tolerance = *rc::gen::element(
            Tolerance{"", 1e-12}, Tolerance{"accuracy_pct", 99}, Tolerance{"energy_drift", 0.1});
    }
    precision.accept.clear();
    for (int ways = *rc::gen::inRange(1, 4); ways > 0; --ways) {
        const auto way = static_cast<catalog::Way>(*rc::gen::inRange(0, 5));
        const auto grade = static_cast<catalog::Grade>(*rc::gen::inRange(0, 4));
        const bool native = way == catalog::Way::native;
        precision.accept.push_back({way, native ? catalog::Grade::strict : grade});
    }
    if (*rc::gen::arbitrary<bool>()) precision.range_bits = *rc::gen::inRange(0U, 2049U);
    precision.specials = static_cast<Specials>(*rc::gen::inRange(0, 3));
    precision.reproducible = static_cast<Reproducible>(*rc::gen::inRange(0, 3));
    precision.on_unsatisfied = static_cast<Unsatisfied>(*rc::gen::inRange(0, 3));
    return precision;
}

Phase any_phase() {
    Phase phase;
    phase.name = *rc::gen::element<std::string>("", "update");
    phase.op = static_cast<catalog::Op>(*rc::gen::inRange(0, 6));
    phase.flops = static_cast<double>(*rc::gen::inRange<std::int64_t>(0, 1 << 30)) * 1.1e9;
    phase.bytes = *rc::gen::element(0.0, 4e15);
    phase.dim = *rc::gen::element<std::uint64_t>(0, 16384);
    if (*rc::gen::arbitrary<bool>()) phase.format = *rc::gen::elementOf(catalog::all_formats());
    if (*rc::gen::arbitrary<bool>()) phase.storage = *rc::gen::elementOf(catalog::all_formats());
    return phase;
}

JobSpec any_spec() {
    JobSpec spec;
    spec.name = any_word();
    spec.tenant = *rc::gen::element<std::string>("", "a", "university/aero", "a/b/c");
    spec.script = *rc::gen::element<std::string>("./a", "#!/bin/sh\necho \"$1\"\n", "a\tb 'c' \\");
    spec.launch = *rc::gen::element(LaunchMode::replicas, LaunchMode::once);
    spec.batch_script = *rc::gen::arbitrary<bool>();
    spec.gpus = *rc::gen::arbitrary<bool>();
    spec.priority = static_cast<Priority>(*rc::gen::inRange(0, 4));
    spec.gang.replicas = *rc::gen::inRange<std::uint32_t>(1, 1000);
    const bool share = *rc::gen::arbitrary<bool>();
    if (share) {
        spec.gang.chip_permille = *rc::gen::inRange<std::uint32_t>(100, 901);
    } else {
        spec.gang.chips = *rc::gen::inRange<std::uint32_t>(0, 65);
    }
    spec.gang.cpus_milli = *rc::gen::inRange<std::uint32_t>(100, 1'000'000);
    spec.gang.memory = Bytes{*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 45)};
    spec.gang.within = static_cast<fleet::Level>(*rc::gen::inRange(0, 5));
    if (*rc::gen::arbitrary<bool>()) {
        spec.gang.prefer =
            static_cast<fleet::Level>(*rc::gen::inRange(0, static_cast<int>(spec.gang.within) + 1));
    }
    spec.gang.replace = *rc::gen::arbitrary<bool>();
    if (*rc::gen::arbitrary<bool>()) {
        spec.deadline = Time{Duration{*rc::gen::inRange<std::int64_t>(0, 253'402'300'800'000)}};
    }
    if (*rc::gen::arbitrary<bool>()) {
        spec.budget =
            Money{*rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000), {{'E', 'U', 'R'}}};
    }
    spec.reservation = *rc::gen::element<std::string>("", "night");
    spec.chips_any_of = any_words();
    spec.sites = any_words();
    spec.limit = any_duration();
    spec.expected = any_duration();
    if (spec.limit && spec.expected && *spec.expected > *spec.limit) spec.expected = spec.limit;
    spec.retries = *rc::gen::inRange<std::uint32_t>(0, 101);
    if (*rc::gen::arbitrary<bool>()) {
        spec.checkpoint = Checkpoint{Duration{*rc::gen::inRange<std::int64_t>(1, 1'000'000)},
                                     Duration{*rc::gen::inRange<std::int64_t>(0, 1'000'000)},
                                     *rc::gen::inRange(1, 65)};
    }
    if (*rc::gen::arbitrary<bool>()) spec.after = {"before"};
    if (*rc::gen::arbitrary<bool>()) spec.after_any = {"12", "12_3"};
    if (*rc::gen::arbitrary<bool>()) spec.after_failure = {"before"};
    if (*rc::gen::arbitrary<bool>()) {
        Array array;
        const auto indices = *rc::gen::nonEmpty(
            rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(0, 50)));
        array.indices = indices;
        std::sort(array.indices.begin(), array.indices.end());
        array.indices.erase(std::unique(array.indices.begin(), array.indices.end()),
                            array.indices.end());
        array.at_once_max = *rc::gen::inRange<std::uint32_t>(0, 20);
        spec.array = array;
    }
    if (*rc::gen::arbitrary<bool>()) spec.data_in = {{"era5", ""}, {"再来", "data/x"}};
    if (!spec.array && *rc::gen::arbitrary<bool>()) {
        spec.data_out = {{"out", "made", std::nullopt}, {"b", "kept", Duration{7}}};
    }
    if (*rc::gen::arbitrary<bool>()) spec.env = {{"A", ""}, {"OMP_NUM_THREADS", "8"}};
    if (*rc::gen::arbitrary<bool>()) spec.chips_stack = {"cuda", "cann"};
    spec.chips_memory = Bytes{*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 40)};
    if (*rc::gen::arbitrary<bool>()) spec.precision = any_precision();
    for (int phases = *rc::gen::inRange(0, 3); phases > 0; --phases)
        spec.work.push_back(any_phase());
    spec.workdir = *rc::gen::element<std::string>("", "/data/a b");
    spec.stdout_path = *rc::gen::element<std::string>("", "out/%j.%r");
    spec.stderr_path = *rc::gen::element<std::string>("", "/tmp/%x");
    spec.output_limit = Bytes{*rc::gen::inRange<std::int64_t>(1024, std::int64_t{1} << 40)};
    spec.grace = Duration{*rc::gen::inRange<std::int64_t>(0, 86'400'000)};
    spec.comment = *rc::gen::element<std::string>("", "second \"try\"", "再来");
    return spec;
}

RC_GTEST_PROP(JobJson, EverySpecReadsBackAsItWasWritten, ()) {
    JobSpec spec = any_spec();
    if (*rc::gen::arbitrary<bool>()) spec.not_honoured = {"data", "retry_on"};
    if (*rc::gen::arbitrary<bool>()) {
        spec.planned = {
            {"b200", "native", catalog::Basis::published, Duration{7}, false, {{"A", "1"}}},
            {"npu", "gemm: emulated", catalog::Basis::derived, std::nullopt, true, {}}};
    }
    if (!spec.array && *rc::gen::arbitrary<bool>()) {
        spec.train = {"m/config.json", "{}", 8192, 512, 2.5e10, "fp8", {16, 256}, "torchtitan"};
        spec.sizes = {{{"a", "b"},
                       "h200",
                       4,
                       8,
                       Duration{5},
                       Duration{9},
                       1.5,
                       1,
                       2,
                       0.4,
                       "tp 8",
                       {{"WEIR_TP", "8"}}}};
    }
    const auto again = spec_from_json(spec_to_json(spec));
    if (!again.has_value()) RC_FAIL(again.error().message);
    RC_ASSERT(*again == spec);
}

RC_GTEST_PROP(JobFile, EverySpecReadsBackAsItWasPrinted, ()) {
    JobSpec spec = any_spec();
    spec.batch_script = false;  // of these a job file says nothing
    spec.gpus = false;
    const auto again = read_job_text(print_job(spec), "printed");
    if (!again.has_value()) RC_FAIL(again.error().message);
    RC_ASSERT(again->spec == spec);
}

RC_GTEST_PROP(JobArray, EveryArrayReadsBackAsItWasWritten, (std::vector<std::uint8_t> numbers)) {
    RC_PRE(!numbers.empty());
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    Array array{{numbers.begin(), numbers.end()}, *rc::gen::inRange<std::uint32_t>(0, 9)};
    const auto again = parse_array(array_text(array));
    RC_ASSERT(again.has_value());
    RC_ASSERT(*again == array);
}

TEST(JobArray, IsWrittenShort) {
    const auto text = [](const std::string& from) { return array_text(*parse_array(from)); };
    EXPECT_EQ(text("0-99%10"), "0-99%10");
    EXPECT_EQ(text("1,3,5-9:2"), "1-9:2");
    EXPECT_EQ(text("4,2,3,3"), "2-4");
    EXPECT_EQ(text("7"), "7");
    EXPECT_EQ(text("0,1,5"), "0-1,5");
    for (const char* wrong : {"",
                              "-1",
                              "1-",
                              "a",
                              "1,,2",
                              "1-5:0",
                              "1:2",
                              "%3",
                              "1%0",
                              "1%",
                              "1 ",
                              "5-1",
                              "4000001",
                              "99999999999",
                              "1-2-3"}) {
        EXPECT_FALSE(parse_array(wrong).has_value()) << wrong;
    }
}

std::string refusal(const std::string& json) {
    const auto spec = spec_from_json(json);
    return spec.has_value() ? "accepted" : spec.error().message;
}

TEST(JobJson, LeavesOutDefaults) {
    JobSpec spec;
    spec.script = "./a";
    EXPECT_EQ(spec_to_json(spec),
              R"({"script":"./a","gang":{"replicas":1,"chips":0,"cpus_milli":1000,)"
              R"("memory_bytes":0,"within":"site"}})");
    EXPECT_EQ(*spec_from_json(R"({"script":"./a"})"), spec);
}

TEST(JobJson, RefusesWhatIsNoJob) {
    EXPECT_THAT(refusal("{"), HasSubstr("no valid JSON"));
    EXPECT_THAT(refusal("[]"), HasSubstr("must be an object"));
    EXPECT_THAT(refusal("{}"), HasSubstr("run: is empty"));
    EXPECT_EQ(refusal(R"({"script":"a","colour":1})"), "colour: is not a key of a job");
    EXPECT_EQ(refusal(R"({"script":"a","gang":{"replica":1}})"),
              "gang.replica: is not a key of a job");
    EXPECT_EQ(refusal(R"({"script":"a","gang":{"replicas":"1"}})"),
              "gang.replicas: must be an integer");
    EXPECT_THAT(refusal(R"({"script":"a","gang":{"replicas":0}})"), HasSubstr("1 to 1000000"));
    EXPECT_THAT(refusal(R"({"script":"a","gang":{"replicas":-1}})"), HasSubstr("out of range"));
    EXPECT_THAT(refusal(R"({"script":"a","gang":{"replicas":18446744073709551615}})"),
                HasSubstr("out of range"));
    EXPECT_THAT(refusal(R"({"script":"a","gang":{"replicas":1e3}})"), HasSubstr("an integer"));
    EXPECT_THAT(refusal(R"({"script":"a","gang":{"chips":1,"chip_permille":500}})"),
                HasSubstr("exclude"));
    // A product that no sum of the core could hold.
    EXPECT_THAT(
        refusal(R"({"script":"a","gang":{"replicas":1000000,"memory_bytes":1099511627776000}})"),
        HasSubstr("more than 1EiB"));
    EXPECT_THAT(refusal(R"({"script":"a","priority":"top"})"), HasSubstr("low, normal, high"));
    EXPECT_THAT(refusal(R"({"script":"a","workdir":"x"})"), HasSubstr("absolute"));
    EXPECT_THAT(refusal(R"({"script":"a","limit_ms":0})"), HasSubstr("time.limit"));
    EXPECT_THAT(refusal(R"({"script":"a","array":{"indices":"9-1"}})"), HasSubstr("array.indices"));
    EXPECT_THAT(refusal(R"({"script":"a","array":{}})"), HasSubstr("array.indices"));
    EXPECT_THAT(refusal(R"({"script":"a","precision":{"format":"fp65"}})"),
                HasSubstr("precision.format: 'fp65' is not one of fp64, fp32"));
    EXPECT_THAT(refusal(R"({"script":"a","precision":{"format":"fp64","range_bits":99999}})"),
                HasSubstr("precision.range_bits: 99999 is not a whole number from 0 to 2048"));
    EXPECT_THAT(refusal(R"({"script":"a","precision":{"format":"fp64","range_bits":-5}})"),
                HasSubstr("precision.range_bits: -5 is not"));
    EXPECT_THAT(refusal(R"({"script":"a","precision":{"format":"fp64","accept":["magic"]}})"),
                HasSubstr("'magic' is no way"));
    EXPECT_THAT(refusal(R"({"script":"a","work":[{"op":"gemm","flops":-1}]})"),
                HasSubstr("work.flops: -1 is out of range"));
    EXPECT_THAT(refusal(R"({"script":"a","work":[{"op":"gemm","colour":1}]})"),
                HasSubstr("work[0].colour: is not a key of a job"));
    EXPECT_THAT(refusal(R"({"script":"a\u0000b"})"), HasSubstr("NUL"));
    EXPECT_THAT(refusal(R"({"script":"a","name":"12"})"), HasSubstr("id of a job"));
    EXPECT_THAT(refusal(R"({"script":"a","stdout_path":"a\nb"})"), HasSubstr("one line"));
}

TEST(JobJson, TakesAnEnvironmentAsAShellHasIt) {
    // A hub stores what the user's environment had; only a job file is strict about names.
    EXPECT_EQ(refusal(R"({"script":"a","env":{"BASH_FUNC_x%%":"() { :; }","WEIR_X":"1"}})"),
              "accepted");
    EXPECT_NE(refusal(R"({"script":"a","env":{"A=B":"1"}})"), "accepted");
}

}  // namespace
}  // namespace weir::job
