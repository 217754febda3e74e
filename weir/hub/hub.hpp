// Hub: the live service. It drives the decision core with the real clock and keeps its promises.
//
// One thread owns the core, the journal and the jobs. Everything that arrives (submissions,
// cancellations, ends of attempts, queries) is a message to it; it takes all that wait, applies
// them, lets the core decide, appends the batch to the journal in one durable commit, and only
// then answers the clients and hands the starts to the executor. So an acknowledged job is on
// disk, a start is on disk before it happens, and the cost of a commit is shared by the batch.
// After a crash open() follows the journal, decision by decision as they were taken, and asks the
// executor about every attempt that should be running.
//
// Threads: every public function may be called from any thread. Replies and listeners are called
// on the hub's thread and must be quick (hand over, do not compute).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/base/result.hpp"
#include "weir/base/time.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/exec/executor.hpp"
#include "weir/exec/mover.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/hub/operation.hpp"
#include "weir/job/job.hpp"
#include "weir/sched/engine.hpp"
#include "weir/store/store.hpp"
#include "weir/tenancy/organisations_file.hpp"
#include "weir/tenancy/rights.hpp"
#include "weir/tenancy/statement.hpp"

namespace weir::hub {

enum class JobState : std::uint8_t {
    held,      // waits for other jobs
    pending,   // waits for room
    running,   // journalled as started; the executor has it
    stopping,  // was asked to stop
    succeeded,
    failed,  // the user's command failed
    time_limit,
    cancelled,
    lost,  // infrastructure; how it ended is not known
};
std::string_view name_of(JobState state);
std::optional<JobState> job_state_from_name(std::string_view name);
bool is_final(JobState state);

struct Options {
    std::string data_dir;  // absolute: store, runs/, logs
    sched::Policy policy = sched::Policy::weir;
    // Who may use how much; of nobody: nobody is limited.
    tenancy::OrganisationsFile tenants{};
    Duration default_limit = seconds(24 * 3600);
    std::string url;  // of this hub, for its jobs: WEIR_HUB; "" = unset
    // What is known of chips: by it jobs are matched when they come, and quotas counted in what
    // chips compute; null = what is built in.
    std::shared_ptr<const catalog::Catalog> catalog;
    // What brings datasets to sites; null = nothing, and jobs that need some are refused.
    std::shared_ptr<exec::Mover> mover;
    // How often the executor is asked about attempts whose end may have gone unreported.
    Duration housekeeping = seconds(5);
};

inline const catalog::Catalog& catalog_of(const Options& options) {
    return options.catalog ? *options.catalog : catalog::Catalog::built_in();
}

struct Submission {
    job::JobSpec spec;
    std::string key;          // of the client; "" = none
    std::string body_digest;  // of what was sent: same key + other digest is a conflict
    std::string user;
};

struct Accepted {
    JobId first;              // the job, or the first member of the array
    std::uint32_t count = 1;  // members
    std::string id;           // as users write it: "12"
    bool repeated = false;    // the key was known: this is the earlier answer
    std::vector<std::string> notes;
};

struct TaskView {
    std::uint32_t rank = 0;
    std::string node;
    std::string stdout_path;
    std::string stderr_path;
};

struct AttemptView {
    std::uint32_t number = 1;
    Time started_at{};
    // Why it was started: "in_order", "backfilled", "backfilled_beside", "promised".
    std::string cause;
    std::string
        stopped_for;  // "stopped for job 12 (mesh)": for whom it was stopped; "" = it was not
    std::optional<exec::AttemptEnd> end;
    std::vector<TaskView> tasks;
};

struct JobView {
    JobId job;
    std::string id;  // "12", or "12_3" for index 3 of array 12
    std::optional<std::uint32_t> array_index;
    JobState state = JobState::pending;
    std::string reason;  // short: why it waits, how it ended
    job::JobSpec spec;
    std::string organisation;  // whose rights it uses; "" = there are no organisations
    std::string user;
    Time submitted_at{};
    std::optional<Time> started_at;  // of the last attempt
    std::optional<Time> ended_at;
    // When it will start, of a job that waits: at the latest, if that is a promise; else an
    // estimate.
    std::optional<Time> starts_at;
    bool starts_promised = false;
    Duration limit{};  // in force
    // Of a training job: in which of the sizes of its description it runs, ran or waits.
    std::optional<std::uint32_t> size{};
    std::vector<std::string> nodes;
    std::vector<AttemptView> attempts;
};

struct JobFilter {
    std::vector<JobState> states;  // empty = all
    std::string name;
    std::string tenant;
    std::string user;
    std::size_t limit = 1000;  // newest first
};

// Which members of an array, in its order.
struct MemberQuery {
    std::vector<JobState> states;  // empty = all
    std::size_t offset = 0;        // of those, leave out so many
    std::size_t limit = 1000;
};

struct Members {
    std::vector<JobView> jobs;
    std::uint64_t total = 0;  // in these states, whatever offset and limit say
};

// How far an array has come, or a job, which counts as an array of one. It costs no look at the
// disk and little memory however many members there are: for those who ask over and over.
struct MemberCounts {
    std::string id;  // of the array, or of the job
    std::uint64_t members = 0;
    std::uint64_t ended = 0;
    std::vector<std::pair<JobState, std::uint64_t>> states;  // those that some member is in
    std::string first_failed;  // id of the first that ended otherwise than well; "" = none
};

struct ExplainView {
    std::string id;
    JobState state = JobState::pending;
    std::string sentence;  // the binding cause with its numbers
    std::string cause;     // name_of(sched::Cause) of a job that waits; why a running one started
    std::uint64_t ahead = 0;
    std::optional<Time> starts_at;  // as in JobView
    bool starts_promised = false;
    std::vector<std::string> details;  // further sentences: who is in front, who has the room
    // What would let it start, each tried on the state as it is.
    struct Help {
        std::string change;  // name_of(sched::Counterfactual::Change)
        Time starts_at{};
        std::string sentence;
    };
    std::vector<Help> would_help;
};

struct DatasetPlaceView {
    std::string site;
    bool is_there = false;            // else it is on its way
    std::string from;                 // of a copy that is under way
    std::optional<Time> expected_at;  // there
    std::string trouble;              // why it is not there yet; "" = it comes
};

struct DatasetView {
    std::string name;
    Bytes size;  // 0 while it is not known
    std::vector<DatasetPlaceView> places;
    std::string made_by;  // id of the job that made it; "" = it was there
    std::optional<Time> keep_until;
};

struct PoolView {
    fleet::Pool pool;
    sched::Engine::PoolFree free;
    std::uint32_t jobs_running = 0;
    struct OutOfService {
        std::string node;
        std::string reason;
        Time since{};
    };
    std::vector<OutOfService> drained;  // by an operator
};

// Another fleet was asked for than is in force, and some jobs are in its way.
struct PendingChange {
    sched::Policy policy = sched::Policy::weir;  // that will be in force then
    std::vector<std::string> waits_for;          // ids of the running jobs that have to end first
    std::string sentence;
};

struct Status {
    Time started_at{};
    sched::Policy policy = sched::Policy::weir;  // in force
    std::uint64_t nodes = 0;                     // of the fleet in force
    std::uint64_t chips = 0;
    std::optional<PendingChange> pending_change;
    std::vector<std::string> over_power;  // sentences: who draws more than it may
    std::uint64_t journal_entries = 0;
    sched::Counts counts;
    std::uint64_t jobs_accepted = 0;
    std::uint64_t jobs_ended = 0;
    std::uint64_t commits = 0;
    std::uint64_t commit_microseconds_total = 0;
    std::uint64_t digest = 0;
};

// Something changed: goes to the event stream. `sequence` counts up without gaps.
struct Change {
    std::uint64_t sequence = 0;
    Time at{};
    JobId job;
    std::string id;
    std::string name;
    JobState state = JobState::pending;
    std::string reason;
};

template <class T>
using Reply = std::function<void(Result<T>)>;

class Hub {
public:
    // Opens the store's journal, recovers, adopts what runs, starts the thread. `fleet` is what
    // discovery found now; where it differs from the journal's, the journal gets the new one as
    // soon as every running job has a place in it.
    static Result<std::unique_ptr<Hub>> open(Options options,
                                             fleet::Fleet fleet,
                                             store::Store& store,
                                             exec::Executor& executor);
    // Stops the thread; running jobs run on. Requests that still wait are answered `unavailable`.
    // Requires: the executor reports no more.
    ~Hub();

    void submit(Submission submission, Reply<Accepted> reply);
    // A batch is accepted whole or not at all; later ones may depend on earlier ones by name.
    void submit_all(std::vector<Submission> submissions, Reply<std::vector<Accepted>> reply);
    // `reference` is an id ("12", "12_3"; "12" of an array means all members) or the name of a
    // job (the newest that has it).
    void cancel(std::string reference, Reply<std::uint32_t> reply);  // how many were not yet final
    void job(std::string reference, MemberQuery query, Reply<Members> reply);
    void counts(std::string reference, Reply<MemberCounts> reply);
    void jobs(JobFilter filter, Reply<std::vector<JobView>> reply);
    void explain(std::string reference, Reply<ExplainView> reply);
    void fleet(Reply<std::vector<PoolView>> reply);
    void datasets(Reply<std::vector<DatasetView>> reply);  // by name
    void status(Reply<Status> reply);
    void operate(Operation operation, Reply<std::string> reply);
    void reservations(Reply<std::vector<ReservationView>> reply);
    // The centre and all organisations; none where nobody is limited.
    void tenants(Reply<std::vector<TenantView>> reply);
    void loans(Reply<std::vector<KnownLoan>> reply);  // every one there ever was
    // Of an organisation with everybody below it, "" = the centre itself, in the month in which
    // `at` lies; none: in this one.
    void statement(std::string tenant, std::optional<Time> at, Reply<tenancy::Statement> reply);
    // Sites, and what has a budget; of one site, pool, rack or pod everything, when it is named.
    void power(std::string of, Reply<std::vector<PowerView>> reply);

    // The executor's callback goes here.
    void attempt_ended(const exec::AttemptEnd& end);
    // And the mover's goes here.
    void dataset_moved(const exec::MoveEnd& end);

    // Called for every change from now on, in order, after it is durable. Returns a handle. When
    // unlisten() returns, the listener is not running and will not be called again; it must not
    // be called by a listener.
    std::uint64_t listen(std::function<void(const Change&)> listener);
    void unlisten(std::uint64_t handle);

private:
    struct State;
    explicit Hub(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace weir::hub
