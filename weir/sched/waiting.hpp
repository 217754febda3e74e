// Waiting: who may start next, for each shape of demand.
//
// Jobs with equal demands form one group, so what is found out about one of them ("does not fit
// now") holds for all, and thousands of equal jobs cost as much as one. Inside a group they are in
// order, in a tree that also knows the shortest limit below each branch: "the first in order that
// ends before T" is one walk down.
//
// Threads: one at a time. Cost: O(log n) each.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <limits>
#include <vector>

#include "weir/base/time.hpp"

namespace weir::sched {

inline constexpr std::uint32_t no_slot = std::numeric_limits<std::uint32_t>::max();

// The place in the queue: the highest class first, then by date, then by submission.
struct Rank {
    std::uint8_t lane = 0;  // 0 = urgent
    Time date{};
    std::uint64_t order = 0;
    friend auto operator<=>(const Rank&, const Rank&) = default;
};

class Waiting {
public:
    // Requires: ranks are distinct.
    void join(std::uint32_t group, std::uint32_t slot, const Rank& rank, Duration limit) {
        if (group >= roots_.size()) roots_.resize(group + 1, nil);
        std::uint32_t index = static_cast<std::uint32_t>(nodes_.size());
        if (unused_.empty()) {
            nodes_.emplace_back();
        } else {
            index = unused_.back();
            unused_.pop_back();
        }
        nodes_[index] = {.rank = rank,
                         .limit = limit,
                         .shortest = limit,
                         .priority = hash_of(rank.order),
                         .slot = slot,
                         .left = nil,
                         .right = nil};
        roots_[group] = insert(roots_[group], index);
    }
    // Requires: it joined with this rank.
    void leave(std::uint32_t group, const Rank& rank) {
        roots_[group] = erase(roots_[group], rank);
    }

    [[nodiscard]] bool empty(std::uint32_t group) const {
        return group >= roots_.size() || roots_[group] == nil;
    }
    // The first in order whose limit is below `limit`; no_slot if there is none.
    [[nodiscard]] std::uint32_t first(std::uint32_t group, Duration limit = Duration::max()) const {
        if (group >= roots_.size()) return no_slot;
        std::uint32_t index = roots_[group];
        if (index == nil || nodes_[index].shortest >= limit) return no_slot;
        while (true) {
            const Node& node = nodes_[index];
            if (node.left != nil && nodes_[node.left].shortest < limit) {
                index = node.left;
            } else if (node.limit < limit) {
                return node.slot;
            } else {
                index = node.right;
            }
        }
    }

private:
    static constexpr std::uint32_t nil = no_slot;

    struct Node {  // of a treap
        Rank rank;
        Duration limit{};
        Duration shortest{};  // of the subtree
        std::uint64_t priority = 0;
        std::uint32_t slot = no_slot;
        std::uint32_t left = nil;
        std::uint32_t right = nil;
    };

    static std::uint64_t hash_of(std::uint64_t value) {
        value = (value + 0x9E3779B97F4A7C15ULL) * 0xBF58476D1CE4E5B9ULL;
        return value ^ (value >> 31);
    }

    void update(std::uint32_t index) {
        Node& node = nodes_[index];
        node.shortest = node.limit;
        if (node.left != nil) node.shortest = std::min(node.shortest, nodes_[node.left].shortest);
        if (node.right != nil) {
            node.shortest = std::min(node.shortest, nodes_[node.right].shortest);
        }
    }
    void split(std::uint32_t root, const Rank& rank, std::uint32_t& before, std::uint32_t& from) {
        if (root == nil) {
            before = from = nil;
            return;
        }
        std::uint32_t middle = nil;
        if (nodes_[root].rank < rank) {
            split(nodes_[root].right, rank, middle, from);
            nodes_[root].right = middle;
            before = root;
        } else {
            split(nodes_[root].left, rank, before, middle);
            nodes_[root].left = middle;
            from = root;
        }
        update(root);
    }
    std::uint32_t merge(std::uint32_t left, std::uint32_t right) {
        if (left == nil) return right;
        if (right == nil) return left;
        if (nodes_[left].priority > nodes_[right].priority) {
            nodes_[left].right = merge(nodes_[left].right, right);
            update(left);
            return left;
        }
        nodes_[right].left = merge(left, nodes_[right].left);
        update(right);
        return right;
    }
    std::uint32_t insert(std::uint32_t root, std::uint32_t index) {
        if (root == nil) return index;
        if (nodes_[index].priority > nodes_[root].priority) {
            split(root, nodes_[index].rank, nodes_[index].left, nodes_[index].right);
            update(index);
            return index;
        }
        std::uint32_t& side =
            nodes_[index].rank < nodes_[root].rank ? nodes_[root].left : nodes_[root].right;
        side = insert(side, index);
        update(root);
        return root;
    }
    std::uint32_t erase(std::uint32_t root, const Rank& rank) {
        if (nodes_[root].rank == rank) {
            unused_.push_back(root);
            return merge(nodes_[root].left, nodes_[root].right);
        }
        std::uint32_t& side = rank < nodes_[root].rank ? nodes_[root].left : nodes_[root].right;
        side = erase(side, rank);
        update(root);
        return root;
    }

    std::vector<Node> nodes_;
    std::vector<std::uint32_t> unused_;
    std::vector<std::uint32_t> roots_;  // by group
};

}  // namespace weir::sched
