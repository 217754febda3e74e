// Six kinds of work on five kinds of chip, with the figures that public measurements lead to. Rates
// are those that the catalogue states; what plans count on is less, by the basis.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/match/world.hpp"

namespace weir::match {
namespace {

using catalog::Basis;
using catalog::Format;
using catalog::Grade;
using catalog::Way;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;

// A chip without FP64 whose INT8 products deliver 400 TOP/s, in nodes whose processors make 2
// TFLOP/s of what it leaves; and two chips as they deliver.
const catalog::Catalog& the_catalog() {
    static const catalog::Catalog catalog = catalog_and(R"(
chips:
  - name: npu
    memory: 64GiB
    stacks: [cann]
    rates:
      - {op: gemm, format: int8, value: 400 TOP/s, basis: published}
      - {op: gemm, format: [bf16, fp16], value: 300 TFLOP/s, basis: published}
      - {op: gemm, format: int4, value: 800 TOP/s, basis: published}
      - {op: vector, format: fp32, value: 10 TFLOP/s, basis: published}
      - {op: vector, format: fp64, value: none, basis: published}
      - {op: gemm, format: fp64, value: none, basis: published}
      - {op: memory, value: 1.28 TB/s, basis: published}
      - {op: vector, format: fp64, way: host, value: 2 TFLOP/s, basis: published}
  - name: h200-class
    rates:
      - {op: vector, format: fp64, value: 34 TFLOP/s, basis: vendor_peak}
      - {op: vector, format: fp32, value: 67 TFLOP/s, basis: vendor_peak}
      - {op: memory, value: 4.1 TB/s, basis: measured}
  - name: b300-class
    rates:
      - {op: vector, format: fp64, value: 1.3 TFLOP/s, basis: measured}
      - {op: memory, value: 7.75 TB/s, basis: measured}
)");
    return catalog;
}

::testing::Matcher<double> about(double value, double percent = 5) {
    return AllOf(Ge(value * (1 - percent / 100)), Le(value * (1 + percent / 100)));
}

const std::string hpl = R"(
gang: {chips: 8}
work:
  - {name: update, op: gemm, flops: 9.5e17, bytes: 1e14, dim: 16384, format: fp64}
  - {name: panel, op: vector, flops: 0.5e17, bytes: 1e13, format: fp64}
)";

TEST(WorkedExamples, LinpackIsEmulatedWhereThatWinsAndNativeWhereItLoses) {
    const job::JobSpec job = job_of(hpl + R"(
precision: {result: {format: fp64, tolerance: {metric: backward_error, value: 16}}, accept: [native, emulated>=certified], range_bits: 20}
)");
    const auto of = [&](const std::string& chip) { return match_of(job, the_catalog(), chip); };
    // Its matrices are random, of entries that spread over few binades: a range that it declares.
    const auto update = [&](const std::string& chip) { return of(chip).offer->phases[0].way; };
    EXPECT_EQ(update("b200"), Way::emulated);
    EXPECT_THAT(delivered(job, of("b200")), about(121e12));
    EXPECT_EQ(update("gh200"), Way::emulated);
    EXPECT_THAT(delivered(job, of("gh200")), about(80e12));
    EXPECT_EQ(update("mi300x"), Way::native);
    EXPECT_THAT(delivered(job, of("mi300x")), about(66e12));
    EXPECT_EQ(update("rtx-5080"), Way::emulated);
    EXPECT_THAT(delivered(job, of("rtx-5080")), about(8.8e12));
    EXPECT_EQ(of("b200").offer->phases[1].way, Way::native);

    // What nobody has checked on the chip without FP64 is no more than bounded.
    EXPECT_TRUE(is_refused(of("npu"), Why::grade_too_low));
    EXPECT_TRUE(is_refused(of("npu"), Why::no_units));
    const job::JobSpec bounded = job_of(hpl + R"(
precision: {result: {format: fp64}, accept: [native, emulated>=bounded], range_bits: 20}
)");
    const Match npu = match_of(bounded, the_catalog(), "npu");
    ASSERT_TRUE(npu.offer);
    EXPECT_THAT(delivered(bounded, npu), about(12e12));
    EXPECT_EQ(npu.offer->phases[0].grade, Grade::bounded);
    EXPECT_EQ(npu.offer->phases[1].way, Way::host);
    EXPECT_EQ(npu.offer->basis, Basis::derived);
    EXPECT_EQ(npu.offer->memory_factor, 3);
    // Three times the memory is asked of the chip.
    job::JobSpec large = bounded;
    large.chips_memory = gibibytes(24);
    EXPECT_TRUE(is_refused(match_of(large, the_catalog(), "npu"), Why::too_little_memory));
    large.chips_memory = gibibytes(21);
    EXPECT_TRUE(match_of(large, the_catalog(), "npu").offer);

    // Without a word about emulation nobody gets one.
    const job::JobSpec native = job_of(hpl);
    EXPECT_EQ(match_of(native, the_catalog(), "b200").offer->phases[0].way, Way::native);
    EXPECT_THAT(delivered(native, match_of(native, the_catalog(), "b200")), about(36e12));
}

const std::string weather = R"(
gang: {chips: 8}
work: [{name: dynamics, op: vector, flops: 1e17, bytes: 4e17, format: fp64}]
)";

TEST(WorkedExamples, WeatherIsBoundByMemoryAndInfeasibleWithoutFp64) {
    const job::JobSpec job = job_of(weather);
    const auto of = [&](const std::string& chip) { return match_of(job, the_catalog(), chip); };
    EXPECT_THAT(delivered(job, of("h200-class")), about(1.0e12));
    EXPECT_TRUE(of("h200-class").offer->phases[0].memory_bound);
    EXPECT_THAT(delivered(job, of("b300-class")), about(1.3e12));
    EXPECT_FALSE(of("b300-class").offer->phases[0].memory_bound);
    const Match npu = of("npu");
    EXPECT_FALSE(npu.offer);
    EXPECT_EQ(sentence_of(npu.against.front()),
              "dynamics wants fp64 vector, and it has no such units");

    // Emulated products are of no use to it, and the processors do not take it over.
    const std::string contract = "precision: {result: {format: fp64}, range_bits: 9, accept: ";
    EXPECT_FALSE(match_of(job_of(weather + contract + "[native, emulated>=best_effort]}"),
                          the_catalog(),
                          "npu")
                     .offer);
    const job::JobSpec pair = job_of(weather + contract + "[native, pair]}");
    const Match by_pair = match_of(pair, the_catalog(), "npu");
    ASSERT_TRUE(by_pair.offer);
    EXPECT_THAT(delivered(pair, by_pair), about(0.32e12));
    EXPECT_TRUE(by_pair.offer->phases[0].memory_bound);
    // A pair has 46 bits and no more.
    EXPECT_TRUE(is_refused(
        match_of(job_of(weather +
                        "precision: {result: {format: fp64, tolerance: 1e-15}, accept: [pair]}"),
                 the_catalog(),
                 "npu"),
        Why::tolerance));

    // Numbers that lie in memory as FP32 halve the time wherever memory binds.
    job::JobSpec stored = job;
    stored.work[0].storage = Format::fp32;
    EXPECT_THAT(delivered(stored, match_of(stored, the_catalog(), "h200-class")), about(2.05e12));
}

TEST(WorkedExamples, MixedMolecularDynamicsNeedsALittleFp64) {
    const job::JobSpec job = job_of(R"(
gang: {chips: 8}
work:
  - {name: forces, op: vector, flops: 0.97e17, bytes: 1e15, format: fp32}
  - {name: sums, op: vector, flops: 0.03e17, bytes: 1e14, format: fp64}
)");
    // A chip with a sixty-fourth of its rate in FP64 is fine; one with none is not.
    EXPECT_TRUE(match_of(job, the_catalog(), "rtx-5080").offer);
    EXPECT_TRUE(match_of(job, the_catalog(), "h200").offer);
    EXPECT_TRUE(is_refused(match_of(job, the_catalog(), "npu"), Why::no_units));
}

const std::string training = R"(
gang: {chips: 8}
work:
  - {name: layers, op: gemm, flops: 1e20, dim: 8192, format: bf16}
  - {name: optimiser, op: vector, flops: 1e16, format: fp32}
)";

TEST(WorkedExamples, TrainingGoesAwayFromScarceFullPrecision) {
    const job::JobSpec job = job_of(training);
    catalog::Catalog catalog = the_catalog();
    const auto first = [&](std::uint32_t with_fp64, std::uint32_t without) {
        return kinds_serving(
            offers_of(job, fleet_of({{"mi300x", with_fp64}, {"npu", without}}), catalog));
    };
    // An MI300X is more than twice as fast at it, but where it is the one in ten that has FP64 the
    // others come first; where it is not scarce, the faster one does.
    EXPECT_THAT(first(1, 9), ElementsAre("npu", "mi300x"));
    EXPECT_THAT(first(9, 1), ElementsAre("mi300x", "npu"));
    // Work that needs it is not sent away.
    EXPECT_THAT(
        kinds_serving(offers_of(job_of(weather), fleet_of({{"npu", 9}, {"mi300x", 1}}), catalog)),
        ElementsAre("mi300x"));
    // BF16 that "runs" at a hundredth of the speed is none.
    EXPECT_TRUE(is_refused(match_of(job, catalog, "v100-sxm-32g"), Why::no_units));
    EXPECT_TRUE(is_refused(match_of(job, catalog, "ascend-910a"), Why::no_units));
}

TEST(WorkedExamples, InferenceSeesPrecisionAsBytes) {
    // One token of a model of 70 billion parameters, whose weights are read once.
    const auto token = [](const std::string& storage) {
        return job_of(
            "gang: {chips: 1}\nwork: [{name: decode, op: gemm, flops: 1.4e11, bytes: "
            "1.4e11, format: fp16, storage: " +
            storage + "}]\n");
    };
    const auto tokens_per_s = [&](const std::string& storage) {
        const Match match = match_of(token(storage), the_catalog(), "npu");
        EXPECT_TRUE(match.offer->phases[0].memory_bound);
        return 1 / *match.offer->seconds_stated;
    };
    EXPECT_THAT(tokens_per_s("int4"), about(37, 2));
    EXPECT_THAT(tokens_per_s("fp8"), about(18, 2));
}

TEST(WorkedExamples, AConvergedCampaignIsThreePlacements) {
    const fleet::Fleet fleet = fleet_of({{"gh200", 2}, {"npu", 20}});
    const auto served = [&](const std::string& yaml) {
        return kinds_serving(offers_of(job_of("gang: {chips: 8}\n" + yaml), fleet, the_catalog()));
    };
    EXPECT_THAT(served("work: [{op: spmv, flops: 1e16, bytes: 4e16, format: fp64}]"),
                ElementsAre("gh200"));
    EXPECT_THAT(served("work: [{op: gemm, flops: 1e19, dim: 8192, format: bf16}]"),
                ElementsAre("npu", "gh200"));
    EXPECT_THAT(served("work: [{op: gemm, flops: 1e19, dim: 8192, format: int8}]"),
                ElementsAre("npu", "gh200"));
    // As one job it would keep chips that do all three busy throughout.
    EXPECT_THAT(served("work: [{op: spmv, flops: 1e16, bytes: 4e16, format: fp64}, {op: gemm, "
                       "flops: 1e19, dim: 8192, format: bf16}, {op: gemm, flops: 1e19, dim: 8192, "
                       "format: int8}]"),
                ElementsAre("gh200"));
}

}  // namespace
}  // namespace weir::match
