#include "weir/hub/training.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "weir/base/units.hpp"
#include "weir/plan/sizes.hpp"

namespace weir::hub {

Result<TrainPlan> train_plan_of(const job::JobSpec& spec,
                                const fleet::Fleet& fleet,
                                const std::vector<PoolId>& pools,
                                const catalog::Catalog& catalog) {
    WEIR_TRY(plan::Sizes planned, plan::sizes_of(spec, fleet, pools, catalog));
    if (!planned.sizes.empty())
        return TrainPlan{std::move(planned.sizes), std::move(planned.notes)};
    std::string why;
    for (const plan::NoSize& none : planned.without)
        why += "\n  " + fleet.pool(none.pool).name + ": " + none.why;
    return fail(
        Code::never_fits,
        fmt::format("train: no pool has a plan for {} on {}; `weir offers` shows what is "
                    "asked:{}",
                    spec.train->model,
                    spec.train->chips.high == 1 ? "1 chip" : text_of(spec.train->chips) + " chips",
                    why));
}

sched::Size size_for_core(const job::TrainSize& size,
                          const job::Gang& gang,
                          const fleet::Demand& like,
                          const fleet::Fleet& fleet) {
    sched::Size made{.demand = like, .limit = size.limit, .takes = size.takes};
    made.demand.parts = {
        {.replicas = size.replicas,
         .each = {.chips = size.chips, .cpus_milli = gang.cpus_milli, .memory = gang.memory}}};
    // What it was planned for are the nodes of one pool.
    made.demand.within = std::min(gang.within, fleet::Level::pool);
    made.demand.pools.clear();
    for (const std::string& name : size.pools) {
        for (std::uint32_t i = 0; i < fleet.pools.size(); ++i) {
            if (fleet.pools[i].name == name && fleet.pools[i].chip == size.chip)
                made.demand.pools.push_back(PoolId{i});
        }
    }
    return made;
}

void enter_sizes(std::vector<sched::Size> sizes, sched::Request& request) {
    request.demand = sizes.front().demand;
    request.limit = sizes.front().limit;
    request.expected = sizes.front().takes;
    request.sizes = std::move(sizes);
}

std::string range_in_words(const std::vector<job::TrainSize>& sizes) {
    const std::uint32_t low = sizes.front().chips_in_all();
    const std::uint32_t high = sizes.back().chips_in_all();
    if (sizes.size() == 1) return format_count(low, "chip");
    return low == high
               ? fmt::format("{} in {} pools or kinds", format_count(low, "chip"), sizes.size())
               : fmt::format("{} to {} chips in {} sizes", low, high, sizes.size());
}

}  // namespace weir::hub
