// NodeSet: a set of node numbers that always gives the lowest ones first.
//
// A bitmap with a remembered first word: adding and removing are a few instructions, and taking the
// lowest n members walks whole words of 64 nodes. Which nodes a gang gets must not depend on the
// history of the set, so there is no order of insertion to leak.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "weir/base/assert.hpp"

namespace weir::fleet {

class NodeSet {
public:
    explicit NodeSet(std::uint32_t nodes = 0) : words_((std::size_t{nodes} + 63) / 64, 0) {}

    [[nodiscard]] std::uint32_t size() const { return size_; }
    [[nodiscard]] bool contains(std::uint32_t node) const {
        return (words_[node / 64] >> (node % 64)) & 1;
    }

    // `count` nodes from `first`, none of which is (all of which are) in the set.
    void add_run(std::uint32_t first, std::uint32_t count) {
        change_run(first, count, [](std::uint64_t& word, std::uint64_t bits) {
            WEIR_ASSERT((word & bits) == 0);
            word |= bits;
        });
        if (count > 0 && first / 64 < first_word_) first_word_ = first / 64;
        size_ += count;
    }
    void remove_run(std::uint32_t first, std::uint32_t count) {
        change_run(first, count, [](std::uint64_t& word, std::uint64_t bits) {
            WEIR_ASSERT((word & bits) == bits);
            word &= ~bits;
        });
        size_ -= count;
    }

    // Calls visit(node) for members in [from, to), lowest first, until it returns false.
    template <class Visit>
    void walk(std::uint32_t from, std::uint32_t to, Visit visit) const {
        skip_empty_words();
        std::size_t word = from / 64 < first_word_ ? first_word_ : from / 64;
        for (; word < words_.size() && word * 64 < to; ++word) {
            std::uint64_t bits = words_[word];
            if (word == from / 64) bits &= ~std::uint64_t{0} << (from % 64);
            while (bits != 0) {
                const auto node = static_cast<std::uint32_t>(word * 64) +
                                  static_cast<std::uint32_t>(std::countr_zero(bits));
                if (node >= to) return;
                if (!visit(node)) return;
                bits &= bits - 1;
            }
        }
    }

    // The lowest member in [from, to); `to` if there is none.
    [[nodiscard]] std::uint32_t first_in(std::uint32_t from, std::uint32_t to) const {
        std::uint32_t found = to;
        walk(from, to, [&found](std::uint32_t node) {
            found = node;
            return false;
        });
        return found;
    }

    // The same walk over the members of several sets at once. Requires: sets of equal range.
    template <class Visit>
    static void walk_all(const std::vector<const NodeSet*>& sets,
                         std::uint32_t from,
                         std::uint32_t to,
                         Visit visit) {
        if (sets.size() == 1) return sets.front()->walk(from, to, visit);
        for (std::size_t word = from / 64; word * 64 < to; ++word) {
            std::uint64_t bits = 0;
            for (const NodeSet* set : sets)
                bits |= word < set->words_.size() ? set->words_[word] : 0;
            if (word == from / 64) bits &= ~std::uint64_t{0} << (from % 64);
            for (; bits != 0; bits &= bits - 1) {
                const auto node = static_cast<std::uint32_t>(word * 64) +
                                  static_cast<std::uint32_t>(std::countr_zero(bits));
                if (node >= to || !visit(node)) return;
            }
        }
    }

private:
    // Whole words at a time: a thousand nodes in a row are sixteen steps.
    template <class Change>
    void change_run(std::uint32_t first, std::uint32_t count, Change change) {
        while (count > 0) {
            const std::uint32_t offset = first % 64;
            const std::uint32_t inside = count < 64 - offset ? count : 64 - offset;
            const std::uint64_t bits =
                (inside == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << inside) - 1) << offset;
            change(words_[first / 64], bits);
            first += inside;
            count -= inside;
        }
    }

    void skip_empty_words() const {
        while (first_word_ < words_.size() && words_[first_word_] == 0)
            ++first_word_;
    }

    std::vector<std::uint64_t> words_;
    mutable std::size_t first_word_ = 0;  // no member is in a word before this one
    std::uint32_t size_ = 0;
};

}  // namespace weir::fleet
