// What a job of a trace asks for on the fleet that it is replayed on.
//
// Logs say "12 devices" where a scheduler needs "one node with 8 chips and one with 4". The rule:
//   * classic logs: every processor is a replica of its own, wherever there is room;
//   * a share of a device, or devices that fit on one node: one replica;
//   * the log says on how many nodes it ran, and that divides the devices: one replica a node;
//   * more devices than a node has: as many whole nodes as they fill, and one part for the rest;
//   * no devices: one replica with the CPUs and the memory, or one a node if the log says how many.
// CPUs and memory are split in proportion to the chips.
//
// A job that says which number format it needs runs on chips that compute in it only; the other
// chips, on which it would run but for that, are barred to it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "weir/fleet/demand.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/sched/engine.hpp"
#include "weir/sim/trace.hpp"

namespace weir::sim {

// Whether a kind of chip keeps the contract of a job whose results need this format.
using KeepsOf = std::function<bool(std::string_view chip, catalog::Format format)>;

class DemandsOf {
public:
    // Without `keeps`, every chip computes in everything.
    DemandsOf(const Trace& trace, fleet::Fleet fleet, KeepsOf keeps = {});

    const fleet::Demand& of(const TraceJob& job);
    const std::vector<PoolId>& barred_to(const TraceJob& job);
    [[nodiscard]] bool can_ever_fit(const sched::Engine& engine, const TraceJob& job);
    // Whether all that it reads could be at one site where it may run.
    [[nodiscard]] bool can_ever_read(const sched::Engine& engine,
                                     const TraceJob& job,
                                     TenantId tenant);

private:
    struct Known {
        fleet::Demand demand;
        std::vector<PoolId> barred;
        int fits = -1;                                             // -1 = not asked yet
        std::map<std::pair<std::uint32_t, TenantId>, bool> reads;  // by its datasets, and for whom
    };
    using Key = std::tuple<std::uint32_t,
                           std::uint32_t,
                           std::uint32_t,
                           std::uint64_t,
                           std::int64_t,
                           std::uint32_t,
                           std::optional<catalog::Format>>;

    Known& known(const TraceJob& job);
    // Of a demand of which only the pools are set, the rest.
    void make(const TraceJob& job, fleet::Demand& demand) const;
    [[nodiscard]] std::vector<PoolId> pools_for(const TraceJob& job) const;

    const Trace& trace_;
    fleet::Fleet fleet_;
    KeepsOf keeps_;
    std::map<Key, Known> known_;
};

}  // namespace weir::sim
