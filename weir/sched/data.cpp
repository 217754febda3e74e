// Jobs that read datasets: where each is to run, what has to be copied there first, and when it may
// wait for room.
//
// Such a job is held until its data lies at the site that was chosen for it, its *home*: the one
// where it is expected to start first, by when the data is there, by the plan, and by the work that
// waits there already. From then on it waits in its old place in the queue, for every site at which
// its data lies by then.
#include <fmt/format.h>

#include <algorithm>

#include "weir/base/assert.hpp"
#include "weir/base/units.hpp"
#include "weir/sched/engine_state.hpp"
#include "weir/sched/sentence.hpp"

namespace weir::sched {
namespace {

// A copy is late when it took a tenth longer than was said, and at least so much.
constexpr Duration late_min = seconds(60);
constexpr std::int64_t late_share = 10;

// Nobody's word that it may take for ever counts for more than this when work is added up.
constexpr Duration counted_max = seconds(30 * 86'400);

std::vector<SiteId> sites_of(const fleet::Demand& demand, const Staging& staging) {
    std::vector<SiteId> sites;
    for (const PoolId pool : demand.pools) {
        const SiteId site = staging.site_of(pool);
        if (std::find(sites.begin(), sites.end(), site) == sites.end()) sites.push_back(site);
    }
    return sites;
}

template <class Keep>
fleet::Demand at_sites(const fleet::Demand& demand, const Staging& staging, Keep keep) {
    fleet::Demand narrowed = demand;
    std::erase_if(narrowed.pools, [&](PoolId pool) { return !keep(staging.site_of(pool)); });
    return narrowed;
}

// What a chip of one fleet is worth is not asked: only sites that serve the same job are compared.
std::int64_t size_of(const fleet::Demand& demand) {
    const std::uint64_t chips = demand.chips_milli();
    return static_cast<std::int64_t>(chips > 0 ? chips : demand.cpus_milli());
}

}  // namespace

bool Engine::State::all_at(const std::vector<DatasetId>& datasets, SiteId site) const {
    return std::all_of(datasets.begin(), datasets.end(), [&](DatasetId dataset) {
        return staging.is_at(dataset, site);
    });
}

// Work that waits at a site, in thousandths of a chip (or CPU) times milliseconds.
void Engine::State::count_backlog(Job& job, bool enters) {
    // Only where somebody asks, and those who came before that are few.
    if (enters ? !data_matters : !job.in_backlog) return;
    job.in_backlog = enters;
    const fleet::Demand& demand = shapes[job.shape].shape.demand;
    const std::vector<SiteId> sites = sites_of(demand, staging);
    const Duration limit = std::min(job.limit, counted_max);
    const __int128 work = static_cast<__int128>(size_of(demand)) * limit.count() /
                          static_cast<std::int64_t>(sites.size());
    for (const SiteId site : sites)
        backlog.at(site.value) += enters ? work : -work;
}

std::optional<fleet::Shape> Engine::State::shape_at(const fleet::Demand& asked,
                                                    TenantId tenant,
                                                    SiteId site) {
    const fleet::Demand here = at_sites(asked, staging, [site](SiteId its) { return its == site; });
    if (here.pools.empty()) return std::nullopt;
    fleet::Shape shape{here, fleet::FreeIndex::domains_of(fleet, here)};
    if (quotas.any()) {
        ShapeKinds kinds = quotas.kinds_of(shape);
        const KindSet possible = quotas.possible(tenant, kinds);
        if (possible == 0) return std::nullopt;
        shape = fleet::Shape(Quotas::inside(shape, kinds, possible));
    }
    if (!empty) empty = emptied();
    if (!sched::can_ever_fit(fleet, *empty, shape.demand)) return std::nullopt;
    return shape;
}

// Of several sizes the one with which it ends first: the time of one alone is the same everywhere,
// and does not count.
Engine::State::Home Engine::State::best_home(std::span<const Size> sizes,
                                             TenantId tenant,
                                             const std::vector<DatasetId>& datasets,
                                             Time now) {
    Home best;
    for (const Size& size : sizes) {
        for (const SiteId site : sites_of(size.demand, staging)) {
            const Home home = home_at(site, size, tenant, datasets, now);
            if (!home.site.valid()) continue;
            const Duration takes = sizes.size() > 1 ? size.takes : Duration{};
            const Time ends = end_of(home.starts, takes);
            if (best.site.valid() &&
                std::pair(ends, home.data_there) >= std::pair(best.ends, best.data_there)) {
                continue;
            }
            best = home;
            best.ends = ends;
        }
    }
    return best;
}

// Not valid: it cannot run there, or its data cannot be there.
Engine::State::Home Engine::State::home_at(SiteId site,
                                           const Size& size,
                                           TenantId tenant,
                                           const std::vector<DatasetId>& datasets,
                                           Time now) {
    Time there = now;
    for (const DatasetId dataset : datasets)
        there = std::max(there, staging.there_at(dataset, site, now));
    if (there == never || !staging.has_room_for(datasets, site)) return {};
    const std::optional<fleet::Shape> shape = shape_at(size.demand, tenant, site);
    if (!shape) return {};
    const fleet::Demand& here = shape->demand;
    Time starts = plan.ask(*shape, there, size.limit, {}, never).at;
    std::int64_t capacity = 0;
    for (const PoolId pool : here.pools) {
        const fleet::Pool& its = fleet.pool(pool);
        capacity += std::int64_t{its.nodes} * (here.chips_milli() > 0
                                                   ? std::int64_t{its.chips_per_node} * 1000
                                                   : std::int64_t{its.cpus_milli});
    }
    if (starts != never && capacity > 0) {
        const __int128 queued = backlog.at(site.value) / capacity;
        starts = std::max(starts,
                          now + Duration{static_cast<std::int64_t>(
                                    std::min<__int128>(queued, (forever / 4).count()))});
    }
    return {site, starts, there, starts};
}

// Its dependencies are met: from here on it waits for its data, and then for room.
void Engine::State::want_data(std::uint32_t slot) {
    const Job& job = jobs.at(slot);
    WithData& its = with_data.at(job.id);
    WEIR_ASSERT(!its.home.valid());
    const auto sized = with_sizes.find(job.id);
    const Size alone{.demand = its.asked, .limit = job.limit};
    const bool is_open = sized != with_sizes.end() && !sized->second.is_settled;
    its.home = best_home(is_open ? std::span<const Size>(sized->second.sizes)
                                 : std::span<const Size>(&alone, 1),
                         job.tenant,
                         its.datasets,
                         told_at)
                   .site;
    if (!its.home.valid()) {  // nobody made it, nothing leads from where it is, or no room
        homeless.insert(job.id);
        awaiting.erase({job.rank, slot});
        return;
    }
    homeless.erase(job.id);
    for (const DatasetId dataset : its.datasets)
        staging.hold(dataset, its.home);
    order_missing(job.id);
    if (all_at(its.datasets, its.home)) return admit(slot);
    awaiting.emplace(job.rank, slot);
    if (policy.backfill && !is_open)
        reshape(slot, at_sites(its.asked, staging, [&](SiteId site) { return site == its.home; }));
}

void Engine::State::order_missing(JobId id) {
    WithData& its = with_data.at(id);
    bool is_news = its.there_at == never;
    for (const DatasetId dataset : its.datasets) {
        if (staging.is_at(dataset, its.home) || staging.is_coming(dataset, its.home)) continue;
        // Between its choice and here an earlier one of its datasets may have taken the room.
        if (staging.there_at(dataset, its.home, told_at) == never) continue;
        std::vector<DatasetId> forgotten;
        const Staging::Copy copy = staging.order(dataset, its.home, told_at, forgotten);
        for (const DatasetId gone : forgotten) {
            told_later.push_back({Forget{staging.name(gone), its.home},
                                  {.cause = Cause::waits_for_data, .other = id}});
            review_users_of(gone);
        }
        digest.add(std::uint64_t{dataset.value} << 32 | copy.to.value);
        digest.add(copy.ends.time_since_epoch().count());
        told_later.push_back(
            {Stage{staging.name(dataset), copy.from, copy.to, copy.begins, copy.ends, copy.links},
             {.cause = Cause::waits_for_data, .other = id, .until = copy.ends}});
        is_news = true;
    }
    // Another reader may have had a copy made anew.
    for (const DatasetId dataset : its.datasets)
        is_news = is_news || (staging.is_coming(dataset, its.home) &&
                              staging.there_at(dataset, its.home, Time::min()) > its.there_at);
    if (!is_news) return;
    its.there_at = told_at;
    for (const DatasetId dataset : its.datasets)
        its.there_at = std::max(its.there_at, staging.there_at(dataset, its.home, told_at));
    its.late_at = never;
    if (its.there_at == never) return;
    its.late_at = its.there_at + std::max(late_min, (its.there_at - told_at) / late_share);
}

// Its data is at its home: it may wait for room wherever the data lies. What it was promised
// meanwhile stands.
void Engine::State::admit(std::uint32_t slot) {
    Job& job = jobs.at(slot);
    --counts.held;
    awaiting.erase({job.rank, slot});
    job.tried_at = job.planned_at = 0;
    job.gains_tried.clear();
    if (!job.promise.found()) narrow(slot);
    enter(slot);
}

// Requires: it is in no queue, and holds nothing.
void Engine::State::narrow(std::uint32_t slot) {
    Job& job = jobs.at(slot);
    const WithData& its = with_data.at(job.id);
    if (const auto sized = with_sizes.find(job.id);
        sized != with_sizes.end() && !sized->second.is_settled) {
        return narrow_sizes(slot);
    }
    reshape(slot,
            at_sites(its.asked, staging, [&](SiteId site) { return all_at(its.datasets, site); }));
}

// Requires: it is in no queue, and holds nothing.
void Engine::State::reshape(std::uint32_t slot, const fleet::Demand& demand) {
    Job& job = jobs.at(slot);
    if (demand == shapes[job.shape].shape.demand) return;
    if (--shapes[job.shape].jobs == 0) --shapes_in_use;
    if (quotas.any()) --lines[job.line].jobs;
    job.shape = shape_for(demand);
    if (quotas.any()) job.line = line_for(job.shape, job.tenant);
}

// A dataset came to a site, or left one.
void Engine::State::review_users_of(DatasetId dataset) {
    std::vector<JobId> users;
    for (const auto& [job, its] : with_data)
        if (std::find(its.datasets.begin(), its.datasets.end(), dataset) != its.datasets.end())
            users.push_back(job);
    for (const JobId job : users)
        review(job);
}

void Engine::State::review(JobId id) {
    const std::uint32_t slot = jobs.slot_of(id);
    Job& job = jobs.at(slot);
    WithData& its = with_data.at(id);
    if (job.phase == Phase::held) {
        if (job.unmet > 0) return;
        if (!its.home.valid()) return want_data(slot);
        order_missing(id);
        if (all_at(its.datasets, its.home)) return admit(slot);
        const bool hopeless =
            std::any_of(its.datasets.begin(), its.datasets.end(), [&](DatasetId dataset) {
                return staging.there_at(dataset, its.home, told_at) == never;
            });
        if (!hopeless) return;
        if (job.promise.found()) {
            withdraw(slot);
            note_promise(id, never);
            told_later.push_back({Reserve{id, never, {}}, {.cause = Cause::waits_for_data}});
        }
        leave_home(its);
        return want_data(slot);
    }
    if (job.phase != Phase::pending) return;
    // What it was promised stands as long as its data is there.
    const fleet::Demand& now = shapes[job.shape].shape.demand;
    const bool stands = std::all_of(now.pools.begin(), now.pools.end(), [&](PoolId pool) {
        return all_at(its.datasets, staging.site_of(pool));
    });
    if (stands && (job.promise.found() || job.parked)) {
        const auto sized = with_sizes.find(id);
        const bool is_open = sized != with_sizes.end() && !sized->second.is_settled;
        if (is_open) list_shapes(slot, false);
        return;
    }
    leave(slot);
    jobs.set_phase(job, Phase::held);
    if (all_at(its.datasets, its.home)) {
        narrow(slot);
        return enter(slot);
    }
    ++counts.held;
    leave_home(its);
    want_data(slot);
}

void Engine::State::leave_home(WithData& its) {
    room_for_data = true;
    for (const DatasetId dataset : its.datasets)
        staging.release(dataset, its.home, told_at);
    its.home = SiteId::none();
    its.there_at = its.late_at = never;
}

void Engine::State::use_data(const Job& job) {
    const auto its = with_data.find(job.id);
    if (its == with_data.end()) return;
    its->second.runs_at = staging.site_of(job.placement.ranges.front().pool);
    for (const DatasetId dataset : its->second.datasets)
        staging.hold(dataset, its->second.runs_at);
}

void Engine::State::stop_using_data(const Job& job) {
    const auto its = with_data.find(job.id);
    if (its == with_data.end()) return;
    room_for_data = true;
    for (const DatasetId dataset : its->second.datasets)
        staging.release(dataset, its->second.runs_at, told_at);
    its->second.runs_at = SiteId::none();
}

void Engine::State::forget_data(JobId job) {
    const auto its = with_data.find(job);
    if (its == with_data.end()) return;
    if (its->second.home.valid()) leave_home(its->second);
    const std::uint32_t slot = jobs.slot_of(job);
    awaiting.erase({jobs.at(slot).rank, slot});
    with_data.erase(its);
    homeless.erase(job);
    seek_homes();
}

// What was left or forgotten may make room for those who wait for it.
void Engine::State::seek_homes() {
    room_for_data = false;
    const std::set<JobId> all = homeless;
    for (const JobId job : all)
        want_data(jobs.slot_of(job));
}

// ---------------------------------------------------------------------------------------------
// Promises while data comes
//
// Whose data is on its way to its home may be promised a start there, from when it is to be there
// on, when it is its turn: by the order of all, and beside the promises that the policy grants to
// those who wait for room, for it is in nobody's way before. A copy that is made anew puts the
// promise off, and one that is late ends it.

Time Engine::State::ready_at(const Job& job, Time now) const {
    if (job.phase == Phase::pending) return now;
    const auto its = with_data.find(job.id);
    if (job.phase != Phase::held || its == with_data.end()) return never;
    return now < its->second.late_at ? std::max(now, its->second.there_at) : never;
}

// Requires: it is held, and holds a promise. A copy that is a little late moves nothing.
bool Engine::State::is_late_for_promise(const Job& job, Time now) const {
    const WithData& its = with_data.at(job.id);
    return its.there_at > job.promise.at || now >= its.late_at;
}

// Members of arrays that run only so many at once, and who may still run in several sizes, are
// promised a start when their data is there.
bool Engine::State::may_be_promised_ahead(const Job& job, Time now) const {
    if (job.promise.found() || job.asked_in == passes || job.array.valid()) return false;
    if (const auto sized = with_sizes.find(job.id);
        sized != with_sizes.end() && !sized->second.is_settled) {
        return false;
    }
    return ready_at(job, now) != never && job.tried_at != changes_of(shapes[job.shape].shape);
}

// Whether somebody waits for a promise in one of its pools who comes before it.
bool Engine::State::somebody_before(const Front& front) {
    for (const PoolId pool : shapes[jobs.at(front.slot).shape].shape.demand.pools) {
        for (const ShapeOfPool& one : shapes_of_pool[pool.value]) {
            const Front its = front_of(one.shape);
            if (its.found() && its.before(front)) return true;
        }
    }
    return false;
}

// `before`: who is to be promised something next; nullptr: nobody any more.
void Engine::State::promise_ahead(Time now, const Front* before, std::vector<Decision>& decisions) {
    if (awaiting.empty()) return;
    std::vector<std::uint32_t> slots;
    for (const auto& [rank, slot] : awaiting)
        slots.push_back(slot);
    for (const std::uint32_t slot : slots) {
        Job& job = jobs.at(slot);
        if (!may_be_promised_ahead(job, now)) continue;
        // Who has no lane left is not looked at further; and whom the budget of planning keeps from
        // a search is asked again.
        const std::vector<PoolId>& pools = shapes[job.shape].shape.demand.pools;
        const auto has_lane = [&](PoolId pool) {
            return has_room_for_promise(pool, grade_of(job));
        };
        const auto is_affordable = [&](PoolId pool) { return may_plan(plan.runs(pool)); };
        if (job.deadline == never && std::none_of(pools.begin(), pools.end(), has_lane)) continue;
        if (job.rank.lane > high_lane && std::none_of(pools.begin(), pools.end(), is_affordable))
            continue;
        const KindSet allowed = allowed_for(job);
        if (allowed == 0 && !quotas.lends()) continue;
        if (job.deadline == never) {
            Front front{{}, job.rank, slot, allowed};
            if (quotas.any()) front.standing = standing_of(job, allowed);
            if (before != nullptr ? !front.before(*before) : somebody_before(front)) continue;
        }
        job.asked_in = passes;
        const std::uint64_t work_before = plan.work();
        Place place = place_for(slot, now, {});
        charge_for_planning(work_before);
        if (place.found()) {
            reserve(slot, std::move(place), decisions);
        } else if (std::all_of(pools.begin(), pools.end(), is_affordable)) {
            job.tried_at = changes_of(shapes[job.shape].shape);
        }
    }
}

void Engine::State::on(const DatasetStaged& event) {
    const DatasetId dataset = staging.id_of(event.dataset);
    staging.arrived(dataset, event.site, told_at);
    ++step;
    review_users_of(dataset);
}

void Engine::State::on(const DatasetMade& event) {
    const DatasetId dataset = staging.id_of(event.dataset);
    staging.made(dataset, event.size, event.site, told_at);
    ++step;
    review_users_of(dataset);
}

void Engine::State::on(const DatasetLost& event) {
    const DatasetId dataset = staging.id_of(event.dataset);
    staging.lost(dataset, event.site);
    room_for_data = true;
    ++step;
    review_users_of(dataset);
}

std::string Engine::State::data_in_words(const WithData& its, Time now) const {
    std::string text;
    const auto add = [&text](const std::string& sentence) {
        text += (text.empty() ? "" : "; ") + sentence;
    };
    for (const DatasetId dataset : its.datasets) {
        const std::string name = fmt::format(
            "dataset {} ({})", staging.name(dataset), format_bytes(staging.size(dataset)));
        if (!staging.is_anywhere(dataset)) {
            add("dataset " + staging.name(dataset) + " lies nowhere yet");
        } else if (!its.home.valid()) {
            const std::vector<SiteId> sites = sites_of(its.asked, staging);
            const bool leads = std::any_of(sites.begin(), sites.end(), [&](SiteId site) {
                return staging.there_at(dataset, site, now) != never;
            });
            if (!leads) {
                add(name +
                    " lies at no site where it may run, and no link leads to one, or there "
                    "is no room");
            }
        } else if (!staging.is_at(dataset, its.home)) {
            const Time there = staging.there_at(dataset, its.home, now);
            add(fmt::format("{} is being copied to {} and there {}",
                            name,
                            fleet.sites.at(its.home.value).name,
                            in_words(there, now)));
        }
    }
    return text.empty() ? "its datasets are not together at any site" : text;
}

bool Engine::can_ever_read(TenantId tenant,
                           const fleet::Demand& demand,
                           const std::vector<std::string>& datasets) const {
    const Staging& staging = state_->staging;
    std::vector<DatasetId> ids;
    for (const std::string& name : datasets) {
        const std::optional<DatasetId> id = staging.find(name);
        if (!id) return false;
        ids.push_back(*id);
    }
    const std::vector<SiteId> sites = sites_of(demand, staging);
    return std::any_of(sites.begin(), sites.end(), [&](SiteId site) {
        return staging.could_have(ids, site) && state_->shape_at(demand, tenant, site).has_value();
    });
}

}  // namespace weir::sched
