// How long chips talk: collectives by algorithm, size and link.
//
// The model is alpha-beta (Thakur et al. 2005): a latency for each step of the algorithm and the
// bytes that the slowest link has to carry. A group that spans nodes works in two levels, inside a
// node and between nodes, and its members inside a node share what the node has between nodes as
// far as other groups of the same kind use it at the same time.
//
// Sizes are bytes that one chip holds before a reduction or after a gather ("the whole vector").
//
// Threads: pure functions.
#pragma once

#include <cstdint>

#include "weir/plan/machine.hpp"

namespace weir::plan {

// Who takes part: `inside` chips of each of `nodes` nodes. `sharing` groups of the same kind use
// the links of a node at the same time.
struct Group {
    double inside = 1;
    double nodes = 1;
    [[nodiscard]] double size() const { return inside * nodes; }
};

// Where a dimension of parallelism lies: ranks are placed with `stride` chips between neighbours
// (the product of the dimensions inside it), `size` of them.
Group group_of(const Machine& machine, std::uint64_t stride, std::uint64_t size);

// Sent in `buckets` pieces, each of which pays for its steps.
double all_gather_s(const Machine& machine, const Group& group, double bytes, double buckets = 1);
double reduce_scatter_s(const Machine& machine,
                        const Group& group,
                        double bytes,
                        double buckets = 1);
double all_reduce_s(const Machine& machine, const Group& group, double bytes, double buckets = 1);
// `bytes`: what one chip sends in all; of what is for other nodes only `leaving` goes over the
// links between them, where what several chips of a node want is sent there once.
double all_to_all_s(const Machine& machine, const Group& group, double bytes, double leaving = 1);
// To a neighbour `stride` chips away.
double send_s(const Machine& machine, std::uint64_t stride, double bytes);
// Along `size` chips that are so far apart each: the slowest of the sends, which leaves the node
// where they do not all lie in one.
double slowest_send_s(const Machine& machine,
                      std::uint64_t stride,
                      std::uint64_t size,
                      double bytes);

}  // namespace weir::plan
