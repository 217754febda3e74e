// A scheduler that is slow and obviously right. DO NOT USE IT FOR ANYTHING BUT TESTS.
//
// It says in the plainest way what engine.hpp promises: nodes are a list, the queue is a list, the
// state at a later time is a copy of everything with the ended jobs taken out, and every question
// is answered by trying. There is no index, no shared result, nothing kept between passes. The
// fast engine must take the same decisions, placement for placement.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "weir/sched/engine.hpp"

namespace weir::sched {

class ReferenceEngine {
public:
    ReferenceEngine(fleet::Fleet fleet, Policy policy);
    void apply(const Event& event, Time now);
    void decide(Time now, std::vector<Decision>& decisions);

private:
    struct Node {
        PoolId pool;
        std::uint32_t number = 0;
        bool up = true;
        std::vector<std::uint32_t> chip_room;  // permille free; 1000 = nobody uses it
        std::uint32_t cpus_milli = 0;
        std::int64_t memory = 0;
    };
    // One replica, where it is.
    struct Piece {
        std::size_t node = 0;  // position in Nodes
        std::uint32_t part = 0;
        std::vector<std::uint32_t> chips;
    };
    using Nodes = std::vector<Node>;
    using Pieces = std::vector<Piece>;
    struct Job {
        Request request;
        std::uint64_t order = 0;
        Phase phase = Phase::held;
        Outcome outcome = Outcome::succeeded;
        Time end_by{};
        Pieces pieces;
    };

    [[nodiscard]] std::optional<Pieces> find(const Nodes& nodes, const fleet::Demand& demand) const;
    [[nodiscard]] std::optional<Pieces> find_part(const Nodes& nodes,
                                                  const std::vector<std::size_t>& candidates,
                                                  const fleet::Demand& demand,
                                                  std::uint32_t part) const;
    [[nodiscard]] bool place_one(Node& node,
                                 const fleet::ReplicaDemand& each,
                                 std::vector<std::uint32_t>& chips) const;
    [[nodiscard]] std::uint64_t holds(Node node, const fleet::ReplicaDemand& each) const;
    void put(Nodes& nodes, const fleet::Demand& demand, const Pieces& pieces, bool taking) const;
    [[nodiscard]] Nodes nodes_when(Time at) const;  // everything that ends by `at` is gone
    [[nodiscard]] std::vector<Job*> waiting();
    [[nodiscard]] bool throttled(const Job& job) const;
    void start(Job& job, Pieces pieces, Time now, Cause cause, std::vector<Decision>& decisions);
    [[nodiscard]] fleet::Placement placement_of(const Pieces& pieces) const;

    fleet::Fleet fleet_;
    Policy policy_;
    Nodes nodes_;  // now
    std::map<JobId, Job> jobs_;
    std::uint64_t submissions_ = 0;
    JobId reserved_;
    Time reserved_at_ = never;
};

}  // namespace weir::sched
