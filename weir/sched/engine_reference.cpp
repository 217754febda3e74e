#include "weir/sched/engine_reference.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "weir/base/assert.hpp"

namespace weir::sched {

ReferenceEngine::ReferenceEngine(fleet::Fleet fleet, Policy policy)
    : fleet_(std::move(fleet)), policy_(policy) {
    for (std::uint32_t p = 0; p < fleet_.pools.size(); ++p) {
        const fleet::Pool& pool = fleet_.pools[p];
        for (std::uint32_t n = 0; n < pool.nodes; ++n) {
            nodes_.push_back({.pool = PoolId{p},
                              .number = n,
                              .up = true,
                              .chip_room = std::vector<std::uint32_t>(pool.chips_per_node, 1000),
                              .cpus_milli = pool.cpus_milli,
                              .memory = pool.memory.count});
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Places

// Puts one replica on the node, if it has room.
bool ReferenceEngine::place_one(Node& node,
                                const fleet::ReplicaDemand& each,
                                std::vector<std::uint32_t>& chips) const {
    const fleet::Pool& pool = fleet_.pool(node.pool);
    if (!node.up) return false;
    if (pool.cpus_milli > 0 && node.cpus_milli < each.cpus_milli) return false;
    if (pool.memory.count > 0 && node.memory < each.memory.count) return false;
    chips.clear();
    if (each.chip_permille > 0) {
        std::optional<std::uint32_t> best;
        for (std::uint32_t chip = 0; chip < node.chip_room.size(); ++chip) {
            if (node.chip_room[chip] < each.chip_permille) continue;
            if (!best || node.chip_room[chip] < node.chip_room[*best]) best = chip;
        }
        if (!best) return false;
        chips.push_back(*best);
        node.chip_room[*best] -= each.chip_permille;
    } else {
        for (std::uint32_t chip = 0; chip < node.chip_room.size(); ++chip) {
            if (chips.size() < each.chips && node.chip_room[chip] == 1000) chips.push_back(chip);
        }
        if (chips.size() < each.chips) return false;
        for (const std::uint32_t chip : chips)
            node.chip_room[chip] = 0;
    }
    if (pool.cpus_milli > 0) node.cpus_milli -= each.cpus_milli;
    if (pool.memory.count > 0) node.memory -= each.memory.count;
    return true;
}

std::uint64_t ReferenceEngine::holds(Node node, const fleet::ReplicaDemand& each) const {
    const fleet::Pool& pool = fleet_.pool(node.pool);
    const bool counts_something = each.chips > 0 || each.chip_permille > 0 ||
                                  (each.cpus_milli > 0 && pool.cpus_milli > 0) ||
                                  (each.memory.count > 0 && pool.memory.count > 0);
    if (!counts_something) return node.up ? 0xFFFFFFFFU : 0;
    std::uint64_t count = 0;
    std::vector<std::uint32_t> chips;
    while (place_one(node, each, chips))
        ++count;
    return count;
}

std::optional<ReferenceEngine::Pieces> ReferenceEngine::find_part(
    const Nodes& nodes,
    const std::vector<std::size_t>& candidates,
    const fleet::Demand& demand,
    std::uint32_t part) const {
    const fleet::GangPart& wanted = demand.parts[part];
    struct Candidate {
        std::size_t node;
        std::size_t rank;  // in order of preference
        std::uint64_t holds;
    };
    const auto tightness = [&](const Candidate& candidate) {
        const Node& node = nodes[candidate.node];
        std::uint64_t chips_milli = 0;
        std::vector<std::uint32_t> rooms;
        for (const std::uint32_t room : node.chip_room) {
            chips_milli += room;
            if (room > 0 && room < 1000) rooms.push_back(room);
        }
        std::sort(rooms.begin(), rooms.end());
        return std::tuple(chips_milli, node.cpus_milli, node.memory, rooms);
    };
    std::vector<Candidate> able;
    std::uint64_t sum = 0;
    for (std::size_t rank = 0; rank < candidates.size(); ++rank) {
        const std::uint64_t count = holds(nodes[candidates[rank]], wanted.each);
        if (count == 0) continue;
        if (demand.within == fleet::Level::node && count < wanted.replicas) continue;
        able.push_back({candidates[rank], rank, count});
        sum += count;
    }
    if (sum < wanted.replicas) return std::nullopt;

    // Pool by pool, tight nodes first, low numbers first.
    std::stable_sort(able.begin(), able.end(), [&](const Candidate& a, const Candidate& b) {
        if (nodes[a.node].pool != nodes[b.node].pool) return a.rank < b.rank;
        return tightness(a) < tightness(b);
    });
    Pieces pieces;
    Nodes after = nodes;
    const auto put_on = [&](const Candidate& candidate, std::uint64_t replicas) {
        for (std::uint64_t i = 0; i < replicas; ++i) {
            Piece piece{.node = candidate.node, .part = part, .chips = {}};
            WEIR_ASSERT(place_one(after[candidate.node], wanted.each, piece.chips));
            pieces.push_back(piece);
        }
    };
    const auto tightest = [&](std::uint64_t replicas, const std::set<std::size_t>& used) {
        const Candidate* best = nullptr;
        for (const Candidate& candidate : able) {
            if (candidate.holds < replicas || used.count(candidate.node) > 0) continue;
            if (best == nullptr || tightness(candidate) < tightness(*best)) best = &candidate;
        }
        return best;
    };
    std::uint64_t remaining = wanted.replicas;
    if (part > 0 && remaining == 1) {
        const Candidate* loosest = &able.front();
        for (const Candidate& candidate : able) {
            if (tightness(*loosest) < tightness(candidate)) loosest = &candidate;
        }
        put_on(*loosest, 1);
        return pieces;
    }
    std::set<std::size_t> used;
    if (const Candidate* const one = tightest(remaining, used)) {
        put_on(*one, remaining);
        return pieces;
    }
    std::stable_sort(able.begin(), able.end(), [](const Candidate& a, const Candidate& b) {
        return a.holds > b.holds;
    });
    for (const Candidate& candidate : able) {
        if (remaining == 0) break;
        if (remaining >= candidate.holds) {
            put_on(candidate, candidate.holds);
            used.insert(candidate.node);
            remaining -= candidate.holds;
        } else {
            put_on(*tightest(remaining, used), remaining);
            remaining = 0;
        }
    }
    return pieces;
}

std::optional<ReferenceEngine::Pieces> ReferenceEngine::find(const Nodes& nodes,
                                                             const fleet::Demand& demand) const {
    // The domains, in order: lists of nodes inside which the gang must stay.
    std::vector<std::vector<std::size_t>> domains;
    const auto nodes_of = [&](PoolId pool) {
        std::vector<std::size_t> list;
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            if (nodes[i].pool == pool) list.push_back(i);
        }
        return list;
    };
    if (demand.within == fleet::Level::site) {
        std::set<PoolId> done;
        for (const PoolId first : demand.pools) {
            if (done.count(first) > 0) continue;
            std::vector<std::size_t> domain;
            for (const PoolId pool : demand.pools) {
                if (done.count(pool) > 0) continue;
                if (fleet_.pool(pool).site != fleet_.pool(first).site) continue;
                if (fleet_.pool(pool).chip != fleet_.pool(first).chip) continue;
                done.insert(pool);
                const std::vector<std::size_t> more = nodes_of(pool);
                domain.insert(domain.end(), more.begin(), more.end());
            }
            domains.push_back(domain);
        }
    } else {
        for (const PoolId pool : demand.pools) {
            std::uint32_t span = 0;
            if (demand.within == fleet::Level::rack) span = fleet_.pool(pool).nodes_per_rack;
            if (demand.within == fleet::Level::pod) {
                span = fleet_.pool(pool).nodes_per_rack * fleet_.pool(pool).racks_per_pod;
            }
            if (span == 0 || span >= fleet_.pool(pool).nodes) {
                domains.push_back(nodes_of(pool));
                continue;
            }
            // Racks: those with the least to spare first, low numbers first.
            std::vector<std::pair<std::uint64_t, std::vector<std::size_t>>> racks;
            const std::vector<std::size_t> all = nodes_of(pool);
            for (std::size_t first = 0; first < all.size(); first += span) {
                std::vector<std::size_t> rack;
                std::uint64_t sum = 0;
                for (std::size_t i = first; i < all.size() && i < first + span; ++i) {
                    rack.push_back(all[i]);
                    sum += holds(nodes[all[i]], demand.parts.front().each);
                }
                racks.emplace_back(sum, rack);
            }
            std::stable_sort(racks.begin(), racks.end(), [](const auto& a, const auto& b) {
                return a.first < b.first;
            });
            for (const auto& rack : racks)
                domains.push_back(rack.second);
        }
    }
    for (const std::vector<std::size_t>& domain : domains) {
        Nodes left = nodes;
        Pieces whole;
        bool all = true;
        for (std::uint32_t part = 0; part < demand.parts.size() && all; ++part) {
            const std::optional<Pieces> pieces = find_part(left, domain, demand, part);
            all = pieces.has_value();
            if (!all) break;
            put(left, demand, *pieces, true);
            whole.insert(whole.end(), pieces->begin(), pieces->end());
        }
        if (all) return whole;
    }
    return std::nullopt;
}

void ReferenceEngine::put(Nodes& nodes,
                          const fleet::Demand& demand,
                          const Pieces& pieces,
                          bool taking) const {
    for (const Piece& piece : pieces) {
        Node& node = nodes[piece.node];
        const fleet::ReplicaDemand& each = demand.parts[piece.part].each;
        const fleet::Pool& pool = fleet_.pool(node.pool);
        const std::uint32_t room = each.chip_permille > 0 ? each.chip_permille : 1000;
        for (const std::uint32_t chip : piece.chips) {
            node.chip_room[chip] =
                taking ? node.chip_room[chip] - room : node.chip_room[chip] + room;
        }
        if (pool.cpus_milli > 0) {
            node.cpus_milli =
                taking ? node.cpus_milli - each.cpus_milli : node.cpus_milli + each.cpus_milli;
        }
        if (pool.memory.count > 0) {
            node.memory += taking ? -each.memory.count : each.memory.count;
        }
    }
}

ReferenceEngine::Nodes ReferenceEngine::nodes_when(Time at) const {
    Nodes nodes = nodes_;
    for (const auto& [id, job] : jobs_) {
        if (job.phase == Phase::running && job.end_by <= at) {
            put(nodes, job.request.demand, job.pieces, false);
        }
    }
    return nodes;
}

fleet::Placement ReferenceEngine::placement_of(const Pieces& pieces) const {
    // One entry a replica: tests compare placements after taking the fast engine's apart.
    fleet::Placement placement;
    for (const Piece& piece : pieces) {
        const Node& node = nodes_[piece.node];
        std::uint64_t mask = 0;
        for (const std::uint32_t chip : piece.chips)
            mask |= std::uint64_t{1} << chip;
        placement.ranges.push_back({.pool = node.pool,
                                    .first = node.number,
                                    .count = 1,
                                    .replicas = 1,
                                    .part = piece.part,
                                    .chip_mask = mask});
    }
    return placement;
}

// ---------------------------------------------------------------------------------------------
// Events

void ReferenceEngine::apply(const Event& event, Time) {
    if (const auto* submitted = std::get_if<JobSubmitted>(&event)) {
        jobs_[submitted->request.job] = {.request = submitted->request,
                                         .order = submissions_++,
                                         .phase = Phase::held,
                                         .outcome = Outcome::succeeded,
                                         .end_by = {},
                                         .pieces = {}};
    } else if (const auto* ended = std::get_if<JobEnded>(&event)) {
        Job& job = jobs_.at(ended->job);
        put(nodes_, job.request.demand, job.pieces, false);
        job.pieces.clear();
        job.phase = ended->requeue ? Phase::held : Phase::ended;
        job.outcome = ended->outcome;
    } else if (const auto* cancelled = std::get_if<JobCancelled>(&event)) {
        jobs_.at(cancelled->job).phase = Phase::ended;
        jobs_.at(cancelled->job).outcome = Outcome::cancelled;
    } else if (const auto* changed = std::get_if<NodeChanged>(&event)) {
        for (Node& node : nodes_) {
            if (node.pool == changed->pool && node.number == changed->node) {
                node.up = changed->health == NodeHealth::up;
            }
        }
    }
}

bool ReferenceEngine::throttled(const Job& job) const {
    if (job.request.array_at_once_max == 0) return false;
    std::uint32_t running = 0;
    for (const auto& [id, other] : jobs_) {
        if (other.phase == Phase::running && other.request.array_at_once_max > 0 &&
            other.request.array == job.request.array) {
            ++running;
        }
    }
    return running >= job.request.array_at_once_max;
}

// Jobs whose dependencies are met, by priority and submission.
std::vector<ReferenceEngine::Job*> ReferenceEngine::waiting() {
    std::vector<Job*> list;
    for (auto& [id, job] : jobs_) {
        if (job.phase != Phase::held) continue;
        bool met = true;
        for (const Dependency& dependency : job.request.after) {
            met = met && jobs_.at(dependency.job).phase == Phase::ended;
        }
        if (met) list.push_back(&job);
    }
    std::sort(list.begin(), list.end(), [](const Job* a, const Job* b) {
        if (a->request.priority != b->request.priority) {
            return a->request.priority > b->request.priority;
        }
        return a->order < b->order;
    });
    return list;
}

void ReferenceEngine::start(
    Job& job, Pieces pieces, Time now, Cause cause, std::vector<Decision>& decisions) {
    put(nodes_, job.request.demand, pieces, true);
    job.phase = Phase::running;
    job.end_by = job.request.limit >= forever ? never : now + job.request.limit;
    if (reserved_ == job.request.job) reserved_ = JobId::none();
    decisions.push_back({Start{job.request.job, placement_of(pieces)}, {.cause = cause}});
    job.pieces = std::move(pieces);
}

void ReferenceEngine::decide(Time now, std::vector<Decision>& decisions) {
    // Who can never start leaves, until nobody else has to.
    for (bool again = true; again;) {
        again = false;
        for (auto& [id, job] : jobs_) {
            if (job.phase != Phase::held) continue;
            for (const Dependency& dependency : job.request.after) {
                const Job& other = jobs_.at(dependency.job);
                if (other.phase != Phase::ended) continue;
                const bool success = other.outcome == Outcome::succeeded;
                const bool failure =
                    other.outcome == Outcome::failed || other.outcome == Outcome::lost;
                if ((dependency.needs == Needs::success && !success) ||
                    (dependency.needs == Needs::failure && !failure)) {
                    job.phase = Phase::ended;
                    job.outcome = Outcome::cancelled;
                    decisions.push_back({Drop{id}, {.cause = Cause::dependency_failed}});
                    again = true;
                    break;
                }
            }
        }
    }

    const std::vector<Job*> queue = waiting();
    std::size_t position = 0;
    for (; position < queue.size(); ++position) {
        Job& job = *queue[position];
        if (throttled(job)) continue;
        std::optional<Pieces> pieces = find(nodes_, job.request.demand);
        if (!pieces) break;
        start(job, *pieces, now, Cause::fits_now, decisions);
    }
    if (position == queue.size() || !policy_.backfill) return;

    // The earliest end of a running job at which the first one that waits would fit.
    const fleet::Demand& reserved = queue[position]->request.demand;
    std::set<Time> ends;
    for (const auto& [id, job] : jobs_) {
        if (job.phase == Phase::running) ends.insert(job.end_by);
    }
    Time at = Time::max();
    for (const Time end : ends) {
        if (find(nodes_when(end), reserved)) {
            at = end;
            break;
        }
    }
    const Time announced = at == Time::max() ? never : at;
    if (reserved_ != queue[position]->request.job || reserved_at_ != announced) {
        reserved_ = queue[position]->request.job;
        reserved_at_ = announced;
        decisions.push_back(
            {Reserve{reserved_, announced, {}}, {.cause = Cause::reserved, .until = announced}});
    }
    for (++position; position < queue.size(); ++position) {
        Job& job = *queue[position];
        if (throttled(job)) continue;
        const std::optional<Pieces> pieces = find(nodes_, job.request.demand);
        if (!pieces) continue;
        const Time end_by = job.request.limit >= forever ? never : now + job.request.limit;
        if (end_by <= at) {
            start(job, *pieces, now, Cause::backfilled, decisions);
            continue;
        }
        Nodes beside = nodes_when(at);
        put(beside, job.request.demand, *pieces, true);
        if (find(beside, reserved)) {
            start(job, *pieces, now, Cause::backfilled_beside, decisions);
        }
    }
}

}  // namespace weir::sched
