#include "weir/plan/shell_variables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>

#include "weir/plan/shell_lexer.hpp"

namespace weir::plan::shell {
namespace {

// All that a script's words may grow to together; A=$A$A doubles.
constexpr std::size_t bytes_max = std::size_t{4} << 20;
constexpr int depth_max = 20;

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// What has no value, as it was written, in one word: "$(nvidia-smi…)".
std::string as_one_word(std::string_view written) {
    const auto blank = std::find_if(written.begin(), written.end(), is_blank);
    if (blank == written.end()) return std::string(written);
    return std::string(written.begin(), blank) + "…" + written.back();
}

// The words of a text that is unquoted, added to fields: the first goes on with what is there.
void add_split(std::string_view text,
               std::string& field,
               bool& open,
               std::vector<std::string>& out) {
    for (const char c : text) {
        if (is_blank(c)) {
            if (open) out.push_back(std::move(field));
            field.clear();
            open = false;
        } else {
            field += c;
            open = true;
        }
    }
}

// Whole numbers with what a shell knows of arithmetic.
class Arithmetic {
public:
    Arithmetic(std::string_view text, Variables& variables, int depth)
        : text_(text), variables_(variables), depth_(depth) {}

    std::optional<std::int64_t> value() {
        const auto result = sum();
        blanks();
        if (at_ != text_.size()) return std::nullopt;
        return result;
    }

private:
    void blanks() {
        while (at_ < text_.size() && is_blank(text_[at_]))
            ++at_;
    }
    bool take(char c) {
        blanks();
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }

    std::optional<std::int64_t> sum() {
        auto left = product();
        for (;;) {
            const bool plus = take('+');
            if (!plus && !take('-')) return left;
            const auto right = product();
            std::int64_t result = 0;
            if (!left || !right ||
                (plus ? __builtin_add_overflow(*left, *right, &result)
                      : __builtin_sub_overflow(*left, *right, &result)))
                return std::nullopt;
            left = result;
        }
    }

    std::optional<std::int64_t> product() {
        auto left = factor();
        for (;;) {
            blanks();
            if (at_ >= text_.size()) return left;
            const char op = text_[at_];
            if (op != '*' && op != '/' && op != '%') return left;
            ++at_;
            const auto right = factor();
            if (!left || !right) return std::nullopt;
            std::int64_t result = 0;
            if (op == '*') {
                if (__builtin_mul_overflow(*left, *right, &result)) return std::nullopt;
            } else {
                if (*right == 0 || (*right == -1 && *left == INT64_MIN)) return std::nullopt;
                result = op == '/' ? *left / *right : *left % *right;
            }
            left = result;
        }
    }

    std::optional<std::int64_t> factor() {
        if (++nesting_ > depth_max) return std::nullopt;
        const auto result = factor_inside();
        --nesting_;
        return result;
    }

    std::optional<std::int64_t> factor_inside() {
        if (take('(')) {
            const auto inside = sum();
            if (!take(')')) return std::nullopt;
            return inside;
        }
        if (take('-')) {
            const auto of = factor();
            if (!of || *of == INT64_MIN) return std::nullopt;
            return -*of;
        }
        blanks();
        const std::size_t begin = at_;
        while (at_ < text_.size() &&
               (is_name(text_[at_]) || text_[at_] == '$' || text_[at_] == '{' || text_[at_] == '}'))
            ++at_;
        std::string_view word = text_.substr(begin, at_ - begin);
        std::int64_t number = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
        if (!word.empty() && error == std::errc() && end == word.data() + word.size())
            return number;
        if (word.size() > 1 && word[0] == '$') {
            word.remove_prefix(1);
            if (word.size() > 2 && word.front() == '{' && word.back() == '}')
                word = word.substr(1, word.size() - 2);
        }
        if (word.empty() || !is_name_start(word[0])) return std::nullopt;
        const auto text = variables_.text(fmt::format("${{{}}}", word));
        if (!text || text->empty() || text->find('$') != std::string::npos) return std::nullopt;
        return variables_.arithmetic(*text, depth_ + 1);
    }

    std::string_view text_;
    Variables& variables_;
    int depth_;
    int nesting_ = 0;
    std::size_t at_ = 0;
};

}  // namespace

std::optional<std::int64_t> Variables::arithmetic(std::string_view expression, int depth) {
    if (depth > depth_max) return std::nullopt;
    return Arithmetic(expression, *this, depth).value();
}

Result<void> Variables::grown(std::size_t bytes) {
    grown_ += bytes;
    if (grown_ > bytes_max)
        return fail(Code::too_large, fmt::format("{}: its variables grow too large", source_));
    return {};
}

const Variables::Value* Variables::find(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? nullptr : &found->second;
}

Result<void> Variables::set(std::string_view name, std::string value, bool append) {
    WEIR_CHECK(grown(value.size()));
    Value& variable = values_[std::string(name)];
    if (variable.items.empty()) variable.items.emplace_back();
    if (append)
        variable.items.front() += value;
    else
        variable.items = {std::move(value)};
    return {};
}

Result<void> Variables::set_array(std::string_view name,
                                  std::vector<std::string> items,
                                  bool append) {
    for (const std::string& item : items)
        WEIR_CHECK(grown(item.size() + 1));
    Value& variable = values_[std::string(name)];
    if (append)
        variable.items.insert(variable.items.end(), items.begin(), items.end());
    else
        variable.items = std::move(items);
    return {};
}

// ${inside}
Result<Variables::Piece> Variables::braces(std::string_view inside,
                                           std::string_view whole,
                                           int depth) {
    Piece as_written{{as_one_word(whole)}, false};
    std::size_t end = 0;
    while (end < inside.size() && is_name(inside[end]))
        ++end;
    const std::string_view name = inside.substr(0, end);
    std::string_view rest = inside.substr(end);
    if (name.empty()) {
        // ${#A[@]}, ${@}, …
        if (inside == "@" || inside == "*") return Piece{{}, true};
        return as_written;
    }
    const Value* value = find(name);
    Piece piece;
    if (rest.substr(0, 3) == "[@]" || rest.substr(0, 3) == "[*]") {
        rest.remove_prefix(3);
        piece.list = true;
        if (value == nullptr && rest.empty()) {
            if (unset_is_empty_) return Piece{{}, true};
            return as_written;
        }
        if (value != nullptr) piece.items = value->items;
    } else if (rest.substr(0, 1) == "[") {
        const std::size_t close = rest.find(']');
        if (close == std::string_view::npos) return as_written;
        const auto index = arithmetic(rest.substr(1, close - 1));
        rest.remove_prefix(close + 1);
        if (value == nullptr || !index || *index < 0 ||
            static_cast<std::size_t>(*index) >= value->items.size())
            return as_written;
        piece.items = {value->items[static_cast<std::size_t>(*index)]};
    } else if (value != nullptr) {
        piece.items = {value->items.empty() ? std::string() : value->items.front()};
    }
    if (rest.empty()) {
        if (value == nullptr) return unset_is_empty_ ? Piece{{std::string()}, false} : as_written;
        return piece;
    }
    const bool colon = rest[0] == ':';
    if (colon) rest.remove_prefix(1);
    if (rest.empty()) return as_written;
    const bool empty = piece.items.empty() || (piece.items.size() == 1 && piece.items[0].empty());
    const bool missing = value == nullptr || (colon && empty);
    const char op = rest[0];
    rest.remove_prefix(1);
    if (op == '-' || op == '=') {
        if (!missing) return piece;
        std::vector<std::string> fields;
        WEIR_CHECK(expand(rest, true, depth + 1, fields));
        std::string joined = fields.empty() ? std::string() : fields.front();
        if (op == '=') WEIR_CHECK(set(name, joined, false));
        return Piece{{std::move(joined)}, false};
    }
    if (op == '+') {
        if (missing) return Piece{{std::string()}, false};
        std::vector<std::string> fields;
        WEIR_CHECK(expand(rest, true, depth + 1, fields));
        return Piece{{fields.empty() ? std::string() : fields.front()}, false};
    }
    if (op == '?' && !missing) return piece;
    return as_written;
}

// At a dollar or a backtick.
Result<Variables::Piece> Variables::dollar(std::string_view word, std::size_t& at, int depth) {
    const std::size_t begin = at;
    const std::size_t end = end_of_expansion(word, at);
    if (end == std::string_view::npos || depth > depth_max) {
        return fail(Code::invalid,
                    fmt::format("{}: an expansion is nested too deep or does not end", source_));
    }
    if (word[at] == '`') {
        at = end;
        return Piece{{as_one_word(word.substr(begin, end - begin))}, false};
    }
    const std::string_view whole = word.substr(begin, end - begin);
    if (whole.substr(0, 3) == "$((" && whole.size() >= 5 &&
        whole.substr(whole.size() - 2) == "))") {
        at = end;
        const auto value = arithmetic(whole.substr(3, whole.size() - 5));
        return Piece{{value ? std::to_string(*value) : as_one_word(whole)}, false};
    }
    if (whole.size() > 1 && whole[1] == '(') {
        at = end;
        return Piece{{as_one_word(whole)}, false};
    }
    if (whole.size() > 1 && whole[1] == '{') {
        at = end;
        return braces(whole.substr(2, whole.size() - 3), whole, depth);
    }
    // $NAME, $1, $@
    std::size_t stop = begin + 1;
    if (stop < word.size() && is_name_start(word[stop])) {
        while (stop < word.size() && is_name(word[stop]))
            ++stop;
    } else if (stop < word.size() &&
               std::string_view("0123456789@*#?$!-").find(word[stop]) != std::string_view::npos) {
        ++stop;
    }
    at = stop;
    const std::string_view name = word.substr(begin + 1, stop - begin - 1);
    if (name.empty()) return Piece{{"$"}, false};
    if (name == "@" || name == "*") return Piece{{}, true};
    if (name == "#" || name == "?") return Piece{{"0"}, false};
    const Value* value = find(name);
    if (value == nullptr) {
        if (unset_is_empty_) return Piece{{std::string()}, false};
        return Piece{{std::string(word.substr(begin, stop - begin))}, false};
    }
    return Piece{{value->items.empty() ? std::string() : value->items.front()}, false};
}

// `quoted`: as between double quotes, one field whatever is in it.
Result<void> Variables::expand(std::string_view word,
                               bool quoted,
                               int depth,
                               std::vector<std::string>& out) {
    std::string field;
    bool open = false;       // a field has begun, be it empty
    bool in_double = false;  // between "
    bool nothing = false;    // a list without items stood there
    std::size_t at = 0;
    while (at < word.size()) {
        const char c = word[at];
        if (c == '\'' && !in_double && !quoted) {
            const std::size_t end = std::min(word.find('\'', at + 1), word.size());
            field += word.substr(at + 1, end - at - 1);
            open = true;
            at = std::min(end + 1, word.size());
        } else if (c == '"') {
            in_double = !in_double;
            if (in_double) nothing = false;
            // "" is a field; "${A[@]}" of nothing is none.
            else if (!nothing || !field.empty())
                open = true;
            ++at;
        } else if (c == '\\' && at + 1 < word.size()) {
            const char next = word[at + 1];
            if (next == '\n') {
                // A line goes on.
            } else if (in_double || quoted) {
                if (std::string_view("$`\"\\").find(next) == std::string_view::npos) field += '\\';
                field += next;
            } else {
                field += next;
            }
            open = true;
            at += 2;
        } else if (c == '$' || c == '`') {
            WEIR_TRY(const Piece piece, dollar(word, at, depth));
            for (const std::string& item : piece.items)
                WEIR_CHECK(grown(item.size()));
            const bool together = in_double || quoted;
            for (std::size_t i = 0; i < piece.items.size(); ++i) {
                if (i > 0) {
                    if (quoted) {
                        field += ' ';
                    } else {
                        if (open) out.push_back(std::move(field));
                        field.clear();
                        open = false;
                    }
                }
                if (together) {
                    field += piece.items[i];
                    open = true;
                } else {
                    add_split(piece.items[i], field, open, out);
                }
            }
            nothing = nothing || piece.items.empty();
        } else {
            field += c;
            open = true;
            ++at;
        }
    }
    WEIR_CHECK(grown(word.size()));
    if (open || quoted) out.push_back(std::move(field));
    return {};
}

Result<std::vector<std::string>> Variables::fields(std::string_view word) {
    std::vector<std::string> out;
    WEIR_CHECK(expand(word, false, 0, out));
    return out;
}

Result<std::string> Variables::text(std::string_view word, bool heredoc) {
    std::vector<std::string> out;
    if (heredoc) {
        // Quotes are letters in a heredoc.
        std::string letters;
        for (const char c : word) {
            if (c == '"') letters += '\\';
            letters += c;
        }
        WEIR_CHECK(expand(letters, true, 0, out));
        return out.empty() ? std::string() : out.front();
    }
    // An assignment is not split: as if all that is unquoted were in double quotes.
    std::string whole;
    std::size_t at = 0;
    while (at < word.size()) {
        if (word[at] == '\'') {
            const std::size_t end = std::min(word.find('\'', at + 1), word.size());
            whole += word.substr(at + 1, end - at - 1);
            at = std::min(end + 1, word.size());
            continue;
        }
        std::size_t end = at;
        bool in_double = false;
        while (end < word.size() && (in_double || word[end] != '\'')) {
            if (word[end] == '"') in_double = !in_double;
            if (word[end] == '\\')
                ++end;
            else if (word[end] == '$' || word[end] == '`') {
                const std::size_t past = end_of_expansion(word, end);
                if (past == std::string_view::npos || past <= end) break;
                end = past - 1;
            }
            ++end;
        }
        end = std::min(end, word.size());
        if (end == at) ++end;
        out.clear();
        WEIR_CHECK(expand(word.substr(at, end - at), true, 0, out));
        if (!out.empty()) whole += out.front();
        at = end;
    }
    return whole;
}

Result<std::optional<std::string>> Variables::operand(std::string_view word) {
    unset_is_empty_ = true;
    auto value = text(word);
    unset_is_empty_ = false;
    if (!value) return fail(std::move(value).error());
    if (value->find("$(") != std::string::npos || value->find('`') != std::string::npos)
        return std::optional<std::string>();
    return std::optional<std::string>(std::move(*value));
}

}  // namespace weir::plan::shell
