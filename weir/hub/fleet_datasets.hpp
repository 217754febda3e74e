// What of the datasets of one fleet is still there in another one.
#pragma once

#include <vector>

#include "weir/hub/book.hpp"

namespace weir::hub {

// In the order in which the engine of the new fleet is told: where none is there for good by the
// file, the first is from now on, so that the last one is never forgotten.
std::vector<journal::DatasetChanged> datasets_in(const Book& book, const fleet::Fleet& to);

}  // namespace weir::hub
