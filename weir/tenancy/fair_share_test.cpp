#include "weir/tenancy/fair_share.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "weir/tenancy/small_house.hpp"

namespace weir::tenancy {
namespace {

// A house with a fleet of so many chips.
struct Fair {
    Fair(const std::vector<SmallTenant>& tenants, Amount chips, FairRule rule, Duration half_life)
        : rights{.organisations = small_house(tenants),
                 .measures = {},
                 .capacity = {chips * 1000},
                 .notes = {}},
          tree(rights.organisations, rights.capacity),
          share(rights, tree, rule, half_life) {}

    void use(const std::string& path, Amount chips, Time now) {
        const TenantId x = rights.organisations.find(path);
        const Charges charges{{0, std::abs(chips) * 1000}};
        if (now >= share.next_refresh()) share.refresh(tree, now);
        if (chips > 0) {
            tree.use(x, 0, chips * 1000);
        } else {
            tree.give_back(x, 0, -chips * 1000);
        }
        share.changed(tree, x, charges, chips > 0, now);
    }
    [[nodiscard]] Standing of(const std::string& path, Amount chips = 1) const {
        return share.standing(tree, rights.organisations.find(path), {{0, chips * 1000}});
    }

    Rights rights;
    QuotaTree tree;
    FairShare share;
};

Time at(std::int64_t s) {
    return Time{} + seconds(s);
}

TEST(FairShare, WhoOwnsGoesBeforeWhoBorrows) {
    Fair fair({{"owner", 10}, {"guest"}}, 20, FairRule::none, {});
    EXPECT_LT(fair.of("owner", 10), fair.of("guest"));
    EXPECT_GT(fair.of("owner", 11), Standing{}) << "one of them would be borrowed";
    EXPECT_EQ(fair.of("owner", 11), fair.of("guest"));
    fair.use("owner", 10, at(0));
    EXPECT_EQ(fair.of("owner"), fair.of("guest"));
}

TEST(FairShare, TheSmallerDominantShareGoesFirst) {
    Fair fair({{"a", 0, -1, -1, 2000}, {"b"}}, 100, FairRule::drf, {});
    fair.use("a", 30, at(0));
    fair.use("b", 20, at(0));
    EXPECT_EQ(fair.share.value(TenantId{1}), 150'000U) << "30 of 100, at weight 2";
    EXPECT_EQ(fair.share.value(TenantId{2}), 200'000U);
    EXPECT_LT(fair.of("a"), fair.of("b"));
    fair.use("b", -10, at(1));
    EXPECT_GT(fair.of("a"), fair.of("b"));
}

TEST(FairShare, ThePastCountsHalfAfterAHalfLife) {
    Fair fair({{"a"}, {"b"}}, 100, FairRule::drf, seconds(3600));
    fair.use("a", 40, at(0));
    fair.use("a", -40, at(3600));
    fair.use("a", 1, at(3600));
    EXPECT_NEAR(fair.share.value(TenantId{1}), 210'000, 5) << "1 now, and half of 40 on average";
    fair.share.refresh(fair.tree, at(7200));
    EXPECT_NEAR(fair.share.value(TenantId{1}), 115'000, 5) << "1 now, (1 + 20) / 2 on average";
}

TEST(FairShare, DecayIsTheExactPower) {
    for (std::int64_t s = 0; s < 40'000; s += 17) {
        EXPECT_NEAR(
            decay(seconds(s), seconds(3600)), std::exp2(-static_cast<double>(s) / 3600), 2e-5);
    }
    EXPECT_EQ(decay(seconds(7200), seconds(3600)), 0.25);
}

// "If account A ranks above B, every user of A ranks above every user of B."
RC_GTEST_PROP(FairShare, InAFairTreeAHouseRanksWithAllOfItsOwn, ()) {
    std::vector<SmallTenant> tenants;
    for (const char* house : {"a", "b", "c"}) {
        const auto weight = [] { return *rc::gen::inRange<std::uint32_t>(1, 4) * 1000; };
        tenants.push_back({house, 0, -1, -1, weight()});
        for (const char* member : {"/x", "/y"})
            tenants.push_back({house + std::string(member), 0, -1, -1, weight()});
    }
    Fair fair(tenants, 1000, FairRule::tree, seconds(3600));
    for (std::int64_t step = 0; step < 12; ++step) {
        const std::string member =
            tenants[*rc::gen::elementOf(std::vector<std::size_t>{1, 2, 4, 5, 7, 8})].path;
        fair.use(member, *rc::gen::inRange<Amount>(1, 20), at(step * 600));
    }
    fair.share.refresh(fair.tree, at(7200));
    const auto rank = [&](std::uint32_t x) { return fair.share.value(TenantId{x}); };
    for (const std::uint32_t a : {1U, 4U, 7U}) {
        for (const std::uint32_t b : {1U, 4U, 7U}) {
            if (rank(a) >= rank(b)) continue;
            for (const std::uint32_t of_a : {a + 1, a + 2})
                for (const std::uint32_t of_b : {b + 1, b + 2})
                    RC_ASSERT(rank(of_a) < rank(of_b));
        }
    }
}

// The past fades with its half-life, and not when the last job that borrowed ends.
TEST(FairShare, WhoBorrowsNothingNowHasBorrowedBefore) {
    Fair fair({{"a"}, {"b"}}, 100, FairRule::drf, seconds(3600));
    fair.use("a", 40, at(0));
    for (int i = 1; i <= 12; ++i)
        fair.share.refresh(fair.tree, at(i * 300));
    const std::uint32_t while_it_borrows = fair.share.value(TenantId{1});
    fair.use("a", -40, at(3600));
    EXPECT_GT(fair.share.value(TenantId{1}), 0U);
    EXPECT_LT(fair.share.value(TenantId{1}), while_it_borrows);
    EXPECT_LT(fair.of("b"), fair.of("a")) << "b has never borrowed";
    fair.share.refresh(fair.tree, at(3601));
    const std::uint32_t after = fair.share.value(TenantId{1});
    fair.share.refresh(fair.tree, at(7201));
    EXPECT_NEAR(fair.share.value(TenantId{1}), after / 2.0, after / 100.0);
    for (int i = 2; i < 40; ++i)
        fair.share.refresh(fair.tree, at(3601 + i * 3600));
    EXPECT_EQ(fair.share.value(TenantId{1}), 0U);
}

TEST(FairShare, EqualSiblingsOfAFairTreeAreComparedTogether) {
    Fair fair({{"a"}, {"b"}, {"a/x"}, {"a/y"}, {"b/x"}, {"b/y"}}, 100, FairRule::tree, {});
    fair.use("a/x", 10, at(0));
    fair.use("a/y", 10, at(0));
    fair.use("b/x", 15, at(0));
    fair.use("b/y", 5, at(0));
    fair.share.refresh(fair.tree, at(1));
    EXPECT_EQ(fair.share.value(TenantId{1}), fair.share.value(TenantId{2})) << "a and b are merged";
    EXPECT_LT(fair.share.value(TenantId{6}), fair.share.value(TenantId{3})) << "b/y before a/x";
    EXPECT_EQ(fair.share.value(TenantId{3}), fair.share.value(TenantId{4}));
    EXPECT_LT(fair.share.value(TenantId{4}), fair.share.value(TenantId{5}));
}

// The order by floors is kept change by change.
RC_GTEST_PROP(FairShare, TheOrderIsAsIfItWereSortedAnew, ()) {
    const auto rule = *rc::gen::element(FairRule::none, FairRule::drf, FairRule::tree);
    Fair fair({{"a", 5}, {"a/x"}, {"a/y", 3, 1}, {"b"}, {"b/z", 4}}, 20, rule, seconds(3600));
    const std::vector<std::string> all{"a", "a/x", "a/y", "b", "b/z"};
    std::map<std::string, Amount> used;
    for (int step = 0; step < 30; ++step) {
        const std::string path = *rc::gen::elementOf(all);
        const auto chips = *rc::gen::inRange<Amount>(1, 4);
        const bool more = used[path] < chips || *rc::gen::inRange(0, 2) == 0;
        fair.use(path, more ? chips : -chips, at(step * 100));
        used[path] += more ? chips : -chips;
        std::vector<TenantId> order;
        for (std::uint32_t i = 0; i < fair.tree.tenants(); ++i)
            order.push_back(TenantId{i});
        std::sort(order.begin(), order.end(), [&](TenantId a, TenantId b) {
            const Standing& of_a = fair.share.floor(a, 0);
            const Standing& of_b = fair.share.floor(b, 0);
            return of_a != of_b ? of_a < of_b : a < b;
        });
        RC_ASSERT(order == fair.share.in_order(0));
        for (std::uint32_t i = 1; i < fair.tree.tenants(); ++i) {
            Standing its = fair.share.standing(fair.tree, TenantId{i}, {});
            for (TenantId x{i}; x.value != 0; x = fair.tree.parent(x)) {
                const std::size_t level = rule == FairRule::tree ? 0 : fair.tree.depth(x) - 1;
                if (fair.tree.borrowed(x, 0) > 0) its.at[level] |= Standing::borrows;
            }
            RC_ASSERT(its == fair.share.floor(TenantId{i}, 0));
        }
    }
}

// Keys grow while jobs start, whatever starts: a heap of stale keys is enough for a pass.
RC_GTEST_PROP(FairShare, StartingNeverImprovesAnybodysStanding, ()) {
    const auto rule = *rc::gen::element(FairRule::none, FairRule::drf);
    Fair fair({{"a", 5}, {"a/x"}, {"a/y", 3}, {"b"}, {"b/z", 4}}, 20, rule, {});
    const std::vector<std::string> all{"a", "a/x", "a/y", "b", "b/z"};
    for (int step = 0; step < 12; ++step) {
        std::vector<Standing> before;
        for (const std::string& path : all)
            before.push_back(fair.of(path));
        fair.use(*rc::gen::elementOf(all), *rc::gen::inRange<Amount>(1, 4), at(0));
        for (std::size_t i = 0; i < all.size(); ++i)
            RC_ASSERT(before[i] <= fair.of(all[i]));
        for (const std::string& path : all)
            RC_ASSERT(fair.share.floor(fair.rights.organisations.find(path), 0) <= fair.of(path));
    }
}

}  // namespace
}  // namespace weir::tenancy
