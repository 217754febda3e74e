// What is known of a kind of chip, and how well it is known.
//
// A rate without its basis is a rumour: a datasheet promises what a measurement finds a third of.
// So every number says where it comes from, bases are ordered, and asking for "the" rate gives the
// best-founded one. What is absent is unknown; a rate of 0 is the knowledge that there is none.
//
// Rates are of one chip and dense: a figure for 2:4 sparsity is halved before it comes in here.
//
// Threads: values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/catalog/format.hpp"
#include "weir/catalog/way.hpp"

namespace weir::catalog {

// From the best founded to the least; smaller is better. `published` is what third parties
// measured; `derived` follows from other rates by a rule.
enum class Basis : std::uint8_t { measured, published, derived, vendor_peak, assumed };
std::string_view name_of(Basis basis);
std::optional<Basis> basis_from_name(std::string_view name);
const std::vector<std::string_view>& basis_names();

// The share of a rate that plans count on: 1, 0.9, 0.75, 0.5, 0.3.
double discount_of(Basis basis);
// Somebody has measured it; everything else is an estimate.
constexpr bool is_evidence(Basis basis) {
    return basis <= Basis::published;
}

struct Rate {
    std::string format{};  // "fp64", "bf16", "int8"; "" for memory
    std::string op{};      // "gemm", "vector", "memory"
    double value = 0;      // FLOP/s, OP/s or B/s of one chip; of by_dim the largest size's
    Basis basis = Basis::assumed;
    std::optional<Time> date{};  // when it was found

    Way way = Way::native;
    std::string method{};  // of a way that is not native: "oz2-int8-15"
    Grade grade = Grade::strict;
    // The grade holds for operands whose exponents spread over so many bits in a row or column;
    // none = whatever they do.
    std::optional<std::uint32_t> range_bits{};
    std::vector<std::pair<std::uint64_t, double>>
        by_dim{};                 // size of the matrices, rate; ascending
    double memory_factor = 1;     // memory that it needs, over what the data takes
    std::optional<bool> exact{};  // of an integer product: whether it was found exact
    std::string source{};

    friend bool operator==(const Rate&, const Rate&) = default;
};

// Whether one of two rates for the same thing counts rather than the other: by its basis, and among
// equals by its date.
bool better_founded(const Rate& one, const Rate& other);

// What a chip does faster or slower than this nobody has built; 0 stands for what it does not do.
inline constexpr double rate_min = 1;
inline constexpr double rate_max = 1e24;
constexpr bool is_sound_rate(double value) {
    return value == 0 || (value >= rate_min && value <= rate_max);
}

// The rate for matrices of this size: between two measured sizes in proportion to the logarithms,
// above the largest that of the largest, below the smallest in proportion to the size, as where
// starting a product costs more than computing it.
double rate_at(const Rate& rate, std::uint64_t dim);

struct ChipRecord {
    std::string name{};    // catalogue name: "h200"
    std::string vendor{};  // "NVIDIA"
    Bytes memory{};        // 0 = unknown
    std::vector<Rate> rates{};

    std::vector<std::string> aliases{};
    std::string product{};              // as it is sold: "H200 SXM 141GB"
    std::vector<std::string> stacks{};  // software that runs on it: "cuda"
    bool domestic = false;              // of a Chinese vendor
    std::uint32_t year = 0;             // 0 = unknown
    double link_bytes_per_s = 0;  // to other chips of its node, both ways, all links; 0 = unknown
    double tdp_watts = 0;         // 0 = unknown
    std::uint32_t devices = 1;    // as which the operating system shows one package
    std::string note{};           // what people should know before they trust the numbers

    // The best-founded native rate; among equals the newest. nullptr = unknown.
    [[nodiscard]] const Rate* rate(std::string_view format, std::string_view op) const {
        return rate(format, op, Way::native);
    }
    [[nodiscard]] const Rate* rate(std::string_view format, std::string_view op, Way way) const;

    friend bool operator==(const ChipRecord&, const ChipRecord&) = default;
};

// One JSON object on one line, for storage; chip_from_json(chip_to_json(c)) == c.
std::string chip_to_json(const ChipRecord& chip);
Result<ChipRecord> chip_from_json(std::string_view json);

}  // namespace weir::catalog
