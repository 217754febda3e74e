// Accelerators of this machine, asked from their vendors' libraries at run time.
//
// weir links none of them: each is opened by name if it is there, through declarations of our own
// (the few functions that are used, as the vendors document them). A library that is missing is
// not an error but a fact, and so is one that answers with an error. NVML was written against the
// interface that has been stable since driver 450; ROCm SMI since ROCm 4; DCMI since CANN 5.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/units.hpp"

namespace weir::exec {

struct Accelerator {
    std::string vendor;       // "nvidia", "amd", "huawei"
    std::string product;      // as the library says it: "NVIDIA H100 80GB HBM3"
    std::string chip;         // as the catalogue calls it: "h100-sxm-80g"
    std::uint32_t index = 0;  // by which the vendor's visible-devices variable names it
    Bytes memory;
    std::string unique_id;         // "" when the library does not tell
    double power_limit_watts = 0;  // 0 = not told
};

// One thing that was asked, and what came of it.
struct Fact {
    std::string name;  // "nvml", "rocm-smi", "dcmi", "hwloc"
    bool found = false;
    std::string detail;  // one sentence
};

// Candidates are tried in order; a test may put a library of its own there.
struct VendorLibraries {
    std::vector<std::string> nvml = {"libnvidia-ml.so.1"};
    std::vector<std::string> rocm_smi = {"librocm_smi64.so",
                                         "librocm_smi64.so.7",
                                         "librocm_smi64.so.6",
                                         "librocm_smi64.so.5",
                                         "/opt/rocm/lib/librocm_smi64.so"};
    std::vector<std::string> dcmi = {"libdcmi.so", "/usr/local/dcmi/libdcmi.so"};
};

// Never fails; what could not be asked is in `facts`, one for each library.
std::vector<Accelerator> find_accelerators(const VendorLibraries& libraries,
                                           std::vector<Fact>& facts);

// The catalogue's name for a product: "NVIDIA A100-SXM4-80GB" -> "a100-sxm-80g". A product that
// is not known keeps its own name in lower case with dashes, so that it can still be asked for.
std::string chip_name(std::string_view vendor, std::string_view product, Bytes memory);

}  // namespace weir::exec
