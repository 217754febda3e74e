// `weir simulate` and `weir trace generate`: what the options mean. The option parser lives in
// main.cpp; these functions do the work, print, and return the exit status.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

struct SimulateOptions {
    std::string trace;              // path of the log
    std::string fleet;              // path of a fleet file; "" = the one of the trace
    std::string policy = "weir";    // texts of policies, with commas between them
    std::vector<std::string> vary;  // "key=a,b,c" each
    std::uint32_t scale = 1;
    std::string from;             // "" | seconds | duration ("30d") | ISO time
    std::string until;            // likewise
    std::string variant;          // of the sidecar
    std::string tenants;          // path of a tenants file | "trace"; "" = no organisations
    bool apart = false;           // --apart: virtual clusters with nodes and queues of their own
    bool each_site = false;       // --each-site: every site a centre of its own
    std::string faults = "none";  // none | reliability | path of a fault log
    std::uint64_t seed = 1;       // of failures by reliability
    std::uint32_t retries = 100;  // of a job that failed with its nodes
    bool replace_nodes = false;   // a gang goes on with another node, if there is one
    std::string checkpoint = "none";  // none | young | daly | duration
    std::string checkpoint_cost = "60s";
    std::string restart_cost = "60s";
    std::optional<std::uint64_t> prediction_error;  // seed
    bool json = false;
    bool quiet = false;     // no progress
    std::string report;     // path of the HTML report; "" = none
    std::string log;        // path of the event log; "" = none; ".gz" compresses
    std::string waterfall;  // path of the CSV of where the compute went; likewise
    std::string schedule;   // path of the CSV schedule; "" = none; ".gz" compresses
};
int simulate(const SimulateOptions& options);

struct GenerateOptions {
    std::string model = "lublin";  // lublin | gpu-mix | converged
    std::uint64_t jobs = 10000;
    std::uint64_t seed = 1;
    double load = 0.7;    // offered load: work / capacity
    std::string fleet;    // path of a fleet file; "" = --nodes identical nodes, or no datasets
    std::string tenants;  // path of a tenants file, for `converged`
    std::uint32_t nodes = 128;
    std::uint32_t chips_per_node = 0;  // 0 = the model's default: 1 for lublin, 8 for gpu-mix
    std::string output;                // path; .gz compresses; "" or "-" = standard output
    bool json = false;
};
int generate_trace(const GenerateOptions& options);

}  // namespace weir::cli
