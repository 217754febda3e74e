// The environment in which a job's processes start: a pure function of the job and its place.
//
// The user's variables come first (of the account the hub runs under, then those of the job, which
// holds what was sent along with it), weir's own last: what they say is a fact, and a job that
// believes another RANK than its own hangs a whole gang.
//
//     WEIR_JOB_ID WEIR_JOB_NAME WEIR_ATTEMPT WEIR_TENANT WEIR_HUB WEIR_NODE WEIR_NODES
//     WEIR_REPLICA WEIR_REPLICAS WEIR_ARRAY_ID WEIR_ARRAY_INDEX WEIR_RUN_DIR
//     WEIR_DATA                              (the folder in which each dataset is, if it reads any)
//     RANK WORLD_SIZE LOCAL_RANK LOCAL_WORLD_SIZE MASTER_ADDR MASTER_PORT      (PyTorch's env://)
//     CUDA_VISIBLE_DEVICES, ROCR_VISIBLE_DEVICES, ASCEND_RT_VISIBLE_DEVICES …  (by the chip)
//     SLURM_JOB_ID SLURM_JOB_NAME SLURM_JOB_ACCOUNT SLURM_JOB_NUM_NODES SLURM_NNODES
//     SLURM_NTASKS SLURM_CPUS_PER_TASK SLURM_CPUS_ON_NODE SLURM_GPUS_ON_NODE SLURM_SUBMIT_DIR
//     SLURM_PROCID SLURM_LOCALID SLURM_NODEID SLURM_ARRAY_JOB_ID
//     SLURM_ARRAY_TASK_ID _COUNT _MIN _MAX                                     (batch scripts)
//
// MASTER_ADDR and MASTER_PORT are the job's own where it gives them: it may know a better meeting
// place. A submission from inside a job carries those of that job, which are none of this one's.
//
// A command that is started once for its whole gang (LaunchMode::once) is rank 0 and sees the
// whole gang in the other numbers. SLURM_JOBID and SLURM_NODELIST are left out on purpose: Open
// MPI takes them as proof that srun is there (the others, SLURM_PROCID too, leave it unmoved). As
// root, mpirun refuses to run unless told twice that it may; weir tells it, because the hub's owner
// decided to run jobs as root.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/exec/executor.hpp"
#include "weir/job/job.hpp"

namespace weir::exec {

using Environment = std::map<std::string, std::string>;

// Where one replica lives.
struct RankPlace {
    std::string node;
    std::uint64_t chip_mask = 0;  // its chips on that node; 0 = none
};

struct LaunchContext {
    std::string job_id;                        // as users write it: "12", or "12_3"
    std::string array_id;                      // "12"; "" when it is in no array
    std::optional<std::uint32_t> array_index;  // 3
    AttemptId attempt;
    std::string chip;              // catalogue name of the pool's chip; "" = none
    std::vector<RankPlace> ranks;  // of every replica, in the order of ranks; never empty
    std::string hub_url;
    std::string run_dir;
    std::string datasets;  // the folder of the site in which they are; "" = it reads none
    std::string submit_dir;
    std::string master_address = "127.0.0.1";
    std::uint16_t master_port = 0;  // 0 = leave MASTER_PORT out
    bool as_root = false;
    Environment account_env;  // see account_environment()
};

// What every task of the job gets.
Environment shared_environment(const LaunchContext& context, const job::JobSpec& spec);
// What only this rank gets. Requires: rank < context.ranks.size().
Environment rank_environment(const LaunchContext& context,
                             const job::JobSpec& spec,
                             std::uint32_t rank);

// Not pure: what a login would set (PATH, HOME, USER, SHELL, LANG, TZ, TMPDIR), taken from this
// process; nothing else of it reaches a job.
Environment account_environment();

// Not pure: a port for MASTER_PORT that nobody listens on now. The search starts at a place that
// belongs to the attempt, so that two gangs that start together do not find the same one; below
// the range from which the kernel takes ports for outgoing connections. 0 when none is free.
std::uint16_t free_master_port(AttemptId attempt);

}  // namespace weir::exec
