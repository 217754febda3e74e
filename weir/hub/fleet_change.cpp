// Another fleet, another policy or other organisations than the journal's, found when the hub
// starts.
//
// The core knows no way from one fleet to another, and needs none: a fresh one begins, and every
// job that waits or runs is submitted to it anew, in the old order; those that run are put where
// they are. That is possible at once when each of them still has its place in the new fleet. While
// one has not (its node is gone, its chips are others), nothing starts, so that the machine that
// people have does not fill up by the rules of one that they no longer have. What operators said
// goes along as far as it is about nodes, racks and sites that are still there.
//
// Promises come last, and before anybody else is promised or started anything: first those whose
// nodes are as they were, where they were; then, in the order of their times, the others wherever
// there is room. One that cannot be kept is promised anew as early as can be, and that is said.
//
// Nobody who waits is lost by a fleet file that lacks something, for the next one may have it
// again: whoever could never start in the new fleet waits for another one, held, and says what is
// missing.
//
// Who runs is not stopped for its rights: whose organisation is gone runs as a guest of the centre,
// and whoever uses more than it may now is a borrower like any other. Who waits and by another
// tenants file will never have a right to what it asks for is cancelled with the reason, as is who
// comes back to the queue so.
#include <algorithm>

#include "weir/base/log.hpp"
#include "weir/hub/admission.hpp"
#include "weir/hub/fleet_datasets.hpp"
#include "weir/hub/houses.hpp"
#include "weir/hub/keeper.hpp"
#include "weir/hub/keeper_work.hpp"
#include "weir/hub/power.hpp"
#include "weir/hub/verdict.hpp"
#include "weir/job/job_json.hpp"

namespace weir::hub {
namespace {

std::optional<PoolId> same_pool(const fleet::Pool& pool, const fleet::Fleet& fleet) {
    for (std::uint32_t i = 0; i < fleet.pools.size(); ++i) {
        const fleet::Pool& other = fleet.pools[i];
        if (other.name == pool.name && other.site == pool.site && other.chip == pool.chip) {
            return PoolId{i};
        }
    }
    return std::nullopt;
}

// Nodes are known by their names.
std::optional<std::uint32_t> same_node(const std::string& name,
                                       std::uint32_t likely,
                                       PoolId pool,
                                       const fleet::Fleet& fleet) {
    const fleet::Pool& its = fleet.pool(pool);
    if (likely < its.nodes && fleet.node_name(pool, likely) == name) return likely;
    for (std::uint32_t node = 0; node < its.nodes; ++node) {
        if (fleet.node_name(pool, node) == name) return node;
    }
    return std::nullopt;
}

// The same nodes and chips in the terms of another fleet; nothing when one of them is gone.
std::optional<fleet::Placement> same_place(const fleet::Placement& placement,
                                           const fleet::Fleet& from,
                                           const fleet::Fleet& to) {
    fleet::Placement same;
    for (const fleet::NodeRange& range : placement.ranges) {
        const auto pool = same_pool(from.pool(range.pool), to);
        if (!pool) return std::nullopt;
        for (std::uint32_t i = 0; i < range.count; ++i) {
            const std::uint32_t was = range.first + i;
            const auto node = same_node(from.node_name(range.pool, was), was, *pool, to);
            if (!node) return std::nullopt;
            if (i > 0 && same.ranges.back().first + same.ranges.back().count == *node) {
                ++same.ranges.back().count;
                continue;
            }
            fleet::NodeRange run = range;
            run.pool = *pool;
            run.first = *node;
            run.count = 1;
            same.ranges.push_back(run);
        }
    }
    return same;
}

// Why what was promised on these nodes is not sure to be kept on the same ones, which come out in
// the terms of the other fleet; "" = it is.
std::string others_than_before(const fleet::Placement& placement,
                               fleet::Level within,
                               const fleet::Fleet& from,
                               const fleet::Fleet& to,
                               fleet::Placement& same) {
    for (const fleet::NodeRange& range : placement.ranges) {
        const fleet::Pool& was = from.pool(range.pool);
        const auto pool = same_pool(was, to);
        if (!pool) return "pool " + was.name + " is not in the new fleet";
        const fleet::Pool& is = to.pool(*pool);
        if (is.chips_per_node != was.chips_per_node || is.cpus_milli != was.cpus_milli ||
            is.memory != was.memory) {
            return "the nodes of pool " + was.name + " are others in the new fleet";
        }
        const bool in_racks = within == fleet::Level::rack || within == fleet::Level::pod;
        const bool same_racks =
            is.rack_nodes() == was.rack_nodes() && is.pod_nodes() == was.pod_nodes();
        for (std::uint32_t i = 0; i < range.count; ++i) {
            const std::uint32_t number = range.first + i;
            const auto node = same_node(from.node_name(range.pool, number), number, *pool, to);
            if (!node) {
                return from.node_name(range.pool, number) + " is not in the new fleet";
            }
            if (in_racks && (!same_racks || *node != number)) {
                return "the racks of pool " + was.name + " are others in the new fleet";
            }
        }
    }
    same = same_place(placement, from, to).value();
    return "";
}

std::optional<Book::NodeKey> moved(const Book::NodeKey& node,
                                   const fleet::Fleet& from,
                                   const fleet::Fleet& to) {
    const auto pool = same_pool(from.pool(node.first), to);
    if (!pool) return std::nullopt;
    const auto its = same_node(from.node_name(node.first, node.second), node.second, *pool, to);
    if (!its) return std::nullopt;
    return Book::NodeKey{*pool, *its};
}

// The reservations with those of their nodes that are still there; they keep their numbers, which
// the jobs inside them carry.
std::vector<journal::AdvanceMade> moved(const std::map<AdvanceId, Reservation>& reservations,
                                        const fleet::Fleet& from,
                                        const fleet::Fleet& to) {
    std::vector<journal::AdvanceMade> all;
    for (const auto& [id, known] : reservations) {
        journal::AdvanceMade made{known.name, known.tenant, known.advance};
        std::vector<sched::Advance::Nodes>& runs = made.advance.nodes;
        runs.clear();
        for (const sched::Advance::Nodes& run : known.advance.nodes) {
            for (std::uint32_t i = 0; i < run.count; ++i) {
                const auto node = moved({run.pool, run.first + i}, from, to);
                if (!node) continue;
                const bool next = !runs.empty() && runs.back().pool == node->first &&
                                  runs.back().first + runs.back().count == node->second;
                if (next) {
                    ++runs.back().count;
                } else {
                    runs.push_back({.pool = node->first, .first = node->second, .count = 1});
                }
            }
        }
        if (!runs.empty()) all.push_back(std::move(made));
    }
    return all;
}

// The size in which it has started once, and stays.
std::optional<std::uint32_t> size_of(const Job& job) {
    if (job.attempts.empty()) return std::nullopt;
    return job.attempts.back().size;
}

// A running job in the terms of another fleet. Where its reservation did not come along, it runs on
// without.
struct MovedJob {
    ForFleet job;
    fleet::Placement placement;
};
std::optional<MovedJob> moved(const Job& job,
                              const std::vector<journal::AdvanceMade>& reservations,
                              const fleet::Fleet& from,
                              const sched::Engine& to,
                              const catalog::Catalog& catalog) {
    sched::Request request = job.family->request;
    request.job = job.id;
    const bool inside = std::any_of(
        reservations.begin(), reservations.end(), [&request](const journal::AdvanceMade& made) {
            return made.advance.id.value == request.demand.tag;
        });
    if (!inside) request.demand.tag = 0;
    const TenantId house = to.rights().organisations.house_of(job.family->tenant);
    request.tenant = house.valid() ? house : TenantId{0};
    ForFleet carried = request_for_fleet(request, job.family->spec, size_of(job), {}, to, catalog);
    auto placement = same_place(job.attempts.back().placement, from, to.fleet());
    if (!carried.unserved.empty() || !placement) return std::nullopt;
    return MovedJob{std::move(carried), *std::move(placement)};
}

// "b200: emulated oz2-int8-15 (certified), which was native; mi300x no more"; "" where all is as it
// was, but for times and what they are founded on.
std::string other_plan(const std::vector<job::Planned>& was, const std::vector<job::Planned>& is) {
    const auto on = [](const std::vector<job::Planned>& plan, const std::string& chip) {
        return std::find_if(plan.begin(), plan.end(), [&chip](const job::Planned& each) {
            return each.chip == chip;
        });
    };
    const auto how = [](const job::Planned& planned) {
        return (planned.degraded ? "below its contract, " : "") + planned.how;
    };
    std::string text;
    const auto add = [&text](const std::string& part) {
        text += (text.empty() ? "" : "; ") + part;
    };
    for (const job::Planned& planned : is) {
        const auto before = on(was, planned.chip);
        if (before == was.end()) {
            add(planned.chip + ": " + how(planned));
        } else if (how(*before) != how(planned)) {
            add(planned.chip + ": " + how(planned) + ", which was " + how(*before));
        }
    }
    for (const job::Planned& planned : was)
        if (on(is, planned.chip) == is.end()) add(planned.chip + " no more");
    return text;
}

// The number of the size among those that are planned now: as many chips of that kind, on as many
// nodes.
std::optional<std::uint32_t> number_of(const job::TrainSize& size,
                                       const std::vector<job::TrainSize>& all) {
    const auto same = std::find_if(all.begin(), all.end(), [&](const job::TrainSize& each) {
        return each.chip == size.chip && each.replicas == size.replicas &&
               each.chips == size.chips &&
               std::any_of(each.pools.begin(), each.pools.end(), [&](const std::string& pool) {
                   return std::find(size.pools.begin(), size.pools.end(), pool) != size.pools.end();
               });
    });
    if (same == all.end()) return std::nullopt;
    return static_cast<std::uint32_t>(same - all.begin());
}

// As they stand, with what the size of each was planned to be.
Promises promises_of(const Book& book) {
    Promises promises;
    for (const auto& [id, promise] : book.promises()) {
        PromiseBefore& its = promises[id];
        its.promise = promise;
        const Job* const job = book.find(id);
        const bool is_open = job != nullptr && !job->family->request.sizes.empty();
        if (is_open && promise.size < job->family->spec.sizes.size())
            its.size = job->family->spec.sizes[promise.size];
    }
    return promises;
}

}  // namespace

// What was charged stays in its currency, and no rate of exchange is known.
Result<void> Keeper::check_currency() const {
    WEIR_TRY(const auto asked, currency_of(options_.tenants, fleet_));
    const Accounts& accounts = book_->accounts();
    if (!asked || !accounts.has_amounts() || *asked == accounts.currency()) return {};
    return fail(Code::invalid,
                "the ledger of this hub is in " + std::string(accounts.currency().text()) +
                    ", and the tenants file or the prices of the fleet are in " +
                    std::string(asked->text()) + "; a data folder has one currency");
}

// What the journal takes it must give back, or no hub could ever start from it again.
Result<void> Keeper::check_tenants() const {
    const tenancy::OrganisationsFile& file = options_.tenants;
    if (!fleet_is_new_ || file.organisations.empty()) return {};
    const auto again = tenancy::read_printed_organisations(tenancy::print_organisations(file),
                                                           "the tenants file in the journal");
    if (!again) return fail(again.error());
    if (*again == file) return {};
    return fail(Code::internal,
                "the tenants file would not come back from the journal as it is, so it is not "
                "taken over; the data folder is as it was");
}

// The catalogue is not in the journal, but what was planned by it is.
bool Keeper::catalogue_plans_otherwise() const {
    const auto& jobs = book_->jobs();
    return std::any_of(jobs.begin(), jobs.end(), [this](const auto& known) {
        const Job& job = known.second;
        return job.waits() && !lacks_place_or_right(job) &&
               plans_otherwise(*job.family, size_of(job), book_->engine(), catalog_of(options_));
    });
}

// A fleet holds a job for its reservation or its rights, too: of these a catalogue knows nothing.
bool Keeper::lacks_place_or_right(const Job& job) const {
    const Family& family = *job.family;
    if (family.is_served) return false;
    const std::string& reservation = family.spec.reservation;
    const auto& all = book_->reservations();
    if (!reservation.empty() && std::none_of(all.begin(), all.end(), [&](const auto& known) {
            return known.second.name == reservation;
        })) {
        return true;
    }
    const ForFleet now = request_for_fleet(
        family.request, family.spec, size_of(job), {}, book_->engine(), catalog_of(options_));
    return !why_it_has_no_right(job, now.request).empty();
}

void Keeper::compare_fleet() {
    fleet_is_new_ = !book_->begun() || book_->policy() != options_.policy ||
                    book_->engine().fleet() != fleet_ || book_->tenants() != options_.tenants ||
                    book_->rates() != rates_ || book_->domestic() != domestic_ ||
                    book_->written_as() != journal::format || catalogue_plans_otherwise();
    in_the_way_.clear();
    look_who_is_in_the_way_ = true;
}

// The running jobs that have no place in the new fleet, or none beside the others.
std::vector<JobId> Keeper::without_a_place() const {
    std::vector<JobId> without;
    if (!book_->begun()) return without;
    sched::Engine trial(
        fleet_, options_.policy, rights_from(fleet_, options_.tenants.organisations, rates_));
    const auto reservations = moved(book_->reservations(), book_->engine().fleet(), fleet_);
    for (const journal::AdvanceMade& made : reservations)
        trial.apply(sched::AdvanceMade{made.advance}, now_);
    for (const journal::DatasetChanged& its : datasets_in(*book_, fleet_)) {
        const auto site = std::find_if(fleet_.sites.begin(),
                                       fleet_.sites.end(),
                                       [&](const auto& each) { return each.name == its.site; });
        const sched::SiteId id{static_cast<std::uint32_t>(site - fleet_.sites.begin())};
        if (its.fate == journal::DatasetChanged::Fate::made) {
            trial.apply(sched::DatasetMade{its.dataset, its.size, id}, now_);
        } else {
            trial.apply(sched::DatasetStaged{its.dataset, id}, now_);
        }
    }
    for (const JobId id : book_->running()) {
        const Job& job = *book_->find(id);
        const auto carried =
            moved(job, reservations, book_->engine().fleet(), trial, catalog_of(options_));
        if (!carried) {
            without.push_back(id);
            continue;
        }
        const Attempt& attempt = job.attempts.back();
        trial.apply(sched::JobSubmitted{carried->job.request}, now_);
        if (!trial.follow({sched::Start{id, carried->placement}, {.cause = attempt.cause}},
                          attempt.started_at)) {
            without.push_back(id);
        }
    }
    return without;
}

// True when fleet and policy in force are those that were asked for, or are from now on.
bool Keeper::settle_fleet(Work& work) {
    if (!fleet_is_new_) return true;
    if (look_who_is_in_the_way_) in_the_way_ = without_a_place();
    look_who_is_in_the_way_ = false;
    if (!in_the_way_.empty()) return false;
    change_fleet(work);
    return true;
}

void Keeper::change_fleet(Work& work) {
    fleet::Fleet old_fleet;
    std::vector<journal::AdvanceMade> reservations;
    const auto datasets = datasets_in(*book_, fleet_);
    const bool same_tenants = !book_->begun() || book_->tenants() == options_.tenants;
    const Promises promises = promises_of(*book_);
    const auto drained = book_->drained();
    std::map<std::string, double> power_caps;  // by name
    if (book_->begun()) {
        log::info(
            "the fleet, the policy or the organisations have changed; the new ones are in force");
        old_fleet = book_->engine().fleet();
        reservations = moved(book_->reservations(), old_fleet, fleet_);
        for (const auto& [domain, watts] : book_->power_caps())
            power_caps[text_of(domain, old_fleet)] = watts;
    }
    record(work,
           journal::FleetSet{.fleet = fleet_,
                             .policy = options_.policy,
                             .tenants = options_.tenants,
                             .rates = rates_,
                             .domestic = domestic_});
    fleet_is_new_ = false;
    for (const journal::AdvanceMade& made : reservations)
        record(work, made);
    for (const journal::DatasetChanged& its : datasets)
        record(work, its);
    std::vector<JobId> alive;
    for (const auto& known : book_->jobs()) {
        if (!is_final(known.second.state)) alive.push_back(known.first);
    }
    // Whoever runs beside a dataset holds it, before one that waits for another wants its room.
    std::stable_partition(alive.begin(), alive.end(), [this](JobId id) {
        const Job& job = *book_->find(id);
        return job.runs() && !job.family->request.data.empty();
    });
    for (const JobId id : alive) {
        const Job& job = *book_->find(id);
        if (job.runs()) {
            auto its = moved(job, reservations, old_fleet, book_->engine(), catalog_of(options_));
            carry(work, job, std::move(its.value().job), std::move(its->placement));
        } else {
            carry_waiting(work, job, same_tenants);
        }
    }
    for (const auto& [node, why] : drained) {
        const auto its = moved(node, old_fleet, fleet_);
        if (!its) continue;
        record(
            work,
            journal::NodeChanged{its->first, its->second, sched::NodeHealth::drained, why.reason});
    }
    for (const auto& [name, watts] : power_caps) {
        if (const auto domain = power_domain_of(name, fleet_)) {
            record(work, journal::PowerCapSet{*domain, watts});
        }
    }
    look_at_files(work);
    carry_promises(work, promises, old_fleet);
}

void Keeper::carry_promises(Work& work, const Promises& promises, const fleet::Fleet& old_fleet) {
    struct Open {
        JobId job;
        Time at;
        std::uint32_t size;
        std::string reason;
    };
    std::vector<Open> open;  // not sure to be kept
    for (const auto& [id, its] : promises) {
        const Book::Promise& promise = its.promise;
        const Job* job = book_->find(id);
        if (job == nullptr || !job->waits()) continue;
        if (job->state == JobState::held) {
            record(work,
                   journal::PromiseCarried{id,
                                           promise.at,
                                           never,
                                           {},
                                           "it does not wait for room: it is promised a start "
                                           "anew when it does, or when its data comes"});
            continue;
        }
        if (!book_->policy().backfill) {
            record(work,
                   journal::PromiseCarried{
                       id, promise.at, never, {}, "strict order promises nobody a start"});
            continue;
        }
        const fleet::Level within = job->family->request.demand.within;
        fleet::Placement same;
        const auto size = its.size ? number_of(*its.size, job->family->spec.sizes)
                                   : std::optional<std::uint32_t>(promise.size);
        std::string reason =
            promise.placement.ranges.empty() ? "it names no nodes"
            : !size                          ? "it would not be planned so in the new fleet"
                    : others_than_before(promise.placement, within, old_fleet, fleet_, same);
        // In another size it counts as something else.
        const bool counts_by_size = its.size && !book_->tenants().organisations.empty();
        if (reason.empty() && counts_by_size) reason = "it may run in several sizes";
        if (reason.empty() &&
            !book_->engine().has_right(
                id, same.ranges.empty() ? PoolId::none() : same.ranges.front().pool)) {
            reason = "its organisation has no right to so much beside what it uses";
        }
        // Where its data lies may be another place by now, and its sizes go with that.
        if (reason.empty() && its.size && !job->family->request.data.empty() &&
            book_->engine().find_promise(id, promise.at, now_, *size).size != *size)
            reason = "its data lies elsewhere now";
        const bool is_sure = reason.empty() && old_fleet == fleet_;
        if (reason.empty()) {
            record(work,
                   journal::PromiseCarried{id, promise.at, promise.at, std::move(same), "", *size});
            reason = "the new fleet has less room for it";
        }
        if (!is_sure)
            open.push_back(
                {id, promise.at, size.value_or(sched::Engine::no_size), std::move(reason)});
    }
    std::stable_sort(
        open.begin(), open.end(), [](const Open& a, const Open& b) { return a.at < b.at; });
    for (Open& each : open) {
        sched::Reserve found = book_->engine().find_promise(each.job, each.at, now_, each.size);
        const Book::Promise* const known = book_->promise(each.job);
        const bool kept = found.at <= each.at;
        if (kept && known != nullptr) continue;  // where it was
        record(work,
               journal::PromiseCarried{each.job,
                                       each.at,
                                       found.at,
                                       std::move(found.placement),
                                       kept ? std::string() : std::move(each.reason),
                                       found.size});
    }
}

// Why a job that waits will never have a right to what it asks for; "" = it may.
std::string Keeper::why_it_has_no_right(const Job& job,
                                        const sched::Request& request,
                                        const char* because) const {
    const auto house = house_of(book_->tenants().organisations, job.family->tenant);
    if (!house) return "its organisation is gone: " + house.error().message;
    if (request.demand.pools.empty()) return "";  // it waits for another fleet
    // In any of its sizes.
    auto ever = book_->engine().can_ever_have(*house, request.demand);
    for (const sched::Size& size : request.sizes)
        if (!ever) ever = book_->engine().can_ever_have(*house, size.demand);
    return ever ? "" : because + ever.error().message;
}

void Keeper::carry_waiting(Work& work, const Job& job, bool same_tenants) {
    sched::Request old = job.family->request;
    old.job = job.id;
    const std::string& reservation = job.family->spec.reservation;
    const auto inside = std::find_if(
        book_->reservations().begin(), book_->reservations().end(), [&](const auto& known) {
            return old.demand.tag == 0 ? known.second.name == reservation
                                       : known.first.value == old.demand.tag;
        });
    const bool has_no_place = !reservation.empty() && inside == book_->reservations().end();
    old.demand.tag = reservation.empty() || has_no_place ? 0 : inside->first.value;
    std::vector<sched::Dependency> unmet;
    for (const sched::Dependency& dependency : old.after) {
        const JobState state = book_->everybody().line(dependency.job).state;
        if (!is_final(state)) {
            unmet.push_back(dependency);
        } else if (!satisfies(state, dependency.needs)) {
            const std::string reason = book_->dependency_failed(dependency.job);
            return record(work, journal::Cancelled{job.id, reason});
        }
    }
    ForFleet carried = request_for_fleet(old,
                                         job.family->spec,
                                         size_of(job),
                                         std::move(unmet),
                                         book_->engine(),
                                         catalog_of(options_));
    sched::Request& request = carried.request;
    if (same_tenants) {
        const std::string why =
            why_it_has_no_right(job, request, "in this fleet it can never start: ");
        if (!why.empty()) carried.unserved = why;
    } else if (std::string why = why_it_has_no_right(job, request); !why.empty()) {
        return record(work, journal::Cancelled{job.id, std::move(why)});
    }
    if (has_no_place) {
        carried.unserved = "its reservation " + reservation +
                           " had no node in a new fleet; make "
                           "it again before the hub is started with another one, or cancel the job";
    }
    if (!carried.unserved.empty()) wait_for_another_fleet(request);
    request.tenant = *house_of(book_->tenants().organisations, job.family->tenant);
    carry(work, job, std::move(carried), {});
}

// What is planned goes along: a job that will be computed in another way than it was told says so.
void Keeper::carry(Work& work, const Job& job, ForFleet carried, fleet::Placement placement) {
    job::JobSpec spec = job.family->spec;
    const bool is_new = spec.planned != carried.plan || spec.sizes != carried.sizes;
    if (is_new) {
        if (const std::string what = other_plan(spec.planned, carried.plan); !what.empty()) {
            log::warn(book_->described(job.id) + " is planned otherwise now: " + what);
        }
        spec.planned = std::move(carried.plan);
        spec.sizes = std::move(carried.sizes);
        record(work, journal::SpecGiven{job::spec_to_json(spec)});
    }
    const JobId first = job.family->first;
    record(work,
           journal::Carried{
               std::move(carried.request), std::move(placement), std::move(carried.unserved)});
    if (is_new) book_->set_spec(first, std::move(spec));
}

std::optional<PendingChange> Keeper::pending_change() const {
    if (!waits_for_change()) return std::nullopt;
    constexpr std::size_t named_max = 3;
    PendingChange change;
    change.policy = options_.policy;
    std::string names;
    for (const JobId id : in_the_way_) {
        change.waits_for.push_back(book_->everybody().id_of(id));
        if (change.waits_for.size() > named_max) continue;
        names += (names.empty() ? "" : ", ") + book_->described(id);
    }
    if (in_the_way_.size() > named_max) {
        names += " and " + format_count(in_the_way_.size() - named_max, "other");
    }
    const bool one = in_the_way_.size() == 1;
    change.sentence = "the fleet has changed, and " + names + (one ? " runs" : " run") +
                      " where the new one has no place for " + (one ? "it" : "them") +
                      ": nothing starts until " + (one ? "it has" : "they have") +
                      " ended, and then the new fleet is in force";
    return change;
}

}  // namespace weir::hub
