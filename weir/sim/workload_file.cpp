#include "weir/sim/workload_file.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <map>
#include <string_view>

#include <nlohmann/json.hpp>

#include "weir/sim/output_file.hpp"

namespace weir::sim {
namespace {

constexpr std::size_t block = std::size_t{1} << 18;
constexpr std::array<std::string_view, 4> group_names = {"atlas", "breeze", "cedar", "delta"};
constexpr std::array<std::uint32_t, 4> quota_tenths = {4, 3, 2, 1};

constexpr std::string_view mix_reference =
    "M. Jeon et al., USENIX ATC 2019; Q. Hu et al., SC 2021; Q. Weng et al., NSDI 2022";

// The share of a chip as the format wants it: only these three occur in the model.
std::string_view share_text(const WorkloadJob& job) {
    switch (job.chip_permille) {
        case 250:
            return "0.25";
        case 500:
            return "0.5";
        default:
            return "1";
    }
}

}  // namespace

Result<void> check_swf_path(const std::string& path) {
    if (path.empty() || path == "-" || path.compare(0, 5, "/dev/") == 0) return {};
    for (const std::string_view ending : {".swf", ".swf.gz"}) {
        if (path.size() > ending.size() &&
            path.compare(path.size() - ending.size(), ending.size(), ending) == 0) {
            return {};
        }
    }
    return fail(
        Code::invalid,
        fmt::format("{}: a trace of processors is in the Standard Workload Format; valid endings: "
                    ".swf, .swf.gz (--model gpu-mix makes a .csv)",
                    path));
}

Result<void> write_swf(const std::string& path, const Workload& workload) {
    WEIR_CHECK(check_swf_path(path));
    WEIR_TRY(OutputFile file, OutputFile::create(path));
    std::string text = fmt::format(
        "; Version: 2.2\n"
        "; Computer: {0} alike processors\n"
        "; Information: made by `weir trace generate --model lublin`; jobs {1}, seed {2}, offered "
        "load {3:.4f}\n"
        "; Acknowledge: U. Lublin and D. G. Feitelson, The workload on parallel supercomputers: "
        "modeling the characteristics of rigid jobs, JPDC 63(11), 2003\n"
        "; Note: sizes, run times and arrivals are those of the model's batch jobs; the time "
        "between jobs is stretched to the load\n"
        "; Note: requested times: the run is a uniform share of the request (Mu'alem and "
        "Feitelson, IEEE TPDS 12(6), 2001), rounded up to one of {4} round values (after Tsafrir, "
        "Etsion and Feitelson, JSSPP 2005)\n"
        "; MaxJobs: {1}\n"
        "; MaxRecords: {1}\n"
        "; Preemption: No\n"
        "; MaxNodes: {0}\n"
        "; MaxProcs: {0}\n",
        workload.capacity,
        workload.jobs.size(),
        workload.options.seed,
        workload.load,
        round_requests().size());
    std::uint64_t number = 0;
    for (const WorkloadJob& job : workload.jobs) {
        fmt::format_to(std::back_inserter(text),
                       "{} {} -1 {} {} -1 -1 {} {} -1 -1 -1 -1 -1 -1 -1 -1 -1\n",
                       ++number,
                       job.submit_s,
                       job.run_s,
                       job.chips,
                       job.chips,
                       job.limit_s);
        if (text.size() >= block) {
            WEIR_CHECK(file.write(text));
            text.clear();
        }
    }
    WEIR_CHECK(file.write(text));
    return file.close();
}

Result<void> write_gpu_csv(const std::string& path, const Workload& workload) {
    WEIR_TRY(OutputFile file, OutputFile::create(path));
    std::string text =
        "job_id,user,group,submit_s,start_s,end_s,duration_s,req_time_s,nodes,devices,"
        "device_share,cpus,mem_gb,chip,qos,state\n";
    std::uint64_t number = 0;
    const auto known = [](std::uint32_t count) {
        return count > 0 ? std::to_string(count) : std::string();
    };
    for (const WorkloadJob& job : workload.jobs) {
        fmt::format_to(std::back_inserter(text),
                       "{},u{},{},{},,,{},{},,{},{},{},{},,,UNKNOWN\n",
                       ++number,
                       job.user,
                       group_names[job.group % group_names.size()],
                       job.submit_s,
                       job.run_s,
                       job.limit_s,
                       job.chips,
                       share_text(job),
                       known(job.cpus),
                       known(job.memory_gib));
        if (text.size() >= block) {
            WEIR_CHECK(file.write(text));
            text.clear();
        }
    }
    WEIR_CHECK(file.write(text));
    return file.close();
}

std::string sidecar_text(const std::string& name, const Workload& workload) {
    const fleet::Fleet& fleet = workload.options.fleet;
    nlohmann::ordered_json json;
    json["schema"] = "trace-cluster/1";
    json["name"] = name;
    json["title"] = "A heavy-tailed mix of jobs on accelerators, made by a model";
    json["kind"] = "ai";
    json["source"] =
        fmt::format("weir trace generate --model gpu-mix; jobs {}, seed {}, offered load {:.4f}",
                    workload.jobs.size(),
                    workload.options.seed,
                    workload.load);
    json["cite"] = mix_reference;
    json["time"] = {{"t0", nullptr}, {"zone", nullptr}};
    auto groups = nlohmann::ordered_json::array();
    for (const fleet::Pool& pool : fleet.pools) {
        nlohmann::ordered_json group;
        group["name"] = pool.name;
        group["count"] = pool.nodes;
        group["chip"] = pool.chips_per_node > 0 ? nlohmann::ordered_json(pool.chip)
                                                : nlohmann::ordered_json(nullptr);
        group["devices"] = pool.chips_per_node;
        group["cpus"] = pool.cpus_milli / 1000.0;
        group["mem_gb"] = static_cast<double>(pool.memory.count) / 0x1p30;
        groups.push_back(std::move(group));
    }
    json["node_groups"] = std::move(groups);
    if (fleet.pools.size() == 1 && fleet.pools[0].nodes >= 4) {
        // The last group takes what rounding left, so that the quotas are the whole machine.
        const fleet::Pool& pool = fleet.pools[0];
        std::uint32_t left = pool.nodes;
        for (std::size_t i = group_names.size(); i-- > 0;) {
            const auto share = static_cast<std::uint32_t>(
                std::max<std::uint64_t>(1, std::uint64_t{pool.nodes} * quota_tenths[i] / 10));
            const std::uint32_t nodes = i == 0 ? left : share;
            json["quotas_devices"][std::string(group_names[i])] = nodes * pool.chips_per_node;
            left -= nodes;
        }
    }
    return json.dump(1) + "\n";
}

Result<std::string> sidecar_path(const std::string& csv_path) {
    for (const std::string_view ending : {".csv.gz", ".csv"}) {
        if (csv_path.size() > ending.size() &&
            csv_path.compare(csv_path.size() - ending.size(), ending.size(), ending) == 0) {
            return csv_path.substr(0, csv_path.size() - ending.size()) + ".cluster.json";
        }
    }
    return fail(Code::invalid,
                fmt::format("{}: a trace with accelerators is CSV; valid endings: .csv, .csv.gz",
                            csv_path));
}

}  // namespace weir::sim
