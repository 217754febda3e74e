#include "weir/catalog/only_chip.hpp"

#include <fmt/format.h>

namespace weir::catalog {
namespace {

// "h100sxm" of "H100-SXM": what people leave out when they write a chip as one word.
std::string without_marks(std::string_view name) {
    std::string word = small_letters(name);
    std::erase_if(word, [](char c) { return c == '-' || c == '_' || c == ' ' || c == '.'; });
    return word;
}

}  // namespace

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
    if (near.empty() && without_marks(name).size() >= 4) {
        // (Of a shorter word too many have a part.)
        std::string alike;
        std::size_t found_alike = 0;
        for (const ChipRecord& chip : catalog.chips()) {
            if (without_marks(chip.name).find(without_marks(name)) == std::string::npos) continue;
            alike += (++found_alike > 1 ? " or " : "") + chip.name;
        }
        if (found_alike > 0 && found_alike <= many) {
            return fail(
                Code::not_found,
                fmt::format("the catalogue does not know '{}' (did you mean {}?)", name, alike));
        }
    }
    return fail(Code::not_found,
                fmt::format("the catalogue does not know '{}'{}",
                            name,
                            near.empty() ? "" : " (did you mean " + near + "?)"));
}

}  // namespace weir::catalog
