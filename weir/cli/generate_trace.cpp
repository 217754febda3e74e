#include <fmt/format.h>

#include <cmath>
#include <set>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "weir/base/units.hpp"
#include "weir/cli/print.hpp"
#include "weir/cli/simulate.hpp"
#include "weir/fleet/fleet_file.hpp"
#include "weir/match/match.hpp"
#include "weir/sim/converged_model.hpp"
#include "weir/sim/output_file.hpp"
#include "weir/sim/workload_file.hpp"
#include "weir/sim/workload_model.hpp"
#include "weir/tenancy/organisations_file.hpp"

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
        return fail(Code::invalid,
                    fmt::format("--model: '{}' is not known; valid: lublin, gpu-mix, converged",
                                options.model));
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

// Who owns how many chips, and whether most of them compute in full precision.
Result<std::vector<sim::ConvergedOwner>> owners_in(const std::string& path) {
    if (path.empty()) {
        return fail(Code::invalid,
                    "--model converged: whose jobs? Give a tenants file with --tenants");
    }
    const auto read = tenancy::read_organisations(path);
    if (!read) return fail(read.error().at("--tenants"));
    const tenancy::Organisations& house = read->file.organisations;
    const auto keeps = match::keeps_in(catalog::Catalog::built_in());
    std::vector<sim::ConvergedOwner> owners;
    for (const tenancy::Tenant& tenant : house.tenants) {
        std::int64_t full = 0;
        std::int64_t all = 0;
        for (const tenancy::Allowance& each : tenant.quota) {
            const tenancy::Resource& resource = house.resources[each.resource];
            if (resource.kind != tenancy::Resource::Kind::chips) continue;
            all += each.amount / 1000;
            if (keeps(resource.name, catalog::Format::fp64)) full += each.amount / 1000;
        }
        if (all == 0) continue;
        owners.push_back({.name = tenant.path,
                          .chips = static_cast<std::uint64_t>(all),
                          .full_precision = 2 * full > all});
    }
    return owners;
}

int generate_converged_trace(const GenerateOptions& options) {
    sim::ConvergedOptions how{
        .owners = {}, .load = options.load, .seed = options.seed, .datasets = {}};
    if (!options.fleet.empty()) {
        const auto fleet = fleet::read_fleet(options.fleet);
        if (!fleet) return report(fleet.error().at("--fleet"));
        std::set<std::string> names;
        for (const fleet::Site& site : fleet->sites)
            for (const auto& [name, size] : site.storage.datasets)
                names.insert(name);
        how.datasets.assign(names.begin(), names.end());
    }
    auto owners = owners_in(options.tenants);
    if (!owners) return report(owners.error());
    how.owners = std::move(*owners);
    const auto jobs = sim::generate_converged(how);
    if (!jobs) return report(jobs.error());
    const auto written =
        sim::write_converged(options.output.empty() ? "-" : options.output, how, *jobs);
    if (!written) return report(written.error());
    if (options.output.empty() || options.output == "-") return status_ok;
    if (options.json) {
        nlohmann::ordered_json json;
        json["model"] = options.model;
        json["jobs"] = jobs->size();
        json["seed"] = options.seed;
        json["load"] = options.load;
        json["organisations"] = how.owners.size();
        json["span_s"] = jobs->back().submit_s;
        json["output"] = options.output;
        out_json(json.dump(2));
        return status_ok;
    }
    out(fmt::format("{}: {} of {} over {}\n",
                    options.output,
                    format_count(jobs->size(), "job"),
                    format_count(how.owners.size(), "organisation"),
                    format_duration(seconds(jobs->back().submit_s))));
    return status_ok;
}

}  // namespace

int generate_trace(const GenerateOptions& options) {
    if (options.model == "converged") return generate_converged_trace(options);
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
