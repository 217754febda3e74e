// The files of the console, which the program carries inside (cmake/embed.cmake makes the table).
#pragma once

#include <span>
#include <string_view>

namespace weir::api {

struct EmbeddedFile {
    std::string_view path;    // "console.js"
    std::string_view type;    // media type
    std::string_view digest;  // of the bytes: the ETag
    std::string_view bytes;
};

std::span<const EmbeddedFile> embedded_files();

}  // namespace weir::api
