// For tests: a text with a few small changes, for what has to read anything without harm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "weir/base/random.hpp"

namespace weir {

// One to three changes: another byte, mostly one of `letters`; a piece that is cut out; a piece of
// what stands before, once more. Requires: there are letters.
inline std::string mutated(std::string text, std::string_view letters, Random& random) {
    const auto below = [&](std::size_t size) {
        return static_cast<std::size_t>(random.between(0, static_cast<std::int64_t>(size) - 1));
    };
    for (std::int64_t left = random.between(1, 3); left > 0 && !text.empty(); --left) {
        const std::size_t at = below(text.size());
        switch (random.between(0, 3)) {
            case 0:
                text[at] = letters[below(letters.size())];
                break;
            case 1:
                text[at] = static_cast<char>(random.between(0, 255));
                break;
            case 2:
                text.erase(at, 1 + below(12));
                break;
            default:
                text.insert(at, text.substr(at / 2, 6));
        }
    }
    return text;
}

}  // namespace weir
