#include "weir/tenancy/house_use.hpp"

#include <gtest/gtest.h>

#include "weir/base/random.hpp"
#include "weir/tenancy/organisations_file.hpp"

namespace weir::tenancy {
namespace {

// The moment of docs/concepts/organisations.md, in chips.
constexpr const char* the_page = R"(
tenants:
  - name: bigco
    quota: {ascend-910b3: 8}
    lend: {ascend-910b3: 16}
    borrow: {ascend-910b3: 0}
    tenants:
      - {name: search, quota: {ascend-910b3: 24}, lend: {ascend-910b3: 12}}
      - {name: ads, quota: {ascend-910b3: 8}, borrow: {ascend-910b3: 4}}
  - {name: uni, quota: {ascend-910b3: 24}, lend: {ascend-910b3: 8}}
  - name: sme-park
    tenants:
      - {name: startup, borrow: {ascend-910b3: 12}}
      - {name: vision-lab, quota: {ascend-910b3: 4}}
)";

TEST(HouseUse, SaysWhoOwnsUsesBorrowsAndLendsInTheMomentOfThePage) {
    const Organisations house = read_organisations_text(the_page, "page")->file.organisations;
    QuotaTree tree(house, {68'000});
    tree.use(house.find("bigco/search"), 0, 20'000);
    tree.use(house.find("bigco/ads"), 0, 6'000);
    tree.use(house.find("uni"), 0, 10'000);
    tree.use(house.find("sme-park/startup"), 0, 9'000);
    const std::vector<HouseUse> uses = uses_of(tree, 0);
    const auto of = [&](const char* path) {
        const HouseUse& its = uses.at(house.find(path).value);
        return HouseUse{
            its.owns / 1000, its.uses / 1000, its.borrows / 1000, 0, its.may_have / 1000};
    };
    EXPECT_EQ(of(""), (HouseUse{68, 45, 0, 0, 17}));
    EXPECT_EQ(of("bigco"), (HouseUse{40, 26, 0, 0, 14}));
    EXPECT_EQ(of("bigco/search"), (HouseUse{24, 20, 0, 0, 14}));
    EXPECT_EQ(of("uni"), (HouseUse{24, 10, 0, 0, 23}));
    EXPECT_EQ(of("sme-park"), (HouseUse{4, 9, 5, 0, 17}));
    EXPECT_EQ(of("sme-park/startup"), (HouseUse{0, 9, 9, 0, 3}));
    // sme-park borrows 5 of the 14 of bigco and the 8 of uni that are idle.
    EXPECT_EQ(uses.at(house.find("bigco").value).lends, 3182);
    EXPECT_EQ(uses.at(house.find("uni").value).lends, 1818);
    EXPECT_EQ(uses.at(house.find("sme-park/vision-lab").value).lends, 4000);
}

TEST(HouseUse, WhateverIsBorrowedIsLentByTheOthersOfTheSamePool) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        Organisations house{.resources = {{Resource::Kind::chips, "h200"}}, .tenants = {{}}};
        Amount owned = 0;
        for (std::uint32_t i = 1; i <= 8; ++i) {
            Tenant tenant{.path = std::to_string(i),
                          .parent = TenantId{static_cast<std::uint32_t>(random.between(0, i - 1))},
                          .quota = {{0, random.between(0, 20)}}};
            owned += tenant.quota[0].amount;
            if (random.chance(0.4)) tenant.lend = {{0, random.between(0, 10)}};
            house.tenants.push_back(std::move(tenant));
        }
        const Amount capacity = owned + random.between(0, 10);
        QuotaTree tree(house, {capacity});
        Amount used = 0;
        for (int i = 0; i < 20; ++i) {
            const TenantId x{static_cast<std::uint32_t>(random.between(0, 8))};
            const Amount most = std::max<Amount>(0, tree.available(x, 0));
            const Amount amount = random.between(0, most);
            tree.use(x, 0, amount);
            used += amount;
        }
        const std::vector<HouseUse> uses = uses_of(tree, 0);
        EXPECT_EQ(uses[0].owns, capacity);
        EXPECT_EQ(uses[0].uses, used);
        EXPECT_EQ(uses[0].lends, 0);
        for (std::uint32_t i = 0; i < uses.size(); ++i) {
            EXPECT_TRUE(uses[i].borrows == 0 || uses[i].lends == 0) << i;
            // Between the parts of a house it is a matter of whose the house's own quota is.
            Amount borrowed = 0;
            Amount lent = 0;
            Amount of_itself = tree.nominal(TenantId{i}, 0) - uses[i].uses;
            for (std::uint32_t part = 1; part < uses.size(); ++part) {
                if (tree.parent(TenantId{part}) != TenantId{i}) continue;
                borrowed += uses[part].borrows;
                lent += uses[part].lends;
                of_itself += uses[part].uses;
            }
            const Amount own_given = borrowed + uses[i].lends - uses[i].borrows - lent;
            EXPECT_LE(own_given, std::max<Amount>(0, of_itself)) << i;
            EXPECT_GE(own_given, std::min<Amount>(0, of_itself)) << i;
        }
    }
}

}  // namespace
}  // namespace weir::tenancy
