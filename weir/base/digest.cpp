#include "weir/base/digest.hpp"

#include <array>
#include <cstring>

namespace weir {

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
