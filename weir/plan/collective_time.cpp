#include "weir/plan/collective_time.hpp"

#include <algorithm>
#include <cmath>

namespace weir::plan {
namespace {

// A ring passes each piece on size - 1 times. Between nodes libraries take trees for sums (NCCL
// does), and rings for everything else.
double tree_steps(double nodes) {
    return nodes > 1 ? std::ceil(std::log2(nodes)) : 0;
}

// One pass in two levels: each chip receives (size - 1) / size of the vector.
double one_pass_s(const Machine& machine,
                  const Group& group,
                  double bytes,
                  double buckets,
                  double steps_between) {
    if (group.size() <= 1 || bytes <= 0) return 0;
    double seconds = 0;
    if (group.inside > 1) {
        // Short vectors take trees, or rings whose steps overlap: the start and the levels of a
        // tree (all-reduce of 1 MB on 2, 4 and 8 A100 takes 44, 51 and 93 us: VIA-Research/vTrain,
        // trace/a100).
        seconds += bytes * (group.inside - 1) / group.inside /
                       machine.inside.reached_bytes_per_s_to(group.inside - 1) +
                   buckets * (1 + std::log2(group.inside)) * machine.inside.calibration.latency_s;
    }
    if (group.nodes > 1) {
        // Every chip of the group has its own way out of the node, and carries its part.
        seconds += bytes / group.inside * (group.nodes - 1) / group.nodes /
                       machine.between.reached_bytes_per_s() +
                   buckets * steps_between * machine.between.calibration.latency_s;
    }
    return seconds;
}

}  // namespace

Group group_of(const Machine& machine, std::uint64_t stride, std::uint64_t size) {
    const std::uint64_t node = std::max<std::uint32_t>(machine.chips_per_node, 1);
    if (stride >= node) return {1, static_cast<double>(size)};
    const std::uint64_t inside = std::clamp<std::uint64_t>(node / stride, 1, size);
    return {static_cast<double>(inside),
            std::ceil(static_cast<double>(size) / static_cast<double>(inside))};
}

double all_gather_s(const Machine& machine, const Group& group, double bytes, double buckets) {
    return one_pass_s(machine, group, bytes, buckets, group.nodes - 1);
}

double reduce_scatter_s(const Machine& machine, const Group& group, double bytes, double buckets) {
    return one_pass_s(machine, group, bytes, buckets, group.nodes - 1);
}

double all_reduce_s(const Machine& machine, const Group& group, double bytes, double buckets) {
    return 2 * one_pass_s(machine, group, bytes, buckets, tree_steps(group.nodes));
}

double all_to_all_s(const Machine& machine, const Group& group, double bytes, double leaving) {
    const double size = group.size();
    if (size <= 1 || bytes <= 0) return 0;
    const Link& inside = machine.inside;
    const Link& between = machine.between;
    const double to_inside = bytes * (group.inside - 1) / size;
    const double to_others = leaving * bytes * (size - group.inside) / size;
    double seconds = 0;
    if (to_inside > 0) {
        seconds += to_inside / (inside.bytes_per_s_to(group.inside - 1) *
                                inside.calibration.alltoall_share) +
                   inside.calibration.latency_s;
    }
    // Both kinds of link carry at the same time; the slower one is waited for.
    if (to_others > 0) {
        const double out_s =
            to_others / (between.bytes_per_s * between.calibration.alltoall_share) +
            tree_steps(group.nodes) * between.calibration.latency_s;
        seconds = std::max(seconds, out_s);
    }
    return seconds;
}

double send_s(const Machine& machine, std::uint64_t stride, double bytes) {
    if (bytes <= 0) return 0;
    const Link& link = stride < machine.chips_per_node ? machine.inside : machine.between;
    return bytes / link.reached_bytes_per_s_to(1) + link.calibration.latency_s;
}

double slowest_send_s(const Machine& machine,
                      std::uint64_t stride,
                      std::uint64_t size,
                      double bytes) {
    const std::uint64_t node = machine.chips_per_node;
    return send_s(machine, stride * size > node ? std::max(stride, node) : stride, bytes);
}

}  // namespace weir::plan
