// Training jobs: from what the planner answers to what the core chooses among.
//
// The planner says for each pool which numbers of chips have a plan and how long each takes
// (plan/sizes.hpp). That is kept with the job, because it is what it was told and what it will be
// started with, and handed to the core as sizes of one request, by the same numbers; of which one
// it chooses, the hub hears with the start.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/job/job.hpp"
#include "weir/sched/event.hpp"

namespace weir::hub {

struct TrainPlan {
    std::vector<job::TrainSize> sizes;  // at least one
    std::vector<std::string> notes;
};
// Requires: spec.train. The error says for each pool why it has none.
Result<TrainPlan> train_plan_of(const job::JobSpec& spec,
                                const fleet::Fleet& fleet,
                                const std::vector<PoolId>& pools,
                                const catalog::Catalog& catalog);

// One size as the core asks for it; what is not said by the size is that of `like`. Its pools are
// those of that name and chip: none where the fleet has none.
sched::Size size_for_core(const job::TrainSize& size,
                          const job::Gang& gang,
                          const fleet::Demand& like,
                          const fleet::Fleet& fleet);

// Takes those sizes into the request; the first is what it asks for until the core has chosen.
void enter_sizes(std::vector<sched::Size> sizes, sched::Request& request);

// "16 to 256 chips in 9 sizes", "64 chips".
std::string range_in_words(const std::vector<job::TrainSize>& sizes);

}  // namespace weir::hub
