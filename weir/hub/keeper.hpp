// Keeper: the hub without its thread and its clock. It keeps the promises.
//
// A turn takes the messages that wait and the time, and goes through these steps, always in this
// order: apply what arrived to the book; let the core decide; append everything to the store in one
// durable commit; only then answer clients, tell listeners, and call the executor. So what a client
// was told is on disk, and what the executor is told was on disk before.
//
// When a commit fails, the book knows more than the disk. Then everybody who waits is refused, the
// book is thrown away and read again from the journal, and the executor is asked about every
// attempt that the journal says is running; until that works, everything is refused. The same
// reading is how open() begins, so recovery from a crash and from a full disk are one path. Where
// the journal is long, what changes something is refused until the next housekeeping, so that a
// disk that stays full does not cost a reading for every request; questions are answered.
//
// Tests drive a Keeper with a virtual clock, a store that fails on demand and an executor that
// forgets; the Hub (hub.hpp) drives it with a thread.
//
// Threads: one at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "weir/exec/executor.hpp"
#include "weir/hub/book.hpp"
#include "weir/hub/book_clock.hpp"
#include "weir/hub/documents.hpp"
#include "weir/hub/hub.hpp"
#include "weir/hub/journal.hpp"
#include "weir/store/store.hpp"

namespace weir::hub {

struct ForFleet;  // admission.hpp

// As they stood in the old fleet; of a training job that has not started, in which size.
struct PromiseBefore {
    Book::Promise promise;
    std::optional<job::TrainSize> size{};
};
using Promises = std::map<JobId, PromiseBefore>;

class Keeper;

struct SubmitMessage {
    std::vector<Submission> submissions;
    Reply<std::vector<Accepted>> reply;
};
struct CancelMessage {
    std::string reference;
    Reply<std::uint32_t> reply;
};
struct OperateMessage {
    Operation operation;
    Reply<std::string> reply;
};
struct EndMessage {
    exec::AttemptEnd end;
};
struct MovedMessage {
    exec::MoveEnd end;
};
// A question. It is answered after the commit, so it sees what its client was told before.
struct QueryMessage {
    std::function<void(Keeper&)> answer;
    std::function<void(const Error&)> refuse;
};
using Message = std::
    variant<SubmitMessage, CancelMessage, OperateMessage, EndMessage, MovedMessage, QueryMessage>;

// Answers a message without doing what it asks.
void refuse(const Message& message, const Error& error);

// For a reference that names no job.
Error unknown_job(const std::string& reference);

class Keeper {
public:
    using OnChange = std::function<void(const Change&)>;

    // Reads the journal, asks the executor about what should run, and begins a journal for the
    // fleet where there is none.
    static Result<std::unique_ptr<Keeper>> open(Options options,
                                                fleet::Fleet fleet,
                                                store::Store& store,
                                                exec::Executor& executor,
                                                OnChange on_change,
                                                Moment now);

    void turn(std::vector<Message> messages, Moment now);

    // Level-triggered: asks the executor about some of the running attempts, in turn, and acts on
    // what it hears, so that a report that got lost comes to nothing. Tries to recover where the
    // store failed.
    void housekeep(Moment now);

    // When the core, or a reservation that runs out, has something to do although nothing arrives:
    // how long from now; `forever` if nothing of the kind is known. Then wake() does it.
    [[nodiscard]] Duration wakes_in(Moment now);
    void wake(Moment now);

    // Answers to queries; for QueryMessage::answer, and for tests between two turns.
    Result<Members> job(const std::string& reference, const MemberQuery& query = {});
    Result<MemberCounts> counts(const std::string& reference);
    Result<std::vector<JobView>> jobs(const JobFilter& filter);
    Result<ExplainView> explain(const std::string& reference);
    [[nodiscard]] std::vector<PoolView> pools() const;
    [[nodiscard]] Status status() const;
    [[nodiscard]] std::vector<DatasetView> datasets() const;
    [[nodiscard]] std::vector<ReservationView> reservations() const;
    [[nodiscard]] std::vector<TenantView> tenants() const;
    [[nodiscard]] std::vector<KnownLoan> loans() const;
    // Of the month in which `at` lies; none: of this one.
    [[nodiscard]] Result<tenancy::Statement> statement(const std::string& tenant,
                                                       std::optional<Time> at) const;
    [[nodiscard]] Result<std::vector<PowerView>> power(const std::string& of) const;
    [[nodiscard]] const Book& book() const { return *book_; }
    // Set while the journal cannot be read back after a failed commit.
    [[nodiscard]] const std::optional<Error>& broken() const { return broken_; }

private:
    // What one turn does, gathered until the commit.
    struct Work;

    Keeper(Options options,
           fleet::Fleet fleet,
           store::Store& store,
           exec::Executor& executor,
           OnChange on_change);

    void advance(Moment now);
    void run(std::vector<Message> messages);
    // Commits and acts; or refuses everybody and recovers.
    void settle(Work& work);
    void record(Work& work, journal::Record record);
    void on(Work& work, SubmitMessage& message);
    void on(Work& work, CancelMessage& message);
    void on(Work& work, OperateMessage& message);
    Result<std::string> operate(Work& work, const MakeReservation& wish);
    Result<std::string> operate(Work& work, const EndReservation& wish);
    Result<std::string> operate(Work& work, const DrainNode& wish);
    Result<std::string> operate(Work& work, const RestoreNode& wish);
    Result<std::string> operate(Work& work, const SetPowerCap& wish);
    Result<std::string> operate(Work& work, const NoteCheckpoint& wish);
    Result<std::string> operate(Work& work, const OfferLoan& wish);
    Result<std::string> operate(Work& work, const MoveLoan& wish);
    void end_reservation(Work& work, AdvanceId id, const std::string& reason);
    void end_reservations_that_are_over(Work& work);
    void on(Work& work, EndMessage& message);
    void on(Work& work, MovedMessage& message);
    void on(Work& work, QueryMessage& message);
    Result<std::vector<Accepted>> submit(Work& work, const std::vector<Submission>& submissions);
    Result<std::optional<Accepted>> repeated(const Work& work, const Submission& submission);
    void ended(Work& work, const exec::AttemptEnd& end, bool refused);
    void start(exec::AttemptId attempt);
    void look_after(Work& work, JobId job);
    std::vector<journal::Output> outputs_of(const Job& job) const;

    void begin_moves(Work& work);
    void begin_moves(Work& work, const journal::Step& step);
    void move_datasets(const Work& work);
    void forget_datasets_not_kept(Work& work);
    void look_at_files(Work& work);
    bool cancel_who_reads_what_is_not_made(Work& work);
    void lose(Work& work, const std::string& dataset, const std::string& site);
    std::string move_trouble(const std::vector<std::string>& datasets) const;

    Result<void> check_currency() const;
    Result<void> check_tenants() const;
    bool catalogue_plans_otherwise() const;
    [[nodiscard]] bool lacks_place_or_right(const Job& job) const;
    void carry(Work& work, const Job& job, ForFleet carried, fleet::Placement placement);
    void compare_fleet();
    std::vector<JobId> without_a_place() const;
    bool settle_fleet(Work& work);
    // lending.cpp: loans that begin and are over by time.
    void watch_loans(Work& work);
    void move_loan(Work& work, journal::LoanMoved moved);
    void cancel_who_lost_its_right(Work& work);
    bool call_back_loans(Work& work);
    void judge_ended_loans(Work& work);
    void break_loan(Work& work,
                    const KnownLoan& known,
                    tenancy::LoanEvent event,
                    const std::string& reason);
    void change_fleet(Work& work);
    void carry_waiting(Work& work, const Job& job, bool same_tenants);
    std::string why_it_has_no_right(const Job& job,
                                    const sched::Request& request,
                                    const char* because = "the organisations have changed: ") const;
    void carry_promises(Work& work, const Promises& promises, const fleet::Fleet& old_fleet);
    [[nodiscard]] bool waits_for_change() const { return fleet_is_new_ && !in_the_way_.empty(); }
    std::optional<PendingChange> pending_change() const;
    void put_finished(Work& work);
    void decide(Work& work);
    Result<void> commit(Work& work);
    void act(Work& work);

    Result<void> recover();
    Result<void> reconcile();
    Result<JobView> load(JobId job);

    const Options options_;
    const fleet::Fleet fleet_;  // what discovery found; the book has the one in force
    const journal::Rates rates_;
    const journal::Domestic domestic_;
    store::Store& store_;
    exec::Executor& executor_;
    const OnChange on_change_;

    std::unique_ptr<Book> book_;
    BookClock clock_;
    Time now_{};  // what clock_ said last
    bool told_clock_ = false;
    Time started_at_{};
    std::uint64_t changes_heard_ = 0;  // listeners were told all up to this one
    JobId looked_after_{0};            // where the last housekeeping stopped
    bool decides_anew_ = false;        // the next pass is the first one since it came back
    std::optional<Error> broken_;
    std::optional<Error> read_only_;  // since a failed commit, until the next housekeeping
    bool fleet_is_new_ = false;       // fleet, policy or tenants are others than those in force
    std::vector<JobId> in_the_way_;   // of the new fleet; nothing starts while there are any
    bool look_who_is_in_the_way_ = false;
    std::map<exec::AttemptId, std::uint32_t> failed_starts_;  // tries, of attempts to try again
    std::vector<exec::AttemptEnd> given_up_;  // attempts that the executor will not take
    struct FailedMove {
        std::uint32_t tries = 0;
        Time again_at{};
        std::string problem;
    };
    std::map<Datasets::At, FailedMove> failed_moves_;

    std::uint64_t journal_entries_ = 0;
    std::uint64_t commits_ = 0;
    std::uint64_t commit_microseconds_ = 0;
};

}  // namespace weir::hub
