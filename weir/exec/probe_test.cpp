#include "weir/exec/probe.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "weir/exec/int8_exactness.hpp"
#include "weir/exec/run_files.hpp"

namespace weir::exec {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

ProbeOptions quick() {
    ProbeOptions options;
    options.seconds_each = 0.01;
    return options;
}

ProbeOptions without_libraries() {
    ProbeOptions options = quick();
    options.openblas = {"libno-such-blas.so"};
    options.onednn = {"libno-such-dnnl.so"};
    return options;
}

bool exact_product(std::size_t m,
                   std::size_t n,
                   std::size_t k,
                   const std::int8_t* a,
                   const std::int8_t* b,
                   std::int32_t* c) {
    for (std::size_t i = 0; i < m; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            std::int32_t sum = 0;
            for (std::size_t x = 0; x < k; ++x)
                sum += a[i * k + x] * b[x * n + j];
            c[i * n + j] = sum;
        }
    }
    return true;
}

// What a processor without VNNI does with unsigned times signed bytes: pairs are added in 16 bits
// and saturate there. The sign of A is handled by an offset of 128, as libraries do it.
bool saturating_product(std::size_t m,
                        std::size_t n,
                        std::size_t k,
                        const std::int8_t* a,
                        const std::int8_t* b,
                        std::int32_t* c) {
    for (std::size_t i = 0; i < m; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            std::int32_t sum = 0;
            std::int32_t columns = 0;
            for (std::size_t x = 0; x < k; x += 2) {
                std::int32_t pair = 0;
                for (std::size_t y = x; y < std::min(x + 2, k); ++y) {
                    pair += (a[i * k + y] + 128) * b[y * n + j];
                    columns += b[y * n + j];
                }
                sum += std::clamp(pair, -32768, 32767);
            }
            c[i * n + j] = sum - 128 * columns;
        }
    }
    return true;
}

TEST(Int8Exactness, AcceptsIntegerArithmeticAndCatchesSaturation) {
    EXPECT_EQ(int8_errors(exact_product), "");
    EXPECT_THAT(int8_errors(saturating_product), HasSubstr("results are wrong for random data"));
    EXPECT_EQ(int8_errors([](auto...) { return false; }), "it refused the product");
}

TEST(Probe, MeasuresEveryRateOfThisMachine) {
    const auto record = measure(quick());
    ASSERT_TRUE(record) << record.error().message;
    for (const char* const name : {"fp64", "fp32", "bf16", "int8", "memory"}) {
        const MeasuredRate* const rate = record->rate(name);
        ASSERT_NE(rate, nullptr) << name;
        EXPECT_GT(rate->best, 1e6) << name;
        EXPECT_GE(rate->best, rate->median) << name;
        EXPECT_GE(rate->runs, 5u) << name;
        EXPECT_TRUE(rate->exact) << name;
        EXPECT_FALSE(rate->implementation.empty());
    }
    EXPECT_THAT(record->int8_exactness,
                HasSubstr(record->rate("int8")->implementation + ": exact"));
    EXPECT_GE(record->threads, 1u);
}

TEST(Probe, MeasuresWithKernelsOfItsOwnWhereNoLibraryIs) {
    const auto record = measure(without_libraries());
    ASSERT_TRUE(record) << record.error().message;
    ASSERT_EQ(record->rates.size(), 5u);
    for (const MeasuredRate& rate : record->rates) {
        EXPECT_THAT(rate.implementation, StartsWith("weir ")) << rate.name;
    }
}

TEST(Probe, SurvivesALibraryThatIsSomethingElse) {
    ProbeOptions options = without_libraries();
    options.openblas = {"libc.so.6"};
    options.onednn = {"libm.so.6"};
    const auto record = measure(options);
    ASSERT_TRUE(record) << record.error().message;
    EXPECT_EQ(record->rates.size(), 5u);
}

TEST(Probe, GivesUpOnAMachineThatIsTooBusyToAnswer) {
    ProbeOptions options = without_libraries();
    options.seconds_each = 30;
    options.patience = Duration{100};
    const auto record = measure(options);
    ASSERT_FALSE(record);
    EXPECT_THAT(record.error().message, HasSubstr("not done within 100ms"));
}

TEST(Probe, KeepsItsRecordAsLongAsTheMachineIsTheSame) {
    std::string folder = (std::filesystem::temp_directory_path() / "weir-probe-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    ProbeOptions options = without_libraries();
    const auto first = measured_rates(folder, options);
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_FALSE(first->reused);
    const auto again = measured_rates(folder, options);
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->reused);
    EXPECT_EQ(again->record.rate("fp64")->best, first->record.rate("fp64")->best);

    options.threads = 3;  // as if a CPU had been added
    const auto other = measured_rates(folder, options);
    ASSERT_TRUE(other);
    EXPECT_FALSE(other->reused);

    std::ofstream(folder + "/probe.json", std::ios::trunc) << "{\"format\": \"weir-pro";
    const auto torn = measured_rates(folder, options);
    ASSERT_TRUE(torn);
    EXPECT_FALSE(torn->reused);
    std::filesystem::remove_all(folder);
}

TEST(Probe, WritesARecordThatReadsBackTheSame) {
    ProbeRecord record;
    record.identity = {{"cpu", "some \"quoted\" model"}, {"cpus", "2"}};
    record.measured_at = at_seconds(1'764'000'000);
    record.threads = 2;
    record.int8_exactness = "exact";
    record.rates = {{"fp64", "FLOP/s", 1.5e10, 1.25e10, 7, 1024, "weir avx2", true}};
    record.candidates = {{"int8", "OP/s", 2e11, 1e11, 5, 512, "other", false}};
    const std::string text = probe_to_json(record);
    const auto read = probe_from_json(text);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(probe_to_json(*read), text);
    EXPECT_FALSE(read->candidates.at(0).exact);
    EXPECT_FALSE(probe_from_json("[]"));
    EXPECT_FALSE(probe_from_json("{\"format\":\"weir-probe/2\"}"));
}

}  // namespace
}  // namespace weir::exec
