// What the engine says about those who wait, and when it expects them to start.
#include <gtest/gtest.h>

#include <optional>

#include "weir/sched/engine.hpp"

namespace weir::sched {
namespace {

fleet::Pool nodes_of(std::uint32_t nodes, std::uint32_t chips, std::uint32_t cpus) {
    fleet::Pool pool;
    pool.name = "a";
    pool.site = "here";
    pool.chip = "chip";
    pool.nodes = nodes;
    pool.chips_per_node = chips;
    pool.cpus_milli = cpus * 1000;
    return pool;
}

fleet::Fleet fleet_of(const fleet::Pool& pool) {
    fleet::Fleet fleet;
    fleet.sites = {{.name = "here"}};
    fleet.pools = {pool};
    return fleet;
}

Request request_of(std::uint64_t id,
                   std::uint32_t replicas,
                   std::uint32_t chips,
                   std::int64_t limit_s) {
    Request request;
    request.job = JobId{id};
    request.limit = seconds(limit_s);
    request.demand.parts = {{.replicas = replicas, .each = {.chips = chips}}};
    request.demand.pools = {PoolId{0}};
    return request;
}

// An engine at time 0.
struct World {
    explicit World(const fleet::Pool& pool) : engine(fleet_of(pool), Policy::easy) {}
    void hears(const Event& event) { engine.apply(event, now); }
    void decides() {
        std::vector<Decision> decisions;
        engine.decide(now, decisions);
    }
    [[nodiscard]] Explanation explain(std::uint64_t job) const {
        return engine.explain(JobId{job}, now);
    }
    [[nodiscard]] Time estimate(std::uint64_t job) const {
        return engine.estimate(JobId{job}, now).at;
    }
    Time now = at_seconds(0);
    Engine engine;
};

TEST(Explain, TellsEachWayOfWaiting) {
    Engine engine(fleet_of(nodes_of(1, 4, 8)), Policy::easy);
    std::vector<Decision> decisions;
    const Time now = at_seconds(0);
    engine.apply(JobSubmitted{request_of(1, 1, 3, 100)}, now);
    engine.apply(JobSubmitted{request_of(2, 1, 4, 100)}, now);  // reserved for 100 s
    engine.apply(JobSubmitted{request_of(3, 1, 1, 500)}, now);  // would delay it
    engine.apply(JobSubmitted{request_of(4, 1, 2, 10)}, now);   // no room
    Request after = request_of(5, 1, 1, 10);
    after.after = {{JobId{1}, Needs::success}};
    engine.apply(JobSubmitted{after}, now);
    engine.decide(now, decisions);
    EXPECT_EQ(engine.explain(JobId{1}, now).phase, Phase::running);
    const Explanation reserved = engine.explain(JobId{2}, now);
    EXPECT_EQ(reserved.reason.cause, Cause::reserved);
    EXPECT_EQ(reserved.reason.until, at_seconds(100));
    EXPECT_NE(reserved.sentence.find("in 1m 40s"), std::string::npos) << reserved.sentence;
    EXPECT_EQ(engine.explain(JobId{3}, now).reason.cause, Cause::would_delay);
    EXPECT_EQ(engine.explain(JobId{3}, now).reason.other, JobId{2});
    EXPECT_EQ(engine.explain(JobId{4}, now).reason.cause, Cause::waits_for_room);
    EXPECT_EQ(engine.explain(JobId{4}, now).ahead, 2U);
    EXPECT_EQ(engine.explain(JobId{5}, now).reason.cause, Cause::dependency);
    EXPECT_EQ(engine.explain(JobId{5}, now).reason.other, JobId{1});
    EXPECT_EQ(engine.explain(JobId{9}, now).phase, Phase::unknown);
}

TEST(Explain, RemembersWhyARunningJobWasStarted) {
    Engine engine(fleet_of(nodes_of(1, 4, 8)), Policy::easy);
    std::vector<Decision> decisions;
    const Time now = at_seconds(0);
    engine.apply(JobSubmitted{request_of(1, 1, 3, 100)}, now);
    engine.apply(JobSubmitted{request_of(2, 1, 4, 100)}, now);
    engine.apply(JobSubmitted{request_of(3, 1, 1, 50)}, now);
    engine.decide(now, decisions);
    EXPECT_EQ(engine.explain(JobId{1}, now).reason.cause, Cause::fits_now);
    const Explanation early = engine.explain(JobId{3}, now);
    EXPECT_EQ(early.phase, Phase::running);
    EXPECT_EQ(early.reason.cause, Cause::backfilled);
    EXPECT_NE(early.sentence.find("before its turn"), std::string::npos) << early.sentence;
}

// Two racks of two nodes with eight chips: 2 kW idle and 625 W for each chip in use, so a rack of
// 9 kW feeds eleven of its sixteen chips.
TEST(Explain, SaysThatWattsAreMissingAndExpectsNobodyBeforeThereAreSome) {
    fleet::Pool pool = nodes_of(4, 8, 8);
    pool.nodes_per_rack = 2;
    pool.rack_power_watts = 9'000;
    pool.node_idle_watts = 1'000;
    pool.node_busy_watts = 6'000;
    World world(pool);
    world.hears(JobSubmitted{request_of(1, 2, 8, 100)});  // one node of each rack
    world.hears(JobSubmitted{request_of(2, 1, 8, 50)});   // promised the first that comes
    world.hears(JobSubmitted{request_of(3, 1, 6, 200)});
    world.hears(JobSubmitted{request_of(4, 1, 3, 200)});  // the watts do for this one
    world.decides();

    ASSERT_EQ(world.explain(1).phase, Phase::running);
    const Explanation promised = world.explain(2);
    EXPECT_EQ(promised.reason.cause, Cause::reserved);
    EXPECT_EQ(promised.reason.until, at_seconds(100));
    EXPECT_NE(
        promised.sentence.find("watts are missing: in pool a a replica draws 5 kW and 2 kW in "
                               "one of its racks (2.12 kW in all) is left"),
        std::string::npos)
        << promised.sentence;
    EXPECT_EQ(world.explain(3).reason.cause, Cause::waits_for_power) << world.explain(3).sentence;
    EXPECT_EQ(world.estimate(3), at_seconds(100));
    EXPECT_EQ(world.explain(4).phase, Phase::running);
}

TEST(Explain, SaysThatNodesAreSetApartNowOrBeforeItWouldEnd) {
    World world(nodes_of(2, 4, 8));
    world.hears(AdvanceMade{{.id = AdvanceId{1},
                             .from = at_seconds(0),
                             .until = at_seconds(300),
                             .maintenance = true,
                             .nodes = {{PoolId{0}, 0, 1}}}});
    world.hears(AdvanceMade{{.id = AdvanceId{2},
                             .from = at_seconds(100),
                             .until = at_seconds(200),
                             .maintenance = false,
                             .nodes = {{PoolId{0}, 1, 1}}}});
    world.hears(JobSubmitted{request_of(1, 1, 4, 150)});  // until the second one begins: too long
    world.hears(JobSubmitted{request_of(2, 2, 4, 50)});   // both nodes
    Request inside = request_of(3, 1, 4, 50);
    inside.demand.tag = 2;
    world.hears(JobSubmitted{inside});
    world.decides();

    EXPECT_NE(world.explain(1).sentence.find("still run when nodes are set apart, in 1m 40s"),
              std::string::npos)
        << world.explain(1).sentence;
    EXPECT_EQ(world.estimate(1), at_seconds(200));
    EXPECT_EQ(world.explain(2).reason.cause, Cause::set_apart) << world.explain(2).sentence;
    EXPECT_GE(world.estimate(2), at_seconds(300));
    EXPECT_NE(world.explain(3).sentence.find("its reservation begins in 1m 40s"), std::string::npos)
        << world.explain(3).sentence;
}

TEST(Explain, SaysThatNodesAreDrainedAndPromisesNothing) {
    World world(nodes_of(2, 4, 8));
    world.hears(NodeChanged{PoolId{0}, 1, NodeHealth::drained});
    world.hears(JobSubmitted{request_of(1, 2, 4, 50)});
    world.decides();
    EXPECT_EQ(world.explain(1).reason.cause, Cause::out_of_service);
    EXPECT_NE(world.explain(1).sentence.find("1 node is drained; even if nobody else ran"),
              std::string::npos)
        << world.explain(1).sentence;
    EXPECT_EQ(world.estimate(1), never);
}

TEST(Explain, SaysWhatWouldStandInTheWayEvenIfNobodyElseRan) {
    fleet::Pool pool = nodes_of(4, 4, 8);
    pool.nodes_per_rack = 2;
    pool.node_idle_watts = 1'000;
    pool.node_busy_watts = 6'000;
    World world(pool);
    world.hears(JobSubmitted{request_of(1, 1, 4, 100)});  // on node 0
    world.decides();
    world.hears(NodeChanged{PoolId{0}, 0, NodeHealth::drained});
    world.hears(JobSubmitted{request_of(2, 4, 4, 50)});
    world.decides();
    EXPECT_EQ(world.explain(2).reason.cause, Cause::out_of_service);
    EXPECT_NE(world.explain(2).sentence.find("1 node is drained; even if nobody else ran"),
              std::string::npos)
        << world.explain(2).sentence;

    world.hears(PowerCapSet{{fleet::Level::rack, PoolId{0}, 1}, 7'000});
    EXPECT_NE(world.explain(2).sentence.find("together stand in its way: budgets of watts and 1 "
                                             "node is drained; even if nobody else ran"),
              std::string::npos)
        << world.explain(2).sentence;
}

TEST(Explain, BlamesNoReservationThatTheJobWouldNotMeet) {
    World world(nodes_of(2, 4, 8));
    world.hears(AdvanceMade{{.id = AdvanceId{1},
                             .from = at_seconds(10'000),
                             .until = at_seconds(20'000),
                             .maintenance = true,
                             .nodes = {{PoolId{0}, 0, 2}}}});
    world.hears(JobSubmitted{request_of(1, 1, 4, 100)});
    world.hears(JobSubmitted{request_of(2, 2, 4, 50)});
    world.hears(JobSubmitted{request_of(3, 1, 4, 400)});
    world.decides();
    EXPECT_EQ(world.explain(2).reason.until, at_seconds(100));
    EXPECT_EQ(world.explain(3).reason.cause, Cause::would_delay) << world.explain(3).sentence;
}

// Two organisations own two of four chips each and lend nothing.
class TwoHouses {
public:
    TwoHouses() {
        tenancy::Organisations houses;
        houses.resources = {{tenancy::Resource::Kind::chips, "chip"}};
        houses.tenants = {tenancy::Tenant{}};
        for (const char* name : {"lab", "shop"})
            houses.tenants.push_back({.path = name,
                                      .parent = TenantId{0},
                                      .quota = {{0, 2000}},
                                      .lend = {{0, 0}},
                                      .borrow = {}});
        const fleet::Fleet fleet = fleet_of(nodes_of(1, 4, 8));
        engine.emplace(fleet, Policy::easy, tenancy::rights_on(fleet, houses, {}));
    }
    void submit(std::uint64_t id, std::uint32_t chips, std::int64_t limit_s, TenantId tenant) {
        Request request = request_of(id, 1, chips, limit_s);
        request.tenant = tenant;
        engine->apply(JobSubmitted{request}, at_seconds(0));
        std::vector<Decision> decisions;
        engine->decide(at_seconds(0), decisions);
    }
    Time estimate(std::uint64_t job) { return engine->estimate(JobId{job}, at_seconds(0)).at; }
    std::optional<Engine> engine;
};

TEST(Outlook, WhoHasNoRightYetIsExpectedWhenWhatItsOrganisationHoldsHasEnded) {
    TwoHouses world;
    const TenantId lab{1};
    world.submit(1, 1, 100, lab);
    world.submit(2, 1, 300, lab);
    world.submit(3, 1, 50, lab);
    world.submit(4, 2, 50, lab);
    ASSERT_EQ(world.engine->phase(JobId{3}), Phase::pending) << "two chips are idle and not lent";
    EXPECT_EQ(world.estimate(3), at_seconds(100));
    EXPECT_EQ(world.estimate(4), at_seconds(300));
}

TEST(Outlook, WhereWhatRunsHasNoEndNothingIsExpected) {
    TwoHouses world;
    const TenantId lab{1};
    Request request = request_of(1, 1, 2, 0);
    request.limit = forever;
    request.tenant = lab;
    world.engine->apply(JobSubmitted{request}, at_seconds(0));
    world.submit(2, 1, 50, lab);
    EXPECT_EQ(world.estimate(2), never);
}

TEST(Outlook, WhoWaitsForALoanToBeginIsExpectedThen) {
    TwoHouses world;
    const TenantId lab{1};
    const TenantId shop{2};
    world.engine->apply(LoanChanged{{.loan = 0,
                                     .lender = lab,
                                     .borrower = shop,
                                     .amounts = {{0, 1000}},
                                     .from = at_seconds(500),
                                     .until = at_seconds(900)}},
                        at_seconds(0));
    world.submit(1, 2, 10'000, shop);
    world.submit(2, 1, 400, shop);
    world.submit(3, 1, 401, shop);
    const Time at = world.estimate(2);
    EXPECT_EQ(at, at_seconds(500));
    EXPECT_EQ(world.estimate(3), at_seconds(10'000)) << "it would outlast the loan";
}

}  // namespace
}  // namespace weir::sched
