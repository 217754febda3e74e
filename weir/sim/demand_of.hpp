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
// chips, on which it would run but for that, are barred to it. A training job asks for what was
// planned for it, in one of several sizes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
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

// The sizes in which a training job may run on a fleet; the error says why in none.
using SizesOf = std::function<Result<std::vector<sched::Size>>(const std::string& job_file,
                                                               const fleet::Fleet& fleet)>;

class DemandsOf {
public:
    // Without `keeps`, every chip computes in everything; without `sizes`, nobody trains.
    DemandsOf(const Trace& trace, fleet::Fleet fleet, KeepsOf keeps = {}, SizesOf sizes = {});

    // Of a job with sizes, its first.
    const fleet::Demand& of(const TraceJob& job);
    const std::vector<PoolId>& barred_to(const TraceJob& job);
    // Of a training job: by numbers of chips, and what it waits for until it has taken one: as much
    // as the first has, in the pools of all.
    struct Sizes {
        std::vector<sched::Size> all;
        fleet::Demand waiting;
    };
    const Sizes& sizes_of(const TraceJob& job);
    // Those to which its organisation could ever have a right.
    const Sizes& sizes_of(const TraceJob& job, const sched::Engine& engine, TenantId tenant);
    [[nodiscard]] bool can_ever_fit(const sched::Engine& engine, const TraceJob& job);
    // Whether an organisation could ever have the right to it, in one of its sizes.
    [[nodiscard]] bool can_ever_have(const sched::Engine& engine,
                                     const TraceJob& job,
                                     TenantId tenant);
    // Whether all that it reads could be at one site where it may run.
    [[nodiscard]] bool can_ever_read(const sched::Engine& engine,
                                     const TraceJob& job,
                                     TenantId tenant);

private:
    struct Known {
        fleet::Demand demand;
        std::vector<PoolId> barred;
        Sizes sizes;
        std::map<TenantId, Sizes> of_tenants;                      // of these
        int fits = -1;                                             // -1 = not asked yet
        std::map<std::pair<std::uint32_t, TenantId>, bool> reads;  // by its datasets, and for whom
    };
    using Key = std::tuple<std::uint32_t,
                           std::uint32_t,
                           std::uint32_t,
                           std::uint64_t,
                           std::int64_t,
                           std::uint32_t,
                           std::uint32_t,
                           std::optional<catalog::Format>>;

    Known& known(const TraceJob& job);
    void plan(const std::string& job_file, Known& its);
    // Of a demand of which only the pools are set, the rest.
    void make(const TraceJob& job, fleet::Demand& demand) const;
    [[nodiscard]] std::vector<PoolId> pools_for(const TraceJob& job) const;

    const Trace& trace_;
    fleet::Fleet fleet_;
    KeepsOf keeps_;
    SizesOf sizes_;
    std::map<Key, Known> known_;
};

}  // namespace weir::sim
