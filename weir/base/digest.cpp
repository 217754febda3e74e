#include "weir/base/digest.hpp"

#include <array>
#include <cstring>

namespace weir {

// value() backwards: a shift by half a word is its own inverse, and an odd factor has one.
Digest Digest::resumed_at(std::uint64_t value) {
    std::uint64_t inverse = last_factor;  // right in the lowest three bits; each step doubles them
    for (int i = 0; i < 5; ++i)
        inverse *= 2 - last_factor * inverse;
    value ^= value >> 32;
    value *= inverse;
    value ^= value >> 32;
    Digest digest;
    digest.state_ = value;
    return digest;
}

void Digest::add(std::string_view bytes) {
    add(std::uint64_t{bytes.size()});
    while (!bytes.empty()) {
        std::uint64_t word = 0;
        const std::size_t taken = bytes.size() < 8 ? bytes.size() : 8;
        for (std::size_t i = 0; i < taken; ++i) {
            word |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
        }
        add(word);
        bytes.remove_prefix(taken);
    }
}

std::string hex_of(std::uint64_t value) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text(16, '0');
    for (std::size_t i = 0; i < 16; ++i)
        text[15 - i] = digits[(value >> (4 * i)) & 15];
    return text;
}

std::string Digest::hex() const {
    return hex_of(value());
}

}  // namespace weir
