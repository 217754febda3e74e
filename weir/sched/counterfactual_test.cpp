// What a job is told would help, helps: in worlds of every kind the change is made and the job
// starts at once.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>

#include "weir/base/random.hpp"
#include "weir/sched/engine.hpp"

namespace weir::sched {
namespace {

using Change = Counterfactual::Change;

fleet::Pool pool_of(const std::string& name, const std::string& chip, std::uint32_t nodes) {
    fleet::Pool pool;
    pool.name = name;
    pool.site = "here";
    pool.chip = chip;
    pool.nodes = nodes;
    pool.chips_per_node = 4;
    pool.cpus_milli = 16'000;
    return pool;
}

fleet::Fleet two_chips(bool budgets) {
    fleet::Fleet fleet;
    fleet.sites = {{.name = "here"}};
    fleet.pools = {pool_of("p", "a", 6), pool_of("q", "b", 4)};
    fleet.pools[0].nodes_per_rack = 2;
    if (budgets) {
        fleet.pools[0].node_idle_watts = 100;
        fleet.pools[0].node_busy_watts = 500;
        fleet.pools[0].rack_power_watts = 800;
    }
    return fleet;
}

// Two organisations; of the second kind of chip nobody owns any.
tenancy::Organisations small_town() {
    tenancy::Organisations town{.resources = {}, .tenants = {{}}};
    town.resources = {{tenancy::Resource::Kind::chips, "a"}, {tenancy::Resource::Kind::chips, "b"}};
    town.tenants.push_back({.path = "lab",
                            .parent = TenantId{0},
                            .quota = {{0, 16'000}, {1, 8'000}},
                            .lend = {{0, 8'000}}});
    town.tenants.push_back({.path = "shop",
                            .parent = TenantId{0},
                            .quota = {{0, 8'000}, {1, 8'000}},
                            .borrow = {{0, 8'000}}});
    return town;
}

struct Setting {
    fleet::Fleet fleet;
    Policy policy;
    tenancy::Rights rights;
};

// What happened, to be told again.
struct Story {
    struct Step {  // and a pass
        Time at;
        std::optional<Event> event;
    };
    std::vector<Step> steps;
    [[nodiscard]] Engine told(const Setting& setting) const {
        Engine engine(setting.fleet, setting.policy, setting.rights);
        std::vector<Decision> decisions;
        for (const Step& step : steps) {
            if (step.event) engine.apply(*step.event, step.at);
            engine.decide(step.at, decisions);
        }
        return engine;
    }
};

Request any_request(Random& random, std::uint64_t id) {
    Request request;
    request.job = JobId{id};
    request.limit = seconds(60 * random.between(2, 300));
    fleet::GangPart part;
    part.replicas = static_cast<std::uint32_t>(random.chance(0.5) ? 1 : random.between(2, 8));
    part.each.chips = static_cast<std::uint32_t>(random.between(1, 4));
    request.demand.parts = {part};
    request.demand.pools = {PoolId{0}};
    if (random.chance(0.2)) request.demand.pools = {PoolId{1}};
    if (random.chance(0.2)) request.demand.pools = {PoolId{0}, PoolId{1}};
    if (random.chance(0.3)) {
        request.demand.within = random.chance(0.5) ? fleet::Level::rack : fleet::Level::node;
    }
    request.demand.prefer = request.demand.within;
    request.tenant = TenantId{static_cast<std::uint32_t>(random.between(1, 2))};
    return request;
}

Request changed(Request request, const Counterfactual& by, std::uint64_t id) {
    request.job = JobId{id};
    switch (by.change) {
        case Change::fewer_replicas:
            request.demand.parts.front().replicas = by.to;
            break;
        case Change::fewer_chips:
            request.demand.parts.front().each.chips = by.to;
            break;
        case Change::shorter_limit:
            request.limit = by.limit;
            break;
        case Change::wider_level:
            request.demand.within = by.within;
            break;
        case Change::other_pool:
            request.demand.pools = {by.pool};
            break;
        case Change::more_rights:
        case Change::others_end:
            break;
    }
    return request;
}

TEST(Counterfactuals, WhatIsSaidToHelpHelps) {
    const char* const policies[] = {"easy", "weir preempt=no", "conservative", "fcfs", "weir"};
    std::map<Change, int> seen;
    for (std::uint64_t seed = 1; seed <= 6000; ++seed) {
        SCOPED_TRACE(seed);
        Random random(seed);
        Setting setting{.fleet = two_chips(seed % 3 == 0), .policy = {}, .rights = {}};
        setting.policy = policy_from_text(policies[seed % std::size(policies)]).value();
        if (seed % 2 == 0) setting.rights = tenancy::rights_on(setting.fleet, small_town(), {});
        Engine engine(setting.fleet, setting.policy, setting.rights);
        Story story;
        std::map<JobId, Request> requests;
        std::set<JobId> running;
        Time now = at_seconds(0);
        std::uint64_t next = 1;
        const auto happens = [&](const Event& event) {
            story.steps.back().event = event;
            engine.apply(event, now);
        };
        for (int step = 0; step < 12; ++step) {
            now += seconds(random.between(1, 1000));
            story.steps.push_back({now, std::nullopt});
            if (!running.empty() && random.chance(0.3)) {
                const JobId job = *running.begin();
                running.erase(job);
                happens(JobEnded{job});
            } else if (random.chance(0.1)) {
                happens(NodeChanged{.pool = PoolId{0}, .node = 0, .health = NodeHealth::drained});
            } else {
                const Request request = any_request(random, next);
                if (engine.can_ever_fit(request.demand) &&
                    engine.can_ever_have(request.tenant, request.demand)) {
                    requests[request.job] = request;
                    ++next;
                    happens(JobSubmitted{request});
                }
            }
            std::vector<Decision> decisions;
            engine.decide(now, decisions);
            // Whoever asks changes nothing, now or later.
            for (const auto& [job, request] : requests) {
                if (!random.chance(0.2)) continue;
                (void)engine.counterfactuals(job, {}, now);
                (void)engine.explain(job, now);
            }
            for (const Decision& decision : decisions) {
                if (const auto* start = std::get_if<Start>(&decision.what))
                    running.insert(start->job);
                if (const auto* stop = std::get_if<Preempt>(&decision.what))
                    running.erase(stop->job);
            }
        }
        for (const auto& [job, request] : requests) {
            if (engine.phase(job) != Phase::pending) continue;
            const std::uint64_t digest = engine.digest();
            const PoolId other = request.demand.pools.front() == PoolId{0} ? PoolId{1} : PoolId{0};
            std::vector<PoolId> others;
            if (request.demand.pools.size() == 1) others = {other};
            const auto all = engine.counterfactuals(job, others, now);
            ASSERT_EQ(engine.digest(), digest);
            for (const Counterfactual& each : all) {
                SCOPED_TRACE(each.sentence);
                ASSERT_FALSE(each.sentence.empty());
                if (each.change == Change::others_end || each.change == Change::more_rights) {
                    ++seen[each.change];
                    continue;
                }
                if (each.at != now) continue;
                Engine again = story.told(setting);
                ASSERT_EQ(again.digest(), digest);
                std::vector<Decision> decisions;
                again.apply(JobCancelled{job}, now);
                // In strict order it was the first, and is submitted as the last.
                for (const auto& [behind, its] : requests) {
                    if (setting.policy.backfill || again.phase(behind) != Phase::pending) continue;
                    again.apply(JobCancelled{behind}, now);
                }
                again.decide(now, decisions);
                // Others start or are promised what it leaves: it would have been otherwise if it
                // had kept its place.
                if (!decisions.empty()) continue;
                again.apply(JobSubmitted{changed(request, each, next)}, now);
                again.decide(now, decisions);
                ASSERT_EQ(again.phase(JobId{next}), Phase::running)
                    << "job " << job.value << ": " << again.explain(JobId{next}, now).sentence;
                ++seen[each.change];
            }
            ASSERT_EQ(story.told(setting).explain(job, now).sentence,
                      engine.explain(job, now).sentence);
        }
    }
    for (const Change change : {Change::fewer_replicas,
                                Change::fewer_chips,
                                Change::shorter_limit,
                                Change::wider_level,
                                Change::other_pool,
                                Change::more_rights,
                                Change::others_end}) {
        EXPECT_GT(seen[change], 10) << static_cast<int>(change);
    }
}

TEST(Counterfactuals, NameTheJobThatHasToEndFirst) {
    fleet::Fleet fleet = two_chips(false);
    Engine engine(fleet, Policy::easy);
    std::vector<Decision> decisions;
    const Time now = at_seconds(0);
    const auto submit = [&](std::uint64_t id, std::uint32_t replicas, std::int64_t limit_s) {
        Request request;
        request.job = JobId{id};
        request.limit = seconds(limit_s);
        request.demand.parts = {{.replicas = replicas, .each = {.chips = 4}}};
        request.demand.pools = {PoolId{0}};
        engine.apply(JobSubmitted{request}, now);
    };
    submit(1, 3, 3600);
    submit(2, 1, 7200);
    submit(3, 5, 3600);
    engine.decide(now, decisions);
    const PoolId other[] = {PoolId{1}};
    const auto all = engine.counterfactuals(JobId{3}, other, now);
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].sentence, "it would start now with 3 replicas fewer (2 of 5)");
    EXPECT_EQ(all[1].sentence, "it would start now with 1 of 4 chips for each replica");
    EXPECT_EQ(all[2].change, Change::others_end);
    EXPECT_EQ(all[2].at, at_seconds(3600));
    EXPECT_EQ(all[2].other, JobId{1});
}

}  // namespace
}  // namespace weir::sched
