// Which vendor makes a chip, and how its software is told which devices are a process's own.
//
// Every vendor's runtime reads an environment variable with a list of device numbers: processes
// of different jobs on one node see different chips by it. The table is small, constant and
// carries its sources; a chip that it does not know has no such variable, which is better than a
// wrong one.
//
// Threads: constant data.
#pragma once

#include <span>
#include <string_view>

namespace weir::catalog {

struct Family {
    std::string_view vendor;           // "NVIDIA"
    std::string_view stack;            // "cuda": what `chips.stack` in a job names
    std::string_view visible_devices;  // "CUDA_VISIBLE_DEVICES"
    std::string_view begins;           // of the catalogue names of its chips
};

std::span<const Family> families();

// By catalogue name ("h200", "ascend-910b3", "mi300x"); the longest beginning wins. nullptr =
// none: a processor, or a chip that nobody has described.
const Family* family_of(std::string_view chip);

}  // namespace weir::catalog
