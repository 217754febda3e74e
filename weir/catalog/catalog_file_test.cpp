#include "weir/catalog/catalog_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "weir/base/embedded.hpp"
#include "weir/base/random.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/catalog/only_chip.hpp"
#include "weir/catalog/vendor.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace weir::catalog {

std::span<const EmbeddedFile> embedded_files();

namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string refusal(const std::string& text) {
    const auto chips = read_catalog_text(text, "c.yaml");
    return chips.has_value() ? "accepted" : chips.error().message;
}

std::string with_rate(const std::string& rate) {
    return "chips:\n  - name: npu\n    rates:\n      - {" + rate + "}\n";
}

TEST(CatalogFile, SaysWhatIsKnownOfAChip) {
    const auto chips = read_catalog_text(R"(
chips:
  - name: npu
    aliases: npu-1
    vendor: Example
    memory: 64GiB
    link: 400Gb/s x 8
    tdp: 310W
    stacks: [cann]
    domestic: true
    source: us
    rates:
      - {op: gemm, format: [bf16, fp16], value: 313 TFLOP/s, basis: vendor_peak}
      - {op: gemm, format: int8, by_dim: {8192: 400 TOP/s, 1024: 90TOP/s}, basis: measured, date: 2026-11-01}
      - {op: vector, format: fp64, value: none, basis: published, source: them}
      - {op: memory, value: 1.28 TB/s, basis: measured}
)",
                                         "c.yaml");
    ASSERT_TRUE(chips.has_value()) << chips.error().message;
    const ChipRecord& chip = chips->front();
    EXPECT_EQ(chip.memory, gibibytes(64));
    EXPECT_EQ(chip.link_bytes_per_s, 400e9);
    EXPECT_TRUE(chip.domestic);
    EXPECT_EQ(chip.rate("fp16", "gemm")->value, 313e12);
    EXPECT_EQ(chip.rate("fp16", "gemm")->source, "us");
    EXPECT_EQ(chip.rate("int8", "gemm")->value, 400e12);
    EXPECT_EQ(rate_at(*chip.rate("int8", "gemm"), 1024), 90e12);
    EXPECT_EQ(chip.rate("fp64", "vector")->value, 0);
    EXPECT_EQ(chip.rate("", "memory")->value, 1.28e12);
    EXPECT_EQ(chip.rate("fp64", "gemm"), nullptr);
}

TEST(CatalogFile, RefusesWithFileLineKeyValueAndWhatIsValid) {
    EXPECT_THAT(refusal("chips: [{nme: a}]"),
                AllOf(HasSubstr("c.yaml:1:"), HasSubstr("'nme' is not a key of chip")));
    EXPECT_THAT(refusal(with_rate("op: gemm, format: fp64, value: 3, basis: measured")),
                AllOf(HasSubstr("c.yaml:4:"),
                      HasSubstr("chips[0].rates[0].value: '3' is not a rate: write a number and a "
                                "unit, such as 989 TFLOP/s")));
    // Slower or faster than anything that exists, so that sums with it stay finite.
    for (const char* value : {"1e-300 FLOP/s", "1e10 EFLOP/s", "-1 TFLOP/s", "nan TFLOP/s"}) {
        EXPECT_THAT(refusal(with_rate("op: gemm, format: fp64, basis: measured, value: " +
                                      std::string(value))),
                    HasSubstr("from 1 to 1e24 in all"))
            << value;
    }
    EXPECT_THAT(refusal(with_rate(
                    "op: gemm, format: fp64, value: 1 TFLOP/s, basis: measured, range_bits: 20")),
                HasSubstr("native arithmetic holds for every range"));
    EXPECT_THAT(refusal(with_rate("op: gemm, format: fp65, value: 3 TFLOP/s, basis: measured")),
                HasSubstr("'fp65' is not one of fp64, fp32"));
    EXPECT_THAT(refusal(with_rate("op: gemm, format: int8, value: 3 TFLOP/s, basis: measured")),
                HasSubstr("should end in OP/s"));
    EXPECT_THAT(refusal(with_rate("op: memory, value: 3 TFLOP/s, basis: measured")),
                HasSubstr("should end in B/s"));
    EXPECT_THAT(refusal(with_rate("op: memory, format: fp64, value: 3 TB/s, basis: measured")),
                HasSubstr("has no format"));
    EXPECT_THAT(refusal(with_rate("op: gemm, value: 3 TFLOP/s, basis: measured")),
                HasSubstr("'format' is missing"));
    EXPECT_THAT(refusal(with_rate("op: gemm, format: fp64, basis: measured")),
                HasSubstr("write either value"));
    EXPECT_THAT(refusal(with_rate("op: gemm, format: fp64, value: 1 TFLOP/s, basis: hearsay")),
                HasSubstr("'hearsay' is not one of measured, published"));
    EXPECT_THAT(
        refusal(with_rate("op: gemm, format: fp64, by_dim: {0: 1 TFLOP/s}, basis: measured")),
        HasSubstr("'0' is not the size of a matrix"));
    EXPECT_THAT(
        refusal(with_rate(
            "op: gemm, format: fp64, by_dim: {8: 1 TFLOP/s, 08: 2 TFLOP/s}, basis: measured")),
        HasSubstr("the size 8 stands there twice"));
    EXPECT_THAT(refusal("chips:\n  - name: a\n  - {name: b, aliases: [a]}\n"),
                HasSubstr("'a' already names the chip in line 2"));
    EXPECT_THAT(refusal("chips:\n  - {name: a, aliases: [X]}\n  - {name: b, aliases: [x]}\n"),
                HasSubstr("'x' already names the chip in line 2"));
    const auto clash = read_catalog_text(
        "chips:\n  - name: mine\n    aliases: [H200]\n", "c.yaml", &Catalog::built_in());
    ASSERT_FALSE(clash);
    EXPECT_THAT(clash.error().message,
                AllOf(HasSubstr("c.yaml:3:"),
                      HasSubstr("chips[0].aliases: 'H200' is already a name of h200")));
    EXPECT_TRUE(read_catalog_text(
        "chips: [{name: h200, aliases: [H200-our]}]", "c.yaml", &Catalog::built_in()));
}

TEST(CatalogFile, SurvivesDamage) {
    for (const EmbeddedFile& file : embedded_files()) {
        const std::string text(file.bytes);
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    }
    const std::string text =
        "chips:\n  - name: a\n    note: \"x\\\\y \\\"z\\\"\"\n    rates:\n      - {op: gemm, "
        "format: fp64, by_dim: {8: 1e-3 TFLOP/s}, way: emulated, basis: measured}\n";
    Random random(7);
    for (int round = 0; round < 2000; ++round) {
        std::string damaged = text;
        for (std::int64_t i = random.between(0, 3); i > 0 && !damaged.empty(); --i) {
            const auto at = static_cast<std::size_t>(
                random.between(0, static_cast<std::int64_t>(damaged.size()) - 1));
            if (random.between(0, 1) == 0) {
                damaged[at] = static_cast<char>(random.between(1, 255));
            } else {
                damaged.erase(at, static_cast<std::size_t>(random.between(1, 9)));
            }
        }
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(damaged.data()),
                               damaged.size());
    }
}

TEST(CatalogFile, HasAReferencePageThatMatchesItsTable) {
    std::ifstream stream(std::string(WEIR_SOURCE_DIR) + "/docs/reference/catalog.md");
    std::stringstream page;
    page << stream.rdbuf();
    EXPECT_EQ(page.str(), catalog_reference())
        << "regenerate it: weir schema catalog --markdown > docs/reference/catalog.md";
}

TEST(Catalog, IsBuiltInWithEveryVendor) {
    const Catalog& catalog = Catalog::built_in();
    EXPECT_GE(catalog.chips().size(), 86U);
    for (const char* name : {"h200",
                             "a100-sxm-80g",
                             "ascend-910b3",
                             "h100-sxm-80g",
                             "mi300x",
                             "b200",
                             "rtx-5080",
                             "h20",
                             "gh200",
                             "k100-ai",
                             "cpu"}) {
        EXPECT_NE(catalog.find(name), nullptr) << name;
    }
    EXPECT_EQ(catalog.find("V100M32"), catalog.find("v100-sxm-32g"));
    EXPECT_EQ(catalog.find("unheard-of"), nullptr);
    EXPECT_EQ(catalog.nearest("h2000"), "h200");
    EXPECT_EQ(catalog.nearest("h2O0"), "h200");
    EXPECT_TRUE(catalog.find("ascend-910b3")->domestic);
    EXPECT_FALSE(catalog.find("h200")->domestic);
}

TEST(Catalog, KeepsTheTrapsOfRealChips) {
    const Catalog& catalog = Catalog::built_in();
    for (const char* name : {"v100-sxm-32g", "t4", "ascend-910a"})
        EXPECT_EQ(catalog.find(name)->rate("bf16", "gemm")->value, 0) << name;
    EXPECT_LT(catalog.find("b300")->rate("int8", "gemm")->value,
              catalog.find("b200")->rate("int8", "gemm")->value / 20);
    EXPECT_LT(catalog.find("b300")->rate("fp64", "vector")->value, 2e12);
    EXPECT_LT(catalog.find("mi355x")->rate("fp64", "gemm")->value, 100e12);
    EXPECT_EQ(catalog.find("ascend-910b3")->rate("fp64", "vector")->value, 0);
    EXPECT_EQ(catalog.find("h20")->rate("fp64", "vector"), nullptr);      // unknown is not none
    EXPECT_EQ(catalog.find("mi300x")->rate("fp8e4m3", "gemm"), nullptr);  // FP8 of another kind
    EXPECT_EQ(catalog.find("mi250x")->devices, 2U);
}

TEST(Catalog, NamesStacksAsTheVendorsVariablesDo) {
    for (const ChipRecord& chip : Catalog::built_in().chips()) {
        const Family* family = family_of(chip.name);
        if (family == nullptr) continue;
        EXPECT_EQ(chip.vendor, family->vendor) << chip.name;
        EXPECT_THAT(chip.stacks, ::testing::Contains(std::string(family->stack))) << chip.name;
    }
}

TEST(Catalog, GuessesNoMemberOfAFamily) {
    const Catalog& catalog = Catalog::built_in();
    const auto several = only_chip(catalog, "h100");
    ASSERT_FALSE(several);
    EXPECT_EQ(several.error().message,
              "'h100' may be h100-pcie-80g, h100-sxm-80g, h100-sxm-96g-500w, h100-nvl-94g; say "
              "which");
    EXPECT_THAT(only_chip(catalog, "a100").error().message,
                HasSubstr("a100-sxm-40g, a100-sxm-80g"));
    // A name, though another begins with it; a family of one; a further name of one chip.
    for (const auto& [asked, name] : {std::pair{"k100", "k100"},
                                      {"H800", "h800-sxm-80g"},
                                      {"h20-96g", "h20"},
                                      {"b200", "b200"}}) {
        const auto chip = only_chip(catalog, asked);
        ASSERT_TRUE(chip) << chip.error().message;
        EXPECT_EQ((*chip)->name, name);
    }
    EXPECT_EQ(only_chip(catalog, "h100-sxm-80").error().message,
              "the catalogue does not know 'h100-sxm-80' (did you mean h100-sxm-80g?)");
    EXPECT_THAT(only_chip(catalog, "h100sxm").error().message,
                HasSubstr("did you mean h100-sxm-80g"));
    EXPECT_THAT(only_chip(catalog, "910b").error().message,
                HasSubstr("did you mean ascend-910b1 or ascend-910b2"));
    EXPECT_EQ(only_chip(catalog, "").error().code, Code::not_found);
}

TEST(Catalog, TakesAMeasurementOverWhatItKnew) {
    Catalog catalog = Catalog::built_in();
    const Bytes memory = catalog.find("h200")->memory;
    ASSERT_TRUE(catalog.add(
        {{.name = "h200",
          .rates = {{.format = "bf16", .op = "gemm", .value = 811e12, .basis = Basis::measured}}}},
        "probe"));
    EXPECT_EQ(catalog.find("h200")->rate("bf16", "gemm")->value, 811e12);
    EXPECT_EQ(catalog.find("h200")->memory, memory);
    const auto clash = catalog.add({{.name = "other", .aliases = {"h20"}}}, "mine.yaml");
    ASSERT_FALSE(clash);
    EXPECT_THAT(clash.error().message,
                HasSubstr("mine.yaml: chip other: aliases: 'h20' is already a name of h20"));
    EXPECT_EQ(catalog.find("other"), nullptr);
    // Two that come together may not share a name either, whatever the case of its letters.
    EXPECT_FALSE(catalog.add({{.name = "one", .aliases = {"X"}}, {.name = "two", .aliases = {"x"}}},
                             "mine.yaml"));
}

}  // namespace
}  // namespace weir::catalog
