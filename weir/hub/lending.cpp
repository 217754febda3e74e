// What the parties of a loan ask of the Keeper. The hub knows no users of organisations, so whoever
// may drain a node may speak for a party.
#include "weir/sched/lending.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "weir/base/log.hpp"
#include "weir/hub/keeper.hpp"
#include "weir/hub/keeper_work.hpp"
#include "weir/tenancy/amount.hpp"
#include "weir/tenancy/recoverable.hpp"

namespace weir::hub {
namespace {

using tenancy::LoanEvent;

// Whether every gang of the lender that waits for chips of its own can still be had at once by
// evicting borrowers only, wherever the jobs of the loan may come to lie until its notice is over.
// Chips alone do not say that (recoverable.hpp).
Result<void> stays_recoverable(const KnownLoan& known, const Book& book) {
    const sched::Engine& engine = book.engine();
    const fleet::Fleet& fleet = engine.fleet();
    const tenancy::LoanContract& contract = known.loan.contract;
    for (const tenancy::Allowance& lent : contract.amounts) {
        const tenancy::Resource& resource = engine.rights().organisations.resources[lent.resource];
        if (resource.kind != tenancy::Resource::Kind::chips) continue;
        std::vector<tenancy::Ground> grounds;
        for (const fleet::Pool& pool : fleet.pools)
            grounds.push_back({pool, std::vector<std::uint32_t>(pool.nodes, 0), {}});
        std::vector<tenancy::Guarantee> guarantees;
        // What those who run leave of its own; a promise is to somebody who waits.
        tenancy::Amount own = engine.quotas().subtree(contract.lender, lent.resource);
        for (const auto& [id, job] : book.jobs()) {
            const sched::Request& request = job.family->request;
            if (job.runs() && engine.quotas().is_inside(request.tenant, contract.lender))
                own -= static_cast<tenancy::Amount>(request.demand.chips_milli());
        }
        for (const auto& [id, job] : book.jobs()) {
            const sched::Request& request = job.family->request;
            const TenantId house = request.tenant;
            const bool of_lender = engine.quotas().is_inside(house, contract.lender);
            if (job.waits() && of_lender && request.demand.parts.size() == 1) {
                const fleet::GangPart& part = request.demand.parts.front();
                const auto asks = static_cast<tenancy::Amount>(request.demand.chips_milli());
                if (part.each.chips == 0 || asks > own) continue;
                own -= asks;
                guarantees.push_back({.tenant = house,
                                      .gang = {.replicas = part.replicas,
                                               .chips = part.each.chips,
                                               .within = request.demand.within},
                                      .waits = Duration{}});
            }
            const fleet::Placement* placed = job.runs() ? engine.placement(id) : nullptr;
            if (placed == nullptr) continue;
            const bool borrows = engine.quotas().borrowed(house, lent.resource) > 0;
            for (const fleet::NodeRange& range : placed->ranges) {
                const std::uint32_t chips =
                    range.replicas * request.demand.parts.at(range.part).each.chips;
                tenancy::Ground& ground = grounds[range.pool.value];
                for (std::uint32_t n = 0; n < range.count; ++n) {
                    if (borrows) {
                        ground.lent.push_back({range.first + n, chips, Duration{}});
                    } else {
                        ground.kept_chips[range.first + n] += chips;
                    }
                }
            }
        }
        // In one of the pools that have these chips.
        Result<void> answer;
        bool asked = false;
        const auto chips = static_cast<std::uint64_t>((lent.amount + 999) / 1000);
        for (const tenancy::Ground& ground : grounds) {
            if (ground.pool.chip != resource.name) continue;
            answer = tenancy::may_lend(ground, guarantees, chips, contract.notice);
            asked = true;
            if (answer) break;
        }
        if (asked && !answer) {
            return fail(Code::conflict,
                        fmt::format("the loan {} would keep {} from gangs that it waits for: {}",
                                    known.terms.name,
                                    known.terms.lender,
                                    answer.error().message));
        }
    }
    return {};
}

// What is asked of an offer beside what journals have always held: what a tenants file refuses, and
// names that a command line takes for one word.
Result<void> is_sensible(const LoanTerms& terms) {
    const auto is_part = [](const std::string& part, const std::string& whole) {
        return part.compare(0, whole.size() + 1, whole + "/") == 0;
    };
    if (is_part(terms.lender, terms.borrower) || is_part(terms.borrower, terms.lender)) {
        return fail(
            Code::invalid,
            fmt::format("to: \"{}\" and \"{}\" are one house; share there by quota and lend",
                        terms.lender,
                        terms.borrower));
    }
    if (terms.name.find(' ') != std::string::npos) {
        return fail(Code::invalid,
                    fmt::format("name: \"{}\" has a blank; valid are names of one word, such as "
                                "spring-2027",
                                terms.name));
    }
    const Duration lasts = terms.window.ends - terms.window.begins;
    if (terms.window.begins < terms.window.ends && terms.notice > lasts) {
        return fail(Code::invalid,
                    fmt::format("notice: {} is longer than the loan lasts; valid are up to {}",
                                format_duration(terms.notice),
                                format_duration(lasts)));
    }
    return {};
}

std::vector<sched::LoanTerm> terms_in_force(const Book& book, Time now) {
    std::vector<sched::LoanTerm> terms;
    for (const KnownLoan& known : book.loans().at(now)) {
        const auto span = tenancy::availability(known.loan);
        if (span && span->holds(now)) terms.push_back(sched::term_of(known.loan, now));
    }
    return terms;
}

// Those of `jobs` that wait for room or run, in the order of their numbers.
std::vector<sched::JobSeen> seen(const Book& book, const std::set<JobId>& ids) {
    std::map<const Family*, std::uint32_t> members_that_run;
    for (const JobId id : book.running())
        ++members_that_run[book.find(id)->family];
    const auto has_its_turn = [&](const Family* family) {
        const std::uint32_t most = family->request.array_at_once_max;
        const auto run = members_that_run.find(family);
        return most == 0 || run == members_that_run.end() || run->second < most;
    };
    std::vector<sched::JobSeen> jobs;
    jobs.reserve(ids.size());
    for (const JobId id : ids) {
        const Job& job = *book.find(id);
        const sched::Request& request = job.family->request;
        const Book::Promise* const promise = book.promise(id);
        jobs.push_back({.job = id,
                        .tenant = request.tenant,
                        .demand = &request.demand,
                        .placement = job.runs() ? book.engine().placement(id) : nullptr,
                        .stopping = job.state == JobState::stopping,
                        .ready = request.data.empty() && has_its_turn(job.family),
                        .promised = promise == nullptr ? never : promise->at,
                        .started = job.runs() ? job.attempts.back().started_at : Time{}});
    }
    return jobs;
}

// Those of the houses that are wanted, and all that run.
template <class IsWanted>
std::vector<sched::JobSeen> jobs_seen(const Book& book, IsWanted is_wanted) {
    std::set<JobId> ids = book.running();
    for (const auto& [tenant, jobs] : book.pending())
        if (is_wanted(book.find(*jobs.begin())->family->request.tenant))
            ids.insert(jobs.begin(), jobs.end());
    return seen(book, ids);
}

std::vector<sched::JobSeen> jobs_seen(const Book& book) {
    return jobs_seen(book, [](TenantId) { return true; });
}

std::string told(const KnownLoan& known) {
    const LoanTerms& terms = known.terms;
    std::string words = fmt::format("loan {}: {} from {} to {}, {}",
                                    terms.name,
                                    amounts_in_words(terms),
                                    terms.lender,
                                    terms.borrower,
                                    name_of(known.loan.state));
    switch (known.loan.state) {
        case tenancy::LoanState::accepted:
        case tenancy::LoanState::offered:
            return words + ", from " + format_time(terms.window.begins) + " to " +
                   format_time(terms.window.ends);
        case tenancy::LoanState::active:
            return words + " until " + format_time(terms.window.ends);
        case tenancy::LoanState::recalling:
            return words + ": back at " + format_time(*known.loan.deadline);
        default:
            return known.reason.empty() ? words : words + ": " + known.reason;
    }
}

}  // namespace

Result<std::string> Keeper::operate(Work& work, const OfferLoan& wish) {
    LoanTerms terms = wish.terms;
    const auto& resources = book_->engine().rights().organisations.resources;
    if (resources.empty()) {
        return fail(Code::not_found,
                    "there are no organisations here; `weir up --tenants FILE` says who there is");
    }
    const catalog::Catalog& catalog = catalog_of(options_);
    for (const auto& [name, amount] : wish.chips) {
        // By any name of the catalogue.
        const catalog::ChipRecord* const asked = catalog.find(name);
        const auto its =
            std::find_if(resources.begin(), resources.end(), [&, &chip = name](const auto& each) {
                return each.kind != tenancy::Resource::Kind::cpus &&
                       (each.name == chip ||
                        (asked != nullptr && catalog.find(each.name) == asked));
            });
        if (its == resources.end()) {
            std::string names;
            for (const tenancy::Resource& each : resources)
                if (!each.name.empty()) names += (names.empty() ? "" : ", ") + each.name;
            return fail(
                Code::invalid,
                fmt::format("chips: no quota is written in \"{}\"; there are: {}", name, names));
        }
        const auto parsed = tenancy::parse_amount(*its, amount);
        if (!parsed) return fail(parsed.error().at("chips"));
        const bool is_named = std::any_of(terms.amounts.begin(),
                                          terms.amounts.end(),
                                          [&](const auto& each) { return each.first == *its; });
        if (is_named) {
            return fail(Code::invalid,
                        fmt::format("chips: \"{}\" is named twice, by two names of {}; write one "
                                    "amount",
                                    name,
                                    its->name));
        }
        terms.amounts.emplace_back(*its, *parsed);
    }
    WEIR_CHECK(is_sensible(terms));
    WEIR_CHECK(book_->loans().may_offer(terms, now_));
    record(work, journal::LoanOffered{terms});
    return told(*book_->loans().find(terms.name));
}

Result<std::string> Keeper::operate(Work& work, const MoveLoan& wish) {
    const std::vector<KnownLoan> all = book_->loans().at(now_);
    const auto known = std::find_if(all.begin(), all.end(), [&](const KnownLoan& each) {
        return each.terms.name == wish.name;
    });
    if (known == all.end()) {
        return fail(
            Code::not_found,
            fmt::format("there is no loan \"{}\"; `weir loan` shows those there are", wish.name));
    }
    // Asked again is no error.
    using tenancy::LoanState;
    const LoanState state = known->loan.state;
    if ((wish.event == LoanEvent::recall && state == LoanState::recalling) ||
        (wish.event == LoanEvent::withdraw && state == LoanState::withdrawn) ||
        (wish.event == LoanEvent::give_back && state == LoanState::returned) ||
        ((wish.event == LoanEvent::lender_breaks || wish.event == LoanEvent::borrower_breaks) &&
         state == LoanState::defaulted) ||
        (wish.event == LoanEvent::accept &&
         (state == LoanState::accepted || state == LoanState::active))) {
        return told(*known);
    }
    const auto possible = step(known->loan, wish.event, now_);
    if (!possible) return fail(possible.error());
    if (wish.event == LoanEvent::accept) {
        WEIR_CHECK(book_->loans().may_accept(*known));
        WEIR_CHECK(stays_recoverable(*known, *book_));
    }
    std::string reason;
    if (wish.event == LoanEvent::lender_breaks) reason = "its lender took it back without notice";
    if (wish.event == LoanEvent::borrower_breaks) reason = "its borrower does not keep to it";
    move_loan(work, {wish.name, wish.event, std::move(reason)});
    return told(*book_->loans().find(wish.name));
}

void Keeper::move_loan(Work& work, journal::LoanMoved moved) {
    const std::string name = moved.name;
    record(work, std::move(moved));
    if (is_final(book_->loans().find(name)->loan.state)) work.loans_ended.push_back(name);
}

// Who waits and could only ever have started on what was lent: it would wait for ever, with its
// budget set aside.
void Keeper::cancel_who_lost_its_right(Work& work) {
    const std::vector<std::string> ended = std::exchange(work.loans_ended, {});
    if (ended.empty()) return;
    std::vector<std::pair<JobId, std::string>> lost;
    const Family* asked = nullptr;
    Result<void> ever;
    for (const auto& [id, job] : book_->jobs()) {
        const sched::Request& request = job.family->request;
        if (!job.waits() || request.demand.pools.empty()) continue;
        // Members of one array ask for the same.
        if (job.family != asked)
            ever = book_->engine().can_ever_have(request.tenant, request.demand);
        asked = job.family;
        if (!ever) lost.emplace_back(id, ever.error().message);
    }
    for (const auto& [id, why] : lost) {
        const Job* const job = book_->find(id);
        if (job == nullptr || !job->waits()) continue;
        record(work,
               journal::Cancelled{
                   id, fmt::format("the loan {} is over: {}", fmt::join(ended, ", "), why)});
    }
}

// Each of them is in the journal from here on. Where its lender's gangs would not be had back when
// it is to begin, the lender's guarantee comes before the contract, and it pays the penalty.
void Keeper::watch_loans(Work& work) {
    std::vector<std::string> began;
    for (const std::string& name : book_->loans().moved_by_time(now_)) {
        const bool was_agreed =
            book_->loans().find(name)->loan.state == tenancy::LoanState::accepted;
        move_loan(work, {name, LoanEvent::wait, {}});
        const tenancy::LoanState state = book_->loans().find(name)->loan.state;
        if (state == tenancy::LoanState::active && was_agreed) began.push_back(name);
        if (is_final(state)) work.loans_over.push_back(name);
    }
    for (const std::string& name : began) {
        const KnownLoan& known = *book_->loans().find(name);
        const auto may = sched::can_begin(book_->engine(),
                                          sched::term_of(known.loan, now_),
                                          terms_in_force(*book_, now_),
                                          jobs_seen(*book_));
        if (!may) break_loan(work, known, LoanEvent::lender_breaks, may.error().message);
    }
}

// What lasts and stands in its lender's way is called back, as if its lender had said so: it pays
// for that what the contract says. Then there may be more to decide.
bool Keeper::call_back_loans(Work& work) {
    std::vector<sched::LastingLoan> lasting;
    std::vector<std::string> names;
    std::vector<TenantId> lenders;
    for (const KnownLoan& known : book_->loans().at(now_)) {
        const auto span = tenancy::availability(known.loan);
        if (!span || !span->holds(now_)) continue;
        lasting.push_back({sched::term_of(known.loan, now_), known.terms.notice});
        names.push_back(known.terms.name);
        if (!lasting.back().term.recalled) lenders.push_back(known.loan.contract.lender);
    }
    const auto of_a_lender = [&](TenantId house) {
        return std::any_of(lenders.begin(), lenders.end(), [&](TenantId lender) {
            return book_->engine().quotas().is_inside(house, lender);
        });
    };
    if (lenders.empty()) return false;
    // Only where somebody of theirs waits, and then it is asked who runs.
    const auto waits = [&](const auto& each) {
        return of_a_lender(book_->find(*each.second.begin())->family->request.tenant);
    };
    if (std::none_of(book_->pending().begin(), book_->pending().end(), waits)) return false;
    std::vector<sched::JobSeen> jobs = jobs_seen(*book_, of_a_lender);
    std::erase_if(
        jobs, [&](const sched::JobSeen& each) { return each.placement == nullptr && !each.ready; });
    if (std::none_of(
            jobs.begin(), jobs.end(), [](const auto& each) { return each.placement == nullptr; }))
        return false;
    const auto called = sched::stand_in_the_way(book_->engine(), lasting, jobs, now_);
    for (std::size_t i = 0; i < lasting.size(); ++i) {
        if (std::find(called.begin(), called.end(), lasting[i].term.loan) == called.end()) continue;
        const std::string& lender = book_->loans().find(names[i])->terms.lender;
        const std::string why = fmt::format(
            "it was called back, for gangs of {} wait that could have chips of its own by stopping "
            "borrowers if it were not for this loan",
            lender);
        log::warn("the loan " + names[i] + ": " + why);
        move_loan(work, {names[i], LoanEvent::recall, why});
    }
    return !called.empty();
}

// When all that follows from the end of a loan is decided: who still keeps its chips from a job of
// the lender pays the penalty.
void Keeper::judge_ended_loans(Work& work) {
    if (work.loans_over.empty()) return;
    const auto rules =
        sched::StopRules::of(book_->policy(), book_->stopped_in_the_hour(now_), now_);
    for (const std::string& name : std::exchange(work.loans_over, {})) {
        const KnownLoan& known = *book_->loans().find(name);
        const auto back = sched::are_back(book_->engine(),
                                          sched::term_of(known.loan, now_),
                                          terms_in_force(*book_, now_),
                                          jobs_seen(*book_),
                                          rules);
        if (!back) break_loan(work, known, LoanEvent::not_back, back.error().message);
    }
}

void Keeper::break_loan(Work& work,
                        const KnownLoan& known,
                        tenancy::LoanEvent event,
                        const std::string& reason) {
    const LoanTerms terms = known.terms;
    const bool lender = event == LoanEvent::lender_breaks;
    log::warn(fmt::format("the loan {} of {} from {} to {} is broken by the {}: {}{}",
                          terms.name,
                          amounts_in_words(terms),
                          terms.lender,
                          terms.borrower,
                          lender ? "lender" : "borrower",
                          reason,
                          terms.penalty.micros == 0
                              ? ""
                              : fmt::format("; {} pays {}",
                                            lender ? terms.lender : terms.borrower,
                                            format_money(terms.penalty))));
    move_loan(work, {terms.name, event, reason});
}

std::vector<KnownLoan> Keeper::loans() const {
    return book_->loans().at(now_);
}

}  // namespace weir::hub
