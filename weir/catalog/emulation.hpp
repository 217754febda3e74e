// What FP64 products would cost on units for INT8: one rule, for chips where nobody measured.
//
// Products of FP64 matrices can be put together from exact products of INT8 residues (Ozaki's
// scheme II): N products for N moduli, one for the scaling, and work that grows with the square.
// Public measurements on six chips and one on a CPU agree on
//
//     R64e(N) = 0.65 * R8 / (N + 1)        for matrices from 8,192 on
//
// where R8 is the *delivered* INT8 rate: with 15 moduli a twenty-fifth of it. Smaller matrices lose
// in proportion to their size, for then splitting them costs more than multiplying them; and every
// product takes half a millisecond to launch its hundred kernels, which is all there is to be seen
// of a fast chip at n = 1,024. emulation_test.cpp holds the rule to those measurements, small sizes
// included. The operands take about three times their memory. Without a check call by call such a
// product is `bounded`: fifteen moduli are as good as native while the exponents in a row spread
// over up to 20 bits, each modulus more bears 3.75 bits more (7.5 bits of the common product, half
// for each operand), and there are twenty.
//
// All of this rests on INT8 products being exact, and on some stacks they are not. A chip of which
// that was found carries no emulation on INT8, whoever published its rate.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "weir/catalog/chip.hpp"

namespace weir::catalog {

inline constexpr std::uint32_t moduli_usual = 15;
inline constexpr std::uint32_t moduli_max = 20;
inline constexpr std::uint64_t emulation_dim = 8192;  // from here on the rule holds
inline constexpr double emulation_launch_s = 5e-4;    // of one product
inline constexpr double emulation_memory_factor = 3;

// How many moduli a spread of exponents needs; none = more than there are.
std::optional<std::uint32_t> moduli_for(std::uint32_t range_bits);

// And how far they reach.
std::uint32_t range_of(std::uint32_t moduli);

// Its INT8 products were found inexact, by the best founded rate that says.
bool has_inexact_int8(const ChipRecord& chip);
// An emulation on INT8 units, or one that does not say on which.
bool rests_on_int8(Way way, std::string_view method);

// FP64 FLOP/s from INT8 OP/s, of large matrices.
double emulated_fp64(double int8_ops_per_s, std::uint32_t moduli = moduli_usual);

// The rate of FP64 products that follows for this chip, with basis `derived`; none where its INT8
// rate is unknown or none, or its products were found inexact.
std::optional<Rate> derived_emulation(const ChipRecord& chip, std::uint32_t moduli = moduli_usual);

}  // namespace weir::catalog
