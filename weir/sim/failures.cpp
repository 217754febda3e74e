#include "weir/sim/failures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <queue>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "weir/base/assert.hpp"
#include "weir/base/units.hpp"
#include "weir/sim/csv.hpp"
#include "weir/sim/text_number.hpp"

namespace weir::sim {
namespace {

using Place = std::pair<PoolId, std::uint32_t>;

// The nodes of the fleet that have these names.
std::vector<std::optional<Place>> places_named(const std::vector<std::string>& names,
                                               const fleet::Fleet& fleet) {
    std::unordered_map<std::string_view, std::size_t> wanted;
    for (std::size_t i = 0; i < names.size(); ++i)
        wanted.emplace(names[i], i);
    std::vector<std::optional<Place>> places(names.size());
    for (std::uint32_t p = 0; p < fleet.pools.size(); ++p) {
        const fleet::Pool& pool = fleet.pools[p];
        // Names that are made of the pool's and a number need no look at each node.
        for (std::size_t i = 0; pool.node_names.empty() && i < names.size(); ++i) {
            const std::string_view name = names[i];
            std::int64_t number = -1;
            if (name.size() <= pool.name.size() ||
                !parse_cut(name.substr(pool.name.size() + 1), number) || number < 0 ||
                number >= pool.nodes) {
                continue;
            }
            const auto node = static_cast<std::uint32_t>(number);
            if (fleet.node_name(PoolId{p}, node) == name) places[i] = {PoolId{p}, node};
        }
        for (std::uint32_t node = 0; node < pool.node_names.size(); ++node) {
            if (const auto found = wanted.find(pool.node_names[node]); found != wanted.end())
                places[found->second] = {PoolId{p}, node};
        }
    }
    return places;
}

std::size_t count_of(const std::vector<std::optional<Place>>& places) {
    return static_cast<std::size_t>(std::count_if(
        places.begin(), places.end(), [](const auto& place) { return place.has_value(); }));
}

// Those that are known by name; where nobody is, all are spread over the fleet in the order in
// which they appear.
std::vector<std::optional<Place>> places_of(const FaultLog& log, const fleet::Fleet& fleet) {
    std::vector<std::optional<Place>> places = places_named(log.names, fleet);
    if (count_of(places) > 0) return places;
    const std::uint64_t total = fleet.nodes_total();
    WEIR_ASSERT(total > 0);
    for (std::size_t i = 0; i < places.size(); ++i) {
        std::uint64_t at = places.size() <= total ? i * total / places.size() : i % total;
        std::uint32_t pool = 0;
        while (at >= fleet.pools[pool].nodes)
            at -= fleet.pools[pool++].nodes;
        places[i] = {PoolId{pool}, static_cast<std::uint32_t>(at)};
    }
    return places;
}

}  // namespace

// What comes next of all pools, and, where failures are drawn, how to draw the one after it.
struct Failures::Source {
    struct Drawn {  // the failures of one pool
        PoolId pool;
        std::uint32_t nodes = 0;
        double mtbf_ms = 0;  // of one node
        double repair_ms = 0;
        Random random{0};
        double next_ms = 0;  // in full precision: many nodes fail within a millisecond
        std::unordered_set<std::uint32_t> down;
    };
    struct Entry {
        NodeChange change;
        std::uint32_t drawn = none;  // which of `pools` to draw again when this was taken
        friend bool operator>(const Entry& a, const Entry& b) {
            return std::tuple(a.change.at, !a.change.up, a.change.pool, a.change.node, a.drawn) >
                   std::tuple(b.change.at, !b.change.up, b.change.pool, b.change.node, b.drawn);
        }
    };
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

    void draw(std::uint32_t which);

    std::vector<Drawn> pools;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> coming;
};

// Candidates come as if all nodes were up; one that meets a node that is down is passed over when
// its turn comes. What remains has the right rate for every node that is up.
void Failures::Source::draw(std::uint32_t which) {
    Drawn& pool = pools[which];
    pool.next_ms += pool.random.exponential(pool.mtbf_ms / pool.nodes);
    const auto node =
        static_cast<std::uint32_t>(pool.random.between(0, std::int64_t{pool.nodes} - 1));
    if (pool.next_ms >= static_cast<double>(forever.count())) return;
    const Time at{Duration{static_cast<std::int64_t>(std::ceil(pool.next_ms))}};
    coming.push({{at, pool.pool, node, false}, which});
}

Failures::Failures() = default;
Failures::Failures(std::unique_ptr<Source> source) : source_(std::move(source)) {
    look_ahead();
}
Failures::Failures(Failures&&) noexcept = default;
Failures& Failures::operator=(Failures&&) noexcept = default;
Failures::~Failures() = default;

Failures Failures::by_reliability(const fleet::Fleet& fleet, std::uint64_t seed, Time from) {
    auto source = std::make_unique<Source>();
    Random seeds(seed);
    for (std::uint32_t i = 0; i < fleet.pools.size(); ++i) {
        const std::uint64_t its_seed = seeds.word();
        const fleet::Pool& pool = fleet.pools[i];
        if (pool.node_mtbf <= Duration{} || pool.nodes == 0) continue;
        source->pools.push_back({.pool = PoolId{i},
                                 .nodes = pool.nodes,
                                 .mtbf_ms = static_cast<double>(pool.node_mtbf.count()),
                                 .repair_ms = static_cast<double>(pool.node_repair.count()),
                                 .random = Random(its_seed),
                                 .next_ms = static_cast<double>(from.time_since_epoch().count()),
                                 .down = {}});
    }
    for (std::uint32_t i = 0; i < source->pools.size(); ++i)
        source->draw(i);
    // The first in line may be a candidate that is passed over only if a node is down: none is.
    return Failures(std::move(source));
}

Failures Failures::by_log(const fleet::Fleet& fleet, const FaultLog& log, std::uint32_t copies) {
    const std::vector<std::optional<Place>> places = places_of(log, fleet);
    // Several nodes of the log may stand for one of the fleet: merged once more.
    std::vector<std::tuple<PoolId, std::uint32_t, Time, Time>> faults;
    for (const Fault& fault : log.faults) {
        const std::optional<Place>& place = places[fault.node];
        if (place) faults.emplace_back(place->first, place->second, fault.from, fault.until);
    }
    std::sort(faults.begin(), faults.end());
    auto source = std::make_unique<Source>();
    for (std::size_t i = 0; i < faults.size();) {
        const auto [pool, node, from, first_until] = faults[i];
        Time until = first_until;
        for (++i; i < faults.size() && std::get<0>(faults[i]) == pool &&
                  std::get<1>(faults[i]) == node && std::get<2>(faults[i]) <= until;
             ++i) {
            until = std::max(until, std::get<3>(faults[i]));
        }
        for (std::uint32_t copy = 0; copy < copies; ++copy) {
            const std::uint32_t its = copy * fleet.pool(pool).nodes + node;
            source->coming.push({{from, pool, its, false}, Source::none});
            if (until < never) source->coming.push({{until, pool, its, true}, Source::none});
        }
    }
    return Failures(std::move(source));
}

void Failures::look_ahead() {
    next_at_ = source_->coming.empty() ? never : source_->coming.top().change.at;
}

NodeChange Failures::take() {
    Source& source = *source_;
    const Source::Entry entry = source.coming.top();
    source.coming.pop();
    const NodeChange change = entry.change;
    if (entry.drawn != Source::none) {
        Source::Drawn& pool = source.pools[entry.drawn];
        if (change.up) {
            pool.down.erase(change.node);
        } else {
            pool.down.insert(change.node);
            const Duration repair{
                std::max<std::int64_t>(1, std::llround(pool.random.exponential(pool.repair_ms)))};
            source.coming.push({{change.at + repair, change.pool, change.node, true}, entry.drawn});
            source.draw(entry.drawn);
        }
    }
    // Candidates that meet a node that is down are passed over here, so that next_at() is true.
    while (!source.coming.empty()) {
        const Source::Entry& next = source.coming.top();
        if (next.drawn == Source::none || next.change.up ||
            !source.pools[next.drawn].down.contains(next.change.node)) {
            break;
        }
        const std::uint32_t which = next.drawn;
        source.coming.pop();
        source.draw(which);
    }
    look_ahead();
    return change;
}

// ---------------------------------------------------------------------------------------------
// The log

std::string FaultLog::note_on(const fleet::Fleet& fleet) const {
    const std::vector<std::optional<Place>> places = places_named(names, fleet);
    const std::size_t known = count_of(places);
    if (known == names.size()) return "";
    if (known == 0) {
        return "the fault log names no node of this fleet: its nodes were numbered as they appear "
               "and spread over the fleet";
    }
    const auto other = std::find(places.begin(), places.end(), std::nullopt) - places.begin();
    return fmt::format(
        "the fault log names {} that this fleet does not have, such as {}: their "
        "faults are left out",
        format_count(names.size() - known, "node"),
        names[static_cast<std::size_t>(other)]);
}

Duration FaultLog::node_mtbf(const fleet::Fleet& fleet) const {
    const std::vector<std::optional<Place>> places = places_of(*this, fleet);
    Time first = never;
    Time last = Time::min();
    for (const Fault& fault : faults) {
        first = std::min(first, fault.from);
        last = std::max(last, fault.until < never ? fault.until : fault.from);
    }
    std::int64_t count = 0;
    std::int64_t down_ms = 0;
    for (const Fault& fault : faults) {
        if (!places[fault.node]) continue;
        ++count;
        down_ms += (std::min(fault.until, last) - fault.from).count();
    }
    if (count == 0) return Duration{};
    const auto nodes = static_cast<std::int64_t>(fleet.nodes_total());
    const std::int64_t up_ms = (last - first).count() * nodes - down_ms;
    return Duration{std::max<std::int64_t>(1, up_ms / count)};
}

Result<FaultLog> read_fault_log(LineReader& lines) {
    CsvReader csv(lines);
    std::vector<std::string_view> fields;
    WEIR_TRY(const bool some, csv.next(fields));
    if (!some)
        return fail(Code::invalid, lines.name() + ": is empty; a fault log names its columns");
    constexpr std::array<std::string_view, 3> names = {"node", "start_s", "end_s"};
    std::array<std::size_t, 3> column{};
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto found = std::find(fields.begin(), fields.end(), names[i]);
        if (found == fields.end()) {
            return fail(Code::invalid,
                        fmt::format("{}: has no column {}; a fault log has node, start_s and end_s",
                                    csv.here(),
                                    names[i]));
        }
        column[i] = static_cast<std::size_t>(found - fields.begin());
    }
    const std::size_t columns = fields.size();

    FaultLog log;
    std::unordered_map<std::string, std::uint32_t> known;
    for (;;) {
        WEIR_TRY(const bool more, csv.next(fields));
        if (!more) break;
        if (fields.size() != columns) {
            return fail(Code::invalid,
                        fmt::format("{}: has {} fields where the first line has {}",
                                    csv.here(),
                                    fields.size(),
                                    columns));
        }
        const auto second = [&](std::size_t which) -> Result<Time> {
            std::int64_t value = 0;
            if (!parse_cut(fields[column[which]], value) || value < -4'000'000'000 ||
                value > 4'000'000'000) {
                return fail(Code::invalid,
                            fmt::format("{}: {}: {} is not a number of seconds",
                                        csv.here(),
                                        names[which],
                                        shown(fields[column[which]])));
            }
            return at_seconds(value);
        };
        Fault fault;
        const auto [node, is_new] = known.try_emplace(std::string(fields[column[0]]),
                                                      static_cast<std::uint32_t>(known.size()));
        if (is_new) log.names.push_back(node->first);
        fault.node = node->second;
        WEIR_TRY(fault.from, second(1));
        if (!fields[column[2]].empty()) {
            WEIR_TRY(fault.until, second(2));
        }
        if (fault.until < fault.from) {
            return fail(Code::invalid,
                        fmt::format("{}: end_s: {} lies before start_s {}",
                                    csv.here(),
                                    shown(fields[column[2]]),
                                    shown(fields[column[1]])));
        }
        if (fault.until == fault.from) continue;
        log.faults.push_back(fault);
    }
    std::sort(log.faults.begin(), log.faults.end());
    std::vector<Fault> merged;
    for (const Fault& fault : log.faults) {
        if (!merged.empty() && merged.back().node == fault.node &&
            fault.from <= merged.back().until) {
            merged.back().until = std::max(merged.back().until, fault.until);
        } else {
            merged.push_back(fault);
        }
    }
    log.faults = std::move(merged);
    return log;
}

Result<FaultLog> read_fault_log(const std::string& path) {
    WEIR_TRY(LineReader lines, LineReader::open(path));
    return read_fault_log(lines);
}

}  // namespace weir::sim
