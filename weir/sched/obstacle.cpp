// What keeps a demand from starting beside those who run: watts, nodes that are set apart, nodes
// that are out of service. Nothing is concluded from numbers: each is taken away on a copy of what
// is free, and whatever lets the demand fit was in its way.
#include <fmt/format.h>

#include <algorithm>

#include "weir/base/units.hpp"
#include "weir/fleet/power.hpp"
#include "weir/sched/engine_state.hpp"
#include "weir/sched/sentence.hpp"

namespace weir::sched {
namespace {

constexpr std::size_t pools_named_max = 3;

bool accepts(const fleet::Demand& demand, PoolId pool) {
    return std::find(demand.pools.begin(), demand.pools.end(), pool) != demand.pools.end();
}

// No budget is left around these pools; false if there was none.
bool lift_budgets(fleet::FreeIndex& free, const fleet::Fleet& fleet, const fleet::Demand& demand) {
    bool any = false;
    for (const PoolId id : demand.pools) {
        const fleet::Pool& pool = fleet.pool(id);
        for (std::uint32_t rack = 0; rack < pool.racks(); ++rack) {
            if (free.rack_power(id, rack).budget_watts == 0) continue;
            free.set_rack_power(id, rack, 0);
            any = true;
        }
        for (std::uint32_t pod = 0; pod < pool.pods(); ++pod) {
            if (free.pod_power(id, pod).budget_watts == 0) continue;
            free.set_pod_power(id, pod, 0);
            any = true;
        }
        if (free.site_power(id).budget_watts > 0) {
            free.set_site_power(id, 0);
            any = true;
        }
    }
    return any;
}

// "a replica draws 1.2 kW more than idle, and pool p has 800 W left in one of its racks (2.1 kW in
// all), 5 kW in its site".
std::string watts_in_words(const fleet::Fleet& fleet,
                           const fleet::FreeIndex& free,
                           const fleet::Demand& demand) {
    std::string text;
    for (std::size_t i = 0; i < demand.pools.size() && i < pools_named_max; ++i) {
        const PoolId id = demand.pools[i];
        const fleet::Pool& pool = fleet.pool(id);
        std::string left;
        const auto tell = [&](std::string_view level, std::uint32_t domains, auto use_of) {
            double most = 0;
            double sum = 0;
            std::uint32_t budgets = 0;
            for (std::uint32_t domain = 0; domain < domains; ++domain) {
                const fleet::FreeIndex::PowerUse use = use_of(domain);
                if (use.budget_watts == 0) continue;
                const double its = std::max(0.0, use.budget_watts - use.drawn_watts);
                ++budgets;
                most = std::max(most, its);
                sum += its;
            }
            if (budgets == 0) return;
            if (!left.empty()) left += ", ";
            left += format_rate(most, "W");
            if (domains > 1) {
                left += fmt::format(" in one of its {}s ({} in all)", level, format_rate(sum, "W"));
            } else {
                left += fmt::format(" in its {}", level);
            }
        };
        tell("rack", pool.racks(), [&](std::uint32_t rack) { return free.rack_power(id, rack); });
        tell("pod", pool.pods(), [&](std::uint32_t pod) { return free.pod_power(id, pod); });
        tell("site", 1, [&](std::uint32_t) { return free.site_power(id); });
        std::string draws;
        for (const fleet::GangPart& part : demand.parts) {
            const auto milliwatts = static_cast<double>(fleet::active_milliwatts(pool, part.each));
            draws += (draws.empty() ? "" : " or ") + format_rate(milliwatts / 1000, "W");
        }
        if (left.empty()) continue;
        if (!text.empty()) text += "; ";
        text += fmt::format("in pool {} a replica draws {} and {} is left", pool.name, draws, left);
    }
    return "watts are missing: " + text;
}

}  // namespace

Engine::State::Obstacle Engine::State::obstacle_for(const Job& job, Time now) {
    const fleet::Shape& shape = shapes[job.shape].shape;
    const fleet::Demand& demand = shape.demand;
    const Time end = job.limit >= forever ? never : now + job.limit;
    if (const auto its = set_apart.find(AdvanceId{demand.tag});
        its != set_apart.end() && !its->second.begun) {
        const Time begins = its->second.advance.from;
        return {Cause::set_apart, begins, "its reservation begins " + in_words(begins, now)};
    }
    // Nodes that are set apart: now, or before it would end.
    const auto without_reservations = [&](bool begun) {
        fleet::FreeIndex trial = free;
        Obstacle obstacle{Cause::set_apart, Time::min(), ""};
        std::uint64_t nodes = 0;
        for (const auto& [id, apart] : set_apart) {
            if (apart.begun != begun || id.value == demand.tag) continue;
            for (const Advance::Nodes& each : apart.advance.nodes) {
                if (!accepts(demand, each.pool)) continue;
                nodes += each.count;
                const Time turns = begun ? apart.advance.until : apart.advance.from;
                obstacle.until =
                    obstacle.until == Time::min() ? turns : std::min(obstacle.until, turns);
                trial.set_horizon(each.pool, each.first, each.count, {});
                for (std::uint32_t n = 0; n < each.count; ++n)
                    trial.set_tag(each.pool, each.first + n, demand.tag);
            }
        }
        if (nodes == 0 || !trial.fits(shape, begun ? Time::min() : end)) return Obstacle{};
        obstacle.words =
            begun ? fmt::format("{} are set apart, the first of them until {}",
                                format_count(nodes, "node"),
                                format_time(obstacle.until))
                  : fmt::format("by its time limit it would still run when nodes are set apart, {}",
                                in_words(obstacle.until, now));
        return obstacle;
    };
    if (free.fits(shape, Time::min())) return without_reservations(false);

    fleet::FreeIndex trial = free;
    if (lift_budgets(trial, fleet, demand) && trial.fits(shape, Time::min())) {
        return {Cause::waits_for_power, never, watts_in_words(fleet, free, demand)};
    }
    if (Obstacle obstacle = without_reservations(true); !obstacle.words.empty()) return obstacle;

    trial = free;
    std::uint64_t drained = 0;
    std::uint64_t down = 0;
    for (const PoolId pool : demand.pools) {
        for (std::uint32_t node = 0; node < health[pool.value].size(); ++node) {
            const NodeHealth its = health[pool.value][node];
            if (its == NodeHealth::up) continue;
            ++(its == NodeHealth::drained ? drained : down);
            trial.set_in_service(pool, node, true);
        }
    }
    if (drained + down > 0 && trial.fits(shape, Time::min())) {
        std::string words = format_count(drained + down, "node");
        words += drained + down == 1 ? " is" : " are";
        words += down == 0      ? " drained"
                 : drained == 0 ? " down"
                                : fmt::format(" drained ({}) or down ({})", drained, down);
        return {Cause::out_of_service, never, words};
    }
    return {};
}

}  // namespace weir::sched
