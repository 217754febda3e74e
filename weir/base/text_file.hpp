// Reading a whole file that a user named, with a limit that holds before anything is read.
//
// A job file of 100 MB is a mistake (or an attack), and its size is known without reading it. What
// has no size beforehand, a pipe for instance, is read up to the limit and then refused.
#pragma once

#include <cstddef>
#include <string>

#include "weir/base/result.hpp"

namespace weir {

// The bytes of the file at `path`; "-" is the standard input. Errors name the path: not_found,
// too_large (over `bytes_max`), invalid (a folder), io.
Result<std::string> read_text_file(const std::string& path, std::size_t bytes_max);

}  // namespace weir
