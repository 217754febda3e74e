// Checker: reads the event log of a run and says whether the run kept the rules.
//
// It judges and never predicts: it does not ask whether a better decision was possible, only
// whether the one that was taken kept what was promised. It knows the fleet, what was asked and
// what was held, each in books of its own (books.hpp), and nothing of the scheduler.
//
//     Checker checker;
//     for each line: checker.add(record, line_number);
//     const Report& report = checker.finish();
//
// Where organisations have rights, what each one owns, lends and borrows is worked out again
// (quota_books.hpp) and every start and every stop for others is held against it. A loan moves what
// is owned (loan_books.hpp), so rights are judged for all of the time in which a job may run.
//
// A promise of a start may be broken only for a listed excuse that came between the promise and
// the start; both are counted. A log may hold several runs; each Header begins anew.
//
// Where a log counts where its chip-seconds went, that is counted again (waterfall_books.hpp) and
// compared: class by class, of every pool, site and tenant, and of every job.
//
// Threads: one at a time. Cost of a start or end: the nodes it touches.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weir/audit/log_format.hpp"

namespace weir::audit {

enum class Rule : std::uint8_t {
    sense,         // the log is a possible history
    capacity,      // no node holds more than it has
    gang,          // whole, in accepted pools
    domain,        // as near together as it asks
    once,          // one attempt at a time
    dependencies,  // after what it waits for
    health,        // on nodes in service
    reservations,  // nodes set apart
    arrays,        // members at once
    limits,        // nobody runs longer than allowed
    promises,      // starts no later than promised
    power,         // watts under their caps
    preemption,    // whom, when and how often
    replacement,   // a gang that goes on keeps its other nodes
    deadlines,     // who was admitted with one ends by it
    waterfall,     // where every chip-second went
    contract,      // nothing on chips that a precision contract forbids
    quota,         // what organisations may use, at every level
    reclaim,       // who gives back what owners want
    data,          // what is read lies where it is read
    loan,          // lenders get back what they lend, and borrowers have it until then
    sizes,         // one of those that were offered, and the same again
};
inline constexpr std::size_t rules = 22;
std::string_view name_of(Rule rule);
std::string_view sentence_of(Rule rule);

// What may break a promise, or (owner_came) a limit on borrowing.
enum class Excuse : std::uint8_t {
    none,
    node_lost,
    cap_lowered,
    reservation_made,
    higher_class,
    own_array,
    owner_came,  // and took what is its own, so that a house is over its limits for a time
    loan_moved   // quota that it counted on
};
inline constexpr std::size_t excuses = 8;
std::string_view name_of(Excuse excuse);

struct Violation {
    std::uint64_t line = 0;
    std::string sentence;
};

struct Verdict {  // on one rule
    std::uint64_t checked = 0;
    std::uint64_t violated = 0;
    std::vector<Violation> first;  // at most violations_shown
};

// What the header of a run does not say, and what nobody can check without it.
struct Unsaid {
    std::uint64_t line = 0;  // of the header
    std::string sentence;
};

struct Report {
    std::uint64_t lines = 0;
    std::uint64_t runs = 0;
    std::uint64_t jobs = 0;
    std::uint64_t starts = 0;
    std::uint64_t ends = 0;
    std::array<Verdict, rules> verdicts;
    std::array<std::uint64_t, excuses> excused{};  // promises, deadlines and limits, by excuse
    // Of each run that counted, as the checker finds it: the pools' sum at its last line.
    std::vector<Split> waterfalls;

    std::vector<Unsaid> unsaid;

    [[nodiscard]] const Verdict& of(Rule rule) const {
        return verdicts[static_cast<std::size_t>(rule)];
    }
    [[nodiscard]] bool clean() const;
};

class Checker {
public:
    static constexpr std::size_t violations_shown = 20;
    // An executor needs a moment to end what has reached its limit.
    static constexpr Duration tolerance = seconds(1);

    Checker();
    ~Checker();
    Checker(Checker&&) noexcept;
    Checker& operator=(Checker&&) noexcept;

    void add(const Record& record, std::uint64_t line);
    // What is still open when the log ends is judged up to its last moment.
    const Report& finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace weir::audit
