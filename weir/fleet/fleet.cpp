#include "weir/fleet/fleet.hpp"

#include <array>

#include "weir/base/assert.hpp"

namespace weir::fleet {
namespace {
constexpr std::array<std::string_view, 5> level_names{"node", "rack", "pod", "pool", "site"};
}

std::string_view name_of(Level level) {
    return level_names.at(static_cast<std::size_t>(level));
}

std::optional<Level> level_from_name(std::string_view name) {
    for (std::size_t i = 0; i < level_names.size(); ++i) {
        if (level_names.at(i) == name) return static_cast<Level>(i);
    }
    return std::nullopt;
}

std::uint32_t Pool::rack_nodes() const {
    return nodes_per_rack == 0 || nodes_per_rack > nodes ? nodes : nodes_per_rack;
}

std::uint32_t Pool::pod_nodes() const {
    const std::uint64_t span = std::uint64_t{nodes_per_rack} * racks_per_pod;
    return span == 0 || span > nodes ? nodes : static_cast<std::uint32_t>(span);
}

std::uint32_t Pool::racks() const {
    return nodes == 0 ? 0 : (nodes - 1) / rack_nodes() + 1;
}

std::uint32_t Pool::pods() const {
    return nodes == 0 ? 0 : (nodes - 1) / pod_nodes() + 1;
}

std::uint64_t Fleet::nodes_total() const {
    std::uint64_t total = 0;
    for (const Pool& pool : pools)
        total += pool.nodes;
    return total;
}

std::uint64_t Fleet::chips_total() const {
    std::uint64_t total = 0;
    for (const Pool& pool : pools)
        total += std::uint64_t{pool.nodes} * pool.chips_per_node;
    return total;
}

std::uint64_t Fleet::cpus_milli_total() const {
    std::uint64_t total = 0;
    for (const Pool& pool : pools)
        total += std::uint64_t{pool.nodes} * pool.cpus_milli;
    return total;
}

std::string Fleet::node_name(PoolId id, std::uint32_t node) const {
    const Pool& where = pool(id);
    WEIR_ASSERT(node < where.nodes);
    if (node < where.node_names.size()) return where.node_names[node];
    return where.name + "-" + std::to_string(node);
}

}  // namespace weir::fleet
