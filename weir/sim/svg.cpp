#include "weir/sim/svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <utility>

#include "weir/base/units.hpp"

namespace weir::sim {
namespace {

// One decimal, none where it is zero: half of the bytes of a chart are coordinates.
void append_number(std::string& out, double value) {
    const auto tenths = static_cast<long long>(std::llround(value * 10));
    if (tenths < 0) out.push_back('-');
    const long long size = tenths < 0 ? -tenths : tenths;
    fmt::format_to(std::back_inserter(out), "{}", size / 10);
    if (size % 10 != 0) fmt::format_to(std::back_inserter(out), ".{}", size % 10);
}

void append_attribute(std::string& out, std::string_view name, double value) {
    fmt::format_to(std::back_inserter(out), " {}=\"", name);
    append_number(out, value);
    out.push_back('"');
}

std::vector<double> multiples(double low, double high, double step) {
    std::vector<double> ticks;
    const double first = std::floor(low / step + 1e-9);
    for (double k = first;; k += 1) {
        ticks.push_back(k * step);
        if (k * step >= high - step * 1e-9 || ticks.size() > 100) return ticks;
    }
}

}  // namespace

std::vector<double> round_ticks(double low, double high, int wanted) {
    if (!(high > low)) high = low + 1;
    const double rough = (high - low) / std::max(1, wanted);
    const double magnitude = std::pow(10.0, std::floor(std::log10(rough)));
    double step = magnitude * 10;
    for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
        if (magnitude * factor >= rough * 0.999) {
            step = magnitude * factor;
            break;
        }
    }
    return multiples(low, high, step);
}

std::vector<double> time_ticks(double low_s, double high_s, int wanted) {
    // Up to 30 days; from there on round numbers of days.
    constexpr std::array<double, 22> steps = {
        1,    2,    5,    10,    15,    30,    60,    120,    300,    600,     900,
        1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000};
    if (!(high_s > low_s)) high_s = low_s + 1;
    const double rough = (high_s - low_s) / std::max(1, wanted);
    for (const double step : steps) {
        if (step >= rough) return multiples(low_s, high_s, step);
    }
    std::vector<double> ticks = round_ticks(low_s / 86400, high_s / 86400, wanted);
    for (double& tick : ticks)
        tick *= 86400;
    return ticks;
}

std::string time_label(double value_s) {
    struct Unit {
        double size;
        std::string_view name;
    };
    constexpr std::array<Unit, 4> units = {{{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}}};
    if (value_s == 0) return "0";
    for (const Unit& unit : units) {
        const double count = value_s / unit.size;
        if (count >= 1 && std::abs(count - std::round(count)) < 1e-6) {
            return fmt::format(
                "{} {}", format_count(static_cast<std::uint64_t>(std::llround(count))), unit.name);
        }
    }
    return fmt::format("{:.3g} s", value_s);
}

double Axis::at(double value) const {
    const auto bend = [this](double v) {
        switch (kind) {
            case Kind::log:
                return std::log(std::max(v, low));
            case Kind::log1p:
                return std::log1p(std::max(v, 0.0));
            case Kind::linear:
                break;
        }
        return v;
    };
    const double width = bend(high) - bend(low);
    const double share = width > 0 ? (bend(value) - bend(low)) / width : 0;
    return from + (to - from) * std::clamp(share, 0.0, 1.0);
}

Svg::Svg(double width, double height, std::string_view title) {
    body_ = fmt::format(
        "<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\" "
        "preserveAspectRatio=\"xMidYMid meet\">\n",
        width,
        height,
        escaped(title));
}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view css) {
    fmt::format_to(std::back_inserter(body_), "<line class=\"{}\"", css);
    append_attribute(body_, "x1", x1);
    append_attribute(body_, "y1", y1);
    append_attribute(body_, "x2", x2);
    append_attribute(body_, "y2", y2);
    body_ += "/>\n";
}

void Svg::rect(double x,
               double y,
               double width,
               double height,
               std::string_view css,
               std::string_view tip,
               double round) {
    fmt::format_to(std::back_inserter(body_), "<rect class=\"{}\"", css);
    append_attribute(body_, "x", x);
    append_attribute(body_, "y", y);
    append_attribute(body_, "width", std::max(0.0, width));
    append_attribute(body_, "height", std::max(0.0, height));
    if (round > 0) append_attribute(body_, "rx", round);
    if (tip.empty()) {
        body_ += "/>\n";
    } else {
        body_ += "><title>" + escaped(tip) + "</title></rect>\n";
    }
}

void Svg::text(double x, double y, std::string_view text, std::string_view css) {
    fmt::format_to(std::back_inserter(body_), "<text class=\"{}\"", css);
    append_attribute(body_, "x", x);
    append_attribute(body_, "y", y);
    body_ += ">" + escaped(text) + "</text>\n";
}

void Svg::circle(double x, double y, double radius, std::string_view css, std::string_view tip) {
    fmt::format_to(std::back_inserter(body_), "<circle class=\"{}\"", css);
    append_attribute(body_, "cx", x);
    append_attribute(body_, "cy", y);
    append_attribute(body_, "r", radius);
    if (tip.empty()) {
        body_ += "/>\n";
    } else {
        body_ += "><title>" + escaped(tip) + "</title></circle>\n";
    }
}

void Svg::points(const std::vector<std::pair<double, double>>& list) {
    for (std::size_t i = 0; i < list.size(); ++i) {
        body_ += i == 0 ? "M" : "L";
        append_number(body_, list[i].first);
        body_.push_back(' ');
        append_number(body_, list[i].second);
    }
}

void Svg::path(const std::vector<std::pair<double, double>>& list, std::string_view css) {
    if (list.empty()) return;
    fmt::format_to(std::back_inserter(body_), "<path class=\"{}\" d=\"", css);
    points(list);
    body_ += "\"/>\n";
}

void Svg::area(const std::vector<std::pair<double, double>>& list,
               double area_to,
               std::string_view css) {
    if (list.empty()) return;
    fmt::format_to(std::back_inserter(body_), "<path class=\"{}\" d=\"", css);
    points(list);
    body_.push_back('L');
    append_number(body_, list.back().first);
    body_.push_back(' ');
    append_number(body_, area_to);
    body_.push_back('L');
    append_number(body_, list.front().first);
    body_.push_back(' ');
    append_number(body_, area_to);
    body_ += "Z\"/>\n";
}

void Svg::y_axis(const Axis& axis, const std::vector<Tick>& ticks, double left, double right) {
    for (const Tick& tick : ticks) {
        const double y = axis.at(tick.value);
        line(left, y, right, y, tick.value == axis.low ? "base" : "grid");
        text(left - 8, y + 4, tick.label, "label end");
    }
}

void Svg::x_axis(const Axis& axis, const std::vector<Tick>& ticks, double top, double bottom) {
    for (const Tick& tick : ticks) {
        const double x = axis.at(tick.value);
        line(x, bottom, x, bottom + 5, "base");
        if (top < bottom) line(x, top, x, bottom, "grid");
        text(x, bottom + 20, tick.label, "label middle");
    }
}

}  // namespace weir::sim
