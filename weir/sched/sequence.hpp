// Sequence: entries in the order of their keys, with a summary of every stretch of them.
//
// The one idea: entries lie in chunks of up to 64, one after the other in memory, and over the
// chunks there is a tree of their summaries. So a change touches a handful of cache lines where a
// tree of single entries would touch one for each level, and "the first entry after K at which the
// sum falls below A" is one climb over the tree and one look through a chunk.
//
// An Entry has key() (distinct). A Summary is a monoid: Summary{} is that of nothing, of(entry)
// that of one, and a.then(b) that of both in this order.
//
// Threads: one at a time. Cost: O(log n) each, and for one insert or erase in about thirty, which
// splits or joins chunks, the tree is built anew: n / 64 summaries.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "weir/base/assert.hpp"

namespace weir::sched {

template <class Entry, class Summary>
class Sequence {
public:
    using Key = std::decay_t<decltype(std::declval<const Entry&>().key())>;

    [[nodiscard]] bool empty() const { return chunks_.empty(); }
    [[nodiscard]] std::size_t size() const { return size_; }

    // Requires: no entry has this key.
    void insert(const Entry& entry) {
        ++size_;
        if (chunks_.empty()) {
            chunks_.push_back({entry});
            firsts_.push_back(entry.key());
            sums_.push_back({});
            return;
        }
        const std::size_t number = chunk_of(entry.key());
        Chunk& chunk = chunks_[number];
        chunk.insert(place_in(chunk, entry.key()), entry);
        if (chunk.size() < chunk_max) return summarize(number);
        Chunk second(at(chunk, chunk_max / 2), chunk.end());
        chunk.resize(chunk_max / 2);
        firsts_[number] = chunk.front().key();
        firsts_.insert(at(firsts_, number + 1), second.front().key());
        sums_[number] = sum_of(chunk);
        sums_.insert(at(sums_, number + 1), sum_of(second));
        chunks_.insert(at(chunks_, number + 1), std::move(second));
        rebuild();
    }

    // Requires: an entry has this key.
    void erase(const Key& key) {
        --size_;
        const std::size_t number = chunk_of(key);
        Chunk& chunk = chunks_[number];
        const auto place = place_in(chunk, key);
        WEIR_ASSERT(place != chunk.end() && place->key() == key);
        chunk.erase(place);
        if (chunk.empty()) {
            drop(number);
            return rebuild();
        }
        // Two small neighbours become one.
        const std::size_t next = number + 1;
        if (chunk.size() >= chunk_max / 4 || next == chunks_.size() ||
            chunks_[next].size() >= chunk_max / 4) {
            return summarize(number);
        }
        chunk.insert(chunk.end(), chunks_[next].begin(), chunks_[next].end());
        firsts_[number] = chunk.front().key();
        sums_[number] = sum_of(chunk);
        drop(next);
        rebuild();
    }

    // Calls change(entry), which leaves the key as it is; false if no entry has this key.
    template <class Change>
    bool change(const Key& key, Change change) {
        if (chunks_.empty()) return false;
        const std::size_t number = chunk_of(key);
        const auto place = place_in(chunks_[number], key);
        if (place == chunks_[number].end() || !(place->key() == key)) return false;
        change(*place);
        summarize(number);
        return true;
    }

    // Calls visit(entry) in order until it returns false; the other one begins after a key.
    template <class Visit>
    void walk(Visit visit) const {
        for (const Chunk& chunk : chunks_)
            for (const Entry& entry : chunk)
                if (!visit(entry)) return;
    }
    template <class Visit>
    void walk_after(const Key& after, Visit visit) const {
        for (std::size_t number = empty() ? 0 : chunk_of(after); number < chunks_.size(); ++number)
            for (const Entry& entry : chunks_[number])
                if (after < entry.key() && !visit(entry)) return;
    }

    // The first entry. Requires: there is one.
    [[nodiscard]] const Entry& front() const { return chunks_.front().front(); }
    // The last entry, of those whose keys are less than `before` (if not null); null if there is
    // none.
    [[nodiscard]] const Entry* last(const Key* before = nullptr) const {
        if (chunks_.empty()) return nullptr;
        if (before == nullptr) return &chunks_.back().back();
        std::size_t number = chunk_of(*before);
        auto place = place_in(chunks_[number], *before);
        if (place != chunks_[number].begin()) return &*std::prev(place);
        return number == 0 ? nullptr : &chunks_[number - 1].back();
    }

    // Entries from the last one on, one by one; good until somebody comes or goes.
    class Backward {
    public:
        explicit Backward(const Sequence& all) : all_(&all), chunk_(all.chunks_.size()) {}
        // Null when there is none any more.
        [[nodiscard]] const Entry* next() {
            if (left_ == 0) {
                if (chunk_ == 0) return nullptr;
                left_ = all_->chunks_[--chunk_].size();
            }
            return &all_->chunks_[chunk_][--left_];
        }

    private:
        const Sequence* all_;
        std::size_t chunk_;     // from here on all were told ...
        std::size_t left_ = 0;  // ... but so many of its first
    };

    // Of the entries whose keys are not greater.
    [[nodiscard]] Summary up_to(const Key& key) const {
        Summary sum;
        if (chunks_.empty()) return sum;
        const std::size_t number = chunk_of(key);
        for (std::size_t node = leaves_ + number; node > 1; node /= 2)
            if (node % 2 == 1) sum = tree_[node - 1].then(sum);
        for (const Entry& entry : chunks_[number]) {
            if (key < entry.key()) break;
            sum = sum.then(Summary::of(entry));
        }
        return sum;
    }

    // Of the entries whose keys are greater than `after` and less than `until`.
    [[nodiscard]] Summary between(const Key& after, const Key& until) const {
        Summary sum;
        if (chunks_.empty()) return sum;
        const auto add = [&](std::size_t number) {
            for (const Entry& entry : chunks_[number])
                if (after < entry.key() && entry.key() < until) sum = sum.then(Summary::of(entry));
        };
        const std::size_t begin = chunk_of(after);
        const std::size_t end = chunk_of(until);
        add(begin);
        if (begin >= end) return sum;
        Summary right;
        std::size_t low = leaves_ + begin + 1;
        std::size_t high = leaves_ + end;
        for (; low < high; low /= 2, high /= 2) {
            if (low % 2 == 1) sum = sum.then(tree_[low++]);
            if (high % 2 == 1) right = tree_[--high].then(right);
        }
        sum = sum.then(right);
        add(end);
        return sum;
    }

    // The first entry for which may(sum of all before it, its own summary) holds; null if there is
    // none. may() of a stretch says whether it holds for one in it. Only entries after the key
    // `after` (if not null) are looked at; `before` is the summary of those up to it.
    template <class May>
    [[nodiscard]] const Entry* first(const Key* after, Summary before, May may) const {
        if (chunks_.empty()) return nullptr;
        std::size_t number = 0;
        if (after != nullptr) {
            number = chunk_of(*after);
            if (const Entry* const hit = first_in(chunks_[number], after, before, may)) return hit;
            ++number;
        }
        if (number >= chunks_.size()) return nullptr;
        if (chunks_.size() == 1) return first_in(chunks_.front(), nullptr, before, may);
        std::size_t node = leaves_ + number;
        do {
            while (node % 2 == 0)
                node /= 2;
            if (may(before, tree_[node])) {
                while (node < leaves_) {
                    node *= 2;
                    if (may(before, tree_[node])) continue;
                    before = before.then(tree_[node]);
                    ++node;
                }
                return first_in(chunks_[node - leaves_], nullptr, before, may);
            }
            before = before.then(tree_[node]);
            ++node;
        } while ((node & (node - 1)) != 0);
        return nullptr;
    }

private:
    using Chunk = std::vector<Entry>;
    static constexpr std::size_t chunk_max = 64;

    template <class List>
    static auto at(List& list, std::size_t number) {
        return list.begin() + static_cast<std::ptrdiff_t>(number);
    }
    // The chunk that has the key, or would have it.
    [[nodiscard]] std::size_t chunk_of(const Key& key) const {
        if (chunks_.size() == 1) return 0;
        const auto next = std::upper_bound(firsts_.begin(), firsts_.end(), key);
        return next == firsts_.begin() ? 0 : static_cast<std::size_t>(next - firsts_.begin()) - 1;
    }
    template <class List>
    static auto place_in(List& chunk, const Key& key) {
        return std::lower_bound(chunk.begin(), chunk.end(), key, [](const Entry& a, const Key& b) {
            return a.key() < b;
        });
    }
    template <class May>
    static const Entry* first_in(const Chunk& chunk, const Key* after, Summary& before, May may) {
        for (const Entry& entry : chunk) {
            if (after != nullptr && !(*after < entry.key())) continue;
            const Summary its = Summary::of(entry);
            if (may(before, its)) return &entry;
            before = before.then(its);
        }
        return nullptr;
    }

    static Summary sum_of(const Chunk& chunk) {
        Summary sum;
        for (const Entry& entry : chunk)
            sum = sum.then(Summary::of(entry));
        return sum;
    }
    void drop(std::size_t number) {
        chunks_.erase(at(chunks_, number));
        firsts_.erase(at(firsts_, number));
        sums_.erase(at(sums_, number));
    }
    void summarize(std::size_t number) {
        if (chunks_.size() == 1) return;
        firsts_[number] = chunks_[number].front().key();
        sums_[number] = sum_of(chunks_[number]);
        tree_[leaves_ + number] = sums_[number];
        for (std::size_t node = (leaves_ + number) / 2; node > 0; node /= 2)
            tree_[node] = tree_[2 * node].then(tree_[2 * node + 1]);
    }
    // After chunks came or went.
    void rebuild() {
        if (chunks_.size() < 2) return;
        leaves_ = 1;
        while (leaves_ < chunks_.size())
            leaves_ *= 2;
        tree_.assign(leaves_, Summary{});
        tree_.insert(tree_.end(), sums_.begin(), sums_.end());
        tree_.resize(2 * leaves_);
        for (std::size_t node = leaves_ - 1; node > 0; --node)
            tree_[node] = tree_[2 * node].then(tree_[2 * node + 1]);
    }

    // Most sequences are short: of one chunk alone nothing more than its entries is kept up.
    std::vector<Chunk> chunks_;  // none of them is empty
    std::vector<Key> firsts_;    // of each chunk
    std::vector<Summary> sums_;  // of each chunk
    std::vector<Summary> tree_;  // a heap: root at 1, that of chunk i at leaves_ + i
    std::size_t leaves_ = 1;
    std::size_t size_ = 0;
};

}  // namespace weir::sched
