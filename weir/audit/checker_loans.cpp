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
        judge_unjudged();
        now = loans_moved;
        unjudged = loans.pass(now, *quotas);
        loans_changed();
    }
    if (to > loans_moved) judge_unjudged();
    if (!decides) return;
    for (const std::uint32_t number : std::exchange(unjudged.began, {}))
        if (!loans.loan(number).over) judge_loan(not_recoverable(loans.loan(number)));
}

void Checker::State::judge_unjudged() {
    const LoanBooks::Passed all = std::exchange(unjudged, {});
    for (const std::uint32_t number : all.began)
        if (!loans.loan(number).over) judge_loan(not_recoverable(loans.loan(number)));
    for (const std::uint32_t number : all.over)
        judge_loan(not_back(loans.loan(number)));
}

// Whoever was promised something by a right that it will not have is not excused by it.
void Checker::State::loans_changed() {
    loans_changed_line = line;
    for (auto& [id, job] : jobs) {
        if (job.stage != Stage::waits) continue;
        std::erase_if(job.promised_rights, [&, &its = job](const PromisedRight& right) {
            return !has_right(its, right.charges, std::max(now, right.by), false);
        });
    }
}

// In one of the pools that have these chips, all gangs of the lender that wait for what it has left
// of its own have to fit at once when everybody is gone who uses more than is theirs.
std::string Checker::State::not_recoverable(const LoanBooks::Loan& loan) const {
    for (const Allowance& lent : loan.terms.amounts) {
        QuotaBooks::Units left = quotas->left(loan.lender, lent.resource);
        std::vector<JobId> waiting;
        for (const auto& [id, job] : jobs)
            if (job.stage == Stage::waits && quotas->is_inside(job.house, loan.lender))
                waiting.push_back(id);
        std::sort(waiting.begin(), waiting.end());
        std::vector<Gang> gangs;
        for (const JobId id : waiting) {
            const fleet::Demand& demand = jobs.at(id).asked.demand;
            if (demand.parts.size() != 1 || demand.parts.front().each.chips == 0) continue;
            const auto asks = static_cast<QuotaBooks::Units>(demand.chips_milli());
            if (asks > left) continue;
            left -= asks;
            gangs.push_back({.replicas = demand.parts.front().replicas,
                             .chips = demand.parts.front().each.chips,
                             .within = demand.within});
        }
        if (gangs.empty()) continue;
        bool asked = false;
        bool some_fit = false;
        for (std::uint32_t p = 0; p < header->fleet.pools.size() && !some_fit; ++p) {
            const fleet::Pool& pool = header->fleet.pools[p];
            if (pool.chip != quotas->name_of_resource(lent.resource)) continue;
            asked = true;
            std::vector<std::uint64_t> kept(pool.nodes, 0);
            for (const auto& [id, job] : jobs) {
                if (job.stage != Stage::runs || quotas->left(job.house, lent.resource) < 0)
                    continue;
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
            some_fit = all_fit(gangs, pool, std::move(free));
        }
        if (asked && !some_fit) {
            return fmt::format(
                "loan {} begins, and of {} gangs that wait for {} of its own {} "
                "could not have all by stopping borrowers only",
                loan.terms.loan,
                gangs.size(),
                quotas->name_of_resource(lent.resource),
                loan.terms.lender);
        }
    }
    return "";
}

// When a loan is over, its borrower uses more than it has left, and a job of the lender that owns
// what it asks for has no room: then the line that says so has to be there.
std::string Checker::State::not_back(const LoanBooks::Loan& loan) const {
    if (loan.defaulted) return "";
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
                    std::all_of(charges.begin(), charges.end(), [&](const auto& each) {
                        return staying.owner(job.house, each).has_value();
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
    judge_loan(loans.ended(what, *quotas, now));
    loans_changed();
}

}  // namespace weir::audit
