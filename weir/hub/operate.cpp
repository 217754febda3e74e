// What operators ask of the Keeper: reservations in advance, nodes out of service, budgets of
// watts.
#include <algorithm>

#include "weir/base/schema.hpp"
#include "weir/base/units.hpp"
#include "weir/hub/admission.hpp"
#include "weir/hub/houses.hpp"
#include "weir/hub/in_the_way.hpp"
#include "weir/hub/keeper.hpp"
#include "weir/hub/keeper_work.hpp"
#include "weir/hub/power.hpp"
#include "weir/job/check_spec.hpp"

namespace weir::hub {
namespace {

// A client's clock may be a little behind.
constexpr Duration past_tolerated = seconds(60);

Result<PoolId> pool_named(const fleet::Fleet& fleet, const std::string& name) {
    std::string names;
    for (std::uint32_t i = 0; i < fleet.pools.size(); ++i) {
        if (fleet.pools[i].name == name) return PoolId{i};
        names += (names.empty() ? "" : ", ") + fleet.pools[i].name;
    }
    if (name.empty() && fleet.pools.size() == 1) return PoolId{0};
    return fail(Code::not_found,
                name.empty() ? "say which pool; there are " + names
                             : "the fleet has no pool \"" + name + "\"; its pools are " + names);
}

Result<Book::NodeKey> node_named(const fleet::Fleet& fleet, const std::string& name) {
    std::optional<Book::NodeKey> found;
    for (std::uint32_t i = 0; i < fleet.pools.size(); ++i) {
        const fleet::Pool& pool = fleet.pools[i];
        // Names that are made of the pool's and a number need no look at each node.
        const bool made = pool.node_names.empty();
        if (made && name.rfind(pool.name + "-", 0) != 0) continue;
        for (std::uint32_t node = 0; node < pool.nodes; ++node) {
            if (fleet.node_name(PoolId{i}, node) != name) continue;
            if (found) {
                return fail(Code::invalid,
                            "the name \"" + name + "\" stands for nodes of several pools");
            }
            found = {PoolId{i}, node};
        }
    }
    if (found) return *found;
    const fleet::Pool& pool = fleet.pools.front();
    return fail(Code::not_found,
                "the fleet has no node \"" + name + "\"; pool " + pool.name + " has " +
                    fleet.node_name(PoolId{0}, 0) +
                    (pool.nodes > 1 ? " to " + fleet.node_name(PoolId{0}, pool.nodes - 1) : ""));
}

Result<std::vector<sched::Advance::Nodes>> runs_of(const fleet::Fleet& fleet,
                                                   const std::vector<std::string>& names) {
    std::vector<Book::NodeKey> nodes;
    for (const std::string& name : names) {
        WEIR_TRY(const Book::NodeKey node, node_named(fleet, name));
        nodes.push_back(node);
    }
    std::sort(nodes.begin(), nodes.end());
    nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
    std::vector<sched::Advance::Nodes> runs;
    for (const auto& [pool, node] : nodes) {
        const bool next = !runs.empty() && runs.back().pool == pool &&
                          runs.back().first + runs.back().count == node;
        if (next) {
            ++runs.back().count;
        } else {
            runs.push_back({.pool = pool, .first = node, .count = 1});
        }
    }
    return runs;
}

std::string in_words(const std::vector<sched::Advance::Nodes>& runs, const fleet::Fleet& fleet) {
    std::uint64_t count = 0;
    std::string names;
    for (const sched::Advance::Nodes& run : runs) {
        count += run.count;
        names += (names.empty() ? "" : ", ") + fleet.node_name(run.pool, run.first);
        if (run.count > 1) names += " to " + fleet.node_name(run.pool, run.first + run.count - 1);
    }
    return format_count(count, "node") + " (" + names + ")";
}

}  // namespace

void Keeper::on(Work& work, OperateMessage& message) {
    work.answer(
        message.reply,
        std::visit([&](const auto& wish) { return operate(work, wish); }, message.operation));
}

Result<std::string> Keeper::operate(Work& work, const MakeReservation& wish) {
    const fleet::Fleet& fleet = book_->engine().fleet();
    if (const auto bad = schema::test_name(wish.name)) {
        return fail(Code::invalid, "name: \"" + wish.name + "\" " + *bad);
    }
    if (const Reservation* known = book_->reservation(wish.name)) {
        return fail(Code::conflict,
                    "there is a reservation " + wish.name + " already, from " +
                        format_time(known->advance.from) + " to " +
                        format_time(known->advance.until) + "; delete it first");
    }
    if (wish.duration.count() <= 0 || wish.duration > job::duration_max) {
        return fail(Code::invalid, "for: valid are durations over 0s and up to 10y");
    }
    if (wish.maintenance && !wish.tenant.empty()) {
        return fail(Code::invalid, "tenant: nobody's jobs run in a reservation for maintenance");
    }
    if (!wish.tenant.empty()) {
        if (const auto checked = check_tenant(wish.tenant); !checked)
            return fail(checked.error().at("tenant"));
        const auto house = house_of(book_->tenants().organisations, wish.tenant);
        if (!house) return fail(house.error().at("tenant"));
    }
    if ((wish.nodes > 0) != wish.node_names.empty()) {
        return fail(Code::invalid, "nodes: say how many of a pool, or which; one of the two");
    }
    if (wish.from && *wish.from > now_ + job::duration_max) {
        return fail(too_far("from", *wish.from, now_));
    }
    Reservation made{.name = wish.name, .tenant = wish.tenant, .advance = {}};
    sched::Advance& advance = made.advance;
    advance.id = book_->next_advance();
    advance.from = std::max(wish.from.value_or(now_), now_);
    advance.until = advance.from + wish.duration;
    advance.maintenance = wish.maintenance;
    if (wish.from && *wish.from < now_ - past_tolerated) {
        return fail(Code::invalid, "from: " + format_time(*wish.from) + " has passed");
    }
    if (wish.node_names.empty()) {
        WEIR_TRY(const PoolId pool, pool_named(fleet, wish.pool));
        WEIR_TRY(advance.nodes,
                 book_->engine().find_advance(pool, wish.nodes, advance.from, advance.until, now_));
    } else {
        WEIR_TRY(advance.nodes, runs_of(fleet, wish.node_names));
        WEIR_CHECK(nobody_in_the_way(advance, *book_));
    }
    record(work, journal::AdvanceMade{made.name, made.tenant, made.advance});
    return "reservation " + wish.name + ": " + in_words(advance.nodes, fleet) + " from " +
           format_time(advance.from) + " to " + format_time(advance.until) +
           (wish.maintenance       ? ", for maintenance"
            : !wish.tenant.empty() ? ", for jobs of " + wish.tenant
                                   : ", for every job that names it");
}

// What runs inside it runs on.
void Keeper::end_reservation(Work& work, AdvanceId id, const std::string& reason) {
    std::vector<JobId> waiting;
    for (const auto& [job, known] : book_->jobs()) {
        if (known.waits() && known.family->request.demand.tag == id.value) waiting.push_back(job);
    }
    for (const JobId job : waiting) {
        // A dependency of another that was just cancelled may have ended it.
        const Job* known = book_->find(job);
        if (known != nullptr && known->waits()) record(work, journal::Cancelled{job, reason});
    }
    record(work, journal::AdvanceEnded{id});
}

void Keeper::end_reservations_that_are_over(Work& work) {
    const auto reservations = book_->reservations();
    for (const auto& [id, known] : reservations) {
        if (known.advance.until > now_) continue;
        end_reservation(work, id, "its reservation " + known.name + " has ended");
    }
}

Result<std::string> Keeper::operate(Work& work, const EndReservation& wish) {
    const Reservation* known = book_->reservation(wish.name);
    if (known == nullptr) {
        return fail(Code::not_found,
                    "there is no reservation \"" + wish.name +
                        "\"; `weir reserve --list` shows those there are");
    }
    end_reservation(work, known->advance.id, "its reservation " + wish.name + " was deleted");
    return "reservation " + wish.name + " is deleted";
}

Result<std::string> Keeper::operate(Work& work, const DrainNode& wish) {
    WEIR_TRY(const Book::NodeKey node, node_named(book_->engine().fleet(), wish.node));
    const auto jobs = jobs_on({.pool = node.first, .first = node.second, .count = 1}, *book_);
    const std::string left =
        jobs.empty() ? "; nothing runs on it"
                     : "; " + format_count(jobs.size(), "job") +
                           (jobs.size() == 1 ? " runs on it and is left to end: "
                                             : " run on it and are left to end: ") +
                           book_->described(jobs.front()) + (jobs.size() > 1 ? " first" : "");
    const auto drained = book_->drained().find(node);
    const bool says_more = !wish.reason.empty() && drained != book_->drained().end() &&
                           drained->second.reason != wish.reason;
    if (drained == book_->drained().end() || says_more) {
        record(
            work,
            journal::NodeChanged{node.first, node.second, sched::NodeHealth::drained, wish.reason});
    }
    return wish.node + " is drained" + left;
}

Result<std::string> Keeper::operate(Work& work, const RestoreNode& wish) {
    WEIR_TRY(const Book::NodeKey node, node_named(book_->engine().fleet(), wish.node));
    if (book_->drained().count(node) == 0) return wish.node + " is in service";
    record(work,
           journal::NodeChanged{node.first, node.second, sched::NodeHealth::up, std::string()});
    return wish.node + " is in service again";
}

Result<std::string> Keeper::operate(Work& work, const SetPowerCap& wish) {
    if (!(wish.watts >= 0) || wish.watts > 1e12) {
        return fail(Code::invalid, "watts: valid are budgets above 0W, up to 1TW");
    }
    const fleet::Fleet& fleet = book_->engine().fleet();
    WEIR_TRY(const sched::PowerDomain domain, power_domain_of(wish.domain, fleet));
    const std::optional<double> draw_watts = power_view(domain, *book_).draw_watts;
    if (wish.watts > 0 && !draw_watts) {
        return fail(
            Code::invalid,
            "watts: nothing says what the nodes of " + wish.domain +
                " draw, so a budget would bind nothing; write node_power in the fleet file");
    }
    const double watts = wish.watts > 0 ? wish.watts : budget_by_file(domain, fleet);
    record(work, journal::PowerCapSet{domain, watts});
    const std::string by_file = wish.watts > 0 ? "" : ", as the fleet file says";
    if (watts == 0) return wish.domain + " may draw what it can" + by_file;
    const std::string note = power_view(domain, *book_).note;
    return wish.domain + " may draw " + format_rate(watts, "W") + by_file + "; it draws " +
           (draw_watts ? format_rate(*draw_watts, "W") : "nobody knows what") +
           (note.empty() ? "" : "; " + note);
}

Result<std::string> Keeper::operate(Work& work, const NoteCheckpoint& wish) {
    const std::vector<JobId> jobs = book_->everybody().find(wish.reference);
    if (jobs.empty()) return fail(unknown_job(wish.reference));
    if (jobs.size() > 1) {
        return fail(Code::invalid, wish.reference + " is an array; say which member has saved");
    }
    const Job* job = book_->find(jobs.front());
    if (job == nullptr || !job->runs()) {
        return fail(Code::conflict, book_->described(jobs.front()) + " does not run");
    }
    record(work, journal::Checkpointed{job->id});
    return "noted: " + book_->described(jobs.front()) + " has saved what it did so far";
}

Duration Keeper::wakes_in(Moment now) {
    if (broken_ || read_only_ || !in_the_way_.empty()) return forever;
    Time at = book_->engine().wakes_at();
    for (const auto& [id, known] : book_->reservations())
        at = std::min(at, known.advance.until);
    if (at >= never) return forever;
    BookClock clock = clock_;
    return std::max(at - clock.read(now), Duration{0});
}

void Keeper::wake(Moment now) {
    advance(now);
    if (broken_ || read_only_) return;
    Work work;
    work.engine_heard = true;
    end_reservations_that_are_over(work);
    settle(work);
    while (!given_up_.empty() && !broken_)
        run({});
}

std::vector<ReservationView> Keeper::reservations() const {
    const fleet::Fleet& fleet = book_->engine().fleet();
    std::map<std::uint32_t, ReservationView> views;
    for (const auto& [id, known] : book_->reservations()) {
        ReservationView& view = views[id.value];
        view.name = known.name;
        view.tenant = known.tenant;
        view.maintenance = known.advance.maintenance;
        view.from = known.advance.from;
        view.until = known.advance.until;
        for (const sched::Advance::Nodes& run : known.advance.nodes) {
            view.nodes.push_back({.pool = fleet.pool(run.pool).name,
                                  .first = fleet.node_name(run.pool, run.first),
                                  .last = fleet.node_name(run.pool, run.first + run.count - 1),
                                  .count = run.count});
        }
    }
    for (const auto& [id, job] : book_->jobs()) {
        const auto view = views.find(job.family->request.demand.tag);
        if (view == views.end()) continue;
        if (job.runs()) view->second.running.push_back(book_->everybody().id_of(id));
        if (job.waits()) ++view->second.waiting;
    }
    std::vector<ReservationView> all;
    for (auto& [id, view] : views)
        all.push_back(std::move(view));
    std::stable_sort(
        all.begin(), all.end(), [](const auto& a, const auto& b) { return a.from < b.from; });
    return all;
}

std::vector<TenantView> Keeper::tenants() const {
    return tenants_of(*book_);
}

Result<tenancy::Statement> Keeper::statement(const std::string& tenant,
                                             std::optional<Time> at) const {
    return book_->accounts().statement(tenant, at.value_or(now_));
}

Result<std::vector<PowerView>> Keeper::power(const std::string& of) const {
    return power_views(of, *book_);
}

}  // namespace weir::hub
