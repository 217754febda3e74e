#include "bench/truth/scatter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>

namespace weir::bench {
namespace {

constexpr double width = 640;
constexpr double height = 560;
constexpr double left = 64;
constexpr double bottom = 56;
constexpr double top = 20;
constexpr double right = 150;

// Seconds on both axes; the ends are powers of ten around the rows.
struct Axis {
    double low = 0;
    double high = 1;
    [[nodiscard]] double share(double seconds) const {
        return (std::log10(seconds) - low) / (high - low);
    }
};

// Apart for people who do not see red and green.
constexpr std::array<std::string_view, 11> colours{"#2a7fa5",
                                                   "#c8553d",
                                                   "#4f9d69",
                                                   "#d99a2b",
                                                   "#7d5ba6",
                                                   "#5b7482",
                                                   "#b0457b",
                                                   "#17364a",
                                                   "#8c6d31",
                                                   "#3bb0b0",
                                                   "#999999"};

}  // namespace

bool draw_scatter(const std::vector<Predicted>& rows, const std::string& path) {
    Axis axis{100, -100};
    std::map<std::string, std::size_t> chips;
    for (const Predicted& one : rows) {
        axis.low = std::min({axis.low, std::log10(one.measured), std::log10(one.predicted)});
        axis.high = std::max({axis.high, std::log10(one.measured), std::log10(one.predicted)});
        chips.emplace(one.row->machine.chip_name, chips.size());
    }
    if (rows.empty()) return false;
    axis.low = std::floor(axis.low);
    axis.high = std::ceil(axis.high);
    const auto x = [&](double s) { return left + axis.share(s) * (width - left - right); };
    const auto y = [&](double s) {
        return height - bottom - axis.share(s) * (height - bottom - top);
    };

    std::string svg = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" "
        "font-family=\"sans-serif\" "
        "font-size=\"12\">\n<title>Step time, predicted against measured, {} runs</title>\n"
        "<style>.ink{{fill:#17364a}}.grid{{stroke:#c9d8e0}}.line{{stroke:#5b7482}}"
        "@media (prefers-color-scheme: dark){{.ink{{fill:#e6f1f6}}.grid{{stroke:#2c424e}}"
        ".line{{stroke:#9db6c3}}}}</style>\n",
        width,
        height,
        rows.size());
    for (double power = axis.low; power <= axis.high; power += 1) {
        const double s = std::pow(10, power);
        svg += fmt::format(
            "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>"
            "<line class=\"grid\" x1=\"{3:.1f}\" x2=\"{4:.1f}\" y1=\"{5:.1f}\" y2=\"{5:.1f}\"/>"
            "<text class=\"ink\" x=\"{0:.1f}\" y=\"{6:.1f}\" text-anchor=\"middle\">{7:g} s</text>"
            "<text class=\"ink\" x=\"{8:.1f}\" y=\"{9:.1f}\" text-anchor=\"end\">{7:g} s</text>\n",
            x(s),
            top,
            height - bottom,
            left,
            width - right,
            y(s),
            height - bottom + 18,
            s,
            left - 6,
            y(s) + 4);
    }
    const double first = std::pow(10, axis.low);
    const double last = std::pow(10, axis.high);
    svg += fmt::format(
        "<line class=\"line\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
        x(first),
        y(first),
        x(last),
        y(last));
    // Rows of a sweep lie on each other: one mark for each place.
    std::map<std::pair<int, int>, std::size_t> places;
    for (const Predicted& one : rows) {
        const std::pair<int, int> place{static_cast<int>(std::lround(x(one.measured) * 2)),
                                        static_cast<int>(std::lround(y(one.predicted) * 2))};
        places.emplace(place, chips[one.row->machine.chip_name]);
    }
    for (const auto& [place, chip] : places) {
        svg += fmt::format(
            "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\" fill=\"{}\" "
            "fill-opacity=\"0.55\"/>\n",
            place.first / 2.0,
            place.second / 2.0,
            colours[chip % colours.size()]);
    }
    double row = top + 12;
    for (const auto& [name, chip] : chips) {
        svg += fmt::format(
            "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\"/><text class=\"ink\" "
            "x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
            width - right + 16,
            row - 4,
            colours[chip % colours.size()],
            width - right + 26,
            row,
            name);
        row += 18;
    }
    svg += fmt::format(
        "<text class=\"ink\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">measured step "
        "time</text>\n<text class=\"ink\" transform=\"translate(14 {:.1f}) rotate(-90)\" "
        "text-anchor=\"middle\">predicted</text>\n</svg>\n",
        (left + width - right) / 2,
        height - 14,
        (top + height - bottom) / 2);
    std::ofstream file(path);
    file << svg;
    return static_cast<bool>(file);
}

}  // namespace weir::bench
