// What owners may take back: who runs on what another organisation owns, and in strict order who of
// the same one overtook. Who of them goes is decided in room_made.cpp.
#include <algorithm>
#include <map>

#include "weir/sched/engine_state.hpp"

namespace weir::sched {
namespace {

// So many borrowers are looked at in any case, and four for each chip that is asked for.
constexpr std::uint64_t borrowers_looked_at_min = 256;

}  // namespace

// In strict order: those of its organisation that run although they come behind it, the last first.
// They overtook it when it was stopped for others.
std::vector<std::uint32_t> Engine::State::behind_it(const Job& job) const {
    std::vector<std::uint32_t> slots;
    if (queue_of_tenant.empty()) return slots;
    const Ordered& its = running_of_tenant[job.tenant.value];
    for (const InOrder* each = its.last(); each != nullptr && job.rank < each->rank;
         each = its.last(&each->rank))
        slots.push_back(each->slot);
    return slots;
}

// Where it would own what it asks for if those behind it did not run.
KindSet Engine::State::owned_in_order(const Job& job) const {
    const ShapeKinds& kinds = shapes[job.shape].kinds;
    const std::vector<std::uint32_t> others = behind_it(job);
    if (others.empty())
        return quotas.lends() ? quotas.owned(job.tenant, kinds, run_of(job, told_at), nullptr)
                              : quotas.owned(job.tenant, kinds);
    tenancy::QuotaTree tree = quotas.tree();
    for (const std::uint32_t slot : others) {
        const Job& each = jobs.at(slot);
        for (const tenancy::Allowance& one : shapes[each.shape].kinds.charges[each.charged])
            tree.give_back(each.tenant, one.resource, one.amount);
    }
    return Quotas::owned(tree, job.tenant, kinds);
}

// In strict order: those of its own organisation that overtook it, when it was stopped, use up what
// it owns; the last of them go.
void Engine::State::give_way(std::uint32_t slot, Time now, std::vector<Decision>& decisions) {
    if (!policy.preempt) return;
    const Job& job = jobs.at(slot);
    tenancy::QuotaTree tree = quotas.tree();
    for (const std::uint32_t other : behind_it(job)) {
        if (quotas.owned(tree, job.tenant, shapes[job.shape].kinds) != 0) return;
        Job& each = jobs.at(other);
        if (!each.stopping) {
            if (stops_left(now) == 0) {
                reclaims_at = std::min(reclaims_at, stops_from(now));
                return;
            }
            if (protected_now(each, now)) {
                reclaims_at = std::min(reclaims_at, each.started_at + policy.min_run);
                continue;
            }
            stop(other, job.id, stopped_by(each, now), now);
            announce(decisions,
                     {Preempt{each.id, job.id},
                      {.cause = Cause::reclaimed, .other = job.id, .until = each.end_by}});
        }
        for (const tenancy::Allowance& one : shapes[each.shape].kinds.charges[each.charged])
            tree.give_back(each.tenant, one.resource, one.amount);
    }
}

namespace {

bool someone_borrows(KindSet owned, const ShapeKinds& kinds, const tenancy::QuotaTree& tree) {
    for (std::size_t kind = 0; kind < kinds.charges.size(); ++kind) {
        if ((owned >> kind & 1) == 0) continue;
        for (const tenancy::Allowance& each : kinds.charges[kind])
            if (tree.anybody_borrows(each.resource)) return true;
    }
    return false;
}

}  // namespace

bool Engine::State::may_stop_others(const Job& job) const {
    if (!policy.preempt) return false;
    if (job.priority >= job::Priority::high) return true;
    if (!quotas.any()) return false;
    if (!behind_it(job).empty() && owned_in_order(job) != 0) return true;
    const ShapeKinds& kinds = shapes[job.shape].kinds;
    if (quotas.lends()) {
        // Who owns nothing, at any time, goes on like that while others only take.
        const std::uint64_t gains_now = quotas.gains_of(kinds);
        if (job.owns_nothing_at == gains_now) return false;
        const Ownership its = ownership_of(job);
        job.owns_nothing_at = its.kinds == 0 ? gains_now : 0;
        return someone_borrows(its.kinds, kinds, quotas.tree_at(its.from));
    }
    const KindSet owned = job.charged != Job::not_charged && job.grade < lanes
                              ? KindSet{1} << job.charged
                              : quotas.owned(job.tenant, kinds);
    return someone_borrows(owned, kinds, quotas.tree());
}

// Whether it is worth a search who could be stopped for it.
bool Engine::State::reclaims_now(const Job& job, Time now) const {
    return quotas.any() && job.priority < job::Priority::high && now >= job.reclaim_at &&
           may_stop_others(job);
}

// Those who run on what the organisation of the job owns and others have borrowed. The jobs of an
// organisation fill what it owns in the order of its queue; the last ones are those who borrow. Of
// very many, the last ones that are surely enough. Told by the rights at a time, and by what will
// be held then.
std::vector<std::uint32_t> Engine::State::borrowers_from(const Job& job,
                                                         Time at,
                                                         std::size_t most) const {
    const std::size_t count_max = std::min<std::uint64_t>(
        most,
        std::max<std::uint64_t>(borrowers_looked_at_min,
                                4 * shapes[job.shape].shape.demand.chips_milli() / 1000));
    tenancy::QuotaTree tree = quotas.tree_at(at);
    const bool is_later = &quotas.tree_at(at) != &quotas.tree();
    const auto is_counted = [&](const Job& each) { return !is_later || each.charged_until > at; };
    const auto give_back = [&](const Job& each) {
        if (!is_counted(each)) return;
        for (const tenancy::Allowance& one : shapes[each.shape].kinds.charges[each.charged])
            tree.give_back(each.tenant, one.resource, one.amount);
    };
    // What is promised is charged, but nobody can be stopped for it; and who stops is as good as
    // gone.
    for (const auto& [rank, slot] : promised)
        give_back(jobs.at(slot));
    for (const std::uint32_t slot : stopping)
        give_back(jobs.at(slot));
    std::vector<std::uint32_t> borrowers;
    for (const std::uint32_t slot : behind_it(job)) {
        if (jobs.at(slot).stopping) continue;
        give_back(jobs.at(slot));
        borrowers.push_back(slot);
    }
    // What it owns, and how deep the house that owns it is.
    std::map<std::uint32_t, std::uint32_t> owned;
    for (const tenancy::Charges& charges : shapes[job.shape].kinds.charges) {
        std::map<std::uint32_t, std::uint32_t> of_kind;
        for (const tenancy::Allowance& each : charges) {
            const TenantId house = tree.owner(job.tenant, each.resource, each.amount);
            if (house.valid()) of_kind[each.resource] = tree.depth(house);
        }
        if (of_kind.size() == charges.size()) owned.insert(of_kind.begin(), of_kind.end());
    }
    // Whether somebody runs on it: all houses below the one that both are in borrow.
    const auto borrows = [&](TenantId x, std::uint32_t resource) {
        const TenantId top = tree.common(x, job.tenant);
        const auto its = owned.find(resource);
        return its != owned.end() && top != x && its->second > tree.depth(top) &&
               tree.borrows_below(x, resource, top);
    };
    // Whether gangs of a shape count anything of it; of those that do not nothing is looked at.
    std::vector<std::int8_t> counts_it(shapes.size(), -1);
    const auto is_of_use = [&](std::uint32_t shape) {
        std::int8_t& known = counts_it[shape];
        if (known < 0) {
            const std::vector<tenancy::Charges>& all = shapes[shape].kinds.charges;
            known = std::any_of(all.begin(), all.end(), [&](const tenancy::Charges& charges) {
                return std::any_of(charges.begin(), charges.end(), [&](const auto& one) {
                    return owned.count(one.resource) > 0;
                });
            });
        }
        return known > 0;
    };
    struct Last {
        const InOrder* each = nullptr;
        TenantId tenant;
        Ordered::Backward before;
        bool operator<(const Last& other) const { return each->rank < other.each->rank; }
    };
    std::vector<Last> last;  // a heap: of each organisation that borrows the last one not seen
    const auto add_last = [&](TenantId tenant, Ordered::Backward before) {
        if (std::none_of(owned.begin(), owned.end(), [&](const auto& one) {
                return borrows(tenant, one.first);
            }))
            return;
        const InOrder* each = before.next();
        while (each != nullptr && !is_of_use(each->shape))
            each = before.next();
        if (each == nullptr) return;
        __builtin_prefetch(&jobs.at(each->slot));  // its turn comes after that of many others
        last.push_back({each, tenant, before});
        std::push_heap(last.begin(), last.end());
    };
    for (std::uint32_t i = 0; i < running_of_tenant.size(); ++i)
        add_last(TenantId{i}, Ordered::Backward(running_of_tenant[i]));
    while (!last.empty() && borrowers.size() < count_max) {
        std::pop_heap(last.begin(), last.end());
        const Last its = last.back();
        last.pop_back();
        const Job& each = jobs.at(its.each->slot);
        const tenancy::Charges& charges = shapes[each.shape].kinds.charges[each.charged];
        if (!each.stopping && is_counted(each) &&
            std::any_of(charges.begin(), charges.end(), [&](const auto& one) {
                return borrows(its.tenant, one.resource);
            })) {
            give_back(each);
            borrowers.push_back(its.each->slot);
        }
        add_last(its.tenant, its.before);
    }
    return borrowers;
}

}  // namespace weir::sched
