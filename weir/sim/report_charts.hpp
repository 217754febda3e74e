// The charts of a report, each one SVG picture.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/time.hpp"
#include "weir/sim/report_data.hpp"
#include "weir/sim/simulator.hpp"
#include "weir/sim/svg.hpp"
#include "weir/sim/trace.hpp"

namespace weir::sim {

// Ticks of a time axis in seconds from the zero of the trace: calendar dates where it is known what
// time zero was and the span is longer than two days, else "6 h", "30 d".
std::vector<Tick> timeline_ticks(double from_s, double to_s, const std::optional<Time>& zero_utc);

// "+12d 04h" from the zero of the trace, or a date and time.
std::string moment_text(double at_s, const std::optional<Time>& zero_utc);

// The ends of the plots on every picture of a report, which is `chart_width` wide.
inline constexpr double chart_width = 960;
inline constexpr double chart_left = 74;
inline constexpr double chart_right = chart_width - 14;

// A level that a series is held against: a line across the chart with a name.
struct Level {
    double value = 0;  // before it is scaled
    std::string label;
    std::string_view css;  // "cap" or "peak"
    bool label_right = true;
};

// One series over time as a filled line. `unit` goes behind numbers; `full` > 0 draws the scale to
// it (100 % of capacity) and `mean` a dashed line.
struct SeriesChart {
    std::string_view title;
    std::string unit;
    std::string_view css;  // "busy" or "wait"
    double scale = 1;      // what a value is multiplied by before it is shown
    double full = 0;
    std::optional<double> mean;
    std::vector<Level> levels{};
};
std::string series_chart(const TimeSeries& series,
                         const std::vector<double>& values,
                         const SeriesChart& chart,
                         const std::optional<Time>& zero_utc);

std::string waits_chart(const std::vector<SizeClass>& sizes, std::string_view unit);
std::string slowdown_chart(const std::vector<SlowdownPoint>& points, double mean);

// One bar for each class of something.
struct Bar {
    std::string label;
    double value = 0;
    std::string top;       // what is written over it
    std::string_view css;  // "bar-busy", "bar-wait", "bar-bad", "bar-rest"
};
std::string bars_chart(const std::vector<Bar>& bars, std::string_view title, std::string_view unit);
// Parts of a whole, side by side; of one with no width only the name is left to the legend.
std::string shares_chart(const std::vector<Bar>& parts, std::string_view title);

// The ticks of an axis of waits from 0 to at least `high_s`: those that people think in.
std::vector<Tick> wait_ticks(double high_s);
// One line a job: waiting thin, running thick. Meant for a few hundred jobs.
std::string gantt_chart(const Trace& trace, const Simulation& result);

// 1234.5 -> "1,235"; 0.034 -> "0.034": three digits or the whole number.
std::string number_text(double value);

}  // namespace weir::sim
