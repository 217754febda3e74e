// History: what a job will probably take, learnt from those that ended.
//
// The mean of the last two run times of jobs of the same owner that are called alike and ask for
// the same (Tsafrir, Etsion, Feitelson, IEEE TPDS 18(6), 2007), else of the last two of the owner,
// else what the user expects, else the limit; never more than the limit. It serves only to order
// those who may overtake: a wrong prediction costs somebody a place in line, never a promise.
//
// Threads: one at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>

#include "weir/base/time.hpp"

namespace weir::sched {

class History {
public:
    void ended(std::uint64_t owner, std::uint64_t likeness, Duration run) {
        note(owners_, owner, run);
        note(alike_, likeness, run);
    }

    [[nodiscard]] Duration predicted(std::uint64_t owner,
                                     std::uint64_t likeness,
                                     Duration expected,
                                     Duration limit) const {
        Duration guess = expected > Duration{} ? expected : limit;
        if (const Last* alike = find(alike_, likeness)) {
            guess = alike->mean();
        } else if (const Last* own = find(owners_, owner);
                   own != nullptr && expected == Duration{}) {
            guess = own->mean();
        }
        return std::clamp(guess, Duration{1}, std::max(limit, Duration{1}));
    }

private:
    struct Last {
        Duration last{};
        Duration before{-1};  // below 0: there was only one
        [[nodiscard]] Duration mean() const {
            return before < Duration{} ? last : (last + before) / 2;
        }
    };
    using Table = std::unordered_map<std::uint64_t, Last>;

    static void note(Table& table, std::uint64_t key, Duration run) {
        if (key == 0) return;
        const auto [entry, added] = table.try_emplace(key, Last{run, Duration{-1}});
        if (!added) entry->second = {run, entry->second.last};
    }
    static const Last* find(const Table& table, std::uint64_t key) {
        const auto known = table.find(key);
        return key == 0 || known == table.end() ? nullptr : &known->second;
    }

    Table owners_;
    Table alike_;
};

}  // namespace weir::sched
