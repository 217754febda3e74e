// Journal: what happened, as records, and their form on disk.
//
// A record is a fact that the hub decided to act on, complete enough that replaying all records in
// order through a fresh engine gives the same state and the same decisions. Derived things (free
// capacity, queues, placements) are not in it; a Step carries the digest of the engine after each
// scheduling pass, so a replay proves that it derived the same.
//
// Each record is one entry of the store: `kind` names it, `body` is a small JSON object. What a
// newer version adds is ignored by an older one; what is missing or of the wrong type is an error
// that names the entry.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/exec/executor.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/hub/hub.hpp"
#include "weir/sched/engine.hpp"
#include "weir/store/store.hpp"

namespace weir::hub::journal {

// A fresh engine begins here: at the first start, and whenever fleet or policy became different.
// Nothing runs at that moment; the jobs that wait follow as Carried or Cancelled.
struct FleetSet {
    fleet::Fleet fleet;
    sched::Policy policy = sched::Policy::easy;
};

// The description of the job in the Submitted that follows, as job_json writes it. It is an entry
// of its own because a replay never reads it for jobs that have ended.
struct SpecGiven {
    std::string text;
};

// One submission: a job, or the members of an array, which have consecutive ids.
struct Submitted {
    sched::Request request;  // of the first member
    std::uint32_t count = 1;
    std::vector<std::uint32_t> indices;  // of the members; empty when it is no array
    std::string name;
    std::string tenant;
    std::string user;
};

// A waiting job enters the engine of a new fleet.
struct Carried {
    sched::Request request;
};

// An attempt is over, and what that means for its job.
struct Ended {
    exec::AttemptEnd end;
    sched::Outcome outcome = sched::Outcome::succeeded;
    bool requeue = false;                  // back to the queue, for another attempt
    JobState state = JobState::succeeded;  // of the job; pending with requeue
    std::string reason;
};

struct Cancelled {  // while it waited
    JobId job;
    std::string reason;
};

struct StopAsked {  // while it ran
    JobId job;
};

struct NodeSet {
    PoolId pool;
    std::uint32_t node = 0;
    sched::NodeHealth health = sched::NodeHealth::up;
};

// A scheduling pass. The starts are here before they happen: the executor hears of an attempt only
// when its number is on disk.
struct Step {
    std::uint64_t digest = 0;
    std::vector<exec::AttemptId> starts;
    std::vector<JobId> drops;
};

using Record = std::
    variant<FleetSet, SpecGiven, Submitted, Carried, Ended, Cancelled, StopAsked, NodeSet, Step>;

// Ensures: decode(encode(record)) gives the record back.
store::Entry encode(const Record& record, Time at);
Result<Record> decode(const store::Entry& entry);

}  // namespace weir::hub::journal
