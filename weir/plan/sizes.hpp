// The sizes in which a training job may run: for each pool the numbers of chips that have a plan,
// and how long each takes.
//
// A scheduler knows when how many chips are free, a planner what a number of chips is worth. This
// is where they meet: `train:` of a job becomes a list of sizes (job/train.hpp), each a gang with a
// time, a limit and what the launcher is told, and of these the core takes the one that ends first.
//
// Asked are the ends of the range and between them powers of two and one and a half times those, in
// whole nodes beyond one node. A size counts only where it is faster than every smaller one of its
// pool. Plans keep so much memory free that nine of ten fit by the spread of the predictions, and
// are ones that the framework can be told; limits leave room for the upper end of the interval of
// the step time, and for what comes before the first step.
//
// Answers are a pure function of the arguments and of what the program carries; searches are kept
// in a table that each thread has for itself. Cost: a search (milliseconds) for each size of a kind
// of machine the first time, microseconds from then on.
#pragma once

#include <string>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/base/result.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/job/job.hpp"
#include "weir/plan/strategy.hpp"

namespace weir::plan {

struct NoSize {
    PoolId pool;
    std::string why;  // "16 to 24 chips: with 24, the leanest plan needs 12.3 GiB more than ..."
};

struct Sizes {
    std::vector<job::TrainSize> sizes;  // by numbers of chips; of equal ones in the order of pools
    std::vector<NoSize> without;        // pools that have none, and what falls away of others
    std::vector<std::string> notes;     // what was filled in
};

// Requires: spec.train. Only those pools are asked, in that order. Fails where nothing could be
// planned anywhere: a model that is not known, batches and sequences beyond all measure.
Result<Sizes> sizes_of(const job::JobSpec& spec,
                       const fleet::Fleet& fleet,
                       const std::vector<PoolId>& pools,
                       const catalog::Catalog& catalog);

// What is trained, with what was left open filled in.
Result<TrainingJob> training_job(const job::Train& train, std::vector<std::string>& notes);

}  // namespace weir::plan
