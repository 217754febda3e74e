// Waiting: who may start next, for each shape of demand.
//
// Jobs with equal demands form one group, so what is found out about one of them ("does not fit
// now") holds for all, and thousands of equal jobs cost as much as one. Inside a group they are in
// order, and each stretch of them knows its shortest limit: "the first in order that ends before T"
// is one search (sequence.hpp).
//
// Threads: one at a time. Cost: O(log n) each.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <limits>
#include <vector>

#include "weir/base/time.hpp"
#include "weir/sched/sequence.hpp"

namespace weir::sched {

inline constexpr std::uint32_t no_slot = std::numeric_limits<std::uint32_t>::max();

// The place in the queue: the highest class first, then by date, then by submission.
struct Rank {
    std::uint8_t lane = 0;  // 0 = urgent
    Time date{};
    std::uint64_t order = 0;
    friend auto operator<=>(const Rank&, const Rank&) = default;
};

// Somebody in a queue.
struct Queued {
    Rank rank;
    std::uint32_t slot = no_slot;
    Duration limit{};
    [[nodiscard]] const Rank& key() const { return rank; }
};
struct Stretch {  // of a queue
    Duration shortest_limit = Duration::max();
    std::uint64_t count = 0;
    static Stretch of(const Queued& one) { return {one.limit, 1}; }
    [[nodiscard]] Stretch then(const Stretch& next) const {
        return {std::min(shortest_limit, next.shortest_limit), count + next.count};
    }
};
using Queue = Sequence<Queued, Stretch>;

// Somebody who runs, where only the order counts.
struct InOrder {
    Rank rank;
    std::uint32_t slot = no_slot;
    std::uint32_t shape = 0;
    [[nodiscard]] const Rank& key() const { return rank; }
};
struct NoSummary {
    static NoSummary of(const InOrder&) { return {}; }
    [[nodiscard]] NoSummary then(const NoSummary&) const { return {}; }
};
using Ordered = Sequence<InOrder, NoSummary>;

class Waiting {
public:
    // Requires: ranks are distinct.
    void join(std::uint32_t group, std::uint32_t slot, const Rank& rank, Duration limit) {
        if (group >= groups_.size()) groups_.resize(group + 1);
        groups_[group].insert({rank, slot, limit});
    }
    // Requires: it joined with this rank.
    void leave(std::uint32_t group, const Rank& rank) { groups_[group].erase(rank); }

    // The first in order whose limit is below `limit`, of those behind `after`; no_slot if there is
    // none.
    [[nodiscard]] std::uint32_t first(std::uint32_t group,
                                      Duration limit = Duration::max(),
                                      const Rank* after = nullptr) const {
        const Queued* const one = find(group, limit, after);
        return one == nullptr ? no_slot : one->slot;
    }
    // The same with its rank and limit; null if there is none. Valid until somebody joins or
    // leaves.
    [[nodiscard]] const Queued* find(std::uint32_t group,
                                     Duration limit = Duration::max(),
                                     const Rank* after = nullptr) const {
        if (group >= groups_.size()) return nullptr;
        return groups_[group].first(after, {}, [limit](const Stretch&, const Stretch& stretch) {
            return stretch.shortest_limit < limit;
        });
    }

private:
    std::vector<Queue> groups_;
};

}  // namespace weir::sched
