#include "weir/tenancy/quota_tree.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "weir/tenancy/quota_tree_reference.hpp"
#include "weir/tenancy/small_house.hpp"

namespace weir::tenancy {
namespace {

Organisations any_house() {
    const auto count = *rc::gen::inRange<std::uint32_t>(1, 8);
    Organisations house{.resources = {{Resource::Kind::chips, "a"}}, .tenants = {{}}};
    for (std::uint32_t i = 1; i <= count; ++i) {
        Tenant tenant{.path = "t" + std::to_string(i),
                      .parent = TenantId{*rc::gen::inRange<std::uint32_t>(0, i)}};
        const auto maybe = [](std::vector<Allowance>& list) {
            if (*rc::gen::inRange(0, 3) == 0) list = {{0, *rc::gen::inRange<Amount>(0, 12)}};
        };
        if (*rc::gen::inRange(0, 3) > 0) tenant.quota = {{0, *rc::gen::inRange<Amount>(0, 12)}};
        maybe(tenant.lend);
        maybe(tenant.borrow);
        house.tenants.push_back(std::move(tenant));
    }
    return house;
}

TEST(QuotaTree, LendsWhatIsIdleAndKeepsWhatIsPrivate) {
    const Organisations house =
        small_house({{"bigco", 100, 60}, {"park"}, {"park/firm", 0, -1, 30}});
    QuotaTree tree(house, {120'000});
    const TenantId bigco{1};
    const TenantId park{2};
    const TenantId firm{3};
    EXPECT_EQ(tree.subtree(TenantId{0}, 0), 80'000) << "60 that bigco lends, 20 of nobody";
    EXPECT_EQ(tree.local(bigco, 0), 40'000);
    EXPECT_EQ(tree.available(bigco, 0), 120'000);
    EXPECT_EQ(tree.available(park, 0), 80'000);
    EXPECT_EQ(tree.available(firm, 0), 30'000) << "its limit on borrowing";

    tree.use(bigco, 0, 50'000);
    EXPECT_EQ(tree.usage(TenantId{0}, 0), 10'000) << "only what exceeds the private part climbs";
    EXPECT_EQ(tree.available(park, 0), 70'000);
    tree.use(firm, 0, 30'000);
    EXPECT_EQ(tree.available(firm, 0), 0);
    EXPECT_EQ(tree.borrowed(firm, 0), 30'000);
    EXPECT_EQ(tree.available(bigco, 0), 40'000);
    EXPECT_TRUE(tree.owns(bigco, 0, 50'000)) << "of which others have borrowed a part";
    EXPECT_FALSE(tree.owns(bigco, 0, 50'001));
    EXPECT_FALSE(tree.owns(firm, 0, 1));
}

TEST(QuotaTree, AHouseOwnsForItsMembers) {
    const Organisations house =
        small_house({{"bigco", 100}, {"bigco/search", 30}, {"bigco/ads"}, {"other", 50}});
    QuotaTree tree(house, {180'000});
    EXPECT_TRUE(tree.owns(TenantId{3}, 0, 130'000)) << "bigco's, and what search lends";
    EXPECT_EQ(tree.owner(TenantId{3}, 0, 130'000), TenantId{1});
    EXPECT_EQ(tree.owner(TenantId{2}, 0, 10'000), TenantId{2}) << "the lowest that owns it";
    tree.use(TenantId{3}, 0, 130'000);
    EXPECT_FALSE(tree.owns(TenantId{3}, 0, 1));
    EXPECT_TRUE(tree.owns(TenantId{2}, 0, 30'000)) << "its own, wherever it is now";
    EXPECT_TRUE(tree.borrows_below(TenantId{3}, 0, TenantId{1}));
    EXPECT_FALSE(tree.borrows_below(TenantId{3}, 0, TenantId{0})) << "bigco itself borrows nothing";
    EXPECT_EQ(tree.common(TenantId{3}, TenantId{4}), TenantId{0});
    EXPECT_EQ(tree.common(TenantId{3}, TenantId{2}), TenantId{1});
}

RC_GTEST_PROP(QuotaTree, AgreesWithTheFormulasStepByStep, ()) {
    const Organisations house = any_house();
    const auto capacity = *rc::gen::inRange<Amount>(0, 60);
    QuotaTree tree(house, {capacity});
    PlainTree plain(house, capacity);
    const auto count = static_cast<std::uint32_t>(house.tenants.size());
    std::map<std::uint32_t, Amount> used;
    for (std::uint32_t i = 0; i < count; ++i)
        RC_ASSERT(tree.potential(TenantId{i}, 0) == plain.available(TenantId{i}));
    for (int step = 0; step < 30; ++step) {
        const auto x = *rc::gen::inRange<std::uint32_t>(0, count);
        if (*rc::gen::inRange(0, 3) > 0) {
            const auto amount = *rc::gen::inRange<Amount>(1, 9);
            tree.use(TenantId{x}, 0, amount);
            plain.use(TenantId{x}, amount);
            used[x] += amount;
        } else if (used[x] > 0) {
            const auto amount = *rc::gen::inRange<Amount>(1, used[x] + 1);
            tree.give_back(TenantId{x}, 0, amount);
            plain.use(TenantId{x}, -amount);
            used[x] -= amount;
        }
        for (std::uint32_t i = 0; i < count; ++i) {
            const TenantId y{i};
            RC_ASSERT(tree.subtree(y, 0) == plain.subtree(y));
            RC_ASSERT(tree.usage(y, 0) == plain.usage(y));
            RC_ASSERT(tree.available(y, 0) == plain.available(y));
            for (const Amount amount : {1, 4, 9})
                RC_ASSERT(tree.owns(y, 0, amount) == plain.owns(y, amount));
        }
    }
}

// KEP-79: whoever takes no more than is available keeps every limit at every level.
RC_GTEST_PROP(QuotaTree, UsingWhatIsAvailableKeepsEveryLimit, ()) {
    const Organisations house = any_house();
    QuotaTree tree(house, {*rc::gen::inRange<Amount>(0, 60)});
    const auto count = static_cast<std::uint32_t>(house.tenants.size());
    for (int step = 0; step < 40; ++step) {
        const TenantId x{*rc::gen::inRange<std::uint32_t>(0, count)};
        const auto amount = *rc::gen::inRange<Amount>(1, 9);
        if (tree.available(x, 0) >= amount) tree.use(x, 0, amount);
        RC_ASSERT(tree.usage(TenantId{0}, 0) <= tree.subtree(TenantId{0}, 0));
        for (std::uint32_t i = 1; i < count; ++i) {
            const std::vector<Allowance>& borrow = house.tenants[i].borrow;
            if (borrow.empty()) continue;
            RC_ASSERT(tree.usage(TenantId{i}, 0) <=
                      tree.subtree(TenantId{i}, 0) + borrow.front().amount);
        }
    }
}

}  // namespace
}  // namespace weir::tenancy
