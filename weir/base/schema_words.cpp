// Words: what may be a name, and which key was meant (edit distance over a handful of words).
#include <algorithm>
#include <numeric>

#include "weir/base/schema.hpp"

namespace weir::schema {

std::optional<std::string> test_name(std::string_view word) {
    if (word.empty() || word.size() > 128) return "must have 1 to 128 bytes";
    if (word == "." || word == "..") return "must not be '.' or '..'";
    if (word.front() == ' ' || word.back() == ' ') return "must not begin or end with a space";
    for (const char c : word) {
        const auto byte = static_cast<std::uint8_t>(c);
        if (byte < 0x20 || byte == 0x7F ||
            std::string_view("/,'\"`\\").find(c) != std::string_view::npos) {
            return "must not contain control characters, '/', ',', '\\' or quotes";
        }
    }
    return std::nullopt;
}

std::optional<std::string_view> nearest(std::string_view word,
                                        const std::vector<std::string_view>& known) {
    // Optimal string alignment: insertions, deletions, replacements, swaps of neighbours. Only
    // short words can be near a key.
    if (word.empty() || word.size() > 40) return std::nullopt;
    std::optional<std::string_view> best;
    std::size_t best_distance = 0;
    for (const std::string_view other : known) {
        const std::size_t columns = other.size() + 1;
        std::vector<std::size_t> before(columns);
        std::vector<std::size_t> last(columns);
        std::vector<std::size_t> row(columns);
        std::iota(last.begin(), last.end(), std::size_t{0});
        for (std::size_t i = 1; i <= word.size(); ++i) {
            row[0] = i;
            for (std::size_t j = 1; j < columns; ++j) {
                const std::size_t change = word[i - 1] == other[j - 1] ? 0 : 1;
                row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + change});
                if (i > 1 && j > 1 && word[i - 1] == other[j - 2] && word[i - 2] == other[j - 1]) {
                    row[j] = std::min(row[j], before[j - 2] + 1);
                }
            }
            before = last;
            last = row;
        }
        const std::size_t distance = last[columns - 1];
        // Of equally near ones a word of the same length: a letter is mistaken more often than
        // lost.
        const bool likelier = best && distance == best_distance && other.size() == word.size() &&
                              best->size() != word.size();
        if (!best || distance < best_distance || likelier) {
            best = other;
            best_distance = distance;
        }
    }
    // A third of the letters, at least one: "replicsa" is near, "colour" is not near "cost".
    if (!best || best_distance > std::max<std::size_t>(1, word.size() / 3)) return std::nullopt;
    return best;
}

}  // namespace weir::schema
