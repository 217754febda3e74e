// Replay: one engine, one queue, one list of jobs, and the virtual clock that drives them.
//
// What happens at one instant is ordered as the trace's kind asks:
//
//   classic (SWF)  the rules of the reference schedules of the archive logs: a job whose limit has
//                  come counts as gone; then submissions in file order, each followed by a pass if
//                  the new job fits; then terminations in the order of starts, each with a pass.
//   accelerator    all terminations, then all submissions, then one pass.
//
// An instant at which anything else happens too (a node fails, a budget changes, a loan begins, the
// core asked to be woken) goes the second way for every trace: terminations, then repairs and
// failures, then checkpoints and budgets, then submissions, then loans, then one pass. The core is
// the same for all: only when it is asked differs.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <optional>
#include <queue>
#include <vector>

#include "weir/sched/lending.hpp"
#include "weir/sim/attempt.hpp"
#include "weir/sim/demand_of.hpp"
#include "weir/sim/event_log.hpp"
#include "weir/sim/house_use_meter.hpp"
#include "weir/sim/power_meter.hpp"
#include "weir/sim/simulator.hpp"
#include "weir/tenancy/waterfall.hpp"

namespace weir::sim {

class Replay {
public:
    struct Tally {
        std::uint64_t node_failures = 0;
        std::uint64_t attempts_failed = 0;
        std::uint64_t nodes_replaced = 0;
        std::uint64_t ended_by_limit = 0;  // jobs, before their work was done
        std::uint64_t preemptions = 0;
        std::uint64_t given_up = 0;  // jobs whose retries were used up
        std::uint64_t copies = 0;    // of datasets, that arrived
        double copied_bytes = 0;
        double forgotten_bytes = 0;  // of copies that made room
        std::uint64_t dropped = 0;   // jobs that the core refused to start; their `attempts` are 0
        std::uint64_t without_data = 0;  // of them, whose data could not be brought together
    };

    // Requires: `jobs` is in order of submission; trace, options and jobs outlive the replay. The
    // waterfall counts in `unit`; it, watts and rights are counted from `from` on, which is not
    // after the first submission.
    Replay(const Trace& trace,
           fleet::Fleet fleet,
           const SimulationOptions& options,
           std::vector<ScheduledJob>& jobs,
           tenancy::Unit unit,
           Time from);

    // Until every job has ended, or none of those that wait can ever start. `on_ended` is called
    // with the number of jobs that ended so far, every few thousand instants.
    void run(const std::function<void(std::uint64_t)>& on_ended);

    [[nodiscard]] const sched::Engine& engine() const { return engine_; }
    [[nodiscard]] const Tally& tally() const { return tally_; }
    [[nodiscard]] const std::vector<Pause>& pauses() const { return pauses_; }
    // When a job last started or ended, and when the last one was over: it ended, or was dropped.
    [[nodiscard]] Time moved_at() const { return moved_at_; }
    [[nodiscard]] Time over_at() const { return over_at_; }
    // What its nodes drew until then. To be called once, after run(). Requires, of the next three:
    // not before what is asked about.
    [[nodiscard]] PowerRecord power(Time until) { return meter_.finish(until); }
    // Where its chip-seconds went, and who held what of whose.
    [[nodiscard]] tenancy::Books books(Time until) { return waterfall_.books(until); }
    [[nodiscard]] HouseHoursTable houses(Time until) { return houses_.until(until); }
    // Where every attempt was; of a run with more of them than `held_attempts_max`, nothing.
    [[nodiscard]] const std::vector<HeldAttempt>& attempts() const { return attempts_; }
    // For people: loans that were refused or broken.
    [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

private:
    static constexpr std::uint32_t no_slot = std::numeric_limits<std::uint32_t>::max();
    struct JobRun {
        std::uint32_t index = no_slot;                // in jobs_; no_slot: it is over
        const fleet::Demand* demand = nullptr;        // until it has taken a size, of the first
        const DemandsOf::Sizes* sizes = nullptr;      // of a training job that has taken none
        const std::vector<PoolId>* barred = nullptr;  // by its contract
        tenancy::Waterfall::Account account;
        tenancy::Spent spent;       // since it holds what it holds, up to the last account()
        Attempt attempt;            // that runs
        Time attempt_began{};       // from here its limit counts
        Duration limit{};           // its user's, and what its checkpoints add
        Duration work{};            // its run, by the log or by its size
        Duration saved{};           // of its run, by ended attempts
        Duration wall{};            // of ended attempts
        Duration every{};           // checkpoint interval; 0 = none
        std::uint64_t serial = 0;   // of its entry in ends_ that counts; 0 = none
        std::uint32_t retries = 0;  // left
        std::uint32_t attempts = 0;
        bool runs = false;
        bool stopping = false;      // saves its work for the last time
        Time promised = never;      // it waits, and will start by then
        bool lost_a_node = false;   // and waits for another, at this very instant
        Duration stopping_saves{};  // what will be saved of its run then
    };
    struct End {
        Time at;
        std::uint64_t serial;  // counts starts: breaks ties
        std::uint32_t job;     // position in jobs_
        friend bool operator>(const End& a, const End& b) {
            return a.at != b.at ? a.at > b.at : a.serial > b.serial;
        }
    };
    struct Timer {
        Time at;
        std::uint64_t order;  // of being set: breaks ties
        std::uint32_t job;
        std::uint64_t serial;  // of the attempt it belongs to
        bool stop;             // the last checkpoint of a job that is stopped; else one of many
        friend bool operator>(const Timer& a, const Timer& b) {
            return a.at != b.at ? a.at > b.at : a.order > b.order;
        }
    };
    struct Copy {  // of a dataset, under way
        Time at;
        std::uint64_t order;  // of being ordered: breaks ties
        sched::DatasetStaged there;
        friend bool operator>(const Copy& a, const Copy& b) {
            return a.at != b.at ? a.at > b.at : a.order > b.order;
        }
    };
    struct Lending {
        enum class State : std::uint8_t { agreed, lasts, over };
        LentQuota loan;  // as it stands
        State state = State::agreed;
        // When it begins, is called back or is over.
        [[nodiscard]] Time next() const;
    };
    template <class Entry>
    using Soonest = std::priority_queue<Entry, std::vector<Entry>, std::greater<>>;

    const TraceJob& job(std::uint32_t index) const { return trace_.jobs[jobs_[index].trace_job]; }
    JobRun& run_of(std::uint32_t index) { return runs_[slots_[index]]; }
    // Whether an entry of ends_ or timers_ is about the attempt that runs now.
    [[nodiscard]] bool counts(std::uint32_t index, std::uint64_t serial) const {
        return slots_[index] != no_slot && runs_[slots_[index]].serial == serial;
    }
    void settle(std::uint32_t index, bool came_out, Time now);
    [[nodiscard]] std::string_view tenant_name(const TraceJob& its) const;
    [[nodiscard]] std::uint32_t tenant_of(const TraceJob& its);
    [[nodiscard]] tenancy::Spent spent_of(const sched::Decision& decision);
    [[nodiscard]] Duration checkpoint_interval(const fleet::Demand& demand) const;
    [[nodiscard]] Duration with_checkpoints(Duration limit, Duration every) const;
    void enter_sizes(JobRun& run, const TraceJob& its, sched::Request& request);
    void take_size(std::uint32_t index, std::uint32_t number);
    [[nodiscard]] const std::vector<std::string>& reads(const TraceJob& its) const;
    [[nodiscard]] double bytes_of(const std::string& dataset) const;
    void arrived(const sched::DatasetStaged& copy, Time now);
    void apply(const sched::Event& event, Time now);
    void tell(const sched::Event& event, Time now);
    void submit(std::uint32_t index, Time now);
    void finish(std::uint32_t index, Time now);
    void end_by_limit(std::uint32_t index, Time now);
    void fail(std::uint32_t index, Time now);
    void stop(std::uint32_t index, Time now);
    void account(std::uint32_t index, Duration kept, Time now);
    void end_attempt(
        std::uint32_t index, sched::Outcome outcome, bool requeue, Duration kept, Time now);
    void go_on(std::uint32_t index, Time now);
    void end_pause(std::uint32_t index, Time now);
    void hold(std::uint32_t index, const fleet::Placement& placement, Time now);
    void release(std::uint32_t index, Time now);
    void count_for_house(std::uint32_t index, const fleet::Placement& on, bool taking, Time now);
    void keep_attempt(std::uint32_t index, const fleet::Placement& on, Time now);

    void decide(Time now);
    // Whether the core has to be asked again at once.
    bool carry_out(const sched::Start& start, Time now);
    bool carry_out(const sched::Reserve& reserve, Time now);
    bool carry_out(const sched::Drop& drop, Time now);
    bool carry_out(const sched::Preempt& preempt, Time now);
    bool carry_out(const sched::Replace& replace, Time now);
    bool carry_out(const sched::OverPower&, Time) { return false; }
    bool carry_out(const sched::Stage& stage, Time now);
    bool carry_out(const sched::Forget& forget, Time now);
    bool fail_unreplaced(Time now);

    // replay_loans.cpp
    void agree_on_loans(Time now);
    void loans_come_to(Time now);
    void come_into(Lending& lending, Lending::State state, Time now);
    void call_back(Lending& lending, Time now);
    void settle_loans(Time now);
    bool call_back_loans(Time now);
    void judge_ended_loans(Time now);
    void end_loan(Lending& lending, audit::LoanEnd how, const std::string& why, Time now);
    void leave_who_waits(Time now);
    [[nodiscard]] std::vector<sched::JobSeen> jobs_seen() const;
    [[nodiscard]] std::vector<sched::LoanTerm> terms_in_force() const;

    [[nodiscard]] Time next_of_jobs();
    [[nodiscard]] Time next_of_others() const;
    void play(const std::function<void(std::uint64_t)>& on_ended);
    void classic_instant(Time now);
    void batched_instant(Time now);
    void full_instant(Time now);
    void node_changes(Time now);
    void timers(Time now);
    void collect_ends(Time now);

    const Trace& trace_;
    const SimulationOptions& options_;
    std::vector<ScheduledJob>& jobs_;
    sched::Engine engine_;
    std::vector<TenantId> tenants_;  // by name of the trace
    DemandsOf demands_;
    PowerMeter meter_;
    tenancy::Waterfall waterfall_;
    HouseUseMeter houses_;
    std::vector<HeldAttempt> attempts_;
    bool too_many_attempts_ = false;
    std::uint32_t TraceJob::*tenant_ = nullptr;  // whose rows the waterfall has; null = one for all
    std::vector<std::uint32_t> tenant_of_name_;  // no_slot where it was not asked for
    std::vector<std::uint64_t> hash_of_name_;
    // Only jobs that wait or run have an entry: memory follows those, not the length of the log.
    std::vector<JobRun> runs_;
    std::vector<std::uint32_t> slots_;   // beside jobs_: position in runs_, or no_slot
    std::vector<std::uint32_t> unused_;  // positions in runs_
    Soonest<End> ends_;
    std::vector<End> ending_;  // of this instant, in order
    std::vector<sched::Decision> decisions_;
    std::uint32_t next_ = 0;  // to be submitted
    std::uint64_t starts_ = 0;
    std::uint64_t running_ = 0;
    std::uint64_t over_ = 0;
    Time moved_at_ = Time::min();  // a job started or ended
    Time over_at_ = Time::min();

    Failures failures_;
    Duration log_mtbf_{};  // of a node, where faults come from a log
    Soonest<Timer> timers_;
    std::uint64_t timers_set_ = 0;
    Soonest<Copy> copies_;
    std::uint64_t copies_made_ = 0;
    bool tells_checkpoints_ = false;
    std::vector<CapChange> caps_;  // by time
    std::size_t next_cap_ = 0;
    std::vector<AdvanceRequest> advances_;  // by time
    std::size_t next_advance_ = 0;
    std::vector<Lending> loans_;
    std::vector<std::size_t> loans_over_;  // at this very instant
    std::deque<Time> stopped_;             // for others, in the last hour
    std::vector<std::string> notes_;
    Time wakes_at_ = never;
    std::optional<EventLog> log_;

    // Who is hit when a node fails; kept only where nodes can.
    bool follows_nodes_ = false;
    std::vector<fleet::Placement> held_;                            // beside jobs_
    std::vector<std::vector<std::vector<std::uint32_t>>> on_node_;  // pool, node -> jobs
    std::vector<std::uint32_t> without_a_node_;                     // jobs, at this very instant
    Tally tally_;
    std::vector<Pause> pauses_;
};

}  // namespace weir::sim
