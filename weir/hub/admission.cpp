#include "weir/hub/admission.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "weir/base/digest.hpp"
#include "weir/exec/shepherd_protocol.hpp"
#include "weir/hub/houses.hpp"
#include "weir/hub/training.hpp"
#include "weir/hub/verdict.hpp"
#include "weir/job/check_spec.hpp"
#include "weir/job/job_json.hpp"
#include "weir/match/match.hpp"

namespace weir::hub {
namespace {

// The kind of chip as which a machine offers its processor packages.
constexpr std::string_view processor = "cpu";

std::string quoted_list(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        if (!text.empty()) text += ", ";
        text += word;
    }
    return text.empty() ? "none" : text;
}

template <class Items, class NameOf>
std::vector<std::string> names_in(const Items& items, NameOf name_of_item) {
    std::vector<std::string> names;
    for (const auto& item : items) {
        const std::string name = name_of_item(item);
        if (name.empty() || std::find(names.begin(), names.end(), name) != names.end()) continue;
        names.push_back(name);
    }
    return names;
}

// In the order of preference of chips_any_of; without it, in the order of the fleet.
Result<std::vector<PoolId>> pools_asked_for(const fleet::Fleet& fleet,
                                            const job::JobSpec& spec,
                                            const catalog::Catalog& catalog) {
    for (const std::string& site : spec.sites) {
        const bool known =
            std::any_of(fleet.sites.begin(), fleet.sites.end(), [&site](const fleet::Site& each) {
                return each.name == site;
            });
        if (known) continue;
        const auto names = names_in(fleet.sites, [](const fleet::Site& each) { return each.name; });
        return fail(
            Code::never_fits,
            "sites: the fleet has no site \"" + site + "\"; its sites are " + quoted_list(names));
    }
    const auto site_accepted = [&spec](const fleet::Pool& pool) {
        return spec.sites.empty() ||
               std::find(spec.sites.begin(), spec.sites.end(), pool.site) != spec.sites.end();
    };
    std::vector<PoolId> accepted;
    // A chip may go by several names.
    const auto is_called = [&catalog](const std::string& chip, std::string_view name) {
        if (chip == name) return true;
        const catalog::ChipRecord* record = catalog.find(name);
        return record != nullptr && !chip.empty() && catalog.find(chip) == record;
    };
    const auto add_pools = [&](std::string_view chip) {
        for (std::uint32_t i = 0; i < fleet.pools.size(); ++i) {
            const fleet::Pool& pool = fleet.pools[i];
            if (!site_accepted(pool) || (!chip.empty() && !is_called(pool.chip, chip))) {
                continue;
            }
            if (spec.gpus && pool.chip == processor) continue;
            if (std::find(accepted.begin(), accepted.end(), PoolId{i}) != accepted.end()) continue;
            accepted.push_back(PoolId{i});
        }
    };
    if (spec.chips_any_of.empty()) add_pools("");
    for (const std::string& chip : spec.chips_any_of)
        add_pools(chip);
    if (!accepted.empty()) return accepted;

    const auto chips = names_in(fleet.pools, [&](const fleet::Pool& pool) {
        return site_accepted(pool) ? pool.chip : std::string();
    });
    const std::string where =
        spec.sites.empty() ? std::string("of the fleet") : "at " + quoted_list(spec.sites);
    // A kind of its own that was asked for by name is the more precise complaint.
    const std::string asked = spec.chips_any_of.empty() ? "gpus: " : "chips.any_of: ";
    const std::string what =
        spec.chips_any_of.empty()
            ? "the " + format_count(spec.gang.chips, "GPU") + " that each replica asks for"
            : quoted_list(spec.chips_any_of);
    return fail(Code::never_fits,
                asked + "no pool " + where + " has " + what + "; its kinds of chip are " +
                    quoted_list(chips));
}

// What is planned on each kind of chip that serves, in the order of preference.
std::vector<job::Planned> plan_of(const match::Offers& offers) {
    std::vector<job::Planned> plan;
    for (const match::PoolOffer& pool : offers.pools) {
        const match::Kind& kind = offers.kinds[pool.kind];
        if (!pool.keeps || kind.match.offer->phases.empty()) continue;
        const bool known = std::any_of(plan.begin(), plan.end(), [&kind](const auto& planned) {
            return planned.chip == kind.name;
        });
        if (known) continue;
        const match::ChipOffer& offer = *kind.match.offer;
        job::Planned planned{.chip = kind.name,
                             .how = match::how(offer),
                             .basis = offer.basis,
                             .time = {},
                             .degraded = offers.degraded};
        if (kind.record != nullptr) planned.env = match::environment_of(offer, *kind.record);
        // What would take longer than any job may run is said no closer.
        if (offer.seconds && *offer.seconds < as_seconds(job::duration_max)) {
            planned.time = Duration{std::llround(*offer.seconds * 1000)};
        }
        plan.push_back(std::move(planned));
    }
    return plan;
}

struct Pools {
    std::vector<PoolId> accepted;  // empty where the job waits for another fleet
    std::vector<job::Planned> plan;
    std::string unserved;  // why, then
};

bool may_wait_for_a_fleet(const job::JobSpec& spec) {
    return spec.precision && spec.precision->on_unsatisfied == job::Unsatisfied::wait;
}

// Short enough for a table: the kinds of chip at the front, and how many more there are.
std::string in_one_line(const std::vector<std::string>& reasons) {
    constexpr std::size_t named_max = 3;
    std::string line;
    for (std::size_t i = 0; i < reasons.size() && i < named_max; ++i)
        line += (line.empty() ? "" : "; ") + reasons[i];
    if (reasons.size() > named_max) {
        line += "; and " + format_count(reasons.size() - named_max, "more kind");
    }
    return line;
}

// How many chips a training job gets is not known before its chips are.
job::JobSpec on_one_chip(job::JobSpec spec) {
    if (spec.train) spec.gang.chips = 1;
    return spec;
}

// Those that were asked for and keep what the job demands of its chips; where it demands something,
// in the order of preference of match.hpp.
Result<Pools> pools_of(const fleet::Fleet& fleet,
                       const job::JobSpec& spec,
                       const catalog::Catalog& catalog) {
    Pools pools;
    WEIR_TRY(pools.accepted, pools_asked_for(fleet, spec, catalog));
    const job::JobSpec asked = on_one_chip(spec);
    if (match::contract_of(asked).empty()) return pools;
    const match::Offers offers = match::offers_of(asked, fleet, catalog);
    pools.accepted = offers.keeping();
    pools.plan = plan_of(offers);
    if (!pools.accepted.empty()) return pools;
    if (may_wait_for_a_fleet(spec)) {
        pools.unserved =
            "no chip of this fleet keeps its contract: " + in_one_line(offers.reasons());
        return pools;
    }
    std::string why;
    for (const std::string& sentence : offers.reasons())
        why += "\n  " + sentence;
    return fail(Code::never_fits,
                "no kind of chip of the fleet keeps what the job demands; `weir offers` shows what "
                "would:" +
                    why);
}

Result<void> check_honoured(const job::JobSpec& spec) {
    if (spec.not_honoured.empty()) return {};
    return fail(Code::unsupported,
                quoted_list(spec.not_honoured) +
                    ": checked but not honoured by this version; leave it out to run the job "
                    "without that promise");
}

// A local site is one machine, and one shepherd there looks after all tasks of a gang.
Result<void> check_tasks(const fleet::Fleet& fleet, const fleet::Demand& demand) {
    const bool on_one_machine =
        std::all_of(demand.pools.begin(), demand.pools.end(), [&fleet](PoolId pool) {
            const std::string& name = fleet.pool(pool).site;
            return std::any_of(fleet.sites.begin(), fleet.sites.end(), [&](const auto& site) {
                return site.name == name && site.executor == "local";
            });
        });
    std::uint64_t tasks = 0;
    for (const fleet::GangPart& part : demand.parts)
        tasks += part.replicas;
    constexpr std::uint64_t tasks_max{exec::protocol::tasks_max};
    if (!on_one_machine || tasks <= tasks_max) return {};
    return fail(Code::too_large,
                "gang.replicas: " + format_count(tasks, "task") + " on one machine; at most " +
                    std::to_string(tasks_max) + " are possible (an array has no such limit)");
}

// What the core compares, and nothing else: never 0, which stands for "not known".
std::uint64_t fingerprint(const std::string& text) {
    Digest digest;
    digest.add(text);
    return std::max<std::uint64_t>(digest.value(), 1);
}

// "run-12-of-40" and "run-13-of-40" are called alike.
std::string without_numbers(const std::string& name) {
    std::string text;
    for (const char c : name) {
        if (c < '0' || c > '9') text += c;
    }
    return text;
}

// Is there room for it in the empty fleet, and would its organisation ever have a right to so much?
Result<void> can_ever_run(const sched::Engine& engine, const sched::Request& request) {
    WEIR_CHECK(engine.can_ever_fit(request.demand));
    WEIR_CHECK(engine.can_ever_have(request.tenant, request.demand));
    return check_tasks(engine.fleet(), request.demand);
}

}  // namespace

Result<void> check_deadline(Time deadline,
                            sched::Request& request,
                            const sched::Engine& engine,
                            Time now) {
    if (deadline <= now) {
        return fail(Code::never_fits, "deadline: " + format_time(deadline) + " has passed");
    }
    if (deadline > now + job::duration_max) return fail(too_far("deadline", deadline, now));
    request.deadline = deadline;
    if (request.demand.pools.empty()) return {};  // in this fleet nobody can say
    return engine.can_meet_deadline(request, now);
}

Result<void> may_run_in_size(const sched::Request& request,
                             std::optional<Money> budget,
                             const sched::Engine& engine,
                             const Accounts& accounts,
                             std::span<const tenancy::Commitment> more,
                             Time now) {
    WEIR_CHECK(can_ever_run(engine, request));
    WEIR_TRY(const Money cost, accounts.cost_at_most(request));
    if (cost.micros == 0) return {};
    return accounts.may_spend(request.tenant, cost, now, more, budget);
}

Error too_far(const std::string& what, Time at, Time now) {
    return {Code::invalid,
            what + ": " + format_time(at) + " is more than 10y from now; valid are times up to " +
                format_time(now + job::duration_max)};
}

std::string owner_of(const Submission& submission) {
    return submission.spec.tenant.empty() ? submission.user : submission.spec.tenant;
}

Admission::Admission(const Book& book,
                     const catalog::Catalog& catalog,
                     Duration default_limit,
                     Time now)
    : book_(book),
      catalog_(catalog),
      default_limit_(default_limit),
      now_(now),
      next_(book.everybody().next()) {}

// An id; else a name: in this submission, then the newest of the same tenant, then of any.
Result<std::vector<JobId>> Admission::find(const job::JobSpec& spec,
                                           const char* key,
                                           const std::string& reference,
                                           std::vector<std::string>& notes) const {
    const Register& everybody = book_.everybody();
    const auto range = [](JobId first, std::uint32_t count) {
        std::vector<JobId> members;
        for (std::uint32_t i = 0; i < count; ++i)
            members.push_back(JobId{first.value + i});
        return members;
    };
    const bool looks_like_id =
        !reference.empty() && reference.find_first_not_of("0123456789_") == std::string::npos;
    if (looks_like_id) {
        if (auto found = everybody.find(reference); !found.empty()) return found;
    }
    if (const auto found = earlier_.find(reference); found != earlier_.end()) {
        return range(found->second.first, found->second.count);
    }
    if (const auto found = everybody.newest_named(reference, spec.tenant)) {
        return members_of(everybody, *found);
    }
    if (const auto found = everybody.newest_named(reference)) {
        notes.push_back(std::string(key) + ": " + reference + " is " + book_.described(*found) +
                        " of tenant " + everybody.text(everybody.line(*found).tenant));
        return members_of(everybody, *found);
    }
    return fail(Code::not_found,
                std::string(key) + ": no job with the " + (looks_like_id ? "id" : "name") + " \"" +
                    reference +
                    "\" was submitted; name an earlier job of this submission or one that `weir "
                    "ps --all` lists, by name or id");
}

Result<void> Admission::add_dependencies(Admitted& admitted,
                                         const char* key,
                                         const std::vector<std::string>& references,
                                         sched::Needs needs) const {
    const Register& everybody = book_.everybody();
    std::vector<sched::Dependency>& after = admitted.submitted.request.after;
    for (const std::string& reference : references) {
        WEIR_TRY(const std::vector<JobId> found,
                 find(admitted.spec, key, reference, admitted.notes));
        for (const JobId job : found) {
            if (!everybody.knows(job) || !is_final(everybody.line(job).state)) {
                after.push_back({job, needs});
            } else if (!satisfies(everybody.line(job).state, needs)) {
                admitted.failed_dependency = job;
            }
        }
        if (after.size() > dependencies_max) {
            return fail(Code::too_large,
                        std::string(key) + ": the job would wait for more than " +
                            std::to_string(dependencies_max) +
                            " others; put one job that waits for them between");
        }
    }
    return {};
}

// The job runs on the nodes of the reservation and nowhere else.
Result<void> Admission::enter_reservation(const job::JobSpec& spec, sched::Request& request) const {
    const std::string& name = spec.reservation;
    const Reservation* known = book_.reservation(name);
    if (known == nullptr) {
        std::vector<std::string> names;
        for (const auto& [id, other] : book_.reservations())
            names.push_back(other.name);
        return fail(
            Code::not_found,
            "reservation: there is none called \"" + name + "\"; there are: " + quoted_list(names));
    }
    const sched::Advance& advance = known->advance;
    if (advance.maintenance) {
        return fail(Code::denied,
                    "reservation: " + name + " is for maintenance: no job runs in it");
    }
    if (!known->admits(spec.tenant)) {
        return fail(Code::denied,
                    "reservation: " + name + " is for jobs of " + known->tenant +
                        " and of tenants below it; this one is of " + spec.tenant);
    }
    const Duration left = advance.until - std::max(advance.from, now_);
    if (request.limit > left) {
        return fail(Code::never_fits,
                    "reservation: " + name + " ends at " + format_time(advance.until) +
                        ", and the job may take " + format_duration(request.limit) +
                        "; give it a time limit of at most " +
                        format_duration(std::max(left, Duration{0})));
    }
    std::vector<PoolId>& pools = request.demand.pools;
    const auto elsewhere = [&advance](PoolId pool) {
        return std::none_of(advance.nodes.begin(),
                            advance.nodes.end(),
                            [pool](const sched::Advance::Nodes& run) { return run.pool == pool; });
    };
    pools.erase(std::remove_if(pools.begin(), pools.end(), elsewhere), pools.end());
    if (pools.empty()) {
        return fail(Code::never_fits,
                    "reservation: " + name + " has no node of a kind that the job accepts");
    }
    request.demand.tag = advance.id.value;
    return {};
}

// Its organisation, which must have a right to so much at some time.
Result<void> Admission::enter_house(Admitted& admitted) const {
    const tenancy::Organisations& organisations = book_.tenants().organisations;
    const std::string& tenant = admitted.spec.tenant;
    const auto house = house_of(organisations, tenant);
    if (!house) {
        return fail(house.error().at(
            tenant == admitted.submitted.user ? "tenant, by default the user's login" : "tenant"));
    }
    sched::Request& request = admitted.submitted.request;
    request.tenant = *house;
    if (std::string slip = slip_in(organisations, tenant); !slip.empty())
        admitted.notes.push_back(std::move(slip));
    return {};
}

// Of the sizes that are planned those in which it might ever run: where the fleet has room for it,
// its organisation a right to it, the reservation an end late enough, and a budget what it may
// cost.
Result<void> Admission::enter_training(Admitted& admitted, const std::vector<PoolId>& pools) const {
    const sched::Engine& engine = book_.engine();
    sched::Request& request = admitted.submitted.request;
    job::JobSpec& spec = admitted.spec;
    WEIR_TRY(TrainPlan planned, train_plan_of(spec, engine.fleet(), pools, catalog_));
    std::vector<sched::Size> sizes;
    std::optional<Error> first;
    std::size_t left_out = 0;
    for (job::TrainSize& size : planned.sizes) {
        sched::Request its = request;
        enter_sizes({size_for_core(size, spec.gang, request.demand, engine.fleet())}, its);
        its = sched::settled(std::move(its), 0);
        const auto may_run = [&]() -> Result<void> {
            if (!spec.reservation.empty()) WEIR_CHECK(enter_reservation(spec, its));
            return may_run_in_size(its, spec.budget, engine, book_.accounts(), earlier_cost_, now_);
        }();
        if (!may_run) {
            ++left_out;
            if (!first) first = may_run.error().at(format_count(size.chips_in_all(), "chip"));
            continue;
        }
        sizes.push_back({.demand = its.demand, .limit = its.limit, .takes = its.expected});
        spec.sizes.push_back(std::move(size));
    }
    if (sizes.empty()) return fail(*std::move(first));
    enter_sizes(std::move(sizes), request);
    admitted.notes.insert(admitted.notes.end(), planned.notes.begin(), planned.notes.end());
    admitted.notes.push_back(
        "it may run on " + range_in_words(spec.sizes) +
        (spec.sizes.size() > 1 ? ", and takes the one with which it ends first" : ""));
    if (left_out > 0) {
        admitted.notes.push_back(format_count(left_out, "other size") + " would never start; " +
                                 first->message);
    }
    return {};
}

// What all its members may cost at most must be left.
Result<void> Admission::enter_budgets(const job::JobSpec& spec,
                                      const sched::Request& request,
                                      std::size_t members) {
    const Accounts& accounts = book_.accounts();
    WEIR_TRY(Money cost, accounts.cost_at_most(request));
    if (cost.micros == 0) return {};
    if (cost.micros > std::numeric_limits<std::int64_t>::max() / std::int64_t{members_max}) {
        return fail(Code::too_large, "budget: it may cost more than can be counted");
    }
    cost.micros *= static_cast<std::int64_t>(members);
    WEIR_CHECK(accounts.may_spend(request.tenant, cost, now_, earlier_cost_, spec.budget));
    earlier_cost_.push_back({request.tenant, cost.micros});
    return {};
}

Result<void> Admission::fill(Admitted& admitted) {
    const job::JobSpec& spec = admitted.spec;
    std::vector<std::string>& notes = admitted.notes;
    sched::Request& request = admitted.submitted.request;

    WEIR_CHECK(check_honoured(spec));
    WEIR_TRY(Pools pools, pools_of(book_.engine().fleet(), spec, catalog_));
    admitted.spec.planned = std::move(pools.plan);
    request.demand.pools = std::move(pools.accepted);
    if (!spec.planned.empty() && spec.planned.front().degraded) {
        notes.push_back(
            "no chip of the fleet keeps the contract on precision; as on_unsatisfied: "
            "degrade allows, it is planned as " +
            spec.planned.front().how);
    }
    const bool is_served = pools.unserved.empty();
    if (!is_served) {
        notes.push_back(pools.unserved +
                        "; as on_unsatisfied: wait says, it waits until there is one");
    }
    admitted.submitted.unserved = std::move(pools.unserved);
    WEIR_CHECK(enter_data(spec, request));
    const std::size_t members = spec.array ? spec.array->indices.size() : 1;
    const std::uint64_t members_so_far = next_.value - book_.everybody().next().value;
    if (members == 0 || members_so_far + members > members_max) {
        return fail(Code::too_large,
                    "array: has " + format_count(members, "job") +
                        ", and one submission takes between 1 and " + std::to_string(members_max) +
                        " in all");
    }
    admitted.submitted.count = static_cast<std::uint32_t>(members);

    request.job = next_;
    request.priority = spec.priority;
    request.limit = spec.limit.value_or(default_limit_);
    request.demand.within = spec.gang.within;
    request.demand.parts.push_back({.replicas = spec.gang.replicas,
                                    .each = {.chips = spec.train ? 1 : spec.gang.chips,
                                             .chip_permille = spec.gang.chip_permille,
                                             .cpus_milli = spec.gang.cpus_milli,
                                             .memory = spec.gang.memory}});
    request.demand.prefer = spec.gang.prefer.value_or(fleet::Level::site);
    request.expected = spec.expected.value_or(Duration{});
    if (spec.checkpoint) {
        request.checkpoint = {.every = spec.checkpoint->every, .cost = spec.checkpoint->cost};
    }
    request.replace_failed = spec.gang.replace;
    request.owner = fingerprint(spec.tenant + "\n" + admitted.submitted.user);
    request.likeness = fingerprint(spec.tenant + "\n" + admitted.submitted.user + "\n" +
                                   without_numbers(spec.name));
    admitted.spec.sizes.clear();  // what somebody else has planned is no answer here
    WEIR_CHECK(enter_house(admitted));
    if (spec.train && is_served) {
        WEIR_CHECK(enter_training(admitted, request.demand.pools));
    } else {
        if (!spec.reservation.empty()) WEIR_CHECK(enter_reservation(spec, request));
        if (is_served) WEIR_CHECK(can_ever_run(book_.engine(), request));
    }
    if (spec.deadline) WEIR_CHECK(check_deadline(*spec.deadline, request, book_.engine(), now_));

    using sched::Needs;
    WEIR_CHECK(add_dependencies(admitted, "after", spec.after, Needs::success));
    WEIR_CHECK(add_dependencies(admitted, "after_any", spec.after_any, Needs::end));
    WEIR_CHECK(add_dependencies(admitted, "after_failure", spec.after_failure, Needs::failure));
    if (request.after.size() * members > dependencies_max) {
        return fail(Code::too_large,
                    "after: " + format_count(members, "job") + " that wait for " +
                        format_count(request.after.size(), "job") +
                        " each are too many; put one job that waits for them between");
    }
    if (spec.array) {
        request.array = next_;
        request.array_at_once_max = spec.array->at_once_max;
        admitted.submitted.indices = spec.array->indices;
    }
    WEIR_CHECK(enter_budgets(spec, request, members));
    // What the journal takes it must give back, or no hub could ever start from it again.
    admitted.spec_text = job::spec_to_json(spec);
    WEIR_TRY(const job::JobSpec read_back, job::spec_from_json(admitted.spec_text));
    if (read_back != spec) {
        return fail(Code::invalid, "it holds text that is not UTF-8");
    }
    if (!spec.limit && request.sizes.empty() && spec.sizes.empty()) {
        notes.push_back("no time limit was given, so " + format_duration(request.limit) +
                        " is in force; a job with a shorter one may start earlier");
    }
    return {};
}

Result<Admitted> Admission::admit(const Submission& submission) {
    Admitted admitted;
    admitted.spec = submission.spec;
    if (admitted.spec.name.empty()) admitted.spec.name = "job";
    admitted.spec.tenant = owner_of(submission);
    admitted.submitted.name = admitted.spec.name;
    admitted.submitted.tenant = admitted.spec.tenant;
    admitted.submitted.user = submission.user;
    if (const auto filled = fill(admitted); !filled) {
        return fail(filled.error().at("job \"" + admitted.spec.name + "\""));
    }
    for (const job::DataOut& out : admitted.spec.data_out)
        earlier_made_[out.dataset] = admitted.spec.name;
    earlier_[admitted.spec.name] = {.first = next_, .count = admitted.submitted.count};
    next_ = JobId{next_.value + admitted.submitted.count};
    return admitted;
}

std::vector<PoolId> pools_not_accepted(const fleet::Fleet& fleet,
                                       const job::JobSpec& spec,
                                       const std::vector<PoolId>& accepted,
                                       const catalog::Catalog& catalog) {
    job::JobSpec anywhere = spec;
    anywhere.chips_any_of.clear();
    anywhere.sites.clear();
    const Result<Pools> all = pools_of(fleet, anywhere, catalog);
    if (!all) return {};
    std::vector<PoolId> others;
    for (const PoolId pool : all->accepted)
        if (std::find(accepted.begin(), accepted.end(), pool) == accepted.end())
            others.push_back(pool);
    return others;
}

namespace {

// A training job for another fleet: planned anew, or, if it has started, as it was planned.
Result<void> size_for_fleet(const job::JobSpec& spec,
                            std::optional<std::uint32_t> size,
                            const std::vector<PoolId>& pools,
                            const sched::Engine& engine,
                            const catalog::Catalog& catalog,
                            ForFleet& carried) {
    sched::Request& request = carried.request;
    const fleet::Demand like = request.demand;
    if (size && *size < spec.sizes.size()) {
        sched::Size kept = size_for_core(spec.sizes[*size], spec.gang, like, engine.fleet());
        if (kept.demand.pools.empty()) {
            return fail(Code::never_fits,
                        "train: it began on " + spec.sizes[*size].chip + ", and no pool of " +
                            quoted_list(spec.sizes[*size].pools) + " has that now");
        }
        enter_sizes({std::move(kept)}, request);
        request = sched::settled(std::move(request), 0);
        return engine.can_ever_fit(request.demand);
    }
    WEIR_TRY(TrainPlan planned, train_plan_of(spec, engine.fleet(), pools, catalog));
    carried.sizes.clear();
    std::vector<sched::Size> sizes;
    Error first;
    for (job::TrainSize& each : planned.sizes) {
        sched::Size its = size_for_core(each, spec.gang, like, engine.fleet());
        if (const auto fits = engine.can_ever_fit(its.demand); !fits) {
            first = fits.error();
            continue;
        }
        sizes.push_back(std::move(its));
        carried.sizes.push_back(std::move(each));
    }
    if (sizes.empty()) return fail(first);
    enter_sizes(std::move(sizes), request);
    return {};
}

Result<void> fit_to_fleet(const job::JobSpec& spec,
                          std::optional<std::uint32_t> size,
                          const sched::Engine& engine,
                          const catalog::Catalog& catalog,
                          ForFleet& carried) {
    WEIR_TRY(Pools pools, pools_of(engine.fleet(), spec, catalog));
    carried.plan = std::move(pools.plan);
    carried.unserved = std::move(pools.unserved);
    if (!carried.unserved.empty()) return {};
    if (spec.train) return size_for_fleet(spec, size, pools.accepted, engine, catalog, carried);
    carried.request.sizes.clear();
    carried.request.demand.pools = std::move(pools.accepted);
    return engine.can_ever_fit(carried.request.demand);
}

}  // namespace

ForFleet request_for_fleet(const sched::Request& request,
                           const job::JobSpec& spec,
                           std::optional<std::uint32_t> size,
                           std::vector<sched::Dependency> unmet,
                           const sched::Engine& engine,
                           const catalog::Catalog& catalog) {
    ForFleet carried{request, spec.planned, spec.sizes, ""};
    if (const auto fits = fit_to_fleet(spec, size, engine, catalog, carried); !fits) {
        carried = {request, spec.planned, spec.sizes, "in this fleet it can never start: "};
        // Of a list with a line for each pool, one line.
        for (const char c : fits.error().message) {
            if (c == '\n') continue;
            if (c == ' ' && carried.unserved.back() == ' ') continue;
            carried.unserved += c;
        }
    }
    carried.request.after = std::move(unmet);
    if (!carried.unserved.empty()) wait_for_another_fleet(carried.request);
    return carried;
}

void wait_for_another_fleet(sched::Request& request) {
    request.sizes.clear();
    request.demand.pools.clear();
}

bool plans_otherwise(const Family& family,
                     std::optional<std::uint32_t> size,
                     const sched::Engine& engine,
                     const catalog::Catalog& catalog) {
    if (!family.is_served) {
        return request_for_fleet(family.request, family.spec, size, {}, engine, catalog)
            .unserved.empty();
    }
    const fleet::Fleet& fleet = engine.fleet();
    if (match::contract_of(on_one_chip(family.spec)).empty() && family.request.sizes.empty())
        return false;
    const Result<Pools> now = pools_of(fleet, family.spec, catalog);
    if (!now) return true;
    if (!family.request.sizes.empty()) {
        // Some of what is planned may never start, and is not in its description.
        const auto planned = train_plan_of(family.spec, fleet, now->accepted, catalog);
        if (!planned) return true;
        for (const job::TrainSize& size_of_it : family.spec.sizes) {
            const auto& all = planned->sizes;
            if (std::find(all.begin(), all.end(), size_of_it) == all.end()) return true;
        }
    }
    return now->plan != family.spec.planned || !now->unserved.empty();
}

}  // namespace weir::hub
