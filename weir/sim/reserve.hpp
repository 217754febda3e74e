// reserve_by_share: room for a whole file, guessed from its beginning.
//
// Growing a list of a million jobs by doubling moves every job about once more than needed; after
// a few thousand the rest can be guessed. A wrong guess costs a little room, never more than four
// million elements.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace weir::sim {

// `share` of the file was read, 0..1; nothing happens where it is not known.
template <class T>
void reserve_by_share(std::vector<T>& list, double share) {
    if (share <= 0) return;
    const double whole = static_cast<double>(list.size()) / share * 1.1;
    list.reserve(static_cast<std::size_t>(std::min(whole, 4e6)));
}

}  // namespace weir::sim
