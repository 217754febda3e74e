// How much a node, a rack, a pod or a pool can hold of one part of a gang: by what is free, by what
// is promised to others, and by watts.
#include <algorithm>

#include "weir/fleet/free_index.hpp"

namespace weir::fleet {
namespace {
constexpr std::uint64_t unbounded = std::numeric_limits<std::uint32_t>::max();
}

// ---------------------------------------------------------------------------------------------
// How much a node, and all that is around it, can hold

// By what is free and promised there; watts apart.
std::uint64_t FreeIndex::holds(const PoolIndex& pool, const NodeKey& key, const Ask& ask) const {
    if (key.tag != ask.tag) return 0;
    const ReplicaDemand& each = ask.each;
    std::uint32_t chips = key.chips;
    std::uint32_t cpus_milli = key.cpus_milli;
    std::int64_t memory = key.memory.count;
    std::uint64_t count = unbounded;
    if (each.chip_permille > 0) {
        count = std::uint64_t{chips} * (1000 / each.chip_permille);
        for (const std::uint16_t room : rooms_[key.rooms])
            count += room / each.chip_permille;
    }
    if (key.horizon != 0) {
        const Horizon& horizon = horizons_[key.horizon];
        if (ask.end > horizon.until) {
            chips = std::min(chips, horizon.chips);
            cpus_milli = std::min(cpus_milli, horizon.cpus_milli);
            memory = std::min(memory, horizon.memory.count);
            // Who shares a chip beyond the horizon needs one of its whole ones.
            if (each.chip_permille > 0) count = std::min<std::uint64_t>(count, horizon.chips);
        }
    }
    if (each.chips > 0) count = chips / each.chips;
    if (each.cpus_milli > 0 && pool.pool.cpus_milli > 0) {
        count = std::min<std::uint64_t>(count, cpus_milli / each.cpus_milli);
    }
    if (each.memory.count > 0 && pool.pool.memory.count > 0) {
        count = std::min(count, static_cast<std::uint64_t>(memory / each.memory.count));
    }
    return count;
}

// By the watts of its rack and its pod.
std::uint64_t FreeIndex::holds_by_power(const NodeKey& key,
                                        const Ask& ask,
                                        std::int64_t each_mw) const {
    if (budgets_lifted_) return unbounded;
    if (key.power == NodeKey::no_limit && key.power_promised == 0) return unbounded;
    std::int64_t left = key.power == NodeKey::no_limit ? unlimited_mw : std::int64_t{key.power} - 1;
    if (key.power_promised != 0) {
        const NodePowerPromised& promised = power_promised_[key.power_promised];
        if (ask.end > promised.rack.until) left = std::min(left, promised.rack.left_mw);
        if (ask.end > promised.pod.until) left = std::min(left, promised.pod.left_mw);
    }
    return std::min(replicas_in(left, each_mw), unbounded);
}

// By the watts of what is around all nodes of the pool.
std::uint64_t FreeIndex::around(const PoolIndex& pool, const Ask& ask) const {
    if (!has_budgets(pool)) return unbounded;
    std::int64_t left = sites_[pool.site].left_mw(ask.end);
    for (const PowerBudgets* budgets : {&pool.rack_power, &pool.pod_power}) {
        if (budgets->any() && !budgets->any_inside()) {
            left = std::min(left, budgets->left_mw(0, ask.end));
        }
    }
    return replicas_in(left, pool.each_mw(ask.each));
}

// By all the watts there are, at this moment.
std::uint64_t FreeIndex::powered(const PoolIndex& pool, std::uint32_t node, const Ask& ask) const {
    if (!has_budgets(pool)) return unbounded;
    std::int64_t left = sites_[pool.site].left_mw(ask.end);
    for (const PowerBudgets* budgets : {&pool.rack_power, &pool.pod_power}) {
        if (!budgets->any()) continue;
        left = std::min(left, budgets->left_mw(node / budgets->span, ask.end));
    }
    return replicas_in(left, pool.each_mw(ask.each));
}

bool FreeIndex::has_budgets(const PoolIndex& pool) const {
    if (budgets_lifted_) return false;
    return pool.rack_power.any() || pool.pod_power.any() || sites_[pool.site].budget_mw != 0;
}

bool FreeIndex::could_hold(const std::vector<PoolId>& domain, const Demand& demand) const {
    std::uint64_t chips_milli = 0;
    std::uint64_t cpus_milli = 0;
    bool cpus_count = true;
    for (const PoolId id : domain) {
        const PoolIndex& pool = pools_[id.value];
        chips_milli += pool.totals.chips_milli;
        cpus_milli += pool.totals.cpus_milli;
        cpus_count = cpus_count && pool.pool.cpus_milli > 0;
    }
    return demand.chips_milli() <= chips_milli &&
           (!cpus_count || demand.cpus_milli() <= cpus_milli);
}

// ---------------------------------------------------------------------------------------------
// Racks and pods

std::uint64_t FreeIndex::domain_holds(const PoolIndex& pool,
                                      Level level,
                                      std::uint32_t domain,
                                      const Ask& ask,
                                      const std::vector<std::uint64_t>* by_class) const {
    const std::int64_t each_mw = pool.each_mw(ask.each);
    const std::uint32_t span = level == Level::rack ? pool.racks.span() : pool.pods.span();
    const std::uint32_t rack_span = pool.racks.span();
    const std::uint32_t end = std::min(span, pool.pool.nodes - domain * span) + domain * span;
    std::uint64_t held = 0;
    for (std::uint32_t node = domain * span; node < end;) {
        const std::uint32_t rack_end = node + std::min(rack_span, end - node);
        const std::uint32_t rack = node / rack_span;
        std::uint64_t in_rack = 0;
        for (; node < rack_end; ++node) {
            const std::uint32_t cls = pool.class_of[node];
            if (by_class != nullptr) {
                in_rack += (*by_class)[cls];
            } else if (pool.classes[cls].key.in_service) {
                in_rack += holds(pool, pool.classes[cls].key, ask);
            }
        }
        if (has_budgets_inside(pool.rack_power)) {
            in_rack =
                std::min(in_rack, replicas_in(pool.rack_power.left_mw(rack, ask.end), each_mw));
        }
        held += in_rack;
    }
    if (level == Level::pod && has_budgets_inside(pool.pod_power)) {
        held = std::min(held, replicas_in(pool.pod_power.left_mw(domain, ask.end), each_mw));
    }
    return held;
}

// How many replicas the domains hold if nothing is promised. A pod holds what its racks do, so
// only racks that changed are counted node by node.
const DomainCounts& FreeIndex::domain_counts(PoolIndex& pool, Level level, const Ask& ask) {
    if (level == Level::pod && pool.racks.domains() > 1) {
        const DomainCounts& racks = domain_counts(pool, Level::rack, ask);
        const std::uint32_t racks_of_pod = pool.pods.span() / pool.racks.span();
        const std::int64_t each_mw = pool.each_mw(ask.each);
        const auto count = [&](std::uint32_t pod) {
            const std::uint32_t first = pod * racks_of_pod;
            const std::uint32_t end = std::min(first + racks_of_pod, pool.racks.domains());
            DomainIndex::Counted counted;
            counted.promised =
                pool.pod_power.any_promised(pod, 1) || racks.promised.first_in(first, end) != end;
            for (std::uint32_t rack = first; rack < end; ++rack)
                counted.held += racks.held[rack];
            if (pool.pod_power.any_inside()) {
                const std::int64_t left_mw = pool.pod_power.left_mw(pod);
                counted.held = std::min(counted.held, replicas_in(left_mw, each_mw));
            }
            return counted;
        };
        return pool.pods.counts_for(
            ask.each, ask.tag, [](std::uint32_t) {}, count);
    }
    DomainIndex& index = level == Level::rack ? pool.racks : pool.pods;
    Ask unpromised = ask;
    unpromised.end = Time::min();
    const std::vector<std::uint64_t>* by_class = nullptr;
    const auto prepare = [&](std::uint32_t domains) {
        if (std::uint64_t{domains} * index.span() < 4 * pool.active.size()) return;
        by_class_.assign(pool.classes.size(), 0);
        for (const std::uint32_t cls : pool.active)
            by_class_[cls] = holds(pool, pool.classes[cls].key, unpromised);
        by_class = &by_class_;
    };
    const auto count = [&](std::uint32_t domain) {
        DomainIndex::Counted counted;
        counted.held = domain_holds(pool, level, domain, unpromised, by_class);
        const std::uint32_t first = domain * index.span();
        const std::uint32_t end = first + std::min(index.span(), pool.pool.nodes - first);
        const std::uint32_t first_rack = first / pool.racks.span();
        const std::uint32_t last_rack = (end - 1) / pool.racks.span();
        counted.promised = pool.rack_power.any_promised(first_rack, last_rack - first_rack + 1) ||
                           (level == Level::pod && pool.pod_power.any_promised(domain, 1));
        if (pool.nodes_special == 0) return counted;
        for (std::uint32_t node = first; node < end && !counted.promised; ++node)
            counted.promised = pool.class_of_node(node).key.horizon != 0;
        return counted;
    };
    return index.counts_for(ask.each, ask.tag, prepare, count);
}

// The rack (or pod) that holds the part with the least to spare, ties to the lowest number; or
// just one that does, where `any_will_do`.
std::optional<std::uint32_t> FreeIndex::tightest_domain(PoolIndex& pool,
                                                        Level level,
                                                        const Ask& ask,
                                                        bool any_will_do) {
    if (around(pool, ask) < ask.replicas) return std::nullopt;
    if (budgets_lifted_) {  // the tables count with budgets
        list_domains(pool, level, ask);
        if (domains_.empty()) return std::nullopt;
        return domains_.front().domain;
    }
    const DomainCounts& counts = domain_counts(pool, level, ask);
    const std::uint32_t domains = static_cast<std::uint32_t>(counts.held.size());
    const bool pods_matter = level == Level::rack && pool.pod_power.any_inside();
    const std::int64_t each_mw = pool.each_mw(ask.each);
    const std::uint32_t racks_of_pod = pool.pods.span() / pool.racks.span();
    const auto pod_allows = [&](std::uint32_t rack) {
        return !pods_matter || replicas_in(pool.pod_power.left_mw(rack / racks_of_pod, ask.end),
                                           each_mw) >= ask.replicas;
    };
    std::optional<DomainHeld> best;
    auto bucket = std::lower_bound(
        counts.buckets.begin(),
        counts.buckets.end(),
        ask.replicas,
        [](const DomainCounts::Bucket& its, std::uint64_t wanted) { return its.held < wanted; });
    for (; bucket != counts.buckets.end() && !best; ++bucket) {
        if (bucket->domains.size() == 0) continue;
        std::uint32_t domain = bucket->domains.first_in(0, domains);
        while (domain < domains && !pod_allows(domain)) {
            const std::uint32_t next_pod = (domain / racks_of_pod + 1) * racks_of_pod;
            domain = bucket->domains.first_in(std::min(next_pod, domains), domains);
        }
        if (domain < domains) best = DomainHeld{bucket->held, domain};
    }
    if (best && any_will_do) return best->domain;
    counts.promised.walk(0, domains, [&](std::uint32_t domain) {
        // Nothing has less to spare than nothing, and numbers only grow.
        if (best && best->held == ask.replicas && best->domain < domain) return false;
        if (counts.held[domain] < ask.replicas || !pod_allows(domain)) return true;
        const DomainHeld its{domain_holds(pool, level, domain, ask, nullptr), domain};
        if (its.held >= ask.replicas && (!best || its < *best)) best = its;
        return !best || !any_will_do;
    });
    if (!best) return std::nullopt;
    return best->domain;
}

// All that hold the part, those with the least to spare first, into domains_.
void FreeIndex::list_domains(PoolIndex& pool, Level level, const Ask& ask) {
    domains_.clear();
    if (budgets_lifted_) {
        const std::uint32_t all = (level == Level::rack ? pool.racks : pool.pods).domains();
        for (std::uint32_t domain = 0; domain < all; ++domain) {
            const std::uint64_t held = domain_holds(pool, level, domain, ask, nullptr);
            if (held >= ask.replicas) domains_.push_back({held, domain});
        }
        std::sort(domains_.begin(), domains_.end());
        return;
    }
    const DomainCounts& counts = domain_counts(pool, level, ask);
    for (std::uint32_t domain = 0; domain < counts.held.size(); ++domain) {
        std::uint64_t held = counts.held[domain];
        if (held < ask.replicas) continue;
        if (counts.promised.contains(domain)) {
            held = domain_holds(pool, level, domain, ask, nullptr);
        }
        if (held >= ask.replicas) domains_.push_back({held, domain});
    }
    std::sort(domains_.begin(), domains_.end());
}

// What the pools of a zone hold within their budgets if nothing is promised. Budgets lie one in the
// other and all replicas draw the same in a pool, so they hold as many however the nodes are
// chosen; only a budget of the site is here each pool's alone.
std::uint64_t FreeIndex::hold_by_domains(const Ask& ask, const Zone& zone) {
    Ask unpromised = ask;
    unpromised.end = Time::min();
    std::uint64_t sum = 0;
    for (const PoolId* id = zone.begin; id != zone.end; ++id) {
        PoolIndex& pool = pools_[id->value];
        if (zone.last - zone.first < pool.pool.nodes) return unbounded;
        std::uint64_t held = 0;
        const bool pods = pool.pod_power.any_inside();
        if (pods || pool.rack_power.any_inside()) {
            held = domain_counts(pool, pods ? Level::pod : Level::rack, ask).total;
        } else {
            for (const std::uint32_t cls : pool.active) {
                const NodeClass& its = pool.classes[cls];
                held += holds(pool, its.key, unpromised) * its.nodes.size();
            }
        }
        sum += std::min(held, around(pool, ask));
    }
    return sum;
}

}  // namespace weir::fleet
