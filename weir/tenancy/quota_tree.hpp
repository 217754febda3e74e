// QuotaTree: what each organisation may still use at this moment, of its own and of what others
// lend, and the numbers behind the answer.
//
// The formulas are those of Kueue's cohorts (KEP-79), for every organisation x and resource r:
//
//   subtree(x)   = nominal(x) + sum over its children c of (subtree(c) - local(c))
//   local(x)     = max(0, subtree(x) - lend(x)) where a limit on lending is set, else 0: what never
//                  leaves the house
//   usage(x)     = what x itself uses + sum over c of max(0, usage(c) - local(c)): what fits into
//                  the private part of a child does not climb
//   available(x) = max(0, local(x) - usage(x)) + p, where p is available(parent), but at most
//                  (subtree(x) - local(x)) - max(0, usage(x) - local(x)) + borrow(x) where a limit
//                  on borrowing is set; of the root: subtree - usage
//
// The root owns what of the fleet no quota names. Beside available(), which counts what others have
// borrowed as used, there is *owning*: what an organisation could use if nobody borrowed from it or
// from those above it. Who owns may have borrowers stopped (sched/room_made.cpp).
//
// Amounts may go below zero for a time: a promise to an owner counts as usage while those who
// borrow from it are still on their way out.
//
// Threads: one at a time. Cost: O(depth) each, whatever the number of organisations.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "weir/tenancy/organisations.hpp"

namespace weir::tenancy {

using Amount = std::int64_t;

class QuotaTree {
public:
    static constexpr Amount no_limit = std::numeric_limits<Amount>::max() / 4;

    QuotaTree() = default;
    // capacity: of the whole fleet, by resource.
    // Requires: parents come before their children; the first tenant is the root.
    QuotaTree(const Organisations& organisations, const std::vector<Amount>& capacity);

    [[nodiscard]] std::size_t tenants() const { return parents_.size(); }
    [[nodiscard]] std::uint32_t resources() const { return resources_; }
    // none for the root.
    [[nodiscard]] TenantId parent(TenantId x) const { return parents_[x.value]; }

    [[nodiscard]] Amount nominal(TenantId x, std::uint32_t r) const { return at(x, r).nominal; }
    [[nodiscard]] Amount subtree(TenantId x, std::uint32_t r) const { return at(x, r).subtree; }
    [[nodiscard]] Amount local(TenantId x, std::uint32_t r) const { return at(x, r).local; }
    [[nodiscard]] Amount usage(TenantId x, std::uint32_t r) const { return at(x, r).usage; }

    [[nodiscard]] Amount available(TenantId x, std::uint32_t r) const;
    // The same if nobody used anything: who asks for more waits for ever.
    [[nodiscard]] Amount potential(TenantId x, std::uint32_t r) const;
    // Whether x may have so much more without borrowing from outside of its own house, or of one of
    // those above it that is not the whole.
    [[nodiscard]] bool owns(TenantId x, std::uint32_t r, Amount amount) const;
    // The lowest house in which it may; none: it does not own so much.
    [[nodiscard]] TenantId owner(TenantId x, std::uint32_t r, Amount amount) const;

    void use(TenantId x, std::uint32_t r, Amount amount);
    // Requires: it was used.
    void give_back(TenantId x, std::uint32_t r, Amount amount);

    // What x has beyond what it owns.
    [[nodiscard]] Amount borrowed(TenantId x, std::uint32_t r) const {
        const Cell& cell = at(x, r);
        return cell.usage > cell.subtree ? cell.usage - cell.subtree : 0;
    }
    [[nodiscard]] bool anybody_borrows(std::uint32_t r) const { return borrowers_[r] > 0; }
    // Whether everything that stays below `top` on the way from x borrows, so that a job of x may
    // be stopped for somebody of another house below `top`.
    [[nodiscard]] bool borrows_below(TenantId x, std::uint32_t r, TenantId top) const;
    [[nodiscard]] bool is_inside(TenantId x, TenantId house) const;
    [[nodiscard]] TenantId common(TenantId a, TenantId b) const;
    [[nodiscard]] std::uint32_t depth(TenantId x) const { return depths_[x.value]; }

private:
    struct Cell {
        Amount nominal = 0;
        Amount subtree = 0;
        Amount local = 0;
        Amount usage = 0;
        Amount borrow = no_limit;
        Amount potential = 0;
        // What may come from the parent in all, where borrowing is limited.
        [[nodiscard]] Amount from_parent(Amount its_usage) const {
            if (borrow == no_limit) return no_limit;
            return subtree - local - (its_usage > local ? its_usage - local : 0) + borrow;
        }
    };
    [[nodiscard]] Cell& at(TenantId x, std::uint32_t r) {
        return cells_[std::size_t{x.value} * resources_ + r];
    }
    [[nodiscard]] const Cell& at(TenantId x, std::uint32_t r) const {
        return cells_[std::size_t{x.value} * resources_ + r];
    }
    // Of what is available to `house` (itself above x, or x) how much x may have.
    [[nodiscard]] Amount within(TenantId x,
                                std::uint32_t r,
                                TenantId house,
                                Amount available) const;

    std::uint32_t resources_ = 0;
    std::vector<TenantId> parents_;
    std::vector<std::uint32_t> depths_;
    std::vector<Cell> cells_;               // by tenant, then resource
    std::vector<std::uint32_t> borrowers_;  // by resource: tenants below the root that borrow
};

}  // namespace weir::tenancy
