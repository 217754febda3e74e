// Trace: the jobs of a real machine, read from a log, ready to be replayed.
//
// Two formats: the Standard Workload Format of the Parallel Workloads Archive (swf.cpp) and a CSV
// for accelerator clusters (gpu_csv.cpp), each plain or gzip-compressed. Reading cleans by stated
// rules and says how many jobs each rule touched; a line that is not what the format says is an
// error that names file, line, field and value.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/catalog/format.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/job/job.hpp"
#include "weir/tenancy/losses.hpp"

namespace weir::sim {

inline constexpr std::uint32_t unknown_name = std::numeric_limits<std::uint32_t>::max();

struct TraceJob {
    std::string id;                        // as the log names it
    std::uint32_t user = unknown_name;     // position in Trace::names
    std::uint32_t group = unknown_name;    // position in Trace::names
    Time submitted_at{};                   // from the zero of the trace
    Duration run{};                        // what it will really take
    Duration limit = forever;              // what its user asked for
    std::uint32_t nodes = 0;               // 0 = not said
    std::uint32_t chips = 0;               // whole job; SWF: processors
    std::uint32_t chip_permille = 1000;    // below 1000: a share of one chip (then chips is 1)
    std::uint64_t cpus_milli = 0;          // whole job
    Bytes memory;                          // whole job
    std::uint32_t accepts = unknown_name;  // position in Trace::chip_sets; unknown = any chip
    std::uint32_t reads = unknown_name;    // position in Trace::data_sets; unknown = nothing
    // Position in Trace::trainings: on how many chips it runs, and for how long, is the planner's
    // answer to `train:` of that job file, and what the log says of it does not count.
    std::uint32_t trains = unknown_name;
    // The number format that its results need; it runs on chips that compute in it only.
    std::optional<catalog::Format> precision{};
    job::Priority priority = job::Priority::normal;
    std::optional<tenancy::Efficiency> efficiency{};  // measured; what of its run was useful

    friend bool operator==(const TraceJob&, const TraceJob&) = default;
};

struct Trace {
    std::string name;                                 // file name without folder and endings
    std::vector<TraceJob> jobs;                       // by submission, then as in the file
    std::vector<std::string> names;                   // users and groups
    std::vector<std::vector<std::string>> chip_sets;  // accepted chips, in order of preference
    std::vector<std::vector<std::string>> data_sets;  // datasets that jobs read
    std::vector<std::string> trainings;  // job files, by path from the folder of the log
    fleet::Fleet fleet;                  // from the header or the sidecar; may be empty
    std::map<std::string, std::uint32_t> quotas_chips;  // by group, where the sidecar gives them
    std::optional<Time> zero_utc;                       // wall-clock time of the trace's zero
    bool classic = false;                               // SWF: processors that are all alike
    std::vector<std::string> notes;                     // what cleaning did, one sentence each

    // Whether one job is of a higher class than another, so that it may go in front or stop it.
    [[nodiscard]] bool has_classes() const;
    // Whose use is told apart: that of groups where any job names one, else of users; null where
    // the log names neither.
    [[nodiscard]] std::uint32_t TraceJob::*tenant() const;
    // What a job holds where use is counted in CPUs: a processor of a classic log is one.
    [[nodiscard]] double cpus(const TraceJob& job) const {
        return classic ? job.chips : static_cast<double>(job.cpus_milli) / 1000.0;
    }
};

struct TraceOptions {
    std::string variant;  // of the sidecar, e.g. "quarter"; "" = the full machine
    // Called now and then with the share of the file that was read, 0..1.
    std::function<void(double)> progress;
};

// Reads PATH; the format follows from the name (.swf, .swf.gz, .csv, .csv.gz). The sidecar of a
// CSV trace is NAME.cluster.json beside it. Limits: 8 GiB uncompressed, 100 million jobs, 1 MiB a
// line.
Result<Trace> read_trace(const std::string& path, const TraceOptions& options = {});

}  // namespace weir::sim
