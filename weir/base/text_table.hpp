// TextTable: rows and columns that fit the terminal.
//
// Column widths follow the content; when the whole is wider than the terminal, the columns marked
// as elastic give way and their cells end in "…". Width counts columns of the terminal, so CJK
// characters take two. Colour is added only where the caller says that a terminal reads it.
//
//     TextTable table({{"job"}, {"name", false, true}, {"wait", true}});
//     table.row({"12", "wing-flutter", "3m 10s"});
//     std::cout << table.text(terminal_width());
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir {

struct Column {
    std::string title;
    bool right = false;    // align to the right: numbers
    bool elastic = false;  // may be shortened when the table is too wide
};

class TextTable {
public:
    explicit TextTable(std::vector<Column> columns);
    void row(std::vector<std::string> cells);  // missing cells are empty
    [[nodiscard]] bool empty() const { return rows_.empty(); }
    // The table, title line first, each line ended by '\n'. width 0 = as wide as it needs.
    [[nodiscard]] std::string text(std::size_t width = 0) const;

private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

// Terminal columns that UTF-8 text takes (CJK wide characters count two, combining marks none).
std::size_t display_width(std::string_view utf8);
// Shortens to at most `width` columns, the last of them "…" when something was cut.
std::string shorten(std::string_view utf8, std::size_t width);
// The width of the terminal at file descriptor fd; $COLUMNS, else 80, when it is none.
std::size_t terminal_width(int fd = 1);

}  // namespace weir
