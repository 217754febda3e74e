// JobSpec: what a user asks for, after parsing and before anything is decided.
//
// One value for all the ways to say it: a YAML job file (job_file.hpp), a #SBATCH script
// (sbatch.hpp) or `weir run -- CMD`. It is complete (defaults are filled in), checked, and knows
// nothing of queues or nodes. It travels as JSON in the journal and over the API (job_json.hpp).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "weir/base/money.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/job/precision.hpp"
#include "weir/job/train.hpp"

namespace weir::job {

enum class Priority : std::uint8_t { low, normal, high, urgent };
std::string_view name_of(Priority priority);
std::optional<Priority> priority_from_name(std::string_view name);

// Who starts the ranks: weir starts the command once for every replica, or once in all, because
// the command is itself a launcher (mpirun, srun) or a batch script that contains one.
enum class LaunchMode : std::uint8_t { replicas, once };
std::string_view name_of(LaunchMode mode);
std::optional<LaunchMode> launch_mode_from_name(std::string_view name);

struct Gang {
    std::uint32_t replicas = 1;
    std::uint32_t chips = 0;          // whole chips of one replica
    std::uint32_t chip_permille = 0;  // or a fraction of one chip, 1..999
    std::uint32_t cpus_milli = 1000;  // of one replica
    Bytes memory;                     // of one replica; 0 = none reserved
    fleet::Level within = fleet::Level::site;
    std::optional<fleet::Level> prefer;
    bool replace = false;  // when one of its nodes fails, another may take its place

    friend bool operator==(const Gang&, const Gang&) = default;
};

// The members of an array: their indices in order, and how many may run at once (0 = all).
struct Array {
    std::vector<std::uint32_t> indices;
    std::uint32_t at_once_max = 0;

    friend bool operator==(const Array&, const Array&) = default;
};

struct Checkpoint {
    Duration every{};
    Duration cost{};
    int signal = 10;  // SIGUSR1

    friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

// A dataset that has to lie at the site where the job runs.
struct DataIn {
    std::string dataset;
    std::string as;  // a link to it, below the working folder; "" = none

    friend bool operator==(const DataIn&, const DataIn&) = default;
};

// What becomes a dataset when the job has succeeded.
struct DataOut {
    std::string path;  // below the working folder
    std::string dataset;
    std::optional<Duration> keep;  // none = for good

    friend bool operator==(const DataOut&, const DataOut&) = default;
};

struct JobSpec {
    std::string name;
    std::string tenant;  // path in the organisation tree: "university/aero"
    std::string script;  // what /bin/sh -c (or the #! interpreter) runs
    LaunchMode launch = LaunchMode::replicas;
    bool batch_script = false;  // it was written for Slurm, and is given the variables of Slurm
    Priority priority = Priority::normal;
    Gang gang;
    std::vector<std::string> chips_any_of;  // accepted chips in order of preference; empty = any
    std::vector<std::string> chips_stack;   // software it was built for, any of it; empty = any
    Bytes chips_memory;                     // of each chip at least; 0 = any
    std::optional<Precision> precision;     // none = native, in the formats that `work` names
    std::vector<Phase> work;                // what it computes; empty = not said
    std::vector<Planned> planned;           // by the hub that took it, in order of preference
    std::optional<Train> train;             // instead of the replicas and chips of the gang
    std::vector<TrainSize> sizes;           // of `train`, by the hub that took it, the largest last
    bool gpus = false;  // its chips were asked for as GPUs: a processor that counts as one is none
    std::vector<std::string> sites;  // accepted sites; empty = any
    std::optional<Duration> limit;   // none = the hub's default
    std::optional<Duration> expected;
    std::optional<Time> deadline;  // it has to have ended by then
    std::optional<Money> budget;   // it may cost so much at most, all members of an array together
    std::string reservation;       // the advance reservation that it runs inside; "" = none
    std::uint32_t retries = 0;     // on infrastructure failures
    std::optional<Checkpoint> checkpoint;
    std::vector<std::string> after;          // by name or id: must succeed first
    std::vector<std::string> after_any;      // must have ended, whatever the outcome
    std::vector<std::string> after_failure;  // must have failed
    std::optional<Array> array;
    std::vector<DataIn> data_in;
    std::vector<DataOut> data_out;
    std::map<std::string, std::string> env;
    std::string workdir;      // absolute; "" = where it was submitted
    std::string stdout_path;  // "" = in the hub's data folder; %j %a %A %x %r as in Slurm
    std::string stderr_path;  // "" = in the hub's data folder
    Bytes output_limit =
        mebibytes(64);             // of each stream of each rank; cut with a line that says so
    Duration grace = seconds(10);  // between the polite signal and SIGKILL
    std::string comment;
    // Parts of the language that this version checks but does not honour yet, by key ("retry_on",
    // ...): the hub refuses jobs that would be served wrongly without them.
    std::vector<std::string> not_honoured;

    friend bool operator==(const JobSpec&, const JobSpec&) = default;
};

}  // namespace weir::job
