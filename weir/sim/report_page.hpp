// The paper that reports are written on: one HTML page with its style, sections and tables.
//
// A page needs nothing else to be read: no script, no network, light and dark screens, and print.
// Everything that comes from outside is escaped here or by whoever adds it.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/fleet/fleet.hpp"

namespace weir::sim {

using Row = std::vector<std::string>;

class HtmlPage {
public:
    // `title` as text; it becomes the title of the window and the heading. `kind` stands over it.
    HtmlPage(std::string_view title,
             std::string_view subtitle,
             std::string_view kind = "weir simulation");

    template <class... Args>
    void add(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(html_), format, std::forward<Args>(args)...);
    }
    void raw(std::string_view html) { html_ += html; }

    // Headline figures: value, and what it is.
    void cards(const std::vector<std::pair<std::string, std::string>>& figures);
    // `what` is HTML.
    void section(std::string_view title, std::string_view what);
    void end_section() { html_ += "</section>\n"; }
    // `css` of a coloured square or line, and its name.
    void key(const std::vector<std::pair<std::string, std::string>>& entries);

    void table(const Row& titles, const std::vector<Row>& rows);
    // The same with cells that are HTML.
    void html_table(const Row& titles, const std::vector<Row>& rows);
    // The numbers behind a chart, for those who read tables or cannot see the picture.
    void twin(const Row& titles, const std::vector<Row>& rows);

    void notes(const std::vector<std::string>& notes);

    // `foot` is HTML. The page is used up.
    [[nodiscard]] std::string finish(std::string_view foot) &&;

private:
    std::string html_;
};

// "1h 53m", of seconds.
std::string duration_text(double value_s);
// With a digit where the seconds are few.
std::string wait_text(double value_s);
// "EASY backfill" for "easy".
std::string policy_title(const std::string& policy);
// "2,064 nodes without chips + 50 nodes with 2 V100M16 each": pools of one kind together.
std::string machine_text(const fleet::Fleet& fleet, bool classic);

}  // namespace weir::sim
