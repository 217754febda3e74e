// Generated workloads have the shares that the models publish, the load that was asked for, and
// equal bytes for equal seeds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "weir/base/digest.hpp"
#include "weir/sim/arrivals.hpp"
#include "weir/sim/sidecar.hpp"
#include "weir/sim/trace.hpp"
#include "weir/sim/workload_file.hpp"
#include "weir/sim/workload_model.hpp"

namespace weir::sim {
namespace {

using ::testing::HasSubstr;

fleet::Fleet fleet_of(std::uint32_t nodes, std::uint32_t chips, std::string chip) {
    fleet::Fleet fleet;
    fleet.sites.push_back({.name = "machine"});
    fleet::Pool& pool = fleet.pools.emplace_back();
    pool.name = "nodes";
    pool.site = "machine";
    pool.chip = std::move(chip);
    pool.nodes = nodes;
    pool.chips_per_node = chips;
    return fleet;
}

fleet::Fleet processors(std::uint32_t count) {
    return fleet_of(count, 1, "processor");
}

fleet::Fleet gpus(std::uint32_t nodes) {
    fleet::Fleet fleet = fleet_of(nodes, 8, "gpu");
    fleet.pools[0].cpus_milli = 96'000;
    fleet.pools[0].memory = gibibytes(768);
    return fleet;
}

Workload lublin(std::uint64_t jobs, std::uint64_t seed, double load, std::uint32_t size) {
    return generate_workload({WorkloadModel::lublin, jobs, seed, load, processors(size)}).value();
}

double share_of(const Workload& workload, bool (*is)(const WorkloadJob&)) {
    const auto count = std::count_if(workload.jobs.begin(), workload.jobs.end(), is);
    return static_cast<double>(count) / static_cast<double>(workload.jobs.size());
}

// Offered load, worked out here from the jobs alone.
double load_of(const Workload& workload) {
    double work = 0;
    for (const WorkloadJob& job : workload.jobs) {
        work += static_cast<double>(job.run_s) * job.chips * job.chip_permille / 1000.0;
    }
    const auto span = workload.jobs.back().submit_s - workload.jobs.front().submit_s;
    return work / static_cast<double>(workload.capacity) / static_cast<double>(span);
}

TEST(LublinModel, HasThePublishedSharesOfSerialJobsAndPowersOfTwo) {
    const Workload workload = lublin(200'000, 7, 0.7, 128);
    // 0.2927 serial; 0.6686 meant as powers of two, and some of the rest is one by chance.
    EXPECT_NEAR(
        share_of(workload, [](const WorkloadJob& job) { return job.chips == 1; }), 0.2927, 0.005);
    const double power = share_of(workload, [](const WorkloadJob& job) {
        return job.chips > 1 && (job.chips & (job.chips - 1)) == 0;
    });
    EXPECT_GT(power, 0.6686 - 0.005);
    EXPECT_LT(power, 0.6686 + 0.0387);
    // Two stages: with 128 processors 7/8 of the parallel jobs have log2 sizes uniform up to 5.
    const double small =
        share_of(workload, [](const WorkloadJob& job) { return job.chips > 1 && job.chips <= 32; });
    EXPECT_GT(small / (1 - 0.2927), 0.875 - 0.005);
}

TEST(LublinModel, RunTimesAreTheHyperGammaOfTheirSize) {
    const Workload workload = lublin(400'000, 11, 0.7, 128);
    // Of 128 processors: p = -0.003 n + 0.6986; E ln run = p 6.57 0.823 + (1 - p) 639.1 0.0156.
    // The cut at e^12 s touches less than one job in a thousand.
    for (const std::uint32_t size : {1U, 8U, 64U}) {
        double sum = 0;
        double count = 0;
        for (const WorkloadJob& job : workload.jobs) {
            if (job.chips != size) continue;
            // Run times are cut to whole seconds: the middle of the second stands for it.
            sum += std::log(static_cast<double>(job.run_s) + 0.5);
            count += 1;
        }
        ASSERT_GT(count, 5000);
        const double p = -0.003 * size + 0.6986;
        EXPECT_NEAR(sum / count, p * 6.57 * 0.823 + (1 - p) * 639.1 * 0.0156, 0.08) << size;
    }
    for (const WorkloadJob& job : workload.jobs)
        ASSERT_LE(job.run_s, 162'755);
}

TEST(LublinModel, ArrivalsFollowTheDay) {
    const Workload workload = lublin(200'000, 3, 0.05, 128);
    double night = 0;
    double afternoon = 0;
    for (const WorkloadJob& job : workload.jobs) {
        const auto hour = job.submit_s % 86400 / 3600;
        if (hour >= 2 && hour < 6) night += 1;
        if (hour >= 13 && hour < 17) afternoon += 1;
    }
    // gamma(6.1271, 5.2740) over half hours peaks at 13:30 and has its trough before 5:30.
    EXPECT_GT(afternoon, night * 4);
}

RC_GTEST_PROP(Workloads, OfferTheLoadThatWasAskedForAndFitTheMachine, ()) {
    const auto jobs = *rc::gen::inRange<std::uint64_t>(50, 3000);
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    const double load = *rc::gen::inRange(5, 200) / 100.0;
    const bool lublin_model = *rc::gen::arbitrary<bool>();
    const auto size = *rc::gen::inRange<std::uint32_t>(1, 700);
    const WorkloadOptions options{lublin_model ? WorkloadModel::lublin : WorkloadModel::gpu_mix,
                                  jobs,
                                  seed,
                                  load,
                                  lublin_model ? processors(size) : gpus(size)};
    const Workload workload = generate_workload(options).value();
    RC_ASSERT(workload.jobs.size() == jobs);
    RC_ASSERT(std::abs(load_of(workload) / load - 1) < 0.01);
    RC_ASSERT(std::abs(load_of(workload) / workload.load - 1) < 1e-9);
    std::int64_t last = 0;
    for (const WorkloadJob& job : workload.jobs) {
        RC_ASSERT(job.submit_s >= last);
        RC_ASSERT(job.run_s >= 1 && job.run_s <= job.limit_s);
        RC_ASSERT(job.chips >= 1 && job.chips <= workload.capacity);
        RC_ASSERT(job.chip_permille == 1000 || job.chips == 1);
        if (!lublin_model) {
            RC_ASSERT(job.cpus <= job.chips * 12 && job.memory_gib <= job.chips * 96);
        }
        last = job.submit_s;
    }
}

TEST(GpuMix, IsMostlySmallJobsWhileTheLargeOnesHoldTheMachine) {
    const Workload workload =
        generate_workload({WorkloadModel::gpu_mix, 200'000, 5, 0.8, gpus(352)}).value();
    EXPECT_NEAR(
        share_of(workload, [](const WorkloadJob& job) { return job.chips == 1; }), 0.70, 0.005);
    double work = 0;
    double wide = 0;
    std::vector<std::int64_t> runs;
    for (const WorkloadJob& job : workload.jobs) {
        const double its = static_cast<double>(job.run_s) * job.chips * job.chip_permille / 1000;
        work += its;
        if (job.chips >= 8) wide += its;
        runs.push_back(job.run_s);
    }
    EXPECT_GT(wide / work, 0.5);
    std::sort(runs.begin(), runs.end());
    // Heavy tail: the mean lies far above the median, and a few jobs run for weeks.
    EXPECT_LT(runs[runs.size() / 2], 1500);
    EXPECT_GT(runs.back(), 14 * 86400);
}

TEST(Requests, AreRoundNumbersThatHoldTheRun) {
    for (const std::int64_t run :
         {1LL, 299LL, 300LL, 301LL, 3599LL, 86400LL, 200'000LL, 2'592'000LL}) {
        for (const double share : {0.0, 0.3, 0.9, 0.999999}) {
            const std::int64_t request = requested_seconds(run, share);
            EXPECT_GE(request, run);
            EXPECT_TRUE(
                std::binary_search(round_requests().begin(), round_requests().end(), request))
                << run << " " << request;
        }
    }
    EXPECT_EQ(requested_seconds(60, 0.0), 300);
    EXPECT_EQ(requested_seconds(3000, 0.5), 7200);
    EXPECT_EQ(requested_seconds(60, 0.9999999), 48 * 3600);
    EXPECT_EQ(requested_seconds(3'000'000, 0.5), 3'000'000);
}

RC_GTEST_PROP(DailyCycle, BusyTimeAndTheClockAreInverse, ()) {
    std::array<double, day_slots> weights{};
    for (double& weight : weights)
        weight = *rc::gen::inRange(0, 100);
    weights[0] += 1;
    const DailyCycle cycle(weights);
    const double clock = *rc::gen::inRange(0, 1'000'000'000) / 10.0;
    const double busy = cycle.busy_of_clock(clock);
    RC_ASSERT(std::abs(cycle.busy_of_clock(cycle.clock_of_busy(busy)) - busy) < 1e-3);
    // Whole days are equal in both.
    RC_ASSERT(std::abs(cycle.busy_of_clock(clock + day_s) - busy - day_s) < 1e-3);
}

TEST(GammaDistribution, AgreesWithKnownValues) {
    // P(1, x) = 1 - e^-x, P(1/2, x) = erf(sqrt x).
    for (const double x : {0.1, 1.0, 3.0, 10.0, 40.0}) {
        EXPECT_NEAR(gamma_distribution(1, x), 1 - std::exp(-x), 1e-12);
        EXPECT_NEAR(gamma_distribution(0.5, x), std::erf(std::sqrt(x)), 1e-12);
    }
    EXPECT_EQ(gamma_distribution(6, 0), 0);
}

TEST(WorkloadFiles, ReadBackAsTheJobsThatWereGenerated) {
    std::string pattern = std::filesystem::temp_directory_path() / "weir-workload-XXXXXX";
    const std::filesystem::path folder = mkdtemp(pattern.data());
    const Workload classic = lublin(500, 42, 0.9, 100);
    const std::string swf_path = folder / "made.swf.gz";
    const auto misnamed = write_swf(folder / "made.csv", classic);
    ASSERT_FALSE(misnamed.has_value());
    EXPECT_THAT(misnamed.error().message, HasSubstr("valid endings: .swf, .swf.gz"));
    EXPECT_FALSE(std::filesystem::exists(folder / "made.csv"));
    ASSERT_TRUE(write_swf(swf_path, classic).has_value());
    const auto trace = read_trace(swf_path);
    ASSERT_TRUE(trace.has_value()) << trace.error().message;
    ASSERT_EQ(trace->jobs.size(), 500U);
    EXPECT_TRUE(trace->notes.empty());
    EXPECT_EQ(trace->fleet.chips_total(), 100U);
    for (std::size_t i = 0; i < 500; ++i) {
        EXPECT_EQ(trace->jobs[i].submitted_at, at_seconds(classic.jobs[i].submit_s));
        EXPECT_EQ(trace->jobs[i].run, seconds(classic.jobs[i].run_s));
        EXPECT_EQ(trace->jobs[i].limit, seconds(classic.jobs[i].limit_s));
        EXPECT_EQ(trace->jobs[i].chips, classic.jobs[i].chips);
    }

    const Workload mix =
        generate_workload({WorkloadModel::gpu_mix, 500, 42, 0.9, gpus(40)}).value();
    const std::string csv_path = folder / "mix.csv";
    ASSERT_TRUE(write_gpu_csv(csv_path, mix).has_value());
    std::ofstream(sidecar_path(csv_path).value()) << sidecar_text("mix", mix);
    const auto gpu_trace = read_trace(csv_path);
    ASSERT_TRUE(gpu_trace.has_value()) << gpu_trace.error().message;
    ASSERT_EQ(gpu_trace->jobs.size(), 500U);
    for (std::size_t i = 0; i < 500; ++i) {
        EXPECT_EQ(gpu_trace->jobs[i].chip_permille, mix.jobs[i].chip_permille);
        EXPECT_EQ(gpu_trace->jobs[i].cpus_milli, mix.jobs[i].cpus * 1000);
        EXPECT_EQ(gpu_trace->jobs[i].memory, gibibytes(mix.jobs[i].memory_gib));
    }
    EXPECT_EQ(gpu_trace->fleet.pools.at(0).memory, gibibytes(768));
    std::uint32_t quotas = 0;
    for (const auto& [group, chips] : gpu_trace->quotas_chips)
        quotas += chips;
    EXPECT_EQ(quotas, gpu_trace->fleet.chips_total());
    std::filesystem::remove_all(folder);
}

// Bytes must not change between compilers, machines or releases: a seed in a paper is a promise.
TEST(Workloads, AreTheSameForASeedForEver) {
    const auto digest_of = [](const Workload& workload) {
        Digest digest;
        for (const WorkloadJob& job : workload.jobs) {
            digest.add(job.submit_s);
            digest.add(job.run_s);
            digest.add(job.limit_s);
            digest.add(std::uint64_t{job.chips} << 32 | job.chip_permille);
        }
        return digest.hex();
    };
    const Workload again = lublin(2000, 1, 0.7, 128);
    EXPECT_EQ(again.jobs, lublin(2000, 1, 0.7, 128).jobs);
    EXPECT_NE(again.jobs, lublin(2000, 2, 0.7, 128).jobs);
    EXPECT_EQ(digest_of(again), "498fab83e83eccd5");
    EXPECT_EQ(
        digest_of(generate_workload({WorkloadModel::gpu_mix, 2000, 1, 0.7, gpus(16)}).value()),
        "0c58046c1a4ff808");
}

TEST(Workloads, RefuseWhatCannotBe) {
    const auto error = [](WorkloadOptions options) {
        return generate_workload(options).error().message;
    };
    EXPECT_THAT(error({WorkloadModel::lublin, 0, 1, 0.7, processors(4)}), HasSubstr("jobs: 0"));
    EXPECT_THAT(error({WorkloadModel::lublin, 5, 1, 0, processors(4)}), HasSubstr("load: 0"));
    EXPECT_THAT(error({WorkloadModel::lublin, 5, 1, std::nan(""), processors(4)}),
                HasSubstr("load"));
    EXPECT_THAT(error({WorkloadModel::gpu_mix, 5, 1, 0.5, {}}), HasSubstr("no chips"));
    EXPECT_EQ(generate_workload({WorkloadModel::lublin, 1, 1, 0.5, processors(4)})->jobs.size(),
              1U);
}

}  // namespace
}  // namespace weir::sim
