#include "weir/sim/event_log.hpp"

#include <algorithm>
#include <optional>
#include <utility>

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

audit::Submitted submitted_as(const sched::JobSubmitted& event) {
    const sched::Request& request = event.request;
    audit::Submitted job;
    job.job = request.job;
    job.priority = word_for(request.priority);
    job.demand = request.demand;
    job.limit = request.limit;
    for (std::size_t i = 1; i < request.sizes.size(); ++i)
        job.sizes.push_back({request.sizes[i].demand, request.sizes[i].limit});
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
    job.data = request.data;
    return job;
}
What said(const sched::JobSubmitted& event) {
    return submitted_as(event);
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
What said(const sched::LoanChanged&) {
    return {};  // who decides it says it: lent() and those after it
}

audit::Spent words_for(const tenancy::Spent& spent) {
    return {spent.staging, spent.start_up, spent.restart, spent.checkpoint, spent.kept};
}

// By name: the log outlives the order in which the core counts.
audit::Split words_for(const tenancy::Losses& losses) {
    static const auto way_of = [] {
        std::array<audit::Went, tenancy::loss_count> table{};
        for (std::size_t i = 0; i < tenancy::loss_count; ++i) {
            std::size_t way = 0;
            while (name_of(static_cast<audit::Went>(way)) != name_of(static_cast<tenancy::Loss>(i)))
                ++way;
            table[i] = static_cast<audit::Went>(way);
        }
        return table;
    }();
    audit::Split split;
    for (std::size_t i = 0; i < tenancy::loss_count; ++i)
        split[way_of[i]] = losses.of[i];
    return split;
}

// The nodes, whatever is held on them.
std::vector<audit::NodeRun> runs_of(const fleet::Placement& placement) {
    std::vector<audit::NodeRun> runs;
    for (const fleet::NodeRange& range : placement.ranges)
        runs.push_back({range.pool, range.first, range.count});
    std::sort(runs.begin(), runs.end(), [](const audit::NodeRun& a, const audit::NodeRun& b) {
        return std::pair(a.pool, a.first) < std::pair(b.pool, b.first);
    });
    std::size_t last = 0;
    for (std::size_t i = 1; i < runs.size(); ++i) {
        audit::NodeRun& before = runs[last];
        if (runs[i].pool == before.pool && runs[i].first <= before.first + before.count) {
            before.count = std::max(before.count, runs[i].first + runs[i].count - before.first);
        } else {
            runs[++last] = runs[i];
        }
    }
    if (!runs.empty()) runs.resize(last + 1);
    return runs;
}

What said(const sched::Start& start, const sched::Reason& why) {
    return audit::Started{
        start.job, std::string(sched::name_of(why.cause)), start.placement, start.size};
}
What said(const sched::Reserve& reserve, const sched::Reason&) {
    return audit::Promised{reserve.job, reserve.at, runs_of(reserve.placement), reserve.size};
}
What said(const sched::Drop& drop, const sched::Reason& why) {
    return audit::Dropped{drop.job, std::string(sched::name_of(why.cause))};
}
What said(const sched::Preempt& preempt, const sched::Reason& why) {
    return audit::Preempted{preempt.job, preempt.for_job, std::string(sched::name_of(why.cause))};
}
What said(const sched::Replace& replace, const sched::Reason&) {
    if (replace.placement.ranges.empty()) return {};  // the end that follows says it
    return audit::Replaced{replace.job, replace.placement, {}};
}
What said(const sched::DatasetStaged& event) {
    return audit::Arrived{event.dataset, event.site.value};
}
What said(const sched::DatasetMade&) {
    return {};  // in a simulation nobody makes or loses any
}
What said(const sched::DatasetLost&) {
    return {};
}
What said(const sched::Stage& stage, const sched::Reason&) {
    return audit::Copied{
        stage.dataset, stage.from.value, stage.to.value, stage.ends, stage.begins, stage.links};
}
What said(const sched::Forget& forget, const sched::Reason&) {
    return audit::Forgotten{forget.dataset, forget.site.value};
}
What said(const sched::OverPower&, const sched::Reason&) {
    return {};  // a report: whoever reads the log finds it out alone
}

audit::Allowances words_for(const std::vector<tenancy::Allowance>& list) {
    audit::Allowances said;
    for (const tenancy::Allowance& each : list)
        said.push_back({each.resource, each.amount});
    return said;
}

void add(const tenancy::Rights& rights, audit::Header& header) {
    if (rights.empty()) return;
    for (const tenancy::Resource& resource : rights.organisations.resources) {
        const bool cpus = resource.kind == tenancy::Resource::Kind::cpus;
        header.resources.push_back(cpus ? "cpus" : resource.name);
    }
    for (const tenancy::Tenant& tenant : rights.organisations.tenants) {
        if (tenant.path.empty()) continue;
        header.organisations.push_back({.path = tenant.path,
                                        .weight_milli = tenant.weight_milli,
                                        .quota = words_for(tenant.quota),
                                        .lend = words_for(tenant.lend),
                                        .borrow = words_for(tenant.borrow)});
    }
    for (const tenancy::Rights::PoolMeasure& measure : rights.measures)
        header.measures.push_back({words_for(measure.per_chip), words_for(measure.per_cpu)});
}

}  // namespace

EventLog::EventLog(const fleet::Fleet& fleet,
                   const tenancy::Rights& rights,
                   const sched::Policy& policy,
                   tenancy::Unit unit,
                   Time begins,
                   Sink sink)
    : sink_(std::move(sink)) {
    audit::Header header;
    header.fleet = fleet;
    header.policy = sched::text_of(policy);
    header.min_run = policy.min_run;
    header.preemptions_per_hour_max = policy.preempt ? policy.preemptions_per_hour_max : 0;
    header.counted_in = unit == tenancy::Unit::chips ? audit::Unit::chips : audit::Unit::cpus;
    add(rights, header);
    for (const tenancy::Tenant& tenant : rights.organisations.tenants)
        paths_.push_back(tenant.path);
    write(std::move(header), begins);
}

void EventLog::write(audit::What what, Time now) {
    line_.clear();
    audit::encode({now, std::move(what)}, line_);
    sink_(line_);
}

void EventLog::event(const sched::Event& event, Time now) {
    What what = std::visit([](const auto& its) { return said(its); }, event);
    if (what) write(std::move(*what), now);
}

void EventLog::submitted(const sched::JobSubmitted& event,
                         std::string_view tenant,
                         const std::vector<PoolId>& barred,
                         Time now) {
    audit::Submitted job = submitted_as(event);
    job.tenant = tenant;
    job.barred = barred;
    if (!paths_.empty()) job.organisation = paths_.at(event.request.tenant.value);
    write(std::move(job), now);
}

void EventLog::ended(const sched::JobEnded& event,
                     const tenancy::Spent& spent,
                     const std::optional<tenancy::Efficiency>& efficiency,
                     Time now) {
    audit::Ended ended{event.job, word_for(event.outcome), event.requeue};
    ended.spent = words_for(spent);
    if (event.outcome == sched::Outcome::succeeded) {
        ended.spent.kept = {};  // all that was work
        if (efficiency) {
            ended.measured = true;
            ended.plan_ppm = efficiency->plan_ppm;
            ended.kernel_ppm = efficiency->kernel_ppm;
        }
    }
    write(std::move(ended), now);
}

void EventLog::decision(const sched::Decision& decision, const tenancy::Spent& spent, Time now) {
    What what = std::visit([&](const auto& its) { return said(its, decision.why); }, decision.what);
    if (!what) return;
    if (auto* const replaced = std::get_if<audit::Replaced>(&*what)) {
        replaced->spent = words_for(spent);
    }
    write(std::move(*what), now);
}

void EventLog::lent(const sched::LoanTerm& term, Duration notice, Time now) {
    write(audit::Lent{.loan = term.loan,
                      .lender = paths_.at(term.lender.value),
                      .borrower = paths_.at(term.borrower.value),
                      .amounts = words_for(term.amounts),
                      .begins = term.from,
                      .until = term.until,
                      .notice = notice},
          now);
}

void EventLog::called_back(const sched::LoanTerm& term, Time now) {
    write(audit::CalledBack{term.loan, term.until}, now);
}

void EventLog::loan_ended(std::uint32_t loan, audit::LoanEnd how, Time now) {
    write(audit::LoanEnded{loan, how}, now);
}

void EventLog::settled(JobId job, const tenancy::Losses& losses, Time now) {
    if (losses.total() == losses[tenancy::Loss::running]) return;
    write(audit::Account{job, words_for(losses)}, now);
}

void EventLog::books(const tenancy::Books& books) {
    const auto rows = [](const std::vector<tenancy::Books::Row>& its) {
        std::vector<audit::Waterfall::Row> said;
        for (const tenancy::Books::Row& row : its)
            said.push_back({row.name, words_for(row.losses)});
        return said;
    };
    write(audit::Waterfall{.from = books.from,
                           .sites = rows(books.sites),
                           .pools = rows(books.pools),
                           .tenants = rows(books.tenants),
                           .total = words_for(books.total)},
          books.until);
}

}  // namespace weir::sim
