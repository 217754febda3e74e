// What measurements teach beyond the datasheet: how much of a peak real kernels reach.
//
// A datasheet has a peak; a product of matrices reaches a share of it that depends on its shape,
// and the share that large shapes reach, the cost of starting a kernel and the like belong to a
// kind of chip or link. They are in catalog/calibration.yaml, each entry with its source. A chip
// without an entry gets the mean of those that have one, says so (`fitted` is false), and what is
// predicted for it has a wider interval.
//
// Threads: values.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"

namespace weir::plan {

// Of one kind of chip. Shares are of the peak that the catalogue has.
struct ChipCalibration {
    double gemm_share = 0.80;       // that large BF16/FP16 products reach
    double gemm_fp8_share = 0.65;   // the same in FP8, of the FP8 peak
    double gemm_half_dim = 384;     // inner size at which a product reaches half of that
    double gemm_half_rows = 256;    // rows or columns, the same
    double attention_share = 0.55;  // flash attention forward, of the BF16 peak
    double attention_back_share = 0.45;
    double attention_half_length = 512;  // tokens at which attention reaches half
    double memory_share = 0.80;          // of the bandwidth that kernels moving data reach
    double kernel_s = 4e-6;  // from the start of one kernel to that of the next, beyond its work
    double host_s = 8e-6;    // until the host has issued a kernel; hides behind long ones
    double step_s = 0.01;    // of each step beside the layers: data, logging, allocator
    double straggle = 0.01;  // of a step, for each doubling of the nodes
    double overlap_slowdown = 0.1;  // how much slower products run beside communication
    double spread = 0.15;           // of prediction over measurement: standard deviation of the log
    bool fitted = false;
    std::string source{};
};

// Of one kind of link, inside or between nodes.
struct LinkCalibration {
    double bandwidth_share = 0.80;  // of the datasheet that large collectives reach
    double latency_s = 5e-6;        // of one step of a collective
    double alltoall_share = 0.60;
    bool fitted = false;
    std::string source{};
};

// A constant by its name, for files, fits and tables: one list for all three.
struct ChipConstant {
    std::string_view name;
    double ChipCalibration::*member;
    double low;
    double high;
    std::string_view doc;
};
struct LinkConstant {
    std::string_view name;
    double LinkCalibration::*member;
    double low;
    double high;
    std::string_view doc;
};
std::span<const ChipConstant> chip_constants();
std::span<const LinkConstant> link_constants();

// By the catalogue name of a chip, by the name of a link ("nvlink3", "hccs", "infiniband", "roce").
// What is not known gives the constants of the entry `any`, with fitted = false.
const ChipCalibration& chip_calibration(std::string_view chip);
const LinkCalibration& link_calibration(std::string_view link);

}  // namespace weir::plan
