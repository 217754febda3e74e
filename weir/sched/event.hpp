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
#include "weir/sched/staging.hpp"
#include "weir/tenancy/organisations.hpp"

namespace weir::tenancy {
struct Loan;
}

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

// How a job can be stopped and resumed. every == 0: it cannot, and what it did is lost.
struct Checkpointing {
    Duration every{};  // between two checkpoints
    Duration cost{};   // of taking one
    friend bool operator==(const Checkpointing&, const Checkpointing&) = default;
};

// One of several ways to run a job. What it takes is known beforehand, for each of them.
struct Size {
    fleet::Demand demand;
    Duration limit = forever;
    Duration takes{};  // what it probably needs: by this its end is compared; at most the limit
    friend bool operator==(const Size&, const Size&) = default;
};

// A job as the core sees it: everything that decides, nothing that does not.
struct Request {
    JobId job;
    job::Priority priority = job::Priority::normal;
    Duration limit = forever;  // the promise of the user, enforced by the executor
    fleet::Demand demand;
    std::vector<Dependency> after;
    JobId array;                          // the array it is a member of, if any: its first member
    std::uint32_t array_at_once_max = 0;  // 0 = no limit
    Duration expected{};                  // what its user expects; 0 = not said
    Time deadline = never;                // it has to have ended by then
    Checkpointing checkpoint;
    bool replace_failed = false;  // a lost node of its gang may be replaced while it goes on
    // For the prediction from history. Jobs of one owner have equal `owner`, and those that are
    // also called alike have equal `likeness`; 0 = not known.
    std::uint64_t owner = 0;
    std::uint64_t likeness = 0;
    // Datasets that have to lie at the site where it runs, by name. Requires: each once.
    std::vector<std::string> data{};
    TenantId tenant{0};  // whose rights it uses; the root where there are no organisations
    // What the driver expects instead of a prediction from history; 0 = nothing. For experiments
    // with the quality of predictions.
    Duration predicted{};
    // Of a job that may run in several sizes: while it waits it asks for the one by which it would
    // end first, and it keeps the one that it first started with (sizes.cpp). `demand`, `limit` and
    // `expected` are those of the first. Empty: it has one.
    std::vector<Size> sizes{};

    friend bool operator==(const Request&, const Request&) = default;
};

// The request of a job that has started in a size: it has no other from then on.
Request settled(Request request, std::uint32_t size);

enum class NodeHealth : std::uint8_t { up, drained, down };

// A budget of watts: of one rack or pod of a pool, or (level site) of the site of that pool.
struct PowerDomain {
    fleet::Level level = fleet::Level::rack;
    PoolId pool;
    std::uint32_t number = 0;  // of the rack or pod in its pool; 0 for a site
    friend auto operator<=>(const PowerDomain&, const PowerDomain&) = default;
};

// Nodes that are set apart for a time: for the jobs of somebody (they carry `id` as the tag of
// their demand), or for nobody while they are maintained.
struct Advance {
    AdvanceId id;
    Time from{};
    Time until = never;
    bool maintenance = false;
    struct Nodes {  // a run of nodes
        PoolId pool;
        std::uint32_t first = 0;
        std::uint32_t count = 0;
        friend auto operator<=>(const Nodes&, const Nodes&) = default;
    };
    std::vector<Nodes> nodes;
    friend bool operator==(const Advance&, const Advance&) = default;
};

// Quota that one organisation leaves to another in [from, until). What of that is negotiable, paid
// or called back is settled elsewhere (tenancy/loan.hpp); here it is a right with an end.
struct LoanTerm {
    std::uint32_t loan = 0;  // its number
    TenantId lender;
    TenantId borrower;
    std::vector<tenancy::Allowance> amounts;
    Time from{};
    Time until = never;
    bool recalled = false;  // nothing more starts on it; what runs has it until then
    friend bool operator==(const LoanTerm&, const LoanTerm&) = default;
};

// What the core is to know of a loan; of one that its borrower does not have, or has no more, that
// it is over.
LoanTerm term_of(const tenancy::Loan& loan, Time now);

// clang-format off
struct JobSubmitted { Request request; };
// The attempt that was running is over. requeue: the job goes back to its old place in the queue.
struct JobEnded     { JobId job; Outcome outcome = Outcome::succeeded; bool requeue = false; };
struct JobCancelled { JobId job; };  // by its owner, while it waits; a running job is ended first
struct NodeChanged  { PoolId pool; std::uint32_t node = 0; NodeHealth health = NodeHealth::up; };
struct Checkpointed { JobId job; };  // a running job saved what it has done so far
// A node of a running gang failed (NodeChanged tells it to all) and the gang may go on without it
// as soon as it has another: answered by a Replace.
struct ReplicaLost  { JobId job; PoolId pool; std::uint32_t node = 0; };
struct PowerCapSet  { PowerDomain domain; double watts = 0; };  // 0 = no cap
struct AdvanceMade  { Advance advance; };
struct AdvanceEnded { AdvanceId id; };  // given back before its time
// A copy is there: the end of what a Stage ordered, or somebody else made it.
struct DatasetStaged { std::string dataset; SiteId site; };
// A dataset is new, or another one of that name; it lies there for good.
struct DatasetMade  { std::string dataset; Bytes size; SiteId site; };
struct DatasetLost  { std::string dataset; SiteId site; };  // the copy, or it will never come
// A loan was agreed on, or has other terms from now on; until <= now: it is over.
struct LoanChanged  { LoanTerm term; };
// clang-format on

using Event = std::variant<JobSubmitted,
                           JobEnded,
                           JobCancelled,
                           NodeChanged,
                           Checkpointed,
                           ReplicaLost,
                           PowerCapSet,
                           AdvanceMade,
                           AdvanceEnded,
                           DatasetStaged,
                           DatasetMade,
                           DatasetLost,
                           LoanChanged>;

// New ones go to the end: their numbers are in the digests of decisions.
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
    promised,           // started at or before the time it was promised
    preempted,          // stopped for a job of a higher class
    over_power,         // stopped because a budget of watts was lowered
    node_replaced,      // goes on with another node instead of the one that failed
    deadline,           // by the promises that stand it cannot end in time
    waits_for_power,    // would fit if its racks, pods or site might draw more
    set_apart,          // would fit but for nodes that are set apart, now or before it would end
    out_of_service,     // would fit on nodes that are drained or down
    over_quota,         // its organisation has no right to so much now
    reclaimed,          // stopped because an organisation wants back what it lent
    waits_for_data,     // a dataset that it reads is not where it is to run
    on_loan,            // what it counts on is lent, or is called back before it would end
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
// size: its number in Request::sizes; 0 where there are none.
struct Start   { JobId job; fleet::Placement placement; std::uint32_t size = 0; };
// It starts no later than `at`, there or elsewhere: a promise by limits. Again whenever it becomes
// earlier; later only where nodes, power or higher classes took the room away.
struct Reserve {
    JobId job;
    Time at = never;
    fleet::Placement placement;
    std::uint32_t size = 0;
    friend bool operator==(const Reserve&, const Reserve&) = default;
};
struct Drop    { JobId job; };                   // can never start
// It is asked for a checkpoint and stopped; its end is told as JobEnded with requeue. `for_job` is
// none where watts are the reason.
struct Preempt { JobId job; JobId for_job; };
// The answer to ReplicaLost: from now on it holds `placement` (all of it). An empty one: there is
// no room, so the driver ends the job.
struct Replace { JobId job; fleet::Placement placement; };
// A budget is exceeded and nothing that may be stopped is left in its domain.
struct OverPower { PowerDomain domain; double watts = 0; };
// clang-format on
// A dataset is copied; DatasetStaged is its end. `begins` and `ends` are expected. Two are the same
// whether or not they say over which links (positions in Fleet::links) it goes: records do not.
struct Stage {
    std::string dataset;
    SiteId from;
    SiteId to;
    Time begins{};
    Time ends{};
    std::vector<std::uint32_t> links{};
    friend bool operator==(const Stage& a, const Stage& b) {
        return a.dataset == b.dataset && a.from == b.from && a.to == b.to && a.begins == b.begins &&
               a.ends == b.ends;
    }
};
// A copy makes room for another one.
struct Forget {
    std::string dataset;
    SiteId site;
    friend bool operator==(const Forget&, const Forget&) = default;
};

struct Decision {
    std::variant<Start, Reserve, Drop, Preempt, Replace, OverPower, Stage, Forget> what;
    Reason why;
};

}  // namespace weir::sched
