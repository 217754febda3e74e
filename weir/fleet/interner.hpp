// Interner: a number for each distinct value, so that keys that hold values compare by number.
//
// Position 0 is the value that nearly everything has. Where values come and go by the thousand,
// the owner asks is_full() from time to time and says which ones are still in use.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

namespace weir::fleet {

template <class Value>
class Interner {
public:
    [[nodiscard]] const Value& operator[](std::uint32_t position) const {
        return values_[position];
    }

    [[nodiscard]] std::uint32_t position_of(const Value& value) {
        const auto next =
            unused_.empty() ? static_cast<std::uint32_t>(values_.size()) : unused_.back();
        const auto [entry, added] = positions_.try_emplace(value, next);
        if (!added) return entry->second;
        if (unused_.empty()) {
            values_.push_back(value);
        } else {
            values_[next] = value;
            unused_.pop_back();
        }
        return next;
    }

    [[nodiscard]] std::size_t size() const { return values_.size(); }
    [[nodiscard]] bool is_full() const { return positions_.size() >= full_at_; }

    // Forgets the values at positions that are not `used`; their positions are given again.
    void keep(const std::vector<bool>& used) {
        for (auto entry = positions_.begin(); entry != positions_.end();) {
            if (entry->second == 0 || used[entry->second]) {
                ++entry;
                continue;
            }
            values_[entry->second] = Value{};
            unused_.push_back(entry->second);
            entry = positions_.erase(entry);
        }
        full_at_ = std::max<std::size_t>(4096, 2 * positions_.size());
    }

private:
    std::vector<Value> values_{Value{}};
    std::map<Value, std::uint32_t> positions_{{Value{}, 0}};
    std::vector<std::uint32_t> unused_;
    std::size_t full_at_ = 4096;
};

}  // namespace weir::fleet
