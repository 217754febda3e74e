// PowerBudgets: what the racks, or the pods, of one pool draw beyond idle, and how much more they
// may.
//
// Costs nothing while nobody has a budget: then the lists are empty and nothing is counted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "weir/base/time.hpp"

namespace weir::fleet {

// What is left of a budget is unlimited_mw where there is none, and negative where it is exceeded.
inline constexpr std::int64_t unlimited_mw = std::numeric_limits<std::int64_t>::max();

// A budget of 0 is none.
constexpr std::int64_t power_left_mw(std::int64_t budget_mw, std::int64_t drawn_mw) {
    if (budget_mw == 0) return unlimited_mw;
    return drawn_mw > budget_mw ? -1 : budget_mw - drawn_mw;
}

// How many replicas fit into what is left: of those that draw nothing any number.
constexpr std::uint64_t replicas_in(std::int64_t left_mw, std::int64_t each_mw) {
    if (left_mw == unlimited_mw || each_mw == 0) return std::numeric_limits<std::uint64_t>::max();
    if (left_mw < 0) return 0;
    return static_cast<std::uint64_t>(left_mw / each_mw);
}

// Watts that are promised to others: who stays beyond `until` may draw only so much more.
struct PowerPromised {
    Time until = never;
    std::int64_t left_mw = unlimited_mw;  // never negative
    friend auto operator<=>(const PowerPromised&, const PowerPromised&) = default;
};

struct PowerBudgets {
    std::uint32_t span = 0;               // nodes of a full domain
    std::uint32_t domains = 0;            // in the pool
    std::vector<std::int64_t> budget_mw;  // by domain, 0 = none; empty = no domain has one
    std::vector<std::int64_t> drawn_mw;   // by domain
    std::vector<PowerPromised> promised;  // by domain; empty = nothing is

    [[nodiscard]] bool any() const { return !budget_mw.empty(); }
    // A budget of part of a pool differs from node to node; one of the whole pool does not.
    [[nodiscard]] bool any_inside() const { return any() && domains > 1; }
    [[nodiscard]] std::int64_t left_mw(std::uint32_t domain) const {
        return power_left_mw(budget_mw[domain], drawn_mw[domain]);
    }
    // Nothing is promised of what nobody limits.
    [[nodiscard]] PowerPromised promised_in(std::uint32_t domain) const {
        return promised.empty() || budget_mw[domain] == 0 ? PowerPromised{} : promised[domain];
    }
    // What is left for who stays until `end`.
    [[nodiscard]] std::int64_t left_mw(std::uint32_t domain, Time end) const {
        const std::int64_t left = left_mw(domain);
        return end > promised_in(domain).until ? std::min(left, promised_in(domain).left_mw) : left;
    }
    [[nodiscard]] bool any_promised(std::uint32_t first, std::uint32_t count) const {
        for (std::uint32_t i = first; i < first + count && !promised.empty(); ++i)
            if (promised[i].until != never) return true;
        return false;
    }
};

}  // namespace weir::fleet
