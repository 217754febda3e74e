// The waterfall of virtual clusters that were replayed each on its own (`--apart`), as one of the
// whole fleet.
//
// Each cluster is judged alone: what is idle in one of them while only others wait is not demanded
// there. Before its first job and after its last one nobody waits for it, and nodes that belong to
// nobody are held back by quota. Which nodes a cluster has is not said, only how many; clusters
// that together have more than the fleet (quotas that are oversubscribed) have no such waterfall.
//
// Threads: pure functions.
#pragma once

#include <vector>

#include "weir/base/result.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/tenancy/waterfall.hpp"

namespace weir::sim {

// Requires: every pool of every cluster is a part of the pool of the same name, and there is at
// least one cluster. Series over time are left out. The error says that the clusters have more
// than there is.
Result<tenancy::Books> one_of_all(const fleet::Fleet& fleet,
                                  tenancy::Unit unit,
                                  const std::vector<tenancy::Books>& clusters);

}  // namespace weir::sim
