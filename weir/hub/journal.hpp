// Journal: what happened, as records, and their form on disk.
//
// A record is a fact that the hub decided to act on. Those that arrived and those that were decided
// are both here, so the journal can be read in two ways: *followed*, which takes every decision as
// it stands, so a later version of the core takes over what an earlier one decided; and *decided
// again*, which gives a fresh engine what arrived and compares what it decides, bit for bit. Only
// what follows from the rest (free capacity, queues) is not in it.
//
// Each record is one entry of the store: `kind` names it, `body` is a small JSON object. What a
// newer version adds is ignored by an older one; what is missing or of the wrong type is an error
// that names the entry. A change that an older version must not ignore raises `format`, which
// stands in the first entry of each engine.
#pragma once

#include <cstdint>
#include <optional>
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

inline constexpr std::uint32_t format = 2;

// A fresh engine begins here: at the first start, and whenever fleet or policy became different.
// The jobs that wait or run follow, each as Carried or Cancelled, before anything is decided.
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

// A job enters the engine of a new fleet: it waits, or it runs where it ran before, written down in
// the terms of that fleet.
struct Carried {
    sched::Request request;
    fleet::Placement placement;  // empty when it waits
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

// An intent: this attempt will run there, for this cause.
struct Started {
    exec::AttemptId attempt;
    sched::Cause cause = sched::Cause::fits_now;
    fleet::Placement placement;
    friend bool operator==(const Started&, const Started&) = default;
};

struct Dropped {
    JobId job;
    JobId because_of;
    friend bool operator==(const Dropped&, const Dropped&) = default;
};

struct Reserved {
    JobId job;
    Time at = never;
    friend bool operator==(const Reserved&, const Reserved&) = default;
};

// A scheduling pass with everything that it decided. The starts are here before they happen: the
// executor hears of an attempt only when it is on disk.
struct Step {
    std::vector<Dropped> drops;
    std::vector<Started> starts;
    std::optional<Reserved> reserved;  // where it became another
    std::uint64_t digest = 0;          // of all decisions of this engine so far
};

using Record =
    std::variant<FleetSet, SpecGiven, Submitted, Carried, Ended, Cancelled, StopAsked, Step>;

// "in_order", "backfilled", "backfilled_beside": the cause of a start, on disk and for clients.
std::string word_for_start(sched::Cause cause);

// Ensures: decode(encode(record)) gives the record back.
store::Entry encode(const Record& record, Time at);
Result<Record> decode(const store::Entry& entry);

}  // namespace weir::hub::journal
