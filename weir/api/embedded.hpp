// The files of the console, which the program carries inside (cmake/embed.cmake makes the table).
#pragma once

#include <span>

#include "weir/base/embedded.hpp"

namespace weir::api {

std::span<const EmbeddedFile> embedded_files();

}  // namespace weir::api
