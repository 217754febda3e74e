// Demand and Placement: what a gang asks for, and the nodes it got.
//
// A gang is made of parts; a part is a number of equal replicas, each of which lives on one node
// and takes chips (whole ones, or a fraction of one), CPUs and memory there. Nearly every gang has
// one part. A placement lists runs of nodes that hold the same thing, so a thousand nodes in a row
// cost as much as one.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/base/units.hpp"
#include "weir/fleet/fleet.hpp"

namespace weir::fleet {

struct ReplicaDemand {
    std::uint32_t chips = 0;          // whole chips; 0 when chip_permille is set
    std::uint32_t chip_permille = 0;  // 1..999: thousandths of one chip, shared with others
    std::uint32_t cpus_milli = 0;
    Bytes memory{};

    friend auto operator<=>(const ReplicaDemand&, const ReplicaDemand&) = default;
};

struct GangPart {
    std::uint32_t replicas = 1;
    ReplicaDemand each;

    friend auto operator<=>(const GangPart&, const GangPart&) = default;
};

struct Demand {
    std::vector<GangPart> parts;  // never empty
    Level within = Level::site;   // required: all replicas inside one such domain
    Level prefer = Level::site;   // wished: the smallest such domain that holds it, if any does
    std::vector<PoolId> pools;    // where it may run, in order of preference; never empty
    std::uint32_t tag = 0;        // of the advance reservation it runs inside; 0 = none

    [[nodiscard]] std::uint64_t chips_milli() const;  // of the whole gang, thousandths of a chip
    [[nodiscard]] std::uint64_t cpus_milli() const;
    [[nodiscard]] std::uint64_t replicas() const;

    friend auto operator<=>(const Demand&, const Demand&) = default;
};

// `count` nodes in a row, from `first`, each holding `replicas` replicas of part `part`, which
// take the chips in `chip_mask` there. A replica with a fraction of a chip has a range of its own
// for each chip: its mask is that one chip.
struct NodeRange {
    PoolId pool;
    std::uint32_t first = 0;
    std::uint32_t count = 1;
    std::uint32_t replicas = 1;
    std::uint32_t part = 0;
    std::uint64_t chip_mask = 0;

    friend auto operator<=>(const NodeRange&, const NodeRange&) = default;
};

struct Placement {
    std::vector<NodeRange> ranges;

    [[nodiscard]] std::uint64_t nodes() const;  // distinct nodes
    friend bool operator==(const Placement&, const Placement&) = default;
};

}  // namespace weir::fleet
