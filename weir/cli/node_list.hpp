// Node lists: several nodes in one word, as users of Slurm write them.
//
//     a,b          a and b
//     n[1-3,7]     n1, n2, n3, n7
//     r[0-1]n[08-10]   r0n08, r0n09, r0n10, r1n08, r1n09, r1n10
//
// A number keeps as many digits as the first of its range is written with. Whether there are such
// nodes is for the hub to say.
#pragma once

#include <string>
#include <vector>

#include "weir/base/result.hpp"

namespace weir::cli {

// The names in the order in which they are written, each once. The error says what is wrong with
// which word.
Result<std::vector<std::string>> names_of_nodes(const std::vector<std::string>& words);

}  // namespace weir::cli
