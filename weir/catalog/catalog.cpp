#include "weir/catalog/catalog.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "weir/base/assert.hpp"
#include "weir/base/embedded.hpp"
#include "weir/base/schema.hpp"
#include "weir/catalog/catalog_file.hpp"

namespace weir::catalog {

// The files in catalog/ (cmake/embed.cmake makes the table).
std::span<const EmbeddedFile> embedded_files();

namespace {

template <class T>
void replace_if_said(T& known, T& said, const T& unsaid) {
    if (said != unsaid) known = std::move(said);
}

void merge(ChipRecord& known, ChipRecord& said) {
    const ChipRecord unsaid;
    replace_if_said(known.vendor, said.vendor, unsaid.vendor);
    replace_if_said(known.product, said.product, unsaid.product);
    replace_if_said(known.memory, said.memory, unsaid.memory);
    replace_if_said(known.stacks, said.stacks, unsaid.stacks);
    replace_if_said(known.domestic, said.domestic, unsaid.domestic);
    replace_if_said(known.year, said.year, unsaid.year);
    replace_if_said(known.link_bytes_per_s, said.link_bytes_per_s, unsaid.link_bytes_per_s);
    replace_if_said(known.tdp_watts, said.tdp_watts, unsaid.tdp_watts);
    replace_if_said(known.devices, said.devices, unsaid.devices);
    replace_if_said(known.note, said.note, unsaid.note);
    for (std::string& alias : said.aliases) {
        const auto& all = known.aliases;
        if (std::find(all.begin(), all.end(), alias) == all.end()) {
            known.aliases.push_back(std::move(alias));
        }
    }
    // In front, so that among equally founded ones without a date the later word counts.
    known.rates.insert(known.rates.begin(),
                       std::make_move_iterator(said.rates.begin()),
                       std::make_move_iterator(said.rates.end()));
}

}  // namespace

std::string small_letters(std::string_view name) {
    std::string text(name);
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
}

const Catalog& Catalog::built_in() {
    static const Catalog catalog = [] {
        Catalog made;
        for (const EmbeddedFile& file : embedded_files()) {
            const std::string source = fmt::format("catalog/{}", file.path);
            auto chips = read_catalog_text(file.bytes, source);
            // Our own files; a test reads them, too.
            WEIR_ASSERT(chips.has_value());
            WEIR_ASSERT(made.add(std::move(chips).value(), source).has_value());
        }
        return made;
    }();
    return catalog;
}

Result<void> Catalog::add(std::vector<ChipRecord> chips, std::string_view source) {
    // Checked before anything changes.
    std::unordered_map<std::string, const ChipRecord*> said;
    for (const ChipRecord& chip : chips) {
        said.emplace(small_letters(chip.name), &chip);
        for (const std::string& alias : chip.aliases)
            said.emplace(small_letters(alias), &chip);
    }
    for (const ChipRecord& chip : chips) {
        for (const std::string& alias : chip.aliases) {
            const ChipRecord* other = said.at(small_letters(alias));
            if (other == &chip) continue;
            return fail(Code::conflict,
                        fmt::format("{}: chip {}: aliases: '{}' is already a name of {}",
                                    source,
                                    chip.name,
                                    alias,
                                    other->name));
        }
        const auto itself = by_name_.find(small_letters(chip.name));
        for (const std::string& alias : chip.aliases) {
            const auto other = by_name_.find(small_letters(alias));
            if (other == by_name_.end()) continue;
            if (itself != by_name_.end() && itself->second == other->second) continue;
            return fail(Code::conflict,
                        fmt::format("{}: chip {}: aliases: '{}' is already a name of {}",
                                    source,
                                    chip.name,
                                    alias,
                                    chips_[other->second].name));
        }
    }
    for (ChipRecord& chip : chips) {
        const auto known = by_name_.find(small_letters(chip.name));
        const std::size_t place = known == by_name_.end() ? chips_.size() : known->second;
        by_name_.emplace(small_letters(chip.name), place);
        for (const std::string& alias : chip.aliases)
            by_name_.emplace(small_letters(alias), place);
        if (place == chips_.size()) {
            chips_.push_back(std::move(chip));
        } else {
            merge(chips_[place], chip);
        }
    }
    return {};
}

Result<void> Catalog::add_file(const std::string& path) {
    WEIR_TRY(std::vector<ChipRecord> chips, read_catalog_file(path, this));
    return add(std::move(chips), path);
}

const ChipRecord* Catalog::find(std::string_view name) const {
    const auto found = by_name_.find(small_letters(name));
    return found == by_name_.end() ? nullptr : &chips_[found->second];
}

std::string Catalog::nearest(std::string_view name) const {
    std::vector<std::string_view> names;
    for (const ChipRecord& chip : chips_) {
        names.push_back(chip.name);
        names.insert(names.end(), chip.aliases.begin(), chip.aliases.end());
    }
    return std::string(schema::nearest(small_letters(name), names).value_or(""));
}

Result<Catalog> catalog_with(const std::vector<std::string>& files) {
    Catalog catalog = Catalog::built_in();
    for (const std::string& file : files)
        WEIR_CHECK(catalog.add_file(file));
    return catalog;
}

}  // namespace weir::catalog
