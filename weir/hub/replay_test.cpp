// The replay of journals as they should be, and as they should never be.
#include "weir/hub/replay.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "weir/base/random.hpp"
#include "weir/hub/hub_world.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace weir::hub {
namespace {

// A journal with every kind of entry that a hub writes: gangs, arrays, dependencies, retries,
// cancellations, another fleet.
std::vector<store::Entry> eventful_journal(std::uint64_t seed) {
    Random random(seed);
    HubWorld world(small_fleet(3));
    EXPECT_TRUE(world.open());
    for (int i = 0; i < 40; ++i) {
        Submission submission =
            submission_of("job-" + std::to_string(i),
                          static_cast<std::uint32_t>(random.between(1, i < 20 ? 3 : 2)),
                          static_cast<std::uint32_t>(random.between(0, 4)));
        submission.spec.retries = 1;
        if (random.chance(0.2)) {
            submission.spec.array = job::Array{.indices = {1, 2}, .at_once_max = 1};
        }
        if (i > 3 && random.chance(0.3)) submission.spec.after = {"job-" + std::to_string(i - 2)};
        EXPECT_TRUE(world.submit(submission));
        if (i > 0 && random.chance(0.1)) {
            EXPECT_TRUE(world.cancel(std::to_string(i)));
        }
        for (const exec::AttemptId id : world.executor.alive()) {
            if (random.chance(0.5)) continue;
            world.report(random.chance(0.2)
                             ? world.executor.lose(id, world.now)
                             : world.executor.finish(id, random.chance(0.2) ? 1 : 0, world.now));
        }
        if (i == 20) {
            for (const exec::AttemptId id : world.executor.alive()) {
                world.executor.finish(id, 0, world.now);
            }
            world.fleet = small_fleet(2);
            world.options.policy = sched::Policy::fcfs;
            EXPECT_TRUE(world.open());
        }
    }
    std::vector<store::Entry> entries;
    EXPECT_TRUE(world.memory.replay(1, [&entries](const store::Entry& entry) -> Result<void> {
        entries.push_back(entry);
        return {};
    }));
    return entries;
}

Result<void> fill(store::MemoryStore& store, std::vector<store::Entry> entries) {
    store::Batch batch{std::move(entries), {}};
    return store.append(batch);
}

Result<ReplayReport> replay_of(std::vector<store::Entry> entries) {
    store::MemoryStore store;
    WEIR_CHECK(fill(store, std::move(entries)));
    return replay(store, nullptr);
}

// As recovery reads it. What it lets through must be a book with which a hub could go on.
Result<ReplayReport> follow(std::vector<store::Entry> entries) {
    store::MemoryStore store;
    WEIR_CHECK(fill(store, std::move(entries)));
    Book book;
    WEIR_TRY(const ReplayReport report, follow_into(book, store));
    if (book.begun()) (void)book.decide(report.last, true);
    return report;
}

TEST(Replay, TakesEveryDecisionOfAnEventfulJournalAgain) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const auto report = replay_of(eventful_journal(seed));
        ASSERT_TRUE(report) << report.error().message;
        EXPECT_FALSE(report->difference) << report->difference->sentence;
        EXPECT_GT(report->starts, 20U);
        EXPECT_GT(report->steps, 40U);
    }
}

TEST(Replay, FollowsTheSameJournalToTheSameDigest) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const std::vector<store::Entry> entries = eventful_journal(seed);
        const auto decided = replay_of(entries);
        const auto followed = follow(entries);
        ASSERT_TRUE(decided && followed) << followed.error().message;
        EXPECT_EQ(followed->digest, decided->digest);
        EXPECT_EQ(followed->starts, decided->starts);
        EXPECT_EQ(followed->ended, decided->ended);
    }
}

TEST(Replay, SaysSoWhenAJournalWasDamagedAndNeverDies) {
    Random random(20261124);
    int noticed = 0;
    constexpr int damages = 600;
    std::vector<store::Entry> good;
    for (int i = 0; i < damages; ++i) {
        if (i % 30 == 0) good = eventful_journal(random.word());
        std::vector<store::Entry> entries = good;
        const auto any = [&] {
            return static_cast<std::size_t>(
                random.between(0, static_cast<std::int64_t>(entries.size()) - 1));
        };
        switch (random.between(0, 4)) {
            case 0:
                entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(any()));
                break;
            case 1:
                entries.insert(entries.begin() + static_cast<std::ptrdiff_t>(any()),
                               entries[any()]);
                break;
            case 2:
                std::swap(entries[any()], entries[any()]);
                break;
            case 3: {  // another digit somewhere
                std::string& body = entries[any()].body;
                const auto digit =
                    body.find_first_of("0123456789",
                                       static_cast<std::size_t>(random.between(
                                           0, static_cast<std::int64_t>(body.size()))));
                if (digit == std::string::npos) continue;
                body[digit] = static_cast<char>('0' + random.between(0, 9));
                break;
            }
            default: {  // a number becomes another one
                std::string& body = entries[any()].body;
                const auto digit = body.find_first_of("0123456789");
                if (digit == std::string::npos) continue;
                body.insert(digit, std::to_string(random.between(1, 1'000'000'000)));
                break;
            }
        }
        (void)follow(entries);
        const auto report = replay_of(std::move(entries));
        if (!report || report->difference) ++noticed;
    }
    // Not every damage shows: a user's name, the text of a description, an entry at the very end.
    EXPECT_GT(noticed, damages / 3);
}

TEST(Replay, ReadsWhatIsLeftOfDamagedEntriesAsTheFuzzerWould) {
    Random random(3);
    const std::vector<store::Entry> entries = eventful_journal(3);
    for (const store::Entry& entry : entries) {
        for (unsigned kind = 0; kind < 14; ++kind) {
            std::string input = static_cast<char>(kind) + entry.body;
            EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()),
                                             input.size()),
                      0);
            input.resize(static_cast<std::size_t>(
                random.between(1, static_cast<std::int64_t>(input.size()))));
            EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()),
                                             input.size()),
                      0);
        }
    }
}

}  // namespace
}  // namespace weir::hub
