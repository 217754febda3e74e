#include "weir/tenancy/organisations_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <sstream>

#include "weir/base/mutation.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace weir::tenancy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* example = R"(tenants:
  - name: bigco
    quota: {ascend-910b3: 4096, h20: 512, bf16: 3.2 EFLOP/s, cpus: 0.5}
    lend: {ascend-910b3: 2048}                # at most this much leaves the house
    borrow: {ascend-910b3: 0}
    weight: 1
    tenants: [{name: search, weight: 2.5}, {name: ads, quota: {int8: 800 TOP/s}}]
  - name: sme-park
    tenants: [{name: startup, budget: {amount: 200000 CNY, period: month}}, {name: vision-lab}]
loans:
  - from: bigco
    to: sme-park/startup
    chips: {ascend-910b3: 256}
    starts: 2026-12-01
    ends: 2027-03-01
    notice: 2h
    price: 5 CNY/chip-hour
    early_recall: 20000 CNY
vouchers:
  - {tenant: sme-park/startup, amount: 50000 CNY, valid: 2026-12-01..2027-06-01, chips: domestic, share: 30%}
)";

std::string refusal(const std::string& text) {
    const auto parsed = read_organisations_text(text, "t.yaml");
    return parsed.has_value() ? "accepted" : parsed.error().message;
}

std::string one(const std::string& rest) {
    return "tenants: [{name: a, " + rest + "}]\n";
}

// Two organisations, one with a quota, and contracts between them.
std::string two(const std::string& rest) {
    return "tenants: [{name: a, quota: {h20: 10}, tenants: [{name: x}]}, {name: b}]\n" + rest;
}

std::string loan(const std::string& rest) {
    return two("loans:\n  - {from: a, to: b, starts: 2026-01-01, ends: 2026-02-01, " + rest +
               "}\n");
}

TEST(OrganisationsFile, ReadsTheWholeLanguage) {
    const auto parsed = read_organisations_text(example, "t.yaml");
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    const OrganisationsFile& file = parsed->file;
    const Organisations& all = file.organisations;
    std::vector<std::string> paths;
    for (const Tenant& tenant : all.tenants)
        paths.push_back(tenant.path);
    EXPECT_THAT(paths,
                ElementsAre("",
                            "bigco",
                            "bigco/search",
                            "bigco/ads",
                            "sme-park",
                            "sme-park/startup",
                            "sme-park/vision-lab"));
    EXPECT_FALSE(all.tenants[0].parent.valid());
    EXPECT_EQ(all.tenants[1].parent, TenantId{0});
    EXPECT_EQ(all.tenants[5].parent, all.find("sme-park"));
    EXPECT_EQ(all.tenants[2].weight_milli, 2500U);

    using Kind = Resource::Kind;
    EXPECT_THAT(all.resources,
                ElementsAre(Resource{Kind::chips, "ascend-910b3"},
                            Resource{Kind::chips, "h20"},
                            Resource{Kind::capability, "bf16"},
                            Resource{Kind::cpus, ""},
                            Resource{Kind::capability, "int8"}));
    EXPECT_THAT(all.tenants[1].quota,
                ElementsAre(Allowance{0, 4'096'000},
                            Allowance{1, 512'000},
                            Allowance{2, 3'200'000'000'000},
                            Allowance{3, 500}));
    EXPECT_THAT(all.tenants[1].lend, ElementsAre(Allowance{0, 2'048'000}));
    EXPECT_THAT(all.tenants[1].borrow, ElementsAre(Allowance{0, 0}));
    EXPECT_THAT(all.tenants[3].quota, ElementsAre(Allowance{4, 800'000'000}));

    EXPECT_THAT(file.budgets,
                ElementsAre(Budget{TenantId{5}, *parse_money("200000 CNY"), Period::month}));
    ASSERT_EQ(file.loans.size(), 1U);
    EXPECT_EQ(file.loans[0].lender, TenantId{1});
    EXPECT_EQ(file.loans[0].borrower, TenantId{5});
    EXPECT_THAT(file.loans[0].amounts, ElementsAre(Allowance{0, 256'000}));
    EXPECT_EQ(file.loans[0].window.ends, *parse_time("2027-03-01"));
    EXPECT_EQ(file.loans[0].notice, seconds(7200));
    EXPECT_EQ(file.loans[0].price, *parse_price("5 CNY/chip-hour"));
    EXPECT_EQ(file.loans[0].early_recall, *parse_money("20000 CNY"));
    EXPECT_EQ(file.loans[0].penalty, *parse_money("0 CNY"));
    ASSERT_EQ(file.vouchers.size(), 1U);
    EXPECT_TRUE(file.vouchers[0].chips.domestic);
    EXPECT_EQ(file.vouchers[0].share_ppm, 300'000U);
    EXPECT_TRUE(parsed->notes.empty());
}

TEST(OrganisationsFile, NamesPlaceKeyValueAndWhatIsValid) {
    EXPECT_EQ(refusal(one("quota: {h20: many}")),
              "t.yaml:1:34: tenants[0].quota.h20: 'many' is no number of chips: write one from 0 "
              "to 1000000000, with at most three digits behind the point");
    EXPECT_EQ(refusal(one("quota: {bf16: 512}")),
              "t.yaml:1:35: tenants[0].quota.bf16: '512' is no capability of bf16: write a number "
              "and a unit from MFLOP/s to ZFLOP/s, such as 3.2 EFLOP/s, at most 100 ZFLOP/s");
    EXPECT_THAT(refusal(one("quota: {int8: 3 TFLOP/s}")), HasSubstr("such as 3.2 EOP/s"));
    EXPECT_THAT(refusal(one("quota: {h20: 0.0001}")), HasSubstr("no number of chips"));
    EXPECT_THAT(refusal(one("quota: {cpus: -1}")), HasSubstr("no number of CPUs"));
    EXPECT_THAT(refusal(one("quota: {bf16: 1e3 TFLOP/s}")), HasSubstr("no capability"));
    EXPECT_THAT(refusal(one("nominal: {h20: 1}")), HasSubstr("write quota"));
    EXPECT_THAT(refusal(one("weight: 0")), HasSubstr("0 is out of range; valid are 0.001"));
    EXPECT_THAT(refusal(one("budget: {amount: 0 CNY, period: month}")),
                HasSubstr("tenants[0].budget.amount: must be above 0"));
    EXPECT_THAT(refusal(one("budget: {amount: 5, period: month}")), HasSubstr("write 5 CNY"));
    EXPECT_THAT(refusal(one("budget: {amount: 5 CNY, period: months}")),
                HasSubstr("did you mean month?"));
    EXPECT_THAT(refusal("tenants: []\n"), HasSubstr("at least one organisation"));
    EXPECT_THAT(refusal("tenants: [{name: a/b}]\n"), HasSubstr("must not contain"));
}

TEST(OrganisationsFile, RefusesAmountsThatCannotBeAddedUp) {
    EXPECT_EQ(refusal("tenants: [{name: a, quota: {bf16: 60 ZFLOP/s}}, "
                      "{name: b, quota: {bf16: 60 ZFLOP/s}}]\n"),
              "t.yaml:1:67: tenants[1].quota: with this, the quotas of all organisations are more "
              "than 100 ZFLOP/s of bf16");
    EXPECT_THAT(refusal(one("lend: {bf16: 101 ZFLOP/s}")), HasSubstr("at most 100 ZFLOP/s"));
    EXPECT_THAT(refusal(one("quota: {h20: 1000000001}")), HasSubstr("1000000000"));
}

TEST(OrganisationsFile, RefusesNamesThatAreTakenOrUnknown) {
    EXPECT_EQ(
        refusal("tenants:\n  - name: a\n  - name: a\n"),
        "t.yaml:3:11: tenants[1].name: 'a' is already the name of the organisation in line 2");
    EXPECT_EQ(
        refusal("tenants: [{name: a, tenants: [{name: a}]}, {name: b, tenants: [{name: a}]}]"),
        "accepted");
    EXPECT_THAT(refusal(two("vouchers: [{tenant: a/y, amount: 1 CNY, valid: 2026-01-01.."
                            "2026-02-01}]\n")),
                HasSubstr("vouchers[0].tenant: no organisation has the path 'a/y'; did you mean "
                          "'a/x'?"));
    EXPECT_THAT(refusal(two("vouchers: [{tenant: '', amount: 1 CNY, valid: 2026-01-01.."
                            "2026-02-01}]\n")),
                HasSubstr("no organisation has the path ''"));
}

TEST(OrganisationsFile, ChecksThatLoansMakeSense) {
    EXPECT_EQ(refusal(loan("chips: {h20: 10}")), "accepted");
    EXPECT_EQ(refusal(loan("chips: {h20: 11}")),
              "t.yaml:3:73: loans[0].chips: a cannot lend 11 h20: its own quota is 10");
    EXPECT_THAT(refusal(loan("chips: {h200: 1}")), HasSubstr("its own quota is 0"));
    EXPECT_THAT(refusal(loan("chips: {cpus: 1}")), HasSubstr("CPUs are not lent"));
    EXPECT_THAT(refusal(loan("chips: {h20: 0}")), HasSubstr("must be above 0"));
    EXPECT_THAT(refusal(loan("chips: {}")), HasSubstr("write what is lent"));
    EXPECT_THAT(refusal(loan("chips: {h20: 1}, notice: 11y")), HasSubstr("longer than ten years"));
    EXPECT_THAT(refusal(loan("chips: {h20: 1}, notice: -2h")), HasSubstr("not a duration"));
    EXPECT_THAT(refusal(loan("chips: {h20: 1}, price: 5 CNY")), HasSubstr("5 CNY/chip-hour"));
    const std::string days = "chips: {h20: 1}, starts: 2026-01-01, ends: ";
    EXPECT_THAT(refusal(two("loans: [{from: a, to: b, " + days + "2026-01-01}]\n")),
                HasSubstr("must be later than starts"));
    EXPECT_THAT(refusal(two("loans: [{from: a, to: b, " + days + "2300-01-01}]\n")),
                HasSubstr("no date from 1970 to 2199"));
    EXPECT_THAT(refusal(two("loans: [{from: a, to: a/x, " + days + "2027-01-01}]\n")),
                HasSubstr("'a' and 'a/x' are one house"));
    EXPECT_THAT(refusal(two("loans: [{from: a, to: b, notice: 25h, " + days + "2026-01-02}]\n")),
                HasSubstr("is longer than the loan lasts; valid are up to"));
}

TEST(OrganisationsFile, LetsNobodyLendTheSameChipsTwiceAtATime) {
    const auto loans = [](const std::string& second) {
        return two(
            "loans:\n"
            "  - {from: a, to: b, chips: {h20: 6}, starts: 2026-03-01, ends: 2026-05-01}\n"
            "  - {from: a, to: b, chips: {h20: 5}, " +
            second + "}\n");
    };
    EXPECT_THAT(refusal(loans("starts: 2026-04-01, ends: 2026-06-01")),
                HasSubstr("loans[1].chips: a cannot lend 5 h20: its own quota is 10, and 6 of it "
                          "are lent at that time by other loans"));
    EXPECT_EQ(refusal(loans("starts: 2026-05-01, ends: 2026-06-01")), "accepted");
    // The one that begins later is named, wherever it stands.
    EXPECT_THAT(refusal(loans("starts: 2026-01-01, ends: 2026-03-02")), HasSubstr("loans[0]"));
}

TEST(OrganisationsFile, ChecksThatVouchersMakeSense) {
    const auto voucher = [](const std::string& rest) {
        return refusal(two("vouchers: [{tenant: b, amount: 5 CNY, " + rest + "}]\n"));
    };
    const std::string valid = "valid: 2026-01-01..2026-02-01";
    EXPECT_EQ(voucher(valid + ", chips: [h20, h200], share: 12.5 %"), "accepted");
    EXPECT_THAT(voucher("valid: 2026-02-01..2026-02-01"), HasSubstr("must end later"));
    EXPECT_THAT(voucher("valid: 2026"), HasSubstr("2026-12-01..2027-06-01"));
    EXPECT_THAT(voucher(valid + ", share: 101%"), HasSubstr("up to 100%"));
    EXPECT_THAT(voucher(valid + ", share: 0%"), HasSubstr("above 0%"));
    EXPECT_THAT(voucher(valid + ", share: 0.3"), HasSubstr("such as 30%"));
    EXPECT_THAT(voucher(valid + ", chips: []"), HasSubstr("is empty"));
    EXPECT_THAT(voucher(valid + ", chips: [domestic, h20]"), HasSubstr("one or the other"));
}

TEST(OrganisationsFile, HasOneCurrency) {
    EXPECT_EQ(refusal("tenants:\n"
                      "  - {name: a, budget: {amount: 5 CNY, period: day}}\n"
                      "  - {name: b, budget: {amount: 5 EUR, period: day}}\n"),
              "t.yaml:3:32: tenants[1].budget.amount: is in EUR, but the amount in line 2 is in "
              "CNY; a file has one currency, because weir knows no rate of exchange");
    // What is left out is nothing of the same currency.
    const auto parsed = read_organisations_text(
        loan("chips: {h20: 1}") +
            "vouchers: [{tenant: b, amount: 5 EUR, valid: 2026-01-01..2026-02-01}]\n",
        "t.yaml");
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    EXPECT_EQ(parsed->file.loans[0].price, *parse_price("0 EUR/chip-hour"));
}

TEST(OrganisationsFile, WritesAmountsAsTheyAreRead) {
    const auto again = [](std::string_view key, std::string_view text) {
        const Resource resource = resource_of(key);
        return text_of(resource, parse_amount(resource, text).value());
    };
    EXPECT_EQ(again("bf16", "3.2EFLOP/s"), "3.2 EFLOP/s");
    EXPECT_EQ(again("bf16", "0.000001 TFLOP/s"), "1 MFLOP/s");
    EXPECT_EQ(again("bf16", "1000 PFLOP/s"), "1 EFLOP/s");
    EXPECT_EQ(again("int8", "800 TOP/s"), "800 TOP/s");
    EXPECT_EQ(again("bf16", "0 MFLOP/s"), "0 MFLOP/s");
    EXPECT_EQ(again("h20", "1.50"), "1.5");
    EXPECT_EQ(again("cpus", "192"), "192");
    EXPECT_EQ(named_text_of(resource_of("cpus"), 16'000), "16 CPUs");
}

RC_GTEST_PROP(OrganisationsFile, AnyAmountReadsBackAsItWasWritten, ()) {
    const Resource resource = resource_of(*rc::gen::element<std::string>("fp64", "int4", "h20"));
    const std::int64_t most =
        resource.kind == Resource::Kind::chips ? 1'000'000'000'000 : amount_total_max;
    const auto amount = *rc::gen::inRange<std::int64_t>(0, most + 1);
    RC_ASSERT(*parse_amount(resource, text_of(resource, amount)) == amount);
}

TEST(OrganisationsFile, ReadsBackWhatItPrints) {
    const auto parsed = read_organisations_text(example, "t.yaml");
    ASSERT_TRUE(parsed.has_value());
    const std::string printed = print_organisations(parsed->file);
    const auto again = read_printed_organisations(printed, "printed");
    ASSERT_TRUE(again.has_value()) << again.error().message << "\n" << printed;
    EXPECT_EQ(*again, parsed->file) << printed;
}

// The journal keeps what is printed: what cannot be read back can never be started from again.
TEST(OrganisationsFile, ReadsBackWhatItPrintsOfTheDeepestAndOfTheLongestFile) {
    std::string deep = "{tenants: [";
    for (int i = 0; i < 400; ++i) {
        for (int level = 0; level < 29; ++level)
            deep += "{name: t" + std::to_string(i) + ", tenants: [";
        for (int leaf = 0; leaf < 200; ++leaf)
            deep += "{name: l" + std::to_string(leaf) + "},";
        for (int level = 0; level < 29; ++level)
            deep += "]}";
        deep += ",";
    }
    deep += "]}";
    // Printed, a day becomes a moment.
    std::string wide = "{tenants: [{name: a}], vouchers: [";
    const std::string voucher = "{tenant: a, amount: 1 CNY, valid: 2026-01-01..2026-02-01},\n";
    while (wide.size() + voucher.size() + 2 < std::size_t{16} << 20)
        wide += voucher;
    wide += "]}";
    for (const std::string& text : {deep, wide}) {
        const auto parsed = read_organisations_text(text, "t.yaml");
        ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
        const std::string printed = print_organisations(parsed->file);
        EXPECT_LT(printed.size(), 3 * text.size());
        const auto again = read_printed_organisations(printed, "printed");
        ASSERT_TRUE(again.has_value()) << again.error().message;
        EXPECT_TRUE(*again == parsed->file);
    }
}

TEST(OrganisationsFile, ReadsAHundredThousandOrganisationsAndNoMore) {
    std::string text = "tenants:\n";
    for (int i = 1; i < 100'000; ++i)
        text += "  - {name: t" + std::to_string(i) + ", quota: {h20: 1000000}}\n";
    EXPECT_EQ(refusal(text), "accepted");
    EXPECT_THAT(refusal(text + "  - {name: last}\n"), HasSubstr("one more than the 100000"));
}

TEST(OrganisationsFile, SurvivesMutationsOfTheExample) {
    Random random(3);
    for (int round = 0; round < 3000; ++round) {
        const std::string text =
            round == 0 ? example : mutated(example, "0123456789abcEGMT[]{}:,.- \n", random);
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    }
}

TEST(OrganisationsFile, SaysWhichFileIsMissing) {
    const auto file = read_organisations("/no/such/tenants.yaml");
    ASSERT_FALSE(file.has_value());
    EXPECT_EQ(file.error().code, Code::not_found);
}

TEST(OrganisationsFile, HasAReferencePageThatMatchesItsTable) {
    std::ifstream file(std::string(WEIR_SOURCE_DIR) + "/docs/reference/tenants.md");
    std::stringstream page;
    page << file.rdbuf();
    EXPECT_EQ(page.str(), organisations_reference())
        << "regenerate it: weir schema tenants --markdown > docs/reference/tenants.md";
}

}  // namespace
}  // namespace weir::tenancy
