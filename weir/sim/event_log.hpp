// EventLog: what the decision core hears and answers, as lines of an event log.
//
// A driver passes on every event before it tells the core, and every decision before it carries it
// out; each becomes at most one line (audit/log_format.hpp) and goes to the sink at once. What
// nobody needs to judge the run (checkpoints, wishes, predictions) is left out. What the core does
// not hear and the waterfall needs, whose a job is and how its time was spent, is said with it.
//
// Threads: one at a time.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "weir/audit/log_format.hpp"
#include "weir/base/time.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/sched/event.hpp"
#include "weir/sched/policy.hpp"
#include "weir/tenancy/rights.hpp"
#include "weir/tenancy/waterfall.hpp"

namespace weir::sim {

class EventLog {
public:
    using Sink = std::function<void(std::string_view line)>;  // with its '\n'

    // Writes the header. Requires: `begins` is not after anything that follows.
    EventLog(const fleet::Fleet& fleet,
             const tenancy::Rights& rights,
             const sched::Policy& policy,
             tenancy::Unit unit,
             Time begins,
             Sink sink);

    void event(const sched::Event& event, Time now);
    // `barred`: by its precision contract.
    void submitted(const sched::JobSubmitted& event,
                   std::string_view tenant,
                   const std::vector<PoolId>& barred,
                   Time now);
    void ended(const sched::JobEnded& event,
               const tenancy::Spent& spent,
               const std::optional<tenancy::Efficiency>& efficiency,
               Time now);
    // `spent` is of the job that is moved by a Replace, until now.
    void decision(const sched::Decision& decision, const tenancy::Spent& spent, Time now);
    // A loan is agreed on, called back, or ends otherwise than by its time.
    void lent(const sched::LoanTerm& term, Duration notice, Time now);
    void called_back(const sched::LoanTerm& term, Time now);
    void loan_ended(std::uint32_t loan, audit::LoanEnd how, Time now);
    // Right behind the end of the job; writes nothing where all of its time was running.
    void settled(JobId job, const tenancy::Losses& losses, Time now);
    // The end of the run.
    void books(const tenancy::Books& books);

private:
    void write(audit::What what, Time now);

    Sink sink_;
    std::string line_;
    std::vector<std::string> paths_;  // of organisations
};

}  // namespace weir::sim
