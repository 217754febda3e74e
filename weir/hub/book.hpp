// Book: the state of the hub as its journal says, and nothing else.
//
// The live hub changes it by two calls: apply() for a record, and decide() for a scheduling pass,
// whose decisions become a record. After a crash the same records are applied again, passes
// included, and a pass that is applied ends where decide() did. So whatever the hub knew when it
// died is what its journal gives back, by construction and not by care. It holds the engine, the
// jobs that are not final, and the register of all jobs; it reads no clock, no disk and no
// executor.
//
// A job that becomes final stays until release(), so that its document can be written first.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "weir/hub/accounts.hpp"
#include "weir/hub/datasets.hpp"
#include "weir/hub/hub.hpp"
#include "weir/hub/journal.hpp"
#include "weir/hub/loans.hpp"
#include "weir/hub/register.hpp"
#include "weir/job/job.hpp"
#include "weir/sched/engine.hpp"

namespace weir::hub {

// Members of one submission, over all arrays in it.
inline constexpr std::uint32_t members_max = 100'000;

// What the core can hold: every pool within its limits, and not more nodes than any fleet will have
// in our time. A journal that says otherwise is damaged.
Result<void> check_fleet(const fleet::Fleet& fleet);

struct Attempt {
    std::uint32_t number = 1;
    Time started_at{};
    sched::Cause cause = sched::Cause::fits_now;  // why it was started
    fleet::Placement placement;                   // while it runs
    std::optional<exec::AttemptEnd> end;
    // Once it has ended, names instead of a placement: the fleet may be another one by the time
    // somebody asks.
    std::vector<std::string> nodes_by_rank;
    // Since it was decided to stop it for others: "stopped for job 12 (mesh)". It goes back to the
    // queue then, and that is no failure.
    std::string stopped_for;
    // What the core knows of it, for the engine of another fleet.
    Time saved_at = never;  // its last checkpoint
    struct Preempted {
        Time at{};
        JobId for_job;
    };
    std::optional<Preempted> preempted;
    std::uint32_t size = 0;  // in which it runs, of those of its job's description
    std::string why_size{};  // in words; "" = it has one
};

// The node of every replica. Ranks count over the ranges in order, node by node.
std::vector<std::string> nodes_by_rank(const fleet::Placement& placement,
                                       const fleet::Fleet& fleet);

// An advance reservation as people know it.
struct Reservation {
    std::string name;
    std::string tenant;  // whose jobs may use it, with all tenants below; "" = everybody's
    sched::Advance advance;

    [[nodiscard]] bool admits(const std::string& its_tenant) const;
};

struct Drained {
    std::string reason;
    Time since{};
};

// What the members of one submission share; a job without an array is a family of one.
struct Family {
    JobId first;
    std::uint32_t count = 1;
    std::uint32_t left = 1;     // members that are not released
    std::uint32_t running = 0;  // members that run
    bool is_array = false;
    bool is_served = true;  // else no pool of the fleet keeps its contract: it waits for another
    std::string name;
    std::string tenant;
    std::string user;
    Time submitted_at{};
    sched::Request request;  // of the first member; once it has started, in its size
    std::string spec_text;   // "" once it is parsed
    job::JobSpec spec;       // valid iff spec_text is empty
};

struct Job {
    JobId id;
    JobState state = JobState::pending;
    std::string reason;
    std::vector<Attempt> attempts;
    std::optional<Time> ended_at;
    Family* family = nullptr;

    [[nodiscard]] bool runs() const {
        return state == JobState::running || state == JobState::stopping;
    }
    [[nodiscard]] bool waits() const {
        return state == JobState::held || state == JobState::pending;
    }
    // By the core, not by its user.
    [[nodiscard]] bool is_stopped_for_others() const {
        return state == JobState::stopping && !attempts.back().stopped_for.empty();
    }
};

class Book {
public:
    Book() = default;
    Book(Book&&) = default;
    Book& operator=(Book&&) = default;

    // The error says what the record supposes and the book does not know: a damaged journal.
    // After an error the book is worthless. A Step is followed: what it decided is taken as given.
    Result<void> apply(const journal::Record& record, Time at);
    // The decisions are in the book when it returns. The error is as above: a record of a pass
    // stands where none can have been. anew: as in journal::Step.
    Result<journal::Step> decide(Time at, bool anew);

    [[nodiscard]] bool begun() const { return engine_.has_value(); }  // there is a fleet
    [[nodiscard]] const sched::Engine& engine() const { return *engine_; }
    [[nodiscard]] sched::Policy policy() const { return policy_; }
    // So many were stopped for others within an hour before.
    [[nodiscard]] std::uint64_t stopped_in_the_hour(Time at) const;
    [[nodiscard]] const tenancy::OrganisationsFile& tenants() const { return tenants_; }
    [[nodiscard]] const journal::Rates& rates() const { return rates_; }
    [[nodiscard]] const journal::Domestic& domestic() const { return domestic_; }
    [[nodiscard]] const Accounts& accounts() const { return accounts_; }
    [[nodiscard]] const Loans& loans() const { return loans_; }
    [[nodiscard]] const Register& everybody() const { return register_; }
    [[nodiscard]] const std::map<JobId, Job>& jobs() const { return jobs_; }
    [[nodiscard]] const Job* find(JobId job) const;  // null when it is unknown or released
    [[nodiscard]] const std::set<JobId>& running() const { return running_; }
    // Those that wait for room, by what their tenant is called.
    [[nodiscard]] const std::map<std::string, std::set<JobId>>& pending() const { return pending_; }
    [[nodiscard]] std::uint64_t jobs_ended() const { return jobs_ended_; }
    [[nodiscard]] Time now() const { return now_; }                         // of the last record
    [[nodiscard]] std::uint32_t written_as() const { return written_as_; }  // its format

    // A job that waits has been promised to start by then, at that place if any.
    struct Promise {
        Time at = never;
        fleet::Placement placement;
        std::uint32_t size = 0;
    };
    [[nodiscard]] const Promise* promise(JobId job) const;  // null when there is none
    [[nodiscard]] const std::map<JobId, Promise>& promises() const { return promises_; }

    [[nodiscard]] const std::map<AdvanceId, Reservation>& reservations() const {
        return reservations_;
    }
    [[nodiscard]] const Reservation* reservation(const std::string& name) const;
    [[nodiscard]] AdvanceId next_advance() const { return next_advance_; }
    using NodeKey = std::pair<PoolId, std::uint32_t>;
    [[nodiscard]] const std::map<NodeKey, Drained>& drained() const { return drained_; }
    // Those that an operator set; the others are the fleet's.
    [[nodiscard]] const std::map<sched::PowerDomain, double>& power_caps() const {
        return power_caps_;
    }
    // The domains that a pass found above their budget, with nothing left to stop.
    [[nodiscard]] const std::set<sched::PowerDomain>& over_power() const { return over_power_; }

    [[nodiscard]] const Datasets& datasets() const { return datasets_; }
    [[nodiscard]] const std::string& name_of_site(sched::SiteId site) const;
    [[nodiscard]] std::optional<sched::SiteId> site_named(const std::string& name) const;
    // The job that waits or runs and is to make it, or has made it just now; none = nobody.
    [[nodiscard]] JobId maker_of(const std::string& dataset) const;
    // Of a job that is held: "era5-2020 (40TiB), which is copied from wuxi to hefei and expected
    // there at ..."; "" = nothing that is known.
    [[nodiscard]] std::string what_data_it_waits_for(const Job& job) const;

    // What it asks for: in the size that it runs in, was promised or waits with.
    [[nodiscard]] sched::Request request_now(const Job& job) const;

    // "job 12 (mesh)", for sentences.
    [[nodiscard]] std::string described(JobId job) const;
    // Why a job that depends on this one can never start.
    [[nodiscard]] std::string dependency_failed(JobId other) const;

    // Promises that became later or were taken back since the last call.
    struct BrokenPromise {
        JobId job;
        Time promised;
        Time now = never;    // never: nothing can be promised
        std::string reason;  // "" = what takes room away while a fleet and its policy stay
    };
    std::vector<BrokenPromise> take_broken_promises();
    // What a job that waits had been promised before another fleet, policy or tenants file came
    // into force, where that could not be kept; null otherwise.
    [[nodiscard]] const BrokenPromise* lost_promise(JobId job) const;
    // What stands against the deadline of a job that waits, as of the last entry of the journal;
    // empty where nothing is known to: without a deadline, where nobody is promised anything
    // (strict order), and while others of its array have to end first.
    [[nodiscard]] std::string deadline_trouble(const Job& job) const;

    // The jobs that became final since the last call.
    std::vector<JobId> take_finished();
    [[nodiscard]] const std::vector<JobId>& finished() const { return finished_; }
    [[nodiscard]] const std::set<JobId>& held_readers() const { return held_readers_; }
    // Requires: the job is final. Its document is written: it leaves memory.
    void release(JobId job);
    // What changed since the last call, for listeners. Changes count up from the first entry of the
    // journal, so their numbers go on across a restart; up to the number given to mute_until()
    // they are counted but not kept.
    std::vector<Change> take_changes();
    void mute_until(std::uint64_t change) { muted_until_ = change; }
    [[nodiscard]] std::uint64_t changes_so_far() const { return change_sequence_; }

    // The parsed description of a submission, where it is at hand.
    void set_spec(JobId first, job::JobSpec spec);
    // Parses those that came from the journal as text; after a replay.
    Result<void> parse_specs();

private:
    Result<void> on(const journal::FleetSet& record, Time at);
    Result<void> on(const journal::SpecGiven& record, Time at);
    Result<void> on(const journal::Submitted& record, Time at);
    Result<void> on(const journal::Carried& record, Time at);
    Result<void> on(const journal::PromiseCarried& record, Time at);
    Result<void> on(const journal::Ended& record, Time at);
    Result<void> on(const journal::Cancelled& record, Time at);
    Result<void> on(const journal::StopAsked& record, Time at);
    Result<void> on(const journal::AdvanceMade& record, Time at);
    Result<void> on(const journal::AdvanceEnded& record, Time at);
    Result<void> on(const journal::NodeChanged& record, Time at);
    Result<void> on(const journal::PowerCapSet& record, Time at);
    Result<void> on(const journal::LoanOffered& record, Time at);
    Result<void> on(const journal::LoanMoved& record, Time at);
    Result<void> on(const journal::Checkpointed& record, Time at);
    Result<void> on(const journal::DatasetChanged& record, Time at);
    Result<void> on(const journal::Step& record, Time at);
    Result<void> come_to(Time at);
    Result<void> check_pass() const;
    Result<void> check_intents(const journal::Step& step);
    void take(const journal::Step& step, Time at);
    [[nodiscard]] Result<void> check_datasets(const journal::Step& step) const;
    void take_datasets(const journal::Step& step);
    void look_at_readers(Time at);

    Result<Job*> job_that(JobId id, bool (Job::*is)() const, const char* what);
    Result<void> check_request(const sched::Request& request, bool is_served) const;
    Result<void> check_place(const Job& job, Time at, const fleet::Placement& placement) const;
    void tell(const sched::Event& event, Time at);
    void forget_promises(JobId job);
    void set_state(Job& job, JobState state, std::string reason, Time at);
    void finish(Job& job, JobState state, std::string reason, Time at);
    void release_dependents(JobId ended, Time at);
    std::string stopped_for(const journal::Preempted& stop) const;
    std::string why_dropped(const journal::Dropped& drop) const;

    std::optional<sched::Engine> engine_;
    sched::Policy policy_ = sched::Policy::weir;
    tenancy::OrganisationsFile tenants_;
    journal::Rates rates_;
    journal::Domestic domestic_;
    Accounts accounts_;
    Loans loans_;
    std::uint32_t written_as_ = journal::format;
    Register register_;
    std::map<JobId, Job> jobs_;
    std::map<JobId, Family> families_;  // by first member
    std::set<JobId> running_;
    std::set<JobId> left_behind_;  // run, but the engine of a new fleet has not heard of them yet
    Time now_ = Time::min();
    std::unordered_map<JobId, std::vector<JobId>> dependents_;  // families that wait, by job
    std::string given_spec_;
    std::map<JobId, Promise> promises_;
    std::map<JobId, BrokenPromise> lost_promises_;
    std::deque<std::pair<Time, JobId>> preemptions_;  // of the last hour, for the next engine
    Time told_ = Time::min();                         // the engine has come to
    std::map<AdvanceId, Reservation> reservations_;
    AdvanceId next_advance_{1};
    std::map<NodeKey, Drained> drained_;
    std::map<sched::PowerDomain, double> power_caps_;
    std::set<sched::PowerDomain> over_power_;
    Datasets datasets_;
    std::map<std::string, JobId> makers_;  // who is to make a dataset: the first member
    std::set<JobId> held_readers_;         // of datasets
    std::map<std::string, std::set<JobId>> pending_;
    bool look_at_all_readers_ = false;
    std::uint64_t jobs_ended_ = 0;
    std::uint64_t change_sequence_ = 0;
    std::uint64_t muted_until_ = 0;
    std::vector<BrokenPromise> broken_promises_;
    std::vector<JobId> finished_;
    std::vector<Change> changes_;
};

}  // namespace weir::hub
