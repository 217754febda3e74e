// `weir offers` for a training job: what the planner says of each number of chips in each pool.
#pragma once

#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/job/job.hpp"
#include "weir/match/match.hpp"
#include "weir/plan/sizes.hpp"
#include "weir/sim/demand_of.hpp"

namespace weir::cli {

struct TrainOffer {
    job::TrainSize size;
    std::string cost;     // "1,234.50 CNY"; "" where nobody says the price of all its pools
    std::string against;  // why it would never start, as a hub would say it; "" = it may
};
struct TrainOffers {
    std::vector<TrainOffer> sizes;  // those that may start by the time to the goal, then the others
    std::vector<std::string> without;  // "a100s: 16 chips: the leanest plan needs 12.3 GiB ..."
    std::vector<std::string> notes;
};

// Requires: spec.train; `matched` are the offers for one chip. Codes: not_found, invalid.
Result<TrainOffers> train_offers_of(const job::JobSpec& spec,
                                    const match::Offers& matched,
                                    const fleet::Fleet& fleet,
                                    const catalog::Catalog& catalog,
                                    Time now);

// For the simulator: the sizes of the job files that a log names, by path from this folder.
sim::SizesOf sizes_by_planner(std::string folder);

std::string train_offers_json(const job::JobSpec& spec, const TrainOffers& offers);
std::string train_offers_text(const TrainOffers& offers);

}  // namespace weir::cli
