// What the value of an option may be: words and numbers, refused in one sentence that says what is
// valid. None of them changes how help names the value.
//
// Threads: none; the table of commands is made once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace weir::cli {

// One of several words, with the nearest one offered for a mistyped one.
void one_of(CLI::Option* option, const std::vector<std::string>& words);
CLI::Validator whole_number(std::uint64_t least, std::uint64_t most = 999'999'999'999'999'999);
// Both ends included; -0 is none of them.
CLI::Validator number(double least, double most);
// Something: "$UNSET" of a shell is no value.
CLI::Validator not_empty();

}  // namespace weir::cli
