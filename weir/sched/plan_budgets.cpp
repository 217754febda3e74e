// Plan::next_powered(): from when on nodes and watts may be enough together.
//
// What can run is bounded by a tree: the nodes of a rack by its watts, racks by the watts of their
// pod, all of them by those of the site. Each of these bounds only counts what it has offered at
// best until then, for as long as the gang stays; so the first moment at which the tree holds
// enough is never after the first at which the gang fits. Most searches beside budgets are over
// after two moments: the first one, and this.
#include <algorithm>
#include <limits>

#include "weir/sched/plan.hpp"
#include "weir/sched/plan_walk.hpp"

namespace weir::sched {

// Counts replicas in the tree: cells (racks; pods or pools, where racks have no budget), groups of
// cells (pods, or pools) and all.
class Plan::Together {
public:
    enum class Bound : std::uint8_t { nodes, watts_of_cell, watts_of_group, watts_of_all };
    static constexpr std::uint64_t unbounded = std::numeric_limits<std::uint64_t>::max();

    std::uint32_t add_group() {
        groups_.push_back({});
        return static_cast<std::uint32_t>(groups_.size()) - 1;
    }
    std::uint32_t add_cell(std::uint32_t group) {
        cells_.push_back({.group = group});
        return static_cast<std::uint32_t>(cells_.size()) - 1;
    }
    // What a bound offers from this moment on, beyond what it did.
    void add(Time at, Bound bound, std::uint32_t number, std::uint64_t replicas) {
        if (bound == Bound::nodes) cells_[number].most += replicas;
        rises_.push_back({at, bound, number, replicas});
    }
    // Watts bound it, by what is add()ed.
    void bound_cell(std::uint32_t cell) { cells_[cell].watts = 0; }
    void bound_group(std::uint32_t group) { groups_[group].watts = 0; }
    void bound_all() { watts_ = 0; }

    // All that nodes may offer at some time.
    [[nodiscard]] std::uint64_t most_in_cell(std::uint32_t cell) const { return cells_[cell].most; }
    [[nodiscard]] std::uint32_t group_of(std::uint32_t cell) const { return cells_[cell].group; }
    [[nodiscard]] std::uint32_t cells() const { return static_cast<std::uint32_t>(cells_.size()); }
    [[nodiscard]] std::size_t rises() const { return rises_.size(); }

    [[nodiscard]] Time first_with(std::uint64_t replicas) {
        std::sort(
            rises_.begin(), rises_.end(), [](const Rise& a, const Rise& b) { return a.at < b.at; });
        for (std::size_t i = 0; i < rises_.size(); ++i) {
            apply(rises_[i]);
            const bool is_last = i + 1 == rises_.size() || rises_[i + 1].at != rises_[i].at;
            if (is_last && std::min(held_, watts_) >= replicas) return rises_[i].at;
        }
        return never;
    }

private:
    struct Rise {
        Time at;
        Bound bound;
        std::uint32_t number;
        std::uint64_t replicas;
    };
    struct Cell {
        std::uint32_t group = 0;
        std::uint64_t most = 0;
        std::uint64_t nodes = 0;
        std::uint64_t watts = unbounded;
        [[nodiscard]] std::uint64_t holds() const { return std::min(nodes, watts); }
    };
    struct Group {
        std::uint64_t held = 0;
        std::uint64_t watts = unbounded;
        [[nodiscard]] std::uint64_t holds() const { return std::min(held, watts); }
    };

    void apply(const Rise& rise) {
        if (rise.bound == Bound::watts_of_all) {
            watts_ += rise.replicas;
            return;
        }
        const bool of_group = rise.bound == Bound::watts_of_group;
        Group& group = groups_[of_group ? rise.number : cells_[rise.number].group];
        const std::uint64_t group_before = group.holds();
        if (of_group) {
            group.watts += rise.replicas;
        } else {
            Cell& cell = cells_[rise.number];
            const std::uint64_t before = cell.holds();
            (rise.bound == Bound::nodes ? cell.nodes : cell.watts) += rise.replicas;
            group.held += cell.holds() - before;
        }
        held_ += group.holds() - group_before;
    }

    std::vector<Cell> cells_;
    std::vector<Group> groups_;
    std::vector<Rise> rises_;
    std::uint64_t held_ = 0;
    std::uint64_t watts_ = unbounded;
};

// Where there may be the watts for one replica at some time in [from, not_after]. Of a fleet whose
// watts are all drawn hardly anything is left to look at, though many chips are free.
void Plan::find_powered(const std::vector<fleet::GangPart>& parts,
                        const Unit& unit,
                        Time from,
                        Time not_after) {
    powered_.resize(std::max(powered_.size(), unit.pools->size()));
    for (std::uint32_t rank = 0; rank < unit.pools->size(); ++rank) {
        const PoolPlan& pool = pools_[(*unit.pools)[rank].value];
        const std::uint32_t last = std::min(unit.last, pool.pool->nodes);
        std::vector<Stretch>& stretches = powered_[rank];
        stretches.clear();
        if (unit.first >= last) continue;
        std::int64_t least_milliwatts = std::numeric_limits<std::int64_t>::max();
        for (const fleet::GangPart& part : parts)
            least_milliwatts =
                std::min(least_milliwatts, fleet::active_milliwatts(*pool.pool, part.each));
        const Watched& watched = pool.racks.any() ? pool.racks : pool.pods;
        // Where it is asked for all times, watts come free nearly everywhere.
        if (not_after == never || !watched.any() || least_milliwatts <= 0) {
            stretches.push_back({unit.first, last});
            continue;
        }
        for (std::uint32_t node = unit.first; node < last;) {
            const std::uint32_t domain = node / watched.span;
            const std::uint32_t next = std::min((domain + 1) * watched.span, last);
            ++work_;
            const bool is_full = watched.budget_milliwatts[domain] != 0 &&
                                 watched.drawn[domain].first_change() > not_after &&
                                 most_left(watched, domain, from) < least_milliwatts;
            if (!is_full && !stretches.empty() && stretches.back().last == node) {
                stretches.back().last = next;
            } else if (!is_full) {
                stretches.push_back({node, next});
            }
            node = next;
        }
    }
}

// The first moment in [at, not_after] at which enough nodes and watts could have come together;
// `never` if there is none. Parts that draw unlike are not bounded: `at`.
Time Plan::next_powered(
    const fleet::Shape& shape, const Unit& unit, Time at, Time not_after, Duration duration) {
    if (shape.demand.parts.size() != 1) return at;
    const fleet::GangPart& part = shape.demand.parts.front();
    Together together;

    // The tree, pool by pool.
    struct Layout {
        std::uint32_t first_node = 0;
        std::uint32_t span = 0;  // nodes in a cell
        std::uint32_t first_cell = 0;
    };
    std::vector<Layout> layouts;
    for (const PoolId id : *unit.pools) {
        const PoolPlan& pool = pools_[id.value];
        const std::uint32_t last = std::min(unit.last, pool.pool->nodes);
        const std::uint32_t span = pool.racks.any()  ? pool.racks.span
                                   : pool.pods.any() ? pool.pods.span
                                                     : pool.pool->nodes;
        const std::uint32_t pod = pool.pods.any() ? pool.pods.span : pool.pool->nodes;
        const std::uint32_t first = unit.first / span * span;
        layouts.push_back({first, span, together.cells()});
        for (std::uint32_t node = first; node < last; node += span) {
            const bool begins = node == first || node / pod != (node - span) / pod;
            const std::uint32_t group =
                begins ? together.add_group() : together.group_of(together.cells() - 1);
            together.add_cell(group);
        }
    }
    const auto walk_cells =
        [&](std::uint32_t rank, std::uint32_t first, std::uint32_t count, auto visit) {
            const Layout& its = layouts[rank];
            for (std::uint32_t node = first; node < first + count;) {
                const std::uint32_t number = (node - its.first_node) / its.span;
                const std::uint32_t end = its.first_node + (number + 1) * its.span;
                const std::uint32_t inside = std::min(first + count, end) - node;
                visit(its.first_cell + number, inside);
                node += inside;
            }
        };

    const Asked asked{part.each, shape.demand.tag, at, not_after, duration};
    walk(unit,
         shape.demand.parts,
         not_after,
         [&](const PoolPlan& pool,
             std::uint32_t rank,
             std::uint32_t first,
             std::uint32_t count,
             const Future& future) {
             for (const Rise& rise : rises_of(pool, future, asked))
                 walk_cells(rank, first, count, [&](std::uint32_t cell, std::uint32_t nodes) {
                     together.add(rise.at, Together::Bound::nodes, cell, rise.replicas * nodes);
                 });
         });

    // Watts, where there are nodes for them.
    const auto add_watts = [&](const Watched& watched,
                               std::uint32_t domain,
                               std::int64_t milliwatts_each,
                               std::uint64_t most,
                               Together::Bound bound,
                               std::uint32_t number) {
        std::uint64_t highest = 0;
        const auto look_at = [&](Time moment) {
            ++work_;
            if (most_left(watched, domain, moment) < milliwatts_each) return;
            const Time until = duration >= forever ? never : moment + duration;
            const std::int64_t left =
                watched.budget_milliwatts[domain] + least_drawn(watched, domain, moment, until);
            const std::uint64_t holds =
                std::min<std::uint64_t>(most, std::max<std::int64_t>(left, 0) / milliwatts_each);
            if (holds <= highest) return;
            together.add(moment, bound, number, holds - highest);
            highest = holds;
        };
        look_at(at);
        // What the asker has claimed himself hides that watts come free when it begins.
        Time own_at = watched.own_milliwatts[domain] != 0 ? own_.place->at : Time::min();
        const auto look_at_own_until = [&](Time moment) {
            if (own_at > at && own_at <= std::min(moment, not_after)) look_at(own_at);
            if (own_at <= moment) own_at = Time::min();
        };
        if (watched.drawn[domain].first_change() > not_after) return look_at_own_until(not_after);
        watched.drawn[domain].walk_after(at, [&](Time moment, std::int64_t by) {
            if (moment > not_after || highest == most) return false;
            look_at_own_until(moment);
            if (by > 0) look_at(moment);
            return true;
        });
        look_at_own_until(not_after);
    };
    std::int64_t least_milliwatts = std::numeric_limits<std::int64_t>::max();
    for (std::uint32_t rank = 0; rank < layouts.size(); ++rank) {
        const PoolPlan& pool = pools_[(*unit.pools)[rank].value];
        const Layout& its = layouts[rank];
        const std::int64_t milliwatts = fleet::active_milliwatts(*pool.pool, part.each);
        least_milliwatts = std::min(least_milliwatts, milliwatts);
        if (milliwatts <= 0) continue;
        const std::uint32_t end =
            rank + 1 < layouts.size() ? layouts[rank + 1].first_cell : together.cells();
        const Watched& of_cells = pool.racks.any() ? pool.racks : pool.pods;
        std::uint64_t most_in_group = 0;
        for (std::uint32_t cell = its.first_cell; cell < end; ++cell) {
            const std::uint32_t node = its.first_node + (cell - its.first_cell) * its.span;
            const std::uint64_t most = together.most_in_cell(cell);
            const std::uint32_t domain = node / its.span;
            if (of_cells.any() && of_cells.budget_milliwatts[domain] != 0 && most > 0) {
                together.bound_cell(cell);
                add_watts(of_cells, domain, milliwatts, most, Together::Bound::watts_of_cell, cell);
            }
            most_in_group += most;
            const std::uint32_t group = together.group_of(cell);
            if (cell + 1 < end && together.group_of(cell + 1) == group) continue;
            const std::uint32_t pod = node / pool.pods.span;
            if (pool.racks.any() && pool.pods.any() && pool.pods.budget_milliwatts[pod] != 0 &&
                most_in_group > 0) {
                together.bound_group(group);
                add_watts(pool.pods,
                          pod,
                          milliwatts,
                          most_in_group,
                          Together::Bound::watts_of_group,
                          group);
            }
            most_in_group = 0;
        }
    }
    const Watched& site = sites_[pools_[unit.pools->front().value].site];
    if (site.any() && site.budget_milliwatts[0] != 0 && least_milliwatts > 0) {
        together.bound_all();
        add_watts(site, 0, least_milliwatts, part.replicas, Together::Bound::watts_of_all, 0);
    }
    work_ += together.rises();
    return together.first_with(part.replicas);
}

}  // namespace weir::sched
