#include "weir/sim/event_log.hpp"

#include <optional>
#include <utility>

#include "weir/audit/log_format.hpp"

namespace weir::sim {
namespace {

// The words of the log for those of the core: equal today, but the log outlives it.
audit::Class word_for(job::Priority priority) {
    switch (priority) {
        case job::Priority::low:
            return audit::Class::low;
        case job::Priority::normal:
            return audit::Class::normal;
        case job::Priority::high:
            return audit::Class::high;
        case job::Priority::urgent:
            break;
    }
    return audit::Class::urgent;
}
audit::Came word_for(sched::Outcome outcome) {
    switch (outcome) {
        case sched::Outcome::succeeded:
            return audit::Came::succeeded;
        case sched::Outcome::failed:
            return audit::Came::failed;
        case sched::Outcome::cancelled:
            return audit::Came::cancelled;
        case sched::Outcome::lost:
            break;
    }
    return audit::Came::lost;
}
audit::Waits word_for(sched::Needs needs) {
    switch (needs) {
        case sched::Needs::success:
            return audit::Waits::success;
        case sched::Needs::end:
            return audit::Waits::end;
        case sched::Needs::failure:
            break;
    }
    return audit::Waits::failure;
}
audit::Health word_for(sched::NodeHealth health) {
    switch (health) {
        case sched::NodeHealth::up:
            return audit::Health::up;
        case sched::NodeHealth::drained:
            return audit::Health::drained;
        case sched::NodeHealth::down:
            break;
    }
    return audit::Health::down;
}

using What = std::optional<audit::What>;

What said(const sched::JobSubmitted& event) {
    const sched::Request& request = event.request;
    audit::Submitted job;
    job.job = request.job;
    job.priority = word_for(request.priority);
    job.demand = request.demand;
    job.limit = request.limit;
    job.deadline = request.deadline;
    for (const sched::Dependency& dependency : request.after)
        job.after.push_back({dependency.job, word_for(dependency.needs)});
    if (request.array_at_once_max > 0) {
        job.array = request.array;
        job.array_at_once_max = request.array_at_once_max;
    }
    if (request.checkpoint.every > Duration{}) {
        job.checkpoint_every = request.checkpoint.every;
        job.checkpoint_cost = request.checkpoint.cost;
    }
    job.replace_failed = request.replace_failed;
    return job;
}
What said(const sched::JobEnded& event) {
    return audit::Ended{event.job, word_for(event.outcome), event.requeue};
}
What said(const sched::JobCancelled& event) {
    return audit::Cancelled{event.job};
}
What said(const sched::NodeChanged& event) {
    return audit::NodeHealth{event.pool, event.node, word_for(event.health)};
}
What said(const sched::Checkpointed&) {
    return {};
}
What said(const sched::ReplicaLost& event) {
    return audit::NodeLost{event.job, event.pool, event.node};
}
What said(const sched::PowerCapSet& event) {
    return audit::CapSet{{event.domain.level, event.domain.pool, event.domain.number}, event.watts};
}
What said(const sched::AdvanceMade& event) {
    const sched::Advance& advance = event.advance;
    audit::SetApart apart{advance.id, advance.from, advance.until, advance.maintenance, {}};
    for (const sched::Advance::Nodes& nodes : advance.nodes)
        apart.nodes.push_back({nodes.pool, nodes.first, nodes.count});
    return apart;
}
What said(const sched::AdvanceEnded& event) {
    return audit::GivenBack{event.id};
}

What said(const sched::Start& start, const sched::Reason& why) {
    return audit::Started{start.job, std::string(sched::name_of(why.cause)), start.placement};
}
What said(const sched::Reserve& reserve, const sched::Reason&) {
    return audit::Promised{reserve.job, reserve.at};
}
What said(const sched::Drop& drop, const sched::Reason& why) {
    return audit::Dropped{drop.job, std::string(sched::name_of(why.cause))};
}
What said(const sched::Preempt& preempt, const sched::Reason&) {
    return audit::Preempted{preempt.job, preempt.for_job};
}
What said(const sched::Replace& replace, const sched::Reason&) {
    if (replace.placement.ranges.empty()) return {};  // the end that follows says it
    return audit::Replaced{replace.job, replace.placement};
}
What said(const sched::OverPower&, const sched::Reason&) {
    return {};  // a report: whoever reads the log finds it out alone
}

}  // namespace

EventLog::EventLog(const fleet::Fleet& fleet, const sched::Policy& policy, Time begins, Sink sink)
    : sink_(std::move(sink)) {
    audit::Header header;
    header.fleet = fleet;
    header.policy = sched::text_of(policy);
    header.min_run = policy.min_run;
    header.preemptions_per_hour_max = policy.preempt ? policy.preemptions_per_hour_max : 0;
    audit::encode({begins, std::move(header)}, line_);
    sink_(line_);
}

void EventLog::event(const sched::Event& event, Time now) {
    What what = std::visit([](const auto& its) { return said(its); }, event);
    if (!what) return;
    line_.clear();
    audit::encode({now, std::move(*what)}, line_);
    sink_(line_);
}

void EventLog::decision(const sched::Decision& decision, Time now) {
    What what = std::visit([&](const auto& its) { return said(its, decision.why); }, decision.what);
    if (!what) return;
    line_.clear();
    audit::encode({now, std::move(*what)}, line_);
    sink_(line_);
}

}  // namespace weir::sim
