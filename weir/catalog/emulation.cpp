#include "weir/catalog/emulation.hpp"

#include <algorithm>
#include <cmath>

namespace weir::catalog {

std::optional<std::uint32_t> moduli_for(std::uint32_t range_bits) {
    constexpr std::uint32_t bits_of_usual = 20;
    constexpr double bits_of_one = 3.75;
    if (range_bits <= bits_of_usual) return moduli_usual;
    const double more = std::ceil((range_bits - bits_of_usual) / bits_of_one);
    if (more > moduli_max - moduli_usual) return std::nullopt;
    return moduli_usual + static_cast<std::uint32_t>(more);
}

double emulated_fp64(double int8_ops_per_s, std::uint32_t moduli) {
    return 0.65 * int8_ops_per_s / (moduli + 1);
}

std::optional<Rate> derived_emulation(const ChipRecord& chip, std::uint32_t moduli) {
    const Rate* int8 = chip.rate("int8", "gemm");
    if (int8 == nullptr || int8->value <= 0 || int8->exact == false) return std::nullopt;
    Rate rate;
    rate.format = "fp64";
    rate.op = "gemm";
    // A rule adds no certainty: what is derived from a vendor's peak is no better than that.
    rate.basis = std::max(int8->basis, Basis::derived);
    rate.date = int8->date;
    rate.way = Way::emulated;
    rate.method = "oz2-int8-" + std::to_string(moduli);
    rate.grade = Grade::bounded;
    rate.value = emulated_fp64(int8->value, moduli);
    rate.by_dim = {{emulation_dim, rate.value}};
    rate.memory_factor = emulation_memory_factor;
    rate.source = "0.65 R8/(N+1) from its INT8 rate";
    return rate;
}

}  // namespace weir::catalog
