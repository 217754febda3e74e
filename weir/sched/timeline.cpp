// See timeline.hpp. Invariant: no node has by == 0, and times are distinct.
#include "weir/sched/timeline.hpp"

#include <algorithm>

namespace weir::sched {
namespace {

std::uint64_t hash_of(Time at) {
    auto mixed = static_cast<std::uint64_t>(at.time_since_epoch().count()) * 0x9E3779B97F4A7C15ULL;
    mixed = (mixed ^ (mixed >> 32)) * 0xD6E8FEB86659FD93ULL;
    return mixed ^ (mixed >> 29);
}

}  // namespace

void Timeline::update(Index index) {
    Node& node = nodes_[index];
    std::int64_t before = 0;
    node.sum = node.by;
    node.lowest = node.highest = node.by;
    if (node.left != none) {
        const Node& left = nodes_[node.left];
        before = left.sum;
        node.sum += left.sum;
        node.lowest = std::min(left.lowest, before + node.by);
        node.highest = std::max(left.highest, before + node.by);
    }
    if (node.right != none) {
        const Node& right = nodes_[node.right];
        node.lowest = std::min(node.lowest, node.sum + right.lowest);
        node.highest = std::max(node.highest, node.sum + right.highest);
        node.sum += right.sum;
    }
}

void Timeline::split(Index root, Time at, Index& before, Index& from) {
    if (root == none) {
        before = from = none;
        return;
    }
    if (nodes_[root].at < at) {
        Index middle = none;
        split(nodes_[root].right, at, middle, from);
        nodes_[root].right = middle;
        before = root;
    } else {
        Index middle = none;
        split(nodes_[root].left, at, before, middle);
        nodes_[root].left = middle;
        from = root;
    }
    update(root);
}

Timeline::Index Timeline::merge(Index left, Index right) {
    if (left == none) return right;
    if (right == none) return left;
    if (nodes_[left].priority > nodes_[right].priority) {
        nodes_[left].right = merge(nodes_[left].right, right);
        update(left);
        return left;
    }
    nodes_[right].left = merge(left, nodes_[right].left);
    update(right);
    return right;
}

Timeline::Index Timeline::insert(Index root, Index node) {
    if (root == none) return node;
    if (nodes_[node].priority > nodes_[root].priority) {
        split(root, nodes_[node].at, nodes_[node].left, nodes_[node].right);
        update(node);
        return node;
    }
    Index& side = nodes_[node].at < nodes_[root].at ? nodes_[root].left : nodes_[root].right;
    side = insert(side, node);
    update(root);
    return root;
}

// Requires: there is a change at this time below root.
Timeline::Index Timeline::change(Index root, Time at, std::int64_t by, bool& emptied) {
    Node& node = nodes_[root];
    if (node.at == at) {
        node.by += by;
        emptied = node.by == 0;
    } else if (at < node.at) {
        change(node.left, at, by, emptied);
    } else {
        change(node.right, at, by, emptied);
    }
    update(root);
    return root;
}

Timeline::Index Timeline::erase(Index root, Time at) {
    if (nodes_[root].at == at) {
        unused_.push_back(root);
        return merge(nodes_[root].left, nodes_[root].right);
    }
    Index& side = at < nodes_[root].at ? nodes_[root].left : nodes_[root].right;
    side = erase(side, at);
    update(root);
    return root;
}

Timeline::Index Timeline::find(Time at) const {
    Index node = root_;
    while (node != none && nodes_[node].at != at) {
        node = at < nodes_[node].at ? nodes_[node].left : nodes_[node].right;
    }
    return node;
}

void Timeline::add(Time at, std::int64_t by) {
    if (by == 0) return;
    if (find(at) != none) {
        bool emptied = false;
        change(root_, at, by, emptied);
        if (emptied) root_ = erase(root_, at);
        return;
    }
    Index index = static_cast<Index>(nodes_.size());
    if (unused_.empty()) {
        nodes_.emplace_back();
    } else {
        index = unused_.back();
        unused_.pop_back();
    }
    nodes_[index] = {.at = at,
                     .by = by,
                     .sum = by,
                     .lowest = by,
                     .highest = by,
                     .priority = hash_of(at),
                     .left = none,
                     .right = none};
    root_ = insert(root_, index);
}

std::int64_t Timeline::at(Time time) const {
    std::int64_t level = level_;
    Index index = root_;
    while (index != none) {
        const Node& node = nodes_[index];
        if (node.at > time) {
            index = node.left;
            continue;
        }
        level += node.by + (node.left == none ? 0 : nodes_[node.left].sum);
        index = node.right;
    }
    return level;
}

Time Timeline::next_below(Index index, std::int64_t level, Time from, std::int64_t amount) const {
    if (index == none || level + nodes_[index].lowest >= amount) return never;
    const Node& node = nodes_[index];
    const std::int64_t here = level + node.by + (node.left == none ? 0 : nodes_[node.left].sum);
    if (node.at > from) {
        const Time earlier = next_below(node.left, level, from, amount);
        if (earlier != never) return earlier;
        if (here < amount) return node.at;
    }
    return next_below(node.right, here, from, amount);
}

Time Timeline::next_reaching(Index index,
                             std::int64_t level,
                             Time from,
                             std::int64_t amount) const {
    if (index == none || level + nodes_[index].highest < amount) return never;
    const Node& node = nodes_[index];
    const std::int64_t here = level + node.by + (node.left == none ? 0 : nodes_[node.left].sum);
    if (node.at > from) {
        const Time earlier = next_reaching(node.left, level, from, amount);
        if (earlier != never) return earlier;
        if (here >= amount) return node.at;
    }
    return next_reaching(node.right, here, from, amount);
}

std::int64_t Timeline::least(Time from, Time until) const {
    std::int64_t low = at(from);
    // Walks down dip by dip: each is lower than the one before, and there are few.
    for (Time next = next_below(root_, level_, from, low); next < until;
         next = next_below(root_, level_, next, low)) {
        low = at(next);
    }
    return low;
}

Time Timeline::earliest(Time from, Duration duration, std::int64_t amount) const {
    Time start = from;
    if (at(from) < amount) start = next_reaching(root_, level_, from, amount);
    while (start != never) {
        const Time dip = next_below(root_, level_, start, amount);
        if (dip == never || (duration < forever && dip >= start + duration)) return start;
        start = next_reaching(root_, level_, dip, amount);
    }
    return never;
}

}  // namespace weir::sched
