// Running: who runs, and what the rules of time ask about them all: did somebody outlive his limit,
// and who becomes old enough to be stopped next.
//
// A million chips run a hundred thousand jobs, and each start and end comes here; so these are flat
// lists, and what is taken out of the middle of one is only noted.
//
// Threads: one at a time. Cost: O(1) to join, O(log n) to leave, both amortized.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "weir/base/assert.hpp"
#include "weir/base/time.hpp"

namespace weir::sched {

class Running {
public:
    // Requires: nobody who joined before started later, for O(1).
    void join(std::uint32_t slot, Time started_at, Time end_by) {
        if (slot >= places_.size()) places_.resize(slot + 1 + slot / 2, 0);
        places_[slot] = static_cast<std::uint32_t>(slots_.size());
        slots_.push_back(slot);
        if (end_by != never) ends_.push(end_by);
        auto place = starts_.end();
        while (place != starts_.begin() && std::prev(place)->at > started_at)
            --place;
        if (place != starts_.begin() && std::prev(place)->at == started_at) {
            if (std::prev(place)->count++ == 0) --starts_empty_;
        } else {
            starts_.insert(place, {started_at, 1});
        }
    }
    // Requires: it joined with these times.
    void leave(std::uint32_t slot, Time started_at, Time end_by) {
        const std::uint32_t place = places_[slot];
        WEIR_ASSERT(slots_[place] == slot);
        slots_[place] = slots_.back();
        places_[slots_[place]] = place;
        slots_.pop_back();
        forget_end(end_by);
        const auto its = first_start_from(started_at);
        WEIR_ASSERT(its != starts_.end() && its->at == started_at);
        --its->count;
        if (its->count == 0 && ++starts_empty_ > starts_.size() / 2) {
            std::erase_if(starts_, [](const Starts& each) { return each.count == 0; });
            starts_empty_ = 0;
        }
    }
    // It is to end earlier.
    void change_end(Time before, Time after) {
        forget_end(before);
        ends_.push(after);
    }

    // In no order.
    [[nodiscard]] const std::vector<std::uint32_t>& slots() const { return slots_; }

    // Whether somebody who should have ended in (after, now] still runs. Requires: `now` never goes
    // back.
    [[nodiscard]] bool outlived(Time after, Time now) {
        while (!ends_.empty() && ends_.top() <= now) {
            const Time end = ends_.top();
            ends_.pop();
            if (!gone_.empty() && gone_.top() == end) {
                gone_.pop();
            } else {
                overdue_.insert(std::upper_bound(overdue_.begin(), overdue_.end(), end), end);
            }
        }
        return !overdue_.empty() && overdue_.back() > after;
    }
    // When the first of those started who started after `after`; `never` if nobody did.
    [[nodiscard]] Time next_start(Time after) const {
        auto its = first_start_from(after + Duration{1});
        while (its != starts_.end() && its->count == 0)
            ++its;
        return its == starts_.end() ? never : its->at;
    }

private:
    struct Starts {
        Time at;
        std::uint32_t count = 0;
    };
    using Earliest = std::priority_queue<Time, std::vector<Time>, std::greater<>>;

    template <class List>
    static auto first_from(List& list, Time at) {
        return std::lower_bound(
            list.begin(), list.end(), at, [](const Starts& a, Time b) { return a.at < b; });
    }
    [[nodiscard]] std::deque<Starts>::iterator first_start_from(Time at) {
        return first_from(starts_, at);
    }
    [[nodiscard]] std::deque<Starts>::const_iterator first_start_from(Time at) const {
        return first_from(starts_, at);
    }
    void forget_end(Time end) {
        if (end == never) return;
        const auto its = std::lower_bound(overdue_.begin(), overdue_.end(), end);
        if (its != overdue_.end() && *its == end) {
            overdue_.erase(its);
        } else {
            gone_.push(end);
        }
    }

    std::vector<std::uint32_t> slots_;
    std::vector<std::uint32_t> places_;  // slot -> position in slots_
    Earliest ends_;                      // by limits; those in gone_ left before
    Earliest gone_;                      // each of them is also in ends_
    std::vector<Time> overdue_;          // ends that are over, of those who still run; ascending
    std::deque<Starts> starts_;          // by time; those with count 0 are gone
    std::size_t starts_empty_ = 0;
};

}  // namespace weir::sched
