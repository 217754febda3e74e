// What the decision core hears, and what it answers.
//
// Events say what happened; decisions say what happens next, each with its reason. Both are plain
// data: the hub journals them, the simulator counts them, the tests compare them. Names: a *job*
// is what was submitted, an *attempt* one execution of it.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/base/time.hpp"
#include "weir/fleet/demand.hpp"
#include "weir/job/job.hpp"

namespace weir::sched {

enum class Outcome : std::uint8_t { succeeded, failed, cancelled, lost };

// What another job must have come to before this one may start.
enum class Needs : std::uint8_t { success, end, failure };

struct Dependency {
    JobId job;
    Needs needs = Needs::success;
    friend bool operator==(const Dependency&, const Dependency&) = default;
};

// Whether a job that came to this is what another one waited for.
bool satisfies(Outcome outcome, Needs needs);

// A job as the core sees it: everything that decides, nothing that does not.
struct Request {
    JobId job;
    job::Priority priority = job::Priority::normal;
    Duration limit = forever;  // the promise of the user, enforced by the executor
    fleet::Demand demand;
    std::vector<Dependency> after;
    JobId array;                          // the array it is a member of, if any: its first member
    std::uint32_t array_at_once_max = 0;  // 0 = no limit

    friend bool operator==(const Request&, const Request&) = default;
};

enum class NodeHealth : std::uint8_t { up, drained, down };

// clang-format off
struct JobSubmitted { Request request; };
// The attempt that was running is over. requeue: the job goes back to its old place in the queue.
struct JobEnded     { JobId job; Outcome outcome = Outcome::succeeded; bool requeue = false; };
struct JobCancelled { JobId job; };  // by its owner, while it waits; a running job is ended first
struct NodeChanged  { PoolId pool; std::uint32_t node = 0; NodeHealth health = NodeHealth::up; };
// clang-format on

using Event = std::variant<JobSubmitted, JobEnded, JobCancelled, NodeChanged>;

enum class Cause : std::uint8_t {
    fits_now,           // first in the queue, and there was room
    backfilled,         // ends before the reserved job needs the room
    backfilled_beside,  // uses only what the reserved job leaves
    reserved,           // first that does not fit: gets the earliest room, nobody may delay it
    waits_for_room,     // behind the reserved job, and nothing it could use is free
    would_delay,        // fits now, but would delay the reserved job
    behind,             // strict order: somebody in front waits
    array_throttle,     // as many members of its array run as may
    dependency,         // another job has to end first
    dependency_failed,  // what it depends on came out otherwise: it can never start
};
std::string_view name_of(Cause cause);

// Why, as data. `other` is the job that matters (the one in front, the dependency); `until` is
// when the cause is expected to end, `never` if unknown.
struct Reason {
    Cause cause = Cause::fits_now;
    JobId other = JobId::none();
    Time until = never;
    friend bool operator==(const Reason&, const Reason&) = default;
};

// clang-format off
struct Start   { JobId job; fleet::Placement placement; };
struct Reserve { JobId job; Time at = never; };  // by limits; again whenever it changes
struct Drop    { JobId job; };                   // can never start
// clang-format on

struct Decision {
    std::variant<Start, Reserve, Drop> what;
    Reason why;
};

}  // namespace weir::sched
