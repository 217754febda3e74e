// A picture of predictions against measurements: one mark for each row, on logarithmic axes.
#pragma once

#include <string>
#include <vector>

#include "bench/truth/report.hpp"

namespace weir::bench {

// As SVG. False where the file cannot be written.
bool draw_scatter(const std::vector<Predicted>& rows, const std::string& path);

}  // namespace weir::bench
