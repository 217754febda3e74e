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
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/exec/executor.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/hub/hub.hpp"
#include "weir/hub/loans.hpp"
#include "weir/sched/engine.hpp"
#include "weir/store/store.hpp"
#include "weir/tenancy/organisations_file.hpp"
#include "weir/tenancy/rights.hpp"

namespace weir::hub::journal {

inline constexpr std::uint32_t format = 8;
inline constexpr std::uint32_t oldest_format = 2;  // that is still read

// What a chip computes in a number format, FLOP/s or OP/s: of the chips of the fleet in which some
// quota is written.
using Rates = std::map<std::pair<std::string, std::string>, double>;  // by chip and format

// Chips of the fleet that are of domestic vendors, for vouchers: as the catalogue said then.
using Domestic = std::set<std::string>;

Domestic domestic_in(const fleet::Fleet& fleet, const catalog::Catalog& catalog);

// A fresh engine begins here: at the first start, and whenever the fleet, the policy or the
// organisations became different. The jobs that wait or run follow, each as Carried or Cancelled,
// and what some of them were promised, before anything is decided.
struct FleetSet {
    fleet::Fleet fleet;
    sched::Policy policy = sched::Policy::weir;
    tenancy::OrganisationsFile tenants{};  // of nobody: nobody is limited
    Rates rates{};
    Domestic domestic{};
    std::uint32_t written_as = format;
};

// The description of the job in the Submitted that follows, or in the Carried where another fleet
// made other plans, as job_json writes it. It is an entry of its own because a replay never reads
// it for jobs that have ended.
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
    std::string unserved{};  // why no pool serves it, so that it waits for another fleet; "" = some
};

// A job enters the engine of a new fleet: it waits, or it runs where it ran before, written down in
// the terms of that fleet.
struct Carried {
    sched::Request request;
    fleet::Placement placement;  // empty when it waits
    std::string unserved{};      // as in Submitted
};

// What a job that waits was promised by the engine before, in the one of a new fleet: kept where
// `at` is no later than `promised`.
struct PromiseCarried {
    JobId job;
    Time promised{};
    Time at = never;  // never: nothing can be promised
    fleet::Placement placement;
    std::string reason;      // why it is not kept
    std::uint32_t size = 0;  // as in Started
};

// What a job has made: from now on it is on its way to its place among the datasets of the site.
struct Output {
    std::string dataset;
    std::string path;  // absolute
    std::string site;
    Duration keep = forever;
    friend bool operator==(const Output&, const Output&) = default;
};

// An attempt is over, and what that means for its job.
struct Ended {
    exec::AttemptEnd end;
    sched::Outcome outcome = sched::Outcome::succeeded;
    bool requeue = false;                  // back to the queue, for another attempt
    JobState state = JobState::succeeded;  // of the job; pending with requeue
    std::string reason;
    std::vector<Output> outputs{};
};

struct Cancelled {  // while it waited
    JobId job;
    std::string reason;
};

struct StopAsked {  // while it ran
    JobId job;
};

// Nodes are set apart for a time. `tenant`: whose jobs may use them, with all tenants below; "" =
// everybody's.
struct AdvanceMade {
    std::string name;
    std::string tenant;
    sched::Advance advance;
};

struct AdvanceEnded {
    AdvanceId id;
};

struct LoanOffered {
    LoanTerms terms;
};

// What a party did with a loan, or what the hub found: that it began or is over (`wait`: what time
// brings follows without it, too, but now it was looked at), that its lender's gangs would not be
// had back (lender_breaks), or that the chips are not (not_back).
struct LoanMoved {
    std::string name;
    tenancy::LoanEvent event = tenancy::LoanEvent::accept;
    std::string reason{};  // why it is broken
};

// By an operator: out of service for new jobs, or back in it.
struct NodeChanged {
    PoolId pool;
    std::uint32_t node = 0;
    sched::NodeHealth health = sched::NodeHealth::up;
    std::string reason;
};

struct PowerCapSet {
    sched::PowerDomain domain;
    double watts = 0;  // 0 = no cap; as the fleet file has it: nothing is set any more
};

struct Checkpointed {
    JobId job;
};

// What became of a dataset at a site, by their names. What a new fleet takes over from the one
// before is here again: it is carried.
struct DatasetChanged {
    enum class Fate : std::uint8_t {
        staged,  // a copy is there
        made,    // it is new, and there for good
        lost,    // it is there no more, or will never be
    };
    Fate fate = Fate::staged;
    std::string dataset;
    std::string site;
    Bytes size{};              // of what was made
    JobId by = JobId::none();  // who made it
    Time keep_until = never;   // how long what was made is kept
    bool carried = false;
    friend bool operator==(const DatasetChanged&, const DatasetChanged&) = default;
};

// An intent: this attempt will run there, for this cause.
struct Started {
    exec::AttemptId attempt;
    sched::Cause cause = sched::Cause::fits_now;
    fleet::Placement placement;
    std::uint32_t size = 0;  // of those that its request has
    // Why that size, in words. They are told and decide nothing: another version has others.
    std::string why_size{};
    friend bool operator==(const Started& a, const Started& b) {
        return a.attempt == b.attempt && a.cause == b.cause && a.placement == b.placement &&
               a.size == b.size;
    }
};

struct Dropped {
    JobId job;
    JobId because_of;
    sched::Cause cause = sched::Cause::dependency_failed;
    friend bool operator==(const Dropped&, const Dropped&) = default;
};

struct Reserved {
    JobId job;
    Time at = never;
    fleet::Placement placement;
    std::uint32_t size = 0;
    friend bool operator==(const Reserved&, const Reserved&) = default;
};

// An intent: this job will be asked to save what it has done, be stopped, and wait again.
struct Preempted {
    JobId job;
    JobId for_job;  // none where watts are the reason
    sched::Cause cause = sched::Cause::preempted;
    friend bool operator==(const Preempted&, const Preempted&) = default;
};

// A running gang goes on with another node; an empty placement: there is none.
struct Replaced {
    JobId job;
    fleet::Placement placement;
    friend bool operator==(const Replaced&, const Replaced&) = default;
};

struct OverPower {
    sched::PowerDomain domain;
    double excess_watts = 0;  // beyond the budget, when those that are being stopped are gone
    friend bool operator==(const OverPower&, const OverPower&) = default;
};

// An intent: a dataset is copied. The times are expected.
struct Staged {
    std::string dataset;
    std::string from;
    std::string to;
    Time begins{};
    Time ends{};
    friend bool operator==(const Staged&, const Staged&) = default;
};

// An intent: a copy makes room for others.
struct Forgotten {
    std::string dataset;
    std::string site;
    friend bool operator==(const Forgotten&, const Forgotten&) = default;
};

// A scheduling pass with everything that it decided. The starts are here before they happen: the
// executor hears of an attempt only when it is on disk.
struct Step {
    std::vector<Dropped> drops;
    std::vector<Started> starts;
    std::vector<Reserved> reserved;  // those that became others
    std::vector<Preempted> preempted;
    std::vector<Replaced> replaced;
    std::vector<OverPower> over_power;
    std::vector<Forgotten> forgotten{};
    std::vector<Staged> staged{};
    // The first pass since the hub came back: what passes before it had left to spend on planning,
    // or had looked for in vain, is forgotten, because no record says it.
    bool anew = false;
    std::uint64_t digest = 0;  // of all decisions of this engine so far
};

using Record = std::variant<FleetSet,
                            SpecGiven,
                            Submitted,
                            Carried,
                            PromiseCarried,
                            Ended,
                            Cancelled,
                            StopAsked,
                            AdvanceMade,
                            AdvanceEnded,
                            NodeChanged,
                            PowerCapSet,
                            LoanOffered,
                            LoanMoved,
                            Checkpointed,
                            DatasetChanged,
                            Step>;

// "in_order", "backfilled", "backfilled_beside", "promised": the cause of a start, on disk and for
// clients.
std::string word_for_start(sched::Cause cause);

// Ensures: decode(encode(record)) gives the record back.
store::Entry encode(const Record& record, Time at);
Result<Record> decode(const store::Entry& entry);

}  // namespace weir::hub::journal
