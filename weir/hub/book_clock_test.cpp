// Clocks that are set, and the time of the book meanwhile.
#include "weir/hub/book_clock.hpp"

#include <gtest/gtest.h>

#include "weir/base/random.hpp"

namespace weir::hub {
namespace {

TEST(BookClock, IsTheWallClockWhileThatGoesForward) {
    BookClock clock;
    EXPECT_EQ(clock.read({at_seconds(100), seconds(5)}), at_seconds(100));
    EXPECT_EQ(clock.read({at_seconds(103), seconds(8)}), at_seconds(103));
    EXPECT_EQ(clock.read({at_seconds(900), seconds(9)}), at_seconds(900)) << "the machine slept";
    EXPECT_EQ(clock.ahead(), seconds(0));
}

TEST(BookClock, GoesOnWhenTheWallClockIsSetBackAndMeetsItAgain) {
    BookClock clock;
    clock.read({at_seconds(4000), seconds(0)});
    const Time after = clock.read({at_seconds(1000), seconds(320)});
    EXPECT_EQ(after, at_seconds(4310));
    EXPECT_EQ(clock.ahead(), seconds(3310));
    const std::int64_t met = 3000 * 32 + 32;
    EXPECT_EQ(clock.read({at_seconds(1000 + met), seconds(met)}), at_seconds(1000 + met));
}

TEST(BookClock, GoesOnFromAJournalOfTheFutureAfterARestart) {
    BookClock clock;
    clock.read({at_seconds(1000), seconds(7)});
    EXPECT_EQ(clock.not_before(at_seconds(500)), at_seconds(1000));
    EXPECT_EQ(clock.not_before(at_seconds(9000)), at_seconds(9000));
    EXPECT_EQ(clock.read({at_seconds(1032), seconds(39)}), at_seconds(9031));
}

TEST(BookClock, NeverGoesBackAndNeverFallsBehindRealTimeByMoreThanItsSlowness) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        Random random(seed);
        BookClock clock;
        Moment moment{at_seconds(1'000'000), seconds(random.between(0, 100))};
        Time last = clock.read(moment);
        for (int i = 0; i < 200; ++i) {
            const Duration passed{random.between(0, 100'000)};
            moment.steady += passed;
            moment.wall += passed;
            if (random.chance(0.1)) moment.wall += Duration{random.between(-4'000'000, 4'000'000)};
            const Time now = clock.read(moment);
            ASSERT_GE(now - last, passed - passed / 32 - Duration{2}) << "seed " << seed;
            ASSERT_GE(now, moment.wall);
            last = now;
        }
    }
}

}  // namespace
}  // namespace weir::hub
