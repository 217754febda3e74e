// EventLog: what the decision core hears and answers, as lines of an event log.
//
// A driver passes on every event before it tells the core, and every decision before it carries it
// out; each becomes at most one line (audit/log_format.hpp) and goes to the sink at once. What
// nobody needs to judge the run (checkpoints, wishes, predictions) is left out.
//
// Threads: one at a time.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "weir/base/time.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/sched/event.hpp"
#include "weir/sched/policy.hpp"

namespace weir::sim {

class EventLog {
public:
    using Sink = std::function<void(std::string_view line)>;  // with its '\n'

    // Writes the header. Requires: `begins` is not after anything that follows.
    EventLog(const fleet::Fleet& fleet, const sched::Policy& policy, Time begins, Sink sink);

    void event(const sched::Event& event, Time now);
    void decision(const sched::Decision& decision, Time now);

private:
    Sink sink_;
    std::string line_;
};

}  // namespace weir::sim
