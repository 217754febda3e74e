// See timeline.hpp. Invariant: no change is by 0.
#include "weir/sched/timeline.hpp"

namespace weir::sched {

void Timeline::add(Time at, std::int64_t by) {
    if (by == 0) return;
    bool emptied = false;
    const bool known = changes_.change(at, [&](Change& change) {
        change.by += by;
        emptied = change.by == 0;
    });
    if (!known) changes_.insert({at, by});
    if (emptied) changes_.erase(at);
    if (!known || emptied) first_change_ = changes_.empty() ? never : changes_.front().at;
}

std::int64_t Timeline::at(Time time) const {
    return time < first_change_ ? level_ : level_ + changes_.up_to(time).sum;
}

Time Timeline::next_below(Time from, std::int64_t level, std::int64_t amount) const {
    const Change* const change = changes_.first(
        &from, {.sum = level}, [amount](const Levels& before, const Levels& stretch) {
            return before.sum + stretch.lowest < amount;
        });
    return change == nullptr ? never : change->at;
}

Time Timeline::next_reaching(Time from, std::int64_t level, std::int64_t amount) const {
    const Change* const change = changes_.first(
        &from, {.sum = level}, [amount](const Levels& before, const Levels& stretch) {
            return before.sum + stretch.highest >= amount;
        });
    return change == nullptr ? never : change->at;
}

std::int64_t Timeline::least(Time from, Time until) const {
    const std::int64_t level = at(from);
    if (until <= first_change_) return level;
    return level + std::min<std::int64_t>(changes_.between(from, until).lowest, 0);
}

Time Timeline::earliest(Time from, Duration duration, std::int64_t amount) const {
    Time start = from;
    std::int64_t level = at(from);
    if (level < amount) {
        start = next_reaching(from, level, amount);
        level = at(start);
    }
    while (start != never) {
        const Time dip = next_below(start, level, amount);
        if (dip == never || (duration < forever && dip >= start + duration)) return start;
        start = next_reaching(dip, at(dip), amount);
        level = at(start);
    }
    return never;
}

}  // namespace weir::sched
