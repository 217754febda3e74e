// The pictures of a plan report, each one SVG with the classes of the report's style.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "weir/cli/plan_answer.hpp"

namespace weir::cli {

// A bar for each plan, from left to right where the time of its step goes.
std::string time_bars(const std::vector<plan::Plan>& plans);
// The same for the memory of its fullest chip, with a line at what the chip has.
std::string memory_bars(const std::vector<plan::Plan>& plans, const plan::Machine& machine);
// Each plan a point: MFU against memory.
std::string space_chart(const std::vector<plan::Plan>& plans,
                        const plan::Strategy& best,
                        const plan::Machine& machine);
// Tokens a second over chips, both in proportion; dashed what the smallest number would promise.
std::string scale_chart(const std::vector<PoolAnswer>& pools);

// Colours of terms and parts, for the legend: CSS and name.
std::vector<std::pair<std::string, std::string>> term_key(const std::vector<plan::Plan>& plans);
std::vector<std::pair<std::string, std::string>> part_key();
// Class and CSS colour of one of several lines.
std::string line_colour(std::size_t index);

}  // namespace weir::cli
