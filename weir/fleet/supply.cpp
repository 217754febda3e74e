#include "weir/fleet/supply.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "weir/base/assert.hpp"

namespace weir::fleet {
namespace {

using Wide = unsigned __int128;

constexpr std::uint32_t no_slot = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t not_counted_cpus = std::numeric_limits<std::uint32_t>::max();
constexpr std::int64_t not_counted_memory = std::numeric_limits<std::int64_t>::max();

constexpr std::uint64_t reprice_every = 64;  // arrivals
constexpr std::uint64_t learn_every = 256;   // arrivals
constexpr std::uint64_t one = 65536;         // a thousandth of a chip, in the unit of costs
constexpr std::uint64_t usable_weight = 2;   // of Q beside the places
constexpr std::uint64_t usable_percent = 2;  // of the demand that Q asks for
constexpr std::size_t states_to_keep = 16'384;

// floor(16 sqrt(n)), for n up to the chips of a node.
std::uint64_t sixteen_roots(std::uint64_t n) {
    std::uint64_t root = 16;
    while ((root + 1) * (root + 1) <= 256 * n)
        ++root;
    return root;
}

std::uint64_t mixed(std::uint64_t hash, std::uint64_t word) {
    const Wide product = static_cast<Wide>(hash ^ word) * 0x9E3779B97F4A7C15ULL;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

Supply::Supply(const Fleet& fleet) : kinds_(fleet), forget_at_(states_to_keep) {
    for (const Pool& pool : fleet.pools) {
        counts_cpus_.push_back(pool.cpus_milli > 0);
        counts_memory_.push_back(pool.memory.count > 0);
    }
    slots_.assign(64, no_slot);
}

// ---------------------------------------------------------------------------------------------
// States

std::uint64_t Supply::hash_of(const Key& key) {
    std::uint64_t hash = mixed(key.kind, std::uint64_t{key.chips} << 32 | key.cpus_milli);
    hash = mixed(hash, static_cast<std::uint64_t>(key.memory));
    for (const std::uint16_t room : key.rooms)
        hash = mixed(hash, room);
    return hash;
}

StateId Supply::state(PoolId pool,
                      std::uint32_t chips,
                      const std::vector<std::uint16_t>& rooms,
                      std::uint32_t cpus_milli,
                      Bytes memory) {
    probe_.kind = kinds_.bit_of(pool);
    probe_.chips = chips;
    probe_.cpus_milli = counts_cpus_[pool.value] ? cpus_milli : not_counted_cpus;
    probe_.memory = counts_memory_[pool.value] ? memory.count : not_counted_memory;
    probe_.rooms = rooms;
    return intern(probe_);
}

StateId Supply::intern(const Key& key) {
    const std::uint64_t hash = hash_of(key);
    std::size_t slot = hash & (slots_.size() - 1);
    for (; slots_[slot] != no_slot; slot = (slot + 1) & (slots_.size() - 1)) {
        const State& its = states_[slots_[slot]];
        if (its.hash == hash && its.key == key) return StateId{slots_[slot]};
    }
    std::uint32_t position = static_cast<std::uint32_t>(states_.size());
    if (unused_.empty()) {
        states_.emplace_back();
        places_.resize(places_.size() + shapes_max);
    } else {
        position = unused_.back();
        unused_.pop_back();
    }
    State& its = states_[position];
    its = State{};
    its.key = key;
    its.hash = hash;
    its.chips_milli = key.chips * 1000;
    for (const std::uint16_t room : key.rooms)
        its.chips_milli += room;
    slots_[slot] = position;
    if (states_known() * 2 > slots_.size()) grow_slots();
    return StateId{position};
}

void Supply::grow_slots() {
    std::vector<std::uint32_t> before = std::move(slots_);
    slots_.assign(before.size() * 2, no_slot);
    for (const std::uint32_t position : before) {
        if (position == no_slot) continue;
        std::size_t slot = states_[position].hash & (slots_.size() - 1);
        while (slots_[slot] != no_slot)
            slot = (slot + 1) & (slots_.size() - 1);
        slots_[slot] = position;
    }
}

// Of those that no node has; what is worked out for them comes to the same again.
void Supply::forget_states() {
    std::vector<std::uint32_t> kept;
    for (const std::uint32_t position : slots_) {
        if (position == no_slot) continue;
        if (states_[position].nodes > 0) {
            kept.push_back(position);
        } else {
            unused_.push_back(position);
        }
    }
    std::fill(slots_.begin(), slots_.end(), no_slot);
    for (const std::uint32_t position : kept) {
        std::size_t slot = states_[position].hash & (slots_.size() - 1);
        while (slots_[slot] != no_slot)
            slot = (slot + 1) & (slots_.size() - 1);
        slots_[slot] = position;
    }
    forget_at_ = std::max(states_to_keep, 4 * kept.size());
}

void Supply::joined(StateId state, std::uint32_t nodes) {
    count(state, nodes);
}

void Supply::left(StateId state, std::uint32_t nodes) {
    WEIR_ASSERT(states_[state.value].nodes >= nodes);
    count(state, -std::int64_t{nodes});
}

void Supply::moved(StateId from, StateId to, std::uint32_t nodes) {
    if (from == to) return;
    left(from, nodes);
    joined(to, nodes);
}

void Supply::count(StateId id, std::int64_t nodes) {
    State& its = states_[id.value];
    its.nodes = static_cast<std::uint32_t>(its.nodes + nodes);
    free_milli_ += nodes * its.chips_milli;
    const std::uint16_t* places = places_of(id);
    for (std::size_t m = 0; m < columns_.size(); ++m)
        columns_[m].places += nodes * places[m];
}

// ---------------------------------------------------------------------------------------------
// What a state is worth

std::uint16_t Supply::places_in(const Key& key, const TaskShape& shape) {
    if ((shape.kinds & key.kind) == 0) return 0;
    const ReplicaDemand& each = shape.each;
    std::uint64_t count = 0;
    if (each.chip_permille > 0) {
        count = std::uint64_t{key.chips} * (1000 / each.chip_permille);
        for (const std::uint16_t room : key.rooms)
            count += room / each.chip_permille;
    } else {
        count = key.chips / each.chips;
    }
    if (each.cpus_milli > 0)
        count = std::min<std::uint64_t>(count, key.cpus_milli / each.cpus_milli);
    if (each.memory.count > 0) {
        count = std::min(count, static_cast<std::uint64_t>(key.memory / each.memory.count));
    }
    static_assert(chips_per_node_max * 1000 <= std::numeric_limits<std::uint16_t>::max());
    return static_cast<std::uint16_t>(count);
}

const std::uint16_t* Supply::places_of(StateId id) {
    State& its = states_[id.value];
    std::uint16_t* places = &places_[std::size_t{id.value} * shapes_max];
    if (its.columns_version != columns_version_) {
        for (std::size_t m = 0; m < columns_.size(); ++m) {
            if (columns_[m].since > its.columns_version) {
                places[m] = places_in(its.key, columns_[m].counted.shape);
            }
        }
        its.columns_version = columns_version_;
    }
    return places;
}

std::uint64_t Supply::usable_milli(StateId id) {
    State& its = states_[id.value];
    if (its.mix_version == mix_version_) return its.usable_milli;
    its.mix_version = mix_version_;
    its.usable_milli = 0;
    const std::uint16_t* places = places_of(id);
    usable_.clear();
    for (std::size_t m = 0; m < columns_.size(); ++m) {
        const CountedShape& counted = columns_[m].counted;
        if (counted.count == 0 || places[m] == 0) continue;
        usable_.push_back(
            {std::uint64_t{places[m]} * chips_milli_of(counted.shape.each), counted.count});
    }
    // A heap, because the first few are usually enough. The order of equal ones changes nothing.
    const auto less = [](const Usable& a, const Usable& b) { return a.milli < b.milli; };
    std::make_heap(usable_.begin(), usable_.end(), less);
    Wide tasks = 0;
    while (!usable_.empty()) {
        tasks += usable_.front().count;
        if (tasks * 100 >= Wide{tasks_} * usable_percent) {
            its.usable_milli = usable_.front().milli;
            break;
        }
        std::pop_heap(usable_.begin(), usable_.end(), less);
        usable_.pop_back();
    }
    return its.usable_milli;
}

Supply::Cost Supply::value(StateId id) {
    if (states_[id.value].price_version == price_version_) return states_[id.value].value;
    const std::uint16_t* places = places_of(id);
    Wide sum = Wide{usable_weight} * one * usable_milli(id);
    for (std::size_t m = 0; m < columns_.size(); ++m)
        sum += Wide{columns_[m].price} * places[m];
    State& its = states_[id.value];
    its.price_version = price_version_;
    its.value = static_cast<Cost>(sum);
    return its.value;
}

// ---------------------------------------------------------------------------------------------
// Choices

Supply::Cost Supply::cost(StateId from, StateId to) {
    return value(from) - value(to);
}

// Whole chips, or none.
StateId Supply::after(StateId from, const ReplicaDemand& each, std::uint32_t replicas) {
    const Key& before = states_[from.value].key;
    probe_ = before;
    WEIR_ASSERT(std::uint64_t{replicas} * each.chips <= before.chips);
    probe_.chips -= replicas * each.chips;
    if (before.cpus_milli != not_counted_cpus) {
        WEIR_ASSERT(std::uint64_t{replicas} * each.cpus_milli <= before.cpus_milli);
        probe_.cpus_milli -= replicas * each.cpus_milli;
    }
    if (before.memory != not_counted_memory) {
        probe_.memory -= replicas * each.memory.count;
        WEIR_ASSERT(probe_.memory >= 0);
    }
    return intern(probe_);
}

// One replica with a fraction of a chip.
Supply::Choice Supply::best_room(StateId from, const ReplicaDemand& each) {
    rooms_ = states_[from.value].key.rooms;
    if (states_[from.value].key.chips > 0) rooms_.push_back(1000);
    Choice best;
    bool found = false;
    for (std::size_t i = 0; i < rooms_.size(); ++i) {
        const std::uint16_t room = rooms_[i];
        if (room < each.chip_permille || (i > 0 && room == rooms_[i - 1])) continue;
        // The rooms stay ascending: what is left of this one moves towards the front.
        probe_ = states_[from.value].key;
        Rooms& rooms = probe_.rooms;
        if (room == 1000) {
            --probe_.chips;
        } else {
            rooms.erase(rooms.begin() + static_cast<std::ptrdiff_t>(i));
        }
        const auto left = static_cast<std::uint16_t>(room - each.chip_permille);
        if (left > 0) rooms.insert(std::lower_bound(rooms.begin(), rooms.end(), left), left);
        if (probe_.cpus_milli != not_counted_cpus) {
            WEIR_ASSERT(each.cpus_milli <= probe_.cpus_milli);
            probe_.cpus_milli -= each.cpus_milli;
        }
        if (probe_.memory != not_counted_memory) {
            probe_.memory -= each.memory.count;
            WEIR_ASSERT(probe_.memory >= 0);
        }
        const StateId to = intern(probe_);
        const Cost its = cost(from, to);
        if (found && its >= best.cost) continue;
        best = {its, to, room};
        found = true;
    }
    WEIR_ASSERT(found);
    return best;
}

Supply::Choice Supply::best(StateId from, const ReplicaDemand& each, std::uint32_t replicas) {
    WEIR_ASSERT(replicas > 0);
    if (each.chip_permille == 0) {
        const StateId to = after(from, each, replicas);
        return {cost(from, to), to, 0};
    }
    Choice choice = best_room(from, each);
    for (std::uint32_t i = 1; i < replicas; ++i) {
        const Choice next = best_room(choice.to, each);
        choice.cost += next.cost;
        choice.to = next.to;
    }
    return choice;
}

int Supply::compare(const Choice& a, const Choice& b) const {
    if (a.cost != b.cost) return a.cost < b.cost ? -1 : 1;
    const State& x = states_[a.to.value];
    const State& y = states_[b.to.value];
    if (x.chips_milli != y.chips_milli) return x.chips_milli < y.chips_milli ? -1 : 1;
    if (x.key.cpus_milli != y.key.cpus_milli) {
        return x.key.cpus_milli < y.key.cpus_milli ? -1 : 1;
    }
    if (x.key.memory != y.key.memory) return x.key.memory < y.key.memory ? -1 : 1;
    return 0;
}

// ---------------------------------------------------------------------------------------------
// The mix and its prices

void Supply::arrived(const Demand& demand) {
    ++arrivals_;
    if (!mix_is_given_) mix_.arrived(demand, kinds_.bits_of(demand.pools));
    if (arrivals_ >= learn_at_) {
        learn_at_ = arrivals_ < learn_every ? arrivals_ * 2 : arrivals_ + learn_every;
        learn();
        set_prices();
    } else if (arrivals_ % reprice_every == 0) {
        set_prices();
    }
    if (states_known() > forget_at_) forget_states();
}

void Supply::know(TaskMix mix) {
    mix_ = std::move(mix);
    mix_is_given_ = true;
    learn();
    set_prices();
}

// A shape that stays keeps its column, so that only what is new has to be counted.
void Supply::learn() {
    std::vector<CountedShape> wanted = mix_.most_wanted(shapes_max);
    ++mix_version_;
    tasks_ = 0;
    for (const CountedShape& counted : wanted)
        tasks_ += counted.count;
    for (Column& column : columns_) {
        const auto its =
            std::lower_bound(wanted.begin(),
                             wanted.end(),
                             column.counted.shape,
                             [](const CountedShape& a, const TaskShape& b) { return a.shape < b; });
        const bool stays =
            column.counted.count > 0 && its != wanted.end() && its->shape == column.counted.shape;
        column.counted.count = stays ? std::exchange(its->count, 0) : 0;
    }
    std::vector<std::size_t> fresh;
    std::size_t m = 0;
    for (const CountedShape& counted : wanted) {
        if (counted.count == 0) continue;  // has its column
        while (m < columns_.size() && columns_[m].counted.count > 0)
            ++m;
        if (m == columns_.size()) columns_.emplace_back();
        if (fresh.empty()) ++columns_version_;
        columns_[m] = {.counted = counted, .since = columns_version_, .places = 0, .price = 0};
        fresh.push_back(m);
    }
    if (fresh.empty()) return;
    for (std::size_t i = 0; i < states_.size(); ++i) {
        if (states_[i].nodes == 0) continue;
        const std::uint16_t* places = places_of(StateId{static_cast<std::uint32_t>(i)});
        for (const std::size_t column : fresh)
            columns_[column].places += std::int64_t{states_[i].nodes} * places[column];
    }
}

void Supply::set_prices() {
    ++price_version_;
    for (Column& column : columns_) {
        column.price = 0;
        if (column.counted.count == 0) continue;
        const Wide share = Wide{one} * static_cast<std::uint64_t>(free_milli_) *
                           column.counted.count /
                           (Wide{tasks_} * (static_cast<std::uint64_t>(column.places) + 1));
        const std::uint32_t chips = std::max(column.counted.shape.each.chips, 1U);
        column.price = static_cast<std::uint64_t>(share * sixteen_roots(chips) / 16);
    }
}

}  // namespace weir::fleet
