// Workload models: jobs for those who have no log.
//
// `lublin` is the published model of rigid batch jobs: U. Lublin and D. G. Feitelson, The workload
// on parallel supercomputers: modeling the characteristics of rigid jobs, Journal of Parallel and
// Distributed Computing 63(11), 2003. Sizes are two-stage uniform in log2 with a share of serial
// jobs and of powers of two; run times are hyper-gamma in log with a mixture that depends on the
// size; arrivals are gamma in log, bent by a daily cycle.
//
// `gpu_mix` is a model of ours after what is published of training clusters (M. Jeon et al.,
// USENIX ATC 2019; Q. Hu et al., SC 2021; Q. Weng et al., NSDI 2022): most jobs take one chip or a
// share of one, few take many and most of the capacity; run times are lognormal with a Pareto
// tail; arrivals are Poisson with a daily cycle.
//
// Both stretch time so that work / (capacity x time between the first and the last submission) is
// the load that was asked for; nothing else of the models changes with it. Equal options give equal
// jobs on every machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/fleet/fleet.hpp"

namespace weir::sim {

enum class WorkloadModel : std::uint8_t { lublin, gpu_mix };

struct WorkloadOptions {
    WorkloadModel model = WorkloadModel::lublin;
    std::uint64_t jobs = 10'000;
    std::uint64_t seed = 1;
    double load = 0.7;
    fleet::Fleet fleet;  // what the load is relative to
};

struct WorkloadJob {
    std::int64_t submit_s = 0;
    std::int64_t run_s = 0;
    std::int64_t limit_s = 0;  // what the user asks for
    std::uint32_t chips = 1;   // lublin: processors
    std::uint32_t chip_permille = 1000;
    std::uint32_t cpus = 0;        // whole job; 0 = not said
    std::uint32_t memory_gib = 0;  // whole job; 0 = not said
    std::uint16_t user = 0;
    std::uint16_t group = 0;

    friend bool operator==(const WorkloadJob&, const WorkloadJob&) = default;
};

struct Workload {
    WorkloadOptions options;
    std::uint64_t capacity = 0;     // chips; lublin on a fleet without chips: CPUs
    double load = 0;                // reached, after rounding to whole seconds
    std::vector<WorkloadJob> jobs;  // by submission
};

// An error when there is nothing to compute on, no job is wanted, or the load is not above 0.
Result<Workload> generate_workload(const WorkloadOptions& options);

// What users ask for, given what the job takes: the run is a uniform share of the request
// (A. W. Mu'alem and D. G. Feitelson, IEEE TPDS 12(6), 2001), and requests are round numbers
// (D. Tsafrir, Y. Etsion, D. G. Feitelson, JSSPP 2005: 20 values make up 90 % of all requests), the
// next of them above, at most the largest that holds the run. `share` is in [0, 1).
std::int64_t requested_seconds(std::int64_t run_s, double share);

// The values that requests may have, in seconds, ascending.
const std::vector<std::int64_t>& round_requests();

}  // namespace weir::sim
