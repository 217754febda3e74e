#include "weir/sim/report_power.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/sim/report_charts.hpp"
#include "weir/sim/svg.hpp"

namespace weir::sim {
namespace {

constexpr std::size_t columns_max = 220;  // racks on the picture; more share a column
constexpr std::size_t rows_max = 32;

// Calls `of_rack(nodes)` for every rack of every pod and `after_pod(nodes)` after each pod.
template <class OfRack, class AfterPod>
void walk(const fleet::Pool& pool, OfRack of_rack, AfterPod after_pod) {
    const std::uint32_t rack_nodes = pool.rack_nodes();
    const std::uint32_t pod_nodes = pool.pod_nodes();
    for (std::uint32_t pod = 0; pod < pool.nodes;) {
        const std::uint32_t pod_end = pod + std::min(pod_nodes, pool.nodes - pod);
        for (std::uint32_t rack = pod; rack < pod_end; rack += rack_nodes)
            of_rack(std::min(rack_nodes, pod_end - rack));
        after_pod(pod_end - pod);
        pod = pod_end;
    }
}

// How many chips `watts` feed beside idle nodes; 0 watts = no cap.
std::uint64_t chips_fed_by(double watts,
                           double idle_watts,
                           double chip_watts,
                           std::uint64_t chips) {
    if (watts <= 0 || chip_watts <= 0) return chips;
    const double fed = std::floor((watts * (1 + 1e-9) - idle_watts) / chip_watts);
    return fed <= 0 ? 0 : std::min(chips, static_cast<std::uint64_t>(fed));
}

double share_of_cap(double watts, const RackPower& rack) {
    return rack.cap_watts > 0 ? watts / rack.cap_watts : 0;
}

std::vector<RackPower> fullest_first(std::vector<RackPower> racks) {
    std::stable_sort(racks.begin(), racks.end(), [](const RackPower& a, const RackPower& b) {
        const auto key = [](const RackPower& rack) {
            return std::pair(share_of_cap(rack.max_watts, rack),
                             share_of_cap(rack.mean_watts, rack));
        };
        return key(a) != key(b) ? key(a) > key(b) : a.max_watts > b.max_watts;
    });
    return racks;
}

std::string percent_of_cap(double watts, const RackPower& rack) {
    return rack.cap_watts > 0 ? format_percent(watts / rack.cap_watts) : "-";
}

void rack_tables(HtmlPage& page, const Simulation& result) {
    struct Sums {
        std::uint64_t racks = 0;
        std::uint64_t over = 0;
        RackPower most;
        double mean = 0;
        double over_s = 0;
    };
    std::map<PoolId, Sums> pools;
    for (const RackPower& rack : result.racks) {
        Sums& sums = pools[rack.pool];
        ++sums.racks;
        sums.over += rack.over_cap_s > 0 ? 1 : 0;
        sums.over_s += rack.over_cap_s;
        sums.mean += rack.mean_watts;
        if (rack.max_watts > sums.most.max_watts) sums.most = rack;
    }
    std::vector<Row> rows;
    for (const auto& [id, sums] : pools) {
        rows.push_back({result.fleet.pool(id).name,
                        format_count(sums.racks),
                        sums.most.cap_watts > 0 ? watts_text(sums.most.cap_watts) : "none",
                        watts_text(sums.mean / static_cast<double>(sums.racks)),
                        watts_text(sums.most.max_watts),
                        percent_of_cap(sums.most.max_watts, sums.most),
                        format_count(sums.over),
                        duration_text(sums.over_s)});
    }
    if (pools.size() > 1) {
        page.table({"pool",
                    "racks",
                    "cap of one",
                    "mean of one",
                    "highest",
                    "of its cap",
                    "ever over",
                    "together for"},
                   rows);
    }
    rows.clear();
    const std::vector<RackPower> racks = fullest_first(result.racks);
    for (const RackPower& rack : racks) {
        if (rows.size() == rows_max) break;
        rows.push_back({fmt::format("{}, rack {}", result.fleet.pool(rack.pool).name, rack.rack),
                        rack.cap_watts > 0 ? watts_text(rack.cap_watts) : "none",
                        watts_text(rack.mean_watts),
                        watts_text(rack.max_watts),
                        percent_of_cap(rack.max_watts, rack),
                        duration_text(rack.over_cap_s)});
    }
    if (racks.size() > rows_max) {
        rows.push_back({format_count(racks.size() - rows_max) + " more, less full"});
    }
    page.twin({"rack", "cap", "mean", "highest", "of its cap", "over it for"}, rows);
}

}  // namespace

double power_allowed_watts(const fleet::Fleet& fleet) {
    double total = 0;
    bool capped = false;
    const auto least = [&](double could_draw, double cap) {
        if (cap <= 0 || cap >= could_draw) return could_draw;
        capped = true;
        return cap;
    };
    std::map<std::string, double> sites;
    for (const fleet::Pool& pool : fleet.pools) {
        if (pool.node_busy_watts <= 0 || pool.nodes == 0) continue;
        double pod = 0;
        walk(
            pool,
            [&](std::uint32_t nodes) {
                pod += least(nodes * pool.node_busy_watts, pool.rack_power_watts);
            },
            [&](std::uint32_t) {
                sites[pool.site] += least(pod, pool.pod_power_watts);
                pod = 0;
            });
    }
    for (const auto& [name, watts] : sites) {
        const auto site = std::find_if(
            fleet.sites.begin(), fleet.sites.end(), [&site_name = name](const fleet::Site& one) {
                return one.name == site_name;
            });
        total += least(watts, site == fleet.sites.end() ? 0 : site->power_watts);
    }
    return capped ? total : 0;
}

CapCost cap_cost(const fleet::Fleet& fleet, const ReportData& data) {
    struct Fed {
        std::string chip;
        double chip_watts = 0;
        std::uint64_t chips = 0;
    };
    struct Site {
        std::vector<Fed> fed;
        double idle_watts = 0;
    };
    CapCost cost;
    std::map<std::string, std::uint64_t> dark;  // by kind of chip; first all that may be
    std::map<std::string, Site> sites;
    for (const fleet::Pool& pool : fleet.pools) {
        const std::uint64_t chips = std::uint64_t{pool.nodes} * pool.chips_per_node;
        cost.chips += chips;
        Site& site = sites[pool.site];
        if (pool.node_busy_watts <= 0) {
            cost.chips_fed += chips;
            continue;
        }
        site.idle_watts += pool.node_idle_watts * pool.nodes;
        if (chips == 0) continue;
        dark[pool.chip] += chips;
        Fed fed{.chip = pool.chip,
                .chip_watts = (pool.node_busy_watts - pool.node_idle_watts) / pool.chips_per_node};
        const auto limited = [&](double cap, std::uint32_t nodes, std::uint64_t most) {
            return chips_fed_by(cap, pool.node_idle_watts * nodes, fed.chip_watts, most);
        };
        std::uint64_t pod = 0;
        walk(
            pool,
            [&](std::uint32_t nodes) {
                pod += limited(
                    pool.rack_power_watts, nodes, std::uint64_t{nodes} * pool.chips_per_node);
            },
            [&](std::uint32_t nodes) {
                fed.chips += limited(pool.pod_power_watts, nodes, pod);
                pod = 0;
            });
        site.fed.push_back(fed);
    }
    // A site feeds the most chips when it begins with those that draw least.
    for (auto& [name, site] : sites) {
        double watts = 0;
        for (const fleet::Site& one : fleet.sites) {
            if (one.name == name) watts = one.power_watts;
        }
        std::stable_sort(site.fed.begin(), site.fed.end(), [](const Fed& a, const Fed& b) {
            return a.chip_watts < b.chip_watts;
        });
        for (const Fed& fed : site.fed) {
            const std::uint64_t chips =
                chips_fed_by(watts, site.idle_watts, fed.chip_watts, fed.chips);
            cost.chips_fed += chips;
            dark[fed.chip] -= chips;
            if (watts > 0) {
                // What is left; below zero must not read as "no cap".
                watts = std::max(std::numeric_limits<double>::min(),
                                 watts - fed.chip_watts * static_cast<double>(chips));
            }
        }
    }
    const auto unfed = static_cast<double>(cost.chips - cost.chips_fed);
    if (!data.by_chips || unfed <= 0) return cost;
    std::vector<double> waited(data.series.waiting.size(), 0);
    for (const WaitingFor& one : data.waiting_for) {
        double accepted = one.chips.empty() ? unfed : 0;
        for (const std::string& chip : one.chips) {
            const auto its = dark.find(chip);
            if (its != dark.end()) accepted += static_cast<double>(its->second);
        }
        for (std::size_t bin = 0; bin < waited.size(); ++bin)
            waited[bin] += std::min(one.waiting.at(bin), accepted);
    }
    for (const double waiting : waited)
        cost.chip_hours_waited += std::min(waiting, unfed) * data.series.bin_s / 3600;
    return cost;
}

std::vector<double> power_bins(const std::vector<PowerPoint>& power,
                               double from_s,
                               double bin_s,
                               std::size_t bins) {
    std::vector<double> out(bins, 0.0);
    std::size_t point = 0;
    const auto at = [&](std::size_t i) { return as_seconds(power[i].at.time_since_epoch()); };
    for (std::size_t i = 0; i < bins && !power.empty(); ++i) {
        double begin = from_s + bin_s * static_cast<double>(i);
        const double end = begin + bin_s;
        double sum = 0;
        while (begin < end) {
            while (point + 1 < power.size() && at(point + 1) <= begin)
                ++point;
            const double upto = point + 1 < power.size() ? std::min(end, at(point + 1)) : end;
            sum += power[point].watts * (upto - begin);
            begin = upto;
        }
        out[i] = sum / bin_s;
    }
    return out;
}

WattUnit watt_unit(double watts_max) {
    if (watts_max >= 2e6) return {"MW", 1e-6};
    if (watts_max >= 2e3) return {"kW", 1e-3};
    return {"W", 1};
}

std::string watts_text(double watts) {
    return format_rate(watts, "W");
}

std::string racks_chart(const std::vector<RackPower>& given) {
    constexpr double top = 14;
    constexpr double bottom = 214;
    const bool capped = std::all_of(
        given.begin(), given.end(), [](const RackPower& rack) { return rack.cap_watts > 0; });
    const std::vector<RackPower> racks = fullest_first(given);
    double watts_max = 0;
    double share_max = 1;
    for (const RackPower& rack : racks) {
        watts_max = std::max({watts_max, rack.max_watts, rack.cap_watts});
        share_max = std::max(share_max, share_of_cap(rack.max_watts, rack));
    }
    const WattUnit unit = capped ? WattUnit{"%", 1} : watt_unit(watts_max);
    const auto shown = [&](double watts, const RackPower& rack) {
        return capped ? share_of_cap(watts, rack) * 100 : watts * unit.scale;
    };
    const std::vector<double> steps = round_ticks(
        0, capped ? (share_max > 1.02 ? share_max * 100 : 100) : watts_max * unit.scale, 4);
    const Axis y{.low = 0, .high = steps.back(), .from = bottom, .to = top};
    std::vector<Tick> ticks;
    for (const double step : steps)
        ticks.push_back({step, number_text(step) + " " + unit.name});

    Svg svg(chart_width, bottom + 40, "Power of every rack");
    svg.y_axis(y, ticks, chart_left, chart_right);
    const std::size_t each = (racks.size() + columns_max - 1) / columns_max;
    const std::size_t columns = (racks.size() + each - 1) / each;
    const double slot = (chart_right - chart_left) / static_cast<double>(columns);
    const double thick = std::clamp(slot * 0.8, 1.0, 46.0);
    for (std::size_t column = 0; column < columns; ++column) {
        const std::size_t begin = column * each;
        const std::size_t end = std::min(racks.size(), begin + each);
        double mean = 0;
        double most = 0;
        double over_s = 0;
        for (std::size_t i = begin; i < end; ++i) {
            mean += shown(racks[i].mean_watts, racks[i]) / static_cast<double>(end - begin);
            most = std::max(most, shown(racks[i].max_watts, racks[i]));
            over_s = std::max(over_s, racks[i].over_cap_s);
        }
        const double middle = chart_left + slot * (static_cast<double>(column) + 0.5);
        const double x = middle - thick / 2;
        svg.rect(x, y.at(mean), thick, bottom - y.at(mean), "fill-busy");
        svg.line(x, y.at(most), x + thick, y.at(most), "peak");
        std::string tip =
            end - begin == 1
                ? fmt::format("pool {}, rack {}", racks[begin].pool.value + 1, racks[begin].rack)
                : fmt::format("{} racks", end - begin);
        tip += fmt::format(": mean {} {}, highest {} {}",
                           number_text(mean),
                           unit.name,
                           number_text(most),
                           unit.name);
        if (over_s > 0) tip += ", over its cap for " + duration_text(over_s);
        svg.rect(middle - slot / 2, top, slot, bottom - top, "hover", tip);
    }
    if (capped) svg.line(chart_left, y.at(100), chart_right, y.at(100), "cap");
    // Where some racks have a cap and others none, each of the former against its own.
    for (std::size_t i = 0; !capped && each == 1 && i < racks.size(); ++i) {
        if (racks[i].cap_watts <= 0) continue;
        const double x = chart_left + slot * static_cast<double>(i);
        const double height = y.at(racks[i].cap_watts * unit.scale);
        svg.line(x, height, x + slot, height, "cap");
    }
    svg.text((chart_left + chart_right) / 2,
             bottom + 22,
             format_count(racks.size(), "rack") +
                 (capped ? ", by how near they came to their caps" : ", by what they drew"),
             "label middle");
    return svg.finish();
}

void power_section(HtmlPage& page,
                   const Trace& trace,
                   const Simulation& result,
                   const ReportData& data) {
    if (result.racks.empty() || result.power.empty()) return;
    const TimeSeries& s = data.series;
    const double allowed = power_allowed_watts(result.fleet);
    const std::vector<double> watts = power_bins(result.power, s.from_s, s.bin_s, s.busy.size());
    const double highest = result.metrics.power_max_watts;
    const WattUnit unit = watt_unit(std::max(highest, allowed));
    page.section("Power",
                 fmt::format("What all nodes drew together, idle ones included: {} kWh in all. The "
                             "highest moment drew {}{}.",
                             number_text(result.metrics.energy_kwh),
                             watts_text(highest),
                             allowed > 0 ? fmt::format("; the caps allow {}", watts_text(allowed))
                                         : "; nothing limits it"));
    SeriesChart chart{.title = "Power of all nodes over time",
                      .unit = " " + unit.name,
                      .css = "busy",
                      .scale = unit.scale,
                      .mean = {}};
    chart.levels.push_back({highest, "highest " + watts_text(highest), "peak", false});
    if (allowed > 0) chart.levels.push_back({allowed, "caps " + watts_text(allowed), "cap", true});
    page.raw(series_chart(s, watts, chart, trace.zero_utc));
    const std::size_t each = (watts.size() + rows_max - 1) / rows_max;
    const std::vector<double> means = coarser(watts, each);
    std::vector<Row> rows;
    for (std::size_t i = 0; i < means.size(); ++i) {
        const double begin = s.from_s + s.bin_s * static_cast<double>(i * each);
        rows.push_back({moment_text(begin, trace.zero_utc), watts_text(means[i])});
    }
    page.twin({"from", "mean of the next " + duration_text(s.bin_s * static_cast<double>(each))},
              rows);

    const bool capped = std::any_of(result.racks.begin(),
                                    result.racks.end(),
                                    [](const RackPower& rack) { return rack.cap_watts > 0; });
    std::uint64_t over = 0;
    for (const RackPower& rack : result.racks)
        over += rack.over_cap_s > 0 ? 1 : 0;
    page.add("<h3>Racks</h3>\n<p>{}</p>\n",
             !capped ? "No rack has a cap."
             : over == 0
                 ? "No rack was ever over its cap."
                 : fmt::format("{} at some time over the cap; the table says for how long.",
                               over == 1 ? "1 rack was" : format_count(over) + " racks were"));
    std::vector<std::pair<std::string, std::string>> key{
        {"background:var(--busy-fill)", "mean"},
        {"height:3px;background:var(--deep);vertical-align:middle", "highest"}};
    if (capped) {
        key.emplace_back("height:0;border-top:2px dashed var(--accent);vertical-align:middle",
                         "cap");
    }
    page.key(key);
    page.raw(racks_chart(result.racks));
    rack_tables(page, result);

    if (const CapCost cost = cap_cost(result.fleet, data); cost.chips_fed < cost.chips) {
        const double unfed = static_cast<double>(cost.chips - cost.chips_fed);
        const double whole = s.capacity * s.bin_s * static_cast<double>(s.busy.size()) / 3600;
        page.add(
            "<h3>What the caps cost</h3>\n<p>They feed at most {} of {} chips at a time, so {} "
            "{} dark ({}).",
            format_count(cost.chips_fed),
            format_count(cost.chips),
            format_count(static_cast<std::uint64_t>(unfed)),
            unfed == 1 ? "stays" : "stay",
            format_percent(unfed / static_cast<double>(cost.chips)));
        if (data.by_chips) {
            page.add(
                " While they were dark, jobs waited that asked for {} chip-hours of them: {} of "
                "what the machine could have done in this time.",
                number_text(cost.chip_hours_waited),
                format_percent(whole > 0 ? cost.chip_hours_waited / whole : 0));
        }
        page.raw("</p>\n");
    }
    page.end_section();
}

}  // namespace weir::sim
