#include "weir/plan/machine.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "weir/plan/usual.hpp"

namespace weir::plan {
namespace {

// The peak that a vendor states; where none does, the best-founded rate. Shares in the calibration
// are of the former.
const catalog::Rate* peak_rate(const catalog::ChipRecord& chip,
                               std::string_view format,
                               std::string_view op) {
    for (const catalog::Rate& rate : chip.rates) {
        const bool fits = rate.format == format && rate.op == op && rate.value > 0 &&
                          rate.way == catalog::Way::native;
        if (fits && rate.basis == catalog::Basis::vendor_peak) return &rate;
    }
    const catalog::Rate* best = chip.rate(format, op);
    return best != nullptr && best->value > 0 ? best : nullptr;
}

double peak_of(const catalog::ChipRecord& chip, std::initializer_list<std::string_view> formats) {
    for (const std::string_view format : formats) {
        if (const catalog::Rate* rate = peak_rate(chip, format, "gemm")) return rate->value;
    }
    return 0;
}

}  // namespace

Result<Machine> machine_of(const catalog::ChipRecord& chip, const MachineOptions& options) {
    Machine machine;
    machine.chip_name = chip.name;
    if (chip.memory.count <= 0) {
        return fail(Code::invalid,
                    fmt::format("chip {}: its memory is not known; add `memory:` to its entry in "
                                "a catalogue file",
                                chip.name));
    }
    machine.memory_bytes = static_cast<double>(chip.memory.count);
    const double bf16 = peak_of(chip, {"bf16"});
    const double fp16 = peak_of(chip, {"fp16"});
    const double fp8 = peak_of(chip, {"fp8", "fp8e4m3"});
    const double fp32 = peak_of(chip, {"fp32"});
    const catalog::Rate* vector_fp32 = peak_rate(chip, "fp32", "vector");
    // Scales of blocks in hardware came with FP4 units.
    const double mxfp8 = peak_of(chip, {"fp4", "nvfp4", "mxfp4"}) > 0 ? fp8 : 0;
    machine.peak_flops = {fp32 > 0                 ? fp32
                          : vector_fp32 != nullptr ? vector_fp32->value
                                                   : 0,
                          fp16 > 0 ? fp16 : bf16,
                          bf16,
                          fp8,
                          mxfp8};
    machine.peak_int8_ops = peak_of(chip, {"int8"});
    machine.peak_fp4_flops = peak_of(chip, {"fp4", "nvfp4", "mxfp4"});
    // Huawei's sheets state FP16; its matrix units take BF16 at the same rate.
    if (bf16 <= 0 && chip.rate("bf16", "gemm") == nullptr)
        machine.peak_flops[static_cast<std::size_t>(Precision::bf16)] = fp16;
    else if (fp16 > bf16 && bf16 > 0 &&
             chip.rate("bf16", "gemm")->basis != catalog::Basis::vendor_peak)
        machine.peak_flops[static_cast<std::size_t>(Precision::bf16)] = fp16;
    if (*std::max_element(machine.peak_flops.begin(), machine.peak_flops.end()) <= 0) {
        return fail(Code::invalid,
                    fmt::format("chip {}: the catalogue has no rate for products of matrices in "
                                "bf16, fp16, fp8 or fp32; add one",
                                chip.name));
    }
    // Attention stays in sixteen bits. A chip that states neither format does them at half the rate
    // of eight bits, or in FP32.
    const double bf16_peak = machine.peak_flops[static_cast<std::size_t>(Precision::bf16)];
    machine.sixteen_bit_flops = bf16_peak > 0 ? bf16_peak
                                : fp16 > 0    ? fp16
                                : fp8 > 0     ? fp8 / 2
                                              : machine.peak_flops[0];
    // Where nobody states the bandwidth, the usual balance of chips for training: those of the
    // catalogue that state both do 150 to 300 operations for each byte.
    constexpr double usual_flops_per_byte = 220;
    const catalog::Rate* memory = peak_rate(chip, "", "memory");
    machine.memory_bytes_per_s =
        memory != nullptr ? memory->value : machine.sixteen_bit_flops / usual_flops_per_byte;
    machine.bandwidth_assumed = memory == nullptr;
    if (const catalog::Rate* vector = peak_rate(chip, "fp32", "vector"))
        machine.vector_flops = vector->value;
    const UsualSystem& usual = usual_system(chip.name);
    machine.chips_per_node =
        options.chips_per_node > 0 ? options.chips_per_node : usual.chips_per_node;
    machine.inside.kind = options.inside_kind.empty() ? usual.inside : options.inside_kind;
    // A chip that names no link of its own has what any chip has.
    const double own = chip.link_bytes_per_s > 0 && machine.inside.kind != "pcie"
                           ? chip.link_bytes_per_s / 2
                           : usual_system("").inside_bytes_per_s;
    const bool slot = usual.inside_bytes_per_s > 0 && machine.inside.kind == usual.inside &&
                      (usual.inside == "pcie" || chip.link_bytes_per_s <= 0);
    machine.inside.bytes_per_s = options.inside_bytes_per_s > 0 ? options.inside_bytes_per_s
                                 : slot                         ? usual.inside_bytes_per_s
                                                                : own;
    machine.inside.assumed =
        options.inside_bytes_per_s <= 0 && (slot || chip.link_bytes_per_s <= 0);
    // Eight 910B are joined pair by pair, by seven links of each.
    if (machine.inside.kind == "hccs" && chip.name.rfind("ascend-910b", 0) == 0)
        machine.inside.mesh_peers = 7;
    machine.between.kind = options.between_kind.empty() ? usual.between : options.between_kind;
    machine.between.bytes_per_s =
        options.between_bytes_per_s > 0 ? options.between_bytes_per_s : usual.between_bytes_per_s;
    machine.between.assumed = options.between_bytes_per_s <= 0;
    machine.chip_watts = chip.tdp_watts;
    const Calibrations& known = built_in_calibrations();
    machine.chip = known.chip(chip.name, machine.datasheet());
    machine.inside.calibration = known.link(machine.inside.kind);
    machine.between.calibration = known.link(machine.between.kind);
    // x16 slots have 32 GB/s a direction with PCIe 4.0 and 64 with 5.0, which came with the chips
    // of 2022; copies of pinned memory reach three quarters. Chips with a processor on NVLink-C2C
    // share its 450 GB/s a direction among two.
    const bool coherent = chip.name.rfind("gb", 0) == 0 || chip.name.rfind("gh", 0) == 0;
    machine.host_bytes_per_s = coherent ? 200e9 : chip.year >= 2022 ? 48e9 : 24e9;
    // cuBLAS and Transformer Engine take 32 MiB a stream from Hopper on, and 4 to 8 MiB before.
    machine.workspace_bytes = chip.year >= 2022 ? 128e6 : 32e6;
    machine.estimated = !machine.chip.fitted;
    // Ampere, Hopper and Blackwell, joined by NVLink (README of deepseek-ai/DeepEP;
    // training/flex_dispatcher_backend.py of Megatron-Bridge); the chips before them had no BF16.
    machine.deepep = (machine.inside.kind.rfind("nvl", 0) == 0) &&
                     (bf16 > 0 || chip.rate("bf16", "gemm") != nullptr);
    return machine;
}

}  // namespace weir::plan
