// Files that the program carries inside: the console, the catalogue of chips.
//
// cmake/embed.cmake puts the bytes into the program and makes the function that lists them; each
// room that has such files declares its own.
#pragma once

#include <span>
#include <string_view>

namespace weir {

struct EmbeddedFile {
    std::string_view path;    // "console.js"
    std::string_view type;    // media type
    std::string_view digest;  // of the bytes: the ETag
    std::string_view bytes;
};

}  // namespace weir
