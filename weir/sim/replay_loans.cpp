// Loans in a replay: agreed on when it begins, asked again when each of them is to begin, called
// back where the options say so, and over by their time.
#include <fmt/format.h>

#include <algorithm>

#include "weir/sim/replay.hpp"

namespace weir::sim {

using sched::LoanTerm;

Time Replay::Lending::next() const {
    if (state == State::over) return never;
    return std::min(loan.recalled_at, state == State::agreed ? loan.term.from : loan.term.until);
}

// Nobody waits yet, so one that lasts from now on is recoverable.
void Replay::agree_on_loans(Time now) {
    for (const LentQuota& loan : options_.loans) {
        loans_.push_back({loan, Lending::State::agreed});
        if (loan.term.from <= now) come_into(loans_.back(), Lending::State::lasts, now);
        loans_.back().loan.recalled_at = std::max(loan.recalled_at, now);
        if (log_) log_->lent(loan.term, loan.notice, now);
        apply(sched::LoanChanged{loan.term}, now);
    }
    if (!loans_.empty()) wakes_at_ = engine_.wakes_at();
}

// While it lasts the waterfall counts by its rights.
void Replay::come_into(Lending& lending, Lending::State state, Time now) {
    const LoanTerm& term = lending.loan.term;
    const bool lasted = lending.state == Lending::State::lasts;
    if (state == Lending::State::lasts) {
        waterfall_.lend(term.lender, term.borrower, term.amounts, now);
    } else if (lasted) {
        waterfall_.lend(term.borrower, term.lender, term.amounts, now);
    }
    lending.state = state;
}

std::vector<LoanTerm> Replay::terms_in_force() const {
    std::vector<LoanTerm> terms;
    for (const Lending& each : loans_)
        if (each.state == Lending::State::lasts) terms.push_back(each.loan.term);
    return terms;
}

std::vector<sched::JobSeen> Replay::jobs_seen() const {
    std::vector<sched::JobSeen> jobs;
    for (const JobRun& run : runs_) {
        if (run.index == no_slot) continue;
        jobs.push_back({.job = JobId{run.index},
                        .tenant = run.account.house,
                        .demand = run.demand,
                        .placement = engine_.placement(JobId{run.index}),
                        .stopping = run.stopping,
                        .ready = reads(job(run.index)).empty(),
                        .promised = run.promised,
                        .started = run.attempt_began});
    }
    std::sort(jobs.begin(), jobs.end(), [](const auto& a, const auto& b) { return a.job < b.job; });
    return jobs;
}

void Replay::end_loan(Lending& lending, audit::LoanEnd how, const std::string& why, Time now) {
    const LoanTerm& term = lending.loan.term;
    const auto& organisations = options_.organisations;
    notes_.push_back(fmt::format("the loan from {} to {} that was to {} {} is {}: {}",
                                 organisations.tenant(term.lender).path,
                                 organisations.tenant(term.borrower).path,
                                 how == audit::LoanEnd::refused ? "begin" : "be back",
                                 format_time(trace_.zero_utc.value_or(Time{}) + (now - Time{})),
                                 name_of(how),
                                 why));
    if (log_) log_->loan_ended(term.loan, how, now);
}

void Replay::call_back(Lending& lending, Time now) {
    LoanTerm& term = lending.loan.term;
    term.recalled = true;
    term.until = now + lending.loan.notice;
    if (log_) log_->called_back(term, now);
    const bool never_begins = lending.state == Lending::State::agreed && term.until <= term.from;
    if (never_begins) come_into(lending, Lending::State::over, now);
    LoanTerm told = term;
    if (never_begins) told.from = told.until = now;
    apply(sched::LoanChanged{told}, now);
}

void Replay::loans_come_to(Time now) {
    loans_over_.clear();
    std::vector<std::size_t> begin;
    for (std::size_t i = 0; i < loans_.size(); ++i) {
        Lending& each = loans_[i];
        LoanTerm& term = each.loan.term;
        if (each.next() > now) continue;
        if (each.loan.recalled_at <= now) {
            each.loan.recalled_at = never;
            if (!term.recalled && now + each.loan.notice < term.until) call_back(each, now);
        }
        if (each.state == Lending::State::agreed && term.from <= now) {
            come_into(each, Lending::State::lasts, now);
            begin.push_back(i);
        } else if (each.state == Lending::State::lasts && term.until <= now) {
            come_into(each, Lending::State::over, now);
            loans_over_.push_back(i);
        }
    }
    // What is refused moves quota back, so whoever passed before it is asked again.
    for (bool again = !begin.empty(); again;) {
        again = false;
        for (const std::size_t i : begin) {
            Lending& each = loans_[i];
            if (each.state == Lending::State::over) continue;
            const auto may =
                sched::can_begin(engine_, each.loan.term, terms_in_force(), jobs_seen());
            if (may) continue;
            come_into(each, Lending::State::over, now);
            end_loan(each, audit::LoanEnd::refused, may.error().message, now);
            LoanTerm told = each.loan.term;
            told.from = told.until = now;
            apply(sched::LoanChanged{told}, now);
            again = true;
        }
    }
}

// When everything of the instant is decided. What is called back may lead to other decisions.
void Replay::settle_loans(Time now) {
    while (call_back_loans(now))
        decide(now);
    judge_ended_loans(now);
}

bool Replay::call_back_loans(Time now) {
    const auto may_be = [&](const Lending& each) {
        const Time back = now + each.loan.notice;
        return each.state == Lending::State::lasts && !each.loan.term.recalled &&
               back < each.loan.term.until &&
               std::any_of(runs_.begin(), runs_.end(), [&](const JobRun& run) {
                   return run.index != no_slot && !run.runs && run.promised > back &&
                          engine_.quotas().is_inside(run.account.house, each.loan.term.lender);
               });
    };
    if (std::none_of(loans_.begin(), loans_.end(), may_be)) return false;
    std::vector<sched::LastingLoan> lasting;
    for (const Lending& each : loans_)
        if (each.state == Lending::State::lasts)
            lasting.push_back({each.loan.term, each.loan.notice});
    const auto called = sched::stand_in_the_way(engine_, lasting, jobs_seen(), now);
    for (Lending& each : loans_) {
        const LoanTerm& term = each.loan.term;
        if (std::find(called.begin(), called.end(), term.loan) == called.end()) continue;
        const std::string& lender = options_.organisations.tenant(term.lender).path;
        notes_.push_back(fmt::format(
            "the loan from {} to {} is called back at {}: it kept {} from gangs that wait",
            lender,
            options_.organisations.tenant(term.borrower).path,
            format_time(trace_.zero_utc.value_or(Time{}) + (now - Time{})),
            lender));
        call_back(each, now);
    }
    return !called.empty();
}

void Replay::judge_ended_loans(Time now) {
    while (!stopped_.empty() && stopped_.front() + seconds(3600) <= now)
        stopped_.pop_front();
    const auto rules = sched::StopRules::of(options_.policy, stopped_.size(), now);
    for (const std::size_t i : loans_over_) {
        Lending& each = loans_[i];
        const auto back =
            sched::are_back(engine_, each.loan.term, terms_in_force(), jobs_seen(), rules);
        if (!back) end_loan(each, audit::LoanEnd::defaulted, back.error().message, now);
    }
    loans_over_.clear();
}

// Those that counted on a loan which is over, and will never have the right again; and those whose
// data never came together, for nobody is left who would move it or make room for it.
void Replay::leave_who_waits(Time now) {
    for (std::uint32_t index = 0; index < next_; ++index) {
        if (slots_[index] == no_slot || run_of(index).runs) continue;
        const JobId job{index};
        const bool without_data = engine_.phase(job) == sched::Phase::held;
        if (!without_data && loans_.empty()) continue;
        if (without_data) ++tally_.without_data;
        tell(sched::JobCancelled{job}, now);
        carry_out(sched::Drop{job}, now);
    }
}

}  // namespace weir::sim
