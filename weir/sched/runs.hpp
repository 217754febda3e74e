// Runs: a row of nodes, cut into runs of nodes that are alike.
//
// One bit for each node at which a run begins: finding the run of a node, or the next run, looks at
// 64 nodes at a time, and cutting or joining moves nothing. What is known of a run is kept by its
// owner at the number of its first node.
//
// Threads: one at a time.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "weir/base/assert.hpp"

namespace weir::sched {

class Runs {
public:
    // One run. Requires: nodes > 0, or nothing but count() is asked.
    explicit Runs(std::uint32_t nodes = 0)
        : begins_((std::size_t{nodes} + 63) / 64, 0), nodes_(nodes) {
        if (nodes > 0) cut(0);
    }

    [[nodiscard]] std::uint32_t count() const { return count_; }

    // The first node of the run that this node is in.
    [[nodiscard]] std::uint32_t first_of(std::uint32_t node) const {
        std::size_t word = node / 64;
        std::uint64_t bits = begins_[word] & (~std::uint64_t{0} >> (63 - node % 64));
        while (bits == 0)
            bits = begins_[--word];
        return static_cast<std::uint32_t>(word * 64 + 63) -
               static_cast<std::uint32_t>(std::countl_zero(bits));
    }
    // The first node of the next run; the number of nodes after the last one.
    [[nodiscard]] std::uint32_t end_of(std::uint32_t node) const {
        std::size_t word = (std::size_t{node} + 1) / 64;
        if (word == begins_.size()) return nodes_;
        std::uint64_t bits = begins_[word] & (~std::uint64_t{0} << ((node + 1) % 64));
        while (bits == 0) {
            if (++word == begins_.size()) return nodes_;
            bits = begins_[word];
        }
        return static_cast<std::uint32_t>(word * 64) +
               static_cast<std::uint32_t>(std::countr_zero(bits));
    }
    [[nodiscard]] bool begins_at(std::uint32_t node) const {
        return (begins_[node / 64] >> (node % 64)) & 1;
    }

    // Requires: no run begins there.
    void cut(std::uint32_t node) {
        begins_[node / 64] |= std::uint64_t{1} << (node % 64);
        ++count_;
    }
    // Requires: a run begins there, and it is not the first one.
    void join(std::uint32_t node) {
        WEIR_ASSERT(node > 0);
        begins_[node / 64] &= ~(std::uint64_t{1} << (node % 64));
        --count_;
    }

private:
    std::vector<std::uint64_t> begins_;
    std::uint32_t nodes_ = 0;
    std::uint32_t count_ = 0;
};

}  // namespace weir::sched
