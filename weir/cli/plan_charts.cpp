#include "weir/cli/plan_charts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "weir/base/seconds.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/plan_text.hpp"
#include "weir/sim/report_charts.hpp"
#include "weir/sim/svg.hpp"

namespace weir::cli {
namespace {

using sim::Axis;
using sim::chart_left;
using sim::chart_right;
using sim::chart_width;
using sim::Svg;
using sim::Tick;

constexpr double gib = 1024.0 * 1024 * 1024;

// A class of the report's style, and its colour for the legend.
struct Colour {
    std::string_view css;
    std::string_view variable;
};
// Work is water, talk is bright, waiting is pale.
constexpr std::array<Colour, plan::term_count> term_colours{{
    {"bar-busy", "--busy"},
    {"w-level", "--deep"},
    {"f6", "--run6"},
    {"bar-wait", "--wait"},
    {"f2", "--run2"},
    {"f4", "--run4"},
    {"f3", "--run3"},
    {"f7", "--run7"},
    {"bar-bad", "--accent"},
    {"fill-busy", "--busy-fill"},
    {"f5", "--run5"},
    {"fill-wait", "--wait-fill"},
}};
constexpr std::array<Colour, plan::memory_part_count> part_colours{{
    {"w-level", "--deep"},
    {"bar-busy", "--busy"},
    {"f2", "--run2"},
    {"bar-wait", "--wait"},
    {"f3", "--run3"},
    {"bar-rest", "--line"},
}};

std::string colour(std::string_view variable) {
    return fmt::format("background:var({})", variable);
}

// So many ticks from 0 to at least `high`.
std::vector<Tick> ticks_to(double high, std::string_view unit) {
    std::vector<Tick> ticks;
    for (const double value : sim::round_ticks(0, high, 6))
        ticks.push_back({value, fmt::format("{} {}", sim::number_text(value), unit)});
    return ticks;
}

constexpr double row_height = 44;
constexpr double first_row = 20;

struct Piece {
    std::string name;
    double value = 0;
    std::string text;
    std::string_view css;
};

// One row of pieces under the name of a plan.
void stacked_row(Svg& svg,
                 const Axis& x,
                 std::size_t index,
                 const std::string& name,
                 const std::vector<Piece>& pieces,
                 const std::string& total) {
    const double top = first_row + row_height * static_cast<double>(index);
    svg.text(16, top + 12, fmt::format("{}. {}", index + 1, name), "label");
    double sum = 0;
    for (const Piece& piece : pieces) {
        if (piece.value <= 0) continue;
        const double from = x.at(sum);
        sum += piece.value;
        svg.rect(from,
                 top + 18,
                 x.at(sum) - from,
                 18,
                 piece.css,
                 fmt::format("{}: {}", piece.name, piece.text));
    }
    svg.text(x.at(sum) + 6, top + 31, total, "note");
}

}  // namespace

std::string time_bars(const std::vector<plan::Plan>& plans) {
    double longest = 0;
    for (const plan::Plan& one : plans)
        longest = std::max(longest, one.prediction.step_s);
    const double height = first_row + row_height * static_cast<double>(plans.size()) + 24;
    Svg svg(chart_width, height, "Where the time of a step goes, for each plan");
    const std::vector<Tick> ticks = ticks_to(longest, "s");
    const Axis x{Axis::Kind::linear, 0, ticks.back().value, 16, chart_right - 90};
    svg.x_axis(x, ticks, 4, height - 22);
    for (std::size_t i = 0; i < plans.size(); ++i) {
        std::vector<Piece> pieces;
        const plan::Prediction& p = plans[i].prediction;
        for (std::size_t term = 0; term < plan::term_count; ++term) {
            pieces.push_back({std::string(name_of(static_cast<plan::Term>(term))),
                              p.term_s[term],
                              fmt::format("{} ({})",
                                          format_seconds(p.term_s[term]),
                                          format_percent(p.term_s[term] / p.step_s)),
                              term_colours[term].css});
        }
        stacked_row(svg, x, i, text_of(plans[i].strategy), pieces, format_seconds(p.step_s));
    }
    return svg.finish();
}

std::string memory_bars(const std::vector<plan::Plan>& plans, const plan::Machine& machine) {
    double most = machine.memory_bytes / gib;
    for (const plan::Plan& one : plans)
        most = std::max(most, one.prediction.memory_total_bytes() / gib);
    const double height = first_row + row_height * static_cast<double>(plans.size()) + 24;
    Svg svg(chart_width, height, "What fills the memory of the fullest chip, for each plan");
    const std::vector<Tick> ticks = ticks_to(most * 1.02, "GiB");
    const Axis x{Axis::Kind::linear, 0, ticks.back().value, 16, chart_right - 90};
    svg.x_axis(x, ticks, 4, height - 22);
    for (std::size_t i = 0; i < plans.size(); ++i) {
        std::vector<Piece> pieces;
        const plan::Prediction& p = plans[i].prediction;
        for (std::size_t part = 0; part < plan::memory_part_count; ++part) {
            pieces.push_back({std::string(name_of(static_cast<plan::MemoryPart>(part))),
                              p.memory_bytes[part] / gib,
                              gib_text(p.memory_bytes[part]),
                              part_colours[part].css});
        }
        stacked_row(
            svg, x, i, text_of(plans[i].strategy), pieces, gib_text(p.memory_total_bytes()));
    }
    const double edge = x.at(machine.memory_bytes / gib);
    svg.line(edge, 4, edge, height - 22, "cap");
    return svg.finish();
}

std::string space_chart(const std::vector<plan::Plan>& plans,
                        const plan::Strategy& best,
                        const plan::Machine& machine) {
    constexpr double height = 340;
    constexpr double bottom = height - 34;
    double most = machine.memory_bytes / gib;
    double highest = 0;
    for (const plan::Plan& one : plans) {
        most = std::max(most, one.prediction.memory_total_bytes() / gib);
        highest = std::max(highest, one.prediction.mfu);
    }
    most = std::min(most, 2.5 * machine.memory_bytes / gib);
    Svg svg(chart_width, height, "Plans by MFU and memory of a chip");
    const std::vector<Tick> x_ticks = ticks_to(most, "GiB");
    std::vector<Tick> y_ticks;
    for (const double value : sim::round_ticks(0, 100 * highest, 5))
        y_ticks.push_back({value, fmt::format("{:.0f} %", value)});
    const Axis x{Axis::Kind::linear, 0, x_ticks.back().value, chart_left, chart_right - 20};
    const Axis y{Axis::Kind::linear, 0, y_ticks.back().value, bottom, 14};
    svg.y_axis(y, y_ticks, chart_left, chart_right);
    svg.x_axis(x, x_ticks, 14, bottom);
    const double edge = x.at(machine.memory_bytes / gib);
    svg.line(edge, 14, edge, bottom, "cap");
    svg.text(edge - 6, bottom - 8, "what a chip has", "note end");
    // The best last, so that nothing hides it.
    for (const bool chosen : {false, true}) {
        for (const plan::Plan& one : plans) {
            const double memory = one.prediction.memory_total_bytes() / gib;
            if ((one.strategy == best) != chosen || memory > x.high) continue;
            const bool fits = one.prediction.memory_total_bytes() <= machine.memory_bytes;
            svg.circle(x.at(memory),
                       y.at(100 * one.prediction.mfu),
                       chosen ? 6 : 3,
                       chosen ? "dot bar-bad"
                       : fits ? "dot bar-busy"
                              : "dot fill-busy",
                       fmt::format("{}: {} MFU, {}, {} a step",
                                   text_of(one.strategy),
                                   format_percent(one.prediction.mfu),
                                   gib_text(one.prediction.memory_total_bytes()),
                                   format_seconds(one.prediction.step_s)));
        }
    }
    return svg.finish();
}

std::string scale_chart(const std::vector<PoolAnswer>& pools) {
    constexpr double height = 340;
    constexpr double bottom = height - 34;
    double chips_low = 1e18;
    double chips_high = 1;
    double low = 1e30;
    double high = 1;
    for (const PoolAnswer& pool : pools) {
        for (const ScalePoint& point : pool.scale) {
            if (!point.best) continue;
            const auto chips = static_cast<double>(point.chips);
            chips_low = std::min(chips_low, chips);
            chips_high = std::max(chips_high, chips);
            low = std::min(low, point.best->prediction.tokens_per_s);
            high = std::max(high, point.best->prediction.tokens_per_s);
        }
    }
    if (chips_low > chips_high) return "";
    Svg svg(chart_width, height, "Tokens a second over numbers of chips");
    std::vector<Tick> x_ticks;
    const int doublings = std::ilogb(chips_high * 1.01 / chips_low);
    for (int i = 0; i <= doublings; ++i) {
        const double chips = std::ldexp(chips_low, i);
        x_ticks.push_back({chips, format_count(static_cast<std::uint64_t>(chips))});
    }
    const double floor = std::pow(10, std::floor(std::log10(low)));
    std::vector<Tick> y_ticks;
    do {
        const double value = floor * std::pow(10, y_ticks.size());
        y_ticks.push_back({value, large_text(value)});
    } while (y_ticks.back().value < high);
    const Axis x{Axis::Kind::log,
                 chips_low,
                 std::max(chips_high, chips_low * 2),
                 chart_left,
                 chart_right - 40};
    const Axis y{Axis::Kind::log, floor, y_ticks.back().value, bottom, 14};
    svg.y_axis(y, y_ticks, chart_left, chart_right);
    svg.x_axis(x, x_ticks, 14, bottom);
    for (std::size_t i = 0; i < pools.size(); ++i) {
        std::vector<std::pair<double, double>> points;
        double each = 0;
        double last = 0;
        for (const ScalePoint& point : pools[i].scale) {
            if (!point.best) continue;
            const auto chips = static_cast<double>(point.chips);
            const double rate = point.best->prediction.tokens_per_s;
            if (each == 0) each = rate / chips;
            last = chips;
            points.emplace_back(x.at(chips), y.at(rate));
        }
        if (points.empty()) continue;
        svg.line(points.front().first,
                 points.front().second,
                 x.at(last),
                 y.at(std::min(each * last, y.high)),
                 "mean");
        svg.path(points, fmt::format("run r{}", i % 8));
        for (const ScalePoint& point : pools[i].scale) {
            if (!point.best) continue;
            svg.circle(x.at(static_cast<double>(point.chips)),
                       y.at(point.best->prediction.tokens_per_s),
                       4,
                       fmt::format("dot f{}", i % 8),
                       fmt::format("{} {}: {} tokens/s, {} MFU, {}",
                                   format_count(point.chips),
                                   pools[i].pool.name,
                                   number_text(point.best->prediction.tokens_per_s),
                                   format_percent(point.best->prediction.mfu),
                                   text_of(point.best->strategy)));
        }
    }
    return svg.finish();
}

std::vector<std::pair<std::string, std::string>> term_key(const std::vector<plan::Plan>& plans) {
    std::vector<std::pair<std::string, std::string>> key;
    for (std::size_t term = 0; term < plan::term_count; ++term) {
        const bool seen = std::any_of(plans.begin(), plans.end(), [&](const plan::Plan& one) {
            return one.prediction.term_s[term] > 0;
        });
        if (seen)
            key.emplace_back(colour(term_colours[term].variable),
                             std::string(name_of(static_cast<plan::Term>(term))));
    }
    return key;
}

std::vector<std::pair<std::string, std::string>> part_key() {
    std::vector<std::pair<std::string, std::string>> key;
    for (std::size_t part = 0; part < plan::memory_part_count; ++part)
        key.emplace_back(colour(part_colours[part].variable),
                         std::string(name_of(static_cast<plan::MemoryPart>(part))));
    return key;
}

std::string line_colour(std::size_t index) {
    return fmt::format("background:var(--run{})", index % 8);
}

}  // namespace weir::cli
