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
#include <cstring>
#include <fstream>
#include <queue>
#include <string>
#include <vector>

#include "weir/base/random.hpp"
#include "weir/sched/engine.hpp"

namespace {

using namespace weir;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point began) {
    return std::chrono::duration<double>(Clock::now() - began).count();
}

double peak_gib() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("VmHWM:", 0) == 0) return std::stod(line.substr(6)) / (1024.0 * 1024.0);
    }
    return 0;
}

// Three sites, twenty pools of equal nodes with eight chips, four kinds of chip; racks of eight
// nodes that may draw 40 kW of the 44.8 kW that they would at full load, pods of sixteen racks.
fleet::Fleet fleet_of(std::uint32_t nodes) {
    fleet::Fleet fleet;
    for (const char* site : {"east", "west", "north"})
        fleet.sites.push_back({.name = site, .executor = "simulated", .power_watts = 0});
    constexpr std::uint32_t pools = 20;
    for (std::uint32_t i = 0; i < pools; ++i) {
        fleet::Pool pool;
        pool.name = "pool-" + std::to_string(i);
        pool.site = fleet.sites[i % 3].name;
        pool.chip = "chip-" + std::to_string(i % 4);
        pool.nodes = nodes / pools;
        pool.chips_per_node = 8;
        pool.cpus_milli = 192'000;
        pool.memory = gibibytes(1536);
        pool.nodes_per_rack = 8;
        pool.racks_per_pod = 16;
        pool.rack_power_watts = 40'000;
        pool.node_idle_watts = 1'100;
        pool.node_busy_watts = 5'600;
        fleet.pools.push_back(pool);
    }
    return fleet;
}

class Load {
public:
    Load(const fleet::Fleet& fleet, std::uint64_t seed) : fleet_(fleet), random_(seed) {}

    struct Drawn {
        sched::Request request;
        Duration run{};
    };
    Drawn draw() {
        struct Size {
            std::uint32_t chips;
            std::int64_t per_100k;
        };
        static constexpr Size sizes[] = {{1, 55'000},
                                         {2, 10'000},
                                         {4, 10'000},
                                         {8, 19'165},
                                         {16, 3'000},
                                         {64, 2'000},
                                         {256, 600},
                                         {1024, 200},
                                         {4096, 30},
                                         {16384, 5}};
        std::int64_t dice = random_.between(0, 99'999);
        std::uint32_t chips = 1;
        for (const Size& size : sizes) {
            chips = size.chips;
            if ((dice -= size.per_100k) < 0) break;
        }
        const std::uint64_t pool_chips = std::uint64_t{fleet_.pools.front().nodes} * 8;
        while (chips > pool_chips / 2)
            chips /= 2;  // small fleets have no such gangs
        Drawn drawn;
        sched::Request& request = drawn.request;
        request.job = JobId{++last_};
        fleet::GangPart part{.replicas = chips <= 8 ? 1 : chips / 8, .each = {}};
        part.each.chips = std::min(chips, 8U);
        part.each.cpus_milli = part.each.chips * 16'000;
        part.each.memory = gibibytes(part.each.chips * std::int64_t{128});
        request.demand.parts = {part};
        request.demand.within = chips <= 8     ? fleet::Level::site
                                : chips <= 32  ? fleet::Level::rack
                                : chips <= 512 ? fleet::Level::pod
                                               : fleet::Level::pool;
        if (chips > 8 && random_.chance(0.5)) request.demand.within = fleet::Level::pool;
        // One kind of chip, all pools of it.
        const auto kind = static_cast<std::uint32_t>(random_.between(0, 3));
        for (std::uint32_t p = kind; p < fleet_.pools.size(); p += 4)
            request.demand.pools.push_back(PoolId{p});
        static constexpr std::int64_t hours[] = {1, 2, 4, 8, 12, 24, 48};
        request.limit = seconds(3600 * hours[random_.between(0, 6)]);
        drawn.run = request.limit / 100 * random_.between(20, 100);
        if (random_.chance(0.5)) request.checkpoint = {seconds(1800), seconds(60)};
        return drawn;
    }

private:
    const fleet::Fleet& fleet_;
    Random random_;
    std::uint64_t last_ = 0;
};

struct Steady {
    std::uint64_t nodes = 0, running = 0, pending = 0, events = 0, decisions = 0;
    double fill_s = 0, wall_s = 0, p50_us = 0, p99_us = 0, max_us = 0, gib = 0;
    [[nodiscard]] double per_s() const { return static_cast<double>(decisions) / wall_s; }
    [[nodiscard]] double us_each() const { return wall_s * 1e6 / static_cast<double>(decisions); }
};

class World {
public:
    World(std::uint32_t nodes, std::uint64_t seed, const sched::Policy& policy)
        : fleet_(fleet_of(nodes)), load_(fleet_, seed), engine_(fleet_, policy) {}

    // Until the queue holds as many as run.
    void fill() {
        const std::uint64_t chips = fleet_.chips_total();
        while (true) {
            for (std::uint64_t i = 0; i < chips / 200 + 1; ++i)
                submit();
            decide();
            const sched::Counts counts = engine_.counts();
            if (counts.pending >= counts.running) return;
        }
    }
    void submit() {
        Load::Drawn drawn = load_.draw();
        runs_.resize(drawn.request.job.value + 1);
        runs_[drawn.request.job.value] = drawn.run;
        engine_.apply(sched::JobSubmitted{std::move(drawn.request)}, now_);
    }
    void decide() {
        decisions_.clear();
        engine_.decide(now_, decisions_);
        for (const sched::Decision& decision : decisions_) {
            if (const auto* start = std::get_if<sched::Start>(&decision.what)) {
                ends_.emplace(now_ + runs_[start->job.value], start->job.value);
            }
        }
    }
    // One end, one submission, one pass.
    void step() {
        now_ = std::max(now_, ends_.top().first);
        const JobId job{ends_.top().second};
        ends_.pop();
        engine_.apply(sched::JobEnded{job}, now_);
        submit();
        decide();
    }
    sched::Engine& engine() { return engine_; }
    Time now() const { return now_; }
    const fleet::Fleet& fleet() const { return fleet_; }

private:
    fleet::Fleet fleet_;
    Load load_;
    sched::Engine engine_;
    std::vector<Duration> runs_;
    using End = std::pair<Time, std::uint64_t>;
    std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
    std::vector<sched::Decision> decisions_;
    Time now_ = at_seconds(0);
};

Steady steady(std::uint32_t nodes,
              std::uint64_t events,
              std::uint64_t seed,
              const sched::Policy& policy) {
    const Clock::time_point began = Clock::now();
    World world(nodes, seed, policy);
    world.fill();
    Steady result;
    result.nodes = nodes;
    result.fill_s = seconds_since(began);
    for (std::uint64_t i = 0; i < events / 4; ++i)
        world.step();  // warm
    std::vector<float> each_us;
    each_us.reserve(events);
    const std::uint64_t before = world.engine().counts().decisions;
    const Clock::time_point start = Clock::now();
    for (std::uint64_t i = 0; i < events; ++i) {
        const Clock::time_point one = Clock::now();
        world.step();
        each_us.push_back(static_cast<float>(seconds_since(one) * 1e6));
    }
    result.wall_s = seconds_since(start);
    result.events = events;
    result.decisions = world.engine().counts().decisions - before;
    result.running = world.engine().counts().running;
    result.pending = world.engine().counts().pending;
    std::sort(each_us.begin(), each_us.end());
    result.p50_us = each_us[each_us.size() / 2];
    result.p99_us = each_us[each_us.size() * 99 / 100];
    result.max_us = each_us.back();
    result.gib = peak_gib();
    return result;
}

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
    std::uint64_t events = 100'000;
    std::uint64_t seed = 1;
    std::uint32_t only_nodes = 0;
    sched::Policy policy = sched::Policy::weir;
    bool json = false;
    bool quick = false;
    bool only_victims = false;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--json") == 0) json = true;
        if (std::strcmp(argv[i], "--quick") == 0) quick = true;
        if (std::strcmp(argv[i], "--victims") == 0) only_victims = true;
        if (i + 1 < argc && std::strcmp(argv[i], "--events") == 0) events = std::stoull(argv[++i]);
        if (i + 1 < argc && std::strcmp(argv[i], "--seed") == 0) seed = std::stoull(argv[++i]);
        if (i + 1 < argc && std::strcmp(argv[i], "--nodes") == 0) {
            only_nodes = static_cast<std::uint32_t>(std::stoul(argv[++i]));
        }
        if (i + 1 < argc && std::strcmp(argv[i], "--policy") == 0) {
            const auto parsed = sched::policy_from_text(argv[++i]);
            if (!parsed) return std::fprintf(stderr, "%s\n", parsed.error().message.c_str()), 2;
            policy = *parsed;
        }
    }
    if (!json) {
        std::printf(
            "steady state, %llu events each, seed %llu, 8 chips a node, 20 pools, rack power\n",
            static_cast<unsigned long long>(events),
            static_cast<unsigned long long>(seed));
        std::printf("%8s %8s %8s %12s %9s %8s %8s %9s %7s\n",
                    "nodes",
                    "running",
                    "pending",
                    "decisions/s",
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
        const Steady s = steady(nodes, events, seed, policy);
        if (json) {
            char row[400];
            std::snprintf(row,
                          sizeof row,
                          "%s{\"nodes\":%llu,\"running\":%llu,\"pending\":%llu,\"decisions_per_s\":"
                          "%.0f,\"us_each\":%.2f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,"
                          "\"peak_gib\":%.2f}",
                          rows.empty() ? "" : ",",
                          static_cast<unsigned long long>(s.nodes),
                          static_cast<unsigned long long>(s.running),
                          static_cast<unsigned long long>(s.pending),
                          s.per_s(),
                          s.us_each(),
                          s.p50_us,
                          s.p99_us,
                          s.max_us,
                          s.gib);
            rows += row;
        } else {
            std::printf("%8llu %8llu %8llu %12.0f %9.2f %8.1f %8.1f %9.0f %7.2f\n",
                        static_cast<unsigned long long>(s.nodes),
                        static_cast<unsigned long long>(s.running),
                        static_cast<unsigned long long>(s.pending),
                        s.per_s(),
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
