#include "weir/sim/report_compare_charts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "weir/base/units.hpp"
#include "weir/sim/report_charts.hpp"
#include "weir/sim/svg.hpp"

namespace weir::sim {
namespace {

constexpr double left = chart_left;
constexpr double right = chart_right;

using Points = std::vector<std::pair<double, double>>;

// A bin is a step: flat over its time; neighbours of equal height become one.
Points steps_of(const TimeSeries& series,
                const std::vector<double>& values,
                double scale,
                const Axis& x,
                const Axis& y) {
    Points points;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double begin = series.from_s + series.bin_s * static_cast<double>(i);
        const double height = y.at(values[i] * scale);
        if (points.size() >= 2 && points.back().second == height) {
            points.back().first = x.at(begin + series.bin_s);
            continue;
        }
        points.emplace_back(x.at(begin), height);
        points.emplace_back(x.at(begin + series.bin_s), height);
    }
    return points;
}

}  // namespace

std::string run_css(std::size_t run) {
    return fmt::format("run r{} d{}", run % overlaid_max, run % 4);
}

CommonTime common_time(const std::vector<RunSummary>& runs) {
    CommonTime time{runs.front().data.series.from_s, runs.front().data.series.from_s + 1};
    for (const RunSummary& run : runs) {
        const TimeSeries& s = run.data.series;
        time.from_s = std::min(time.from_s, s.from_s);
        time.to_s = std::max(time.to_s, s.from_s + s.bin_s * static_cast<double>(s.busy.size()));
    }
    return time;
}

std::string overlaid_chart(const std::vector<RunSummary>& runs,
                           const OverlaidChart& chart,
                           const std::optional<Time>& zero_utc) {
    constexpr double top = 14;
    constexpr double bottom = 244;
    double high = 0;
    for (const std::vector<double>& values : chart.values) {
        for (const double value : values)
            high = std::max(high, value * chart.scale);
    }
    for (const double level : chart.levels)
        high = std::max(high, level * chart.scale);
    const std::vector<double> steps = round_ticks(0, high > 0 ? high : 1, 4);
    const CommonTime time = common_time(runs);
    const Axis y{.low = 0, .high = steps.back(), .from = bottom, .to = top};
    const Axis x{.low = time.from_s, .high = time.to_s, .from = left, .to = right};
    Svg svg(chart_width, bottom + 34, chart.title);
    std::vector<Tick> ticks;
    for (const double step : steps)
        ticks.push_back({step, number_text(step) + chart.unit});
    svg.y_axis(y, ticks, left, right);
    svg.x_axis(x, timeline_ticks(time.from_s, time.to_s, zero_utc), bottom, bottom);
    for (std::size_t i = 0; i < chart.levels.size(); ++i) {
        if (chart.levels[i] <= 0) continue;
        const double height = y.at(chart.levels[i] * chart.scale);
        svg.line(left, height, right, height, fmt::format("level r{}", i % overlaid_max));
    }
    // The baseline first: where runs agree, its solid line shows between the dashes of the others.
    for (std::size_t i = 0; i < runs.size(); ++i)
        svg.path(steps_of(runs[i].data.series, chart.values[i], chart.scale, x, y), run_css(i));
    return svg.finish();
}

std::string strips_chart(const std::vector<RunSummary>& runs, const std::optional<Time>& zero_utc) {
    const double name = 18;
    const double height = runs.size() <= overlaid_max ? 58 : 26;
    const double strip = name + height + 8;
    const double bottom = strip * static_cast<double>(runs.size());
    const CommonTime time = common_time(runs);
    const Axis x{.low = time.from_s, .high = time.to_s, .from = left, .to = right};
    Svg svg(chart_width, bottom + 34, "Utilisation of every run over time");
    svg.x_axis(x, timeline_ticks(time.from_s, time.to_s, zero_utc), 0, bottom);
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const TimeSeries& s = runs[i].data.series;
        const double floor = strip * static_cast<double>(i + 1) - 4;
        const Axis y{.low = 0, .high = 1, .from = floor, .to = floor - height};
        svg.line(left, floor, right, floor, "base");
        svg.line(left, floor - height, right, floor - height, "grid");
        svg.text(left - 8, floor - height + 5, "100 %", "label end");
        svg.text(left - 8, floor + 1, "0", "label end");
        const Points points = steps_of(s, s.busy, s.capacity > 0 ? 1 / s.capacity : 0, x, y);
        svg.area(points, floor, fmt::format("strip f{}", i % overlaid_max));
        svg.path(points, fmt::format("thin r{}", i % overlaid_max));
        svg.text(
            left + 6,
            floor - height - 5,
            fmt::format(
                "{}: {} on average", runs[i].name, format_percent(runs[i].metrics.utilisation)),
            "note");
    }
    return svg.finish();
}

std::string sizes_chart(const std::vector<RunSummary>& runs, std::string_view unit) {
    constexpr double top = 14;
    constexpr double bottom = 264;
    std::map<int, std::string> classes;
    double high = 60;
    for (const RunSummary& run : runs) {
        for (const SizeClass& size : run.data.sizes) {
            classes[size.number] = size.label;
            high = std::max(high, size.wait_mean_s);
        }
    }
    const std::vector<Tick> ticks = wait_ticks(high);
    const Axis y{
        .kind = Axis::Kind::log1p, .low = 0, .high = ticks.back().value, .from = bottom, .to = top};
    Svg svg(chart_width, bottom + 34, "Mean wait by job size");
    svg.y_axis(y, ticks, left, right);
    const double slot = (right - left) / static_cast<double>(classes.size());
    std::map<int, double> middle;
    for (const auto& [number, label] : classes) {
        const double x = left + slot * (static_cast<double>(middle.size()) + 0.5);
        middle[number] = x;
        svg.text(x, bottom + 20, label, "label middle");
    }
    for (std::size_t i = 0; i < runs.size(); ++i) {
        Points points;
        for (const SizeClass& size : runs[i].data.sizes)
            points.emplace_back(middle[size.number], y.at(size.wait_mean_s));
        svg.path(points, run_css(i));
        for (std::size_t k = 0; k < points.size(); ++k) {
            const SizeClass& size = runs[i].data.sizes[k];
            svg.circle(points[k].first,
                       points[k].second,
                       4,
                       fmt::format("dot f{}", i % overlaid_max),
                       fmt::format("{}, {} {}: mean wait {}",
                                   runs[i].name,
                                   size.label,
                                   unit,
                                   duration_text(size.wait_mean_s)));
        }
    }
    svg.text(left - 8, bottom + 20, unit, "label end");
    return svg.finish();
}

std::string slowdowns_chart(const std::vector<RunSummary>& runs) {
    constexpr double top = 14;
    constexpr double bottom = 244;
    double high = 10;
    for (const RunSummary& run : runs)
        high = std::max(high, run.data.slowdowns.back().slowdown);
    const Axis x{.kind = Axis::Kind::log, .low = 1, .high = high, .from = left, .to = right};
    const Axis y{.low = 0, .high = 1, .from = bottom, .to = top};
    Svg svg(chart_width, bottom + 34, "Distribution of the bounded slowdown");
    svg.y_axis(
        y, {{0, "0 %"}, {0.25, "25 %"}, {0.5, "50 %"}, {0.75, "75 %"}, {1, "100 %"}}, left, right);
    std::vector<Tick> ticks;
    for (double value = 1; value <= high * (1 + 1e-9); value *= 10)
        ticks.push_back({value, number_text(value)});
    svg.x_axis(x, ticks, top, bottom);
    for (std::size_t i = 0; i < runs.size(); ++i) {
        Points points;
        for (const SlowdownPoint& point : runs[i].data.slowdowns)
            points.emplace_back(x.at(point.slowdown), y.at(point.share));
        if (points.back().first < right) points.emplace_back(right, y.at(1));
        svg.path(points, run_css(i));
    }
    return svg.finish();
}

std::optional<Sweep> sweep_of(const std::vector<RunSummary>& runs) {
    Sweep sweep;
    const auto position_of = [](std::vector<std::string>& list, const std::string& word) {
        const auto found = std::find(list.begin(), list.end(), word);
        if (found != list.end()) return static_cast<std::size_t>(found - list.begin());
        list.push_back(word);
        return list.size() - 1;
    };
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> at;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        if (runs[i].varied.size() != 1) return std::nullopt;
        sweep.key = runs[i].varied.front().first;
        at[{position_of(sweep.policies, runs[i].policy),
            position_of(sweep.values, runs[i].varied.front().second)}] = i;
    }
    if (sweep.values.size() < 3 || sweep.policies.size() > overlaid_max) return std::nullopt;
    if (at.size() != sweep.policies.size() * sweep.values.size()) return std::nullopt;
    sweep.runs.assign(sweep.policies.size(), std::vector<std::size_t>(sweep.values.size()));
    for (const auto& [where, run] : at)
        sweep.runs[where.first][where.second] = run;
    return sweep;
}

std::string sweep_chart(const std::vector<RunSummary>& runs,
                        const Sweep& sweep,
                        const std::vector<Figure>& shown) {
    constexpr std::size_t across = 3;
    constexpr double panel = (chart_width - 14) / across;
    constexpr double height = 236;
    const std::size_t down = (shown.size() + across - 1) / across;
    Svg svg(chart_width, height * static_cast<double>(down), "What follows from " + sweep.key);
    for (std::size_t f = 0; f < shown.size(); ++f) {
        const Figure& figure = shown[f];
        const double x0 = panel * static_cast<double>(f % across) + 90;
        const double x1 = panel * static_cast<double>(f % across + 1) - 4;
        const double top = height * static_cast<double>(f / across) + 30;
        const double bottom = top + height - 80;
        double low = figure.value(runs.front());
        double high = low;
        for (const RunSummary& run : runs) {
            low = std::min(low, figure.value(run));
            high = std::max(high, figure.value(run));
        }
        // From 0, unless all that differs would be a hair at the top.
        const bool from_zero = high <= 0 || low < 0.7 * high;
        const std::vector<double> steps =
            round_ticks(from_zero ? 0 : low, high > low ? high : low + 1, 4);
        const Axis y{.low = steps.front(), .high = steps.back(), .from = bottom, .to = top};
        std::vector<Tick> ticks;
        for (const double step : steps)
            ticks.push_back({step, figure.text(step)});
        svg.y_axis(y, ticks, x0, x1);
        svg.text(x0, top - 12, figure.name, "note");
        const double slot = (x1 - x0) / static_cast<double>(sweep.values.size());
        const std::size_t each =
            std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(44 / std::max(slot, 1.0))));
        for (std::size_t v = 0; v < sweep.values.size(); v += each) {
            svg.text(x0 + slot * (static_cast<double>(v) + 0.5),
                     bottom + 18,
                     sweep.values[v],
                     "label middle");
        }
        svg.text((x0 + x1) / 2, bottom + 36, sweep.key, "faint middle");
        for (std::size_t p = 0; p < sweep.policies.size(); ++p) {
            Points points;
            for (std::size_t v = 0; v < sweep.values.size(); ++v) {
                points.emplace_back(x0 + slot * (static_cast<double>(v) + 0.5),
                                    y.at(figure.value(runs[sweep.runs[p][v]])));
            }
            svg.path(points, run_css(p));
            for (std::size_t v = 0; v < points.size(); ++v) {
                const RunSummary& run = runs[sweep.runs[p][v]];
                svg.circle(points[v].first,
                           points[v].second,
                           4,
                           fmt::format("dot f{}", p % overlaid_max),
                           fmt::format("{}, {} {}: {}",
                                       run.policy,
                                       sweep.key,
                                       sweep.values[v],
                                       figure.text(figure.value(run))));
            }
        }
    }
    return svg.finish();
}

}  // namespace weir::sim
