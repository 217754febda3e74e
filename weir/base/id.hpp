// Id<Tag>: an integer that names one kind of thing, so that a node cannot be passed for a job.
//
// Ids compare, hash and print; they do not add. 0 is the first valid id of positional things
// (pools, nodes) and `none` is the largest value.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <limits>

namespace weir {

template <class Tag, class Number = std::uint32_t>
struct Id {
    using number_type = Number;
    static constexpr Number none_value = std::numeric_limits<Number>::max();

    Number value = none_value;

    constexpr Id() = default;
    constexpr explicit Id(Number number) : value(number) {}

    static constexpr Id none() { return Id{}; }
    [[nodiscard]] constexpr bool valid() const { return value != none_value; }

    friend constexpr auto operator<=>(const Id&, const Id&) = default;
};

using JobId = Id<struct JobTag, std::uint64_t>;  // live: counts up from 1; simulated: trace order
using PoolId = Id<struct PoolTag>;               // position in Fleet::pools
using NodeId = Id<struct NodeTag>;               // position in its pool
using TenantId = Id<struct TenantTag>;           // position in Organisations::tenants
using AdvanceId = Id<struct AdvanceTag>;         // of an advance reservation, from 1

}  // namespace weir

template <class Tag, class Number>
struct std::hash<weir::Id<Tag, Number>> {
    std::size_t operator()(const weir::Id<Tag, Number>& id) const noexcept {
        return std::hash<Number>{}(id.value);
    }
};
