// NodeBits and NodeSums: a fact about each node of a pool, and an amount on each of them, both told
// for runs of nodes at a time.
//
// A gang of ten thousand nodes in a row is one run, and a promise of as many another; so that books
// about them cost as little as what they are about, an amount on a run is added, and summed, in
// logarithmic time (a tree of differences; Fenwick 1994), and bits are handled 64 at once.
//
// Threads: one at a time.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::tenancy {

class NodeBits {
public:
    explicit NodeBits(std::uint32_t nodes = 0) : words_((std::size_t{nodes} + 63) / 64, 0) {}

    [[nodiscard]] bool any() const { return count_ > 0; }
    [[nodiscard]] bool at(std::uint32_t node) const {
        return (words_[node / 64] >> node % 64 & 1) != 0;
    }
    void set(std::uint32_t node, bool to) {
        if (at(node) == to) return;
        words_[node / 64] ^= std::uint64_t{1} << node % 64;
        count_ = to ? count_ + 1 : count_ - 1;
    }
    // Sets those of [first, last), and calls changed(first, last) for every run of nodes that were
    // otherwise.
    template <class Changed>
    void set(std::uint32_t first, std::uint32_t last, bool to, Changed changed) {
        Runs<Changed> runs{changed};
        for_words(first, last, [&](std::size_t number, std::uint64_t mask) {
            const std::uint64_t flips = mask & (to ? ~words_[number] : words_[number]);
            words_[number] ^= flips;
            const auto flipped = static_cast<std::size_t>(std::popcount(flips));
            count_ = to ? count_ + flipped : count_ - flipped;
            runs.add(number, flips);
        });
        runs.finish();
    }
    // Sets exactly the nodes of `after`, and calls changed(first, last, to) for runs of nodes that
    // were otherwise. Requires: exactly those of `before` are set. Lists of [first, last).
    template <class List, class Changed>
    void become(const List& before, const List& after, Changed changed) {
        next_.resize(words_.size());
        for (const auto& [first, last] : after) {
            for_words(first, last, [&](std::size_t number, std::uint64_t mask) {
                next_[number] |= mask;
            });
        }
        const auto goes = [&](std::uint32_t first, std::uint32_t last) {
            changed(first, last, false);
        };
        const auto comes = [&](std::uint32_t first, std::uint32_t last) {
            changed(first, last, true);
        };
        Runs<decltype(goes)> gone{goes};
        Runs<decltype(comes)> come{comes};
        for (const List* const list : {&before, &after}) {
            for (const auto& [first, last] : *list) {
                for_words(first, last, [&](std::size_t number, std::uint64_t) {
                    const std::uint64_t old = words_[number];
                    words_[number] = next_[number];
                    count_ += static_cast<std::size_t>(std::popcount(next_[number]));
                    count_ -= static_cast<std::size_t>(std::popcount(old));
                    gone.add(number, old & ~next_[number]);
                    come.add(number, next_[number] & ~old);
                });
            }
        }
        gone.finish();
        come.finish();
        for (const auto& [first, last] : after)
            for_words(first, last, [&](std::size_t number, std::uint64_t) { next_[number] = 0; });
    }
    // How many of [first, last) are set.
    [[nodiscard]] std::uint64_t count(std::uint32_t first, std::uint32_t last) const {
        std::uint64_t sum = 0;
        if (any()) {
            for_words(first, last, [&](std::size_t number, std::uint64_t mask) {
                sum += static_cast<std::uint64_t>(std::popcount(words_[number] & mask));
            });
        }
        return sum;
    }
    // Calls with(node) for each of [first, last) that is set.
    template <class With>
    void each(std::uint32_t first, std::uint32_t last, With with) const {
        if (!any()) return;
        for_words(first, last, [&](std::size_t number, std::uint64_t mask) {
            for (std::uint64_t left = words_[number] & mask; left != 0; left &= left - 1) {
                with(static_cast<std::uint32_t>(number * 64) +
                     static_cast<std::uint32_t>(std::countr_zero(left)));
            }
        });
    }

private:
    // Puts bits that follow one another together, over the ends of words.
    template <class With>
    struct Runs {
        const With& with;
        std::uint32_t first = 0;
        std::uint32_t last = 0;  // of the run that is open
        void add(std::size_t number, std::uint64_t bits) {
            while (bits != 0) {
                const int low = std::countr_zero(bits);
                const int length = std::countr_one(bits >> low);
                const auto begin =
                    static_cast<std::uint32_t>(number * 64) + static_cast<std::uint32_t>(low);
                if (begin != last || first == last) {
                    finish();
                    first = begin;
                }
                last = begin + static_cast<std::uint32_t>(length);
                if (low + length == 64) return;
                bits &= ~std::uint64_t{0} << (low + length);
            }
        }
        void finish() {
            if (first < last) with(first, last);
            first = last;
        }
    };
    template <class With>
    static void for_words(std::uint32_t first, std::uint32_t last, With with) {
        while (first < last) {
            const std::uint32_t end =
                last - first < 64 - first % 64 ? last : first - first % 64 + 64;
            const std::uint64_t mask = (~std::uint64_t{0} >> (64 - (end - first))) << first % 64;
            with(first / 64, mask);
            first = end;
        }
    }

    std::vector<std::uint64_t> words_;
    std::vector<std::uint64_t> next_;  // scratch: zero
    std::size_t count_ = 0;
};

class NodeSums {
public:
    explicit NodeSums(std::uint32_t nodes = 0)
        : each_(nodes <= few ? nodes : 0), tree_(nodes <= few ? 0 : std::size_t{nodes} + 1) {}

    // Adds so much to each of [first, last); what is taken away was there.
    void add(std::uint32_t first, std::uint32_t last, std::uint64_t amount) {
        if (tree_.empty()) {
            for (std::uint64_t* at = each_.data() + first; at < each_.data() + last; ++at)
                *at += amount;
            return;
        }
        change(first, amount);
        change(last, -amount);
    }
    [[nodiscard]] std::uint64_t sum(std::uint32_t first, std::uint32_t last) const {
        if (!tree_.empty()) return before(last) - before(first);
        std::uint64_t sum = 0;
        for (const std::uint64_t* at = each_.data() + first; at < each_.data() + last; ++at)
            sum += *at;
        return sum;
    }
    [[nodiscard]] std::uint64_t at(std::uint32_t node) const { return sum(node, node + 1); }

private:
    // From a node on every amount is `step` more: then the first k of them sum to step x k minus
    // step x node more.
    struct Entry {
        std::uint64_t step = 0;
        std::uint64_t offset = 0;
    };
    void change(std::uint32_t node, std::uint64_t step) {
        Entry* const tree = tree_.data();
        const std::size_t size = tree_.size();
        const std::uint64_t offset = step * node;
        for (std::size_t i = std::size_t{node} + 1; i < size; i += i & -i) {
            tree[i].step += step;
            tree[i].offset += offset;
        }
    }
    [[nodiscard]] std::uint64_t before(std::uint32_t node) const {
        std::uint64_t step = 0;
        std::uint64_t offset = 0;
        const Entry* const tree = tree_.data();
        for (std::size_t i = node; i > 0; i &= i - 1) {
            step += tree[i].step;
            offset += tree[i].offset;
        }
        return step * node - offset;
    }

    // So few nodes are summed one by one sooner than a tree is walked.
    static constexpr std::uint32_t few = 160;
    std::vector<std::uint64_t> each_;  // modulo 2^64, as is the tree
    std::vector<Entry> tree_;
};

}  // namespace weir::tenancy
