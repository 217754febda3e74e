// Jobs that may run in several sizes: each a gang of its own with a time of its own, as whoever
// submitted them worked out beforehand. The core knows nothing of why a larger one is faster.
//
// While such a job waits, it asks for one of its sizes and is in every list by that. Which one is
// chosen anew whenever something changed around it: the one by which it would end first, by the
// earliest start that the plan has for each beside what runs and is promised, and of equal ones the
// smallest. So it starts now with few chips, or waits for many, whichever ends earlier. Who holds a
// promise takes another size only where that starts no later than it was promised, so promises are
// kept. The size that it first starts with is kept for all attempts: what it saves is cut for it.
//
// Searches have a budget of their own, as large as that of promises, and are paid from it in the
// order of the queue; who is not looked at in a pass waits with the size that it has. Its place in
// the queue is by its shortest limit, and does not change with the size.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "weir/base/assert.hpp"
#include "weir/base/units.hpp"
#include "weir/sched/engine_state.hpp"
#include "weir/sched/sentence.hpp"

namespace weir::sched {
namespace {

// As those of promises (pass.cpp).
constexpr std::int64_t passes_saved_max = 256;
constexpr std::int64_t passes_owed_max = 4096;

}  // namespace

Request settled(Request request, std::uint32_t size) {
    if (size >= request.sizes.size()) return request;
    const Size its = request.sizes[size];
    request.demand = its.demand;
    request.limit = its.limit;
    request.expected = its.takes;
    request.sizes.clear();
    return request;
}

void Engine::State::enter_sizes(std::uint32_t slot, const Request& request) {
    WithSizes& its = with_sizes[request.job];
    its.sizes = request.sizes;
    its.shapes.assign(its.sizes.size(), no_shape);
    list_shapes(slot);
    Job& job = jobs.at(slot);
    Duration shortest = job.limit;
    for (const Size& size : its.sizes)
        shortest = std::min(shortest, size.limit);
    job.rank.date = date_of(job, shortest);
    job.overtaking = job.rank;
}

// Holds the shapes of all sizes; of who reads data, where its data lies.
void Engine::State::list_shapes(std::uint32_t slot, bool all) {
    const Job& job = jobs.at(slot);
    WithSizes& its = with_sizes.at(job.id);
    const auto reads = with_data.find(job.id);
    for (std::size_t i = 0; i < its.sizes.size(); ++i) {
        if (!all && i == its.current) continue;
        fleet::Demand demand = its.sizes[i].demand;
        if (reads != with_data.end()) {
            std::erase_if(demand.pools, [&](PoolId pool) {
                return !all_at(reads->second.datasets, staging.site_of(pool));
            });
        }
        const std::uint32_t was = its.shapes[i];
        its.shapes[i] = demand.pools.empty() ? no_shape : shape_for(demand);
        if (was != no_shape && --shapes[was].jobs == 0) --shapes_in_use;
    }
    its.looked_for = 0;
    if (its.shapes[its.current] != no_shape) return;
    const auto first = std::find_if(its.shapes.begin(), its.shapes.end(), [](std::uint32_t shape) {
        return shape != no_shape;
    });
    if (first != its.shapes.end())
        its.current = static_cast<std::uint32_t>(first - its.shapes.begin());
}

void Engine::State::forget_sizes(JobId job) {
    const auto its = with_sizes.find(job);
    if (its == with_sizes.end()) return;
    for (const std::uint32_t shape : its->second.shapes)
        if (shape != no_shape && --shapes[shape].jobs == 0) --shapes_in_use;
    with_sizes.erase(its);
}

std::uint32_t Engine::State::chosen_size(JobId job) const {
    const auto its = with_sizes.find(job);
    return its == with_sizes.end() ? 0 : its->second.current;
}

// It has started: no other size is open to it any more.
void Engine::State::settle_size(std::uint32_t slot, std::uint32_t size) {
    const Job& job = jobs.at(slot);
    const auto known = with_sizes.find(job.id);
    if (known == with_sizes.end() || known->second.is_settled) return;
    WithSizes& its = known->second;
    its.is_settled = true;
    for (const std::uint32_t shape : its.shapes)
        if (shape != no_shape && --shapes[shape].jobs == 0) --shapes_in_use;
    its.shapes.clear();
    const auto reads = with_data.find(job.id);
    if (reads == with_data.end()) return;
    WithData& data = reads->second;
    data.asked = its.sizes[size].demand;
    // From now on it may run at the sites of this size only, and waits beside its data there.
    const bool is_home =
        std::any_of(data.asked.pools.begin(), data.asked.pools.end(), [&](PoolId pool) {
            return staging.site_of(pool) == data.home;
        });
    if (is_home) return;
    leave_home(data);
    data.home = data.runs_at;
    for (const DatasetId dataset : data.datasets)
        staging.hold(dataset, data.home);
}

Job Engine::State::in_size(const Job& job, const WithSizes& its, std::uint32_t size) {
    Job trial = job;
    trial.shape = its.shapes[size];
    trial.limit = its.sizes[size].limit;
    if (size == its.current) return trial;
    trial.charged = Job::not_charged;
    trial.promise = {};
    return trial;
}

// From now on it waits with that size; a promise that it holds is given back. Requires: it is in
// the queue, or held, and may run somewhere with it.
void Engine::State::take_size(std::uint32_t slot, std::uint32_t size) {
    Job& job = jobs.at(slot);
    WithSizes& its = with_sizes.at(job.id);
    const bool waits = job.phase == Phase::pending;
    if (waits) leave(slot);
    its.current = size;
    if (--shapes[job.shape].jobs == 0) --shapes_in_use;
    if (quotas.any()) --lines[job.line].jobs;
    job.shape = its.shapes[size];
    if (shapes[job.shape].jobs++ == 0) ++shapes_in_use;
    if (quotas.any()) job.line = line_for(job.shape, job.tenant);
    job.limit = its.sizes[size].limit;
    job.expected = its.sizes[size].takes;
    job.tried_at = job.planned_at = job.asked_in = 0;
    job.planned_when = job.reclaim_at = Time::min();
    job.reclaim_tries = 0;
    if (waits) enter(slot);
}

// Its data lies where it did not before.
void Engine::State::narrow_sizes(std::uint32_t slot) {
    const Job& job = jobs.at(slot);
    list_shapes(slot);
    const WithSizes& its = with_sizes.at(job.id);
    WEIR_ASSERT(its.shapes[its.current] != no_shape);
    take_size(slot, its.current);
}

// Whatever may have moved the earliest start of any of its sizes.
std::uint64_t Engine::State::changes_for_sizes(const WithSizes& its) const {
    std::uint64_t sum = quotas.any() ? quotas.version() : 0;
    for (const std::uint32_t shape : its.shapes)
        if (shape != no_shape) sum += changes_of(shapes[shape].shape);
    return sum;
}

// Its own promise is in nobody's way here, and is no right to another size.
Place Engine::State::earliest_in_size(
    const Job& job, const WithSizes& its, std::uint32_t size, Time from, Time not_after) {
    const Plan::Own own{job.id, job.promise.found() ? &job.promise : nullptr};
    return earliest_by_rights(in_size(job, its, size), from, own, {}, not_after);
}

// The size by which it ends first, of those that start by then; one that keeps its deadline goes
// before all that do not.
Engine::State::SizeChoice Engine::State::choose_size(std::uint32_t slot, Time now, Time starts_by) {
    const Job& job = jobs.at(slot);
    const WithSizes& its = with_sizes.at(job.id);
    SizeChoice best;
    const auto look_at = [&](std::uint32_t size, bool in_time) {
        if (its.shapes[size] == no_shape) return;
        const Size& asked = its.sizes[size];
        Time last = starts_by;
        if (best.ends != never && asked.takes < forever)
            last = std::min(last, best.ends - asked.takes);
        if (in_time) last = std::min(last, job.deadline - asked.limit);
        if (last < now) return;
        Place place = earliest_in_size(job, its, size, now, last);
        if (!place.found()) return;
        const Time ends = end_of(place.at, asked.takes);
        if (best.place.found() && (ends > best.ends || (ends == best.ends && size > best.size)))
            return;
        best = {size, std::move(place), ends};
    };
    for (const bool in_time : {true, false}) {
        if (in_time && job.deadline == never) continue;
        look_at(its.current, in_time);
        for (std::uint32_t size = 0; size < its.sizes.size(); ++size)
            if (size != its.current) look_at(size, in_time);
        if (best.place.found()) break;
    }
    return best;
}

bool Engine::State::may_choose_size() const {
    return policy.plan_work_max == 0 || size_credit >= 0;
}

// What a choice took too much is paid back in later passes.
void Engine::State::charge_for_size(std::uint64_t work_before) {
    const auto allowance = static_cast<std::int64_t>(policy.plan_work_max);
    size_credit -= static_cast<std::int64_t>(plan.work() - work_before);
    size_credit = std::max(size_credit, -allowance * passes_owed_max);
}

// Of one that waits without a promise. True where it waits with another size now.
bool Engine::State::choose_size_of_waiting(std::uint32_t slot, Time now) {
    const Job& job = jobs.at(slot);
    const auto known = with_sizes.find(job.id);
    if (known == with_sizes.end() || known->second.is_settled) return false;
    WithSizes& its = known->second;
    const std::uint64_t changes_now = changes_for_sizes(its);
    if (changes_now == its.looked_for || !may_choose_size()) return false;
    const std::uint64_t work_before = plan.work();
    const SizeChoice choice = choose_size(slot, now, never);
    charge_for_size(work_before);
    its.looked_for = changes_now;
    if (!choice.place.found() || choice.size == its.current) return false;
    take_size(slot, choice.size);
    return true;
}

void Engine::State::choose_sizes(Time now, std::vector<Decision>& decisions) {
    const auto allowance = static_cast<std::int64_t>(policy.plan_work_max);
    size_credit = std::min(size_credit + allowance, allowance * passes_saved_max);
    const std::vector<std::pair<Rank, std::uint32_t>> all(sizing.begin(), sizing.end());
    for (const auto& [rank, slot] : all) {
        if (!may_choose_size()) return;
        const Job& job = jobs.at(slot);
        if (job.parked) continue;
        if (!job.promise.found()) {
            choose_size_of_waiting(slot, now);
            continue;
        }
        WithSizes& its = with_sizes.at(job.id);
        const std::uint64_t changes_now = changes_for_sizes(its);
        if (changes_now == its.looked_for) continue;
        its.looked_for = changes_now;
        const std::uint64_t work_before = plan.work();
        const Time promised_at = job.promise.at;
        SizeChoice choice = choose_size(slot, now, std::max(promised_at, now));
        charge_for_size(work_before);
        if (!choice.place.found() || choice.size == its.current) continue;
        const fleet::Shape& shape = shapes[its.shapes[choice.size]].shape;
        const bool starts =
            choice.place.at <= now && free.find_on(shape, choice.place.placement, found);
        if (!starts && choice.place.at > promised_at) continue;
        take_size(slot, choice.size);
        if (starts) {
            start(slot, now, Cause::promised, decisions);
        } else {
            reserve(slot, std::move(choice.place), decisions);
        }
    }
}

// Which size somebody waited with who was promised nothing is in no record.
void Engine::State::begin_sizes_anew() {
    size_credit = 0;
    const std::vector<std::pair<Rank, std::uint32_t>> all(sizing.begin(), sizing.end());
    for (const auto& [rank, slot] : all) {
        const Job& job = jobs.at(slot);
        WithSizes& its = with_sizes.at(job.id);
        its.looked_for = 0;
        if (job.promise.found()) continue;
        const auto first = std::find_if(its.shapes.begin(),
                                        its.shapes.end(),
                                        [](std::uint32_t shape) { return shape != no_shape; });
        if (first == its.shapes.end()) continue;
        take_size(slot, static_cast<std::uint32_t>(first - its.shapes.begin()));
    }
}

// ---------------------------------------------------------------------------------------------
// In words

// Every size with the earliest start that the plan has for it; a question from outside.
std::vector<Engine::State::SizeChoice> Engine::State::all_sizes(std::uint32_t slot, Time now) {
    const Job& job = jobs.at(slot);
    const WithSizes& its = with_sizes.at(job.id);
    const Plan::Own own{job.id, job.promise.found() ? &job.promise : nullptr};
    std::vector<SizeChoice> all;
    for (std::uint32_t size = 0; size < its.sizes.size(); ++size) {
        SizeChoice& each = all.emplace_back();
        each.size = size;
        if (its.shapes[size] == no_shape) continue;
        const Job trial = in_size(job, its, size);
        const KindSet allowed = allowed_for(trial, now);
        if (allowed == 0) continue;
        each.place = plan.ask(shape_in(trial.shape, allowed), now, trial.limit, own, never);
        if (each.place.found()) each.ends = end_of(each.place.at, its.sizes[size].takes);
    }
    return all;
}

// "64 chips (8 nodes of a or b)", "8 replicas of c".
std::string Engine::State::size_in_words(const Size& size) const {
    std::string pools;
    for (std::size_t i = 0; i < size.demand.pools.size(); ++i) {
        const bool last = i + 1 == size.demand.pools.size();
        pools += (i == 0 ? "" : last ? " or " : ", ") + fleet.pool(size.demand.pools[i]).name;
    }
    const std::uint64_t milli = size.demand.chips_milli();
    const std::uint64_t replicas = size.demand.replicas();
    if (milli == 0) return format_count(replicas, "replica") + " of " + pools;
    return fmt::format(
        "{} ({} of {})", format_count(milli / 1000, "chip"), format_count(replicas, "node"), pools);
}

// "with 64 chips (8 nodes of a), which could start now, it would end in 3h 00m; with 256 chips (32
// nodes of a), in 5h, in 6h": those that end first, and how many more there are. "" where nothing
// is to be compared.
std::string Engine::State::sizes_in_words(std::uint32_t slot, Time now) {
    const WithSizes& its = with_sizes.at(jobs.at(slot).id);
    if (its.is_settled) return its.instead;
    std::vector<SizeChoice> all = all_sizes(slot, now);
    const SizeChoice current = all[its.current];
    std::erase_if(all, [&](const SizeChoice& each) { return each.size == current.size; });
    std::sort(all.begin(), all.end(), [](const SizeChoice& a, const SizeChoice& b) {
        return std::tie(a.ends, a.size) < std::tie(b.ends, b.size);
    });
    constexpr std::size_t others_max = 5;
    const std::size_t others = all.size();
    if (others > others_max) all.resize(others_max);
    const auto starts = [now](Time at) {
        return at <= now ? std::string("now") : in_words(at, now);
    };
    std::string text = "with " + size_in_words(its.sizes[current.size]);
    text += current.ends == never ? " no start is in sight for it"
                                  : fmt::format(", which could start {}, it would end {}",
                                                starts(current.place.at),
                                                in_words(current.ends, now));
    for (const SizeChoice& each : all) {
        text += "; with " + size_in_words(its.sizes[each.size]);
        text += each.ends == never
                    ? ", no start is in sight"
                    : fmt::format(", {}, {}", starts(each.place.at), in_words(each.ends, now));
    }
    if (others > all.size()) text += fmt::format("; {} more end later", others - all.size());
    return text;
}

// It is about to start, and what speaks for its size is known now.
void Engine::State::note_other_sizes(std::uint32_t slot, Time now) {
    const auto its = with_sizes.find(jobs.at(slot).id);
    if (its == with_sizes.end() || its->second.is_settled) return;
    its->second.instead = sizes_in_words(slot, now);
}

std::uint32_t Engine::chosen_size(JobId job) const {
    return state_->chosen_size(job);
}

std::string Engine::sizes_in_words(JobId job, Time now) const {
    const std::uint32_t slot = state_->jobs.slot_of(job);
    if (slot == no_slot || state_->with_sizes.count(job) == 0) return "";
    return state_->sizes_in_words(slot, now);
}

}  // namespace weir::sched
