// Supply: how much does a placement cost the tasks that are still to come?
//
// The one idea: every kind of task that is asked for here (TaskMix) finds a number of places in
// what is free; a place has a price, high where many ask and few places are left; and what a
// placement costs is the worth of the places that it destroys. So a job goes where it takes what
// few others could have used anyway, and the chips that nobody can use in the end are few.
//
// For a shape m of the mix and the free state s of a node:
//
//     c_m(s)  how many tasks m it holds, if it takes nothing else; 0 on a chip that m refuses
//     g_m     thousandths of a chip that one m takes;  n_m  whole chips (1 for a fraction)
//     S_m     the sum of c_m over all nodes;  R  free thousandths of all of them
//     P       the sum of all counts of the mix
//     w_m     = floor(65536 R count_m / (P (S_m + 1))) x floor(16 sqrt(n_m)) / 16, the price: a
//             fair share of what is free, spread over its places; dearer for many chips in one
//             node, because these places are destroyed by anything and come back by luck only
//     Q(s)    the largest x such that the shapes with c_m(s) g_m >= x are 2 % of P or more: what
//             some real part of the demand can still use here. It keeps a node from being worn
//             down to a rest that only a rare shape fits into
//     V(s)    = sum of w_m c_m(s) + 2 x 65536 Q(s)
//
// and the cost of a placement is V before it less V after it, over the nodes it touches: never
// negative while prices stand. Prices follow every 64 arrivals, the mix at arrivals 1, 2, 4 ... 256
// and then every 256. Only the 128 shapes that ask for most chips are looked at.
//
// Every state is known by a number (StateId), and what is worked out for it is kept until prices
// change. A number is good while a node is in that state, else until the next arrived(): then the
// states that no node has any more may be forgotten, if they are many. Forgetting changes no cost.
//
// Threads: one at a time. All integers; equal calls give equal answers. Cost: a state asked for
// again, one look into a hash table; moved and a cost after a change of prices, O(shapes);
// arrived, O(log shapes), and O(states with nodes x new shapes) when the mix is taken over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/fleet/demand.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/fleet/task_mix.hpp"

namespace weir::fleet {

using StateId = Id<struct NodeStateTag>;

class Supply {
public:
    using Cost = __int128;
    static constexpr std::size_t shapes_max = 128;

    explicit Supply(const Fleet& fleet);

    // The number of what a node of this pool has free: chips that nobody uses, the rooms (permille
    // free, 1..999, ascending) of its shared chips, CPUs and memory. What a pool does not count
    // (Pool::cpus_milli or memory 0) may be anything.
    [[nodiscard]] StateId state(PoolId pool,
                                std::uint32_t chips,
                                const std::vector<std::uint16_t>& rooms,
                                std::uint32_t cpus_milli,
                                Bytes memory);

    // Nodes come into service, leave it, or have something else free than before.
    void joined(StateId state, std::uint32_t nodes);
    void left(StateId state, std::uint32_t nodes);
    void moved(StateId from, StateId to, std::uint32_t nodes);

    // A job was submitted: counts it, and prices follow from time to time.
    void arrived(const Demand& demand);
    // From now on the mix is this one, whatever arrives; arrivals only keep time.
    void know(TaskMix mix);

    [[nodiscard]] Cost cost(StateId from, StateId to);

    // What a placement on one node would come to.
    struct Choice {
        Cost cost = 0;
        StateId to;              // the state after it
        std::uint16_t room = 0;  // a fraction of a chip: permille free, before, of the chip that
                                 // the first replica goes to; 1000 = a chip that nobody uses
    };
    // The cheapest way to put so many replicas there; among equal ones the tightest room. Several
    // replicas with a fraction of a chip choose one after the other, so that asking for the rest
    // in state `to` of the first gives the room of the second. Requires: they fit.
    [[nodiscard]] Choice best(StateId from, const ReplicaDemand& each, std::uint32_t replicas = 1);
    // Which of two nodes to take for the same replicas: <0 for `a`, 0 when only the number of the
    // node is left to decide. The cheaper one, then the one with less chips, CPUs, memory free.
    [[nodiscard]] int compare(const Choice& a, const Choice& b) const;

    // For tests and benchmarks: states that are known now.
    [[nodiscard]] std::size_t states_known() const { return states_.size() - unused_.size(); }

private:
    using Rooms = std::vector<std::uint16_t>;
    struct Key {
        std::uint64_t kind = 0;  // the bit of its chip
        std::uint32_t chips = 0;
        std::uint32_t cpus_milli = 0;
        std::int64_t memory = 0;
        Rooms rooms;
        friend bool operator==(const Key&, const Key&) = default;
    };
    struct State {
        Key key;
        std::uint64_t hash = 0;
        std::uint32_t nodes = 0;
        std::uint32_t chips_milli = 0;  // free, whole and shared
        // Each is out of date when the one of Supply is another.
        std::uint64_t columns_version = 0;
        std::uint64_t mix_version = 0;
        std::uint64_t price_version = 0;
        std::uint64_t usable_milli = 0;  // Q
        Cost value = 0;                  // V
    };
    // One shape of the mix that is looked at.
    struct Column {
        CountedShape counted;     // count 0 = the column is free
        std::uint64_t since = 0;  // columns_version_ from which on it is this shape
        std::int64_t places = 0;  // S
        std::uint64_t price = 0;  // w
    };

    [[nodiscard]] StateId intern(const Key& key);
    void grow_slots();
    [[nodiscard]] static std::uint64_t hash_of(const Key& key);
    [[nodiscard]] static std::uint16_t places_in(const Key& key, const TaskShape& shape);
    // c_m of a state by column, up to date; valid until the next state is made.
    const std::uint16_t* places_of(StateId id);
    [[nodiscard]] std::uint64_t usable_milli(StateId id);
    [[nodiscard]] Cost value(StateId id);
    [[nodiscard]] StateId after(StateId from, const ReplicaDemand& each, std::uint32_t replicas);
    [[nodiscard]] Choice best_room(StateId from, const ReplicaDemand& each);
    void count(StateId id, std::int64_t nodes);
    void learn();
    void set_prices();
    void forget_states();

    ChipKinds kinds_;
    std::vector<bool> counts_cpus_;    // by pool
    std::vector<bool> counts_memory_;  // by pool

    std::vector<State> states_;          // a StateId is a position in here
    std::vector<std::uint16_t> places_;  // state x shapes_max
    std::vector<std::uint32_t> unused_;  // positions to give again
    std::vector<std::uint32_t> slots_;   // hash table of positions, open addressing
    std::size_t forget_at_;              // states

    TaskMix mix_;
    bool mix_is_given_ = false;
    std::uint64_t arrivals_ = 0;
    std::uint64_t learn_at_ = 1;
    std::vector<Column> columns_;
    std::uint64_t tasks_ = 0;      // P
    std::int64_t free_milli_ = 0;  // R
    std::uint64_t columns_version_ = 1;
    std::uint64_t mix_version_ = 1;
    std::uint64_t price_version_ = 1;

    // Scratch, so that a question allocates nothing once it was asked a few times.
    Key probe_;
    Rooms rooms_;
    struct Usable {
        std::uint64_t milli = 0;
        std::uint64_t count = 0;
    };
    std::vector<Usable> usable_;
};

}  // namespace weir::fleet
