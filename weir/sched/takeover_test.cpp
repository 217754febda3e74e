// What may be asked of an engine between its passes, and what it tells of promises.
#include <gtest/gtest.h>

#include "weir/base/random.hpp"
#include "weir/sched/engine.hpp"

namespace weir::sched {
namespace {

fleet::Fleet sixteen_nodes() {
    fleet::Fleet fleet;
    fleet.sites = {{.name = "here"}};
    fleet::Pool pool;
    pool.name = "main";
    pool.site = "here";
    pool.chip = "a100";
    pool.nodes = 16;
    pool.chips_per_node = 4;
    fleet.pools = {pool};
    return fleet;
}

Request request_of(std::uint64_t id, std::uint32_t replicas, std::uint32_t chips, Duration limit) {
    Request request;
    request.job = JobId{id};
    request.limit = limit;
    request.demand.parts = {{.replicas = replicas, .each = {.chips = chips}}};
    request.demand.pools = {PoolId{0}};
    return request;
}

// A replay hears no questions. The budget for planning is short here, so that what a search costs
// decides who is promised something.
TEST(Engine, DecidesTheSameWhateverItWasAskedBetween) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        const Policy policy = policy_from_text("conservative plan_work=3").value();
        Engine silent(sixteen_nodes(), policy);
        Engine asked(sixteen_nodes(), policy);
        std::vector<JobId> running;
        for (std::uint64_t id = 1; id <= 60; ++id) {
            const Time now = at_seconds(static_cast<std::int64_t>(id) * 10);
            const Request request = request_of(id,
                                               static_cast<std::uint32_t>(random.between(1, 12)),
                                               static_cast<std::uint32_t>(random.between(1, 12)),
                                               seconds(random.between(1, 400)));
            std::vector<Event> events{JobSubmitted{request}};
            if (!running.empty() && random.chance(0.6)) {
                const auto one = static_cast<std::size_t>(
                    random.between(0, static_cast<std::int64_t>(running.size()) - 1));
                events.push_back(JobEnded{running[one]});
                running.erase(running.begin() + static_cast<std::ptrdiff_t>(one));
            }
            std::vector<Decision> decisions;
            std::vector<Decision> same;
            for (const Event& event : events) {
                silent.apply(event, now);
                asked.apply(event, now);
            }
            silent.decide(now, decisions);
            asked.decide(now, same);
            ASSERT_EQ(asked.digest(), silent.digest()) << "after job " << id;
            for (const Decision& decision : decisions)
                if (const auto* start = std::get_if<Start>(&decision.what))
                    running.push_back(start->job);
            for (std::uint64_t other = 1; other <= id; ++other) {
                (void)asked.estimate(JobId{other}, now);
                (void)asked.explain(JobId{other}, now);
                (void)asked.find_promise(JobId{other}, now + seconds(100), now);
            }
            Request dated = request;
            dated.deadline = now + seconds(1000);
            (void)asked.can_meet_deadline(dated, now);
        }
    }
}

TEST(Engine, FindsForAPromiseItsTimeElseTheNextAndNothingWhereNothingIsPromised) {
    const Time now = at_seconds(0);
    for (const char* const name : {"easy", "fcfs"}) {
        Engine engine(sixteen_nodes(), policy_from_text(name).value());
        engine.apply(JobSubmitted{request_of(1, 12, 4, seconds(100))}, now);
        std::vector<Decision> decisions;
        engine.decide(now, decisions);
        engine.apply(JobSubmitted{request_of(2, 16, 4, seconds(50))}, now);
        const auto by = [&](std::int64_t at) {
            return engine.find_promise(JobId{2}, at_seconds(at), now).at;
        };
        const bool promises = std::string(name) == "easy";
        EXPECT_EQ(by(130), promises ? at_seconds(130) : never);
        EXPECT_EQ(by(100), promises ? at_seconds(100) : never);
        EXPECT_EQ(by(70), promises ? at_seconds(100) : never) << "no room before";
        EXPECT_EQ(engine.find_promise(JobId{1}, now, now).at, never) << "it runs";
    }
}

// Who is being stopped is taken over before the job that it is stopped for.
TEST(Engine, KeepsTheRoomOfAJobThatItTakesOverUntilItsVictimsAreGone) {
    Engine engine(sixteen_nodes(), Policy::easy);
    const auto runs = [&](std::uint64_t id, std::uint32_t first, std::uint32_t nodes) {
        engine.apply(JobSubmitted{request_of(id, nodes, 4, seconds(1000))}, at_seconds(0));
        const fleet::NodeRange range{.pool = PoolId{0},
                                     .first = first,
                                     .count = nodes,
                                     .replicas = 1,
                                     .part = 0,
                                     .chip_mask = 0xf};
        ASSERT_TRUE(engine.follow({Start{JobId{id}, {{range}}}, {.cause = Cause::fits_now}},
                                  at_seconds(0)));
    };
    runs(1, 0, 8);
    runs(2, 8, 7);
    engine.resume_preemption(JobId{1}, JobId{3}, at_seconds(1));
    std::vector<Decision> decisions;
    const auto starts = [&](std::uint64_t id, std::uint32_t nodes, Time now) {
        engine.apply(JobSubmitted{request_of(id, nodes, 4, seconds(10))}, now);
        engine.decide(now, decisions);
        return engine.phase(JobId{id}) == Phase::running;
    };
    EXPECT_FALSE(starts(3, 16, at_seconds(2)));
    EXPECT_FALSE(starts(4, 1, at_seconds(3)));  // although it would end long before
    engine.apply(JobEnded{JobId{1}}, at_seconds(4));
    engine.decide(at_seconds(4), decisions);
    EXPECT_EQ(engine.phase(JobId{4}), Phase::running);  // others keep it waiting anyway
    EXPECT_TRUE(starts(5, 1, at_seconds(5)));
}

}  // namespace
}  // namespace weir::sched
