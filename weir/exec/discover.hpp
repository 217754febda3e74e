// Discovery: this machine as a fleet of one node at site `local`.
//
// Processors, memory and NUMA nodes come from hwloc, accelerators from their vendors' libraries.
// A machine with accelerators is a pool of them; a machine without offers its processors: one
// chip of kind "cpu" for each package. Only what this process may use is offered, so a container
// or a cpuset shrinks the node.
//
// Threads: free functions that read the machine anew at each call.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weir/exec/accelerators.hpp"
#include "weir/fleet/fleet.hpp"

namespace weir::exec {

struct DiscoverOptions {
    VendorLibraries libraries;
    std::string synthetic;  // a hwloc description ("pack:2 core:8 pu:2") instead of the machine
    std::string node_name;  // "" = the host's name
};

struct Machine {
    std::string node_name;
    std::string cpu_model;
    std::uint32_t packages = 1;
    std::uint32_t cores = 1;
    std::uint32_t cpus = 1;  // processing units that we may use
    std::uint32_t numa_nodes = 1;
    Bytes memory;
};

struct DiscoveryReport {
    fleet::Fleet fleet;
    Machine machine;
    std::vector<Accelerator> accelerators;
    std::vector<Fact> facts;  // what was asked, in this order: hwloc, then each library
};

DiscoveryReport discover(const DiscoverOptions& options = {});

}  // namespace weir::exec
