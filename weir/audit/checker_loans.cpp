// What loans mean for how a run is judged: rights that begin and end, and whether lenders can have
// back what they lend.
#include <algorithm>
#include <bit>

#include "weir/audit/checker_state.hpp"

namespace weir::audit {

Time Checker::State::end_by(const Job& job) {
    return job.asked.limit >= forever ? never : job.started + job.asked.limit;
}

QuotaBooks Checker::State::rights_at(Time at, bool recalled_too) const {
    if (at <= now && recalled_too) return *quotas;
    QuotaBooks rights = *plain;
    loans.move(rights, std::max(at, now), recalled_too);
    for (const auto& [id, job] : jobs)
        if (job.stage == Stage::runs && counts_at(job, at))
            rights.use(job.house, job.charged, true);
    return rights;
}

bool Checker::State::has_right(const Job& job,
                               const QuotaBooks::Charges& charges,
                               Time from,
                               bool anew) const {
    if (!loans.any()) return quotas->has_right(job.house, charges);
    const Time until = job.asked.limit >= forever || from >= never - job.asked.limit
                           ? never
                           : from + job.asked.limit;
    // What moved last before it begins is what it begins with.
    std::vector<Time> moments = loans.changes(now, until);
    moments.insert(moments.begin(), now);
    while (moments.size() > 1 && moments[1] <= from)
        moments.erase(moments.begin());
    const bool at_every_moment = std::all_of(moments.begin(), moments.end(), [&](Time at) {
        return rights_at(at).has_right(job.house, charges);
    });
    if (!at_every_moment || !anew || from > now || !loans.any_recalled()) return at_every_moment;
    return rights_at(now, false).has_right(job.house, charges);
}

bool Checker::State::might_ever(const Job& job, const QuotaBooks::Charges& charges) const {
    if (!loans.any()) return quotas->might_ever(job.house, charges);
    std::vector<Time> moments = loans.changes(now, never);
    moments.push_back(now);
    return std::any_of(moments.begin(), moments.end(), [&](Time at) {
        QuotaBooks then = *plain;
        loans.move(then, at);
        return then.might_ever(job.house, charges);
    });
}

// Loans begin and are over by time. Those of one moment are judged before the first decision that
// is taken in it, and chips have to be back when all of it has been heard.
void Checker::State::loans_come_to(Time to, bool decides) {
    if (to > loans_moved) judge_unjudged();
    while (loans.any() && loans.next_change() <= to) {
        loans_moved = std::max(now, loans.next_change());
        if (loans_moved > now) judge_lending();
        judge_unjudged();
        now = loans_moved;
        unjudged = loans.pass(now, *quotas);
        for (const std::uint32_t loan : unjudged.began)
            count_lent(loan, false);
        for (const std::uint32_t loan : unjudged.over)
            count_lent(loan, true);
        loans_changed();
    }
    if (to > loans_moved) judge_unjudged();
    if (to > now) judge_lending();
    if (!decides) return;
    for (const std::uint32_t number : std::exchange(unjudged.began, {}))
        if (!loans.loan(number).over) judge_loan(not_recoverable(loans.loan(number)));
}

void Checker::State::count_lent(std::uint32_t number, bool back) {
    const LoanBooks::Loan& loan = loans.loan(number);
    if (counted) counted->lend(loan.lender, loan.borrower, loan.terms.amounts, back, now);
}

void Checker::State::judge_unjudged() {
    const LoanBooks::Passed all = std::exchange(unjudged, {});
    for (const std::uint32_t number : all.began)
        if (!loans.loan(number).over) judge_loan(not_recoverable(loans.loan(number)));
    for (const std::uint32_t number : all.over)
        if (!loans.loan(number).defaulted) judge_loan(not_back(loans.loan(number)));
}

// Whoever was promised something by a right that it will not have is not excused by it.
void Checker::State::loans_changed() {
    loans_changed_line = line;
    for (auto& [id, job] : jobs) {
        if (job.stage != Stage::waits) continue;
        std::erase_if(job.promised_rights, [&, &its = job](const PromisedRight& right) {
            return !has_right(
                in_size(its, right.size), right.charges, std::max(now, right.by), false);
        });
    }
}

Checker::State::Waiting Checker::State::waiting_for_own(std::size_t lender,
                                                        std::uint32_t resource,
                                                        bool only_ready) const {
    std::vector<JobId> all;
    for (const auto& [id, job] : jobs) {
        const bool counts =
            only_ready ? asks(job) && job.asked.data.empty() : job.stage == Stage::waits;
        if (counts && quotas->is_inside(job.house, lender)) all.push_back(id);
    }
    std::sort(all.begin(), all.end());
    QuotaBooks::Units left = quotas->left(lender, resource);
    Waiting waiting;
    for (const JobId id : all) {
        const fleet::Demand& demand = jobs.at(id).asked.demand;
        if (demand.parts.size() != 1 || demand.parts.front().each.chips == 0) continue;
        const bool of_these =
            std::any_of(demand.pools.begin(), demand.pools.end(), [&](PoolId pool) {
                return header->fleet.pool(pool).chip == quotas->name_of_resource(resource);
            });
        const auto wants = static_cast<QuotaBooks::Units>(demand.chips_milli());
        if (!of_these || wants > left) continue;
        left -= wants;
        waiting.gangs.push_back({.replicas = demand.parts.front().replicas,
                                 .chips = demand.parts.front().each.chips,
                                 .within = demand.within});
        waiting.all_start_by = std::max(waiting.all_start_by, jobs.at(id).expected);
    }
    return waiting;
}

bool Checker::State::has_pool(std::uint32_t resource) const {
    return std::any_of(
        header->fleet.pools.begin(), header->fleet.pools.end(), [&](const fleet::Pool& pool) {
            return pool.chip == quotas->name_of_resource(resource);
        });
}

// In one of the pools that have these chips, all of them at once, when everybody is gone who by
// these rights uses more than is theirs.
bool Checker::State::could_be_had(const std::vector<Gang>& gangs,
                                  std::uint32_t resource,
                                  const QuotaBooks& rights) const {
    for (std::uint32_t p = 0; p < header->fleet.pools.size(); ++p) {
        const fleet::Pool& pool = header->fleet.pools[p];
        if (pool.chip != rights.name_of_resource(resource)) continue;
        std::vector<std::uint64_t> kept(pool.nodes, 0);
        for (const auto& [id, job] : jobs) {
            if (job.stage != Stage::runs || rights.left(job.house, resource) < 0) continue;
            for (const fleet::NodeRange& range : job.on.ranges)
                for (std::uint32_t n = 0; range.pool == PoolId{p} && n < range.count; ++n)
                    kept[range.first + n] |= range.chip_mask;
        }
        std::vector<std::uint32_t> free(pool.nodes, 0);
        for (std::uint32_t n = 0; n < pool.nodes; ++n)
            if (books->health(PoolId{p}, n) == Health::up)
                free[n] = pool.chips_per_node -
                          std::min(pool.chips_per_node,
                                   static_cast<std::uint32_t>(std::popcount(kept[n])));
        if (all_fit(gangs, pool, std::move(free))) return true;
    }
    return false;
}

std::string Checker::State::not_recoverable(const LoanBooks::Loan& loan) const {
    for (const Allowance& lent : loan.terms.amounts) {
        const Waiting waiting = waiting_for_own(loan.lender, lent.resource, false);
        if (waiting.gangs.empty() || !has_pool(lent.resource) ||
            could_be_had(waiting.gangs, lent.resource, *quotas)) {
            continue;
        }
        return fmt::format(
            "loan {} begins, and of {} gangs that wait for {} of its own {} "
            "could not have all by stopping borrowers only",
            loan.terms.loan,
            waiting.gangs.size(),
            quotas->name_of_resource(lent.resource),
            loan.terms.lender);
    }
    return "";
}

// The moment is over: what lasts of loans and is not called back stands in nobody's way who lends.
void Checker::State::judge_lending() {
    std::vector<std::pair<std::size_t, std::uint32_t>> lent;
    for (const auto& [number, loan] : loans.all()) {
        if (!loan.in_force || loan.recalled) continue;
        for (const Allowance& each : loan.terms.amounts)
            lent.emplace_back(loan.lender, each.resource);
    }
    std::sort(lent.begin(), lent.end());
    lent.erase(std::unique(lent.begin(), lent.end()), lent.end());
    for (const auto& [lender, resource] : lent)
        if (const auto wrong = in_the_way(lender, resource)) judge_loan(*wrong);
}

// Nothing: there is nothing to judge, for a recall would bring nothing back before its time.
std::optional<std::string> Checker::State::in_the_way(std::size_t lender,
                                                      std::uint32_t resource) const {
    const Waiting waiting = waiting_for_own(lender, resource, true);
    if (waiting.gangs.empty() || !has_pool(resource)) return std::nullopt;
    QuotaBooks with = *quotas;  // with those that a recall might still bring back
    QuotaBooks without = *quotas;
    std::string names;
    for (const auto& [number, loan] : loans.all()) {
        if (!loan.in_force || loan.lender != lender) continue;
        without.lend(lender, loan.borrower, loan.terms.amounts, true);
        const bool helps = !loan.recalled && loan.terms.notice < loan.until - now &&
                           loan.terms.notice < waiting.all_start_by - now;
        if (helps) {
            names += (names.empty() ? "" : ", ") + std::to_string(number);
        } else {
            with.lend(lender, loan.borrower, loan.terms.amounts, true);
        }
    }
    if (names.empty()) return std::nullopt;
    if (could_be_had(waiting.gangs, resource, with) ||
        !could_be_had(waiting.gangs, resource, without)) {
        return "";
    }
    return fmt::format(
        "of {} gangs that wait for {} of its own {} could have all by stopping "
        "borrowers only, were it not for what it has lent (loan {}), and that is "
        "not called back",
        waiting.gangs.size(),
        quotas->name_of_resource(resource),
        quotas->name_of(lender),
        names);
}

// When a loan is over, its borrower uses more than it has left, and a job of the lender that owns
// what it asks for has no room: then the line that says so has to be there.
std::string Checker::State::not_back(const LoanBooks::Loan& loan) const {
    if (rules_keep_from_stopping(loan.borrower)) return "";
    QuotaBooks staying = *quotas;
    for (const auto& [id, job] : jobs)
        if (job.stage == Stage::runs && job.asked_to_stop)
            staying.use(job.house, job.charged, false);
    for (const Allowance& lent : loan.terms.amounts) {
        if (staying.left(loan.borrower, lent.resource) >= 0) continue;
        for (const auto& [id, job] : jobs) {
            if (!asks(job) || !staying.is_inside(job.house, loan.lender)) continue;
            for (const PoolId pool : job.asked.demand.pools) {
                const QuotaBooks::Charges charges = charges_in(job, pool);
                const bool owns =
                    std::all_of(charges.begin(), charges.end(), [&, &its = job](const auto& each) {
                        return staying.owner(its.house, each).has_value();
                    });
                const bool of_these =
                    std::any_of(charges.begin(), charges.end(), [&](const auto& c) {
                        return c.resource == lent.resource;
                    });
                if (!owns || !of_these || free_chips_milli(pool) >= job.asked.demand.chips_milli())
                    continue;
                return fmt::format(
                    "loan {} is over, {} still uses more {} than is its own, and "
                    "job {} of {} has no room",
                    loan.terms.loan,
                    loan.terms.borrower,
                    quotas->name_of_resource(lent.resource),
                    id.value,
                    quotas->name_of(job.house));
            }
        }
    }
    return "";
}

// Where others may be stopped at all: as many were as may be in an hour, or some job of the house
// has not run for as long as everybody may.
bool Checker::State::rules_keep_from_stopping(std::size_t borrower) const {
    if (header->preemptions_per_hour_max == 0) return false;
    const auto recently = std::count_if(
        preempted.begin(), preempted.end(), [&](Time at) { return now - at < seconds(3600); });
    if (static_cast<std::uint64_t>(recently) >= header->preemptions_per_hour_max) return true;
    return std::any_of(jobs.begin(), jobs.end(), [&](const auto& each) {
        const Job& job = each.second;
        return job.stage == Stage::runs && !job.asked_to_stop &&
               quotas->is_inside(job.house, borrower) && now - job.started < header->min_run;
    });
}

// Of nodes in service, with those gone who are asked to stop.
std::uint64_t Checker::State::free_chips_milli(PoolId pool) const {
    const fleet::Pool& its = header->fleet.pool(pool);
    std::uint64_t free = 0;
    for (std::uint32_t n = 0; n < its.nodes; ++n)
        if (books->health(pool, n) == Health::up) free += std::uint64_t{its.chips_per_node} * 1000;
    for (const auto& [id, job] : jobs) {
        if (job.stage != Stage::runs || job.asked_to_stop) continue;
        for (const fleet::NodeRange& range : job.on.ranges) {
            const fleet::ReplicaDemand& each = job.asked.demand.parts[range.part].each;
            const std::uint64_t on_one =
                std::uint64_t{range.replicas} * (each.chips * 1000 + each.chip_permille);
            for (std::uint32_t n = 0; range.pool == pool && n < range.count; ++n)
                if (books->health(pool, range.first + n) == Health::up)
                    free -= std::min(free, on_one);
        }
    }
    return free;
}

void Checker::State::on(const Lent& what) {
    const std::string wrong = loans.agreed(what, *plain, now);
    judge_loan(wrong);
    if (!wrong.empty()) return;
    // One that has begun already is judged with this line.
    loans_come_to(now, true);
    loans_changed();
}

void Checker::State::on(const CalledBack& what) {
    judge_loan(loans.called_back(what, now));
    loans_changed();
}

void Checker::State::on(const LoanEnded& what) {
    const auto its = loans.all().find(what.loan);
    if (its != loans.all().end() && its->second.in_force) count_lent(what.loan, true);
    // By its borrower: not if the rules of the pool are all that kept the chips.
    const bool is_blamed = what.how == LoanEnd::defaulted && its != loans.all().end() &&
                           its->second.over && its->second.until == now && !its->second.defaulted;
    if (is_blamed && not_back(its->second).empty()) {
        judge_loan(
            fmt::format("loan {} is said to be broken when it is over, and {} keeps nothing "
                        "from its lender that might have been stopped for it",
                        what.loan,
                        its->second.terms.borrower));
    }
    judge_loan(loans.ended(what, *quotas, now));
    loans_changed();
}

}  // namespace weir::audit
