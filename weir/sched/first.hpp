// What is remembered of who is first among those who wait: of each shape, and where there are loans
// of each line (jobs of one shape and one organisation).
//
// To find out anew who is first, lines are asked for their rights and places, and there may be
// hundreds of lines; a pass asks it of every shape, after nearly every event. But most events
// change nothing of it: who starts only takes rights away from others and moves back itself, and
// who ends moves its own house forward. So beside each answer lie the counts of those changes that
// could make it another one (Quotas::gains_of, moves_of, version_of; who joined or left), as they
// were. An answer that is still good is the one that would be found anew: that is a property in
// loans_test.cpp. How it is found, and what exactly keeps it good, is in first.cpp.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "weir/sched/job_table.hpp"
#include "weir/sched/quotas.hpp"
#include "weir/tenancy/fair_share.hpp"

namespace weir::sched {

// Who is first, and where it may start.
struct Front {
    tenancy::Standing standing;
    Rank rank;
    std::uint32_t slot = no_slot;
    KindSet allowed = every_kind;
    [[nodiscard]] bool found() const { return slot != no_slot; }
    [[nodiscard]] bool before(const Front& other) const {
        const auto order = standing <=> other.standing;
        return order != 0 ? order < 0 : rank < other.rank;
    }
};

// Of a shape; good while ...
struct FirstOfShape {
    Front front{};
    std::uint64_t joined_or_left = 0;  // ... nobody came or went ...
    std::uint64_t gains = 0;           // ... nobody has more rights or goes further ahead ...
    std::uint64_t version = 0;         // ... rights and order of the first one are as then ...
    Time until = Time::min();          // ... and, where there are loans, until that time ...
    Front later{};  // ... unless somebody who loses his right of now is before it by a later one
};

// Of a line, where there are loans.
struct FirstOfLine {
    Front front{};  // as it was when nobody had taken anything since; none: nobody has a chance
    Front later{};  // what would be if it lost its right of now, but owns something later
    bool has_right_now = false;  // the first in the queue has: others give it nothing more
    std::uint64_t changes = 0;   // good while nobody of the line came or went ...
    std::uint64_t gains = 0;     // ... nobody has more rights ...
    std::uint64_t moves = 0;     // ... or, with that right, nothing moves its house ...
    Time until = never;          // ... and until that time
};

struct Firsts {
    std::vector<FirstOfShape> of_shapes;
    std::vector<FirstOfLine> of_lines;

    void forget_line(std::uint32_t line) {
        if (line < of_lines.size()) of_lines[line] = {};
    }
};

}  // namespace weir::sched
