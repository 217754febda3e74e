// BookClock: the time that goes into the journal. It never goes back and never stands still.
//
// The wall clock does both: it may be wrong at boot (a machine without a battery says 1970 or
// 2030) and is set right later. When it is behind what the journal already says, the book's time
// goes on by the steady clock instead, a little slower than real time, until the wall clock has
// caught up; that may be never. So limits and reservations keep their length: a clock that stood
// still would take every running job for one that has only begun. Slower, not faster: a job then
// ends before the book expects it, and no reservation comes too late.
//
// It reads no clock (wall_clock.hpp does), so tests drive it. Threads: one at a time.
#pragma once

#include <algorithm>

#include "weir/base/time.hpp"

namespace weir::hub {

// One reading of both clocks.
struct Moment {
    Time wall{};        // UTC, since the Unix epoch; jumps when somebody sets the clock
    Duration steady{};  // never goes back; only differences mean something
};

class BookClock {
public:
    Time read(const Moment& moment) {
        const Duration passed = moment.steady - anchored_at_;
        const Time by_steady = anchor_ + (passed - passed / slower_by);
        last_ = moment;
        if (moment.wall >= by_steady) {
            anchor(moment.wall);
            time_ = std::max(time_, moment.wall);
        } else {
            time_ = std::max(time_, by_steady);
        }
        return time_;
    }

    // The journal has an entry of this time. Requires: read() was called.
    Time not_before(Time at) {
        if (at > time_) anchor(time_ = at);
        return time_;
    }

    // How far the book is before the wall clock.
    [[nodiscard]] Duration ahead() const { return time_ - last_.wall; }

private:
    static constexpr int slower_by = 32;  // an hour is caught up in a day and a half

    void anchor(Time at) {
        anchor_ = at;
        anchored_at_ = last_.steady;
    }

    Time time_ = Time::min();
    Time anchor_ = Time::min();  // what the book said when the steady clock said anchored_at_
    Duration anchored_at_{};
    Moment last_;
};

}  // namespace weir::hub
