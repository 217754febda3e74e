// Experiments: which runs `weir simulate` makes of one trace, and what each of them changes.
//
// A key may also name files, a fleet or a tenants file for each run.
//
// --policy gives a list of policies, each --vary a key and a list of values; the runs are all
// combinations, policies first and the last key fastest. A key is one of a policy, or one that
// changes the fleet, the load, the seed or who schedules. Everything is checked before anything is
// read, so a slip in the last value costs nothing; what depends on the fleet is checked before the
// first run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/sched/policy.hpp"
#include "weir/sim/trace.hpp"

namespace weir::cli {

inline constexpr std::size_t runs_max = 64;

struct ExperimentRun {
    std::string name;         // what sets it apart from the other runs
    std::string policy_text;  // as given
    sched::Policy policy;     // with the varied keys
    std::vector<std::pair<std::string, std::string>> varied;  // in the order of the options
};

// `policies`: "easy,weir reservations=16"; `vary`: "load=0.8,1.2".
Result<std::vector<ExperimentRun>> runs_of(const std::string& policies,
                                           const std::vector<std::string>& vary);

// Whether the run changes the trace, so that it needs a copy of its own.
bool changes_trace(const ExperimentRun& run);
// Changes fleet and submission times as the run says; of the window, which was given in the times
// of the log, the ends move along.
Result<void> apply(const ExperimentRun& run,
                   sim::Trace& trace,
                   std::optional<Time>& from,
                   std::optional<Time>& until);

// A sentence for each key of preemption that a run sets although all jobs of the trace are of one
// class, so that nobody is ever stopped for another.
std::vector<std::string> idle_keys(const std::vector<ExperimentRun>& runs, const sim::Trace& trace);

// The file that the run names for `fleet` or `tenants`; "" = none.
std::string file_of(const ExperimentRun& run, std::string_view key);

// Whether the run is of sites that are centres of their own, if it says so.
std::optional<bool> each_site_of(const ExperimentRun& run);

// The seed that the run asks for, if any.
std::optional<std::uint64_t> seed_of(const ExperimentRun& run);

}  // namespace weir::cli
