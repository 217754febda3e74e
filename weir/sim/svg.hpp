// Charts as SVG text: axes with readable numbers, lines, bars, and names for the mouse.
//
// A chart is a plain picture inside an HTML page: colours are classes (report_style in report.cpp
// gives each a value for light and dark), sizes are in the units of its view box and scale with
// the page. Equal data give equal bytes; coordinates have one decimal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/base/html.hpp"

namespace weir::sim {

// Round numbers that divide low..high into about `wanted` parts: steps of 1, 2, 2.5 or 5 x 10^n.
// Both ends lie outside low..high or on it.
std::vector<double> round_ticks(double low, double high, int wanted);
// For seconds: steps that clocks and calendars know (5 min, 6 h, 7 d, 30 d ...).
std::vector<double> time_ticks(double low_s, double high_s, int wanted);
// "45 s", "5 min", "6 h", "30 d": for axes, where the unit follows the step.
std::string time_label(double value_s);

// A value axis: where a value lies between two ends of the picture.
struct Axis {
    enum class Kind : std::uint8_t {
        linear,
        log,   // of the value; below `low` counts as low
        log1p  // of 1 + the value: shows 0 and millions
    };
    Kind kind = Kind::linear;
    double low = 0;
    double high = 1;
    double from = 0;  // picture
    double to = 1;

    [[nodiscard]] double at(double value) const;
};

struct Tick {
    double value = 0;
    std::string label;
};

// Collects the elements of one picture.
class Svg {
public:
    Svg(double width, double height, std::string_view title);

    void line(double x1, double y1, double x2, double y2, std::string_view css);
    void rect(double x,
              double y,
              double width,
              double height,
              std::string_view css,
              std::string_view tip = {},
              double round = 0);
    void text(double x, double y, std::string_view text, std::string_view css);
    void circle(double x, double y, double radius, std::string_view css, std::string_view tip = {});
    // Through all points; `area_to` closes it to a filled shape down to that height.
    void path(const std::vector<std::pair<double, double>>& points, std::string_view css);
    void area(const std::vector<std::pair<double, double>>& points,
              double area_to,
              std::string_view css);

    // Grid lines with labels on the left, and labels below.
    void y_axis(const Axis& axis, const std::vector<Tick>& ticks, double left, double right);
    void x_axis(const Axis& axis, const std::vector<Tick>& ticks, double top, double bottom);

    [[nodiscard]] std::string finish() const { return body_ + "</svg>\n"; }

private:
    void points(const std::vector<std::pair<double, double>>& list);
    std::string body_;
};

}  // namespace weir::sim
