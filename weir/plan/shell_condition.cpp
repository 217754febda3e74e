#include "weir/plan/shell_condition.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace weir::plan::shell {

bool matches(std::string_view pattern, std::string_view text) {
    // * and ?; the last * may take more.
    std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*')
        ++p;
    return p == pattern.size();
}

Result<Truth> test(Variables& variables, const std::vector<std::string>& written) {
    // Nobody writes such conditions, and each word may nest.
    if (written.size() > 60) return Truth::unknown;
    std::vector<std::optional<std::string>> words;
    for (const std::string& word : written) {
        WEIR_TRY(auto value, variables.operand(word));
        words.push_back(std::move(value));
    }
    if (words.empty()) return Truth::no;
    if (written[0] == "!") {
        WEIR_TRY(const Truth truth,
                 test(variables, std::vector<std::string>(written.begin() + 1, written.end())));
        return !truth;
    }
    for (const std::string_view joint : {"-o", "-a"}) {
        const auto found = std::find(written.begin(), written.end(), joint);
        if (found == written.end() || found == written.begin()) continue;
        WEIR_TRY(const Truth left, test(variables, {written.begin(), found}));
        WEIR_TRY(const Truth right, test(variables, {found + 1, written.end()}));
        const Truth strong = joint == "-o" ? Truth::yes : Truth::no;
        if (left == strong || right == strong) return strong;
        return left == Truth::unknown ? left : right;
    }
    for (const auto& word : words) {
        if (!word) return Truth::unknown;
    }
    if (words.size() == 1) return words[0]->empty() ? Truth::no : Truth::yes;
    if (words.size() == 2) {
        if (*words[0] == "-z") return words[1]->empty() ? Truth::yes : Truth::no;
        if (*words[0] == "-n") return words[1]->empty() ? Truth::no : Truth::yes;
        return Truth::unknown;
    }
    if (words.size() != 3) return Truth::unknown;
    const std::string& op = *words[1];
    if (op == "=" || op == "==" || op == "!=") {
        const bool equal = matches(*words[2], *words[0]);
        return equal == (op != "!=") ? Truth::yes : Truth::no;
    }
    const auto left = variables.arithmetic(*words[0]);
    const auto right = variables.arithmetic(*words[2]);
    if (!left || !right) return Truth::unknown;
    constexpr std::array<std::string_view, 6> ops{"-eq", "-ne", "-lt", "-le", "-gt", "-ge"};
    const std::array<bool, 6> holds{*left == *right,
                                    *left != *right,
                                    *left<*right, *left <= *right, *left> * right,
                                    *left >= *right};
    for (std::size_t i = 0; i < ops.size(); ++i) {
        if (op == ops[i]) return holds[i] ? Truth::yes : Truth::no;
    }
    return Truth::unknown;
}

}  // namespace weir::plan::shell
