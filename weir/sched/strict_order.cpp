// Strict order: nobody overtakes. One queue, or one of each organisation.
#include <algorithm>

#include "weir/sched/engine_state.hpp"

namespace weir::sched {

// One queue: whoever does not fit holds up all behind it.
void Engine::State::in_strict_order(Time now, std::vector<Decision>& decisions) {
    for (const std::uint32_t shape : to_try)
        shapes[shape].to_try = false;
    to_try.clear();
    const auto any = [](const Stretch&, const Stretch&) { return true; };
    Rank last;
    for (const Queued* next = queue.first(nullptr, {}, any); next != nullptr;
         next = queue.first(&last, {}, any)) {
        last = next->rank;
        const Job& job = jobs.at(next->slot);
        if (job.parked) continue;
        // Who waits for the nodes of a reservation holds up nobody before it begins.
        const auto its = set_apart.find(AdvanceId{shapes[job.shape].shape.demand.tag});
        if (its != set_apart.end() && !its->second.begun) continue;
        if (!free.find(shapes[job.shape].shape, found, run_of(job, now).until)) break;
        start(next->slot, now, Cause::fits_now, decisions);
    }
}

// Each organisation has a strict order of its own, and who owns what it asks for goes before who
// has to borrow it. An owner that finds no room has those stopped who borrowed it, and until it is
// there nobody borrows in those pools.
void Engine::State::in_strict_orders(Time now, std::vector<Decision>& decisions) {
    for (const std::uint32_t shape : to_try)
        shapes[shape].to_try = false;
    to_try.clear();
    const auto place_of = [&](const Job& job, KindSet allowed) {
        tenancy::Standing its = standing_of(job, allowed);
        if (owned_in_order(job) != 0)
            for (std::uint32_t& level : its.at)
                level &= ~tenancy::Standing::borrows;
        return its;
    };
    const auto next_of = [&](TenantId tenant, const Rank* after) {
        const auto any = [](const Stretch&, const Stretch&) { return true; };
        const Queue& its_queue = queue_of_tenant[tenant.value];
        Front front;
        for (const Queued* next = its_queue.first(after, {}, any); next != nullptr;
             next = its_queue.first(&front.rank, {}, any)) {
            front.rank = next->rank;
            const Job& job = jobs.at(next->slot);
            const ShapeInfo& shape = shapes[job.shape];
            const auto its = set_apart.find(AdvanceId{shape.shape.demand.tag});
            if (job.parked || (its != set_apart.end() && !its->second.begun)) continue;
            front.slot = next->slot;
            front.allowed = allowed_for(job);
            front.standing = place_of(job, front.allowed);
            break;
        }
        return front;
    };
    const auto behind = [](const Front& a, const Front& b) { return b.before(a); };
    std::vector<Front> heads;  // a heap
    for (std::uint32_t tenant = 0; tenant < queue_of_tenant.size(); ++tenant)
        if (Front its = next_of(TenantId{tenant}, nullptr); its.found()) heads.push_back(its);
    std::make_heap(heads.begin(), heads.end(), behind);
    std::vector<bool> kept(fleet.pools.size(), false);  // for owners
    while (!heads.empty()) {
        std::pop_heap(heads.begin(), heads.end(), behind);
        Front head = heads.back();
        const Job& job = jobs.at(head.slot);
        ShapeInfo& shape = shapes[job.shape];
        // What started meanwhile may have moved it back.
        head.allowed = allowed_for(job);
        head.standing = place_of(job, head.allowed);
        const TenantId tenant = job.tenant;
        if (heads.size() > 1 && heads.front().before(head)) {
            heads.back() = head;
            std::push_heap(heads.begin(), heads.end(), behind);
            continue;
        }
        heads.pop_back();
        const std::vector<PoolId>& pools = shape.shape.demand.pools;
        const bool is_owner = owned_in_order(job) != 0;
        if (head.allowed == 0) {
            if (is_owner) give_way(head.slot, now, decisions);
            continue;
        }
        if (!is_owner && std::any_of(pools.begin(), pools.end(), [&](PoolId pool) {
                return kept[pool.value];
            })) {
            continue;
        }
        if (!free.find(shape_in(job.shape, head.allowed), found, run_of(job, now).until)) {
            if (!is_owner) continue;
            make_room(head.slot, now, {}, decisions);
            if (may_stop_others(job)) reclaims_at = std::min(reclaims_at, job.reclaim_at);
            const KindSet owned = owned_in_order(job);
            for (const PoolId pool : pools)
                if ((owned >> Quotas::kind_of(shape.shape, shape.kinds, pool) & 1) != 0)
                    kept[pool.value] = true;
            continue;
        }
        start(head.slot, now, Cause::fits_now, decisions);
        if (Front its = next_of(tenant, &head.rank); its.found()) {
            heads.push_back(its);
            std::push_heap(heads.begin(), heads.end(), behind);
        }
    }
}

}  // namespace weir::sched
