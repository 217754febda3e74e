#include "weir/catalog/emulation.hpp"

#include <algorithm>
#include <cmath>

namespace weir::catalog {

namespace {

constexpr std::uint32_t bits_of_usual = 20;
constexpr double bits_of_one = 3.75;

// Of products of matrices of this size, where large ones run at `large`.
double rate_of_size(double large, std::uint64_t dim) {
    const auto n = static_cast<double>(dim);
    const double flops = 2 * n * n * n;
    const double share = std::min(1.0, n / static_cast<double>(emulation_dim));
    return flops / (flops / (large * share) + emulation_launch_s);
}

}  // namespace

std::optional<std::uint32_t> moduli_for(std::uint32_t range_bits) {
    if (range_bits <= bits_of_usual) return moduli_usual;
    const double more = std::ceil((range_bits - bits_of_usual) / bits_of_one);
    if (more > moduli_max - moduli_usual) return std::nullopt;
    return moduli_usual + static_cast<std::uint32_t>(more);
}

std::uint32_t range_of(std::uint32_t moduli) {
    const double more = std::max(0.0, static_cast<double>(moduli) - moduli_usual);
    return bits_of_usual + static_cast<std::uint32_t>(more * bits_of_one);
}

bool has_inexact_int8(const ChipRecord& chip) {
    const Rate* best = nullptr;
    for (const Rate& rate : chip.rates) {
        const bool says = rate.way == Way::native && rate.format == "int8" && rate.op == "gemm" &&
                          rate.exact.has_value();
        if (says && (best == nullptr || better_founded(rate, *best))) best = &rate;
    }
    return best != nullptr && best->exact == false;
}

bool rests_on_int8(Way way, std::string_view method) {
    return way == Way::emulated && (method.empty() || method.find("int8") != method.npos);
}

double emulated_fp64(double int8_ops_per_s, std::uint32_t moduli) {
    return 0.65 * int8_ops_per_s / (moduli + 1);
}

std::optional<Rate> derived_emulation(const ChipRecord& chip, std::uint32_t moduli) {
    const Rate* int8 = chip.rate("int8", "gemm");
    if (int8 == nullptr || int8->value <= 0 || has_inexact_int8(chip)) return std::nullopt;
    Rate rate;
    rate.format = "fp64";
    rate.op = "gemm";
    // A rule adds no certainty: what is derived from a vendor's peak is no better than that.
    rate.basis = std::max(int8->basis, Basis::derived);
    rate.date = int8->date;
    rate.way = Way::emulated;
    rate.method = "oz2-int8-" + std::to_string(moduli);
    rate.grade = Grade::bounded;
    rate.range_bits = range_of(moduli);
    const double large = emulated_fp64(int8->value, moduli);
    for (std::uint64_t dim = 128; dim <= 4 * emulation_dim; dim *= 2)
        rate.by_dim.emplace_back(dim, rate_of_size(large, dim));
    rate.value = rate.by_dim.back().second;
    rate.memory_factor = emulation_memory_factor;
    rate.source = "0.65 R8/(N+1) from its INT8 rate";
    return rate;
}

}  // namespace weir::catalog
