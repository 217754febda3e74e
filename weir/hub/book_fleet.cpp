// What the book knows of the fleet beyond its description: reservations in advance, nodes out of
// service, budgets of watts. And what a running job says of itself.
#include <algorithm>

#include "weir/hub/book.hpp"
#include "weir/hub/power.hpp"

namespace weir::hub {

bool Reservation::admits(const std::string& its_tenant) const {
    if (advance.maintenance) return false;
    return tenant.empty() || its_tenant == tenant || its_tenant.rfind(tenant + "/", 0) == 0;
}

const Reservation* Book::reservation(const std::string& name) const {
    for (const auto& [id, known] : reservations_) {
        if (known.name == name) return &known;
    }
    return nullptr;
}

Result<void> Book::on(const journal::AdvanceMade& record, Time) {
    const sched::Advance& advance = record.advance;
    const std::string whose = "the journal's reservation " + record.name;
    if (!advance.id.valid() || advance.id.value == 0 || reservations_.count(advance.id) > 0 ||
        reservation(record.name) != nullptr) {
        return fail(Code::io, whose + " is there twice, or has no number");
    }
    if (advance.nodes.empty() || advance.from >= advance.until || advance.until > never) {
        return fail(Code::io, whose + " is of nothing or for no time");
    }
    for (const sched::Advance::Nodes& run : advance.nodes) {
        const auto& pools = engine_->fleet().pools;
        if (run.pool.value >= pools.size() || run.count == 0 ||
            run.first >= pools[run.pool.value].nodes ||
            run.count > pools[run.pool.value].nodes - run.first) {
            return fail(Code::io, whose + " is of nodes that the fleet does not have");
        }
    }
    // The engine is told no time: what is carried over after it has older ones.
    tell(sched::AdvanceMade{advance}, told_);
    reservations_[advance.id] = {record.name, record.tenant, advance};
    next_advance_ = std::max(next_advance_, AdvanceId{advance.id.value + 1});
    return {};
}

Result<void> Book::on(const journal::AdvanceEnded& record, Time at) {
    if (reservations_.erase(record.id) == 0) {
        return fail(Code::io, "the journal ends a reservation that is not known");
    }
    tell(sched::AdvanceEnded{record.id}, at);
    return {};
}

Result<void> Book::on(const journal::NodeChanged& record, Time at) {
    const auto& pools = engine_->fleet().pools;
    if (record.pool.value >= pools.size() || record.node >= pools[record.pool.value].nodes) {
        return fail(Code::io, "the journal changes a node that the fleet does not have");
    }
    tell(sched::NodeChanged{record.pool, record.node, record.health}, at);
    const NodeKey key{record.pool, record.node};
    if (record.health == sched::NodeHealth::up) {
        drained_.erase(key);
    } else {
        drained_[key] = {record.reason, at};
    }
    return {};
}

Result<void> Book::on(const journal::PowerCapSet& record, Time at) {
    if (record.domain.pool.value >= engine_->fleet().pools.size() || !(record.watts >= 0)) {
        return fail(Code::io,
                    "the journal sets a budget of watts for what the fleet does not have");
    }
    tell(sched::PowerCapSet{record.domain, record.watts}, at);
    // As the fleet file has it: then another file may have it otherwise.
    if (record.watts == budget_by_file(record.domain, engine_->fleet())) {
        power_caps_.erase(record.domain);
    } else {
        power_caps_[record.domain] = record.watts;
    }
    over_power_.erase(record.domain);
    return {};
}

Result<void> Book::on(const journal::LoanOffered& record, Time at) {
    if (const auto checked = loans_.may_offer(record.terms, at); !checked) {
        return fail(Code::io,
                    "the journal offers a loan that cannot be: " + checked.error().message);
    }
    loans_.offer(record.terms, at);
    return {};
}

Result<void> Book::on(const journal::LoanMoved& record, Time at) {
    const auto moved = loans_.move(record.name, record.event, at, record.reason);
    if (!moved) {
        return fail(Code::io, "the journal moves a loan out of turn: " + moved.error().message);
    }
    for (const tenancy::LoanChange& change : moved->changes)
        accounts_.settle(moved->loan, change);
    accounts_.set_loans(loans_.at(at), at);
    tell(sched::LoanChanged{sched::term_of(moved->loan, at)}, at);
    return {};
}

Result<void> Book::on(const journal::Checkpointed& record, Time at) {
    WEIR_TRY(Job * job, job_that(record.job, &Job::runs, "runs"));
    tell(sched::Checkpointed{job->id}, at);
    job->attempts.back().saved_at = at;
    return {};
}

}  // namespace weir::hub
