#include "weir/sched/lending.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>
#include <set>
#include <utility>

#include "weir/tenancy/loan.hpp"
#include "weir/tenancy/recoverable.hpp"

namespace weir::sched {
namespace {

using tenancy::Allowance;
using tenancy::Amount;
using tenancy::QuotaTree;

// What runs, as it is counted, by organisation and resource: the same whatever is lent.
using Uses = std::map<std::pair<TenantId, std::uint32_t>, Amount>;
Uses uses_of(const Engine& engine, std::span<const JobSeen> jobs, bool stopping_too) {
    Uses uses;
    for (const JobSeen& each : jobs) {
        if (each.placement == nullptr || (each.stopping && !stopping_too)) continue;
        const PoolId pool = each.placement->ranges.front().pool;
        for (const Allowance& one : engine.rights().charges(*each.demand, pool))
            uses[{each.tenant, one.resource}] += one.amount;
    }
    return uses;
}

// Rights with the loans that last, and what runs: promises are not counted, who waits can wait.
QuotaTree tree_of(const Engine& engine, std::span<const LoanTerm> in_force, const Uses& uses) {
    tenancy::Organisations moved = engine.rights().organisations;
    for (const LoanTerm& term : in_force)
        tenancy::move_quota(moved, term.lender, term.borrower, term.amounts);
    QuotaTree tree(moved, engine.rights().capacity);
    for (const auto& [what, amount] : uses)
        tree.use(what.first, what.second, amount);
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

// Whether the job could be placed on chips of this kind.
bool asks_for(const Engine& engine, const fleet::Demand& demand, const tenancy::Resource& chips) {
    return demand.parts.size() == 1 && demand.parts.front().each.chips > 0 &&
           std::any_of(demand.pools.begin(), demand.pools.end(), [&](PoolId pool) {
               return engine.fleet().pool(pool).chip == chips.name;
           });
}

// The gangs that wait for what the lender has left of its own, the oldest first.
struct Waiting {
    std::vector<tenancy::Guarantee> guarantees;
    Time all_start_by{};  // as they are promised
};
Waiting waiting_for_own(const Engine& engine,
                        const QuotaTree& tree,
                        TenantId lender,
                        std::uint32_t resource,
                        std::span<const JobSeen> jobs) {
    Waiting waiting;
    Amount its = left(tree, lender, resource);
    for (const JobSeen& each : jobs) {
        const fleet::Demand& demand = *each.demand;
        if (each.placement != nullptr || !tree.is_inside(each.tenant, lender) ||
            !asks_for(engine, demand, engine.rights().organisations.resources[resource])) {
            continue;
        }
        const auto asks = static_cast<Amount>(demand.chips_milli());
        if (asks > its) continue;
        its -= asks;
        waiting.guarantees.push_back({.tenant = each.tenant,
                                      .gang = {.replicas = demand.parts.front().replicas,
                                               .chips = demand.parts.front().each.chips,
                                               .within = demand.within},
                                      .waits = Duration{}});
        waiting.all_start_by = std::max(waiting.all_start_by, each.promised);
    }
    return waiting;
}

// What is short in the last of the pools that have these chips; nothing: in one of them all can be
// had at once when everybody is gone who, by these rights, uses more than is its own.
std::optional<tenancy::Shortage> shortage_of(const Engine& engine,
                                             const QuotaTree& tree,
                                             std::uint32_t resource,
                                             std::span<const tenancy::Guarantee> guarantees,
                                             std::span<const JobSeen> jobs) {
    std::optional<tenancy::Shortage> found;
    for (std::uint32_t p = 0; p < engine.fleet().pools.size(); ++p) {
        const fleet::Pool& pool = engine.fleet().pools[p];
        if (pool.chip != engine.rights().organisations.resources[resource].name) continue;
        found = tenancy::shortage({.pool = pool,
                                   .kept_chips = kept_in(engine, PoolId{p}, tree, resource, jobs),
                                   .lent = {}},
                                  guarantees);
        if (!found) break;
    }
    return found;
}

bool is_of_chips(const Engine& engine, const Allowance& lent) {
    return engine.rights().organisations.resources[lent.resource].kind ==
           tenancy::Resource::Kind::chips;
}

// Of one lender and one kind of chips; `tree`: with all loans.
std::vector<std::uint32_t> in_the_way_of(const Engine& engine,
                                         TenantId lender,
                                         std::uint32_t resource,
                                         std::span<const LastingLoan> in_force,
                                         std::span<const JobSeen> jobs,
                                         const QuotaTree& tree,
                                         const Uses& uses,
                                         Time now) {
    const Waiting waiting = waiting_for_own(engine, tree, lender, resource, jobs);
    // What a recall would bring back no sooner counts as back.
    std::vector<LoanTerm> stay;
    std::vector<LoanTerm> callable;
    for (const LastingLoan& each : in_force) {
        const Time back = now >= never - each.notice ? never : now + each.notice;
        if (each.term.lender != lender) {
            stay.push_back(each.term);
        } else if (!each.term.recalled && back < each.term.until && back < waiting.all_start_by) {
            callable.push_back(each.term);
        }
    }
    if (waiting.guarantees.empty() || callable.empty()) return {};
    const auto is_short = [&] {
        std::vector<LoanTerm> terms = stay;
        terms.insert(terms.end(), callable.begin(), callable.end());
        return shortage_of(engine, tree_of(engine, terms, uses), resource, waiting.guarantees, jobs)
            .has_value();
    };
    std::vector<std::uint32_t> called;
    for (; is_short(); callable.pop_back()) {
        // Without any of them it is no better: they are not what is in the way.
        if (callable.empty()) return {};
        called.push_back(callable.back().loan);
    }
    return called;
}

}  // namespace

Result<void> can_begin(const Engine& engine,
                       const LoanTerm& loan,
                       std::span<const LoanTerm> in_force,
                       std::span<const JobSeen> jobs) {
    const QuotaTree tree = tree_of(engine, in_force, uses_of(engine, jobs, true));
    for (const Allowance& lent : loan.amounts) {
        if (!is_of_chips(engine, lent)) continue;
        const Waiting waiting = waiting_for_own(engine, tree, loan.lender, lent.resource, jobs);
        if (waiting.guarantees.empty()) continue;
        const auto found = shortage_of(engine, tree, lent.resource, waiting.guarantees, jobs);
        if (!found) continue;
        return fail(Code::conflict,
                    fmt::format("it would keep {} from gangs that wait: of {}, {} are wanted "
                                "and {} could be had by evicting borrowers",
                                engine.rights().organisations.tenant(loan.lender).path,
                                tenancy::text_of(found->wanted.cell),
                                found->wanted.count,
                                found->there));
    }
    return {};
}

std::vector<std::uint32_t> stand_in_the_way(const Engine& engine,
                                            std::span<const LastingLoan> in_force,
                                            std::span<const JobSeen> jobs,
                                            Time now) {
    std::vector<JobSeen> ready;
    for (const JobSeen& each : jobs)
        if (each.placement != nullptr || each.ready) ready.push_back(each);
    std::vector<LastingLoan> loans(in_force.begin(), in_force.end());
    std::vector<LoanTerm> terms;
    for (const LastingLoan& each : loans)
        terms.push_back(each.term);
    const Uses uses = uses_of(engine, ready, true);
    const QuotaTree tree = tree_of(engine, terms, uses);
    // All loans of a lender are looked at together.
    std::set<std::pair<TenantId, std::uint32_t>> seen;
    std::vector<std::uint32_t> called;
    for (const LastingLoan& each : in_force) {
        for (const Allowance& lent : each.term.amounts) {
            if (!is_of_chips(engine, lent) || !seen.emplace(each.term.lender, lent.resource).second)
                continue;
            for (const std::uint32_t loan : in_the_way_of(
                     engine, each.term.lender, lent.resource, loans, ready, tree, uses, now)) {
                called.push_back(loan);
                for (LastingLoan& its : loans)
                    its.term.recalled = its.term.recalled || its.term.loan == loan;
            }
        }
    }
    return called;
}

StopRules StopRules::of(const Policy& policy, std::uint64_t stopped_in_the_hour, Time now) {
    return {.stops_others = policy.preempt && policy.preemptions_per_hour_max > 0,
            .are_used_up = stopped_in_the_hour >= policy.preemptions_per_hour_max,
            .started_by = now - policy.min_run};
}

Result<void> are_back(const Engine& engine,
                      const LoanTerm& loan,
                      std::span<const LoanTerm> in_force,
                      std::span<const JobSeen> jobs,
                      const StopRules& rules) {
    const QuotaTree tree = tree_of(engine, in_force, uses_of(engine, jobs, false));
    const bool is_too_young = std::any_of(jobs.begin(), jobs.end(), [&](const JobSeen& each) {
        return each.placement != nullptr && !each.stopping && each.started > rules.started_by &&
               tree.is_inside(each.tenant, loan.borrower);
    });
    if (rules.stops_others && (rules.are_used_up || is_too_young)) return {};
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
