// What would let a job start now: each change to it is tried on the state as it is, and nothing of
// that stays. What starts by the rules of a pass is said here once more, for one job alone: it has
// the rights, it fits into what is free, and it disturbs no promise. So much is true only after a
// pass, when nobody else could start either.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

#include "weir/base/units.hpp"
#include "weir/sched/engine_state.hpp"
#include "weir/sched/sentence.hpp"

namespace weir::sched {
namespace {

using Change = Counterfactual::Change;

// Other pools are asked for a later start as well, but only so many: each costs a search.
constexpr std::size_t later_pools_max = 4;

// The greatest of [1, below) for which test() holds, where what holds for more holds for less; 0 if
// it holds for none.
template <class Number, class Test>
Number greatest(Number below, Test test) {
    Number good = 0;
    for (Number bad = below; good + 1 < bad;) {
        const Number middle = good + (bad - good) / 2;
        (test(middle) ? good : bad) = middle;
    }
    return good;
}

// The limits that people write: whole minutes, and from a day on whole hours.
Duration rounded(Duration limit) {
    const Duration unit = limit >= seconds(86'400) ? seconds(3600) : seconds(60);
    return limit < unit ? limit : limit - limit % unit;
}

}  // namespace

std::string_view name_of(Change change) {
    switch (change) {
        case Change::fewer_replicas:
            return "fewer_replicas";
        case Change::fewer_chips:
            return "fewer_chips";
        case Change::shorter_limit:
            return "shorter_limit";
        case Change::wider_level:
            return "wider_level";
        case Change::other_pool:
            return "other_pool";
        case Change::more_rights:
            return "more_rights";
        case Change::others_end:
            return "others_end";
    }
    return "unknown";
}

class Engine::State::Trial {
public:
    Trial(State& state, const Job& job, Time now)
        : state_(state), job_(job), demand_(state.shapes[job.shape].shape.demand), now_(now) {
        if (!state.quotas.any() || job.charged == Job::not_charged) return;
        // What it was promised is charged already: for something else, that would be given back.
        without_it_ = state.quotas.tree();
        for (const tenancy::Allowance& each : state.shapes[job.shape].kinds.charges[job.charged])
            without_it_->give_back(job.tenant, each.resource, each.amount);
    }

    [[nodiscard]] const fleet::Demand& demand() const { return demand_; }

    [[nodiscard]] bool starts(const fleet::Demand& demand,
                              Duration limit,
                              bool any_rights = false) {
        fleet::Shape shape{demand, fleet::FreeIndex::domains_of(state_.fleet, demand)};
        if (shape.domains.empty()) return false;
        if (state_.quotas.any() && !any_rights) {
            ShapeKinds kinds = state_.quotas.kinds_of(shape);
            const KindSet allowed = rights_to(kinds, limit);
            if (allowed == 0) return false;
            if (allowed != kinds.all()) {
                const fleet::Shape part = Quotas::inside(shape, kinds, allowed);
                shape = part;
            }
        }
        if (state_.free.fits(shape, limit >= forever ? never : now_ + limit)) return true;
        if (!job_.promise.found()) return false;
        // Its own promise would be gone. Who runs past his limit is not in the plan any more.
        const Place place = state_.plan.ask(shape, now_, limit, own(), now_);
        return place.at <= now_ && state_.free.find_on(shape, place.placement, state_.found);
    }

    // If it started now. A shorter job may have a right that a loan takes from a longer one.
    [[nodiscard]] KindSet rights_to(const ShapeKinds& kinds, Duration limit) const {
        if (state_.quotas.lends()) {
            const auto own = state_.held_by(job_);
            const Quotas::Run run{now_, limit >= forever ? never : now_ + limit};
            return state_.quotas.allowed(job_.tenant, kinds, run, own ? &*own : nullptr);
        }
        return Quotas::allowed(
            without_it_ ? *without_it_ : state_.quotas.tree(), job_.tenant, kinds);
    }

    [[nodiscard]] Place earliest(const fleet::Demand& demand) {
        const fleet::Shape shape{demand, fleet::FreeIndex::domains_of(state_.fleet, demand)};
        return state_.plan.ask(shape, now_, job_.limit, own(), never);
    }

    // Who holds nodes of the place until its time and no longer; of several the last by number.
    [[nodiscard]] JobId last_to_end(const Place& place) const {
        JobId last;
        for (const fleet::NodeRange& range : place.placement.ranges) {
            for (std::uint32_t node = range.first; node < range.first + range.count; ++node) {
                for (const Plan::Hold& hold : state_.plan.holds(range.pool, node)) {
                    if (hold.end != place.at) continue;
                    if (!last.valid() || last < hold.job) last = hold.job;
                }
            }
        }
        return last;
    }

private:
    [[nodiscard]] Plan::Own own() const {
        return {job_.id, job_.promise.found() ? &job_.promise : nullptr};
    }

    State& state_;
    const Job& job_;
    const fleet::Demand& demand_;
    Time now_;
    std::optional<tenancy::QuotaTree> without_it_;
};

std::vector<Counterfactual> Engine::counterfactuals(JobId id,
                                                    std::span<const PoolId> other_pools,
                                                    Time now,
                                                    std::span<const Size> other_sizes) const {
    State& state = *state_;
    std::vector<Counterfactual> all;
    const JobTable::Mark mark = state.jobs.mark(id);
    if (mark.slot == no_slot || mark.phase != Phase::pending) return all;
    const Job& job = state.jobs.at(mark.slot);
    const auto sized = state.with_sizes.find(id);
    const bool may_change = sized != state.with_sizes.end() && !sized->second.is_settled;
    if (job.parked) return all;
    if (may_change) {
        state.counterfactuals_of_sizes(job, other_sizes, now, all);
        return all;
    }
    State::Trial trial(state, job, now);
    const fleet::Demand& demand = trial.demand();
    const auto starts = [&, may = state.may_overtake(job)](
                            const fleet::Demand& changed, Duration limit, bool any_rights = false) {
        return may && trial.starts(changed, limit, any_rights);
    };
    const auto add = [&](Counterfactual one, std::string sentence) {
        one.sentence = std::move(sentence);
        all.push_back(std::move(one));
    };

    const std::uint32_t replicas = demand.parts.front().replicas;
    const std::uint32_t chips = demand.parts.front().each.chips;
    if (demand.parts.size() == 1 && replicas > 1) {
        const auto fewer = greatest(replicas, [&](std::uint32_t count) {
            fleet::Demand smaller = demand;
            smaller.parts.front().replicas = count;
            return starts(smaller, job.limit);
        });
        if (fewer > 0) {
            add({.change = Change::fewer_replicas, .to = fewer, .at = now},
                fmt::format("it would start now with {} fewer ({} of {})",
                            format_count(replicas - fewer, "replica"),
                            fewer,
                            replicas));
        }
    }
    if (demand.parts.size() == 1 && chips > 1) {
        const auto fewer = greatest(chips, [&](std::uint32_t count) {
            fleet::Demand smaller = demand;
            smaller.parts.front().each.chips = count;
            return starts(smaller, job.limit);
        });
        if (fewer > 0) {
            add({.change = Change::fewer_chips, .to = fewer, .at = now},
                fmt::format("it would start now with {} of {} chips{}",
                            fewer,
                            chips,
                            replicas > 1 ? " for each replica" : ""));
        }
    }
    for (auto within = demand.within; within < fleet::Level::site;) {
        within = static_cast<fleet::Level>(static_cast<int>(within) + 1);
        fleet::Demand wider = demand;
        wider.within = within;
        wider.prefer = std::min(wider.prefer, within);
        if (!starts(wider, job.limit)) continue;
        add({.change = Change::wider_level, .within = within, .at = now},
            fmt::format("it would start now within one {} instead of one {}",
                        fleet::name_of(within),
                        fleet::name_of(demand.within)));
        break;
    }
    constexpr Duration shortest = seconds(60);
    if (job.limit > shortest && starts(demand, shortest)) {
        const std::int64_t units =
            (job.limit >= forever ? seconds(365 * 86'400) : job.limit) / shortest;
        const Duration most =
            rounded(shortest * greatest(units + 1, [&](std::int64_t count) {
                        return shortest * count < job.limit && starts(demand, shortest * count);
                    }));
        if (most >= shortest) {
            add({.change = Change::shorter_limit, .limit = most, .at = now},
                fmt::format("it would start now with a time limit of {} or less",
                            format_duration(most)));
        }
    }
    if (state.allowed_for(job) == 0 && starts(demand, job.limit, true)) {
        add({.change = Change::more_rights, .at = now},
            "it would start now if its organisation had the right to so much more");
    }

    const Place place = trial.earliest(demand);
    std::vector<std::string> chips_told;
    std::size_t later = 0;
    for (const PoolId other : other_pools) {
        const fleet::Pool& pool = state.fleet.pool(other);
        if (std::find(chips_told.begin(), chips_told.end(), pool.chip) != chips_told.end())
            continue;
        fleet::Demand elsewhere = demand;
        elsewhere.pools = {other};
        const bool starts_now = starts(elsewhere, job.limit);
        Time at = now;
        if (!starts_now) {
            if (!can_ever_fit(elsewhere) || later == later_pools_max) continue;
            ++later;
            at = trial.earliest(elsewhere).at;
            if (at <= now || at >= place.at) continue;
        }
        chips_told.push_back(pool.chip);
        add({.change = Change::other_pool, .pool = other, .at = at},
            fmt::format("it would start {} if {} were accepted (pool {})",
                        starts_now ? "now" : in_words(at, now),
                        pool.chip.empty() ? "its nodes" : pool.chip,
                        pool.name));
    }
    if (place.found() && place.at > now && place.at < never) {
        const JobId last = trial.last_to_end(place);
        add({.change = Change::others_end, .at = place.at, .other = last},
            fmt::format("as it is there is room for it {}{}",
                        in_words(place.at, now),
                        job.promise.found() ? "" : ", if nobody before it takes that"));
    }
    return all;
}

// Of a job that may run in several sizes: it takes what there is of them by itself, so what helps
// is what they do not say. Of each kind of change the one by which it would end first is told.
void Engine::State::counterfactuals_of_sizes(const Job& job,
                                             std::span<const Size> other_sizes,
                                             Time now,
                                             std::vector<Counterfactual>& all) {
    const WithSizes& its = with_sizes.at(job.id);
    const std::vector<SizeChoice> by_size = all_sizes(jobs.slot_of(job.id), now);
    const Time as_it_is = by_size[its.current].ends;
    const bool may = may_overtake(job);
    const auto add = [&all](Counterfactual one, std::string sentence) {
        one.sentence = std::move(sentence);
        all.push_back(std::move(one));
    };

    const Size* shorter = nullptr;
    const Size* righted = nullptr;
    Duration shorter_limit{};
    for (std::uint32_t i = 0; i < its.sizes.size() && may; ++i) {
        const Size& size = its.sizes[i];
        if (its.shapes[i] == no_shape || size.takes >= forever) continue;
        const Job trial_job = in_size(job, its, i);
        const Time ends = end_of(now, size.takes);
        if (ends >= as_it_is) continue;
        Trial trial(*this, trial_job, now);
        if (trial.starts(trial.demand(), size.limit)) continue;  // it is about to
        const auto units = [](Duration time) {
            return static_cast<std::int64_t>(time / seconds(60));
        };
        // As long as it probably takes, it must be given.
        const std::int64_t least = units(size.takes) + 1;
        const bool is_better = shorter == nullptr || size.takes < shorter->takes;
        if (is_better && size.limit < forever && least < units(size.limit) &&
            trial.starts(trial.demand(), seconds(60) * least)) {
            const std::int64_t more = greatest(units(size.limit) - least, [&](std::int64_t count) {
                return trial.starts(trial.demand(), seconds(60) * (least + count));
            });
            shorter = &size;
            shorter_limit = std::max(rounded(seconds(60) * (least + more)), seconds(60) * least);
        }
        if ((righted == nullptr || size.takes < righted->takes) && allowed_for(trial_job) == 0 &&
            trial.starts(trial.demand(), size.limit, true)) {
            righted = &size;
        }
    }
    if (shorter != nullptr) {
        add({.change = Change::shorter_limit, .limit = shorter_limit, .at = now},
            fmt::format("it would start now on {} with a time limit of {}; it probably takes {} so",
                        size_in_words(*shorter),
                        format_duration(shorter_limit),
                        format_duration(shorter->takes)));
    }
    if (righted != nullptr) {
        add({.change = Change::more_rights, .at = now},
            fmt::format("it would start now on {}, and end {}, if its organisation had the right "
                        "to so much more",
                        size_in_words(*righted),
                        in_words(end_of(now, righted->takes), now)));
    }

    struct Elsewhere {
        const Size* size = nullptr;
        Time at = never;
        Time ends = never;
    };
    std::map<std::string, Elsewhere> by_chip;
    for (const Size& size : other_sizes) {
        if (size.demand.pools.empty() || size.takes >= forever) continue;
        const fleet::Shape shape{size.demand, fleet::FreeIndex::domains_of(fleet, size.demand)};
        if (shape.domains.empty()) continue;
        Trial trial(*this, job, now);
        Time at = now;
        if (!may || !trial.starts(size.demand, size.limit)) {
            at = plan.ask(shape, now, size.limit, {job.id, nullptr}, never).at;
            if (at <= now) continue;
        }
        const Time ends = end_of(at, size.takes);
        Elsewhere& best = by_chip[fleet.pool(size.demand.pools.front()).chip];
        if (ends < as_it_is && ends < best.ends) best = {&size, at, ends};
    }
    for (const auto& [chip, best] : by_chip) {
        if (best.size == nullptr) continue;
        add({.change = Change::other_pool, .pool = best.size->demand.pools.front(), .at = best.at},
            fmt::format("it would start {} and end {} on {} if {} were accepted",
                        best.at <= now ? "now" : in_words(best.at, now),
                        in_words(best.ends, now),
                        size_in_words(*best.size),
                        chip.empty() ? "its nodes" : chip));
    }

    const Place& place = by_size[its.current].place;
    if (place.found() && place.at > now && place.at < never) {
        const JobId last = Trial(*this, job, now).last_to_end(place);
        add({.change = Change::others_end, .at = place.at, .other = last},
            fmt::format("as it is there is room for {} {}{}",
                        size_in_words(its.sizes[its.current]),
                        in_words(place.at, now),
                        job.promise.found() ? "" : ", if nobody before it takes that"));
    }
}

// In strict order only the first may start, and who that is among organisations depends on what it
// asks for.
bool Engine::State::may_overtake(const Job& job) const {
    return policy.backfill || (!quotas.any() && queue.up_to(job.rank).count == 1);
}

}  // namespace weir::sched
