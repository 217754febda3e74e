// Inside of follow_shell(): a script as tokens.
//
// A word keeps its quotes and its dollars; expanding it is done when it is reached, since only then
// its variables are known. An array assignment is one token with its words.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"

namespace weir::plan::shell {

enum class TokenKind : std::uint8_t { word, array, op, end };

struct Token {
    TokenKind kind = TokenKind::end;
    std::string text;                // of a word: as written; of an op: "&&", "\n", ">"
    std::vector<std::string> words;  // of an array: as written
    bool append = false;             // of an array: NAME+=(…)
    std::string heredoc;             // of an op "<<"
    bool heredoc_literal = false;    // its delimiter was quoted
    std::uint32_t line = 0;
};

Result<std::vector<Token>> tokens_of(std::string_view text, std::string_view source);

// The end of what begins at `at` with $( or ${ or $(( or a backtick: one past its last character;
// npos = it does not end.
std::size_t end_of_expansion(std::string_view text, std::size_t at);

bool is_name_start(char c);
bool is_name(char c);

}  // namespace weir::plan::shell
