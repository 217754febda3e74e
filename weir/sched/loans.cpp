// Rights that begin and end: what loans mean for those who wait, who are promised a start, and who
// run. The rights themselves are in quotas_in_time.cpp.
#include <algorithm>

#include "weir/sched/engine_state.hpp"
#include "weir/tenancy/loan.hpp"

namespace weir::sched {

LoanTerm term_of(const tenancy::Loan& loan, Time now) {
    const auto span = tenancy::availability(loan);
    return {.loan = loan.id.value,
            .lender = loan.contract.lender,
            .borrower = loan.contract.borrower,
            .amounts = loan.contract.amounts,
            .from = span ? span->begins : now,
            .until = span ? span->ends : now,
            .recalled = loan.state == tenancy::LoanState::recalling};
}

void Engine::State::on(const LoanChanged& event) {
    WEIR_ASSERT(quotas.any());
    quotas.set_term(event.term);
    loans_come_to(told_at);
}

void Engine::State::loans_come_to(Time now) {
    std::vector<PoolId> pools = quotas.pools_on_loan();
    rebuild_rights(now);
    rights_changed = true;
    for (const PoolId pool : pools)
        gained(pool);
    // Whoever tried in vain to have others stopped may have another right now.
    for (const auto& [rank, slot] : promised) {
        jobs.at(slot).reclaim_at = Time::min();
        grade_anew(slot);
    }
}

void Engine::State::grade_anew(std::uint32_t slot) {
    Job& job = jobs.at(slot);
    const std::uint32_t grade = grade_by_rights(job);
    for_pools_of(job.promise.placement, [&](PoolId pool) {
        --promises_of_pool[pool.value * grades + job.grade];
        ++promises_of_pool[pool.value * grades + grade];
    });
    job.grade = static_cast<std::uint8_t>(grade);
}

void Engine::State::rebuild_rights(Time now) {
    std::vector<Quotas::Held> held;
    held.reserve(running.slots().size() + promised.size());
    for (const std::uint32_t slot : running.slots())
        if (const auto its = held_by(jobs.at(slot))) held.push_back(*its);
    for (const auto& [rank, slot] : promised)
        if (const auto its = held_by(jobs.at(slot))) held.push_back(*its);
    quotas.rebuild(held, now);
}

std::optional<Quotas::Held> Engine::State::held_by(const Job& job) const {
    if (job.charged == Job::not_charged) return std::nullopt;
    return Quotas::Held{
        job.tenant, &shapes[job.shape].kinds.charges[job.charged], job.charged_until};
}

// The last in the queue goes first: what it leaves may do for those before it.
void Engine::State::withdraw_unfounded(std::vector<Decision>& decisions) {
    rights_changed = false;
    std::vector<std::uint32_t> slots;
    for (auto each = promised.rbegin(); each != promised.rend(); ++each)
        slots.push_back(each->second);
    for (const std::uint32_t slot : slots) {
        Job& job = jobs.at(slot);
        const auto own = held_by(job);
        const Quotas::Run run{std::max(job.promise.at, told_at), job.promise.until};
        if (!own || quotas.may_keep(job.tenant, *own->charges, run, *own)) continue;
        withdraw(slot);
        if (job.phase == Phase::pending) make_eligible(slot);
        job.tried_at = 0;
        note_promise(job.id, never);
        announce(decisions, {Reserve{job.id, never, {}}, {.cause = Cause::on_loan}});
    }
}

Engine::State::Chance Engine::State::first_chance(const Job& job) const {
    if (const KindSet now = allowed_for(job); now != 0) return {told_at, now};
    // Only what it will own: to promise somebody what others leave idle, it has to be idle now.
    const Ownership later = ownership_of(job);
    return {later.from, later.kinds};
}

Engine::State::Ownership Engine::State::ownership_of(const Job& job) const {
    const ShapeKinds& kinds = shapes[job.shape].kinds;
    const auto own = held_by(job);
    const auto owned_from = [&](Time from) {
        const Quotas::Held* const held = own ? &*own : nullptr;
        KindSet set = quotas.owned(job.tenant, kinds, run_of(job, from), held);
        if (set != 0 && from > told_at) set &= quotas.owned_then(job.tenant, kinds, from, held);
        return set;
    };
    if (const KindSet now = owned_from(told_at); now != 0) return {told_at, now};
    if (quotas.is_steady(job.tenant, kinds)) return {never, 0};
    for (const Time from : quotas.borders(job.limit, told_at))
        if (const KindSet then = owned_from(from); then != 0) return {from, then};
    return {never, 0};
}

Place Engine::State::earliest_by_rights(const Job& job,
                                        Time from,
                                        const Plan::Own& own,
                                        const std::function<bool(PoolId)>& is_wanted,
                                        Time not_after) {
    if (!quotas.lends()) {
        const KindSet allowed = allowed_for(job);
        if (allowed == 0) return {};
        return plan.earliest(
            shape_in(job.shape, allowed), from, job.limit, own, is_wanted, not_after);
    }
    // Between two borders its rights are the same for every start.
    std::vector<Time> borders = quotas.borders(job.limit, from);
    if (job.promise.found() && job.promise.at > from) {
        borders.push_back(job.promise.at);
        std::sort(borders.begin(), borders.end());
    }
    borders.push_back(never);
    const bool has_right_now = allowed_for(job) != 0 || job.promise.found();
    const Time owns_from = has_right_now ? Time::min() : ownership_of(job).from;
    Time begin = from;
    for (const Time end : borders) {
        if (begin > not_after) break;
        const KindSet allowed = begin < owns_from ? 0 : allowed_for(job, begin);
        const Time last = end == never ? not_after : std::min(not_after, end - Duration{1});
        if (allowed != 0 && begin <= last) {
            Place place =
                plan.earliest(shape_in(job.shape, allowed), begin, job.limit, own, is_wanted, last);
            if (place.found()) return place;
        }
        begin = end;
    }
    return {};
}

std::string Engine::State::loan_in_its_way(const Job& job) const {
    if (!quotas.lends()) return "";
    const ShapeKinds& kinds = shapes[job.shape].kinds;
    const Quotas::Run run = run_of(job, told_at);
    const auto own = held_by(job);
    if (quotas.allowed(job.tenant, kinds, run, own ? &*own : nullptr) != 0) return "";
    return quotas.loan_in_words(job.tenant, kinds, run.until);
}

}  // namespace weir::sched
