#include "weir/hub/launching.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "weir/exec/environment.hpp"
#include "weir/exec/run_files.hpp"

namespace weir::hub {
namespace {

// %a of a job that is in no array; Slurm's NO_VAL.
constexpr const char* no_array_index = "4294967294";

// The lowest `count` bits of `mask` after the first `skip` ones.
std::uint64_t chips_in(std::uint64_t mask, std::uint32_t skip, std::uint32_t count) {
    std::uint64_t chips = 0;
    for (; mask != 0 && count > 0; mask &= mask - 1) {
        if (skip > 0) {
            --skip;
            continue;
        }
        chips |= mask & (~mask + 1);
        --count;
    }
    return chips;
}

// The place of every replica. Those of one node share its mask: whole chips are dealt out in order,
// fractions are of the same chip.
std::vector<exec::RankPlace> ranks_of(const Job& job,
                                      const fleet::Placement& placement,
                                      const fleet::Fleet& fleet) {
    std::vector<exec::RankPlace> ranks;
    for (const fleet::NodeRange& range : placement.ranges) {
        const fleet::ReplicaDemand& each = job.family->request.demand.parts.at(range.part).each;
        for (std::uint32_t node = 0; node < range.count; ++node) {
            const std::string name = fleet.node_name(range.pool, range.first + node);
            for (std::uint32_t i = 0; i < range.replicas; ++i) {
                const std::uint64_t chips =
                    each.chips > 0 ? chips_in(range.chip_mask, i * each.chips, each.chips)
                                   : range.chip_mask;
                ranks.push_back({.node = name, .chip_mask = chips});
            }
        }
    }
    return ranks;
}

std::string absolute(const std::string& path, const std::string& workdir) {
    return !path.empty() && path.front() == '/' ? path : workdir + "/" + path;
}

std::string padded(const std::string& number, std::size_t width) {
    return number.size() >= width ? number : std::string(width - number.size(), '0') + number;
}

// Files of one rank: in the run folder, or where the job wants them.
class OutputFiles {
public:
    OutputFiles(const Job& job,
                const Register& everybody,
                std::string workdir,
                std::string run_folder)
        : spec_(job.family->spec), workdir_(std::move(workdir)), folder_(std::move(run_folder)) {
        name_.job = std::to_string(job.id.value);
        name_.array = std::to_string(job.family->first.value);
        const auto index = everybody.array_index(job.id);
        name_.array_index = index ? std::to_string(*index) : no_array_index;
        name_.name = job.family->name;
        name_.user = job.family->user;
    }

    TaskView of(std::uint32_t rank, std::string node) {
        name_.rank = rank;
        name_.node = node;
        return {.rank = rank,
                .node = std::move(node),
                .stdout_path = path(spec_.stdout_path, "stdout"),
                .stderr_path = path(spec_.stderr_path, "stderr")};
    }

private:
    std::string path(const std::string& pattern, const char* stream) const {
        if (pattern.empty()) return folder_ + "/" + stream + "." + std::to_string(name_.rank);
        return absolute(expand_output_path(pattern, name_), workdir_);
    }

    const job::JobSpec& spec_;
    std::string workdir_;
    std::string folder_;
    OutputName name_;
};

}  // namespace

std::string workdir_of(const job::JobSpec& spec, const std::string& run_folder) {
    return spec.workdir.empty() ? run_folder : spec.workdir;
}

std::string expand_output_path(const std::string& pattern, const OutputName& name) {
    std::string path;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%') {
            path += pattern[i];
            continue;
        }
        std::size_t letter = i + 1;
        std::size_t width = 0;
        while (letter < pattern.size() && pattern[letter] >= '0' && pattern[letter] <= '9') {
            width = std::min<std::size_t>(
                width * 10 + static_cast<std::size_t>(pattern[letter] - '0'), 10);
            ++letter;
        }
        switch (letter < pattern.size() ? pattern[letter] : '\0') {
            case 'j':
            case 'J':
                path += padded(name.job, width);
                break;
            case 'A':
                path += padded(name.array, width);
                break;
            case 'a':
                path += padded(name.array_index, width);
                break;
            case 'r':
            case 't':
                path += padded(std::to_string(name.rank), width);
                break;
            case 'x':
                path += name.name;
                break;
            case 'u':
                path += name.user;
                break;
            case 'N':
                path += name.node;
                break;
            case '%':
                path += '%';
                break;
            default:
                path += '%';
                continue;  // what follows is copied as it is
        }
        i = letter;
    }
    return path;
}

std::vector<TaskView> tasks_of(const Job& job,
                               const Attempt& attempt,
                               const Register& everybody,
                               const fleet::Fleet& fleet,
                               const std::string& data_dir) {
    const std::string folder = exec::run_folder(data_dir, {job.id, attempt.number});
    OutputFiles files(job, everybody, workdir_of(job.family->spec, folder), folder);
    std::vector<std::string> nodes =
        attempt.end ? attempt.nodes_by_rank : nodes_by_rank(attempt.placement, fleet);
    // A launcher (mpirun, a batch script) is started once, on the first node.
    if (job.family->spec.launch == job::LaunchMode::once && nodes.size() > 1) nodes.resize(1);
    std::vector<TaskView> tasks;
    for (std::string& node : nodes) {
        const auto rank = static_cast<std::uint32_t>(tasks.size());
        tasks.push_back(files.of(rank, std::move(node)));
    }
    return tasks;
}

exec::Launch launch_of(const Job& job,
                       const Attempt& attempt,
                       const Register& everybody,
                       const fleet::Fleet& fleet,
                       const Options& options) {
    const job::JobSpec& spec = job.family->spec;
    exec::LaunchContext context;
    context.attempt = {job.id, attempt.number};
    context.job_id = everybody.id_of(job.id);
    context.array_index = everybody.array_index(job.id);
    if (context.array_index) context.array_id = std::to_string(job.family->first.value);
    context.chip = fleet.pool(attempt.placement.ranges.at(0).pool).chip;
    context.ranks = ranks_of(job, attempt.placement, fleet);
    context.hub_url = options.url;
    context.run_dir = exec::run_folder(options.data_dir, context.attempt);
    context.submit_dir = workdir_of(spec, context.run_dir);
    context.master_port = exec::free_master_port(context.attempt);
    context.as_root = geteuid() == 0;
    context.account_env = exec::account_environment();

    exec::Launch launch;
    launch.attempt = context.attempt;
    launch.script = spec.script;
    launch.workdir = context.submit_dir;
    if (options.mover && !spec.data_in.empty()) {
        context.datasets =
            options.mover->folder_of(fleet.pool(attempt.placement.ranges.at(0).pool).site);
        for (const job::DataIn& in : spec.data_in) {
            if (in.as.empty()) continue;
            launch.links.push_back(
                {launch.workdir + "/" + in.as, context.datasets + "/" + in.dataset});
        }
    }
    // What an earlier run made there is a dataset by now, and not to be written into.
    for (const job::DataOut& out : spec.data_out)
        launch.links.push_back({launch.workdir + "/" + out.path, ""});
    launch.env = exec::shared_environment(context, spec);
    for (const job::Planned& planned : spec.planned) {
        if (planned.chip != context.chip) continue;
        for (const auto& [name, value] : planned.env)
            if (spec.env.count(name) == 0) launch.env[name] = value;
    }
    // Not what may have come along from the job in which it was submitted.
    if (attempt.size < spec.sizes.size()) {
        for (const auto& [name, value] : spec.sizes[attempt.size].env)
            launch.env[name] = value;
    }
    for (TaskView& task : tasks_of(job, attempt, everybody, fleet, options.data_dir)) {
        launch.tasks.push_back({.rank = task.rank,
                                .node = std::move(task.node),
                                .env = exec::rank_environment(context, spec, task.rank),
                                .stdout_path = std::move(task.stdout_path),
                                .stderr_path = std::move(task.stderr_path)});
    }
    launch.limit = job.family->request.limit;
    launch.grace = spec.grace;
    const auto replicas = static_cast<std::int64_t>(job.family->request.demand.replicas());
    launch.memory_limit = Bytes{spec.gang.memory.count * replicas};
    launch.output_limit = spec.output_limit;
    return launch;
}

}  // namespace weir::hub
