#include "weir/plan/shell_script.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "weir/plan/shell_condition.hpp"
#include "weir/plan/shell_lexer.hpp"
#include "weir/plan/shell_variables.hpp"

namespace weir::plan {
namespace {

using shell::Token;
using shell::TokenKind;
using shell::Truth;
using shell::Variables;

constexpr int depth_max = 40;
constexpr std::size_t text_max = std::size_t{1} << 20;

template <std::size_t N>
bool among(std::string_view word, const std::array<std::string_view, N>& words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

class Follower {
public:
    Follower(std::string_view source, ShellScript& out, Variables& variables, int depth)
        : source_(source), out_(out), variables_(variables), depth_(depth) {}

    Result<void> follow(std::string_view text) {
        WEIR_TRY(tokens_, shell::tokens_of(text, source_));
        const Result<void> done = list({}, true, 0);
        if (!done) return fail(done.error());
        if (!stopped_ && now().kind != TokenKind::end)
            return broken(fmt::format("{} has no beginning", shown(now())));
        return {};
    }
    [[nodiscard]] bool stopped() const { return stopped_; }

private:
    [[nodiscard]] const Token& now() const { return tokens_[at_]; }
    [[nodiscard]] bool is_op(std::string_view op) const {
        return now().kind == TokenKind::op && now().text == op;
    }
    [[nodiscard]] bool is_word(std::string_view word) const {
        return now().kind == TokenKind::word && now().text == word;
    }
    void next() {
        if (now().kind != TokenKind::end) ++at_;
    }
    static std::string shown(const Token& token) {
        return token.text == "\n" ? "the end of the line" : token.text;
    }
    [[nodiscard]] tl::unexpected<Error> broken(std::string_view what) const {
        return fail(Code::invalid, fmt::format("{}:{}: {}", source_, now().line, what));
    }
    Result<void> expect(std::string_view word) {
        if (is_word(word) || is_op(word)) {
            next();
            return {};
        }
        return broken(fmt::format("{} is missing before {}",
                                  word,
                                  now().kind == TokenKind::end ? "the end" : shown(now())));
    }
    void skip_lines() {
        while (is_op("\n") || is_op(";"))
            next();
    }

    // Commands up to one of these words, which stays.
    Result<void> list(const std::vector<std::string_view>& ends, bool run, int nesting) {
        if (nesting > depth_max) return broken("is nested too deep");
        for (;;) {
            while (is_op("\n") || is_op(";") || is_op("&"))
                next();
            if (now().kind == TokenKind::end || (stopped_ && run)) return {};
            for (const std::string_view end : ends) {
                if (is_word(end) || is_op(end)) return {};
            }
            if (is_op(")") || is_op(";;")) return {};
            const std::size_t before = at_;
            WEIR_TRY(const Truth truth, and_or(run, nesting));
            static_cast<void>(truth);
            if (at_ == before && !(stopped_ && run))
                return broken(fmt::format("{} begins no command", shown(now())));
        }
    }

    Result<Truth> and_or(bool run, int nesting) {
        WEIR_TRY(Truth truth, pipeline(run, nesting));
        while (is_op("&&") || is_op("||")) {
            const bool wants = is_op("&&");
            next();
            skip_lines();
            const bool go = run && truth == (wants ? Truth::yes : Truth::no);
            WEIR_TRY(const Truth right, pipeline(go, nesting));
            if (go) truth = right;
        }
        return truth;
    }

    Result<Truth> pipeline(bool run, int nesting) {
        bool inverted = false;
        while (is_word("!")) {
            inverted = !inverted;
            next();
        }
        WEIR_TRY(Truth truth, command(run, nesting));
        while (is_op("|") || is_op("|&")) {
            next();
            skip_lines();
            WEIR_TRY(const Truth last, command(run, nesting));
            static_cast<void>(last);
        }
        return inverted ? !truth : truth;
    }

    Result<Truth> command(bool run, int nesting) {
        if (nesting > depth_max) return broken("is nested too deep");
        if (is_word("if")) return if_command(run, nesting + 1);
        if (is_word("case")) return case_command(run, nesting + 1);
        if (is_word("for") || is_word("while") || is_word("until") || is_word("select"))
            return loop(run, nesting + 1);
        if (is_word("[[")) return double_bracket(run);
        if (is_word("function")) {
            next();
            return function(run, nesting + 1);
        }
        if (is_word("{") || is_op("(")) {
            const bool braces = is_word("{");
            if (!braces && at_ + 1 < tokens_.size() && tokens_[at_ + 1].kind == TokenKind::op &&
                tokens_[at_ + 1].text == "(")
                return double_parens(run);
            next();
            WEIR_CHECK(list({braces ? "}" : ")"}, run, nesting + 1));
            if (stopped_ && run) return Truth::yes;
            WEIR_CHECK(expect(braces ? "}" : ")"));
            WEIR_CHECK(redirections(run, {}));
            return Truth::yes;
        }
        return simple(run, nesting);
    }

    Result<Truth> if_command(bool run, int nesting) {
        const std::uint32_t line = now().line;
        next();
        bool taken = false;
        for (;;) {
            WEIR_TRY(const Truth truth, condition(run && !taken, nesting));
            WEIR_CHECK(expect("then"));
            const bool go = run && !taken && truth == Truth::yes;
            if (run && !taken && truth == Truth::unknown) {
                out_.assumed.push_back(fmt::format(
                    "line {}: the condition depends on the machine and was taken as false", line));
            }
            WEIR_CHECK(list({"elif", "else", "fi"}, go, nesting));
            if (stopped_ && go) return Truth::yes;
            taken = taken || go;
            if (is_word("elif")) {
                next();
                continue;
            }
            if (is_word("else")) {
                next();
                const bool rest = run && !taken;
                WEIR_CHECK(list({"fi"}, rest, nesting));
                if (stopped_ && rest) return Truth::yes;
            }
            WEIR_CHECK(expect("fi"));
            WEIR_CHECK(redirections(run, {}));
            return Truth::yes;
        }
    }

    // The commands between if and then; the last one's truth.
    Result<Truth> condition(bool run, int nesting) {
        Truth truth = Truth::unknown;
        for (;;) {
            skip_lines();
            if (is_word("then") || now().kind == TokenKind::end) return truth;
            const std::size_t before = at_;
            WEIR_TRY(truth, and_or(run, nesting));
            if (at_ == before) return broken(fmt::format("{} begins no command", shown(now())));
        }
    }

    Result<Truth> case_command(bool run, int nesting) {
        next();
        if (now().kind != TokenKind::word) return broken("case has no word");
        WEIR_TRY(const auto subject, variables_.operand(now().text));
        next();
        skip_lines();
        WEIR_CHECK(expect("in"));
        bool taken = false;
        for (;;) {
            skip_lines();
            if (is_op("(")) next();
            if (is_word("esac")) break;
            bool matched = false;
            while (now().kind == TokenKind::word) {
                WEIR_TRY(const std::string pattern, variables_.text(now().text));
                matched = matched || (subject && shell::matches(pattern, *subject));
                next();
                if (!is_op("|")) break;
                next();
            }
            WEIR_CHECK(expect(")"));
            const bool go = run && !taken && matched;
            WEIR_CHECK(list({"esac"}, go, nesting));
            if (stopped_ && go) return Truth::yes;
            taken = taken || matched;
            if (is_op(";;"))
                next();
            else if (!is_word("esac"))
                return broken("a case has no end (;;)");
        }
        WEIR_CHECK(expect("esac"));
        return Truth::yes;
    }

    Result<Truth> loop(bool run, int nesting) {
        const std::string kind = now().text;
        const std::uint32_t line = now().line;
        next();
        while (!is_word("do")) {
            if (now().kind == TokenKind::end) return broken(fmt::format("{} has no do", kind));
            next();
        }
        next();
        WEIR_CHECK(list({"done"}, false, nesting));
        WEIR_CHECK(expect("done"));
        if (run)
            out_.skipped.push_back(fmt::format("line {}: a loop ({}) was not entered", line, kind));
        WEIR_CHECK(redirections(run, {}));
        return Truth::yes;
    }

    Result<Truth> function(bool run, int nesting) {
        const std::string name = now().text;
        const std::uint32_t line = now().line;
        next();
        if (is_op("(")) next();
        if (is_op(")")) next();
        skip_lines();
        WEIR_TRY(const Truth body, command(false, nesting));
        static_cast<void>(body);
        if (run)
            out_.skipped.push_back(
                fmt::format("line {}: the function {} was not entered", line, name));
        return Truth::yes;
    }

    // (( … ))
    Result<Truth> double_parens(bool run) {
        int open = 0;
        do {
            if (is_op("(")) ++open;
            if (is_op(")")) --open;
            if (now().kind == TokenKind::end) return broken("(( does not end");
            next();
        } while (open > 0);
        static_cast<void>(run);
        return Truth::unknown;
    }

    // [[ … ]]
    Result<Truth> double_bracket(bool run) {
        next();
        WEIR_TRY(const Truth truth, any_of(run, 0));
        WEIR_CHECK(expect("]]"));
        return truth;
    }
    Result<Truth> any_of(bool run, int nesting) {
        if (nesting > depth_max) return broken("is nested too deep");
        WEIR_TRY(Truth truth, all_of(run, nesting));
        while (is_op("||")) {
            next();
            skip_lines();
            WEIR_TRY(const Truth right, all_of(run, nesting));
            if (truth == Truth::yes || right == Truth::yes)
                truth = Truth::yes;
            else if (right == Truth::unknown)
                truth = right;
        }
        return truth;
    }
    Result<Truth> all_of(bool run, int nesting) {
        WEIR_TRY(Truth truth, primary(run, nesting));
        while (is_op("&&")) {
            next();
            skip_lines();
            WEIR_TRY(const Truth right, primary(run, nesting));
            if (truth == Truth::no || right == Truth::no)
                truth = Truth::no;
            else if (right == Truth::unknown)
                truth = right;
        }
        return truth;
    }
    Result<Truth> primary(bool run, int nesting) {
        if (is_word("!")) {
            next();
            if (nesting > depth_max) return broken("is nested too deep");
            WEIR_TRY(const Truth truth, primary(run, nesting + 1));
            return !truth;
        }
        if (is_op("(")) {
            next();
            WEIR_TRY(const Truth truth, any_of(run, nesting + 1));
            WEIR_CHECK(expect(")"));
            return truth;
        }
        std::vector<std::string> words;
        bool regular = false;
        int open = 0;
        while (now().kind != TokenKind::end && !is_word("]]")) {
            if (!regular && (is_op("&&") || is_op("||") || is_op(")"))) break;
            if (is_op("(")) ++open;
            if (is_op(")") && --open < 0) break;
            if ((is_op("&&") || is_op("||")) && open == 0) break;
            if (is_op("\n")) {
                if (words.empty()) return broken("[[ does not end");
                break;
            }
            if (is_word("=~")) regular = true;
            words.push_back(now().text);
            next();
        }
        if (!run || regular) return Truth::unknown;
        return shell::test(variables_, words);
    }

    struct Redirected {
        std::string file;                 // that output goes to
        std::optional<std::string> body;  // of a heredoc, expanded
    };

    // Those that follow a command, or the one here inside it.
    Result<void> redirections(bool run, Redirected into) {
        while (now().kind == TokenKind::op && is_redirection(now().text))
            WEIR_CHECK(redirection(run, into));
        return {};
    }
    static bool is_redirection(std::string_view op) {
        return op.find_first_of("<>") != std::string_view::npos;
    }
    Result<void> redirection(bool run, Redirected& into) {
        const Token& token = now();
        const std::string op = token.text;
        if (op == "<<" || op == "<<-") {
            if (run) {
                if (token.heredoc_literal) {
                    into.body = token.heredoc;
                } else {
                    WEIR_TRY(into.body, variables_.text(token.heredoc, true));
                }
            }
            next();
            return {};
        }
        next();
        if (now().kind != TokenKind::word) return broken(fmt::format("{} has no file", op));
        if (run && (op == ">" || op == ">>")) {
            WEIR_TRY(into.file, variables_.text(now().text));
        }
        next();
        return {};
    }

    // NAME= or NAME+= at the beginning of a word: the length of the name, 0 = it is none.
    static std::size_t assigned(std::string_view word) {
        std::size_t end = 0;
        if (word.empty() || !shell::is_name_start(word[0])) return 0;
        while (end < word.size() && shell::is_name(word[end]))
            ++end;
        const bool plain = end < word.size() && word[end] == '=';
        const bool added = word.substr(end, 2) == "+=";
        return plain || added ? end : 0;
    }

    Result<void> assign(std::string_view word) {
        const std::size_t name = assigned(word);
        const bool append = word[name] == '+';
        WEIR_TRY(std::string value, variables_.text(word.substr(name + (append ? 2 : 1))));
        return variables_.set(word.substr(0, name), std::move(value), append);
    }

    Result<void> assign_array(const Token& token) {
        std::vector<std::string> items;
        for (const std::string& word : token.words) {
            WEIR_TRY(const auto fields, variables_.fields(word));
            items.insert(items.end(), fields.begin(), fields.end());
        }
        return variables_.set_array(token.text, std::move(items), token.append);
    }

    Result<Truth> simple(bool run, int nesting) {
        std::vector<std::string> written;
        std::vector<std::size_t> assignments;  // tokens
        Redirected into;
        const std::uint32_t line = now().line;
        for (;;) {
            const Token& token = now();
            if (token.kind == TokenKind::op && is_redirection(token.text)) {
                // 2> and the like.
                if (!written.empty() && written.back().size() == 1 &&
                    std::string_view("012").find(written.back()[0]) != std::string_view::npos)
                    written.pop_back();
                WEIR_CHECK(redirection(run, into));
                continue;
            }
            if (token.kind == TokenKind::array) {
                assignments.push_back(at_);
            } else if (token.kind == TokenKind::word) {
                if (written.empty() && assigned(token.text) > 0)
                    assignments.push_back(at_);
                else
                    written.push_back(token.text);
            } else if (is_op("(") && written.size() == 1 && assignments.empty()) {
                --at_;
                return function(run, nesting + 1);
            } else {
                break;
            }
            next();
        }
        if (!run) return Truth::unknown;
        const bool declares =
            !written.empty() &&
            among<5>(written[0], {"export", "local", "declare", "readonly", "typeset"});
        if (written.empty() || declares) {
            for (const std::size_t token : assignments) {
                if (tokens_[token].kind == TokenKind::array)
                    WEIR_CHECK(assign_array(tokens_[token]));
                else
                    WEIR_CHECK(assign(tokens_[token].text));
            }
            for (const std::string& word : written) {
                if (assigned(word) > 0) WEIR_CHECK(assign(word));
            }
            return Truth::yes;
        }
        return start(written, into, line);
    }

    Result<Truth> start(const std::vector<std::string>& written,
                        const Redirected& into,
                        std::uint32_t line) {
        if (written[0] == "[" || written[0] == "test") {
            std::vector<std::string> words(written.begin() + 1, written.end());
            if (written[0] == "[" && !words.empty() && words.back() == "]") words.pop_back();
            return shell::test(variables_, words);
        }
        std::vector<std::string> words;
        for (const std::string& word : written) {
            WEIR_TRY(const auto fields, variables_.fields(word));
            words.insert(words.end(), fields.begin(), fields.end());
        }
        if (words.empty() || words[0] == "true" || words[0] == ":") return Truth::yes;
        if (words[0] == "false") return Truth::no;
        if (words[0] == "exit") {
            stopped_ = true;
            return Truth::yes;
        }
        if (words[0] == "eval" || words[0] == "exec") {
            std::string text;
            for (std::size_t i = 1; i < words.size(); ++i)
                text += (i > 1 ? " " : "") + words[i];
            if (words[0] == "eval") return inside(text);
            words.erase(words.begin());
            if (words.empty()) return Truth::yes;
        }
        if (words[0] == "source" || words[0] == ".") {
            out_.skipped.push_back(fmt::format(
                "line {}: {} was not read", line, words.size() > 1 ? words[1] : "a file"));
            return Truth::yes;
        }
        if (words[0] == "cat" && into.body && !into.file.empty()) {
            out_.files.push_back({into.file, *into.body});
            return Truth::yes;
        }
        // srun … bash -c '…'
        for (std::size_t i = 0; i + 2 < words.size(); ++i) {
            const std::string_view word = words[i];
            const std::string_view base = word.substr(word.rfind('/') + 1);
            if ((base == "bash" || base == "sh") &&
                (words[i + 1] == "-c" || words[i + 1] == "-lc")) {
                out_.commands.emplace_back(words.begin(),
                                           words.begin() + static_cast<std::ptrdiff_t>(i));
                if (i == 0) out_.commands.pop_back();
                return inside(words[i + 2]);
            }
        }
        const bool asks = among<5>(words[0], {"command", "which", "type", "grep", "hash"});
        out_.commands.push_back(std::move(words));
        if (out_.commands.size() > 10'000)
            return fail(Code::too_large, fmt::format("{}: too many commands", source_));
        return asks ? Truth::unknown : Truth::yes;
    }

    // A text that is a script of its own.
    Result<Truth> inside(std::string_view text) {
        if (depth_ >= 6) return broken("scripts in scripts are nested too deep");
        Follower follower(source_, out_, variables_, depth_ + 1);
        WEIR_CHECK(follower.follow(text));
        stopped_ = follower.stopped();
        return Truth::yes;
    }

    std::string_view source_;
    ShellScript& out_;
    Variables& variables_;
    int depth_;
    std::vector<Token> tokens_;
    std::size_t at_ = 0;
    bool stopped_ = false;
};

// #SBATCH --nodes=4: what Slurm will set.
Result<void> take_directives(std::string_view text, Variables& variables) {
    struct Directive {
        std::string_view option;
        std::array<std::string_view, 3> variables;
    };
    constexpr std::array<Directive, 6> directives{{
        {"--nodes", {"SLURM_NNODES", "SLURM_JOB_NUM_NODES", ""}},
        {"-N", {"SLURM_NNODES", "SLURM_JOB_NUM_NODES", ""}},
        {"--ntasks-per-node", {"SLURM_NTASKS_PER_NODE", "", ""}},
        {"--gpus-per-node", {"SLURM_GPUS_PER_NODE", "SLURM_GPUS_ON_NODE", ""}},
        {"--gres", {"SLURM_GPUS_ON_NODE", "", ""}},
        {"--ntasks", {"SLURM_NTASKS", "", ""}},
    }};
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string_view line = text.substr(at, end - at);
        at = end + 1;
        if (line.substr(0, 8) != "#SBATCH ") continue;
        line.remove_prefix(8);
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
        const std::size_t name_end = std::min(line.find_first_of("= \t"), line.size());
        const std::string_view name = line.substr(0, name_end);
        std::string_view value = line.substr(std::min(name_end + 1, line.size()));
        value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
        value = value.substr(0, value.find_first_of(" \t\r#"));
        // gpu:8, gpu:a100:8
        if (name == "--gres" || name == "--gpus-per-node")
            value = value.substr(value.rfind(':') + 1);
        if (value.empty() || value.find_first_not_of("0123456789") != std::string_view::npos)
            continue;
        for (const Directive& directive : directives) {
            if (directive.option != name) continue;
            for (const std::string_view variable : directive.variables) {
                if (!variable.empty())
                    WEIR_CHECK(variables.set(variable, std::string(value), false));
            }
        }
    }
    return {};
}

}  // namespace

Result<ShellScript> follow_shell(std::string_view text, std::string_view source) {
    if (text.size() > text_max) {
        return fail(
            Code::too_large,
            fmt::format(
                "{}: {} bytes; a launch script has at most {}", source, text.size(), text_max));
    }
    if (text.find('\0') != std::string_view::npos)
        return fail(Code::invalid, fmt::format("{}: is no text (a NUL byte)", source));
    ShellScript script;
    Variables variables(source);
    WEIR_CHECK(take_directives(text, variables));
    Follower follower(source, script, variables, 0);
    WEIR_CHECK(follower.follow(text));
    return script;
}

std::string_view unknown_part(std::string_view word) {
    const std::size_t at = word.find_first_of("$`");
    if (at == std::string_view::npos) return {};
    const std::size_t end = shell::end_of_expansion(word, at);
    if (end != std::string_view::npos && end > at + 1) return word.substr(at, end - at);
    std::size_t stop = at + 1;
    while (stop < word.size() && shell::is_name(word[stop]))
        ++stop;
    return word.substr(at, stop - at);
}

}  // namespace weir::plan
