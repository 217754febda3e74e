// One chip by its name, for who plans with exactly that one and wants no guess.
//
// A promise may take a bare family name for its slowest member (Catalog::find). A plan for that
// member would be one for a machine that nobody has, so where a name has several members, on other
// boards or with other memories, none is taken.
//
// Threads: as the catalogue.
#pragma once

#include <string_view>

#include "weir/base/result.hpp"
#include "weir/catalog/catalog.hpp"

namespace weir::catalog {

// Fails with `invalid` where several chips are meant, listed in the message ("'h100' may be ...;
// say which"), and with `not_found` where none is, with the nearest name.
Result<const ChipRecord*> only_chip(const Catalog& catalog, std::string_view name);

}  // namespace weir::catalog
