// Fleet: what exists, as facts that change rarely.
//
// A fleet is a list of sites; a site owns pools; a pool is a number of identical nodes with some
// chips each, in racks and pods. Everything that changes with every decision (what is free where)
// lives in FreeIndex, built from a Fleet. A Fleet is a plain value: copy it, compare it, print it.
// It comes from a fleet file (fleet_file.hpp), from the sidecar of a trace, or from discovery of
// the machine at hand.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/base/money.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"

namespace weir::fleet {

// How far apart the workers of one gang may be; the levels nest.
enum class Level : std::uint8_t { node, rack, pod, pool, site };
std::string_view name_of(Level level);
std::optional<Level> level_from_name(std::string_view name);

// Chips on one node are named by a bit each, so a node has at most this many.
inline constexpr std::uint32_t chips_per_node_max = 64;
inline constexpr std::uint32_t nodes_per_pool_max = 10'000'000;

struct Pool {
    std::string name;  // unique in the fleet
    std::string site;  // name of its site
    std::string chip;  // catalogue name; "" when the nodes have no chips
    std::uint32_t nodes = 0;
    std::uint32_t chips_per_node = 0;  // 0 .. chips_per_node_max
    std::uint32_t cpus_milli = 0;      // thousandths of a CPU on each node; 0 = not counted
    Bytes memory;                      // on each node; 0 = not counted
    std::uint32_t nodes_per_rack = 0;  // 0 = the whole pool is one rack
    std::uint32_t racks_per_pod = 0;   // 0 = the whole pool is one pod
    double rack_power_watts = 0;       // what a rack may draw; 0 = no cap
    double pod_power_watts = 0;        // what a pod may draw; 0 = no cap
    double node_idle_watts = 0;
    double node_busy_watts = 0;
    Duration node_mtbf{};                 // mean time between failures of one node; 0 = never fails
    Duration node_repair{};               // until it is back
    std::vector<std::string> node_names;  // empty = "<pool>-<number>"

    // Domains are numbered from 0 in the order of their nodes; the last one may be smaller.
    [[nodiscard]] std::uint32_t rack_nodes() const;  // of a full rack
    [[nodiscard]] std::uint32_t pod_nodes() const;   // of a full pod
    [[nodiscard]] std::uint32_t racks() const;
    [[nodiscard]] std::uint32_t pods() const;

    friend bool operator==(const Pool&, const Pool&) = default;
};

// What all nodes of a site share to keep data on.
struct Storage {
    double bytes_per_s = 0;                   // of all together; 0 = no limit
    Bytes capacity;                           // 0 = not counted
    std::map<std::string, Bytes> datasets{};  // that lie there for good, by name
    std::string root{};                       // absolute: each is ROOT/NAME; "" = not said

    friend bool operator==(const Storage&, const Storage&) = default;
};

// Between two sites, each way.
struct SiteLink {
    std::string between[2];  // names of the sites
    double bytes_per_s = 0;
    Duration latency{};  // there and back

    friend bool operator==(const SiteLink&, const SiteLink&) = default;
};

struct Site {
    std::string name;
    std::string executor = "simulated";    // local | slurm | simulated
    double power_watts = 0;                // 0 = no budget
    std::map<std::string, Price> price{};  // of a chip, by kind; what is not here is not priced
    Storage storage{};

    friend bool operator==(const Site&, const Site&) = default;
};

struct Fleet {
    std::vector<Site> sites;
    std::vector<Pool> pools;  // a PoolId is a position in here
    std::vector<SiteLink> links{};

    [[nodiscard]] const Pool& pool(PoolId id) const { return pools.at(id.value); }
    [[nodiscard]] std::uint64_t nodes_total() const;
    [[nodiscard]] std::uint64_t chips_total() const;
    [[nodiscard]] std::uint64_t cpus_milli_total() const;
    [[nodiscard]] std::string node_name(PoolId pool, std::uint32_t node) const;

    friend bool operator==(const Fleet&, const Fleet&) = default;
};

}  // namespace weir::fleet
