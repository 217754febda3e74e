#include "weir/sched/lending.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "weir/tenancy/loan.hpp"
#include "weir/tenancy/recoverable.hpp"

namespace weir::sched {
namespace {

using tenancy::Allowance;
using tenancy::Amount;
using tenancy::QuotaTree;

// Rights with the loans that last, and what runs: promises are not counted, who waits can wait.
QuotaTree tree_of(const Engine& engine,
                  std::span<const LoanTerm> in_force,
                  std::span<const JobSeen> jobs,
                  bool stopping_too) {
    tenancy::Organisations moved = engine.rights().organisations;
    for (const LoanTerm& term : in_force)
        tenancy::move_quota(moved, term.lender, term.borrower, term.amounts);
    QuotaTree tree(moved, engine.rights().capacity);
    for (const JobSeen& each : jobs) {
        if (each.placement == nullptr || (each.stopping && !stopping_too)) continue;
        const PoolId pool = each.placement->ranges.front().pool;
        for (const Allowance& one : engine.rights().charges(*each.demand, pool))
            tree.use(each.tenant, one.resource, one.amount);
    }
    return tree;
}

Amount left(const QuotaTree& tree, TenantId x, std::uint32_t resource) {
    return tree.subtree(x, resource) - tree.usage(x, resource);
}

// What is kept of each node of a pool: by those who do not borrow, and where it is not in service.
std::vector<std::uint32_t> kept_in(const Engine& engine,
                                   PoolId id,
                                   const QuotaTree& tree,
                                   std::uint32_t resource,
                                   std::span<const JobSeen> jobs) {
    const fleet::Pool& pool = engine.fleet().pool(id);
    std::vector<std::uint64_t> masks(pool.nodes, 0);
    for (const JobSeen& each : jobs) {
        if (each.placement == nullptr || left(tree, each.tenant, resource) < 0) continue;
        for (const fleet::NodeRange& range : each.placement->ranges)
            for (std::uint32_t n = 0; range.pool == id && n < range.count; ++n)
                masks[range.first + n] |= range.chip_mask;
    }
    std::vector<std::uint32_t> kept;
    kept.reserve(masks.size());
    for (std::uint32_t n = 0; n < pool.nodes; ++n) {
        const bool serves = engine.health(id, n) == NodeHealth::up;
        kept.push_back(serves ? static_cast<std::uint32_t>(std::popcount(masks[n]))
                              : pool.chips_per_node);
    }
    return kept;
}

}  // namespace

Result<void> can_begin(const Engine& engine,
                       const LoanTerm& loan,
                       std::span<const LoanTerm> in_force,
                       std::span<const JobSeen> jobs) {
    const QuotaTree tree = tree_of(engine, in_force, jobs, true);
    for (const Allowance& lent : loan.amounts) {
        const tenancy::Resource& resource = engine.rights().organisations.resources[lent.resource];
        if (resource.kind != tenancy::Resource::Kind::chips) continue;
        Amount its = left(tree, loan.lender, lent.resource);
        std::vector<tenancy::Guarantee> guarantees;
        for (const JobSeen& each : jobs) {
            const fleet::Demand& demand = *each.demand;
            if (each.placement != nullptr || !tree.is_inside(each.tenant, loan.lender) ||
                demand.parts.size() != 1 || demand.parts.front().each.chips == 0) {
                continue;
            }
            const auto asks = static_cast<Amount>(demand.chips_milli());
            if (asks > its) continue;
            its -= asks;
            guarantees.push_back({.tenant = each.tenant,
                                  .gang = {.replicas = demand.parts.front().replicas,
                                           .chips = demand.parts.front().each.chips,
                                           .within = demand.within},
                                  .waits = Duration{}});
        }
        if (guarantees.empty()) continue;
        // All of them in one of the pools that have these chips.
        std::optional<tenancy::Shortage> found;
        for (std::uint32_t p = 0; p < engine.fleet().pools.size(); ++p) {
            const fleet::Pool& pool = engine.fleet().pools[p];
            if (pool.chip != resource.name) continue;
            found = tenancy::shortage(
                {.pool = pool,
                 .kept_chips = kept_in(engine, PoolId{p}, tree, lent.resource, jobs),
                 .lent = {}},
                guarantees);
            if (!found) break;
        }
        if (found) {
            return fail(Code::conflict,
                        fmt::format("it would keep {} from gangs that wait: of {}, {} are wanted "
                                    "and {} could be had by evicting borrowers",
                                    engine.rights().organisations.tenant(loan.lender).path,
                                    tenancy::text_of(found->wanted.cell),
                                    found->wanted.count,
                                    found->there));
        }
    }
    return {};
}

Result<void> are_back(const Engine& engine,
                      const LoanTerm& loan,
                      std::span<const LoanTerm> in_force,
                      std::span<const JobSeen> jobs) {
    const QuotaTree tree = tree_of(engine, in_force, jobs, false);
    const tenancy::Organisations& organisations = engine.rights().organisations;
    std::vector<std::uint64_t> free_milli;
    for (std::uint32_t p = 0; p < engine.fleet().pools.size(); ++p)
        free_milli.push_back(engine.free_of(PoolId{p}).chips_milli);
    for (const JobSeen& each : jobs) {
        if (each.placement == nullptr || !each.stopping) continue;
        for (const fleet::NodeRange& range : each.placement->ranges) {
            const fleet::ReplicaDemand& of = each.demand->parts[range.part].each;
            for (std::uint32_t n = 0; n < range.count; ++n)
                if (engine.health(range.pool, range.first + n) == NodeHealth::up)
                    free_milli[range.pool.value] +=
                        std::uint64_t{range.replicas} * (of.chips * 1000 + of.chip_permille);
        }
    }
    for (const Allowance& lent : loan.amounts) {
        if (left(tree, loan.borrower, lent.resource) >= 0) continue;
        for (const JobSeen& each : jobs) {
            if (each.placement != nullptr || !tree.is_inside(each.tenant, loan.lender)) continue;
            for (const PoolId pool : each.demand->pools) {
                const tenancy::Charges charges = engine.rights().charges(*each.demand, pool);
                const bool owns =
                    std::all_of(charges.begin(), charges.end(), [&](const Allowance& one) {
                        return tree.owner(each.tenant, one.resource, one.amount).valid();
                    });
                const bool of_these =
                    std::any_of(charges.begin(), charges.end(), [&](const Allowance& one) {
                        return one.resource == lent.resource;
                    });
                if (!owns || !of_these || free_milli[pool.value] >= each.demand->chips_milli()) {
                    continue;
                }
                return fail(
                    Code::conflict,
                    fmt::format("{} still uses {} more than is its own, and job {} of {} "
                                "has no room",
                                organisations.tenant(loan.borrower).path,
                                tenancy::format_amount(organisations.resources[lent.resource],
                                                       -left(tree, loan.borrower, lent.resource)),
                                each.job.value,
                                organisations.tenant(each.tenant).path));
            }
        }
    }
    return {};
}

}  // namespace weir::sched
