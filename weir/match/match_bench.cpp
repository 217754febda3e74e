// The offers for one job on a fleet of a million chips: hundreds of pools, a dozen kinds of chip.
// Says the mean, and below what 99 % of single calls stay: by the wall clock, and by the time that
// the thread itself ran, which neighbours on a busy machine do not change.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "weir/match/match.hpp"

namespace weir::match {
namespace {

constexpr const char* kinds[] = {"h200",
                                 "h100-sxm-80g",
                                 "a100-sxm-80g",
                                 "b200",
                                 "mi300x",
                                 "mi355x",
                                 "ascend-910b3",
                                 "ascend-910b2",
                                 "k100-ai",
                                 "bw200",
                                 "h20",
                                 "p800"};

// 1,048,576 chips in `pools` pools at 32 sites with prices.
fleet::Fleet million_chips(std::uint32_t pools) {
    fleet::Fleet fleet;
    for (int site = 0; site < 32; ++site) {
        fleet::Site made{.name = fmt::format("site-{}", site)};
        for (const char* kind : kinds)
            made.price[kind] = {Money{(site + 5) * 1'000'000, {}}};
        fleet.sites.push_back(std::move(made));
    }
    for (std::uint32_t i = 0; i < pools; ++i) {
        fleet::Pool pool;
        pool.name = fmt::format("pool-{}", i);
        pool.site = fmt::format("site-{}", i % 32);
        pool.chip = kinds[i % std::size(kinds)];
        pool.nodes = 131'072 / pools;
        pool.chips_per_node = 8;
        pool.cpus_milli = 192'000;
        pool.memory = gibibytes(1536);
        fleet.pools.push_back(std::move(pool));
    }
    return fleet;
}

job::JobSpec linpack() {
    using catalog::Format;
    job::JobSpec spec;
    spec.gang.replicas = 128;
    spec.gang.chips = 8;
    spec.chips_memory = gibibytes(32);
    spec.work = {{.name = "update",
                  .op = catalog::Op::gemm,
                  .flops = 6e20,
                  .bytes = 4e18,
                  .dim = 16384,
                  .format = Format::fp64,
                  .storage = {}},
                 {.name = "panel",
                  .op = catalog::Op::vector,
                  .flops = 3e19,
                  .bytes = 2e19,
                  .dim = 0,
                  .format = Format::fp64,
                  .storage = {}}};
    job::Precision& precision = spec.precision.emplace();
    precision.accept = {{}, {catalog::Way::emulated, catalog::Grade::certified}};
    precision.range_bits = 20;
    return spec;
}

double thread_time_us() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

double below_99(std::vector<double>& times) {
    std::sort(times.begin(), times.end());
    return times[(times.size() - 1) * 99 / 100];
}

void offers_on_a_million_chips(benchmark::State& state) {
    const fleet::Fleet fleet = million_chips(static_cast<std::uint32_t>(state.range(0)));
    const job::JobSpec spec = linpack();
    const catalog::Catalog& catalog = catalog::Catalog::built_in();
    std::vector<double> wall_us;
    std::vector<double> thread_us;
    for (auto _ : state) {
        const auto began = std::chrono::steady_clock::now();
        const double began_us = thread_time_us();
        const Offers offers = offers_of(spec, fleet, catalog);
        benchmark::DoNotOptimize(offers.pools.data());
        thread_us.push_back(thread_time_us() - began_us);
        const std::chrono::duration<double, std::micro> took =
            std::chrono::steady_clock::now() - began;
        wall_us.push_back(took.count());
    }
    state.counters["p99_us"] = below_99(wall_us);
    state.counters["p99_thread_us"] = below_99(thread_us);
    state.counters["chips"] = static_cast<double>(fleet.chips_total());
}
BENCHMARK(offers_on_a_million_chips)->Arg(128)->Arg(512);

}  // namespace
}  // namespace weir::match
