// TOML as launch configurations use it: tables, strings, numbers, booleans and lists of them.
//
// What is not of that (dates, inline tables, arrays of tables, strings of several lines) is refused
// with its line, as are duplicates: nothing is read wrong because it is not known.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"

namespace weir::plan {

enum class TomlKind : std::uint8_t { text, number, boolean, list };

struct TomlEntry {
    std::string key;  // with its tables: "parallelism.tensor_parallel_degree"
    TomlKind kind = TomlKind::text;
    std::string text;                // of a scalar, without quotes; a number without underscores
    std::vector<std::string> items;  // of a list; lists in lists are flattened
    std::uint32_t line = 0;
};

Result<std::vector<TomlEntry>> parse_toml_subset(std::string_view text, std::string_view source);

}  // namespace weir::plan
