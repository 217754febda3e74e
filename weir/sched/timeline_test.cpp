// The tree of changes against a plain list of them.
#include "weir/sched/timeline.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "weir/base/random.hpp"

namespace weir::sched {
namespace {

// The level at every second of a small world.
struct Plain {
    std::int64_t level = 0;
    std::map<Time, std::int64_t> changes;

    std::int64_t at(Time time) const {
        std::int64_t sum = level;
        for (const auto& [when, by] : changes)
            if (when <= time) sum += by;
        return sum;
    }
    std::int64_t least(Time from, Time until) const {
        std::int64_t low = at(from);
        for (const auto& [when, by] : changes)
            if (when > from && when < until) low = std::min(low, at(when));
        return low;
    }
    Time earliest(Time from, Duration duration, std::int64_t amount) const {
        std::vector<Time> starts{from};
        for (const auto& [when, by] : changes)
            if (when > from) starts.push_back(when);
        for (const Time start : starts) {
            const Time until = duration >= forever ? never : start + duration;
            if (least(start, until) >= amount) return start;
        }
        return never;
    }
};

TEST(Timeline, AgreesWithAPlainListWhateverIsAddedAndTakenBack) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        SCOPED_TRACE(seed);
        Random random(seed);
        Plain plain;
        plain.level = random.between(0, 20);
        Timeline timeline(plain.level);
        std::vector<std::pair<Time, std::int64_t>> added;
        for (int step = 0; step < 60; ++step) {
            if (!added.empty() && random.chance(0.3)) {
                const auto which = static_cast<std::size_t>(
                    random.between(0, static_cast<std::int64_t>(added.size()) - 1));
                const auto [at, by] = added[which];
                timeline.add(at, -by);
                plain.changes[at] -= by;
                added.erase(added.begin() + static_cast<std::ptrdiff_t>(which));
            } else {
                const Time at = at_seconds(random.between(0, 40));
                const std::int64_t by = random.between(-6, 6);
                timeline.add(at, by);
                plain.changes[at] += by;
                added.emplace_back(at, by);
            }
            const Time from = at_seconds(random.between(0, 45));
            const Time until = from + seconds(random.between(1, 20));
            const std::int64_t amount = random.between(0, 25);
            const Duration duration = random.chance(0.1) ? forever : seconds(random.between(1, 20));
            ASSERT_EQ(timeline.at(from), plain.at(from));
            ASSERT_EQ(timeline.least(from, until), plain.least(from, until));
            ASSERT_EQ(timeline.earliest(from, duration, amount),
                      plain.earliest(from, duration, amount));
        }
        for (const auto& [at, by] : added)
            timeline.add(at, -by);
        EXPECT_EQ(timeline.changes(), 0U);
    }
}

}  // namespace
}  // namespace weir::sched
