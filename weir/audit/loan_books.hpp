// LoanBooks: which loans there are, and when each of them moves quota, from an event log alone.
//
// A loan is known from the line that agrees on it. It moves quota from its beginning until it is
// over: by its time, by the deadline of a recall, or because a line ends it. A line that cannot be
// answers with what is wrong, and nothing follows from it.
//
// all_fit() asks the question of HiveD (OSDI 2020) about one pool: are there places for all these
// gangs at once? Each takes the smallest cell that holds it: 1, 2, 4 ... chips of a node, nodes of
// a rack, racks of a pod. Here the places are taken one after the other, large cells first.
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "weir/audit/quota_books.hpp"

namespace weir::audit {

class LoanBooks {
public:
    struct Loan {
        Lent terms;
        std::size_t lender = 0;  // of the quota books
        std::size_t borrower = 0;
        Time until = never;  // as it stands
        bool recalled = false;
        bool in_force = false;  // moves quota now
        bool over = false;
        bool defaulted = false;
    };

    // What is wrong with the line; "": nothing. `plain`: quotas without any loan.
    std::string agreed(const Lent& lent, const QuotaBooks& plain, Time now);
    std::string called_back(const CalledBack& recall, Time now);
    std::string ended(const LoanEnded& ended, QuotaBooks& books, Time now);

    // Some loan moves quota, or will.
    [[nodiscard]] bool any() const;
    // The next time at which a loan begins or is over by itself, after what pass() was told.
    [[nodiscard]] Time next_change() const;
    // Time has come to `at`, which is no later than the next change: moves quota in `books`. Gives
    // the loans that began and those that are over by it.
    struct Passed {
        std::vector<std::uint32_t> began;
        std::vector<std::uint32_t> over;
    };
    Passed pass(Time at, QuotaBooks& books);
    [[nodiscard]] const Loan& loan(std::uint32_t number) const { return loans_.at(number); }
    [[nodiscard]] const std::map<std::uint32_t, Loan>& all() const { return loans_; }

    // Moves quota in books that know no loan, as far as it is moved then.
    void move(QuotaBooks& books, Time at, bool recalled_too = true) const;
    // The times after `from` and before `until` at which quota moves.
    [[nodiscard]] std::vector<Time> changes(Time from, Time until) const;
    // Whether a loan that is called back still lasts.
    [[nodiscard]] bool any_recalled() const;

private:
    std::map<std::uint32_t, Loan> loans_;
};

struct Gang {
    std::uint32_t replicas = 1;
    std::uint32_t chips = 1;  // of each, on one node
    fleet::Level within = fleet::Level::site;
};

// `free`: chips of each node of the pool that nobody keeps.
bool all_fit(const std::vector<Gang>& gangs,
             const fleet::Pool& pool,
             std::vector<std::uint32_t> free);

}  // namespace weir::audit
