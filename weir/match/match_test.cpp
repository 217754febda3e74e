#include "weir/match/match.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "weir/match/verdict.hpp"
#include "weir/match/world.hpp"

namespace weir::match {
namespace {

using catalog::Basis;
using catalog::Catalog;
using catalog::Format;
using catalog::Grade;
using catalog::Op;
using catalog::Way;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

const Catalog& built_in() {
    return Catalog::built_in();
}

job::JobSpec asking(const std::string& yaml) {
    return job_of("gang: {chips: 8}\n" + yaml);
}

TEST(Match, LeavesAJobThatDemandsNothingToEveryChipInTheOrderOfTheFleet) {
    const fleet::Fleet fleet = fleet_of({{"unheard-of", 1}, {"b200", 1}, {"h200", 1}});
    EXPECT_THAT(kinds_serving(offers_of(asking(""), fleet, built_in())),
                ElementsAre("unheard-of", "b200", "h200"));
    EXPECT_THAT(
        kinds_serving(offers_of(asking("chips: {any_of: [h200, b200]}"), fleet, built_in())),
        ElementsAre("h200", "b200"));
    // Work without formats demands none either.
    EXPECT_THAT(
        kinds_serving(offers_of(asking("work: [{op: gemm, flops: 1e15}]"), fleet, built_in())),
        ElementsAre("unheard-of", "b200", "h200"));
}

TEST(Match, PromisesNothingOfWhatIsNotKnown) {
    const job::JobSpec job = asking("precision: {result: {format: fp64}}");
    const fleet::Fleet fleet = fleet_of({{"unheard-of", 1}, {"h20", 1}, {"h200", 1}});
    const Offers offers = offers_of(job, fleet, built_in());
    EXPECT_THAT(kinds_serving(offers), ElementsAre("h200"));
    EXPECT_THAT(offers.reasons(),
                UnorderedElementsAre(HasSubstr("unheard-of: the catalogue does not know it"),
                                     HasSubstr("h20: its work wants fp64, and whether it has such "
                                               "units is not known")));
}

TEST(Match, ServesANarrowFormatByAWiderOneButNeverTheOtherWayRound) {
    const Match on_h200 =
        match_of(asking("work: [{op: vector, flops: 1e15, format: bf16}]"), built_in(), "h200");
    ASSERT_TRUE(on_h200.offer);
    EXPECT_EQ(on_h200.offer->phases[0].format, Format::fp32);
    EXPECT_EQ(how(*on_h200.offer), "native in fp32");
    const Match fp32 =
        match_of(asking("work: [{op: gemm, flops: 1e15, format: fp32}]"), built_in(), "tpu-v5e");
    EXPECT_TRUE(is_refused(fp32, Why::units_unknown));
    // Where there are no units of the format itself, a wider one does not stand in.
    EXPECT_TRUE(is_refused(
        match_of(asking("work: [{op: gemm, flops: 1e15, format: bf16}]"), built_in(), "t4"),
        Why::no_units));
    // An FP8 of another kind is not the one that was asked for.
    const auto e4m3 = [](const std::string& chip) {
        return match_of(
            asking("work: [{op: gemm, flops: 1e15, format: fp8e4m3}]"), built_in(), chip);
    };
    EXPECT_EQ(e4m3("h200").offer->phases[0].format, Format::fp8e4m3);
    EXPECT_NE(e4m3("mi300x").offer->phases[0].format, Format::fp8);
}

TEST(Match, TakesAWayOnlyByNameAndGrade) {
    const std::string work = "work: [{op: gemm, flops: 1e18, dim: 16384, format: fp64}]\n";
    const auto way = [&](const std::string& precision) -> std::string {
        const Match match = match_of(asking(work + precision), built_in(), "b200");
        if (match.offer) return how(*match.offer);
        std::string all;
        for (const Reason& reason : match.against)
            all += sentence_of(reason) + "; ";
        return all;
    };
    EXPECT_EQ(way(""), "native");
    EXPECT_EQ(way("precision: {result: {format: fp64}}"), "native");
    EXPECT_EQ(
        way("precision: {result: {format: fp64}, accept: [native, emulated], range_bits: 20}"),
        "emulated oz2-int8-15 (certified)");
    EXPECT_EQ(way("precision: {result: {format: fp64}, accept: [native, emulated>=strict]}"),
              "native");
    EXPECT_THAT(way("precision: {result: {format: fp64}, accept: [emulated>=strict]}"),
                HasSubstr("gemm would be only emulated (certified), below the grade"));
    EXPECT_THAT(way("precision: {result: {format: fp64}, accept: [emulated], specials: required, "
                    "range_bits: 20}"),
                HasSubstr("special values do not behave as required"));
    // FP32 products are faster here, and a residual in FP64 corrects what they got wrong.
    EXPECT_EQ(way("precision: {result: {format: fp64}, accept: [native, refined]}"),
              "refined fp32 (certified)");
    EXPECT_EQ(way("precision: {result: {format: fp64, tolerance: {metric: energy_drift, value: "
                  "1}}, accept: [native, refined]}"),
              "native");
}

TEST(Match, CountsABoundedWayOnlyForADeclaredRange) {
    const Catalog catalog = catalog_and(
        "chips: [{name: npu, rates: [{op: gemm, format: int8, value: 400 TOP/s, basis: measured}, "
        "{op: gemm, format: fp64, value: none, basis: measured}]}]");
    const auto match = [&](const std::string& range) {
        return match_of(
            asking("work: [{op: gemm, flops: 1e18, dim: 16384, format: fp64}]\nprecision: {result: "
                   "{format: fp64}, accept: [emulated>=bounded]" +
                   range + "}"),
            catalog,
            "npu");
    };
    EXPECT_TRUE(is_refused(match(""), Why::range_unknown));
    EXPECT_EQ(how(*match(", range_bits: 20").offer), "emulated oz2-int8-15 (bounded)");
    EXPECT_EQ(how(*match(", range_bits: 30").offer), "emulated oz2-int8-18 (bounded)");
    EXPECT_TRUE(is_refused(match(", range_bits: 60"), Why::range_too_wide));
}

TEST(Match, CountsOnFixedModuliOnlyWithinTheRangeForWhichTheyWereShown) {
    const auto on_b200 = [](const std::string& precision) {
        return match_of(asking("work: [{op: gemm, flops: 1e18, dim: 16384, format: fp64}]\n"
                               "precision: {result: {format: fp64}, accept: " +
                               precision + "}"),
                        built_in(),
                        "b200");
    };
    EXPECT_EQ(how(*on_b200("[emulated>=certified], range_bits: 20").offer),
              "emulated oz2-int8-15 (certified)");
    EXPECT_TRUE(is_refused(on_b200("[emulated>=certified]"), Why::range_unknown));
    EXPECT_TRUE(is_refused(on_b200("[emulated>=certified], range_bits: 21"), Why::range_too_wide));
    EXPECT_EQ(how(*on_b200("[native, emulated>=certified], range_bits: 60").offer), "native");
    // Who needs only a bound gets as many moduli as the range takes.
    EXPECT_EQ(how(*on_b200("[emulated>=bounded], range_bits: 30").offer),
              "emulated oz2-int8-18 (bounded)");
    // A check of every call holds for every range.
    const Catalog checked = catalog_and(
        "chips: [{name: x, rates: [{op: gemm, format: fp64, way: emulated, method: adp-int8, "
        "grade: "
        "certified, value: 80 TFLOP/s, basis: published}]}]");
    EXPECT_TRUE(match_of(asking("work: [{op: gemm, flops: 1e18, format: fp64}]\n"
                                "precision: {result: {format: fp64}, accept: [emulated]}"),
                         checked,
                         "x")
                    .offer);
}

TEST(Match, TakesTheBestFoundedRateOfEachWayAndMethod) {
    const job::JobSpec job = asking(
        "work: [{op: gemm, flops: 1e18, dim: 16384, format: fp64}]\n"
        "precision: {result: {format: fp64}, accept: [native, emulated>=bounded], range_bits: 20}");
    const auto after = [&job](const std::string& rate) {
        return match_of(
            job,
            catalog_and("chips: [{name: a100-sxm-80g, rates: [{op: gemm, " + rate + "}]}]"),
            "a100-sxm-80g");
    };
    const std::string emulated = "format: fp64, way: emulated, basis: measured, ";
    EXPECT_EQ(after("format: fp16, value: 1 TFLOP/s, basis: assumed").offer->phases[0].rate,
              21.6e12);
    // A measurement counts, be it slower or faster, and without a method for the way as a whole.
    const std::string oz2 = emulated + "method: oz2-int8-15, grade: certified, ";
    EXPECT_EQ(after(oz2 + "value: 30 TFLOP/s").offer->phases[0].rate, 30e12);
    EXPECT_EQ(how(*after(oz2 + "value: 3 TFLOP/s").offer), "native");
    EXPECT_EQ(how(*after(emulated + "value: 3 TFLOP/s").offer), "native");
    EXPECT_EQ(how(*after(oz2 + "value: none").offer), "native");
    EXPECT_EQ(how(*after(emulated + "value: none").offer), "native");
    // What is worse founded than it changes nothing.
    EXPECT_EQ(
        after("format: fp64, way: emulated, basis: assumed, value: none").offer->phases[0].rate,
        21.6e12);
    EXPECT_EQ(after("format: fp64, way: emulated, basis: assumed, method: oz2-int8-15, value: 90 "
                    "TFLOP/s")
                  .offer->phases[0]
                  .rate,
              21.6e12);
}

TEST(Match, LetsTheLaterOfTwoEquallyWellFoundedWordsCount) {
    // What is added to a catalogue comes after what it says, and a rate that names no method speaks
    // for each of them: of this chip 21.6 TFLOP/s by oz2-int8-15 are published.
    const auto after = [](const std::string& rate) {
        const Catalog catalog = catalog_and(
            "chips: [{name: a100-sxm-80g, rates: [{op: gemm, format: fp64, way: emulated, basis: "
            "published, " +
            rate + "}]}]");
        const job::JobSpec job = asking(
            "work: [{op: gemm, flops: 1e18, dim: 16384, format: fp64}]\n"
            "precision: {result: {format: fp64}, accept: [native, emulated>=bounded], range_bits: "
            "20}");
        const Match match = match_of(job, catalog, "a100-sxm-80g");
        EXPECT_EQ(violation(job, *catalog.find("a100-sxm-80g"), *match.offer), "");
        return *match.offer;
    };
    EXPECT_EQ(how(after("value: none")), "native");
    EXPECT_EQ(how(after("value: 3 TFLOP/s")), "native");
    EXPECT_EQ(how(after("value: none, method: oz2-int8-15")), "native");
    EXPECT_EQ(how(after("value: none, method: oz1-int8-8")), "emulated oz2-int8-15 (certified)");
    EXPECT_EQ(after("value: 30 TFLOP/s, method: oz2-int8-15").phases[0].rate, 30e12);
}

TEST(Match, KnowsAWayByTheNearestClassOfOperationThatSaysAnythingOfIt) {
    const auto on = [](const std::string& rates) {
        const Catalog catalog = catalog_and("chips: [{name: x, rates: [" + rates + "]}]");
        return match_of(asking("work: [{op: gemm, flops: 1e18, format: fp64}]\nprecision: {result: "
                               "{format: fp64}, accept: [emulated>=bounded], range_bits: 20}"),
                        catalog,
                        "x");
    };
    const std::string emulated = "format: fp64, way: emulated, ";
    const std::string by_vectors =
        "{op: vector, " + emulated + "method: soft, value: 4 TFLOP/s, basis: published}";
    EXPECT_EQ(on(by_vectors).offer->phases[0].rate, 4e12);
    // Of products it is known that there are none, or how fast, so nobody asks the general units.
    const auto gemm = [&](const std::string& rate) {
        return on("{op: gemm, " + emulated + rate + "}, " + by_vectors);
    };
    EXPECT_FALSE(gemm("value: none, basis: measured").offer);
    EXPECT_FALSE(gemm("value: none, basis: assumed").offer);
    EXPECT_EQ(gemm("value: 1 TFLOP/s, basis: assumed").offer->phases[0].rate, 1e12);
    EXPECT_EQ(gemm("method: oz2-fp8-12, value: 1 TFLOP/s, basis: assumed").offer->phases[0].rate,
              1e12);
}

TEST(Match, ServesAJobOfWhichOnlyTheResultIsKnownByUnitsOfAnyKind) {
    const auto on = [](const std::string& accept, const std::string& rates) {
        const job::JobSpec job =
            asking("precision: {result: {format: fp64}, range_bits: 20, accept: [" + accept + "]}");
        const Catalog catalog = catalog_and("chips: [{name: x, rates: [" + rates + "]}]");
        const Match match = match_of(job, catalog, "x");
        if (!match.offer) return std::string();
        EXPECT_EQ(violation(job, *catalog.find("x"), *match.offer), "");
        return how(*match.offer);
    };
    const std::string none = "{op: vector, format: fp64, value: none, basis: measured}";
    EXPECT_EQ(on("native", none), "");
    EXPECT_EQ(on("native", none + ", {op: gemm, format: fp64, value: none, basis: measured}"), "");
    EXPECT_EQ(on("native", none + ", {op: gemm, format: fp64, value: 1 TFLOP/s, basis: assumed}"),
              "native");
    // As general units have no emulation, so products may have one, each by its own last word.
    const std::string emulated = "format: fp64, way: emulated, method: oz2-int8-15, ";
    const std::string no_vectors = "{op: vector, " + emulated + "value: none, basis: measured}";
    const std::string products = "{op: gemm, " + emulated + "value: 1 TFLOP/s, basis: published}";
    EXPECT_EQ(on("emulated>=bounded", no_vectors), "");
    EXPECT_EQ(on("emulated>=bounded", no_vectors + ", " + products),
              "emulated oz2-int8-15 (bounded)");
    EXPECT_EQ(
        on("emulated>=bounded",
           products + ", {op: gemm, format: fp64, way: emulated, value: none, basis: measured}"),
        "");
}

TEST(Match, BuildsNothingOnInt8ProductsThatWereFoundInexact) {
    const Catalog catalog = catalog_and(
        "chips: [{name: a100-sxm-80g, rates: [{op: gemm, format: int8, value: 431 TOP/s, basis: "
        "measured, exact: false}]}]");
    const auto of = [&catalog](const std::string& more) {
        return match_of(asking("work: [{op: gemm, flops: 1e18, dim: 16384, format: fp64}]\n"
                               "precision: {result: {format: fp64}, range_bits: 20, " +
                               more + "}"),
                        catalog,
                        "a100-sxm-80g");
    };
    EXPECT_EQ(how(*of("accept: [native, emulated>=best_effort]").offer), "native");
    const Match only = of("accept: [emulated>=best_effort]");
    EXPECT_TRUE(is_refused(only, Why::inexact));
    std::string all;
    for (const Reason& reason : only.against)
        all += sentence_of(reason) + "; ";
    EXPECT_THAT(all, HasSubstr("on INT8 products, which were found inexact"));
    // Not even as the nearest that can be had.
    const Offers degraded = offers_of(
        asking("work: [{op: gemm, flops: 1e18, dim: 16384, format: fp64}]\n"
               "precision: {result: {format: fp64}, accept: [emulated], on_unsatisfied: degrade}"),
        fleet_of({{"a100-sxm-80g", 1}}),
        catalog);
    EXPECT_TRUE(degraded.degraded);
    EXPECT_EQ(how(*degraded.kinds[0].match.offer), "native");
}

TEST(Match, HoldsTheReachOfAWayAgainstToleranceAndRange) {
    const auto of = [](const std::string& op, const std::string& precision) {
        return match_of(asking("work: [{op: " + op +
                               ", flops: 1e18, dim: 16384, format: fp64}]\n"
                               "precision: {result: {format: fp64" +
                               precision + "}"),
                        built_in(),
                        "b200");
    };
    const auto pair = [&](const std::string& tolerance, const std::string& range) {
        return of("vector", tolerance + "}, accept: [pair]" + range);
    };
    const std::string fine = ", tolerance: {metric: backward_error, value: 1e-12}";
    EXPECT_TRUE(pair(fine, ", range_bits: 100").offer);
    EXPECT_TRUE(
        is_refused(pair(", tolerance: {metric: backward_error, value: 1e-16}", ", range_bits: 9"),
                   Why::tolerance));
    EXPECT_TRUE(is_refused(pair(", tolerance: 1e-16", ", range_bits: 9"), Why::tolerance));
    // 208 binades of FP32 are left for the pair, and nobody says that the numbers stay in them.
    EXPECT_TRUE(is_refused(pair(fine, ", range_bits: 300"), Why::range_too_wide));
    EXPECT_TRUE(is_refused(pair(fine, ""), Why::range_unknown));

    const auto refined = [&](const std::string& tolerance) {
        return of("gemm", tolerance + "}, accept: [refined]");
    };
    EXPECT_TRUE(refined("").offer);
    EXPECT_TRUE(refined(fine).offer);
    EXPECT_TRUE(is_refused(refined(", tolerance: 1e-16"), Why::tolerance));
    EXPECT_TRUE(is_refused(refined(", tolerance: {metric: loss, value: 1}"), Why::tolerance));

    // Four bits of FP8 are not six digits; how many an accuracy needs is the job's own affair.
    const auto quantised = [](const std::string& tolerance) {
        return match_of(asking("work: [{op: gemm, flops: 1e18, format: bf16}]\nprecision: {result: "
                               "{format: bf16, tolerance: " +
                               tolerance + "}, accept: [quantised]}"),
                        built_in(),
                        "h200");
    };
    EXPECT_TRUE(is_refused(quantised("1e-6"), Why::tolerance));
    EXPECT_TRUE(quantised("{metric: accuracy_pct, value: 1}").offer);
}

TEST(Match, AsksForStackAndMemory) {
    const fleet::Fleet fleet =
        fleet_of({{"h200", 1}, {"mi300x", 1}, {"ascend-910b4", 1}, {"h200-nvl", 1}});
    EXPECT_THAT(kinds_serving(offers_of(asking("chips: {stack: [cann, rocm]}"), fleet, built_in())),
                UnorderedElementsAre("mi300x", "ascend-910b4"));
    // The stack of a chip that nobody described is known by its family.
    EXPECT_THAT(kinds_serving(offers_of(asking("chips: {stack: cuda}"), fleet, built_in())),
                UnorderedElementsAre("h200", "h200-nvl"));
    const Offers large = offers_of(asking("chips: {memory: 64GiB}"), fleet, built_in());
    EXPECT_THAT(kinds_serving(large), UnorderedElementsAre("h200", "mi300x"));
    EXPECT_THAT(large.reasons(),
                ::testing::Contains("ascend-910b4: the job needs 64GiB of memory on each chip, and "
                                    "it has 32GiB"));
}

TEST(Match, PrefersTheCheaperPoolAndSaysTheCost) {
    fleet::Fleet fleet = fleet_of({{"h200", 1}, {"h200", 1}});
    fleet.pools[1].site = "far";
    fleet.sites.push_back({.name = "far"});
    const job::JobSpec job = asking("work: [{op: gemm, flops: 1e20, format: bf16}]");
    const auto first = [&] { return offers_of(job, fleet, built_in()).pools.front(); };
    EXPECT_EQ(first().pool, PoolId{0}) << "as fast, so in the order of the fleet";
    fleet.sites[0].price["h200"] = *parse_price("30 CNY/chip-hour");
    EXPECT_EQ(first().pool, PoolId{0}) << "with a pool that is not priced there is no cheaper one";
    fleet.sites[1].price["h200"] = *parse_price("20 CNY/chip-hour");
    EXPECT_EQ(first().pool, PoolId{1});
    const Offers offers = offers_of(job, fleet, built_in());
    ASSERT_TRUE(offers.pools[0].cost.has_value());
    const double hours = *offers.kinds[0].match.offer->seconds / 3600;
    EXPECT_NEAR(static_cast<double>(offers.pools[0].cost->micros), hours * 8 * 20e6, 1e5);
    fleet.sites[1].price["h200"] = *parse_price("1 EUR/chip-hour");
    EXPECT_EQ(first().pool, PoolId{0}) << "two currencies are not compared";
}

TEST(Match, SaysWhatAPoolHasNoRoomFor) {
    fleet::Fleet fleet = fleet_of({{"h200", 2}});
    const auto why = [&](const std::string& yaml) {
        const Offers offers = offers_of(job_of(yaml), fleet, built_in());
        EXPECT_FALSE(offers.pools[0].serves);
        EXPECT_TRUE(offers.pools[0].keeps);
        return sentence_of(offers.pools[0].against.front());
    };
    EXPECT_EQ(why("gang: {chips: 16}"), "a replica wants 16 chips on one node, which has 8");
    EXPECT_EQ(why("gang: {chips: 1, cpus: 129}"),
              "a replica wants 129 CPUs on one node, which has 128");
    EXPECT_EQ(why("gang: {chips: 1, memory: 2TiB}"),
              "a replica wants 2TiB on one node, which has 1TiB");
    EXPECT_EQ(why("gang: {replicas: 3, chips: 8, within: pool}"), "it holds 2 of 3 replicas");
    EXPECT_TRUE(
        offers_of(job_of("gang: {replicas: 3, chips: 8}"), fleet, built_in()).pools[0].serves)
        << "it may spread over the site";
}

TEST(Match, KeepsAJobThatHasToBeEqualBitByBitToOneKind) {
    const job::JobSpec job = asking(
        "precision: {result: {format: fp64}, reproducible: bitwise}\n"
        "work: [{op: gemm, flops: 1e18, dim: 16384}]");
    const Offers offers = offers_of(job, fleet_of({{"h200", 1}, {"mi300x", 1}}), built_in());
    EXPECT_THAT(kinds_serving(offers), ElementsAre("mi300x"));
    EXPECT_EQ(offers.pools[1].against.front().why, Why::one_kind);
}

TEST(Match, SaysNoCostOfAPoolThatDoesNotServe) {
    fleet::Fleet fleet = fleet_of({{"h200", 1}, {"mi300x", 1}});
    fleet.sites[0].price["h200"] = *parse_price("30 CNY/chip-hour");
    fleet.sites[0].price["mi300x"] = *parse_price("20 CNY/chip-hour");
    const job::JobSpec job = asking(
        "precision: {result: {format: fp64}, reproducible: bitwise}\n"
        "work: [{op: gemm, flops: 1e18, dim: 16384}]");
    const Offers offers = offers_of(job, fleet, built_in());
    EXPECT_TRUE(offers.pools[0].cost.has_value());
    EXPECT_FALSE(offers.pools[1].cost.has_value());
    EXPECT_EQ(offers.pools[1].score, 0);
}

TEST(Match, PutsEvenTheSlowestChipsAndNoPriceIntoAnOrder) {
    Catalog catalog = Catalog::built_in();
    // As a catalogue kept in memory may have it; no file can say it.
    ASSERT_TRUE(catalog.add(
        {{.name = "x",
          .rates = {{.format = "bf16", .op = "gemm", .value = 1e-300, .basis = Basis::measured}}}},
        "story"));
    fleet::Fleet fleet = fleet_of({{"x", 1}, {"h200", 1}, {"b200", 1}});
    for (const char* chip : {"x", "h200", "b200"})
        fleet.sites[0].price[chip] = *parse_price("0 CNY/chip-hour");
    const Offers offers =
        offers_of(asking("work: [{op: gemm, flops: 1e25, format: bf16}]"), fleet, catalog);
    EXPECT_THAT(kinds_serving(offers), ElementsAre("h200", "b200", "x"));
    for (const PoolOffer& pool : offers.pools)
        EXPECT_TRUE(std::isfinite(pool.score));
}

TEST(Match, DegradesOnlyWhereTheJobAllowsItAndSaysSo) {
    const fleet::Fleet fleet = fleet_of({{"ascend-910b3", 1}, {"t4", 1}});
    const std::string work = "work: [{op: gemm, flops: 1e18, dim: 16384, format: fp64}]\n";
    EXPECT_TRUE(offers_of(asking(work), fleet, built_in()).keeping().empty());
    const Offers nearest =
        offers_of(asking(work + "precision: {result: {format: fp64}, on_unsatisfied: degrade}"),
                  fleet,
                  built_in());
    EXPECT_TRUE(nearest.degraded);
    EXPECT_EQ(nearest.keeping().size(), 2U);
    EXPECT_THAT(how(*nearest.kinds[0].match.offer), HasSubstr("emulated"));
    // Nothing is lost where a wider format stands in.
    const Offers wider = offers_of(
        asking("work: [{op: gemm, flops: 1e18, format: bf16}]\nprecision: {result: {format: bf16}, "
               "on_unsatisfied: degrade}"),
        fleet_of({{"v100-sxm-32g", 1}}),
        built_in());
    EXPECT_EQ(how(*wider.kinds[0].match.offer), "native in fp32");
    // Where one keeps the contract nobody is degraded.
    const Offers kept =
        offers_of(asking(work + "precision: {result: {format: fp64}, on_unsatisfied: degrade}"),
                  fleet_of({{"ascend-910b3", 1}, {"h200", 1}}),
                  built_in());
    EXPECT_FALSE(kept.degraded);
    EXPECT_THAT(kinds_serving(kept), ElementsAre("h200"));
}

TEST(Match, CountsOnLessTheWorseANumberIsFounded) {
    const auto seconds = [](const std::string& basis) {
        const Catalog catalog = catalog_and(
            "chips: [{name: x, rates: [{op: gemm, format: bf16, value: 100 TFLOP/s, basis: " +
            basis + "}]}]");
        const Match match =
            match_of(asking("work: [{op: gemm, flops: 8e14, format: bf16}]"), catalog, "x");
        EXPECT_EQ(match.offer->basis, *catalog::basis_from_name(basis));
        EXPECT_DOUBLE_EQ(*match.offer->seconds_stated, 1);
        return *match.offer->seconds;
    };
    EXPECT_DOUBLE_EQ(seconds("measured"), 1);
    EXPECT_DOUBLE_EQ(seconds("published"), 1 / 0.9);
    EXPECT_DOUBLE_EQ(seconds("derived"), 1 / 0.75);
    EXPECT_DOUBLE_EQ(seconds("vendor_peak"), 2);
    EXPECT_DOUBLE_EQ(seconds("assumed"), 1 / 0.3);
}

TEST(Match, NeedsNoChipsForAJobThatAsksForNone) {
    fleet::Fleet fleet = fleet_of({{"h200", 1}, {"", 1}});
    fleet.pools[1].chips_per_node = 0;
    const Offers offers =
        offers_of(job_of("precision: {result: {format: fp64}}"), fleet, built_in());
    EXPECT_EQ(offers.keeping().size(), 2U);
    EXPECT_EQ(offers_of(asking(""), fleet, built_in()).keeping().size(), 1U);
}

// --- no offer ever violates the contract ------------------------------------------------------

Format any_format() {
    return *rc::gen::oneOf(rc::gen::element(Format::fp64, Format::fp32, Format::bf16, Format::int8),
                           rc::gen::elementOf(catalog::all_formats()));
}

catalog::Rate any_rate() {
    catalog::Rate rate;
    rate.op = *rc::gen::element<std::string>(
        "gemm", "gemm", "vector", "vector", "spmv", "attention", "memory");
    if (rate.op != "memory") rate.format = name_of(any_format());
    rate.value = *rc::gen::element(0.0, 1e12, 1e12, 4e13, 4e13, 1e15);
    rate.basis = static_cast<Basis>(*rc::gen::inRange(0, 5));
    if (rate.format == "int8" && *rc::gen::arbitrary<bool>()) {
        rate.exact = *rc::gen::arbitrary<bool>();
    }
    if (*rc::gen::arbitrary<bool>()) rate.date = Time{Duration{*rc::gen::inRange(0, 3)}};
    if (rate.op != "memory" && *rc::gen::inRange(0, 3) == 0) {
        rate.format = *rc::gen::element<std::string>("fp64", "fp64", "bf16");
        rate.way = static_cast<Way>(*rc::gen::inRange(1, 6));
        rate.method =
            *rc::gen::element<std::string>("", "oz2-int8-15", "oz2-int8-15", "oz2-fp8-12");
        rate.grade = static_cast<Grade>(*rc::gen::inRange(0, 4));
        if (*rc::gen::arbitrary<bool>()) rate.range_bits = *rc::gen::inRange(0U, 60U);
        rate.memory_factor = *rc::gen::element(1.0, 3.0);
    }
    return rate;
}

job::JobSpec any_job() {
    job::JobSpec spec;
    spec.script = "./a";
    spec.gang.chips = *rc::gen::inRange(1U, 9U);
    if (*rc::gen::inRange(0, 8) == 0) spec.chips_memory = gibibytes(*rc::gen::element(16, 48));
    if (*rc::gen::inRange(0, 8) == 0) spec.chips_stack = {"cuda"};
    for (int phases = *rc::gen::inRange(0, 3); phases > 0; --phases) {
        job::Phase phase;
        phase.op = static_cast<Op>(*rc::gen::inRange(0, 6));
        phase.flops = *rc::gen::element(1e15, 1e17);
        phase.bytes = *rc::gen::element(0.0, 1e15);
        phase.dim = *rc::gen::element<std::uint64_t>(0, 2048, 16384);
        if (*rc::gen::inRange(0, 4) > 0) phase.format = any_format();
        spec.work.push_back(phase);
    }
    if (*rc::gen::inRange(0, 3) > 0) {
        job::Precision& precision = spec.precision.emplace();
        precision.format = *rc::gen::element(Format::fp64, Format::fp64, Format::bf16);
        precision.accept.clear();
        for (int ways = *rc::gen::inRange(1, 4); ways > 0; --ways) {
            const auto way = static_cast<Way>(*rc::gen::inRange(0, 5));
            precision.accept.push_back(
                {way,
                 way == Way::native ? Grade::strict : static_cast<Grade>(*rc::gen::inRange(0, 4))});
        }
        if (*rc::gen::arbitrary<bool>()) {
            precision.range_bits =
                *rc::gen::oneOf(rc::gen::inRange(0U, 60U), rc::gen::element(208U, 209U, 2048U));
        }
        if (*rc::gen::inRange(0, 3) == 0) {
            precision.tolerance = {*rc::gen::element<std::string>("", "backward_error", "loss"),
                                   *rc::gen::element(1e-16, 1e-12, 0.1)};
        }
        precision.reproducible = static_cast<job::Reproducible>(*rc::gen::inRange(0, 3));
        precision.specials = static_cast<job::Specials>(*rc::gen::inRange(0, 3));
    }
    return spec;
}

RC_GTEST_PROP(Match, NeverMakesAnOfferThatViolatesTheContract, ()) {
    catalog::ChipRecord chip{.name = "x", .memory = gibibytes(*rc::gen::element(0, 64))};
    chip.stacks = {*rc::gen::element<std::string>("cuda", "cann")};
    for (int rates = *rc::gen::inRange(0, 24); rates > 0; --rates)
        chip.rates.push_back(any_rate());
    // Chips cost more to draw than jobs, so each is asked by many.
    for (int jobs = 0; jobs < 40; ++jobs) {
        const job::JobSpec spec = any_job();
        const Match match = match_chip(contract_of(spec), chip);
        RC_ASSERT(match.offer.has_value() != !match.against.empty());
        if (!match.offer) continue;
        if (jobs == 0) {
            const auto& phases = match.offer->phases;
            RC_TAG(std::string(phases.empty() ? "nothing asked" : name_of(phases.front().way)));
        }
        const std::string broken = violation(spec, chip, *match.offer);
        if (!broken.empty()) RC_FAIL(broken);
    }
}

RC_GTEST_PROP(Match, NeverMakesAFleetOfOffersThatViolatesTheContract, ()) {
    // Of chips as they are, some measured anew.
    Catalog catalog = Catalog::built_in();
    std::vector<std::pair<std::string, std::uint32_t>> kinds;
    for (int pools = *rc::gen::inRange(1, 5); pools > 0; --pools) {
        const auto kind = *rc::gen::element<std::string>(
            "b200", "h200", "mi300x", "gh200", "ascend-910b3", "unheard-of");
        kinds.emplace_back(kind, 1U);
        if (kind == "unheard-of" || *rc::gen::arbitrary<bool>()) continue;
        RC_ASSERT(catalog.add({{.name = kind, .rates = {any_rate(), any_rate()}}}, "story"));
    }
    fleet::Fleet fleet = fleet_of(kinds);
    if (*rc::gen::arbitrary<bool>()) {
        for (const auto& [kind, nodes] : kinds)
            fleet.sites[0].price[kind] = *parse_price("7 CNY/chip-hour");
    }
    for (int jobs = 0; jobs < 10; ++jobs) {
        job::JobSpec spec = any_job();
        if (spec.precision && *rc::gen::inRange(0, 4) == 0) {
            spec.precision->on_unsatisfied = job::Unsatisfied::degrade;
        }
        const std::string broken = violation(spec, fleet, catalog, offers_of(spec, fleet, catalog));
        if (!broken.empty()) RC_FAIL(broken);
    }
}

TEST(Verdict, KnowsEveryRuleByItself) {
    job::JobSpec job = asking(
        "work: [{op: gemm, flops: 1e18, dim: 16384, format: fp64}]\n"
        "precision: {result: {format: fp64}, accept: [emulated, pair, refined], range_bits: 20}");
    catalog::ChipRecord b200 = *built_in().find("b200");
    ChipOffer offer = *match_chip(contract_of(job), b200).offer;
    EXPECT_EQ(violation(job, b200, offer), "");
    job.precision->range_bits = 60;
    EXPECT_THAT(violation(job, b200, offer), HasSubstr("does not bear the range"));
    job.precision->range_bits.reset();
    EXPECT_THAT(violation(job, b200, offer), HasSubstr("nobody declared one"));
    job.precision->range_bits = 20;

    const catalog::Rate measured{.format = "fp64",
                                 .op = "gemm",
                                 .value = 3e12,
                                 .basis = Basis::measured,
                                 .way = Way::emulated,
                                 .method = "oz2-int8-15"};
    b200.rates.push_back(measured);
    EXPECT_THAT(violation(job, b200, offer), HasSubstr("the best founded rate is 3e+12"));
    b200.rates.back().grade = Grade::best_effort;
    EXPECT_THAT(violation(job, b200, offer), HasSubstr("claims more than the catalogue says"));
    b200.rates.back().value = 0;
    EXPECT_THAT(violation(job, b200, offer), HasSubstr("a way that the chip does not have"));
    b200.rates.back().method = "oz3";
    EXPECT_EQ(violation(job, b200, offer), "") << "of another method";
    offer.phases[0].method = "oz4";
    EXPECT_THAT(violation(job, b200, offer), HasSubstr("the catalogue knows better"));
    offer.phases[0].method = "oz2-int8-15";
    b200.rates.back() = {
        .format = "int8", .op = "gemm", .value = 1e15, .basis = Basis::measured, .exact = false};
    EXPECT_THAT(violation(job, b200, offer), HasSubstr("INT8 products that are not exact"));
    b200.rates.pop_back();

    job.precision->tolerance = {"backward_error", 1e-16};
    EXPECT_EQ(violation(job, b200, offer), "");
    offer.phases[0].way = Way::pair;
    offer.phases[0].method = "fp32";
    offer.phases[0].grade = Grade::bounded;
    EXPECT_THAT(violation(job, b200, offer), HasSubstr("has too few digits"));
    job.precision->tolerance->metric = "";
    offer.phases[0].way = Way::refined;
    offer.phases[0].grade = Grade::certified;
    EXPECT_THAT(violation(job, b200, offer), HasSubstr("promises a backward error only"));
}

TEST(Verdict, FindsWhatAPlanWithoutContractsBreaks) {
    const job::JobSpec job = asking("work: [{op: vector, flops: 1e15, format: fp64}]");
    const catalog::ChipRecord& npu = *built_in().find("ascend-910b3");
    EXPECT_FALSE(match_chip(contract_of(job), npu).offer);
    const catalog::ChipRecord& h100 = *built_in().find("h100-sxm-80g");
    Match fine = match_chip(contract_of(job), h100);
    EXPECT_EQ(violation(job, h100, *fine.offer), "");
    EXPECT_THAT(violation(job, npu, *fine.offer), HasSubstr("no units that are known"));
    fine.offer->phases[0].rate *= 2;
    EXPECT_THAT(violation(job, h100, *fine.offer), HasSubstr("the best founded rate is"));
    fine.offer->phases[0].format = Format::fp32;
    EXPECT_THAT(violation(job, h100, *fine.offer), HasSubstr("is computed in fp32"));
    fine.offer->phases[0].way = Way::pair;
    EXPECT_THAT(violation(job, h100, *fine.offer), HasSubstr("which is not accepted"));
}

}  // namespace
}  // namespace weir::match
