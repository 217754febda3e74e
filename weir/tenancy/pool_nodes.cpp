#include "weir/tenancy/pool_nodes.hpp"

#include <algorithm>

#include "weir/base/assert.hpp"

namespace weir::tenancy {

PoolNodes::PoolNodes(const fleet::Pool& pool, std::uint64_t node_units)
    : pool_(pool),
      node_units_(node_units),
      units_(node_units * pool.nodes),
      held_(pool.nodes),
      said_(pool.nodes),
      out_(pool.nodes),
      aside_(pool.nodes),
      promised_(pool.nodes),
      awaited_(pool.nodes) {
    pool_.node_names.clear();
}

std::uint64_t PoolNodes::idle_on(const Run& run) const {
    return node_units_ * (run.second - run.first) - held_.sum(run.first, run.second);
}

std::uint64_t PoolNodes::rest_on(const Run& run) const {
    std::uint64_t sum = 0;
    for (std::uint32_t i = run.first; i < run.second && !rests_.empty(); ++i)
        sum += rests_[i];
    return sum;
}

// What is idle on a node is in the sum of what is said of it.
void PoolNodes::count(std::uint32_t node, bool more) {
    const auto change = [more](std::uint64_t& sum, std::uint64_t units) {
        sum = more ? sum + units : sum - units;
    };
    const Run run{node, node + 1};
    if (out_.at(node)) {
        change(said_[node].health == Health::failed ? sums_.failed : sums_.drained, idle_on(run));
    } else if (aside_.at(node)) {
        change(sums_.apart, idle_on(run));
    } else if (awaited_.at(node)) {
        change(sums_.promised, idle_on(run));
    } else {
        change(sums_.shared_rest, rest_on(run));
    }
}

// What is said of a node becomes otherwise.
template <class Change>
void PoolNodes::change(std::uint32_t node, Change change) {
    WEIR_ASSERT(node < pool_.nodes);
    count(node, false);
    const bool served = !out_.at(node);
    change(said_[node]);
    const bool serves = said_[node].serves();
    out_.set(node, !serves);
    aside_.set(node, serves && said_[node].apart > 0);
    awaited_.set(node, promised_.at(node) && serves && said_[node].apart == 0);
    count(node, true);
    if (power_ && served != serves) {
        const auto idle = static_cast<std::int64_t>(idle_on({node, node + 1}));
        power_->change(node, 0, serves ? idle : -idle);
    }
}

template <class Each>
void PoolNodes::each_rack(const Run& run, Each each) const {
    const std::uint32_t size = pool_.rack_nodes();
    for (std::uint32_t first = run.first; first < run.second;) {
        const std::uint32_t end = std::min(run.second, first - first % size + size);
        each(Run{first, end});
        first = end;
    }
}

void PoolNodes::hold(const Run& run, std::uint64_t units, bool taking) {
    const auto [first, last] = run;
    WEIR_ASSERT(first < last && last <= pool_.nodes);
    const std::uint64_t all = units * (last - first);
    // Modulo 2^64: what is taken from a sum is in it.
    const std::uint64_t sign = taking ? 1 : ~std::uint64_t{0};
    held_.add(first, last, units * sign);
    sums_.held += all * sign;
    WEIR_ASSERT(sums_.held <= units_);
    out_.each(first, last, [&](std::uint32_t node) {
        (said_[node].health == Health::failed ? sums_.failed : sums_.drained) -= units * sign;
    });
    sums_.apart -= units * sign * aside_.count(first, last);
    sums_.promised -= units * sign * awaited_.count(first, last);
    if (!power_) return;
    each_rack(run, [&](const Run& part) {
        const std::uint64_t nodes = part.second - part.first;
        const std::uint64_t serve = nodes - out_.count(part.first, part.second);
        power_->change(part.first,
                       static_cast<std::int64_t>(units * sign * nodes),
                       -static_cast<std::int64_t>(units * sign * serve));
    });
}

void PoolNodes::hold_share(const Run& run,
                           std::uint32_t chip,
                           std::uint32_t permille,
                           bool taking) {
    if (rests_.empty()) rests_.resize(pool_.nodes);
    for (std::uint32_t node = run.first; node < run.second; ++node) {
        const std::uint64_t key = std::uint64_t{node} * fleet::chips_per_node_max + chip;
        std::uint16_t& share = shares_[key];
        const auto rest = [&] { return share == 0 ? 0 : 1000 - share; };
        const int before = rest();
        const std::uint32_t after = taking ? share + permille : share - permille;
        WEIR_ASSERT(after <= 1000);
        share = static_cast<std::uint16_t>(after);
        const int more = rest() - before;
        if (share == 0) shares_.erase(key);
        rests_[node] = static_cast<std::uint16_t>(rests_[node] + more);
        if (!out_.at(node) && !aside_.at(node) && !awaited_.at(node)) {
            sums_.shared_rest += static_cast<std::uint64_t>(more);
        }
    }
}

void PoolNodes::set_health(std::uint32_t node, Health health) {
    change(node, [health](Said& said) { said.health = health; });
}

void PoolNodes::set_apart(const Run& run, bool maintenance, bool begins) {
    for (std::uint32_t node = run.first; node < run.second; ++node) {
        change(node, [&](Said& said) {
            std::uint16_t& times = maintenance ? said.maintained : said.apart;
            times = static_cast<std::uint16_t>(times + (begins ? 1 : -1));
        });
    }
}

// Nodes of which nothing else is said become promised, or are not any more.
void PoolNodes::await(const Run& run, bool begins) {
    const auto change = [&](std::uint32_t first, std::uint32_t last) {
        const Run part{first, last};
        awaited_.set(first, last, begins, [](std::uint32_t, std::uint32_t) {});
        const std::uint64_t sign = begins ? 1 : ~std::uint64_t{0};
        sums_.promised += idle_on(part) * sign;
        sums_.shared_rest -= rest_on(part) * sign;
    };
    if (!out_.any() && !aside_.any()) {
        change(run.first, run.second);
        return;
    }
    for (std::uint32_t node = run.first; node < run.second; ++node)
        if (!out_.at(node) && !aside_.at(node)) change(node, node + 1);
}

void PoolNodes::set_promised(const std::vector<Run>& runs, bool to) {
    for (const auto& [first, last] : runs) {
        WEIR_ASSERT(first < last && last <= pool_.nodes);
        promised_.set(first, last, to, [&](std::uint32_t a, std::uint32_t b) {
            await({a, b}, to);
        });
    }
}

bool PoolNodes::promise(std::uint64_t id, std::vector<Run> runs) {
    for (Promise& its : promises_) {
        if (its.id != id) continue;
        if (its.runs == runs) return false;
        if (promises_.size() == 1) {  // most of its nodes stay the same
            promised_.become(its.runs, runs, [&](std::uint32_t first, std::uint32_t last, bool to) {
                await({first, last}, to);
            });
            its.runs = std::move(runs);
            return true;
        }
        forget(id);
        break;
    }
    set_promised(runs, true);
    promises_.push_back({id, std::move(runs)});
    return true;
}

void PoolNodes::forget(std::uint64_t id) {
    const auto its = std::find_if(
        promises_.begin(), promises_.end(), [id](const Promise& one) { return one.id == id; });
    WEIR_ASSERT(its != promises_.end());
    std::swap(*its, promises_.back());
    set_promised(promises_.back().runs, false);
    promises_.pop_back();
    // Others may be promised the same nodes, for another time.
    for (const Promise& other : promises_)
        set_promised(other.runs, true);
}

void PoolNodes::measure_power() {
    power_.emplace(pool_, node_units_);
    each_rack({0, pool_.nodes}, [&](const Run& rack) {
        power_->change(
            rack.first, static_cast<std::int64_t>(held_.sum(rack.first, rack.second)), 0);
    });
    for (std::uint32_t node = 0; node < pool_.nodes; ++node) {
        if (out_.at(node)) continue;
        power_->change(node, 0, static_cast<std::int64_t>(idle_on({node, node + 1})));
    }
}

void PoolNodes::set_budget(fleet::Level level, std::uint32_t number, double watts) {
    if (!power_) measure_power();
    power_->set_budget(level, number, watts);
}

}  // namespace weir::tenancy
