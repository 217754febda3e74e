#include "weir/sim/report_tenants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "weir/base/units.hpp"
#include "weir/sim/report_charts.hpp"
#include "weir/sim/report_compare_charts.hpp"
#include "weir/sim/svg.hpp"

namespace weir::sim {
namespace {

constexpr double names_end = 186;               // labels of lines end here
constexpr double bars_end = chart_width - 204;  // and numbers begin here
constexpr std::size_t houses_max = 16;
constexpr std::size_t node_rows_max = 256;
constexpr std::size_t colours = 8;  // of the style of a page: f0 to f7
constexpr std::size_t tenants_compared_max = 16;

std::string short_name(const std::string& name) {
    return (name.empty() ? "(not named)" : name).substr(0, 26);
}

// ---------------------------------------------------------------------------------------------
// Nodes

std::string tenant_name(const Trace& trace, const TraceJob& job) {
    const auto who = trace.tenant();
    const std::uint32_t name = who == nullptr ? unknown_name : job.*who;
    return name == unknown_name ? std::string{} : trace.names[name];
}

// A rectangle of the picture: an attempt on one node, or on neighbours that it has alone.
struct Piece {
    std::size_t attempt = 0;
    std::size_t row = 0;
    std::size_t rows = 1;
    std::uint32_t lane = 0;
    std::uint32_t lanes = 1;
};

struct NodeRows {
    std::vector<std::pair<PoolId, std::uint32_t>> nodes;  // by row
    std::vector<Piece> pieces;
};

// All nodes of small fleets, else those on which anything ran. Attempts on one node that overlap
// in time get lanes: each the first that is free when it begins.
NodeRows node_rows(const Simulation& result) {
    std::map<std::pair<PoolId, std::uint32_t>, std::vector<std::size_t>> on;
    if (result.fleet.nodes_total() <= node_rows_max) {
        for (std::uint32_t pool = 0; pool < result.fleet.pools.size(); ++pool)
            for (std::uint32_t node = 0; node < result.fleet.pools[pool].nodes; ++node)
                on[{PoolId{pool}, node}];
    }
    for (std::size_t i = 0; i < result.attempts.size(); ++i) {
        for (const fleet::NodeRange& range : result.attempts[i].on.ranges) {
            for (std::uint32_t n = range.first; n < range.first + range.count; ++n) {
                auto& here = on[{range.pool, n}];
                if (here.empty() || here.back() != i) here.push_back(i);
            }
            if (on.size() > node_rows_max) return {};
        }
    }
    NodeRows rows;
    for (const auto& each : on) {
        const auto& node = each.first;
        const auto& attempts = each.second;
        const std::size_t row = rows.nodes.size();
        rows.nodes.push_back(node);
        std::vector<Time> free_from;
        std::vector<std::uint32_t> lane_of;
        for (const std::size_t i : attempts) {
            const HeldAttempt& attempt = result.attempts[i];
            const auto lane = std::find_if(free_from.begin(), free_from.end(), [&](Time from) {
                return from <= attempt.from;
            });
            lane_of.push_back(static_cast<std::uint32_t>(lane - free_from.begin()));
            if (lane == free_from.end()) {
                free_from.push_back(attempt.until);
            } else {
                *lane = attempt.until;
            }
        }
        const auto lanes = static_cast<std::uint32_t>(std::max<std::size_t>(1, free_from.size()));
        for (std::size_t k = 0; k < attempts.size(); ++k) {
            const auto above =
                std::find_if(rows.pieces.rbegin(), rows.pieces.rend(), [&](const Piece& piece) {
                    return piece.attempt == attempts[k] && piece.row + piece.rows == row &&
                           piece.lanes == 1 && rows.nodes[piece.row].first == node.first;
                });
            if (lanes == 1 && above != rows.pieces.rend()) {
                ++above->rows;
                continue;
            }
            rows.pieces.push_back(
                {.attempt = attempts[k], .row = row, .lane = lane_of[k], .lanes = lanes});
        }
    }
    return rows;
}

// The tenants that held most, in this order; their positions are their colours.
std::vector<std::string> coloured_tenants(const Trace& trace, const Simulation& result) {
    std::map<std::string, double> held;
    for (const HeldAttempt& attempt : result.attempts) {
        const TraceJob& job = trace.jobs[attempt.trace_job];
        held[tenant_name(trace, job)] +=
            as_seconds(attempt.until - attempt.from) * static_cast<double>(attempt.on.nodes());
    }
    std::vector<std::pair<std::string, double>> ordered(held.begin(), held.end());
    std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) {
        return a.second > b.second;
    });
    std::vector<std::string> names;
    for (const auto& [name, much] : ordered)
        if (names.size() < colours) names.push_back(name);
    return names;
}

std::string node_name(const fleet::Fleet& fleet, PoolId id, std::uint32_t node) {
    const fleet::Pool& pool = fleet.pool(id);
    return node < pool.node_names.size() ? pool.node_names[node]
                                         : fmt::format("{} {}", pool.name, node);
}

}  // namespace

std::vector<HouseHours> folded(std::vector<HouseHours> houses, std::size_t most) {
    std::stable_sort(houses.begin(), houses.end(), [](const HouseHours& a, const HouseHours& b) {
        return a.held() > b.held();
    });
    if (houses.size() <= most + 1) return houses;
    HouseHours others{.path = fmt::format("{} others", houses.size() - most)};
    for (std::size_t i = most; i < houses.size(); ++i) {
        others.owned += houses[i].owned;
        others.own += houses[i].own;
        others.borrowed += houses[i].borrowed;
    }
    houses.resize(most);
    houses.push_back(std::move(others));
    return houses;
}

std::string houses_chart(const std::vector<HouseHours>& houses, std::string_view hours) {
    constexpr double row = 22;
    double high = 0;
    for (const HouseHours& house : houses)
        high = std::max({high, house.held(), house.owned});
    const Axis x{.low = 0, .high = high > 0 ? high : 1, .from = names_end + 10, .to = bars_end};
    Svg svg(chart_width,
            8 + row * static_cast<double>(houses.size()) + 4,
            "What organisations held: of their own, and borrowed");
    double y = 8;
    for (const HouseHours& house : houses) {
        const std::string tip = fmt::format("{}: {} {} of its own, {} borrowed; it owns {}",
                                            house.path,
                                            number_text(house.own),
                                            hours,
                                            number_text(house.borrowed),
                                            number_text(house.owned));
        const double own_to = x.at(house.own);
        svg.text(names_end, y + row * 0.66, short_name(house.path), "label end");
        svg.rect(x.at(0), y + 3, own_to - x.at(0), row - 6, "w-run", tip);
        svg.rect(own_to, y + 3, x.at(house.held()) - own_to, row - 6, "w-held", tip);
        svg.line(x.at(house.owned), y + 1, x.at(house.owned), y + row - 1, "peak");
        svg.text(bars_end + 8,
                 y + row * 0.66,
                 number_text(house.held()) + " " + std::string(hours),
                 "label");
        y += row;
    }
    return svg.finish();
}

void houses_section(HtmlPage& page, const Simulation& result) {
    const HouseHoursTable& table = result.houses;
    if (table.houses.empty()) return;
    const std::vector<HouseHours> shown = folded(table.houses, houses_max);
    HouseHours all;
    for (const HouseHours& house : table.houses) {
        all.own += house.own;
        all.borrowed += house.borrowed;
    }
    page.section("Own rights and what was borrowed",
                 fmt::format("What each organisation held, with everybody inside it, most first: "
                             "as far as its quotas reach at that moment it is its own, beyond "
                             "that borrowed. {} of all that was held was borrowed.",
                             format_percent(all.held() > 0 ? all.borrowed / all.held() : 0)));
    page.key({{"background:var(--busy)", "of its own"},
              {"background:var(--accent)", "borrowed"},
              {"height:11px;width:3px;background:var(--deep)", "what it owns over the time"}});
    page.raw(houses_chart(shown, table.counted_in));
    std::vector<Row> rows;
    for (const HouseHours& house : shown) {
        const auto share = [](double part, double whole) {
            return whole > 0 ? format_percent(part / whole) : std::string("-");
        };
        rows.push_back({house.path,
                        number_text(house.owned),
                        number_text(house.own),
                        share(house.own, house.owned),
                        number_text(house.borrowed),
                        share(house.held(), all.held())});
    }
    page.twin({"organisation",
               "owns, " + table.counted_in,
               "held of it",
               "of what it owns",
               "borrowed",
               "of all that was held"},
              rows);
    page.end_section();
}

std::string nodes_chart(const Trace& trace, const Simulation& result) {
    constexpr double top = 10;
    const NodeRows rows = node_rows(result);
    if (rows.nodes.empty()) return {};
    const std::vector<std::string> tenants = coloured_tenants(trace, result);
    const auto count = static_cast<double>(rows.nodes.size());
    const double row = std::clamp(640 / count, 3.0, 22.0);
    const double bottom = top + row * count;
    Time from = result.attempts.front().from;
    Time to = from + Duration{1};
    for (const HeldAttempt& attempt : result.attempts) {
        from = std::min(from, attempt.from);
        to = std::max(to, attempt.until);
    }
    const double from_s = as_seconds(from.time_since_epoch());
    const double to_s = as_seconds(to.time_since_epoch());
    const Axis x{.low = from_s, .high = to_s, .from = chart_left + 40, .to = chart_right};
    Svg svg(chart_width, bottom + 34, "Every node: which attempt it served");
    svg.x_axis(x, timeline_ticks(from_s, to_s, trace.zero_utc), top, bottom);
    double named_to = 0;
    for (std::size_t i = 0; i < rows.nodes.size(); ++i) {
        const auto& [pool, node] = rows.nodes[i];
        const double y = top + row * static_cast<double>(i);
        const bool first_of_pool = i == 0 || rows.nodes[i - 1].first != pool;
        if (first_of_pool && i > 0) svg.line(x.from, y, x.to, y, "grid");
        if (row < 11 && (!first_of_pool || y < named_to)) continue;
        // Where there is no room for every node, its pool.
        const std::string name =
            row >= 11 ? node_name(result.fleet, pool, node) : result.fleet.pool(pool).name;
        svg.text(x.from - 8, y + std::max(row / 2 + 4, 9.0), name.substr(0, 15), "label end");
        named_to = y + 13;
    }
    for (const Piece& piece : rows.pieces) {
        const HeldAttempt& attempt = result.attempts[piece.attempt];
        const TraceJob& job = trace.jobs[attempt.trace_job];
        const std::string tenant = tenant_name(trace, job);
        const auto colour = std::find(tenants.begin(), tenants.end(), tenant);
        const double begin = x.at(as_seconds(attempt.from.time_since_epoch()));
        const double end = x.at(as_seconds(attempt.until.time_since_epoch()));
        const double lane = row / piece.lanes;
        std::string tip =
            fmt::format("job {}{}{}: on {} for {}",
                        job.id,
                        attempt.number > 1 ? fmt::format(", attempt {}", attempt.number) : "",
                        tenant.empty() ? "" : " of " + tenant,
                        format_count(attempt.on.nodes(), "node"),
                        format_duration(attempt.until - attempt.from));
        svg.rect(
            begin,
            top + row * static_cast<double>(piece.row) + lane * piece.lane + row * 0.06,
            std::max(1.0, end - begin - 0.5),
            std::max(0.8, lane * static_cast<double>(piece.rows) - row * 0.12),
            colour == tenants.end() ? "bar-rest" : fmt::format("f{}", colour - tenants.begin()),
            tip,
            std::min(2.0, row / 6));
    }
    return svg.finish();
}

void nodes_section(HtmlPage& page, const Trace& trace, const Simulation& result) {
    if (result.attempts.empty()) return;
    const std::string chart = nodes_chart(trace, result);
    if (chart.empty()) return;
    page.section("Every node",
                 "One row a node, one bar for each attempt that it served; attempts that share a "
                 "node lie beside one another in its row.");
    const std::vector<std::string> tenants = coloured_tenants(trace, result);
    if (tenants.size() > 1) {
        std::vector<std::pair<std::string, std::string>> key;
        for (std::size_t i = 0; i < tenants.size(); ++i) {
            key.emplace_back(fmt::format("background:var(--run{})", i),
                             tenants[i].empty() ? "(not named)" : tenants[i]);
        }
        if (tenants.size() == colours) key.emplace_back("background:var(--line)", "others");
        page.key(key);
    }
    page.raw(chart);
    std::vector<Row> rows;
    for (const HeldAttempt& attempt : result.attempts) {
        const TraceJob& job = trace.jobs[attempt.trace_job];
        const fleet::NodeRange& first = attempt.on.ranges.front();
        rows.push_back({job.id,
                        std::to_string(attempt.number),
                        tenant_name(trace, job),
                        node_name(result.fleet, first.pool, first.first),
                        format_count(attempt.on.nodes()),
                        moment_text(as_seconds(attempt.from.time_since_epoch()), trace.zero_utc),
                        format_duration(attempt.until - attempt.from)});
    }
    page.twin({"job", "attempt", "tenant", "first node", "nodes", "from", "for"}, rows);
    page.end_section();
}

std::string tenants_compared_chart(const std::vector<RunSummary>& runs) {
    // Of the first run that names any, most work first; others where they have a row too.
    const RunSummary* first = nullptr;
    for (const RunSummary& run : runs)
        if (first == nullptr && !run.data.groups.empty()) first = &run;
    const auto& groups = first->data.groups;
    const std::size_t shown = std::min(groups.size(), tenants_compared_max);
    const auto row_of = [](const RunSummary& run, const std::string& name) {
        const auto its = std::find_if(run.data.groups.begin(),
                                      run.data.groups.end(),
                                      [&](const GroupRow& row) { return row.name == name; });
        return its == run.data.groups.end() ? nullptr : &*its;
    };
    double hours_high = 0;
    double wait_high = 60;
    for (const RunSummary& run : runs) {
        for (std::size_t i = 0; i < shown; ++i) {
            if (const GroupRow* its = row_of(run, groups[i].name)) {
                hours_high = std::max(hours_high, its->chip_hours);
                wait_high = std::max(wait_high, its->wait_mean_s);
            }
        }
    }
    constexpr double top = 30;
    constexpr double middle = (names_end + chart_right) / 2;
    constexpr double bar = 7;
    const double row = bar * static_cast<double>(runs.size()) + 8;
    const double bottom = top + row * static_cast<double>(shown);
    const std::vector<double> steps = round_ticks(0, hours_high > 0 ? hours_high : 1, 3);
    const std::vector<Tick> waits = wait_ticks(wait_high);
    const Axis hours{.low = 0, .high = steps.back(), .from = names_end + 10, .to = middle - 24};
    const Axis wait{.kind = Axis::Kind::log1p,
                    .low = 0,
                    .high = waits.back().value,
                    .from = middle + 16,
                    .to = chart_right - 16};
    Svg svg(chart_width, bottom + 30, "What each tenant held, and how long its jobs waited");
    std::vector<Tick> ticks;
    for (const double step : steps)
        ticks.push_back({step, number_text(step)});
    svg.x_axis(hours, ticks, top, bottom);
    svg.x_axis(wait, waits, top, bottom);
    svg.text(hours.from, 16, first->data.by_chips ? "chip-hours" : "CPU-hours", "note");
    svg.text(wait.from, 16, "mean wait", "note");
    for (std::size_t i = 0; i < shown; ++i) {
        const double y = top + row * static_cast<double>(i) + 4;
        svg.text(names_end, y + row / 2, short_name(groups[i].name), "label end");
        for (std::size_t r = 0; r < runs.size(); ++r) {
            const GroupRow* its = row_of(runs[r], groups[i].name);
            if (its == nullptr) continue;
            const double at = y + bar * static_cast<double>(r);
            const std::string css = fmt::format("f{}", r % overlaid_max);
            const std::string tip = fmt::format("{}, {}: {}, mean wait {}",
                                                runs[r].name,
                                                its->name,
                                                number_text(its->chip_hours),
                                                wait_text(its->wait_mean_s));
            svg.rect(hours.from, at, hours.at(its->chip_hours) - hours.from, bar - 1, css, tip);
            svg.rect(wait.from, at, wait.at(its->wait_mean_s) - wait.from, bar - 1, css, tip);
        }
    }
    return svg.finish();
}

}  // namespace weir::sim
