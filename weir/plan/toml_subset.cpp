#include "weir/plan/toml_subset.hpp"

#include <fmt/format.h>

#include <cctype>
#include <set>

namespace weir::plan {
namespace {

constexpr std::size_t text_max = std::size_t{1} << 20;
constexpr std::size_t entries_max = 20'000;

bool is_bare(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}

class Reader {
public:
    Reader(std::string_view text, std::string_view source) : text_(text), source_(source) {}

    Result<std::vector<TomlEntry>> run() {
        std::string table;
        std::set<std::string, std::less<>> tables;
        for (;;) {
            blanks(true);
            if (at_ >= text_.size()) return std::move(entries_);
            if (entries_.size() > entries_max)
                return fail(Code::too_large, fmt::format("{}: too many keys", source_));
            if (take('[')) {
                if (peek() == '[') return refuse("arrays of tables are not read here");
                WEIR_TRY(table, key());
                if (!take(']')) return refuse("a table's name ends with ]");
                if (!tables.insert(table).second)
                    return refuse(fmt::format("the table [{}] is there twice", table));
                WEIR_CHECK(end_of_line());
                continue;
            }
            TomlEntry entry;
            entry.line = line_;
            WEIR_TRY(const std::string name, key());
            entry.key = table.empty() ? name : table + "." + name;
            if (!take('=')) return refuse(fmt::format("{} needs = and a value", name));
            blanks(false);
            WEIR_CHECK(value(entry));
            WEIR_CHECK(end_of_line());
            if (!keys_.insert(entry.key).second)
                return refuse(fmt::format("{} is there twice", entry.key));
            entries_.push_back(std::move(entry));
        }
    }

private:
    [[nodiscard]] tl::unexpected<Error> refuse(std::string_view why) const {
        return fail(Code::invalid, fmt::format("{}:{}: {}", source_, line_, why));
    }
    [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    bool take(char c) {
        blanks(false);
        if (peek() != c || at_ >= text_.size()) return false;
        ++at_;
        return true;
    }
    void blanks(bool lines) {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == ' ' || c == '\t' || c == '\r') {
                ++at_;
            } else if (lines && c == '\n') {
                ++at_;
                ++line_;
            } else if (lines && c == '#') {
                while (at_ < text_.size() && text_[at_] != '\n')
                    ++at_;
            } else {
                return;
            }
        }
    }
    Result<void> end_of_line() {
        blanks(false);
        if (peek() == '#') {
            while (at_ < text_.size() && text_[at_] != '\n')
                ++at_;
        }
        if (at_ < text_.size() && text_[at_] != '\n') return refuse("more stands behind the value");
        return {};
    }

    // bare.words or "quoted"
    Result<std::string> key() {
        std::string whole;
        for (;;) {
            blanks(false);
            std::string part;
            if (peek() == '"' || peek() == '\'') {
                WEIR_TRY(part, string());
            } else {
                while (is_bare(peek()))
                    part += text_[at_++];
            }
            if (part.empty()) return refuse("a key is missing");
            whole += (whole.empty() ? "" : ".") + part;
            if (!take('.')) return whole;
        }
    }

    Result<std::string> string() {
        const char quote = text_[at_++];
        if (peek() == quote && at_ + 1 < text_.size() && text_[at_ + 1] == quote)
            return refuse("strings of several lines are not read here");
        std::string out;
        while (at_ < text_.size() && text_[at_] != quote) {
            char c = text_[at_++];
            if (c == '\n') return refuse("a string does not end");
            if (c == '\\' && quote == '"') {
                const char escaped = peek();
                ++at_;
                switch (escaped) {
                    case 'n':
                        c = '\n';
                        break;
                    case 't':
                        c = '\t';
                        break;
                    case '"':
                    case '\\':
                        c = escaped;
                        break;
                    default:
                        return refuse("an escape in a string is not known here");
                }
            }
            out += c;
        }
        if (at_ >= text_.size()) return refuse("a string does not end");
        ++at_;
        return out;
    }

    Result<void> value(TomlEntry& entry) {
        if (take('[')) {
            entry.kind = TomlKind::list;
            return list(entry.items, 0);
        }
        return scalar(entry.kind, entry.text);
    }

    Result<void> list(std::vector<std::string>& items, int depth) {
        if (depth > 8) return refuse("a list is nested too deep");
        for (;;) {
            blanks(true);
            if (take(']')) return {};
            if (take('[')) {
                WEIR_CHECK(list(items, depth + 1));
            } else {
                TomlKind kind{};
                std::string text;
                WEIR_CHECK(scalar(kind, text));
                items.push_back(std::move(text));
                if (items.size() > entries_max)
                    return fail(Code::too_large, fmt::format("{}: a list is too long", source_));
            }
            blanks(true);
            if (take(',')) continue;
            if (take(']')) return {};
            return refuse("a list needs , or ]");
        }
    }

    Result<void> scalar(TomlKind& kind, std::string& text) {
        if (peek() == '"' || peek() == '\'') {
            kind = TomlKind::text;
            WEIR_TRY(text, string());
            return {};
        }
        if (peek() == '{') return refuse("inline tables are not read here");
        while (at_ < text_.size() &&
               (is_bare(peek()) || peek() == '.' || peek() == '+' || peek() == ':'))
            text += text_[at_++];
        if (text == "true" || text == "false") {
            kind = TomlKind::boolean;
            return {};
        }
        kind = TomlKind::number;
        // Digits with a sign, a point, an exponent; underscores between them.
        std::string number;
        bool digits = false;
        for (const char c : text) {
            if (c == '_') continue;
            digits = digits || std::isdigit(static_cast<unsigned char>(c)) != 0;
            if (std::string_view("0123456789+-.eE").find(c) == std::string_view::npos)
                return refuse(fmt::format("{} is no value that is read here", text));
            number += c;
        }
        if (!digits) return refuse("a value is missing");
        text = number;
        return {};
    }

    std::string_view text_;
    std::string_view source_;
    std::size_t at_ = 0;
    std::uint32_t line_ = 1;
    std::vector<TomlEntry> entries_;
    std::set<std::string, std::less<>> keys_;
};

}  // namespace

Result<std::vector<TomlEntry>> parse_toml_subset(std::string_view text, std::string_view source) {
    if (text.size() > text_max)
        return fail(Code::too_large,
                    fmt::format("{}: {} bytes, at most {}", source, text.size(), text_max));
    return Reader(text, source).run();
}

}  // namespace weir::plan
