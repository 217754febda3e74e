#include "weir/audit/loan_books.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace weir::audit {
namespace {

bool overlap(const LoanBooks::Loan& loan, Time begins, Time until) {
    return loan.terms.begins < until && begins < loan.until;
}

std::string named(std::uint32_t loan) {
    return fmt::format("loan {}", loan);
}

}  // namespace

std::string LoanBooks::agreed(const Lent& lent, const QuotaBooks& plain, Time now) {
    if (loans_.contains(lent.loan)) return named(lent.loan) + " is agreed on twice";
    const auto lender = plain.find(lent.lender);
    const auto borrower = plain.find(lent.borrower);
    if (!lender || !borrower || *lender == 0 || *borrower == 0 || lender == borrower) {
        return fmt::format("{} is from {} to {}, and the header does not name these two",
                           named(lent.loan),
                           lent.lender,
                           lent.borrower);
    }
    if (lent.until <= now) return named(lent.loan) + " is over when it is agreed on";
    for (const Allowance& each : lent.amounts) {
        if (each.resource >= plain.resources()) {
            return fmt::format("{} lends resource {}, which the header does not name",
                               named(lent.loan),
                               each.resource);
        }
        // What it lends at the worst moment: when one of its loans begins.
        std::vector<Time> moments{lent.begins};
        for (const auto& [number, other] : loans_)
            if (!other.over && other.lender == *lender && overlap(other, lent.begins, lent.until))
                moments.push_back(std::max(lent.begins, other.terms.begins));
        for (const Time moment : moments) {
            QuotaBooks::Units lends = 0;
            for (const Allowance& its : lent.amounts)
                if (its.resource == each.resource) lends += its.amount;
            for (const auto& [number, other] : loans_) {
                if (other.over || other.lender != *lender || moment < other.terms.begins ||
                    moment >= other.until) {
                    continue;
                }
                for (const Allowance& its : other.terms.amounts)
                    if (its.resource == each.resource) lends += its.amount;
            }
            if (lends <= plain.quota(*lender, each.resource)) continue;
            return fmt::format("{} is of more {} than {} has of its own",
                               named(lent.loan),
                               plain.name_of_resource(each.resource),
                               lent.lender);
        }
    }
    loans_[lent.loan] = {
        .terms = lent, .lender = *lender, .borrower = *borrower, .until = lent.until};
    return "";
}

std::string LoanBooks::called_back(const CalledBack& recall, Time now) {
    const auto its = loans_.find(recall.loan);
    if (its == loans_.end() || its->second.over || its->second.recalled) {
        return named(recall.loan) + " is called back, and there is none to be called back";
    }
    Loan& loan = its->second;
    if (recall.until >= loan.until || recall.until - now < loan.terms.notice) {
        return fmt::format("{} is called back with a notice of {} s, and agreed on were {} s",
                           named(recall.loan),
                           as_seconds(recall.until - now),
                           as_seconds(loan.terms.notice));
    }
    loan.recalled = true;
    loan.until = recall.until;
    loan.over = !loan.in_force && loan.until <= loan.terms.begins;
    return "";
}

std::string LoanBooks::ended(const LoanEnded& ended, QuotaBooks& books, Time now) {
    const auto its = loans_.find(ended.loan);
    if (its == loans_.end()) return named(ended.loan) + " ends, and there is none";
    Loan& loan = its->second;
    if (ended.how == LoanEnd::defaulted && loan.over && loan.until == now && !loan.defaulted) {
        loan.defaulted = true;
        return "";
    }
    if (loan.over) return named(ended.loan) + " ends, and it was over before";
    if (ended.how == LoanEnd::refused && loan.terms.begins != now) {
        return named(ended.loan) + " is refused, and not when it begins";
    }
    if (loan.in_force) books.lend(loan.lender, loan.borrower, loan.terms.amounts, true);
    loan.in_force = false;
    loan.over = true;
    loan.until = now;
    loan.defaulted = ended.how == LoanEnd::defaulted;
    return "";
}

bool LoanBooks::any() const {
    return std::any_of(
        loans_.begin(), loans_.end(), [](const auto& each) { return !each.second.over; });
}

bool LoanBooks::any_recalled() const {
    return std::any_of(loans_.begin(), loans_.end(), [](const auto& each) {
        return each.second.recalled && !each.second.over;
    });
}

Time LoanBooks::next_change() const {
    Time next = never;
    for (const auto& [number, loan] : loans_)
        if (!loan.over) next = std::min(next, loan.in_force ? loan.until : loan.terms.begins);
    return next;
}

LoanBooks::Passed LoanBooks::pass(Time at, QuotaBooks& books) {
    Passed passed;
    for (auto& [number, loan] : loans_) {
        if (loan.over) continue;
        if (!loan.in_force && loan.terms.begins <= at) {
            loan.in_force = true;
            books.lend(loan.lender, loan.borrower, loan.terms.amounts, false);
            passed.began.push_back(number);
        }
        if (loan.in_force && loan.until <= at) {
            loan.in_force = false;
            loan.over = true;
            books.lend(loan.lender, loan.borrower, loan.terms.amounts, true);
            passed.over.push_back(number);
        }
    }
    return passed;
}

void LoanBooks::move(QuotaBooks& books, Time at, bool recalled_too) const {
    for (const auto& [number, loan] : loans_) {
        const bool moves = !loan.over && (loan.in_force || loan.terms.begins <= at) &&
                           at < loan.until && (recalled_too || !loan.recalled);
        if (moves) books.lend(loan.lender, loan.borrower, loan.terms.amounts, false);
    }
}

std::vector<Time> LoanBooks::changes(Time from, Time until) const {
    std::vector<Time> times;
    for (const auto& [number, loan] : loans_) {
        if (loan.over) continue;
        for (const Time each : {loan.terms.begins, loan.until})
            if (each > from && each < until) times.push_back(each);
    }
    std::sort(times.begin(), times.end());
    times.erase(std::unique(times.begin(), times.end()), times.end());
    return times;
}

// ---------------------------------------------------------------------------------------------
// Cells

namespace {

enum class Size : std::uint8_t { chips, nodes, racks, pods };  // of what a cell has `units`

struct Cell {
    Size of = Size::chips;
    std::uint64_t units = 1;
    bool operator<(const Cell& other) const {
        return std::tie(of, units) < std::tie(other.of, other.units);
    }
};

// A buddy allocator gives 1, 2, 4 ... units of a domain, or the whole of it: one of the next size.
Cell rounded(Size of, std::uint64_t units, std::uint64_t domain) {
    std::uint64_t size = 1;
    while (size < units)
        size *= 2;
    if (of == Size::pods || units > domain) return {of, size};
    if (size >= domain) return {static_cast<Size>(static_cast<int>(of) + 1), 1};
    return {of, size};
}

std::vector<Cell> cells_of(const Gang& gang, const fleet::Pool& pool) {
    const std::uint64_t in_node = pool.chips_per_node;
    const std::uint64_t in_rack = pool.rack_nodes();
    const std::uint64_t in_pod = (pool.pod_nodes() + in_rack - 1) / in_rack;
    if (gang.within >= fleet::Level::pool || gang.chips > in_node)
        return {gang.replicas, rounded(Size::chips, gang.chips, in_node)};
    const std::uint64_t chips = std::uint64_t{gang.replicas} * gang.chips;
    if (chips <= in_node || gang.within == fleet::Level::node)
        return {rounded(Size::chips, chips, in_node)};
    const std::uint64_t on_one = in_node / gang.chips;
    const std::uint64_t nodes = (gang.replicas + on_one - 1) / on_one;
    if (nodes <= in_rack || gang.within == fleet::Level::rack)
        return {rounded(Size::nodes, nodes, in_rack)};
    return {rounded(Size::racks, (nodes + in_rack - 1) / in_rack, in_pod)};
}

// The nodes [first, last) are one domain of the pool. Takes `units` of its parts, each of `each`
// nodes, that are wholly free; false: there are not so many.
bool take_whole(std::vector<std::uint32_t>& free,
                const fleet::Pool& pool,
                std::uint64_t first,
                std::uint64_t last,
                std::uint64_t each,
                std::uint64_t units) {
    std::vector<std::uint64_t> whole;
    for (std::uint64_t part = first; part + each <= last && whole.size() < units; part += each) {
        const auto from = free.begin() + static_cast<std::ptrdiff_t>(part);
        if (std::all_of(from, from + static_cast<std::ptrdiff_t>(each), [&](std::uint32_t chips) {
                return chips == pool.chips_per_node;
            })) {
            whole.push_back(part);
        }
    }
    if (whole.size() < units) return false;
    for (const std::uint64_t part : whole)
        std::fill_n(free.begin() + static_cast<std::ptrdiff_t>(part), each, 0U);
    return true;
}

bool take(const Cell& cell, const fleet::Pool& pool, std::vector<std::uint32_t>& free) {
    if (cell.of == Size::chips) {
        for (std::uint32_t& chips : free) {
            if (chips < cell.units) continue;
            chips -= static_cast<std::uint32_t>(cell.units);
            return true;
        }
        return false;
    }
    const std::uint64_t in_rack = pool.rack_nodes();
    const std::uint64_t in_pod = pool.pod_nodes();
    const std::uint64_t each = cell.of == Size::nodes   ? 1
                               : cell.of == Size::racks ? in_rack
                                                        : in_pod;
    if (cell.of == Size::pods) return take_whole(free, pool, 0, free.size(), each, cell.units);
    // A pod may end with a shorter rack, and the pool with a shorter pod.
    for (std::uint64_t pod = 0; pod < free.size(); pod += in_pod) {
        const std::uint64_t pod_ends = std::min<std::uint64_t>(pod + in_pod, free.size());
        if (cell.of == Size::racks) {
            if (take_whole(free, pool, pod, pod_ends, each, cell.units)) return true;
            continue;
        }
        for (std::uint64_t rack = pod; rack < pod_ends; rack += in_rack) {
            const std::uint64_t ends = std::min(rack + in_rack, pod_ends);
            if (take_whole(free, pool, rack, ends, each, cell.units)) return true;
        }
    }
    return false;
}

}  // namespace

bool all_fit(const std::vector<Gang>& gangs,
             const fleet::Pool& pool,
             std::vector<std::uint32_t> free) {
    std::uint64_t replicas = 0;
    for (const Gang& gang : gangs)
        replicas += gang.replicas;
    if (replicas > std::uint64_t{pool.nodes} * std::max(1U, pool.chips_per_node)) return false;
    std::vector<Cell> cells;
    for (const Gang& gang : gangs)
        for (const Cell& cell : cells_of(gang, pool))
            cells.push_back(cell);
    std::sort(cells.begin(), cells.end());
    return std::all_of(
        cells.rbegin(), cells.rend(), [&](const Cell& cell) { return take(cell, pool, free); });
}

}  // namespace weir::audit
