// What is known of a kind of chip, and how well it is known.
//
// A rate without its basis is a rumour: a datasheet promises what a measurement finds a third of.
// So every number says where it comes from, bases are ordered, and asking for "the" rate gives the
// best-founded one. What is absent is unknown, not zero.
//
// Threads: values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"

namespace weir::catalog {

// From the best founded to the least; smaller is better.
enum class Basis : std::uint8_t { measured, published, derived, vendor_peak, assumed };
std::string_view name_of(Basis basis);
std::optional<Basis> basis_from_name(std::string_view name);

struct Rate {
    std::string format;  // "fp64", "bf16", "int8"; "" for memory
    std::string op;      // "gemm", "vector", "memory"
    double value = 0;    // FLOP/s, OP/s or B/s of one chip
    Basis basis = Basis::assumed;
    std::optional<Time> date;  // when it was found

    friend bool operator==(const Rate&, const Rate&) = default;
};

struct ChipRecord {
    std::string name;    // catalogue name: "h200"
    std::string vendor;  // "NVIDIA"
    Bytes memory;        // 0 = unknown
    std::vector<Rate> rates;

    // The best-founded rate; among equals the newest. nullptr = unknown.
    [[nodiscard]] const Rate* rate(std::string_view format, std::string_view op) const;

    friend bool operator==(const ChipRecord&, const ChipRecord&) = default;
};

// One JSON object on one line, for storage; chip_from_json(chip_to_json(c)) == c.
std::string chip_to_json(const ChipRecord& chip);
Result<ChipRecord> chip_from_json(std::string_view json);

}  // namespace weir::catalog
