// Recoverable: can every lender have its guaranteed gangs back by evicting borrowers only?
//
// Numbers of chips cannot say. Sixty-four chips that are free in thirty-two racks are no rack, and
// a lender whose gang needs a rack is not helped by them. So guarantees are counted in *cells*, the
// buddies of an allocator: 1, 2, 4 ... chips of one node, nodes of one rack, racks of one pod. A
// gang takes the smallest cell that holds it. The multiset of cells that can be freed has to
// dominate the multiset of cells that are guaranteed, size by size. As each size divides the next
// one, counting is exact: how a large cell is chosen never changes how many small ones are left.
// (The idea is HiveD's, OSDI 2020: a loan is safe if cells, not chips, stay recoverable.)
//
// Rounding a gang up to its cell errs on the safe side only: what is called recoverable is.
//
// A ground is one pool: the chips of one kind in racks and pods of one size. Whoever is not a
// borrower keeps what it has; borrowers go, each after the recall notice of its loan, and a
// guarantee says how long it can wait for that.
//
// Threads: values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/base/result.hpp"
#include "weir/base/time.hpp"
#include "weir/fleet/fleet.hpp"

namespace weir::tenancy {

// `units` neighbours inside one domain of the level: chips of a node, nodes of a rack, racks of a
// pod, pods of the pool. A whole node is {rack, 1}.
struct Cell {
    fleet::Level within = fleet::Level::node;
    std::uint32_t units = 1;

    friend auto operator<=>(const Cell&, const Cell&) = default;
};

// "2 nodes of a rack", "1 rack of a pod".
std::string text_of(const Cell& cell);

struct CellDemand {
    Cell cell;
    std::uint64_t count = 0;

    friend bool operator==(const CellDemand&, const CellDemand&) = default;
};

// What has to start together: as in a job file.
struct GangShape {
    std::uint32_t replicas = 1;
    std::uint32_t chips = 1;  // of each replica, all on one node
    fleet::Level within = fleet::Level::pool;
};

struct Guarantee {
    TenantId tenant;
    GangShape gang;
    std::uint32_t count = 1;   // such gangs at the same time
    Duration waits = forever;  // the longest recall notice that it can wait for
};

struct Lent {
    std::uint32_t node = 0;
    std::uint32_t chips = 0;
    Duration notice{};  // until its borrower is gone
};

struct Ground {
    fleet::Pool pool;
    // Chips of each node that no recall frees: in use by somebody who does not borrow, or broken.
    // Shorter than the pool: nothing is kept on the rest.
    std::vector<std::uint32_t> kept_chips;
    std::vector<Lent> lent;  // chips in use by borrowers
};

// The cells that a gang takes: one that holds it whole, or one for each replica when any nodes of
// the pool will do. A gang that no pool of this shape could hold takes a cell that it never has.
// Requires: at least one replica with at least one chip.
CellDemand cells_for(const GangShape& gang, const fleet::Pool& pool);

// How many cells can be had where only these chips of each node are free.
std::uint64_t cells_in(const Cell& cell,
                       const fleet::Pool& pool,
                       const std::vector<std::uint32_t>& free_chips);

struct Shortage {
    CellDemand wanted;        // of this size, for guarantees
    std::uint64_t there = 0;  // that can be freed in time, after larger cells are taken
    Duration within{};        // so long after the recall

    friend bool operator==(const Shortage&, const Shortage&) = default;
};

// The first size that is short, or nothing when all guarantees can be had at the same time.
// Requires: nobody holds more chips of a node than it has.
// Cost: O(nodes) for every different `waits`.
std::optional<Shortage> shortage(const Ground& ground, std::span<const Guarantee> guarantees);

// Whether `chips` more may be lent with this notice, wherever the borrower's jobs may come to lie:
// each chip spoils at most one cell of every size until the notice is over.
Result<void> may_lend(const Ground& ground,
                      std::span<const Guarantee> guarantees,
                      std::uint64_t chips,
                      Duration notice);

}  // namespace weir::tenancy
