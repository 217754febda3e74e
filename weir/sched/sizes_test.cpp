// Jobs that may run in several sizes: which one they get, against asking for each alone, and that
// who follows what was decided goes on like who decided it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "weir/base/random.hpp"
#include "weir/sched/engine.hpp"

namespace weir::sched {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

fleet::Fleet two_pools() {
    fleet::Fleet fleet;
    fleet.sites = {{.name = "here"}};
    fleet::Pool pool;
    pool.name = "old";
    pool.site = "here";
    pool.chip = "a100";
    pool.nodes = 12;
    pool.chips_per_node = 8;
    fleet.pools = {pool, pool};
    fleet.pools[1].name = "new";
    fleet.pools[1].nodes = 6;
    fleet.pools[1].chip = "h100";
    return fleet;
}

fleet::Demand nodes_of(std::uint32_t nodes, PoolId pool) {
    fleet::Demand demand;
    demand.parts = {{.replicas = nodes, .each = {.chips = 8}}};
    demand.pools = {pool};
    return demand;
}

// A rigid job.
Request rigid(std::uint64_t id, std::uint32_t nodes, PoolId pool, Duration limit) {
    Request request;
    request.job = JobId{id};
    request.limit = limit;
    request.demand = nodes_of(nodes, pool);
    return request;
}

// Twice the nodes take somewhat more than half the time, and the second pool is faster.
Request elastic(std::uint64_t id, Random& random) {
    Request request;
    request.job = JobId{id};
    const std::int64_t work_s = random.between(600, 60'000);
    for (const PoolId pool : {PoolId{0}, PoolId{1}}) {
        const std::int64_t speed = pool == PoolId{0} ? 10 : 17;
        const std::uint32_t most = pool == PoolId{0} ? 12 : 6;
        for (std::uint32_t nodes = 1; nodes <= most; nodes *= 2) {
            const Duration takes = seconds(work_s * (11 + nodes) / (speed * nodes));
            request.sizes.push_back({nodes_of(nodes, pool), takes + takes / 8, takes});
        }
    }
    request.demand = request.sizes.front().demand;
    request.limit = request.sizes.front().limit;
    request.expected = request.sizes.front().takes;
    return request;
}

TEST(Sizes, TheOneThatEndsFirstIsChosen) {
    int waits = 0;
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        const Policy policy = policy_from_text("weir slack=0s slack_percent=0 plan_work=0").value();
        std::vector<Request> others;
        for (std::uint64_t id = 1; id <= 8; ++id) {
            const PoolId pool{static_cast<std::uint32_t>(random.between(0, 1))};
            others.push_back(rigid(id,
                                   static_cast<std::uint32_t>(random.between(1, 4)),
                                   pool,
                                   seconds(random.between(100, 20'000))));
        }
        const auto world = [&] {
            Engine engine(two_pools(), policy);
            std::vector<Decision> decisions;
            for (const Request& other : others) {
                engine.apply(JobSubmitted{other}, at_seconds(0));
                engine.decide(at_seconds(0), decisions);
            }
            return engine;
        };
        const Request request = elastic(100, random);
        // The slow way: a world for each size, in which the job has no other.
        Time first_end = never;
        std::vector<Time> ends;
        for (std::uint32_t size = 0; size < request.sizes.size(); ++size) {
            Engine engine = world();
            std::vector<Decision> decisions;
            engine.apply(JobSubmitted{settled(request, size)}, at_seconds(1));
            engine.decide(at_seconds(1), decisions);
            const Time start =
                engine.phase(request.job) == Phase::running
                    ? at_seconds(1)
                    : engine.find_promise(request.job, at_seconds(1), at_seconds(1)).at;
            ends.push_back(start == never ? never : start + request.sizes[size].takes);
            first_end = std::min(first_end, ends.back());
        }
        Engine engine = world();
        std::vector<Decision> decisions;
        engine.apply(JobSubmitted{request}, at_seconds(1));
        engine.decide(at_seconds(1), decisions);
        EXPECT_EQ(ends.at(engine.chosen_size(request.job)), first_end);
        waits += engine.phase(request.job) == Phase::pending ? 1 : 0;
    }
    EXPECT_GT(waits, 20);  // both ways were taken
    EXPECT_LT(waits, 280);
}

// Plays a world in which much happens, and calls `each(engine, decisions, now)` after every pass.
template <class Each>
void play(std::uint64_t seed, Engine& engine, Each each) {
    Random random(seed);
    std::multimap<Time, JobId> ends;
    std::map<JobId, Request> requests;
    std::map<JobId, std::uint32_t> size_of;
    for (std::uint64_t id = 1; id <= 120 || !ends.empty();) {
        Time now = at_seconds(static_cast<std::int64_t>(id) * 200);
        if (id > 120) now = ends.begin()->first;
        now = std::min(now, ends.empty() ? now : ends.begin()->first);
        now = std::min(now, engine.wakes_at());
        for (; !ends.empty() && ends.begin()->first <= now; ends.erase(ends.begin())) {
            const bool again = random.chance(0.1);
            engine.apply(
                JobEnded{ends.begin()->second, again ? Outcome::lost : Outcome::succeeded, again},
                now);
        }
        if (id <= 120 && now == at_seconds(static_cast<std::int64_t>(id) * 200)) {
            Request request = random.chance(0.4)
                                  ? elastic(id, random)
                                  : rigid(id,
                                          static_cast<std::uint32_t>(random.between(1, 6)),
                                          PoolId{static_cast<std::uint32_t>(random.between(0, 1))},
                                          seconds(random.between(60, 9000)));
            if (random.chance(0.1)) request.priority = job::Priority::high;
            requests[request.job] = request;
            engine.apply(JobSubmitted{request}, now);
            ++id;
        }
        std::vector<Decision> decisions;
        engine.decide(now, decisions);
        for (const Decision& decision : decisions) {
            if (const auto* stop = std::get_if<Preempt>(&decision.what)) {
                for (auto end = ends.begin(); end != ends.end();)
                    end = end->second == stop->job ? ends.erase(end) : std::next(end);
                engine.apply(JobEnded{stop->job, Outcome::cancelled, true}, now);
                continue;
            }
            const auto* const start = std::get_if<Start>(&decision.what);
            if (start == nullptr) continue;
            const Request& request = requests.at(start->job);
            if (!request.sizes.empty()) {
                const auto [known, is_first] = size_of.emplace(start->job, start->size);
                EXPECT_EQ(known->second, start->size) << "another attempt has another size";
                const fleet::Demand& demand = request.sizes.at(start->size).demand;
                std::uint64_t replicas = 0;
                for (const fleet::NodeRange& range : start->placement.ranges) {
                    EXPECT_EQ(range.pool, demand.pools.front());
                    replicas += std::uint64_t{range.count} * range.replicas;
                }
                EXPECT_EQ(replicas, demand.replicas());
            }
            const Request its = settled(request, start->size);
            const std::int64_t share = random.between(30, 100);
            ends.emplace(now + Duration{its.limit.count() * share / 100}, start->job);
        }
        each(decisions, now);
        if (testing::Test::HasFailure()) return;
    }
}

TEST(Sizes, NoPromiseIsBrokenForThem) {
    std::size_t earlier = 0;  // promises that became it
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Engine engine(two_pools(), policy_from_text("weir preempt=no reservations=4").value());
        std::map<JobId, Time> promised;
        play(seed, engine, [&](const std::vector<Decision>& decisions, Time now) {
            for (const Decision& decision : decisions) {
                if (const auto* reserve = std::get_if<Reserve>(&decision.what)) {
                    const auto known = promised.find(reserve->job);
                    if (known != promised.end()) {
                        EXPECT_LE(reserve->at, known->second);
                        ++earlier;
                    }
                    promised[reserve->job] = reserve->at;
                }
                if (const auto* start = std::get_if<Start>(&decision.what)) {
                    const auto known = promised.find(start->job);
                    if (known != promised.end()) {
                        EXPECT_LE(now, known->second);
                    }
                    promised.erase(start->job);
                }
            }
        });
        EXPECT_EQ(engine.counts().pending, 0U);
    }
    EXPECT_GT(earlier, 0U);
}

// The record of a hub, and a hub that comes back with it.
TEST(Sizes, WhoFollowsTheDecisionsGoesOnLikeWhoMadeThem) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const Policy policy = policy_from_text("weir reservations=2").value();
        Random random(seed);
        Random events(seed + 1000);
        Engine engine(two_pools(), policy);
        Engine follower(two_pools(), policy);
        std::multimap<Time, JobId> ends;
        bool both_decide = false;
        for (std::uint64_t id = 1; id <= 80; ++id) {
            const Time now = at_seconds(static_cast<std::int64_t>(id) * 500);
            std::vector<Event> heard;
            for (; !ends.empty() && ends.begin()->first <= now; ends.erase(ends.begin()))
                heard.push_back(JobEnded{ends.begin()->second});
            heard.push_back(JobSubmitted{
                events.chance(0.5) ? elastic(id, events)
                                   : rigid(id,
                                           static_cast<std::uint32_t>(events.between(1, 6)),
                                           PoolId{static_cast<std::uint32_t>(events.between(0, 1))},
                                           seconds(events.between(60, 9000)))});
            for (const Event& event : heard) {
                engine.apply(event, now);
                follower.apply(event, now);
            }
            if (random.chance(0.1)) {
                engine.begin_anew();
                follower.begin_anew();
                both_decide = true;
            }
            std::vector<Decision> decisions;
            engine.decide(now, decisions);
            if (both_decide) {
                std::vector<Decision> same;
                follower.decide(now, same);
            } else {
                for (const Decision& decision : decisions)
                    ASSERT_TRUE(follower.follow(decision, now)) << "job " << id;
            }
            ASSERT_EQ(follower.digest(), engine.digest()) << "after job " << id;
            for (const Decision& decision : decisions)
                if (const auto* start = std::get_if<Start>(&decision.what))
                    ends.emplace(now + seconds(events.between(60, 9000)), start->job);
        }
    }
}

// Twelve old nodes, of which eleven are taken for two hours, and six new ones, taken for nine.
struct Waits {
    explicit Waits(std::int64_t now_s = 0) : now(at_seconds(now_s)) {
        engine.apply(JobSubmitted{rigid(1, 11, PoolId{0}, seconds(7200))}, at_seconds(0));
        engine.apply(JobSubmitted{rigid(3, 6, PoolId{1}, seconds(32'400))}, at_seconds(0));
        decide();
        request = rigid(2, 1, PoolId{0}, seconds(36'000));
        request.sizes = {{nodes_of(1, PoolId{0}), seconds(36'000), seconds(30'000)},
                         {nodes_of(1, PoolId{1}), seconds(36'000), seconds(20'000)},
                         {nodes_of(8, PoolId{0}), seconds(5'000), seconds(3'600)}};
    }
    void submit() {
        engine.apply(JobSubmitted{request}, now);
        decide();
    }
    void decide() { engine.decide(now, decisions); }

    Engine engine{two_pools(), policy_from_text("weir slack=0s slack_percent=0").value()};
    std::vector<Decision> decisions;
    Time now;
    Request request;
};

TEST(Sizes, AreExplainedWithTheirPoolsAndEnds) {
    Waits world;
    world.submit();
    Engine& engine = world.engine;
    EXPECT_EQ(engine.chosen_size(JobId{2}), 2U);
    const Explanation why = engine.explain(JobId{2}, at_seconds(0));
    ASSERT_EQ(why.also.size(), 1U);
    EXPECT_EQ(why.also.front(),
              "of its sizes: with 64 chips (8 nodes of old), which could start in 2h 00m, it would "
              "end in 3h 00m; with 8 chips (1 node of old), now, in 8h 20m; with 8 chips (1 node "
              "of new), in 9h 00m, in 14h 33m");
    engine.apply(JobEnded{JobId{1}}, at_seconds(60));
    engine.decide(at_seconds(60), world.decisions);
    EXPECT_EQ(engine.phase(JobId{2}), Phase::running);
    EXPECT_THAT(engine.sizes_in_words(JobId{2}, at_seconds(90)),
                HasSubstr("with 64 chips (8 nodes of old), which could start now, it would end in "
                          "1h 00m"));
}

// The counterfactuals of a rigid job speak of replicas; nobody who has sizes asks for any.
TEST(Sizes, WhatWouldHelpIsSaidInSizesAndPools) {
    Waits world;
    world.request.sizes.erase(world.request.sizes.begin());  // on one old node it would start
    world.request.sizes.push_back({nodes_of(1, PoolId{0}), seconds(36'000), seconds(600)});
    // Somebody is promised the node that is left from half an hour on.
    world.engine.apply(JobSubmitted{rigid(4, 12, PoolId{0}, seconds(60))}, at_seconds(0));
    world.decide();
    world.submit();
    ASSERT_EQ(world.engine.phase(JobId{2}), Phase::pending);
    const std::vector<Size> elsewhere = {
        {nodes_of(1, PoolId{0}), seconds(900), seconds(700)},
        {nodes_of(9, PoolId{0}), seconds(400), seconds(300)},
    };
    const PoolId others[] = {PoolId{0}};
    const auto all = world.engine.counterfactuals(JobId{2}, others, world.now, elsewhere);
    const auto of = [&](Counterfactual::Change change) {
        for (const Counterfactual& each : all)
            if (each.change == change) return each.sentence;
        return std::string();
    };
    EXPECT_THAT(of(Counterfactual::Change::shorter_limit),
                HasSubstr("it would start now on 8 chips (1 node of old) with a time limit of "));
    EXPECT_THAT(of(Counterfactual::Change::shorter_limit),
                HasSubstr("; it probably takes 10m 00s so"));
    EXPECT_EQ(of(Counterfactual::Change::other_pool),
              "it would start now and end in 11m 40s on 8 chips (1 node of old) if a100 were "
              "accepted");
    EXPECT_THAT(of(Counterfactual::Change::others_end),
                HasSubstr("as it is there is room for 8 chips (1 node of"));
    for (const Counterfactual& each : all)
        EXPECT_THAT(each.sentence, Not(HasSubstr("replica")));
}

// A promise to a larger size is looked for in that, and is not broken because the first has none.
TEST(Sizes, APromiseIsFoundAgainInItsOwnSizeOrInAnotherByThen) {
    Waits world;
    world.request.sizes.erase(world.request.sizes.begin());
    world.submit();
    const auto by = [&](std::int64_t at_s, std::uint32_t size) {
        return world.engine.find_promise(JobId{2}, at_seconds(at_s), world.now, size);
    };
    EXPECT_EQ(by(7200, 1).at, at_seconds(7200));
    EXPECT_EQ(by(7200, 1).size, 1U);
    EXPECT_EQ(by(7200, 0).size, 1U) << "the other one starts by then";
    EXPECT_EQ(by(7200, Engine::no_size).size, 1U);
    EXPECT_EQ(by(40'000, 0).at, at_seconds(40'000));
    EXPECT_EQ(by(40'000, 0).size, 0U) << "it was promised that";
    EXPECT_EQ(by(100, 0).at, at_seconds(7200)) << "neither does: the one that ends first";
    EXPECT_EQ(by(100, 0).size, 1U);
}

// As if it had each size alone.
TEST(Sizes, WhatIsFoundForAPromiseIsTheBestOfAllSizes) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        const Policy policy = policy_from_text("weir slack=0s slack_percent=0 plan_work=0").value();
        std::vector<Request> others;
        for (std::uint64_t id = 1; id <= 8; ++id)
            others.push_back(rigid(id,
                                   static_cast<std::uint32_t>(random.between(1, 5)),
                                   PoolId{static_cast<std::uint32_t>(random.between(0, 1))},
                                   seconds(random.between(100, 20'000))));
        const Time now = at_seconds(0);
        const auto world = [&](const Request& request) {
            Engine engine(two_pools(), policy);
            std::vector<Decision> decisions;
            for (const Request& other : others)
                engine.apply(JobSubmitted{other}, now);
            engine.decide(now, decisions);
            engine.apply(JobSubmitted{request}, now);
            return engine;
        };
        const Request request = elastic(100, random);
        const auto size = static_cast<std::uint32_t>(
            random.between(0, static_cast<std::int64_t>(request.sizes.size()) - 1));
        const Time by = at_seconds(random.between(0, 20'000));
        std::vector<Time> alone;
        for (std::uint32_t each = 0; each < request.sizes.size(); ++each)
            alone.push_back(world(settled(request, each)).find_promise(request.job, by, now).at);
        const Reserve found = world(request).find_promise(request.job, by, now, size);
        EXPECT_EQ(found.at, alone.at(found.size));
        const Time earliest = *std::min_element(alone.begin(), alone.end());
        EXPECT_EQ(found.at <= by, earliest <= by);
        if (alone[size] <= by) {
            EXPECT_EQ(found.size, size);
        }
    }
}

TEST(Sizes, OfANumberThatAJobDoesNotHaveAreNotFollowed) {
    Engine engine(two_pools(), Policy::weir);
    Random random(1);
    engine.apply(JobSubmitted{elastic(1, random)}, at_seconds(0));
    const fleet::Placement one{{{.pool = PoolId{0}, .chip_mask = 255}}};
    EXPECT_FALSE(engine.follow({Start{JobId{1}, one, 99}, {}}, at_seconds(0)));
    EXPECT_FALSE(engine.follow({Start{JobId{1}, one, 1}, {}}, at_seconds(0)));  // that has two
    EXPECT_TRUE(engine.follow({Start{JobId{1}, one, 0}, {}}, at_seconds(0)));
}

}  // namespace
}  // namespace weir::sched
