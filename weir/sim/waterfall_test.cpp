// The waterfall of simulations: by hand, and in random worlds where everything goes wrong at once,
// against the checker (which counts again from the log) and against the metrics.
#include "weir/tenancy/waterfall.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "weir/base/random.hpp"
#include "weir/sim/audited.hpp"
#include "weir/sim/report.hpp"
#include "weir/sim/report_compare.hpp"

namespace weir::sim {
namespace {

using tenancy::Books;
using tenancy::ChipTime;
using tenancy::Loss;
using tenancy::Losses;

fleet::Pool pool_of(std::string name, std::uint32_t nodes) {
    fleet::Pool pool;
    pool.name = std::move(name);
    pool.site = "here";
    pool.chip = "chip";
    pool.nodes = nodes;
    pool.chips_per_node = 4;
    pool.nodes_per_rack = 2;
    return pool;
}

TraceJob job_of(std::int64_t submitted_s, std::int64_t run_s, std::uint32_t chips) {
    TraceJob job;
    job.id = std::to_string(submitted_s) + "-" + std::to_string(chips);
    job.submitted_at = at_seconds(submitted_s);
    job.run = seconds(run_s);
    job.limit = job.run;
    job.chips = chips;
    return job;
}

double chip_s(const Losses& losses, Loss loss) {
    return tenancy::hours_of(losses[loss]) * 3600;
}

TEST(SimulatedWaterfall, TellsAnIdleFleetFromOneThatWaitsForAPromise) {
    Trace trace;
    trace.name = "small";
    trace.fleet = {.sites = {{.name = "here"}}, .pools = {pool_of("a", 2)}};
    // Two nodes; the wide job waits for the narrow one, and its promise keeps the other node.
    trace.jobs = {job_of(0, 100, 4), job_of(10, 50, 8), job_of(20, 100, 4)};
    const Audited outcome = audited(trace, {.policy = sched::Policy::easy});
    const Books& books = outcome.simulation.books;
    EXPECT_EQ(chip_s(books.total, Loss::not_demanded), 40 + 4 * 100);
    EXPECT_EQ(chip_s(books.total, Loss::promised), 4 * 90);
    EXPECT_EQ(chip_s(books.total, Loss::running), 400 + 400 + 400);
    EXPECT_EQ(books.until, at_seconds(250));
    EXPECT_EQ(outcome.report.waterfalls.size(), 1U);
}

TEST(SimulatedWaterfall, SplitsWhatRanWhereTheLogSaysHowEfficiently) {
    Trace trace;
    trace.name = "measured";
    trace.fleet = {.sites = {{.name = "here"}}, .pools = {pool_of("a", 1)}};
    trace.jobs = {job_of(0, 100, 4)};
    trace.jobs[0].efficiency = tenancy::Efficiency{.plan_ppm = 750'000, .kernel_ppm = 400'000};
    const Books books = audited(trace, {}).simulation.books;
    EXPECT_EQ(chip_s(books.total, Loss::plan), 100);
    EXPECT_EQ(chip_s(books.total, Loss::kernel), 180);
    EXPECT_EQ(chip_s(books.total, Loss::useful), 120);
    EXPECT_EQ(books.total[Loss::running], 0U);
}

TEST(SimulatedWaterfall, OfVirtualClustersApartClosesOverTheWholeFleet) {
    Trace trace;
    trace.name = "apart";
    trace.fleet = {.sites = {{.name = "here"}}, .pools = {pool_of("a", 5)}};
    trace.names = {"red", "blue"};
    trace.quotas_chips = {{"red", 8}, {"blue", 8}};
    trace.jobs = {job_of(0, 100, 8), job_of(0, 100, 4), job_of(50, 100, 4)};
    trace.jobs[0].group = 0;
    trace.jobs[1].group = 1;
    trace.jobs[2].group = 1;
    const Books books = audited(trace, {.apart = true}).simulation.books;
    EXPECT_EQ(chip_s(books.total, Loss::running), 1600);
    EXPECT_EQ(chip_s(books.total, Loss::over_quota), 4 * 150);  // the node of nobody
    EXPECT_EQ(chip_s(books.total, Loss::not_demanded), 20 * 150 - 1600 - 600);
    EXPECT_EQ(books.tenants.size(), 2U);
}

TEST(SimulatedWaterfall, IsDrawnInTheReportOfARunAndOfSeveral) {
    Trace trace;
    trace.name = "drawn";
    trace.names = {"red", "<blue>"};
    trace.fleet = {.sites = {{.name = "here"}}, .pools = {pool_of("a", 2), pool_of("b", 1)}};
    trace.jobs = {job_of(0, 100, 4), job_of(10, 50, 8), job_of(20, 100, 4)};
    trace.fleet.pools[1].chip = "other";
    trace.chip_sets = {{"chip"}};
    for (TraceJob& job : trace.jobs)
        job.accepts = 0;
    trace.jobs[0].group = 0;
    trace.jobs[1].group = 1;
    const Simulation easy = audited(trace, {.policy = sched::Policy::easy}).simulation;
    const std::string one = html_report(trace, easy, {.policy = "easy", .command = ""});
    for (const char* words : {"Where the compute went",
                              "The waterfall over time",
                              "By pool",
                              "By tenant",
                              "held for a promise",
                              "&lt;blue&gt;",
                              "(not named)"})
        EXPECT_NE(one.find(words), std::string::npos) << words;
    EXPECT_EQ(one.find("<blue>"), std::string::npos);
    const Simulation fcfs = audited(trace, {.policy = sched::Policy::fcfs}).simulation;
    const std::vector<RunSummary> runs{summary_of(trace, easy, "easy", "easy", {}),
                                       summary_of(trace, fcfs, "fcfs", "fcfs", {})};
    const std::string both = comparison_report(runs, {.title = "drawn", .command = ""});
    EXPECT_NE(both.find("The waterfall of each run"), std::string::npos);
    EXPECT_NE(both.find("fragmentation, order"), std::string::npos);
}

// ---------------------------------------------------------------------------------------------

Trace some_trace(Random& random) {
    Trace trace;
    trace.name = "some";
    trace.names = {"red", "green", "blue"};
    for (const char* name : {"here", "there"}) {
        fleet::Site site{.name = name};
        for (std::int64_t p = random.between(1, 2); p > 0; --p) {
            fleet::Pool pool =
                pool_of(name + std::to_string(p), static_cast<std::uint32_t>(random.between(4, 9)));
            pool.site = name;
            pool.chip = random.chance(0.7) ? "chip" : "other";
            pool.node_mtbf = seconds(random.between(2000, 40'000));
            pool.node_repair = seconds(random.between(50, 600));
            pool.node_idle_watts = 100;
            pool.node_busy_watts = 500;
            pool.racks_per_pod = static_cast<std::uint32_t>(random.between(0, 2));
            if (random.chance(0.5)) pool.rack_power_watts = 700;  // of 1000
            trace.fleet.pools.push_back(pool);
        }
        trace.fleet.sites.push_back(site);
    }
    trace.chip_sets = {{"chip"}, {"other", "chip"}};
    Time now{};
    for (int i = 0; i < 100; ++i) {
        now += seconds(random.chance(0.4) ? 0 : random.between(1, 90));
        TraceJob job = job_of(0, 1, 1);
        job.id = std::to_string(i);
        job.submitted_at = now;
        job.limit = seconds(random.between(2, 15) * 60);
        job.run = job.limit * random.between(1, 10) / 10;
        job.nodes = random.chance(0.7) ? 1 : static_cast<std::uint32_t>(random.between(2, 3));
        job.chips = job.nodes * static_cast<std::uint32_t>(random.between(1, 2));
        if (job.nodes == 1 && random.chance(0.3)) {
            job.chips = 1;
            job.chip_permille = static_cast<std::uint32_t>(random.between(100, 900));
        }
        if (random.chance(0.5)) job.accepts = static_cast<std::uint32_t>(random.between(0, 1));
        if (random.chance(0.8)) job.group = static_cast<std::uint32_t>(random.between(0, 2));
        if (random.chance(0.2)) job.priority = job::Priority::high;
        if (random.chance(0.3)) {
            job.efficiency = tenancy::Efficiency{
                .plan_ppm = static_cast<std::uint32_t>(random.between(0, 1'000'000)),
                .kernel_ppm = static_cast<std::uint32_t>(random.between(0, 1'000'000))};
        }
        trace.jobs.push_back(job);
    }
    return trace;
}

TEST(SimulatedWaterfall, ClosesForEveryPoolSiteTenantAndJobWhateverGoesWrong) {
    Losses seen;
    for (std::uint64_t seed = 1; seed <= 80; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        const Trace trace = some_trace(random);
        SimulationOptions options;
        options.policy = *sched::policy_from_text(
            seed % 3 == 0 ? "conservative" : "weir min_run=30s preemptions_per_hour=1000");
        options.failures = {.faults = Faults::reliability,
                            .log = {},
                            .seed = seed,
                            .retries = random.chance(0.2) ? 1U : 100U,
                            .replace = random.chance(0.5)};
        if (random.chance(0.7)) {
            options.checkpoints = {.rule = CheckpointRule::fixed,
                                   .every = seconds(random.between(20, 200)),
                                   .cost = seconds(random.between(1, 10)),
                                   .restart = seconds(random.between(0, 20))};
        }
        options.caps = {
            {.at = at_seconds(random.between(100, 900)),
             .domain = {fleet::Level::site, PoolId{0}, 0},
             .watts = 2500},
            {.at = at_seconds(1500), .domain = {fleet::Level::site, PoolId{0}, 0}, .watts = 0}};
        options.advances = {{.at = at_seconds(50),
                             .advance = {.id = AdvanceId{1},
                                         .from = at_seconds(400),
                                         .until = at_seconds(900),
                                         .maintenance = random.chance(0.5),
                                         .nodes = {{PoolId{0}, 0, 2}}}}};
        Losses of_jobs;
        options.on_settled = [&](const TraceJob&, std::uint32_t, const Losses& its) {
            EXPECT_EQ(its.total(), its.held());
            of_jobs += its;
        };
        const Audited outcome = audited(trace, options);  // the checker counts again
        ASSERT_FALSE(::testing::Test::HasFailure());
        const Simulation& simulation = outcome.simulation;
        const Books& books = simulation.books;
        Losses of_pools;
        Losses of_sites;
        Losses of_tenants;
        for (const Books::Row& row : books.pools)
            of_pools += row.losses;
        for (const Books::Row& row : books.sites)
            of_sites += row.losses;
        for (const Books::Row& row : books.tenants)
            of_tenants += row.losses;
        EXPECT_EQ(of_pools, books.total);
        EXPECT_EQ(of_sites, books.total);
        EXPECT_EQ(of_tenants, of_jobs);
        EXPECT_EQ(of_jobs.total(), books.total.held());
        const auto window_ms = static_cast<std::uint64_t>((books.until - books.from).count());
        EXPECT_EQ(books.total.total(), ChipTime{simulation.fleet.chips_total()} * 1000 * window_ms);
        // What was counted all along, in seconds and shares.
        const Metrics& metrics = simulation.metrics;
        const Losses& total = books.total;
        const auto of_held = [&](ChipTime amount) {
            return tenancy::share_of(amount, total.held());
        };
        EXPECT_NEAR(of_held(total[Loss::lost_work]), metrics.redone_share, 1e-9);
        EXPECT_NEAR(of_held(total[Loss::checkpoint]), metrics.checkpoint_share, 1e-9);
        EXPECT_NEAR(of_held(total[Loss::restart]), metrics.restart_share, 1e-9);
        EXPECT_NEAR(of_held(total.sum(Loss::plan, Loss::useful)), metrics.useful_share, 1e-9);
        EXPECT_NEAR(tenancy::share_of(total.held(), total.total()), metrics.utilisation, 1e-9);
        EXPECT_EQ(total[Loss::open], 0U);
        seen += total;
    }
    // And nothing of it was idle talk.
    for (const Loss loss : {Loss::unpowered,
                            Loss::failed,
                            Loss::drained,
                            Loss::not_demanded,
                            Loss::set_apart,
                            Loss::promised,
                            Loss::shared_rest,
                            Loss::fragmented,
                            Loss::checkpoint,
                            Loss::restart,
                            Loss::lost_work,
                            Loss::plan,
                            Loss::kernel,
                            Loss::running,
                            Loss::useful})
        EXPECT_GT(seen[loss], 0U) << name_of(loss);
}

}  // namespace
}  // namespace weir::sim
