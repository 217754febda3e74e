// Rights: organisations on a fleet: what a chip and a CPU of each pool count of the resources that
// quotas are written in, and what the whole fleet has of them.
//
// A chip of the kind h200 counts one chip of the resource "h200", and as many MFLOP/s of the
// resource "bf16" as it was found to compute in that format; a pool without chips counts CPUs only.
// What nobody's quota names counts nothing: it is not limited.
//
// Threads: values and pure functions.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/catalog/catalog.hpp"
#include "weir/fleet/demand.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/tenancy/organisations.hpp"
#include "weir/tenancy/quota_tree.hpp"

namespace weir::tenancy {

// FLOP/s (OP/s) that one chip computes in a number format; nothing = not known.
using RateOf = std::function<std::optional<double>(std::string_view chip, std::string_view format)>;

// What a gang uses of each resource in one kind of pool, in the order of resources; none twice.
using Charges = std::vector<Allowance>;

struct Rights {
    struct PoolMeasure {
        Charges per_chip;  // of a whole chip
        Charges per_cpu;   // of a whole CPU
        friend bool operator==(const PoolMeasure&, const PoolMeasure&) = default;
    };
    Organisations organisations;
    std::vector<PoolMeasure> measures;  // by pool
    std::vector<Amount> capacity;       // of the fleet, by resource
    std::vector<std::string> notes;     // sentences for the operator

    [[nodiscard]] bool empty() const { return organisations.empty(); }
    // Requires: the demand may run in this pool.
    [[nodiscard]] Charges charges(const fleet::Demand& demand, PoolId pool) const;
};

// As the catalogue knows it: the best-founded rate of products of matrices. Requires: it lives on.
RateOf rates_in(const catalog::Catalog& catalog);

// Never fails: a quota of what the fleet does not have is a right to nothing, and a note.
Rights rights_on(const fleet::Fleet& fleet, Organisations organisations, const RateOf& rate_of);

// "12 h200", "64 CPUs", "3.2 PFLOP/s of bf16".
std::string format_amount(const Resource& resource, Amount amount);

}  // namespace weir::tenancy
