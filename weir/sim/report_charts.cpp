#include "weir/sim/report_charts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <utility>

#include "weir/base/units.hpp"

namespace weir::sim {
namespace {

constexpr double width = chart_width;
constexpr double left = chart_left;
constexpr double right = chart_right;

using Days = std::chrono::sys_days;

constexpr std::array<std::string_view, 12> month_names = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// The first days of every `months`-th month that lie in the span.
std::vector<Tick> month_ticks(double from_s, double to_s, double zero_s, int months) {
    const auto first = std::chrono::floor<std::chrono::days>(
        std::chrono::sys_seconds(std::chrono::seconds(std::llround(zero_s + from_s))));
    const std::chrono::year_month_day date(first);
    int month = static_cast<int>(static_cast<unsigned>(date.month())) - 1;
    int year = static_cast<int>(date.year());
    month -= month % months;
    std::vector<Tick> ticks;
    for (;;) {
        const Days day = std::chrono::year(year) /
                         std::chrono::month(static_cast<unsigned>(month + 1)) / std::chrono::day(1);
        const double at = static_cast<double>(day.time_since_epoch().count()) * 86400 - zero_s;
        if (at > to_s) return ticks;
        if (at >= from_s) {
            ticks.push_back(
                {at, fmt::format("{} {}", month_names[static_cast<std::size_t>(month)], year)});
        }
        month += months;
        year += month / 12;
        month %= 12;
    }
}

std::vector<Tick> day_ticks(double from_s, double to_s, double zero_s, int days) {
    std::vector<Tick> ticks;
    double at = std::ceil((zero_s + from_s) / 86400) * 86400 - zero_s;
    for (; at <= to_s; at += days * 86400.0) {
        const Days day{std::chrono::days(std::llround((zero_s + at) / 86400))};
        const std::chrono::year_month_day date(day);
        ticks.push_back({at,
                         fmt::format("{} {}",
                                     static_cast<unsigned>(date.day()),
                                     month_names[static_cast<unsigned>(date.month()) - 1])});
    }
    return ticks;
}

}  // namespace

std::string number_text(double value) {
    if (value == 0) return "0";
    if (std::abs(value) >= 100) {
        return format_count(static_cast<std::uint64_t>(std::llround(std::abs(value))));
    }
    return fmt::format("{:.3g}", value);
}

std::vector<Tick> wait_ticks(double high) {
    std::vector<Tick> ticks = {{0, "0"}};
    for (const double value : {10.0,
                               60.0,
                               600.0,
                               3600.0,
                               21600.0,
                               86400.0,
                               604800.0,
                               2592000.0,
                               31536000.0,
                               315360000.0}) {
        ticks.push_back({value, time_label(value)});
        if (value >= high) break;
    }
    return ticks;
}

std::vector<Tick> timeline_ticks(double from_s, double to_s, const std::optional<Time>& zero_utc) {
    constexpr double day = 86400;
    const double span = to_s - from_s;
    if (!zero_utc || span < 2 * day) {
        std::vector<Tick> ticks;
        for (const double value : time_ticks(from_s, to_s, 8)) {
            if (value >= from_s && value <= to_s) ticks.push_back({value, time_label(value)});
        }
        return ticks;
    }
    const double zero_s = as_seconds(zero_utc->time_since_epoch());
    for (const int days : {1, 2, 7}) {
        if (span / day / days <= 9) return day_ticks(from_s, to_s, zero_s, days);
    }
    for (const int months : {1, 2, 3, 6}) {
        if (span / day / 30.4 / months <= 9) return month_ticks(from_s, to_s, zero_s, months);
    }
    return month_ticks(from_s, to_s, zero_s, 12);
}

std::string moment_text(double at_s, const std::optional<Time>& zero_utc) {
    const Duration since = seconds(std::llround(at_s));
    if (!zero_utc) return "+" + format_duration(since);
    std::string text = format_time(*zero_utc + since);
    if (text.size() >= 16) {
        text.resize(16);
        text[10] = ' ';
    }
    return text;
}

std::string series_chart(const TimeSeries& series,
                         const std::vector<double>& values,
                         const SeriesChart& chart,
                         const std::optional<Time>& zero_utc) {
    constexpr double top = 14;
    constexpr double bottom = 214;
    const double to_s = series.from_s + series.bin_s * static_cast<double>(values.size());
    double high = chart.full;
    if (high <= 0) {
        high = *std::max_element(values.begin(), values.end()) * chart.scale;
        for (const Level& level : chart.levels)
            high = std::max(high, level.value * chart.scale);
    }
    const std::vector<double> steps = round_ticks(0, high > 0 ? high : 1, 4);
    const Axis y{.low = 0, .high = chart.full > 0 ? high : steps.back(), .from = bottom, .to = top};
    const Axis x{.low = series.from_s, .high = to_s, .from = left, .to = right};

    Svg svg(width, bottom + 34, chart.title);
    std::vector<Tick> ticks;
    for (const double step : steps) {
        if (step > y.high * (1 + 1e-9)) continue;
        ticks.push_back({step, number_text(step) + std::string(chart.unit)});
    }
    svg.y_axis(y, ticks, left, right);
    svg.x_axis(x, timeline_ticks(series.from_s, to_s, zero_utc), bottom, bottom);

    // A bin is a step: flat over its time.
    std::vector<std::pair<double, double>> points;
    points.reserve(values.size() * 2);
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double height = y.at(values[i] * chart.scale);
        const double begin = series.from_s + series.bin_s * static_cast<double>(i);
        // Neighbours of equal height become one step.
        if (points.size() >= 2 && points.back().second == height) {
            points.back().first = x.at(begin + series.bin_s);
            continue;
        }
        points.emplace_back(x.at(begin), height);
        points.emplace_back(x.at(begin + series.bin_s), height);
    }
    svg.area(points, bottom, fmt::format("fill-{}", chart.css));
    svg.path(points, fmt::format("line-{}", chart.css));
    if (chart.mean) {
        const double height = y.at(*chart.mean * chart.scale);
        svg.line(left, height, right, height, "mean");
    }
    for (const Level& level : chart.levels) {
        const double height = y.at(level.value * chart.scale);
        svg.line(left, height, right, height, level.css);
        svg.text(level.label_right ? right - 6 : left + 6,
                 height < top + 16 ? height + 15 : height - 6,
                 level.label,
                 level.label_right ? "note end" : "note");
    }
    // Invisible strips carry the numbers for the mouse.
    const std::size_t each = std::max<std::size_t>(1, values.size() / 120);
    const std::vector<double> strips = coarser(values, each);
    for (std::size_t i = 0; i < strips.size(); ++i) {
        const double begin = series.from_s + series.bin_s * static_cast<double>(i * each);
        const double end = std::min(to_s, begin + series.bin_s * static_cast<double>(each));
        svg.rect(x.at(begin),
                 top,
                 x.at(end) - x.at(begin),
                 bottom - top,
                 "hover",
                 fmt::format("{}: {}{}",
                             moment_text(begin, zero_utc),
                             number_text(strips[i] * chart.scale),
                             chart.unit));
    }
    return svg.finish();
}

std::string waits_chart(const std::vector<SizeClass>& sizes, std::string_view unit) {
    constexpr double top = 14;
    constexpr double bottom = 264;
    double high = 60;
    for (const SizeClass& size : sizes)
        high = std::max(high, size.wait_p95_s);
    const std::vector<Tick> ticks = wait_ticks(high);
    const Axis y{
        .kind = Axis::Kind::log1p, .low = 0, .high = ticks.back().value, .from = bottom, .to = top};
    Svg svg(width, bottom + 54, "Wait by job size");
    svg.y_axis(y, ticks, left, right);
    const double slot = (right - left) / static_cast<double>(sizes.size());
    const double bar = std::min(46.0, slot * 0.5);
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        const SizeClass& size = sizes[i];
        const double middle = left + slot * (static_cast<double>(i) + 0.5);
        const double low_y = y.at(size.wait_p25_s);
        const double high_y = y.at(size.wait_p75_s);
        const double median_y = y.at(size.wait_median_s);
        const double p95_y = y.at(size.wait_p95_s);
        const auto duration = [](double value) {
            return format_duration(seconds(std::llround(value)));
        };
        const std::string tip =
            fmt::format("{} {}: {} jobs\nmedian {}, half of them {} to {}, 95 % at most {}",
                        size.label,
                        unit,
                        format_count(size.jobs),
                        duration(size.wait_median_s),
                        duration(size.wait_p25_s),
                        duration(size.wait_p75_s),
                        duration(size.wait_p95_s));
        svg.line(middle, high_y, middle, p95_y, "whisker");
        svg.rect(middle - bar / 2,
                 high_y,
                 bar,
                 std::max(2.0, low_y - high_y),
                 "box",
                 {},
                 std::min(3.0, std::max(1.0, (low_y - high_y) / 2)));
        svg.line(middle - bar / 2, median_y, middle + bar / 2, median_y, "median");
        svg.circle(middle, p95_y, 4.5, "p95");
        svg.rect(middle - slot / 2, top, slot, bottom - top, "hover", tip);
        svg.text(middle, bottom + 20, size.label, "label middle");
        svg.text(middle,
                 bottom + 37,
                 size.jobs >= 10000 ? fmt::format("{:.0f}k", static_cast<double>(size.jobs) / 1000)
                                    : format_count(size.jobs),
                 "faint middle");
    }
    svg.text(left - 8, bottom + 20, unit, "label end");
    svg.text(left - 8, bottom + 37, "jobs", "faint end");
    return svg.finish();
}

std::string slowdown_chart(const std::vector<SlowdownPoint>& points, double mean) {
    constexpr double top = 14;
    constexpr double bottom = 214;
    const double high = points.back().slowdown;
    const Axis x{.kind = Axis::Kind::log, .low = 1, .high = high, .from = left, .to = right};
    const Axis y{.low = 0, .high = 1, .from = bottom, .to = top};
    Svg svg(width, bottom + 34, "Distribution of the bounded slowdown");
    svg.y_axis(
        y, {{0, "0 %"}, {0.25, "25 %"}, {0.5, "50 %"}, {0.75, "75 %"}, {1, "100 %"}}, left, right);
    std::vector<Tick> ticks;
    for (double value = 1; value <= high * (1 + 1e-9); value *= 10) {
        ticks.push_back({value, number_text(value)});
        for (const double between : {2.0, 5.0}) {
            if (high < 1000 && value * between <= high) {
                ticks.push_back({value * between, number_text(value * between)});
            }
        }
    }
    svg.x_axis(x, ticks, top, bottom);
    std::vector<std::pair<double, double>> line;
    for (const SlowdownPoint& point : points)
        line.emplace_back(x.at(point.slowdown), y.at(point.share));
    svg.area(line, bottom, "fill-busy");
    svg.path(line, "line-busy");
    const double mean_x = x.at(mean);
    svg.line(mean_x, top, mean_x, bottom, "mean");
    const bool on_left = mean_x > right - 110;
    svg.text(on_left ? mean_x - 6 : mean_x + 6,
             bottom - 10,
             "mean " + number_text(mean),
             on_left ? "note end" : "note");
    for (std::size_t i = 0; i + 1 < points.size(); ++i) {
        svg.rect(line[i].first,
                 top,
                 line[i + 1].first - line[i].first,
                 bottom - top,
                 "hover",
                 fmt::format("{:.1f} % of the jobs: at most {}",
                             points[i].share * 100,
                             number_text(points[i].slowdown)));
    }
    return svg.finish();
}

std::string bars_chart(const std::vector<Bar>& bars,
                       std::string_view title,
                       std::string_view unit) {
    constexpr double top = 26;
    constexpr double bottom = 204;
    double high = 0;
    for (const Bar& bar : bars)
        high = std::max(high, bar.value);
    const std::vector<double> steps = round_ticks(0, high > 0 ? high : 1, 4);
    const Axis y{.low = 0, .high = steps.back(), .from = bottom, .to = top};
    Svg svg(width, bottom + 34, title);
    std::vector<Tick> ticks;
    for (const double step : steps)
        ticks.push_back({step, number_text(step) + std::string(unit)});
    svg.y_axis(y, ticks, left, right);
    const double slot = (right - left) / static_cast<double>(bars.size());
    const double thick = std::min(64.0, slot * 0.66);
    for (std::size_t i = 0; i < bars.size(); ++i) {
        const Bar& bar = bars[i];
        const double middle = left + slot * (static_cast<double>(i) + 0.5);
        const double height = y.at(bar.value);
        if (bar.value > 0) {
            svg.rect(middle - thick / 2,
                     std::min(height, bottom - 1),
                     thick,
                     std::max(1.0, bottom - height),
                     bar.css,
                     bar.label + ": " + bar.top,
                     2);
        }
        svg.text(middle, std::min(height, bottom - 1) - 6, bar.top, "note middle");
        svg.text(middle, bottom + 20, bar.label, "label middle");
    }
    return svg.finish();
}

std::string shares_chart(const std::vector<Bar>& parts, std::string_view title) {
    constexpr double top = 6;
    constexpr double height = 34;
    constexpr double begin = 14;
    double whole = 0;
    for (const Bar& part : parts)
        whole += part.value;
    const Axis x{.low = 0, .high = whole > 0 ? whole : 1, .from = begin, .to = right};
    Svg svg(width, top + height + 26, title);
    double at = 0;
    double named_to = begin;
    for (const Bar& part : parts) {
        const double from = x.at(at);
        const double to = x.at(at + part.value);
        at += part.value;
        svg.rect(from, top, to - from, height, part.css, part.label + ": " + part.top);
        // Under its part where there is room, else only in the legend.
        const std::string name = part.label + " " + part.top;
        const double wide = static_cast<double>(name.size()) * 7.2;
        const bool on_left = from + wide < right;
        const double name_from = on_left ? std::max(from, named_to) : right - wide;
        if (part.value <= 0 || name_from < named_to || name_from + wide > right + 1) continue;
        svg.text(
            on_left ? name_from : right, top + height + 18, name, on_left ? "label" : "label end");
        named_to = name_from + wide + 12;
    }
    return svg.finish();
}

std::string gantt_chart(const Trace& trace, const Simulation& result) {
    const auto count = static_cast<double>(result.jobs.size());
    const double row = std::clamp(720 / count, 5.0, 22.0);
    const bool named = row >= 11;
    constexpr double top = 10;
    const double bottom = top + row * count;
    double from =
        as_seconds(trace.jobs[result.jobs.front().trace_job].submitted_at.time_since_epoch());
    double to = from + 1;
    for (const ScheduledJob& job : result.jobs) {
        from =
            std::min(from, as_seconds(trace.jobs[job.trace_job].submitted_at.time_since_epoch()));
        to = std::max(to, as_seconds(job.end.time_since_epoch()));
    }
    const Axis x{.low = from, .high = to, .from = left, .to = right};
    Svg svg(width, bottom + 34, "Every job: waiting and running");
    svg.x_axis(x, timeline_ticks(from, to, trace.zero_utc), top, bottom);
    double y = top;
    for (const ScheduledJob& job : result.jobs) {
        const TraceJob& logged = trace.jobs[job.trace_job];
        const double submit = x.at(as_seconds(logged.submitted_at.time_since_epoch()));
        const double start = x.at(as_seconds(job.start.time_since_epoch()));
        const double end = x.at(as_seconds(job.end.time_since_epoch()));
        std::string tip = fmt::format("{}: {} chips, waited {}, ran {}",
                                      logged.id,
                                      number_text(job.chips),
                                      format_duration(job.start - logged.submitted_at),
                                      format_duration(job.end - job.start));
        if (job.attempts > 1) {
            tip += fmt::format(
                "\n{} attempts: {} ended by a failed node, {} stopped for others; {} "
                "done again",
                job.attempts,
                job.failures,
                job.preemptions,
                format_duration(job.lost));
        }
        if (start > submit) svg.line(submit, y + row / 2, start, y + row / 2, "gantt-wait");
        svg.rect(start,
                 y + row * 0.15,
                 std::max(1.0, end - start),
                 row * 0.7,
                 job.attempts > 1 ? "gantt-again" : "gantt-run",
                 tip,
                 std::min(2.0, row / 5));
        if (named) svg.text(left - 8, y + row / 2 + 4, logged.id.substr(0, 10), "label end");
        y += row;
    }
    return svg.finish();
}

}  // namespace weir::sim
