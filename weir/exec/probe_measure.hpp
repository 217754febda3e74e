// The measuring itself, in this process: for the probe's child, and for its tests.
#pragma once

#include "weir/exec/probe.hpp"

namespace weir::exec {

// Fills in everything but the identity. Loads libraries into this process.
ProbeRecord measure_here(const ProbeOptions& options);

// How many CPUs we may use.
std::uint32_t usable_cpus();

}  // namespace weir::exec
