#include "weir/audit/books.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace weir::audit {
namespace {

std::uint32_t nodes_in(std::uint32_t total, std::uint32_t size, std::uint32_t number) {
    return std::min(size, total - std::min(total, size * number));
}

// Thousandths of a chip, or of a CPU where nodes have no chips, that replicas hold on one node.
std::uint64_t units_of(const fleet::Pool& pool,
                       const fleet::ReplicaDemand& each,
                       std::uint32_t replicas) {
    if (pool.chips_per_node == 0) return std::uint64_t{each.cpus_milli} * replicas;
    return (std::uint64_t{each.chips} * 1000 + each.chip_permille) * replicas;
}

}  // namespace

Books::Books(const fleet::Fleet& fleet) {
    for (const fleet::Site& site : fleet.sites)
        site_caps_.push_back(site.power_watts);
    for (const fleet::Pool& pool : fleet.pools) {
        PoolBook book;
        book.pool = pool;
        const auto site = std::find_if(fleet.sites.begin(), fleet.sites.end(), [&](const auto& s) {
            return s.name == pool.site;
        });
        book.site = static_cast<std::uint32_t>(site - fleet.sites.begin());
        if (site == fleet.sites.end()) {  // a site of its own, without a budget
            book.site = static_cast<std::uint32_t>(site_caps_.size());
            site_caps_.push_back(0);
        }
        if (pool.node_busy_watts > 0) {
            book.units_per_node = pool.chips_per_node > 0
                                      ? std::uint64_t{pool.chips_per_node} * 1000
                                      : pool.cpus_milli;
        }
        book.nodes.resize(pool.nodes);
        book.rack_units.resize(pool.racks());
        book.pod_units.resize(pool.pods());
        pools_.push_back(std::move(book));
    }
}

bool Books::exists(PoolId pool, std::uint32_t first, std::uint32_t count) const {
    return pool.value < pools_.size() && count <= pools_[pool.value].pool.nodes &&
           first <= pools_[pool.value].pool.nodes - count;
}

bool Books::exists(const fleet::Placement& placement) const {
    return std::all_of(placement.ranges.begin(), placement.ranges.end(), [this](const auto& range) {
        return exists(range.pool, range.first, range.count);
    });
}

void Books::change_units(PoolBook& book, std::uint32_t node, std::uint64_t units, bool taking) {
    if (book.units_per_node == 0) return;
    const auto change = [&](std::uint64_t& sum) { taking ? sum += units : sum -= units; };
    change(book.rack_units[node / book.pool.rack_nodes()]);
    change(book.pod_units[node / book.pool.pod_nodes()]);
    change(book.units);
}

std::optional<std::string> Books::take(const fleet::Demand& demand,
                                       const fleet::Placement& placement) {
    std::optional<std::string> problem;
    const auto over = [&](const PoolBook& book, std::uint32_t node, std::string what) {
        if (!problem) problem = fmt::format("node {} of pool {}: {}", node, book.pool.name, what);
    };
    for (const fleet::NodeRange& range : placement.ranges) {
        PoolBook& book = pools_[range.pool.value];
        const fleet::Pool& pool = book.pool;
        const fleet::ReplicaDemand& each = demand.parts[range.part].each;
        const std::uint64_t all = pool.chips_per_node >= 64
                                      ? ~std::uint64_t{0}
                                      : (std::uint64_t{1} << pool.chips_per_node) - 1;
        for (std::uint32_t i = range.first; i < range.first + range.count; ++i) {
            Node& node = book.nodes[i];
            if ((range.chip_mask & ~all) != 0) {
                over(
                    book, i, fmt::format("chips {:x} of {}", range.chip_mask, pool.chips_per_node));
            }
            if ((range.chip_mask & node.whole) != 0) {
                over(book, i, fmt::format("chips {:x} are held", range.chip_mask & node.whole));
            }
            if (each.chip_permille > 0) {
                const auto chip = static_cast<std::uint32_t>(std::countr_zero(range.chip_mask));
                std::uint32_t& share = book.shares[std::uint64_t{i} * 64 + chip];
                share += each.chip_permille * range.replicas;
                if (share > 1000) {
                    over(book, i, fmt::format("{} thousandths of chip {} are held", share, chip));
                }
                node.shared |= range.chip_mask;
            } else {
                if ((range.chip_mask & node.shared) != 0) {
                    over(book,
                         i,
                         fmt::format("chips {:x} are shared", range.chip_mask & node.shared));
                }
                node.whole |= range.chip_mask;
            }
            node.cpus_milli += std::uint64_t{each.cpus_milli} * range.replicas;
            if (pool.cpus_milli > 0 && node.cpus_milli > pool.cpus_milli) {
                over(book,
                     i,
                     fmt::format("{} of {} thousandths of a CPU are held",
                                 node.cpus_milli,
                                 pool.cpus_milli));
            }
            node.memory += each.memory.count * range.replicas;
            if (pool.memory.count > 0 && node.memory > pool.memory.count) {
                over(book,
                     i,
                     fmt::format("{} of {} bytes are held", node.memory, pool.memory.count));
            }
            change_units(book, i, units_of(pool, each, range.replicas), true);
        }
    }
    return problem;
}

void Books::give(const fleet::Demand& demand, const fleet::Placement& placement) {
    for (const fleet::NodeRange& range : placement.ranges) {
        PoolBook& book = pools_[range.pool.value];
        const fleet::ReplicaDemand& each = demand.parts[range.part].each;
        for (std::uint32_t i = range.first; i < range.first + range.count; ++i) {
            Node& node = book.nodes[i];
            if (each.chip_permille > 0) {
                const auto chip = static_cast<std::uint32_t>(std::countr_zero(range.chip_mask));
                const auto share = book.shares.find(std::uint64_t{i} * 64 + chip);
                share->second -= each.chip_permille * range.replicas;
                if (share->second == 0) {
                    book.shares.erase(share);
                    node.shared &= ~range.chip_mask;
                }
            } else {
                node.whole &= ~range.chip_mask;
            }
            node.cpus_milli -= std::uint64_t{each.cpus_milli} * range.replicas;
            node.memory -= each.memory.count * range.replicas;
            change_units(book, i, units_of(book.pool, each, range.replicas), false);
        }
    }
}

void Books::set_health(PoolId pool, std::uint32_t node, Health health) {
    pools_[pool.value].nodes[node].health = health;
}
Health Books::health(PoolId pool, std::uint32_t node) const {
    return pools_[pool.value].nodes[node].health;
}

bool Books::set_cap(const Domain& domain, double watts) {
    if (domain.pool.value >= pools_.size()) return false;
    PoolBook& book = pools_[domain.pool.value];
    switch (domain.level) {
        case fleet::Level::rack:
            if (domain.number >= book.pool.racks()) return false;
            book.rack_caps[domain.number] = watts;
            return true;
        case fleet::Level::pod:
            if (domain.number >= book.pool.pods()) return false;
            book.pod_caps[domain.number] = watts;
            return true;
        default:
            site_caps_[book.site] = watts;
            return true;
    }
}

double Books::cap(const Domain& domain) const {
    const PoolBook& book = pools_[domain.pool.value];
    const auto set = [&](const std::map<std::uint32_t, double>& caps, double otherwise) {
        const auto found = caps.find(domain.number);
        return found == caps.end() ? otherwise : found->second;
    };
    switch (domain.level) {
        case fleet::Level::rack:
            return set(book.rack_caps, book.pool.rack_power_watts);
        case fleet::Level::pod:
            return set(book.pod_caps, book.pool.pod_power_watts);
        default:
            return site_caps_[book.site];
    }
}

double Books::watts(const PoolBook& book, std::uint32_t nodes, std::uint64_t units) {
    if (book.units_per_node == 0) return 0;
    return nodes * book.pool.node_idle_watts +
           static_cast<double>(units) / static_cast<double>(book.units_per_node) *
               (book.pool.node_busy_watts - book.pool.node_idle_watts);
}

double Books::drawn(const Domain& domain) const {
    const PoolBook& book = pools_[domain.pool.value];
    const fleet::Pool& pool = book.pool;
    switch (domain.level) {
        case fleet::Level::rack:
            return watts(book,
                         nodes_in(pool.nodes, pool.rack_nodes(), domain.number),
                         book.rack_units[domain.number]);
        case fleet::Level::pod:
            return watts(book,
                         nodes_in(pool.nodes, pool.pod_nodes(), domain.number),
                         book.pod_units[domain.number]);
        default: {
            double sum = 0;
            for (const PoolBook& other : pools_) {
                if (other.site == book.site) sum += watts(other, other.pool.nodes, other.units);
            }
            return sum;
        }
    }
}

std::vector<Domain> Books::capped_domains(const fleet::Placement& placement) const {
    std::vector<Domain> found;
    const auto add = [&](const Domain& domain) {
        if (cap(domain) > 0) found.push_back(domain);
    };
    for (const fleet::NodeRange& range : placement.ranges) {
        const PoolBook& book = pools_[range.pool.value];
        const fleet::Pool& pool = book.pool;
        const std::uint32_t last = range.first + range.count - 1;
        if (pool.rack_power_watts > 0 || !book.rack_caps.empty()) {
            for (std::uint32_t i = range.first / pool.rack_nodes(); i <= last / pool.rack_nodes();
                 ++i)
                add({fleet::Level::rack, range.pool, i});
        }
        if (pool.pod_power_watts > 0 || !book.pod_caps.empty()) {
            for (std::uint32_t i = range.first / pool.pod_nodes(); i <= last / pool.pod_nodes();
                 ++i)
                add({fleet::Level::pod, range.pool, i});
        }
        add({fleet::Level::site, range.pool, 0});
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

}  // namespace weir::audit
