// Inside of follow_shell(): whether a condition holds.
//
// What depends on the machine (files, output of commands) is neither true nor false.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/plan/shell_variables.hpp"

namespace weir::plan::shell {

enum class Truth : std::uint8_t { yes, no, unknown };

constexpr Truth operator!(Truth truth) {
    if (truth == Truth::unknown) return truth;
    return truth == Truth::yes ? Truth::no : Truth::yes;
}

// A pattern with * and ?.
bool matches(std::string_view pattern, std::string_view text);

// What stands between [ and ], as written.
Result<Truth> test(Variables& variables, const std::vector<std::string>& written);

}  // namespace weir::plan::shell
