#include "weir/plan/shell_lexer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace weir::plan::shell {
namespace {

constexpr std::size_t tokens_max = 100'000;
constexpr int depth_max = 50;

// One past the closing quote of a string in double quotes that begins at `at`.
std::size_t end_of_quotes(std::string_view text, std::size_t at, int depth);

std::size_t end_of_parens(std::string_view text, std::size_t at, int depth) {
    // `at` is behind the opening one.
    if (depth > depth_max) return std::string_view::npos;
    for (std::size_t i = at; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\\') {
            ++i;
        } else if (c == '\'') {
            i = text.find('\'', i + 1);
            if (i == std::string_view::npos) return i;
        } else if (c == '"') {
            i = end_of_quotes(text, i, depth + 1);
            if (i == std::string_view::npos) return i;
            --i;
        } else if (c == '(') {
            i = end_of_parens(text, i + 1, depth + 1);
            if (i == std::string_view::npos) return i;
            --i;
        } else if (c == ')') {
            return i + 1;
        }
    }
    return std::string_view::npos;
}

std::size_t end_of_dollar(std::string_view text, std::size_t at, int depth) {
    if (depth > depth_max) return std::string_view::npos;
    if (text[at] == '`') {
        for (std::size_t i = at + 1; i < text.size(); ++i) {
            if (text[i] == '\\')
                ++i;
            else if (text[i] == '`')
                return i + 1;
        }
        return std::string_view::npos;
    }
    if (at + 1 >= text.size()) return at + 1;
    if (text[at + 1] == '(') return end_of_parens(text, at + 2, depth + 1);
    if (text[at + 1] != '{') return at + 1;
    for (std::size_t i = at + 2; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\\') {
            ++i;
        } else if (c == '}') {
            return i + 1;
        } else if (c == '"') {
            i = end_of_quotes(text, i, depth + 1);
            if (i == std::string_view::npos) return i;
            --i;
        } else if (c == '`' || (c == '$' && i + 1 < text.size() &&
                                (text[i + 1] == '(' || text[i + 1] == '{'))) {
            i = end_of_dollar(text, i, depth + 1);
            if (i == std::string_view::npos) return i;
            --i;
        }
    }
    return std::string_view::npos;
}

std::size_t end_of_quotes(std::string_view text, std::size_t at, int depth) {
    if (depth > depth_max) return std::string_view::npos;
    for (std::size_t i = at + 1; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\\') {
            ++i;
        } else if (c == '"') {
            return i + 1;
        } else if (c == '`' || (c == '$' && i + 1 < text.size() &&
                                (text[i + 1] == '(' || text[i + 1] == '{'))) {
            i = end_of_dollar(text, i, depth + 1);
            if (i == std::string_view::npos) return i;
            --i;
        }
    }
    return std::string_view::npos;
}

class Lexer {
public:
    Lexer(std::string_view text, std::string_view source) : text_(text), source_(source) {}

    Result<std::vector<Token>> run() {
        while (at_ < text_.size()) {
            if (tokens_.size() > tokens_max)
                return fail(Code::too_large, fmt::format("{}: too many words", source_));
            WEIR_CHECK(step());
        }
        if (!waiting_.empty()) return broken("a heredoc without its body");
        Token end;
        end.line = line_;
        tokens_.push_back(end);
        return std::move(tokens_);
    }

private:
    [[nodiscard]] tl::unexpected<Error> broken(std::string_view what) const {
        return fail(Code::invalid, fmt::format("{}:{}: {} does not end", source_, line_, what));
    }

    [[nodiscard]] char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }

    // Blanks, continued lines and comments; whether there were any.
    bool skip_blanks() {
        const std::size_t begin = at_;
        while (at_ < text_.size()) {
            if (peek() == ' ' || peek() == '\t' || peek() == '\r') {
                ++at_;
            } else if (peek() == '\\' && peek(1) == '\n') {
                at_ += 2;
                ++line_;
            } else if (peek() == '\\' && peek(1) == '\r' && peek(2) == '\n') {
                at_ += 3;
                ++line_;
            } else if (peek() == '#') {
                at_ = std::min(text_.find('\n', at_), text_.size());
            } else {
                break;
            }
        }
        return at_ != begin;
    }

    void op(std::string_view text) {
        Token token;
        token.kind = TokenKind::op;
        token.text = text;
        token.line = line_;
        tokens_.push_back(std::move(token));
        at_ += text.size();
    }

    Result<void> step() {
        skip_blanks();
        if (at_ >= text_.size()) return {};
        if (peek() == '\n') {
            op("\n");
            ++line_;
            return take_heredocs();
        }
        constexpr std::string_view ops[] = {"&>>",
                                            "<<-",
                                            "<<<",
                                            "&&",
                                            "||",
                                            ";;",
                                            "|&",
                                            "&>",
                                            ">>",
                                            ">&",
                                            "<<",
                                            "<&",
                                            ";",
                                            "&",
                                            "|",
                                            "(",
                                            ")",
                                            "<",
                                            ">"};
        for (const std::string_view one : ops) {
            if (text_.substr(at_, one.size()) != one) continue;
            op(one);
            if (one == "<<" || one == "<<-") {
                WEIR_CHECK(heredoc_word(one == "<<-"));
            }
            return {};
        }
        return word();
    }

    // The delimiter; its body follows the line.
    Result<void> heredoc_word(bool strip_tabs) {
        while (peek() == ' ' || peek() == '\t')
            ++at_;
        Heredoc waiting{tokens_.size() - 1, {}, strip_tabs};
        bool literal = false;
        while (at_ < text_.size() &&
               std::string_view(" \t\r\n;&|<>()").find(peek()) == std::string_view::npos) {
            if (peek() == '\'' || peek() == '"' || peek() == '\\')
                literal = true;
            else
                waiting.delimiter += peek();
            ++at_;
        }
        tokens_.back().heredoc_literal = literal;
        if (waiting.delimiter.empty()) return broken("a heredoc");
        waiting_.push_back(std::move(waiting));
        return {};
    }

    Result<void> take_heredocs() {
        for (const Heredoc& heredoc : waiting_) {
            std::string body;
            bool closed = false;
            while (at_ < text_.size() && !closed) {
                const std::size_t end = std::min(text_.find('\n', at_), text_.size());
                std::string_view line = text_.substr(at_, end - at_);
                at_ = std::min(end + 1, text_.size());
                ++line_;
                if (heredoc.strip_tabs)
                    line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
                if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
                closed = line == heredoc.delimiter;
                if (!closed) body += std::string(line) + '\n';
            }
            if (!closed) return broken(fmt::format("the heredoc {}", heredoc.delimiter));
            tokens_[heredoc.token].heredoc = std::move(body);
        }
        waiting_.clear();
        return {};
    }

    // As written, to the next blank or operator.
    Result<std::string> raw_word() {
        const std::size_t begin = at_;
        while (at_ < text_.size()) {
            const char c = peek();
            if (std::string_view(" \t\r\n;&|<>()").find(c) != std::string_view::npos) break;
            if (c == '\\') {
                if (peek(1) == '\n') break;
                at_ = std::min(at_ + 2, text_.size());
                continue;
            }
            std::size_t end = at_ + 1;
            if (c == '\'') {
                end = text_.find('\'', at_ + 1);
                if (end != std::string_view::npos) ++end;
            } else if (c == '"') {
                end = end_of_quotes(text_, at_, 0);
            } else if (c == '`' || c == '$') {
                end = end_of_dollar(text_, at_, 0);
            }
            if (end == std::string_view::npos) {
                return broken(c == '"' || c == '\'' ? "a quoted text" : "an expansion");
            }
            line_ += static_cast<std::uint32_t>(
                std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                           text_.begin() + static_cast<std::ptrdiff_t>(end),
                           '\n'));
            at_ = end;
        }
        return std::string(text_.substr(begin, at_ - begin));
    }

    Result<void> word() {
        Token token;
        token.kind = TokenKind::word;
        token.line = line_;
        WEIR_TRY(token.text, raw_word());
        // NAME=( or NAME+=( begins an array.
        std::string_view name = token.text;
        if (peek() == '(' && name.size() > 1 && name.back() == '=') {
            name.remove_suffix(1);
            if (name.back() == '+') {
                name.remove_suffix(1);
                token.append = true;
            }
            if (!name.empty() && is_name_start(name[0]) &&
                std::all_of(name.begin(), name.end(), is_name)) {
                const std::string text(name);
                return array(std::move(token), text);
            }
        }
        if (token.text.empty()) {
            // A backslash before the end of the text.
            ++at_;
            return {};
        }
        tokens_.push_back(std::move(token));
        return {};
    }

    Result<void> array(Token token, const std::string& name) {
        token.kind = TokenKind::array;
        token.text = name;
        ++at_;
        for (;;) {
            skip_blanks();
            if (at_ >= text_.size()) return broken(fmt::format("the array {}", name));
            if (peek() == ')') {
                ++at_;
                break;
            }
            if (peek() == '\n') {
                ++at_;
                ++line_;
                continue;
            }
            if (std::string_view(";&|<>(").find(peek()) != std::string_view::npos) {
                return fail(Code::invalid,
                            fmt::format("{}:{}: {} in the array {}; write it in quotes",
                                        source_,
                                        line_,
                                        peek(),
                                        name));
            }
            WEIR_TRY(std::string one, raw_word());
            if (one.empty())
                ++at_;
            else
                token.words.push_back(std::move(one));
            if (token.words.size() > tokens_max)
                return fail(Code::too_large, fmt::format("{}: too many words", source_));
        }
        tokens_.push_back(std::move(token));
        return {};
    }

    struct Heredoc {
        std::size_t token;
        std::string delimiter;
        bool strip_tabs;
    };

    std::string_view text_;
    std::string_view source_;
    std::size_t at_ = 0;
    std::uint32_t line_ = 1;
    std::vector<Token> tokens_;
    std::vector<Heredoc> waiting_;
};

}  // namespace

bool is_name_start(char c) {
    return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_';
}
bool is_name(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::size_t end_of_expansion(std::string_view text, std::size_t at) {
    return end_of_dollar(text, at, 0);
}

Result<std::vector<Token>> tokens_of(std::string_view text, std::string_view source) {
    return Lexer(text, source).run();
}

}  // namespace weir::plan::shell
