// The machine a plan is made for: one kind of chip, its node, its links, with what is known of
// each.
//
// A Machine is the catalogue's chip and calibration put together once, as plain numbers, so that
// the models of time need no look-up. Rates are peaks (dense); shares of them are in `chip`.
//
// Threads: values.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "weir/base/result.hpp"
#include "weir/catalog/chip.hpp"
#include "weir/plan/calibration.hpp"
#include "weir/plan/strategy.hpp"

namespace weir::plan {

struct Link {
    std::string kind{};      // "nvlink4", "infiniband"
    double bytes_per_s = 0;  // of one chip, one direction, by the datasheet; 0 = no such link
    // Of a full mesh, where each pair of chips has its part of the bandwidth: how many others a
    // chip is joined to. 0 = a switch, through which all of it goes to anyone.
    std::uint32_t mesh_peers = 0;
    bool assumed = false;  // nobody states the bandwidth: it is the usual one for the chip
    LinkCalibration calibration{};

    // What a chip has towards `others` of its node.
    [[nodiscard]] double bytes_per_s_to(double others) const {
        return mesh_peers > others ? bytes_per_s * others / mesh_peers : bytes_per_s;
    }
    // What a large transfer reaches.
    [[nodiscard]] double reached_bytes_per_s() const {
        return bytes_per_s * calibration.bandwidth_share;
    }
    [[nodiscard]] double reached_bytes_per_s_to(double others) const {
        return bytes_per_s_to(others) * calibration.bandwidth_share;
    }
};

struct Machine {
    std::string chip_name{};
    double memory_bytes = 0;             // of one chip
    double memory_bytes_per_s = 0;       // by the datasheet
    std::array<double, 5> peak_flops{};  // by Precision; 0 = it has none
    double peak_int8_ops = 0;            // 0 = it has none
    double peak_fp4_flops = 0;           // the same
    double sixteen_bit_flops = 0;        // of products in BF16 or FP16, whichever it has
    double host_bytes_per_s = 24e9;      // to the memory of the host, one direction
    double vector_flops = 0;             // FP32, element by element
    std::uint32_t chips_per_node = 8;    // that `inside` joins: the scale-up domain
    Link inside{};
    Link between{};
    ChipCalibration chip{};
    double price_per_chip_hour = 0;  // 0 = not said
    std::string currency{};
    double workspace_bytes = 32e6;   // that libraries of matrix products take
    double node_mtbf_s = 0;          // between failures of a node; 0 = not known
    double chip_watts = 0;           // busy; 0 = not known
    bool bandwidth_assumed = false;  // nobody states that of its memory
    bool estimated = false;          // some rate is not evidence (published or measured)
    bool deepep = false;             // DeepEP runs on it

    [[nodiscard]] double peak(Precision precision) const {
        return peak_flops[static_cast<std::size_t>(precision)];
    }
    // What the shares that it reaches are estimated from, where nobody measured it.
    [[nodiscard]] Datasheet datasheet() const {
        return {chip_watts > 0 ? sixteen_bit_flops / chip_watts : 0,
                chip_watts > 0 ? peak(Precision::fp8) / chip_watts : 0,
                bandwidth_assumed ? 0 : memory_bytes_per_s};
    }
};

// From what the catalogue says. Links default to what is usual for the chip; a fleet file or an
// option says otherwise. Fails where the chip has no rate for matrix products or no memory size.
struct MachineOptions {
    std::uint32_t chips_per_node = 0;  // 0 = usual for the chip
    double inside_bytes_per_s = 0;     // one direction; 0 = half of the chip's link
    double between_bytes_per_s = 0;    // one direction, of one chip; 0 = usual for the chip
    std::string inside_kind{};
    std::string between_kind{};
};
Result<Machine> machine_of(const catalog::ChipRecord& chip, const MachineOptions& options = {});

}  // namespace weir::plan
