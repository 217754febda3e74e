// Failures: which node goes down when, and when it is back.
//
// From the reliability of a fleet: the time to a failure of one node that is up, and the time of
// its repair, are exponential with the means that its pool states. The failures of a pool are drawn
// one after the other for all its nodes together (a node that is down already does not fail), so a
// fleet of any size costs nothing until a node fails; each pool has a generator of its own, and
// equal seeds give equal failures.
//
// From a fault log: CSV with the columns node, start_s and end_s, seconds from the zero of the
// trace; an empty end means for ever. Where the fleet has nodes of these names they are meant, and
// faults of others are left out. Where it has none, the k-th node to appear stands for the node of
// the fleet at k/K of the way through its pools, K being the nodes in the log, or, where the log
// has more nodes, for node k modulo the nodes of the fleet. Overlapping faults of one node are one.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "weir/base/random.hpp"
#include "weir/base/result.hpp"
#include "weir/base/time.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/sim/line_reader.hpp"

namespace weir::sim {

struct Fault {
    std::uint32_t node = 0;  // of the log, numbered by first appearance
    Time from{};
    Time until = never;
    friend auto operator<=>(const Fault&, const Fault&) = default;
};

struct FaultLog {
    std::vector<Fault> faults;       // merged, by node and time
    std::vector<std::string> names;  // of the nodes that appear

    // What to know of the nodes that the log stands for on this fleet; "" = its own, by their
    // names.
    [[nodiscard]] std::string note_on(const fleet::Fleet& fleet) const;

    // Mean time between failures of one node of the fleet, those that never failed included: time
    // up over the number of faults.
    [[nodiscard]] Duration node_mtbf(const fleet::Fleet& fleet) const;
};
Result<FaultLog> read_fault_log(const std::string& path);
Result<FaultLog> read_fault_log(LineReader& lines);

struct NodeChange {
    Time at{};
    PoolId pool;
    std::uint32_t node = 0;
    bool up = false;
    friend auto operator<=>(const NodeChange&, const NodeChange&) = default;
};

class Failures {
public:
    Failures();  // nothing ever fails
    // Pools without a mean time between failures do not fail. Nothing fails before `from`.
    static Failures by_reliability(const fleet::Fleet& fleet, std::uint64_t seed, Time from);
    // Of `copies` of the fleet, one behind the other in each pool, each has the faults of the log
    // at the same moments.
    static Failures by_log(const fleet::Fleet& fleet,
                           const FaultLog& log,
                           std::uint32_t copies = 1);
    Failures(Failures&&) noexcept;
    Failures& operator=(Failures&&) noexcept;
    ~Failures();

    [[nodiscard]] Time next_at() const { return next_at_; }  // `never` when there is nothing more
    // Requires: next_at() < never. Ensures: times never go back, and the changes of one node are
    // down, up, down, and so on.
    NodeChange take();

private:
    struct Source;
    explicit Failures(std::unique_ptr<Source> source);
    void look_ahead();
    std::unique_ptr<Source> source_;  // null = nothing ever fails
    Time next_at_ = never;
};

}  // namespace weir::sim
