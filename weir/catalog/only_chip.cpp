#include "weir/catalog/only_chip.hpp"

#include <fmt/format.h>

namespace weir::catalog {

Result<const ChipRecord*> only_chip(const Catalog& catalog, std::string_view name) {
    const std::string wanted = small_letters(name);
    const ChipRecord* const found = catalog.find(name);
    if (found != nullptr && small_letters(found->name) == wanted) return found;
    std::string members;
    std::size_t count = 0;
    for (const ChipRecord& chip : catalog.chips()) {
        if (wanted.empty() || small_letters(chip.name).rfind(wanted, 0) != 0) continue;
        members += (++count > 1 ? ", " : "") + chip.name;
    }
    // Beyond so many it is the beginning of a word and no family.
    constexpr std::size_t many = 8;
    if (count > 1 && count <= many)
        return fail(Code::invalid, fmt::format("'{}' may be {}; say which", name, members));
    if (found != nullptr) return found;
    const std::string near = catalog.nearest(name);
    return fail(Code::not_found,
                fmt::format("the catalogue does not know '{}'{}",
                            name,
                            near.empty() ? "" : " (did you mean " + near + "?)"));
}

}  // namespace weir::catalog
