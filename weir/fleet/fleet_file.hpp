// Fleet file: the YAML in which an operator describes sites and pools.
//
// The language is the table fleet_schema(); what reads it, checks it, documents it and describes
// it to editors is base/schema.hpp. Beyond the table the sense of the whole is checked: names are
// unique, links join sites that exist, a dataset has one size, a pool with chips says which. Parts
// that this version only checks (the link inside a pool, ...) are named by notes.
//
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/schema.hpp"
#include "weir/fleet/fleet.hpp"

namespace weir::fleet {

const schema::Object& fleet_schema();

struct ParsedFleet {
    Fleet fleet;
    std::vector<std::string> notes;  // sentences for the operator
};

// `source` stands in front of every error: "fleet.yaml:7:9: sites[0].pools[1].nodes: ...".
Result<ParsedFleet> read_fleet_text(std::string_view text, std::string_view source);
// Kinds of chips that a file may name; nodes without chips are one more.
inline constexpr std::size_t chip_kinds_max = 63;

// The file at `path` ("-" = standard input), at most 16 MiB; without its notes.
Result<Fleet> read_fleet(const std::string& path);

// The reference page of the language, docs/reference/fleet.md.
std::string fleet_reference();

// A fleet file that reads back as the same fleet.
std::string print_fleet(const Fleet& fleet);

}  // namespace weir::fleet
