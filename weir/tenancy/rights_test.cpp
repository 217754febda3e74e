// What chips count of the resources that quotas are written in.
#include "weir/tenancy/rights.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/tenancy/amount.hpp"
#include "weir/tenancy/chip_names.hpp"

namespace weir::tenancy {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

fleet::Fleet of_chips(std::uint32_t nodes) {
    fleet::Fleet fleet;
    fleet.sites.push_back({.name = "here", .executor = "none", .power_watts = 0});
    fleet::Pool pool;
    pool.name = "main";
    pool.site = "here";
    pool.chip = "h200";
    pool.nodes = nodes;
    pool.chips_per_node = 100;
    fleet.pools.push_back(pool);
    return fleet;
}

Organisations owning(Resource::Kind kind, const std::string& name, Amount amount) {
    Organisations all{.resources = {{kind, name}}, .tenants = {{}}};
    all.tenants.push_back({.path = "lab", .parent = TenantId{0}, .quota = {{0, amount}}});
    return all;
}

TEST(Rights, OfHugeGangsOnFastChipsNothingOverflows) {
    const auto charge = [](double flops) {
        const Rights rights = rights_on(of_chips(1000),
                                        owning(Resource::Kind::capability, "bf16", 1),
                                        [flops](auto, auto) { return flops; });
        EXPECT_GT(rights.capacity[0], 0);
        fleet::Demand demand;
        demand.parts.push_back({.replicas = 1000, .each = {.chips = 100}});
        return rights.charges(demand, PoolId{0}).at(0).amount;
    };
    EXPECT_EQ(charge(1e17), Amount{10'000'000'000'000'000}) << "100,000 chips of 10^11 MFLOP/s";
    EXPECT_EQ(charge(1e40), amount_total_max);
}

TEST(Rights, QuotasThatAreMoreThanTheFleetAreNoticed) {
    const auto notes = [](Amount chips_milli) {
        return rights_on(of_chips(1), owning(Resource::Kind::chips, "h200", chips_milli), nullptr)
            .notes;
    };
    EXPECT_TRUE(notes(100'000).empty());
    EXPECT_THAT(
        notes(101'000),
        Contains(HasSubstr("all quotas together are 101 h200, and this fleet has 100 h200")));
}

TEST(Rights, AQuotaOfAChipWorksByEveryNameOfTheCatalogue) {
    fleet::Fleet fleet = of_chips(2);
    fleet.pools[0].chip = "h100-sxm-80g";
    catalog::Catalog catalog;
    ASSERT_TRUE(catalog.add({{.name = "h100-sxm-80g", .aliases = {"h100"}}}, "test"));
    const auto read = read_organisations_text(R"(
tenants:
  - {name: lab, quota: {h100: 10}}
  - {name: shop, quota: {H100: 20}}
  - {name: both, quota: {h100: 1, h100-sxm-80g: 2}}
)",
                                              "t.yaml");
    ASSERT_TRUE(read) << read.error().message;
    OrganisationsFile file = read->file;
    name_chips_as(fleet, catalog, file);
    EXPECT_EQ(file.organisations.resources,
              (std::vector<Resource>{{Resource::Kind::chips, "h100-sxm-80g"}}));
    const Rights rights = rights_on(fleet, file.organisations, nullptr);
    EXPECT_TRUE(rights.notes.empty());
    EXPECT_EQ(rights.capacity, std::vector<Amount>{200'000});
    std::vector<Amount> quotas;
    for (const Tenant& tenant : rights.organisations.tenants)
        for (const Allowance& each : tenant.quota)
            quotas.push_back(each.amount);
    EXPECT_EQ(quotas, (std::vector<Amount>{10'000, 20'000, 3'000}));
}

TEST(Rights, ASlipInTheNameOfAChipIsNoticed) {
    const Rights rights =
        rights_on(of_chips(1), owning(Resource::Kind::chips, "h2000", 1000), nullptr);
    EXPECT_THAT(rights.notes,
                Contains("quotas name h2000, of which this fleet has none; did you mean h200?"));
}

TEST(Rights, ASlipInTheChipsOfAVoucherIsNoticed) {
    catalog::Catalog catalog;
    ASSERT_TRUE(catalog.add({{.name = "mi300x"}}, "test"));
    const auto read = read_organisations_text(R"(
tenants: [{name: lab}]
vouchers:
  - {tenant: lab, amount: 1 CNY, valid: 2026-12-01..2027-06-01, chips: [h200, mi300x, h2000]}
  - {tenant: lab, amount: 1 CNY, valid: 2026-12-01..2027-06-01, chips: domestic}
)",
                                              "t.yaml");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_THAT(slips_in_vouchers(of_chips(1), catalog, read->file),
                ElementsAre("vouchers[0].chips of lab: neither the fleet nor the catalogue knows "
                            "'h2000', so it pays for nothing there; did you mean h200?"));
}

TEST(Rights, WhoOwnsACapabilityAndNoneOfChipsThatOthersCountIsTold) {
    Organisations all{
        .resources = {{Resource::Kind::capability, "bf16"}, {Resource::Kind::chips, "h200"}},
        .tenants = {{}}};
    all.tenants.push_back({.path = "a", .parent = TenantId{0}, .quota = {{0, 1'000'000'000}}});
    all.tenants.push_back(
        {.path = "b", .parent = TenantId{0}, .quota = {}, .lend = {}, .borrow = {{1, 2000}}});
    const auto notes = [&all] {
        return rights_on(of_chips(1), all, [](auto, auto) { return 1e15; }).notes;
    };
    EXPECT_THAT(notes(),
                Contains("a owns bf16 but none of h200, which the quotas or limits of b count: "
                         "what it runs on h200 counts as borrowed"));
    all.tenants[1].quota.push_back({1, 1000});
    EXPECT_TRUE(notes().empty());
}

}  // namespace
}  // namespace weir::tenancy
