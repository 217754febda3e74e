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
    double gemm_share = 0.70;      // that large BF16 and FP16 products reach
    double gemm_fp8_share = 0.62;  // the same in FP8, of the FP8 peak
    double gemm_area = 7e5;   // elements of a result whose time a product loses to its last wave
    double gemm_depth = 250;  // inner size whose time a product loses to its start and end
    double attention_share = 0.50;       // flash attention forward, of the BF16 peak
    double attention_back_share = 0.50;  // the same, backward
    double attention_older = 0.65;  // what kernels written for the chips before it reach of that
    double attention_length = 300;  // keys whose time attention loses to its start and end
    double memory_share = 0.70;     // of the bandwidth, by kernels that only move data
    double kernel_s = 3e-6;         // from the end of one kernel to the work of the next
    double host_s = 25e-6;          // until the host has issued one kernel; hides behind long ones
    double step_s = 0.02;           // of each step beside the layers: data, logging, allocator
    double straggle = 0.004;        // of a step, for each doubling of the nodes
    double overlap_slowdown = 0.2;  // of hidden communication, the share that products lose
    double spread = 0.15;           // of prediction over measurement: standard deviation of the log
    bool fitted = false;
    std::string source{};
};

// Of one kind of link, inside or between nodes.
struct LinkCalibration {
    double bandwidth_share = 0.75;  // of the datasheet that large collectives reach
    double alltoall_share = 0.60;   // the same, of all-to-all
    double latency_s = 6e-6;        // of one step of a collective
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
