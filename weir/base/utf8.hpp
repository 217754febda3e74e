// UTF-8: where text stops being well-formed (Unicode 15, table 3-7), and where a byte stands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir {

// Bytes of the well-formed character at `at`, or 0. Requires: at < text.size().
std::size_t utf8_length(std::string_view text, std::size_t at);

// The first byte that belongs to no well-formed character.
std::optional<std::size_t> first_bad_utf8(std::string_view text);

// Line and column of a byte, counted from 1; columns count characters.
struct TextPlace {
    std::uint32_t line = 1;
    std::uint32_t column = 1;
};
TextPlace place_of_byte(std::string_view text, std::size_t offset);

}  // namespace weir
