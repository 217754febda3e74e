// HouseUse: what every organisation owns, uses, borrows and lends at a moment, for people.
//
// The quota tree knows who has more than its own, and how much is idle where; whose idle chip it is
// that somebody borrows, nobody decides. So what is borrowed is said to come from all in the same
// pool that have something idle, in proportion: then whatever is borrowed is also lent, at every
// level of the tree.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "weir/tenancy/quota_tree.hpp"

namespace weir::tenancy {

// Of one organisation with everybody below it; running jobs and promises count as used.
struct HouseUse {
    Amount owns = 0;
    Amount uses = 0;
    Amount borrows = 0;   // from outside of the house
    Amount lends = 0;     // to outside of the house
    Amount may_have = 0;  // beside what it uses: what is idle, or its own in the hands of others

    friend bool operator==(const HouseUse&, const HouseUse&) = default;
};

// By tenant. Cost: O(tenants).
std::vector<HouseUse> uses_of(const QuotaTree& tree, std::uint32_t resource);

}  // namespace weir::tenancy
