// How much of a cluster of shared accelerators can be given away before nothing fits any more?
//
//     bench_packing [--traces DIR] [--seeds 5] [--policy NAME] [--workload NAME] [--json]
//
// The packing experiment of Weng et al., "Beware of Fragmentation" (USENIX ATC 2023), on the OpenB
// trace: all tasks of the trace in random order, then tasks drawn from it until 130 % of the chips
// are asked for. Each is placed when it arrives, none ever leaves, and what fits nowhere is left
// out. The figure is the share of the chips that is given away when 100 % and 130 % have been asked
// for. Workload `default` lets every task use every chip; in `types` a third of them accept only
// some chips, as they asked in the trace.
//
// Policies: `bestfit` (the node with least left) and `fgd` (the score of that paper, which knows
// the mix beforehand) as in the paper's simulator; `supply` (supply.hpp), which learns the mix from
// what arrives, and `supply-known`, which knows it beforehand; `index` is the placement of
// FreeIndex, as the scheduler uses it. Logs are taken from --traces, else from $WEIR_TRACES, else
// from ../shared/traces.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "weir/base/random.hpp"
#include "weir/base/text_table.hpp"
#include "weir/fleet/free_index.hpp"
#include "weir/fleet/supply.hpp"
#include "weir/sim/csv.hpp"
#include "weir/sim/line_reader.hpp"

#include "bench/arguments.hpp"

namespace {

using namespace weir;
using namespace weir::fleet;

[[noreturn]] void stop(const std::string& message) {
    fmt::print(stderr, "bench_packing: {}\n", message);
    std::exit(2);
}

// ---------------------------------------------------------------------------------------------
// The trace

// A CSV file by the names of its columns.
std::vector<std::map<std::string, std::string>> read_table(const std::string& path) {
    auto lines = sim::LineReader::open(path);
    if (!lines.has_value()) stop(lines.error().message);
    sim::CsvReader reader(*lines);
    std::vector<std::string_view> fields;
    std::vector<std::string> names;
    std::vector<std::map<std::string, std::string>> rows;
    for (;;) {
        const auto more = reader.next(fields);
        if (!more.has_value()) stop(more.error().message);
        if (!*more) return rows;
        if (names.empty()) {
            names.assign(fields.begin(), fields.end());
            continue;
        }
        if (fields.size() < names.size()) stop(reader.here() + ": a field is missing");
        for (std::size_t i = rows.emplace_back().size(); i < names.size(); ++i)
            rows.back()[names[i]] = fields[i];
    }
}

template <class Whole>
Whole rounded(const std::string& number, double times) {
    return static_cast<Whole>(std::llround(std::atof(number.c_str()) * times));
}

Bytes memory_of(const std::string& gib) {
    return mebibytes(rounded<std::int64_t>(gib, 1024));
}

struct Task {
    Demand demand;  // one replica
    std::uint64_t chips_milli = 0;
};

struct World {
    Fleet fleet;                // equal nodes are a pool
    std::vector<PoolId> nodes;  // pool by node, in the order of the trace
    std::uint64_t chips_milli = 0;
    std::vector<Task> tasks;
};

World read_world(const std::string& folder, bool types) {
    World world;
    world.fleet.sites = {{.name = "openb"}};
    for (const auto& row : read_table(folder + "/openb-2023.nodes.csv")) {
        Pool pool;
        pool.site = "openb";
        pool.chip = row.at("chip");
        pool.chips_per_node = rounded<std::uint32_t>(row.at("devices"), 1);
        pool.cpus_milli = rounded<std::uint32_t>(row.at("cpus"), 1000);
        pool.memory = memory_of(row.at("mem_gb"));
        if (pool.chips_per_node == 0) continue;
        auto& pools = world.fleet.pools;
        auto its = std::find_if(pools.begin(), pools.end(), [&pool](const Pool& other) {
            return std::tie(other.chip, other.chips_per_node, other.cpus_milli, other.memory) ==
                   std::tie(pool.chip, pool.chips_per_node, pool.cpus_milli, pool.memory);
        });
        if (its == pools.end()) {
            pool.name = fmt::format("pool-{}", pools.size());
            its = pools.insert(its, pool);
        }
        ++its->nodes;
        world.nodes.emplace_back(static_cast<std::uint32_t>(its - pools.begin()));
        world.chips_milli += std::uint64_t{pool.chips_per_node} * 1000;
    }
    for (const auto& row : read_table(folder + "/openb-2023.csv.gz")) {
        Task task;
        ReplicaDemand each;
        each.cpus_milli = rounded<std::uint32_t>(row.at("cpus"), 1000);
        each.memory = memory_of(row.at("mem_gb"));
        const auto devices = rounded<std::uint32_t>(row.at("devices"), 1);
        const auto permille = rounded<std::uint32_t>(row.at("device_share"), 1000);
        if (devices == 1 && permille < 1000) {
            each.chip_permille = permille;
        } else {
            each.chips = devices;
        }
        task.chips_milli = chips_milli_of(each);
        task.demand.parts = {{1, each}};
        const std::string accepted = fmt::format("|{}|", row.at("chip"));
        for (std::uint32_t i = 0; i < world.fleet.pools.size(); ++i) {
            const bool accepts =
                !types || devices == 0 || accepted == "||" ||
                accepted.find(fmt::format("|{}|", world.fleet.pools[i].chip)) != std::string::npos;
            if (accepts) task.demand.pools.push_back(PoolId{i});
        }
        world.tasks.push_back(std::move(task));
    }
    return world;
}

// ---------------------------------------------------------------------------------------------
// Nodes, and the policies that choose among them

// What a node has free; nodes that have the same free are one class.
struct FreeState {
    PoolId pool;
    std::uint32_t chips = 0;  // that nobody uses
    std::uint32_t cpus_milli = 0;
    Bytes memory;
    std::vector<std::uint16_t> rooms;  // of the shared ones, ascending

    [[nodiscard]] std::uint32_t chips_milli() const {
        std::uint32_t sum = chips * 1000;
        for (const std::uint16_t room : rooms)
            sum += room;
        return sum;
    }
    friend auto operator<=>(const FreeState&, const FreeState&) = default;
};

bool fits(const FreeState& state, const Demand& demand) {
    const ReplicaDemand& each = demand.parts.front().each;
    if (state.cpus_milli < each.cpus_milli || state.memory < each.memory) return false;
    if (state.chips < each.chips) return false;
    if (each.chip_permille > 0 && state.chips == 0 &&
        (state.rooms.empty() || state.rooms.back() < each.chip_permille)) {
        return false;
    }
    return std::binary_search(demand.pools.begin(), demand.pools.end(), state.pool);
}

// `room` is that of the shared chip to use; 1000 = one that nobody uses.
FreeState after(FreeState state, const ReplicaDemand& each, std::uint16_t room) {
    state.cpus_milli -= each.cpus_milli;
    state.memory = state.memory - each.memory;
    state.chips -= each.chips;
    if (each.chip_permille == 0) return state;
    if (room == 1000) {
        --state.chips;
    } else {
        state.rooms.erase(std::find(state.rooms.begin(), state.rooms.end(), room));
    }
    if (room > each.chip_permille) {
        const auto left = static_cast<std::uint16_t>(room - each.chip_permille);
        state.rooms.insert(std::lower_bound(state.rooms.begin(), state.rooms.end(), left), left);
    }
    return state;
}

struct Class {
    std::set<std::uint32_t> nodes;
    StateId id;  // of Supply
};
using Classes = std::map<FreeState, Class>;

struct Spot {
    const FreeState* from = nullptr;  // null = it fits nowhere
    std::uint16_t room = 0;
};

class Policy {
public:
    virtual ~Policy() = default;
    virtual void arrived(const Demand&) {}
    virtual Spot choose(const Classes& classes, const Demand& demand) = 0;
    virtual void joined(const FreeState&, Class&) {}
    virtual void moved(const Class&, const FreeState&, Class&) {}  // a node, from, to
};

// Policies of the paper's simulator score a node from 0 to 100 in whole points; ties go to the
// lowest node, then to the tightest chip.
class ScorePolicy : public Policy {
public:
    Spot choose(const Classes& classes, const Demand& demand) override {
        const ReplicaDemand& each = demand.parts.front().each;
        Spot best;
        std::pair<std::int64_t, std::uint32_t> best_key;
        for (const auto& [state, its] : classes) {
            if (!fits(state, demand)) continue;
            std::vector<std::uint16_t> rooms{1000};
            if (each.chip_permille > 0) {
                rooms = state.rooms;
                if (state.chips > 0) rooms.push_back(1000);
            }
            for (const std::uint16_t room : rooms) {
                if (room < each.chip_permille) continue;
                const std::pair key{-score(state, after(state, each, room)), *its.nodes.begin()};
                if (best.from != nullptr && key >= best_key) continue;
                best = {&state, room};
                best_key = key;
            }
        }
        return best;
    }

private:
    virtual std::int64_t score(const FreeState& from, const FreeState& to) = 0;
};

class BestFit : public ScorePolicy {
    std::int64_t score(const FreeState&, const FreeState& to) override {
        return static_cast<std::int64_t>(
            std::floor(100 * (1 - 0.5 * to.cpus_milli / 128'000 - 0.5 * to.chips_milli() / 8'000)));
    }
};

// Fragmentation gradient descent: the expected part of a node that a task of the mix cannot use.
class Fgd : public ScorePolicy {
public:
    explicit Fgd(const World& world) {
        struct Less {
            bool operator()(const Demand& a, const Demand& b) const {
                return std::tie(a.parts, a.pools) < std::tie(b.parts, b.pools);
            }
        };
        std::map<Demand, double, Less> counts;
        for (const Task& task : world.tasks) {
            Demand kind = task.demand;
            kind.parts.front().each.memory = {};
            ++counts[kind];
        }
        kinds_.assign(counts.begin(), counts.end());
        std::stable_sort(kinds_.begin(), kinds_.end(), [](const auto& a, const auto& b) {
            return a.second > b.second;
        });
        // The most frequent ones, until they are 95 % of all.
        double sum = 0;
        std::size_t kept = 0;
        while (sum < 0.95 * static_cast<double>(world.tasks.size()))
            sum += kinds_[kept++].second;
        kinds_.resize(kept);
        for (auto& kind : kinds_)
            kind.second /= sum;
    }

private:
    double stranded(const FreeState& state) {
        const auto [entry, added] = known_.try_emplace(state, 0.0);
        if (!added) return entry->second;
        for (const auto& [demand, share] : kinds_) {
            const ReplicaDemand& each = demand.parts.front().each;
            double lost = state.chips_milli();
            if (chips_milli_of(each) > 0 && fits(state, demand)) {
                const std::uint32_t wanted = each.chip_permille > 0 ? each.chip_permille : 1000;
                lost = 0;
                for (const std::uint16_t room : state.rooms)
                    lost += room < wanted ? room : 0;
            }
            entry->second += share * lost;
        }
        return entry->second;
    }
    std::int64_t score(const FreeState& from, const FreeState& to) override {
        const double growth = stranded(to) - stranded(from);
        return static_cast<std::int64_t>(std::floor(100 / (1 + std::exp(growth / 1000))));
    }

    std::vector<std::pair<Demand, double>> kinds_;
    std::map<FreeState, double> known_;
};

class SupplyPolicy : public Policy {
public:
    SupplyPolicy(const World& world, bool known) : supply_(world.fleet) {
        if (!known) return;
        const ChipKinds kinds(world.fleet);
        TaskMix mix(TaskMix::never_halve);
        for (const Task& task : world.tasks)
            mix.arrived(task.demand, kinds.bits_of(task.demand.pools));
        supply_.know(std::move(mix));
    }
    void arrived(const Demand& demand) override { supply_.arrived(demand); }
    Spot choose(const Classes& classes, const Demand& demand) override {
        Spot best;
        Supply::Choice best_choice;
        std::uint32_t best_node = 0;
        for (const auto& [state, its] : classes) {
            if (!fits(state, demand)) continue;
            const Supply::Choice choice = supply_.best(its.id, demand.parts.front().each);
            const std::uint32_t node = *its.nodes.begin();
            if (best.from != nullptr) {
                const int order = supply_.compare(choice, best_choice);
                if (order > 0 || (order == 0 && node > best_node)) continue;
            }
            best = {&state, choice.room};
            best_choice = choice;
            best_node = node;
        }
        return best;
    }
    void joined(const FreeState& state, Class& its) override {
        its.id = id_of(state);
        supply_.joined(its.id, 1);
    }
    void moved(const Class& its, const FreeState& to, Class& next) override {
        next.id = id_of(to);
        supply_.moved(its.id, next.id, 1);
    }

private:
    StateId id_of(const FreeState& state) {
        return supply_.state(state.pool, state.chips, state.rooms, state.cpus_milli, state.memory);
    }
    Supply supply_;
};

std::unique_ptr<Policy> policy_named(const std::string& name, const World& world) {
    if (name == "bestfit") return std::make_unique<BestFit>();
    if (name == "fgd") return std::make_unique<Fgd>(world);
    return std::make_unique<SupplyPolicy>(world, name == "supply-known");
}

// ---------------------------------------------------------------------------------------------
// The experiment

struct Outcome {
    double given_at_100 = 0;  // percent of the chips
    double given_at_130 = 0;
    double us_per_task = 0;
};

// All tasks in random order, then drawn from all until 130 % of the chips are asked for.
std::vector<const Task*> arrivals_of(const World& world, std::uint64_t seed) {
    Random random(seed);
    std::vector<const Task*> order;
    std::uint64_t asked = 0;
    for (const Task& task : world.tasks)
        order.push_back(&task);
    for (std::size_t i = order.size() - 1; i > 0; --i) {
        const auto other = random.between(0, static_cast<std::int64_t>(i));
        std::swap(order[i], order[static_cast<std::size_t>(other)]);
    }
    for (const Task* task : order)
        asked += task->chips_milli;
    const auto last = static_cast<std::int64_t>(world.tasks.size()) - 1;
    while (asked * 10 < world.chips_milli * 13) {
        order.push_back(&world.tasks[static_cast<std::size_t>(random.between(0, last))]);
        asked += order.back()->chips_milli;
    }
    return order;
}

// place(task) says whether it found a place.
template <class Place>
Outcome play(const World& world, const std::vector<const Task*>& arrivals, Place place) {
    std::uint64_t arrived = 0;
    std::uint64_t given = 0;
    Outcome outcome;
    const auto share = [&] {
        return 100.0 * static_cast<double>(given) / static_cast<double>(world.chips_milli);
    };
    const auto begun = std::chrono::steady_clock::now();
    for (const Task* task : arrivals) {
        arrived += task->chips_milli;
        if (place(*task)) given += task->chips_milli;
        if (outcome.given_at_100 == 0 && arrived >= world.chips_milli) {
            outcome.given_at_100 = share();
        }
    }
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begun;
    outcome.given_at_130 = share();
    outcome.us_per_task = took.count() / static_cast<double>(arrivals.size());
    return outcome;
}

Outcome play_index(const World& world, std::uint64_t seed) {
    FreeIndex index(world.fleet);
    index.place_by_supply(world.fleet);
    Placement placement;
    return play(world, arrivals_of(world, seed), [&](const Task& task) {
        const Shape shape{task.demand, FreeIndex::domains_of(world.fleet, task.demand)};
        index.arrived(task.demand);
        if (!index.find(shape, placement)) return false;
        index.take(shape, placement);
        return true;
    });
}

Outcome play_classes(const World& world, Policy& policy, std::uint64_t seed) {
    Classes classes;
    for (std::uint32_t node = 0; node < world.nodes.size(); ++node) {
        const Pool& pool = world.fleet.pool(world.nodes[node]);
        const FreeState state{
            world.nodes[node], pool.chips_per_node, pool.cpus_milli, pool.memory, {}};
        Class& its = classes[state];
        its.nodes.insert(node);
        policy.joined(state, its);
    }
    return play(world, arrivals_of(world, seed), [&](const Task& task) {
        policy.arrived(task.demand);
        const Spot spot = policy.choose(classes, task.demand);
        if (spot.from == nullptr) return false;
        const auto from = classes.find(*spot.from);
        const FreeState next = after(from->first, task.demand.parts.front().each, spot.room);
        const auto to = classes.try_emplace(next).first;
        policy.moved(from->second, to->first, to->second);
        to->second.nodes.insert(from->second.nodes.extract(from->second.nodes.begin()));
        if (from->second.nodes.empty()) classes.erase(from);
        return true;
    });
}

Outcome play_policy(const World& world, const std::string& name, std::uint64_t seed) {
    if (name == "index") return play_index(world, seed);
    return play_classes(world, *policy_named(name, world), seed);
}

struct Spread {
    double mean = 0;
    double min = std::numeric_limits<double>::max();
    double max = 0;
};

Spread spread_of(const std::vector<Outcome>& outcomes, double Outcome::*figure) {
    Spread spread;
    for (const Outcome& outcome : outcomes) {
        spread.mean += outcome.*figure / static_cast<double>(outcomes.size());
        spread.min = std::min(spread.min, outcome.*figure);
        spread.max = std::max(spread.max, outcome.*figure);
    }
    return spread;
}

const std::vector<std::string> policies{"bestfit", "fgd", "supply-known", "supply", "index"};
const std::vector<std::string> workloads{"default", "types"};

struct Options {
    std::string traces = "../shared/traces";
    std::uint64_t seeds = 5;
    std::vector<std::string> policies = ::policies;
    std::vector<std::string> workloads = ::workloads;
    bool json = false;
};

Options options_of(int count, char** arguments) {
    bench::Arguments given("bench_packing", count, arguments);
    const auto one_of = [&given](const char* option, const std::vector<std::string>& valid) {
        const std::string value = given.text(option, "");
        if (value.empty()) return valid;
        if (std::find(valid.begin(), valid.end(), value) == valid.end()) {
            given.stop(
                fmt::format("{} {} is unknown; valid: {}", option, value, fmt::join(valid, " ")));
        }
        return std::vector<std::string>{value};
    };
    Options options;
    const char* const folder = std::getenv("WEIR_TRACES");
    options.json = given.has("--json");
    options.traces = given.text("--traces", folder != nullptr ? folder : options.traces);
    options.seeds = given.number("--seeds", options.seeds, 1000);
    options.policies = one_of("--policy", policies);
    options.workloads = one_of("--workload", workloads);
    given.no_more();
    return options;
}

}  // namespace

int main(int count, char** arguments) {
    const Options options = options_of(count, arguments);
    for (const char* file : {"openb-2023.nodes.csv", "openb-2023.csv.gz"}) {
        if (!std::filesystem::exists(options.traces + "/" + file)) {
            stop(fmt::format("{}/{} is not there; name the folder with --traces or WEIR_TRACES",
                             options.traces,
                             file));
        }
    }
    TextTable table({{"workload"},
                     {"policy"},
                     {"given at 100 %", true},
                     {"least", true},
                     {"most", true},
                     {"given at 130 %", true},
                     {"least", true},
                     {"most", true},
                     {"us a task", true}});
    std::string json;
    for (const std::string& workload : options.workloads) {
        const World world = read_world(options.traces, workload == "types");
        for (const std::string& policy : options.policies) {
            std::vector<Outcome> outcomes;
            for (std::uint64_t seed = 0; seed < options.seeds; ++seed)
                outcomes.push_back(play_policy(world, policy, 42 + seed));
            const Spread at_100 = spread_of(outcomes, &Outcome::given_at_100);
            const Spread at_130 = spread_of(outcomes, &Outcome::given_at_130);
            const Spread us = spread_of(outcomes, &Outcome::us_per_task);
            const auto percent = [](double value) { return fmt::format("{:.2f}", value); };
            table.row({workload,
                       policy,
                       percent(at_100.mean),
                       percent(at_100.min),
                       percent(at_100.max),
                       percent(at_130.mean),
                       percent(at_130.min),
                       percent(at_130.max),
                       fmt::format("{:.0f}", us.mean)});
            json += fmt::format(
                "{}{{\"workload\":\"{}\",\"policy\":\"{}\",\"seeds\":{},"
                "\"at_100\":{{\"mean\":{:.4f},\"min\":{:.4f},\"max\":{:.4f}}},"
                "\"at_130\":{{\"mean\":{:.4f},\"min\":{:.4f},\"max\":{:.4f}}},"
                "\"us_per_task\":{:.1f}}}",
                json.empty() ? "" : ",",
                workload,
                policy,
                options.seeds,
                at_100.mean,
                at_100.min,
                at_100.max,
                at_130.mean,
                at_130.min,
                at_130.max,
                us.mean);
        }
    }
    if (options.json) {
        fmt::print("[{}]\n", json);
    } else {
        fmt::print("share of the chips given away, in percent; {} seeds from 42\n{}",
                   options.seeds,
                   table.text());
    }
    return 0;
}
