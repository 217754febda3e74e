#include <fmt/format.h>

#include <cmath>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "weir/base/units.hpp"
#include "weir/cli/print.hpp"
#include "weir/cli/simulate.hpp"
#include "weir/fleet/fleet_file.hpp"
#include "weir/sim/output_file.hpp"
#include "weir/sim/workload_file.hpp"
#include "weir/sim/workload_model.hpp"

namespace weir::cli {
namespace {

// `nodes` alike nodes. For the GPU mix they are what is commonly sold: 12 CPUs and 96 GiB a chip.
Result<fleet::Fleet> alike_nodes(const GenerateOptions& options, sim::WorkloadModel model) {
    const bool gpu = model == sim::WorkloadModel::gpu_mix;
    fleet::Pool pool;
    pool.name = "nodes";
    pool.site = "machine";
    pool.chip = gpu ? "gpu" : "processor";
    pool.nodes = options.nodes;
    pool.chips_per_node = options.chips_per_node != 0 ? options.chips_per_node : gpu ? 8 : 1;
    if (pool.nodes < 1) {
        return fail(Code::invalid, "--nodes: 0; at least one node is needed");
    }
    if (gpu && pool.chips_per_node > fleet::chips_per_node_max) {
        return fail(Code::invalid,
                    fmt::format("--chips-per-node: {}; 1 to {} are valid",
                                pool.chips_per_node,
                                fleet::chips_per_node_max));
    }
    if (gpu) {
        pool.cpus_milli = 12'000 * pool.chips_per_node;
        pool.memory = gibibytes(std::int64_t{96} * pool.chips_per_node);
    }
    fleet::Fleet fleet;
    fleet.sites.push_back({.name = "machine"});
    fleet.pools.push_back(std::move(pool));
    return fleet;
}

struct Generated {
    sim::Workload workload;
    std::string sidecar;  // path; "" = none was written
};

Result<Generated> generate(const GenerateOptions& options) {
    sim::WorkloadOptions how;
    if (options.model == "lublin") {
        how.model = sim::WorkloadModel::lublin;
    } else if (options.model == "gpu-mix") {
        how.model = sim::WorkloadModel::gpu_mix;
    } else {
        return fail(
            Code::invalid,
            fmt::format("--model: '{}' is not known; valid: lublin, gpu-mix", options.model));
    }
    how.jobs = options.jobs;
    how.seed = options.seed;
    how.load = options.load;
    if (options.fleet.empty()) {
        WEIR_TRY(how.fleet, alike_nodes(options, how.model));
    } else {
        WEIR_TRY(how.fleet, fleet::read_fleet(options.fleet));
    }
    Generated made;
    const bool to_stdout = options.output.empty() || options.output == "-";
    if (how.model == sim::WorkloadModel::gpu_mix && !to_stdout) {
        WEIR_TRY(made.sidecar, sim::sidecar_path(options.output));
    }
    if (how.model == sim::WorkloadModel::lublin) {
        WEIR_CHECK(sim::check_swf_path(options.output));
    }
    WEIR_TRY(made.workload, sim::generate_workload(how));
    if (how.model == sim::WorkloadModel::lublin) {
        WEIR_CHECK(sim::write_swf(options.output, made.workload));
        return made;
    }
    WEIR_CHECK(sim::write_gpu_csv(options.output, made.workload));
    if (!made.sidecar.empty()) {
        std::string name = made.sidecar.substr(made.sidecar.find_last_of('/') + 1);
        name.resize(name.size() - std::string_view(".cluster.json").size());
        WEIR_CHECK(sim::write_file(made.sidecar, sim::sidecar_text(name, made.workload)));
    }
    return made;
}

}  // namespace

int generate_trace(const GenerateOptions& options) {
    const auto made = generate(options);
    const bool to_stdout = options.output.empty() || options.output == "-";
    if (!made && to_stdout) end_if_nobody_reads();
    if (!made) return report(made.error());
    const sim::Workload& workload = made->workload;
    const std::int64_t span_s = workload.jobs.back().submit_s;
    if (to_stdout) {
        // Standard output is the trace itself.
        if (options.model == "gpu-mix") {
            note("the machine of this trace is not written; give --output to have it beside it");
        }
        return status_ok;
    }
    if (options.json) {
        nlohmann::ordered_json json;
        json["model"] = options.model;
        json["jobs"] = workload.jobs.size();
        json["seed"] = options.seed;
        json["load"] = workload.load;
        json["capacity"] = workload.capacity;
        json["span_s"] = span_s;
        json["output"] = options.output;
        if (!made->sidecar.empty()) json["sidecar"] = made->sidecar;
        out_json(json.dump(2));
        return status_ok;
    }
    out(fmt::format("{}: {} over {} at a load of {:.3f} on {} {}\n",
                    options.output,
                    format_count(workload.jobs.size(), "job"),
                    format_duration(seconds(span_s)),
                    workload.load,
                    format_count(workload.capacity),
                    options.model == "gpu-mix" ? "chips" : "processors"));
    if (!made->sidecar.empty()) out(fmt::format("{}: its machine\n", made->sidecar));
    return status_ok;
}

}  // namespace weir::cli
