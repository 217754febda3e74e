// FairShare: who goes first among organisations that all want more.
//
// Rights come first, whatever the rule: a job that its organisation owns goes before one for which
// it has to borrow, at each level of the tree from the top. Among those who borrow:
//
//   drf   the dominant share decides (Ghodsi et al., NSDI 2011, on what is above quota as in
//   Kueue):
//         share(x) = max over resources r of (borrowed(x, r) + history) / lendable(r) / weight(x),
//         where lendable(r) is what x's parent could have of r if nobody used anything, and history
//         is the mean of what x borrowed, older times counting less: half for each half-life.
//   tree  Fair Tree as in Slurm: at each level siblings are ranked by weight / usage, usage with a
//         half-life, and whoever ranks higher goes with all of its own before all of the other's.
//         Siblings that are equal are merged, and their children compared together.
//   none  only rights decide; the rest is the order of the queue.
//
// The past is sampled: within a `sample_period` it is added up, and counts from its end on.
//
// Threads: one at a time. Cost: a change costs O(depth), and O(resources x log organisations) for
// each organisation whose place moves; a sample O(organisations x resources).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <vector>

#include "weir/base/time.hpp"
#include "weir/tenancy/quota_tree.hpp"
#include "weir/tenancy/rights.hpp"

namespace weir::tenancy {

enum class FairRule : std::uint8_t { none, drf, tree };

// A place in the order; the smaller goes first. What lies deeper than these levels decides nothing.
struct Standing {
    static constexpr std::size_t levels = 4;
    static constexpr std::uint32_t borrows = std::uint32_t{1} << 31;
    std::array<std::uint32_t, levels> at{};  // borrows | share, from the top

    // The default ones call memcmp(), and choices compare little else.
    friend bool operator==(const Standing& a, const Standing& b) {
        return a.upper() == b.upper() && a.lower() == b.lower();
    }
    friend std::strong_ordering operator<=>(const Standing& a, const Standing& b) {
        return a.upper() != b.upper() ? a.upper() <=> b.upper() : a.lower() <=> b.lower();
    }

private:
    [[nodiscard]] std::uint64_t upper() const { return std::uint64_t{at[0]} << 32 | at[1]; }
    [[nodiscard]] std::uint64_t lower() const { return std::uint64_t{at[2]} << 32 | at[3]; }
};

// 2^(-dt / half_life) by multiplications alone, so that every machine gets the same number.
double decay(Duration dt, Duration half_life);

class FairShare {
public:
    FairShare() = default;
    // half_life == 0: the past does not count.
    FairShare(const Rights& rights, const QuotaTree& tree, FairRule rule, Duration half_life);

    // The usage of x was changed in the tree, by so much more (less: if not `more`). True if shares
    // are others now, and with them places in the order of all resources.
    bool changed(const QuotaTree& tree, TenantId x, const Charges& charges, bool more, Time now);
    // Quotas themselves are others now.
    void rights_changed(const QuotaTree& tree, Time now);
    // Time went by. Requires: `now` never goes back.
    void refresh(const QuotaTree& tree, Time now);
    [[nodiscard]] Time next_refresh() const { return next_refresh_; }

    // The place of a job of x that would use `charges` beside what x uses ...
    [[nodiscard]] Standing standing(const QuotaTree& tree,
                                    TenantId x,
                                    const Charges& charges) const;
    // ... which is not before this one, whatever it uses of r alone ...
    [[nodiscard]] const Standing& floor(TenantId x, std::uint32_t r) const {
        return floors_[std::size_t{r} * levels_.size() + x.value];
    }
    // ... and by which all organisations are in order here.
    [[nodiscard]] const std::vector<TenantId>& in_order(std::uint32_t r) const { return order_[r]; }
    // The share in millionths (drf), or the rank (tree; 0 = first); for people.
    [[nodiscard]] std::uint32_t value(TenantId x) const { return levels_[x.value].value; }

    static constexpr Duration sample_period = seconds(300);

private:
    struct Level {
        TenantId parent;
        std::uint32_t depth = 0;  // 1 = below the root
        std::uint32_t value = 0;  // share or rank
        std::uint32_t weight_milli = 1000;
    };
    // What was borrowed (drf) or used by x itself (tree).
    struct Past {
        Amount now = 0;
        Time since{};     // of the last change or sample
        double area = 0;  // amount x milliseconds, of this sample so far
        double mean = 0;  // of those before
    };
    [[nodiscard]] Past& past(TenantId x, std::uint32_t r) {
        return past_[std::size_t{x.value} * resources_ + r];
    }
    void note(Past& past, Amount amount, Time now) const;
    bool update(const QuotaTree& tree, TenantId x);
    void rank_all();
    [[nodiscard]] Standing floor_of(const QuotaTree& tree, TenantId x, std::uint32_t r) const;
    void place(const QuotaTree& tree, TenantId x, std::uint32_t r);
    void place_all(const QuotaTree& tree);

    FairRule rule_ = FairRule::none;
    Duration half_life_{};
    std::uint32_t resources_ = 0;
    std::vector<Level> levels_;                 // by tenant
    std::vector<std::vector<TenantId>> below_;  // by tenant: itself and all below it
    std::vector<Past> past_;                    // by tenant, then resource
    std::vector<double> unit_;                  // likewise: the share of one unit
    std::vector<Amount> capacity_;              // by resource
    std::vector<std::vector<TenantId>> children_;
    std::vector<Standing> floors_;              // by resource, then tenant
    std::vector<std::vector<TenantId>> order_;  // by resource
    Time sampled_ = Time::min();
    Time next_refresh_ = Time::min();
};

}  // namespace weir::tenancy
