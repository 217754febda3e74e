// Numbers as logs write them.
//
// Logs are read at tens of millions of numbers a second, so whole numbers of up to 18 digits take
// a path of a few instructions a digit; fractions and exponents take a slower one. Nothing here
// depends on the locale.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::sim {

// "12", "-1", "12.75", "1e3": the fraction is cut toward zero. False unless the whole text is such
// a number of at most 18 digits.
bool parse_cut(std::string_view text, std::int64_t& value);

// A finite decimal number. False unless the whole text is one.
bool parse_number(std::string_view text, double& value);

// The text in quotes for an error message: control characters replaced, long ones shortened.
std::string shown(std::string_view text);

}  // namespace weir::sim
