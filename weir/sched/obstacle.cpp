// What keeps a demand from starting beside those who run: watts, nodes that are set apart, nodes
// that are out of service. Nothing is concluded from numbers: each is taken away from what is free
// (or would be if nobody ran, where even that does not do), whatever lets the demand fit was in its
// way, and then everything is put back.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

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

// Changes to an index that are taken back in the end, the last one first.
class Changes {
public:
    explicit Changes(fleet::FreeIndex& index) : index_(index) {}
    ~Changes() {
        for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo)
            (*undo)(index_);
    }
    Changes(const Changes&) = delete;
    Changes& operator=(const Changes&) = delete;

    template <class Change, class Undo>
    void make(Change change, Undo undo) {
        change(index_);
        undo_.emplace_back(std::move(undo));
    }

private:
    fleet::FreeIndex& index_;
    std::vector<std::function<void(fleet::FreeIndex&)>> undo_;
};

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

// Takes away what stands in the way of `demand`: one thing after the other, then all together.
class Engine::State::Lifting {
public:
    Lifting(const State& state, const fleet::Shape& shape)
        : state_(state), shape_(shape), demand_(shape.demand) {}

    [[nodiscard]] Obstacle from(fleet::FreeIndex& base) const {
        const bool budgets = std::any_of(demand_.pools.begin(),
                                         demand_.pools.end(),
                                         [&](PoolId id) { return base.has_budgets(id); });
        if (budgets && base.fits_without_budgets(shape_, Time::min())) {
            return {Cause::waits_for_power, never, watts_in_words(state_.fleet, base, demand_)};
        }
        std::string together;
        const auto join = [&together](std::string_view what) {
            together += (together.empty() ? "" : " and ") + std::string(what);
        };
        if (budgets) join("budgets of watts");
        Obstacle apart;
        {
            Changes changes(base);
            apart = lift_reservations(changes);
            if (!apart.words.empty() && base.fits(shape_, Time::min())) return apart;
        }
        if (!apart.words.empty()) join(apart.words);
        std::string out;
        {
            Changes changes(base);
            out = put_back(changes);
            if (!out.empty() && base.fits(shape_, Time::min())) {
                return {Cause::out_of_service, never, out};
            }
        }
        if (!out.empty()) join(out);
        if (together.empty()) return {};
        Changes changes(base);
        lift_reservations(changes);
        put_back(changes);
        if (!base.fits_without_budgets(shape_, Time::min())) return {};
        return {Cause::out_of_service, never, "together stand in its way: " + together};
    }

private:
    // Those that have begun.
    Obstacle lift_reservations(Changes& changes) const {
        Obstacle obstacle{Cause::set_apart, never, ""};
        std::uint64_t nodes = 0;
        for (const auto& [id, apart] : state_.set_apart) {
            if (!apart.begun || id.value == demand_.tag) continue;
            for (const Advance::Nodes& each : apart.advance.nodes) {
                if (!accepts(demand_, each.pool)) continue;
                nodes += each.count;
                obstacle.until = std::min(obstacle.until, apart.advance.until);
                const auto tag_with = [each](std::uint32_t tag) {
                    return [each, tag](fleet::FreeIndex& index) {
                        for (std::uint32_t n = 0; n < each.count; ++n)
                            index.set_tag(each.pool, each.first + n, tag);
                    };
                };
                changes.make(tag_with(demand_.tag), tag_with(id.value));
            }
        }
        if (nodes > 0) {
            obstacle.words =
                fmt::format("{} set apart, the first of them until {}",
                            nodes == 1 ? "1 node is" : fmt::format("{} nodes are", nodes),
                            format_time(obstacle.until));
        }
        return obstacle;
    }

    std::string put_back(Changes& changes) const {
        std::uint64_t drained = 0;
        std::uint64_t down = 0;
        for (const PoolId pool : demand_.pools) {
            const std::vector<NodeHealth>& nodes = state_.health[pool.value];
            for (std::uint32_t node = 0; node < nodes.size(); ++node) {
                if (nodes[node] == NodeHealth::up) continue;
                ++(nodes[node] == NodeHealth::drained ? drained : down);
                const auto put = [pool, node](bool in_service) {
                    return [pool, node, in_service](fleet::FreeIndex& index) {
                        index.set_in_service(pool, node, in_service);
                    };
                };
                changes.make(put(true), put(false));
            }
        }
        if (drained + down == 0) return "";
        std::string words = format_count(drained + down, "node");
        words += drained + down == 1 ? " is" : " are";
        words += down == 0      ? " drained"
                 : drained == 0 ? " down"
                                : fmt::format(" drained ({}) or down ({})", drained, down);
        return words;
    }

    const State& state_;
    const fleet::Shape& shape_;
    const fleet::Demand& demand_;
};

// The fleet as it is today, if nobody ran.
fleet::FreeIndex Engine::State::without_jobs() const {
    fleet::FreeIndex alone(fleet);
    for (const auto& [domain, watts] : caps)
        set_budget(alone, domain, watts);
    for (const auto& [id, apart] : set_apart) {
        for (const Advance::Nodes& each : apart.advance.nodes)
            for (std::uint32_t n = 0; apart.begun && n < each.count; ++n)
                alone.set_tag(each.pool, each.first + n, id.value);
    }
    for (std::uint32_t pool = 0; pool < health.size(); ++pool)
        for (std::uint32_t node = 0; node < health[pool].size(); ++node)
            if (health[pool][node] != NodeHealth::up) {
                alone.set_in_service(PoolId{pool}, node, false);
            }
    return alone;
}

Engine::State::Obstacle Engine::State::obstacle_for(const Job& job, Time now) {
    const fleet::Shape& shape = shapes[job.shape].shape;
    const fleet::Demand& demand = shape.demand;
    if (const auto its = set_apart.find(AdvanceId{demand.tag});
        its != set_apart.end() && !its->second.begun) {
        const Time begins = its->second.advance.from;
        return {Cause::set_apart, begins, "its reservation begins " + in_words(begins, now)};
    }
    if (free.fits(shape, Time::min())) return obstacle_in_time(job, now);
    const Lifting lifting(*this, shape);
    if (!deserted) deserted = without_jobs();
    if (deserted->fits(shape, Time::min())) return lifting.from(free);
    Obstacle obstacle = lifting.from(*deserted);
    if (!obstacle.words.empty()) obstacle.words += "; even if nobody else ran it could not start";
    return obstacle;
}

// It fits now: only what is promised, or will be set apart before it would end, can be in its way.
Engine::State::Obstacle Engine::State::obstacle_in_time(const Job& job, Time now) {
    const fleet::Shape& shape = shapes[job.shape].shape;
    const Time end = job.limit >= forever ? never : now + job.limit;
    Time first = never;
    Changes lifted(free);
    for (const auto& [id, apart] : set_apart) {
        if (apart.begun || id.value == shape.demand.tag || apart.advance.from >= end) continue;
        for (const Advance::Nodes& each : apart.advance.nodes) {
            if (!accepts(shape.demand, each.pool)) continue;
            first = std::min(first, apart.advance.from);
            for (std::uint32_t node = each.first; node < each.first + each.count; ++node) {
                const auto set = [pool = each.pool, node](const fleet::Horizon& horizon) {
                    return [pool, node, horizon](fleet::FreeIndex& index) {
                        index.set_horizon(pool, node, 1, horizon);
                    };
                };
                lifted.make(set(plan.horizon_without_reservations(each.pool, node)),
                            set(free.horizon(each.pool, node)));
            }
        }
    }
    if (first == never || !free.fits(shape, end)) return {};
    return {
        Cause::set_apart,
        first,
        "by its time limit it would still run when nodes are set apart, " + in_words(first, now)};
}

}  // namespace weir::sched
