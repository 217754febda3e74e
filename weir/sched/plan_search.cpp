// Plan::earliest(): the first time at which a gang fits, and where.
//
// The idea: ask every run of nodes what it offers at time T for as long as the gang stays, and, if
// that is not enough together, from when on it could offer more. Of these moments the one at which
// enough *could* have come together is the next T; no earlier time is possible, because what a run
// can offer at any time before is at most the highest it has offered until then. Where there are
// budgets of watts, the same is asked of nodes and watts together (plan_budgets.cpp). A search
// takes a few rounds: what runs only ever ends, and only claims make a run offer less again.
#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "weir/base/assert.hpp"
#include "weir/sched/plan.hpp"
#include "weir/sched/plan_walk.hpp"

namespace weir::sched {
namespace {

// Rounds that have to be made again because watts and nodes, or the parts of a gang, did not come
// together.
constexpr int rounds_max = 64;
// After so many of them moments are passed over.
constexpr int rounds_one_by_one = 8;

std::uint64_t all_chips(std::uint32_t count) {
    return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

// What steps (with `from` and a count of something) hold for as long as a gang stays: calls
// rise(moment, before, then) for each moment in [at, not_after] at which that is more than at any
// before, until it is `most`. Only a stay that may_be(from, until) counts.
template <class Step, class Count, class MayBe, class Rise>
void for_rises(Step step,
               Step last,
               Time at,
               Time not_after,
               Duration duration,
               std::uint64_t most,
               Count count,
               MayBe may_be,
               Rise rise) {
    std::uint64_t highest = 0;
    for (; step != last && highest < most; ++step) {
        const Time moment = std::max(step->from, at);
        if (moment > not_after) return;
        const Time end = duration >= forever ? never : moment + duration;
        if (!may_be(moment, end)) continue;
        std::uint64_t least = most;
        for (Step it = step; it != last && it->from < end; ++it) {
            least = std::min<std::uint64_t>(least, count(*it));
            if (least > highest) continue;
            step = it;  // whoever begins before then meets the same
            break;
        }
        if (least <= highest) continue;
        rise(moment, highest, least);
        highest = least;
    }
}

// The first time by which the gains in order of time sum up to `need`; `never` if they do not.
Time time_of(std::vector<std::pair<Time, std::uint64_t>>& gains, std::uint64_t need) {
    const auto earlier = [](const auto& a, const auto& b) { return a.first < b.first; };
    auto low = gains.begin();
    auto high = gains.end();
    while (high - low > 16) {
        const auto middle = low + (high - low) / 2;
        std::nth_element(low, middle, high, earlier);
        std::uint64_t sum = 0;
        for (auto it = low; it != middle; ++it)
            sum += it->second;
        if (sum >= need) {
            high = middle;
        } else {
            need -= sum;
            low = middle;
        }
    }
    std::sort(low, high, earlier);
    for (; low != gains.end(); ++low) {
        if (low->second >= need) return low->first;
        need -= low->second;
    }
    return never;
}

}  // namespace

// The one that says what there is at this time.
Plan::Steps::const_iterator Plan::step_at(const Steps& steps, Time at) {
    const auto later = [](Time time, const Step& step) { return time < step.from; };
    return std::upper_bound(steps.begin(), steps.end(), at, later) - 1;
}

// What a node with this future has free, step by step. Ends of holds and claims raise it,
// beginnings of claims lower it.
const Plan::Steps& Plan::steps_of(const PoolPlan& pool, const Future& future, std::uint32_t tag) {
    const bool is_new = future.steps.empty();
    if (is_new) work_out_steps(pool, future);
    const bool as_for_all = tag == 0 && !has_own(future);
    const bool is_charged = asked_ ? !is_new : as_for_all && future.is_charged;
    if (!is_charged) work_ += future.holds.size() + future.claims.size();
    if (as_for_all && !asked_) future.is_charged = true;
    if (tag == 0) return future.steps;
    steps_ = future.steps;
    for (const Claim& claim : future.claims) {
        if (claim.tag != tag) continue;
        // Its borders stay: a stay that is_inside() begins at one.
        lift_claim(steps_, claim.from, claim.until, claim.amounts);
        lay_claim(steps_, claim.from, claim.until, {});
    }
    return steps_;
}

void Plan::work_out_steps(const PoolPlan& pool, const Future& future) {
    Steps& steps = future.steps;
    steps.assign(1,
                 {Time::min(),
                  {.chips = pool.pool->chips_per_node,
                   .cpus_milli = pool.pool->cpus_milli,
                   .memory = pool.pool->memory.count}});
    latest_first_.clear();
    for (const Hold& its : future.holds)
        latest_first_.push_back(&its);
    std::sort(latest_first_.begin(), latest_first_.end(), [](const Hold* a, const Hold* b) {
        return a->end > b->end;
    });
    std::uint64_t busy_later = 0;  // chips that somebody holds for longer
    for (const Hold* const its : latest_first_) {
        const Amounts held{.chips = std::popcount(its->chips & ~busy_later),
                           .cpus_milli = its->cpus_milli,
                           .memory = its->memory.count};
        busy_later |= its->chips;
        steps.front().left += -held;
        steps.push_back({its->end, held});
    }
    for (const Claim& claim : future.claims) {
        if (is_own(claim)) continue;
        steps.push_back({claim.kept_from, -claim.amounts});
        steps.push_back({claim.until, claim.amounts});
    }
    std::sort(steps.begin() + 1, steps.end(), [](const Step& a, const Step& b) {
        return a.from < b.from;
    });
    std::size_t last = 0;
    for (std::size_t i = 1; i < steps.size(); ++i) {
        if (steps[i].from != steps[last].from) {
            ++last;
            steps[last] = {steps[i].from, steps[last - 1].left + steps[i].left};
        } else {
            steps[last].left += steps[i].left;
            ++steps[last].borders;
        }
    }
    steps.resize(last + 1);
}

// Changes what was worked out as if a claim came or went: far fewer steps than to begin anew where
// many are promised something.
void Plan::lay_claim(Steps& steps, Time from, Time until, const Amounts& amounts) {
    const auto border = [&](Time at) {
        const auto before = step_at(steps, at);
        const auto place = before - steps.cbegin();
        if (before->from == at) {
            ++steps[place].borders;
            return place;
        }
        steps.insert(before + 1, {at, before->left});
        return place + 1;
    };
    const auto first = border(from);
    const auto last = border(until);
    for (auto i = first; i < last; ++i)
        steps[i].left += -amounts;
}

void Plan::lift_claim(Steps& steps, Time from, Time until, const Amounts& amounts) {
    const auto first = step_at(steps, from) - steps.cbegin();
    const auto last = step_at(steps, until) - steps.cbegin();
    for (auto i = first; i < last; ++i)
        steps[i].left += amounts;
    for (const auto i : {last, first})
        if (--steps[i].borders == 0) steps.erase(steps.begin() + i);
}

// Whether [from, until) is in the time for which the node was set apart for this tag.
bool Plan::is_inside(const Future& future, Time from, Time until, std::uint32_t tag) {
    return tag == 0 ||
           std::any_of(future.claims.begin(), future.claims.end(), [&](const Claim& claim) {
               return claim.tag == tag && claim.from <= from && claim.until >= until;
           });
}

// What a node with this future has free during all of [from, until).
Plan::Amounts Plan::available(
    const PoolPlan& pool, const Future& future, Time from, Time until, std::uint32_t tag) {
    if (!future.in_service || !is_inside(future, from, until, tag)) return {};
    if (future.claims.empty()) {
        Amounts left{
            .chips = 0, .cpus_milli = pool.pool->cpus_milli, .memory = pool.pool->memory.count};
        std::uint64_t busy = 0;
        for (const Hold& its : future.holds) {
            if (its.end <= from) continue;
            busy |= its.chips;
            left.cpus_milli -= its.cpus_milli;
            left.memory -= its.memory.count;
        }
        left.chips = std::popcount(all_chips(pool.pool->chips_per_node) & ~busy);
        return left;
    }
    const std::vector<Step>& steps = steps_of(pool, future, tag);
    auto step = step_at(steps, from);
    Amounts least = step->left;
    for (; step != steps.end() && step->from < until; ++step, ++work_)
        least.lower_to(step->left);
    return least;
}

std::uint32_t Plan::replicas_in(const PoolPlan& pool,
                                const Amounts& amounts,
                                const fleet::ReplicaDemand& each) const {
    std::int64_t count = std::numeric_limits<std::uint32_t>::max();
    if (amounts.chips < 0 || amounts.cpus_milli < 0 || amounts.memory < 0) return 0;
    if (each.chips > 0) count = amounts.chips / each.chips;
    if (each.chip_permille > 0) count = amounts.chips * (1000 / each.chip_permille);
    if (each.cpus_milli > 0 && pool.pool->cpus_milli > 0) {
        count = std::min(count, amounts.cpus_milli / each.cpus_milli);
    }
    if (each.memory.count > 0 && pool.pool->memory.count > 0) {
        count = std::min(count, amounts.memory / each.memory.count);
    }
    return static_cast<std::uint32_t>(count);
}

// What the asker has claimed goes into (sign 1) or out of the scratch for its watts, and out of or
// into the counts and steps of what is free.
void Plan::note_own(const fleet::Shape& shape, int sign) {
    if (own_.place == nullptr) return;
    Held free(own_.place->at, own_.place->until);
    for (const fleet::NodeRange& range : own_.place->placement.ranges) {
        PoolPlan& pool = pools_[range.pool.value];
        const fleet::ReplicaDemand& each = shape.demand.parts[range.part].each;
        const Amounts amounts = amounts_of(pool, each, range.replicas);
        const std::uint32_t last = range.first + range.count;
        std::uint32_t in_service = 0;
        for (std::uint32_t node = range.first; node < last;) {
            const std::uint32_t first = pool.runs.first_of(node);
            const std::uint32_t next = std::min(pool.runs.end_of(node), last);
            const Future& future = pool.futures[first];
            if (future.in_service) in_service += next - node;
            // A run that began in a range before this one has been changed.
            if (first >= range.first && !future.steps.empty()) {
                const auto change_claim = sign > 0 ? &Plan::lift_claim : &Plan::lay_claim;
                change_claim(future.steps, own_.place->kept_from(), own_.place->until, amounts);
            }
            node = next;
        }
        free.hold(pool.free, -sign * counted(pool, amounts) * in_service);
        const std::int64_t milliwatts =
            sign * fleet::active_milliwatts(*pool.pool, each) * range.replicas;
        for (Watched* watched : {&pool.racks, &pool.pods, &sites_[pool.site]}) {
            watched->walk(range.first, range.count, [&](std::uint32_t domain, std::uint32_t nodes) {
                watched->own_milliwatts[domain] += milliwatts * nodes;
            });
        }
    }
}

// All nodes that may have more when something is gone from these, by pool and in order.
void Plan::find_helped(const std::vector<fleet::NodeRange>& nodes) {
    helped_.resize(pools_.size());
    for (std::vector<Stretch>& stretches : helped_)
        stretches.clear();
    for (const fleet::NodeRange& each : nodes) {
        const PoolPlan& its = pools_[each.pool.value];
        if (sites_[its.site].any()) {
            for (const PoolPlan& pool : pools_)
                if (pool.site == its.site) helped_[pool.id.value] = {{0, pool.pool->nodes}};
            continue;
        }
        // Watts that come free around these nodes help others under the same budget.
        const std::uint32_t span = its.pods.any()    ? its.pods.span
                                   : its.racks.any() ? its.racks.span
                                                     : 1;
        const std::uint32_t end = each.first + each.count + span - 1;
        helped_[each.pool.value].push_back(
            {each.first / span * span, std::min(end / span * span, its.pool->nodes)});
    }
    for (std::vector<Stretch>& stretches : helped_) {
        std::sort(stretches.begin(), stretches.end(), [](const Stretch& a, const Stretch& b) {
            return a.first < b.first;
        });
        std::size_t last = 0;
        for (std::size_t i = 1; i < stretches.size(); ++i) {
            if (stretches[i].first < stretches[last].last) {
                stretches[last].last = std::max(stretches[last].last, stretches[i].last);
            } else {
                stretches[++last] = stretches[i];
            }
        }
        if (!stretches.empty()) stretches.resize(last + 1);
    }
}

// Whether any of them is in the unit.
bool Plan::is_helped(const Unit& unit) const {
    return std::any_of(unit.pools->begin(), unit.pools->end(), [&](PoolId pool) {
        const std::vector<Stretch>& stretches = helped_[pool.value];
        const auto ends_inside =
            std::partition_point(stretches.begin(), stretches.end(), [&](const Stretch& each) {
                return each.last <= unit.first;
            });
        return ends_inside != stretches.end() && ends_inside->first < unit.last;
    });
}

Place Plan::earliest(const fleet::Shape& shape,
                     Time from,
                     Duration duration,
                     const Own& own,
                     const std::function<bool(PoolId)>& is_wanted,
                     Time not_after,
                     const std::vector<fleet::NodeRange>& around) {
    own_ = own;
    note_own(shape, 1);
    Place best;
    std::uint64_t best_spare = 0;
    const bool is_one = shape.demand.parts.size() == 1 && shape.demand.parts.front().replicas == 1;
    if (!around.empty()) find_helped(around);
    const auto try_unit = [&](const Unit& unit, Time not_before) {
        if (!around.empty() && !is_helped(unit)) return;
        fleet::Placement placement;
        std::uint64_t spare = 0;
        const Time before = std::min(best.at, not_after);
        const Time at = earliest_in(shape, unit, not_before, duration, before, placement, spare);
        if (at == never || at > best.at || (at == best.at && spare >= best_spare)) return;
        best.at = at;
        best.placement = std::move(placement);
        best_spare = spare;
    };
    for (const std::vector<PoolId>& domain : shape.domains) {
        if (is_wanted && std::none_of(domain.begin(), domain.end(), is_wanted)) continue;
        const Time best_before = best.at;
        // Counts say how early it could be at best.
        Time bound = from;
        if (domain.size() == 1) {
            const PoolPlan& pool = pools_[domain.front().value];
            std::int64_t need = 0;
            for (const fleet::GangPart& part : shape.demand.parts) {
                need += pool.pool->chips_per_node > 0
                            ? std::int64_t{part.replicas} *
                                  (std::int64_t{part.each.chips} * 1000 + part.each.chip_permille)
                            : std::int64_t{part.replicas} * part.each.cpus_milli;
            }
            if (shape.demand.tag == 0) bound = pool.free.earliest(from, duration, need);
        }
        if (bound == never || bound >= best.at || bound > not_after) continue;
        if (is_one && !around.empty()) {
            for (const PoolId each : domain) {
                const std::vector<PoolId> pool = {each};
                for (const Stretch& nodes : helped_[each.value])
                    try_unit({&pool, nodes.first, nodes.last}, bound);
            }
            if (best.at < best_before) best_spare = 0;
            continue;
        }
        const PoolPlan& pool = pools_[domain.front().value];
        const std::uint32_t nodes = pool.pool->nodes;
        std::uint32_t span = nodes;
        if (shape.demand.within == fleet::Level::rack) span = pool.pool->rack_nodes();
        if (shape.demand.within == fleet::Level::pod) span = pool.pool->pod_nodes();
        if (shape.demand.within == fleet::Level::site || span >= nodes) {
            try_unit({&domain, 0, std::numeric_limits<std::uint32_t>::max()}, bound);
        } else {
            for (std::uint32_t first = 0; first < nodes; first += span)
                try_unit({&domain, first, std::min(first + span, nodes)}, bound);
        }
        // A later domain in the order of preference has to be really earlier.
        if (best.at < best_before) best_spare = 0;
    }
    if (best.found()) best.until = duration >= forever ? never : best.at + duration;
    note_own(shape, -1);
    own_ = {};
    return best;
}

// What the runs of the unit have free in [at, until), as pieces_; `held` counts the replicas of
// each part that they hold. True if the gang may fit.
bool Plan::collect(const fleet::Shape& shape,
                   const Unit& unit,
                   Time at,
                   Time until,
                   std::array<std::uint64_t, 2>& held) {
    const std::vector<fleet::GangPart>& parts = shape.demand.parts;
    const std::size_t counted_parts = std::min(parts.size(), held.size());
    bool on_one = false;  // a single node holds a part whole
    pieces_.clear();
    held.fill(0);
    walk(unit,
         parts,
         at,
         [&](const PoolPlan& pool,
             std::uint32_t rank,
             std::uint32_t first,
             std::uint32_t count,
             const Future& future) {
             const bool claimed = !future.claims.empty() &&
                                  !(future.claims.size() == 1 && is_own(future.claims.front()));
             Piece piece{.pool = pool.id.value,
                         .first = first,
                         .count = count,
                         .amounts = {.chips = pool.pool->chips_per_node,
                                     .cpus_milli = pool.pool->cpus_milli,
                                     .memory = pool.pool->memory.count},
                         .freed_at = future.free_at,
                         .rank = rank,
                         .replicas = 0};
             if (claimed || future.free_at > at || shape.demand.tag != 0) {
                 piece.amounts = available(pool, future, at, until, shape.demand.tag);
             }
             bool any = false;
             for (std::size_t p = 0; p < parts.size(); ++p) {
                 const std::uint64_t holds = replicas_in(pool, piece.amounts, parts[p].each);
                 any = any || holds > 0;
                 if (p < held.size()) held[p] += holds * count;
                 on_one = on_one || holds >= parts[p].replicas;
             }
             if (!any) return;
             if (future.free_at > at) {
                 piece.freed_at = Time::min();
                 for (const Hold& its : future.holds)
                     if (its.end <= at) piece.freed_at = std::max(piece.freed_at, its.end);
             }
             pieces_.push_back(piece);
         });
    if (shape.demand.within == fleet::Level::node) return on_one;
    for (std::size_t p = 0; p < counted_parts; ++p)
        if (held[p] < parts[p].replicas) return false;
    return true;
}

bool Plan::needs_all_chips(const PoolPlan& pool, const std::vector<fleet::GangPart>& parts) {
    return pool.pool->chips_per_node > 0 &&
           std::all_of(parts.begin(), parts.end(), [&](const fleet::GangPart& part) {
               return part.each.chips == pool.pool->chips_per_node;
           });
}

// When a node with this future holds more replicas than at any time before.
const std::vector<Plan::Rise>& Plan::rises_of(const PoolPlan& pool,
                                              const Future& future,
                                              const Asked& asked) {
    rises_.clear();
    const std::uint64_t most = fleet::FreeIndex::replicas_per_empty_node(*pool.pool, asked.each);
    if (most == 0) return rises_;
    const bool is_plain = future.claims.empty() && asked.tag == 0;
    if (is_plain && future.free_at <= asked.at) {
        rises_.push_back({asked.at, most});
        return rises_;
    }
    if (asked.each.chips == pool.pool->chips_per_node && asked.each.chips > 0) {
        if (future.chips_at == never) return rises_;
        if (is_plain && future.chips_at == future.free_at) {
            if (future.free_at <= asked.not_after) rises_.push_back({future.free_at, most});
            return rises_;
        }
    }
    const Steps& steps = steps_of(pool, future, asked.tag);
    const auto now = step_at(steps, asked.at);
    steps_seen_ += static_cast<std::uint64_t>(steps.end() - now) - 1;
    for_rises(
        now,
        steps.end(),
        asked.at,
        asked.not_after,
        asked.duration,
        most,
        [&](const Step& step) { return replicas_in(pool, step.left, asked.each); },
        [&](Time from, Time until) { return is_inside(future, from, until, asked.tag); },
        [&](Time moment, std::uint64_t from, std::uint64_t to) {
            rises_.push_back({moment, to - from});
        });
    return rises_;
}

// The first moment after `at` at which enough could have come together, beside the `held`; `never`
// if that is after `not_after`.
Time Plan::next_chance(const fleet::Shape& shape,
                       const Unit& unit,
                       Time at,
                       Time not_after,
                       Duration duration,
                       const std::array<std::uint64_t, 2>& held) {
    const std::vector<fleet::GangPart>& parts = shape.demand.parts;
    const bool on_one_node = shape.demand.within == fleet::Level::node;
    if (gains_.size() < parts.size()) gains_.resize(parts.size());
    for (auto& gains : gains_)
        gains.clear();
    Time one_node_at = never;  // from which on a single node holds a part whole
    const std::uint64_t work_before = work_;
    std::uint64_t steps_seen = 0;
    walk(unit,
         parts,
         not_after,
         [&](const PoolPlan& pool,
             std::uint32_t,
             std::uint32_t,
             std::uint32_t count,
             const Future& future) {
             const std::uint64_t steps_before = steps_seen_;
             for (std::size_t p = 0; p < parts.size(); ++p) {
                 const Asked asked{parts[p].each, shape.demand.tag, at, not_after, duration};
                 std::uint64_t holds = 0;
                 for (const Rise& rise : rises_of(pool, future, asked)) {
                     holds += rise.replicas;
                     if (rise.at <= at) continue;
                     gains_[p].emplace_back(rise.at, rise.replicas * count);
                     if (on_one_node && holds >= parts[p].replicas)
                         one_node_at = std::min(one_node_at, rise.at);
                 }
                 if (p == 0) steps_seen += steps_seen_ - steps_before;
             }
         });
    work_ = work_before + steps_seen;  // the same runs as in collect()
    if (on_one_node) return one_node_at;
    Time next = at;
    for (std::size_t p = 0; p < parts.size() && p < held.size(); ++p) {
        if (held[p] >= parts[p].replicas) continue;
        next = std::max(next, time_of(gains_[p], parts[p].replicas - held[p]));
    }
    return next;
}

// The first moment in (at, not_after] at which anything becomes free in the unit, or watts do
// around it, or one of the first so many; `never` if there is none.
Time Plan::next_change(
    const Unit& unit, Time at, Time not_after, std::uint32_t tag, std::size_t stride) {
    later_.clear();
    walk(unit,
         {},
         not_after,
         [&](const PoolPlan& pool,
             std::uint32_t,
             std::uint32_t,
             std::uint32_t,
             const Future& future) {
             if (future.claims.empty() && future.free_at <= at) return;
             const Steps& steps = steps_of(pool, future, tag);
             for (auto step = step_at(steps, at) + 1; step != steps.end(); ++step) {
                 // Whoever may use nodes set apart may begin as soon as they are.
                 if (step->from == never || step->from > not_after) break;
                 if (tag == 0 && !step->left.exceeds((step - 1)->left)) continue;
                 later_.push_back(step->from);
                 if (stride == 1) break;
             }
         });
    const auto list = [&](const Watched& watched, std::uint32_t domain) {
        ++work_;
        if (watched.drawn[domain].first_change() <= not_after)
            watched.drawn[domain].walk_after(at, [&](Time moment, std::int64_t by) {
                if (moment > not_after) return false;
                if (by > 0) later_.push_back(moment);
                return true;
            });
        // What the asker has claimed himself hides that watts come free when it begins.
        if (watched.own_milliwatts[domain] != 0 && own_.place->at > at &&
            own_.place->at <= not_after)
            later_.push_back(own_.place->at);
    };
    for (const PoolId id : *unit.pools) {
        const PoolPlan& pool = pools_[id.value];
        const std::uint32_t last = std::min(unit.last, pool.pool->nodes);
        for (const Watched* const watched : {&pool.racks, &pool.pods}) {
            watched->walk(unit.first, last - unit.first, [&](std::uint32_t domain, std::uint32_t) {
                list(*watched, domain);
            });
        }
    }
    // Others of the site draw from its budget, too.
    if (const Watched& site = sites_[pools_[unit.pools->front().value].site]; site.any()) {
        list(site, 0);
    }
    work_ += later_.size();
    std::sort(later_.begin(), later_.end());
    later_.erase(std::unique(later_.begin(), later_.end()), later_.end());
    if (later_.empty()) return never;
    return later_[std::min(stride, later_.size()) - 1];
}

// Gives the time, or `never` if it is not before `before` (or as early, for a unit with less
// spare).
Time Plan::earliest_in(const fleet::Shape& shape,
                       const Unit& unit,
                       Time from,
                       Duration duration,
                       Time before,
                       fleet::Placement& placement,
                       std::uint64_t& spare) {
    const std::vector<fleet::GangPart>& parts = shape.demand.parts;
    const bool watched = std::any_of(unit.pools->begin(), unit.pools->end(), [&](PoolId id) {
        const PoolPlan& pool = pools_[id.value];
        return pool.racks.any() || pool.pods.any() || sites_[pool.site].any();
    });
    find_powered(parts, unit, from, before);
    const auto until = [duration](Time at) { return duration >= forever ? never : at + duration; };
    std::array<std::uint64_t, 2> held{};
    const auto place_parts = [&](Time at) {
        placement.ranges.clear();
        ++attempt_;
        bool placed = true;
        for (std::uint32_t p = 0; p < parts.size() && placed; ++p)
            placed = place_part({parts[p], p, at, until(at), placement}, shape.demand.within);
        if (placed) spare = parts.size() == 1 ? held[0] : 0;
        return placed;
    };
    const auto place_at = [&](Time at) {
        if (place_parts(at)) return true;
        // Under the budget of a site, pools in which a replica draws less leave more for the rest.
        if (unit.pools->size() == 1 || !sites_[pools_[unit.pools->front().value].site].any()) {
            return false;
        }
        thrifty_ = true;
        const bool placed = collect(shape, unit, at, until(at), held) && place_parts(at);
        thrifty_ = false;
        return placed;
    };
    // Where counts suffice, but not together with watts or for all parts, the moments after are
    // tried, more and more of them passed over.
    Time failed = never;
    std::size_t stride = 1;
    Time at = from;
    for (int round = 0;; ++round) {
        if (round == rounds_max || at == never || at > before) return never;
        if (!collect(shape, unit, at, until(at), held)) {
            at = next_chance(shape, unit, at, before, duration, held);
            continue;
        }
        if (place_at(at)) break;
        failed = at;
        const Time powered = watched ? next_powered(shape, unit, at, before, duration) : at;
        if (powered > at) {
            stride = 1;
            at = powered;
            continue;
        }
        at = next_change(unit, failed, before, shape.demand.tag, stride);
        if (watched && round >= rounds_one_by_one) stride *= 2;
    }
    // One of those passed over may do as well.
    for (; stride > 1; stride /= 2) {
        const Time between = next_change(unit, failed, at, shape.demand.tag, stride / 2);
        if (between >= at) continue;
        fleet::Placement found = std::exchange(placement, {});
        if (collect(shape, unit, between, until(between), held) && place_at(between)) {
            at = between;
        } else {
            failed = between;
            placement = std::move(found);
        }
    }
    return at;
}

}  // namespace weir::sched
