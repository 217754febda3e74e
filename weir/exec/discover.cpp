#include "weir/exec/discover.hpp"

#include <hwloc.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "weir/exec/run_files.hpp"

namespace weir::exec {
namespace {

std::uint32_t count_of(hwloc_topology_t topology, hwloc_obj_type_t type) {
    return static_cast<std::uint32_t>(std::max(hwloc_get_nbobjs_by_type(topology, type), 1));
}

// 0 when the file is absent or says "max".
std::int64_t number_in(const std::string& path) {
    const auto text = read_whole(path);
    return text ? std::strtoll(text->c_str(), nullptr, 10) : 0;
}

Bytes physical_memory() {
    return {std::int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGESIZE)};
}

// A container's limit, by either version of cgroups; 0 = none.
std::int64_t memory_ceiling() {
    std::int64_t least = 0;
    for (const char* const path :
         {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
        const std::int64_t limit = number_in(path);
        if (limit > 0 && (least == 0 || limit < least)) least = limit;
    }
    return least;
}

// How many processors' time a container may use; 0 = all.
std::uint32_t cpu_ceiling() {
    const auto text = read_whole("/sys/fs/cgroup/cpu.max");
    if (!text || text->compare(0, 3, "max") == 0) return 0;
    char* rest = nullptr;
    const long long quota = std::strtoll(text->c_str(), &rest, 10);
    const long long period = std::strtoll(rest, nullptr, 10);
    return quota > 0 && period > 0 ? static_cast<std::uint32_t>(std::max(quota / period, 1LL)) : 0;
}

std::string host_name() {
    char name[256] = {};
    if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
    return name;
}

Machine look(const DiscoverOptions& options, std::vector<Fact>& facts) {
    Machine machine;
    machine.node_name = options.node_name.empty() ? host_name() : options.node_name;
    const bool real = options.synthetic.empty();
    hwloc_topology_t topology = nullptr;
    bool loaded = hwloc_topology_init(&topology) == 0;
    if (loaded && !real) {
        loaded = hwloc_topology_set_synthetic(topology, options.synthetic.c_str()) == 0;
    }
    loaded = loaded && hwloc_topology_load(topology) == 0;
    if (loaded) {
        machine.packages = count_of(topology, HWLOC_OBJ_PACKAGE);
        machine.cores = count_of(topology, HWLOC_OBJ_CORE);
        machine.cpus = count_of(topology, HWLOC_OBJ_PU);
        machine.numa_nodes = count_of(topology, HWLOC_OBJ_NUMANODE);
        machine.memory =
            Bytes{static_cast<std::int64_t>(hwloc_get_root_obj(topology)->total_memory)};
        // NUMA nodes may own up to less than the machine has (memory that was added while it ran).
        if (real) machine.memory = std::max(machine.memory, physical_memory());
        const hwloc_obj_t package = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, 0);
        const char* const model =
            package != nullptr ? hwloc_obj_get_info_by_name(package, "CPUModel") : nullptr;
        machine.cpu_model = model != nullptr ? model : "unknown processor";
    } else {
        const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
        machine.cores = machine.cpus = static_cast<std::uint32_t>(std::max(online, 1L));
        machine.memory = physical_memory();
        machine.cpu_model = "unknown processor";
    }
    if (topology != nullptr) hwloc_topology_destroy(topology);

    std::string limits;
    if (real) {
        cpu_set_t allowed;
        CPU_ZERO(&allowed);
        std::uint32_t usable = machine.cpus;
        if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
            usable = std::min(usable, static_cast<std::uint32_t>(CPU_COUNT(&allowed)));
        }
        if (const std::uint32_t ceiling = cpu_ceiling(); ceiling != 0) {
            usable = std::min(usable, ceiling);
        }
        if (usable < machine.cpus) limits += ", of which we may use " + std::to_string(usable);
        machine.cpus = usable;
        const std::int64_t ceiling = memory_ceiling();
        if (ceiling > 0 && ceiling < machine.memory.count) {
            machine.memory = Bytes{ceiling};
            limits += ", memory limited by our cgroup";
        }
    }
    facts.push_back({"hwloc",
                     loaded,
                     machine.cpu_model + ": " + format_count(machine.packages, "package") + ", " +
                         format_count(machine.cores, "core") + limits + ", " +
                         format_count(machine.numa_nodes, "NUMA node") + ", " +
                         format_bytes(machine.memory)});
    return machine;
}

struct Offer {
    std::string chip;
    std::uint32_t count = 0;
};

// A node has one kind of chip, and the number of a chip is also its name in the vendor's variable.
// So what can be offered is the run of equal devices with which a vendor's numbering begins; the
// longest such run is taken and everything else is said to be left out.
Offer offered_chips(const std::vector<Accelerator>& accelerators, std::vector<Fact>& facts) {
    std::map<std::string, Offer> runs;  // by vendor
    for (const Accelerator& accelerator : accelerators) {
        Offer& run = runs[accelerator.vendor];
        if (run.count == 0) run.chip = accelerator.chip;
        if (run.chip == accelerator.chip && run.count == accelerator.index &&
            run.count < fleet::chips_per_node_max) {
            ++run.count;
        }
    }
    Offer best;
    for (const auto& [vendor, run] : runs) {
        if (run.count > best.count) best = run;
    }
    const auto left_out = accelerators.size() - best.count;
    if (left_out > 0) {
        facts.push_back({"accelerators",
                         false,
                         std::to_string(left_out) + " of " + std::to_string(accelerators.size()) +
                             " accelerators are not offered: a node has one kind of chip, here " +
                             best.chip + ", counted from device 0"});
    }
    return best;
}

}  // namespace

DiscoveryReport discover(const DiscoverOptions& options) {
    DiscoveryReport report;
    report.machine = look(options, report.facts);
    report.accelerators = find_accelerators(options.libraries, report.facts);

    fleet::Pool pool;
    pool.name = "local";
    pool.site = "local";
    pool.nodes = 1;
    pool.node_names = {report.machine.node_name};
    pool.cpus_milli = report.machine.cpus * 1000;
    pool.memory = report.machine.memory;
    if (report.accelerators.empty()) {
        pool.chip = "cpu";
        pool.chips_per_node = std::min(report.machine.packages, fleet::chips_per_node_max);
    } else {
        const Offer offer = offered_chips(report.accelerators, report.facts);
        pool.chip = offer.count > 0 ? offer.chip : "";
        pool.chips_per_node = offer.count;
    }
    report.fleet.sites = {{.name = "local", .executor = "local", .power_watts = 0}};
    report.fleet.pools = {std::move(pool)};
    return report;
}

}  // namespace weir::exec
