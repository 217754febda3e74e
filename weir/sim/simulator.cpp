#include "weir/sim/simulator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <utility>

#include "weir/base/assert.hpp"
#include "weir/base/digest.hpp"
#include "weir/base/schema.hpp"
#include "weir/fleet/power.hpp"
#include "weir/sim/demand_of.hpp"
#include "weir/sim/each_site.hpp"
#include "weir/sim/replay.hpp"
#include "weir/sim/virtual_books.hpp"

namespace weir::sim {
namespace {

Result<fleet::Fleet> scaled(fleet::Fleet fleet, std::uint32_t scale) {
    for (fleet::Pool& pool : fleet.pools) {
        if (std::uint64_t{pool.nodes} * scale > fleet::nodes_per_pool_max) {
            return fail(Code::too_large,
                        fmt::format("scale: {} times {} of pool {}; a pool has at most {}",
                                    scale,
                                    format_count(pool.nodes, "node"),
                                    pool.name,
                                    format_count(fleet::nodes_per_pool_max)));
        }
        pool.nodes *= scale;
        if (scale > 1) pool.node_names.clear();
    }
    return fleet;
}

tenancy::Organisations scaled(tenancy::Organisations house, std::uint32_t scale) {
    for (tenancy::Tenant& tenant : house.tenants)
        for (auto* const list : {&tenant.quota, &tenant.lend, &tenant.borrow})
            for (tenancy::Allowance& each : *list)
                each.amount *= scale;
    return house;
}

// The nodes of a group with a quota, taken from the front of the pools.
fleet::Fleet part_of(const fleet::Fleet& fleet, std::uint64_t chips) {
    fleet::Fleet part{.sites = fleet.sites, .pools = {}};
    for (const fleet::Pool& pool : fleet.pools) {
        if (chips == 0) break;
        if (pool.chips_per_node == 0) continue;
        fleet::Pool mine = pool;
        mine.nodes = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(pool.nodes, chips / pool.chips_per_node));
        mine.node_names.clear();
        chips -= std::uint64_t{mine.nodes} * mine.chips_per_node;
        if (mine.nodes > 0) part.pools.push_back(std::move(mine));
    }
    return part;
}

std::uint64_t jobs_with_chips(const std::vector<ScheduledJob>& jobs) {
    return static_cast<std::uint64_t>(std::count_if(
        jobs.begin(), jobs.end(), [](const ScheduledJob& job) { return job.chips > 0; }));
}

void add(const Replay::Tally& tally, Metrics& metrics) {
    metrics.node_failures += tally.node_failures;
    metrics.attempts_failed += tally.attempts_failed;
    metrics.nodes_replaced += tally.nodes_replaced;
    metrics.ended_by_limit += tally.ended_by_limit;
    metrics.preemptions += tally.preemptions;
    metrics.copies += tally.copies;
    metrics.copied_bytes += tally.copied_bytes;
    metrics.forgotten_bytes += tally.forgotten_bytes;
}

void take(PowerRecord record, Simulation& simulation) {
    simulation.racks = std::move(record.racks);
    simulation.power = std::move(record.power);
    simulation.metrics.energy_kwh = record.energy_kwh;
    simulation.metrics.power_max_watts = record.power_max_watts;
}

// A site that is a centre of its own. Its replay is kept until the last one is over, so that all
// are counted over the same time.
struct AtSite {
    const SiteAlone* site;
    std::unique_ptr<SimulationOptions> options;  // that the replay looks at
    std::unique_ptr<Replay> replay;
};
struct Counted {
    tenancy::Unit unit;
    Time from;
};

// What all sites did, as one run of the whole fleet. The jobs of `queues` are used up.
void add_up(const std::vector<AtSite>& at_sites,
            const std::vector<SiteAlone>& sites,
            const SimulationOptions& options,
            const Counted& counted,
            std::map<std::string, std::vector<ScheduledJob>>& queues,
            Simulation& simulation) {
    Time moved_at = Time::min();
    Time over_at = Time::min();
    for (const AtSite& its : at_sites) {
        moved_at = std::max(moved_at, its.replay->moved_at());
        over_at = std::max(over_at, its.replay->over_at());
    }
    std::vector<tenancy::Books> books;
    std::vector<HouseHoursTable> houses;
    std::vector<PowerRecord> records;
    bool few = true;
    for (const AtSite& its : at_sites) {
        books.push_back(its.replay->books(over_at));
        houses.push_back(its.replay->houses(over_at));
        records.push_back(its.replay->power(moved_at));
        move_to_whole(*its.site, records.back());
        std::vector<HeldAttempt> attempts = its.replay->attempts();
        few = few && !attempts.empty();
        move_to_whole(*its.site, attempts);
        simulation.attempts.insert(simulation.attempts.end(), attempts.begin(), attempts.end());
        std::vector<ScheduledJob>& jobs = queues.at(its.site->name);
        move_to_whole(*its.site, jobs);
        simulation.jobs.insert(simulation.jobs.end(), jobs.begin(), jobs.end());
    }
    // A site to which no job goes stands there all the same.
    for (const SiteAlone& site : sites) {
        if (queues.contains(site.name)) continue;
        simulation.notes.push_back(fmt::format("no job goes to {}", site.name));
        tenancy::Rights its = tenancy::rights_on(site.fleet, site.organisations, options.rate_of);
        houses.push_back(HouseUseMeter(its, counted.from).until(over_at));
        books.push_back(tenancy::Waterfall(site.fleet, counted.unit, counted.from, std::move(its))
                            .books(over_at));
        records.push_back(PowerMeter(site.fleet, counted.from).finish(moved_at));
        move_to_whole(site, records.back());
    }
    if (!few || simulation.attempts.size() > held_attempts_max) simulation.attempts.clear();
    std::stable_sort(simulation.attempts.begin(),
                     simulation.attempts.end(),
                     [](const HeldAttempt& a, const HeldAttempt& b) { return a.from < b.from; });
    simulation.books = books_together(simulation.fleet, books);
    simulation.houses = houses_together(houses);
    take(power_together(std::move(records)), simulation);
}

void measure(const Trace& trace, Simulation& simulation) {
    Metrics& metrics = simulation.metrics;
    metrics.jobs = simulation.jobs.size();
    if (simulation.jobs.empty()) return;
    std::vector<std::int64_t> waits;
    waits.reserve(simulation.jobs.size());
    Time first = Time::max();
    Time last = Time::min();
    double slowdown_sum = 0;
    double completion_sum = 0;
    double wait_sum = 0;
    double busy = 0;
    double useful = 0;
    double checkpoints = 0;
    double restarts = 0;
    const bool by_chips = counted_in_chips(simulation);
    for (const ScheduledJob& job : simulation.jobs) {
        const TraceJob& its = trace.jobs[job.trace_job];
        const Duration wait = job.start - its.submitted_at;
        waits.push_back(wait.count());
        wait_sum += as_seconds(wait);
        slowdown_sum += bounded_slowdown(job, its);
        completion_sum += as_seconds(job.end - its.submitted_at);
        const Held held = held_by(job, its);
        const double width = by_chips ? job.chips : cpus_of(job, its, trace);
        busy += as_seconds(held.wall) * width;
        useful += as_seconds(held.useful) * width;
        checkpoints += as_seconds(job.checkpoints) * width;
        restarts += as_seconds(job.restarts) * width;
        if (job.promised < never) {
            ++metrics.promises;
            if (job.start > job.promised) {
                ++metrics.promises_broken;
                metrics.promise_late_max_s =
                    std::max(metrics.promise_late_max_s, as_seconds(job.start - job.promised));
            }
        }
        first = std::min(first, its.submitted_at);
        last = std::max(last, job.end);
    }
    const std::size_t n = waits.size();
    const auto jobs = static_cast<double>(n);
    std::sort(waits.begin(), waits.end());
    const auto wait_at = [&](std::size_t percent) {
        return static_cast<double>(waits[nearest_rank(n, percent)]) / 1000.0;
    };
    metrics.makespan_s = as_seconds(last - first);
    metrics.wait_mean_s = wait_sum / jobs;
    metrics.wait_median_s = static_cast<double>(waits[n / 2]) / 1000.0;
    metrics.wait_p95_s = wait_at(95);
    metrics.wait_p99_s = wait_at(99);
    metrics.wait_max_s = static_cast<double>(waits.back()) / 1000.0;
    metrics.bounded_slowdown_mean = slowdown_sum / jobs;
    metrics.completion_mean_s = completion_sum / jobs;
    if (busy > 0) {
        metrics.useful_share = useful / busy;
        metrics.lost_share = 1 - metrics.useful_share;
        metrics.checkpoint_share = checkpoints / busy;
        metrics.restart_share = restarts / busy;
        metrics.redone_share = std::max(0.0, (busy - useful - checkpoints - restarts) / busy);
    }
    const double capacity = by_chips
                                ? static_cast<double>(simulation.fleet.chips_total())
                                : static_cast<double>(simulation.fleet.cpus_milli_total()) / 1000.0;
    if (capacity > 0 && metrics.makespan_s > 0) {
        metrics.utilisation = busy / capacity / metrics.makespan_s;
    }
}

// Budgets of pools that say what a node draws; others mean nothing.
bool has_budgets(const fleet::Fleet& fleet) {
    return std::any_of(fleet.pools.begin(), fleet.pools.end(), [&](const fleet::Pool& pool) {
        return pool.node_busy_watts > 0 &&
               (pool.rack_power_watts > 0 || pool.pod_power_watts > 0 ||
                std::any_of(fleet.sites.begin(), fleet.sites.end(), [&](const fleet::Site& site) {
                    return site.name == pool.site && site.power_watts > 0;
                }));
    });
}

// What is asked for together has to make sense together.
Result<void> can_be_done(const SimulationOptions& options, const Trace& trace) {
    const auto no_pool_says = [&](Duration fleet::Pool::*member) {
        return std::none_of(trace.fleet.pools.begin(), trace.fleet.pools.end(), [&](const auto& p) {
            return p.*member > Duration{};
        });
    };
    if (options.apart && (has_budgets(trace.fleet) || !options.caps.empty())) {
        return fail(Code::invalid,
                    "--apart: the fleet has power budgets, and nobody says which part of a rack, a "
                    "pod or a site belongs to which virtual cluster; replay without --apart, or on "
                    "a fleet without rack_power, pod_power and a site's power");
    }
    if (options.apart && !options.organisations.empty()) {
        return fail(Code::invalid,
                    "--apart: organisations that have nodes of their own lend nothing; replay with "
                    "--apart or with --tenants");
    }
    if (options.apart && options.failures.faults != Faults::none) {
        return fail(Code::invalid,
                    "--apart: nodes fail with --faults, and nobody says which of them belong to "
                    "which virtual cluster; replay without --apart, or with --faults none");
    }
    if (!trace.data_sets.empty()) {
        if (options.apart) {
            return fail(Code::invalid,
                        "--apart: jobs read datasets, and nobody says which part of a storage or a "
                        "link belongs to which virtual cluster; replay without --apart");
        }
        std::vector<std::string_view> known;
        for (const fleet::Site& site : trace.fleet.sites)
            for (const auto& [name, size] : site.storage.datasets)
                known.push_back(name);
        for (const std::vector<std::string>& set : trace.data_sets) {
            for (const std::string& name : set) {
                if (std::find(known.begin(), known.end(), name) != known.end()) continue;
                const auto near = schema::nearest(name, known);
                return fail(Code::invalid,
                            fmt::format("{}: datasets: no site of the fleet has '{}'{}; write it "
                                        "under storage: {{datasets: {{{}: 40TiB}}}} in the fleet "
                                        "file",
                                        trace.name,
                                        name,
                                        near ? fmt::format(" (did you mean '{}'?)", *near) : "",
                                        name));
            }
        }
    }
    for (const std::string& training : trace.trainings) {
        if (!options.sizes) {
            return fail(
                Code::invalid,
                fmt::format("{}: train: {}: nobody plans training jobs", trace.name, training));
        }
        if (options.apart) {
            return fail(Code::invalid,
                        fmt::format("{}: train: {}: what a virtual cluster has is a number of "
                                    "chips and no pools, so nothing can be planned for it; leave "
                                    "out --apart",
                                    trace.name,
                                    training));
        }
        if (const auto planned = options.sizes(training, trace.fleet); !planned)
            return fail(planned.error().at(trace.name));
    }
    if (options.each_site) {
        const auto refused = [](std::string_view why) {
            return fail(Code::invalid, fmt::format("--each-site: {}", why));
        };
        if (options.apart) return refused("goes with --tenants, not with --apart");
        if (options.log) {
            return refused(
                "an event log is of one scheduler, and every site has its own; leave "
                "out --log, or replay one site as a fleet of its own");
        }
        if (!options.loans.empty()) {
            return refused("loans are made inside one centre; take them out of the tenants file");
        }
        if (options.failures.faults == Faults::log) {
            return refused("a fault log names nodes of the whole fleet; use --faults reliability");
        }
        if (!options.caps.empty() || !options.advances.empty())
            return refused("changes of budgets and reservations are of one centre");
    }
    const bool from_log = options.failures.faults == Faults::log;
    if (options.failures.faults == Faults::reliability && no_pool_says(&fleet::Pool::node_mtbf)) {
        return fail(Code::invalid,
                    "failures: no pool of the fleet says how often its nodes fail; write "
                    "reliability: {mtbf: 5y/node, repair: 6h} in the fleet file, or give a fault "
                    "log");
    }
    const CheckpointOptions& save = options.checkpoints;
    const bool advised = save.rule == CheckpointRule::young || save.rule == CheckpointRule::daly;
    if (advised && !from_log && no_pool_says(&fleet::Pool::node_mtbf)) {
        return fail(Code::invalid,
                    "checkpoints: an interval can be advised only where the fleet (reliability) or "
                    "a fault log says how often nodes fail; give an interval such as 3h");
    }
    if (advised && save.cost <= Duration{}) {
        return fail(Code::invalid,
                    "checkpoints: an interval can be advised only for a cost above 0");
    }
    // Shorter ones are all saving and no work.
    const Duration every_min = std::max(checkpoint_every_min, save.cost);
    if (save.rule == CheckpointRule::fixed && save.every < every_min) {
        return fail(Code::invalid,
                    fmt::format("--checkpoint: every {} is too often; valid is an interval of at "
                                "least {}{}",
                                format_duration(save.every),
                                format_duration(every_min),
                                save.cost > checkpoint_every_min
                                    ? ", which is what one checkpoint takes (--checkpoint-cost)"
                                    : ""));
    }
    return {};
}

// ---------------------------------------------------------------------------------------------
// The steps of simulate()

using Queue = std::vector<ScheduledJob>;

// Jobs of the trace that are not replayed, by why.
struct LeftOut {
    std::uint64_t outside = 0;
    std::uint64_t without_quota = 0;
    std::uint64_t wider_than_quota = 0;
    std::uint64_t never_fits = 0;
    std::uint64_t of_nobody = 0;
    std::uint64_t beyond_rights = 0;
    std::uint64_t never_read = 0;

    [[nodiscard]] std::uint64_t total() const {
        return outside + without_quota + wider_than_quota + never_fits + of_nobody + beyond_rights +
               never_read;
    }
};

// Who is replayed, and in which queue: one, or one for each group with a quota, or for each site.
struct Chosen {
    std::map<std::string, Queue> queues;
    std::vector<SiteAlone> sites;
    LeftOut left_out;
};

// What came of all replays, beside what the simulation has of them.
struct Replayed {
    Digest digest;
    std::uint64_t given_up = 0;
    std::uint64_t dropped = 0;
    std::uint64_t without_data = 0;
};

void note(Simulation& simulation, std::uint64_t count, const char* what) {
    if (count > 0) simulation.notes.push_back(format_count(count, "job") + what);
}

SimulationOptions scaled(SimulationOptions options) {
    WEIR_ASSERT(options.scale >= 1);
    options.organisations = scaled(std::move(options.organisations), options.scale);
    for (LentQuota& loan : options.loans)
        for (tenancy::Allowance& lent : loan.term.amounts)
            lent.amount *= options.scale;
    return options;
}

// What its user should know of the options before anything is replayed.
void note_options(const Trace& trace, const SimulationOptions& options, Simulation& simulation) {
    const std::vector<std::string> idle_budgets = fleet::idle_budgets(simulation.fleet);
    simulation.notes.insert(simulation.notes.end(), idle_budgets.begin(), idle_budgets.end());
    if (options.failures.faults == Faults::log) {
        const std::string other_nodes = options.failures.log.note_on(trace.fleet);
        if (!other_nodes.empty()) simulation.notes.push_back(other_nodes);
        if (options.scale > 1) {
            simulation.notes.push_back(
                fmt::format("each of the {} copies of the fleet has the faults of the log, at the "
                            "same moments",
                            format_count(options.scale)));
        }
    }
    if (options.apart && std::any_of(trace.fleet.pools.begin(),
                                     trace.fleet.pools.end(),
                                     [](const auto& pool) { return pool.node_busy_watts > 0; })) {
        simulation.notes.emplace_back(
            "with --apart no power is measured: which nodes of a rack are whose is not said");
    }
}

Chosen choose(const Trace& trace, const SimulationOptions& options, Simulation& simulation) {
    Chosen chosen;
    LeftOut& left_out = chosen.left_out;
    std::optional<SiteChoice> choice;
    if (options.each_site) {
        chosen.sites = sites_alone(simulation.fleet, options.organisations, options.rate_of);
        choice.emplace(trace, chosen.sites, options);
    }
    DemandsOf demands(trace, simulation.fleet, options.keeps, options.sizes);
    tenancy::Rights rights =
        tenancy::rights_on(simulation.fleet, options.organisations, options.rate_of);
    simulation.notes.insert(simulation.notes.end(), rights.notes.begin(), rights.notes.end());
    const bool has_tenants = !rights.empty();
    const std::vector<TenantId> tenants = tenants_of_names(trace, options.organisations);
    sched::Engine empty(simulation.fleet, options.policy, std::move(rights));
    for (const LentQuota& loan : options.loans)
        empty.apply(sched::LoanChanged{loan.term}, trace.jobs.front().submitted_at);
    for (std::uint32_t index = 0; index < trace.jobs.size(); ++index) {
        const TraceJob& job = trace.jobs[index];
        if ((options.from && job.submitted_at < *options.from) ||
            (options.until && job.submitted_at > *options.until)) {
            ++left_out.outside;
            continue;
        }
        std::string queue;
        if (!trace.quotas_chips.empty()) {
            const auto quota = job.group == unknown_name
                                   ? trace.quotas_chips.end()
                                   : trace.quotas_chips.find(trace.names[job.group]);
            if (quota == trace.quotas_chips.end()) {
                ++left_out.without_quota;
                continue;
            }
            if (job.chips > quota->second) {
                ++left_out.wider_than_quota;
                continue;
            }
            if (options.apart) queue = quota->first;
        }
        const bool of_somebody =
            job.group != unknown_name && (!has_tenants || tenants[job.group].valid());
        std::optional<SiteChoice::Answer> where;
        if (choice && (of_somebody || !has_tenants)) {
            where = choice->of(job, has_tenants ? tenants[job.group] : TenantId::none());
        }
        if (where ? !where->fits : !demands.can_ever_fit(empty, job)) {
            ++left_out.never_fits;
            continue;
        }
        TenantId tenant;
        if (has_tenants) {
            if (job.group != unknown_name) tenant = tenants[job.group];
            if (!tenant.valid()) {
                ++left_out.of_nobody;
                continue;
            }
            if (where ? !where->may : !demands.can_ever_have(empty, job, tenant)) {
                ++left_out.beyond_rights;
                continue;
            }
        }
        if (where ? !where->site : !demands.can_ever_read(empty, job, tenant)) {
            ++left_out.never_read;
            continue;
        }
        if (where) queue = chosen.sites[*where->site].name;
        for (std::uint32_t copy = 0; copy < options.scale; ++copy) {
            chosen.queues[queue].push_back(
                {.trace_job = index,
                 .copy = copy,
                 .chips = job.trains != unknown_name
                              ? static_cast<double>(demands.of(job).chips_milli()) / 1000.0
                              : job.chips * static_cast<double>(job.chip_permille) / 1000.0});
        }
    }
    return chosen;
}

void note_left_out(const LeftOut& left_out, Simulation& simulation) {
    note(simulation, left_out.outside, " left out: submitted outside the window");
    note(simulation, left_out.without_quota, " left out: of a group without a quota");
    note(simulation, left_out.wider_than_quota, " left out: wider than the quota of the group");
    note(simulation,
         left_out.never_fits,
         " left out: more than this fleet could ever hold, or its budgets feed");
    note(simulation, left_out.of_nobody, " left out: of a group that is no organisation");
    note(simulation,
         left_out.beyond_rights,
         " left out: more than their organisation may ever have, its own and lent");
    note(simulation,
         left_out.never_read,
         " left out: no site where they may run can have all that they read, because no link leads "
         "there or its storage is too small");
    simulation.metrics.jobs_skipped = left_out.total();
}

tl::unexpected<Error> nobody_is_left(const Trace& trace,
                                     const LeftOut& left_out,
                                     const Simulation& simulation) {
    const std::vector<std::string> idle_budgets = fleet::idle_budgets(simulation.fleet);
    return fail(Code::invalid,
                fmt::format("{}: no job is left to replay ({} jobs in the trace: {} outside "
                            "the window, {} without quota, {} wider than their quota, {} more "
                            "than the fleet could ever hold or feed, {} of no organisation, {} "
                            "more than theirs may ever have, {} read what cannot be brought "
                            "where they may run){}{}",
                            trace.name,
                            trace.jobs.size(),
                            left_out.outside,
                            left_out.without_quota,
                            left_out.wider_than_quota,
                            left_out.never_fits,
                            left_out.of_nobody,
                            left_out.beyond_rights,
                            left_out.never_read,
                            idle_budgets.empty() ? "" : "; ",
                            fmt::join(idle_budgets, "; ")));
}

tenancy::Unit unit_of(const fleet::Fleet& fleet, const std::map<std::string, Queue>& queues) {
    std::uint64_t total = 0;
    std::uint64_t with_chips = 0;
    for (const auto& [group, jobs] : queues) {
        total += jobs.size();
        with_chips += jobs_with_chips(jobs);
    }
    return fleet.chips_total() > 0 && 2 * with_chips >= total ? tenancy::Unit::chips
                                                              : tenancy::Unit::cpus;
}

// Tells how far all replays are, now and then.
class Progress {
public:
    Progress(const SimulationOptions& options, const std::map<std::string, Queue>& queues)
        : options_(options), reported_(std::chrono::steady_clock::now()) {
        for (const auto& [group, jobs] : queues)
            total_ += jobs.size();
    }
    // So many jobs of the replay that goes on have ended.
    void at(std::uint64_t ended) {
        if (!options_.progress) return;
        const auto now = std::chrono::steady_clock::now();
        if (now - reported_ < std::chrono::milliseconds(100)) return;
        reported_ = now;
        options_.progress(static_cast<double>(done_ + ended) / static_cast<double>(total_));
    }
    void one_is_over(std::uint64_t jobs) { done_ += jobs; }

private:
    const SimulationOptions& options_;
    std::chrono::steady_clock::time_point reported_;
    std::uint64_t total_ = 0;
    std::uint64_t done_ = 0;
};

Result<void> all_started(const Trace& trace,
                         const SimulationOptions& options,
                         const sched::Counts& counts) {
    if (counts.pending + counts.held + counts.running == 0) return {};
    const bool nodes_fail = options.failures.faults != Faults::none;
    return fail(nodes_fail || !options.caps.empty() || !options.advances.empty() ? Code::never_fits
                                                                                 : Code::internal,
                fmt::format("{}: {} never started{}",
                            trace.name,
                            format_count(counts.pending + counts.held, "job"),
                            nodes_fail ? "; too few nodes were up at once" : ""));
}

void take_books_of_all(const fleet::Fleet& fleet,
                       tenancy::Unit unit,
                       const std::vector<tenancy::Books>& virtual_books,
                       Simulation& simulation) {
    const auto books = one_of_all(fleet, unit, virtual_books);
    if (books) {
        simulation.books = *books;
    } else {
        simulation.notes.push_back(books.error().message);
    }
}

// One queue after the other, each on its part of the fleet. The jobs of the queues are used up.
Result<Replayed> replay_all(const Trace& trace,
                            const SimulationOptions& options,
                            Chosen& chosen,
                            Simulation& simulation) {
    auto& [queues, sites, left_out] = chosen;
    const tenancy::Unit unit = unit_of(simulation.fleet, queues);
    Time first = Time::max();
    for (const auto& [group, jobs] : queues)
        first = std::min(first, trace.jobs[jobs.front().trace_job].submitted_at);
    Replayed replayed;
    Progress progress(options, queues);
    std::vector<tenancy::Books> virtual_books;
    std::vector<AtSite> at_sites;
    for (auto& [group, jobs] : queues) {
        const auto site =
            std::find_if(sites.begin(), sites.end(), [&name = group](const SiteAlone& one) {
                return one.name == name;
            });
        std::unique_ptr<SimulationOptions> of_site;
        if (site != sites.end()) {
            of_site = std::make_unique<SimulationOptions>(options);
            of_site->organisations = site->organisations;
        }
        fleet::Fleet fleet =
            options.apart         ? part_of(simulation.fleet,
                                    std::uint64_t{trace.quotas_chips.at(group)} * options.scale)
            : site != sites.end() ? site->fleet
                                  : simulation.fleet;
        const Time from =
            options.each_site ? first : trace.jobs[jobs.front().trace_job].submitted_at;
        auto kept = std::make_unique<Replay>(
            trace, std::move(fleet), of_site ? *of_site : options, jobs, unit, from);
        Replay& replay = *kept;
        replay.run([&](std::uint64_t ended) { progress.at(ended); });
        const sched::Counts counts = replay.engine().counts();
        WEIR_CHECK(all_started(trace, options, counts));
        add(replay.tally(), simulation.metrics);
        simulation.notes.insert(
            simulation.notes.end(), replay.notes().begin(), replay.notes().end());
        simulation.pauses.insert(
            simulation.pauses.end(), replay.pauses().begin(), replay.pauses().end());
        if (options.apart) {
            virtual_books.push_back(replay.books(replay.over_at()));
        } else if (!options.each_site) {
            simulation.books = replay.books(replay.over_at());
            simulation.houses = replay.houses(replay.over_at());
            simulation.attempts = replay.attempts();
            take(replay.power(replay.moved_at()), simulation);
        }
        replayed.given_up += replay.tally().given_up;
        replayed.dropped += replay.tally().dropped;
        replayed.without_data += replay.tally().without_data;
        progress.one_is_over(jobs.size());
        simulation.metrics.decisions += counts.decisions;
        replayed.digest.add(replay.engine().digest());
        if (options.each_site) {
            at_sites.push_back({&*site, std::move(of_site), std::move(kept)});
            continue;  // its jobs are needed until all are over
        }
        if (queues.size() == 1) {
            simulation.jobs = std::move(jobs);
            break;
        }
        simulation.jobs.insert(simulation.jobs.end(), jobs.begin(), jobs.end());
        jobs = {};
    }
    if (options.each_site) add_up(at_sites, sites, options, {unit, first}, queues, simulation);
    if (options.apart) take_books_of_all(simulation.fleet, unit, virtual_books, simulation);
    return replayed;
}

void note_replayed(const Replayed& replayed, Simulation& simulation) {
    note(simulation, replayed.given_up, " given up: failed more often than may be retried");
    note(simulation,
         simulation.metrics.ended_by_limit,
         " ended by the limit before the work was done: after a node was replaced some of it was "
         "done again, and the limit counts from the start of the attempt");
    note(simulation,
         replayed.dropped - replayed.without_data,
         " dropped by the scheduler before they ran");
    note(simulation,
         replayed.without_data,
         " dropped when nothing else was left to run: what they read was never together at a site "
         "where they may run");
    if (replayed.dropped == 0) return;
    std::erase_if(simulation.jobs, [](const ScheduledJob& job) { return job.attempts == 0; });
    simulation.metrics.jobs_skipped += replayed.dropped;
}

}  // namespace

bool counted_in_chips(const Simulation& simulation) {
    return simulation.fleet.chips_total() > 0 &&
           2 * jobs_with_chips(simulation.jobs) >= simulation.jobs.size();
}

Duration run_of(const ScheduledJob& job, const TraceJob& its) {
    return job.trained ? job.trained->run : its.run;
}

double cpus_of(const ScheduledJob& job, const TraceJob& its, const Trace& trace) {
    return job.trained ? job.trained->cpus : trace.cpus(its);
}

Held held_by(const ScheduledJob& job, const TraceJob& its) {
    const bool done = job.attempts > job.failures + job.preemptions && !job.ended_by_limit;
    const Duration useful = done ? run_of(job, its) : Duration{};
    return {.wall = useful + job.lost, .useful = useful};
}

double bounded_slowdown(const ScheduledJob& job, const TraceJob& its) {
    const double run_s = as_seconds(run_of(job, its));
    const bool as_logged = job.attempts == 1 && !job.ended_by_limit;
    const double response_s = as_logged ? as_seconds(job.start - its.submitted_at) + run_s
                                        : as_seconds(job.end - its.submitted_at);
    return std::max(1.0, response_s / std::max(run_s, 10.0));
}

Result<tenancy::Organisations> organisations_of(const Trace& trace) {
    if (trace.quotas_chips.empty()) {
        return fail(Code::invalid,
                    trace.name + ": the sidecar of the trace gives no quotas (quotas_devices)");
    }
    std::string chip;
    for (const fleet::Pool& pool : trace.fleet.pools) {
        if (pool.chips_per_node == 0 || pool.chip == chip) continue;
        if (!chip.empty()) {
            return fail(Code::invalid,
                        fmt::format("{}: the quotas of the trace do not say of which chip, and the "
                                    "fleet has {} and {}; write a tenants file",
                                    trace.name,
                                    chip,
                                    pool.chip));
        }
        chip = pool.chip;
    }
    tenancy::Organisations house{.resources = {{tenancy::Resource::Kind::chips, chip}},
                                 .tenants = {{}}};
    for (const auto& [group, chips] : trace.quotas_chips) {
        house.tenants.push_back(
            {.path = group, .parent = TenantId{0}, .quota = {{0, tenancy::Amount{chips} * 1000}}});
    }
    return house;
}

std::vector<TenantId> tenants_of_names(const Trace& trace, const tenancy::Organisations& house) {
    std::vector<TenantId> tenants;
    tenants.reserve(trace.names.size());
    for (const std::string& name : trace.names)
        tenants.push_back(house.house_of(name));
    return tenants;
}

Result<Simulation> simulate(const Trace& trace, const SimulationOptions& given) {
    const SimulationOptions options = scaled(given);
    if (trace.fleet.pools.empty()) {
        return fail(Code::invalid,
                    trace.name +
                        ": the trace does not say what machine it ran on; give one "
                        "with --fleet FILE");
    }
    WEIR_CHECK(can_be_done(options, trace));
    if (options.apart && trace.quotas_chips.empty()) {
        return fail(Code::invalid,
                    trace.name +
                        ": virtual clusters cannot be kept apart, because the sidecar "
                        "of the trace gives no quotas (quotas_devices)");
    }
    WEIR_TRY(fleet::Fleet machine, scaled(trace.fleet, options.scale));
    Simulation simulation{.fleet = std::move(machine),
                          .jobs = {},
                          .pauses = {},
                          .metrics = {},
                          .racks = {},
                          .power = {},
                          .notes = trace.notes};
    note_options(trace, options, simulation);
    Chosen chosen = choose(trace, options, simulation);
    note_left_out(chosen.left_out, simulation);
    if (chosen.queues.empty()) return nobody_is_left(trace, chosen.left_out, simulation);

    const auto began = std::chrono::steady_clock::now();
    WEIR_TRY(const Replayed replayed, replay_all(trace, options, chosen, simulation));
    simulation.metrics.wall_s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    simulation.metrics.digest = replayed.digest.value();
    if (chosen.queues.size() > 1) {
        std::sort(simulation.jobs.begin(),
                  simulation.jobs.end(),
                  [](const ScheduledJob& a, const ScheduledJob& b) {
                      return std::pair(a.trace_job, a.copy) < std::pair(b.trace_job, b.copy);
                  });
    }
    note_replayed(replayed, simulation);
    if (simulation.jobs.empty()) {
        return fail(
            Code::never_fits,
            fmt::format("{}: no job ever ran: {}", trace.name, fmt::join(simulation.notes, "; ")));
    }
    measure(trace, simulation);
    if (options.progress) options.progress(1.0);
    return simulation;
}

}  // namespace weir::sim
