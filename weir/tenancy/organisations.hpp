// Organisations: who there is, and what each one has a right to, as facts that change rarely.
//
// Organisations form a tree. Its root is the centre itself: it has no name, owns what no quota
// gives away, and is always there. A quota is an amount of a *resource*: chips of one kind, CPUs,
// or a capability ("3.2 EFLOP/s of bf16"), of which a chip has as much as it was found to compute.
// Whoever runs below its quota lends the rest, and whoever runs above it borrows, within the limits
// that both have set; the formulas are in quota_tree.hpp.
//
// A plain value: copy it, compare it, print it. It comes from a tenants file
// (organisations_file.hpp) or from the quotas of a trace.
//
// Threads: values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/id.hpp"

namespace weir::tenancy {

// What quotas are counted in. Amounts are whole numbers: thousandths of a chip, thousandths of a
// CPU, or MFLOP/s (MOP/s) of a number format.
struct Resource {
    enum class Kind : std::uint8_t { chips, cpus, capability };
    Kind kind = Kind::chips;
    std::string name;  // catalogue name of the chip, or of the number format; "" for CPUs

    friend bool operator==(const Resource&, const Resource&) = default;
};

struct Allowance {
    std::uint32_t resource = 0;  // position in Organisations::resources
    std::int64_t amount = 0;     // from 0 on

    friend bool operator==(const Allowance&, const Allowance&) = default;
};

struct Tenant {
    std::string path;  // "bigco/search"; "" for the root
    TenantId parent;   // comes before it in the list; none for the root
    std::uint32_t weight_milli = 1000;
    std::vector<Allowance> quota{};   // a resource that is not named: none
    std::vector<Allowance> lend{};    // at most; a resource that is not named: all that is idle
    std::vector<Allowance> borrow{};  // at most above quota; not named: no limit

    friend bool operator==(const Tenant&, const Tenant&) = default;
};

struct Organisations {
    std::vector<Resource> resources;  // that some quota or limit names
    std::vector<Tenant> tenants;      // a TenantId is a position in here; empty: nobody is limited

    [[nodiscard]] bool empty() const { return tenants.empty(); }
    [[nodiscard]] const Tenant& tenant(TenantId id) const { return tenants.at(id.value); }
    // none: no such organisation.
    [[nodiscard]] TenantId find(std::string_view path) const;
    // The organisation that somebody belongs to: of "bigco/search/lena" it is "bigco/search", if
    // there is that and no "lena" below it. none: no organisation but the root.
    [[nodiscard]] TenantId house_of(std::string_view path) const;

    friend bool operator==(const Organisations&, const Organisations&) = default;
};

}  // namespace weir::tenancy
