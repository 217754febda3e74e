// What measurements teach beyond the datasheet: how much of a peak real kernels reach.
//
// A datasheet has a peak; a product of matrices reaches a share of it that depends on its shape,
// and the share that large shapes reach, the cost of starting a kernel and the like belong to a
// kind of chip or link. They are in catalog/calibration.yaml, each entry with its source, in three
// levels: what chips in general reach (`any`), what the chips of one family reach, and what one
// kind of chip does. Each level says only what it knows better than the one above, so a chip that
// nobody measured has the constants of its family, or of `any`, moved by what its datasheet says
// (Laws); it says so (`fitted` is false), and what is predicted for it has a wider interval.
//
// Threads: values.
#pragma once

#include <map>
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
    double gemm_area = 7e5;  // elements of a result whose time a product loses to its last wave
    double gemm_store_share = 0.70;      // of the bandwidth, by products that write their results
    double attention_share = 0.50;       // flash attention forward, of the BF16 peak
    double attention_back_share = 0.50;  // the same, backward
    // What kernels written for the chips before it reach of that: of H100, flash attention 2
    // reaches 0.35 of the peak and 3 0.75 (Shah et al. 2024).
    double attention_older = 0.47;
    double attention_length = 300;  // keys whose time attention loses to its start and end
    double memory_share = 0.70;     // of the bandwidth, by kernels that only move data
    double kernel_s = 3e-6;         // from the end of one kernel to the work of the next
    double host_s = 25e-6;          // until the host has issued one kernel; hides behind long ones
    double step_s = 0.01;           // of each step beside the layers: data, logging, allocator
    double straggle = 0.004;        // of a step, for each doubling of the nodes
    double overlap_slowdown = 0.2;  // of hidden communication, the share that products lose
    double spread = 0.15;           // of prediction over measurement: standard deviation of the log
    bool fitted = false;            // on runs of this kind of chip
    bool family_fitted = false;     // on runs of its family
    std::string source{};
};

// Of one kind of link, inside or between nodes.
struct LinkCalibration {
    double bandwidth_share = 0.75;  // of the datasheet that large collectives reach
    double alltoall_share = 0.60;   // the same, of all-to-all
    double latency_s = 6e-6;        // of one step of a collective
    bool fitted = false;
    bool alltoall_fitted = false;  // all-to-all is seldom measured where gathers are
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

// What a datasheet tells of the shares that a chip will reach; 0 = it does not say.
struct Datasheet {
    double flops_per_watt = 0;      // the peak of products in sixteen bits over the power limit
    double fp8_flops_per_watt = 0;  // the same in FP8
    double memory_bytes_per_s = 0;
};

// How shares follow datasheets. Large products draw more power than a chip may have where its peak
// is high for its power limit; then its clock, and the share of the peak, fall in inverse
// proportion, from `power_flops_per_watt` on; an operation in FP8 takes less than half the energy.
// More bandwidth is harder to use up: the share that moving kernels reach goes with this power of
// it. What is not said counts as usual.
struct Laws {
    double power_flops_per_watt = 1.4e12;  // H100, which runs at its limit
    double power_fp8_flops_per_watt = 4.4e12;
    double memory_share_by_bandwidth = 0;
};
inline constexpr double usual_memory_bytes_per_s = 2e12;

// Chips of one design. Constants are those of a member with the usual datasheet.
struct ChipFamily {
    std::string name{};
    std::vector<std::string> chips{};
    ChipCalibration constants{};
};

// One set of constants: the one that travels in the program, or one that a fit has found.
struct Calibrations {
    // What an entry says itself; the rest comes from the level above.
    struct ChipEntry {
        std::vector<std::string> names{};
        std::string source{};
        std::vector<std::pair<double ChipCalibration::*, double>> said{};
    };
    Laws laws{};
    ChipCalibration any_chip{};
    LinkCalibration any_link{};
    std::vector<ChipFamily> families{};
    std::vector<ChipEntry> chips{};
    std::map<std::string, LinkCalibration, std::less<>> links{};

    // By catalogue name; by the name of a link ("nvlink3", "hccs", "infiniband", "roce").
    [[nodiscard]] ChipCalibration chip(std::string_view name, const Datasheet& sheet) const;
    [[nodiscard]] const LinkCalibration& link(std::string_view kind) const;
    [[nodiscard]] const ChipFamily* family(std::string_view chip) const;
    [[nodiscard]] const ChipEntry* entry(std::string_view chip) const;
};
const Calibrations& built_in_calibrations();

// The factor of a law; where the datasheet does not say, that of a usual one.
double power_factor(const Laws& laws, const Datasheet& sheet);
double power_fp8_factor(const Laws& laws, const Datasheet& sheet);
double bandwidth_factor(const Laws& laws, const Datasheet& sheet);

}  // namespace weir::plan
