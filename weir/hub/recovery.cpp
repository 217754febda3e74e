// The Keeper's way back: from the journal to the state it describes, and from there to what the
// executor says is true. After a crash, after a failed commit, and a little of it every few
// seconds.
//
// For every attempt that the journal says is running there are four answers. never_started: the
// hub died between the commit and the call, and the same attempt is started now, under the same
// number. running: it is adopted. ended: that is its end. lost: it was started, its keeper is gone,
// and nobody knows how it ended; only then may another attempt follow.
#include <algorithm>
#include <limits>

#include "weir/base/log.hpp"
#include "weir/hub/admission.hpp"
#include "weir/hub/keeper.hpp"
#include "weir/hub/keeper_work.hpp"
#include "weir/hub/replay.hpp"
#include "weir/hub/verdict.hpp"

namespace weir::hub {
namespace {

// How many attempts one housekeeping asks about: enough to see thousands within minutes, few
// enough not to hold up a turn.
constexpr std::size_t looked_after_max = 64;

}  // namespace

Result<void> Keeper::recover() {
    const bool first_time = book_ == nullptr;
    const auto give_up = [this](const Error& error) {
        broken_ = Error{Code::unavailable, error.message};
        return fail(error);
    };
    auto fresh = std::make_unique<Book>();
    fresh->mute_until(first_time ? std::numeric_limits<std::uint64_t>::max() : changes_heard_);
    const auto report = follow_into(*fresh, store_);
    if (!report) return give_up(report.error());
    if (const auto parsed = fresh->parse_specs(); !parsed) return give_up(parsed.error());
    if (first_time) changes_heard_ = fresh->changes_so_far();
    fresh->mute_until(changes_heard_);
    book_ = std::move(fresh);
    journal_entries_ = report->entries;
    decides_anew_ = report->steps > 0;
    now_ = clock_.not_before(report->last);
    failed_starts_.clear();
    given_up_.clear();
    failed_moves_.clear();
    broken_.reset();
    if (const auto checked = check_currency(); !checked) return fail(checked.error());
    compare_fleet();
    if (const auto checked = check_tenants(); !checked) return fail(checked.error());
    if (const auto reconciled = reconcile(); !reconciled) return give_up(reconciled.error());
    if (report->entries > 0) {
        log::info("the journal was read: " + std::to_string(report->entries) + " entries, " +
                  std::to_string(report->jobs) + " jobs, " +
                  std::to_string(book_->running().size()) + " running");
    }
    return {};
}

Result<void> Keeper::reconcile() {
    Work work;
    const std::vector<JobId> running(book_->running().begin(), book_->running().end());
    for (const JobId job : running)
        look_after(work, job);
    if (!fleet_is_new_) look_at_files(work);
    begin_moves(work);
    WEIR_CHECK(commit(work));
    act(work);
    if (const auto pending = pending_change()) log::warn(pending->sentence);
    return {};
}

void Keeper::look_after(Work& work, JobId id) {
    const Job& job = *book_->find(id);
    const exec::AttemptId attempt{id, job.attempts.back().number};
    const exec::Found found = executor_.find(attempt);
    exec::AttemptEnd end;
    end.attempt = attempt;
    end.started_at = job.attempts.back().started_at;
    end.ended_at = now_;
    switch (found.presence) {
        case exec::Presence::running:
            if (job.state == JobState::stopping) work.stops.push_back(attempt);
            return;
        case exec::Presence::never_started:
            if (job.state == JobState::running) {
                work.starts.push_back(attempt);
                return;
            }
            end.kind = exec::EndKind::stopped;
            end.detail = "it was stopped before it was started";
            end.started_at = now_;
            break;
        case exec::Presence::ended:
            end = found.end;
            end.attempt = attempt;
            break;
        case exec::Presence::lost:
            end.kind = exec::EndKind::lost;
            end.detail = found.end.detail;
            break;
    }
    ended(work, end, false);
}

void Keeper::housekeep(Moment now) {
    advance(now);
    read_only_.reset();
    if (broken_) {
        if (const auto recovered = recover(); !recovered) log::error(recovered.error().message);
        return;
    }
    std::vector<JobId> looked_after;
    for (auto next = book_->running().upper_bound(looked_after_);
         next != book_->running().end() && looked_after.size() < looked_after_max;
         ++next) {
        looked_after.push_back(*next);
    }
    looked_after_ = looked_after.size() < looked_after_max ? JobId{0} : looked_after.back();
    Work work;
    for (const JobId job : looked_after)
        look_after(work, job);
    end_reservations_that_are_over(work);
    forget_datasets_not_kept(work);
    begin_moves(work);
    settle(work);
    while (!given_up_.empty() && !broken_)
        run({});
}

}  // namespace weir::hub
