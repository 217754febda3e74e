// What is it worth to know what precision a job needs?
//
//     bench_precision [--jobs DIR] [--json]
//
// Six pieces of work (Linpack, weather, molecular dynamics, training, inference, and a campaign of
// simulation, surrogate and screening one after another) on five nodes of eight chips: B200, GH200,
// MI300X, RTX 5080 and a chip without FP64. The same decision core places them on a virtual clock
// twice: with the contracts that the jobs state, and without. The second plan takes every chip for
// able to do everything and prefers the largest number on its sheet; a program that finds no units
// for its format there runs in the next lower one that there is. All times are those that
// match/match.hpp plans. Since the order in which jobs come decides much, all 720 are played.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "weir/base/text_file.hpp"
#include "weir/base/text_table.hpp"
#include "weir/fleet/fleet_file.hpp"
#include "weir/job/job_file.hpp"
#include "weir/match/match.hpp"
#include "weir/match/verdict.hpp"
#include "weir/sched/engine.hpp"

#include "bench/arguments.hpp"

namespace {

using namespace weir;

template <class T>
T value_of(Result<T> result) {
    if (result.has_value()) return std::move(result).value();
    fmt::print(stderr, "bench_precision: {}\n", result.error().message);
    std::exit(2);
}

// What a job does on one pool.
struct Run {
    std::string how;
    double seconds = 0;
    std::string violation;  // "" = it keeps its contract
};

struct Plan {
    std::vector<PoolId> pools;  // in the order of preference
    std::map<PoolId, Run> runs;
};

struct World {
    fleet::Fleet fleet;
    catalog::Catalog catalog;
    std::vector<job::JobSpec> jobs;
    std::vector<Plan> aware;
    std::vector<Plan> blind;
};

Plan plan_by_contract(const World& world, const job::JobSpec& spec) {
    Plan plan;
    const match::Offers offers = match::offers_of(spec, world.fleet, world.catalog);
    for (const match::PoolOffer& pool : offers.pools) {
        if (!pool.serves) continue;
        const match::Kind& kind = offers.kinds[pool.kind];
        const match::ChipOffer& offer = *kind.match.offer;
        plan.pools.push_back(pool.pool);
        plan.runs[pool.pool] = {
            match::how(offer), offer.seconds.value(), match::violation(spec, *kind.record, offer)};
    }
    return plan;
}

// As a program runs that nobody asked: each phase in its format, or in the highest lower one.
Run run_unasked(const job::JobSpec& spec, const catalog::ChipRecord& chip) {
    match::ChipOffer all;
    double seconds = 0;
    for (const job::Phase& phase : spec.work) {
        const catalog::Format asked = phase.format ? *phase.format : spec.precision->format;
        job::JobSpec one = spec;
        one.precision.reset();
        for (const catalog::Format format : catalog::all_formats()) {
            if (!holds(asked, format)) continue;
            one.work = {phase};
            one.work[0].format = format;
            // The program moves the bytes that it always moves, in numbers of the format it runs
            // in.
            if (!phase.storage)
                one.work[0].bytes *=
                    static_cast<double>(facts_of(format).bits) / facts_of(asked).bits;
            const match::Match match = match_chip(match::contract_of(one), chip);
            if (!match.offer || !match.offer->seconds) continue;
            all.phases.push_back(match.offer->phases.front());
            all.phases.back().asked = asked;
            seconds += *match.offer->seconds;
            break;
        }
    }
    return {match::how(all), seconds, match::violation(spec, chip, all)};
}

Plan plan_blindly(const World& world, const job::JobSpec& spec) {
    Plan plan;
    std::vector<std::pair<double, PoolId>> by_sheet;
    for (std::uint32_t i = 0; i < world.fleet.pools.size(); ++i) {
        const catalog::ChipRecord& chip = *world.catalog.find(world.fleet.pools[i].chip);
        double largest = 0;
        for (const catalog::Rate& rate : chip.rates) {
            if (rate.op != "memory") largest = std::max(largest, rate.value);
        }
        by_sheet.emplace_back(-largest, PoolId{i});
        plan.runs[PoolId{i}] = run_unasked(spec, chip);
    }
    std::sort(by_sheet.begin(), by_sheet.end());
    for (const auto& [rate, pool] : by_sheet)
        plan.pools.push_back(pool);
    return plan;
}

struct Played {
    double makespan_s = 0;
    std::uint32_t violated = 0;
    std::vector<PoolId> places;  // by job
};

// The jobs come in this order, all at once.
Played play(const World& world,
            const std::vector<Plan>& plans,
            const std::vector<std::size_t>& order) {
    sched::Engine engine(world.fleet, sched::Policy::weir);
    const auto id_of = [](std::size_t job) { return JobId{job + 1}; };
    Time now = at_seconds(0);
    for (const std::size_t job : order) {
        const job::JobSpec& spec = world.jobs[job];
        sched::Request request;
        request.job = id_of(job);
        request.limit = seconds(3600 * 1000);
        request.demand.parts = {
            {.replicas = spec.gang.replicas, .each = {.chips = spec.gang.chips}}};
        request.demand.pools = plans[job].pools;
        for (std::size_t other = 0; other < world.jobs.size(); ++other) {
            const auto& after = spec.after;
            if (std::find(after.begin(), after.end(), world.jobs[other].name) != after.end()) {
                request.after.push_back({id_of(other), sched::Needs::success});
            }
        }
        engine.apply(sched::JobSubmitted{std::move(request)}, now);
    }
    Played played;
    played.places.resize(world.jobs.size());
    std::vector<std::pair<Time, std::size_t>> running;
    for (;;) {
        std::vector<sched::Decision> decisions;
        engine.decide(now, decisions);
        for (const sched::Decision& decision : decisions) {
            const auto* start = std::get_if<sched::Start>(&decision.what);
            if (start == nullptr) continue;
            const std::size_t job = start->job.value - 1;
            const PoolId pool = start->placement.ranges.front().pool;
            const Run& run = plans[job].runs.at(pool);
            played.places[job] = pool;
            if (!run.violation.empty()) ++played.violated;
            running.emplace_back(now + Duration{std::llround(run.seconds * 1000)}, job);
        }
        if (running.empty()) break;
        const auto next = std::min_element(running.begin(), running.end());
        now = next->first;
        engine.apply(sched::JobEnded{id_of(next->second), sched::Outcome::succeeded}, now);
        running.erase(next);
    }
    played.makespan_s = as_seconds(now.time_since_epoch());
    return played;
}

struct Summary {
    double makespan_mean_s = 0;
    double makespan_min_s = 0;
    double makespan_max_s = 0;
    std::uint64_t violated = 0;
    std::uint32_t violated_max = 0;
    std::uint64_t clean = 0;  // orders in which no contract was broken
    std::uint64_t orders = 0;
};

// The parts of the campaign keep their order, for each waits for the one before.
Summary play_all(const World& world, const std::vector<Plan>& plans) {
    std::vector<std::size_t> pieces(6);
    std::iota(pieces.begin(), pieces.end(), 0);
    Summary summary;
    do {
        std::vector<std::size_t> order;
        for (const std::size_t piece : pieces) {
            order.push_back(piece);
            for (std::size_t job = 6; piece == 5 && job < world.jobs.size(); ++job)
                order.push_back(job);
        }
        const Played played = play(world, plans, order);
        const bool first = summary.orders == 0;
        summary.makespan_mean_s += played.makespan_s;
        summary.makespan_min_s =
            first ? played.makespan_s : std::min(summary.makespan_min_s, played.makespan_s);
        summary.makespan_max_s = std::max(summary.makespan_max_s, played.makespan_s);
        summary.violated += played.violated;
        summary.violated_max = std::max(summary.violated_max, played.violated);
        if (played.violated == 0) ++summary.clean;
        ++summary.orders;
    } while (std::next_permutation(pieces.begin(), pieces.end()));
    summary.makespan_mean_s /= static_cast<double>(summary.orders);
    return summary;
}

World read_world(const std::string& folder) {
    World world;
    world.fleet = value_of(fleet::read_fleet(folder + "/fleet.yaml"));
    world.catalog = value_of(catalog::catalog_with({folder + "/catalog.yaml"}));
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (name.front() >= '0' && name.front() <= '9') files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    for (const std::string& file : files) {
        const std::string text = value_of(read_text_file(file, yaml::job_limits.bytes_max));
        world.jobs.push_back(value_of(job::read_job_text(text, file)).spec);
    }
    if (world.jobs.size() < 6) {
        fmt::print(stderr, "bench_precision: {} has not six jobs\n", folder);
        std::exit(2);
    }
    for (const job::JobSpec& job : world.jobs) {
        world.aware.push_back(plan_by_contract(world, job));
        world.blind.push_back(plan_blindly(world, job));
    }
    return world;
}

std::string json_of(const Summary& summary) {
    return fmt::format(
        "{{\"makespan_mean_s\":{:.1f},\"makespan_min_s\":{:.1f},\"makespan_max_s\":{:.1f},"
        "\"violated\":{},\"violated_max\":{},\"clean\":{},\"orders\":{}}}",
        summary.makespan_mean_s,
        summary.makespan_min_s,
        summary.makespan_max_s,
        summary.violated,
        summary.violated_max,
        summary.clean,
        summary.orders);
}

std::string hours(double seconds) {
    return fmt::format("{:.2f} h", seconds / 3600);
}

void print(const World& world, const Summary& aware, const Summary& blind) {
    TextTable jobs({{"job"},
                    {"chip"},
                    {"with contracts"},
                    {"time", true},
                    {"without"},
                    {"time", true},
                    {"broken"}});
    for (std::size_t job = 0; job < world.jobs.size(); ++job) {
        for (std::uint32_t i = 0; i < world.fleet.pools.size(); ++i) {
            const auto& runs = world.aware[job].runs;
            const auto run = runs.find(PoolId{i});
            const Run& unasked = world.blind[job].runs.at(PoolId{i});
            const auto& order = world.aware[job].pools;
            const auto place = std::find(order.begin(), order.end(), PoolId{i}) - order.begin();
            jobs.row({i == 0 ? world.jobs[job].name : "",
                      world.fleet.pools[i].chip,
                      run == runs.end() ? "no" : fmt::format("{}. {}", place + 1, run->second.how),
                      run == runs.end() ? "-" : hours(run->second.seconds),
                      unasked.how,
                      hours(unasked.seconds),
                      unasked.violation});
        }
    }
    TextTable table({{"plan"},
                     {"makespan, mean", true},
                     {"least", true},
                     {"most", true},
                     {"contracts broken", true},
                     {"orders with none", true}});
    for (const auto& [name, summary] :
         {std::pair("with contracts", aware), std::pair("without", blind)}) {
        table.row({name,
                   hours(summary.makespan_mean_s),
                   hours(summary.makespan_min_s),
                   hours(summary.makespan_max_s),
                   fmt::format("{} of {}", summary.violated, summary.orders * world.jobs.size()),
                   fmt::format("{} of {}", summary.clean, summary.orders)});
    }
    fmt::print("{}\nevery order of six pieces of work\n{}", jobs.text(), table.text());
}

}  // namespace

int main(int count, char** arguments) {
    bench::Arguments given("bench_precision", count, arguments);
    const bool json = given.has("--json");
    const std::string folder = given.text("--jobs", "bench/precision");
    given.no_more();
    const World world = read_world(folder);
    const Summary aware = play_all(world, world.aware);
    const Summary blind = play_all(world, world.blind);
    if (json) {
        fmt::print("{{\"with_contracts\":{},\"without\":{}}}\n", json_of(aware), json_of(blind));
    } else {
        print(world, aware, blind);
    }
    return 0;
}
