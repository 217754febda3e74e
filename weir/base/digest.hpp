// Digest: a 64-bit fingerprint of a sequence of values, equal on every machine and compiler.
//
// It answers one question: did two runs take the same decisions? Each word is mixed in by a
// multiplication and a shift (after FNV-1a, but by words); it is no defence against an
// adversary. Cost: about 1 ns a word.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

class Digest {
public:
    Digest() = default;
    // Goes on where another one stopped: value() says all there is to know of it.
    static Digest resumed_at(std::uint64_t value);

    void add(std::uint64_t word) {
        // Whole words instead of bytes: the same avalanche for an eighth of the multiplications.
        state_ = (state_ ^ word) * 0x9E3779B97F4A7C15ULL;
        state_ ^= state_ >> 29;
    }
    void add(std::int64_t word) { add(static_cast<std::uint64_t>(word)); }
    void add(std::uint32_t word) { add(std::uint64_t{word}); }
    void add(std::string_view bytes);

    [[nodiscard]] std::uint64_t value() const {
        std::uint64_t mixed = state_;
        mixed ^= mixed >> 32;
        mixed *= last_factor;
        mixed ^= mixed >> 32;
        return mixed;
    }
    [[nodiscard]] std::string hex() const;

private:
    static constexpr std::uint64_t last_factor = 0xD6E8FEB86659FD93ULL;
    std::uint64_t state_ = 0xCBF29CE484222325ULL;
};

// A digest as 16 hexadecimal digits.
std::string hex_of(std::uint64_t value);

}  // namespace weir
