// One core, a million chips: what a decision costs in steady state, how that grows with the fleet,
// how long the cheapest victims for a 16,384-chip gang take among 100,000 jobs, and how long a
// conservative plan of 1,000 waiting jobs.
//
//     million_chips [--events N] [--seed N] [--nodes N] [--policy TEXT] [--victims] [--json]
//                   [--quick]
//
// --nodes: that size alone, and nothing else. --victims: the victims alone.
//
// Steady state: as many jobs wait as run. Whenever one ends, another is submitted, and the core
// decides; the time of one event is that of apply() for both and of decide(). Sizes, limits and
// shapes are drawn from the distribution below, about ten chips a job on average, so that a million
// chips run a hundred thousand jobs.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <queue>
#include <string>
#include <vector>

#include "weir/base/huge_pages.hpp"

#include "bench/arguments.hpp"
#include "bench/world.hpp"

namespace {

using namespace weir;
using namespace weir::bench;

// An urgent gang of 16,384 chips on a full fleet: one pass that finds and stops victims.
double victims_ms(std::uint32_t nodes, std::uint64_t seed, std::uint64_t& victims) {
    const auto policy = sched::policy_from_text("weir preemptions_per_hour=1000000 min_run=0s");
    World world(nodes, seed, *policy);
    world.fill();
    sched::Request request;
    request.job = JobId{1'000'000};
    request.priority = job::Priority::urgent;
    request.limit = seconds(3600);
    request.demand.parts = {
        {.replicas = 2048,
         .each = {.chips = 8, .chip_permille = 0, .cpus_milli = 0, .memory = {}}}};
    request.demand.within = fleet::Level::pool;
    for (std::uint32_t p = 0; p < 20; ++p)
        request.demand.pools.push_back(PoolId{p});
    std::vector<sched::Decision> decisions;
    world.engine().apply(sched::JobSubmitted{request}, world.now());
    const Clock::time_point began = Clock::now();
    world.engine().decide(world.now(), decisions);
    const double ms = seconds_since(began) * 1e3;
    victims = 0;
    for (const sched::Decision& decision : decisions)
        victims += std::holds_alternative<sched::Preempt>(decision.what) ? 1 : 0;
    return ms;
}

// 1,000 waiting jobs, each promised a start, on 10,000 nodes whose jobs end within 7 days.
double conservative_s(std::uint64_t seed, std::uint64_t& promises) {
    const auto policy = sched::policy_from_text("conservative reservations=100000 plan_work=0");
    fleet::Fleet fleet = fleet_of(200'000 / 20);
    fleet.pools.resize(4);
    for (fleet::Pool& pool : fleet.pools) {
        pool.nodes = 2500;
        pool.rack_power_watts = 0;
    }
    Random random(seed);
    sched::Engine engine(fleet, *policy);
    std::vector<sched::Decision> decisions;
    std::uint64_t id = 0;
    const auto submit = [&](std::uint32_t nodes) {
        sched::Request request;
        request.job = JobId{++id};
        request.limit = seconds(3600 * random.between(1, 7 * 24));
        request.demand.parts = {
            {.replicas = nodes,
             .each = {.chips = 8, .chip_permille = 0, .cpus_milli = 0, .memory = {}}}};
        request.demand.within = fleet::Level::pool;
        request.demand.pools = {PoolId{static_cast<std::uint32_t>(random.between(0, 3))}};
        engine.apply(sched::JobSubmitted{std::move(request)}, at_seconds(0));
    };
    while (true) {  // fill it
        submit(static_cast<std::uint32_t>(random.between(1, 64)));
        decisions.clear();
        engine.decide(at_seconds(0), decisions);
        if (engine.counts().pending >= 4) break;
    }
    while (engine.counts().pending < 1000)
        submit(static_cast<std::uint32_t>(random.between(1, 256)));
    decisions.clear();
    const Clock::time_point began = Clock::now();
    engine.decide(at_seconds(1), decisions);
    const double wall_s = seconds_since(began);
    promises = 0;
    for (const sched::Decision& decision : decisions) {
        const auto* reserve = std::get_if<sched::Reserve>(&decision.what);
        promises += reserve != nullptr && reserve->at != never ? 1 : 0;
    }
    return wall_s;
}

}  // namespace

int main(int argc, char** argv) {
    use_huge_pages(argv);  // as the hub does
    Arguments given("bench_million_chips", argc, argv);
    const bool json = given.has("--json");
    const bool quick = given.has("--quick");
    const bool only_victims = given.has("--victims");
    const std::uint64_t events = given.number("--events", 100'000, 1'000'000'000);
    const std::uint64_t seed = given.number("--seed", 1, 1'000'000'000);
    const auto only_nodes = static_cast<std::uint32_t>(given.number("--nodes", 0, 10'000'000));
    const auto parsed = sched::policy_from_text(given.text("--policy", "weir"));
    if (!parsed) given.stop(parsed.error().message);
    const sched::Policy& policy = *parsed;
    given.no_more();
    if (!json) {
        std::printf(
            "steady state, %llu events each, seed %llu, 8 chips a node, 20 pools, rack power\n",
            static_cast<unsigned long long>(events),
            static_cast<unsigned long long>(seed));
        std::printf("%8s %8s %8s %12s %10s %9s %8s %8s %9s %7s\n",
                    "nodes",
                    "running",
                    "pending",
                    "decisions/s",
                    "/CPU s",
                    "us each",
                    "p50 us",
                    "p99 us",
                    "max us",
                    "GiB");
    }
    std::string rows;
    for (const std::uint32_t nodes : {1'000U, 5'000U, 25'000U, 125'000U}) {
        if (only_victims || (quick && nodes > 5'000)) break;
        if (only_nodes != 0 && nodes != only_nodes) continue;
        World world(nodes, seed, policy);
        const Steady s = steady(world, events);
        if (json) {
            char row[400];
            std::snprintf(row,
                          sizeof row,
                          "%s{\"nodes\":%llu,\"running\":%llu,\"pending\":%llu,\"decisions_per_s\":"
                          "%.0f,\"us_each\":%.2f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,"
                          "\"peak_gib\":%.2f,\"decisions_per_cpu_s\":%.0f}",
                          rows.empty() ? "" : ",",
                          static_cast<unsigned long long>(s.nodes),
                          static_cast<unsigned long long>(s.running),
                          static_cast<unsigned long long>(s.pending),
                          s.per_s(),
                          s.us_each(),
                          s.p50_us,
                          s.p99_us,
                          s.max_us,
                          s.gib,
                          s.per_cpu_s());
            rows += row;
        } else {
            std::printf("%8llu %8llu %8llu %12.0f %10.0f %9.2f %8.1f %8.1f %9.0f %7.2f\n",
                        static_cast<unsigned long long>(s.nodes),
                        static_cast<unsigned long long>(s.running),
                        static_cast<unsigned long long>(s.pending),
                        s.per_s(),
                        s.per_cpu_s(),
                        s.us_each(),
                        s.p50_us,
                        s.p99_us,
                        s.max_us,
                        s.gib);
            std::fflush(stdout);
        }
    }
    if (only_nodes != 0) return 0;
    std::uint64_t victims = 0;
    const double ms = quick ? 0 : victims_ms(125'000, seed, victims);
    std::uint64_t promises = 0;
    const double plan_s = only_victims ? 0 : conservative_s(seed, promises);
    if (json) {
        std::printf(
            "{\"steady\":[%s],\"victims_ms\":%.1f,\"victims\":%llu,\"conservative_s\":%.3f,"
            "\"promises\":%llu}\n",
            rows.c_str(),
            ms,
            static_cast<unsigned long long>(victims),
            plan_s,
            static_cast<unsigned long long>(promises));
    } else {
        std::printf("victims of a 16,384-chip gang on 125,000 nodes: %.1f ms, %llu stopped\n",
                    ms,
                    static_cast<unsigned long long>(victims));
        std::printf(
            "conservative plan of 1,000 waiting jobs on 10,000 nodes: %.3f s, %llu promised\n",
            plan_s,
            static_cast<unsigned long long>(promises));
    }
    return 0;
}
