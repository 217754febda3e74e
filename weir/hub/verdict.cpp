#include "weir/hub/verdict.hpp"

#include <string.h>

namespace weir::hub {
namespace {

std::string signal_in_words(int number) {
    const char* name = sigabbrev_np(number);
    std::string text = "signal " + std::to_string(number);
    if (name != nullptr) text += std::string(" (SIG") + name + ")";
    return text;
}

// "exit status 3 (rank 2): detail"
std::string how_it_ended(const exec::AttemptEnd& end) {
    std::string text;
    if (end.signal != 0) {
        text = "ended by " + signal_in_words(end.signal);
    } else {
        text = "exit status " + std::to_string(end.exit_code);
    }
    if (end.rank != 0) text += " of rank " + std::to_string(end.rank);
    if (!end.detail.empty()) text += ": " + end.detail;
    return text;
}

std::string with_detail(std::string text, const exec::AttemptEnd& end) {
    if (!end.detail.empty()) text += ": " + end.detail;
    return text;
}

}  // namespace

Verdict verdict_of(const exec::AttemptEnd& end, const Circumstances& circumstances) {
    using sched::Outcome;
    if (circumstances.stop_asked) {
        return {.outcome = Outcome::cancelled,
                .state = JobState::cancelled,
                .requeue = false,
                .reason = end.kind == exec::EndKind::lost
                              ? with_detail("cancelled while it ran; then it was lost", end)
                              : "cancelled while it ran"};
    }
    const bool stopped = end.kind == exec::EndKind::stopped || end.kind == exec::EndKind::lost;
    if (!circumstances.stopped_for.empty() && stopped) {
        return {.outcome = Outcome::cancelled,
                .state = JobState::pending,
                .requeue = true,
                .reason = circumstances.stopped_for};
    }
    const bool not_begun =
        circumstances.refused || (end.kind == exec::EndKind::not_started && end.machine_failed);
    const bool infrastructure = end.kind == exec::EndKind::lost || not_begun;
    if (infrastructure && circumstances.tries <= circumstances.retries) {
        return {.outcome = Outcome::lost,
                .state = JobState::pending,
                .requeue = true,
                .reason = with_detail("attempt " + std::to_string(end.attempt.number) +
                                          (not_begun ? " could not be started" : " was lost"),
                                      end)};
    }
    switch (end.kind) {
        case exec::EndKind::exited:
            if (end.succeeded()) return {};
            return {.outcome = Outcome::failed,
                    .state = JobState::failed,
                    .requeue = false,
                    .reason = how_it_ended(end)};
        case exec::EndKind::time_limit:
            return {.outcome = Outcome::failed,
                    .state = JobState::time_limit,
                    .requeue = false,
                    .reason = with_detail("its time limit was reached", end)};
        case exec::EndKind::memory:
            return {.outcome = Outcome::failed,
                    .state = JobState::failed,
                    .requeue = false,
                    .reason = with_detail("its memory limit was reached", end)};
        case exec::EndKind::not_started:
            return {.outcome = Outcome::failed,
                    .state = JobState::failed,
                    .requeue = false,
                    .reason = with_detail("could not be started", end)};
        case exec::EndKind::stopped:
            // Nobody asked the hub: an operator stopped it at the executor.
            return {.outcome = Outcome::cancelled,
                    .state = JobState::cancelled,
                    .requeue = false,
                    .reason = with_detail("stopped from outside", end)};
        case exec::EndKind::lost:
            return {.outcome = Outcome::lost,
                    .state = JobState::lost,
                    .requeue = false,
                    .reason = with_detail("it was lost; how it ended is not known", end)};
    }
    return {};
}

bool satisfies(JobState ended, sched::Needs needs) {
    switch (ended) {
        case JobState::succeeded:
            return sched::satisfies(sched::Outcome::succeeded, needs);
        case JobState::failed:
        case JobState::time_limit:
            return sched::satisfies(sched::Outcome::failed, needs);
        case JobState::cancelled:
            return sched::satisfies(sched::Outcome::cancelled, needs);
        case JobState::lost:
            return sched::satisfies(sched::Outcome::lost, needs);
        case JobState::held:
        case JobState::pending:
        case JobState::running:
        case JobState::stopping:
            return false;
    }
    return false;
}

}  // namespace weir::hub
