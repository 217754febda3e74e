// Inside of follow_shell(): variables and the expansion of words.
//
// A word becomes fields as in a shell: what is unquoted is split at blanks, "${A[@]}" gives a field
// for each item. What has no value stays as it was written.
//
// Threads: a Variables belongs to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"

namespace weir::plan::shell {

class Variables {
public:
    explicit Variables(std::string_view source) : source_(source) {}

    Result<void> set(std::string_view name, std::string value, bool append);
    Result<void> set_array(std::string_view name, std::vector<std::string> items, bool append);

    // Fields of a word as written.
    Result<std::vector<std::string>> fields(std::string_view word);
    // The same as one text: of an assignment, an operand, the body of a heredoc.
    Result<std::string> text(std::string_view word, bool heredoc = false);
    // An operand of a condition: what has no value is empty there; nullopt = it depends on the
    // machine.
    Result<std::optional<std::string>> operand(std::string_view word);

    // Whole numbers, + - * / % and parentheses; names are variables. nullopt = not known.
    std::optional<std::int64_t> arithmetic(std::string_view expression, int depth = 0);

private:
    struct Value {
        std::vector<std::string> items;
    };
    struct Piece {
        std::vector<std::string> items;
        bool list = false;  // each item a field of its own, even in quotes
    };
    Result<Piece> dollar(std::string_view word, std::size_t& at, int depth);
    Result<Piece> braces(std::string_view inside, std::string_view whole, int depth);
    Result<void> expand(std::string_view word,
                        bool quoted,
                        int depth,
                        std::vector<std::string>& out);
    Result<void> grown(std::size_t bytes);
    [[nodiscard]] const Value* find(std::string_view name) const;

    std::string source_;
    std::map<std::string, Value, std::less<>> values_;
    std::size_t grown_ = 0;
    bool unset_is_empty_ = false;
};

}  // namespace weir::plan::shell
