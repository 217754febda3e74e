// Timeline: how much of something will be free, over time, in one place.
//
// A level that changes at known moments: what runs ends, what was promised begins and ends. The
// question "from when on are so many free for so long?" costs O(log changes) for every dip that
// stands in the way, because each stretch of changes knows its sum and the lowest and highest level
// it reaches (the idea of Fluxion's planner, with one tree instead of two; see sequence.hpp).
//
//     level  ──┐   ┌──────┐     ┌─────►
//              └───┘      └─────┘          earliest(from, duration, amount)
//
// It counts (chips, CPUs, milliwatts); which nodes they are on is the business of Plan. As counts,
// its answers are bounds: never later than the truth.
//
// Threads: one at a time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "weir/base/time.hpp"
#include "weir/sched/sequence.hpp"

namespace weir::sched {

class Timeline {
public:
    explicit Timeline(std::int64_t level = 0) : level_(level) {}

    // The level of all times changes.
    void raise(std::int64_t by) { level_ += by; }
    // The level changes by so much from `at` on. What was added is taken back by adding its
    // opposite.
    void add(Time at, std::int64_t by);

    [[nodiscard]] std::int64_t at(Time time) const;
    // The lowest level in [from, until).
    [[nodiscard]] std::int64_t least(Time from, Time until) const;
    // The first time from `from` on at which the level is `amount` or more for all of `duration`;
    // `never` if there is none.
    [[nodiscard]] Time earliest(Time from, Duration duration, std::int64_t amount) const;

    // When it changes first; `never` if it does not.
    [[nodiscard]] Time first_change() const { return first_change_; }
    // Calls visit(time, change) for each change after `from`, in order, while it says true.
    template <class Visit>
    void walk_after(Time from, Visit visit) const {
        changes_.walk_after(from,
                            [&](const Change& change) { return visit(change.at, change.by); });
    }

    [[nodiscard]] std::size_t changes() const { return changes_.size(); }

private:
    struct Change {
        Time at;
        std::int64_t by = 0;
        [[nodiscard]] Time key() const { return at; }
    };
    // Levels are relative to the one before the stretch; those of no change are out of all reach.
    struct Levels {
        static constexpr std::int64_t beyond = std::int64_t{1} << 61;
        std::int64_t sum = 0;
        std::int64_t lowest = beyond;
        std::int64_t highest = -beyond;

        static Levels of(const Change& change) { return {change.by, change.by, change.by}; }
        [[nodiscard]] Levels then(const Levels& next) const {
            return {sum + next.sum,
                    std::min(lowest, sum + next.lowest),
                    std::max(highest, sum + next.highest)};
        }
    };
    // The first change after `from`, before which the level is `level`, from which on it is below
    // (is at least) `amount`.
    [[nodiscard]] Time next_below(Time from, std::int64_t level, std::int64_t amount) const;
    [[nodiscard]] Time next_reaching(Time from, std::int64_t level, std::int64_t amount) const;

    std::int64_t level_;  // before the first change
    // Nearly all that is asked of what changes in future is asked of the present, and thousands of
    // racks are asked at once: the answer lies here, and not at the end of two pointers.
    Time first_change_ = never;
    Sequence<Change, Levels> changes_;
};

// What is held in [from, until) of one timeline after another; Time::min(): from now on. What
// neighbours in a row hold is added up, and the timeline is told once.
class Held {
public:
    Held(Time from, Time until) : from_(from), until_(until) {}
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() { tell(); }

    void hold(Timeline& timeline, std::int64_t amount) {
        if (timeline_ != &timeline) {
            tell();
            timeline_ = &timeline;
        }
        amount_ += amount;
    }
    // What was not told yet; the end of its life does it, too.
    void tell() {
        if (amount_ == 0) return;
        if (from_ == Time::min()) {
            timeline_->raise(-amount_);
        } else {
            timeline_->add(from_, -amount_);
        }
        if (until_ != never) timeline_->add(until_, amount_);
        amount_ = 0;
    }

private:
    Time from_;
    Time until_;
    Timeline* timeline_ = nullptr;
    std::int64_t amount_ = 0;
};

}  // namespace weir::sched
