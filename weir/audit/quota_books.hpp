// QuotaBooks: what organisations may use and what they use, worked out from an event log alone.
//
// The formulas are those of docs/concepts/organisations.md. After a change all figures of all
// organisations are worked out anew, from the lowest to the centre and back: slow, and plain.
//
//     books.use(house, charges, true);                 // a job starts
//     books.has_right(house, books.charges(...))       // may another one?
//
// A loan is quota of the borrower and no longer of the lender, while it lasts. When that is, is the
// caller's to say (loan_books.hpp).
//
// Position 0 is the centre itself; the others are those of the header, one further.
//
// Threads: one at a time. Cost of the first question after a change: organisations x resources.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/audit/log_format.hpp"

namespace weir::audit {

class QuotaBooks {
public:
    using Units = __int128;
    struct Charge {
        std::uint32_t resource = 0;
        Units units = 0;
        friend bool operator==(const Charge&, const Charge&) = default;
    };
    using Charges = std::vector<Charge>;

    explicit QuotaBooks(const Header& header);

    [[nodiscard]] bool any() const { return houses_.size() > 1; }
    // "" is the centre; nothing: the header names no such organisation.
    [[nodiscard]] std::optional<std::size_t> find(std::string_view path) const;
    [[nodiscard]] std::string name_of(std::size_t house) const;
    [[nodiscard]] std::optional<std::size_t> parent(std::size_t house) const;
    [[nodiscard]] std::size_t depth(std::size_t house) const;
    [[nodiscard]] std::size_t common(std::size_t a, std::size_t b) const;

    // What so many thousandths of chips and CPUs count in a pool.
    [[nodiscard]] Charges charges(std::uint64_t chips_milli,
                                  std::uint64_t cpus_milli,
                                  PoolId pool) const;
    void use(std::size_t house, const Charges& charges, bool taking);
    // So much of the lender's own quota is the borrower's, or the lender's again. Requires: it has
    // so much.
    void lend(std::size_t lender, std::size_t borrower, const Allowances& amounts, bool back);
    // Its own, without what it has lent now.
    [[nodiscard]] Units quota(std::size_t house, std::uint32_t resource) const {
        return houses_[house].of[resource].quota;
    }
    // What is its own, with all that is below it and lends it upwards, less what they use.
    [[nodiscard]] Units left(std::size_t house, std::uint32_t resource) const {
        return now()[house].of[resource].subtree - now()[house].of[resource].usage;
    }
    [[nodiscard]] bool is_inside(std::size_t house, std::size_t above) const {
        return common(house, above) == above;
    }
    [[nodiscard]] std::size_t resources() const { return resources_.size(); }
    [[nodiscard]] const std::string& name_of_resource(std::uint32_t resource) const {
        return resources_[resource];
    }

    // It owns so much, or so much is available to it.
    [[nodiscard]] bool has_right(std::size_t house, const Charges& charges) const;
    // ... or would be if nobody used anything.
    [[nodiscard]] bool might_ever(std::size_t house, const Charges& charges) const;
    // The lowest house on the way up that need not borrow for it.
    [[nodiscard]] std::optional<std::size_t> owner(std::size_t house, Charge charge) const;
    // Whether all houses from there up to below `top` use more than is theirs.
    [[nodiscard]] bool borrows_below(std::size_t house,
                                     std::uint32_t resource,
                                     std::size_t top) const;
    // A sentence where the house or one above it uses more than is theirs and they may borrow.
    [[nodiscard]] std::optional<std::string> exceeded(std::size_t house,
                                                      std::uint32_t resource) const;
    // "a/b uses 3 of 2 h200 and may have 0 more".
    [[nodiscard]] std::string in_words(std::size_t house, std::uint32_t resource) const;

private:
    struct Cell {
        Units quota = 0;
        std::optional<Units> lend;
        std::optional<Units> borrow;
        Units subtree = 0;
        Units local = 0;
        Units direct = 0;  // used by its own jobs
        Units usage = 0;
        Units available = 0;
    };
    struct House {
        std::string path;
        std::size_t parent = 0;  // of the centre itself: unused
        std::vector<Cell> of;    // resources
    };
    using Houses = std::vector<House>;
    static void work_out(Houses& houses);
    [[nodiscard]] const Houses& now() const;
    [[nodiscard]] Units available_below(std::size_t house,
                                        std::uint32_t resource,
                                        std::size_t top) const;

    std::vector<std::string> resources_;
    std::vector<Measure> measures_;
    mutable Houses houses_;
    mutable bool changed_ = false;
    Houses unused_;  // as if nobody used anything
};

}  // namespace weir::audit
