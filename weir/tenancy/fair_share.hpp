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
// The half-life decays in steps: shares are brought up to date when an organisation's own usage
// changes and at least every `sample_period`.
//
// Threads: one at a time. Cost: O(depth x resources); refresh O(organisations x resources).
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
    friend auto operator<=>(const Standing&, const Standing&) = default;
};

// 2^(-dt / half_life) by multiplications alone, so that every machine gets the same number.
double decay(Duration dt, Duration half_life);

class FairShare {
public:
    FairShare() = default;
    // half_life == 0: the past does not count.
    FairShare(const Rights& rights, FairRule rule, Duration half_life);

    // The usage of x was changed in the tree, by so much more (less: if not `more`).
    void changed(const QuotaTree& tree, TenantId x, const Charges& charges, bool more, Time now);
    // Time went by. Requires: `now` never goes back.
    void refresh(const QuotaTree& tree, Time now);
    [[nodiscard]] Time next_refresh() const { return next_refresh_; }

    // The place of a job of x that would use `charges` beside what x uses ...
    [[nodiscard]] Standing standing(const QuotaTree& tree,
                                    TenantId x,
                                    const Charges& charges) const;
    // ... which is this or behind it.
    [[nodiscard]] Standing standing(TenantId x) const;
    // The share in millionths (drf), or the rank (tree; 0 = first); for people.
    [[nodiscard]] std::uint32_t value(TenantId x) const { return levels_[x.value].value; }

    static constexpr Duration sample_period = seconds(300);

private:
    struct Level {
        TenantId parent;
        std::uint32_t depth = 0;  // 1 = below the root
        std::uint32_t value = 0;  // share or rank
        std::uint32_t weight_milli = 1000;
        bool borrows = false;  // in any resource
    };
    // What was borrowed (drf) or used by x itself (tree), now and on average.
    struct Past {
        Amount now = 0;
        double mean = 0;
        Time until = Time::min();  // the mean is of the time before
    };
    [[nodiscard]] Past& past(TenantId x, std::uint32_t r) {
        return past_[std::size_t{x.value} * resources_ + r];
    }
    void bring_up(Past& past, Time now) const;
    void update(const QuotaTree& tree, TenantId x);
    void rank_all();

    FairRule rule_ = FairRule::none;
    Duration half_life_{};
    std::uint32_t resources_ = 0;
    std::vector<Level> levels_;     // by tenant
    std::vector<Past> past_;        // by tenant, then resource
    std::vector<Amount> capacity_;  // by resource
    std::vector<std::vector<TenantId>> children_;
    Time next_refresh_ = Time::min();
};

}  // namespace weir::tenancy
