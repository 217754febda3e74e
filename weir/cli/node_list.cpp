#include "weir/cli/node_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string_view>

namespace weir::cli {
namespace {

constexpr std::size_t names_max = 100'000;

// Parts between the commas outside of brackets; nothing where a bracket has no other.
std::optional<std::vector<std::string_view>> parts_of(std::string_view text) {
    std::vector<std::string_view> parts;
    std::size_t begin = 0;
    bool inside = false;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        if (i == text.size() || (text[i] == ',' && !inside)) {
            parts.push_back(text.substr(begin, i - begin));
            begin = i + 1;
        } else if (text[i] == '[' || text[i] == ']') {
            if (inside == (text[i] == '[')) return std::nullopt;
            inside = !inside;
        }
    }
    if (inside) return std::nullopt;
    return parts;
}

std::optional<std::uint32_t> number_in(std::string_view digits) {
    std::uint32_t number = 0;
    const char* const end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, number);
    if (digits.size() > 9 || read.ec != std::errc{} || read.ptr != end) return std::nullopt;
    return number;
}

// "08-10,12": the numbers as they are written; nothing where that is no range, or endless.
std::optional<std::vector<std::string>> numbers_of(std::string_view ranges) {
    std::vector<std::string> numbers;
    const auto parts = parts_of(ranges);
    for (const std::string_view range : parts.value_or(std::vector<std::string_view>{""})) {
        const auto dash = range.find('-');
        const std::string_view from = range.substr(0, dash);
        const auto first = number_in(from);
        const auto last =
            dash == std::string_view::npos ? first : number_in(range.substr(dash + 1));
        if (!first || !last || *first > *last) return std::nullopt;
        if (*last - *first >= names_max - numbers.size()) return std::nullopt;
        for (std::uint32_t number = *first; number <= *last; ++number)
            numbers.push_back(fmt::format("{:0{}}", number, from.size()));
    }
    return numbers;
}

// Brackets from the left to the right, the last one counting fastest.
std::optional<std::vector<std::string>> names_of(std::string_view part) {
    if (part.empty()) return std::nullopt;
    std::vector<std::string> names{""};
    while (!part.empty()) {
        const auto open = part.find('[');
        const std::string_view before = part.substr(0, open);
        std::vector<std::string> numbers{""};
        part = part.substr(before.size());
        if (!part.empty()) {
            const auto close = part.find(']');
            auto found = numbers_of(part.substr(1, close - 1));
            if (!found || found->size() > names_max / names.size()) return std::nullopt;
            numbers = std::move(*found);
            part = part.substr(close + 1);
        }
        std::vector<std::string> longer;
        for (const std::string& name : names)
            for (const std::string& number : numbers)
                longer.push_back(name + std::string(before) + number);
        names = std::move(longer);
    }
    return names;
}

}  // namespace

Result<std::vector<std::string>> names_of_nodes(const std::vector<std::string>& words) {
    std::vector<std::string> all;
    std::set<std::string> seen;
    for (const std::string& word : words) {
        const auto parts = parts_of(word);
        for (const std::string_view part : parts.value_or(std::vector<std::string_view>{""})) {
            auto names = names_of(part);
            if (!names) {
                return fail(Code::invalid,
                            fmt::format("'{}' is no list of nodes; write names with commas between "
                                        "and numbers in brackets, such as a,n[1-4,7] (at most {})",
                                        word,
                                        names_max));
            }
            for (std::string& name : *names)
                if (seen.insert(name).second) all.push_back(std::move(name));
        }
    }
    return all;
}

}  // namespace weir::cli
