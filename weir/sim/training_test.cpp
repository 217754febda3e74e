// Training jobs of a log: on how many chips they run, and for how long, is what somebody planned.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/base/random.hpp"
#include "weir/sim/audited.hpp"
#include "weir/sim/simulator.hpp"
#include "weir/tenancy/organisations_file.hpp"

namespace weir::sim {
namespace {

using testing::HasSubstr;

Trace one_pool() {
    Trace trace;
    trace.name = "log";
    trace.fleet.sites = {{.name = "here"}};
    fleet::Pool pool;
    pool.name = "a";
    pool.site = "here";
    pool.chip = "h100";
    pool.nodes = 4;
    pool.chips_per_node = 8;
    trace.fleet.pools = {pool};
    trace.trainings = {"pretrain.yaml"};
    return trace;
}

TraceJob job_of(std::string id, std::uint32_t chips, Duration run, Time at) {
    TraceJob job;
    job.id = std::move(id);
    job.chips = chips;
    job.run = run;
    job.limit = run;
    job.submitted_at = at;
    return job;
}

// One node for 8 hours, or four for two.
Result<std::vector<sched::Size>> sizes_of(const std::string&, const fleet::Fleet&) {
    std::vector<sched::Size> sizes;
    for (const auto& [nodes, hours] : {std::pair{1U, 8}, {4U, 2}}) {
        sched::Size& size = sizes.emplace_back();
        size.demand.parts = {{.replicas = nodes, .each = {.chips = 8}}};
        size.demand.within = fleet::Level::pool;
        size.demand.pools = {PoolId{0}};
        size.takes = seconds(std::int64_t{hours} * 3600);
        size.limit = size.takes + seconds(600);
    }
    return sizes;
}

// Two pools at two sites, of other chips.
Trace two_sites() {
    Trace trace = one_pool();
    trace.fleet.sites.push_back({.name = "there"});
    fleet::Pool other = trace.fleet.pools[0];
    other.name = "b";
    other.site = "there";
    other.chip = "a100";
    other.nodes = 3;
    trace.fleet.pools.push_back(other);
    trace.trainings = {"pretrain.yaml", "old.yaml"};
    trace.names = {"anna", "first", "second"};
    return trace;
}

// Of one node to all of each pool that there is, faster on more; the second job on pool b only.
Result<std::vector<sched::Size>> sizes_by_pool(const std::string& file, const fleet::Fleet& fleet) {
    std::vector<sched::Size> sizes;
    for (std::uint32_t nodes = 1; nodes <= 4; ++nodes) {
        for (std::uint32_t p = 0; p < fleet.pools.size(); ++p) {
            const fleet::Pool& pool = fleet.pools[p];
            if (nodes > pool.nodes || (file == "old.yaml" && pool.name != "b")) continue;
            sched::Size& size = sizes.emplace_back();
            size.demand.parts = {{.replicas = nodes, .each = {.chips = 8}}};
            size.demand.within = fleet::Level::pool;
            size.demand.pools = {PoolId{p}};
            size.takes = seconds((pool.name == "a" ? 4000 : 9000) / nodes + 300);
            size.limit = size.takes * 5 / 4;
        }
    }
    if (sizes.empty()) return fail(Code::never_fits, file + ": no pool has a plan");
    return sizes;
}

SimulationOptions options_of() {
    SimulationOptions options;
    options.policy = sched::policy_from_text("weir slack=0s slack_percent=0").value();
    options.sizes = sizes_of;
    return options;
}

TEST(TrainingJobs, RunAsLongAsTheirSizeTakes) {
    Trace trace = one_pool();
    TraceJob train = job_of("train", 0, {}, at_seconds(0));
    train.trains = 0;
    trace.jobs = {train};
    const auto free = simulate(trace, options_of());
    ASSERT_TRUE(free) << free.error().message;
    ASSERT_EQ(free->jobs.size(), 1U);
    EXPECT_EQ(free->jobs[0].chips, 32);
    EXPECT_EQ(free->jobs[0].nodes, 4U);
    EXPECT_EQ(free->jobs[0].end, at_seconds(2 * 3600));
    EXPECT_EQ(free->metrics.useful_share, 1);

    // Three nodes are taken for ten hours: one is better now than four are then.
    trace.jobs = {job_of("other", 24, seconds(36'000), at_seconds(0)), train};
    trace.jobs[1].submitted_at = at_seconds(1);
    const auto busy = simulate(trace, options_of());
    ASSERT_TRUE(busy) << busy.error().message;
    EXPECT_EQ(busy->jobs[1].chips, 8);
    EXPECT_EQ(busy->jobs[1].start, at_seconds(1));
    EXPECT_EQ(busy->jobs[1].end, at_seconds(1 + 8 * 3600));

    // For three hours only: then it waits for all.
    trace.jobs[0].run = trace.jobs[0].limit = seconds(3 * 3600);
    const auto soon = simulate(trace, options_of());
    ASSERT_TRUE(soon) << soon.error().message;
    EXPECT_EQ(soon->jobs[1].chips, 32);
    EXPECT_EQ(soon->jobs[1].start, at_seconds(3 * 3600));
    EXPECT_EQ(soon->jobs[1].end, at_seconds(5 * 3600));
}

TEST(TrainingJobs, SaveTheirWorkAndGoOnInTheSameSize) {
    Trace trace = one_pool();
    TraceJob train = job_of("train", 0, {}, at_seconds(0));
    train.trains = 0;
    TraceJob urgent = job_of("urgent", 32, seconds(600), at_seconds(3600));
    urgent.priority = job::Priority::urgent;
    trace.jobs = {train, urgent};
    SimulationOptions options = options_of();
    options.policy = sched::policy_from_text("weir min_run=0s").value();
    options.checkpoints = {.rule = CheckpointRule::fixed, .every = seconds(600)};
    const auto result = simulate(trace, options);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->jobs[0].attempts, 2U);
    EXPECT_EQ(result->jobs[0].preemptions, 1U);
    EXPECT_FALSE(result->jobs[0].ended_by_limit);
    EXPECT_EQ(result->jobs[0].chips, 32);
    EXPECT_GT(result->jobs[0].end, at_seconds(2 * 3600 + 600));
    EXPECT_LT(result->jobs[0].end, at_seconds(3 * 3600));
}

TEST(TrainingJobs, AreRefusedWhereNobodyPlansThem) {
    Trace trace = one_pool();
    trace.jobs = {job_of("train", 0, {}, at_seconds(0))};
    trace.jobs[0].trains = 0;
    SimulationOptions options = options_of();
    options.sizes = [](const std::string& file, const fleet::Fleet&) {
        return Result<std::vector<sched::Size>>(fail(Code::not_found, file + ": no such model"));
    };
    EXPECT_THAT(simulate(trace, options).error().message,
                HasSubstr("log: pretrain.yaml: no such model"));
    options.sizes = {};
    EXPECT_THAT(simulate(trace, options).error().message, HasSubstr("nobody plans"));
}

// Each site alone: a training job goes to one that has a size for it.
TEST(TrainingJobs, GoToASiteThatHasASizeForThem) {
    Trace trace = two_sites();
    for (int i = 0; i < 6; ++i) {
        TraceJob job = job_of(std::to_string(i), 0, {}, at_seconds(i));
        job.trains = static_cast<std::uint32_t>(i % 2);
        trace.jobs.push_back(job);
    }
    SimulationOptions options = options_of();
    options.sizes = sizes_by_pool;
    options.each_site = true;
    const auto result = simulate(trace, options);
    ASSERT_TRUE(result) << result.error().message;
    ASSERT_EQ(result->jobs.size(), 6U);
    for (const ScheduledJob& job : result->jobs) {
        if (job.trace_job % 2 == 1) {
            EXPECT_EQ(job.pool, PoolId{1});
        }
    }
}

// The checker knows nothing of how sizes are chosen: it sees what was offered, taken and kept, and
// counts every chip-second a second time.
TEST(TrainingJobs, KeepEveryRuleWhateverHappensAroundThem) {
    std::uint64_t in_another = 0;
    std::uint64_t attempts = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        Trace trace = two_sites();
        const bool reads = random.chance(0.3);
        if (reads) {
            // There is room for one of them at the other site.
            trace.fleet.sites[0].storage.capacity = gibibytes(150);
            trace.fleet.sites[1].storage.datasets = {{"tokens", gibibytes(100)},
                                                     {"mesh", gibibytes(60)}};
            trace.fleet.links = {{.between = {"here", "there"}, .bytes_per_s = 1e9}};
            trace.data_sets = {{"tokens"}, {"mesh"}};
        }
        for (int i = 0; i < 40; ++i) {
            TraceJob job = next_job(trace, 900, random);
            job.chips = static_cast<std::uint32_t>(random.between(1, 16));
            if (job.chips > 8) job.chips = 16;
            if (random.chance(0.2)) job.priority = job::Priority::high;
            if (random.chance(0.4)) {
                job.trains = random.chance(0.5) ? 1 : 0;
                job.chips = 0;
                job.run = {};
                job.limit = forever;
            }
            if (reads && random.chance(0.5)) job.reads = random.chance(0.5) ? 1 : 0;
            job.user = 0;
            job.group = static_cast<std::uint32_t>(random.between(1, 2));
            trace.jobs.push_back(job);
        }
        SimulationOptions options = options_of();
        const char* const policies[] = {"weir min_run=0s", "easy", "conservative", "fcfs", "weir"};
        options.policy = sched::policy_from_text(policies[seed % 5]).value();
        options.sizes = sizes_by_pool;
        if (random.chance(0.6)) {
            options.checkpoints = {
                .rule = CheckpointRule::fixed, .every = seconds(300), .cost = seconds(20)};
        }
        if (random.chance(0.5)) {
            for (fleet::Pool& pool : trace.fleet.pools) {
                pool.node_mtbf = seconds(86'400);
                pool.node_repair = seconds(1800);
            }
            options.failures = {.faults = Faults::reliability,
                                .seed = seed,
                                .retries = 3,
                                .replace = random.chance(0.5)};
        }
        if (random.chance(0.5)) {
            options.organisations = tenancy::read_organisations_text(
                                        "tenants:\n"
                                        "  - {name: first, quota: {h100: 24}}\n"
                                        "  - {name: second, quota: {h100: 8, a100: 16}}\n",
                                        "tenants")
                                        .value()
                                        .file.organisations;
        }
        const Audited outcome = audited(trace, options);
        if (testing::Test::HasFailure()) return;
        for (const ScheduledJob& job : outcome.simulation.jobs) {
            if (!job.trained) continue;
            in_another += job.chips > 8 ? 1 : 0;
            attempts += job.attempts > 1 ? 1 : 0;
        }
        EXPECT_GT(outcome.report.of(audit::Rule::sizes).checked, 0U);
    }
    EXPECT_GT(in_another, 50U);
    EXPECT_GT(attempts, 20U);
}

}  // namespace
}  // namespace weir::sim
