#include "weir/sched/sentence.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "weir/fleet/power.hpp"
#include "weir/sched/engine.hpp"

namespace weir::sched {
namespace {

std::string thousandths(std::uint64_t milli) {
    if (milli % 1000 == 0) return fmt::format("{}", milli / 1000);
    return fmt::format("{:g}", static_cast<double>(milli) / 1000.0);
}

std::string replica_in_words(const fleet::ReplicaDemand& each) {
    std::string text;
    const auto add = [&text](const std::string& what) {
        if (!text.empty()) text += ", ";
        text += what;
    };
    if (each.chips > 0) add(format_count(each.chips, "chip"));
    if (each.chip_permille > 0) add(thousandths(each.chip_permille) + " of a chip");
    if (each.cpus_milli > 0) {
        add(thousandths(each.cpus_milli) + (each.cpus_milli == 1000 ? " CPU" : " CPUs"));
    }
    if (each.memory.count > 0) add(format_bytes(each.memory) + " of memory");
    return text.empty() ? "nothing that is counted" : text;
}

// Replicas of `each` that fit into the widest domain of the demand's level in an empty pool.
std::uint64_t replicas_in_empty(const fleet::Pool& pool,
                                fleet::Level within,
                                const fleet::ReplicaDemand& each) {
    const std::uint64_t on_node = fleet::FreeIndex::replicas_per_empty_node(pool, each);
    std::uint64_t nodes = pool.nodes;
    const std::uint64_t rack = pool.nodes_per_rack == 0 ? pool.nodes : pool.nodes_per_rack;
    switch (within) {
        case fleet::Level::node:
            nodes = std::min<std::uint64_t>(nodes, 1);
            break;
        case fleet::Level::rack:
            nodes = std::min(nodes, rack);
            break;
        case fleet::Level::pod:
            if (pool.racks_per_pod > 0) nodes = std::min(nodes, rack * pool.racks_per_pod);
            break;
        case fleet::Level::pool:
        case fleet::Level::site:
            break;
    }
    // Watts: each rack of the domain powers so many, and the pod so many in all.
    const std::int64_t each_mw = fleet::active_milliwatts(pool, each);
    std::uint64_t most = nodes * on_node;
    const auto limit = [&](double watts, std::uint64_t span, std::uint64_t domains) {
        if (watts <= 0 || each_mw <= 0) return;
        const std::int64_t room = fleet::milliwatts(watts) -
                                  fleet::idle_milliwatts(pool) * static_cast<std::int64_t>(span);
        const auto powered = static_cast<std::uint64_t>(std::max<std::int64_t>(room, 0) / each_mw);
        most = std::min(most, powered * domains);
    };
    limit(pool.rack_power_watts, pool.rack_nodes(), (nodes + rack - 1) / rack);
    limit(
        pool.pod_power_watts, pool.pod_nodes(), (nodes + pool.pod_nodes() - 1) / pool.pod_nodes());
    return most;
}

}  // namespace

std::string_view name_of(Cause cause) {
    switch (cause) {
        case Cause::fits_now:
            return "fits_now";
        case Cause::backfilled:
            return "backfilled";
        case Cause::backfilled_beside:
            return "backfilled_beside";
        case Cause::reserved:
            return "reserved";
        case Cause::waits_for_room:
            return "waits_for_room";
        case Cause::waits_for_power:
            return "waits_for_power";
        case Cause::set_apart:
            return "set_apart";
        case Cause::out_of_service:
            return "out_of_service";
        case Cause::would_delay:
            return "would_delay";
        case Cause::behind:
            return "behind";
        case Cause::array_throttle:
            return "array_throttle";
        case Cause::dependency:
            return "dependency";
        case Cause::dependency_failed:
            return "dependency_failed";
        case Cause::promised:
            return "promised";
        case Cause::preempted:
            return "preempted";
        case Cause::over_power:
            return "over_power";
        case Cause::node_replaced:
            return "node_replaced";
        case Cause::deadline:
            return "deadline";
        case Cause::over_quota:
            return "over_quota";
        case Cause::reclaimed:
            return "reclaimed";
        case Cause::waits_for_data:
            return "waits_for_data";
        case Cause::on_loan:
            return "on_loan";
    }
    return "unknown";
}

std::string demand_in_words(const fleet::Demand& demand) {
    std::string text;
    for (const fleet::GangPart& part : demand.parts) {
        if (!text.empty()) text += " and ";
        if (part.replicas == 1) {
            text += replica_in_words(part.each);
        } else {
            text +=
                fmt::format("{} replicas with {} each", part.replicas, replica_in_words(part.each));
        }
    }
    if (demand.within != fleet::Level::site) {
        text += fmt::format(", within one {}", fleet::name_of(demand.within));
    }
    return text;
}

std::string free_in_words(const fleet::Fleet& fleet,
                          const fleet::FreeIndex& free,
                          const fleet::Demand& demand) {
    constexpr std::size_t pools_named_max = 3;
    std::string text;
    for (std::size_t i = 0; i < demand.pools.size() && i < pools_named_max; ++i) {
        const fleet::Pool& pool = fleet.pool(demand.pools[i]);
        const fleet::FreeIndex::PoolTotals totals = free.totals(demand.pools[i]);
        if (!text.empty()) text += ", ";
        text += fmt::format("pool {} has ", pool.name);
        std::string parts;
        if (pool.chips_per_node > 0) {
            parts = fmt::format("{} of {} chips",
                                thousandths(totals.chips_milli),
                                std::uint64_t{pool.nodes} * pool.chips_per_node);
        }
        if (pool.cpus_milli > 0) {
            if (!parts.empty()) parts += ", ";
            parts += fmt::format("{} of {} CPUs",
                                 thousandths(totals.cpus_milli),
                                 thousandths(std::uint64_t{pool.nodes} * pool.cpus_milli));
        }
        const bool memory_asked =
            std::any_of(demand.parts.begin(), demand.parts.end(), [](const fleet::GangPart& part) {
                return part.each.memory.count > 0;
            });
        if (pool.memory.count > 0 && memory_asked) {
            if (!parts.empty()) parts += ", ";
            parts += format_bytes(totals.memory) + " of memory";
        }
        text += parts + " free";
    }
    if (demand.pools.size() > pools_named_max) {
        text += fmt::format(" ({} more pools)", demand.pools.size() - pools_named_max);
    }
    return text;
}

std::string_view start_in_words(Cause cause) {
    switch (cause) {
        case Cause::backfilled:
            return "started before its turn because it ends before the reserved job needs the room";
        case Cause::backfilled_beside:
            return "started before its turn on room that the reserved job leaves";
        default:
            return "started when its turn came";
    }
}

std::string in_words(Time at, Time now) {
    if (at >= never) return "at a time that is not known";
    if (at <= now) return "any moment";
    return "in " + format_duration(at - now);
}

Result<void> can_ever_fit(const fleet::Fleet& fleet,
                          fleet::FreeIndex& empty,
                          const fleet::Demand& demand) {
    if (demand.pools.empty()) {
        return fail(Code::never_fits, "no pool of the fleet is accepted by this job");
    }
    const bool budgets = std::any_of(demand.pools.begin(), demand.pools.end(), [&](PoolId id) {
        const fleet::Pool& pool = fleet.pool(id);
        return pool.rack_power_watts > 0 || pool.pod_power_watts > 0 ||
               empty.site_power(id).budget_watts > 0;
    });
    if (demand.parts.size() > 1 || budgets) {
        // Parts compete for the same nodes, nodes for the same watts: only a real placement tells.
        fleet::Shape shape{demand, fleet::FreeIndex::domains_of(fleet, demand)};
        shape.demand.tag = 0;  // in the empty fleet nothing is set apart
        if (empty.fits(shape)) return {};
    } else {
        for (const auto& domain : fleet::FreeIndex::domains_of(fleet, demand)) {
            std::uint64_t held = 0;
            for (const PoolId pool : domain) {
                held +=
                    replicas_in_empty(fleet.pool(pool), demand.within, demand.parts.front().each);
            }
            if (held >= demand.parts.front().replicas) return {};
        }
    }

    std::string offers;
    for (const PoolId id : demand.pools) {
        const fleet::Pool& pool = fleet.pool(id);
        if (!offers.empty()) offers += "; ";
        offers += fmt::format("pool {}: {} of {}, {} CPUs, {}",
                              pool.name,
                              format_count(pool.nodes, "node"),
                              format_count(pool.chips_per_node, "chip"),
                              thousandths(pool.cpus_milli),
                              format_bytes(pool.memory));
        if (offers.size() > 300) {
            offers += "; …";
            break;
        }
    }
    return fail(Code::never_fits,
                fmt::format("the job asks for {}, which no part of the fleet can hold even when "
                            "it is empty{} ({})",
                            demand_in_words(demand),
                            budgets ? ", within its budgets of watts" : "",
                            offers));
}

}  // namespace weir::sched
