// Catalog: the chips that are known, by name.
//
// built_in() is what the program carries (catalog/*.yaml); a site adds files and measurements. Of a
// chip that is known already an addition says more: its rates stand beside the others, so that a
// measurement wins by its basis and an assumption changes nothing, and other facts replace what was
// said. A chip that nobody has described is not found, and then nothing is promised of it.
//
// Threads: built_in() may be called from any; a Catalog that is not changed may be read by many.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/catalog/chip.hpp"

namespace weir::catalog {

class Catalog {
public:
    static const Catalog& built_in();

    // A name or alias of one chip may not be that of another.
    Result<void> add(std::vector<ChipRecord> chips, std::string_view source);
    // What the file at `path` says ("-" = standard input).
    Result<void> add_file(const std::string& path);

    // By name or alias, whatever the case of its letters; nullptr = not known. The pointer is good
    // until the next addition.
    [[nodiscard]] const ChipRecord* find(std::string_view name) const;
    // In the order in which they were added.
    [[nodiscard]] const std::vector<ChipRecord>& chips() const { return chips_; }
    // The nearest known name to a mistyped one; "" when none is near.
    [[nodiscard]] std::string nearest(std::string_view name) const;

private:
    std::vector<ChipRecord> chips_;
    std::unordered_map<std::string, std::size_t> by_name_;  // in small letters
};

// A name as it is looked for.
std::string small_letters(std::string_view name);

// built_in() with these files on top.
Result<Catalog> catalog_with(const std::vector<std::string>& files);

}  // namespace weir::catalog
