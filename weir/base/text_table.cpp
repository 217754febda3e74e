#include "weir/base/text_table.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

#include "weir/base/assert.hpp"

namespace weir {
namespace {

struct CodeRange {
    std::uint32_t first;
    std::uint32_t last;
};

// East Asian Wide and Fullwidth of Unicode 15 (EastAsianWidth.txt), neighbouring blocks joined.
constexpr std::array<CodeRange, 18> wide_ranges{{{0x1100, 0x115F},
                                                 {0x231A, 0x231B},
                                                 {0x23E9, 0x23EC},
                                                 {0x2E80, 0x303E},
                                                 {0x3041, 0x33FF},
                                                 {0x3400, 0x4DBF},
                                                 {0x4E00, 0x9FFF},
                                                 {0xA000, 0xA4CF},
                                                 {0xA960, 0xA97C},
                                                 {0xAC00, 0xD7A3},
                                                 {0xF900, 0xFAFF},
                                                 {0xFE10, 0xFE19},
                                                 {0xFE30, 0xFE6B},
                                                 {0xFF01, 0xFF60},
                                                 {0xFFE0, 0xFFE6},
                                                 {0x1F300, 0x1F64F},
                                                 {0x1F680, 0x1F9FF},
                                                 {0x20000, 0x3FFFD}}};
// Combining marks and what else takes no column.
constexpr std::array<CodeRange, 10> narrow_ranges{{{0x0000, 0x001F},
                                                   {0x007F, 0x009F},
                                                   {0x0300, 0x036F},
                                                   {0x0483, 0x0489},
                                                   {0x0591, 0x05BD},
                                                   {0x1AB0, 0x1AFF},
                                                   {0x1DC0, 0x1DFF},
                                                   {0x200B, 0x200F},
                                                   {0x20D0, 0x20FF},
                                                   {0xFE00, 0xFE2F}}};

template <std::size_t n>
bool within(const std::array<CodeRange, n>& ranges, std::uint32_t code) {
    return std::any_of(ranges.begin(), ranges.end(), [code](const CodeRange& range) {
        return code >= range.first && code <= range.last;
    });
}

// What the terminal shows as one thing: a character, or a colour sequence that takes no column.
struct Glyph {
    std::size_t length = 1;  // bytes
    std::size_t width = 1;   // columns
};

// Requires: text is not empty. Broken UTF-8 counts one column a byte, as terminals show it.
Glyph first_glyph(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    if (byte(0) == 0x1B && text.size() > 1 && text[1] == '[') {
        std::size_t end = 2;
        while (end < text.size() && (byte(end) < 0x40 || byte(end) > 0x7E))
            ++end;
        return {std::min(end + 1, text.size()), 0};
    }
    std::size_t length = 1;
    std::uint32_t code = byte(0);
    if (code >= 0xF0 && code < 0xF8) {
        length = 4;
        code &= 0x07;
    } else if (code >= 0xE0 && code < 0xF0) {
        length = 3;
        code &= 0x0F;
    } else if (code >= 0xC2 && code < 0xE0) {
        length = 2;
        code &= 0x1F;
    } else if (code >= 0x80) {
        return {1, 1};
    }
    if (length > text.size()) return {1, 1};
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return {1, 1};
        code = (code << 6) | (byte(i) & 0x3Fu);
    }
    if (within(narrow_ranges, code)) return {length, 0};
    return {length, within(wide_ranges, code) ? std::size_t{2} : std::size_t{1}};
}

constexpr std::size_t gap = 2;          // spaces between columns
constexpr std::size_t elastic_min = 6;  // an elastic column stays at least this readable

}  // namespace

std::size_t display_width(std::string_view utf8) {
    std::size_t width = 0;
    while (!utf8.empty()) {
        const Glyph glyph = first_glyph(utf8);
        width += glyph.width;
        utf8.remove_prefix(glyph.length);
    }
    return width;
}

std::string shorten(std::string_view utf8, std::size_t width) {
    if (display_width(utf8) <= width) return std::string(utf8);
    if (width == 0) return "";
    std::string kept;
    std::size_t used = 0;
    bool coloured = false;
    while (!utf8.empty()) {
        const Glyph glyph = first_glyph(utf8);
        if (used + glyph.width > width - 1) break;
        if (utf8.front() == '\x1B') coloured = true;
        kept.append(utf8.substr(0, glyph.length));
        used += glyph.width;
        utf8.remove_prefix(glyph.length);
    }
    kept += "…";
    if (coloured) kept += "\x1B[0m";
    return kept;
}

std::size_t terminal_width(int fd) {
    winsize size{};
    if (::isatty(fd) == 1 && ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    if (const char* columns = std::getenv("COLUMNS")) {
        const long value = std::strtol(columns, nullptr, 10);
        if (value >= 20 && value <= 10'000) return static_cast<std::size_t>(value);
    }
    return 80;
}

TextTable::TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

void TextTable::row(std::vector<std::string> cells) {
    WEIR_ASSERT(cells.size() <= columns_.size());
    cells.resize(columns_.size());
    for (std::string& cell : cells) {
        // A line break or tab inside a cell would break the table.
        std::replace_if(
            cell.begin(),
            cell.end(),
            [](char c) { return c == '\n' || c == '\r' || c == '\t'; },
            ' ');
    }
    rows_.push_back(std::move(cells));
}

std::string TextTable::text(std::size_t width) const {
    if (columns_.empty()) return "";
    std::vector<std::size_t> widths;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        std::size_t widest = display_width(columns_[c].title);
        for (const auto& cells : rows_)
            widest = std::max(widest, display_width(cells[c]));
        widths.push_back(widest);
    }
    std::size_t total = gap * (columns_.size() - 1);
    for (const std::size_t w : widths)
        total += w;
    while (width != 0 && total > width) {
        // The widest elastic column gives way, one terminal column at a time, so that several
        // long ones end up equal.
        std::size_t victim = columns_.size();
        for (std::size_t c = 0; c < columns_.size(); ++c) {
            if (!columns_[c].elastic || widths[c] <= elastic_min) continue;
            if (victim == columns_.size() || widths[c] > widths[victim]) victim = c;
        }
        if (victim == columns_.size()) break;
        --widths[victim];
        --total;
    }

    std::string out;
    const auto line = [&](const auto& cell_of) {
        std::string made;
        for (std::size_t c = 0; c < columns_.size(); ++c) {
            const std::string cell = shorten(cell_of(c), widths[c]);
            const std::string padding(widths[c] - std::min(widths[c], display_width(cell)), ' ');
            if (c > 0) made.append(gap, ' ');
            made += columns_[c].right ? padding + cell : cell + padding;
        }
        while (!made.empty() && made.back() == ' ')
            made.pop_back();
        out += made;
        out += '\n';
    };
    line([&](std::size_t c) -> const std::string& { return columns_[c].title; });
    for (const auto& cells : rows_) {
        line([&](std::size_t c) -> const std::string& { return cells[c]; });
    }
    return out;
}

}  // namespace weir
