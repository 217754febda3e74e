#include "weir/exec/environment.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <set>

#include "weir/base/assert.hpp"
#include "weir/base/random.hpp"
#include "weir/catalog/vendor.hpp"

namespace weir::exec {
namespace {

std::string device_list(std::uint64_t mask) {
    std::string list;
    for (std::uint32_t chip = 0; chip < fleet::chips_per_node_max; ++chip) {
        if ((mask >> chip & 1) == 0) continue;
        if (!list.empty()) list += ',';
        list += std::to_string(chip);
    }
    return list;
}

std::uint32_t ranks_on(const LaunchContext& context, const std::string& node) {
    std::uint32_t count = 0;
    for (const RankPlace& place : context.ranks)
        count += place.node == node ? 1u : 0u;
    return count;
}

std::uint64_t chips_on(const LaunchContext& context, const std::string& node) {
    std::uint64_t mask = 0;
    for (const RankPlace& place : context.ranks) {
        if (place.node == node) mask |= place.chip_mask;
    }
    return mask;
}

std::vector<std::string> nodes_of(const LaunchContext& context) {
    std::vector<std::string> nodes;
    std::set<std::string> seen;
    for (const RankPlace& place : context.ranks) {
        if (seen.insert(place.node).second) nodes.push_back(place.node);
    }
    return nodes;
}

void add_slurm(Environment& env, const LaunchContext& context, const job::JobSpec& spec) {
    // A script of Slurm sees numbers only: every member of an array has a number of its own there
    // as well.
    env["SLURM_JOB_ID"] = std::to_string(context.attempt.job.value);
    env["SLURM_JOB_NAME"] = spec.name;
    // A script that was read as such brings the numbers it asked for: its gang may be shaped
    // otherwise, with several tasks in one replica.
    if (spec.env.find("SLURM_NTASKS") == spec.env.end()) {
        env["SLURM_NTASKS"] = std::to_string(context.ranks.size());
        env["SLURM_CPUS_PER_TASK"] = std::to_string((spec.gang.cpus_milli + 999) / 1000);
    }
    const std::string& first = context.ranks.front().node;
    env["SLURM_JOB_ACCOUNT"] = spec.tenant;
    env["SLURM_JOB_NUM_NODES"] = std::to_string(nodes_of(context).size());
    env["SLURM_NNODES"] = env["SLURM_JOB_NUM_NODES"];
    const std::uint64_t cpus_milli = std::uint64_t{spec.gang.cpus_milli} * ranks_on(context, first);
    env["SLURM_CPUS_ON_NODE"] = std::to_string((cpus_milli + 999) / 1000);
    if (const std::uint64_t chips = chips_on(context, first);
        chips != 0 && catalog::family_of(context.chip) != nullptr) {
        env["SLURM_GPUS_ON_NODE"] = std::to_string(std::popcount(chips));
    }
    env["SLURM_SUBMIT_DIR"] = context.submit_dir;
    if (context.array_index) {
        env["SLURM_ARRAY_JOB_ID"] = context.array_id;
        env["SLURM_ARRAY_TASK_ID"] = std::to_string(*context.array_index);
        if (spec.array && !spec.array->indices.empty()) {
            env["SLURM_ARRAY_TASK_COUNT"] = std::to_string(spec.array->indices.size());
            env["SLURM_ARRAY_TASK_MIN"] = std::to_string(spec.array->indices.front());
            env["SLURM_ARRAY_TASK_MAX"] = std::to_string(spec.array->indices.back());
        }
    }
}

}  // namespace

Environment shared_environment(const LaunchContext& context, const job::JobSpec& spec) {
    WEIR_ASSERT(!context.ranks.empty());
    Environment env = context.account_env;
    for (const auto& [name, value] : spec.env)
        env[name] = value;
    if (context.as_root) {
        env.try_emplace("OMPI_ALLOW_RUN_AS_ROOT", "1");
        env.try_emplace("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    }

    // No job file may set it, so it came along from the job in which the submission was made.
    const bool foreign = env.count("WEIR_JOB_ID") != 0;

    std::string nodes;
    for (const std::string& node : nodes_of(context))
        nodes += (nodes.empty() ? "" : ",") + node;
    env["WEIR_JOB_ID"] = context.job_id;
    env["WEIR_JOB_NAME"] = spec.name;
    env["WEIR_ATTEMPT"] = std::to_string(context.attempt.number);
    env["WEIR_TENANT"] = spec.tenant;
    env["WEIR_HUB"] = context.hub_url;
    env["WEIR_NODES"] = nodes;
    env["WEIR_REPLICAS"] = std::to_string(context.ranks.size());
    env["WEIR_RUN_DIR"] = context.run_dir;
    if (!context.datasets.empty()) env["WEIR_DATA"] = context.datasets;
    if (context.array_index) {
        env["WEIR_ARRAY_ID"] = context.array_id;
        env["WEIR_ARRAY_INDEX"] = std::to_string(*context.array_index);
    }
    env["WORLD_SIZE"] = std::to_string(context.ranks.size());
    if (foreign || env.count("MASTER_ADDR") == 0) env["MASTER_ADDR"] = context.master_address;
    if (context.master_port != 0 && (foreign || env.count("MASTER_PORT") == 0)) {
        env["MASTER_PORT"] = std::to_string(context.master_port);
    }
    if (spec.batch_script) add_slurm(env, context, spec);
    return env;
}

Environment rank_environment(const LaunchContext& context,
                             const job::JobSpec& spec,
                             std::uint32_t rank) {
    WEIR_ASSERT(rank < context.ranks.size());
    const RankPlace& place = context.ranks[rank];
    std::uint32_t local_rank = 0;
    for (std::uint32_t before = 0; before < rank; ++before) {
        local_rank += context.ranks[before].node == place.node ? 1u : 0u;
    }
    Environment env;
    env["RANK"] = std::to_string(rank);
    env["LOCAL_RANK"] = std::to_string(local_rank);
    env["LOCAL_WORLD_SIZE"] = std::to_string(ranks_on(context, place.node));
    env["WEIR_REPLICA"] = std::to_string(rank);
    env["WEIR_NODE"] = place.node;
    if (spec.batch_script) {
        const std::vector<std::string> nodes = nodes_of(context);
        const auto node = std::find(nodes.begin(), nodes.end(), place.node) - nodes.begin();
        env["SLURM_PROCID"] = env["RANK"];
        env["SLURM_LOCALID"] = env["LOCAL_RANK"];
        env["SLURM_NODEID"] = std::to_string(node);
    }

    const catalog::Family* const family = catalog::family_of(context.chip);
    if (family == nullptr) return env;
    std::uint64_t mask = place.chip_mask;
    if (spec.launch == job::LaunchMode::once) {
        // The launcher hands the chips of its node on to the ranks that it starts there.
        mask = chips_on(context, place.node);
    }
    // A job that asked for no chip sees none: an empty list hides them all.
    env[std::string(family->visible_devices)] = device_list(mask);
    return env;
}

Environment account_environment() {
    Environment env;
    for (const char* const name :
         {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"}) {
        const char* const value = std::getenv(name);
        if (value != nullptr) env[name] = value;
    }
    env.try_emplace("PATH", "/usr/local/bin:/usr/bin:/bin");
    return env;
}

std::uint16_t free_master_port(AttemptId attempt) {
    constexpr std::uint32_t low = 20000;
    constexpr std::uint32_t count = 12000;  // up to 31999: Linux takes its own from 32768 on
    Random random(attempt.job.value * 1000003 + attempt.number);
    const auto first = static_cast<std::uint32_t>(random.between(0, count - 1));
    for (std::uint32_t i = 0; i < 200; ++i) {
        const auto port = static_cast<std::uint16_t>(low + (first + i * 37) % count);
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) return 0;
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_ANY);
        // As a rendezvous server will do it: a port that is only waiting out its last
        // connection may be had.
        const int on = 1;
        ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        const bool free =
            ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        ::close(fd);
        if (free) return port;
    }
    return 0;
}

}  // namespace weir::exec
