// Catalogue file: the YAML in which people say what they know of chips.
//
// The language is the table catalog_schema(); what reads it, checks it, documents it and describes
// it to editors is base/schema.hpp. The files in catalog/ of the repository are written in it and
// travel inside the program; a site adds its own (`--catalog FILE`), which may name new chips or
// say more about known ones.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/schema.hpp"
#include "weir/catalog/chip.hpp"

namespace weir::catalog {

class Catalog;

const schema::Object& catalog_schema();

// `source` stands in front of every error: "chips.yaml:7:9: chips[0].rates[1].value: ...". At most
// 16 MiB. With a catalogue that is `known` already, on top of which it is meant to come, an alias
// that names another chip there is an error, too.
Result<std::vector<ChipRecord>> read_catalog_text(std::string_view text,
                                                  std::string_view source,
                                                  const Catalog* known = nullptr);
// The file at `path`; "-" is the standard input.
Result<std::vector<ChipRecord>> read_catalog_file(const std::string& path,
                                                  const Catalog* known = nullptr);

// A file that reads back as the same chips.
std::string print_catalog(const std::vector<ChipRecord>& chips);

// The reference page of the language, docs/reference/catalog.md.
std::string catalog_reference();

}  // namespace weir::catalog
