// What a place costs, by size of the fleet: find, take and give of one gang on a machine in use,
// where nine gangs of ten that were tried have found a place.
//
// Gangs: one node as a whole, one chip, a rack-bound one of four nodes, 64 nodes; and the same
// with racks at their budget and with nodes promised to others.
#include <benchmark/benchmark.h>

#include <utility>
#include <vector>

#include "weir/base/random.hpp"
#include "weir/fleet/free_index.hpp"

namespace weir::fleet {
namespace {

enum class Gang { node, chip, in_rack, nodes_64 };
enum class Also { nothing, budgets, promises };

Shape shape_of(const Fleet& fleet, std::uint32_t replicas, std::uint32_t chips, Level within) {
    Shape shape{
        {.parts = {{.replicas = replicas, .each = {.chips = chips, .cpus_milli = chips * 8000}}},
         .within = within,
         .pools = {PoolId{0}}},
        {}};
    shape.domains = FreeIndex::domains_of(fleet, shape.demand);
    return shape;
}

void place(benchmark::State& state, Gang gang, Also also) {
    Random random(1);
    Fleet fleet;
    fleet.sites = {{.name = "site"}};
    Pool pool;
    pool.name = "pool";
    pool.site = "site";
    pool.chip = "chip";
    pool.nodes = static_cast<std::uint32_t>(state.range(0));
    pool.chips_per_node = 8;
    pool.cpus_milli = 192'000;
    pool.nodes_per_rack = 8;
    pool.racks_per_pod = 16;
    if (also == Also::budgets) {
        pool.node_idle_watts = 1100;
        pool.node_busy_watts = 5600;
        pool.rack_power_watts = 30'000;
    }
    fleet.pools.push_back(pool);
    FreeIndex index(fleet);

    const std::vector<Shape> mix = {shape_of(fleet, 1, 1, Level::site),
                                    shape_of(fleet, 1, 2, Level::site),
                                    shape_of(fleet, 1, 4, Level::site),
                                    shape_of(fleet, 1, 8, Level::site),
                                    shape_of(fleet, 4, 8, Level::rack),
                                    shape_of(fleet, 16, 8, Level::site)};
    std::vector<std::pair<Shape, Placement>> held;
    const auto start_one = [&] {
        const Shape& shape =
            mix[static_cast<std::size_t>(random.between(0, std::int64_t(mix.size()) - 1))];
        Placement placement;
        if (!index.find(shape, placement)) return false;
        index.take(shape, placement);
        held.emplace_back(shape, std::move(placement));
        return true;
    };
    // Full, then a quarter of the gangs end, then full to nine tenths again.
    for (int refused = 0; refused < 50;)
        refused += start_one() ? 0 : 1;
    for (std::size_t ends = held.size() / 4; ends > 0; --ends) {
        const auto which =
            static_cast<std::size_t>(random.between(0, std::int64_t(held.size()) - 1));
        index.give(held[which].first, held[which].second);
        std::swap(held[which], held.back());
        held.pop_back();
    }
    for (std::size_t starts = held.size() / 6; starts > 0; --starts)
        start_one();
    if (also == Also::promises) {
        for (std::uint32_t node = 0; node < pool.nodes; node += 10) {
            index.set_horizon(PoolId{0},
                              node,
                              1,
                              {.until = at_seconds(random.between(1, 8) * 1000),
                               .chips = static_cast<std::uint32_t>(random.between(0, 1)) * 4,
                               .cpus_milli = 96'000,
                               .memory = {}});
        }
    }
    const Shape shape = gang == Gang::node      ? shape_of(fleet, 1, 8, Level::site)
                        : gang == Gang::chip    ? shape_of(fleet, 1, 1, Level::site)
                        : gang == Gang::in_rack ? shape_of(fleet, 4, 8, Level::rack)
                                                : shape_of(fleet, 64, 8, Level::site);
    Placement placement;
    const Time end = at_seconds(4000);
    std::uint64_t placed = 0;
    for (auto _ : state) {
        if (!index.fits(shape, end) || !index.find(shape, placement, end)) continue;
        index.take(shape, placement);
        index.give(shape, placement);
        ++placed;
    }
    state.SetItemsProcessed(state.iterations());
    state.counters["placed"] =
        static_cast<double>(placed) / static_cast<double>(state.iterations());
    state.counters["free_chips"] = static_cast<double>(index.totals(PoolId{0}).chips_milli) / 1000;
}

void sizes(benchmark::internal::Benchmark* bench) {
    bench->ArgName("nodes")->Arg(1'000)->Arg(10'000)->Arg(125'000);
}

BENCHMARK_CAPTURE(place, whole_node, Gang::node, Also::nothing)->Apply(sizes);
BENCHMARK_CAPTURE(place, one_chip, Gang::chip, Also::nothing)->Apply(sizes);
BENCHMARK_CAPTURE(place, four_nodes_in_a_rack, Gang::in_rack, Also::nothing)->Apply(sizes);
BENCHMARK_CAPTURE(place, 64_nodes, Gang::nodes_64, Also::nothing)->Apply(sizes);
BENCHMARK_CAPTURE(place, one_chip_under_budgets, Gang::chip, Also::budgets)->Apply(sizes);
BENCHMARK_CAPTURE(place, rack_under_budgets, Gang::in_rack, Also::budgets)->Apply(sizes);
BENCHMARK_CAPTURE(place, 64_nodes_under_budgets, Gang::nodes_64, Also::budgets)->Apply(sizes);
BENCHMARK_CAPTURE(place, one_chip_beside_promises, Gang::chip, Also::promises)->Apply(sizes);
BENCHMARK_CAPTURE(place, rack_beside_promises, Gang::in_rack, Also::promises)->Apply(sizes);

}  // namespace
}  // namespace weir::fleet
