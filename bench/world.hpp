// World: a fleet of up to a million chips in steady state, for benchmarks of the decision core: as
// many jobs wait as run, and whenever one ends, another is submitted and the core decides.
#pragma once

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <functional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "weir/base/random.hpp"
#include "weir/sched/engine.hpp"

namespace weir::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point began) {
    return std::chrono::duration<double>(Clock::now() - began).count();
}

inline double peak_gib() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("VmHWM:", 0) == 0) return std::stod(line.substr(6)) / (1024.0 * 1024.0);
    }
    return 0;
}

// Three sites, twenty pools of equal nodes with eight chips, four kinds of chip; racks of eight
// nodes that may draw 40 kW of the 44.8 kW that they would at full load, pods of sixteen racks.
inline fleet::Fleet fleet_of(std::uint32_t nodes) {
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
    // tenants: that submit, all equally often; none: nobody is limited.
    Load(const fleet::Fleet& fleet, std::uint64_t seed, std::vector<TenantId> tenants)
        : fleet_(fleet), random_(seed), tenants_(std::move(tenants)) {}

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
        if (!tenants_.empty()) {
            const auto last = static_cast<std::int64_t>(tenants_.size()) - 1;
            request.tenant = tenants_[static_cast<std::size_t>(random_.between(0, last))];
        }
        return drawn;
    }

private:
    const fleet::Fleet& fleet_;
    Random random_;
    std::vector<TenantId> tenants_;
    std::uint64_t last_ = 0;
};

struct Steady {
    std::uint64_t nodes = 0, running = 0, pending = 0, events = 0, decisions = 0;
    double fill_s = 0, wall_s = 0, p50_us = 0, p99_us = 0, max_us = 0, gib = 0;
    double cpu_s = 0;  // processor time: the same whoever else uses the machine
    [[nodiscard]] double per_s() const { return static_cast<double>(decisions) / wall_s; }
    [[nodiscard]] double per_cpu_s() const { return static_cast<double>(decisions) / cpu_s; }
    [[nodiscard]] double us_each() const { return wall_s * 1e6 / static_cast<double>(decisions); }
};

class World {
public:
    World(std::uint32_t nodes,
          std::uint64_t seed,
          const sched::Policy& policy,
          const tenancy::Organisations& house = {})
        : fleet_(fleet_of(nodes)),
          load_(fleet_, seed, members_of(house)),
          engine_(fleet_, policy, tenancy::rights_on(fleet_, house, {})) {}

    // Those who have nobody below them.
    static std::vector<TenantId> members_of(const tenancy::Organisations& house) {
        std::vector<bool> above(house.tenants.size(), false);
        for (const tenancy::Tenant& tenant : house.tenants)
            if (tenant.parent.valid()) above[tenant.parent.value] = true;
        std::vector<TenantId> members;
        for (std::uint32_t i = 1; i < above.size(); ++i)
            if (!above[i]) members.push_back(TenantId{i});
        return members;
    }

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
        attempts_.resize(drawn.request.job.value + 1);
        runs_[drawn.request.job.value] = drawn.run;
        engine_.apply(sched::JobSubmitted{std::move(drawn.request)}, now_);
    }
    void decide() {
        decisions_.clear();
        engine_.decide(now_, decisions_);
        for (const sched::Decision& decision : decisions_) {
            if (const auto* start = std::get_if<sched::Start>(&decision.what)) {
                const std::uint64_t job = start->job.value;
                ++attempts_[job];
                ends_.push({now_ + runs_[job], job, attempts_[job], false});
            }
            if (const auto* stopped = std::get_if<sched::Preempt>(&decision.what)) {
                const std::uint64_t job = stopped->job.value;
                ++attempts_[job];
                ends_.push({now_ + seconds(60), job, attempts_[job], true});
                ++stops_;
            }
        }
    }
    // One end, one submission, one pass.
    void step() {
        while (ends_.top().attempt != attempts_[ends_.top().job])
            ends_.pop();  // it was stopped before
        const End end = ends_.top();
        ends_.pop();
        now_ = std::max(now_, end.at);
        if (end.stopped) {
            engine_.apply(sched::JobEnded{JobId{end.job}, sched::Outcome::cancelled, true}, now_);
        } else {
            engine_.apply(sched::JobEnded{JobId{end.job}}, now_);
            submit();
        }
        decide();
    }
    sched::Engine& engine() { return engine_; }
    Time now() const { return now_; }
    [[nodiscard]] std::uint64_t stops() const { return stops_; }
    [[nodiscard]] std::uint64_t submitted() const { return runs_.size() - 1; }
    const fleet::Fleet& fleet() const { return fleet_; }

private:
    fleet::Fleet fleet_;
    Load load_;
    sched::Engine engine_;
    struct End {
        Time at;
        std::uint64_t job;
        std::uint32_t attempt;  // starts and stops so far
        bool stopped;
        friend bool operator>(const End& a, const End& b) {
            return a.at != b.at ? a.at > b.at : a.job > b.job;
        }
    };
    std::vector<Duration> runs_;
    std::vector<std::uint32_t> attempts_;
    std::uint64_t stops_ = 0;
    std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
    std::vector<sched::Decision> decisions_;
    Time now_ = at_seconds(0);
};

// Fills the world and measures so many events in it.
inline Steady steady(World& world, std::uint64_t events) {
    const Clock::time_point began = Clock::now();
    world.fill();
    Steady result;
    result.nodes = world.fleet().nodes_total();
    result.fill_s = seconds_since(began);
    for (std::uint64_t i = 0; i < events / 4; ++i)
        world.step();  // warm
    std::vector<float> each_us;
    each_us.reserve(events);
    const std::uint64_t before = world.engine().counts().decisions;
    const std::clock_t cpu_before = std::clock();
    const Clock::time_point start = Clock::now();
    for (std::uint64_t i = 0; i < events; ++i) {
        const Clock::time_point one = Clock::now();
        world.step();
        each_us.push_back(static_cast<float>(seconds_since(one) * 1e6));
    }
    result.wall_s = seconds_since(start);
    result.cpu_s = static_cast<double>(std::clock() - cpu_before) / CLOCKS_PER_SEC;
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

}  // namespace weir::bench
