// What is computed, by which way, and how good the way is: the words that rates and jobs share.
//
// An *operation class* says which units of a chip matter. A *way* is how a result in some format
// comes about: by the chip's own units, or by something that stands in for them. A *grade* is what
// may be relied on, and grades contain one another: strict (IEEE, with infinities, NaN and
// subnormals) in certified (no worse than native, checked call by call or handed to native) in
// bounded (an error bound that holds for a declared range of exponents) in best effort. Native
// arithmetic is strict.
//
// Threads: constant data.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace weir::catalog {

enum class Op : std::uint8_t { gemm, vector, spmv, fft, attention, other, memory };
std::string_view name_of(Op op);
std::optional<Op> op_from_name(std::string_view name);

enum class Way : std::uint8_t {
    native,     // by units of that format, or of one that holds it
    emulated,   // FP64 products from exact products of INT8 slices or residues, and the like
    refined,    // solved in a lower format, corrected with residuals in the asked one
    pair,       // two numbers of the lower format for one of the asked: FP32 pairs have 46 bits
    quantised,  // fewer bits than asked, on purpose
    host,       // by the processors of the node, for what the chip leaves over
};
std::string_view name_of(Way way);
std::optional<Way> way_from_name(std::string_view name);
const std::vector<std::string_view>& way_names();
const std::vector<std::string_view>& acceptable_ways();  // by a job: all but host

enum class Grade : std::uint8_t { strict, certified, bounded, best_effort };
std::string_view name_of(Grade grade);
std::optional<Grade> grade_from_name(std::string_view name);
const std::vector<std::string_view>& grade_names();

// Whatever relies on `least` may rely on `grade`.
constexpr bool at_least(Grade grade, Grade least) {
    return grade <= least;
}

// The grade that accepting a way without naming one stands for.
Grade usual_grade(Way way);

}  // namespace weir::catalog
