#include "weir/hub/keeper.hpp"

#include <algorithm>
#include <utility>

#include "weir/base/assert.hpp"
#include "weir/base/log.hpp"
#include "weir/exec/run_files.hpp"
#include "weir/hub/admission.hpp"
#include "weir/hub/houses.hpp"
#include "weir/hub/keeper_work.hpp"
#include "weir/hub/launching.hpp"
#include "weir/hub/power.hpp"
#include "weir/hub/verdict.hpp"
#include "weir/hub/views.hpp"
#include "weir/hub/wall_clock.hpp"

namespace weir::hub {
namespace {

// How often an attempt is offered to an executor that answers with an error, once at every
// housekeeping, before the attempt is given up. Its room stays taken meanwhile, so a machine that
// starts nothing (a full disk) does not devour the queue.
constexpr std::uint32_t start_tries_max = 6;

// Reading a journal of this many entries back takes a moment.
constexpr std::uint64_t long_journal_entries = 10'000;

// A clock that is behind by more than this is worth a line in the log.
constexpr Duration clock_step_told = seconds(60);

// Errors that another try will not change.
bool is_permanent(Code code) {
    return code == Code::invalid || code == Code::too_large || code == Code::unsupported ||
           code == Code::denied;
}

// The budget of an array is shared by its members alike.
std::optional<Money> budget_of_member(const job::JobSpec& spec) {
    std::optional<Money> budget = spec.budget;
    if (budget && spec.array)
        budget->micros /= static_cast<std::int64_t>(spec.array->indices.size());
    return budget;
}

// Who is stopped for others may save what it has done; who is cancelled wants it no more.
exec::Stop how_to_stop(const Job& job) {
    const job::JobSpec& spec = job.family->spec;
    exec::Stop how{.grace = spec.grace};
    if (job.is_stopped_for_others() && spec.checkpoint) {
        how.save_signal = spec.checkpoint->signal;
        how.save_time = spec.checkpoint->cost.count() > 0 ? spec.checkpoint->cost : spec.grace;
    }
    return how;
}

}  // namespace

void refuse(const Message& message, const Error& error) {
    if (const auto* submit = std::get_if<SubmitMessage>(&message)) {
        submit->reply(Result<std::vector<Accepted>>(fail(error)));
    } else if (const auto* cancel = std::get_if<CancelMessage>(&message)) {
        cancel->reply(Result<std::uint32_t>(fail(error)));
    } else if (const auto* operate = std::get_if<OperateMessage>(&message)) {
        operate->reply(Result<std::string>(fail(error)));
    } else if (const auto* query = std::get_if<QueryMessage>(&message)) {
        query->refuse(error);
    }
    // An end is not lost: the executor tells it again when it is asked, and a move is begun again.
}

Error unknown_job(const std::string& reference) {
    return {
        Code::not_found,
        "there is no job \"" + reference +
            "\"; give an id (12, or 12_3 for index 3 of array 12) or the name of a job that was "
            "submitted"};
}

Keeper::Keeper(Options options,
               fleet::Fleet fleet,
               store::Store& store,
               exec::Executor& executor,
               OnChange on_change)
    : options_(std::move(options)),
      fleet_(std::move(fleet)),
      rates_(rates_for(
          fleet_, options_.tenants.organisations, tenancy::rates_in(catalog_of(options_)))),
      domestic_(domestic_of(fleet_, options_.tenants.organisations, catalog_of(options_))),
      store_(store),
      executor_(executor),
      on_change_(std::move(on_change)) {}

Result<std::unique_ptr<Keeper>> Keeper::open(Options options,
                                             fleet::Fleet fleet,
                                             store::Store& store,
                                             exec::Executor& executor,
                                             OnChange on_change,
                                             Moment now) {
    WEIR_CHECK(check_fleet(fleet));
    std::unique_ptr<Keeper> keeper(
        new Keeper(std::move(options), std::move(fleet), store, executor, std::move(on_change)));
    keeper->now_ = keeper->clock_.read(now);
    keeper->started_at_ = now.wall;
    WEIR_CHECK(keeper->recover());
    keeper->advance(now);
    return keeper;
}

void Keeper::advance(Moment now) {
    now_ = clock_.read(now);
    if (clock_.ahead() > clock_step_told && !told_clock_) {
        log::warn("the clock says " + format_time(now.wall) + ", but the journal has come to " +
                  format_time(now_) +
                  ": the clock is or was wrong; until it has caught up, times in the journal are " +
                  format_duration(clock_.ahead()) + " ahead of it");
    }
    told_clock_ = clock_.ahead() > clock_step_told;
}

// --------------------------------------------------------------------------------- a turn

void Keeper::turn(std::vector<Message> messages, Moment now) {
    advance(now);
    if (broken_) {
        for (const Message& message : messages)
            refuse(message, *broken_);
        return;
    }
    if (read_only_) {
        const auto changing =
            std::stable_partition(messages.begin(), messages.end(), [](const Message& message) {
                return std::holds_alternative<QueryMessage>(message);
            });
        for (auto message = changing; message != messages.end(); ++message) {
            refuse(*message, *read_only_);
        }
        messages.erase(changing, messages.end());
    }
    run(std::move(messages));
    // An attempt that is given up has ended before it began, and may make room for others.
    while (!given_up_.empty() && !broken_)
        run({});
}

void Keeper::run(std::vector<Message> messages) {
    Work work;
    for (const exec::AttemptEnd& end : std::exchange(given_up_, {}))
        ended(work, end, true);
    for (Message& message : messages) {
        std::visit([&](auto& what) { on(work, what); }, message);
    }
    settle(work);
}

void Keeper::settle(Work& work) {
    const auto committed = commit(work);
    if (committed) {
        act(work);
        return;
    }
    const Error error{
        Code::unavailable,
        "the journal could not be written, so nothing was accepted; try again later: " +
            committed.error().message};
    log::error(error.message);
    for (const Work::Answer& answer : work.answers)
        answer.refuse(error);
    // The store may have kept the batch after all, and the book knows what the disk may not: only
    // the journal says what is true.
    const auto recovered = recover();
    if (journal_entries_ > long_journal_entries) read_only_ = error;
    for (const QueryMessage& question : work.questions) {
        if (recovered) {
            question.answer(*this);
        } else {
            question.refuse(recovered.error());
        }
    }
}

// Puts a record into the book and into the batch. A live record is right by construction.
void Keeper::record(Work& work, journal::Record record) {
    work.batch.entries.push_back(journal::encode(record, now_));
    const auto applied = book_->apply(record, now_);
    if (!applied) log::error(applied.error().message);
    WEIR_ASSERT(applied.has_value());
    work.engine_heard = work.engine_heard || !std::holds_alternative<journal::StopAsked>(record);
}

// Final jobs leave memory for their documents.
void Keeper::put_finished(Work& work) {
    for (const JobId job : book_->take_finished()) {
        work.batch.documents.push_back(
            document_of(view_of(*book_->find(job), *book_, options_.data_dir)));
        book_->release(job);
    }
}

void Keeper::decide(Work& work) {
    auto decided = book_->decide(now_, std::exchange(decides_anew_, false));
    WEIR_ASSERT(decided.has_value());  // a live pass is right by construction
    const journal::Step& step = *decided;
    for (const journal::Started& start : step.starts)
        work.starts.push_back(start.attempt);
    for (const journal::Preempted& stop : step.preempted)
        work.stops.push_back({stop.job, book_->find(stop.job)->attempts.back().number});
    for (const journal::OverPower& over : step.over_power)
        log::warn(sentence_of(over, *book_));
    for (const Book::BrokenPromise& broken : book_->take_broken_promises())
        log::warn(sentence_of(broken, *book_));
    begin_moves(work, step);
    work.batch.entries.push_back(journal::encode(step, now_));
}

Result<void> Keeper::commit(Work& work) {
    const bool is_settled = settle_fleet(work);
    if (is_settled) {
        watch_loans(work);
        cancel_who_lost_its_right(work);
    }
    bool changed = cancel_who_reads_what_is_not_made(work) || work.engine_heard;
    while (is_settled && changed) {
        decide(work);
        const bool called_back = call_back_loans(work);
        changed = cancel_who_reads_what_is_not_made(work) || called_back;
    }
    judge_ended_loans(work);
    put_finished(work);
    if (work.batch.entries.empty() && work.batch.documents.empty()) return {};

    const std::int64_t before = monotonic_microseconds();
    const auto appended = store_.append(work.batch);
    if (!appended) return fail(appended.error());
    ++commits_;
    commit_microseconds_ += static_cast<std::uint64_t>(monotonic_microseconds() - before);
    journal_entries_ += work.batch.entries.size();
    return {};
}

// After the commit: what was promised may be said, what was decided may be done.
void Keeper::act(Work& work) {
    for (const Work::Answer& answer : work.answers)
        answer.give();
    for (const Change& change : book_->take_changes()) {
        changes_heard_ = change.sequence;
        if (on_change_) on_change_(change);
    }
    for (const exec::AttemptId attempt : work.forgets)
        executor_.forget(attempt);
    for (const exec::AttemptId attempt : work.stops) {
        const Job* job = book_->find(attempt.job);
        if (job == nullptr || !job->runs() || job->attempts.back().number != attempt.number) {
            continue;
        }
        if (const auto asked = executor_.stop(attempt, how_to_stop(*job)); !asked) {
            log::warn("stopping attempt " + exec::text_of(attempt) +
                      " failed and is tried again: " + asked.error().message);
        }
    }
    for (const exec::AttemptId attempt : work.starts)
        start(attempt);
    move_datasets(work);
    for (const QueryMessage& question : work.questions)
        question.answer(*this);
}

void Keeper::start(exec::AttemptId attempt) {
    const Job* job = book_->find(attempt.job);
    if (job == nullptr || job->state != JobState::running ||
        job->attempts.back().number != attempt.number) {
        return;
    }
    const exec::Launch launch = launch_of(
        *job, job->attempts.back(), book_->everybody(), book_->engine().fleet(), options_);
    const auto started = executor_.start(launch);
    if (started) {
        failed_starts_.erase(attempt);
        return;
    }
    const std::uint32_t tries = ++failed_starts_[attempt];
    const bool last = is_permanent(started.error().code) || tries >= start_tries_max;
    log::error("attempt " + exec::text_of(attempt) + " could not be started" +
               (last ? "" : ", which is tried again") + ": " + started.error().message);
    // Only what left no trace may be given up; of anything else the executor has more to tell.
    if (!last || executor_.find(attempt).presence != exec::Presence::never_started) return;
    failed_starts_.erase(attempt);
    exec::AttemptEnd end;
    end.attempt = attempt;
    end.kind = exec::EndKind::not_started;
    end.detail = started.error().message;
    end.started_at = now_;
    end.ended_at = now_;
    given_up_.push_back(std::move(end));
}

// ------------------------------------------------------------------------------- messages

void Keeper::on(Work& work, SubmitMessage& message) {
    work.answer(message.reply, submit(work, message.submissions));
}

// An earlier submission with this key: its answer again, or a conflict.
Result<std::optional<Accepted>> Keeper::repeated(const Work& work, const Submission& submission) {
    if (submission.key.empty()) return std::optional<Accepted>{};
    const std::string id = key_id(owner_of(submission), submission.key);
    KeyedSubmission known;
    if (const auto now = work.keys.find(id); now != work.keys.end()) {
        known = now->second;
    } else {
        WEIR_TRY(const auto document, store_.find(key_collection, id));
        if (!document) return std::optional<Accepted>{};
        WEIR_TRY(known, keyed_submission_of(*document));
    }
    if (known.body_digest != submission.body_digest) {
        return fail(Code::conflict,
                    "the key \"" + submission.key + "\" stands for job " +
                        std::to_string(known.first.value) +
                        ", which was submitted with other content; use another key, or send "
                        "exactly the same again");
    }
    return std::optional<Accepted>{Accepted{.first = known.first,
                                            .count = known.count,
                                            .id = std::to_string(known.first.value),
                                            .repeated = true,
                                            .notes = {}}};
}

// In two passes: nothing is applied before everything is admitted.
Result<std::vector<Accepted>> Keeper::submit(Work& work,
                                             const std::vector<Submission>& submissions) {
    std::vector<Accepted> answers;
    std::vector<std::pair<std::size_t, Admitted>> admitted;  // with the place of its answer
    std::vector<std::string> new_keys;
    Admission admission(*book_, catalog_of(options_), options_.default_limit, now_);
    admission.with(options_.mover.get());
    const auto forget_keys = [&] {
        for (const std::string& key : new_keys)
            work.keys.erase(key);
    };
    for (const Submission& submission : submissions) {
        auto earlier = repeated(work, submission);
        if (!earlier) {
            forget_keys();
            return fail(earlier.error());
        }
        if (earlier->has_value()) {
            answers.push_back(**std::move(earlier));
            continue;
        }
        auto next = admission.admit(submission);
        if (!next) {
            forget_keys();
            return fail(next.error());
        }
        const journal::Submitted& submitted = next->submitted;
        const JobId first = submitted.request.job;
        if (!submission.key.empty()) {
            const std::string id = key_id(owner_of(submission), submission.key);
            work.keys[id] = {
                .first = first, .count = submitted.count, .body_digest = submission.body_digest};
            new_keys.push_back(id);
        }
        answers.push_back({.first = first,
                           .count = submitted.count,
                           .id = std::to_string(first.value),
                           .repeated = false,
                           .notes = next->notes});
        admitted.emplace_back(answers.size() - 1, std::move(next).value());
    }
    for (auto& [place, job] : admitted) {
        const JobId first = job.submitted.request.job;
        record(work, journal::SpecGiven{std::move(job.spec_text)});
        record(work, std::move(job.submitted));
        book_->set_spec(first, std::move(job.spec));
        if (!job.failed_dependency.valid()) continue;
        const std::string reason = book_->dependency_failed(job.failed_dependency);
        for (const JobId member : members_of(book_->everybody(), first)) {
            record(work, journal::Cancelled{member, reason});
        }
    }
    for (const std::string& key : new_keys) {
        work.batch.documents.push_back(document_of(key, work.keys.at(key)));
    }
    return answers;
}

void Keeper::on(Work& work, CancelMessage& message) {
    const std::vector<JobId> jobs = book_->everybody().find(message.reference);
    if (jobs.empty()) {
        work.answer(message.reply, Result<std::uint32_t>(fail(unknown_job(message.reference))));
        return;
    }
    std::uint32_t alive = 0;
    for (const JobId id : jobs) {
        const Job* job = book_->find(id);
        if (job == nullptr || is_final(job->state)) continue;
        ++alive;
        if (job->waits()) {
            record(work, journal::Cancelled{id, "cancelled while it waited"});
        } else {
            if (job->state == JobState::running || job->is_stopped_for_others()) {
                record(work, journal::StopAsked{id});
            }
            work.stops.push_back({id, job->attempts.back().number});
        }
    }
    work.answer(message.reply, Result<std::uint32_t>(alive));
}

void Keeper::on(Work& work, EndMessage& message) {
    ended(work, message.end, false);
}

// What the job was to make, where it ran.
std::vector<journal::Output> Keeper::outputs_of(const Job& job) const {
    const job::JobSpec& spec = job.family->spec;
    if (spec.data_out.empty()) return {};
    const Attempt& attempt = job.attempts.back();
    const std::string workdir =
        workdir_of(spec, exec::run_folder(options_.data_dir, {job.id, attempt.number}));
    const std::string& site =
        book_->engine().fleet().pool(attempt.placement.ranges.at(0).pool).site;
    std::vector<journal::Output> outputs;
    for (const job::DataOut& out : spec.data_out) {
        outputs.push_back({.dataset = out.dataset,
                           .path = workdir + "/" + out.path,
                           .site = site,
                           .keep = out.keep.value_or(forever)});
    }
    return outputs;
}

void Keeper::on(Work& work, QueryMessage& message) {
    work.questions.push_back(std::move(message));
}

// Reports come late, twice, and of attempts that are long over; only the end of the attempt that
// runs says anything new.
void Keeper::ended(Work& work, const exec::AttemptEnd& end, bool refused) {
    const Job* job = book_->find(end.attempt.job);
    work.forgets.push_back(end.attempt);
    if (job == nullptr || !job->runs() || job->attempts.back().number != end.attempt.number) {
        log::debug("the end of attempt " + exec::text_of(end.attempt) +
                   " was reported again or late; ignored");
        return;
    }
    look_who_is_in_the_way_ = true;
    const auto earlier =
        std::count_if(job->attempts.begin(), job->attempts.end() - 1, [](const Attempt& attempt) {
            return attempt.stopped_for.empty();
        });
    Verdict verdict =
        verdict_of(end,
                   {.stop_asked = job->state == JobState::stopping && !job->is_stopped_for_others(),
                    .refused = refused,
                    .retries = job->family->spec.retries,
                    .tries = static_cast<std::uint32_t>(earlier) + 1,
                    .stopped_for = job->attempts.back().stopped_for});
    std::vector<journal::Output> outputs;
    if (verdict.state == JobState::succeeded) outputs = outputs_of(*job);
    for (const journal::Output& output : outputs) {
        if (!options_.mover || options_.mover->is_made(output.path)) continue;
        verdict = {.outcome = sched::Outcome::failed,
                   .state = JobState::failed,
                   .requeue = false,
                   .reason = "it ended well, but there is no file or folder at " + output.path +
                             ", which was to become the dataset " + output.dataset};
        outputs.clear();
        break;
    }
    for (const journal::Output& output : outputs)
        work.moves.push_back({output.dataset, output.site, "", output.path});
    record(work,
           journal::Ended{.end = end,
                          .outcome = verdict.outcome,
                          .requeue = verdict.requeue,
                          .state = verdict.state,
                          .reason = std::move(verdict.reason),
                          .outputs = std::move(outputs)});
    if (!verdict.requeue) return;
    // It was accepted under other organisations.
    if (std::string why = why_it_has_no_right(*job, job->family->request); !why.empty()) {
        record(work, journal::Cancelled{job->id, std::move(why)});
        return;
    }
    const auto again = book_->accounts().may_repeat(
        job->id, job->family->request, now_, budget_of_member(job->family->spec));
    if (again) return;
    record(work, journal::Cancelled{job->id, "no further attempt: " + again.error().message});
}

}  // namespace weir::hub
