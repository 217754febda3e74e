#include "weir/hub/book.hpp"

#include <algorithm>
#include <utility>

#include "weir/base/assert.hpp"
#include "weir/hub/houses.hpp"
#include "weir/job/job_json.hpp"

namespace weir::hub {
namespace {

// So far back the rules of preemption look.
constexpr Duration an_hour = seconds(3600);

}  // namespace

Result<void> check_fleet(const fleet::Fleet& fleet) {
    constexpr std::uint64_t nodes_max = 16'000'000;
    if (fleet.pools.empty()) {
        return fail(Code::invalid, "the fleet has no pool, so no job could ever run");
    }
    for (const fleet::Pool& pool : fleet.pools) {
        if (pool.chips_per_node > fleet::chips_per_node_max) {
            return fail(Code::invalid,
                        "pool " + pool.name + " has " + std::to_string(pool.chips_per_node) +
                            " chips on a node; valid are up to " +
                            std::to_string(fleet::chips_per_node_max));
        }
    }
    if (fleet.nodes_total() > nodes_max) {
        return fail(Code::invalid,
                    "the fleet has " + std::to_string(fleet.nodes_total()) +
                        " nodes; valid are up to " + std::to_string(nodes_max));
    }
    return {};
}

std::vector<std::string> nodes_by_rank(const fleet::Placement& placement,
                                       const fleet::Fleet& fleet) {
    std::vector<std::string> nodes;
    for (const fleet::NodeRange& range : placement.ranges) {
        for (std::uint32_t i = 0; i < range.count; ++i) {
            nodes.insert(nodes.end(), range.replicas, fleet.node_name(range.pool, range.first + i));
        }
    }
    return nodes;
}

Result<void> Book::apply(const journal::Record& record, Time at) {
    if (!begun() && !std::holds_alternative<journal::FleetSet>(record)) {
        return fail(Code::io, "the journal does not begin with a fleet");
    }
    WEIR_CHECK(come_to(at));
    WEIR_CHECK(std::visit([this, at](const auto& what) { return on(what, at); }, record));
    look_at_readers(at);
    return {};
}

Result<void> Book::come_to(Time at) {
    if (at < now_ || at > never) {
        return fail(Code::io, "the journal's time goes back, or beyond all times");
    }
    // What is used on a loan costs what its contract says, to the moment.
    for (Time next = loans_.next_change(now_); next <= at; next = loans_.next_change(next))
        accounts_.set_loans(loans_.at(next), next);
    now_ = at;
    return {};
}

const Job* Book::find(JobId job) const {
    const auto found = jobs_.find(job);
    return found == jobs_.end() ? nullptr : &found->second;
}

const Book::Promise* Book::promise(JobId job) const {
    const auto found = promises_.find(job);
    return found == promises_.end() ? nullptr : &found->second;
}

std::string Book::described(JobId job) const {
    if (!register_.knows(job)) return "job " + std::to_string(job.value);
    return "job " + register_.id_of(job) + " (" + register_.text(register_.line(job).name) + ")";
}

std::string Book::dependency_failed(JobId other) const {
    std::string reason = "dependency failed: " + described(other);
    if (register_.knows(other)) {
        reason += " is " + std::string(name_of(register_.line(other).state));
    }
    return reason;
}

std::vector<Book::BrokenPromise> Book::take_broken_promises() {
    return std::exchange(broken_promises_, {});
}
const Book::BrokenPromise* Book::lost_promise(JobId job) const {
    const auto found = lost_promises_.find(job);
    return found == lost_promises_.end() ? nullptr : &found->second;
}
void Book::forget_promises(JobId job) {
    promises_.erase(job);
    lost_promises_.erase(job);
}

sched::Request Book::request_now(const Job& job) const {
    const auto known = promises_.find(job.id);
    return sched::settled(
        job.family->request,
        known != promises_.end() ? known->second.size : engine_->chosen_size(job.id));
}

std::string Book::deadline_trouble(const Job& job) const {
    if (job.family->request.deadline == never) return "";
    const sched::Request request = request_now(job);
    const std::string deadline = "its deadline, " + format_time(request.deadline);
    if (request.deadline <= now_) return deadline + ", has passed";
    if (now_ + request.limit > request.deadline) {
        return "with its time limit it can no longer end by " + deadline;
    }
    const bool parked =
        request.array_at_once_max > 0 && job.family->running >= request.array_at_once_max;
    if (!policy_.backfill || parked) return "";
    const auto known = promises_.find(job.id);
    if (known == promises_.end()) return "it is promised no start that lets it end by " + deadline;
    if (known->second.at + request.limit <= request.deadline) return "";
    return "what it is promised now may be too late for " + deadline;
}

std::vector<JobId> Book::take_finished() {
    return std::exchange(finished_, {});
}
std::vector<Change> Book::take_changes() {
    return std::exchange(changes_, {});
}

void Book::release(JobId id) {
    const auto job = jobs_.find(id);
    WEIR_ASSERT(job != jobs_.end() && is_final(job->second.state));
    const JobId first = job->second.family->first;
    jobs_.erase(job);
    const auto family = families_.find(first);
    if (--family->second.left > 0) return;
    for (const job::DataOut& out : family->second.spec.data_out) {
        const auto maker = makers_.find(out.dataset);
        if (maker != makers_.end() && maker->second == first) makers_.erase(maker);
    }
    families_.erase(family);
}

void Book::set_spec(JobId first, job::JobSpec spec) {
    Family& family = families_.at(first);
    family.spec = std::move(spec);
    for (const job::DataOut& out : family.spec.data_out)
        makers_[out.dataset] = first;
    family.spec_text.clear();
    family.spec_text.shrink_to_fit();
}

Result<void> Book::parse_specs() {
    for (auto& [first, family] : families_) {
        if (family.spec_text.empty()) continue;
        auto spec = job::spec_from_json(family.spec_text);
        if (!spec) {
            return fail(spec.error().at("the journal's description of " + described(first)));
        }
        set_spec(first, std::move(spec).value());
    }
    return {};
}

// ------------------------------------------------------------------------- state of a job

void Book::set_state(Job& job, JobState state, std::string reason, Time at) {
    job.state = state;
    if (state == JobState::pending) {
        pending_[job.family->tenant].insert(job.id);
    } else if (const auto its = pending_.find(job.family->tenant); its != pending_.end()) {
        its->second.erase(job.id);
        if (its->second.empty()) pending_.erase(its);
    }
    job.reason = std::move(reason);
    register_.set_state(job.id, state);
    if (state == JobState::held && !job.family->request.data.empty()) {
        held_readers_.insert(job.id);
    } else {
        held_readers_.erase(job.id);
    }
    if (++change_sequence_ <= muted_until_) return;
    changes_.push_back({.sequence = change_sequence_,
                        .at = at,
                        .job = job.id,
                        .id = register_.id_of(job.id),
                        .name = job.family->name,
                        .state = state,
                        .reason = job.reason});
}

// The engine has heard of it already.
void Book::finish(Job& job, JobState state, std::string reason, Time at) {
    WEIR_ASSERT(is_final(state));
    job.ended_at = at;
    ++jobs_ended_;
    accounts_.over(job.id);
    set_state(job, state, std::move(reason), at);
    finished_.push_back(job.id);
    forget_promises(job.id);
    release_dependents(job.id, at);
}

// The engine does not announce that a held job may start now; it is seen in its phase.
void Book::release_dependents(JobId ended, Time at) {
    const auto waiting = dependents_.find(ended);
    if (waiting == dependents_.end()) return;
    const std::vector<JobId> families = std::move(waiting->second);
    dependents_.erase(waiting);
    for (const JobId first : families) {
        const auto family = families_.find(first);
        if (family == families_.end()) continue;
        for (std::uint32_t i = 0; i < family->second.count; ++i) {
            const auto job = jobs_.find(JobId{first.value + i});
            if (job == jobs_.end() || job->second.state != JobState::held) continue;
            if (engine_->phase(job->first) != sched::Phase::pending) continue;
            set_state(job->second, JobState::pending, "", at);
        }
    }
}

Result<Job*> Book::job_that(JobId id, bool (Job::*is)() const, const char* what) {
    const auto job = jobs_.find(id);
    if (job == jobs_.end() || !(job->second.*is)()) {
        return fail(Code::io,
                    "the journal speaks of job " + std::to_string(id.value) + " as one that " +
                        what + ", which it is not");
    }
    return &job->second;
}

// ------------------------------------------------------------------------------- records

// To a fresh engine, what was before it comes with its own times; they never go back.
void Book::tell(const sched::Event& event, Time at) {
    told_ = std::max(told_, at);
    engine_->apply(event, told_);
}

Result<void> Book::on(const journal::FleetSet& record, Time at) {
    if (const auto checked = check_fleet(record.fleet); !checked) {
        return fail(Code::io, "the journal's fleet is damaged: " + checked.error().message);
    }
    engine_.emplace(record.fleet,
                    record.policy,
                    rights_from(record.fleet, record.tenants.organisations, record.rates));
    told_ = Time::min();
    for (const auto& [when, job] : preemptions_) {
        // Who still runs brings it along.
        const bool runs = running_.count(job) > 0;
        const auto& its = runs ? jobs_.at(job).attempts.back().preempted : std::nullopt;
        if (!its || its->at != when) engine_->resume_preemption(JobId::none(), JobId::none(), when);
    }
    policy_ = record.policy;
    tenants_ = record.tenants;
    rates_ = record.rates;
    domestic_ = record.domestic;
    accounts_.set(tenants_, record.fleet, engine_->rights(), domestic_, at);
    written_as_ = record.written_as;
    // Before, loans of a file were read and not kept.
    if (written_as_ >= 6) {
        loans_.set(tenants_, at);
        accounts_.set_loans(loans_.at(at), at);
        for (const KnownLoan& known : loans_.all())
            if (tenancy::availability(known.loan)) {
                tell(sched::LoanChanged{sched::term_of(known.loan, at)}, told_);
            }
    }
    // What still holds for the new engine follows.
    promises_.clear();
    reservations_.clear();
    drained_.clear();
    power_caps_.clear();
    over_power_.clear();
    datasets_.copying.clear();
    left_behind_ = running_;
    return {};
}

Result<void> Book::on(const journal::SpecGiven& record, Time) {
    given_spec_ = record.text;
    return {};
}

// A promise in a damaged journal may name nodes that are not there.
Result<void> Book::check_place(const Job& job, Time at, const fleet::Placement& placement) const {
    const auto& pools = engine_->fleet().pools;
    if (at > never) {
        return fail(Code::io,
                    "the journal promises " + described(job.id) + " a start beyond all times");
    }
    for (const fleet::NodeRange& range : placement.ranges) {
        if (range.pool.value >= pools.size() || range.count == 0 ||
            range.first >= pools[range.pool.value].nodes ||
            range.count > pools[range.pool.value].nodes - range.first ||
            range.part >= job.family->request.demand.parts.size()) {
            return fail(Code::io,
                        "the journal promises " + described(job.id) +
                            " nodes that the fleet does not have");
        }
    }
    return {};
}

// What the engine would assert: a damaged journal must not end the process.
Result<void> Book::check_request(const sched::Request& request, bool is_served) const {
    const std::string whose = "the journal's request of job " + std::to_string(request.job.value);
    if (request.demand.parts.empty() || request.demand.pools.empty() == is_served) {
        return fail(Code::io, whose + " asks for nothing or accepts no pool");
    }
    for (const PoolId pool : request.demand.pools) {
        if (pool.value >= engine_->fleet().pools.size()) {
            return fail(Code::io, whose + " names a pool that the fleet does not have");
        }
    }
    for (const sched::Dependency& dependency : request.after) {
        if (engine_->phase(dependency.job) == sched::Phase::unknown) {
            return fail(Code::io, whose + " waits for a job that is not known");
        }
    }
    const std::size_t houses = tenants_.organisations.tenants.size();
    if (request.tenant.value >= std::max<std::size_t>(houses, 1)) {
        return fail(Code::io, whose + " is of an organisation that is not known");
    }
    if (request.demand.tag != 0 && reservations_.count(AdvanceId{request.demand.tag}) == 0) {
        return fail(Code::io, whose + " is for a reservation that is not known");
    }
    if (std::set<std::string>(request.data.begin(), request.data.end()).size() !=
        request.data.size()) {
        return fail(Code::io, whose + " reads a dataset twice");
    }
    for (const fleet::GangPart& part : request.demand.parts) {
        if (part.replicas == 0) return fail(Code::io, whose + " has a gang of nobody");
        if (part.each.memory.count < 0)
            return fail(Code::io, whose + " asks for less than nothing");
    }
    if (request.limit.count() <= 0 || request.limit > forever) {
        return fail(Code::io, whose + " has no possible time limit");
    }
    for (std::uint32_t size = 0; size < request.sizes.size(); ++size) {
        sched::Request its = sched::settled(request, size);
        if (its.expected.count() < 0) return fail(Code::io, whose + " takes less than nothing");
        WEIR_CHECK(check_request(its, true));
    }
    if (!is_served) return {};
    if (const auto fits = engine_->can_ever_fit(request.demand); !fits) {
        return fail(Code::io, whose + " can never be served: " + fits.error().message);
    }
    return {};
}

Result<void> Book::on(const journal::Submitted& record, Time at) {
    const JobId first = record.request.job;
    if (first != register_.next() || record.count == 0 || record.count > members_max ||
        (!record.indices.empty() && record.indices.size() != record.count)) {
        return fail(Code::io,
                    "the journal submits job " + std::to_string(first.value) + " where job " +
                        std::to_string(register_.next().value) + " was expected");
    }
    WEIR_CHECK(check_request(record.request, record.unserved.empty()));
    register_.enter(record.name, record.tenant, record.user, record.count, record.indices);

    Family& family = families_[first];
    family.first = first;
    family.count = record.count;
    family.left = record.count;
    family.is_array = !record.indices.empty();
    family.name = record.name;
    family.tenant = record.tenant;
    family.user = record.user;
    family.submitted_at = at;
    family.request = record.request;
    family.is_served = record.unserved.empty();
    family.spec_text = std::exchange(given_spec_, {});

    for (const sched::Dependency& dependency : record.request.after) {
        if (engine_->phase(dependency.job) == sched::Phase::ended) continue;
        dependents_[dependency.job].push_back(first);
    }
    for (std::uint32_t i = 0; i < record.count; ++i) {
        sched::Request request = record.request;
        request.job = JobId{first.value + i};
        const JobId id = request.job;
        accounts_.accepted(id, request);
        tell(sched::JobSubmitted{std::move(request)}, at);
        Job& job = jobs_[id];
        job.id = id;
        job.family = &family;
        const bool pending = engine_->phase(id) == sched::Phase::pending;
        set_state(job, pending ? JobState::pending : JobState::held, record.unserved, at);
    }
    return {};
}

Result<void> Book::on(const journal::Carried& record, Time at) {
    const bool runs = left_behind_.erase(record.request.job) > 0;
    WEIR_TRY(
        Job * job,
        job_that(record.request.job, runs ? &Job::runs : &Job::waits, runs ? "runs" : "waits"));
    const bool is_served = record.unserved.empty();
    WEIR_CHECK(check_request(record.request, is_served || runs));
    if (engine_->phase(job->id) != sched::Phase::unknown) {
        return fail(Code::io,
                    "the journal carries " + described(job->id) + " over to a fleet twice");
    }
    Family& family = *job->family;
    family.request = record.request;
    family.request.job = family.first;
    family.is_served = is_served;
    if (!given_spec_.empty()) family.spec_text = std::exchange(given_spec_, {});
    accounts_.accepted(job->id, record.request);
    // It keeps its date in the queue.
    tell(sched::JobSubmitted{record.request}, family.submitted_at);
    if (runs) {
        Attempt& attempt = job->attempts.back();
        WEIR_CHECK(
            engine_->follow({sched::Start{job->id, record.placement}, {.cause = attempt.cause}},
                            attempt.started_at));
        attempt.placement = record.placement;
        accounts_.started(job->id, record.request, record.placement, attempt.number, at);
        if (attempt.saved_at != never) engine_->resume_checkpoint(job->id, attempt.saved_at);
        if (const auto& stop = attempt.preempted) {
            engine_->resume_preemption(job->id, stop->for_job, stop->at);
        }
        return {};
    }
    const bool pending = engine_->phase(job->id) == sched::Phase::pending;
    const JobState state = pending ? JobState::pending : JobState::held;
    const bool same_reason = state == JobState::pending || job->reason == record.unserved;
    if (state != job->state || !same_reason) set_state(*job, state, record.unserved, at);
    return {};
}

Result<void> Book::on(const journal::PromiseCarried& record, Time at) {
    WEIR_TRY(const Job* job, job_that(record.job, &Job::waits, "waits"));
    WEIR_CHECK(check_place(*job, record.at, record.placement));
    // The core knows nothing of a promise that nobody takes over for a job that is held.
    if (record.at < never || job->state == JobState::pending)
        WEIR_CHECK(
            engine_->follow({sched::Reserve{job->id, record.at, record.placement, record.size},
                             {.cause = sched::Cause::reserved, .until = record.at}},
                            at));
    promises_.erase(job->id);
    if (record.at < never) promises_[job->id] = {record.at, record.placement, record.size};
    if (record.at <= record.promised) {
        lost_promises_.erase(job->id);
        return {};
    }
    lost_promises_[job->id] = {job->id, record.promised, record.at, record.reason};
    broken_promises_.push_back(lost_promises_[job->id]);
    return {};
}

namespace {

// Nobody pays for what was never started, nor longer than the job might run: of one that got lost
// nobody knows when it ended.
Time charged_until(const Job& job, const exec::AttemptEnd& end, Time at) {
    const Time started_at = job.attempts.back().started_at;
    if (end.kind == exec::EndKind::not_started) return started_at;
    const Duration limit = job.family->request.limit;
    const Time last = limit < forever ? std::min(at, started_at + limit) : at;
    return std::clamp(end.ended_at, std::min(started_at, last), last);
}

}  // namespace

Result<void> Book::on(const journal::Ended& record, Time at) {
    WEIR_TRY(Job * job, job_that(record.end.attempt.job, &Job::runs, "runs"));
    Attempt& attempt = job->attempts.back();
    if (attempt.number != record.end.attempt.number) {
        return fail(Code::io,
                    "the journal ends attempt " + std::to_string(record.end.attempt.number) +
                        " of " + described(job->id) + " while attempt " +
                        std::to_string(attempt.number) + " runs");
    }
    if (record.requeue != (record.state == JobState::pending) ||
        (!record.requeue && !is_final(record.state))) {
        return fail(Code::io,
                    "the journal ends " + described(job->id) + " with a state that is no end");
    }
    if (left_behind_.count(job->id) > 0) {
        return fail(Code::io, "the journal ends " + described(job->id) + " between two fleets");
    }
    attempt.end = record.end;
    if (!record.requeue) attempt.stopped_for.clear();  // it had ended before it was stopped
    attempt.nodes_by_rank = nodes_by_rank(attempt.placement, engine_->fleet());
    attempt.placement = {};
    running_.erase(job->id);
    --job->family->running;
    accounts_.ended(job->id, charged_until(*job, record.end, at));
    tell(sched::JobEnded{.job = job->id, .outcome = record.outcome, .requeue = record.requeue}, at);
    for (const journal::Output& output : record.outputs)
        datasets_.outputs[output.dataset] = {job->id, output.path, output.site, output.keep};
    if (record.requeue) {
        set_state(*job, JobState::pending, record.reason, at);
    } else {
        finish(*job, record.state, record.reason, at);
        // The hub may hear of it much later than it happened: it was away, or its disk was full.
        job->ended_at = std::clamp(record.end.ended_at, std::min(attempt.started_at, at), at);
    }
    return {};
}

Result<void> Book::on(const journal::Cancelled& record, Time at) {
    WEIR_TRY(Job * job, job_that(record.job, &Job::waits, "waits"));
    // Between two fleets no engine knows it.
    if (engine_->phase(job->id) != sched::Phase::unknown) {
        tell(sched::JobCancelled{job->id}, at);
    }
    finish(*job, JobState::cancelled, record.reason, at);
    return {};
}

Result<void> Book::on(const journal::StopAsked& record, Time at) {
    WEIR_TRY(Job * job, job_that(record.job, &Job::runs, "runs"));
    // Who is cancelled while it is stopped for others does not come back.
    job->attempts.back().stopped_for.clear();
    set_state(*job, JobState::stopping, "asked to stop", at);
    return {};
}

// ----------------------------------------------------------------------------- decisions

Result<void> Book::check_pass() const {
    if (!begun()) return fail(Code::io, "the journal does not begin with a fleet");
    if (!left_behind_.empty()) {
        return fail(Code::io,
                    "the journal changes the fleet and forgets " +
                        described(*left_behind_.begin()) + ", which runs");
    }
    return {};
}

Result<journal::Step> Book::decide(Time at, bool anew) {
    WEIR_CHECK(come_to(at));
    WEIR_CHECK(check_pass());
    if (anew) engine_->begin_anew();
    std::vector<sched::Decision> decisions;
    engine_->decide(at, decisions);
    told_ = at;
    journal::Step step;
    step.anew = anew;
    for (sched::Decision& decision : decisions) {
        const sched::Cause cause = decision.why.cause;
        if (auto* start = std::get_if<sched::Start>(&decision.what)) {
            const std::size_t earlier = jobs_.at(start->job).attempts.size();
            step.starts.push_back({.attempt = {start->job, static_cast<std::uint32_t>(earlier + 1)},
                                   .cause = cause,
                                   .placement = std::move(start->placement),
                                   .size = start->size,
                                   .why_size = engine_->sizes_in_words(start->job, at)});
        } else if (auto* reserve = std::get_if<sched::Reserve>(&decision.what)) {
            step.reserved.push_back(
                {reserve->job, reserve->at, std::move(reserve->placement), reserve->size});
        } else if (const auto* drop = std::get_if<sched::Drop>(&decision.what)) {
            step.drops.push_back({drop->job, decision.why.other, cause});
        } else if (const auto* preempt = std::get_if<sched::Preempt>(&decision.what)) {
            step.preempted.push_back({preempt->job, preempt->for_job, cause});
        } else if (auto* replace = std::get_if<sched::Replace>(&decision.what)) {
            step.replaced.push_back({replace->job, std::move(replace->placement)});
        } else if (const auto* over = std::get_if<sched::OverPower>(&decision.what)) {
            step.over_power.push_back({over->domain, over->watts});
        } else if (auto* stage = std::get_if<sched::Stage>(&decision.what)) {
            step.staged.push_back({.dataset = std::move(stage->dataset),
                                   .from = name_of_site(stage->from),
                                   .to = name_of_site(stage->to),
                                   .begins = stage->begins,
                                   .ends = stage->ends});
        } else if (auto* forget = std::get_if<sched::Forget>(&decision.what)) {
            step.forgotten.push_back({std::move(forget->dataset), name_of_site(forget->site)});
        }
    }
    step.digest = engine_->digest();
    take(step, at);
    look_at_readers(at);
    return step;
}

// Who is started, stopped or moved must be where the step supposes it.
Result<void> Book::check_intents(const journal::Step& step) {
    for (const journal::Started& start : step.starts) {
        WEIR_TRY(const Job* job, job_that(start.attempt.job, &Job::waits, "waits"));
        if (start.attempt.number != job->attempts.size() + 1) {
            return fail(Code::io,
                        "the journal starts attempt " + exec::text_of(start.attempt) +
                            ", but the last one was number " +
                            std::to_string(job->attempts.size()));
        }
    }
    for (const journal::Preempted& stop : step.preempted) {
        WEIR_CHECK(job_that(stop.job, &Job::runs, "runs"));
    }
    for (const journal::Replaced& replaced : step.replaced) {
        WEIR_CHECK(job_that(replaced.job, &Job::runs, "runs"));
    }
    WEIR_CHECK(check_datasets(step));
    for (const journal::Reserved& reserved : step.reserved) {
        WEIR_TRY(const Job* job, job_that(reserved.job, &Job::waits, "waits"));
        WEIR_CHECK(check_place(*job, reserved.at, reserved.placement));
    }
    return {};
}

// What one pass decides does not depend on the order in which it is heard of, except that a
// reservation supposes what was started and stopped before it.
Result<void> Book::on(const journal::Step& step, Time at) {
    WEIR_CHECK(check_pass());
    WEIR_CHECK(check_intents(step));
    if (step.anew) engine_->begin_anew();
    engine_->follow_pass(at);
    const auto follow = [&](auto what, sched::Reason why) {
        return engine_->follow({std::move(what), why}, at);
    };
    for (const journal::Dropped& drop : step.drops) {
        WEIR_CHECK(follow(sched::Drop{drop.job}, {.cause = drop.cause, .other = drop.because_of}));
    }
    for (const journal::Forgotten& gone : step.forgotten) {
        WEIR_CHECK(follow(sched::Forget{gone.dataset, *site_named(gone.site)},
                          {.cause = sched::Cause::waits_for_data}));
    }
    for (const journal::Staged& copy : step.staged) {
        WEIR_CHECK(follow(
            sched::Stage{
                copy.dataset, *site_named(copy.from), *site_named(copy.to), copy.begins, copy.ends},
            {.cause = sched::Cause::waits_for_data}));
    }
    for (const journal::Preempted& stop : step.preempted) {
        WEIR_CHECK(follow(sched::Preempt{stop.job, stop.for_job},
                          {.cause = stop.cause, .other = stop.for_job}));
    }
    for (const journal::Started& start : step.starts) {
        WEIR_CHECK(follow(sched::Start{start.attempt.job, start.placement, start.size},
                          {.cause = start.cause}));
    }
    for (const journal::Replaced& replaced : step.replaced) {
        WEIR_CHECK(follow(sched::Replace{replaced.job, replaced.placement},
                          {.cause = sched::Cause::node_replaced}));
    }
    for (const journal::Reserved& reserved : step.reserved) {
        WEIR_CHECK(
            follow(sched::Reserve{reserved.job, reserved.at, reserved.placement, reserved.size},
                   {.cause = sched::Cause::reserved, .until = reserved.at}));
    }
    for (const journal::OverPower& over : step.over_power) {
        WEIR_CHECK(follow(sched::OverPower{over.domain, over.excess_watts},
                          {.cause = sched::Cause::over_power}));
    }
    engine_->resume_digest(step.digest);
    told_ = at;
    take(step, at);
    return {};
}

std::string Book::stopped_for(const journal::Preempted& stop) const {
    if (stop.for_job.valid()) return "stopped for " + described(stop.for_job);
    return "stopped because its nodes draw more than they may";
}

std::string Book::why_dropped(const journal::Dropped& drop) const {
    if (drop.cause != sched::Cause::deadline) return dependency_failed(drop.because_of);
    return "by the promises that stand it cannot end by its deadline, " +
           format_time(jobs_.at(drop.job).family->request.deadline);
}

std::uint64_t Book::stopped_in_the_hour(Time at) const {
    return static_cast<std::uint64_t>(
        std::count_if(preemptions_.begin(), preemptions_.end(), [at](const auto& each) {
            return each.first > at - an_hour;
        }));
}

// The engine has made these decisions, or followed them.
void Book::take(const journal::Step& step, Time at) {
    for (const journal::Dropped& drop : step.drops) {
        finish(jobs_.at(drop.job), JobState::cancelled, why_dropped(drop), at);
    }
    for (const journal::Preempted& stop : step.preempted) {
        Job& job = jobs_.at(stop.job);
        while (!preemptions_.empty() && preemptions_.front().first <= at - an_hour)
            preemptions_.pop_front();
        // Stops for watts are not counted by the rules.
        if (stop.for_job.valid()) preemptions_.emplace_back(at, stop.job);
        job.attempts.back().preempted = {at, stop.for_job};
        if (job.state != JobState::running) continue;  // its user stops it already
        job.attempts.back().stopped_for = stopped_for(stop);
        set_state(job, JobState::stopping, job.attempts.back().stopped_for, at);
    }
    for (const journal::Started& start : step.starts) {
        Job& job = jobs_.at(start.attempt.job);
        job.attempts.push_back({.number = start.attempt.number,
                                .started_at = at,
                                .cause = start.cause,
                                .placement = start.placement,
                                .end = std::nullopt,
                                .nodes_by_rank = {},
                                .stopped_for = {},
                                .saved_at = never,
                                .preempted = {},
                                .size = start.size,
                                .why_size = start.why_size});
        job.family->request = sched::settled(std::move(job.family->request), start.size);
        running_.insert(job.id);
        ++job.family->running;
        accounts_.started(job.id, job.family->request, start.placement, start.attempt.number, at);
        forget_promises(job.id);
        set_state(job, JobState::running, "", at);
    }
    for (const journal::Replaced& replaced : step.replaced) {
        if (replaced.placement.ranges.empty()) continue;
        jobs_.at(replaced.job).attempts.back().placement = replaced.placement;
    }
    for (const journal::Reserved& reserved : step.reserved) {
        const auto known = promises_.find(reserved.job);
        if (known != promises_.end() && reserved.at > known->second.at) {
            broken_promises_.push_back({reserved.job, known->second.at, reserved.at, ""});
        }
        if (reserved.at >= never) {
            promises_.erase(reserved.job);
        } else {
            promises_[reserved.job] = {reserved.at, reserved.placement, reserved.size};
            const auto lost = lost_promises_.find(reserved.job);
            if (lost != lost_promises_.end() && reserved.at <= lost->second.promised) {
                lost_promises_.erase(lost);
            }
        }
    }
    for (const journal::OverPower& over : step.over_power)
        over_power_.insert(over.domain);
    take_datasets(step);
}

}  // namespace weir::hub
