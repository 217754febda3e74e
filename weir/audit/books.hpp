// Books: who holds what of each node, and what the nodes draw, kept as simply as can be.
//
// One entry a node and no shortcut: chips as bits, shares of chips as thousandths, CPUs and memory
// as sums. Watts follow the model of the fleet language: a node draws what it draws idle, and of
// the difference to busy the share of its chips that is held (of its CPUs where it has no chips).
//
// Taking more than there is is reported and booked all the same, so that giving back fits.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "weir/audit/log_format.hpp"

namespace weir::audit {

class Books {
public:
    explicit Books(const fleet::Fleet& fleet);

    // Whether pool and nodes of every range exist.
    [[nodiscard]] bool exists(const fleet::Placement& placement) const;
    [[nodiscard]] bool exists(PoolId pool, std::uint32_t first, std::uint32_t count) const;

    // What is over-committed by it, as a sentence; none is how it should be.
    std::optional<std::string> take(const fleet::Demand& demand, const fleet::Placement& placement);
    void give(const fleet::Demand& demand, const fleet::Placement& placement);

    void set_health(PoolId pool, std::uint32_t node, Health health);
    [[nodiscard]] Health health(PoolId pool, std::uint32_t node) const;

    // False when there is no such rack, pod or site.
    bool set_cap(const Domain& domain, double watts);
    [[nodiscard]] double cap(const Domain& domain) const;  // 0 = none
    [[nodiscard]] double drawn(const Domain& domain) const;
    // The domains that have a cap and in which one of the nodes lies.
    [[nodiscard]] std::vector<Domain> capped_domains(const fleet::Placement& placement) const;

private:
    struct Node {
        std::uint64_t whole = 0;   // chips that one job holds
        std::uint64_t shared = 0;  // chips of which shares are held
        std::uint64_t cpus_milli = 0;
        std::int64_t memory = 0;
        Health health = Health::up;
    };
    struct PoolBook {
        fleet::Pool pool;
        std::uint32_t site = 0;
        std::uint64_t units_per_node = 0;  // thousandths of a chip or of a CPU; 0 = not measured
        std::vector<Node> nodes;
        std::unordered_map<std::uint64_t, std::uint32_t> shares;  // node x chip -> thousandths
        std::vector<std::uint64_t> rack_units;
        std::vector<std::uint64_t> pod_units;
        std::uint64_t units = 0;
        std::map<std::uint32_t, double> rack_caps;  // those that were changed
        std::map<std::uint32_t, double> pod_caps;
    };

    void change_units(PoolBook& book, std::uint32_t node, std::uint64_t units, bool taking);
    [[nodiscard]] static double watts(const PoolBook& book,
                                      std::uint32_t nodes,
                                      std::uint64_t units);

    std::vector<PoolBook> pools_;
    std::vector<double> site_caps_;
};

}  // namespace weir::audit
