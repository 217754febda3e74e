#include "weir/sim/replay.hpp"

#include <algorithm>
#include <utility>

#include "weir/base/assert.hpp"
#include "weir/base/digest.hpp"
#include "weir/fleet/free_index.hpp"
#include "weir/job/checkpoint_advice.hpp"
#include "weir/sim/prediction_error.hpp"

namespace weir::sim {
namespace {

// Nodes that a gang takes at least, in the first pool that it accepts.
std::uint64_t nodes_of(const fleet::Fleet& fleet, const fleet::Demand& demand) {
    std::uint64_t nodes = 0;
    for (const fleet::GangPart& part : demand.parts) {
        const std::uint64_t on_one = std::max<std::uint64_t>(
            1,
            fleet::FreeIndex::replicas_per_empty_node(fleet.pool(demand.pools.front()), part.each));
        nodes += part.replicas / on_one + (part.replicas % on_one > 0 ? 1 : 0);
    }
    return nodes;
}

// Two texts have different hashes for all that matters; 0 is left for "not known".
std::uint64_t hash_of(std::string_view text) {
    Digest digest;
    digest.add(text);
    return digest.value() == 0 ? 1 : digest.value();
}

std::uint64_t likeness_of(std::uint64_t owner, const TraceJob& job) {
    if (owner == 0) return 0;
    Digest digest;
    digest.add(owner);
    digest.add(std::uint64_t{job.chips} << 32 | job.chip_permille);
    digest.add(std::uint64_t{job.nodes} << 32 | job.accepts);
    digest.add(job.cpus_milli);
    digest.add(job.memory.count);
    if (job.trains != unknown_name) digest.add(job.trains);
    return digest.value() == 0 ? 1 : digest.value();
}

}  // namespace

Replay::Replay(const Trace& trace,
               fleet::Fleet fleet,
               const SimulationOptions& options,
               std::vector<ScheduledJob>& jobs,
               tenancy::Unit unit,
               Time from)
    : trace_(trace),
      options_(options),
      jobs_(jobs),
      engine_(
          fleet, options.policy, tenancy::rights_on(fleet, options.organisations, options.rate_of)),
      tenants_(tenants_of_names(trace, options.organisations)),
      demands_(trace, fleet, options.keeps, options.sizes),
      // Of virtual clusters that are kept apart, nobody says which racks they are in.
      meter_(options.apart ? fleet::Fleet{} : fleet, from),
      waterfall_(fleet, unit, from, engine_.rights()),
      houses_(engine_.rights(), from),
      tenant_(trace.tenant()),
      tenant_of_name_(trace.names.size() + 1, no_slot),
      caps_(options.caps),
      advances_(options.advances) {
    WEIR_ASSERT(!jobs.empty());
    slots_.assign(jobs.size(), no_slot);
    hash_of_name_.reserve(trace.names.size());
    for (const std::string& name : trace.names)
        hash_of_name_.push_back(hash_of(name));

    const Time first = job(0).submitted_at;
    if (options.failures.faults == Faults::reliability) {
        failures_ = Failures::by_reliability(fleet, options.failures.seed, first);
    } else if (options.failures.faults == Faults::log) {
        // Names of nodes are those of one copy.
        failures_ = Failures::by_log(trace.fleet, options.failures.log, options.scale);
        log_mtbf_ = options.failures.log.node_mtbf(trace.fleet);
    }
    follows_nodes_ = options.failures.faults != Faults::none;
    if (follows_nodes_) {
        held_.resize(jobs.size());
        for (const fleet::Pool& pool : fleet.pools)
            on_node_.emplace_back(pool.nodes);
    }
    // Only a choice between victims asks how much of their work is saved, and where all jobs are of
    // one class a lowered budget alone makes victims.
    tells_checkpoints_ =
        options.policy.preempt &&
        (trace.has_classes() || !options.caps.empty() || !options.organisations.empty()) &&
        options.checkpoints.rule != CheckpointRule::none;
    const auto sooner = [](const auto& a, const auto& b) { return a.at < b.at; };
    std::stable_sort(caps_.begin(), caps_.end(), sooner);
    std::stable_sort(advances_.begin(), advances_.end(), sooner);
    if (options.log) {
        log_.emplace(fleet,
                     engine_.rights(),
                     options.policy,
                     unit,
                     std::min(first, next_of_others()),
                     options.log);
    }
    const Time begins = std::min(first, next_of_others());
    agree_on_loans(begins);
}

Duration Replay::checkpoint_interval(const fleet::Demand& demand) const {
    const CheckpointOptions& its = options_.checkpoints;
    if (its.rule == CheckpointRule::none) return {};
    if (its.rule == CheckpointRule::fixed) return its.every;
    const fleet::Fleet& fleet = engine_.fleet();
    const Duration node_mtbf =
        log_mtbf_ > Duration{} ? log_mtbf_ : fleet.pool(demand.pools.front()).node_mtbf;
    if (node_mtbf <= Duration{} || its.cost <= Duration{}) return {};
    const Duration mtbf = job::mtbf_of_gang(node_mtbf, nodes_of(fleet, demand));
    return its.rule == CheckpointRule::young ? job::young_interval(its.cost, mtbf)
                                             : job::daly_interval(its.cost, mtbf);
}

// What a limit has to be so that the checkpoints of a job do not count against it.
Duration Replay::with_checkpoints(Duration limit, Duration every) const {
    if (limit >= forever || every <= Duration{}) return limit;
    const CheckpointOptions& how = options_.checkpoints;
    return limit + (limit / every + 1) * how.cost + how.restart;
}

// What is planned for a training job: the core chooses among that.
void Replay::enter_sizes(JobRun& run, const TraceJob& its, sched::Request& request) {
    const DemandsOf::Sizes& sizes = demands_.sizes_of(its, engine_, request.tenant);
    if (sizes.all.empty()) return;
    run.sizes = &sizes;
    run.demand = &sizes.all.front().demand;
    request.sizes = sizes.all;
    for (sched::Size& size : request.sizes)
        size.limit = with_checkpoints(size.limit, checkpoint_interval(size.demand));
    request.demand = *run.demand;
    request.limit = request.sizes.front().limit;
    request.expected = request.sizes.front().takes;
}

// It starts for the first time, in the size that the core has chosen, and keeps that.
void Replay::take_size(std::uint32_t index, std::uint32_t number) {
    JobRun& run = run_of(index);
    const DemandsOf::Sizes* const sizes = std::exchange(run.sizes, nullptr);
    if (sizes == nullptr) return;
    const sched::Size& size = sizes->all.at(number);
    run.demand = &size.demand;
    run.work = size.takes;
    run.every = checkpoint_interval(size.demand);
    run.limit = with_checkpoints(size.limit, run.every);
    jobs_[index].chips = static_cast<double>(size.demand.chips_milli()) / 1000.0;
    jobs_[index].trained = {.run = size.takes,
                            .cpus = static_cast<double>(size.demand.cpus_milli()) / 1000.0};
}

void Replay::tell(const sched::Event& event, Time now) {
    if (log_) log_->event(event, now);
    apply(event, now);
}

void Replay::apply(const sched::Event& event, Time now) {
    engine_.apply(event, now);
    if (options_.watch != nullptr) options_.watch->told(event, now);
}

void Replay::submit(std::uint32_t index, Time now) {
    const TraceJob& its = job(index);
    if (unused_.empty()) {
        slots_[index] = static_cast<std::uint32_t>(runs_.size());
        runs_.emplace_back();
    } else {
        slots_[index] = unused_.back();
        unused_.pop_back();
        // A settled account is as good as a new one, and has its memory already.
        JobRun next;
        next.account = std::move(runs_[slots_[index]].account);
        runs_[slots_[index]] = std::move(next);
    }
    JobRun& run = run_of(index);
    run.index = index;
    sched::JobSubmitted event;
    sched::Request& request = event.request;
    request.job = JobId{index};
    request.limit = its.limit;
    run.work = its.run;
    run.demand = &demands_.of(its);
    request.demand = *run.demand;
    run.account.tenant = tenant_of(its);
    request.priority = its.priority;
    if (its.group != unknown_name && tenants_[its.group].valid())
        request.tenant = tenants_[its.group];
    request.data = reads(its);
    run.account.house = request.tenant;
    run.barred = &demands_.barred_to(its);
    run.every = checkpoint_interval(request.demand);
    if (run.every > Duration{}) {
        request.checkpoint = {.every = run.every, .cost = options_.checkpoints.cost};
    }
    request.limit = with_checkpoints(request.limit, run.every);
    enter_sizes(run, its, request);
    run.limit = request.limit;
    run.retries = options_.failures.retries;
    request.replace_failed = options_.failures.replace;
    if (its.user != unknown_name) {
        request.owner = hash_of_name_[its.user];
        request.likeness = likeness_of(request.owner, its);
    }
    if (options_.prediction_error_seed && request.sizes.empty()) {
        const std::uint64_t which = std::uint64_t{jobs_[index].copy} << 32 | jobs_[index].trace_job;
        request.predicted =
            predicted_run(its.run, its.limit, *options_.prediction_error_seed, which);
    }
    if (log_) log_->submitted(event, tenant_name(its), *run.barred, now);
    apply(event, now);
    waterfall_.waits(run.account,
                     run.sizes == nullptr ? *run.demand : run.sizes->waiting,
                     *run.barred,
                     now,
                     reads(its));
}

const std::vector<std::string>& Replay::reads(const TraceJob& its) const {
    static const std::vector<std::string> nothing;
    return its.reads == unknown_name ? nothing : trace_.data_sets[its.reads];
}

// "" where the log does not name one.
std::string_view Replay::tenant_name(const TraceJob& its) const {
    const std::uint32_t name = tenant_ == nullptr ? unknown_name : its.*tenant_;
    return name == unknown_name ? std::string_view{} : trace_.names[name];
}

std::uint32_t Replay::tenant_of(const TraceJob& its) {
    const std::uint32_t name = tenant_ == nullptr ? unknown_name : its.*tenant_;
    std::uint32_t& known = tenant_of_name_[name == unknown_name ? trace_.names.size() : name];
    if (known == no_slot) known = waterfall_.tenant(tenant_name(its));
    return known;
}

// ---------------------------------------------------------------------------------------------
// Attempts

// All that follows what is held is told here and in release(): a meter of watts, the waterfall, who
// is hit when a node fails.
void Replay::hold(std::uint32_t index, const fleet::Placement& placement, Time now) {
    JobRun& run = run_of(index);
    meter_.on_start(*run.demand, placement, now);
    waterfall_.starts(run.account, *run.demand, placement, now);
    count_for_house(index, placement, true, now);
    keep_attempt(index, placement, now);
    if (!follows_nodes_) return;
    held_[index] = placement;
    for (const fleet::NodeRange& range : placement.ranges) {
        for (std::uint32_t i = 0; i < range.count; ++i)
            on_node_[range.pool.value][range.first + i].push_back(index);
    }
}

void Replay::release(std::uint32_t index, Time now) {
    // Of a gang that got another node the core knows only the new place.
    const fleet::Placement& placement =
        follows_nodes_ ? held_[index] : *engine_.placement(JobId{index});
    JobRun& run = run_of(index);
    meter_.on_end(*run.demand, placement, now);
    waterfall_.stops(
        run.account, *run.demand, placement, std::exchange(run.spent, tenancy::Spent{}), now);
    count_for_house(index, placement, false, now);
    if (!too_many_attempts_) {
        const auto its =
            std::find_if(attempts_.rbegin(), attempts_.rend(), [index](const HeldAttempt& attempt) {
                return attempt.job == index;
            });
        its->until = now;
    }
    if (!follows_nodes_) return;
    for (const fleet::NodeRange& range : held_[index].ranges) {
        for (std::uint32_t i = 0; i < range.count; ++i)
            std::erase(on_node_[range.pool.value][range.first + i], index);
    }
    held_[index].ranges.clear();
}

void Replay::count_for_house(std::uint32_t index,
                             const fleet::Placement& on,
                             bool taking,
                             Time now) {
    if (engine_.rights().empty()) return;
    const JobRun& run = run_of(index);
    houses_.hold(run.account.house,
                 engine_.rights().charges(*run.demand, on.ranges.front().pool),
                 taking,
                 now);
}

void Replay::keep_attempt(std::uint32_t index, const fleet::Placement& on, Time now) {
    if (too_many_attempts_) return;
    if (attempts_.size() == held_attempts_max) {
        too_many_attempts_ = true;
        attempts_ = {};
        return;
    }
    attempts_.push_back({.job = index,
                         .trace_job = jobs_[index].trace_job,
                         .number = run_of(index).attempts,
                         .on = on,
                         .from = now,
                         .until = now});
}

// Work begins, or goes on from the last checkpoint.
void Replay::go_on(std::uint32_t index, Time now) {
    JobRun& run = run_of(index);
    run.attempt = {.begin = now,
                   .restart = run.saved > Duration{} ? options_.checkpoints.restart : Duration{},
                   .work = run.work - run.saved,
                   .every = run.every,
                   .cost = options_.checkpoints.cost};
    run.serial = ++starts_;
    ends_.push({std::min(run.attempt.end(), run.attempt_began + run.limit), run.serial, index});
    if (tells_checkpoints_) {
        const Time next = run.attempt.next_checkpoint(now);
        if (next < never) timers_.push({next, ++timers_set_, index, run.serial, false});
    }
}

// Where the time went since its work began or went on; what is neither of these was work, of which
// `kept` is saved or done.
void Replay::account(std::uint32_t index, Duration kept, Time now) {
    JobRun& run = run_of(index);
    const bool saves_its_last = run.stopping && run.every > Duration{} && now < run.attempt.end();
    const Duration restart = std::min(run.attempt.restart, now - run.attempt.begin);
    const Duration work = saves_its_last ? run.stopping_saves : run.attempt.done(now);
    const Duration checkpoints = now - run.attempt.begin - restart - work;
    jobs_[index].restarts += restart;
    jobs_[index].checkpoints += checkpoints;
    run.spent.restart += restart;
    run.spent.checkpoint += checkpoints;
    run.spent.kept += kept;
}

void Replay::end_attempt(
    std::uint32_t index, sched::Outcome outcome, bool requeue, Duration kept, Time now) {
    JobRun& run = run_of(index);
    ScheduledJob& scheduled = jobs_[index];
    account(index, kept, now);
    run.wall += now - run.attempt_began;
    run.serial = 0;
    run.stopping = false;
    run.lost_a_node = false;
    run.runs = false;
    scheduled.end = now;
    moved_at_ = now;
    --running_;
    const tenancy::Spent spent = run.spent;
    release(index, now);
    const sched::JobEnded event{JobId{index}, outcome, requeue};
    if (log_) log_->ended(event, spent, job(index).efficiency, now);
    apply(event, now);
    if (requeue) {
        waterfall_.waits(run.account, *run.demand, *run.barred, now, reads(job(index)));
        return;
    }
    const bool done = outcome == sched::Outcome::succeeded;
    scheduled.lost = run.wall - (done ? run.work : Duration{});
    settle(index, done, now);
}

// It was back in the queue since its last attempt.
void Replay::end_pause(std::uint32_t index, Time now) {
    const ScheduledJob& its = jobs_[index];
    if (its.end >= now) return;
    pauses_.push_back({its.trace_job, its.chips, cpus_of(its, job(index), trace_), its.end, now});
}

// It is over: its book is closed.
void Replay::settle(std::uint32_t index, bool came_out, Time now) {
    const tenancy::Losses row =
        waterfall_.settles(run_of(index).account, came_out, job(index).efficiency, now);
    if (log_) log_->settled(JobId{index}, row, now);
    if (options_.on_settled) options_.on_settled(job(index), jobs_[index].copy, row);
    run_of(index).index = no_slot;
    unused_.push_back(std::exchange(slots_[index], no_slot));
    over_at_ = now;
    ++over_;
}

// The end that an entry of ends_ announced: of the work, or of the limit before it.
void Replay::finish(std::uint32_t index, Time now) {
    if (run_of(index).attempt.end() > now) {
        end_by_limit(index, now);
    } else {
        end_attempt(index, sched::Outcome::succeeded, false, run_of(index).attempt.work, now);
    }
}

void Replay::end_by_limit(std::uint32_t index, Time now) {
    JobRun& run = run_of(index);
    if (run.stopping) {
        // It was to wait again anyway, and came to its limit before it had saved all.
        run.stopping_saves = run.attempt.saved(now);
        stop(index, now);
        return;
    }
    jobs_[index].ended_by_limit = true;
    ++tally_.ended_by_limit;
    end_attempt(index, sched::Outcome::failed, false, Duration{}, now);
}

// A node failed before the work is done; what was saved is not lost.
void Replay::fail(std::uint32_t index, Time now) {
    JobRun& run = run_of(index);
    const Duration saved = run.attempt.saved(now);
    run.saved += saved;
    ++jobs_[index].failures;
    ++tally_.attempts_failed;
    const bool again = run.retries > 0;
    if (again) {
        --run.retries;
    } else {
        ++tally_.given_up;
    }
    end_attempt(index, sched::Outcome::lost, again, saved, now);
}

// It was asked to make room, and has saved what it could.
void Replay::stop(std::uint32_t index, Time now) {
    JobRun& run = run_of(index);
    // Not before: who was asked to stop may still come to its end, or lose a node.
    ++jobs_[index].preemptions;
    run.saved += run.stopping_saves;
    end_attempt(index, sched::Outcome::lost, true, run.stopping_saves, now);
}

// ---------------------------------------------------------------------------------------------
// Decisions

void Replay::decide(Time now) {
    for (bool again = true; again;) {
        again = false;
        decisions_.clear();
        if (options_.watch != nullptr && options_.watch->comes_back(now)) engine_.begin_anew();
        engine_.decide(now, decisions_);
        if (options_.watch != nullptr) options_.watch->decided(decisions_, engine_, now);
        for (const sched::Decision& decision : decisions_) {
            if (log_) log_->decision(decision, spent_of(decision), now);
            again |=
                std::visit([&](const auto& what) { return carry_out(what, now); }, decision.what);
        }
        if (!without_a_node_.empty()) again |= fail_unreplaced(now);
    }
    // What it asks for at this moment it has just been given.
    wakes_at_ = engine_.wakes_at();
    if (wakes_at_ <= now) wakes_at_ = never;
}

// How the job that a decision moves spent its time.
tenancy::Spent Replay::spent_of(const sched::Decision& decision) {
    const auto* const replace = std::get_if<sched::Replace>(&decision.what);
    if (replace == nullptr) return {};
    return run_of(static_cast<std::uint32_t>(replace->job.value)).spent;
}

bool Replay::carry_out(const sched::Start& start, Time now) {
    const auto index = static_cast<std::uint32_t>(start.job.value);
    JobRun& run = run_of(index);
    ScheduledJob& scheduled = jobs_[index];
    if (run.attempts++ == 0) {
        scheduled.start = now;
        scheduled.nodes = static_cast<std::uint32_t>(start.placement.nodes());
        scheduled.pool = start.placement.ranges.front().pool;
        take_size(index, start.size);
    } else {
        end_pause(index, now);
    }
    scheduled.attempts = run.attempts;
    run.runs = true;
    run.promised = never;
    run.attempt_began = now;
    moved_at_ = now;
    ++running_;
    hold(index, start.placement, now);
    go_on(index, now);
    return false;
}

bool Replay::carry_out(const sched::Reserve& reserve, Time now) {
    JobRun& run = run_of(static_cast<std::uint32_t>(reserve.job.value));
    run.promised = reserve.at;
    waterfall_.promised(run.account, reserve.placement, now);
    ScheduledJob& scheduled = jobs_[reserve.job.value];
    // What counts is what it was promised first, while it waited for its first start.
    if (scheduled.promised_at == never && run.attempts == 0 && reserve.at < never) {
        scheduled.promised = reserve.at;
        scheduled.promised_at = now;
    }
    return false;
}

bool Replay::carry_out(const sched::Drop& drop, Time now) {
    const auto index = static_cast<std::uint32_t>(drop.job.value);
    jobs_[index].attempts = run_of(index).attempts;
    if (run_of(index).attempts > 0) end_pause(index, now);
    jobs_[index].end = now;
    jobs_[index].lost = run_of(index).wall;
    ++tally_.dropped;
    settle(index, false, now);
    return false;
}

bool Replay::carry_out(const sched::Preempt& preempt, Time now) {
    const auto index = static_cast<std::uint32_t>(preempt.job.value);
    JobRun& run = run_of(index);
    WEIR_ASSERT(run.runs && !run.stopping);
    ++tally_.preemptions;
    if (!loans_.empty() && preempt.for_job.valid()) stopped_.push_back(now);
    run.stopping = true;
    run.stopping_saves = run.every > Duration{} ? run.attempt.done(now) : Duration{};
    if (run.every > Duration{} && options_.checkpoints.cost > Duration{}) {
        timers_.push({now + options_.checkpoints.cost, ++timers_set_, index, run.serial, true});
        return false;
    }
    stop(index, now);
    return true;
}

bool Replay::carry_out(const sched::Stage& stage, Time now) {
    copies_.push({stage.ends, ++copies_made_, {stage.dataset, stage.to}});
    (void)now;
    return false;
}

bool Replay::carry_out(const sched::Forget& forget, Time now) {
    tally_.forgotten_bytes += bytes_of(forget.dataset);
    waterfall_.set_data(forget.dataset, forget.site.value, false, now);
    return false;
}

void Replay::arrived(const sched::DatasetStaged& copy, Time now) {
    ++tally_.copies;
    tally_.copied_bytes += bytes_of(copy.dataset);
    waterfall_.set_data(copy.dataset, copy.site.value, true, now);
    tell(copy, now);
}

double Replay::bytes_of(const std::string& dataset) const {
    for (const fleet::Site& site : trace_.fleet.sites) {
        const auto its = site.storage.datasets.find(dataset);
        if (its != site.storage.datasets.end()) return static_cast<double>(its->second.count);
    }
    return 0;
}

bool Replay::carry_out(const sched::Replace& replace, Time now) {
    const auto index = static_cast<std::uint32_t>(replace.job.value);
    JobRun& run = run_of(index);
    WEIR_ASSERT(run.runs);
    if (replace.placement.ranges.empty()) {
        fail(index, now);
        return true;
    }
    WEIR_ASSERT(run.lost_a_node);
    release(index, now);
    hold(index, replace.placement, now);
    ++tally_.nodes_replaced;
    run.lost_a_node = false;
    go_on(index, now);
    return false;
}

// Whoever lost a node and got no other at the same instant does not go on.
bool Replay::fail_unreplaced(Time now) {
    bool some = false;
    for (const std::uint32_t index : std::exchange(without_a_node_, {})) {
        if (slots_[index] == no_slot || !run_of(index).lost_a_node) continue;
        fail(index, now);
        some = true;
    }
    return some;
}

// ---------------------------------------------------------------------------------------------
// The clock

void Replay::collect_ends(Time now) {
    ending_.clear();
    while (!ends_.empty() && ends_.top().at == now) {
        if (counts(ends_.top().job, ends_.top().serial)) ending_.push_back(ends_.top());
        ends_.pop();
    }
}

void Replay::classic_instant(Time now) {
    collect_ends(now);
    const auto at_its_limit = [&](const End& one) {
        return job(one.job).run >= job(one.job).limit;
    };
    for (const End& one : ending_) {
        if (at_its_limit(one)) finish(one.job, now);
    }
    while (next_ < jobs_.size() && job(next_).submitted_at == now) {
        const std::uint32_t index = next_++;
        submit(index, now);
        if (engine_.fits_now(JobId{index})) decide(now);
    }
    for (const End& one : ending_) {
        if (!at_its_limit(one)) finish(one.job, now);
        decide(now);
    }
}

void Replay::batched_instant(Time now) {
    collect_ends(now);
    for (const End& one : ending_)
        finish(one.job, now);
    while (next_ < jobs_.size() && job(next_).submitted_at == now)
        submit(next_++, now);
    decide(now);
}

void Replay::full_instant(Time now) {
    collect_ends(now);
    for (const End& one : ending_)
        finish(one.job, now);
    if (failures_.next_at() <= now) node_changes(now);
    if (!timers_.empty() && timers_.top().at <= now) timers(now);
    for (; !copies_.empty() && copies_.top().at <= now; copies_.pop())
        arrived(copies_.top().there, now);
    for (; next_cap_ < caps_.size() && caps_[next_cap_].at <= now; ++next_cap_) {
        const auto& [at, domain, watts] = caps_[next_cap_];
        if (domain.level == fleet::Level::rack) {
            meter_.set_rack_cap(domain.pool, domain.number, watts, now);
        }
        waterfall_.set_budget(domain.level, domain.pool, domain.number, watts, now);
        tell(sched::PowerCapSet{domain, watts}, now);
    }
    for (; next_advance_ < advances_.size() && advances_[next_advance_].at <= now;
         ++next_advance_) {
        const sched::Advance& advance = advances_[next_advance_].advance;
        std::vector<tenancy::Waterfall::Run> nodes;
        for (const sched::Advance::Nodes& run : advance.nodes)
            nodes.push_back({run.pool, run.first, run.count});
        waterfall_.set_apart(
            advance.id, std::move(nodes), advance.maintenance, advance.from, advance.until, now);
        tell(sched::AdvanceMade{advance}, now);
    }
    while (next_ < jobs_.size() && job(next_).submitted_at == now)
        submit(next_++, now);
    loans_come_to(now);
    decide(now);
}

void Replay::node_changes(Time now) {
    std::vector<std::uint32_t> hit;
    while (failures_.next_at() <= now) {
        const NodeChange change = failures_.take();
        const auto health = change.up ? sched::NodeHealth::up : sched::NodeHealth::down;
        tell(sched::NodeChanged{change.pool, change.node, health}, now);
        waterfall_.set_health(
            change.pool,
            change.node,
            change.up ? tenancy::Waterfall::Health::up : tenancy::Waterfall::Health::failed,
            now);
        if (change.up) continue;
        // A log begins before the window that is replayed; then nobody was there to be hit.
        if (now >= job(0).submitted_at) ++tally_.node_failures;
        hit = on_node_[change.pool.value][change.node];
        std::sort(hit.begin(), hit.end());
        hit.erase(std::unique(hit.begin(), hit.end()), hit.end());
        for (const std::uint32_t index : hit) {
            JobRun& run = run_of(index);
            // One node is replaced; who loses more of them at the same instant starts again.
            if (!options_.failures.replace || run.stopping || run.lost_a_node) {
                fail(index, now);
                continue;
            }
            // The work of all is thrown back to the last checkpoint.
            const Duration saved = run.attempt.saved(now);
            account(index, saved, now);
            run.saved += saved;
            run.attempt = {.begin = now};
            run.serial = 0;
            run.lost_a_node = true;
            without_a_node_.push_back(index);
            tell(sched::ReplicaLost{JobId{index}, change.pool, change.node}, now);
        }
    }
}

void Replay::timers(Time now) {
    while (!timers_.empty() && timers_.top().at <= now) {
        const Timer timer = timers_.top();
        timers_.pop();
        if (!counts(timer.job, timer.serial)) continue;  // of an attempt that is over
        JobRun& run = run_of(timer.job);
        if (timer.stop) {
            stop(timer.job, now);
            continue;
        }
        if (run.stopping) continue;
        tell(sched::Checkpointed{JobId{timer.job}}, now);
        const Time next = run.attempt.next_checkpoint(now);
        if (next < never) timers_.push({next, ++timers_set_, timer.job, timer.serial, false});
    }
}

// When the next job is submitted or ends.
Time Replay::next_of_jobs() {
    while (!ends_.empty() && !counts(ends_.top().job, ends_.top().serial))
        ends_.pop();
    Time next = ends_.empty() ? never : ends_.top().at;
    if (next_ < jobs_.size()) next = std::min(next, job(next_).submitted_at);
    return next;
}

// When anything else happens.
Time Replay::next_of_others() const {
    Time next = std::min(failures_.next_at(), wakes_at_);
    if (!timers_.empty()) next = std::min(next, timers_.top().at);
    if (!copies_.empty()) next = std::min(next, copies_.top().at);
    if (next_cap_ < caps_.size()) next = std::min(next, caps_[next_cap_].at);
    if (next_advance_ < advances_.size()) next = std::min(next, advances_[next_advance_].at);
    for (const Lending& each : loans_)
        next = std::min(next, each.next());
    return next;
}

void Replay::run(const std::function<void(std::uint64_t)>& on_ended) {
    play(on_ended);
    if (log_ && over_ == jobs_.size()) log_->books(books(over_at_));
}

void Replay::play(const std::function<void(std::uint64_t)>& on_ended) {
    // Nodes fail and come back for ever: who has not started in so long an idle time never will.
    constexpr Duration idle_max = seconds(std::int64_t{10} * 365 * 86'400);
    std::uint32_t instants = 0;
    Time before = Time::min();
    while (over_ < jobs_.size()) {
        const Time others = next_of_others();
        const Time now = std::min(next_of_jobs(), others);
        const bool idles = running_ == 0 && next_ == jobs_.size() && moved_at_ > Time::min() &&
                           now - idle_max > moved_at_;
        if (now >= never || idles) {
            if (!loans_.empty() || !trace_.data_sets.empty()) leave_who_waits(before);
            return;
        }
        before = now;
        if (others <= now) {
            full_instant(now);
        } else {
            trace_.classic ? classic_instant(now) : batched_instant(now);
        }
        if (!loans_.empty()) settle_loans(now);
        if ((++instants & 0xFFF) == 0) on_ended(over_);
    }
}

}  // namespace weir::sim
